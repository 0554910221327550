/* See dump.h. */
#include "dump.h"

#include <inttypes.h>

#include "decode.h"
#include "machine.h"
#include "symbols.h"

enum { DUMP_BYTES = 16 };

static unsigned bytes_at_eip(const struct machine *m, uint8_t *bytes)
{
    uint32_t gla = m->cpu.seg[CS].base + m->cpu.eip;
    struct translation t;
    unsigned n;

    for (n = 0; n < DUMP_BYTES && memory_peek(m, gla + n, ACCESS_READ, &t) && t.gpa < m->mem.bytes; n++)
        bytes[n] = (uint8_t)memory_read(&m->mem, t.gpa, 1);
    return n;
}

static void print_symbol(FILE *f, const struct symbols *symbols, uint32_t address)
{
    uint32_t offset;
    const char *name = symbols ? symbols_find(symbols, address, &offset) : NULL;

    if (name)
        fprintf(f, "%s+0x%" PRIx32, name, offset);
    else
        fputs("(no symbol)", f);
}

static void print_segment(FILE *f, const char *name, const struct segment *s)
{
    fprintf(f, "  %s %04x base %08" PRIx32 " limit %08" PRIx32 " attr %03x\n", name, s->selector, s->base, s->limit,
            s->attr);
}

static void print_code(FILE *f, const struct machine *m)
{
    uint8_t bytes[DUMP_BYTES];
    unsigned n = bytes_at_eip(m, bytes);
    char text[96];

    if (n == 0) {
        fputs("  at eip: nothing is mapped there\n", f);
        return;
    }
    fputs("  at eip:", f);
    for (unsigned i = 0; i < n; i++)
        fprintf(f, " %02x", bytes[i]);
    decode_text(bytes, n, m->cpu.seg[CS].attr & ATTR_BIG, m->cpu.eip, text, sizeof text);
    fprintf(f, "   %s\n", text);
}

void dump_machine(FILE *f, const struct machine *m, const struct symbols *symbols)
{
    static const char *const gpr[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
    static const char *const seg[] = { "es", "cs", "ss", "ds", "fs", "gs" };
    const struct vcpu *cpu = &m->cpu;

    fprintf(f, "  eip %04x:%08" PRIx32 " ", cpu->seg[CS].selector, cpu->eip);
    print_symbol(f, symbols, cpu->seg[CS].base + cpu->eip);
    fprintf(f, "   cpl %u   eflags %08" PRIx32 " (IF %d, IOPL %u)\n", vcpu_cpl(cpu), cpu->eflags,
            (cpu->eflags & FLAG_IF) != 0, vcpu_iopl(cpu));
    print_code(f, m);
    for (int i = 0; i < 8; i++)
        fprintf(f, "  %s %08" PRIx32 "%s", gpr[i], cpu->gpr[i], i % 4 == 3 ? "\n" : "");
    for (int i = 0; i < SEGREGS; i++)
        print_segment(f, seg[i], &cpu->seg[i]);
    fprintf(f, "  cr0 %08" PRIx32 "  cr2 %08" PRIx32 "  cr3 %08" PRIx32 "  cr4 %08" PRIx32 "\n", cpu->cr0, cpu->cr2,
            cpu->cr3, cpu->cr4);
    fprintf(f, "  gdtr %08" PRIx32 "/%04x  idtr %08" PRIx32 "/%04x  tr %04x  ldtr %04x\n", cpu->gdtr.base,
            cpu->gdtr.limit, cpu->idtr.base, cpu->idtr.limit, cpu->tr.selector, cpu->ldtr.selector);
}

void dump_place(FILE *f, const struct machine *m, const struct symbols *symbols)
{
    uint8_t bytes[DUMP_BYTES];
    unsigned n = bytes_at_eip(m, bytes);
    char text[96] = "(nothing mapped)";

    if (n)
        decode_text(bytes, n, m->cpu.seg[CS].attr & ATTR_BIG, m->cpu.eip, text, sizeof text);
    fprintf(f, "%08" PRIx32 " ", m->cpu.eip);
    print_symbol(f, symbols, m->cpu.seg[CS].base + m->cpu.eip);
    fprintf(f, ": %s\n", text);
}
