/* SPDX-License-Identifier: Apache-2.0 */
#include "center/fleet.h"

#include "base/clock.h"
#include "base/hash_table.h"
#include "cluster/crypto_sodium.h"
#include "cluster/fleet_view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TELLERS_MAX 32768u
#define BYTES_MAX   ((size_t)128 << 20) /* of all views */
#define MEMBERS_MAX 12000u              /* shown */
#define STALE       (30 * CLOCK_SECOND) /* three times as long as nodes wait between views */

/* What a node told last. */
struct teller {
    char name[NAME_MAX_SIZE];
    int64_t told; /* wall ns */
    uint8_t *view;
    size_t size;
    unsigned members; /* in it */
};

struct fleet {
    pthread_mutex_t lock;
    struct hash_table *tellers; /* struct node_id -> struct teller */
    size_t bytes;
};

struct fleet *fleet_new(void)
{
    uint64_t seed;
    struct fleet *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    crypto_random(&seed, sizeof(seed));
    pthread_mutex_init(&self->lock, NULL);
    self->tellers = hash_table_new(TELLERS_MAX, NODE_ID_SIZE, sizeof(struct teller), seed);
    if (!self->tellers)
        fleet_destroy(&self);
    return self;
}

void fleet_destroy(struct fleet **fleet)
{
    struct fleet *self = *fleet;
    uint32_t at = 0;
    const void *key;
    void *value;
    if (!self)
        return;
    while (self->tellers && hash_table_next(self->tellers, &at, &key, &value))
        free(((struct teller *)value)->view);
    hash_table_destroy(&self->tellers);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *fleet = NULL;
}

/* Under the lock. */
static bool keep(struct fleet *self, const struct node_id *node, const struct teller *news)
{
    const struct teller *before = hash_table_find(self->tellers, node->bytes);
    size_t bytes = self->bytes - (before ? before->size : 0) + news->size;
    struct teller *teller = bytes <= BYTES_MAX ? hash_table_insert(self->tellers, node->bytes, NULL) : NULL;
    if (!teller)
        return false;
    free(teller->view);
    *teller = *news;
    self->bytes = bytes;
    return true;
}

bool fleet_tell(struct fleet *self, const struct node_id *node, const char *name, int64_t now,
                struct bytes view)
{
    struct fleet_view read;
    struct teller teller = {.told = now, .size = view.size};
    if (!fleet_view_read(&read, view, NULL) || !(teller.view = malloc(view.size)))
        return false;
    memcpy(teller.view, view.data, view.size);
    teller.members = read.member_count;
    snprintf(teller.name, sizeof(teller.name), "%s", name);
    pthread_mutex_lock(&self->lock);
    bool kept = keep(self, node, &teller);
    pthread_mutex_unlock(&self->lock);
    if (!kept)
        free(teller.view);
    return kept;
}

/* -- put together ---------------------------------------------------------------------------------------- */

struct told_domain {
    struct fleet_domain domain;
    int64_t told, heard; /* wall ns; heard 0: never */
    char teller[NAME_MAX_SIZE];
    unsigned others; /* newer views that name another holder */
};

struct told_member {
    struct node_id id;
    struct fleet_member member;
    int64_t told, heard;
    char teller[NAME_MAX_SIZE];
};

struct summing {
    const struct fleet_filter *filter;
    int64_t now;
    const struct teller *teller;
    struct hash_table *members; /* struct node_id -> struct told_member */
    struct told_domain domains[FLEET_VIEW_DOMAINS];
    unsigned domain_count, left_out;
};

static int64_t heard_at(int64_t told, int64_t silent_ms)
{
    return silent_ms < 0 || silent_ms > told / CLOCK_MILLISECOND ? 0 : told - silent_ms * CLOCK_MILLISECOND;
}

static bool is_stale(const struct summing *sum, int64_t told)
{
    return sum->now - told > STALE;
}

static struct told_domain *domain_of(struct summing *sum, const char *name)
{
    for (unsigned i = 0; i < sum->domain_count; i++)
        if (strcmp(sum->domains[i].domain.domain, name) == 0)
            return &sum->domains[i];
    if (sum->domain_count == FLEET_VIEW_DOMAINS) {
        sum->left_out++;
        return NULL;
    }
    return &sum->domains[sum->domain_count++];
}

