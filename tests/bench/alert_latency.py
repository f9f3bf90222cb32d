#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""alert_latency.py - from the packet on the wire to the alert in the API's stream of events.

    alert_latency.py --build build/release [--attacks 120] [--pause 0.5] [--real]

The lab's domain (tests/lab); on its sensor's host a picketd as it ships, which captures an interface, resolves with the directory's
copy (it is the domain's synchronizer), spools and delivers to picket-center on a host of its own; there somebody listens to
GET /api/v1/events. Scenes of attacks that the laboratory recorded are played into the interface, packet by packet as they
were recorded (pauses of more than 0.2 s are cut), each from an address of its own, so that each raises alerts of its own.

An alert's latency: from the time of the activity that raised it first, which is the kernel's time of its first packet, to the
line of the event `new` in the listener's hands. That is longer than from the packet that completed the activity.

The governor sees a host on which nothing but picketd runs, as in sensor.py, unless --real. Needs root, ip, curl and Samba.
"""
import argparse
import contextlib
import json
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))
import lab  # noqa: E402
import whole  # noqa: E402

# Scenes, and the detections that need nothing learned before they tell of them.
SCENES = ("a05_dcsync_krbtgt", "a14_psexec", "a36_zerologon", "a37_petitpotam", "a04_asrep_roast", "a16_atexec")
ATTACKER = bytes((10, 77, 0, 66))
LONGEST_PAUSE = 0.2


def frames(path):
    """(seconds since the first, Ethernet frame) of a capture in microseconds."""
    data, at, first, out = open(path, "rb").read(), 24, None, []
    while at + 16 <= len(data):
        seconds, fraction, size = struct.unpack_from("<III", data, at)
        when = seconds + fraction / 1e6
        first = when if first is None else first
        out.append((when - first, data[at + 16:at + 16 + size]))
        at += 16 + size
    return out


def from_address(frame, address):
    """The attacker's end is another one. IPv4's checksum is made anew; TCP's is not looked at by a sensor."""
    if frame[12:14] != b"\x08\x00" or ATTACKER not in (frame[26:30], frame[30:34]):
        return frame
    head = bytearray(frame[14:34])
    for at in 12, 16:
        if head[at:at + 4] == ATTACKER:
            head[at:at + 4] = address
    head[10:12] = b"\0\0"
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xffff) + (total >> 16)
    head[10:12] = struct.pack(">H", ~(total + (total >> 16)) & 0xffff)
    return frame[:14] + bytes(head) + frame[34:]


def play(out, scene, number):
    address, before = bytes((10, 77, 100 + number // 200, 10 + number % 200)), 0
    for when, frame in scene:
        if when > before:
            time.sleep(min(when - before, LONGEST_PAUSE))
        before = when
        out.send(from_address(frame, address))


class Listener:
    """The stream of events: when the first line about each alert came."""

    def __init__(self, l, center, token):
        self.first, self.began = {}, False
        self.process = l.net.run("center", ["curl", "-sN", "--cacert", os.path.join(center.state, "api.crt"), "-H",
                                            "Authorization: Bearer " + token, "https://127.0.0.1:49211/api/v1/events"],
                                 stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        lab.wait("the stream of events", lambda: self.began, 60)

    def run(self):
        for line in self.process.stdout:
            now, self.began = time.time(), True
            if line.startswith("data: "):
                self.first.setdefault(json.loads(line[6:])["id"], now)

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("--attacks", type=int, default=120)
    parser.add_argument("--pause", type=float, default=0.5)
    parser.add_argument("--processors", type=float, default=2)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    lab.enter()
    scenes = [frames(os.path.join(options.data, "lab", name + ".pcap")) for name in SCENES]
    with lab.Lab() as l:
        whole.make_link()
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        out.bind((whole.OUTSIDE, 0))
        w = whole.Whole(l, options.build, ["capture", "    interfaces = " + whole.INSIDE])
        with contextlib.nullcontext() if options.real else whole.ModelHost(l, w, options.processors), w:
            token = os.path.join(w.fleet.place, "token")
            status, _, err = l.net.output("center", [w.center.program, "token", "create", "--name", "bench", "--role", "administrator",
                                                     "--all-workspaces", "--out", token, "--config", w.center.config], 60)
            assert status == 0, err
            listener = Listener(l, w.center, open(token).read().strip())
            try:
                for number in range(options.attacks):
                    play(out, scenes[number % len(scenes)], number)
                    time.sleep(options.pause)
                time.sleep(15)
            finally:
                listener.end()
            with sqlite3.connect(os.path.join(w.center.state, "center.db"), timeout=60) as store:
                raised = store.execute("SELECT lower(hex(id)), external_id, start FROM alerts").fetchall()
            took = sorted((listener.first[one] - start / 1e9, number) for one, number, start in raised if one in listener.first)
            ids = {}
            for seconds, number in took:
                ids.setdefault(number, []).append(seconds)
            for number in sorted(ids):
                print("%d: %d alerts, %.2f s (half), %.2f s (the last)" % (number, len(ids[number]), ids[number][len(ids[number]) // 2],
                                                                         ids[number][-1]))
            print("%d attacks, %d alerts: %.2f s (half), %.2f s (90 of 100), %.2f s (99 of 100), %.2f s (all)" % (
                options.attacks, len(took), *(took[len(took) * share // 100][0] for share in (50, 90, 99)), took[-1][0]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
