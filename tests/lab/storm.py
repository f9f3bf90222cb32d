#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""storm.py - random changes of a directory over LDAP, below one OU of the domain, by Debian's python3-samba.

    storm.py --seed N --changes N [--pause SECONDS] [--unit Storm] CONTROLLER...

Creates, changes, renames, moves, joins and leaves groups (nested, in rings), deletes (whole branches too) and restores what
was deleted. One line of JSON for each change that the directory took; then {"done": N}. A domain controller that does not
answer is waited for, and then the next one is taken; with several, they take turns. The same seed gives the same wishes, but
what comes of them depends on what is there.
"""
import argparse
import json
import random
import sys
import time

import ldb
from samba.credentials import Credentials, DONT_USE_KERBEROS
from samba.param import LoadParm
from samba.samdb import SamDB

BASE = "DC=corp,DC=example"
KINDS = {"user": 8, "group": 4, "computer": 2, "organizationalUnit": 2, "contact": 1}
WEIGHTS = {"create": 22, "change": 24, "rename": 10, "move": 10, "join": 18, "leave": 8, "delete": 12, "restore": 8}
TEXTS = ("plain", "Größe", "комната 7", "a, b; c+d=e", "#1 \"quoted\"", "back\\slash", "山田", "x" * 900, " lead and trail ")
ATTRIBUTES = {"user": ("description", "displayName", "title", "department", "mail", "userPrincipalName", "manager", "flags"),
              "group": ("description", "mail", "managedBy"), "computer": ("description", "operatingSystem", "dNSHostName", "spn"),
              "organizationalUnit": ("description", "managedBy"), "contact": ("description", "mail")}
GIVE_UP = 180
# what a server that goes away, is stopping or just starting says
AWAY = {ldb.ERR_OPERATIONS_ERROR, ldb.ERR_UNAVAILABLE, ldb.ERR_BUSY, ldb.ERR_TIME_LIMIT_EXCEEDED, ldb.ERR_OTHER}
AWAY_TEXTS = ("NT_STATUS_", "Connection", "connection", "disconnect", "LDAP client internal error")


class Away(Exception):
    pass


class Storm:
    def __init__(self, controllers, seed, unit):
        self.controllers, self.random, self.root = controllers, random.Random(seed), "OU=%s,%s" % (unit, BASE)
        self.seed, self.number, self.db, self.at = seed, 0, None, 0
        self.live, self.dead = {}, []         # dn -> kind; (dn, name, parent) of tombstones
        self.lp = LoadParm()
        self.lp.set("log level", "0")
        self.lp.set("realm", "CORP.EXAMPLE")
        self.credentials = Credentials()
        self.credentials.guess(self.lp)
        self.credentials.set_username("Administrator")
        self.credentials.set_domain("CORP")
        self.credentials.set_password("Passw0rd.Lab1")
        self.credentials.set_kerberos_state(DONT_USE_KERBEROS)

    # --- the connection ---
    def connect(self):
        end = time.monotonic() + GIVE_UP
        while True:
            try:
                self.db = SamDB(url="ldap://" + self.controllers[self.at], credentials=self.credentials, lp=self.lp)
                self.read()
                return
            except (ldb.LdbError, Away) as e:
                if time.monotonic() > end:
                    raise SystemExit("storm: no domain controller answers: %s" % e)
                self.at = (self.at + 1) % len(self.controllers)
                time.sleep(0.5)

    def ask(self, call, *words, **more):
        try:
            return call(*words, **more)
        except ldb.LdbError as e:
            if e.args[0] in AWAY and any(t in e.args[1] for t in AWAY_TEXTS) and "00002" not in e.args[1]:
                raise Away(e.args[1])
            raise

    def read(self):
        """What is there now."""
        self.live, self.dead = {}, []
        try:
            for found in self.ask(self.db.search, self.root, ldb.SCOPE_SUBTREE, "(objectClass=*)", ["objectClass"]):
                kinds = [k for k in KINDS if k in [str(c) for c in found["objectClass"]]]
                kind = "computer" if "computer" in kinds else kinds[0]
                self.live[str(found.dn)] = kind
        except ldb.LdbError as e:
            if e.args[0] != ldb.ERR_NO_SUCH_OBJECT:
                raise
            self.ask(self.db.add, {"dn": self.root, "objectClass": "organizationalUnit"})
            self.live[self.root] = "organizationalUnit"
        found = self.ask(self.db.search, "CN=Deleted Objects," + BASE, ldb.SCOPE_SUBTREE, "(&(isDeleted=TRUE)(lastKnownParent=*))",
                         ["lastKnownParent", "msDS-LastKnownRDN", "name"], controls=["show_deleted:1"])
        self.dead = [(str(f.dn), f.dn.get_rdn_name(), str(f["name"]).split("\n")[0], str(f["lastKnownParent"])) for f in found
                     if self.root in str(f["lastKnownParent"])]

    # --- wishes ---
    def pick(self, *kinds, root=False):
        some = [dn for dn, kind in self.live.items() if (not kinds or kind in kinds) and (root or dn != self.root)]
        return self.random.choice(some) if some else None

    def dn(self, parent, kind, name):
        dn = ldb.Dn(self.db, parent)
        rdn = "OU" if kind == "organizationalUnit" else "CN"
        dn.add_child(rdn + "=x")
        dn.set_component(0, rdn, name)
        return dn

    def name(self):
        self.number += 1
        suffix = self.random.choice(("", "", "", ", Jr", " é", "+x", "=y", " <z>"))
        return "s%d-%d%s" % (self.seed, self.number, suffix)

    def create(self):
        kind = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        name, account = self.name(), "s%d-%d" % (self.seed, self.number)
        message = {"objectClass": kind, "description": self.random.choice(TEXTS)}
        if kind == "user":
            message.update(sAMAccountName=account, userAccountControl="544", userPrincipalName=account + "@corp.example")
        elif kind == "computer":
            message.update(sAMAccountName=account + "$", userAccountControl="4128", dNSHostName=account + ".corp.example")
        elif kind == "group":
            message.update(sAMAccountName=account, groupType=self.random.choice(("-2147483646", "-2147483644", "-2147483640", "2")))
        dn = self.dn(self.pick("organizationalUnit", root=True), kind, name)
        self.ask(self.db.add, dict(message, dn=dn))
        self.live[str(dn)] = kind
        return dn

    def set(self, dn, attribute, values, how=ldb.FLAG_MOD_REPLACE, controls=None):
        message = ldb.Message()
        message.dn = dn if isinstance(dn, ldb.Dn) else ldb.Dn(self.db, dn)
        message[attribute] = ldb.MessageElement(values, how, attribute)
        self.ask(self.db.modify, message, controls or [])

    def change(self):
        dn = self.pick()
        attribute = self.random.choice(ATTRIBUTES[self.live[dn]])
        gone = self.random.random() < 0.25
        account = "s%d-%d" % (self.seed, self.random.randrange(1 << 30))
        if attribute == "flags":
            self.set(dn, "userAccountControl", [self.random.choice(("544", "546", "66080", "4194848", "1049120"))])
        elif attribute in ("manager", "managedBy"):
            self.set(dn, attribute, [] if gone else [self.pick("user") or self.root])
        elif attribute == "spn":
            some = ["HTTP/%s-%d.corp.example" % (account, i) for i in range(self.random.randrange(0, 12))]
            self.set(dn, "servicePrincipalName", some)
        elif attribute == "userPrincipalName":
            self.set(dn, attribute, [account + "@corp.example"])
        elif attribute == "dNSHostName":
            self.set(dn, attribute, [] if gone else [account + ".corp.example"])
        else:
            self.set(dn, attribute, [] if gone else [self.random.choice(TEXTS)[:60]])
        return dn

    def moved(self, dn, new):
        """The live ones under their new names, what stands below too."""
        self.ask(self.db.rename, dn, new)
        old, new = str(dn), str(new)
        below = "," + old
        self.live = {new if d == old else d[:-len(old)] + new if d.endswith(below) else d: kind for d, kind in self.live.items()}
        return new

    def rename(self):
        dn = self.pick()
        return self.moved(dn, self.dn(str(ldb.Dn(self.db, dn).parent()), self.live[dn], self.name()))

    def move(self):
        dn, to = self.pick(), self.pick("organizationalUnit", root=True)
        if to == dn or to.endswith("," + dn):
            return None
        return self.moved(dn, self.dn(to, self.live[dn], ldb.Dn(self.db, dn).get_rdn_value()))

    def join(self):
        group = self.pick("group")
        if not group:
            return None
        some = {self.pick("user", "computer", "group", "contact") for _ in range(self.random.choice((1, 1, 2, 7)))} - {None}
        self.set(group, "member", sorted(some), ldb.FLAG_MOD_ADD)
        return group

    def leave(self):
        group = self.pick("group")
        if not group:
            return None
        found = self.ask(self.db.search, group, ldb.SCOPE_BASE, attrs=["member"])
        some = [str(m) for m in found[0].get("member", [])]
        if not some:
            return None
        if self.random.random() < 0.2:
            self.set(group, "member", [])
        else:
            self.set(group, "member", [self.random.choice(some)], ldb.FLAG_MOD_DELETE)
        return group

    def delete(self):
        dn = self.pick()
        below = [d for d in self.live if d.endswith("," + dn)]
        if below and (len(below) > 12 or self.random.random() < 0.5):
            return None
        self.ask(self.db.delete, dn, ["tree_delete:1"] if below else [])
        self.read()
        return dn

    def restore(self):
        if not self.dead:
            return None
        tombstone, rdn, name, parent = self.random.choice(self.dead)
        if "\\0ADEL" in parent or parent not in self.live:
            parent = self.root
        new = ldb.Dn(self.db, parent)
        new.add_child(rdn + "=x")
        new.set_component(0, rdn, name)
        message = ldb.Message()
        message.dn = ldb.Dn(self.db, tombstone)
        message["isDeleted"] = ldb.MessageElement([], ldb.FLAG_MOD_DELETE, "isDeleted")
        message["distinguishedName"] = ldb.MessageElement([str(new)], ldb.FLAG_MOD_REPLACE, "distinguishedName")
        self.ask(self.db.modify, message, ["show_deleted:1"])
        self.read()
        return new

    def play(self, count, pause, say):
        self.connect()
        done, turn = 0, 0
        while done < count:
            wish = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            if len(self.controllers) > 1 and turn == 0:
                self.at = (self.at + 1) % len(self.controllers)
                self.connect()
                turn = self.random.randrange(5, 30)
            try:
                about = getattr(self, wish)() if len(self.live) > 3 or wish == "create" else None
            except Away:
                self.connect()
                continue
            except ldb.LdbError as e:
                say({"refused": wish, "why": e.args[1].split("\n")[0][:160]})
                if e.args[0] in (ldb.ERR_NO_SUCH_OBJECT, ldb.ERR_ENTRY_ALREADY_EXISTS):
                    self.connect()
                continue
            if about is None:
                continue
            done, turn = done + 1, max(turn - 1, 0)
            say({"did": wish, "dn": str(about), "at": self.controllers[self.at]})
            if pause:
                time.sleep(pause)
        say({"done": done})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--changes", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0)
    parser.add_argument("--unit", default="Storm")
    parser.add_argument("controllers", nargs="+")
    options = parser.parse_args()
    storm = Storm(options.controllers, options.seed, options.unit)
    storm.play(options.changes, options.pause, lambda line: print(json.dumps(line), flush=True))


if __name__ == "__main__":
    main()
