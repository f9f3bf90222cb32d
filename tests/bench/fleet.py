#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fleet.py - what a fleet of real picketd processes costs, beside a full mesh of the same heartbeats, in one run.

    cmake --build build/release --target bench-fleet
    tests/bench/fleet.py [--build build/release] [--nodes 50] [--seconds 120] [--no-mesh] [--candidates 10]

All processes of one kind run at once on the loopback of a network namespace made for it (bytes are those of its
interface, TCP/IP and CURVE included). First N picketd that joined by tokens and elected a synchronizer, then N
processes that do what Zyre does: everybody dials everybody and sends each heartbeat to all (full_mesh.c), at the
same mean period. Per node: connections, bytes/s, CPU, resident memory; medians over the nodes.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import network                             # noqa: E402
from nodes import Fleet, wait              # noqa: E402


def cpu(pid):
    """Seconds that its threads ran: finer than the ticks of /proc/PID/stat."""
    threads = "/proc/%d/task" % pid
    return sum(int(open("%s/%s/schedstat" % (threads, t)).read().split()[0]) for t in os.listdir(threads)) / 1e9


def resident(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


def loopback_bytes():
    for line in open("/proc/net/dev"):
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[0])
    return 0


def connections():
    """Established TCP connections; both ends of each are here."""
    return sum(line.split()[3] == "01" for line in open("/proc/net/tcp").readlines()[1:]) / 2


def measure(pids, seconds):
    before, bytes_before, began = {p: cpu(p) for p in pids}, loopback_bytes(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {"cpu_percent": statistics.median((cpu(p) - before[p]) / took * 100 for p in pids),
            "bytes_per_s": (loopback_bytes() - bytes_before) / took / len(pids),
            "connections": 2 * connections() / len(pids),
            "resident_mib": statistics.median(resident(p) for p in pids)}


def fleet(a):
    with Fleet(os.path.join(a.build, "bin/picket"), os.path.join(a.build, "bin/picketd"), "30min", log_lines=5, governed=True) as f:
        first = f.create("node-0", "site-0").start().up()
        began = time.monotonic()
        for i in range(1, a.nodes):
            f.add("node-%d" % i, "site-%d" % (i % 5), candidate=i < a.candidates)
        joined = time.monotonic() - began
        wait("all of them online", lambda: f.all_online([f.nodes[0], f.nodes[-1]]), 300, 1)
        wait("one synchronizer", lambda: f.holder([f.nodes[0], f.nodes[-1]]), 300, 1)
        time.sleep(a.settle)
        period = statistics.mean(m["period_ms"] for m in first.ask("members")["members"])
        result = measure([n.pid() for n in f.nodes], a.seconds)
        result.update(joined_s=joined, period_ms=period)
        return result


def mesh(a, period):
    total = a.seconds + a.settle + 120
    processes = [subprocess.Popen([os.path.join(a.build, "bench/full_mesh"), str(i), str(a.nodes), "25000",
                                   str(round(period)), str(total)], stdout=subprocess.DEVNULL) for i in range(a.nodes)]
    try:
        wanted = a.nodes * (a.nodes - 1)
        wait("the whole mesh is up", lambda: connections() >= wanted, 110, 1)
        time.sleep(a.settle)
        return measure([p.pid for p in processes], a.seconds)
    finally:
        for p in processes:
            p.kill()
            p.wait()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(os.path.dirname(os.path.dirname(HERE)), "build/release"))
    p.add_argument("--nodes", type=int, default=50)
    p.add_argument("--candidates", type=int, default=10)
    p.add_argument("--seconds", type=int, default=120)
    p.add_argument("--settle", type=int, default=30)
    p.add_argument("--no-mesh", action="store_true")
    a = p.parse_args()
    network.enter()
    network.ip("link", "set", "lo", "up")
    rows = {"picketd": fleet(a)}
    if not a.no_mesh:
        rows["full mesh"] = mesh(a, rows["picketd"]["period_ms"])
    print("%d nodes, a heartbeat every %.1f s on average, %d s" % (a.nodes, rows["picketd"]["period_ms"] / 1000,
                                                                  a.seconds))
    for name, row in rows.items():
        print("  %-10s %6.1f connections  %8.0f bytes/s  %6.3f %% of a core  %6.1f MiB   per node" %
              (name, row["connections"], row["bytes_per_s"], row["cpu_percent"], row["resident_mib"]))
    if len(rows) == 2:
        print("  mesh : picketd  " + "  ".join("%s %.1f" % (k, rows["full mesh"][k] / rows["picketd"][k])
                                              for k in ("connections", "bytes_per_s", "cpu_percent", "resident_mib")))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
