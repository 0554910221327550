/* What each technique gets right: groups of probes by techniques, each cell a link to what was expected and what was seen. */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

#define GROUPS_FILE "tests/probe-groups.txt"

enum { GROUPS_MAX = 16, TECHNIQUES_MAX = 64 };

/* ---- groups: of the tests' file, so that README.md, the report and the talk have the same ----------- */

static struct group groups[GROUPS_MAX];
static regex_t patterns[GROUPS_MAX];
static int group_total;

/* "pattern|label|why"; the pattern may have a | in it. */
static void read_line(char *line)
{
    char *why = strrchr(line, '|'), *label;

    if (*line == '#' || !why || group_total == GROUPS_MAX)
        return;
    *why++ = '\0';
    label = strrchr(line, '|');
    if (!label)
        return;
    *label++ = '\0';
    snprintf(groups[group_total].label, sizeof groups->label, "%s", label);
    snprintf(groups[group_total].why, sizeof groups->why, "%.*s", (int)strcspn(why, "\n"), why);
    group_total += regcomp(&patterns[group_total], line, REG_EXTENDED | REG_NOSUB) == 0;
}

static void read_groups(void)
{
    static bool tried;
    char line[400];
    FILE *f;

    if (tried)
        return;
    tried = true;
    f = fopen(GROUPS_FILE, "r");
    if (!f) {
        fprintf(stderr, "quadreport: " GROUPS_FILE " cannot be read: run this where the kit's Makefile is\n");
        return;
    }
    while (fgets(line, sizeof line, f))
        read_line(line);
    fclose(f);
}

const struct group *group_at(int g)
{
    read_groups();
    return g < group_total ? &groups[g] : NULL;
}

int group_of(const char *probe)
{
    read_groups();
    for (int g = 0; g < group_total; g++)
        if (regexec(&patterns[g], probe, 0, NULL, 0) == 0)
            return g;
    return -1;
}

void group_count(const json_t *verdict, int g, int *right, int *all)
{
    json_t *probe;
    size_t i;

    *right = *all = 0;
    json_array_foreach(json_object_get(verdict, "probes"), i, probe)
        if (g == ALL_GROUPS || group_of(word_of(probe, "name")) == g) {
            (*all)++;
            *right += truth_of(probe, "right");
        }
}

static bool fails(const json_t *verdict, const char *name)
{
    json_t *probe;
    size_t i;

    json_array_foreach(json_object_get(verdict, "probes"), i, probe)
        if (!strcmp(word_of(probe, "name"), name))
            return !truth_of(probe, "right");
    return false;
}

const char *group_class(const struct results *r, const json_t *verdict, int g)
{
    const json_t *technique = technique_of(r, word_of(verdict, "technique")), *qemu = verdict_of(r, "qemu-tcg");
    const char *class = "right";
    json_t *probe;
    size_t i;

    json_array_foreach(json_object_get(verdict, "probes"), i, probe) {
        if (truth_of(probe, "right") || (g != ALL_GROUPS && group_of(word_of(probe, "name")) != g))
            continue;
        if (!is_emulated(technique) || !fails(qemu, word_of(probe, "name")))
            return "wrong";
        class = "alike";
    }
    return class;
}

/* ---- the section ---------------------------------------------------------------------------------- */

static bool group_is_there(const struct results *r, int g)
{
    json_t *v;
    size_t i;
    int right, all;

    json_array_foreach(list_of(r, "correctness"), i, v) {
        group_count(v, g, &right, &all);
        if (all)
            return true;
    }
    return false;
}

static bool ran(const json_t *verdict) { return json_array_size(json_object_get(verdict, "probes")) > 0; }

/* It began, but did not come to its end: what is missing is not right. */
static bool cut_short(const json_t *verdict) { return ran(verdict) && *word_of(verdict, "reason"); }

