/* SPDX-License-Identifier: Apache-2.0
 *
 * DNS over UDP and TCP, LLMNR and mDNS.
 */
#include "capture/dns.h"

#include "capture/dissect.h"
#include "capture/dns_tsig.h"
#include "capture/gss.h"
#include "capture/protocols.h"

/* -- readers ---------------------------------------------------------------------------------------- */

bool dns_header_read(struct cursor *c, struct dns_header *to)
{
    to->id = cursor_be16(c);
    to->flags = cursor_be16(c);
    for (int i = 0; i < 4; i++)
        to->counts[i] = cursor_be16(c);
    return !c->failed;
}

bool dns_header_plausible(const struct dns_header *header, size_t size)
{
    unsigned opcode = dns_opcode(header);
    if (opcode > 6 || opcode == 3 || size < DNS_HEADER_SIZE)
        return false;
    /* The smallest question is the root's name, type and class; the smallest record has 11 bytes. */
    size_t records = (size_t)header->counts[1] + header->counts[2] + header->counts[3];
    return (size_t)header->counts[0] * 5 + records * 11 <= size - DNS_HEADER_SIZE;
}

/* One label as text: a dot or backslash inside it is escaped, control bytes become \DDD (RFC 4343 2.1).
 * Bytes above 127 stay: LLMNR and mDNS names are UTF-8. */
static uint32_t label_text(char *to, const uint8_t *label, unsigned size)
{
    char *at = to;
    for (unsigned i = 0; i < size; i++) {
        uint8_t b = label[i];
        if (b == '.' || b == '\\') {
            *at++ = '\\';
            *at++ = (char)b;
        } else if (b < 0x20 || b == 0x7f) {
            *at++ = '\\';
            *at++ = (char)('0' + b / 100);
            *at++ = (char)('0' + b / 10 % 10);
            *at++ = (char)('0' + b % 10);
        } else {
            *at++ = (char)b;
        }
    }
    return (uint32_t)(at - to);
}

/* RFC 1035 4.1.4: a sequence of labels that ends in a zero octet or in a pointer
 *   00LLLLLL  label of L octets        11OOOOOO OOOOOOOO  pointer to offset O, a prior occurrence
 * Each jump must go before the place that it came from and before every earlier target, so that a walk ends
 * after at most as many jumps as the message has octets; 255 octets of name bound the rest. */
bool dns_name_read(struct cursor *c, struct bytes message, struct dns_name *to)
{
    struct cursor walk = *c;
    const uint8_t *lowest = c->at;
    bool jumped = false;
    unsigned octets = 1;
    to->size = 0;
    for (;;) {
        uint8_t length = cursor_u8(&walk);
        if (walk.failed)
            break;
        if (length == 0) {
            if (!jumped)
                *c = walk;
            return true;
        }
        if (length < 0x40) {
            struct bytes label = cursor_take(&walk, length);
            octets += length + 1u;
            if (walk.failed)
                break;
            if (octets > DNS_NAME_OCTETS) {
                if (!jumped)
                    dns_name_skip(c);
                return false;
            }
            if (to->size)
                to->text[to->size++] = '.';
            to->size += label_text(to->text + to->size, label.data, length);
            continue;
        }
        if (length < 0xc0)
            break; /* 01 and 10 are reserved: its end cannot be told */
        size_t offset = (size_t)(length & 0x3f) << 8 | cursor_u8(&walk);
        if (walk.failed || offset >= message.size)
            break;
        if (!jumped)
            *c = walk;
        jumped = true;
        const uint8_t *target = message.data + offset;
        if (target >= lowest)
            return false;
        lowest = target;
        walk = (struct cursor){.at = target, .end = message.data + message.size, .failed = false};
    }
    if (!jumped)
        cursor_fail(c);
    return false;
}

void dns_name_skip(struct cursor *c)
{
    for (;;) {
        uint8_t length = cursor_u8(c);
        if (length == 0)
            return; /* the root, or failed */
        if (length >= 0xc0) {
            cursor_skip(c, 1);
            return;
        }
        if (length >= 0x40) {
            cursor_fail(c);
            return;
        }
        cursor_skip(c, length);
    }
}

