; The 32-bit loops of calibrate.c, and the way in and out. The code between calibrate_code and calibrate_code_end
; is copied to CODE, in the low 4 GiB, where an LDT code segment of base 0 reaches it; what it reads lies on another
; page, DATA, because a store near code costs more than the crossing that is measured.
;
;   calibrate_enter (64 bit) --far jump LDT:loop--> loop (32 bit) --far jump 0x33:leave--> leave (64 bit)
;                                                   gate: far jump 0x33:gate64, and far jump LDT:back from there
bits 64
default rel
%define CODE 0x10000000
%define DATA 0x10001000
%define LINUX_CS64 0x33

section .data
jump: dd 0                              ; m16:32 for the far jump in
      dw 0

section .text
global calibrate_enter

; void calibrate_enter(uint32_t offset, uint16_t selector, uint32_t n, uint32_t stack);
; Runs the loop at CODE + offset with ECX = n. RSP must fit in 32 bits there: `stack` is its top.
; Keeps RBX, RBP, RSP, R12 to R15; clobbers what a C function may.
calibrate_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    add edi, CODE
    mov [jump], edi
    mov [jump + 4], si
    mov eax, DATA
    mov [rax], rsp                      ; DATA + 0: our stack   + 8: where to go on   + 16: m16:32 back into the loop
                                        ; + 24: cycles, for calibrate.c
    lea rdi, [.back]
    mov [rax + 8], rdi
    mov dword [rax + 16], CODE + (gate_back - calibrate_code)
    mov [rax + 20], si
    mov esp, ecx
    mov ecx, edx
    jmp far dword [jump]
.back:
    mov eax, DATA
    mov rsp, [rax]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

section .rodata
global calibrate_code, calibrate_code_end, calibrate_cli, calibrate_split, calibrate_gate, calibrate_null
; extern const char calibrate_code[], calibrate_cli[], ...;   no functions: loops of ECX turns, to be jumped to, which end at leave64.
; They keep ESP, EBP, EDI; clobber ECX and the flags, calibrate_split also EAX, EBX, EDX, ESI.
calibrate_code:
bits 32
align 64
calibrate_cli:
    cli                                 ; one byte; the handler steps over it
    dec ecx
    jnz calibrate_cli
    jmp LINUX_CS64:CODE + (leave64 - calibrate_code)

; The same in halves: the handler finds in EAX when it began, and leaves in EBX when it ended.
align 64
calibrate_split:
    xor esi, esi
.turn:
    rdtsc
    cli
    rdtsc
    sub eax, ebx
    add esi, eax
    dec ecx
    jnz .turn
    mov eax, DATA
    mov [ss:eax + 24], esi              ; Linux leaves DS empty
    jmp LINUX_CS64:CODE + (leave64 - calibrate_code)

align 64
calibrate_gate:
    jmp LINUX_CS64:CODE + (gate64 - calibrate_code)
gate_back:
    dec ecx
    jnz calibrate_gate
    jmp LINUX_CS64:CODE + (leave64 - calibrate_code)

align 64
calibrate_null:
    dec ecx
    jnz calibrate_null
    jmp LINUX_CS64:CODE + (leave64 - calibrate_code)

; Where the far jumps arrive: back into the loop; on in calibrate_enter. Both keep the general registers and the flags.
bits 64
align 64
gate64:
    jmp far dword [abs DATA + 16]
align 64
leave64:
    jmp [abs DATA + 8]
calibrate_code_end:

section .note.GNU-stack noalloc noexec nowrite progbits
