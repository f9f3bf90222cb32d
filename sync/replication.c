/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/replication.h"

#include "base/hash_table.h"
#include "sync/attribute_value.h"
#include "sync/dirsync_cookie.h"
#include "sync/distinguished_name.h"
#include "sync/replication_query.h"
#include "sync/replication_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { /* [MS-ADTS] 3.1.1.3.4.1.3 */
       DIRSYNC_OBJECT_SECURITY = 0x00000001,
       /* RFC 4511 4.1.9 */
       CODE_TIME_LIMIT = 3,
       CODE_SIZE_LIMIT = 4,
       CODE_ADMIN_LIMIT = 11,
       CODE_CRITICAL_EXTENSION = 12,
       CODE_NO_SUCH_OBJECT = 32,
       CODE_NO_ACCESS = 50,
       LATER_MAX = 16384,  /* objects to be read again: beyond that a full pass is cheaper */
       SWEEP_LIMIT = 5000, /* of one transaction */
       LIST_LIMIT = 20000, /* of one snapshot */
       FAILURES_MAX = 3,   /* then another domain controller */
       NOTICES_MAX = 16,
       PROOFS_MAX = 4, /* in one comparison: Windows looks through everything for each */
       REPLICATION_ARENA =
           96 << 20, /* one object with DIRECTORY_VALUES_MAX links; untouched it costs nothing */
};

#define DIRSYNC_INCREMENTAL_VALUES 0x80000000u
#define BACKOFF_MAX                (60 * CLOCK_SECOND)
#define TOO_LARGE_PAUSE            (5 * CLOCK_MINUTE)
#define QUIET_COMMIT_PERIOD        CLOCK_MINUTE /* a cookie that brought nothing is kept this seldom */
#define DURABLE_PERIOD             CLOCK_MINUTE /* of commits in a full pass that outlive the machine's end */
#define PASS_COMMIT_PERIOD         (5 * CLOCK_SECOND)
#define OBJECTS_MAX                (UINT64_C(16) << 20) /* in one answer */

enum question {
    ASKED_NOTHING,
    ASKED_DELETED, /* may deleted objects be seen? */
    ASKED_ROOT,    /* how far is the domain controller? */
    ASKED_DIRSYNC,
    ASKED_CHANGED, /* by uSNChanged */
    ASKED_OBJECTS, /* by GUID */
    ASKED_RANGE,   /* more values of a link */
    ASKED_ALL,     /* a page of everything, to compare */
    ASKED_PROOF,   /* of what searches tell otherwise, what DirSync tells */
};

/* One context's way from a question to the commit of what it brought. */
enum turn {
    TURN_ROOT_BEFORE,
    TURN_ASK,
    TURN_ANSWER, /* asked, and its follow-ups */
    TURN_ROOT_AFTER,
    TURN_COMMIT,
    TURN_SWEEP,
    TURN_SWEPT,
};

struct context {
    bool used;
    char dn[512], name[ENTITY_STORE_NAME_MAX + 1];
    struct replication_state *state, *staged;
    int64_t due;           /* of the next increment */
    int64_t reconcile_due; /* INT64_MAX: not before the copy is complete */
    int64_t committed_at, durable_at;
    bool probed, deletions_seen, object_security, dirsync_refused;
    bool searches_blind; /* they show less than DirSync does, over this connection */
    bool shown_less;     /* likewise, until a comparison says otherwise */
    bool again;          /* the directory has more at once */
    int64_t whole_at;    /* when contents were last compared; 0: never */
    uint64_t mismatches; /* that were found then */
    bool commit_always;  /* something besides the cookie changed */
    unsigned lost_passes;
};

enum later_flag {
    LATER_RISEN = 1,     /* it was deleted: its links have come back, at both ends */
    LATER_SUSPECT = 2,   /* seems to differ from the directory */
    LATER_RANGED = 8,    /* too large a group to be told in one answer */
    LATER_ELSEWHERE = 4, /* may be of another context: not to be told of it says nothing */
};

struct later {
    uint32_t flags;
};

struct range_key {
    struct guid guid;
    uint32_t link;
};

struct range_job {
    uint32_t context;
};

enum comparing { COMPARE_NOT, COMPARE_PAGES, COMPARE_LIST, COMPARE_FRESHEN, COMPARE_MEND };

struct cookie {
    uint32_t size;
    uint8_t data[REPLICATION_COOKIE_MAX];
};

struct replication {
    char domain[256];
    struct replication_limits limits;
    struct replication_store store;
    struct arena *arena;
    const char *attributes[TRANSLATE_ATTRIBUTES_MAX + 8];
    const char *with_backlinks[TRANSLATE_ATTRIBUTES_MAX + 8];
    struct context contexts[REPLICATION_CONTEXTS];
    bool bound;
    struct ldap_peer peer;

    enum question question;
    unsigned asking; /* the context that the question is of */
    uint64_t question_objects;
    char filter[REPLICATION_FILTER_MAX], base[600];
    const char *one_attribute[2];
    char attribute[128];

    bool in_turn;
    unsigned whose; /* turn */
    enum turn turn;
    bool ahead; /* the next page was asked for before the commit of this one */
    uint64_t turn_objects;
    uint64_t root_usn;
    struct cookie page; /* within a turn: of paging, or of DirSync within a slice */
    bool paging;

    struct hash_table *later, *suspects; /* by GUID: to be read again; what does not seem the same */
    struct guid batch[REPLICATION_BATCH];
    uint32_t batch_flags[REPLICATION_BATCH], batch_count, batch_told, batch_most;

    struct hash_table *ranges;
    bool ranging;
    struct range_key range_at;
    uint32_t range_low, range_high;
    bool range_last, range_found;
    struct entity_edge *edges;
    uint32_t edge_count, edge_capacity;

    enum comparing comparing;
    unsigned compared; /* the context that is */
    bool compare_whole;
    bool compare_crowded; /* more differences than can be remembered */
    /* Of what seems to differ: what a search still tells otherwise after the increment. It differs, or the
     * search shows less. */
    struct guid sifted[REPLICATION_BATCH];
    uint32_t sifted_flags[REPLICATION_BATCH], sifted_count;
    bool sifting, proven;
    unsigned proofs;
    struct reconciliation reconciliation;
    struct cookie compare_page;
    struct guid listed;
    uint64_t mismatches;

    uint32_t uncommitted;
    bool abandon;
    bool commit_is_state; /* the commit ordered last bears the staged state */
    int64_t retry_at;
    unsigned failures;
    unsigned raised; /* bits of issues */
    struct {
        enum replication_act act;
        enum directory_issue issue;
        char reason[160];
    } notices[NOTICES_MAX];
    unsigned notice_count;
    char reason[160];
    uint8_t encoded[REPLICATION_STATE_MAX];
    struct replication_status status;
};

void replication_limits_init(struct replication_limits *limits)
{
    *limits = (struct replication_limits){
        .increment_period = CLOCK_SECOND,
        .reconciliation_period = 6 * CLOCK_HOUR,
        .settle_period = 10 * CLOCK_MINUTE,
        .unseen_period = 10 * CLOCK_MINUTE,
        .chunk = 20000,
        .page_size = 1000,
        .slice_usns = 65536,
        .dirsync_bytes = 4u << 20,
        .configuration = true,
    };
}

/* -- life ----------------------------------------------------------------------------------------- */

/* Whose objects point back at a risen one: their links come back without a word about them. */
static const char *const backlinks[] = {"memberOf", "directReports", "managedObjects",
                                        "msDS-HostServiceAccountBL", "msDS-PSOApplied"};

static void list_attributes(struct replication *self)
{
    translate_attribute_list(self->attributes);
    size_t count = 0;
    for (; self->attributes[count]; count++)
        self->with_backlinks[count] = self->attributes[count];
    for (size_t i = 0; i < sizeof backlinks / sizeof *backlinks; i++)
        self->with_backlinks[count++] = backlinks[i];
    self->with_backlinks[count] = NULL;
}

