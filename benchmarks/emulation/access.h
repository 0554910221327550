/* What operations are made of: registers, memory by the TLB, the way to the next one. */
#ifndef ACCESS_H
#define ACCESS_H

#include <string.h>

#include "emulator.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "AH is found at byte 1 of EAX");

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The operation is done. A call that the compiler turns into a jump; where it does not (-O0), the blocks that a budget allows
 * still fit the stack. */
#define NEXT do { op[1].act(e, op + 1); return; } while (0)

#define REGISTER(bits)                                                                                     \
    static inline uint32_t get##bits(const struct emulator *e, unsigned where)                             \
    {                                                                                                      \
        uint##bits##_t value;                                                                              \
        memcpy(&value, (const char *)e + where, sizeof value);                                             \
        return value;                                                                                      \
    }                                                                                                      \
    static inline void set##bits(struct emulator *e, unsigned where, uint32_t value)                       \
    {                                                                                                      \
        uint##bits##_t part = (uint##bits##_t)value;                                                       \
        memcpy((char *)e + where, &part, sizeof part);                                                     \
    }                                                                                                      \
    static inline uint32_t fetch##bits(const void *from)                                                   \
    {                                                                                                      \
        uint##bits##_t value;                                                                              \
        memcpy(&value, from, sizeof value);                                                                \
        return value;                                                                                      \
    }                                                                                                      \
    static inline void store##bits(void *to, uint32_t value)                                               \
    {                                                                                                      \
        uint##bits##_t part = (uint##bits##_t)value;                                                       \
        memcpy(to, &part, sizeof part);                                                                    \
    }
REGISTER(8) REGISTER(16) REGISTER(32)

#define PLACE(reg) ((uint16_t)(offsetof(struct emulator, vm.machine.cpu.gpr) + 4 * (reg)))

static inline uint32_t address_of(const struct emulator *e, const struct op *op)
{
    return op->displacement + get32(e, op->base) + (get32(e, op->index) << op->scale);
}

/* An access that ends in another page than it begins finds that page's address in nobody's place. */
static inline struct tlb_entry *tlb_of(struct emulator *e, uint32_t gla) { return &e->tlb[gla / PAGE_BYTES % TLB_ENTRIES]; }

static inline const void *reach(struct emulator *e, const struct op *op, uint32_t gla, unsigned bytes)
{
    const struct tlb_entry *t = tlb_of(e, gla);

    if (LIKELY(t->read == ((gla + bytes - 1) & PAGE_MASK)))
        return (const void *)(t->host + gla);
    return slow_read(e, op, gla, bytes);
}

static inline void *reach_rmw(struct emulator *e, const struct op *op, uint32_t gla, unsigned bytes)
{
    const struct tlb_entry *t = tlb_of(e, gla);

    if (LIKELY(t->write == ((gla + bytes - 1) & PAGE_MASK)))
        return (void *)(t->host + gla);
    return slow_rmw(e, op, gla, bytes);
}

static inline void commit(struct emulator *e, const struct op *op, uint32_t gla, unsigned bytes, const void *place)
{
    if (UNLIKELY(place == e->buffer))
        slow_commit(e, op, gla, bytes);
}

static inline bool put(struct emulator *e, const struct op *op, uint32_t gla, unsigned bytes, uint32_t value)
{
    const struct tlb_entry *t = tlb_of(e, gla);

    if (UNLIKELY(t->write != ((gla + bytes - 1) & PAGE_MASK)))
        return slow_write(e, op, gla, bytes, value);
    memcpy((void *)(t->host + gla), &value, bytes);
    return true;
}

static inline bool push32(struct emulator *e, const struct op *op, uint32_t value)
{
    uint32_t esp = get32(e, PLACE(ESP)) - 4;
    const struct tlb_entry *t = tlb_of(e, esp);

    if (UNLIKELY(t->write != ((esp + 3) & PAGE_MASK)))
        return slow_push(e, op, value);
    memcpy((void *)(t->host + esp), &value, 4);
    set32(e, PLACE(ESP), esp);
    return true;
}

static inline bool pop32(struct emulator *e, const struct op *op, uint32_t *value)
{
    uint32_t esp = get32(e, PLACE(ESP));
    const struct tlb_entry *t = tlb_of(e, esp);

    if (UNLIKELY(t->read != ((esp + 3) & PAGE_MASK)))
        return slow_pop(e, op, value);
    memcpy(value, (const void *)(t->host + esp), 4);
    set32(e, PLACE(ESP), esp + 4);
    return true;
}

static inline void fault(struct emulator *e, const struct op *op)
{
    cpu_of(e)->eip += op->at;
    e->left = LEFT_FAULT;
}

/* To the block at EIP = `eip`, if a link or a lookup knows it: else to the run loop, which finds it. */
static inline void enter(struct emulator *e, struct emu_block *block)
{
    e->block = block;
    block->op->act(e, block->op);
}

static inline void go(struct emulator *e, unsigned way, uint32_t eip)
{
    struct link *link = &e->block->link[way];

    cpu_of(e)->eip = eip;
    if (LIKELY(link->generation == e->generation && --e->budget > 0)) {
        enter(e, link->to);
        return;
    }
    e->from = link;
    e->left = LEFT_NEXT;
}

static inline struct lookup *lookup_of(struct emulator *e, uint32_t eip)
{
    return &e->lookup[(eip ^ eip >> 10) % LOOKUPS];
}

static inline void go_indirect(struct emulator *e, uint32_t eip)
{
    const struct lookup *l = lookup_of(e, eip);

    cpu_of(e)->eip = eip;
    if (LIKELY(l->eip == eip && l->generation == e->generation && --e->budget > 0 && !e->stepping)) {
        enter(e, l->block);
        return;
    }
    e->from = NULL;
    e->left = LEFT_NEXT;
}

#endif
