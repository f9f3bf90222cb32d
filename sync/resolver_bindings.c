/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is where. An address has one computer at a time: the one for whom the evidence is best, until better or
 * equal evidence names another, a lease gives the address away, or nothing has been heard for too long. A
 * computer that is surely at one address is not believed to be at another on weaker word (poisoned names,
 * relayed logons). Several computers that prove themselves from one address within minutes make it shared.
 */
#include "sync/resolver_internal.h"

#define XXH_INLINE_ALL
#include <stdio.h>
#include <xxhash.h>

#define SHARED_WINDOW    (10 * CLOCK_MINUTE)
#define SHARED_KEPT      CLOCK_HOUR
#define SHARED_COMPUTERS 3u
#define DISPUTE_KEPT     (5 * CLOCK_SECOND) /* from a computer's first word to its proof */
#define STRONG           60u                /* evidence that cannot be had by mere assertion */
#define NETBIOS_NAME_MAX 15u

static const struct resolver_source_info sources[RESOLVER_SOURCES] = {
    [RESOLVER_UNKNOWN] = {"unknown", 0, true, 0, ""},
    [RESOLVER_NETBIOS] =
        {"netbios", 35, true, 4 * CLOCK_HOUR,
         "It registered its NetBIOS name, announced it to the browser service, or gave it when "
         "it opened a NetBIOS session."},
    [RESOLVER_MDNS] = {"mdns", 30, true, 4 * CLOCK_HOUR, "It announced its name on the link (mDNS)."},
    [RESOLVER_WORKSTATION] = {"workstation", 30, true, 4 * CLOCK_HOUR,
                              "Workstation name in an NTLM logon that succeeded, host in a CLDAP ping."},
    [RESOLVER_DNS_ANSWER] =
        {"dns_answer", 50, false, 24 * CLOCK_HOUR,
         "Address or pointer record in a DNS server's answer, for names of domains that were "
         "heard of."},
    [RESOLVER_DNS_UPDATE] = {"dns_update", 50, true, 24 * CLOCK_HOUR,
                             "Dynamic DNS update without a signature that the server accepted."},
    [RESOLVER_DHCP] = {"dhcp", 55, false, 24 * CLOCK_HOUR,
                       "Host name in a lease that the server granted; ages with the lease."},
    [RESOLVER_CHALLENGE] = {"server_name", 60, false, 24 * CLOCK_HOUR,
                            "Name that a server gives itself: NTLM challenge, CLDAP answer of a domain "
                            "controller."},
    [RESOLVER_MACHINE_NTLM] = {"machine_ntlm", 50, false, 4 * CLOCK_HOUR,
                               "Its computer account logged on by NTLM (which can be relayed)."},
    /* Any account may add a name that is not there yet, for any address. */
    [RESOLVER_SECURE_UPDATE] = {"dns_secure_update", 55, true, 24 * CLOCK_HOUR,
                                "Dynamic DNS update with a signature (TSIG) that the server accepted."},
    [RESOLVER_SERVICE_TICKET] = {"service_ticket", 85, false, 24 * CLOCK_HOUR,
                                 "It accepted a Kerberos ticket whose service principal names it."},
    [RESOLVER_NETLOGON] = {"netlogon", 90, false, 12 * CLOCK_HOUR,
                           "Its computer account set up a Netlogon secure channel."},
    [RESOLVER_MACHINE_KERBEROS] = {"machine_kerberos", 95, false, 12 * CLOCK_HOUR,
                                   "Its computer account was given a Kerberos ticket."},
    [RESOLVER_ASKED_NETBIOS] = {"asked_netbios", 40, true, 4 * CLOCK_HOUR,
                                "Asked for its NetBIOS names, it gave this one (docs/resolver.md)."},
    [RESOLVER_ASKED_DNS] = {"asked_dns", 45, false, 4 * CLOCK_HOUR,
                            "The DNS server, asked for the pointer record of the address."},
    [RESOLVER_ASKED_RDP] = {"asked_rdp", 55, true, 12 * CLOCK_HOUR,
                            "The name in the certificate that its remote desktop service shows."},
    [RESOLVER_ASKED_NTLM] = {"asked_ntlm", 60, false, 12 * CLOCK_HOUR,
                             "The name that it gives itself in an NTLM challenge that was asked for."},
    [RESOLVER_CONFIGURED] = {"configured", 100, false, 24 * CLOCK_HOUR,
                             "The node itself talks to it under that name."},
};

