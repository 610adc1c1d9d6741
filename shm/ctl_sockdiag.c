/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the kernel for sockets: one dump for each family, restarted if the kernel says that its
 * tables changed in the middle. Called by droverctl doctor alone. linux/inet_diag.h describes the
 * messages; sockets are filtered by the byte code that the kernel runs for `ss` as well.
 */
#include "shm/ctl_sockdiag.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "shm/diagnose.h"

enum {
	TRIES = 4,
	PATIENCE_S = 5,      /* for the kernel to answer */
	FILTERED_MOST = 256, /* endpoints; of more, all sockets are looked at here */
	TIMER_PROBE = 4,     /* idiag_timer: the peer's window is closed */
	DROPS = SK_MEMINFO_DROPS,
	ANSWER_BYTES = 32768 /* what the kernel fills at a time */
};

/* One endpoint's part of the byte code. */
struct condition {
	struct inet_diag_bc_op op;
	struct inet_diag_hostcond host;
	uint8_t addr[16];
	struct inet_diag_bc_op jump; /* over those of the other endpoints; in all but the last */
};

static_assert(sizeof(struct condition) == 4 + 8 + 16 + 4, "no padding in what the kernel runs");

enum {
	CONDITION = offsetof(struct condition, jump),
	STEP = sizeof(struct condition)
};

static void fill_host(const struct sockdiag_endpoint *e, struct condition *c)
{
	c->host.port = e->port;
	c->host.family = e->v4 ? AF_INET : e->any ? AF_UNSPEC : AF_INET6;
	c->host.prefix_len = e->any ? 0 : e->v4 ? 32 : 128;
	memcpy(c->addr, e->v4 ? e->addr + 12 : e->addr, e->v4 ? 4 : 16);
}

/* "the first, or the second, or ...": a condition that holds goes on to a jump behind the last;
 * past the end means no. Returns malloc'ed code. */
static struct condition *compile(const struct sockdiag_query *q, size_t *bytes_out)
{
	struct condition *code = calloc(q->count, sizeof(*code));

	*bytes_out = q->count * STEP - sizeof(code->jump);
	for (size_t i = 0; code != NULL && i < q->count; i++) {
		size_t left = *bytes_out - i * STEP;

		code[i].op.code = q->side == SOCKDIAG_LOCAL ? INET_DIAG_BC_S_COND
							    : INET_DIAG_BC_D_COND;
		code[i].op.yes = CONDITION;
		code[i].op.no = STEP; /* the next one; behind the last, that is past the end */
		fill_host(&q->endpoints[i], &code[i]);
		if (i + 1 == q->count)
			break;
		code[i].jump.code = INET_DIAG_BC_JMP;
		code[i].jump.yes = sizeof(code->jump);
		code[i].jump.no = (uint16_t)(left - CONDITION);
	}
	return code;
}

static void take_address(uint8_t out[16], unsigned family, const uint32_t from[4])
{
	memset(out, 0, 16);
	if (family == AF_INET6) {
		memcpy(out, from, 16);
		return;
	}
	out[10] = out[11] = 0xff;
	memcpy(out + 12, from, 4);
}

/* Kernels of any age: what is behind the end of their structure reads as zero. */
static void take_info(struct sockdiag_socket *s, const struct nlattr *a)
{
	struct tcp_info info = {0};
	size_t n = mnl_attr_get_payload_len(a);

	memcpy(&info, mnl_attr_get_payload(a), n < sizeof(info) ? n : sizeof(info));
	s->has_info = true;
	s->tries = info.tcpi_retransmits;
	s->segments = info.tcpi_data_segs_out;
	s->retrans = info.tcpi_total_retrans;
	s->quiet_ms = info.tcpi_last_data_sent;
}

static void take_attributes(const struct nlmsghdr *h, struct sockdiag_socket *s)
{
	struct nlattr *a;
	uint32_t drops;

	mnl_attr_for_each(a, h, sizeof(struct inet_diag_msg))
	{
		if (mnl_attr_get_type(a) == INET_DIAG_INFO) {
			take_info(s, a);
		} else if (mnl_attr_get_type(a) == INET_DIAG_SKMEMINFO &&
			   mnl_attr_get_payload_len(a) >= (DROPS + 1) * sizeof(drops)) {
			memcpy(&drops,
			       (const char *)mnl_attr_get_payload(a) + DROPS * sizeof(drops),
			       sizeof(drops));
			s->drops = drops;
			s->has_drops = true;
		}
	}
}

