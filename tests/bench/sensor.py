#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sensor.py - what a whole picketd costs at 100,000 packets/s of the AD mix, and how long it takes from a packet to the
center's acknowledgement.

    sensor.py --build build/release [--rate 100000] [--seconds 60] [--latency-rate 20000] [--latency-seconds 30] [--real]

The lab's domain (tests/lab), a picketd on the sensor's host that captures an interface, resolves with the directory's copy in its
entity store (it is the domain's synchronizer), spools, and delivers to a picket-center on a host of its own; tcpreplay plays the
mix of capture.py into the interface at a steady rate, each round with fresh addresses.

The governor sees a host of so many processors on which nothing but picketd runs (a /proc/stat of the sensor's own), or else the
machine's other work would make it give up traffic; with --real it sees the machine, which then should be idle. That work still takes
processors: what is dropped for want of them is told.
Needs root, ip, tcpreplay and Samba (scripts/setup.sh --tests).
"""
import argparse
import bisect
import calendar
import contextlib
import os
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import capture  # noqa: E402
import lab  # noqa: E402
import nodes  # noqa: E402
import whole  # noqa: E402

MIX_PACKETS = 2000000
MIB = 1 << 20


def drained(w):
    time.sleep(7)                                # what waits for the directory, and the spool's interval
    nodes.wait("all is delivered", w.is_delivered, 120)


def difference(after, before):
    return {key: after[key] - before[key] for key in after if isinstance(after[key], int)}


def load(w, path, options):
    """CPU, memory and drops at the rate."""
    before, (cpu_before, threads_before) = w.status(), w.cpu()
    replay, most = whole.Replay(path, MIX_PACKETS, options.rate, options.rate * options.seconds), {}
    while replay.process.poll() is None:
        for key, value in w.usage().items():
            most[key] = max(most.get(key, 0), value)
        time.sleep(0.5)
    cpu, threads = w.cpu()
    packets, seconds = replay.end()
    drained(w)
    after = w.status()
    shed = sum(p["all"]["flows"] for p in after["quota"]["protocols"])
    captured, delivered = difference(after["capture"], before["capture"]), difference(after["delivery"], before["delivery"])
    used = sorted(((t - threads_before.get(n, 0)) / seconds, n) for n, t in threads.items())
    print("%d packets in %.1f s: %.0f a second" % (packets, seconds, packets / seconds))
    print("of them taken %d (the others are of no protocol that is looked at), dropped %d; flows given up %d" %
          (captured["packets"], captured["dropped"], shed))
    print("%d activities, of them not kept %d; %d batches and %.1f MB delivered" % (
        captured["activities"], captured["activities_dropped"] + delivered["dropped"], delivered["delivered_batches"],
        delivered["delivered_bytes"] / 1e6))
    print("CPU: %.3f of a core (%s)" % ((cpu - cpu_before) / seconds, ", ".join(
        "%s %.3f" % (name, share) for share, name in reversed(used) if share >= 0.0005)))
    flows = after["quota"]["memory"]["capture_used_bytes"]
    print("resident at most %.1f MiB: its own %.1f (of them flows %.1f), files and the kernel's ring of packets %.1f; "
          "threads %d, descriptors %d" % (most["resident"] / MIB, most["own"] / MIB, flows / MIB, most["files"] / MIB, most["threads"],
                                          most["descriptors"]), flush=True)


class Watcher:
    """When each batch was seen to be acknowledged: in steps of some 10 ms, and never too early."""

    def __init__(self, w):
        self.control, self.seen = whole.Control(w.node.socket), []
        self.first = self.look()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def look(self):
        return self.control.ask("status")["delivery"]["acknowledged"]

    def run(self):
        while not self.ended.wait(0.01):
            acknowledged = self.look()
            if not self.seen or acknowledged > self.seen[-1][0]:
                self.seen.append((acknowledged, time.time()))

    def end(self):
        self.ended.set()
        self.thread.join()
        self.control.close()

    def when(self, sequence):
        return self.seen[bisect.bisect_left(self.seen, (sequence,))][1]


def seconds_of(stamp):
    """Of 2026-11-22T16:00:48.307123456Z, since 1970."""
    return calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + stamp[19:-1])


def latency(w, path, options):
    """From the packet that completed an activity to the center's acknowledgement."""
    watcher, began = Watcher(w), time.time()
    replay = whole.Replay(path, MIX_PACKETS, options.latency_rate, options.latency_rate * options.latency_seconds)
    packets, seconds = replay.end()
    drained(w)
    watcher.end()
    took = []
    for line in w.log():
        activity = line.get("activity", {})
        if watcher.first < line["sequence"] <= watcher.seen[-1][0] and "duration" in activity:       # its last packet was the answer
            first = seconds_of(activity["time"])
            if first > began:                    # else of the traffic before
                took.append(watcher.when(line["sequence"]) - first - activity["duration"] / 1e9)
    took.sort()
    print("%.0f packets a second: %d activities acknowledged after %.3f s (half), %.3f s (99 of 100), %.3f s (all)" %
          (packets / seconds, len(took), took[len(took) // 2], took[len(took) * 99 // 100], took[-1]), flush=True)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("--out", default=os.path.join(tempfile.gettempdir(), "picket-bench"))
    parser.add_argument("--rate", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--latency-rate", type=int, default=20000)
    parser.add_argument("--latency-seconds", type=int, default=30)
    parser.add_argument("--processors", type=float, default=2)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    lab.enter()
    os.makedirs(options.out, exist_ok=True)
    path = os.path.join(options.out, "mix-%d.pcap" % MIX_PACKETS)
    capture.make_mix(options.build, options.data, None, MIX_PACKETS, path)
    with lab.Lab() as l:
        whole.make_link()
        w = whole.Whole(l, options.build, ["capture", "    interfaces = " + whole.INSIDE])
        with contextlib.nullcontext() if options.real else whole.ModelHost(l, w, options.processors), w:
            load(w, path, options)
            latency(w, path, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
