%include "guest.inc"
; Reads just above its RAM. Run it with -m 2.
main:
        mov     esi, 0x00200000
over_the_end:
        cmp     dword [esi], 0xffffffff
        jne     .wrong
        exit    0
.wrong:
        exit    1
