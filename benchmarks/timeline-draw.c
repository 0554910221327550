/* The picture of build/timeline: a group an event, a row an engine, all rows of a group on one scale. Next: timeline-bands.h for what
 * a band is, benchmarks/README.md for how to read them. */
#include <stdarg.h>
#include <string.h>

#include "timeline-bands.h"

static const char *const titles[EVENTS] = { "A system call", "A page fault, which maps the page", "A timer tick" };
static const char *const legend[WHO] = { "guest: user", "guest: kernel", "VMM", "host: the crossing itself; Linux's signal, KVM" };
static const char *const colours[WHO] = { "#56B4E9", "#0072B2", "#D55E00", "#F0E442" };    /* Okabe and Ito's */

/* Pixels: beside and above the bars; of a row, a bar, and between groups. */
enum { LEFT = 190, WIDTH = 690, RIGHT = 100, HEAD = 92, ROW = 40, BAR = 16, GROUP = 76 };

static void text(FILE *f, double x, double y, const char *style, const char *format, ...)
{
    va_list args;

    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, style);
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fputs("</text>\n", f);
}

/* One row's bands at `scale` pixels a us, and above each hand-over why, if nothing stands there yet. */
static void draw_bands(FILE *f, const struct engine *e, unsigned k, double x0, double y, double scale)
{
    double free = x0;

    for (const struct band *b = e->band[k]; b < e->band[k] + e->bands[k]; b++) {
        double x = x0 + us_at(e, k, b->from) * scale, width = (double)(b->to - b->from) / cycles_per_us * scale;

        fprintf(f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" fill=\"%s\"><title>%s %.0f ns</title></rect>\n", x, y,
                width, BAR, colours[b->who], b->reason ? b->reason : who_names[b->who], (double)(b->to - b->from) / cycles_per_us * 1e3);
        if (!b->reason || x < free)
            continue;
        fprintf(f, "<path d=\"M%.2f %.1fv-4\" stroke=\"#555\"/>\n", x, y);
        text(f, x, y - 5, " class=\"why\"", "%s", b->reason);
        free = x + 5.6 * (double)strlen(b->reason) + 6;
    }
    fprintf(f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" fill=\"none\" stroke=\"#888\" stroke-width=\"0.6\"/>\n", x0, y,
            us_of(e, k) * scale, BAR);
}

/* What is too short for its labels is drawn again beside it, enlarged. */
static void draw_row(FILE *f, const struct engine *e, unsigned k, double y, double scale)
{
    static const int factors[] = { 50, 20, 10, 5, 2 };
    double length = us_of(e, k) * scale, room = 0.5 * WIDTH;
    unsigned i = 0;

    text(f, LEFT - 8, y + 12, " text-anchor=\"end\"", "%s", e->name);
    text(f, LEFT + length + 6, y + 12, " font-weight=\"bold\"", "%.2f \302\265s", us_of(e, k));
    if (length > 0.18 * WIDTH) {
        draw_bands(f, e, k, LEFT, y, scale);
        return;
    }
    fprintf(f, "<svg x=\"%d\" y=\"%.1f\" width=\"%.2f\" height=\"%d\">", LEFT, y, length + 1, BAR);
    draw_bands(f, e, k, 0, 0, scale);
    fputs("</svg>\n", f);
    while (i < sizeof factors / sizeof *factors - 1 && length * factors[i] > room)
        i++;
    text(f, LEFT + 0.45 * WIDTH, y + 12, " text-anchor=\"end\" fill=\"#555\"", "enlarged %d times:", factors[i]);
    draw_bands(f, e, k, LEFT + 0.45 * WIDTH + 8, y, scale * factors[i]);
}

static void draw_group(FILE *f, unsigned k, double y)
{
    double most = 0, step = 1e-3, bottom = y + 22 + ROW * engines;

    for (unsigned i = 0; i < engines; i++)
        most = us_of(&engine[i], k) > most ? us_of(&engine[i], k) : most;
    for (unsigned i = 0; most / step > 10; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    text(f, LEFT, y, " font-weight=\"bold\" font-size=\"14\"", "%s", titles[k]);
    for (unsigned i = 0; i * step <= most; i++) {
        double x = LEFT + i * step / most * WIDTH;

        fprintf(f, "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#e4e4e4\"/>\n", x, y + 10, bottom);
        text(f, x, bottom + 14, " text-anchor=\"middle\" fill=\"#555\" font-size=\"11\"",
             i * step + step > most ? "%g \302\265s" : "%g", i * step);
    }
    for (unsigned i = 0; i < engines; i++)
        draw_row(f, &engine[i], k, y + 32 + ROW * i, WIDTH / most);
}

/* Each row has its own number: "120", or "its 97 to 120". */
static const char *how_many_turns(char out[32])
{
    unsigned least = TURNS, most = 0;

    for (unsigned i = 0; i < engines; i++)
        for (unsigned k = 0; k < EVENTS; k++) {
            least = engine[i].turns[k] < least ? engine[i].turns[k] : least;
            most = engine[i].turns[k] > most ? engine[i].turns[k] : most;
        }
    if (least == most)
        snprintf(out, 32, "%u", most);
    else
        snprintf(out, 32, "its %u to %u", least, most);
    return out;
}

void draw(const char *path)
{
    unsigned height = HEAD + EVENTS * (GROUP + ROW * engines);
    FILE *f = open_file(path, "w");
    double x = 24;
    char turns[32];

    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" height=\"%u\" font-family=\"sans-serif\" "
               "font-size=\"12\">\n<style>.why { font-size: 10px; fill: #333 }</style>\n<rect width=\"100%%\" height=\"100%%\" "
               "fill=\"white\"/>\n", LEFT + WIDTH + RIGHT, height, LEFT + WIDTH + RIGHT, height);
    text(f, 24, 28, " font-size=\"18\" font-weight=\"bold\"", "Who runs when: guest, VMM and host in three events");
    text(f, 24, 48, " fill=\"#333\"", "From the user's code back to it, each row one turn, the median of %s; above a hand-over to the VMM "
         "stands its reason; one scale an event.", how_many_turns(turns));
    for (int w = 0; w < WHO; w++) {
        fprintf(f, "<rect x=\"%.0f\" y=\"60\" width=\"14\" height=\"14\" fill=\"%s\" stroke=\"#888\" stroke-width=\"0.6\"/>\n", x,
                colours[w]);
        text(f, x + 20, 71, "", "%s", legend[w]);
        x += 20 + 7 * (double)strlen(legend[w]) + 20;
    }
    for (unsigned k = 0; k < EVENTS; k++)
        draw_group(f, k, HEAD + 22 + k * (GROUP + ROW * engines));
    fputs("</svg>\n", f);
    close_file(f, path);
}
