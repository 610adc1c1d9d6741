/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every fact that the board publishes, once. From these tables grow the row structs (shm/board.h),
 * the description that the board carries of itself, droverctl's output, the manual's list of
 * counters, and the enums that the worker uses.
 *
 * A field:  X(KIND, type, name, dim, unit, level, help, advice)
 *   KIND   COUNTER (only grows, sums over rows), GAUGE (a level; ignored once its writer is dead),
 *          TIME (CLOCK_MONOTONIC, microseconds; 0 = never), ENUM (unit names the enum), TEXT
 *          (NUL-terminated, escaped by readers), ADDR (16 bytes, IPv4 mapped into IPv6; all zero =
 *          unix socket), HIST (counters, see hist_bucket), ID (a number that is a name)
 *   dim    empty, or [N] for TEXT, ADDR and HIST
 *   level  BRIEF (shown by status), FULL (shown by stat), DEBUG (shown by stat -a)
 *   help   what it is, one line
 *   advice what to do about it, one or two sentences: when a value is a sign of trouble, and what
 *          helps; "" for plain facts
 * Help and advice have no full stop at their end.
 *
 * One writer per word: the master writes master, listener, server, upstream and peer rows, a worker
 * its own worker, conn and *_traffic rows. The exception are the shared words of upstream and peer
 * rows, which all workers change by one atomic operation each (board_shared_add() and its like):
 * their help says "several writers". A field may be added anywhere: readers go by the description,
 * never by the struct.
 */
#ifndef DROVER_SHM_FIELDS_H
#define DROVER_SHM_FIELDS_H

/* One fact, one line, and its advice in the next. */
/* clang-format off */

/*
 * A program with other layouts, so that tests can upgrade to one and read its board: a field more in
 * front of rows and of the connection's record, so that all others are elsewhere; another size of one;
 * fields under other names, which is one gone and one new; a table more; enums in another order, and
 * with another value in between.
 */
#ifdef DROVER_LAYOUT_TEST
#define LAYOUT_TEST_ENUM(X)   X(LAYOUT_TEST, "later")
#define LAYOUT_EARLY_STATE(X) X(LINGER, "linger")
#define LAYOUT_LATE_STATE(X)
#define LAYOUT_TEST_TABLE(X)  X(later, LATER_FIELDS, 0, "Only in a program made for tests")
#define LATER_FIELDS(X)       X(COUNTER, uint64_t, rain, , "drops", BRIEF, "Only in a program made for tests", "")
#define LAYOUT_RENAMES(X)                                                                          \
	X("master", "worker_hangs", "hangs")                                                       \
	X("worker", "log_lines_lost", "lines_lost")                                                \
	X("worker", "drain_us", "drain_begun_us")                                                  \
	X("server_traffic", "responses_5xx", "failures")                                           \
	X("conn", "status", "answer")
#define LAYOUT_TEST_FIELD(X) X(ID, uint64_t, layout_test, , "", DEBUG, "Only in a program made for tests", "")
#define LAYOUT_TEST_MEMBER   uint64_t layout_test;
#define LAYOUT_REQUEST       [50]
#else
#define LAYOUT_TEST_ENUM(X)
#define LAYOUT_EARLY_STATE(X)
#define LAYOUT_LATE_STATE(X) X(LINGER, "linger")
#define LAYOUT_TEST_TABLE(X)
#define LAYOUT_RENAMES(X)
#define LAYOUT_TEST_FIELD(X)
#define LAYOUT_TEST_MEMBER
#define LAYOUT_REQUEST       [58]
#endif

/* Enums: X(symbol suffix, text). */

#define CONN_STATES(X)                                                                             \
	X(FREE, "free")                                                                            \
	LAYOUT_EARLY_STATE(X)                                                                      \
	X(HANDSHAKE, "handshake")                                                                  \
	X(IDLE, "idle")                                                                            \
	X(HEAD, "head")                                                                            \
	X(BODY, "body")                                                                            \
	X(RESPOND, "respond")                                                                      \
	X(SEND, "send")                                                                            \
	X(RELAY, "relay")                                                                          \
	LAYOUT_LATE_STATE(X)

#define WORKER_STATES(X)                                                                           \
	X(EMPTY, "empty")                                                                          \
	X(STARTING, "starting")                                                                    \
	X(READY, "ready")                                                                          \
	LAYOUT_TEST_ENUM(X)                                                                        \
	X(DRAINING, "draining")                                                                    \
	X(GONE, "gone")                                                                            \
	X(DEAD, "dead")

#define MASTER_STATES(X)                                                                           \
	X(STARTING, "starting")                                                                    \
	X(RUNNING, "running")                                                                      \
	X(RELOADING, "reloading")                                                                  \
	X(STOPPING, "stopping")                                                                    \
	X(STOPPED, "stopped")                                                                      \
	X(UPGRADING, "upgrading")

/* What came of the last thing the master was asked to do. */
#define RESULTS(X)                                                                                 \
	X(NONE, "none")                                                                            \
	X(PENDING, "pending")                                                                      \
	LAYOUT_TEST_ENUM(X)                                                                        \
	X(OK, "ok")                                                                                \
	X(FAILED, "failed")

/* What the prober's checks say of a peer. */
#define CHECK_STATES(X)                                                                            \
	X(UNKNOWN, "unknown")                                                                      \
	X(UP, "up")                                                                                \
	X(WARNED, "warned")                                                                        \
	X(DOWN, "down")

/* Why the last check of a peer failed. */
#define CHECK_REASONS(X)                                                                           \
	X(NONE, "none")                                                                            \
	X(CONNECT, "cannot_connect")                                                               \
	X(TIMEOUT, "no_answer_in_time")                                                            \
	X(CLOSED, "closed_early")                                                                  \
	X(RESPONSE, "bad_response")                                                                \
	X(STATUS, "unwanted_status")                                                               \
	X(BODY, "body_lacks_the_text")

/* What the operator said of a peer, by droverctl peer. */
#define PEER_ORDERS(X)                                                                             \
	X(NONE, "none")                                                                            \
	X(DRAIN, "drain")                                                                          \
	X(DOWN, "down")

/*
 * The next three tables take a second macro, which they hand to each row, so that a row can become
 * a field or an enum.
 *
 * Why a connection ended: each is a counter close_<name>. Y(X, SUFFIX, name, help, advice)
 */
#define CLOSE_REASONS(Y, X)                                                                           \
	Y(X, CLIENT, client, "closed by the client between requests",                              \
	  "How keep-alive connections should end. Nothing to do")                                  \
	Y(X, CLIENT_ABORT, client_abort, "closed by the client while a request or response was under way", \
	  "Users who do not wait: a rise with latency means that responses are too slow; otherwise browsers that leave pages, scanners and health checks") \
	Y(X, RESET, reset, "reset by the client",                                                  \
	  "Clients that crash or drop connections hard, port scanners, and firewalls that forget idle flows: then keep keepalive { idle } below the firewall's time") \
	Y(X, NO_KEEPALIVE, no_keepalive, "the request asked for it, or HTTP/1.0 without keep-alive", \
	  "Each such request pays for a connection. Many: configure keep-alive in the proxy or client in front (nginx: proxy_http_version 1.1)") \
	Y(X, REQUEST_LIMIT, request_limit, "keepalive.requests reached",                           \
	  "More than a few a minute: busy clients reconnect in vain. Raise keepalive { requests }") \
	Y(X, MAX_AGE, max_age, "keepalive.max_age reached",                                        \
	  "keepalive { max_age } at work, after a response that said so. Raise it if reconnecting costs too much") \
	Y(X, REFUSED, refused, "after a message that was refused as malformed or too large",       \
	  "Which rule was broken say the refused_* counters, and the access log for which client") \
	Y(X, EXPIRED, expired, "a deadline passed",                                                \
	  "Which deadline it was say the expired_* counters")                                      \
	Y(X, DRAIN, drain, "drained: idle, or after its last response",                            \
	  "Those that could not move at a reload (see moved_refused), or all at a stop")           \
	Y(X, FORCED, forced, "still busy when the drain deadline passed, or the daemon stopped at once", \
	  "Clients saw a cut. Raise the option drain above the time that the longest responses take") \
	Y(X, ADDRESS_LIMIT, address_limit, "max_conns_per_address reached",                        \
	  "One address holds many connections: an attack, or a proxy or NAT with many users behind it. For those raise max_conns_per_address") \
	Y(X, NO_ROOM, no_room, "no record, buffer or descriptor left",                             \
	  "The worker is full: see accept_no_records, accept_no_fds and buffer_failures for which resource to raise") \
	Y(X, MOVED, moved, "handed over to another worker: the client notices nothing",            \
	  "Handover by reload, upgrade or rebalancing at work. Nothing to do")                     \
	Y(X, LOST, lost, "lost with the worker that was serving it when it died",                  \
	  "Should stay 0: a worker crashed without a standby, or in the middle of this connection. See worker_deaths and the error log; keep standby = true") \
	Y(X, KILLED, killed, "ended by droverctl kill",                                            \
	  "An operator or a script did this; the access log shows what was under way. Nothing to do") \
	Y(X, ERROR, error, "an error of the system or of a file while responding",                 \
	  "See file_errors and the error log: mostly files changed in place while they were sent, or a disk that fails")

