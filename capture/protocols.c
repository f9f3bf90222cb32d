/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/protocols.h"

static const struct protocol *const protocols[PROTOCOLS] = {
    [PROTOCOL_KERBEROS] = &protocol_kerberos, [PROTOCOL_KPASSWD] = &protocol_kpasswd,
    [PROTOCOL_LDAP] = &protocol_ldap,         [PROTOCOL_CLDAP] = &protocol_cldap,
    [PROTOCOL_SMB] = &protocol_smb,           [PROTOCOL_DCERPC] = &protocol_dcerpc,
    [PROTOCOL_DNS] = &protocol_dns,           [PROTOCOL_MDNS] = &protocol_mdns,
    [PROTOCOL_LLMNR] = &protocol_llmnr,       [PROTOCOL_NBNS] = &protocol_nbns,
    [PROTOCOL_DHCP] = &protocol_dhcp,         [PROTOCOL_RADIUS] = &protocol_radius,
    [PROTOCOL_SYSLOG] = &protocol_syslog,     [PROTOCOL_HTTP] = &protocol_http,
    [PROTOCOL_TLS] = &protocol_tls,           [PROTOCOL_RDP] = &protocol_rdp,
    [PROTOCOL_TDS] = &protocol_tds,
};

const struct protocol *protocol_get(enum protocol_id id)
{
    return id < PROTOCOLS ? protocols[id] : NULL;
}

const struct protocol *protocol_by_name(const char *name)
{
    for (int i = 0; i < PROTOCOLS; i++)
        if (protocols[i] && strcmp(protocols[i]->name, name) == 0)
            return protocols[i];
    return NULL;
}

const char *protocol_name(enum protocol_id id)
{
    if (id == PROTOCOL_NTLM)
        return "ntlm";
    const struct protocol *protocol = protocol_get(id);
    return protocol ? protocol->name : "unknown";
}
