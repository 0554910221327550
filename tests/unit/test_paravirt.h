/* A paravirtual machine without a gate for the unit tests: the hypercalls in C, on 4 MiB of RAM with the first address space,
 * and a shadow whose mappings go nowhere (test_shadow.h). */
#ifndef TEST_PARAVIRT_H
#define TEST_PARAVIRT_H

#include "fixture.h"
#include "../../paravirt/hypercall.h"
#include "../../paravirt/paravirt.h"

enum { PV_RAM = 4 << 20, PV_LOADED = 0x180000, PV_FREE = 0x190000 };     /* what is loaded ends there; free from there */
#define PV_BASE 0xc0000000u

extern struct paravirt pv;
extern uint8_t pv_ram[PV_RAM];

void paravirt_setup(void);              /* after fixture_setup() */
uint32_t pv_word(uint32_t pa);
void pv_set_word(uint32_t pa, uint32_t value);
uint32_t pv_alias(uint32_t pa);         /* physical address of the entry that maps `pa` at PV_BASE + pa */
int32_t pv_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c);

/* Everything that mmu.h promises, counted anew: types and uses of frames; no entry maps what is not the guest's or lets
 * a page table be written; the shadow has nothing that the tables in use do not allow. */
void pv_audit(const char *when);

#endif
