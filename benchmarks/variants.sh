#!/bin/sh
# What was tried and not taken, measured again: `make variants`. Each variant is a copy of the sources with one line changed; they are
# timed in turn, ROUNDS times (10), and the fastest sample counts. A minute. The tables come to build/bench/variants-*.md, from
# where `make readme-figures` takes them:
#   sh benchmarks/variants.sh [--print TABLE]      compute, exits or paravirt
#   sh benchmarks/variants.sh --check              does each still change something? Status 1 if not; nothing is built
set -eu
cd "$(dirname "$0")/.."
out=build/bench
if [ "${1-}" = --print ]; then
    [ -e "$out/variants-$2.md" ] || { echo "variants: nothing is measured yet: make variants" >&2; exit 1; }
    cat "$out/variants-$2.md"
    exit
fi

# VARIANT @ TABLE @ what is read @ FILE @ what sed does to it. The one without a file is the code as it is.
variants() {
    cat <<'END'
as-it-is @ compute @ **as it is** @  @ 
one-branch @ compute @ blocks end at every branch, taken or not @ binary-translation/translate.c @ s/item->kind >= KIND_CALL ||/item->kind >= KIND_JCC ||/
no-prediction @ compute @ returns and indirect calls by the table alone @ binary-translation/generate.c @ s/if (item->kind == KIND_JMP_INDIRECT)/if (true)/
one-prediction @ compute @ ... with one prediction instead of two @ binary-translation/cache.h @ s/PREDICTIONS = 2/PREDICTIONS = 1/
align-1 @ compute @ blocks begin anywhere, not at multiples of 32 bytes @ binary-translation/translate.c @ s/u->block->end + 31) & ~31u/u->block->end)/
align-16 @ compute @ ... at multiples of 16 @ binary-translation/translate.c @ s/end + 31) & ~31u/end + 15) \& ~15u/
align-64 @ compute @ ... at multiples of 64 @ binary-translation/translate.c @ s/end + 31) & ~31u/end + 63) \& ~63u/
short @ compute @ at most 12 instructions a block, not 24 @ binary-translation/translate.h @ s/BLOCK_INSTRUCTIONS = 24/BLOCK_INSTRUCTIONS = 12/
long @ compute @ ... at most 48 @ binary-translation/translate.h @ s/BLOCK_INSTRUCTIONS = 24, BLOCK_HOST_BYTES = 6144/BLOCK_INSTRUCTIONS = 48, BLOCK_HOST_BYTES = 12288/
loop-in @ exits @ `in`: by way of main.c's loop, not served at the gate @ binary-translation/translate.c @ s/x->port = .*/x->port = false;/
asked-segments @ exits @ system call: each of the kernel's segment loads is an exit @ binary-translation/service.c @ s/|| now.attr != s->attr)/|| true)/
through-c @ paravirt @ system call, all of it in C @ paravirt/gate.c @ s/{ gate_hypercall, gate_iret, gate_slow, gate_user_call }/{ gate_slow, gate_slow, gate_slow, gate_slow }/
stamped @ paravirt @ system call, with `--trace=timeline` @  @ 
END
}

field() { echo "$1" | cut -d @ -f "$2" | sed 's/^ *//; s/ *$//'; }

changes() { ! sed "$3" "$2" | cmp -s - "$2" || { echo "variants: $1 changes nothing in $2" >&2; exit 1; }; }

build() {
    changes "$@"
    tree=build/variants/$1
    rm -rf "$tree"
    mkdir -p "$tree"
    ln -s "$PWD"/* "$tree"
    rm "$tree/build" "$tree/${2%%/*}"
    cp -R "${2%%/*}" "$tree"
    mkdir "$tree/build"
    cp -R build/obj build/include build/packages.ok "$tree/build"
    sed -i "$3" "$tree/$2"
    rm -rf "$tree/build/obj/${2%%/*}"
    make -s -C "$tree" "build/${2%%/*}" || { echo "variants: $1 does not build" >&2; exit 1; }
}

do=build
[ "${1-}" != --check ] || do=changes
variants | while IFS= read -r row; do
    [ -z "$(field "$row" 4)" ] || $do "$(field "$row" 1)" "$(field "$row" 4)" "$(field "$row" 5)"
done
[ $do = build ] || exit 0

# measure NAME COMMAND...: its BENCH lines, in cycles a turn.
measure() {
    name=$1
    shift
    "$@" 2>/dev/null </dev/null | tr -d '\r' | awk -v name="$name" '$1 == "BENCH" { print name, $2, $4 / $3 }' >>"$out/variants.samples"
}
mkdir -p "$out"
: >"$out/variants.samples"
kernel="-kernel build/guests/kernel.elf -append" pv="-kernel build/guests/kernel-pv.elf -append"
call="run=bench-user only=syscall samples=10"
for round in $(seq "${ROUNDS-10}"); do
    echo "variants: round $round" >&2
    measure native build/native-twin "run=compute samples=3"
    variants | sort -R --random-source=/dev/zero | while IFS= read -r row; do
        name=$(field "$row" 1) vmm=build/variants/$(field "$row" 1)/build
        [ -d "$vmm" ] || vmm=build
        case $(field "$row" 2) in
        compute) measure "$name" $vmm/binary-translation --translate=all $kernel "run=compute samples=3" ;;
        exits)
            case $name in *-in) what="run=bench only=in samples=10" ;; *) what=$call ;; esac
            measure "$name" $vmm/binary-translation --translate=all $kernel "$what"
            measure "$name:" build/binary-translation --translate=all $kernel "$what"
            ;;
        paravirt)
            option=''
            [ "$name" != stamped ] || option=--trace=timeline
            measure "$name" $vmm/paravirt $option $pv "$call"
            measure "$name:" build/paravirt $pv "$call"
            ;;
        esac
    done
done

variants >"$out/variants.rows"
for table in compute exits paravirt; do
    awk -F ' *@ *' -v table=$table -v samples="$out/variants.samples" '
        BEGIN {
            while ((getline line < samples) > 0) {
                split(line, f, " ")
                if (!((f[1], f[2]) in least) || f[3] < least[f[1], f[2]]) least[f[1], f[2]] = f[3]
                if (f[1] == "native") programs[f[2]]
                last[f[1]] = f[2]
            }
            if (table == "compute") print "| variant | compute, geometric mean | fib (calls and returns) |\n| --- | ---: | ---: |"
            else print "| | cycles | as it is |\n| --- | ---: | ---: |"
        }
        $2 != table { next }
        table == "compute" {
            sum = n = 0
            for (p in programs) { sum += log(least[$1, p] / least["native", p]); n++ }
            printf "| %s | %.2f | %.2f |\n", $3, exp(sum / n), least[$1, "compute-fib"] / least["native", "compute-fib"]
            next
        }
        { printf "| %s | %.0f | %.0f |\n", $3, least[$1, last[$1]], least[$1 ":", last[$1]] }' "$out/variants.rows" >"$out/variants-$table.md"
    cat "$out/variants-$table.md"
done
rm -f "$out/variants.rows"
