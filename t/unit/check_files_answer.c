/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/files_answer.c: precompressed variants, ranges and conditions.
 */
#include "t/unit/run.h"
#include "t/unit/site.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static struct header_setting added[] = {{.name = "X-Added", .value = "yes"}};

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

int main(void)
{
	Suite *s = suite_create("files_answer");
	TCase *tc = tcase_create("files_answer");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, precompressed, 0, ROWS(variants));
	tcase_add_test(tc, siblings_come_and_go);
	tcase_add_test(tc, big_variant);
	tcase_add_loop_test(tc, one_range, 0, ROWS(ranges));
	tcase_add_loop_test(tc, several_ranges, 0, 2);
	tcase_add_test(tc, most_ranges);
	tcase_add_test(tc, empty_file_range);
	tcase_add_test(tc, if_range);
	tcase_add_test(tc, conditions);
	return run_suite(s);
}
