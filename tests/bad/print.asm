%include "guest.inc"
%include "gates.inc"
; 3,000 lines of 80 characters, with the timer ticking: all of them must get to a reader who takes his time.
main:
        gate    0x20, tick
        lidt    [idtr]
        timer_on
        sti
        mov     dx, 0x3f8
        mov     ecx, 3000
.line:
        mov     ebx, 79
        mov     al, 'x'
.character:
        out     dx, al
        dec     ebx
        jnz     .character
        mov     al, 10
        out     dx, al
        dec     ecx
        jnz     .line
        exit    5
tick:
        push    eax
        end_of_interrupt
        pop     eax
        iret
