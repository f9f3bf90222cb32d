/* SPDX-License-Identifier: Apache-2.0 */
#include "center/entities_file.h"

#include "base/clock.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_SIZE  65536u
#define LINKS_MAX  200000u /* of one group, in one line */
#define LINE_BYTES (8u * ENTITY_BYTES_MAX + 40u * LINKS_MAX)

uint32_t entities_fact_by_name(const char *name)
{
    static const struct {
        const char *name;
        uint32_t fact;
    } facts[] = {{"sensitive", FACT_SENSITIVE},
                 {"honeytoken", FACT_HONEYTOKEN},
                 {"synchronizer", FACT_SYNCHRONIZER},
                 {"dns-server", FACT_DNS_SERVER}};
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (strcmp(facts[i].name, name) == 0)
            return facts[i].fact;
    return 0;
}

static struct bytes text_of(const json_t *value)
{
    return (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)};
}

static bool guid_of(const json_t *value, struct guid *to)
{
    return json_is_string(value) &&
           uuid_parse(json_string_value(value), json_string_length(value), to->bytes);
}

/* --- entities --- */

static bool put_hexadecimal(struct msgpack_writer *w, struct bytes text)
{
    uint8_t bytes[ENTITY_STRING_MAX];
    if (text.size % 2 || text.size / 2 > sizeof(bytes))
        return false;
    for (size_t i = 0; i < text.size; i += 2) {
        unsigned byte;
        char digits[3] = {(char)text.data[i], (char)text.data[i + 1], '\0'};
        if (strspn(digits, "0123456789abcdefABCDEF") != 2 || sscanf(digits, "%x", &byte) != 1)
            return false;
        bytes[i / 2] = (uint8_t)byte;
    }
    msgpack_put_binary(w, bytes, text.size / 2);
    return true;
}

static bool put_id(struct msgpack_writer *w, const char *text)
{
    char *end;
    errno = 0;
    uint64_t id = strtoull(text, &end, 16);
    msgpack_put_uint(w, id);
    return *text && *end == '\0' && errno == 0;
}

static bool put_text_form(struct msgpack_writer *w, enum activity_type type, const json_t *value)
{
    struct bytes text = text_of(value);
    uint8_t bytes[SID_BYTES_MAX];
    struct guid guid;
    int64_t time;
    size_t size;
    if (!json_is_string(value))
        return false;
    switch (type) {
    case TYPE_STRING:
        msgpack_put_string(w, text.data, text.size);
        return true;
    case TYPE_TIME:
        if (!clock_rfc3339_parse((const char *)text.data, text.size, &time))
            return false;
        msgpack_put_int(w, time);
        return true;
    case TYPE_UUID:
        if (!guid_of(value, &guid))
            return false;
        msgpack_put_binary(w, guid.bytes, GUID_SIZE);
        return true;
    case TYPE_SID:
        size = sid_parse(text.data, text.size, bytes);
        msgpack_put_binary(w, bytes, size);
        return size > 0;
    case TYPE_ID:
        return put_id(w, (const char *)text.data);
    default:
        return put_hexadecimal(w, text);
    }
}

static bool put_value(struct msgpack_writer *w, enum activity_type type, const json_t *value)
{
    if (activity_type_is_list(type)) {
        bool fine = json_is_array(value) && json_array_size(value) <= ENTITY_LIST_MAX;
        msgpack_put_array(w, fine ? (uint32_t)json_array_size(value) : 0);
        for (size_t i = 0; fine && i < json_array_size(value); i++)
            fine = put_value(w, activity_type_of_items(type), json_array_get(value, i));
        return fine;
    }
    switch (type) {
    case TYPE_UINT:
    case TYPE_DURATION:
        msgpack_put_uint(w, (uint64_t)json_integer_value(value));
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case TYPE_INT:
        msgpack_put_int(w, json_integer_value(value));
        return json_is_integer(value);
    case TYPE_BOOL:
        msgpack_put_bool(w, json_is_true(value));
        return json_is_boolean(value);
    case TYPE_TIME:
        if (json_is_null(value)) { /* never */
            msgpack_put_int(w, 0);
            return true;
        }
        return put_text_form(w, type, value);
    default:
        return put_text_form(w, type, value);
    }
}

