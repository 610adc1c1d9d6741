#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Requests by chance, and a peer that answers them by chance: is any of them, or any answer, taken for another one?

    mixup.py FILE SECONDS [SEED]    prints the address of the peer; when FILE is there, asks the drover whose address it has,
                                    for so long, or until there were MANY answers if that is longer

Clients send several requests on a connection, in pieces, with bodies that hold what would be requests; each request has
a name, and so has its answer. The peer answers early, late, in two halves, behind hints, or not to the end. Prints "wrong
WHAT" for a request that nobody sent and an answer to another request, and at last what there was of what; a seed says the
same requests again, though not in the same order.

Not here: peers that send more than their answer a moment later, when the next request may be on its way already. HTTP/1.1
cannot tell that from an answer to it.
"""
import asyncio
import os
import random
import re
import sys

CLIENTS = 12
MANY = 200
WAIT = 20 * int(os.environ.get("WAIT_FACTOR", "1"))
INNER = b"GET /inner HTTP/1.1\r\nHost: x\r\nX-Name: inner\r\n\r\n"
SIZES = (0, 1, 100, 5000, 32768, 70000, 300000)
MANNERS = ("plain", "plain", "early", "early and close", "halves", "hints", "cut", "until close")
counts = {}
wrong = []


def count(what):
    counts[what] = counts.get(what, 0) + 1


def note(*what):
    wrong.append(what)
    print("wrong", *what, flush=True)


def field(head, name):
    found = re.search(rb"(?im)^" + name + rb": *([^\r]*)", head)
    return found.group(1) if found else None


def chunked(rng, body, trailer):
    out = b""
    while body:
        n = rng.randint(1, 20000)
        out += b"%x\r\n%s\r\n" % (len(body[:n]), body[:n])
        body = body[n:]
    return out + b"0\r\n" + trailer + b"\r\n"


async def read_head(reader):
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)


async def read_body(reader, head):
    if field(head, b"Transfer-Encoding") != b"chunked":
        return await asyncio.wait_for(reader.readexactly(int(field(head, b"Content-Length") or 0)), WAIT)
    body = b""
    while n := int((await asyncio.wait_for(reader.readline(), WAIT)).split(b";")[0], 16):
        body += await asyncio.wait_for(reader.readexactly(n), WAIT)
        await asyncio.wait_for(reader.readexactly(2), WAIT)
    while await asyncio.wait_for(reader.readuntil(b"\n"), WAIT) != b"\r\n":
        pass
    return body


def content(name, size):
    return ((name + b"|") * (size // (len(name) + 1) + 1))[:size]


def make_answer(rng, manner, method, name):
    body = content(name, rng.choice(SIZES))
    status = rng.choice((200, 200, 200, 204, 304, 404, 500))
    head = b"HTTP/1.1 %d Text\r\nX-Name: %s\r\n" % (status, name)
    if manner == "until close":
        head += b"Connection: close\r\n"
    elif status in (204, 304) or rng.random() < 0.5:
        head += b"" if status == 204 else b"Content-Length: %d\r\n" % len(body)
    else:
        head += b"Transfer-Encoding: chunked\r\n"
        body = chunked(rng, body, rng.choice((b"", b"X-Trailer: 1\r\n")))
    return head + b"\r\n" + (b"" if method == b"HEAD" or status in (204, 304) else body)


async def answer(reader, writer, head):
    """False: the connection ends."""
    name = field(head, b"X-Name")
    rng = random.Random(name)
    manner = rng.choice(MANNERS)
    count(manner)
    whole = make_answer(rng, manner, head.split(b" ")[0], name)
    half = rng.randint(0, len(whole))
    if manner == "early":
        writer.write(whole)
    elif manner == "early and close":
        writer.write(whole)
        return False
    elif manner == "halves":
        writer.write(whole[:half])
        await writer.drain()
        await asyncio.sleep(rng.random() / 100)
        writer.write(whole[half:])
        return False
    elif manner == "cut":
        writer.write(whole[:half])
        return False
    elif manner == "hints":
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * rng.randint(1, 3))
    await read_body(reader, head)
    if manner != "early":
        writer.write(whole)
    return manner != "until close"


async def serve(reader, writer):
    try:
        while True:
            head = await read_head(reader)
            if field(head, b"X-Name") in (None, b"inner"):
                note("request", head)
                return
            if not await answer(reader, writer, head):
                return
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


def make_request(rng, name, last):
    """What is left of the one before shows in what becomes of the last one."""
    method = b"GET" if last else rng.choice((b"GET", b"HEAD", b"POST", b"POST", b"PUT", b"DELETE"))
    head = method + b" /x HTTP/1.1\r\nHost: x\r\nX-Name: " + name + b"\r\n"
    if rng.random() < 0.1:
        head += b"Expect: 100-continue\r\n"
    if rng.random() < 0.1:
        head += b"Connection: upgrade\r\nUpgrade: other\r\n"
    if last or (method not in (b"POST", b"PUT") and rng.random() < 0.9):
        return method, head + b"\r\n"
    body = INNER * rng.choice((0, 1, 200, 1000, 2000))
    if rng.random() < 0.5:
        return method, head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    trailer = rng.choice((b"", b"X-Trailer: GET /inner HTTP/1.1\r\n"))
    return method, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(rng, body, trailer)


async def send(rng, writer, data):
    try:
        while data:
            n = rng.choice((1, 10, 100, 1000, 50000, 200000))
            writer.write(data[:n])
            data = data[n:]
            await writer.drain()
            if rng.random() < 0.3:
                await asyncio.sleep(rng.random() / 250)
    except (ConnectionError, OSError):
        pass


async def check_answer(reader, method, name):
    """False: the connection ends with it."""
    status = 100
    while status < 200:
        head = await read_head(reader)
        status = int(head.split(b" ")[1])
        if not head.startswith(b"HTTP/1.1 "):
            raise ValueError
    told = field(head, b"X-Name")
    count("answers of %s" % ("the peer" if told else "drover"))
    # Of its own, drover has nothing to say but that the peer failed: else it has seen a request that is none.
    if told not in (None, name) or (told is None and status not in (502, 503, 504)):
        note("answer", told or status, "to", name)
        return False
    if method != b"HEAD" and status not in (204, 304):
        body = await read_body(reader, head)
        if told and body != content(name, len(body)):
            note("body of", name)
    return field(head, b"Connection") != b"close"


async def converse(rng, place, names):
    reader, writer = await asyncio.open_connection(*place, limit=1 << 22)
    requests = [(name, *make_request(rng, name, name is names[-1])) for name in names]
    sending = asyncio.ensure_future(send(rng, writer, b"".join(text for _, _, text in requests)))
    name = b""
    try:
        for name, method, _ in requests:
            if not await check_answer(reader, method, name):
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        count("connections closed")
    except asyncio.TimeoutError:
        note("silence after", name)
    except (ValueError, asyncio.LimitOverrunError) as e:
        note("no answer to", name, e)
    sending.cancel()
    writer.close()


async def ask(number, place, seed, end):
    rng = random.Random(seed * 1000 + number)
    n = 0
    while not wrong and (asyncio.get_running_loop().time() < end or counts.get("answers of the peer", 0) < MANY):
        names = [b"%d-%d" % (number, n + k) for k in range(rng.randint(2, 5))]
        n += len(names)
        await converse(rng, place, names)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 22)
    print("listening %s:%d" % server.sockets[0].getsockname(), flush=True)
    while not os.path.exists(sys.argv[1]):
        await asyncio.sleep(0.02)
    with open(sys.argv[1], encoding="ascii") as f:
        host, _, port = f.read().strip().rpartition(":")
    end = asyncio.get_running_loop().time() + float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 20)
    await asyncio.gather(*(ask(k, (host, int(port)), seed, end) for k in range(CLIENTS)))
    print("seed", seed)
    for what in sorted(counts):
        print("%s: %d" % (what, counts[what]))


asyncio.run(main())
