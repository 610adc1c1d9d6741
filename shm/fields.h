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
 * helps
 *
 * One writer per word: the master writes master, listener, server, upstream and peer rows, a worker
 * its own worker, conn and *_traffic rows. The exception are the shared words of upstream and peer
 * rows, which all workers change by one atomic operation each (board_shared_add() and its like):
 * their help says "several writers". A field may be added anywhere: readers go by the description,
 * never by the struct.
 */
#ifndef DROVER_SHM_FIELDS_H
#define DROVER_SHM_FIELDS_H

/* One fact, one line. */
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
#define LAYOUT_REQUEST       [88]
#else
#define LAYOUT_TEST_ENUM(X)
#define LAYOUT_EARLY_STATE(X)
#define LAYOUT_LATE_STATE(X) X(LINGER, "linger")
#define LAYOUT_TEST_TABLE(X)
#define LAYOUT_RENAMES(X)
#define LAYOUT_TEST_FIELD(X)
#define LAYOUT_TEST_MEMBER
#define LAYOUT_REQUEST       [96]
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

/*
 * The next three tables take a second macro, which they hand to each row, so that a row can become
 * a field or an enum.
 *
 * Why a connection ended: each is a counter close_<name>. Y(X, SUFFIX, name, help)
 */
#define CLOSE_REASONS(Y, X)                                                                           \
	Y(X, CLIENT, client, "closed by the client between requests")                                 \
	Y(X, CLIENT_ABORT, client_abort, "closed by the client while a request or response was under way") \
	Y(X, RESET, reset, "reset by the client")                                                     \
	Y(X, NO_KEEPALIVE, no_keepalive, "the request asked for it, or HTTP/1.0 without keep-alive")  \
	Y(X, REQUEST_LIMIT, request_limit, "keepalive.requests reached")                              \
	Y(X, MAX_AGE, max_age, "keepalive.max_age reached")                                           \
	Y(X, REFUSED, refused, "after a message that was refused as malformed or too large")          \
	Y(X, EXPIRED, expired, "a deadline passed")                                                   \
	Y(X, DRAIN, drain, "drained: idle, or after its last response")                               \
	Y(X, FORCED, forced, "still busy when the drain deadline passed, or the daemon stopped at once") \
	Y(X, ADDRESS_LIMIT, address_limit, "max_conns_per_address reached")                           \
	Y(X, NO_ROOM, no_room, "no record, buffer or descriptor left")                                \
	Y(X, MOVED, moved, "handed over to another worker: the client notices nothing")                         \
	Y(X, LOST, lost, "lost with the worker that was serving it when it died")                     \
	Y(X, ERROR, error, "an error of the system or of a file while responding")

/* Deadlines, one for each state that waits, three for what a peer is waited for, and three for any: each is a counter expired_<name>. Y(X, SUFFIX, name) */
#define DEADLINES(Y, X)                                                                               \
	Y(X, HANDSHAKE, handshake)                                                                    \
	Y(X, IDLE, idle)                                                                              \
	Y(X, HEADER, header)                                                                          \
	Y(X, BODY, body)                                                                              \
	Y(X, REQUEST, request)                                                                        \
	Y(X, SEND, send)                                                                              \
	Y(X, RELAY_IDLE, relay_idle)                                                                  \
	Y(X, LINGER, linger)                                                                          \
	Y(X, CONNECT, connect)                                                                        \
	Y(X, RESPONSE, response)                                                                      \
	Y(X, BETWEEN, between)                                                                        \
	Y(X, MAX_AGE, max_age)                                                                        \
	Y(X, MIN_RATE, min_rate)

/*
 * Messages refused by the parser: each is a counter refused_<name>, RFC 9112 and 9110 sections
 * stand in the help. Y(X, SUFFIX, name, status, help)
 */
