/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/enrolment.h"

#include "cluster/voucher.h"

enum request_key { /* of requests and replies */
                   REQUEST_KIND,
                   REQUEST_GRANT,
                   REQUEST_VOUCHER,
                   REQUEST_SECRET,
                   REQUEST_NAME,
                   REQUEST_PUBLIC_KEY,
                   REQUEST_CERTIFICATE,
                   REQUEST_INNER,
                   REPLY_REFUSAL,
                   REPLY_CERTIFICATE,
                   REPLY_POLICY,
                   REPLY_SALT,
                   REPLY_RECORDS,
};

enum request_kind {
    KIND_ENROL = 1,
    KIND_ROTATE = 2,       /* signed by the new key; holds ... */
    KIND_ROTATE_INNER = 3, /* ... this, signed by the old one */
};

#define HAS(key) (UINT32_C(1) << (key))

#define GRANT_KEPT_FOR                                                                                       \
    (UINT64_C(24) * 3600) /* after a grant expired: the reply may have to be said again                      \
                           */

/* -- requests ------------------------------------------------------------------------------------- */

struct request {
    enum request_kind kind;
    struct bytes grant, voucher, certificate, inner;
    uint8_t secret[TOKEN_SECRET_SIZE];
    char name[NAME_MAX_SIZE];
    uint8_t public_key[PUBLIC_KEY_SIZE];
};

static bool request_read(struct request *request, struct bytes encoded)
{
    static const uint32_t required[] = {
        [KIND_ENROL] = HAS(REQUEST_GRANT) | HAS(REQUEST_VOUCHER) | HAS(REQUEST_SECRET) | HAS(REQUEST_NAME) |
                       HAS(REQUEST_PUBLIC_KEY),
        [KIND_ROTATE] = HAS(REQUEST_PUBLIC_KEY) | HAS(REQUEST_INNER),
        [KIND_ROTATE_INNER] = HAS(REQUEST_PUBLIC_KEY) | HAS(REQUEST_CERTIFICATE),
    };
    struct signed_body parts;
    memset(request, 0, sizeof *request);
    if (encoded.size > ENROLMENT_REQUEST_MAX || !signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_ENROLMENT);
    int key;
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case REQUEST_KIND:
            request->kind = (enum request_kind)body_uint(&body, KIND_ROTATE_INNER);
            break;
        case REQUEST_GRANT:
            request->grant = body_bytes(&body, TOKEN_GRANT_MAX);
            break;
        case REQUEST_VOUCHER:
            request->voucher = body_bytes(&body, VOUCHER_MAX_SIZE);
            break;
        case REQUEST_SECRET:
            body_binary(&body, request->secret, TOKEN_SECRET_SIZE);
            break;
        case REQUEST_NAME:
            body_text(&body, request->name, sizeof request->name, name_valid);
            break;
        case REQUEST_PUBLIC_KEY:
            body_binary(&body, request->public_key, PUBLIC_KEY_SIZE);
            break;
        case REQUEST_CERTIFICATE:
            request->certificate = body_bytes(&body, CERTIFICATE_MAX_SIZE);
            break;
        case REQUEST_INNER:
            request->inner = body_bytes(&body, ENROLMENT_REQUEST_MAX);
            break;
        default:
            body_skip(&body);
        }
    }
    return request->kind >= KIND_ENROL && body_end(&body, required[request->kind]);
}

size_t enrolment_request(void *buffer, size_t capacity, const struct token *token, const char *name,
                         const uint8_t public_key[PUBLIC_KEY_SIZE], const struct cluster_crypto *crypto)
{
    struct body_writer writer;
    if (!name_valid(name))
        return 0;
    body_begin(&writer, buffer, capacity < ENROLMENT_REQUEST_MAX ? capacity : ENROLMENT_REQUEST_MAX,
               BODY_ENROLMENT);
    body_put_uint(&writer, REQUEST_KIND, KIND_ENROL);
    body_put_binary(&writer, REQUEST_GRANT, token->grant_encoded, token->grant_size);
    body_put_binary(&writer, REQUEST_VOUCHER, token->voucher, token->voucher_size);
    body_put_binary(&writer, REQUEST_SECRET, token->secret, TOKEN_SECRET_SIZE);
    body_put_text(&writer, REQUEST_NAME, name);
    body_put_binary(&writer, REQUEST_PUBLIC_KEY, public_key, PUBLIC_KEY_SIZE);
    return body_sign(&writer, crypto);
}

