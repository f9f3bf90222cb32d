# SPDX-License-Identifier: Apache-2.0
"""nodes.py - a fleet of real picketd processes, for the tests and the benchmark. What tests assert is what `picket`
shows.

    with nodes.Fleet(picket, picketd, replace_after="20s") as fleet:     # net=network.Network(...): on hosts of its own
        a = fleet.create("hq-1", "hq").start().up()
        b = fleet.add("br-1", "branch")
        nodes.wait("two", lambda: a.members() == {"hq-1": "online", "br-1": "online"})
        a.ask("members")                 # what the command line prints with --json, from that node

Without a network all nodes listen on loopback, each at ports of its own. Everything lives in a directory that is
removed at the end, when also all that was started is ended, by its pid; after a failure the logs' ends are printed.
"""
import json
import os
import queue
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

DOMAIN = "corp.example"
PASSPHRASE = "a passphrase of the tests\n"
PATIENCE = 60        # s for what must happen: a loaded machine is no failure


def wait(what, condition, seconds=PATIENCE, every=0.25):
    """Until condition() is true; returns how long it took. Fails with `what` after that many seconds."""
    began = time.monotonic()
    while True:
        found = condition()
        took = time.monotonic() - began
        if found:
            return took
        if took > seconds:
            raise AssertionError("after %d s still not: %s" % (seconds, what() if callable(what) else what))
        time.sleep(every)


def seconds_of(text):
    number, unit = re.fullmatch(r"(\d+)(s|min)", text).groups()
    return int(number) * (60 if unit == "min" else 1)


