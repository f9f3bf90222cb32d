/* SPDX-License-Identifier: Apache-2.0
 *
 * How news spreads. Heartbeats go out in batches of a tick along all links but those that told of them;
 * records, claims and policies at once when the last such message is a tick ago, and records a second time,
 * for what was lost. What is lost all the same, anti-entropy repairs: digests are compared with one peer at a
 * time, and only what differs is sent. Heartbeats are in no digest, they would differ always: instead
 * everybody asks for those that it misses.
 */
#include "base/endian.h"
#include "base/msgpack_encode.h"
#include "cluster/core.h"

#define ANSWER_MAX     49152u /* bytes of a message; what is cut is asked for again */
#define ITEM_SIZE      28u    /* short id 8, generation 4, incarnation 8, revision 4, hash 4 */
#define OVERDUE_SIZE   12u
#define OVERDUE_KIND   8u    /* of the candidates, and of the others */
#define OVERDUE_SEARCH 1024u /* members looked at for them */
#define RANDOM_EVERY   3u    /* of so many rounds one goes to a random member */
#define RANDOM_TRIES   32u
#define WORDS          (GOSSIP_BATCH / 64)

/* --- heartbeats --- */

/* Sends the message being written to every link of the set. */
static void send_to(struct cluster *self, uint16_t links)
{
    bool again = false;
    for (; links; links &= (uint16_t)(links - 1)) {
        core_send_link(self, &self->links[__builtin_ctz(links)], again);
        again = true;
    }
}

static void write_batch(struct cluster *self, const uint64_t *set, unsigned words, uint16_t links)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < words; i++)
        for (uint64_t word = set[i]; word; word &= word - 1)
            count++;
    struct msgpack_writer *w = core_message(self, WIRE_GOSSIP, 1);
    if (!w)
        return;
    if (w->capacity - w->size < (size_t)count * HEARTBEAT_SIZE + 1 + MSGPACK_HEADER_MAX) {
        w->full = true;
    } else {
        uint8_t *to = w->data + w->size;
        *to++ = WIRE_KEY_HEARTBEATS;
        to = msgpack_encode_binary_header(to, count * HEARTBEAT_SIZE);
        for (unsigned i = 0; i < words; i++) {
            for (uint64_t word = set[i]; word; word &= word - 1) {
                memcpy(to, self->outbox.heartbeats[i * 64 + (unsigned)__builtin_ctzll(word)].entry,
                       HEARTBEAT_SIZE);
                to += HEARTBEAT_SIZE;
            }
        }
        w->size = (size_t)(to - w->data);
    }
    send_to(self, links);
}

static void flush_heartbeats(struct cluster *self)
{
    struct gossip *gossip = &self->gossip;
    unsigned count = gossip->heartbeat_count;
    if (count == 0)
        return;
    uint16_t active = self->overlay.active;
    uint64_t sets[CLUSTER_LINKS][WORDS];
    unsigned words = (count + 63) / 64;
    for (uint16_t links = active; links; links &= (uint16_t)(links - 1))
        for (unsigned i = 0; i < words; i++)
            sets[__builtin_ctz(links)][i] = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct pending_heartbeat *pending = &self->outbox.heartbeats[i];
        members_slot(self, pending->member)->member = pending->member;
        for (uint16_t links = active & (uint16_t)~pending->told; links; links &= (uint16_t)(links - 1))
            sets[__builtin_ctz(links)][i / 64] |= UINT64_C(1) << i % 64;
    }
    while (active) {
        unsigned first = (unsigned)__builtin_ctz(active);
        uint16_t alike = 0;
        for (uint16_t links = active; links; links &= (uint16_t)(links - 1)) {
            unsigned link = (unsigned)__builtin_ctz(links);
            bool differ = false;
            for (unsigned i = 0; i < words && !differ; i++)
                differ = sets[first][i] != sets[link][i];
            if (!differ)
                alike |= (uint16_t)(1u << link);
        }
        bool any = false;
        for (unsigned i = 0; i < words; i++)
            any |= sets[first][i] != 0;
        if (any)
            write_batch(self, sets[first], words, alike);
        active &= (uint16_t)~alike;
    }
    gossip->heartbeat_count = 0;
}

void gossip_heartbeat(struct cluster *self, uint32_t member, const uint8_t entry[HEARTBEAT_SIZE],
                      uint16_t told)
{
    struct gossip *gossip = &self->gossip;
    struct index_entry *slot = members_slot(self, member);
    struct pending_heartbeat *pending;
    if (slot->member & MEMBER_PENDING) {
        pending = &self->outbox.heartbeats[self->members.table[member].pending];
    } else {
        if (gossip->heartbeat_count == GOSSIP_BATCH)
            flush_heartbeats(self);
        self->members.table[member].pending = (uint16_t)gossip->heartbeat_count;
        pending = &self->outbox.heartbeats[gossip->heartbeat_count++];
        slot->member |= MEMBER_PENDING;
    }
    memcpy(pending->entry, entry, HEARTBEAT_SIZE);
    pending->member = member;
    pending->told = told;
}

