/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's time, read once a turn of the event loop, and its HTTP form (RFC 9110 5.6.7),
 * written anew when the second changes.
 */
#ifndef DROVER_WORKER_CLOCK_H
#define DROVER_WORKER_CLOCK_H

#include <stdint.h>
#include <time.h>

enum {
	HTTP_DATE_LEN = 29
};

struct clock {
	uint64_t now_us;                   /* CLOCK_MONOTONIC */
	time_t real_s;                     /* CLOCK_REALTIME, seconds */
	uint32_t real_us;                  /* and the part of the second */
	char http_date[HTTP_DATE_LEN + 1]; /* of real_s: "Sun, 06 Nov 1994 08:49:37 GMT" */
	char log_date[32];                 /* of real_s: "06/Nov/1994:08:49:37 +0000", local time */
};

/* Reads the time. */
void clock_read(struct clock *c);

/* CLOCK_MONOTONIC, now, in microseconds. */
uint64_t clock_now_us(void);

/* Writes t as an HTTP date (no NUL). */
void http_date_write(char out[HTTP_DATE_LEN], time_t t);

/* Reads any of the three forms of RFC 9110 5.6.7. Returns -1 if it is none. */
int http_date_parse(const char *text, size_t len, time_t *t_out);

#endif
