#!/bin/sh
# isa.def as a Markdown table: `sh machine/isa-table.sh`. machine/README.md holds its output; a test compares.
echo '| instruction | class | at ring 3 | what the guest must see |'
echo '| --- | --- | --- | --- |'
awk -F'"' '/^ISA\([A-Z]/ {
    split(substr($1, 5), field, /, */)
    name = tolower(field[1])
    gsub("_", "-", name)
    print "| " name " | " tolower(field[4]) " | " $2 " | " $4 " |"
}' "$(dirname "$0")/isa.def"
