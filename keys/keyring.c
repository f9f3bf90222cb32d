/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/keyring.h"

#include "base/ber.h"
#include "base/endian.h"
#include "base/hash_table.h"
#include "base/utf8.h"
#include "keys/holder.h"
#include "keys/kerberos_crypto.h"
#include "keys/keytab.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define NONE       UINT32_MAX
#define LEARNT_MAX 16384u
#define LEADS_MAX  16384u
#define FOLDED_MAX 1024u
#define SKIP_MAX   1023u
#define NEAR_FRONT 16u /* a part of the list */
#define TICKET_END 32u /* bytes of each end that a ticket is known by */

/* A name is known by its keyed hash: 128 bits that nobody outside can aim at. */
struct name_hash {
    uint8_t bytes[crypto_shorthash_siphashx24_BYTES];
};

struct entry {
    struct long_term_key key;
    struct name_hash name;    /* name@realm */
    struct name_hash account; /* name alone; zero when it is not an account's */
    uint32_t realm_at;        /* in the keytab's texts */
    uint32_t realm_size;
    uint32_t realm; /* number, in the index */
};

struct keytab_keys {
    char *name; /* NULL: free */
    struct entry *entries;
    uint8_t *realms; /* folded */
    uint32_t count;
    uint32_t refused;
};

struct principal {
    uint32_t first, count; /* in by_principal */
    uint32_t next_account; /* of the same account name, other realms */
    struct bytes realm;
};

/* Where a name leads, as it stands in messages: found once, for the same names come again and again. */
struct lead {
    struct name_hash name; /* name@realm */
    uint32_t candidates[2];
    uint32_t realm;
};

/* What fitted a service: an index into by_type, or NONE. When nothing did, as many searches as `skip` says
 * look no further than at names, each time twice as many: junk in a service's name costs little, and cannot
 * blind for what comes after it. */
struct learnt_key {
    struct name_hash name;
    int32_t etype;
    uint32_t kvno;
};

struct learnt {
    uint32_t key;
    uint16_t skip;
    uint16_t skipped; /* the last `skip` */
};

struct session_key {
    struct name_hash ticket;
    struct key_material key;
    uint32_t newer, older;
    uint64_t listed; /* when it was put in front */
};

struct keyring {
    uint8_t hash_key[crypto_shorthash_siphashx24_KEYBYTES];
    struct keytab_keys keytabs[KEY_HOLDER_KEYTABS_MAX];
    /* The index over all of them, made anew with each load. */
    uint32_t count;
    struct entry **by_principal; /* by principal, type, newest version first */
    struct entry **by_type;      /* by realm, type, newest version first */
    struct principal *principals;
    uint32_t principal_count;
    struct hash_table *names;    /* name_hash -> number of the principal */
    struct hash_table *accounts; /* name_hash -> number of the first principal of that account name */
    struct hash_table *realms;   /* name_hash -> number */
    struct hash_table *leads;    /* name_hash -> struct lead, forgotten with each load */
    struct hash_table *learnt;   /* struct learnt_key -> struct learnt, likewise */
    uint32_t credit;

    struct session_key *tickets;
    struct hash_table *ticket_slots; /* name_hash -> index */
    uint32_t tickets_max, tickets_used;
    uint32_t newest, oldest;
    uint64_t now; /* how often a ticket was put in front */
};

/* --- names --- */

static size_t fold(uint8_t *to, size_t capacity, const uint8_t *from, size_t size)
{
    if (size > capacity)
        size = capacity;
    utf8_fold(to, from, size);
    return size;
}

static struct name_hash hash_bytes(const struct keyring *ring, struct bytes bytes)
{
    struct name_hash hash;
    crypto_shorthash_siphashx24(hash.bytes, bytes.data, bytes.size, ring->hash_key);
    return hash;
}

/* name@realm */
static struct name_hash hash_name(const struct keyring *ring, struct bytes name, struct bytes realm)
{
    uint8_t text[FOLDED_MAX];
    size_t size = fold(text, KEYTAB_NAME_MAX, name.data, name.size);
    text[size++] = '@';
    size += fold(text + size, sizeof text - size, realm.data, realm.size);
    return hash_bytes(ring, (struct bytes){text, size});
}

