/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl peer: looks at one peer, and has it drained, taken down, brought up or weighed
 * otherwise. What is asked for is one word on the board, which any worker can write: they are asked
 * one after the other, by their sockets (shm/order.h), until one has answered.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/ctl_peer_row.h"
#include "shm/kill.h"
#include "shm/order.h"
#include "shm/suggest.h"
#include "shm/times.h"

enum {
	SILENCE_US = 1000000, /* a worker that has not answered by then does not */
	NAMES_MOST = 1024,
	WORKER_NONE = -1
};

struct errand {
	struct ctl *c;
	const char *upstream, *address;
	enum order_kind kind;
	bool order; /* false: it is only looked at */
	uint32_t weight;
	struct ctl_peer peer;
	int rundir_fd, socket;
	uint64_t token;
	int worker; /* who did it: its row */
};

/* What is asked for. */

static int parse_weight(struct errand *e, const char *text)
{
	char *end;

	if (strcmp(text, "default") == 0) {
		e->kind = ORDER_WEIGHT_DEFAULT;
		return CTL_OK;
	}
	errno = 0;
	unsigned long weight = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    weight > ORDER_WEIGHT_MOST)
		return ctl_fail(e->c, CTL_USAGE,
				"'%s' is no weight: write a number from 0 to %d, or default", text,
				ORDER_WEIGHT_MOST);
	e->weight = (uint32_t)weight;
	return CTL_OK;
}

static int parse_order(struct errand *e, const char *word)
{
	static const char *const words[] = {"drain", "down", "up", "weight"};
	static const enum order_kind kinds[] = {ORDER_DRAIN, ORDER_DOWN, ORDER_UP, ORDER_WEIGHT};
	enum {
		WORDS = sizeof(words) / sizeof(words[0])
	};
	const char *near;

	for (size_t i = 0; i < WORDS; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		e->kind = kinds[i];
		e->order = true;
		return CTL_OK;
	}
	near = suggest_nearest(word, words, WORDS);
	return ctl_fail(e->c, CTL_USAGE, "there is no order '%s'%s%s%s: drain, down, up or weight",
			word, near != NULL ? ": did you mean '" : "", near != NULL ? near : "",
			near != NULL ? "'?" : "");
}

static int parse(struct errand *e)
{
	const struct ctl *c = e->c;
	int status = CTL_OK, want;

	if (c->args_count < 2)
		return ctl_fail(c, CTL_USAGE,
				"which peer? write its upstream and its address, as 'droverctl "
				"upstreams' shows them");
	e->upstream = c->args[0];
	e->address = c->args[1];
	if (c->args_count > 2)
		status = parse_order(e, c->args[2]);
	if (status != CTL_OK)
		return status;
	want = !e->order ? 2 : e->kind == ORDER_WEIGHT ? 4 : 3;
	if (c->args_count < want)
		return ctl_fail(c, CTL_USAGE,
				"weight: write a number from 0 to %d behind it, or default",
				ORDER_WEIGHT_MOST);
	if (c->args_count > want)
		return ctl_fail(c, CTL_USAGE, "'%s' is one word too many", c->args[want]);
	return want == 4 ? parse_weight(e, c->args[3]) : CTL_OK;
}

/* Which peer. */

/* The nearest of upstreams' names, or of the addresses of the peers in one. */
static const char *nearest(const struct errand *e, bool of_peers, char *out, size_t size)
{
	static char names[NAMES_MOST][112];
	const char *all[NAMES_MOST], *near;
	struct ctl_named n;
	char upstream[64];
	size_t count = 0;

	for (bool ok = ctl_named_first(&n, e->c, "peer", "address"); ok && count < NAMES_MOST;
	     ok = ctl_named_next(&n)) {
		reader_row_text(&n.row, "upstream", upstream, sizeof(upstream));
		if (of_peers && strcmp(upstream, e->upstream) != 0)
			continue;
		if (of_peers)
			reader_row_text(&n.row, "address", names[count], sizeof(names[count]));
		else
			strlcpy(names[count], upstream, sizeof(names[count]));
		all[count] = names[count];
		count++;
	}
	ctl_named_free(&n);
	near = suggest_nearest(of_peers ? e->address : e->upstream, all, count);
	if (near == NULL)
		return NULL;
	strlcpy(out, near, size);
	return out;
}

