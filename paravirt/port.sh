#!/bin/sh
# What the port of the tiny kernel took: `make paravirt-port`. Lines of code as tests/sizes counts them.
# shellcheck disable=SC2046,SC2086,SC2126
cd "$(dirname "$0")/.." || exit
kernel=guests/kernel                    # no file there has a blank in its name

# lines FILE...: all of them together
lines() {
    for file; do sh tests/sizes "$file"; done | awk '{ n += $1 } END { print n + 0 }'
}

# Operations of ops.h that a kernel for bare machines alone would not have: there it stores and goes on.
asked='table_alloc|table_free|space_alloc|space_free|tables_spare|set_pte|ptes_sync|gate_changed|set_kernel_stack'
asked="$asked|irq_take|timer_ticks"
shared=$(ls $kernel/*.c $kernel/*.h $kernel/*.asm)
native=$(ls $kernel/native/*)
pv=$(ls $kernel/paravirt/*)
total=$(lines $shared)
replaced=$(lines $native)
written=$(lines $pv)
hooks=$(grep -E "($asked)\\(" $(ls $kernel/*.c) | wc -l)
hooked=$(grep -lE "($asked)\\(" $(ls $kernel/*.c) | wc -l)

row() { printf '  %-44s %5s files %6s lines\n' "$1" "$2" "$3"; }
echo "The tiny kernel ($kernel; its programs, probes and benchmarks not counted):"
row "shared by both images" "$(echo "$shared" | wc -l)" "$total"
row "  of these ask through ops.h for the port's sake" "$hooked" "$hooks"
row "native/: for bare machines, replaced" "$(echo "$native" | wc -l)" "$replaced"
row "paravirt/: for the VMM, written" "$(echo "$pv" | wc -l)" "$written"
awk -v changed=$((hooks + written)) -v all=$((total + written)) 'BEGIN {
    printf "\n  %-44s %26s %8s\n", "changed or written for the port", "lines", "share"
    printf "  %-44s %26d %7.2f%%\n", "the tiny kernel on this VMM", changed, 100 * changed / all
    printf "  %-44s %26s %8s\n", "Linux 2.4 on Xen (SOSP 2003, table 2)", "2995", "1.36%"
    printf "  %-44s %26s %8s\n", "Windows XP on Xen (the same)", "4620", "0.04%"
    printf "\nThe share says how small a kernel is; the lines say what a port is. Xen\047s include block and network drivers.\n"
}'
printf '\nReplaced by memory that both share:\n'
printf '  %-18s %s\n' PV_FLAGS "CLI, STI, PUSHF, POPF; IRET within the kernel" PV_CR2 "MOV from CR2" \
    "scale, ns, ..." "IN from the 8254"
printf '\nReplaced by hypercalls:\n'
awk -F '"' '/^HYPERCALL/ && $6 != "" { split($1, field, /[, ]+/); printf "  %-18s %s\n", field[2], $6 }' paravirt/hypercalls.def