static struct name_hash hash_account(const struct keyring *ring, struct bytes name)
{
    uint8_t text[FOLDED_MAX];
    size_t size = fold(text, sizeof text, name.data, name.size);
    return hash_bytes(ring, (struct bytes){text, size});
}

/* --- life --- */

static void free_index(struct keyring *ring)
{
    free(ring->by_principal);
    free(ring->by_type);
    free(ring->principals);
    ring->by_principal = ring->by_type = NULL;
    ring->principals = NULL;
    ring->count = ring->principal_count = 0;
    hash_table_destroy(&ring->names);
    hash_table_destroy(&ring->accounts);
    hash_table_destroy(&ring->realms);
}

static void free_keytab(struct keytab_keys *keys)
{
    sodium_free(keys->entries);
    free(keys->realms);
    free(keys->name);
    *keys = (struct keytab_keys){0};
}

static uint64_t random_seed(void)
{
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    return seed;
}

struct keyring *keyring_new(uint32_t tickets_max)
{
    struct keyring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return NULL;
    randombytes_buf(ring->hash_key, sizeof ring->hash_key);
    ring->tickets_max = tickets_max;
    ring->newest = ring->oldest = NONE;
    ring->credit = KEYRING_CREDIT_MAX;
    ring->tickets = sodium_allocarray(tickets_max, sizeof *ring->tickets);
    ring->ticket_slots =
        hash_table_new(tickets_max, sizeof(struct name_hash), sizeof(uint32_t), random_seed());
    ring->learnt =
        hash_table_new(LEARNT_MAX, sizeof(struct learnt_key), sizeof(struct learnt), random_seed());
    ring->leads = hash_table_new(LEADS_MAX, sizeof(struct name_hash), sizeof(struct lead), random_seed());
    if (!ring->tickets || !ring->ticket_slots || !ring->learnt || !ring->leads)
        keyring_destroy(&ring);
    return ring;
}

void keyring_destroy(struct keyring **ring_p)
{
    struct keyring *ring = *ring_p;
    if (!ring)
        return;
    free_index(ring);
    for (size_t i = 0; i < KEY_HOLDER_KEYTABS_MAX; i++)
        free_keytab(&ring->keytabs[i]);
    sodium_free(ring->tickets);
    hash_table_destroy(&ring->ticket_slots);
    hash_table_destroy(&ring->learnt);
    hash_table_destroy(&ring->leads);
    sodium_memzero(ring, sizeof *ring);
    free(ring);
    *ring_p = NULL;
}

/* --- keytabs --- */

static bool name_is(const struct keytab_keys *keys, const char *name)
{
    return keys->name && strcmp(keys->name, name) == 0;
}

static struct keytab_keys *place_of(struct keyring *ring, const char *name)
{
    struct keytab_keys *spare = NULL;
    for (size_t i = 0; i < KEY_HOLDER_KEYTABS_MAX; i++) {
        if (name_is(&ring->keytabs[i], name))
            return &ring->keytabs[i];
        if (!spare && !ring->keytabs[i].name)
            spare = &ring->keytabs[i];
    }
    return spare;
}

static bool take_entry(struct keyring *ring, struct keytab_keys *keys, size_t *realms_size,
                       const struct keytab_entry *from, struct fault *fault)
{
    size_t size = kerberos_key_size(from->etype);
    if (!size) {
        keys->refused++;
        return true;
    }
    if (from->key.size != size)
        return fault_say(fault, "damaged at byte %zu: a key of %zu bytes for encryption type %d", from->at,
                         from->key.size, (int)from->etype);
    struct entry *e = &keys->entries[keys->count++];
    memset(e, 0, sizeof *e);
    struct bytes name = {from->name, from->name_size};
    e->key.material.etype = from->etype;
    e->key.material.size = (uint8_t)size;
    memcpy(e->key.material.bytes, from->key.data, size);
    e->key.kvno = from->kvno;
    e->name = hash_name(ring, name, from->realm);
    if (from->components == 1)
        e->account = hash_account(ring, name);
    e->realm_at = (uint32_t)*realms_size;
    e->realm_size =
        (uint32_t)fold(keys->realms + *realms_size, from->realm.size, from->realm.data, from->realm.size);
    *realms_size += e->realm_size;
    return true;
}