static int each_message(const struct nlmsghdr *h, void *arg)
{
	const struct sockdiag_query *q = arg;
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct sockdiag_socket s = {0};
	bool local = q->side == SOCKDIAG_LOCAL;
	size_t i;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	s.state = m->idiag_state < TCPS_COUNT ? m->idiag_state : 0;
	take_address(s.local, m->idiag_family, m->id.idiag_src);
	take_address(s.peer, m->idiag_family, m->id.idiag_dst);
	s.local_port = ntohs(m->id.idiag_sport);
	s.peer_port = ntohs(m->id.idiag_dport);
	s.inode = m->idiag_inode;
	s.rqueue = m->idiag_rqueue;
	s.wqueue = m->idiag_wqueue;
	s.probing = m->idiag_timer == TIMER_PROBE;
	take_attributes(h, &s);
	i = local ? sockdiag_find(q->endpoints, q->count, s.local, s.local_port)
		  : sockdiag_find(q->endpoints, q->count, s.peer, s.peer_port);
	if (i < q->count)
		q->each(&s, i, q->arg);
	return MNL_CB_OK;
}

static int send_request(struct mnl_socket *nl, const struct sockdiag_query *q, int family,
			unsigned seq)
{
	size_t bytes = 0, room = MNL_SOCKET_BUFFER_SIZE + FILTERED_MOST * STEP;
	struct condition *code = NULL;
	struct inet_diag_req_v2 *r;
	struct nlmsghdr *h;
	int status = -1;
	char *buffer = calloc(1, room);

	if (buffer == NULL)
		return -1;
	if (q->count <= FILTERED_MOST) {
		code = compile(q, &bytes);
		if (code == NULL)
			goto out;
	}
	h = mnl_nlmsg_put_header(buffer);
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = seq;
	r = mnl_nlmsg_put_extra_header(h, sizeof(*r));
	r->sdiag_family = (uint8_t)family;
	r->sdiag_protocol = IPPROTO_TCP;
	r->idiag_states = q->states;
	if (q->info)
		r->idiag_ext |= 1 << (INET_DIAG_INFO - 1);
	if (q->drops)
		r->idiag_ext |= 1 << (INET_DIAG_SKMEMINFO - 1);
	if (code != NULL)
		mnl_attr_put(h, INET_DIAG_REQ_BYTECODE, bytes, code);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) >= 0)
		status = 0;
out:
	free(code);
	free(buffer);
	return status;
}

/* Reads answers to the end. EINTR: the kernel says that its tables changed (NLM_F_DUMP_INTR). */
static int receive(struct mnl_socket *nl, const struct sockdiag_query *q, unsigned seq)
{
	static char buffer[ANSWER_BYTES];
	struct sockdiag_query copy = *q;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
		int more;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		more = mnl_cb_run(buffer, (size_t)n, seq, mnl_socket_get_portid(nl), each_message,
				  &copy);
		if (more < 0)
			return -1;
		if (more == MNL_CB_STOP)
			return 0;
	}
}

static int dump_family(const struct sockdiag_query *q, int family, unsigned seq)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int status = -1, error;

	if (nl == NULL)
		return -1;
	(void)setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    send_request(nl, q, family, seq) == 0)
		status = receive(nl, q, seq);
	error = errno;
	mnl_socket_close(nl);
	errno = error;
	return status;
}

/* ENOENT for IPv6 is a kernel without it. */
static int dump_both(const struct sockdiag_query *q, unsigned seq)
{
	if (q->begin != NULL)
		q->begin(q->arg);
	if (dump_family(q, AF_INET, seq) != 0)
		return -1;
	if (dump_family(q, AF_INET6, seq + 1) != 0 && errno != ENOENT && errno != EAFNOSUPPORT)
		return -1;
	return 0;
}

int sockdiag_dump(const struct sockdiag_query *q, char *why, size_t why_bytes)
{
	int status = -1;

	if (q->count == 0) {
		if (q->begin != NULL)
			q->begin(q->arg);
		return 0;
	}
	for (unsigned i = 0; status != 0 && i < TRIES; i++) {
		status = dump_both(q, 1 + 2 * i);
		if (status != 0 && errno != EINTR && errno != ENOBUFS)
			break;
	}
	if (status != 0 && errno == ENOENT)
		snprintf(why, why_bytes,
			 "the kernel does not tell of sockets: no tcp_diag (modprobe tcp_diag)");
	else if (status != 0)
		snprintf(why, why_bytes, "the kernel does not tell of sockets (sock_diag): %s",
			 strerror(errno));
	return status;
}
