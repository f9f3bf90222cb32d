/* SPDX-License-Identifier: Apache-2.0 */
#include "base/delivery.h"

#include "base/msgpack.h"

/* -- messages ---------------------------------------------------------------------------------------------
 */

enum field {
    FIELD_VERSION,
    FIELD_NODE,
    FIELD_GENERATION,
    FIELD_CERTIFICATE,
    FIELD_POLICY,
    FIELD_SEQUENCE,
    FIELD_AFTER,
    FIELD_KIND,
    FIELD_WALL,
    FIELD_PAYLOAD,
    FIELD_WINDOW,
    FIELD_TEXT,
    FIELD_SETTINGS,
    FIELDS,
};
#define BIT(field) (1u << FIELD_##field)

static const char *const names[FIELDS] = {
    "version", "node", "generation", "certificate", "policy", "sequence", "after",
    "kind",    "wall", "payload",    "window",      "text",   "settings",
};

static const struct {
    const char *name;
    unsigned required, optional;
} types[] = {
    [DELIVERY_HELLO] = {"hello", BIT(VERSION) | BIT(NODE) | BIT(GENERATION) | BIT(CERTIFICATE),
                        BIT(POLICY) | BIT(SEQUENCE) | BIT(SETTINGS)},
    [DELIVERY_WELCOME] = {"welcome", BIT(VERSION) | BIT(SEQUENCE) | BIT(WINDOW), 0},
    [DELIVERY_BATCH] = {"batch", BIT(SEQUENCE) | BIT(AFTER) | BIT(KIND) | BIT(PAYLOAD), BIT(WALL)},
    [DELIVERY_ACK] = {"ack", BIT(SEQUENCE), 0},
    [DELIVERY_REFUSED] = {"refused", BIT(SEQUENCE), BIT(TEXT)},
    [DELIVERY_AGAIN] = {"again", 0, 0},
    [DELIVERY_DENIED] = {"denied", 0, BIT(TEXT)},
    [DELIVERY_SETTINGS] = {"settings", BIT(SEQUENCE) | BIT(PAYLOAD), 0},
    [DELIVERY_SETTLED] = {"settled", BIT(SEQUENCE) | BIT(KIND), BIT(TEXT)},
    [DELIVERY_REPORT] = {"report", BIT(PAYLOAD), 0},
};
#define TYPES (sizeof types / sizeof *types)

static bool take_uint(const struct msgpack_item *item, uint64_t *to)
{
    *to = item->uint;
    return item->type == MSGPACK_UINT;
}

static bool take_bytes(const struct msgpack_item *item, size_t min, size_t max, struct bytes *to)
{
    *to = item->bytes;
    return item->type == MSGPACK_BINARY && item->bytes.size >= min && item->bytes.size <= max;
}

static bool take_wall(const struct msgpack_item *item, int64_t *to)
{
    *to = item->type == MSGPACK_INT ? item->sint : (int64_t)item->uint;
    return item->type == MSGPACK_INT || (item->type == MSGPACK_UINT && item->uint <= INT64_MAX);
}

static bool take(struct delivery_message *m, enum field field, const struct msgpack_item *item)
{
    switch (field) {
    case FIELD_VERSION:
        return take_uint(item, &m->version);
    case FIELD_NODE:
        return take_bytes(item, DELIVERY_NODE_SIZE, DELIVERY_NODE_SIZE, &m->node);
    case FIELD_GENERATION:
        return take_uint(item, &m->generation);
    case FIELD_CERTIFICATE:
        return take_bytes(item, 1, DELIVERY_CERTIFICATE_MAX, &m->certificate);
    case FIELD_POLICY:
        return take_bytes(item, 0, DELIVERY_POLICY_MAX, &m->policy);
    case FIELD_SEQUENCE:
        return take_uint(item, &m->sequence);
    case FIELD_AFTER:
        return take_uint(item, &m->after);
    case FIELD_KIND:
        return take_uint(item, &m->kind);
    case FIELD_WALL:
        return take_wall(item, &m->wall);
    case FIELD_PAYLOAD:
        return take_bytes(item, 0, DELIVERY_PAYLOAD_MAX, &m->payload);
    case FIELD_WINDOW:
        return take_uint(item, &m->window);
    case FIELD_SETTINGS:
        return take_uint(item, &m->settings);
    case FIELD_TEXT:
        m->text = item->bytes;
        return item->type == MSGPACK_STRING && item->bytes.size <= DELIVERY_TEXT_MAX;
    default:
        return false;
    }
}