static uint32_t entries_of(struct bytes bytes)
{
    struct keytab keytab;
    struct keytab_entry entry;
    uint32_t count = 0;
    if (!keytab_open(&keytab, bytes))
        return 0;
    while (keytab_next(&keytab, &entry))
        count += kerberos_key_size(entry.etype) != 0;
    return count;
}

static bool read_keytab(struct keyring *ring, struct keytab_keys *keys, const char *name, struct bytes bytes,
                        struct fault *fault)
{
    uint32_t count = entries_of(bytes);
    if (count > KEY_HOLDER_KEYS_MAX)
        return fault_say(fault, "has more than %u keys", KEY_HOLDER_KEYS_MAX);
    keys->name = strdup(name);
    /* Realms stand in the file: together they are not longer than it. */
    keys->realms = malloc(bytes.size);
    keys->entries = sodium_allocarray(count ? count : 1, sizeof *keys->entries);
    if (!keys->name || !keys->realms || !keys->entries)
        return fault_say(fault, "no memory for %u keys", count);
    struct keytab keytab;
    struct keytab_entry entry;
    size_t realms_size = 0;
    keytab_open(&keytab, bytes);
    while (keytab_next(&keytab, &entry))
        if (!take_entry(ring, keys, &realms_size, &entry, fault))
            return false;
    if (keytab.damaged)
        return fault_say(fault, "%s", keytab.fault.text);
    return true;
}

/* --- the index --- */

static int order_kvno(const struct entry *a, const struct entry *b)
{
    return (a->key.kvno < b->key.kvno) - (a->key.kvno > b->key.kvno);
}

static int order_etype(const struct entry *a, const struct entry *b)
{
    return (a->key.material.etype > b->key.material.etype) - (a->key.material.etype < b->key.material.etype);
}

static int order_by_principal(const void *left, const void *right)
{
    const struct entry *a = *(struct entry *const *)left, *b = *(struct entry *const *)right;
    int order = memcmp(&a->name, &b->name, sizeof a->name);
    if (!order)
        order = order_etype(a, b);
    if (!order)
        order = order_kvno(a, b);
    return order ? order : memcmp(a->key.material.bytes, b->key.material.bytes, KEY_BYTES_MAX);
}

static int order_by_type(const void *left, const void *right)
{
    const struct entry *a = *(struct entry *const *)left, *b = *(struct entry *const *)right;
    int order = (a->realm > b->realm) - (a->realm < b->realm);
    if (!order)
        order = order_etype(a, b);
    return order ? order : order_kvno(a, b);
}

static bool number_realm(struct keyring *ring, const struct keytab_keys *keys, struct entry *e)
{
    struct name_hash realm = hash_bytes(ring, (struct bytes){keys->realms + e->realm_at, e->realm_size});
    bool added;
    uint32_t *number = hash_table_insert(ring->realms, &realm, &added);
    if (!number)
        return false;
    if (added)
        *number = hash_table_count(ring->realms) - 1;
    e->realm = *number;
    return true;
}

static bool allocate_index(struct keyring *ring, uint32_t count)
{
    uint32_t room = count ? count : 1;
    ring->by_principal = calloc(room, sizeof(struct entry *));
    ring->by_type = calloc(room, sizeof(struct entry *));
    ring->principals = calloc(room, sizeof *ring->principals);
    ring->names = hash_table_new(room, sizeof(struct name_hash), sizeof(uint32_t), random_seed());
    ring->accounts = hash_table_new(room, sizeof(struct name_hash), sizeof(uint32_t), random_seed());
    ring->realms = hash_table_new(room, sizeof(struct name_hash), sizeof(uint32_t), random_seed());
    return ring->by_principal && ring->by_type && ring->principals && ring->names && ring->accounts &&
           ring->realms;
}

static bool same_key(const struct entry *a, const struct entry *b)
{
    return order_by_principal(&a, &b) == 0;
}

/* Two keytabs often have the same key: once is enough. */
static void drop_doubles(struct keyring *ring)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ring->count; i++)
        if (!kept || !same_key(ring->by_principal[kept - 1], ring->by_principal[i]))
            ring->by_principal[kept++] = ring->by_principal[i];
    ring->count = kept;
}