static bool allocate(struct replication *self)
{
    uint64_t seed = (uint64_t)(uintptr_t)self;
    self->arena = arena_new(REPLICATION_ARENA);
    self->later = hash_table_new(LATER_MAX, GUID_SIZE, sizeof(struct later), seed);
    self->suspects = hash_table_new(LATER_MAX, GUID_SIZE, sizeof(struct later), seed);
    self->ranges = hash_table_new(LATER_MAX, sizeof(struct range_key), sizeof(struct range_job), seed);
    bool fine = self->arena && self->later && self->suspects && self->ranges;
    for (unsigned i = 0; i < REPLICATION_CONTEXTS; i++) {
        self->contexts[i].state = calloc(1, sizeof(struct replication_state));
        self->contexts[i].staged = calloc(1, sizeof(struct replication_state));
        fine = fine && self->contexts[i].state && self->contexts[i].staged;
    }
    return fine;
}

struct replication *replication_new(const char *domain, const struct replication_limits *limits,
                                    const struct replication_store *store)
{
    struct replication *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    snprintf(self->domain, sizeof self->domain, "%s", domain);
    self->limits = *limits;
    self->store = *store;
    self->batch_most = REPLICATION_BATCH;
    list_attributes(self);
    if (!allocate(self))
        replication_destroy(&self);
    return self;
}

void replication_destroy(struct replication **self_p)
{
    struct replication *self = *self_p;
    if (!self)
        return;
    for (unsigned i = 0; i < REPLICATION_CONTEXTS; i++) {
        free(self->contexts[i].state);
        free(self->contexts[i].staged);
    }
    hash_table_destroy(&self->later);
    hash_table_destroy(&self->suspects);
    hash_table_destroy(&self->ranges);
    reconciliation_end(&self->reconciliation);
    arena_destroy(&self->arena);
    free(self->edges);
    free(self);
    *self_p = NULL;
}

/* -- notices -------------------------------------------------------------------------------------- */

static void notice(struct replication *self, enum replication_act act, enum directory_issue issue,
                   const char *reason)
{
    if (self->notice_count == NOTICES_MAX)
        return;
    self->notices[self->notice_count].act = act;
    self->notices[self->notice_count].issue = issue;
    snprintf(self->notices[self->notice_count++].reason, sizeof self->reason, "%s", reason);
}

static void raise_issue(struct replication *self, enum directory_issue issue, const char *reason)
{
    if (self->raised >> issue & 1)
        return;
    self->raised |= 1u << issue;
    notice(self, REPLICATION_RAISE, issue, reason);
}

static void clear_issue(struct replication *self, enum directory_issue issue)
{
    if (!(self->raised >> issue & 1))
        return;
    self->raised &= ~(1u << issue);
    notice(self, REPLICATION_CLEAR, issue, "");
}

/* -- what is given up ----------------------------------------------------------------------------- */

static void forget_page(struct replication *self)
{
    self->paging = false;
    self->page.size = 0;
}

/* Back to the last commit: nothing of what was under way counts. Entities that were applied stay: they are
 * right, and come again. */
static void drop_turn(struct replication *self)
{
    self->in_turn = false;
    self->ahead = false;
    self->question = ASKED_NOTHING;
    self->ranging = false;
    forget_page(self);
    hash_table_clear(self->later);
    hash_table_clear(self->ranges);
    hash_table_clear(self->suspects);
    self->comparing = COMPARE_NOT;
    self->sifting = false;
    reconciliation_end(&self->reconciliation);
}

static void drop_question(struct replication *self)
{
    self->abandon = self->question != ASKED_NOTHING;
    drop_turn(self);
}

/* Everything anew, while what is there stays in use. */
static void begin_pass(struct replication *self, unsigned c, int64_t now)
{
    struct context *context = &self->contexts[c];
    struct replication_state *state = context->state;
    state->phase = PHASE_PASSING;
    state->pass = self->store.new_pass(self->store.to);
    state->cookie_size = 0;
    state->usn = state->pass_usn = state->slice_at = state->slice_width = 0;
    context->due = now;
    context->reconcile_due = INT64_MAX;
    context->lost_passes = 0;
    self->status.pass_objects = 0;
    if (c == 0)
        self->status.pass_began = now;
}

static void pass_anew(struct replication *self, unsigned c, int64_t now)
{
    drop_question(self);
    begin_pass(self, c, now);
}

/* -- who is at the other end ---------------------------------------------------------------------- */

static void reconcile_by(struct context *context, int64_t when)
{
    if (when < context->reconcile_due)
        context->reconcile_due = when;
}

/* A cookie means something to another domain controller only through the vector in it. One that is not of
 * the known form is the directory's to judge. */
static bool cookie_travels(const struct replication_state *state)
{
    struct dirsync_cookie cookie;
    if (!dirsync_cookie_read((struct bytes){state->cookie, state->cookie_size}, &cookie))
        return true;
    return cookie.partner_count > 0;
}

static bool is_id(const uint8_t a[16], const uint8_t b[16])
{
    return memcmp(a, b, 16) == 0;
}

/* Whether what is known goes on with this database. A name that had another one was restored or made anew:
 * what it lost nobody will tell. One whose numbers went back was restored by copying its disk. */
static bool goes_on(const struct replication_state *state, const struct replication_controller *controller,
                    const struct ldap_peer *peer)
{
    static const uint8_t none[16];
    bool known = !is_id(controller->invocation_id, none);
    if (known && !is_id(controller->invocation_id, peer->invocation_id))
        return false;
    if (known && peer->highest_usn < controller->usn)
        return false;
    if (is_id(state->invocation_id, peer->invocation_id))
        return peer->highest_usn >= state->usn;
    if (state->method == DIRECTORY_USN)
        return false;
    return state->phase == PHASE_PASSING ? state->slice_width == 0 : cookie_travels(state);
}

static void judge_peer(struct replication *self, unsigned c, int64_t now)
{
    struct context *context = &self->contexts[c];
    struct replication_state *state = context->state;
    struct replication_controller *controller = replication_state_controller(state, self->peer.dns_host_name);
    bool good = goes_on(state, controller, &self->peer);
    memcpy(controller->invocation_id, self->peer.invocation_id, 16);
    controller->usn = self->peer.highest_usn;
    context->due = now;
    context->commit_always = true;
    context->again = false;
    context->object_security = context->dirsync_refused = context->probed = false;
    context->searches_blind = false;
    context->deletions_seen = true;
    context->reconcile_due = INT64_MAX;
    if (state->phase == PHASE_NEW || !good)
        begin_pass(self, c, now);
    else if (state->phase == PHASE_FOLLOWING)
        reconcile_by(context, now + self->limits.settle_period);
}

static void load(struct replication *self, struct context *context, const char *dn)
{
    if (context->used && strcmp(context->dn, dn) == 0)
        return;
    snprintf(context->dn, sizeof context->dn, "%s", dn);
    snprintf(context->name, sizeof context->name, "replication/%u/%.220s",
             (unsigned)(context - self->contexts), self->domain);
    struct bytes value;
    if (!self->store.state(self->store.to, context->name, &value) ||
        !replication_state_read(value, context->state))
        memset(context->state, 0, sizeof *context->state);
    context->used = dn[0] != 0;
}

void replication_bound(struct replication *self, const struct ldap_peer *peer, int64_t now)
{
    drop_turn(self);
    self->bound = true;
    self->peer = *peer;
    self->status.directory_usn = peer->highest_usn;
    self->retry_at = 0;
    self->batch_most = REPLICATION_BATCH;
    load(self, &self->contexts[0], peer->default_context);
    if (self->limits.configuration)
        load(self, &self->contexts[1], peer->configuration_context);
    for (unsigned c = 0; c < REPLICATION_CONTEXTS; c++) {
        if (self->contexts[c].used)
            judge_peer(self, c, now);
    }
}

void replication_keep_configuration(struct replication *self, bool keep)
{
    self->limits.configuration = keep;
    self->contexts[1].used &= keep;
}

void replication_lost(struct replication *self, int64_t now)
{
    (void)now;
    self->bound = false;
    drop_turn(self);
}

void replication_reconcile(struct replication *self, int64_t now)
{
    for (unsigned c = 0; c < REPLICATION_CONTEXTS; c++)
        self->contexts[c].reconcile_due = now;
}

/* -- answers: objects ------------------------------------------------------------------------------ */

static struct context *asked(struct replication *self)
{
    return &self->contexts[self->asking];
}

static enum entity_applied apply(struct replication *self, unsigned c, const struct entity_change *change,
                                 uint32_t pass, int64_t now)
{
    enum entity_applied applied = self->store.apply(self->store.to, c, change, pass);
    self->uncommitted++;
    if (applied == ENTITY_UNCHANGED || applied == ENTITY_REFUSED)
        return applied;
    self->status.applied++;
    self->status.removed += applied == ENTITY_REMOVED;
    self->status.last_change = now;
    return applied;
}

