/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose bytes: a --decode rule first, then an announced endpoint, then the port, then every signature.
 */
#include "capture/engine_internal.h"
#include "capture/value.h"

static const struct protocol *by_port(const struct engine *engine, const struct flow *flow)
{
    const uint8_t *table = engine->by_port[flow->info.transport];
    const struct protocol *protocol = protocol_get(table[flow->info.server.port]);
    return protocol ? protocol : protocol_get(table[flow->info.client.port]);
}

static uint32_t expected_slot(const struct endpoint *server)
{
    uint64_t high, low;
    memcpy(&high, server->address.bytes, 8);
    memcpy(&low, server->address.bytes + 8, 8);
    uint64_t h = (high ^ server->port) * UINT64_C(0x9e3779b97f4a7c15) ^ low * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h ^ h >> 31) & (EXPECTED_MAX - 1);
}

#define EXPECTED_PROBES 8

/* A set-associative table: an announcement has one of eight places; when all are taken the oldest goes. */
void recognise_expect(struct engine *engine, const struct endpoint *server, enum protocol_id protocol)
{
    if (!engine->expected) {
        engine->expected = slab_zalloc(engine->slab, EXPECTED_MAX * sizeof *engine->expected);
        if (!engine->expected)
            return;
    }
    uint32_t slot = expected_slot(server);
    struct expected *oldest = NULL;
    for (uint32_t i = 0; i < EXPECTED_PROBES; i++) {
        struct expected *expected = &engine->expected[(slot + i) & (EXPECTED_MAX - 1)];
        bool same = expected->server.port == server->port &&
                    ip_address_equal(&expected->server.address, &server->address);
        if (same || expected->protocol == PROTOCOL_NONE) {
            oldest = expected;
            break;
        }
        if (!oldest || expected->since < oldest->since)
            oldest = expected;
    }
    *oldest = (struct expected){.server = *server, .protocol = (uint8_t)protocol, .since = engine->now};
}

static const struct protocol *by_announcement(const struct engine *engine, const struct endpoint *server)
{
    if (!engine->expected)
        return NULL;
    uint32_t slot = expected_slot(server);
    for (uint32_t i = 0; i < EXPECTED_PROBES; i++) {
        const struct expected *expected = &engine->expected[(slot + i) & (EXPECTED_MAX - 1)];
        if (expected->protocol != PROTOCOL_NONE && expected->server.port == server->port &&
            engine->now - expected->since < EXPECTED_AGE &&
            ip_address_equal(&expected->server.address, &server->address))
            return protocol_get(expected->protocol);
    }
    return NULL;
}

static bool usable(const struct protocol *protocol, enum transport transport)
{
    return protocol->message && (transport == TRANSPORT_UDP || protocol->frame);
}

static enum detection ask(const struct protocol *protocol, enum transport transport, struct bytes start,
                          enum direction direction, bool on_port)
{
    if (!usable(protocol, transport))
        return DETECT_NO;
    if (!protocol->detect)
        return on_port ? DETECT_YES : DETECT_NO;
    return protocol->detect(start, transport, direction, on_port);
}

static const struct protocol *by_signature(const struct engine *engine, enum transport transport,
                                           struct bytes start, enum direction direction, bool *more)
{
    for (const struct protocol *const *at = engine->signatures[transport]; *at; at++) {
        enum detection detection = ask(*at, transport, start, direction, false);
        if (detection == DETECT_YES)
            return *at;
        if (detection == DETECT_MORE)
            *more = true;
    }
    return NULL;
}

const struct protocol *recognise(struct engine *engine, struct flow *flow, enum direction direction,
                                 struct bytes start, bool *more)
{
    enum transport transport = flow->info.transport;
    const uint8_t *rules = engine->rule[transport];
    const struct protocol *protocol = protocol_get(rules[flow->info.server.port]);
    if (!protocol)
        protocol = protocol_get(rules[flow->info.client.port]);
    if (protocol && usable(protocol, transport)) {
        flow->flags |= FLOW_ON_PORT;
        return protocol;
    }
    protocol = by_announcement(engine, &flow->info.server);
    if (protocol && ask(protocol, transport, start, direction, true) != DETECT_NO)
        return protocol;
    protocol = by_port(engine, flow);
    if (protocol) {
        flow->flags |= FLOW_ON_PORT;
        enum detection detection = ask(protocol, transport, start, direction, true);
        if (detection == DETECT_YES)
            return protocol;
        if (detection == DETECT_MORE) {
            *more = true;
            return NULL;
        }
    }
    return by_signature(engine, transport, start, direction, more);
}

/* Mid-stream, on a protocol's port, a message may begin within the bytes. */
const struct protocol *recognise_inside(const struct engine *engine, const struct flow *flow,
                                        enum direction direction, struct bytes data)
{
    const struct protocol *protocol = by_port(engine, flow);
    if (!protocol || !protocol->find || protocol->find(data, direction) == data.size)
        return NULL;
    return protocol;
}

/* Mid-stream, where the ports do not say who the server is, the bytes may. */
bool recognise_turned(struct engine *engine, struct flow *flow, enum direction direction, struct bytes start)
{
    bool more = false;
    if (by_port(engine, flow) || by_announcement(engine, &flow->info.server))
        return false;
    if (by_signature(engine, flow->info.transport, start, direction, &more) || more)
        return false;
    enum direction other = direction == TO_SERVER ? TO_CLIENT : TO_SERVER;
    if (!by_signature(engine, flow->info.transport, start, other, &more))
        return false;
    struct endpoint client = flow->info.client;
    flow->info.client = flow->info.server;
    flow->info.server = client;
    struct tcp_side side = flow->side[TO_SERVER];
    flow->side[TO_SERVER] = flow->side[TO_CLIENT];
    flow->side[TO_CLIENT] = side;
    flow->flags |= FLOW_ROLES_SURE;
    return true;
}

void recognise_init(struct engine *engine)
{
    size_t signatures[2] = {0, 0};
    for (unsigned id = 1; id < PROTOCOLS; id++) {
        const struct protocol *protocol = protocol_get((enum protocol_id)id);
        if (!protocol)
            continue;
        const uint16_t *ports[2] = {protocol->udp_ports, protocol->tcp_ports};
        for (int transport = 0; transport < 2; transport++) {
            if (!usable(protocol, (enum transport)transport))
                continue;
            for (size_t i = 0; i < PROTOCOL_PORTS_MAX && ports[transport][i]; i++)
                engine->by_port[transport][ports[transport][i]] = (uint8_t)id;
            if (protocol->detect)
                engine->signatures[transport][signatures[transport]++] = protocol;
        }
    }
}

enum protocol_id recognise_guess(const struct engine *engine, const struct flow *flow)
{
    const uint8_t *rules = engine->rule[flow->info.transport];
    const struct protocol *protocol = protocol_get(rules[flow->info.server.port]);
    if (!protocol)
        protocol = protocol_get(rules[flow->info.client.port]);
    if (!protocol)
        protocol = by_announcement(engine, &flow->info.server);
    if (!protocol)
        protocol = by_port(engine, flow);
    return protocol ? protocol->id : PROTOCOL_NONE;
}

bool flow_adopt(struct engine *engine, struct flow *flow, const struct protocol *protocol)
{
    void *state = NULL;
    if (protocol->state_size) {
        state = flow_memory(engine, flow, protocol->state_size);
        if (!state)
            return false;
    }
    flow->protocol = protocol;
    flow->state = state;
    flow->rank = flow_rank(protocol->id, flow->hash);
    flow->flags |= FLOW_RECOGNISED;
    engine->stats.protocol[protocol->id].flows++;
    return true;
}
