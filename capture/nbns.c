/* SPDX-License-Identifier: Apache-2.0
 *
 * The NetBIOS name service (RFC 1001, RFC 1002 section 4.2, [MS-NBTE]): DNS messages with names of another
 * make. Who has which name, who asks for one, and who registers one.
 */
#include "capture/dissect.h"
#include "capture/dns.h"
#include "capture/protocols.h"

/* RFC 1002 4.2.1.1, [MS-NBTE] 2.2.2 */
#define OPCODE_QUERY     0
#define FLAG_BROADCAST   0x0010u
#define TYPE_NB          0x0020
#define TYPE_NODE_STATUS 0x0021

#define NAME_SIZE     16
#define ADDRESSES_MAX 32
#define NAMES_MAX     64

struct netbios_name {
    uint8_t bytes[NAME_SIZE]; /* the last one is the suffix */
    bool good;
};

struct nbns_message {
    struct dns_header header;
    struct bytes whole;
    struct netbios_name name; /* of the first question, or of the first record when there is none */
    uint16_t type;
    bool has_name;
    bool damaged;
    struct dns_record answer; /* the first NB or node status record, of any section */
    bool has_answer;
};

/* RFC 1001 14.1: the sixteen bytes stand as one label of 32 letters, four bits each, from 'A'; a scope may
 * follow. `c` is only read. */
static struct netbios_name name_decode(struct cursor c, struct bytes message)
{
    struct netbios_name name = {.good = false};
    uint8_t length = cursor_u8(&c);
    if (length >= 0xc0) { /* a record's name points at the question's (RFC 1002 4.2) */
        size_t offset = (size_t)(length & 0x3f) << 8 | cursor_u8(&c);
        if (c.failed || offset >= message.size)
            return name;
        c = cursor_of(message.data + offset, message.size - offset);
        length = cursor_u8(&c);
    }
    struct bytes label = cursor_take(&c, length);
    if (length != 2 * NAME_SIZE || label.size != length)
        return name;
    for (size_t i = 0; i < NAME_SIZE; i++) {
        uint8_t high = (uint8_t)(label.data[2 * i] - 'A');
        uint8_t low = (uint8_t)(label.data[2 * i + 1] - 'A');
        if (high > 15 || low > 15)
            return name;
        name.bytes[i] = (uint8_t)(high << 4 | low);
    }
    name.good = true;
    return name;
}

/* Length of the name without suffix and padding (spaces; zeros after the wildcard '*'). */
static size_t name_length(const uint8_t *name)
{
    size_t size = NAME_SIZE - 1;
    while (size && (name[size - 1] == ' ' || name[size - 1] == 0))
        size--;
    return size;
}

static void read_records(struct nbns_message *m, struct cursor *c)
{
    uint32_t left = (uint32_t)m->header.counts[1] + m->header.counts[2] + m->header.counts[3];
    for (; left && !c->failed; left--) {
        struct dns_record record;
        if (!dns_record_read(c, &record))
            break;
        if (m->has_answer || (record.type != TYPE_NB && record.type != TYPE_NODE_STATUS))
            continue;
        m->answer = record;
        m->has_answer = true;
        if (m->has_name)
            continue;
        m->name = name_decode((struct cursor){.at = record.name, .end = c->end, .failed = false}, m->whole);
        m->type = record.type;
        m->has_name = true;
    }
}

/* False when not even the flags are there. */
static bool message_read(struct cursor c, struct nbns_message *m)
{
    if (cursor_left(&c) < 4)
        return false;
    m->whole = (struct bytes){.data = c.at, .size = cursor_left(&c)};
    m->has_name = m->has_answer = false;
    m->type = 0;
    dns_header_read(&c, &m->header);
    for (uint32_t left = c.failed ? 0 : m->header.counts[0]; left && !c.failed; left--) {
        struct cursor name = c;
        dns_name_skip(&c);
        uint16_t type = cursor_be16(&c);
        cursor_skip(&c, 2); /* class IN */
        if (m->has_name || c.failed)
            continue;
        m->name = name_decode(name, m->whole);
        m->type = type;
        m->has_name = true;
    }
    read_records(m, &c);
    m->damaged = c.failed;
    return true;
}

static void put_name(struct activity_writer *w, const struct nbns_message *m)
{
    if (!m->has_name || !m->name.good)
        return;
    activity_put_string(w, FIELD_NETBIOS_NAME, m->name.bytes, name_length(m->name.bytes));
    activity_put_uint(w, FIELD_NETBIOS_SUFFIX, m->name.bytes[NAME_SIZE - 1]);
}

/* RFC 1002 4.2.13: NB_FLAGS 2 (bit 15: group name), NB_ADDRESS 4, again and again */
static void put_addresses(struct activity_writer *w, struct cursor data)
{
    if (cursor_left(&data) < 6)
        return;
    bool group = false;
    struct ip_address addresses[ADDRESSES_MAX];
    uint32_t count = 0;
    while (cursor_left(&data) >= 6 && count < ADDRESSES_MAX) {
        group = cursor_be16(&data) & 0x8000;
        addresses[count] = (struct ip_address){.family = 4};
        cursor_copy(&data, addresses[count++].bytes, 4);
    }
    activity_put_bool(w, FIELD_NETBIOS_GROUP, group);
    if (!activity_list_begin(w, FIELD_ADDRESSES))
        return;
    for (uint32_t i = 0; i < count; i++)
        activity_list_address(w, &addresses[i]);
    activity_list_end(w);
}

