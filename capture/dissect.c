/* SPDX-License-Identifier: Apache-2.0
 *
 * The services that dissectors use (dissect.h).
 */
#include "capture/engine_internal.h"
#include "capture/value.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define DISSECT_ALLOC_MAX ((size_t)64 * 1024)

/* Before every block that a dissector holds. */
struct memory_block {
    struct memory_block *next;
    struct memory_block *previous;
    uint64_t size; /* with this head */
    uint64_t unused;
};

/* -- activities ------------------------------------------------------------------------------------- */

struct activity_writer *dissect_begin(struct dissect *d, enum activity_kind kind)
{
    struct activity_writer *w = d->activity;
    const struct flow_info *info = d->info;
    activity_begin(w, kind, d->time);
    activity_put_address(w, FIELD_SOURCE, &info->client.address);
    activity_put_uint(w, FIELD_SOURCE_PORT, info->client.port);
    activity_put_address(w, FIELD_DESTINATION, &info->server.address);
    activity_put_uint(w, FIELD_DESTINATION_PORT, info->server.port);
    activity_put_string(w, FIELD_TRANSPORT, info->transport == TRANSPORT_TCP ? "tcp" : "udp", 3);
    activity_put_uint(w, FIELD_FLOW, info->number);
    d->engine->building = true;
    d->engine->revisited = 0;
    return w;
}

void engine_give_out(struct engine *engine, enum activity_kind kind, int64_t time, struct bytes record)
{
    engine->stats.activities++;
    if (engine->emit)
        engine->emit(engine->emit_context, kind, time, record);
}

void engine_hand_over(struct engine *engine, struct activity_writer *w, int64_t time)
{
    if (posted_wait_client(engine, w, time))
        return;
    struct bytes record = activity_finish(w);
    if (!posted_wait(engine, w->kind, time, record))
        engine_give_out(engine, w->kind, time, record);
}

/* What the call that builds the activity knows of all of it. */
static void put_circumstances(struct dissect *d)
{
    if (d->truncated)
        d->activity->truncated = true;
    if (d->unsealed && !activity_has(d->activity, FIELD_UNSEALED))
        activity_put_bool(d->activity, FIELD_UNSEALED, true);
}

bool engine_end_building(struct dissect *d)
{
    struct engine *engine = d->engine;
    /* None was begun, or it is of a quoted datagram. */
    bool built = engine->building && !engine->quoting;
    engine->building = false;
    if (built)
        put_circumstances(d);
    return built;
}

void dissect_emit(struct dissect *d)
{
    struct engine *engine = d->engine;
    if (!engine_end_building(d))
        return;
    engine_hand_over(engine, d->activity, d->time);
}

void engine_emit_unanswered(struct engine *engine, struct pending *pending)
{
    struct activity_writer *w = &engine->spare;
    if (activity_restore(w, pending->bytes, pending->size)) {
        activity_put_bool(w, FIELD_ANSWERED, false);
        engine->stats.unanswered++;
        engine_hand_over(engine, w, pending->started);
    }
    pendings_free(engine->pendings, pending);
}

void engine_emit_scan(void *context, const struct attempts *attempts)
{
    struct engine *engine = context;
    struct activity_writer *w = &engine->spare;
    activity_begin(w, ACTIVITY_PORT_SCAN, attempts->first);
    activity_put_address(w, FIELD_SOURCE, &attempts->source);
    activity_put_address(w, FIELD_DESTINATION, &attempts->destination);
    activity_put_string(w, FIELD_TRANSPORT, "tcp", 3);
    activity_put_duration(w, FIELD_DURATION, attempts->last - attempts->first);
    activity_put_uint(w, FIELD_CONNECTIONS_REFUSED, attempts->refused);
    activity_put_uint(w, FIELD_CONNECTIONS_UNANSWERED, attempts->unanswered);
    if (activity_list_begin(w, FIELD_SCANNED_PORTS)) {
        for (unsigned i = 0; i < attempts->ports_count; i++)
            activity_list_uint(w, attempts->ports[i]);
        activity_list_end(w);
    }
    engine_hand_over(engine, w, attempts->first);
}

void dissect_defer(struct dissect *d, uint64_t key)
{
    struct engine *engine = d->engine;
    if (!engine_end_building(d))
        return;
    struct pending *older = pendings_find(engine->pendings, d->flow, d->protocol->id, key);
    if (older) {
        pendings_take(engine->pendings, older);
        engine_emit_unanswered(engine, older);
    }
    struct activity_writer *w = d->activity;
    size_t size = activity_saved_size(w);
    struct pending *pending =
        pendings_add(engine->pendings, d->flow, d->protocol->id, key, (uint32_t)size, engine->now);
    if (!pending) {
        engine->stats.memory_refused++;
        engine->stats.unanswered++;
        activity_put_bool(w, FIELD_ANSWERED, false);
        engine_hand_over(engine, w, d->time);
        return;
    }
    pending->started = engine->revisited ? engine->revisited : d->time;
    engine->revisited = 0;
    activity_save(w, pending->bytes);
}

static struct activity_writer *take_up(struct dissect *d, uint64_t key, int64_t *started)
{
    struct engine *engine = d->engine;
    struct pending *pending = pendings_find(engine->pendings, d->flow, d->protocol->id, key);
    if (!pending)
        return NULL;
    pendings_take(engine->pendings, pending);
    *started = pending->started;
    bool restored = activity_restore(d->activity, pending->bytes, pending->size);
    pendings_free(engine->pendings, pending);
    engine->building = restored;
    engine->revisited = 0;
    return restored ? d->activity : NULL;
}

