/* See doc.h. */
#include "doc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT = 4000 };

/* ---- escapes ------------------------------------------------------------------------------------- */

static void put_html(FILE *f, char c)
{
    switch (c) {
    case '&': fputs("&amp;", f); break;
    case '<': fputs("&lt;", f); break;
    case '>': fputs("&gt;", f); break;
    case '"': fputs("&quot;", f); break;
    case '\'': fputs("&#39;", f); break;
    default: fputc(c, f);
    }
}

void html_text(FILE *f, const char *text)
{
    for (; *text; text++)
        put_html(f, *text);
}

/* The same with `code`, **bold** and line ends; a mark without its second is a character. */
static void marked_html(FILE *f, const char *text)
{
    bool code = false, bold = false;

    for (; *text; text++) {
        if (*text == '`' && (code || strchr(text + 1, '`'))) {
            fputs((code = !code) ? "<code>" : "</code>", f);
        } else if (!code && !strncmp(text, "**", 2) && (bold || strstr(text + 2, "**"))) {
            fputs((bold = !bold) ? "<b>" : "</b>", f);
            text++;
        } else if (*text == '\n') {
            fputs("<br>", f);
        } else {
            put_html(f, *text);
        }
    }
    fputs(code ? "</code>" : "", f);
    fputs(bold ? "</b>" : "", f);
}

/* Markdown: what would be HTML, or end a cell of a table. */
static void marked_md(FILE *f, const char *text, bool in_table)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", f);
        else if (*text == '&')
            fputs("&amp;", f);
        else if (*text == '|' && in_table)
            fputs("\\|", f);
        else
            fputc(*text == '\n' ? ' ' : *text, f);
    }
}

bool html_data(FILE *f, const char *type, const char *file)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char b[3];
    size_t n;
    FILE *from = fopen(file, "rb");

    if (!from)
        return false;
    fprintf(f, "data:%s;base64,", type);
    while (memset(b, 0, 3), (n = fread(b, 1, 3, from)) > 0) {
        char four[] = { digits[b[0] >> 2], digits[(b[0] & 3) << 4 | b[1] >> 4], digits[(b[1] & 15) << 2 | b[2] >> 6],
                        digits[b[2] & 63], '\0' };

        memset(four + n + 1, '=', 3 - n);
        fputs(four, f);
    }
    fclose(from);
    return true;
}

