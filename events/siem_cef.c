/* SPDX-License-Identifier: Apache-2.0
 *
 * ArcSight's Common Event Format: CEF:0|vendor|product|version|class|name|severity|extension, the extension
 * pairs of key and value with blanks between them, values with blanks in them, and \= \\ \| \n \r. Values of
 * the custom keys (cs4) have their meaning in a label (cs4Label=Reason or Error Code). rawEvent has the event
 * whole: its pairs parted by &&, with the labels of the rendered message.
 */
#include "events/siem_format.h"

#include <ctype.h>

#define PAIRS_MAX 160u

struct pair {
    struct bytes key, value;
};

struct cef {
    struct siem_job *job;
    struct bytes vendor, product, signature;
    uint32_t count;
    struct pair pairs[PAIRS_MAX];
};

/* --- the header --- */

/* Up to the next bar that is not escaped. */
static struct bytes take_header_field(struct bytes *text)
{
    size_t n = 0;
    while (n < text->size && text->data[n] != '|')
        n += text->data[n] == '\\' ? 2 : 1;
    struct bytes field = siem_first(*text, n);
    *text = siem_from(*text, n + 1);
    return field;
}

static bool read_header(struct cef *cef, struct bytes *extension)
{
    enum { VERSION, VENDOR, PRODUCT, DEVICE_VERSION, SIGNATURE, NAME, SEVERITY, FIELDS };
    struct bytes fields[FIELDS], text = siem_from(cef->job->body, strlen("CEF:"));
    uint64_t version;
    for (unsigned i = 0; i < FIELDS; i++) {
        if (text.size == 0)
            return false;
        fields[i] = siem_trim(take_header_field(&text));
    }
    cef->vendor = fields[VENDOR];
    cef->product = fields[PRODUCT];
    cef->signature = fields[SIGNATURE];
    *extension = text;
    return siem_is_number(fields[VERSION], &version);
}

/* --- the extension --- */

static bool is_key(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '.' || c == '-' || c == '[' || c == ']';
}

/* The next '=' that is not escaped and has a key before it, behind a blank. */
static size_t next_equals(struct bytes text, size_t from, size_t *key)
{
    for (size_t at = from; at < text.size; at++) {
        if (text.data[at] == '\\') {
            at++;
            continue;
        }
        if (text.data[at] != '=')
            continue;
        size_t begin = at;
        while (begin > from && is_key(text.data[begin - 1]))
            begin--;
        if (begin < at && (begin == 0 || isspace(text.data[begin - 1]))) {
            *key = begin;
            return at;
        }
    }
    return text.size;
}

static void read_extension(struct cef *cef, struct bytes text)
{
    size_t key, equals = next_equals(text, 0, &key);
    while (equals < text.size && cef->count < PAIRS_MAX) {
        size_t next = text.size, value = equals + 1;
        size_t end = next_equals(text, value, &next);
        if (end == text.size)
            next = text.size;
        cef->pairs[cef->count++] =
            (struct pair){{text.data + key, equals - key},
                          siem_unescape(cef->job, siem_trim((struct bytes){text.data + value, next - value}),
                                        "=\\|nr", "=\\|\n\r")};
        key = next;
        equals = end;
    }
    cef->job->event->truncated |= equals < text.size;
}

static struct bytes get(const struct cef *cef, const char *key)
{
    for (uint32_t i = 0; i < cef->count; i++)
        if (siem_is(cef->pairs[i].key, key))
            return cef->pairs[i].value;
    return (struct bytes){0};
}

/* The value of the custom key that has this label. */
static struct bytes labelled(const struct cef *cef, const char *label)
{
    const size_t suffix = strlen("Label");
    for (uint32_t i = 0; i < cef->count; i++) {
        struct bytes key = cef->pairs[i].key;
        if (key.size <= suffix || memcmp(key.data + key.size - suffix, "Label", suffix) != 0 ||
            !siem_is(cef->pairs[i].value, label))
            continue;
        for (uint32_t k = 0; k < cef->count; k++)
            if (cef->pairs[k].key.size == key.size - suffix &&
                memcmp(cef->pairs[k].key.data, key.data, key.size - suffix) == 0)
                return cef->pairs[k].value;
    }
    return (struct bytes){0};
}

/* --- what they mean --- */

