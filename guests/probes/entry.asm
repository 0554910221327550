; Into a probe and out of it; the processor's state before each one; an interrupt on order. See probe.inc, probes.c.
%define ENTRY_ASM
%include "pc.inc"
%include "probe.inc"

section .bss align=4096
global scratch
scratch: resb 4096              ; writable, executable; for whatever a probe likes
kept_esp: resd 1

section .data align=4
    dw 0
gdtr: dw 40 * 8 - 1
    dd gdt
    dw 0
idtr: dw 256 * 8 - 1
    dd idt

section .text

; uint32_t probe_run(void (*code)(void));       EAX at the probe's end, or what trap_hook put there
global probe_run, probe_done
probe_run:
    push ebp
    push ebx
    push esi
    push edi
    mov [kept_esp], esp
    mov edx, [esp + 20]
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    jmp edx

probe_done:
    mov ecx, K_DATA
    mov ss, ecx
    mov esp, [ss:kept_esp]
    mov ds, ecx
    mov es, ecx
    push 2
    popfd                       ; TF, NT, AC, IOPL; under trap-and-emulate not IF
    cli
    xor ecx, ecx
    mov fs, ecx
    mov gs, ecx
    jmp K_CODE:.in_kernel
.in_kernel:
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret

; `user`: ESI = the user part, EBX = its EFLAGS; EAX goes along
global probe_user
probe_user:
    mov edi, U_CODE
    mov ecx, 32
    rep movsd
    mov ecx, U_DS
    mov ds, ecx
    mov es, ecx
    xor ecx, ecx
    push U_DS
    push U_TOP
    push ebx
    push U_CS
    push U_CODE
    iretd

; void probe_reset_cpu(uint32_t cr0, uint32_t cr3);     GDT and IDT are right, the TSS not busy
global probe_reset_cpu
probe_reset_cpu:
    lgdt [gdtr]
    lidt [idtr]
    xor ecx, ecx
    lldt cx
    mov ecx, TSS
    ltr cx
    mov eax, [esp + 4]
    mov cr0, eax
    mov eax, [esp + 8]
    mov cr3, eax
    ret

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
