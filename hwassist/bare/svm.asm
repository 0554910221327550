; The world switch by SVM: VMRUN enters the guest, and goes on behind itself when the guest comes out. It saves and loads what
; makes a processor another one (segments, control registers, RIP, RSP, RAX) in the VMCB and in a page of the monitor's; the
; other registers are ours to change. AMD APM vol. 2 15.5, 15.5.2.
%include "offsets.inc"

global svm_run
section .text
bits 64

; void svm_run(struct vcpu *cpu /* RDI */, uint64_t vmcb /* RSI, physical */, uint64_t ticks[2] /* RDX */);
; The general registers but EAX and ESP are those of *cpu. ticks: the TSC before the entry and after the exit.
; Called with IF = 0, which it stays. Keeps RBX, RBP, R12 to R15; clobbers RAX, RCX, RDX, RSI, RDI, R8, R9 and the flags. The x87 and SSE
; registers are the guest's all the time: the monitor uses none.
; Frame at VMRUN:  return address, RBX, RBP, R12, R13, R14, R15, cpu, ticks <- RSP
svm_run:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        push    rdi
        push    rdx
        mov     r8, rdx
        rdtsc
        mov     [r8], eax
        mov     [r8 + 4], edx
        mov     rax, rsi
        mov     ecx, [rdi + VCPU_ECX]
        mov     edx, [rdi + VCPU_EDX]
        mov     ebx, [rdi + VCPU_EBX]
        mov     ebp, [rdi + VCPU_EBP]
        mov     esi, [rdi + VCPU_ESI]
        mov     edi, [rdi + VCPU_EDI]
        clgi                            ; nothing comes between
        sti                             ; an interrupt for the host shall end the guest's run
        vmload                          ; FS, GS, TR, LDTR and the MSRs of system calls: VMRUN leaves them alone
        vmrun
        vmsave
        cli
        stgi
        mov     r8, [rsp]
        mov     r9, [rsp + 8]
        mov     [r9 + VCPU_EDX], edx
        rdtsc
        mov     [r8 + 8], eax
        mov     [r8 + 12], edx
        mov     [r9 + VCPU_ECX], ecx
        mov     [r9 + VCPU_EBX], ebx
        mov     [r9 + VCPU_EBP], ebp
        mov     [r9 + VCPU_ESI], esi
        mov     [r9 + VCPU_EDI], edi
        add     rsp, 16
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
