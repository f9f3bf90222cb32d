# SPDX-License-Identifier: Apache-2.0
"""whole.py - a whole picketd on the lab's sensor, delivering to a picket-center on a host of its own: for the benchmark
(tests/bench/sensor.py) and the soak (soak.py).

    with lab.Lab() as l, whole.Whole(l, build, lines) as w:
        w.status()                    # what the node says of itself
        w.usage()                     # its memory, threads, descriptors, CPU time
        w.log()                       # what the center has, an object a line of its log
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import delivery  # noqa: E402
import lab  # noqa: E402
import nodes  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
INSIDE, OUTSIDE = "mix1", "mix0"


class Control:
    """A connection to a node's control socket that stays open (docs/control.md)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rwb")

    def ask(self, verb, **fields):
        question = json.dumps(dict(fields, verb=verb)).encode()
        self.stream.write(struct.pack(">I", len(question)) + question)
        self.stream.flush()
        answer = json.loads(self.stream.read(struct.unpack(">I", self.stream.read(4))[0]))
        if "error" in answer:
            raise AssertionError("%s: %s" % (verb, answer["error"]))
        return answer

    def close(self):
        self.stream.close()
        self.socket.close()


def cpu_of(path):
    """Seconds of CPU by a stat file of /proc, and the name in it."""
    with open(path) as f:
        text = f.read()
    name, fields = text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS, name


def usage_of(pid):
    """Bytes of a process's memory by their kind, its threads and open descriptors."""
    place = "/proc/%d" % pid
    with open(place + "/status") as f:
        said = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    bytes_of = {key: int(said[name].split()[0]) * 1024 for key, name in (
        ("resident", "VmRSS"), ("most", "VmHWM"), ("own", "RssAnon"), ("files", "RssFile"), ("shared", "RssShmem"),
        ("allocated", "VmData"))}
    return dict(bytes_of, threads=int(said["Threads"]), descriptors=len(os.listdir(place + "/fd")))


class Whole:
    def __init__(self, l, build, lines):
        """`lines`: of the configuration, beside those of the directory and of the center."""
        self.l, self.lines = l, list(lines)
        self.programs = [os.path.join(os.path.abspath(build), "bin", name) for name in ("picket", "picketd", "picket-center")]
        self.control, self.node = None, None

    def __enter__(self):
        self.l.net.host("center", "datacenter")
        self.fleet = nodes.Fleet(*self.programs[:2], replace_after="10s", net=self.l.net, governed=True)
        self.fleet.__enter__()
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if self.control:
            self.control.close()
        self.fleet.__exit__(kind, value, trace)

    def start(self):
        self.node = node = self.fleet.create("sensor", "datacenter")
        shown = json.loads(self.fleet.run(node, [self.fleet.picket, "fleet", "show", "--directory", node.state, "--json"])[1])
        self.center = delivery.Center(self.l.net, self.programs[2], os.path.join(self.fleet.place, "center"),
                                      shown["fleet"]["authority_key"])
        self.center.start()
        lines = ["center", "    servers = %s:%d %s" % (self.l.net.address("center"), delivery.PORT, self.center.key)]
        node.write_config(lab.directory_lines(self.l) + self.lines + lines)
        node.start().up()
        self.control = Control(node.socket)
        nodes.wait("the directory's copy", self.is_replicated, 180)
        nodes.wait("it delivers", lambda: self.status()["delivery"]["state"] == "sending")

    def is_replicated(self):
        return any(d.get("here") and d["here"].get("pass_ended") for d in self.control.ask("sync")["domains"])

    # --- what is looked at ---
    def status(self):
        return self.control.ask("status")

    def is_delivered(self):
        """All that the node had spooled so far is at the center."""
        said = self.status()["delivery"]
        return said["acknowledged"] >= said["spool_last"]

    def cpu(self):
        """Seconds of CPU so far: of all threads, and by their names."""
        place, threads = "/proc/%d" % self.node.process.pid, {}
        for thread in os.listdir(place + "/task"):
            try:
                used, name = cpu_of("%s/task/%s/stat" % (place, thread))
            except OSError:                      # it ended meanwhile
                continue
            threads[name] = threads.get(name, 0) + used
        return cpu_of(place + "/stat")[0], threads

    def usage(self):
        return usage_of(self.node.process.pid)

    def metrics(self):
        """What Prometheus would read."""
        status, out, errors = self.l.run("sensor", ["curl", "-sf", "http://127.0.0.1:9464/metrics"])
        assert status == 0, errors
        return out

    def log(self):
        """Each line of the center's log."""
        process = subprocess.Popen([self.center.program, "log", os.path.join(self.center.state, "log")],
                                   stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            yield json.loads(line)
        if process.wait():
            raise AssertionError("the center's log is damaged")


class ModelHost:
    """What the sensor's /proc/stat tells: so many processors, and only picketd uses them."""

    def __init__(self, l, w, processors):
        self.w, self.processors, self.began = w, processors, time.monotonic()
        self.path = os.path.join(lab.PLACE, "proc-stat")
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        self.write()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        if l.run("sensor", ["mount", "--bind", self.path, "/proc/stat"])[0]:
            raise AssertionError("the sensor gets no /proc/stat of its own")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        os.close(self.file)

    def write(self):
        try:
            busy = self.w.cpu()[0] if self.w.node and self.w.node.alive() else 0
        except OSError:                          # it ended meanwhile
            return
        idle = max((time.monotonic() - self.began) * self.processors - busy, 0)
        # Always of one size: whoever reads it finds it whole.
        os.pwrite(self.file, ("cpu  %020d 0 0 %020d 0 0 0 0 0 0\n" % (busy * TICKS, idle * TICKS)).encode(), 0)

    def run(self):
        while not self.ended.wait(0.1):
            self.write()


# --- traffic ---


def make_link():
    """INSIDE on the sensor sees what is sent to OUTSIDE."""
    lab.network.batch(["link add %s mtu 65535 type veth peer name %s mtu 65535 netns sensor" % (OUTSIDE, INSIDE)])
    for netns, name in ((None, OUTSIDE), ("sensor", INSIDE)):
        lab.network.batch(["link set %s up arp off" % name], netns)


class Replay:
    """tcpreplay of a capture with `in_it` packets, each round with fresh addresses, into INSIDE."""

    def __init__(self, path, in_it, rate, packets):
        rounds = -(-packets // in_it)
        self.process = subprocess.Popen(["tcpreplay", "-i", OUTSIDE, "--preload-pcap", "--unique-ip", "--loop=%d" % rounds,
                                         "--limit=%d" % packets, "--pps=%d" % rate, "--pps-multi=%d" % max(1, rate // 2000), path],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self):
        """(packets, seconds) that it says."""
        said = self.process.communicate()[0]
        if self.process.returncode:
            raise AssertionError("tcpreplay: " + said[-500:])
        packets, seconds = re.search(r"Actual: (\d+) packets .* sent in ([\d.]+) seconds", said).groups()
        return int(packets), float(seconds)
