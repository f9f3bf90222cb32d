#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""samba_log.py - a node reads the audit log of a real Samba domain controller (the lab): what is done to the domain comes as
activities, each once, while the log is rotated in both ways and the node is restarted.

    samba_log.py --picketd PROGRAM --picket PROGRAM
"""
import argparse
import json
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import lab  # noqa: E402
import nodes  # noqa: E402

CLASSES = ("auth_json_audit:5", "dsdb_json_audit:5", "dsdb_group_json_audit:5", "dsdb_password_json_audit:5",
           "dsdb_transaction_json_audit:5")


def switch_on(dc, log):
    path = os.path.join(dc.place, "etc", "smb.conf")
    with open(path) as f:
        lines = f.readlines()
    level = "\tlog level = 1 " + " ".join("%s@%s" % (c, log) for c in CLASSES) + "\n"
    with open(path, "w") as f:
        f.writelines(level if line.strip().startswith("log level") else line for line in lines)


class Heard:
    def __init__(self, node):
        self.node, self.before = node, []

    def all(self):
        """Those of the node's life now, and what was gathered before."""
        status, out, err = self.node.command("activities", "--json", "--limit", "1000")
        return self.before + [json.loads(line) for line in out.splitlines() if line.strip()]

    def remember(self):
        self.before = self.all()

    def those(self, kind, **fields):
        return [a for a in self.all() if a["kind"] == kind and all(a.get(k) == v for k, v in fields.items())]

    def once(self, kind, **fields):
        nodes.wait(lambda: "%s %s: %s" % (kind, fields, self.those(kind)[-3:]), lambda: self.those(kind, **fields))
        time.sleep(0.5)
        found = self.those(kind, **fields)
        assert len(found) == 1, (kind, fields, found)
        return found[0]


def done_in_the_domain(l, heard):
    client = l.net.address("client")
    assert l.log_on("client", "user07", "User.Pass07!")
    nodes.wait("the logon of user07", lambda: heard.those("windows_kerberos_as", account="user07", status=0))
    for a in heard.those("windows_kerberos_as", account="user07", status=0):
        assert a["source"] == client and a["event_source"] == "samba" and a["preauth_type"] in (2, 138), a
    assert not l.log_on("client", "user08", "wrong")
    a = nodes.wait("user08's failure", lambda: heard.those("windows_kerberos_as", account="user08", status=24))
    a = heard.those("windows_kerberos_as", account="user08", status=24)[0]
    assert a["sub_status"] == 0xc000006a and a["event_failure"], a
    l.run("client", ["smbclient", "-L", l.dc1.host_name, "-U", "CORP\\user09%User.Pass09!", "--option=client min protocol=SMB2"])
    nodes.wait("user09 by SMB", lambda: heard.those("windows_logon", account="user09", service_description="SMB2"))


def change(l, number):
    l.dc1.modify("dn: CN=user10,OU=Staff,%s\nchangetype: modify\nreplace: title\ntitle: Number %d\n" % (lab.BASE, number))


def changed(heard, number):
    return heard.once("directory_change", operation="modified", changes=["replace:title"],
                      attribute_values=["replace:title=Number %d" % number])


def rotated(l, heard, log):
    change(l, 1)
    changed(heard, 1)
    os.rename(log, log + ".1")
    change(l, 2)
    l.dc1.run(["smbcontrol", "all", "reload-config"])
    change(l, 3)
    for number in (2, 3):
        changed(heard, number)
    if not os.path.exists(log):        # Samba goes on in the old one until it is started anew
        l.dc1.stop()
        l.dc1.start()
    change(l, 4)
    changed(heard, 4)
    shutil.copy(log, log + ".2")
    os.truncate(log, 0)
    change(l, 5)
    changed(heard, 5)


def restarted(l, node, heard, log):
    heard.remember()
    assert node.stop() == 0
    change(l, 6)
    shutil.copy(log, log + ".3")
    os.truncate(log, 0)
    change(l, 7)
    node.start().up()
    for number in range(1, 8):
        changed(heard, number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    options = parser.parse_args()
    lab.enter()
    began = time.monotonic()
    with lab.Lab() as l:
        log = os.path.join(l.dc1.place, "log", "audit.json")
        l.dc1.stop()
        switch_on(l.dc1, "/var/log/samba/audit.json")
        l.dc1.start()
        fleet = nodes.Fleet(options.picket, options.picketd, net=l.net,
                            config=["samba", "    logs = " + log, "    from-beginning = yes"])
        with fleet:
            node = fleet.create("sensor", "datacenter").start().up()
            heard = Heard(node)
            done_in_the_domain(l, heard)
            print("logons: fine (%.1f s)" % (time.monotonic() - began), flush=True)
            # over LDAP: what samba-tool does to the files itself it does not log
            there = ["-H", "ldap://" + l.dc1.host_name, "-U%s%%%s" % (lab.ADMINISTRATOR, lab.PASSWORD)]
            l.dc1.must(["samba-tool", "group", "addmembers", "VPN-Users", "user41", *there])
            a = heard.once("group_change", operation="member_added", group_account="VPN-Users", event_id=4728)
            assert a["member_dn"].startswith("CN=user41,") and a["group_scope"] == "global", a
            l.dc1.must(["samba-tool", "user", "setpassword", "user12", "--newpassword=Another.Pass12!", *there])
            a = heard.once("account_change", operation="password_reset", changed_account="user12")
            print("groups and passwords: fine (%.1f s)" % (time.monotonic() - began), flush=True)
            rotated(l, heard, log)
            print("rotation: fine (%.1f s)" % (time.monotonic() - began), flush=True)
            restarted(l, node, heard, log)
            print("restart: fine (%.1f s)" % (time.monotonic() - began), flush=True)
            invalid = [p for p in node.ask("status")["problems"] if "samba" in json.dumps(p).lower()]
            assert not invalid, invalid
    return 0


if __name__ == "__main__":
    sys.exit(main())
