/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control_request.h"

#include <ctype.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

enum field {
    FIELD_DOMAIN = 1,
    FIELD_ON = 2,
    FIELD_LIMIT = 4,
    FIELD_DATA = 8,
    FIELD_NAME = 16,
    FIELD_AFTER = 32,
};

static const struct {
    const char *name;
    unsigned required;
    unsigned possible; /* besides */
    bool changes;
    bool stream;
    bool directory;
} verbs[CONTROL_VERBS] = {
    [CONTROL_STATUS] = {"status", 0, 0, false, false, false},
    [CONTROL_MEMBERS] = {"members", 0, 0, false, false, false},
    [CONTROL_SYNCHRONIZER] = {"synchronizer", 0, 0, false, false, false},
    [CONTROL_WHY] = {"why", FIELD_DOMAIN, 0, false, false, false},
    [CONTROL_PEERS] = {"peers", 0, 0, false, false, false},
    [CONTROL_REACH] = {"reach", 0, 0, false, false, false},
    [CONTROL_HISTORY] = {"history", 0, FIELD_DOMAIN | FIELD_LIMIT, false, false, false},
    [CONTROL_EVENTS] = {"events", 0, FIELD_DOMAIN, false, true, false},
    [CONTROL_SYNC] = {"sync", 0, FIELD_DOMAIN, false, false, false},
    [CONTROL_ENTITY] = {"entity", FIELD_NAME, 0, false, false, true},
    [CONTROL_SEARCH] = {"search", FIELD_NAME, FIELD_LIMIT, false, false, true},
    [CONTROL_LOOKUP] = {"lookup", FIELD_NAME, 0, false, false, true},
    [CONTROL_SPOOL] = {"spool", 0, FIELD_AFTER | FIELD_LIMIT, false, false, true},
    [CONTROL_ACTIVITIES] = {"activities", 0, FIELD_AFTER | FIELD_LIMIT, false, false, false},
    [CONTROL_INPUTS] = {"inputs", 0, FIELD_LIMIT, false, false, false},
    [CONTROL_QUOTA] = {"quota", 0, 0, false, false, false},
    [CONTROL_HEALTH] = {"health", 0, 0, false, false, false},
    [CONTROL_RELOAD] = {"reload", 0, 0, true, false, false},
    [CONTROL_RECONCILE] = {"reconcile", FIELD_DOMAIN, 0, true, false, false},
    [CONTROL_CANDIDATE] = {"candidate", FIELD_DOMAIN | FIELD_ON, 0, true, false, false},
    [CONTROL_YIELD] = {"yield", FIELD_DOMAIN, 0, true, false, false},
    [CONTROL_PIN] = {"pin", FIELD_DOMAIN | FIELD_ON, 0, true, false, false},
    [CONTROL_POLICY] = {"policy", FIELD_DATA, 0, true, false, false},
    [CONTROL_ROTATE] = {"rotate", 0, 0, true, false, false},
};

const char *control_verb_name(enum control_verb verb)
{
    return verbs[verb].name;
}

bool control_verb_of_directory(enum control_verb verb)
{
    return verbs[verb].directory;
}

/* DNS names are compared in lower case (RFC 4343). */
static bool read_domain(struct control_request *request, const json_t *value)
{
    const char *domain = json_string_value(value);
    size_t size = json_string_length(value);
    if (!domain || size == 0 || size >= sizeof(request->domain) || strlen(domain) != size)
        return false;
    for (size_t i = 0; i < size; i++)
        request->domain[i] = (char)tolower((unsigned char)domain[i]);
    request->domain[size] = '\0';
    return true;
}

static bool read_limit(struct control_request *request, const json_t *value)
{
    json_int_t limit = json_integer_value(value);
    if (!json_is_integer(value) || limit < 0 || limit > 1000000)
        return false;
    request->limit = (unsigned)limit;
    return true;
}

static bool read_name(struct control_request *request, const json_t *value)
{
    const char *name = json_string_value(value);
    size_t size = json_string_length(value);
    if (!name || size == 0 || size >= sizeof(request->name) || strlen(name) != size)
        return false;
    memcpy(request->name, name, size + 1);
    return true;
}

static bool read_after(struct control_request *request, const json_t *value)
{
    json_int_t after = json_integer_value(value);
    request->after = (uint64_t)after;
    return json_is_integer(value) && after >= 0;
}

static bool read_data(struct control_request *request, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (!text || size == 0)
        return false;
    request->data = malloc(size);
    return request->data && sodium_base642bin(request->data, size, text, size, NULL, &request->data_size,
                                              NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
}

static const struct {
    const char *name;
    enum field field;
    const char *fault;
} fields[] = {
    {"domain", FIELD_DOMAIN, "\"domain\" is not the name of a domain"},
    {"on", FIELD_ON, "\"on\" is neither true nor false"},
    {"limit", FIELD_LIMIT, "\"limit\" is not a number from 0 to 1000000"},
    {"data", FIELD_DATA, "\"data\" is not base64"},
    {"name", FIELD_NAME, "\"name\" is not a name of at most 1023 bytes"},
    {"after", FIELD_AFTER, "\"after\" is not a number"},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool read_field(struct control_request *request, enum field field, const json_t *value)
{
    switch (field) {
    case FIELD_DOMAIN:
        return read_domain(request, value);
    case FIELD_ON:
        request->on = json_is_true(value);
        return json_is_boolean(value);
    case FIELD_LIMIT:
        return read_limit(request, value);
    case FIELD_DATA:
        return read_data(request, value);
    case FIELD_NAME:
        return read_name(request, value);
    case FIELD_AFTER:
        return read_after(request, value);
    }
    return false;
}

static bool read_verb(struct control_request *request, const json_t *value)
{
    const char *name = json_string_value(value);
    for (unsigned i = 0; name && i < CONTROL_VERBS; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            request->verb = (enum control_verb)i;
            request->changes = verbs[i].changes;
            request->stream = verbs[i].stream;
            return true;
        }
    }
    return false;
}

static const char *read_fields(struct control_request *request, json_t *object)
{
    if (!read_verb(request, json_object_get(object, "verb")))
        return "\"verb\" is missing or unknown";
    unsigned missing = verbs[request->verb].required;
    size_t known = 1;
    for (size_t i = 0; i < FIELDS; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        if (!value)
            continue;
        if (!((verbs[request->verb].required | verbs[request->verb].possible) & fields[i].field))
            return "a field that this verb does not have";
        if (!read_field(request, fields[i].field, value))
            return fields[i].fault;
        missing &= ~(unsigned)fields[i].field;
        known++;
    }
    if (known != json_object_size(object))
        return "an unknown field";
    return missing ? "a field that this verb needs is missing" : NULL;
}

bool control_request_read(struct control_request *request, struct bytes body, const char **fault)
{
    *request = (struct control_request){0};
    json_t *object = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    *fault = json_is_object(object) ? read_fields(request, object) : "not a JSON object";
    json_decref(object);
    return *fault == NULL;
}

void control_request_free(struct control_request *request)
{
    free(request->data);
    request->data = NULL;
}