static struct bytes realm_of(const struct keyring *ring, const struct entry *e)
{
    for (size_t i = 0; i < KEY_HOLDER_KEYTABS_MAX; i++) {
        const struct keytab_keys *keys = &ring->keytabs[i];
        if (keys->count && e >= keys->entries && e < keys->entries + keys->count)
            return (struct bytes){keys->realms + e->realm_at, e->realm_size};
    }
    return (struct bytes){0};
}

static void index_account(struct keyring *ring, uint32_t number, const struct entry *e)
{
    static const struct name_hash none;
    ring->principals[number].next_account = NONE;
    if (memcmp(&e->account, &none, sizeof none) == 0)
        return;
    bool added;
    uint32_t *first = hash_table_insert(ring->accounts, &e->account, &added);
    if (!added)
        ring->principals[number].next_account = *first;
    *first = number;
}

static void index_principals(struct keyring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        struct entry *e = ring->by_principal[i];
        if (!i || memcmp(&e->name, &ring->by_principal[i - 1]->name, sizeof e->name) != 0) {
            uint32_t number = ring->principal_count++;
            ring->principals[number] = (struct principal){.first = i, .realm = realm_of(ring, e)};
            *(uint32_t *)hash_table_insert(ring->names, &e->name, NULL) = number;
            index_account(ring, number, e);
        }
        e->key.principal = ring->principal_count - 1;
        ring->principals[e->key.principal].count++;
    }
}

static uint32_t keys_in_all(const struct keyring *ring)
{
    uint32_t count = 0;
    for (size_t i = 0; i < KEY_HOLDER_KEYTABS_MAX; i++)
        count += ring->keytabs[i].count;
    return count;
}

static bool index_keys(struct keyring *ring)
{
    free_index(ring);
    hash_table_clear(ring->learnt);
    hash_table_clear(ring->leads);
    if (!allocate_index(ring, keys_in_all(ring)))
        return false;
    for (size_t i = 0; i < KEY_HOLDER_KEYTABS_MAX; i++) {
        struct keytab_keys *keys = &ring->keytabs[i];
        for (uint32_t j = 0; j < keys->count; j++) {
            if (!number_realm(ring, keys, &keys->entries[j]))
                return false;
            ring->by_principal[ring->count++] = &keys->entries[j];
        }
    }
    if (!ring->count)
        return true;
    qsort(ring->by_principal, ring->count, sizeof *ring->by_principal, order_by_principal);
    drop_doubles(ring);
    memcpy(ring->by_type, ring->by_principal, ring->count * sizeof *ring->by_type);
    qsort(ring->by_type, ring->count, sizeof *ring->by_type, order_by_type);
    index_principals(ring);
    return true;
}

bool keyring_load(struct keyring *ring, const char *name, struct bytes bytes, struct fault *fault)
{
    struct keytab_keys *place = place_of(ring, name);
    if (!place)
        return fault_say(fault, "keytab %s: there are %d already", name, KEY_HOLDER_KEYTABS_MAX);
    if (bytes.size > KEYTAB_BYTES_MAX)
        return fault_say(fault, "keytab %s: larger than %zu bytes", name, KEYTAB_BYTES_MAX);
    struct keytab_keys keys = {0};
    struct fault why;
    bool fine = !bytes.size || read_keytab(ring, &keys, name, bytes, &why);
    if (fine && keys.count > KEY_HOLDER_KEYS_MAX - (keys_in_all(ring) - place->count))
        fine = fault_say(&why, "with the others more than %u keys", KEY_HOLDER_KEYS_MAX);
    if (!fine) {
        free_keytab(&keys);
        return fault_say(fault, "keytab %s: %s", name, why.text);
    }
    struct keytab_keys before = *place;
    *place = keys;
    fine = index_keys(ring);
    if (!fine) {
        *place = before;
        before = keys;
        index_keys(ring);
        fault_say(fault, "keytab %s: no memory for the index", name);
    }
    free_keytab(&before);
    return fine;
}

bool keyring_empty(const struct keyring *ring)
{
    return !ring->count && !ring->tickets_used;
}

