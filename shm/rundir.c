/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The default run directory. Master and droverctl both ask here, so that they cannot disagree.
 */
#include "shm/rundir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A relative folder would be another one for each caller. */
static const char *absolute_env(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] == '/' ? value : NULL;
}

int rundir_default(char *out, size_t size)
{
	const char *own = getenv("DROVER_RUN_DIR");
	const char *xdg = absolute_env("XDG_RUNTIME_DIR");
	int n;

	if (own != NULL && own[0] != '\0')
		n = snprintf(out, size, "%s", own);
	else if (geteuid() == 0)
		n = snprintf(out, size, "/run/drover");
	else if (xdg != NULL)
		n = snprintf(out, size, "%s/drover", xdg);
	else
		n = snprintf(out, size, "/tmp/drover-%u", (unsigned)geteuid());
	if (n < 0 || (size_t)n >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
