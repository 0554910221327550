# Quadvisor: four virtual-machine monitors, one guest, one comparison.
#   make bench     the comparison (the main job)        make check    the tests
#   make help      everything else
# All output goes to build/. CC=clang works for host and guest. Of what is built a line says so; V=1 shows the commands.

ifeq ($(origin CC),default)
CC      := gcc
endif
NASM    ?= nasm
LD      ?= ld
B       := build

CFLAGS  := -std=c17 -O2 -g -Wall -Wextra -fPIE -D_GNU_SOURCE -Imachine -MMD -MP $(EXTRA_CFLAGS)
NASMFLAGS := -f elf64 -g -F dwarf -w+all
LDLIBS  := -lZydis -lseccomp

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:

# With one goal, and no -j, as much at once as there are processors.
ifeq ($(MAKELEVEL)$(words $(MAKECMDGOALS))$(findstring -j,$(MAKEFLAGS)),01)
MAKEFLAGS += -j$(shell nproc)
endif

# What may be given, so that what is misspelt does not pass unseen.
VARIABLES := APPEND AUTHOR B CC CYCLES DIR ENGINES EXIT_NS EXTRA_CFLAGS FILTER FORMAT FUZZ GUEST_CC GUESTS HOSTS LAB LD LIMIT NASM NEW OLD \
             OPTIONS QUICK RESULTS RESUME RUNS SEED SLOW TEST TESTS TIME TITLE V VMM
UNKNOWN   := $(strip $(foreach v,$(.VARIABLES),$(if $(findstring command line,$(origin $(v))),$(filter-out $(VARIABLES),$(v)))))
ifneq ($(UNKNOWN),)
$(error there is no variable $(UNKNOWN); there are $(VARIABLES); what the guest is told goes into APPEND="...")
endif

# Make asks for the shell for each line of a recipe, and knows by then whose recipe it is.
ifeq ($(V)$(findstring s,$(firstword -$(MAKEFLAGS))),)
.SILENT:
SHELL = $(if $(TOLD_$@),,$(if $(filter $(B)/%,$@),$(info building $@)$(eval TOLD_$@ := yes)))/bin/sh
endif

# Nothing but a help can do without it.
UNWRITABLE := $(shell { mkdir -p $(B) && echo '*' > $(B)/.gitignore && [ -w $(B)/bench -o ! -e $(B)/bench ]; } 2>/dev/null || echo $(B)/)
ifneq ($(and $(UNWRITABLE),$(filter-out help clean,$(or $(MAKECMDGOALS),help))),)
$(error $(UNWRITABLE) cannot be written: everything that is built and measured goes there)
endif

# ---- help -------------------------------------------------------------------------------------
.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-23s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## remove build/
	rm -rf $(B)

# ---- packages (.ci/packages lists them; this section belongs to .ci/) ----------------------------
.PHONY: packages doctor
packages: $(B)/packages.ok ## install what is missing of .ci/packages

$(B)/packages.ok: .ci/packages .ci/install
	@sh .ci/install
	@touch $@

.PHONY: packages-bochs packages-fuzz packages-hosts packages-labs packages-web
packages-bochs packages-fuzz packages-hosts packages-labs packages-web:
	@sh .ci/install $(@:packages-%=%)

doctor: $(B)/doctor $(B)/hwassist ## what of this host the kit can use, and what to do about the rest
	@$(B)/doctor


# ---- guests: the tiny kernel ---------------------------------------------------------------------
# One image holds the kernel and the user programs. The programs are linked among themselves first, their sections
# get the prefix .user and their names become local, so that both halves may use the same source files (text.c).
GUEST_CC     ?= $(CC)
GUEST_CFLAGS := -m32 -march=i686 -std=c17 -O2 -g -Wall -Wextra -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
                -fcf-protection=none -mgeneral-regs-only -fno-asynchronous-unwind-tables -MMD -MP \
                -Imachine -Iguests/kernel -Iguests/user -Iguests/compute
guest_obj     = $(patsubst %.c,$(B)/%.o,$(filter %.c,$(1))) $(patsubst %.asm,$(B)/%-asm.o,$(filter %.asm,$(1)))

