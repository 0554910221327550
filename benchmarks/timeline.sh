#!/bin/sh
# `make timeline`: runs run=timeline under every VMM that this host has, three times in turn on one processor, and has
# build/timeline draw it: build/bench/timeline.svg and .json. Beside them, in timeline/, is what guests and VMMs have printed.
set -u
cd "$(dirname "$0")/.." || exit
dir=build/bench/timeline
rm -rf $dir
mkdir -p $dir
cpu=$(taskset -cp $$ 2>/dev/null | sed 's/.*[ ,-]//')

# run NAME VMM KERNEL OPTION...
run() {
    name=$1 vmm=$2 kernel=$3 status=0
    shift 3
    # shellcheck disable=SC2086
    ${cpu:+taskset -c $cpu} "build/$vmm" "$@" -kernel "build/guests/$kernel" -append run=timeline --trace=timeline --timeout 60 \
        >>"$dir/$name.console" 2>"$dir/$name.said" </dev/null || status=$?
    cat "$dir/$name.said" >>"$dir/$name.trace"
    case $status in
    1) ;;
    6) rm "$dir/$name".*; [ "$round" -gt 1 ] || echo "$name is left out: this host cannot run it (make doctor)" >&2 ;;
    *) { tail -n 3 "$dir/$name.said"; echo "make timeline: exit status $status of $name"; } >&2; exit 1 ;;
    esac
}
for round in 1 2 3; do
    run trap-emulate trap-emulate kernel.elf
    run binary-translation binary-translation kernel.elf
    run 'binary-translation (all)' binary-translation kernel.elf --translate=all
    run paravirt paravirt kernel-pv.elf
    run hwassist hwassist kernel.elf
done
echo "hwassist-bare is left out: it runs on emulated processors, whose time is not time" >&2
set --
for name in trap-emulate binary-translation 'binary-translation (all)' paravirt hwassist; do
    [ ! -e "$dir/$name.trace" ] || set -- "$@" "$name" "$dir/$name.console" "$dir/$name.trace"
done
[ $# -gt 0 ] || { echo "make timeline: no VMM that is timed runs on this host: there is nothing to draw" >&2; exit 6; }
build/timeline build/bench/timeline.svg build/bench/timeline.json "$@" && echo "build/bench/timeline.svg, timeline.json"
