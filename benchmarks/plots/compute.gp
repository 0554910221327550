# Compute: time relative to the native twin, one row per program, one mark per engine, bars are quartiles.
# Draw it again after a change: cd build/bench && gnuplot compute.gp
name = "compute"
caption = "Compute in user mode"
xaxis = "time relative to native, log scale (1 is native; left is faster)"
load "style.gp"
stats name . ".dat" index 0 using 1 nooutput
rows = STATS_max
set yrange [rows + 0.7 : 0.3]
set xrange [0.5 : *]
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#888888"
set xtics (0.5, 1, 2, 5, 10, 20, 50, 100, 200)
do for [kind in "svg png"] {
    if (kind eq "svg") { set terminal svg size 900, 160 + 28 * rows font "sans,13" background "white" }
    if (kind eq "png") { set terminal pngcairo size 900, 160 + 28 * rows font "sans,10" }
    set output name . "." . kind
    plot name . ".dat" index 0 using 3:1:ytic(2) with points ps 0 notitle, \
        for [i = 1 : engines] name . ".dat" index i using 3:($1 + shift(i)):4:5 with xerrorbars \
            lc rgb colour[number[i]] pt mark[number[i]] ps 0.8 lw 1.5 title columnheader(1)
}
