#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""delivery_node.py - a whole picketd and a center: what a VPN server told is in the center's log once, in order, through a center
that is away and a node that is killed; `picket status` tells how it stands.

    delivery_node.py --picketd PROGRAM --picket PROGRAM --picket-center PROGRAM
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

from nodes import Fleet, ServiceManager, free_ports, wait
from radius import SECRET, Client, request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def received(program, state):
    """Session ids in the order of the log."""
    out = subprocess.run([program, "log", os.path.join(state, "log")], capture_output=True, text=True, check=True).stdout
    activities = [json.loads(line)["activity"] for line in out.splitlines()]
    return [a["radius_session"] for a in activities if a["kind"] == "radius_accounting"]


def packaged(program):
    """The example is right but for the key that only the fleet knows."""
    example = os.path.join(ROOT, "packaging/picket-center.conf")
    r = subprocess.run([program, "receive", "--check", "--config", example], capture_output=True, text=True)
    assert r.returncode == 2 and "center/authority" in r.stderr and r.stderr.count("picket-center:") == 1, r
    with open(os.path.join(ROOT, "packaging/picket-center.service.in")) as f:
        unit = f.read()
    assert "--check" in unit and "Type=notify" in unit and "WatchdogSec" in unit


def settings(fleet, program, config, node):
    """What is set at the center is in effect here, or waits, or is refused; and survives a restart."""
    def center(*arguments, text=None):
        r = subprocess.run([program, "sensors", "--config", config, *arguments], input=text, capture_output=True, text=True)
        assert r.returncode == 0, r.stderr
        return r.stdout

    def listed(*words):
        line = [row for row in center().splitlines() if row.startswith("sensor ")]
        return len(line) == 1 and all(word in line[0] for word in words)

    def reserve():
        return node.ask("quota")["quota"]["cpu"]["reserve_percent"]

    before = reserve()
    center("sensor", "--set", "-", text="node\n    log-level = info\n")
    wait(lambda: center(), lambda: listed("in effect"))
    assert center("sensor", "--show") == "node\n    log-level = info\n"
    center("sensor", "--set", "-", text="governor\n    reserve-cpu = 90\n")
    wait(lambda: center(), lambda: listed("refused", "governor/reserve-cpu"))
    assert reserve() == before
    center("sensor", "--set", "-", text="node\n    log-level = loud\n")
    wait(lambda: center(), lambda: listed("refused", "log-level"))
    center("sensor", "--set", "-", text="syslog\n    connections = 7\n")
    wait(lambda: center(), lambda: listed("some with its next start"))
    node.stop()
    node.start().up()
    wait("it sends", lambda: node.ask("status")["delivery"]["state"] == "sending")
    assert listed("4", "some with its next start"), center()
    r = subprocess.run([program, "sensors", "--config", config, "nobody", "--show"], capture_output=True, text=True)
    assert r.returncode == 1 and "nobody" in r.stderr, r


def main():
    parser = argparse.ArgumentParser()
    for name in ("picketd", "picket", "picket-center"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    if not shutil.which("radclient"):
        print("skipped: radclient is not there (scripts/setup.sh --tests)")
        return 77
    began, program = time.monotonic(), os.path.abspath(options.picket_center)
    packaged(program)
    with Fleet(options.picket, options.picketd) as fleet:
        radius_port, center_port = free_ports(2)
        node = fleet.create("sensor", "hq")
        shown = json.loads(fleet.run(node, [fleet.picket, "fleet", "show", "--directory", node.state, "--json"])[1])
        state, config = os.path.join(fleet.place, "center"), os.path.join(fleet.place, "center.conf")
        fleet._write(config, "center\n    state = %s\n    listen = 127.0.0.1:%d\n    authority = %s\n" %
                     (state, center_port, shown["fleet"]["authority_key"]))
        key = subprocess.run([program, "key", "--config", config], capture_output=True, text=True, check=True).stdout.strip()
        secret = os.path.join(fleet.place, "vpn.secret")
        fleet._write(secret, SECRET + "\n")
        node.write_config(["radius", "    listen = 127.0.0.1:%d" % radius_port, "    clients = 127.0.0.1 " + secret,
                           "center", "    servers = localhost:%d %s" % (center_port, key)])
        client, told, manager = Client(fleet.place), [], ServiceManager(fleet.place, "200000")

        def tell(session):
            answered, said = client.send(request("Start", session, "user01", "10.9.0.7"), "127.0.0.1:%d" % radius_port)
            assert answered, said
            told.append(session)

        def center():
            return subprocess.Popen([program, "receive", "--config", config], env=manager.environment)

        def arrived():
            return received(program, state) == told

        receiver = center()
        try:
            for word in ("READY=1", "WATCHDOG=1", "WATCHDOG=1"):
                manager.hears(word)
            node.start().up()
            for session in ("s1", "s2", "s3"):
                tell(session)
            wait(lambda: "they are in the log: %s" % received(program, state), arrived)
            delivery = node.ask("status")["delivery"]
            assert delivery["state"] == "sending" and delivery["dropped"] == 0 and delivery["activities"] == 3, delivery
            print("delivered: fine (%.1f s)" % (time.monotonic() - began), flush=True)
            receiver.terminate()
            receiver.wait()
            manager.hears("STOPPING=1")
            tell("s4")                                  # answered: it is on the node's disk
            node.kill()
            node.start().up()
            tell("s5")
            receiver = center()
            wait(lambda: "they are in the log: %s" % received(program, state), arrived)
            wait("it sends", lambda: node.ask("status")["delivery"]["state"] == "sending")
            status, out, err = node.command("status")
            assert "delivery here: sending to tcp://localhost:%d" % center_port in out, out
            settings(fleet, program, config, node)
            print("settings from the center: fine (%.1f s)" % (time.monotonic() - began), flush=True)
            tell("s6")
            node.stop()                                 # in good order: what is there is sent first
            assert arrived(), received(program, state)
            print("a center that was away, a node that was killed: fine (%.1f s)" % (time.monotonic() - began))
        finally:
            receiver.terminate()
            receiver.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
