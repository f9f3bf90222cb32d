/* SPDX-License-Identifier: Apache-2.0
 *
 * What must hold, checked at every step. The checker does not believe the cores: it reads what they send,
 * knows which heartbeats their owners really sent and when each node really got them, measures silence on a
 * clock of its own for each node, and keeps its own list of what was claimed and accepted. It asks a core
 * only for what the core would tell its users: its state, its register, its digest.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "base/msgpack.h"
#include "cluster/cluster_internal.h"
#include "cluster/wire.h"
#include "sim/world.h"

#define EMISSIONS     1024u /* the last of a node: four hours of a candidate's heartbeats */
#define RECORDS       8u    /* the same of its records */
#define DRAWS         32u
#define CLAIMS_KEPT   64u
#define MARKS_MAX     4096u
#define TERMS_PLENTY  (UINT64_C(1) << 62)
#define TOLD_AGAIN    (2 * SIM_MINUTE)
#define COLUMNS_ALL   128u /* up to so many nodes each is watched by each; beyond only candidates are */
#define QUIET_HOLDERS (180 * SIM_SECOND)
#define LONG_AGO      (INT64_MIN / 2)
#define LOOK_EVERY    8 /* ticks of a node between looks into its views */

/* What a node sent about itself, in its order: heartbeats by their link, records by
 * their signature. */
struct emissions {
    uint64_t key[EMISSIONS];
    uint32_t count;
    uint32_t newest[EMISSIONS]; /* number of the last one whose key has these low bits; 0: none */
    uint32_t before[EMISSIONS]; /* ... and of the one before it with the same bits */
    uint32_t sequence[EMISSIONS];
    uint64_t record_key[RECORDS];
    uint32_t base[RECORDS]; /* where the chain of heartbeats begins that it anchors */
    bool rises[RECORDS]; /* it is greater than all before: with a lost disk a node starts over from below */
    uint64_t incarnation;
    uint32_t revision;
    uint32_t records;
    int64_t heard_by_any; /* world time at which anybody else got something new of it */
    int64_t heard_since;  /* ... and since when that went on without a break */
};

struct heard {
    int64_t run; /* the receiver's run clock */
    /* The same, when the last one told again counts: at first its chain may not have been known. */
    int64_t latest;
    int64_t counted;           /* the same, without records that others told: what the core counts as heard */
    int64_t surely;            /* the same: of heartbeats alone, that were as fresh as can be */
    uint32_t emission, record; /* the last heartbeat, the last record */
    uint32_t told; /* the last record of this process's life: those of earlier ones need not be on its disk */
};

/* A heartbeat says nothing to a receiver that has not the record whose chain it is of: that of another life
 * of its owner, or one that is used up. */
static bool anchored(const struct emissions *e, uint32_t record, uint32_t emission)
{
    if (!record || e->records - record >= RECORDS)
        return false;
    uint32_t base = e->base[(record - 1) % RECORDS], sequence = e->sequence[(emission - 1) % EMISSIONS];
    return sequence >= base && sequence - base < CHAIN_LINKS;
}

/* In a mark's column: its emission is a record. */
#define MARK_RECORD UINT32_C(0x80000000)

struct seen_claim {
    uint64_t term;
    uint32_t node;
    uint16_t support;
    bool released;
};

/* A node's election for one domain, as last looked at. */
struct view {
    struct claim claim;
    bool has, active, alarmed;
    int64_t since_run; /* run clock: when the register's claim became that */
    struct claim own;  /* the greatest that the node ever sent in its own name */
    bool has_own;
    uint64_t opened; /* greatest term of a claim of its own in its register, whichever process it was */
    uint64_t draw_term[DRAWS], draw[DRAWS];
    unsigned draws;
};

struct watched {
    int64_t started_run, up_since;
    int64_t calm_since;          /* world time of the last start, pause or jump that put it into TILT */
    uint64_t incarnation;        /* greatest that it sent */
    uint64_t incarnation_disk;   /* ... since its disk was lost or rolled back */
    uint64_t incarnation_before; /* the same, before this process */
    bool must_rise, dirty;
    unsigned looks;
};

struct domain_watch {
    unsigned active;
    int64_t last_claim, vacant_since, able_since;
    struct seen_claim claims[CLAIMS_KEPT];
    unsigned claim_count;
    uint64_t bid_term;
    unsigned bids;
};

struct checker {
    uint32_t *column_of; /* of a node; NONE: not watched */
    uint32_t columns;
    uint32_t *node_of;
    struct emissions *emissions; /* by column */
    struct heard *heard;         /* nodes x columns */
    struct view *views;          /* nodes x domains */
    struct watched *watched;     /* by node */
    struct domain_watch domains[SIM_DOMAINS_MAX];
    bool ever_hostile;
    uint8_t
        hostile_candidates; /* bit d: some enemy is a candidate of domain d, and may do as it likes with it */
    int64_t enemies_until;  /* world time: when the last one was seen at work */
    int64_t enemies_worked; /* ms that any was at work, in all */
    bool terms_spent;       /* enemies raised a term beyond what is believed at once: TERMS_PLENTY */
    int64_t quiet_since, disagree_since, last_look;
    uint32_t age; /* of what is being marked */
    struct mark marks[MARKS_MAX];
};

/* --- verdicts --- */

void checker_violation(struct sim_world *world, enum sim_invariant invariant, const char *format, ...)
{
    struct sim_verdict *verdict = &world->verdicts[invariant];
    char text[sizeof verdict->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!verdict->violations++) {
        verdict->first = world->time;
        memcpy(verdict->text, text, sizeof text);
    }
    world->violated = true;
    world->unseed = sim_mix(world->unseed, invariant);
    if (world->observer.violation)
        world->observer.violation(world->observer.context, world->time, invariant, text);
}

static void looked(struct sim_world *world, enum sim_invariant invariant)
{
    world->verdicts[invariant].checks++;
}

/* --- reading messages --- */

struct message_view {
    uint64_t type, age;
    struct bytes heartbeats, ages;
    struct cursor claims, records; /* at the first item */
    uint32_t claim_count, record_count;
};

static void read_list(struct cursor *c, const struct msgpack_item *item, struct cursor *list, uint32_t *count)
{
    *list = *c;
    *count = item->count;
    for (uint32_t i = 0; i < item->count; i++)
        msgpack_skip(c);
}

