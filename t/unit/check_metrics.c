/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests shm/metrics.c and shm/snapshot.c: what is added up, in which units, what is escaped, and
 * that both stay bounded however many servers and connections there are.
 */
#include "shm/metrics.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/snapshot.h"
#include "shm/times.h"

enum {
	SERVERS = METRICS_ROWS + 100,
	PEERS = METRICS_PEERS + 10
};

static const struct board_sizes sizes = {.slots = 3,
					 .conns_per_worker = 40000,
					 .listeners = 3,
					 .servers = SERVERS,
					 .upstreams = 3,
					 .peers = PEERS};
static char dir[64], path[96];
static struct board board;
static struct reader *reader;
static struct view view;
static char *text;
static size_t bytes;

static struct worker_row *add_worker(uint32_t row, enum worker_state state, uint64_t requests)
{
	struct worker_row *w = board_worker(&board, row);

	w->slot = row / BOARD_HALVES;
	w->pid = (uint64_t)getpid();
	w->started_us = w->beat_us = times_mono_us();
	w->requests = requests;
	w->conns = 10;
	w->state = state;
	return w;
}

static void add_servers(void)
{
	for (uint32_t i = 0; i < SERVERS; i++) {
		struct server_row *s = board_server(&board, i);

		snprintf(s->name, sizeof(s->name), "s%u", i);
		s->used = i != 1;
		board_server_traffic(&board, 0, i)->requests = 1;
		board_server_traffic(&board, 2, i)->requests = 2;
	}
	strcpy(board_server(&board, 0)->name, "a \"b\"\\\n\xff\x1b\xc3\xbc");
}

/* Of one pool each but the first: the last is ejected, the one before it down. */
static void add_peers(void)
{
	for (uint32_t i = 0; i < PEERS; i++) {
		struct peer_row *p = board_peer(&board, i);
		struct peer_traffic_row *t = board_peer_traffic(&board, 1, i);

		snprintf(p->upstream, sizeof(p->upstream), "u%u", i > 0);
		snprintf(p->address, sizeof(p->address), "10.0.0.1:%u", i);
		p->used = i != 1;
		p->resolved = 1;
		p->weight = 7;
		p->active = i;
		t->active = 1000; /* a worker's part of it: not told */
		t->requests = 3;
		t->responses_5xx = 2;
		t->latency[hist_bucket(300000)] = 2;
		t->latency_sum = 600000;
	}
	board_peer(&board, 3)->down = 1;
	board_peer(&board, 4)->failed_until_us = times_mono_us() + 60000000;
	strcpy(board_upstream(&board, 0)->name, "u0");
	board_upstream(&board, 0)->used = 1;
	board_upstream(&board, 0)->turn = 9;
}

/* Slot 0 was served by one that left and is by one that lives, slot 1 by a dead one, slot 2 never.
 */
static void set_up(void)
{
	char why[256] = "";
	struct worker_row *w;

	strcpy(dir, "/tmp/drover-metrics-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, BOARD_FILE);
	ck_assert_int_eq(board_create(&board, path, &sizes), 0);
	reader = reader_open(path, why, sizeof(why));
	ck_assert_msg(reader != NULL, "%s", why);
	board.master->pid = (uint64_t)getpid();
	board.master->state = MASTER_RUNNING;
	board.master->beat_us = board.master->started_us = times_mono_us();
	board.master->drain_ms = 1500;
	add_worker(0, WORKER_GONE, 5);
	w = add_worker(1, WORKER_READY, 7);
	w->conns_idle = 9;
	w->latency[hist_bucket(100)] = 3;
	w->latency[hist_bucket(300000)] = 1;
	w->latency_sum = 300300;
	w->responses_4xx = 2;
	w->close_reset = 4;
	add_worker(2, WORKER_DEAD, 100);
	add_servers();
	add_peers();
}

static void tear_down(void)
{
	free(text);
	text = NULL;
	view_free(&view);
	reader_close(reader);
	board_unmap(&board);
	unlink(path);
	ck_assert_msg(rmdir(dir) == 0, "something is left in %s", dir);
}

static void render(int (*write)(FILE *out))
{
	FILE *out = open_memstream(&text, &bytes);

	ck_assert_int_eq(view_load(&view, reader), 0);
	ck_assert_int_eq(write(out), 0);
	ck_assert_int_eq(fclose(out), 0);
}

static int plain(FILE *out)
{
	return metrics_write(&view, METRICS_TEXT, out);
}

static int openmetrics(FILE *out)
{
	return metrics_write(&view, METRICS_OPENMETRICS, out);
}

static int snapshot(FILE *out)
{
	return snapshot_write(&view, out);
}

static void has(const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "there is no: %s", part);
}

