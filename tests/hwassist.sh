# What hardware assistance has of its own. Sourced by tests/run, which has the helpers. Engines: the bare monitor on QEMU (svm) and
# Bochs (vmx, svm-bochs), with nested paging and without, and KVM: this host's if it can, else that of a Linux in QEMU (kvm), and
# that of a Linux in Bochs (kvm-vmx).
RESULTS=$ROOT/build/tests
export RUN_ID=${RUN_ID-$$}

engine_hwassist() {
    VMM=$ROOT/hwassist/run-bare FAILS=$EXPECTED/bochs.txt SOAK="seconds=5 hz=100"
    case $1 in
    svm) OPTIONS=qemu-svm FAILS=$EXPECTED/qemu.txt ;;
    svm-shadow) OPTIONS="qemu-svm --no-npt" FAILS=$EXPECTED/qemu.txt ;;
    vmx) OPTIONS=bochs-vmx ;;
    vmx-shadow) OPTIONS="bochs-vmx --no-npt" ;;
    vmx-restricted) OPTIONS="bochs-vmx --no-unrestricted" ;;
    svm-bochs) OPTIONS=bochs-svm ;;
    svm-bochs-shadow) OPTIONS="bochs-svm --no-npt" ;;
    kvm)
        VMM=$ROOT/build/hwassist
        "$ROOT/build/doctor" | grep -q '^hwassist runs here' || NESTED=qemu
        [ -z "$NESTED" ] || FAILS=$EXPECTED/qemu.txt
        ;;
    kvm-vmx) VMM=$ROOT/build/hwassist NESTED=bochs ;;
    *) fail "there is no engine $1" ;;
    esac
}

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
# The VMMs that run guest code directly, where this host cannot: an engine and a program's name, its kernel, the command line, the VMM
# and its options.
direct_runs() {
    for each in $DIRECT_ENGINES; do
        KERNEL=$NATIVE
        engine "$each"
        for append in '' run=probes run=race run=demo run=selftest run=demo,forkwait,selftest run=panic; do
            echo "$each-${append#run=}|${KERNEL#"$ROOT"/}|$append|${VMM#"$ROOT"/} $OPTIONS"
        done
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

direct_list() {
    echo "conditions build/doctor --conditions"
    direct_runs | while IFS='|' read -r name kernel append vmm; do
        echo "$(echo "$name" | tr , .) $vmm -kernel $kernel -append \"$append\" --timeout 60"
    done
}

# In Bochs 2.7 no interrupt ends the run of a guest that never sets IF, if it is entered with IF = 0, as KVM does: INTR stays masked.
not_on() {
    case $1 in bochs) grep -v '^bad-spin|\|^bt-small-' ;; *) cat ;; esac
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
    case $1 in bochs) limit=1500 ;; direct) limit=300 ;; *) limit=150 ;; esac
    (
        flock 9
        [ "$(cat "$dir.id" 2>/dev/null)" != "$RUN_ID" ] || exit 0
        rm -rf "$dir"
        mkdir -p "$dir"
        {
            [ "$1" = direct ] || kvm_list "$1"
            [ "$1" = qemu ] || (direct_list) | not_on "$1"
            [ "$1" != bochs ] || printf '%s\n' "direct build/tests/direct" "streams build/tests/streams --streams 100"
        } >"$dir/list"
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
    case $NAME in *.vmm_boots | *.vmm_probes | *.vmm_race | *.vmm_demo | *.vmm_selftest | *.vmm_programs | *.vmm_panic) ;; *) return 1 ;; esac
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
    *) run=$(direct_runs | grep -F "$ENGINE-${append#run=}|${KERNEL#"$ROOT"/}|$append|" | cut -d '|' -f 1 | tr , .) ;;
    esac
    [ -n "$run" ] || fail "the nested Linux has no run of '$append' with '$*'"
    nested_results "$NESTED"
    cp "$dir/conditions/stdout" conditions 2>/dev/null || "$ROOT/build/doctor" --conditions >conditions
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
}

# ---- KVM -----------------------------------------------------------------------------------------------