/* Deadlines, one for each state that waits, three for what a peer is waited for, and three for any: each is a counter
 * expired_<name>, and of a server its setting deadline_<name>_ms. Y(X, SUFFIX, name, advice) */
#define DEADLINES(Y, X)                                                                               \
	Y(X, HANDSHAKE, handshake,                                                                 \
	  "Clients that connect and say nothing: scanners, health checks without TLS, or overload on their way. Raise deadlines { handshake } only for slow networks") \
	Y(X, IDLE, idle,                                                                           \
	  "The normal end of keep-alive connections that nobody uses. Raise keepalive { idle } only if clients reconnect at once: compare accepts") \
	Y(X, HEADER, header,                                                                       \
	  "Slow or silent clients (slow loris), browsers' spare connections, or bare TCP health checks. droverctl conns state=head -s age shows who") \
	Y(X, BODY, body,                                                                           \
	  "Uploads slower than deadlines { body } allows for the whole body. For large files on slow networks raise it for that server; min_rate still protects") \
	Y(X, REQUEST, request,                                                                     \
	  "Responses took longer than deadlines { request } in all: slow clients or large files. Raise it, or set 0 for downloads") \
	Y(X, SEND, send,                                                                           \
	  "The client took no byte for deadlines { send }: it hangs, sleeps, or its network is gone. Nothing to do unless many come from one network") \
	Y(X, RELAY_IDLE, relay_idle,                                                               \
	  "Neither side sent anything: raise deadlines { relay_idle }, or have the application send pings more often") \
	Y(X, LINGER, linger,                                                                       \
	  "Clients that do not close after the last response. Harmless; if many connections stand in linger, lower deadlines { linger }") \
	Y(X, CONNECT, connect,                                                                     \
	  "A peer did not accept in time: its machine is gone, its backlog is full, or a firewall drops. Others are tried: see droverctl upstreams") \
	Y(X, RESPONSE, response,                                                                   \
	  "A peer did not begin to answer in time: it is overloaded or hangs. Raise deadlines { response } of the upstream only for answers that must take so long") \
	Y(X, BETWEEN, between,                                                                     \
	  "A peer stopped in the middle of an answer, which the client then saw cut: look at the peer and the network to it") \
	Y(X, MAX_AGE, max_age,                                                                     \
	  "keepalive { max_age } at work on idle connections")                                     \
	Y(X, MIN_RATE, min_rate,                                                                   \
	  "Slower than min_rate bytes a second: an attack, or phones on bad networks. If users complain, lower min_rate or raise min_rate_after")

/*
 * Messages refused by the parser: each is a counter refused_<name>, RFC 9112 and 9110 sections
 * stand in the help. Y(X, SUFFIX, name, status, help, advice)
 */
#define REFUSALS(Y, X)                                                                                \
	Y(X, METHOD, method, 400, "request line: method is not a token (RFC 9112 3.1)",            \
	  "Not HTTP at all: scanners, or TLS spoken to a plain port. If it is from your own clients, check their https:// URLs and ports") \
	Y(X, TARGET, target, 400, "request line: target malformed (RFC 9112 3.2)",                 \
	  "Scanners, or clients that do not escape spaces and other characters in URLs: mend the link") \
	Y(X, VERSION, version, 400, "request line: not an HTTP version (RFC 9112 2.3)",            \
	  "Scanners and clients of other protocols. Nothing to do unless it is your own client")   \
	Y(X, VERSION_UNSUPPORTED, version_unsupported, 505, "HTTP version other than 1.0 or 1.1",  \
	  "HTTP/2 without TLS or HTTP/0.9: configure the client or the proxy in front for HTTP/1.1") \
	Y(X, LINE, line, 400, "bare CR or LF, or a space where none may be (RFC 9112 2.2)",        \
	  "A sign of request smuggling when it comes through a proxy: find out which, and update it. Otherwise a broken client") \
	Y(X, URI_TOO_LONG, uri_too_long, 414, "request target longer than max_uri",                \
	  "If real clients are hit, raise limits { max_uri }; better let the application send such data in a body") \
	Y(X, HEAD_TOO_LARGE, head_too_large, 431, "head longer than max_header",                   \
	  "Mostly cookies that grew: clear them at the application, or raise limits { max_header } (at most 60k)") \
	Y(X, TOO_MANY_FIELDS, too_many_fields, 431, "more header fields than max_fields",          \
	  "If real clients or a proxy in front need more, raise limits { max_fields }")            \
	Y(X, FIELD_NAME, field_name, 400, "field name is no token, or space before its colon (RFC 9112 5.1)", \
	  "A broken client, or an attempt to smuggle a header past a proxy. See the access log for who it is") \
	Y(X, FIELD_VALUE, field_value, 400, "NUL, CR or other control character in a field value (RFC 9110 5.5)", \
	  "An attempt to inject headers, or an application that puts raw bytes into a cookie or header: mend that") \
	Y(X, FOLDING, folding, 400, "obsolete line folding (RFC 9112 5.2)",                        \
	  "Very old clients, or an attempt to hide a header from a proxy. Mend the client: RFC 9112 forbids it") \
	Y(X, HOST_MISSING, host_missing, 400, "HTTP/1.1 request without Host (RFC 9112 3.2)",      \
	  "Bare scripts and health checks: have them send Host, or speak HTTP/1.0")                \
	Y(X, HOST_SEVERAL, host_several, 400, "more than one Host field (RFC 9112 3.2)",           \
	  "An attempt to reach another site than the proxy in front believes, or a proxy that adds a second Host: mend its configuration") \
	Y(X, HOST, host, 400, "malformed Host (RFC 9110 7.2)",                                     \
	  "Scanners, or a client that puts a path or user name into Host: mend its URL")           \
	Y(X, LENGTH, length, 400, "malformed or conflicting Content-Length (RFC 9112 6.3)",        \
	  "A sign of request smuggling when it comes through a proxy: update the proxy. Otherwise a broken client") \
	Y(X, FRAMING, framing, 400, "Content-Length and Transfer-Encoding together (RFC 9112 6.1)", \
	  "A sign of request smuggling. If a proxy in front lets it pass, update or replace that proxy") \
	Y(X, TRANSFER_CODING, transfer_coding, 400, "Transfer-Encoding malformed, in HTTP/1.0, or chunked not last and once (RFC 9112 6.1)", \
	  "A sign of request smuggling when it comes through a proxy: update the proxy. Otherwise a broken client") \
	Y(X, CODING_UNSUPPORTED, coding_unsupported, 501, "transfer coding other than chunked (RFC 9112 6.1)", \
	  "A client that compresses its transfer coding: have it use Content-Encoding instead")    \
	Y(X, EXPECT, expect, 417, "expectation other than 100-continue (RFC 9110 10.1.1)",         \
	  "An unusual client. Have it send Expect: 100-continue or nothing")                       \
	Y(X, CHUNK, chunk, 400, "malformed chunk (RFC 9112 7.1)",                                  \
	  "A broken client, or an attempt to smuggle a request in a body: see the access log for who it is") \
	Y(X, CHUNK_EXTRA, chunk_extra, 400, "chunk extensions or trailers more than 8 KiB longer than the data", \
	  "Hardly ever from a real client. If one needs long trailers, send them as headers or in the body") \
	Y(X, BODY_TOO_LARGE, body_too_large, 413, "body longer than max_body",                     \
	  "If real uploads are hit, raise max_body of that location, not of the server")           \
	Y(X, LENGTH_REQUIRED, length_required, 411, "body without Content-Length for a FastCGI peer (RFC 3875 4.1.2)", \
	  "A client that sends its body in chunks: have it say the length, or send it to a peer that speaks HTTP") \
	Y(X, PATH, path, 400, "path: bad escape, encoded slash or NUL, overlong UTF-8, or climbing above the root", \
	  "Scanners looking for files above the root. If real links are hit, mend their escapes; encoded slashes are refused on purpose")

