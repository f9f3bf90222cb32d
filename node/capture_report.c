/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture_report.h"

#include "base/clock.h"
#include "node/record_value.h"

#include <pthread.h>
#include <stdlib.h>

#define APART CLOCK_SECOND /* of reports, also while more and more is lost */

static bool is_loss(const struct capture_sums *sums)
{
    return sums->dropped || sums->kerberos_shed || sums->activities_lost;
}

bool capture_watch_step(struct capture_watch *watch, int64_t now, const struct capture_sums *sums,
                        struct capture_sums *to, int64_t *from)
{
    int64_t since = now - watch->told;
    bool first = watch->told == 0 || since < 0;
    *to = (struct capture_sums){.packets = sums->packets - watch->sums.packets,
                                .dropped = sums->dropped - watch->sums.dropped,
                                .shed = sums->shed - watch->sums.shed,
                                .kerberos_shed = sums->kerberos_shed - watch->sums.kerberos_shed,
                                .activities_lost = sums->activities_lost - watch->sums.activities_lost,
                                .blind = sums->blind || watch->sums.blind};
    bool loss = is_loss(to) || to->blind;
    bool urgent = loss && (!watch->loss || since >= APART);
    if (!first && since < CAPTURE_REPORT_PERIOD && !urgent)
        return false;
    *from = first ? 0 : watch->told;
    *watch = (struct capture_watch){.told = now, .sums = *sums, .loss = loss};
    return true;
}

/* -- of a running sensor --------------------------------------------------------------------------------- */

struct capture_reports {
    struct capture_group *group;
    struct outbox *outbox;
    atomic_uint_least64_t heard; /* the group's losses as of the last look */
    pthread_mutex_t lock;        /* of what follows */
    struct capture_watch watch;
    struct activity_writer writer;
};

struct capture_reports *capture_reports_new(struct capture_group *group, struct outbox *outbox)
{
    struct capture_reports *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->group = group;
    self->outbox = outbox;
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void capture_reports_destroy(struct capture_reports **reports)
{
    if (!*reports)
        return;
    pthread_mutex_destroy(&(*reports)->lock);
    free(*reports);
    *reports = NULL;
}

static bool is_paused(const struct capture_group *group)
{
    const struct capture_allowance *allowance = group->workers_count ? group->workers[0].allowance : NULL;
    return allowance && atomic_load_explicit(&allowance->paused, memory_order_relaxed);
}

static void collect(const struct capture_reports *self, struct capture_sums *sums)
{
    struct capture_totals totals;
    struct outbox_status status;
    capture_group_totals(self->group, &totals);
    outbox_status(self->outbox, &status);
    *sums = (struct capture_sums){.packets = totals.packets,
                                  .dropped = totals.dropped + totals.ifdropped,
                                  .kerberos_shed = totals.shed[PROTOCOL_KERBEROS].packets,
                                  .activities_lost = totals.refused,
                                  .blind = totals.absent > 0 || is_paused(self->group)};
    for (unsigned i = 0; i < PROTOCOLS; i++)
        sums->shed += totals.shed[i].packets;
    for (unsigned i = 0; i < ACTIVITY_KINDS; i++)
        if (record_value_of((enum activity_kind)i) == VALUE_HIGH)
            sums->activities_lost += status.dropped_by_kind[i];
}

static void put_some(struct activity_writer *w, enum activity_field field, uint64_t value)
{
    if (value)
        activity_put_uint(w, field, value);
}

/* Under the lock. */
static void tell(struct capture_reports *self, int64_t now, const struct capture_sums *told, int64_t from)
{
    struct activity_writer *w = &self->writer;
    activity_begin(w, ACTIVITY_CAPTURE_REPORT, now);
    if (from)
        activity_put_time(w, FIELD_CAPTURED_FROM, from);
    activity_put_uint(w, FIELD_PACKETS_CAPTURED, told->packets);
    put_some(w, FIELD_PACKETS_DROPPED, told->dropped);
    put_some(w, FIELD_PACKETS_SHED, told->shed);
    put_some(w, FIELD_KERBEROS_SHED, told->kerberos_shed);
    put_some(w, FIELD_ACTIVITIES_LOST, told->activities_lost);
    if (told->blind)
        activity_put_bool(w, FIELD_CAPTURE_BLIND, true);
    outbox_record(self->outbox, activity_finish(w), 0);
}

void capture_reports_look(struct capture_reports *self)
{
    struct capture_sums sums, told;
    int64_t from, now = clock_wall(clock_system());
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->heard, atomic_load(&self->group->losses));
    collect(self, &sums);
    if (capture_watch_step(&self->watch, now, &sums, &told, &from))
        tell(self, now, &told, from);
    pthread_mutex_unlock(&self->lock);
}

void capture_reports_hear(struct capture_reports *self)
{
    if (atomic_load_explicit(&self->group->losses, memory_order_acquire) !=
        atomic_load_explicit(&self->heard, memory_order_relaxed))
        capture_reports_look(self);
}
