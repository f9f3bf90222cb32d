#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""labels.py - every labelled attack capture gives the activities that its label names.

    labels.py --picket PROGRAM DIRECTORY...

A directory holds captures and labels.tsv (file, class, technique, actor_ip, victim, account, ...). For each
attack in it the table below says what must be found: kind, how many at least, and what its fields must be.
Source and destination must be the label's actor and victim. An attack without a row here fails, and so does an
attack's kind that appears in the benign captures named beside it.
"""
import argparse
import csv
import json
import os
import subprocess
import sys


class Any:
    """A list field that holds a value for which `test` is true (or that equals it)."""

    def __init__(self, wanted):
        self.wanted = wanted

    def __call__(self, value):
        return isinstance(value, list) and any(matches(self.wanted, v) for v in value)


def begins(text):
    return lambda value: isinstance(value, str) and value.lower().startswith(text.lower())


def holds(text):
    return lambda value: isinstance(value, str) and text.lower() in value.lower()


def absent(value):
    return value is None


def at_least(n):
    return lambda value: isinstance(value, int) and value >= n


def matches(wanted, value):
    return wanted(value) if callable(wanted) else wanted == value


PREAUTH_FAILED, PREAUTH_REQUIRED, UNKNOWN_CLIENT, REVOKED, SKEW, BAD_KEY_VERSION, TGT_REVOKED = 24, 25, 6, 18, 37, 44, 20
ACCESS_DENIED, OBJECT_NAME_NOT_FOUND, LOGON_FAILURE = 0xC0000022, 0xC0000034, 0xC000006D
WIN32_ACCESS_DENIED, OPNUM_OUT_OF_RANGE, BAD_STUB_DATA = 5, 0x1C010002, 1783
DIRSYNC = "1.2.840.113556.1.4.841"
RC4, AES256 = 23, 18
DOMAIN_ADMINS = begins("CN=Domain Admins,")

# attack: rows of (kind, at least how many, {field: value or test})
EXPECTED = {
    "a01_kerberoast_impacket": [
        ("ldap_search", 1, {"filter": holds("servicePrincipalName=*")}),
        ("kerberos_tgs", 4, {"account": "user01", "offered_etypes": lambda e: e and e[0] == RC4, "status": 0}),
        ("kerberos_tgs", 1, {"service": begins("MSSQLSvc/sql01"), "issued_ticket_etype": RC4}),
        ("kerberos_tgs", 1, {"service": begins("HTTP/web01"), "issued_ticket_etype": AES256}),
    ],
    "a02_kerberoast_rc4_mit": [
        ("kerberos_tgs", 1, {"service": begins("MSSQLSvc/sql01"), "offered_etypes": [RC4],
                             "issued_ticket_etype": RC4, "account": "user01"}),
        ("kerberos_tgs", 1, {"service": begins("HTTP/web01"), "offered_etypes": [RC4],
                             "issued_ticket_etype": AES256}),
    ],
    "a04_asrep_roast": [
        ("kerberos_as", 1, {"account": "asrep1", "offered_etypes": [RC4], "preauth_etype": absent, "status": 0,
                            "reply_etype": RC4}),
        ("kerberos_as", 1, {"account": "user01", "status": PREAUTH_REQUIRED}),
        ("kerberos_as", 1, {"account": "nobody", "status": UNKNOWN_CLIENT}),
    ],
    "a05_dcsync_krbtgt": [
        ("drs_replicate", 1, {"account": "Administrator", "rpc_operation": "DRSGetNCChanges", "sealed": True}),
        ("drs_crack_names", 1, {}),
    ],
    "a05_dcsync_krbtgt_smb3enc": [
        ("drs_replicate", 1, {"account": "Administrator", "rpc_operation": "DRSGetNCChanges", "sealed": True}),
        ("smb_encrypted", 1, {"account": "Administrator"}),
    ],
    "a06_dcsync_full": [
        ("drs_replicate", 5, {"account": "Administrator", "sealed": True}),
        ("samr_query", 1, {"account": "Administrator"}),
    ],
    "a08_samrdump": [
        ("samr_query", 50, {"account": "user01", "rpc_pipe": "samr"}),
        ("samr_query", 1, {"rpc_operation": "SamrEnumerateUsersInDomain"}),
    ],
    "a08_samrdump_smb3enc": [("smb_encrypted", 1, {"account": "user01", "sealed_requests": at_least(300)})],
    "a10_session_enum": [
        ("session_enumerate", 2, {"account": "user01", "rpc_operation": "NetrSessionEnum",
                                  "status": WIN32_ACCESS_DENIED}),
        ("session_enumerate", 1, {"rpc_operation": "NetrWkstaUserEnum", "rpc_fault": True,
                                  "status": OPNUM_OUT_OF_RANGE}),
        ("share_enumerate", 1, {"status": 0}),
    ],
    "a11_session_enum_admin": [
        ("session_enumerate", 2, {"account": "Administrator", "rpc_operation": "NetrSessionEnum"}),
        ("share_enumerate", 1, {"status": 0}),
    ],
    "a11_session_enum_admin_smb3enc": [("smb_encrypted", 2, {"account": "Administrator"})],
    "a12_netview": [("session_enumerate", 1, {"account": "user01", "rpc_operation": "NetrSessionEnum"})],
    "a14_psexec": [
        ("service_control", 1, {"rpc_operation": "RCreateServiceW", "service_binary": holds(".exe"),
                                "account": "Administrator", "status": OPNUM_OUT_OF_RANGE}),
        ("smb_open", 1, {"file_path": holds(".exe"), "write_bytes": 56320}),
        ("smb_tree_connect", 1, {"share_path": holds("IPC$")}),
    ],
    "a14_psexec_smb3enc": [("smb_encrypted", 1, {"account": "Administrator", "sealed_request_bytes": at_least(56320)})],
    "a15_smbexec": [("service_control", 1, {"rpc_operation": "RCreateServiceW", "service_binary": holds("%COMSPEC%"),
                                            "account": "Administrator"})],
    "a16_atexec": [("smb_open", 1, {"file_path": "atsvc", "account": "Administrator",
                                    "status": OBJECT_NAME_NOT_FOUND})],
    "a17_services_create": [
        ("service_control", 2, {"rpc_operation": "RCreateServiceW", "service_name": "EvilSvc"}),
        ("rpc_call", 1, {"rpc_operation": "REnumServicesStatusW", "rpc_pipe": "svcctl"}),
    ],
    "a19_pass_the_hash": [("ntlm_authenticate", 1, {"account": "Administrator", "account_domain": "CORP",
                                                    "ntlm_variant": "ntlmv2", "carrier": "smb", "status": 0})],
    "a20_overpass_the_hash": [
        ("kerberos_as", 1, {"account": "Administrator", "preauth_etype": RC4, "offered_etypes": [RC4], "status": 0}),
        ("kerberos_tgs", 1, {"service": begins("cifs/")}),
        ("kerberos_ap", 1, {"ticket_service": begins("cifs/"), "carrier": "smb", "status": 0}),
    ],
    "a21_golden_rc4": [("kerberos_tgs", 1, {"service": begins("cifs/"), "ticket_etype": RC4,
                                            "status": BAD_KEY_VERSION, "requested_till": begins("2036-")})],
    "a22_golden_aes": [
        ("kerberos_tgs", 1, {"account": "Administrator", "status": TGT_REVOKED}),
        ("kerberos_tgs", 1, {"account": "ghost", "status": UNKNOWN_CLIENT}),
        ("kerberos_tgs", 1, {"account": "Administrator", "status": 0, "requested_till": begins("2036-")}),
        ("kerberos_ap", 1, {"carrier": "smb", "status": 0}),
    ],
    "a24_brute_kerberos": [
        ("kerberos_as", 30, {"account": "user30", "status": PREAUTH_FAILED}),
        ("kerberos_as", 1, {"account": "user30", "status": 0}),
    ],
    "a25_brute_ntlm": [
        ("ntlm_authenticate", 30, {"account": "user31", "status": LOGON_FAILURE}),
        ("ntlm_authenticate", 1, {"account": "user31", "status": 0}),
    ],
    "a26_spray_kerberos": [
        ("kerberos_as", 49, {"account": begins("user"), "status": PREAUTH_FAILED}),
        ("kerberos_as", 1, {"account": "user17", "status": 0}),
    ],
    "a28_spray_ldap": [
        ("ldap_bind", 39, {"bind_method": "simple", "password_sent": True, "status": 49, "account": begins("user")}),
        ("ldap_bind", 1, {"account": begins("user19"), "status": 0}),
    ],
    "a29_userenum": [
        ("kerberos_as", 30, {"account": begins("guess"), "status": UNKNOWN_CLIENT}),
        ("kerberos_as", 5, {"status": PREAUTH_REQUIRED}),
    ],
    "a30_bloodhound_ldap": [
        ("ldap_search", 1, {"filter": holds("samaccounttype=805306368"), "account": begins("user01"),
                            "attributes": Any("serviceprincipalname"), "status": 0}),
        ("ldap_search", 1, {"filter": holds("trusteddomain")}),
    ],
    "a32_ldap_anonymous": [
        ("ldap_bind", 1, {"anonymous_bind": True, "password_sent": False, "status": 0}),
        ("ldap_search", 1, {"search_base": "", "search_scope": 0, "status": 0}),
        ("ldap_search", 1, {"filter": "(objectClass=user)", "status": 1}),
    ],
    "a33_dns_axfr": [
        ("dns_transfer", 1, {"dns_zone": "corp.example", "dns_type": 252, "dns_complete": False}),
        ("dns_transfer", 1, {"dns_zone": begins("_msdcs.")}),
    ],
    "a34_dns_dump_ldap": [("ldap_search", 1, {"search_base": holds("DC=DomainDnsZones"), "entries": at_least(10),
                                              "filter": "(objectClass=dnsNode)"})],
    "a36_zerologon": [
        ("netlogon_challenge", 60, {"netlogon_challenge_zero": True}),
        ("netlogon_authenticate", 60, {"netlogon_account": "DC1$", "netlogon_credential_zero": True,
                                       "status": ACCESS_DENIED}),
    ],
    "a37_petitpotam": [
        ("rpc_bind", 1, {"rpc_interfaces": Any("efsrpc(lsarpc)"), "rpc_pipe": "lsarpc", "rpc_accepted": []}),
        ("smb_open", 1, {"file_path": "efsrpc", "status": OBJECT_NAME_NOT_FOUND}),
    ],
    "a38_printerbug": [("coercion", 1, {"rpc_operation": "RpcRemoteFindFirstPrinterChangeNotificationEx",
                                        "account": "user01", "rpc_pipe": "spoolss", "sealed": True})],
    "a39_dnsserver_rpc": [
        ("rpc_bind", 1, {"rpc_interfaces": Any("dnsserver")}),
        ("dnsserver_manage", 3, {"rpc_interface": "dnsserver"}),
    ],
    "a40_backupkey": [
        ("backupkey_retrieve", 1, {"account": "Administrator", "rpc_pipe": "protected_storage", "sealed": True}),
    ],
    "a40_backupkey_smb3enc": [("smb_encrypted", 1, {"account": "Administrator"})],
    "a42_da_add_ldap": [
        ("ldap_modify", 1, {"dn": DOMAIN_ADMINS, "changes": ["add:member"], "account": begins("dadmin"),
                            "attribute_values": Any(begins("add:member=CN=user33,")), "status": 0}),
        ("ldap_modify", 1, {"dn": DOMAIN_ADMINS, "changes": ["delete:member"]}),
    ],
    "a43_da_add_samr": [
        ("samr_change", 1, {"rpc_operation": "SamrAddMemberToGroup", "account": "dadmin", "sealed": True}),
        ("samr_change", 1, {"rpc_operation": "SamrRemoveMemberFromGroup"}),
    ],
    "a43_da_add_samr_smb3enc": [("smb_encrypted", 1, {"account": "dadmin"})],
    "a44_samr_create_user": [
        ("samr_change", 1, {"rpc_operation": "SamrCreateUser2InDomain", "account": "dadmin"}),
        ("samr_change", 1, {"rpc_operation": "SamrDeleteUser"}),
    ],
    "a44_samr_create_user_smb3enc": [("smb_encrypted", 1, {"account": "dadmin"})],
    "a47_ntlmv1": [("ntlm_authenticate", 1, {"account": "user01", "ntlm_variant": begins("ntlmv1"), "status": 0})],
    "a49_rbcd": [("ldap_modify", 1, {"dn": begins("CN=WS01,"), "status": 19,
                                     "changes": Any("replace:msDS-AllowedToActOnBehalfOfOtherIdentity")})],
    "a50_shadow_credentials": [("ldap_modify", 1, {"dn": begins("CN=user20,"), "status": 16,
                                                   "changes": Any("add:msDS-KeyCredentialLink")})],
    "a51_nopac_rename": [
        ("samr_change", 1, {"rpc_operation": "SamrCreateUser2InDomain", "rpc_name": "NOPAC$", "account": "dadmin"}),
        ("ldap_modify", 1, {"dn": begins("CN=NOPAC,"), "status": 0,
                            "attribute_values": Any("replace:sAMAccountName=DC1")}),
    ],
    "a53_gpp_password": [
        ("smb_open", 4, {"share_path": holds("SYSVOL"), "file_path": holds("Policies"), "listings": at_least(1),
                         "account": "user01"}),
    ],
    "a54_dcshadow": [
        ("ldap_add", 1, {"dn": holds("CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration")}),
        ("ldap_modify", 1, {"changes": Any("add:servicePrincipalName"),
                            "attribute_values": Any(begins("add:servicePrincipalName=GC/"))}),
        ("drs_replica_add", 1, {"account": "Administrator", "status": BAD_STUB_DATA}),
    ],
    "a56_dirsync_attack": [("ldap_search", 1, {"controls": Any(DIRSYNC), "account": begins("administrator"),
                                               "entries": at_least(100)})],
    "a57_lockout": [
        ("kerberos_as", 10, {"account": "locktest", "status": PREAUTH_FAILED}),
        ("kerberos_as", 1, {"account": "locktest", "status": REVOKED}),
    ],
    "a58_kerberos_clock_skew": [("kerberos_as", 1, {"account": "user01", "status": SKEW})],
    "a60_portscan": [("port_scan", 1, {"connections_refused": at_least(100)})],
    "a61_ntlm_relay": [("ntlm_authenticate", 1, {"account": "user05", "workstation": "CLIENT",
                                                 "ntlm_variant": "ntlmv2", "status": 0})],
}

# What an attack leaves must not be seen where there was none: kind and fields, and who may do so lawfully.
NEVER_IN_BENIGN = [
    ("drs_replicate", {}, ("n23_dc_replication",)),
    ("drs_replica_add", {}, ("n23_dc_replication", "n22_netlogon_schannel")),
    ("port_scan", {}, ()),
    ("backupkey_retrieve", {}, ()),
    ("coercion", {}, ()),
    ("dns_transfer", {}, ()),
    ("netlogon_authenticate", {"netlogon_credential_zero": True}, ()),
    ("service_control", {"rpc_operation": "RCreateServiceW"}, ()),
    ("ldap_search", {"controls": Any(DIRSYNC)}, ("n21_dirsync_lawful",)),
    ("kerberos_as", {"preauth_etype": RC4}, ()),
]


def read(picket, capture):
    r = subprocess.run([picket, "read", "--json", capture], capture_output=True, text=True, check=True, timeout=120)
    return [json.loads(line) for line in r.stdout.splitlines()]


def fits(activity, kind, fields):
    return activity["kind"] == kind and all(matches(w, activity.get(f)) for f, w in fields.items())


def check_attack(name, label, activities):
    if name not in EXPECTED:
        return ["no row says what this attack must give"]
    wrong = []
    for kind, count, fields in EXPECTED[name]:
        ends = dict(fields, source=label["actor_ip"], destination=label["victim"])
        found = sum(fits(a, kind, ends) for a in activities)
        if found < count:
            shown = {k: v if not callable(v) else "..." for k, v in fields.items()}
            wrong.append("%s %s: %d found, at least %d wanted" % (kind, shown, found, count))
    return wrong


def check_benign(name, activities):
    return ["%s is seen, though there was no attack" % kind for kind, fields, lawful in NEVER_IN_BENIGN
            if name not in lawful and any(fits(a, kind, fields) for a in activities)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picket", required=True)
    p.add_argument("directories", nargs="+")
    a = p.parse_args()
    attacks = benign = failures = 0
    for directory in a.directories:
        table = os.path.join(directory, "labels.tsv")
        if not os.path.exists(table):
            print("skipped: %s is not there" % table)
            continue
        for label in csv.DictReader(open(table), delimiter="\t"):
            name = label["file"]
            activities = read(a.picket, os.path.join(directory, name + ".pcap"))
            attack = label["class"] == "attack"
            attacks += attack
            benign += not attack
            for wrong in check_attack(name, label, activities) if attack else check_benign(name, activities):
                print("%s: %s" % (name, wrong))
                failures += 1
    print("%d attacks, %d benign captures, %d failures" % (attacks, benign, failures))
    if attacks == 0:
        print("SKIP: no labelled capture is there")
        return 77
    return 1 if failures else 0


sys.exit(main())
