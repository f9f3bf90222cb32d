/* SPDX-License-Identifier: Apache-2.0
 *
 * An ICMP error quotes the datagram that caused it. The message in it is counted, as the oracle does, and
 * gives no activity: it was sent once.
 */
#include "capture/engine_internal.h"

/* RFC 792: 3 destination unreachable, 4 source quench, 5 redirect, 11 time exceeded, 12 parameter problem.
 * RFC 4443 3: 1 destination unreachable, 2 packet too big, 3 time exceeded, 4 parameter problem. */
static bool is_error(const struct ip_datagram *icmp)
{
    uint8_t type = icmp->payload[0];
    if (icmp->protocol == IP_PROTOCOL_ICMPV6)
        return type >= 1 && type <= 4;
    return (type >= 3 && type <= 5) || type == 11 || type == 12;
}

static void flow_set(struct flow *flow, const struct flow_key *key, bool reversed)
{
    memset(flow, 0, sizeof *flow);
    struct endpoint *source = reversed ? &flow->info.server : &flow->info.client;
    struct endpoint *destination = reversed ? &flow->info.client : &flow->info.server;
    size_t size = key->family == 4 ? 4 : 16;
    source->address.family = destination->address.family = key->family;
    memcpy(source->address.bytes, key->source, size);
    memcpy(destination->address.bytes, key->destination, size);
    source->port = key->source_port;
    destination->port = key->destination_port;
    flow->info.transport = TRANSPORT_UDP;
}

static void read_message(struct engine *engine, const struct flow_key *key, int64_t time,
                         struct bytes message, bool truncated)
{
    struct flow *flow = &engine->quoted;
    bool sure, more = false;
    bool reversed = engine_reversed(engine, key, &sure);
    enum direction direction = reversed ? TO_CLIENT : TO_SERVER;
    flow_set(flow, key, reversed);
    const struct protocol *protocol = recognise(engine, flow, direction, message, &more);
    if (!protocol)
        return;
    flow->protocol = protocol;
    flow->state = protocol->state_size ? flow_memory(engine, flow, protocol->state_size) : NULL;
    if (flow->state || !protocol->state_size) {
        engine->quoting = true;
        engine_context(engine, flow, direction, time);
        engine_message(engine, message.data, (uint32_t)message.size, truncated);
        engine->quoting = false;
    }
    flow_memory_release(engine, flow);
}

/* Type (1), code (1), checksum (2), of the error (4), then the datagram's beginning: its IP header and at
 * least 8 bytes (RFC 792), or as much as fits (RFC 1812 4.3.2.3, RFC 4443 3.1). */
void quoted_datagram(struct engine *engine, const struct ip_datagram *icmp, int64_t time)
{
    if (icmp->captured < 8 + 20 + 8 || !is_error(icmp))
        return;
    struct layer layer = {
        .data = icmp->payload + 8,
        .captured = icmp->captured - 8,
        .length = icmp->length - 8,
        .ethertype = icmp->protocol == IP_PROTOCOL_ICMP ? ETHERTYPE_IPV4_NUMBER : ETHERTYPE_IPV6_NUMBER,
    };
    struct ip_datagram ip;
    if (decapsulate_ip(&layer, &ip) != DECAPSULATED || ip.fragment || ip.protocol != IP_PROTOCOL_UDP ||
        ip.captured <= 8)
        return;
    const uint8_t *at = ip.payload;
    struct flow_key key = {
        .source = ip.source,
        .destination = ip.destination,
        .source_port = (uint16_t)(at[0] << 8 | at[1]),
        .destination_port = (uint16_t)(at[2] << 8 | at[3]),
        .family = ip.version,
        .transport = TRANSPORT_UDP,
    };
    uint32_t length = (uint32_t)at[4] << 8 | at[5];
    if (length <= 8 || length > ip.length)
        return;
    uint32_t captured = ip.captured < length ? ip.captured : length;
    read_message(engine, &key, time, (struct bytes){.data = at + 8, .size = captured - 8}, captured < length);
}
