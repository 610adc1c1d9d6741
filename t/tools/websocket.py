#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A WebSocket client (RFC 6455) that is strict about what comes back.

    websocket.py HOST:PORT PATH [MESSAGES]

Upgrades, sends texts of many sizes, in pieces and several at once, pings, and closes with a code; prints "fine" if all came
back as it should.
"""
import base64
import hashlib
import os
import socket
import struct
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def frame(opcode, body):
    mask = os.urandom(4)
    n = len(body)
    head = struct.pack("!B", 0x80 | opcode)
    if n < 126:
        head += struct.pack("!B", 0x80 | n)
    elif n < 65536:
        head += struct.pack("!BH", 0x80 | 126, n)
    else:
        head += struct.pack("!BQ", 0x80 | 127, n)
    key = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
    return head + mask + (int.from_bytes(body, "big") ^ key).to_bytes(n, "big")


def main():
    host, _, port = sys.argv[1].rpartition(":")
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    s = socket.create_connection((host, int(port)), 20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = s.makefile("rb")
    key = base64.b64encode(os.urandom(16))
    s.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
              b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % (sys.argv[2].encode(), host.encode(), key))
    status = stream.readline()
    assert status.startswith(b"HTTP/1.1 101 "), status
    fields = {}
    while (line := stream.readline()) != b"\r\n":
        assert line, "closed within the head"
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    assert fields[b"upgrade"].lower() == b"websocket", fields
    assert b"upgrade" in fields[b"connection"].lower(), fields
    assert fields[b"sec-websocket-accept"] == base64.b64encode(hashlib.sha1(key + GUID).digest()), fields

    def read():
        first, second = stream.read(2)
        assert first & 0x70 == 0 and second & 0x80 == 0
        n = second & 127
        if n == 126:
            n, = struct.unpack("!H", stream.read(2))
        elif n == 127:
            n, = struct.unpack("!Q", stream.read(8))
        return first & 15, stream.read(n)

    for k in range(rounds):
        body = ("%d " % k + "x" * (k * k * 37 % 90000)).encode()
        s.sendall(frame(TEXT, body))
        assert read() == (TEXT, body), k
    s.sendall(b"".join(frame(TEXT, b"%d" % k) for k in range(200)))
    assert [read() for _ in range(200)] == [(TEXT, b"%d" % k) for k in range(200)]
    for byte in frame(TEXT, b"byte by byte"):
        s.sendall(bytes([byte]))
    assert read() == (TEXT, b"byte by byte")
    s.sendall(frame(PING, b"are you there?"))
    assert read() == (PONG, b"are you there?")
    s.sendall(frame(CLOSE, struct.pack("!H", 1000) + b"bye"))
    assert read() == (CLOSE, struct.pack("!H", 1000) + b"bye")
    assert stream.read(1) == b"", "something behind the close frame"
    print("fine")


main()
