#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients that do not wait for ever, and what became of their requests.

    ghosts.py go HOST:PORT LIMITED_HOST:PORT RECORD SECONDS RATE LIMIT_MS
        makes requests with ids: half of them to the first address by clients that go away after a while of their own, the
        others to the second, where the server gives each LIMIT_MS; RECORD gets "sent ID TIME DEADLINE KIND" and
        "left ID TIME" or "answered ID TIME STATUS"
    ghosts.py count SLACK_MS RECORD PEER_RECORD...
        compares it with what peers noted (faulty.py), prints the account, fails if requests began at a peer later than
        SLACK_MS after their clients' deadlines. A few in a thousand may: a machine that does other things lets a loop stand
        still for a moment. If that is a long one, all that had to wait begins when it goes on: the two quarters of a second with
        most of them do not count. Of a proxy that did not look it would be a quarter, at any time.
"""
import random
import select
import socket
import sys
import time


class Client:
    def __init__(self, number, kind, address, limit):
        self.id = "%s%d" % (kind, number)
        self.kind = kind
        self.status = None
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.sent = time.time()
        self.deadline = self.sent + limit
        self.sock.send(b"GET /x HTTP/1.1\r\nHost: x\r\nX-Id: %s\r\n\r\n" % self.id.encode())


def go(first, second, record, seconds, rate, limit_ms):
    where = {}
    for kind, address in (("gone", first), ("late", second)):
        host, _, port = address.rpartition(":")
        where[kind] = (host, int(port))
    out = open(record, "w")
    epoll = select.epoll()
    clients = {}
    begin, number = time.time(), 0
    while True:
        now = time.time()
        if now - begin < float(seconds):
            while number < (now - begin) * float(rate):
                kind = ("gone", "late")[number % 2]
                limit = float(limit_ms) / 1000 if kind == "late" else random.choice((0.002, 0.02, 0.1, 0.35)) * (0.5 + random.random())
                c = Client(number, kind, where[kind], limit)
                clients[c.sock.fileno()] = c
                epoll.register(c.sock, select.EPOLLIN)
                print("sent", c.id, "%.6f %.6f" % (c.sent, c.deadline), kind, file=out)
                number += 1
        elif not clients:
            break
        for fd, _ in epoll.poll(0.001):
            c = clients.pop(fd)
            try:
                data = c.sock.recv(65536)
            except OSError:
                data = b""
            status = data.split(b" ")[1].decode() if data.startswith(b"HTTP/1.1 ") else "none"
            print("answered", c.id, "%.6f" % time.time(), status, file=out)
            c.sock.close()
        now = time.time()
        for fd, c in list(clients.items()):
            # Who was given a time waits for what it is told, for a while.
            if now > c.deadline + (5 if c.kind == "late" else 0):
                c.sock.close()
                print("left", c.id, "%.6f" % time.time(), file=out)
                del clients[fd]


def spread(times):
    """How many there are besides those of the two quarters of a second that have most."""
    moments = {}
    for at in times:
        moments[int(at * 4)] = moments.get(int(at * 4), 0) + 1
    return sum(sorted(moments.values())[:-2])


def count(slack_ms, record, *peers):
    slack = float(slack_ms) / 1000
    kind, deadline, left, status, answered = {}, {}, {}, {}, {}
    for line in open(record):
        w = line.split()
        if w[0] == "sent":
            deadline[w[1]], kind[w[1]] = float(w[3]), w[4]
        elif w[0] == "left":
            left[w[1]] = float(w[2])
        else:
            answered[w[1]], status[w[1]] = float(w[2]), w[3]
    for i, at in left.items():
        if kind[i] == "gone":
            deadline[i] = at  # what it said by closing, and not before
    # How late the time's passing is told shows what else the machine does.
    told = sorted(answered[i] - deadline[i] for i in status if status[i] == "504") or [0]
    late = sum(s == "504" for s in status.values())
    slack = max(slack, 2 * told[len(told) * 19 // 20])
    begun, ghosts, latest, cancelled, beyond = 0, [], -9e9, [], [(0, 0)]
    for path in peers:
        for line in open(path):
            w = line.split()
            if w[1] not in deadline:
                continue
            if w[0] == "begin":
                begun += 1
                after = float(w[2]) - deadline[w[1]]
                latest = max(latest, after)
                if after > slack:
                    ghosts.append(float(w[2]))
                if kind[w[1]] == "late":
                    assert int(w[3]) > 0, "no time said: " + line
                    beyond.append((float(w[2]) + int(w[3]) / 1000 - deadline[w[1]], float(w[2])))
            elif w[1] in left and kind[w[1]] == "gone":
                cancelled.append((float(w[2]) - left[w[1]], float(w[2])))
            elif status.get(w[1]) == "504":
                cancelled.append((float(w[2]) - answered[w[1]], float(w[2])))
    print("requests %d, begun at peers %d, clients gone %d, told 504 %d" % (len(deadline), begun, len(left), late))
    print("begun after the deadline: %d; latest %.1f ms after it" % (len(ghosts), latest * 1000))
    print("time said to peers: at most %.1f ms beyond the deadline" % (max(beyond)[0] * 1000))
    print("504 told at most %.1f ms after the deadline; slack %.1f ms" % (told[-1] * 1000, slack * 1000))
    cancelled.sort()
    print("cancelled at peers: %d; after %.1f ms (median), %.1f ms (longest)" % (
        len(cancelled), cancelled[len(cancelled) // 2][0] * 1000, cancelled[-1][0] * 1000))
    # Peers that hang have no answer given, so that each one that is cancelled is seen.
    few = begun // 200
    ok = spread(ghosts) <= few and left and late and spread(at for b, at in beyond if b > slack + 0.001) <= few
    ok = ok and begun >= 200 and spread(at for c, at in cancelled if c > slack + 0.05) <= few
    sys.exit(0 if ok else 1)


{"go": go, "count": count}[sys.argv[1]](*sys.argv[2:])
