/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real directory, a location that serves it, and one who asks: requests go through the real
 * parser and path normaliser, and each reply's plan is carried out into a buffer. Included once by
 * each test of worker/http/files.c, which has all of it for itself. Each test ends by looking for
 * descriptors left behind.
 */
#ifndef DROVER_T_UNIT_SITE_H
#define DROVER_T_UNIT_SITE_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/fds.h"
#include "worker/errlog.h"
#include "worker/http/files.h"
#include "worker/http/mime.h"
#include "worker/http/path.h"

enum {
	SECOND = 1000000,
	SMALL = 1000,
	BIG = 100000,
	OPEN_MAX = 64
};

static char dir[64];
static const char *index_names[] = {"index.html", "index.htm", NULL};
static struct location locations[4];
static struct server servers[1];
static struct settings settings;
static struct worker_row row;
static struct openfile open_memory[OPEN_MAX];
static struct openfiles opened;
static uint64_t open_gauge;
static struct clock now;
static struct files *files;
static unsigned fds_before;

/* The last answer. */
static struct reply reply;
static char body[4 * 1024 * 1024];
static size_t body_len;

static inline char *path_of(const char *rel)
{
	static char path[4][512];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, rel);
	return path[turn];
}

/* A copy that lives as long as the test. */
static inline const char *keep(const char *text)
{
	static char kept[8][512];
	static int used;

	strcpy(kept[used % 8], text);
	return kept[used++ % 8];
}

static inline void make_folder(const char *rel)
{
	ck_assert_int_eq(mkdir(path_of(rel), 0755), 0);
}

static inline void make_link(const char *rel, const char *target)
{
	ck_assert_int_eq(symlink(target, path_of(rel)), 0);
}

/* Old enough that its times tell every later change. */
static inline void set_time(const char *rel, time_t t)
{
	struct timespec times[2] = {{.tv_sec = t}, {.tv_sec = t}};

	ck_assert_int_eq(utimensat(AT_FDCWD, path_of(rel), times, 0), 0);
}

static inline void write_bytes(const char *rel, const char *bytes, size_t len)
{
	int fd = open(path_of(rel), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_msg(fd >= 0, "%s: %m", rel);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	set_time(rel, 784111777);
}

static inline void write_file(const char *rel, const char *text)
{
	write_bytes(rel, text, strlen(text));
}

/* A file whose byte at i tells i. */
static inline void write_pattern(const char *rel, size_t len)
{
	char *bytes = malloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	write_bytes(rel, bytes, len);
	free(bytes);
}

static inline bool is_pattern(const char *bytes, size_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != (char)((offset + i) * 7 + (offset + i) / 251))
			return false;
	}
	return true;
}

static inline void set_now(uint64_t us)
{
	now.now_us = us;
	now.real_s = (time_t)(4000000000 + us / SECOND);
	now.real_us = (uint32_t)(us % SECOND);
	http_date_write(now.http_date, now.real_s);
}

static inline void pass(uint64_t us)
{
	set_now(now.now_us + us);
}

static inline void start(void)
{
	files = files_new(&settings, &opened, &row);
	ck_assert_ptr_nonnull(files);
}

static inline void restart(void)
{
	files_free(files);
	start();
}

