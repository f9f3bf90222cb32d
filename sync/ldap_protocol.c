/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_protocol.h"

#include "sync/ldap_writer.h"

#include <stdlib.h>

#define LDAP_VERSION 3

static void begin_message(struct ldap_writer *w, uint8_t *to, size_t capacity, uint32_t id)
{
    *w = (struct ldap_writer){.to = to, .capacity = capacity};
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_int(w, BER_INTEGER, id);
}

static size_t end_message(struct ldap_writer *w)
{
    ldap_writer_close(w);
    return w->failed ? 0 : w->size;
}

size_t ldap_write_bind_simple(uint8_t *to, size_t capacity, uint32_t id, const char *name,
                              struct bytes password)
{
    struct ldap_writer w;
    begin_message(&w, to, capacity, id);
    ldap_writer_open(&w, LDAP_OP_BIND);
    ldap_writer_int(&w, BER_INTEGER, LDAP_VERSION);
    ldap_writer_string(&w, BER_OCTET_STRING, name);
    ldap_writer_bytes(&w, BER_CONTEXT(0), password);
    ldap_writer_close(&w);
    return end_message(&w);
}

size_t ldap_write_bind_sasl(uint8_t *to, size_t capacity, uint32_t id, const char *mechanism,
                            struct bytes credentials)
{
    struct ldap_writer w;
    begin_message(&w, to, capacity, id);
    ldap_writer_open(&w, LDAP_OP_BIND);
    ldap_writer_int(&w, BER_INTEGER, LDAP_VERSION);
    ldap_writer_string(&w, BER_OCTET_STRING, "");
    ldap_writer_open(&w, BER_CONTEXT_CONS(3));
    ldap_writer_string(&w, BER_OCTET_STRING, mechanism);
    ldap_writer_bytes(&w, BER_OCTET_STRING, credentials);
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    return end_message(&w);
}

size_t ldap_write_unbind(uint8_t *to, size_t capacity, uint32_t id)
{
    struct ldap_writer w;
    begin_message(&w, to, capacity, id);
    ldap_writer_bytes(&w, LDAP_OP_UNBIND, (struct bytes){0});
    return end_message(&w);
}

size_t ldap_write_abandon(uint8_t *to, size_t capacity, uint32_t id, uint32_t abandoned)
{
    struct ldap_writer w;
    begin_message(&w, to, capacity, id);
    ldap_writer_int(&w, LDAP_OP_ABANDON, abandoned);
    return end_message(&w);
}

size_t ldap_write_extended(uint8_t *to, size_t capacity, uint32_t id, const char *oid)
{
    struct ldap_writer w;
    begin_message(&w, to, capacity, id);
    ldap_writer_open(&w, LDAP_OP_EXTENDED_REQUEST);
    ldap_writer_string(&w, BER_CONTEXT(0), oid);
    ldap_writer_close(&w);
    return end_message(&w);
}

/* --- search and its controls --- */

static void begin_control(struct ldap_writer *w, const char *oid)
{
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_string(w, BER_OCTET_STRING, oid);
    ldap_writer_bool(w, true); /* critical: an answer without it would be another question's */
}

static void write_dirsync(struct ldap_writer *w, const struct ldap_query *query)
{
    begin_control(w, LDAP_OID_DIRSYNC);
    ldap_writer_open(w, BER_OCTET_STRING);
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_int(w, BER_INTEGER, (int32_t)query->dirsync_flags);
    ldap_writer_int(w, BER_INTEGER, (int32_t)query->dirsync_bytes);
    ldap_writer_bytes(w, BER_OCTET_STRING, query->cookie);
    ldap_writer_close(w);
    ldap_writer_close(w);
    ldap_writer_close(w);
}

static void write_paged(struct ldap_writer *w, const struct ldap_query *query)
{
    begin_control(w, LDAP_OID_PAGED);
    ldap_writer_open(w, BER_OCTET_STRING);
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_int(w, BER_INTEGER, query->page_size);
    ldap_writer_bytes(w, BER_OCTET_STRING, query->cookie);
    ldap_writer_close(w);
    ldap_writer_close(w);
    ldap_writer_close(w);
}

