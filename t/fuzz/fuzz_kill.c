/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes shm/kill.c with datagrams, as anything may write them to a worker's socket or to
 * droverctl's: nothing is read beyond their end, and what passes is whole.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shm/kill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = malloc(size ? size : 1);
	const struct kill_request *q = copy;
	const struct kill_answer *a = copy;

	assert(copy);
	memcpy(copy, data, size);
	if (kill_check_request(q, size, 1) == NULL) {
		assert(q->count >= 1 && q->count <= KILL_BATCH && q->worker == 1);
		assert(size == kill_request_bytes(q->count) && size <= sizeof(*q));
	}
	if (kill_check_answer(a, size) == NULL) {
		assert(a->count >= 1 && a->count <= KILL_BATCH && a->ended <= a->count);
		assert(size == kill_answer_bytes(a->count) && size <= sizeof(*a));
		for (uint32_t i = 0; i < a->count; i++)
			assert(a->result[i] >= KILL_ENDED && a->result[i] < KILL_RESULTS);
	}
	free(copy);
	return 0;
}
