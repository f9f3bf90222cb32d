/* SPDX-License-Identifier: Apache-2.0 */
#include "node/view_delivery.h"

#include "base/clock.h"
#include "node/view_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* 1013: the activity kinds that most of was left out, in its sentence. */
static void say_dropped(char to[256], const struct outbox_status *outbox)
{
    unsigned most = 0;
    for (unsigned kind = 1; kind < ACTIVITY_KINDS; kind++)
        if (outbox->dropped_by_kind[kind] > outbox->dropped_by_kind[most])
            most = kind;
    snprintf(to, 256,
             "the spool is %u %% full: %" PRIu64 " activities were not kept since the start, most of them %s",
             outbox->fill, outbox->dropped, most ? activity_kind_info((enum activity_kind)most)->name : "?");
}

/* 1011 */
static void say_stuck(char to[256], const struct sender_status *sender)
{
    snprintf(to, 256, "nothing was delivered to a center for %" PRId64 " minutes: %.160s",
             sender->undelivered / CLOCK_MINUTE, *sender->fault ? sender->fault : "it does not acknowledge");
}

static void raise(struct view_delivery *view, unsigned number, const char *subject)
{
    view->issues[view->issue_count].number = number;
    view->issues[view->issue_count++].subject = subject;
}

void view_delivery_collect(struct view_delivery *view, struct outbox *outbox, struct spool *spool,
                           struct sender *sender, int64_t wall)
{
    *view = (struct view_delivery){.sends = sender != NULL};
    outbox_status(outbox, &view->outbox);
    spool_status(spool, &view->spool);
    if (outbox_is_dropping(&view->outbox, wall)) {
        say_dropped(view->issues[view->issue_count].text, &view->outbox);
        raise(view, 1013, "spool");
    }
    if (!sender)
        return;
    sender_status(sender, &view->sender);
    if (sender_is_stuck(&view->sender)) {
        say_stuck(view->issues[view->issue_count].text, &view->sender);
        raise(view, 1011, "center");
    }
}

static void write_dropped(struct json_writer *w, const struct outbox_status *outbox)
{
    json_write_uint(w, "dropped", outbox->dropped);
    json_write_object(w, "dropped_by_kind");
    for (unsigned kind = 1; kind < ACTIVITY_KINDS; kind++)
        if (outbox->dropped_by_kind[kind])
            json_write_uint(w, activity_kind_info((enum activity_kind)kind)->name,
                            outbox->dropped_by_kind[kind]);
    json_write_close(w);
}

static void write_time_or_null(struct json_writer *w, const char *key, int64_t wall)
{
    if (wall)
        json_write_time(w, key, wall / CLOCK_MILLISECOND);
    else
        json_write_null(w, key);
}

static void write_sender(struct json_writer *w, const struct sender_status *sender)
{
    json_write_string(w, "server", sender->server);
    json_write_time(w, "since", sender->since / CLOCK_MILLISECOND);
    if (*sender->fault)
        json_write_string(w, "fault", sender->fault);
    else
        json_write_null(w, "fault");
    json_write_uint(w, "sent", sender->sent);
    json_write_uint(w, "delivered_batches", sender->batches);
    json_write_uint(w, "delivered_bytes", sender->bytes);
    json_write_uint(w, "refused", sender->refused);
    json_write_uint(w, "skipped", sender->skipped);
    json_write_uint(w, "connections", sender->connections);
    json_write_uint(w, "failures", sender->failures);
    write_time_or_null(w, "last_delivered", sender->last_acknowledged);
    json_write_int(w, "undelivered_ms", sender->undelivered / CLOCK_MILLISECOND);
}

void view_delivery_write(struct json_writer *w, const struct view_delivery *view)
{
    if (!view) {
        json_write_null(w, "delivery");
        return;
    }
    json_write_object(w, "delivery");
    json_write_string(w, "state", view->sends ? sender_state_name(view->sender.state) : "no_center");
    json_write_uint(w, "activities", view->outbox.records);
    write_dropped(w, &view->outbox);
    json_write_uint(w, "spool_percent", view->outbox.fill);
    json_write_uint(w, "spool_last", view->spool.last);
    json_write_uint(w, "acknowledged", view->sends ? view->sender.acknowledged : view->spool.acknowledged);
    if (view->sends)
        write_sender(w, &view->sender);
    json_write_close(w);
}
