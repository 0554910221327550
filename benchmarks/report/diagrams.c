/* The pictures of the talk, drawn from the results. Next: svg.h for what they are drawn with, slides.css for the colours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "slides.h"
#include "svg.h"

enum { WIDTH = 1160 };

void draw_contract(FILE *f, bool kept)
{
    svg_open(f, 600, 470, kept ? "The sensitive instructions lie within the privileged ones" : "The sensitive instructions stick out of "
             "the privileged ones");
    svg_ellipse(f, "good", kept ? 300 : 215, 235, kept ? 290 : 205, 225);
    svg_ellipse(f, "hole", kept ? 300 : 395, kept ? 300 : 235, kept ? 170 : 195, kept ? 120 : 165);
    svg_text(f, "mid strong", kept ? 300 : 120, kept ? 88 : 200, "privileged");
    svg_text(f, "mid", kept ? 300 : 120, kept ? 118 : 230, kept ? "trap unless in the\nhighest privilege level" : "trap");
    svg_text(f, "mid strong", kept ? 300 : 502, kept ? 270 : 200, "sensitive");
    if (kept)
        svg_text(f, "mid", 300, 302, "see or change\nthe machine's state");
    else
        svg_text(f, "mid", 502, 230, "and silent:\nwrong, and\nnobody knows");
    if (!kept)
        svg_text(f, "mid", 308, 222, "CLI, LGDT,\nMOV to CR3");
    svg_close(f);
}

void draw_race(FILE *f)
{
    static const char *const lanes[] = { "the program, in a critical section", "the interrupt's handler", NULL };
    static const struct stop stops[] = {
        { 0, "plain", "CLI\nIF = 0" }, { 0, "plain", "reads\ncounter = 0" },
        { 0, "bad", "PUSHF\nsays IF = 1" }, { 0, "plain", "inner end: so\nit does STI" },
        { 1, "bad", "counter + 1" }, { 0, "bad", "writes 0 + 1:\none is lost" },
    };

    svg_way(f, "How the update is lost", lanes, stops, 6);
}

void draw_repairs(FILE *f)
{
    static const char *const rows[] = { "the guest's\nkernel", "the VMM", "Linux and the\nprocessor" };
    static const struct column { const char *name, *class, *box[3]; int changed; const char *price; } columns[] = {
        { "trap-emulate", "trap", { "unchanged,\nat ring 3", "emulates what\ntraps", "a signal for\neach trap" }, -1, "wrong answers" },
        { "binary-translation", "bt", { "unchanged", "rewrites the\nkernel's code\nas it runs", "as they are" }, 1, "a translator" },
        { "paravirt", "pv", { "asks, and does\nnot execute", "answers\nhypercalls", "as they are" }, 0, "a changed kernel" },
        { "hwassist", "hw", { "unchanged,\nat ring 0", "sees devices", "a mode below\nring 0" }, 2, "a new processor" },
    };

    svg_open(f, WIDTH, 490, "Who changes, under each technique");
    for (int row = 0; row < 3; row++)
        svg_text(f, "soft", 0, 120 + row * 125, "%s", rows[row]);
    svg_text(f, "soft", 0, 470, "the price");
    for (int i = 0; i < 4; i++) {
        const struct column *c = &columns[i];
        double x = 175 + i * 248, mid = x + 116;

        svg_text(f, "mid strong", mid, 34, "%s", c->name);
        for (int row = 0; row < 3; row++) {
            int lines = row == 1 && i == 1 ? 3 : !strchr(c->box[row], '\n') ? 1 : 2;
            char class[40];

            snprintf(class, sizeof class, row == c->changed ? "%s" : "plain", c->class);
            svg_box(f, class, x, 60 + row * 125, 232, 100);
            svg_text(f, row == c->changed ? "mid strong" : "mid", mid, 130 + row * 125 - lines * 13, "%s", c->box[row]);
            if (row)
                svg_arrow(f, "way", mid, row * 125 + 35, mid, row * 125 + 60);
        }
        svg_text(f, i ? "mid strong" : "mid strong ink-bad", mid, 470, "%s", c->price);
    }
    svg_close(f);
}

/* A bar of a length that stands for `value`; what it is stands before, its value behind it. */
static void bar(FILE *f, const char *class, double y, double height, double from, double length, const char *what, const char *value)
{
    svg_text(f, height < 22 ? "end small" : "end", from - 10, y + height / 2 + (height < 22 ? 6 : 7), "%s", what);
    svg_box(f, class, from, y, fmax(length, 2), height);
    svg_text(f, height < 22 ? "small" : "", from + length + 10, y + height / 2 + (height < 22 ? 6 : 7), "%s", value);
}

