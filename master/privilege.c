/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives privileges up, in the one order that works: the bounding set while still root, groups,
 * group, user, then whatever capabilities a service manager had granted; and looks whether they are
 * gone. Called by birth.c in the child.
 */
#include "master/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/settings.h"

static int __attribute__((format(printf, 3, 4)))
fail(char *error, size_t size, const char *fmt, ...)
{
	char what[160];
	va_list ap;
	int e = errno;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(error, size, "cannot drop privileges: %s: %s", what, strerror(e));
	return -1;
}

/* Ends at the first capability that the kernel does not know. */
static void drop_bounding_set(void)
{
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno == EINVAL)
			break;
}

static int drop_capabilities(char *error, size_t size)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* EINVAL before Linux 4.3 */
	if (syscall(SYS_capset, &head, data))
		return fail(error, size, "capset");
	memset(data, 0xff, sizeof(data));
	if (syscall(SYS_capget, &head, data))
		return fail(error, size, "capget");
	if (data[0].effective | data[1].effective | data[0].permitted | data[1].permitted) {
		errno = EPERM;
		return fail(error, size, "capabilities are still there");
	}
	return 0;
}

static int change_user(const struct settings *s, char *error, size_t size)
{
	uid_t r, e, saved;

	drop_bounding_set();
	if (s->user ? initgroups(s->user, s->gid) : setgroups(0, NULL))
		return fail(error, size, "groups of user %s", s->user ? s->user : "(none)");
	if (setresgid(s->gid, s->gid, s->gid))
		return fail(error, size, "group %ld", (long)s->gid);
	if (setresuid(s->uid, s->uid, s->uid))
		return fail(error, size, "user %ld", (long)s->uid);
	if (getresuid(&r, &e, &saved) || r != s->uid || e != s->uid || saved != s->uid) {
		errno = EPERM;
		return fail(error, size, "user %ld did not last", (long)s->uid);
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

int privilege_drop(const struct settings *s, char *error, size_t size)
{
	if (geteuid() == 0 && s->user && s->uid != 0 && change_user(s, error, size))
		return -1;
	if (geteuid() != 0 && drop_capabilities(error, size))
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(error, size, "no_new_privs");
	return 0;
}
