/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/value.h"

/* The least valuable first: bulk that is not understood or gives one name per connection; then what finds
 * names; then what moves files; last what tells who somebody is, and what takes a directory over. */
static const uint8_t by_value[VALUE_MAX + 1] = {
    PROTOCOL_NONE,   PROTOCOL_TLS,   PROTOCOL_HTTP,    PROTOCOL_TDS,      PROTOCOL_MDNS,
    PROTOCOL_SYSLOG, PROTOCOL_CLDAP, PROTOCOL_RDP,     PROTOCOL_LLMNR,    PROTOCOL_NBNS,
    PROTOCOL_DNS,    PROTOCOL_SMB,   PROTOCOL_LDAP,    PROTOCOL_DHCP,     PROTOCOL_RADIUS,
    PROTOCOL_DCERPC, PROTOCOL_NTLM,  PROTOCOL_KPASSWD, PROTOCOL_KERBEROS,
};
_Static_assert(PROTOCOLS == VALUE_MAX + 1, "each protocol has a value");
_Static_assert(CAPTURE_RANK_MAX < UINT8_MAX, "a rank is a byte, and there is a level above all");

unsigned protocol_value(enum protocol_id id)
{
    unsigned value = VALUE_MAX;
    while (value > 0 && by_value[value] != (uint8_t)id)
        value--;
    return value;
}

enum protocol_id protocol_of_value(unsigned value)
{
    return value <= VALUE_MAX ? (enum protocol_id)by_value[value] : PROTOCOL_NONE;
}

uint8_t flow_rank(enum protocol_id id, uint32_t hash)
{
    /* The low bits of the hash choose the slot: the draw is of others. */
    uint32_t draw = (hash >> 24) * RANK_FINE >> 8;
    return (uint8_t)(protocol_value(id) * RANK_FINE + draw + 1);
}

unsigned rank_value(uint8_t rank)
{
    return (rank - 1u) / RANK_FINE;
}

uint8_t rank_with_logon(uint8_t rank, uint32_t hash)
{
    if (rank == RANK_SHED || rank_value(rank) >= protocol_value(PROTOCOL_SMB))
        return rank;
    return flow_rank(PROTOCOL_NTLM, hash);
}
