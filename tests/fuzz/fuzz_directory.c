/* SPDX-License-Identifier: Apache-2.0
 *
 * What a directory answers: values, names, cookies, descriptors and whole objects. Input: objects as
 * LENGTH (1) DN, then attributes as LENGTH (1) NAME, COUNT (1), values as LENGTH (2, big-endian) BYTES; an
 * attribute's length zero ends the object.
 */
#include "base/arena.h"
#include "sync/attribute_value.h"
#include "sync/dirsync_cookie.h"
#include "sync/distinguished_name.h"
#include "sync/replication_state.h"
#include "sync/security_descriptor.h"
#include "sync/translate.h"

#include <stdlib.h>

static void check(bool fine)
{
    if (!fine)
        abort();
}

static bool lies_within(struct bytes part, struct bytes whole)
{
    return !part.size || (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void read_names(struct bytes text)
{
    struct extended_dn extended;
    struct attribute_range range;
    struct bytes name;
    char normal[600], again[600];
    bool deleted;
    if (extended_dn_read(text, &extended))
        check(lies_within(extended.dn, text));
    if (attribute_name_read(text, &name, &range))
        check(lies_within(name, text));
    check(lies_within(dn_parent(text), text) && lies_within(dn_name_before_deletion(text, &deleted), text));
    dn_domain(again, sizeof again, text);
    size_t size = dn_normal(normal, sizeof normal, text);
    size_t size_again = dn_normal(again, sizeof again, (struct bytes){(uint8_t *)normal, size});
    if (size) /* the normal form is its own */
        check(size == size_again && memcmp(normal, again, size) == 0);
}

static void read_values(struct bytes text)
{
    int64_t number;
    uint64_t positive;
    bool boolean;
    uint8_t sid[SID_BYTES_MAX], uuid[16];
    attribute_integer(text, &number);
    attribute_unsigned(text, &positive);
    attribute_boolean(text, &boolean);
    attribute_time(text, &number);
    attribute_duration(text, &positive);
    size_t size = sid_parse(text.data, text.size, sid);
    check(!size || sid_size(sid, size) == size);
    uuid_parse(text.data, text.size, uuid);
}

static void read_structures(struct bytes bytes)
{
    static struct replication_state state;
    static uint8_t written[REPLICATION_STATE_MAX];
    static char text[1 << 16];
    struct security_descriptor descriptor;
    struct dirsync_cookie cookie;
    struct dirsync_partner partner;
    struct replication_point point;
    if (security_descriptor_read(bytes, &descriptor)) {
        struct text t = text_to(text, sizeof text);
        security_descriptor_text(&t, descriptor);
    }
    uint32_t partners = 0;
    if (dirsync_cookie_read(bytes, &cookie)) {
        while (dirsync_cookie_next(&cookie, &partner))
            partners++;
        check(partners == cookie.partner_count || cookie.partner_count == 0);
    }
    if (replication_state_read(bytes, &state))
        check(replication_state_write(&state, written, sizeof written) > 0);
    replication_point_read(bytes, &point);
}

static bool read_object(struct cursor *c, struct arena *arena)
{
    static struct directory_attribute attributes[64];
    static struct bytes values[4096];
    uint32_t used = 0;
    struct directory_object object = {.dn = cursor_take(c, cursor_u8(c)), .attributes = attributes};
    while (object.attribute_count < 64) {
        size_t name = cursor_u8(c);
        if (!name)
            break;
        struct directory_attribute *attribute = &attributes[object.attribute_count++];
        *attribute = (struct directory_attribute){.name = cursor_take(c, name), .values = &values[used]};
        for (unsigned count = cursor_u8(c); count && used < 4096; count--) {
            values[used++] = cursor_take(c, cursor_be16(c));
            attribute->value_count++;
        }
    }
    for (unsigned source = 0; source < 2; source++) {
        static struct translated translated;
        arena_reset(arena);
        if (!translate(&object, (enum translate_source)source, arena, &translated))
            continue;
        check(!translated.change.deleted || translated.change.edge_count == 0);
        struct entity_digest digest = {0};
        entity_digest_add_change(&digest, &translated.change);
    }
    return !c->failed && !cursor_done(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    struct arena *arena = arena_new(1 << 20);
    if (copy && arena) {
        if (size)
            memcpy(copy, data, size);
        struct bytes bytes = {copy, size};
        read_names(bytes);
        read_values(bytes);
        read_structures(bytes);
        struct cursor c = cursor_of_bytes(bytes);
        for (unsigned i = 0; i < 100 && read_object(&c, arena); i++)
            ;
    }
    arena_destroy(&arena);
    free(copy);
    return 0;
}
