/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path safety below a root. The kernel does the work (openat2 with RESOLVE_BENEATH); where it
 * cannot, a walk from component to component does the same with O_NOFOLLOW: a symbolic link is
 * never followed by the kernel, its target is put in its place in the path, and the walk begins
 * again at the root. So whatever somebody moves or links meanwhile, each step is one below a
 * directory that was reached from the root by names alone.
 */
#include "worker/http/open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	LINKS_MAX = 40, /* as the kernel's own limit */
	RACES_MAX = 8
};

int open_root(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* openat2 refuses flags that O_PATH would ignore. */
static int all_flags(int flags)
{
	return flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY);
}

int open_below(int root, const char *rel, int flags)
{
	static bool no_openat2;
	struct open_how how = {.flags = (unsigned)all_flags(flags),
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int fd = -1;

	if (*rel == '\0')
		rel = ".";
	if (no_openat2)
		return open_walk(root, rel, flags);
	/* EAGAIN: something was renamed while ".." in a link was looked up. */
	for (int i = 0; i < RACES_MAX; i++) {
		fd = (int)syscall(SYS_openat2, root, rel, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	/* EPERM: how older seccomp filters of containers say that they do not know the call. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		no_openat2 = true;
		return open_walk(root, rel, flags);
	}
	return fd;
}

int open_stat(int root, const char *rel, struct stat *st_out)
{
	int fd = open_below(root, rel, O_PATH), saved;

	if (fd < 0)
		return -1;
	if (fstat(fd, st_out) == 0)
		return close(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* A path on its way: what is before at has been walked, and holds no link. */
struct walk {
	char path[PATH_MAX];
	size_t at;
};

static int refuse(int error)
{
	errno = error;
	return -1;
}

/* Puts target between path[0 .. keep) and rest, which is a piece of the path, or empty. */
static int walk_splice(struct walk *w, size_t keep, const char *target, const char *rest)
{
	size_t target_len = strlen(target), rest_len = strlen(rest);

	if (keep + target_len + rest_len >= sizeof(w->path))
		return refuse(ENAMETOOLONG);
	memmove(w->path + keep + target_len, rest, rest_len + 1);
	memcpy(w->path + keep, target, target_len);
	return 0;
}

/* Takes the last name off path[0 .. *keep). False: there is none. */
static bool walk_pop(const struct walk *w, size_t *keep)
{
	size_t end;

	do {
		if (*keep == 0)
			return false;
		end = --*keep;
		while (*keep > 0 && w->path[*keep - 1] != '/')
			--*keep;
	} while (end == *keep || (end == *keep + 1 && w->path[*keep] == '.'));
	return true;
}

/*
 * Puts the target of the link at w->at, name_len bytes, in its place. Leading ".." are taken back
 * by name, for what they stand on is known to be no link; any further on are refused when the walk
 * comes to them.
 */
static int walk_link(struct walk *w, int dir, size_t name_len)
{
	char target[PATH_MAX], name[NAME_MAX + 1];
	const char *from = target;
	size_t keep = w->at;
	ssize_t len;

	memcpy(name, w->path + w->at, name_len);
	name[name_len] = '\0';
	len = readlinkat(dir, name, target, sizeof(target) - 1);
	if (len < 0)
		return -1;
	target[len] = '\0';
	if (*target == '/')
		return refuse(EXDEV);
	while (strncmp(from, "../", 3) == 0 || strcmp(from, "..") == 0) {
		if (!walk_pop(w, &keep))
			return refuse(EXDEV);
		from += from[2] == '/' ? 3 : 2;
	}
	return walk_splice(w, keep, *from != '\0' ? from : ".", w->path + w->at + name_len);
}

/* Opens the next name below dir. Returns its descriptor, or -1. *last_out: it was the last. */
static int walk_name(struct walk *w, int dir, int flags, size_t *len_out, bool *last_out)
{
	char name[NAME_MAX + 1];
	size_t len = strcspn(w->path + w->at, "/"), after;
	bool slash;

	if (len > NAME_MAX)
		return refuse(ENAMETOOLONG);
	memcpy(name, w->path + w->at, len);
	name[len] = '\0';
	if (strcmp(name, "..") == 0)
		return refuse(EXDEV);
	after = w->at + len;
	slash = w->path[after] == '/';
	after += strspn(w->path + after, "/");
	*last_out = w->path[after] == '\0';
	*len_out = len;
	if (!*last_out)
		flags = O_PATH | O_CLOEXEC;
	else if (slash)
		flags |= O_DIRECTORY;
	return openat(dir, len > 0 ? name : ".", flags | O_NOFOLLOW);
}

static bool is_link(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* One way from the root. Returns a descriptor, -1 with errno, or -2 if a link was put into the
 * path and the walk has to begin again. */
static int walk_once(struct walk *w, int root, int flags)
{
	int dir = root, fd, saved;
	bool last = false;
	size_t len = 0;

	for (w->at = 0;; w->at += len, w->at += strspn(w->path + w->at, "/")) {
		fd = walk_name(w, dir, all_flags(flags), &len, &last);
		saved = errno;
		/* O_NOFOLLOW: a link fails with ELOOP, or ENOTDIR with O_DIRECTORY; by O_PATH it
		 * is opened itself. readlinkat tells EINVAL where it was none. */
		if (fd >= 0 ? is_link(fd) : saved == ELOOP || saved == ENOTDIR) {
			int rc = walk_link(w, dir, len);

			if (rc == 0)
				saved = 0;
			else if (fd >= 0 || errno != EINVAL)
				saved = errno;
			if (fd >= 0)
				close(fd);
			fd = rc == 0 ? -2 : -1;
		}
		if (dir != root)
			close(dir);
		errno = saved;
		if (fd < 0 || last)
			return fd;
		dir = fd;
	}
}

int open_walk(int root, const char *rel, int flags)
{
	struct walk w;
	int fd;

	if (strlen(rel) >= sizeof(w.path))
		return refuse(ENAMETOOLONG);
	strcpy(w.path, rel);
	for (int i = 0; i <= LINKS_MAX; i++) {
		fd = walk_once(&w, root, flags);
		if (fd != -2)
			return fd;
	}
	return refuse(ELOOP);
}
