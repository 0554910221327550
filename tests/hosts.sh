# shellcheck shell=sh
# `make bench HOSTS=` without other machines: `ssh` is a script that runs things in a directory of this one, and `make` there one that
# leaves results. Sourced by tests/run, which has the helpers.

# Two machines that answer, one that does not.
fake_machines() {
    mkdir -p bin far/lab1 far/me@lab2
    cat >bin/ssh <<'END'
#!/bin/sh
[ "$1 $2" = "-o BatchMode=yes" ] || exit 9
cd "$FAR/$3" 2>/dev/null || { echo "ssh: connect to host $3: No route to host" >&2; exit 255; }
exec sh -c "$4"
END
    cat >bin/make <<'END'
#!/bin/sh
[ -e benchmarks/tables.c ] || exit 9
echo "$*" >asked
mkdir -p build/bench && cp "$FAR/results.json" build/bench
END
    chmod +x bin/ssh bin/make
}

test_bench_hosts() {
    command -v parallel >where || skip "GNU parallel is not installed (make packages-hosts)"
    fake_machines
    cat >far/results.json <<'END'
{ "schema_version": 2, "techniques": [ { "name": "native", "title": "native" } ], "benchmarks": [], "results": [], "correctness": [],
  "targets": [], "context": { "date": "x", "cpu": "A processor <b>", "tsc_ghz": 2, "cpus": 2, "kernel": "x", "kvm": "none", "runs": 7,
  "quick": false } }
END
    hosts=$PWD/bench/hosts
    export FAR="$PWD/far" BENCH_OUT="$PWD/bench"
    status=0
    QUICK=1 PATH=$PWD/bin:$PATH sh "$ROOT/benchmarks/hosts.sh" lab1 me@lab2 nowhere >said 2>&1 || status=$?
    [ $status -eq 1 ] || fail "exit status $status though one machine is missing: $PWD/said"
    [ -e "$hosts/lab1.json" ] && [ -e "$hosts/me@lab2.json" ] && [ ! -e "$hosts/nowhere.json" ] || fail "not two results in $hosts"
    grep -q 'hosts: nowhere: ssh: connect to host nowhere: No route to host' said || fail "no word on the missing machine: $PWD/said"
    grep -q "^bench QUICK=1 " far/lab1/quadvisor-bench/asked || fail "QUICK=1 has not arrived: $PWD/far/lab1/quadvisor-bench/asked"
    grep -q 'From machine to machine' bench/report.html || fail "the report has no table of machines"
    ! grep -q '<b>processor\|processor <b>' bench/report.html || fail "markup of a results file is in the page"
    for bad in '-oProxyCommand=x' 'a;b' 'a b' '../x'; do
        status=0
        sh "$ROOT/benchmarks/hosts.sh" "$bad" >said 2>&1 || status=$?
        [ $status -eq 2 ] && grep -q 'not the name of a machine' said || fail "\"$bad\" is taken for a machine: $PWD/said"
    done
}