test_kvm_wall()
{
    engine kvm
    test_vmm_wall
}

# Linux's own 8259 and 8254. Its timer is a thread, whose interrupt comes when that has its turn.
test_kvm_irqchip()
{
    engine kvm
    echo "pic-priority maybe the interrupt of Linux's timer, which is a thread, comes late" | cat "$FAILS" - >fails
    for program in race demo probes; do
        on_vmm run=$program --irqchip=kernel
        verdicts fails
    done
}

# kvm_bad NAME STATUS TEXT: what that run of nested_bad() must have come to.
kvm_bad() {
    got=$(cat "$dir/bad-$1/status")
    echo "$got" | grep -Eqx "$2" || fail "exit status $got, not $2: $dir/bad-$1"
    grep -Eq -e "$3" "$dir/bad-$1/stderr" || fail "no /$3/ in $dir/bad-$1/stderr"
}

check_kvm_bad()
{
    nested_results "$1"
    kvm_bad good 1 'behind /dev/kvm: '
    kvm_bad nowhere 4 'the guest executes beyond its RAM'
    kvm_bad nowhere 4 'ebx 600dbeef'
    kvm_bad triple 4 'triple fault'
    kvm_bad undefined 4 'triple fault'
    [ "$1" = bochs ] || kvm_bad spin 124 'spinning\+0x0'
    kvm_bad int80 11 ''
    kvm_bad beyond 1 ''
    kvm_bad cr3 '4|124' ''
    kvm_bad rf 11 ''
}
test_kvm_bad_guests() { check_kvm_bad qemu; }
test_bochs_kvm_bad_guests()
{
    check_kvm_bad bochs
    kvm_bad triple 4 'provoke\+0x0'                     # VT-x leaves the state; under AMD-V KVM resets it first
}

test_kvm_says_what_is_behind()
{
    nested_results qemu
    grep -q '^hwassist: behind /dev/kvm: AMD-V (kvm_amd), nested' "$dir/boots/stderr" || fail "in $dir/boots/stderr"
}

# nested_debugger RUN: what gdb and the guest said in that run of nested_gdb().
nested_debugger()
{
    nested_results "$NESTED"
    [ -d "$dir/$1" ] || skip "no gdb for the nested Linux: $(tail -n 1 "$dir/gdb-minimal")"
    cat "$dir/$1/stdout" "$dir/$1/stderr" >said
}

# What tests/gdb.sh asks of the other VMMs.
gdb_in_nested()
{
    nested_debugger gdb-steps
    for text in 'eip .*<start[[+]' 'Program received signal SIGINT' '(Remote target) detached'; do
        grep -q "$text" said || fail "gdb does not say \"$text\": $PWD/said"
    done
    grep '^PROBE\|^DONE' said >transcript
    status=$(sed -n 's/^exit status //p' said)
    echo "soak-ticks maybe the time-stamp counter, by which it looks at the timer, runs on while gdb holds the guest" >fails
    verdicts fails
    [ "$NESTED" = bochs ] || return 0                 # see nested_gdb()
    nested_debugger gdb-breaks
    gdb_breaks
    grep -qx 'exit status 1' said || fail "the guest did not end well: $PWD/said"
}

# ---- counts --------------------------------------------------------------------------------------------

# exits FILE: the exits of a run, but those that only the host's clock made.
exits() {
    sed -n 's/.*"exits": {\(.*\), "total".*/\1/p' "$1" | tr -d '",{}' | tr ' ' '\n' | awk '
        /:$/ { reason = $0; next }
        reason != "timer:" && reason != "interrupt:" && $0 { printf "%s %s%s", separator, reason, $0; separator = "" }
        END { print "" }' | sed 's/^ //; s/:/=/g'
}

# Of KVM's: without one for each byte of output, whose number the figures in it make, and without the clock's.
exits_of_kvm() {
    bytes=$(wc -c <transcript)
    exits "$1" | awk -v bytes="$bytes" '{ sub(/ interrupt-window=[0-9]*/, ""); split($1, io, "="); $1 = "io=" io[2] - bytes; print }'
}

