/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the checks and keeps their findings. What each check looks for is in shm/diagnose_*.c.
 */
#include "shm/diagnose.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIM(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	diagnose_fn *look;
} checks[] = {
    {"master", diagnose_master},
    {"workers", diagnose_workers},
    {"close_wait", diagnose_close_wait},
    {"time_wait", diagnose_time_wait},
    {"accept_queue", diagnose_queues},
    {"leak", diagnose_leak},
    {"descriptors", diagnose_descriptors},
    {"connections", diagnose_connections},
    {"growth", diagnose_growth},
    {"retransmissions", diagnose_retransmissions},
    {"zero_window", diagnose_windows},
    {"ports", diagnose_ports},
    {"names", diagnose_names},
    {"balance", diagnose_balance},
    {"loop_lag", diagnose_lag},
    {"memory", diagnose_memory},
    {"log", diagnose_log},
    {"deadlines", diagnose_deadlines},
    {"limits", diagnose_limits},
    {"peers", diagnose_peers},
};

const char *diagnose_check(size_t i)
{
	return i < DIM(checks) ? checks[i].name : NULL;
}

const char *diagnose_severity_name(enum diagnose_severity severity)
{
	static const char *const names[] = {
	    [DIAGNOSE_FINE] = "fine",         [DIAGNOSE_UNSEEN] = "not_looked_at",
	    [DIAGNOSE_NOTICE] = "notice",     [DIAGNOSE_WARNING] = "warning",
	    [DIAGNOSE_CRITICAL] = "critical",
	};

	return names[severity];
}

void diagnose_add(struct diagnosis *d, enum diagnose_severity severity)
{
	if (d->count == d->room) {
		size_t room = d->room == 0 ? 32 : 2 * d->room;
		struct finding *more = reallocarray(d->all, room, sizeof(*more));

		if (more == NULL) {
			d->failed = true;
			return;
		}
		d->all = more;
		d->room = room;
	}
	d->all[d->count++] = (struct finding){.check = d->check, .severity = severity};
}

static char *format(struct diagnosis *d, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) >= 0)
		return text;
	d->failed = true;
	return NULL;
}

/* The three texts of the last finding. Said twice, the second is appended. */
static void say(struct diagnosis *d, char **slot, const char *fmt, va_list ap)
{
	char *text = format(d, fmt, ap), *both;

	if (text == NULL || *slot == NULL) {
		*slot = text != NULL ? text : *slot;
		return;
	}
	if (asprintf(&both, "%s%s", *slot, text) < 0) {
		d->failed = true;
		both = NULL;
	}
	free(*slot);
	free(text);
	*slot = both;
}

#define TEXT_OF(member)                                        \
	do {                                                   \
		va_list ap;                                    \
		if (d->failed)                                 \
			return;                                \
		va_start(ap, fmt);                             \
		say(d, &d->all[d->count - 1].member, fmt, ap); \
		va_end(ap);                                    \
	} while (0)

void diagnose_seen(struct diagnosis *d, const char *fmt, ...)
{
	TEXT_OF(seen);
}

void diagnose_means(struct diagnosis *d, const char *fmt, ...)
{
	TEXT_OF(means);
}

void diagnose_cure(struct diagnosis *d, const char *fmt, ...)
{
	TEXT_OF(cure);
}

enum {
	LIST_MOST = 4
};

void diagnose_list(struct diagnose_list *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->used;
	va_list ap;
	int n;

	if (l->count++ >= LIST_MOST || room < 4)
		return;
	if (l->count > 1)
		l->used += (size_t)snprintf(l->text + l->used, room, ", ");
	room = sizeof(l->text) - l->used;
	va_start(ap, fmt);
	n = vsnprintf(l->text + l->used, room, fmt, ap);
	va_end(ap);
	l->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

const char *diagnose_list_end(struct diagnose_list *l)
{
	if (l->count > LIST_MOST)
		snprintf(l->text + l->used, sizeof(l->text) - l->used, " and %u more",
			 l->count - LIST_MOST);
	return l->text;
}

/* The worst first; those of one severity stay in the order of the checks. */
static void sort(struct diagnosis *d)
{
	for (size_t i = 1; i < d->count; i++) {
		struct finding one = d->all[i];
		size_t k = i;

		for (; k > 0 && d->all[k - 1].severity < one.severity; k--)
			d->all[k] = d->all[k - 1];
		d->all[k] = one;
	}
}

/* No text is left NULL for those who print it. */
static void complete(struct diagnosis *d)
{
	for (size_t i = 0; i < d->count; i++) {
		char **texts[] = {&d->all[i].seen, &d->all[i].means, &d->all[i].cure};

		for (size_t k = 0; k < DIM(texts); k++) {
			if (*texts[k] == NULL)
				*texts[k] = strdup("");
			d->failed |= *texts[k] == NULL;
		}
	}
}

int diagnose(const struct facts *f, struct diagnosis *d)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < DIM(checks) && !d->failed; i++) {
		d->check = checks[i].name;
		checks[i].look(f, d);
	}
	complete(d);
	if (d->failed) {
		diagnosis_free(d);
		errno = ENOMEM;
		return -1;
	}
	sort(d);
	return 0;
}

void diagnosis_free(struct diagnosis *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->all[i].seen);
		free(d->all[i].means);
		free(d->all[i].cure);
	}
	free(d->all);
	memset(d, 0, sizeof(*d));
}

enum diagnose_severity diagnosis_worst(const struct diagnosis *d)
{
	return d->count > 0 ? d->all[0].severity : DIAGNOSE_FINE;
}