/* NAME, TYPE 2, CLASS 2, TTL 4, RDLENGTH 2, RDATA */
bool dns_record_read(struct cursor *c, struct dns_record *to)
{
    to->name = c->at;
    dns_name_skip(c);
    to->type = cursor_be16(c);
    to->class = cursor_be16(c);
    to->ttl = cursor_be32(c);
    to->data = cursor_sub(c, cursor_be16(c));
    return !c->failed;
}

bool dns_record_address(const struct dns_record *record, struct ip_address *to)
{
    size_t size = record->type == DNS_TYPE_A ? 4 : 16;
    if ((record->type != DNS_TYPE_A && record->type != DNS_TYPE_AAAA) || cursor_left(&record->data) != size)
        return false;
    *to = (struct ip_address){.family = size == 4 ? 4 : 6};
    memcpy(to->bytes, record->data.at, size);
    return true;
}

const uint8_t *dns_record_target(const struct dns_record *record)
{
    size_t before;
    switch (record->type) {
    case DNS_TYPE_CNAME:
    case DNS_TYPE_DNAME:
    case DNS_TYPE_PTR:
    case DNS_TYPE_NS:
        before = 0;
        break;
    case DNS_TYPE_MX: /* preference */
        before = 2;
        break;
    case DNS_TYPE_SRV: /* priority, weight, port */
        before = 6;
        break;
    default:
        return NULL;
    }
    return cursor_left(&record->data) > before ? record->data.at + before : NULL;
}

/* Algorithm (a name), Inception 4, Expiration 4, Mode 2, Error 2, Key Size 2, Key Data, Other Size 2, ... */
bool dns_tkey_read(const struct dns_record *record, struct dns_tkey *to)
{
    struct cursor c = record->data;
    dns_name_skip(&c);
    cursor_skip(&c, 8);
    to->mode = cursor_be16(&c);
    to->error = cursor_be16(&c);
    to->key = cursor_sub(&c, cursor_be16(&c));
    return !c.failed;
}

/* -- one message ------------------------------------------------------------------------------------ */

#define LISTED_MAX 64 /* names and addresses of one message that go into its activity */
#define TYPES_MAX  16

struct question {
    const uint8_t *name;
    uint16_t type;
    uint16_t class;
};

/* The message at hand; the lists hold places in it, names are read when they are written. */
struct message {
    struct dns_header header;
    struct bytes whole;
    struct cursor rest; /* behind the questions */
    uint32_t questions; /* that could be read */
    uint32_t question_count;
    struct question question[LISTED_MAX];
};

struct listed {
    uint32_t count;
    const uint8_t *at[LISTED_MAX];
};

/* What the records say. */
struct summary {
    uint32_t answers;
    uint32_t answer_bytes;
    uint32_t record_max;
    uint32_t extended_rcode; /* RFC 6891 6.1.3, already shifted */
    const uint8_t *tsig_name;
    struct cursor tsig;
    const uint8_t *tkey_name;
    struct dns_tkey tkey;
    bool has_tkey;
    uint32_t types;
    uint16_t type[TYPES_MAX];
    struct listed targets;
    struct listed owners; /* of the addresses */
    uint32_t addresses;
    struct ip_address address[LISTED_MAX];
};

static void summary_clear(struct summary *s)
{
    s->answers = s->answer_bytes = s->record_max = s->extended_rcode = 0;
    s->tsig_name = NULL;
    s->has_tkey = false;
    s->types = 0;
    s->targets.count = s->owners.count = s->addresses = 0;
}

static void list_place(struct listed *list, const uint8_t *at)
{
    if (list->count < LISTED_MAX)
        list->at[list->count++] = at;
}

static bool name_at(const struct message *m, const uint8_t *at, struct dns_name *to)
{
    struct cursor c = {.at = at, .end = m->whole.data + m->whole.size, .failed = false};
    return dns_name_read(&c, m->whole, to);
}