static void write_extended_dn(struct ldap_writer *w)
{
    begin_control(w, LDAP_OID_EXTENDED_DN);
    ldap_writer_open(w, BER_OCTET_STRING);
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_int(w, BER_INTEGER, 1); /* GUID and SID in their dashed form, [MS-ADTS] 3.1.1.3.4.1.5 */
    ldap_writer_close(w);
    ldap_writer_close(w);
    ldap_writer_close(w);
}

static void write_controls(struct ldap_writer *w, const struct ldap_query *query)
{
    if (!query->dirsync && !query->page_size && !query->extended_dn && !query->show_deleted)
        return;
    ldap_writer_open(w, BER_CONTEXT_CONS(0));
    if (query->dirsync)
        write_dirsync(w, query);
    if (query->page_size)
        write_paged(w, query);
    if (query->extended_dn)
        write_extended_dn(w);
    if (query->show_deleted) {
        begin_control(w, LDAP_OID_SHOW_DELETED);
        ldap_writer_close(w);
    }
    ldap_writer_close(w);
}

size_t ldap_write_search(uint8_t *to, size_t capacity, uint32_t id, const struct ldap_query *query)
{
    struct ldap_writer w;
    begin_message(&w, to, capacity, id);
    ldap_writer_open(&w, LDAP_OP_SEARCH);
    ldap_writer_string(&w, BER_OCTET_STRING, query->base);
    ldap_writer_int(&w, BER_ENUMERATED, query->scope);
    ldap_writer_int(&w, BER_ENUMERATED, 0); /* aliases are never followed */
    ldap_writer_int(&w, BER_INTEGER, query->size_limit);
    ldap_writer_int(&w, BER_INTEGER, 0); /* no limit of time: the client has its own */
    ldap_writer_bool(&w, false);         /* values too */
    ldap_writer_filter(&w, query->filter);
    ldap_writer_open(&w, BER_SEQUENCE);
    for (const char *const *name = query->attributes; name && *name; name++)
        ldap_writer_string(&w, BER_OCTET_STRING, *name);
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    write_controls(&w, query);
    return end_message(&w);
}

/* --- answers --- */

size_t ldap_reply_size(struct bytes stream, size_t max)
{
    if (stream.size == 0)
        return 0;
    if (stream.data[0] != BER_SEQUENCE)
        return SIZE_MAX;
    if (stream.size < 2)
        return 0;
    size_t octets = stream.data[1] < 0x80 ? 0 : stream.data[1] & 0x7fu;
    if (stream.data[1] == 0x80 || octets > 4)
        return SIZE_MAX;
    if (stream.size < 2 + octets)
        return 0;
    struct cursor c = cursor_of(stream.data + 1, 1 + octets);
    size_t size = ber_length(&c);
    if (size > max)
        return SIZE_MAX;
    return 2 + octets + size;
}

bool ldap_reply_read(struct bytes whole, struct ldap_reply *reply)
{
    struct cursor c = cursor_of_bytes(whole);
    struct cursor in = ber_expect(&c, BER_SEQUENCE);
    if (c.failed || !cursor_done(&c))
        return false;
    int64_t id = ber_integer(&in);
    struct ber operation = ber_next(&in);
    if (in.failed || id < 0 || id > INT32_MAX || operation.tag == 0)
        return false;
    *reply = (struct ldap_reply){.id = (uint32_t)id, .operation = operation.tag, .body = operation.value};
    if (ber_peek(&in) == BER_CONTEXT_CONS(0))
        reply->controls = ber_next(&in).value;
    return !in.failed;
}

bool ldap_answer_read(const struct ldap_reply *reply, struct ldap_answer *answer)
{
    struct cursor c = reply->body;
    *answer = (struct ldap_answer){0};
    int64_t code = ber_enumerated(&c);
    answer->matched = ber_bytes(ber_expect(&c, BER_OCTET_STRING));
    answer->text = ber_bytes(ber_expect(&c, BER_OCTET_STRING));
    if (c.failed || code < 0 || code > INT32_MAX)
        return false;
    answer->code = (int)code;
    while (!cursor_done(&c)) {
        struct ber element = ber_next(&c);
        if (reply->operation == LDAP_OP_BOUND && element.tag == BER_CONTEXT(7))
            answer->credentials = ber_bytes(element.value);
        if (reply->operation == LDAP_OP_EXTENDED && element.tag == BER_CONTEXT(10))
            answer->name = ber_bytes(element.value);
    }
    return !c.failed;
}

