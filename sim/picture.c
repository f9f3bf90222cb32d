/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/picture.h"

#include <stdlib.h>
#include <string.h>

#include "sim/vector.h"

#define OPEN INT64_MAX

struct picture *picture_new(int64_t length)
{
    struct picture *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->length = length;
    self->sample_period = length / PICTURE_SAMPLES + 1;
    if (self->sample_period < 1000)
        self->sample_period = 1000;
    memset(self->converged, 0xff, sizeof self->converged);
    memset(self->running, 0xff, sizeof self->running);
    for (unsigned i = 0; i < PICTURE_DOMAINS; i++)
        memset(self->domains[i].fresh, 0xff, sizeof self->domains[i].fresh);
    return self;
}

void picture_destroy(struct picture **picture)
{
    struct picture *self = *picture;
    if (!self)
        return;
    for (unsigned i = 0; i < PICTURE_DOMAINS; i++)
        free(self->domains[i].holds);
    for (unsigned i = 0; i < self->lane_count; i++)
        free(self->lanes[i].spans);
    free(self->lanes);
    free(self);
    *picture = NULL;
}

void picture_hold(struct picture *picture, unsigned domain, int64_t at, uint32_t node, bool claims,
                  bool settled, uint64_t term)
{
    struct picture_domain *d = &picture->domains[domain];
    for (unsigned i = d->count; i > 0; i--) {
        struct picture_hold *hold = &d->holds[i - 1];
        if (hold->node != node || hold->to != OPEN)
            continue;
        if (claims && hold->settled == settled && hold->term == term)
            return;
        hold->to = at;
        break;
    }
    if (!claims || !vector_room((void **)&d->holds, d->count, &d->capacity, PICTURE_SPANS, sizeof *d->holds))
        return;
    d->holds[d->count++] =
        (struct picture_hold){.from = at, .to = OPEN, .node = node, .term = term, .settled = settled};
}

void picture_sleep(struct picture *picture, int64_t at, uint32_t node, bool asleep)
{
    for (unsigned i = 0; i < PICTURE_DOMAINS; i++) {
        struct picture_domain *d = &picture->domains[i];
        for (unsigned j = d->count; j > 0; j--) {
            struct picture_hold hold = d->holds[j - 1];
            if (hold.node != node || hold.to != OPEN || hold.asleep == asleep)
                continue;
            d->holds[j - 1].to = at;
            hold.from = at;
            hold.asleep = asleep;
            if (vector_room((void **)&d->holds, d->count, &d->capacity, PICTURE_SPANS, sizeof *d->holds))
                d->holds[d->count++] = hold;
            break;
        }
    }
}

/* The lane of that label, made when there is none; NULL: there are too many. */
static struct picture_lane *lane_of(struct picture *picture, const char *label)
{
    for (unsigned i = 0; i < picture->lane_count; i++)
        if (strncmp(picture->lanes[i].label, label, PICTURE_LABEL - 1) == 0)
            return &picture->lanes[i];
    if (!vector_room((void **)&picture->lanes, picture->lane_count, &picture->lane_capacity, PICTURE_LANES,
                     sizeof *picture->lanes))
        return NULL;
    struct picture_lane *lane = &picture->lanes[picture->lane_count++];
    *lane = (struct picture_lane){0};
    snprintf(lane->label, sizeof lane->label, "%s", label);
    return lane;
}

void picture_add_span(struct picture *picture, const char *label, enum picture_kind kind, int64_t from,
                      int64_t to)
{
    struct picture_lane *lane = lane_of(picture, label);
    if (!lane ||
        !vector_room((void **)&lane->spans, lane->count, &lane->capacity, PICTURE_SPANS, sizeof *lane->spans))
        return;
    lane->spans[lane->count++] = (struct picture_span){.from = from, .to = to < 0 ? OPEN : to, .kind = kind};
}

void picture_end_span(struct picture *picture, const char *label, enum picture_kind kind, int64_t at)
{
    struct picture_lane *lane = lane_of(picture, label);
    for (unsigned i = lane ? lane->count : 0; i > 0; i--) {
        struct picture_span *span = &lane->spans[i - 1];
        if (span->kind == kind && span->to == OPEN) {
            span->to = at;
            return;
        }
    }
}

void picture_finish(struct picture *picture)
{
    for (unsigned d = 0; d < picture->domain_count; d++)
        for (unsigned i = 0; i < picture->domains[d].count; i++)
            if (picture->domains[d].holds[i].to > picture->length)
                picture->domains[d].holds[i].to = picture->length;
    for (unsigned l = 0; l < picture->lane_count; l++)
        for (unsigned i = 0; i < picture->lanes[l].count; i++)
            if (picture->lanes[l].spans[i].to > picture->length)
                picture->lanes[l].spans[i].to = picture->length;
}
