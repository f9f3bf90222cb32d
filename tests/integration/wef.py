#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wef.py - Windows Event Forwarding to a whole picketd: a source of our own (wef_client.py) with certificates that openssl
made, and with tickets of a real KDC on loopback.

    wef.py --picketd PROGRAM --picket PROGRAM

  * over HTTPS: who has no certificate, or one of another authority, or a revoked one, gets nothing; who has one subscribes,
    sends heartbeats, delivers; its events are activities
  * over HTTP: the same with Kerberos and with SPNEGO, everything sealed; users, broken seals and plain messages are refused
  * nobody speaks for another computer
  * after a restart each source gets its bookmark back
  * garbage of many kinds is refused, and others are served meanwhile
  * a source that falls silent is health issue 1012, until it is heard again
"""
import argparse
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

try:
    import gssapi
except ImportError:
    gssapi = None
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)     # the system's has Debian's modules

import nodes  # noqa: E402
import wef_client as wef  # noqa: E402

REALM = "CORP.EXAMPLE"
HOST = "sensor.corp.example"
SKIP = 77


def run(*command, **how):
    r = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **how)
    if r.returncode:
        raise AssertionError("%s: %s%s" % (" ".join(command), r.stdout, r.stderr))
    return r.stdout


class Certificates:
    def __init__(self, place):
        self.place = place
        for name in ("ca", "strange"):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-keyout",
                self.path(name + ".key"), "-out", self.path(name + ".pem"), "-subj", "/CN=Test authority " + name)
        self.issue("server", HOST, "ca", "serverAuth")
        for name in ("dc01", "dc02", "gone"):
            self.issue(name, name + ".corp.example", "ca", "clientAuth")
        self.issue("web", "web.corp.example", "ca", "serverAuth")
        self.issue("stranger", "dc01.corp.example", "strange", "clientAuth")
        os.chmod(self.path("server.key"), 0o600)
        self.revoke("gone")

    def path(self, name):
        return os.path.join(self.place, name)

    def issue(self, name, host, authority, purpose):
        with open(self.path("extensions"), "w") as f:
            f.write("subjectAltName = DNS:%s\nextendedKeyUsage = %s\n" % (host, purpose))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.path(name + ".key"),
            "-out", self.path(name + ".csr"), "-subj", "/CN=" + host)
        run("openssl", "x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path(authority + ".pem"), "-CAkey",
            self.path(authority + ".key"), "-CAcreateserial", "-days", "20", "-extfile", self.path("extensions"), "-out",
            self.path(name + ".pem"))

    def revoke(self, name):
        with open(self.path("ca.conf"), "w") as f:
            f.write("[ca]\ndefault_ca = own\n[own]\ndatabase = %s\ndefault_md = sha256\ndefault_crl_days = 20\ncrlnumber = %s\n"
                    % (self.path("index"), self.path("number")))
        open(self.path("index"), "w").close()
        with open(self.path("number"), "w") as f:
            f.write("01\n")
        ca = ["openssl", "ca", "-config", self.path("ca.conf"), "-cert", self.path("ca.pem"), "-keyfile", self.path("ca.key")]
        run(*ca, "-revoke", self.path(name + ".pem"))
        run(*ca, "-gencrl", "-out", self.path("ca.crl"))

    def context(self, name):
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        context.check_hostname = False
        if name:
            context.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))
        return context

    def thumbprint(self):
        return run("openssl", "x509", "-in", self.path("ca.pem"), "-noout", "-fingerprint", "-sha1").strip().split("=")[1].replace(":", "")


class Kdc:
    """A realm with a KDC on loopback, in a directory of its own."""

    def __init__(self, place):
        self.place, (self.port,) = place, nodes.free_ports(1)
        os.makedirs(place)
        self.write("krb5.conf", "[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n"
                   " dns_canonicalize_hostname = false\n udp_preference_limit = 1\n[realms]\n %s = {\n  kdc = 127.0.0.1:%d\n }\n"
                   % (REALM, REALM, self.port))
        self.write("kdc.conf", "[kdcdefaults]\n kdc_listen = 127.0.0.1:%d\n kdc_tcp_listen = 127.0.0.1:%d\n[realms]\n %s = {\n"
                   "  database_name = %s/principal\n  key_stash_file = %s/stash\n  acl_file = %s/acl\n }\n[logging]\n kdc = FILE:%s/log\n"
                   % (self.port, self.port, REALM, place, place, place, place))
        self.env = dict(os.environ, KRB5_CONFIG=place + "/krb5.conf", KRB5_KDC_PROFILE=place + "/kdc.conf")
        os.environ["KRB5_CONFIG"] = self.env["KRB5_CONFIG"]        # this process is the sources
        run("/usr/sbin/kdb5_util", "create", "-s", "-P", "master", "-r", REALM, env=self.env)
        for principal in ("HTTP/" + HOST, "DC01$", "DC02$", "WKS1$", "alice"):
            self.admin("addprinc -randkey " + principal)
            self.admin("ktadd -k %s %s" % (self.keytab(principal), principal))
        self.process = subprocess.Popen(["/usr/sbin/krb5kdc", "-n"], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        nodes.wait("the KDC answers", self.answers)

    def write(self, name, text):
        with open(os.path.join(self.place, name), "w") as f:
            f.write(text)

    def admin(self, command):
        run("/usr/sbin/kadmin.local", "-r", REALM, "-q", command, env=self.env)

    def keytab(self, principal):
        return os.path.join(self.place, principal.split("/")[0].strip("$") + ".keytab")

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def channel(self, port, principal, scheme):
        name = gssapi.Name(principal + "@" + REALM, gssapi.NameType.kerberos_principal)
        store = {"client_keytab": "FILE:" + self.keytab(principal), "ccache": "MEMORY:" + principal.strip("$")}
        credentials = gssapi.Credentials(name=name, usage="initiate", store=store)
        target = gssapi.Name("HTTP/%s@%s" % (HOST, REALM), gssapi.NameType.kerberos_principal)
        return wef.KerberosChannel("127.0.0.1", port, scheme, credentials, target)

    def end(self):
        self.process.terminate()
        self.process.wait()


class Tests:
    def __init__(self, fleet, certificates, kdc):
        self.certificates, self.kdc = certificates, kdc
        self.https, self.http = nodes.free_ports(2)
        self.node = fleet.create("sensor", "hq")
        self.configure()
        self.node.start().up()
        self.record = 100

    def configure(self, heartbeat="10s"):
        c = self.certificates.path
        lines = ["wef", "    https = 127.0.0.1:%d" % self.https, "    certificate = " + c("server.pem"), "    key = " + c("server.key"),
                 "    client-ca = " + c("ca.pem"), "    client-crl = " + c("ca.crl"), "    heartbeat = " + heartbeat]
        if self.kdc:
            lines += ["    http = 127.0.0.1:%d" % self.http, "    keytab = " + self.kdc.keytab("HTTP/" + HOST)]
        self.node.write_config(lines)

    # --- sources ---
    def by_certificate(self, name, machine=None):
        channel = wef.TlsChannel("127.0.0.1", self.https, self.certificates.context(name))
        return wef.Source(channel, HOST, self.https, machine or "%s.corp.example" % name, tls=True)

    def by_ticket(self, principal, scheme, machine=None):
        channel = self.kdc.channel(self.http, principal, scheme)
        return wef.Source(channel, HOST, self.http, machine or principal.strip("$").lower() + ".corp.example")

    def accounts(self):
        """Of the NTLM activities that the node shows."""
        status, out, err = self.node.command("activities", "--limit", "1000", "--json")
        import json
        return [json.loads(line).get("account") for line in out.splitlines() if "ntlm" in line]

    def deliver(self, source, account, computer=None, events=1):
        first = self.record
        self.record += events
        batch = [wef.ntlm(first + i, computer or source.name, account) for i in range(events)]
        answer = source.events(batch, bookmark=self.record - 1)
        assert source.is_acknowledged(answer), (answer.status, answer.text)
        return self.record - 1

    def arrives(self, account, count=1):
        nodes.wait(lambda: "%d activities of %s: %s" % (count, account, self.accounts()),
                   lambda: self.accounts().count(account) >= count)

    # --- the tests ---
    def subscribes(self, source, profile):
        subscription = source.enumerate()
        assert subscription.mode == wef.WSMAN + "/Events" and subscription.heartbeat == "PT10.000S"
        assert subscription.options["Compression"] == "SLDC" and subscription.address == subscription.end_to
        assert subscription.address.startswith(source.manager.split("/wsman")[0] + "/wsman/subscriptions/"), subscription.address
        assert any("4776" in q.text and q.get("Path") == "Security" for q in subscription.queries)
        assert profile in subscription.policy, subscription.policy
        again = source.enumerate()
        assert again.version == subscription.version and again.address == subscription.address
        return subscription

    def certificates_alone(self):
        for name in (None, "stranger", "gone", "web"):
            try:
                status = self.by_certificate(name, "dc01.corp.example").enumerate().status
            except (ssl.SSLError, ConnectionError):
                continue                                     # TLS itself refused
            assert status == 403, (name, status)
        source = self.by_certificate("dc01")
        subscription = self.subscribes(source, "https/mutual")
        assert self.certificates.thumbprint() in subscription.policy, subscription.policy
        assert source.is_acknowledged(source.heartbeat())
        self.deliver(source, "carol")
        self.arrives("carol")
        self.deliver(source, "dave", events=300)
        self.arrives("dave", 300)
        answer = source.events([wef.ntlm(1, source.name, "erin")], compressed=False)
        assert source.is_acknowledged(answer)
        self.arrives("erin")

    def tickets(self):
        for principal, scheme, account in (("DC01$", "Kerberos", "frank"), ("DC02$", "Negotiate", "grace")):
            source = self.by_ticket(principal, scheme)
            self.subscribes(source, "http/spnego-kerberos")
            assert source.is_acknowledged(source.heartbeat())
            self.deliver(source, account, events=20)
            self.arrives(account, 20)
            source.channel.close()                           # a new connection, a new proof
            self.deliver(source, account)
            self.arrives(account, 21)
        source = self.by_ticket("alice", "Kerberos")
        answer = source.enumerate()
        assert answer.fault() == "AccessDenied", answer.text

    def plain_is_refused(self):
        bare = wef.Channel("127.0.0.1", self.http)
        status, headers, body = bare.post("/wsman/SubscriptionManager/WEC", b"", {})
        assert status == 401 and sorted(headers.get_all("WWW-Authenticate")) == ["Kerberos", "Negotiate"], (status, headers)
        status, headers, body = bare.post("/wsman/SubscriptionManager/WEC", b"<s:Envelope/>", {})
        assert status == 401, status
        for scheme in ("Kerberos", "Negotiate"):
            for token in ("", "!!!", "AAAA", "YIIBgwYGKwYBBQUCoIIBdzCCAXOgDTALBgkqhkiG9xIBAgI="):
                status, headers, body = bare.post("/wsman", b"", {"Authorization": scheme + " " + token})
                assert status == 401, (scheme, token, status)
        channel = self.kdc.channel(self.http, "DC01$", "Kerberos")
        assert channel.prove("/wsman/SubscriptionManager/WEC") == 200
        status, headers, body = channel.post("/wsman/SubscriptionManager/WEC", b"<s:Envelope/>", {"Content-Type": "application/soap+xml"})
        assert status == 400, status
        kind = 'multipart/encrypted;protocol="%s";boundary="Encrypted Boundary"' % channel.protocol
        for place in (-40, -80, 260):
            channel.connect()
            assert channel.prove("/wsman/SubscriptionManager/WEC") == 200
            sealed = bytearray(channel.seal(b"\xff\xfe" + "<s:Envelope/>".encode("utf-16-le") * 20))
            sealed[place] ^= 1
            status, headers, body = channel.post("/wsman/SubscriptionManager/WEC", bytes(sealed), {"Content-Type": kind})
            assert status == 400, (place, status)

    def for_itself_only(self):
        source = self.by_certificate("dc02")
        source.enumerate()
        self.deliver(source, "mallory", computer="dc01.corp.example")
        self.deliver(source, "heidi")
        self.arrives("heidi")
        assert "mallory" not in self.accounts()

    def bookmarks(self):
        source = self.by_certificate("dc01")
        source.enumerate()
        last = self.deliver(source, "ivan")
        assert source.enumerate().bookmark == {"Security": last}
        nodes.wait("the bookmark is on disk", lambda: os.path.exists(os.path.join(self.node.state, "wef-bookmarks")))
        for end in (self.node.stop, self.kill_later):
            end()
            self.node.start().up()
            source = self.by_certificate("dc01")
            assert source.enumerate().bookmark == {"Security": last}
            assert self.by_certificate("dc02").enumerate().bookmark is not None
        assert source.is_acknowledged(source.end())

    def sources(self):
        return {s["name"]: s for s in self.node.ask("inputs")["sources"]}

    def shown(self):
        known = self.sources()
        for name in ("dc01.corp.example", "dc02.corp.example"):
            source = known[name]
            assert source["address"] == "127.0.0.1" and source["events"] > 0 and source["last_event"], source
            assert not source["silent"] and "RecordId" in source["position"], source
        assert known["dc02.corp.example"]["refused"] == 1 and "alice@corp.example" not in known, known
        status, out, err = self.node.command("inputs")
        assert "dc01.corp.example" in out and "heard" in out, out

    def kill_later(self):
        time.sleep(6)                                        # what is a few seconds old is kept
        self.node.kill()

    def garbage(self):
        rng = random.Random(5)
        keeps = self.by_certificate("dc01")
        keeps.enumerate()
        path = "/wsman/SubscriptionManager/WEC"
        good = b"\xff\xfe" + keeps.envelope(keeps.manager, wef.NS["n"] + "/Enumerate", "").encode("utf-16-le")
        bodies = [b"x", b"\xff\xfe", b"\xff\xab\0\0\0\0\0\0\xff\xff\xff\xff", wef.sldc(b"no envelope"), wef.sldc(good)[:-9] + b"\0\1\0\0",
                  good[:len(good) // 2], b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>" * 5000, bytes(rng.randbytes(5000))]
        for body in bodies:
            for headers in ({}, {"Content-Encoding": "SLDC"}, {"Content-Encoding": "gzip"}):
                status = self.by_certificate("dc01").channel.send(path, body, headers).status
                assert status in (400, 500), (body[:40], headers, status)
        for i in range(60):
            body = bytearray(wef.sldc(good))
            for k in range(3):
                body[rng.randrange(len(body))] = rng.randrange(256)
            channel = self.by_certificate("dc01").channel
            assert channel.send(path, bytes(body), {"Content-Encoding": "SLDC"}).status in (200, 400, 500)
        for size in (1 << 21, 1 << 25):                      # more than is taken
            try:
                self.by_certificate("dc01").channel.send(path, b" " * size, {})
                raise AssertionError("%d bytes are taken" % size)
            except (ssl.SSLError, ConnectionError, OSError, wef.http.client.HTTPException):
                pass
        for line in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\xff" + rng.randbytes(300), b"POST /wsman HTTP/1.1\r\nX: " + b"a" * 300000):
            for port in (self.https, self.http if self.kdc else self.https):
                with socket.create_connection(("127.0.0.1", port), 10) as s:
                    try:
                        s.sendall(line)
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(65536):
                            pass
                    except OSError:
                        pass
        idle = []
        try:
            for i in range(200):                             # one address may not take all places
                s = socket.create_connection(("127.0.0.1", self.https), 10, ("127.0.0.9", 0))
                s.sendall(b"\x16")
                idle.append(s)
        except OSError:
            pass
        assert keeps.is_acknowledged(keeps.heartbeat())
        for s in idle:
            s.close()
        self.deliver(keeps, "judy")
        self.arrives("judy")

    def silence(self):
        def raised():
            status, out, err = self.node.command("status", "--json")
            return "events_not_analyzed" in out
        source = self.by_certificate("dc02")
        source.enumerate()
        nodes.wait("silence is told", raised, 120)
        for name in ("dc01", "dc02"):
            self.by_certificate(name).enumerate()
        if self.kdc:
            for principal in ("DC01$", "DC02$"):
                self.by_ticket(principal, "Kerberos").enumerate()
        nodes.wait("it is cleared", lambda: not raised(), 60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    args = parser.parse_args()
    if not shutil.which("openssl"):
        print("SKIP: event forwarding is not tested: no openssl")
        sys.exit(SKIP)
    place = tempfile.mkdtemp(prefix="picket-wef-")
    kdc = None
    try:
        certificates = Certificates(place)
        if gssapi and os.path.exists("/usr/sbin/krb5kdc"):
            kdc = Kdc(place + "/kdc")
        else:
            print("not tested: Kerberos (python3-gssapi, krb5-kdc, krb5-admin-server)")
        with nodes.Fleet(args.picket, args.picketd, log_lines=60) as fleet:
            tests = Tests(fleet, certificates, kdc)
            names = ["certificates_alone"] + (["tickets", "plain_is_refused"] if kdc else []) + [
                "for_itself_only", "shown", "bookmarks", "garbage", "silence"]
            for name in names:
                began = time.monotonic()
                getattr(tests, name)()
                print("%-20s %.1f s" % (name, time.monotonic() - began), flush=True)
            assert tests.node.stop() == 0
    finally:
        if kdc:
            kdc.end()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
