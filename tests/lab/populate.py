#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""populate.py - fills a domain controller's own database, stopped or not: populate.py USERS. Debian's python3-samba only.

Users user01 ... with passwords User.Pass01! ... (the first 50), computers ws01$ ..., nested groups, accounts of services,
names that are hard to write down, policies, and the account of the synchronizer, `picket`, with the rights it needs.
"""
import sys

import ldb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

SYNCHRONIZER, SYNCHRONIZER_PASSWORD = "picket", "Syncro.Pass1!"
WITH_PASSWORD = 50
DEPARTMENTS = ("Sales", "Finance", "IT", "HR", "Legal")
REPLICATING_DIRECTORY_CHANGES = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"
DONT_REQUIRE_PREAUTH, TRUSTED_FOR_DELEGATION, TRUSTED_TO_AUTHENTICATE, DISABLED = 0x400000, 0x80000, 0x1000000, 0x2
RC4_ONLY, AES_AND_RC4 = "4", "28"

# account, password, SPN, encryption types
SERVICES = (("svc_sql", "Summer2024!", "MSSQLSvc/sql01.corp.example:1433", RC4_ONLY),
            ("svc_web", "Iis.Service9!", "HTTP/web01.corp.example", AES_AND_RC4),
            ("svc_backup", "Backup.Me77!", "backup/bk01.corp.example", AES_AND_RC4))

# what LDAP, LDIF and distinguished names have to escape, and what is not ASCII
HARD_NAMES = ("Doe, Jane", 'The "Quoted" One', "plus+equals=semi;", "# hash first", "Großmann Jürgen", "Ивáн Петров", "山田 太郎",
              "back\\slash", "<angle>", "Ægir Ø")


class Domain:
    def __init__(self):
        lp = LoadParm()
        lp.load_default()
        lp.set("log level", "0")  # else each audit line goes to standard error
        self.db = SamDB(url=lp.private_path("sam.ldb"), session_info=system_session(), lp=lp)
        self.base = str(self.db.domain_dn())

    def dn(self, account):
        found = self.db.search(self.base, ldb.SCOPE_SUBTREE, "(sAMAccountName=%s)" % ldb.binary_encode(account), attrs=["dn"])
        return found[0].dn

    def add(self, dn, **attributes):
        self.db.add(dict(attributes, dn=dn if isinstance(dn, ldb.Dn) else "%s,%s" % (dn, self.base)))

    def set(self, account, attribute, values):
        message = ldb.Message()
        message.dn = self.dn(account) if isinstance(account, str) else account
        message[attribute] = ldb.MessageElement(values, ldb.FLAG_MOD_REPLACE, attribute)
        self.db.modify(message)

    def flag(self, account, bits):
        now = self.db.search(self.dn(account), ldb.SCOPE_BASE, attrs=["userAccountControl"])[0]
        self.set(account, "userAccountControl", str(int(str(now["userAccountControl"])) | bits))

    def members(self, group, accounts):
        message = ldb.Message()
        message.dn = self.dn(group)
        message["member"] = ldb.MessageElement([str(self.dn(a)) for a in accounts], ldb.FLAG_MOD_ADD, "member")
        self.db.modify(message)

    def grant(self, dn, entry, controls=None):
        rights = SDUtils(self.db)
        sddl = rights.read_sd_on_dn(dn, controls).as_sddl(security.dom_sid(str(self.db.get_domain_sid())))
        at = sddl.index("(", sddl.index("D:"))
        rights.modify_sd_on_dn(dn, sddl[:at] + entry + sddl[at:], controls)


def units(d):
    for unit in ("Staff", "Machines", "Services"):
        d.add("OU=" + unit, objectClass="organizationalUnit")
    d.add("OU=Sales,OU=Staff", objectClass="organizationalUnit", description="An OU within an OU")
    d.add("OU=R\\,D \\+ #1,OU=Staff", objectClass="organizationalUnit")


def people(d, count):
    for i in range(1, count + 1):
        name = "user%02d" % i
        attributes = dict(objectClass="user", sAMAccountName=name, userPrincipalName=name + "@corp.example", givenName="User",
                          sn="%02d" % i, displayName="User %02d" % i, mail=name + "@corp.example",
                          department=DEPARTMENTS[i % len(DEPARTMENTS)], title="Clerk", userAccountControl="544")
        if i > 1:
            attributes["manager"] = "CN=user01,OU=Staff," + d.base
        d.add("CN=%s,OU=Staff" % name, **attributes)
        if i <= WITH_PASSWORD:
            d.db.setpassword("(sAMAccountName=%s)" % name, "User.Pass%02d!" % i, False)
            d.set(name, "userAccountControl", "512")
    for i, name in enumerate(HARD_NAMES):
        dn = ldb.Dn(d.db, "OU=Staff," + d.base)
        dn.add_child("CN=x")
        dn.set_component(0, "CN", name)
        d.add(dn, objectClass="user", sAMAccountName="hard%02d" % i, displayName=name, description="A name that is hard to write: " + name,
              userAccountControl="544")
    d.add("CN=Outside Partner,OU=Staff", objectClass="contact", mail="partner@elsewhere.example")
    d.flag("user30", DISABLED)
    d.set("user29", "accountExpires", "133000000000000000")


def machines(d):
    for i in range(1, 11):
        name, host = "WS%02d" % i, "ws%02d.corp.example" % i
        d.add("CN=%s,OU=Machines" % name, objectClass="computer", sAMAccountName=name + "$", dNSHostName=host,
              operatingSystem="Windows 11 Enterprise", operatingSystemVersion="10.0 (22631)",
              servicePrincipalName=["HOST/" + name, "HOST/" + host], userAccountControl="4096")
        d.db.setpassword("(sAMAccountName=%s$)" % name, "Computer.Pass%02d!" % i, False)
    d.flag("WS10$", TRUSTED_FOR_DELEGATION)
    d.set("WS09$", "msDS-AllowedToDelegateTo", ["cifs/dc1.corp.example"])
    d.flag("WS09$", TRUSTED_TO_AUTHENTICATE)


def services(d):
    for name, password, spn, types in SERVICES:
        d.db.newuser(name, password, userou="OU=Services")
        d.set(name, "servicePrincipalName", [spn])
        d.set(name, "msDS-SupportedEncryptionTypes", types)
    d.db.newuser("asrep1", "Roast.Me123", userou="OU=Staff")
    d.flag("asrep1", DONT_REQUIRE_PREAUTH)
    # Samba's KDC asks even such an account to authenticate itself first as long as krbtgt has not this flag too
    d.flag("krbtgt", DONT_REQUIRE_PREAUTH)
    d.db.newuser("dadmin", "Dadmin.Pass1!", userou="OU=Staff")
    d.members("Domain Admins", ["dadmin"])
    d.db.newuser("honey", "Honey.Never.Used1", userou="OU=Staff")
    d.set("honey", "servicePrincipalName", ["HTTP/honey.corp.example"])


def groups(d):
    for name in ("Sales", "Finance", "IT-Admins", "HelpDesk", "VPN-Users", "Ring-A", "Ring-B"):
        d.db.newgroup(name, groupou="OU=Staff")
    d.members("Sales", ["user%02d" % i for i in range(1, 11)])
    d.members("Finance", ["user%02d" % i for i in range(11, 21)])
    d.members("IT-Admins", ["user21", "user22", "dadmin"])
    d.members("HelpDesk", ["user23", "user24", "IT-Admins"])
    d.members("VPN-Users", ["user%02d" % i for i in range(1, 31)] + ["HelpDesk"])
    d.members("Ring-A", ["Ring-B"])
    d.members("Ring-B", ["Ring-A", "user25"])
    d.members("Account Operators", ["HelpDesk"])


def policies(d):
    d.add("CN=Strict,CN=Password Settings Container,CN=System", objectClass="msDS-PasswordSettings",
          **{"msDS-PasswordSettingsPrecedence": "10", "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
             "msDS-PasswordHistoryLength": "24", "msDS-PasswordComplexityEnabled": "TRUE", "msDS-MinimumPasswordLength": "14",
             "msDS-MinimumPasswordAge": "-864000000000", "msDS-MaximumPasswordAge": "-36288000000000",
             "msDS-LockoutThreshold": "5", "msDS-LockoutObservationWindow": "-18000000000",
             "msDS-LockoutDuration": "-18000000000", "msDS-PSOAppliesTo": str(d.dn("IT-Admins"))})
    head = ldb.Dn(d.db, d.base)
    for attribute, value in (("lockoutThreshold", "0"), ("minPwdAge", "0"), ("pwdHistoryLength", "0"), ("maxPwdAge", "0")):
        d.set(head, attribute, value)


def sites(d):
    container = "CN=Sites," + str(d.db.get_config_basedn())
    default = "CN=Default-First-Site-Name," + container
    branch = "CN=Branch," + container
    d.db.add({"dn": branch, "objectClass": "site"})
    d.db.add({"dn": "CN=Servers," + branch, "objectClass": "serversContainer"})
    d.db.add({"dn": "CN=NTDS Site Settings," + branch, "objectClass": "nTDSSiteSettings"})
    link = ldb.Dn(d.db, "CN=DEFAULTIPSITELINK,CN=IP,CN=Inter-Site Transports," + container)
    d.set(link, "siteList", [default, branch])
    for subnet, site in (("10.1.0.0/16", default), ("10.2.0.0/16", branch)):
        d.db.add({"dn": "CN=%s,CN=Subnets,%s" % (subnet, container), "objectClass": "subnet", "siteObject": site})


def synchronizer(d):
    """"Replicating Directory Changes" on the head of each naming context that is read, and the right to see what was deleted.
    Windows asks for no more; Samba's DirSync leaves out what the account may not read besides (foreign principals, password
    policies), so it may read everything."""
    d.db.newuser(SYNCHRONIZER, SYNCHRONIZER_PASSWORD, userou="OU=Services")
    sid = d.db.search(d.dn(SYNCHRONIZER), ldb.SCOPE_BASE, attrs=["objectSid"])[0]["objectSid"][0]
    sid = ndr_unpack(security.dom_sid, sid)
    for head in (d.base, str(d.db.get_config_basedn())):
        d.grant(head, "(OA;;CR;%s;;%s)" % (REPLICATING_DIRECTORY_CHANGES, sid))
        d.grant(head, "(A;CI;RPLCLORC;;;%s)" % sid)
        d.grant("CN=Deleted Objects," + head, "(A;CI;RPLCLORC;;;%s)" % sid, ["show_deleted:1"])


def main():
    d = Domain()
    d.db.transaction_start()
    try:
        units(d)
        people(d, int(sys.argv[1]))
        machines(d)
        services(d)
        groups(d)
        policies(d)
        sites(d)
        synchronizer(d)
    except BaseException:
        d.db.transaction_cancel()
        raise
    d.db.transaction_commit()


if __name__ == "__main__":
    main()
