/* The emulator: up to 16 instructions from the input, in a machine that the input has bent. What is refused has changed nothing
 * (precise faults); what is done has changed no more than its kind may, and no privilege was won but through a gate. */
#include "emulate.h"

#include <string.h>

#include "box.h"
#include "segment.h"
#include "status.h"

enum { STEPS = 16 };

static struct vcpu before;
static uint8_t ram_before[RAM_BYTES];

static bool is_in(unsigned n, unsigned first, unsigned last) { return n >= first && n <= last; }
static bool is_string(const struct insn *i) { return is_in(i->isa, ISA_INSB, ISA_INSD) || is_in(i->isa, ISA_OUTSB, ISA_OUTSD); }
static bool enters(enum isa isa) { return isa == ISA_CALL_FAR || is_in(isa, ISA_INT, ISA_INTO); }
static bool goes(enum isa isa) { return enters(isa) || isa == ISA_JMP_FAR || is_in(isa, ISA_RET_FAR, ISA_IRETD); }

/* Bytes of RAM that changed by more than what walks and segment loads set: accessed, dirty and busy bits. */
static unsigned changed_bytes(void)
{
    unsigned n = 0;

    for (uint32_t page = 0; page < RAM_BYTES; page += PAGE_BYTES) {
        if (!memcmp(box_ram + page, ram_before + page, PAGE_BYTES))
            continue;
        for (uint32_t at = page; at < page + PAGE_BYTES; at++)
            n += (box_ram[at] & ~(PTE_A | PTE_D | 3)) != (ram_before[at] & ~(PTE_A | PTE_D | 3)) ||
                 (ram_before[at] & ~box_ram[at]);
    }
    return n;
}

/* Pushes that came before the fault stay below the stack pointer, SGDT's limit where it was written, a REP's iterations are done. */
static unsigned may_change_on_fault(const struct insn *i)
{
    if (enters(i->isa))
        return 64 * 4;
    if (i->isa == ISA_SGDT || i->isa == ISA_SIDT)
        return 2;
    return i->rep && is_in(i->isa, ISA_INSB, ISA_INSD) ? RAM_BYTES : 0;
}

static unsigned may_change(const struct insn *i)
{
    return enters(i->isa) ? 64 * 4 : i->isa == ISA_SGDT || i->isa == ISA_SIDT ? 6 : is_string(i) && i->rep ? 4096 : 4;
}

/* RF and an interrupt shadow last for one instruction, whether it faults or not; delivery ends them as well. */
static void check_nothing_changed(const struct insn *i)
{
    memcpy(&before.fault, &box.cpu.fault, sizeof before.fault);
    before.shadow = box.cpu.shadow;
    before.eflags = (before.eflags & ~(uint32_t)FLAG_RF) | (box.cpu.eflags & FLAG_RF);
    if (i->rep && is_string(i)) {
        before.gpr[ECX] = box.cpu.gpr[ECX];
        before.gpr[ESI] = box.cpu.gpr[ESI];
        before.gpr[EDI] = box.cpu.gpr[EDI];
    }
    must(!memcmp(&before, &box.cpu, sizeof before), "%s faults (#%u), and the processor's state changed", isa_rows[i->isa].name,
         box.cpu.fault.vector);
    must(changed_bytes() <= may_change_on_fault(i), "%s faults (#%u), and %u bytes of memory changed", isa_rows[i->isa].name,
         box.cpu.fault.vector, changed_bytes());
}

static void check_failed(const struct insn *i)
{
    const struct fault *f = &box.cpu.fault;

    if (f->vector == VEC_DB && (before.eflags & FLAG_TF) && !box.stopped)
        return;                                         /* a trap: the instruction is done */
    check_nothing_changed(i);
    if (box.stopped) {
        must(box.status == EXIT_CRASH && box.why[0], "%s stops the machine without a word", isa_rows[i->isa].name);
        return;
    }
    must(f->vector != VEC_DB && f->vector != VEC_DF && f->vector <= VEC_AC, "%s raises #%u", isa_rows[i->isa].name, f->vector);
    must(f->has_error == (is_in(f->vector, VEC_TS, VEC_PF) || f->vector == VEC_AC), "#%u %s an error code",
         f->vector, f->has_error ? "has" : "lacks");
    must(f->vector != VEC_PF || (before.cr0 & CR0_PG), "a page fault, and paging is off");
}