GUEST_USER_SRC   := $(wildcard guests/compute/*.c guests/compute/*.asm) guests/bench/nano-user.asm \
                    guests/bench/bench-user.c guests/bench/syscall-int.asm $(wildcard guests/user/*.c guests/user/*.asm)
GUEST_KERNEL_SRC := $(wildcard guests/kernel/*.c guests/kernel/*.asm guests/kernel/native/*.c guests/kernel/native/*.asm \
                    guests/probes/*.c guests/probes/*.asm) \
                    $(filter-out $(GUEST_USER_SRC),$(wildcard guests/bench/*.c guests/bench/*.asm))
GUEST_USER_OBJ   := $(call guest_obj,$(GUEST_USER_SRC)) $(B)/guests/kernel/text.o $(B)/guests/kernel/string-asm.o
GUEST_KERNEL_OBJ := $(call guest_obj,$(GUEST_KERNEL_SRC))

NATIVE_INC = -I$(B)/include/ -I$(<D)/ -Iguests/kernel/native/

$(B)/guests/%.o: guests/%.c | packages
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -c $< -o $@

define assemble_guest
@mkdir -p $(@D)
$(NASM) -f elf32 -g -F dwarf -w+all $(1) -o $@ $<
@$(NASM) -f elf32 $(1) -M -MT $@ $< > $(@:.o=.d)     # -MD leaves %include out
endef

$(B)/guests/%-asm.o: guests/%.asm $(B)/include/pc.inc | packages
	$(call assemble_guest,$(NATIVE_INC))

$(B)/guests-pv/%-asm.o: guests/%.asm $(B)/include/pc.inc $(B)/include/pv.inc | packages
	$(call assemble_guest,$(PV_INC))

# Numbers of C's for nasm: the lines `#define NAME number`.
$(B)/include/pc.inc: machine/pc.h
$(B)/include/kvm-probe.inc: hwassist/probe.c
$(B)/include/bare.inc: hwassist/bare/host.h hwassist/bare/vmcs.h
$(B)/include/pc.inc $(B)/include/kvm-probe.inc $(B)/include/bare.inc:
	@mkdir -p $(@D)
	awk '/^#define [A-Z0-9_]+ +[0-9]/ {print "%define", $$2, $$3}' $^ > $@

$(B)/include/pv.inc: paravirt/interface.h paravirt/hypercalls.def
	@mkdir -p $(@D)
	awk '/^#define [A-Z0-9_]+ ./ { sub(/#/, "%"); sub(/\/\*.*/, ""); print } \
	     /^HYPERCALL/ { split($$0, part, /[(,]/); print "%define HC_" part[2], n++ } END { print "%define HYPERCALLS", n }' $^ > $@

# The same again, bound to hypercalls: C objects are shared, assembly is assembled once more with the other ops.inc.
PV_INC     = -I$(B)/include/ -I$(<D)/ -Iguests/kernel/paravirt/ -Iguests/probes/
pv_asm     = $(patsubst guests/%.asm,$(B)/guests-pv/%-asm.o,$(filter %.asm,$(1)))
PV_SHARED := $(filter-out guests/kernel/native/%,$(GUEST_KERNEL_SRC))
PV_KERNEL_OBJ := $(call guest_obj,$(filter %.c,$(PV_SHARED) $(wildcard guests/kernel/paravirt/*.c))) \
                 $(call pv_asm,$(PV_SHARED) $(wildcard guests/kernel/paravirt/*.asm guests/probes/paravirt/*.asm))
PV_USER_OBJ   := $(filter-out $(B)/guests/user/start-asm.o,$(GUEST_USER_OBJ)) $(B)/guests-pv/user/start-asm.o

$(B)/guests/kernel/paravirt/%.o: GUEST_CFLAGS += -Iparavirt

$(B)/guests/user.o: $(GUEST_USER_OBJ)
$(B)/guests-pv/user.o: $(PV_USER_OBJ)
$(B)/guests/user.o $(B)/guests-pv/user.o:
	$(LD) -m elf_i386 -r -o $@ $^
	objcopy --prefix-alloc-sections=.user --keep-global-symbol=user_start --keep-global-symbol=user_call $@
	@! nm -u $@ | grep " U "                 # nothing of the kernel: a program could not reach it

# Linked twice: the symbol table that a panic prints from comes out of the first link. Its size does not move any
# of the functions in it: the constants stand behind all code.
SYMBOLS_C = awk 'BEGIN { print "\#include \"kernel.h\"\nconst struct symbol symbol_table[] = {" } \
	$$2 ~ /[tT]/ && $$1 >= "c0000000" { printf "{ 0x%s, \"%s\" },\n", $$1, $$3 } END { print "{ ~0u, 0 } };" }'

define link_kernel              # where symbols come from; what is linked
$(1) | $(SYMBOLS_C) > $@.c
$(GUEST_CC) $(GUEST_CFLAGS) -c $@.c -o $@.o
$(LD) -m elf_i386 -T guests/kernel/kernel.ld -o $(2) $(filter %.o,$^) $@.o
endef

$(B)/guests/kernel.elf: $(GUEST_KERNEL_OBJ) $(B)/guests/user.o
$(B)/guests/kernel-pv.elf: $(PV_KERNEL_OBJ) $(B)/guests-pv/user.o
$(B)/guests/kernel.elf $(B)/guests/kernel-pv.elf: guests/kernel/kernel.ld
	$(call link_kernel,:,$@.first)
	$(call link_kernel,nm -n $@.first,$@)

QEMU_RUN = qemu-system-i386 -accel tcg -cpu max -display none -serial stdio -no-reboot \
           -device isa-debug-exit,iobase=0xf4,iosize=1 -kernel

# 1 and 3 are the guest's verdicts; all else says that it did not get that far.
GUEST_ENDED = case $$? in 1 | 3) ;; *) exit $$? ;; esac

.PHONY: run-qemu
run-qemu: $(B)/guests/kernel.elf ## boot the tiny kernel on QEMU, the reference (APPEND="run=demo")
	@$(QEMU_RUN) $< -append "$(APPEND)"; $(GUEST_ENDED)

# The adversary.
$(B)/guests/escape.elf: guests/escape/escape.asm $(wildcard guests/escape/*.inc) guests/escape/escape.ld $(B)/include/pc.inc $(B)/include/pv.inc | packages
	@mkdir -p $(@D)
	$(NASM) -f elf32 -w+all -I$(B)/include/ -Iguests/escape/ -o $@.o $<
	$(LD) -m elf_i386 -T guests/escape/escape.ld -o $@ $@.o

-include $(GUEST_USER_OBJ:.o=.d) $(GUEST_KERNEL_OBJ:.o=.d) $(PV_KERNEL_OBJ:.o=.d) $(B)/guests-pv/user/start-asm.d

# ---- machine, VMMs -------------------------------------------------------------------------------
# The shared PC is one archive; each VMM links it, and what it needs of machine/direct.
host_obj     = $(patsubst %.c,$(B)/obj/%.o,$(filter %.c,$(1))) $(patsubst %.asm,$(B)/obj/%-asm.o,$(filter %.asm,$(1)))
MACHINE_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(filter-out machine/doctor.c,$(wildcard machine/*.c)))
DIRECT_OBJ  := $(call host_obj,$(filter-out %/offsets.c,$(wildcard machine/direct/*.c machine/direct/*.asm)))
TRAP_OBJ    := $(patsubst %.c,$(B)/obj/%.o,$(wildcard trap-emulate/*.c))
BT_OBJ      := $(patsubst %.c,$(B)/obj/%.o,$(wildcard binary-translation/*.c))
PV_OBJ      := $(call host_obj,$(wildcard paravirt/*.c paravirt/*.asm))
HW_OBJ      := $(call host_obj,$(wildcard hwassist/*.c hwassist/*.asm))

$(B)/obj/%.o: %.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(B)/obj/%-asm.o: %.asm $(B)/include/offsets.inc | packages
	@mkdir -p $(@D)
	$(NASM) $(NASMFLAGS) -I$(B)/include/ -Imachine/direct/ -o $@ $<
	@$(NASM) -I$(B)/include/ -Imachine/direct/ -M -MT $@ $< > $(@:.o=.d)

# Where assembly finds things in C's structures.
$(B)/offsets: machine/direct/offsets.c machine/direct/world.h machine/vcpu.h machine/timeline.h | packages
	$(CC) $(filter-out -M%,$(CFLAGS)) -o $@ $<

$(B)/include/offsets.inc: $(B)/offsets
	@mkdir -p $(@D)
	$(B)/offsets > $@

$(B)/trap-emulate: $(TRAP_OBJ) $(MACHINE_OBJ) $(DIRECT_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

$(B)/binary-translation: $(BT_OBJ) $(MACHINE_OBJ) $(DIRECT_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

# What the gate calls with the guest's FPU and SSE registers in place.
$(B)/obj/paravirt/fast.o: CFLAGS += -mgeneral-regs-only -fno-stack-protector

$(B)/obj/paravirt/gate-asm.o: $(B)/include/pv.inc

$(B)/paravirt: $(PV_OBJ) $(MACHINE_OBJ) $(DIRECT_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

$(B)/obj/hwassist/probe-asm.o: $(B)/include/pc.inc $(B)/include/kvm-probe.inc

$(B)/hwassist: $(HW_OBJ) $(MACHINE_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

EMU_OBJ     := $(patsubst %.c,$(B)/obj/%.o,$(wildcard benchmarks/emulation/*.c))

$(B)/emulation: $(EMU_OBJ) $(MACHINE_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

# The bare monitor: machine/ without its Linux parts, compiled once more for a processor without an operating system.
BARE_MACHINE := bus control counters dump emulate event fetch machine memory multiboot operand pic pit segment symbols transfer uart vcpu vm
BARE_SRC     := $(wildcard hwassist/bare/*.c hwassist/bare/*.asm) $(BARE_MACHINE:%=machine/%.c)
BARE_OBJ     := $(patsubst %.c,$(B)/bare/%.o,$(filter %.c,$(BARE_SRC))) $(patsubst %.asm,$(B)/bare/%-asm.o,$(filter %.asm,$(BARE_SRC)))
BARE_CFLAGS  := -DBARE -std=c17 -O2 -g -Wall -Wextra -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
                -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -U_FORTIFY_SOURCE -D__NO_CTYPE \
                -D_GNU_SOURCE -Imachine -MMD -MP -flto

$(B)/bare/hwassist/bare/libc.o: BARE_CFLAGS += -fno-lto

$(B)/bare/%.o: %.c | packages
	@mkdir -p $(@D)
	$(CC) $(BARE_CFLAGS) -c $< -o $@

$(B)/bare/%-asm.o: %.asm $(B)/include/offsets.inc $(B)/include/pc.inc $(B)/include/bare.inc | packages
	@mkdir -p $(@D)
	$(NASM) $(NASMFLAGS) -I$(B)/include/ -o $@ $<

# Multiboot loaders want 32-bit files; what is in them is theirs to run.
$(B)/hwassist-bare.elf: $(BARE_OBJ) hwassist/bare/bare.ld
	$(CC) $(BARE_CFLAGS) -nostdlib -static -Wl,--build-id=none -T hwassist/bare/bare.ld -o $@.64 $(BARE_OBJ)
	objcopy -O elf32-i386 $@.64 $@

$(B)/doctor: $(B)/obj/machine/doctor.o $(MACHINE_OBJ) $(DIRECT_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

.PHONY: run-trap-emulate
run-trap-emulate: $(B)/trap-emulate $(B)/guests/kernel.elf ## boot the tiny kernel under trap-and-emulate (APPEND="run=demo")
	@$(B)/trap-emulate $(OPTIONS) -kernel $(B)/guests/kernel.elf -append "$(APPEND)"; $(GUEST_ENDED)

.PHONY: run-binary-translation
run-binary-translation: $(B)/binary-translation $(B)/guests/kernel.elf ## boot it under binary translation (APPEND="run=demo" OPTIONS="--translate=all")
	@$(B)/binary-translation $(OPTIONS) -kernel $(B)/guests/kernel.elf -append "$(APPEND)"; $(GUEST_ENDED)

.PHONY: run-paravirt
run-paravirt: $(B)/paravirt $(B)/guests/kernel-pv.elf ## boot its port under paravirtualization (APPEND="run=demo ptes=each" OPTIONS="--gate=trap")
	@$(B)/paravirt $(OPTIONS) -kernel $(B)/guests/kernel-pv.elf -append "$(APPEND)"; $(GUEST_ENDED)

# What this machine can: KVM, or the bare monitor in QEMU.
.PHONY: run-hwassist run-hwassist-svm run-hwassist-vmx
run-hwassist: $(B)/hwassist $(B)/hwassist-bare.elf $(B)/guests/kernel.elf ## boot it by the processor's virtualization (APPEND="run=demo" OPTIONS="--irqchip=kernel")
	@$(B)/hwassist $(OPTIONS) -kernel $(B)/guests/kernel.elf -append "$(APPEND)"; status=$$?; \
	if [ $$status -eq 6 ]; then \
	    echo "So here runs the bare monitor, on QEMU's AMD-V:" >&2; \
	    hwassist/run-bare qemu-svm $(filter-out --irqchip%,$(OPTIONS)) -kernel $(B)/guests/kernel.elf -append "$(APPEND)"; status=$$?; \
	fi; (exit $$status); $(GUEST_ENDED)

run-hwassist-svm: $(B)/hwassist-bare.elf $(B)/guests/kernel.elf ## the bare monitor, on QEMU's AMD-V (OPTIONS="--no-npt")
	@hwassist/run-bare qemu-svm $(OPTIONS) -kernel $(B)/guests/kernel.elf -append "$(APPEND)"; $(GUEST_ENDED)

run-hwassist-vmx: packages-bochs $(B)/hwassist-bare.elf $(B)/guests/kernel.elf ## the bare monitor, on Bochs's VT-x (OPTIONS="--no-npt")
	@hwassist/run-bare bochs-vmx $(OPTIONS) -kernel $(B)/guests/kernel.elf -append "$(APPEND)"; $(GUEST_ENDED)

.PHONY: run-emulation
run-emulation: $(B)/emulation $(B)/guests/kernel.elf ## boot it without running any of its code: an interpreter (APPEND="run=demo")
	@$(B)/emulation $(OPTIONS) -kernel $(B)/guests/kernel.elf -append "$(APPEND)"; $(GUEST_ENDED)

.PHONY: paravirt-port
paravirt-port: ## what porting the tiny kernel to hypercalls took, beside Xen's table
	@sh paravirt/port.sh

-include $(B)/obj/machine/doctor.d $(MACHINE_OBJ:.o=.d) $(DIRECT_OBJ:.o=.d) $(TRAP_OBJ:.o=.d) $(BT_OBJ:.o=.d) $(PV_OBJ:.o=.d) $(HW_OBJ:.o=.d) $(EMU_OBJ:.o=.d) $(BARE_OBJ:.o=.d)

# ---- benchmarks ----------------------------------------------------------------------------------
# FILTER=, ENGINES= take lists of names; RUNS=, LIMIT= (seconds), SEED= numbers; QUICK=1 is for a first look.
BENCH_OBJ  := $(patsubst %,$(B)/obj/benchmarks/%.o,quadbench schedule tables run output stats results targets profile emulated)
BENCH_VMMS := $(foreach v,trap-emulate binary-translation paravirt hwassist,$(if $(wildcard $(v)/main.c),$(B)/$(v)))
BENCH_VMMS += $(if $(wildcard hwassist/bare/main.c),$(B)/hwassist-bare.elf)
BENCH_VMMS += $(B)/emulation $(B)/stamp
TWIN_OBJ   := $(call guest_obj,$(wildcard guests/compute/*.c guests/compute/*.asm) guests/bench/nano-user.asm) \
              $(B)/guests/kernel/text.o $(B)/guests/kernel/string-asm.o $(B)/guests/native/twin.o $(B)/guests/native/start.o

$(B)/quadbench: $(BENCH_OBJ)
	$(CC) -pie -o $@ $^ -ljansson -lm

REPORT_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard benchmarks/report/*.c))

$(B)/quadreport: $(REPORT_OBJ)
	$(CC) -pie -o $@ $^ -ljansson -lm

$(B)/calibrate: $(B)/obj/benchmarks/calibrate.o $(B)/obj/benchmarks/calibrate-loops.o $(B)/obj/benchmarks/parts.o $(MACHINE_OBJ) $(DIRECT_OBJ)
	$(CC) -pie -o $@ $^ $(LDLIBS)

$(B)/obj/benchmarks/calibrate-loops.o: benchmarks/calibrate-loops.asm | packages
	@mkdir -p $(@D)
	$(NASM) -f elf64 -g -F dwarf -w+all -o $@ $<

# The guest's own compute objects, linked once more: compiled once, at the same addresses.
$(B)/native-twin: $(TWIN_OBJ) benchmarks/native/twin.ld
	$(LD) -m elf_i386 -T benchmarks/native/twin.ld -o $@ $(TWIN_OBJ)

$(B)/guests/native/%.o: benchmarks/native/%.c | packages
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -c $< -o $@

$(B)/guests/native/%.o: benchmarks/native/%.asm | packages
	@mkdir -p $(@D)
	$(NASM) -f elf32 -g -F dwarf -w+all -o $@ $<

.PHONY: bench compare
ifneq ($(HOSTS),)
bench: packages-hosts $(B)/quadreport
	@sh benchmarks/hosts.sh $(HOSTS)
else
bench: $(B)/quadbench $(B)/quadreport $(B)/calibrate $(B)/native-twin $(B)/guests/kernel.elf $(B)/guests/kernel-pv.elf $(BENCH_VMMS) ## the comparison: build/bench/report.html (QUICK=1 FILTER= ENGINES= RUNS= LIMIT= SEED= RESUME=1 HOSTS=)
	@$(B)/quadbench $(if $(filter-out 0 no,$(RESUME)),--resume) $(if $(filter-out 0 no,$(QUICK)),--quick) $(if $(RUNS),--runs "$(RUNS)") $(if $(SEED),--seed "$(SEED)") $(if $(LIMIT),--limit "$(LIMIT)") \
	    --engines "$(ENGINES)" --filter "$(FILTER)"
	@$(B)/quadreport
endif

.PHONY: report predict readme-figures
report: $(B)/quadreport ## the report once more, or on results of several machines (RESULTS="a.json b.json")
	@$(B)/quadreport $(RESULTS)

readme-figures: $(B)/quadreport $(B)/trap-emulate $(B)/binary-translation $(B)/paravirt $(B)/guests/kernel.elf $(B)/guests/kernel-pv.elf ## the figures in the READMEs, from the last run
	@sh benchmarks/readme-figures.sh $$(git ls-files '*.md')
	@cp $(B)/bench/cost.svg $(B)/bench/translator.svg benchmarks/figures/

predict: $(B)/quadreport ## what operations would cost if an exit cost so many ns (EXIT_NS=300)
	@$(B)/quadreport --predict "$(or $(EXIT_NS),300)" $(RESULTS)

TIMELINE_OBJ := $(patsubst %,$(B)/obj/benchmarks/%.o,timeline timeline-bands timeline-draw)

$(B)/timeline: $(TIMELINE_OBJ)
	$(CC) -pie -o $@ $^

$(B)/stamp: $(B)/obj/benchmarks/stamp.o
	$(CC) -pie -o $@ $<

.PHONY: timeline
timeline: $(B)/timeline $(BENCH_VMMS) $(B)/guests/kernel.elf $(B)/guests/kernel-pv.elf ## guest, VMM and host as bands over time in three events: build/bench/timeline.svg
	@sh benchmarks/timeline.sh

# What the talk shows as it ran. A VMM that cannot run here says so in its transcript, and the slide shows that.
TALK := $(addprefix $(B)/bench/talk/,race-qemu.txt race-trap-emulate.txt trace.txt port.txt)

$(TALK):
	@mkdir -p $(@D)
	@</dev/null timeout 60 $(RUN) >$@ 2>&1; true

$(B)/bench/talk/race-qemu.txt: RUN = $(QEMU_RUN) $(B)/guests/kernel.elf -append run=race
$(B)/bench/talk/race-trap-emulate.txt: RUN = $(B)/trap-emulate -kernel $(B)/guests/kernel.elf -append run=race
$(B)/bench/talk/trace.txt: RUN = $(B)/binary-translation -kernel $(B)/guests/kernel.elf -append run=race --trace=blocks 2>&1 | \
    awk '/flags_and_cli/ { n = 13 } n { print; n--; any = 1 } { last = $$0 } END { if (!any) print last }'
$(B)/bench/talk/port.txt: RUN = sh paravirt/port.sh
$(TALK): $(B)/guests/kernel.elf $(B)/trap-emulate $(B)/binary-translation $(wildcard paravirt/*.def guests/kernel/*/*)

.PHONY: slides
slides: $(B)/quadreport $(TALK) ## the talk on the last results: build/bench/slides.html (TITLE= AUTHOR= RESULTS=)
	@$(B)/quadreport --slides --title "$$TITLE" --author "$$AUTHOR" $(RESULTS)

$(B)/kvm-exit: $(B)/obj/benchmarks/kvm-exit.o
	$(CC) -pie -o $@ $<

.PHONY: variants
variants: $(B)/binary-translation $(B)/paravirt $(B)/native-twin $(B)/guests/kernel.elf $(B)/guests/kernel-pv.elf ## what was tried and not taken, measured again
	@sh benchmarks/variants.sh

.PHONY: kvm-exit
kvm-exit: $(B)/kvm-exit $(B)/hwassist $(B)/guests/kernel.elf ## what build/hwassist adds to a bare KVM_RUN loop, in a nested Linux
	@sh benchmarks/kvm-exit.sh

compare: $(B)/quadreport ## two results side by side (OLD=old.json NEW=build/bench/results.json)
	@$(if $(OLD),,echo "make compare: say which older result to compare with: OLD=FILE.json" >&2; exit 2;) \
	$(B)/quadreport --compare "$(OLD)" "$(or $(NEW),$(B)/bench/results.json)"

-include $(BENCH_OBJ:.o=.d) $(REPORT_OBJ:.o=.d) $(TIMELINE_OBJ:.o=.d) $(B)/obj/benchmarks/stamp.d $(B)/obj/benchmarks/calibrate.d
-include $(B)/obj/benchmarks/parts.d $(B)/guests/native/twin.d

# ---- labs ---------------------------------------------------------------------------------------
.PHONY: lab grade
lab: $(if $(wildcard .lab),,$(B)/doctor) ## a work tree for a lab (LAB=2 DIR=../lab2)
	@[ ! -e .lab ] || { echo "make lab: this is the work tree of lab $$(cat .lab); other labs are made where the kit is" >&2; exit 2; }
	@sh labs/make-lab "$(LAB)" "$(DIR)" $(B)/doctor

.PHONY: tour
tour: ## the code in the order in which it reads best, with file and line (VMM=paravirt)
	@sh labs/tour $(VMM)

# Small guests, each of one step.
$(B)/labs/%: labs/steps/%.asm labs/steps/steps.inc tests/bad/guest.ld | packages
	@mkdir -p $(@D)
	$(NASM) -f elf32 -w+all -Ilabs/steps/ -o $@.o $<
	$(LD) -m elf_i386 -T tests/bad/guest.ld -o $@ $@.o

$(B)/labs/%: labs/1-sensitive-or-privileged/%.c | packages
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 -g -Wall -Wextra -mno-red-zone -Imachine -o $@ $<

grade: ## in a lab's work tree: your score, and what is behind it (FORMAT=text SEED= TIME=1)
	@sh labs/grade --format=$(or $(FORMAT),text) --time=$(or $(TIME),1) $(if $(SEED),--seed=$(SEED)) "$(TEST)"

# ---- tests ---------------------------------------------------------------------------------------
# Every Suite *suite_*(void) of tests/unit runs in one program, plain and sanitized. machine/direct has a
# program of its own: what executes guest code directly cannot share its addresses with a sanitizer. Its shadow.c
# and segments.c are here as well, with the calls to Linux replaced (FAKED_OBJ).
UNIT_SRC   := $(wildcard tests/unit/*.c)
BENCH_PART := $(patsubst %,$(B)/obj/benchmarks/%.o,stats output tables report/doc report/machines report/results report/schema)
PV_PART    := $(patsubst %,$(B)/obj/paravirt/%.o,hypercall mmu fast events start)
BT_PART    := $(patsubst %,$(B)/obj/binary-translation/%.o,emit gate look patch sweep)
FAKED_OBJ  := $(B)/obj/faked/shadow.o $(B)/obj/faked/segments.o
FAKE       := -Dmmap=fake_mmap -Dmunmap=fake_munmap -Dmprotect=fake_mprotect -Dsyscall=fake_syscall -Dworld_sees=fake_world_sees
SANITIZE   := -fsanitize=address,undefined -DSANITIZED=1
BARE_PART  := $(B)/obj/bare-part/decode.o
UNIT_OBJ   := $(UNIT_SRC:%.c=$(B)/obj/%.o) $(FAKED_OBJ) $(BARE_PART) $(MACHINE_OBJ) $(BENCH_PART) $(BT_PART) $(PV_PART)
ASAN_OBJ   := $(patsubst $(B)/obj/%,$(B)/asan/%,$(UNIT_OBJ))
UNIT_LIBS   = $$(pkg-config --libs check jansson) -lpthread -lm $(LDLIBS)
BAD_GUESTS := $(patsubst tests/bad/%.asm,$(B)/tests/bad/%,$(wildcard tests/bad/*.asm))

$(B)/tests/suites.h: $(UNIT_SRC)
	@mkdir -p $(@D)
	sed -n 's/^Suite \*\(suite_[a-z0-9_]*\)(void).*/SUITE(\1)/p' $(UNIT_SRC) | sort -u > $@

$(B)/obj/tests/unit/main.o $(B)/asan/tests/unit/main.o: CFLAGS += -I$(B)/tests
$(B)/obj/tests/unit/main.o $(B)/asan/tests/unit/main.o: $(B)/tests/suites.h

$(B)/asan/%.o: %.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) -fno-omit-frame-pointer -c $< -o $@

# The bare monitor's decoder beside Zydis's, by another name.
$(B)/obj/bare-part/decode.o $(B)/asan/bare-part/decode.o: hwassist/bare/decode.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Ddecode=bare_decode -Ddecode_text=bare_decode_text $(if $(findstring asan,$@),$(SANITIZE)) -c $< -o $@

$(B)/obj/faked/%.o: machine/direct/%.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FAKE) -c $< -o $@

$(B)/asan/faked/%.o: machine/direct/%.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FAKE) $(SANITIZE) -fno-omit-frame-pointer -c $< -o $@

$(B)/tests/unit: $(UNIT_OBJ)
	@mkdir -p $(@D)
	$(CC) -pie -o $@ $^ $(UNIT_LIBS)

$(B)/tests/unit-asan: $(ASAN_OBJ)
	@mkdir -p $(@D)
	$(CC) -pie $(SANITIZE) -o $@ $^ $(UNIT_LIBS)

DIRECT_TEST := $(call host_obj,$(wildcard tests/direct/*.c tests/direct/*.asm))

$(B)/obj/tests/direct/snippets-asm.o: $(B)/include/pc.inc

$(B)/tests/direct: $(DIRECT_TEST) $(MACHINE_OBJ) $(DIRECT_OBJ)
	@mkdir -p $(@D)
	$(CC) -pie -o $@ $^ $(UNIT_LIBS)

# Generated instruction streams: all of binary-translation but its main.c.
STREAMS_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/streams/*.c))

$(STREAMS_OBJ): CFLAGS += -Ibinary-translation -Ibenchmarks

$(B)/tests/streams: $(STREAMS_OBJ) $(filter-out %/main.o,$(BT_OBJ) $(EMU_OBJ)) $(MACHINE_OBJ) $(DIRECT_OBJ)
	@mkdir -p $(@D)
	$(CC) -pie -o $@ $^ $(LDLIBS)

$(B)/tests/streams.table: $(B)/tests/streams
	$(B)/tests/streams --write $@ --streams 1000

$(B)/tests/streams.elf: tests/streams/guest.asm $(B)/tests/streams.table tests/bad/guest.inc tests/bad/guest.ld | packages
	$(NASM) -f elf32 -w+all -Itests/bad/ -DTABLE='"$(B)/tests/streams.table"' -o $@.o $<
	$(LD) -m elf_i386 -T tests/bad/guest.ld -o $@ $@.o

RANDOM_GUESTS := $(B)/tests/streams $(B)/trap-emulate $(B)/binary-translation $(B)/emulation $(B)/hwassist-bare.elf

.PHONY: random-guests
random-guests: packages-bochs $(RANDOM_GUESTS) ## random guests on QEMU, the VMMs and the interpreter, side by side (GUESTS=12000 SEED=1)
	@QEMU_RUN='$(QEMU_RUN)' sh tests/random-guests "$(or $(GUESTS),12000)" "$(or $(SEED),1)"

# A host on which something fails, and what of the benchmarks is run on it.
FAULT_PROGRAMS := $(B)/tests/fault/shim.so $(B)/tests/fault/sweep $(B)/quadbench $(B)/calibrate $(B)/native-twin
FAULT_ENGINES  := trap bt bt-all bt-small bt-patch emu pv pv-trap

$(B)/tests/fault/%.so: tests/fault/%.c tests/fault/fault.h | packages
	@mkdir -p $(@D)
	$(CC) -std=c17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -fPIC -shared -o $@ $<

$(B)/tests/fault/%: tests/fault/%.c tests/fault/fault.h | packages
	@mkdir -p $(@D)
	$(CC) -std=c17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o $@ $<

.PHONY: check-long
check-long: $(B)/trap-emulate $(B)/binary-translation $(B)/paravirt $(B)/emulation $(B)/doctor $(B)/guests/kernel.elf $(B)/guests/kernel-pv.elf $(FAULT_PROGRAMS)
check-long: packages-bochs $(B)/hwassist $(B)/tests/streams $(B)/tests/unit-asan fuzz ## streams, hypercalls, faults of the host, random guests at length, a minute of each fuzz target (SEED= CYCLES= TIME=60)
	EVERY=1 CYCLES=$(or $(CYCLES),10000) sh tests/run $(FAULT_ENGINES:%=%.vmm_fault_sweep) bt_fault_sweep_of_files fault_cycles
	EVERY=1 BOCHS=1 sh tests/run bochs_kvm_fault_sweep
	SEED=$(or $(SEED),1) HOSTILE=3000000 CK_RUN_SUITE=hostile ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
	    $(B)/tests/unit-asan
	$(B)/tests/streams --streams 40000 --seed $(or $(SEED),1)
	@$(MAKE) --no-print-directory random-guests GUESTS=60000

$(B)/tests/bad/%: tests/bad/%.asm tests/bad/guest.inc tests/bad/gates.inc tests/bad/guest.ld | packages
	@mkdir -p $(@D)
	$(NASM) -f elf32 -w+all -Itests/bad/ -o $@.o $<
	$(LD) -m elf_i386 -T tests/bad/guest.ld -o $@ $@.o

$(B)/tests/devices: tests/devices.asm tests/bad/guest.inc tests/bad/guest.ld | packages
	@mkdir -p $(@D)
	$(NASM) -f elf32 -w+all -Itests/bad/ -o $@.o $<
	$(LD) -m elf_i386 -T tests/bad/guest.ld -o $@ $@.o

.PHONY: check
check: $(B)/tests/unit $(B)/tests/unit-asan $(B)/fuzz/replay $(B)/tests/direct $(B)/tests/streams $(B)/trap-emulate $(B)/binary-translation $(B)/doctor $(B)/guests/kernel.elf
check: $(B)/emulation $(B)/paravirt $(B)/guests/kernel-pv.elf $(B)/hwassist $(B)/hwassist-bare.elf $(B)/quadbench $(B)/quadreport $(B)/timeline
check: $(BAD_GUESTS) $(B)/guests/escape.elf $(B)/tests/devices $(B)/tests/streams.elf $(FAULT_PROGRAMS) ## the tests (TESTS="unit unit-asan fuzz direct streams whole" picks)
	@QEMU_RUN='$(QEMU_RUN)' sh tests/check $(TESTS)

CHECK_PARTS := unit unit-asan fuzz direct streams whole
ifneq ($(and $(filter check,$(MAKECMDGOALS)),$(filter-out $(CHECK_PARTS),$(TESTS))),)
$(error make check: TESTS=$(filter-out $(CHECK_PARTS),$(TESTS)): there is no such part; there are: $(CHECK_PARTS))
endif

.PHONY: escape
escape: $(B)/hwassist $(B)/trap-emulate $(B)/binary-translation $(B)/paravirt $(B)/emulation $(B)/hwassist-bare.elf $(B)/guests/escape.elf ## what an adversary gets out of each VMM, behind the wall and without it
	@sh tests/escape.sh matrix

# What needs Bochs: VT-x, and a second opinion on AMD-V and on the VMMs that run the guest directly.
.PHONY: check-bochs
check-bochs: packages-bochs $(B)/emulation $(B)/guests/escape.elf $(FAULT_PROGRAMS)
check-bochs: $(B)/trap-emulate $(B)/binary-translation $(B)/paravirt $(B)/guests/kernel-pv.elf $(B)/tests/direct $(B)/tests/streams
check-bochs: $(B)/hwassist $(B)/hwassist-bare.elf $(B)/guests/kernel.elf $(B)/doctor $(BAD_GUESTS) ## the VMMs on Bochs's processors: VT-x, AMD-V, segments
	@BOCHS=1 QEMU_RUN='$(QEMU_RUN)' sh tests/check whole

# What takes the labs apart: students' mistakes, the handouts' commands, a class with hostile students in it.
.PHONY: check-labs
check-labs: packages-labs $(B)/tests/unit $(B)/trap-emulate $(B)/binary-translation $(B)/paravirt $(B)/hwassist-bare.elf $(B)/guests/kernel.elf
check-labs: $(B)/guests/kernel-pv.elf $(B)/doctor ## the labs as students meet them: mistakes, handouts, grading a class
	@LABS=1 QEMU_RUN='$(QEMU_RUN)' sh tests/check whole

# The talk and the report in a Chromium without a window. They need results: a quick run's if there are none.
.PHONY: check-web
check-web: packages-web $(B)/quadreport $(TALK) ## the tests of the talk and the report in a real browser
	@[ -f $(B)/bench/results.json ] || $(MAKE) --no-print-directory bench QUICK=1
	@sh tests/web

.PHONY: sizes
sizes: ## lines of code, folder by folder
	@sh tests/sizes

-include $(UNIT_OBJ:.o=.d) $(ASAN_OBJ:.o=.d) $(DIRECT_TEST:.o=.d) $(STREAMS_OBJ:.o=.d)

# ---- fuzzing -------------------------------------------------------------------------------------
# A target is tests/fuzz/NAME.c. Twice: by clang with libFuzzer, a program each; by $(CC) with the sanitizers alone, all in one program
# that runs the corpus through them (part of `make check`). The kit's parts are archives: a target may bring a function of its own
# in place of one of theirs; fuzz.c has Check's assertions in place of Check's.
FUZZ_ALL   := $(sort $(filter-out box fuzz replay,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))))
FUZZ_LENT  := $(patsubst %,tests/unit/%.o,fixture hostile test_paravirt test_shadow)
FUZZ_SHARE := tests/fuzz/fuzz.o tests/fuzz/box.o $(FUZZ_LENT) $(filter-out benchmarks/report/main.o,$(REPORT_OBJ:$(B)/obj/%=%))
FUZZ_SHARE += $(patsubst $(B)/obj/%,%,$(FAKED_OBJ) $(BARE_PART) $(MACHINE_OBJ) $(PV_PART))
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_BUILD  = clang $(CFLAGS) $(FUZZ_FLAGS) -c $< -o $@

$(B)/fuzz/obj/%.o: %.c | packages packages-fuzz
	@mkdir -p $(@D)
	$(FUZZ_BUILD)

$(B)/fuzz/obj/bare-part/decode.o: hwassist/bare/decode.c | packages packages-fuzz
	@mkdir -p $(@D)
	$(FUZZ_BUILD) -Ddecode=bare_decode -Ddecode_text=bare_decode_text

$(B)/fuzz/obj/faked/%.o: machine/direct/%.c | packages packages-fuzz
	@mkdir -p $(@D)
	$(FUZZ_BUILD) $(FAKE)

$(B)/fuzz/parts.a: $(FUZZ_SHARE:%=$(B)/fuzz/obj/%)
$(B)/asan/fuzz-parts.a: $(FUZZ_SHARE:%=$(B)/asan/%)
$(B)/fuzz/parts.a $(B)/asan/fuzz-parts.a:
	rm -f $@
	ar rcs $@ $^

$(FUZZ_ALL:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/fuzz/obj/tests/fuzz/%.o $(B)/fuzz/parts.a
	clang -fsanitize=fuzzer,address,undefined -Wl,-z,muldefs -o $@ $^ $(UNIT_LIBS)

$(B)/fuzz/targets.h: $(wildcard tests/fuzz/*.c) tests/fuzz
	@mkdir -p $(@D)
	printf 'TARGET(%s)\n' $(FUZZ_ALL) > $@

$(B)/asan/tests/fuzz/%.o: tests/fuzz/%.c | packages
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) -fno-omit-frame-pointer -I$(B)/fuzz -DLLVMFuzzerTestOneInput=fuzz_$* -c $< -o $@

$(B)/asan/tests/fuzz/replay.o: $(B)/fuzz/targets.h

$(B)/fuzz/replay: $(patsubst %,$(B)/asan/tests/fuzz/%.o,replay $(FUZZ_ALL)) $(B)/asan/fuzz-parts.a
	@mkdir -p $(@D)
	$(CC) -pie $(SANITIZE) -Wl,-z,muldefs -o $@ $^ $(UNIT_LIBS)

# Before anything is built for it.
ifneq ($(and $(filter fuzz,$(MAKECMDGOALS)),$(filter-out $(FUZZ_ALL),$(FUZZ))),)
$(error make fuzz: FUZZ=$(filter-out $(FUZZ_ALL),$(FUZZ)): there is no such target; there are: $(FUZZ_ALL))
endif

.PHONY: fuzz
fuzz: packages-fuzz $(patsubst %,$(B)/fuzz/%,$(or $(FUZZ),$(FUZZ_ALL)) replay) ## libFuzzer on decoder, emulator, loader, devices, hypercalls, gdb stub, results (TIME=60 FUZZ="decode emulate")
	@sh tests/fuzz/run "$(FUZZ)" "$(TIME)"

-include $(FUZZ_SHARE:%.o=$(B)/fuzz/obj/%.d) $(FUZZ_SHARE:%.o=$(B)/asan/%.d)
-include $(patsubst %,$(B)/fuzz/obj/tests/fuzz/%.d,$(FUZZ_ALL)) $(patsubst %,$(B)/asan/tests/fuzz/%.d,replay $(FUZZ_ALL))
