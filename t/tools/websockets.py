#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many WebSockets, for measuring what a proxy holds for each.

    websockets.py serve           echoes on a free port; says "ready PORT"
    websockets.py hold N PORT     N of them, each of which has echoed a message; says "ready" and holds them until TERM

The upgrade's head is that of a browser; a frame is passed on as it comes, which is an echo as far as a proxy can see.
"""
import resource
import select
import socket
import sys

HEAD = (b"GET /ws?room=7 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n"
        b"Upgrade: websocket\r\nOrigin: http://127.0.0.1\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br\r\n"
        b"Accept-Language: en-US,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n")
ANSWER = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
FRAME = b"\x81\xfe\x02\x00" + b"mask" + b"m" * 512


def serve():
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print("ready", listener.getsockname()[1], flush=True)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    conns, upgraded = {}, set()
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                s = listener.accept()[0]
                conns[s.fileno()] = s
                epoll.register(s, select.EPOLLIN)
                continue
            data = conns[fd].recv(65536)
            if not data:
                upgraded.discard(fd)
                conns.pop(fd).close()
            elif fd in upgraded:
                conns[fd].sendall(data)
            else:
                upgraded.add(fd)
                conns[fd].sendall(ANSWER)


def read(s, enough):
    got = b""
    while not enough(got):
        piece = s.recv(65536)
        assert piece, "closed after %r" % got
        got += piece
    return got


def hold(n, port):
    socks = []
    for _ in range(int(n)):
        s = socket.create_connection(("127.0.0.1", int(port)), 20)
        s.sendall(HEAD)
        assert read(s, lambda got: got.endswith(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        s.sendall(FRAME)
        read(s, lambda got: len(got) >= len(FRAME))
        socks.append(s)
    print("ready", flush=True)
    poll = select.poll()
    for s in socks:
        poll.register(s, select.POLLIN)
    poll.poll()
    sys.exit("a WebSocket was closed, or spoke")


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
{"serve": serve, "hold": hold}[sys.argv[1]](*sys.argv[2:])
