; Into a probe and out of it; the processor's state before each one. See probe.inc, probes.c.
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
    iret_to

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

section .note.GNU-stack noalloc noexec nowrite progbits
