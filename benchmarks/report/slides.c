/* The talk: build/bench/slides.html, one idea a slide, for the back row. Its figures come from the results (those of exits from
 * tests/expected/, which the tests hold), its transcripts from runs that `make slides` has just made. Without scripts it is a page to
 * scroll; on paper a slide is a page. Next: diagrams.c, excerpts.c. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "slides.h"

/* ---- a slide --------------------------------------------------------------------------------------- */

static int number;

/* DIRECTORY/talk/NAME, which `make slides` has made; good until the next call. */
static const char *ran(const struct doc *d, const char *name)
{
    static char file[500];

    snprintf(file, sizeof file, "%s/talk/%s", d->directory, name);
    return file;
}

static void slide(struct doc *d, const char *class, const char *headline)
{
    fprintf(d->html, "<section class=\"slide %s\" id=%d>\n", class, ++number);
    doc_heading(d, 2, NULL, headline);
    fputs("<div class=body>\n", d->html);
}

/* The speaker's line, which ends the slide. */
__attribute__((format(printf, 2, 3))) static void say(struct doc *d, const char *format, ...)
{
    char text[800];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fputs("</div>\n<aside>", d->html);
    doc_text(d, "%s", text);
    fprintf(d->html, "<a href=\"#%d\">%d</a></aside>\n</section>\n", number, number);
}

enum { REASON_SHOWN = 260 };

/* At most `most` bytes of it, whole words if it has such; "..." says that there was more. */
static const char *cut(const char *text, int most, char out[REASON_SHOWN])
{
    int n = (int)strlen(text);

    if (n > most) {
        for (n = most; n && text[n] != ' ';)
            n--;
        for (n = n ? n : most; n && (text[n] & 0xc0) == 0x80;)
            n--;
    }
    snprintf(out, REASON_SHOWN, "%.*s%s", n, text, text[n] ? " ..." : "");
    return out;
}

/* Why there is no such figure, "" if there is one. What to do about it, behind a semicolon, is not for a talk. Good until the next call. */
static const char *reason_of(const struct results *r, const char *technique, const char *benchmark)
{
    static char text[REASON_SHOWN];
    char whole[WHY];
    const char *filter = word_of(json_object_get(r->root, "context"), "filter");
    int length;
    json_t *s;
    size_t i;

    json_array_foreach(list_of(r, "results"), i, s)
        if (!strcmp(word_of(s, "technique"), technique) && !strcmp(word_of(s, "benchmark"), benchmark)) {
            const char *why = why_of(s, &length);

            snprintf(whole, sizeof whole, "%.*s", length, why);
            whole[strcspn(whole, ";")] = '\0';
            return cut(whole, REASON_SHOWN - 20, text);
        }
    snprintf(text, sizeof text, *filter ? "FILTER=\"%.100s\" left it out" : "not measured", filter);
    return text;
}

/* Has nobody anything to say on these workloads? Then the slide says so, where its figures would be. */
static bool is_empty(struct doc *d, const struct results *r, const char *workloads)
{
    char left_out[WHY];
    json_t *t;
    size_t i;

    json_array_foreach(list_of(r, "techniques"), i, t)
        if (is_real(t) && has_any(r, word_of(t, "name"), workloads))
            return false;
    doc_text(d, "**Not measured.** %s", *what_is_left_out(r, left_out) ? left_out : "`make bench` measures it.");
    return true;
}

/* ---- the talk, slide by slide ---------------------------------------------------------------------- */

static void title(struct doc *d, const struct results *r, const char *text, const char *author)
{
    const json_t *context = json_object_get(r->root, "context");
    char cpu[REASON_SHOWN], left_out[WHY], busy[WHY];

    fprintf(d->html, "<section class=\"slide title%s\" id=%d>\n<div class=body><h2>",
            strlen(text) > 200 ? " long longer" : strlen(text) > 60 ? " long" : "", ++number);
    html_text(d->html, text);
    fputs("</h2>\n<p class=author>", d->html);
    html_text(d->html, author);
    fputs("</p>\n<p class=stripes><i class=trap></i><i class=bt></i><i class=pv></i><i class=hw></i></p>", d->html);
    doc_text(d, "Measured on %s, %.10s", cut(word_of(context, "cpu"), 80, cpu), word_of(context, "date"));
    if (*what_is_left_out(r, left_out))
        doc_text(d, "%s", left_out);
    if (*was_busy(r, busy))
        doc_text(d, "%s", busy);
    say(d, "One tiny kernel, four virtual-machine monitors, one question: what becomes of an instruction that should trap and "
           "does not?");
}