/* --- records, claims, policy --- */

static struct pending_record *find_news(struct cluster *self, uint32_t member)
{
    for (unsigned i = 0; i < self->gossip.news_count; i++)
        if (self->outbox.news[i].member == member)
            return &self->outbox.news[i];
    return NULL;
}

/* What goes out to one link, as sets. */
struct parcel {
    uint64_t records, claims, reports;
    bool policy;
};

static bool parcel_empty(const struct parcel *parcel)
{
    return !parcel->records && !parcel->claims && !parcel->reports && !parcel->policy;
}

static bool parcel_equal(const struct parcel *a, const struct parcel *b)
{
    return a->records == b->records && a->claims == b->claims && a->reports == b->reports &&
           a->policy == b->policy;
}

static struct parcel parcel_for(const struct cluster *self, unsigned link)
{
    const struct gossip *gossip = &self->gossip;
    struct parcel parcel = {
        .policy = gossip->policy_waits && !(gossip->policy_told >> link & 1u),
        .reports = reports_for(self, link),
    };
    for (unsigned i = 0; i < gossip->news_count; i++) {
        const struct pending_record *pending = &self->outbox.news[i];
        if ((pending->round == 0 || self->mono >= pending->due) && !(pending->told >> link & 1u))
            parcel.records |= UINT64_C(1) << i;
    }
    for (uint64_t waiting = gossip->claims_waiting; waiting; waiting &= waiting - 1) {
        unsigned domain = (unsigned)__builtin_ctzll(waiting);
        if (!(self->outbox.claims_told[domain] >> link & 1u) && election_register(self, domain).size)
            parcel.claims |= UINT64_C(1) << domain;
    }
    return parcel;
}

static void put_policy(struct cluster *self, struct msgpack_writer *w)
{
    msgpack_put_uint(w, WIRE_KEY_POLICY);
    msgpack_put_binary(w, self->policy->data, self->policy->size);
}

static void put_claims(struct cluster *self, struct msgpack_writer *w, uint64_t claims)
{
    msgpack_put_uint(w, WIRE_KEY_CLAIMS);
    msgpack_put_array(w, (uint32_t)__builtin_popcountll(claims));
    for (; claims; claims &= claims - 1) {
        struct bytes claim = election_register(self, (uint32_t)__builtin_ctzll(claims));
        msgpack_put_binary(w, claim.data, claim.size);
    }
}

/* Takes from `records` (bits of the news) as many as fit a message. */
static uint64_t cut_records(const struct cluster *self, uint64_t *records)
{
    uint64_t cut = 0;
    size_t size = 0;
    for (uint64_t left = *records; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);
        size += self->members.table[self->outbox.news[i].member].record->size + MSGPACK_HEADER_MAX;
        if (size > ANSWER_MAX)
            break;
        cut |= UINT64_C(1) << i;
    }
    *records &= ~cut;
    return cut;
}

static void put_news(struct cluster *self, struct msgpack_writer *w, uint64_t records)
{
    msgpack_put_uint(w, WIRE_KEY_RECORDS);
    msgpack_put_array(w, (uint32_t)__builtin_popcountll(records));
    for (; records; records &= records - 1) {
        const struct pending_record *pending = &self->outbox.news[__builtin_ctzll(records)];
        const struct record_blob *record = self->members.table[pending->member].record;
        msgpack_put_binary(w, record->data, record->size);
    }
}

/* The policy goes alone: it may fill a message. */
static void write_parcel(struct cluster *self, struct parcel parcel, uint16_t links)
{
    if (parcel.policy) {
        struct msgpack_writer *w = core_message(self, WIRE_GOSSIP, 1);
        if (w) {
            put_policy(self, w);
            send_to(self, links);
        }
    }
    if (parcel.claims) {
        struct msgpack_writer *w = core_message(self, WIRE_GOSSIP, 1);
        if (w) {
            put_claims(self, w, parcel.claims);
            send_to(self, links);
        }
    }
    while (parcel.reports) {
        struct msgpack_writer *w = core_message(self, WIRE_GOSSIP, 1);
        if (!w)
            return;
        reports_put(self, w, &parcel.reports);
        send_to(self, links);
    }
    while (parcel.records) {
        uint64_t cut = cut_records(self, &parcel.records);
        struct msgpack_writer *w = core_message(self, WIRE_GOSSIP, 1);
        if (!w)
            return;
        put_news(self, w, cut);
        send_to(self, links);
    }
}

