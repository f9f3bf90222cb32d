#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""detection_results.py - what is raised about labelled captures: attack x alert, precision, recall.

    detection_results.py --center PROGRAM [--write PAGE | --check] [--entities FILE] [--picket PROGRAM --keytab FILE] DIRECTORY

DIRECTORY holds captures and labels.tsv (file, class, technique, ...). Each attack is replayed by picket-center after all
benign captures were given to learn from, with learning counted as over; each benign one after all the other benign ones.
WANTED below says which alert an attack's technique has to raise. Found: that one was raised. False: an alert of medium or
higher severity on a benign capture. What else an attack raises is listed, and judged by nobody but the reader.

With a keytab all is judged once more, of the activities that `picket read --keytab --json` gives.

--write writes docs/detection-results.md; --check fails when an attack of WANTED is not found, or a benign capture raises
something, but for what KNOWN lists with its reason (and fails when that is no longer so).
"""
import argparse
import concurrent.futures
import csv
import json
import os
import subprocess
import sys
import tempfile

# technique of the label: external ids, of which one has to be raised. Empty: nothing is to be found, and why.
WANTED = {
    "kerberoasting": ([2410], ""),
    "AS-REP-roasting": ([2412], ""),
    "DCSync": ([2006], ""),
    "SAMR-enumeration": ([2021], ""),
    "RID-cycling": ([2021], ""),
    "session-enumeration": ([2012], ""),
    "remote-execution": ([2019, 2026], ""),
    "pass-the-hash": ([2017, 2001], ""),
    "overpass-the-hash": ([2002, 2008], ""),
    "golden-ticket": ([2009, 2013, 2022, 2027, 2032], ""),
    "diamond-ticket": ([2013], ""),
    "sapphire-ticket": ([2013], ""),
    "silver-ticket": ([2013], ""),
    "brute-force": ([2004, 2023], ""),
    "password-spray": ([2004, 2023], ""),
    "account-lockout": ([2004, 2023], ""),
    "user-enumeration": ([2003], ""),
    "LDAP-recon": ([2038, 2210], ""),
    "DNS-zone-transfer": ([2007], ""),
    "DNS-dump": ([2038, 2210, 2007], ""),
    "zerologon": ([2411], ""),
    "coerced-auth": ([2416, 2415, 2426], ""),
    "DNS-RPC": ([2036, 2019, 2007], ""),
    "DPAPI-backup-key": ([2020], ""),
    "privileged-group-change": ([2024], ""),
    "RBCD": ([2423, 2040], ""),
    "shadow-credentials": ([2431], ""),
    "sAMAccountName-spoof": ([2419], ""),
    "DCShadow": ([2028, 2029], ""),
    "DirSync-abuse": ([2006], ""),
    "NTLM-relay": ([2037, 2039], ""),
    "NTLM-downgrade": ([2039, 2002, 2033], "NTLMv1 by a client that is let to"),
    "account-creation": ([], "an account made and deleted by an administrator: no detection of the list"),
    "GPP-password": ([], "passwords in group policies are searched for by reading SYSVOL, as every client does; no detection of "
                     "the list"),
    "port-scan": ([], "no detection of the list: the activity port_scan tells of it"),
    "clock-skew": ([], "a wrong clock is refused by the controller: nothing is gained by it"),
}

# What does not hold yet: (capture, "missed" or an external id that is false): why.
SEALED = "SMB 3 encryption hides the calls: sizes tell that a pipe is called, not what for; only keys would show it"
KNOWN = {(name + "_smb3enc", "missed"): SEALED for name in (
    "a08_samrdump", "a11_session_enum_admin", "a14_psexec", "a40_backupkey", "a43_da_add_samr")}

KNOWN_UNSEALED = {}   # the same with the keytab

MEDIUM = ("medium", "high")


def replay(args, learn, capture):
    command = [args.center, "replay", "--json", "--learned"]
    if args.entities:
        command += ["--entities", args.entities]
    for path in learn:
        command += ["--learn", path]
    found = subprocess.run(command + [capture], stdout=subprocess.PIPE, check=True, timeout=300)
    return [json.loads(line) for line in found.stdout.splitlines()]


def name_of(party):
    return party["name"] if party else "-"


def unseal(args, capture, to):
    """Activities as JSON, with what the keys open. In the order of their times: what waited for a key comes out later."""
    found = subprocess.run([args.picket, "read", "--keytab", args.keytab, "--json", capture], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, check=True, timeout=300)
    lines = sorted(found.stdout.splitlines(), key=lambda line: json.loads(line)["time"])
    with open(to, "wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))
    return to


def judge(args, unsealed=None):
    with open(os.path.join(args.directory, "labels.tsv"), encoding="utf-8") as file:
        labels = [row for row in csv.DictReader(file, delimiter="\t")]
    path = {row["file"]: os.path.join(args.directory, row["file"] + ".pcap") for row in labels}
    labels = [row for row in labels if os.path.exists(path[row["file"]])]
    if unsealed:
        path = {row["file"]: unseal(args, path[row["file"]], os.path.join(unsealed, row["file"] + ".json")) for row in labels}
    benign = [row["file"] for row in labels if row["class"] == "benign"]

    def one(row):
        learn = [path[name] for name in benign if name != row["file"]]
        return row, replay(args, learn, path[row["file"]])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, labels))


class Verdicts:
    """Sums up; `problems` are (capture, what)."""

    def __init__(self, results):
        self.found, self.missed, self.false, self.rows = [], [], [], []
        self.names = {row["file"] for row, _ in results}
        for row, alerts in results:
            if row["class"] == "benign":
                self.benign(row, alerts)
            else:
                self.attack(row, alerts)

    def benign(self, row, alerts):
        for alert in alerts:
            if alert["severity"] in MEDIUM:
                self.false.append((row["file"], alert))

    def attack(self, row, alerts):
        wanted, why = WANTED[row["technique"]]
        raised = sorted({alert["external_id"] for alert in alerts})
        if not wanted:
            verdict = "-"
        elif set(wanted) & set(raised):
            verdict = "found"
            self.found.append(row["file"])
        else:
            verdict = "**missed**"
            self.missed.append(row["file"])
        self.rows.append((row, verdict, wanted, alerts, why))

    def problems(self):
        return {(name, "missed") for name in self.missed} | {(name, alert["external_id"]) for name, alert in self.false}

    def recall(self):
        return len(self.found) / max(1, len(self.found) + len(self.missed))

    def precision(self):
        return len(self.found) / max(1, len(self.found) + len(self.false))


def judge_unsealed(args):
    with tempfile.TemporaryDirectory() as place:
        return Verdicts(judge(args, place))


def cell(alerts, ids):
    """The alerts of those ids, each once with its severity."""
    kept = {}
    for alert in alerts:
        if alert["external_id"] in ids:
            kept.setdefault(alert["external_id"], alert["severity"])
    return ", ".join(f"{number} ({severity})" for number, severity in sorted(kept.items())) or "-"


def write_unsealed(verdicts, unsealed, to):
    """What keys change."""
    print("\n## With the keytab\n\nThe same captures, read by `picket read --keytab` with all keys of the lab "
          "([keytab.md](keytab.md)). "
          f"**Recall {unsealed.recall():.3f}**, **precision {unsealed.precision():.3f}**. Where it differs:\n", file=to)
    print("| capture | technique | without | with the keytab |\n| --- | --- | --- | --- |", file=to)
    for (row, _, ids, alerts, _), (_, _, _, found, _) in zip(verdicts.rows, unsealed.rows):
        all_ids = {alert["external_id"] for alert in alerts + found}
        if cell(alerts, all_ids) != cell(found, all_ids):
            print(f"| {row['file']} | {row['technique']} | {cell(alerts, all_ids)} | {cell(found, all_ids)} |", file=to)
    for name, alert in unsealed.false:
        print(f"| {name} | false: {KNOWN_UNSEALED.get((name, alert['external_id']), '')} | - | {alert['external_id']} "
              f"({alert['severity']}) |", file=to)


def write(verdicts, benign, to):
    print("# What is found in labelled captures", file=to)
    print("\n<!-- Made by tests/integration/detection_results.py --write. Do not edit. -->\n", file=to)
    print("Each attack of the lab's labelled captures, replayed by `picket-center replay` after all the benign ones were given to "
          "learn from\n(with learning counted as over: there are no four weeks of them); and each benign one after all the others. "
          "Thresholds are the\ndefaults. *Wanted* is what the technique has to raise, one of them; *also* is what else was raised "
          "about the same capture.\n", file=to)
    wanted = len(verdicts.found) + len(verdicts.missed)
    print(f"**Recall {verdicts.recall():.3f}** ({len(verdicts.found)} of {wanted} attacks), **precision "
          f"{verdicts.precision():.3f}** ({len(verdicts.false)} false alerts of medium or higher severity on {benign} benign "
          "captures).\n", file=to)
    print("| capture | technique | wanted | verdict | raised of it | also |\n| --- | --- | --- | --- | --- | --- |", file=to)
    for row, verdict, ids, alerts, why in verdicts.rows:
        others = {alert["external_id"] for alert in alerts} - set(ids)
        note = KNOWN.get((row["file"], "missed")) or (why if verdict == "-" else "")
        print(f"| {row['file']} | {row['technique']} | {', '.join(map(str, ids)) or 'nothing'} | "
              f"{verdict}{': ' + note if note else ''} | {cell(alerts, set(ids))} | {cell(alerts, others)} |", file=to)
    if verdicts.false:
        print("\n## False alerts\n\n| capture | alert | severity | explanation |\n| --- | --- | --- | --- |", file=to)
        for name, alert in verdicts.false:
            print(f"| {name} | {alert['external_id']} | {alert['severity']} | {alert['explanation']} |".replace("\n", " "), file=to)
    print("\n## What the alerts say\n\nOf each attack the first alert that was wanted.\n\n| capture | id | source | account | "
          "explanation |\n| --- | --- | --- | --- | --- |", file=to)
    for row, verdict, ids, alerts, _ in verdicts.rows:
        for alert in [a for a in alerts if a["external_id"] in ids][:1]:
            account = alert["accounts"][0]["name"] if alert["accounts"] else "-"
            text = alert["explanation"].replace("|", "\\|").replace("\n", " ")
            print(f"| {row['file']} | {alert['external_id']} | {name_of(alert['source'])} | {account} | {text} |", file=to)


def check(verdicts, names, listed):
    problems = verdicts.problems()
    known = {key for key in listed if key[0] in names}
    new, gone = problems - known, known - problems
    for name, what in sorted(new, key=str):
        print(f"{name}: {'missed' if what == 'missed' else f'raises {what}, which is false'}")
    for name, what in sorted(gone, key=str):
        print(f"{name}: {what} is listed as known, but is no longer so")
    print(f"recall {verdicts.recall():.3f}, precision {verdicts.precision():.3f}, {len(problems)} problems, {len(known)} known")
    return 1 if new or gone else 0


def with_keytab(args):
    """Keys have to be readable by nobody else: a copy of the keytab is used."""
    with tempfile.TemporaryDirectory() as place:
        copy = os.path.join(place, "lab.keytab")
        with open(args.keytab, "rb") as keys, open(os.open(copy, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as to:
            to.write(keys.read())
        args.keytab = copy
        unsealed = judge_unsealed(args)
        if args.write:
            results = judge(args)
            verdicts = Verdicts(results)
            with open(args.write, "w", encoding="utf-8") as to:
                write(verdicts, sum(row["class"] == "benign" for row, _ in results), to)
                write_unsealed(verdicts, unsealed, to)
    return check(unsealed, unsealed.names, KNOWN_UNSEALED) if args.check else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--center", required=True)
    parser.add_argument("--entities")
    parser.add_argument("--picket")
    parser.add_argument("--keytab")
    parser.add_argument("--write")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("directory")
    args = parser.parse_args()
    if not os.path.exists(os.path.join(args.directory, "labels.tsv")):
        print(f"skipped: {args.directory} is not here")
        return 77
    if args.keytab and not os.path.exists(args.keytab):
        print(f"skipped: {args.keytab} is not here")
        return 77
    if args.keytab:
        return with_keytab(args)
    results = judge(args)
    verdicts = Verdicts(results)
    if args.write:
        with open(args.write, "w", encoding="utf-8") as to:
            write(verdicts, sum(row["class"] == "benign" for row, _ in results), to)
    if args.check:
        return check(verdicts, verdicts.names, KNOWN)
    if args.write:
        return 0
    for row, verdict, ids, alerts, _ in verdicts.rows:
        raised = " ".join(f"{a['external_id']}:{a['severity'][0]}" for a in alerts)
        print(f"{row['file']:34} {row['technique']:24} {verdict:10} wanted {ids} raised {raised or '-'}")
    for name, alert in verdicts.false:
        print(f"{name:34} FALSE {alert['external_id']} {alert['explanation']}")
    print(f"recall {verdicts.recall():.3f}, precision {verdicts.precision():.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
