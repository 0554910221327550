/* Far control transfers: JMP, CALL, RET and IRET between segments and privilege levels, and the stack on
 * which they and events push. Intel SDM vol. 2A (CALL, IRET, JMP, RET), vol. 3A 5.8. Not modelled, and refused
 * by stopping the machine with a sentence: hardware task switches and virtual-8086 mode. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"

struct machine;

/* A stack that is being built or read, not yet the processor's. */
struct stack {
    struct segment ss;
    uint32_t esp;
    unsigned cpl;               /* the privilege with which it is accessed */
    uint32_t error;             /* error code of the #SS that its limit raises */
};

struct stack stack_current(const struct vcpu *cpu);
bool stack_push(struct machine *m, struct stack *s, uint32_t value, unsigned bytes);
bool stack_pop(struct machine *m, struct stack *s, unsigned bytes, uint32_t *value);
void stack_commit(struct vcpu *cpu, const struct stack *s);

/* The stack for privilege level `cpl` (0 to 2): as the VMM says (hooks.kernel_stack), else as the guest's TSS does. */
bool stack_of_ring(struct machine *m, unsigned cpl, unsigned ext, struct stack *out);

/* Set CS:EIP: RPL of the selector becomes the CPL. */
void transfer_commit(struct vcpu *cpu, uint16_t selector, const struct segment *cs, unsigned cpl, uint32_t eip);

/* `bytes` is the operand size, 2 or 4; `next` the address of the following instruction, for the return.
 * All return false with the exception in m->cpu.fault and nothing else changed. */
bool transfer_jump(struct machine *m, uint16_t selector, uint32_t eip, unsigned bytes);
bool transfer_call(struct machine *m, uint16_t selector, uint32_t eip, unsigned bytes, uint32_t next);
bool transfer_return(struct machine *m, unsigned bytes, unsigned release);
bool transfer_iret(struct machine *m, unsigned bytes);

/* What POPF may change of EFLAGS at the current privilege (Intel SDM vol. 1 3.4.3). IRET changes RF as well and, at CPL 0, VIF and VIP. */
uint32_t flags_writable(const struct vcpu *cpu);

#endif
