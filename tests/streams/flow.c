/* How instructions make a stream: loops, functions, jumps by every way there is, code that changes itself.
 * See stream.h. */
#include <string.h>

#include "generate.h"

#define g generator

static bool is_full(void) { return g.s->pieces > PIECES_MAX - 60; }

static void fix(struct piece *p, enum fix how, int to)
{
    p->fix = (uint8_t)how;
    p->to = to;
}

/* ---- control flow -------------------------------------------------------------------------------- */

static void add_block(int depth);

static void add_branch(const uint8_t *opcode, unsigned length, unsigned width, int to)
{
    uint8_t bytes[8] = { 0 };
    struct piece *p;

    memcpy(bytes, opcode, length);
    p = add(bytes, length + width);
    p->at = (uint8_t)length;
    p->width = (uint8_t)width;
    fix(p, FIX_RELATIVE, to);
}

static unsigned near_width(void) { return g.s->wide ? 4 : 2; }

/* Over a few instructions: Jcc, JECXZ, JMP; of both lengths. */
static void add_forward(int depth)
{
    int from = g.s->pieces;
    uint8_t cc = (uint8_t)below(16);
    enum holds before[8];

    memcpy(before, g.reg, sizeof before);
    switch (below(5)) {
    case 0: case 1: add_branch((uint8_t[]){ 0x70 | cc }, 1, 1, 0); break;
    case 2: add_branch((uint8_t[]){ 0x0f, 0x80 | cc }, 2, near_width(), 0); break;
    case 3: add_branch((uint8_t[]){ 0xe3 }, 1, 1, 0); break;
    default: add_branch((uint8_t[]){ 0xe9 }, 1, near_width(), 0); break;
    }
    for (unsigned n = 1 + below(3); n; n--)
        add_any();
    if (depth < 2 && chance(30) && g.s->piece[from].width != 1)
        add_block(depth + 1);
    g.s->piece[from].to = g.s->pieces;
    for (int k = 0; k < 8; k++)                         /* the branch may have been taken */
        if (g.reg[k] != before[k])
            g.reg[k] = ANYTHING;
}

static void add_loop(int depth)
{
    int top;
    unsigned kept = g.keep;

    if (kept >> ECX & 1)
        return;
    add_mov(ECX, 1 + below(chance(10) ? 24 : 5), ANYTHING);
    g.keep |= 1u << ECX;
    top = g.s->pieces;
    memset(g.reg, 0, sizeof g.reg);                     /* what the second turn finds */
    g.reg[ESP] = POINTER;
    g.keep |= 1u << ESP;
    for (unsigned n = 1 + below(3); n; n--)
        add_any();
    if (depth < 2 && chance(50))
        add_block(depth + 1);
    g.keep = kept;
    if (chance(50)) {
        add_branch((uint8_t[]){ 0x49 }, 1, 0, 0);       /* dec ecx */
        g.s->piece[g.s->pieces - 1].fix = FIX_NONE;
        add_branch((uint8_t[]){ 0x0f, 0x85 }, 2, near_width(), top);
    } else {                                            /* LOOP has a short way only */
        add_branch((uint8_t[]){ chance(60) ? 0xe2 : (uint8_t)(0xe0 + below(2)) }, 1, 1, g.s->pieces + 2);
        add_branch((uint8_t[]){ 0xe9 }, 1, near_width(), g.s->pieces + 2);
        add_branch((uint8_t[]){ 0xe9 }, 1, near_width(), top);
    }
    g.reg[ECX] = ANYTHING;
}