static bool read_message(struct message_view *view, struct bytes message)
{
    struct cursor c = cursor_of_bytes(message);
    *view = (struct message_view){.type = WIRE_TYPES};
    view->heartbeats = wire_heartbeats(message);
    if (view->heartbeats.size) { /* the bulk of all messages: nothing else is in it */
        view->type = WIRE_GOSSIP;
        return true;
    }
    struct msgpack_item map = msgpack_next(&c);
    if (map.type != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.count && !c.failed; i++) {
        struct msgpack_item key = msgpack_next(&c);
        struct cursor at = c;
        struct msgpack_item item = msgpack_next(&c);
        bool list = item.type == MSGPACK_ARRAY, number = item.type == MSGPACK_UINT;
        if (key.type != MSGPACK_UINT || item.type == MSGPACK_MAP ||
            (list && key.uint != WIRE_KEY_RECORDS && key.uint != WIRE_KEY_CLAIMS)) {
            c = at;
            msgpack_skip(&c);
        } else if (key.uint == WIRE_KEY_TYPE && number) {
            view->type = item.uint;
        } else if (key.uint == WIRE_KEY_AGE && number) {
            view->age = item.uint;
        } else if (key.uint == WIRE_KEY_HEARTBEATS && item.type == MSGPACK_BINARY) {
            view->heartbeats = item.bytes;
        } else if (key.uint == WIRE_KEY_AGES && item.type == MSGPACK_BINARY) {
            view->ages = item.bytes;
        } else if (key.uint == WIRE_KEY_RECORDS && list) {
            read_list(&c, &item, &view->records, &view->record_count);
        } else if (key.uint == WIRE_KEY_CLAIMS && list) {
            read_list(&c, &item, &view->claims, &view->claim_count);
        }
    }
    return !c.failed;
}

/* --- who really said what --- */

static struct watched *watched_of(struct sim_world *world, uint32_t node)
{
    return &world->checker->watched[node];
}

static struct view *view_of(struct sim_world *world, uint32_t node, unsigned domain)
{
    return &world->checker->views[(size_t)node * world->options.domains + domain];
}

static struct heard *heard_of(struct sim_world *world, uint32_t node, uint32_t column)
{
    return &world->checker->heard[(size_t)node * world->checker->columns + column];
}

/* The number of what has this key among the last ones; its owner's first use of it makes it one. 0:
 * nobody's. */
static uint32_t heartbeat_number(struct emissions *e, uint64_t key, bool owner)
{
    uint32_t oldest = e->count > EMISSIONS ? e->count - EMISSIONS : 0;
    uint32_t *newest = &e->newest[key % EMISSIONS];
    for (uint32_t i = *newest; i > oldest; i = e->before[(i - 1) % EMISSIONS])
        if (e->key[(i - 1) % EMISSIONS] == key)
            return i;
    if (!owner)
        return 0;
    e->key[e->count % EMISSIONS] = key;
    e->before[e->count % EMISSIONS] = *newest;
    return *newest = ++e->count;
}

static uint32_t record_number(struct emissions *e, uint64_t key, bool owner)
{
    uint32_t oldest = e->records > RECORDS ? e->records - RECORDS : 0;
    for (uint32_t i = e->records; i > oldest; i--)
        if (e->record_key[(i - 1) % RECORDS] == key)
            return i;
    if (!owner)
        return 0;
    e->record_key[e->records++ % RECORDS] = key;
    return e->records;
}

static void mark_add(struct checker *checker, uint32_t *count, uint32_t column, uint32_t emission)
{
    if (emission && *count < MARKS_MAX)
        checker->marks[(*count)++] =
            (struct mark){.column = column, .emission = emission, .age = checker->age};
}

static void mark_heartbeats(struct sim_world *world, uint32_t from, struct bytes heartbeats, bool hostile,
                            struct bytes ages, uint32_t *count)
{
    struct checker *checker = world->checker;
    struct cursor old = cursor_of_bytes(ages);
    for (size_t at = 0; at + HEARTBEAT_SIZE <= heartbeats.size; at += HEARTBEAT_SIZE) {
        struct cursor c = cursor_of(heartbeats.data + at, HEARTBEAT_SIZE);
        uint32_t owner = world_by_short_id(world, cursor_be64(&c));
        uint32_t column = owner == NONE ? NONE : checker->column_of[owner];
        uint32_t sequence = cursor_be32(&c);
        uint64_t key = cursor_be64(&c); /* of the link: half of it will do */
        if (column == NONE)
            continue;
        struct emissions *e = &checker->emissions[column];
        uint32_t before = e->count;
        checker->age = cursor_done(&old) ? 0 : cursor_be32(&old);
        mark_add(checker, count, column, heartbeat_number(e, key, owner == from && !hostile));
        if (e->count != before)
            e->sequence[before % EMISSIONS] = sequence;
    }
}

static void own_record(struct sim_world *world, uint32_t node, const struct record_head *head)
{
    struct watched *watched = watched_of(world, node);
    if (head->incarnation <= watched->incarnation_disk && !watched->must_rise)
        return;
    looked(world, SIM_INVARIANT_INCARNATION);
    if (watched->must_rise && head->incarnation <= watched->incarnation_before)
        checker_violation(world, SIM_INVARIANT_INCARNATION,
                          "%s tells incarnation %llu after a restart, %llu was told before",
                          world->nodes[node].name, (unsigned long long)head->incarnation,
                          (unsigned long long)watched->incarnation_before);
    watched->must_rise = false;
    if (head->incarnation > watched->incarnation_disk)
        watched->incarnation_disk = head->incarnation;
    if (head->incarnation > watched->incarnation)
        watched->incarnation = head->incarnation;
    uint64_t bound = 2 * world->nodes[node].starts + 2;
    if (head->incarnation > bound)
        checker_violation(world, SIM_INVARIANT_INCARNATION, "%s tells incarnation %llu after %llu starts",
                          world->nodes[node].name, (unsigned long long)head->incarnation,
                          (unsigned long long)world->nodes[node].starts);
}