void keyring_count(const struct keyring *ring, struct keyring_counts *to)
{
    *to = (struct keyring_counts){.keys = ring->count, .tickets = ring->tickets_used};
    for (size_t i = 0; i < KEY_HOLDER_KEYTABS_MAX; i++) {
        to->keytabs += ring->keytabs[i].name != NULL;
        to->refused += ring->keytabs[i].refused;
    }
}

/* --- search --- */

enum stage {
    STAGE_BEGIN,
    STAGE_NAMED, /* candidates[]: of that version */
    STAGE_NAMED_ACCOUNT,
    STAGE_VERSIONS, /* candidates[]: of other versions */
    STAGE_VERSIONS_ACCOUNT,
    STAGE_TYPE,
    STAGE_END,
};

static struct name_hash name_of(const struct keyring_search *search)
{
    struct name_hash name;
    memcpy(&name, search->name, sizeof name);
    return name;
}

static uint32_t principal_of(const struct keyring *ring, struct bytes name, struct bytes realm)
{
    if (!ring->names)
        return NONE;
    struct name_hash hash = hash_name(ring, name, realm);
    const uint32_t *number = hash_table_find(ring->names, &hash);
    return number ? *number : NONE;
}

/* The account that has a service's key, as far as its name tells: krbtgt (of RODCs krbtgt_N) of krbtgt/REALM,
 * HOST$ of TYPE/host.domain and TYPE/host. */
static uint32_t account_of(const struct keyring *ring, const struct keyring_search *search, struct bytes name)
{
    const uint8_t *slash = memchr(name.data, '/', name.size);
    if (!slash)
        return NONE;
    char text[64];
    size_t type = (size_t)(slash - name.data), host = 0, left = name.size - type - 1;
    if (type == 6 && memcmp(name.data, "krbtgt", 6) == 0) {
        unsigned number = search->kvno >> 16;
        int size =
            number ? snprintf(text, sizeof text, "krbtgt_%u", number) : snprintf(text, sizeof text, "krbtgt");
        return principal_of(ring, (struct bytes){(uint8_t *)text, (size_t)size}, search->realm);
    }
    while (host < left && host < sizeof text - 1 && slash[1 + host] != '.' && slash[1 + host] != '/' &&
           slash[1 + host] != ':') {
        text[host] = (char)slash[1 + host];
        host++;
    }
    text[host] = '$';
    return principal_of(ring, (struct bytes){(uint8_t *)text, host + 1}, search->realm);
}

static uint32_t number_of_realm(const struct keyring *ring, struct bytes realm)
{
    uint8_t text[FOLDED_MAX];
    struct name_hash name =
        hash_bytes(ring, (struct bytes){text, fold(text, sizeof text, realm.data, realm.size)});
    const uint32_t *number = ring->realms ? hash_table_find(ring->realms, &name) : NULL;
    return number ? *number : NONE;
}

/* The name as it stands in keytabs. What has an @ in it (an enterprise name) is looked up without its domain
 * too, as the account that it most often is. */
static void follow(const struct keyring *ring, const struct keyring_search *s, struct lead *to)
{
    char text[KEYTAB_NAME_MAX];
    struct bytes name = {(uint8_t *)text, krb_principal_text(s->principal, text, sizeof text)};
    const uint8_t *at = memchr(name.data, '@', name.size);
    to->name = hash_name(ring, name, s->realm);
    to->candidates[0] = principal_of(ring, name, s->realm);
    to->candidates[1] = NONE;
    if (s->service)
        to->candidates[1] = account_of(ring, s, name);
    else if (at)
        to->candidates[1] = principal_of(ring, (struct bytes){name.data, (size_t)(at - name.data)}, s->realm);
    to->realm = number_of_realm(ring, s->realm);
}

/* The name's DER and all else that where it leads depends on. False: too long for that. */
static bool lead_key(const struct keyring *ring, const struct keyring_search *s, struct name_hash *key)
{
    uint8_t text[FOLDED_MAX], *at = text;
    struct bytes names = ber_bytes(s->principal->names);
    if (names.size > sizeof text - 16 || s->realm.size > sizeof text - 16 - names.size)
        return false;
    at = endian_put_be64(at, names.size);
    at = endian_put_be32(at, s->kvno >> 16);
    *at++ = s->service;
    if (names.size)
        memcpy(at, names.data, names.size);
    at += names.size;
    if (s->realm.size)
        memcpy(at, s->realm.data, s->realm.size);
    at += s->realm.size;
    *key = hash_bytes(ring, (struct bytes){text, (size_t)(at - text)});
    return true;
}

