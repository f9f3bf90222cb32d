#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memory.py - reading a file ten times as long takes no more memory.

    memory.py --picket PROGRAM [--megabytes 60] [--data tests/data]

Streams the captures of tests/data, one round after the other with later times and other client ports, to
`picket read --batches /dev/null -`: once as many megabytes, once ten times as many; and compares peak resident
memory.
"""
import argparse
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ALLOWANCE = 4 << 10  # KiB


class Stream:
    """One endless capture."""

    def __init__(self, directory):
        self.data = bytearray()
        self.records = []                # where each packet's header stands
        self.ports = []                  # (where, value) of ports that belong to clients
        first = None
        for name in sorted(os.listdir(directory)):
            if not name.endswith(".pcap"):
                continue
            data = open(os.path.join(directory, name), "rb").read()
            magic, = struct.unpack_from("<I", data, 0)
            assert magic in (0xA1B2C3D4, 0xA1B23C4D), name
            at = 24
            while at + 16 <= len(data):
                seconds, fraction, captured, length = struct.unpack_from("<IIII", data, at)
                first = seconds if first is None else first
                micro = fraction if magic == 0xA1B2C3D4 else fraction // 1000
                start = len(self.data)
                self.records.append((start, seconds))
                self.data += struct.pack("<IIII", seconds, micro, captured, length)
                self.data += data[at + 16:at + 16 + captured]
                ethernet = start + 16
                if captured > 38 and self.data[ethernet + 12:ethernet + 15] == b"\x08\x00\x45":
                    for where in (ethernet + 34, ethernet + 36):
                        port, = struct.unpack_from(">H", self.data, where)
                        if 32768 <= port < 49152 or port > 50000:
                            self.ports.append((where, port))
                at += 16 + captured
        self.seconds = max(s for _, s in self.records) - first + 1

    def rounds(self, size):
        yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
        for i in range(max(1, size // len(self.data))):
            for at, seconds in self.records:
                struct.pack_into("<I", self.data, at, seconds + i * self.seconds)
            for where, port in self.ports:
                struct.pack_into(">H", self.data, where, 32768 + (port + i * 7919) % 16384)
            yield bytes(self.data)


def peak(picket, stream, size):
    """Peak resident KiB of reading that many bytes."""
    process = subprocess.Popen([picket, "read", "--batches", os.devnull, "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL)
    for part in stream.rounds(size):
        process.stdin.write(part)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picket", required=True)
    p.add_argument("--data", default=os.path.join(os.path.dirname(HERE), "data"))
    p.add_argument("--megabytes", type=int, default=60)
    a = p.parse_args()
    stream = Stream(a.data)
    little = peak(a.picket, stream, a.megabytes << 20)
    much = peak(a.picket, stream, a.megabytes * 10 << 20)
    print("%d MB: %d KiB resident; %d MB: %d KiB" % (a.megabytes, little, a.megabytes * 10, much))
    return 1 if much > little * 1.05 + ALLOWANCE else 0


sys.exit(main())