#define REFUSALS(Y, X)                                                                                \
	Y(X, METHOD, method, 400, "request line: method is not a token (RFC 9112 3.1)")               \
	Y(X, TARGET, target, 400, "request line: target malformed (RFC 9112 3.2)")                    \
	Y(X, VERSION, version, 400, "request line: not an HTTP version (RFC 9112 2.3)")               \
	Y(X, VERSION_UNSUPPORTED, version_unsupported, 505, "HTTP version other than 1.0 or 1.1")     \
	Y(X, LINE, line, 400, "bare CR or LF, or a space where none may be (RFC 9112 2.2)")           \
	Y(X, URI_TOO_LONG, uri_too_long, 414, "request target longer than max_uri")                   \
	Y(X, HEAD_TOO_LARGE, head_too_large, 431, "head longer than max_header")                      \
	Y(X, TOO_MANY_FIELDS, too_many_fields, 431, "more header fields than max_fields")             \
	Y(X, FIELD_NAME, field_name, 400, "field name is no token, or space before its colon (RFC 9112 5.1)") \
	Y(X, FIELD_VALUE, field_value, 400, "NUL, CR or other control character in a field value (RFC 9110 5.5)") \
	Y(X, FOLDING, folding, 400, "obsolete line folding (RFC 9112 5.2)")                           \
	Y(X, HOST_MISSING, host_missing, 400, "HTTP/1.1 request without Host (RFC 9112 3.2)")         \
	Y(X, HOST_SEVERAL, host_several, 400, "more than one Host field (RFC 9112 3.2)")              \
	Y(X, HOST, host, 400, "malformed Host (RFC 9110 7.2)")                                        \
	Y(X, LENGTH, length, 400, "malformed or conflicting Content-Length (RFC 9112 6.3)")           \
	Y(X, FRAMING, framing, 400, "Content-Length and Transfer-Encoding together (RFC 9112 6.1)")   \
	Y(X, TRANSFER_CODING, transfer_coding, 400, "Transfer-Encoding malformed, in HTTP/1.0, or chunked not last and once (RFC 9112 6.1)") \
	Y(X, CODING_UNSUPPORTED, coding_unsupported, 501, "transfer coding other than chunked (RFC 9112 6.1)") \
	Y(X, EXPECT, expect, 417, "expectation other than 100-continue (RFC 9110 10.1.1)")            \
	Y(X, CHUNK, chunk, 400, "malformed chunk (RFC 9112 7.1)")                                     \
	Y(X, CHUNK_EXTRA, chunk_extra, 400, "chunk extensions or trailers longer than 8 KiB in all")  \
	Y(X, BODY_TOO_LARGE, body_too_large, 413, "body longer than max_body")                        \
	Y(X, PATH, path, 400, "path: bad escape, encoded slash or NUL, overlong UTF-8, or climbing above the root")

/* The tables of the board, one row struct each. */

#define MASTER_FIELDS(X)                                                                           \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row: odd while it is being written", "") \
	X(ENUM, uint32_t, state, , "master_state", BRIEF, "What the master is doing", "")              \
	X(ID, uint64_t, pid, , "", BRIEF, "Process id of the master", "")                              \
	X(ID, uint64_t, generation, , "", BRIEF, "Configuration generation: grows by one with each reload", "") \
	X(TIME, uint64_t, started_us, , "us", BRIEF, "When the master started", "")                    \
	X(TIME, uint64_t, configured_us, , "us", BRIEF, "When the configuration in force was loaded", "") \
	X(TIME, uint64_t, beat_us, , "us", FULL, "The master's heartbeat", "")                         \
	X(GAUGE, uint64_t, workers_wanted, , "workers", BRIEF, "Workers configured, with TTIN and TTOU", "") \
	X(GAUGE, uint64_t, drain_ms, , "ms", FULL, "The drain setting in force", "")                         \
	X(GAUGE, uint64_t, slots, , "slots", DEBUG, "Slots that the board has room for", "")           \
	X(GAUGE, uint64_t, listeners, , "listeners", FULL, "Listener rows in use", "")                 \
	X(GAUGE, uint64_t, servers, , "servers", FULL, "Server rows in use", "")                       \
	X(COUNTER, uint64_t, worker_starts, , "workers", FULL, "Workers started", "")                  \
	X(COUNTER, uint64_t, worker_deaths, , "workers", BRIEF, "Workers that died unasked: exit, signal or hang", "") \
	X(COUNTER, uint64_t, worker_hangs, , "workers", BRIEF, "Workers ended because their heartbeat stopped", "") \
	X(COUNTER, uint64_t, fork_failures, , "", FULL, "Workers that could not be started for want of resources", "") \
	X(COUNTER, uint64_t, gossip, , "messages", DEBUG, "Messages from children that made no sense", "") \
	X(COUNTER, uint64_t, reloads, , "reloads", BRIEF, "Reloads asked for", "")                     \
	X(COUNTER, uint64_t, reload_failures, , "reloads", BRIEF, "Reloads that changed nothing because they failed", "") \
	X(ENUM, uint32_t, reload_result, , "result", BRIEF, "What came of the last reload", "")        \
	X(TIME, uint64_t, reload_us, , "us", BRIEF, "When the last reload ended", "")                  \
	X(COUNTER, uint64_t, upgrades, , "upgrades", BRIEF, "Upgrades in place asked for", "")         \
	X(COUNTER, uint64_t, upgrade_failures, , "upgrades", BRIEF, "Upgrades that left the old program serving", "") \
	X(ENUM, uint32_t, upgrade_result, , "result", BRIEF, "What came of the last upgrade", "")      \
	X(TIME, uint64_t, upgrade_us, , "us", BRIEF, "When the last upgrade ended", "")                \
	X(COUNTER, uint64_t, rebalances, , "", FULL, "Times idle connections were spread anew over the workers", "") \
	X(ENUM, uint32_t, rebalance_result, , "result", FULL, "What came of the last rebalancing", "") \
	X(COUNTER, uint64_t, rebalanced, , "conns", FULL, "Connections that changed their worker by rebalancing", "") \
	X(COUNTER, uint64_t, reopens, , "", FULL, "Times the logs were reopened", "")                  \
	X(ENUM, uint32_t, reopen_result, , "result", FULL, "What came of the last reopening", "")      \
	X(TEXT, char, reload_error, [512], "", BRIEF, "Why the last reload failed: file, line, reason", "") \
	X(TEXT, char, upgrade_error, [512], "", BRIEF, "Why the last upgrade failed", "")              \
	X(TEXT, char, config, [256], "", BRIEF, "Configuration file in force", "")                     \
	X(TEXT, char, version, [32], "", BRIEF, "Version of the master", "")

