#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ldap_client_slapd.py - the directory's client against OpenLDAP's server on loopback: certificates, binds, pages, and a server
that stops, dies or is not there. Somebody else's LDAP and TLS; the hostile ones are in tests/unit/test_ldap_client.c."""
import argparse
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", ""))

SCHEMA = "".join("attributetype ( 1.3.6.1.4.1.99999.%d NAME '%s' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n" % (i, name)
                 for i, name in enumerate(("defaultNamingContext", "configurationNamingContext", "dnsHostName",
                                           "highestCommittedUSN", "currentTime"), 1))


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Directory:
    """A slapd that says of itself that it is a domain controller of corp.example."""

    def __init__(self, place, name, ca, entries=500):
        self.place = os.path.join(place, name)
        os.makedirs(self.place + "/db")
        self.port, self.tls_port = free_port(), free_port()
        key, csr, crt = (self.place + "/" + f for f in ("key.pem", "csr.pem", "crt.pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", csr,
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        openssl("x509", "-req", "-in", csr, "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-days", "2",
                "-copy_extensions", "copy", "-out", crt)
        with open(self.place + "/root.ldif", "w") as f:
            f.write("dn:\nobjectClass: extensibleObject\ndefaultNamingContext: DC=corp,DC=example\n"
                    "configurationNamingContext: CN=Configuration,DC=corp,DC=example\ndnsHostName: dc1.corp.example\n"
                    "highestCommittedUSN: 12\ncurrentTime: %s\n" % time.strftime("%Y%m%d%H%M%S.0Z", time.gmtime()))
        with open(self.place + "/slapd.conf", "w") as f:
            f.write("include /etc/ldap/schema/core.schema\n%smodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
                    "pidfile %s/pid\nrootDSE %s/root.ldif\nTLSCACertificateFile %s.pem\nTLSCertificateFile %s\n"
                    "TLSCertificateKeyFile %s\nsizelimit unlimited\ndatabase mdb\nmaxsize 67108864\nsuffix dc=corp,dc=example\n"
                    "rootdn cn=reader,dc=corp,dc=example\nrootpw secret\ndirectory %s/db\n"
                    % (SCHEMA, self.place, self.place, ca, crt, key, self.place))
        with open(self.place + "/data.ldif", "w") as f:
            f.write("dn: dc=corp,dc=example\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: corp\n\n")
            for i in range(entries):
                f.write("dn: ou=u%d,dc=corp,dc=example\nobjectClass: organizationalUnit\nou: u%d\ndescription: %s\n\n"
                        % (i, i, "x" * 2000))
        subprocess.run([SLAPD, "-T", "add", "-q", "-f", self.place + "/slapd.conf", "-l", self.place + "/data.ldif"], check=True)
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [SLAPD, "-d", "0", "-f", self.place + "/slapd.conf", "-h",
             "ldap://127.0.0.1:%d ldaps://127.0.0.1:%d" % (self.port, self.tls_port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("slapd does not come up")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


class Tests:
    def __init__(self, probe, place):
        self.probe, self.place = probe, place
        self.ca, self.stranger = place + "/ca", place + "/stranger"
        for ca in (self.ca, self.stranger):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=Authority " + os.path.basename(ca), "-keyout", ca + ".key", "-out", ca + ".pem")
        self.password, self.wrong = place + "/password", place + "/wrong"
        for path, word in ((self.password, "secret"), (self.wrong, "guess")):
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
                f.write(word + "\n")
        self.one = Directory(place, "one", self.ca)
        self.two = Directory(place, "two", self.ca)

    def words(self, *more, ports=None, security="ldaps", password=None, ca=None):
        d = self.one
        ports = ports or [d.tls_port if security == "ldaps" else d.port]
        return [self.probe, "domain=corp.example", "account=cn=reader,dc=corp,dc=example", "bind=simple",
                "security=" + security, "password=" + (password or self.password), "ca=" + (ca or self.ca) + ".pem",
                *("dc=localhost:%d" % p for p in ports), *more]

    def run(self, *more, **how):
        return subprocess.run(self.words(*more, "patience=60", **how), capture_output=True, text=True, timeout=120).stdout

    def binds(self):
        for security in ("ldaps", "starttls"):
            out = self.run("filter=(ou=u7)", "verbose=1", security=security)
            assert "state bound" in out and "  ou: u7\n" in out and "outcome=0" in out, out

    def answers(self):
        out = self.run("filter=(objectClass=*)", "quiet=1")
        assert "objects=501 " in out and "outcome=0" in out, out
        out = self.run("filter=(objectClass=*)", "quiet=1", "page=50")
        assert out.count("objects=50 ") == 10 and out.count("more=1") == 10 and out.count("more=0") == 1, out
        out = self.run("filter=(objectClass=*)", "quiet=1", "bytes=100000")
        assert "outcome=3" in out, out
        out = self.run("filter=(objectClass=*)", "quiet=1", "abandon=3")
        assert "outcome=5" in out and "objects=3 " in out, out
        out = self.run("filter=(ou=u1)", "base=dc=nowhere")
        assert "outcome=1 code=32" in out, out
        out = self.run("filter=(objectClass=*)", "quiet=1", "searches=8")
        assert out.count("objects=501 ") >= 1 and "objects 4008 " in out, out

    def refusals(self):
        out = self.run("filter=(ou=u1)", password=self.wrong)
        assert "state refused" in out and "name or password is wrong" in out and "state bound" not in out, out
        for security in ("ldaps", "starttls"):
            out = self.run("filter=(ou=u1)", "once=1", security=security, ca=self.stranger)
            assert "is not trusted by" in out and "state bound" not in out, out
        out = self.run("filter=(ou=u1)", "once=1", ports=[free_port()])
        assert "nothing listens there" in out, out
        out = self.run("filter=(ou=u1)", "once=1", ports=[self.one.port])  # TLS to a port that speaks none
        assert "TLS" in out and "state bound" not in out, out

    def follows(self, act, until, seconds=60):
        """A client that asks ten times a second; `act` is done to the first directory when it is bound to that."""
        words = self.words("filter=(ou=u7)", "quiet=1", "every=100", "timeout=1", "seconds=%d" % seconds,
                           ports=[self.one.tls_port, self.two.tls_port])
        client = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        seen, acted = [], False
        try:
            for line in client.stdout:
                seen.append(line)
                if not acted and "outcome=0" in line:
                    acted = True
                    act()
                    seen = []
                elif acted and until(seen):
                    return seen
        finally:
            client.kill()
            client.wait()
        raise AssertionError("".join(seen[-20:]))

    def fail_over(self):
        def elsewhere(lines):
            bound = [i for i, l in enumerate(lines) if l.startswith("state bound")]
            return bound and any("outcome=0" in l for l in lines[bound[-1]:])

        seen = self.follows(lambda: self.one.process.send_signal(signal.SIGSTOP), elsewhere)
        assert any("nothing came in time" in l for l in seen) and any("outcome=2" in l for l in seen), seen
        self.one.process.send_signal(signal.SIGCONT)
        seen = self.follows(self.one.stop, elsewhere)
        assert any("outcome=2" in l or "state connecting" in l for l in seen), seen
        self.one.start()

    def ends_within_an_answer(self):
        """A relay lets the first 200,000 bytes of the answer through and then ends the connection."""
        relay = socket.socket()
        relay.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        relay.bind(("127.0.0.1", 0))
        relay.listen(8)
        client = subprocess.Popen(self.words("filter=(objectClass=*)", "quiet=1", "seconds=30",
                                             ports=[relay.getsockname()[1]]), stdout=subprocess.PIPE, text=True)
        try:
            near = relay.accept()[0]
            far = socket.create_connection(("127.0.0.1", self.one.tls_port))
            passed = 0
            while passed < 200000:
                for s in select.select([near, far], [], [], 30)[0]:
                    data = s.recv(16384)
                    (far if s is near else near).sendall(data)
                    passed += len(data) if s is far else 0
            near.close()
            far.close()
            out = client.communicate(timeout=60)[0]
        finally:
            relay.close()
            client.kill()
            client.wait()
        assert "outcome=2" in out and "state bound" in out, out
        assert int(out.split("objects ")[-1].split()[0]) > 10, out

    def close(self):
        self.one.stop()
        self.two.stop()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--probe", required=True)
    given = arguments.parse_args()
    if not SLAPD or not shutil.which("openssl"):
        print("skipped: no slapd or openssl here")
        return 77
    place = tempfile.mkdtemp(prefix="picket-slapd-")
    tests = None
    try:
        tests = Tests(given.probe, place)
        for test in (tests.binds, tests.answers, tests.refusals, tests.fail_over, tests.ends_within_an_answer):
            test()
            print("%s: passed" % test.__name__, flush=True)
    finally:
        if tests:
            tests.close()
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