/* What was told once is told again two ticks later: of the copies that a member may get, half were lost at
 * the same moment when a link was. */
static void news_told(struct cluster *self)
{
    struct gossip *gossip = &self->gossip;
    unsigned kept = 0;
    gossip->repeat_due = INT64_MAX;
    for (unsigned i = 0; i < gossip->news_count; i++) {
        struct pending_record pending = self->outbox.news[i];
        if (pending.round == 0) {
            pending.round = 1;
            pending.due = self->mono + 2 * self->config.timers.tick;
        } else if (self->mono >= pending.due) {
            continue;
        }
        if (pending.due < gossip->repeat_due)
            gossip->repeat_due = pending.due;
        self->outbox.news[kept++] = pending;
    }
    gossip->news_count = kept;
}

static void flush_news(struct cluster *self)
{
    struct gossip *gossip = &self->gossip;
    uint16_t active = self->overlay.active;
    while (active) {
        struct parcel parcel = parcel_for(self, (unsigned)__builtin_ctz(active));
        uint16_t alike = 0;
        for (uint16_t links = active; links; links &= (uint16_t)(links - 1)) {
            struct parcel other = parcel_for(self, (unsigned)__builtin_ctz(links));
            if (parcel_equal(&parcel, &other))
                alike |= links & (uint16_t)-links;
        }
        if (!parcel_empty(&parcel))
            write_parcel(self, parcel, alike);
        active &= (uint16_t)~alike;
    }
    gossip->claims_waiting = 0;
    gossip->reports_waiting = 0;
    gossip->policy_waits = false;
    gossip->news_waiting = false;
    gossip->flushed = self->mono;
    news_told(self);
}

void gossip_flush_news(struct cluster *self)
{
    struct gossip *gossip = &self->gossip;
    if (self->mono >= gossip->flushed + self->config.timers.tick)
        flush_news(self);
}

void gossip_flush(struct cluster *self)
{
    if (self->gossip.news_waiting)
        flush_news(self);
    flush_heartbeats(self);
}

void gossip_record(struct cluster *self, uint32_t member, uint16_t told)
{
    struct gossip *gossip = &self->gossip;
    struct pending_record *pending = find_news(self, member);
    if (!pending) {
        if (gossip->news_count == GOSSIP_NEWS)
            flush_news(self);
        if (gossip->news_count == GOSSIP_NEWS)
            gossip->news_count = 0; /* told once, all of them: there is no room for a second time */
        pending = &self->outbox.news[gossip->news_count++];
    }
    *pending = (struct pending_record){.member = member, .told = told};
    gossip->news_waiting = true;
}

void gossip_record_known(struct cluster *self, uint32_t member, uint16_t told)
{
    struct pending_record *pending = find_news(self, member);
    if (pending)
        pending->told |= told;
}

void gossip_claim(struct cluster *self, uint32_t domain, const struct node_id *not_to)
{
    if (domain >= CLUSTER_DOMAINS)
        return;
    int link = not_to ? overlay_find(self, not_to) : -1;
    self->outbox.claims_told[domain] = link < 0 ? 0 : (uint16_t)(1u << link);
    self->gossip.claims_waiting |= UINT64_C(1) << domain;
    self->gossip.news_waiting = true;
}

void gossip_policy(struct cluster *self, uint16_t told)
{
    self->gossip.policy_waits = true;
    self->gossip.policy_told = told;
    self->gossip.news_waiting = true;
}

void gossip_forget_link(struct cluster *self, int link)
{
    struct gossip *gossip = &self->gossip;
    uint16_t others = (uint16_t) ~(1u << link);
    for (unsigned i = 0; i < gossip->heartbeat_count; i++)
        self->outbox.heartbeats[i].told &= others;
    for (unsigned i = 0; i < gossip->news_count; i++)
        self->outbox.news[i].told &= others;
    for (unsigned i = 0; i < CLUSTER_DOMAINS; i++)
        self->outbox.claims_told[i] &= others;
    gossip->policy_told &= others;
    reports_forget_link(self, link);
}

bool gossip_exchanged(const struct cluster *self)
{
    return self->gossip.exchanged;
}

/* --- anti-entropy --- */

void gossip_claim_stands(struct cluster *self, uint64_t digest)
{
    self->claims_digest ^= digest;
}

struct digests {
    uint64_t records, claims, policy;
};

static struct digests digests_of(struct cluster *self)
{
    return (struct digests){
        .records = members_root(self),
        .claims = self->claims_digest,
        .policy = self->policy ? self->policy->policy.version : 0,
    };
}

