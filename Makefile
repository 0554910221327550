# Quadvisor: four virtual-machine monitors, one guest, one comparison.
#   make bench     the comparison (the main job)        make check    the tests
#   make help      everything else
# All output goes to build/. `make -j` is safe. CC=clang works for host and guest.

CC      ?= gcc
NASM    ?= nasm
LD      ?= ld
B       := build

CFLAGS  := -std=c17 -O2 -g -Wall -Wextra -fPIE -D_GNU_SOURCE -Imachine -MMD -MP $(EXTRA_CFLAGS)
NASMFLAGS := -f elf64 -g -F dwarf -w+all -w-reloc-rel-dword -w-reloc-abs-dword
LDLIBS  := -lZydis

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:

$(shell mkdir -p $(B) && echo '*' > $(B)/.gitignore)

# ---- help -------------------------------------------------------------------------------------
.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## remove build/
	rm -rf $(B)

# ---- packages (.ci/packages lists them; this section belongs to .ci/) ----------------------------

# ---- guests: the tiny kernel ---------------------------------------------------------------------

# ---- machine, VMMs -------------------------------------------------------------------------------
# The shared PC is one archive; each VMM links it, and what it needs of machine/direct.
MACHINE_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(filter-out machine/doctor.c,$(wildcard machine/*.c)))
DIRECT_OBJ  := $(patsubst %,$(B)/obj/%.o,$(basename $(wildcard machine/direct/*.c machine/direct/*.asm)))
TRAP_OBJ    := $(patsubst %.c,$(B)/obj/%.o,$(wildcard trap-emulate/*.c))

$(B)/obj/%.o: %.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(B)/obj/%.o: %.asm $(B)/include/offsets.inc | packages
	@mkdir -p $(@D)
	$(NASM) $(NASMFLAGS) -I$(B)/include/ -MD $(@:.o=.d) -o $@ $<

# `#define NAME number` for C becomes `%define NAME number` for nasm.
$(B)/include/%.inc: machine/direct/%.h
	@mkdir -p $(@D)
	awk '/^#define [A-Z0-9_]+ / {print "%define", $$2, $$3}' $< > $@

$(B)/trap-emulate: $(TRAP_OBJ) $(MACHINE_OBJ) $(DIRECT_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

.PHONY: run-trap-emulate
run-trap-emulate: $(B)/trap-emulate $(B)/guests/kernel.elf ## boot the tiny kernel under trap-and-emulate (APPEND="run=demo")
	$(B)/trap-emulate -kernel $(B)/guests/kernel.elf -append "$(APPEND)"

-include $(MACHINE_OBJ:.o=.d) $(DIRECT_OBJ:.o=.d) $(TRAP_OBJ:.o=.d)

# ---- benchmarks ----------------------------------------------------------------------------------

# ---- tests ---------------------------------------------------------------------------------------
