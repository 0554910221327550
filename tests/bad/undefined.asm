%include "guest.inc"
; An undefined instruction without an IDT.
main:
        nop
undefined_here:
        ud2
