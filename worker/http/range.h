/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Range field (RFC 9110 14.1, 14.2) against a representation of known size. Pure.
 */
#ifndef DROVER_WORKER_HTTP_RANGE_H
#define DROVER_WORKER_HTTP_RANGE_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t offset;
	uint64_t length; /* >= 1; offset + length <= size */
};

enum range_result {
	/*
	 * Send the whole representation: the field is malformed, its unit is not bytes, it names
	 * more than max ranges, or ranges that overlap (RFC 9110 17.15).
	 */
	RANGE_WHOLE,
	RANGE_PARTIAL,      /* one to max ranges, in the order asked for */
	RANGE_UNSATISFIABLE /* well formed, but no byte of the representation is in it */
};

/* Reads text[0 .. len). Ranges that lie beyond the end are left out of out[0 .. *count_out). */
enum range_result range_parse(const char *text, size_t len, uint64_t size, struct range *out,
			      unsigned max, unsigned *count_out);

#endif
