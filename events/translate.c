/* SPDX-License-Identifier: Apache-2.0 */
#include "events/translate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/sid.h"
#include "base/text.h"
#include "events/translate_table.h"

/* One event under translation. */
struct job {
    const struct event *event;
    const struct event_row *row;
    struct activity_writer *w;
    uint32_t next;   /* items mostly stand in the order in which they are asked for: where to look first */
    bool is_unnamed; /* has items without names */
};

/* -- finding -- */

static const struct event_field *find_named(struct job *job, const char *name)
{
    const struct event *event = job->event;
    size_t size = strlen(name);
    for (uint32_t i = 0; i < event->count; i++) {
        uint32_t at = job->next + i < event->count ? job->next + i : job->next + i - event->count;
        const struct event_field *field = &event->fields[at];
        if (field->name.size == size && strncasecmp((const char *)field->name.data, name, size) == 0) {
            job->next = at + 1 < event->count ? at + 1 : 0;
            return field;
        }
    }
    return NULL;
}

/* The place of a name in a list of words; -1 when it is not there. */
static int place_in(const char *layout, const char *name)
{
    size_t size = strlen(name);
    for (int place = 0; *layout; place++) {
        size_t word = strcspn(layout, " ");
        if (word == size && memcmp(layout, name, size) == 0)
            return place;
        layout += word + strspn(layout + word, " ");
    }
    return -1;
}

static const struct event_field *find_placed(const struct job *job, const char *name)
{
    int place = place_in(job->row->layout, name);
    for (uint32_t i = 0; place >= 0 && i < job->event->count; i++) {
        if (job->event->fields[i].name.size == 0 && place-- == 0)
            return &job->event->fields[i];
    }
    return NULL;
}

static const struct event_field *find(struct job *job, const char *name)
{
    const struct event_field *field = find_named(job, name);
    return field || !job->is_unnamed ? field : find_placed(job, name);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What stands for "nothing" is nothing. */
static struct bytes value_of(const struct event_field *field)
{
    if (!field)
        return (struct bytes){0};
    struct bytes value = text_trimmed(field->value);
    return value.size == 1 && value.data[0] == '-' ? (struct bytes){0} : value;
}

static bool is_text(struct bytes value, const char *text)
{
    return value.size == strlen(text) && strncasecmp((const char *)value.data, text, value.size) == 0;
}

/* -- values -- */

static bool parse_number(struct bytes value, uint64_t *number)
{
    bool is_negative = false;
    unsigned base = 10;
    *number = 0;
    if (value.size > 2 && value.data[0] == '%' && value.data[1] == '%') {
        value.data += 2;
        value.size -= 2;
    } else if (value.size > 2 && value.data[0] == '0' && (value.data[1] | 0x20) == 'x') {
        value.data += 2;
        value.size -= 2;
        base = 16;
    } else if (value.size > 1 && value.data[0] == '-') {
        value.data++;
        value.size--;
        is_negative = true;
    }
    if (value.size == 0 || value.size > 20)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        unsigned c = value.data[i], digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        if ((c > '9' && (c | 0x20) < 'a') || c < '0' || digit >= base ||
            *number > (UINT64_MAX - digit) / base)
            return false;
        *number = *number * base + digit;
    }
    if (is_negative)
        *number = (uint32_t) - *number;
    return true;
}

/* A GUID bare, in {} or in %{}. */
static bool parse_guid(struct bytes value, uint8_t guid[16])
{
    if (value.size > 1 && value.data[0] == '%') {
        value.data++;
        value.size--;
    }
    if (value.size > 2 && value.data[0] == '{' && value.data[value.size - 1] == '}') {
        value.data++;
        value.size -= 2;
    }
    return uuid_parse(value.data, value.size, guid);
}

static size_t parse_sid(struct bytes value, uint8_t sid[SID_BYTES_MAX])
{
    if (value.size > 3 && memcmp(value.data, "%{", 2) == 0 && value.data[value.size - 1] == '}') {
        value.data += 2;
        value.size -= 3;
    }
    return is_text(value, "S-1-0-0") ? 0 : sid_parse(value.data, value.size, sid);
}