const struct resolver_source_info *resolver_source_info(enum resolver_source source)
{
    return &sources[(unsigned)source < RESOLVER_SOURCES ? source : RESOLVER_UNKNOWN];
}

void resolver_print_sources(void *stream)
{
    fputs("| source | confidence | named only if the directory knows it | aged out after | evidence |\n"
          "| --- | --- | --- | --- | --- |\n",
          stream);
    for (unsigned i = RESOLVER_SOURCES; i-- > 1;)
        fprintf(stream, "| `%s` | %u %% | %s | %d h | %s |\n", sources[i].name, sources[i].confidence,
                sources[i].stated ? "yes" : "no", (int)(sources[i].age_out / CLOCK_HOUR), sources[i].doc);
}

/* --- tables that make room --- */

static struct address_key key_of(const struct ip_address *address)
{
    struct address_key key = {.family = address->family};
    memcpy(key.bytes, address->bytes, address->family == 4 ? 4 : 16);
    return key;
}

struct cut {
    int64_t older;
    bool principals;
};

static bool is_newer(void *context, const void *key, void *value)
{
    const struct cut *cut = context;
    (void)key;
    if (cut->principals)
        return ((const struct principal *)value)->seen > cut->older;
    return ((const struct binding *)value)->used > cut->older;
}

/* The oldest quarter goes, about: each pass halves the time that is kept until enough has gone. */
static void make_room(struct resolver *resolver, struct hash_table *table, bool principals, int64_t now)
{
    uint32_t before = hash_table_count(table), at = 0;
    const void *key;
    void *value;
    int64_t oldest = now;
    while (hash_table_next(table, &at, &key, &value)) {
        int64_t seen = principals ? ((struct principal *)value)->seen : ((struct binding *)value)->used;
        oldest = seen < oldest ? seen : oldest;
    }
    int64_t span = now - oldest;
    for (unsigned pass = 0; pass < 64 && hash_table_count(table) > before / 4 * 3; pass++) {
        span -= span / 4 + 1;
        struct cut cut = {.older = now - span, .principals = principals};
        resolver->counters.evicted += hash_table_retain(table, is_newer, &cut);
    }
}

void resolver_remember(struct resolver *resolver, struct hash_table *table, uint64_t key,
                       const struct principal *principal)
{
    struct principal *to = hash_table_insert(table, &key, NULL);
    if (!to) {
        make_room(resolver, table, true, principal->seen);
        to = hash_table_insert(table, &key, NULL);
    }
    if (to)
        *to = *principal;
}

const struct principal *resolver_recall(const struct hash_table *table, uint64_t key)
{
    return hash_table_find(table, &key);
}

uint64_t resolver_connection(const struct resolver *resolver, const struct view *view)
{
    struct {
        struct ip_address ends[2];
        uint8_t zero[6];
        uint64_t ports[2], flow;
    } key;
    memset(&key, 0, sizeof(key));
    if (!view->at[FIELD_FLOW] || !view_address(view, FIELD_SOURCE, &key.ends[0]) ||
        !view_address(view, FIELD_DESTINATION, &key.ends[1]))
        return 0;
    if (view->at[FIELD_SOURCE_PORT])
        key.ports[0] = view_get(view, FIELD_SOURCE_PORT)->uint;
    if (view->at[FIELD_DESTINATION_PORT])
        key.ports[1] = view_get(view, FIELD_DESTINATION_PORT)->uint;
    key.flow = view_get(view, FIELD_FLOW)->uint;
    return XXH3_64bits_withSeed(&key, sizeof(key), resolver->seed) | 1;
}

struct binding *resolver_bound(const struct resolver *resolver, const struct ip_address *address)
{
    struct address_key key = key_of(address);
    return address->family ? hash_table_find(resolver->bindings, &key) : NULL;
}