/* The tables of the board, one row struct each. */

#define MASTER_FIELDS(X)                                                                           \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row: odd while it is being written", "") \
	X(ENUM, uint32_t, state, , "master_state", BRIEF, "What the master is doing",              \
	  "reloading, stopping or upgrading for longer than drain and a few seconds: workers that do not become ready or do not end. droverctl workers shows which") \
	X(ID, uint64_t, pid, , "", BRIEF, "Process id of the master", "")                              \
	X(ID, uint64_t, generation, , "", BRIEF, "Configuration generation: grows by one with each reload", "") \
	X(TIME, uint64_t, started_us, , "us", BRIEF, "When the master started", "")                    \
	X(TIME, uint64_t, configured_us, , "us", BRIEF, "When the configuration in force was loaded", "") \
	X(TIME, uint64_t, beat_us, , "us", FULL, "The master's heartbeat",                         \
	  "More than 3 s ago: the master is stopped or waits for a disk. Workers serve on, but nothing is restarted or reloaded: look at it with ps (state T or D) and /proc/PID/stack") \
	X(GAUGE, uint64_t, workers_wanted, , "workers", BRIEF, "Workers configured, with TTIN and TTOU", \
	  "One for each processor is right for most loads. The option workers sets it; TTIN and TTOU change it on the fly") \
	X(GAUGE, uint64_t, drain_ms, , "ms", FULL, "The drain setting in force",                   \
	  "How long old workers may take after a reload or stop. Raise the option drain if drained_forced grows, lower it if stopping takes too long") \
	X(GAUGE, uint64_t, conns_wanted, , "conns", FULL, "worker_connections as configured, if the limit of descriptors allows fewer; else 0", "Raise LimitNOFILE in the service unit (ulimit -n), or lower worker_connections") \
	X(GAUGE, uint64_t, slots, , "slots", DEBUG, "Slots that the board has room for",           \
	  "TTIN and the option workers cannot go beyond it in a reload: raise workers, then droverctl upgrade") \
	X(GAUGE, uint64_t, listeners, , "listeners", FULL, "Listener rows in use",                 \
	  "droverctl listeners shows them. More than the configuration has: old ones that workers of former generations still drain") \
	X(GAUGE, uint64_t, servers, , "servers", FULL, "Server rows in use", "")                                                          \
	X(COUNTER, uint64_t, worker_starts, , "workers", FULL, "Workers started",                  \
	  "Grows by the number of workers with each reload. Growth without reloads means deaths: compare worker_deaths") \
	X(COUNTER, uint64_t, worker_deaths, , "workers", BRIEF, "Workers that died unasked: exit, signal or hang", \
	  "Should stay 0. The error log names signal, slot and the request being served; keep a core (coredumpctl, ulimit -c) and report it") \
	X(COUNTER, uint64_t, worker_hangs, , "workers", BRIEF, "Workers ended because their heartbeat stopped", \
	  "Something held a worker for longer than hang: mostly a stalled disk or network file system below a root. Mend that first; raise hang only if the storage is known to be slow") \
	X(COUNTER, uint64_t, fork_failures, , "", FULL, "Workers that could not be started for want of resources", \
	  "A limit on processes or memory: see the error log, then ulimit -u, TasksMax= of the unit, pids.max and memory.max of its control group") \
	X(COUNTER, uint64_t, gossip, , "messages", DEBUG, "Messages from children that made no sense", \
	  "0, or a few right after an upgrade between versions. Any other growth is a defect: report it with its line of the error log") \
	X(COUNTER, uint64_t, reloads, , "reloads", BRIEF, "Reloads asked for",                     \
	  "More than anybody would ask for: a program reloads in a loop, such as a certificate or configuration manager") \
	X(COUNTER, uint64_t, reload_failures, , "reloads", BRIEF, "Reloads that changed nothing because they failed", \
	  "The configuration before serves on. droverctl status says why the last one failed; drover -t checks a file before it is loaded") \
	X(ENUM, uint32_t, reload_result, , "result", BRIEF, "What came of the last reload",        \
	  "failed: the configuration before is still in force, and reload_error says why. pending for minutes: see droverctl workers") \
	X(TIME, uint64_t, reload_us, , "us", BRIEF, "When the last reload ended", "")                  \
	X(COUNTER, uint64_t, upgrades, , "upgrades", BRIEF, "Upgrades in place asked for",         \
	  "Each executes the program's file anew in the same process: droverctl upgrade or USR2")  \
	X(COUNTER, uint64_t, upgrade_failures, , "upgrades", BRIEF, "Upgrades that left the old program serving", \
	  "The old program serves on. upgrade_error says why; run the new file with -t and the same configuration before the next try") \
	X(ENUM, uint32_t, upgrade_result, , "result", BRIEF, "What came of the last upgrade",      \
	  "failed: the old program serves on, and upgrade_error says why")                         \
	X(TIME, uint64_t, upgrade_us, , "us", BRIEF, "When the last upgrade ended", "")                \
	X(COUNTER, uint64_t, rebalances, , "", FULL, "Times idle connections were spread anew over the workers", \
	  "Many an hour: long-lived connections pile up on few workers again and again. Let reuseport spread them, or bound their age with keepalive { max_age }") \
	X(ENUM, uint32_t, rebalance_result, , "result", FULL, "What came of the last rebalancing", \
	  "failed: a worker ended or did not answer meanwhile, and kept its connections. Try again once all are ready") \
	X(COUNTER, uint64_t, rebalanced, , "conns", FULL, "Connections that changed their worker by rebalancing", \
	  "Little after a rebalancing that was asked for: the difference was small, or the connections were busy. Clients notice nothing either way") \
	X(COUNTER, uint64_t, reopens, , "", FULL, "Times the logs were reopened",                  \
	  "Must grow with each rotation of the logs. If not, drover goes on writing to the old file: have logrotate call droverctl reopen or send USR1") \
	X(ENUM, uint32_t, reopen_result, , "result", FULL, "What came of the last reopening",      \
	  "failed: the files before are still written to. The error log says which could not be opened: mostly its folder is missing or not the master's to write") \
	X(ID, uint64_t, prober_pid, , "", FULL, "Process id of the prober, which checks peers and resolves their names; 0 = there is none", "") \
	X(ID, uint64_t, prober_generation, , "", FULL, "Configuration generation that the prober works by", "") \
	X(TIME, uint64_t, prober_started_us, , "us", FULL, "When the prober started", "") \
	X(TIME, uint64_t, prober_beat_us, , "us", FULL, "Heartbeat of the prober",                 \
	  "More than 3 s ago: it is stopped or hangs, and what is known of peers grows old. After hang it is ended and started again") \
	X(COUNTER, uint64_t, prober_starts, , "", FULL, "Probers started",                         \
	  "Grows by one with each reload and upgrade. Growth without them means deaths: compare prober_deaths") \
	X(COUNTER, uint64_t, prober_deaths, , "", FULL, "Probers that died unasked: exit, signal or hang", \
	  "Should stay 0. The error log names the signal; what is known of peers grows old meanwhile and then counts as unknown") \
	X(TEXT, char, reload_error, [512], "", BRIEF, "Why the last reload failed: file, line, reason", \
	  "Mend what it names, check with drover -t, reload again")                                \
	X(TEXT, char, upgrade_error, [512], "", BRIEF, "Why the last upgrade failed",              \
	  "Mend what it names and upgrade again; the old program serves on meanwhile")             \
	X(TEXT, char, config, [256], "", BRIEF, "Configuration file in force", "")                     \
	X(TEXT, char, version, [32], "", BRIEF, "Version of the master", "")

