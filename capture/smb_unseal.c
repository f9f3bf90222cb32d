/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 2 and 3 with keys: the hash that the keys of a session depend on ([MS-SMB2] 3.1.1.1, 3.2.5.2, 3.2.5.3),
 * encrypted messages and signatures. Without an unsealer nothing of it takes place.
 */
#include "capture/smb_state.h"
#include "capture/unseal.h"

#include <sodium.h>

enum {
    DIALECT_3_1_1 = 0x0311,
    PREAUTH_HASH_SIZE = 64,
    NOT_NEGOTIATED = 0xffff,
    SIGNATURES_CHECKED = 4, /* of each session and direction */
    SIGNATURES_ALWAYS = 32, /* of each, of set-ups and of TREE_CONNECT */
};

/* What the negotiation of a connection gave. */
struct smb_negotiated {
    uint8_t hash[PREAUTH_HASH_SIZE];
    bool hashed;
    uint16_t cipher;
    uint16_t signing;
};

struct smb_session_keys {
    uint8_t hash[PREAUTH_HASH_SIZE];
    bool hashed;
    uint64_t context; /* of capture/unseal.h; 0: none (yet) */
    uint8_t checked[2];
    uint8_t always[2]; /* of those that always are */
};

/* --- pre-authentication integrity --- */

/* 3.1.4.4.1, 3.2.5.2: SHA-512 (the only algorithm there is) over the value before and the message. */
static void hash_message(uint8_t hash[PREAUTH_HASH_SIZE], const struct smb2_part *part)
{
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, hash, PREAUTH_HASH_SIZE);
    crypto_hash_sha512_update(&state, part->start, (size_t)(part->body.end - part->start));
    crypto_hash_sha512_final(&state, hash);
}

void smb_unseal_negotiate(struct dissect *d, const struct smb2_part *request)
{
    struct smb_flow *flow = d->state;
    if (!unseal_possible(d))
        return;
    if (!flow->negotiated)
        flow->negotiated = dissect_alloc(d, sizeof *flow->negotiated);
    struct smb_negotiated *n = flow->negotiated;
    if (!n)
        return;
    *n = (struct smb_negotiated){.hashed = !d->truncated, .signing = NOT_NEGOTIATED};
    hash_message(n->hash, request);
}

static uint16_t first_of(struct bytes ids, uint16_t otherwise)
{
    struct cursor c = cursor_of_bytes(ids);
    uint16_t id = cursor_le16(&c);
    return c.failed ? otherwise : id;
}

void smb_unseal_negotiated(struct dissect *d, const struct smb2_part *reply,
                           const struct smb2_negotiate_response *m)
{
    const struct smb_flow *flow = d->state;
    struct smb_negotiated *n = flow->negotiated;
    if (!n)
        return;
    hash_message(n->hash, reply);
    n->hashed &= !d->truncated;
    n->cipher = first_of(m->contexts.ciphers, 0);
    n->signing = first_of(m->contexts.signings, NOT_NEGOTIATED);
}

void smb_unseal_setup(struct dissect *d, struct smb_session *session, const struct smb2_part *leg)
{
    const struct smb_flow *flow = d->state;
    bool first = d->direction == TO_SERVER && !leg->header.session_id;
    if (first && flow->negotiated && !session->keys) {
        session->keys = dissect_alloc(d, sizeof *session->keys);
        if (session->keys) {
            memcpy(session->keys->hash, flow->negotiated->hash, PREAUTH_HASH_SIZE);
            session->keys->hashed = flow->negotiated->hashed;
        }
    }
    if (!session->keys || session->established || flow->dialect != DIALECT_3_1_1)
        return;
    hash_message(session->keys->hash, leg);
    session->keys->hashed &= !d->truncated;
}

void smb_unseal_gap(struct smb_session *session)
{
    if (session->keys)
        session->keys->hashed = false;
}

/* --- the session --- */

void smb_unseal_established(struct dissect *d, struct smb_session *session)
{
    const struct smb_flow *flow = d->state;
    const struct smb_negotiated *n = flow->negotiated;
    struct smb_session_keys *keys = session->keys;
    /* Who authenticates anew goes on with the keys there are (3.2.5.3.2). */
    if (!keys || session->established)
        return;
    if (flow->dialect != DIALECT_3_1_1 || keys->hashed) {
        struct unseal_smb_session about = {
            .dialect = flow->dialect, .cipher = n->cipher, .signing = n->signing};
        memcpy(about.preauth_hash, keys->hash, sizeof about.preauth_hash);
        keys->context = unseal_smb(d, session->gss.context, &about);
    }
    unseal_forget(d, session->gss.context);
    session->gss.context = 0;
}

