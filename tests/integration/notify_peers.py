#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""notify_peers.py - what the center tells others of alerts, to those others: rsyslogd over TLS with certificates on both
sides and over TCP and UDP, a mail server with STARTTLS, a webhook that checks signatures, a file; dead ones, refusing ones,
ones that come back. CEF is read by a reader of its own, written from the specification.

    notify_peers.py --probe PROGRAM
"""
import argparse
import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from cef_reader import read_cef, read_syslog
from nodes import free_ports
from syslog_peers import Certificates

SECRET = "a secret that nobody else knows"
PASSWORD = "correct horse battery staple"


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


class Center:
    """center_probe with a configuration."""

    def __init__(self, program, place, notify, retry=200):
        self.place = place
        config = os.path.join(place, "center.conf")
        with open(config, "w") as f:
            f.write("center\n    authority = \"%s\"\napi\n    listen = 127.0.0.1:%d\nnotify\n" % ("0" * 64, free_ports(1)[0]))
            f.writelines("    %s\n" % line for line in notify)
        self.errors = open(os.path.join(place, "errors"), "ab+")
        self.process = subprocess.Popen([program, config, place, str(retry)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.endpoint = self.process.stdout.readline().strip()
        assert self.endpoint.startswith("https://"), self.trouble()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def raise_(self, position, key=None):
        return self.ask("raise %d %d" % (position, position if key is None else key))

    def counts(self):
        """{output: (sent, failed, refused, dropped)}"""
        return {name: tuple(map(int, numbers.split(",")))
                for name, _, numbers in (word.rpartition("=") for word in self.ask("count").split())}

    def trouble(self):
        with open(self.errors.name) as f:
            return f.read()

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(60)
        self.errors.close()
        return code


class Rsyslog:
    """rsyslogd: takes TLS with certificates, TCP and UDP, writes each message raw, in hexadecimal."""

    def __init__(self, certificates):
        self.place = certificates.place
        self.tls, self.tcp, self.udp = free_ports(3)
        self.out = os.path.join(self.place, "received")
        self.config = os.path.join(self.place, "rsyslog.conf")
        with open(self.config, "w") as f:
            f.write("""
global(workDirectory="%(place)s" DefaultNetstreamDriverCAFile="%(place)s/ca.pem"
       DefaultNetstreamDriverCertFile="%(place)s/server.pem" DefaultNetstreamDriverKeyFile="%(place)s/server.key"
       parser.escapeControlCharactersOnReceive="off" maxMessageSize="16k")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
module(load="imptcp")
module(load="imudp")
template(name="raw" type="list") { constant(value="%%") property(name="inputname") constant(value=" ")
                                   property(name="rawmsg") constant(value="\\n") }