/* Read it again, alone and whole, before what told us of it is committed. */
static void read_later(struct replication *self, const struct guid *guid, uint32_t flags, int64_t now)
{
    struct later *later = hash_table_insert(self->later, guid->bytes, NULL);
    if (later) {
        later->flags |= flags;
        return;
    }
    /* So much is amiss that everything read again is less work. */
    pass_anew(self, self->asking, now);
}

/* More of them than fit are no accident: what they are decides (prove). */
static void suspect(struct replication *self, const struct guid *guid)
{
    struct later *later = hash_table_insert(self->suspects, guid->bytes, NULL);
    if (later)
        later->flags |= LATER_SUSPECT;
    else
        self->compare_crowded = true;
}

/* Only a range of a link came: the rest is asked for, and applied as a whole. */
static void read_ranges(struct replication *self, const struct translated *object)
{
    for (uint32_t link = 0; link < ENTITY_LINKS; link++) {
        if (!(object->ranged >> link & 1))
            continue;
        struct range_key key = {.guid = object->change.guid, .link = link};
        struct range_job *job = hash_table_insert(self->ranges, &key, NULL);
        if (job)
            job->context = self->asking;
        else
            raise_issue(self, DIRECTORY_TOO_LARGE, "too many large groups in one answer");
    }
}

static uint32_t pass_of(const struct context *context)
{
    return context->state->phase == PHASE_PASSING ? context->state->pass : 0;
}

/* Samba's DirSync, but no search, tells the heads of the naming contexts below this one too: those of DNS,
 * domains of their own. They are no part of it. */
static bool is_other_head(const struct context *context, const struct entity_change *change)
{
    return change->kind_known && change->kind == ENTITY_DOMAIN &&
           (change->dn.size != strlen(context->dn) ||
            strncasecmp((const char *)change->dn.data, context->dn, change->dn.size) != 0);
}

/* It may have been deleted and undeleted since it was told last. Without a recycle bin its links, at both
 * ends, went with the deletion and without a word: so they go here too, and what is left is read again. */
static void take_risen(struct replication *self, const struct guid *guid, int64_t now)
{
    struct entity_change gone = {.guid = *guid, .deleted = true};
    gone.whole_links = (UINT64_C(1) << ENTITY_LINKS) - 1;
    apply(self, self->asking, &gone, pass_of(asked(self)), now);
    read_later(self, guid, LATER_RISEN, now);
}

static void take_dirsync(struct replication *self, struct translated *object, int64_t now)
{
    struct context *context = asked(self);
    struct entity_change *change = &object->change;
    if (change->deleted) {
        context->deletions_seen = true;
        clear_issue(self, DIRECTORY_DELETIONS_UNSEEN);
    } else if (object->undeleted) {
        take_risen(self, &change->guid, now);
        return;
    } else if (context->state->phase == PHASE_PASSING && change->kind_known) {
        change->whole = true; /* even when whenCreated may not be read */
    } else if (!change->whole && !self->store.known(self->store.to, &change->guid)) {
        read_later(self, &change->guid, 0, now);
        return;
    }
    /* In a full pass a large group comes in several entries, and a changed one twice: its values are added,
     * and what is left over from before is found by reconciliation. */
    if (context->state->phase == PHASE_PASSING && !change->deleted)
        change->whole_links = object->told_links;
    apply(self, self->asking, change, pass_of(context), now);
    read_ranges(self, object);
}

static void take_changed(struct replication *self, struct translated *object, int64_t now)
{
    struct context *context = asked(self);
    if (object->change.deleted)
        context->deletions_seen = true;
    else if (context->state->phase == PHASE_FOLLOWING &&
             !self->store.known(self->store.to, &object->change.guid)) {
        read_later(self, &object->change.guid, LATER_RISEN, now); /* new, or risen */
        return;
    }
    apply(self, self->asking, &object->change, pass_of(context), now);
    read_ranges(self, object);
}

static int in_batch(const struct replication *self, const struct guid *guid)
{
    for (uint32_t i = 0; i < self->batch_count; i++) {
        if (memcmp(&self->batch[i], guid, sizeof *guid) == 0)
            return (int)i;
    }
    return -1;
}

/* A risen object's links come back with it, at both ends. */
static void take_backlinks(struct replication *self, const struct directory_object *object, int64_t now)
{
    for (size_t i = 0; i < sizeof backlinks / sizeof *backlinks; i++) {
        const struct directory_attribute *from = directory_object_find(object, backlinks[i]);
        for (uint32_t j = 0; from && j < from->value_count; j++) {
            struct extended_dn dn;
            if (extended_dn_read(from->values[j], &dn) && dn.has_guid && self->question == ASKED_OBJECTS)
                read_later(self, &dn.guid, LATER_ELSEWHERE, now);
        }
    }
}

/* Whether it is as the copy has it by now. */
static void sift(struct replication *self, const struct translated *object, uint32_t at)
{
    if (object->ranged)
        self->batch_flags[at] |= LATER_RANGED;
    else if (!object->change.deleted && self->store.same(self->store.to, self->asking, &object->change))
        self->batch_told |= 1u << at;
}

static void sifted(struct replication *self)
{
    self->sifting = false;
    self->sifted_count = 0;
    for (uint32_t i = 0; i < self->batch_count; i++) {
        hash_table_remove(self->suspects, self->batch[i].bytes);
        if (self->batch_told >> i & 1)
            continue;
        self->sifted[self->sifted_count] = self->batch[i];
        self->sifted_flags[self->sifted_count++] = self->batch_flags[i];
    }
}

static void take_read_again(struct replication *self, const struct directory_object *from,
                            struct translated *object, int64_t now)
{
    int at = in_batch(self, &object->change.guid);
    if (at < 0)
        return;
    if (self->sifting) {
        sift(self, object, (uint32_t)at);
        return;
    }
    self->batch_told |= 1u << at;
    if (asked(self)->searches_blind) { /* what it does not show is not gone */
        object->change.whole = false;
        object->change.whole_links = object->told_links;
    }
    enum entity_applied applied = apply(self, self->asking, &object->change, 0, now);
    self->mismatches += applied != ENTITY_UNCHANGED && self->batch_flags[at] & LATER_SUSPECT;
    read_ranges(self, object);
    if (self->batch_flags[at] & LATER_RISEN && !object->change.deleted)
        take_backlinks(self, from, now);
}

/* DirSync with the right is above access rights, searches are not. Where it tells what the copy has, and a
 * search told otherwise, it is the search that lacks something. */
static void take_proof(struct replication *self, struct translated *object)
{
    struct entity_change *change = &object->change;
    int at = in_batch(self, &change->guid);
    if (change->deleted || !change->kind_known || at < 0 || self->batch_flags[at] & LATER_RANGED)
        return;
    change->whole = true;
    change->whole_links = (UINT64_C(1) << ENTITY_LINKS) - 1;
    if (self->store.same(self->store.to, self->asking, change))
        asked(self)->searches_blind = true;
}

/* A large group's members are compared once all are read. */
static void take_compared(struct replication *self, struct translated *object)
{
    struct entity_change *change = &object->change;
    if (change->deleted)
        return;
    reconciliation_tell(&self->reconciliation, &change->guid);
    bool same = self->compare_whole
                    ? !object->ranged && self->store.same(self->store.to, self->asking, change)
                    : self->store.known(self->store.to, &change->guid);
    if (!same)
        suspect(self, &change->guid);
}

static void take_root(struct replication *self, const struct directory_object *object)
{
    const struct directory_attribute *usn = directory_object_find(object, "highestCommittedUSN");
    int64_t value;
    if (!usn || !usn->value_count || !attribute_integer(usn->values[0], &value) || value < 0)
        return;
    self->root_usn = (uint64_t)value;
    self->status.directory_usn = self->root_usn;
}

/* -- answers: ranges of a link --------------------------------------------------------------------- */

static bool edge_room(struct replication *self, uint32_t more)
{
    if (self->edge_count + (uint64_t)more > DIRECTORY_VALUES_MAX)
        return false;
    if (self->edge_count + more <= self->edge_capacity)
        return true;
    uint32_t capacity = self->edge_capacity ? self->edge_capacity : 4096;
    while (capacity < self->edge_count + more)
        capacity *= 2;
    struct entity_edge *larger = realloc(self->edges, capacity * sizeof *larger);
    if (!larger)
        return false;
    self->edges = larger;
    self->edge_capacity = capacity;
    return true;
}

