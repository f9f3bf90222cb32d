/* SPDX-License-Identifier: Apache-2.0
 *
 * Tickets and authenticators: with which key they open, what is in them, and which were opened before.
 */
#include "keys/kerberos.h"

#define XXH_INLINE_ALL
#include <sodium.h>
#include <stdlib.h>
#include <xxhash.h>

#define CACHE_SLOTS 2048u
#define CACHED_MAX  8192u /* bytes of a ticket that is kept, sealed and plain each: at most 32 MiB in all */
#define END_SIZE    32u   /* of a cipher text's end, which differs in all */

/* --- parts --- */

struct unsealed_part *part_add(struct unsealed *parts, enum unsealed_kind kind,
                               const struct krb_encrypted *sealed)
{
    if (parts->count == UNSEALED_PARTS_MAX)
        return NULL;
    struct unsealed_part *part = &parts->parts[parts->count++];
    *part = (struct unsealed_part){.kind = kind, .result = UNSEAL_NO_KEY, .etype = sealed->etype};
    return part;
}

/* No part leaves but through here. */
static void put_part(struct key_request *r, const struct unsealed_part *part)
{
    struct msgpack_writer *w = r->answer;
    keys_blank(part->kind, part->plain);
    msgpack_put_array(w, 6 + PAC_SIGNATURES);
    msgpack_put_uint(w, part->kind);
    msgpack_put_uint(w, part->result);
    if (part->etype < 0)
        msgpack_put_int(w, part->etype);
    else
        msgpack_put_uint(w, (uint64_t)part->etype);
    msgpack_put_uint(w, part->kvno);
    msgpack_put_binary(w, part->plain.data, part->plain.size);
    msgpack_put_uint(w, part->pac);
    for (int i = 0; i < PAC_SIGNATURES; i++)
        msgpack_put_uint(w, part->signatures[i]);
}

/* FINE when any part is; otherwise as the first; FINE too when nothing was sealed. */
static enum unseal_result result_of(const struct unsealed *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        if (parts->parts[i].result == UNSEAL_FINE)
            return UNSEAL_FINE;
    return parts->count ? parts->parts[0].result : UNSEAL_FINE;
}

static void put_parts(struct key_request *r, const struct unsealed *parts)
{
    msgpack_put_array(r->answer, (uint32_t)parts->count);
    for (size_t i = 0; i < parts->count; i++) {
        const struct unsealed_part *part = &parts->parts[i];
        put_part(r, part);
        /* A timestamp that does not open is a wrong password, which says nothing of the keytab. */
        if (part->kind != UNSEALED_TIMESTAMP || part->result == UNSEAL_FINE)
            count_result(r->holder, part->result);
    }
}

void answer_parts(struct key_request *r, const struct unsealed *parts)
{
    msgpack_put_array(r->answer, 2);
    msgpack_put_uint(r->answer, result_of(parts));
    put_parts(r, parts);
}

void answer_parts_in_context(struct key_request *r, const struct unsealed *parts,
                             const struct security_context *context)
{
    msgpack_put_array(r->answer, 3);
    msgpack_put_uint(r->answer, result_of(parts));
    msgpack_put_uint(r->answer, context ? context->id : 0);
    put_parts(r, parts);
}

/* --- decryption --- */

void kerberos_complain(struct key_holder *holder, const struct keyring_search *search,
                       enum unseal_result result)
{
    uint32_t held = 0;
    if (result != UNSEAL_ETYPE && result != UNSEAL_NO_KEY)
        keyring_why(holder->keyring, search, &held);
    complain(holder, result, search->realm, search->principal, search->etype, search->kvno, held);
}

static enum unseal_result decrypt_mixed(struct key_holder *holder, const struct long_term_key *key,
                                        const struct key_mix *mix, int32_t usage, struct bytes cipher,
                                        uint8_t *to, size_t *size)
{
    struct key_material mixed;
    enum unseal_result result = UNSEAL_ETYPE;
    if (kerberos_combine(holder->derived, mix->with, mix->with_pepper, &key->material, mix->key_pepper,
                         &mixed))
        result = kerberos_decrypt(holder->derived, &mixed, usage, cipher, to, size);
    sodium_memzero(&mixed, sizeof mixed);
    return result;
}