static struct lead *keep_lead(struct keyring *ring, const struct name_hash *key)
{
    if (hash_table_count(ring->leads) == LEADS_MAX)
        hash_table_clear(ring->leads);
    return hash_table_insert(ring->leads, key, NULL);
}

static void begin(struct keyring *ring, struct keyring_search *s)
{
    struct name_hash key;
    struct lead found;
    bool brief = lead_key(ring, s, &key);
    const struct lead *lead = brief ? hash_table_find(ring->leads, &key) : NULL;
    if (!lead) {
        follow(ring, s, &found);
        lead = &found;
        if (brief)
            *keep_lead(ring, &key) = found;
    }
    memcpy(s->name, &lead->name, sizeof lead->name);
    memcpy(s->candidates, lead->candidates, sizeof s->candidates);
    s->realm_number = lead->realm;
    s->tries = 0;
}

static uint32_t version_of(const struct keyring_search *s)
{
    return s->kvno > 0xffff ? s->kvno & 0xffff : s->kvno;
}

static struct learnt_key learnt_key(const struct keyring_search *s)
{
    return (struct learnt_key){.name = name_of(s), .etype = s->etype, .kvno = s->kvno};
}

static void enter(struct keyring_search *s, enum stage stage)
{
    s->stage = stage;
    s->at = 0;
}

/* The next key of a principal, of the version wanted or of another. */
static struct long_term_key *next_of(struct keyring *ring, struct keyring_search *s, uint32_t number,
                                     bool wanted)
{
    if (number == NONE)
        return NULL;
    const struct principal *p = &ring->principals[number];
    uint32_t kvno = version_of(s), bound = wanted ? UINT32_MAX : KEYRING_VERSIONS_MAX;
    while (s->at < p->count && s->tries < bound) {
        struct entry *e = ring->by_principal[p->first + s->at++];
        if (e->key.material.etype != s->etype || (!kvno || e->key.kvno == kvno) != wanted)
            continue;
        if (!wanted)
            s->tries++;
        return &e->key;
    }
    return NULL;
}

static bool before(const struct entry *e, uint32_t realm, int32_t etype, uint32_t kvno)
{
    if (e->realm != realm)
        return e->realm < realm;
    if (e->key.material.etype != etype)
        return e->key.material.etype < etype;
    return kvno && e->key.kvno > kvno;
}

/* The first in by_type of that realm, type and version (0: any). */
static uint32_t first_of_type(const struct keyring *ring, uint32_t realm, int32_t etype, uint32_t kvno)
{
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before(ring->by_type[middle], realm, etype, kvno))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct long_term_key *next_of_type(struct keyring *ring, struct keyring_search *s)
{
    if (s->realm_number == NONE)
        return NULL;
    if (!s->at) {
        s->at = first_of_type(ring, s->realm_number, s->etype, version_of(s)) + 1;
        s->tries = 0;
    }
    if (s->at > ring->count)
        return NULL;
    struct entry *e = ring->by_type[s->at - 1];
    if (e->realm != s->realm_number || e->key.material.etype != s->etype ||
        (version_of(s) && e->key.kvno != version_of(s)))
        return NULL;
    if (!ring->credit) {
        s->cut = true;
        return NULL;
    }
    if (s->tries == KEYRING_TRIES_MAX)
        return NULL;
    ring->credit--;
    s->tries++;
    s->at++;
    return &e->key;
}

static struct long_term_key *next_learnt(struct keyring *ring, struct keyring_search *s)
{
    struct learnt_key what = learnt_key(s);
    struct learnt *learnt = hash_table_find(ring->learnt, &what);
    if (!learnt)
        return NULL;
    s->cut = learnt->skip > 0;
    if (learnt->skip)
        learnt->skip--;
    return learnt->key != NONE ? &ring->by_type[learnt->key]->key : NULL;
}

