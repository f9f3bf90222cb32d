#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""thirty_minutes.py - the product's promise with nothing shortened: a synchronizer that dies is replaced after 30 minutes, and
before 31 have passed.

    thirty_minutes.py --picketd PROGRAM --picket PROGRAM [--to docs/thirty-minutes.md]

Three nodes on loopback with default settings, all candidates. The synchronizer is killed; the two others are asked every
minute, and every half second when it matters, and tell their changes by themselves (`picket events`). Takes 35 minutes; not
part of the tests that run by themselves. The record is written in any case; the exit status says whether the promise held.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import nodes

NOT_BEFORE, NOT_AFTER = 30 * 60, 31 * 60


def clock(seconds):
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return "%s%02d:%04.1f" % (sign, int(seconds // 60), seconds % 60)


class Events:
    """What a node tells of itself, each line with the time at which it came here."""

    def __init__(self, fleet, node):
        self.node, self.lines = node, []
        self.process = subprocess.Popen([fleet.picket, "events", "--json", "--socket", node.socket],
                                        stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if "event" in event:
                self.lines.append((time.monotonic(), event))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()


class Record:
    def __init__(self):
        self.rows, self.killed = [], None

    def note(self, text, who="", at=None):
        now = time.monotonic() if at is None else at
        row = (clock(now - self.killed) if self.killed is not None else "", who, text)
        self.rows.append((now, row))
        print("%s  %-4s %s" % row, flush=True)

    def markdown(self):
        lines = ["| after the kill | node | what it said |", "|---|---|---|"]
        lines += ["| %s | %s | %s |" % row for _, row in sorted(self.rows, key=lambda r: r[0])]
        return "\n".join(lines)


def describe(domain):
    keys = ("state", "holder", "term", "mode_here")
    text = ", ".join("%s %s" % (k, domain.get(k)) for k in keys)
    return text + ("; " + domain["next"] if domain.get("next") else "")


def play(fleet, record):
    first = fleet.create("dc-1", "hq").start().up()
    everyone = [first] + [fleet.add(name, "hq") for name in ("dc-2", "dc-3")]
    nodes.wait("all see all", lambda: fleet.all_online(everyone), 120)
    nodes.wait("all name one synchronizer", lambda: fleet.holder(everyone), 300, 1)
    holder = fleet.node(fleet.holder(everyone))
    term = holder.term()
    watchers = [n for n in everyone if n is not holder]
    record.note("the synchronizer, term %d; three nodes, default settings" % term, holder.name)
    nodes.wait("it has been heard for two minutes", lambda: time.monotonic() > record.rows[0][0] + 120, 130, 5)

    events = [Events(fleet, n) for n in watchers]
    try:
        record.killed = time.monotonic()
        holder.kill()
        record.note("killed with SIGKILL", holder.name)
        replaced = watch(record, watchers, holder, term)
    finally:
        for e in events:
            e.close()
            for at, event in e.lines:
                if at >= record.killed and event["event"] != "progress":
                    record.note("event %s: %s" % (event["event"], event.get("text", "")), e.node.name, at)
    return holder, replaced


def watch(record, watchers, holder, term):
    """When each of them first named another synchronizer: name -> (seconds after the kill, successor)."""
    replaced = {}
    told = -60
    while len(replaced) < len(watchers):
        since = time.monotonic() - record.killed
        if since > NOT_AFTER + 240:
            break
        for n in watchers:
            domain = n.domain()
            if n.name not in replaced and domain.get("holder") not in (None, holder.name) and domain["state"] == "held":
                assert domain["term"] > term
                replaced[n.name] = (time.monotonic() - record.killed, domain["holder"])
                record.note(describe(domain), n.name)
            elif since - told >= 60:
                record.note(describe(domain), n.name)
        if since - told >= 60:
            told = since
        time.sleep(0.5 if since > NOT_BEFORE - 60 else 5)
    return replaced


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--to")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    record = Record()
    began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    with nodes.Fleet(options.picket, options.picketd, replace_after=None) as fleet:
        holder, replaced = play(fleet, record)
    times = [t for t, _ in replaced.values()]
    held = len(replaced) == 2 and all(NOT_BEFORE <= t <= NOT_AFTER for t in times) and len({s for _, s in replaced.values()}) == 1
    verdict = "The synchronizer %s was killed; " % holder.name + (
        "%s took its place, as its peers saw after %s." % (next(iter(replaced.values()))[1], " and ".join(clock(t) for t in times))
        if replaced else "nobody took its place.")
    print(("held: " if held else "NOT HELD: ") + verdict)
    if options.to:
        with open(options.to, "w") as f:
            f.write("# Thirty minutes, for real\n\n"
                    "A synchronizer that dies is replaced after 30 minutes, before 31 have passed. This is the record of a\n"
                    "run with real processes and default settings, as `tests/lab/thirty_minutes.py` writes it (35 minutes:\n"
                    "it is no part of `./check`). Three nodes on one machine, all candidates for corp.example; what they\n"
                    "said when asked each minute, and what they told by themselves.\n\n"
                    "Begun %s. %s\n\n%s\n" % (began, verdict, record.markdown()))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
