/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/names.c and worker/address.c
 */
#include "worker/names.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "worker/address.h"

/* '1' to '3' are IPv4 addresses, 'a' to 'c' IPv6 ones. */
static struct dns_addr addr(char c)
{
	struct dns_addr a = {.family = c == '-' ? 0 : c >= 'a' ? 6 : 4};

	if (a.family == 4)
		a.bytes[10] = a.bytes[11] = 0xff;
	if (a.family != 0)
		a.bytes[15] = (uint8_t)c;
	return a;
}

static const struct {
	const char *answer, *before, *after; /* the one in use, the other one */
	bool changed;
} choices[] = {
    {"1", "--", "1-", true},     {"12", "--", "1-", true},    {"a1", "--", "a1", true},
    {"1a", "--", "1a", true},    {"1", "1-", "1-", false},    {"21", "1-", "1-", false},
    {"21", "3-", "2-", true},    {"21ab", "1b", "1b", false}, {"21ab", "1c", "1a", false},
    {"21ab", "1-", "1a", false}, {"21", "1a", "1-", false},   {"a", "1a", "a-", true},
    {"1a", "a1", "a1", false},   {"2a", "a1", "a2", false},   {"b2", "1a", "b2", true},
    {"123ab", "-b", "1b", true},
};

START_TEST(test_choose)
{
	struct dns_answer a = {.count = 0};
	struct names_pair pair = {addr(choices[_i].before[0]), addr(choices[_i].before[1])};
	struct dns_addr want;

	for (const char *c = choices[_i].answer; *c != '\0'; c++)
		a.addrs[a.count++] = addr(*c);
	ck_assert_msg(names_choose(&a, &pair) == choices[_i].changed, "%s after %s: changed",
		      choices[_i].answer, choices[_i].before);
	want = addr(choices[_i].after[0]);
	ck_assert_msg(memcmp(&pair.addr, &want, sizeof want) == 0, "%s after %s: the address",
		      choices[_i].answer, choices[_i].before);
	want = addr(choices[_i].after[1]);
	ck_assert_msg(memcmp(&pair.other, &want, sizeof want) == 0, "%s after %s: the other",
		      choices[_i].answer, choices[_i].before);
}
END_TEST

#define SECOND UINT64_C(1000000)

START_TEST(test_times)
{
	const struct resolve_settings r = {.min_us = 5 * SECOND, .max_us = 600 * SECOND};
	const struct resolve_settings small = {.min_us = SECOND / 2, .max_us = 3 * SECOND};
	struct dns_answer a = {.count = 1};
	static const unsigned patience[] = {1, 1, 2, 4, 8, 16, 32, 60, 60};

	ck_assert_uint_eq(names_good_us(&r, &a), 5 * SECOND);
	a.ttl_s = 5;
	ck_assert_uint_eq(names_good_us(&r, &a), 5 * SECOND);
	a.ttl_s = 30;
	ck_assert_uint_eq(names_good_us(&r, &a), 30 * SECOND);
	a.ttl_s = UINT32_MAX;
	ck_assert_uint_eq(names_good_us(&r, &a), 600 * SECOND);
	a.ttl_s = 0;
	a.lasting = true;
	ck_assert_uint_eq(names_good_us(&r, &a), 600 * SECOND);
	for (unsigned i = 0; i < sizeof patience / sizeof patience[0]; i++)
		ck_assert_uint_eq(names_retry_us(&r, i), patience[i] * SECOND);
	ck_assert_uint_eq(names_retry_us(&r, UINT32_MAX), 60 * SECOND);
	ck_assert_uint_eq(names_retry_us(&small, 3), 3 * SECOND);
	ck_assert_uint_eq(names_jitter_us(100, 0), 100);
	ck_assert_uint_eq(names_jitter_us(100, UINT32_MAX), 110);
	ck_assert_uint_le(names_jitter_us(86400 * SECOND, UINT32_MAX), 95040 * SECOND);
}
END_TEST

START_TEST(test_text)
{
	struct dns_addr a = {.family = 4, .bytes = {[10] = 0xff, 0xff, 192, 0, 2, 7}};
	union peer_addr s;
	char text[64];

	names_text(&a, htons(80), text, sizeof text);
	ck_assert_str_eq(text, "192.0.2.7:80");
	ck_assert_uint_eq(names_socket(&a, htons(80), &s), sizeof s.in);
	ck_assert(s.in.sin_family == AF_INET && s.in.sin_port == htons(80) &&
		  s.in.sin_addr.s_addr == htonl(0xc0000207));
	ck_assert_uint_ne(names_mark(&a, htons(80)), names_mark(&a, htons(81)));
	a = (struct dns_addr){.family = 6, .bytes = {[15] = 1}};
	names_text(&a, htons(8080), text, sizeof text);
	ck_assert_str_eq(text, "[::1]:8080");
	ck_assert_uint_eq(names_socket(&a, htons(8080), &s), sizeof s.in6);
	ck_assert_uint_ne(names_mark(&a, 1), 0);
	a.family = 0;
	names_text(&a, 1, text, sizeof text);
	ck_assert_str_eq(text, "");
	ck_assert_uint_eq(names_socket(&a, 1, &s), 0);
	ck_assert_uint_eq(names_mark(&a, 1), 0);
}
END_TEST

