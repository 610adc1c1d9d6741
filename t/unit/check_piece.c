/* SPDX-License-Identifier: BSD-2-Clause */
/* tests worker/http/piece.c: pieces of any size are the same body; how they are framed. */
#include "worker/http/piece.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char chunked[] = "5\r\nhello\r\n1;ext\r\n \r\n0c\r\nwide, wide..\r\n0\r\n\r\nbehind";
static const char trailed[] = "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";

/* All pieces of raw, each of at most so many bytes, from so many raw bytes at a time. */
static size_t decode(const char *raw, size_t len, size_t most, size_t step, char *out, size_t *used,
		     struct piece *last)
{
	struct chunk_state st = {.stop_at_trailers = 1};
	enum http_refusal refusal;
	size_t n = 0;

	*used = 0;
	do {
		char copy[128];
		size_t have = len - *used < step ? len - *used : step;

		memcpy(copy, raw + *used, have);
		ck_assert(piece_unchunk(&st, copy, have, most, last, &refusal));
		ck_assert_uint_le(last->len, most);
		ck_assert(last->used > 0 || last->whole || last->at_trailers);
		memcpy(out + n, last->data, last->len);
		n += last->len;
		*used += last->used;
	} while (!last->whole && !last->at_trailers && *used < len);
	return n;
}

START_TEST(test_any_size)
{
	for (size_t most = 1; most <= 64; most++) {
		for (size_t step = 1; step < sizeof chunked; step++) {
			char out[64];
			struct piece last;
			size_t used;

			ck_assert_uint_eq(
			    decode(chunked, sizeof chunked - 1, most, step, out, &used, &last), 18);
			ck_assert(memcmp(out, "hello wide, wide..", 18) == 0);
			ck_assert(last.whole && strcmp(chunked + used, "behind") == 0);
		}
	}
}
END_TEST

START_TEST(test_stops_at_trailers)
{
	for (size_t most = 1; most <= 8; most++) {
		for (size_t step = 1; step < sizeof trailed; step++) {
			char out[64];
			struct piece last;
			size_t used;

			ck_assert_uint_eq(
			    decode(trailed, sizeof trailed - 1, most, step, out, &used, &last), 5);
			ck_assert(!last.whole && last.at_trailers);
			ck_assert(strncmp(trailed + used, "X-Sum", 5) == 0);
		}
	}
}
END_TEST

static char hello[] = "hello", end[] = "\r\n0\r\nX-Sum: 1\r\n\r\n";

static const struct {
	struct piece p;
	bool chunks;
	const char *text;
} frames[] = {
    {{.data = hello, .len = 5}, false, "hello"},
    {{.data = hello, .len = 5}, true, "5\r\nhello\r\n"},
    {{.data = hello, .len = 5, .whole = true}, true, "5\r\nhello\r\n0\r\n\r\n"},
    {{.data = hello, .whole = true}, true, "0\r\n\r\n"},
    {{.data = hello, .whole = true}, false, ""},
    {{.data = hello}, true, ""},
    {{.data = hello, .len = 5, .whole = true, .end = end, .end_len = sizeof end - 1},
     true,
     "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"},
    {{.data = hello, .whole = true, .end = end, .end_len = sizeof end - 1},
     true,
     "0\r\nX-Sum: 1\r\n\r\n"},
    {{.data = hello, .len = 5, .whole = true, .end = end, .end_len = sizeof end - 1},
     false,
     "hello"},
};

START_TEST(test_frames)
{
	char text[PIECE_TEXT], out[128];
	struct iovec iov[3];
	size_t n = 0;

	piece_frame(&frames[_i].p, frames[_i].chunks, text, iov);
	for (size_t k = 0; k < 3; k++) {
		if (iov[k].iov_len > 0)
			memcpy(out + n, iov[k].iov_base, iov[k].iov_len);
		n += iov[k].iov_len;
	}
	out[n] = '\0';
	ck_assert_str_eq(out, frames[_i].text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("piece");
	TCase *t = tcase_create("piece");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_any_size);
	tcase_add_test(t, test_stops_at_trailers);
	tcase_add_loop_test(t, test_frames, 0, sizeof frames / sizeof frames[0]);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