static inline void set_up(void)
{
	strcpy(dir, "/tmp/check_files.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	make_folder("www");
	write_pattern("www/small.txt", SMALL);
	write_pattern("www/big.bin", BIG);
	write_file("secret", "secret");
	set_now(100 * SECOND);
	fds_before = fds_count();
	errlog_open(2, ERRLOG_ALERT, 0);
	memset(locations, 0, sizeof(locations));
	locations[1] = (struct location){.match = "/",
					 .path = "/",
					 .path_len = 1,
					 .kind = LOCATION_FILES,
					 .root = keep(path_of("www")),
					 .index = index_names,
					 .id = 1};
	locations[2] = locations[1];
	locations[2].id = 2;
	locations[2].match = locations[2].path = "/img/";
	locations[2].path_len = 5;
	locations[2].root = NULL;
	locations[2].alias = keep(path_of("www/pictures"));
	servers[0] = (struct server){.name = "site", .locations = locations, .locations_count = 3};
	settings = (struct settings){.servers = servers,
				     .servers_count = 1,
				     .file_cache = 16,
				     .default_type = "application/octet-stream",
				     .mime = mime_load(NULL)};
	memset(&row, 0, sizeof(row));
	memset(open_memory, 0, sizeof(open_memory));
	open_gauge = 0;
	openfiles_init(&opened, open_memory, OPEN_MAX, &open_gauge);
	start();
}

static inline void tear_down(void)
{
	char command[128];

	files_free(files);
	ck_assert_uint_eq(open_gauge, 0);
	ck_assert_uint_eq(fds_count(), fds_before);
	mime_free(settings.mime);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static inline void carry_file(uint32_t file, uint64_t offset, uint64_t len)
{
	ssize_t n = pread(openfile_fd(&opened, file), body + body_len, len, (off_t)offset);

	ck_assert_int_eq(n, (ssize_t)len);
	body_len += len;
}

static inline void carry_text(const char *bytes, uint64_t len)
{
	memcpy(body + body_len, bytes, len);
	body_len += len;
}

/* Does what the sender does. */
static inline void carry_out(void)
{
	body_len = 0;
	switch (reply.body) {
	case REPLY_PIECE:
	case REPLY_EMPTY:
		break;
	case REPLY_BYTES:
		carry_text(reply.bytes, reply.length);
		break;
	case REPLY_FILE:
		carry_file(reply.file, reply.offset, reply.length);
		break;
	case REPLY_PARTS:
		for (uint32_t i = 0; i < reply.parts_count; i++) {
			carry_text(reply.text + reply.part[i].text_off, reply.part[i].text_len);
			carry_file(reply.file, reply.part[i].offset, reply.part[i].length);
		}
		carry_text(reply.text + reply.closing_off, reply.closing_len);
		break;
	}
	body[body_len] = '\0';
	if (reply.ready) {
		ck_assert(memcmp(reply.head + reply.head_len, "\r\n", 2) == 0);
		ck_assert(memcmp(reply.head + reply.head_len + 2, body, reply.length) == 0);
		ck_assert_uint_eq(body_len, reply.length);
	}
}

/* Asks location `loc` for a target, with fields separated by '|'. */
static inline void ask_at(int loc, const char *method, const char *target, const char *fields)
{
	static const struct http_limits limits = {
	    .max_header = 16384, .max_uri = 8192, .max_fields = 64};
	static char head[16384], path[8192];
	static struct http_request req;
	enum http_refusal refusal;
	uint32_t scanned = 0;
	size_t path_len;
	char *at = head + sprintf(head, "%s %s HTTP/1.1\r\nHost: a\r\n", method, target);

	while (*fields != '\0') {
		size_t len = strcspn(fields, "|");

		at += sprintf(at, "%.*s\r\n", (int)len, fields);
		fields += len + (fields[len] == '|');
	}
	at += sprintf(at, "\r\n");
	ck_assert_int_eq(http_parse(head, (size_t)(at - head), &limits, &scanned, &req, &refusal),
			 1);
	ck_assert_int_eq(
	    path_normalise(head + req.path.off, req.path.len, path, sizeof(path), &path_len), 0);
	/* What is not written must not be read. */
	memset(&reply, 0xaa, offsetof(struct reply, text));
	files_reply(files, &reply,
		    &(struct reply_ctx){.clock = &now,
					.server = &servers[0],
					.location = &locations[loc],
					.base = head,
					.req = &req,
					.path = path,
					.path_len = path_len});
	ck_assert(!reply.close);
	carry_out();
}

static inline void get(const char *target, const char *fields)
{
	ask_at(1, "GET", target, fields);
}

/* The value of a field of the answer, or NULL. */
static inline const char *field(const char *name)
{
	static char head[REPLY_TEXT_SIZE + 3], value[4][1024];
	static int turn;
	char key[128], *at;

	turn = (turn + 1) % 4;
	memcpy(head, reply.head, reply.head_len);
	head[reply.head_len] = '\0';
	snprintf(key, sizeof(key), "\r\n%s: ", name);
	at = strstr(head, key);
	if (at == NULL)
		return NULL;
	at += strlen(key);
	ck_assert_msg(strstr(at, key) == NULL, "two fields %s", name);
	snprintf(value[turn], sizeof(value[turn]), "%.*s", (int)strcspn(at, "\r"), at);
	return value[turn];
}

static inline void expect_status(int status)
{
	char line[32];

	ck_assert_int_eq(reply.status, status);
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	ck_assert_msg(strncmp(reply.head, line, strlen(line)) == 0, "%.20s", reply.head);
	ck_assert_str_eq(field("Date"), now.http_date);
}

static inline void expect_body(const char *text)
{
	expect_status(200);
	ck_assert_str_eq(body, text);
	ck_assert_int_eq(atoi(field("Content-Length")), (int)strlen(text));
}

static inline void expect_pattern(int status, size_t offset, size_t len)
{
	expect_status(status);
	ck_assert_uint_eq(body_len, len);
	ck_assert_uint_eq(reply.length, len);
	ck_assert_uint_eq((size_t)atoll(field("Content-Length")), len);
	ck_assert(is_pattern(body, offset, len));
}

/* Root may read anything: then somebody else asks. */
static inline void as_nobody(bool yes)
{
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(yes ? 65534 : 0), 0);
}

#endif
