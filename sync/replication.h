/* SPDX-License-Identifier: Apache-2.0
 *
 * Replication of one domain's directory: from nothing to a full copy, from there by increments, over changes
 * of the domain controller, refused rights, restored databases and interruptions at any moment, to a copy
 * that is the directory. How and why: docs/directory.md.
 *
 * Pure: connections, answers and time come in; the next thing to be done comes out (replication_next), until
 * it says to wait. What goes to the store goes through `struct replication_store` at once, as an answer's
 * bytes do not stay; it is durable with the commit that is ordered.
 */
#pragma once

#include "sync/directory.h"
#include "sync/reconciliation.h"
#include "sync/translate.h"

#define REPLICATION_CONTEXTS  2u            /* the domain's naming context, the configuration's */
#define REPLICATION_STATE_MAX (96u * 1024u) /* what is kept of one context between runs */
#define REPLICATION_POINT_MAX 1024u         /* a resume point */

struct replication_limits {
    int64_t increment_period;      /* ns: 1 s */
    int64_t reconciliation_period; /* ns: 6 h */
    int64_t settle_period; /* ns: 10 min; after a full pass or a change of the domain controller, reconcile */
    int64_t unseen_period; /* ns: 10 min; between comparisons where deletions are not seen */
    uint32_t chunk;        /* objects after which what came is committed: 20,000 */
    uint32_t page_size;    /* of a paged search: 1,000 */
    uint32_t slice_usns;   /* at least so many update sequence numbers in a part of a pass by uSNChanged:
                              65,536; a sixteenth of all when that is more */
    uint32_t dirsync_bytes; /* asked for in one answer: 4 MiB */
    bool configuration;     /* replicate the configuration context too, at first */
};
void replication_limits_init(struct replication_limits *limits);

/* What replication has of the store. Contexts are numbered as above. */
struct replication_store {
    void *to;
    /* Whether the store has this entity alive; what is not committed yet need not count. */
    bool (*known)(void *to, const struct guid *guid);
    /* Whether it has it exactly so; `change` is whole. The same freedom. */
    bool (*same)(void *to, unsigned context, const struct entity_change *change);
    enum entity_applied (*apply)(void *to, unsigned context, const struct entity_change *change,
                                 uint32_t pass);
    /* State as last committed; false: there is none. Valid until the next call. */
    bool (*state)(void *to, const char *name, struct bytes *value);
    /* The number of a full pass that begins: above all that were. */
    uint32_t (*new_pass)(void *to);
};

enum replication_act {
    REPLICATION_WAIT,    /* until `until`, or until something comes in */
    REPLICATION_ASK,     /* send `query`; then replication_asked */
    REPLICATION_ABANDON, /* the query under way, if any */
    REPLICATION_COMMIT,  /* what was applied, with `state` under `name` (size 0: without); then
                            replication_committed */
    REPLICATION_SWEEP, /* entities of `context` older than `pass`, at most `limit`; then replication_swept */
    REPLICATION_LIST,  /* replication_held for each living entity of `context`, in the order of GUIDs, from
                          behind `after` (all zero: from the first), at most `limit`; then replication_listed
                        */
    REPLICATION_FAIL_OVER, /* to another domain controller, for `reason` */
    REPLICATION_RAISE,     /* `issue`, told by `reason` */
    REPLICATION_CLEAR,
};

struct replication_order {
    enum replication_act act;
    int64_t until;
    struct ldap_query query; /* its strings live until the next call of replication_next */
    unsigned context;
    const char *name;
    struct bytes state;
    bool durable; /* the commit is to survive the machine's end */
    uint32_t pass, limit;
    struct guid after;
    enum directory_issue issue;
    const char *reason;
};

struct replication;

/* NULL without memory. `domain` (DNS name, lower case) names its state. */
struct replication *replication_new(const char *domain, const struct replication_limits *limits,
                                    const struct replication_store *store);
void replication_destroy(struct replication **self);

/* -- what comes in; `now` is monotonic ns --------------------------------------------------------- */

void replication_bound(struct replication *self, const struct ldap_peer *peer, int64_t now);
void replication_lost(struct replication *self, int64_t now);
/* Whether the configuration's context is replicated as well: from the next binding on. */
void replication_keep_configuration(struct replication *self, bool keep);
void replication_object(struct replication *self, const struct directory_object *object, int64_t now);
void replication_result(struct replication *self, const struct ldap_result *result, int64_t now);

/* Whether it could be sent. */
void replication_asked(struct replication *self, bool sent, int64_t now);
void replication_committed(struct replication *self, bool kept, int64_t now);
void replication_swept(struct replication *self, uint32_t count, int64_t now);
void replication_held(struct replication *self, const struct guid *guid);
/* `more`: the limit was reached, the last one held is where to go on. */
void replication_listed(struct replication *self, bool more, int64_t now);

/* Reconcile as soon as the copy is complete. */
void replication_reconcile(struct replication *self, int64_t now);

/* -- what comes out ------------------------------------------------------------------------------- */

void replication_next(struct replication *self, int64_t now, struct replication_order *order);

struct replication_status {
    enum directory_method method;
    bool bound;
    bool complete;         /* a full pass of every context has ended: what is missing is missing */
    bool passing;          /* one is under way */
    uint64_t pass_objects; /* that it has brought */
    uint64_t applied;      /* changes that changed something */
    uint64_t removed;      /* of those, deletions */
    uint64_t increments;   /* that were answered */
    uint64_t passes;       /* full passes that ended */
    uint64_t errors;       /* refusals, losses, malformed answers */
    uint64_t unreadable;   /* values left out */
    uint64_t reconciliations, mismatches;
    uint64_t last_mismatches;       /* of each context's last comparison */
    int64_t pass_began, pass_ended; /* of the domain's context; mono ns, 0: none, as those below */
    int64_t last_increment;
    int64_t last_change;
    int64_t last_reconciled;             /* of the context for which it is longest ago */
    uint64_t directory_usn, applied_usn; /* of the domain controller, for the domain's context */
    char error[160];                     /* the last one */
};
void replication_status(const struct replication *self, struct replication_status *status);

/* The resume point that is gossiped: which database, how far, and the cookie when it fits. Its size. */
size_t replication_point(const struct replication *self, uint8_t to[REPLICATION_POINT_MAX]);

struct replication_point {
    enum directory_method method;
    uint8_t invocation_id[16];
    uint64_t usn;
    struct bytes cookie; /* may be empty */
};
bool replication_point_read(struct bytes point, struct replication_point *to);