static struct digests digests_read(struct bytes bytes)
{
    struct cursor c = cursor_of_bytes(bytes);
    struct digests digests;
    digests.records = cursor_be64(&c);
    digests.claims = cursor_be64(&c);
    digests.policy = cursor_be64(&c);
    return digests;
}

static void put_digests(struct msgpack_writer *w, const struct digests *digests)
{
    uint8_t bytes[24];
    endian_put_be64(endian_put_be64(endian_put_be64(bytes, digests->records), digests->claims),
                    digests->policy);
    msgpack_put_uint(w, WIRE_KEY_DIGEST);
    msgpack_put_binary(w, bytes, sizeof bytes);
}

static uint64_t all_claims(const struct cluster *self)
{
    uint64_t claims = 0;
    size_t size = 0;
    for (uint32_t domain = 0; domain < self->members.domain_count; domain++) {
        size_t more = election_register(self, domain).size;
        if (more == 0 || size + more > ANSWER_MAX / 2)
            continue;
        size += more + MSGPACK_HEADER_MAX;
        claims |= UINT64_C(1) << domain;
    }
    return claims;
}

/* The sequence of the peer's own heartbeats that is known here: it proves to the peer that it is heard. */
static bool known_sequence(const struct cluster *self, uint32_t member, uint32_t *sequence)
{
    if (member == NO_MEMBER || !(self->members.table[member].flags & MEMBER_FLAG_HEARD))
        return false;
    *sequence = members_slot(self, member)->sequence;
    return true;
}

void gossip_echo(struct cluster *self, uint32_t sequence)
{
    if (sequence > self->sequence || CHAIN_OF(sequence) != CHAIN_OF(self->sequence))
        return;
    int64_t lag = (int64_t)(self->sequence - sequence);
    int64_t said = self->issued - lag * core_period(self, &self->members.table[0]);
    if (said > self->gossip.echoed)
        self->gossip.echoed = said;
}

bool gossip_missed(const struct cluster *self, uint32_t member)
{
    const struct member *m = &self->members.table[member];
    if (!(m->flags & MEMBER_FLAG_HEARD) ||
        (self->config.sensors_silent && !(m->flags & MEMBER_FLAG_CANDIDATE)))
        return false;
    return members_silence(self, member) > core_period(self, m) * 3 / 2;
}

static bool overdue(const struct cluster *self, uint32_t index)
{
    const struct member *member = &self->members.table[index];
    if (member->flags & (MEMBER_FLAG_LEFT | MEMBER_FLAG_REVOKED))
        return false;
    if (!(member->flags & MEMBER_FLAG_HEARD))
        return member->flags & MEMBER_FLAG_CANDIDATE;
    return gossip_missed(self, index);
}

static uint8_t *put_overdue(const struct cluster *self, uint32_t index, uint8_t *to)
{
    const struct index_entry *slot = members_slot(self, index);
    return endian_put_be32(endian_put_be64(to, slot->short_id), slot->sequence);
}

/* Members whose heartbeats are missed, a few of the candidates and a few of the others, each time going on
 * where the last search ended: the dead do not hide the living. */
static size_t list_overdue(struct cluster *self, uint8_t list[2 * OVERDUE_KIND * OVERDUE_SIZE])
{
    const struct members *members = &self->members;
    uint8_t *to = list;
    uint32_t start = self->gossip.overdue_next;
    unsigned found = 0;
    for (uint32_t i = 0; i < members->candidate_count && found < OVERDUE_KIND; i++) {
        uint32_t index = members->candidates[(start + i) % members->candidate_count].member;
        if (index == 0 || !overdue(self, index))
            continue;
        to = put_overdue(self, index, to);
        found++;
    }
    found = 0;
    uint32_t looked = 0;
    if (!self->config.sensors_silent) {
        for (; looked < members->count && looked < OVERDUE_SEARCH && found < OVERDUE_KIND; looked++) {
            uint32_t index = (start + looked) % members->count;
            if (index == 0 || members->table[index].flags & MEMBER_FLAG_CANDIDATE || !overdue(self, index))
                continue;
            to = put_overdue(self, index, to);
            found++;
        }
    }
    self->gossip.overdue_next += looked ? looked : OVERDUE_KIND;
    return (size_t)(to - list);
}

/* Heartbeats, and how old each is: or one that this node heard an hour ago would be a sign of life to whoever
 * has just started. */
struct heartbeat_list {
    uint8_t entries[(1 + 2 * OVERDUE_KIND) * HEARTBEAT_SIZE];
    uint8_t ages[(1 + 2 * OVERDUE_KIND) * 4];
    unsigned count;
};

static void list_add(const struct cluster *self, struct heartbeat_list *list, uint32_t index, int64_t age)
{
    members_entry(self, index, list->entries + (size_t)list->count * HEARTBEAT_SIZE);
    endian_put_be32(list->ages + (size_t)list->count * 4, age < 0           ? 0
                                                          : age > INT32_MAX ? INT32_MAX
                                                                            : (uint32_t)age);
    list->count++;
}

