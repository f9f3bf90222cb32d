/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mailbox.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    pthread_mutex_t lock;
    struct mail *first, **last;
    bool closed;
    int descriptor;
};

struct mailbox *mailbox_new(void)
{
    struct mailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (!mailbox)
        return NULL;
    mailbox->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->descriptor < 0) {
        free(mailbox);
        return NULL;
    }
    mailbox->last = &mailbox->first;
    pthread_mutex_init(&mailbox->lock, NULL);
    return mailbox;
}

int mailbox_descriptor(const struct mailbox *mailbox)
{
    return mailbox->descriptor;
}

bool mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    uint64_t one = 1;
    mail->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool open = !mailbox->closed;
    if (open) {
        *mailbox->last = mail;
        mailbox->last = &mail->next;
        /* Fails only when the count is full: then it is readable anyway. */
        ssize_t n = write(mailbox->descriptor, &one, sizeof(one));
        (void)n;
    }
    pthread_mutex_unlock(&mailbox->lock);
    return open;
}

static struct mail *take_all(struct mailbox *mailbox, bool close)
{
    uint64_t count;
    pthread_mutex_lock(&mailbox->lock);
    ssize_t n = read(mailbox->descriptor, &count, sizeof(count));
    (void)n;
    struct mail *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->closed |= close;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

static void run_all(struct mail *mail, void *owner)
{
    while (mail) {
        struct mail *next = mail->next;
        mail->run(mail, owner);
        mail = next;
    }
}

void mailbox_run(struct mailbox *mailbox, void *owner)
{
    run_all(take_all(mailbox, false), owner);
}

void mailbox_close(struct mailbox *mailbox)
{
    run_all(take_all(mailbox, true), NULL);
}

void mailbox_destroy(struct mailbox **mailbox)
{
    if (!*mailbox)
        return;
    mailbox_close(*mailbox);
    close((*mailbox)->descriptor);
    pthread_mutex_destroy(&(*mailbox)->lock);
    free(*mailbox);
    *mailbox = NULL;
}