static void put_name(struct activity_writer *w, enum activity_field field, const struct message *m,
                     const uint8_t *at)
{
    if (activity_has(w, field))
        return;
    struct dns_name name;
    if (name_at(m, at, &name))
        activity_put_string(w, field, name.text, name.size);
}

static void put_names(struct activity_writer *w, enum activity_field field, const struct message *m,
                      const struct listed *list)
{
    if (!list->count || !activity_list_begin(w, field))
        return;
    struct dns_name name;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!name_at(m, list->at[i], &name))
            name.size = 0; /* keeps lists that belong together in step */
        activity_list_string(w, name.text, name.size);
    }
    activity_list_end(w);
}

static void put_addresses(struct activity_writer *w, enum activity_field field, uint32_t count,
                          const struct ip_address *addresses)
{
    if (!count || !activity_list_begin(w, field))
        return;
    for (uint32_t i = 0; i < count; i++)
        activity_list_address(w, &addresses[i]);
    activity_list_end(w);
}

static void put_uints(struct activity_writer *w, enum activity_field field, uint32_t count,
                      const uint16_t *values)
{
    if (!count || !activity_list_begin(w, field))
        return;
    for (uint32_t i = 0; i < count; i++)
        activity_list_uint(w, values[i]);
    activity_list_end(w);
}

static void put_responder(struct dissect *d, struct activity_writer *w)
{
    const struct endpoint *sender = d->direction == TO_CLIENT ? &d->info->server : &d->info->client;
    activity_put_address(w, FIELD_RESPONDER, &sender->address);
}

/* Algorithm Name, ... (RFC 8945 4.2) */
static void put_signature(struct dissect *d, const struct message *m, const struct summary *s)
{
    if (!s->tsig_name)
        return;
    put_name(d->activity, FIELD_DNS_SIGNER, m, s->tsig_name);
    put_name(d->activity, FIELD_DNS_SIGNATURE, m, s->tsig.at);
    dns_tsig_verify(d, m->whole, s->tsig_name, s->tsig);
}

/* The header and the questions, counted as they come. False when not even the flags are there. */
static bool message_begin(struct dissect *d, struct cursor wire, enum dns_flavour flavour, struct message *m)
{
    if (cursor_left(&wire) < 4)
        return false;
    m->whole = (struct bytes){.data = wire.at, .size = cursor_left(&wire)};
    dns_header_read(&wire, &m->header);
    struct dns_counts *counts = &d->counts->dns[flavour];
    bool response = m->header.flags & DNS_FLAG_RESPONSE;
    unsigned opcode = dns_opcode(&m->header);
    if (response) {
        counts->responses[dns_rcode(&m->header)]++;
    } else {
        counts->opcodes[opcode]++;
        counts->over[d->info->transport]++;
    }
    m->questions = m->question_count = 0;
    for (uint32_t left = wire.failed ? 0 : m->header.counts[0]; left; left--) {
        struct question q = {.name = wire.at};
        dns_name_skip(&wire);
        q.type = cursor_be16(&wire);
        q.class = cursor_be16(&wire);
        if (wire.failed)
            break;
        if (!response && opcode == DNS_OPCODE_QUERY)
            sparse_add(&counts->queries, q.type);
        if (m->question_count < LISTED_MAX)
            m->question[m->question_count++] = q;
        m->questions++;
    }
    m->rest = wire;
    return true;
}

static void note_type(struct summary *s, uint16_t type)
{
    for (uint32_t i = 0; i < s->types; i++)
        if (s->type[i] == type)
            return;
    if (s->types < TYPES_MAX)
        s->type[s->types++] = type;
}

static void note_answer(struct summary *s, const struct dns_record *record)
{
    s->answers++;
    s->answer_bytes += (uint32_t)cursor_left(&record->data);
    note_type(s, record->type);
}

static void note_record(struct summary *s, const struct dns_record *record)
{
    if (record->type == DNS_TYPE_A || record->type == DNS_TYPE_AAAA) {
        if (s->addresses < LISTED_MAX && dns_record_address(record, &s->address[s->addresses])) {
            list_place(&s->owners, record->name);
            s->addresses++;
        }
        return;
    }
    const uint8_t *target = dns_record_target(record);
    if (target)
        list_place(&s->targets, target);
}

