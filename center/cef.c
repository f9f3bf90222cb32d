/* SPDX-License-Identifier: Apache-2.0
 *
 * The escapes are those of "ArcSight Common Event Format", "Character Encoding": in the header a bar and a
 * backslash, in values an equals sign and a backslash, an end of line there is \n. Values are cut before they
 * are escaped, at the lengths of its dictionary.
 */
#include "center/cef.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"

#define FIELD_MAX  1023u /* suser, shost, msg, ... */
#define CUSTOM_MAX 800u  /* cs1 to cs6: 4000 in the dictionary; less, so that they all fit */
#define APP_MAX    31u
#define HEADER_MAX 128u

struct cef_writer {
    struct text text;
    size_t pairs;
};

/* Steers a terminal or a line: no text. C0, DEL, C1, the line and paragraph separators. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

static bool is_end_of_line(uint32_t code)
{
    return code == '\n' || code == 0x85 || code == 0x2028 || code == 0x2029;
}

/* At most `most` bytes of the text; `escaped` get a backslash, `line` stands for an end of line. A byte order
 * mark is no text. */
static void put(struct text *t, struct bytes value, size_t most, const char *escaped, const char *line)
{
    uint8_t utf8[UTF8_BYTES_MAX];
    bool valid;
    for (size_t at = 0, taken = 0; at < value.size;) {
        uint32_t code;
        at += utf8_decode(value.data + at, value.size - at, &code, &valid);
        size_t size = utf8_encode(code, utf8);
        taken += size;
        if (taken > most)
            return;
        if (code == 0xfeff || code == '\r')
            continue;
        if (is_end_of_line(code)) {
            text_string(t, line);
        } else if (is_control(code)) {
            text_char(t, ' ');
        } else {
            if (code < 0x80 && strchr(escaped, (int)code))
                text_char(t, '\\');
            text_put(t, utf8, size);
        }
    }
}

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static void put_header(struct text *t, const char *field)
{
    struct bytes trimmed = text_trimmed(bytes_of(field));
    put(t, trimmed, HEADER_MAX, "|\\", " ");
    text_char(t, '|');
}

/* No pair without a value: SIEMs read "suser= shost=X" as they like. */
static void pair_bytes(struct cef_writer *w, const char *key, struct bytes value, size_t most)
{
    value = text_trimmed(value);
    if (value.size == 0)
        return;
    if (w->pairs++ > 0)
        text_char(&w->text, ' ');
    text_string(&w->text, key);
    text_char(&w->text, '=');
    put(&w->text, value, most, "=\\", "\\n");
}

static void pair(struct cef_writer *w, const char *key, const char *value, size_t most)
{
    pair_bytes(w, key, bytes_of(value), most);
}

static void pair_number(struct cef_writer *w, const char *key, uint64_t value)
{
    char digits[24];
    struct text t = text_to(digits, sizeof(digits));
    text_uint(&t, value);
    text_end(&t);
    pair(w, key, digits, sizeof(digits));
}

/* Milliseconds since 1970: of the forms that CEF knows the one without a zone or a language. */
static void pair_time(struct cef_writer *w, const char *key, int64_t time)
{
    if (time > 0)
        pair_number(w, key, (uint64_t)(time / CLOCK_MILLISECOND));
}

static void pair_custom(struct cef_writer *w, unsigned number, const char *label, struct bytes value)
{
    char key[16];
    if (text_trimmed(value).size == 0)
        return;
    struct text t = text_to(key, sizeof(key));
    text_string(&t, "cs");
    text_uint(&t, number);
    text_string(&t, "Label");
    text_end(&t);
    pair(w, key, label, FIELD_MAX);
    key[3] = '\0';
    pair_bytes(w, key, value, CUSTOM_MAX);
}