void draw_trap(FILE *f, const struct results *r)
{
    static const char *const lanes[] = { "the guest, at ring 3", "the processor and Linux", "the VMM, above 4 GiB", NULL };
    static const struct stop stops[] = {
        { 0, "trap", "in al, dx" }, { 1, "plain", "#GP: a frame,\nSIGSEGV" }, { 2, "plain", "world.asm:\nregisters to\nthe vcpu" },
        { 2, "plain", "classify.c:\nwhich, and\nwhose fault?" }, { 2, "trap", "emulate.c:\nAL is set,\nEIP moves on" },
        { 0, "plain", "a far jump\nto the next\ninstruction" },
    };
    double bare = median_of(r, "host", "signal-roundtrip") / r->ghz, one = median_of(r, "trap-emulate", "in") / r->ghz;
    double longest = fmax(isnan(bare) ? 0 : bare, isnan(one) ? 0 : one), scale = longest > 0 ? 600 / longest : 0;
    char time[24];

    svg_way(f, "The way of one trap", lanes, stops, 6);
    svg_open(f, WIDTH, 92, "What it costs");
    bar(f, "plain", 8, 34, 390, isnan(bare) ? 0 : bare * scale, "a signal and its return", isnan(bare) ? "n/a" : in_time(bare, time));
    bar(f, "trap", 52, 34, 390, isnan(one) ? 0 : one * scale, "one emulated IN", isnan(one) ? "n/a" : in_time(one, time));
    svg_close(f);
}

void draw_exit(FILE *f, const struct results *r)
{
    char monitor[80] = "the monitor";
    const char *const lanes[] = { "the guest, at its own ring 0", monitor, NULL };
    const json_t *s = NULL, *each;
    size_t i;
    json_t *one;

    json_array_foreach(list_of(r, "results"), i, one)
        if (!strcmp(word_of(one, "technique"), "hwassist-svm") && !strcmp(word_of(one, "benchmark"), "in"))
            s = one;
    each = json_object_get(s, "instructions_per_exit");
    if (json_is_number(each))
        snprintf(monitor, sizeof monitor, "the monitor: %.0f instructions", json_number_value(each));
    svg_way(f, "The way of one exit", lanes, (struct stop[]){
        { 0, "plain", "cli, iret,\nmov cr3: here" }, { 0, "hw", "in al, dx" }, { 1, "plain", "VMEXIT: state\nis in the VMCB" },
        { 1, "hw", "main.c:\nbus_in()" }, { 1, "plain", "EIP moves on,\nVMRUN" }, { 0, "plain", "the next\ninstruction" } }, 6);
}

/* ---- exits, counted by tests/run ------------------------------------------------------------------ */

/* All exits of a row "in io=1024 cr=2"; -1: there is no such row. */
static int exits(const char *file, const char *name)
{
    const struct excerpt *e = excerpt_read(file);
    size_t length = strlen(name);

    for (int i = 0; i < e->n; i++)
        if (!strncmp(e->line[i], name, length) && e->line[i][length] == ' ') {
            int sum = 0;

            for (const char *at = e->line[i]; (at = strchr(at, '=')); at++)
                sum += atoi(at + 1);
            return sum;
        }
    return -1;
}

