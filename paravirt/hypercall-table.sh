#!/bin/sh
# hypercalls.def as a Markdown table: `sh paravirt/hypercall-table.sh`. paravirt/README.md holds its output; a test compares.
echo '| number | hypercall | arguments | errors | instead of |'
echo '| ---: | --- | --- | --- | --- |'
awk -F'"' '/^HYPERCALL\([A-Z]/ {
    split(substr($1, 11), field, ",")
    gsub(" ", "", field[2])
    print "| " n++ " | " field[2] " | " $2 " | " $4 " | " $6 " |"
}' "$(dirname "$0")/hypercalls.def"