static enum field field_of(const struct msgpack_item *key)
{
    unsigned field = 0;
    while (field < FIELDS && !msgpack_is_text(key, names[field]))
        field++;
    return (enum field)field;
}

static enum delivery_type type_of(const struct msgpack_item *value)
{
    for (unsigned type = 1; type < TYPES; type++)
        if (msgpack_is_text(value, types[type].name))
            return (enum delivery_type)type;
    return 0;
}

/* The one "type" among the pairs; 0: none, or two. */
static enum delivery_type find_type(struct cursor c, uint32_t pairs)
{
    enum delivery_type type = 0;
    for (uint32_t i = 0; i < pairs; i++) {
        struct msgpack_item key = msgpack_next(&c);
        if (!msgpack_is_text(&key, "type")) {
            if (!msgpack_skip(&c))
                return 0;
            continue;
        }
        struct msgpack_item value = msgpack_next(&c);
        if (type != 0)
            return 0;
        type = type_of(&value);
    }
    return type;
}

/* One pair; what the type does not have is skipped. `seen` gets the field's bit; a field twice is damage. */
static bool read_pair(struct delivery_message *m, struct cursor *c, unsigned *seen)
{
    struct msgpack_item key = msgpack_next(c);
    if (key.type != MSGPACK_STRING)
        return false;
    enum field field = field_of(&key);
    if (field == FIELDS || !((types[m->type].required | types[m->type].optional) >> field & 1))
        return msgpack_skip(c);
    struct msgpack_item value = msgpack_next(c);
    if (*seen >> field & 1)
        return false;
    *seen |= 1u << field;
    return take(m, field, &value);
}

/* A batch is behind the one before it, and says so. */
static bool makes_sense(const struct delivery_message *m)
{
    if (m->type == DELIVERY_BATCH)
        return m->sequence > m->after;
    if (m->type == DELIVERY_SETTINGS)
        return m->sequence > 0 && m->payload.size <= DELIVERY_SETTINGS_MAX;
    if (m->type == DELIVERY_SETTLED)
        return m->kind >= DELIVERY_IN_EFFECT && m->kind <= DELIVERY_UNFIT;
    return m->type != DELIVERY_HELLO || m->generation != 0;
}

bool delivery_read(struct delivery_message *message, struct bytes bytes)
{
    struct cursor c = cursor_of_bytes(bytes);
    struct msgpack_item map = msgpack_next(&c);
    unsigned seen = 0;
    *message = (struct delivery_message){0};
    if (map.type != MSGPACK_MAP || (message->type = find_type(c, map.count)) == 0)
        return false;
    for (uint32_t i = 0; i < map.count; i++)
        if (!read_pair(message, &c, &seen))
            return false;
    if (c.failed || !cursor_done(&c))
        return false;
    unsigned required = types[message->type].required;
    return (seen & required) == required && makes_sense(message);
}

static void put_field(struct msgpack_writer *w, const struct delivery_message *m, enum field field)
{
    const uint64_t numbers[FIELDS] = {
        [FIELD_VERSION] = m->version,   [FIELD_GENERATION] = m->generation,
        [FIELD_SEQUENCE] = m->sequence, [FIELD_AFTER] = m->after,
        [FIELD_KIND] = m->kind,         [FIELD_WINDOW] = m->window,
        [FIELD_SETTINGS] = m->settings,
    };
    const struct bytes binaries[FIELDS] = {
        [FIELD_NODE] = m->node,
        [FIELD_CERTIFICATE] = m->certificate,
        [FIELD_POLICY] = m->policy,
        [FIELD_PAYLOAD] = m->payload,
    };
    msgpack_put_text(w, names[field]);
    switch (field) {
    case FIELD_NODE:
    case FIELD_CERTIFICATE:
    case FIELD_POLICY:
    case FIELD_PAYLOAD:
        msgpack_put_binary(w, binaries[field].data, binaries[field].size);
        return;
    case FIELD_WALL:
        msgpack_put_int(w, m->wall);
        return;
    case FIELD_TEXT:
        msgpack_put_string(w, m->text.data, m->text.size);
        return;
    default:
        msgpack_put_uint(w, numbers[field]);
    }
}

size_t delivery_write(void *to, size_t capacity, const struct delivery_message *message)
{
    struct msgpack_writer w;
    unsigned fields = types[message->type].required | types[message->type].optional;
    msgpack_writer_init(&w, to, capacity);
    msgpack_put_map(&w, 1 + (uint32_t)__builtin_popcount(fields));
    msgpack_put_text(&w, "type");
    msgpack_put_text(&w, types[message->type].name);
    for (unsigned field = 0; field < FIELDS; field++)
        if (fields >> field & 1)
            put_field(&w, message, (enum field)field);
    return w.full ? 0 : w.size;
}

