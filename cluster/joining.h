/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's side of enrolment and rotation, with what must be on its disk before and after each step. The
 * driver only carries request and reply:
 *
 *     joining_begin() or joining_rotate()  ->  request  ->  enroller  ->  reply  ->  joining_finish()
 */
#pragma once

#include "cluster/enrolment.h"

struct joining {
    const struct disk *disk;
    const char *directory;
    struct identity *identity; /* the caller's, also after a failure of joining_begin() (NULL or not) */
    bool rotation;
    uint8_t request[ENROLMENT_REQUEST_MAX];
    size_t request_size;
};

/* A new node: makes its keys, or finds those that an earlier try with this token made; writes the request.
 * False when the directory holds a member's identity already, of this or another fleet, or something fails.
 * `name` may be NULL when the token tells it. */
bool joining_begin(struct joining *joining, const struct disk *disk, const char *directory,
                   const struct token *token, const char *name, struct fault *fault);

/* A member that wants a new key; `identity` stays the caller's. */
bool joining_rotate(struct joining *joining, const struct disk *disk, const char *directory,
                    struct identity *identity, struct fault *fault);

enum joining_result {
    JOINING_DONE, /* the identity has its certificate, and is on the disk with the policy and the records */
    JOINING_REFUSED, /* asking again is of no use */
    JOINING_AGAIN,   /* not now; the same request may be sent again */
};
enum joining_result joining_finish(struct joining *joining, struct bytes reply, struct fault *fault);
