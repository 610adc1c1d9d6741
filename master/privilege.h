/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker gives up before it serves.
 */
#ifndef DROVER_MASTER_PRIVILEGE_H
#define DROVER_MASTER_PRIVILEGE_H

#include <stddef.h>

struct settings;

/*
 * Becomes the user and group of the settings (if started by root and a user is set), drops all
 * capabilities unless the worker stays root, and can never gain any again (no_new_privs). One that
 * changed its user is not dumpable: its memory holds users' bytes, and other processes of that user
 * shall not read them. Returns 0, or -1 with the sentence in error.
 */
int privilege_drop(const struct settings *s, char *error, size_t size);

#endif