static bool is_text(struct bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static bool read_cookie(struct cursor value, bool dirsync, struct bytes *cookie, bool *more)
{
    struct cursor in = ber_expect(&value, BER_SEQUENCE);
    int64_t first = ber_integer(&in);
    if (dirsync)
        (void)ber_integer(&in); /* the length that a client does not need */
    *cookie = ber_bytes(ber_expect(&in, BER_OCTET_STRING));
    *more = dirsync ? first != 0 : cookie->size > 0;
    return !value.failed && !in.failed;
}

bool ldap_answer_cookie(const struct ldap_reply *reply, bool dirsync, struct bytes *cookie, bool *more)
{
    *cookie = (struct bytes){0};
    *more = false;
    struct cursor c = reply->controls;
    while (!cursor_done(&c)) {
        struct cursor control = ber_expect(&c, BER_SEQUENCE);
        struct bytes oid = ber_bytes(ber_expect(&control, BER_OCTET_STRING));
        struct cursor value;
        (void)ber_optional(&control, BER_BOOLEAN, &value);
        if (c.failed || control.failed)
            return false;
        if (!is_text(oid, dirsync ? LDAP_OID_DIRSYNC : LDAP_OID_PAGED))
            continue;
        value = ber_expect(&control, BER_OCTET_STRING);
        return !control.failed && read_cookie(value, dirsync, cookie, more);
    }
    return true;
}

/* --- entries --- */

void ldap_entry_space_free(struct ldap_entry_space *space)
{
    free(space->values);
    space->values = NULL;
    space->value_capacity = 0;
}

static bool grow(struct ldap_entry_space *space)
{
    if (space->value_capacity >= DIRECTORY_VALUES_MAX)
        return false;
    uint32_t capacity = space->value_capacity ? 2 * space->value_capacity : 256;
    struct bytes *values = realloc(space->values, capacity * sizeof *values);
    if (!values)
        return false;
    space->values = values;
    space->value_capacity = capacity;
    return true;
}

static enum ldap_entry_fault read_values(struct cursor set, struct ldap_entry_space *space, uint32_t *used)
{
    while (!cursor_done(&set)) {
        struct cursor value = ber_expect(&set, BER_OCTET_STRING);
        if (set.failed)
            return LDAP_ENTRY_MALFORMED;
        if (*used == space->value_capacity && !grow(space))
            return LDAP_ENTRY_TOO_LARGE;
        space->values[(*used)++] = ber_bytes(value);
    }
    return LDAP_ENTRY_FINE;
}

enum ldap_entry_fault ldap_entry_read(const struct ldap_reply *reply, struct ldap_entry_space *space,
                                      struct directory_object *object)
{
    struct cursor c = reply->body;
    struct bytes dn = ber_bytes(ber_expect(&c, BER_OCTET_STRING));
    struct cursor list = ber_expect(&c, BER_SEQUENCE);
    uint32_t count = 0, used = 0;
    while (!c.failed && !cursor_done(&list)) {
        struct cursor attribute = ber_expect(&list, BER_SEQUENCE);
        struct bytes name = ber_bytes(ber_expect(&attribute, BER_OCTET_STRING));
        struct cursor set = ber_expect(&attribute, BER_SET);
        if (list.failed || attribute.failed || name.size == 0)
            return LDAP_ENTRY_MALFORMED;
        if (count == DIRECTORY_ATTRIBUTES_MAX)
            return LDAP_ENTRY_TOO_LARGE;
        uint32_t before = used;
        enum ldap_entry_fault fault = read_values(set, space, &used);
        if (fault != LDAP_ENTRY_FINE)
            return fault;
        space->attributes[count++] = (struct directory_attribute){.name = name, .value_count = used - before};
    }
    if (c.failed)
        return LDAP_ENTRY_MALFORMED;
    /* Only now, for the values may have moved while they grew. */
    const struct bytes *values = space->values;
    for (uint32_t i = 0; i < count; i++) {
        space->attributes[i].values = values;
        if (values)
            values += space->attributes[i].value_count;
    }
    *object = (struct directory_object){.dn = dn, .attribute_count = count, .attributes = space->attributes};
    return LDAP_ENTRY_FINE;
}