static void mark_records(struct sim_world *world, uint32_t from, const struct message_view *message,
                         bool hostile, uint32_t *count)
{
    struct checker *checker = world->checker;
    struct cursor c = message->records;
    for (uint32_t i = 0; i < message->record_count; i++) {
        struct msgpack_item item = msgpack_next(&c);
        struct record_head head;
        if (item.type != MSGPACK_BINARY || !record_pool_peek(world->pool, item.bytes, &head))
            continue;
        uint32_t owner = sim_node_by_id(world, &head.id);
        if (owner == NONE)
            continue;
        if (owner == from && !hostile && !world->nodes[from].ever_hostile)
            own_record(world, owner, &head);
        uint32_t column = checker->column_of[owner];
        if (column == NONE)
            continue;
        struct cursor signature =
            cursor_of(item.bytes.data + item.bytes.size - SIGNATURE_SIZE, SIGNATURE_SIZE);
        uint64_t key = cursor_be64(&signature); /* it says of what process it is, too: with a lost disk two
                                                   may tell the same incarnation and revision */
        struct emissions *e = &checker->emissions[column];
        uint32_t before = e->records;
        mark_add(checker, count, column | MARK_RECORD, record_number(e, key, owner == from && !hostile));
        if (e->records == before)
            continue;
        bool rises = head.incarnation > e->incarnation ||
                     (head.incarnation == e->incarnation && head.revision > e->revision) || !before;
        struct record record;
        e->base[before % RECORDS] = record_read_trusted(&record, item.bytes) ? record.chain_base : 0;
        e->rises[before % RECORDS] = rises;
        if (rises) {
            e->incarnation = head.incarnation;
            e->revision = head.revision;
        }
    }
}

/* --- claims --- */

static unsigned domain_number(const struct sim_world *world, const char *domain)
{
    for (unsigned d = 0; d < world->options.domains; d++)
        if (strcmp(domain, world->domain_names[d]) == 0)
            return d;
    return NONE;
}

static void check_draw(struct sim_world *world, uint32_t node, struct view *view, const struct claim *claim)
{
    looked(world, SIM_INVARIANT_DRAW);
    unsigned kept = view->draws < DRAWS ? view->draws : DRAWS;
    for (unsigned i = 0; i < kept; i++)
        if (view->draw_term[i] == claim->term) {
            if (view->draw[i] != claim->draw)
                checker_violation(world, SIM_INVARIANT_DRAW, "%s sends a second draw for term %llu of %s",
                                  world->nodes[node].name, (unsigned long long)claim->term, claim->domain);
            return;
        }
    view->draw_term[view->draws % DRAWS] = claim->term;
    view->draw[view->draws++ % DRAWS] = claim->draw;
}

/* Members other than itself that the node really heard within `window` of its run clock. */
static unsigned true_support(struct sim_world *world, uint32_t node, int64_t window)
{
    struct checker *checker = world->checker;
    int64_t now = world_run_clock(world, &world->nodes[node]);
    unsigned support = 0;
    for (uint32_t column = 0; column < checker->columns; column++) {
        const struct heard *heard = heard_of(world, node, column);
        if (checker->node_of[column] != node && now - heard->latest <= window)
            support++;
    }
    return support;
}

static void check_support(struct sim_world *world, uint32_t node, const struct claim *claim)
{
    struct checker *checker = world->checker;
    uint32_t column = checker->column_of[node];
    if (checker->columns != world->count || column == NONE || !claim->support)
        return;
    looked(world, SIM_INVARIANT_SUPPORT);
    int64_t window = world->options.replace_after / 30; /* support_window */
    unsigned support = true_support(world, node, 2 * window + 5 * SIM_SECOND);
    if (claim->support > support)
        checker_violation(world, SIM_INVARIANT_SUPPORT, "%s claims the support of %u, %u were within hearing",
                          world->nodes[node].name, claim->support, support);
}

static bool on_disk(const struct sim_node *node, struct bytes encoded)
{
    const struct disk_version *version = &node->disk.version[node->disk.newest];
    return node->disk.count && memmem(version->data, version->size, encoded.data, encoded.size);
}

/* A claim in its sender's own name that is greater than all that it sent before. */
static void own_claim(struct sim_world *world, uint32_t number, unsigned domain, const struct claim *claim,
                      struct bytes encoded)
{
    struct sim_node *node = &world->nodes[number];
    struct view *view = view_of(world, number, domain);
    struct domain_watch *watch = &world->checker->domains[domain];
    view->own = *claim;
    view->has_own = true;
    watch->last_claim = world->time;
    watch->claims[watch->claim_count++ % CLAIMS_KEPT] = (struct seen_claim){
        .term = claim->term, .node = number, .support = claim->released ? 0 : claim->support};
    check_draw(world, number, view, claim);
    /* A claim may be older than the first moment at which there is anybody to send it to. */
    if (!view->has || claim_compare(&view->claim, claim) != 0)
        check_support(world, number, claim);
    looked(world, SIM_INVARIANT_PERSIST);
    if (!on_disk(node, encoded))
        checker_violation(world, SIM_INVARIANT_PERSIST,
                          "%s sends a claim of term %llu that is not on its disk", node->name,
                          (unsigned long long)claim->term);
    looked(world, SIM_INVARIANT_ELIGIBLE);
    bool off = (node->off & ~node->vague) >> domain & 1;
    if (!claim->released && (!(node->granted >> domain & 1) || off))
        checker_violation(world, SIM_INVARIANT_ELIGIBLE, "%s claims %s, of which it is no candidate",
                          node->name, claim->domain);
}

static void read_claims(struct sim_world *world, uint32_t from, const struct message_view *message)
{
    struct cursor c = message->claims;
    for (uint32_t i = 0; i < message->claim_count; i++) {
        struct msgpack_item item = msgpack_next(&c);
        struct claim claim;
        if (item.type != MSGPACK_BINARY || !claim_read(&claim, item.bytes) ||
            !node_id_equal(&claim.id, &world->nodes[from].id))
            continue;
        unsigned domain = domain_number(world, claim.domain);
        if (domain == NONE)
            continue;
        struct view *view = view_of(world, from, domain);
        if (!view->has_own || claim_compare(&claim, &view->own) > 0)
            own_claim(world, from, domain, &claim, item.bytes);
    }
}

