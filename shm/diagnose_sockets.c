/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks on what the kernel says of connections: who does not close, who closes first, who is not
 * accepted, who does not read, and whether local ports run out.
 */
#include <inttypes.h>

#include "shm/diagnose.h"
#include "shm/print.h"

#define U64 "%" PRIu64

enum {
	MANY_STAYED = 16,
	TIME_WAIT_MANY = 500,
	TIME_WAIT_OFTEN = 10, /* per cent of requests that end their connection */
	QUEUE_NEAR_PERCENT = 80,
	RETRANS_LEAST = 20,
	SEGMENTS_LEAST = 1000,
	RETRANS_NOTICE = 1, /* per cent of segments */
	RETRANS_WARNING = 5,
	STUCK_MANY = 16,
	SHUT_MANY = 16,
	PORTS_NOTICE = 60,
	PORTS_WARNING = 80,
	PORTS_CRITICAL = 95
};

static uint64_t percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (uint64_t)((double)part * 100 / (double)whole);
}

/* True if sockets were looked at; else that is the finding. */
static bool seen(const struct facts *f, struct diagnosis *d)
{
	if (f->sockets.unknown[0] == '\0')
		return true;
	diagnose_add(d, DIAGNOSE_UNSEEN);
	diagnose_seen(d, "%s", f->sockets.unknown);
	return false;
}

/* Whose connections stay in CLOSE_WAIT. */
struct sluggards {
	uint64_t queued, hung, lost, served, unknown;
	struct diagnose_list hung_list, lost_list, served_list;
};

static struct sluggards find_sluggards(const struct facts *f)
{
	struct sluggards s = {.queued = f->sockets.stayed_queued};
	uint64_t known;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];
		uint64_t recorded = w->close_wait - w->close_wait_lost;

		if (w->close_wait_lost > 0)
			diagnose_list(&s.lost_list, "slot %u (process " U64 ") " U64, w->slot,
				      w->pid, w->close_wait_lost);
		s.lost += w->close_wait_lost;
		if (recorded == 0)
			continue;
		if (w->life == VIEW_HUNG || w->task == 'T' || w->task == 't') {
			s.hung += recorded;
			diagnose_list(&s.hung_list, "slot %u (process " U64 "%s) " U64, w->slot,
				      w->pid, w->task == 'T' || w->task == 't' ? ", stopped" : "",
				      recorded);
		} else {
			s.served += recorded;
			diagnose_list(&s.served_list, "slot %u (process " U64 ") " U64, w->slot,
				      w->pid, recorded);
		}
	}
	known = s.queued + s.hung + s.lost + s.served;
	s.unknown = f->sockets.stayed > known ? f->sockets.stayed - known : 0;
	return s;
}

static void name_sluggards(const struct facts *f, struct diagnosis *d, struct sluggards *s)
{
	const char *mark = " Who does not close:";

	if (s->hung > 0) {
		diagnose_seen(d, "%s workers that stand still, %s", mark,
			      diagnose_list_end(&s->hung_list));
		mark = ";";
	}
	if (s->queued > 0) {
		diagnose_seen(d, "%s nobody yet, " U64 " wait in the accept queue", mark,
			      s->queued);
		mark = ";";
	}
	if (s->lost > 0) {
		diagnose_seen(d, "%s nobody ever, no record claims them: %s", mark,
			      diagnose_list_end(&s->lost_list));
		mark = ";";
	}
	if (s->served > 0) {
		diagnose_seen(d, "%s workers that still serve them, %s", mark,
			      diagnose_list_end(&s->served_list));
		mark = ";";
	}
	if (s->unknown > 0)
		diagnose_seen(d, "%s the owner of " U64 " was not seen%s%s", mark, s->unknown,
			      f->proc_unknown[0] != '\0' ? ": " : "", f->proc_unknown);
	diagnose_seen(d, ".");
}