static size_t inner_request(void *buffer, size_t capacity, const struct identity *identity,
                            const uint8_t next[PUBLIC_KEY_SIZE])
{
    struct crypto_sodium *keys = identity_keys(identity);
    struct body_writer writer;
    if (!keys)
        return 0;
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    body_begin(&writer, buffer, capacity, BODY_ENROLMENT);
    body_put_uint(&writer, REQUEST_KIND, KIND_ROTATE_INNER);
    body_put_binary(&writer, REQUEST_PUBLIC_KEY, next, PUBLIC_KEY_SIZE);
    body_put_binary(&writer, REQUEST_CERTIFICATE, identity->encoded, identity->encoded_size);
    size_t size = body_sign(&writer, &crypto);
    crypto_sodium_destroy(&keys);
    return size;
}

size_t rotation_request(void *buffer, size_t capacity, const struct identity *identity)
{
    uint8_t inner[ENROLMENT_REQUEST_MAX];
    struct body_writer writer;
    if (!identity->rotating || identity->encoded_size == 0)
        return 0;
    struct crypto_sodium *next = identity_next_keys(identity);
    if (!next)
        return 0;
    const uint8_t *public_key = crypto_sodium_public_key(next);
    struct cluster_crypto crypto = crypto_sodium_table(next);
    size_t inner_size = inner_request(inner, sizeof inner, identity, public_key);
    body_begin(&writer, buffer, capacity < ENROLMENT_REQUEST_MAX ? capacity : ENROLMENT_REQUEST_MAX,
               BODY_ENROLMENT);
    body_put_uint(&writer, REQUEST_KIND, KIND_ROTATE);
    body_put_binary(&writer, REQUEST_PUBLIC_KEY, public_key, PUBLIC_KEY_SIZE);
    body_put_binary(&writer, REQUEST_INNER, inner, inner_size);
    size_t size = inner_size ? body_sign(&writer, &crypto) : 0;
    crypto_sodium_destroy(&next);
    return size;
}

/* -- replies -------------------------------------------------------------------------------------- */

const char *enrolment_refusal_text(enum enrolment_refusal refusal)
{
    static const char *const texts[] = {
        [ENROLMENT_GRANTED] = "granted",
        [REFUSED_MALFORMED] = "the request could not be read",
        [REFUSED_NOT_OURS] = "the token is not of this fleet's authority",
        [REFUSED_ELSEWHERE] = "another node must be asked: the one that the token names",
        [REFUSED_NOT_ENROLLER] = "this node may not enrol others",
        [REFUSED_EXPIRED] = "the token has expired",
        [REFUSED_SECRET] = "the token's secret is wrong",
        [REFUSED_USED] = "the token was used already",
        [REFUSED_NAME] = "the token is for a node of another name",
        [REFUSED_NAME_TAKEN] = "another member has that name",
        [REFUSED_ID_TAKEN] = "another member's id is too similar: ask for a new token",
        [REFUSED_REVOKED] = "the node is revoked",
        [REFUSED_KEY] = "the key is not a good one, or not a new one",
        [REFUSED_OLD_KEY] = "the key that asks is not the node's current one",
        [REFUSED_BUSY] = "it cannot be done now; try again later",
    };
    return refusal < ENROLMENT_REFUSALS ? texts[refusal] : "refused for a reason that a newer version knows";
}

static void read_records(struct enrolment_reply *reply, struct body *body)
{
    unsigned count = body_array(body, ENROLMENT_RECORDS);
    for (unsigned i = 0; i < count; i++)
        reply->records[i] = body_bytes(body, RECORD_MAX_SIZE);
    reply->record_count = count;
}

