/* Fetching what stands at the guest's EIP, whoever decodes it: decode.c, or the bare monitor, where no Zydis is. See decode.h. */
#include <string.h>

#include "machine.h"

const struct isa_row isa_rows[ISA_COUNT] = {
    [ISA_OTHER] = { "other", CLASS_OTHER },
#define ISA(id, zydis, form, class, ...) [ISA_##id] = { #id, CLASS_##class },
#include "isa.def"
#undef ISA
};

/* Decoding costs a tenth of a signal, so what was decoded is kept. It depends on the bytes alone: that they are the
 * same is all that must be asked, and the address only says where to look. */
static bool is_decoded(const struct insn *kept, bool wide, const uint8_t *bytes, unsigned available)
{
    return kept->length != 0 && kept->length <= available && kept->wide == wide &&
           memcmp(kept->bytes, bytes, kept->length) == 0;
}

/* The bytes at CS:EIP up to the end of their page, then, only if the instruction goes on there, of the next. */
static bool fetch_and_decode(struct machine *m, struct insn *out)
{
    struct vcpu *cpu = &m->cpu;
    unsigned user = vcpu_cpl(cpu) == 3 ? ACCESS_USER : 0;
    uint32_t gla = cpu->seg[CS].base + cpu->eip;
    unsigned room = PAGE_BYTES - (gla & ~PAGE_MASK);
    bool wide = cpu->seg[CS].attr & ATTR_BIG;
    struct insn *kept = &m->decoded[gla % DECODE_CACHE];
    uint8_t bytes[INSN_MAX];
    enum decoded result;

    if (room > INSN_MAX)
        room = INSN_MAX;
    if (!memory_load(m, gla, bytes, room, user))
        return false;
    if (is_decoded(kept, wide, bytes, room)) {
        *out = *kept;
        return true;
    }
    result = decode(bytes, room, wide, out);
    if (result == DECODE_TRUNCATED) {
        if (!memory_load(m, gla + room, bytes + room, INSN_MAX - room, user))
            return false;
        result = decode(bytes, INSN_MAX, wide, out);
    }
    if (result == DECODE_TOO_LONG)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    if (result != DECODED)
        return vcpu_raise(cpu, VEC_UD);
    *kept = *out;
    return true;
}

bool decode_at_eip(struct machine *m, struct insn *out)
{
    struct vcpu *cpu = &m->cpu;

    if (cpu->eip > cpu->seg[CS].limit)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    if (!fetch_and_decode(m, out))
        return false;
    if (cpu->seg[CS].limit - cpu->eip < out->length - 1u)
        return vcpu_raise_error(cpu, VEC_GP, 0);
    return true;
}
