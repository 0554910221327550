# Bad input: none of it may crash a VMM, each has its exit status and a message that says what and where.
# Sourced by tests/run, which has the helpers; $VMM is the VMM under test. Guests: tests/bad/.

# bad STATUS TEXT ARGUMENTS...: the VMM must end with STATUS ("4|124": either) and say TEXT (an extended regular expression; may be empty).
bad() {
    want=$1 text=$2
    shift 2
    got=0
    timeout -k 1 120 "$VMM" $OPTIONS "$@" >stdout 2>stderr </dev/null || got=$?
    [ "$got" -ne 6 ] || cannot "$(head -n 1 stderr)"
    echo "$got" | grep -Eqx "$want" || fail "exit status $got, not $want, from: $VMM $*"
    [ -z "$text" ] || grep -Eq -e "$text" stderr || fail "no /$text/ in what it says: $VMM $* (in $PWD/stderr)"
}

# A processor with virtualization runs what others must refuse: there, memory that is not there answers like a bus.
by_hardware() {
    case $VMM in */run-bare | */hwassist) return 0 ;; esac
    return 1
}

# So does an interpreter.
like_a_bus() {
    by_hardware || [ "${VMM##*/}" = emulation ]
}

guest() {
    echo "$ROOT/build/tests/bad/$1"
}

# spoil OFFSET BYTES...: a copy of the good guest, ./spoiled, with these bytes (octal) at this offset.
# Offsets: ELF header at 0; program headers of 32 bytes at 52 and 84 (type, offset, vaddr, paddr, filesz, memsz).
spoil() {
    offset=$1
    shift
    cp "$(guest good)" spoiled
    for byte in "$@"; do
        printf "\\$byte" | dd of=spoiled bs=1 seek="$offset" conv=notrunc 2>/dev/null
        offset=$((offset + 1))
    done
}

test_bad_files() {
    bad 2 'no-such-file: cannot be read \(No such file' -kernel no-such-file
    bad 2 'cannot be read \(Is a directory' -kernel .
    : >empty
    bad 2 'empty: not an ELF file' -kernel empty
    echo '#!/bin/sh' >script
    bad 2 'script: not an ELF file' -kernel script
    bad 2 '64-bit' -kernel "$ROOT/build/doctor"
    bad 2 'no-such-module: cannot be read' -kernel "$(guest good)" -initrd no-such-module
    for bytes in 20 60 100 4100; do
        head -c $bytes "$(guest good)" >cut
        bad 2 'cut: truncated' -kernel cut
    done
}

test_bad_elf() {
    spoil 84 1
    bad 1 '' -kernel spoiled
    spoil 97 000
    bad 2 'segments 0 and 1 overlap' -kernel spoiled
    spoil 104 377 377 377 377
    bad 2 'does not fit into 64 MiB' -kernel spoiled
    spoil 100 377 377 377 377
    bad 2 'truncated: segment 1' -kernel spoiled
    spoil 96 000 377 377 377
    bad 2 'does not fit into 64 MiB' -kernel spoiled
    spoil 44 377 377
    bad 2 '65535 program headers' -kernel spoiled
    spoil 24 000 000 000 000
    bad 2 'entry point 0 ' -kernel spoiled
    spoil 4096 000
    bad 2 'no multiboot 1 header' -kernel spoiled
    bad 2 'does not fit into 1 MiB' -m 1 -kernel "$(guest good)"
}

test_bad_usage() {
    bad 2 'kernel FILE is needed'
    bad 2 'no option -smp' -kernel "$(guest good)" -smp 2
    bad 2 '-m 1025: give' -kernel "$(guest good)" -m 1025
    bad 2 'no option.*--frobnicate' -kernel "$(guest good)" --frobnicate
    bad 2 '--timeout x: give' -kernel "$(guest good)" --timeout x
    bad 0 '' --help
    bad 0 '' --version
}

# A patched kernel in a cache that is too small for its patches: INT3 does the rest.
test_bt_patch_in_a_small_cache() {
    engine bt-patch
    for size in 8K 12K 64K; do
        for program in race demo forkwait; do
            on_vmm run=$program --cache=$size
            [ $status -eq 1 ] || fail "exit status $status: run=$program, --cache=$size"
        done
    done
}

# What binary-translation alone has.
test_bt_bad_options() {
    engine bt
    kernel=$(guest good)
    bad 2 '--cache=7K: give a size from 8K to 32M' -kernel "$kernel" --cache=7K
    bad 2 '--cache=33M' -kernel "$kernel" --cache=33M
    bad 2 '--cache=4Q' -kernel "$kernel" --cache=4Q
    bad 2 '--cache=: give' -kernel "$kernel" --cache=
    bad 1 '' -kernel "$kernel" --cache=8K
    bad 1 '' -kernel "$kernel" --cache=8192
    bad 2 'only kernel and all' -kernel "$kernel" --translate=some
    bad 2 'only translate and patch' -kernel "$kernel" --strategy=trap
    bad 2 'makes no sense' -kernel "$kernel" --strategy=patch --translate=all
    bad 2 'hardly any' -kernel "$kernel" --strategy=patch --dump-cache=x.html
    bad 0 '' --help
    grep -q -e '--strategy=WHICH' stdout || fail "--help does not tell of --strategy"
}

