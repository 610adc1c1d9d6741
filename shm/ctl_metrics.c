/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl metrics: the board for Prometheus, from the generator that a worker's location with
 * metrics = true uses (shm/metrics.c).
 */
#include "shm/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/metrics.h"

/* The same text as a member, for whoever wants JSON of every command. */
static int as_json(struct ctl *c, enum metrics_format format)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&text, &bytes);
	int result = memory == NULL ? -1 : metrics_write(&c->view, format, memory);
	struct json j;

	if (memory != NULL && fclose(memory) != 0)
		result = -1;
	if (result == 0) {
		ctl_json(c, &j);
		json_text(&j, "type", metrics_type(format));
		json_bytes(&j, "text", text, bytes);
		json_finish(&j);
	}
	free(text);
	return result;
}

int ctl_metrics(struct ctl *c)
{
	enum metrics_format format = c->openmetrics ? METRICS_OPENMETRICS : METRICS_TEXT;
	int result;

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	result = c->json ? as_json(c, format) : metrics_write(&c->view, format, stdout);
	/* Standard output that failed is told of at the end of every command. */
	if (result != 0 && !ferror(stdout))
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	return CTL_OK;
}