static void matrix(struct doc *d, const struct results *r)
{
    const char *columns[TECHNIQUES_MAX + 1] = { "<probes, and why those fail under trap-emulate" };
    char id[160];
    const struct group *group;
    int n = 1, right, all;
    json_t *v;
    size_t i;

    json_array_foreach(list_of(r, "correctness"), i, v)
        if (ran(v))
            columns[n++] = title_of(r, word_of(v, "technique"));
    doc_table(d, columns, n);
    for (int g = 0; (group = group_at(g)); g++) {
        if (!group_is_there(r, g))
            continue;
        doc_row(d);
        doc_cell(d, "text operation", "**%s**\n%s", group->label, group->why);
        json_array_foreach(list_of(r, "correctness"), i, v) {
            if (!ran(v))
                continue;
            group_count(v, g, &right, &all);
            snprintf(id, sizeof id, "probes-%s-%d", word_of(v, "technique"), g);
            if (cut_short(v))
                doc_link(d, "wrong", id, "n/a after %d", all);
            else if (!all)
                doc_cell(d, "none", " ");
            else
                doc_link(d, group_class(r, v, g), id, "%d/%d", right, all);
        }
    }
    doc_end_table(d);
}

/* One cell, opened: its probes, those that fail first. */
static void details(struct doc *d, const struct results *r, const json_t *verdict, int g)
{
    static const char *const columns[] = { "<probe", "<verdict", "<expected", "<observed", "<if it was expected to fail: why" };
    char id[160];
    json_t *probe;
    size_t i;
    int right, all;

    group_count(verdict, g, &right, &all);
    if (!all)
        return;
    snprintf(id, sizeof id, "probes-%s-%d", word_of(verdict, "technique"), g);
    doc_html_only(d, right == all);                         /* nothing to tell on paper */
    doc_details(d, id, "%s under %s: %d of %d right", group_at(g)->label, title_of(r, word_of(verdict, "technique")), right, all);
    doc_table(d, columns, sizeof columns / sizeof columns[0]);
    for (int good = 0; good < 2; good++)
        json_array_foreach(json_object_get(verdict, "probes"), i, probe) {
            if (truth_of(probe, "right") != good || group_of(word_of(probe, "name")) != g)
                continue;
            doc_row(d);
            doc_cell(d, "text", "%s", word_of(probe, "name"));
            doc_cell(d, good ? "text right" : "text wrong", good ? "right" : "wrong");
            doc_cell(d, "text", "%s", good ? "as it should be" : word_of(probe, "want"));
            doc_cell(d, "text", "%s", good ? "the same" : word_of(probe, "got"));
            doc_cell(d, "text", "%s", word_of(probe, "expected"));
        }
    doc_end_table(d);
    doc_end_details(d);
    doc_html_only(d, false);
}

void section_correctness(struct doc *d, const struct results *r)
{
    int unexpected = 0, all = 0;
    bool alike = false;
    json_t *v, *probe;
    size_t i, k;

    doc_heading(d, 2, "correctness", "Who gets it right?");
    json_array_foreach(list_of(r, "correctness"), i, v) {
        unexpected += cut_short(v);
        json_array_foreach(json_object_get(v, "probes"), k, probe) {
            all++;
            unexpected += !truth_of(probe, "right") && !*word_of(probe, "expected");
        }
    }
    if (!all) {
        doc_text(d, "The probes were not run (FILTER left them out).");
        return;
    }
    doc_text(d, "Each probe is a few instructions of the guest's kernel whose outcome the manual fixes. A click on a cell shows what was "
                "expected and what the guest saw. %s", unexpected ? "**Some failures are not among the expected ones.**"
                                                                  : "All failures are expected ones, each with its reason.");
    matrix(d, r);
    json_array_foreach(list_of(r, "correctness"), i, v)
        alike |= !strcmp(group_class(r, v, ALL_GROUPS), "alike");
    if (alike)
        doc_text(d, "Grey: what fails there is what QEMU's processor leaves out without a monitor as well.");
    if (ran(verdict_of(r, "paravirt")))
        doc_text(d, "paravirt's kernel does without the instructions that fail; the probes execute them all the same.");
    doc_details(d, NULL, "Cell by cell: what each probe expected and saw");
    json_array_foreach(list_of(r, "correctness"), i, v)
        for (int g = 0; group_at(g); g++)
            details(d, r, v, g);
    doc_end_details(d);
    json_array_foreach(list_of(r, "correctness"), i, v)
        if ((!ran(v) || *word_of(v, "reason")) && !is_absent(r, technique_of(r, word_of(v, "technique"))))
            doc_text(d, "%s: n/a (%s)", title_of(r, word_of(v, "technique")), word_of(v, "reason"));
}
