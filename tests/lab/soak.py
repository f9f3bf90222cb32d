#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py - a whole picketd with everything on, under steady load for half an hour: its memory stays flat, nothing is lost, no
file descriptor is leaked.

    soak.py [--build build/release] [--minutes 30] [--samples FILE]

In the lab's domain: capture of the domain controller's port (people log on, the directory changes) and of a mix of traffic that is
replayed; syslog by UDP, TCP and TLS, RADIUS accounting, forwarded Windows events, event log files, Samba's audit log; active name
resolution; replication of the directory; delivery to a picket-center. Each message of the events has a number of its own.

Every ten seconds memory, descriptors and threads of picketd and of the center are written down (--samples: a JSON object a line).
At the end a verdict, and the exit status says it. Not part of the tests that run by themselves; docs/benchmarks.md has a run's
figures.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("integration", "bench"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))
import capture  # noqa: E402
import lab  # noqa: E402
import nodes  # noqa: E402
import samba_log  # noqa: E402
import wef  # noqa: E402
import whole  # noqa: E402

PERIOD = 10
MIB = 1 << 20
GROWTH = 4 * MIB               # an hour: a process that allocates more has a leak
RESIDENT = 256 * MIB
RATES = {"syslog_udp": 100, "syslog_tcp": 100, "syslog_tls": 100, "radius": 50, "wef": 50}
SOURCES = ("udp", "tcp", "tls", "radius", "wef")
PORTS = {"udp": 5514, "tcp": 5514, "tls": 6514, "radius": 1813, "wef": 5986}
MIX_RATE, MIX_PACKETS = 2000, 200000
LOG_FILE = os.path.join(HERE, "..", "data", "group-add-remove-4732-4733.evtx")


