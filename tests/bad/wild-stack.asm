%include "guest.inc"
; A stack where no RAM is: nothing can be pushed there.
main:
        mov     esp, 0x70000000
        call    lost
lost:
        ret
