#!/bin/sh
# The adversary against each VMM: sh tests/escape.sh ENGINE [OPTION...] runs every attempt of build/guests/escape.elf in a process
# of its own and prints "attempt verdict", a line each. `make escape` makes the matrix of all (tests/escape.sh matrix), and
# tests/wall.sh holds each engine to tests/expected/escape.txt.
set -u
cd "$(dirname "$0")/.." || exit
ROOT=$PWD GUEST=$PWD/build/guests/escape.elf
ENGINES="trap bt bt-all bt-patch emu pv pv-trap svm kvm"

command_of() {
    case $1 in
    trap) echo build/trap-emulate ;;
    bt) echo build/binary-translation ;;
    bt-all) echo build/binary-translation --translate=all ;;
    bt-small) echo build/binary-translation --translate=all --cache=8K ;;
    bt-patch) echo build/binary-translation --strategy=patch ;;
    emu) echo build/emulation ;;
    pv) echo build/paravirt ;;
    pv-trap) echo build/paravirt --gate=trap ;;
    svm) echo hwassist/run-bare qemu-svm ;;
    kvm) echo build/hwassist in a nested Linux ;;
    *) echo "escape.sh: there is no engine $1" >&2; return 2 ;;
    esac
}

# Where in a VMM's file things are, as the guest is told.
place() {
    nm "$1" | sed -n "s/^\([0-9a-f]*\) . $2\$/\1/p"
}
places() {
    world=$(printf %x $((0x$(place "$1" direct_world) + $(sed -n 's/^%define WORLD_DISPATCH \(.*\)/\1/p' build/include/offsets.inc))))
    symbol=$(place "$1" gate_hypercall)
    echo "sym=${symbol:-$(place "$1" direct_gate)} world=$world at=$(printf %x $((0x555555554000 + 0x$world)))"
}

# verdict NAME STATUS: a word, from ./NAME.out and ./NAME.err. The status alone shows nothing where a guest can choose it.
#
#   held     the guest went on, and found the machine as it should be       -      this VMM has no such attempt
#   stopped  the VMM ended the guest, with a dump          time     its --timeout did
#   wall     a system call of the guest's met the wall     spoke    the guest used what the wall leaves: output, exit status
#   reached  it read or wrote memory that is not its own   leak     it saw an address of the VMM's, above 4 GiB
#   spoilt   it overwrote the VMM, which broke of that     endless  it took --timeout away: only timeout(1) ended it
#   out      it did something to the host                  changed, hang, broken: defects
verdict() {
    if [ -e escaped ] || grep -q ESCAPED "$1.out" canary; then
        rm -f escaped
        : >canary
        echo out
        return
    fi
    case $2 in
    12) grep -q 'the wall: system call' "$1.err" && echo wall || echo broken-12 ;;
    99) grep -q SPOKEN "$1.out" && echo spoke || echo broken-99 ;;
    4) grep -q 'ebx 1eaced00' "$1.err" && echo leak || echo stopped ;;
    124 | 137)
        case $1 in
        *-disarm) grep -q 'did not end within' "$1.err" && echo time || echo endless ;;
        *) grep -q 'did not end within' "$1.err" && echo time || echo hang ;;
        esac
        ;;
    1) grep -q "^PROBE escape-$1 PASS" "$1.out" && echo held || { grep -q PROBE "$1.out" && echo broken-1 || echo -; } ;;
    3) grep -q ' reached ' "$1.out" && echo reached || echo changed ;;
    8 | 132 | 133 | 134 | 135 | 136 | 139)  # "a bug in the monitor", SIGILL, ... SIGSEGV
        case $1 in *fill*) echo spoilt ;; *) echo "broken-$2" ;; esac
        ;;
    *) echo "broken-$2" ;;
    esac
}

# attempt NAME SECONDS LIMIT VMM OPTION...: run it, --timeout SECONDS, timeout LIMIT. A descriptor of somebody else's is open in it.
# Its command line names this directory, for the search below.
attempt() {
    name=$1 seconds=$2 limit=$3 got=0 quiet=''
    shift 3
    case $name in ?-told-*) quiet="setarch -R" ;; esac
    # shellcheck disable=SC2086
    timeout -k 1 "$limit" $quiet "$@" -kernel "$GUEST" -append "only=$name $PLACES" --timeout "$seconds" \
        --counters "$PWD/$name.json" >"$name.out" 2>"$name.err" </dev/null 9>>canary || got=$?
    echo "$name $(verdict "$name" "$got")"
}

