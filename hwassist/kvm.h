/* A virtual PC by /dev/kvm: Linux runs VMRUN or VMLAUNCH for us, keeps the guest's state, and comes back from KVM_RUN when
 * it wants a device, or the time is up. Linux, Documentation/virt/kvm/api.rst. Read next: main.c, then bare/ for what
 * KVM hides. */
#ifndef KVM_H
#define KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct machine;
struct wall_ioctl;

/* What brought the guest to a halt, for the counters. */
enum kvm_count {
    COUNT_IO, COUNT_MMIO, COUNT_HLT, COUNT_WINDOW, COUNT_TIMER, COUNT_DEBUG, COUNT_SHUTDOWN, COUNT_OTHER,
};
extern const char *const kvm_exit_names[];

struct kvm {
    struct machine *m;
    int device, vm, vcpu;
    struct kvm_run *run;        /* shared with Linux: why the guest stopped, and what it wants */
    size_t run_bytes;
    bool irqchip;               /* 8259s and 8254 are Linux's, not machine/'s */
    bool com1_line;             /* level of IRQ 4, as told to them */
    bool same_tsc;              /* the guest reads the host's time-stamp counter */
    bool unfinished;            /* KVM_RUN has yet to take what an IN or a load gets, and to leave that instruction */
    timer_t timer;
    uint64_t armed;             /* ns at which it fires; UINT64_MAX: never */
};

/* Open /dev/kvm and make a virtual machine with `bytes` of RAM, which becomes m->mem, and one processor. NULL, or a sentence
 * that tells what this host lacks, valid until the next call. */
const char *kvm_init(struct kvm *k, struct machine *m, uint32_t bytes, bool irqchip);

/* Give it all back to Linux. */
void kvm_free(struct kvm *k);

/* m->cpu to the processor that Linux keeps, and back. */
void kvm_store(struct kvm *k);
void kvm_load(struct kvm *k);

/* Run the guest until something happens: KVM_EXIT_*. KVM_EXIT_INTR: the deadline (ns of CLOCK_MONOTONIC) has come. Of
 * m->cpu only EIP is up to date then. */
uint32_t kvm_enter(struct kvm *k, uint64_t deadline);

/* What is asked of the two descriptors once the guest runs, for the wall (wall.h). Valid until the next call. */
const struct wall_ioctl *kvm_ioctls(const struct kvm *k);

/* The interrupt that the 8259 of machine/ asks for, if there is one: to the guest as soon as it can take it. */
void kvm_offer_interrupt(struct kvm *k);

/* For a debugger: the eight registers, EIP and EFLAGS of m->cpu to the processor, and what it wants of it, control = 0 for nothing
 * any more. Linux, Documentation/virt/kvm/api.rst 4.87. */
void kvm_debug(struct kvm *k, const struct kvm_guest_debug *wanted);

/* The same, and the guest gets the #BP of an INT3 of its own. */
void kvm_reflect_int3(struct kvm *k, struct kvm_guest_debug wanted);

/* Carry out what the guest asked of a device (KVM_EXIT_IO), or of memory that is not there (KVM_EXIT_MMIO). */
void kvm_io(struct kvm *k);
void kvm_mmio(struct kvm *k);

/* With irqchip: let Linux's 8259 see the serial port's line, which a device or the host may have moved. */
void kvm_com1_line(struct kvm *k);

/* Run ten instructions in a virtual machine of their own: 32-bit paging and IRET. *behind tells what is behind /dev/kvm: "AMD-V".
 * NULL, or the sentence that tells why this host's will not do. */
const char *kvm_probe(const char **behind);

#endif