static void take_range(struct replication *self, const struct directory_object *object)
{
    enum entity_link link = (enum entity_link)self->range_at.link;
    self->range_found = true;
    self->range_last = true; /* unless a range says otherwise */
    for (uint32_t i = 0; i < object->attribute_count; i++) {
        const struct directory_attribute *from = &object->attributes[i];
        struct bytes name;
        struct attribute_range range;
        if (entity_link_by_ldap(from->name.data, from->name.size) != link ||
            !attribute_name_read(from->name, &name, &range) || !from->value_count)
            continue;
        if (!edge_room(self, from->value_count)) {
            raise_issue(self, DIRECTORY_TOO_LARGE, "a group has more members than can be kept");
            continue;
        }
        self->range_last = !range.ranged || range.last || range.high < self->range_low;
        self->range_high = range.high;
        for (uint32_t j = 0; j < from->value_count; j++) {
            struct extended_dn dn;
            if (extended_dn_read(from->values[j], &dn) && dn.has_guid)
                self->edges[self->edge_count++] = (struct entity_edge){.link = link, .target = dn.guid};
        }
    }
}

static void end_range(struct replication *self, int64_t now)
{
    struct entity_change change = {.guid = self->range_at.guid,
                                   .whole_links = UINT64_C(1) << self->range_at.link,
                                   .edge_count = self->edge_count,
                                   .edges = self->edges};
    self->ranging = false;
    hash_table_remove(self->ranges, &self->range_at);
    enum entity_applied applied = apply(self, self->asking, &change, 0, now);
    self->mismatches += applied != ENTITY_UNCHANGED && self->comparing == COMPARE_MEND;
}

static void answered_range(struct replication *self, int64_t now)
{
    if (!self->range_found) { /* gone in between */
        self->ranging = false;
        hash_table_remove(self->ranges, &self->range_at);
        read_later(self, &self->range_at.guid, 0, now);
    } else if (self->range_last) {
        end_range(self, now);
    } else {
        self->range_low = self->range_high + 1;
    }
}

void replication_object(struct replication *self, const struct directory_object *object, int64_t now)
{
    struct translated translated;
    if (++self->question_objects > OBJECTS_MAX) {
        raise_issue(self, DIRECTORY_TOO_LARGE, "an answer without end");
        drop_question(self);
        self->retry_at = now + TOO_LARGE_PAUSE;
        return;
    }
    if (self->question == ASKED_ROOT) {
        take_root(self, object);
        return;
    }
    if (self->question == ASKED_DELETED || self->question == ASKED_NOTHING)
        return;
    if (self->question == ASKED_RANGE) {
        take_range(self, object);
        return;
    }
    arena_reset(self->arena);
    bool dirsync = self->question == ASKED_DIRSYNC || self->question == ASKED_PROOF;
    if (!translate(object, dirsync ? TRANSLATE_DIRSYNC : TRANSLATE_SEARCH, self->arena, &translated)) {
        self->status.unreadable++;
        return;
    }
    self->status.unreadable += translated.unreadable;
    if (is_other_head(asked(self), &translated.change))
        return;
    if (self->question == ASKED_DIRSYNC || self->question == ASKED_CHANGED) {
        self->turn_objects++;
        self->status.pass_objects += asked(self)->state->phase == PHASE_PASSING;
    }
    if (self->question == ASKED_DIRSYNC)
        take_dirsync(self, &translated, now);
    else if (self->question == ASKED_CHANGED)
        take_changed(self, &translated, now);
    else if (self->question == ASKED_OBJECTS)
        take_read_again(self, object, &translated, now);
    else if (self->question == ASKED_PROOF)
        take_proof(self, &translated);
    else
        take_compared(self, &translated);
}

/* -- answers: their ends --------------------------------------------------------------------------- */

static void back_off(struct replication *self, int64_t now)
{
    int64_t pause = CLOCK_SECOND << (self->failures < 6 ? self->failures : 6);
    self->retry_at = now + (pause < BACKOFF_MAX ? pause : BACKOFF_MAX);
    self->failures++;
}

static struct replication_state *stage(struct context *context)
{
    *context->staged = *context->state;
    return context->staged;
}

static void keep_cookie(struct replication_state *state, struct bytes cookie)
{
    if (cookie.size > sizeof state->cookie)
        return;
    if (cookie.size)
        memcpy(state->cookie, cookie.data, cookie.size);
    state->cookie_size = (uint32_t)cookie.size;
}

/* An answer to its end holds all that the domain controller had committed by then. How far that is stands in
 * the cookie; one that cannot be read says nothing. */
static void keep_usn(struct replication *self, struct replication_state *staged)
{
    struct dirsync_cookie cookie;
    if (!dirsync_cookie_read((struct bytes){staged->cookie, staged->cookie_size}, &cookie) ||
        !is_id(cookie.invocation_id, self->peer.invocation_id))
        return;
    if (cookie.highest_usn > staged->usn)
        staged->usn = cookie.highest_usn;
    if (self->asking == 0 && cookie.highest_usn > self->status.directory_usn)
        self->status.directory_usn = cookie.highest_usn;
}

static void keep_page(struct cookie *page, const struct ldap_result *result)
{
    page->size = 0;
    if (result->cookie.size > sizeof page->data)
        return;
    page->size = (uint32_t)result->cookie.size;
    if (page->size)
        memcpy(page->data, result->cookie.data, page->size);
}

/* The pass, or its slice, has ended. */
static void next_slice(struct replication_state *staged)
{
    if (!staged->slice_width || staged->slice_at + staged->slice_width > staged->pass_usn) {
        staged->phase = PHASE_SWEEPING;
        staged->slice_at = staged->slice_width = 0;
        return;
    }
    staged->slice_at += staged->slice_width;
}

/* False: the answer cannot be gone on with, something else is done. */
static bool believable(struct replication *self, struct context *context, const struct ldap_result *result,
                       int64_t now)
{
    struct replication_state *state = context->state;
    bool nothing = state->phase == PHASE_PASSING && !state->cookie_size && !state->slice_width &&
                   !result->more && !self->status.pass_objects;
    if (nothing) { /* the context's own head is an object: who sees none would sweep everything */
        raise_issue(self, DIRECTORY_REFUSES, "the directory shows no object at all");
        drop_turn(self);
        back_off(self, now);
        return false;
    }
    if (result->cookie.size > REPLICATION_COOKIE_MAX) {
        raise_issue(self, DIRECTORY_TOO_LARGE, "DirSync's cookie is too large: polling by uSNChanged");
        drop_turn(self);
        context->dirsync_refused = true;
        return false;
    }
    if (!context->object_security && !context->shown_less)
        clear_issue(self, DIRECTORY_NO_RIGHT);
    if (state->phase == PHASE_FOLLOWING && state->object_security && !context->object_security) {
        pass_anew(self, self->asking, now); /* the right was granted: there is more to see */
        return false;
    }
    return true;
}

static void answered_dirsync(struct replication *self, const struct ldap_result *result, int64_t now)
{
    struct context *context = asked(self);
    context->lost_passes = 0;
    if (!believable(self, context, result, now))
        return;
    struct replication_state *staged = stage(context);
    staged->method = DIRECTORY_DIRSYNC;
    staged->object_security = context->object_security;
    bool sliced = staged->phase == PHASE_PASSING && staged->slice_width;
    bool first = !staged->cookie_size;
    if (!sliced || first)
        keep_cookie(staged, result->cookie); /* the first slice's is older than what all of them bring */
    if (sliced && result->more) {
        keep_page(&self->page, result);
        self->paging = true;
        self->turn = TURN_ASK;
        return;
    }
    forget_page(self);
    if (sliced && first)
        staged->slice_at += staged->slice_width; /* what was created since is bounded after its cookie */
    else if (staged->phase == PHASE_PASSING && !result->more)
        next_slice(staged);
    bool to_its_end = !result->more;
    context->again = result->more;
    if (to_its_end && !sliced)
        keep_usn(self, staged);
    self->turn = to_its_end && (self->turn_objects || context->commit_always) ? TURN_ROOT_AFTER : TURN_COMMIT;
    if (staged->phase == PHASE_PASSING)
        memcpy(staged->invocation_id, self->peer.invocation_id, 16);
}