static void hasnt(const char *part)
{
	ck_assert_msg(strstr(text, part) == NULL, "there is: %s", part);
}

static unsigned times_in_text(const char *part)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
		n++;
	return n;
}

START_TEST(test_sums)
{
	render(plain);
	has("\n# TYPE drover_requests_total counter\ndrover_requests_total 112\n");
	has("\ndrover_connections_open 10\n"); /* levels of those that live */
	has("\ndrover_connections{state=\"idle\"} 9\n");
	has("\ndrover_responses_total{class=\"4xx\"} 2\n");
	has("\ndrover_connections_closed_total{reason=\"reset\"} 4\n");
	has("\ndrover_worker_requests_total{slot=\"0\"} 12\n");
	has("\ndrover_worker_requests_total{slot=\"1\"} 100\n");
	hasnt("slot=\"2\"");
	has("\ndrover_worker_up{slot=\"0\"} 1\ndrover_worker_up{slot=\"1\"} 0\n");
	has("\ndrover_workers{state=\"dead\"} 1\n");
	has("\ndrover_workers{state=\"ready\"} 1\n");
	has("\ndrover_master_up 1\n");
	has("\ndrover_master_state{state=\"running\"} 1\n");
	has("\ndrover_master_state{state=\"stopped\"} 0\n");
}
END_TEST

START_TEST(test_units)
{
	render(plain);
	has("\ndrover_master_drain_seconds 1.500\n");
	has("\ndrover_request_duration_seconds_sum 0.300300\n");
	has("\ndrover_request_duration_seconds_bucket{le=\"0.000096\"} 0\n");
	has("\ndrover_request_duration_seconds_bucket{le=\"0.000128\"} 3\n");
	has("\ndrover_request_duration_seconds_bucket{le=\"0.262144\"} 3\n");
	has("\ndrover_request_duration_seconds_bucket{le=\"0.393216\"} 4\n");
	has("\ndrover_request_duration_seconds_bucket{le=\"+Inf\"} 4\n");
	has("\ndrover_request_duration_seconds_count 4\n");
	hasnt("latency_sum");
	hasnt("_us ");
}
END_TEST

START_TEST(test_names_are_escaped)
{
	render(plain);
	has("{server=\"a \\\"b\\\"\\\\\\n\xef\xbf\xbd\xef\xbf\xbd\xc3\xbc\"} 3\n");
}
END_TEST

START_TEST(test_metrics_are_bounded)
{
	render(plain);
	/* Row 1 is not in use; the last hundred are one. */
	hasnt("{server=\"s1\"}");
	has("drover_server_requests_total{server=\"s1000\"} 3\n");
	hasnt("server=\"s1001\"");
	has("drover_server_requests_total{server=\"~other\"} 297\n");
	ck_assert_uint_eq(times_in_text("\ndrover_server_requests_total{"), METRICS_ROWS + 1);
}
END_TEST

