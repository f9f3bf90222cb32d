/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/wire.h"

#include "base/msgpack.h"

/* Map of three pairs, version 1, type GOSSIP, key of the heartbeats: what wire_heartbeats() knows by heart.
 */
static const uint8_t plain[] = {0x83,          WIRE_KEY_VERSION, WIRE_VERSION,
                                WIRE_KEY_TYPE, WIRE_GOSSIP,      WIRE_KEY_HEARTBEATS};

struct bytes wire_heartbeats(struct bytes message)
{
    struct bytes none = {NULL, 0};
    const size_t head = sizeof plain;
    if (message.size < head + 2 || memcmp(message.data, plain, head) != 0)
        return none;
    size_t size, at;
    if (message.data[head] == 0xc4) {
        size = message.data[head + 1];
        at = head + 2;
    } else if (message.data[head] == 0xc5 && message.size >= head + 3) {
        size = (size_t)message.data[head + 1] << 8 | message.data[head + 2];
        at = head + 3;
    } else {
        return none;
    }
    if (message.size != at + size || size == 0 || size % HEARTBEAT_SIZE != 0)
        return none;
    return (struct bytes){message.data + at, size};
}

static bool read_uint(struct cursor *c, uint64_t *value)
{
    if (!cursor_done(c) && *c->at < 0x80) { /* all keys are: one byte, which is the number */
        *value = *c->at++;
        return true;
    }
    struct msgpack_item item = msgpack_next(c);
    *value = item.uint;
    return item.type == MSGPACK_UINT;
}

static bool read_bytes(struct cursor *c, enum msgpack_type type, size_t multiple, struct bytes *value)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != type || item.bytes.size % multiple != 0)
        return false;
    *value = item.bytes;
    return true;
}

static bool read_exactly(struct cursor *c, size_t size, struct bytes *value)
{
    return read_bytes(c, MSGPACK_BINARY, 1, value) && value->size == size;
}

/* An array of binaries: remembered where it starts, stepped over. */
static bool read_array(struct cursor *c, struct cursor *items, uint32_t *count)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_ARRAY)
        return false;
    *items = *c;
    *count = item.count;
    for (uint32_t i = 0; i < item.count; i++)
        if (msgpack_next(c).type != MSGPACK_BINARY)
            return false;
    return true;
}

static bool read_value(struct wire *wire, uint64_t key, struct cursor *c)
{
    switch (key) {
    case WIRE_KEY_VERSION:
        return read_uint(c, &wire->version) && wire->version > 0;
    case WIRE_KEY_TYPE:
        return read_uint(c, &wire->type);
    case WIRE_KEY_HEARTBEATS:
        return read_bytes(c, MSGPACK_BINARY, HEARTBEAT_SIZE, &wire->heartbeats);
    case WIRE_KEY_RECORDS:
        return read_array(c, &wire->records, &wire->record_count);
    case WIRE_KEY_CLAIMS:
        return read_array(c, &wire->claims, &wire->claim_count);
    case WIRE_KEY_POLICY:
        return read_bytes(c, MSGPACK_BINARY, 1, &wire->policy);
    case WIRE_KEY_DIGEST:
        return read_exactly(c, 24, &wire->digest);
    case WIRE_KEY_BUCKETS:
        return read_exactly(c, 512, &wire->buckets);
    case WIRE_KEY_ITEMS:
        return read_bytes(c, MSGPACK_BINARY, 4, &wire->items) && wire->items.size >= 8;
    case WIRE_KEY_WANTED:
        return read_bytes(c, MSGPACK_BINARY, 8, &wire->wanted);
    case WIRE_KEY_OVERDUE:
        return read_bytes(c, MSGPACK_BINARY, 12, &wire->overdue);
    case WIRE_KEY_DOMAIN:
        return read_bytes(c, MSGPACK_STRING, 1, &wire->domain);
    case WIRE_KEY_NODE:
        return read_exactly(c, NODE_ID_SIZE, &wire->node);
    case WIRE_KEY_INCARNATION:
        return read_uint(c, &wire->incarnation);
    case WIRE_KEY_SEQUENCE:
        return read_uint(c, &wire->sequence) && wire->sequence <= UINT32_MAX;
    case WIRE_KEY_AGE:
        return read_uint(c, &wire->age);
    case WIRE_KEY_STAMP:
        return read_uint(c, &wire->stamp);
    case WIRE_KEY_ECHO:
        return read_uint(c, &wire->echo);
    case WIRE_KEY_LINK:
        return read_uint(c, &wire->link);
    case WIRE_KEY_ASK:
        return read_uint(c, &wire->ask);
    case WIRE_KEY_DEGREE:
        return read_uint(c, &wire->degree);
    case WIRE_KEY_AGES:
        return read_bytes(c, MSGPACK_BINARY, 4, &wire->ages);
    case WIRE_KEY_REPORTS:
        return read_array(c, &wire->reports, &wire->report_count);
    case WIRE_KEY_MORE:
        return read_uint(c, &wire->more);
    default:
        return msgpack_skip(c);
    }
}

bool wire_read(struct wire *wire, struct bytes message)
{
    *wire = (struct wire){.version = 0, .type = UINT64_MAX};
    struct cursor c = cursor_of_bytes(message);
    struct msgpack_item map = msgpack_next(&c);
    if (map.type != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        uint64_t key;
        if (!read_uint(&c, &key))
            return false;
        if (key < WIRE_KEYS) {
            if (wire->present >> key & 1u)
                return false;
            wire->present |= 1u << key;
        }
        if (!read_value(wire, key, &c))
            return false;
    }
    return cursor_done(&c) && !c.failed && wire_has(wire, WIRE_KEY_VERSION) && wire_has(wire, WIRE_KEY_TYPE);
}

struct bytes wire_next(struct cursor *items, uint32_t *count)
{
    if (*count == 0)
        return (struct bytes){NULL, 0};
    --*count;
    struct msgpack_item item = msgpack_next(items);
    return item.type == MSGPACK_BINARY ? item.bytes : (struct bytes){NULL, 0};
}
