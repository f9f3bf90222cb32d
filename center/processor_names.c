/* SPDX-License-Identifier: Apache-2.0
 *
 * One account is one subject, whatever it is called: the directory says who is meant by a name, and where
 * there is none, what sensors found earlier; of the rest the name itself is the subject, with its domain by
 * one name.
 */
#define XXH_INLINE_ALL
#include "center/processor_internal.h"
#include "sync/entity.h"

#include <stdlib.h>
#include <strings.h>
#include <xxhash.h>

#define RENEWED_AFTER CLOCK_HOUR /* what is known is touched no more often than so */

struct alias {
    int64_t renewed;
    uint8_t guid[16];
    uint8_t kind;
    char name[64], domain[64];
    uint8_t rest[7];
};

/* How a domain's names were learned: a later one of more weight takes the place of an earlier one. */
enum weight { BY_CHALLENGE = 1, BY_CONTROLLER, BY_DIRECTORY };

struct domain_name {
    int64_t renewed;
    char dns[128];
    uint64_t weight;
};

/* A name that nobody was known by, under which something may be remembered. */
struct named_by {
    int64_t renewed;
    uint64_t claimed; /* somebody was found to be called so since */
};

struct former {
    struct subject name;
    int64_t renewed;
};

_Static_assert(sizeof(struct named_by) == 16 && sizeof(struct former) == 24, "as processor.c has it");
_Static_assert(sizeof(struct alias) == 160, "as processor.c has it");
_Static_assert(sizeof(struct domain_name) == 144, "as processor.c has it");

/* --- texts --- */

struct bytes processor_text(const struct activity *a, enum activity_field field)
{
    const struct activity_value *v = activity_get(a, field);
    return v ? v->bytes : (struct bytes){0};
}

const uint8_t *processor_guid(const struct activity *a, enum activity_field field)
{
    struct bytes bytes = processor_text(a, field);
    return bytes.size == 16 ? bytes.data : NULL;
}

void processor_address(const struct activity *a, enum activity_field field, struct ip_address *to)
{
    struct bytes bytes = processor_text(a, field);
    *to = (struct ip_address){.family = bytes.size == 4 ? 4 : bytes.size == 16 ? 6 : 0};
    if (to->family)
        memcpy(to->bytes, bytes.data, bytes.size);
}

struct bytes processor_copy(char *to, size_t capacity, struct bytes text)
{
    size_t size = text.size < capacity ? text.size : capacity - 1;
    if (size)
        memmove(to, text.data, size);
    to[size] = '\0';
    return (struct bytes){(const uint8_t *)to, size};
}

