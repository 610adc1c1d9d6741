/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes and reads the state: one line for each thing, a tag and its values between blanks, texts
 * and addresses in hexadecimal digits. Knows nothing of what it is made from: that is estate.c.
 */
#include "master/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIRST_LINE "drover-state"

enum {
	STATE_MOST = 64 * 1024 * 1024
};

static void *add(void **array, uint32_t *count, size_t size)
{
	char *more = reallocarray(*array, *count + 1, size);

	if (!more)
		return NULL;
	*array = more;
	more += *count * size;
	(*count)++;
	return memset(more, 0, size);
}

struct state_generation *state_add_generation(struct state *s)
{
	void *all = s->generations, *one;

	one = add(&all, &s->generations_count, sizeof(*s->generations));
	s->generations = all;
	return one;
}

struct state_listener *state_add_listener(struct state *s)
{
	void *all = s->listeners, *one;

	one = add(&all, &s->listeners_count, sizeof(*s->listeners));
	s->listeners = all;
	return one;
}

struct state_child *state_add_child(struct state *s)
{
	void *all = s->children, *one;

	one = add(&all, &s->children_count, sizeof(*s->children));
	s->children = all;
	return one;
}

int state_add_fd(int **fds, uint32_t *count, int fd)
{
	void *all = *fds;
	int *one = add(&all, count, sizeof(**fds));

	*fds = all;
	if (!one)
		return -1;
	*one = fd;
	return 0;
}

void state_free(struct state *s)
{
	for (uint32_t i = 0; i < s->listeners_count; i++)
		free(s->listeners[i].fds);
	free(s->version);
	free(s->pid_path);
	free(s->config_file);
	free(s->config);
	free(s->log_fds);
	free(s->generations);
	free(s->listeners);
	free(s->children);
	*s = STATE_EMPTY;
}

/* Writing. */

/* "-" is the empty text. */
static void put_hex(FILE *out, const char *tag, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;

	fprintf(out, "%s%s", tag, n ? " " : " -");
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%02x", at[i]);
}

static void put_text(FILE *out, const char *tag, const char *text)
{
	put_hex(out, tag, text ? text : "", text ? strlen(text) : 0);
	fputc('\n', out);
}

static void put_listener(FILE *out, const struct state_listener *l)
{
	put_hex(out, "listener", &l->addr, l->addr_len);
	fprintf(out, " %d %d %d %u %" PRIu64 " %" PRIu64 " %lld %ld", l->reuseport, l->inherited,
		l->backlog, l->opened, l->dev, l->ino, (long long)l->made.tv_sec, l->made.tv_nsec);
	for (uint32_t i = 0; i < l->fds_count; i++)
		fprintf(out, " %d", l->fds[i]);
	fputc('\n', out);
}

static void put_child(FILE *out, const struct state_child *c)
{
	fprintf(out,
		"child %s %u %u %u %ld %ld %ld %" PRIu64 " %d %d %" PRIu64 " %" PRIu64 " %" PRIu64
		" %" PRIu64 " %u\n",
		c->state, c->slot, c->half, c->generation, (long)c->pid, (long)c->standby,
		(long)c->predecessor, c->instance, c->control_fd, c->asked, c->started_us,
		c->ready_us, c->deadline_us, c->until_us, c->drain_flags);
}

static void put_all(FILE *out, const struct state *s)
{
	fprintf(out, FIRST_LINE " %d\n", STATE_VERSION);
	put_text(out, "version", s->version);
	fprintf(out, "master %u %u %" PRIu64 " %u %u\n", s->number, s->last, s->instances,
		s->workers, s->configured);
	fprintf(out, "descriptors %d %d %d %d %d\n", s->program_fd, s->board_fd, s->lock_fd,
		s->pid_fd, s->error_fd);
	put_text(out, "pid_path", s->pid_path);
	put_text(out, "config_file", s->config_file);
	put_text(out, "config", s->config);
	for (uint32_t i = 0; i < s->log_fds_count; i++)
		fprintf(out, "log %d\n", s->log_fds[i]);
	for (uint32_t i = 0; i < s->generations_count; i++)
		fprintf(out, "generation %u %" PRIu64 " %" PRIu64 "\n", s->generations[i].number,
			s->generations[i].drain_us, s->generations[i].hang_us);
	for (uint32_t i = 0; i < s->listeners_count; i++)
		put_listener(out, &s->listeners[i]);
	for (uint32_t i = 0; i < s->children_count; i++)
		put_child(out, &s->children[i]);
	fputs("end\n", out);
}