bool enrolment_reply_read(struct enrolment_reply *reply, struct bytes encoded)
{
    memset(reply, 0, sizeof *reply);
    if (encoded.size > ENROLMENT_REPLY_MAX)
        return false;
    struct body body = body_open(encoded, BODY_ENROLMENT);
    struct bytes salt = {0};
    int key;
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case REPLY_REFUSAL:
            reply->refusal = (enum enrolment_refusal)body_uint(&body, 255);
            break;
        case REPLY_CERTIFICATE:
            reply->certificate = body_bytes(&body, CERTIFICATE_MAX_SIZE);
            break;
        case REPLY_POLICY:
            reply->policy = body_bytes(&body, POLICY_MAX_SIZE);
            break;
        case REPLY_SALT:
            salt = body_bytes(&body, SALT_SIZE);
            break;
        case REPLY_RECORDS:
            read_records(reply, &body);
            break;
        default:
            body_skip(&body);
        }
    }
    reply->salt = salt.data;
    if (!body_end(&body, 0))
        return false;
    return reply->refusal != ENROLMENT_GRANTED ||
           (reply->certificate.size > 0 && reply->policy.size > 0 && salt.size == SALT_SIZE);
}

static size_t write_refusal(void *buffer, size_t capacity, enum enrolment_refusal refusal)
{
    struct body_writer writer;
    body_begin(&writer, buffer, capacity, BODY_ENROLMENT);
    body_put_uint(&writer, REPLY_REFUSAL, refusal);
    return body_finish(&writer);
}

/* As many of the records as fit. */
static size_t write_grant(const struct enrolment_desk *desk, struct bytes certificate, void *buffer,
                          size_t capacity)
{
    struct body_writer writer;
    if (capacity > ENROLMENT_REPLY_MAX)
        capacity = ENROLMENT_REPLY_MAX;
    size_t room = certificate.size + desk->policy.size + SALT_SIZE + 64;
    unsigned count = 0;
    while (count < desk->record_count && room + desk->records[count].size + 8 <= capacity)
        room += desk->records[count++].size + 8;
    body_begin(&writer, buffer, capacity, BODY_ENROLMENT);
    body_put_binary(&writer, REPLY_CERTIFICATE, certificate.data, certificate.size);
    body_put_binary(&writer, REPLY_POLICY, desk->policy.data, desk->policy.size);
    body_put_binary(&writer, REPLY_SALT, desk->salt, SALT_SIZE);
    if (count > 0)
        body_put_array(&writer, REPLY_RECORDS, count);
    for (unsigned i = 0; i < count; i++)
        msgpack_put_binary(&writer.out, desk->records[i].data, desk->records[i].size);
    return body_finish(&writer);
}

/* -- the enroller's judgement --------------------------------------------------------------------- */

/* The policy lists this node with the key that it has, and still does at `now`. */
static bool entitled(const struct enrolment_desk *desk, const struct policy *policy, uint64_t now)
{
    for (unsigned i = 0; i < policy->enroller_count; i++)
        if (node_id_equal(&policy->enrollers[i].id, &desk->self) && policy->enrollers[i].until >= now &&
            memcmp(policy->enrollers[i].public_key, desk->public_key, PUBLIC_KEY_SIZE) == 0)
            return true;
    return false;
}

static enum enrolment_refusal judge_grant(const struct enrolment_desk *desk, const struct policy *policy,
                                          const struct grant *grant, uint64_t now)
{
    if (!node_id_equal(&grant->enroller, &desk->self))
        return REFUSED_ELSEWHERE;
    if (!entitled(desk, policy, now))
        return REFUSED_NOT_ENROLLER;
    return policy_revokes(policy, &grant->id) ? REFUSED_REVOKED : ENROLMENT_GRANTED;
}

/* Signs `wish` and notes it; the ledger is on the disk before anybody hears of the certificate. */
static enum enrolment_refusal bind(struct enrolment_desk *desk, const struct certificate *wish,
                                   struct bytes grant, uint64_t keep_until)
{
    uint8_t buffer[CERTIFICATE_MAX_SIZE];
    struct ledger_entry before;
    struct fault fault;
    size_t size = certificate_write(buffer, sizeof buffer, wish, grant, desk->crypto);
    if (size == 0)
        return REFUSED_MALFORMED;
    if (!ledger_copy(&before, ledger_find(desk->ledger, &wish->grant.id)))
        return REFUSED_BUSY;
    if (!ledger_note(desk->ledger, (struct bytes){buffer, size}, keep_until)) {
        ledger_copy_free(&before);
        return REFUSED_BUSY;
    }
    bool saved = ledger_save(desk->ledger, desk->disk, desk->directory, &fault);
    if (!saved)
        ledger_restore(desk->ledger, &wish->grant.id, &before);
    ledger_copy_free(&before);
    return saved ? ENROLMENT_GRANTED : REFUSED_BUSY;
}

