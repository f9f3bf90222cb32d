#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""oracle.py - the counts of `picket read --counts` against those that tshark gave, key by key.

    oracle.py [--picket PROGRAM] [--differences docs/oracle-differences.md] [--list] DIRECTORY|CAPTURE...

A capture CAPTURE has tshark's counts beside it, in CAPTURE.expect.json. Differences that are right are listed
in the table of docs/oracle-differences.md, with both numbers and the reason; any other difference fails, and
so does a listed one that no longer holds. A directory that is absent is skipped, which is said. --list prints
the differences as rows for the table.

With --keytab FILE everything is read through keys, as tshark did for the CAPTURE.expect.json; or, with --otherwise JSON,
for that JSON: what it counted otherwise than without (tests/data/oracle-keytab.json). That oracle does not look into
decrypted SMB 3: of captures of it SMB and RPC are compared by test_smb_unseal and unsealed.py instead.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def flatten(prefix, value, out):
    if isinstance(value, dict):
        for key, inner in value.items():
            flatten(prefix + "." + key, inner, out)
    elif isinstance(value, int) and not isinstance(value, bool) and value:
        out[prefix] = out.get(prefix, 0) + value


def number_of(key):
    """Codes are written as "25 (text)" or plainly."""
    return str(key).split(" ")[0].split("(")[0]


def expected_counts(e):
    """tshark's JSON as one flat object."""
    out = {}
    kerberos = e["kerberos"]
    flatten("kerberos.kdc", kerberos["kdc"], out)
    flatten("kerberos.gss", kerberos["gss"], out)
    flatten("kerberos.kpasswd", kerberos["kpasswd"], out)
    for group in ("errors", "as_rep_enc_etypes", "tgs_rep_ticket_etypes"):
        flatten("kerberos." + group, {number_of(k): v for k, v in kerberos[group].items()}, out)
    flatten("ntlmssp", e["ntlmssp"]["messages"], out)
    flatten("ldap", e["ldap"]["operations"], out)
    flatten("cldap", e["ldap"]["cldap_operations"], out)
    for side in ("requests", "responses"):
        flatten("smb1." + side, e["smb1"][side], out)
        flatten("smb2." + side, e["smb2"][side], out)
    flatten("smb2.encrypted_pdus", e["smb2"]["encrypted_pdus"], out)
    flatten("dcerpc.pdus", e["dcerpc"]["pdus"], out)
    for r in e["dcerpc"]["requests"]:
        name = r.get("interface") or r.get("uuid") or "unknown"
        key = "dcerpc.requests.%s.%s" % (name, r["opnum"])
        out[key] = out.get(key, 0) + r["count"]
    flatten("dns", e["dns"], out)
    flatten("nbns", e["nbns"], out)
    flatten("radius.codes", e["radius"]["codes"], out)
    flatten("syslog.messages", e["syslog"]["messages"], out)
    return out


def decode_options(e):
    """tshark's Decode-As rules, tcp.port==PORT,PROTOCOL, as options of ours."""
    out = []
    for rule in e["options"]["decode_as"]:
        selector, protocol = rule.split(",")
        transport, port = selector.split(".port==")
        out += ["--decode", "%s/%s=%s" % (transport, port, protocol)]
    return out


def picket_counts(picket, capture, options):
    r = subprocess.run([picket, "read", "--counts"] + options + [capture], capture_output=True, text=True,
                       timeout=300)
    if r.returncode != 0:
        return None, "exit status %d: %s" % (r.returncode, r.stderr.strip())
    return {k: v for k, v in json.loads(r.stdout).items() if v}, r.stderr.strip()


def listed_differences(path):
    """{(capture, key): (oracle, picket)} of the table's rows."""
    out = {}
    for line in open(path):
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 6 and cells[2].isdigit() and cells[3].isdigit():
            out[(cells[0].strip("`"), cells[1].strip("`"))] = (int(cells[2]), int(cells[3]))
    return out


def captures_of(arguments):
    for argument in arguments:
        if os.path.isdir(argument):
            for name in sorted(os.listdir(argument)):
                # Event logs have an oracle of their own (test_evtx).
                if not name.endswith(".evtx") and os.path.exists(os.path.join(argument, name + ".expect.json")):
                    yield os.path.join(argument, name)
        elif os.path.exists(argument):
            yield argument
        else:
            print("skipped: %s is not there" % argument)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picket", default=os.path.join(ROOT, "build/dev/bin/picket"))
    p.add_argument("--differences", default=os.path.join(ROOT, "docs/oracle-differences.md"))
    p.add_argument("--list", action="store_true")
    p.add_argument("--keytab")
    p.add_argument("--otherwise")
    p.add_argument("captures", nargs="+")
    a = p.parse_args()
    if not a.keytab:
        return compare(a, [], None)
    if not os.path.exists(a.keytab):
        print("SKIP: %s is not there" % a.keytab)
        return 77
    with tempfile.TemporaryDirectory() as work:
        private = shutil.copy(a.keytab, os.path.join(work, "keytab"))
        os.chmod(private, 0o600)  # another is refused
        otherwise = json.load(open(a.otherwise))["captures"] if a.otherwise else None
        return compare(a, ["--keytab", private], otherwise)


def is_compared(want, key):
    return not want.get("smb2.encrypted_pdus") or not key.startswith(("smb2.", "dcerpc."))


def compare(a, options, otherwise):
    listed = listed_differences(a.differences)
    captures = keys = failures = known = 0
    for capture in captures_of(a.captures):
        name = os.path.basename(capture)
        if otherwise is not None and name not in otherwise:
            continue
        captures += 1
        e = json.load(open(capture + ".expect.json"))
        want = expected_counts(e)
        want.update(otherwise[name] if otherwise else {})
        got, message = picket_counts(a.picket, capture, decode_options(e) + options)
        if got is None:
            print("%s: %s" % (name, message))
            failures += 1
            continue
        everything = sorted(set(want) | set(got) | {k for c, k in listed if c == name})
        if options:
            everything = [key for key in everything if is_compared(want, key)]
        keys += len(everything)
        for key in everything:
            pair = (want.get(key, 0), got.get(key, 0))
            row = listed.get((name, key))
            if pair[0] == pair[1] and row is None:
                continue
            if row == pair and pair[0] != pair[1]:
                known += 1
                continue
            failures += 1
            if a.list:
                print("| %s | %s | %d | %d | | |" % (name, key, pair[0], pair[1]))
            elif row is None:
                print("%s: %s: tshark %d, picket %d" % (name, key, pair[0], pair[1]))
            else:
                print("%s: %s: tshark %d, picket %d, but listed as %d and %d" % ((name, key) + pair + row))
    print("%d captures, %d keys, %d listed differences, %d failures" % (captures, keys, known, failures))
    if captures == 0:
        print("SKIP: no capture is there")
        return 77
    return 1 if failures else 0


sys.exit(main())