/* Nobody's own: 0.0.0.0, multicast, broadcast, loopback. */
static bool is_somebody(const struct ip_address *a)
{
    static const uint8_t nothing[16];
    if (a->family == 4)
        return a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
    return a->family == 6 && a->bytes[0] != 0xff && memcmp(a->bytes, nothing, 15) != 0;
}

struct binding *resolver_bind(struct resolver *resolver, const struct ip_address *address, int64_t time)
{
    struct address_key key = key_of(address);
    if (!is_somebody(address))
        return NULL;
    struct binding *binding = hash_table_insert(resolver->bindings, &key, NULL);
    if (!binding) {
        make_room(resolver, resolver->bindings, false, time);
        binding = hash_table_insert(resolver->bindings, &key, NULL);
    }
    if (binding && time > binding->used)
        binding->used = time;
    return binding;
}

/* --- claims --- */

bool resolver_is_shared(const struct binding *binding, int64_t time)
{
    return binding->shared_until && time < binding->shared_until;
}

uint8_t resolver_confidence(const struct claim *claim, int64_t time)
{
    const struct resolver_source_info *info = resolver_source_info((enum resolver_source)claim->source);
    if (!claim->host[0] || (claim->ends && time >= claim->ends))
        return 0;
    int64_t age = time - claim->seen;
    if (age <= 0)
        return info->confidence;
    if (age >= info->age_out)
        return 0;
    /* In steps of 1/64: no large products. */
    int64_t step = info->age_out / 64;
    return (uint8_t)(info->confidence - info->confidence * (age / step) / 64);
}

/* One name is another's first 15 characters, as NetBIOS cuts it. */
static bool same_host(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    size_t i = strlen(a), j = strlen(b);
    return (i == NETBIOS_NAME_MAX || j == NETBIOS_NAME_MAX) && i >= NETBIOS_NAME_MAX &&
           j >= NETBIOS_NAME_MAX && memcmp(a, b, NETBIOS_NAME_MAX) == 0;
}

static bool within(const char *name, const char *suffix)
{
    size_t size = strlen(name), end = strlen(suffix);
    return size >= end && strcmp(name + size - end, suffix) == 0;
}

static bool same_domain(const struct resolver *resolver, uint16_t a, uint16_t b)
{
    if (a == b || a == RESOLVER_NO_DOMAIN || b == RESOLVER_NO_DOMAIN)
        return true;
    const char *first = (const char *)resolver_domain_name(resolver, a).data;
    const char *second = (const char *)resolver_domain_name(resolver, b).data;
    if (!strchr(first, '.') || !strchr(second, '.')) /* a NetBIOS name that nobody explained */
        return true;
    return within(first, second) || within(second, first);
}

static bool same_computer(const struct resolver *resolver, const struct claim *a, const struct claim *b)
{
    return same_host(a->host, b->host) && same_domain(resolver, a->domain, b->domain);
}

static uint64_t host_hash(const struct resolver *resolver, const char *host)
{
    size_t size = strlen(host);
    return XXH3_64bits_withSeed(host, size < NETBIOS_NAME_MAX ? size : NETBIOS_NAME_MAX, resolver->seed);
}

static bool is_address(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] != '.' && (name.data[i] < '0' || name.data[i] > '9'))
            return false;
    return true;
}

/* "WS01$", "WS01", "ws01.corp.example": the host, and what of the domain the name tells. */
static bool make_claim(struct resolver *resolver, struct claim *to, struct bytes name, struct bytes domain)
{
    memset(to, 0, sizeof(*to));
    if (is_address(name))
        return false;
    if (name.data[name.size - 1] == '$')
        name.size--;
    const uint8_t *dot = name.size ? memchr(name.data, '.', name.size) : NULL;
    if (dot) {
        domain = (struct bytes){dot + 1, (size_t)(name.data + name.size - dot - 1)};
        name.size = (size_t)(dot - name.data);
    }
    if (!resolver_fold(to->host, sizeof(to->host), name)) {
        to->host[0] = 0;
        return false;
    }
    for (const char *c = to->host; *c; c++)
        if ((unsigned char)*c < 0x21 || strchr("_\\/:*?\"<>|@,", *c))
            return false;
    to->domain = resolver_domain_number(resolver, domain);
    return true;
}