static void cure_sluggards(struct diagnosis *d, const struct sluggards *s)
{
	diagnose_means(d, "Their clients have closed, our side has not. ");
	if (s->hung > 0) {
		diagnose_means(d, "A worker whose loop does not turn closes nothing. ");
		diagnose_cure(d, "See what holds the worker up: stopped (kill -CONT), a disk, a "
				 "debugger. After the time hang the master replaces it. ");
	}
	if (s->queued > 0) {
		diagnose_means(d, "Clients gave up before they were accepted. ");
		diagnose_cure(d, "Accepting is too slow or has stopped: see accept_queue, "
				 "connections and descriptors. ");
	}
	if (s->lost > 0) {
		diagnose_means(d, "Without a record nobody will ever close them: a leak. ");
		diagnose_cure(d, "droverctl reload frees them; please report it. ");
	}
	if (s->served > 0) {
		diagnose_means(d, "A client may close its half and still read; or the answer takes "
				  "longer than the client waited. ");
		diagnose_cure(d, "droverctl conns -s age shows what takes so long; the deadlines "
				 "request and send bound it. ");
	}
	if (s->unknown > 0)
		diagnose_cure(d, "Run this as root, so that /proc/PID/fd tells whose they are.");
}

void diagnose_close_wait(const struct facts *f, struct diagnosis *d)
{
	const struct facts_sockets *k = &f->sockets;
	uint64_t now = k->now[TCPS_CLOSE_WAIT], before = k->before[TCPS_CLOSE_WAIT];
	struct sluggards s;
	bool grows;

	if (!seen(f, d))
		return;
	if (k->stayed == 0) {
		diagnose_add(d, DIAGNOSE_FINE);
		diagnose_seen(d, "No connection stays in CLOSE_WAIT (" U64 " now).", now);
		return;
	}
	s = find_sluggards(f);
	grows = now > before && k->stayed >= MANY_STAYED;
	diagnose_add(d,
		     s.hung + s.queued + s.lost > 0 || grows ? DIAGNOSE_WARNING : DIAGNOSE_NOTICE);
	diagnose_seen(d,
		      U64 " connections are in CLOSE_WAIT, " U64 " were %.1f s ago, " U64
			  " of them the same.",
		      now, before, f->interval_s, k->stayed);
	name_sluggards(f, d, &s);
	cure_sluggards(d, &s);
}

/* Closed by drover, for each reason where it closes first. */
static const struct {
	enum close_reason reason;
	const char *what, *cure;
} first_closers[] = {
    {CLOSE_NO_KEEPALIVE, "the requests asked for it (Connection: close, or HTTP/1.0)",
     "Let the clients keep connections: a proxy in front needs HTTP/1.1 and keep-alive towards "
     "its upstream."},
    {CLOSE_REQUEST_LIMIT, "keepalive.requests was reached",
     "Raise keepalive { requests } (0 = no limit)."},
    {CLOSE_MAX_AGE, "max_age was reached", "Raise max_age."},
    {CLOSE_EXPIRED, "a deadline passed",
     "droverctl stat 'expired_*' says which: a longer idle deadline lets clients come back on the "
     "same connection."},
    {CLOSE_REFUSED, "requests were refused as malformed or too large",
     "droverctl stat 'refused_*' says why, the access log whose they were."},
    {CLOSE_DRAIN, "workers were drained", "Nothing, if you have just stopped or reloaded."},
    {CLOSE_NO_ROOM, "no record, buffer or descriptor was left",
     "See connections, descriptors and memory."},
};

/* What was counted between the looks if that says anything, else since the start. */
static uint64_t count_of(const struct facts_counter *c, bool since)
{
	return since ? c->since : c->total;
}