/* The heartbeats that the peer misses and this node has, this node's own first. */
static void list_heartbeats(struct cluster *self, struct bytes missed, struct heartbeat_list *list)
{
    list->count = 0;
    if (self->sequence % CHAIN_LINKS != 0)
        list_add(self, list, 0, self->observed - self->issued);
    struct cursor c = cursor_of_bytes(missed);
    for (unsigned i = 0; i < 2 * OVERDUE_KIND && cursor_left(&c) >= OVERDUE_SIZE; i++) {
        uint32_t index = members_find_short(self, cursor_be64(&c));
        uint32_t theirs = cursor_be32(&c);
        uint32_t ours;
        if (index == NO_MEMBER || index == 0 || !known_sequence(self, index, &ours) || ours == theirs ||
            (CHAIN_OF(ours) == CHAIN_OF(theirs) && ours < theirs))
            continue;
        if (self->members.table[index].flags & MEMBER_FLAG_HEARD)
            list_add(self, list, index, members_silence(self, index));
    }
}

static void put_heartbeats(struct msgpack_writer *w, const struct heartbeat_list *list)
{
    msgpack_put_uint(w, WIRE_KEY_HEARTBEATS);
    msgpack_put_binary(w, list->entries, (size_t)list->count * HEARTBEAT_SIZE);
}

/* Last of a message: keys ascend. */
static void put_ages(struct msgpack_writer *w, const struct heartbeat_list *list)
{
    msgpack_put_uint(w, WIRE_KEY_AGES);
    msgpack_put_binary(w, list->ages, (size_t)list->count * 4);
}

void gossip_sync(struct cluster *self, const struct node_id *peer, bool open_link)
{
    uint8_t missed[2 * OVERDUE_KIND * OVERDUE_SIZE];
    struct heartbeat_list own;
    size_t missed_size = MUTANT(NO_ANTI_ENTROPY) ? 0 : list_overdue(self, missed);
    list_heartbeats(self, (struct bytes){NULL, 0}, &own);
    uint32_t sequence;
    bool known = known_sequence(self, members_find(self, peer), &sequence);
    struct msgpack_writer *w =
        core_message(self, WIRE_SYNC, 2u + 2u * (own.count > 0) + (missed_size > 0) + known);
    if (!w)
        return;
    if (own.count)
        put_heartbeats(w, &own);
    struct digests digests = digests_of(self);
    put_digests(w, &digests);
    if (missed_size) {
        msgpack_put_uint(w, WIRE_KEY_OVERDUE);
        msgpack_put_binary(w, missed, missed_size);
    }
    if (known) {
        msgpack_put_uint(w, WIRE_KEY_SEQUENCE);
        msgpack_put_uint(w, sequence);
    }
    msgpack_put_uint(w, WIRE_KEY_STAMP);
    msgpack_put_uint(w, (uint64_t)self->mono);
    if (own.count)
        put_ages(w, &own);
    core_send(self, peer, open_link);
}

static void put_buckets(const struct cluster *self, struct msgpack_writer *w)
{
    uint8_t buckets[BUCKETS * 8];
    for (unsigned i = 0; i < BUCKETS; i++)
        endian_put_be64(buckets + (size_t)i * 8, self->buckets[i]);
    msgpack_put_uint(w, WIRE_KEY_BUCKETS);
    msgpack_put_binary(w, buckets, sizeof buckets);
}

static void send_policy(struct cluster *self, const struct node_id *peer)
{
    struct msgpack_writer *w = core_message(self, WIRE_GOSSIP, 1);
    if (!w)
        return;
    put_policy(self, w);
    core_send(self, peer, false);
}

static void answer_sync(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct digests ours = digests_of(self), theirs = digests_read(wire->digest);
    if (MUTANT(NO_ANTI_ENTROPY))
        theirs = ours;
    struct heartbeat_list heartbeats;
    list_heartbeats(self, MUTANT(NO_ANTI_ENTROPY) ? (struct bytes){NULL, 0} : wire->overdue, &heartbeats);
    uint64_t claims = ours.claims != theirs.claims ? all_claims(self) : 0;
    bool buckets = ours.records != theirs.records;
    uint32_t sequence;
    bool known = known_sequence(self, source->member, &sequence);
    struct msgpack_writer *w =
        core_message(self, WIRE_SYNC, 2u + 2u * (heartbeats.count > 0) + (claims != 0) + buckets + known);
    if (!w)
        return;
    if (heartbeats.count)
        put_heartbeats(w, &heartbeats);
    if (claims)
        put_claims(self, w, claims);
    put_digests(w, &ours);
    if (buckets)
        put_buckets(self, w);
    if (known) {
        msgpack_put_uint(w, WIRE_KEY_SEQUENCE);
        msgpack_put_uint(w, sequence);
    }
    msgpack_put_uint(w, WIRE_KEY_ECHO);
    msgpack_put_uint(w, wire->stamp);
    if (heartbeats.count)
        put_ages(w, &heartbeats);
    core_send(self, &source->id, false);
    if (ours.policy > theirs.policy)
        send_policy(self, &source->id);
}