START_TEST(test_peers)
{
	render(plain);
	has("\ndrover_peer_requests_total{upstream=\"u0\",peer=\"10.0.0.1:0\"} 3\n");
	has("\ndrover_peer_responses_total{upstream=\"u1\",peer=\"10.0.0.1:2\",class=\"5xx\"} 2\n");
	has("\ndrover_peer_requests_active{upstream=\"u1\",peer=\"10.0.0.1:2\"} 2\n");
	ck_assert_uint_eq(times_in_text("# TYPE drover_peer_requests_active gauge"), 1);
	has("\ndrover_peer_weight{upstream=\"u1\",peer=\"10.0.0.1:2\"} 7\n");
	has("\ndrover_peer_request_duration_seconds_sum{upstream=\"u1\",peer=\"10.0.0.1:2\"} "
	    "0.600000\n");
	has("\ndrover_peer_request_duration_seconds_bucket{upstream=\"u1\",peer=\"10.0.0.1:2\","
	    "le=\"+Inf\"} 2\n");
	has("\ndrover_peer_request_duration_seconds_bucket{upstream=\"u1\",peer=\"10.0.0.1:2\","
	    "le=\"0.262144\"} 0\n");
	has("\ndrover_peer_request_duration_seconds_bucket{upstream=\"u1\",peer=\"10.0.0.1:2\","
	    "le=\"0.524288\"} 2\n");
	has("\ndrover_peer_up{upstream=\"u1\",peer=\"10.0.0.1:2\"} 1\n");
	has("\ndrover_peer_up{upstream=\"u1\",peer=\"10.0.0.1:3\"} 0\n");
	has("\ndrover_peer_ejected{upstream=\"u1\",peer=\"10.0.0.1:3\"} 0\n");
	has("\ndrover_peer_up{upstream=\"u1\",peer=\"10.0.0.1:4\"} 0\n");
	has("\ndrover_peer_ejected{upstream=\"u1\",peer=\"10.0.0.1:4\"} 1\n");
	has("\ndrover_peer_troubled{upstream=\"u1\",peer=\"10.0.0.1:3\"} 0\n");
	has("\ndrover_peer_troubled{upstream=\"u1\",peer=\"10.0.0.1:4\"} 1\n");
	has("\ndrover_peer_down{upstream=\"u1\",peer=\"10.0.0.1:3\"} 1\n");
	/* Row 1 is not in use; the last nine are one. */
	hasnt("peer=\"10.0.0.1:1\"");
	hasnt("peer=\"10.0.0.1:201\"");
	has("\ndrover_peer_requests_total{upstream=\"~other\",peer=\"~other\"} 27\n");
	ck_assert_uint_eq(times_in_text("\ndrover_peer_requests_total{"), METRICS_PEERS + 1);
	/* For finding faults only. */
	hasnt("drover_upstream_turn");
}
END_TEST

START_TEST(test_openmetrics)
{
	render(openmetrics);
	has("\n# TYPE drover_requests counter\ndrover_requests_total 112\n");
	has("# TYPE drover_build info\ndrover_build_info{version=\"\"} 1\n");
	has("\n# UNIT drover_sent_bytes bytes\n");
	has("\n# UNIT drover_request_duration_seconds seconds\n");
	ck_assert_str_eq(text + bytes - 7, "\n# EOF\n");
	ck_assert_uint_eq(times_in_text("# EOF"), 1);
}
END_TEST

/* All connections idle but n, the oldest request last. */
static void add_conns(uint32_t used, uint32_t from, uint32_t n)
{
	struct worker_row *w = board_worker(&board, 1);
	char *rows = (char *)board_conns(&board, 1);

	for (uint32_t i = 0; i < used; i++) {
		struct conn_row *c = (struct conn_row *)(void *)(rows +
								 (size_t)i * board.conn_stride);

		c->state = i >= from && i < from + n ? CONN_SEND : CONN_IDLE;
		c->request_us = c->state == CONN_SEND ? w->started_us - i : 0;
		c->id = i;
		snprintf(c->request, sizeof(c->request), "GET /%u?password=x", i);
	}
	w->conns_high = w->conns = used;
	w->conns_send = n;
	w->conns_idle = used - n;
}

START_TEST(test_slowest)
{
	add_conns(1000, 500, 20);
	render(snapshot);
	has("\"slowest\":[{\"id\":519,");
	has("\"request\":\"GET /510\"");
	hasnt("\"request\":\"GET /509\"");
	hasnt("password");
	has("\"slowest_complete\":true");
	ck_assert_uint_eq(times_in_text("\"request\":"), SNAPSHOT_SLOWEST);
}
END_TEST

START_TEST(test_search_is_bounded)
{
	add_conns(40000, SNAPSHOT_CONNS + 64, 1);
	render(snapshot);
	has("\"slowest\":[]");
	has("\"slowest_complete\":false");
	ck_assert_uint_eq(times_in_text("\"responses_5xx\":"), SNAPSHOT_NAMED + 1);
	has("\"servers_more\":999");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, test_sums);
	tcase_add_test(t, test_units);
	tcase_add_test(t, test_names_are_escaped);
	tcase_add_test(t, test_metrics_are_bounded);
	tcase_add_test(t, test_peers);
	tcase_add_test(t, test_openmetrics);
	tcase_add_test(t, test_slowest);
	tcase_add_test(t, test_search_is_bounded);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
