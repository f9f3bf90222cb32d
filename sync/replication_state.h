/* SPDX-License-Identifier: Apache-2.0
 *
 * What replication keeps of one naming context between runs, beside the entities and in the same commit. Not
 * for callers of sync/replication.h.
 */
#pragma once

#include "base/msgpack.h"
#include "sync/replication.h"

#define REPLICATION_COOKIE_MAX      (64u * 1024u)
#define REPLICATION_CONTROLLERS_MAX 64u

enum replication_phase {
    PHASE_NEW,       /* nothing is known */
    PHASE_PASSING,   /* a full pass is under way */
    PHASE_SWEEPING,  /* it has ended; what it did not tell is to go */
    PHASE_FOLLOWING, /* complete: increments */
};

/* A domain controller by its name, with the database that it had: another one under the same name was
 * restored or made anew. */
struct replication_controller {
    char name[256];
    uint8_t invocation_id[16];
    uint64_t usn; /* the highest it ever said to have committed */
};

struct replication_state {
    enum replication_phase phase;
    enum directory_method method;
    bool object_security;      /* DirSync without the right: only what the account may read */
    uint32_t pass;             /* number of the last full pass */
    uint8_t invocation_id[16]; /* of the database that the rest speaks of */
    uint64_t usn;              /* all that it committed up to here is applied */
    uint64_t pass_usn;         /* what it had committed when the pass began */
    uint64_t slice_at;         /* uSNCreated from which the pass goes on */
    uint64_t slice_width;      /* 0: the pass is not sliced */
    uint32_t cookie_size;
    uint8_t cookie[REPLICATION_COOKIE_MAX];
    uint32_t controller_count;
    struct replication_controller controllers[REPLICATION_CONTROLLERS_MAX];
};

/* The bytes written, 0 when they do not fit. */
size_t replication_state_write(const struct replication_state *state, uint8_t *to, size_t capacity);
/* False when they are damaged or of another version: begin anew. */
bool replication_state_read(struct bytes from, struct replication_state *state);

/* The entry of a name; a new one takes the place of the first when all are taken. */
struct replication_controller *replication_state_controller(struct replication_state *state,
                                                            const char *name);

/* A resume point: the cookie goes with it when it fits. */
size_t replication_point_write(const struct replication_state *state, uint8_t *to, size_t capacity);
