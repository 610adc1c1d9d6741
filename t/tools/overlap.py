#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Both ends of proxied exchanges at once, for what depends on the order in which they act.

    overlap.py FILE    prints the address of a peer, and of one that does not accept; when FILE is there, asks the
                       drover whose addresses are in it: the first one, one whose clients have to hurry, and
                       one whose clients may stand still for a second

Prints "pass NAME" or "fail NAME: WHY" for each case. Each step waits for what the other end sees of the one before, at
most WAIT seconds.
"""
import os
import select
import socket
import sys
import threading
import time

WAIT = 10 * int(os.environ.get("WAIT_FACTOR", "1"))
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"a" * 7900 + b">\r\n\r\n"
peer = socket.create_server(("127.0.0.1", 0), backlog=100)
places = []


class Failed(Exception):
    pass


def want(truth, why):
    if not truth:
        raise Failed(why)


def client(place=0, small=False):
    s = socket.socket()
    s.settimeout(WAIT)
    if small:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(places[place])
    return s


def asked(until):
    """The proxy's next connection to the peer, and what came up to there."""
    peer.settimeout(WAIT)
    p = peer.accept()[0]
    p.settimeout(WAIT)
    return p, read(p, until)


def read(s, end):
    """Up to and with these bytes, or so many."""
    data = b""
    while len(data) < end if isinstance(end, int) else end not in data:
        piece = s.recv(1 << 20)
        want(piece, "closed after %d bytes, ..%r" % (len(data), data[-200:]))
        data += piece
    return data


def rest(s):
    """All to the end of the connection, and how that was."""
    data = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data, "closed"
            data += piece
    except ConnectionResetError:
        return data, "reset"
    except TimeoutError:
        return data, "open"