static void contract(struct doc *d)
{
    slide(d, "split", "The contract of 1974: whatever is sensitive, traps");
    draw_contract(d->html, true);
    fputs("<div>", d->html);
    doc_item(d, "**Equivalence**: a program cannot tell, but for time and resources");
    doc_item(d, "**Resource control**: it touches nothing that the VMM has not given");
    doc_item(d, "**Efficiency**: innocuous instructions run on the processor itself");
    fputs("</div>\n", d->html);
    say(d, "Popek and Goldberg: if the sensitive instructions are a subset of the privileged ones, a VMM can be built that "
           "runs the guest directly and steps in only on traps. Sufficient, not necessary.");
}

/* From the table that the kit's decoder is made of: what ring 3 does instead. */
static const char *at_ring3(const char *name)
{
    static const struct { const char *name, *says; } rows[] = {
#define ISA(name, mnemonic, form, class, emulate, ring3, right) { #name, ring3 },
#include "../../machine/isa.def"
#undef ISA
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strcmp(rows[i].name, name))
            return rows[i].says;
    return "";
}

static void gap(struct doc *d)
{
    static const struct { const char *list, *row; } groups[] = {
        { "PUSHF", "PUSHF" }, { "POPF", "POPF" }, { "SIDT; likewise SGDT SLDT STR SMSW", "SIDT" }, { "LAR LSL VERR VERW", "LAR" },
        { "PUSH, MOV from a segment", "MOV_FROM_SEG" }, { "POP, MOV to a segment; far JMP, RET", "MOV_TO_SEG" }, { "IRET", "IRET" },
    };
    static const char *const columns[] = { "<sensitive", "<at ring 3" };

    slide(d, "split", "x86 breaks it: PUSHF lies, POPF forgets, nothing traps");
    draw_contract(d->html, false);
    doc_table(d, columns, 2);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        doc_row(d);
        doc_cell(d, "text", "**%s**", groups[i].list);
        doc_cell(d, "text", "%s", at_ring3(groups[i].row));
    }
    doc_end_table(d);
    say(d, "Robin and Irvine counted seventeen in 2000. The left circle is easy: a trap, and the VMM emulates. The right "
           "crescent is what this talk is about.");
}

static void race(struct doc *d)
{
    bool lost = excerpt_has(ran(d, "race-trap-emulate.txt"), "PROBE race-nested FAIL");

    slide(d, "race", lost ? "As it ran: PUSHF lies, nothing traps, an update is lost"
                          : "PUSHF would lie, an update be lost: it was not seen here");
    fputs("<div class=two>", d->html);
    excerpt_race(d, "QEMU, the reference", ran(d, "race-qemu.txt"));
    excerpt_race(d, "trap-emulate, the same image", ran(d, "race-trap-emulate.txt"));
    fputs("</div>\n", d->html);
    draw_race(d->html);
    say(d, "The interrupt is made pending at a known instruction, so this happens every time, not once a month. CLI and STI "
           "trap and are emulated rightly; the lie between them is silent.");
}

static void repairs(struct doc *d)
{
    slide(d, "", "Who changes? The VMM, the guest, or the processor");
    draw_repairs(d->html);
    say(d, "Filled is what was changed: nothing, the VMM (VMware 1999), the guest (Xen 2003), the processor (VT-x 2005, AMD-V "
           "2006). The programs in ring 3 are the same under all four.");
}

static void correctness(struct doc *d, const struct results *r)
{
    bool trapped = json_array_size(json_object_get(verdict_of(r, "trap-emulate"), "probes"));
    char why[REASON_SHOWN + 40];

    slide(d, "matrix", trapped ? "What traps is right, what does not is wrong" : "What is right? trap-emulate was not run here");
    excerpt_groups(d, r);
    snprintf(why, sizeof why, "trap-emulate: n/a (%s).", reason_of(r, "trap-emulate", "in"));
    say(d, "Each probe is a few instructions whose outcome the manual fixes. %s QEMU leaves some checks of the processor out, and so (grey) "
           "they lack under a monitor on it.",
        trapped ? "Paravirt's raw instructions are as wrong as trap-emulate's; its kernel does not use them." : why);
}

static void trap(struct doc *d, const struct results *r)
{
    double ratio = ratio_of(r, "trap-emulate", "in", "host", "signal-roundtrip");

    slide(d, "", "Trap and emulate: every trap is a signal");
    draw_trap(d->html, r);
    if (isnan(ratio))
        say(d, "The way of one IN of the guest's kernel. It was not measured here: %s", reason_of(r, "trap-emulate", "in"));
    else
        say(d, "The way of one IN of the guest's kernel: %.2f times a signal and its return. It can be less than one: the way "
               "back is a far jump, without sigreturn.", ratio);
}

