/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/files.c and what belongs to it (files_find.c, files_load.c, files_cache.c,
 * files_answer.c, listing.c) on a real directory: requests go through the real parser and path
 * normaliser, and each reply's plan is carried out into a buffer. Each test ends by looking for
 * descriptors left behind.
 */
#include "worker/http/files.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/errlog.h"
#include "worker/http/mime.h"
#include "worker/http/path.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

enum {
	SECOND = 1000000,
	SMALL = 1000,
	BIG = 100000,
	OPEN_MAX = 64
};

static char dir[64];
static const char *index_names[] = {"index.html", "index.htm", NULL};
static struct header_setting added[] = {{.name = "X-Added", .value = "yes"}};
static struct location locations[4];
static struct server servers[1];
static struct settings settings;
static struct worker_row row;
static struct openfile open_memory[OPEN_MAX];
static struct openfiles opened;
static uint64_t open_gauge;
static struct clock now;
static struct files *files;
static int fds_before;

/* The last answer. */
static struct reply reply;
static char body[4 * 1024 * 1024];
static size_t body_len;

static char *path_of(const char *rel)
{
	static char path[4][512];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, rel);
	return path[turn];
}

/* A copy that lives as long as the test. */
static const char *keep(const char *text)
{
	static char kept[8][512];
	static int used;

	strcpy(kept[used % 8], text);
	return kept[used++ % 8];
}

static void make_folder(const char *rel)
{
	ck_assert_int_eq(mkdir(path_of(rel), 0755), 0);
}

static void make_link(const char *rel, const char *target)
{
	ck_assert_int_eq(symlink(target, path_of(rel)), 0);
}

/* Old enough that its times tell every later change. */
static void set_time(const char *rel, time_t t)
{
	struct timespec times[2] = {{.tv_sec = t}, {.tv_sec = t}};

	ck_assert_int_eq(utimensat(AT_FDCWD, path_of(rel), times, 0), 0);
}

static void write_bytes(const char *rel, const char *bytes, size_t len)
{
	int fd = open(path_of(rel), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_msg(fd >= 0, "%s: %m", rel);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	set_time(rel, 784111777);
}

static void write_file(const char *rel, const char *text)
{
	write_bytes(rel, text, strlen(text));
}

/* A file whose byte at i tells i. */
static void write_pattern(const char *rel, size_t len)
{
	char *bytes = malloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	write_bytes(rel, bytes, len);
	free(bytes);
}

static bool is_pattern(const char *bytes, size_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != (char)((offset + i) * 7 + (offset + i) / 251))
			return false;
	}
	return true;
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void set_now(uint64_t us)
{
	now.now_us = us;
	now.real_s = (time_t)(4000000000 + us / SECOND);
	now.real_us = (uint32_t)(us % SECOND);
	http_date_write(now.http_date, now.real_s);
}

static void pass(uint64_t us)
{
	set_now(now.now_us + us);
}

static void start(void)
{
	files = files_new(&settings, &opened, &row);
	ck_assert_ptr_nonnull(files);
}

static void restart(void)
{
	files_free(files);
	start();
}

