/* The page walk, against one written straight from Intel SDM vol. 3A 4.3: the same address, rights and accessed and dirty bits, or
 * the same page fault; and copies through it, which touch nothing if they fault. */
#include "memory.h"

#include <string.h>

#include "box.h"

enum { ACCESSES = 16 };

static uint8_t ram_before[RAM_BYTES];

struct walked { bool fault; uint32_t error, gpa, pde_at, pte_at; bool writable, user, large; };

/* As the manual tells it: what the tables as they stand say about one access, which changes nothing. */
static struct walked walk(uint32_t gla, unsigned access)
{
    bool write = access & ACCESS_WRITE, user = access & ACCESS_USER, pse = box.cpu.cr4 & CR4_PSE, wp = box.cpu.cr0 & CR0_WP;
    struct walked w = { .error = (write ? 2 : 0) + (user ? 4 : 0), .gpa = gla, .writable = true, .user = true, .fault = true };
    uint32_t pde, pte;

    if (!(box.cpu.cr0 & CR0_PG)) {
        w.fault = false;
        return w;
    }
    w.pde_at = (box.cpu.cr3 & 0xfffff000) + gla / 0x400000 * 4;
    pde = box_peek(w.pde_at);
    if (!(pde & 1))
        return w;
    w.large = pse && (pde & 0x80);
    w.pte_at = w.large ? w.pde_at : (pde & 0xfffff000) + gla / 0x1000 % 1024 * 4;
    pte = box_peek(w.pte_at);
    if (!(pte & 1))
        return w;
    if (w.large && (pde & 0x3fe000)) {
        w.error += 9;
        return w;
    }
    w.writable = (pde & 2) && (pte & 2);
    w.user = (pde & 4) && (pte & 4);
    if ((user && !w.user) || (write && !w.writable && (user || wp))) {
        w.error += 1;
        return w;
    }
    w.gpa = w.large ? (pde & 0xffc00000) + gla % 0x400000 : (pte & 0xfffff000) + gla % 0x1000;
    w.fault = false;
    return w;
}

/* RAM as the walk must leave it, in ram_before: the bits that it sets, one level after the other. */
static void mark(const struct walked *w, unsigned access)
{
    if (w->fault || !(box.cpu.cr0 & CR0_PG))
        return;
    if (w->pde_at < RAM_BYTES)
        ram_before[w->pde_at] |= PTE_A;
    if (w->pte_at < RAM_BYTES)
        ram_before[w->pte_at] |= PTE_A | (access & ACCESS_WRITE ? PTE_D : 0);
}

static void same_fault(const struct walked *w, uint32_t gla)
{
    const struct fault *f = &box.cpu.fault;

    must(f->vector == VEC_PF && f->has_error && f->error == w->error && f->cr2 == gla,
         "%#x: #%u(%#x) CR2 %#x, the tables say #PF(%#x)", gla, f->vector, f->error, f->cr2, w->error);
}

static void one_walk(uint32_t gla, unsigned access)
{
    struct walked w = walk(gla, access);
    struct translation t, peeked;
    bool there;

    there = memory_peek(&box, gla, access, &peeked);
    must(!memcmp(ram_before, box_ram, RAM_BYTES), "looking at %#x changes memory", gla);
    must(there == !w.fault, "%#x is %s, but not to who looks", gla, w.fault ? "not there" : "there");
    must(memory_walk(&box, gla, access, &t) == there, "%#x is there, or not", gla);
    mark(&w, access);
    must(!memcmp(ram_before, box_ram, RAM_BYTES), "the walk to %#x sets other bits", gla);
    if (w.fault) {
        same_fault(&w, gla);
        return;
    }
    must(t.gpa == w.gpa && peeked.gpa == w.gpa, "%#x is at %#x, the tables say %#x", gla, t.gpa, w.gpa);
    must(!(t.flags & PTE_W) || w.writable || !(box.cpu.cr0 & CR0_WP), "%#x may be written without asking again", gla);
    must(!(t.flags & PTE_U) || w.user, "%#x is the user's without asking again", gla);
    must(!(t.flags & PTE_PS) == !w.large, "%#x is part of a page of another size", gla);
}

/* The place of a byte for an access that has been granted; NULL beyond RAM. */
static uint8_t *byte_at(uint32_t gla, unsigned access)
{
    struct walked w = walk(gla, access);

    must(!w.fault, "a copy at %#x went where the tables allow none", gla);
    return w.gpa < RAM_BYTES ? box_ram + w.gpa : NULL;
}

/* Tables that lie where is stored change what the walk says afterwards: no more is asked then. */
static bool hits_tables(const struct walked *first, const struct walked *last)
{
    uint32_t tables[] = { first->pde_at, first->pte_at, last->pde_at, last->pte_at };

    for (unsigned i = 0; i < 4 && (box.cpu.cr0 & CR0_PG); i++)
        if (tables[i] / PAGE_BYTES == first->gpa / PAGE_BYTES || tables[i] / PAGE_BYTES == last->gpa / PAGE_BYTES)
            return true;
    return false;
}

/* Every byte if there are few. */
static void check_copied(uint32_t gla, unsigned access, const uint8_t *buffer, unsigned bytes, bool store)
{
    for (unsigned i = 0; i < bytes; i += bytes > 64 ? 61 : 1) {
        uint8_t *at = byte_at(gla + i, access);

        must(buffer[i] == (at ? *at : store ? 0x5a : 0xff), "byte %u of %u at %#x is %#x", i, bytes, gla, buffer[i]);
    }
}

static void one_copy(uint32_t gla, unsigned access, unsigned bytes, bool store)
{
    static uint8_t buffer[PAGE_BYTES];
    struct walked first, last;
    bool done;

    access = store ? access | ACCESS_WRITE : access;
    first = walk(gla, access);
    last = walk(gla + bytes - 1, access);
    memset(buffer, 0x5a, sizeof buffer);
    done = store ? memory_store(&box, gla, buffer, bytes, access) : memory_load(&box, gla, buffer, bytes, access);
    must(done == (!first.fault && !last.fault), "%u bytes at %#x: %s", bytes, gla, done ? "copied" : "refused");
    if (done) {
        if (!store || !hits_tables(&first, &last))
            check_copied(gla, access, buffer, bytes, store);
        return;
    }
    same_fault(first.fault ? &first : &last, first.fault ? gla : (gla + bytes - 1) & PAGE_MASK);
    mark(&first, access);
    must(!memcmp(ram_before, box_ram, RAM_BYTES) && buffer[0] == 0x5a, "%u bytes at %#x: refused, and some were copied", bytes, gla);
}

static void one_access(struct input *in)
{
    static const uint32_t near[] = { 0, PAGE_BYTES - 2, 0x3ff000, 0x400000, RAM_BYTES - 4, 0xfffffffe, PAGE_DIR, PAGE_TABLE };
    unsigned what = take(in, 1), access = what & (ACCESS_WRITE | ACCESS_USER);
    uint32_t gla = what & 8 ? take(in, 4) : TAKE_ONE_OF(in, near) + (take(in, 1) << (what & 16 ? 12 : 0));

    memcpy(ram_before, box_ram, RAM_BYTES);
    if (what & 1)
        one_copy(gla, access, 1 + take_below(in, what & 32 ? 4096 : 16), what & 64);
    else
        one_walk(gla, access);
    box_check_told();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = { data, bytes };

    box_setup(&in);
    for (int i = 0; i < ACCESSES && in.left; i++)
        one_access(&in);
    return 0;
}
