; The ten instructions by which kvm_probe() finds out whether what stands behind /dev/kvm runs a kernel like ours: they turn
; 32-bit paging on and leave by IRET. They run at PROBE_AT, entered as a multiboot kernel is; the stack is set up.
;   extern const uint8_t kvm_probe_code[]; extern const uint32_t kvm_probe_bytes;
%include "pc.inc"
%include "kvm-probe.inc"         ; from probe.c, which puts the code at PROBE_AT and a page directory at PROBE_DIRECTORY

CR0_PG          equ 0x80000001

bits 32
section .rodata
global kvm_probe_code, kvm_probe_bytes
kvm_probe_code:
    mov eax, PROBE_DIRECTORY
    mov cr3, eax
    mov eax, CR0_PG
    mov cr0, eax
    push 2                          ; EFLAGS
    push 8                          ; CS
    push PROBE_AT + .returned - kvm_probe_code
    iret
.returned:
    mov al, PROBE_SAYS
    out PORT_DEBUG_EXIT, al
    hlt
kvm_probe_bytes: dd $ - kvm_probe_code

section .note.GNU-stack noalloc noexec nowrite progbits