int state_write(const struct state *s)
{
	int fd = memfd_create("drover-state", MFD_CLOEXEC);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
	int bad;

	if (!out)
		goto fail;
	put_all(out, s);
	bad = ferror(out);
	bad |= fclose(out);
	copy = -1;
	if (!bad)
		return fd;
fail:
	bad = errno;
	if (copy >= 0)
		close(copy);
	if (fd >= 0)
		close(fd);
	errno = bad;
	return -1;
}

/* Reading: values are taken from a line one after the other; a bad one makes the whole line bad. */

struct line {
	char *rest;
	bool bad;
};

static char *take(struct line *l)
{
	char *word = l->bad ? NULL : strsep(&l->rest, " ");

	if (!word || !*word)
		l->bad = true;
	return l->bad ? NULL : word;
}

static int64_t take_number(struct line *l)
{
	char *word = take(l), *end;

	if (!word)
		return 0;
	errno = 0;
	int64_t n = strtoll(word, &end, 10);

	if (errno || *end)
		l->bad = true;
	return n;
}

static uint64_t take_u64(struct line *l)
{
	int64_t n = take_number(l);

	if (n < 0)
		l->bad = true;
	return (uint64_t)n;
}

static uint32_t take_u32(struct line *l)
{
	uint64_t n = take_u64(l);

	if (n > UINT32_MAX)
		l->bad = true;
	return (uint32_t)n;
}

