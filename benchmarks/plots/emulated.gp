# Processors that software makes: each benchmark relative to the same emulator without a monitor. Hatched, because none of
# it is time on hardware: neither nanoseconds nor anything to hold against the other plots.
# Draw it again after a change: cd build/bench && gnuplot emulated.gp
name = "emulated"
stats name . ".dat" using 1 nooutput
rows = STATS_records
engines = STATS_columns - 2
array colour[3] = ["#0072B2", "#D55E00", "#009E73"]             # of style.gp
array hatch[3] = [4, 5, 2]
set title "hwassist on processors that software makes\nHatched: counted or timed on an emulator, not time on hardware"
set xlabel "times the same guest on the same emulator without a monitor, log scale (1: nothing added)"
set logscale x
set format x "%.0s%c"
set xrange [0.3 : *]
set yrange [rows + 0.6 : 0.4]
set ytics out nomirror
set grid x lc rgb "#dddddd" lt 1
set key above maxcols 1 samplen 2
set border 3
set rmargin 5
set datafile missing "?"
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#888888" front
do for [kind in "svg png"] {
    if (kind eq "svg") { set terminal svg size 900, 210 + 28 * rows font "sans,13" background "white" }
    if (kind eq "png") { set terminal pngcairo size 900, 210 + 28 * rows font "sans,10" }
    set output name . "." . kind
    plot for [i = 1 : engines] name . ".dat" \
        using (0.3):1:(0.3):(column(i + 2)):($1 + 0.8 * ((i - 1.0) / engines - 0.5)):($1 + 0.8 * (1.0 * i / engines - 0.5)):ytic(2) \
        with boxxyerror lc rgb colour[i] fs pattern hatch[i] border lc rgb colour[i] title columnheader(i + 2)
}
