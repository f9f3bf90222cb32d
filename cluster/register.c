/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/register.h"

#include "cluster/mutant.h"

/* A claim this far above the known term is no step of an election. It is told of as hostile, and believed
 * only when such terms are still on offer after two refute_min: a fleet that was cut apart while its halves
 * went through a thousand terms must come together again. */
#define TERM_STEP 1024u
/* Jumps up to here are believed from wherever they start, so that all come to the same verdict, whatever each
 * knew before. Beyond it belief grows with the time for which jumps are on offer: no number of lies uses up
 * the terms, and who was cut off from a liar catches up in the time that the liar had. */
#define TERM_JUMP_TO  (UINT64_C(1) << 62)
#define TERM_JUMP_MAX (UINT64_C(1) << 32) /* for each two refute_min */
#define TERM_MAX      (UINT64_C(1) << 63)
/* No right fleet reaches this. */
#define TERM_UNHEARD_OF (UINT64_C(1) << 32)
/* Jumps not offered for this long are over. */
#define JUMP_FORGOTTEN 120000
#define ACCUSE_EVERY   60000
/* Claims that change a register: one a second, CLAIM_BURST at once. More are the flood of a hostile member;
 * anti-entropy brings what was refused in passing. */
#define CLAIM_COST  1000
#define CLAIM_BURST 32

uint64_t register_term(const struct claim_register *reg)
{
    return reg->size && reg->claim.term > reg->floor ? reg->claim.term : reg->floor;
}

/* Claims that differ in nothing that counts may still differ in their bytes (cause, unknown keys). The
 * greater bytes win, so that the digests of two nodes agree in the end. */
static bool is_news(const struct claim_register *reg, const struct claim *claim, struct bytes encoded)
{
    if (!reg->size)
        return true;
    int order = claim_compare(claim, &reg->claim);
    if (order || !node_id_equal(&claim->id, &reg->claim.id))
        return order > 0;
    if (encoded.size != reg->size)
        return encoded.size > reg->size;
    return memcmp(encoded.data, reg->encoded, reg->size) > 0;
}

/* A signed claim that no right node makes. Told once in a while: it is offered again and again. */
static void accuse(struct cluster *self, struct claim_register *reg, const struct claim *claim)
{
    int64_t now = core_observed(self);
    if (reg->accused && now - reg->accused < ACCUSE_EVERY)
        return;
    reg->accused = now ? now : 1;
    core_hostile(self, &claim->id);
}

/* Since when terms far ahead have been on offer, without a longer break. */
static int64_t jump_offered_for(struct cluster *self, struct claim_register *reg)
{
    int64_t now = core_observed(self);
    if (!reg->jump_first || now - reg->jump_last > JUMP_FORGOTTEN)
        reg->jump_first = now;
    reg->jump_last = now;
    return now - reg->jump_first;
}

/* A jump is believed. The next one is measured anew, or a liar that offers jumps for a year has that year's
 * credit for each of them. */
static bool jump_credible(struct cluster *self, struct claim_register *reg, uint64_t known, uint64_t term)
{
    int64_t waits = jump_offered_for(self, reg) / (2 * core_config(self)->timers.refute_min);
    if (waits < 1)
        return false;
    if (term <= TERM_JUMP_TO)
        return true;
    uint64_t from = known > TERM_JUMP_TO ? known : TERM_JUMP_TO;
    if ((term - from) / TERM_JUMP_MAX >= (uint64_t)waits)
        return false;
    reg->jump_first = 0;
    return true;
}

static bool term_credible(struct cluster *self, struct claim_register *reg, const struct claim *claim)
{
    uint64_t known = register_term(reg);
    if (MUTANT(TERM_JUMP_ACCEPTED))
        return true;
    if (claim->term <= TERM_MAX) {
        /* What this node signed itself, before its disk was lost, it said. */
        if (node_id_equal(&claim->id, core_self(self)))
            return true;
        if (known ? claim->term <= known + TERM_STEP : claim->term <= TERM_JUMP_TO)
            return true;
    }
    accuse(self, reg, claim);
    return claim->term <= TERM_MAX && jump_credible(self, reg, known, claim->term);
}

static bool entitled(const struct cluster *self, uint32_t member, uint32_t domain)
{
    if (MUTANT(ELIGIBILITY_UNCHECKED))
        return true;
    return members_granted(self, member, domain) &&
           !(members_flags(self, member) & MEMBER_FLAG_REVOKED && !MUTANT(REVOKED_HEARD));
}

static bool verified(struct cluster *self, struct claim_register *reg, uint32_t domain,
                     const struct claim *claim, struct bytes encoded)
{
    uint8_t key[PUBLIC_KEY_SIZE];
    uint32_t member = members_find(self, &claim->id);
    if (member == NO_MEMBER || !members_public_key(self, member, key))
        return false;
    /* Not counted against anybody: after a rotation an honest node may know the other key. */
    if (!claim_signed(encoded, key, core_crypto(self)))
        return false;
    if (members_flags(self, member) & MEMBER_FLAG_REVOKED && !MUTANT(REVOKED_HEARD))
        return false;
    if (entitled(self, member, domain) && claim_drawn(claim, core_crypto(self)))
        return true;
    accuse(self, reg, claim);
    return false;
}

