; The world switch by VMX: VMLAUNCH, and after the first time VMRESUME, enters the guest; an exit arrives at vmx_exit with RSP as
; the VMCS says. All but the general registers changes hands by the VMCS. Intel SDM vol. 3C 24.4, 27, 28.
%include "offsets.inc"
%include "bare.inc"           ; from vmcs.h: VMCS_HOST_RSP

global vmx_run, vmx_exit
section .text
bits 64

; bool vmx_run(struct vcpu *cpu /* RDI */, bool launched /* ESI */, uint64_t ticks[2] /* RDX */);
; The general registers but ESP are those of *cpu. ticks: the TSC before the entry and after the exit. False: the entry failed, the
; VMCS tells why. Called with IF = 0, which it stays. Keeps RBX, RBP, R12 to R15; clobbers RAX, RCX, RDX, RSI, RDI, R8, R9 and the flags.
; The x87 and SSE registers are the guest's all the time: the monitor uses none.
; Frame at VMLAUNCH, VMRESUME:  return address, RBX, RBP, R12, R13, R14, R15, cpu, ticks <- RSP
vmx_run:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        push    rdi
        push    rdx
        mov     eax, VMCS_HOST_RSP
        vmwrite rax, rsp
        mov     r8, rdx
        rdtsc
        mov     [r8], eax
        mov     [r8 + 4], edx
        test    esi, esi                ; what follows leaves the flags alone
        mov     eax, [rdi + VCPU_EAX]
        mov     ecx, [rdi + VCPU_ECX]
        mov     edx, [rdi + VCPU_EDX]
        mov     ebx, [rdi + VCPU_EBX]
        mov     ebp, [rdi + VCPU_EBP]
        mov     esi, [rdi + VCPU_ESI]
        mov     edi, [rdi + VCPU_EDI]
        jnz     .resume
        vmlaunch
        jmp     .failed
.resume:
        vmresume
.failed:
        xor     eax, eax
        jmp     leave_vmx

; extern const uint8_t vmx_exit[];   no function: where the VMCS says that exits go on
; RSP is vmx_run()'s, the general registers are the guest's; returns true to vmx_run()'s caller.
vmx_exit:
        mov     r8, [rsp]
        mov     r9, [rsp + 8]
        mov     [r9 + VCPU_EAX], eax
        mov     [r9 + VCPU_EDX], edx
        rdtsc
        mov     [r8 + 8], eax
        mov     [r8 + 12], edx
        mov     [r9 + VCPU_ECX], ecx
        mov     [r9 + VCPU_EBX], ebx
        mov     [r9 + VCPU_EBP], ebp
        mov     [r9 + VCPU_ESI], esi
        mov     [r9 + VCPU_EDI], edi
        mov     eax, 1
leave_vmx:
        add     rsp, 16
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