static bool is_loopback(const struct ip_address *address)
{
    static const uint8_t loopback[16] = {[15] = 1};
    return address->family == 4 ? address->bytes[0] == 127 : memcmp(address->bytes, loopback, 16) == 0;
}

/* IPv4 comes mapped (::ffff:10.0.0.1), link-local addresses come with their zone (fe80::1%12). */
static bool parse_address(struct bytes value, struct ip_address *address)
{
    char text[64];
    const uint8_t *zone = memchr(value.data, '%', value.size);
    size_t size = zone ? (size_t)(zone - value.data) : value.size;
    if (size == 0 || size >= sizeof(text))
        return false;
    memcpy(text, value.data, size);
    text[size] = 0;
    if (strncasecmp(text, "::ffff:", 7) == 0 && strchr(text, '.'))
        return ip_address_parse(text + 7, address);
    return ip_address_parse(text, address);
}

static void put_address(struct job *job, struct bytes value)
{
    struct ip_address address;
    if (parse_address(value, &address) && !is_loopback(&address))
        activity_put_address(job->w, FIELD_SOURCE, &address);
}

static void put_port(struct job *job, struct bytes value)
{
    uint64_t port;
    if (parse_number(value, &port) && port > 0 && port <= 65535 && activity_has(job->w, FIELD_SOURCE))
        activity_put_uint(job->w, FIELD_SOURCE_PORT, port);
}

/* 10.0.0.1:389 or [fe80::1]:389. */
static void put_endpoint(struct job *job, struct bytes value)
{
    const uint8_t *colon = memrchr(value.data, ':', value.size);
    if (!colon)
        return;
    struct bytes host = {value.data, (size_t)(colon - value.data)};
    struct bytes port = {colon + 1, value.size - host.size - 1};
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        host = (struct bytes){host.data + 1, host.size - 2};
    put_address(job, host);
    put_port(job, port);
}

/* DOMAIN\account; without a backslash it is a name that says its domain itself, or none. */
static void put_principal(struct job *job, struct bytes value)
{
    const uint8_t *backslash = memchr(value.data, '\\', value.size);
    size_t domain = backslash ? (size_t)(backslash - value.data) : 0, skipped = backslash ? domain + 1 : 0;
    if (value.size > skipped)
        activity_put_string(job->w, FIELD_ACCOUNT, value.data + skipped, value.size - skipped);
    if (domain)
        activity_put_string(job->w, FIELD_ACCOUNT_DOMAIN, value.data, domain);
}

static void put_kerberos(struct job *job, struct bytes value)
{
    struct bytes realm = value_of(find(job, "TargetDomainName"));
    size_t at = value.size - realm.size - 1;
    if (realm.size && value.size > realm.size + 1 && value.data[at] == '@' &&
        strncasecmp((const char *)value.data + at + 1, (const char *)realm.data, realm.size) == 0)
        value.size = at;
    activity_put_string(job->w, FIELD_ACCOUNT, value.data, value.size);
}

static bool separates(uint8_t c)
{
    return is_blank(c) || c == ',' || c == ';';
}

static void put_words(struct job *job, enum activity_field field, struct bytes value)
{
    if (!activity_list_begin(job->w, field))
        return;
    for (size_t at = 0; at < value.size;) {
        size_t end = at;
        while (end < value.size && !separates(value.data[end]))
            end++;
        if (end > at)
            activity_list_string(job->w, value.data + at, end - at);
        at = end + 1;
    }
    activity_list_end(job->w);
}

/* Each {GUID} of a text, in the form in which all GUIDs are shown. */
static void put_guids(struct job *job, enum activity_field field, struct bytes value)
{
    if (!activity_list_begin(job->w, field))
        return;
    for (size_t at = 0; at + 38 <= value.size; at++) {
        uint8_t guid[16];
        char form[37];
        if (value.data[at] != '{' || !uuid_parse(value.data + at + 1, 36, guid))
            continue;
        struct text text = text_to(form, sizeof(form));
        uuid_text(&text, guid);
        text_end(&text);
        activity_list_string(job->w, form, 36);
        at += 37;
    }
    activity_list_end(job->w);
}

