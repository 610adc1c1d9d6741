/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board as Prometheus text (format 0.0.4) or OpenMetrics text (1.0.0). Metrics grow from the
 * board's own description: names, units and help are those of shm/fields.h. One generator, for
 * droverctl and for the location of a worker.
 *
 * Series are bounded by the configuration: counters are sums over all workers, so that they never
 * go down over a reload or a death; a few figures that ought to be balanced come by slot; what a
 * server, listener or upstream did comes by its name, for the first METRICS_ROWS of each, what a
 * peer did by upstream and address, for the first METRICS_PEERS; the others together as "~other".
 * Nothing that a client sent becomes a label.
 */
#ifndef DROVER_SHM_METRICS_H
#define DROVER_SHM_METRICS_H

#include <stdio.h>

#include "shm/view.h"

enum {
	METRICS_ROWS = 1000,
	METRICS_PEERS = 200 /* each has a histogram, and more series than others */
};

enum metrics_format {
	METRICS_TEXT,
	METRICS_OPENMETRICS
};

/* The media type, for Content-Type. */
const char *metrics_type(enum metrics_format format);

/* Writes all that a loaded view shows. Returns 0, or -1 with errno if memory or the stream failed.
 */
int metrics_write(const struct view *v, enum metrics_format format, FILE *out);

#endif
