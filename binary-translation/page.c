/* The code cache as a page for the lecture (--dump-cache): totals, then the blocks that ran most, guest code beside
 * translated code. One file of HTML, without scripts or anything from elsewhere; it prints, and follows the reader's
 * choice of light or dark. Read next: listing.h. */
#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "listing.h"
#include "machine.h"

enum { SHOWN_MAX = 20 };

struct page {
    FILE *f;
    struct cache *cache;
    int shown[SHOWN_MAX], count;        /* numbers of blocks, the hottest first */
    uint64_t runs;                      /* of all live blocks */
};

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#69717b;--line:#d5dae0;--paper:#fff;\n"
    "--mark:#fff0d2;--edge:#d98a00;--bar:#4a7fb5}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e2e6ea;--dim:#8d97a1;--line:#363c44;--paper:#15181c;\n"
    "--mark:#3d3013;--edge:#e0a53a;--bar:#6aa0d8}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);\n"
    "max-width:76em;margin:2em auto;padding:0 1em}\n"
    "h1{font-size:1.5em;margin:0}h2{font-size:1.05em;margin:0}p{margin:.3em 0}a{color:inherit}\n"
    "code,.code{font:13px/1.5 ui-monospace,'DejaVu Sans Mono',monospace}\n"
    "table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:0 .9em 0 0}\n"
    ".totals{margin:1em 0}.totals th{font-weight:normal}.totals td:nth-child(2){text-align:right}\n"
    "section{margin-top:2em}.wide{overflow-x:auto}.bar{height:4px;background:var(--bar);margin:.2em 0}\n"
    ".code{width:100%;min-width:130ch;margin-top:.4em;white-space:pre-wrap;overflow-wrap:anywhere;table-layout:fixed}\n"
    ".code col.a{width:11ch}.code col.b{width:23ch}.code col.t{width:39ch}\n"
    ".code tr.i td{border-top:1px solid var(--line)}.code td.h{border-left:1px solid var(--line)}\n"
    ".code td:first-child,.code td.h{padding-left:.5em}.dim{color:var(--dim)}.s{background:var(--mark)}\n"
    "td.s:first-child,span.s{box-shadow:inset 3px 0 var(--edge);padding-left:.5em}\n"
    "@media print{body{font-size:11px;max-width:none;margin:0}.code,code{font-size:8px}.code{min-width:0}\n"
    "tr{break-inside:avoid}h2,p{break-after:avoid}.s,.bar{print-color-adjust:exact}}\n";

static void put(FILE *f, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        default: fputc(*text, f);
        }
}

/* ---- which blocks --------------------------------------------------------------------------------- */

static bool is_shown(const struct page *p, int block)
{
    for (int i = 0; i < p->count; i++)
        if (p->shown[i] == block)
            return true;
    return false;
}

static void choose(struct page *p)
{
    const uint32_t *runs = HOLE->runs;
    const struct cache *c = p->cache;
    int best;

    for (int i = 0; i < c->blocks; i++)
        p->runs += c->block[i].dead ? 0 : runs[i];
    do {
        best = NONE;
        for (int i = 0; i < c->blocks; i++)
            if (!c->block[i].dead && runs[i] && (best == NONE || runs[i] > runs[best]) && !is_shown(p, i))
                best = i;
        if (best != NONE)
            p->shown[p->count++] = best;
    } while (best != NONE && p->count < SHOWN_MAX);
}

/* ---- the page ------------------------------------------------------------------------------------- */

static void put_total(const struct page *p, const char *what, uint64_t count, const char *remark)
{
    fprintf(p->f, "<tr><th>%s<td>%" PRIu64 "<td class=dim>%s\n", what, count, remark);
}

