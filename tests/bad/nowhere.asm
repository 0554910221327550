%include "guest.inc"
; Jumps where nothing is.
main:
        mov     eax, 0x8badf00d
        mov     ebx, 0x600dbeef         ; to be seen in the register dump
leap:
        jmp     eax