uint32_t checker_message(struct sim_world *world, uint32_t node, const void *data, size_t size, bool hostile)
{
    if (world->options.unchecked)
        return network_payload(world, data, size, NULL, 0, false);
    struct message_view message;
    uint32_t marks = 0;
    looked(world, SIM_INVARIANT_BOUNDS);
    if (size > CLUSTER_MESSAGE_MAX && !hostile)
        checker_violation(world, SIM_INVARIANT_BOUNDS, "%s sends a message of %zu bytes",
                          world->nodes[node].name, size);
    if (read_message(&message, (struct bytes){.data = data, .size = size})) {
        mark_heartbeats(world, node, message.heartbeats, hostile, message.ages, &marks);
        world->checker->age = 0;
        mark_records(world, node, &message, hostile, &marks);
        if (message.claim_count && !hostile && !world->nodes[node].ever_hostile) {
            watched_of(world, node)->dirty = true;
            read_claims(world, node, &message);
        }
    }
    uint32_t payload =
        network_payload(world, data, size, world->checker->marks, marks, message.claim_count > 0);
    if (message.type == WIRE_HAVE)
        world->payloads[payload]->age = message.age < UINT32_MAX ? (uint32_t)message.age : UINT32_MAX;
    return payload;
}

void checker_prefetch(const struct sim_world *world, uint32_t to, const struct payload *payload)
{
    const struct checker *checker = world->checker;
    if (world->options.unchecked)
        return;
    __builtin_prefetch(&checker->watched[to]);
    const struct mark *marks = payload ? payload_marks(payload) : NULL;
    for (uint32_t i = 0; payload && i < payload->marks; i++)
        __builtin_prefetch(&checker->heard[(size_t)to * checker->columns + (marks[i].column & ~MARK_RECORD)]);
}

static bool listens(const struct sim_world *world, uint32_t to, uint32_t from)
{
    struct cluster_peer_view peer;
    const struct cluster *core = world->nodes[to].core;
    for (unsigned i = 0; core && cluster_peer_at(core, i, &peer); i++)
        if (node_id_equal(&peer.id, &world->nodes[from].id))
            return peer.active;
    return false;
}

void checker_delivered(struct sim_world *world, uint32_t to, uint32_t from, const struct payload *payload)
{
    if (world->options.unchecked)
        return;
    struct checker *checker = world->checker;
    if (payload->claims)
        checker->watched[to].dirty = true;
    if (!payload->marks)
        return;
    int64_t clock = world_run_clock(world, &world->nodes[to]) - payload->age;
    const struct mark *marks = payload_marks(payload);
    for (uint32_t i = 0; i < payload->marks; i++) {
        bool record = marks[i].column & MARK_RECORD;
        uint32_t column = marks[i].column & ~MARK_RECORD, number = marks[i].emission;
        struct heard *heard = heard_of(world, to, column);
        struct emissions *emissions = &checker->emissions[column];
        /* An age counts only for who was not heard within 90 s of 30 min, since the process started; the core
         * may see that moment otherwise, for its clock moves when it is stepped. */
        int64_t fresh = world->options.replace_after / 20 + 2 * SIM_SECOND;
        int64_t now = clock - heard->counted > fresh ? clock - marks[i].age : clock;
        uint32_t *last = record ? &heard->record : &heard->emission;
        /* Its owner's record, from the owner, is a sign of life as often as it comes: who opens a link lives.
         */
        bool greeted = record && checker->node_of[column] == from;
        /* A later one may have cost more hashes than there were just then. */
        if (number + 8 > *last && now > heard->latest &&
            (number > *last || greeted || now - heard->run < TOLD_AGAIN)) {
            heard->latest = now;
            if (!record || greeted)
                heard->counted = now;
        }
        bool known =
            record ? emissions->rises[(number - 1) % RECORDS] : anchored(emissions, heard->record, number);
        if (number <= *last || !known)
            continue;
        *last = number;
        /* A record that others tell may be old news: it is no sign of life. */
        if (now > heard->run && (!record || checker->node_of[column] == from))
            heard->run = now;
        /* What an enemy says may be too much to be looked at; a peer that is no neighbour yet is not listened
         * to. */
        if (record)
            heard->told = number;
        else if (!marks[i].age && !payload->age && !world->nodes[from].ever_hostile &&
                 anchored(emissions, heard->told, number) && listens(world, to, from))
            heard->surely = clock;
        if (checker->node_of[column] == to)
            continue;
        if (world->time - emissions->heard_by_any > SIM_MINUTE)
            emissions->heard_since = world->time;
        emissions->heard_by_any = world->time;
    }
}

/* --- silence --- */

/* Ms of the node's run clock since it really got something new of `peer`, or since its process started. */
static int64_t true_silence(struct sim_world *world, uint32_t node, uint32_t peer)
{
    struct checker *checker = world->checker;
    uint32_t column = checker->column_of[peer];
    int64_t now = world_run_clock(world, &world->nodes[node]);
    int64_t since = checker->watched[node].started_run;
    if (column != NONE && heard_of(world, node, column)->run > since)
        since = heard_of(world, node, column)->run;
    return now - since;
}

/* The least that a core may count of it. */
static int64_t least_silence(struct sim_world *world, uint32_t node, uint32_t peer)
{
    uint32_t column = world->checker->column_of[peer];
    int64_t now = world_run_clock(world, &world->nodes[node]);
    int64_t since = world->checker->watched[node].started_run;
    if (column != NONE && heard_of(world, node, column)->latest > since)
        since = heard_of(world, node, column)->latest;
    return now - since;
}

static bool quiet_for(const struct sim_world *world, int64_t time)
{
    int64_t since = world->checker->quiet_since;
    return world->time - (since > world->last_change ? since : world->last_change) >= time;
}

/* --- a node's elections --- */

static bool holder_gone(const struct sim_world *world, uint32_t holder, unsigned domain)
{
    const struct sim_node *node = &world->nodes[holder];
    /* That it left is heard of, at times, after it came back. */
    bool left = node->left || (node->has_left && world->time - node->left_at < 3 * SIM_MINUTE);
    return bit_get(world->revoked, holder) || node->ever_hostile || (node->off >> domain & 1) || left ||
           !(node->granted >> domain & 1) || node->state == NODE_ABSENT;
}

/* Whether somebody claimed the term before with less support: then the holder may have refuted it. */
static bool refutable(const struct domain_watch *watch, uint64_t term, uint32_t self, uint16_t support)
{
    unsigned kept = watch->claim_count < CLAIMS_KEPT ? watch->claim_count : CLAIMS_KEPT;
    for (unsigned i = 0; i < kept; i++)
        if (watch->claims[i].term == term && watch->claims[i].node != self &&
            (watch->claims[i].released || watch->claims[i].support < support))
            return true;
    return false;
}