static void answered_changed(struct replication *self, const struct ldap_result *result)
{
    struct context *context = asked(self);
    if (result->more && result->cookie.size) {
        keep_page(&self->page, result);
        self->paging = self->page.size > 0;
        self->turn = TURN_ASK;
        return;
    }
    forget_page(self);
    struct replication_state *staged = stage(context);
    context->lost_passes = 0;
    staged->method = DIRECTORY_USN;
    staged->cookie_size = 0;
    memcpy(staged->invocation_id, self->peer.invocation_id, 16);
    if (staged->phase == PHASE_PASSING) {
        next_slice(staged);
        context->commit_always = true;
    }
    if (staged->phase != PHASE_PASSING)
        staged->usn = staged->phase == PHASE_SWEEPING ? staged->pass_usn : self->root_usn;
    self->turn = TURN_COMMIT;
}

/* What was asked for and not told is not there. */
static void answered_objects(struct replication *self, int64_t now)
{
    if (self->sifting) {
        sifted(self);
        return;
    }
    for (uint32_t i = 0; i < self->batch_count && !asked(self)->searches_blind; i++) {
        if (self->batch_told >> i & 1 || self->batch_flags[i] & LATER_ELSEWHERE)
            continue;
        struct entity_change gone = {.guid = self->batch[i], .deleted = true};
        gone.whole_links = (UINT64_C(1) << ENTITY_LINKS) - 1;
        if (!self->store.known(self->store.to, &gone.guid))
            continue;
        bool removed = apply(self, self->asking, &gone, 0, now) == ENTITY_REMOVED;
        bool expected = !asked(self)->deletions_seen;
        self->mismatches += removed && !expected && self->batch_flags[i] & LATER_SUSPECT;
    }
    self->batch_count = 0;
}

/* It cannot be compared. From now on a full pass takes the comparison's place. */
static void end_blind(struct replication *self, int64_t now)
{
    hash_table_clear(self->suspects);
    self->comparing = COMPARE_NOT;
    reconciliation_end(&self->reconciliation);
    self->contexts[self->compared].reconcile_due = now + self->limits.reconciliation_period;
}

static void answered_proof(struct replication *self, const struct ldap_result *result, int64_t now)
{
    struct context *context = asked(self);
    if (context->searches_blind) {
        context->shown_less = true;
        raise_issue(self, DIRECTORY_NO_RIGHT,
                    "searches show less than replication: the account may not read all that it replicates");
        end_blind(self, now);
        return;
    }
    keep_page(&self->compare_page, result);
    self->proven = !result->more || !self->compare_page.size;
    if (self->proven)
        self->compare_page.size = 0;
}

/* What is only late is no mismatch: an increment comes first. */
static void freshen(struct replication *self, int64_t now)
{
    self->comparing = COMPARE_FRESHEN;
    self->compare_page.size = 0;
    self->contexts[self->compared].due = now;
}

static void answered_all(struct replication *self, const struct ldap_result *result, int64_t now)
{
    keep_page(&self->compare_page, result);
    if (self->compare_crowded) {
        freshen(self, now);
    } else if (!result->more || !self->compare_page.size) {
        self->comparing = COMPARE_LIST;
        memset(&self->listed, 0, sizeof self->listed);
    }
}

/* Pages of a search cannot be gone on with over another connection: so that a pass that is interrupted does
 * not begin anew, it goes by ranges of uSNCreated, of which each is committed. */
static void cut_pass(const struct replication *self, struct replication_state *state)
{
    uint64_t part = state->pass_usn / 16 + 1;
    state->slice_at = 0;
    state->slice_width = part > self->limits.slice_usns ? part : self->limits.slice_usns;
}

static void answered_root(struct replication *self)
{
    struct context *context = asked(self);
    struct replication_state *state = context->state;
    if (self->turn == TURN_ROOT_BEFORE) {
        bool after_cookie = state->method == DIRECTORY_DIRSYNC && state->slice_width && state->cookie_size;
        if (state->phase == PHASE_PASSING && (!state->pass_usn || after_cookie))
            state->pass_usn = self->root_usn;
        if (state->phase == PHASE_PASSING && state->method == DIRECTORY_USN && !state->slice_width)
            cut_pass(self, state);
        bool nothing_new =
            state->method == DIRECTORY_USN && state->phase == PHASE_FOLLOWING && state->usn == self->root_usn;
        if (nothing_new) {
            stage(context);
            self->turn = TURN_COMMIT;
        } else {
            self->turn = TURN_ASK;
        }
    } else if (self->turn == TURN_ROOT_AFTER) {
        memcpy(context->staged->invocation_id, self->peer.invocation_id, 16);
        context->staged->usn = self->root_usn;
        self->turn = TURN_COMMIT;
    }
}

static void answered_deleted(struct replication *self, bool seen, int64_t now)
{
    struct context *context = asked(self);
    context->probed = true;
    context->deletions_seen = seen;
    if (seen)
        return;
    raise_issue(self, DIRECTORY_DELETIONS_UNSEEN,
                "deleted objects may not be read: deletions are found by comparing, late");
    if (context->state->phase == PHASE_FOLLOWING)
        reconcile_by(context, now + self->limits.unseen_period);
}

/* -- answers: failures ----------------------------------------------------------------------------- */

/* The answer is larger than the directory gives or we take: by parts, in the order of creation. */
static void slice(struct replication *self, unsigned c, int64_t now)
{
    struct context *context = &self->contexts[c];
    struct replication_state *state = context->state;
    uint64_t usn = state->pass_usn ? state->pass_usn : self->status.directory_usn;
    if (state->phase != PHASE_PASSING) {
        begin_pass(self, c, now);
        state->pass_usn = usn;
    }
    if (!state->slice_width) {
        state->cookie_size = 0;
        state->slice_at = 0;
        state->slice_width = usn + 1;
    }
    if (state->slice_width > 1) {
        state->slice_width = (state->slice_width + 1) / 2;
        return;
    }
    raise_issue(self, DIRECTORY_TOO_LARGE, "the directory refuses even a single object as too large");
    self->retry_at = now + TOO_LARGE_PAUSE;
}

static bool is_too_large(const struct ldap_result *result)
{
    return result->outcome == LDAP_OUTCOME_TOO_LARGE ||
           (result->outcome == LDAP_OUTCOME_REFUSED &&
            (result->code == CODE_SIZE_LIMIT || result->code == CODE_ADMIN_LIMIT ||
             result->code == CODE_TIME_LIMIT));
}

/* DirSync is refused: with fewer rights, with no cookie, and at last by another way. True: something else is
 * tried at once. */
static bool refused_dirsync(struct replication *self, const struct ldap_result *result, int64_t now)
{
    unsigned c = self->asking;
    struct context *context = asked(self);
    if (result->code == CODE_NO_ACCESS && !context->object_security) {
        context->object_security = true;
        raise_issue(self, DIRECTORY_NO_RIGHT, result->text ? result->text : "");
        if (context->state->phase == PHASE_FOLLOWING)
            reconcile_by(context, now + self->limits.settle_period);
        return true;
    }
    if (result->code == CODE_CRITICAL_EXTENSION && context->state->cookie_size) {
        begin_pass(self, c, now);
        return true;
    }
    if (result->code == CODE_NO_ACCESS || result->code == CODE_CRITICAL_EXTENSION) {
        context->dirsync_refused = true;
        raise_issue(self, DIRECTORY_NO_RIGHT, result->text ? result->text : "");
        return true;
    }
    return false;
}

static void note_error(struct replication *self, const struct ldap_result *result)
{
    static const char *const outcomes[] = {"done", "refused", "lost", "too large", "malformed", "abandoned"};
    self->status.errors++;
    snprintf(self->status.error, sizeof self->status.error, "%s (%d) %s", outcomes[result->outcome],
             result->code, result->text ? result->text : "");
}

static void failed_plainly(struct replication *self, unsigned c, const struct ldap_result *result,
                           int64_t now)
{
    struct replication_state *state = self->contexts[c].state;
    back_off(self, now);
    if (self->failures < FAILURES_MAX)
        return;
    if (result->outcome == LDAP_OUTCOME_REFUSED) {
        raise_issue(self, DIRECTORY_REFUSES, self->status.error);
        if (self->failures % FAILURES_MAX == 0 && state->cookie_size)
            begin_pass(self, c, now); /* it may be the cookie, whatever the code says */
    }
    if (self->failures % FAILURES_MAX == 0)
        notice(self, REPLICATION_FAIL_OVER, DIRECTORY_REFUSES, self->status.error);
}