static void put_flag(struct job *job, enum activity_field field, struct bytes value)
{
    uint64_t number;
    if (is_text(value, "true") || is_text(value, "yes"))
        activity_put_bool(job->w, field, true);
    else if (is_text(value, "false") || is_text(value, "no"))
        activity_put_bool(job->w, field, false);
    else if (parse_number(value, &number)) /* %%1842 is Yes, %%1843 is No */
        activity_put_bool(job->w, field, number != 0 && number != 1843);
}

struct word_value {
    const char *word;
    uint8_t value;
};

static void put_by_word(struct job *job, enum activity_field field, struct bytes value,
                        const struct word_value *words)
{
    uint64_t number;
    if (parse_number(value, &number)) {
        activity_put_uint(job->w, field, number);
        return;
    }
    for (; words->word; words++) {
        if (is_text(value, words->word)) {
            activity_put_uint(job->w, field, words->value);
            return;
        }
    }
}

static void put_ntlm(struct job *job, struct bytes value)
{
    static const struct {
        const char *package, *variant;
    } names[] = {{"NTLM V2", "ntlmv2"}, {"NTLM V1", "ntlmv1"}, {"LM", "lm"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_text(value, names[i].package))
            activity_put_text(job->w, FIELD_NTLM_VARIANT, names[i].variant);
    }
}

/* Attributes of a certificate request: name:value, one a line. */
static void put_template(struct job *job, struct bytes value)
{
    static const char name[] = "CertificateTemplate:";
    size_t size = sizeof(name) - 1;
    for (size_t at = 0; at + size < value.size; at++) {
        if (strncasecmp((const char *)value.data + at, name, size) != 0)
            continue;
        at += size;
        size_t end = at;
        while (end < value.size && value.data[end] != '\r' && value.data[end] != '\n')
            end++;
        struct bytes template = text_trimmed((struct bytes){value.data + at, end - at});
        if (template.size)
            activity_put_string(job->w, FIELD_CERTIFICATE_TEMPLATE, template.data, template.size);
        return;
    }
}

static void put_number(struct job *job, const struct event_item *item, struct bytes value)
{
    uint64_t number;
    if (!parse_number(value, &number))
        return;
    switch (item->form) {
    case ITEM_INT:
        if (number <= INT32_MAX)
            activity_put_int(job->w, item->field, (int64_t)number);
        break;
    case ITEM_ID:
        if (number)
            activity_put_uint(job->w, item->field, number);
        break;
    case ITEM_MILLISECONDS:
        if (number <= UINT32_MAX)
            activity_put_duration(job->w, item->field, (int64_t)number * CLOCK_MILLISECOND);
        break;
    default:
        activity_put_uint(job->w, item->field, number);
        break;
    }
}

static void put_item(struct job *job, const struct event_item *item, struct bytes value)
{
    static const struct word_value scopes[] = {{"base", 0}, {"onelevel", 1}, {"subtree", 2}, {NULL, 0}};
    static const struct word_value starts[] = {{"boot start", 0},   {"system start", 1}, {"auto start", 2},
                                               {"demand start", 3}, {"disabled", 4},     {NULL, 0}};
    uint8_t sid[SID_BYTES_MAX], guid[16];
    static const uint8_t zero[16];
    size_t size;
    switch (item->form) {
    case ITEM_TEXT:
        activity_put_string(job->w, item->field, value.data, value.size);
        break;
    case ITEM_UINT:
    case ITEM_INT:
    case ITEM_ID:
    case ITEM_MILLISECONDS:
        put_number(job, item, value);
        break;
    case ITEM_FLAG:
        put_flag(job, item->field, value);
        break;
    case ITEM_PRESENT:
        activity_put_bool(job->w, item->field, true);
        break;
    case ITEM_SID:
        size = parse_sid(value, sid);
        if (size)
            activity_put_sid(job->w, item->field, sid, size);
        break;
    case ITEM_GUID:
        if (parse_guid(value, guid) && memcmp(guid, zero, sizeof(zero)) != 0)
            activity_put_uuid(job->w, item->field, guid);
        break;
    case ITEM_DN:
        if (!parse_guid(value, guid))
            activity_put_string(job->w, item->field, value.data, value.size);
        break;
    case ITEM_GUIDS:
        put_guids(job, item->field, value);
        break;
    case ITEM_WORDS:
        put_words(job, item->field, value);
        break;
    case ITEM_ADDRESS:
        put_address(job, value);
        break;
    case ITEM_ENDPOINT:
        put_endpoint(job, value);
        break;
    case ITEM_PORT:
        put_port(job, value);
        break;
    case ITEM_PRINCIPAL:
        put_principal(job, value);
        break;
    case ITEM_KERBEROS:
        put_kerberos(job, value);
        break;
    case ITEM_NTLM:
        put_ntlm(job, value);
        break;
    case ITEM_SCOPE:
        put_by_word(job, item->field, value, scopes);
        break;
    case ITEM_START:
        put_by_word(job, item->field, value, starts);
        break;
    case ITEM_TEMPLATE:
        put_template(job, value);
        break;
    case ITEM_END:
        break;
    }
}

