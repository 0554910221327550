# Linuxes in QEMU and Bochs (tests/nested), each booted once for all that want something of it: build/hwassist over KVM (Linux in QEMU has
# AMD-V, in Bochs VT-x); the VMMs that run guest code directly, where this host cannot, and in Bochs always. Sourced by tests/run,
# which has the helpers; engine() says by $NESTED where a test's VMM runs.
RESULTS=$ROOT/build/tests
export RUN_ID=${RUN_ID-$$}

# What runs in a nested Linux, all in one boot: a name, the guest's command line, options of build/hwassist. The tests find
# a run by what stands behind its name.
nested_runs() {
    cat <<'END'
boots||
probes|run=probes|
race|run=race|
demo|run=demo|
soak|run=soak seconds=5 hz=100|
selftest|run=selftest|
programs|run=demo,forkwait,selftest|
forkwait|run=forkwait|
compute|run=compute samples=1 cycles=1000|
panic|run=panic|
timeline|run=timeline turns=4|--trace=timeline
no-sandbox|run=demo|--no-sandbox
chip-race|run=race|--irqchip=kernel
chip-demo|run=demo|--irqchip=kernel
chip-probes|run=probes|--irqchip=kernel
END
    for bench in $BENCHES; do
        echo "bench-$bench|run=bench only=$bench samples=1 iterations=1000|"
    done
}
BENCHES="null cli-sti pushf-popf in out sidt mov-from-cr0 mov-to-cr3 invlpg callret callind int-iret divzero pgfault ptemod pte-update
    pte-update-64 cpuid smc"
USER_BENCHES="null-user syscall ctxsw forkwait"
# And guests of tests/bad: a name, the guest, options.
nested_bad() {
    cat <<'END'
bad-good|good|
bad-nowhere|nowhere|
bad-triple|triple-fault|
bad-undefined|undefined|
bad-spin|spin|--timeout 1
bad-int80|int80|
bad-beyond|beyond-ram|-m 2
bad-cr3|wild-cr3|--timeout 2
bad-rf|rf|
END
}

# The real gdb, there: Debian's smallest, for the other one would want Python's library too. It is taken apart in build/, as the kernel
# is. QEMU 7.2 ignores that INT3 is intercepted, so it shows steps only.
nested_gdb() {
    cd "$ROOT" || exit
    gdb=build/nested/gdb/usr/bin/gdb script="/bin/dash tests/gdb-nested $gdb build/hwassist build/guests/kernel.elf /bin/sleep"
    [ -x $gdb ] || (
        mkdir -p build/nested/gdb.$$ && cd build/nested/gdb.$$ && apt-get -q download gdb-minimal && dpkg-deb -x gdb-minimal_*.deb ../gdb
        rm -rf "$ROOT/build/nested/gdb.$$"
    ) >"$dir/gdb-minimal" 2>&1
    [ -x $gdb ] || return 0
    echo "gdb-steps $script \"run=soak seconds=8 hz=100\""
    [ "$1" = qemu ] || echo "gdb-breaks $script run=selftest tests/gdb-breakpoints"
}

# The VMMs that run guest code directly: an engine and a program's name, its kernel, the command line, the VMM and its options.
# direct_runs ENGINE...
direct_runs() {
    for each; do
        KERNEL=$NATIVE
        engine "$each"
        for append in '' run=probes run=race run=demo run=selftest run=demo,forkwait,selftest run=panic; do
            case $each$append in bt-small*forkwait*) continue ;; esac  # on a busy host it gets nowhere between two ticks
            echo "$each-${append#run=}|${KERNEL#"$ROOT"/}|$append|${VMM#"$ROOT"/} $OPTIONS"
        done
    done
}

# The same as lines for tests/nested, and what conditions() asks there.
direct_list() {
    echo "conditions build/doctor --conditions"
    direct_runs "$@" | while IFS='|' read -r name kernel append vmm; do
        echo "$(echo "$name" | tr , .) $vmm -kernel $kernel -append \"$append\" --timeout 300"
    done
}

# In Bochs 2.7 no interrupt ends the run of a guest that never sets IF, if it is entered with IF = 0, as KVM does: INTR stays masked.
not_on() {
    case $1 in bochs) grep -v '^bad-spin|' ;; *) cat ;; esac
}

kvm_list() {
    nested_runs | not_on "$1" | while IFS='|' read -r name append options; do
        echo "$name build/hwassist -kernel build/guests/kernel.elf -append \"$append\" --timeout 60" \
            "--counters /out/$name/counters.json $options"
    done
    nested_bad | not_on "$1" | while IFS='|' read -r name guest options; do
        echo "$name build/hwassist -kernel build/tests/bad/$guest $options"
    done
    (nested_gdb "$1")
}