/* What only the kernel may do, or whoever IOPL lets (the I/O bitmap's ports aside). */
static void check_was_allowed(const struct insn *i)
{
    unsigned cpl = vcpu_cpl(&before), now = vcpu_cpl(&box.cpu);
    const char *name = isa_rows[i->isa].name;
    uint32_t flags = before.eflags ^ box.cpu.eflags;

    must(isa_rows[i->isa].class != CLASS_PRIVILEGED || cpl == 0, "%s is done at CPL %u", name, cpl);
    must((i->isa != ISA_CLI && i->isa != ISA_STI) || cpl <= vcpu_iopl(&before), "%s is done at CPL %u", name, cpl);
    must(now >= cpl || enters(i->isa), "%s leads from CPL %u to %u", name, cpl, now);
    must(now <= cpl || is_in(i->isa, ISA_RET_FAR, ISA_IRETD), "%s leads from CPL %u to %u", name, cpl, now);
    must(!(flags & FLAG_IOPL) || cpl == 0, "%s at CPL %u changes IOPL", name, cpl);
    must(!(flags & FLAG_IF) || cpl <= vcpu_iopl(&before) || enters(i->isa), "%s at CPL %u, IOPL %u changes IF", name, cpl,
         vcpu_iopl(&before));
    must(!box.cpu.halted || i->isa == ISA_HLT, "%s halts", name);
}

static void check_done(const struct insn *i)
{
    const char *name = isa_rows[i->isa].name;

    must(!box.stopped, "%s is done, and the machine has stopped", name);
    box_check_state(name);
    check_was_allowed(i);
    must(changed_bytes() <= may_change(i), "%s changes %u bytes of memory", name, changed_bytes());
    if (goes(i->isa) && !(i->isa == ISA_INTO && box.cpu.eip == before.eip + i->length))
        must(box.cpu.eip <= box.cpu.seg[CS].limit, "%s goes to %#x, beyond its segment", name, box.cpu.eip);
    else
        must(box.cpu.eip == before.eip + i->length || (i->rep && is_string(i) && box.cpu.eip == before.eip), "%s goes from %#x to %#x",
             name, before.eip, box.cpu.eip);
}

/* What is remembered of earlier instructions (fetch.c) must be what stands there now. */
static void check_fetched(const struct insn *i)
{
    const struct segment *cs = &box.cpu.seg[CS];
    uint8_t bytes[INSN_MAX];
    struct insn now;

    must(box.cpu.eip <= cs->limit && cs->limit - box.cpu.eip >= i->length - 1u, "an instruction beyond its segment");
    must(memory_load(&box, cs->base + box.cpu.eip, bytes, i->length, vcpu_cpl(&box.cpu) == 3 ? ACCESS_USER : 0), "it cannot be read");
    must(decode(bytes, i->length, cs->attr & ATTR_BIG, &now) == DECODED && now.isa == i->isa && now.length == i->length &&
         now.opsize == i->opsize && now.addrsize == i->addrsize && !memcmp(now.bytes, i->bytes, i->length),
         "%s is decoded where %s stands", isa_rows[i->isa].name, isa_rows[now.isa].name);
}

static bool fetch(struct insn *insn)
{
    const struct fault *f = &box.cpu.fault;

    memcpy(&before, &box.cpu, sizeof before);           /* not by assignment: padding counts below */
    if (decode_at_eip(&box, insn)) {
        check_fetched(insn);
        return true;
    }
    memcpy(&before.fault, f, sizeof before.fault);
    must(!memcmp(&before, &box.cpu, sizeof before), "fetching changes the processor's state");
    must(f->vector == VEC_UD || f->vector == VEC_GP || (f->vector == VEC_PF && (box.cpu.cr0 & CR0_PG) && !(f->error & PF_WRITE)),
         "fetching raises #%u(%#x)", f->vector, f->error);
    return false;
}

static bool step(void)
{
    struct insn insn;
    bool done;

    if (!fetch(&insn) || insn.isa == ISA_OTHER)
        return false;
    memcpy(&before, &box.cpu, sizeof before);
    memcpy(ram_before, box_ram, sizeof ram_before);
    done = emulate(&box, &insn);
    box_check_told();
    if (done || (box.cpu.fault.vector == VEC_DB && (before.eflags & FLAG_TF)))
        check_done(&insn);
    if (!done)
        check_failed(&insn);
    return done && !box.cpu.halted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = { data, bytes };

    box_setup(&in);
    box_code(&in);
    for (int i = 0; i < STEPS && step(); i++)
        ;
    return 0;
}
