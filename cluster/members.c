/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of members: who they are (records, verified once), when they were last heard (heartbeats, whose
 * links prove that they come from the member itself), who is a candidate of what.
 *
 * A heartbeat that is known already, four of five that arrive, costs one probe of the index: the sequence
 * number stands there. Members are never removed: the authority's grants bound their number.
 */
#include <stdlib.h>

#include "cluster/core.h"

#define MEMBERS_LEAST      8u
#define CHANGES_PER_MINUTE 12u /* of one member's record; more are refused until the minute is over */
#define CHANGES_WINDOW     60000
#define REVERIFY_PER_TICK  64u
#define SCAN_LEAST         1000 /* ms between two searches for silent members */

/* --- the index --- */

static uint32_t index_home(const struct members *members, uint64_t short_id)
{
    return (uint32_t)(short_id * UINT64_C(0x9e3779b97f4a7c15) >> members->index_shift);
}

static struct index_entry *index_find(const struct members *members, uint64_t short_id)
{
    uint32_t at = index_home(members, short_id);
    for (;; at = (at + 1) & members->index_mask) {
        struct index_entry *entry = &members->index[at];
        if (entry->short_id == short_id && entry->member != NO_MEMBER)
            return entry;
        if (entry->member == NO_MEMBER)
            return NULL;
    }
}

static void index_put(struct members *members, const struct index_entry *entry)
{
    uint32_t at = index_home(members, entry->short_id);
    while (members->index[at].member != NO_MEMBER)
        at = (at + 1) & members->index_mask;
    members->index[at] = *entry;
    members->table[entry->member & ~MEMBER_PENDING].slot = at;
}

static bool index_resize(struct members *members, uint32_t size)
{
    struct index_entry *before = members->index;
    uint32_t old = before ? members->index_mask + 1 : 0;
    struct index_entry *index = malloc(size * sizeof *index);
    if (!index)
        return false;
    for (uint32_t i = 0; i < size; i++)
        index[i] = (struct index_entry){.member = NO_MEMBER};
    members->index = index;
    members->index_mask = size - 1;
    members->index_shift = 64 - (uint32_t)__builtin_ctz(size);
    for (uint32_t i = 0; i < old; i++)
        if (before[i].member != NO_MEMBER)
            index_put(members, &before[i]);
    free(before);
    return true;
}

/* Room for one member more. */
static bool make_room(struct cluster *self)
{
    struct members *members = &self->members;
    if (members->count >= self->config.members_max)
        return false;
    if (members->count == members->capacity) {
        uint32_t capacity = members->capacity + members->capacity / 8 + MEMBERS_LEAST;
        if (capacity > self->config.members_max)
            capacity = self->config.members_max;
        struct member *table = realloc(members->table, capacity * sizeof *table);
        if (!table)
            return false;
        members->table = table;
        members->capacity = capacity;
    }
    if (members->index && (members->count + 1) * 4 <= (members->index_mask + 1) * 3)
        return true;
    return index_resize(members, members->index ? (members->index_mask + 1) * 2 : 2 * MEMBERS_LEAST);
}

bool members_init(struct cluster *self)
{
    struct members *members = &self->members;
    *members = (struct members){.candidates_due = INT64_MAX, .others_due = INT64_MAX};
    return index_resize(members, 2 * MEMBERS_LEAST);
}

void members_clear(struct cluster *self)
{
    struct members *members = &self->members;
    for (uint32_t i = 0; i < members->count; i++)
        record_pool_drop(self->pool, members->table[i].record);
    free(members->index);
    free(members->table);
    free(members->candidates);
    *members = (struct members){.count = 0};
}

/* --- looking up --- */

uint32_t members_find_short(const struct cluster *self, uint64_t short_id)
{
    const struct index_entry *entry = index_find(&self->members, short_id);
    return entry ? entry->member & ~MEMBER_PENDING : NO_MEMBER;
}

uint32_t members_find(const struct cluster *self, const struct node_id *id)
{
    uint32_t member = members_find_short(self, node_id_short(id));
    if (member == NO_MEMBER)
        return NO_MEMBER;
    return memcmp(blob_id(self->members.table[member].record), id->bytes, NODE_ID_SIZE) == 0 ? member
                                                                                             : NO_MEMBER;
}

uint32_t members_count(const struct cluster *self)
{
    return self->members.count;
}

unsigned members_flags(const struct cluster *self, uint32_t index)
{
    return self->members.table[index].flags;
}

void members_id(const struct cluster *self, uint32_t index, struct node_id *id)
{
    memcpy(id->bytes, blob_id(self->members.table[index].record), NODE_ID_SIZE);
}

