# What hardware assistance has of its own. Sourced by tests/run, which has the helpers. Engines: the bare monitor on QEMU (svm) and
# Bochs (vmx, svm-bochs), with nested paging and without, and KVM: this host's if it can, else that of a Linux in QEMU (kvm), and
# that of a Linux in Bochs (kvm-vmx).

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
