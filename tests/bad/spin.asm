%include "guest.inc"
; A loop with interrupts off: only --timeout ends it.
main:
        cli
spinning:
        jmp     spinning
