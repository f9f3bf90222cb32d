/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include <math.h>
#include <string.h>

static const enum activity_kind kinds[] = {ACTIVITY_DNS_QUERY, ACTIVITY_NONE};

enum { SETTING_BYTES, SETTING_NAMES };
static const struct detector_setting settings[] = {
    {"bytes", "bytes", 32768, 8192, 4096, 512, 100000000,
     "Information that one source sends to one registered domain within a day in the names it asks for, from "
     "which on it may be a channel."},
    {"names", "", 200, 100, 50, 10, 1000000, "Different names of that domain, below which it is not told."},
    {0},
};

/* Bytes of names, repeated ones too, from which on a pair is looked at closely. */
#define CLOSELY    1024.0f
#define CHARACTERS 40u /* 26 letters, 10 digits, hyphen, underscore, dot, all else */
#define SEEN_BITS  2048u

struct pair {
    struct decayed_count bytes;
};

struct channel {
    struct decayed_count bytes; /* of information in names that were new */
    struct decayed_count down;  /* of data in the answers to them */
    struct distinct_window names;
    float counts[CHARACTERS];
    uint32_t marked;
    uint8_t seen[SEEN_BITS / 8];
    double told;
};

static const struct state_form tables[] = {
    {.name = "pairs",
     .version = 1,
     .value_size = sizeof(struct pair),
     .capacity = 200000,
     .lifetime = 6 * STATISTICS_HOUR},
    {.name = "channels",
     .version = 1,
     .value_size = sizeof(struct channel),
     .capacity = 4096,
     .lifetime = 2 * STATISTICS_DAY},
    {0},
};

/* Lists of reputation that are asked for an address, a file or a name inside the name: what they are for. */
static const char *const reputation[] = {
    "in-addr.arpa",      "ip6.arpa",       "spamhaus.org", "spamhaus.net",    "barracudacentral.org",
    "spamcop.net",       "surbl.org",      "uribl.com",    "sorbs.net",       "mcafee.com",
    "sophosxl.net",      "senderbase.org", "cymru.com",    "trendmicro.com",  "abuseat.org",
    "dnswl.org",         "mailspike.net",  "njabl.org",    "senderscore.com", "avast.com",
    "barracudabrts.com",
};

/* The part that people register: the last two labels, or three below names such as co.uk. Without the public
 * suffix list this is a guess, on the careful side: what it joins too widely counts more. */
static struct bytes registered_domain(struct bytes name)
{
    static const char *const generic[] = {"co.", "com.", "net.", "org.", "gov.",
                                          "ac.", "edu.", "or.",  "ne.",  "go."};
    size_t at[3] = {0}, dots = 0;
    for (size_t i = name.size; i > 0 && dots < 3; i--)
        if (name.data[i - 1] == '.')
            at[dots++] = i;
    if (dots < 2)
        return name;
    struct bytes two = {name.data + at[1], name.size - at[1]};
    size_t top = name.size - at[0];
    for (unsigned i = 0; top == 2 && i < sizeof(generic) / sizeof(*generic); i++)
        if (text_begins(two, generic[i]))
            return dots < 3 ? name : (struct bytes){name.data + at[2], name.size - at[2]};
    return two;
}

static bool is_reputation(struct bytes domain)
{
    for (unsigned i = 0; i < sizeof(reputation) / sizeof(*reputation); i++)
        if (text_is(domain, reputation[i]))
            return true;
    return text_ends(domain, ".arpa");
}

static struct subject pair_of(const struct detection *d, const struct observation *o)
{
    struct bytes domain = registered_domain(observation_text(o, FIELD_DNS_NAME));
    return subject_of_pair(detection_seed(d), key_by_origin(d, o),
                           subject_of_name(detection_seed(d), SUBJECT_DOMAIN, domain, (struct bytes){0}));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_DNS_NAME), domain = registered_domain(name);
    /* Names of own zones do not leave the network; a DNS server asks what its clients ask it. */
    return name.size > domain.size && !is_reputation(domain) &&
                   !observation_bool(o, FIELD_DNS_AUTHORITATIVE) && !by_controller(d, o) &&
                   !detection_is(d, &o->source, FACT_DNS_SERVER)
               ? pair_of(d, o)
               : (struct subject){0};
}

static unsigned character(uint8_t c)
{
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a')
           : c >= '0' && c <= '9'       ? 26u + (unsigned)(c - '0')
           : c == '-'                   ? 36
           : c == '_'                   ? 37
           : c == '.'                   ? 38
                                        : 39;
}

/* Bits a character, of all names so far: order 0. */
static double entropy(const float counts[CHARACTERS])
{
    double total = 0, bits = 0;
    for (unsigned i = 0; i < CHARACTERS; i++)
        total += (double)counts[i];
    for (unsigned i = 0; i < CHARACTERS && total > 0; i++)
        if (counts[i] > 0)
            bits -= (double)counts[i] / total * log2((double)counts[i] / total);
    return bits;
}

