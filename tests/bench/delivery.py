#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""delivery.py - what delivery costs: the spool beside `dd conv=fsync` on the same disk, and how long an activity takes from the
resolver to the center's acknowledgement at a rate (nothing waits for the directory here).

    delivery.py --build build/release [--rate 20000] [--seconds 15] [--megabytes 512]
"""
import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import nodes  # noqa: E402


def spool(build, place, megabytes):
    """(MB/s of the spool, MB/s of dd), the better of three each, taken in turn."""
    ours, theirs = [], []
    for _ in range(3):
        directory = os.path.join(place, "spool")
        ours.append(float(subprocess.run([os.path.join(build, "bench", "bench_spool"), directory, str(megabytes)],
                                         capture_output=True, text=True, check=True).stdout))
        shutil.rmtree(directory)
        path = os.path.join(place, "dd")
        said = subprocess.run(["dd", "if=/dev/zero", "of=" + path, "bs=256k", "count=%d" % (megabytes * 4), "conv=fsync"],
                              capture_output=True, text=True, check=True, env=dict(os.environ, LC_ALL="C")).stderr
        size, seconds = re.search(r"^(\d+) bytes.*, ([\d.]+) s,", said, re.M).groups()
        theirs.append(float(size) / 1e6 / float(seconds))
        os.remove(path)
    return max(ours), max(theirs)


def delivery(build, fleet, rate, seconds):
    node = fleet.create("hq-1", "hq")
    show = json.loads(fleet.run(node, [fleet.picket, "fleet", "show", "--directory", node.state, "--json"])[1])
    center, port = os.path.join(build, "bin", "picket-center"), nodes.free_ports(1)[0]
    config = os.path.join(fleet.place, "center.conf")
    with open(config, "w") as f:
        f.write("center\n    state = %s/center\n    listen = 127.0.0.1:%d\n    authority = %s\n" %
                (fleet.place, port, show["fleet"]["authority_key"]))
    key = subprocess.run([center, "key", "--config", config], capture_output=True, text=True, check=True).stdout.strip()
    receiver = subprocess.Popen([center, "receive", "--config", config], stderr=subprocess.DEVNULL)
    try:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run([os.path.join(build, "tests", "feeder"), node.state, os.path.join(fleet.place, "spool"), "256", "1",
                               str(rate), str(rate * seconds), "127.0.0.1:%d %s" % (port, key)],
                              capture_output=True, text=True, check=True, timeout=seconds + 120).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    finally:
        receiver.terminate()
        receiver.wait()
    log = subprocess.run([center, "log", os.path.join(fleet.place, "center", "log")], capture_output=True, text=True, check=True)
    arrived = log.stdout.count("\n")
    if arrived != rate * seconds:
        raise AssertionError("%d of %d arrived" % (arrived, rate * seconds))
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds
    return [int(n) for n in re.search(r"^latency (\d+) (\d+) (\d+)$", said, re.M).groups()], cpu


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--megabytes", type=int, default=512)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    with nodes.Fleet(os.path.join(build, "bin", "picket"), os.path.join(build, "bin", "picketd"), governed=True) as fleet:
        ours, theirs = spool(build, fleet.place, options.megabytes)
        print("spool %.0f MB/s, dd conv=fsync %.0f MB/s: %.0f %%" % (ours, theirs, 100 * ours / theirs), flush=True)
        (half, most, all_of_them), cpu = delivery(build, fleet, options.rate, options.seconds)
        print("at %d activities/s acknowledged after %d ms (half), %d ms (99 of 100), %d ms (all); outbox, spool and sender take "
              "%.2f of a core" % (options.rate, half, most, all_of_them, cpu))
    return 0


if __name__ == "__main__":
    sys.exit(main())