static enum enrolment_refusal judge_token(const struct enrolment_desk *desk, const struct request *request,
                                          const struct grant *grant)
{
    uint8_t digest[DIGEST_SIZE];
    struct voucher voucher;
    if (!voucher_read(&voucher, request->voucher, desk->trust, desk->crypto) ||
        !node_id_equal(&voucher.id, &grant->id))
        return REFUSED_NOT_OURS;
    crypto_digest(digest, request->secret, TOKEN_SECRET_SIZE);
    if (!crypto_equal(digest, voucher.digest, DIGEST_SIZE))
        return REFUSED_SECRET;
    if (voucher.name[0] && strcmp(voucher.name, request->name) != 0)
        return REFUSED_NAME;
    return ENROLMENT_GRANTED;
}

/* Against those that were bound here a moment ago and that the fleet may not know yet. */
static enum enrolment_refusal judge_by_ledger(const struct enrolment_desk *desk, const struct policy *policy,
                                              const struct request *request, const struct grant *grant)
{
    for (unsigned i = 0; i < ledger_count(desk->ledger); i++) {
        const struct ledger_entry *entry = ledger_at(desk->ledger, i);
        if (memcmp(entry->public_key, request->public_key, PUBLIC_KEY_SIZE) == 0)
            return REFUSED_KEY;
        if (policy_revokes(policy, &entry->id))
            continue;
        if (strcmp(entry->name, request->name) == 0)
            return REFUSED_NAME_TAKEN;
        if (node_id_short(&entry->id) == node_id_short(&grant->id))
            return REFUSED_ID_TAKEN;
    }
    return ENROLMENT_GRANTED;
}

static enum enrolment_refusal judge_newcomer(const struct enrolment_desk *desk, const struct policy *policy,
                                             const struct request *request, const struct grant *grant,
                                             uint64_t now)
{
    uint32_t generation;
    if (grant->expires < now)
        return REFUSED_EXPIRED;
    /* The ledger may have been lost; the fleet remembers. */
    if (desk->generation(desk->context, &grant->id, &generation))
        return REFUSED_USED;
    if (desk->name_taken(desk->context, request->name, &grant->id))
        return REFUSED_NAME_TAKEN;
    if (desk->short_id_taken(desk->context, &grant->id))
        return REFUSED_ID_TAKEN;
    return judge_by_ledger(desk, policy, request, grant);
}

static enum enrolment_refusal enrol(struct enrolment_desk *desk, const struct policy *policy,
                                    const struct request *request, uint64_t now,
                                    struct enrolment_outcome *outcome, struct node_id *id)
{
    struct certificate wish = {.issued = now};
    struct grant *grant = &wish.grant;
    if (!grant_read(grant, request->grant, desk->trust, desk->crypto))
        return REFUSED_NOT_OURS;
    *id = grant->id;
    enum enrolment_refusal refusal = judge_token(desk, request, grant);
    if (refusal == ENROLMENT_GRANTED)
        refusal = judge_grant(desk, policy, grant, now);
    if (refusal != ENROLMENT_GRANTED)
        return refusal;
    const struct ledger_entry *entry = ledger_find(desk->ledger, id);
    if (entry) {
        outcome->again = memcmp(entry->public_key, request->public_key, PUBLIC_KEY_SIZE) == 0;
        return outcome->again ? ENROLMENT_GRANTED : REFUSED_USED;
    }
    refusal = judge_newcomer(desk, policy, request, grant, now);
    if (refusal != ENROLMENT_GRANTED)
        return refusal;
    memcpy(wish.public_key, request->public_key, PUBLIC_KEY_SIZE);
    memcpy(wish.name, request->name, sizeof wish.name);
    return bind(desk, &wish, request->grant, grant->expires + GRANT_KEPT_FOR);
}

