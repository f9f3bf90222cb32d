#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""delivery.py - what nodes send arrives at the center exactly once and in order, whatever happens to them, to the center, to its
disk and to the lines between them.

    delivery.py --feeder P --picket P --picketd P --picket-center P [--seconds 40] [--seed N] [--rate 2000]

Two feeders (outbox, spool and sender of a node, fed with numbered activities: feeder.c) and a center, on hosts of their own.
For so many seconds, at random: either is killed, paused, cut off, loses packets; the center's disk fills. Then all is well
again, and the log must hold, for every run of each feeder, the numbers from 1 on without a gap, none twice, in order, at
least as many as the feeder was told were on its disk. The center's pipeline has looked at all of it by then, and its database is
whole.
"""
import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import network
import nodes

DISK = 96 << 20        # of the center
PORT = 49210


class Center:
    def __init__(self, net, program, place, authority):
        self.net, self.program, self.place = net, program, place
        self.config, self.state = os.path.join(place, "conf"), os.path.join(place, "state")
        self.log, self.process = os.path.join(place, "messages"), None
        os.makedirs(place, exist_ok=True)
        with open(self.config, "w") as f:
            f.write("center\n    state = %s\n    listen = %s:%d\n    authority = %s\n    log-level = info\n    log-form = plain\n"
                    "log\n    segment = 8M\n" % (self.state, net.address("center"), PORT, authority))
        self.key = self.output("key", "--config", self.config).strip()

    def output(self, *words):
        return subprocess.run([self.program, *words], capture_output=True, text=True, check=True).stdout

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.net.run("center", [self.program, "run", "--config", self.config], stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Feeder:
    def __init__(self, net, program, node, server, rate, place):
        self.net, self.program, self.node, self.server, self.rate = net, program, node, server, rate
        self.spool, self.place = os.path.join(place, node.name + "-spool"), place
        self.number, self.process = 0, None

    def out(self, number):
        return os.path.join(self.place, "%s-%d" % (self.node.name, number))

    def start(self, count=0):
        self.number += 1
        with open(self.out(self.number), "wb") as out, open(self.out(0), "ab") as messages:
            self.process = self.net.run(self.node.name, [
                self.program, self.node.state, self.spool, "64", str(self.number), str(self.rate), str(count), self.server],
                stdout=out, stderr=messages)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def kept(self, number):
        """The last activity of a run that was told to be on the disk."""
        with open(self.out(number)) as f:
            numbers = [int(line.split()[1]) for line in f if line.startswith("kept ") and line.endswith("\n")]
        return max(numbers, default=0)


class Chaos:
    """Each fault lasts for a while; which one, of what and for how long is drawn."""

    def __init__(self, net, center, feeders, seed):
        self.net, self.center, self.feeders, self.random = net, center, feeders, random.Random(seed)
        self.count = {}

    def pause(self, process, seconds):
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def fill(self, seconds):
        path = os.path.join(self.center.place, "filler")
        with open(path, "wb") as f:
            try:
                while True:
                    f.write(b"x" * (1 << 20))
                    f.flush()
            except OSError:
                pass
        time.sleep(seconds)
        os.remove(path)

    def once(self):
        r = self.random
        feeder, seconds = r.choice(self.feeders), r.uniform(0.2, 2.5)
        fault = r.choice(["kill feeder", "kill center", "pause feeder", "pause center", "cut", "lose", "fill"])
        self.count[fault] = self.count.get(fault, 0) + 1
        if fault == "kill feeder":
            feeder.kill()
            time.sleep(seconds / 4)
            feeder.start()
        elif fault == "kill center":
            self.center.kill()
            time.sleep(seconds / 2)
            self.center.start()
        elif fault == "pause feeder":
            self.pause(feeder.process, seconds)
        elif fault == "pause center":
            self.pause(self.center.process, seconds)
        elif fault == "cut":
            self.net.cut([feeder.node.name], ["center"], one_way=r.random() < 0.5)
            time.sleep(seconds)
            self.net.heal()
        elif fault == "lose":
            self.net.loss("branch", r.choice([5, 20, 40]))
            time.sleep(seconds)
            self.net.heal()
        else:
            self.fill(seconds)
        time.sleep(r.uniform(0, 1))


def received(center):
    """node -> run -> numbers, in the order of the log."""
    runs = {}
    process = subprocess.Popen([center.program, "log", os.path.join(center.state, "log")], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        try:
            entry = json.loads(line)
            when = entry["activity"]["time"]          # 1970-01-01T00:MM:SS.nnnnnnnnnZ
        except (ValueError, KeyError):
            raise AssertionError("what is this? " + line) from None
        run, number = int(when[14:16]) * 60 + int(when[17:19]), int(when[20:29])
        runs.setdefault(entry["node"], {}).setdefault(run, []).append(number)
    if process.wait():
        raise AssertionError("the log is damaged")
    return runs


def check(center, feeders, last):
    runs, total = received(center), 0
    for feeder in feeders:
        of = runs.pop(feeder.id, {})
        if list(of) != sorted(of):
            raise AssertionError("%s: runs in the order %s" % (feeder.node.name, list(of)))
        for number in range(1, feeder.number + 1):
            numbers = of.get(number, [])
            if numbers != list(range(1, len(numbers) + 1)):
                wrong = next(i for i, n in enumerate(numbers) if n != i + 1)
                raise AssertionError("%s, run %d: %d instead of %d" % (feeder.node.name, number, numbers[wrong], wrong + 1))
            if len(numbers) < feeder.kept(number):
                raise AssertionError("%s, run %d: %d came, %d were on the disk" %
                                     (feeder.node.name, number, len(numbers), feeder.kept(number)))
            total += len(numbers)
        if len(of.get(feeder.number, [])) != last:
            raise AssertionError("%s: %d of the last run" % (feeder.node.name, len(of.get(feeder.number, []))))
    if runs:
        raise AssertionError("from nobody: %s" % list(runs))
    return total


def looked_at(center):
    """The pipeline comes to the end of the log, and what it keeps is whole."""
    lines = subprocess.run([center.program, "log", os.path.join(center.state, "log")], stdout=subprocess.PIPE, check=True).stdout
    last = json.loads(lines.splitlines()[-1])["position"]
    store = sqlite3.connect(os.path.join(center.state, "center.db"))
    nodes.wait("the pipeline has come to %d" % last,
               lambda: store.execute("SELECT min(position) FROM positions").fetchone()[0] == last, 120)
    if store.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        raise AssertionError("the database is damaged")
    store.close()


def interrupt(center):
    """Who interrupts `log` while nobody reads what it says gets whole lines none the less."""
    process = subprocess.Popen([center.program, "log", "--follow", os.path.join(center.state, "log")], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(0.5)                        # the pipe is full
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    lines = process.stdout.read().split(b"\n")
    if process.wait() or lines.pop() or len(lines) < 100:
        raise AssertionError("log ended with %d after %d lines, the last one %s" % (process.returncode, len(lines), lines[-1:]))
    for line in lines:
        json.loads(line)


def enrol(fleet):
    """Two nodes with certificates; the processes are not needed any more then."""
    a = fleet.create("hq-1", "hq").start().up()
    b = fleet.add("br-1", "branch").up()
    nodes.wait("they know each other", lambda: b.members() == {"hq-1": "online", "br-1": "online"})
    for node in (a, b):
        node.stop()
    return a, b


def main():
    parser = argparse.ArgumentParser()
    for name in ("feeder", "picket", "picketd", "picket-center"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--rate", type=int, default=2000)
    options = parser.parse_args()
    network.enter()
    net = network.Network()
    for site in ("hq", "branch"):
        net.site(site)
    net.host("center", "hq")
    with nodes.Fleet(options.picket, options.picketd, net=net) as fleet:
        pair = enrol(fleet)
        shown = json.loads(fleet.run(pair[0], [fleet.picket, "fleet", "show", "--directory", pair[0].state, "--json"])[1])
        place = os.path.join(fleet.place, "center")
        os.makedirs(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % DISK, "tmpfs", place], check=True)
        try:
            run(options, net, fleet, pair, place, shown["fleet"]["authority_key"])
        finally:
            net.close()
            subprocess.run(["umount", "-l", place], check=False)
    return 0


def run(options, net, fleet, pair, place, authority):
    center = Center(net, os.path.abspath(options.picket_center), place, authority)
    server = "%s:%d %s" % (net.address("center"), PORT, center.key)
    feeders = [Feeder(net, os.path.abspath(options.feeder), node, server, options.rate, fleet.place) for node in pair]
    for feeder in feeders:
        shown = fleet.run(feeder.node, [fleet.picket, "fleet", "show", "--directory", feeder.node.state, "--json"])[1]
        feeder.id = json.loads(shown)["node"]["id"]
        feeder.start()
    center.start()
    chaos, until = Chaos(net, center, feeders, options.seed), time.monotonic() + options.seconds
    try:
        while time.monotonic() < until:
            chaos.once()
        for feeder in feeders:
            feeder.kill()
            feeder.start(count=options.rate)
        for feeder in feeders:
            status = feeder.process.wait(180)
            with open(feeder.out(feeder.number)) as f:
                lines = f.read().splitlines()
            if status or "acknowledged" not in lines or lines[-1] != "dropped 0":
                raise AssertionError("%s ended with %d: %s" % (feeder.node.name, status, lines[-3:]))
        total = check(center, feeders, options.rate)
        looked_at(center)
        interrupt(center)
        center.process.terminate()
        if center.process.wait(30):
            raise AssertionError("the center ended with %d" % center.process.returncode)
    except BaseException:
        for path in (center.log, feeders[0].out(0), feeders[1].out(0)):
            with open(path, errors="replace") as f:
                print("--- %s ---\n%s" % (path, "".join(f.readlines()[-25:])))
        print("seed %d, %s" % (options.seed, chaos.count))
        raise
    print("delivery: fine (%d activities of %d runs, each once; seed %d, faults: %s)" %
          (total, sum(f.number for f in feeders), options.seed, ", ".join("%s %d" % item for item in sorted(chaos.count.items()))))


if __name__ == "__main__":
    sys.exit(main())