static void earn(struct keyring *ring)
{
    ring->credit += KEYRING_CREDIT;
    if (ring->credit > KEYRING_CREDIT_MAX)
        ring->credit = KEYRING_CREDIT_MAX;
}

static struct long_term_key *next_in_stage(struct keyring *ring, struct keyring_search *s)
{
    switch ((enum stage)s->stage) {
    case STAGE_NAMED:
    case STAGE_NAMED_ACCOUNT:
        return next_of(ring, s, s->candidates[s->stage - STAGE_NAMED], true);
    case STAGE_VERSIONS:
    case STAGE_VERSIONS_ACCOUNT:
        return version_of(s) ? next_of(ring, s, s->candidates[s->stage - STAGE_VERSIONS], false) : NULL;
    case STAGE_TYPE:
        return s->service && !s->named && !s->cut ? next_of_type(ring, s) : NULL;
    default:
        return NULL;
    }
}

struct long_term_key *keyring_next(struct keyring *ring, struct keyring_search *s)
{
    if (s->stage == STAGE_BEGIN) {
        begin(ring, s);
        earn(ring);
        struct long_term_key *key = next_learnt(ring, s);
        enter(s, STAGE_NAMED);
        if (key)
            return key;
    }
    while (s->stage != STAGE_END) {
        struct long_term_key *key = next_in_stage(ring, s);
        if (key)
            return key;
        enter(s, s->stage + 1);
    }
    return NULL;
}

static uint32_t place_by_type(const struct keyring *ring, const struct long_term_key *key)
{
    const struct entry *e = (const struct entry *)key;
    uint32_t i = first_of_type(ring, e->realm, key->material.etype, key->kvno);
    while (i < ring->count && ring->by_type[i] != e)
        i++;
    return i < ring->count ? i : NONE;
}

static struct learnt *learnt_place(struct keyring *ring, const struct keyring_search *s)
{
    struct learnt_key what = learnt_key(s);
    if (hash_table_count(ring->learnt) == LEARNT_MAX && !hash_table_find(ring->learnt, &what))
        hash_table_clear(ring->learnt);
    bool added;
    struct learnt *learnt = hash_table_insert(ring->learnt, &what, &added);
    if (added)
        learnt->key = NONE;
    return learnt;
}

void keyring_learn(struct keyring *ring, const struct keyring_search *s, const struct long_term_key *fitted)
{
    /* What was found by its name is found so again; only services have more than names. */
    if (s->stage == STAGE_BEGIN || s->named || (fitted ? s->stage < STAGE_VERSIONS : s->cut || !s->service))
        return;
    struct learnt *learnt = learnt_place(ring, s);
    if (fitted) {
        *learnt = (struct learnt){.key = place_by_type(ring, fitted)};
        return;
    }
    learnt->skipped = learnt->skipped < SKIP_MAX ? (uint16_t)(learnt->skipped * 2 + 1) : SKIP_MAX;
    learnt->skip = learnt->skipped;
}

int keyring_why(struct keyring *ring, const struct keyring_search *s, uint32_t *kvno_held)
{
    int why = UNSEAL_NO_KEY;
    *kvno_held = 0;
    for (int i = 0; i < 2; i++) {
        if (s->candidates[i] == NONE)
            continue;
        const struct principal *p = &ring->principals[s->candidates[i]];
        for (uint32_t j = 0; j < p->count; j++) {
            const struct long_term_key *key = &ring->by_principal[p->first + j]->key;
            if (key->material.etype != s->etype)
                continue;
            if (key->kvno > *kvno_held)
                *kvno_held = key->kvno;
            if (!version_of(s) || key->kvno == version_of(s))
                why = UNSEAL_WRONG_KEY;
            else if (why == UNSEAL_NO_KEY)
                why = UNSEAL_OTHER_KVNO;
        }
    }
    return why;
}

/* --- NT hashes --- */

static bool begins_with(struct bytes realm, struct bytes domain)
{
    uint8_t text[256];
    if (!domain.size || domain.size > sizeof text || domain.size > realm.size)
        return false;
    fold(text, sizeof text, domain.data, domain.size);
    return memcmp(realm.data, text, domain.size) == 0 &&
           (realm.size == domain.size || realm.data[domain.size] == '.');
}

