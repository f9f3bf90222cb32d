#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bulk.py - very many users in a stopped domain controller's database in little time: bulk.py USERS.

Samba itself makes one user and one group in it; their clones are written below all of Samba's modules into the file of the
domain's naming context, each with a GUID, a SID, a USN, replication metadata and links of its own (2,000 users a second
instead of one). Of every 500 users 100 are members of a group. Written for an LMDB or TDB back end of Samba 4.17.
"""
import os
import re
import struct
import sys
import time
import uuid

import ldb
import tdb
from samba import Ldb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack
from samba.param import LoadParm
from samba.samdb import SamDB

PER_UNIT, PER_GROUP, MEMBERS = 1000, 500, 100
GIVEN = ("Anna", "Boris", "Clara", "David", "Elena", "Franz", "Greta", "Hugo", "Irina", "Jakob", "Klara", "Leon", "Maria")
FAMILY = ("Abel", "Braun", "Cohen", "Dahl", "Egger", "Fuchs", "Graf", "Huber", "Ilg", "Jung", "Kraus")
TITLES = ("Clerk", "Manager", "Engineer", "Nurse", "Driver")
# each clone has its own of these; a link's other end is written where the link is
OWN = {"dn", "distinguishedName", "memberOf", "member"}


def account(i):
    return "bulk%07d" % i


class Loader:
    def __init__(self, count):
        self.count, self.groups = count, count // PER_GROUP
        self.lp = LoadParm()
        self.lp.load_default()
        self.lp.set("log level", "0")
        db = SamDB(url=self.lp.private_path("sam.ldb"), session_info=system_session(), lp=self.lp, flags=ldb.FLG_NOSYNC)
        self.base, self.domain_sid = str(db.domain_dn()), str(db.get_domain_sid())
        self.first_rid = self.reserve(db)
        self.templates(db)
        self.usn = int(str(db.search("", ldb.SCOPE_BASE, attrs=["highestCommittedUSN"])[0]["highestCommittedUSN"]))
        # ascending in the order in which the index keeps them: each new one is appended, not inserted
        self.guid_head, self.guid_tail = int(time.time()), os.urandom(6)

    def unit(self, i):
        return "OU=B%04d,OU=Bulk,%s" % (i // PER_UNIT, self.base)

    def reserve(self, db):
        """The RIDs leave the domain's pool, as if this domain controller had been given them ([MS-ADTS] 3.1.1.1.11)."""
        manager = db.search("CN=RID Manager$,CN=System," + self.base, ldb.SCOPE_BASE, attrs=["rIDAvailablePool"])[0]
        pool = int(str(manager["rIDAvailablePool"]))
        first, last = pool & 0xffffffff, pool >> 32
        message = ldb.Message(manager.dn)
        message["rIDAvailablePool"] = ldb.MessageElement(str(last << 32 | (first + self.count + self.groups + 1)),
                                                         ldb.FLAG_MOD_REPLACE, "rIDAvailablePool")
        db.modify(message)
        return first

    def templates(self, db):
        db.add({"dn": "OU=Bulk," + self.base, "objectClass": "organizationalUnit"})
        for i in range(0, self.count, PER_UNIT):
            db.add({"dn": self.unit(i), "objectClass": "organizationalUnit"})
        user = "CN=bulk-user," + self.unit(0)
        db.add(dict({a: "x" for a in ("givenName", "sn", "displayName", "mail", "department", "title", "telephoneNumber",
                                      "description")}, dn=user, objectClass="user", sAMAccountName="bulk-user",
                    userPrincipalName="bulk-user@corp.example", userAccountControl="544"))
        db.add({"dn": "CN=bulk-group," + self.unit(0), "objectClass": "group", "sAMAccountName": "bulk-group", "member": user})

    # --- identities ---
    def guid(self, number, kind):
        return struct.pack(">II", self.guid_head + kind, number) + b"\x40\x00" + self.guid_tail

    def sid(self, rid):
        return ndr_pack(security.dom_sid("%s-%d" % (self.domain_sid, rid)))

    @staticmethod
    def metadata(template, usn):
        """replPropertyMetaDataBlob, version 1: a head of 16 bytes, then of each attribute id, version, time, originator,
        originating USN, local USN ([MS-DRSR] 5.161)."""
        blob = bytearray(template)
        for i in range(struct.unpack_from("<I", blob, 8)[0]):
            struct.pack_into("<QQ", blob, 16 + 48 * i + 32, usn, usn)
        return bytes(blob)

    def link(self, template, guid, rid, usn, dn):
        text = str(template)
        for name, value in (("GUID", uuid.UUID(bytes_le=guid)), ("SID", "%s-%d" % (self.domain_sid, rid)),
                            ("RMD_LOCAL_USN", usn), ("RMD_ORIGINATING_USN", usn)):
            text = re.sub("<%s=[^>]*>" % name, "<%s=%s>" % (name, value), text)
        return text[:text.rindex(";") + 1] + dn

    # --- the clones ---
    def clone(self, raw, template, dn, guid, rid, usn, values):
        message = ldb.Message(ldb.Dn(raw, dn))
        whole = {a: list(template[a]) for a in template.keys() if a not in OWN}
        whole.update(values, objectGUID=[guid], objectSid=[self.sid(rid)], uSNCreated=[str(usn)], uSNChanged=[str(usn)],
                     replPropertyMetaData=[self.metadata(template["replPropertyMetaData"][0], usn)])
        for name, value in whole.items():
            message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_ADD, name)
        raw.add(message)

    def user(self, raw, template, i, usn, group):
        name, full = account(i), "%s %s" % (GIVEN[i % len(GIVEN)], FAMILY[i // 13 % len(FAMILY)])
        values = {a: [name] for a in ("cn", "name", "sAMAccountName")}
        values.update(userPrincipalName=[name + "@corp.example"], mail=[name + "@corp.example"], displayName=[full],
                      givenName=[full.split()[0]], sn=[full.split()[1]], department=["Department %d" % (i % 40)],
                      title=[TITLES[i % len(TITLES)]], telephoneNumber=["+49 555 %07d" % i], description=["User %d of many" % i])
        if group:
            values["memberOf"] = [group]
        self.clone(raw, template, "CN=%s,%s" % (name, self.unit(i)), self.guid(i, 0), self.first_rid + i, usn, values)

    def load(self):
        path = self.lp.private_path("sam.ldb.d/%s.ldb" % self.base.upper())
        scheme = "mdb" if open(path, "rb").read(20)[16:20] == b"\xde\xc0\xef\xbe" else "tdb"
        # without batch_mode each record would be a transaction of its own in the index: thirty times as long
        raw = Ldb("%s://%s" % (scheme, path), options=["modules:", "batch_mode:1", "transaction_index_cache_size:2000003"],
                  flags=ldb.FLG_NOSYNC)
        find = "(sAMAccountName=bulk-%s)"
        user = raw.search(self.base, ldb.SCOPE_SUBTREE, find % "user")[0]
        group = raw.search(self.base, ldb.SCOPE_SUBTREE, find % "group")[0]
        raw.transaction_start()
        for first in range(0, self.count, PER_GROUP):
            some = range(first, min(first + PER_GROUP, self.count))
            number = first // PER_GROUP
            grouped = len(some) == PER_GROUP
            group_dn = "CN=bulk-group%05d,%s" % (number, self.unit(first))
            group_guid, group_rid = self.guid(number, 1), self.first_rid + self.count + number
            group_usn = self.usn + len(some) + 1
            members = []
            for i in some:
                self.usn += 1
                back = None
                if grouped and i - first < MEMBERS:
                    back = self.link(user["memberOf"][0], group_guid, group_rid, group_usn, group_dn)
                    members.append(self.link(group["member"][0], self.guid(i, 0), self.first_rid + i, group_usn,
                                             "CN=%s,%s" % (account(i), self.unit(i))))
                self.user(raw, user, i, self.usn, back)
            if grouped:
                self.usn += 1
                name = "bulk-group%05d" % number
                values = {a: [name] for a in ("cn", "name", "sAMAccountName")}
                self.clone(raw, group, group_dn, group_guid, group_rid, group_usn, dict(values, member=sorted(members)))
        highest = ldb.Message(ldb.Dn(raw, "@REPLCHANGED"))
        highest["uSNHighest"] = ldb.MessageElement(str(self.usn), ldb.FLAG_MOD_REPLACE, "uSNHighest")
        raw.modify(highest)
        raw.transaction_commit()
        self.advance()

    def advance(self):
        """The domain controller's own counter: else its next changes would bear USNs below the clones'."""
        counters = tdb.open(self.lp.private_path("sam.ldb.d/metadata.tdb"), flags=os.O_RDWR)
        for key in list(counters):
            if key.startswith(b"SEQ_NUM"):
                end = b"\0" if counters.get(key).endswith(b"\0") else b""
                counters.store(key, str(self.usn).encode() + end)
        counters.close()


if __name__ == "__main__":
    Loader(int(sys.argv[1])).load()
