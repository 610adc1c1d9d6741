#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A peer for tests of the proxy, which does what a path tells it to, and keeps a record of it.

    backend.py ADDRESS [NAME]    ADDRESS: host:port (port 0: any) or unix:PATH

Prints its address. Each request appends a line to standard output: "request METHOD TARGET", and
"gone METHOD TARGET" if its client went away before it was answered.
  /echo        200, what came: the head's lines, a blank line, the body
  /trailed     200, the trailers that came, a blank line, the body
  /name        200, NAME
  /size/N      200, N bytes, with a length; /chunked/N in chunks; /close/N until the connection ends
  /sink        200, the number and the sum of the body's bytes
  /sleep/MS    200 after so long
  /status/N    N
  /hang        never anything; /trickle a byte every 100 ms
  /garbage     no HTTP; /short a length, and less than it; /cut a chunk without its end
  /both        Content-Length and Transfer-Encoding; /junk a proper answer and bytes behind it
  /early       413 before the body is read; /103 an early hint first; /trailers a body with trailers
  /drop        closes without a word, /drop/MS after so long; /once 200, then closes without having said so
  /hop         hop-by-hop fields of all kinds; /ws 101 and whatever comes is sent back
"""
import asyncio
import sys
import time

NAME = sys.argv[2] if len(sys.argv) > 2 else "peer"


def say(*words):
    print(*words, flush=True)


def pattern(n):
    return (b"0123456789abcdef" * (n // 16 + 1))[:n]


async def read_body(reader, fields):
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            if size == 0:
                fields["behind"] = ""
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    fields["behind"] += line.decode("latin-1").rstrip("\r\n") + "\n"
                return body
            body += await reader.readexactly(size)
            await reader.readexactly(2)
    return await reader.readexactly(int(fields.get("content-length", "0")))


def head(status, *fields):
    return ("HTTP/1.1 %s Text\r\n%s\r\n" % (status, "".join(f + "\r\n" for f in fields))).encode()


def whole(status, body, *fields):
    return head(status, "Content-Length: %d" % len(body), *fields) + body


async def sink(reader, fields):
    count = total = 0
    if fields.get("transfer-encoding") == "chunked":
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            if size == 0:
                await reader.readline()
                break
            left = size
            while left > 0:
                piece = await reader.read(min(left, 1 << 16))
                if not piece:
                    raise EOFError
                left -= len(piece)
                count += len(piece)
                total += sum(piece)
            await reader.readexactly(2)
    else:
        left = int(fields.get("content-length", "0"))
        while left > 0:
            piece = await reader.read(min(left, 1 << 20))
            if not piece:
                raise EOFError
            left -= len(piece)
            count += len(piece)
            total += sum(piece[:1])
    return b"%d %d\n" % (count, total)


async def chunks(writer, n):
    while n > 0:
        piece = pattern(min(n, 10000))
        writer.write(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()
        n -= len(piece)
    writer.write(b"0\r\n\r\n")


async def plain(writer, n):
    block = pattern(1 << 16)
    while n > 0:
        writer.write(block[:min(n, len(block))])
        await writer.drain()
        n -= min(n, len(block))


async def answer(method, target, lines, fields, reader, writer):
    """False: the connection ends."""
    path = target.split("?")[0]
    word, _, rest = path[1:].partition("/")
    number = int(rest) if rest.isdigit() else 0
    if word == "early":
        writer.write(whole(413, b"too much\n"))
        return False
    if word == "sink":
        writer.write(whole(200, await sink(reader, fields)))
        return True
    body = await read_body(reader, fields)
    no_body = method == "HEAD"
    if word == "echo":
        writer.write(whole(200, "\n".join(lines).encode() + b"\n\n" + body, "X-Peer: " + NAME))
    elif word == "trailed":
        writer.write(whole(200, fields.get("behind", "").encode() + b"\n" + body))
    elif word == "name":
        writer.write(whole(200, NAME.encode(), "X-Peer: " + NAME))
    elif word == "size":
        writer.write(head(200, "Content-Length: %d" % number, 'ETag: "x"'))
        if not no_body:
            await plain(writer, number)
    elif word == "chunked":
        writer.write(head(200, "Transfer-Encoding: chunked"))
        if not no_body:
            await chunks(writer, number)
    elif word == "close":
        writer.write(head(200, "Connection: close"))
        await plain(writer, number)
        return False
    elif word == "sleep":
        await asyncio.sleep(number / 1000)
        writer.write(whole(200, b"slept\n"))
    elif word == "status":
        writer.write(head(number) if number in (204, 304) else whole(number, b"status\n", "Retry-After: 7"))
    elif word == "hang":
        await asyncio.sleep(3600)
    elif word == "trickle":
        writer.write(head(200, "Content-Length: 1000"))
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)
    elif word == "garbage":
        writer.write(b"this is not HTTP\r\n\r\n")
        return False
    elif word == "short":
        writer.write(head(200, "Content-Length: 1000") + b"only this")
        return False
    elif word == "cut":
        writer.write(head(200, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n64\r\nonly this")
        return False
    elif word == "both":
        writer.write(head(200, "Content-Length: 5", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")
        return False
    elif word == "junk":
        writer.write(whole(200, b"proper\n") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")
    elif word == "103":
        writer.write(head(103, "Link: </x.css>; rel=preload") + whole(200, b"after hints\n"))
    elif word == "101":
        writer.write(head(101, "Connection: upgrade", "Upgrade: x"))
    elif word == "trailers":
        writer.write(head(200, "Transfer-Encoding: chunked", "Trailer: X-Sum")
                     + b"5\r\nhello\r\n0\r\nX-Sum: 42\r\nContent-Length: 7\r\n\r\n")
    elif word == "drop":
        await asyncio.sleep(number / 1000)
        return False
    elif word == "once":
        writer.write(whole(200, b"once\n"))
        return False
    elif word == "hop":
        writer.write(whole(200, b"hop\n", "Connection: keep-alive, X-Private", "X-Private: 1", "Keep-Alive: timeout=5",
                           "Proxy-Authenticate: Basic", "Upgrade: h2c", "X-Kept: 1", "Set-Cookie: a=1", "Set-Cookie: b=2"))
    elif word == "ws":
        writer.write(head(101, "Connection: Upgrade", "Upgrade: echo"))
        while True:
            data = await reader.read(1 << 16)
            if not data:
                return False
            writer.write(data)
            await writer.drain()
    else:
        writer.write(whole(404, b"what?\n"))
    return fields.get("connection", "").lower() != "close"


async def serve(reader, writer):
    method = target = ""
    try:
        while True:
            lines = []
            while True:
                line = await reader.readline()
                if not line:
                    return
                if line == b"\r\n":
                    break
                lines.append(line.decode("latin-1").rstrip("\r\n"))
            method, target, _ = lines[0].split(" ", 2)
            say("request", method, target)
            fields = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                fields[name.lower()] = value.strip()
            task = asyncio.ensure_future(answer(method, target, lines, fields, reader, writer))
            watch = target.startswith(("/hang", "/sleep", "/trickle"))
            while watch and not task.done():
                await asyncio.wait([task], timeout=0.01)
                if reader.at_eof() or writer.transport.is_closing():
                    task.cancel()
                    say("gone", method, target)
                    return
            if not await task:
                await writer.drain()
                return
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, EOFError, ValueError):
        say("gone", method, target)
    finally:
        writer.close()


async def main():
    where = sys.argv[1]
    if where.startswith("unix:"):
        server = await asyncio.start_unix_server(serve, where[5:], backlog=1000)
        say("listening", where)
    else:
        host, _, port = where.rpartition(":")
        server = await asyncio.start_server(serve, host, int(port), backlog=1000)
        say("listening", "%s:%d" % server.sockets[0].getsockname()[:2])
    async with server:
        await server.serve_forever()


asyncio.run(main())