static void count_bid(struct sim_world *world, unsigned domain, const struct claim *claim)
{
    struct domain_watch *watch = &world->checker->domains[domain];
    world->stats.bids++;
    if (claim->term > watch->bid_term) {
        watch->bid_term = claim->term;
        watch->bids = 0;
    }
    if (claim->term == watch->bid_term)
        watch->bids++;
    looked(world, SIM_INVARIANT_BIDS);
    if (watch->bids > 12)
        checker_violation(world, SIM_INVARIANT_BIDS, "%u bids for term %llu of %s", watch->bids,
                          (unsigned long long)claim->term, claim->domain);
}

/* The node's register went from `old` to a claim of its own with a greater term. */
static void opened(struct sim_world *world, uint32_t node, unsigned domain, const struct view *old,
                   const struct cluster_domain_view *now)
{
    const struct claim *claim = &now->claim;
    int64_t replace_after = world->options.replace_after;
    looked(world, SIM_INVARIANT_OPENING);
    if (old->active) {
        world->stats.refutations++;
        if (!(world->checker->hostile_candidates >> domain & 1) && quiet_for(world, 5 * SIM_MINUTE) &&
            !refutable(&world->checker->domains[domain], claim->term - 1, node, claim->support) &&
            claim->cause == CAUSE_REFUTED)
            checker_violation(world, SIM_INVARIANT_SUPPORT,
                              "%s refutes term %llu of %s, whose claimant had as much support",
                              world->nodes[node].name, (unsigned long long)claim->term - 1, claim->domain);
        return;
    }
    count_bid(world, domain, claim);
    if (now->pinned || world->nodes[node].ever_hostile)
        return;
    int64_t up = world_run_clock(world, &world->nodes[node]) - watched_of(world, node)->started_run;
    /* It stood on its disk, persisted and never sent; or others told a node that forgot it of its own. */
    if (up == 0 || (!old->has && claim->settled))
        return;
    if (!old->has) {
        if (up < 4 * SIM_SECOND)
            checker_violation(world, SIM_INVARIANT_OPENING,
                              "%s opens the first term of %s %lldms after its start", world->nodes[node].name,
                              claim->domain, (long long)up);
        return;
    }
    uint32_t holder = sim_node_by_id(world, &old->claim.id);
    if (old->claim.released || holder == NONE || holder_gone(world, holder, domain))
        return;
    int64_t age = world_run_clock(world, &world->nodes[node]) - old->since_run;
    if (!old->claim.settled && age >= replace_after / 15 - 3 * SIM_SECOND)
        return;
    int64_t silence = holder == node ? up : true_silence(world, node, holder);
    if (silence < replace_after - 2 * SIM_SECOND)
        checker_violation(world, SIM_INVARIANT_OPENING,
                          "%s opens term %llu of %s after %lldms of %s's silence", world->nodes[node].name,
                          (unsigned long long)claim->term, claim->domain, (long long)silence,
                          world->nodes[holder].name);
}

/* The node was ACTIVE and another's greater claim stands in its register now. */
static void deposed(struct sim_world *world, uint32_t node, unsigned domain,
                    const struct cluster_domain_view *now)
{
    struct sim_node *holder = &world->nodes[node];
    uint32_t by = sim_node_by_id(world, &now->claim.id);
    if (now->claim.cause == CAUSE_PINNED || by == NONE || world->checker->hostile_candidates >> domain & 1)
        return;
    looked(world, SIM_INVARIANT_DEPOSED);
    if (quiet_for(world, world->options.replace_after + 10 * SIM_MINUTE))
        checker_violation(world, SIM_INVARIANT_DEPOSED,
                          "%s, healthy and connected, is deposed by %s in term %llu of %s", holder->name,
                          world->nodes[by].name, (unsigned long long)now->claim.term, now->claim.domain);
    struct checker *checker = world->checker;
    if (checker->columns != world->count || !quiet_for(world, 5 * SIM_MINUTE) ||
        world->time - watched_of(world, node)->calm_since < world->options.replace_after / 5)
        return;
    const struct emissions *own = &checker->emissions[checker->column_of[node]];
    if (world->time - own->heard_by_any > SIM_MINUTE / 2 || world->time - own->heard_since < 3 * SIM_MINUTE)
        return; /* a node that nobody echoes has no support, whatever it hears */
    looked(world, SIM_INVARIANT_SUPPORT);
    unsigned support = true_support(world, node, world->options.replace_after / 30 - 25 * SIM_SECOND);
    if (support > now->claim.support + 1u)
        checker_violation(world, SIM_INVARIANT_SUPPORT,
                          "%s, hearing %u, yields to %s's term %llu with a support of %u", holder->name,
                          support, world->nodes[by].name, (unsigned long long)now->claim.term,
                          now->claim.support);
}

static void alarmed(struct sim_world *world, uint32_t node, unsigned domain,
                    const struct cluster_domain_view *now)
{
    uint32_t holder = now->has_claim ? sim_node_by_id(world, &now->claim.id) : NONE;
    if (holder == NONE || holder == node || now->claim.released || !now->claim.settled || now->pinned ||
        holder_gone(world, holder, domain))
        return;
    looked(world, SIM_INVARIANT_ALARM);
    int64_t silence = true_silence(world, node, holder);
    if (silence < world->options.replace_after / 10 * 9)
        checker_violation(world, SIM_INVARIANT_ALARM, "%s waits to replace %s in %s after %lldms of silence",
                          world->nodes[node].name, world->nodes[holder].name, now->domain,
                          (long long)silence);
}

static void check_fresh(struct sim_world *world, uint32_t node, const struct cluster_domain_view *now)
{
    looked(world, SIM_INVARIANT_REACTIVE);
    if (!now->fresh)
        return;
    uint32_t holder = sim_node_by_id(world, &now->claim.id);
    if (!now->has_claim || !now->claim.settled || now->claim.released)
        checker_violation(world, SIM_INVARIANT_REACTIVE, "%s takes %s for fresh without a settled holder",
                          world->nodes[node].name, now->domain);
    if (holder == NONE || holder == node || world->checker->column_of[holder] == NONE ||
        world->nodes[holder].ever_hostile)
        return;
    int64_t silence = least_silence(world, node, holder);
    if (silence > world->options.replace_after / 20 + 5 * SIM_SECOND)
        checker_violation(world, SIM_INVARIANT_REACTIVE, "%s takes %s for fresh after %lldms of %s's silence",
                          world->nodes[node].name, now->domain, (long long)silence,
                          world->nodes[holder].name);
    if (world->policy_version <= 1)
        return;
    looked(world, SIM_INVARIANT_REVOKED);
    /* Who is revoked itself is told nothing by anybody. */
    if (bit_get(world->revoked, holder) && !bit_get(world->revoked, node) &&
        quiet_for(world, 5 * SIM_MINUTE)) {
        checker_violation(world, SIM_INVARIANT_REVOKED, "%s takes the revoked %s for the holder of %s",
                          world->nodes[node].name, world->nodes[holder].name, now->domain);
    }
}

