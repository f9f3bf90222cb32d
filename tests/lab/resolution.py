#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""resolution.py - does every activity of a lab run name the right computer and the right account?

    resolution.py --picketd PROGRAM --picket PROGRAM --picket-center PROGRAM [--only WORD] [--json FILE] [--to docs/resolver.md]

A sensor at the mirror port of dc1, with the directory replicated and computers asked for their names, delivers to a center while
all scenes of the lab are played (scenes.py). Each activity that the center received is judged against what is true: which
computer is behind an address, which account acts in a scene. Fails below 98 % resolved, or when one is named wrongly.

What nobody could know is no miss, and is counted apart: an address of no computer of the domain that proves itself as none
(the attacker's), an account name that does not exist, and what comes before anybody has logged on.
"""
import argparse
import collections
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
import nodes  # noqa: E402
import scenes  # noqa: E402

WANTED = 98.0
BEGIN, END = "<!-- tests/lab/resolution.py -->", "<!-- /tests/lab/resolution.py -->"
HOSTS = ("guest", "gateway", "silent", "newcomer")       # beside those of the lab

# Activities that no account does: before a logon, or of protocols without one.
NOBODYS = {"dns_query", "dns_update", "dns_transfer", "cldap_ping", "port_scan", "tls_session", "smb_negotiate", "netbios_session",
           "nbns_query", "nbns_answer", "nbns_registration", "llmnr_query", "llmnr_answer", "mdns_query", "mdns_announcement",
           "browser_frame", "dhcp_lease", "epm_map", "kerberos_error", "netlogon_challenge"}
# By these somebody logs on to a connection.
LOGONS = {"kerberos_ap", "ntlm_authenticate", "ldap_bind"}


def nanoseconds(text):
    whole, fraction = text.rstrip("Z").split(".")
    at = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return int(at.timestamp()) * 10 ** 9 + int(fraction)


class Truth:
    """Who is where and who acts, at any time."""

    def __init__(self, l):
        self.l = l
        self.computers = {h: [(0, name)] for h, name in (("dc1", "DC1"), ("dc2", "DC2"))}
        self.acting = {"dc1": [(0, "", {"DC1$", "DC2$"})], "dc2": [(0, "", {"DC1$", "DC2$"})],
                       "sensor": [(0, "the sensor", {lab.SYNCHRONIZER})]}
        self.host_of = {address: host for host, (_, address) in l.net.hosts.items()}
        self.accounts = set(scenes.CHURN)
        for _, entry in l.dc1.dump(attributes=["sAMAccountName"], expression="(sAMAccountName=*)", deleted=False):
            self.accounts.add(entry["samaccountname"][0].decode())
        self.folded = {a.lower() for a in self.accounts}

    def begins(self, scene):
        now = time.time_ns()
        self.acting.setdefault(scene.host, []).append((now, scene.name, scene.accounts))
        if scene.computer is not None and not scene.joins:
            self.computers.setdefault(scene.host, []).append((now, scene.computer))

    def joined(self, activities, played):
        """A computer is one of the domain from the moment on that its account logs on for the first time."""
        for scene in played:
            if scene.joins:
                first = [nanoseconds(a["time"]) for a in activities if (a.get("account") or "").upper() == scene.computer + "$"]
                self.computers.setdefault(scene.host, []).append((min(first, default=2 ** 63), scene.computer))

    @staticmethod
    def _at(rows, when):
        found = None
        for row in rows:
            if row[0] <= when:
                found = row
        return found

    def computer(self, address, when):
        """Its name; "" when several are there; None when it is none of the domain's."""
        row = self._at(self.computers.get(self.host_of.get(address), ()), when)
        return row[1] if row else None

    def scene(self, address, when):
        """(name of the scene, accounts that act)"""
        row = self._at(self.acting.get(self.host_of.get(address), ()), when)
        return (row[1], row[2]) if row else ("", set())

    def exists(self, account):
        return account.lower() in self.folded


def bare(name):
    """user01, CORP\\user01, user01@CORP.EXAMPLE, CN=user01,OU=Staff,...: user01; a service principal: itself."""
    if name.upper().startswith("CN="):
        return name[3:].split(",")[0]
    return name.split("\\")[-1].split("@")[0]


class Judge:
    def __init__(self, truth):
        self.truth = truth
        self.parts = {part: collections.Counter() for part in ("source", "destination", "account", "activity")}
        self.reasons = {part: collections.Counter() for part in ("source", "destination", "account")}
        self.missed = collections.Counter()
        self.wrong = []
        self.how = collections.Counter()
        self.logged_on = {}          # connection -> when

    def _count(self, part, verdict, reason=None):
        self.parts[part][verdict] += 1
        if reason:
            self.reasons[part][reason] += 1
        return verdict

    def _miss(self, part, a, why):
        self.missed["%s: %s, %s (%s)" % (part, why, a["kind"], self.scene[0] or a.get(part if part != "account" else "source"))] += 1
        return self._count(part, "missed", why)

    def _end(self, part, a, when):
        address = a.get(part)
        if not address:
            return None
        named = a.get(part + "_computer")
        truth = self.truth.computer(address, when)
        if named:
            self.how[a.get(part + "_how")] += 1
            # one that joins is itself before, too, but nobody can know it then
            becomes = any(named.upper() == name for _, name in self.truth.computers.get(self.truth.host_of.get(address), ()))
            if truth != "" and not (truth is None and becomes) and named.upper() != truth:
                self.wrong.append("%s is %s, named %s (%s, %s %%): %s" % (address, truth or "no computer of the domain", named, a.get(
                    part + "_how"), a.get(part + "_confidence"), self.where(a)))
                return self._count(part, "wrong")
            if truth == "":
                self.wrong.append("%s is shared, named %s (%s): %s" % (address, named, a.get(part + "_how"), self.where(a)))
                return self._count(part, "wrong")
            return self._count(part, "right") if a.get(part + "_computer_guid") else self._miss(part, a, "without its object")
        if truth == "" or a.get(part + "_shared"):
            return self._count(part, "unknowable", "an address that several computers share")
        if truth is None:
            return self._count(part, "unknowable", "no computer of the domain is there")
        return self._miss(part, a, "not named")

    def where(self, a):
        return "%s %s -> %s, %s, scene %s" % (a["time"][11:23], a.get("source"), a.get("destination"), a["kind"], self.scene[0])

    def _account(self, a):
        connection = (a.get("source"), a.get("source_port"), a.get("destination"), a.get("destination_port"), a.get("flow"))
        wire = a.get("account") or a.get("netlogon_account") or ""
        named, (scene, accounts) = a.get("account_name"), self.scene
        when = nanoseconds(a["time"])
        if a["kind"] in LOGONS and a.get("status") == 0:
            if a["kind"] != "ldap_bind" or wire:
                self.logged_on.setdefault(connection, when + (a.get("duration") or 0))
        anonymous = wire.upper().startswith("WELLKNOWN") or wire.lower() in ("", "anonymous logon")
        if named:
            if named.lower() not in {x.lower() for x in accounts}:
                self.wrong.append("%s acts, said to be %s (%s): %s" % (", ".join(sorted(accounts)) or "nobody", named,
                                                                     a.get("account_how"), self.where(a)))
                return self._count("account", "wrong")
            same = bare(wire).lower()
            impersonated = a.get("s4u2self_account") or a.get("s4u2proxy") or a.get("s4u2self_certificate")
            if not anonymous and not impersonated and "/" not in wire and same not in (named.lower(), named.lower().rstrip("$")):
                self.wrong.append("%s on the wire, named %s: %s" % (wire, named, self.where(a)))
                return self._count("account", "wrong")
            return self._count("account", "right")
        if not anonymous:
            if self.truth.exists(bare(wire)) or "/" in wire:
                return self._miss("account", a, "its name %s not found" % wire)
            return self._count("account", "unknowable", "no account of that name exists")
        if a["kind"] in NOBODYS:
            return None
        if (a["kind"] == "ldap_bind" or a["kind"] not in LOGONS) and when < self.logged_on.get(connection, when + 1):
            return self._count("account", "unknowable", "nobody had logged on to the connection")
        return self._miss("account", a, "who had logged on to the connection")

    def judge(self, a):
        when = nanoseconds(a["time"])
        self.scene = self.truth.scene(a.get("source"), when)
        verdicts = [v for v in (self._end("source", a, when), self._end("destination", a, when), self._account(a)) if v]
        whole = next((v for v in ("wrong", "missed") if v in verdicts), "right" if "right" in verdicts else "unknowable")
        self._count("activity", whole)

    # --- what came out ---
    def share(self, part):
        c = self.parts[part]
        knowable = c["right"] + c["missed"] + c["wrong"]
        return 100.0 * c["right"] / knowable if knowable else 0.0

    def table(self, late, played):
        total = sum(self.parts["activity"].values())
        rows = ["%d scenes (%d attacks), %d activities, %s. %d of the activities left before all of it was known, and were completed by "
                "%d resolution records." % (len(played), sum(s.attack for s in played), total, time.strftime("%Y-%m-%d", time.gmtime()),
                                            *late), "",
                "| | knowable | right | wrong | missed | resolved | not knowable |", "|---|---|---|---|---|---|---|"]
        names = {"source": "computer behind the source", "destination": "computer behind the destination", "account": "account that acts",
                 "activity": "**activities, all of it right**"}
        for part, name in names.items():
            c = self.parts[part]
            rows.append("| %s | %d | %d | %d | %d | %.1f %% | %d |" % (name, c["right"] + c["wrong"] + c["missed"], c["right"],
                                                                     c["wrong"], c["missed"], self.share(part), c["unknowable"]))
        reasons = [(count, part, why) for part, found in self.reasons.items() for why, count in found.items()]
        rows += ["", "| not named | | times |", "|---|---|---|"]
        rows += ["| %s | %s | %d |" % (part, why, count) for count, part, why in sorted(reasons, reverse=True)]
        rows += ["", "Computers were known by: " + ", ".join("`%s` %d" % item for item in self.how.most_common()) + "."]
        return "\n".join(rows)


PARTS = {"account": "account_", "service": "service_owner", "target": "target_", "group": "group_", "destination": "destination_"}


OF_THE_SENSOR = ("resolution", "capture_report")  # nobody did anything there


def complete(activities):
    """What resolution records tell, as a center applies it: (activities that were completed, records)."""
    completed, records = set(), [a for a in activities if a["kind"] == "resolution"]
    for r in records:
        begins, ends = nanoseconds(r["valid_from"]), nanoseconds(r["valid_to"])
        for i, a in enumerate(activities):
            if a["kind"] in OF_THE_SENSOR or not begins <= nanoseconds(a["time"]) <= ends:
                continue
            if "completed_id" in r:
                if r["completed_id"] in a.get("unresolved_ids", ()):
                    part = PARTS[r["completes"]]
                    a.update({k: v for k, v in r.items() if k.startswith(part) and k not in a})
                    completed.add(i)
                continue
            for end in ("source", "destination"):
                if a.get(end) == r["source"] and end + "_computer_guid" not in a and not a.get(end + "_shared"):
                    a.update({end + k[6:]: v for k, v in r.items() if k.startswith("source_")})
                    completed.add(i)
    return len(completed), len(records)


class QuietHost(threading.Thread):
    """What else this machine does is not the lab's: the sensor sees a host that has room, so that it gives nothing up and what is
    judged is all that was on the wire. Its /proc/stat is the machine's, with the work of others as idle time."""

    def __init__(self, l, host):
        super().__init__(daemon=True)
        self.path, self.ending = os.path.join(lab.PLACE, "stat"), threading.Event()
        self.write()
        subprocess.run(l.net.inside(host) + ["mount", "--bind", self.path, "/proc/stat"], check=True)
        self.start()

    def write(self):
        with open("/proc/stat") as f:
            lines = f.readlines()
        for i, line in enumerate(lines):
            if line.startswith("cpu"):
                name, *ticks = line.split()
                total = sum(int(t) for t in ticks[:8])
                busy = total // 20
                lines[i] = " ".join([name, str(busy), "0", "0", str(total - busy)] + ["0"] * (len(ticks) - 4)) + "\n"
        text = "".join(line for line in lines if not line.startswith("intr")).encode()
        with open(self.path, "r+b" if os.path.exists(self.path) else "w+b") as f:
            os.pwrite(f.fileno(), text.ljust(4000), 0)

    def run(self):
        while not self.ending.wait(0.25):
            self.write()


class Run:
    def __init__(self, l, fleet, options):
        self.l, self.fleet, self.options = l, fleet, options
        self.program = os.path.abspath(options.picket_center)
        self.state, self.config = os.path.join(fleet.place, "center"), os.path.join(fleet.place, "center.conf")

    def received(self):
        out = subprocess.run([self.program, "log", os.path.join(self.state, "log")], capture_output=True, text=True, check=True).stdout
        return [line["activity"] for line in map(json.loads, out.splitlines()) if "activity" in line]

    def start(self):
        fleet, l = self.fleet, self.l
        fleet.config = lab.directory_lines(l)
        node = fleet.create("sensor", "datacenter")
        shown = json.loads(fleet.run(node, [fleet.picket, "fleet", "show", "--directory", node.state, "--json"])[1])
        address = l.net.address("sensor")
        fleet._write(self.config, "center\n    state = %s\n    listen = %s:49210\n    authority = %s\n" %
                     (self.state, address, shown["fleet"]["authority_key"]))
        key = subprocess.run([self.program, "key", "--config", self.config], capture_output=True, text=True, check=True).stdout.strip()
        self.center = l.spawn("sensor", [self.program, "receive", "--config", self.config], stdin=subprocess.DEVNULL)
        node.write_config(lab.directory_lines(l, more=["capture", "    interfaces = span0", "naming", "    methods = ntlm, netbios, rdp, dns",
                                                       "center", "    servers = %s:49210 %s" % (address, key)]))
        node.start().up()
        nodes.wait("the directory is replicated", lambda: self.replicated(node), 240)
        return node

    @staticmethod
    def replicated(node):
        answer = node.ask("sync") or {"domains": []}
        here = next((d for d in answer["domains"] if d["domain"] == lab.DOMAIN), {})
        return here.get("mode") == "proactive" and (here.get("here") or {}).get("pass_ended") and not here["here"].get("passing")

    def drained(self, node):
        """All that was captured has been delivered: nothing waits, and no more comes."""
        count = -1
        while True:
            time.sleep(6)                  # what waits for a look-up waits 5 s
            now = len(self.received())
            if now == count and not (node.ask("status")["delivery"].get("waiting") or 0):
                return
            count = now

    def played(self, truth):
        chosen = [s for s in scenes.everything() if re.search(self.options.only, s.name)] if self.options.only else scenes.everything()
        for scene in chosen:
            truth.begins(scene)
            said = scenes.play(self.l, scene)
            if self.options.verbose:
                print("-- %s: %s" % (scene.name, said.strip()[-300:]), flush=True)
            time.sleep(0.3)                # its last packets
        return chosen


def write_into(path, table):
    with open(path) as f:
        text = f.read()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    with open(path, "w") as f:
        f.write(head + BEGIN + "\n" + table + "\n" + END + tail)


def report(judge, late, played, options):
    table = judge.table(late, played)
    print(table + "\n")
    for why, count in judge.missed.most_common(40):
        print("missed %4d  %s" % (count, why))
    for line in judge.wrong[:100]:
        print("WRONG  " + line)
    share = judge.share("activity")
    print("%.2f %% resolved, %d wrongly" % (share, len(judge.wrong)))
    if options.to:
        write_into(options.to, table)
    return 0 if share >= WANTED and not judge.wrong else 1


def main():
    parser = argparse.ArgumentParser()
    for name in ("picketd", "picket", "picket-center"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--only", help="scenes whose names hold this")
    parser.add_argument("--json", help="all activities, judged or not, are kept there with the truth")
    parser.add_argument("--to", help="the page whose table is replaced")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name in ("picketd", "picket", "picket_center"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    for name in ("to", "json"):
        setattr(options, name, getattr(options, name) and os.path.abspath(getattr(options, name)))
    lab.enter()
    for what in scenes.missing():
        print("without " + what)
    began = time.monotonic()
    with lab.Lab(dc2=True, say=print) as l:
        for host in HOSTS:
            l.net.host(host, "datacenter")
        scenes.answer_for_its_name(l, "silent", "WS03")
        QuietHost(l, "sensor")
        print("the lab is up after %.0f s" % (time.monotonic() - began), flush=True)
        with nodes.Fleet(options.picket, options.picketd, replace_after="20s", net=l.net, log_lines=40) as fleet:
            run = Run(l, fleet, options)
            try:
                node = run.start()
                truth = Truth(l)
                if options.verbose:
                    print(l.run("client", ["nmblookup", "-A", l.net.address("silent")]))
                print("replicated after %.0f s" % (time.monotonic() - began), flush=True)
                played = run.played(truth)
                print("played after %.0f s" % (time.monotonic() - began), flush=True)
                run.drained(node)
                activities = run.received()
                status, quota = node.ask("status"), node.ask("quota")
            finally:
                run.center.terminate()
                run.center.wait()
            if options.json:
                with open(options.json, "w") as f:
                    for a in activities:
                        f.write(json.dumps(a) + "\n")
            print(json.dumps({k: status.get(k) for k in ("naming", "resolver", "delivery")}))
            lost = quota["lost"]["all"] if "lost" in quota else quota
            print("given up or dropped: " + json.dumps(lost)[:600])
            activities.sort(key=lambda a: a["time"])
            truth.joined(activities, played)
            late = complete(activities)
            judge = Judge(truth)
            for a in activities:
                if a["kind"] not in OF_THE_SENSOR:
                    judge.judge(a)
            return report(judge, late, played, options)


if __name__ == "__main__":
    sys.exit(main())