/* False: one that is needed lacks. */
static bool put_items(struct job *job, const struct event_item *items)
{
    for (; items && items->form != ITEM_END; items++) {
        const struct event_field *field = find(job, items->name);
        struct bytes value = value_of(field);
        if (!field && items->needed)
            return false;
        if (value.size)
            put_item(job, items, value);
    }
    return true;
}

/* -- what single kinds need besides -- */

/* "%%1793" (not set) and the like say that there is no value now. */
static bool is_message(struct bytes value)
{
    return value.size > 2 && value.data[0] == '%' && value.data[1] == '%';
}

static void list_pair(struct job *job, const char *before, struct bytes between, struct bytes value)
{
    char pair[ACTIVITY_STRING_MAX + 1];
    struct text text = text_to(pair, sizeof(pair));
    text_string(&text, before);
    text_put(&text, between.data, between.size);
    if (value.size) {
        text_char(&text, '=');
        text_put(&text, value.data, value.size);
    }
    size_t size = text_end(&text);
    if (size >= sizeof(pair))
        activity_put_bool(job->w, FIELD_TRUNCATED, true);
    activity_list_string(job->w, pair, size < sizeof(pair) ? size : sizeof(pair) - 1);
}

/* What is changed of an account: each item that is no hyphen. */
static void put_account_attributes(struct job *job)
{
    struct bytes values[24];
    const char *names[24];
    size_t count = 0;
    for (const struct event_attribute *a = event_account_attributes; a->item; a++) {
        struct bytes value = value_of(find(job, a->item));
        if (value.size == 0)
            continue;
        values[count] = value;
        names[count++] = a->attribute;
    }
    if (count == 0)
        return;
    if (activity_list_begin(job->w, FIELD_LDAP_ATTRIBUTES)) {
        for (size_t i = 0; i < count; i++)
            activity_list_string(job->w, names[i], strlen(names[i]));
        activity_list_end(job->w);
    }
    if (activity_list_begin(job->w, FIELD_ATTRIBUTE_VALUES)) {
        for (size_t i = 0; i < count; i++) {
            if (!is_message(values[i]))
                list_pair(job, names[i], (struct bytes){0}, values[i]);
        }
        activity_list_end(job->w);
    }
}

/* Windows logs none of the first, but the administrator's password of a computer (LAPS) it does. */
bool event_attribute_is_secret(struct bytes attribute)
{
    static const char *const secrets[] = {"unicodePwd",
                                          "userPassword",
                                          "dBCSPwd",
                                          "ntPwdHistory",
                                          "lmPwdHistory",
                                          "supplementalCredentials",
                                          "ms-Mcs-AdmPwd",
                                          "msLAPS-Password",
                                          "msLAPS-EncryptedPassword",
                                          "msLAPS-EncryptedPasswordHistory",
                                          "msLAPS-EncryptedDSRMPassword",
                                          "msLAPS-EncryptedDSRMPasswordHistory",
                                          "msDS-ManagedPassword",
                                          "msDS-KeyMaterial",
                                          "unixUserPassword"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (is_text(attribute, secrets[i]))
            return true;
    }
    return false;
}