bool members_public_key(const struct cluster *self, uint32_t index, uint8_t key[PUBLIC_KEY_SIZE])
{
    if (index >= self->members.count)
        return false;
    struct record record;
    if (!record_read_trusted(&record, blob_bytes(self->members.table[index].record)))
        return false;
    memcpy(key, record.certificate.public_key, PUBLIC_KEY_SIZE);
    return true;
}

uint64_t members_incarnation(const struct cluster *self, uint32_t index)
{
    return self->members.table[index].record->incarnation;
}

struct bytes members_record(const struct cluster *self, uint32_t index)
{
    if (index >= self->members.count)
        return (struct bytes){NULL, 0};
    return blob_bytes(self->members.table[index].record);
}

static int64_t observed_at(uint32_t seen)
{
    return (int64_t)seen << OBSERVED_SHIFT;
}

static uint32_t seen_at(int64_t observed)
{
    int64_t units = (observed + (1 << OBSERVED_SHIFT) - 1) >> OBSERVED_SHIFT;
    return units < 0 ? 0 : (uint32_t)units;
}

static int64_t silence_of(const struct cluster *self, const struct member *member)
{
    int64_t silence = self->observed - observed_at(member->seen);
    return silence < 0 ? 0 : silence;
}

int64_t members_silence(const struct cluster *self, uint32_t index)
{
    if (index == 0)
        return 0;
    const struct member *member = &self->members.table[index];
    return member->flags & MEMBER_FLAG_HEARD ? silence_of(self, member) : INT64_MAX;
}

static bool mute(const struct cluster *self)
{
    if (MUTANT(MUTE_SUPPORT))
        return false;
    return self->gossip.echoed < 0 ||
           self->observed - self->gossip.echoed > self->config.timers.support_window;
}

uint16_t members_support(const struct cluster *self)
{
    if (mute(self))
        return 0;
    unsigned support = 0;
    for (uint32_t i = 1; i < self->members.count; i++) {
        const struct member *member = &self->members.table[i];
        if ((member->flags & (MEMBER_FLAG_HEARD | MEMBER_FLAG_LEFT | MEMBER_FLAG_REVOKED)) ==
                MEMBER_FLAG_HEARD &&
            silence_of(self, member) <= self->config.timers.support_window)
            support++;
    }
    return support > UINT16_MAX ? UINT16_MAX : (uint16_t)support;
}

/* --- domains and candidates --- */

static uint32_t domain_local(struct cluster *self, uint32_t in_pool, bool add)
{
    struct members *members = &self->members;
    if (in_pool >= CLUSTER_DOMAINS)
        return UINT32_MAX;
    if (self->domains.here[in_pool] == 0) {
        if (!add)
            return UINT32_MAX;
        self->domains.in_pool[members->domain_count] = (uint8_t)in_pool;
        self->domains.here[in_pool] = (uint8_t)++members->domain_count;
    }
    return self->domains.here[in_pool] - 1u;
}

uint32_t members_domain(struct cluster *self, const char *domain, bool add)
{
    return domain_local(self, record_pool_domain(self->pool, domain, add), add);
}

const char *members_domain_name(const struct cluster *self, uint32_t domain)
{
    return record_pool_domain_name(self->pool, self->domains.in_pool[domain]);
}

uint32_t members_domain_count(const struct cluster *self)
{
    return self->members.domain_count;
}

static uint64_t domains_of(struct cluster *self, const struct record_blob *record)
{
    uint64_t domains = 0;
    struct record read;
    if (!(record->flags & BLOB_GRANTED) || !record_read_trusted(&read, blob_bytes(record)))
        return 0;
    for (unsigned i = 0; i < read.certificate.grant.domain_count; i++) {
        uint32_t domain = members_domain(self, read.certificate.grant.domains[i], true);
        if (domain != UINT32_MAX && !(read.candidate_off >> i & 1u))
            domains |= UINT64_C(1) << domain;
    }
    return domains;
}

bool members_granted(const struct cluster *self, uint32_t index, uint32_t domain)
{
    const struct record_blob *record = self->members.table[index].record;
    const char *name = members_domain_name(self, domain);
    struct record read;
    if (!(record->flags & BLOB_GRANTED) || !record_read_trusted(&read, blob_bytes(record)))
        return false;
    for (unsigned i = 0; i < read.certificate.grant.domain_count; i++)
        if (strcmp(read.certificate.grant.domains[i], name) == 0)
            return true;
    return false;
}

