# Cycles per operation: one row per nanobenchmark, one mark per engine, bars from the lower to the upper quartile.
# Draw it again after a change: cd build/bench && gnuplot cost.gp
name = "cost"
caption = "Cost of one operation"
xaxis = "time-stamp cycles, log scale (left is cheaper)"
load "style.gp"
set format x "%.0s%c"
stats name . ".dat" index 0 using 1 nooutput
rows = STATS_max
set yrange [rows + 0.7 : 0.3]
set xrange [0.5 : *]
do for [kind in "svg png"] {
    if (kind eq "svg") { set terminal svg size 900, 160 + 28 * rows font "sans,13" background "white" }
    if (kind eq "png") { set terminal pngcairo size 900, 160 + 28 * rows font "sans,10" }
    set output name . "." . kind
    plot name . ".dat" index 0 using 3:1:ytic(2) with points ps 0 notitle, \
        for [i = 1 : engines] name . ".dat" index i using 3:($1 + shift(i)):4:5 with xerrorbars \
            lc rgb colour[number[i]] pt mark[number[i]] ps 0.8 lw 1.5 title columnheader(1)
}