/* Nobody counts as heard by what it did not send. */
static void check_heard(struct sim_world *world, uint32_t node, uint32_t peer)
{
    if (peer == NONE || peer == node || world->checker->column_of[peer] == NONE ||
        world->nodes[peer].ever_hostile)
        return;
    int64_t core = cluster_silence(world->nodes[node].core, &world->nodes[peer].id);
    if (core < 0)
        return;
    looked(world, SIM_INVARIANT_HEARD);
    int64_t silence = least_silence(world, node, peer);
    if (core + 30 * SIM_SECOND < silence)
        checker_violation(world, SIM_INVARIANT_HEARD, "%s counts %lldms since it heard %s, it is %lldms",
                          world->nodes[node].name, (long long)core, world->nodes[peer].name,
                          (long long)silence);
}

static bool holder_revoked(const struct sim_world *world, const struct claim *claim)
{
    uint32_t holder = sim_node_by_id(world, &claim->id);
    return holder != NONE && bit_get(world->revoked, holder);
}

static void look_at_domain(struct sim_world *world, uint32_t node, unsigned domain)
{
    struct cluster_domain_view now;
    struct view *view = view_of(world, node, domain);
    struct domain_watch *watch = &world->checker->domains[domain];
    struct cluster *core = world->nodes[node].core;
    uint32_t number = members_domain(core, world->domain_names[domain], false);
    if (number == UINT32_MAX || !election_glance(core, number, &now))
        return;
    bool hostile = world->nodes[node].hostile_now;
    bool active = now.state == ELECTION_ACTIVE;
    bool waiting = now.state == ELECTION_WAIT || now.state == ELECTION_PRECHECK;
    bool changed = now.has_claim && (!view->has || claim_compare(&now.claim, &view->claim) != 0);
    if (changed && now.claim.term > TERMS_PLENTY)
        world->checker->terms_spent = true;
    if (changed && !hostile) {
        watch->last_claim = world->time;
        world->unseed = sim_mix_bytes(world->unseed, &now.claim.draw, sizeof now.claim.draw);
        looked(world, SIM_INVARIANT_ONE_HOLDER);
        if (view->has && claim_compare(&now.claim, &view->claim) < 0 && !world->nodes[node].disk.ever_full &&
            !holder_revoked(world, &view->claim))
            checker_violation(world, SIM_INVARIANT_ONE_HOLDER,
                              "%s's register of %s goes back from term %llu to %llu", world->nodes[node].name,
                              now.domain, (unsigned long long)view->claim.term,
                              (unsigned long long)now.claim.term);
        bool own = node_id_equal(&now.claim.id, &world->nodes[node].id);
        if (own && now.claim.term > view->opened) {
            view->opened = now.claim.term;
            if (!view->has || now.claim.term > view->claim.term)
                opened(world, node, domain, view, &now);
            else
                count_bid(world, domain, &now.claim);
        }
        if (!own && view->active && !active)
            deposed(world, node, domain, &now);
    }
    if (waiting && !view->alarmed && !hostile)
        alarmed(world, node, domain, &now);
    if (active && !view->active)
        world->stats.elections++;
    if (changed) {
        bool same_token = view->has && claim_token_compare(&view->claim, &now.claim) == 0 &&
                          view->claim.settled == now.claim.settled;
        if (!same_token)
            view->since_run = world_run_clock(world, &world->nodes[node]);
        view->claim = now.claim;
        view->has = true;
    }
    view->active = active;
    view->alarmed = waiting;
    if (!hostile)
        check_fresh(world, node, &now);
}

static void look(struct sim_world *world, uint32_t node)
{
    struct sim_node *n = &world->nodes[node];
    for (unsigned d = 0; d < world->options.domains; d++) {
        look_at_domain(world, node, d);
        const struct view *view = view_of(world, node, d);
        if (view->has && !n->hostile_now)
            check_heard(world, node, sim_node_by_id(world, &view->claim.id));
    }
}

static void check_bounds(struct sim_world *world, uint32_t node)
{
    const struct cluster_counters *counters = cluster_counters(world->nodes[node].core);
    looked(world, SIM_INVARIANT_BOUNDS);
    if (world->checker->ever_hostile)
        return;
    looked(world, SIM_INVARIANT_HONEST);
    if (counters->malformed || counters->heartbeats_forged || counters->records_refused ||
        counters->policies_refused)
        checker_violation(
            world, SIM_INVARIANT_HONEST,
            "%s refused %llu messages, %llu heartbeats, %llu records, %llu policies", world->nodes[node].name,
            (unsigned long long)counters->malformed, (unsigned long long)counters->heartbeats_forged,
            (unsigned long long)counters->records_refused, (unsigned long long)counters->policies_refused);
    if (counters->update_full && !world->nodes[node].disk.ever_full)
        checker_violation(world, SIM_INVARIANT_BOUNDS, "%s: %llu actions did not fit an update",
                          world->nodes[node].name, (unsigned long long)counters->update_full);
}

void checker_after(struct sim_world *world, uint32_t node, const struct cluster_event *event)
{
    if (world->options.unchecked)
        return;
    struct watched *watched = watched_of(world, node);
    bool tick = event->type == CLUSTER_TICK;
    bool due = watched->dirty;
    if (tick && ++watched->looks % LOOK_EVERY == 0) {
        due = true;
        if (watched->looks % (16 * LOOK_EVERY) == 0)
            check_bounds(world, node);
    }
    if (event->type != CLUSTER_TICK && event->type != CLUSTER_RECEIVED)
        due = true;
    if (!due)
        return;
    watched->dirty = false;
    look(world, node);
}

