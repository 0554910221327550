# The correctness table of README.md, from the transcripts of run=probes: awk -f correctness.awk QEMU TRAP-EMULATE
function group(name) {
    if (name ~ /^(sgdt|sidt|sldt|str|smsw)-/) return 1
    if (name ~ /^(pushf|popf)-/) return 2
    if (name ~ /^(lar|lsl|verr|verw)-/) return 3
    if (name ~ /^(push-[c-s]s|mov-from-[c-s]s)/) return 4
    return 5
}
BEGIN {
    label[1] = "SGDT, SIDT, SLDT, STR, SMSW | they show the host's registers"
    label[2] = "PUSHF, POPF | IF and IOPL are the host's"
    label[3] = "LAR, LSL, VERR, VERW | they look in the host's GDT"
    label[4] = "PUSH and MOV from segment registers | they show the host's selectors"
    label[5] = "everything else | it traps, and is emulated"
}
FNR == 1 { file++ }
$1 == "PROBE" { total[file, group($2)]++; right[file, group($2)] += $3 == "PASS" }
END {
    for (g = 1; g <= 5; g++) {
        split(label[g], text, " \\| ")
        printf "| %s | %d of %d | %d of %d | %s |\n", text[1], right[1, g], total[1, g], right[2, g], total[2, g], text[2]
    }
}
