/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving end of a handover: see handover.h. Called between the events of a turn, when every
 * record is a plain record.
 */
#include "worker/handover_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The message being read. */
static struct {
	size_t len;
	struct fdpass with;
	char bytes[MOVED_MESSAGE];
} arrived;

/* What recvmsg() says; 0 as well for a message that is too long. */
static ssize_t receive(int fd)
{
	ssize_t n;

	do
		n = fdpass_receive(fd, arrived.bytes, sizeof arrived.bytes, &arrived.with);
	while (handover_again(n));
	arrived.len = n > 0 ? (size_t)n : 0;
	return arrived.with.truncated ? 0 : n;
}

/* Is it one with connections? */
static bool read_header(struct moved_header *h)
{
	if (arrived.len < sizeof *h)
		return false;
	memcpy(h, arrived.bytes, sizeof *h);
	return h->magic == MOVED_MAGIC && h->version == MOVED_VERSION && h->kind == MOVED_CONNS &&
	       h->count <= MOVED_BATCH;
}

/*
 * Opens what the message holds. Where descriptors were cut off (none was left in this process) the
 * rest is refused: its sender still has them.
 */
static void open_records(struct conns *cs, uint32_t count, char *verdict, uint32_t *taken,
			 uint32_t *taken_count)
{
	size_t off = sizeof(struct moved_header);
	int fd = 0;

	for (uint32_t k = 0; k < count; k++) {
		static struct moved_record r;
		int want = moved_descriptors(arrived.bytes, arrived.len, off);
		uint32_t i;

		if (want < 0 || fd + want > arrived.with.count)
			break;
		if (moved_read(arrived.bytes, arrived.len, &off, &r) == 1) {
			i = handover_adopt(cs, &r, &arrived.with.fds[fd]);
			if (i != CONN_NONE) {
				verdict[k] = 1;
				taken[(*taken_count)++] = i;
			}
		} else {
			for (int n = 0; n < want; n++)
				close(arrived.with.fds[fd + n]);
		}
		fd += want;
	}
	fdpass_close(&arrived.with, fd);
}

/* The acknowledgement is in the channel: idle connections to peers are served at once, clients'
 * are left in taken[]. */
static uint32_t begin_to_serve(struct conns *cs, uint32_t *taken, uint32_t count)
{
	uint32_t clients = 0;

	for (uint32_t k = 0; k < count; k++) {
		if (handover_is_idle_up(taken[k])) {
			up_settle_in(cs->ups, handover_idle_up(taken[k]));
		} else {
			conn_at(cs, taken[k])->flags &= (uint16_t)~CONN_ARRIVING;
			taken[clients++] = taken[k];
		}
	}
	return clients;
}

int handover_receive(int fd, struct conns *cs, uint32_t taken[MOVED_BATCH], uint32_t *count)
{
	char answer[sizeof(struct moved_header) + MOVED_BATCH] = {0};
	struct moved_header h;
	ssize_t n = receive(fd);

	*count = 0;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0 || !read_header(&h)) {
		fdpass_close(&arrived.with, 0);
		return -1;
	}
	open_records(cs, h.count, answer + sizeof h, taken, count);
	h.kind = MOVED_ACK;
	memcpy(answer, &h, sizeof h);
	/* A sender that is gone has left to us what it sent. */
	if (fdpass_send(fd, answer, sizeof h + h.count, NULL, 0, MSG_DONTWAIT) >= 0 ||
	    handover_is_gone(errno)) {
		*count = begin_to_serve(cs, taken, *count);
		return 1;
	}
	/* The sender still counts them as its own. */
	for (; *count > 0; (*count)--)
		handover_leaves(cs, taken[*count - 1]);
	return -1;
}
