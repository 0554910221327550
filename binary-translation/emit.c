/* See emit.h. */
#include "emit.h"

void emit_memory(struct emitter *e, unsigned prefix, unsigned opcode, unsigned reg, const struct operand *op,
                 unsigned further)
{
    static const uint8_t overrides[SEGREGS] = { PREFIX_ES, PREFIX_CS, PREFIX_SS, PREFIX_DS, PREFIX_FS, PREFIX_GS };
    static const uint8_t scales[] = { [1] = 0, [2] = 1, [4] = 2, [8] = 3 };
    uint32_t offset = op->value + further;
    bool based = op->base != REG_NONE, indexed = op->index != REG_NONE;

    if (op->seg != (op->base == ESP || op->base == EBP ? SS : DS))
        emit1(e, overrides[op->seg]);
    if (prefix)
        emit1(e, prefix);
    if (opcode > 0xff)
        emit1(e, opcode >> 8);
    emit1(e, opcode);
    if (!based && !indexed) {
        emit_absolute(e, reg, offset);
        return;
    }
    emit1(e, (based ? 0x80 : 0) | reg << 3 | 4);                /* SIB follows; disp32 either way */
    emit1(e, (unsigned)scales[indexed ? op->scale : 1] << 6 | (unsigned)(indexed ? op->index : ESP) << 3 |
             (based ? op->base : EBP));
    emit4(e, offset);
}
