#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""capture_loss.py - a real picketd that captures, and a center: how far the sensor has watched is in the center's log, and so is
what it lost when it was stopped while packets came.

    capture_loss.py --picketd PROGRAM --picket PROGRAM --picket-center PROGRAM

Needs the right to make a network namespace; skips without it.
"""
import argparse
import json
import os
import socket
import subprocess
import sys

import network
from nodes import Fleet, free_ports, wait


def reports(program, state):
    """What the sensor told of itself, in the order of the log."""
    out = subprocess.run([program, "log", os.path.join(state, "log")], capture_output=True, text=True, check=True).stdout
    activities = [json.loads(line)["activity"] for line in out.splitlines()]
    return [a for a in activities if a["kind"] == "capture_report"]


def missed(report):
    return report.get("packets_dropped", 0) > 1000 or report.get("capture_blind")


def flood(count):
    """So many large packets to a port that is captured; nobody listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(count):
            try:
                s.sendto(b"x" * 1400, ("127.0.0.1", 88))
            except OSError:  # the answer that nobody listens
                pass


def main():
    parser = argparse.ArgumentParser()
    for name in ("picketd", "picket", "picket-center"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    network.enter()
    network.ip("link", "set", "lo", "up")
    program = os.path.abspath(options.picket_center)
    with Fleet(options.picket, options.picketd) as fleet:
        node = fleet.create("sensor", "hq")
        shown = json.loads(fleet.run(node, [fleet.picket, "fleet", "show", "--directory", node.state, "--json"])[1])
        port, = free_ports(1)
        state, config = os.path.join(fleet.place, "center"), os.path.join(fleet.place, "center.conf")
        fleet._write(config, "center\n    state = %s\n    listen = 127.0.0.1:%d\n    authority = %s\n" %
                     (state, port, shown["fleet"]["authority_key"]))
        key = subprocess.run([program, "key", "--config", config], capture_output=True, text=True, check=True).stdout.strip()
        node.write_config(["capture", "    interfaces = lo", "    ring = 2M",
                           "center", "    servers = localhost:%d %s" % (port, key)])
        receiver = subprocess.Popen([program, "receive", "--config", config], stderr=subprocess.DEVNULL)
        try:
            node.start().up()
            wait("the first report", lambda: reports(program, state))
            first = reports(program, state)[0]
            assert "captured_from" not in first, first
            before = len(reports(program, state))
            node.pause()
            flood(20000)
            node.resume()
            # On a host that others keep busy the governor pauses the capture: then that is told.
            wait("what was missed is told", lambda: any(missed(r) for r in reports(program, state)[before:]))
            told = next(r for r in reports(program, state)[before:] if missed(r))
            assert "captured_from" in told and told.get("packets_dropped", 0) <= 20000 * 2, told
            print("missed: %s" % {k: told[k] for k in ("packets_captured", "packets_dropped", "capture_blind") if k in told})
            node.stop()
            node.start().up()
            wait("it begins anew", lambda: sum("captured_from" not in r for r in reports(program, state)) == 2)
            times = [r["time"] for r in reports(program, state)]
            assert times == sorted(times), times
            print("what a sensor missed is known to the center: fine")
        finally:
            receiver.terminate()
            receiver.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