void checker_notice(struct sim_world *world, uint32_t node, const struct cluster_notice *notice)
{
    if (world->options.unchecked)
        return;
    struct watched *watched = watched_of(world, node);
    world->unseed = sim_mix(world->unseed, (uint64_t)notice->type << 32 | notice->cause);
    if (notice->domain)
        watched->dirty = true;
    if (notice->type == NOTICE_TILT || notice->type == NOTICE_TILT_OVER)
        watched->calm_since = world->time;
    if (notice->type != NOTICE_MEMBER_OFFLINE || world->nodes[node].hostile_now)
        return;
    uint32_t peer = sim_node_by_id(world, &notice->node);
    looked(world, SIM_INVARIANT_OFFLINE);
    if (peer == NONE || bit_get(world->revoked, peer) || world->nodes[peer].ever_hostile ||
        world->nodes[node].ever_hostile)
        return;
    /* Whatever befalls the fleet: who says so really heard nothing for that long. */
    uint32_t column = world->checker->column_of[peer];
    int64_t silence =
        column == NONE ? INT64_MAX
                       : world_run_clock(world, &world->nodes[node]) - heard_of(world, node, column)->surely;
    if (silence < world->options.replace_after / 24 - 3 * SIM_SECOND)
        checker_violation(world, SIM_INVARIANT_OFFLINE, "%s tells that %s is offline after %lldms of silence",
                          world->nodes[node].name, world->nodes[peer].name, (long long)silence);
    /* A node whose disk is full says nothing. */
    if (world->nodes[peer].state != NODE_UP || world->nodes[peer].disk.full)
        return;
    int64_t settled = 10 * SIM_MINUTE;
    if (quiet_for(world, settled) && world->time - watched_of(world, peer)->up_since > settled)
        checker_violation(world, SIM_INVARIANT_OFFLINE, "%s tells that %s is offline, which it is not",
                          world->nodes[node].name, world->nodes[peer].name);
}

void checker_enemy(struct sim_world *world, uint32_t node)
{
    world->checker->ever_hostile = true;
    world->checker->hostile_candidates |= world->nodes[node].granted;
}

void checker_started(struct sim_world *world, uint32_t node, bool disk_kept)
{
    struct watched *watched = watched_of(world, node);
    watched->started_run = world_run_clock(world, &world->nodes[node]);
    watched->up_since = world->time;
    watched->calm_since = world->time;
    if (!disk_kept)
        watched->incarnation_disk = 0;
    watched->must_rise = watched->incarnation_disk > 0;
    watched->incarnation_before = watched->incarnation_disk;
    for (unsigned d = 0; d < world->options.domains; d++) {
        struct view *view = view_of(world, node, d);
        view->has = view->active = view->alarmed = false;
        view->since_run = watched->started_run;
    }
    /* It forgets what it heard: the last heartbeat of a dead node, told again, is news to it. */
    for (uint32_t column = 0; column < world->checker->columns; column++) {
        struct heard *heard = heard_of(world, node, column);
        *heard = (struct heard){.run = LONG_AGO,
                                .latest = LONG_AGO,
                                .counted = LONG_AGO,
                                .surely = LONG_AGO,
                                .record = disk_kept ? heard->record : 0};
    }
    for (unsigned i = 0; MUTANT(FENCE_FORGOTTEN) && i < world->options.domains * world->options.receivers;
         i++)
        if (world->receivers[i].host == node)
            world->receivers[i].stored = (struct fence){0};
}

void checker_acquainted(struct sim_world *world, uint32_t node, uint32_t with)
{
    uint32_t column = world->checker->column_of[with];
    if (column != NONE)
        heard_of(world, node, column)->record = world->checker->emissions[column].records > 0; /* its first */
}

void checker_killed(struct sim_world *world, uint32_t node)
{
    for (unsigned d = 0; d < world->options.domains; d++)
        view_of(world, node, d)->active = false;
}

/* --- batches and their receivers --- */

static void receive(struct sim_world *world, struct receiver *receiver, unsigned domain,
                    const struct fence *fence)
{
    struct cluster_domain_view view;
    struct cluster *host = world->nodes[receiver->host].core;
    const struct claim *known = NULL;
    if (cluster_domain_find(host, world->domain_names[domain], &view) && view.has_claim)
        known = &view.claim;
    looked(world, SIM_INVARIANT_FENCE);
    looked(world, SIM_INVARIANT_STALE);
    if (!fence_accepts(&receiver->stored, known, fence)) {
        world->stats.batches_refused++;
        return;
    }
    world->stats.batches_accepted++;
    if (receiver->has_truth && fence_compare(fence, &receiver->truth) <= 0)
        checker_violation(world, SIM_INVARIANT_FENCE,
                          "a batch of term %llu of %s is taken after one of term %llu",
                          (unsigned long long)fence->term, world->domain_names[domain],
                          (unsigned long long)receiver->truth.term);
    struct claim token = {.term = fence->term, .draw = fence->draw, .id = fence->id};
    if (known && claim_token_compare(&token, known) < 0)
        checker_violation(
            world, SIM_INVARIANT_STALE, "a batch of term %llu of %s is taken, the register is at %llu",
            (unsigned long long)fence->term, world->domain_names[domain], (unsigned long long)known->term);
    receiver->stored = *fence;
    if (!receiver->has_truth || fence_compare(fence, &receiver->truth) > 0)
        receiver->truth = *fence;
    receiver->has_truth = true;
}

void checker_batch(struct sim_world *world, uint32_t node, unsigned domain, const struct claim *claim)
{
    if (world->options.unchecked)
        return;
    struct fence fence = {.term = claim->term,
                          .draw = claim->draw,
                          .id = claim->id,
                          .incarnation = claim->incarnation,
                          .sequence = ++world->nodes[node].batch_sequence[domain]};
    for (unsigned i = 0; i < world->options.receivers; i++) {
        struct receiver *receiver = &world->receivers[domain * world->options.receivers + i];
        const struct sim_node *host = &world->nodes[receiver->host];
        if (host->state == NODE_UP &&
            (receiver->host == node || network_reaches(world, node, receiver->host)))
            receive(world, receiver, domain, &fence);
    }
}

/* --- in quiet times --- */

static bool able(const struct sim_world *world, uint32_t node, unsigned domain)
{
    const struct sim_node *n = &world->nodes[node];
    uint8_t bit = (uint8_t)(1u << domain);
    return n->state == NODE_UP && (n->granted & bit) && !(n->off & bit) && !(n->unreachable & bit) &&
           !bit_get(world->revoked, node) && !n->ever_hostile && !n->left && !n->disk.full &&
           !(n->vague & bit);
}

