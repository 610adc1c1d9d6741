/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests worker/http/open.c: what lies below a root can be opened and what lies outside cannot, by
 * the kernel's own resolution and by the walk that stands in for it.
 */
#include "worker/http/open.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

static char dir[64];
static int root = -1;

static void write_file(const char *rel, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, rel);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

static void make_folder(const char *rel)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, rel);
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void make_link(const char *rel, const char *target)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, rel);
	ck_assert_int_eq(symlink(target, path), 0);
}

static void set_up(void)
{
	char path[512], loop[32];

	strcpy(dir, "/tmp/check_open.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_folder("root");
	make_folder("root/a");
	make_folder("root/a/b");
	make_folder("out");
	write_file("secret", "secret");
	write_file("out/secret", "secret");
	write_file("root/file", "top");
	write_file("root/a/file", "in a");
	write_file("root/a/b/file", "in b");
	make_link("root/to_file", "a/file");
	make_link("root/to_a", "a");
	make_link("root/a/up", "../file");
	make_link("root/a/b/up2", "../../file");
	make_link("root/a/b/to_up", "../up");
	make_link("root/a/side", "../a/./b//file");
	make_link("root/chain", "to_a/up");
	make_link("root/dot", "./a/.");
	make_link("root/a/top", "..");
	make_link("root/climb", "../secret");
	make_link("root/climb_far", "../../../../../../../../etc/passwd");
	make_link("root/a/climb", "../../secret");
	make_link("root/a/b/climb_dir", "../../../out");
	make_link("root/a/climb_later", "b/../../../secret");
	make_link("root/to_climb", "a/climb");
	make_link("root/absolute", "/etc/passwd");
	make_link("root/absolute_inside", "/tmp");
	make_link("root/dangling", "nothing");
	make_link("root/magic", "/proc/self/root");
	make_link("root/self", "self");
	make_link("root/ping", "pong");
	make_link("root/pong", "ping");
	make_link("root/l0", "file");
	for (int i = 1; i <= 50; i++) {
		snprintf(path, sizeof(path), "root/l%d", i);
		snprintf(loop, sizeof(loop), "l%d", i - 1);
		make_link(path, loop);
	}
	snprintf(path, sizeof(path), "%s/root/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	snprintf(path, sizeof(path), "%s/root", dir);
	root = open_root(path);
	ck_assert_int_ge(root, 0);
}

static void tear_down(void)
{
	char command[128];

	close(root);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* want: what the file holds; NULL: errno is error, or one of the two. */
static const struct {
	const char *rel;
	const char *want;
	int error, or_error;
} rows[] = {
    {"file", "top", 0, 0},
    {"a/file", "in a", 0, 0},
    {"a//b///file", "in b", 0, 0},
    {"./a/./file", "in a", 0, 0},
    {"to_file", "in a", 0, 0},
    {"to_a/file", "in a", 0, 0},
    {"to_a/b/file", "in b", 0, 0},
    {"a/up", "top", 0, 0},
    {"a/b/up2", "top", 0, 0},
    {"a/b/to_up", "top", 0, 0},
    {"a/side", "in b", 0, 0},
    {"chain", "top", 0, 0},
    {"dot/file", "in a", 0, 0},
    {"a/top/file", "top", 0, 0},
    {"a/top/a/top/a/file", "in a", 0, 0},
    {"l30", "top", 0, 0},
    {"nothing", NULL, ENOENT, 0},
    {"nothing/file", NULL, ENOENT, 0},
    {"file/", NULL, ENOTDIR, 0},
    {"file/x", NULL, ENOTDIR, 0},
    {"to_file/", NULL, ENOTDIR, 0},
    {"to_file/x", NULL, ENOTDIR, 0},
    {"dangling", NULL, ENOENT, 0},
    {"climb", NULL, EXDEV, 0},
    {"climb_far", NULL, EXDEV, 0},
    {"a/climb", NULL, EXDEV, 0},
    {"a/climb_later", NULL, EXDEV, 0},
    {"to_climb", NULL, EXDEV, 0},
    {"a/b/climb_dir/secret", NULL, EXDEV, 0},
    {"a/top/a/top/climb", NULL, EXDEV, 0},
    {"absolute", NULL, EXDEV, 0},
    {"absolute_inside/x", NULL, EXDEV, 0},
    {"magic/etc/passwd", NULL, EXDEV, ELOOP},
    {"../secret", NULL, EXDEV, 0},
    {"..", NULL, EXDEV, 0},
    {"a/../../secret", NULL, EXDEV, 0},
    {"self", NULL, ELOOP, 0},
    {"ping", NULL, ELOOP, 0},
    {"l50", NULL, ELOOP, 0},
};

typedef int opener(int, const char *, int);

static void expect_open(opener *fn, int i)
{
	char text[32] = "";
	int fd = fn(root, rows[i].rel, O_RDONLY), error = errno;

	if (rows[i].want == NULL) {
		ck_assert_msg(fd < 0, "'%s' was opened", rows[i].rel);
		ck_assert_msg(error == rows[i].error || error == rows[i].or_error, "'%s': %s",
			      rows[i].rel, strerror(error));
		return;
	}
	ck_assert_msg(fd >= 0, "'%s': %s", rows[i].rel, strerror(error));
	ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_msg(strcmp(text, rows[i].want) == 0, "'%s' holds '%s'", rows[i].rel, text);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

START_TEST(below)
{
	expect_open(open_below, _i);
}
END_TEST

START_TEST(walk)
{
	expect_open(open_walk, _i);
}
END_TEST

/* From now on openat2 fails as in a container whose filter does not know it. */
static void forbid_openat2(unsigned error)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = ROWS(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 ||
	    syscall(SYS_openat2, root, "file", NULL, 0) >= 0 || errno != (int)error)
		_exit(2);
}

START_TEST(without_openat2)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char text[8] = "";
		int fd;

		forbid_openat2(_i == 0 ? ENOSYS : EPERM);
		fd = open_below(root, "chain", O_RDONLY);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) != 3 || strcmp(text, "top") != 0)
			_exit(3);
		_exit(open_below(root, "to_climb", O_RDONLY) < 0 && errno == EXDEV ? 0 : 4);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* The walk does not follow ".." behind a name, also where it would stay inside. */
START_TEST(walk_inner_climb)
{
	make_link("root/a/inner", "b/../file");
	ck_assert_int_eq(open_walk(root, "a/inner", O_RDONLY), -1);
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

/* Both openers for what is no regular file. */
START_TEST(other_kinds)
{
	opener *fn = _i == 0 ? open_below : open_walk;
	struct stat st;
	char name[300];
	int fd;

	fd = fn(root, "", O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	fd = fn(root, "a/top/a/", O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	fd = fn(root, "to_a", O_PATH | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	close(fd);
	ck_assert_int_lt(fn(root, "file", O_RDONLY | O_DIRECTORY), 0);
	ck_assert_int_eq(errno, ENOTDIR);
	/* Nobody writes: a blocking open would wait for ever. */
	fd = fn(root, "fifo", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_lt(fn(root, name, O_RDONLY), 0);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

START_TEST(look)
{
	struct stat st;

	ck_assert_int_eq(open_stat(root, "fifo", &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	ck_assert_int_eq(open_stat(root, "to_file", &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_int_eq(st.st_size, 4);
	ck_assert_int_eq(open_stat(root, "", &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_int_eq(open_stat(root, "climb", &st), -1);
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

/* The walk leaves no descriptor behind, whatever its end. */
START_TEST(no_leak)
{
	int before = dup(0), after;

	close(before);
	for (int i = 0; i < ROWS(rows); i++) {
		int fd = open_walk(root, rows[i].rel, O_RDONLY);

		if (fd >= 0)
			close(fd);
		fd = open_walk(root, rows[i].rel, O_PATH);
		if (fd >= 0)
			close(fd);
	}
	after = dup(0);
	ck_assert_int_eq(after, before);
	close(after);
}
END_TEST

START_TEST(no_root)
{
	char path[128];

	ck_assert_int_eq(open_root("/nonexistent"), -1);
	ck_assert_int_eq(errno, ENOENT);
	snprintf(path, sizeof(path), "%s/root/file", dir);
	ck_assert_int_eq(open_root(path), -1);
	ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("open");
	TCase *tc = tcase_create("open");
	SRunner *runner = srunner_create(s);
	int run, failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, below, 0, ROWS(rows));
	tcase_add_loop_test(tc, walk, 0, ROWS(rows));
	tcase_add_loop_test(tc, without_openat2, 0, 2);
	tcase_add_test(tc, walk_inner_climb);
	tcase_add_loop_test(tc, other_kinds, 0, 2);
	tcase_add_test(tc, look);
	tcase_add_test(tc, no_leak);
	tcase_add_test(tc, no_root);
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return run == 0 || failed > 0;
}