/* Counters come in cache lines of their own: the row's stride is a multiple of 64. */
#define WORKER_FIELDS(X)                                                                           \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row's identity: odd while it is being written", "") \
	X(ENUM, uint32_t, state, , "worker_state", BRIEF, "What the worker is doing",              \
	  "draining for longer than the option drain: droverctl conns shows what holds it. dead: its standby or the master should have replaced it within a second, see the error log") \
	X(ID, uint32_t, slot, , "", BRIEF, "Slot that the worker fills", "")                           \
	X(ID, uint32_t, generation, , "", BRIEF, "Configuration generation that the worker serves", "") \
	X(ID, uint64_t, pid, , "", BRIEF, "Process id of the worker", "")                              \
	X(TIME, uint64_t, started_us, , "us", BRIEF, "When the worker started", "")                    \
	X(TIME, uint64_t, drain_us, , "us", BRIEF, "When the worker was told to drain", "")            \
	X(ID, uint32_t, touching, , "", FULL, "Connection row being worked on, plus one; 0 = none", \
	  "The same row for seconds while beat_us stands still: serving this connection holds the worker. droverctl conns shows its request") \
	X(ID, uint32_t, conns_high, , "", DEBUG, "Connection rows of this worker ever used: readers need look no further", "") \
	X(TIME, uint64_t, beat_us, , "us", BRIEF, "Heartbeat: the start of the last turn of the event loop", \
	  "More than 3 s ago: the worker is stopped (SIGSTOP, debugger) or waits, mostly for a disk. After hang it is ended and its standby goes on") \
	X(COUNTER, uint64_t, turns, , "turns", FULL, "Turns of the event loop",                    \
	  "Standing still: the worker hangs, see beat_us. An idle worker makes at least one a second") \
	X(COUNTER, uint64_t, events, , "events", FULL, "Events served by the event loop",          \
	  "Divided by turns it is the batch: a few are normal, hundreds mean that the worker never rests. Then add workers or processors") \
	X(GAUGE, uint64_t, lag_us, , "us", FULL, "Length of the last second's longest turn of the event loop", \
	  "All connections of a worker wait as long. Above 100 ms look for slow disks (iostat), big directory listings, stolen processor time (vmstat st) or too few processors") \
	X(HIST, uint64_t, turn, [HIST_BUCKETS], "us", FULL, "Length of each turn of the event loop", \
	  "A p999 above 10 ms is a disk or a lack of processor time rather than drover's own work: check iostat, vmstat and the control group's cpu.max") \
	X(COUNTER, uint64_t, turn_sum, , "us", DEBUG, "Length of all turns of the event loop together", "Divided by the count of turn it is the average turn; its growth in a second is the share of a processor that the loop was busy") \
	X(GAUGE, uint64_t, conns, , "conns", BRIEF, "Open client connections",                     \
	  "From 80 % of conns_max on raise worker_connections or add workers. A sudden rise without requests is slow or hostile clients: droverctl conns -s age") \
	X(GAUGE, uint64_t, conns_handshake, , "conns", FULL, "Connections in their handshake", "Many that stay: clients that connect and say nothing. deadlines { handshake } limits them")     \
	X(GAUGE, uint64_t, conns_idle, , "conns", BRIEF, "Connections waiting for their next request", \
	  "Most of conns is normal with keep-alive; an idle connection costs no buffer. To hold fewer, lower keepalive { idle }") \
	X(GAUGE, uint64_t, conns_head, , "conns", FULL, "Connections whose request head is being read", "Many that stay: clients that open connections and send nothing, or very slowly. deadlines.header and max_conns_per_address limit them") \
	X(GAUGE, uint64_t, conns_body, , "conns", FULL, "Connections whose request body is being read", "Many that stay: slow uploads. deadlines.body and min_rate limit them") \
	X(GAUGE, uint64_t, conns_respond, , "conns", FULL, "Connections whose response is being made", "Many that stay: what makes the responses is slow") \
	X(GAUGE, uint64_t, conns_send, , "conns", FULL, "Connections whose response is being sent", "Many that stay: clients that read slowly. deadlines.send and min_rate limit them") \
	X(GAUGE, uint64_t, conns_relay, , "conns", FULL, "Connections that are relayed", "Each upgraded connection or stream, such as a WebSocket, stays here for its life. Growing without end: clients or peers that never close, see relay_idle")           \
	X(GAUGE, uint64_t, conns_linger, , "conns", FULL, "Connections that wait for the client's close", "Many that stay: clients that do not close after their last response. deadlines { linger } limits them") \
	X(GAUGE, uint64_t, conns_max, , "conns", FULL, "Most connections that this worker may hold", \
	  "Below the option worker_connections: the limit of descriptors is too low, raise LimitNOFILE= of the unit or ulimit -n. A higher option takes droverctl upgrade or a restart") \
	X(GAUGE, uint64_t, fds, , "fds", FULL, "Descriptors that the worker's records and caches hold", \
	  "About conns plus cached files, logs and listeners. Growing while conns does not is a leak: report it. Near fds_max: raise LimitNOFILE= or ulimit -n") \
	X(GAUGE, uint64_t, fds_max, , "fds", FULL, "Limit of descriptors (RLIMIT_NOFILE)",         \
	  "Needs worker_connections + file_cache + 100 or so. Raise it with LimitNOFILE= of the unit or ulimit -n; sysctl fs.nr_open bounds both") \
	X(GAUGE, uint64_t, buffers, , "bytes", FULL, "Buffer bytes in use",                        \
	  "Grows with requests and responses under way. High with few requests a second: clients that read or send slowly, see droverctl conns state=send -s age") \
	X(GAUGE, uint64_t, buffers_resident, , "bytes", FULL, "Buffer bytes in use or kept for the next use", \
	  "What the buffers cost in memory. Follows buffers down within seconds after a burst; if the machine is short of memory, lower worker_connections") \
	X(COUNTER, uint64_t, buffer_failures, , "", FULL, "Times no buffer was left",              \
	  "Such connections are closed for want of room: too many are busy at once. Each class of buffers grows with worker_connections: raise it (droverctl upgrade applies it), or add workers") \
	X(COUNTER, uint64_t, accepts, , "conns", BRIEF, "Connections accepted",                    \
	  "Nearly as many as requests: clients do not keep connections. Check for HTTP/1.0 proxies, Connection: close and a keepalive { idle } that is too short") \
	X(COUNTER, uint64_t, accept_retries, , "", FULL, "accept: EINTR, ECONNABORTED and network errors, tried again at once", \
	  "Clients that gave up while they waited in the accept queue: grows in port scans and overload. With listener queue near its limit, add workers") \
	X(COUNTER, uint64_t, accept_no_fds, , "", BRIEF, "accept: EMFILE or ENFILE, no descriptor left", \
	  "Clients wait or are turned away. Raise LimitNOFILE= of the unit or ulimit -n for EMFILE, sysctl fs.file-max for ENFILE, or lower worker_connections") \
	X(COUNTER, uint64_t, accept_no_memory, , "", FULL, "accept: ENOBUFS or ENOMEM",            \
	  "The kernel has no memory for sockets: see net.ipv4.tcp_mem, the control group's memory.max and free memory") \
	X(COUNTER, uint64_t, accept_no_records, , "", BRIEF, "accept stopped because worker_connections was reached", \
	  "The worker is full and clients wait in the accept queue. Raise worker_connections (droverctl upgrade applies it), add workers, or shorten keepalive { idle }") \
	X(COUNTER, uint64_t, accept_pauses, , "", BRIEF, "Times accepting paused for want of resources", \
	  "Which resource was short say accept_no_fds, accept_no_memory and accept_no_records")    \
	X(COUNTER, uint64_t, accept_turned_away, , "conns", FULL, "Connections closed at once with the reserve descriptor", \
	  "The limit of descriptors is far too low for the load: see accept_no_fds")               \
	X(COUNTER, uint64_t, requests, , "requests", BRIEF, "Requests answered",                   \
	  "The load. A sudden fall with conns steady: clients or the network in front of drover; with lag_us high: drover's machine") \
	X(COUNTER, uint64_t, requests_started, , "requests", FULL, "Requests whose head was read", \
	  "Ahead of requests by what is under way now. A growing gap: responses that do not end, see droverctl conns state=send") \
	X(COUNTER, uint64_t, requests_cut, , "requests", FULL, "Requests that ended without a response: the client left, the connection was ended, or there was no room", \
	  "If it grows, the access log says of each who ended it and when: clients that give up, a deadline of theirs shorter than their uploads or our answers take, or droverctl kill") \
	X(COUNTER, uint64_t, responses_1xx, , "responses", FULL, "Interim responses sent",         \
	  "Clients that send Expect: 100-continue, mostly curl and Java with large bodies. Nothing to do") \
	X(COUNTER, uint64_t, responses_2xx, , "responses", BRIEF, "Responses with a 2xx status",   \
	  "Its share of requests is what users see as health: alert on its fall rather than on single errors") \
	X(COUNTER, uint64_t, responses_3xx, , "responses", BRIEF, "Responses with a 3xx status",   \
	  "More than 2xx: check redirects for loops, and links to folders without their final slash") \
	X(COUNTER, uint64_t, responses_4xx, , "responses", BRIEF, "Responses with a 4xx status",   \
	  "A jump: broken links after a deployment, or a scan. The access log tells which; refused_* and access_denied count what drover itself refused") \
	X(COUNTER, uint64_t, responses_5xx, , "responses", BRIEF, "Responses with a 5xx status",   \
	  "Should stay near 0. The error log says why: files that cannot be read, no descriptors, or a drain that ended") \
	X(COUNTER, uint64_t, bytes_in, , "bytes", BRIEF, "Bytes read from clients",                \
	  "Much more than requests would need: uploads to locations that take none, see body_bytes_discarded, and lower max_body") \
	X(COUNTER, uint64_t, bytes_out, , "bytes", BRIEF, "Bytes written to clients",              \
	  "Near the speed of the network interface (ip -s link): latency then is the network, not drover. precompressed = true shrinks texts") \
	X(HIST, uint64_t, latency, [HIST_BUCKETS], "us", BRIEF, "Time of each request, from its first byte to the last byte written", \
	  "High with turn low: clients on slow networks, since it lasts until the last byte is written. High with lag_us high: disk or processor of this machine") \
	X(COUNTER, uint64_t, latency_sum, , "us", DEBUG, "Time of all requests together", "Divided by the count of latency it is the average; the percentiles say more")          \
	X(COUNTER, uint64_t, body_bytes_discarded, , "bytes", FULL, "Request body bytes that nobody wanted", \
	  "Uploads that nobody asked for cost network. Lower max_body of the location, so that they are refused with 413 at once") \
	X(COUNTER, uint64_t, access_denied, , "requests", FULL, "Requests refused by allow and deny", \
	  "Allow and deny at work. If users complain, check the networks in the location's allow list, and whether a proxy in front hides their addresses") \
	X(COUNTER, uint64_t, file_cache_hits, , "", FULL, "Files found in the open-file cache",    \
	  "Compare with file_cache_misses: below nine hits to a miss on a busy site, raise file_cache") \
	X(COUNTER, uint64_t, file_cache_misses, , "", FULL, "Files opened",                        \
	  "Many on a small site: file_cache is 0 or smaller than the set of files in use. Each costs an open and a stat") \
	X(GAUGE, uint64_t, file_cache_entries, , "files", FULL, "Files in the open-file cache",    \
	  "At file_cache with many misses: raise file_cache, and the limit of descriptors by as much") \
	X(COUNTER, uint64_t, file_errors, , "", FULL, "Files that vanished, shrank or failed while they were sent", \
	  "Files written in place are cut short for clients: deploy by renaming (rsync without --inplace, mv). Else the disk fails or leave to read is missing: see the error log") \
	X(COUNTER, uint64_t, log_lines, , "lines", FULL, "Access log lines written",               \
	  "Less than requests where the access log is on: see log_lines_lost. It is off by default") \
	X(COUNTER, uint64_t, log_lines_lost, , "lines", BRIEF, "Access log lines lost because the log could not be written", \
	  "Disk full, quota, a rotated folder that is gone, or a pipe whose reader is slow. The error log says which file; droverctl reopen after mending it") \
	X(COUNTER, uint64_t, errlog_suppressed, , "lines", FULL, "Error log lines left out because the same was said too often; the log says how many", \
	  "Read the lines that were written: what repeats so often wants to be mended. Nothing else is lost by it") \
	X(ID, uint64_t, dead_pid, , "", FULL, "Process that last died in this row", "") \
	X(TEXT, char, suspect, [320], "", FULL, "What the process that last died in this row was working on; empty: nothing", \
	  "The request that may have killed it: if the same one stands in several rows or dies again, keep it out (a location with status = 403) and report it with a core") \
	X(COUNTER, uint64_t, gossip, , "messages", DEBUG, "Messages to the worker's own socket that made no sense", \
	  "Something other than a droverctl of this version writes to the ctl.* sockets of the run directory. Harmless; find out what, or upgrade droverctl") \
	X(COUNTER, uint64_t, takeovers, , "", BRIEF, "Times the standby took over from a worker that died", \
	  "Each is a worker that crashed or hung, though clients hardly noticed. The error log names signal and suspect request: report it with a core") \
	X(COUNTER, uint64_t, moved_in, , "conns", BRIEF, "Connections taken over from another worker", \
	  "Handovers by reload, upgrade or rebalancing at work. Nothing to do")                    \
	X(COUNTER, uint64_t, moved_refused, , "conns", FULL, "Connections that could not be handed over and drain in place", \
	  "They end after their response or at the drain's end. Grows if the new configuration has no such listener, or fewer worker_connections than are in use") \
	X(COUNTER, uint64_t, drained_idle, , "conns", FULL, "Connections closed idle by a drain",  \
	  "Clients have to connect anew. Only for connections that could not move: see moved_refused; a stop closes all this way") \
	X(COUNTER, uint64_t, drained_finished, , "conns", FULL, "Connections that ended with their response during a drain", \
	  "Only for connections that could not move, or at a stop. Nothing to do")                 \
	X(COUNTER, uint64_t, drained_forced, , "conns", FULL, "Connections cut at the end of a drain", \
	  "Clients saw a cut response. Raise the option drain above the time that the longest downloads take, or accept the cut") \
	X(GAUGE, uint64_t, up_conns, , "conns", FULL, "Open connections to peers, idle ones included", "At upstream_connections requests wait or fail: raise it, or lower keepalive.conns of the upstreams") \
	X(GAUGE, uint64_t, up_idle, , "conns", FULL, "Connections to peers kept for the next request", "See idle of the peers") \
	X(COUNTER, uint64_t, up_connects, , "conns", FULL, "Connections to peers opened", "Many for few requests: raise keepalive.conns of the upstream, or the peer closes its connections early") \
	X(COUNTER, uint64_t, up_reused, , "requests", FULL, "Requests sent over a kept connection to a peer", "Far below the requests of locations with a proxy: see up_connects") \
	X(COUNTER, uint64_t, up_moved, , "conns", FULL, "Idle connections to peers that came from another worker", "It grows with reloads. If it does not, the upstream keeps none (keepalive.conns), or its peer is gone from the configuration") \
	X(COUNTER, uint64_t, up_retries, , "requests", FULL, "Requests tried again on another peer", "It grows while a peer is down or restarts; steadily without that, see droverctl upstreams for the peer that fails") \
	X(COUNTER, uint64_t, up_cancelled, , "requests", FULL, "Requests to peers given up because the client went away or its time was up", "Clients that give up: peers are slower than clients are patient") \
	X(COUNTER, uint64_t, up_bad_responses, , "responses", BRIEF, "Answers of peers that were no proper or no whole HTTP response", "Each was a 502 or was cut: the error log names the peer and what was wrong") \
	X(COUNTER, uint64_t, up_error_lines, , "lines", FULL, "Lines that FastCGI applications wrote to their standard error", "They are in the error log, twenty a minute: warnings and errors of the application, to be mended there") \
	X(COUNTER, uint64_t, buffered_bytes, , "bytes", FULL, "Bytes of answers read from peers ahead of their clients (buffering)", "What buffering spares the peers. None where it is on: clients are fast, and it could be off") \
	X(COUNTER, uint64_t, buffer_files, , "files", FULL, "Temporary files made for answers that memory had no room for (buffer_file)", "Large answers to slow clients. Watch the space of temp_dir: each may take buffer_file of it") \
	X(COUNTER, uint64_t, buffer_errors, , "", BRIEF, "Times a temporary file could not be made or was full", "temp_dir is full, missing or not the worker's to write: the error log says which. Answers go on without it, as fast as their clients read") \
	X(COUNTER, uint64_t, up_timeouts, , "", BRIEF, "Times a peer let the deadline connect, response or between pass", "The peer is overloaded or hangs, or the deadline is too short for what it does") \
	CLOSE_REASONS(CLOSE_REASON_FIELD, X)                                                                     \
	DEADLINES(DEADLINE_FIELD, X)                                                                         \
	REFUSALS(REFUSAL_FIELD, X)