static bool field_type(const char *name, enum activity_type *type)
{
    static const struct {
        const char *name;
        enum activity_type type;
    } head[] = {{"v", TYPE_UINT},       {"kind", TYPE_STRING},    {"guid", TYPE_UUID},
                {"dn", TYPE_STRING},    {"domain", TYPE_STRING},  {"looked_up", TYPE_BOOL},
                {"deleted", TYPE_BOOL}, {"truncated", TYPE_BOOL}, {"seen", TYPE_TIME},
                {"changed", TYPE_TIME}};
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        if (strcmp(head[i].name, name) == 0) {
            *type = head[i].type;
            return true;
        }
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        const struct entity_attribute_info *info = entity_attribute_info((enum entity_attribute)i);
        if (strcmp(info->field, name) == 0) {
            *type = info->type;
            return true;
        }
    }
    return false;
}

static uint32_t known_fields(json_t *object)
{
    const char *name;
    json_t *value;
    enum activity_type type;
    uint32_t count = 0;
    json_object_foreach(object, name, value)
    {
        count += field_type(name, &type);
    }
    return count;
}

static bool encode(struct msgpack_writer *w, json_t *object, struct fault *fault)
{
    const char *name;
    json_t *value;
    enum activity_type type;
    bool is_versioned = json_object_get(object, "v") != NULL;
    msgpack_put_map(w, known_fields(object) + !is_versioned);
    if (!is_versioned) {
        msgpack_put_text(w, "v");
        msgpack_put_uint(w, ENTITY_VERSION);
    }
    json_object_foreach(object, name, value)
    {
        if (!field_type(name, &type))
            continue;
        msgpack_put_text(w, name);
        if (!put_value(w, type, value))
            return fault_say(fault, "%.64s is of another type", name);
    }
    return !w->full || fault_say(fault, "too large for an entity");
}

static bool take_entity(struct entities *entities, json_t *object, struct fault *fault)
{
    struct msgpack_writer w;
    struct entity *entity = malloc(sizeof(*entity));
    uint8_t *bytes = malloc(ENTITY_ENCODED_MAX);
    bool fine = entity && bytes;
    if (!fine)
        fault_say(fault, "out of memory");
    if (fine) {
        msgpack_writer_init(&w, bytes, ENTITY_ENCODED_MAX);
        fine = encode(&w, object, fault);
    }
    if (fine) {
        struct cursor c = cursor_of(bytes, w.size);
        fine = entity_decode(&c, entity) || fault_say(fault, "no entity: kind or guid is missing");
    }
    if (fine)
        entities_put(entities, entity);
    free(bytes);
    free(entity);
    return fine;
}

/* --- links, marks, domains --- */

static bool take_links(struct entities *entities, const json_t *object, struct fault *fault)
{
    static const struct {
        const char *name;
        enum entities_links what;
    } forms[] = {{"removed", ENTITIES_DROP}, {"all", ENTITIES_ALL}, {"added", ENTITIES_ADD}};
    struct guid source, *targets;
    const char *name = json_string_value(json_object_get(object, "link"));
    enum entity_link link = name ? entity_link_by_name(name, strlen(name)) : ENTITY_LINKS;
    if (link == ENTITY_LINKS || !guid_of(json_object_get(object, "source"), &source))
        return fault_say(fault, "no links: source or link is missing");
    for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
        const json_t *list = json_object_get(object, forms[f].name);
        size_t count = json_array_size(list);
        if (!json_is_array(list))
            continue;
        if (count > LINKS_MAX || !(targets = malloc((count + 1) * sizeof(*targets))))
            return fault_say(fault, "too many links");
        bool fine = true;
        for (size_t i = 0; i < count; i++)
            fine = guid_of(json_array_get(list, i), &targets[i]) && fine;
        if (fine)
            entities_link(entities, &source, link, forms[f].what, targets, (uint32_t)count);
        free(targets);
        if (!fine)
            return fault_say(fault, "links want GUIDs");
    }
    return true;
}