static struct bytes text_from(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static const uint8_t *last_of(struct bytes text, char c)
{
    return text.size ? memrchr(text.data, c, text.size) : NULL;
}

static struct bytes before(struct bytes text, const uint8_t *at)
{
    return (struct bytes){text.data, (size_t)(at - text.data)};
}

static struct bytes behind(struct bytes text, const uint8_t *at)
{
    return (struct bytes){at + 1, text.size - (size_t)(at - text.data) - 1};
}

struct bytes processor_domain_of_host(struct bytes host)
{
    const uint8_t *dot = host.size ? memchr(host.data, '.', host.size) : NULL;
    return dot ? behind(host, dot) : (struct bytes){0};
}

/* --- domains --- */

static struct subject domain_key(const struct processor *self, struct bytes flat)
{
    return subject_of_name(self->seed, SUBJECT_DOMAIN, flat, (struct bytes){0});
}

struct bytes processor_domain(struct processor *self, struct bytes name, int64_t now, char to[128])
{
    struct bytes kept = processor_copy(to, 128, name);
    if (name.size == 0 || memchr(name.data, '.', name.size))
        return kept;
    const struct domain_name *known =
        state_table_look(self->tables[TABLE_DOMAINS], domain_key(self, name), now);
    return known ? processor_copy(to, 128, text_from(known->dns)) : kept;
}

static void learn_domain(struct processor *self, struct bytes flat, struct bytes dns, enum weight weight,
                         int64_t now)
{
    if (flat.size == 0 || flat.size > 15 || dns.size == 0 || dns.size >= 128 ||
        memchr(flat.data, '.', flat.size) || !memchr(dns.data, '.', dns.size))
        return;
    struct subject key = domain_key(self, flat);
    const struct domain_name *known = state_table_look(self->tables[TABLE_DOMAINS], key, now);
    if (known && (known->weight > (uint64_t)weight ||
                  (known->weight == (uint64_t)weight && now - known->renewed < RENEWED_AFTER)))
        return;
    bool added;
    struct domain_name *to = state_table_use(self->tables[TABLE_DOMAINS], key, now, &added);
    if (!to)
        return;
    to->renewed = now;
    if (!added && to->weight == (uint64_t)weight) /* whoever was first stays */
        return;
    self->names_state++;
    struct bytes kept = processor_copy(to->dns, sizeof(to->dns), dns);
    entity_fold((uint8_t *)to->dns, kept);
    to->weight = weight;
}

/* A server of a workgroup calls itself its domain. */
static void learn_from_challenge(struct processor *self, const struct activity *a, bool from_controller)
{
    struct bytes flat = processor_text(a, FIELD_NTLM_SERVER_NB_DOMAIN),
                 computer = processor_text(a, FIELD_NTLM_SERVER_NB_COMPUTER);
    bool is_own =
        flat.size == computer.size &&
        (flat.size == 0 || strncasecmp((const char *)flat.data, (const char *)computer.data, flat.size) == 0);
    if (!is_own)
        learn_domain(self, flat, processor_text(a, FIELD_NTLM_SERVER_DNS_DOMAIN),
                     from_controller ? BY_CONTROLLER : BY_CHALLENGE, a->time);
}

void processor_learn_domains(struct processor *self, const struct activity *a, bool from_controller)
{
    if (a->kind == ACTIVITY_NTLM_AUTHENTICATE)
        learn_from_challenge(self, a, from_controller);
    if (a->kind == ACTIVITY_CLDAP_PING)
        learn_domain(self, processor_text(a, FIELD_DC_NETBIOS_DOMAIN), processor_text(a, FIELD_DC_DOMAIN),
                     BY_CHALLENGE, a->time);
    if (processor_guid(a, FIELD_ACCOUNT_GUID))
        learn_domain(self, processor_text(a, FIELD_ACCOUNT_DOMAIN),
                     processor_text(a, FIELD_ACCOUNT_DNS_DOMAIN), BY_DIRECTORY, a->time);
}

/* --- forms of a name --- */

/* "CN=bob,OU=Staff,DC=corp,DC=example": the first value, and the domain that the DC parts tell, which is put
 * together in `to`. */
static bool split_dn(struct bytes text, struct bytes *name, struct bytes *domain, char to[128])
{
    struct bytes rdn, rest = text;
    size_t size = 0;
    const uint8_t *equals = text.size ? memchr(text.data, '=', text.size) : NULL;
    if (!equals || !memchr(text.data, ',', text.size))
        return false;
    while (rest.size) {
        entity_dn_split(rest, &rdn, &rest);
        if (rdn.size > 3 && strncasecmp((const char *)rdn.data, "DC=", 3) == 0 &&
            size + rdn.size - 3 + 2 < 128) {
            if (size)
                to[size++] = '.';
            memcpy(to + size, rdn.data + 3, rdn.size - 3);
            size += rdn.size - 3;
        }
    }
    to[size] = '\0';
    entity_dn_split(text, &rdn, &rest);
    *name = behind(rdn, equals < rdn.data + rdn.size ? equals : rdn.data);
    *domain = (struct bytes){(const uint8_t *)to, size};
    return true;
}

static bool begins(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    return text.size > size && strncasecmp((const char *)text.data, word, size) == 0;
}

/* "host/ws01.corp.example": how a computer is called as a principal. */
static bool split_host(struct bytes text, struct bytes *name, struct bytes *domain)
{
    if (!begins(text, "host/"))
        return false;
    struct bytes host = {text.data + 5, text.size - 5};
    const uint8_t *end = memchr(host.data, '/', host.size), *dot;
    if (end)
        host = before(host, end);
    dot = host.size ? memchr(host.data, '.', host.size) : NULL;
    *name = dot ? before(host, dot) : host;
    if (dot)
        *domain = behind(host, dot);
    return host.size > 0;
}

static void split(struct named *n, char dn_domain[128])
{
    const uint8_t *at;
    if ((at = last_of(n->name, '\\'))) {
        n->domain = before(n->name, at);
        n->name = behind(n->name, at);
    } else if (split_dn(n->name, &n->name, &n->domain, dn_domain)) {
        return;
    } else if (n->kind != SUBJECT_GROUP && split_host(n->name, &n->name, &n->domain)) {
        n->kind = SUBJECT_COMPUTER;
    } else if ((at = last_of(n->name, '@')) && at > n->name.data) {
        n->domain = behind(n->name, at);
        n->name = before(n->name, at);
    }
}

/* --- who it is --- */

static struct subject sid_key(const struct processor *self, struct bytes sid)
{
    return subject_of_number(self->seed, XXH3_64bits_withSeed(sid.data, sid.size, self->seed.value));
}

static enum subject_kind kind_by_name(enum subject_kind kind, struct bytes name)
{
    return kind == SUBJECT_ACCOUNT && name.size > 1 && name.data[name.size - 1] == '$' ? SUBJECT_COMPUTER
                                                                                       : kind;
}

static void put(struct processor *self, struct party *to, enum subject_kind kind, struct bytes name,
                struct bytes domain, const uint8_t *guid, enum place place)
{
    struct name_place *kept = &self->places[place];
    kind = kind_by_name(kind, name);
    *to = (struct party){.kind = kind, .confidence = 100};
    to->name = processor_copy(kept->name, sizeof(kept->name), name);
    to->domain = processor_copy(kept->domain, sizeof(kept->domain), domain);
    if (guid) {
        memmove(kept->guid, guid, sizeof(kept->guid));
        to->guid = kept->guid;
    }
    to->subject =
        guid ? subject_of_guid(kept->guid) : subject_of_name(self->seed, kind, to->name, to->domain);
    if (subject_is_none(to->subject))
        *to = (struct party){0};
}

/* --- what is known of a name when it becomes known whose it is ---
 *
 * What was learned under the name is not moved: it stays where it is, and the account is remembered there
 * (party.memory), in each table and on each shard alike. That is settled when the name is found to be the
 * account's for the first time, once for each name and each account, and only if the account has no habits of
 * its own: it depends on nothing but what is in the checkpoint. */

static bool may_have_habits(enum subject_kind kind)
{
    return kind == SUBJECT_ACCOUNT || kind == SUBJECT_COMPUTER;
}

static void note_name(struct processor *self, const struct party *party, int64_t now)
{
    const struct named_by *known = state_table_look(self->tables[TABLE_NAMED], party->subject, now);
    if (!may_have_habits(party->kind) || subject_is_none(party->subject) ||
        (known && now - known->renewed < RENEWED_AFTER))
        return;
    bool added;
    struct named_by *to = state_table_use(self->tables[TABLE_NAMED], party->subject, now, &added);
    if (!to)
        return;
    to->renewed = now;
    self->named += added;
    self->names_state += added;
}

static void claim_name(struct processor *self, const struct party *party, struct subject name, int64_t now)
{
    const struct named_by *known = state_table_look(self->tables[TABLE_NAMED], name, now);
    if (!may_have_habits(party->kind) || !known || known->claimed)
        return;
    struct named_by *claimed = state_table_use(self->tables[TABLE_NAMED], name, now, NULL);
    if (!claimed)
        return;
    claimed->claimed = true;
    if (state_table_look(self->tables[TABLE_FORMER], party->subject, now) ||
        (self->config.has_habits && self->config.has_habits(self->config.context, party->subject, now)))
        return;
    struct former *to = state_table_use(self->tables[TABLE_FORMER], party->subject, now, NULL);
    if (!to)
        return;
    *to = (struct former){name, now};
    self->has_former = true;
}

/* Whom the directory finds may have been called by the name that was looked for, or by the account's. */
static void claim_names(struct processor *self, const struct party *party, enum subject_kind kind,
                        struct bytes name, struct bytes domain, int64_t now)
{
    uint64_t *checked = &self->checked[party->subject.low % CHECKED];
    const uint64_t mark = party->subject.high ^ (party->subject.low + self->named);
    if (*checked == mark)
        return;
    *checked = mark;
    if (domain.size)
        claim_name(self, party, subject_of_name(self->seed, kind_by_name(kind, name), name, domain), now);
    claim_name(self, party, subject_of_name(self->seed, party->kind, party->name, party->domain), now);
}

static void set_memory(struct processor *self, struct party *party, int64_t now)
{
    const struct former *known =
        self->has_former ? state_table_look(self->tables[TABLE_FORMER], party->subject, now) : NULL;
    party->memory = party->subject;
    if (!known)
        return;
    party->memory = known->name;
    if (now - known->renewed < CLOCK_DAY)
        return;
    struct former *to = state_table_use(self->tables[TABLE_FORMER], party->subject, now, NULL);
    if (to)
        to->renewed = now;
}

/* Until when it holds, so that nothing would be changed before. */
static int64_t remember_alias(struct processor *self, struct subject key, const struct party *party,
                              int64_t now)
{
    const struct alias *known = state_table_look(self->tables[TABLE_ALIASES], key, now);
    bool is_same = known && memcmp(known->guid, party->guid, 16) == 0;
    if (is_same && now - known->renewed < RENEWED_AFTER)
        return known->renewed + RENEWED_AFTER;
    self->names_state += !is_same;
    struct alias *to = state_table_use(self->tables[TABLE_ALIASES], key, now, NULL);
    if (!to)
        return INT64_MIN;
    *to = (struct alias){.renewed = now, .kind = (uint8_t)party->kind};
    memcpy(to->guid, party->guid, sizeof(to->guid));
    processor_copy(to->name, sizeof(to->name), party->name);
    processor_copy(to->domain, sizeof(to->domain), party->domain);
    return now + RENEWED_AFTER;
}

/* Somebody by the names that he was met with, and until when there is nothing to be learned from that. The
 * same few come over and over. */
struct learned {
    uint64_t names;
    uint32_t state, until; /* in `LEARNED_UNIT`s since 1970 */
};

#define LEARNED      8192u              /* a power of two */
#define LEARNED_UNIT (INT64_C(1) << 30) /* ns: about a second */

struct learned *processor_learned_new(void)
{
    return calloc(LEARNED, sizeof(struct learned));
}

static uint64_t hash_on(uint64_t hash, const void *data, size_t size)
{
    return XXH3_64bits_withSeed(data, size, hash + size);
}

static uint64_t hash_names(const struct processor *self, const struct named *n)
{
    uint64_t hash = hash_on(self->seed.value + (uint64_t)n->kind, n->guid, 16);
    if (n->name.size == 0) { /* see below */
        hash = hash_on(hash, n->found_name.data, n->found_name.size);
        hash = hash_on(hash, n->found_domain.data, n->found_domain.size);
    } else {
        hash = hash_on(~hash, n->name.data, n->name.size);
        hash = hash_on(hash, n->domain.data, n->domain.size);
    }
    hash = hash_on(hash, n->default_domain.data, n->default_domain.size);
    return hash_on(hash, n->sid.data, n->sid.size);
}

static int64_t learn_names(struct processor *self, const struct named *n, const struct party *party,
                           int64_t now)
{
    char domain[128], dn_domain[128];
    struct named wire = *n;
    int64_t until = now + RENEWED_AFTER;
    if (n->sid.size)
        until = remember_alias(self, sid_key(self, n->sid), party, now);
    if (n->name.size == 0) { /* it was not named on the wire, or that is not told */
        wire.name = n->found_name;
        wire.domain = n->found_domain;
    }
    split(&wire, dn_domain);
    struct bytes dns =
        processor_domain(self, wire.domain.size ? wire.domain : wire.default_domain, now, domain);
    struct subject key = {0};
    if (dns.size)
        key = subject_of_name(self->seed, kind_by_name(wire.kind, wire.name), wire.name, dns);
    if (subject_is_none(key))
        return until;
    claim_name(self, party, key, now);
    int64_t name_until = remember_alias(self, key, party, now);
    return name_until < until ? name_until : until;
}

/* How it was called this time, for the times when nobody says who that is. */
static void learn_aliases(struct processor *self, const struct named *n, const struct party *party,
                          int64_t now)
{
    uint64_t names = hash_names(self, n);
    struct learned *learned = &self->learned[names & (LEARNED - 1)];
    if (learned->names == names && learned->state == self->names_state &&
        now / LEARNED_UNIT < (int64_t)learned->until)
        return;
    int64_t until = learn_names(self, n, party, now);
    *learned = (struct learned){names, self->names_state, until > 0 ? (uint32_t)(until / LEARNED_UNIT) : 0};
}

static bool use_alias(struct processor *self, struct subject key, int64_t now, enum place place,
                      struct party *to)
{
    const struct alias *known =
        subject_is_none(key) ? NULL : state_table_look(self->tables[TABLE_ALIASES], key, now);
    if (!known)
        return false;
    struct alias alias = *known; /* `put` may not read from a table that moves */
    put(self, to, (enum subject_kind)alias.kind, text_from(alias.name), text_from(alias.domain), alias.guid,
        place);
    return true;
}

static bool use_directory(struct processor *self, const struct named *n, struct bytes name,
                          struct bytes domain, int64_t now, enum place place, struct party *to)
{
    struct directory_name found;
    struct party asked = {.kind = n->kind, .name = name, .domain = domain};
    if (!self->directory->find || name.size == 0 ||
        !self->directory->find(self->directory->context, &asked, &found))
        return false;
    put(self, to, found.kind, text_from(found.name[0] ? found.name : ""), text_from(found.domain), found.guid,
        place);
    if (found.name[0] == '\0') /* it has no account name */
        to->name = processor_copy(self->places[place].name, sizeof(self->places[place].name), name);
    claim_names(self, to, n->kind, name, domain, now);
    return true;
}

static bool has_form(struct bytes name)
{
    return name.size && (memchr(name.data, '@', name.size) || memchr(name.data, '=', name.size) ||
                         memchr(name.data, '/', name.size));
}

static void find_party(struct processor *self, const struct named *named, int64_t now, enum place place,
                       struct party *to)
{
    char domain[128], dn_domain[128];
    struct named n = *named;
    if (n.guid) {
        bool is_called = n.found_name.size > 0;
        put(self, to, n.kind, is_called ? n.found_name : n.name, is_called ? n.found_domain : n.domain,
            n.guid, place);
        if (is_called)
            learn_aliases(self, &n, to, now);
        return;
    }
    if (n.found_name.size) {
        n.name = n.found_name;
        n.domain = n.found_domain;
    }
    if (n.sid.size && use_alias(self, sid_key(self, n.sid), now, place, to))
        return;
    if (n.name.size == 0)
        return;
    if (has_form(n.name) && use_directory(self, &n, n.name, (struct bytes){0}, now, place, to))
        return;
    split(&n, dn_domain);
    struct bytes dns = processor_domain(self, n.domain.size ? n.domain : n.default_domain, now, domain);
    n.kind = kind_by_name(n.kind, n.name);
    if (use_directory(self, &n, n.name, dns, now, place, to) ||
        use_alias(self, subject_of_name(self->seed, n.kind, n.name, dns), now, place, to))
        return;
    put(self, to, n.kind, n.name, dns, NULL, place);
}

void processor_party(struct processor *self, const struct named *named, int64_t now, enum place place,
                     struct party *to)
{
    *to = (struct party){0};
    find_party(self, named, now, place, to);
    if (to->guid)
        set_memory(self, to, now);
    else if (party_is(to))
        note_name(self, to, now);
}