static void put_head(const struct page *p)
{
    const struct counters *n = &p->cache->m->counters;
    const struct options *options = &HOLE->vm.options;
    uint64_t host = n->host_bytes - n->blocks_translated * COUNT_BYTES;
    const char *name = strrchr(options->kernel, '/');
    char remark[80];

    fprintf(p->f, "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>\n"
                  "<meta name=viewport content='width=device-width'>\n"
                  "<title>Quadvisor: the code cache</title>\n<style>\n%s</style>\n<h1>The code cache</h1>\n"
                  "<p class=dim>binary-translation -kernel <code>", style);
    put(p->f, name ? name + 1 : options->kernel);
    fputs("</code> -append <code>\"", p->f);
    put(p->f, options->append ? options->append : "");
    fputs("\"</code></p>\n<table class=totals>\n", p->f);
    put_total(p, "blocks translated", n->blocks_translated, "");
    put_total(p, "guest instructions", n->instructions, "");
    put_total(p, "guest bytes", n->guest_bytes, "");
    snprintf(remark, sizeof remark, "%.2f for each of the guest's; their exits' stubs come on top",
             (double)host / (double)(n->guest_bytes ? n->guest_bytes : 1));
    put_total(p, "bytes of translated code", host, remark);
    put_total(p, "chained", n->blocks_chained, "direct branches, and predicted ones, that lead from block to block");
    put_total(p, "predicted", n->predicted, "targets of returns and indirect calls, written into the code");
    put_total(p, "looked up", n->looked_up, "entries and indirect branches whose block was there");
    put_total(p, "missed", n->missed, "those whose block was yet to be translated");
    put_total(p, "invalidated", n->blocks_invalidated, "the guest wrote to their code, or they were made again");
    put_total(p, "evicted", n->blocks_evicted, "the cache was full, or a context had to go");
    put_total(p, "runs", p->runs, "of all blocks that are there at the end");
    fputs("</table>\n<p><span class=s>Sensitive instructions</span>, and what became of them, are marked; "
          "<span class=dim>dim</span> is what no guest instruction asks for, and ways out of the cache. "
          "<code>slots.*</code> and <code>cpu.*</code> are the monitor's data, <code>gate-*</code> are the exits that "
          "<code>--counters</code> counts.</p>\n"
          "<p class=dim>Runs are counted by code at each block's entry, which is not in the totals above. A block that "
          "is invalidated or evicted loses its count; after 4294967295 a count begins again. An interrupt at a block's "
          "entry makes one run count twice. Blocks are asleep where the guest no longer maps their page.</p>\n", p->f);
}

static void put_line(const struct page *p, const struct listing *l)
{
    const char *mark = l->sensitive ? " class=s" : "";
    const char *right = l->ours ? "dim" : l->sensitive ? "s" : "";
    size_t operand = strcspn(l->host_text, " ");
    FILE *f = p->f;

    fprintf(f, "<tr%s>", *l->guest_text ? " class=i" : "");
    if (l->length) {
        fprintf(f, "<td%s>%08" PRIx32 "<td%s>", mark, l->eip, mark);
        for (unsigned i = 0; i < l->length; i++)
            fprintf(f, "%02x", l->bytes[i]);
        fprintf(f, "<td%s>", mark);
        put(f, l->guest_text);
    } else {
        fputs(l->aside       ? "<td class=dim colspan=3>"
              : l->sensitive ? "<td class=s><td class=s><td class=s>"
                             : "<td><td><td>", f);
        put(f, l->guest_text);
    }
    fprintf(f, "<td class='h %s'>%08" PRIx32 "<td class='%s'>", right, l->host, right);
    if (l->to != NONE && is_shown(p, l->to))
        fprintf(f, "%.*s <a href='#b%d'>block %d</a>", (int)operand, l->host_text, l->to, l->to);
    else
        put(f, l->host_text);
    fputc('\n', f);
}

static void put_block(const struct page *p, int number)
{
    const struct block *b = &p->cache->block[number];
    struct listing l = listing_begin(p->cache, b);
    uint32_t runs = HOLE->runs[number];
    double share = 100.0 * runs / (double)p->runs;
    char place[LISTING_TEXT], context[LISTING_TEXT];

    listing_place(p->cache, b, place, sizeof place);
    listing_context(p->cache, b, context, sizeof context);
    fprintf(p->f, "<section id=b%d>\n<h2>block %d <code>", number, number);
    put(p->f, place);
    fprintf(p->f, "</code></h2>\n<p>%" PRIu32 " run%s, %.1f %% <span class=dim>&middot; %s &middot; %u instruction%s, "
                  "%u &rarr; %u bytes</span></p>\n<div class=bar style='width:%.1f%%'></div>\n"
                  "<div class=wide><table class=code>\n"
                  "<colgroup><col class=a><col class=b><col class=t><col class=a><col></colgroup>\n",
            runs, runs == 1 ? "" : "s", share, context, b->instructions, b->instructions == 1 ? "" : "s",
            b->guest_bytes, b->end - b->landing - COUNT_BYTES, share);
    while (listing_next(&l))
        put_line(p, &l);
    fputs("</table></div>\n</section>\n", p->f);
}

bool trace_page(struct cache *c, FILE *f)
{
    struct page p = { .f = f, .cache = c };
    bool whole;

    choose(&p);
    put_head(&p);
    for (int i = 0; i < p.count; i++)
        put_block(&p, p.shown[i]);
    fputs("</html>\n", p.f);
    whole = !ferror(p.f);               /* of a flush before the last, fclose() says nothing */
    return fclose(p.f) == 0 && whole;
}
