# shellcheck shell=sh
# Faults from outside: the host refuses, takes away, or interferes. Each run ends right, or in a sentence that tells what
# failed and what it means. tests/fault/shim.c makes calls fail. Sourced by tests/run, which has the helpers. SLOW=3, a whole
# number: every time that is waited for is three times as long, for a busy host.

# with_fault FAULT COMMAND...: the command on a host with this fault (shim.c).
with_fault() {
    link_shim
    fault=$1
    shift
    LD_PRELOAD=./shim.so FAULT=$fault "$@"
}

# In the test's directory, which the commands run in: LD_PRELOAD would split a longer path at blanks and colons.
link_shim() { [ -e shim.so ] || ln -s "$ROOT/build/tests/fault/shim.so" shim.so; }

# slowly SECONDS: so many times SLOW.
slowly() { awk "BEGIN { print $1 * ${SLOW:-1} }"; }

# start COMMAND_LINE [OPTION...]: the guest, to ./transcript and ./stderr; its exit status to $status.
start() {
    append=$1
    shift
    status=0
    # shellcheck disable=SC2086
    "$VMM" $OPTIONS -kernel "$KERNEL" -append "$append" --timeout 60 "$@" >transcript 2>stderr </dev/null || status=$?
}

# After a run without a fault: a VMM that this host cannot run has no faults to meet.
must_run() { [ "$status" -ne 6 ] || cannot "$(head -n 1 stderr)"; }

# wait_for LINE: until ./transcript has it, or $vmm has ended, or too long.
wait_for() {
    tries=0
    until grep -q -e "$1" transcript || ! kill -0 "$vmm" || [ $tries -eq 500 ]; do
        sleep "$(slowly 0.02)"
        tries=$((tries + 1))
    done
}

# ended STATUS WORDS: it must have ended with STATUS, and one line of what it said must have these words.
ended() {
    [ "$status" -eq "$1" ] || fail "exit status $status, not $1: $PWD/stderr"
    grep -q -e "$2" stderr || fail "no \"$2\" in $PWD/stderr"
}

# sweep OPTION... ./shim.so VMM ARGUMENT...: see sweep.c. It returns only if no run was wrong.
sweep() {
    link_shim
    status=0
    "$ROOT/build/tests/fault/sweep" "$@" >said 2>&1 || status=$?
    case $status in
    0) echo "ok $NAME: $(tail -n 1 said)" >verdict ;;
    1) fail "$(grep -c '^FAULT=' said) runs, of which $(head -n 1 said)" ;;
    6) cannot "$(tail -n 1 said)" ;;
    *) fail "$(tail -n 1 said)" ;;
    esac
}

# Every call that shim.c knows. For brevity only the first four of each, each either once or from then on, and of the
# later ones three by chance: left out are most of a VMM's later requests for memory and most of the reading of its kernel.
# EVERY=1 leaves out nothing; so does make check-long.
test_vmm_fault_sweep() {
    # shellcheck disable=SC2086
    sweep --status 1 ${EVERY:+--every} --seed "${SEED:-1}" --whole counters.json ./shim.so "$VMM" $OPTIONS \
        -kernel "$KERNEL" -append "run=demo hz=1000" --counters counters.json
}

# The other files and the timeline, whose memory is asked for late. EVERY=1 as above.
test_bt_fault_sweep_of_files() {
    engine bt
    # shellcheck disable=SC2086
    sweep --status 1 ${EVERY:+--every} --seed "${SEED:-1}" --whole page.html --whole profile.json ./shim.so "$VMM" \
        -kernel "$KERNEL" -append run=race --dump-cache page.html --profile profile.json --trace=timeline
}

# Where /dev/kvm is missing or cannot, there is only the refusal to sweep.
test_hwassist_fault_sweep() {
    VMM=$ROOT/build/hwassist expected=1
    start run=race
    [ $status -ne 6 ] || expected=6
    sweep --status $expected ./shim.so "$VMM" -kernel "$NATIVE" -append run=race
    [ $expected -ne 6 ] || echo "ok $NAME: only the refusal is swept, this host cannot more: $(tail -n 1 said)" >verdict
}

