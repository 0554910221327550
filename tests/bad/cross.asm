%include "guest.inc"
; One write to two pages beyond its RAM (64 MiB): each must be there while the other is.
main:
        mov     dword [0x04000ffe], 0x12345678
        exit    5
