/* SPDX-License-Identifier: Apache-2.0 */
#include "node/record_value.h"

enum record_value record_value_of(enum activity_kind kind)
{
    switch (kind) {
    case ACTIVITY_DNS_QUERY:
    case ACTIVITY_LLMNR_QUERY:
    case ACTIVITY_LLMNR_ANSWER:
    case ACTIVITY_MDNS_QUERY:
    case ACTIVITY_MDNS_ANNOUNCEMENT:
    case ACTIVITY_NBNS_QUERY:
    case ACTIVITY_NBNS_ANSWER:
    case ACTIVITY_NBNS_REGISTRATION:
    case ACTIVITY_BROWSER_FRAME:
    case ACTIVITY_NETBIOS_SESSION:
    case ACTIVITY_CLDAP_PING:
    case ACTIVITY_EPM_MAP:
    case ACTIVITY_RPC_BIND:
    case ACTIVITY_SMB_NEGOTIATE:
    case ACTIVITY_SMB_ENCRYPTED:
    case ACTIVITY_SMB_COMPRESSED:
    case ACTIVITY_SMB1_PATH:
    case ACTIVITY_TLS_SESSION:
        return VALUE_LOW;
    case ACTIVITY_LDAP_SEARCH:
    case ACTIVITY_LDAP_COMPARE:
    case ACTIVITY_LDAP_EXTENDED:
    case ACTIVITY_LDAP_NOTIFICATION:
    case ACTIVITY_DHCP_LEASE:
    case ACTIVITY_HTTP_REQUEST:
    case ACTIVITY_RDP_CONNECT:
    case ACTIVITY_RPC_CALL:
    case ACTIVITY_SERVER_INFORMATION:
    case ACTIVITY_SHARE_ENUMERATE:
    case ACTIVITY_SMB_TREE_CONNECT:
    case ACTIVITY_SMB_OPEN:
    case ACTIVITY_SMB_IOCTL:
    case ACTIVITY_SMB1_TRANSACTION:
    case ACTIVITY_NETLOGON_QUERY:
    case ACTIVITY_NETLOGON_CHALLENGE:
        return VALUE_NORMAL;
    default: /* kinds that come later, too: who adds one need not think of this table at once */
        return VALUE_HIGH;
    }
}
