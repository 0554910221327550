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

# ---- benchmarks ----------------------------------------------------------------------------------

# ---- tests ---------------------------------------------------------------------------------------