class Soak:
    def __init__(self, l, options):
        self.l, self.options = l, options
        self.place = os.path.join(lab.PLACE, "soak")
        self.folder = os.path.join(self.place, "event-logs")
        os.makedirs(self.folder)
        self.certificates = wef.Certificates(self.place)
        self.audit = os.path.join(l.dc1.place, "log", "audit.json")
        self.secret = os.path.join(self.place, "vpn.secret")
        with open(self.secret, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("testing123\n")
        self.whole = whole.Whole(l, options.build, self.lines())
        self.samples, self.log_files, self.people = [], 0, 0

    def lines(self):
        at, c = self.l.net.address("sensor"), self.certificates.path
        return ["capture", "    interfaces = span0, " + whole.INSIDE,
                # Flows of this load that are not closed shall not pile up for longer than a third of the run.
                "    tcp-idle = 2min",
                "syslog", "    listen = udp:%s:%d, tcp:%s:%d, tls:%s:%d" % (at, PORTS["udp"], at, PORTS["tcp"], at, PORTS["tls"]),
                "    certificate = " + c("server.pem"), "    key = " + c("server.key"), "    client-ca = " + c("ca.pem"),
                "radius", "    listen = %s:%d" % (at, PORTS["radius"]), "    clients = 10.0.0.0/8 " + self.secret,
                "wef", "    https = %s:%d" % (at, PORTS["wef"]), "    certificate = " + c("server.pem"),
                "    key = " + c("server.key"), "    client-ca = " + c("ca.pem"),
                "event-logs", "    folder = " + self.folder, "    period = 1s",
                "samba", "    logs = " + self.audit, "    from-beginning = yes",
                "naming", "    methods = ntlm, netbios, rdp, dns", "    dns-server = %s:53" % self.l.dc1.address,
                "metrics", "    listen = 127.0.0.1:9464"]

    # --- load ---
    def start(self):
        c, l = self.certificates.path, self.l
        settings = dict(PORTS, address=l.net.address("sensor"), ca=c("ca.pem"), certificate=c("dc01.pem"), key=c("dc01.key"),
                        secret="testing123", name=wef.HOST, rates=RATES)
        self.sender = l.spawn("client", [lab.PYTHON, os.path.join(HERE, "soak_load.py"), json.dumps(settings)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        path = os.path.join(self.options.out, "mix-%d.pcap" % MIX_PACKETS)
        self.replay = whole.Replay(path, MIX_PACKETS, MIX_RATE, MIX_RATE * self.options.minutes * 60)
        self.storm = l.storm(1, 1 << 30, [l.dc1], 1)
        threading.Thread(target=self.storm.stdout.read, daemon=True).start()

    def now_and_then(self, number):
        """A person logs on, and a file of events comes into the folder; the one of before leaves it."""
        self.people += self.l.log_on("client", "user%02d" % (number % 50 + 1), "User.Pass%02d!" % (number % 50 + 1))
        path = os.path.join(self.folder, "%d.evtx" % number)
        shutil.copy(LOG_FILE, path + ".part")
        os.rename(path + ".part", path)
        self.log_files += 1
        old = os.path.join(self.folder, "%d.evtx" % (number - 6))
        if os.path.exists(old):
            os.remove(old)

    def end(self):
        """The load ends; (what the sender says that it sent, packets replayed)."""
        packets, _ = self.replay.end()
        out = self.sender.communicate(timeout=120)[0]
        self.storm.kill()
        self.storm.wait()
        time.sleep(PERIOD)
        nodes.wait("all is delivered", self.whole.is_delivered, 120)
        return json.loads(out.splitlines()[-1]), packets

    # --- samples ---
    def sample(self, began):
        status = self.whole.status()
        row = dict(self.whole.usage(), seconds=time.monotonic() - began, cpu=self.whole.cpu()[0],
                   flows=status["quota"]["memory"]["capture_used_bytes"], activities=status["delivery"]["activities"],
                   acknowledged=status["delivery"]["acknowledged"], spooled=status["delivery"]["spool_last"],
                   packets=status["capture"]["packets"], dropped=status["capture"]["dropped"],
                   center=whole.usage_of(self.whole.center.process.pid))
        self.samples.append(row)
        if self.options.samples:
            with open(self.options.samples, "a") as f:
                f.write(json.dumps(row) + "\n")

    def run(self):
        began, number = time.monotonic(), 0
        while time.monotonic() < began + self.options.minutes * 60:
            self.sample(began)
            self.now_and_then(number)
            number += 1
            self.whole.control.ask("inputs", limit=10)
            self.whole.metrics()
            time.sleep(max(0.0, began + number * PERIOD - time.monotonic()))


# --- verdict ---


def slope(samples, key):
    """Of a line through them (Theil and Sen: the median of all slopes), in an hour."""
    points = [(s["seconds"], s[key]) for s in samples]
    return 3600 * statistics.median((b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:])


def leaked(samples, key):
    """Those that come and go are more at times; a leak raises what there is at least."""
    half = len(samples) // 2
    return min(s[key] for s in samples[half:]) - min(s[key] for s in samples[:half])


class Verdict:
    def __init__(self):
        self.fine = True

    def say(self, what, good):
        print("%-4s %s" % ("fine" if good else "BAD", what), flush=True)
        self.fine = self.fine and good


def judge_process(verdict, name, samples):
    settled = samples[len(samples) // 3:]
    grown, most = slope(settled, "allocated"), max(s["resident"] for s in samples)
    verdict.say("%s: %.1f MiB allocated, in the last two thirds %+.2f MiB an hour (at most %d)" %
                (name, settled[-1]["allocated"] / MIB, grown / MIB, GROWTH / MIB), grown <= GROWTH)
    # Tables of a fixed size become resident page by page, as they fill: that is no leak.
    verdict.say("%s: at most %.1f MiB resident (at most %d); its own %.1f, in the last two thirds %+.2f an hour" %
                (name, most / MIB, RESIDENT / MIB, settled[-1]["own"] / MIB, slope(settled, "own") / MIB), most <= RESIDENT)
    for key in ("descriptors", "threads"):
        more = leaked(settled, key)
        verdict.say("%s: %s %d to %d, the fewest %+d" % (name, key, min(s[key] for s in settled), max(s[key] for s in settled), more),
                    more <= 0)


def received(soak):
    """What the center's log holds: numbers by source, how many activities, and whether a batch is missing."""
    numbers, count, sequences = {source: [] for source in SOURCES}, 0, set()
    for line in soak.whole.log():
        sequences.add(line["sequence"])
        activity = line.get("activity")
        if not activity:
            continue
        count += 1
        name = activity.get("radius_session") or activity.get("account") or ""
        if name.startswith("soak-"):
            _, source, number = name.split("-")
            numbers[source].append(int(number))
    return numbers, count, set(range(1, max(sequences) + 1)) - sequences


def judge_delivery(verdict, soak, sent, packets, status, inputs):
    numbers, count, missing = received(soak)
    for source in SOURCES:
        verdict.say("%s: %d sent, %d at the center, each once" % (source, sent[source], len(numbers[source])),
                    sorted(numbers[source]) == list(range(1, sent[source] + 1)))
    verdict.say("radius: %d answered, %d sent again for want of an answer in 3 s" % (sent["radius_answered"], sent["radius_again"]), sent["radius_answered"] == sent["radius"])
    for name, state in sorted(inputs.items()):
        verdict.say("%s: %d received, %d understood, %d of no interest, %d not understood, %d lost" % (
            name, state["received"], state["understood"], state["ignored"], state["invalid"], state["dropped"]),
            state["received"] > 0 and not state["invalid"] and not state["dropped"])
    with open(soak.audit, "rb") as f:
        lines = sum(1 for _ in f)
    verdict.say("samba: %d lines in its log" % lines, inputs["samba"]["received"] == lines)
    files = inputs["evtx"]["received"]
    verdict.say("evtx: %d events of %d files" % (files, soak.log_files), files and files % soak.log_files == 0)
    captured = status["capture"]
    verdict.say("capture: %d packets (%d replayed, %d log-ons), %d dropped; %d activities, %d lost" % (
        captured["packets"], packets, soak.people, captured["dropped"], captured["activities"], captured["activities_dropped"]),
        not captured["dropped"] and not captured["activities_dropped"] and soak.people > 0)
    delivered = status["delivery"]
    verdict.say("delivery: %d activities spooled, %d left out, %d at the center; %d batches, %d missing" % (
        delivered["activities"], delivered["dropped"], count, delivered["spool_last"], len(missing)),
        not delivered["dropped"] and count >= delivered["activities"] and not missing)


def judge(soak, sent, packets, status, inputs):
    verdict = Verdict()
    judge_process(verdict, "picketd", soak.samples)
    judge_process(verdict, "picket-center", [dict(s["center"], seconds=s["seconds"]) for s in soak.samples])
    judge_delivery(verdict, soak, sent, packets, status, inputs)
    last = soak.samples[-1]
    print("picketd: %.3f of a core, %.1f MiB resident (flows %.1f, files and the rings of packets %.1f)" % (
        (last["cpu"] - soak.samples[0]["cpu"]) / (last["seconds"] - soak.samples[0]["seconds"]), last["resident"] / MIB,
        last["flows"] / MIB, last["files"] / MIB))
    return verdict.fine


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("--out", default=os.path.join(tempfile.gettempdir(), "picket-bench"))
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--samples", help="where to write them")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    capture.make_mix(options.build, options.data, None, MIX_PACKETS, os.path.join(options.out, "mix-%d.pcap" % MIX_PACKETS))
    lab.enter()
    with lab.Lab() as l:
        l.dc1.stop()
        samba_log.switch_on(l.dc1, "/var/log/samba/audit.json")
        l.dc1.start()
        whole.make_link()
        soak = Soak(l, options)
        # The machine's other work is not to make the governor give up traffic: it sees a host of its own.
        with whole.ModelHost(l, soak.whole, 2), soak.whole as w:
            soak.start()
            soak.run()
            sent, packets = soak.end()
            status = w.status()
            inputs = {i["input"]: i for i in w.control.ask("inputs")["inputs"]}
            ended = w.node.stop()
            fine = judge(soak, sent, packets, status, inputs) and ended == 0 and not sent["failed"]
    print("the soak is fine" if fine else "THE SOAK FAILED")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
