/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/engine_internal.h"
#include "capture/value.h"

#include <pcap/dlt.h>
#include <stdlib.h>
#include <sys/random.h>

#define SECOND     INT64_C(1000000000)
#define TICK_SHIFT 30 /* a tick is 2^30 ns, about a second */

#define CLOSED_IDLE  (10 * SECOND) /* flows that ended are kept for what comes late */
#define OPENING_IDLE (60 * SECOND)
#define LEAP         (60 * SECOND) /* a packet further ahead needs another to confirm it */
#define EXPIRE_MAX   4096          /* flows at one time; the rest at the next tick */

static const struct engine_options defaults = {
    .memory_limit = (size_t)192 * 1024 * 1024,
    .flows_max = 300000,
    .flow_buffer_max = 1024 * 1024,
    .tcp_idle = 3600 * SECOND,
    .udp_idle = 60 * SECOND,
    .reply_timeout = 60 * SECOND,
};

static void options_set(struct engine_options *to, const struct engine_options *from)
{
    *to = from ? *from : defaults;
    to->memory_limit = to->memory_limit ? to->memory_limit : defaults.memory_limit;
    to->flows_max = to->flows_max ? to->flows_max : defaults.flows_max;
    to->flow_buffer_max = to->flow_buffer_max ? to->flow_buffer_max : defaults.flow_buffer_max;
    to->tcp_idle = to->tcp_idle ? to->tcp_idle : defaults.tcp_idle;
    to->udp_idle = to->udp_idle ? to->udp_idle : defaults.udp_idle;
    to->reply_timeout = to->reply_timeout ? to->reply_timeout : defaults.reply_timeout;
}

/* The seed keeps others from choosing addresses that collide; it never shows in what the engine gives. */
static void seed_make(const struct engine *engine, uint64_t seed[4])
{
    if (getrandom(seed, 4 * sizeof *seed, GRND_NONBLOCK) != (ssize_t)(4 * sizeof *seed))
        for (int i = 0; i < 4; i++)
            seed[i] = engine->sip_key[i & 1] ^ (uint64_t)(uintptr_t)engine;
    for (int i = 0; i < 4; i++)
        seed[i] |= 1;
}

static void sink_data(void *context, const uint8_t *data, uint32_t size, bool start)
{
    stream_glue_data(context, data, size, start);
}

static void sink_hole(void *context, uint32_t size, bool cut)
{
    stream_glue_hole(context, size, cut);
}

struct engine *engine_new(const struct engine_options *options, engine_emit emit, void *context)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return NULL;
    options_set(&engine->options, options);
    memcpy(engine->sip_key, engine->options.fingerprint_key, sizeof engine->sip_key);
    engine->emit = emit;
    engine->emit_context = context;
    uint64_t seed[4];
    seed_make(engine, seed);
    engine->slab = slab_new(engine->options.memory_limit);
    if (engine->slab) {
        engine->flows = flow_table_new(engine->slab, engine->options.flows_max, seed);
        engine->fragments = ip_fragments_new(engine->slab, seed[0]);
        engine->pendings = pendings_new(engine->slab, seed[1]);
    }
    engine->scratch =
        arena_new(ENGINE_SCRATCH_SIZE + (engine->options.unsealer ? ENGINE_SCRATCH_UNSEALED : 0));
    if (engine->options.unsealer)
        engine->posted = posted_new();
    bool posted = engine->posted || !engine->options.unsealer;
    if (!engine->flows || !engine->fragments || !engine->pendings || !engine->scratch || !posted) {
        engine_destroy(&engine);
        return NULL;
    }
    engine->stream = (struct tcp_stream){
        .slab = engine->slab,
        .stats = &engine->tcp_stats,
        .held_max = engine->options.flow_buffer_max,
    };
    engine->sink = (struct tcp_sink){.data = sink_data, .hole = sink_hole, .context = engine};
    engine->shed_below = RANK_SHED + 1;
    engine->memory_limit = engine->options.memory_limit;
    recognise_init(engine);
    return engine;
}

struct dissect *engine_context(struct engine *engine, struct flow *flow, enum direction direction,
                               int64_t time)
{
    engine->dissect = (struct dissect){
        .engine = engine,
        .flow = flow,
        .info = &flow->info,
        .protocol = flow->protocol,
        .state = flow->state,
        .direction = direction,
        .time = time,
        .scratch = engine->scratch,
        .counts = &engine->counts,
        .activity = &engine->writer,
        .gss_known = &flow->gss_known,
    };
    return &engine->dissect;
}