def free_ports(count, taken=()):
    """Ports of loopback that nobody listens at. They are below those that the kernel hands out, so that no
    connection gets one in the meantime."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports and port not in taken:
            ports.append(port)
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


class ServiceManager:
    """What a process tells systemd: that it is ready, lives and ends."""

    def __init__(self, place, watchdog):
        """`watchdog`: microseconds between two signs of life, at most."""
        path = os.path.join(place, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.environment = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC=watchdog)
        self.heard = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        """At once: the kernel keeps no more than ten for who does not."""
        while True:
            self.heard.put(self.socket.recv(1024).decode())

    def next(self):
        return self.heard.get(timeout=PATIENCE)

    def hears(self, word):
        """It comes, whatever comes before."""
        while self.next() != word:
            continue


class QuietHost:
    """What /proc/stat tells the nodes: that the processors are idle. A node takes nothing from a host that is busy
    (docs/good-guest.md), and this one is, with all the tests beside this one."""

    def __init__(self, place):
        self.path, self.ended = os.path.join(place, "stat"), threading.Event()
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        self._write()
        self.thread = threading.Thread(target=self._go_on, daemon=True)
        self.thread.start()

    def _write(self):
        ticks = int(time.monotonic() * os.sysconf("SC_CLK_TCK") * os.cpu_count())
        os.pwrite(self.file, b"cpu  0 0 0 %020d 0 0 0 0 0 0\n" % ticks, 0)

    def _go_on(self):
        while not self.ended.wait(0.1):
            self._write()

    @staticmethod
    def may():
        """Whether this user may show it to a process."""
        return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0

    def shown_to(self, command):
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", 'mount --bind "$0" /proc/stat && exec "$@"', self.path, *command]

    def close(self):
        self.ended.set()
        self.thread.join()
        os.close(self.file)


class Node:
    def __init__(self, fleet, name, site, address, ports):
        self.fleet, self.name, self.site, self.address = fleet, name, site, address
        self.port, self.enrolment_port = ports
        self.place = os.path.join(fleet.place, name)
        self.state = os.path.join(self.place, "state")
        self.socket = os.path.join(self.place, "control")
        self.config = os.path.join(self.place, "picketd.conf")
        self.log = os.path.join(self.place, "log")
        self.process = None
        os.makedirs(self.place)

    @property
    def enrolment(self):
        return "%s:%d" % (self.address, self.enrolment_port)

    def write_config(self, more=()):
        """`more`: further lines of the section `cluster`, and sections after it."""
        more = list(more)
        lines = ["node", "    name = " + self.name, "    state = " + self.state, "    log-level = info",
                 "    log-form = plain",
                 "control", "    socket = " + self.socket]
        if self.fleet.replace_after:
            lines += ["synchronizer", "    replace-after = " + self.fleet.replace_after]
        lines += ["cluster", "    listen = %s:%d" % (self.address, self.port), "    enrolment = " + self.enrolment] + more
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
    def records(self):
        """name -> all that is shown of a member, as this node sees them."""
        answer = self.ask("members")
        return {m["name"]: m for m in answer["members"]} if answer else {}

    def members(self):
        """name -> state, as this node sees them."""
        return {name: m["state"] for name, m in self.records().items()}

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
    def start(self, join=None, env=None):
        command = [self.fleet.picketd, "--config", self.config]
        if join:
            command += ["--join-file", join]
        with open(self.log, "ab") as log:
            self.process = self.fleet.spawn(self, command, log, env)
        return self

    def up(self):
        """Waits until it answers."""
        def answers():
            if not self.alive():
                raise AssertionError("%s ended: %s\n%s" % (self.name, self.process.returncode, self.tail()))
            return self.ask("status")
        wait(self.name + " answers", answers)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=PATIENCE):
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

    def tail(self, lines=15):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-lines:])


class Fleet:
    def __init__(self, picket, picketd, replace_after="20s", net=None, config=(), log_lines=15, governed=False):
        """`governed`: the nodes see how busy this machine is, and yield."""
        self.picket, self.picketd, self.net = os.path.abspath(picket), os.path.abspath(picketd), net
        self.replace_after, self.config, self.log_lines = replace_after, list(config), log_lines
        self.nodes, self.place = [], tempfile.mkdtemp(prefix="picket-fleet-")
        self.host = None if governed or not QuietHost.may() else QuietHost(self.place)
        self.passphrase = os.path.join(self.place, "passphrase")
        self._write(self.passphrase, PASSPHRASE)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind and not issubclass(kind, KeyboardInterrupt):
            for node in self.nodes:
                print("--- %s ---\n%s" % (node.name, node.tail(self.log_lines)))
        for node in self.nodes:
            if node.alive():
                node.resume()
                node.process.terminate()
        for node in self.nodes:
            if node.process is None:
                continue
            try:
                node.process.wait(5)
            except subprocess.TimeoutExpired:
                node.kill()
        if self.host:
            self.host.close()
        shutil.rmtree(self.place, ignore_errors=True)

    @staticmethod
    def _write(path, text):
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)

    def make(self, name, site, config=None):
        """A node that has neither joined nor started."""
        if self.net:
            address = self.net.address(name) if name in self.net.hosts else self.net.host(name, site)
            ports = 49200, 49201
        else:
            address = "127.0.0.1"
            ports = free_ports(2, {p for node in self.nodes for p in (node.port, node.enrolment_port)})
        node = Node(self, name, site, address, ports)
        node.write_config(self.config if config is None else config)
        return node

    def _member(self, name, site):
        node = self.make(name, site)
        self.nodes.append(node)
        return node

    def _fleet_command(self, *words):
        first = self.nodes[0]
        status, out, err = self.run(first, [self.picket, "fleet", *words, "--directory", first.state,
                                            "--passphrase-file", self.passphrase, "--socket", first.socket])
        if status:
            raise AssertionError("picket fleet %s: %d: %s" % (words[0], status, err))
        return out

    def create(self, name, site, claims=None):
        """The first node, which may enrol others; not started. `claims`: the name in its certificate."""
        node = self._member(name, site)
        self._fleet_command("create", "--name", claims or name, "--site", site, "--candidate-for", DOMAIN, "--mode", "standalone",
                            "--enrol-at", node.enrolment, "--cost", "interactive")
        return node

    def token(self, name):
        return os.path.join(self.place, "token-" + name)

    def invite(self, name, site, candidate=True, expires="1h"):
        """A file with a one-time token."""
        words = ["invite", "--site", site, "--name", name, "--expires", expires]
        words += ["--mode", "standalone", "--candidate-for", DOMAIN] if candidate else ["--mode", "sensor"]
        self._write(self.token(name), self._fleet_command(*words))
        return self.token(name)

    def add(self, name, site, candidate=True):
        """A node with a token, started with it: it joins."""
        node = self._member(name, site)
        return node.start(join=self.invite(name, site, candidate))

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
    def run(self, node, command, seconds=PATIENCE):
        if self.net:
            return self.net.output(node.name, command, seconds)
        r = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
        return r.returncode, r.stdout, r.stderr

    def spawn(self, node, command, log, env=None):
        how = dict(stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(os.environ, **(env or {})))
        if self.host:
            command = self.host.shown_to(command)
        return self.net.run(node.name, command, **how) if self.net else subprocess.Popen(command, **how)

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)