static void set_up(void)
{
	strcpy(dir, "/tmp/check_files.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	make_folder("www");
	write_pattern("www/small.txt", SMALL);
	write_pattern("www/big.bin", BIG);
	write_file("secret", "secret");
	set_now(100 * SECOND);
	fds_before = count_fds();
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

static void tear_down(void)
{
	char command[128];

	files_free(files);
	ck_assert_uint_eq(open_gauge, 0);
	ck_assert_int_eq(count_fds(), fds_before);
	mime_free(settings.mime);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void carry_file(uint32_t file, uint64_t offset, uint64_t len)
{
	ssize_t n = pread(openfile_fd(&opened, file), body + body_len, len, (off_t)offset);

	ck_assert_int_eq(n, (ssize_t)len);
	body_len += len;
}

static void carry_text(const char *bytes, uint64_t len)
{
	memcpy(body + body_len, bytes, len);
	body_len += len;
}

/* Does what the sender does. */
static void carry_out(void)
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
static void ask_at(int loc, const char *method, const char *target, const char *fields)
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

static void get(const char *target, const char *fields)
{
	ask_at(1, "GET", target, fields);
}

/* The value of a field of the answer, or NULL. */
static const char *field(const char *name)
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

static void expect_status(int status)
{
	char line[32];

	ck_assert_int_eq(reply.status, status);
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	ck_assert_msg(strncmp(reply.head, line, strlen(line)) == 0, "%.20s", reply.head);
	ck_assert_str_eq(field("Date"), now.http_date);
}

static void expect_body(const char *text)
{
	expect_status(200);
	ck_assert_str_eq(body, text);
	ck_assert_int_eq(atoi(field("Content-Length")), (int)strlen(text));
}

static void expect_pattern(int status, size_t offset, size_t len)
{
	expect_status(status);
	ck_assert_uint_eq(body_len, len);
	ck_assert_uint_eq(reply.length, len);
	ck_assert_uint_eq((size_t)atoll(field("Content-Length")), len);
	ck_assert(is_pattern(body, offset, len));
}

START_TEST(small_file)
{
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	ck_assert_int_eq(reply.body, REPLY_BYTES);
	ck_assert(reply.ready);
	ck_assert_str_eq(field("Content-Type"), "text/plain; charset=utf-8");
	ck_assert_str_eq(field("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert_str_eq(field("ETag"), "\"3e8-ae1b981bc490a00\"");
	ck_assert_str_eq(field("Accept-Ranges"), "bytes");
	ck_assert_ptr_null(field("Vary"));
	ck_assert_ptr_null(field("Cache-Control"));
	ck_assert_ptr_null(field("Content-Encoding"));
	ck_assert_uint_eq(row.file_cache_misses, 1);
	ck_assert_uint_eq(row.file_cache_hits, 0);
	ck_assert_uint_eq(row.file_cache_entries, 1);
	get("/small.txt?query=1", "");
	expect_pattern(200, 0, SMALL);
	ck_assert(reply.ready);
	ck_assert_uint_eq(row.file_cache_misses, 1);
	ck_assert_uint_eq(row.file_cache_hits, 1);
	/* No descriptor is held for it. */
	ck_assert_uint_eq(open_gauge, 0);
}
END_TEST

START_TEST(big_file)
{
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	ck_assert_int_eq(reply.body, REPLY_FILE);
	ck_assert(!reply.ready);
	ck_assert_str_eq(field("Content-Type"), "application/octet-stream");
	ck_assert_uint_eq(open_gauge, 1);
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	ck_assert_uint_eq(open_gauge, 1);
	ck_assert_uint_eq(row.file_cache_hits, 1);
}
END_TEST

/* On both sides of what is kept in memory. */
START_TEST(sizes)
{
	static const size_t size[] = {0, 1, 16383, 16384, 16385};

	write_pattern("www/x", size[_i]);
	for (int n = 0; n < 2; n++) {
		get("/x", "");
		expect_pattern(200, 0, size[_i]);
		ck_assert(reply.ready == (size[_i] <= 16384));
		ask_at(1, "HEAD", "/x", "");
		expect_status(200);
		ck_assert_int_eq(reply.body, REPLY_EMPTY);
		ck_assert(!reply.ready);
		ck_assert_uint_eq((size_t)atoll(field("Content-Length")), size[_i]);
	}
	ck_assert_uint_eq(open_gauge, size[_i] > 16384);
}
END_TEST

START_TEST(head_only)
{
	char first[1024];

	for (int n = 0; n < 2; n++) {
		get("/big.bin", "");
		memcpy(first, reply.head, reply.head_len);
		ask_at(1, "HEAD", "/big.bin", "Range: bytes=0-1");
		ck_assert(memcmp(first, reply.head, reply.head_len) == 0);
		expect_status(200);
		ck_assert_uint_eq(body_len, 0);
	}
}
END_TEST

START_TEST(date_moves)
{
	get("/small.txt", "");
	expect_status(200);
	/* The second turns while the entry is still good. */
	pass(900000);
	get("/small.txt", "");
	expect_status(200);
	pass(600000);
	get("/small.txt", "");
	expect_status(200);
	pass(30 * SECOND);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	ck_assert_uint_eq(row.file_cache_misses, 1);
}
END_TEST

START_TEST(changed_in_place)
{
	char etag[64];

	write_file("www/x.html", "one");
	get("/x.html", "");
	expect_body("one");
	strcpy(etag, field("ETag"));
	write_file("www/x.html", "two");
	set_time("www/x.html", 784111778);
	pass(999999);
	get("/x.html", "");
	expect_body("one");
	pass(1);
	get("/x.html", "");
	expect_body("two");
	ck_assert_str_ne(field("ETag"), etag);
	ck_assert_uint_eq(row.file_cache_misses, 2);
	/* The same times and size: the change of the inode tells. */
	write_file("www/x.html", "six");
	set_time("www/x.html", 784111778);
	pass(SECOND);
	get("/x.html", "");
	expect_body("six");
	ck_assert_uint_eq(row.file_cache_entries, 1);
}
END_TEST

/* A file changed within the second of its loading is loaded again once more. */
START_TEST(young_file)
{
	write_file("www/x", "one");
	set_time("www/x", now.real_s);
	get("/x", "");
	expect_body("one");
	pass(SECOND);
	get("/x", "");
	ck_assert_uint_eq(row.file_cache_misses, 2);
	pass(SECOND);
	get("/x", "");
	ck_assert_uint_eq(row.file_cache_misses, 3);
	pass(SECOND);
	get("/x", "");
	ck_assert_uint_eq(row.file_cache_misses, 3);
	ck_assert_ptr_nonnull(field("Last-Modified"));
	/* From the future: no date at all. */
	set_time("www/x", now.real_s + 100);
	pass(SECOND);
	get("/x", "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT");
	expect_body("one");
	ck_assert_ptr_null(field("Last-Modified"));
	ck_assert_ptr_nonnull(field("ETag"));
}
END_TEST

START_TEST(replaced_while_sent)
{
	uint32_t old;

	get("/big.bin", "");
	old = reply.file;
	openfile_ref(&opened, old);
	write_file("www/new", "new");
	ck_assert_int_eq(rename(path_of("www/new"), path_of("www/big.bin")), 0);
	pass(SECOND);
	get("/big.bin", "");
	expect_body("new");
	pass(SECOND);
	files_tick(files, &now);
	/* The connection that sends it still can. */
	ck_assert_uint_eq(open_gauge, 1);
	body_len = 0;
	carry_file(old, 0, BIG);
	ck_assert(is_pattern(body, 0, BIG));
	openfile_unref(&opened, old);
	ck_assert_uint_eq(open_gauge, 0);
}
END_TEST

/* The memory of an answer outlives the entry until the end of the turn. */
START_TEST(replaced_in_the_turn)
{
	struct reply first;
	char name[32];

	get("/small.txt", "");
	first = reply;
	for (int i = 0; i < 40; i++) {
		sprintf(name, "www/f%d", i);
		write_file(name, "x");
		get(name + 3, "");
		expect_body("x");
	}
	ck_assert_uint_eq(row.file_cache_entries, 12);
	ck_assert(is_pattern(first.bytes, 0, SMALL));
	ck_assert(memcmp(first.head, "HTTP/1.1 200 OK\r\n", 17) == 0);
}
END_TEST

START_TEST(shrunk)
{
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	ck_assert_int_eq(truncate(path_of("www/big.bin"), 50000), 0);
	pass(SECOND);
	get("/big.bin", "");
	expect_pattern(200, 0, 50000);
	ck_assert_int_eq(truncate(path_of("www/big.bin"), 10), 0);
	pass(SECOND);
	get("/big.bin", "");
	expect_pattern(200, 0, 10);
	ck_assert(reply.ready);
}
END_TEST

/* A log, say: it grows between any two looks at it. */
START_TEST(never_still)
{
	int fd, status = -1;
	pid_t writer;

	write_file("www/log", "x");
	writer = fork();
	if (writer == 0) {
		fd = open(path_of("www/log"), O_WRONLY | O_APPEND | O_CLOEXEC);
		for (int i = 0; i < 16000; i++)
			if (write(fd, "x", 1) != 1)
				_exit(1);
		_exit(0);
	}
	do {
		get("/log", "");
		expect_status(200);
		ck_assert_uint_eq(strspn(body, "x"), body_len);
		pass(SECOND);
	} while (waitpid(writer, &status, WNOHANG) == 0);
	ck_assert_int_eq(status, 0);
	get("/log", "");
	ck_assert_uint_eq(body_len, 16001);
	ck_assert_uint_eq(row.file_errors, 0);
}
END_TEST

START_TEST(removed_and_back)
{
	get("/small.txt", "");
	ck_assert_int_eq(unlink(path_of("www/small.txt")), 0);
	pass(SECOND);
	get("/small.txt", "");
	expect_status(404);
	write_file("www/small.txt", "back");
	get("/small.txt", "");
	expect_status(404);
	pass(SECOND);
	get("/small.txt", "");
	expect_body("back");
}
END_TEST

/* Root may read anything: then somebody else asks. */
static void as_nobody(bool yes)
{
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(yes ? 65534 : 0), 0);
}

START_TEST(no_leave)
{
	make_folder("www/closed");
	write_file("www/closed/x", "x");
	ck_assert_int_eq(chmod(path_of("www/closed"), 0), 0);
	get("/small.txt", "");
	ck_assert_int_eq(chmod(path_of("www/small.txt"), 0), 0);
	pass(SECOND);
	as_nobody(true);
	get("/small.txt", "");
	expect_status(403);
	get("/small.txt", "");
	expect_status(403);
	get("/closed/x", "");
	expect_status(403);
	get("/closed/", "");
	expect_status(403);
	as_nobody(false);
	ck_assert_int_eq(chmod(path_of("www/small.txt"), 0644), 0);
	ck_assert_int_eq(chmod(path_of("www/closed"), 0755), 0);
	pass(SECOND);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
}
END_TEST

static const struct {
	const char *target;
	const char *want;
} redirects[] = {
    {"/docs", "/docs/"},       {"/docs?a=1&b=2", "/docs/?a=1&b=2"},       {"/docs?", "/docs/"},
    {"//docs", "/docs/"},      {"//evil.example/..//docs", "/docs/"},     {"/a%20b", "/a%20b/"},
    {"/%3Cx%3E", "/%3Cx%3E/"}, {"/%5Cevil.example", "/%5Cevil.example/"}, {"/to_docs", "/to_docs/"},
};

START_TEST(folder_redirect)
{
	make_folder("www/docs");
	make_folder("www/a b");
	make_folder("www/<x>");
	make_folder("www/\\evil.example");
	make_link("www/to_docs", "docs");
	for (int n = 0; n < 2; n++) {
		get(redirects[_i].target, "");
		expect_status(301);
		ck_assert_str_eq(field("Location"), redirects[_i].want);
	}
	ck_assert_uint_eq(row.file_cache_hits, 1);
	ask_at(1, "HEAD", redirects[_i].target, "");
	expect_status(301);
	ck_assert_uint_eq(body_len, 0);
}
END_TEST

START_TEST(index_file)
{
	char long_query[8000];

	get("/", "");
	expect_status(403);
	write_file("www/index.htm", "second");
	pass(SECOND);
	get("/", "");
	expect_body("second");
	ck_assert_str_eq(field("Content-Type"), "text/html; charset=utf-8");
	/* A name that comes first in the order appears. */
	write_file("www/index.html", "first");
	pass(SECOND);
	get("/", "");
	expect_body("first");
	ck_assert_int_eq(unlink(path_of("www/index.html")), 0);
	make_folder("www/index.html");
	pass(SECOND);
	get("/", "");
	expect_body("second");
	make_folder("www/empty");
	get("/empty/", "");
	expect_status(403);
	get("/none/", "");
	expect_status(404);
	get("/small.txt/", "");
	expect_status(404);
	memset(long_query, 'q', sizeof(long_query));
	memcpy(long_query, "/empty?", 7);
	long_query[sizeof(long_query) - 1] = '\0';
	get(long_query, "");
	expect_status(301);
	locations[1].index = NULL;
	restart();
	get("/", "");
	expect_status(403);
}
END_TEST

START_TEST(aliased)
{
	ask_at(2, "GET", "/img/x.png", "");
	expect_status(404);
	make_folder("www/pictures");
	write_file("www/pictures/x.png", "png");
	write_file("www/pictures/index.html", "index");
	write_file("www/pictures/s", "half");
	pass(SECOND);
	ask_at(2, "GET", "/img/x.png", "");
	expect_body("png");
	ask_at(2, "GET", "/img/", "");
	expect_body("index");
	get("/img/x.png", "");
	expect_status(404);
	/* A prefix without its slash. */
	locations[2].path = locations[2].match = "/img";
	locations[2].path_len = 4;
	restart();
	ask_at(2, "GET", "/img/x.png", "");
	expect_body("png");
	ask_at(2, "GET", "/img/", "");
	expect_body("index");
	ask_at(2, "GET", "/img", "");
	expect_status(301);
	ck_assert_str_eq(field("Location"), "/img/");
	ask_at(2, "GET", "/imgs", "");
	expect_status(404);
}
END_TEST

/* A root that is a link is followed anew each second: a release can be switched by it. */
START_TEST(root_switched)
{
	make_folder("v1");
	make_folder("v2");
	write_file("v1/x", "one");
	write_file("v2/x", "two");
	make_link("current", "v1");
	locations[1].root = keep(path_of("current"));
	restart();
	get("/x", "");
	expect_body("one");
	make_link("next", "v2");
	ck_assert_int_eq(rename(path_of("next"), path_of("current")), 0);
	pass(SECOND);
	get("/x", "");
	expect_body("two");
	ck_assert_int_eq(unlink(path_of("current")), 0);
	pass(SECOND);
	get("/x", "");
	expect_status(404);
	make_link("current", "v1");
	pass(SECOND);
	get("/x", "");
	expect_body("one");
}
END_TEST

START_TEST(special_files)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char event[4096];

	strcpy(addr.sun_path, path_of("www/socket"));
	ck_assert_int_eq(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(mkfifo(path_of("www/fifo"), 0644), 0);
	ck_assert_int_eq(mkfifo(path_of("www/index.html"), 0644), 0);
	ck_assert_int_ge(inotify_add_watch(watch, path_of("www/fifo"), IN_OPEN), 0);
	alarm(5); /* if it waits for a writer after all */
	get("/fifo", "");
	expect_status(404);
	get("/socket", "");
	expect_status(404);
	get("/", "");
	expect_status(403);
	/* A regular file that becomes a FIFO while it is in the cache. */
	get("/small.txt", "");
	ck_assert_int_eq(rename(path_of("www/fifo"), path_of("www/small.txt")), 0);
	pass(SECOND);
	get("/small.txt", "");
	expect_status(404);
	alarm(0);
	/* It was looked at, but never opened: no writer was let to think that it had a reader. */
	ck_assert_int_lt(read(watch, event, sizeof(event)), 0);
	close(watch);
	close(s);
}
END_TEST

static const struct {
	const char *target;
	const char *want; /* NULL: 404 */
} paths[] = {
    {"/inside", "in"},      {"/dir/x", "in"},         {"/up/a/x", "in"},
    {"/outside", NULL},     {"/far", NULL},           {"/absolute", NULL},
    {"/dangling", NULL},    {"/loop", NULL},          {"/out/secret", NULL},
    {"/../secret", NULL},   {"/.hidden", NULL},       {"/a/.hidden", NULL},
    {"/.git/config", NULL}, {"/%2egit/config", NULL}, {"/.well-known/x", "known"},
    {"/%77ell", "well"},
};

START_TEST(path_safety)
{
	char far[128];
	size_t len;

	make_folder("www/a");
	make_folder("www/.git");
	make_folder("www/.well-known");
	write_file("www/a/x", "in");
	write_file("www/.hidden", "hidden");
	write_file("www/a/.hidden", "hidden");
	write_file("www/.git/config", "config");
	write_file("www/.well-known/x", "known");
	write_file("www/well", "well");
	make_link("www/inside", "a/x");
	make_link("www/dir", "a");
	make_link("www/a/top", "..");
	make_link("www/up", "a/top");
	make_link("www/outside", "../secret");
	make_link("www/out", "..");
	make_link("www/dangling", "none");
	make_link("www/loop", "loop");
	make_link("www/absolute", path_of("www/a/x"));
	snprintf(far, sizeof(far), "../../../../../../..%s", path_of("secret"));
	make_link("www/far", far);
	if (path_normalise(paths[_i].target, strlen(paths[_i].target), far, sizeof(far), &len) < 0)
		return; /* refused before it comes here */
	get(paths[_i].target, "");
	if (paths[_i].want != NULL)
		expect_body(paths[_i].want);
	else
		expect_status(404);
}
END_TEST

START_TEST(dotfiles_wanted)
{
	write_file("www/.hidden", "hidden");
	locations[1].dotfiles = true;
	restart();
	get("/.hidden", "");
	expect_body("hidden");
}
END_TEST

START_TEST(long_names)
{
	static char target[6000];

	target[0] = '/';
	memset(target + 1, 'x', 300);
	get(target, "");
	expect_status(404);
	for (int i = 0; i < 5500; i += 50) {
		memset(target + i, 'y', 50);
		target[i] = '/';
	}
	get(target, "");
	expect_status(404);
}
END_TEST

START_TEST(listing)
{
	char name[64], last[64] = "";
	const char *at;

	locations[1].listing = true;
	locations[1].cache_control = "no-cache";
	make_folder("www/dir");
	make_folder("www/dir/zz");
	make_folder("www/dir/a&b");
	write_pattern("www/dir/<script>.txt", 1536);
	write_file("www/dir/javascript:alert(1)", "x");
	write_file("www/dir/caf\xc3\xa9 100%.txt", "x");
	write_file("www/dir/.hidden", "x");
	write_file("www/dir/unnamed\nline", "x");
	write_file("www/dir/unnamed\xe9", "x");
	make_link("www/dir/link", "zz");
	make_link("www/dir/leak", "../../secret");
	make_link("www/dir/dead", "none");
	ck_assert_int_eq(mkfifo(path_of("www/dir/fifo"), 0644), 0);
	restart();
	get("/dir/", "Range: bytes=0-1");
	expect_status(200);
	ck_assert(reply.ready);
	ck_assert_str_eq(field("Content-Type"), "text/html; charset=utf-8");
	ck_assert_str_eq(field("Cache-Control"), "no-cache");
	ck_assert_ptr_null(field("ETag"));
	ck_assert_ptr_null(field("Accept-Ranges"));
	ck_assert_ptr_null(field("Last-Modified"));
	ck_assert_ptr_nonnull(strstr(body, "<title>/dir/</title>"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"../\">"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"./a&amp;b/\">a&amp;b/</a></td><td></td>"));
	ck_assert_ptr_nonnull(strstr(body,
				     "<a href=\"./%3Cscript%3E.txt\">&lt;script&gt;.txt</a></td>"
				     "<td>1.5k</td><td>1994-11-06 08:49</td>"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"./javascript:alert(1)\">"));
	ck_assert_ptr_nonnull(
	    strstr(body, "<a href=\"./caf%C3%A9%20100%25.txt\">caf\xc3\xa9 100%.txt</a>"));
	ck_assert_ptr_nonnull(strstr(body, "<a href=\"./link/\">"));
	ck_assert_ptr_null(strstr(body, "hidden"));
	/* No request can ask for these. */
	ck_assert_ptr_null(strstr(body, "unnamed"));
	ck_assert_ptr_null(strstr(body, "leak"));
	ck_assert_ptr_null(strstr(body, "dead"));
	ck_assert_ptr_null(strstr(body, "fifo"));
	ck_assert_ptr_null(strstr(body, "<script>"));
	/* Folders first, each kind by name. */
	ck_assert(strstr(body, "./zz/") < strstr(body, "./%3Cscript"));
	ck_assert(strstr(body, "./a&amp;b/") < strstr(body, "./link/"));
	ck_assert(strstr(body, "./link/") < strstr(body, "./zz/"));
	/* Good for a second. */
	write_file("www/dir/new", "x");
	get("/dir/", "");
	ck_assert_ptr_null(strstr(body, "new"));
	pass(SECOND);
	get("/dir/", "");
	ck_assert_ptr_nonnull(strstr(body, "./new"));
	/* The root has nothing above it. */
	get("/", "");
	expect_status(200);
	ck_assert_ptr_null(strstr(body, "../"));
	/* More than fits. */
	for (int i = 0; i < 2000; i++) {
		sprintf(name, "www/dir/number%04d", i);
		write_file(name, "");
	}
	pass(SECOND);
	get("/dir/", "");
	expect_status(200);
	ck_assert_uint_le(body_len + reply.head_len, REPLY_TEXT_SIZE);
	ck_assert_uint_ge(body_len, 58 * 1024);
	for (at = body; (at = strstr(at, "./number")) != NULL; at++)
		sscanf(at, "./number%60[0-9]", last);
	sprintf(name, "… %d more</p>", 2000 - 1 - atoi(last));
	ck_assert_msg(strstr(body, name) != NULL, "no '%s' in ...%s", name, body + body_len - 200);
	ck_assert_uint_eq(row.file_cache_entries, 2);
}
END_TEST

static const struct {
	const char *accept;
	const char *want;
	const char *encoding;
} variants[] = {
    {"", "plain", NULL},
    {"Accept-Encoding: gzip, br, zstd", "brotli", "br"},
    {"Accept-Encoding: gzip, zstd", "zstandard", "zstd"},
    {"Accept-Encoding: gzip", "gzipped", "gzip"},
    {"Accept-Encoding: gzip;q=1.0, br;q=0.1", "gzipped", "gzip"},
    {"Accept-Encoding: deflate", "plain", NULL},
};

static void set_up_variants(void)
{
	write_file("www/page.html", "plain");
	write_file("www/page.html.br", "brotli");
	write_file("www/page.html.zst", "zstandard");
	write_file("www/page.html.gz", "gzipped");
	locations[1].precompressed = true;
	restart();
}

static void expect_variant(int i)
{
	get("/page.html", variants[i].accept);
	expect_body(variants[i].want);
	ck_assert_pstr_eq(field("Content-Encoding"), variants[i].encoding);
	ck_assert_str_eq(field("Vary"), "Accept-Encoding");
	ck_assert_str_eq(field("Content-Type"), "text/html; charset=utf-8");
}

START_TEST(precompressed)
{
	char condition[128], want[128];

	set_up_variants();
	for (int n = 0; n < 3; n++, pass(SECOND))
		expect_variant(_i);
	ck_assert_uint_eq(row.file_cache_misses, 1);
	/* Each has a tag of its own. */
	snprintf(want, sizeof(want), "%s%s\"", variants[_i].encoding != NULL ? "-" : "",
		 variants[_i].encoding != NULL ? variants[_i].encoding : "");
	ck_assert_ptr_nonnull(strstr(field("ETag"), want));
	snprintf(condition, sizeof(condition), "%s%sIf-None-Match: %s", variants[_i].accept,
		 variants[_i].accept[0] != '\0' ? "|" : "", field("ETag"));
	get("/page.html", condition);
	expect_status(304);
	ck_assert_str_eq(field("Vary"), "Accept-Encoding");
	/* A range is one of the variant. */
	snprintf(condition, sizeof(condition), "%s%sRange: bytes=1-2", variants[_i].accept,
		 variants[_i].accept[0] != '\0' ? "|" : "");
	get("/page.html", condition);
	expect_status(206);
	ck_assert_uint_eq(body_len, 2);
	ck_assert(memcmp(body, variants[_i].want + 1, 2) == 0);
	ck_assert_pstr_eq(field("Content-Encoding"), variants[_i].encoding);
	/* Several of an encoded one are not worth the doubt about what is encoded. */
	snprintf(condition, sizeof(condition), "%s%sRange: bytes=1-1,3-3", variants[_i].accept,
		 variants[_i].accept[0] != '\0' ? "|" : "");
	get("/page.html", condition);
	expect_status(variants[_i].encoding == NULL ? 206 : 200);
}
END_TEST

START_TEST(siblings_come_and_go)
{
	set_up_variants();
	expect_variant(1);
	ck_assert_int_eq(unlink(path_of("www/page.html.br")), 0);
	pass(SECOND);
	get("/page.html", variants[1].accept);
	expect_body("zstandard");
	ck_assert_int_eq(unlink(path_of("www/page.html.zst")), 0);
	ck_assert_int_eq(mkfifo(path_of("www/page.html.zst"), 0644), 0);
	make_link("www/page.html.br", "../secret");
	pass(SECOND);
	get("/page.html", variants[1].accept);
	expect_body("gzipped");
	/* Not to be read: as good as none. */
	ck_assert_int_eq(chmod(path_of("www/page.html.gz"), 0), 0);
	pass(SECOND);
	as_nobody(true);
	get("/page.html", variants[1].accept);
	as_nobody(false);
	expect_body("plain");
	write_file("www/page.html", "changed");
	pass(SECOND);
	get("/page.html", "");
	expect_body("changed");
	/* Nothing without the file itself. */
	ck_assert_int_eq(unlink(path_of("www/page.html")), 0);
	pass(SECOND);
	get("/page.html", variants[1].accept);
	expect_status(404);
	/* Only where the location asks. */
	locations[1].precompressed = false;
	write_file("www/page.html", "plain");
	restart();
	get("/page.html", variants[1].accept);
	expect_body("plain");
	ck_assert_ptr_null(field("Vary"));
}
END_TEST

START_TEST(big_variant)
{
	set_up_variants();
	write_pattern("www/page.html.br", BIG);
	get("/page.html", variants[1].accept);
	expect_pattern(200, 0, BIG);
	ck_assert_int_eq(reply.body, REPLY_FILE);
	get("/page.html", "");
	expect_body("plain");
	get("/page.html", "Accept-Encoding: br|Range: bytes=-10");
	expect_pattern(206, BIG - 10, 10);
}
END_TEST

static const struct {
	const char *range;
	size_t offset, len;
} ranges[] = {
    {"bytes=0-0", 0, 1},
    {"bytes=100-199", 100, 100},
    {"bytes=0-0,5000000-", 0, 1},
};

START_TEST(one_range)
{
	static const struct {
		const char *target;
		int size;
	} file[] = {{"/small.txt", SMALL}, {"/big.bin", BIG}};
	char fields[128], want[64];

	for (int i = 0; i < ROWS(file); i++) {
		snprintf(fields, sizeof(fields), "Range: %s", ranges[_i].range);
		snprintf(want, sizeof(want), "bytes %zu-%zu/%d", ranges[_i].offset,
			 ranges[_i].offset + ranges[_i].len - 1, file[i].size);
		get(file[i].target, fields);
		expect_pattern(206, ranges[_i].offset, ranges[_i].len);
		ck_assert_str_eq(field("Content-Range"), want);
		ck_assert_ptr_nonnull(field("ETag"));
		ck_assert_ptr_nonnull(field("Last-Modified"));
		ck_assert_ptr_nonnull(field("Content-Type"));
		ck_assert(!reply.ready);
		get(file[i].target, "Range: bytes=-7");
		expect_pattern(206, (size_t)file[i].size - 7, 7);
		get(file[i].target, "Range: bytes=200000-");
		expect_status(416);
		snprintf(want, sizeof(want), "bytes */%d", file[i].size);
		ck_assert_str_eq(field("Content-Range"), want);
		ck_assert_uint_eq(body_len, 0);
		ck_assert_str_eq(field("Content-Length"), "0");
		get(file[i].target, "Range: bytes=0-5,3-8");
		expect_pattern(200, 0, (size_t)file[i].size);
		get(file[i].target, "Range: bytes=0-1|Range: bytes=3-4");
		expect_pattern(200, 0, (size_t)file[i].size);
		get(file[i].target, "Range: lines=0-1");
		expect_pattern(200, 0, (size_t)file[i].size);
	}
}
END_TEST

/* Reads a multipart body as a client would. */
START_TEST(several_ranges)
{
	const char *target = _i == 0 ? "/small.txt" : "/big.bin", *type;
	char boundary[128], *at = body;
	static const int want[][2] = {{5, 10}, {0, 0}, {500, 999}};

	get(target, "Range: bytes=5-10,0-0,500-999");
	expect_status(206);
	ck_assert_int_eq(reply.body, _i == 0 ? REPLY_BYTES : REPLY_PARTS);
	ck_assert_uint_eq((size_t)atoll(field("Content-Length")), body_len);
	ck_assert_uint_eq(reply.length, body_len);
	ck_assert_ptr_null(field("Content-Range"));
	type = field("Content-Type");
	ck_assert_int_eq(sscanf(type, "multipart/byteranges; boundary=%99s", boundary), 1);
	ck_assert_ptr_nonnull(field("ETag"));
	for (int i = 0; i < ROWS(want); i++) {
		char text[512];
		int len = snprintf(text, sizeof(text),
				   "%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes "
				   "%d-%d/%d\r\n\r\n",
				   i > 0 ? "\r\n" : "", boundary,
				   _i == 0 ? "text/plain; charset=utf-8"
					   : "application/octet-stream",
				   want[i][0], want[i][1], _i == 0 ? SMALL : BIG);

		ck_assert(memcmp(at, text, (size_t)len) == 0);
		at += len;
		ck_assert(
		    is_pattern(at, (size_t)want[i][0], (size_t)(want[i][1] - want[i][0] + 1)));
		at += want[i][1] - want[i][0] + 1;
	}
	ck_assert(memcmp(at, "\r\n--", 4) == 0);
	ck_assert(memcmp(at + 4, boundary, strlen(boundary)) == 0);
	ck_assert_str_eq(at + 4 + strlen(boundary), "--\r\n");
	ck_assert_uint_eq((size_t)(at - body) + 8 + strlen(boundary), body_len);
}
END_TEST

START_TEST(most_ranges)
{
	char fields[512] = "Range: bytes=", *at = fields + strlen(fields);

	for (int i = 0; i < REPLY_PARTS_MAX; i++)
		at += sprintf(at, "%s%d-%d", i > 0 ? "," : "", i * 1000, i * 1000 + 999);
	write_pattern("www/kept", 16384);
	get("/kept", fields);
	expect_status(206);
	ck_assert_uint_ge(body_len, 16 * 1000);
	get("/big.bin", fields);
	expect_status(206);
	ck_assert_uint_eq(reply.parts_count, REPLY_PARTS_MAX);
	strcpy(at, ",50000-");
	get("/big.bin", fields);
	expect_pattern(200, 0, BIG);
}
END_TEST

START_TEST(empty_file_range)
{
	write_file("www/empty", "");
	get("/empty", "Range: bytes=0-");
	expect_status(416);
	ck_assert_str_eq(field("Content-Range"), "bytes */0");
	get("/empty", "");
	expect_body("");
	ck_assert_int_eq(reply.body, REPLY_EMPTY);
}
END_TEST

START_TEST(if_range)
{
	char fields[256];

	get("/big.bin", "");
	snprintf(fields, sizeof(fields), "Range: bytes=0-9|If-Range: %s", field("ETag"));
	get("/big.bin", fields);
	expect_pattern(206, 0, 10);
	get("/big.bin", "Range: bytes=0-9|If-Range: \"other\"");
	expect_pattern(200, 0, BIG);
	get("/big.bin", "Range: bytes=0-9|If-Range: Sun, 06 Nov 1994 08:49:37 GMT");
	expect_pattern(206, 0, 10);
	get("/big.bin", "Range: bytes=0-9|If-Range: Sun, 06 Nov 1994 08:49:38 GMT");
	expect_pattern(200, 0, BIG);
	get("/big.bin", "Range: bytes=200000-|If-Range: \"other\"");
	expect_pattern(200, 0, BIG);
}
END_TEST

START_TEST(conditions)
{
	char fields[256], etag[64];

	locations[1].cache_control = "max-age=60";
	locations[1].headers = added;
	locations[1].headers_count = 1;
	restart();
	get("/small.txt", "");
	ck_assert_str_eq(field("Cache-Control"), "max-age=60");
	ck_assert_str_eq(field("X-Added"), "yes");
	strcpy(etag, field("ETag"));
	snprintf(fields, sizeof(fields), "If-None-Match: \"x\", W/%s", etag);
	for (int n = 0; n < 2; n++) {
		ask_at(1, n == 0 ? "GET" : "HEAD", "/small.txt", fields);
		expect_status(304);
		ck_assert_uint_eq(body_len, 0);
		ck_assert_str_eq(field("ETag"), etag);
		ck_assert_str_eq(field("Cache-Control"), "max-age=60");
		ck_assert_str_eq(field("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
		ck_assert_str_eq(field("X-Added"), "yes");
		ck_assert_ptr_null(field("Content-Length"));
		ck_assert_ptr_null(field("Content-Type"));
	}
	get("/small.txt", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT");
	expect_status(304);
	get("/small.txt", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT");
	expect_pattern(200, 0, SMALL);
	get("/small.txt", "If-Match: \"x\"");
	expect_status(412);
	ck_assert_uint_gt(body_len, 0);
	get("/small.txt", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT");
	expect_status(412);
	snprintf(fields, sizeof(fields), "If-Match: %s|Range: bytes=3-4", etag);
	get("/small.txt", fields);
	expect_pattern(206, 3, 2);
	ck_assert_str_eq(field("Cache-Control"), "max-age=60");
	/* 304 comes before the range. */
	snprintf(fields, sizeof(fields), "If-None-Match: %s|Range: bytes=3-4", etag);
	get("/small.txt", fields);
	expect_status(304);
	/* No condition where there is nothing. */
	get("/none", "If-Match: \"x\"");
	expect_status(404);
	get("/none", "If-None-Match: *");
	expect_status(404);
}
END_TEST

START_TEST(without_cache)
{
	settings.file_cache = 0;
	restart();
	for (int n = 0; n < 3; n++) {
		get("/small.txt", "");
		expect_pattern(200, 0, SMALL);
		get("/big.bin", "");
		expect_pattern(200, 0, BIG);
		get("/none", "");
		expect_status(404);
		pass(1);
	}
	ck_assert_uint_eq(row.file_cache_entries, 0);
	ck_assert_uint_eq(row.file_cache_hits, 0);
	ck_assert_uint_eq(row.file_cache_misses, 9);
	/* The last turn's only. */
	ck_assert_uint_le(open_gauge, 1);
	files_tick(files, &now);
	ck_assert_uint_eq(open_gauge, 0);
}
END_TEST

/* Asking for what is not there pushes nothing out. */
START_TEST(unknown_names)
{
	char target[32];

	get("/small.txt", "");
	get("/big.bin", "");
	for (int i = 0; i < 1000; i++) {
		sprintf(target, "/none%d", i);
		get(target, "");
		expect_status(404);
		pass(10);
	}
	ck_assert_uint_eq(row.file_cache_entries, 2 + 4);
	row.file_cache_misses = 0;
	get("/small.txt", "");
	get("/big.bin", "");
	ck_assert_uint_eq(row.file_cache_misses, 0);
}
END_TEST

/* What was used last stays. */
START_TEST(least_recently_used)
{
	char name[32];

	get("/small.txt", "");
	for (int i = 0; i < 30; i++) {
		sprintf(name, "www/f%d", i);
		write_file(name, "x");
		get(name + 3, "");
		get("/small.txt", "");
		pass(SECOND);
	}
	ck_assert_uint_eq(row.file_cache_entries, 12);
	row.file_cache_misses = 0;
	get("/small.txt", "");
	get("/f29", "");
	get("/f19", "");
	ck_assert_uint_eq(row.file_cache_misses, 0);
	get("/f0", "");
	ck_assert_uint_eq(row.file_cache_misses, 1);
}
END_TEST

START_TEST(idle_is_forgotten)
{
	get("/small.txt", "");
	get("/big.bin", "");
	get("/none", "");
	pass(59 * SECOND);
	files_tick(files, &now);
	ck_assert_uint_eq(row.file_cache_entries, 3);
	get("/small.txt", "");
	pass(2 * SECOND);
	files_tick(files, &now);
	ck_assert_uint_eq(row.file_cache_entries, 1);
	pass(1);
	files_tick(files, &now);
	ck_assert_uint_eq(open_gauge, 0);
	pass(60 * SECOND);
	files_tick(files, &now);
	pass(1);
	files_tick(files, &now);
	ck_assert_uint_eq(row.file_cache_entries, 0);
	/* The location's directory is closed as well. */
	ck_assert_int_eq(count_fds(), fds_before);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
}
END_TEST

START_TEST(release)
{
	uint32_t busy;

	write_pattern("www/big2.bin", BIG);
	get("/big.bin", "");
	busy = reply.file;
	openfile_ref(&opened, busy);
	get("/big2.bin", "");
	get("/small.txt", "");
	pass(1);
	/* The second file and the directory; not the one that is being sent. */
	ck_assert_uint_eq(files_release(files), 2);
	ck_assert_uint_eq(open_gauge, 1);
	ck_assert_int_eq(count_fds(), fds_before + 1);
	ck_assert_uint_eq(files_release(files), 0);
	get("/big2.bin", "");
	expect_pattern(200, 0, BIG);
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
	openfile_unref(&opened, busy);
	ck_assert_uint_eq(open_gauge, 2);
}
END_TEST

START_TEST(descriptors_are_short)
{
	struct rlimit limit, tight;
	char name[32];
	int next;

	for (int i = 0; i < 5; i++) {
		sprintf(name, "www/b%d", i);
		write_pattern(name, BIG);
		get(name + 3, "");
	}
	pass(1);
	next = dup(0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	/* The cache gives some back. */
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	ck_assert_uint_eq(open_gauge, 0);
	/* There is nothing to give: nobody lies in the cache for it. */
	tight.rlim_cur = 3;
	restart();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	next = dup(0);
	ck_assert_int_lt(next, 0);
	get("/big.bin", "");
	expect_status(503);
	ck_assert_ptr_nonnull(field("Retry-After"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	get("/big.bin", "");
	expect_pattern(200, 0, BIG);
}
END_TEST

/* The table of open files is shorter than the cache. */
START_TEST(table_is_full)
{
	char name[32];

	openfiles_init(&opened, open_memory, 2, &open_gauge);
	for (int i = 0; i < 6; i++) {
		sprintf(name, "www/b%d", i);
		write_pattern(name, BIG);
		get(name + 3, "");
		expect_pattern(200, 0, BIG);
		ck_assert_uint_le(open_gauge, 2);
		pass(1);
	}
	openfile_ref(&opened, reply.file);
	get("/b0", "");
	openfile_ref(&opened, reply.file);
	get("/b1", "");
	expect_status(503);
	get("/small.txt", "");
	expect_pattern(200, 0, SMALL);
	openfile_unref(&opened, 0);
	openfile_unref(&opened, 1);
}
END_TEST

/* Many servers, each with its own tree and the same paths. */
START_TEST(locations_are_apart)
{
	make_folder("www/pictures");
	write_file("www/pictures/small.txt", "other");
	locations[2].alias = NULL;
	locations[2].root = keep(path_of("www/pictures"));
	restart();
	for (int n = 0; n < 2; n++) {
		get("/small.txt", "");
		expect_pattern(200, 0, SMALL);
		ask_at(2, "GET", "/small.txt", "");
		expect_body("other");
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("files");
	TCase *tc = tcase_create("files");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, small_file);
	tcase_add_test(tc, big_file);
	tcase_add_loop_test(tc, sizes, 0, 5);
	tcase_add_test(tc, head_only);
	tcase_add_test(tc, date_moves);
	tcase_add_test(tc, changed_in_place);
	tcase_add_test(tc, young_file);
	tcase_add_test(tc, replaced_while_sent);
	tcase_add_test(tc, replaced_in_the_turn);
	tcase_add_test(tc, shrunk);
	tcase_add_test(tc, never_still);
	tcase_add_test(tc, removed_and_back);
	tcase_add_test(tc, no_leave);
	tcase_add_loop_test(tc, folder_redirect, 0, ROWS(redirects));
	tcase_add_test(tc, index_file);
	tcase_add_test(tc, aliased);
	tcase_add_test(tc, root_switched);
	tcase_add_test(tc, special_files);
	tcase_add_loop_test(tc, path_safety, 0, ROWS(paths));
	tcase_add_test(tc, dotfiles_wanted);
	tcase_add_test(tc, long_names);
	tcase_add_test(tc, listing);
	tcase_add_loop_test(tc, precompressed, 0, ROWS(variants));
	tcase_add_test(tc, siblings_come_and_go);
	tcase_add_test(tc, big_variant);
	tcase_add_loop_test(tc, one_range, 0, ROWS(ranges));
	tcase_add_loop_test(tc, several_ranges, 0, 2);
	tcase_add_test(tc, most_ranges);
	tcase_add_test(tc, empty_file_range);
	tcase_add_test(tc, if_range);
	tcase_add_test(tc, conditions);
	tcase_add_test(tc, without_cache);
	tcase_add_test(tc, unknown_names);
	tcase_add_test(tc, least_recently_used);
	tcase_add_test(tc, idle_is_forgotten);
	tcase_add_test(tc, release);
	tcase_add_test(tc, descriptors_are_short);
	tcase_add_test(tc, table_is_full);
	tcase_add_test(tc, locations_are_apart);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