/* -- the life of flows -------------------------------------------------------------------------------- */

static bool flow_ended(const struct flow *flow)
{
    return flow->flags & FLOW_ENDED;
}

/* A connection of which the server's side never opened. */
static bool came_to_nothing(const struct flow *flow)
{
    return flow->info.transport == TRANSPORT_TCP && !flow->info.midstream &&
           !(flow->side[TO_CLIENT].flags & TCP_SIDE_SYNCED);
}

static void attempt_failed(struct engine *engine, const struct flow *flow, bool refused, int64_t time)
{
    if (!engine->attempts) {
        engine->attempts = slab_zalloc(engine->slab, sizeof *engine->attempts);
        if (!engine->attempts)
            return;
        attempts_init(engine->attempts, engine->sip_key[0]);
    }
    const struct flow_info *info = &flow->info;
    attempts_add(engine->attempts, &info->client.address, &info->server.address, info->server.port, refused,
                 time, engine_emit_scan, engine);
}

/* True: what it waited for is there, and that was all. */
static bool wait_ended(struct engine *engine, const struct flow *flow)
{
    if (flow->flags & FLOW_POSTED)
        posted_collect(engine);
    return flow_ended(flow);
}

/* What is held is read, what waits is told, all memory is given back. */
void flow_end(struct engine *engine, struct flow *flow, int64_t time)
{
    if (flow_ended(flow) || wait_ended(engine, flow))
        return;
    if (came_to_nothing(flow) && !(flow->flags & FLOW_RESET))
        attempt_failed(engine, flow, false, (int64_t)flow->tick << TICK_SHIFT);
    for (int direction = 0; direction < 2; direction++) {
        struct tcp_side *side = &flow->side[direction];
        if (!side->holding)
            continue;
        engine_context(engine, flow, (enum direction)direction, time);
        tcp_stream_flush(&engine->stream, side, &engine->sink);
    }
    if (wait_ended(engine, flow))
        return;
    struct dissect *d = engine_context(engine, flow, TO_SERVER, time);
    if (flow->protocol && flow->protocol->close) {
        size_t used = arena_used(engine->scratch);
        engine->building = false;
        flow->protocol->close(d);
        arena_return(engine->scratch, used);
    }
    while (flow->pending) {
        struct pending *pending = flow->pending;
        pendings_take(engine->pendings, pending);
        engine_emit_unanswered(engine, pending);
    }
    stream_glue_release(engine, &flow->side[TO_SERVER]);
    stream_glue_release(engine, &flow->side[TO_CLIENT]);
    flow_memory_release(engine, flow);
    if (!(flow->flags & FLOW_RECOGNISED) && flow->rank != RANK_SHED)
        engine->stats.flows_unknown++;
    flow->protocol = NULL;
    flow->state = NULL;
    flow->flags |= FLOW_ENDED | FLOW_OPAQUE;
}

static void flow_drop(struct engine *engine, struct flow *flow)
{
    flow_end(engine, flow, engine->seen);
    flow_table_remove(engine->flows, flow);
}

static int64_t idle_of(const struct engine *engine, enum flow_class class)
{
    switch (class) {
    case FLOW_CLOSED:
        return CLOSED_IDLE;
    case FLOW_OPENING:
        return OPENING_IDLE < engine->options.tcp_idle ? OPENING_IDLE : engine->options.tcp_idle;
    case FLOW_UDP:
        return engine->options.udp_idle;
    case FLOW_TCP:
    case FLOW_CLASSES:
        break;
    }
    return engine->options.tcp_idle;
}

/* True when more could be expired. */
static bool expire_class(struct engine *engine, enum flow_class class)
{
    uint32_t idle = (uint32_t)((idle_of(engine, class) >> TICK_SHIFT) + 1);
    for (int count = 0; count < EXPIRE_MAX; count++) {
        struct flow *flow = flow_table_oldest(engine->flows, class);
        if (!flow || engine->tick - flow->tick <= idle)
            return false;
        flow_drop(engine, flow);
    }
    return true;
}