#define LISTENER_FIELDS(X)                                                                         \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row", "")                            \
	X(ID, uint32_t, used, , "", DEBUG, "1 while the listener is open", "")                         \
	X(TEXT, char, address, [112], "", BRIEF, "Address as bound: host:port, [host]:port or unix:path", "") \
	X(ID, uint32_t, generation, , "", FULL, "Configuration generation that opened it", "")         \
	X(ID, uint32_t, sockets, , "", FULL, "Sockets: 1, or with reuseport one per worker", "")       \
	X(GAUGE, uint64_t, queue, , "conns", BRIEF, "Connections in the accept queue (TCP_INFO), read once a second", \
	  "Above 0 for seconds: workers do not accept fast enough, see lag_us, accept_pauses and processor time. At queue_max new clients get no answer") \
	X(GAUGE, uint64_t, queue_max, , "conns", BRIEF, "Limit of the accept queue",               \
	  "The smaller of the option backlog and sysctl net.core.somaxconn: raise both, then reload. nstat TcpExtListenOverflows counts what was lost") \
	X(GAUGE, uint64_t, backlog, , "conns", FULL, "The backlog setting in force, for all its sockets", "If it is more than queue_max, the system's net.core.somaxconn has cut it: raise that")

#define LISTENER_TRAFFIC_FIELDS(X)                                                                 \
	X(COUNTER, uint64_t, accepts, , "conns", BRIEF, "Connections accepted",                    \
	  "Standing still while others grow: a firewall, a load balancer's health check or DNS keeps clients away from this address") \
	X(GAUGE, uint64_t, conns, , "conns", BRIEF, "Open connections",                            \
	  "Much more on one address than on others: see who with droverctl conns -s peer, and bound it with max_conns_per_address")

