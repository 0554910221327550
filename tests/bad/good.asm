%include "guest.inc"
; Nothing wrong: its file is what tests/bad.sh spoils.
main:
        exit    0
