%include "guest.inc"
; DR7 is the guest's, and still so after an exit.
main:
        mov     eax, 0x00300000
        mov     dr0, eax
        mov     eax, 0x00000401
        mov     dr7, eax
        xor     eax, eax
        cpuid
        mov     eax, dr7
        cmp     eax, 0x401
        jne     .w
        exit    5
.w:     exit    2
