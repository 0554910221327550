/* Hardware virtualization in six words: enter, inject, during, window, load, flush. Behind them stands AMD's SVM (svm.c) or
 * Intel's VMX (vmx.c); main.c knows neither. Both leave the guest's state in their own control block; m->cpu has of it after
 * enter() what every exit needs (general registers, EIP, EFLAGS, CS, CR0, CR3, CR4, the interrupt shadow), and all of it
 * after load(). What is written to these, or after load() to anything in m->cpu, holds from the next enter() on. */
#ifndef HV_H
#define HV_H

#include <stdbool.h>
#include <stdint.h>

#include "paging.h"

struct machine;
struct vm;

enum hv_exit {
    HV_IO, HV_CPUID, HV_HLT, HV_MSR, HV_CR, HV_INVLPG, HV_CACHE, HV_RDPMC, HV_FORBIDDEN, HV_PAGE_FAULT, HV_NESTED_FAULT,
    HV_EXCEPTION, HV_STEP /* main.c's own */, HV_WINDOW, HV_INTERRUPT, HV_TASK_SWITCH, HV_SHUTDOWN, HV_REFUSED, HV_EXITS,
};
extern const char *const hv_exit_names[];

/* An event as both manuals encode it (AMD APM vol. 2 15.20; Intel SDM vol. 3C 25.8.3). */
enum {
    HV_EVENT_VALID = 1u << 31, HV_EVENT_ERROR = 1 << 11, HV_EVENT_TYPE = 7 << 8,
    HV_EVENT_EXTERNAL = 0 << 8, HV_EVENT_NMI = 2 << 8, HV_EVENT_EXCEPTION = 3 << 8,
};
struct hv_event {
    uint32_t info, error;       /* info 0: none */
};

struct hv_info {                /* of the last exit */
    uint16_t port;              /* HV_IO */
    uint8_t bytes;
    bool in, string;
    uint32_t next;              /* EIP behind the instruction; of HV_EXCEPTION the one to be pushed. But for these and HV_IO it
                                 * may be 0, where the processor does not tell */
    uint8_t vector;             /* HV_EXCEPTION: #DB, #AC, or #MF instead of IRQ 13 */
    uint32_t gla, error;        /* HV_PAGE_FAULT: CR2 and error code */
    uint64_t gpa;               /* HV_NESTED_FAULT */
    uint64_t ticks[2];          /* the TSC at the entry, and at the exit */
    uint64_t code, detail;      /* HV_REFUSED: in the processor's own terms */
};

struct hv {
    const char *name;           /* "AMD-V" */
    struct nested_bits bits;    /* of its nested page tables */
    bool (*present)(void);
    /* NULL, or why this processor cannot. `nested_root` is the physical address of nested page tables; 0: the guest runs on
     * the shadow page tables of shadow.c. `no_unrestricted`: do without VT-x's unrestricted guest. */
    const char *(*init)(struct machine *m, uint64_t nested_root, bool no_unrestricted);
    enum hv_exit (*enter)(struct machine *m, struct hv_info *info);
    void (*inject)(struct hv_event event);              /* at the next entry */
    struct hv_event (*during)(void);                    /* what was being delivered at the last exit, and has not been */
    void (*window)(bool open);                          /* open, or no longer: come out as soon as the guest can take an interrupt */
    void (*load)(struct machine *m);
    void (*flush)(void);                                /* forget translations: nested or shadow tables have changed */
};
extern const struct hv svm, vmx;

/* main.c: run the guest until it ends, by one of these; m->cpu is all loaded then. */
void hv_run(struct vm *vm, const struct hv *processor);

#endif