/* 5136: %%14674 a value was added, %%14675 one was deleted. */
static void put_directory_change(struct job *job)
{
    struct bytes attribute = value_of(find(job, "AttributeLDAPDisplayName"));
    struct bytes value = value_of(find(job, "AttributeValue"));
    uint64_t number = 0;
    bool is_known = parse_number(value_of(find(job, "OperationType")), &number);
    if (attribute.size == 0)
        return;
    const char *operation = is_known && number == 14675 ? "delete:" : "add:";
    if (activity_list_begin(job->w, FIELD_CHANGES)) {
        list_pair(job, operation, attribute, (struct bytes){0});
        activity_list_end(job->w);
    }
    if (value.size && !event_attribute_is_secret(attribute) &&
        activity_list_begin(job->w, FIELD_ATTRIBUTE_VALUES)) {
        list_pair(job, operation, attribute, value);
        activity_list_end(job->w);
    }
}

static bool lacks_member(struct job *job)
{
    return value_of(find(job, "MemberSid")).size == 0 && value_of(find(job, "MemberName")).size == 0;
}

/* -- all of it -- */

static void put_head(struct job *job)
{
    static const char *const sources[] = {
        [EVENT_SYSLOG] = "syslog", [EVENT_FORWARDED] = "forwarded", [EVENT_FILE] = "file"};
    const struct event *event = job->event;
    struct activity_writer *w = job->w;
    activity_put_uint(w, FIELD_EVENT_ID, event->id);
    if (event->record)
        activity_put_uint(w, FIELD_EVENT_RECORD, event->record);
    if (event->computer.size)
        activity_put_string(w, FIELD_EVENT_COMPUTER, event->computer.data, event->computer.size);
    if (event->channel.size)
        activity_put_string(w, FIELD_EVENT_CHANNEL, event->channel.data, event->channel.size);
    activity_put_text(w, FIELD_EVENT_SOURCE, sources[event->source]);
    if (event->audit_failure)
        activity_put_bool(w, FIELD_EVENT_FAILURE, true);
    if (event->truncated)
        activity_put_bool(w, FIELD_TRUNCATED, true);
}

static void put_facts(struct job *job)
{
    const struct event_fact *facts = job->row->facts;
    for (size_t i = 0; i < sizeof job->row->facts / sizeof facts[0] && facts[i].field; i++) {
        if (facts[i].text)
            activity_put_text(job->w, facts[i].field, facts[i].text);
        else
            activity_put_bool(job->w, facts[i].field, facts[i].flag);
    }
}

static void put_user(struct job *job)
{
    uint8_t sid[SID_BYTES_MAX];
    size_t size = parse_sid(job->event->user, sid);
    if (size)
        activity_put_sid(job->w, FIELD_ACTING_SID, sid, size);
}

/* Ids are the provider's own: what is 1644 to the directory is something else to others. */
static bool is_of(const struct event *event, const struct event_row *row)
{
    if (event->channel.size)
        return is_text(event->channel, row->channel);
    return event->provider.size == 0 || is_text(event->provider, row->provider);
}

static bool has_unnamed(const struct event *event)
{
    for (uint32_t i = 0; i < event->count; i++) {
        if (event->fields[i].name.size == 0)
            return true;
    }
    return false;
}

enum event_verdict event_translate(const struct event *event, struct activity_writer *w)
{
    const struct event_row *row = event_row(event->id);
    if (!row || !is_of(event, row))
        return EVENT_IGNORED;
    if (event->time == 0)
        return EVENT_INVALID;
    struct job job = {.event = event, .row = row, .w = w, .is_unnamed = has_unnamed(event)};
    activity_begin(w, row->kind, event->time);
    put_head(&job);
    put_facts(&job);
    if (!put_items(&job, row->head) || !put_items(&job, row->items))
        return EVENT_INVALID;
    if (row->has_member && lacks_member(&job))
        return EVENT_INVALID;
    if (row->user_acts)
        put_user(&job);
    if (row->kind == ACTIVITY_ACCOUNT_CHANGE)
        put_account_attributes(&job);
    if (row->id == 5136)
        put_directory_change(&job);
    return EVENT_TOLD;
}