static void translation(struct doc *d, const struct results *r)
{
    double here = median_of(r, "binary-translation", "cli-sti") / r->ghz, trapped = median_of(r, "trap-emulate", "cli-sti") / r->ghz;
    char one[24], other[24];

    bool traced = excerpt_has(ran(d, "trace.txt"), " | ");

    slide(d, "code", traced ? "Binary translation: CLI becomes one store" : "Binary translation makes CLI one store: it was not run here");
    excerpt_trace(d, ran(d, "trace.txt"));
    if (isnan(here))
        say(d, "`--trace=blocks` prints the guest's code beside what runs instead. What CLI and STI cost so was not measured here.");
    else
        say(d, "From a real run (`--trace=blocks`), the way into race's critical section. No trap, no call of the VMM. CLI and STI "
               "together: %s, under trap-emulate %s.",
            in_time(here, one), isnan(trapped) ? "n/a" : in_time(trapped, other));
}

static void paravirt(struct doc *d)
{
    slide(d, "code", "Paravirtualization: the kernel asks; CLI is a store");
    excerpt_operations(d, "guests/kernel/native/ops.inc", "guests/kernel/paravirt/ops.inc");
    excerpt_port(d, ran(d, "port.txt"));
    say(d, "Both files bind the same kernel. CLI and PUSHF need nobody, STI only if an event waits, CR3 is a hypercall. The "
           "lines count what was changed or written.");
}

static void hardware(struct doc *d, const struct results *r)
{
    slide(d, "", "Hardware: with nested paging, page tables need nobody");
    draw_exit(d->html, r);
    draw_exits(d->html, "tests/expected/exits-svm.txt", "tests/expected/exits-svm-shadow.txt");
    say(d, "Exits of 1,000 operations on QEMU's AMD-V, from tests/expected/, not from this run: they are exact. Shadow paging is what "
           "the first VT-x had: page faults, CR3, INVLPG leave. A load of CR3 drops the shadow, so a fault follows each, and 8 at the "
           "end, for pages that only then are used again; INVLPG drops one page.");
}

/* Who of the four VMMs has no bar, a line for each reason. */
static void absent(struct doc *d, const struct results *r)
{
    static const char *const names[] = { "trap-emulate", "binary-translation", "paravirt", "hwassist" };
    char why[4][REASON_SHOWN] = { "" }, who[REASON_SHOWN];

    for (int i = 0; i < 4; i++)
        if (!has_any(r, names[i], "bench bench-user"))
            snprintf(why[i], sizeof why[i], "%s", reason_of(r, names[i], "cli-sti"));
    for (int i = 0; i < 4; i++) {
        int at = 0;

        for (int k = i; k < 4 && *why[i]; k++)
            if (k == i || !strcmp(why[k], why[i])) {
                at += snprintf(who + at, sizeof who - (size_t)at, "%s%s", at ? ", " : "", names[k]);
                if (k != i)
                    why[k][0] = '\0';                       /* told */
            }
        if (at)
            doc_text(d, "%s: n/a (%s)", who, why[i]);
    }
}

static void costs(struct doc *d, const struct results *r)
{
    double trap = median_of(r, "trap-emulate", "cli-sti"), store = median_of(r, "binary-translation", "cli-sti");
    char headline[120] = "What it costs; a trap and a store were not both measured here", one[24], other[24];

    if (!isnan(trap) && !isnan(store))
        snprintf(headline, sizeof headline, "CLI and STI: %s as traps, %s as stores", in_time(trap / r->ghz, one),
                 store < 0.5 ? "next to nothing" : in_time(store / r->ghz, other));
    slide(d, "costs", headline);
    if (!is_empty(d, r, "bench bench-user")) {
        draw_costs(d->html, r);
        absent(d, r);
    }
    say(d, "Medians; the line in a bar is the 95 %% interval. The axis is logarithmic: each grid line is ten times the one "
           "before. Which bar surprises you?");
}

/* ---- the cost model -------------------------------------------------------------------------------- */

/* The two crossings that everything here is made of. An event that is neither makes the model NAN. */
static double crossings(const struct results *r, const json_t *series, double *signals, double *gates)
{
    const char *event;
    json_t *count;

    *signals = *gates = 0;
    if (!series)
        return NAN;
    json_object_foreach(json_object_get(series, "exits_by_reason"), event, count) {
        if (by_gate(event))
            *gates += json_number_value(count);
        else if (!strcmp(event, "sensitive") || !strcmp(event, "exception") || !strcmp(event, "software-interrupt"))
            *signals += json_number_value(count);
        else
            return NAN;
    }
    return *signals * median_of(r, "host", "signal-roundtrip") + *gates * median_of(r, "host", "gate-roundtrip");
}

