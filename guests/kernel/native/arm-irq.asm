; An interrupt on order (ops.h), without a clock.
%include "pc.inc"

extern armed                            ; ops.h

section .text
bits 32

; Makes IRQ 4 pending, by the UART's transmitter: it is empty, and from now on says so. IF = 0, or the interrupt
; comes inside. Gives up after 65,536 looks at the transmitter, 64 at the PIC; changes EAX, ECX, EDX.
global arm_irq
arm_irq:
    mov al, 0xef
    out PORT_PIC1_DATA, al
arm_masked:                     ; the same, with the line masked
    mov dword [armed], 1
    mov dx, PORT_COM1 + 5
    mov ecx, 0x10000
.busy:
    in al, dx
    test al, 0x40
    jnz .empty
    dec ecx
    jnz .busy
.empty:
    mov dx, PORT_COM1 + 1
    xor eax, eax
    out dx, al
    mov al, 2
    out dx, al
    mov al, 0x0a
    out PORT_PIC1_COMMAND, al                ; the PIC's port shows its requests
    mov ecx, 64
.wait:
    in al, PORT_PIC1_COMMAND
    test al, 0x10
    jnz .pending
    dec ecx
    jnz .wait
.pending:
    xor eax, eax
    ret

; Both IRQ 4 and, by one shot of the timer, IRQ 0 are pending, and open. Changes EAX, EBX, ECX, EDX.
global arm_both
arm_both:
    call arm_masked
    mov al, 0x30
    out PORT_PIT_CONTROL, al
    mov al, 50
    out PORT_PIT_COUNTER0, al
    mov al, 0
    out PORT_PIT_COUNTER0, al
    mov al, 0x0a
    out PORT_PIC1_COMMAND, al
    mov ecx, 1000                           ; a busy host may be late
.wait:
    mov ebx, 100000                         ; looks rarely: each look is a trap under a VMM
.delay:
    dec ebx
    jnz .delay
    in al, PORT_PIC1_COMMAND
    test al, 1
    jnz .both
    dec ecx
    jnz .wait
.both:
    mov al, 0xee
    out PORT_PIC1_DATA, al
    ret

; Line 4 alone, or none. Changes EAX.
global open_irq, close_irq
open_irq:
    mov al, 0xef
    out PORT_PIC1_DATA, al
    ret

close_irq:
    mov al, 0xff
    out PORT_PIC1_DATA, al
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
