/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torn: reads rows of several words beside their writers, and says how many were called whole
 * though their words disagree. Prints one line, "whole N torn N wrong N changes N", and ends with
 * status 1 if any was wrong.
 *
 *   torn -w READS          beside writers of its own, a process each: all words of a row are made
 * from one number, so that any mixture shows. torn -b BOARD READS    the connection rows of a
 * running drover: in the states IDLE and HEAD the deadline is "since" and that state's setting (-i
 * and -h, seconds), IDLE has no request under way, a request's text is one of two that share no
 *                          letter, and its status is that of the text or not there yet.
 *
 * This is what ThreadSanitizer cannot check: reader and writer are two processes, the reader's copy
 * is made by the kernel, and a sequence count is a pair of fences around plain accesses, which the
 * sanitizer does not model. Here every read is judged by its value. It must be seen to fail:
 * without the second look at the count, or without the first, it does within a second.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/board.h"
#include "shm/reader.h"

enum {
	WRITERS = 2,
	ROWS = 4 /* of each kind and writer */
};

static struct {
	unsigned long long whole, torn, wrong, changes;
} seen;
static uint64_t idle_us, head_us;

/* Time for readers, as a worker's loop leaves it between two events. */
static void rest(unsigned turns)
{
	for (volatile unsigned i = 0; i < turns; i++)
		;
}

static void write_conn(struct conn_row *c, uint64_t n)
{
	board_write_begin(&c->seq);
	c->id = c->accepted_us = c->since_us = n;
	c->deadline_us = c->request_us = c->bytes_in = n;
	memset(c->request, 'a' + (int)(n % 26), sizeof(c->request) - 1);
	c->port = c->status = (uint16_t)n;
	c->bytes_out = n;
	board_write_end(&c->seq);
}

static void write_worker(struct worker_row *w, uint64_t n)
{
	board_write_begin(&w->seq);
	w->slot = w->generation = (uint32_t)n;
	w->pid = w->started_us = w->drain_us = n;
	/* Far from the first words: the longer the copy, the sooner it is overtaken. */
	w->moved_in = w->drained_forced = n;
	board_write_end(&w->seq);
}

static void write_for_ever(const struct board *b, unsigned writer)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		_exit(0);
	for (uint64_t n = 1;; n++) {
		struct conn_row *c = board_conns(b, writer);

		write_worker(board_worker(b, writer), n);
		for (unsigned i = 0; i < ROWS; i++)
			write_conn((struct conn_row *)(void *)((char *)c + i * b->conn_stride), n);
		rest(n % 64 == 0 ? 3000 : 200);
	}
}

static bool conn_agrees(const struct reader_row *row)
{
	static const char *const words[] = {"accepted_us", "since_us", "deadline_us",
					    "request_us",  "bytes_in", "bytes_out"};
	uint64_t n = reader_row_u64(row, "id");
	char text[128];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (reader_row_u64(row, words[i]) != n)
			return false;
	if (reader_row_u64(row, "port") != (n & 0xffff) ||
	    reader_row_u64(row, "status") != (n & 0xffff))
		return false;
	reader_row_text(row, "request", text, sizeof(text));
	for (const char *p = text; *p != '\0'; p++)
		if (*p != 'a' + (int)(n % 26))
			return false;
	return true;
}

static bool worker_agrees(const struct reader_row *row)
{
	uint64_t n = reader_row_u64(row, "pid");

	return reader_row_u64(row, "slot") == (n & 0xffffffff) &&
	       reader_row_u64(row, "generation") == (n & 0xffffffff) &&
	       reader_row_u64(row, "started_us") == n && reader_row_u64(row, "drain_us") == n &&
	       reader_row_u64(row, "moved_in") == n && reader_row_u64(row, "drained_forced") == n;
}

static void judge(enum reader_status status, bool agrees)
{
	if (status == READER_TORN)
		seen.torn++;
	else if (status != READER_OK)
		errx(2, "a row is lost");
	else if (agrees)
		seen.whole++;
	else
		seen.wrong++;
}

static void read_one(struct reader *r, const struct board_table *t, uint32_t i,
		     bool (*agrees)(const struct reader_row *))
{
	static struct reader_row row;
	static uint64_t last;
	enum reader_status status = (enum reader_status)reader_copy(r, t, i, &row);

	judge(status, agrees(&row));
	seen.changes += reader_row_u64(&row, "seq") != last;
	last = reader_row_u64(&row, "seq");
}

