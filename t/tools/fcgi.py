#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A FastCGI responder for tests, which does what the path (REQUEST_URI) tells it to, and much of what it must not.

    fcgi.py ADDRESS [NAME]       ADDRESS: host:port (port 0: any) or unix:PATH

Prints its address, "request METHOD URI" for each request, and "gone METHOD URI" where its connection ended before the answer.
  /params     200, the variables, sorted; /body the number and the sum of the body's bytes; /name NAME
  /count      the number of the connection, and of the request on it; /keep whether FCGI_KEEP_CONN was set
  /status/N   Status: N; /location Location alone; /lf, /crlf, /mixed line ends; /length, /close as they say
  /bytes      record by record and byte by byte, each padded; /padding/N; /unknown types of records; /many/N records of a byte
  /errors/N   N lines of STDERR; /app the application's status is 3; /refused/N the protocol status
  /version /id /type /endlength   bad records; /over output after its end; /after a record behind the end
  /noend      all but the end, then closes; /nohead, /empty, /junk, /folded, /coding, /twice, /1xx bad heads; /large a head of 100 KB
  /short /long /longer   a length that is not so: too few bytes, too many at once, too many later
  /cut        some of the body, then closes; /drop closes at once; /first at the first request on a connection, closes the next
  /early      answers before the body is read; /hang, /waits never; /slow a byte every 100 ms; /size/N; /held all but the end, then waits
