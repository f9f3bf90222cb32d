# SPDX-License-Identifier: Apache-2.0
"""compare.py - accounts of one directory, told apart object by object, attribute by attribute, value by value.

    a = compare.of_dump(dc1.dump())             # straight from a domain controller's database, by ldbsearch
    b = compare.of_store(text)                  # a node's own, by picket-store-dump
    for line in compare.differences(a, b): ...

An account is {guid: {"dn": text, field: sorted list of values as text}}, as sync/entity_attributes.def names the fields and
their types; links name their targets' GUIDs. What the values mean is decided here a second time, on purpose.
"""
import datetime
import json
import os
import re
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
DEFINITION = os.path.join(HERE, "..", "..", "sync", "entity_attributes.def")
# Each domain controller counts and stamps these for itself ([MS-ADTS] 3.1.1.1.9): no two have the same. And a parent that was
# known last may be renamed later, which no change of what names it tells.
OWN = {"when_changed", "usn_changed", "last_known_parent"}
GUID = re.compile(r"<GUID=([0-9a-f-]+)>;", re.I)
# what a node keeps of a domain, and of the forest's configuration: docs/entities.md
KEPT = {"user", "group", "contact", "foreignSecurityPrincipal", "organizationalUnit", "container", "builtinDomain", "domainDNS",
        "trustedDomain", "msDS-PasswordSettings", "groupPolicyContainer"}
KEPT_OF_CONFIGURATION = {"site", "subnet", "server", "nTDSDSA", "crossRef"}
EPOCH = datetime.datetime(1970, 1, 1)
FILETIME_OF_1970 = 116444736000000000


def declared():
    """(attributes, links) of sync/entity_attributes.def: {lDAPDisplayName in lower case: (field, type)}, {...: field}."""
    with open(DEFINITION) as f:
        text = f.read()
    attributes = {m[1].lower(): (m[2], m[3]) for m in re.finditer(r'^ATTRIBUTE\(\w+, "([^"]+)", "([^"]+)", (\w+)', text, re.M)}
    links = {m[1].lower(): m[2] for m in re.finditer(r'^LINK\(\w+, "([^"]+)", "([^"]+)"', text, re.M)}
    return attributes, links


# --- a directory's values: as LDAP has them, or as ldbsearch writes them ---
def sid_text(value):
    if value.startswith(b"S-"):
        return value.decode()
    parts = [int.from_bytes(value[8 + 4 * i:12 + 4 * i], "little") for i in range(value[1])]
    return "S-%d-%d%s" % (value[0], int.from_bytes(value[2:8], "big"), "".join("-%d" % p for p in parts))


def uuid_text(value):
    return str(uuid.UUID(bytes_le=value)) if len(value) == 16 else value.decode().lower()


def time_text(value):
    text = value.decode()
    if re.fullmatch(r"-?\d+", text):
        since = (int(text) - FILETIME_OF_1970) * 100 if int(text) > 0 else 0
        ns = since if abs(since) < 1 << 63 else 0
    else:
        when = datetime.datetime.strptime(text[:14], "%Y%m%d%H%M%S")
        ns = int((when - EPOCH).total_seconds()) * 10 ** 9 if 1678 < when.year < 2262 else 0
    return str(ns)


def duration_text(value):
    ns = abs(int(value)) * 100
    return str(ns if ns < 1 << 64 else 0)


FORMS = {"UINT": lambda v: str(int(v) + (1 << 32) if int(v) < 0 else int(v)), "INT": lambda v: str(int(v)),
         "BOOL": lambda v: {"TRUE": "true", "FALSE": "false"}[v.decode()], "STRING": lambda v: v.decode(), "SID": sid_text,
         "UUID": uuid_text, "BYTES": lambda v: v.hex(), "TIME": time_text, "DURATION": duration_text}


def form(type_, value):
    if type_ == "STRING" and value.startswith(b"<GUID="):     # the DN of something that is no link of an entity
        return extended(value.decode())[1]
    return FORMS[type_[:-len("_LIST")] if type_.endswith("_LIST") else type_](value)


