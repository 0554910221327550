%include "guest.inc"
; General detect: with DR7.GD on, a look at DR0 is a #DB at that instruction, which turns GD off and is told in DR6.
%include "gates.inc"
main:
        gate    1, db
        lidt    [idtr]
        mov     eax, 0xffff0ff0
        mov     dr6, eax
        mov     eax, 0x2400
        mov     dr7, eax
look:   mov     eax, dr0
wrong:  exit    2
db:     mov     eax, dr7
        test    eax, 0x2000
        jnz     wrong
        mov     eax, dr6
        and     eax, 0x600f
        cmp     eax, 0x2000
        jne     wrong
        cmp     dword [esp], look
        jne     wrong
        exit    5
