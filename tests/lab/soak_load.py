#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak_load.py - who sends events to the soak's sensor (soak.py starts it on the lab's client): syslog by UDP, TCP and TLS, RADIUS
accounting, and forwarded Windows events, each message with a number of its own, at a steady pace until standard input ends.

    soak_load.py SETTINGS          a JSON object: see soak.py

Prints how many of each were sent, and of those that are answered how many were; exits with 1 when a source failed.
"""
import hashlib
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import syslog_peers  # noqa: E402
import wef_client  # noqa: E402

ended = threading.Event()


def paced(rate):
    """Numbers from 1 on, so many a second, until the end."""
    began, number = time.monotonic(), 0
    while not ended.wait(max(0.0, began + number / rate - time.monotonic())):
        number += 1
        yield number


def message(source, number):
    return b"<13>Nov 22 12:00:00 dc1 " + syslog_peers.CEF.format("soak-%s-%d" % (source, number)).encode()


def syslog_udp(to, rate, sent):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for sent["udp"] in paced(rate):
            s.sendto(message("udp", sent["udp"]), (to["address"], to["udp"]))


def stream(name, connection, rate, sent):
    """In octet counts, every thousandth time over a new connection; the last bytes are there when the other side closes too."""
    s = connection()
    for number in paced(rate):
        if number % 1000 == 0:
            s.close()
            s = connection()
        text = message(name, number)
        s.sendall(b"%d %s" % (len(text), text))
        sent[name] = number
    time.sleep(1)
    s.close()


def syslog_tcp(to, rate, sent):
    stream("tcp", lambda: socket.create_connection((to["address"], to["tcp"]), 60), rate, sent)


def context_of(to):
    context = ssl.create_default_context(cafile=to["ca"])
    context.check_hostname = False
    context.load_cert_chain(to["certificate"], to["key"])
    return context


def syslog_tls(to, rate, sent):
    context = context_of(to)

    def connection():
        return context.wrap_socket(socket.create_connection((to["address"], to["tls"]), 60))
    stream("tls", connection, rate, sent)


def accounting_request(identifier, session, secret):
    """RFC 2866: a Start, with the authenticator that the secret makes."""
    def attribute(kind, value):
        return bytes([kind, len(value) + 2]) + value
    body = (attribute(40, struct.pack(">I", 1)) + attribute(44, session.encode()) + attribute(1, b"user01") +
            attribute(4, bytes([192, 0, 2, 1])) + attribute(8, bytes([10, 77, 9, 12])) + attribute(31, b"203.0.113.7"))
    head = struct.pack(">BBH", 4, identifier, 20 + len(body))
    return head + hashlib.md5(head + bytes(16) + body + secret).digest() + body


def radius(to, rate, sent):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((to["address"], to["radius"]))
        waiting = {}                                     # identifier -> (number, request, when)
        sent["radius_again"] = 0

        def hear():
            while select.select([s], [], [], 0)[0]:
                waiting.pop(s.recv(4096)[1], None)
            for identifier, (number, request, when) in list(waiting.items()):
                if time.monotonic() - when > 3:          # as a VPN server does
                    waiting[identifier] = number, request, time.monotonic()
                    sent["radius_again"] += 1
                    s.send(request)
        for number in paced(rate):
            while number % 256 in waiting and not ended.wait(0.01):
                hear()
            request = accounting_request(number % 256, "soak-radius-%d" % number, to["secret"].encode())
            waiting[number % 256] = number, request, time.monotonic()
            s.send(request)
            sent["radius"] = number
            hear()
        until = time.monotonic() + 20
        while waiting and time.monotonic() < until:
            time.sleep(0.1)
            hear()
        sent["radius_answered"] = sent["radius"] - len(waiting)


def wef(to, rate, sent):
    """A batch of a second's events at a time."""
    name = "dc01.corp.example"
    source = wef_client.Source(wef_client.TlsChannel(to["address"], to["wef"], context_of(to)), to["name"], to["wef"], name, tls=True)
    source.enumerate()
    last = 0
    for _ in paced(1):
        batch = [wef_client.ntlm(last + i + 1, name, "soak-wef-%d" % (last + i + 1)) for i in range(rate)]
        answer = source.events(batch, bookmark=last + rate)
        if not source.is_acknowledged(answer):
            raise AssertionError("not acknowledged: %d %s" % (answer.status, answer.text))
        last += rate
        sent["wef"] = last


SOURCES = (syslog_udp, syslog_tcp, syslog_tls, radius, wef)


def main():
    settings, sent, failed = json.loads(sys.argv[1]), {}, []

    def run(source):
        try:
            source(settings, settings["rates"][source.__name__], sent)
        except Exception:
            failed.append(source.__name__)
            traceback.print_exc()
    threads = [threading.Thread(target=run, args=(source,)) for source in SOURCES]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps(dict(sent, failed=failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
