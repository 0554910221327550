# The correctness table of README.md, from the transcripts of run=probes:
#   awk -f correctness.awk probe-groups.txt QEMU TRAP-EMULATE BINARY-TRANSLATION PATCH PARAVIRT
# Probes of hypercalls (the first group) are left out: the others cannot have them.
FNR == 1 { file++ }
file == 1 {
    n = split($0, part, "|")
    if (/^#/ || n < 3) next
    groups++
    pattern[groups] = substr($0, 1, length($0) - length(part[n]) - length(part[n - 1]) - 2)
    label[groups] = part[n - 1]
    why[groups] = part[n]
    next
}
$1 == "PROBE" {
    for (g = 1; $2 !~ pattern[g]; g++);
    total[file, g]++
    right[file, g] += $3 == "PASS"
}
END {
    for (g = 2; g <= groups; g++) {
        printf "| %s |", label[g]
        for (f = 2; f <= file; f++)
            printf " %d of %d |", right[f, g], total[f, g]
        printf " %s |\n", why[g]
    }
}
