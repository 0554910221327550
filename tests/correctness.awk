# The correctness table of README.md, from the transcripts of run=probes: awk -f correctness.awk QEMU TRAP-EMULATE
# BINARY-TRANSLATION PATCH PARAVIRT. Probes of hypercalls (pv-) are left out: the others cannot have them
function group(name) {
    if (name ~ /^(sgdt|sidt|sldt|str|smsw)-/) return 1
    if (name ~ /^(pushf|popf)-/) return 2
    if (name ~ /^(lar|lsl|verr|verw)-/) return 3
    if (name ~ /^(push-[c-s]s|mov-from-[c-s]s)/) return 4
    if (name ~ /^code-/) return 5
    return 6
}
BEGIN {
    label[1] = "SGDT, SIDT, SLDT, STR, SMSW | they show the host's registers"
    label[2] = "PUSHF, POPF | IF and IOPL are the host's"
    label[3] = "LAR, LSL, VERR, VERW | they look in the host's GDT"
    label[4] = "PUSH and MOV from segment registers | they show the host's selectors"
    label[5] = "code that reads itself, or is entered anywhere | it runs where it is"
    label[6] = "everything else | it traps, and is emulated; CR0.TS, which is Linux's, is not asked"
}
FNR == 1 { file++ }
$1 == "PROBE" && $2 !~ /^pv-/ { total[file, group($2)]++; right[file, group($2)] += $3 == "PASS" }
END {
    for (g = 1; g <= 6; g++) {
        split(label[g], text, " \\| ")
        printf "| %s |", text[1]
        for (f = 1; f <= file; f++)
            printf " %d of %d |", right[f, g], total[f, g]
        printf " %s |\n", text[2]
    }
}