/* Which buckets differ, as many as fit a message with all their items; the rest another time. */
static uint64_t differing(const struct cluster *self, struct bytes buckets, bool *cut)
{
    uint32_t sizes[BUCKETS] = {0};
    for (uint32_t i = 0; i < self->members.count; i++)
        sizes[members_slot(self, i)->short_id / (UINT64_MAX / BUCKETS + 1)]++;
    struct cursor c = cursor_of_bytes(buckets);
    uint64_t mask = 0;
    uint32_t items = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (cursor_be64(&c) == self->buckets[i])
            continue;
        if (items && items + sizes[i] > ANSWER_MAX / ITEM_SIZE) {
            *cut = true;
            continue;
        }
        items += sizes[i];
        mask |= UINT64_C(1) << i;
    }
    return mask;
}

static bool in_buckets(uint64_t mask, uint64_t short_id)
{
    return mask >> (short_id / (UINT64_MAX / BUCKETS + 1)) & 1u;
}

static void put_items(struct cluster *self, struct msgpack_writer *w, uint64_t mask)
{
    uint32_t count = 0;
    const struct members *members = &self->members;
    for (uint32_t i = 0; i < members->count; i++)
        count += in_buckets(mask, members_slot(self, i)->short_id) &&
                 !(members->table[i].flags & MEMBER_FLAG_REVOKED);
    size_t room = (w->capacity - w->size) / ITEM_SIZE;
    if (room < 2 || count > room - 2) {
        w->full = true;
        return;
    }
    uint8_t *to = w->data + w->size;
    *to++ = WIRE_KEY_ITEMS;
    to = endian_put_be64(msgpack_encode_binary_header(to, 8 + count * ITEM_SIZE), mask);
    for (uint32_t i = 0; i < members->count; i++) {
        uint64_t short_id = members_slot(self, i)->short_id;
        if (!in_buckets(mask, short_id) || members->table[i].flags & MEMBER_FLAG_REVOKED)
            continue;
        const struct record_blob *record = members->table[i].record;
        to = endian_put_be32(endian_put_be64(to, short_id), blob_generation(record));
        to = endian_put_be32(endian_put_be64(to, record->incarnation), record->revision);
        to = endian_put_be32(to, (uint32_t)(record->hash >> 32));
    }
    w->size = (size_t)(to - w->data);
}

static void sync_answered(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct digests ours = digests_of(self), theirs = digests_read(wire->digest);
    self->gossip.exchanged = true;
    if (source->link >= 0 && wire->echo <= (uint64_t)self->mono) {
        struct link *link = &self->links[source->link];
        int64_t sample = (self->mono - (int64_t)wire->echo) * 1000;
        if (sample < INT32_MAX)
            link->rtt = link->rtt < 0 ? (int32_t)sample : (int32_t)((link->rtt * INT64_C(7) + sample) / 8);
    }
    if (ours.records == theirs.records && ours.claims == theirs.claims && ours.policy == theirs.policy) {
        self->gossip.converged = self->mono;
        return;
    }
    if (MUTANT(NO_ANTI_ENTROPY))
        return;
    if (ours.policy > theirs.policy)
        send_policy(self, &source->id);
    uint64_t claims = ours.claims != theirs.claims ? all_claims(self) : 0;
    bool items = ours.records != theirs.records && wire_has(wire, WIRE_KEY_BUCKETS);
    if (!claims && !items)
        return;
    bool cut = false;
    uint64_t mask = items ? differing(self, wire->buckets, &cut) : 0;
    struct msgpack_writer *w = core_message(self, WIRE_SYNC, (uint32_t)(claims != 0) + (mask != 0) + cut);
    if (!w)
        return;
    if (claims)
        put_claims(self, w, claims);
    if (mask)
        put_items(self, w, mask);
    if (cut) {
        msgpack_put_uint(w, WIRE_KEY_MORE);
        msgpack_put_uint(w, 1);
    }
    core_send(self, &source->id, false);
}

