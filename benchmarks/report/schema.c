/* See schema.h. The schema is a file, so that whoever reads results by other means has it too; this is the part of JSON Schema that it
 * needs, and no more. Next: results.schema.json. */
#include "schema.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SCHEMA_FILE "benchmarks/report/results.schema.json"

enum { PLACE = 300, BYTES_MAX = 64 << 20 };

struct check {
    const json_t *root;         /* of the schema, for $ref */
    char place[PLACE];          /* where in the value: "results[3].median" */
    char *why;
    size_t size;
};

static bool fail(struct check *c, const char *what, const char *wanted)
{
    snprintf(c->why, c->size, "%s: %s%s", *c->place ? c->place : "the whole", what, wanted);
    return false;
}

static const char *type_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "array";
    case JSON_STRING: return "string";
    case JSON_INTEGER: return "integer";
    case JSON_REAL: return "number";
    case JSON_TRUE: case JSON_FALSE: return "boolean";
    default: return "null";
    }
}

static bool has_type(const json_t *v, const char *type)
{
    return !strcmp(type_of(v), type) || (!strcmp(type, "number") && json_is_integer(v));
}

static bool check_type(struct check *c, const json_t *schema, const json_t *v)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    char what[80];

    if (!type || has_type(v, type))
        return true;
    snprintf(what, sizeof what, "is of type %s, must be ", type_of(v));
    return fail(c, what, type);
}

static bool check_word(struct check *c, const json_t *schema, const json_t *v)
{
    const char *text = json_string_value(v), *pattern = json_string_value(json_object_get(schema, "pattern"));
    const json_t *most = json_object_get(schema, "maxLength");
    regex_t regex;
    bool matches;

    if (most && json_string_length(v) > (size_t)json_integer_value(most))
        return fail(c, "is longer than a text there may be", "");
    if (!pattern)
        return true;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
        return fail(c, "cannot be held to the schema's pattern ", pattern);
    matches = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return matches || fail(c, "does not look like ", pattern);
}

static bool check_number(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *least = json_object_get(schema, "minimum"), *most = json_object_get(schema, "maximum");

    if (least && json_number_value(v) < json_number_value(least))
        return fail(c, "is below what there can be", "");
    if (most && json_number_value(v) > json_number_value(most))
        return fail(c, "is above what there can be", "");
    return true;
}

static bool check_choice(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *only = json_object_get(schema, "const"), *choices = json_object_get(schema, "enum"), *choice;
    char wanted[40];
    size_t i;

    if (only && !json_equal(only, v)) {
        snprintf(wanted, sizeof wanted, "%lld", (long long)json_integer_value(only));
        return fail(c, "is not ", json_is_integer(only) ? wanted : json_string_value(only));
    }
    if (!choices)
        return true;
    json_array_foreach(choices, i, choice)
        if (json_equal(choice, v))
            return true;
    return fail(c, "is none of the words that may stand there", "");
}

static bool check(struct check *c, const json_t *schema, const json_t *v);

/* The part of the value that has this name. */
static bool check_part(struct check *c, const json_t *schema, const json_t *v, const char *name)
{
    size_t length = strlen(c->place);
    bool good;

    snprintf(c->place + length, PLACE - length, "%s%.40s", length && *name != '[' ? "." : "", name);
    good = check(c, schema, v);
    c->place[length] = '\0';
    return good;
}

static bool check_array(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *items = json_object_get(schema, "items"), *most = json_object_get(schema, "maxItems"), *item;
    char name[24];
    size_t i;

    if (most && json_array_size(v) > (size_t)json_integer_value(most))
        return fail(c, "has more entries than there can be", "");
    json_array_foreach(v, i, item) {
        snprintf(name, sizeof name, "[%zu]", i);
        if (items && !check_part(c, items, item, name))
            return false;
    }
    return true;
}

static bool check_object(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *known = json_object_get(schema, "properties"), *others = json_object_get(schema, "additionalProperties");
    json_t *part, *name;
    const char *key;
    size_t i;

    json_array_foreach(json_object_get(schema, "required"), i, name)
        if (!json_object_get(v, json_string_value(name)))
            return fail(c, "lacks ", json_string_value(name));
    json_object_foreach((json_t *)v, key, part) {
        const json_t *of = json_object_get(known, key);

        if (!of && json_is_false(others))
            return fail(c, "has an entry that nothing knows: ", key);
        if (!of && json_is_object(others))
            of = others;
        if (of && !check_part(c, of, part, key))
            return false;
    }
    return true;
}

static bool check(struct check *c, const json_t *schema, const json_t *v)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));

    if (ref)
        schema = json_object_get(json_object_get(c->root, "definitions"), strrchr(ref, '/') + 1);
    if (!check_type(c, schema, v) || !check_choice(c, schema, v))
        return false;
    switch (json_typeof(v)) {
    case JSON_STRING: return check_word(c, schema, v);
    case JSON_INTEGER: case JSON_REAL: return check_number(c, schema, v);
    case JSON_ARRAY: return check_array(c, schema, v);
    case JSON_OBJECT: return check_object(c, schema, v);
    default: return true;
    }
}

bool schema_check(const json_t *schema, const json_t *value, char *why, size_t size)
{
    struct check c = { .root = schema, .why = why, .size = size };

    return check(&c, schema, value);
}

json_t *results_load(const char *file, char *why, size_t size)
{
    json_error_t error;
    json_t *schema = json_load_file(SCHEMA_FILE, 0, &error), *results = NULL;
    char what[400];
    struct stat s;

    if (!schema) {
        snprintf(why, size, "%s: %s (run this where the kit's Makefile is)", SCHEMA_FILE, error.text);
        return NULL;
    }
    if (stat(file, &s))
        snprintf(why, size, "%s: %s; `make bench` writes such a file", file, strerror(errno));
    else if (s.st_size > BYTES_MAX)
        snprintf(why, size, "%s: larger than any results are (%d MiB); is it the right file?", file, BYTES_MAX >> 20);
    else if (!(results = json_load_file(file, JSON_REJECT_DUPLICATES, &error)))
        snprintf(why, size, "%s:%d: %s; it is cut short, or not what `make bench` wrote", file, error.line, error.text);
    else if (!schema_check(schema, results, what, sizeof what)) {
        snprintf(why, size, "%s: %s; run `make bench` again with this version of the kit", file, what);
        json_decref(results);
        results = NULL;
    }
    json_decref(schema);
    return results;
}
