/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/client_stack.h"

#include <stdio.h>
#include <stdlib.h>

#define ANY     (-1)
#define NO      0
#define YES     1
#define LETTERS 1

#define PURPOSE(name) STACK_##name

struct kerberos_client {
    const char *word, *tool;
    enum activity_kind kind;
    int64_t options;
    const char *etypes, *padata;
    int64_t service_name_type;
    int addresses;
    const char *source;
};

static const struct kerberos_client kerberos_clients[] = {
#define KERBEROS_CLIENT(word, tool, kind, options, etypes, padata, type, addresses, source)                  \
    {word, tool, ACTIVITY_##kind, options, etypes, padata, type, addresses, source},
#include "center/fingerprints/kerberos.def"
#undef KERBEROS_CLIENT
};

struct smb_negotiate {
    const char *word, *tool;
    enum stack_purpose purpose;
    const char *dialects, *smb1_dialects;
    int64_t capabilities;
    int guid;
    const char *source;
};

static const struct smb_negotiate smb_negotiates[] = {
#define SMB_NEGOTIATE(word, tool, purpose, dialects, smb1_dialects, capabilities, guid, source)              \
    {word, tool, PURPOSE(purpose), dialects, smb1_dialects, capabilities, guid, source},
#define SMB_SESSION(...)
#include "center/fingerprints/smb.def"
#undef SMB_NEGOTIATE
#undef SMB_SESSION
};

struct smb_session {
    const char *word, *tool;
    enum stack_purpose purpose;
    const char *os, *lanman;
    int64_t process, circuit, buffer;
    int embedded, named;
    const char *source;
};

static const struct smb_session smb_sessions[] = {
#define SMB_NEGOTIATE(...)
#define SMB_SESSION(word, tool, purpose, os, lanman, process, circuit, buffer, embedded, named, source)      \
    {word, tool, PURPOSE(purpose), os, lanman, process, circuit, buffer, embedded, named, source},
#include "center/fingerprints/smb.def"
#undef SMB_NEGOTIATE
#undef SMB_SESSION
};

/* -- comparing ------------------------------------------------------------------------------------------ */

/* The next word of a pattern; false: there is none. */
static bool next_word(const char **at, char separator, struct bytes *word)
{
    while (separator == ' ' && **at == ' ')
        (*at)++;
    if (**at == '\0')
        return false;
    const char *start = *at;
    while (**at && **at != separator)
        (*at)++;
    *word = (struct bytes){(const uint8_t *)start, (size_t)(*at - start)};
    if (**at)
        (*at)++;
    return true;
}

static bool numbers_match(const struct observation *o, enum activity_field field, const char *pattern)
{
    if (pattern[0] == '\0')
        return true;
    const struct activity_value *list = activity_get(o->activity, field);
    if (!list)
        return false;
    enum activity_type type = activity_type_of_items(activity_field_info(field)->type);
    struct cursor items = list->list.items;
    struct bytes word;
    for (uint32_t i = 0; i < list->list.count; i++) {
        struct activity_value item = activity_next_item(&items, type);
        if (!next_word(&pattern, ' ', &word))
            return false;
        if (text_is(word, "*"))
            return true;
        int64_t number = type == TYPE_INT ? item.sint : (int64_t)item.uint;
        if (!text_is(word, "?") && strtoll((const char *)word.data, NULL, 10) != number)
            return false;
    }
    return !next_word(&pattern, ' ', &word) || text_is(word, "*");
}

static bool texts_match(const struct observation *o, enum activity_field field, const char *pattern)
{
    if (pattern[0] == '\0')
        return true;
    const struct activity_value *list = activity_get(o->activity, field);
    if (!list)
        return false;
    struct cursor items = list->list.items;
    struct bytes word;
    for (uint32_t i = 0; i < list->list.count; i++) {
        struct bytes item = activity_next_item(&items, TYPE_STRING).bytes;
        if (!next_word(&pattern, '|', &word) || item.size != word.size ||
            memcmp(item.data, word.data, word.size) != 0)
            return false;
    }
    return !next_word(&pattern, '|', &word);
}

static bool number_matches(const struct observation *o, enum activity_field field, int64_t wanted)
{
    return wanted == ANY || (observation_has(o, field) && observation_uint(o, field, 0) == (uint64_t)wanted);
}

static bool choice_matches(bool is, int wanted)
{
    return wanted == ANY || is == (wanted == YES);
}

static bool text_matches(const struct observation *o, enum activity_field field, const char *wanted)
{
    return wanted[0] == '\0' || text_is(observation_text(o, field), wanted);
}

static bool guid_matches(const struct observation *o, int wanted)
{
    if (wanted == ANY)
        return true;
    struct bytes guid = observation_text(o, FIELD_CLIENT_GUID);
    if (guid.size != 16)
        return false;
    for (size_t i = 0; i < guid.size; i++) {
        uint8_t letter = guid.data[i] | 0x20;
        if (letter < 'a' || letter > 'z')
            return false;
    }
    return true;
}

static bool kerberos_matches(const struct observation *o, const struct kerberos_client *c)
{
    return o->kind == c->kind && number_matches(o, FIELD_KDC_OPTIONS, c->options) &&
           (c->service_name_type == ANY ||
            (observation_has(o, FIELD_SERVICE_NAME_TYPE) &&
             observation_int(o, FIELD_SERVICE_NAME_TYPE, 0) == c->service_name_type)) &&
           choice_matches(observation_has(o, FIELD_HOST_ADDRESSES), c->addresses) &&
           numbers_match(o, FIELD_OFFERED_ETYPES, c->etypes) &&
           numbers_match(o, FIELD_PADATA_TYPES, c->padata);
}

static bool negotiate_matches(const struct observation *o, const struct smb_negotiate *n)
{
    return number_matches(o, FIELD_CLIENT_CAPABILITIES, n->capabilities) && guid_matches(o, n->guid) &&
           numbers_match(o, FIELD_SMB_DIALECTS, n->dialects) &&
           texts_match(o, FIELD_SMB1_DIALECTS, n->smb1_dialects);
}

static bool session_matches(const struct observation *o, const struct smb_session *s)
{
    bool embedded = observation_has(o, FIELD_SESSION_MECHANISM) &&
                    !text_is(observation_text(o, FIELD_SESSION_MECHANISM), "password");
    return text_matches(o, FIELD_CLIENT_OS, s->os) && text_matches(o, FIELD_CLIENT_LANMAN, s->lanman) &&
           number_matches(o, FIELD_SMB_PROCESS_ID, s->process) &&
           number_matches(o, FIELD_SMB_VC_NUMBER, s->circuit) &&
           number_matches(o, FIELD_SMB_MAX_BUFFER, s->buffer) && choice_matches(embedded, s->embedded) &&
           choice_matches(observation_text(o, FIELD_ACCOUNT).size > 0, s->named);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool client_stack_of(const struct observation *o, struct client_stack *to)
{
    if (o->kind == ACTIVITY_KERBEROS_AS || o->kind == ACTIVITY_KERBEROS_TGS) {
        for (size_t i = 0; i < COUNT(kerberos_clients); i++) {
            const struct kerberos_client *c = &kerberos_clients[i];
            if (kerberos_matches(o, c)) {
                *to = (struct client_stack){c->word, c->tool, c->source, STACK_TOOLKIT};
                return true;
            }
        }
    } else if (o->kind == ACTIVITY_SMB_NEGOTIATE) {
        for (size_t i = 0; i < COUNT(smb_negotiates); i++) {
            const struct smb_negotiate *n = &smb_negotiates[i];
            if (negotiate_matches(o, n)) {
                *to = (struct client_stack){n->word, n->tool, n->source, n->purpose};
                return true;
            }
        }
    } else if (o->kind == ACTIVITY_SMB_SESSION) {
        for (size_t i = 0; i < COUNT(smb_sessions); i++) {
            const struct smb_session *s = &smb_sessions[i];
            if (session_matches(o, s)) {
                *to = (struct client_stack){s->word, s->tool, s->source, s->purpose};
                return true;
            }
        }
    }
    return false;
}

struct alert *client_stack_alert(struct detection *d, const struct observation *o,
                                 const struct client_stack *stack)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    bool known = observation_has(o, FIELD_STATUS);
    bool success = observation_uint(o, FIELD_STATUS, 1) == 0;
    alert_put_string(alert, "protocol",
                     o->kind == ACTIVITY_KERBEROS_AS || o->kind == ACTIVITY_KERBEROS_TGS ? "Kerberos"
                                                                                         : "SMB");
    alert_put_string(alert, "fingerprint", stack->word);
    alert_put_string(alert, "tool", stack->tool);
    if (known)
        alert_put_string(alert, "outcome", success ? "success" : "failure");
    alert_explain(alert,
                  "%.*s %s from %.*s against %.*s by an unusual protocol implementation: that of %s, by its "
                  "fingerprint \"%s\".",
                  PRINTED(party_words(&o->account, "Somebody")),
                  known && success ? "authenticated" : "tried to authenticate",
                  PRINTED(party_words(&o->source, "an unknown place")),
                  PRINTED(party_words(&o->destination, "a server")), stack->tool, stack->word);
    return alert;
}

struct subject client_stack_smb_key(const struct observation *o, enum stack_purpose purpose)
{
    struct client_stack stack;
    return client_stack_of(o, &stack) && stack.purpose == purpose ? o->origin : (struct subject){0};
}

void client_stack_smb_observe(struct detection *d, const struct observation *o)
{
    struct client_stack stack;
    if (!client_stack_of(o, &stack))
        return;
    struct alert *alert = client_stack_alert(d, o, &stack);
    alert_put_text(alert, "client_os", observation_text(o, FIELD_CLIENT_OS));
    alert_explain(alert, "The client says to be %.*s, which nothing current is.",
                  PRINTED(observation_text(o, FIELD_CLIENT_OS)));
    tell_source(alert, o);
    detection_raise(d);
}

void stack_seen_keep(struct stack_seen *seen, const struct client_stack *stack, int64_t now)
{
    snprintf(seen->word, sizeof(seen->word), "%s", stack->word);
    snprintf(seen->tool, sizeof(seen->tool), "%s", stack->tool);
    seen->purpose = (uint8_t)stack->purpose;
    seen->time = now;
}

struct client_stack stack_seen_get(const struct stack_seen *seen)
{
    return (struct client_stack){seen->word, seen->tool, "", (enum stack_purpose)seen->purpose};
}
