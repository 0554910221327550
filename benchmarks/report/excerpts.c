/* What the talk shows as it is: transcripts and traces of build/bench/talk/, which `make slides` has just made, and the kit's own source.
 * All of it is text, whatever it contains; where it is missing, the slide says so. */
#include <string.h>

#include "slides.h"

const struct excerpt *excerpt_read(const char *file)
{
    static struct excerpt e;
    FILE *f = fopen(file, "r");
    int c, at = 0;

    e.n = 0;
    while (f && e.n < LINES_MAX && (c = fgetc(f)) != EOF) {
        if (c == '\n') {
            e.line[e.n++][at] = '\0';
            at = 0;
        } else if (c >= ' ' && c < 127 && at < LINE_SIZE - 1) {
            e.line[e.n][at++] = (char)c;
        }
    }
    if (at)
        e.line[e.n++][at] = '\0';
    if (f)
        fclose(f);
    return &e;
}

bool excerpt_has(const char *file, const char *words)
{
    const struct excerpt *e = excerpt_read(file);

    for (int i = 0; i < e->n; i++)
        if (strstr(e->line[i], words))
            return true;
    return false;
}

static void missing(struct doc *d, const struct excerpt *e, const char *file)
{
    if (e->n)
        doc_text(d, "n/a: %.*s", (int)strcspn(e->line[e->n - 1], ";"), e->line[e->n - 1]);
    else
        doc_text(d, "n/a: `%s` cannot be read or has nothing in it; `make slides` makes it.", strrchr(file, '/') + 1);
}

static void put_line(struct doc *d, const char *class, const char *text)
{
    fprintf(d->html, *class ? "<span class=%s>" : "<span>", class);
    html_text(d->html, text);
    fputs("</span>", d->html);
}

/* The part of `race` that needs PUSHF: from "nested: ..." to its verdict. */
void excerpt_race(struct doc *d, const char *title, const char *file)
{
    const struct excerpt *e = excerpt_read(file);
    int i = 0;

    fputs("<figure><figcaption>", d->html);
    html_text(d->html, title);
    fputs("</figcaption>\n", d->html);
    while (i < e->n && strncmp(e->line[i], "nested:", 7))
        i++;
    if (i == e->n) {
        missing(d, e, file);
    } else {
        fputs("<pre>", d->html);
        for (int end = i + 8, last = 0; i < e->n && i < end && !last; i++) {
            last = !strncmp(e->line[i], "PROBE ", 6);
            put_line(d, !last ? "" : strstr(e->line[i], "FAIL") ? "wrong" : "right", e->line[i]);
        }
        fputs("</pre>", d->html);
    }
    fputs("</figure>\n", d->html);
}

/* ---- binary translation ---------------------------------------------------------------------------- */

static const char *why(const char *guest, const char *host)
{
    static const struct { const char *guest, *host, *why; } notes[] = {
        { "pushfd", "[slots.ecx], ecx", "borrows two registers" },
        { "", "pushfd", "arithmetic flags are the processor's" },
        { "", "cpu.eflags]", "IF and IOPL are the guest's" },
        { "", "lea ecx, [ecx+edx", "LEA adds and leaves flags alone" },
        { "", "edx, cs:[slots.edx]", "gives them back" },
        { "pop ", "", "innocuous: copied" },
        { "cli", "", "one store" },
        { "ret", "", "looks up where to, in the cache" },
    };

    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
        if ((*notes[i].guest || !*guest) && strstr(guest, notes[i].guest) && strstr(host, notes[i].host))
            return notes[i].why;
    return "";
}

/* "c0105fb2  fa   cli   | fcc0fcd2  mov ..." without addresses and bytes. */
void excerpt_trace(struct doc *d, const char *file)
{
    static const char *const columns[] = { "<the guest's code", "<what runs", "<" };
    const struct excerpt *e = excerpt_read(file);
    int rows = 0;

    for (int i = 0; i < e->n && rows < 13; i++) {
        char guest[LINE_SIZE] = "", address[32], bytes[64], *bar, host[LINE_SIZE];

        bar = strstr(strcpy(host, e->line[i]), " | ");
        if (!bar)
            continue;
        *bar = '\0';
        sscanf(host, "%31s %63s %199[^\n]", address, bytes, guest);
        for (size_t n = strlen(guest); n && guest[n - 1] == ' '; n--)
            guest[n - 1] = '\0';
        bar += 3 + strcspn(bar + 3, " ");
        bar += strspn(bar, " ");
        if (!rows++)
            doc_table(d, columns, 3);
        doc_row(d);
        doc_cell(d, "text code", "%s", guest);
        doc_cell(d, !strcmp(guest, "cli") ? "text code right" : "text code", "%s%s", bar, !strcmp(guest, "ret") ? " ..." : "");
        doc_cell(d, "text", "%s", why(guest, bar));
    }
    if (rows)
        doc_end_table(d);
    else
        missing(d, e, file);
}

