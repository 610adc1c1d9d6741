/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests master/state.c: what is written is read again, whatever is in it; anything that is not
 * understood is refused as a whole.
 */
#include "master/state.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

static struct state sample(void)
{
	struct state s = STATE_EMPTY;

	s.version = strdup("1.2.3");
	s.number = 7;
	s.last = 9;
	s.instances = UINT64_C(1) << 40;
	s.workers = 3;
	s.configured = 2;
	s.program_fd = 10;
	s.board_fd = 11;
	s.lock_fd = 12;
	s.pid_fd = 13;
	s.error_fd = 14;
	s.pid_path = strdup("/run/a b\nc/drover.pid");
	s.config_file = strdup("");
	s.config = strdup("workers = 2\nserver \"\xc3\xa9\" { }\n");
	ck_assert_int_eq(state_add_fd(&s.log_fds, &s.log_fds_count, 15), 0);
	ck_assert_int_eq(state_add_fd(&s.log_fds, &s.log_fds_count, 16), 0);
	*state_add_generation(&s) = (struct state_generation){7, 30000000, 5};
	struct state_listener *l = state_add_listener(&s);
	struct sockaddr_un *un = (struct sockaddr_un *)&l->addr;

	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, "/tmp/x y");
	l->addr_len = sizeof(*un);
	l->reuseport = true;
	l->backlog = 511;
	l->opened = 2;
	l->ino = 77;
	l->made = (struct timespec){5, 6};
	ck_assert_int_eq(state_add_fd(&l->fds, &l->fds_count, 20), 0);
	ck_assert_int_eq(state_add_fd(&l->fds, &l->fds_count, -1), 0);
	*state_add_child(&s) = (struct state_child){.slot = 1,
						    .half = 1,
						    .generation = 7,
						    .pid = 4711,
						    .standby = 4712,
						    .instance = 99,
						    .control_fd = 21,
						    .state = "draining",
						    .asked = true,
						    .started_us = 1,
						    .ready_us = 2,
						    .deadline_us = 3,
						    .until_us = 4,
						    .drain_flags = 1};
	return s;
}

static char *text_of(const struct state *s)
{
	int fd = state_write(s);
	char *text = calloc(1, 65536);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_gt(pread(fd, text, 65535, 0), 0);
	close(fd);
	return text;
}

static int read_text(struct state *out, const char *text, char *error, size_t size)
{
	int fd = memfd_create("state", MFD_CLOEXEC), bad;

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	bad = state_read(out, fd, error, size);
	close(fd);
	return bad;
}

START_TEST(test_round_trip)
{
	struct state s = sample(), again;
	char *text = text_of(&s), *other, error[256] = "";

	ck_assert_msg(read_text(&again, text, error, sizeof(error)) == 0, "%s", error);
	ck_assert_str_eq(again.pid_path, s.pid_path);
	ck_assert_str_eq(again.config, s.config);
	ck_assert_str_eq(again.config_file, "");
	ck_assert_uint_eq(again.instances, s.instances);
	ck_assert_uint_eq(again.listeners_count, 1);
	ck_assert_mem_eq(&again.listeners[0].addr, &s.listeners[0].addr,
			 sizeof(struct sockaddr_un));
	ck_assert_int_eq(again.listeners[0].fds[1], -1);
	ck_assert_str_eq(again.children[0].state, "draining");
	ck_assert_uint_eq(again.children[0].drain_flags, 1);
	other = text_of(&again);
	ck_assert_str_eq(text, other);
	free(text);
	free(other);
	state_free(&s);
	state_free(&again);
}
END_TEST

/* Each line, if it is cut, doubled in length or missing its number, makes the whole worthless. */
START_TEST(test_damage)
{
	struct state s = sample(), out;
	char *text = text_of(&s), error[256];
	size_t len = strlen(text);

	for (size_t i = 0; i + 1 < len; i++) {
		char *cut = strndup(text, i);

		error[0] = '\0';
		ck_assert_msg(read_text(&out, cut, error, sizeof(error)) != 0, "cut at %zu", i);
		ck_assert_str_ne(error, "");
		ck_assert_int_eq(out.board_fd, -1);
		free(cut);
	}
	free(text);
	state_free(&s);
}
END_TEST

static const struct {
	const char *from, *to, *says;
} changes[] = {
    {"drover-state 1\n", "drover-state 2\n", "another version"},
    {"drover-state 1\n", "rubbish\n", "another version"},
    {"\nend\n", "\nfuture 1\nend\n", "not understood"},
    {"\nmaster 7 9", "\nmaster 7 x", "not understood"},
    {"\nmaster 7 9", "\nmaster 7 9 1", "not understood"},
    {"\nmaster 7 9", "\nmaster -7 9", "not understood"},
    {"\nlog 15", "\nlog 99999999999", "not understood"},
    {"\nlog 15", "\nlog", "not understood"},
    {"\nlisten", "\nlistener 0\nlisten", "not understood"},
    {"child draining", "child draaaaaaaaaaaaining", "not understood"},
    {"\nversion 31", "\nversion 3g", "not understood"},
    {"\nend\n", "\n", "not understood"},
};

START_TEST(test_changes)
{
	struct state s = sample(), out;
	char *text = text_of(&s), *at = strstr(text, changes[_i].from), error[256] = "", *changed;

	ck_assert_msg(at != NULL, "%s", changes[_i].from);
	ck_assert_int_ge(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, changes[_i].to,
				  at + strlen(changes[_i].from)),
			 0);
	ck_assert_int_ne(read_text(&out, changed, error, sizeof(error)), 0);
	ck_assert_msg(strstr(error, changes[_i].says) != NULL, "%s: %s", changes[_i].to, error);
	free(changed);
	free(text);
	state_free(&s);
}
END_TEST

START_TEST(test_close_on_exec)
{
	struct state s = STATE_EMPTY;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	s.board_fd = fd;
	state_close_on_exec(&s, false);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	state_close_on_exec(&s, true);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state");
	TCase *c = tcase_create("state");
	SRunner *r;
	int failed;

	tcase_add_test(c, test_round_trip);
	tcase_add_test(c, test_damage);
	tcase_add_loop_test(c, test_changes, 0, sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(c, test_close_on_exec);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
