/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Negotiates the content coding. Weights are kept in thousandths. An element that is malformed is
 * passed over: at worst the client gets what it did not refuse, uncompressed.
 */
#include "worker/http/encoding.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	const char *suffix;
} encodings[ENCODINGS_COUNT] = {
    [ENCODING_IDENTITY] = {"identity", ""},
    [ENCODING_GZIP] = {"gzip", ".gz"},
    [ENCODING_ZSTD] = {"zstd", ".zst"},
    [ENCODING_BR] = {"br", ".br"},
};

enum {
	ANY = ENCODINGS_COUNT, /* "*" */
	NOT_NAMED = -1
};

/* What the client said, by encoding and "*": thousandths or NOT_NAMED. */
struct wishes {
	int weight[ENCODINGS_COUNT + 1];
};

const char *encoding_name(enum encoding e)
{
	return encodings[e].name;
}

const char *encoding_suffix(enum encoding e)
{
	return encodings[e].suffix;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static int lookup(const char *name, size_t len)
{
	for (int e = 0; e < ENCODINGS_COUNT; e++) {
		if (is_word(name, len, encodings[e].name))
			return e;
	}
	if (is_word(name, len, "x-gzip")) /* RFC 9110 8.4.1.3 */
		return ENCODING_GZIP;
	return len == 1 && *name == '*' ? ANY : NOT_NAMED;
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* qvalue (RFC 9110 12.4.2) in thousandths, or -1. */
static int parse_qvalue(const char *at, const char *end)
{
	int q, scale = 100;

	if (at == end || (*at != '0' && *at != '1'))
		return -1;
	q = (*at++ - '0') * 1000;
	if (at == end)
		return q;
	if (*at++ != '.' || end - at > 3)
		return -1;
	for (; at < end; at++, scale /= 10) {
		if (*at < '0' || *at > '9')
			return -1;
		q += (*at - '0') * scale;
	}
	return q <= 1000 ? q : -1;
}

/* One element: coding [ OWS ";" OWS "q=" qvalue ]. */
static void add_element(struct wishes *w, const char *at, const char *end)
{
	const char *name = at;
	int which, q = 1000;

	while (at < end && *at != ';' && *at != ' ' && *at != '\t')
		at++;
	which = lookup(name, (size_t)(at - name));
	at = skip_space(at, end);
	if (at < end) {
		at = *at == ';' ? skip_space(at + 1, end) : end;
		if (end - at < 2 || (*at != 'q' && *at != 'Q') || at[1] != '=')
			return;
		while (end[-1] == ' ' || end[-1] == '\t')
			end--;
		q = parse_qvalue(at + 2, end);
	}
	if (which != NOT_NAMED && q >= 0)
		w->weight[which] = q;
}

static void add_field(struct wishes *w, const char *at, size_t len)
{
	const char *end = at + len, *comma;

	for (; at < end; at = comma + 1) {
		comma = memchr(at, ',', (size_t)(end - at));
		if (comma == NULL)
			comma = end;
		at = skip_space(at, comma);
		if (at < comma)
			add_element(w, at, comma);
	}
}

static int weight_of(const struct wishes *w, enum encoding e)
{
	return w->weight[e] != NOT_NAMED ? w->weight[e] : w->weight[ANY];
}

enum encoding encoding_choose(const char *base, const struct http_request *req, unsigned available)
{
	struct wishes w = {{NOT_NAMED, NOT_NAMED, NOT_NAMED, NOT_NAMED, NOT_NAMED}};
	enum encoding best = ENCODING_IDENTITY;
	int best_weight;

	if (req->known[HTTP_F_ACCEPT_ENCODING].off == 0)
		return ENCODING_IDENTITY;
	for (unsigned i = 0; i < req->fields; i++) {
		if (req->field[i].id == HTTP_F_ACCEPT_ENCODING)
			add_field(&w, base + req->field[i].value.off, req->field[i].value.len);
	}
	/* Not named, identity is acceptable, but less wanted than whatever is named. */
	best_weight = weight_of(&w, ENCODING_IDENTITY);
	if (best_weight < 0)
		best_weight = 0;
	for (enum encoding e = ENCODING_GZIP; e < ENCODINGS_COUNT; e++) {
		int weight = weight_of(&w, e);

		if ((available & 1u << e) && weight > 0 && weight >= best_weight) {
			best = e;
			best_weight = weight;
		}
	}
	return best;
}
