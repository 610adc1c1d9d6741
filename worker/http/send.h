/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing a response: the plan of a reply goes to the socket as far as it will go at once; the rest
 * becomes part of the connection's flat record and goes on when the socket is writable. Knows
 * nothing of requests.
 */
#ifndef DROVER_WORKER_HTTP_SEND_H
#define DROVER_WORKER_HTTP_SEND_H

#include "worker/conn.h"
#include "worker/http/reply.h"

enum send_result {
	SEND_DONE,    /* all of it is with the kernel */
	SEND_BLOCKED, /* the record holds what is left; wait for EPOLLOUT */
	SEND_PAUSED,  /* the turn's share is used up: go on in the next turn */
	SEND_LOST,    /* the client is gone */
	SEND_FAILED,  /* the file or a buffer failed: what was sent is not whole */
};

/* What stands in the Connection field. */
enum send_connection {
	SEND_KEEP_SILENT,
	SEND_KEEP_SAID,
	SEND_CLOSE
};

/*
 * Begins the response r. extra: so many bytes of further fields, each with its CRLF. SEND_BLOCKED
 * and SEND_PAUSED: the record has all that is needed to go on.
 */
enum send_result send_begin(struct conns *cs, uint32_t i, const struct reply *r,
			    enum send_connection connection, const char *extra, size_t extra_len);

/* Goes on with what the record holds. */
enum send_result send_more(struct conns *cs, uint32_t i);

/* More of a response whose body comes in pieces: all at once or the rest is kept. Nothing may be
 * kept from before. total <= buf_most. */
enum send_result send_pieces(struct conns *cs, uint32_t i, struct iovec *iov, size_t count);

/* Gives back buffers and the file when a response is over. */
void send_end(struct conns *cs, uint32_t i);

/* Bytes of the connection that have left this machine's send queue (SIOCOUTQ). Not of the response:
 * what lies in the queue may be of earlier ones. */
uint64_t send_acked(const struct conns *cs, uint32_t i);

/* 100 Continue. SEND_DONE, SEND_BLOCKED (nothing of it was written: wait for EPOLLOUT) or
 * SEND_LOST. */
enum send_result send_continue(struct conns *cs, uint32_t i);

#endif
