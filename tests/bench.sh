# shellcheck shell=sh
# What the harness and the report say when a run is narrowed, resumed, late, or cannot be written. Hardly anything is measured here: where nothing
# has been built, every engine says so at once. Sourced by tests/run, which has the helpers.

# quadbench OPTION...: in this test's own directory; what it prints to ./said, its exit status to $status.
quadbench() {
    status=0
    "$ROOT/build/quadbench" "$@" >said 2>&1 || status=$?
}

# A run of a part does not cost the results of the whole, and neither does the next one.
test_bench_keeps_the_fuller_results()
{
    mkdir -p build/bench
    echo '{"results": [{"median": 1}, {"median": 2}]}' | tee whole >build/bench/results.json
    quadbench --quick --engines native
    [ $status -eq 0 ] || fail "exit status $status: $PWD/said"
    cmp -s whole build/bench/results.old.json || fail "the fuller results are not in $PWD/build/bench/results.old.json"
    grep -q 'results.json had 2: that one is now build/bench/results.old.json' said || fail "no word on them: $PWD/said"
    quadbench --quick --engines native
    cmp -s whole build/bench/results.old.json || fail "the second run has overwritten $PWD/build/bench/results.old.json"
    grep -q '"engines": "native"' build/bench/results.json || fail "$PWD/build/bench/results.json does not say what was asked for"
}

# refused WORDS: one sentence that has them, and status 2
refused() { [ $status -eq 2 ] && [ "$(wc -l <said)" -eq 1 ] && grep -q -e "$1" said || fail "exit status $status, no \"$1\": $PWD/said"; }

test_bench_resume_names_what_differs()
{
    quadbench --quick --resume
    refused 'there is nothing to go on with'
    mkdir -p build
    touch build/native-twin
    quadbench --quick --engines native --runs 1
    quadbench --quick --engines native --runs 2 --resume
    refused 'now RUNS=2, in the interrupted run RUNS=1;'
    quadbench --quick --engines "native emulation" --runs 1 --resume
    refused 'now ENGINES=native emulation, in the interrupted run ENGINES=native;'
    touch -d yesterday build/native-twin
    quadbench --quick --engines native --runs 1 --resume
    refused 'build/native-twin is not as it was'
}

# 75 starts of nine programs, none of which is over before 9 samples of 2,000,000 cycles: the 38 that are due take more than a second.
test_bench_leaves_out_what_is_late()
{
    mkdir -p build/guests
    ln -s "$ROOT/build/emulation" build/
    ln -s "$ROOT/build/guests/kernel.elf" build/guests/
    quadbench --engines emulation --filter compute --runs 25 --limit 1
    [ $status -eq 0 ] && grep -q '"left_out": 37\>' build/bench/results.json || fail "not 37 starts were left out: $PWD/build/bench/results.json"
    grep -q '"n": 342,' build/bench/results.json || fail "no program has 38 times 9 samples"
    quadbench --engines emulation --filter compute --runs 1 --limit 1000
    [ $status -eq 0 ] && grep -q '"left_out": 0\>' build/bench/results.json || fail "something was left out, with 1000 seconds to go"
}

test_bench_where_nothing_can_be_written()
{
    touch build
    quadbench --quick
    refused 'cannot be written to build/bench/: Not a directory'
    cp "$ROOT/Makefile" .
    status=0
    make bench >said 2>&1 || status=$?
    refused 'build/ cannot be written'
}

# results NAME FILTER SERIES...: a file of one technique
results() {
    cat >"$1" <<END
{ "schema_version": 2, "techniques": [ { "name": "trap-emulate", "title": "trap-emulate" } ], "correctness": [], "results": [ $3 ],
  "benchmarks": [ { "name": "boot", "workload": "boot", "unit": "ms", "about": "x" } ],
  "targets": [ { "what": "boot", "unit": "ms", "limit": 15, "at_least": false, "value": 2461.2, "met": false } ],
  "context": { "date": "x", "cpu": "x", "tsc_ghz": 2, "cpus": 2, "kernel": "x", "kvm": "none", "runs": 3, "quick": true, "filter": "$2" } }
END
}

# quadreport OPTION...: where the kit's style sheets are; what it writes comes here
quadreport() {
    status=0
    (cd "$ROOT" && build/quadreport --out "$HERE" "$@") >said 2>&1 || status=$?
}

test_report_of_a_part()
{
    HERE=$PWD
    series='{ "technique": "trap-emulate", "benchmark": "boot", "unit": "ms", "status": "ok", "median": 4, "ci_low": 3, "ci_high": 5,
        "minimum": 3 }'
    results part.json boot "$series"
    quadreport "$PWD/part.json"
    [ $status -eq 0 ] || fail "exit status $status: $PWD/said"
    grep -q 'boot  *at most  15 ms  *missed: 2,460 ms' said || fail "no units, or no thousands: $PWD/said"
    grep -q 'A quick run: 3 runs of each benchmark, only FILTER=&quot;boot&quot;' report.html ||
        fail "the head does not say what this is: $PWD/report.html"
    ! grep -q '<img' report.html || fail "a picture of what was not measured: $PWD/report.html"
    [ "$(grep -c 'Not measured in this run' report.md)" -ge 3 ] || fail "empty tables: $PWD/report.md"
    quadreport --slides "$PWD/part.json"
    [ "$(grep -c 'Not measured' slides.html)" -ge 2 ] || fail "empty slides: $PWD/slides.html"
    quadreport --compare "$PWD/part.json" "$PWD/part.json"
    grep -q 'trap-emulate  *boot  *4  *4 ms  *1.000' said || fail "no units: $PWD/said"
}

# The talk's headlines are what was measured; what was not, and why, the report says once for all whose reason it is.
test_headlines_are_measured()
{
    HERE=$PWD
    no='"unit": "cycles", "status": "n/a", "reason": "x: this host cannot run it: no segments; ask (`make doctor` tells more)"'
    results none.json '' "{ \"technique\": \"trap-emulate\", \"benchmark\": \"cli-sti\", $no },
        { \"technique\": \"binary-translation\", \"benchmark\": \"cli-sti\", $no }"
    quadreport --slides "$PWD/none.json"
    [ "$(grep -c '<h2>.* here</h2>' slides.html)" -eq 5 ] || fail "headlines without a measurement behind them: $PWD/slides.html"
    quadreport "$PWD/none.json"
    grep -q '^- trap-emulate, binary-translation: n/a (no segments; ask)$' report.md && [ "$(grep -c 'no segments' report.md)" -eq 1 ] ||
        fail "the reason is not told once: $PWD/report.md"
    results both.json '' "$(for who in trap-emulate:8000 binary-translation:2; do
        echo "{ \"technique\": \"${who%:*}\", \"benchmark\": \"cli-sti\", \"unit\": \"cycles\", \"status\": \"ok\", \"median\": ${who#*:} }"
    done | paste -s -d ,)"
    quadreport --slides "$PWD/both.json"
    grep -q 'CLI and STI: 4 µs as traps, 1 ns as stores</h2>' slides.html || fail "no such headline: $PWD/slides.html"
}

test_report_takes_one_file()
{
    HERE=$PWD
    for option in "--predict 300" --slides "--print met"; do
        # shellcheck disable=SC2086
        quadreport $option a.json b.json
        refused "${option%% *} takes one file of results, not 2"
    done
}
