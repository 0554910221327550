# What paravirtualization has of its own: who runs what, what a hypercall counts, how page tables are updated. Sourced by
# tests/run, which has the helpers.

# Each kernel refuses the other's machine with a sentence.
test_pv_wants_its_kernel()
{
    engine pv
    KERNEL=$NATIVE
    on_vmm ""
    [ $status -eq 2 ] || fail "exit status $status for a kernel without the note"
    grep -q 'kernel.elf: it has no paravirt note' stderr || fail "it does not say why: $PWD/stderr"
    for word in --gate=door --trace=blocks; do
        status=0
        "$VMM" $word -kernel "$NATIVE" 2>said || status=$?
        [ $status -eq 2 ] && grep -q -e "$word" said || fail "exit status $status for $word: $PWD/said"
    done
}

bare_is_refused() {
    [ $status -eq 3 ] || fail "exit status $status, not 3"
    grep -q 'bound to hypercalls: run it by build/paravirt' transcript || fail "no sentence in $PWD/transcript"
}
test_qemu_pv_kernel_is_refused() { on_qemu "" "$ROOT/build/guests/kernel-pv.elf"; bare_is_refused; }
test_pv_kernel_is_refused_by_others()
{
    for vmm in trap bt; do
        engine $vmm
        KERNEL=$ROOT/build/guests/kernel-pv.elf
        on_vmm ""
        bare_is_refused
    done
}

# A process that executes IN gets #GP. There is no TSS, so no I/O bitmap: to look for one at linear 0 was #PF, or what a process
# had put there.
test_pv_ports_are_the_kernels()
{
    for gate in pv pv-trap; do
        engine $gate
        on_vmm run=selftest
        [ "$(grep -c 'process killed: general protection' transcript)" -eq 1 ] || fail "no #GP in $PWD/transcript"
    done
}

# Both ways of updating page tables, told by the counts: one hypercall each, or 64 at a time.
test_pv_ptes()
{
    engine pv
    for how in each batch; do
        on_vmm "run=forkwait n=20 ptes=$how" --counters $how.json
        verdicts "$FAILS"
        sed -n 's/.*"hypercalls": {.*"mmu_update": \([0-9]*\).*/\1/p' $how.json >$how
    done
    [ "$(cat each)" -gt $((20 * 100)) ] || fail "$(cat each) mmu_update calls of one entry each for 20 processes"
    [ "$(cat batch)" -lt $(($(cat each) / 20)) ] || fail "$(cat batch) calls in batches, $(cat each) one by one"
}

# The same hypercalls by both gates; a signal for each by INT, none by far jumps.
test_pv_gates()
{
    engine pv
    on_vmm "" --counters far.json
    on_vmm "" --gate=trap --counters trap.json
    for gate in far trap; do
        grep '"hypercalls"' $gate.json >$gate
        sed -n 's/.*"software-interrupt": \([0-9]*\).*/\1/p' $gate.json >$gate.signals
    done
    cmp -s far trap || fail "diff $PWD/far $PWD/trap"
    [ "$(cat far.signals)" -eq 0 ] || fail "$(cat far.signals) signals at the far gate"
    hypercalls=$(grep -o ': [0-9]*' trap | awk '{ n += $2 } END { print n }')
    [ "$(cat trap.signals)" -eq "$hypercalls" ] ||
        fail "$(cat trap.signals) signals for $hypercalls hypercalls at the trapping gate"
}

test_pv_counters_repeat()
{
    engine pv
    for program in "" run=race; do
        for run in first second; do
            on_vmm "$program" --counters $run.json
        done
        cmp -s first.json second.json || fail "two runs of '$program' differ: diff $PWD/first.json $PWD/second.json"
    done
}

# The table in paravirt/README.md is hypercalls.def's.
test_hypercall_table_is_current()
{
    sh "$ROOT/paravirt/hypercall-table.sh" >table
    grep '^| [0-9]* | [a-z_]* | .* | .* | .* |$' "$ROOT/paravirt/README.md" >readme
    tail -n +3 table | cmp -s - readme ||
        fail "paravirt/README.md lags behind hypercalls.def: sh paravirt/hypercall-table.sh prints the new table"
}

# The port is counted, and nothing in the count is 0.
test_pv_port_is_counted()
{
    sh "$ROOT/paravirt/port.sh" >port
    grep -q 'the tiny kernel on this VMM  *[1-9][0-9]* ' port || fail "the port is not counted: $PWD/port"
    [ "$(sed -n '/Replaced by hypercalls/,$p' port | grep -c '^  ')" -ge 10 ] || fail "few are replaced: $PWD/port"
}
