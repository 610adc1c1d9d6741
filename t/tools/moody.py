#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A peer for tests of health, whose mood is a file that is read anew for each request.

    moody.py ADDRESS NAME    ADDRESS: host:port (port 0: any) or unix:PATH

Prints "listening ADDRESS". /healthz goes by the file NAME.health, every other path by NAME.serve, in the current directory:
  (no file)       200, NAME
  status N        N
  text WORDS      200, WORDS, with a length; chunked WORDS in chunks of three bytes; close WORDS until the connection ends
  hang            never anything; drop closes without a word
  garbage         no HTTP; hint WORDS a 103 first
"""
import asyncio
import sys

NAME = sys.argv[2]


def mood(kind):
    try:
        with open("%s.%s" % (NAME, kind)) as f:
            word, _, rest = f.read().strip().partition(" ")
            return word, rest.encode()
    except OSError:
        return "text", NAME.encode()


def head(status, *fields):
    return ("HTTP/1.1 %s Text\r\n%s\r\n" % (status, "".join(f + "\r\n" for f in fields))).encode()


def whole(status, body):
    return head(status, "Content-Length: %d" % len(body)) + body


async def answer(word, rest, writer):
    """False: the connection ends."""
    if word == "status":
        writer.write(whole(int(rest), b"status\n"))
    elif word == "text":
        writer.write(whole(200, rest))
    elif word == "chunked":
        writer.write(head(200, "Transfer-Encoding: chunked"))
        for at in range(0, len(rest), 3):
            piece = rest[at:at + 3]
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.002)
        writer.write(b"0\r\n\r\n")
    elif word == "close":
        writer.write(head(200, "Connection: close") + rest)
        return False
    elif word == "hang":
        await asyncio.sleep(3600)
    elif word == "garbage":
        writer.write(b"this is not HTTP\r\n\r\n")
        return False
    elif word == "hint":
        writer.write(head(103, "Link: </x>") + whole(200, rest))
    else:
        return False
    return True


async def serve(reader, writer):
    try:
        while True:
            request = await reader.readline()
            if not request:
                break
            while (await reader.readline()) not in (b"\r\n", b""):
                pass
            kind = "health" if request.split()[1] == b"/healthz" else "serve"
            if not await answer(*mood(kind), writer):
                break
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    if sys.argv[1].startswith("unix:"):
        server = await asyncio.start_unix_server(serve, sys.argv[1][5:])
        print("listening", sys.argv[1], flush=True)
    else:
        host, _, port = sys.argv[1].rpartition(":")
        server = await asyncio.start_server(serve, host, int(port), backlog=1000)
        print("listening %s:%d" % server.sockets[0].getsockname()[:2], flush=True)
    await server.serve_forever()


asyncio.run(main())