/* The records that go with a message rather than being its answer (pseudo and meta records). */
static void note_meta(struct summary *s, const struct dns_record *record)
{
    if (record->type == DNS_TYPE_OPT) {
        s->extended_rcode = record->ttl >> 24 << 4;
    } else if (record->type == DNS_TYPE_TSIG) {
        s->tsig_name = record->name;
        s->tsig = record->data;
    } else if (record->type == DNS_TYPE_TKEY && !s->has_tkey) {
        s->tkey_name = record->name;
        s->has_tkey = dns_tkey_read(record, &s->tkey);
    }
}

/* All records behind the questions. `everywhere`: addresses and targets of all sections count, not only those
 * of the answers (mDNS puts addresses into the additional section). */
static void message_records(struct message *m, struct summary *s, bool everywhere)
{
    summary_clear(s);
    for (int section = 1; section < 4; section++) {
        for (uint32_t left = m->header.counts[section]; left && !m->rest.failed; left--) {
            struct dns_record record;
            if (!dns_record_read(&m->rest, &record))
                return;
            uint32_t size = (uint32_t)cursor_left(&record.data);
            if (size > s->record_max)
                s->record_max = size;
            if (section == 1)
                note_answer(s, &record);
            if (section == 1 || everywhere)
                note_record(s, &record);
            if (section == 3 || record.type == DNS_TYPE_TKEY)
                note_meta(s, &record);
        }
    }
}

static bool message_damaged(const struct message *m)
{
    return m->rest.failed;
}

static void put_question(struct activity_writer *w, const struct message *m)
{
    if (!m->question_count)
        return;
    put_name(w, FIELD_DNS_NAME, m, m->question[0].name);
    activity_put_uint(w, FIELD_DNS_TYPE, m->question[0].type);
}

static void put_questions(struct activity_writer *w, const struct message *m)
{
    struct listed names = {.count = 0};
    uint16_t types[LISTED_MAX];
    for (uint32_t i = 0; i < m->question_count; i++) {
        list_place(&names, m->question[i].name);
        types[i] = m->question[i].type;
    }
    put_names(w, FIELD_DNS_NAMES, m, &names);
    put_uints(w, FIELD_DNS_TYPES, m->question_count, types);
    if (m->questions > m->question_count)
        w->truncated = true;
}

/* -- DNS -------------------------------------------------------------------------------------------- */

/* A zone transfer that goes on (RFC 5936, RFC 1995): one at a time on a flow. */
struct transfer {
    uint64_t key;
    uint64_t messages;
    uint64_t records;
    uint64_t bytes;
    uint32_t serial;
    uint8_t closing; /* SOA records with the new serial so far */
    bool incremental;
    bool open;
    bool complete;
    bool failed;
    uint32_t rcode;
};

struct dns_state {
    struct transfer *transfer;
    struct gss_exchange *gss;
};

/* Keys of what waits for its reply: the message id, apart for each kind. */
static uint64_t dns_key(const struct dns_header *header, enum activity_kind kind)
{
    return (uint64_t)kind << 16 | header->id;
}

static bool is_transfer(const struct message *m)
{
    return dns_opcode(&m->header) == DNS_OPCODE_QUERY && m->question_count &&
           (m->question[0].type == DNS_TYPE_AXFR || m->question[0].type == DNS_TYPE_IXFR);
}

static void transfer_end(struct dissect *d, struct transfer *t)
{
    if (!t->open)
        return;
    t->open = false;
    struct activity_writer *w = t->messages ? dissect_resume(d, t->key) : NULL;
    if (!w)
        return; /* no response: the engine emits it as unanswered */
    activity_put_uint(w, FIELD_STATUS, t->rcode);
    activity_put_uint(w, FIELD_DNS_MESSAGES, t->messages);
    activity_put_uint(w, FIELD_DNS_RECORDS, t->records);
    activity_put_uint(w, FIELD_DNS_BYTES, t->bytes);
    activity_put_bool(w, FIELD_DNS_COMPLETE, t->complete);
    dissect_emit(d);
}