static void expire_pending(struct engine *engine)
{
    struct pending *pending;
    while ((pending = pendings_oldest(engine->pendings)) &&
           engine->now - pending->since > engine->options.reply_timeout) {
        pendings_take(engine->pendings, pending);
        engine_emit_unanswered(engine, pending);
    }
}

static void expire(struct engine *engine)
{
    expire_pending(engine);
    if (engine->attempts)
        attempts_expire(engine->attempts, engine->now - ATTEMPTS_WINDOW, engine_emit_scan, engine);
    ip_fragments_expire(engine->fragments, engine->now, &engine->stats.fragments_dropped);
    for (int i = 0; i < FLOW_CLASSES; i++)
        expire_class(engine, (enum flow_class)i);
}

/* The engine's clock follows the packets'. Damaged captures have times that run back (then it waits) and
 * single packets from a far future (then it waits for a second one). */
static void clock_follow(struct engine *engine, int64_t time)
{
    int64_t ahead;
    if (__builtin_sub_overflow(time, engine->seen, &ahead))
        ahead = 0;
    int64_t before = engine->seen;
    if (before == 0) {
        engine->now = time > 0 ? time : 0;
    } else if (ahead > LEAP) {
        int64_t apart = 0;
        bool agrees = engine->leap && !__builtin_sub_overflow(time, engine->leap, &apart) && apart < LEAP &&
                      apart > -LEAP;
        if (!agrees) {
            engine->leap = time;
            return;
        }
        if (__builtin_add_overflow(engine->now, ahead, &engine->now))
            engine->now = INT64_MAX / 2;
    } else if (ahead > 0) {
        if (__builtin_add_overflow(engine->now, ahead, &engine->now))
            engine->now = INT64_MAX / 2;
    }
    engine->leap = 0;
    engine->seen = time;
    uint32_t tick = (uint32_t)(engine->now >> TICK_SHIFT);
    if (tick != engine->tick) {
        engine->tick = tick;
        /* After a leap the packet that announced it may belong to the same exchange as this one: its flow is
         * not old, it only was seen by the clock of before. */
        if (ahead <= LEAP)
            expire(engine);
    }
}

/* The flow that is given up for want of room: a closed one; or of a flood of SYNs, which must not push out
 * connections; else the one idle for longest. */
static struct flow *eviction_victim(struct engine *engine)
{
    struct flow_table *flows = engine->flows;
    struct flow *victim = flow_table_oldest(flows, FLOW_CLOSED);
    if (victim)
        return victim;
    if (flow_table_class_count(flows, FLOW_OPENING) > flow_table_count(flows) / 4)
        return flow_table_oldest(flows, FLOW_OPENING);
    for (int i = FLOW_OPENING; i < FLOW_CLASSES; i++) {
        struct flow *flow = flow_table_oldest(flows, (enum flow_class)i);
        if (flow && (!victim || engine->tick - flow->tick > engine->tick - victim->tick))
            victim = flow;
    }
    return victim;
}

static bool evict(struct engine *engine)
{
    struct flow *victim = eviction_victim(engine);
    if (!victim)
        return false;
    flow_drop(engine, victim);
    engine->stats.flows_evicted++;
    return true;
}

/* When memory was refused, old flows go, a few for each new one. */
static void make_room(struct engine *engine)
{
    uint64_t refused = slab_stats(engine->slab)->refused;
    if (refused == engine->refused)
        return;
    engine->refused = refused;
    for (int i = 0; i < 4; i++)
        evict(engine);
}

static struct flow *flow_open(struct engine *engine, const struct flow_key *key, uint32_t hash, bool reversed,
                              enum flow_class class)
{
    make_room(engine);
    struct flow *flow = flow_table_add(engine->flows, key, hash, reversed, class, engine->tick);
    if (!flow && evict(engine))
        flow = flow_table_add(engine->flows, key, hash, reversed, class, engine->tick);
    if (!flow)
        return NULL;
    flow->info.number = ++engine->flow_number;
    flow->rank = flow_rank(recognise_guess(engine, flow), hash);
    engine->stats.flows++;
    return flow;
}

/* Whether a port is one that servers listen on: a protocol's, or a rule's. */
static bool server_port(const struct engine *engine, enum transport transport, uint16_t port)
{
    return engine->by_port[transport][port] || engine->rule[transport][port];
}