/* "2.4 µs", or that nobody knows. */
static const char *time_of(const struct results *r, double cycles, char text[24])
{
    return isnan(cycles) ? "n/a" : in_time(cycles / r->ghz, text);
}

static const struct { const char *technique, *benchmark; } modelled[] = {
    { "trap-emulate", "in" }, { "trap-emulate", "syscall" }, { "binary-translation", "syscall" }, { "binary-translation-all", "syscall" },
    { "paravirt", "syscall" },
};
enum { MODELLED = sizeof modelled / sizeof modelled[0] };

static void model_table(struct doc *d, const struct results *r)
{
    static const char *const columns[] = { "<technique", "<operation", "signals", "gates", "model", "measured", "ratio" };
    double signals, gates;
    char one[24], other[24];

    doc_table(d, columns, 7);
    for (int i = 0; i < MODELLED; i++) {
        const json_t *s = series_of(r, modelled[i].technique, modelled[i].benchmark);
        double measured = number_of(s, "median"), model = crossings(r, s, &signals, &gates);

        doc_row(d);
        doc_cell(d, "text", "%s", title_of(r, modelled[i].technique));
        doc_cell(d, "text", "%s", modelled[i].benchmark);
        doc_cell(d, "", isnan(model) ? "n/a" : "%.3g", signals);
        doc_cell(d, "", isnan(model) ? "n/a" : "%.3g", gates);
        doc_cell(d, "", "%s", time_of(r, model, one));
        doc_cell(d, "", "%s", time_of(r, measured, other));
        doc_cell(d, "", model > 0 ? "**%.2f**" : "n/a", measured / model);
    }
    doc_end_table(d);
}

static void model(struct doc *d, const struct results *r)
{
    char one[24], other[24];
    bool any = false;

    for (int i = 0; i < MODELLED; i++)
        any = any || series_of(r, modelled[i].technique, modelled[i].benchmark);
    slide(d, "model", any ? "A cost: events times a crossing, and the VMM's own work"
                          : "A cost: events times a crossing, and more; not measured here");
    if (any) {
        doc_text(d, "A signal and its return: **%s**. A far jump to 64-bit code and back, the gate: **%s**.",
                 time_of(r, median_of(r, "host", "signal-roundtrip"), one), time_of(r, median_of(r, "host", "gate-roundtrip"), other));
        model_table(d, r);
    } else {
        doc_text(d, "**Not measured**, neither a signal nor a far jump to 64-bit code, nor what stands on them: %s",
                 reason_of(r, "trap-emulate", "in"));
    }
    say(d, "The unit costs are measured without any VMM, the events counted in runs of their own. Far above one, the VMM's "
           "own work is not small; below one, its way back is shorter than the yardstick's. (all): user code is translated too.");
}

static void questions(struct doc *d)
{
    slide(d, "questions", "Questions for the class");
    doc_item(d, "Which technique wins on `in`, which on `pgfault`, and why is it not the same one?");
    doc_item(d, "Could trap-emulate be mended by scanning each page for PUSHF before it runs?");
    doc_item(d, "Why does `push cs` matter to a kernel, if only its selector is wrong?");
    doc_item(d, "If a VM exit cost 100 ns, which of the other three would you still build?");
    doc_item(d, "What would you have to port to run Linux under paravirt, and what not?");
    say(d, "The first is answered by the bars, the fourth by `make predict EXIT_NS=100`. The others are the labs.");
}

bool write_slides(const struct results *r, const char *directory, const char *headline, const char *author)
{
    char file[500];
    struct doc d = { .directory = directory, .md = fopen("/dev/null", "w") };

    snprintf(file, sizeof file, "%s/slides.html", directory);
    d.html = fopen(file, "w");
    if (!d.html || !d.md)
        return false;
    headline = *headline ? headline : "Four answers to x86's silent instructions";
    fputs("<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n<title>", d.html);
    html_text(d.html, headline);
    fputs("</title>\n<style>\n", d.html);
    html_file(d.html, "benchmarks/report/slides.css");
    fputs("</style>\n<main>\n", d.html);
    title(&d, r, headline, author);
    contract(&d);
    gap(&d);
    race(&d);
    repairs(&d);
    correctness(&d, r);
    trap(&d, r);
    translation(&d, r);
    paravirt(&d);
    hardware(&d, r);
    costs(&d, r);
    model(&d, r);
    questions(&d);
    fputs("</main>\n<script>\n", d.html);
    html_file(d.html, "benchmarks/report/slides.js");
    fputs("</script>\n</html>\n", d.html);
    fclose(d.md);
    return fclose(d.html) == 0;
}
