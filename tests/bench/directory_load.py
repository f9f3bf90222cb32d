#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""directory_load.py - what a synchronizer costs the domain controller: CPU of the domain controller while its directory is
replicated whole, and then in steady state (an increment each second, with and without changes), beside ldapsearch that does
the same.

    directory_load.py --replicate PROGRAM [--users 100000] [--seconds 60]

`--replicate`: picket-replicate (tests/tools), the directory's part of a node without a fleet.

The domain controller is Samba in the lab (LMDB), of the users' number; both sides share this machine's cores, so it is CPU
time that is compared, not time. Prints a table in Markdown. Needs root, 2 GiB, and five minutes.
"""
import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import compare  # noqa: E402
import lab  # noqa: E402

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
    def tlv(tag, value):
        size = bytes([len(value)]) if len(value) < 128 else b"\x82" + len(value).to_bytes(2, "big")
        return bytes([tag]) + size + value
    number = (flags & 0xffffffff).to_bytes(4, "big").lstrip(b"\0") or b"\0"
    value = tlv(0x30, tlv(2, number) + tlv(2, b"\0") + tlv(4, cookie))
    return "!1.2.840.113556.1.4.841=::" + base64.b64encode(value).decode()


def wanted():
    """What a node asks for."""
    with open(compare.DEFINITION) as f:
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


class Replicator:
    """The directory's part of a node, into a store of its own."""

    def __init__(self, l, program):
        self.place = tempfile.mkdtemp(prefix="picket-load-")
        self.process = l.spawn("sensor", [program, lab.DOMAIN, "%s@%s" % (lab.SYNCHRONIZER, lab.REALM), l.keytab,
                                          os.path.join(self.place, "store"), l.dc1.host_name], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)

    def until(self, condition):
        for line in self.process.stdout:
            said = json.loads(line)
            if condition(said):
                return said
        raise lab.LabError("picket-replicate ended: %d" % self.process.wait())

    def rest(self, seconds):
        """Reads what it says meanwhile."""
        end = time.monotonic() + seconds
        return self.until(lambda said: time.monotonic() > end)

    def pids(self):
        return [self.process.pid]

    def memory(self):
        with open("/proc/%d/smaps_rollup" % self.process.pid) as f:
            return int(re.search(r"^Anonymous:\s+(\d+)", f.read(), re.M)[1]) // 1024

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.place, ignore_errors=True)


def picket(l, rows, program, seconds):
    began = time.monotonic(), cpu(l.dc1.pids())
    replicator = Replicator(l, program)
    try:
        said = replicator.until(lambda said: said["full_pass_ended"])
        m = Measure(l)
        m.seconds, m.controller = time.monotonic() - began[0], cpu(l.dc1.pids()) - began[1]
        row(rows, "Picket, full pass (%d objects, %d links, %d MiB of its own memory)" % (said["objects"], said["links"],
                                                                                         replicator.memory()), m,
            cpu(replicator.pids()))
        with Measure(l, replicator.pids) as m:
            replicator.rest(seconds)
        row(rows, "%d s, Picket, nothing changes" % seconds, m, m.asker)
        changes = Changes(l, 10)

        def change():
            changes.make()
            replicator.rest(0)
        with Measure(l, replicator.pids) as m:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                next_one = time.monotonic() + 1
                change()
                time.sleep(max(0, next_one - time.monotonic()))
        row(rows, "%d s, ten changes a second, Picket" % seconds, m, m.asker)
    finally:
        replicator.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicate", required=True)
    parser.add_argument("--users", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    options.replicate = os.path.abspath(options.replicate)
    lab.enter()
    rows = ["| what | time | CPU of the domain controller | CPU of who asks |", "|---|---|---|---|"]
    with lab.Lab(bulk=options.users, say=print) as l:
        l.run("sensor", ["kinit", "-k", "-t", l.keytab, "-c", TICKETS, lab.SYNCHRONIZER])
        baseline(l, rows, options.seconds)
        picket(l, rows, options.replicate, options.seconds)
    print("\n" + "\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