/* To piece `to` by FF: /2 calls, /4 jumps; through a register, or memory by one of two segments. */
static void add_indirect(unsigned reg_field, int to)
{
    unsigned reg = g.keep >> ESI & 1 ? EDI : ESI;
    uint32_t place = pointer(!g.s->wide);

    if (chance(40)) {
        fix(add_imm(MOV_IMM + reg, 0), FIX_OFFSET, to);
        add((uint8_t[]){ 0xff, (uint8_t)(0xc0 | reg_field << 3 | reg) }, 2);
    } else {
        bool through_fs = chance(30);
        uint8_t store[] = { 0x64, 0xc7, 0x05, 0, 0, 0, 0, 0, 0, 0, 0 };
        uint8_t jump[] = { 0x64, 0xff, (uint8_t)(reg_field << 3 | 5), 0, 0, 0, 0 };
        struct piece *p;

        place = through_fs ? pointer(true) : place;
        memcpy(store + 3, &place, 4);
        memcpy(jump + 3, &place, 4);
        p = add(store + !through_fs, sizeof store - !through_fs);
        p->at = (uint8_t)(sizeof store - !through_fs - 4);
        p->width = 4;
        fix(p, FIX_OFFSET, to);
        add(jump + !through_fs, sizeof jump - !through_fs);
    }
}

/*     call function; jmp after; function: ...; ret; after:   */
static void add_call(int depth)
{
    unsigned kept = g.keep;
    bool indirect = g.s->wide && chance(50), pops = chance(20);
    int mark, jump;

    if (!set(ESP, stack_pointer(), POINTER) && g.reg[ESP] != POINTER)
        return;
    mark = g.s->pieces;
    if (indirect)
        add_indirect(2, 0);
    else
        add_branch((uint8_t[]){ 0xe8 }, 1, near_width(), 0);
    jump = g.s->pieces;
    add_branch((uint8_t[]){ 0xe9 }, 1, near_width(), 0);
    for (int k = mark; k < jump; k++)
        if (g.s->piece[k].fix)
            g.s->piece[k].to = g.s->pieces;
    g.keep |= 1u << ESP;
    memset(g.reg, 0, sizeof g.reg);
    g.reg[ESP] = POINTER;
    for (unsigned n = below(4); n; n--)
        add_any();
    if (depth < 2 && chance(30))
        add_block(depth + 1);
    g.keep = kept;
    if (pops && !(kept >> ESP & 1))
        add((uint8_t[]){ 0xc2, (uint8_t)(below(4) * 4), 0 }, 3);
    else
        add((uint8_t[]){ 0xc3 }, 1);
    g.s->piece[jump].to = g.s->pieces;
}

/* A jump to what follows, by one of the roundabout ways. */
static void add_roundabout(void)
{
    uint32_t code = g.s->user ? SEL_CODE3 | 3 : SEL_CODE0;
    int mark = g.s->pieces;
    struct piece *p;

    if (!g.s->wide || g.keep >> ESP & 1 || !set(ESP, stack_pointer(), POINTER))
        return;
    switch (below(6)) {
    case 0: add_indirect(4, 0); break;
    case 1: add_imm(PUSH_IMM, 0)->fix = FIX_OFFSET, add((uint8_t[]){ 0xc3 }, 1); break;
    case 2:                                             /* far JMP or CALL */
        p = add((uint8_t[]){ chance(50) ? 0xea : 0x9a, 0, 0, 0, 0, (uint8_t)code, 0 }, 7);
        p->at = 1, p->width = 4, p->fix = FIX_OFFSET;
        break;
    case 3:
        add_imm(PUSH_IMM, code), add_imm(PUSH_IMM, 0)->fix = FIX_OFFSET, add((uint8_t[]){ 0xcb }, 1);
        break;
    case 4:
        add_imm(PUSH_IMM, flags_image() & ~(uint32_t)FLAG_NT), add_imm(PUSH_IMM, code);
        add_imm(PUSH_IMM, 0)->fix = FIX_OFFSET, add((uint8_t[]){ 0xcf }, 1);
        break;
    default: add((uint8_t[]){ 0xcd, (uint8_t)(VECTOR_IRET + below(3)) }, 2); break;
    }
    for (; mark < g.s->pieces; mark++)
        if (g.s->piece[mark].fix == FIX_OFFSET)
            g.s->piece[mark].to = g.s->pieces;
}