static void transfer_begin(struct dissect *d, struct dns_state *state, const struct message *m,
                           const struct summary *s)
{
    if (!state->transfer)
        state->transfer = dissect_alloc(d, sizeof *state->transfer);
    if (state->transfer)
        transfer_end(d, state->transfer);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_DNS_TRANSFER);
    put_name(w, FIELD_DNS_ZONE, m, m->question[0].name);
    activity_put_uint(w, FIELD_DNS_TYPE, m->question[0].type);
    put_signature(d, m, s);
    if (!state->transfer) {
        dissect_emit(d);
        return;
    }
    *state->transfer = (struct transfer){.key = dns_key(&m->header, ACTIVITY_DNS_TRANSFER), .open = true};
    dissect_defer(d, state->transfer->key);
}

/* One record of the transfer's answer. A whole zone begins and ends with its SOA record (RFC 5936 2.2); an
 * incremental one begins with the new SOA, then has sequences that begin with an older and a newer SOA, and
 * ends with the new one, for the third time (RFC 1995 4). */
static void transfer_record(struct transfer *t, const struct dns_record *record)
{
    t->records++;
    if (record->type != DNS_TYPE_SOA)
        return;
    struct cursor soa = record->data; /* MNAME, RNAME, SERIAL 4, ... */
    dns_name_skip(&soa);
    dns_name_skip(&soa);
    uint32_t serial = cursor_be32(&soa);
    if (soa.failed)
        return;
    if (t->records == 1)
        t->serial = serial;
    else if (t->records == 2 && serial != t->serial)
        t->incremental = true;
    if (serial == t->serial)
        t->closing++;
    t->complete = t->closing >= (t->incremental ? 3 : 2);
}

static bool transfer_response(struct dissect *d, struct dns_state *state, struct message *m)
{
    struct transfer *t = state->transfer;
    uint64_t key = dns_key(&m->header, ACTIVITY_DNS_TRANSFER);
    if (!t || !t->open || t->key != key) {
        if (!is_transfer(m))
            return false;
        struct summary none;
        summary_clear(&none);
        transfer_begin(d, state, m, &none); /* the request was not captured */
        t = state->transfer;
        if (!t)
            return true;
    }
    t->messages++;
    t->bytes += m->whole.size;
    t->rcode = dns_rcode(&m->header);
    for (uint32_t left = m->header.counts[1]; left && !m->rest.failed && !t->complete; left--) {
        struct dns_record record;
        if (dns_record_read(&m->rest, &record))
            transfer_record(t, &record);
    }
    bool last = t->complete || t->rcode != 0 || d->info->transport == TRANSPORT_UDP;
    if (last)
        transfer_end(d, t);
    else if (dissect_revisit(d, key))
        dissect_defer(d, key); /* it is alive: the wait begins anew */
    return true;
}

/* RFC 2136 2.5: added when the class is the zone's; ANY and NONE delete. */
struct changes {
    struct listed names;
    uint16_t types[LISTED_MAX];
    uint32_t addresses;
    struct ip_address address[LISTED_MAX];
};

static void note_change(struct changes *changes, const struct dns_record *record)
{
    uint32_t n = changes->names.count;
    if (n == LISTED_MAX)
        return;
    list_place(&changes->names, record->name);
    changes->types[n] = record->type;
    if (dns_record_address(record, &changes->address[changes->addresses]))
        changes->addresses++;
}

