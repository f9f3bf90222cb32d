/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/rpc_interfaces.h"

#include <stdio.h>
#include <string.h>

#define BYTE(value, n) (uint8_t)((uint64_t)(value) >> (8 * (n)) & 0xff)

/* The little-endian form of the wire ([MS-DTYP] 2.3.4.2): three integers, then eight bytes as they are. */
#define UUID(low, mid, high, sequence, node)                                                                 \
    {                                                                                                        \
        BYTE(low, 0), BYTE(low, 1), BYTE(low, 2), BYTE(low, 3), BYTE(mid, 0), BYTE(mid, 1), BYTE(high, 0),   \
            BYTE(high, 1), BYTE(sequence, 1), BYTE(sequence, 0), BYTE(node, 5), BYTE(node, 4),               \
            BYTE(node, 3), BYTE(node, 2), BYTE(node, 1), BYTE(node, 0)                                       \
    }

static const struct {
    uint8_t uuid[16];
    const char *name;
} interfaces[RPC_INTERFACE_COUNT] = {
#define X(id, name, low, mid, high, sequence, node) [RPC_##id] = {UUID(low, mid, high, sequence, node), name},
    RPC_INTERFACES(X)
#undef X
};

enum rpc_interface rpc_interface_by_uuid(const uint8_t uuid[16])
{
    for (int i = RPC_UNKNOWN + 1; i < RPC_INTERFACE_COUNT; i++)
        if (memcmp(interfaces[i].uuid, uuid, 16) == 0)
            return (enum rpc_interface)i;
    return RPC_UNKNOWN;
}

const uint8_t *rpc_interface_uuid(enum rpc_interface interface)
{
    return interfaces[interface].uuid;
}

const char *rpc_interface_name(const uint8_t uuid[16])
{
    return interfaces[rpc_interface_by_uuid(uuid)].name;
}

const char *rpc_uuid_text(const uint8_t uuid[16], char to[RPC_UUID_TEXT_MAX])
{
    const uint8_t *u = uuid;
    snprintf(to, RPC_UUID_TEXT_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[3], u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
             u[15]);
    return to;
}
