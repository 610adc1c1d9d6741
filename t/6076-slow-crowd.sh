#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# As many exchanges as a worker may have, each of which waits for a slow reader: clients that do not take their answers, peers that do
# not take bodies, both ends of relays. More than there are large buffers for; each goes on to its end once it is read.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"

MANY=96
# crowd.py peer ADDRESS GO: /down/N sends so many bytes, /chunks/N the same in chunks; /up/N reads
# a body once the file GO.up is there, and says its sum; /relay/N the same after a 101.
# crowd.py go ADDRESS KIND COUNT SIZE GO: so many clients, who read once the file GO.KIND is there; prints how many got all of it.
# By unix sockets, which take little, so that it is soon in drover's hands what nobody reads.
cat >"$T/crowd.py" <<'EOP'
import asyncio, hashlib, os, sys

BLOCK = bytes((k * 7 + (k >> 8) * 13) & 255 for k in range(65536))


async def until(path):
    while not os.path.exists(path):
        await asyncio.sleep(0.02)


def whole(n):
    return (BLOCK * (n // len(BLOCK) + 1))[:n]


async def give(writer, n, chunked=False):
    while n > 0:
        piece = BLOCK[:min(n, len(BLOCK))]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
        n -= len(piece)
    if chunked:
        writer.write(b"0\r\n\r\n")


async def serve(reader, writer):
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        _, kind, n = head.split(" ")[1].split("/")
        n = int(n)
        if kind == "down":
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % n)
            await give(writer, n)
        elif kind == "chunks":
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
            await give(writer, n, True)
        elif kind == "relay":
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            await give(writer, n)
        else:
            await until(sys.argv[3] + ".up")
            total = hashlib.md5()
            while n > 0 and (piece := await reader.read(n)):
                total.update(piece)
                n -= len(piece)
            total = total.hexdigest().encode()
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(total), total))
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def peer():
    server = await asyncio.start_unix_server(serve, sys.argv[2], backlog=1000, limit=4096)
    print("listening", flush=True)
    await server.serve_forever()


async def ask(kind, size, go):
    reader, writer = await asyncio.open_unix_connection(sys.argv[2], limit=4096)
    try:
        fields = b"Connection: close\r\n"
        if kind == "relay":
            fields = b"Connection: upgrade\r\nUpgrade: x\r\n"
        elif kind == "up":
            fields += b"Content-Length: %d\r\n" % size
        writer.write(b"%s /%s/%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (b"POST" if kind == "up" else b"GET", kind.encode(), size, fields))
        if kind == "up":
            await give(writer, size)
            got = await reader.read()
            return got.split(b"\r\n\r\n")[1] == hashlib.md5(whole(size)).hexdigest().encode()
        await until(go)
        head = await reader.readuntil(b"\r\n\r\n")
        body = b""
        if kind == "chunks":
            while n := int(await reader.readline(), 16):
                body += await reader.readexactly(n)
                await reader.readexactly(2)
        else:
            while piece := await reader.read(1 << 20):
                body += piece
        return head.startswith(b"HTTP/1.1 ") and body == whole(size)
    except (ConnectionError, asyncio.IncompleteReadError, IndexError) as e:
        print("failed", repr(e)[:200], flush=True)
        return False
    finally:
        writer.close()


async def crowd():
    kind, count, size, go = sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
    print("whole", sum(await asyncio.gather(*(ask(kind, size, go + "." + kind) for _ in range(count)))), flush=True)


asyncio.run(peer() if sys.argv[1] == "peer" else crowd())
EOP
spawn peer "$PYTHON" "$T/crowd.py" peer "$T/peer.sock" "$T/go"
PEER_PID=$PID
wait_for 10 grep -qs '^listening' "$T/peer.out" || die 'the peer' "$(cat "$T/peer.err")"
allow_log 'peer .* of upstream|request cut'
start_drover <<EOF
workers = 1
worker_connections = 100
deadlines { send = 5m  body = 5m  relay_idle = 5m  min_rate = 0 }
upstream "one" {
    deadlines { response = 5m  between = 5m }
    peer "unix:$T/peer.sock" { max_fails = 0 }
}
server "site" {
    listen = { "unix:$T/site.sock" }
    limits { max_body = 0 }
    location "/" { proxy = "one" }
}
EOF
fds_mark

# Nothing moves any more: several looks say the same.
at_rest() {
	local now
	now=$(ctl upstreams -j | perl -MJSON::PP -0777 -ne 'my $p = decode_json($_)->{upstreams}[0]{peers}[0]; print "$p->{in} $p->{out}"')
	[ "$now" = "$LAST" ] && same=$((same + 1)) || same=0
	LAST=$now
	[ $same -ge 15 ]
}
for kind in down chunks relay up; do
	LAST='' same=0
	spawn "$kind" "$PYTHON" "$T/crowd.py" go "$T/site.sock" $kind $MANY 1500000 "$T/go"
	CROWD=$PID
	ok "$kind: they are all there" wait_stat conns -eq $MANY 30
	ok "$kind: and nothing moves" wait_for 60 at_rest
	is_stat conns $MANY "$kind: none was given up"
	: >"$T/go.$kind"
	finish "$CROWD" 120
	is "$(cat "$T/$kind.out")" "whole $MANY" "$kind: each is whole" || diag "$(cat "$T/$kind.err")"
	expect_stat conns -eq 0
	expect_stat buffers -eq 0
done
is_stat buffer_failures 0 'there were buffers for all of them'
kill "$PEER_PID"
finish "$PEER_PID"
expect_stat up_conns -eq 0
fds_check
done_testing