/* For how long it must be quiet before all are of one mind. A jump of the term is held back for a third of
 * T_OFF, and believed then: from when it is offered, which may be when a cut heals. Beyond 2^62 belief takes
 * as long as the enemies had (docs/cluster.md, Acceptable). */
static int64_t calm_after(const struct sim_world *world)
{
    const struct checker *checker = world->checker;
    int64_t held_back = checker->ever_hostile ? world->options.replace_after / 3 : 0;
    if (checker->terms_spent)
        held_back += checker->enemies_worked;
    return QUIET_HOLDERS + held_back;
}

static unsigned able_candidates(const struct sim_world *world, unsigned domain)
{
    unsigned count = 0;
    for (uint32_t c = 0; c < world->candidate_count[domain]; c++)
        count += able(world, world->candidates[domain][c], domain);
    return count;
}

static void check_holders(struct sim_world *world, unsigned domain)
{
    struct checker *checker = world->checker;
    struct domain_watch *watch = &checker->domains[domain];
    unsigned active = 0;
    bool somebody = false;
    uint32_t who[2] = {0, 0};
    struct claim claim;
    for (uint32_t c = 0; c < world->candidate_count[domain]; c++) {
        uint32_t i = world->candidates[domain][c];
        const struct sim_node *node = &world->nodes[i];
        if (node->state != NODE_UP)
            continue;
        somebody = somebody || able(world, i, domain);
        if (!node->ever_hostile && !bit_get(world->revoked, i) &&
            cluster_holds(node->core, world->domain_names[domain], &claim)) {
            if (active < 2)
                who[active] = i;
            active++;
        }
    }
    watch->active = active;
    if (active || checker->hostile_candidates >> domain & 1)
        watch->vacant_since = world->time;
    if (!somebody)
        watch->able_since = world->time;
    int64_t still = watch->last_claim > checker->quiet_since ? watch->last_claim : checker->quiet_since;
    if (world->time - still >= calm_after(world)) {
        looked(world, SIM_INVARIANT_ONE_HOLDER);
        if (active > 1)
            checker_violation(world, SIM_INVARIANT_ONE_HOLDER, "%u holders of %s: %s and %s", active,
                              world->domain_names[domain], world->nodes[who[0]].name,
                              world->nodes[who[1]].name);
    }
    int64_t since = watch->vacant_since > watch->able_since ? watch->vacant_since : watch->able_since;
    since = since > checker->quiet_since ? since : checker->quiet_since;
    looked(world, SIM_INVARIANT_REPLACED);
    if (world->time - since > world->options.liveness && world->options.min_observers <= 1) {
        checker_violation(world, SIM_INVARIANT_REPLACED,
                          "%s has no holder for %llds, with %u able candidates", world->domain_names[domain],
                          (long long)((world->time - since) / 1000), able_candidates(world, domain));
        watch->vacant_since = world->time;
    }
}

static void check_agreement(struct sim_world *world)
{
    struct checker *checker = world->checker;
    int64_t calm = calm_after(world);
    if (!quiet_for(world, calm) || (checker->ever_hostile && world->time - checker->enemies_until < calm)) {
        checker->disagree_since = world->time;
        return;
    }
    uint64_t first = 0;
    uint32_t reference = NONE, other = NONE;
    for (uint32_t i = 0; i < world->count && other == NONE; i++) {
        const struct sim_node *node = &world->nodes[i];
        if (node->state != NODE_UP || bit_get(world->revoked, i) || node->disk.full || node->ever_hostile)
            continue;
        uint64_t digest = cluster_digest(node->core);
        if (reference == NONE) {
            reference = i;
            first = digest;
        } else if (digest != first) {
            other = i;
        }
    }
    looked(world, SIM_INVARIANT_CONVERGED);
    if (other == NONE) {
        checker->disagree_since = world->time;
        world->unseed = sim_mix(world->unseed, first);
        return;
    }
    if (world->time - checker->disagree_since > 5 * SIM_MINUTE + 300 * (int64_t)world->count) {
        checker_violation(world, SIM_INVARIANT_CONVERGED, "%s and %s do not know the same for %llds",
                          world->nodes[reference].name, world->nodes[other].name,
                          (long long)((world->time - checker->disagree_since) / 1000));
        checker->disagree_since = world->time;
    }
}

void checker_second(struct sim_world *world)
{
    struct checker *checker = world->checker;
    bool quiet = world->network_count == 0 && world->standing == 0;
    for (uint32_t i = 0; i < world->count && checker->ever_hostile; i++)
        if (world->nodes[i].hostile_now)
            checker->enemies_until = world->time;
    if (checker->enemies_until == world->time)
        checker->enemies_worked += SIM_SECOND;
    if (!quiet)
        checker->quiet_since = world->time;
    else if (world->last_change > checker->quiet_since)
        checker->quiet_since = world->last_change;
    for (unsigned d = 0; d < world->options.domains; d++)
        check_holders(world, d);
    if (world->time - checker->last_look >= 30 * SIM_SECOND) {
        checker->last_look = world->time;
        check_agreement(world);
    }
}

/* --- making and unmaking --- */

bool checker_new(struct sim_world *world)
{
    struct checker *checker = calloc(1, sizeof *checker);
    world->checker = checker;
    if (!checker)
        return false;
    size_t nodes = world->count;
    checker->column_of = malloc(nodes * sizeof *checker->column_of);
    checker->node_of = malloc(nodes * sizeof *checker->node_of);
    checker->watched = calloc(nodes, sizeof *checker->watched);
    checker->views = calloc(nodes * world->options.domains, sizeof *checker->views);
    if (!checker->column_of || !checker->node_of || !checker->watched || !checker->views)
        return false;
    for (uint32_t i = 0; i < nodes; i++) {
        bool watch = nodes <= COLUMNS_ALL || world->nodes[i].granted;
        checker->column_of[i] = watch ? checker->columns : NONE;
        if (watch)
            checker->node_of[checker->columns++] = i;
    }
    size_t columns = checker->columns ? checker->columns : 1;
    checker->emissions = calloc(columns, sizeof *checker->emissions);
    checker->heard = calloc(nodes * columns, sizeof *checker->heard);
    return checker->emissions && checker->heard;
}

void checker_destroy(struct sim_world *world)
{
    struct checker *checker = world->checker;
    if (!checker)
        return;
    free(checker->column_of);
    free(checker->node_of);
    free(checker->watched);
    free(checker->views);
    free(checker->emissions);
    free(checker->heard);
    free(checker);
    world->checker = NULL;
}
