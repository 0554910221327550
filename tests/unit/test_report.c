/* The report's reader and writer: results of other machines are not believed, and markup does not become any. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../benchmarks/report/report.h"
#include "../../benchmarks/report/schema.h"

static char why[700];

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    ck_assert_msg(value != NULL, "the test's own JSON is wrong: %s", text);
    return value;
}

static bool fits(const char *schema, const char *value)
{
    json_t *s = parse(schema), *v = parse(value);
    bool good = schema_check(s, v, why, sizeof why);
    json_decref(s);
    json_decref(v);
    return good;
}

START_TEST(types)
{
    ck_assert(fits("{\"type\":\"number\"}", "1"));
    ck_assert(fits("{\"type\":\"number\"}", "1.5"));
    ck_assert(!fits("{\"type\":\"integer\"}", "1.5"));
    ck_assert(!fits("{\"type\":\"string\"}", "[]"));
    ck_assert_str_eq(why, "the whole: is of type array, must be string");
    ck_assert(!fits("{\"type\":\"object\"}", "null"));
    ck_assert(fits("{\"type\":\"boolean\"}", "false"));
}
END_TEST

START_TEST(places)
{
    const char *schema = "{\"properties\":{\"results\":{\"items\":{\"properties\":{\"median\":{\"type\":\"number\"}}}}}}";
    ck_assert(fits(schema, "{\"results\":[{\"median\":1},{\"other\":\"x\"}]}"));
    ck_assert(!fits(schema, "{\"results\":[{\"median\":1},{\"median\":\"<b>\"}]}"));
    ck_assert_str_eq(why, "results[1].median: is of type string, must be number");
}
END_TEST

START_TEST(limits)
{
    ck_assert(!fits("{\"maxItems\":2}", "[1,2,3]"));
    ck_assert(!fits("{\"minimum\":0}", "-1"));
    ck_assert(!fits("{\"maximum\":10}", "11"));
    ck_assert(!fits("{\"maxLength\":3}", "\"long\""));
    ck_assert(!fits("{\"pattern\":\"^[a-z]*$\"}", "\"a b\""));
    ck_assert(!fits("{\"const\":2}", "1"));
    ck_assert_str_eq(why, "the whole: is not 2");
    ck_assert(!fits("{\"enum\":[\"ok\",\"n/a\"]}", "\"maybe\""));
    ck_assert(!fits("{\"required\":[\"a\"]}", "{\"b\":1}"));
    ck_assert_str_eq(why, "the whole: lacks a");
    ck_assert(!fits("{\"additionalProperties\":{\"type\":\"number\"}}", "{\"x\":\"y\"}"));
    ck_assert(!fits("{\"additionalProperties\":false,\"properties\":{\"a\":{}}}", "{\"a\":1,\"b\":2}"));
    ck_assert(!fits("{\"$ref\":\"#/definitions/n\",\"definitions\":{\"n\":{\"type\":\"number\"}}}", "\"x\""));
}
END_TEST

/* A file with `text` in it, removed by the next; NULL: only remove. */
static const char *file_of(const char *text)
{
    static char name[40];
    FILE *f;
    if (*name)
        unlink(name);
    *name = '\0';
    if (!text)
        return NULL;
    strcpy(name, "/tmp/quadvisor-XXXXXX");
    f = fdopen(mkstemp(name), "w");
    fputs(text, f);
    fclose(f);
    return name;
}

static void refused(const char *text, const char *because)
{
    json_t *r = results_load(file_of(text), why, sizeof why);
    ck_assert_msg(r == NULL, "taken: %s", text);
    ck_assert_msg(strstr(why, because) != NULL, "no \"%s\" in: %s", because, why);
}

START_TEST(bad_results_are_refused)
{
    ck_assert(!results_load("/nonexistent/results.json", why, sizeof why));
    ck_assert(strstr(why, "No such file"));
    refused("", "cut short");
    refused("{\"schema_version\": 2, \"context\": {", "cut short");
    refused("[]", "must be object");
    refused("{\"schema_version\":1,\"context\":{},\"techniques\":[],\"benchmarks\":[],\"results\":[],\"correctness\":[],\"targets\":[]}",
            "schema_version: is not 2");
    refused("{\"schema_version\":2,\"context\":{},\"techniques\":[],\"benchmarks\":[],\"results\":[],\"correctness\":[],\"targets\":[]}",
            "context: lacks date");
    refused("{\"schema_version\":2,\"schema_version\":2}", "duplicate");
    file_of(NULL);
}
END_TEST