/* A Bloom filter that is emptied when half of it is marked. */
static bool is_new(struct channel *channel, struct subject name)
{
    bool is = false;
    if (channel->marked > SEEN_BITS / 2) {
        memset(channel->seen, 0, sizeof(channel->seen));
        channel->marked = 0;
    }
    for (unsigned i = 0; i < 3; i++) {
        unsigned bit = (unsigned)(name.low >> (i * 16)) % SEEN_BITS;
        uint8_t mask = (uint8_t)(1u << bit % 8);
        is |= !(channel->seen[bit / 8] & mask);
        channel->marked += !(channel->seen[bit / 8] & mask);
        channel->seen[bit / 8] |= mask;
    }
    return is;
}

static void add_name(struct channel *channel, struct subject hash, struct bytes prefix,
                     const struct observation *o)
{
    if (!is_new(channel, hash))
        return;
    for (size_t i = 0; i < prefix.size; i++)
        channel->counts[character(prefix.data[i])]++;
    double bytes = (double)prefix.size * entropy(channel->counts) / 8;
    decayed_add(&channel->bytes, o->time, STATISTICS_DAY, bytes);
    decayed_add(&channel->down, o->time, STATISTICS_DAY,
                (double)observation_uint(o, FIELD_DNS_ANSWER_BYTES, 0));
    distinct_window_add(&channel->names, hash.low, o->time, STATISTICS_DAY);
}

static void raise_if(struct detection *d, const struct observation *o, struct channel *channel)
{
    double bytes = decayed_value(&channel->bytes, o->time, STATISTICS_DAY);
    double limit = detection_setting(d, SETTING_BYTES);
    uint32_t names = distinct_window_value(&channel->names, o->time, STATISTICS_DAY);
    if (bytes < channel->told / 4)
        channel->told = 0;
    if (bytes < limit || names < detection_setting(d, SETTING_NAMES) || bytes < 2 * channel->told)
        return;
    channel->told = bytes;
    struct bytes name = observation_text(o, FIELD_DNS_NAME), domain = registered_domain(name);
    struct words from, to, example;
    struct alert *alert = detection_bare_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_SOURCE, &o->source);
    alert_add_party(alert, ALERT_ACCOUNT, &o->account);
    alert_add_named(alert, ALERT_RESOURCE, SUBJECT_DOMAIN, domain, (struct bytes){0});
    alert_explain(alert, "%s asked for about %u different names below %s, the last of them %s.",
                  words_party(&from, &o->source, "Somebody"), names, words_text(&to, domain, 80),
                  words_text(&example, name, 120));
    alert_explain(alert, "They carry about %.0f bytes in a day, at %.1f bits a character.", bytes,
                  entropy(channel->counts));
    alert_put_compared(alert, "bytes", bytes, settings[SETTING_BYTES].name, limit);
    alert_put_compared(alert, "names", names, settings[SETTING_NAMES].name,
                       detection_setting(d, SETTING_NAMES));
    alert_put_number(alert, "bits_per_character", entropy(channel->counts));
    alert_put_number(alert, "answer_bytes", decayed_value(&channel->down, o->time, STATISTICS_DAY));
    alert_put_text(alert, "domain", domain);
    explain_end(alert, o);
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_DNS_NAME), domain = registered_domain(name);
    struct bytes prefix = {name.data, name.size - domain.size - 1};
    struct pair *pair = detection_use(d, 0, detection_key(d), NULL);
    if (!pair || decayed_add(&pair->bytes, o->time, STATISTICS_HOUR, (double)prefix.size) < (double)CLOSELY)
        return;
    struct channel *channel = detection_use(d, 1, detection_key(d), NULL);
    if (!channel)
        return;
    add_name(channel, subject_of_name(detection_seed(d), SUBJECT_OBJECT, prefix, (struct bytes){0}), prefix,
             o);
    raise_if(d, o, channel);
}

const struct detector detector_dns_tunnel = {
    .external_id = 2031,
    .name = "DnsSuspiciousCommunicationSecurityAlert",
    .title = "Suspicious communication over DNS",
    .word = "dns_tunnel",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1048",
    .doc =
        "How much one source tells one registered domain by the names it asks for, within a day: of each "
        "name that is new, its length times the entropy of the characters of all names so far (order 0). "
        "After Paxson, Christodorescu, Javed, Rao, Sailer, Schales, Stoecklin, Thomas, Venema, Weaver, "
        "\"Practical Comprehensive Bounds on Surreptitious Communication Over DNS\", USENIX Security 2013, "
        "who bound it by compression and tell from 4 KB a day on, which is the threshold of high "
        "sensitivity. Fades with a half-life of a day. Only pairs with 1 KB of names in an hour are looked "
        "at closely, so the state stays small. Left out: names of own zones, reverse names, and the lists of "
        "reputation that carry their question in the name, as Paxson's paper does.",
    .advice = "Look who owns the domain and which program asked; block it at the DNS servers. Exclude mail "
              "servers and sensors that ask lists of reputation.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