static void begin(struct cef_writer *w, char *to, const struct cef_context *context, const char *event,
                  const char *title, unsigned severity)
{
    *w = (struct cef_writer){.text = text_to(to, CEF_MAX)};
    text_string(&w->text, "CEF:0|");
    put_header(&w->text, "Picket");
    put_header(&w->text, "Picket");
    put_header(&w->text, context->version);
    put_header(&w->text, event);
    put_header(&w->text, title);
    text_uint(&w->text, severity);
    text_char(&w->text, '|');
}

static void pair_url(struct cef_writer *w, const char *portal, const char *path, struct bytes id)
{
    char url[512];
    if (!portal || !*portal)
        return;
    struct text t = text_to(url, sizeof(url));
    text_string(&t, portal);
    text_string(&t, path);
    if (id.size)
        text_hex(&t, id);
    if (text_end(&t) < sizeof(url))
        pair_custom(w, 1, "url", bytes_of(url));
}

unsigned cef_severity(enum severity severity)
{
    static const unsigned numbers[SEVERITIES] = {1, 3, 5, 10};
    return severity < SEVERITIES ? numbers[severity] : numbers[SEVERITY_HIGH];
}

/* --- who is in it --- */

static void pair_address(struct cef_writer *w, const char *key, const char *key6,
                         const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_MAX];
    if (address->family)
        pair(w, address->family == 4 ? key : key6, ip_address_text(address, text), FIELD_MAX);
}