"""
import os
import socket
import struct
import sys
import threading
import time

NAME = sys.argv[2] if len(sys.argv) > 2 else "peer"
STDIN, STDOUT, STDERR, END = 5, 6, 7, 3
HEAD = b"Content-Type: text/plain\r\n\r\n"


def say(*words):
    os.write(1, (" ".join(str(w) for w in words) + "\n").encode())


def record(kind, content=b"", ident=1, version=1, padding=0):
    return struct.pack(">BBHHBx", version, kind, ident, len(content), padding) + content + b"p" * padding


def out(content, **how):
    return b"".join(record(STDOUT, content[i:i + 60000], **how) for i in range(0, len(content), 60000))


def end(app=0, protocol=0, **how):
    return record(END, struct.pack(">IB3x", app, protocol), **how)


class Gone(Exception):
    pass


class Connection:
    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.served = 0
        self.kept = b""

    def read(self, n):
        while len(self.kept) < n:
            piece = self.sock.recv(1 << 16)
            if not piece:
                raise Gone
            self.kept += piece
        data, self.kept = self.kept[:n], self.kept[n:]
        return data

    def record(self):
        version, kind, ident, length, padding = struct.unpack(">BBHHBx", self.read(8))
        content = self.read(length + padding)[:length]
        assert version == 1 and ident == 1
        return kind, content

    def request(self):
        kind, content = self.record()
        assert kind == 1 and content[:2] == b"\0\1", (kind, content)
        self.keep = content[2] & 1
        params = b""
        while True:
            kind, content = self.record()
            assert kind == 4
            if not content:
                break
            params += content
        self.params = {}
        while params:
            lengths = []
            for _ in range(2):
                if params[0] < 128:
                    lengths.append(params[0])
                    params = params[1:]
                else:
                    lengths.append(struct.unpack(">I", params[:4])[0] & 0x7fffffff)
                    params = params[4:]
            name = params[:lengths[0]].decode("latin-1")
            assert name not in self.params, name
            self.params[name] = params[lengths[0]:sum(lengths)].decode("latin-1")
            params = params[sum(lengths):]
        self.served += 1

    def body(self):
        count = total = 0
        while True:
            kind, content = self.record()
            assert kind == STDIN
            if not content:
                return count, total
            count += len(content)
            total += sum(content)

    def send(self, data):
        self.sock.sendall(data)

    def whole(self, text, *fields, **how):
        head = "".join(f + "\r\n" for f in fields).encode()
        self.send(out(head + HEAD + text) + end(**how))

    def wait_for_end(self):
        self.sock.settimeout(600)
        if not self.sock.recv(1):
            raise Gone

    def answer(self):
        uri = self.params["REQUEST_URI"]
        word, _, rest = uri.split("?")[0][1:].partition("/")
        n = int(rest) if rest.isdigit() else 0
        say("request", self.params["REQUEST_METHOD"], uri)
        if word == "early":
            self.whole(b"too much\n", "Status: 413 Too Much")
            raise Gone
        count, total = self.body()
        if word == "params":
            self.whole("".join("%s=%s\n" % p for p in sorted(self.params.items())).encode())
        elif word == "body":
            self.whole(b"%d %d\n" % (count, total))
        elif word == "name":
            self.whole(NAME.encode())
        elif word == "count":
            self.whole(b"%d %d\n" % (self.number, self.served))
        elif word == "keep":
            self.whole(b"%d\n" % self.keep)
        elif word == "status":
            self.whole(b"status\n", "Status: %d" % n)
        elif word == "location":
            self.send(out(b"Location: /elsewhere\n\n") + end())
        elif word == "lf":
            self.send(out(b"Content-Type: text/plain\nX-A: 1\n\nlf\n") + end())
        elif word == "mixed":
            self.send(out(b"Content-Type: text/plain\r\nX-A: 1\n\r\nmixed\n") + end())
        elif word == "length":
            self.send(out(b"Content-Type: text/plain\r\nContent-Length: 7\r\n\r\nlength\n") + end())
        elif word == "bytes":
            text = out(b"Status: 201 Made\nContent-Type: text/plain\n", padding=3) + out(b"\nbytes", padding=255)
            for byte in text + record(STDERR) + out(b"\n") + record(STDOUT) + end(padding=7):
                self.send(bytes([byte]))
                time.sleep(0.0005)
        elif word == "padding":
            self.send(out(HEAD + b"padding\n", padding=n) + record(STDOUT, padding=n) + end(padding=n))
        elif word == "unknown":
            self.send(record(11, b"12345678", ident=0) + out(HEAD) + record(200, b"x" * 1000, ident=77)
                      + out(b"unknown\n") + record(8) + end())
        elif word == "many":
            self.send(out(HEAD) + record(STDOUT, b"x") * n + end())
        elif word == "errors":
            text = b"".join(b"line %d of \x1b[31m errors\r\n" % k for k in range(n))
            self.send(b"".join(record(STDERR, text[i:i + 1000]) for i in range(0, len(text), 1000)) + record(STDERR))
            self.whole(b"errors\n")
        elif word == "app":
            self.whole(b"app\n", app=3)
        elif word == "refused":
            self.send(end(protocol=n))
        elif word == "version":
            self.send(out(HEAD + b"x", version=2) + end())
        elif word == "id":
            self.send(out(HEAD + b"x", ident=2) + end())
        elif word == "type":
            self.send(record(STDIN, b"x") + out(HEAD) + end())
        elif word == "endlength":
            self.send(out(HEAD + b"x") + record(END, b"123456789"))
        elif word == "over":
            self.send(out(HEAD + b"x") + record(STDOUT) + out(b"y") + end())
        elif word == "after":
            self.send(out(HEAD + b"after\n") + end() + out(b"y"))
        elif word == "noend":
            self.send(out(HEAD + b"noend\n"))
            raise Gone
        elif word == "noendlength":
            self.send(out(b"Content-Length: 5\n\nnoend"))
            raise Gone
        elif word == "noendhead":
            self.send(out(b"Status: 304\n\n"))
            raise Gone
        elif word == "nohead":
            self.send(end())
        elif word == "empty":
            self.send(out(b"\n") + end())
        elif word == "junk":
            self.send(out(b"<html>no head\n\n") + end())
        elif word == "folded":
            self.send(out(b"X-A: 1\n 2\n\n") + end())
        elif word == "coding":
            self.send(out(b"Transfer-Encoding: chunked\n\n0\r\n\r\n") + end())
        elif word == "twice":
            self.send(out(b"Status: 200\nStatus: 500\n\n") + end())
        elif word == "1xx":
            self.send(out(b"Status: 101 Upgrade\nUpgrade: x\nConnection: upgrade\n\n") + end())
        elif word == "large":
            self.send(out(b"X-A: " + b"a" * 100000 + b"\n\n") + end())
        elif word == "short":
            text = out(b"Content-Length: 10\n\n12345")
            if n:
                self.send(text)
                time.sleep(0.05)
            self.send(end() if n else text + end())
        elif word == "long":
            self.send(out(b"Content-Length: 5\n\n1234567890") + end())
        elif word == "longer":
            self.send(out(b"Content-Length: 5\n\n12345"))
            time.sleep(0.05)
            self.send(out(b"67890") + end())
        elif word == "cut":
            self.send(out(HEAD + b"x" * 1000))
            raise Gone
        elif word == "drop":
            raise Gone
        elif word == "first":
            if self.served > 1:
                raise Gone
            self.whole(b"first\n")
        elif word in ("hang", "waits"):
            self.wait_for_end()
        elif word == "held":
            self.send(out(b"Content-Length: 5\n\nheld\n"))
            self.wait_for_end()
        elif word == "slow":
            self.send(out(HEAD))
            for k in range(100):
                self.send(out(b"x"))
                time.sleep(0.1)
            self.send(end())
        elif word == "size":
            self.send(out(HEAD))
            block = out(b"0123456789abcdef" * 4096)
            while n > 0:
                self.send(block if n >= 65536 else out((b"0123456789abcdef" * 4096)[:n]))
                n -= 65536
            self.send(end())
        elif word == "nocontent":
            self.send(out(b"Status: 204\n\n") + end())
        elif word == "notmodified":
            self.send(out(b"Status: 304\nETag: \"x\"\n\nwhich nobody gets") + end())
        else:
            self.whole(b"what?\n", "Status: 404 Not Found")

    def serve(self):
        method = uri = ""
        try:
            while True:
                method = uri = ""
                self.request()
                method, uri = self.params["REQUEST_METHOD"], self.params["REQUEST_URI"]
                self.answer()
                if not self.keep:
                    break
        except (Gone, OSError):
            if uri:
                say("gone", method, uri)
        finally:
            # What is still to be read would make a reset of the end.
            try:
                self.sock.shutdown(socket.SHUT_WR)
                self.sock.settimeout(1)
                while self.sock.recv(1 << 16):
                    pass
            except OSError:
                pass
            self.sock.close()


def main():
    where = sys.argv[1]
    if where.startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where[5:])
        said = where
    else:
        host, _, port = where.rpartition(":")
        listener = socket.create_server((host, int(port)))
        said = "%s:%d" % listener.getsockname()[:2]
    listener.listen(1000)
    say("listening", said)
    number = 0
    while True:
        sock, _ = listener.accept()
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number += 1
        threading.Thread(target=Connection(sock, number).serve, daemon=True).start()


main()