static bool take_tag(struct entities *entities, const json_t *object, struct fault *fault)
{
    const json_t *list = json_object_get(object, "facts");
    struct guid guid;
    bool has_guid = guid_of(json_object_get(object, "guid"), &guid);
    uint32_t facts = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        uint32_t fact = name ? entities_fact_by_name(name) : 0;
        if (!fact)
            return fault_say(fault, "no mark: sensitive, honeytoken, synchronizer or dns-server");
        facts |= fact;
    }
    return entities_tag(entities, has_guid ? &guid : NULL, text_of(json_object_get(object, "name")),
                        text_of(json_object_get(object, "domain")), facts) ||
           fault_say(fault, "a mark wants a name or a GUID");
}

static bool take_object(struct entities *entities, json_t *root, struct fault *fault)
{
    json_t *inner;
    struct guid guid;
    if ((inner = json_object_get(root, "links")))
        return take_links(entities, inner, fault);
    if ((inner = json_object_get(root, "tag")))
        return take_tag(entities, inner, fault);
    if ((inner = json_object_get(root, "whole"))) {
        entities_set_whole(entities, text_of(inner));
        return true;
    }
    if ((inner = json_object_get(root, "removed"))) {
        if (!guid_of(inner, &guid))
            return fault_say(fault, "removed wants a GUID");
        entities_remove(entities, &guid);
        return true;
    }
    inner = json_object_get(root, "entity");
    return take_entity(entities, json_is_object(inner) ? inner : root, fault);
}

bool entities_take_json(struct entities *entities, struct bytes line, struct fault *fault)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &error);
    bool fine = json_is_object(root) ? take_object(entities, root, fault)
                                     : fault_say(fault, "no JSON object: %s", error.text);
    json_decref(root);
    return fine;
}

/* --- files --- */

static bool read_lines(struct entities *entities, const char *path, FILE *file, struct fault *fault)
{
    char *line = NULL;
    size_t capacity = 0, number = 0;
    ssize_t size;
    bool fine = true;
    struct fault why;
    while (fine && (size = getline(&line, &capacity, file)) > 0) {
        number++;
        if (line[0] == '\n')
            continue;
        if ((size_t)size > LINE_BYTES)
            fine = fault_say(fault, "%s:%zu: too long", path, number);
        else if (!entities_take_json(entities, (struct bytes){(const uint8_t *)line, (size_t)size}, &why))
            fine = fault_say(fault, "%s:%zu: %s", path, number, why.text);
    }
    free(line);
    return fine && (!ferror(file) || fault_say(fault, "%s: %s", path, strerror(errno)));
}

static bool read_batches(struct entities *entities, const char *path, FILE *file, struct fault *fault)
{
    uint8_t *data = NULL;
    size_t size = 0, got;
    do { /* a directory's batches are some tens of megabytes at the most */
        uint8_t *more = realloc(data, size + READ_SIZE);
        if (!more) {
            free(data);
            return fault_say(fault, "%s: out of memory", path);
        }
        data = more;
        got = fread(data + size, 1, READ_SIZE, file);
        size += got;
    } while (got > 0);
    struct entity_batch_reader *reader = entity_batch_reader_new();
    bool fine = reader && entities_take(entities, reader, (struct bytes){data, size}, NULL);
    entity_batch_reader_destroy(&reader);
    free(data);
    return fine || fault_say(fault, "%s: it is cut off, or damaged", path);
}

bool entities_read_file(struct entities *entities, const char *path, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    int first = getc(file);
    rewind(file);
    bool fine =
        first == '{' ? read_lines(entities, path, file, fault) : read_batches(entities, path, file, fault);
    fclose(file);
    return fine;
}
