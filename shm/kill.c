/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See kill.h. Checks only; who sends, receives and ends is in shm/ctl_kill.c and worker/ending.c.
 */
#include "shm/kill.h"

#include <stdio.h>

size_t kill_request_bytes(uint32_t count)
{
	return offsetof(struct kill_request, item) + count * sizeof(struct kill_item);
}

size_t kill_answer_bytes(uint32_t count)
{
	return offsetof(struct kill_answer, result) + count;
}

/* The four words that both begin with. */
static const char *check_head(uint32_t magic, uint32_t version, uint32_t count)
{
	if (magic != KILL_MAGIC)
		return "of another kind";
	if (version != KILL_VERSION)
		return "of another version";
	if (count == 0 || count > KILL_BATCH)
		return "of no or too many connections";
	return NULL;
}

const char *kill_check_request(const struct kill_request *q, size_t bytes, uint32_t worker)
{
	const char *why;

	if (bytes < offsetof(struct kill_request, item))
		return "too short";
	why = check_head(q->magic, q->version, q->count);
	if (why != NULL)
		return why;
	if (bytes != kill_request_bytes(q->count))
		return "of another length than it says";
	return q->worker != worker ? "for another worker" : NULL;
}

const char *kill_check_answer(const struct kill_answer *a, size_t bytes)
{
	uint32_t ended = 0;
	const char *why;

	if (bytes < offsetof(struct kill_answer, result))
		return "too short";
	why = check_head(a->magic, a->version, a->count);
	if (why != NULL)
		return why;
	if (bytes != kill_answer_bytes(a->count))
		return "of another length than it says";
	for (uint32_t i = 0; i < a->count; i++) {
		if (a->result[i] < KILL_ENDED || a->result[i] >= KILL_RESULTS)
			return "with a result that is none";
		ended += a->result[i] == KILL_ENDED;
	}
	return ended != a->ended ? "with a wrong sum" : NULL;
}

void kill_socket_name(char out[48], uint32_t slot, uint32_t half)
{
	snprintf(out, 48, "ctl.%u.%u", slot, half);
}

socklen_t kill_address(struct sockaddr_un *un, int rundir_fd, uint32_t slot, uint32_t half)
{
	char name[48];

	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	kill_socket_name(name, slot, half);
	snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/%s", rundir_fd, name);
	return sizeof(*un);
}
