/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * droverctl kill: ends connections by their number. The workers that have them are asked, all at
 * once, in batches, each by its socket in the run directory (shm/kill.h); for one that does not
 * answer within a second, droverctl takes the descriptors itself (shm/ctl_take.c). Connections move
 * between workers meanwhile, so those that were not found are looked for again, twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shm/ctl.h"
#include "shm/ctl_conn.h"
#include "shm/ctl_take.h"
#include "shm/kill.h"
#include "shm/times.h"

#define U64 "%" PRIu64

enum {
	SILENCE_US = 1000000,  /* a worker that has not answered by then does not */
	PATIENCE_US = 5000000, /* for all together */
	STEP_MS = 10,
	LOOKS = 2, /* in vain, until a connection is held to be gone: one may move past a look */
	WHY_BYTES = 160
};

enum fate {
	PENDING,
	LOST, /* not where it was: to be looked for */
	ENDED,
	GONE,
	CHANGED,
	FAILED
};

struct target {
	struct ctl_conn conn; /* as it was when it was chosen; where it is now */
	enum fate fate;
	bool known; /* it was seen on the board */
	bool taken; /* by its descriptor */
	bool asked; /* in the request under way */
	unsigned missed;
	const char *why; /* FAILED */
};

/* One worker row that has targets. */
struct talk {
	uint64_t token;    /* of the request under way; 0: none */
	uint64_t until_us; /* its answer is waited for */
	uint32_t count;
	struct target *asked[KILL_BATCH];
	bool silent;
	char why[WHY_BYTES];
};

struct job {
	struct ctl *c;
	struct ctl_filter filter, all; /* all lets everything pass */
	struct ctl_listing chosen;
	struct target *target;
	size_t count;
	bool keep_state; /* a filter names the state: it must still be so */
	struct talk *talk;
	uint32_t workers;
	int rundir_fd, socket;
	uint64_t end_us, silence_us, next_token;
};

/* What to end. */