static void answered_badly(struct replication *self, const struct ldap_result *result, int64_t now)
{
    unsigned c = self->asking;
    enum question question = self->question;
    struct context *context = asked(self);
    note_error(self, result);
    if (question == ASKED_DELETED && result->outcome == LDAP_OUTCOME_REFUSED) {
        answered_deleted(self, false, now);
        return;
    }
    if (question == ASKED_RANGE && result->outcome == LDAP_OUTCOME_REFUSED &&
        result->code == CODE_NO_SUCH_OBJECT) {
        answered_range(self, now);
        return;
    }
    if (question == ASKED_PROOF && result->outcome == LDAP_OUTCOME_REFUSED) {
        self->proven = true; /* as far as can be told */
        return;
    }
    if (question == ASKED_OBJECTS && is_too_large(result) && self->batch_most > 1)
        self->batch_most /= 2;
    bool first_pass = (question == ASKED_DIRSYNC || question == ASKED_CHANGED) &&
                      context->state->phase == PHASE_PASSING && !context->state->cookie_size;
    bool silent = result->outcome == LDAP_OUTCOME_LOST && first_pass && !self->question_objects;
    drop_turn(self);
    self->asking = c;
    if ((question == ASKED_DIRSYNC || question == ASKED_CHANGED) && is_too_large(result)) {
        slice(self, c, now);
        return;
    }
    if (silent && ++context->lost_passes > 1) {
        context->lost_passes = 0;
        slice(self, c, now); /* it may need longer to begin than we wait */
    }
    if (question == ASKED_DIRSYNC && result->outcome == LDAP_OUTCOME_REFUSED &&
        refused_dirsync(self, result, now))
        return;
    failed_plainly(self, c, result, now);
}

void replication_result(struct replication *self, const struct ldap_result *result, int64_t now)
{
    enum question question = self->question;
    if (question == ASKED_NOTHING)
        return;
    if (result->outcome != LDAP_OUTCOME_DONE) {
        answered_badly(self, result, now);
        if (self->question == question)
            self->question = ASKED_NOTHING;
        return;
    }
    self->failures = 0;
    clear_issue(self, DIRECTORY_REFUSES);
    self->question = ASKED_NOTHING;
    if (question == ASKED_DELETED)
        answered_deleted(self, self->question_objects > 0, now);
    else if (question == ASKED_ROOT)
        answered_root(self);
    else if (question == ASKED_DIRSYNC)
        answered_dirsync(self, result, now);
    else if (question == ASKED_CHANGED)
        answered_changed(self, result);
    else if (question == ASKED_OBJECTS)
        answered_objects(self, now);
    else if (question == ASKED_RANGE)
        answered_range(self, now);
    else if (question == ASKED_PROOF)
        answered_proof(self, result, now);
    else
        answered_all(self, result, now);
}

/* -- questions ------------------------------------------------------------------------------------- */

static struct ldap_query *ask(struct replication *self, enum question question, unsigned c,
                              struct replication_order *order)
{
    static const char any[] = "(objectClass=*)";
    self->question = question;
    self->asking = c;
    self->question_objects = 0;
    order->act = REPLICATION_ASK;
    order->context = c;
    order->query = (struct ldap_query){.base = self->base, .filter = any, .scope = LDAP_BASE};
    return &order->query;
}

static void ask_root(struct replication *self, unsigned c, struct replication_order *order)
{
    static const char *const attributes[] = {"highestCommittedUSN", NULL};
    struct ldap_query *query = ask(self, ASKED_ROOT, c, order);
    query->base = "";
    query->attributes = attributes;
}

static void ask_deleted(struct replication *self, unsigned c, struct replication_order *order)
{
    static const char *const attributes[] = {"objectGUID", NULL};
    struct ldap_query *query = ask(self, ASKED_DELETED, c, order);
    snprintf(self->base, sizeof self->base, "CN=Deleted Objects,%s", self->contexts[c].dn);
    query->attributes = attributes;
    query->show_deleted = true;
}

/* What is created beyond the pass's bound is told by increments: those go on from a cookie, or number, that
 * is not younger than the bound. Before there is a cookie there is no such bound. */
static uint64_t slice_end(const struct replication_state *state)
{
    uint64_t end = state->slice_at + state->slice_width - 1;
    bool bounded = state->method == DIRECTORY_USN || state->cookie_size;
    return bounded && end > state->pass_usn ? state->pass_usn : end;
}

static void ask_dirsync(struct replication *self, unsigned c, const struct replication_state *state,
                        struct replication_order *order)
{
    struct context *context = &self->contexts[c];
    struct ldap_query *query = ask(self, ASKED_DIRSYNC, c, order);
    bool sliced = state->phase == PHASE_PASSING && state->slice_width;
    replication_filter(self->filter, c, sliced ? state->slice_at : 0, sliced ? slice_end(state) : 0, 0);
    snprintf(self->base, sizeof self->base, "%s", context->dn);
    query->scope = LDAP_SUBTREE;
    query->filter = self->filter;
    query->attributes = self->attributes;
    query->extended_dn = query->dirsync = true;
    query->dirsync_flags =
        DIRSYNC_INCREMENTAL_VALUES | (context->object_security ? DIRSYNC_OBJECT_SECURITY : 0u);
    query->dirsync_bytes = self->limits.dirsync_bytes;
    query->slow = state->phase == PHASE_PASSING; /* Samba makes the whole answer first */
    if (!sliced)
        query->cookie = (struct bytes){state->cookie, state->cookie_size};
    else if (self->paging)
        query->cookie = (struct bytes){self->page.data, self->page.size};
}

static void ask_changed(struct replication *self, unsigned c, struct replication_order *order)
{
    const struct replication_state *state = self->contexts[c].state;
    struct ldap_query *query = ask(self, ASKED_CHANGED, c, order);
    bool passing = state->phase == PHASE_PASSING, sliced = passing && state->slice_width;
    replication_filter(self->filter, c, sliced ? state->slice_at : 0, sliced ? slice_end(state) : 0,
                       passing ? 0 : state->usn + 1);
    snprintf(self->base, sizeof self->base, "%s", self->contexts[c].dn);
    query->scope = LDAP_SUBTREE;
    query->filter = self->filter;
    query->attributes = self->attributes;
    query->extended_dn = query->show_deleted = true;
    query->page_size = self->limits.page_size;
    if (self->paging)
        query->cookie = (struct bytes){self->page.data, self->page.size};
}

static void ask_all(struct replication *self, struct replication_order *order)
{
    static const char *const presence[] = {"objectGUID", NULL};
    unsigned c = self->compared;
    struct ldap_query *query = ask(self, ASKED_ALL, c, order);
    replication_filter(self->filter, c, 0, 0, 0);
    snprintf(self->base, sizeof self->base, "%s", self->contexts[c].dn);
    query->scope = LDAP_SUBTREE;
    query->filter = self->filter;
    query->attributes = self->compare_whole ? self->attributes : presence;
    query->extended_dn = true;
    query->page_size = self->limits.page_size;
    query->cookie = (struct bytes){self->compare_page.data, self->compare_page.size};
}

/* A batch of those that are to be read again. Whether one of them is risen. */
static bool choose_batch(struct replication *self, struct hash_table *from)
{
    const void *key;
    void *value;
    bool risen = false;
    self->batch_count = self->batch_told = 0;
    for (uint32_t at = 0; self->batch_count < self->batch_most && hash_table_next(from, &at, &key, &value);) {
        const struct later *later = value;
        memcpy(&self->batch[self->batch_count], key, GUID_SIZE);
        self->batch_flags[self->batch_count++] = later->flags;
        risen |= (later->flags & LATER_RISEN) != 0;
    }
    return risen;
}

static void ask_batch(struct replication *self, unsigned c, bool risen, struct replication_order *order)
{
    struct ldap_query *query = ask(self, ASKED_OBJECTS, c, order);
    replication_filter_guids(self->filter, self->batch, self->batch_count);
    snprintf(self->base, sizeof self->base, "%s", self->contexts[c].dn);
    query->scope = LDAP_SUBTREE;
    query->filter = self->filter;
    query->attributes = risen ? self->with_backlinks : self->attributes;
    query->extended_dn = query->show_deleted = true;
}

