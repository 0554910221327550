/* See svg.h. */
#include "svg.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "doc.h"

enum { LINE = 26, WIDTH = 1160, LANE = 132, BOX = 88, TEXT = 600 };

void svg_open(FILE *f, int width, int height, const char *label)
{
    fprintf(f, "<svg viewBox=\"0 0 %d %d\" role=img aria-label=\"", width, height);
    html_text(f, label);
    fputs("\">\n", f);
}

void svg_close(FILE *f) { fputs("</svg>\n", f); }

void svg_box(FILE *f, const char *class, double x, double y, double width, double height)
{
    fprintf(f, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"5\"/>\n", class, x, y, width, height);
}

void svg_ellipse(FILE *f, const char *class, double x, double y, double rx, double ry)
{
    fprintf(f, "<ellipse class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" rx=\"%.1f\" ry=\"%.1f\"/>\n", class, x, y, rx, ry);
}

void svg_line(FILE *f, const char *class, double x1, double y1, double x2, double y2)
{
    fprintf(f, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2);
}

void svg_text(FILE *f, const char *class, double x, double y, const char *format, ...)
{
    char text[TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *line = text, *next; line; line = next, y += LINE) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        fprintf(f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
        html_text(f, line);
        fputs("</text>\n", f);
    }
}

void svg_arrow(FILE *f, const char *class, double x1, double y1, double x2, double y2)
{
    double length = hypot(x2 - x1, y2 - y1), dx = (x2 - x1) / length, dy = (y2 - y1) / length, bx = x2 - 13 * dx, by = y2 - 13 * dy;

    svg_line(f, class, x1, y1, bx, by);
    fprintf(f, "<path class=\"head %s\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fz\"/>\n", class, x2, y2, bx - 6 * dy, by + 6 * dx, bx + 6 * dy,
            by - 6 * dx);
}

static int lines_of(const char *text)
{
    int n = 1;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

void svg_way(FILE *f, const char *label, const char *const *lanes, const struct stop *stops, int n)
{
    double step = (double)WIDTH / n, box = step - 34;
    int count = 0;

    while (lanes[count])
        count++;
    svg_open(f, WIDTH, count * LANE, label);
    for (int i = 0; i < count; i++) {
        svg_box(f, "lane", 0, i * LANE, WIDTH, LANE - 8);
        svg_text(f, "small soft", 10, i * LANE + 20, "%s", lanes[i]);
    }
    for (int i = 0; i < n; i++) {
        const struct stop *s = &stops[i];
        double x = i * step + 17, y = s->lane * LANE + 30, mid = x + box / 2;

        if (i && s->lane == s[-1].lane) {
            svg_arrow(f, "way", x - 34, y + BOX / 2.0, x, y + BOX / 2.0);
        } else if (i) {
            double from = s[-1].lane * LANE + 30 + BOX / 2.0;

            svg_line(f, "way", x - 34, from, mid, from);
            svg_arrow(f, "way", mid, from, mid, s->lane > s[-1].lane ? y : y + BOX);
        }
        svg_box(f, s->class, x, y, box, BOX);
        svg_text(f, "mid", mid, y + BOX / 2.0 + 7 - (lines_of(s->text) - 1) * LINE / 2.0, "%s", s->text);
    }
    svg_close(f);
}
