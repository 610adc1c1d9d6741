#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds proxied exchanges of every kind, for scenarios that change the workers under them.

    exchanges.py ADDR:PORT FIFO [-n COUNT] [-k KIND,...]    the peer: backend.py

Opens COUNT of each kind and prints "opened". Each line of FIFO is obeyed and answered by "done":
  step   relays echo something, downloads are read on and uploads are written on
  more   idle clients ask again
  end    all the rest; each answer is checked whole. "lost KIND NUMBER WHY" for each that is not as it should be.
Exit status 0: none was lost.
"""
import os
import socket
import sys

SIZE = 6000000
BLOCK = bytes(range(256)) * 64


def pattern(start, n):
    text = b"0123456789abcdef"
    start %= 16
    return (text * (n // 16 + 2))[start:start + n]


class Exchange:
    """One client: what it has sent and got so far."""

    def __init__(self, address, number):
        self.number = number
        self.sock = socket.create_connection(address)
        self.sock.settimeout(60 * int(os.environ.get("WAIT_FACTOR", "1")))
        self.kept = b""
        self.got = 0
        self.begin()

    def begin(self):
        pass

    def step(self):
        pass

    def more(self):
        pass

    def end(self):
        pass

    def ask(self, text):
        self.sock.sendall(text.encode())

    def receive(self, n):
        if not self.kept:
            self.kept = self.sock.recv(1 << 18)
            if not self.kept:
                raise EOFError("closed by the server")
        piece, self.kept = self.kept[:n], self.kept[n:]
        return piece

    def exactly(self, n):
        out = b""
        while len(out) < n:
            out += self.receive(n - len(out))
        return out

    def line(self):
        out = b""
        while not out.endswith(b"\r\n"):
            out += self.receive(1)
        return out[:-2].decode()

    def head(self, want):
        status, fields = self.line(), {}
        if want not in status:
            raise ValueError(status)
        while True:
            line = self.line()
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()

    def check(self, n):
        """The next bytes of a body that is a pattern."""
        while n > 0:
            piece = self.receive(n)
            if piece != pattern(self.got, len(piece)):
                raise ValueError("wrong byte near %d" % self.got)
            self.got += len(piece)
            n -= len(piece)


class Relay(Exchange):
    def begin(self):
        self.ask("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        self.head(" 101 ")

    def step(self):
        text = os.urandom(20000)
        self.sock.sendall(text)
        if self.exactly(len(text)) != text:
            raise ValueError("wrong echo")

    end = step


class Download(Exchange):
    def begin(self):
        self.ask("GET /size/%d HTTP/1.1\r\nHost: x\r\n\r\n" % SIZE)
        self.head(" 200 ")
        self.check(1000)

    def step(self):
        self.check(300000)

    def end(self):
        self.check(SIZE - self.got)


class Chunked(Exchange):
    def begin(self):
        self.left = 0
        self.ask("GET /chunked/%d HTTP/1.1\r\nHost: x\r\n\r\n" % SIZE)
        self.head(" 200 ")

    def read(self, most):
        while most > 0:
            if self.left == 0:
                self.left = int(self.line(), 16)
                if self.left == 0:
                    self.line()
                    return
            n = min(self.left, most)
            self.check(n)
            self.left -= n
            most -= n
            if self.left == 0:
                self.line()

    def step(self):
        self.read(300000)

    def end(self):
        self.read(SIZE * 2)
        if self.got != SIZE:
            raise ValueError("%d bytes" % self.got)


class UntilClose(Exchange):
    def begin(self):
        self.ask("GET /close/%d HTTP/1.0\r\nHost: x\r\n\r\n" % SIZE)
        self.head(" 200 ")

    def step(self):
        self.check(300000)

    def end(self):
        self.check(SIZE - self.got)
        if self.kept or self.sock.recv(1):
            raise ValueError("more than there should be")


class Upload(Exchange):
    """Comes back as it went."""

    def begin(self):
        self.body = os.urandom(1 << 16) * 40
        self.sent = 0
        self.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(self.body))

    def send(self, n):
        self.sock.sendall(self.body[self.sent:self.sent + n])
        self.sent = min(self.sent + n, len(self.body))

    def step(self):
        self.send(200000)

    def end(self):
        self.send(len(self.body))
        answer = self.exactly(int(self.head(" 200 ")["content-length"]))
        if answer.partition(b"\n\n")[2] != self.body:
            raise ValueError("the body is another one")


class ChunkedUpload(Exchange):
    """The peer counts the bytes and adds them up."""

    def begin(self):
        self.count = 0
        self.ask("POST /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

    def send(self, n):
        self.sock.sendall(b"%x\r\n" % n + (BLOCK * (n // len(BLOCK) + 1))[:n] + b"\r\n")
        self.count += n

    def step(self):
        self.send(len(BLOCK) * 10)

    def end(self):
        self.step()
        self.sock.sendall(b"0\r\n\r\n")
        answer = self.exactly(int(self.head(" 200 ")["content-length"]))
        if answer != b"%d %d\n" % (self.count, self.count // len(BLOCK) * sum(BLOCK)):
            raise ValueError("the peer got %r of %d" % (answer, self.count))


class Waiting(Exchange):
    """For an answer that takes its time."""

    def begin(self):
        self.ask("GET /sleep/3000 HTTP/1.1\r\nHost: x\r\n\r\n")

    def end(self):
        if self.exactly(int(self.head(" 200 ")["content-length"])) != b"slept\n":
            raise ValueError("another answer")


class HalfSent(Exchange):
    """A body that the peer has begun to get, then silence."""

    def begin(self):
        self.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")

    def end(self):
        self.ask("world")
        if not self.exactly(int(self.head(" 200 ")["content-length"])).endswith(b"\n\nhelloworld"):
            raise ValueError("another body")


class Idle(Exchange):
    def begin(self):
        self.ask("GET /name HTTP/1.1\r\nHost: x\r\n\r\n")
        self.exactly(int(self.head(" 200 ")["content-length"]))

    more = end = begin


KINDS = {"relay": Relay, "download": Download, "chunked": Chunked, "close": UntilClose, "upload": Upload,
         "chunks": ChunkedUpload, "waiting": Waiting, "half": HalfSent, "idle": Idle}


def for_all(exchanges, what):
    """Those that fail are told and forgotten."""
    kept = []
    for kind, e in exchanges:
        try:
            getattr(e, what)()
            kept.append((kind, e))
        except (OSError, EOFError, ValueError) as why:
            print("lost", kind, e.number, what, repr(why), flush=True)
    return kept


def main():
    args = sys.argv[1:]
    host, _, port = args[0].rpartition(":")
    count, kinds = 2, list(KINDS)
    for name, value in zip(args[2::2], args[3::2]):
        if name == "-n":
            count = int(value)
        elif name == "-k":
            kinds = value.split(",")
    all_of_them = [(k, KINDS[k]((host, int(port)), n)) for k in kinds for n in range(count)]
    exchanges = all_of_them
    print("opened", flush=True)
    with open(args[1]) as orders:
        for word in orders:
            exchanges = for_all(exchanges, word.strip())
            print("done", len(exchanges), flush=True)
            if word == "end\n":
                break
    sys.exit(len(exchanges) != len(all_of_them))


main()