# count_benches HOW OPTIONS: for each benchmark its exits, as a line of tests/expected/exits-*.txt; `exits` or `exits_of_kvm` tells
# them. Less memory starts faster.
count_benches() {
    for bench in $BENCHES; do
        on_vmm "run=bench only=$bench samples=1 iterations=1000" --counters counters.json $2
        [ $status -eq 1 ] || fail "exit status $status of $bench"
        echo "$bench $($1 counters.json)"
    done
    [ "$1" = exits ] || return 0                      # what runs in ring 3 meets the clock's interrupts
    for bench in $USER_BENCHES; do
        on_vmm "run=bench-user only=$bench samples=1 iterations=200" --counters counters.json $2
        [ $status -eq 1 ] || fail "exit status $status of $bench"
        echo "$bench $($1 counters.json)"
    done | sed '/^forkwait/{ s/io=[0-9]* //; s/ interrupt-window=[0-9]*// }'  # takes so long that the guest's own clock ticks
}

# What needs no exit has those of the empty loop.
no_exits() {
    for bench; do
        case $bench in syscall) null=null-user ;; *) null=null ;; esac
        [ "$(sed -n "s/^$bench //p" counts)" = "$(sed -n "s/^$null //p" counts)" ] || fail "$bench leaves the guest: $PWD/counts"
    done
}

# How many pages a program touches depends on who compiled it: another compiler's image is held to the page faults beyond the empty
# loop's, and in ring 3 and for the probes to the rest.
of_any_compiler() {
    awk '
        match($0, /page-fault=[0-9]*/) {
            faults = substr($0, RSTART + 11, RLENGTH - 11)
            if ($1 == "null") null = faults
            ring3 = /^(null-user|syscall|ctxsw|forkwait|probes) /
            $0 = substr($0, 1, RSTART - 1) (ring3 ? "" : "page-fault=" faults - null) substr($0, RSTART + RLENGTH)
        }
        { print }' "$1" >by-hand && mv by-hand "$1"
}

exits_are() {
    grep -v '^#' "$EXPECTED/exits-$1.txt" >expected
    made=$(sed -n 's/^# Page faults are those of the image that \(.*\) makes.*/\1/p' "$EXPECTED/exits-$1.txt")
    if [ -n "$made" ] && ! readelf -p .comment "$ROOT/build/guests/kernel/main.o" | grep -qF "$made"; then
        of_any_compiler counts
        of_any_compiler expected
    fi
    cmp -s counts expected || fail "not the exits of exits-$1.txt: diff $PWD/counts $PWD/expected"
}

# By executed instructions the time of an emulated processor is exact, and so is everything.
test_svm_exits_are_exact()
{
    engine svm
    export QEMU_OPTIONS="-icount shift=0"
    count_benches exits "-m 16" >counts
    on_vmm run=probes --counters counters.json -m 16
    echo "probes $(exits counters.json)" >>counts
    no_exits cli-sti pushf-popf pgfault syscall mov-to-cr3 invlpg int-iret divzero
    exits_are svm
}
test_svm_shadow_exits_are_exact()
{
    engine svm-shadow
    export QEMU_OPTIONS="-icount shift=0"
    count_benches exits "-m 16" >counts
    on_vmm run=probes --counters counters.json -m 16
    echo "probes $(exits counters.json)" >>counts
    no_exits cli-sti pushf-popf syscall int-iret divzero
    exits_are svm-shadow
}
test_kvm_exits_are_exact()
{
    engine kvm
    count_benches exits_of_kvm '' >counts
    no_exits cli-sti pushf-popf pgfault mov-to-cr3 invlpg int-iret divzero cpuid
    exits_are kvm
}
test_bochs_exits_are_exact()
{
    engine vmx
    count_benches exits "-m 16" >counts
    on_vmm run=probes --counters counters.json -m 16
    echo "probes $(exits counters.json)" >>counts
    no_exits cli-sti pushf-popf pgfault syscall mov-to-cr3 invlpg int-iret divzero
    exits_are vmx
}

