%include "guest.inc"
%include "gates.inc"
; A timer for one tick, set anew at each: 200 of 1 ms. A monitor that does not notice looks at its clock when it would have anyway, every
; 55 ms, and takes more than ten seconds.
section .data
left:   db      200
section .text
main:
        gate    0x20, tick
        lidt    [idtr]
        timer_on
        mov     al, 0x30                ; counter 0, both bytes, mode 0
        out     0x43, al
        call    set
        sti
        jmp     $                       ; no HLT, at which a monitor looks at the clock anyway
set:    mov     al, 1193 & 0xff
        out     0x40, al
        mov     al, 1193 >> 8
        out     0x40, al
        ret
tick:
        end_of_interrupt
        dec     byte [left]
        jz      .done
        call    set
        iret
.done:  exit    5
