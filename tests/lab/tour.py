#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tour.py - Picket before the reader's eyes: a real domain in the lab, a fleet of three nodes, its synchronizer elected, the
directory replicated, ordinary traffic and a DCSync seen and resolved, the center's alert about it, the synchronizer killed and
replaced.

    tour.py --picketd PROGRAM --picket PROGRAM --center PROGRAM

Everything is in namespaces of this process and gone at its end. `./demo` builds and runs it; docs/tutorial.md goes the same way.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
import nodes  # noqa: E402

REPLACE_AFTER = "20s"      # 30 minutes, where nobody is waiting


def say(text):
    print("\n\033[1m== %s\033[0m" % text if sys.stdout.isatty() else "\n== " + text, flush=True)


class Center:
    """picket-center on a host of its own, and the command line of somebody who may look at its alerts."""

    PORT, API = 49210, 49211

    def __init__(self, l, fleet, program, authority):
        self.l, self.fleet, self.program = l, fleet, program
        self.address = l.net.host("center", "datacenter")
        self.place = os.path.join(fleet.place, "center")
        self.state = os.path.join(self.place, "state")
        self.config, self.client = os.path.join(self.place, "conf"), os.path.join(self.place, "client")
        self.token = os.path.join(self.place, "token")
        os.makedirs(self.place)
        fleet._write(self.config, "center\n    state = %s\n    listen = %s:%d\n    authority = %s\n    log-form = plain\n"
                     "api\n    listen = %s:%d\n" % (self.state, self.address, self.PORT, authority, self.address, self.API))
        fleet._write(self.client, "center\n    url = \"https://%s:%d\"\n    ca = %s\n    token = %s\n" % (
            self.address, self.API, os.path.join(self.state, "api.crt"), self.token))
        self.key = self.run("key").strip()
        self.process = None

    def run(self, *words):
        """A command of picket-center on its host."""
        status, out, err = self.l.net.output("center", [self.program, *words, "--config", self.config], 60)
        assert status == 0, err
        return out

    def start(self):
        with open(os.path.join(self.place, "log"), "ab") as log:
            self.process = self.l.net.run("center", [self.program, "run", "--config", self.config], stdout=log, stderr=log)
        nodes.wait("the center answers", lambda: os.path.exists(os.path.join(self.state, "api.crt")), 60)
        self.run("token", "create", "--name", "analyst", "--role", "user", "--out", self.token)

    def ask(self, *words):
        """(status, output, errors) of a picket command that asks the center."""
        return self.l.net.output("center", [self.fleet.picket, *words, "--config", self.client], 60)

    def alerts(self):
        status, out, _ = self.ask("alerts", "--json")
        return json.loads(out)["items"] if out.strip() else []

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Tour:
    def __init__(self, l, fleet, center):
        self.l, self.fleet, self.program, self.center, self.seen = l, fleet, center, None, []

    def show(self, node, *words, lines=None):
        """A command as one would type it on that node's host, and what it prints."""
        print("%s$ picket %s" % (node.name, " ".join(words)), flush=True)
        status, out, err = node.command(*words)
        text = (out + err).rstrip().split("\n")
        print("\n".join(text[:lines] + (["..."] if lines and len(text) > lines else [])), flush=True)
        return out

    def configure(self, interface):
        """What the next node is set to."""
        more = ["capture", "    interfaces = " + interface] if interface else []
        if self.center:
            more += ["center", "    servers = %s:%d %s" % (self.center.address, self.center.PORT, self.center.key)]
        self.fleet.config = lab.directory_lines(self.l, more=more)

    def here(self, node):
        answer = node.ask("sync") or {"domains": []}
        return next((d for d in answer["domains"] if d["domain"] == lab.DOMAIN), {})

    def replicated(self, node):
        said = self.here(node).get("here") or {}
        return self.here(node).get("mode") == "proactive" and said.get("objects", 0) > 200 and not said.get("passing")

    def fleet_joins(self):
        say("A fleet begins: a standalone sensor at the mirror port of dc1, in the datacenter, is its first node")
        self.configure("span0")
        sensor = self.fleet.create("sensor", "datacenter")
        shown = json.loads(self.fleet.run(sensor, [self.fleet.picket, "fleet", "show", "--directory", sensor.state, "--json"])[1])
        say("The center of this fleet, to which all of them deliver")
        self.center = Center(self.l, self.fleet, self.program, shown["fleet"]["authority_key"])
        self.center.start()
        self.configure("span0")
        sensor.write_config(self.fleet.config)
        sensor.start().up()
        say("Two more are invited, each with a token of its own: a second candidate, and a sensor on the branch's controller")
        self.configure(None)
        standby = self.fleet.add("standby", "branch").up()
        self.configure("eth0")
        branch = self.fleet.add("dc2", "branch", candidate=False).up()
        everyone = [sensor, standby, branch]
        nodes.wait("all see all", lambda: self.fleet.all_online(everyone), 120)
        say("They elect a synchronizer of their domain by lot; only the two candidates take part")
        nodes.wait("all name one synchronizer", lambda: self.fleet.holder(everyone), 240)
        self.show(sensor)
        self.seen.append("three nodes joined, and %s was elected" % self.fleet.holder(everyone))
        return everyone

    def directory(self, holder):
        say("%s, the synchronizer, replicates the directory" % holder.name)
        nodes.wait("the directory is replicated", lambda: self.replicated(holder), 120)
        self.show(holder, "sync")
        self.show(holder, "entity", "dadmin")
        self.show(holder, "search", "svc", lines=12)
        self.seen.append("the directory was replicated: %d objects" % self.here(holder)["here"]["objects"])

    def traffic(self, sensor):
        say("A person logs on at the client's and opens a share; then somebody at the attacker's asks a domain controller for the "
            "secrets of krbtgt (DCSync)")
        # A busy host has no room for capture: Picket is a guest, and gives way.
        nodes.wait("this host has room for capture", lambda: sensor.ask("quota")["quota"]["cpu"]["quota_percent"] > 5, 120)
        assert self.l.log_on("client", "user07", "User.Pass07!"), "user07 cannot log on"
        print("attacker$ dcsync.py dc1 dadmin ... krbtgt\n%s" % self.steal())
        time.sleep(6)                  # an activity may wait 5 s for its look-up
        self.show(sensor, "activities", "--limit", "16")
        self.seen.append("a log-on and the theft of krbtgt's keys were seen, and who did them")

    def steal(self):
        """The DCSync, and what it prints."""
        status, out, err = self.l.run("attacker", [lab.PYTHON, os.path.join(lab.HERE, "dcsync.py"), "dc1." + lab.DOMAIN, "dadmin",
                                                   "Dadmin.Pass1!", "krbtgt"])
        return (out + err).strip()

    def is_raised(self):
        """Whether the alert is there. The attacker comes again after a while: a host that was busy had no room for capture."""
        if any(a["external_id"] == 2006 for a in self.center.alerts()):
            return True
        if time.monotonic() - self.stolen > 15:
            self.steal()
            self.stolen = time.monotonic()
        return False

    def alerts(self):
        say("The center raises an alert, and says why")
        self.stolen = time.monotonic()
        nodes.wait("the alert", self.is_raised, 150)
        for words in (["alerts"], ["alert", str(next(a["number"] for a in self.center.alerts() if a["external_id"] == 2006))]):
            print("center$ picket %s" % " ".join(words), flush=True)
            _, out, err = self.center.ask(*words)
            print((out + err).rstrip(), flush=True)
        self.seen.append("the center raised an alert about it")

    def failover(self, everyone, holder):
        others = [n for n in everyone if n is not holder]
        watcher = others[0]
        say("%s is killed" % holder.name)
        began = time.monotonic()
        holder.kill()
        nodes.wait("its silence shows", lambda: watcher.domain().get("state") == "silent", 60)
        self.show(watcher, "synchronizer")
        nodes.wait("it is replaced", lambda: self.fleet.holder(others) not in (None, holder.name), 240)
        successor = self.fleet.node(self.fleet.holder(others))
        say("%s has taken its place, %d s after (with %s instead of 30 minutes)" % (successor.name, time.monotonic() - began,
                                                                                  REPLACE_AFTER))
        nodes.wait("it replicates", lambda: self.replicated(successor), 120)
        self.show(successor)
        self.show(successor, "sync")
        self.show(successor, "history", "--domain", lab.DOMAIN)
        self.seen.append("%s was killed, and %s went on" % (holder.name, successor.name))

    def play(self):
        everyone = self.fleet_joins()
        holder = self.fleet.node(self.fleet.holder(everyone))
        self.directory(holder)
        self.traffic(everyone[0])
        self.alerts()
        self.failover(everyone, holder)
        say("What was seen")
        for line in self.seen:
            print("  * " + line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--center", required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.picketd, options.picket = os.path.abspath(options.picketd), os.path.abspath(options.picket)
    lab.enter()
    began = time.monotonic()
    say("A domain, corp.example: two domain controllers (Samba), a client, an attacker, in namespaces of their own")
    with lab.Lab(dc2=True, say=print) as l:
        print("up after %.0f s" % (time.monotonic() - began))
        with nodes.Fleet(options.picket, options.picketd, replace_after=REPLACE_AFTER, net=l.net) as fleet:
            tour = Tour(l, fleet, os.path.abspath(options.center))
            try:
                tour.play()
            finally:
                if tour.center:
                    tour.center.stop()
    print("\nAll of it is gone again; it took %d s. To look around yourself:\n"
          "  tests/lab/lab up --dc2; tests/lab/lab shell client     the domain alone (tests/lab/README.md)\n"
          "  docs/tutorial.md                                       this way, step by step\n"
          "  ./demo capture [FILE...]                               captures of a real domain, read" % (time.monotonic() - began))
    return 0


if __name__ == "__main__":
    sys.exit(main())