static uint32_t candidate_position(const struct members *members, uint32_t member)
{
    uint32_t low = 0, high = members->candidate_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (members->candidates[middle].member < member)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool candidate_room(struct members *members)
{
    if (members->candidate_count < members->candidate_capacity)
        return true;
    uint32_t capacity = members->candidate_capacity + members->candidate_capacity / 4 + MEMBERS_LEAST;
    struct candidate *candidates = realloc(members->candidates, capacity * sizeof *candidates);
    if (!candidates)
        return false;
    members->candidates = candidates;
    members->candidate_capacity = capacity;
    return true;
}

/* What the member is a candidate of now, after its record or its standing changed. */
static void candidate_update(struct cluster *self, uint32_t index)
{
    struct members *members = &self->members;
    struct member *member = &members->table[index];
    uint64_t domains = domains_of(self, member->record);
    if (member->flags & (MEMBER_FLAG_LEFT | MEMBER_FLAG_REVOKED))
        domains = 0;
    uint32_t at = candidate_position(members, index);
    bool was = at < members->candidate_count && members->candidates[at].member == index;
    size_t behind = (members->candidate_count - at) * sizeof members->candidates[0];
    if (domains && !was) {
        if (!candidate_room(members))
            return;
        memmove(&members->candidates[at + 1], &members->candidates[at], behind);
        members->candidate_count++;
    } else if (!domains && was) {
        memmove(&members->candidates[at], &members->candidates[at + 1],
                behind - sizeof members->candidates[0]);
        members->candidate_count--;
    }
    member->flags &= (uint8_t)~MEMBER_FLAG_CANDIDATE;
    if (!domains)
        return;
    members->candidates[at] = (struct candidate){.domains = domains, .member = index};
    member->flags |= MEMBER_FLAG_CANDIDATE;
    members->candidates_due = 0;
}

unsigned members_candidates(const struct cluster *self, uint32_t domain, unsigned *online)
{
    unsigned count = 0, heard = 0;
    for (uint32_t i = 0; i < self->members.candidate_count; i++) {
        const struct candidate *candidate = &self->members.candidates[i];
        if (!(candidate->domains >> domain & 1u))
            continue;
        count++;
        if (members_silence(self, candidate->member) <= self->config.timers.fresh)
            heard++;
    }
    if (online)
        *online = heard;
    return count;
}

uint32_t members_candidate_at(const struct cluster *self, uint32_t domain, unsigned wanted)
{
    for (uint32_t i = 0; i < self->members.candidate_count; i++) {
        const struct candidate *candidate = &self->members.candidates[i];
        if (candidate->member != 0 && candidate->domains >> domain & 1u && wanted-- == 0)
            return candidate->member;
    }
    return NO_MEMBER;
}

/* --- digests --- */

static void digest_toggle(struct cluster *self, uint64_t short_id, const struct record_blob *record)
{
    self->buckets[short_id / (UINT64_MAX / BUCKETS + 1)] ^= record->hash;
    self->root_stale = true;
}

uint64_t members_root(struct cluster *self)
{
    if (!self->root_stale)
        return self->root;
    uint64_t root = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        root = (root ^ self->buckets[i]) * UINT64_C(0x9e3779b97f4a7c15);
        root ^= root >> 29;
    }
    self->root = root;
    self->root_stale = false;
    return root;
}

/* --- states of members --- */

static void notice(struct cluster *self, uint32_t index, enum cluster_notice_type type)
{
    struct member *member = &self->members.table[index];
    member->since = (uint32_t)(self->wall / 1000);
    if (!self->started || index == 0)
        return;
    struct node_id id;
    members_id(self, index, &id);
    core_notice(self, type, CAUSE_NONE, &id, NULL, 0);
}

/* How long a member may be silent before it is told of as offline: five heartbeats lost in a row, so that
 * one message in ten may be lost for days without a false word. */
static int64_t offline_after(const struct cluster *self, const struct member *member)
{
    int64_t least = 5 * self->config.timers.heartbeat;
    int64_t periods = core_period(self, member) * 9 / 2;
    return least > periods ? least : periods;
}

static void heard_at(struct cluster *self, uint32_t index, uint32_t seen)
{
    struct members *members = &self->members;
    struct member *member = &members->table[index];
    if (seen > member->seen || !(member->flags & MEMBER_FLAG_HEARD))
        member->seen = seen;
    if ((member->flags & (MEMBER_FLAG_HEARD | MEMBER_FLAG_OFFLINE)) != MEMBER_FLAG_HEARD) {
        bool back = member->flags & MEMBER_FLAG_OFFLINE;
        member->flags = (uint8_t)((member->flags | MEMBER_FLAG_HEARD) & ~MEMBER_FLAG_OFFLINE);
        member->since = (uint32_t)(self->wall / 1000);
        int64_t due = self->observed + offline_after(self, member);
        int64_t *scan =
            member->flags & MEMBER_FLAG_CANDIDATE ? &members->candidates_due : &members->others_due;
        if (due < *scan)
            *scan = due;
        if (back) {
            notice(self, index, NOTICE_MEMBER_ONLINE);
            overlay_member_joined(self, index);
        }
    }
    if (member->flags & MEMBER_FLAG_CANDIDATE && self->started)
        election_heard(self, index);
}

