; The world switch by VMX: VMLAUNCH, and after the first time VMRESUME, enters the guest; an exit arrives at vmx_exit with RSP as
; the VMCS says. All but the general registers changes hands by the VMCS. Intel SDM vol. 3C 24.4, 27, 28.
%include "offsets.inc"

VMCS_HOST_RSP   equ 0x6c14

global vmx_run, vmx_exit
section .text
bits 64

; bool vmx_run(struct vcpu *cpu /* RDI */, bool launched /* ESI */, uint64_t ticks[2] /* RDX */);
; The general registers but ESP are those of *cpu. False: the entry failed, the VMCS tells why.
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