input(type="imtcp" address="127.0.0.1" port="%(tls)d" name="tls")
input(type="imptcp" address="127.0.0.1" port="%(tcp)d" name="tcp")
input(type="imudp" address="127.0.0.1" port="%(udp)d" name="udp")
action(type="omfile" file="%(out)s" template="raw")
""" % {"place": self.place, "tls": self.tls, "tcp": self.tcp, "udp": self.udp, "out": self.out})
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["rsyslogd", "-n", "-f", self.config, "-i", os.path.join(self.place, "rsyslog.pid")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def listens():
            try:
                socket.create_connection(("127.0.0.1", self.tcp), 1).close()
                return True
            except OSError:
                return False
        assert until(listens, 60), "rsyslogd does not listen"

    def messages(self):
        """[(input, message)]"""
        try:
            with open(self.out, "rb") as f:
                lines = f.read().split(b"%")[1:]
        except FileNotFoundError:
            return []
        return [(line.split(b" ", 1)[0].decode(), line.split(b" ", 1)[1].rstrip(b"\n")) for line in lines if b" " in line]

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


class Mail(socketserver.StreamRequestHandler):
    """SMTP with STARTTLS and AUTH PLAIN, as much as is needed; `server.refuse` is what RCPT answers instead of 250."""

    def line(self):
        return self.rfile.readline(4096).rstrip(b"\r\n")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        server, tls, signed = self.server, False, False
        self.say("220 mail.example ESMTP")
        while True:
            line = self.line()
            verb = line[:4].upper()
            if not line or verb == b"QUIT":
                self.say("221 bye")
                return
            if verb == b"EHLO":
                self.say("250-mail.example")
                self.say("250 AUTH PLAIN" if tls else "250 STARTTLS")
            elif verb == b"STAR":
                self.say("220 go ahead")
                self.request = server.context.wrap_socket(self.request, server_side=True)
                self.rfile = self.request.makefile("rb")
                self.wfile = self.request.makefile("wb", 0)
                tls = True
            elif verb == b"AUTH":
                given = line.split(b" ")[2] if len(line.split(b" ")) > 2 else None
                if given is None:
                    self.say("334 ")
                    given = self.line()
                signed = base64.b64decode(given) == b"\0picket\0" + PASSWORD.encode()
                self.say("235 fine" if signed else "535 no")
            elif verb == b"RCPT" and server.refuse:
                self.say(server.refuse)
            elif verb == b"DATA":
                self.say("354 go")
                lines = []
                while (data := self.rfile.readline(4096)) != b".\r\n":
                    assert data.endswith(b"\r\n") and len(data) <= 1000, data
                    lines.append(data[1:] if data.startswith(b".") else data)
                server.mails.append((tls, signed, b"".join(lines)))
                self.say("250 taken")
            else:
                self.say("250 fine")


class MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, certificates):
        super().__init__(("127.0.0.1", 0), Mail)
        self.mails, self.refuse = [], None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates.file("local.pem"), certificates.file("local.key"))
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, address):
        pass


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.status
        self.server.posts.append((self.headers, body, status))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


class HookServer(http.server.ThreadingHTTPServer):
    def __init__(self, certificates):
        super().__init__(("127.0.0.1", 0), Hook)
        self.posts, self.status = [], 200
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.file("local.pem"), certificates.file("local.key"))
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, address):
        pass


def make_certificates(place):
    certificates = Certificates(place)
    certificates.make("local", ["-x509", "-days", "2", "-subj", "/CN=localhost", "-addext",
                                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-CA", certificates.file("ca.pem"),
                                "-CAkey", certificates.file("ca.key")])
    shutil.copy(certificates.file("local.pem"), certificates.file("server.pem"))
    shutil.copy(certificates.file("local.key"), certificates.file("server.key"))
    return certificates


def put_secret(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write(text + "\n")
    return path


def check_message(data, old):
    priority, _, app, msgid, body = read_syslog(data)
    assert priority == 4 * 8 + 3 and app == b"picket-center", data
    assert old == (msgid is None), data
    assert old or msgid == b"DirectoryServicesReplicationSecurityAlert"[:32], data
    fields, pairs = read_cef(body)
    assert fields["name"] == "DirectoryServicesReplicationSecurityAlert" and fields["severity"] == "10", fields
    assert pairs["externalId"] == "2006" and pairs["suser"] == "m\u00fcller=1|2\\3", pairs
    assert pairs["shost"] == "WS1\nCEF:0|x" and pairs["sntdom"] == "corp.example", pairs
    assert pairs["cs1Label"] == "url" and pairs["cs1"].startswith("https://portal.example/alerts/"), pairs
    assert pairs["msg"].startswith("k\u00e9rb\ufffdros=|\\ replicated") and pairs["msg"].endswith(".\nIt is no domain controller."), pairs
    return pairs["cs1"], pairs["cs2"]


def syslog(program, certificates):
    """Four ways to rsyslogd; it is not there at first, goes, and comes again."""
    place = tempfile.mkdtemp(dir=certificates.place)
    server = Rsyslog(certificates)
    urls = {"tls": "tls://localhost:%d" % server.tls, "tcp": "tcp://127.0.0.1:%d?format=rfc3164" % server.tcp,
            "udp": "udp://127.0.0.1:%d" % server.udp}
    center = Center(program, place, [
        "portal = \"https://portal.example/\"", "syslog = " + ", ".join(urls.values()),
        "syslog-ca = " + certificates.file("ca.pem"), "syslog-certificate = " + certificates.file("relay.pem"),
        "syslog-key = " + certificates.file("relay.key")])
    try:
        assert center.raise_(1) == "new"
        assert until(lambda: "1015 tls://localhost" in center.trouble(), 60), center.trouble()
        server.start()
        for position in range(2, 12):
            assert center.raise_(position) == "new"

        def seen(kind):
            return {check_message(m, kind == "tcp")[0] for k, m in server.messages() if k == kind}
        assert until(lambda: len(seen("tls")) == 11 and len(seen("tcp")) == 11, 90), \
            (len(seen("tls")), len(seen("tcp")), center.trouble())
        assert until(lambda: len(seen("udp")) >= 10, 30)
        assert until(lambda: "1015 tls://localhost:%d over" % server.tls in center.trouble(), 30), center.trouble()
        server.stop()
        time.sleep(0.5)
        center.raise_(12)
        server.start()
        assert until(lambda: len(seen("tls")) == 12 and len(seen("tcp")) == 12, 90), center.trouble()
        print("syslog: %d messages, all read by the reader of the specification" % len(server.messages()))
    finally:
        server.stop()
        assert center.close() == 0


def wrong_certificate(program, certificates):
    """A syslog server that cannot be trusted gets nothing."""
    place = tempfile.mkdtemp(dir=certificates.place)
    server = HookServer(certificates)
    center = Center(program, place, ["syslog = \"tls://localhost:%d\"" % server.server_port])
    center.raise_(1)
    assert until(lambda: "certificate" in center.trouble(), 60), center.trouble()
    assert center.counts()["tls://localhost:%d" % server.server_port][0] == 0
    assert center.close() == 0
    server.shutdown()
    print("syslog: a certificate of nobody's is refused")


def mail(program, certificates):
    place = tempfile.mkdtemp(dir=certificates.place)
    server = MailServer(certificates)
    name = "smtp://localhost:%d" % server.server_address[1]
    center = Center(program, place, [
        "portal = \"https://portal.example\"", "mail-server = \"%s\"" % name, "mail-ca = " + certificates.file("ca.pem"), "mail-user = picket",
        "mail-password = " + put_secret(os.path.join(place, "password"), PASSWORD), "mail-from = picket@corp.example",
        "mail-to = soc@corp.example, other@corp.example"])
    try:
        center.raise_(1)
        assert until(lambda: server.mails, 60), center.trouble()
        tls, signed, data = server.mails[0]
        assert tls and signed
        message = email.message_from_bytes(data, policy=email.policy.default)
        assert "picket@corp.example" in message["From"] and "other@corp.example" in message["To"], message["To"]
        assert message["Subject"].startswith("[Picket] high: ") and message["Subject"].endswith("(new)"), message["Subject"]
        assert message["Auto-Submitted"] == "auto-generated" and message["Message-ID"]
        body = message.get_content()
        assert "WS1\\r\\nCEF:0|x" in body and "https://portal.example/alerts/" in body, body
        server.refuse = "451 later"
        center.raise_(2)
        assert until(lambda: "1014 %s" % name in center.trouble(), 60), center.trouble()
        server.refuse = None
        assert until(lambda: len(server.mails) == 2 and "1014 %s over" % name in center.trouble(), 60), center.trouble()
        server.refuse = "550 nobody"
        center.raise_(3)
        assert until(lambda: center.counts()[name][2] == 1, 90), center.counts()
        server.refuse = None
        center.raise_(4)
        assert until(lambda: len(server.mails) == 3, 60), center.trouble()
        assert PASSWORD not in center.trouble()
        print("mail: STARTTLS, signed in, repeated, given up")
    finally:
        assert center.close() == 0
        server.shutdown()


def check_signature(headers, body):
    t, v1 = (part.split("=", 1)[1] for part in headers["X-Picket-Signature"].split(","))
    good = hmac.new(SECRET.encode(), t.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(good, v1) and abs(time.time() - int(t)) < 300


def webhook_and_file(program, certificates):
    place = tempfile.mkdtemp(dir=certificates.place)
    server = HookServer(certificates)
    server.status = 503
    path = os.path.join(place, "alerts.ndjson")
    name = "https://localhost:%d" % server.server_port
    notify = ["webhook = \"%s/x?y=z\"" % name, "webhook-ca = " + certificates.file("ca.pem"),
              "webhook-secret = " + put_secret(os.path.join(place, "secret"), SECRET), "file = " + path]
    center = Center(program, place, notify)
    try:
        for position in range(1, 6):
            center.raise_(position)
        assert center.raise_(1) == "nothing"
        assert center.raise_(6, 1) == "updated"
        assert until(lambda: "1111 %s" % name in center.trouble(), 60), center.trouble()
        assert until(lambda: center.counts()[path][0] == 5, 60), center.counts()
        lines = [json.loads(line) for line in open(path)]
        assert [line["trigger"] for line in lines] == ["new"] * 5, lines
        assert all(line["alert"]["external_id"] == 2006 for line in lines)
        assert center.close() == 0  # what waits is kept
        server.status = 200
        server.posts.clear()
        center = Center(program, place, notify)
        assert until(lambda: len({p[0]["X-Picket-Delivery"] for p in server.posts}) >= 5, 60), len(server.posts)
        for headers, body, _ in server.posts:
            check_signature(headers, body)
            assert json.loads(body)["alert"]["severity"] == "high"
        server.status = 400
        center.raise_(7)
        assert until(lambda: center.counts()[name][2] == 1, 90), center.counts()
        os.rename(path, path + ".1")
        center.raise_(8)
        assert until(lambda: os.path.exists(path), 60)
        print("webhook: signed, kept over a restart, given up; file: may be moved away")
    finally:
        assert center.close() == 0
        server.shutdown()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    program = parser.parse_args().probe
    if not shutil.which("rsyslogd") or not shutil.which("openssl"):
        print("skipped: rsyslogd or openssl is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="picket-notify-") as place:
        certificates = make_certificates(place)
        webhook_and_file(program, certificates)
        mail(program, certificates)
        wrong_certificate(program, certificates)
        syslog(program, certificates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
