# SPDX-License-Identifier: Apache-2.0
"""compare.py - two accounts of one directory, told apart object by object, attribute by attribute, value by value.

    a, b = compare.of_dump(dc1.dump()), compare.of_dump(dc2.dump())
    for line in compare.differences(a, b): ...

An account is {guid: {"dn": text, attribute in lower case: sorted list of values as text}}; links name their targets' GUIDs.
"""
import os
import re
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
DEFINITION = os.path.join(HERE, "..", "..", "sync", "entity_attributes.def")
# each domain controller counts and stamps these for itself ([MS-ADTS] 3.1.1.1.9): no two have the same
OWN = {"usnchanged", "whenchanged"}
GUID = re.compile(r"<GUID=([0-9a-f-]+)>;", re.I)


def declared():
    """(attributes, links) of sync/entity_attributes.def: {lDAPDisplayName in lower case: (field, type)}, {...: field}."""
    with open(DEFINITION) as f:
        text = f.read()
    attributes = {m[1].lower(): (m[2], m[3]) for m in re.finditer(r'^ATTRIBUTE\(\w+, "([^"]+)", "([^"]+)", (\w+)', text, re.M)}
    links = {m[1].lower(): m[2] for m in re.finditer(r'^LINK\(\w+, "([^"]+)", "([^"]+)"', text, re.M)}
    return attributes, links


def extended(dn):
    """(GUID, plain DN) of <GUID=...>;<SID=...>;DN."""
    found = GUID.match(dn)
    return found[1].lower() if found else None, dn[dn.rindex(">;") + 2:] if ">;" in dn else dn


def of_dump(entries, own=False):
    """Of DomainController.dump(): what is declared of every object; `own`: also what is each controller's own."""
    attributes, links = declared()
    account = {}
    for dn, found in entries:
        guid, plain = extended(dn)
        if guid is None:
            continue
        one = {"dn": plain}
        for name, values in found.items():
            if name in links:
                one[name] = sorted(extended(v.decode())[0] or v.decode() for v in values)
            elif name in attributes and (own or name not in OWN):
                one[name] = sorted(v.decode() if printable(v) else v.hex() for v in values)
        account[guid] = one
    return account


def printable(value):
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False


def differences(a, b, names=("the first", "the second")):
    """Sentences; none when they are the same."""
    for guid in sorted(a.keys() | b.keys()):
        if guid not in b or guid not in a:
            has, lacks = (names[0], names[1]) if guid in a else (names[1], names[0])
            yield "%s has %s (%s), %s has not" % (has, guid, a.get(guid, b.get(guid))["dn"], lacks)
            continue
        for name in sorted(a[guid].keys() | b[guid].keys()):
            x, y = a[guid].get(name), b[guid].get(name)
            if x != y:
                yield "%s (%s) %s: %s %s, %s %s" % (guid, a[guid]["dn"], name, names[0], short(x), names[1], short(y))


def short(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


def guid_text(value):
    return str(uuid.UUID(bytes_le=value))