/* Mid-stream: the server is the side on a known port, else the one on the lower. */
bool engine_reversed(const struct engine *engine, const struct flow_key *key, bool *sure)
{
    bool source = server_port(engine, key->transport, key->source_port);
    bool destination = server_port(engine, key->transport, key->destination_port);
    *sure = source != destination;
    if (*sure)
        return source;
    /* DHCP servers answer from 67 to 68; and a resolver's own port may be anybody's. */
    return (key->transport == TRANSPORT_TCP || source) && key->source_port < key->destination_port;
}

/* -- a host in need ------------------------------------------------------------------------------------- */

#define LOOKED_AT 2 /* segments or datagrams of a flow on a port that says nothing: it may speak anything */

static struct protocol_stats *shed_counter(struct engine *engine, const struct flow *flow)
{
    return &engine->stats.protocol[flow->shed_as];
}

/* Whether a verdict on the flow can be given. Its opening is always seen, so that scans are; then what is on
 * no known port gets a chance to be recognised, unless there is no time even for that. */
static bool judgeable(const struct engine *engine, const struct flow *flow)
{
    if (flow->class == FLOW_OPENING)
        return false;
    return flow->protocol || rank_value(flow->rank) > 0 || flow->tries >= LOOKED_AT ||
           engine->shed_below > CAPTURE_RANK_MAX;
}

static void flow_shed(struct engine *engine, struct flow *flow)
{
    flow->shed_as = (uint16_t)protocol_of_value(rank_value(flow->rank));
    flow->rank = RANK_SHED;
    flow_end(engine, flow, engine->seen);
    shed_counter(engine, flow)->shed_flows++;
}

/* A packet of a flow below the level. */
static void below_level(struct engine *engine, struct flow *flow, uint32_t bytes)
{
    if (flow->rank != RANK_SHED) {
        if (!judgeable(engine, flow))
            return;
        flow_shed(engine, flow);
    }
    struct protocol_stats *counter = shed_counter(engine, flow);
    counter->shed_packets++;
    counter->shed_bytes += bytes;
}

/* -- UDP ------------------------------------------------------------------------------------------------ */

static void datagram(struct engine *engine, struct flow *flow, enum direction direction, int64_t time,
                     const uint8_t *data, uint32_t captured, uint32_t length)
{
    engine_context(engine, flow, direction, time);
    if (!flow->protocol) {
        bool more = false;
        const struct protocol *protocol =
            recognise(engine, flow, direction, (struct bytes){.data = data, .size = captured}, &more);
        if (!protocol || !flow_adopt(engine, flow, protocol)) {
            uint32_t most = flow->flags & FLOW_ON_PORT ? RECOGNISE_TRIES_ON_PORT : RECOGNISE_TRIES;
            if (++flow->tries >= most)
                flow->flags |= FLOW_OPAQUE;
            return;
        }
        engine_context(engine, flow, direction, time);
    }
    engine_message(engine, data, captured, captured < length);
}

/* RFC 768: source port (2), destination port (2), length (2), checksum (2). */
static void udp(struct engine *engine, const struct ip_datagram *ip, struct flow_key *key, int64_t time)
{
    if (ip->captured < 8) {
        engine->stats.malformed += ip->length < 8;
        return;
    }
    const uint8_t *at = ip->payload;
    key->source_port = (uint16_t)(at[0] << 8 | at[1]);
    key->destination_port = (uint16_t)(at[2] << 8 | at[3]);
    key->transport = TRANSPORT_UDP;
    uint32_t length = (uint32_t)at[4] << 8 | at[5];
    /* Zero: a jumbogram (RFC 2675 4), or a host's offload. */
    if (length == 0 || length > ip->length)
        length = ip->length;
    if (length < 8) {
        engine->stats.malformed++;
        return;
    }
    uint32_t captured = ip->captured < length ? ip->captured : length;
    uint32_t hash = flow_table_hash(engine->flows, key);
    enum direction direction = TO_SERVER;
    struct flow *flow = flow_table_find(engine->flows, key, hash, &direction);
    if (!flow) {
        bool sure;
        bool reversed = engine_reversed(engine, key, &sure);
        flow = flow_open(engine, key, hash, reversed, FLOW_UDP);
        if (!flow)
            return;
        direction = reversed ? TO_CLIENT : TO_SERVER;
    } else {
        flow_table_touch(engine->flows, flow, engine->tick);
    }
    if (flow->rank < engine->shed_below)
        below_level(engine, flow, ip->length);
    if (!(flow->flags & FLOW_OPAQUE) && captured > 8)
        datagram(engine, flow, direction, time, at + 8, captured - 8, length - 8);
}

