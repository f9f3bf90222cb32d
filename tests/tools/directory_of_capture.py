#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""directory_of_capture.py - the directory as the LDAP answers in a capture tell it, for `picket-center replay --entities`.

directory_of_capture.py DOMAIN FLAT-NAME CAPTURE [ACCOUNT:FIELD=NUMBER | ACCOUNT:FACT ...] > directory.ndjson

Needs tshark. What searches did not ask for is not in it, but what is added by hand: an attribute, or a mark (honeytoken,
synchronizer, sensitive, dns-server). objectGUIDs are made of the names, so that they stay the same.
"""
import datetime
import json
import subprocess
import sys
import uuid
import xml.etree.ElementTree as xml

TEXTS = {"sAMAccountName": "account", "userPrincipalName": "user_principal_name", "dNSHostName": "dns_host_name",
         "operatingSystem": "operating_system", "objectSid": "sid"}
NUMBERS = {"userAccountControl": "user_account_control", "primaryGroupID": "primary_group_id", "adminCount": "admin_count",
           "sAMAccountType": "account_type", "msDS-SupportedEncryptionTypes": "encryption_types"}
TIMES = {"pwdLastSet": "password_last_set", "lastLogonTimestamp": "last_logon"}
LISTS = {"servicePrincipalName": "service_principal_names", "msDS-AllowedToDelegateTo": "allowed_to_delegate_to"}


def guid(dn):
    return str(uuid.uuid5(uuid.NAMESPACE_X500, dn.lower()))


def sid(raw):
    count = raw[1]
    rids = [int.from_bytes(raw[8 + 4 * i:12 + 4 * i], "little") for i in range(count)]
    return "S-%d-%d-%s" % (raw[0], int.from_bytes(raw[2:8], "big"), "-".join(map(str, rids)))


def time(filetime):
    if filetime in (0, 0x7fffffffffffffff):
        return None
    seconds, rest = divmod(filetime - 116444736000000000, 10000000)
    stamp = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S") + ".%07d00Z" % rest


def entries(capture):
    """(DN, {attribute: [bytes]}) of each entry of an answer."""
    run = subprocess.Popen(["tshark", "-r", capture, "-Y", "ldap.searchResEntry_element", "-T", "pdml"],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for _, packet in xml.iterparse(run.stdout):
        if packet.tag != "packet":
            continue
        for entry in packet.iter("field"):
            if entry.get("name") != "ldap.searchResEntry_element":
                continue
            dn, attributes = None, {}
            for field in entry.iter("field"):
                if field.get("name") == "ldap.objectName":
                    dn = field.get("show")
                if field.get("name") == "ldap.PartialAttributeList_item_element":
                    name, values = None, []
                    for part in field.iter("field"):
                        if part.get("name") == "ldap.type":
                            name = part.get("show")
                        if part.get("name") in ("ldap.AttributeValue", "ldap.sid"):
                            values.append(bytes.fromhex(part.get("value")))
                    attributes[name] = values
            yield dn, attributes
        packet.clear()


def kind(dn, attributes):
    account_type = int(attributes.get("sAMAccountType", [b"0"])[0])
    if account_type in (0x10000000, 0x10000001, 0x20000000, 0x20000001):
        return "group"
    if account_type == 0x30000001:
        return "computer"
    if account_type:
        return "user"
    if dn.upper().startswith("OU="):
        return "organizational_unit"
    if dn.upper().startswith("DC="):
        return "domain"
    return "group_policy" if "CN=Policies," in dn else "foreign_principal" if "ForeignSecurityPrincipals" in dn else "container"


def entity(domain, dn, attributes):
    out = {"v": 1, "kind": kind(dn, attributes), "guid": guid(dn), "dn": dn, "domain": domain}
    for name, field in TEXTS.items():
        if name in attributes:
            raw = attributes[name][0]
            out[field] = sid(raw) if name == "objectSid" else raw.decode()
    for name, field in NUMBERS.items():
        if name in attributes:
            out[field] = int(attributes[name][0])
    for name, field in TIMES.items():
        if name in attributes and time(int(attributes[name][0])):
            out[field] = time(int(attributes[name][0]))
    for name, field in LISTS.items():
        if name in attributes:
            out[field] = [value.decode() for value in attributes[name]]
    return out


def main():
    domain, flat, capture = sys.argv[1:4]
    members, added, marks = [], {}, []
    for argument in sys.argv[4:]:
        account, what = argument.split(":", 1)
        if "=" in what:
            field, number = what.split("=")
            added.setdefault(account.lower(), {})[field] = int(number)
        else:
            marks.append((account, what))
    print(json.dumps({"entity": {"v": 1, "kind": "partition", "guid": guid("CN=%s,CN=Partitions" % flat),
                                 "dn": "CN=%s,CN=Partitions,CN=Configuration,DC=%s" % (flat, domain.replace(".", ",DC=")),
                                 "domain": domain, "dns_root": domain, "netbios_name": flat}}))
    for dn, attributes in sorted(entries(capture)):
        told = entity(domain, dn, attributes)
        told.update(added.get(told.get("account", dn).lower(), {}))
        print(json.dumps({"entity": told}))
        if "member" in attributes:
            members.append((dn, [value.decode() for value in attributes["member"]]))
    for group, names in members:
        print(json.dumps({"links": {"source": guid(group), "link": "member", "all": [guid(name) for name in names]}}))
    for account, mark in marks:
        print(json.dumps({"tag": {"name": account, "domain": domain, "facts": [mark]}}))
    print(json.dumps({"whole": domain}))


main()