/* `at` counts the keys of that name, those of the domain first and then the others. */
const uint8_t *keyring_nt_hash(struct keyring *ring, struct bytes account, struct bytes domain, uint32_t *at)
{
    const uint8_t *sign = account.size ? memchr(account.data, '@', account.size) : NULL;
    if (sign) {
        size_t size = (size_t)(sign - account.data);
        domain = (struct bytes){sign + 1, account.size - size - 1};
        account.size = size;
    }
    if (!account.size || !ring->accounts)
        return NULL;
    struct name_hash name = hash_account(ring, account);
    const uint32_t *first = hash_table_find(ring->accounts, &name);
    uint32_t passed = 0;
    for (int other = 0; first && other < 2; other++) {
        for (uint32_t number = *first; number != NONE; number = ring->principals[number].next_account) {
            const struct principal *p = &ring->principals[number];
            if (begins_with(p->realm, domain) == (bool)other)
                continue;
            for (uint32_t i = 0; i < p->count; i++) {
                const struct key_material *m = &ring->by_principal[p->first + i]->key.material;
                if (m->etype != ETYPE_RC4 || passed++ < *at)
                    continue;
                *at = passed;
                return m->bytes;
            }
        }
    }
    return NULL;
}

/* --- session keys --- */

static void unlist(struct keyring *ring, uint32_t index)
{
    struct session_key *t = &ring->tickets[index];
    if (t->newer != NONE)
        ring->tickets[t->newer].older = t->older;
    else
        ring->newest = t->older;
    if (t->older != NONE)
        ring->tickets[t->older].newer = t->newer;
    else
        ring->oldest = t->newer;
}

static void list(struct keyring *ring, uint32_t index)
{
    struct session_key *t = &ring->tickets[index];
    t->listed = ++ring->now;
    t->newer = NONE;
    t->older = ring->newest;
    if (ring->newest != NONE)
        ring->tickets[ring->newest].newer = index;
    else
        ring->oldest = index;
    ring->newest = index;
}

/* What stands near the front stays where it is: to move it costs its neighbours. */
static void touch(struct keyring *ring, uint32_t index)
{
    if (ring->now - ring->tickets[index].listed <= ring->tickets_max / NEAR_FRONT)
        return;
    unlist(ring, index);
    list(ring, index);
}

/* Confounder and MAC, which no two tickets have in common. Who makes one with the ends of another must know
 * that other's session key to be read by it. */
static struct name_hash hash_ticket(const struct keyring *ring, struct bytes cipher)
{
    uint8_t text[8 + 2 * TICKET_END], *at = endian_put_be64(text, cipher.size);
    size_t size = cipher.size < TICKET_END ? cipher.size : TICKET_END;
    if (size) {
        memcpy(at, cipher.data, size);
        memcpy(at + size, cipher.data + cipher.size - size, size);
    }
    return hash_bytes(ring, (struct bytes){text, 8 + 2 * size});
}

static uint32_t ticket_place(struct keyring *ring)
{
    if (ring->tickets_used < ring->tickets_max)
        return ring->tickets_used++;
    uint32_t index = ring->oldest;
    unlist(ring, index);
    hash_table_remove(ring->ticket_slots, &ring->tickets[index].ticket);
    return index;
}

void keyring_put_ticket(struct keyring *ring, struct bytes cipher, const struct key_material *key)
{
    struct name_hash ticket = hash_ticket(ring, cipher);
    const uint32_t *there = hash_table_find(ring->ticket_slots, &ticket);
    uint32_t index;
    if (there) {
        index = *there;
        touch(ring, index);
    } else {
        index = ticket_place(ring);
        *(uint32_t *)hash_table_insert(ring->ticket_slots, &ticket, NULL) = index;
        ring->tickets[index].ticket = ticket;
        list(ring, index);
    }
    ring->tickets[index].key = *key;
}

bool keyring_get_ticket(struct keyring *ring, struct bytes cipher, struct key_material *key)
{
    struct name_hash ticket = hash_ticket(ring, cipher);
    const uint32_t *index = hash_table_find(ring->ticket_slots, &ticket);
    if (!index)
        return false;
    touch(ring, *index);
    *key = ring->tickets[*index].key;
    return true;
}
