#!/bin/sh
# isa.def as a Markdown table: `sh machine/isa-table.sh`. machine/README.md holds its output; a test compares.
cd "$(dirname "$0")" || exit
echo '| instruction | class | at ring 3 | what the guest must see |'
echo '| --- | --- | --- | --- |'
{ echo '#define ISA(id, zydis, form, class, handler, ring3, should) | id | class | ring3 | should |'; echo '#include "isa.def"'; } |
    ${CC:-cc} -E -P -x c -I. - | tr -d '"' | sed 's/  */ /g' | awk -F' [|] |[|] | [|]' '{
        name = tolower($2); gsub("_", "-", name)
        print "| " name " | " tolower($3) " | " $4 " | " $5 " |" }'
