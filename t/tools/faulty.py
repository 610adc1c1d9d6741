#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A peer for the proxy that fails in chosen ways, and keeps a record of what it was asked.

    faulty.py HOST:PORT MODES [RECORD]

MODES is a file with one or more of these words, of which each request draws one; it is read again whenever it is another one:
  well         200 and 1,024 bytes, whatever was asked; slow:MS after so long
  hang         nothing, ever
  drop, reset  closes, or resets, once the request was read
  once         a proper answer, then closes without having said so; onceset resets instead
  later        the same a few milliseconds later, when the next request may be on its way; laterset resets
  half         half a head, then closes; halfset resets
  trickle      a head a byte at a time, for four seconds
  garbage      what is no HTTP; lengths two lengths; early an answer, and another one that nobody asked for
  cut, cutset  a head and half of the body, then closes, or resets; cutchunk in chunks
  stall        a head and half of the body, then nothing
  drip         a proper answer, the body a byte at a time
  shut         connections are reset as soon as they are accepted

RECORD gets a line for each request, and one when its connection ends before it was answered; times are seconds since the
epoch, that of a request is when its last segment reached this machine:
  begin ID TIME TIMEOUT_MS    (ID: X-Id; TIMEOUT_MS: X-Request-Timeout-Ms, 0: none)
  end ID TIME
"""
import heapq
import os
import random
import select
import socket
import struct
import sys
import time

SO_TIMESTAMPNS = 35
BODY = b"x" * 1024
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + BODY
GARBAGE = (b"this is not HTTP\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n",
           b"\r\n" * 5, b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\n X: folded\r\n\r\n")


class Modes:
    def __init__(self, path):
        self.path, self.stamp, self.words = path, None, ["well"]

    def draw(self):
        about = os.stat(self.path)
        stamp = about.st_ino, about.st_mtime_ns
        if stamp != self.stamp:
            with open(self.path) as f:
                words = f.read().split()
            if words:
                self.words, self.stamp = words, stamp
        return random.choice(self.words)


class Conn:
    def __init__(self, sock):
        self.sock, self.got, self.asked, self.closed = sock, b"", None, False


class Peer:
    def __init__(self, address, modes, record):
        host, _, port = address.rpartition(":")
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, int(port)))
        self.listener.listen(1000)
        self.listener.setblocking(False)
        self.modes, self.record = Modes(modes), open(record, "a") if record else None
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.conns, self.timers, self.number = {}, [], 0
        print("listening %s:%d" % self.listener.getsockname(), flush=True)

    def after(self, seconds, call, *args):
        self.number += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.number, call, args))

    def note(self, *words):
        if self.record:
            print(*words, file=self.record, flush=True)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            c = Conn(sock)
            self.conns[sock.fileno()] = c
            self.epoll.register(sock, select.EPOLLIN)
            if self.modes.draw() == "shut":
                self.close(c, True)

    def close(self, c, reset=False):
        if c.closed:
            return
        c.closed = True
        if c.asked is not None:
            self.note("end", c.asked, "%.6f" % time.time())
        del self.conns[c.sock.fileno()]
        if reset:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.sock.close()

    def send(self, c, data):
        if c.closed:
            return False
        try:
            c.sock.sendall(data)
        except OSError:
            self.close(c)
            return False
        return True

    def answered(self, c):
        c.asked = None

    def finish(self, c, data=WHOLE):
        self.answered(c)
        return self.send(c, data)

    def drip(self, c, data, step):
        if not self.send(c, data[:1]):
            return
        if len(data) == 1:
            self.answered(c)
        else:
            self.after(step, self.drip, c, data[1:], step)

    def serve(self, c, mode):
        reset = mode.endswith("set")
        word = mode.split(":")[0].removesuffix("set") if mode != "reset" else "drop"
        if word == "well":
            self.finish(c)
        elif word == "slow":
            self.after(int(mode.split(":")[1]) / 1000, self.finish, c)
        elif word in ("drop", "shut"):
            self.close(c, reset)
        elif word == "once":
            self.finish(c)
            self.close(c, reset)
        elif word == "later":
            self.finish(c)
            self.after(random.random() * 0.02, self.close, c, reset)
        elif word == "half":
            self.send(c, WHOLE[:25])
            self.close(c, reset)
        elif word == "trickle":
            self.drip(c, WHOLE, 0.1)
        elif word == "garbage":
            self.send(c, random.choice(GARBAGE))
            self.close(c)
        elif word == "lengths":
            self.send(c, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
            self.close(c)
        elif word == "early":
            self.finish(c, WHOLE + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")
        elif word == "cut":
            self.send(c, WHOLE[:500])
            self.close(c, reset)
        elif word == "cutchunk":
            self.send(c, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + BODY[:512])
            self.close(c)
        elif word == "stall":
            self.send(c, WHOLE[:500])
        elif word == "drip":
            head = len(WHOLE) - len(BODY)
            if self.send(c, WHOLE[:head]):
                self.drip(c, BODY, 0.002)

    def read(self, c):
        try:
            data, about, _, _ = c.sock.recvmsg(65536, 64)
        except BlockingIOError:
            return
        except OSError:
            data, about = b"", []
        if not data:
            self.close(c)
            return
        c.got += data
        at = time.time()
        for level, kind, value in about:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, ns = struct.unpack("qq", value)
                at = seconds + ns / 1e9
        while not c.closed and (end := c.got.find(b"\r\n\r\n")) >= 0:
            fields = dict(line.lower().split(b": ", 1) for line in c.got[:end].split(b"\r\n")[1:])
            c.got = c.got[end + 4:]
            c.asked = fields.get(b"x-id", b"-").decode()
            self.note("begin", c.asked, "%.6f" % at, fields.get(b"x-request-timeout-ms", b"0").decode())
            self.serve(c, self.modes.draw())

    def run(self):
        while True:
            wait = max(0, self.timers[0][0] - time.monotonic()) if self.timers else 1
            for fd, _ in self.epoll.poll(wait):
                if fd == self.listener.fileno():
                    self.accept()
                elif fd in self.conns:
                    self.read(self.conns[fd])
            while self.timers and self.timers[0][0] <= time.monotonic():
                _, _, call, args = heapq.heappop(self.timers)
                call(*args)


Peer(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None).run()