static void beside_writers(unsigned long long reads)
{
	const struct board_sizes sizes = {WRITERS, ROWS, 1, 1, 1, 1};
	char path[] = "/tmp/drover-torn.XXXXXX", why[256];
	struct board board;
	struct reader *r;
	pid_t writer[WRITERS];
	int fd = mkstemp(path);

	if (fd < 0 || unlink(path) != 0 || board_create(&board, path, &sizes) != 0)
		err(2, "%s", path);
	close(fd);
	r = reader_open(path, why, sizeof(why));
	unlink(path);
	if (r == NULL)
		errx(2, "%s", why);
	for (unsigned w = 0; w < WRITERS; w++)
		if ((writer[w] = fork()) == 0)
			write_for_ever(&board, w);
	for (unsigned long long i = 0; i < reads; i++) {
		uint32_t w = (uint32_t)(i % WRITERS);

		if (i % 4 == 0)
			read_one(r, reader_table(r, "worker"), w, worker_agrees);
		else
			read_one(r, reader_table(r, "conn"), w * ROWS + (uint32_t)(i / 8 % ROWS),
				 conn_agrees);
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		kill(writer[w], SIGKILL);
		waitpid(writer[w], NULL, 0);
	}
	reader_close(r);
	board_unmap(&board);
}

/* "GET /aaaa..." that is found, or "GET /bbbb..." that is not. */
static bool text_agrees(const struct reader_row *row)
{
	uint64_t status = reader_row_u64(row, "status");
	char text[128];
	size_t length, same;

	reader_row_text(row, "request", text, sizeof(text));
	if (text[0] == '\0')
		return true;
	length = strlen(text);
	if (length < 6 || strncmp(text, "GET /", 5) != 0 || (text[5] != 'a' && text[5] != 'b'))
		return false;
	same = strspn(text + 5, text[5] == 'a' ? "a" : "b");
	return 5 + same == length && (status == 0 || status == (text[5] == 'a' ? 200 : 404));
}

static bool live_conn_agrees(const struct reader_row *row)
{
	const char *state = reader_row_enum(row, "state");
	uint64_t since = reader_row_u64(row, "since_us");
	uint64_t deadline = reader_row_u64(row, "deadline_us");

	if (strcmp(state, "free") == 0)
		return true;
	if (since < reader_row_u64(row, "accepted_us") || !text_agrees(row))
		return false;
	if (strcmp(state, "idle") == 0)
		return deadline - since == idle_us && reader_row_u64(row, "request_us") == 0;
	if (strcmp(state, "head") == 0)
		return deadline - since == head_us;
	return true;
}

static void beside_drover(const char *path, unsigned long long reads)
{
	char why[256];
	struct reader *r = reader_open(path, why, sizeof(why));
	const struct board_table *workers, *conns;
	struct reader_row worker = {0};

	if (r == NULL)
		errx(2, "%s", why);
	workers = reader_table(r, "worker");
	conns = reader_table(r, "conn");
	for (unsigned long long i = 0; i < reads;) {
		for (uint32_t w = 0; w < workers->rows; w++) {
			uint32_t used;

			if (reader_copy(r, workers, w, &worker) < 0)
				err(2, "worker row");
			used = (uint32_t)reader_row_u64(&worker, "conns_high");
			for (uint32_t k = 0; k < used; k++, i++)
				read_one(r, conns, w * conns->group_rows + k, live_conn_agrees);
		}
		if (seen.whole + seen.torn + seen.wrong == 0)
			errx(2, "no connection was ever there");
	}
	reader_row_free(&worker);
	reader_close(r);
}

int main(int argc, char **argv)
{
	const char *board = NULL;
	unsigned long long reads;
	int c;

	while ((c = getopt(argc, argv, "wb:i:h:")) != -1) {
		if (c == 'b')
			board = optarg;
		else if (c == 'i')
			idle_us = strtoull(optarg, NULL, 10) * 1000000;
		else if (c == 'h')
			head_us = strtoull(optarg, NULL, 10) * 1000000;
		else if (c != 'w')
			return 2;
	}
	if (optind + 1 != argc)
		errx(2, "usage: torn -w READS | torn -b BOARD -i IDLE -h HEAD READS");
	reads = strtoull(argv[optind], NULL, 10);
	if (board != NULL)
		beside_drover(board, reads);
	else
		beside_writers(reads);
	printf("whole %llu torn %llu wrong %llu changes %llu\n", seen.whole, seen.torn, seen.wrong,
	       seen.changes);
	return seen.wrong != 0;
}
