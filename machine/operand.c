/* See operand.h. */
#include "operand.h"

#include "machine.h"

uint32_t register_read(const struct vcpu *cpu, unsigned reg, unsigned bytes)
{
    if (bytes == 1)
        return cpu->gpr[reg & 3] >> (reg & 4 ? 8 : 0) & 0xff;
    return bytes == 2 ? cpu->gpr[reg] & 0xffff : cpu->gpr[reg];
}

void register_write(struct vcpu *cpu, unsigned reg, unsigned bytes, uint32_t value)
{
    if (bytes == 4)
        cpu->gpr[reg] = value;
    else if (bytes == 2)
        cpu->gpr[reg] = (cpu->gpr[reg] & 0xffff0000) | (value & 0xffff);
    else if (reg & 4)
        cpu->gpr[reg & 3] = (cpu->gpr[reg & 3] & 0xffff00ff) | (value & 0xff) << 8;
    else
        cpu->gpr[reg] = (cpu->gpr[reg] & 0xffffff00) | (value & 0xff);
}

uint32_t operand_offset(const struct vcpu *cpu, const struct insn *insn, const struct operand *op)
{
    uint32_t offset = op->value;

    if (op->base != REG_NONE)
        offset += cpu->gpr[op->base];
    if (op->index != REG_NONE)
        offset += cpu->gpr[op->index] * op->scale;
    if (insn->addrsize == 2 && op->base == ESP && (cpu->seg[SS].attr & ATTR_BIG))
        return offset;                                  /* a push or pop: the stack's size counts, not the address's */
    return insn->addrsize == 2 ? offset & 0xffff : offset;
}

bool operand_read(struct machine *m, const struct insn *insn, const struct operand *op, unsigned bytes, uint32_t *value)
{
    *value = op->value;
    if (op->kind == OPERAND_MEM) {
        *value = 0;
        return memory_read_seg(m, op->seg, operand_offset(&m->cpu, insn, op), value, bytes);
    }
    if (op->kind == OPERAND_REG)
        *value = register_read(&m->cpu, op->reg, bytes);
    return true;
}

bool operand_read_to_write(struct machine *m, const struct insn *insn, const struct operand *op, unsigned bytes, uint32_t *value)
{
    if (op->kind != OPERAND_MEM)
        return operand_read(m, insn, op, bytes, value);
    *value = 0;
    return memory_read_to_write_seg(m, op->seg, operand_offset(&m->cpu, insn, op), value, bytes);
}

bool operand_write(struct machine *m, const struct insn *insn, const struct operand *op, unsigned bytes, uint32_t value)
{
    if (op->kind == OPERAND_MEM)
        return memory_write_seg(m, op->seg, operand_offset(&m->cpu, insn, op), &value, bytes);
    register_write(&m->cpu, op->reg, bytes, value);
    return true;
}