static struct board board;
static char path[] = "/tmp/check_names.XXXXXX";

static void set_up(void)
{
	const struct board_sizes sizes = {.slots = 1,
					  .conns_per_worker = 1,
					  .listeners = 1,
					  .servers = 1,
					  .upstreams = 1,
					  .peers = 2};
	char file[64];

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(file, sizeof file, "%s/board", path);
	ck_assert_int_eq(board_create(&board, file, &sizes), 0);
}

static void tear_down(void)
{
	char file[64];

	board_unmap(&board);
	snprintf(file, sizeof file, "%s/board", path);
	remove(file);
	remove(path);
	memcpy(path + sizeof path - 7, "XXXXXX", 6);
}

/* What the settings know, until the board knows better. */
START_TEST(test_address)
{
	struct peer p = {.address = "x:80", .host = "x", .port = htons(80), .row = 1};
	struct address_news news = {.now_us = 5, .good_us = 7000000, .changed = true};
	struct address a;
	uint32_t first, other;

	ck_assert(!address_known(&board, &p));
	ck_assert(!address_of(&board, &p, false, &a));
	ck_assert(!address_stands(&board, &p, 0));
	news.pair.addr = addr('1');
	p.addr_len = names_socket(&news.pair.addr, p.port, &p.addr);
	ck_assert(address_known(&board, &p) && address_of(&board, &p, false, &a));
	ck_assert(!address_of(&board, &p, true, &a));
	ck_assert(address_of(&board, &p, false, &a) && a.mark != 0);
	first = a.mark;
	ck_assert(address_stands(&board, &p, first) && !address_stands(&board, &p, first + 1));

	/* The same on the board: connections stay. */
	news.pair.other = addr('a');
	address_write(&board, &p, &news);
	ck_assert(address_stands(&board, &p, first));
	ck_assert(address_of(&board, &p, false, &a) && a.mark == first && a.len == p.addr_len);
	ck_assert(address_of(&board, &p, true, &a) && a.addr.sa.sa_family == AF_INET6);
	other = a.mark;
	ck_assert(address_stands(&board, &p, other));
	ck_assert_str_eq(board_peer_address(&board, 1)->text, "0.0.0.49:80");
	ck_assert_uint_eq(board_peer_address(&board, 1)->ttl_ms, 7000);

	/* Another one: they do not. */
	news.pair.addr = addr('2');
	news.pair.other = addr('-');
	address_write(&board, &p, &news);
	ck_assert(!address_stands(&board, &p, first) && !address_stands(&board, &p, other));
	ck_assert(!address_stands(&board, &p, 0));
	ck_assert(address_of(&board, &p, false, &a) && a.mark != first);
	ck_assert(!address_of(&board, &p, true, &a));

	/* Its writer died in the middle: the settings' one, and no waiting. */
	board_write_begin(&board_peer_address(&board, 1)->seq);
	ck_assert(address_of(&board, &p, false, &a) && a.mark == first);
	address_write(&board, &p, &news);
	ck_assert_uint_eq(board_peer_address(&board, 1)->seq % 2, 0);
	ck_assert(address_of(&board, &p, false, &a) && a.mark != first);
	address_clear(&board, 1);
	ck_assert(address_of(&board, &p, false, &a) && a.mark == first);
	ck_assert_str_eq(board_peer_address(&board, 1)->text, "");
}
END_TEST

START_TEST(test_literal)
{
	struct peer p = {.address = "192.0.2.1:80", .addr_len = sizeof p.addr.in};
	struct address a;

	p.addr.in.sin_family = AF_INET;
	ck_assert(address_known(&board, &p) && address_of(&board, &p, false, &a));
	ck_assert(a.mark == 0 && address_stands(&board, &p, 0));
	ck_assert_uint_eq(board_peer_address(&board, 0)->seq, 0);
	address_clear(&board, 0);
	ck_assert_uint_eq(board_peer_address(&board, 0)->seq, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("names");
	TCase *c = tcase_create("names"), *b = tcase_create("address");
	SRunner *r;
	int failed;

	tcase_add_loop_test(c, test_choose, 0, (int)(sizeof choices / sizeof choices[0]));
	tcase_add_test(c, test_times);
	tcase_add_test(c, test_text);
	tcase_add_checked_fixture(b, set_up, tear_down);
	tcase_add_test(b, test_address);
	tcase_add_test(b, test_literal);
	suite_add_tcase(s, c);
	suite_add_tcase(s, b);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r) + (srunner_ntests_run(r) == 0);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
