#!/bin/sh
# What build/hwassist adds to a bare loop around KVM_RUN, in one boot of a nested Linux (or, with --here, on this host; with --print, last time):
# cycles for an exit at an IN, the least of all samples, and the ratio. `make kvm-exit`
set -u
cd "$(dirname "$0")/.." || exit
out=build/bench/kvm-exit
run="build/hwassist -kernel build/guests/kernel.elf -append"
bench='run=bench only=in samples=10 iterations=5000'
if [ "${1-}" = --print ]; then
    cat "$out/ratio" || { echo "kvm-exit: nothing is measured yet: make kvm-exit" >&2; exit 1; }
    exit
fi
rm -rf "$out"
mkdir -p "$out"
if [ "${1-}" = --here ]; then
    mkdir "$out/loop" "$out/vmm"
    build/kvm-exit >"$out/loop/stdout" || exit
    status=0
    $run "$bench" >"$out/vmm/stdout" || status=$?
    [ $status -eq 1 ] || exit $status                   # the guest's own: all is well
else
    printf '%s\n' "warm build/kvm-exit" "loop build/kvm-exit" "vmm $run \"$bench\"" "loop2 build/kvm-exit" "vmm2 $run \"$bench\"" \
        >"$out/list"
    sh tests/nested "${NESTED-qemu}" "$out/list" "$out" || exit
fi
cat "$out"/loop*/stdout "$out"/vmm*/stdout | tr -d '\r' | awk '
    $1 == "BENCH" { cost = $4 / $3; if (!least[$2] || cost < least[$2]) least[$2] = cost }
    END {
        if (!least["kvm-exit"] || !least["in"]) { print "no samples: see '"$out"'"; exit 1 }
        printf "a bare loop around KVM_RUN: %d cycles an exit; build/hwassist: %d; ratio %.2f\n",
            least["kvm-exit"], least["in"], least["in"] / least["kvm-exit"]
    }' >"$out/ratio"
status=$?
cat "$out/ratio"
exit $status
