# run=timeline and --trace=timeline: what guest and VMM note must fit together, and agree with what is counted. Sourced by tests/run,
# which has the helpers. Stamps have 16 digits, so that their order is that of text.

# marks TURNS: each event so often in ./transcript, its borders in order, one turn behind the other.
marks() {
    tr -d '\r' <transcript | awk -v turns="$1" '
        function bad(text) { print text ": " $0; exit }
        $1 != "MARK" { next }
        NF != 7 || $3 != n[$2] + 0 { bad("not the next turn") }
        { n[$2]++; for (i = 4; i <= 7; i++) { if (("x" $i) <= ("x" last) || length($i) != 16) bad("not in order"); last = $i } }
        END { for (e in n) { events++; if (n[e] != turns) print n[e] " of " e }; if (events != 3) print events + 0 " events" }' >why
    [ ! -s why ] || fail "$(head -n 1 why): $PWD/transcript"
}

# The VMM's lines in ./stderr: they alternate, in order, each leaving with its reason, as many as ./counters.json says. The timer's
# apart, which is counted as well when it comes before the guest has run.
stamps() {
    leaves=$(grep '^TIME' stderr | awk '
        function bad(text) { print text ": " $0; failed = 1; exit }
        ("x" $2) < ("x" last) || length($2) != 16 { bad("not in order") }
        $3 != (NR % 2 ? "enter" : "leave") { bad("not in turn") }
        $3 == "leave" && (NF != 5 || $4 == "unknown" || $5 !~ /^(gate|signal|kvm)$/) { bad("without a reason") }
        { last = $2; leaves += $3 == "leave" && $4 != "timer" }
        END { if (!failed) print leaves + 0 }')
    counted=$(sed -n 's/.*"exits": {\(.*\), "total".*/\1/p' counters.json | tr ',' '\n' |
        awk -F ': ' '!/"timer"/ { n += $2 } END { print n + 0 }')
    if grep -q "there was no room for more" stderr; then        # --cache=8K leaves the guest all the time
        [ "$(grep -c "^TIME" stderr)" -eq 131071 ] && [ "$counted" -gt 65000 ] && return
    fi
    [ "$leaves" = "$counted" ] || fail "leavings in the timeline: $leaves; counted: $counted; $PWD/stderr, $PWD/counters.json"
    { tr -d "\r" <transcript | awk '$1 == "MARK" { for (i = 4; i <= 7; i++) print $i, "mark" }';
      grep "^TIME" stderr | cut -d " " -f 2-3; } |
        sort | awk '$2 == "mark" && last != "enter" { print; exit } $2 != "mark" { last = $2 }' >why
    [ ! -s why ] || fail "the guest was at $(cat why) while the VMM ran: $PWD/transcript, $PWD/stderr"
}

test_qemu_timeline() { on_qemu "run=timeline turns=4"; verdicts "$EXPECTED/qemu.txt"; marks 4; }

# The bare monitor's processors have no time to show, and emulation no crossing; their guests' marks are in order all the same.
test_vmm_timeline()
{
    case $VMM in
    *run-bare | *emulation)
        on_vmm "run=timeline turns=4" --trace=timeline
        [ $status -eq 2 ] && grep -Eq 'trace=timeline: .*(no time|nobody crosses)' stderr || fail "exit status $status, or no sentence: $PWD/stderr"
        on_vmm "run=timeline turns=4"
        ;;
    *)
        on_vmm "run=timeline turns=4" --counters counters.json --trace=timeline
        stamps
        [ -n "$NESTED" ] || "$VMM" --help | grep -q timeline || fail "--help does not tell of it"
        ;;
    esac
    verdicts "$FAILS"
    marks 4
}

# leaves EVENT: of each turn in which no timer came, why the VMM was entered: "1 int 1 iretd 2 mov-to-seg".
leaves() {
    { tr -d '\r' <transcript | awk -v event="$1" '$2 == event { print $4, "from"; print $7, "to" }'
      grep '^TIME' stderr | cut -d ' ' -f 2-; } | sort | awk '
        $2 == "from" { inside = 1; turn++ }
        $2 == "to" { inside = 0 }
        inside && $2 == "leave" { print turn, $3 }' | sort | uniq -c | awk '
        { line[$2] = line[$2] " " $1 " " $3 }
        END { for (t in line) if (line[t] !~ /timer/) print substr(line[t], 2) }'
}

# A system call's hand-overs are those that 1000 system calls more are counted with.
test_trap_emulate_timeline_is_what_is_counted()
{
    for iterations in 1000 2000; do
        on_vmm "run=bench-user only=syscall samples=1 iterations=$iterations" --counters $iterations.json
        sed -n 's/.*"emulated": {\(.*\)}.*/\1/p' $iterations.json | tr -d '":{}' | tr ',' '\n' | sort >$iterations
    done
    want=$(join 1000 2000 | awk '{ n = int(($3 - $2) / 1000 + 0.5) } n { printf "%s%d %s", separator, n, $1; separator = " " }')
    on_vmm "run=timeline turns=40" --trace=timeline
    leaves system-call >got
    [ "$(sort got | uniq -c | awk -v want="$want" '{ n = $1; sub(/^ *[0-9]* /, "") } $0 == want { print (n > 30) }')" = 1 ] ||
        fail "counted for a system call: $want; seen in 40: $PWD/got"
    [ "$want" = "1 int 1 iretd 2 mov-to-seg" ] || fail "a system call is $want"
}

# The picture's bands are all of the time, one behind the other, and what cannot be so is refused.
test_timeline_is_drawn()
{
    draw="$ROOT/build/timeline out.svg out.json"
    for engine in trap pv; do
        engine $engine
        on_vmm "run=timeline turns=8" --trace=timeline
        mv transcript $engine.console
        mv stderr $engine.trace
    done
    $draw one trap.console trap.trace two pv.console pv.trace || fail "exit status $?"
    awk '
        /"total_ns"/ { events++; at = 0; n = split($0, part, /[:,]/); total = part[5]; sum = part[7] + part[9] + part[11] + part[13]
                       if (sum < total - 4 || sum > total + 4) print "the parts are " sum " of " total }
        /"who"/ { split($0, part, /[:,}]/); if (part[4] + 0 != at) print "a gap at " at; at = part[6] + 0; ends = /]}/ }
        /"who"/ && ends && at != total { print "ends at " at " of " total }
        END { if (events != 6) print events + 0 " rows" }' out.json >why
    [ ! -s why ] || fail "$(head -n 1 why): $PWD/out.json"
    for text in A.system.call A.page.fault,.which.maps.the.page A.timer.tick int mov-to-seg iretd shadow-fill \
        user-call iret '<svg' '</svg>$'; do
        grep -q ">$text<\|^$text" out.svg || fail "no $text in $PWD/out.svg"
    done
    before=$(tr -d '\r' <trap.console | awk '$2 == "system-call" && $3 == 4 { print $4 }')
    awk -v before="$before" '!done && $3 == "enter" && ("x" $2) > ("x" before) { done = 1; next } 1' trap.trace >broken.trace
    for turn in 0 1 2 3 5 6 7; do sed -i "/MARK system-call $turn /d" trap.console; done
    $draw one trap.console broken.trace 2>said && fail "a trace that lacks a line is drawn"
    grep -q 'do not alternate' said || fail "no sentence in $PWD/said"
}