test_bad_jump_to_nowhere() {
    bad 4 'eip 0008:8badf00d' -kernel "$(guest nowhere)"
    bad 4 'ebx 600dbeef' -kernel "$(guest nowhere)"
    like_a_bus || bad 4 '0x8badf' -kernel "$(guest nowhere)"
}

test_bad_triple_fault() {
    bad 4 'triple fault' -kernel "$(guest triple-fault)"
    bad 4 'provoke\+0x0' -kernel "$(guest triple-fault)"
    bad 4 'ecx 12345678' -kernel "$(guest triple-fault)"
    by_hardware && int3='' ud2='' || int3='.*int3' ud2='.*ud2'      # run-bare has no disassembler
    bad 4 "at eip: cc $int3" -kernel "$(guest triple-fault)"
    bad 4 "at eip: 0f 0b $ud2" -kernel "$(guest undefined)"
    bad 4 'undefined_here\+0x0' -kernel "$(guest undefined)"
}

test_bad_endless_loop() {
    bad 124 'within 1 s' -kernel "$(guest spin)" --timeout 1
    bad 124 'spinning\+0x0' -kernel "$(guest spin)" --timeout 1
}

# A timer that ticks faster than a monitor enters the guest: it gets on, and ends.
test_bad_timer_storm() {
    bad 11 '' -kernel "$(guest pitstorm)" --timeout 10
}

# One that is set anew at each tick: each moves the deadline. On QEMU too.
test_bad_timer_set_anew() {
    bad 11 '' -kernel "$(guest oneshot)" --timeout 10
    on_qemu "" "$(guest oneshot)"
    [ "$status" -eq 11 ] || fail "exit status $status, not 11, on QEMU"
}

test_bad_int80_is_the_guests_own() {
    bad 11 '' -kernel "$(guest int80)"
}

test_bad_beyond_ram() {
    if like_a_bus; then
        bad 1 '' -m 2 -kernel "$(guest beyond-ram)"
        return
    fi
    bad 4 '0x00200000.*beyond its 2 MiB' -m 2 -kernel "$(guest beyond-ram)"
    bad 4 'over_the_end\+0x0' -m 2 -kernel "$(guest beyond-ram)"
    bad 4 '0x0020000.*beyond its 2 MiB' -m 2 -kernel "$(guest edge-of-ram)"
}

# Page tables of ones lead to ones, which are no instruction, or to addresses beyond 4 GiB: by hardware, such a guest
# may also go on for ever.
test_bad_tables() {
    if like_a_bus; then
        for name in wild-cr3 wild-gdt wild-stack; do
            bad '4|124' '' -kernel "$(guest $name)" --timeout 1
        done
        return
    fi
    bad 4 'turn_on' -kernel "$(guest wild-cr3)"
    bad 4 'load_it' -kernel "$(guest wild-gdt)"
    bad 4 '0x6ffff' -kernel "$(guest wild-stack)"
}

# What a review found wrong once: see the guests, and why a processor does otherwise. On QEMU too, which leaves
# out limits of code segments (jmplimit, branchub).
test_bad_guests_that_once_went_wrong() {
    on_real_limits="jmplimit branchub"
    [ "$FAILS" != "$EXPECTED/qemu.txt" ] || on_real_limits=''
    for name in global invlpg4m usertop topbyte expand16 rf midpop $on_real_limits; do
        bad 11 '' -kernel "$(guest $name)" --timeout 10
    done
    case $VMM in
    *trap-emulate) bad 4 'changed its privilege by a far transfer' -kernel "$(guest jmpldt)" ;;
    *) bad 11 '' -kernel "$(guest jmpldt)" ;;
    esac
    for name in global invlpg4m usertop topbyte expand16 rf midpop jmpldt uartrx; do
        on_qemu "" "$(guest $name)"
        [ "$status" -eq 11 ] || fail "exit status $status, not 11, on QEMU: $(guest $name)"
    done
}

# Standard input stays open, and silent.
test_raw_serial_input_that_never_comes() {
    mkfifo silent
    got=0
    timeout -k 1 20 "$VMM" $OPTIONS -kernel "$(guest uartrx)" --timeout 10 0<>silent >stdout 2>stderr || got=$?
    [ "$got" -ne 6 ] || skip "$(head -n 1 stderr)"
    [ "$got" -eq 11 ] || fail "exit status $got, not 11"
}

# The pipe fills up, and the timer's signal finds the VMM in write().
test_raw_slow_reader_gets_all() {
    {
        got=0
        timeout -k 1 60 "$VMM" $OPTIONS -kernel "$(guest print)" --timeout 50 2>stderr </dev/null || got=$?
        echo "$got" >status
    } | (sleep 1; wc -c) >count
    [ "$(cat status)" -ne 6 ] || skip "$(head -n 1 stderr)"
    [ "$(cat status)" -eq 11 ] || fail "exit status $(cat status), not 11"
    [ "$(cat count)" -eq 240000 ] || fail "$(cat count) of 240000 bytes arrived"
}