void diagnose_time_wait(const struct facts *f, struct diagnosis *d)
{
	const size_t reasons = sizeof(first_closers) / sizeof(first_closers[0]);
	uint64_t now = f->sockets.now[TCPS_TIME_WAIT], closed = 0, most = 0, buckets;
	bool since = f->requests.since >= 100, often;
	size_t top = 0;

	if (!seen(f, d))
		return;
	for (size_t i = 0; i < reasons; i++) {
		uint64_t n = count_of(&f->closes[first_closers[i].reason], since);

		closed += n;
		if (n > most) {
			most = n;
			top = i;
		}
	}
	buckets = f->system.tw_buckets;
	often = closed * 100 >= count_of(&f->requests, since) * TIME_WAIT_OFTEN;
	if (now < TIME_WAIT_MANY || (!often && percent(now, buckets) < QUEUE_NEAR_PERCENT)) {
		diagnose_add(d, DIAGNOSE_FINE);
		diagnose_seen(d, U64 " connections are in TIME_WAIT.", now);
		return;
	}
	diagnose_add(d, buckets != FACTS_UNKNOWN && percent(now, buckets) >= QUEUE_NEAR_PERCENT
			    ? DIAGNOSE_WARNING
			    : DIAGNOSE_NOTICE);
	diagnose_seen(d, U64 " connections are in TIME_WAIT beside " U64 " established.", now,
		      f->sockets.now[TCPS_ESTABLISHED]);
	if (buckets != FACTS_UNKNOWN)
		diagnose_seen(d, " The kernel keeps " U64 " at most (net.ipv4.tcp_max_tw_buckets).",
			      buckets);
	diagnose_means(d, "Who closes first waits: here it is drover. ");
	if (most > 0) {
		diagnose_seen(d,
			      " drover closed first " U64 " times%s, " U64 " of them because "
			      "%s.",
			      closed, since ? " between the looks" : " since its start", most,
			      first_closers[top].what);
		diagnose_cure(d, "%s", first_closers[top].cure);
	} else {
		diagnose_cure(d, "Let clients keep their connections: keep-alive on both sides.");
	}
	diagnose_means(d, "Each costs some memory for a minute and nothing else on this side; but "
			  "as many connections are made anew, each with a handshake.");
}

static const char *accept_cause(const struct facts *f, const char **cure_out)
{
	size_t live = 0, still = 0;

	for (size_t i = 0; i < f->workers_count; i++) {
		const struct facts_worker *w = &f->workers[i];

		if (!view_life_lives(w->life) || w->draining)
			continue;
		live++;
		still += w->life == VIEW_HUNG || w->task == 'T' || w->task == 't';
	}
	if (live > 0 && still == live) {
		*cure_out = "See what holds the workers up: stopped (kill -CONT), a disk, a "
			    "debugger; the check workers names them.";
		return "Nobody accepts: all workers stand still.";
	}
	if (live == 0) {
		*cure_out = "Start the daemon, or see why its workers die: the error log.";
		return "Nobody accepts: no worker lives.";
	}
	if (f->no_records.since > 0) {
		*cure_out = "Raise worker_connections, or shorten the idle deadline.";
		return "Workers accept nothing: worker_connections is reached.";
	}
	if (f->no_fds.since > 0) {
		*cure_out = "Raise the limit of descriptors (LimitNOFILE).";
		return "Workers accept nothing: no descriptor is left.";
	}
	if (f->pauses.since > 0) {
		*cure_out = "The error log says what was short.";
		return "Workers pause accepting.";
	}
	*cure_out = "Look at loop_lag, add workers or processors; if it comes in bursts, raise "
		    "backlog and net.core.somaxconn.";
	return "Connections come faster than workers accept them.";
}

static void queue_found(const struct facts *f, struct diagnosis *d,
			const struct facts_listener *worst, struct diagnose_list *near,
			struct diagnose_list *dropped)
{
	const char *cure;

	if (near->count > 0)
		diagnose_seen(d, "Connections wait to be accepted: %s.", diagnose_list_end(near));
	if (dropped->count > 0)
		diagnose_seen(d, "%sThe kernel turned away, in %.1f s: %s.",
			      near->count > 0 ? " " : "", f->interval_s,
			      diagnose_list_end(dropped));
	diagnose_means(d,
		       "%s What does not fit into the queue (%s: " U64 ") is dropped: clients "
		       "try again after 1, 3, 7 seconds.",
		       accept_cause(f, &cure), worst->address, worst->queue_max);
	diagnose_cure(d, "%s", cure);
}