void smb_unseal_end(struct dissect *d, struct smb_session *session)
{
    if (!session->keys)
        return;
    unseal_forget(d, session->keys->context);
    dissect_free(d, session->keys, sizeof *session->keys);
    session->keys = NULL;
}

/* --- encrypted messages --- */

uint64_t smb_unseal_want(struct dissect *d, struct bytes start, uint64_t total, uint32_t *more)
{
    if (!unseal_possible(d) || total > UNSEAL_MESSAGE_MAX)
        return SMB2_TRANSFORM_SIZE;
    if (total < SMB2_TRANSFORM_SIZE)
        return total;
    struct smb2_transform m;
    if (start.size < SMB2_TRANSFORM_SIZE) {
        *more = SMB2_TRANSFORM_SIZE;
        return 0;
    }
    smb2_transform_parse(cursor_of_bytes(start), &m);
    const struct smb_session *session = smb_session_find(d, m.session_id);
    return session && session->keys && session->keys->context ? total : SMB2_TRANSFORM_SIZE;
}

bool smb_unseal_message(struct dissect *d, const struct smb_session *session, struct bytes message,
                        struct bytes *plain)
{
    struct smb_session_keys *keys = session->keys;
    if (!keys || !keys->context)
        return false;
    enum unseal_result result = unseal_smb_message(d, keys->context, message, plain);
    if (result == UNSEAL_NO_CONTEXT) /* there was no key for the log-on: no need to ask again */
        keys->context = 0;
    return result == UNSEAL_FINE && plain->size >= 4;
}

/* --- signatures --- */

static uint64_t post(struct dissect *d, const struct smb_session *session, const struct smb2_part *part)
{
    struct bytes message = {part->start, (size_t)(part->body.end - part->start)};
    return unseal_smb_signature(d, session->keys->context, message);
}

static bool can_check(const struct smb_session *session, const struct smb2_part *part)
{
    return session && session->keys && session->keys->context && part->header.flags & SMB2_FLAG_SIGNED;
}

/* `about`: the command, the session's id. */
static void signature_checked(struct dissect *d, const uint64_t about[2], struct bytes answer)
{
    if (unseal_result_read(answer) != UNSEAL_WRONG_KEY)
        return;
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_SIGNATURE_BAD);
    activity_put_uint(w, FIELD_SMB_COMMAND, about[0]);
    activity_put_bool(w, FIELD_SMB_FROM_SERVER, d->direction == TO_CLIENT);
    smb_put_account(d, w, about[1]);
    dissect_emit(d);
}

void smb_unseal_check(struct dissect *d, const struct smb_session *session, const struct smb2_part *part)
{
    if (!can_check(session, part))
        return;
    struct smb_session_keys *keys = session->keys;
    bool always = part->header.command == SMB2_TREE_CONNECT || part->header.command == SMB2_SESSION_SETUP;
    uint8_t *checked = always ? &keys->always[d->direction] : &keys->checked[d->direction];
    if (*checked >= (always ? SIGNATURES_ALWAYS : SIGNATURES_CHECKED))
        return;
    ++*checked;
    uint64_t posted = post(d, session, part);
    if (posted)
        dissect_later(d, posted, signature_checked, part->header.command, session->id);
}

static bool put_verdict(struct dissect *d, struct bytes answer)
{
    enum unseal_result result = unseal_result_read(answer);
    if (result == UNSEAL_FINE || result == UNSEAL_WRONG_KEY)
        activity_put_bool(d->activity, FIELD_SIGNATURE_VERIFIED, result == UNSEAL_FINE);
    return true;
}

void smb_unseal_emit_verified(struct dissect *d, const struct smb_session *session,
                              const struct smb2_part *part)
{
    uint64_t posted = !d->truncated && can_check(session, part) ? post(d, session, part) : 0;
    if (posted)
        dissect_emit_later(d, posted, put_verdict);
    else
        dissect_emit(d);
}
