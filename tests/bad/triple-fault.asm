%include "guest.inc"
; A breakpoint without an IDT: #GP, then #DF, then shutdown.
main:
        mov     ecx, 0x12345678
provoke:
        int3
