/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl doctor: what is wrong, what it means, what to do, the worst first. Facts come from
 * shm/ctl_facts.c, judgement from shm/diagnose.c; here they are printed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/ctl.h"
#include "shm/ctl_facts.h"

enum {
	WIDTH = 80, /* lines are no longer on wider terminals, either */
	LABEL = 9,
	CHECK = 17
};

static bool shown(const struct ctl *c, const struct finding *f)
{
	return c->all || c->json || f->severity >= DIAGNOSE_NOTICE;
}

static void print_json(const struct ctl *c, const struct facts *facts, const struct diagnosis *d)
{
	struct json j;

	ctl_json(c, &j);
	json_text(&j, "severity",
		  diagnosis_worst(d) < DIAGNOSE_NOTICE
		      ? "fine"
		      : diagnose_severity_name(diagnosis_worst(d)));
	json_real(&j, "interval_s", facts->interval_s);
	json_array(&j, "findings");
	for (size_t i = 0; i < d->count; i++) {
		json_object(&j, NULL);
		json_text(&j, "check", d->all[i].check);
		json_text(&j, "severity", diagnose_severity_name(d->all[i].severity));
		json_text(&j, "seen", d->all[i].seen);
		json_text(&j, "means", d->all[i].means);
		json_text(&j, "do", d->all[i].cure);
		json_end(&j);
	}
	json_end(&j);
	json_finish(&j);
}

static void print_raw(const struct finding *f)
{
	const char *texts[] = {f->seen, f->means, f->cure};
	char safe[4096];

	printf("%s\t%s", diagnose_severity_name(f->severity), f->check);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		printf("\t%s", print_escape(texts[i], strlen(texts[i]), safe, sizeof(safe)));
	putchar('\n');
}

static unsigned width(void)
{
	unsigned columns = print_width(stdout);

	return columns != 0 && columns < WIDTH ? columns : WIDTH;
}

/* All is well: one line is enough. */
static void print_short(const struct finding *f)
{
	print_wrapped(stdout, f->check, CHECK, width(), f->seen);
}

static void print_finding(const struct finding *f)
{
	printf("%s\n", f->check);
	print_wrapped(stdout, "  seen", LABEL, width(), f->seen);
	if (f->means[0] != '\0')
		print_wrapped(stdout, "  means", LABEL, width(), f->means);
	if (f->cure[0] != '\0')
		print_wrapped(stdout, "  do", LABEL, width(), f->cure);
	putchar('\n');
}

/* Those of one severity under its name. */
static void print_group(const struct ctl *c, const struct diagnosis *d,
			enum diagnose_severity severity)
{
	static const char *const titles[] = {
	    [DIAGNOSE_FINE] = "FINE",         [DIAGNOSE_UNSEEN] = "NOT LOOKED AT",
	    [DIAGNOSE_NOTICE] = "NOTICE",     [DIAGNOSE_WARNING] = "WARNING",
	    [DIAGNOSE_CRITICAL] = "CRITICAL",
	};
	bool any = false;

	for (size_t i = 0; i < d->count; i++) {
		const struct finding *f = &d->all[i];

		if (f->severity != severity || !shown(c, f))
			continue;
		if (!any)
			printf("%s\n", titles[severity]);
		any = true;
		if (severity >= DIAGNOSE_NOTICE)
			print_finding(f);
		else
			print_short(f);
	}
	if (any && severity < DIAGNOSE_NOTICE)
		putchar('\n');
}

static const char *verdict(enum diagnose_severity worst)
{
	switch (worst) {
	case DIAGNOSE_CRITICAL:
		return "Critical: clients suffer now, or will in moments.";
	case DIAGNOSE_WARNING:
		return "Something is wrong, or soon will be.";
	case DIAGNOSE_NOTICE:
		return "All is well; there is something to know.";
	case DIAGNOSE_FINE:
	case DIAGNOSE_UNSEEN:
	case DIAGNOSE_SEVERITIES:
		break;
	}
	return "All is well.";
}

/* What was looked at, and what was not and why. Reasons that several checks share stand once. */
static void print_summary(const struct facts *f, const struct diagnosis *d)
{
	unsigned unseen = 0, looked = 0;
	char text[160];

	for (size_t i = 0; diagnose_check(i) != NULL; i++) {
		bool blind = false;

		for (size_t k = 0; k < d->count; k++)
			blind |= strcmp(d->all[k].check, diagnose_check(i)) == 0 &&
				 d->all[k].severity == DIAGNOSE_UNSEEN;
		unseen += blind;
		looked += !blind;
	}
	snprintf(text, sizeof(text), "%s Looked at %u things in %.1f s%s",
		 verdict(diagnosis_worst(d)), looked, f->interval_s,
		 unseen > 0 ? "; not at:" : ".");
	print_wrapped(stdout, "", 0, width(), text);
	for (size_t i = 0; i < d->count; i++)
		if (d->all[i].severity == DIAGNOSE_UNSEEN)
			print_wrapped(stdout, d->all[i].check, CHECK, width(), d->all[i].seen);
}

static void print_text(const struct ctl *c, const struct facts *f, const struct diagnosis *d)
{
	for (int s = DIAGNOSE_CRITICAL; s >= DIAGNOSE_FINE; s--)
		if (s != DIAGNOSE_UNSEEN) /* that is in the summary */
			print_group(c, d, (enum diagnose_severity)s);
	print_summary(f, d);
}

static int exit_status(enum diagnose_severity worst)
{
	if (worst == DIAGNOSE_CRITICAL)
		return CTL_CRITICAL;
	return worst == DIAGNOSE_WARNING ? CTL_WRONG : CTL_OK;
}

int ctl_doctor(struct ctl *c)
{
	struct facts facts = {0};
	struct diagnosis d = {0};
	int status;

	if (ctl_open(c) != CTL_OK)
		return CTL_USAGE;
	status = ctl_facts_gather(c, c->interval_s > 0 ? c->interval_s : 1, &facts);
	if (status == CTL_OK && diagnose(&facts, &d) != 0)
		status = ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	if (status == CTL_OK) {
		status = exit_status(diagnosis_worst(&d));
		if (c->json)
			print_json(c, &facts, &d);
		for (size_t i = 0; !c->json && c->raw && i < d.count; i++)
			if (shown(c, &d.all[i]))
				print_raw(&d.all[i]);
		if (!c->json && !c->raw)
			print_text(c, &facts, &d);
	}
	diagnosis_free(&d);
	ctl_facts_free(&facts);
	return status;
}
