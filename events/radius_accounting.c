/* SPDX-License-Identifier: Apache-2.0 */
#include "events/radius_accounting.h"

#include "base/clock.h"
#include "base/hash_table.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum attribute { PROXY_STATE = 33, ACCT_DELAY_TIME = 41, MESSAGE_AUTHENTICATOR = 80 };

struct client {
    struct radius_client is;
    unsigned number; /* in the configuration */
    int64_t tokens;  /* requests that it may send now, times CLOCK_SECOND */
    int64_t filled;  /* when they were counted; monotonic */
};

struct key {
    uint64_t low, high;
};

struct memory {
    uint64_t turn; /* the place in the ring that stands for it */
    bool kept;
};

struct radius_accounting {
    struct client *clients; /* longest prefix first */
    unsigned client_count;
    int64_t rate;
    uint64_t seed;
    /* What was asked lately: the table by content, the ring by age. */
    struct hash_table *seen;
    struct place {
        struct key key;
        int64_t until;
    } * ring;
    uint32_t ring_size;
    uint64_t first, next; /* turns that are in the ring */
    int64_t repeat_time;
};

/* --- clients --- */

static int by_prefix(const void *a, const void *b)
{
    const struct client *x = a, *y = b;
    if (x->is.bits != y->is.bits)
        return x->is.bits > y->is.bits ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static struct client *client_of(struct radius_accounting *server, const struct ip_address *address)
{
    for (unsigned i = 0; i < server->client_count; i++)
        if (ip_address_within(address, &server->clients[i].is.network, server->clients[i].is.bits))
            return &server->clients[i];
    return NULL;
}

/* A client may send `rate` at once, and so many in each second. */
static bool may_send(const struct radius_accounting *server, struct client *client, int64_t now)
{
    int64_t full = server->rate * CLOCK_SECOND, passed = now - client->filled;
    client->filled = now;
    if (passed >= CLOCK_SECOND || full - client->tokens <= passed * server->rate)
        client->tokens = full;
    else if (passed > 0)
        client->tokens += passed * server->rate;
    if (client->tokens < CLOCK_SECOND)
        return false;
    client->tokens -= CLOCK_SECOND;
    return true;
}

/* --- repetitions --- */

static struct key hash_of(const void *data, size_t size, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(data, size, seed);
    return (struct key){.low = h.low64, .high = h.high64};
}

/* RFC 5080 2.2.2: the same client and port, identifier and authenticator */
static struct key key_of_request(const struct radius_accounting *server,
                                 const struct radius_datagram *datagram, const struct radius_packet *packet)
{
    struct {
        uint8_t address[16], authenticator[RADIUS_AUTHENTICATOR];
        uint16_t port, identifier;
    } what = {.port = datagram->from.port, .identifier = packet->identifier};
    memcpy(what.address, datagram->from.address.bytes, sizeof what.address);
    memcpy(what.authenticator, packet->authenticator, sizeof what.authenticator);
    return hash_of(&what, sizeof what, server->seed);
}

/* What is the same in a request made anew (RFC 2866 5.2: "the Identifier field changes" with the delay). */
static struct key key_of_record(const struct radius_accounting *server,
                                const struct radius_datagram *datagram, const struct radius_packet *packet,
                                bool *delayed)
{
    uint8_t what[sizeof datagram->from.address.bytes + RADIUS_PACKET_MAX], type;
    size_t size = sizeof datagram->from.address.bytes;
    struct cursor attributes = packet->attributes, value;
    *delayed = false;
    memcpy(what, datagram->from.address.bytes, size);
    while (radius_next_attribute(&attributes, &type, &value)) {
        size_t length = cursor_left(&value) + 2;
        if (type == ACCT_DELAY_TIME)
            *delayed = cursor_be32(&value) > 0;
        else if (type != PROXY_STATE && type != MESSAGE_AUTHENTICATOR) {
            memcpy(what + size, value.at - 2, length);
            size += length;
        }
    }
    return hash_of(what, size, server->seed + 1);
}

static void forget_oldest(struct radius_accounting *server)
{
    const struct key *key = &server->ring[server->first % server->ring_size].key;
    const struct memory *memory = hash_table_find(server->seen, key);
    if (memory && memory->turn == server->first)
        hash_table_remove(server->seen, key);
    server->first++;
}

static void forget_old(struct radius_accounting *server, int64_t now)
{
    while (server->first < server->next && server->ring[server->first % server->ring_size].until <= now)
        forget_oldest(server);
}

static void remember(struct radius_accounting *server, const struct key *key, int64_t now)
{
    if (server->next - server->first == server->ring_size)
        forget_oldest(server);
    struct memory *memory = hash_table_insert(server->seen, key, NULL);
    if (memory)
        *memory = (struct memory){.turn = server->next, .kept = false};
    server->ring[server->next++ % server->ring_size] = (struct place){*key, now + server->repeat_time};
}

static void settle_one(struct radius_accounting *server, uint64_t turn, bool kept)
{
    if (turn < server->first || turn >= server->next)
        return;
    const struct key *key = &server->ring[turn % server->ring_size].key;
    struct memory *memory = hash_table_find(server->seen, key);
    if (!memory || memory->turn != turn)
        return;
    memory->kept = kept;
    if (!kept)
        hash_table_remove(server->seen, key);
}

void radius_accounting_settle(struct radius_accounting *server, uint64_t ticket, bool kept)
{
    settle_one(server, ticket, kept);
    settle_one(server, ticket + 1, kept);
}

/* RADIUS_RECORD when it is none. */
static enum radius_verdict repetition(struct radius_accounting *server,
                                      const struct radius_datagram *datagram,
                                      const struct radius_packet *packet, uint64_t *ticket)
{
    bool delayed;
    struct key request = key_of_request(server, datagram, packet);
    struct key record = key_of_record(server, datagram, packet, &delayed);
    forget_old(server, datagram->monotonic);
    const struct memory *memory = hash_table_find(server->seen, &request);
    if (!memory && delayed)
        memory = hash_table_find(server->seen, &record);
    if (memory)
        return memory->kept ? RADIUS_REPEAT : RADIUS_PENDING;
    remember(server, &request, datagram->monotonic);
    remember(server, &record, datagram->monotonic);
    *ticket = server->next - 2;
    return RADIUS_RECORD;
}

/* --- the answer and the activity --- */

/* RFC 2866 4.2: Code 1, Identifier 1, Length 2, Authenticator 16; and the proxies' own, in their order (RFC
 * 2865 5.33). */
static void make_reply(const struct radius_packet *packet, const char *secret, struct radius_outcome *outcome)
{
    struct cursor attributes = packet->attributes, value;
    uint8_t type, *to = outcome->reply;
    size_t size = RADIUS_HEADER_SIZE;
    while (radius_next_attribute(&attributes, &type, &value)) {
        if (type != PROXY_STATE)
            continue;
        size_t length = cursor_left(&value) + 2;
        memcpy(to + size, value.at - 2, length);
        size += length;
    }
    to[0] = RADIUS_ACCOUNTING_RESPONSE;
    to[1] = packet->identifier;
    to[2] = (uint8_t)(size >> 8);
    to[3] = (uint8_t)size;
    radius_response_sign(to, secret, packet->authenticator);
    outcome->reply_size = size;
}

static void make_activity(const struct radius_datagram *datagram, const struct radius_packet *packet,
                          struct activity_writer *w)
{
    activity_begin(w, ACTIVITY_RADIUS_ACCOUNTING, datagram->wall);
    activity_put_address(w, FIELD_SOURCE, &datagram->from.address);
    activity_put_uint(w, FIELD_SOURCE_PORT, datagram->from.port);
    if (datagram->to.address.family)
        activity_put_address(w, FIELD_DESTINATION, &datagram->to.address);
    activity_put_uint(w, FIELD_DESTINATION_PORT, datagram->to.port);
    activity_put_text(w, FIELD_TRANSPORT, "udp");
    radius_put_attributes(w, ACTIVITY_RADIUS_ACCOUNTING, packet->attributes);
    activity_put_bool(w, FIELD_AUTHENTICATOR_VALID, true);
    activity_put_text(w, FIELD_RADIUS_CODE, "response");
    activity_put_bool(w, FIELD_ANSWERED, true);
}

static enum radius_verdict judge(struct radius_accounting *server, const struct radius_datagram *datagram,
                                 const struct radius_packet *packet, struct client *client, uint64_t *ticket)
{
    bool known;
    if (packet->damaged)
        return RADIUS_MALFORMED;
    if (packet->code != RADIUS_ACCOUNTING_REQUEST && packet->code != RADIUS_STATUS_SERVER)
        return RADIUS_UNSUPPORTED;
    if (!radius_request_valid(packet, client->is.secret, &known))
        return known ? RADIUS_WRONG_SECRET : RADIUS_MALFORMED; /* RFC 5997 3: it must have one */
    /* After the secret was checked: who forges a client's address shall not use up what it may send. */
    if (!may_send(server, client, datagram->monotonic))
        return RADIUS_LIMITED;
    return packet->code == RADIUS_STATUS_SERVER ? RADIUS_STATUS
                                                : repetition(server, datagram, packet, ticket);
}

void radius_accounting_take(struct radius_accounting *server, const struct radius_datagram *datagram,
                            struct activity_writer *w, struct radius_outcome *outcome)
{
    struct radius_packet packet;
    struct client *client = client_of(server, &datagram->from.address);
    outcome->verdict = RADIUS_STRANGER;
    outcome->reply_size = 0;
    if (!client)
        return;
    outcome->client = client->number;
    outcome->verdict = RADIUS_MALFORMED;
    if (!radius_read(datagram->bytes, &packet))
        return;
    outcome->verdict = judge(server, datagram, &packet, client, &outcome->ticket);
    if (outcome->verdict > RADIUS_REPEAT)
        return;
    make_reply(&packet, client->is.secret, outcome);
    if (outcome->verdict == RADIUS_RECORD)
        make_activity(datagram, &packet, w);
}

/* --- start and end --- */

struct radius_accounting *radius_accounting_new(const struct radius_accounting_config *config)
{
    struct radius_accounting *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->rate = config->rate;
    server->seed = config->seed;
    server->repeat_time = config->repeat_time;
    server->ring_size = 2 * config->repeats; /* each stands there as a request and as a record */
    server->ring = calloc(server->ring_size, sizeof *server->ring);
    server->seen =
        hash_table_new(server->ring_size, sizeof(struct key), sizeof(struct memory), config->seed + 2);
    server->clients = calloc(config->client_count + 1u, sizeof *server->clients);
    if (!server->ring || !server->seen || !server->clients) {
        radius_accounting_destroy(&server);
        return NULL;
    }
    for (unsigned i = 0; i < config->client_count; i++)
        server->clients[server->client_count++] = (struct client){
            .is = config->clients[i],
            .number = i,
            .tokens = server->rate * CLOCK_SECOND,
            .filled = INT64_MIN / 2,
        };
    qsort(server->clients, server->client_count, sizeof *server->clients, by_prefix);
    return server;
}

void radius_accounting_destroy(struct radius_accounting **server_p)
{
    struct radius_accounting *server = *server_p;
    if (!server)
        return;
    hash_table_destroy(&server->seen);
    free(server->ring);
    free(server->clients);
    free(server);
    *server_p = NULL;
}