/* Code that changes code: the immediate of an instruction behind it, once, or in a loop until the page is checked. */
static void add_self_modifying(void)
{
    uint8_t store[] = { 0x89, (uint8_t)(ECX << 3 | 5), 0, 0, 0, 0 };
    int top = g.s->pieces + 1, between = (int)below(3);
    struct piece *p;

    if (!g.s->wide || g.keep >> ECX & 1)
        return;
    add_mov(ECX, 1 + below(chance(30) ? 24 : 3), ANYTHING);
    p = add(store, sizeof store);
    p->at = 2, p->width = 4, p->plus = 1;
    fix(p, FIX_LINEAR, top + 1 + between);
    for (int k = 0; k < between; k++)
        add((uint8_t[]){ (uint8_t)(0x90 + below(2) * 0x08) }, 1);
    add_imm(chance(50) ? 0x05 : MOV_IMM + EDX, 0);      /* add eax, imm; mov edx, imm */
    add((uint8_t[]){ 0x49 }, 1);
    add_branch((uint8_t[]){ 0x0f, 0x85 }, 2, near_width(), top);
    g.reg[EAX] = g.reg[EDX] = ANYTHING;
}

/* CR3 reloaded, a page dropped, tables reloaded from a copy: what kernels do. */
static void add_system(void)
{
    uint32_t place = pointer(false) & ~3u;
    uint8_t table[] = { 0x0f, 0x01, (uint8_t)(below(2) << 3 | 5), 0, 0, 0, 0 };

    if (g.s->user || !g.s->wide || g.keep >> EAX & 1)
        return;
    switch (below(3)) {
    case 0: add((uint8_t[]){ 0x0f, 0x20, 0xd8 }, 3), add((uint8_t[]){ 0x0f, 0x22, 0xd8 }, 3); break;
    case 1: add((uint8_t[]){ 0x0f, 0x01, 0x3d, 0, (uint8_t)(DATA >> 8), (uint8_t)(DATA >> 16), 0 }, 7); break;
    default:
        memcpy(table + 3, &place, 4);
        add(table, sizeof table);                       /* SGDT or SIDT, then LGDT or LIDT */
        table[2] |= 2 << 3;
        add(table, sizeof table);
        break;
    }
    g.reg[EAX] = ANYTHING;
}

static void add_block(int depth)
{
    uint32_t kind = below(100);

    if (is_full())
        return;
    if (kind < 62)
        add_any();
    else if (kind < 74)
        add_forward(depth);
    else if (kind < 82)
        add_loop(depth);
    else if (kind < 90)
        add_call(depth);
    else if (kind < 95)
        add_roundabout();
    else if (kind < 97)
        add_self_modifying();
    else
        add_system();
}

uint64_t stream_begin(const struct stream *s)
{
    struct rng mixed = { s->seed };

    return (s->portable ? rng_next(&mixed) : s->seed * 0x9e3779b97f4a7c15) + s->number * 2;
}

void stream_generate(struct stream *s, uint64_t seed, unsigned number, bool portable)
{
    struct rng r;

    *s = (struct stream){ .seed = seed, .number = number, .portable = portable,
                          .defined = portable || number % 2 };
    r.state = stream_begin(s);
    g.s = s;
    g.r = &r;
    g.keep = 0;
    s->user = chance(35);
    s->paging = chance(75) || portable;
    s->wide = chance(88) || portable;
    s->begin = chance(35) ? PAGE_BYTES - below(160) : below(0x800);
    for (int k = 0; k < 8; k++)
        g.reg[k] = k >= EBX ? s->wide ? POINTER : SMALL : ANYTHING;
    g.reg[ESP] = POINTER;
    for (unsigned n = 4 + below(28); n; n--)
        add_block(0);
    if (portable)
        add((uint8_t[]){ 0xcd, VECTOR_END }, 2);
    else
        add((uint8_t[]){ HLT }, 1);
    for (int k = 0; k < s->pieces; k++)                 /* a target behind the end is the end */
        if (s->piece[k].to >= s->pieces)
            s->piece[k].to = s->pieces - 1;
}