static int no_such(const struct errand *e, bool upstream_found)
{
	char near[128];
	const char *meant = nearest(e, upstream_found, near, sizeof(near));
	const char *hint = meant != NULL ? ": did you mean '" : "",
		   *end = meant != NULL ? "'?" : "";

	if (meant == NULL)
		meant = "";
	if (!upstream_found)
		return ctl_fail(e->c, CTL_USAGE, "there is no upstream '%s'%s%s%s", e->upstream,
				hint, meant, end);
	return ctl_fail(e->c, CTL_USAGE, "upstream '%s' has no peer '%s'%s%s%s", e->upstream,
			e->address, hint, meant, end);
}

static int find(struct errand *e)
{
	struct ctl_named n;
	bool found = false, upstream = false;

	for (bool ok = ctl_named_first(&n, e->c, "peer", "address"); ok && !found;
	     ok = ctl_named_next(&n)) {
		ctl_peer_load(e->c, &n, &e->peer);
		if (strcmp(e->peer.upstream, e->upstream) != 0)
			continue;
		upstream = true;
		found = strcmp(e->peer.address, e->address) == 0;
		if (found)
			break;
	}
	ctl_named_free(&n);
	return found ? CTL_OK : no_such(e, upstream);
}

/* Asking. */

static int open_socket(struct errand *e)
{
	const struct sockaddr_un self = {.sun_family = AF_UNIX};
	const struct ctl *c = e->c;
	struct stat st;

	/* A copy does not change, whatever becomes of the peer. */
	if (stat(c->board, &st) == 0 && !S_ISDIR(st.st_mode))
		return ctl_fail(c, CTL_USAGE,
				"%s is a file, and may be a copy: name the run directory with -r. "
				"Nothing was done",
				c->board);
	e->rundir_fd = open(c->board, O_PATH | O_DIRECTORY | O_CLOEXEC);
	e->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->rundir_fd < 0 || e->socket < 0 ||
	    bind(e->socket, (const struct sockaddr *)&self, sizeof(sa_family_t)) != 0)
		return ctl_fail(c, CTL_USAGE, "%s: %s", c->board, strerror(errno));
	return CTL_OK;
}

static int send_to(struct errand *e, uint32_t worker, uint64_t until_us)
{
	struct order_request q = {.magic = ORDER_MAGIC,
				  .version = ORDER_VERSION,
				  .worker = worker,
				  .kind = e->kind,
				  .token = ++e->token,
				  .until_us = until_us,
				  .row = e->peer.row,
				  .weight = e->weight};
	struct sockaddr_un to;
	socklen_t len = kill_address(&to, e->rundir_fd, worker / BOARD_HALVES,
				     worker % BOARD_HALVES);

	strlcpy(q.upstream, e->peer.upstream, sizeof(q.upstream));
	strlcpy(q.address, e->peer.address, sizeof(q.address));
	return sendto(e->socket, &q, sizeof(q), MSG_NOSIGNAL, (const struct sockaddr *)&to, len) < 0
		   ? -1
		   : 0;
}

/* Waits for the answer to the last request: its result, or 0. */
static uint32_t hear(const struct errand *e, uint64_t until_us)
{
	struct pollfd p = {.fd = e->socket, .events = POLLIN};
	struct order_answer a;
	uint64_t now_us;

	while ((now_us = times_mono_us()) < until_us) {
		ssize_t n;

		poll(&p, 1, (int)((until_us - now_us) / 1000) + 1);
		n = recv(e->socket, &a, sizeof(a), MSG_DONTWAIT);
		if (n >= 0 && order_check_answer(&a, (size_t)n) == NULL && a.token == e->token)
			return a.result;
	}
	return 0;
}