# The same behind /dev/kvm, in the nested Linux of tests/nested.
test_bochs_kvm_fault_sweep() {
    echo "sweep build/tests/fault/sweep --status 1 ${EVERY:+--every} --seed ${SEED:-1} build/tests/fault/shim.so build/hwassist" \
        "-kernel build/guests/kernel.elf -append run=race" >list
    (cd "$ROOT" && NESTED_TIMEOUT=3000 sh tests/nested qemu "$OLDPWD/list" "$OLDPWD/nested") >said 2>&1 || status=$?
    [ "${status:-0}" -ne 6 ] || skip "$(tail -n 1 said)"
    [ "${status:-0}" -eq 0 ] || fail "$(tail -n 1 said)"
    [ "$(cat nested/sweep/status)" -eq 0 ] || fail "$(grep -c '^FAULT=' nested/sweep/stdout) runs, of which $(head -n 1 nested/sweep/stdout)"
    echo "ok $NAME: $(tail -n 1 nested/sweep/stdout)" >verdict
}

# What has no right run to compare with must not pass as one that stands every fault.
test_fault_sweep_wants_a_right_run() {
    link_shim
    for want in 2:3:'without a fault it ends with status 3: a sentence' 2:-9:'without a fault it ends with status -9' \
        6:6:'a sentence'; do
        rest=${want#*:}
        end="exit ${rest%%:*}"
        [ "$end" != "exit -9" ] || end="kill -9 \$\$"
        status=0
        "$ROOT/build/tests/fault/sweep" --status 1 ./shim.so /bin/sh -c "echo a sentence >&2; $end" >said 2>&1 || status=$?
        [ $status -eq "${want%%:*}" ] || fail "exit status $status after \"$end\": $PWD/said"
        { [ "$(wc -l <said)" -eq 1 ] && grep -q "^${rest#*:}" said; } || fail "no \"${rest#*:}\" in $PWD/said"
    done
}

# ---- an old kernel, a strict one, another processor --------------------------------------------------

# without FAULT WORDS: what is refused, and how.
without() {
    status=0
    with_fault "$1" "$VMM" -kernel "$KERNEL" -append run=race >transcript 2>stderr </dev/null || status=$?
    ended 6 "$2"
    [ ! -s transcript ] || fail "it printed something all the same"
}

test_fault_kernel_without() {
    for engine in trap bt pv; do
        engine $engine
        start run=race
        must_run
        without prctl:1+:EINVAL 'Linux 5.11 or later is needed: prctl: Invalid argument'
        without modify_ldt:1+:ENOSYS 'CONFIG_MODIFY_LDT_SYSCALL.*sandbox must allow.*Function not implemented'
        without memfd_create:1+:ENOSYS 'memfd_create: Function not implemented'
        without timer_create:1+:EAGAIN 'ulimit -i.*timer_create: Resource temporarily unavailable'
    done
}

# No CPUID faulting: CPUID is one thing more that does not trap. No FSGSBASE: a system call instead. That these two are really
# lacking is the doctor's word, who looks for them by the VMMs' own code; verdicts() takes its conditions from him.
test_vmm_fault_plain_processor() {
    start run=probes
    must_run
    link_shim
    "$ROOT/build/doctor" | grep '^MISSING' >without || true
    for lack in set_cpuid:1+:ENODEV:cpuid.faulting hwcap2:1+:ENOENT:fsgsbase; do
        export LD_PRELOAD=./shim.so FAULT="${lack%:*}"
        "$ROOT/build/doctor" >report || true
        grep -q "^absent *${lack##*:}" report || fail "FAULT=$FAULT: ${lack##*:} is not absent in $PWD/report"
        grep '^MISSING' report | cmp -s - without || fail "FAULT=$FAULT: more is missing: $PWD/report"
        start run=probes
        verdicts "$FAILS"
    done
}

# ---- signals ----------------------------------------------------------------------------------------

# ends_by SIGNAL STATUS: in mid-run, what it printed before is there, as far as the last line.
ends_by() {
    : >transcript
    # shellcheck disable=SC2086
    env --default-signal="$1" "$VMM" $OPTIONS -kernel "$KERNEL" -append "run=demo,soak seconds=$(slowly 20)" \
        >transcript 2>stderr </dev/null &
    vmm=$!
    wait_for 'PROBE demo-in-turn PASS'
    kill -s "$1" $vmm
    status=0
    wait $vmm || status=$?
    must_run
    [ $status -eq "$2" ] || fail "exit status $status, not $2"
    grep -q 'PROBE demo-in-turn PASS' transcript || fail "what the guest had printed is lost: $PWD/transcript"
}

test_vmm_fault_sigterm() {
    env --default-signal=INT true 2>said || skip "env knows no --default-signal (coreutils 8.31)"
    ends_by TERM 143
    ends_by INT 130
}

# The terminal is as it was.
test_fault_terminal() {
    command -v script >where || skip "script is not installed (bsdutils)"
    for engine in trap bt pv emu; do
        KERNEL=$NATIVE
        engine $engine
        start run=race
        must_run
        # shellcheck disable=SC2016
        V=$VMM K=$KERNEL S=$(slowly 0.3) script -qec 'stty -a >before
            timeout --foreground -s TERM "$S" "$V" -kernel "$K" -append "run=soak seconds=30"
            echo $? >ended
            stty -a >after' /dev/null >said </dev/null
        [ "$(cat ended)" -eq 124 ] || fail "$engine: exit status $(cat ended) before it was told to end: $PWD/said"
        [ -s before ] || fail "no terminal to test with: $PWD/said"
        cmp -s before after || fail "$engine: the terminal is left otherwise: diff $PWD/before $PWD/after"
    done
}

# signals SECONDS SIGNAL...: to a guest that counts ticks for two seconds, these beginning after one, with so long between.
# How many milliseconds it stood still, to $took: a busy host sleeps longer than it was asked to.
signals() {
    stopped=$1
    shift
    # shellcheck disable=SC2086
    "$VMM" $OPTIONS -kernel "$KERNEL" -append "run=soak seconds=$((2 * ${SLOW:-1})) hz=1000" --counters counters.json \
        >transcript 2>stderr </dev/null &
    vmm=$!
    sleep "${SLOW:-1}"
    began=$(date +%s%N) took=''
    for signal in "$@"; do
        kill -s "$signal" $vmm
        [ -n "$took" ] || [ "$signal" != CONT ] || took=$((($(date +%s%N) - began) / 1000000))
        sleep "$stopped"
    done
    status=0
    wait $vmm || status=$?
    must_run
}

# Stopped for less than a second it catches up; for more, ticks are lost, and counted. A paravirtual guest counts by a clock.
test_vmm_fault_sigstop() {
    took=1000
    for try in 1 2 3; do
        [ "$took" -lt 900 ] || signals 0.6 STOP CONT
    done
    [ "$took" -lt 900 ] || skip "$try times, this busy host made $took and more ms of 600: SLOW= cannot help here"
    verdicts "$FAILS"
    grep -q '"timer": {"lost": 0}' counters.json || fail "ticks are lost: $PWD/counters.json"
    signals 2 STOP CONT
    { grep -q '^DONE' transcript && [ $((status & ~2)) -eq 1 ]; } || fail "exit status $status: $PWD/transcript"
    [ "${VMM##*/}" = paravirt ] || grep -q '"timer": {"lost": [1-9]' counters.json ||
        fail "no tick is lost in two seconds of standing still: $PWD/counters.json"
}

test_vmm_fault_sigwinch() {
    signals 0.02 WINCH WINCH WINCH WINCH WINCH WINCH WINCH WINCH
    verdicts "$FAILS"
}

# ---- descriptors -------------------------------------------------------------------------------------

# Else the guest's RAM would become descriptor 0, 1 or 2.
test_vmm_fault_closed_descriptors() {
    start run=demo,selftest
    must_run
    mv transcript right
    # shellcheck disable=SC2086
    set -- "$VMM" $OPTIONS -kernel "$KERNEL" -append run=demo,selftest
    "$@" >transcript 2>stderr <&-
    cmp -s transcript right || fail "without stdin: diff $PWD/transcript $PWD/right"
    "$@" >transcript </dev/null 2>&-
    cmp -s transcript right || fail "without stderr: diff $PWD/transcript $PWD/right"
    status=0
    "$@" 2>stderr </dev/null >&- || status=$?
    ended 2 'what the guest prints cannot be written: Bad file descriptor'
    status=0
    "$@" <&- >&- 2>&- || status=$?
    [ $status -eq 2 ] || fail "exit status $status without any descriptor"
}

# A guest that nobody hears is ended, by no signal but with a sentence.
test_vmm_fault_output_that_ends() {
    start ""
    must_run
    {
        while (printf x) 2>said; do sleep 0.02; done        # until nobody hears
        status=0
        # shellcheck disable=SC2086
        "$VMM" $OPTIONS -kernel "$KERNEL" -append run=demo 2>stderr </dev/null || status=$?
        echo $status >status
    } | :
    status=$(cat status)
    ended 2 'cannot be written: Broken pipe'
    status=0
    # shellcheck disable=SC2086
    "$VMM" $OPTIONS -kernel "$KERNEL" -append run=demo >/dev/full 2>stderr </dev/null || status=$?
    ended 2 'cannot be written: No space left on device'
    [ "$(wc -l <stderr)" -eq 1 ] || fail "more than a sentence: $PWD/stderr"
}

# full OPTION: a file that it names is on a full disk.
full() {
    start run=race "$1" /dev/full
    must_run
    ended 2 'cannot write /dev/full: No space left on device'
}
test_vmm_fault_full_disk() { full --counters; }
test_bt_fault_full_disk() { engine bt; full --dump-cache; full --profile; }

# ---- limits ------------------------------------------------------------------------------------------

# The right answer, or this host cannot.
test_vmm_fault_limits() {
    command -v prlimit >where || skip "prlimit is not installed (util-linux)"
    start run=forkwait
    must_run
    mv transcript right
    for limit in as=64000000 as=1000000000 as=4200000000 as=4400000000 as=5000000000 data=10000000 data=50000000 \
        nofile=4 nofile=5 stack=65536 memlock=0 nproc=1 sigpending=0 fsize=1000 fsize=70000000 core=0 rss=1000; do
        status=0
        # shellcheck disable=SC2086
        timeout -k 1 "$(slowly 20)" prlimit --"$limit" "$VMM" $OPTIONS -kernel "$KERNEL" -append run=forkwait \
            >transcript 2>stderr </dev/null || status=$?
        case $status in
        1) cmp -s transcript right || fail "prlimit --$limit: diff $PWD/transcript $PWD/right" ;;
        2) grep -q 'cannot be read (Too many open files)' stderr || fail "exit status 2 from prlimit --$limit: $PWD/stderr" ;;
        6) grep -q 'memory\|ulimit' stderr || fail "prlimit --$limit: no reason in $PWD/stderr" ;;
        *) fail "exit status $status from prlimit --$limit: $PWD/stderr" ;;
        esac
    done
}