static void update_request(struct dissect *d, struct message *m)
{
    if (!m->question_count)
        return;
    struct changes added = {.addresses = 0}, deleted = {.addresses = 0};
    struct summary s;
    uint32_t updates = m->header.counts[2];
    summary_clear(&s);
    for (int section = 1; section < 4; section++) {
        for (uint32_t left = m->header.counts[section]; left && !m->rest.failed; left--) {
            struct dns_record record;
            if (!dns_record_read(&m->rest, &record))
                break;
            if (cursor_left(&record.data) > s.record_max)
                s.record_max = (uint32_t)cursor_left(&record.data);
            if (section == 2)
                note_change(record.class == DNS_CLASS_ANY || record.class == DNS_CLASS_NONE ? &deleted
                                                                                            : &added,
                            &record);
            else if (section == 3)
                note_meta(&s, &record);
        }
    }
    struct activity_writer *w = dissect_begin(d, ACTIVITY_DNS_UPDATE);
    put_name(w, FIELD_DNS_ZONE, m, m->question[0].name);
    if (m->header.counts[1])
        activity_put_uint(w, FIELD_DNS_PREREQUISITES, m->header.counts[1]);
    put_names(w, FIELD_DNS_ADDED_NAMES, m, &added.names);
    put_uints(w, FIELD_DNS_ADDED_TYPES, added.names.count, added.types);
    put_addresses(w, FIELD_DNS_ADDED_ADDRESSES, added.addresses, added.address);
    put_names(w, FIELD_DNS_DELETED_NAMES, m, &deleted.names);
    put_uints(w, FIELD_DNS_DELETED_TYPES, deleted.names.count, deleted.types);
    put_addresses(w, FIELD_DNS_DELETED_ADDRESSES, deleted.addresses, deleted.address);
    put_signature(d, m, &s);
    activity_put_uint(w, FIELD_DNS_RECORD_MAX, s.record_max);
    activity_put_uint(w, FIELD_DNS_REQUEST_SIZE, m->whole.size);
    if (updates > added.names.count + deleted.names.count || d->truncated)
        w->truncated = true;
    dissect_defer(d, dns_key(&m->header, ACTIVITY_DNS_UPDATE));
}

static void update_response(struct dissect *d, struct message *m)
{
    struct activity_writer *w = dissect_resume(d, dns_key(&m->header, ACTIVITY_DNS_UPDATE));
    if (!w) {
        if (!m->question_count)
            return;
        w = dissect_begin(d, ACTIVITY_DNS_UPDATE);
        put_name(w, FIELD_DNS_ZONE, m, m->question[0].name);
    }
    activity_put_uint(w, FIELD_STATUS, dns_rcode(&m->header));
    dissect_emit(d);
}

/* TKEY negotiates the key of later signatures by GSS-API tokens (RFC 3645 4.1). */
static void tkey_token(struct dissect *d, struct dns_state *state, const struct message *m,
                       const struct summary *s)
{
    if (!s->has_tkey || s->tkey.mode != 3)
        return;
    if (!state->gss)
        state->gss = dissect_alloc(d, sizeof *state->gss);
    if (!state->gss)
        return;
    if (!cursor_done(&s->tkey.key))
        gss_token(d, state->gss, s->tkey.key, "dns", 0);
    if (!(m->header.flags & DNS_FLAG_RESPONSE))
        return;
    uint32_t status = s->tkey.error ? s->tkey.error : dns_rcode(&m->header);
    gss_outcome(d, state->gss, status);
    if (status == 0 && state->gss->context) {
        dns_tsig_learn(d, m->whole, s->tkey_name, state->gss->context);
        state->gss->context = 0;
    }
}

static void query_request(struct dissect *d, struct dns_state *state, struct message *m)
{
    struct summary s;
    message_records(m, &s, false);
    if (!m->question_count)
        return;
    if (is_transfer(m)) {
        transfer_begin(d, state, m, &s);
        return;
    }
    struct activity_writer *w = dissect_begin(d, ACTIVITY_DNS_QUERY);
    put_question(w, m);
    if (m->question_count && m->question[0].class != DNS_CLASS_IN)
        activity_put_uint(w, FIELD_DNS_CLASS, m->question[0].class);
    if (m->question_count > 1)
        put_questions(w, m);
    if (dns_opcode(&m->header) != DNS_OPCODE_QUERY)
        activity_put_uint(w, FIELD_DNS_OPCODE, dns_opcode(&m->header));
    activity_put_bool(w, FIELD_DNS_RECURSION, m->header.flags & DNS_FLAG_RECURSION);
    put_signature(d, m, &s);
    activity_put_uint(w, FIELD_DNS_REQUEST_SIZE, m->whole.size);
    if (d->truncated)
        w->truncated = true;
    dissect_defer(d, dns_key(&m->header, ACTIVITY_DNS_QUERY));
    tkey_token(d, state, m, &s);
}