#define SERVER_FIELDS(X)                                                                           \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row", "")                            \
	X(ID, uint32_t, used, , "", DEBUG, "1 while the configuration names the server", "")           \
	X(TEXT, char, name, [64], "", BRIEF, "Name of the server section", "") \
	DEADLINES(DEADLINE_SETTING_FIELD, X) \
	X(GAUGE, uint64_t, min_rate, , "bytes/s", FULL, "The min_rate setting in force; 0 = off", "droverctl doctor says which settings contradict each other")

#define SERVER_TRAFFIC_FIELDS(X)                                                                   \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(COUNTER, uint64_t, requests, , "requests", BRIEF, "Requests answered",                   \
	  "Which server section carries the load. None where there should be some: check listen and names, and what the default server gets") \
	X(COUNTER, uint64_t, responses_2xx, , "responses", BRIEF, "Responses with a 2xx status",   \
	  "Its share of requests is the health of this site")                                      \
	X(COUNTER, uint64_t, responses_3xx, , "responses", BRIEF, "Responses with a 3xx status",   \
	  "More than 2xx: check redirects for loops, and links to folders without their final slash") \
	X(COUNTER, uint64_t, responses_4xx, , "responses", BRIEF, "Responses with a 4xx status",   \
	  "A jump: broken links after a deployment, or a scan. The access log of the server tells which") \
	X(COUNTER, uint64_t, responses_5xx, , "responses", BRIEF, "Responses with a 5xx status",   \
	  "Should stay near 0: the error log says why, mostly files or folders that the worker's user may not read") \
	X(COUNTER, uint64_t, bytes_in, , "bytes", BRIEF, "Bytes of requests",                      \
	  "Large where nothing is uploaded: lower max_body of its locations")                      \
	X(COUNTER, uint64_t, bytes_out, , "bytes", BRIEF, "Bytes of responses",                    \
	  "What the site costs in traffic. precompressed = true and cache_control lower it")

#define UPSTREAM_FIELDS(X)                                                                         \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row", "")                            \
	X(ID, uint32_t, used, , "", DEBUG, "1 while the configuration names the upstream", "")         \
	X(COUNTER, uint64_t, turn, , "", DEBUG, "Turns of round robin over all workers (several writers: atomic add)", "For finding faults in the balance only") \
	X(GAUGE, uint64_t, retry_spent, , "", FULL, "Retries of late that requests have not paid back, in hundredths of one (several writers: compare and swap)", "retry_budget { percent } of a request is paid back by each; at 500 times that only retry_budget { min } are allowed") \
	X(TIME, uint64_t, retry_allowed_us, , "us", DEBUG, "Until when the retries that are allowed anyway are used up (several writers: compare and swap)", "See retry_budget { min }") \
	X(COUNTER, uint64_t, retry_budget_exhausted, , "requests", BRIEF, "Requests that were not tried again because the retry budget was used up (several writers: atomic add)", "More peers fail than retries can hide: see droverctl upstreams for which. Raising retry_budget would add load to those that are left") \
	X(TIME, uint64_t, waiting_us, , "us", DEBUG, "Since when the request waits that has waited for longest in the queues of all workers; 0 = none (several writers: compare and swap)", "Long ago: see queued and the max_conns of its peers") \
	X(ID, uint32_t, queue_size, , "requests", FULL, "Requests that may wait in each worker; 0 = there is no queue", "") \
	X(TEXT, char, name, [64], "", BRIEF, "Name of the upstream section, or of the one peer that a location names", "") \
	X(TEXT, char, balance, [96], "", BRIEF, "How requests are spread, as configured", "")

#define UPSTREAM_TRAFFIC_FIELDS(X)                                                                 \
	X(GAUGE, uint64_t, queued, , "requests", BRIEF, "Requests that wait because every peer that is well has max_conns of them in hand", "Above 0 for long: the peers are too few or too slow; more max_conns helps only if they can bear it") \
	X(COUNTER, uint64_t, waited, , "requests", BRIEF, "Requests that were given to a peer after they had waited", "Compare it with the requests of the peers, and see wait for how long") \
	X(COUNTER, uint64_t, queue_full, , "requests", BRIEF, "Requests answered with 503 because the queue was full", "Overload: more peers, or faster ones. A longer queue { size } only makes clients wait for longer") \
	X(COUNTER, uint64_t, queue_expired, , "requests", BRIEF, "Requests answered with 504 because queue { wait }, or their own time, passed while they waited; no peer has seen them", "As queue_full") \
	X(COUNTER, uint64_t, queue_left, , "requests", FULL, "Requests whose client went away, or that no peer was left for, while they waited", "Clients that are less patient than queue { wait }: lower it") \
	X(COUNTER, uint64_t, wait_sum, , "us", FULL, "Sum of the times that requests waited for a peer", "Over waited it is the mean")                \
	X(HIST, uint64_t, wait, [HIST_BUCKETS], "us", BRIEF, "Time that requests waited until they were given to a peer", "What max_conns costs those who wait")