static bool knows_more(const struct told_domain *a, const struct told_domain *b)
{
    if (a->domain.term != b->domain.term)
        return a->domain.term > b->domain.term;
    return a->heard != b->heard ? a->heard > b->heard : a->told > b->told;
}

static void sum_domain(void *context, const struct fleet_domain *domain)
{
    struct summing *sum = context;
    struct told_domain news = {
        .domain = *domain, .told = sum->teller->told, .heard = heard_at(sum->teller->told, domain->silent)};
    struct told_domain *best = domain_of(sum, domain->domain);
    if (!best)
        return;
    memcpy(news.teller, sum->teller->name, sizeof(news.teller));
    if (best->told == 0 || knows_more(&news, best))
        *best = news;
}

/* Who sees another holder, now that it is known whose view counts. */
static void count_others(void *context, const struct fleet_domain *domain)
{
    struct summing *sum = context;
    struct told_domain *best = domain_of(sum, domain->domain);
    if (best && best->told && !is_stale(sum, sum->teller->told) && !node_id_is_zero(&domain->holder) &&
        !node_id_equal(&best->domain.holder, &domain->holder))
        best->others++;
}

static void sum_member(void *context, const struct fleet_member *member)
{
    struct summing *sum = context;
    int64_t told = sum->teller->told, heard = heard_at(told, member->silent);
    bool is_new;
    if (!sum->filter->shows(sum->filter->context, &member->id))
        return;
    struct told_member *best = hash_table_insert(sum->members, member->id.bytes, &is_new);
    if (!best) {
        sum->left_out++;
        return;
    }
    if (!is_new && (best->heard > heard || (best->heard == heard && best->told >= told)))
        return;
    *best = (struct told_member){.id = member->id, .member = *member, .told = told, .heard = heard};
    memcpy(best->teller, sum->teller->name, sizeof(best->teller));
}

/* Visits what all whose word may be shown have told. */
static void visit(const struct fleet *self, struct summing *sum, const struct fleet_view_visitor *visitor,
                  void (*each)(struct summing *sum, const struct fleet_view *view, void *to), void *to)
{
    uint32_t at = 0;
    const void *key;
    void *value;
    struct fleet_view view;
    while (hash_table_next(self->tellers, &at, &key, &value)) {
        struct node_id id;
        memcpy(id.bytes, key, NODE_ID_SIZE);
        if (!sum->filter->shows(sum->filter->context, &id))
            continue;
        sum->teller = value;
        fleet_view_read(&view, (struct bytes){sum->teller->view, sum->teller->size}, visitor);
        if (each)
            each(sum, &view, to);
    }
}

/* -- told ------------------------------------------------------------------------------------------------ */

static void write_time(struct json_writer *w, const char *key, int64_t ns)
{
    json_write_time(w, key, ns / CLOCK_MILLISECOND);
}