/* Marks the member offline when it has been silent for too long; else lowers `due`. */
static void check_silence(struct cluster *self, uint32_t index, int64_t *due)
{
    struct member *member = &self->members.table[index];
    if ((member->flags & (MEMBER_FLAG_HEARD | MEMBER_FLAG_OFFLINE | MEMBER_FLAG_LEFT |
                          MEMBER_FLAG_REVOKED)) != MEMBER_FLAG_HEARD)
        return;
    int64_t deadline = observed_at(member->seen) + offline_after(self, member);
    if (self->observed >= deadline) {
        member->flags |= MEMBER_FLAG_OFFLINE;
        notice(self, index, NOTICE_MEMBER_OFFLINE);
    } else if (deadline < *due) {
        *due = deadline;
    }
}

static int64_t not_before(int64_t due, int64_t least)
{
    return due < least ? least : due;
}

static void scan_candidates(struct cluster *self)
{
    struct members *members = &self->members;
    int64_t due = INT64_MAX;
    for (uint32_t i = 0; i < members->candidate_count; i++)
        if (members->candidates[i].member != 0)
            check_silence(self, members->candidates[i].member, &due);
    members->candidates_due = not_before(due, self->observed + SCAN_LEAST);
}

static void scan_others(struct cluster *self)
{
    struct members *members = &self->members;
    int64_t due = INT64_MAX;
    for (uint32_t i = 1; i < members->count; i++)
        if (!(members->table[i].flags & MEMBER_FLAG_CANDIDATE))
            check_silence(self, i, &due);
    /* Not so often that the search itself would cost: 1 ms for each member. */
    members->others_due = not_before(due, self->observed + SCAN_LEAST + members->count);
}

/* --- records --- */

static void set_standing(struct cluster *self, uint32_t index)
{
    struct member *member = &self->members.table[index];
    bool left = member->record->flags & RECORD_LEFT;
    bool was = member->flags & MEMBER_FLAG_LEFT;
    if (left && !was) {
        member->flags =
            (uint8_t)((member->flags | MEMBER_FLAG_LEFT) & ~(MEMBER_FLAG_HEARD | MEMBER_FLAG_OFFLINE));
        self->members.present--;
        notice(self, index, NOTICE_MEMBER_LEFT);
    } else if (!left && was) {
        member->flags &= (uint8_t)~MEMBER_FLAG_LEFT;
        self->members.present++;
        notice(self, index, NOTICE_MEMBER_JOINED);
    }
    candidate_update(self, index);
}

/* Adds a member; owns the reference from now on. */
static uint32_t add(struct cluster *self, struct record_blob *record, uint64_t short_id)
{
    struct members *members = &self->members;
    uint32_t index = members->count;
    members->table[index] = (struct member){.record = record};
    members->count++;
    members->present++;
    index_put(members, &(struct index_entry){.short_id = short_id, .sequence = record->top, .member = index});
    members_slot(self, index)->sequence = record->top / CHAIN_LINKS * CHAIN_LINKS;
    digest_toggle(self, short_id, record);
    return index;
}

/* What people and the driver must know of: not that only the heartbeat chain was renewed. */
static bool differs(const struct record_blob *a, const struct record_blob *b)
{
    if (a->incarnation != b->incarnation || blob_generation(a) != blob_generation(b))
        return true;
    struct record before, after;
    if (!record_read_trusted(&before, blob_bytes(a)) || !record_read_trusted(&after, blob_bytes(b)))
        return true;
    if (before.candidate_off != after.candidate_off)
        return true;
    if (before.endpoint_count != after.endpoint_count || before.controller_count != after.controller_count)
        return true;
    for (unsigned i = 0; i < after.endpoint_count; i++)
        if (strcmp(before.endpoints[i], after.endpoints[i]) != 0)
            return true;
    for (unsigned i = 0; i < after.controller_count; i++)
        if (strcmp(before.controllers[i], after.controllers[i]) != 0)
            return true;
    return strcmp(before.certificate.name, after.certificate.name) != 0;
}