/* The shared words share a line that the workers write; nothing that they read is beside them. A
 * worker that dies leaves its part in `active`: whoever buries it takes that off again, which is
 * what stands in `active` of its peer_traffic row. */
#define PEER_FIELDS(X)                                                                             \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row", "")                            \
	X(ID, uint32_t, used, , "", DEBUG, "1 while the configuration names the peer", "")             \
	X(GAUGE, uint64_t, active, , "requests", BRIEF, "Requests in hand over all workers (several writers: atomic add)", "At max_conns the peer is full: others take over, or requests wait; one far above its like is slow") \
	X(ID, uint64_t, answer_time, , "", DEBUG, "Of least_time: when (ms) in the upper half, average time to an answer's head (us) in the lower (several writers: compare and swap)", "") \
	X(GAUGE, uint64_t, fails, , "", FULL, "Failures in a row (several writers: atomic add; 0 by success)", "At max_fails the peer is left alone for fail_time") \
	X(TIME, uint64_t, failed_us, , "us", FULL, "When the failures in a row began (several writers: atomic exchange)", "See fails") \
	X(TIME, uint64_t, failed_until_us, , "us", BRIEF, "Until when the peer is left alone; 0 = it is not (several writers: atomic exchange)", "The peer failed max_fails times: look at it, and at connect_failures and timeouts") \
	X(COUNTER, uint64_t, ejections, , "", FULL, "Times the peer was left alone for its failures (several writers: atomic add)", "Growing: the peer comes and goes; look at its own log") \
	X(TIME, uint64_t, trial_us, , "us", FULL, "When a peer left alone that has not answered since gets its next request; 0 = it has (several writers: atomic exchange)", "") \
	X(GAUGE, uint64_t, eject_series, , "", FULL, "Times in a row that the peer was left alone, each twice as long as the one before (several writers: atomic exchange)", "Forgiven step by step while the peer is well; droverctl peer UPSTREAM PEER up forgives it at once") \
	X(ID, uint64_t, rate_now, , "", DEBUG, "Requests and errors of this half of error_window (several writers: compare and swap)", "") \
	X(ID, uint64_t, rate_before, , "", DEBUG, "Requests and errors of the half before (several writers: atomic exchange)", "") \
	X(TIME, uint64_t, returned_us, , "us", FULL, "When the peer came (back) into its pool; slow_start begins then, or at failed_until_us (several writers: atomic exchange)", "") \
	X(ENUM, uint64_t, told, , "peer_order", BRIEF, "What droverctl peer said of it (several writers: atomic exchange)", "drain: no new requests; down: none at all. droverctl peer UPSTREAM PEER up takes it back") \
	X(GAUGE, uint64_t, told_weight, , "", FULL, "Weight that droverctl peer gave it, plus one; 0 = as configured (several writers: atomic exchange)", "droverctl peer UPSTREAM PEER weight default takes it back") \
	X(TIME, uint64_t, told_us, , "us", FULL, "When droverctl peer last changed it (several writers: atomic exchange)", "") \
	X(ID, uint64_t, told_uid, , "", FULL, "User who did (several writers: atomic exchange)", "") \
	X(ENUM, uint32_t, check_state, , "check_state", BRIEF, "What the checks say of the peer, until check_until_us", "down: as many checks in a row failed as fall says, and no requests go there. check_reason says why; see the peer's own log") \
	X(ENUM, uint32_t, check_reason, , "check_reason", FULL, "Why the last check that failed did", "check_detail has the error number or status that belongs to it") \
	X(ID, uint64_t, check_detail, , "", FULL, "What belongs to check_reason: an error number or a status", "") \
	X(TIME, uint64_t, check_until_us, , "us", FULL, "Until when check_state counts; then the peer counts as unknown, which is up", "In the past: the prober does not check any more, see prober_beat_us") \
	X(TIME, uint64_t, checked_us, , "us", FULL, "When the last check ended", "Longer ago than interval and timeout: the prober hangs, see prober_beat_us") \
	X(GAUGE, uint64_t, check_took_us, , "us", FULL, "How long the last check took", "Near timeout: the peer is about to fail its checks for being slow") \
	X(COUNTER, uint64_t, checks, , "", FULL, "Checks done", "Standing still with check {} configured: see prober_beat_us") \
	X(COUNTER, uint64_t, check_failures, , "", FULL, "Checks that failed", "Growing: check_reason says why the last one did; one that fails now and then is a peer near its limit") \
	X(COUNTER, uint64_t, check_falls, , "", FULL, "Times the checks brought the peer down", "Often: the peer comes and goes. See its own log, or raise fall or timeout if it only is slow at times") \
	X(ID, uint32_t, weight, , "", BRIEF, "Its share of the requests, against its like", "")        \
	X(ID, uint32_t, max_conns, , "requests", FULL, "Most requests in hand over all workers; 0 = no limit", "") \
	X(ID, uint16_t, backup, , "", FULL, "1: used when no other peer is well", "")                   \
	X(ID, uint16_t, down, , "", BRIEF, "1: configured as down, not used", "")                       \
	X(ID, uint16_t, check_on, , "", FULL, "1: its upstream has a check {}", "")                     \
	X(ID, uint16_t, resolved, , "", FULL, "1: its address was known when the configuration was loaded; else see peer_address", "") \
	X(ID, uint16_t, named, , "", FULL, "1: its address is a name, which is looked up again and again: see peer_address", "") \
	X(COUNTER, uint64_t, lookups, , "", FULL, "Times its name was looked up", "Many a minute: the name has a short TTL; resolve { min } bounds it") \
	X(COUNTER, uint64_t, lookup_failures, , "", FULL, "Times its name could not be looked up: the address of before stays in use", "Growing: look at the name servers; the error log and droverctl upstreams say what they answer") \
	X(COUNTER, uint64_t, address_changes, , "", FULL, "Times the name had another address", "Nothing to do: new connections go to the new address") \
	X(ID, uint32_t, upstream_row, , "", DEBUG, "Row of its upstream", "")                          \
	X(TEXT, char, upstream, [64], "", BRIEF, "Name of its upstream", "")                           \
	X(TEXT, char, address, [112], "", BRIEF, "Address as configured: host:port, [host]:port or unix:path", "")

/* Beside each peer: where its name leads. All words of a row are written by the prober alone, or by the master while there is none. */
#define PEER_ADDRESS_FIELDS(X)                                                                     \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row: odd while it is being written", "") \
	X(ID, uint32_t, mark, , "", DEBUG, "Stands for the address: connections remember with which one they were opened", "") \
	X(ID, uint32_t, other_mark, , "", DEBUG, "The same for the other address; 0 = none", "")       \
	X(ID, uint16_t, family, , "", FULL, "4 or 6; 0: the name has not been resolved yet", "")       \
	X(ID, uint16_t, other_family, , "", FULL, "Of the other address; 0 = none", "")                \
	X(ADDR, uint8_t, addr, [16], "", FULL, "Address in use", "")                                   \
	X(ADDR, uint8_t, other, [16], "", FULL, "First address of the other family, tried when the one in use refuses", "") \
	X(TIME, uint64_t, resolved_us, , "us", FULL, "When the name was last resolved", "Long ago: see failing_us") \
	X(TIME, uint64_t, changed_us, , "us", FULL, "When the address last changed", "")               \
	X(TIME, uint64_t, failing_us, , "us", FULL, "Since when the name cannot be looked up; 0 = it can", "Look at the name servers: until they answer, the address of before stays in use") \
	X(TIME, uint64_t, next_us, , "us", FULL, "When the name is looked up next", "")                \
	X(GAUGE, uint64_t, ttl_ms, , "ms", FULL, "How long the answer is good for, as far as resolve { min, max } lets it", "A short one has the name looked up often; the zone's owner sets it") \
	X(TEXT, char, text, [64], "", BRIEF, "Address in use, with the port", "")                      \
	X(TEXT, char, error, [64], "", BRIEF, "Why the name could not be looked up; empty = it could", "")

