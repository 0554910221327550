/* VMM 3: what its files share. interface.h is what the guest sees of it. */
#ifndef PARAVIRT_H
#define PARAVIRT_H

#include <stdbool.h>
#include <stdint.h>

#include "direct/direct.h"
#include "interface.h"
#include "mmu.h"
#include "vm.h"

/* Ways from the guest to the VMM beside those of direct.h; what the gate served itself counts as well. */
enum paravirt_count { COUNT_HYPERCALL = COUNT_END, COUNT_USER_CALL };

struct paravirt {
    struct vm *vm;
    struct machine *m;
    struct mmu mmu;
    struct pv_shared *shared;           /* the page of RAM at PV_SHARED */
    struct pv_trap trap[256];           /* eip 0: none */
    bool by_trap;                       /* --gate=trap */
    int user_call;                      /* the vector whose row has PV_TRAP_USER_CALL; -1: none */
    struct direct *direct;
    uint32_t kernel_ss, kernel_esp;     /* where ring 3's traps and system calls go on */
    uint64_t timer;                     /* ns of the guest's clock, UINT64_MAX: none */
    uint64_t clock_start;               /* console_now() when the guest's clock was 0 */
    uint64_t tsc_start;
};

#endif