static void replace(struct cluster *self, uint32_t index, struct record_blob *record)
{
    struct member *member = &self->members.table[index];
    struct index_entry *slot = members_slot(self, index);
    struct record_blob *before = member->record;
    digest_toggle(self, slot->short_id, before);
    digest_toggle(self, slot->short_id, record);
    member->record = record;
    if (before->incarnation == record->incarnation && CHAIN_OF(before->top) == CHAIN_OF(record->top)) {
        /* The same chain: what was verified of it is known of the new record too. */
        if (before->top > record->top) {
            record->top = before->top;
            memcpy(record->top_link, before->top_link, LINK_SIZE);
        }
    } else {
        slot->sequence = record->top / CHAIN_LINKS * CHAIN_LINKS;
    }
    bool told = index != 0 && self->started && differs(before, record);
    record_pool_drop(self->pool, before);
    set_standing(self, index);
    if (told)
        notice(self, index, NOTICE_MEMBER_CHANGED);
}

static bool change_allowed(struct cluster *self, struct member *member)
{
    if (member->changes >= CHANGES_PER_MINUTE)
        return false;
    member->changes++;
    self->members.changes_counted = true;
    return true;
}

static const struct policy *policy_of(const struct cluster *self)
{
    return self->policy ? &self->policy->policy : NULL;
}

static bool revoked(const struct cluster *self, const struct node_id *id)
{
    return self->policy && policy_revokes(&self->policy->policy, id);
}

static bool refuse(struct cluster *self, const struct source *source)
{
    self->counters.records_refused++;
    if (source)
        core_hostile(self, &source->id);
    return false;
}

static uint32_t boot_nonce(const struct record_blob *blob)
{
    struct record record;
    return record_read_trusted(&record, blob_bytes(blob)) ? record.boot_nonce : 0;
}

/* A record that bears this node's own id: an echo, or news of a life of this node that it does not remember,
 * or of a second process with its identity. */
static bool take_own(struct cluster *self, const struct record_head *head, struct bytes encoded,
                     const struct source *source)
{
    const struct record_blob *own = self->members.table[0].record;
    if (MUTANT(NO_INCARNATION_LEARNING) || head->generation < blob_generation(own) ||
        head->incarnation < self->incarnation || head->incarnation > INCARNATION_MAX)
        return false;
    if (head->incarnation == self->incarnation &&
        (head->revision < own->revision ||
         (encoded.size == own->size && memcmp(encoded.data, own->data, own->size) == 0)))
        return false;
    if (source && !budget_record(self, source->budget))
        return false;
    struct record_blob *other =
        record_pool_take(self->pool, encoded, &self->config.trust, policy_of(self), &self->crypto);
    if (!other)
        return refuse(self, source);
    uint32_t nonce = boot_nonce(other);
    bool twice = nonce != self->boot_nonce && other->incarnation == self->incarnation;
    bool mine = nonce == self->boot_nonce && other->incarnation == self->incarnation &&
                other->revision <= self->revision;
    record_pool_drop(self->pool, other);
    if (mine)
        return false;
    if (twice)
        core_notice(self, NOTICE_CLONE, CAUSE_NONE, &self->id, NULL, 0);
    core_raise_incarnation(self, head->incarnation);
    return true;
}

/* -1: old, 0: the same, 1: news. Without a signature being checked. */
static int news(const struct record_blob *known, const struct record_head *head, struct bytes encoded)
{
    uint32_t generation = blob_generation(known);
    if (head->generation != generation)
        return head->generation > generation ? 1 : -1;
    if (head->incarnation != known->incarnation)
        return head->incarnation > known->incarnation ? 1 : -1;
    if (head->revision != known->revision)
        return head->revision > known->revision ? 1 : -1;
    return encoded.size == known->size && memcmp(encoded.data, known->data, known->size) == 0 ? 0 : 1;
}

static bool take_new(struct cluster *self, struct record_blob *record, uint64_t short_id,
                     const struct source *source)
{
    uint32_t index = add(self, record, short_id);
    if (record->flags & RECORD_LEFT) {
        self->members.table[index].flags |= MEMBER_FLAG_LEFT;
        self->members.present--;
    }
    candidate_update(self, index);
    notice(self, index, NOTICE_MEMBER_JOINED);
    if (!self->started)
        return true;
    gossip_record(self, index, source ? source_bit(source) : 0);
    overlay_member_joined(self, index);
    election_member_changed(self, index);
    return true;
}

