#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""center_load.py - the whole center in one run: activities for each CPU second of the process picket-center, from ZeroMQ with CURVE
through receiver, durable log, processor, profiler and all detectors to SQLite; and how many packets those are.

    center_load.py --build build/release [--warm 3] [--days 7] [--rounds 300] [--shards 1] [--perf FILE]

Two nodes of a fleet deliver as picketd does (center_load.c): first the simulated company's directory and some days to learn from,
then the days that are measured, then all captures of the laboratory so many times over. CPU seconds are of all the process's
threads, user and system, from the first batch until every activity was looked at and committed.

Packets: `picket read --stats` tells of captures how many packets it read and how many activities came of them: of the AD mix
(recipe.txt), which is what the capture's benchmark plays, and of the laboratory's captures, which were made of what the scenes
themselves send, without a busy network's bulk.
"""
import argparse
import glob
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import capture  # noqa: E402
import nodes  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
MIX_PACKETS = 2000000


def packets(picket, paths):
    """(packets, activities) of captures."""
    out = subprocess.run([picket, "read", "--stats", "--batches", os.devnull, *paths], capture_output=True, text=True, check=True)
    said = json.loads(next(line for line in out.stderr.splitlines() if line.startswith("{")))
    return said["packets"], said["activities"]


class Center:
    def __init__(self, build, fleet, authority, shards):
        self.program = os.path.join(build, "bin", "picket-center")
        self.place, self.shards = os.path.join(fleet.place, "center"), shards
        self.port, api = nodes.free_ports(2)
        self.config = os.path.join(fleet.place, "center.conf")
        with open(self.config, "w") as f:
            f.write("center\n    state = %s\n    listen = 127.0.0.1:%d\n    authority = %s\n    shards = %d\napi\n"
                    "    listen = 127.0.0.1:%d\n" % (self.place, self.port, authority, shards, api))
        self.key = subprocess.run([self.program, "key", "--config", self.config], capture_output=True, text=True,
                                  check=True).stdout.strip()

    def __enter__(self):
        self.process = subprocess.Popen([self.program, "run", "--config", self.config], stderr=subprocess.DEVNULL)
        nodes.wait("the store is there", lambda: os.path.exists(os.path.join(self.place, "center.db")))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def cpu(self):
        """Seconds, and of each thread by its name."""
        threads, place = {}, "/proc/%d/task" % self.process.pid
        for thread in os.listdir(place):
            try:
                with open("%s/%s/stat" % (place, thread)) as f:
                    text = f.read()
            except OSError:                      # it ended meanwhile
                continue
            name, fields = text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()
            threads[name] = threads.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS
        return sum(threads.values()), threads

    def ask(self, sql):
        with sqlite3.connect("file:%s?mode=ro" % os.path.join(self.place, "center.db"), uri=True, timeout=60) as store:
            return store.execute(sql).fetchall()

    def is_through(self, batches):
        """Every shard has committed so many entries of the log (each segment has one of the receiver's own besides)."""
        at = self.ask("SELECT position FROM positions WHERE workspace = 1 AND shard < 64")
        return len(at) == self.shards and min(p for p, in at) >= batches

    def alerts(self):
        return self.ask("SELECT count(*), sum(count) FROM alerts")[0]


def play(center, load, name, batches, perf):
    """Lets the next part come; its figures."""
    before, threads_before = center.cpu()
    began = time.monotonic()
    profiler = perf and subprocess.Popen(["perf", "record", "-q", "-g", "-o", perf, "-p", str(center.process.pid)])
    if batches:
        load.stdin.write("\n")
        load.stdin.flush()
    said = load.stdout.readline().split()
    assert said and said[0] == name, said
    activities, size, sent, count = map(int, said[1:])
    nodes.wait("all is looked at", lambda: center.is_through(batches + count), 600, 0.1)
    took = time.monotonic() - began
    after, threads = center.cpu()
    if profiler:
        profiler.terminate()
        profiler.wait()
    used = sorted(((t - threads_before.get(n, 0)) / (after - before), n) for n, t in threads.items())
    print("%s: %d activities of %d bytes (%d in a batch, compressed to %.0f %%): %.1f CPU seconds, %.0f activities per CPU second"
          " (%.0f s; %s)" % (name, activities, size / activities, activities / count, 100 * sent / size, after - before,
                             activities / (after - before), took,
                             ", ".join("%s %.0f %%" % (n, 100 * share) for share, n in reversed(used) if share > 0.005)),
          flush=True)
    return batches + count, activities, after - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("--out", default=os.path.join(tempfile.gettempdir(), "picket-bench"))
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--perf", help="records a profile of the measured parts there")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    picket, picketd = (os.path.join(build, "bin", name) for name in ("picket", "picketd"))
    captures = sorted(glob.glob(os.path.join(options.data, "lab", "*.pcap")))
    with nodes.Fleet(picket, picketd, governed=True) as fleet:
        first = fleet.create("dc-a", "hq").start().up()
        second = fleet.add("dc-b", "hq").up()
        authority = json.loads(fleet.run(first, [picket, "fleet", "show", "--directory", first.state, "--json"])[1])
        first.stop()
        second.stop()
        with Center(build, fleet, authority["fleet"]["authority_key"], options.shards) as center:
            words = [os.path.join(build, "bench", "center_load"), "127.0.0.1:%d %s" % (center.port, center.key), str(options.warm),
                     str(options.days), str(options.rounds)]
            for node in first, second:
                words += [node.state, os.path.join(fleet.place, node.name + "-spool")]
            with subprocess.Popen(words + captures, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
                batches, activities, cpu = play(center, load, "warm", 0, None)
                batches, n, t = play(center, load, "company", batches, options.perf)
                batches, m, u = play(center, load, "captures", batches, options.perf and options.perf + ".captures")
                load.stdin.write("\n")
                load.stdin.close()
            print("both: %.0f activities per CPU second; %d alerts, of %d repetitions" % ((n + m) / (t + u), *center.alerts()))
    os.makedirs(options.out, exist_ok=True)
    mix = os.path.join(options.out, "mix-%d.pcap" % MIX_PACKETS)
    capture.make_mix(build, options.data, None, MIX_PACKETS, mix)
    for name, paths in ("the AD mix", [mix]), ("the laboratory's captures", captures):
        seen, told = packets(picket, paths)
        print("%s: %d packets, %d activities: %.1f packets each; so %.0f packets per CPU second" % (
            name, seen, told, seen / told, seen / told * (n + m) / (t + u)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
