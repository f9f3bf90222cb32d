#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fleet_state.py - real picketd processes and a center: its API tells the fleet as the fleet is, through the death of the
synchronizer and a restart of the center; and a node is in the workspace that its token names.

    fleet_state.py --picketd PROGRAM --picket PROGRAM --picket-center PROGRAM
"""
import argparse
import json
import os
import subprocess
import sys
import time

from api_client import Client, answers
from nodes import DOMAIN, Fleet, free_ports, wait


class Center:
    def __init__(self, program, fleet, authority):
        self.program, self.fleet = program, fleet
        self.place = os.path.join(fleet.place, "center")
        os.mkdir(self.place, 0o700)
        self.state, self.config = os.path.join(self.place, "state"), os.path.join(self.place, "conf")
        self.port, api = free_ports(2)
        self.endpoint = "https://127.0.0.1:%d" % api
        fleet._write(self.config, "center\n    state = %s\n    listen = 127.0.0.1:%d\n    authority = %s\napi\n    listen = "
                     "127.0.0.1:%d\n" % (self.state, self.port, authority, api))
        self.key = self.run("key").strip()
        self.process = None

    def run(self, *words):
        return subprocess.run([self.program, *words, "--config", self.config], capture_output=True, text=True, check=True).stdout

    def start(self):
        with open(os.path.join(self.place, "log"), "ab") as log:
            self.process = subprocess.Popen([self.program, "run", "--config", self.config], stderr=log)
        wait("the center's certificate is there", lambda: os.path.exists(os.path.join(self.state, "api.crt")))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def client(self, name, *words):
        secret = os.path.join(self.place, "token-" + name)
        self.run("token", "create", "--name", name, "--role", "administrator", "--out", secret, *words)
        client = Client(self, open(secret).read().strip())
        wait("the API answers", lambda: answers(client))
        return client


def told(client, query=""):
    status, answer, _ = client.ask("GET", "/fleet" + query)
    assert status == 200, (status, answer)
    return answer


def domain(answer):
    found = [d for d in answer["domains"] if d["domain"] == DOMAIN]
    return found[0] if found else {}


def states(answer):
    return {m["name"]: m["state"] for m in answer["members"]}


def agrees(client, nodes):
    """What the center says, when that is what all nodes say."""
    answer = told(client)
    if {v["node"] for v in answer["views"]} < {n.name for n in nodes} or domain(answer).get("others"):
        return False
    for node in nodes:
        own = node.domain()
        shown = domain(answer)
        if not shown or shown["synchronizer"] != node.holder() or shown["term"] != own["term"] or shown["stale"]:
            return False
        if states(answer) != node.members():
            return False
    return answer


def main():
    parser = argparse.ArgumentParser()
    for name in ("picketd", "picket", "picket-center"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    began = time.monotonic()
    with Fleet(options.picket, options.picketd) as fleet:
        first = fleet.create("one", "hq")
        shown = json.loads(fleet.run(first, [fleet.picket, "fleet", "show", "--directory", first.state, "--json"])[1])
        center = Center(os.path.abspath(options.picket_center), fleet, shown["fleet"]["authority_key"])
        delivery = ["center", "    servers = localhost:%d %s" % (center.port, center.key)]
        fleet.config = delivery
        first.write_config(delivery)
        try:
            center.start()
            everybody = center.client("all", "--all-workspaces")
            assert told(everybody)["members"] == []
            first.start().up()
            two = fleet.add("two", "branch").up()
            three = fleet._member("three", "branch")
            token = fleet.token("three")
            fleet._write(token, fleet._fleet_command("invite", "--site", "branch", "--name", "three", "--workspace", "north"))
            three.start(join=token).up()
            nodes = [first, two, three]
            wait("they agree", lambda: fleet.holder(nodes) is not None)
            agreed = []
            wait(lambda: "the center agrees: %s" % told(everybody), lambda: agreed.append(agrees(everybody, nodes)) or agreed[-1])
            answer = agreed[-1]
            tellers = {v["node"] for v in answer["views"]}
            assert tellers == {"one", "two", "three"}, answer
            assert [m["name"] for m in answer["members"] if DOMAIN in m["synchronizes"]] == [fleet.holder(nodes)], answer
            assert domain(answer)["candidates"] == 2 and domain(answer)["support"] >= 1 and domain(answer)["others"] == 0, answer
            print("the center tells what the fleet tells: fine (%.1f s)" % (time.monotonic() - began), flush=True)

            sensors = {s["name"]: s for s in everybody.ask("GET", "/sensors?workspace=north")[1]["items"]}
            assert list(sensors) == ["three"] and sensors["three"]["placed_by"] == "token", sensors
            here = {s["name"]: s["placed_by"] for s in everybody.ask("GET", "/sensors")[1]["items"]}
            assert here == {"one": "default", "two": "default"}, here
            audit = [a["object"] for a in everybody.ask("GET", "/audit?workspace=north")[1]["items"] if a["what"] == "sensor-placed"]
            assert audit == ["three"], audit
            assert set(states(told(everybody, "?workspace=default"))) == {"one", "two"}
            status, moved, _ = everybody.ask("PATCH", "/sensors/" + sensors["three"]["id"], {"workspace": "default"})
            assert status == 200 and moved["placed_by"] == "administrator", moved
            wait("it is there", lambda: set(states(told(everybody, "?workspace=default"))) == {"one", "two", "three"})
            path = "/sensors/%s/settings" % sensors["three"]["id"]

            def answered():
                shown = everybody.ask("GET", path)[1]
                return (shown["state"], shown["text"]) if shown["state"] != "not answered yet" else None
            assert everybody.ask("GET", path)[1]["state"] == "none"
            assert everybody.ask("PATCH", path, {"configuration": "node\n    log-level = info\n"})[0] == 200
            wait("the sensor takes what is set", lambda: answered() and answered()[0] in ("in effect", "at its next start"))
            assert everybody.ask("PATCH", path, {"configuration": "node\n    state = /tmp\n"})[0] == 200
            wait(lambda: "it refuses what is its host's: %s" % (answered(),),
                 lambda: answered() and answered()[0] == "refused" and "node/state" in answered()[1])
            print("workspaces and settings: fine (%.1f s)" % (time.monotonic() - began), flush=True)

            before = domain(told(everybody))
            holder = fleet.node(before["synchronizer"])
            holder.kill()
            rest = [n for n in nodes if n is not holder]
            wait("another one takes over", lambda: fleet.holder(rest) not in (None, holder.name), 120)
            wait(lambda: "the center agrees: %s" % told(everybody), lambda: agrees(everybody, rest), 120)
            after = told(everybody)
            assert domain(after)["term"] > before["term"], (before, after)
            wait(lambda: "it is told to be gone: %s" % told(everybody), lambda: states(told(everybody))[holder.name] == "offline", 120)
            print("another synchronizer: fine (%.1f s)" % (time.monotonic() - began), flush=True)

            center.stop()
            center.start()
            wait("the API answers", lambda: answers(everybody))
            wait(lambda: "it is told anew: %s" % told(everybody), lambda: agrees(everybody, rest), 150)
            print("a center that was started anew: fine (%.1f s)" % (time.monotonic() - began), flush=True)
        finally:
            center.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
