/* SPDX-License-Identifier: Apache-2.0
 *
 * What a member that went over to the enemy sends besides what its core does: it has its key, its links and
 * the fleet's salt, and no one else's key.
 */
#include <stdlib.h>

#include "base/msgpack.h"
#include "cluster/cluster_internal.h"
#include "sim/world.h"

#define BUFFER 8192u

struct hostile {
    struct sim_world *world;
    uint32_t node;
    uint64_t random; /* of this second; a step further with each use */
    struct msgpack_writer writer;
    uint8_t buffer[BUFFER];
};

static uint64_t draw(struct hostile *h, uint64_t bound)
{
    h->random = sim_mix(h->random, 1);
    return sim_random_below(h->random, bound);
}

static void begin(struct hostile *h, enum wire_type type, uint32_t further_pairs)
{
    msgpack_writer_init(&h->writer, h->buffer, sizeof h->buffer);
    msgpack_put_map(&h->writer, further_pairs + 2);
    msgpack_put_uint(&h->writer, WIRE_KEY_VERSION);
    msgpack_put_uint(&h->writer, WIRE_VERSION);
    msgpack_put_uint(&h->writer, WIRE_KEY_TYPE);
    msgpack_put_uint(&h->writer, (uint64_t)type);
}

static void send_bytes(struct hostile *h, const void *data, size_t size, uint32_t to)
{
    uint32_t payload = checker_message(h->world, h->node, data, size, true);
    network_send(h->world, h->node, to, payload, true);
    network_release(h->world, payload);
}

/* To all that it has links with, and to one that it has none with. */
static void send_around(struct hostile *h)
{
    struct sim_node *node = &h->world->nodes[h->node];
    uint32_t peers[NODE_LINKS];
    unsigned count = node->link_count;
    for (unsigned i = 0; i < count; i++)
        peers[i] = node->links[i].peer;
    for (unsigned i = 0; i < count; i++)
        send_bytes(h, h->buffer, h->writer.size, peers[i]);
    send_bytes(h, h->buffer, h->writer.size, (uint32_t)draw(h, h->world->count));
}

static void put_claim(struct hostile *h, const struct claim *claim)
{
    uint8_t encoded[CLAIM_MAX_SIZE];
    struct cluster_crypto crypto = sim_key_crypto(&h->world->nodes[h->node].key);
    size_t size = claim_write(encoded, sizeof encoded, claim, &crypto);
    begin(h, WIRE_GOSSIP, 1);
    msgpack_put_uint(&h->writer, WIRE_KEY_CLAIMS);
    msgpack_put_array(&h->writer, 1);
    msgpack_put_binary(&h->writer, encoded, size);
    send_around(h);
}

/* The register that its own core knows, or an empty one. */
static struct claim register_of(struct hostile *h, unsigned domain)
{
    struct cluster_domain_view view;
    struct claim claim = {.term = 1, .settled = true};
    if (cluster_domain_find(h->world->nodes[h->node].core, h->world->domain_names[domain], &view) &&
        view.has_claim)
        claim = view.claim;
    snprintf(claim.domain, sizeof claim.domain, "%s", h->world->domain_names[domain]);
    return claim;
}

static void set_draw(struct hostile *h, struct claim *claim)
{
    struct cluster_crypto crypto = sim_key_crypto(&h->world->nodes[h->node].key);
    claim->draw = claim_draw(&crypto, claim->domain, claim->term, &claim->id);
}

static void forge(struct hostile *h)
{
    /* Signs of life of others, the holder first: with links that it made up. */
    unsigned domain = (unsigned)draw(h, h->world->options.domains);
    struct claim claim = register_of(h, domain);
    uint8_t entries[8 * HEARTBEAT_SIZE];
    for (unsigned i = 0; i < 8; i++) {
        uint8_t *entry = entries + i * HEARTBEAT_SIZE;
        const struct node_id *id =
            i == 0 && !node_id_is_zero(&claim.id) ? &claim.id : &h->world->nodes[draw(h, h->world->count)].id;
        memcpy(entry, id->bytes, 8);
        uint64_t sequence = (uint64_t)(h->world->time / 14000) + 1 + draw(h, 100);
        for (int b = 0; b < 4; b++)
            entry[8 + b] = (uint8_t)(sequence >> (24 - 8 * b));
        sim_random_bytes(h->random, entry + 12, LINK_SIZE);
    }
    begin(h, WIRE_GOSSIP, 1);
    msgpack_put_uint(&h->writer, WIRE_KEY_HEARTBEATS);
    msgpack_put_binary(&h->writer, entries, sizeof entries);
    send_around(h);
    /* A claim in another's name. */
    claim.id = h->world->nodes[draw(h, h->world->count)].id;
    claim.term++;
    claim.settled = true;
    claim.released = draw(h, 2);
    claim.support = UINT16_MAX;
    set_draw(h, &claim);
    put_claim(h, &claim);
}

