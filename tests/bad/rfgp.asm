%include "guest.inc"
; The flags that a fault pushes have RF set, also if the VMM raises it (Intel SDM vol. 3B 17.3.1.1).
%include "gates.inc"
main:
        gate    13, gp
        lidt    [idtr]
        mov     ecx, 0x12345
        rdmsr
        exit    3
gp:     test    dword [esp + 12], 0x10000
        jz      .w
        exit    5
.w:     exit    2