static bool affordable(struct cluster *self, struct claim_register *reg)
{
    int64_t now = core_observed(self);
    int64_t spent = reg->spent > now ? reg->spent : now;
    if (spent - now > (CLAIM_BURST - 1) * CLAIM_COST)
        return false;
    reg->spent = spent + CLAIM_COST;
    return true;
}

static void set_digest(struct cluster *self, struct claim_register *reg)
{
    uint8_t hash[LINK_SIZE];
    gossip_claim_stands(self, reg->digest);
    reg->digest = 0;
    if (!reg->size)
        return;
    const struct cluster_crypto *crypto = core_crypto(self);
    crypto->hash(crypto->context, reg->encoded, reg->size, hash);
    struct cursor c = cursor_of(hash, sizeof hash);
    reg->digest = cursor_be64(&c);
    gossip_claim_stands(self, reg->digest);
}

static void clear(struct cluster *self, struct claim_register *reg)
{
    reg->size = 0;
    set_digest(self, reg);
}

static void store(struct cluster *self, struct claim_register *reg, const struct claim *claim,
                  struct bytes encoded, bool trusted)
{
    uint64_t known = register_term(reg);
    bool changed =
        !reg->size || claim_token_compare(claim, &reg->claim) || claim->released != reg->claim.released;
    if (changed) {
        reg->cause = claim->cause;
        reg->wall = trusted ? 0 : core_wall(self);
    }
    if (claim->term > known)
        reg->unproven = known == 0;
    if (claim->term > reg->floor)
        reg->floor = claim->term;
    reg->claim = *claim;
    memcpy(reg->encoded, encoded.data, encoded.size);
    reg->size = (uint16_t)encoded.size;
    set_digest(self, reg);
    reg->arrived = core_observed(self);
    reg->holder = members_find(self, &claim->id);
    reg->written = 0;
}

enum register_verdict register_offer(struct cluster *self, struct claim_register *reg, uint32_t domain,
                                     const struct claim *claim, struct bytes encoded, bool trusted)
{
    if (!is_news(reg, claim, encoded))
        return REGISTER_OLD;
    if (!trusted && (!verified(self, reg, domain, claim, encoded) || !term_credible(self, reg, claim) ||
                     !affordable(self, reg)))
        return REGISTER_REFUSED;
    store(self, reg, claim, encoded, trusted);
    return REGISTER_NEWS;
}

bool register_write(struct cluster *self, struct claim_register *reg, const struct claim *claim)
{
    uint8_t encoded[CLAIM_MAX_SIZE];
    size_t size = claim_write(encoded, sizeof encoded, claim, core_crypto(self));
    struct bytes bytes = {.data = encoded, .size = size};
    if (!size || claim->term > TERM_MAX || (reg->size && claim_compare(claim, &reg->claim) <= 0))
        return false;
    /* Of several claims in one step the first one knows what stood before the step. */
    if (reg->written != core_step(self)) {
        memcpy(reg->before, reg->encoded, reg->size);
        reg->before_size = reg->size;
        reg->before_wall = reg->wall;
        reg->before_arrived = reg->arrived;
        reg->before_cause = reg->cause;
    }
    store(self, reg, claim, bytes, false);
    reg->written = core_step(self);
    return true;
}

bool register_undo(struct cluster *self, struct claim_register *reg, uint64_t written)
{
    struct claim before;
    if (!reg->written || reg->written != written)
        return false;
    struct bytes bytes = {.data = reg->before, .size = reg->before_size};
    if (bytes.size && claim_read(&before, bytes))
        store(self, reg, &before, bytes, true);
    else
        clear(self, reg);
    reg->wall = reg->before_wall;
    reg->arrived = reg->before_arrived;
    reg->cause = reg->before_cause;
    reg->written = 0;
    return true;
}

bool register_review(struct cluster *self, struct claim_register *reg, uint32_t domain)
{
    if (!reg->size)
        return false;
    reg->holder = members_find(self, &reg->claim.id);
    if (reg->holder == NO_MEMBER || entitled(self, reg->holder, domain))
        return false;
    /* A term that nothing was there to measure by goes with its claimant. */
    if (reg->unproven && reg->floor > TERM_UNHEARD_OF)
        reg->floor = 0;
    clear(self, reg);
    reg->written = 0;
    reg->cause = CAUSE_REVOKED;
    reg->wall = core_wall(self);
    return true;
}

bool register_held(const struct cluster *self, const struct claim_register *reg)
{
    if (!reg->size || !reg->claim.settled || (reg->claim.released && !MUTANT(RELEASE_IGNORED)))
        return false;
    if (reg->holder == NO_MEMBER || !(members_flags(self, reg->holder) & MEMBER_FLAG_LEFT))
        return true;
    /* Its claim overtook the record of the life in which it was made: who left was an earlier one. */
    return members_incarnation(self, reg->holder) < reg->claim.incarnation;
}
