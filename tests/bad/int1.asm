%include "guest.inc"
; INT1 (F1) is a #DB whose frame points behind it, and which leaves DR6 alone.
%include "gates.inc"
main:
        gate    1, db
        lidt    [idtr]
        mov     eax, 0xffff0ff0
        mov     dr6, eax
        db      0xf1
behind: exit    2
db:     mov     eax, dr6
        test    eax, 0x600f
        jnz     behind
        cmp     dword [esp], behind
        jne     behind
        exit    5