struct activity_writer *dissect_resume(struct dissect *d, uint64_t key)
{
    int64_t started;
    struct activity_writer *w = take_up(d, key, &started);
    if (w)
        activity_put_duration(w, FIELD_DURATION, d->time > started ? d->time - started : 0);
    return w;
}

struct activity_writer *dissect_revisit(struct dissect *d, uint64_t key)
{
    int64_t started;
    struct activity_writer *w = take_up(d, key, &started);
    if (w)
        d->engine->revisited = started;
    return w;
}

/* -- memory ----------------------------------------------------------------------------------------- */

void *flow_memory(struct engine *engine, struct flow *flow, size_t size)
{
    struct memory_block *block = slab_zalloc(engine->slab, sizeof *block + size);
    if (!block) {
        engine->stats.memory_refused++;
        return NULL;
    }
    block->size = sizeof *block + size;
    block->next = flow->memory;
    if (block->next)
        block->next->previous = block;
    flow->memory = block;
    return block + 1;
}

void *dissect_alloc(struct dissect *d, size_t size)
{
    if (size <= DISSECT_ALLOC_MAX)
        return flow_memory(d->engine, d->flow, size);
    d->engine->stats.memory_refused++;
    return NULL;
}

void dissect_free(struct dissect *d, void *memory, size_t size)
{
    if (!memory)
        return;
    (void)size;
    struct memory_block *block = (struct memory_block *)memory - 1;
    *(block->previous ? &block->previous->next : &d->flow->memory) = block->next;
    if (block->next)
        block->next->previous = block->previous;
    slab_free(d->engine->slab, block, block->size);
}

void flow_memory_release(struct engine *engine, struct flow *flow)
{
    for (struct memory_block *block = flow->memory, *next; block; block = next) {
        next = block->next;
        slab_free(engine->slab, block, block->size);
    }
    flow->memory = NULL;
}

/* -- counts ----------------------------------------------------------------------------------------- */

void dissect_malformed(struct dissect *d, enum protocol_id protocol)
{
    d->engine->stats.protocol[protocol].malformed += !d->engine->quoting;
}

void dissect_sealed(struct dissect *d, enum protocol_id protocol)
{
    d->engine->stats.protocol[protocol].sealed += !d->engine->quoting;
}

void dissect_counted(struct dissect *d, enum protocol_id protocol)
{
    d->engine->stats.protocol[protocol].messages += !d->engine->quoting;
    if (protocol == PROTOCOL_NTLM)
        d->flow->rank = rank_with_logon(d->flow->rank, d->flow->hash);
}

bool dissect_quoted(const struct dissect *d)
{
    return d->engine->quoting;
}

const char *dissect_radius_secret(const struct dissect *d)
{
    return d->engine->options.radius_secret;
}

/* -- flows ------------------------------------------------------------------------------------------ */

void dissect_expect(struct dissect *d, const struct ip_address *address, uint16_t port,
                    enum protocol_id protocol)
{
    struct endpoint server = {.address = address ? *address : d->info->server.address, .port = port};
    if (protocol != PROTOCOL_NONE && protocol_get(protocol) && !d->engine->quoting)
        recognise_expect(d->engine, &server, protocol);
}

void dissect_switch(struct dissect *d, enum protocol_id id)
{
    struct engine *engine = d->engine;
    struct flow *flow = d->flow;
    const struct protocol *protocol = protocol_get(id);
    if ((protocol == flow->protocol && protocol) || engine->quoting)
        return;
    /* Its state is still in use by the caller: it goes with the rest of the flow's memory. */
    if (!protocol || !protocol->frame || !flow_adopt(engine, flow, protocol))
        flow->flags |= FLOW_OPAQUE;
    stream_glue_reframe(engine, flow);
}

/* -- fingerprints ----------------------------------------------------------------------------------- */

static inline uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012) of three words. */
static uint64_t sip_hash(const uint64_t key[2], const uint64_t words[3])
{
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t last = UINT64_C(24) << 56;
    for (int i = 0; i < 4; i++) {
        uint64_t word = i < 3 ? words[i] : last;
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The fast hash makes the secret short, the keyed one makes it useless to whoever lacks the key. */
uint64_t dissect_fingerprint(const struct dissect *d, struct bytes secret)
{
    const uint64_t *key = d->engine->sip_key;
    XXH128_hash_t digest = XXH3_128bits_withSeed(secret.data, secret.size, key[0] ^ key[1]);
    uint64_t fingerprint = sip_hash(key, (uint64_t[3]){digest.low64, digest.high64, secret.size});
    return fingerprint ? fingerprint : 1;
}

struct tsig_keys *dissect_tsig_keys(const struct dissect *d)
{
    return &d->engine->tsig_keys;
}

uint64_t dissect_unseal_number(struct dissect *d, size_t answer)
{
    if (answer)
        posted_expect(d->engine, answer);
    return ++d->engine->unseal_number;
}

const struct unsealer *dissect_unsealer(const struct dissect *d)
{
    /* What an ICMP error quotes was sent elsewhere. */
    return d->engine->quoting ? NULL : d->engine->options.unsealer;
}
