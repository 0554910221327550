; The three ways in which kernels guard a critical section, as race.c uses them.
%include "ops.inc"

bits 32
section .text
global flags_and_cli, sti_if, flags_restore

; uint32_t flags_and_cli(void);         EFLAGS as they were; interrupts off
flags_and_cli:
    op_pushf
    pop eax
    op_cli
    ret

; void sti_if(uint32_t flags);          on again if they were on
sti_if:
    test dword [esp + 4], 0x200
    jz .off
    op_sti
    nop
.off:
    ret

; void flags_restore(uint32_t flags);   as they were
flags_restore:
    push dword [esp + 4]
    op_popf
    nop
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
