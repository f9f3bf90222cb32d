# SPDX-License-Identifier: Apache-2.0
"""nodes.py - a fleet of real picketd processes, for the tests and the benchmark.

    fleet = nodes.Fleet(picket, picketd, place, replace_after="20s", net=network)   # net: network.Network, or None
    a = fleet.create("hq-1", "hq"); b = fleet.add("br-1", "branch")
    a.start(); b.start()
    a.ask("members")                   # what the command line prints with --json, from that node

Without a network all nodes listen on loopback, each at ports of its own. Everything lives in `place`; close()
ends what was started, by its pid.
"""
import json
import os
import re
import signal
import subprocess
import time

DOMAIN = "corp.example"
PASSPHRASE = "a passphrase of the tests\n"


def wait(what, condition, seconds, every=0.25):
    """Until condition() is true; returns how long it took. Fails with `what` after that many seconds."""
    began = time.monotonic()
    while True:
        found = condition()
        took = time.monotonic() - began
        if found:
            return took
        if took > seconds:
            raise AssertionError("after %d s still not: %s" % (seconds, what))
        time.sleep(every)


class Node:
    def __init__(self, fleet, name, site, address, port):
        self.fleet, self.name, self.site = fleet, name, site
        self.address, self.port = address, port
        self.place = os.path.join(fleet.place, name)
        self.state = os.path.join(self.place, "state")
        self.socket = os.path.join(self.place, "control")
        self.config = os.path.join(self.place, "picketd.conf")
        self.log = os.path.join(self.place, "log")
        self.process = None
        os.makedirs(self.place)

    def write_config(self, more=()):
        """`more`: further lines of the section `cluster`, and sections after it."""
        more = list(more)
        lines = ["node", "    name = " + self.name, "    state = " + self.state, "    log-level = info",
                 "    log-form = plain",
                 "control", "    socket = " + self.socket]
        if self.fleet.replace_after:
            lines += ["synchronizer", "    replace-after = " + self.fleet.replace_after]
        lines += ["cluster", "    listen = %s:%d" % (self.address, self.port),
                 "    enrolment = %s:%d" % (self.address, self.port + 1000)] + more
        with open(self.config, "w") as f:
            f.write("\n".join(lines) + "\n")

    def command(self, *words):
        """(status, output, errors) of a picket command about this node, run on its host."""
        return self.fleet.run(self, [self.fleet.picket, *words, "--socket", self.socket])

    def ask(self, *words):
        """What `picket ... --json` prints; None while the node does not answer."""
        status, out, err = self.command(*words, "--json")
        if not out.strip():
            return None
        return json.loads(out)

    # --- what the command line shows ---
    def members(self):
        """name -> state, as this node sees them."""
        answer = self.ask("members")
        return {m["name"]: m["state"] for m in answer["members"]} if answer else {}

    def domain(self):
        answer = self.ask("synchronizer")
        for domain in answer["domains"] if answer else ():
            if domain["domain"] == DOMAIN:
                return domain
        return {}

    def holder(self):
        """The synchronizer that this node knows and uses now; None when there is none."""
        domain = self.domain()
        return domain.get("holder") if domain.get("state") == "held" else None

    def term(self):
        return self.domain().get("term") or 0

    # --- its life ---
    def start(self, join=None):
        command = [self.fleet.picketd, "--config", self.config]
        if join:
            command += ["--join-file", join]
        with open(self.log, "ab") as log:
            self.process = self.fleet.spawn(self, command, log)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=10):
        """In good order; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def pid(self):
        return self.process.pid


class Fleet:
    def __init__(self, picket, picketd, place, replace_after="20s", net=None, base_port=21000, config=()):
        self.picket, self.picketd, self.place, self.net = picket, picketd, place, net
        self.replace_after, self.base_port, self.config = replace_after, base_port, list(config)
        self.nodes = []
        self.passphrase = os.path.join(place, "passphrase")
        with open(os.path.join(place, "passphrase"), "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(PASSPHRASE)

    def _node(self, name, site):
        if self.net:
            address = self.net.address(name) if name in self.net.hosts else self.net.host(name, site)
            port = 49200
        else:
            address, port = "127.0.0.1", self.base_port + len(self.nodes)
        node = Node(self, name, site, address, port)
        node.write_config(self.config)
        self.nodes.append(node)
        return node

    def _fleet_command(self, *words):
        first = self.nodes[0]
        status, out, err = self.run(first, [self.picket, "fleet", *words, "--directory", first.state,
                                            "--passphrase-file", self.passphrase, "--socket", first.socket])
        if status:
            raise AssertionError("picket fleet %s: %d: %s" % (words[0], status, err))
        return out

    def create(self, name, site):
        """The first node, which may enrol others; not started."""
        node = self._node(name, site)
        self._fleet_command("create", "--name", name, "--site", site, "--candidate-for", DOMAIN, "--mode", "standalone",
                            "--enrol-at", "%s:%d" % (node.address, node.port + 1000), "--cost", "interactive")
        return node

    def invite(self, name, site, candidate=True, expires="1h"):
        """A file with a one-time token."""
        words = ["invite", "--site", site, "--name", name, "--expires", expires]
        words += ["--mode", "standalone", "--candidate-for", DOMAIN] if candidate else ["--mode", "sensor"]
        path = os.path.join(self.place, "token-" + name)
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(self._fleet_command(*words))
        return path

    def add(self, name, site, candidate=True):
        """A node with a token, started with it: it joins."""
        node = self._node(name, site)
        node.start(join=self.invite(name, site, candidate))
        return node

    def revoke(self, name):
        return self._fleet_command("revoke", name)

    # --- questions to all ---
    def running(self):
        return [node for node in self.nodes if node.alive()]

    def all_online(self, nodes):
        names = {node.name for node in nodes}
        return all({n for n, state in node.members().items() if state == "online"} >= names for node in nodes)

    def holder(self, nodes):
        """The one synchronizer that all these nodes agree on; None while they do not."""
        holders = {node.holder() for node in nodes}
        return holders.pop() if len(holders) == 1 else None

    # --- processes ---
    def run(self, node, command, seconds=30):
        if self.net:
            return self.net.output(node.name, command, seconds)
        r = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
        return r.returncode, r.stdout, r.stderr

    def spawn(self, node, command, log):
        how = dict(stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self.net.run(node.name, command, **how) if self.net else subprocess.Popen(command, **how)

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def close(self):
        for node in self.nodes:
            if node.alive():
                node.process.send_signal(signal.SIGCONT)
                node.process.terminate()
        for node in self.nodes:
            if node.process is None:
                continue
            try:
                node.process.wait(5)
            except subprocess.TimeoutExpired:
                node.process.kill()
                node.process.wait()

    def tell_logs(self, lines=15):
        for node in self.nodes:
            if os.path.exists(node.log):
                print("--- %s ---" % node.name)
                print("".join(open(node.log, errors="replace").readlines()[-lines:]))


def seconds_of(text):
    number, unit = re.fullmatch(r"(\d+)(s|min)", text).groups()
    return int(number) * (60 if unit == "min" else 1)