void draw_exits(FILE *f, const char *nested, const char *shadow)
{
    static const char *const names[] = { "cli-sti", "pgfault", "mov-to-cr3", "ptemod", "in" };
    const char *files[] = { nested, shadow };
    enum { ROWS = 5, ROW = 48, FROM = 320 };

    svg_open(f, WIDTH, ROW * ROWS, "Exits of 1,000 operations, nested and shadow paging");
    for (int i = 0; i < ROWS; i++) {
        svg_text(f, "code", 0, i * ROW + 29, "%s", names[i]);
        for (int k = 0; k < 2; k++) {
            int n = exits(files[k], names[i]) - exits(files[k], "null");
            char value[24];

            snprintf(value, sizeof value, exits(files[k], names[i]) < 0 ? "n/a" : "%d", n);
            bar(f, k ? "plain" : "hw", i * ROW + 2 + k * 21, 19, FROM, n > 0 ? n * 0.36 : 0, k ? "shadow" : "nested", value);
        }
    }
    svg_close(f);
}

/* ---- costs ---------------------------------------------------------------------------------------- */

enum { FROM = 380, DECADE = 112, DECADES = 6 };             /* 0.1 ns to 100 µs */

static double place(double ns) { return FROM + fmin(fmax(log10(fmax(ns, 1e-9)) + 1, 0), DECADES) * DECADE; }

static const struct { const char *name, *class; } shown[] = {
    { "trap-emulate", "trap" }, { "binary-translation", "bt" }, { "paravirt", "pv" }, { "hwassist", "hw" },
    { "emulation", "plain" }, { "qemu-tcg", "plain" },
};
enum { SHOWN = sizeof shown / sizeof shown[0] };

static void cost(FILE *f, const struct results *r, int t, const char *benchmark, double y, double height)
{
    const json_t *s = series_of(r, shown[t].name, benchmark);
    double ns = number_of(s, "median") / r->ghz, low = number_of(s, "ci_low") / r->ghz, high = number_of(s, "ci_high") / r->ghz;
    bool nothing = ns * r->ghz < 0.5;
    char time[24];

    svg_text(f, "end small", FROM - 10, y + height - 4, "%s", title_of(r, shown[t].name));
    if (!s) {
        svg_text(f, "small soft", FROM + 10, y + height - 4, "n/a");
        return;
    }
    svg_box(f, shown[t].class, FROM, y, fmax(place(ns) - FROM, 2), height);
    if (!nothing && low <= high)
        svg_line(f, "range", place(low), y + height / 2, place(high), y + height / 2);
    svg_text(f, "small", fmax(place(ns), isnan(high) ? 0 : place(high)) + 10, y + height - 4, "%s", nothing ? "≈ 0" : in_time(ns, time));
}

void draw_costs(FILE *f, const struct results *r)
{
    static const struct { const char *name, *words; } operations[] = {
        { "cli-sti", "CLI and STI" }, { "in", "IN" }, { "pgfault", "page fault" }, { "syscall", "system call" },
        { "ctxsw", "context switch" },
    };
    static const char *const ticks[] = { "0.1 ns", "1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs" };
    int rows = 0, pitch;

    for (int t = 0; t < SHOWN; t++)
        rows += has_any(r, shown[t].name, "bench bench-user");
    pitch = rows > 4 ? 107 : rows > 2 ? 95 : 76;            /* those that are absent are named below */
    svg_open(f, WIDTH, 5 * pitch + 25, "Time of five operations, logarithmic");
    for (int i = 0; i <= DECADES; i++) {
        svg_line(f, "grid", FROM + i * DECADE, 0, FROM + i * DECADE, 5 * pitch - 3);
        svg_text(f, "mid small soft", FROM + i * DECADE, 5 * pitch + 19, "%s", ticks[i]);
    }
    for (int i = 0; i < 5; i++) {
        double top = i * pitch + 3, height = rows ? (pitch - 9.0) / rows : 0;
        int row = 0;

        svg_text(f, "strong", 0, top + pitch / 2.0 + 2, "%s", operations[i].words);
        for (int t = 0; t < SHOWN; t++)
            if (has_any(r, shown[t].name, "bench bench-user"))
                cost(f, r, t, operations[i].name, top + row++ * height + 1, height - 2);
    }
    svg_close(f);
}