/* Writes the records of the marked members (and unmarks them) as far as they fit. True: some did not. */
static bool put_marked(struct cluster *self, struct msgpack_writer *w, uint32_t count)
{
    bool cut = false;
    size_t size = w->size;
    uint32_t fit = 0;
    struct members *members = &self->members;
    for (uint32_t i = 0; i < members->count && fit < count; i++) {
        if (!(members->table[i].flags & MEMBER_FLAG_MARKED))
            continue;
        size += members->table[i].record->size + MSGPACK_HEADER_MAX;
        if (size > ANSWER_MAX)
            break;
        fit++;
    }
    if (fit) {
        msgpack_put_uint(w, WIRE_KEY_RECORDS);
        msgpack_put_array(w, fit);
    }
    for (uint32_t i = 0; i < members->count; i++) {
        struct member *member = &members->table[i];
        if (!(member->flags & MEMBER_FLAG_MARKED))
            continue;
        member->flags &= (uint8_t)~MEMBER_FLAG_MARKED;
        if (fit == 0) {
            cut = true;
            continue;
        }
        msgpack_put_binary(w, member->record->data, member->record->size);
        fit--;
    }
    return cut;
}

static int item_compare(struct cursor *c, const struct record_blob *ours)
{
    uint32_t generation = cursor_be32(c);
    uint64_t incarnation = cursor_be64(c);
    uint32_t revision = cursor_be32(c), hash = cursor_be32(c), our_hash = (uint32_t)(ours->hash >> 32);
    uint32_t our_generation = blob_generation(ours);
    if (generation != our_generation)
        return generation > our_generation ? 1 : -1;
    if (incarnation != ours->incarnation)
        return incarnation > ours->incarnation ? 1 : -1;
    if (revision != ours->revision)
        return revision > ours->revision ? 1 : -1;
    return (hash > our_hash) - (hash < our_hash);
}

/* What the peer has in the buckets that differ: marks the members whose records it lacks, lists those that it
 * has newer. Returns how many are marked. */
static uint32_t compare_items(struct cluster *self, struct bytes items, uint8_t *wanted, size_t *wanted_size)
{
    struct members *members = &self->members;
    struct cursor c = cursor_of_bytes(items);
    uint64_t mask = cursor_be64(&c);
    uint8_t *to = wanted;
    uint32_t marked = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        if (in_buckets(mask, members_slot(self, i)->short_id) &&
            !(members->table[i].flags & MEMBER_FLAG_REVOKED)) {
            members->table[i].flags |= MEMBER_FLAG_MARKED;
            marked++;
        }
    }
    while (cursor_left(&c) >= ITEM_SIZE && (size_t)(to - wanted) + 8 <= *wanted_size) {
        uint64_t short_id = cursor_be64(&c);
        uint32_t index = members_find_short(self, short_id);
        if (index == NO_MEMBER) {
            cursor_skip(&c, ITEM_SIZE - 8);
            to = endian_put_be64(to, short_id);
            continue;
        }
        struct member *member = &members->table[index];
        int order = item_compare(&c, member->record);
        if (member->flags & MEMBER_FLAG_REVOKED)
            continue;
        if (order > 0)
            to = endian_put_be64(to, short_id);
        if (order >= 0 && member->flags & MEMBER_FLAG_MARKED) {
            member->flags &= (uint8_t)~MEMBER_FLAG_MARKED;
            marked--;
        }
    }
    *wanted_size = (size_t)(to - wanted);
    return marked;
}

#define WANTED_MAX 1024u

/* Ends a message whose last pairs are the records of the marked members. */
static void send_marked(struct cluster *self, const struct node_id *peer, uint32_t marked,
                        struct bytes wanted, bool again)
{
    if (!marked && !wanted.size)
        return;
    size_t total = 0;
    for (uint32_t i = 0; marked && i < self->members.count; i++)
        if (self->members.table[i].flags & MEMBER_FLAG_MARKED)
            total += self->members.table[i].record->size + MSGPACK_HEADER_MAX;
    bool more = again || total + wanted.size + 64 > ANSWER_MAX;
    struct msgpack_writer *w =
        core_message(self, WIRE_SYNC, (uint32_t)(marked > 0) + (wanted.size > 0) + more);
    if (!w) {
        for (uint32_t i = 0; i < self->members.count; i++)
            self->members.table[i].flags &= (uint8_t)~MEMBER_FLAG_MARKED;
        return;
    }
    if (wanted.size) {
        msgpack_put_uint(w, WIRE_KEY_WANTED);
        msgpack_put_binary(w, wanted.data, wanted.size);
    }
    if (marked)
        put_marked(self, w, marked);
    if (more) {
        msgpack_put_uint(w, WIRE_KEY_MORE);
        msgpack_put_uint(w, 1);
    }
    core_send(self, peer, false);
}