def extended(dn):
    """(GUID, plain DN) of <GUID=...>;<SID=...>;DN."""
    found = GUID.match(dn)
    return found[1].lower() if found else None, dn[dn.rindex(">;") + 2:] if ">;" in dn else dn


def of_dump(entries, own=False, kept=None):
    """Of DomainController.dump(): what is declared of every object. `own`: also what is each controller's own. `kept`: only
    objects of these classes, and not the tombstones."""
    attributes, links = declared()
    account = {}
    for dn, found in entries:
        guid, plain = extended(dn)
        if guid is None or kept and (b"TRUE" in found.get("isdeleted", []) or
                                     not kept & {c.decode() for c in found.get("objectclass", [])}):
            continue
        one = account[guid] = {"dn": plain}
        for name, values in found.items():
            if name in links:
                one[links[name]] = sorted(extended(v.decode())[0] or v.decode() for v in values)
            elif name in attributes:
                field, type_ = attributes[name]
                if own or field not in OWN:
                    # a type that is no list takes the first
                    one[field] = sorted(form(type_, v) for v in (values if type_.endswith("_LIST") else values[:1]))
    return account


def tombstones(entries):
    return {extended(dn)[0] for dn, found in entries if b"TRUE" in found.get("isdeleted", [])}


# --- a store's ---
def store_form(type_, value):
    if type_ == "TIME" and value is None:     # never
        return "0"
    if type_ == "TIME":
        when = datetime.datetime.strptime(value[:19], "%Y-%m-%dT%H:%M:%S")
        return str(int((when - EPOCH).total_seconds()) * 10 ** 9 + int(re.search(r"\.(\d+)", value)[1].ljust(9, "0")))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def of_store(text, own=False):
    """Of picket-store-dump: (account of the living, GUIDs of the tombstones)."""
    attributes, _ = declared()
    types = dict(attributes.values())
    account, buried = {}, set()
    for line in text.splitlines():
        both = json.loads(line)
        entity = both["entity"]
        if entity["deleted"]:
            buried.add(entity["guid"])
            continue
        one = account[entity["guid"]] = {"dn": entity["dn"]}
        for field, value in entity.items():
            if field in types and (own or field not in OWN):
                values = value if isinstance(value, list) else [value]
                one[field] = sorted(store_form(types[field], v) for v in values)
        one.update({link: sorted(targets) for link, targets in both["links"].items()})
    return account, buried


def differences(a, b, names=("the first", "the second")):
    """Sentences; none when they are the same."""
    for guid in sorted(a.keys() | b.keys()):
        if guid not in b or guid not in a:
            has, lacks = (names[0], names[1]) if guid in a else (names[1], names[0])
            yield "%s has %s (%s), %s has not" % (has, guid, a.get(guid, b.get(guid))["dn"], lacks)
            continue
        for name in sorted(a[guid].keys() | b[guid].keys()):
            x, y = a[guid].get(name), b[guid].get(name)
            if x == y:
                continue
            if isinstance(x, list) and isinstance(y, list):
                x, y = [v for v in x if v not in y] or x, [v for v in y if v not in x] or y
            yield "%s (%s) %s: %s %s, %s %s" % (guid, a[guid]["dn"], name, names[0], short(x), names[1], short(y))


def short(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


def disputed(a, b):
    """{(GUID, link, target's GUID)} that only one of two domain controllers has. A link goes silently with the object that it
    names, so whoever is told of an object only after it was deleted and undeleted again keeps it, for good: no replication
    mends that."""
    _, links = declared()
    found = set()
    for guid in a.keys() & b.keys():
        for link in links.values():
            found |= {(guid, link, target) for target in set(a[guid].get(link, ())) ^ set(b[guid].get(link, ()))}
    return found


def without(account, some):
    """The account without these links."""
    for guid, link, target in some:
        left = [t for t in account.get(guid, {}).get(link, ()) if t != target]
        if left:
            account[guid][link] = left
        elif guid in account:
            account[guid].pop(link, None)
    return account
