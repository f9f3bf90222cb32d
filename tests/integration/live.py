#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""live.py - `picket capture` on a virtual interface, in a network namespace of its own.

    live.py --picket PROGRAM [--data tests/data]

Needs the right to make a network namespace (root), ip and tcpreplay; says so and skips when they are not
there. Everything lives in the namespace, which goes away with this process.

  * captures replayed at top speed give the activities that `picket read` gives for the same packets, and every
    packet is either handled or counted as dropped
  * with two threads on the interface no packet is lost either
  * an interface that is deleted and made again is captured again, and the loss is counted
  * SIGINT and SIGTERM end it in good order, with status 0
  * wrong use and absent interfaces are told
"""
import argparse
import collections
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77


def skip(why):
    print("SKIP: live capture is not tested: " + why)
    sys.exit(SKIP)


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def make_link():
    sh("ip link add pk0 mtu 65535 type veth peer name pk1 mtu 65535")
    for name in ("pk0", "pk1"):
        if os.path.exists("/proc/sys/net/ipv6/conf/" + name):
            try:
                open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % name, "w").write("1")
            except OSError:
                pass                     # then a few packets of IPv6 come along, which are no activities
        sh("ip link set %s up" % name)


def join_captures(directory, to):
    """All pcap files of a directory as one; how many packets it has."""
    packets = 0
    with open(to, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for name in sorted(os.listdir(directory)):
            if not name.endswith(".pcap"):
                continue
            data = open(os.path.join(directory, name), "rb").read()
            magic, = struct.unpack_from("<I", data, 0)
            if magic not in (0xA1B2C3D4, 0xA1B23C4D) or struct.unpack_from("<I", data, 20)[0] != 1:
                continue
            at = 24
            while at + 16 <= len(data):
                seconds, fraction, captured, length = struct.unpack_from("<IIII", data, at)
                if captured == length:   # a packet that was not captured whole cannot be sent
                    micro = fraction if magic == 0xA1B2C3D4 else fraction // 1000
                    out.write(struct.pack("<IIII", seconds, micro, captured, length))
                    out.write(data[at + 16:at + 16 + captured])
                    packets += 1
                at += 16 + captured
    return packets


class Capture:
    """A running `picket capture`."""

    def __init__(self, picket, *options):
        self.out = tempfile.TemporaryFile("w+")
        self.err = tempfile.NamedTemporaryFile("w+")
        self.process = subprocess.Popen([picket, "capture", "-i", "pk1", "--json", "--stats"] + list(options),
                                        stdout=self.out, stderr=self.err)
        self.wait_for(lambda: "capturing on" in open(self.err.name).read())

    def wait_for(self, condition, seconds=120):
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, "picket ended: " + open(self.err.name).read()
            assert time.monotonic() < until, "nothing happened in %d s" % seconds
            time.sleep(0.05)

    def lines(self):
        with open("/proc/self/fd/%d" % self.out.fileno()) as f:
            return f.read().splitlines()

    def end(self, how=signal.SIGINT):
        time.sleep(1)                    # what the kernel holds back in a block
        self.process.send_signal(how)
        assert self.process.wait(timeout=120) == 0, open(self.err.name).read()
        text = open(self.err.name).read()
        stats = json.loads(next(l for l in text.splitlines() if l.startswith('{"packets"')))
        dropped = int(text.split("dropped: ")[-1].split(" ")[0])
        return [json.loads(line) for line in self.lines()], stats, dropped, text


def what_happened(activities):
    """Activities without what depends on when they were replayed, as a multiset."""
    out = collections.Counter()
    for a in activities:
        for key in ("time", "duration", "flow"):
            a.pop(key, None)
        out[json.dumps(a, sort_keys=True)] += 1
    return out


def replay(path):
    sh("tcpreplay --topspeed -i pk0 '%s' 2>/dev/null" % path)


def test_top_speed(picket, capture, packets):
    read = subprocess.run([picket, "read", "--json", capture], check=True, capture_output=True, text=True)
    expected = [json.loads(line) for line in read.stdout.splitlines()]
    assert len(expected) > 100
    # A key of its own for every run makes fingerprints differ; that they tie the same tickets is tested elsewhere.
    fingerprints = {k for a in expected for k in a if "fingerprint" in k}
    live = Capture(picket, "--filter", "")
    replay(capture)
    activities, stats, dropped, _ = live.end()
    for a in activities + expected:
        for key in fingerprints:
            a.pop(key, None)
    assert stats["packets"] + dropped >= packets, (stats["packets"], dropped, packets)
    if dropped == 0:
        got, want = what_happened(activities), what_happened(expected)
        for row in list((want - got).elements())[:5]:
            print("missing: " + row)
        for row in list((got - want).elements())[:5]:
            print("too much: " + row)
        assert got == want
    print("top speed: %d packets, %d activities, %d dropped by the kernel" % (packets, len(activities), dropped))


def test_filter(picket, capture):
    """The filter made of ports and controllers keeps all that the dissectors know."""
    live = Capture(picket, "--controller", "10.77.0.10", "--ports", "3890,8000-8010", "--snaplen", "262144")
    replay(capture)
    activities, stats, dropped, _ = live.end()
    assert len(activities) > 100 and stats["packets"] > 0
    assert all("10.77.0.10" in (a.get("source"), a.get("destination")) for a in activities)
    print("filter by controller: %d packets, %d activities" % (stats["packets"], len(activities)))


def test_threads(picket, capture, packets):
    live = Capture(picket, "--filter", "", "--threads", "2", "--ring", "16")
    replay(capture)
    activities, stats, dropped, _ = live.end(signal.SIGTERM)
    assert stats["packets"] + dropped >= packets, (stats["packets"], dropped, packets)
    assert len(activities) > 100
    print("two threads: %d packets, %d activities" % (stats["packets"], len(activities)))


def test_vanishing(picket, capture):
    live = Capture(picket, "--filter", "")
    replay(capture)
    live.wait_for(lambda: len(live.lines()) > 0)
    sh("ip link del pk0")
    time.sleep(1.5)
    assert live.process.poll() is None, "ended with the interface"
    before = len(live.lines())
    make_link()

    def captured_again():                # what is sent before it is open again nobody sees
        replay(capture)
        time.sleep(1)
        return len(live.lines()) > before
    live.wait_for(captured_again)
    _, _, _, text = live.end()
    assert "interface lost 1 times" in text, text
    print("vanished and came back: captured again")


def test_wrong_use(picket):
    def run(*arguments):
        r = subprocess.run([picket, "capture"] + list(arguments), capture_output=True, text=True, timeout=120)
        return r.returncode, r.stderr
    code, text = run("-i", "nosuch0")
    assert code == 1 and "nosuch0" in text and text.count("No such device") == 1, (code, text)
    for arguments in ([], ["pk1"], ["-i", "pk1", "--threads", "0"], ["-i", "pk1", "--filter", "no such word"],
                      ["-i", "pk1", "--controller", "dc1"], ["-i", "pk1", "--ports", "0"],
                      ["-i", "pk1", "--decode", "x"], ["-i", "pk1", "--nonsense"], ["-i", "pk1", "--ring", "x"]):
        code, text = run(*arguments)
        assert code == 2 and "picket capture:" in text, (arguments, code, text)
    print("wrong use is told")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picket", required=True)
    p.add_argument("--data", default=os.path.join(os.path.dirname(HERE), "data"))
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if not a.inside:
        for program in ("ip", "tcpreplay", "unshare"):
            if not shutil.which(program):
                skip(program + " is not installed")
        if subprocess.run(["unshare", "-n", "ip", "link", "add", "pk0", "type", "veth", "peer", "name", "pk1"],
                          capture_output=True).returncode:
            skip("no right to make network namespaces and interfaces (CAP_NET_ADMIN)")
        os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), "--inside",
                              "--picket", a.picket, "--data", a.data])
    sh("ip link set lo up")
    make_link()
    with tempfile.TemporaryDirectory() as directory:
        capture = os.path.join(directory, "all.pcap")
        packets = join_captures(a.data, capture)
        test_wrong_use(a.picket)
        test_top_speed(a.picket, capture, packets)
        test_filter(a.picket, capture)
        test_threads(a.picket, capture, packets)
        test_vanishing(a.picket, capture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
