%include "guest.inc"
%include "gates.inc"
; A timer that is set anew at each tick, for 1 ms each time and for one tick: 250 of them take a quarter of a second. A monitor that
; looks at the clock only when the tick before last asked for it takes ten.
section .data
left:   db      250
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
