%include "guest.inc"
; CR0 reads as it was written, also the bits that a monitor keeps for itself: CD, and NE.
main:
        mov     eax, cr0
        mov     esi, eax
        or      eax, 0x40000000                 ; CD
        mov     cr0, eax
        mov     edi, cr0
        cmp     eax, edi
        jne     .wrong
        cpuid
        mov     eax, cr0
        cmp     eax, edi
        jne     .wrong
        xor     eax, 0x40000020                 ; CD off, NE the other way
        mov     cr0, eax
        mov     edi, cr0
        cmp     eax, edi
        jne     .wrong
        mov     cr0, esi
        mov     eax, cr0
        cmp     eax, esi
        jne     .wrong
        exit    5
.wrong: exit    2