static void ask_later(struct replication *self, struct replication_order *order)
{
    bool risen = choose_batch(self, self->later);
    for (uint32_t i = 0; i < self->batch_count; i++)
        hash_table_remove(self->later, self->batch[i].bytes);
    ask_batch(self, self->in_turn ? self->whose : self->compared, risen, order);
}

static void take_sifted(struct replication *self)
{
    memcpy(self->batch, self->sifted, sizeof self->batch);
    memcpy(self->batch_flags, self->sifted_flags, sizeof self->batch_flags);
    self->batch_count = self->sifted_count;
    self->batch_told = 0;
}

/* From the beginning of time: whole objects. Its cookie is of no use. */
static void ask_proof(struct replication *self, struct replication_order *order)
{
    unsigned c = self->compared;
    struct ldap_query *query = ask(self, ASKED_PROOF, c, order);
    take_sifted(self);
    replication_filter_guids(self->filter, self->batch, self->batch_count);
    snprintf(self->base, sizeof self->base, "%s", self->contexts[c].dn);
    query->scope = LDAP_SUBTREE;
    query->filter = self->filter;
    query->attributes = self->attributes;
    query->extended_dn = query->dirsync = true;
    query->dirsync_flags = DIRSYNC_INCREMENTAL_VALUES;
    query->dirsync_bytes = self->limits.dirsync_bytes;
    query->cookie = (struct bytes){self->compare_page.data, self->compare_page.size};
}

static void ask_range(struct replication *self, struct replication_order *order)
{
    const void *key;
    void *value;
    uint32_t at = 0;
    if (!self->ranging && hash_table_next(self->ranges, &at, &key, &value)) {
        self->ranging = true;
        memcpy(&self->range_at, key, sizeof self->range_at);
        self->range_low = self->edge_count = 0;
    }
    const struct range_job *job = hash_table_find(self->ranges, &self->range_at);
    struct ldap_query *query = ask(self, ASKED_RANGE, job->context, order);
    self->range_found = false;
    struct text t = text_to(self->base, sizeof self->base);
    text_string(&t, "<GUID=");
    uuid_text(&t, self->range_at.guid.bytes);
    text_char(&t, '>');
    text_end(&t);
    snprintf(self->attribute, sizeof self->attribute, "%.100s;range=%u-*",
             entity_link_info((enum entity_link)self->range_at.link)->ldap, self->range_low);
    self->one_attribute[0] = self->attribute;
    query->attributes = self->one_attribute;
    query->extended_dn = true;
}

void replication_asked(struct replication *self, bool sent, int64_t now)
{
    if (sent)
        return;
    if (self->ahead) { /* the commit that follows is still right */
        self->ahead = false;
        self->question = ASKED_NOTHING;
    } else {
        drop_turn(self);
    }
    back_off(self, now);
}

/* -- commits --------------------------------------------------------------------------------------- */

static void order_commit(struct replication *self, bool with_state, int64_t now,
                         struct replication_order *order)
{
    order->act = REPLICATION_COMMIT;
    order->context = self->whose;
    self->commit_is_state = with_state;
    if (!with_state)
        return;
    struct context *context = &self->contexts[self->whose];
    order->name = context->name;
    order->state.data = self->encoded;
    order->state.size = replication_state_write(context->staged, self->encoded, sizeof self->encoded);
    order->durable = context->staged->phase == PHASE_FOLLOWING || now - context->durable_at >= DURABLE_PERIOD;
    if (order->durable)
        context->durable_at = now;
}

static void schedule(struct replication *self, struct context *context, int64_t now)
{
    int64_t period = self->limits.increment_period;
    context->due = now + (context == &self->contexts[0] ? period : 10 * period);
}

/* What was staged is in force. */
static void adopt(struct replication *self, int64_t now)
{
    struct context *context = &self->contexts[self->whose];
    enum replication_phase before = context->state->phase;
    struct replication_state *old = context->state;
    context->state = context->staged;
    context->staged = old;
    if (context->state->phase == PHASE_FOLLOWING && before == PHASE_FOLLOWING) {
        self->status.increments++;
        self->status.last_increment = now;
    }
    if (context->state->phase == PHASE_FOLLOWING && before == PHASE_SWEEPING) {
        self->status.passes++;
        if (self->whose == 0)
            self->status.pass_ended = now;
        self->status.last_increment = now;
        reconcile_by(context, now + (context->searches_blind ? self->limits.reconciliation_period
                                                             : self->limits.settle_period));
    }
    if (self->ahead) {
        self->turn = TURN_ANSWER;
        self->turn_objects = 0;
        self->ahead = false;
        return;
    }
    if (context->state->phase == PHASE_SWEEPING) {
        self->turn = TURN_SWEEP;
        return;
    }
    self->in_turn = false;
    if (context->state->phase == PHASE_FOLLOWING && !context->again)
        schedule(self, context, now);
    else
        context->due = now;
}

void replication_committed(struct replication *self, bool kept, int64_t now)
{
    if (!kept) {
        raise_issue(self, DIRECTORY_STORE_FULL, "the entity store does not take what was read");
        self->uncommitted = 0;
        drop_question(self);
        back_off(self, now);
        self->status.errors++;
        return;
    }
    clear_issue(self, DIRECTORY_STORE_FULL);
    self->uncommitted = 0;
    if (!self->commit_is_state) {
        if (self->in_turn && self->turn == TURN_SWEPT)
            self->turn = TURN_SWEEP;
        return;
    }
    struct context *context = &self->contexts[self->whose];
    context->committed_at = now;
    context->commit_always = false;
    adopt(self, now);
}

void replication_swept(struct replication *self, uint32_t count, int64_t now)
{
    struct context *context = &self->contexts[self->whose];
    self->uncommitted += count;
    self->status.applied += count;
    self->status.removed += count;
    if (count)
        self->status.last_change = now;
    if (count >= SWEEP_LIMIT) {
        self->turn = TURN_SWEPT;
        return;
    }
    struct replication_state *staged = stage(context);
    staged->phase = PHASE_FOLLOWING;
    context->commit_always = true;
    self->turn = TURN_COMMIT;
}

/* -- comparing with the directory ------------------------------------------------------------------- */

static void begin_comparing(struct replication *self, unsigned c, int64_t now)
{
    struct context *context = &self->contexts[c];
    self->comparing = COMPARE_PAGES;
    self->compared = c;
    self->compare_whole = context->deletions_seen || !context->whole_at ||
                          now - context->whole_at >= self->limits.reconciliation_period;
    self->mismatches = 0;
    self->compare_page.size = 0;
    self->compare_crowded = self->proven = self->sifting = false;
    self->proofs = self->sifted_count = 0;
    reconciliation_begin(&self->reconciliation);
}

static void end_comparing(struct replication *self, int64_t now)
{
    struct context *context = &self->contexts[self->compared];
    self->comparing = COMPARE_NOT;
    reconciliation_end(&self->reconciliation);
    self->status.mismatches += self->mismatches;
    if (self->compare_whole) {
        context->shown_less = false;
        self->status.reconciliations++;
        context->mismatches = self->mismatches;
        context->whole_at = now;
    }
    context->reconcile_due =
        now + (context->deletions_seen ? self->limits.reconciliation_period : self->limits.unseen_period);
}

void replication_held(struct replication *self, const struct guid *guid)
{
    self->listed = *guid;
    if (self->comparing == COMPARE_LIST && !reconciliation_has(&self->reconciliation, guid))
        suspect(self, guid);
}

void replication_listed(struct replication *self, bool more, int64_t now)
{
    if (self->comparing == COMPARE_LIST && !more)
        freshen(self, now);
}

static bool must_prove(const struct replication *self)
{
    const struct context *context = &self->contexts[self->compared];
    return !self->proven && self->proofs < PROOFS_MAX && context->state->method == DIRECTORY_DIRSYNC &&
           !context->object_security;
}

static void mend(struct replication *self, struct replication_order *order)
{
    take_sifted(self);
    self->sifted_count = 0;
    self->proofs++;
    self->proven = false;
    ask_batch(self, self->compared, false, order);
}

