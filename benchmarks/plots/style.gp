# What both plots share: rows of labels, one mark and colour per engine (Okabe and Ito's palette, which
# colour-blind readers can tell apart). The script sets name, caption and xaxis. Block 0 of the data has the
# labels, each other one an engine, whose number (column 6) keeps its colour when another is left out.
# The last five colours are not theirs (Paul Tol's): yellow does not show on white.
stats name . ".dat" using 1 nooutput
engines = int(STATS_blocks) - 1
array number[16]
do for [i = 1 : engines] {
    stats name . ".dat" index i using 6 nooutput
    number[i] = int(STATS_min)
}
array colour[12] = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#882255", "#332288", "#999933", "#AA4499"]
array mark[12] = [7, 5, 9, 11, 13, 15, 2, 4, 3, 6, 8, 10]
shift(i) = (i - (engines + 1) / 2.0) * 0.8 / engines
set title caption
set xlabel xaxis
set logscale x
set ytics out nomirror
set grid x ytics lc rgb "#dddddd" lt 1
set key above samplen 2
set border 3
set rmargin 5                                  # for the last number of the axis