# nested_results qemu|direct|bochs: the first who asks boots the nested Linux; the others wait for it.
nested_results() {
    dir=$RESULTS/nested-$1
    case $1 in bochs) limit=1500 ;; direct) limit=1200 ;; *) limit=150 ;; esac
    (
        flock 9
        [ "$(cat "$dir.id" 2>/dev/null)" != "$RUN_ID" ] || exit 0
        rm -rf "$dir"
        mkdir -p "$dir"
        # shellcheck disable=SC2086
        case $1 in
        qemu) kvm_list qemu ;;
        direct) (direct_list $DIRECT_ENGINES) ;;
        bochs)
            kvm_list bochs
            (direct_list $DIRECT_ON_BOCHS)
            printf '%s\n' "direct build/tests/direct" "streams build/tests/streams --streams 100"
            ;;
        esac >"$dir/list"
        cd "$ROOT" || exit
        # QEMU 7.2 has been seen to leave its Linux without a timer, asleep for ever: then once more.
        for attempt in first second; do
            NESTED_TIMEOUT=$limit sh tests/nested "$1" "$dir/list" "$dir" >"$dir/said" 2>&1 </dev/null
            echo $? >"$dir/status"
            grep -q 'did not end within' "$dir/said" || break
            mv "$dir/console" "$dir/console.$attempt"
        done
        echo "$RUN_ID" >"$dir.id"
    ) 9>"$dir.lock"
    case $(cat "$dir/status") in
    0) ;;
    6) skip "$(tail -n 1 "$dir/said")" ;;
    *) fail "the nested Linux: $(tail -n 1 "$dir/said"); see $dir/said, $dir/console" ;;
    esac
}

# direct_by_qemu APPEND: where this host refuses, from the Linux in QEMU. False: it has not what this test asks.
direct_by_qemu() {
    case " $DIRECT_ENGINES " in *" $ENGINE "*) ;; *) return 1 ;; esac
    case $NAME in *.vmm_boots | *.vmm_probes | *.vmm_race | *.vmm_demo | *.vmm_selftest | *.vmm_programs | *.vmm_panic) ;; *) return 1 ;; esac
    [ "$NAME" != bt-small.vmm_programs ] || return 1                # see direct_runs
    must_agree "$(head -n 1 stderr)"
    cat "$FAILS" "$EXPECTED/qemu.txt" "$EXPECTED/inside-qemu.txt" >fails
    NESTED=direct FAILS=$PWD/fails
    from_nested "$1"
}

# from_nested APPEND OPTION...: what on_vmm would have had, from the nested Linux.
from_nested() {
    append=$1
    shift
    case ${1-} in --counters) wants_counters=$2 && shift 2 ;; *) wants_counters='' ;; esac
    case $ENGINE in
    kvm*) run=$(nested_runs | awk -F '|' -v append="$append" -v options="$*" '$2 == append && $3 == options { print $1 }') ;;
    *) run=$(direct_runs "$ENGINE" | grep -F "$ENGINE-${append#run=}|${KERNEL#"$ROOT"/}|$append|" | cut -d '|' -f 1 | tr , .) ;;
    esac
    [ -n "$run" ] || fail "the nested Linux has no run of '$append' with '$*'"
    nested_results "$NESTED"
    cp "$dir/$run/stdout" transcript
    cp "$dir/$run/stderr" stderr
    [ -z "$wants_counters" ] || cp "$dir/$run/counters.json" "$wants_counters"
    status=$(cat "$dir/$run/status")
    [ "$status" -ne 6 ] || fail "$(head -n 1 stderr)"
}

# What `make check` asks of this host's processor, asked of Bochs's.
test_bochs_direct_suites()
{
    nested_results bochs
    grep -q '^100%: Checks: [1-9][0-9]*, Failures: 0, Errors: 0$' "$dir/direct/stdout" || fail "tests/direct: $dir/direct"
    grep -q '^streams: [1-9][0-9]* passed, 0 failed' "$dir/streams/stdout" || fail "tests/streams: $dir/streams"
    away=$(sed -n 's/.*: 100 streams, \([0-9]*\) thrown away.*/\1/p' "$dir/streams/stdout")  # more without CONFIG_X86_16BIT than else
    [ -n "$away" ] && [ "$away" -le 25 ] || fail "$away of 100 streams are thrown away: $dir/streams"
}