static bool take_changed(struct cluster *self, uint32_t index, struct record_blob *record,
                         const struct source *source)
{
    struct member *member = &self->members.table[index];
    const struct record_blob *known = member->record;
    if (known->incarnation == record->incarnation && boot_nonce(known) != boot_nonce(record)) {
        struct node_id id;
        members_id(self, index, &id);
        if (self->started)
            core_notice(self, NOTICE_CLONE, CAUSE_NONE, &id, NULL, 0);
    }
    if (blob_compare(record, known) <= 0) {
        record_pool_drop(self->pool, record);
        return false;
    }
    if (self->started && !change_allowed(self, member)) {
        record_pool_drop(self->pool, record);
        self->counters.records_refused++;
        return false;
    }
    replace(self, index, record);
    if (!self->started)
        return true;
    /* From others a record may be old news, kept while its node fell silent: its heartbeats tell. */
    if (!(member->flags & MEMBER_FLAG_LEFT) && source && source->member == index)
        heard_at(self, index, seen_at(self->observed));
    gossip_record(self, index, source ? source_bit(source) : 0);
    election_member_changed(self, index);
    return true;
}

bool members_take_record(struct cluster *self, struct bytes encoded, const struct source *source)
{
    struct record_head head;
    if (!record_pool_peek(self->pool, encoded, &head))
        return refuse(self, source);
    if (node_id_equal(&head.id, &self->id))
        return take_own(self, &head, encoded, source);
    uint64_t short_id = node_id_short(&head.id);
    uint32_t index = members_find_short(self, short_id);
    if (index != NO_MEMBER) {
        const struct member *member = &self->members.table[index];
        if (memcmp(blob_id(member->record), head.id.bytes, NODE_ID_SIZE) != 0)
            return refuse(self, source); /* another member has the same short id */
        int order = news(member->record, &head, encoded);
        if (order == 0 && source)
            gossip_record_known(self, index, source_bit(source));
        if (order <= 0 || member->flags & MEMBER_FLAG_REVOKED)
            return false;
    }
    /* The same verdict everywhere, whatever each knew before: or those who join would never agree with those
     * who followed a liar step by step. */
    if (head.incarnation > INCARNATION_MAX)
        return refuse(self, source);
    if (revoked(self, &head.id))
        return false;
    if (source && !budget_record(self, source->budget))
        return false;
    if (index == NO_MEMBER && !make_room(self)) {
        self->counters.records_refused++;
        return false;
    }
    struct record_blob *record =
        record_pool_take(self->pool, encoded, &self->config.trust, policy_of(self), &self->crypto);
    if (!record)
        return refuse(self, source);
    bool taken = index == NO_MEMBER ? take_new(self, record, short_id, source)
                                    : take_changed(self, index, record, source);
    if (taken)
        self->counters.records_new++;
    return taken;
}

bool members_set_own(struct cluster *self, struct bytes encoded)
{
    struct record_blob *record =
        record_pool_take(self->pool, encoded, &self->config.trust, policy_of(self), &self->crypto);
    if (!record)
        return false;
    if (self->members.count == 0) {
        if (!make_room(self)) {
            record_pool_drop(self->pool, record);
            return false;
        }
        add(self, record, self->short_id);
        self->members.table[0].flags = MEMBER_FLAG_HEARD;
        candidate_update(self, 0);
        self->site = record->site;
        return true;
    }
    replace(self, 0, record);
    self->members.table[0].flags |= MEMBER_FLAG_HEARD;
    self->site = record->site;
    members_slot(self, 0)->sequence = self->sequence;
    return true;
}

/* --- revocation --- */

static void revoke(struct cluster *self, uint32_t index)
{
    struct member *member = &self->members.table[index];
    if (member->flags & MEMBER_FLAG_REVOKED)
        return;
    if (!(member->flags & MEMBER_FLAG_LEFT))
        self->members.present--;
    member->flags = (uint8_t)((member->flags | MEMBER_FLAG_REVOKED) & ~MEMBER_FLAG_OFFLINE);
    /* Whoever has its record and whoever refuses it must come to the same digest. */
    digest_toggle(self, members_slot(self, index)->short_id, member->record);
    candidate_update(self, index);
    notice(self, index, NOTICE_MEMBER_REVOKED);
    if (!self->started)
        return;
    overlay_drop_member(self, index);
    election_member_changed(self, index);
}

void members_apply_policy(struct cluster *self)
{
    const struct policy *policy = policy_of(self);
    for (unsigned i = 0; policy && i < policy->revoked_count; i++) {
        struct node_id id;
        memcpy(id.bytes, policy->revoked + (size_t)i * NODE_ID_SIZE, NODE_ID_SIZE);
        uint32_t index = members_find(self, &id);
        if (index != NO_MEMBER)
            revoke(self, index);
    }
    self->members.reverify = 1;
}

/* Records that a new policy does not bear any more: bound by an enroller after its time. A few per tick: a
 * signature costs. */
