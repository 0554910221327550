; An interrupt on order (ops.h), without a clock.
%include "pc.inc"

extern armed                            ; a probe's: it has been here

section .text
bits 32

; Makes IRQ 4 pending, by the UART's transmitter: it is empty, and from now on says so. IF = 0, or the interrupt
; comes inside. Gives up after 65,536 looks at the transmitter, 64 at the PIC; changes EAX, ECX, EDX.
global arm_irq, arm_masked
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

section .note.GNU-stack noalloc noexec nowrite progbits
