#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ldap_client.py - the directory's client against a real Active Directory domain (tests/lab): every bind, what is asked of it,
accounts that are refused, domain controllers that stop, a bind that ends, and the check with its commands."""
import argparse
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab"))
import lab  # noqa: E402

ACCOUNT = lab.SYNCHRONIZER + "@" + lab.REALM
UPN = lab.SYNCHRONIZER + "@" + lab.DOMAIN
USER = ("filter=(sAMAccountName=user01)", "attribute=sAMAccountName", "verbose=1")


class Tests:
    def __init__(self, l, probe):
        self.l, self.probe = l, probe
        self.password = self.secret("password", lab.SYNCHRONIZER_PASSWORD)
        os.chmod(l.keytab, 0o600)

    def secret(self, name, word):
        path = lab.PLACE + "/" + name
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
            f.write(word + "\n")
        return path

    def words(self, *words):
        return [self.probe, "domain=" + lab.DOMAIN, "ca=" + self.l.ca_file, *words]

    def run(self, *words, host="sensor"):
        status, out, err = self.l.run(host, self.words("patience=60", *words), timeout=120)
        assert not err, err
        return out

    def kerberos(self):
        return ["account=" + ACCOUNT, "keytab=" + self.l.keytab]

    def dc(self, controller=None):
        return "dc=" + (controller or self.l.dc1).host_name

    def binds(self):
        keytab, word = self.kerberos(), ["account=" + UPN, "password=" + self.password]
        for credentials, bind, security in (
                (keytab, "gssapi", "sasl"), (keytab, "spnego", "sasl"), (keytab, "gssapi", "starttls"), (keytab, "gssapi", "ldaps"),
                (keytab, "spnego", "starttls"), (keytab, "spnego", "ldaps"), (word, "gssapi", "sasl"), (word, "spnego", "sasl"),
                (word, "simple", "starttls"), (word, "simple", "ldaps")):
            out = self.run(self.dc(), *credentials, "bind=" + bind, "security=" + security, *USER)
            assert "state bound" in out and "  sAMAccountName: user01\n" in out and "outcome=0" in out, (bind, security, out)
        # Neither the environment nor the system's file of settings is needed.
        status, out, err = self.l.run("sensor", self.words(self.dc(), *keytab, *USER),
                                      env={"KRB5_CONFIG": "/nonexistent", "KRB5CCNAME": "FILE:/nonexistent/cache"})
        assert "outcome=0" in out, out + err

    def discovery(self):
        for site, first in (("Branch", self.l.dc2), ("Default-First-Site-Name", self.l.dc1)):
            out = self.run("site=" + site, *self.kerberos())
            assert "peer %s" % first.host_name in out.lower(), (site, out)
        out = self.run(*self.kerberos())
        assert "state bound" in out, out
        out = subprocess.run(self.l.net.inside("sensor") + [self.probe, "domain=nowhere.example", *self.kerberos(), "once=1"],
                             capture_output=True, text=True).stdout
        assert "DNS names no domain controller of nowhere.example" in out, out

    def answers(self):
        ask = [self.dc(), *self.kerberos()]
        everything = "filter=(objectClass=*)"
        out = self.run(*ask, everything, "quiet=1", "dirsync=0x80000000", "extended=1", "rounds=3")
        counts = [line for line in out.splitlines() if line.startswith("result")]
        assert len(counts) == 3 and "objects=0 " in counts[1] and "cookie=0" not in counts[0], out
        out = self.run(*ask, everything, "quiet=1", "page=50")
        assert out.count("more=1") > 3 and out.count("more=0") == 1, out
        objects = int(out.split("objects ")[-1].split()[0])
        out = self.run(*ask, everything, "quiet=1", "searches=8")
        assert "objects %d " % (8 * objects) in out, (objects, out)
        out = self.run(*ask, *USER, "extended=1")
        assert "object <GUID=" in out and ";<SID=S-1-5-21-" in out, out
        self.l.dc1.add_users(["gone2"])
        self.l.dc1.delete(["CN=gone2,OU=Staff," + lab.BASE])
        out = self.run(*ask, "filter=(&(isDeleted=TRUE)(sAMAccountName=gone2))", "deleted=1")
        assert "object CN=gone2\\0ADEL:" in out, out
        out = self.run(*ask, everything, "quiet=1", "abandon=5")
        assert "outcome=5" in out and "objects=5 " in out, out
        out = self.run(*ask, everything, "quiet=1", "bytes=20000")
        assert "outcome=3" in out, out
        out = self.run(*ask, everything, "base=OU=Staff," + lab.BASE, "dirsync=0")
        assert "outcome=1 code=" in out, out  # no head of a context

    def bad_passwords(self, account):
        """Each domain controller counts its own."""
        found = [e for c in self.l.controllers
                 for _, e in c.dump(expression="(sAMAccountName=%s)" % account, attributes=["badPwdCount"])]
        return sum(int(e.get("badpwdcount", [b"0"])[0]) for e in found)

    def refusals(self):
        dc = self.l.dc1
        dc.must(["samba-tool", "domain", "passwordsettings", "set", "--account-lockout-threshold=50"])  # else nobody counts
        dc.add_users(["wrong1", "off1", "over1"], password="Right.Pass1!")
        wrong = self.secret("wrong", "Guess.Pass1!")
        right = self.secret("right", "Right.Pass1!")
        dc.must(["samba-tool", "user", "disable", "off1"])
        dc.must(["samba-tool", "user", "setexpiry", "over1", "--days=0"])
        for bind, security in (("gssapi", "sasl"), ("simple", "ldaps")):
            how = ["bind=" + bind, "security=" + security]
            # Every domain controller that there is, and time enough to try each of them again.
            out = self.run("account=wrong1@" + lab.DOMAIN, "password=" + wrong, *how, "every=200", "seconds=8", *USER)
            assert out.count("state refused") == 1 and "state bound" not in out, out
            assert "wrong password" in out or "is not the account's" in out, out
            for account, word, said in (("off1", right, "disabled"), ("over1", right, "expired"), ("nobody", wrong, "no such account")):
                out = self.run("account=%s@%s" % (account, lab.DOMAIN), "password=" + word, *how, *USER)
                assert "state refused" in out and (said in out or (account == "nobody" and "or name" in out)), (bind, account, out)
        assert self.bad_passwords("wrong1") == 2, "%d wrong passwords for two runs" % self.bad_passwords("wrong1")

    def mended(self):
        """A refused account is tried again when its file is another one."""
        path = self.secret("mended", "Guess.Pass1!")
        client = self.l.spawn("sensor", self.words(self.dc(), "account=" + ACCOUNT, "password=" + path, "every=200", "seconds=60", *USER),
                              stdout=subprocess.PIPE, text=True)
        for line in client.stdout:
            if line.startswith("state refused"):
                self.secret("mended", lab.SYNCHRONIZER_PASSWORD)
            if "outcome=0" in line:
                break
        else:
            raise AssertionError("the mended password is not tried")
        client.kill()
        client.wait()

    def follows(self, act, mend):
        """A client that asks five times a second is bound to dc1; after `act` it is answered by dc2, and after `mend` it stays."""
        words = self.words(self.dc(), self.dc(self.l.dc2), *self.kerberos(), "filter=(sAMAccountName=user01)", "quiet=1", "every=200",
                           "timeout=2", "seconds=90")
        client = self.l.spawn("sensor", words, stdout=subprocess.PIPE, text=True)
        seen, stage, began = [], 0, time.monotonic()
        try:
            for line in client.stdout:
                seen.append(line)
                if stage == 0 and "outcome=0" in line:
                    assert any(s.startswith("peer " + self.l.dc1.host_name) for s in seen), seen
                    stage, began = 1, time.monotonic()
                    act()
                elif stage == 1 and line.lower().startswith("peer " + self.l.dc2.host_name):
                    stage = 2
                elif stage == 2 and "outcome=0" in line:
                    return time.monotonic() - began
        finally:
            client.kill()
            client.wait()
            mend()
        raise AssertionError("".join(seen[-20:]))

    def fail_over(self):
        dc1 = self.l.dc1
        print("  stopped: answered elsewhere after %.1f s" % self.follows(dc1.pause, dc1.resume))
        print("  killed: answered elsewhere after %.1f s" % self.follows(dc1.kill, dc1.start))

    def renewal(self):
        """Ten hours later by the client's clock the bind is renewed beside the one that works: nothing is lost."""
        out = self.run(self.dc(), *self.kerberos(), "filter=(sAMAccountName=user01)", "quiet=1", "every=100", "jump=36000", "seconds=12",
                       "log=1")
        assert out.count("state bound") == 1 and out.count("is renewed") == 1, out
        results = [line for line in out.splitlines() if line.startswith("result")]
        assert len(results) > 5 and sum("outcome=0" not in r for r in results) <= 1, out

    def check(self):
        dc = self.l.dc1
        out = self.run(self.dc(), *self.kerberos(), "check=1")
        assert "failed" not in out.replace("check failed dirsync-configuration", "") and out.endswith("fine \n"), out
        dc.add_users(["plain1"], password="Plain.Pass1!")
        plain = ["account=plain1@" + lab.DOMAIN, "password=" + self.secret("plain", "Plain.Pass1!"), "bind=simple", "security=ldaps", "check=1"]
        out = self.run(self.dc(), *plain)
        failed = [line.split()[2] for line in out.splitlines() if line.startswith("check failed")]
        assert failed == ["dirsync", "dirsync-configuration", "deleted-objects"], out
        assert out.count("windows dsacls ") == 3, out
        for line in out.splitlines():  # the very commands, run on the domain controller
            if line.startswith("samba "):
                dc.must(["sh", "-c", line[len("samba "):].replace("python3", lab.PYTHON)])
        out = self.run(self.dc(), *plain)
        assert "check failed" not in out and out.count("check passed") == 13, out


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--probe", required=True)
    arguments.add_argument("tests", nargs="*")
    given = arguments.parse_args()
    lab.enter()
    signal.alarm(900)
    with lab.Lab(dc2=True) as l:
        tests = Tests(l, os.path.abspath(given.probe))
        for name in given.tests or ("binds", "discovery", "answers", "refusals", "mended", "renewal", "check", "fail_over"):
            began = time.monotonic()
            getattr(tests, name)()
            print("%s: passed in %.1f s" % (name, time.monotonic() - began), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
