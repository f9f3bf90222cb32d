# SPDX-License-Identifier: Apache-2.0
"""fleet.py - a fleet of real picketd processes on loopback, for tests: each with its own directory and ports. What the
tests assert is what `picket` shows.

    with Fleet(picketd, picket) as fleet:
        a = fleet.create("a", candidate_for="corp.example")
        b = fleet.join("b", candidate_for="corp.example")
        fleet.wait(lambda: b.status()["members"]["online"] == 2)
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time


def free_ports(count):
    """Ports that nobody listens on now. They are held together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Directory:
    """A domain controller, as far as a TCP connect can tell."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                self.listener.accept()[0].close()
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class Node:
    def __init__(self, fleet, name, ports):
        self.fleet, self.name, self.process = fleet, name, None
        self.port, self.enrolment_port = ports
        self.home = os.path.join(fleet.home, name)
        self.state = os.path.join(self.home, "state")
        self.socket = os.path.join(self.home, "control")
        self.config = os.path.join(self.home, "picketd.conf")
        self.log = os.path.join(self.home, "log")
        os.mkdir(self.home, 0o700)

    def configure(self, extra=""):
        with open(self.config, "w") as f:
            f.write("""node
    name = %s
    state = %s
    log-level = info
control
    socket = %s
cluster
    fleet = test
    listen = 127.0.0.1:%d
    enrolment = 127.0.0.1:%d
synchronizer
    replace-after = %s
directory
    controllers = %s
    period = 1s
""" % (self.name, self.state, self.socket, self.port, self.enrolment_port, self.fleet.replace_after,
                ", ".join("%s 127.0.0.1:%d" % (d, self.fleet.directory.port) for d in self.fleet.domains)) + extra)

    def start(self, *arguments, wait=True, env=None):
        assert self.process is None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.fleet.picketd, "--config", self.config, *arguments],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, **(env or {})))
        if wait:
            self.fleet.wait(lambda: self.answers() or self.must_live(), "%s answers" % self.name)
        return self

    def must_live(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended: %d\n%s" % (self.name, self.process.returncode, self.tail()))
        return False

    def answers(self):
        return os.path.exists(self.socket) and self.run("status", "--json")[0] in (0, 3)

    def run(self, *arguments, timeout=30):
        """Exit status, standard output, standard error of picket asking this node."""
        r = subprocess.run([self.fleet.picket, *arguments], capture_output=True, timeout=timeout,
                           env=dict(os.environ, PICKET_SOCKET=self.socket), stdin=subprocess.DEVNULL)
        return r.returncode, r.stdout.decode(), r.stderr.decode()

    def json(self, *arguments):
        code, out, err = self.run(*arguments, "--json")
        assert code in (0, 3), (arguments, code, err)
        return json.loads(out)

    def status(self):
        return self.json("status")

    def members(self):
        return {m["name"]: m for m in self.json("members")["members"]}

    def domain(self, name="corp.example"):
        return next((d for d in self.json("synchronizer")["domains"] if d["domain"] == name), None)

    def holder(self, name="corp.example"):
        d = self.domain(name)
        return d["holder"] if d and d["state"] == "held" else None

    def history(self):
        return self.json("history")["history"]

    def send(self, number):
        os.kill(self.process.pid, number)

    def stop(self, number=signal.SIGTERM, timeout=20):
        """Ends the process; its exit status."""
        self.send(number)
        if number == signal.SIGTERM:
            os.kill(self.process.pid, signal.SIGCONT)
        status = self.process.wait(timeout)
        self.process = None
        return status

    def kill(self):
        return self.stop(signal.SIGKILL)

    def tail(self, lines=30):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-lines:])


class Fleet:
    def __init__(self, picketd, picket, replace_after="20s", domains=("corp.example",)):
        self.picketd, self.picket = os.path.abspath(picketd), os.path.abspath(picket)
        self.replace_after, self.domains = replace_after, domains
        self.nodes, self.directory, self.home = [], None, None

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="picket-fleet-")
        self.directory = Directory()
        self.passphrase = os.path.join(self.home, "passphrase")
        with open(self.passphrase, "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write("correct horse battery\n")
        return self

    def __exit__(self, kind, value, trace):
        if kind and not issubclass(kind, KeyboardInterrupt):
            for node in self.nodes:
                print("--- log of %s\n%s" % (node.name, node.tail()))
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.kill()
                node.process.wait()
        self.directory.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def node(self, name, extra=""):
        node = Node(self, name, free_ports(2))
        node.configure(extra)
        self.nodes.append(node)
        return node

    def fleet_command(self, *arguments):
        first = self.nodes[0]
        r = subprocess.run([self.picket, "fleet", *arguments, "--directory", first.state, "--passphrase-file",
                            self.passphrase], capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
                           env=dict(os.environ, PICKET_SOCKET=first.socket))
        assert r.returncode == 0, (arguments, r.returncode, r.stdout, r.stderr)
        return r.stdout.decode()

    @staticmethod
    def grant(site, mode, candidate_for):
        options = ["--site", site, "--mode", mode]
        return options + (["--candidate-for", candidate_for] if candidate_for else [])

    def create(self, name, site="hq", mode="standalone", candidate_for=None, extra=""):
        """The first node: with it the fleet. It runs."""
        node = self.node(name, extra)
        self.fleet_command("create", "--name", name, "--cost", "interactive", "--enrol-at",
                           "127.0.0.1:%d" % node.enrolment_port, *self.grant(site, mode, candidate_for))
        return node.start()

    def invite(self, name, site="hq", mode="standalone", candidate_for=None):
        token = os.path.join(self.home, name + ".token")
        with open(token, "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(self.fleet_command("invite", "--name", name, *self.grant(site, mode, candidate_for)))
        return token

    def join(self, name, site="hq", mode="standalone", candidate_for=None, extra=""):
        token = self.invite(name, site, mode, candidate_for)
        return self.node(name, extra).start("--join-file", token)

    @staticmethod
    def wait(condition, what="the condition", timeout=60, every=0.2):
        """Until the condition holds; the seconds that it took."""
        start = time.monotonic()
        while True:
            value = condition()
            took = time.monotonic() - start
            if value:
                return took
            if took > timeout:
                raise AssertionError("after %.0f s still not: %s" % (took, what))
            time.sleep(every)