static bool queue_is_near(const struct facts_listener *l)
{
	return l->queue_max > 0 && l->queue > 0 &&
	       percent(l->queue, l->queue_max) >= QUEUE_NEAR_PERCENT;
}

static bool drops(const struct facts_listener *l)
{
	return l->dropped != FACTS_UNKNOWN && l->dropped_since != FACTS_UNKNOWN &&
	       l->dropped_since > 0;
}

void diagnose_queues(const struct facts *f, struct diagnosis *d)
{
	struct diagnose_list near = {0}, dropped = {0};
	const struct facts_listener *worst = NULL, *fullest = NULL;
	uint64_t past = 0, waiting = 0;
	bool full = false;

	for (size_t i = 0; i < f->listeners_count; i++) {
		const struct facts_listener *l = &f->listeners[i];

		if (fullest == NULL ||
		    percent(l->queue, l->queue_max) > percent(fullest->queue, fullest->queue_max))
			fullest = l;
		waiting += l->queue;
		past += l->dropped != FACTS_UNKNOWN ? l->dropped : 0;
		if (queue_is_near(l))
			diagnose_list(&near, "%s " U64 " of " U64, l->address, l->queue,
				      l->queue_max);
		if (drops(l))
			diagnose_list(&dropped, "%s " U64, l->address, l->dropped_since);
		if (queue_is_near(l) || drops(l))
			worst = l;
		full |= drops(l) || (queue_is_near(l) && l->queue >= l->queue_max);
	}
	if (fullest == NULL || !f->lives) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "%s",
			      f->lives ? "no listener is open" : "the daemon does not run");
		return;
	}
	if (worst != NULL) {
		diagnose_add(d, full ? DIAGNOSE_CRITICAL : DIAGNOSE_WARNING);
		queue_found(f, d, worst, &near, &dropped);
		return;
	}
	diagnose_add(d, DIAGNOSE_FINE);
	diagnose_seen(d, U64 " connections wait in the accept queues of %zu listeners", waiting,
		      f->listeners_count);
	if (f->sockets.unknown[0] == '\0')
		diagnose_seen(d, "; " U64 " were turned away since they were opened", past);
	diagnose_seen(d, ".");
}

static void name_peer(struct diagnose_list *l, const struct facts_peer *p, bool window)
{
	char unsent[PRINT_SHORT], quiet[PRINT_SHORT];

	if (p->address[0] == '\0')
		return;
	if (window)
		diagnose_list(l, "%s has read nothing for %s (%s bytes wait)", p->address,
			      print_duration(p->quiet_us, quiet), print_size(p->unsent, unsent));
	else
		diagnose_list(l, "%s " U64 " of " U64, p->address, p->retrans, p->segments);
}

void diagnose_retransmissions(const struct facts *f, struct diagnosis *d)
{
	const struct facts_sockets *k = &f->sockets;
	struct diagnose_list l = {0};
	uint64_t share = percent(k->retrans, k->segments);
	bool many;

	if (!seen(f, d))
		return;
	if (!k->info) {
		bool none = k->now[TCPS_ESTABLISHED] == 0;

		diagnose_add(d, none ? DIAGNOSE_FINE : DIAGNOSE_UNSEEN);
		diagnose_seen(d, "%s",
			      none ? "No connection is open." : "this kernel does not tell");
		return;
	}
	many = k->segments >= SEGMENTS_LEAST && k->retrans >= RETRANS_LEAST &&
	       share >= RETRANS_NOTICE;
	if (!many && k->stuck == 0) {
		diagnose_add(d, DIAGNOSE_FINE);
		diagnose_seen(d, U64 " of " U64 " segments of open connections were sent again.",
			      k->retrans, k->segments);
		return;
	}
	diagnose_add(d, (many && share >= RETRANS_WARNING) || k->stuck >= STUCK_MANY
			    ? DIAGNOSE_WARNING
			    : DIAGNOSE_NOTICE);
	diagnose_seen(d,
		      U64 " of " U64 " segments of open connections were sent again (" U64
			  " %%); " U64 " connections get no acknowledgement at all.",
		      k->retrans, k->segments, share, k->stuck);
	for (size_t i = 0; i < FACTS_PEERS; i++)
		name_peer(&l, &k->resent[i], false);
	if (l.count > 0)
		diagnose_seen(d, " The worst: %s.", diagnose_list_end(&l));
	diagnose_means(d, "Packets are lost on the way, or peers have vanished without a word.");
	diagnose_cure(d, "All peers alike: the network here (ip -s link, cables, MTU, a full "
			 "firewall table). A few: theirs. Who has vanished is closed by the "
			 "deadline send.");
}

