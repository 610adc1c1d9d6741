/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes JSON (RFC 8259) to a stdio stream, compact, with commas and nesting kept in order. Keys
 * are given for members of objects and NULL for elements of arrays and for the outermost value.
 */
#ifndef DROVER_SHM_JSON_H
#define DROVER_SHM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	JSON_DEPTH = 32
};

struct json {
	FILE *out;
	unsigned depth;
	char closer[JSON_DEPTH];     /* of each level that is open */
	bool filled[JSON_DEPTH + 1]; /* the level has an element, the next one needs a comma */
};

void json_init(struct json *j, FILE *out);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* of the innermost object or array */
/* Ends all that is open and writes a newline. Returns 0, or -1 if the stream has failed. */
int json_finish(struct json *j);

/*
 * Text of any bytes: control characters are escaped, what is no UTF-8 becomes U+FFFD, byte by byte.
 */
void json_text(struct json *j, const char *key, const char *text);
void json_bytes(struct json *j, const char *key, const char *text, size_t bytes);
void json_u64(struct json *j, const char *key, uint64_t n);
void json_i64(struct json *j, const char *key, int64_t n);
void json_real(struct json *j, const char *key, double x); /* three decimals; null if not finite */
void json_bool(struct json *j, const char *key, bool yes);
void json_null(struct json *j, const char *key);

#endif
