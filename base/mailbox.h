/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue of things to do on another thread: any thread posts, one takes. Its descriptor wakes that one from
 * poll(). Intrusive: nothing is allocated, the sender owns the mail until it is posted, the taker from then
 * on.
 */
#pragma once

#include <stdbool.h>

struct mail {
    struct mail *next;
    /* Called by the taker on its own thread; `owner` is NULL when it is ending and only the mail's memory is
     * to be cared for. Frees or hands on the mail. */
    void (*run)(struct mail *mail, void *owner);
};

struct mailbox;

/* NULL without memory or descriptors. */
struct mailbox *mailbox_new(void);
/* Nobody may use it any more; mail that is left is run with a NULL owner. */
void mailbox_destroy(struct mailbox **mailbox);

/* Becomes readable when there is mail. */
int mailbox_descriptor(const struct mailbox *mailbox);

/* Any thread. False when the mailbox is closed: the mail is still the sender's. */
bool mailbox_post(struct mailbox *mailbox, struct mail *mail);

/* The taker: runs all that is there, in the order in which it was posted. */
void mailbox_run(struct mailbox *mailbox, void *owner);

/* The taker: no more mail from now on; what is left is run with a NULL owner. */
void mailbox_close(struct mailbox *mailbox);
