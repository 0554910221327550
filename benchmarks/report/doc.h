/* A document for people, written twice from one text: as HTML to look at and to print, as Markdown to paste. Whatever it is given is
 * text: markup in it comes out as it went in, but for `code` and **bold**. */
#ifndef DOC_H
#define DOC_H

#include <stdbool.h>
#include <stdio.h>

struct doc {
    const char *directory;
    FILE *html, *md;
    FILE *other;                /* the null device; or the Markdown, while it is out */
    bool html_only;
    bool headless;              /* headings and figures stay away */
};

/* Text as HTML has it: & < > " and ' escaped. */
void html_text(FILE *f, const char *text);

/* The file as it is, of the kit's own: a style sheet, a script. Nothing, if it cannot be read. */
void html_file(FILE *f, const char *file);

/* The file as a data: URL, so that a page needs no other file. False: it cannot be read. */
bool html_data(FILE *f, const char *type, const char *file);

/* Begin and end DIRECTORY/report.html and report.md; `css` is a file, `title` the page's. False: a file cannot be written; errno tells. */
bool doc_open(struct doc *d, const char *directory, const char *css, const char *title);
bool doc_close(struct doc *d);

/* `id` is what links lead to; NULL: nothing does. Level 1 to 3. */
void doc_heading(struct doc *d, int level, const char *id, const char *text);
void doc_text(struct doc *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doc_item(struct doc *d, const char *format, ...) __attribute__((format(printf, 2, 3)));     /* of a list; doc_text ends it */

/* A table: its columns, then cells; doc_row() begins one. Columns whose name begins with "<" are text, the others figures. */
void doc_table(struct doc *d, const char *const *columns, int n);
void doc_row(struct doc *d);
void doc_cell(struct doc *d, const char *class, const char *format, ...) __attribute__((format(printf, 3, 4)));
void doc_link(struct doc *d, const char *class, const char *id, const char *format, ...) __attribute__((format(printf, 4, 5)));
void doc_end_table(struct doc *d);

/* What opens at a click; Markdown shows it. */
void doc_details(struct doc *d, const char *id, const char *format, ...) __attribute__((format(printf, 3, 4)));
void doc_end_details(struct doc *d);

/* What follows is in the HTML only, or in both again. */
void doc_html_only(struct doc *d, bool only);

/* DIRECTORY/NAME.svg with a sentence that says what to see in it; if there is none, that. */
void doc_figure(struct doc *d, const char *name, const char *sentence);

#endif
