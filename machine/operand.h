/* An instruction's operands: where they are, reading and writing them with every check at the guest's privilege. Intel SDM vol. 1
 * 3.7. A function that returns false has left the exception in m->cpu.fault. */
#ifndef OPERAND_H
#define OPERAND_H

#include "decode.h"
#include "vcpu.h"

/* The value of a general register as operands name it: 1, 2 or 4 bytes. */
uint32_t register_read(const struct vcpu *cpu, unsigned reg, unsigned bytes);
void register_write(struct vcpu *cpu, unsigned reg, unsigned bytes, uint32_t value);

/* Where a memory operand points: its offset in its segment. */
uint32_t operand_offset(const struct vcpu *cpu, const struct insn *insn, const struct operand *op);

/* The value of a general register, immediate or memory operand of 1, 2 or 4 bytes. */
bool operand_read(struct machine *m, const struct insn *insn, const struct operand *op, unsigned bytes, uint32_t *value);

/* The same before operand_write() of the same one: memory must be writable, too. After it that write cannot fail. */
bool operand_read_to_write(struct machine *m, const struct insn *insn, const struct operand *op, unsigned bytes, uint32_t *value);

bool operand_write(struct machine *m, const struct insn *insn, const struct operand *op, unsigned bytes, uint32_t value);

#endif
