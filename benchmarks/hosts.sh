#!/bin/sh
# `make bench` on other machines, by ssh, side by side: `make bench HOSTS="alice@lab1 lab2"`. Each gets this tree (what git knows of it) in
# ~/quadvisor-bench, runs `make bench` there, and its results come back as build/bench/hosts/HOST.json; one report is made of all.
#   sh benchmarks/hosts.sh HOST...       QUICK=, FILTER=, ENGINES=, RUNS=, LIMIT=, SEED= as for make bench
# Each must let you in without a password (ssh-copy-id HOST). Exit status: 0 all came back; 1 some did not, and why is said; 2 usage; 6 a
# tool is missing here.
set -u
cd "$(dirname "$0")/.." || exit
bench=${BENCH_OUT-build/bench} out=$bench/hosts

# One machine.
if [ "${1-}" = --one ]; then
    host=$2
    git ls-files -z | tar --null --ignore-failed-read -T - -cz 2>/dev/null |
        ssh -o BatchMode=yes "$host" "mkdir -p quadvisor-bench && cd quadvisor-bench && \
            find . -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} + && tar xz && \
            make bench QUICK='${QUICK-}' FILTER='${FILTER-}' ENGINES='${ENGINES-}' RUNS='${RUNS-}' LIMIT='${LIMIT-}' SEED='${SEED-}'" >"$out/$host.log" 2>&1 &&
        ssh -o BatchMode=yes "$host" "cat quadvisor-bench/build/bench/results.json" >"$out/$host.part" 2>>"$out/$host.log" &&
        mv "$out/$host.part" "$out/$host.json" && exit 0
    echo "hosts: $host: $(tail -n 1 "$out/$host.log"); all of it in $out/$host.log" >&2
    exit 1
fi

[ $# -gt 0 ] || { echo "hosts: no machines; say HOSTS=\"one two\"" >&2; exit 2; }
for host; do
    case $host in
    -* | *[!A-Za-z0-9@._-]*)
        echo "hosts: $host: not the name of a machine; give names as ssh knows them" >&2
        exit 2
        ;;
    esac
done
for tool in parallel ssh; do
    command -v $tool >/dev/null || { echo "hosts: $tool is not installed (make packages-hosts)" >&2; exit 6; }
done
case ${QUICK-}${FILTER-}${ENGINES-}${RUNS-}${LIMIT-}${SEED-} in *\'*) echo "hosts: no apostrophe in QUICK, FILTER, ENGINES, RUNS, LIMIT, SEED" >&2; exit 2 ;; esac
rm -rf "$out" && mkdir -p "$out" || exit 8
export QUICK FILTER ENGINES RUNS LIMIT SEED
status=0
parallel --will-cite -j 0 sh benchmarks/hosts.sh --one {} ::: "$@" || status=1
set -- "$out"/*.json
if [ ! -e "$1" ]; then
    echo "hosts: no machine has come back with results" >&2
    exit 1
fi
build/quadreport --out "$bench" "$@" && exit $status
exit 1