static void reverify_some(struct cluster *self)
{
    struct members *members = &self->members;
    for (unsigned i = 0; i < REVERIFY_PER_TICK && members->reverify < members->count; i++) {
        uint32_t index = members->reverify++;
        struct member *member = &members->table[index];
        if (member->flags & MEMBER_FLAG_REVOKED)
            continue;
        struct record_blob *again = record_pool_take(self->pool, blob_bytes(member->record),
                                                     &self->config.trust, policy_of(self), &self->crypto);
        if (again)
            record_pool_drop(self->pool, again);
        else
            revoke(self, index);
    }
    if (members->reverify >= members->count)
        members->reverify = 0;
}

/* --- heartbeats --- */

static void hash_down(const struct cluster *self, const uint8_t *from, uint32_t steps, uint8_t to[LINK_SIZE])
{
    memcpy(to, from, LINK_SIZE);
    for (uint32_t i = 0; i < steps; i++)
        self->crypto.hash(self->crypto.context, to, LINK_SIZE, to);
}

/* Whether `link` is the chain's for `sequence`, which is of the record's chain. */
static bool link_belongs(const struct cluster *self, struct record_blob *record, uint32_t sequence,
                         const uint8_t *link)
{
    uint8_t digest[LINK_SIZE];
    if (sequence > record->top) {
        hash_down(self, link, sequence - record->top, digest);
        if (memcmp(digest, record->top_link, LINK_SIZE) != 0)
            return false;
        record->top = sequence;
        memcpy(record->top_link, link, LINK_SIZE);
        return true;
    }
    hash_down(self, record->top_link, record->top - sequence, digest);
    return memcmp(digest, link, LINK_SIZE) == 0;
}

/* A heartbeat that is newer than what is known: does its link prove it? */
static bool proven(struct cluster *self, const struct index_entry *slot, uint32_t sequence,
                   const uint8_t *link, const struct source *source)
{
    uint32_t index = slot->member & ~MEMBER_PENDING;
    struct member *member = &self->members.table[index];
    if (MUTANT(LINK_UNVERIFIED))
        return true;
    if (CHAIN_OF(sequence) != CHAIN_OF(slot->sequence)) {
        self->counters.heartbeats_unknown++;
        return false;
    }
    uint32_t gap = sequence - slot->sequence;
    if (gap > 1 && !budget_hashes(self, source->budget, gap - 1))
        return false;
    if (link_belongs(self, member->record, sequence, link))
        return true;
    self->counters.heartbeats_forged++;
    core_hostile(self, &source->id);
    return false;
}

/* Whether a member counted on while this node, by its own clocks, hardly waited for it: it stood still, and
 * all its clocks with it, as a virtual machine does that is suspended. Half of the period, for neither clock
 * is right, and how long a period is depends on how many members are known. */
static bool lived_longer(const struct cluster *self, uint32_t index, uint32_t gap)
{
    const struct member *member = &self->members.table[index];
    return member->flags & MEMBER_FLAG_HEARD && (int64_t)(gap - 1) * core_period(self, member) / 2 >
                                                    silence_of(self, member) + self->config.timers.refute_min;
}

/* True when it is to be passed on. */
static bool take_news(struct cluster *self, struct index_entry *slot, uint32_t sequence, const uint8_t *link,
                      const struct source *source, int64_t age)
{
    uint32_t index = slot->member & ~MEMBER_PENDING;
    struct member *member = &self->members.table[index];
    if (member->flags & MEMBER_FLAG_REVOKED && !MUTANT(REVOKED_HEARD))
        return false;
    /* Whoever was heard a moment ago cannot be made silent by a neighbour that lies about ages. */
    if (age > 0 && members_silence(self, index) < self->config.timers.fresh)
        age = 0;
    if (member->flags & MEMBER_FLAG_LEFT || !proven(self, slot, sequence, link, source))
        return false;
    if (index == 0) {
        /* A heartbeat of this node that it has not sent yet, and nobody else could have made: this process
         * was set back to an earlier moment. */
        core_raise_incarnation(self, self->incarnation);
        return false;
    }
    self->counters.heartbeats_new++;
    if (lived_longer(self, index, sequence - slot->sequence))
        core_was_away(self);
    slot->sequence = sequence;
    heard_at(self, index, seen_at(self->observed - age));
    return true;
}

static inline uint64_t load_be64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap64(value);
}

static inline uint32_t load_be32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap32(value);
}

void members_prefetch_index(const struct cluster *self, struct bytes heartbeats)
{
    const struct members *members = &self->members;
    for (size_t at = 0; at < heartbeats.size; at += HEARTBEAT_SIZE)
        __builtin_prefetch(&members->index[index_home(members, load_be64(heartbeats.data + at))]);
}

