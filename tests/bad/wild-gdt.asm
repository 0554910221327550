%include "guest.inc"
; A GDT where no RAM is, and a segment load from it.
section .data
away:   dw      0xffff
        dd      0x70000000

section .text
main:
        lgdt    [away]
        mov     ax, 0x20
load_it:
        mov     ds, ax
        mov     eax, [0]
        ud2