# Does the VMM run here at all? The guest lists its attempts.
runs_here() {
    got=0
    timeout -k 1 20 "$@" -kernel "$GUEST" -append list >list 2>err </dev/null || got=$?
    case $got in
    1) ;;
    6) cat err >&2; exit 6 ;;
    *) echo "escape.sh: $1 cannot list the attempts: exit status $got, $PWD/err" >&2; exit 1 ;;
    esac
}

# hosted ENGINE OPTION...
hosted() {
    command -v pgrep >/dev/null || {
        echo "escape.sh: pgrep, to look for processes left behind, is not installed (procps)" >&2
        exit 6
    }
    command=$(command_of "$1") || exit
    dir=build/tests/escape/$(echo "$*" | tr -d ' ') PLACES='' options=''
    shift
    case $command in *' '*) options=${command#* } ;; esac
    # shellcheck disable=SC2086
    set -- "$ROOT/${command%% *}" $options "$@"
    case $command in build/emulation) ;; *) PLACES=$(places "$1") ;; esac
    rm -rf "$dir"
    mkdir -p "$dir"
    cd "$dir" || exit
    : >canary
    runs_here "$@"
    while read -r name _; do
        case $name in
        ?-forever*) attempt "$name" 1 20 "$@" >"$name.late" & ;;
        ?-told-disarm) attempt "$name" 1 5 "$@" >"$name.late" & ;;
        *) attempt "$name" 8 20 "$@" ;;
        esac
    done <list
    wait
    cat ./*.late
    ! pgrep -f -- "$PWD/" >left || echo "processes broken"
    awk '/"exits"/ { line = $0; sub(/.*"exits": \{/, "", line); sub(/\}.*/, "", line); n = split(line, part, /[:,]/); sum = 0
                     for (i = 2; i < n; i += 2) sum += part[i]
                     if (sum != part[n]) print FILENAME, "counters " sum " " part[n] }' ./*.json >miscounted
    [ ! -s miscounted ] || echo "counters broken"
}

# On the bare monitor one boot runs attempt after attempt; where that ends the guest, the next boot goes on behind it.
svm() {
    dir=build/tests/escape/svm
    rm -rf "$dir"
    mkdir -p "$dir"
    cd "$dir" || exit
    "$ROOT/build/emulation" -kernel "$GUEST" -append list >list
    from=0
    while [ "$from" -lt "$(wc -l <list)" ]; do
        got=0
        sh "$ROOT/hwassist/run-bare" qemu-svm -kernel "$GUEST" -append "from=$(printf %x $from)" --timeout 30 >out 2>"err.$from" \
            </dev/null || got=$?
        [ $got -ne 6 ] || { cat "err.$from" >&2; exit 6; }
        tr -d '\r' <out | awk -v got="$got" '
            $1 == "TRY" { name = $2 }
            $1 == "PROBE" { print name, ($3 == "PASS" ? "held" : $6 == "reached" ? "reached" : "changed"); name = "" }
            END { if (name) print name, (got == 4 ? "stopped" : got == 124 ? "time" : "broken-" got) }' >verdicts
        cat verdicts >>all
        [ "$(tail -n 1 out | cut -c 1-4)" != DONE ] || break
        last=$(tail -n 1 verdicts | cut -d ' ' -f 1)
        from=$(grep -n "^${last:-none} " list | cut -d : -f 1)
        [ -n "$from" ] || break
    done
    awk 'NR == FNR { is[$1] = $2; next } { print $1, ($1 in is ? is[$1] : "-") }' all list
}

