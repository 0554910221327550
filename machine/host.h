/* What the kit leans on, of this host: found out by trying, not by version numbers. Used by `make doctor`,
 * by a VMM that must say why it cannot run, and by tests whose expectations depend on the processor. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>

enum host_fact {
    HOST_SEGMENTS,              /* modify_ldt() gives 32-bit code segments that run */
    HOST_DISPATCH,              /* system call user dispatch */
    HOST_FSGSBASE,
    HOST_CPUID_FAULTING,
    HOST_UMIP,
    HOST_MMAP_MIN,              /* vm.mmap_min_addr is 64 KiB or less */
    HOST_NOT_TCG,               /* not inside QEMU's software emulation, where Linux hangs on segment bases */
    HOST_KVM,                   /* /dev/kvm opens */
    HOST_FACTS
};

struct host_report {
    const char *name;
    bool found;
    bool needed;                /* no VMM runs guest code at ring 3 without it */
    char what[200];             /* one sentence: what was found, or the reason and the remedy */
};

void host_look(struct host_report reports[HOST_FACTS]);

/* The first needed thing that this host lacks, or NULL. Prints nothing; the sentence is in `what`. */
const struct host_report *host_missing(const struct host_report reports[HOST_FACTS]);

/* "intel", "amd" or "other". */
const char *host_cpu_maker(void);

#endif