/* ArcSight's keys (and, in parentheses there, labels) for the fields of these events. */
static const struct {
    uint32_t low, high; /* ids */
    const char *key;    /* "#" and a label, or a key */
    const char *field;
} meanings[] = {
    {4776, 4776, "duser", "TargetUserName"},
    {4776, 4776, "shost", "Workstation"},
    {4776, 4776, "#Reason or Error Code", "Status"},
    {4776, 4776, "#Authentication Package Name", "PackageName"},
    {4624, 4625, "duser", "TargetUserName"},
    {4624, 4625, "dntdom", "TargetDomainName"},
    {4624, 4625, "duid", "TargetLogonId"},
    {4624, 4625, "suser", "SubjectUserName"},
    {4624, 4625, "sntdom", "SubjectDomainName"},
    {4624, 4625, "suid", "SubjectLogonId"},
    {4624, 4625, "src", "IpAddress"},
    {4624, 4625, "spt", "IpPort"},
    {4624, 4625, "shost", "WorkstationName"},
    {4624, 4625, "#LogonType", "LogonType"},
    {4624, 4625, "#Authentication Package Name", "AuthenticationPackageName"},
    {4624, 4625, "#Reason or Error Code", "Status"},
    {4768, 4771, "duser", "TargetUserName"},
    {4768, 4771, "dntdom", "TargetDomainName"},
    {4768, 4771, "src", "IpAddress"},
    {4768, 4771, "spt", "IpPort"},
    {4768, 4771, "destinationServiceName", "ServiceName"},
    {4768, 4771, "#Ticket Options", "TicketOptions"},
    {4768, 4771, "#Ticket Encryption Type", "TicketEncryptionType"},
    {4768, 4771, "#Reason or Error Code", "Status"},
    {4720, 4726, "duser", "TargetUserName"},
    {4720, 4726, "dntdom", "TargetDomainName"},
    {4727, 4763, "#Group Name", "TargetUserName"},
    {4727, 4763, "#Group Domain", "TargetDomainName"},
    {4728, 4757, "#Member Name", "MemberName"},
    {4738, 4743, "duser", "TargetUserName"},
    {4738, 4743, "dntdom", "TargetDomainName"},
    {4720, 4767, "suser", "SubjectUserName"},
    {4720, 4767, "sntdom", "SubjectDomainName"},
    {4720, 4767, "suid", "SubjectLogonId"},
    {7045, 7045, "destinationServiceName", "ServiceName"},
    {7045, 7045, "filePath", "ImagePath"},
};

/* "Subject:Account Name=Administrator&&Logon Type=3" of rawEvent. */
static void put_raw_event(struct siem_job *job, struct bytes raw)
{
    while (raw.size > 0) {
        const uint8_t *end = memmem(raw.data, raw.size, "&&", 2);
        struct bytes value = siem_first(raw, end ? (size_t)(end - raw.data) : raw.size);
        raw = siem_from(raw, end ? value.size + 2 : value.size);
        struct bytes label = siem_take(&value, '=');
        siem_put_label(job, siem_trim(label), siem_trim(value));
    }
}

static void put_meanings(struct cef *cef)
{
    uint32_t id = cef->job->event->id;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (id < meanings[i].low || id > meanings[i].high)
            continue;
        struct bytes value =
            *meanings[i].key == '#' ? labelled(cef, meanings[i].key + 1) : get(cef, meanings[i].key);
        if (value.size > 0)
            siem_put_named(cef->job, meanings[i].field, value);
    }
}

/* Senders that are no ArcSight have the manifest's names for keys; ArcSight's additional data is "ad.NAME".
 */
static void put_keys(struct cef *cef)
{
    for (uint32_t i = 0; i < cef->count; i++) {
        struct bytes key = cef->pairs[i].key;
        siem_put(cef->job, siem_begins(key, "ad.") ? siem_from(key, 3) : key, cef->pairs[i].value);
    }
}

/* "Microsoft-Windows-Security-Auditing:4776", or the number alone. */
static bool put_id(struct cef *cef)
{
    struct bytes number = cef->signature, provider = siem_take(&number, ':');
    if (siem_put_id(cef->job, get(cef, "externalId")))
        return true;
    return siem_put_id(cef->job, number.size ? number : provider);
}

static void put_provider(struct cef *cef)
{
    struct event *event = cef->job->event;
    struct bytes rest = cef->signature, provider = siem_take(&rest, ':');
    event->provider = labelled(cef, "EventSource");
    if (event->provider.size == 0 && rest.size > 0)
        event->provider = provider;
}

enum siem_outcome siem_read_cef(struct siem_job *job)
{
    struct cef cef = {.job = job, .count = 0};
    struct event *event = job->event;
    struct bytes extension;
    if (!read_header(&cef, &extension))
        return siem_bad(job, "CEF: no header of seven fields");
    if (!siem_is(cef.vendor, "Microsoft") || !siem_has(cef.product, "Windows"))
        return SIEM_NOT_WINDOWS;
    read_extension(&cef, extension);
    if (!put_id(&cef))
        return siem_bad(job, "CEF: no externalId");
    if (!siem_put_time(job, get(&cef, "rt")))
        return siem_bad(job, "CEF: no rt, the time of the event");
    put_provider(&cef);
    event->channel = get(&cef, "cat");
    event->computer = get(&cef, "dhost");
    if (event->computer.size == 0)
        event->computer = get(&cef, "dvchost");
    siem_put_outcome(job, get(&cef, "deviceSeverity"));
    siem_put_outcome(job, get(&cef, "categoryOutcome"));
    put_raw_event(job, get(&cef, "rawEvent"));
    put_meanings(&cef);
    put_keys(&cef);
    return SIEM_READ;
}