void diagnose_windows(const struct facts *f, struct diagnosis *d)
{
	const struct facts_sockets *k = &f->sockets;
	struct diagnose_list l = {0};

	if (!seen(f, d))
		return;
	if (k->shut == 0) {
		diagnose_add(d, DIAGNOSE_FINE);
		diagnose_seen(d, "No peer has closed its receive window.");
		return;
	}
	diagnose_add(d, k->shut >= SHUT_MANY && k->shut * 4 >= k->now[TCPS_ESTABLISHED]
			    ? DIAGNOSE_WARNING
			    : DIAGNOSE_NOTICE);
	diagnose_seen(d, U64 " of " U64 " connections have bytes for a peer whose window is zero.",
		      k->shut, k->now[TCPS_ESTABLISHED]);
	for (size_t i = 0; i < FACTS_PEERS; i++)
		name_peer(&l, &k->slow[i], true);
	if (l.count > 0)
		diagnose_seen(d, " The slowest: %s.", diagnose_list_end(&l));
	diagnose_means(d,
		       "These clients do not read what they asked for: slow, stopped, or holding "
		       "connections on purpose.");
	diagnose_cure(d, "The deadline send and min_rate end them in time; lower these if they are "
			 "too many. droverctl conns state=send shows what they asked for.");
}

void diagnose_ports(const struct facts *f, struct diagnosis *d)
{
	const struct facts_system *s = &f->system;
	const struct facts_upstream *worst = NULL;
	uint64_t room, share;

	if (!seen(f, d))
		return;
	for (size_t i = 0; i < f->upstreams_count; i++)
		if (worst == NULL || f->upstreams[i].used > worst->used)
			worst = &f->upstreams[i];
	if (worst == NULL || s->port_low == FACTS_UNKNOWN || s->port_high < s->port_low) {
		diagnose_add(d, DIAGNOSE_UNSEEN);
		diagnose_seen(d, "%s",
			      worst == NULL ? f->upstreams_unknown
					    : "net.ipv4.ip_local_port_range is not known");
		return;
	}
	room = s->port_high - s->port_low + 1;
	share = percent(worst->used, room);
	diagnose_add(d, share >= PORTS_CRITICAL  ? DIAGNOSE_CRITICAL
			: share >= PORTS_WARNING ? DIAGNOSE_WARNING
			: share >= PORTS_NOTICE  ? DIAGNOSE_NOTICE
						 : DIAGNOSE_FINE);
	diagnose_seen(d,
		      "Connections to %s use " U64 " of " U64 " local ports (" U64 " %%), " U64
		      " of them in TIME_WAIT.",
		      worst->address, worst->used, room, share, worst->time_wait);
	if (share < PORTS_NOTICE)
		return;
	diagnose_means(d, "Without a free port a connect fails (EADDRNOTAVAIL).");
	diagnose_cure(
	    d,
	    "%s, widen net.ipv4.ip_local_port_range, or give the upstream a second "
	    "address or port.",
	    worst->time_wait * 2 > worst->used
		? "Keep connections to the upstream open (keepalive), net.ipv4.tcp_tw_reuse = 1"
		: "Fewer connections at a time");
}