/* ---- paravirt -------------------------------------------------------------------------------------- */

/* What the assembler puts in place of `name`: "%define NAME text", or the lines of "%macro NAME n". */
static void body(struct doc *d, const char *file, const char *name)
{
    const struct excerpt *e = excerpt_read(file);
    char define[80], macro[80];
    bool within = false, any = false;

    snprintf(define, sizeof define, "%%define %s ", name);
    snprintf(macro, sizeof macro, "%%macro %s ", name);
    fputs("<td class=text><pre>", d->html);
    for (int i = 0; i < e->n; i++) {
        char line[LINE_SIZE];
        const char *text = line;

        snprintf(line, sizeof line, "%.*s", (int)strcspn(e->line[i], ";"), e->line[i]);
        if (!strncmp(line, define, strlen(define)))
            text += strlen(define);
        else if (!within || !strncmp(line, "%endmacro", 9)) {
            within = !strncmp(line, macro, strlen(macro));
            continue;
        }
        any = true;
        put_line(d, "", text + (strncmp(text, "        ", 8) ? 0 : 8));
    }
    fputs(any ? "</pre></td>" : "n/a</pre></td>", d->html);
}

void excerpt_operations(struct doc *d, const char *native, const char *paravirt)
{
    static const char *const columns[] = { "<operation", "<for a processor", "<for the VMM" };
    static const char *const names[] = { "op_cli", "op_pushf", "op_sti", "op_load_cr3" };

    doc_table(d, columns, 3);
    for (int i = 0; i < 4; i++) {
        doc_row(d);
        doc_cell(d, "text code", "%s", names[i]);
        body(d, native, names[i]);
        body(d, paravirt, names[i]);
    }
    doc_end_table(d);
}

/* "  Linux 2.4 on Xen (SOSP 2003, table 2)      2995    1.36%": rows whose last word is a share. */
void excerpt_port(struct doc *d, const char *file)
{
    const struct excerpt *e = excerpt_read(file);
    bool any = false;

    fputs("<div class=facts>", d->html);
    for (int i = 0; i < e->n; i++) {
        const char *what = e->line[i] + strspn(e->line[i], " "), *figures = strstr(what, "  ");
        char text[LINE_SIZE], percent;
        double share;
        int lines;

        if (!figures || sscanf(figures, "%d %lf%c", &lines, &share, &percent) != 3 || percent != '%')
            continue;
        any = true;
        fprintf(d->html, "<p><b>%d lines</b> ", lines);
        snprintf(text, sizeof text, "%.*s", (int)(figures - what), what);
        html_text(d->html, text);
        fputs("</p>", d->html);
    }
    fputs("</div>\n", d->html);
    if (!any)
        missing(d, e, file);
}

/* ---- correctness ----------------------------------------------------------------------------------- */

enum { COLUMNS = 5 };

/* One row of the matrix, if any of the techniques has such probes. */
static void group_row(struct doc *d, const struct results *r, const json_t *const *verdicts, int n, int g)
{
    int right[COLUMNS], all[COLUMNS], any = 0;

    for (int k = 0; k < n; k++) {
        group_count(verdicts[k], g, &right[k], &all[k]);
        any |= all[k];
    }
    if (!any)
        return;
    doc_row(d);
    doc_cell(d, "text", "%s", group_at(g)->label);
    for (int k = 0; k < n; k++)
        doc_cell(d, !all[k] ? "" : group_class(r, verdicts[k], g), all[k] ? "%d of %d" : " ", right[k], all[k]);
    doc_cell(d, "text soft", "%s", group_at(g)->why);
}

void excerpt_groups(struct doc *d, const struct results *r)
{
    static const char *const wanted[] = { "qemu-tcg", "trap-emulate", "binary-translation", "paravirt", "hwassist", "hwassist-svm" };
    const char *columns[COLUMNS + 2] = { "<probes" };
    const json_t *verdicts[COLUMNS];
    int n = 0;
    json_t *v;
    size_t i;

    for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++)
        json_array_foreach(list_of(r, "correctness"), i, v)
            if (n < COLUMNS && !strcmp(word_of(v, "technique"), wanted[k]) && json_array_size(json_object_get(v, "probes"))) {
                verdicts[n++] = v;
                columns[n] = title_of(r, wanted[k]);
            }
    if (!n) {
        doc_text(d, "n/a: the probes were not run (FILTER left them out).");
        return;
    }
    columns[n + 1] = "<under trap-emulate";
    doc_table(d, columns, n + 2);
    for (int g = 0; group_at(g); g++)
        group_row(d, r, verdicts, n, g);
    doc_end_table(d);
}