static void query_response(struct dissect *d, struct dns_state *state, struct message *m)
{
    if (transfer_response(d, state, m))
        return;
    struct summary s;
    message_records(m, &s, false);
    struct activity_writer *w = dissect_resume(d, dns_key(&m->header, ACTIVITY_DNS_QUERY));
    if (!w) {
        if (!m->question_count)
            return;
        w = dissect_begin(d, ACTIVITY_DNS_QUERY);
        put_question(w, m);
    }
    activity_put_uint(w, FIELD_STATUS, s.extended_rcode | dns_rcode(&m->header));
    activity_put_bool(w, FIELD_DNS_AUTHORITATIVE, m->header.flags & DNS_FLAG_AUTHORITATIVE);
    if (m->header.flags & DNS_FLAG_CUT)
        activity_put_bool(w, FIELD_DNS_CUT, true);
    activity_put_uint(w, FIELD_DNS_ANSWERS, m->header.counts[1]);
    activity_put_uint(w, FIELD_DNS_ANSWER_BYTES, s.answer_bytes);
    activity_put_uint(w, FIELD_DNS_RECORD_MAX, s.record_max);
    put_uints(w, FIELD_DNS_RECORD_TYPES, s.types, s.type);
    put_addresses(w, FIELD_ADDRESSES, s.addresses, s.address);
    put_names(w, FIELD_DNS_TARGETS, m, &s.targets);
    activity_put_uint(w, FIELD_DNS_RESPONSE_SIZE, m->whole.size);
    if (d->truncated)
        w->truncated = true;
    dissect_emit(d);
    tkey_token(d, state, m, &s);
}

static void dns_message(struct dissect *d, struct cursor wire)
{
    struct message m;
    if (d->info->transport == TRANSPORT_TCP)
        cursor_skip(&wire, 2);
    if (!message_begin(d, wire, DNS_UNICAST, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_DNS);
        return;
    }
    dissect_counted(d, PROTOCOL_DNS);
    bool response = m.header.flags & DNS_FLAG_RESPONSE;
    if (dns_opcode(&m.header) == DNS_OPCODE_UPDATE)
        (response ? update_response : update_request)(d, &m);
    else
        (response ? query_response : query_request)(d, d->state, &m);
    if (message_damaged(&m) && !d->truncated)
        dissect_malformed(d, PROTOCOL_DNS);
}

static void dns_close(struct dissect *d)
{
    struct dns_state *state = d->state;
    if (state->transfer)
        transfer_end(d, state->transfer);
    if (state->gss)
        gss_end(d, state->gss);
}

/* RFC 1035 4.2.2: a message is preceded by its length in two bytes. */
static struct frame dns_frame(struct dissect *d, struct bytes start)
{
    (void)d;
    if (start.size < 2 + DNS_HEADER_SIZE)
        return frame_more(2 + DNS_HEADER_SIZE);
    struct cursor c = cursor_of_bytes(start);
    size_t length = cursor_be16(&c);
    struct dns_header header;
    dns_header_read(&c, &header);
    if (!dns_header_plausible(&header, length))
        return frame_bad();
    return frame_ok(2 + length, 2 + length);
}

static enum detection dns_detect(struct bytes start, enum transport transport, enum direction direction,
                                 bool on_port)
{
    (void)direction;
    if (!on_port)
        return DETECT_NO; /* nothing in a DNS header is a signature */
    if (transport == TRANSPORT_UDP)
        return DETECT_YES;
    if (start.size < 2 + DNS_HEADER_SIZE)
        return DETECT_MORE;
    return dns_frame(NULL, start).verdict == FRAME_OK ? DETECT_YES : DETECT_NO;
}

/* -- LLMNR ------------------------------------------------------------------------------------------ */

