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
.PHONY: packages doctor
packages: $(B)/packages.ok ## install what is missing of .ci/packages

$(B)/packages.ok: .ci/packages .ci/install
	@sh .ci/install
	@touch $@

$(B)/doctor: $(B)/obj/machine/doctor.o $(B)/obj/machine/host.o
	$(CC) -pie -o $@ $^

doctor: $(B)/doctor ## what of this host the kit can use, and what to do about the rest
	@$(B)/doctor

-include $(B)/obj/machine/doctor.d

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
# FILTER=, ENGINES= take lists of names; RUNS=, SEED= numbers; QUICK=1 is for a first look.
BENCH_OBJ  := $(patsubst %,$(B)/obj/benchmarks/%.o,quadbench schedule tables run output stats results report)
BENCH_VMMS := $(foreach v,trap-emulate binary-translation paravirt hwassist,$(if $(wildcard $(v)/main.c),$(B)/$(v)))
TWIN_OBJ   := $(patsubst %.c,$(B)/%.o,$(wildcard guests/compute/*.c)) $(B)/guests/compute/string-moves.o \
              $(B)/guests/bench/nano-user.o $(B)/guests/native/twin.o $(B)/guests/native/start.o

$(B)/quadbench: $(BENCH_OBJ)
	$(CC) -pie -o $@ $^ -ljansson -lm

$(B)/calibrate: $(B)/obj/benchmarks/calibrate.o $(B)/obj/benchmarks/calibrate-loops.o
	$(CC) -pie -o $@ $^

$(B)/obj/benchmarks/calibrate-loops.o: benchmarks/calibrate-loops.asm | packages
	@mkdir -p $(@D)
	$(NASM) -f elf64 -g -F dwarf -w+all -o $@ $<

# The guest's own compute objects, linked once more: compiled once, at the same addresses.
$(B)/native-twin: $(TWIN_OBJ) benchmarks/native/twin.ld
	$(LD) -m elf_i386 -T benchmarks/native/twin.ld -o $@ $(TWIN_OBJ)

$(B)/guests/native/%.o: benchmarks/native/%.c | packages
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -Iguests/user -c $< -o $@

$(B)/guests/native/%.o: benchmarks/native/%.asm | packages
	@mkdir -p $(@D)
	$(NASM) -f elf32 -g -F dwarf -w+all -o $@ $<

.PHONY: bench compare
bench: $(B)/quadbench $(B)/calibrate $(B)/native-twin $(B)/guests/kernel.elf $(BENCH_VMMS) ## the comparison: build/bench/report.md (QUICK=1 FILTER= ENGINES= RUNS= SEED=)
	$(B)/quadbench $(if $(filter-out 0,$(QUICK)),--quick) $(if $(RUNS),--runs "$(RUNS)") $(if $(SEED),--seed "$(SEED)") \
	    --engines "$(ENGINES)" --filter "$(FILTER)"

compare: $(B)/quadbench ## two results side by side (OLD=old.json NEW=build/bench/results.json)
	$(B)/quadbench --compare "$(OLD)" "$(or $(NEW),$(B)/bench/results.json)"

-include $(BENCH_OBJ:.o=.d) $(B)/obj/benchmarks/calibrate.d

# ---- tests ---------------------------------------------------------------------------------------
# Every Suite *suite_*(void) of tests/unit runs in one program, plain and sanitized. machine/direct has a
# program of its own: what executes guest code directly cannot share its addresses with a sanitizer.
UNIT_SRC   := $(wildcard tests/unit/*.c)
BENCH_PART := $(patsubst %,$(B)/obj/benchmarks/%.o,stats output tables)
UNIT_OBJ   := $(UNIT_SRC:%.c=$(B)/obj/%.o) $(MACHINE_OBJ) $(BENCH_PART)
ASAN_OBJ   := $(patsubst $(B)/obj/%,$(B)/asan/%,$(UNIT_OBJ))
UNIT_LIBS  := -lcheck -lsubunit -lpthread -lrt -ljansson -lm $(LDLIBS)
BAD_GUESTS := $(patsubst tests/bad/%.asm,$(B)/tests/bad/%,$(wildcard tests/bad/*.asm))

$(B)/tests/suites.h: $(UNIT_SRC)
	@mkdir -p $(@D)
	awk '/^Suite \*suite_[a-z0-9_]*\(void\)/ { sub(/\(.*/, "", $$2); sub(/\*/, "", $$2); if (!seen[$$2]++) print "SUITE(" $$2 ")" }' $(UNIT_SRC) > $@

$(B)/obj/tests/unit/main.o $(B)/asan/tests/unit/main.o: CFLAGS += -I$(B)/tests
$(B)/obj/tests/unit/main.o $(B)/asan/tests/unit/main.o: $(B)/tests/suites.h

$(B)/asan/%.o: %.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=address,undefined -fno-omit-frame-pointer -c $< -o $@

$(B)/tests/unit: $(UNIT_OBJ)
	$(CC) -pie -o $@ $^ $(UNIT_LIBS)

$(B)/tests/unit-asan: $(ASAN_OBJ)
	$(CC) -pie -fsanitize=address,undefined -o $@ $^ $(UNIT_LIBS)

DIRECT_TEST := $(patsubst %,$(B)/obj/%.o,$(basename $(wildcard tests/direct/*.c tests/direct/*.asm)))

$(B)/include/pc.inc: machine/pc.h
	@mkdir -p $(@D)
	awk '/^#define [A-Z0-9_]+ / {print "%define", $$2, $$3}' $< > $@

$(B)/obj/tests/direct/snippets.o: $(B)/include/pc.inc

$(B)/tests/direct: $(DIRECT_TEST) $(MACHINE_OBJ) $(DIRECT_OBJ)
	$(CC) -pie -o $@ $^ $(UNIT_LIBS)

$(B)/tests/bad/%: tests/bad/%.asm tests/bad/guest.inc tests/bad/guest.ld | packages
	@mkdir -p $(@D)
	$(NASM) -f elf32 -w+all -Itests/bad/ -o $@.o $<
	$(LD) -m elf_i386 -T tests/bad/guest.ld -o $@ $@.o

.PHONY: check
check: $(B)/tests/unit $(B)/tests/unit-asan $(B)/tests/direct $(B)/trap-emulate $(B)/doctor $(B)/guests/kernel.elf $(BAD_GUESTS) ## the tests (TESTS="unit unit-asan direct whole" picks)
	@sh tests/check $(TESTS)

-include $(UNIT_OBJ:.o=.d) $(ASAN_OBJ:.o=.d) $(DIRECT_TEST:.o=.d)