# kvm [OPTION...]: build/hwassist in a Linux that has /dev/kvm by emulated hardware; each attempt in a process of its own there, too.
kvm() {
    dir=build/tests/escape/kvm$*
    rm -rf "$dir"
    mkdir -p "$dir"
    build/emulation -kernel "$GUEST" -append list >"$dir/list"
    awk -v options="$*" '{ print $1, "build/hwassist -kernel build/guests/escape.elf -append only=" $1, "--timeout", ($1 ~ /-forever/ ? 1 : 8), options }' "$dir/list" >"$dir/runs"
    NESTED_TIMEOUT=900 sh tests/nested qemu "$dir/runs" "$dir" >"$dir/said" 2>&1 || {
        status=$?
        cat "$dir/said" >&2
        exit $status
    }
    cd "$dir" || exit
    : >canary
    while read -r name _; do
        cp "$name/stdout" "$name.out"
        cp "$name/stderr" "$name.err"
        echo "$name $(verdict "$name" "$(cat "$name/status")")"
    done <list
}

# A table of ATTEMPTS x ENGINES from files of "attempt verdict".
table() {
    awk -v engines="$ENGINES" -v dir="$1" '
        BEGIN {
            n = split(engines, engine, " ")
            line = sprintf("%-26s", "# attempt")
            for (i = 1; i <= n; i++) line = line sprintf(" %-8s", engine[i])
            print line
            for (i = 1; i <= n; i++)
                while ((getline row < (dir "/" engine[i] ".verdicts")) > 0) {
                    split(row, part, " ")
                    if (!(part[1] in seen)) { seen[part[1]]; name[++names] = part[1] }
                    is[part[1], engine[i]] = part[2]
                }
            for (k = 1; k <= names; k++) {
                line = sprintf("%-26s", name[k])
                for (i = 1; i <= n; i++) line = line sprintf(" %-8s", (name[k], engine[i]) in is ? is[name[k], engine[i]] : "?")
                print line
            }
        }' | sed 's/ *$//'
}

# How often each verdict, by engine.
totals() {
    awk 'NR == 1 { for (i = 3; i <= NF; i++) engine[i - 1] = $i; columns = NF - 1; next }
         { for (i = 2; i <= columns; i++) if ($i != "-") { n[$i, i]++; verdicts[$i] } }
         END {
             for (v in verdicts) {
                 line = sprintf("  %-24s", v)
                 for (i = 2; i <= columns; i++) line = line sprintf(" %-8s", n[v, i] + 0)
                 print line
             }
         }' "$1" | sort
}

matrix() {
    dir=build/tests/escape
    mkdir -p $dir/walled $dir/unwalled
    for engine in $ENGINES; do
        echo "escape: each attempt of an adversary under $engine ($(command_of "$engine"))" >&2
        sh tests/escape.sh "$engine" >$dir/walled/$engine.verdicts || [ $? -eq 6 ] ||
            echo "engine broken" >>$dir/walled/$engine.verdicts
        case $engine in
        svm) cp $dir/walled/svm.verdicts $dir/unwalled ;;
        *) sh tests/escape.sh "$engine" --no-sandbox >$dir/unwalled/$engine.verdicts ;;
        esac
    done
    table $dir/walled >$dir/walled.txt
    table $dir/unwalled >$dir/unwalled.txt
    echo "What comes of it:"
    sed -n 's/^#  \( [a-z].*  .*\)/\1/p' tests/escape.sh
    echo "Behind the wall:"
    cat $dir/walled.txt
    totals $dir/walled.txt
    echo "What comes of it without the wall (--no-sandbox), where that differs:"
    grep -vxF -f $dir/walled.txt $dir/unwalled.txt
    totals $dir/unwalled.txt
    ! grep -E ' (out|changed|hang|broken[-0-9]*)( |$)' $dir/walled.txt >$dir/defects || {
        echo "escape.sh: defects, behind the wall:" >&2
        cat $dir/defects >&2
        exit 1
    }
    ! grep -q '[?]' $dir/walled.txt || echo "?: that VMM does not run on this host (make doctor)."
    echo "Behind the wall nothing got out of those that ran."
}

# column FILE ENGINE: "attempt verdict" of one engine, from such a table.
column() {
    awk -v engine="$2" '/^# attempt/ { for (i = 3; i <= NF; i++) if ($i == engine) at = i - 1 } !/^#/ && NF { print $1, $at }' "$1"
}

case ${1-} in
column) column "$2" "$3" ;;
matrix) matrix ;;
table) table build/tests/escape/walled ;;
svm) svm ;;
kvm) shift && kvm "$@" ;;
*) hosted "$@" ;;
esac
