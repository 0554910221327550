%include "guest.inc"
; HLT under the trap flag: #DB comes behind it, and the processor does not halt.
%include "gates.inc"
main:
        gate    1, db
        lidt    [idtr]
        pushf
        or      dword [esp], 0x300
        popf
        hlt
        nop
        exit    2
db:     exit    5