/* Counters come in cache lines of their own: the row's stride is a multiple of 64. */
#define WORKER_FIELDS(X)                                                                           \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row's identity: odd while it is being written", "") \
	X(ENUM, uint32_t, state, , "worker_state", BRIEF, "What the worker is doing", "")              \
	X(ID, uint32_t, slot, , "", BRIEF, "Slot that the worker fills", "")                           \
	X(ID, uint32_t, generation, , "", BRIEF, "Configuration generation that the worker serves", "") \
	X(ID, uint64_t, pid, , "", BRIEF, "Process id of the worker", "")                              \
	X(TIME, uint64_t, started_us, , "us", BRIEF, "When the worker started", "")                    \
	X(TIME, uint64_t, drain_us, , "us", BRIEF, "When the worker was told to drain", "")            \
	X(ID, uint32_t, touching, , "", FULL, "Connection row being worked on, plus one; 0 = none", "") \
	X(ID, uint32_t, conns_high, , "", DEBUG, "Connection rows of this worker ever used: readers need look no further", "") \
	X(TIME, uint64_t, beat_us, , "us", BRIEF, "Heartbeat: the start of the last turn of the event loop", "") \
	X(COUNTER, uint64_t, turns, , "turns", FULL, "Turns of the event loop", "")                    \
	X(COUNTER, uint64_t, events, , "events", FULL, "Events served by the event loop", "")          \
	X(GAUGE, uint64_t, lag_us, , "us", FULL, "Length of the last second's longest turn of the event loop", "") \
	X(HIST, uint64_t, turn, [HIST_BUCKETS], "us", FULL, "Length of each turn of the event loop", "") \
	X(GAUGE, uint64_t, conns, , "conns", BRIEF, "Open client connections", "")                     \
	X(GAUGE, uint64_t, conns_idle, , "conns", BRIEF, "Connections waiting for their next request", "") \
	X(GAUGE, uint64_t, conns_max, , "conns", FULL, "Most connections that this worker may hold", "") \
	X(GAUGE, uint64_t, fds, , "fds", FULL, "Descriptors that the worker's records and caches hold", "") \
	X(GAUGE, uint64_t, fds_max, , "fds", FULL, "Limit of descriptors (RLIMIT_NOFILE)", "")         \
	X(GAUGE, uint64_t, buffers, , "bytes", FULL, "Buffer bytes in use", "")                        \
	X(GAUGE, uint64_t, buffers_resident, , "bytes", FULL, "Buffer bytes in use or kept for the next use", "") \
	X(COUNTER, uint64_t, buffer_failures, , "", FULL, "Times no buffer was left", "")              \
	X(COUNTER, uint64_t, accepts, , "conns", BRIEF, "Connections accepted", "")                    \
	X(COUNTER, uint64_t, accept_retries, , "", FULL, "accept: EINTR, ECONNABORTED and network errors, tried again at once", "") \
	X(COUNTER, uint64_t, accept_no_fds, , "", BRIEF, "accept: EMFILE or ENFILE, no descriptor left", "") \
	X(COUNTER, uint64_t, accept_no_memory, , "", FULL, "accept: ENOBUFS or ENOMEM", "")            \
	X(COUNTER, uint64_t, accept_no_records, , "", BRIEF, "accept stopped because worker_connections was reached", "") \
	X(COUNTER, uint64_t, accept_pauses, , "", BRIEF, "Times accepting paused for want of resources", "") \
	X(COUNTER, uint64_t, accept_turned_away, , "conns", FULL, "Connections closed at once with the reserve descriptor", "") \
	X(COUNTER, uint64_t, requests, , "requests", BRIEF, "Requests answered", "")                   \
	X(COUNTER, uint64_t, requests_started, , "requests", FULL, "Requests whose head was read", "") \
	X(COUNTER, uint64_t, responses_1xx, , "responses", FULL, "Interim responses sent", "")         \
	X(COUNTER, uint64_t, responses_2xx, , "responses", BRIEF, "Responses with a 2xx status", "")   \
	X(COUNTER, uint64_t, responses_3xx, , "responses", BRIEF, "Responses with a 3xx status", "")   \
	X(COUNTER, uint64_t, responses_4xx, , "responses", BRIEF, "Responses with a 4xx status", "")   \
	X(COUNTER, uint64_t, responses_5xx, , "responses", BRIEF, "Responses with a 5xx status", "")   \
	X(COUNTER, uint64_t, bytes_in, , "bytes", BRIEF, "Bytes read from clients", "")                \
	X(COUNTER, uint64_t, bytes_out, , "bytes", BRIEF, "Bytes written to clients", "")              \
	X(HIST, uint64_t, latency, [HIST_BUCKETS], "us", BRIEF, "Time of each request, from its first byte to the last byte written", "") \
	X(COUNTER, uint64_t, body_bytes_discarded, , "bytes", FULL, "Request body bytes that nobody wanted", "") \
	X(COUNTER, uint64_t, access_denied, , "requests", FULL, "Requests refused by allow and deny", "") \
	X(COUNTER, uint64_t, file_cache_hits, , "", FULL, "Files found in the open-file cache", "")    \
	X(COUNTER, uint64_t, file_cache_misses, , "", FULL, "Files opened", "")                        \
	X(GAUGE, uint64_t, file_cache_entries, , "files", FULL, "Files in the open-file cache", "")    \
	X(COUNTER, uint64_t, file_errors, , "", FULL, "Files that vanished, shrank or failed while they were sent", "") \
	X(COUNTER, uint64_t, log_lines, , "lines", FULL, "Access log lines written", "")               \
	X(COUNTER, uint64_t, log_lines_lost, , "lines", BRIEF, "Access log lines lost because the log could not be written", "") \
	X(COUNTER, uint64_t, takeovers, , "", BRIEF, "Times the standby took over from a worker that died", "")                         \
	X(COUNTER, uint64_t, moved_in, , "conns", BRIEF, "Connections taken over from another worker", "")                         \
	X(COUNTER, uint64_t, moved_refused, , "conns", FULL, "Connections that could not be handed over and drain in place", "")                         \
	X(COUNTER, uint64_t, drained_idle, , "conns", FULL, "Connections closed idle by a drain", "")  \
	X(COUNTER, uint64_t, drained_finished, , "conns", FULL, "Connections that ended with their response during a drain", "") \
	X(COUNTER, uint64_t, drained_forced, , "conns", FULL, "Connections cut at the end of a drain", "") \
	X(GAUGE, uint64_t, up_conns, , "conns", FULL, "Open connections to peers, idle ones included", "At upstream_connections requests wait or fail: raise it, or lower keepalive.conns of the upstreams") \
	X(GAUGE, uint64_t, up_idle, , "conns", FULL, "Connections to peers kept for the next request", "See idle of the peers") \
	X(COUNTER, uint64_t, up_connects, , "conns", FULL, "Connections to peers opened", "Many for few requests: raise keepalive.conns of the upstream, or the peer closes its connections early") \
	X(COUNTER, uint64_t, up_reused, , "requests", FULL, "Requests sent over a kept connection to a peer", "Far below the requests of locations with a proxy: see up_connects") \
	X(COUNTER, uint64_t, up_retries, , "requests", FULL, "Requests tried again on another peer", "It grows while a peer is down or restarts; steadily without that, see droverctl upstreams for the peer that fails") \
	X(COUNTER, uint64_t, up_cancelled, , "requests", FULL, "Requests to peers given up because the client went away or its time was up", "Clients that give up: peers are slower than clients are patient") \
	X(COUNTER, uint64_t, up_bad_responses, , "responses", BRIEF, "Answers of peers that were no proper or no whole HTTP response", "Each was a 502 or was cut: the error log names the peer and what was wrong") \
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
	X(GAUGE, uint64_t, queue, , "conns", BRIEF, "Connections in the accept queue (TCP_INFO), read once a second", "") \
	X(GAUGE, uint64_t, queue_max, , "conns", BRIEF, "Limit of the accept queue", "")

