# Where binary translation's time goes: one bar per profiled run, per cent of its cycles.
# Draw it again after a change: cd build/bench && gnuplot translator.gp
name = "translator"
stats name . ".dat" using 1 nooutput
rows = STATS_records
shares = 9
# Okabe and Ito's palette, as in style.gp: greens and blues run the guest, warm colours translate, grey is the rest.
array colour[9] = ["#009E73", "#56B4E9", "#0072B2", "#D55E00", "#E69F00", "#F0E442", "#CC79A7", "#666666", "#cccccc"]
from(n) = n == 1 ? 0 : from(n - 1) + column(n + 1)
set title "Binary translation: where the time of a run goes"
set xlabel "per cent of the run's time-stamp cycles"
set xrange [0 : 100]
set yrange [rows + 0.6 : 0.4]
set ytics out nomirror
set grid x lc rgb "#dddddd" lt 1
set key above samplen 1 width 2
set border 3
set style fill solid 1 border rgb "white"
do for [kind in "svg png"] {
    if (kind eq "svg") { set terminal svg size 900, 190 + 28 * rows font "sans,13" background "white" }
    if (kind eq "png") { set terminal pngcairo size 900, 190 + 28 * rows font "sans,10" }
    set output name . "." . kind
    plot for [i = 1 : shares] name . ".dat" \
        using (0):1:(from(i)):(from(i) + column(i + 2)):($1 - 0.38):($1 + 0.38):ytic(2) with boxxyerror \
            lc rgb colour[i] title columnheader(i + 2)
}