/* "dc1.corp.example" of DC1 in corp.example; nothing when the domain is no DNS name. */
static struct bytes full_name(const struct alert_party *party, char to[2 * ALERT_NAME_MAX + 2])
{
    struct text t = text_to(to, 2 * ALERT_NAME_MAX + 2);
    if (strchr(party->name, '.')) {
        text_string(&t, party->name);
    } else if (strchr(party->domain, '.')) {
        size_t size = strlen(party->name);
        text_put(&t, party->name, size && party->name[size - 1] == '$' ? size - 1 : size);
        text_char(&t, '.');
        text_string(&t, party->domain);
    }
    text_end(&t);
    for (char *c = to; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    return bytes_of(to);
}

static void pair_source(struct cef_writer *w, const struct alert *alert)
{
    const struct alert_party *source = alert_party(alert, ALERT_SOURCE);
    if (!source)
        return;
    if (source->kind != SUBJECT_ADDRESS)
        pair(w, "shost", source->name, FIELD_MAX);
    pair_address(w, "src", "c6a2", &source->address);
    if (source->address.family == 6)
        pair(w, "c6a2Label", "Source IPv6 Address", FIELD_MAX);
}

static void pair_destination(struct cef_writer *w, const struct alert *alert)
{
    const struct alert_party *destination = alert_party(alert, ALERT_DESTINATION);
    if (!destination)
        return;
    if (destination->kind != SUBJECT_ADDRESS)
        pair(w, "dhost", destination->name, FIELD_MAX);
    pair_address(w, "dst", "c6a3", &destination->address);
    if (destination->address.family == 6)
        pair(w, "c6a3Label", "Destination IPv6 Address", FIELD_MAX);
}

static void pair_accounts(struct cef_writer *w, const struct alert *alert)
{
    const struct alert_party *account = alert_party(alert, ALERT_ACCOUNT);
    const struct alert_party *target = alert_party(alert, ALERT_TARGET);
    if (account) {
        pair(w, "suser", account->name, FIELD_MAX);
        pair(w, "sntdom", account->domain, 255);
    }
    if (target && (target->kind == SUBJECT_ACCOUNT || target->kind == SUBJECT_COMPUTER)) {
        pair(w, "duser", target->name, FIELD_MAX);
        pair(w, "dntdom", target->domain, 255);
    }
}

/* The names in a role beside the first one, with commas; a name that would be cut is left out. */
static void pair_others(struct cef_writer *w, const struct alert *alert, unsigned number, const char *label,
                        enum alert_role role)
{
    char names[CUSTOM_MAX];
    struct text t = text_to(names, sizeof(names));
    unsigned seen = 0;
    for (uint32_t i = 0; i < alert->party_count; i++) {
        const struct alert_party *party = &alert->parties[i];
        if (party->role != role || !*party->name || seen++ == 0)
            continue;
        if (t.length + strlen(party->name) + 2 > sizeof(names))
            break;
        if (t.length)
            text_char(&t, ',');
        text_string(&t, party->name);
    }
    text_end(&t);
    pair_custom(w, number, label, bytes_of(names));
}

static const struct alert_evidence *evidence(const struct alert *alert, const char *name)
{
    for (uint32_t i = 0; i < alert->evidence_count; i++)
        if (strcmp(alert->evidence[i].name, name) == 0)
            return &alert->evidence[i];
    return NULL;
}

/* Texts among the evidence that CEF has keys for. */
static void pair_evidence(struct cef_writer *w, const struct alert *alert)
{
    static const struct {
        const char *name, *key;
        size_t most;
    } keys[] = {{"protocol", "app", APP_MAX}, {"outcome", "outcome", 63}, {"reason", "reason", FIELD_MAX}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct alert_evidence *e = evidence(alert, keys[i].name);
        if (e && e->type == EVIDENCE_TEXT)
            pair(w, keys[i].key, e->text, keys[i].most);
    }
}

/* What is told in words: last, and cut so that the whole fits; each byte may take two. */
static void pair_message(struct cef_writer *w, const char *message)
{
    size_t left = w->text.length + 16 < CEF_MAX ? CEF_MAX - w->text.length - 16 : 0;
    pair(w, "msg", message, left / 2 < FIELD_MAX ? left / 2 : FIELD_MAX);
}

size_t cef_of_alert(const struct alert *alert, const struct cef_context *context, char to[CEF_MAX])
{
    struct cef_writer w;
    char name[2 * ALERT_NAME_MAX + 2];
    const struct alert_party *source = alert_party(alert, ALERT_SOURCE);
    begin(&w, to, context, alert->name, context->title ? context->title : alert->name,
          cef_severity(alert->severity));
    pair_time(&w, "start", alert->start);
    pair_time(&w, "end", alert->end);
    pair_evidence(&w, alert);
    pair_accounts(&w, alert);
    pair_source(&w, alert);
    pair_destination(&w, alert);
    pair_number(&w, "cnt", alert->count);
    pair_number(&w, "externalId", alert->external_id);
    pair(&w, "cat", context->mitre, FIELD_MAX);
    pair_url(&w, context->url, "/alerts/", (struct bytes){alert->id, sizeof(alert->id)});
    pair_custom(&w, 2, "trigger", bytes_of(context->trigger));
    if (source && source->kind == SUBJECT_COMPUTER)
        pair_custom(&w, 3, "shostfqdn", full_name(source, name));
    pair_others(&w, alert, 4, "otherAccounts", ALERT_ACCOUNT);
    pair_others(&w, alert, 5, "otherDestinations", ALERT_DESTINATION);
    pair_message(&w, alert->explanation);
    return text_end(&w.text);
}

size_t cef_of_health(const struct health_issue *issue, const struct cef_context *context, char to[CEF_MAX])
{
    static const enum severity severities[] = {SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH};
    char event[80], message[HEALTH_SUBJECT_SIZE + HEALTH_TEXT_SIZE + 4];
    struct cef_writer w;
    struct text t = text_to(event, sizeof(event));
    text_string(&t, issue->kind->word);
    text_string(&t, "_health");
    text_end(&t);
    t = text_to(message, sizeof(message));
    text_string(&t, issue->subject);
    text_string(&t, ": ");
    text_string(&t, issue->text);
    text_end(&t);
    begin(&w, to, context, event, issue->kind->name, cef_severity(severities[issue->severity]));
    pair_time(&w, "start", issue->since);
    pair_number(&w, "externalId", issue->kind->number);
    pair_url(&w, context->url, "/health", (struct bytes){0});
    pair_custom(&w, 2, "trigger", bytes_of(context->trigger));
    pair_message(&w, message);
    return text_end(&w.text);
}