static bool is_multicast(const struct ip_address *address)
{
    return address->family == 4 ? (address->bytes[0] & 0xf0) == 0xe0 : address->bytes[0] == 0xff;
}

/* A question goes to 224.0.0.252 or FF02::1:3, its answer comes from the responder's own address, that is
 * over another flow (RFC 4795 2.5): then the two are activities of their own. */
static void llmnr_question(struct dissect *d, const struct message *m)
{
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LLMNR_QUERY);
    put_question(w, m);
    if (is_multicast(&d->info->server.address))
        dissect_emit(d);
    else
        dissect_defer(d, dns_key(&m->header, ACTIVITY_LLMNR_QUERY));
}

static void llmnr_answer(struct dissect *d, struct message *m)
{
    struct summary s;
    message_records(m, &s, false);
    struct activity_writer *w = dissect_resume(d, dns_key(&m->header, ACTIVITY_LLMNR_QUERY));
    if (!w) {
        if (!m->question_count)
            return;
        w = dissect_begin(d, ACTIVITY_LLMNR_ANSWER);
        put_question(w, m);
    }
    activity_put_uint(w, FIELD_STATUS, dns_rcode(&m->header));
    put_addresses(w, FIELD_ADDRESSES, s.addresses, s.address);
    put_names(w, FIELD_DNS_TARGETS, m, &s.targets);
    put_responder(d, w);
    dissect_emit(d);
}

static void llmnr_message(struct dissect *d, struct cursor wire)
{
    struct message m;
    if (d->info->transport == TRANSPORT_TCP)
        cursor_skip(&wire, 2);
    if (!message_begin(d, wire, DNS_LLMNR, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_LLMNR);
        return;
    }
    dissect_counted(d, PROTOCOL_LLMNR);
    if (m.header.flags & DNS_FLAG_RESPONSE)
        llmnr_answer(d, &m);
    else if (m.question_count)
        llmnr_question(d, &m);
    if (message_damaged(&m) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LLMNR);
}

/* -- mDNS ------------------------------------------------------------------------------------------- */

static void mdns_announcement(struct dissect *d, struct message *m)
{
    struct summary s;
    message_records(m, &s, true);
    if (!s.answers)
        return;
    struct activity_writer *w = dissect_begin(d, ACTIVITY_MDNS_ANNOUNCEMENT);
    activity_put_uint(w, FIELD_DNS_ANSWERS, s.answers);
    put_addresses(w, FIELD_ADDRESSES, s.addresses, s.address);
    put_names(w, FIELD_ADDRESS_NAMES, m, &s.owners);
    put_names(w, FIELD_DNS_TARGETS, m, &s.targets);
    put_responder(d, w);
    dissect_emit(d);
}

static void mdns_message(struct dissect *d, struct cursor wire)
{
    struct message m;
    if (!message_begin(d, wire, DNS_MDNS, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_MDNS);
        return;
    }
    dissect_counted(d, PROTOCOL_MDNS);
    if (m.header.flags & DNS_FLAG_RESPONSE) {
        mdns_announcement(d, &m);
    } else if (m.question_count) {
        put_questions(dissect_begin(d, ACTIVITY_MDNS_QUERY), &m);
        dissect_emit(d);
    }
    if (message_damaged(&m) && !d->truncated)
        dissect_malformed(d, PROTOCOL_MDNS);
}

const struct protocol protocol_dns = {
    .id = PROTOCOL_DNS,
    .name = "dns",
    .tcp_ports = {53, 5353},
    .udp_ports = {53},
    .detect = dns_detect,
    .state_size = sizeof(struct dns_state),
    .frame = dns_frame,
    .message = dns_message,
    .close = dns_close,
};

const struct protocol protocol_mdns = {
    .id = PROTOCOL_MDNS,
    .name = "mdns",
    .udp_ports = {5353},
    .message = mdns_message,
};

const struct protocol protocol_llmnr = {
    .id = PROTOCOL_LLMNR,
    .name = "llmnr",
    .tcp_ports = {5355},
    .udp_ports = {5355},
    .detect = dns_detect,
    .frame = dns_frame,
    .message = llmnr_message,
};
