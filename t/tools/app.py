#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small application on Python's own HTTP server: what real ones do behind a proxy. The same as app.js, but for the page and
its WebSocket.

    app.py ADDRESS FOLDER    ADDRESS: host:port (port 0: any); prints "listening ADDRESS"
"""
import hashlib
import http.server
import os
import re
import sys

FOLDER = sys.argv[2]
with open(os.path.join(FOLDER, "block"), "rb") as f:
    BLOCK = f.read()
with open(os.path.join(FOLDER, "file"), "rb") as f:
    FILE = f.read()


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 600 # which it waits for the next request, too: not shorter than those who keep its connections

    def log_message(self, *args):
        pass

    def text(self, status, body, *fields):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def pieces(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while True:
                left = int(self.rfile.readline().split(b";")[0], 16)
                if left == 0:
                    break
                while left > 0:
                    piece = self.rfile.read(min(left, 1 << 16))
                    if not piece:
                        return
                    left -= len(piece)
                    yield piece
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
        else:
            left = int(self.headers.get("Content-Length", "0"))
            while left > 0:
                piece = self.rfile.read(min(left, 1 << 16))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    def echo(self):
        digest = hashlib.sha256()
        length = 0
        for piece in self.pieces():
            digest.update(piece)
            length += len(piece)
        said = "".join("%s: %s\n" % item for item in self.headers.items())
        self.text(200, "%s %s\n%sbody %d %s\n" % (self.command, self.path, said, length, digest.hexdigest()))

    def file(self):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, len(FILE) - 1
        if asked:
            first = int(asked[1])
            last = min(int(asked[2] or last), last)
            if first > last:
                self.text(416, "", ("Content-Range", "bytes */%d" % len(FILE)))
                return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, len(FILE)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(FILE[first:last + 1])

    def data(self, left, chunked):
        self.send_response(200)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(left))
        self.end_headers()
        while left > 0:
            piece = BLOCK[:left]
            left -= len(piece)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def answer(self):
        where, _, query = self.path.partition("?")
        if where == "/echo":
            self.echo()
        elif where == "/file":
            self.file()
        elif where == "/old":
            self.text(301, "", ("Location", "/new"))
        elif where == "/new":
            self.text(200, "new\n")
        elif where == "/cookies":
            self.text(200, self.headers.get("Cookie", "") + "\n", ("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Path=/; HttpOnly"))
        elif where.startswith("/headers/"):
            self.text(200, "%d\n" % len(self.headers), ("X-Large", "x" * int(where[9:])))
        elif where.startswith("/data/"):
            self.data(int(where[6:]), query == "chunked")
        else:
            self.text(404, "what?\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1000


HOST, _, PORT = sys.argv[1].rpartition(":")
SERVER = Server((HOST, int(PORT)), App)
print("listening %s:%d" % SERVER.server_address[:2], flush=True)
SERVER.serve_forever()
