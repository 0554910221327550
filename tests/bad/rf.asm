%include "guest.inc"
%include "gates.inc"
; A fault pushes EFLAGS with RF set, and IRET takes it back; after the next instruction RF is clear again (Intel SDM
; vol. 3B 18.3.1.1). So an interrupt that comes later finds it clear.
section .data
done:   db      0
section .text
main:
        gate    0, divide_error
        gate    0x20, tick
        lidt    [idtr]
        timer_on
        mov     edx, 0
        mov     eax, 1
        xor     ecx, ecx
        sti
        div     ecx
        mov     byte [done], 1
        jmp     $
divide_error:
        mov     ecx, 1                  ; and DIV is carried out again
        iret
tick:
        push    eax
        end_of_interrupt
        pop     eax
        cmp     byte [done], 1
        jne     .early
        test    dword [esp + 8], 0x00010000
        jnz     .wrong
        exit    5
.wrong: exit    2
.early: iret