static int take_int(struct line *l)
{
	int64_t n = take_number(l);

	if (n > INT32_MAX || n < INT32_MIN)
		l->bad = true;
	return (int)n;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes in place; returns how many. */
static size_t take_hex(struct line *l, char **bytes_out)
{
	char *word = take(l);
	size_t n = 0;

	*bytes_out = word;
	if (!word || !strcmp(word, "-"))
		return 0;
	for (size_t i = 0; word[i]; i += 2, n++) {
		int high = digit(word[i]), low = high < 0 ? -1 : digit(word[i + 1]);

		if (low < 0) {
			l->bad = true;
			return 0;
		}
		word[n] = (char)(high * 16 + low);
	}
	return n;
}

static void take_text(struct line *l, char **text)
{
	char *bytes;
	size_t n = take_hex(l, &bytes);

	free(*text);
	*text = l->bad ? NULL : strndup(bytes, n);
	if (!*text)
		l->bad = true;
}

static void take_listener(struct line *l, struct state_listener *out)
{
	char *bytes;
	size_t n = take_hex(l, &bytes);

	if (!out || n > sizeof(out->addr)) {
		l->bad = true;
		return;
	}
	if (n)
		memcpy(&out->addr, bytes, n);
	out->addr_len = (socklen_t)n;
	out->reuseport = take_int(l);
	out->inherited = take_int(l);
	out->backlog = take_int(l);
	out->opened = take_u32(l);
	out->dev = take_u64(l);
	out->ino = take_u64(l);
	out->made.tv_sec = take_number(l);
	out->made.tv_nsec = take_number(l);
	while (l->rest && !l->bad)
		if (state_add_fd(&out->fds, &out->fds_count, take_int(l)))
			l->bad = true;
	l->bad = l->bad || !out->fds_count;
}

static void take_child(struct line *l, struct state_child *out)
{
	const char *name = take(l);

	if (!out || !name || strlen(name) >= sizeof(out->state)) {
		l->bad = true;
		return;
	}
	strcpy(out->state, name);
	out->slot = take_u32(l);
	out->half = take_u32(l);
	out->generation = take_u32(l);
	out->pid = take_int(l);
	out->standby = take_int(l);
	out->predecessor = take_int(l);
	out->instance = take_u64(l);
	out->control_fd = take_int(l);
	out->asked = take_int(l);
	out->started_us = take_u64(l);
	out->ready_us = take_u64(l);
	out->deadline_us = take_u64(l);
	out->until_us = take_u64(l);
	out->drain_flags = take_u32(l);
}

static void take_generation(struct line *l, struct state_generation *out)
{
	if (!out) {
		l->bad = true;
		return;
	}
	out->number = take_u32(l);
	out->drain_us = take_u64(l);
	out->hang_us = take_u64(l);
}

static void take_master(struct line *l, struct state *s)
{
	s->number = take_u32(l);
	s->last = take_u32(l);
	s->instances = take_u64(l);
	s->workers = take_u32(l);
	s->configured = take_u32(l);
}

static void take_descriptors(struct line *l, struct state *s)
{
	s->program_fd = take_int(l);
	s->board_fd = take_int(l);
	s->lock_fd = take_int(l);
	s->pid_fd = take_int(l);
	s->error_fd = take_int(l);
}

static bool is(const char *tag, const char *name)
{
	return tag && !strcmp(tag, name);
}

/* Returns whether it was understood to its end. */
static bool take_line(struct line *l, struct state *s)
{
	const char *tag = take(l);

	if (is(tag, "version"))
		take_text(l, &s->version);
	else if (is(tag, "master"))
		take_master(l, s);
	else if (is(tag, "descriptors"))
		take_descriptors(l, s);
	else if (is(tag, "pid_path"))
		take_text(l, &s->pid_path);
	else if (is(tag, "config_file"))
		take_text(l, &s->config_file);
	else if (is(tag, "config"))
		take_text(l, &s->config);
	else if (is(tag, "log"))
		l->bad = state_add_fd(&s->log_fds, &s->log_fds_count, take_int(l)) || l->bad;
	else if (is(tag, "generation"))
		take_generation(l, state_add_generation(s));
	else if (is(tag, "listener"))
		take_listener(l, state_add_listener(s));
	else if (is(tag, "child"))
		take_child(l, state_add_child(s));
	else
		return false;
	return !l->bad && !l->rest;
}

/* The whole file as one text. */
static char *slurp(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = size > 0 && size <= STATE_MOST ? calloc(1, (size_t)size + 1) : NULL;

	for (off_t done = 0; text && done < size;) {
		ssize_t n = pread(fd, text + done, (size_t)(size - done), done);

		if (n > 0) {
			done += n;
		} else if (n == 0 || errno != EINTR) {
			free(text);
			return NULL;
		}
	}
	return text;
}

static bool is_whole(const struct state *s)
{
	return s->version && s->pid_path && s->config_file && s->config && s->program_fd >= 0 &&
	       s->board_fd >= 0 && s->lock_fd >= 0 && s->pid_fd >= 0;
}

static int parse(struct state *s, char *text, char *error, size_t size)
{
	char first[32], *line = strsep(&text, "\n");

	snprintf(first, sizeof(first), FIRST_LINE " %d", STATE_VERSION);
	if (!line || strcmp(line, first)) {
		snprintf(error, size,
			 "the state of the running program is of another version than \"%s\": "
			 "\"%.40s\"",
			 first, line ? line : "");
		return -1;
	}
	for (unsigned at = 2; (line = strsep(&text, "\n")); at++) {
		struct line l = {.rest = line};

		if (!strcmp(line, "end") && is_whole(s))
			return 0;
		if (take_line(&l, s))
			continue;
		snprintf(error, size,
			 "line %u of the state of the running program is not understood", at);
		return -1;
	}
	snprintf(error, size, "the state of the running program has no end");
	return -1;
}

int state_read(struct state *s, int fd, char *error, size_t size)
{
	char *text = slurp(fd);
	int bad = -1;

	*s = STATE_EMPTY;
	if (text)
		bad = parse(s, text, error, size);
	else
		snprintf(error, size, "the state of the running program cannot be read");
	free(text);
	if (bad)
		state_free(s);
	return bad;
}

static void set(int fd, bool on)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

void state_close_on_exec(const struct state *s, bool on)
{
	set(s->program_fd, on);
	set(s->board_fd, on);
	set(s->lock_fd, on);
	set(s->pid_fd, on);
	set(s->error_fd, on);
	for (uint32_t i = 0; i < s->log_fds_count; i++)
		set(s->log_fds[i], on);
	for (uint32_t i = 0; i < s->listeners_count; i++)
		for (uint32_t j = 0; j < s->listeners[i].fds_count; j++)
			set(s->listeners[i].fds[j], on);
	for (uint32_t i = 0; i < s->children_count; i++)
		set(s->children[i].control_fd, on);
}
