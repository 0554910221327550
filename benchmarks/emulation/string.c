/* MOVS, CMPS, STOS, LODS, SCAS, with and without REP. A turn leaves ESI, EDI and ECX right, so that a fault in the middle is
 * precise; what repeats long stops now and then at the same EIP, for interrupts. Pages that the TLB knows are gone through
 * without asking at every turn. Intel SDM vol. 2B, REP. */
#include "access.h"
#include "flags.h"
#include "operand.h"

enum { TURNS_MAX = 4096 };

struct string {
    struct emulator *e;
    const struct insn *insn;
    unsigned code, bytes, size; /* opcode without its lowest bit, of an element, of an address */
    unsigned seg;               /* of ESI */
    int32_t by;
};

static uint32_t index_of(const struct string *s, unsigned reg) { return register_read(cpu_of(s->e), reg, s->size); }

static void advance(const struct string *s, unsigned reg, uint32_t turns)
{
    register_write(cpu_of(s->e), reg, s->size, cpu_of(s->e)->gpr[reg] + turns * (uint32_t)s->by);
}

/* May the TLB be asked for this segment? */
static bool by_tlb(const struct string *s, unsigned seg)
{
    return s->e->usual != s->e->tlbs[TLB_NEVER] && (seg == DS || seg == ES || seg == SS);
}

static bool load(const struct string *s, unsigned seg, uint32_t offset, uint32_t *value)
{
    const struct tlb_entry *t = tlb_of(s->e, offset);
    struct op op = { .seg = (uint8_t)seg };
    const void *from;

    *value = 0;
    if (!by_tlb(s, seg))
        return memory_read_seg(&s->e->vm.machine, seg, offset, value, s->bytes);
    from = t->read == ((offset + s->bytes - 1) & PAGE_MASK) ? (const void *)(t->host + offset)
                                                             : slow_read(s->e, &op, offset, s->bytes);
    if (!from)
        return false;
    memcpy(value, from, s->bytes);
    return true;
}

static bool save(const struct string *s, uint32_t value)
{
    struct op op = { .seg = ES };

    if (!by_tlb(s, ES))
        return memory_write_seg(&s->e->vm.machine, ES, index_of(s, EDI), &value, s->bytes);
    return put(s->e, &op, index_of(s, EDI), s->bytes, value);
}

static void compare(const struct string *s, uint32_t a, uint32_t b) { do_sub(s->e, 8 * s->bytes, a, b); }

static bool turn(const struct string *s)
{
    struct vcpu *cpu = cpu_of(s->e);
    uint32_t a, b;

    switch (s->code) {
    case 0xa4:
        if (!load(s, s->seg, index_of(s, ESI), &a) || !save(s, a))
            return false;
        break;
    case 0xa6:
        if (!load(s, ES, index_of(s, EDI), &b) || !load(s, s->seg, index_of(s, ESI), &a))
            return false;
        compare(s, a, b);
        break;
    case 0xaa:
        if (!save(s, cpu->gpr[EAX]))
            return false;
        break;
    case 0xac:
        if (!load(s, s->seg, index_of(s, ESI), &a))
            return false;
        register_write(cpu, EAX, s->bytes, a);
        break;
    default:
        if (!load(s, ES, index_of(s, EDI), &b))
            return false;
        compare(s, register_read(cpu, EAX, s->bytes), b);
    }
    if (s->code != 0xaa && s->code != 0xae)
        advance(s, ESI, 1);
    if (s->code != 0xac)
        advance(s, EDI, 1);
    return true;
}

/* How many elements from `gla` on are in its page. */
static uint32_t room(const struct string *s, uint32_t gla) { return (PAGE_BYTES - gla % PAGE_BYTES) / s->bytes; }

/* MOVS and STOS upwards, as far as both pages go: how many turns that were. 0: one by one. */
static uint32_t many(const struct string *s, uint32_t count)
{
    struct vcpu *cpu = cpu_of(s->e);
    uint32_t to = cpu->gpr[EDI], from = cpu->gpr[ESI];
    const struct tlb_entry *w = tlb_of(s->e, to), *r = tlb_of(s->e, from);
    uint8_t *d = (uint8_t *)(w->host + to);
    const uint8_t *a = (const uint8_t *)(r->host + from);
    uint32_t n = count < room(s, to) ? count : room(s, to);

    if (s->by < 0 || s->size != 4 || !by_tlb(s, ES) || w->write != (to & PAGE_MASK))
        return 0;
    if (s->code == 0xaa) {
        for (uint32_t k = 0; k < n * s->bytes; k += s->bytes)
            memcpy(d + k, &cpu->gpr[EAX], s->bytes);
        return n;
    }
    if (s->code != 0xa4 || !by_tlb(s, s->seg) || r->read != (from & PAGE_MASK))
        return 0;
    if (n > room(s, from))
        n = room(s, from);
    if (d + n * s->bytes <= a || a + n * s->bytes <= d)
        memcpy(d, a, n * s->bytes);
    else                                                /* what was written is read again: patterns are made so */
        for (uint32_t k = 0; k < n * s->bytes; k += s->bytes)
            memmove(d + k, a + k, s->bytes);
    return n;
}

/* REPE or REPNE: the last of such prefixes counts. */
static unsigned repeats_while(const struct insn *insn)
{
    unsigned prefix = 0;

    for (unsigned k = 0; k < insn->opcode_at; k++)
        if (insn->bytes[k] == 0xf2 || insn->bytes[k] == 0xf3)
            prefix = insn->bytes[k];
    return prefix;
}

bool string_run(struct emulator *e, const struct insn *insn, bool *again)
{
    struct vcpu *cpu = cpu_of(e);
    struct string s = {
        e, insn, opcode_of(insn) & 0xfe, insn->bytes[insn->opcode_at] & 1 ? insn->opsize : 1u, insn->addrsize, DS, 0,
    };
    bool compares = s.code == 0xa6 || s.code == 0xae, zf = repeats_while(insn) == 0xf3;
    uint32_t turns = 0, n;

    s.by = cpu->eflags & FLAG_DF ? -(int32_t)s.bytes : (int32_t)s.bytes;
    for (const struct operand *o = insn->op; o < insn->op + insn->operands; o++)
        if (o->kind == OPERAND_MEM && o->base == ESI)
            s.seg = o->seg;
    if (!insn->rep)
        return turn(&s);
    for (uint32_t left = index_of(&s, ECX); left; left = index_of(&s, ECX), turns += n) {
        if (turns >= TURNS_MAX || (turns && e->stepping)) {
            *again = true;
            break;
        }
        n = e->stepping || compares ? 0 : many(&s, left);
        if (n) {
            advance(&s, EDI, n);
            if (s.code == 0xa4)
                advance(&s, ESI, n);
        } else if (turn(&s)) {
            n = 1;
        } else {
            return false;
        }
        register_write(cpu, ECX, s.size, left - n);
        if (compares && flag_zf(e) != zf)
            break;
    }
    return true;
}
