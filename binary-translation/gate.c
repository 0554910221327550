/* See gate.h. */
#include "gate.h"

#include "direct/world.h"
#include "emit.h"
#include "hole.h"

/* GATE_OFFSET: of the 64-bit half. Its pointer is aligned: the guest may have AC set. */
enum { GATE_OFFSET = 64 };

void gate_emit_stub(struct emitter *e, uint32_t number)
{
    emit_store_imm(e, ADDRESS(HOLE->slots.exit), number);
    emit1(e, 0xea), emit4(e, ADDRESS(HOLE->code) + GATE_OFFSET), emit1(e, LINUX_CODE64), emit1(e, 0);   /* jmp far */
}

void gate_write(uint8_t *page)
{
    struct emitter e = { page, gate_miss() };
    uint64_t monitor = (uint64_t)(uintptr_t)direct_gate;

    gate_emit_stub(&e, (uint32_t)EXIT_MISS);
    e = (struct emitter){ page + GATE_OFFSET, ADDRESS(HOLE->code) + GATE_OFFSET };
    emit1(&e, 0xff), emit1(&e, 0x25), emit4(&e, 2);             /* jmp [rip + 2] */
    emit1(&e, 0), emit1(&e, 0);
    emit4(&e, (uint32_t)monitor), emit4(&e, (uint32_t)(monitor >> 32));
}

uint32_t gate_miss(void) { return ADDRESS(HOLE->code); }

bool gate_contains(uint32_t host) { return host - ADDRESS(HOLE->code) < 4096; }

int gate_exit(uint32_t host, uint32_t said)
{
    return host - ADDRESS(HOLE->code) < GATE_OFFSET ? EXIT_MISS : (int)said;
}