# What an exit costs the monitor, in instructions from one of the guest to the next: its own, VMRUN, and the loop's two or three.
test_svm_exits_are_short()
{
    engine svm
    export QEMU_OPTIONS="-icount shift=0"
    for pair in in:600 cpuid:250; do
        on_vmm "run=bench only=${pair%:*} samples=1 iterations=1000"
        cost=$(awk '$1 == "BENCH" { print int($4 / $3) }' transcript | tr -d '\r')
        [ -n "$cost" ] && [ "$cost" -le "${pair#*:}" ] || fail "$cost instructions for ${pair%:*}, not at most ${pair#*:}"
    done
}

# ---- the monitor ---------------------------------------------------------------------------------------

# A guest that tries all it can reach from ring 0: run-bare compares the checksums of what is not the guest's.
contained() {
    status=0
    # shellcheck disable=SC2086
    timeout -k 1 120 "$VMM" $OPTIONS -kernel "$ROOT/build/tests/bad/contain-sparse" --timeout 100 >transcript 2>stderr </dev/null ||
        status=$?
    [ $status -ne 6 ] || skip "$(head -n 1 stderr)"
    [ $status -eq 1 ] || fail "exit status $status: $(head -n 1 stderr)"
    grep -aq 'checksum \([0-9a-f]*\) at the start, \1 at the end$' stderr || fail "no word on the monitor's memory in $PWD/stderr"
}
test_svm_keeps_its_guest_in() { engine svm; contained; }
test_svm_shadow_keeps_its_guest_in() { engine svm-shadow; contained; }
test_bochs_vmx_keeps_its_guest_in() { engine vmx; contained; }
test_bochs_svm_keeps_its_guest_in() { engine svm-bochs; contained; }

# What a review found wrong once: see the guests.
went_wrong_once() {
    for name in cross hltstep rfgp msr dr7 bp sizing cachebits "$@"; do
        bad 11 '' -kernel "$(guest $name)" --timeout 10
    done
    bad 3 '' -kernel "$(guest mods)" -initrd "$ROOT/README.md"
}
test_svm_guests_that_went_wrong_once() { engine svm; went_wrong_once v86; }
test_svm_shadow_guests_that_went_wrong_once() { engine svm-shadow; went_wrong_once v86 invlpg4m; }
# QEMU has neither #AC nor INT1, nor does it clear DR7.GD.
test_bochs_vmx_guests_that_went_wrong_once()
{
    engine vmx
    went_wrong_once v86 int1 drgd
    bad 124 'within 2 s' -kernel "$(guest acloop)" --timeout 2
}
# Bochs 2.7 ends itself when SVM leaves virtual-8086 mode, and loses BD.
test_bochs_svm_guests_that_went_wrong_once()
{
    engine svm-bochs
    went_wrong_once int1
    bad 124 'within 2 s' -kernel "$(guest acloop)" --timeout 2
}

# Multiboot's lines end names at blanks and modules at commas; a line too long is refused, not cut.
test_svm_takes_any_path()
{
    engine svm
    mkdir 'a b,c'
    cp "$KERNEL" 'a b,c/the kernel,.elf'
    cp "$(guest mods)" 'a b,c/m,o ds'
    bad 1 '' -kernel 'a b,c/the kernel,.elf' -append run=race
    bad 3 '' -kernel 'a b,c/m,o ds' -initrd 'a b,c/the kernel,.elf'
    bad 2 'longer than 1,023 characters' -kernel "$KERNEL" -append "$(printf '%01100d' 0)"
}

# Without AMD-V and VT-x it says so.
test_svm_needs_a_processor()
{
    engine svm
    got=0
    # shellcheck disable=SC2086
    QEMU_OPTIONS="-cpu max,-svm" timeout -k 1 60 "$VMM" $OPTIONS -kernel "$KERNEL" >transcript 2>stderr </dev/null || got=$?
    [ $got -eq 6 ] || fail "exit status $got on a processor without AMD-V and VT-x"
    grep -q 'this processor has neither AMD-V nor VT-x' stderr || fail "no sentence in $PWD/stderr"
}