/* The next step of it; false: nothing to do before the increment that it waits for. */
static bool compare(struct replication *self, int64_t now, struct replication_order *order)
{
    if (self->comparing == COMPARE_PAGES) {
        ask_all(self, order);
        return true;
    }
    if (self->comparing == COMPARE_LIST) {
        order->act = REPLICATION_LIST;
        order->context = self->asking = self->compared;
        order->after = self->listed;
        order->limit = LIST_LIMIT;
        return true;
    }
    if (self->comparing == COMPARE_FRESHEN)
        self->comparing = COMPARE_MEND;
    if (self->sifted_count) {
        if (must_prove(self))
            ask_proof(self, order);
        else if (self->compare_crowded)
            pass_anew(self, self->compared, now); /* everything read again is less work */
        else
            mend(self, order);
        return self->question != ASKED_NOTHING;
    }
    if (hash_table_count(self->suspects)) {
        choose_batch(self, self->suspects);
        self->sifting = true;
        ask_batch(self, self->compared, false, order);
        return true;
    }
    end_comparing(self, now);
    return false;
}

/* -- what is next ----------------------------------------------------------------------------------- */

static void wait_until(struct replication_order *order, int64_t until)
{
    order->act = REPLICATION_WAIT;
    order->until = until;
}

static void give_notice(struct replication *self, struct replication_order *order)
{
    order->act = self->notices[0].act;
    order->issue = self->notices[0].issue;
    snprintf(self->reason, sizeof self->reason, "%s", self->notices[0].reason);
    order->reason = self->reason;
    memmove(&self->notices[0], &self->notices[1], --self->notice_count * sizeof self->notices[0]);
}

/* Of a full pass several pages go into one commit: each rewrites much of the store's indexes. */
static bool worth_a_commit(const struct replication *self, const struct context *context, int64_t now)
{
    if (context->commit_always || context->staged->phase != context->state->phase)
        return true;
    if (context->staged->phase == PHASE_PASSING)
        return self->uncommitted >= self->limits.chunk || now - context->committed_at >= PASS_COMMIT_PERIOD;
    return self->uncommitted || now - context->committed_at >= QUIET_COMMIT_PERIOD;
}

/* While an answer comes: only commits. */
static void next_meanwhile(struct replication *self, int64_t now, struct replication_order *order)
{
    struct context *context = &self->contexts[self->whose];
    if (self->ahead && !worth_a_commit(self, context, now))
        adopt(self, now);
    if (self->ahead)
        order_commit(self, true, now, order);
    else if (self->uncommitted >= self->limits.chunk)
        order_commit(self, false, now, order);
    else
        wait_until(order, INT64_MAX);
}

static void begin_turn(struct replication *self, unsigned c)
{
    struct context *context = &self->contexts[c];
    struct replication_state *state = context->state;
    enum directory_method method =
        self->peer.dirsync && !context->dirsync_refused ? DIRECTORY_DIRSYNC : DIRECTORY_USN;
    if (state->phase == PHASE_FOLLOWING && method != state->method)
        begin_pass(self, c, context->due);
    if (state->phase == PHASE_PASSING && method != state->method)
        state->cookie_size = 0;
    state->method = method;
    self->in_turn = true;
    self->whose = c;
    self->ahead = false;
    self->turn_objects = 0;
    forget_page(self);
    if (state->phase == PHASE_SWEEPING)
        self->turn = TURN_SWEEP;
    else if (method == DIRECTORY_USN ||
             (state->phase == PHASE_PASSING && (!state->pass_usn || state->slice_width)))
        self->turn = TURN_ROOT_BEFORE;
    else
        self->turn = TURN_ASK;
}

/* The page is whole: the next one is asked for first, so that the directory works while the store does. */
static bool asks_ahead(struct replication *self, struct replication_order *order)
{
    const struct replication_state *staged = self->contexts[self->whose].staged;
    if (self->ahead || staged->phase != PHASE_PASSING || staged->method != DIRECTORY_DIRSYNC ||
        staged->slice_width)
        return false;
    self->ahead = true;
    ask_dirsync(self, self->whose, staged, order);
    return true;
}

static void next_in_turn(struct replication *self, int64_t now, struct replication_order *order)
{
    unsigned c = self->whose;
    struct context *context = &self->contexts[c];
    switch (self->turn) {
    case TURN_ROOT_BEFORE:
    case TURN_ROOT_AFTER:
        ask_root(self, c, order);
        return;
    case TURN_ANSWER:
    case TURN_ASK:
        self->turn = TURN_ANSWER;
        if (context->state->method == DIRECTORY_DIRSYNC)
            ask_dirsync(self, c, context->state, order);
        else
            ask_changed(self, c, order);
        return;
    case TURN_SWEEP:
        order->act = REPLICATION_SWEEP;
        order->context = c;
        order->pass = context->state->pass;
        order->limit = SWEEP_LIMIT;
        return;
    case TURN_SWEPT:
        order_commit(self, false, now, order);
        return;
    case TURN_COMMIT:
        break;
    }
    if (asks_ahead(self, order))
        return;
    if (worth_a_commit(self, context, now)) {
        order_commit(self, true, now, order);
        return;
    }
    adopt(self, now);
    replication_next(self, now, order);
}

/* Increments before everything else, comparing when nothing else is due. */
static void next_at_leisure(struct replication *self, int64_t now, struct replication_order *order)
{
    int64_t until = INT64_MAX;
    for (unsigned c = 0; c < REPLICATION_CONTEXTS; c++) {
        struct context *context = &self->contexts[c];
        if (!context->used)
            continue;
        if (!context->probed) {
            ask_deleted(self, c, order);
            return;
        }
        if (context->due <= now) {
            begin_turn(self, c);
            next_in_turn(self, now, order);
            return;
        }
        until = context->due < until ? context->due : until;
    }
    for (unsigned c = 0; c < REPLICATION_CONTEXTS && !self->comparing; c++) {
        struct context *context = &self->contexts[c];
        if (!context->used || context->state->phase != PHASE_FOLLOWING)
            continue;
        if (context->reconcile_due <= now && context->searches_blind) {
            begin_pass(self, c, now);
            begin_turn(self, c);
            next_in_turn(self, now, order);
            return;
        }
        if (context->reconcile_due <= now)
            begin_comparing(self, c, now);
        else if (context->reconcile_due < until)
            until = context->reconcile_due;
    }
    if (self->comparing && compare(self, now, order))
        return;
    wait_until(order, until);
}

void replication_next(struct replication *self, int64_t now, struct replication_order *order)
{
    memset(order, 0, sizeof *order);
    if (self->notice_count) {
        give_notice(self, order);
    } else if (self->abandon) {
        self->abandon = false;
        order->act = REPLICATION_ABANDON;
    } else if (self->question != ASKED_NOTHING) {
        next_meanwhile(self, now, order);
    } else if (self->bound && now >= self->retry_at && (self->ranging || hash_table_count(self->ranges))) {
        ask_range(self, order);
    } else if (self->bound && now >= self->retry_at && hash_table_count(self->later)) {
        ask_later(self, order);
    } else if (self->bound && now >= self->retry_at && self->in_turn) {
        next_in_turn(self, now, order);
    } else if (self->uncommitted) {
        order_commit(self, false, now, order);
    } else if (!self->bound) {
        wait_until(order, INT64_MAX);
    } else if (now < self->retry_at) {
        wait_until(order, self->retry_at);
    } else {
        next_at_leisure(self, now, order);
    }
}

/* -- what is told ------------------------------------------------------------------------------------ */

void replication_status(const struct replication *self, struct replication_status *status)
{
    *status = self->status;
    const struct context *domain = &self->contexts[0];
    status->bound = self->bound;
    status->method = domain->state->method;
    status->applied_usn = domain->state->usn;
    status->complete = domain->used;
    status->last_reconciled = domain->whole_at;
    for (unsigned c = 0; c < REPLICATION_CONTEXTS; c++) {
        const struct context *context = &self->contexts[c];
        if (!context->used)
            continue;
        status->complete &= context->state->phase == PHASE_FOLLOWING;
        status->passing |= context->state->phase != PHASE_FOLLOWING;
        status->last_mismatches += context->mismatches;
        if (context->whole_at < status->last_reconciled)
            status->last_reconciled = context->whole_at;
    }
}

size_t replication_point(const struct replication *self, uint8_t to[REPLICATION_POINT_MAX])
{
    const struct replication_state *state = self->contexts[0].state;
    if (state->phase != PHASE_FOLLOWING)
        return 0;
    return replication_point_write(state, to, REPLICATION_POINT_MAX);
}
