#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""unsealed.py - what the keys of a domain open in captures of it: activities of each kind, and how many of them say
`unsealed`; and what stays sealed. tshark, the oracle of the counts (oracle.py), does not see all of that.

    unsealed.py --picket PROGRAM [--write] DIRECTORY

DIRECTORY holds captures, `lab.keytab` and `unsealed.json`, which --write writes: read before it is committed.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import keys


def read(picket, capture, keytab):
    """{kind: [all, unsealed]} and {protocol: messages that stay sealed}."""
    found = subprocess.run([picket, "read", "--json", "--stats", "--keytab", keytab, capture], capture_output=True, text=True,
                           check=True, timeout=300)
    kinds = {}
    for line in found.stdout.splitlines():
        activity = json.loads(line)
        counts = kinds.setdefault(activity["kind"], [0, 0])
        counts[0] += 1
        counts[1] += activity.get("unsealed", False)
    protocols = json.loads(found.stderr.splitlines()[-1])["protocols"]
    return {"activities": kinds, "sealed": {name: p["sealed"] for name, p in protocols.items() if p["sealed"]}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picket", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("directory")
    args = parser.parse_args()
    expected = os.path.join(args.directory, "unsealed.json")
    with tempfile.TemporaryDirectory() as place:
        keytab = os.path.join(place, "keytab")
        with open(os.path.join(args.directory, "lab.keytab"), "rb") as f:
            keys.write_keytab(keytab, f.read())          # a keytab that others may read is refused
        found = {name: read(args.picket, os.path.join(args.directory, name), keytab)
                 for name in sorted(os.listdir(args.directory)) if name.endswith(".pcap")}
    if args.write:
        lines = ["%s: %s" % (json.dumps(name), json.dumps(what, sort_keys=True)) for name, what in found.items()]
        with open(expected, "w") as f:
            f.write("{\n" + ",\n".join(lines) + "\n}\n")
        return 0
    with open(expected) as f:
        wanted = json.load(f)
    bad = [name for name in sorted(set(found) | set(wanted)) if found.get(name) != wanted.get(name)]
    for name in bad:
        print("%s: %s instead of %s" % (name, json.dumps(found.get(name)), json.dumps(wanted.get(name))))
    print("%d captures, %d differ" % (len(found), len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
