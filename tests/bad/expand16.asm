%include "guest.inc"
%include "gates.inc"
; A 16-bit segment that grows down: the offsets above its limit are valid, up to 0xffff (Intel SDM vol. 3A 5.3).
descriptors 0x0000961000000fff                  ; 0x18: base 0x00100000, from 0x1000
main:
        lgdt    [more_gdtr]
        gate    13, general_protection
        lidt    [idtr]
        mov     dword [0x00102000], 0x12345678
        mov     dword [0x0010fffc], 0x9abcdef0
        mov     ax, 0x18
        mov     fs, ax
        cmp     dword [fs:0x2000], 0x12345678
        jne     .wrong
        cmp     dword [fs:0xfffc], 0x9abcdef0
        jne     .wrong
        exit    5
.wrong: exit    2
general_protection:
        exit    3
