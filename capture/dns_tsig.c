/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dns_tsig.h"

#include "capture/dns.h"
#include "capture/unseal.h"

#include <string.h>

#define POINTERS_MAX 64

/* A name as signatures cover it (RFC 4034 6.2): not compressed, and in lower case if `lower`. The cursor
 * comes to stand behind it. Bytes written; 0 when it is no name. */
static size_t whole_name(struct cursor *c, struct bytes message, bool lower, uint8_t to[DNS_NAME_OCTETS])
{
    struct cursor at = *c;
    size_t size = 0;
    bool followed = false;
    for (unsigned pointers = 0; pointers < POINTERS_MAX;) {
        uint8_t length = cursor_u8(&at);
        if (length >= 0xc0) {
            size_t offset = (size_t)(length & 0x3f) << 8 | cursor_u8(&at);
            if (!followed)
                *c = at;
            followed = true;
            pointers++;
            if (at.failed || offset >= message.size)
                return 0;
            at = cursor_of(message.data + offset, message.size - offset);
            continue;
        }
        struct bytes label = cursor_take(&at, length);
        if (at.failed || length > 63 || size + 1 + length > DNS_NAME_OCTETS)
            return 0;
        to[size++] = length;
        for (size_t i = 0; i < label.size; i++) {
            uint8_t byte = label.data[i];
            to[size++] = lower && byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
        }
        if (length)
            continue;
        if (!followed)
            *c = at;
        return size;
    }
    return 0;
}

static struct cursor at_place(struct bytes message, const uint8_t *at)
{
    return cursor_of(at, (size_t)(message.data + message.size - at));
}

/* A name means a key at one server only. */
static uint64_t key_of(struct dissect *d, const uint8_t *name, size_t size)
{
    uint8_t both[DNS_NAME_OCTETS + sizeof d->info->server.address];
    struct ip_address server = {.family = 0};
    server.family = d->info->server.address.family;
    memcpy(server.bytes, d->info->server.address.bytes, server.family == 4 ? 4 : sizeof server.bytes);
    memcpy(both, name, size);
    both[size] = server.family;
    memcpy(both + size + 1, server.bytes, sizeof server.bytes);
    return dissect_fingerprint(d, (struct bytes){.data = both, .size = size + 1 + sizeof server.bytes});
}

void dns_tsig_learn(struct dissect *d, struct bytes message, const uint8_t *at, uint64_t context)
{
    uint8_t name[DNS_NAME_OCTETS];
    struct cursor c = at_place(message, at);
    size_t size = whole_name(&c, message, true, name);
    if (!size) {
        unseal_forget(d, context);
        return;
    }
    struct tsig_keys *table = dissect_tsig_keys(d);
    struct tsig_key *place = &table->keys[table->next++ % TSIG_KEYS_MAX];
    if (place->context)
        unseal_forget(d, place->context);
    *place = (struct tsig_key){.name = key_of(d, name, size), .context = context};
}

/* The latest of that name. */
static uint64_t context_of(struct dissect *d, const uint8_t *name, size_t size)
{
    const struct tsig_keys *table = dissect_tsig_keys(d);
    uint64_t key = key_of(d, name, size);
    for (uint32_t i = 1; i <= TSIG_KEYS_MAX; i++) {
        const struct tsig_key *k = &table->keys[(table->next - i) % TSIG_KEYS_MAX];
        if (k->context && k->name == key)
            return k->context;
    }
    return 0;
}

struct tsig {
    uint8_t algorithm[DNS_NAME_OCTETS];
    size_t algorithm_size;
    struct bytes time; /* Time Signed 6, Fudge 2 */
    struct bytes mac;
    struct bytes id;    /* Original ID */
    struct bytes error; /* Error 2, Other Len 2, Other Data */
};

/* RFC 8945 4.2 */
static bool read_tsig(struct bytes message, struct cursor data, bool lower, struct tsig *to)
{
    to->algorithm_size = whole_name(&data, message, lower, to->algorithm);
    to->time = cursor_take(&data, 8);
    to->mac = cursor_take(&data, cursor_be16(&data));
    to->id = cursor_take(&data, 2);
    to->error = cursor_take(&data, cursor_left(&data));
    return to->algorithm_size && !data.failed && to->error.size >= 4 && to->mac.size;
}

static void append(struct bytes *to, uint8_t *buffer, const void *data, size_t size)
{
    if (size)
        memcpy(buffer + to->size, data, size);
    to->size += size;
}

/* What is signed (RFC 8945 4.3): the message without the record, with its original number and one record
 * less; then the record's owner, class ANY, TTL 0, algorithm, times, error and other data. */
static struct bytes signed_bytes(struct dissect *d, struct bytes message, size_t before,
                                 const struct tsig *tsig, const uint8_t *name, size_t name_size)
{
    static const uint8_t class_and_ttl[] = {0, DNS_CLASS_ANY, 0, 0, 0, 0};
    struct bytes to = {0};
    if (before < DNS_HEADER_SIZE)
        return to;
    size_t size =
        before + name_size + sizeof class_and_ttl + tsig->algorithm_size + tsig->time.size + tsig->error.size;
    uint8_t *buffer = arena_alloc(d->scratch, size);
    if (!buffer)
        return to;
    to.data = buffer;
    append(&to, buffer, message.data, before);
    memcpy(buffer, tsig->id.data, 2);
    uint16_t additional = (uint16_t)((buffer[10] << 8 | buffer[11]) - 1);
    buffer[10] = (uint8_t)(additional >> 8);
    buffer[11] = (uint8_t)additional;
    append(&to, buffer, name, name_size);
    append(&to, buffer, class_and_ttl, sizeof class_and_ttl);
    append(&to, buffer, tsig->algorithm, tsig->algorithm_size);
    append(&to, buffer, tsig->time.data, tsig->time.size);
    append(&to, buffer, tsig->error.data, tsig->error.size);
    return to;
}

/* NO_CONTEXT: there is nothing to check it with. */
static enum unseal_result verify(struct dissect *d, uint64_t context, struct bytes message, const uint8_t *at,
                                 struct cursor data, bool lower)
{
    uint8_t name[DNS_NAME_OCTETS];
    struct tsig tsig;
    struct cursor c = at_place(message, at);
    size_t size = whole_name(&c, message, lower, name);
    if (!size || !read_tsig(message, data, lower, &tsig))
        return UNSEAL_NO_CONTEXT;
    struct bytes covered = signed_bytes(d, message, (size_t)(at - message.data), &tsig, name, size);
    return covered.size ? unseal_mic(d, context, covered, tsig.mac) : UNSEAL_NO_CONTEXT;
}

void dns_tsig_verify(struct dissect *d, struct bytes message, const uint8_t *at, struct cursor data)
{
    uint8_t name[DNS_NAME_OCTETS];
    if (!unseal_possible(d) || d->truncated)
        return;
    struct cursor c = at_place(message, at);
    size_t size = whole_name(&c, message, true, name);
    uint64_t context = size ? context_of(d, name, size) : 0;
    if (!context)
        return;
    enum unseal_result result = verify(d, context, message, at, data, true);
    if (result == UNSEAL_WRONG_KEY) /* some sign the names as they write them */
        result = verify(d, context, message, at, data, false);
    if (result == UNSEAL_FINE || result == UNSEAL_WRONG_KEY)
        activity_put_bool(d->activity, FIELD_DNS_SIGNATURE_GOOD, result == UNSEAL_FINE);
}
