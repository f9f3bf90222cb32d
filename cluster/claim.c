/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/claim.h"

#include "cluster/body.h"
#include "cluster/mutant.h"

enum claim_key {
    CLAIM_DOMAIN,
    CLAIM_TERM,
    CLAIM_SETTLED,
    CLAIM_DRAW,
    CLAIM_ID,
    CLAIM_INCARNATION,
    CLAIM_RELEASED,
    CLAIM_SUPPORT,
    CLAIM_CAUSE,
};
/* What is zero is not written: these can never be. */
#define CLAIM_REQUIRED (1u << CLAIM_DOMAIN | 1u << CLAIM_TERM | 1u << CLAIM_ID | 1u << CLAIM_INCARNATION)

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_draws(const struct claim *a, const struct claim *b)
{
    if (MUTANT(TIE_NOT_BROKEN))
        return 0;
    int order = compare_numbers(a->draw, b->draw);
    return order ? order : node_id_compare(&a->id, &b->id);
}

static int compare_settled(const struct claim *a, const struct claim *b)
{
    return a->settled - b->settled;
}

static int compare_candidates(const struct claim *a, const struct claim *b)
{
    int (*const first)(const struct claim *, const struct claim *) =
        MUTANT(SETTLED_AFTER_DRAW) ? compare_draws : compare_settled;
    int (*const second)(const struct claim *, const struct claim *) =
        MUTANT(SETTLED_AFTER_DRAW) ? compare_settled : compare_draws;
    int order = first(a, b);
    return order ? order : second(a, b);
}

int claim_compare(const struct claim *a, const struct claim *b)
{
    int order = compare_numbers(a->term, b->term);
    if (!order)
        order = compare_candidates(a, b);
    if (!order && MUTANT(TIE_NOT_BROKEN) && !node_id_equal(&a->id, &b->id))
        return 0;
    if (!order)
        order = compare_numbers(a->incarnation, b->incarnation);
    if (!order)
        order = a->released - b->released;
    return order ? order : compare_numbers(a->support, b->support);
}

static int compare_tokens(uint64_t term_a, uint64_t draw_a, const struct node_id *a, uint64_t term_b,
                          uint64_t draw_b, const struct node_id *b)
{
    int order = compare_numbers(term_a, term_b);
    if (!order)
        order = compare_numbers(draw_a, draw_b);
    return order ? order : node_id_compare(a, b);
}

int claim_token_compare(const struct claim *a, const struct claim *b)
{
    return compare_tokens(a->term, a->draw, &a->id, b->term, b->draw, &b->id);
}

uint64_t claim_draw(const struct cluster_crypto *crypto, const char *domain, uint64_t term,
                    const struct node_id *id)
{
    uint8_t data[DOMAIN_MAX_SIZE + 8 + NODE_ID_SIZE];
    size_t size = strlen(domain) + 1; /* with its NUL: nothing can be moved between the name and the term */
    memcpy(data, domain, size);
    for (int i = 0; i < 8; i++)
        data[size++] = (uint8_t)(term >> (56 - 8 * i));
    memcpy(data + size, id->bytes, NODE_ID_SIZE);
    return crypto->draw(crypto->context, data, size + NODE_ID_SIZE);
}

size_t claim_write(void *buffer, size_t capacity, const struct claim *claim,
                   const struct cluster_crypto *crypto)
{
    struct body_writer writer;
    body_begin(&writer, buffer, capacity, BODY_CLAIM);
    body_put_text(&writer, CLAIM_DOMAIN, claim->domain);
    body_put_uint(&writer, CLAIM_TERM, claim->term);
    body_put_uint(&writer, CLAIM_SETTLED, claim->settled);
    body_put_uint(&writer, CLAIM_DRAW, claim->draw);
    body_put_binary(&writer, CLAIM_ID, claim->id.bytes, NODE_ID_SIZE);
    body_put_uint(&writer, CLAIM_INCARNATION, claim->incarnation);
    body_put_uint(&writer, CLAIM_RELEASED, claim->released);
    body_put_uint(&writer, CLAIM_SUPPORT, claim->support);
    body_put_uint(&writer, CLAIM_CAUSE, claim->cause);
    return body_sign(&writer, crypto);
}

static void read_value(struct claim *claim, struct body *body, int key)
{
    switch (key) {
    case CLAIM_DOMAIN:
        body_text(body, claim->domain, sizeof claim->domain, domain_valid);
        break;
    case CLAIM_TERM:
        claim->term = body_uint(body, UINT64_MAX);
        break;
    case CLAIM_SETTLED:
        claim->settled = body_uint(body, 1) != 0;
        break;
    case CLAIM_DRAW:
        claim->draw = body_uint(body, UINT64_MAX);
        break;
    case CLAIM_ID:
        body_binary(body, claim->id.bytes, NODE_ID_SIZE);
        break;
    case CLAIM_INCARNATION:
        claim->incarnation = body_uint(body, UINT64_MAX);
        break;
    case CLAIM_RELEASED:
        claim->released = body_uint(body, 1) != 0;
        break;
    case CLAIM_SUPPORT:
        claim->support = (uint16_t)body_uint(body, UINT16_MAX);
        break;
    case CLAIM_CAUSE:
        claim->cause = (uint8_t)body_uint(body, UINT8_MAX);
        break;
    default:
        body_skip(body);
        break;
    }
}

bool claim_read(struct claim *claim, struct bytes encoded)
{
    struct signed_body parts;
    *claim = (struct claim){0};
    if (encoded.size > CLAIM_MAX_SIZE || !signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_CLAIM);
    for (int key; (key = body_next(&body)) >= 0;)
        read_value(claim, &body, key);
    return body_end(&body, CLAIM_REQUIRED) && claim->term > 0 && claim->incarnation > 0;
}

bool claim_signed(struct bytes encoded, const uint8_t public_key[PUBLIC_KEY_SIZE],
                  const struct cluster_crypto *crypto)
{
    return MUTANT(SIGNATURE_UNVERIFIED) || signed_verify(encoded, public_key, crypto);
}

bool claim_drawn(const struct claim *claim, const struct cluster_crypto *crypto)
{
    return MUTANT(DRAW_UNVERIFIED) || MUTANT(RANDOM_DRAW) ||
           claim->draw == claim_draw(crypto, claim->domain, claim->term, &claim->id);
}

/* -- the fence ------------------------------------------------------------------------------------ */

int fence_compare(const struct fence *a, const struct fence *b)
{
    int order = compare_tokens(a->term, a->draw, &a->id, b->term, b->draw, &b->id);
    if (!order)
        order = compare_numbers(a->incarnation, b->incarnation);
    return order ? order : compare_numbers(a->sequence, b->sequence);
}

bool fence_accepts(const struct fence *stored, const struct claim *register_claim, const struct fence *fence)
{
    if (MUTANT(NO_FENCE))
        return true;
    if (fence_compare(fence, stored) <= 0)
        return false;
    return !register_claim || compare_tokens(fence->term, fence->draw, &fence->id, register_claim->term,
                                             register_claim->draw, &register_claim->id) >= 0;
}