static void replay(struct hostile *h, unsigned times, bool damage)
{
    struct sim_node *node = &h->world->nodes[h->node];
    unsigned kept = node->hoard_at < HOARD ? node->hoard_at : HOARD;
    for (unsigned i = 0; i < times && kept; i++) {
        const struct payload *payload = h->world->payloads[node->heard_payloads[draw(h, kept)]];
        size_t size = payload->size < BUFFER ? payload->size : BUFFER;
        memcpy(h->buffer, payload->data, size);
        for (unsigned flip = 0; damage && size && flip < 4; flip++)
            h->buffer[draw(h, size)] ^= (uint8_t)(1 + draw(h, 255));
        if (damage && draw(h, 2))
            size = draw(h, size + 1);
        uint32_t to = (uint32_t)draw(h, h->world->count);
        if (node->link_count && draw(h, 4))
            to = node->links[draw(h, node->link_count)].peer;
        send_bytes(h, h->buffer, size, to);
    }
}

static void lie_record(struct hostile *h)
{
    struct sim_node *node = &h->world->nodes[h->node];
    struct cluster_member_view view;
    if (!cluster_member_at(node->core, 0, &view) || !view.record)
        return;
    struct record *record = malloc(sizeof *record);
    if (!record)
        abort();
    *record = *view.record;
    record->incarnation += draw(h, 2) ? UINT64_C(1) << draw(h, 63) : draw(h, 3);
    record->revision += (uint32_t)draw(h, 1000);
    record->boot_nonce ^= (uint32_t)draw(h, 2);
    record->candidate_off = (uint8_t)draw(h, 256);
    uint8_t encoded[RECORD_MAX_SIZE];
    struct cluster_crypto crypto = sim_key_crypto(&node->key);
    struct bytes certificate = {.data = node->certificate, .size = node->certificate_size};
    size_t size = record_write(encoded, sizeof encoded, record, certificate, &crypto);
    free(record);
    if (!size)
        return;
    begin(h, WIRE_GOSSIP, 1);
    msgpack_put_uint(&h->writer, WIRE_KEY_RECORDS);
    msgpack_put_array(&h->writer, 1);
    msgpack_put_binary(&h->writer, encoded, size);
    send_around(h);
}

static void lie(struct hostile *h)
{
    lie_record(h);
    /* That it heard the holder this moment. */
    struct claim claim = register_of(h, (unsigned)draw(h, h->world->options.domains));
    begin(h, WIRE_HAVE, 3);
    msgpack_put_uint(&h->writer, WIRE_KEY_DOMAIN);
    msgpack_put_text(&h->writer, claim.domain);
    msgpack_put_uint(&h->writer, WIRE_KEY_NODE);
    msgpack_put_binary(&h->writer, claim.id.bytes, NODE_ID_SIZE);
    msgpack_put_uint(&h->writer, WIRE_KEY_AGE);
    msgpack_put_uint(&h->writer, draw(h, 2) ? 0 : UINT64_MAX);
    send_around(h);
}

static void terms(struct hostile *h)
{
    struct claim claim = register_of(h, (unsigned)draw(h, h->world->options.domains));
    claim.id = h->world->nodes[h->node].id;
    claim.settled = true;
    claim.released = false;
    claim.support = UINT16_MAX;
    switch (draw(h, 3)) {
    case 0: /* so great that nobody could ever pass it */
        claim.term += UINT64_C(1) << (12 + draw(h, 51));
        set_draw(h, &claim);
        break;
    case 1: /* with the draw of a certain winner */
        claim.term += 1;
        claim.draw = UINT64_MAX;
        break;
    default: /* for a domain that it may not hold */
        for (unsigned d = 0; d < h->world->options.domains; d++)
            if (!(h->world->nodes[h->node].granted >> d & 1))
                snprintf(claim.domain, sizeof claim.domain, "%s", h->world->domain_names[d]);
        claim.term += 1;
        set_draw(h, &claim);
        if (h->world->nodes[h->node].granted >> (h->world->options.domains - 1) & 1)
            claim.draw ^= 1;
    }
    put_claim(h, &claim);
}

void hostile_act(struct sim_world *world, uint32_t node)
{
    struct hostile *h = malloc(sizeof *h);
    if (!h)
        abort();
    h->world = world;
    h->node = node;
    h->random = sim_random(world->options.seed, STREAM_HOSTILE, node, (uint64_t)world->time, 0);
    switch (world->nodes[node].hostility) {
    case SIM_HOSTILE_FORGE:
        forge(h);
        break;
    case SIM_HOSTILE_REPLAY:
        replay(h, 20, false);
        break;
    case SIM_HOSTILE_FLOOD:
        replay(h, 300, draw(h, 2));
        break;
    case SIM_HOSTILE_LIE:
        lie(h);
        break;
    case SIM_HOSTILE_TERMS:
        terms(h);
        break;
    case SIM_HOSTILE_MALFORMED:
        replay(h, 20, true);
        break;
    case SIM_HOSTILITY_KINDS:
        break;
    }
    free(h);
}

void hostile_hear(struct sim_world *world, uint32_t node, uint32_t payload)
{
    struct sim_node *n = &world->nodes[node];
    if (!n->heard_payloads)
        n->heard_payloads = calloc(HOARD, sizeof *n->heard_payloads);
    if (!n->heard_payloads)
        abort();
    uint32_t *slot = &n->heard_payloads[n->hoard_at % HOARD];
    if (n->hoard_at >= HOARD)
        network_release(world, *slot);
    n->hoard_at++;
    *slot = payload;
    world->payloads[payload]->references++;
}
