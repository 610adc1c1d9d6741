#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A name server for scenarios, on UDP and TCP of one loopback port. It answers from a file that it reads anew for each question,
so that a scenario changes the world by replacing the file. One rule a line:

    NAME A 127.0.0.1 30         an address and its TTL; several lines are several addresses
    NAME AAAA ::1 30
    NAME CNAME other.example 5
    NAME nxdomain | servfail | silent | garbage | truncate

"*" is any name. What has a name but not the asked type is an empty answer; what has no rule does not exist. truncate: over UDP
an answer that says TC and nothing else, over TCP the true one. It prints "listening ADDRESS:PORT", then a line for each question.

Usage: dns.py FILE [ADDRESS:PORT]
"""
import socket
import struct
import sys
import threading

TYPES = {1: "A", 5: "CNAME", 28: "AAAA"}
NUMBERS = {name: number for number, name in TYPES.items()}


def rules_of(path, name):
    found, any_name = [], []
    with open(path, encoding="ascii") as f:
        for line in f:
            words = line.split()
            if len(words) >= 2 and words[0].lower() == name:
                found.append(words[1:])
            elif len(words) >= 2 and words[0] == "*":
                any_name.append(words[1:])
    return found or any_name


def read_question(packet):
    at, labels = 12, []
    while packet[at] != 0:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode("ascii").lower())
        at += 1 + packet[at]
    kind = struct.unpack("!H", packet[at + 1 : at + 3])[0]
    return ".".join(labels), TYPES.get(kind, str(kind)), packet[12 : at + 5]


def wire_name(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def record(name, rule):
    kind, value, ttl = rule[0], rule[1], int(rule[2])
    if kind == "A":
        data = socket.inet_pton(socket.AF_INET, value)
    elif kind == "AAAA":
        data = socket.inet_pton(socket.AF_INET6, value)
    else:
        data = wire_name(value)
    return wire_name(name) + struct.pack("!HHIH", NUMBERS[kind], 1, ttl, len(data)) + data


def answers_to(path, name, kind):
    """The records, aliases followed, and the response code."""
    out = []
    for _ in range(8):
        rules = rules_of(path, name)
        if not rules or rules[0][0] == "nxdomain":
            return out, 3
        alias = [r for r in rules if r[0] == "CNAME"]
        if not alias:
            return out + [record(name, r) for r in rules if r[0] == kind], 0
        out.append(record(name, alias[0]))
        name = alias[0][1].lower()
    return out, 2


def reply_to(path, packet, stream):
    name, kind, question = read_question(packet)
    rules = rules_of(path, name)
    how = rules[0][0] if rules else ""
    print("question", name, kind, "tcp" if stream else "udp", flush=True)
    if how == "silent":
        return None
    if how == "garbage":
        return packet[:2] + b"\x81\x80\0\1\0\7\0\0\0\0" + question + b"\xc0\xff\xff\xff\x3f" * 7
    flags, records, code = 0x8180, [], 0
    if how == "servfail":
        code = 2
    elif how == "truncate" and not stream:
        flags |= 0x0200
    else:
        records, code = answers_to(path, name, kind)
    head = struct.pack("!2sHHHHH", packet[:2], flags | code, 1, len(records), 0, 0)
    return head + question + b"".join(records)


def serve_stream(path, listener):
    while True:
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(5)
            try:
                while True:
                    head = conn.recv(2, socket.MSG_WAITALL)
                    if len(head) < 2:
                        break
                    reply = reply_to(path, conn.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL), True)
                    if reply is None:
                        break
                    conn.sendall(struct.pack("!H", len(reply)) + reply)
            except OSError:
                pass


def bind(address):
    """UDP and TCP on the same port; if that is any, one that both have."""
    host, port = address.rsplit(":", 1)
    for _ in range(50):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(listener.getsockname())
        except OSError:
            datagrams.close()
            listener.close()
            continue
        listener.listen(16)
        return listener, datagrams
    raise SystemExit("no port")


def main():
    path = sys.argv[1]
    listener, datagrams = bind(sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:0")
    threading.Thread(target=serve_stream, args=(path, listener), daemon=True).start()
    print("listening %s:%d" % datagrams.getsockname(), flush=True)
    while True:
        packet, peer = datagrams.recvfrom(4096)
        try:
            reply = reply_to(path, packet, False)
        except (IndexError, struct.error, UnicodeDecodeError, OSError) as e:
            print("bad question:", e, flush=True)
            continue
        if reply is not None:
            datagrams.sendto(reply, peer)


main()
