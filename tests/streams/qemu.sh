# A sample of generated streams on a processor that is not ours: see write.c and guest.asm. Sourced by tests/run.

# Every line QEMU prints, ENGINE... print: user code run directly or translated, with a cache that evicts, or interpreted.
streams_as_on_qemu() {
    KERNEL=$ROOT/build/tests/streams.elf
    on_qemu "" "$KERNEL"
    [ $status -eq 1 ] || fail "exit status $status on QEMU"
    mv transcript on-qemu
    for engine; do
        engine $engine
        on_vmm ""
        [ $status -eq 1 ] || fail "exit status $status under $engine"
        cmp -s on-qemu transcript || fail "$engine: diff $PWD/on-qemu $PWD/transcript"
    done
    [ "$(grep -c '^[0-9A-F]\{8\} ' on-qemu)" -eq 1000 ] || fail "not 1000 streams in $PWD/on-qemu"
}
test_streams_translated() { streams_as_on_qemu bt bt-all bt-small; }
test_streams_interpreted() { streams_as_on_qemu emu; }

# Some that are picked end as in the table that has all: they are the same.
test_streams_picked()
{
    engine emu
    KERNEL=$ROOT/build/tests/streams.elf
    on_vmm ""
    grep '^[0-9A-F]\{8\} ' transcript | sed -n '1p; 5p; 6p; 700p' >want
    "$ROOT/build/tests/streams" --write picked --only "$(sed 's/^/0x/; s/ .*//' want | paste -s -d ,)"
    nasm -f elf32 -I"$ROOT/tests/bad/" -DTABLE="'picked'" -o picked.o "$ROOT/tests/streams/guest.asm" &&
        ld -m elf_i386 -T "$ROOT/tests/bad/guest.ld" -o picked.elf picked.o || fail "no guest of what was picked"
    KERNEL=$PWD/picked.elf
    on_vmm ""
    grep '^[0-9A-F]\{8\} ' transcript | cmp -s want - || fail "not the four of $PWD/want: $PWD/transcript"
    [ "$(wc -l <want)" -eq 4 ] || fail "not four: $PWD/want"
}

# Under trap-emulate SGDT shows the host's GDTR: of a random guest that has one it alone is left.
test_random_guest_is_cut_down()
{
    cannot=$("$ROOT/build/tests/streams" --streams 0 | sed -n 's/^skip streams: //p')
    [ -z "$cannot" ] || skip "$cannot"
    # shellcheck disable=SC2031
    (cd "$ROOT" && sh tests/random-guests --shrink trap 1 2) >shrunk 2>&1
    [ "$(grep -c '^  0002' shrunk)" -eq 1 ] && grep -q 'sgdt \[' shrunk || fail "not SGDT alone: $PWD/shrunk"
    [ "$(grep -c ' QEMU$' shrunk)" -eq 1 ] && [ "$(grep -c ' trap$' shrunk)" -eq 1 ] || fail "not two ends: $PWD/shrunk"
}