void members_prefetch_table(const struct cluster *self, struct bytes heartbeats)
{
    const struct members *members = &self->members;
    for (size_t at = 0; at < heartbeats.size; at += HEARTBEAT_SIZE) {
        const struct index_entry *entry = index_find(members, load_be64(heartbeats.data + at));
        if (entry)
            __builtin_prefetch(&members->table[entry->member & ~MEMBER_PENDING]);
    }
}

/* What was said longer ago than this is no news for everybody: whoever misses it asks. */
#define OLD_NEWS 3000 /* ms */

void members_take_heartbeats(struct cluster *self, struct bytes entries, struct bytes ages,
                             const struct source *source)
{
    const struct members *members = &self->members;
    const uint8_t *end = entries.data + entries.size;
    if (entries.size > 2 * HEARTBEAT_SIZE)
        members_prefetch_index(self, entries);
    uint16_t told = source_bit(source);
    struct cursor old = cursor_of_bytes(ages);
    for (const uint8_t *at = entries.data; at < end; at += HEARTBEAT_SIZE) {
        uint32_t age = cursor_done(&old) ? 0 : cursor_be32(&old);
        struct index_entry *slot = index_find(members, load_be64(at));
        if (!slot) {
            self->counters.heartbeats_unknown++;
            continue;
        }
        uint32_t sequence = load_be32(at + 8);
        if (sequence > slot->sequence) {
            if (take_news(self, slot, sequence, at + 12, source, age) && age < OLD_NEWS)
                gossip_heartbeat(self, slot->member & ~MEMBER_PENDING, at, told);
            continue;
        }
        self->counters.heartbeats_old++;
        if (sequence == slot->sequence && slot->member & MEMBER_PENDING)
            self->outbox.heartbeats[members->table[slot->member & ~MEMBER_PENDING].pending].told |= told;
        if (MUTANT(OWN_ECHO_BUMP) && (slot->member & ~MEMBER_PENDING) == 0)
            core_raise_incarnation(self, self->incarnation);
    }
}

bool members_take_heartbeat(struct cluster *self, const uint8_t entry[HEARTBEAT_SIZE], int64_t age,
                            const struct node_id *from)
{
    struct index_entry *slot = index_find(&self->members, load_be64(entry));
    uint32_t sequence = load_be32(entry + 8);
    if (!slot || sequence <= slot->sequence)
        return false;
    int link = overlay_find(self, from);
    struct source source = {.id = *from,
                            .member = NO_MEMBER,
                            .link = link,
                            .budget = link < 0 ? &self->strangers : &self->links[link].budget};
    return take_news(self, slot, sequence, entry + 12, &source, age);
}

void members_entry(const struct cluster *self, uint32_t member, uint8_t entry[HEARTBEAT_SIZE])
{
    const struct record_blob *record = self->members.table[member].record;
    const struct index_entry *slot = members_slot(self, member);
    uint64_t short_id = __builtin_bswap64(slot->short_id);
    uint32_t sequence = __builtin_bswap32(slot->sequence);
    memcpy(entry, &short_id, sizeof short_id);
    memcpy(entry + 8, &sequence, sizeof sequence);
    if (slot->sequence <= record->top)
        hash_down(self, record->top_link, record->top - slot->sequence, entry + 12);
    else
        memset(entry + 12, 0, LINK_SIZE);
}

bool members_heartbeat(const struct cluster *self, uint32_t index, uint8_t entry[HEARTBEAT_SIZE])
{
    if (!(self->members.table[index].flags & MEMBER_FLAG_HEARD))
        return false;
    members_entry(self, index, entry);
    return true;
}

void members_issue_heartbeat(struct cluster *self)
{
    if (CHAIN_OF(self->sequence + 1) != CHAIN_OF(self->sequence))
        core_announce(self, true);
    self->sequence++;
    self->issued = self->observed;
    struct record_blob *record = self->members.table[0].record;
    members_slot(self, 0)->sequence = self->sequence;
    record->top = self->sequence;
    memcpy(record->top_link, chain_link(&self->chain, self->sequence, &self->crypto), LINK_SIZE);
    uint8_t entry[HEARTBEAT_SIZE];
    members_entry(self, 0, entry);
    gossip_heartbeat(self, 0, entry, 0);
}

void members_tick(struct cluster *self)
{
    struct members *members = &self->members;
    if (members->changes_counted && self->mono >= members->changes_until) {
        members->changes_until = self->mono + CHANGES_WINDOW;
        members->changes_counted = false;
        for (uint32_t i = 0; i < members->count; i++)
            members->table[i].changes = 0;
    }
    if (members->reverify)
        reverify_some(self);
    if (core_tilt(self))
        return;
    if (self->observed >= members->candidates_due)
        scan_candidates(self);
    if (self->observed >= members->others_due && !self->config.sensors_silent)
        scan_others(self);
}