static void answer_items(struct cluster *self, const struct wire *wire, const struct source *source)
{
    uint8_t wanted[WANTED_MAX * 8];
    size_t wanted_size = sizeof wanted;
    uint32_t marked = compare_items(self, wire->items, wanted, &wanted_size);
    send_marked(self, &source->id, marked, (struct bytes){wanted, wanted_size}, wire->more != 0);
}

static void answer_wanted(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct cursor c = cursor_of_bytes(wire->wanted);
    uint32_t marked = 0;
    for (unsigned i = 0; i < WANTED_MAX && !cursor_done(&c); i++) {
        uint32_t index = members_find_short(self, cursor_be64(&c));
        if (index == NO_MEMBER ||
            self->members.table[index].flags & (MEMBER_FLAG_REVOKED | MEMBER_FLAG_MARKED))
            continue;
        self->members.table[index].flags |= MEMBER_FLAG_MARKED;
        marked++;
    }
    send_marked(self, &source->id, marked, (struct bytes){NULL, 0}, false);
}

void gossip_sync_received(struct cluster *self, const struct wire *wire, const struct source *source)
{
    if (wire_has(wire, WIRE_KEY_SEQUENCE))
        gossip_echo(self, (uint32_t)wire->sequence);
    if (wire_has(wire, WIRE_KEY_DIGEST) && wire_has(wire, WIRE_KEY_ECHO)) {
        if (budget_answer(self, source->budget))
            sync_answered(self, wire, source);
        return;
    }
    if (wire_has(wire, WIRE_KEY_DIGEST) && wire_has(wire, WIRE_KEY_STAMP)) {
        if (budget_answer(self, source->budget))
            answer_sync(self, wire, source);
        return;
    }
    if (MUTANT(NO_ANTI_ENTROPY))
        return;
    if (wire_has(wire, WIRE_KEY_ITEMS) && budget_answer(self, source->budget))
        answer_items(self, wire, source);
    if (wire_has(wire, WIRE_KEY_WANTED) && budget_answer(self, source->budget))
        answer_wanted(self, wire, source);
    if (wire->more && wire->record_count && budget_answer(self, source->budget))
        gossip_sync(self, &source->id, false);
}

/* --- time --- */

static uint32_t random_member(struct cluster *self, bool silent)
{
    const struct members *members = &self->members;
    for (unsigned i = 0; i < RANDOM_TRIES; i++) {
        uint32_t index = (uint32_t)(core_random(self) % members->count);
        uint8_t flags = members->table[index].flags;
        if (index == 0 || flags & (MEMBER_FLAG_LEFT | MEMBER_FLAG_REVOKED) ||
            (silent && !(flags & MEMBER_FLAG_OFFLINE)) ||
            !(members->table[index].record->flags & BLOB_DIALABLE))
            continue;
        return index;
    }
    return NO_MEMBER;
}

static bool sync_with_random(struct cluster *self)
{
    if (self->members.count < 2)
        return false;
    /* Every second time with somebody who is silent: that is how the parts of a fleet that was cut find one
     * another again. */
    uint32_t index = self->gossip.sync_round / RANDOM_EVERY % 2 ? random_member(self, true) : NO_MEMBER;
    if (index == NO_MEMBER)
        index = random_member(self, false);
    if (index == NO_MEMBER)
        return false;
    struct node_id id;
    members_id(self, index, &id);
    gossip_sync(self, &id, true);
    return true;
}

static void sync_with_neighbour(struct cluster *self)
{
    for (unsigned i = 0; i < CLUSTER_LINKS; i++) {
        self->gossip.sync_link = (self->gossip.sync_link + 1) % CLUSTER_LINKS;
        if (self->overlay.active >> self->gossip.sync_link & 1u) {
            gossip_sync(self, &self->links[self->gossip.sync_link].id, false);
            return;
        }
    }
}

void gossip_start(struct cluster *self)
{
    struct gossip *gossip = &self->gossip;
    *gossip = (struct gossip){
        .flushed = INT64_MIN / 2,
        .repeat_due = INT64_MAX,
        .converged = -1,
        .echoed = -1,
        .sync_due = self->mono + (int64_t)(core_random(self) % (uint64_t)self->config.timers.anti_entropy),
    };
}

void gossip_tick(struct cluster *self)
{
    struct gossip *gossip = &self->gossip;
    if (self->mono >= gossip->repeat_due)
        flush_news(self);
    if (gossip->heartbeat_count)
        flush_heartbeats(self);
    if (self->mono < gossip->sync_due)
        return;
    int64_t period = self->config.timers.anti_entropy;
    gossip->sync_due = self->mono + period - (int64_t)(core_random(self) % (uint64_t)(period / 5 + 1));
    gossip->sync_round++;
    if ((gossip->sync_round % RANDOM_EVERY == 0 || !self->overlay.active) && sync_with_random(self))
        return;
    sync_with_neighbour(self);
}
