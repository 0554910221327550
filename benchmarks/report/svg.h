/* Pictures for the talk: boxes, words and arrows, as SVG inside the page, so that its style sheet colours them. Units are pixels of a
 * slide 1280 wide, y goes down. A class is words of slides.css; text is text, whatever markup is in it. */
#ifndef SVG_H
#define SVG_H

#include <stdio.h>

void svg_open(FILE *f, int width, int height, const char *label);         /* the label is for who cannot see it; svg_close() ends it */
void svg_close(FILE *f);

/* (x, y) is the upper left corner, of an ellipse the middle; a line has no head; an arrow has one of 13 at its end, (x2, y2),
 * and must be longer. */
void svg_box(FILE *f, const char *class, double x, double y, double width, double height);
void svg_ellipse(FILE *f, const char *class, double x, double y, double rx, double ry);
void svg_line(FILE *f, const char *class, double x1, double y1, double x2, double y2);
void svg_arrow(FILE *f, const char *class, double x1, double y1, double x2, double y2);

/* Each '\n' begins a line; (x, y) is where the first one stands, `class` says whether it begins, centres ("mid") or ends ("end") there.
 * 599 bytes at most, the rest is cut. */
void svg_text(FILE *f, const char *class, double x, double y, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The way something takes, a picture of its own: stops from left to right, each in the lane of whoever acts. `lanes` ends with NULL. */
struct stop {
    int lane;                                               /* from 0, the uppermost */
    const char *class, *text;                               /* one to three lines */
};
void svg_way(FILE *f, const char *label, const char *const *lanes, const struct stop *stops, int n);

#endif
