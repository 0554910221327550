# The wall around the hosted VMMs (machine/wall.h): it is there, it is in nobody's way, and it holds. Sourced by tests/run, which has
# the helpers. What it forbids, call by call, is in tests/unit/test_wall.c.

# With the wall and without: the same guest, the same output, and whoever leaves the wall out is told.
test_vmm_wall()
{
    on_vmm run=demo
    [ $status -eq 1 ] || fail "exit status $status behind the wall"
    ! grep -q sandbox stderr || fail "a word about the sandbox that nobody asked for: $PWD/stderr"
    mv transcript walled
    on_vmm run=demo --no-sandbox
    [ $status -eq 1 ] || fail "exit status $status without the wall"
    grep -q -e '--no-sandbox: there is no wall.*debugging only' stderr || fail "no warning in $PWD/stderr"
    cmp -s walled transcript || fail "diff $PWD/walled $PWD/transcript"
}

# escape NAME OPTION...: build tests/bad/escape.asm as ./NAME with options of nasm.
escape()
{
    name=$1
    shift
    nasm -f elf32 -I"$ROOT/tests/bad/" "$@" -o "$name.o" "$ROOT/tests/bad/escape.asm"
    ld -m elf_i386 -T "$ROOT/tests/bad/guest.ld" -o "$name" "$name.o"
}

escaping()
{
    status=0
    timeout 20 setarch -R "$VMM" -kernel guest "$@" >transcript 2>stderr </dev/null || status=$?
    [ $status -ne 6 ] || cannot "$(head -n 1 stderr)"
}

# The selector of syscall user dispatch stands between a guest in 64-bit mode and Linux. One that knows where it is (here nothing is
# where chance put it, and the guest is told) meets the wall; without the wall it opens a file and ends the VMM as it likes.
test_wall_holds_an_escaped_guest()
{
    setarch -R true 2>/dev/null || skip "setarch -R is not allowed here"
    VMM=$ROOT/build/trap-emulate
    world=$(nm "$VMM" | sed -n 's/^\([0-9a-f]*\) . direct_world$/\1/p')
    selector=$(sed -n 's/^%define WORLD_DISPATCH \(.*\)/\1/p' "$ROOT/build/include/offsets.inc")
    escape guest "-DSELECTOR=0x555555554000 + 0x$world + $selector"
    escaping
    [ $status -eq 12 ] || fail "exit status $status, not 12, with the wall: $PWD/stderr"
    grep -q 'the wall: system call 257 .*the guest made it' stderr || fail "no sentence in $PWD/stderr"
    escaping --no-sandbox
    [ $status -eq 77 ] || fail "exit status $status, not 77, without the wall: does the guest still escape?"
}

# One that does not know is stopped before: its system call is a signal.
test_wall_is_not_all_there_is()
{
    escape guest
    VMM=$ROOT/build/trap-emulate
    for option in '' --no-sandbox; do
        status=0
        timeout 20 "$VMM" -kernel guest $option >transcript 2>stderr </dev/null || status=$?
        [ $status -ne 6 ] || cannot "$(head -n 1 stderr)"
        [ $status -eq 4 ] || fail "exit status $status, not 4"
        grep -q "code segment of Linux's own" stderr || fail "no sentence in $PWD/stderr"
    done
}

# From outside, while the guest runs: nothing is writable and executable at once but the guest's own pages, nothing is open that nobody
# uses. What only root may see of such a process, others skip.
test_vmm_wall_from_outside()
{
    # shellcheck disable=SC2086
    "$VMM" $OPTIONS -kernel "$KERNEL" -append "run=soak seconds=3 hz=100" 7</dev/null >transcript 2>stderr </dev/null &
    vmm=$!
    sleep 1
    cat /proc/$vmm/status >process
    { cat /proc/$vmm/maps >maps; ls -l /proc/$vmm/fd >files; } 2>refused
    status=0
    wait $vmm || status=$?
    [ $status -ne 6 ] || cannot "$(head -n 1 stderr)"
    [ $status -eq 1 ] || fail "exit status $status"
    grep -q '^Seccomp:.*2' process && grep -q '^NoNewPrivs:.*1' process || fail "no filter, or new privileges: $PWD/process"
    [ ! -s refused ] || skip "only root may look at its memory and descriptors"
    ! awk '$2 ~ /wx/' maps | grep -v 'memfd:guest-ram' || fail "writable and executable memory of the VMM's own: $PWD/maps"
    ! grep -- '->' files | grep -Ev ' [012] -> | -> /memfd:guest-ram' || fail "open for nobody: $PWD/files"
}

# The adversary, guests/escape: each attempt has the verdict that tests/expected/escape.txt says, and none gets out.
escapes()
{
    setarch -R true 2>/dev/null || skip "setarch -R is not allowed here"
    command -v pgrep >where || skip "pgrep is not installed (procps)"
    status=0
    (cd "$ROOT" && sh tests/escape.sh "$1") >verdicts 2>refused || status=$?
    [ $status -ne 6 ] || cannot "$(head -n 1 refused)"
    [ $status -eq 0 ] || fail "exit status $status: $PWD/refused"
    sh "$ROOT/tests/escape.sh" column "$EXPECTED/escape.txt" "${2-$1}" >expected
    [ "$(wc -l <expected)" -ge 60 ] || fail "no more than $(wc -l <expected) attempts"
    ! grep ' out$' verdicts || fail "a guest got out: $PWD/verdicts"
    awk 'NR == FNR { is[$1] = $2; next }
         !($1 in is) || is[$1] !~ "^(" $2 ")$" { print $1 ": " is[$1] ", not " $2 }
         { delete is[$1] }
         END { for (name in is) print name ": not expected" }' verdicts expected >difference
    [ ! -s difference ] || fail "$(wc -l <difference) verdicts are not those of tests/expected/escape.txt: $PWD/difference"
}
test_vmm_wall_escape()
{
    case ${NAME%%.*} in
    bt-small) escapes bt-small bt-all ;;                    # the same, and the cache full all the time
    *) escapes "${NAME%%.*}" ;;
    esac
}
test_svm_escape() { engine svm; escapes svm; }
test_bochs_kvm_escape() { engine kvm; escapes kvm; }            # some minutes: with check-bochs

# Every byte of the ELF and multiboot headers, spoilt three ways: the VMM says no, or runs what it got, and never breaks.
test_wall_spoilt_headers()
{
    [ "$(od -An -tx1 -j4096 -N4 "$(guest good)" | tr -d ' ')" = 02b0ad1b ] || fail "no multiboot header at 4096 of $(guest good)"
    for offset in $(seq 0 115) $(seq 4096 4107); do
        for byte in 000 177 377; do
            spoil "$offset" $byte
            got=0
            timeout -k 1 10 "$VMM" -kernel spoiled --timeout 1 >stdout 2>stderr </dev/null || got=$?
            [ $got -ne 6 ] || cannot "$(head -n 1 stderr)"
            case $got in 1 | 2 | 4 | 124) ;; *) fail "exit status $got from byte $offset, octal $byte: $PWD/spoiled" ;; esac
        done
    done
}
