#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""directory_load.py - what a synchronizer costs the domain controller: CPU of the domain controller while its directory is
replicated whole, and then in steady state (an increment each second, with and without changes), beside ldapsearch that does
the same.

    directory_load.py --picketd PROGRAM --picket PROGRAM [--users 100000] [--seconds 60]

The domain controller is Samba in the lab (LMDB), of the users' number; both sides share this machine's cores, so it is CPU
time that is compared, not time. Prints a table in Markdown. Needs root, 2 GiB, and five minutes.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import compare  # noqa: E402
import lab  # noqa: E402
import nodes  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
TICKETS = "/run/host/tickets-load"


def cpu(pids):
    """Seconds of CPU that these processes have used, with their children that have ended."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid) as f:
                total += sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:15])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / TICK


class Measure:
    """CPU of the domain controller, and of what asks it, between `with` and its end."""

    def __init__(self, l, asks=lambda: ()):
        self.l, self.asks = l, asks

    def __enter__(self):
        self.began = time.monotonic(), cpu(self.l.dc1.pids()), cpu(self.asks())
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began[0]
        self.controller = cpu(self.l.dc1.pids()) - self.began[1]
        self.asker = cpu(self.asks()) - self.began[2]


def ldapsearch(l, *words, out="/dev/null"):
    """By the synchronizer's account, sealed; CPU seconds of it."""
    before = os.times()
    status, _, err = l.run("sensor", ["sh", "-c", 'exec ldapsearch -Q -Y GSSAPI -o ldif-wrap=no -LLL -H "$0" "$@" >%s' % out,
                                      "ldap://" + l.dc1.host_name, *words], timeout=1800,
                           env={"KRB5CCNAME": TICKETS})
    if status:
        raise lab.LabError("ldapsearch: %d: %s" % (status, err))
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def dirsync(flags, cookie=b""):
    """-E's value of the control: SEQUENCE { flags, maxBytes, cookie } ([MS-ADTS] 3.1.1.3.4.1.3)."""
    import base64

    def tlv(tag, value):
        size = bytes([len(value)]) if len(value) < 128 else b"\x82" + len(value).to_bytes(2, "big")
        return bytes([tag]) + size + value
    number = (flags & 0xffffffff).to_bytes(4, "big").lstrip(b"\0") or b"\0"
    value = tlv(0x30, tlv(2, number) + tlv(2, b"\0") + tlv(4, cookie))
    return "!1.2.840.113556.1.4.841=::" + base64.b64encode(value).decode()


def wanted():
    attributes, links = compare.declared()
    with open(compare.DEFINITION) as f:
        import re
        return re.findall(r'^(?:ATTRIBUTE|LINK)\(\w+, "([^"]+)"', f.read(), re.M)


def highest(l):
    return l.dc1.highest_usn()


class Changes:
    """`rate` changes a second of users' titles, by an LDIF each second."""

    def __init__(self, l, count):
        self.l, self.count, self.round = l, count, 0

    def make(self):
        self.round += 1
        self.l.dc1.modify("".join("dn: CN=bulk%07d,OU=B0000,OU=Bulk,%s\nchangetype: modify\nreplace: title\ntitle: T%d\n\n" %
                                  (i, lab.BASE, self.round) for i in range(self.count)))


def steady(l, seconds, changes, ask, asks=lambda: ()):
    """A second at a time: changes, then ask()."""
    with Measure(l, asks) as m:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            next_one = time.monotonic() + 1
            if changes:
                changes.make()
            asked = ask()
            m.asker_children = getattr(m, "asker_children", 0) + (asked or 0)
            time.sleep(max(0, next_one - time.monotonic()))
    return m


def row(rows, what, m, asker):
    rows.append("| %s | %.1f s | %.2f s | %.2f s |" % (what, m.seconds, m.controller, asker))
    print(rows[-1], flush=True)


def baseline(l, rows, seconds):
    l.run("sensor", ["kinit", "-k", "-t", l.keytab, "-c", TICKETS, lab.SYNCHRONIZER])
    attributes = wanted()
    for name, words in (("`ldapsearch`, pages of 1,000", ["-E", "pr=1000/noprompt"]), ("`ldapsearch`, DirSync", ["-E", dirsync(0)])):
        with Measure(l) as m:
            asker = ldapsearch(l, "-b", lab.BASE, *words, "(objectClass=*)", *attributes)
        row(rows, name, m, asker)
    usn = [highest(l)]

    def poll():
        used = ldapsearch(l, "-b", lab.BASE, "(uSNChanged>=%d)" % (usn[0] + 1), *attributes)
        usn[0] = highest(l)
        return used
    with Measure(l) as m:
        time.sleep(seconds)
    row(rows, "%d s without anybody" % seconds, m, 0)
    m = steady(l, seconds, None, poll)
    row(rows, "%d s, `ldapsearch` for what changed each second" % seconds, m, m.asker_children)
    changes = Changes(l, 10)
    m = steady(l, seconds, changes, lambda: None)
    row(rows, "%d s, ten changes a second, nobody asks" % seconds, m, 0)
    m = steady(l, seconds, changes, poll)
    row(rows, "%d s, ten changes a second, `ldapsearch` asks" % seconds, m, m.asker_children)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd")
    parser.add_argument("--picket")
    parser.add_argument("--users", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    lab.enter()
    rows = ["| what | time | CPU of the domain controller | CPU of who asks |", "|---|---|---|---|"]
    with lab.Lab(bulk=options.users, say=print) as l:
        baseline(l, rows, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
