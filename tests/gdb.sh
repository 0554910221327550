# --gdb, with the real gdb: breakpoints set before paging is on, in the kernel and in a process, steps, registers, memory, ^C. Sourced
# by tests/run, which has the helpers.

# gdb_on KERNEL APPEND COMMAND... or a file of them: what gdb says goes to ./said. A SIGINT comes after INTERRUPT seconds, if that is set.
gdb_on()
{
    command -v gdb >where || skip "gdb is not installed (make packages-labs)"
    kernel=$1 append=$2 port=$((20000 + ($$ + $(date +%N | sed 's/^0*//')) % 30000))
    shift 2
    # shellcheck disable=SC2086
    timeout -k 1 60 "$VMM" $OPTIONS -kernel "$kernel" -append "$append" --gdb=$port --timeout 50 >transcript 2>stderr </dev/null &
    guest=$!
    tries=0
    until grep -q 'waiting for gdb' stderr 2>/dev/null; do
        tries=$((tries + 1))
        kill -0 $guest 2>/dev/null && [ $tries -lt 100 ] || { wait $guest; [ $? -ne 6 ] || cannot "$(head -n 1 stderr)"; fail "no gdb can come: $PWD/stderr"; }
        sleep 0.1
    done
    if [ -f "$1" ]; then cp "$1" commands; else printf '%s\n' "$@" >commands; fi
    timeout -k 1 50 gdb -q -batch -nx -ex "target remote :$port" -x commands "$kernel" >said 2>&1 &
    debugger=$!
    [ -z "${INTERRUPT-}" ] || { sleep "$INTERRUPT"; pkill -INT -P $debugger; }
    wait $debugger
    wait $guest
    status=$?
}

# What gdb must have said to the commands of tests/gdb-breakpoints: in ./said.
gdb_breaks()
{
    for text in 'Breakpoint 1, irq_init ' 'eip  *0x[0-9a-f]*  *0x[0-9a-f]* <irq_init+[1-9]' '\$1 = 0x600df00d' 'Breakpoint 2, trap ' \
        '\$2 = 3' 'emporary breakpoint 3, '; do
        grep -q "$text" said || fail "gdb does not say \"$text\": $PWD/said"
    done
}

test_vmm_gdb()
{
    case $VMM in
    */hwassist) [ -z "$NESTED" ] || { gdb_in_nested; return; } ;;
    *run-bare)                                  # QEMU and Bochs have a debugger
        status=0
        "$VMM" $OPTIONS -kernel "$KERNEL" --gdb >said 2>stderr </dev/null || status=$?
        [ $status -eq 2 ] && grep -q gdb stderr || fail "exit status $status, or no sentence: $PWD/stderr"
        return
        ;;
    esac
    gdb_on "$KERNEL" run=selftest "$ROOT/tests/gdb-breakpoints"
    gdb_breaks
    [ $status -eq 1 ] || fail "exit status $status: $PWD/stderr"
    verdicts "$FAILS"
}

# A guest that spins is stopped by ^C, and goes on.
test_raw_gdb_interrupts()
{
    INTERRUPT=2
    gdb_on "$ROOT/build/tests/bad/spin" "" continue "info symbol \$pc" kill
    grep -q 'Program received signal SIGINT' said && grep -q 'spinning' said || fail "no ^C: $PWD/said"
    [ $status -eq 10 ] || fail "exit status $status: $PWD/stderr"
}

# A debugger that is killed, while the guest stands at a breakpoint or while it runs towards one: the guest goes on without.
test_vmm_gdb_vanishes()
{
    gdb_on "$KERNEL" run=selftest "break trap" continue "shell kill -KILL \$PPID"
    grep -q 'Breakpoint 1, trap ' said || fail "gdb did not get there: $PWD/said"
    [ $status -eq 1 ] || fail "exit status $status: $PWD/stderr"
    verdicts "$FAILS"
    gdb_on "$KERNEL" "run=soak seconds=2 hz=100" "break report" "shell (sleep 1; kill -KILL \$PPID) &" continue
    grep -q 'Breakpoint 1 at' said && ! grep -q 'Breakpoint 1, ' said || fail "gdb was not killed before: $PWD/said"
    [ $status -eq 1 ] || fail "exit status $status: $PWD/stderr"
    verdicts "$FAILS"
}
