/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the table of protocols; each is defined beside its dissector.
 */
#pragma once

#include "capture/dissect.h"

extern const struct protocol protocol_kerberos;
extern const struct protocol protocol_kpasswd;
extern const struct protocol protocol_ldap;
extern const struct protocol protocol_cldap;
extern const struct protocol protocol_smb;
extern const struct protocol protocol_dcerpc;
extern const struct protocol protocol_dns;
extern const struct protocol protocol_mdns;
extern const struct protocol protocol_llmnr;
extern const struct protocol protocol_nbns;
extern const struct protocol protocol_dhcp;
extern const struct protocol protocol_radius;
extern const struct protocol protocol_syslog;
extern const struct protocol protocol_http;
extern const struct protocol protocol_tls;
extern const struct protocol protocol_rdp;
extern const struct protocol protocol_tds;