bool resolver_is_host(const struct binding *binding, struct bytes name)
{
    char host[RESOLVER_HOST_MAX];
    const uint8_t *dot = name.size ? memchr(name.data, '.', name.size) : NULL;
    if (dot)
        name.size = (size_t)(dot - name.data);
    return resolver_fold(host, sizeof(host), name) && same_host(host, binding->computer.host);
}

/* Where the computer is said to be, when that is another address: on better word than this one. */
static bool is_elsewhere(struct resolver *resolver, const struct claim *claim, const struct address_key *here,
                         uint8_t confidence, int64_t time)
{
    uint64_t hash = host_hash(resolver, claim->host);
    const struct address_key *there = hash_table_find(resolver->holders, &hash);
    if (!there || memcmp(there, here, sizeof(*here)) == 0)
        return false;
    struct binding *other = hash_table_find(resolver->bindings, there);
    if (!other || !same_computer(resolver, &other->computer, claim))
        return false;
    uint8_t held = resolver_confidence(&other->computer, time);
    if (confidence >= STRONG) { /* it has several addresses, or has moved; a mere assertion ends */
        if (held > 0 && held < STRONG) {
            memset(&other->computer, 0, sizeof(other->computer));
            resolver->counters.contradicted++;
        }
        return false;
    }
    return held >= confidence;
}

static void note_holder(struct resolver *resolver, const char *host, const struct address_key *address)
{
    uint64_t hash = host_hash(resolver, host);
    struct address_key *to = hash_table_insert(resolver->holders, &hash, NULL);
    if (!to) { /* rebuilt by what is heard next */
        hash_table_clear(resolver->holders);
        to = hash_table_insert(resolver->holders, &hash, NULL);
    }
    if (to)
        *to = *address;
}

/* Computers that prove themselves from one address within minutes share it. */
static void note_sighting(struct resolver *resolver, struct binding *binding, const struct claim *claim)
{
    uint64_t host = host_hash(resolver, claim->host);
    struct sighting *oldest = &binding->sightings[0], *mine = NULL;
    unsigned lately = 0;
    for (unsigned i = 0; i < RESOLVER_SIGHTINGS; i++) {
        struct sighting *s = &binding->sightings[i];
        if (s->host == host)
            mine = s;
        else if (s->host && claim->seen - s->seen < SHARED_WINDOW)
            lately++;
        if (oldest->host && (!s->host || s->seen < oldest->seen))
            oldest = s;
    }
    mine = mine ? mine : oldest;
    *mine = (struct sighting){.host = host, .seen = claim->seen};
    if (lately + 1 < SHARED_COMPUTERS)
        return;
    resolver->counters.shared += !resolver_is_shared(binding, claim->seen);
    binding->shared_until = claim->seen + SHARED_KEPT;
}

/* The same computer again: the better word and the fuller name stay. */
static void confirm(struct claim *stands, const struct claim *claim, int64_t time)
{
    if (strlen(claim->host) > strlen(stands->host))
        memcpy(stands->host, claim->host, sizeof(claim->host));
    if (stands->domain == RESOLVER_NO_DOMAIN ||
        resolver_confidence(claim, time) > resolver_confidence(stands, time))
        stands->domain = claim->domain ? claim->domain : stands->domain;
    if (resolver_confidence(claim, time) >= resolver_confidence(stands, time)) {
        stands->source = claim->source;
        stands->seen = claim->seen;
        stands->ends = claim->ends;
    }
}

const struct claim *resolver_claim_at(const struct binding *binding, int64_t time)
{
    return time >= binding->computer.begins ? &binding->computer : &binding->before;
}

/* A computer asks for its first ticket before it proves itself: what it did since then is its own. */
static void replace(struct resolver *resolver, struct binding *binding, struct claim *claim,
                    const struct ip_address *address)
{
    bool disputed = binding->disputed && claim->since - binding->disputed < DISPUTE_KEPT &&
                    binding->disputed_by == host_hash(resolver, claim->host);
    if (binding->computer.host[0]) {
        claim->begins = disputed ? binding->disputed : claim->since;
        binding->before = binding->computer;
    } else {
        claim->begins = binding->computer.begins; /* of its release */
    }
    if (disputed)
        resolver->settled = resolver_address_hash(resolver, address);
    binding->disputed = 0;
    binding->computer = *claim;
}