static uint64_t silence_us(const struct ctl *c)
{
	return c->timeout_s != 0 ? (uint64_t)(c->timeout_s * 1e6) : SILENCE_US;
}

/* Those that serve before those that leave. Returns CTL_TIMEOUT if nobody answered. */
static int ask_those(struct errand *e, bool ready, bool *denied, bool *any)
{
	for (uint32_t w = 0; w < e->c->view.workers_count; w++) {
		const struct view_worker *worker = &e->c->view.workers[w];
		uint64_t until_us = times_mono_us() + silence_us(e->c);
		uint32_t result = 0;

		if (!view_lives(worker) || (strcmp(worker->state, "ready") == 0) != ready)
			continue;
		*any = true;
		if (send_to(e, w, until_us) == 0)
			result = hear(e, until_us);
		else if (errno == EACCES || errno == EPERM)
			*denied = true;
		if (result == ORDER_DONE)
			e->worker = (int)w;
		if (result == ORDER_DONE)
			return CTL_OK;
		if (result == ORDER_GONE)
			return ctl_fail(e->c, CTL_WRONG,
					"the peer was removed by a reload meanwhile: nothing was "
					"done");
	}
	return CTL_TIMEOUT;
}

static int ask(struct errand *e)
{
	const struct ctl *c = e->c;
	bool denied = false, any = false;
	int status = ask_those(e, true, &denied, &any);

	if (status == CTL_TIMEOUT)
		status = ask_those(e, false, &denied, &any);
	if (status != CTL_TIMEOUT)
		return status;
	if (!any)
		return ctl_fail(c, CTL_USAGE,
				"no drover runs here: no worker of %s lives; nothing was done",
				reader_path(c->reader));
	if (denied)
		return ctl_fail(c, CTL_USAGE,
				"only root and the user that started drover may change peers: the "
				"sockets in %s are not yours to write to. Nothing was done",
				c->board);
	return ctl_fail(
	    c, CTL_TIMEOUT,
	    "no worker answered in time, and none will obey any more: see 'droverctl workers'");
}

/* What came of it. */

static int look_again(struct errand *e)
{
	if (view_load(&e->c->view, e->c->reader) != 0)
		return ctl_fail(e->c, CTL_USAGE, "%s", strerror(errno));
	return find(e);
}

static int report(struct errand *e)
{
	struct ctl *c = e->c;
	struct json j;

	if (!c->json && (!e->order || c->raw))
		return ctl_peer_show(c, &e->peer);
	if (!c->json) {
		printf("peer %s of upstream %s: %s, weight %" PRIu64 ", %" PRIu64
		       " requests in hand\n",
		       e->peer.address, e->peer.upstream, e->peer.state, e->peer.weight,
		       e->peer.active);
		return CTL_OK;
	}
	ctl_json(c, &j);
	json_text(&j, "upstream", e->peer.upstream);
	if (e->order)
		json_text(&j, "order", order_name(e->kind));
	if (e->order)
		json_u64(&j, "slot", (uint64_t)e->worker / BOARD_HALVES);
	json_array(&j, "peers");
	ctl_peer_json(c, &j, &e->peer);
	json_end(&j);
	json_finish(&j);
	return CTL_OK;
}

int ctl_peer(struct ctl *c)
{
	struct errand e = {.c = c, .rundir_fd = -1, .socket = -1, .worker = WORKER_NONE};
	int status = parse(&e);

	if (status == CTL_OK)
		status = ctl_open(c);
	if (status == CTL_OK)
		status = find(&e);
	if (status == CTL_OK && e.order)
		status = open_socket(&e);
	if (status == CTL_OK && e.order)
		status = ask(&e);
	if (status == CTL_OK && e.order)
		status = look_again(&e);
	if (status == CTL_OK)
		status = report(&e);
	if (e.rundir_fd >= 0)
		close(e.rundir_fd);
	if (e.socket >= 0)
		close(e.socket);
	return status;
}