void html_file(FILE *f, const char *file)
{
    FILE *from = fopen(file, "r");
    char buffer[4096];
    size_t n;

    while (from && (n = fread(buffer, 1, sizeof buffer, from)) > 0)
        fwrite(buffer, 1, n, f);
    if (from)
        fclose(from);
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static FILE *open_in(const char *directory, const char *name)
{
    char file[300];

    snprintf(file, sizeof file, "%s/%s", directory, name);
    return fopen(file, "w");
}

bool doc_open(struct doc *d, const char *directory, const char *css, const char *title)
{
    *d = (struct doc){
        .directory = directory, .html = open_in(directory, "report.html"), .md = open_in(directory, "report.md"),
        .other = fopen("/dev/null", "w"),
    };
    if (!d->html || !d->md || !d->other)
        return false;
    fputs("<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n<title>", d->html);
    html_text(d->html, title);
    fputs("</title>\n<style>\n", d->html);
    html_file(d->html, css);
    fputs("</style>\n<main>\n", d->html);
    doc_heading(d, 1, NULL, title);
    return true;
}

bool doc_close(struct doc *d)
{
    fputs("</main>\n</html>\n", d->html);
    bool good = fclose(d->html) == 0;

    fclose(d->other);
    return fclose(d->md) == 0 && good;
}

void doc_heading(struct doc *d, int level, const char *id, const char *text)
{
    if (d->headless)
        return;
    fprintf(d->html, id ? "<h%d id=\"%s\">" : "<h%d>", level, id);
    marked_html(d->html, text);
    fprintf(d->html, "</h%d>\n", level);
    fprintf(d->md, level == 1 ? "%.*s " : "\n%.*s ", level, "###");
    marked_md(d->md, text, false);
    fputs("\n\n", d->md);
}

#define FORMATTED(text, format)                         \
    char text[TEXT];                                    \
    va_list args_;                                      \
    va_start(args_, format);                            \
    vsnprintf(text, sizeof text, format, args_);        \
    va_end(args_)

void doc_text(struct doc *d, const char *format, ...)
{
    FORMATTED(text, format);
    fputs("<p>", d->html);
    marked_html(d->html, text);
    fputs("</p>\n", d->html);
    marked_md(d->md, text, false);
    fputs("\n\n", d->md);
}

void doc_item(struct doc *d, const char *format, ...)
{
    FORMATTED(text, format);
    fputs("<li>", d->html);
    marked_html(d->html, text);
    fputs("</li>\n", d->html);
    fputs("- ", d->md);
    marked_md(d->md, text, false);
    fputs("\n", d->md);
}

/* ---- tables -------------------------------------------------------------------------------------- */

void doc_table(struct doc *d, const char *const *columns, int n)
{
    fputs("<div class=wide><table>\n<thead><tr>", d->html);
    fputs("\n|", d->md);
    for (int i = 0; i < n; i++) {
        bool text = columns[i][0] == '<';

        fputs(text ? "<th class=text>" : "<th>", d->html);
        marked_html(d->html, columns[i] + text);
        fputs("</th>", d->html);
        fputc(' ', d->md);
        marked_md(d->md, columns[i] + text, true);
        fputs(" |", d->md);
    }
    fputs("</tr></thead>\n<tbody>", d->html);
    fputs("\n|", d->md);
    for (int i = 0; i < n; i++)
        fputs(columns[i][0] == '<' ? "---|" : "---:|", d->md);
}

void doc_row(struct doc *d)
{
    fputs("\n<tr>", d->html);
    fputs("\n|", d->md);
}

static void put_cell(struct doc *d, const char *class, const char *id, const char *text)
{
    fprintf(d->html, *class ? "<td class=\"%s\">" : "<td>", class);
    if (id)
        fprintf(d->html, "<a href=\"#%s\">", id);
    marked_html(d->html, text);
    fputs(id ? "</a>" : "", d->html);
    fputs("</td>", d->html);
    fputc(' ', d->md);
    marked_md(d->md, text, true);
    fputs(" |", d->md);
}

void doc_cell(struct doc *d, const char *class, const char *format, ...)
{
    FORMATTED(text, format);
    put_cell(d, class, NULL, text);
}

void doc_link(struct doc *d, const char *class, const char *id, const char *format, ...)
{
    FORMATTED(text, format);
    put_cell(d, class, id, text);
}

void doc_end_table(struct doc *d)
{
    fputs("\n</tbody></table></div>\n", d->html);
    fputs("\n\n", d->md);
}

/* ---- details, figures ---------------------------------------------------------------------------- */

void doc_details(struct doc *d, const char *id, const char *format, ...)
{
    FORMATTED(text, format);
    fputs("<details><summary>", d->html);
    marked_html(d->html, text);
    fprintf(d->html, id ? "</summary>\n<div id=\"%s\">" : "</summary>\n<div>", id);      /* a link to what is inside opens it */
    fputs("**", d->md);
    marked_md(d->md, text, false);
    fputs("**\n\n", d->md);
}

void doc_end_details(struct doc *d)
{
    fputs("</div></details>\n", d->html);
}

void doc_html_only(struct doc *d, bool only)
{
    FILE *md = d->md;

    if (d->html_only == only)
        return;
    d->html_only = only;
    d->md = d->other;
    d->other = md;
}

void doc_figure(struct doc *d, const char *name, const char *sentence)
{
    char file[300];

    if (d->headless)
        return;
    snprintf(file, sizeof file, "%s/%s.svg", d->directory, name);
    if (access(file, R_OK)) {
        doc_text(d, "There is no plot %s: what it shows was not measured, or gnuplot could not draw it (%s.log).", name, name);
        return;
    }
    fputs("<figure><img alt=\"", d->html);
    html_text(d->html, sentence);
    fputs("\" src=\"", d->html);
    html_data(d->html, "image/svg+xml", file);
    fputs("\"><figcaption>", d->html);
    marked_html(d->html, sentence);
    fputs("</figcaption></figure>\n", d->html);
    fprintf(d->md, "![%s](%s.svg)\n\n", name, name);
    marked_md(d->md, sentence, false);
    fputs("\n\n", d->md);
}