#define LISTENER_TRAFFIC_FIELDS(X)                                                                 \
	X(COUNTER, uint64_t, accepts, , "conns", BRIEF, "Connections accepted", "")                    \
	X(GAUGE, uint64_t, conns, , "conns", BRIEF, "Open connections", "")

#define SERVER_FIELDS(X)                                                                           \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row", "")                            \
	X(ID, uint32_t, used, , "", DEBUG, "1 while the configuration names the server", "")           \
	X(TEXT, char, name, [64], "", BRIEF, "Name of the server section", "")

#define SERVER_TRAFFIC_FIELDS(X)                                                                   \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(COUNTER, uint64_t, requests, , "requests", BRIEF, "Requests answered", "")                   \
	X(COUNTER, uint64_t, responses_2xx, , "responses", BRIEF, "Responses with a 2xx status", "")   \
	X(COUNTER, uint64_t, responses_3xx, , "responses", BRIEF, "Responses with a 3xx status", "")   \
	X(COUNTER, uint64_t, responses_4xx, , "responses", BRIEF, "Responses with a 4xx status", "")   \
	X(COUNTER, uint64_t, responses_5xx, , "responses", BRIEF, "Responses with a 5xx status", "")   \
	X(COUNTER, uint64_t, bytes_in, , "bytes", BRIEF, "Bytes of requests", "")                      \
	X(COUNTER, uint64_t, bytes_out, , "bytes", BRIEF, "Bytes of responses", "")

