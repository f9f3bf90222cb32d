#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""keytab.py - what reading through keys costs at the AD mix: `picket read` with a keytab and without, in turn.

    cmake --build build/release --target bench-keytab
    tests/bench/keytab.py [--build build/release] [--pairs 5] [--packets 2000000] [--keys 1000] [--data ../shared/data]

The keytab has the keys of the lab's domain, whose captures are a part of the mix (recipe.txt), and as many of
others as make up the number. CPU is that of picket and of the process that holds the keys, user and system.
"""
import argparse, os, random, statistics, struct, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
from capture import make_mix, run


def keytab_entry(realm, name, kvno, etype, key):
    """One entry of an MIT keytab, version 0x502."""
    def text(t):
        return struct.pack(">H", len(t)) + t.encode()
    body = struct.pack(">H", 1) + text(realm) + text(name) + struct.pack(">IIB", 1, 1700000000, kvno)
    body += struct.pack(">HH", etype, len(key)) + key
    return struct.pack(">i", len(body)) + body


def keys_in(keytab):
    at, count = 2, 0
    while at + 4 <= len(keytab):
        size = struct.unpack_from(">i", keytab, at)[0]
        at += 4 + abs(size)
        count += size > 0
    return count


def make_keytab(lab, keys, path):
    data = open(lab, "rb").read()
    chance = random.Random(7)
    for i in range(max(0, keys - keys_in(data))):
        etype, size = ((18, 32), (17, 16), (23, 16))[i % 3]
        data += keytab_entry("OTHER.EXAMPLE", "account%04d" % (i // 3), 2, etype, chance.randbytes(size))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
        f.write(data)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--packets", type=int, default=2000000)
    p.add_argument("--keys", type=int, default=1000)
    p.add_argument("--data", default=os.path.join(ROOT, "../shared/data"))
    a = p.parse_args()
    picket = os.path.join(a.build, "bin/picket")
    mix = os.path.join(a.build, "bench/mix-%d.pcap" % a.packets)
    make_mix(a.build, a.data, None, a.packets, mix)
    with tempfile.TemporaryDirectory() as work:
        keytab = os.path.join(work, "keytab")
        make_keytab(os.path.join(a.data, "lab/lab.keytab"), a.keys, keytab)
        plain = [picket, "read", "--batches", os.devnull]
        ratios, without, within = [], [], []
        for _ in range(a.pairs):
            without.append(run(plain + [mix])[0])
            within.append(run(plain + ["--keytab", keytab, mix])[0])
            ratios.append(within[-1] / without[-1])
    print("without keys   %.2f s of CPU for %d packets" % (statistics.median(without), a.packets))
    print("with %4d keys %.2f s" % (a.keys, statistics.median(within)))
    print("with : without %.2f (%.2f to %.2f), median of %d pairs" %
          (statistics.median(ratios), min(ratios), max(ratios), a.pairs))


if __name__ == "__main__":
    main()