/* -- TCP ------------------------------------------------------------------------------------------------ */

/* RFC 9293 3.1 */
enum tcp_flags {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_ACK = 0x10,
};

struct tcp_header {
    uint32_t sequence;
    uint32_t acknowledgment;
    uint8_t flags;
};

static struct flow *tcp_open(struct engine *engine, const struct flow_key *key, uint32_t hash,
                             const struct tcp_header *header, enum direction *direction)
{
    bool syn = header->flags & TCP_SYN;
    bool sure = true;
    bool reversed = syn ? (header->flags & TCP_ACK) != 0 : engine_reversed(engine, key, &sure);
    bool opening = syn && !(header->flags & TCP_ACK);
    struct flow *flow = flow_open(engine, key, hash, reversed, opening ? FLOW_OPENING : FLOW_TCP);
    if (!flow)
        return NULL;
    *direction = reversed ? TO_CLIENT : TO_SERVER;
    flow->info.midstream = !opening;
    if (sure)
        flow->flags |= FLOW_ROLES_SURE;
    if (opening) {
        flow->flags |= FLOW_ISN;
        flow->isn = header->sequence;
    }
    return flow;
}

/* A SYN on a known flow opens a new one, unless it is the first one's retransmission. */
static bool reopens(const struct flow *flow, const struct tcp_header *header)
{
    return (header->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
           !(flow->flags & FLOW_ISN && flow->isn == header->sequence);
}

/* The flow ends when both sides sent all, or soon after a reset. */
static void tcp_close(struct engine *engine, struct flow *flow, const struct tcp_header *header)
{
    if (header->flags & TCP_RST && !(flow->flags & FLOW_RESET)) {
        flow->flags |= FLOW_RESET;
        flow_table_classify(engine->flows, flow, FLOW_CLOSED, engine->tick);
    }
    uint8_t both = flow->side[0].flags & flow->side[1].flags;
    if (!(both & TCP_SIDE_FIN))
        return;
    if (both & TCP_SIDE_DONE && !posted_end(engine, flow))
        flow_end(engine, flow, engine->seen);
    if (flow->class != FLOW_CLOSED)
        flow_table_classify(engine->flows, flow, FLOW_CLOSED, engine->tick);
}

static void tcp_segment(struct engine *engine, struct flow *flow, enum direction direction, int64_t time,
                        const struct tcp_header *header, struct tcp_segment *segment)
{
    if (!flow->protocol && segment->captured && !(flow->flags & FLOW_ROLES_SURE) &&
        recognise_turned(engine, flow, direction,
                         (struct bytes){.data = segment->data, .size = segment->captured}))
        direction = direction == TO_SERVER ? TO_CLIENT : TO_SERVER;
    struct tcp_side *side = &flow->side[direction];
    struct tcp_side *other = &flow->side[!direction];
    engine->stream.now = engine->now;
    if (header->flags & TCP_ACK) {
        if (other->holding)
            engine_context(engine, flow, direction == TO_SERVER ? TO_CLIENT : TO_SERVER, time);
        tcp_stream_acked(&engine->stream, other, header->acknowledgment, segment->length > 0, &engine->sink);
    }
    if (!segment->length && !segment->syn && !segment->fin && !side->holding)
        return;
    engine_context(engine, flow, direction, time);
    tcp_stream_segment(&engine->stream, side, segment, &engine->sink);
    if (!(flow->flags & FLOW_OPAQUE))
        return;
    /* It became opaque: nothing of it is to be kept. */
    tcp_stream_release(&engine->stream, side);
    tcp_stream_release(&engine->stream, other);
    stream_glue_release(engine, side);
    stream_glue_release(engine, other);
}

/* RFC 9293 3.1: ports (2, 2), sequence (4), acknowledgment (4), data offset in words (4 bits), flags (12
 * bits), window (2), checksum (2), urgent pointer (2), options. */
static void tcp(struct engine *engine, const struct ip_datagram *ip, struct flow_key *key, int64_t time)
{
    if (ip->captured < 20) {
        engine->stats.malformed += ip->length < 20;
        return;
    }
    const uint8_t *at = ip->payload;
    uint32_t offset = (at[12] >> 4) * 4u;
    if (offset < 20 || offset > ip->length) {
        engine->stats.malformed++;
        return;
    }
    key->source_port = (uint16_t)(at[0] << 8 | at[1]);
    key->destination_port = (uint16_t)(at[2] << 8 | at[3]);
    key->transport = TRANSPORT_TCP;
    struct tcp_header header = {
        .sequence = (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7],
        .acknowledgment = (uint32_t)at[8] << 24 | (uint32_t)at[9] << 16 | (uint32_t)at[10] << 8 | at[11],
        .flags = at[13],
    };
    struct tcp_segment segment = {
        .sequence = header.sequence,
        .length = ip->length - offset,
        .captured = ip->captured > offset ? ip->captured - offset : 0,
        .syn = header.flags & TCP_SYN,
        .fin = header.flags & TCP_FIN,
    };
    segment.data = segment.captured ? at + offset : at;
    engine->stats.tcp_segments++;
    uint32_t hash = flow_table_hash(engine->flows, key);
    enum direction direction = TO_SERVER;
    struct flow *flow = flow_table_find(engine->flows, key, hash, &direction);
    if (flow && reopens(flow, &header)) {
        flow_drop(engine, flow);
        flow = NULL;
    }
    if (!flow) {
        /* A reset for nothing, or the last acknowledgement of what we never saw: no flow of its own. */
        if (header.flags & TCP_RST)
            return;
        flow = tcp_open(engine, key, hash, &header, &direction);
        if (!flow)
            return;
    } else if (flow->class == FLOW_OPENING && !(header.flags & (TCP_RST | TCP_SYN))) {
        flow_table_classify(engine->flows, flow, FLOW_TCP, engine->tick);
    } else {
        flow_table_touch(engine->flows, flow, engine->tick);
    }
    if (flow->rank < engine->shed_below)
        below_level(engine, flow, ip->length);
    /* RFC 9293 3.5.2: a reset's payload is a text for people. */
    if (!(header.flags & TCP_RST) && !(flow->flags & FLOW_OPAQUE))
        tcp_segment(engine, flow, direction, time, &header, &segment);
    else if (header.flags & TCP_FIN)
        flow->side[direction].flags |= TCP_SIDE_FIN | TCP_SIDE_DONE;
    if (header.flags & TCP_RST && direction == TO_CLIENT && came_to_nothing(flow) &&
        !(flow->flags & FLOW_RESET))
        attempt_failed(engine, flow, true, time);
    if (header.flags & (TCP_FIN | TCP_RST) || flow->side[!direction].flags & TCP_SIDE_FIN)
        tcp_close(engine, flow, &header);
}

/* -- packets -------------------------------------------------------------------------------------------- */

static void ip_layer(struct engine *engine, const struct layer *layer, int64_t time, int depth);

static void ip_datagram(struct engine *engine, struct ip_datagram *ip, int64_t time, int depth)
{
    if (ip->fragment) {
        engine->stats.fragments++;
        bool cut = ip->captured < ip->length;
        /* The beginning of a datagram that was not captured whole may still say something. */
        if (cut && ip->fragment_offset > 0) {
            engine->stats.fragments_dropped++;
            return;
        }
        if (!cut) {
            enum ip_fragments_result result =
                ip_fragments_add(engine->fragments, ip, engine->now, &engine->stats.fragments_dropped);
            if (result != IP_FRAGMENTS_COMPLETE) {
                engine->stats.fragments_dropped += result == IP_FRAGMENTS_DROPPED;
                return;
            }
            engine->stats.defragmented++;
        }
        if (decapsulate_whole(ip) != DECAPSULATED || ip->fragment) {
            engine->stats.malformed += !cut;
            return;
        }
    }
    struct flow_key key = {.source = ip->source, .destination = ip->destination, .family = ip->version};
    if (ip->protocol == IP_PROTOCOL_TCP) {
        tcp(engine, ip, &key, time);
        return;
    }
    if (ip->protocol == IP_PROTOCOL_ICMP || ip->protocol == IP_PROTOCOL_ICMPV6) {
        quoted_datagram(engine, ip, time);
        return;
    }
    struct layer inner;
    switch (depth < DECAPSULATE_DEPTH_MAX ? decapsulate_tunnel(ip, &inner) : DECAPSULATED_NOT_IP) {
    case DECAPSULATED:
        engine->stats.decapsulated++;
        ip_layer(engine, &inner, time, depth + 1);
        return;
    case DECAPSULATED_MALFORMED:
        engine->stats.malformed++;
        return;
    case DECAPSULATED_CUT:
        return;
    case DECAPSULATED_NOT_IP:
        break;
    }
    if (ip->protocol == IP_PROTOCOL_UDP)
        udp(engine, ip, &key, time);
}

/* A packet that is merely cut is counted already, as truncated. */
static void pass_over(struct engine *engine, enum decapsulation why)
{
    engine->stats.not_ip += why == DECAPSULATED_NOT_IP;
    engine->stats.malformed += why == DECAPSULATED_MALFORMED;
}

static void ip_layer(struct engine *engine, const struct layer *layer, int64_t time, int depth)
{
    struct ip_datagram ip;
    enum decapsulation verdict = decapsulate_ip(layer, &ip);
    if (verdict == DECAPSULATED)
        ip_datagram(engine, &ip, time, depth);
    else
        pass_over(engine, verdict);
}

void engine_packet(struct engine *engine, const struct packet *packet)
{
    engine->stats.packets++;
    engine->stats.bytes += packet->length;
    engine->stats.truncated += packet->captured < packet->length;
    clock_follow(engine, packet->time);
    posted_tick(engine);
    struct layer layer;
    enum decapsulation verdict = decapsulate_link(packet, &layer);
    if (verdict == DECAPSULATED)
        ip_layer(engine, &layer, packet->time, 0);
    else
        pass_over(engine, verdict);
}

#define PACKETS_AHEAD 16

/* The hash of the flow, for the commonest kind of packet: IPv4 without options over Ethernet. A guess is
 * enough: it only says what to load. */
static bool guess_hash(const struct engine *engine, const struct packet *packet, uint32_t *hash)
{
    const uint8_t *at = packet->data;
    if (packet->link_type != DLT_EN10MB || packet->captured < 14 + 20 + 4 || at[12] != 0x08 || at[13] != 0 ||
        at[14] != 0x45)
        return false;
    struct flow_key key = {
        .source = at + 26,
        .destination = at + 30,
        .source_port = (uint16_t)(at[34] << 8 | at[35]),
        .destination_port = (uint16_t)(at[36] << 8 | at[37]),
        .family = 4,
        .transport = at[23] == IP_PROTOCOL_TCP ? TRANSPORT_TCP : TRANSPORT_UDP,
    };
    *hash = flow_table_hash(engine->flows, &key);
    return true;
}

static void packets_ahead(struct engine *engine, const struct packet *packets, size_t count)
{
    uint32_t hashes[PACKETS_AHEAD];
    bool known[PACKETS_AHEAD];
    for (size_t i = 0; i < count; i++) {
        known[i] = guess_hash(engine, packets + i, hashes + i);
        if (known[i])
            flow_table_prefetch(engine->flows, hashes[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (known[i])
            flow_table_prefetch_flow(engine->flows, hashes[i]);
    for (size_t i = 0; i < count; i++)
        engine_packet(engine, packets + i);
}

void engine_packets(struct engine *engine, const struct packet *packets, size_t count)
{
    for (size_t i = 0; i < count; i += PACKETS_AHEAD)
        packets_ahead(engine, packets + i, count - i < PACKETS_AHEAD ? count - i : PACKETS_AHEAD);
}

/* -- memory of a host in need --------------------------------------------------------------------------- */

static void flow_moved(struct flow *flow)
{
    for (struct pending *pending = flow->pending; pending; pending = pending->flow_newer)
        pending->flow = flow;
}

static bool too_much(const struct engine *engine)
{
    return slab_stats(engine->slab)->held > engine->memory_limit;
}

/* Flows that end anyway are worth the least. */
static bool worth_at_most(const struct flow *flow, int value)
{
    if (flow->rank == RANK_SHED || flow->class == FLOW_CLOSED)
        return true;
    return (int)rank_value(flow->rank) <= value;
}

#define SHRINK_EVERY 8192 /* flows that went */

/* Gives up flows that are worth no more than that, until it is enough. */
static void give_up(struct engine *engine, int value)
{
    uint32_t index = 0, gone = 0;
    struct flow *flow;
    while (too_much(engine) && (flow = flow_table_next(engine->flows, &index))) {
        if (!worth_at_most(flow, value))
            continue;
        if (flow->rank != RANK_SHED && flow->class != FLOW_CLOSED)
            flow_shed(engine, flow);
        flow_drop(engine, flow);
        engine->stats.flows_evicted++;
        if (++gone % SHRINK_EVERY == 0) {
            flow_table_shrink(engine->flows, flow_moved);
            index = 0;
        }
    }
    flow_table_shrink(engine->flows, flow_moved);
}

void engine_limit_memory(struct engine *engine, size_t limit)
{
    bool less = limit < engine->memory_limit;
    posted_collect(engine); /* flows may move */
    engine->memory_limit = limit;
    slab_limit(engine->slab, limit);
    if (less)
        flow_table_shrink(engine->flows, flow_moved);
    for (int value = -1; value <= (int)VALUE_MAX && too_much(engine); value++)
        give_up(engine, value);
    if (less)
        slab_trim(engine->slab);
}

void engine_shed(struct engine *engine, uint32_t below)
{
    engine->shed_below = below > RANK_SHED ? below : RANK_SHED + 1;
}

/* -- around it ------------------------------------------------------------------------------------------ */

void engine_tick(struct engine *engine, int64_t now)
{
    if (now <= engine->seen || engine->seen == 0)
        return;
    clock_follow(engine, now);
    clock_follow(engine, now); /* a leap is believed at once: this clock is no damaged packet's */
    expire(engine);
    posted_tick(engine);
}

void engine_finish(struct engine *engine)
{
    for (int i = 0; i < FLOW_CLASSES; i++) {
        struct flow *flow;
        while ((flow = flow_table_oldest(engine->flows, (enum flow_class)i)))
            flow_drop(engine, flow);
    }
    if (engine->attempts)
        attempts_expire(engine->attempts, INT64_MAX, engine_emit_scan, engine);
    posted_collect(engine);
}

void engine_destroy(struct engine **engine_p)
{
    struct engine *engine = *engine_p;
    if (!engine)
        return;
    *engine_p = NULL;
    engine->emit = NULL;
    if (engine->flows && engine->pendings)
        engine_finish(engine);
    posted_destroy(&engine->posted);
    if (engine->attempts)
        slab_free(engine->slab, engine->attempts, sizeof *engine->attempts);
    if (engine->expected)
        slab_free(engine->slab, engine->expected, EXPECTED_MAX * sizeof *engine->expected);
    ip_fragments_destroy(&engine->fragments);
    pendings_destroy(&engine->pendings);
    flow_table_destroy(&engine->flows);
    slab_destroy(&engine->slab);
    arena_destroy(&engine->scratch);
    free(engine);
}

bool engine_decode_as(struct engine *engine, const struct engine_decode_rule *rule)
{
    if (engine->rules >= ENGINE_RULES_MAX || (unsigned)rule->transport > TRANSPORT_TCP ||
        !protocol_get(rule->protocol))
        return false;
    engine->rule[rule->transport][rule->port] = (uint8_t)rule->protocol;
    engine->rules++;
    return true;
}

const struct engine_stats *engine_stats(const struct engine *engine)
{
    /* What others count is brought in when somebody asks. */
    struct engine_stats *stats = &((struct engine *)(uintptr_t)engine)->stats;
    const struct slab_stats *memory = slab_stats(engine->slab);
    stats->flows_live = flow_table_count(engine->flows);
    stats->tcp_retransmitted = engine->tcp_stats.retransmitted;
    stats->tcp_out_of_order = engine->tcp_stats.out_of_order;
    stats->tcp_overlap_conflicts = engine->tcp_stats.conflicts;
    stats->gaps = engine->tcp_stats.gaps;
    stats->gap_bytes = engine->tcp_stats.gap_bytes;
    stats->memory = memory->held;
    stats->memory_peak = memory->peak;
    return stats;
}

struct message_counts *engine_counts(struct engine *engine)
{
    return &engine->counts;
}