#define UPSTREAM_FIELDS(X)                                                                         \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row", "")                            \
	X(ID, uint32_t, used, , "", DEBUG, "1 while the configuration names the upstream", "")         \
	X(COUNTER, uint64_t, turn, , "", DEBUG, "Turns of round robin over all workers (several writers: atomic add)", "For finding faults in the balance only") \
	X(TEXT, char, name, [64], "", BRIEF, "Name of the upstream section, or of the one peer that a location names", "") \
	X(TEXT, char, balance, [96], "", BRIEF, "How requests are spread, as configured", "")

/* The shared words share a line that the workers write; nothing that they read is beside them. A
 * worker that dies leaves its part in `active`: whoever buries it takes that off again, which is
 * what stands in `active` of its peer_traffic row. */
#define PEER_FIELDS(X)                                                                             \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row", "")                            \
	X(ID, uint32_t, used, , "", DEBUG, "1 while the configuration names the peer", "")             \
	X(GAUGE, uint64_t, active, , "requests", BRIEF, "Requests in hand over all workers (several writers: atomic add)", "At max_conns the peer is full: others take over, or requests wait; one far above its like is slow") \
	X(GAUGE, uint64_t, fails, , "", FULL, "Failures in a row (several writers: atomic add; 0 by success)", "At max_fails the peer is left alone for fail_time") \
	X(TIME, uint64_t, failed_us, , "us", FULL, "When the failures in a row began (several writers: atomic exchange)", "See fails") \
	X(TIME, uint64_t, failed_until_us, , "us", BRIEF, "Until when the peer is left alone; 0 = it is not (several writers: atomic exchange)", "The peer failed max_fails times: look at it, and at connect_failures and timeouts") \
	X(COUNTER, uint64_t, ejections, , "", FULL, "Times the peer was left alone for its failures (several writers: atomic add)", "Growing: the peer comes and goes; look at its own log") \
	X(ID, uint32_t, weight, , "", BRIEF, "Its share of the requests, against its like", "")        \
	X(ID, uint32_t, max_conns, , "requests", FULL, "Most requests in hand over all workers; 0 = no limit", "") \
	X(ID, uint16_t, backup, , "", FULL, "1: used when no other peer is well", "")                   \
	X(ID, uint16_t, down, , "", BRIEF, "1: configured as down, not used", "")                       \
	X(ID, uint16_t, resolved, , "", FULL, "1: its address is known; 0: its name could not be resolved, not used", "Look at the name server, then reload") \
	X(ID, uint32_t, upstream_row, , "", DEBUG, "Row of its upstream", "")                          \
	X(TEXT, char, upstream, [64], "", BRIEF, "Name of its upstream", "")                           \
	X(TEXT, char, address, [112], "", BRIEF, "Address as configured: host:port, [host]:port or unix:path", "")