/* The greatest generation that anybody here knows of: a key that was rotated away may be in wrong hands. */
static uint32_t newest_generation(const struct enrolment_desk *desk, const struct certificate *certificate)
{
    uint32_t newest = certificate->generation, known;
    const struct ledger_entry *entry = ledger_find(desk->ledger, &certificate->grant.id);
    if (entry && entry->generation > newest)
        newest = entry->generation;
    if (desk->generation(desk->context, &certificate->grant.id, &known) && known > newest)
        newest = known;
    return newest;
}

static enum enrolment_refusal rotate(struct enrolment_desk *desk, const struct policy *policy,
                                     const struct request *request, uint64_t now,
                                     struct enrolment_outcome *outcome, struct node_id *id)
{
    struct certificate current;
    struct request inner;
    outcome->rotation = true;
    if (!request_read(&inner, request->inner) || inner.kind != KIND_ROTATE_INNER ||
        memcmp(inner.public_key, request->public_key, PUBLIC_KEY_SIZE) != 0)
        return REFUSED_MALFORMED;
    if (!certificate_read(&current, inner.certificate, desk->trust, policy, desk->crypto))
        return REFUSED_NOT_OURS;
    if (!signed_verify(request->inner, current.public_key, desk->crypto))
        return REFUSED_KEY;
    *id = current.grant.id;
    enum enrolment_refusal refusal = judge_grant(desk, policy, &current.grant, now);
    if (refusal != ENROLMENT_GRANTED)
        return refusal;
    if (memcmp(current.public_key, request->public_key, PUBLIC_KEY_SIZE) == 0)
        return REFUSED_KEY;
    const struct ledger_entry *entry = ledger_find(desk->ledger, id);
    if (entry && entry->generation == current.generation + 1 &&
        memcmp(entry->public_key, request->public_key, PUBLIC_KEY_SIZE) == 0) {
        outcome->again = true;
        return ENROLMENT_GRANTED;
    }
    if (newest_generation(desk, &current) != current.generation || current.generation == UINT32_MAX)
        return REFUSED_OLD_KEY;
    struct certificate wish = current;
    wish.generation++;
    wish.issued = now;
    wish.by_authority = false;
    memcpy(wish.public_key, request->public_key, PUBLIC_KEY_SIZE);
    /* For good: the key that was given up must never be taken for the current one. */
    return bind(desk, &wish, certificate_grant(inner.certificate), UINT64_MAX);
}

static enum enrolment_refusal judge(struct enrolment_desk *desk, struct bytes encoded, uint64_t now,
                                    struct enrolment_outcome *outcome, struct node_id *id)
{
    struct request request;
    struct policy policy;
    uint8_t curve[CURVE_KEY_SIZE];
    if (!request_read(&request, encoded) || request.kind == KIND_ROTATE_INNER)
        return REFUSED_MALFORMED;
    /* Who asks has the key, and other nodes will be able to connect by it. */
    if (!signed_verify(encoded, request.public_key, desk->crypto) ||
        !crypto_curve_public(curve, request.public_key))
        return REFUSED_KEY;
    if (!policy_read(&policy, desk->policy, desk->trust, desk->crypto))
        return REFUSED_BUSY;
    ledger_expire(desk->ledger, now);
    return request.kind == KIND_ENROL ? enrol(desk, &policy, &request, now, outcome, id)
                                      : rotate(desk, &policy, &request, now, outcome, id);
}

size_t enrolment_answer(struct enrolment_desk *desk, struct bytes request, uint64_t now, void *buffer,
                        size_t capacity, struct enrolment_outcome *outcome)
{
    struct node_id id = {{0}};
    memset(outcome, 0, sizeof *outcome);
    outcome->refusal = judge(desk, request, now, outcome, &id);
    if (outcome->refusal != ENROLMENT_GRANTED)
        return write_refusal(buffer, capacity, outcome->refusal);
    const struct ledger_entry *entry = ledger_find(desk->ledger, &id);
    struct bytes certificate = {entry->certificate, entry->certificate_size};
    size_t size = write_grant(desk, certificate, buffer, capacity);
    if (size > 0 && certificate_read_trusted(&outcome->certificate, certificate))
        return size;
    outcome->refusal = REFUSED_BUSY;
    return write_refusal(buffer, capacity, outcome->refusal);
}
