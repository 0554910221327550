/* Results come from other people's machines: nothing of them is believed before results.schema.json has been held against it. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Is `value` what `schema` says? Understands of JSON Schema: type, const, enum, pattern, maxLength, minimum, maximum, maxItems,
 * items, properties, required, additionalProperties (false, or a schema), $ref to "#/definitions/NAME". False: `why` has the place
 * and the reason, "results[3].median: is a string, must be a number". */
bool schema_check(const json_t *schema, const json_t *value, char *why, size_t size);

/* Read and check the results in `file`. NULL: `why` has a sentence that names the file and says what to do. The caller decrefs. */
json_t *results_load(const char *file, char *why, size_t size);

#endif