enum unseal_result kerberos_decrypt_for(struct key_holder *holder, struct keyring_search *search,
                                        const struct key_mix *mix, int32_t usage, struct bytes cipher,
                                        struct unsealed_part *part, struct long_term_key **fitted)
{
    if (!kerberos_etype_known(search->etype))
        return part->result = UNSEAL_ETYPE;
    if (!cipher.size)
        return part->result = UNSEAL_MALFORMED;
    uint8_t *to = NULL;
    struct long_term_key *key;
    while ((key = keyring_next(holder->keyring, search)) != NULL) {
        size_t size;
        if (!to && !(to = plain_take(holder, cipher.size)))
            return part->result = UNSEAL_MALFORMED;
        part->result = mix ? decrypt_mixed(holder, key, mix, usage, cipher, to, &size)
                           : kerberos_decrypt(holder->derived, &key->material, usage, cipher, to, &size);
        if (part->result == UNSEAL_MALFORMED)
            break;
        if (part->result != UNSEAL_FINE)
            continue;
        keyring_learn(holder->keyring, search, key);
        part->kvno = key->kvno;
        part->plain = (struct bytes){to, size};
        if (fitted)
            *fitted = key;
        return UNSEAL_FINE;
    }
    if (to)
        plain_give_back(holder, cipher.size);
    if (to && part->result == UNSEAL_MALFORMED)
        return part->result;
    keyring_learn(holder->keyring, search, NULL);
    uint32_t held;
    return part->result = (enum unseal_result)keyring_why(holder->keyring, search, &held);
}

enum unseal_result kerberos_decrypt_session(struct key_holder *holder, const struct key_material *key,
                                            int32_t usage, const struct krb_encrypted *sealed,
                                            struct unsealed_part *part)
{
    if (!key->size || key->etype != sealed->etype)
        return part->result = UNSEAL_WRONG_KEY;
    size_t size;
    uint8_t *to = plain_take(holder, sealed->cipher.size);
    if (!to || !sealed->cipher.size)
        return part->result = UNSEAL_MALFORMED;
    part->result = kerberos_decrypt(holder->derived, key, usage, sealed->cipher, to, &size);
    if (part->result == UNSEAL_FINE)
        part->plain = (struct bytes){to, size};
    else
        plain_give_back(holder, sealed->cipher.size);
    return part->result;
}

/* --- tickets that were opened before --- */

struct cached_ticket {
    struct bytes cipher;       /* both are the cache's, one behind the other; size 0: free */
    struct unsealed_part part; /* the key in its plain text is blanked */
    struct key_material session;
    uint64_t shown; /* the request whose answer may have it: it is not replaced meanwhile */
};

struct ticket_cache {
    uint64_t seed;
    struct cached_ticket *slots; /* with session keys: locked, and wiped */
    uint8_t **texts;             /* of the slots */
};

struct ticket_cache *ticket_cache_new(void)
{
    struct ticket_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    randombytes_buf(&cache->seed, sizeof cache->seed);
    cache->slots = sodium_allocarray(CACHE_SLOTS, sizeof *cache->slots);
    cache->texts = calloc(CACHE_SLOTS, sizeof *cache->texts);
    if (!cache->slots || !cache->texts) {
        sodium_free(cache->slots);
        free(cache->texts);
        free(cache);
        return NULL;
    }
    memset(cache->slots, 0, CACHE_SLOTS * sizeof *cache->slots);
    return cache;
}

void ticket_cache_clear(struct ticket_cache *cache)
{
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        free(cache->texts[i]);
        cache->texts[i] = NULL;
    }
    sodium_memzero(cache->slots, CACHE_SLOTS * sizeof *cache->slots);
}

void ticket_cache_destroy(struct ticket_cache **cache_p)
{
    struct ticket_cache *cache = *cache_p;
    if (!cache)
        return;
    ticket_cache_clear(cache);
    sodium_free(cache->slots);
    free(cache->texts);
    free(cache);
    *cache_p = NULL;
}

/* By its cipher text alone: that opens with one key only, whoever's name stands beside it. All of it is
 * compared: a ticket that was tampered with is another one. */
static struct cached_ticket *cache_slot(struct ticket_cache *cache, struct bytes cipher)
{
    size_t size = cipher.size < END_SIZE ? cipher.size : END_SIZE;
    uint64_t hash = XXH3_64bits_withSeed(cipher.data + cipher.size - size, size, cache->seed);
    return &cache->slots[hash % CACHE_SLOTS];
}

static bool is_cached(const struct cached_ticket *slot, struct bytes cipher)
{
    return slot->cipher.size == cipher.size && memcmp(slot->cipher.data, cipher.data, cipher.size) == 0;
}

static void from_cache(struct key_holder *holder, struct cached_ticket *slot, struct unsealed_part *part,
                       struct key_material *session)
{
    enum unsealed_kind kind = part->kind;
    slot->shown = holder->status.asked;
    *part = slot->part;
    part->kind = kind;
    *session = slot->session;
}