def give(s, data):
    """As far as the other end takes it."""
    try:
        s.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def fill(s, block):
    """Until nobody takes any more of it. Returns how many bytes of whole blocks that were, and the rest of the last one."""
    sent = 0
    s.setblocking(False)
    while select.select([], [s], [], 0.5)[1]:
        sent += s.send(block[sent % len(block):] + block * (65536 // len(block)))
    s.settimeout(WAIT)
    cut = sent % len(block)
    return sent - cut, block[cut:] if cut else b""


def hurry(s):
    """A small client takes more at once."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return s


def answer_before_the_body():
    """The rest of a body whose answer is over is no request."""
    c = client()
    c.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nbegin")
    p, _ = asked(b"begin")
    p.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    read(c, b"12345")
    p.sendall(b"67890")
    read(c, b"67890")
    give(c, b"GET /stolen HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 63)
    after, end = rest(c)
    want(after == b"" and end == "closed", "then %r, %s" % (after[:100], end))
    want(not select.select([peer], [], [], 0)[0], "the peer was asked for it")


def hints_while_the_body_comes():
    """They have to wait for the client, whose body goes on."""
    c = client(small=True)
    c.sendall(b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nbegin")
    p, _ = asked(b"begin")
    sent, left = fill(p, HINT)
    c.sendall(b"12345")
    want(read(p, 5) == b"12345", "the body")
    later = threading.Thread(target=give, args=(p, left + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nend."))
    later.start()
    got = read(hurry(c), b"end.")
    later.join()
    hints = sent // len(HINT) + bool(left)
    want(got.startswith(HINT * hints + b"HTTP/1.1 200 "), "%d of %d hints" % (got.count(HINT), hints))


def hints_and_then_nothing():
    """Once the client has taken them, the peer's time counts again."""
    c = client(small=True)
    c.sendall(b"GET /hasty/c HTTP/1.1\r\nHost: x\r\n\r\n")
    p, _ = asked(b"\r\n\r\n")
    sent, left = fill(p, HINT)
    later = threading.Thread(target=give, args=(p, left))
    later.start()
    got = read(hurry(c), b"HTTP/1.1 504 ")
    later.join()
    want(got.startswith(HINT * (sent // len(HINT) + bool(left)) + b"HTTP/1.1 504 "), "no 504 behind them")


def hints_that_nobody_takes():
    """Half a hint and an answer behind it would be neither."""
    c = client(place=1, small=True)
    c.sendall(b"GET /d HTTP/1.1\r\nHost: x\r\n\r\n")
    p, _ = asked(b"\r\n\r\n")
    try:
        fill(p, HINT)
        end = rest(p)[1]
    except (BrokenPipeError, ConnectionResetError):
        end = "reset"  # before it had said all that it could
    want(end in ("closed", "reset"), "the peer is not let go")
    got, end = rest(c)
    want(end == "reset" and b"HTTP/1.1 5" not in got, "%s after ..%r" % (end, got[-100:]))


def body_that_nobody_takes():
    """That is the peer's fault."""
    c = client(place=2)
    c.sendall(b"POST /hasty/e HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
    p, _ = asked(b"\r\n\r\n")
    fill(c, b"x" * 65536)
    want(read(c, b"\r\n\r\n").startswith(b"HTTP/1.1 504 "), "no 504")
    p.close()


def body_that_is_taken_late():
    """The client has not been slow, whatever its own deadline."""
    c = client(place=2)
    c.sendall(b"POST /patient/f HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
    p, _ = asked(b"\r\n\r\n")
    begun = time.monotonic()
    sent = fill(c, b"x")[0]
    while time.monotonic() < begun + 3.5:  # more than twice the client's deadline
        if select.select([c], [], [], 0.1)[0]:
            raise Failed("%r" % c.recv(100))
    p.setblocking(False)
    c.setblocking(False)
    taken = 0
    while taken < 20000000:
        readable, writable, _ = select.select([p], [c] if sent < 20000000 else [], [], WAIT)
        want(readable or writable, "stuck after %d bytes" % taken)
        if writable:
            sent += c.send(b"x" * min(65536, 20000000 - sent))
        if readable:
            piece = p.recv(1 << 20)
            want(piece, "closed after %d bytes" % taken)
            taken += len(piece)
    p.setblocking(True)
    p.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    c.settimeout(WAIT)
    want(read(c, b"\r\n\r\n").startswith(b"HTTP/1.1 200 "), "no 200")


def body_for_the_next_peer():
    """The client has to wait until the first one is given up."""
    c = client(place=1)
    c.sendall(b"POST /next/g HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345")
    p, _ = asked(b"12345")
    p.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    want(read(c, b"\r\n\r\n").startswith(b"HTTP/1.1 200 "), "no 200")


def answer_with_more_behind_it():
    """Read to its last byte in a read of just that size: what follows is nobody's."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 32000\r\nX: "
    whole = head + b"p" * (32768 - 32004 - len(head)) + b"\r\n\r\n" + b"z" * 31999 + b"."
    want(len(whole) == 32768, "size")
    c = client()
    c.sendall(b"GET /kept/h HTTP/1.1\r\nHost: x\r\n\r\n")
    p, _ = asked(b"\r\n\r\n")
    p.sendall(whole + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")
    read(c, b"z.")
    c.sendall(b"GET /kept/i HTTP/1.1\r\nHost: x\r\n\r\n")
    if rest(p)[0]:
        p.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.")
        raise Failed("asked on the same connection, for %r" % c.recv(200))
    p, _ = asked(b"/kept/i")
    p.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.")
    want(b"stolen" not in read(c, b"\r\n\r\n."), "another answer")


def names_with_underscores():
    """What the configuration sets or removes does not come in by a name that CGI takes for the same."""
    c = client()
    c.sendall(b"GET /set/j HTTP/1.1\r\nHost: x\r\nX_User: evil\r\nX_Gone: evil\r\nx-Request_id: evil\r\n"
              b"X_Request_Timeout-ms: 1\r\nX_Other: kept\r\n\r\n")
    p, head = asked(b"\r\n\r\n")
    want(b"evil" not in head and b"imeout" not in head and b"X_Other: kept" in head, "%r" % head)
    p.close()


CASES = (answer_before_the_body, hints_while_the_body_comes, hints_and_then_nothing, hints_that_nobody_takes,
         body_that_nobody_takes, body_that_is_taken_late, body_for_the_next_peer, answer_with_more_behind_it,
         names_with_underscores)


def main():
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(0)
    waiting = []
    for _ in range(3):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(deaf.getsockname())
    print("listening", *("%s:%d" % s.getsockname() for s in (peer, deaf)), flush=True)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.02)
    with open(sys.argv[1], encoding="ascii") as f:
        for line in f:
            host, _, port = line.strip().rpartition(":")
            places.append((host, int(port)))
    for case in CASES:
        name = case.__name__.replace("_", " ")
        try:
            case()
            print("pass", name, flush=True)
        except (Failed, OSError) as e:
            print("fail %s: %s" % (name, e), flush=True)
        while select.select([peer], [], [], 0)[0]:
            peer.accept()[0].close()


main()
