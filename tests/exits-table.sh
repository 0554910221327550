#!/bin/sh
# The table of exits in hwassist/README.md, from tests/expected/exits-*.txt: those of a thousand operations beyond the empty loop's.
cd "$(dirname "$0")/expected" || exit

# exits FILE BENCHMARK: all of them together.
exits() {
    awk -v name="$2" '$1 == name { for (i = 2; i <= NF; i++) { split($i, part, "="); n += part[2] } } END { print n + 0 }' "exits-$1.txt"
}

# row BENCHMARK SCALE NULL WHAT
row() {
    printf '| %s |' "$4"
    for file in svm svm-shadow; do
        printf ' %d |' $((($(exits $file "$1") - $(exits $file "$3")) * $2))
    done
    printf '\n'
}

echo '| a thousand times | nested paging | `--no-npt` |'
echo '|---|---:|---:|'
row cli-sti 1 null 'cli and sti'
row pushf-popf 1 null 'pushf and popf'
row sidt 1 null 'sidt'
row int-iret 1 null 'int and iret, in the kernel'
row divzero 1 null 'divide error'
row syscall 5 null-user 'system call'
row pgfault 1 null 'page fault'
row mov-from-cr0 1 null 'MOV from CR0'
row mov-to-cr3 1 null 'MOV to CR3'
row invlpg 1 null 'INVLPG'
row ptemod 1 null 'change a page-table entry, INVLPG, use the page'
row in 1 null 'in'
row out 1 null 'out'
row cpuid 1 null 'cpuid'
row ctxsw 5 null-user 'context switch'
row probes 1 none 'all probes, once'