/* "WS01$": the hash of its host. */
static uint64_t account_host(const struct resolver *resolver, struct bytes account)
{
    char host[RESOLVER_HOST_MAX];
    if (account.size < 2 || account.data[account.size - 1] != '$' ||
        !resolver_fold(host, sizeof(host), (struct bytes){account.data, account.size - 1}))
        return 0;
    return host_hash(resolver, host);
}

void resolver_dispute(struct resolver *resolver, const struct ip_address *address, struct bytes account,
                      int64_t time)
{
    struct binding *binding = resolver_bound(resolver, address);
    uint64_t host = account_host(resolver, account);
    if (!binding || !binding->computer.host[0] || !host ||
        host == host_hash(resolver, binding->computer.host))
        return;
    if (binding->disputed && host == binding->disputed_by && time - binding->disputed < DISPUTE_KEPT)
        return;
    binding->disputed = time;
    binding->disputed_by = host;
}

bool resolver_is_disputed(const struct resolver *resolver, const struct binding *binding,
                          struct bytes account, int64_t time)
{
    return binding->disputed && time >= binding->disputed && time - binding->disputed < DISPUTE_KEPT &&
           binding->disputed_by == account_host(resolver, account);
}

static bool proves_itself(enum resolver_source source)
{
    return source == RESOLVER_MACHINE_KERBEROS || source == RESOLVER_NETLOGON;
}

void resolver_claim(struct resolver *resolver, const struct ip_address *address, struct bytes name,
                    struct bytes domain, enum resolver_source source, int64_t time, int64_t ends)
{
    struct claim claim;
    struct address_key key = key_of(address);
    struct asking asking = {0};
    uint8_t confidence = resolver_source_info(source)->confidence;
    if (!is_somebody(address) || !make_claim(resolver, &claim, name, domain))
        return;
    /* What anybody can say counts only for computers that there are. */
    if (resolver_source_info(source)->stated &&
        !resolver_find_computer(
            resolver, text_bytes(claim.host),
            claim.domain ? resolver_domain_name(resolver, claim.domain) : (struct bytes){0}, &asking))
        return;
    claim.source = (uint8_t)source;
    claim.since = claim.seen = time;
    claim.ends = ends;
    struct binding *binding = resolver_bind(resolver, address, time);
    if (!binding)
        return;
    if (proves_itself(source))
        note_sighting(resolver, binding, &claim);
    uint8_t stands = resolver_confidence(&binding->computer, time);
    if (stands > 0 && same_computer(resolver, &binding->computer, &claim)) {
        confirm(&binding->computer, &claim, time);
        note_holder(resolver, binding->computer.host, &key);
        return;
    }
    if (confidence < stands || is_elsewhere(resolver, &claim, &key, confidence, time)) {
        resolver->counters.outvoted++;
        return;
    }
    if (stands > 0) {
        resolver->counters.contradicted++;
        memset(&binding->account, 0, sizeof(binding->account)); /* it was another computer's */
    }
    replace(resolver, binding, &claim, address);
    note_holder(resolver, claim.host, &key);
}

void resolver_release(struct resolver *resolver, const struct ip_address *address, int64_t time)
{
    struct binding *binding = resolver_bound(resolver, address);
    if (!binding)
        return;
    resolver->counters.contradicted += binding->computer.host[0] != 0;
    if (binding->computer.host[0])
        binding->before = binding->computer;
    binding->computer = (struct claim){.begins = time};
    memset(&binding->account, 0, sizeof(binding->account));
    memset(binding->sightings, 0, sizeof(binding->sightings));
    binding->shared_until = binding->controller_until = 0;
}

void resolver_claim_account(struct resolver *resolver, const struct ip_address *address,
                            const struct principal *principal)
{
    struct binding *binding = resolver_bind(resolver, address, principal->seen);
    if (binding && principal->seen >= binding->account.seen)
        binding->account = *principal;
}
