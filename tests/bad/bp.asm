%include "guest.inc"
; A breakpoint in DR0 works after an exit too.
%include "gates.inc"
main:
        gate    1, db
        lidt    [idtr]
        mov     eax, there
        mov     dr0, eax
        mov     eax, 0x00000402
        mov     dr7, eax
        xor     eax, eax
        cpuid
there:  nop
        exit    2
db:     exit    5