static void write_id(struct json_writer *w, const char *key, const struct node_id *id)
{
    char text[NODE_ID_TEXT_SIZE];
    json_write_string(w, key, node_id_is_zero(id) ? NULL : node_id_text(id, text));
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static void write_view(struct summing *sum, const struct fleet_view *view, void *to)
{
    struct json_writer *w = to;
    json_write_object(w, NULL);
    json_write_string(w, "node", sum->teller->name);
    write_time(w, "told", sum->teller->told);
    json_write_bool(w, "stale", is_stale(sum, sum->teller->told));
    json_write_uint(w, "members", view->members);
    json_write_uint(w, "online", view->online);
    json_write_uint(w, "offline", view->offline);
    json_write_uint(w, "left", view->left);
    json_write_uint(w, "revoked", view->revoked);
    json_write_uint(w, "neighbours", view->neighbours);
    json_write_bool(w, "tells_members", view->tells_members);
    json_write_close(w);
}

static void write_domain(struct json_writer *w, const struct summing *sum, const struct told_domain *told)
{
    const struct fleet_domain *domain = &told->domain;
    json_write_object(w, NULL);
    json_write_string(w, "domain", domain->domain);
    json_write_string(w, "state", domain->state);
    json_write_string(w, "synchronizer", or_null(domain->holder_name));
    write_id(w, "synchronizer_id", &domain->holder);
    json_write_uint(w, "term", domain->term);
    json_write_uint(w, "support", domain->support);
    json_write_bool(w, "settled", domain->settled);
    json_write_time(w, "since", (int64_t)domain->since);
    write_time(w, "heard", told->heard);
    json_write_uint(w, "candidates", domain->candidates);
    json_write_uint(w, "candidates_online", domain->candidates_online);
    json_write_string(w, "told_by", told->teller);
    write_time(w, "told", told->told);
    json_write_bool(w, "stale", is_stale(sum, told->told));
    json_write_uint(w, "others", told->others);
    json_write_close(w);
}

static void write_holds(struct json_writer *w, const struct summing *sum, const struct node_id *id)
{
    json_write_array(w, "synchronizes");
    for (unsigned i = 0; i < sum->domain_count; i++)
        if (sum->domains[i].domain.settled && node_id_equal(&sum->domains[i].domain.holder, id))
            json_write_string(w, NULL, sum->domains[i].domain.domain);
    json_write_close(w);
}

static void write_member(struct json_writer *w, const struct summing *sum, const struct told_member *told)
{
    const struct fleet_member *member = &told->member;
    json_write_object(w, NULL);
    write_id(w, "id", &told->id);
    json_write_string(w, "name", member->name);
    json_write_string(w, "site", member->site);
    json_write_string(w, "mode", member->standalone ? "standalone" : "sensor");
    json_write_string(w, "state", member->state);
    json_write_time(w, "since", (int64_t)member->since);
    write_time(w, "heard", told->heard);
    json_write_string(w, "version", or_null(member->version));
    json_write_time(w, "started", (int64_t)member->started * 1000);
    write_holds(w, sum, &told->id);
    json_write_string(w, "told_by", told->teller);
    write_time(w, "told", told->told);
    json_write_bool(w, "stale", is_stale(sum, told->told));
    json_write_close(w);
}

static int by_name(const void *a, const void *b)
{
    const struct told_member *const *left = a, *const *right = b;
    int order = strcmp((*left)->member.name, (*right)->member.name);
    return order ? order : memcmp((*left)->id.bytes, (*right)->id.bytes, NODE_ID_SIZE);
}

static bool write_members(struct json_writer *w, const struct summing *sum)
{
    uint32_t count = hash_table_count(sum->members), at = 0;
    const struct told_member **sorted = calloc(count + 1, sizeof(struct told_member *));
    const void *key;
    void *value;
    if (!sorted)
        return false;
    for (uint32_t i = 0; hash_table_next(sum->members, &at, &key, &value); i++)
        sorted[i] = value;
    qsort(sorted, count, sizeof(*sorted), by_name);
    json_write_array(w, "members");
    for (uint32_t i = 0; i < count; i++)
        write_member(w, sum, sorted[i]);
    json_write_close(w);
    free(sorted);
    return true;
}

static bool write_all(const struct fleet *self, struct summing *sum, struct json_writer *w)
{
    const struct fleet_view_visitor first = {sum_domain, sum_member, sum}, second = {count_others, NULL, sum};
    json_write_array(w, "views");
    visit(self, sum, &first, write_view, w);
    json_write_close(w);
    visit(self, sum, &second, NULL, NULL);
    json_write_array(w, "domains");
    for (unsigned i = 0; i < sum->domain_count; i++)
        write_domain(w, sum, &sum->domains[i]);
    json_write_close(w);
    json_write_uint(w, "left_out", sum->left_out);
    return write_members(w, sum);
}

static uint32_t members_at_most(const struct fleet *self)
{
    uint32_t at = 0, count = 1;
    const void *key;
    void *value;
    while (count < MEMBERS_MAX && hash_table_next(self->tellers, &at, &key, &value))
        count += ((const struct teller *)value)->members;
    return count < MEMBERS_MAX ? count : MEMBERS_MAX;
}

bool fleet_write(struct fleet *self, const struct fleet_filter *filter, int64_t now, struct json_writer *w)
{
    uint64_t seed;
    struct summing *sum = calloc(1, sizeof(*sum));
    if (!sum)
        return false;
    crypto_random(&seed, sizeof(seed));
    *sum = (struct summing){.filter = filter, .now = now};
    pthread_mutex_lock(&self->lock);
    sum->members = hash_table_new(members_at_most(self), NODE_ID_SIZE, sizeof(struct told_member), seed);
    bool done = sum->members && write_all(self, sum, w);
    pthread_mutex_unlock(&self->lock);
    hash_table_destroy(&sum->members);
    free(sum);
    return done;
}