#define PEER_TRAFFIC_FIELDS(X)                                                                     \
	X(GAUGE, uint64_t, open, , "conns", BRIEF, "Open connections, idle ones included", "Far more than idle and active together: connections that hang in connect")         \
	X(GAUGE, uint64_t, idle, , "conns", BRIEF, "Connections kept for the next request", "0 with many connects: raise keepalive.conns of the upstream")        \
	X(GAUGE, uint64_t, active, , "requests", BRIEF, "Requests in hand", "The part of this worker in active of the peer")                        \
	X(ID, uint32_t, counting, , "", DEBUG, "Grows with each change of active, odd while it and active of the peer are being changed", "") \
	X(COUNTER, uint64_t, requests, , "requests", BRIEF, "Requests sent to the peer, retries included", "Compare it with the weights of its upstream") \
	X(COUNTER, uint64_t, responses_2xx, , "responses", BRIEF, "Answers with a 2xx status", "")     \
	X(COUNTER, uint64_t, responses_3xx, , "responses", BRIEF, "Answers with a 3xx status", "")     \
	X(COUNTER, uint64_t, responses_4xx, , "responses", BRIEF, "Answers with a 4xx status", "On one of several peers only: it may run another version")     \
	X(COUNTER, uint64_t, responses_5xx, , "responses", BRIEF, "Answers with a 5xx status", "The peer itself says that it fails: its own log knows why") \
	X(COUNTER, uint64_t, connects, , "conns", FULL, "Connections opened", "Nearly one for each request: raise keepalive.conns, or the peer closes early")                      \
	X(COUNTER, uint64_t, connect_failures, , "conns", BRIEF, "Connections that could not be opened", "The peer is not there, refuses, or its backlog is full") \
	X(COUNTER, uint64_t, timeouts, , "", BRIEF, "Times the deadline connect, response or between passed", "The peer is overloaded or hangs, or the deadline is too short for what it does") \
	X(COUNTER, uint64_t, bad_responses, , "responses", BRIEF, "Answers that were no proper or no whole HTTP response", "The error log says what was wrong") \
	X(COUNTER, uint64_t, retries, , "requests", FULL, "Requests that came here after another peer failed them", "See which peer of the upstream fails") \
	X(COUNTER, uint64_t, cancelled, , "requests", FULL, "Requests given up because the client went away or its time was up", "The peer is slower than clients are patient") \
	X(COUNTER, uint64_t, bytes_in, , "bytes", BRIEF, "Bytes read from the peer", "For capacity planning")               \
	X(COUNTER, uint64_t, bytes_out, , "bytes", BRIEF, "Bytes written to the peer", "For capacity planning")             \
	X(COUNTER, uint64_t, reused, , "requests", FULL, "Requests sent over a kept connection", "Far below requests: raise keepalive.conns, or keepalive.idle is longer than the peer keeps them")   \
	X(HIST, uint64_t, latency, [HIST_BUCKETS], "us", BRIEF, "Time from sending the request until its answer was read whole", "Far above its like: take the peer out with down = true and look at it") \
	X(COUNTER, uint64_t, latency_sum, , "us", DEBUG, "All these times together", "Divided by the count of latency it is the average")

/* The public half of a connection's record. Its index is the index of the private half in the worker's arena. */
#define CONN_FIELDS(X)                                                                             \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row: odd while it is being written", "") \
	X(ENUM, uint8_t, state, , "conn_state", BRIEF, "What the connection waits for",            \
	  "head and body for long: a slow or hostile client. send for long: it does not read. The deadlines of the same names end them") \
	X(ID, uint8_t, family, , "", DEBUG, "4, 6, or 1 for a unix socket", "")                        \
	X(ID, uint16_t, port, , "", BRIEF, "Port of the client", "")                                   \
	X(ID, uint64_t, id, , "", BRIEF, "Number of the connection, never used again", "")             \
	X(ADDR, uint8_t, peer, [16], "", BRIEF, "Address of the client", "")                           \
	X(ID, uint32_t, fd, , "", FULL, "Descriptor number in the worker; 4294967295 once it is closed", "")                         \
	X(ID, uint16_t, listener, , "", BRIEF, "Listener row that it came in by", "")                  \
	X(ID, uint16_t, status, , "", BRIEF, "Status of the response under way, or of the last one", "") \
	X(ID, uint32_t, server, , "", BRIEF, "Server row of the request, plus one; 0 = not known yet", "") \
	X(COUNTER, uint32_t, requests, , "requests", BRIEF, "Requests begun on this connection",   \
	  "Near keepalive { requests }: the next response closes the connection")                  \
	X(TIME, uint64_t, accepted_us, , "us", BRIEF, "When it was accepted", "")                      \
	X(TIME, uint64_t, since_us, , "us", BRIEF, "When it came into its state", "")                  \
	X(TIME, uint64_t, deadline_us, , "us", BRIEF, "When its state expires; 0 = never",         \
	  "In the past by more than a second: its worker hangs")                                   \
	X(TIME, uint64_t, request_us, , "us", BRIEF, "First byte of the request under way; 0 = none", \
	  "Long ago: a slow download, or a request that should have a deadline: set deadlines { request }") \
	X(COUNTER, uint64_t, bytes_in, , "bytes", BRIEF, "Bytes read",                             \
	  "Much in state body: an upload. droverctl conns state=body -s in shows the largest")     \
	X(COUNTER, uint64_t, bytes_out, , "bytes", BRIEF, "Bytes written",                         \
	  "Not growing in state send: the client does not read, and deadlines { send } or min_rate will end it") \
	X(ID, uint64_t, request_high, , "", FULL, "Id of the request under way, or of the last one: first half", "") \
	X(ID, uint64_t, request_low, , "", FULL, "Id of the request: second half", "")                 \
	X(ID, uint64_t, trace_high, , "", FULL, "Trace of the request (W3C trace-id): first half", "") \
	X(ID, uint64_t, trace_low, , "", FULL, "Trace of the request: second half", "")                \
	X(GAUGE, uint32_t, limit_ms, , "ms", FULL, "Time that a believed client gave its request, from request_us on; 0 = it said none", \
	  "The smaller of this and deadlines { request } ends the request; what is left is told to the peer") \
	X(ID, uint8_t, id_form, , "", FULL, "How the request's id is written: 0 none, 1 hex, 2 UUID, 3 characters, 4 the first 16 of more", "") \
	X(ID, uint8_t, trace_flags, , "", FULL, "Trace flags; bit 0: sampled, bit 7: the trace came with the request", "") \
	X(TEXT, char, request, LAYOUT_REQUEST, "", BRIEF, "Method and target of the request under way, or of the last one, cut", "")

/* Rows of the tables above as fields of a worker. */
#define CLOSE_REASON_FIELD(X, sym, name, help, advice)                                             \
	X(COUNTER, uint64_t, close_##name, , "conns", FULL, "Connections ended: " help, advice)
#define DEADLINE_FIELD(X, sym, name, advice)                                                       \
	X(COUNTER, uint64_t, expired_##name, , "", FULL, "Times the deadline '" #name "' passed", advice)
#define DEADLINE_SETTING_FIELD(X, sym, name, advice)                                               \
	X(GAUGE, uint64_t, deadline_##name##_ms, , "ms", FULL, "The deadline '" #name "' in force (that of min_rate: min_rate_after); 0 = none", "droverctl doctor says which settings contradict each other")
#define REFUSAL_FIELD(X, sym, name, status, help, advice)                                          \
	X(COUNTER, uint64_t, refused_##name, , "requests", FULL, "Requests refused: " help, advice)

/* As in enum x { CLOSE_REASONS(NAMED_SYMBOL, CLOSE_) }; and in a table of names. */
#define NAMED_SYMBOL(prefix, sym, ...) prefix##sym,
#define NAMED_TEXT(prefix, sym, name, ...) [prefix##sym] = #name,

/* clang-format on */

#endif
