%include "guest.inc"
; An instruction that begins in the last byte of RAM (-m 2) and would go on where there is none.
main:
        mov     byte [0x001fffff], 0xb8         ; mov eax, imm32
        mov     eax, 0x001fffff
last_byte:
        jmp     eax
