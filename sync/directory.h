/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory's part of a node: a thread for each domain that replicates it while this node is its
 * synchronizer and looks entities up always, over the one entity store. What the cluster, the CLI and the
 * capture ask of it.
 */
#pragma once

#include "sync/entity_batch.h"
#include "sync/entity_store.h"
#include "sync/ldap_client.h"
#include "sync/lookup.h"

#define DIRECTORY_DOMAINS_MAX 16u

struct directory_config {
    struct ldap_client_config domains[DIRECTORY_DOMAINS_MAX];
    unsigned domain_count;
    struct entity_store_config store;
    int64_t increment_period;      /* ns between two increments: 1 s */
    int64_t reconciliation_period; /* ns: 6 h */
    struct lookup_limits lookup;
    struct yielding *yielding; /* replication stands back as it says, look-ups never; NULL: it does not */
};

enum directory_mode { DIRECTORY_REACTIVE, DIRECTORY_PROACTIVE };

enum directory_method { DIRECTORY_DIRSYNC, DIRECTORY_USN };

/* How a domain's replication stands: `picket sync`, and what is gossiped of it. Times are wall ns, 0: never.
 */
struct directory_progress {
    char domain[256];
    enum directory_mode mode;
    enum directory_method method;
    char controller[256];      /* bound to; "": none */
    struct ip_address address; /* its */
    char reason[160];          /* why it is not bound, or what fails */
    bool reachable;
    bool passing;           /* a full pass is under way */
    uint64_t pass_objects;  /* of it */
    uint64_t pass_expected; /* estimate; 0: none */
    double rate;            /* objects/s, over the last 10 s of the pass */
    int64_t full_pass_began, full_pass_ended, last_increment, last_change, last_reconciled;
    uint64_t lag_usn;                            /* highestCommittedUSN of the controller - what is applied */
    int64_t lag;                                 /* ns since the last increment that was answered */
    uint64_t applied, removed, refused, batches; /* since the start */
    uint64_t mismatches;                         /* that the last reconciliation found (and mended) */
    uint64_t errors;
    char last_error[160];
    struct entity_counts counts;
};

enum directory_issue {
    DIRECTORY_NO_RIGHT,         /* "Replicating Directory Changes" is not granted: less is seen */
    DIRECTORY_DELETIONS_UNSEEN, /* deleted objects may not be read: deletions are found by comparing */
    DIRECTORY_REFUSES,          /* the directory refuses what is asked */
    DIRECTORY_TOO_LARGE,        /* beyond the bounds: something is not replicated */
    DIRECTORY_STORE_FULL,       /* the entity store, or the node's spool, does not take what comes */
    DIRECTORY_UNREACHABLE,      /* no domain controller answers */
    DIRECTORY_ACCOUNTS_REFUSED, /* every account was refused: none is tried before its file changes */
    DIRECTORY_ISSUES
};
const char *directory_issue_name(enum directory_issue issue); /* NULL past the last */

/* Called from the directory's threads. */
struct directory_callbacks {
    /* Keep this batch of entities (a frame of sync/entity_batch.h, which bears token and sequence) safely
     * before returning true: the commit that follows lets the directory forget it. */
    bool (*batch)(void *context, const struct sync_token *token, uint64_t sequence, struct bytes batch);
    /* Something worth telling the fleet changed (at most once a second). */
    void (*progress)(void *context, const struct directory_progress *progress);
    /* A resume point for the next synchronizer: opaque, at most 1,024 bytes, no secret. */
    void (*resume_point)(void *context, const char *domain, struct bytes point);
    /* A health issue comes or goes. */
    void (*health)(void *context, const char *domain, enum directory_issue issue, bool raised,
                   const char *text);
    /* A reactive look-up ended: the entity's GUID, or NULL when the directory has no such. */
    void (*looked_up)(void *context, const struct lookup_key *key, const struct guid *found);
    void *context;
};

struct directory;

/* Opens the store, dials nothing yet. NULL with the reason. Strings of the configuration must outlive it. */
struct directory *directory_new(const struct directory_config *config,
                                const struct directory_callbacks *callbacks, struct fault *fault);
bool directory_start(struct directory *directory, struct fault *fault);
/* Within a second; what was under way goes on from its last commit at the next start. */
void directory_stop(struct directory *directory);
void directory_destroy(struct directory **directory);

/* --- any thread, none blocks --- */

/* Elected: replicate. `resume` (may be empty) is what a predecessor gossiped. */
void directory_synchronize(struct directory *directory, const struct sync_token *token, struct bytes resume);
/* Deposed or yielded: no batch with the token after this call has returned. */
void directory_desist(struct directory *directory, const char *domain);
bool directory_reachable(struct directory *directory, const char *domain);

/* Asks for what the store lacks; false when the queue is full or the key was just asked in vain. */
bool directory_look_up(struct directory *directory, const struct lookup_key *key,
                       enum lookup_priority priority);

/* Reconcile now. */
void directory_reconcile(struct directory *directory, const char *domain);

bool directory_progress(struct directory *directory, unsigned i, struct directory_progress *progress);
struct entity_store *directory_store(struct directory *directory);