static int add_target(struct job *j, uint64_t id, const struct ctl_conn *conn)
{
	struct target *t = &j->target[j->count++];

	*t = (struct target){.conn.id = id, .fate = LOST, .missed = 1};
	if (conn != NULL) {
		t->conn = *conn;
		t->fate = PENDING;
		t->known = true;
		t->missed = 0;
	}
	return CTL_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct ctl_conn *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* A connection on its way has two rows: the one that is found is as good as the other. */
static const struct ctl_conn *find_id(const struct ctl_listing *l, uint64_t id)
{
	const struct ctl_conn key = {.id = id};

	return l->count == 0 ? NULL : bsearch(&key, l->all, l->count, sizeof(*l->all), by_id);
}

static bool parse_id(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool is_target(const struct job *j, uint64_t id)
{
	for (size_t i = 0; i < j->count; i++)
		if (j->target[i].conn.id == id)
			return true;
	return false;
}

static int choose_by_id(struct job *j)
{
	const struct ctl *c = j->c;
	uint64_t id;

	for (int i = 0; i < c->args_count; i++) {
		if (!parse_id(c->args[i], &id))
			return ctl_fail(c, CTL_USAGE,
					"'%s' is no number of a connection: see 'droverctl conns', "
					"or write kill --filter %s",
					c->args[i], c->args[i]);
		if (!is_target(j, id))
			add_target(j, id, find_id(&j->chosen, id));
	}
	return CTL_OK;
}

static void choose_by_filter(struct job *j)
{
	const struct ctl *c = j->c;
	size_t n = c->limit != 0 && c->limit < j->chosen.count ? c->limit : j->chosen.count;

	ctl_conn_sort(&j->filter, j->chosen.all, j->chosen.count);
	for (size_t i = 0; i < n; i++)
		if (!j->chosen.all[i].dead)
			add_target(j, j->chosen.all[i].id, &j->chosen.all[i]);
}

static int choose(struct job *j)
{
	struct ctl *c = j->c;

	if (c->filter && ctl_filter_parse(c, &j->filter) != CTL_OK)
		return CTL_USAGE;
	j->keep_state = ctl_filter_has_state(&j->filter);
	if (ctl_listing_load(&j->chosen, c, c->filter ? &j->filter : &j->all, 0) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	j->target = calloc(j->chosen.count + (size_t)c->args_count, sizeof(*j->target));
	j->workers = c->view.workers_count;
	j->talk = calloc(j->workers + (size_t)1, sizeof(*j->talk));
	if (j->target == NULL || j->talk == NULL)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	if (c->filter) {
		choose_by_filter(j);
		return CTL_OK;
	}
	if (j->chosen.count > 0)
		qsort(j->chosen.all, j->chosen.count, sizeof(*j->chosen.all), by_id);
	return choose_by_id(j);
}

/* Whether it makes sense at all. */

static int check_usage(const struct ctl *c)
{
	struct stat st;

	if (c->filter && c->args_count == 0)
		return ctl_fail(
		    c, CTL_USAGE,
		    "no filter: 'kill --filter' would end every connection; write 'age>0s' "
		    "if that is meant. Nothing was done");
	if (c->args_count == 0)
		return ctl_fail(c, CTL_USAGE,
				"which one? write its number, or --filter state=idle");
	if (!c->filter && (c->limit != 0 || c->sort != NULL))
		return ctl_fail(c, CTL_USAGE, "-n and -s go with --filter");
	/* A copy does not change, whatever becomes of the connections. */
	if (stat(c->board, &st) == 0 && !S_ISDIR(st.st_mode))
		return ctl_fail(c, CTL_USAGE,
				"%s is a file, and may be a copy: name the run directory with -r. "
				"Nothing was done",
				c->board);
	return CTL_OK;
}

static int check_life(const struct ctl *c)
{
	for (uint32_t i = 0; i < c->view.workers_count; i++)
		if (view_lives(&c->view.workers[i]))
			return CTL_OK;
	return ctl_fail(c, CTL_USAGE,
			"no drover runs here: no worker of %s lives; nothing was done",
			reader_path(c->reader));
}

static int open_socket(struct job *j)
{
	const struct sockaddr_un self = {.sun_family = AF_UNIX};

	j->rundir_fd = open(j->c->board, O_PATH | O_DIRECTORY | O_CLOEXEC);
	j->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A name of the kernel's choice, to which workers can answer. */
	if (j->rundir_fd < 0 || j->socket < 0 ||
	    bind(j->socket, (const struct sockaddr *)&self, sizeof(sa_family_t)) != 0)
		return ctl_fail(j->c, CTL_USAGE, "%s: %s", j->c->board, strerror(errno));
	return CTL_OK;
}

/* Asking the workers. */

static uint32_t state_to_keep(const struct job *j, const struct target *t)
{
	return j->keep_state ? (uint32_t)t->conn.state_value : KILL_ANY_STATE;
}

/* Begins a request with the next targets of a worker that has none under way. */
static uint32_t compose(struct job *j, uint32_t worker, struct kill_request *q)
{
	struct talk *talk = &j->talk[worker];

	*q = (struct kill_request){.magic = KILL_MAGIC,
				   .version = KILL_VERSION,
				   .worker = worker,
				   .token = ++j->next_token};
	for (size_t i = 0; i < j->count && q->count < KILL_BATCH; i++) {
		struct target *t = &j->target[i];

		if (t->fate != PENDING || t->asked || t->conn.worker != worker)
			continue;
		talk->asked[q->count] = t;
		q->item[q->count++] = (struct kill_item){
		    .id = t->conn.id, .row = t->conn.row, .state = state_to_keep(j, t)};
	}
	return q->count;
}

/* Returns 0; 1: the worker cannot be asked; -1: nobody may. */
static int ask(struct job *j, uint32_t worker)
{
	static struct kill_request q;
	struct talk *talk = &j->talk[worker];
	struct sockaddr_un to;
	socklen_t len = kill_address(&to, j->rundir_fd, worker / BOARD_HALVES,
				     worker % BOARD_HALVES);

	if (compose(j, worker, &q) == 0)
		return 0;
	if (sendto(j->socket, &q, kill_request_bytes(q.count), MSG_NOSIGNAL,
		   (const struct sockaddr *)&to, len) < 0)
		return errno == EACCES || errno == EPERM ? -1 : 1;
	talk->count = q.count;
	talk->token = q.token;
	talk->until_us = times_mono_us() + j->silence_us;
	for (uint32_t k = 0; k < q.count; k++)
		talk->asked[k]->asked = true;
	return 0;
}

static void forget_request(struct talk *talk)
{
	for (uint32_t k = 0; k < talk->count; k++)
		talk->asked[k]->asked = false;
	talk->token = talk->count = 0;
}

static void learn(struct talk *talk, const struct kill_answer *a)
{
	static const enum fate fates[KILL_RESULTS] = {[KILL_ENDED] = ENDED,
						      [KILL_GONE] = LOST,
						      [KILL_MOVING] = PENDING,
						      [KILL_CHANGED] = CHANGED};

	for (uint32_t k = 0; k < talk->count; k++) {
		struct target *t = talk->asked[k];

		t->fate = fates[a->result[k]];
		/* Where it was, or where it goes: the board will tell. */
		if (a->result[k] == KILL_MOVING)
			t->fate = LOST;
	}
	forget_request(talk);
}

/* Only who was asked, for what was asked. */
static void hear(struct job *j)
{
	struct kill_answer a;
	ssize_t n;

	while ((n = recv(j->socket, &a, sizeof(a), MSG_DONTWAIT)) >= 0) {
		if (kill_check_answer(&a, (size_t)n) != NULL || a.worker >= j->workers)
			continue;
		if (j->talk[a.worker].token == a.token && j->talk[a.worker].count == a.count)
			learn(&j->talk[a.worker], &a);
	}
}

/* Asks where nothing is under way; gives up on whom it has waited long enough for. Returns until
 * when to wait, 0: for nobody; *denied_out if the sockets are not ours. */
static uint64_t talk_on(struct job *j, bool *denied_out)
{
	uint64_t until_us = 0;

	for (uint32_t w = 0; w < j->workers; w++) {
		struct talk *talk = &j->talk[w];
		int err = 0;

		if (talk->token != 0 && talk->until_us <= times_mono_us()) {
			forget_request(talk);
			talk->silent = true;
		}
		if (talk->token == 0 && !talk->silent)
			err = ask(j, w);
		talk->silent |= err > 0;
		*denied_out |= err < 0;
		if (talk->token != 0 && (until_us == 0 || talk->until_us < until_us))
			until_us = talk->until_us;
	}
	return until_us;
}

static int ask_all(struct job *j)
{
	struct pollfd p = {.fd = j->socket, .events = POLLIN};
	uint64_t until_us, now_us;
	bool denied = false;

	while ((until_us = talk_on(j, &denied)) != 0 && !denied) {
		now_us = times_mono_us();
		poll(&p, 1, until_us > now_us ? (int)((until_us - now_us) / 1000) + 1 : 0);
		hear(j);
	}
	if (denied)
		return ctl_fail(
		    j->c, CTL_USAGE,
		    "only root and the user that started drover may end connections: the "
		    "sockets in %s are not yours to write to. Nothing was done",
		    j->c->board);
	return CTL_OK;
}

/* Those of workers that do not answer. */

static void take(struct job *j, int pid_fd, struct target *t)
{
	struct talk *talk = &j->talk[t->conn.worker];

	switch (take_end(j->c->reader, pid_fd, &t->conn, state_to_keep(j, t), talk->why,
			 sizeof(talk->why))) {
	case TAKE_ENDED:
		t->fate = ENDED;
		t->taken = true;
		break;
	case TAKE_GONE:
		t->fate = LOST;
		break;
	case TAKE_CHANGED:
		t->fate = CHANGED;
		break;
	case TAKE_FAILED:
		t->fate = FAILED;
		t->why = talk->why;
		break;
	}
}

static void take_all(struct job *j)
{
	for (uint32_t w = 0; w < j->workers; w++) {
		int pid_fd = -1;

		for (size_t i = 0; j->talk[w].silent && i < j->count; i++) {
			struct target *t = &j->target[i];

			if (t->fate != PENDING || t->conn.worker != w)
				continue;
			if (pid_fd < 0)
				pid_fd = take_open(&j->c->view.workers[w]);
			if (pid_fd >= 0) {
				take(j, pid_fd, t);
			} else if (errno == ESRCH) {
				t->fate = LOST;
			} else {
				snprintf(j->talk[w].why, WHY_BYTES,
					 "its worker does not answer, and pidfd_open says: %s",
					 strerror(errno));
				t->fate = FAILED;
				t->why = j->talk[w].why;
			}
		}
		if (pid_fd >= 0)
			close(pid_fd);
	}
}

/* Looks for those that were not where they had been seen. */
static int look_again(struct job *j)
{
	struct ctl_listing now = {0};
	int err = view_load(&j->c->view, j->c->reader);

	if (err == 0)
		err = ctl_listing_load(&now, j->c, &j->all, 0);
	if (err == 0 && now.count > 0)
		qsort(now.all, now.count, sizeof(*now.all), by_id);
	for (size_t i = 0; err == 0 && i < j->count; i++) {
		struct target *t = &j->target[i];
		const struct ctl_conn *at = t->fate == LOST ? find_id(&now, t->conn.id) : NULL;

		if (t->fate != LOST)
			continue;
		if (at == NULL || at->dead) {
			t->missed++;
			if (t->missed >= LOOKS)
				t->fate = GONE;
			continue;
		}
		t->fate = PENDING;
		t->missed = 0;
		t->conn.worker = at->worker;
		t->conn.row = at->row;
		t->conn.fd = at->fd;
	}
	ctl_listing_free(&now);
	return err;
}

static bool over(const struct job *j)
{
	for (size_t i = 0; i < j->count; i++)
		if (j->target[i].fate == PENDING || j->target[i].fate == LOST)
			return false;
	return true;
}

static int end_all(struct job *j)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
	int status;

	for (;;) {
		status = ask_all(j);
		if (status != CTL_OK)
			return status;
		take_all(j);
		if (over(j) || times_mono_us() >= j->end_us)
			return CTL_OK;
		if (look_again(j) != 0)
			return ctl_fail(j->c, CTL_USAGE, "%s", strerror(errno));
		if (!over(j))
			nanosleep(&step, NULL);
	}
}

/* What came of it. */

static const char *result_name(const struct job *j, const struct target *t)
{
	static const char *const names[] = {
	    [PENDING] = "failed", [LOST] = "failed",     [ENDED] = "ended",
	    [GONE] = "gone",      [CHANGED] = "changed", [FAILED] = "failed"};

	return j->c->dry_run && t->known ? "found" : names[t->fate];
}

static const char *reason(const struct target *t)
{
	return t->why != NULL ? t->why : "it went on moving from worker to worker";
}

static size_t count_of(const struct job *j, const char *result)
{
	size_t n = 0;

	for (size_t i = 0; i < j->count; i++)
		n += strcmp(result_name(j, &j->target[i]), result) == 0;
	return n;
}

static void put_json(const struct job *j)
{
	static const char *const results[] = {"ended", "gone", "changed", "failed", "found"};
	struct json out;

	ctl_json(j->c, &out);
	json_bool(&out, "dry_run", j->c->dry_run);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		json_u64(&out, results[i], count_of(j, results[i]));
	json_array(&out, "conns");
	for (size_t i = 0; i < j->count; i++) {
		const struct target *t = &j->target[i];
		const char *result = result_name(j, t);

		json_object(&out, NULL);
		json_text(&out, "result", result);
		if (strcmp(result, "failed") == 0)
			json_text(&out, "reason", reason(t));
		if (strcmp(result, "ended") == 0)
			json_text(&out, "by", t->taken ? "droverctl" : "worker");
		if (t->known)
			ctl_conn_json(j->c, &out, &t->conn);
		else
			json_u64(&out, "id", t->conn.id);
		json_end(&out);
	}
	json_finish(&out);
}

static int put_table(const struct job *j)
{
	static const char *const titles[] = {"RESULT", "ID",     "SLOT",   "STATE",
					     "PEER",   "SERVER", "REQUEST"};
	struct print_table *out = print_table_new(stdout, j->c->raw, titles, "lrrllll");

	for (size_t i = 0; i < j->count; i++) {
		const struct target *t = &j->target[i];
		char peer[CTL_PEER_BYTES];

		print_cell(out, "%s", result_name(j, t));
		print_cell(out, U64, t->conn.id);
		print_cell(out, t->known ? "%u" : "-", t->conn.slot);
		print_cell(out, "%s", t->known ? t->conn.state : "-");
		print_cell(out, "%s", t->known ? ctl_peer_text(&t->conn, peer) : "-");
		print_cell(out, "%s", t->known ? t->conn.server : "-");
		print_cell(out, "%s", t->conn.request[0] != '\0' ? t->conn.request : "-");
	}
	return print_table_end(out, print_width(stdout));
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void put_sum(const struct job *j)
{
	size_t ended = count_of(j, "ended"), gone = count_of(j, "gone");
	size_t changed = count_of(j, "changed"), found = count_of(j, "found");

	unsigned width = print_width(stdout);
	char of_gone[64] = "", of_changed[96] = "", text[256];

	if (gone > 0)
		snprintf(of_gone, sizeof(of_gone), ", %zu %s gone already", gone,
			 gone == 1 ? "was" : "were");
	if (changed > 0)
		snprintf(of_changed, sizeof(of_changed),
			 ", %zu left alone: no longer in the state asked for", changed);
	snprintf(text, sizeof(text), "%zu connection%s %s%s%s", j->c->dry_run ? found : ended,
		 plural(j->c->dry_run ? found : ended), j->c->dry_run ? "would be ended" : "ended",
		 of_gone, of_changed);
	print_wrapped(stdout, "", 0, width != 0 ? width : UINT16_MAX, text);
}

static bool failed_for(const struct job *j, size_t i, const char *why)
{
	return strcmp(result_name(j, &j->target[i]), "failed") == 0 &&
	       strcmp(reason(&j->target[i]), why) == 0;
}

/* On stderr each reason once, with how many have it. */
static void put_failures(const struct job *j)
{
	for (size_t i = 0; i < j->count; i++) {
		const char *why = reason(&j->target[i]);
		size_t n = 0, first = 0;

		if (!failed_for(j, i, why))
			continue;
		while (!failed_for(j, first, why))
			first++;
		if (first < i)
			continue;
		for (size_t k = i; k < j->count; k++)
			n += failed_for(j, k, why);
		fprintf(stderr, "droverctl: %zu connection%s could not be ended: %s\n", n,
			plural(n), why);
	}
}

static int report(struct job *j)
{
	if (j->c->json)
		put_json(j);
	else if ((j->c->verbose || j->c->raw || j->c->dry_run) && put_table(j) != 0)
		return ctl_fail(j->c, CTL_USAGE, "%s", strerror(errno));
	if (!j->c->json && !j->c->raw)
		put_sum(j);
	put_failures(j);
	return count_of(j, "failed") > 0 ? CTL_WRONG : CTL_OK;
}

static int run(struct job *j)
{
	struct ctl *c = j->c;
	uint64_t all_us = c->timeout_s != 0 ? (uint64_t)(c->timeout_s * 1e6) : PATIENCE_US;
	int status = check_usage(c);

	if (status == CTL_OK)
		status = ctl_open(c);
	if (status == CTL_OK)
		status = check_life(c);
	if (status == CTL_OK)
		status = choose(j);
	if (status != CTL_OK)
		return status;
	j->silence_us = all_us < SILENCE_US ? all_us : SILENCE_US;
	j->end_us = times_mono_us() + all_us;
	if (c->dry_run && look_again(j) != 0)
		return ctl_fail(c, CTL_USAGE, "%s", strerror(errno));
	if (!c->dry_run && j->count > 0) {
		status = open_socket(j);
		if (status == CTL_OK)
			status = end_all(j);
	}
	return status == CTL_OK ? report(j) : status;
}

int ctl_kill(struct ctl *c)
{
	struct job j = {.c = c, .all.sort = -1, .filter.sort = -1, .rundir_fd = -1, .socket = -1};
	int status = run(&j);

	if (j.rundir_fd >= 0)
		close(j.rundir_fd);
	if (j.socket >= 0)
		close(j.socket);
	free(j.talk);
	free(j.target);
	ctl_listing_free(&j.chosen);
	ctl_filter_free(&j.filter);
	return status;
}
