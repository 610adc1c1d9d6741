/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditional requests (RFC 9110 section 13): the fields If-Match, If-Unmodified-Since,
 * If-None-Match, If-Modified-Since and If-Range of a GET or HEAD against what the server has. Pure.
 */
#ifndef DROVER_WORKER_HTTP_CONDITION_H
#define DROVER_WORKER_HTTP_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "worker/http/parse.h"

/* What can be said of the selected representation. */
struct validators {
	const char *etag; /* with its quotes, and W/ if it is weak; NULL: none */
	bool has_date;
	bool strong_date; /* it cannot have changed twice within the second of its date (RFC 9110
			     8.8.2.2) */
	time_t date;      /* Last-Modified */
};

enum condition {
	CONDITION_PROCEED,
	CONDITION_NOT_MODIFIED, /* 304 */
	CONDITION_FAILED        /* 412 */
};

/* Everything but Range and If-Range, in the order of RFC 9110 13.2.2. base: of req's spans. */
enum condition condition_check(const char *base, const struct http_request *req,
			       const struct validators *v);

/* May the Range field be honoured? True without If-Range, else if its validator is the current one
 * by strong comparison. */
bool condition_range(const char *base, const struct http_request *req, const struct validators *v);

/* Is the entity tag in the list ("*" is in it whatever the tag)? Reading stops at the first thing
 * that is no entity tag. */
bool condition_listed(const char *list, size_t len, const char *etag, bool weak);

#endif
