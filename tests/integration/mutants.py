#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the swarm against each deliberate fault of cluster/mutant.h until a seed finds it; prints a table.

usage: mutants.py PICKET-SIM-MUTANTS [--seeds N] [--hours H] [--seconds S] [--only NAME]... [--expect FILE]

With --expect, a file of "NAME SEEDS" lines: those mutants must be found within so many seeds (exit 1 if not).
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

HEADER = Path(__file__).resolve().parents[2] / "cluster" / "mutant.h"


def mutants():
    return re.findall(r'X\(([A-Z_]+), "([^"]+)"\)', HEADER.read_text())


def hunt(program, name, seeds, hours, seconds):
    """The seed that found it, what it violated, and when; None when none did."""
    command = [program, "swarm", "--mutant", name, "--seeds", f"1..{seeds}", "--hours", str(hours),
               "--until-found", "--no-shrink"]
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False).stdout
    except subprocess.TimeoutExpired as late:
        out = (late.stdout or b"").decode()
    found = re.search(r"^seed (\d+): (\S+) at (\S+): (.*)$", out, re.M)
    return found.groups() if found else None


def expectations(path):
    lines = (line.split("#")[0].split() for line in Path(path).read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if words}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--only", action="append")
    parser.add_argument("--expect")
    options = parser.parse_args()
    expected = expectations(options.expect) if options.expect else None
    missed = []
    print("| mutant | what it does | seed | violates | at |\n|---|---|---|---|---|")
    for name, doc in mutants():
        if (options.only and name not in options.only) or (expected is not None and name not in expected):
            continue
        seeds = expected[name] if expected else options.seeds
        found = hunt(options.program, name, seeds, options.hours, options.seconds)
        if found:
            print(f"| {name} | {doc} | {found[0]} | {found[1]}: {found[3]} | {found[2]} |", flush=True)
        else:
            print(f"| {name} | {doc} | - | not found by {seeds} seeds | |", flush=True)
            missed.append(name)
    if expected is not None and missed:
        print("not found: " + ", ".join(missed), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
