/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/inquiry.h"

#include "base/msgpack.h"

#define CANDIDATES_ASKED 8u
#define DRAWS_MAX        32u /* until so many different candidates were drawn */

/* -- QUERY ---------------------------------------------------------------------------------------- */

/* The first receiver gets the message, the others the same bytes. */
struct mailing {
    struct cluster *cluster;
    struct node_id told[1 + CLUSTER_LINKS + CANDIDATES_ASKED];
    unsigned count;
};

static void mail(struct mailing *mailing, const struct node_id *to, bool open_link)
{
    if (node_id_equal(to, core_self(mailing->cluster)))
        return;
    for (unsigned i = 0; i < mailing->count; i++)
        if (node_id_equal(&mailing->told[i], to))
            return;
    if (mailing->count == 0)
        core_send(mailing->cluster, to, open_link);
    else
        core_send_again(mailing->cluster, to, open_link);
    mailing->told[mailing->count++] = *to;
}

static void mail_candidate(struct mailing *mailing, uint32_t domain, unsigned i)
{
    struct node_id id;
    uint32_t member = members_candidate_at(mailing->cluster, domain, i);
    if (member == NO_MEMBER)
        return;
    members_id(mailing->cluster, member, &id);
    mail(mailing, &id, true);
}

/* All when they are few, else some drawn at random: whatever part of the fleet the holder is cut off with,
 * one of them is likely to be in it. */
static void mail_candidates(struct mailing *mailing, uint32_t domain)
{
    unsigned online;
    unsigned candidates = members_candidates(mailing->cluster, domain, &online);
    unsigned limit = mailing->count + CANDIDATES_ASKED;
    if (candidates <= CANDIDATES_ASKED) {
        for (unsigned i = 0; i < candidates; i++)
            mail_candidate(mailing, domain, i);
        return;
    }
    for (unsigned draw = 0; draw < DRAWS_MAX && mailing->count < limit; draw++)
        mail_candidate(mailing, domain, (unsigned)(core_random(mailing->cluster) % candidates));
}

static uint32_t entry_sequence(const uint8_t entry[HEARTBEAT_SIZE])
{
    struct cursor c = cursor_of(entry, HEARTBEAT_SIZE);
    cursor_skip(&c, 8);
    return cursor_be32(&c);
}

void inquiry_send(struct cluster *self, uint32_t domain, const struct node_id *holder, int64_t silence)
{
    struct mailing mailing = {.cluster = self};
    struct node_id neighbours[CLUSTER_LINKS];
    uint8_t entry[HEARTBEAT_SIZE];
    uint32_t member = members_find(self, holder);
    uint64_t incarnation = member == NO_MEMBER ? 0 : members_incarnation(self, member);
    bool heard = member != NO_MEMBER && members_heartbeat(self, member, entry);

    struct msgpack_writer *w = core_message(self, WIRE_QUERY, 5);
    if (!w)
        return;
    msgpack_put_uint(w, WIRE_KEY_DOMAIN);
    msgpack_put_text(w, members_domain_name(self, domain));
    msgpack_put_uint(w, WIRE_KEY_NODE);
    msgpack_put_binary(w, holder->bytes, NODE_ID_SIZE);
    msgpack_put_uint(w, WIRE_KEY_INCARNATION);
    msgpack_put_uint(w, incarnation);
    msgpack_put_uint(w, WIRE_KEY_SEQUENCE);
    msgpack_put_uint(w, heard ? entry_sequence(entry) : 0);
    msgpack_put_uint(w, WIRE_KEY_AGE);
    msgpack_put_uint(w, (uint64_t)silence);

    mail(&mailing, holder, true);
    unsigned count = overlay_neighbours(self, neighbours);
    for (unsigned i = 0; i < count; i++)
        mail(&mailing, &neighbours[i], false);
    mail_candidates(&mailing, domain);
}

/* -- HAVE ----------------------------------------------------------------------------------------- */

static bool knows_better(const struct cluster *self, uint32_t member, uint64_t incarnation, uint32_t sequence,
                         const uint8_t entry[HEARTBEAT_SIZE])
{
    uint64_t known = members_incarnation(self, member);
    if (known != incarnation)
        return known > incarnation;
    return entry_sequence(entry) > sequence;
}

void inquiry_answer(struct cluster *self, const struct node_id *asker, const struct node_id *holder,
                    uint64_t incarnation, uint32_t sequence)
{
    uint8_t entry[HEARTBEAT_SIZE];
    uint32_t member = members_find(self, holder);
    if (member == NO_MEMBER || members_flags(self, member) & (MEMBER_FLAG_REVOKED | MEMBER_FLAG_LEFT) ||
        !members_heartbeat(self, member, entry))
        return;
    int64_t age = node_id_equal(holder, core_self(self)) ? 0 : members_silence(self, member);
    if (age > core_config(self)->timers.replace_after ||
        !knows_better(self, member, incarnation, sequence, entry))
        return;
    /* Whoever knows an older incarnation cannot verify the link without the record. */
    struct bytes record = members_record(self, member);
    bool with_record = members_incarnation(self, member) > incarnation && record.size > 0;

    struct msgpack_writer *w = core_message(self, WIRE_HAVE, with_record ? 4 : 3);
    if (!w)
        return;
    msgpack_put_uint(w, WIRE_KEY_HEARTBEATS);
    msgpack_put_binary(w, entry, HEARTBEAT_SIZE);
    if (with_record) {
        msgpack_put_uint(w, WIRE_KEY_RECORDS);
        msgpack_put_array(w, 1);
        msgpack_put_binary(w, record.data, record.size);
    }
    msgpack_put_uint(w, WIRE_KEY_NODE);
    msgpack_put_binary(w, holder->bytes, NODE_ID_SIZE);
    msgpack_put_uint(w, WIRE_KEY_AGE);
    msgpack_put_uint(w, (uint64_t)age);
    core_send(self, asker, false);
}

/* -- ASK ------------------------------------------------------------------------------------------ */

void inquiry_ask(struct cluster *self, const struct node_id *holder, const char *domain, enum ask_verb verb)
{
    struct msgpack_writer *w = core_message(self, WIRE_ASK, 2);
    if (!w)
        return;
    msgpack_put_uint(w, WIRE_KEY_DOMAIN);
    msgpack_put_text(w, domain);
    msgpack_put_uint(w, WIRE_KEY_ASK);
    msgpack_put_uint(w, verb);
    core_send(self, holder, true);
}