/* RFC 1002 4.2.18: NUM_NAMES 1, then of each NETBIOS_NAME 15, suffix 1, NAME_FLAGS 2; then UNIT_ID 6, ... */
static void put_node_status(struct activity_writer *w, struct cursor data)
{
    static const char hex[] = "0123456789abcdef";
    uint32_t names = cursor_u8(&data);
    if (!names || !activity_list_begin(w, FIELD_NETBIOS_NAMES))
        return;
    for (uint32_t i = 0; i < names && i < NAMES_MAX && cursor_left(&data) >= NAME_SIZE + 2; i++) {
        struct bytes name = cursor_take(&data, NAME_SIZE);
        cursor_skip(&data, 2);
        char text[NAME_SIZE + 4];
        size_t size = name_length(name.data);
        memcpy(text, name.data, size);
        text[size++] = '<';
        text[size++] = hex[name.data[NAME_SIZE - 1] >> 4];
        text[size++] = hex[name.data[NAME_SIZE - 1] & 15];
        text[size++] = '>';
        activity_list_string(w, text, size);
    }
    activity_list_end(w);
    struct bytes unit = cursor_take(&data, 6);
    if (unit.size && memcmp(unit.data, "\0\0\0\0\0", 6) != 0)
        activity_put_bytes(w, FIELD_NETBIOS_MAC, unit.data, unit.size);
}

static void put_answer(struct dissect *d, struct activity_writer *w, const struct nbns_message *m)
{
    activity_put_uint(w, FIELD_STATUS, dns_rcode(&m->header));
    if (m->has_answer && m->answer.type == TYPE_NB)
        put_addresses(w, m->answer.data);
    else if (m->has_answer)
        put_node_status(w, m->answer.data);
    const struct endpoint *sender = d->direction == TO_CLIENT ? &d->info->server : &d->info->client;
    activity_put_address(w, FIELD_RESPONDER, &sender->address);
}

static uint64_t reply_key(const struct nbns_message *m)
{
    return (uint64_t)(dns_opcode(&m->header) == OPCODE_QUERY) << 16 | m->header.id;
}

/* A broadcast question's answers come from the owners themselves, over flows of their own. */
static void wait_or_emit(struct dissect *d, const struct nbns_message *m)
{
    if (m->header.flags & FLAG_BROADCAST)
        dissect_emit(d);
    else
        dissect_defer(d, reply_key(m));
}

static void handle_query(struct dissect *d, const struct nbns_message *m)
{
    if (!(m->header.flags & DNS_FLAG_RESPONSE)) {
        if (!m->has_name)
            return;
        struct activity_writer *w = dissect_begin(d, ACTIVITY_NBNS_QUERY);
        put_name(w, m);
        activity_put_uint(w, FIELD_DNS_TYPE, m->type);
        activity_put_bool(w, FIELD_NETBIOS_BROADCAST, m->header.flags & FLAG_BROADCAST);
        wait_or_emit(d, m);
        return;
    }
    struct activity_writer *w = dissect_resume(d, reply_key(m));
    if (!w) {
        if (!m->has_name)
            return;
        w = dissect_begin(d, ACTIVITY_NBNS_ANSWER);
        put_name(w, m);
        activity_put_uint(w, FIELD_DNS_TYPE, m->type);
    }
    put_answer(d, w, m);
    dissect_emit(d);
}

/* Registration 5, release 6, WACK 7 (wait: no answer yet), refresh 8 and 9, multi-homed registration 15. */
static void handle_registration(struct dissect *d, const struct nbns_message *m)
{
    unsigned opcode = dns_opcode(&m->header);
    if (opcode == 7 || !m->has_name)
        return;
    bool response = m->header.flags & DNS_FLAG_RESPONSE;
    struct activity_writer *w = response ? dissect_resume(d, reply_key(m)) : NULL;
    if (!w) {
        w = dissect_begin(d, ACTIVITY_NBNS_REGISTRATION);
        put_name(w, m);
        activity_put_uint(w, FIELD_DNS_OPCODE, opcode);
        activity_put_bool(w, FIELD_NETBIOS_BROADCAST, m->header.flags & FLAG_BROADCAST);
        if (m->has_answer && m->answer.type == TYPE_NB)
            put_addresses(w, m->answer.data);
    }
    if (!response) {
        wait_or_emit(d, m);
        return;
    }
    activity_put_uint(w, FIELD_STATUS, dns_rcode(&m->header));
    dissect_emit(d);
}

static void nbns_message(struct dissect *d, struct cursor wire)
{
    struct nbns_message m;
    if (!message_read(wire, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_NBNS);
        return;
    }
    dissect_counted(d, PROTOCOL_NBNS);
    if (m.header.flags & DNS_FLAG_RESPONSE)
        d->counts->nbns_responses++;
    else
        d->counts->nbns_requests++;
    if (dns_opcode(&m.header) == OPCODE_QUERY)
        handle_query(d, &m);
    else
        handle_registration(d, &m);
    if (m.damaged && !d->truncated)
        dissect_malformed(d, PROTOCOL_NBNS);
}

const struct protocol protocol_nbns = {
    .id = PROTOCOL_NBNS,
    .name = "nbns",
    .udp_ports = {137},
    .message = nbns_message,
};