static void into_cache(struct key_holder *holder, struct cached_ticket *slot, struct bytes cipher,
                       const struct unsealed_part *part, const struct key_material *session)
{
    uint8_t **text = &holder->opened->texts[slot - holder->opened->slots];
    size_t size = part->plain.size;
    if (size > CACHED_MAX || cipher.size > CACHED_MAX || slot->shown == holder->status.asked)
        return;
    uint8_t *copy = realloc(*text, cipher.size + size);
    if (!copy)
        return;
    *text = copy;
    memcpy(copy, cipher.data, cipher.size);
    memcpy(copy + cipher.size, part->plain.data, size);
    *slot = (struct cached_ticket){.cipher = {copy, cipher.size}, .part = *part, .session = *session};
    slot->part.plain.data = copy + cipher.size;
}

/* --- tickets --- */

static const struct key_material *open_with_others(struct key_holder *holder, const struct krb_ticket *ticket,
                                                   const struct key_material *others, size_t count,
                                                   struct unsealed_part *part)
{
    for (size_t i = 0; i < count; i++)
        if (kerberos_decrypt_session(holder, &others[i], USAGE_TICKET, &ticket->sealed, part) == UNSEAL_FINE)
            return &others[i];
    return NULL;
}

/* Its session key taken, its PAC verified, its keys blanked. */
static void look_inside(struct key_holder *holder, const struct krb_ticket *ticket,
                        const struct key_material *key, struct unsealed_part *part,
                        struct key_material *session)
{
    struct krb_enc_ticket inside;
    if (!krb_read_enc_ticket(cursor_of_bytes(part->plain), &inside)) {
        part->result = UNSEAL_MALFORMED;
        part->plain = (struct bytes){0};
        return;
    }
    struct bytes pac = krb_find_pac(inside.authorization);
    part->pac = pac.size > 0;
    if (part->pac)
        pac_verify(holder, ticket, key, part->plain, pac, part->signatures);
    if (key_take(&inside.key, session))
        keyring_put_ticket(holder->keyring, ticket->sealed.cipher, session);
    keys_blank(part->kind, part->plain); /* what is kept has no keys */
}

static void open_anew(struct key_holder *holder, const struct krb_ticket *ticket,
                      const struct key_material *others, size_t count, struct unsealed_part *part,
                      struct key_material *session)
{
    struct keyring_search search = {.realm = ticket->realm,
                                    .principal = &ticket->service,
                                    .etype = ticket->sealed.etype,
                                    .kvno = ticket->sealed.has_kvno ? ticket->sealed.kvno : 0,
                                    .service = true};
    struct long_term_key *fitted = NULL;
    const struct key_material *key = open_with_others(holder, ticket, others, count, part);
    if (!key) {
        kerberos_decrypt_for(holder, &search, NULL, USAGE_TICKET, ticket->sealed.cipher, part, &fitted);
        key = fitted ? &fitted->material : NULL;
    }
    if (part->result == UNSEAL_FINE) {
        look_inside(holder, ticket, key, part, session);
        return;
    }
    keyring_get_ticket(holder->keyring, ticket->sealed.cipher, session);
    if (part->result != UNSEAL_MALFORMED)
        kerberos_complain(holder, &search, part->result);
}

bool kerberos_open_ticket(struct key_holder *holder, enum unsealed_kind kind, const struct krb_ticket *ticket,
                          const struct key_material *others, size_t count, struct unsealed *parts,
                          struct key_material *session)
{
    memset(session, 0, sizeof *session);
    struct unsealed_part *part = part_add(parts, kind, &ticket->sealed);
    if (!part)
        return false;
    if (!ticket->sealed.cipher.size) {
        part->result = UNSEAL_MALFORMED;
        return false;
    }
    struct cached_ticket *slot = cache_slot(holder->opened, ticket->sealed.cipher);
    if (is_cached(slot, ticket->sealed.cipher)) {
        from_cache(holder, slot, part, session);
        return session->size > 0;
    }
    open_anew(holder, ticket, others, count, part, session);
    if (part->result == UNSEAL_FINE)
        into_cache(holder, slot, ticket->sealed.cipher, part, session);
    return session->size > 0;
}

bool kerberos_open_authenticator(struct key_holder *holder, const struct krb_encrypted *sealed, int32_t usage,
                                 const struct key_material *session, struct unsealed *parts,
                                 struct krb_authenticator *authenticator, struct key_material *subkey)
{
    struct unsealed_part alone = {.kind = UNSEALED_AUTHENTICATOR};
    struct unsealed_part *part = parts ? part_add(parts, UNSEALED_AUTHENTICATOR, sealed) : &alone;
    memset(subkey, 0, sizeof *subkey);
    if (!part || kerberos_decrypt_session(holder, session, usage, sealed, part) != UNSEAL_FINE)
        return false;
    if (!krb_read_authenticator(cursor_of_bytes(part->plain), authenticator)) {
        part->result = UNSEAL_MALFORMED;
        part->plain = (struct bytes){0};
        return false;
    }
    key_take(&authenticator->subkey, subkey);
    return true;
}
