/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl top -j: what the first views show, as one object.
 */
#include "shm/ctl_top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/rates.h"

enum {
	SLOWEST = 10
};

static void put_master(const struct top *t, struct json *j)
{
	const struct view *v = &t->c->view;
	char text[TOP_NOTICE];

	json_text(j, "board", reader_path(t->c->reader));
	json_text(j, "trouble", top_trouble(t, text, sizeof(text)));
	json_object(j, "master");
	json_text(j, "life", view_life_name(v->master_life));
	json_text(j, "state", reader_row_enum(&v->master, "state"));
	json_text(j, "version", reader_row_text(&v->master, "version", text, sizeof(text)));
	json_u64(j, "pid", reader_row_u64(&v->master, "pid"));
	json_u64(j, "generation", reader_row_u64(&v->master, "generation"));
	ctl_json_time(t->c, j, "started", reader_row_u64(&v->master, "started_us"));
	json_end(j);
}

static void put_workers(struct top *t, struct json *j)
{
	const struct view *v = &t->c->view;
	struct top_census n = top_census(t);

	json_object(j, "census");
	json_u64(j, "wanted", n.wanted);
	json_u64(j, "ready", n.ready);
	json_u64(j, "draining", n.draining);
	json_u64(j, "hung", n.hung);
	json_u64(j, "dead", n.dead);
	json_end(j);
	json_array(j, "workers");
	t->view = TOP_WORKERS;
	top_arrange(t);
	for (size_t i = 0; i < t->order_count; i++) {
		const struct view_worker *w = &v->workers[t->order[i]];
		const struct top_worker *more = &t->workers[t->order[i]];

		json_object(j, NULL);
		json_u64(j, "slot", w->slot);
		json_u64(j, "pid", w->pid);
		json_text(j, "state", w->state);
		json_text(j, "life", view_life_name(w->life));
		json_u64(j, "generation", w->generation);
		json_u64(j, "conns", view_lives(w) ? w->conns : 0);
		json_real(j, "requests_per_s", more->requests_s);
		json_real(j, "bytes_in_per_s", more->in_s);
		json_real(j, "bytes_out_per_s", more->out_s);
		json_real(j, "p99_us", more->p99_us);
		json_u64(j, "lag_us", more->lag_us);
		json_u64(j, "beat_age_ms", view_age_us(v, w->heard_us) / 1000);
		json_end(j);
	}
	json_end(j);
}

static void put_connections(const struct top *t, struct json *j)
{
	const struct view *v = &t->c->view;

	json_object(j, "connections");
	json_u64(j, "conns", view_sum(v, "conns"));
	json_u64(j, "conns_max", view_sum(v, "conns_max"));
	json_object(j, "states");
	for (unsigned i = 0; i < VIEW_STATES; i++) {
		const char *name = reader_enum_text(v->reader, "conn_state", i);

		if (strcmp(name, "?") != 0 && strcmp(name, "free") != 0)
			json_u64(j, name, t->states[i]);
	}
	json_end(j);
	json_end(j);
}

/* Each figure of the overview: a rate, null if it is not known, and a total. */
static void put_figures(const struct top *t, struct json *j)
{
	json_object(j, "figures");
	for (size_t i = 0; i < top_overview_figures(); i++) {
		const char *names;
		const char *name = top_overview_figure(i, &names);

		json_object(j, name);
		json_real(j, "per_s", top_rate(t, names));
		json_u64(j, "total", top_total(t, names));
		json_end(j);
	}
	json_end(j);
}

static void put_hist(const struct top *t, struct json *j, const char *key, bool interval)
{
	static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
	const struct ctl_item *item = top_item(t, "latency");

	json_object(j, key);
	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_real(j, ctl_hist_name(i), top_quantile(t, item, interval, quantiles[i]));
	json_u64(j, ctl_hist_name(CTL_HIST_FIGURES - 1), top_hist_count(t, item, interval));
	json_end(j);
}

static void put_slowest(struct top *t, struct json *j)
{
	char peer[96];

	t->view = TOP_SLOWEST;
	top_arrange(t);
	json_u64(j, "in_flight", t->order_count);
	json_array(j, "slowest");
	for (size_t i = 0; i < t->order_count && i < SLOWEST; i++) {
		const struct top_conn *conn = &t->conns[t->order[i]];
		const char *server = top_conn_server(t, conn);

		json_object(j, NULL);
		json_u64(j, "id", conn->id);
		json_u64(j, "slot", t->c->view.workers[conn->worker].slot);
		json_text(j, "state", conn->state);
		json_bool(j, "dead", conn->dead);
		json_bool(j, "torn", conn->torn);
		json_text(j, "peer", top_conn_peer(conn, peer, sizeof(peer)));
		json_u64(j, "time_ms", top_conn_age_us(conn, conn->request_us) / 1000);
		if (strcmp(server, "-") == 0)
			json_null(j, "server");
		else
			json_text(j, "server", server);
		json_text(j, "request", conn->request);
		json_end(j);
	}
	json_end(j);
}

void top_json(struct top *t)
{
	enum top_view view = t->view;
	struct json j;

	ctl_json(t->c, &j);
	if (t->seconds > 0)
		json_real(&j, "interval_s", t->seconds);
	else
		json_null(&j, "interval_s");
	put_master(t, &j);
	put_workers(t, &j);
	put_connections(t, &j);
	put_figures(t, &j);
	json_object(&j, "latency_us");
	put_hist(t, &j, "interval", true);
	put_hist(t, &j, "since_start", false);
	json_end(&j);
	put_slowest(t, &j);
	json_finish(&j);
	t->view = view;
}
