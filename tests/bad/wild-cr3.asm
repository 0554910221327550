%include "guest.inc"
; Paging with a page directory where no RAM is.
main:
        mov     eax, 0x70000000
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
turn_on:
        mov     cr0, eax
        nop
