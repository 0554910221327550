#!/bin/sh
# The figures in the READMEs are printed by commands, and this prints them again: `make readme-figures`. Between the lines
#   <!-- COMMAND -->   and   <!-- end -->
# of a README stands what COMMAND prints. Some of it is exact, and `make check` holds it; the rest is of the last `make bench`,
# `make variants` and `make kvm-exit`.
#   sh benchmarks/readme-figures.sh [--exact|--check] README...    --exact: only those; --check: change nothing, status 1 if one of those would change
set -eu
cd "$(dirname "$0")/.."
check='' exact='' status=0
case ${1-} in
--check) check=1 exact=1 && shift ;;
--exact) exact=1 && shift ;;
esac
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for readme; do
    # One file for each block: the command, to be run; then the README again, with what they printed.
    awk -v tmp="$tmp" '/^<!-- .* -->$/ && !/^<!-- (end|lab: .*) -->$/ { n++; sub(/^<!-- /, ""); sub(/ -->$/, ""); print > (tmp "/command" n) }' "$readme"
    n=1
    while [ -e "$tmp/command$n" ]; do
        command=$(cat "$tmp/command$n")
        rm "$tmp/command$n"
        case $exact:$command in
        1:build/quadreport* | 1:'sh benchmarks/'*) : >"$tmp/skip$n" ;; # measured: no two runs are the same
        *:build/quadreport* | *:'sh benchmarks/'*' --print'* | *:'sh tests/'* | *:'sh paravirt/'* | *:'sh machine/'*)
            sh -c "$command" >"$tmp/block$n" || { echo "readme-figures: $readme: \"$command\" fails" >&2; exit 1; }
            ;;
        *) echo "readme-figures: $readme: \"$command\" is not one of the commands that may stand there" >&2; exit 2 ;;
        esac
        n=$((n + 1))
    done
    awk -v tmp="$tmp" '
        /^<!-- end -->$/ { inside = 0 }
        !inside { print }
        /^<!-- .* -->$/ && !/^<!-- (end|lab: .*) -->$/ {
            file = tmp "/block" ++n
            if (system("test -e " tmp "/skip" n) == 0) next
            inside = 1
            while ((getline line < file) > 0) print line
        }' "$readme" >"$tmp/new"
    if ! cmp -s "$tmp/new" "$readme"; then
        [ -n "$check" ] && { diff "$readme" "$tmp/new" || true; echo "readme-figures: $readme lags behind: make readme-figures" >&2; status=1; }
        [ -n "$check" ] || cat "$tmp/new" >"$readme"
    fi
    rm -f "$tmp"/block* "$tmp"/skip*
done
exit $status
