/* Control registers, debug registers and the few model-specific registers that a small guest may ask for.
 * Intel SDM vol. 3A 2.5 (CRn), vol. 3B 17.2 (DRn), vol. 4 (MSRs). All return false with the exception in
 * m->cpu.fault. Debug registers are kept but watch nothing. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

enum { MSR_TSC = 0x10 };

bool control_read(struct machine *m, unsigned reg, uint32_t *value);
bool control_write(struct machine *m, unsigned reg, uint32_t value);
bool debug_read(struct machine *m, unsigned reg, uint32_t *value);
bool debug_write(struct machine *m, unsigned reg, uint32_t value);
bool msr_read(struct machine *m, uint32_t index, uint64_t *value);
bool msr_write(struct machine *m, uint32_t index, uint64_t value);

#endif
