#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""center_trouble.py - a whole center on a small disk that fills, whose database somebody else locks, and whose mail server and
SIEM are dead, while a node delivers: what was acknowledged is there once, what is wrong is told by health issues while it is
wrong, people are told why they cannot change anything, and all of it ends by itself.

    center_trouble.py --feeder P --picket P --picketd P --picket-center P
"""
import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import network
from api_client import Client, answers
from delivery import check, looked_at
from nodes import Fleet, free_ports, wait

DISK = 96 << 20
RATE = 400


class Center:
    def __init__(self, program, place, authority):
        self.program, self.place = program, place
        self.state, self.config, self.log = (os.path.join(place, name) for name in ("state", "conf", "messages"))
        self.port, api, mail, siem = free_ports(4)
        self.endpoint, self.process = "https://127.0.0.1:%d" % api, None
        with open(self.config, "w") as f:
            f.write("center\n    state = %s\n    listen = 127.0.0.1:%d\n    authority = %s\n    log-form = plain\nlog\n    segment = 8M\n"
                    "api\n    listen = 127.0.0.1:%d\nnotify\n    syslog = tcp://127.0.0.1:%d\n    mail-server = \"smtp://127.0.0.1:%d\"\n"
                    "    mail-from = a@corp.example\n    mail-to = b@corp.example\n    mail-severity = low\n"
                    % (self.state, self.port, authority, api, siem, mail))
        self.key = self.run("key").strip()

    def run(self, *words):
        return subprocess.run([self.program, *words, "--config", self.config], capture_output=True, text=True, check=True).stdout

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, "run", "--config", self.config], stderr=log)

    def said(self):
        with open(self.log) as f:
            return f.read()

    def fill(self):
        path = os.path.join(self.place, "filler")
        with open(path, "wb", 0) as f:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    pass
        return path


class Feeder:
    """A node's outbox, spool and sender, as delivery.py's, on loopback."""

    def __init__(self, program, node, center, place):
        self.program, self.node, self.place = program, node, place
        self.server = "localhost:%d %s" % (center.port, center.key)
        self.number, self.process, self.id = 0, None, None

    def out(self, number):
        return os.path.join(self.place, "fed-%d" % number)

    def start(self, count=0):
        self.number += 1
        with open(self.out(self.number), "wb") as out, open(self.out(0), "ab") as messages:
            self.process = subprocess.Popen([self.program, self.node.state, os.path.join(self.place, "spool"), "64", str(self.number),
                                             str(RATE), str(count), self.server], stdout=out, stderr=messages)

    def end(self):
        self.process.kill()
        self.process.wait()

    def kept(self, number):
        with open(self.out(number)) as f:
            return max((int(line.split()[1]) for line in f if line.startswith("kept ") and line.endswith("\n")), default=0)


def issues(client):
    status, answer, _ = client.ask("GET", "/health")
    assert status == 200, (status, answer)
    return {i["number"]: i["text"] for i in answer["issues"]}


def position(client):
    return client.ask("GET", "/status")[1]["shards"][0]["committed"]


def goes_on(client):
    before = position(client)
    wait("the pipeline goes on", lambda: position(client) > before, 120)


def dead_outputs(client):
    """Nobody is there for mail and syslog: both are told, and the pipeline goes on."""
    wait(lambda: "1014 and 1015: %s" % issues(client), lambda: {1014, 1015} <= set(issues(client)), 120)
    goes_on(client)
    print("dead outputs: fine", flush=True)


def locked(center, client):
    """Another program holds the database: nothing is lost, reading goes on, and both are said."""
    store = sqlite3.connect(os.path.join(center.state, "center.db"), timeout=60, isolation_level=None)
    store.execute("BEGIN EXCLUSIVE")
    wait(lambda: "1005: %s" % issues(client), lambda: "locked" in issues(client).get(1005, ""), 120)
    stuck = position(client)
    status, problem, _ = client.ask("POST", "/exclusions", {"kind": "account", "value": "bob"})
    assert status == 503 and "locked" in problem["detail"], (status, problem)
    assert client.ask("GET", "/alerts")[0] == 200 and client.ask("GET", "/exclusions")[1]["items"] == []
    assert position(client) == stuck
    store.execute("ROLLBACK")
    store.close()
    wait(lambda: "no 1005: %s" % issues(client), lambda: 1005 not in issues(client), 120)
    goes_on(client)
    status, made, _ = client.ask("POST", "/exclusions", {"kind": "account", "value": "bob"})
    assert status == 201, made
    assert client.ask("DELETE", "/exclusions/%d" % made["id"])[0] == 204
    print("a locked database: fine", flush=True)


def full(center, client):
    """The disk is full to its last byte; the center lives, says so, and can be asked."""
    filler = center.fill()
    wait(lambda: "1001 and 1005: %s" % issues(client), lambda: {1001, 1005} <= set(issues(client)), 120)
    assert "full" in issues(client)[1005], issues(client)
    status, problem, _ = client.ask("POST", "/exclusions", {"kind": "account", "value": "b" * 100})
    assert status == 503 and "full" in problem["detail"], (status, problem)
    assert client.ask("GET", "/alerts")[0] == 200
    assert center.process.poll() is None
    os.remove(filler)
    wait(lambda: "all well: %s" % issues(client), lambda: not {1001, 1005} & set(issues(client)), 120)
    goes_on(client)
    closed = {i["number"] for i in client.ask("GET", "/health?all")[1]["issues"] if i["closed"]}
    assert 1005 in closed or 1001 in closed, closed
    print("a full disk: fine", flush=True)


def started_on_a_full_disk(center, client):
    filler = center.fill()
    center.process.send_signal(signal.SIGKILL)
    center.process.wait()
    before = center.said().count("waiting for room")
    center.start()
    wait("it waits", lambda: center.said().count("waiting for room") > before, 60)
    os.remove(filler)
    wait("it answers", lambda: answers(client), 120)
    goes_on(client)
    print("killed and started on a full disk: fine", flush=True)


def run(options, fleet, place):
    node = fleet.create("one", "hq").start().up()
    node.stop()
    shown = json.loads(fleet.run(node, [fleet.picket, "fleet", "show", "--directory", node.state, "--json"])[1])
    center = Center(os.path.abspath(options.picket_center), place, shown["fleet"]["authority_key"])
    feeder = Feeder(os.path.abspath(options.feeder), node, center, fleet.place)
    feeder.id = shown["node"]["id"]
    try:
        center.start()
        wait("the center's certificate is there", lambda: os.path.exists(os.path.join(center.state, "api.crt")))
        secret = os.path.join(fleet.place, "secret")
        center.run("token", "create", "--name", "me", "--role", "administrator", "--all-workspaces", "--out", secret)
        with open(secret) as f:
            client = Client(center, f.read().strip())
        wait("the API answers", lambda: answers(client))
        feeder.start()
        goes_on(client)
        locked(center, client)
        full(center, client)
        dead_outputs(client)
        started_on_a_full_disk(center, client)
        feeder.end()
        feeder.start(count=RATE)
        status = feeder.process.wait(180)
        with open(feeder.out(feeder.number)) as f:
            lines = f.read().splitlines()
        assert status == 0 and "acknowledged" in lines and lines[-1] == "dropped 0", (status, lines[-3:])
        total = check(center, [feeder], RATE)
        looked_at(center)
        print("%d activities, each once" % total)
    except BaseException:
        print("--- the center ---\n%s" % center.said()[-4000:])
        raise
    finally:
        for process in (center.process, feeder.process):
            if process and process.poll() is None:
                process.terminate()
                process.wait(60)


def main():
    parser = argparse.ArgumentParser()
    for name in ("feeder", "picket", "picketd", "picket-center"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    network.enter()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with Fleet(options.picket, options.picketd) as fleet:
        place = os.path.join(fleet.place, "center")
        os.makedirs(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % DISK, "tmpfs", place], check=True)
        try:
            run(options, fleet, place)
        finally:
            subprocess.run(["umount", "-l", place], check=False)
    print("center_trouble: fine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