START_TEST(a_huge_file_is_refused)
{
    const char *name = file_of("{}");
    ck_assert(truncate(name, (off_t)100 << 20) == 0);
    ck_assert(!results_load(name, why, sizeof why));
    ck_assert(strstr(why, "larger than any results"));
    file_of(NULL);
}
END_TEST

/* What doc.c makes of a text, as HTML or Markdown. */
static const char *written(const char *text, bool html)
{
    static char out[2000];
    char directory[] = "/tmp/quadvisor-XXXXXX", names[2][60];
    struct doc d;
    FILE *f;
    ck_assert(mkdtemp(directory));
    snprintf(names[0], sizeof names[0], "%s/report.html", directory);
    snprintf(names[1], sizeof names[1], "%s/report.md", directory);
    ck_assert(doc_open(&d, directory, "/dev/null", "t"));
    doc_table(&d, (const char *const[]){ "<a" }, 1);
    doc_row(&d);
    doc_cell(&d, "", "%s", text);
    doc_end_table(&d);
    ck_assert(doc_close(&d));
    f = fopen(names[!html], "r");
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    fclose(f);
    unlink(names[0]);
    unlink(names[1]);
    rmdir(directory);
    return out;
}

START_TEST(markup_stays_text)
{
    const char *evil = "<script>alert('1')</script>\"&|";
    ck_assert(!strstr(written(evil, true), "<script"));
    ck_assert(strstr(written(evil, true), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;|"));
    ck_assert(!strstr(written(evil, false), "<script"));
    ck_assert(strstr(written(evil, false), "\\| |"));
}
END_TEST

START_TEST(marks)
{
    ck_assert(strstr(written("a `b<` **c** d", true), "a <code>b&lt;</code> <b>c</b> d"));
    ck_assert(strstr(written("one ` alone, two ** alone", true), "one ` alone, two ** alone"));
}
END_TEST

START_TEST(figures)
{
    static const struct { double value; const char *text; } rows[] = {
        { 0.9384, "0.938" }, { 1, "1" }, { 347, "347" }, { 999.4, "999" }, { 999.6, "1,000" }, { 2461.2, "2,460" }, { 1e6 - 1, "1,000,000" },
        { 12345678, "12,300,000" }, { -2461.2, "-2,460" }, { -123456, "-123,000" }, { 0, "0" },
    };
    char text[24];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_str_eq(in_figures(rows[i].value, text), rows[i].text);
    ck_assert_str_eq(in_time(0.5, text), "0.5 ns");
    ck_assert_str_eq(in_time(999.6, text), "1 µs");
    ck_assert_str_eq(in_time(1234567, text), "1.23 ms");
    ck_assert_str_eq(in_time(2.5e9, text), "2.5 s");
    ck_assert_str_eq(in_time(5e12, text), "5,000 s");
}
END_TEST

START_TEST(base64)
{
    const char *const pairs[][2] = { { "", "" }, { "M", "TQ==" }, { "Ma", "TWE=" }, { "Man", "TWFu" } };
    for (int i = 0; i < 4; i++) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        ck_assert(html_data(f, "x/y", file_of(pairs[i][0])));
        fclose(f);
        ck_assert_str_eq(text + strlen("data:x/y;base64,"), pairs[i][1]);
        free(text);
    }
    file_of(NULL);
}
END_TEST

Suite *suite_report(void)
{
    Suite *s = suite_create("report");
    TCase *c = tcase_create("report");
    suite_add_tcase(s, c);
    tcase_add_test(c, types);
    tcase_add_test(c, places);
    tcase_add_test(c, limits);
    tcase_add_test(c, bad_results_are_refused);
    tcase_add_test(c, a_huge_file_is_refused);
    tcase_add_test(c, markup_stays_text);
    tcase_add_test(c, marks);
    tcase_add_test(c, figures);
    tcase_add_test(c, base64);
    return s;
}