/* -- the node's side --------------------------------------------------------------------------------------
 */

static void land_all(struct delivery_sender *self)
{
    self->flight_first = self->flight_count = 0;
    self->flight_bytes = 0;
}

void delivery_sender_greet(struct delivery_sender *self, uint64_t acknowledged, int64_t now)
{
    self->state = DELIVERY_GREETING;
    self->acknowledged = acknowledged;
    self->greeted = now;
    land_all(self);
}

static bool land_up_to(struct delivery_sender *self, uint64_t sequence)
{
    if (sequence > self->sent)
        return false;
    while (self->flight_count && self->flight[self->flight_first].sequence <= sequence) {
        self->flight_bytes -= self->flight[self->flight_first].size;
        self->flight_first = (self->flight_first + 1) % DELIVERY_FLIGHT_MAX;
        self->flight_count--;
    }
    if (sequence > self->acknowledged)
        self->acknowledged = sequence;
    return true;
}

static enum delivery_heard hear_welcome(struct delivery_sender *self, const struct delivery_message *m,
                                        uint64_t last)
{
    if (self->state != DELIVERY_GREETING || m->version != DELIVERY_VERSION)
        return DELIVERY_HEARD_WRONG;
    if (m->sequence > last)
        return DELIVERY_HEARD_AHEAD;
    if (m->sequence > self->acknowledged)
        self->acknowledged = m->sequence;
    self->sent = self->acknowledged;
    self->window = m->window;
    self->state = DELIVERY_SENDING;
    return DELIVERY_HEARD_WELCOME;
}

enum delivery_heard delivery_sender_hear(struct delivery_sender *self, const struct delivery_message *message,
                                         uint64_t last)
{
    bool sending = self->state == DELIVERY_SENDING;
    switch (message->type) {
    case DELIVERY_WELCOME:
        return hear_welcome(self, message, last);
    case DELIVERY_ACK:
        if (!sending)
            return DELIVERY_HEARD_NOTHING; /* of before HELLO was said again */
        return land_up_to(self, message->sequence) ? DELIVERY_HEARD_PROGRESS : DELIVERY_HEARD_WRONG;
    case DELIVERY_REFUSED:
        if (!sending)
            return DELIVERY_HEARD_NOTHING;
        return land_up_to(self, message->sequence) ? DELIVERY_HEARD_REFUSED : DELIVERY_HEARD_WRONG;
    case DELIVERY_AGAIN:
        return sending ? DELIVERY_HEARD_AGAIN : DELIVERY_HEARD_NOTHING;
    case DELIVERY_SETTINGS:
        return sending ? DELIVERY_HEARD_SETTINGS : DELIVERY_HEARD_NOTHING;
    case DELIVERY_DENIED:
        return DELIVERY_HEARD_DENIED;
    default:
        return DELIVERY_HEARD_WRONG;
    }
}

bool delivery_sender_may_send(const struct delivery_sender *self, size_t size)
{
    if (self->state != DELIVERY_SENDING || self->flight_count == DELIVERY_FLIGHT_MAX)
        return false;
    return self->flight_count == 0 || self->flight_bytes + size <= self->window;
}

void delivery_sender_sent(struct delivery_sender *self, uint64_t sequence, size_t size, int64_t now)
{
    unsigned place = (self->flight_first + self->flight_count++) % DELIVERY_FLIGHT_MAX;
    self->flight[place].sequence = sequence;
    self->flight[place].size = size;
    self->flight[place].at = now;
    self->flight_bytes += size;
    self->sent = sequence;
}

bool delivery_sender_is_lost(const struct delivery_sender *self, int64_t now, int64_t patience)
{
    if (self->state == DELIVERY_GREETING)
        return now - self->greeted > patience;
    return self->flight_count && now - self->flight[self->flight_first].at > patience;
}

/* -- the receiver's side ----------------------------------------------------------------------------------
 */

void delivery_source_greet(struct delivery_source *self, const struct delivery_message *hello)
{
    if (self->generation != hello->generation)
        *self = (struct delivery_source){.generation = hello->generation};
    /* What another receiver has will not come here. */
    if (hello->sequence > self->last)
        self->last = hello->sequence;
}

enum delivery_verdict delivery_source_judge(const struct delivery_source *self,
                                            const struct delivery_message *batch)
{
    if (batch->sequence <= self->last)
        return DELIVERY_KNOWN;
    return batch->after > self->last ? DELIVERY_MISSING : DELIVERY_TAKE;
}
