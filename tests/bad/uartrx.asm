%include "guest.inc"
%include "gates.inc"
; The serial port's receive interrupt is enabled and nobody types: the timer's interrupts must come all the same, and
; the guest must get on meanwhile.
main:
        gate    0x20, tick
        lidt    [idtr]
        mov     dx, 0x3f9
        mov     al, 1                   ; IER: received data
        out     dx, al
        timer_on
        xor     ecx, ecx
        sti
.wait:
        cmp     ecx, 100
        jb      .wait
        exit    5
tick:
        end_of_interrupt
        inc     ecx
        iret