# ---- results on a full disk --------------------------------------------------------------------------

# quadbench writes what it found behind what is there, then renames: what an earlier run left stays, and RESUME=1 needs no
# new run.
test_fault_bench_on_full_disk() {
    mkdir build
    ln -s "$ROOT/build/quadbench" "$ROOT/build/calibrate" "$ROOT/build/native-twin" build/
    set -- build/quadbench --quick --runs 1 --engines native --filter null
    "$@" 2>stderr || fail "exit status $? on a healthy disk: $PWD/stderr"
    for fault in fwrite:1:ENOSPC fwrite:3:ENOSPC fwrite:9+:ENOSPC rename:1:ENOSPC rename:2:ENOSPC; do
        cp build/bench/results.* .
        status=0
        with_fault $fault "$@" 2>stderr || status=$?
        [ $status -eq 1 ] || [ $status -eq 2 ] || fail "FAULT=$fault: exit status $status"
        grep -q 'quadbench: build/bench/.*: No space left on device' stderr || fail "FAULT=$fault: no reason in $PWD/stderr"
        case $fault in
        rename:2:*) cmp -s results.csv build/bench/results.csv || fail "FAULT=$fault: results.csv is not what it was" ;;
        *) cmp -s results.json build/bench/results.json || fail "FAULT=$fault: results.json is not what it was" ;;
        esac
    done
    "$@" --resume 2>stderr || fail "exit status $? from --resume: $PWD/stderr"
    ! cmp -s results.json build/bench/results.json || fail "--resume has written nothing"
    set -- build/bench/*.new
    [ ! -e "$1" ] || fail "$1 is left behind"
}

# ---- what stays behind -------------------------------------------------------------------------------

# What of this host a VMM could leave: processes, files, shared memory, System V objects; and open files and shared KiB of all
# processes, which others change as well: at length, what a guest's RAM of a MiB in each cycle would come to shows beside them.
left_over() {
    grep -la 'mark=[c]ycles' /proc/[0-9]*/cmdline 2>/dev/null | wc -l
    find "$TMPDIR" /dev/shm 2>/dev/null | wc -l
    cat /proc/sysvipc/* | wc -l
    find . | wc -l
    cut -f 1 /proc/sys/fs/file-nr
    sed -n 's/^Shmem: *\([0-9]*\) kB/\1/p' /proc/meminfo
}

# Those of ENGINE... that run here; why another does not, is in ./without.
that_run() {
    for each; do
        KERNEL=$NATIVE
        engine "$each"
        start run=race
        if [ $status -eq 6 ]; then
            must_agree "$(head -n 1 stderr)"
            head -n 1 stderr >without
        else
            echo "$each"
        fi
    done
}

# Start and stop, each VMM in turn; every tenth is killed while it runs. What a cycle leaves would show CYCLES-fold.
test_fault_cycles() {
    cycles=${CYCLES:-140} n=0
    export TMPDIR="$PWD/tmp"
    mkdir tmp
    : >after
    : >without
    that_run trap bt bt-all bt-patch emu pv pv-trap >those
    run_here=$(tr '\n' ' ' <those)
    left_over >before
    while [ $n -lt "$cycles" ]; do
        for engine in $run_here; do
            KERNEL=$NATIVE
            engine $engine
            n=$((n + 1))
            deadline=$(slowly 60) right=1
            [ $engine != trap ] || right=3                  # POPF does not trap: it fails the race
            [ $((n % 10)) -ne 0 ] || deadline=0.004
            status=0
            # shellcheck disable=SC2086
            timeout -s KILL "$deadline" "$VMM" $OPTIONS -kernel "$KERNEL" -append "run=race mark=cycles" \
                >transcript 2>stderr </dev/null || status=$?
            [ $status -eq $right ] || { [ $status -eq 137 ] && [ $((n % 10)) -eq 0 ]; } ||
                fail "$engine: exit status $status, not $right, in cycle $n"
        done
    done
    late=0
    while grep -qa 'mark=[c]ycles' /proc/[0-9]*/cmdline 2>/dev/null && [ $late -lt 50 ]; do
        sleep 0.1                                       # the last one was killed: it may take a moment to end
        late=$((late + 1))
    done
    left_over >after
    paste before after | awk -v n=$n '
        BEGIN {
            split("processes,files,System V objects,files here,open files of the host,KiB of shared memory", what, ",")
            most[5] = n / 2 + 2000                  # others open some: less than one for each cycle, if there are 5,000
            most[6] = n * 100 + 200000              # likewise: less than a MiB
        }
        {
            judged = NR < 5 || n >= 5000
            print what[NR] ": " $1 " before, " $2 " after" (judged ? "" : " (not judged: fewer than 5000 cycles)") > "counts"
            if (judged && $2 - $1 > most[NR] + 0) print what[NR] ": " $2 - $1 " more"
        }' >why
    [ ! -s why ] || fail "after $n cycles: $(head -n 1 why); see $PWD/counts"
    echo "ok $NAME: $n starts of ${run_here% }; $(tr '\n' ';' <counts) $(sed 's/^/without the others: /' without)" >verdict
}