#define PEER_TRAFFIC_FIELDS(X)                                                                     \
	X(GAUGE, uint64_t, open, , "conns", BRIEF, "Open connections, idle ones included", "Far more than idle and active together: connections that hang in connect")         \
	X(GAUGE, uint64_t, idle, , "conns", BRIEF, "Connections kept for the next request", "0 with many connects: raise keepalive.conns of the upstream")        \
	X(GAUGE, uint64_t, active, , "requests", BRIEF, "Requests in hand", "The part of this worker in active of the peer")                        \
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
	X(HIST, uint64_t, latency, [HIST_BUCKETS], "us", BRIEF, "Time from sending the request until its answer was read whole", "Far above its like: take the peer out with down = true and look at it")

/* The public half of a connection's record. Its index is the index of the private half in the worker's arena. */
#define CONN_FIELDS(X)                                                                             \
	LAYOUT_TEST_FIELD(X)                                                                       \
	X(ID, uint32_t, seq, , "", DEBUG, "Sequence count of this row: odd while it is being written", "") \
	X(ENUM, uint8_t, state, , "conn_state", BRIEF, "What the connection waits for", "")            \
	X(ID, uint8_t, family, , "", DEBUG, "4, 6, or 1 for a unix socket", "")                        \
	X(ID, uint16_t, port, , "", BRIEF, "Port of the client", "")                                   \
	X(ID, uint64_t, id, , "", BRIEF, "Number of the connection, never used again", "")             \
	X(ADDR, uint8_t, peer, [16], "", BRIEF, "Address of the client", "")                           \
	X(ID, uint32_t, fd, , "", FULL, "Descriptor number in the worker", "")                         \
	X(ID, uint16_t, listener, , "", BRIEF, "Listener row that it came in by", "")                  \
	X(ID, uint16_t, status, , "", BRIEF, "Status of the response under way, or of the last one", "") \
	X(ID, uint32_t, server, , "", BRIEF, "Server row of the request, plus one; 0 = not known yet", "") \
	X(COUNTER, uint32_t, requests, , "requests", BRIEF, "Requests begun on this connection", "")   \
	X(TIME, uint64_t, accepted_us, , "us", BRIEF, "When it was accepted", "")                      \
	X(TIME, uint64_t, since_us, , "us", BRIEF, "When it came into its state", "")                  \
	X(TIME, uint64_t, deadline_us, , "us", BRIEF, "When its state expires; 0 = never", "")         \
	X(TIME, uint64_t, request_us, , "us", BRIEF, "First byte of the request under way; 0 = none", "") \
	X(COUNTER, uint64_t, bytes_in, , "bytes", BRIEF, "Bytes read", "")                             \
	X(COUNTER, uint64_t, bytes_out, , "bytes", BRIEF, "Bytes written", "")                         \
	X(TEXT, char, request, LAYOUT_REQUEST, "", BRIEF, "Method and target of the request under way, or of the last one, cut", "")

/* Rows of the tables above as fields of a worker. */
#define CLOSE_REASON_FIELD(X, sym, name, help)                                                     \
	X(COUNTER, uint64_t, close_##name, , "conns", FULL, "Connections ended: " help, "")
#define DEADLINE_FIELD(X, sym, name)                                                               \
	X(COUNTER, uint64_t, expired_##name, , "", FULL, "Times the deadline '" #name "' passed", "")
#define REFUSAL_FIELD(X, sym, name, status, help)                                                  \
	X(COUNTER, uint64_t, refused_##name, , "requests", FULL, "Requests refused: " help, "")

/* As in enum x { CLOSE_REASONS(NAMED_SYMBOL, CLOSE_) }; and in a table of names. */
#define NAMED_SYMBOL(prefix, sym, ...) prefix##sym,
#define NAMED_TEXT(prefix, sym, name, ...) [prefix##sym] = #name,

/* clang-format on */

#endif
