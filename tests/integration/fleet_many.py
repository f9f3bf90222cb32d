#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fleet_many.py - fifty real picketd at once: they join by tokens, elect, lose the synchronizer and replace it.

    fleet_many.py --picket PROGRAM --picketd PROGRAM [--nodes 50] [--replace-after 30s]

All on the loopback of a network namespace of the test's own. Nobody's log may tell of a fault.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import network                                             # noqa: E402
from nodes import Fleet, seconds_of, wait                  # noqa: E402


def run(a, fleet):
    fleet.create("node-0", "site-0").start().up()
    for i in range(1, a.nodes):
        fleet.add("node-%d" % i, "site-%d" % (i % 5), candidate=i % 4 == 0)
    took = wait("all see all", lambda: fleet.all_online(fleet.nodes), 240, 2)
    print("  fine  %d nodes see one another (%.0f s)" % (a.nodes, took))
    wait("all agree on one synchronizer", lambda: fleet.holder(fleet.nodes), 120, 2)
    holder = fleet.node(fleet.holder(fleet.nodes))
    links = [len(node.ask("peers")["peers"]) for node in fleet.nodes]
    assert max(links) <= 16, "links grow with the fleet: %s" % links
    print("  fine  one synchronizer, %d to %d links a node" % (min(links), max(links)))
    began = time.monotonic()
    holder.kill()
    others = [n for n in fleet.nodes if n is not holder]
    wait("another synchronizer", lambda: fleet.holder(others[:10]) not in (None, holder.name),
         3 * seconds_of(a.replace_after) + 60, 1)
    took = time.monotonic() - began
    assert took > seconds_of(a.replace_after) - 2, "after %.1f s already" % took
    wait("all agree on it", lambda: fleet.holder(others), 120, 1)
    print("  fine  replaced after %.0f s" % took)
    for node in others:
        assert node.alive(), node.name + " ended"
        log = open(node.log, errors="replace").read()
        assert "error:" not in log, node.name + ": " + log


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--picket", required=True)
    p.add_argument("--picketd", required=True)
    p.add_argument("--nodes", type=int, default=50)
    p.add_argument("--replace-after", default="30s")
    a = p.parse_args()
    network.enter()
    network.ip("link", "set", "lo", "up")
    with Fleet(a.picket, a.picketd, a.replace_after, log_lines=8) as fleet:
        run(a, fleet)
    print("fleet_many: all fine")


if __name__ == "__main__":
    main()
