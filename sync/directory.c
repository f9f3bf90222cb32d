/* SPDX-License-Identifier: Apache-2.0
 *
 * The threads: one for each domain, which owns two LDAP clients (replication, look-ups), the replication and
 * look-up cores, and its transactions in the one entity store. Other threads leave what they want under the
 * domain's lock and wake it.
 */
#include "sync/directory.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/yielding.h"
#include "sync/directory_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define RUN_BUDGET       (20 * CLOCK_MILLISECOND) /* of one client before the other's turn */
#define WRITE_MOST       CLOCK_SECOND /* with other domains, which wait for the store's one writer */
#define WRITE_MOST_ALONE (10 * CLOCK_SECOND)
#define PROGRESS_PERIOD  CLOCK_SECOND
#define POINT_PERIOD     (10 * CLOCK_SECOND)
#define EXPIRE_PERIOD    CLOCK_HOUR
#define TELL_AGAIN       (10 * CLOCK_SECOND)
#define EXPIRE_LIMIT     1000u
#define IDLE_MOST        CLOCK_SECOND

enum { DESCRIPTORS_MAX = 16, FILTER_MAX = 64 * 1024, OBJECT_ARENA = 16 << 20 };

const char *directory_issue_name(enum directory_issue issue)
{
    static const char *const names[DIRECTORY_ISSUES] = {
        [DIRECTORY_NO_RIGHT] = "no_replication_right",     [DIRECTORY_DELETIONS_UNSEEN] = "deletions_unseen",
        [DIRECTORY_REFUSES] = "directory_refuses",         [DIRECTORY_TOO_LARGE] = "directory_too_large",
        [DIRECTORY_STORE_FULL] = "entity_store_full",      [DIRECTORY_UNREACHABLE] = "directory_unreachable",
        [DIRECTORY_ACCOUNTS_REFUSED] = "accounts_refused",
    };
    return (unsigned)issue < DIRECTORY_ISSUES ? names[issue] : NULL;
}

static int64_t mono(void)
{
    return clock_monotonic(clock_system());
}

static int64_t wall(void)
{
    return clock_wall(clock_system());
}

static void wake(struct domain *domain)
{
    uint64_t one = 1;
    while (write(domain->waker, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void health(struct domain *domain, enum directory_issue issue, bool raised, const char *text)
{
    bool was = domain->raised >> issue & 1;
    if (was == raised)
        return;
    domain->raised ^= 1u << issue;
    const struct directory_callbacks *callbacks = &domain->directory->callbacks;
    if (raised)
        log_warning("%s: %s: %s", domain->name, directory_issue_name(issue), text);
    if (callbacks->health)
        callbacks->health(callbacks->context, domain->name, issue, raised, text);
}

/* -- the store ------------------------------------------------------------------------------------- */

static bool writing(struct domain *domain)
{
    if (domain->write)
        return true;
    struct fault fault = {0};
    domain->write = entity_store_begin(domain->directory->store, &fault);
    domain->write_began = mono();
    if (!domain->write)
        log_error("%s: entity store: %s", domain->name, fault.text);
    return domain->write != NULL;
}

static bool reading(struct domain *domain)
{
    struct fault fault = {0};
    if (domain->reading)
        return true;
    if (!domain->read)
        domain->read = entity_store_read_open(domain->directory->store, &fault);
    domain->reading = domain->read && entity_store_read_renew(domain->read);
    if (!domain->reading)
        log_error("%s: entity store: %s", domain->name, fault.text);
    return domain->reading;
}

static void rest(struct domain *domain)
{
    if (domain->reading)
        entity_store_read_rest(domain->read);
    domain->reading = false;
}

/* The store's number of a context, which needs a transaction once. */
static uint32_t context_number(struct domain *domain, unsigned c)
{
    struct place *place = &domain->places[c];
    if (!place->number && writing(domain))
        place->number =
            entity_store_context(domain->write, (struct bytes){(const uint8_t *)place->dn, strlen(place->dn)},
                                 (struct bytes){(const uint8_t *)place->domain, strlen(place->domain)});
    return place->number;
}

static void forget_write(struct domain *domain)
{
    if (domain->write)
        entity_store_abort(&domain->write);
    domain->batching = domain->batch_refused = false;
    domain->places[0].number = domain->places[1].number = 0;
}

static bool same_token(const struct sync_token *a, const struct sync_token *b)
{
    return a->term == b->term && a->draw == b->draw && a->incarnation == b->incarnation &&
           memcmp(a->node, b->node, sizeof a->node) == 0;
}

/* Hands a batch to the node, while the token is good. */
static void take_batch(void *context, uint64_t sequence, struct bytes frame)
{
    struct domain *domain = context;
    const struct directory_callbacks *callbacks = &domain->directory->callbacks;
    if (domain->batch_refused)
        return;
    domain->sequence = sequence;
    pthread_mutex_lock(&domain->gate);
    domain->batch_refused = !domain->elected || !same_token(&domain->token, &domain->batch_token) ||
                            !callbacks->batch(callbacks->context, &domain->batch_token, sequence, frame);
    pthread_mutex_unlock(&domain->gate);
}

static bool hand_over(struct domain *domain)
{
    if (domain->batching)
        entity_batch_end(domain->batch);
    domain->batching = false;
    return !domain->batch_refused;
}

/* What was not handed over of an earlier batch is dropped. */
static void begin_batch(struct domain *domain)
{
    if (domain->batching)
        return;
    pthread_mutex_lock(&domain->gate);
    domain->batch_token = domain->token;
    pthread_mutex_unlock(&domain->gate);
    entity_batch_begin(domain->batch, &domain->batch_token, domain->sequence + 1);
    domain->batching = true;
}

static bool make_room_for_targets(struct domain *domain, uint32_t count)
{
    if (count <= domain->targets_capacity)
        return true;
    struct guid *more = realloc(domain->targets, count * sizeof *more);
    if (!more)
        return false;
    domain->targets = more;
    domain->targets_capacity = count;
    return true;
}

/* The edges of one link that came, or of one that went. */
static void take_edges(struct domain *domain, const struct entity_change *change, enum entity_link link,
                       bool removed)
{
    bool all = change->whole_links >> link & 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < change->edge_count; i++)
        if (change->edges[i].link == link && change->edges[i].removed == removed)
            domain->targets[count++] = change->edges[i].target;
    if (!all || !removed)
        entity_batch_add_links(domain->batch, &change->guid, link,
                               removed ? ENTITY_BATCH_DROPPED
                               : all   ? ENTITY_BATCH_ALL
                                       : ENTITY_BATCH_ADDED,
                               domain->targets, count);
}

static void take_links(struct domain *domain, const struct entity_change *change)
{
    uint64_t links = change->whole_links;
    for (uint32_t i = 0; i < change->edge_count; i++)
        links |= UINT64_C(1) << change->edges[i].link;
    if (!make_room_for_targets(domain, change->edge_count)) {
        domain->refused++;
        return;
    }
    for (unsigned link = 0; link < ENTITY_LINKS; link++) {
        if (!(links >> link & 1))
            continue;
        take_edges(domain, change, (enum entity_link)link, true);
        take_edges(domain, change, (enum entity_link)link, false);
    }
}

/* The entity as it is now, and what became of its links. What only look-ups brought is every node's own
 * business. */
static void take_change(struct domain *domain, const struct entity_change *change)
{
    if (!domain->core || !domain->directory->callbacks.batch)
        return;
    begin_batch(domain);
    if (change->deleted) {
        entity_batch_remove(domain->batch, &change->guid);
        return;
    }
    if (entity_store_applied(domain->write, domain->changed))
        entity_batch_add(domain->batch, domain->changed);
    take_links(domain, change);
}

/* The changes are handed over before they are committed: a crash in between tells them twice. */
static bool commit(struct domain *domain, bool durable)
{
    struct fault fault = {0};
    if (!domain->write)
        return true;
    if (!hand_over(domain)) {
        forget_write(domain);
        return false;
    }
    bool kept = entity_store_commit(&domain->write, durable, &fault);
    if (!kept) {
        log_error("%s: entity store: %s", domain->name, fault.text);
        domain->places[0].number = domain->places[1].number = 0;
    }
    health(domain, DIRECTORY_STORE_FULL, !kept, fault.text);
    rest(domain);
    return kept;
}

static bool known(void *to, const struct guid *guid)
{
    struct domain *domain = to;
    return reading(domain) && entity_store_get(domain->read, guid, domain->entity) &&
           !domain->entity->deleted;
}

static bool same(void *to, unsigned c, const struct entity_change *change)
{
    struct domain *domain = to;
    struct entity_digest store = {0}, directory = {0};
    if (!reading(domain) || !entity_digest_add_change(&directory, change))
        return false;
    entity_store_digest(domain->read, context_number(domain, c), &change->guid, 8 * GUID_SIZE, &store);
    return entity_digest_equal(&store, &directory);
}

static enum entity_applied apply(struct domain *domain, unsigned c, const struct entity_change *change,
                                 enum entity_origin origin, uint32_t pass)
{
    uint32_t number = writing(domain) ? context_number(domain, c) : 0;
    if (!number)
        return ENTITY_REFUSED;
    enum entity_applied applied = entity_store_apply(domain->write, change, origin, number, pass, wall());
    domain->refused += applied == ENTITY_REFUSED;
    if (applied != ENTITY_UNCHANGED && applied != ENTITY_REFUSED)
        take_change(domain, change);
    return applied;
}

static enum entity_applied apply_replicated(void *to, unsigned c, const struct entity_change *change,
                                            uint32_t pass)
{
    return apply(to, c, change, ENTITY_REPLICATED, pass);
}

static bool state_of(void *to, const char *name, struct bytes *value)
{
    struct domain *domain = to;
    return reading(domain) && entity_store_state(domain->read, name, value);
}

/* Passes are numbered over the whole store. */
static uint32_t new_pass(void *to)
{
    static const char name[] = "pass";
    struct domain *domain = to;
    struct directory *directory = domain->directory;
    struct bytes value;
    uint32_t number = 0;
    if (reading(domain) && entity_store_state(domain->read, name, &value) && value.size == sizeof number)
        memcpy(&number, value.data, sizeof number);
    pthread_mutex_lock(&directory->lock);
    number = (number > directory->pass ? number : directory->pass) + 1;
    directory->pass = number;
    pthread_mutex_unlock(&directory->lock);
    if (writing(domain))
        entity_store_put_state(domain->write, name, (struct bytes){(const uint8_t *)&number, sizeof number});
    return number;
}

static void swept(void *to, const struct guid *guid)
{
    struct domain *domain = to;
    struct entity_change gone = {.guid = *guid, .deleted = true};
    take_change(domain, &gone);
}

/* -- what replication orders ----------------------------------------------------------------------- */

static bool held(void *to, const struct entity *entity)
{
    struct domain *domain = to;
    char text[2048];
    size_t size = entity_dn(entity, text, sizeof text);
    struct bytes dn = {(const uint8_t *)text, size < sizeof text ? size : sizeof text - 1};
    const struct place *place = &domain->places[domain->listing];
    struct bytes top = {(const uint8_t *)place->dn, strlen(place->dn)};
    struct bytes configuration = {(const uint8_t *)domain->places[1].dn, strlen(domain->places[1].dn)};
    bool here = dn_is_within(dn, top) && (domain->listing == 1 || !dn_is_within(dn, configuration));
    domain->listed++;
    if (here && !entity->deleted)
        replication_held(domain->core, &entity->guid);
    domain->list_after = entity->guid;
    return domain->listed < domain->list_limit;
}

static void list(struct domain *domain, const struct replication_order *order)
{
    static const struct guid zero;
    const char *name = domain->places[order->context].domain;
    bool first = memcmp(&order->after, &zero, sizeof zero) == 0;
    if (first)
        domain->list_after = zero;
    bool from_start = memcmp(&domain->list_after, &zero, sizeof zero) == 0;
    struct guid after = domain->list_after;
    domain->listing = order->context;
    domain->listed = 0;
    domain->list_limit = order->limit;
    if (reading(domain))
        entity_store_each(domain->read, (struct bytes){(const uint8_t *)name, strlen(name)},
                          from_start ? NULL : &after, held, domain);
    replication_listed(domain->core, domain->listed == order->limit, mono());
    rest(domain);
}

static void ask(struct domain *domain, const struct replication_order *order)
{
    domain->operation = ldap_client_search(domain->replica, &order->query);
    replication_asked(domain->core, domain->operation != 0, mono());
}

static void order_commit(struct domain *domain, const struct replication_order *order)
{
    if (order->state.size && writing(domain))
        entity_store_put_state(domain->write, order->name, order->state);
    bool kept = commit(domain, order->durable);
    replication_committed(domain->core, kept, mono());
}

static void sweep(struct domain *domain, const struct replication_order *order)
{
    uint32_t count = 0, number = writing(domain) ? context_number(domain, order->context) : 0;
    domain->sweeping = order->context;
    if (number)
        count = entity_store_sweep(domain->write, number, order->pass, order->limit, wall(), swept, domain);
    replication_swept(domain->core, count, mono());
}

/* Until it is to wait; until when. */
static int64_t replicate(struct domain *domain)
{
    struct replication_order order;
    for (;;) {
        replication_next(domain->core, mono(), &order);
        switch (order.act) {
        case REPLICATION_WAIT:
            return order.until;
        case REPLICATION_ASK:
            ask(domain, &order);
            break;
        case REPLICATION_ABANDON:
            if (domain->operation)
                ldap_client_abandon(domain->replica, domain->operation);
            domain->operation = 0;
            break;
        case REPLICATION_COMMIT:
            order_commit(domain, &order);
            break;
        case REPLICATION_SWEEP:
            sweep(domain, &order);
            break;
        case REPLICATION_LIST:
            list(domain, &order);
            break;
        case REPLICATION_FAIL_OVER:
            ldap_client_fail_over(domain->replica, order.reason);
            break;
        case REPLICATION_RAISE:
        case REPLICATION_CLEAR:
            health(domain, order.issue, order.act == REPLICATION_RAISE, order.reason);
            break;
        }
    }
}

/* -- the client that replicates -------------------------------------------------------------------- */

static void replica_object(void *context, uint32_t operation, const struct directory_object *object)
{
    struct domain *domain = context;
    if (operation == domain->operation && domain->core)
        replication_object(domain->core, object, mono());
}

static void replica_result(void *context, uint32_t operation, const struct ldap_result *result)
{
    struct domain *domain = context;
    if (operation != domain->operation || !domain->core)
        return;
    domain->operation = 0;
    replication_result(domain->core, result, mono());
}

/* The configuration is the forest's: of the domains that this node replicates the first to come keeps it. */
static bool keeps_configuration(struct domain *domain, const char *dn)
{
    struct directory *directory = domain->directory;
    bool taken = false;
    pthread_mutex_lock(&directory->lock);
    for (unsigned i = 0; i < directory->domain_count; i++) {
        struct domain *other = &directory->domains[i];
        taken |= other != domain && strcasecmp(other->configuration, dn) == 0;
    }
    snprintf(domain->configuration, sizeof domain->configuration, "%s", taken ? "" : dn);
    pthread_mutex_unlock(&directory->lock);
    return !taken;
}

static void set_place(struct place *place, const char *dn, const char *of)
{
    if (strcmp(place->dn, dn) == 0)
        return;
    memset(place, 0, sizeof *place);
    snprintf(place->dn, sizeof place->dn, "%s", dn);
    size_t size =
        dn_domain(place->domain, sizeof place->domain - 1, (struct bytes){(const uint8_t *)of, strlen(of)});
    place->domain[size] = 0;
}

static void set_places(struct domain *domain, const struct ldap_peer *peer)
{
    set_place(&domain->places[0], peer->default_context, peer->default_context);
    set_place(&domain->places[1], peer->configuration_context,
              peer->root_context[0] ? peer->root_context : peer->default_context);
}

static void tell_reachable(struct domain *domain, enum ldap_client_state state, const char *reason)
{
    bool bad = state == LDAP_CLIENT_WAITING || state == LDAP_CLIENT_REFUSED;
    if (state == LDAP_CLIENT_BOUND || bad) {
        health(domain, DIRECTORY_UNREACHABLE, state == LDAP_CLIENT_WAITING, reason);
        health(domain, DIRECTORY_ACCOUNTS_REFUSED, state == LDAP_CLIENT_REFUSED, reason);
    }
    pthread_mutex_lock(&domain->lock);
    snprintf(domain->progress.reason, sizeof domain->progress.reason, "%s", bad && reason ? reason : "");
    pthread_mutex_unlock(&domain->lock);
}

static void replica_state(void *context, enum ldap_client_state state, const struct ldap_peer *peer,
                          const char *reason)
{
    struct domain *domain = context;
    tell_reachable(domain, state, reason);
    if (!domain->core)
        return;
    domain->operation = 0;
    if (!peer) {
        replication_lost(domain->core, mono());
        return;
    }
    set_places(domain, peer);
    replication_keep_configuration(domain->core, keeps_configuration(domain, peer->configuration_context));
    replication_bound(domain->core, peer, mono());
    log_notice("%s: replicates from %s as %s", domain->name, peer->dns_host_name, peer->account);
}

static void stop_replicating(struct domain *domain)
{
    if (domain->core)
        commit(domain, true);
    replication_destroy(&domain->core);
    ldap_client_destroy(&domain->replica);
    domain->operation = 0;
    pthread_mutex_lock(&domain->directory->lock);
    domain->configuration[0] = 0;
    pthread_mutex_unlock(&domain->directory->lock);
}

static void tell_of_point(struct domain *domain, struct bytes resume)
{
    struct replication_point point;
    if (resume.size && replication_point_read(resume, &point))
        log_notice(
            "%s: the synchronizer before had come to %llu of its domain controller; this node goes on from "
            "its own copy",
            domain->name, (unsigned long long)point.usn);
}

static void start_replicating(struct domain *domain, struct bytes resume)
{
    struct replication_limits limits;
    struct fault fault = {0};
    const struct directory_config *config = &domain->directory->config;
    replication_limits_init(&limits);
    if (config->increment_period > 0)
        limits.increment_period = config->increment_period;
    if (config->reconciliation_period > 0)
        limits.reconciliation_period = config->reconciliation_period;
    struct replication_store store = {.to = domain,
                                      .known = known,
                                      .same = same,
                                      .apply = apply_replicated,
                                      .state = state_of,
                                      .new_pass = new_pass};
    struct ldap_callbacks callbacks = {
        .object = replica_object, .result = replica_result, .state = replica_state, .context = domain};
    domain->core = replication_new(domain->name, &limits, &store);
    domain->replica = ldap_client_new(domain->config, &callbacks, &fault);
    if (!domain->core || !domain->replica) {
        log_error("%s: cannot replicate: %s", domain->name, fault.text);
        stop_replicating(domain);
        return;
    }
    domain->told_whole = false;
    domain->tell_after = (struct guid){{0}};
    domain->tell_again = 0;
    tell_of_point(domain, resume);
}

/* -- all of it, told once in each term ------------------------------------------------------------- */

/* Whoever receives the batches may not have had those of the synchronizer before, and what this one's copy
 * had already comes by no increment. Told is what is committed, between the changes: none of them is
 * overtaken. */

static bool gather(void *context, const struct entity *entity)
{
    struct domain *domain = context;
    domain->telling[domain->telling_count++] = entity->guid;
    return domain->telling_count < TELL_AT_ONCE;
}

static bool gather_target(void *context, const struct guid *target)
{
    struct domain *domain = context;
    domain->targets[domain->target_count++] = *target;
    return domain->target_count < domain->targets_capacity;
}

static void tell_links(struct domain *domain, const struct guid *guid, bool is_group)
{
    for (unsigned link = 0; link < ENTITY_LINKS; link++) {
        uint64_t count = entity_store_link_count(domain->read, guid, (enum entity_link)link);
        domain->target_count = 0;
        if (count == 0 && !(is_group && link == LINK_MEMBER))
            continue;
        if (count >= UINT32_MAX || !make_room_for_targets(domain, (uint32_t)count + 1)) {
            domain->refused++;
            continue;
        }
        if (count)
            entity_store_links(domain->read, guid, (enum entity_link)link, gather_target, domain);
        entity_batch_add_links(domain->batch, guid, (enum entity_link)link, ENTITY_BATCH_ALL, domain->targets,
                               domain->target_count);
    }
}

static void tell_entity(struct domain *domain, const struct guid *guid)
{
    if (!entity_store_get(domain->read, guid, domain->entity))
        return;
    bool is_group = domain->entity->kind == ENTITY_GROUP;
    if (domain->entity->deleted) {
        entity_batch_remove(domain->batch, guid);
    } else if (domain->entity->origin == ENTITY_REPLICATED) {
        entity_batch_add(domain->batch, domain->entity);
        tell_links(domain, guid, is_group);
    }
}

static bool may_tell(const struct domain *domain)
{
    struct replication_status status;
    if (!domain->core || domain->told_whole || !domain->directory->callbacks.batch || domain->write ||
        domain->batching || mono() < domain->tell_again || mono() < domain->rests_until)
        return false;
    replication_status(domain->core, &status);
    return status.complete;
}

/* Some of it. Whether there is more to tell at once. */
static bool tell_some(struct domain *domain)
{
    static const struct guid zero;
    bool is_first = memcmp(&domain->tell_after, &zero, sizeof zero) == 0;
    if (!may_tell(domain) || !reading(domain))
        return false;
    domain->telling_count = 0;
    entity_store_each(domain->read, (struct bytes){(const uint8_t *)domain->name, strlen(domain->name)},
                      is_first ? NULL : &domain->tell_after, gather, domain);
    bool is_last = domain->telling_count < TELL_AT_ONCE;
    begin_batch(domain);
    for (uint32_t i = 0; i < domain->telling_count; i++)
        tell_entity(domain, &domain->telling[i]);
    if (is_last)
        entity_batch_whole(domain->batch);
    rest(domain);
    if (!hand_over(domain)) {
        forget_write(domain);
        domain->tell_again = mono() + TELL_AGAIN;
        return false;
    }
    if (!is_last)
        domain->tell_after = domain->telling[domain->telling_count - 1];
    domain->told_whole = is_last;
    return !is_last;
}

/* -- the client that looks up ---------------------------------------------------------------------- */

static struct flight *flight_of(struct domain *domain, uint32_t operation)
{
    for (unsigned i = 0; i < FLIGHTS_MAX; i++) {
        if (domain->flights[i].operation == operation)
            return &domain->flights[i];
    }
    return NULL;
}

static void lookup_object(void *context, uint32_t operation, const struct directory_object *object)
{
    struct domain *domain = context;
    struct flight *flight = operation ? flight_of(domain, operation) : NULL;
    struct translated translated;
    arena_reset(domain->arena);
    if (!flight || !translate(object, TRANSLATE_SEARCH, domain->arena, &translated))
        return;
    struct lookup_domain of = {.dns = {(const uint8_t *)domain->name, strlen(domain->name)}};
    uint64_t found = lookup_matches(flight->keys, flight->count, &translated.change, &of);
    for (uint32_t i = 0; i < flight->count; i++) {
        if (found >> i & 1)
            flight->guids[i] = translated.change.guid;
    }
    flight->found |= found;
    apply(domain, 0, &translated.change, ENTITY_LOOKED_UP, 0);
    domain->looked_up = true;
}

static void lookup_ended(struct domain *domain, struct flight *flight, bool failed)
{
    struct lookup_key *keys = domain->answered_keys;
    uint32_t count = flight->count;
    memcpy(keys, flight->keys, count * sizeof *keys);
    pthread_mutex_lock(&domain->lock);
    lookup_answered(domain->lookup, flight->question, flight->found, failed, mono());
    pthread_mutex_unlock(&domain->lock);
    uint64_t found = flight->found;
    flight->operation = 0;
    if (found)
        commit(domain, false); /* it is known before it is told */
    const struct directory_callbacks *callbacks = &domain->directory->callbacks;
    for (uint32_t i = 0; i < count && callbacks->looked_up && !failed; i++)
        callbacks->looked_up(callbacks->context, &keys[i], found >> i & 1 ? &flight->guids[i] : NULL);
}

static void lookup_result(void *context, uint32_t operation, const struct ldap_result *result)
{
    struct domain *domain = context;
    struct flight *flight = operation ? flight_of(domain, operation) : NULL;
    if (flight)
        lookup_ended(domain, flight, result->outcome != LDAP_OUTCOME_DONE);
}

static void lookup_state(void *context, enum ldap_client_state state, const struct ldap_peer *peer,
                         const char *reason)
{
    struct domain *domain = context;
    tell_reachable(domain, state, reason);
    if (peer)
        set_places(domain, peer);
    for (unsigned i = 0; i < FLIGHTS_MAX && !peer; i++) {
        if (domain->flights[i].operation)
            lookup_ended(domain, &domain->flights[i], true);
    }
}

/* Asks what may be asked now; until when there is nothing more to ask. */
static int64_t look_up(struct domain *domain)
{
    int64_t again = INT64_MAX;
    const struct ldap_peer *peer = ldap_client_peer(domain->looker);
    while (peer) {
        struct flight *flight = flight_of(domain, 0);
        if (!flight)
            return INT64_MAX;
        pthread_mutex_lock(&domain->lock);
        flight->question = lookup_next(domain->lookup, mono(), &flight->keys, &flight->count, &again);
        pthread_mutex_unlock(&domain->lock);
        if (!flight->question)
            return again;
        flight->found = 0;
        struct ldap_query query = {.base = peer->default_context,
                                   .scope = LDAP_SUBTREE,
                                   .filter = domain->filter,
                                   .attributes = domain->attributes,
                                   .bytes_max = OBJECT_ARENA,
                                   .extended_dn = true};
        if (lookup_filter(domain->filter, FILTER_MAX, flight->keys, flight->count))
            flight->operation = ldap_client_search(domain->looker, &query);
        if (!flight->operation)
            lookup_ended(domain, flight, true);
    }
    return INT64_MAX;
}

/* -- what is told ---------------------------------------------------------------------------------- */

static int64_t wall_of(int64_t when)
{
    return when ? wall() - (mono() - when) : 0;
}

static uint64_t sum_of(const struct entity_counts *counts)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ENTITY_KINDS; i++)
        sum += counts->kinds[i];
    return sum;
}

static void measure_rate(struct domain *domain, const struct replication_status *status, int64_t now)
{
    struct directory_progress *to = &domain->progress;
    if (status->passing && !to->passing) {
        to->pass_expected = sum_of(&to->counts);
        domain->rate_at = now;
        domain->rate_objects = 0;
    }
    if (status->passing && now - domain->rate_at >= 10 * CLOCK_SECOND) {
        domain->rate_at = now;
        domain->rate_objects = to->pass_objects;
    }
    int64_t since = now - domain->rate_at;
    if (status->passing && since > CLOCK_SECOND / 10)
        to->rate = (double)(status->pass_objects - domain->rate_objects) * 1e9 / (double)since;
    to->passing = status->passing;
    to->pass_objects = status->pass_objects;
}

static void fill_progress(struct domain *domain, int64_t now)
{
    struct directory_progress *to = &domain->progress;
    struct replication_status status = {0};
    const struct ldap_peer *peer = ldap_client_peer(domain->replica ? domain->replica : domain->looker);
    if (domain->core)
        replication_status(domain->core, &status);
    to->mode = domain->core ? DIRECTORY_PROACTIVE : DIRECTORY_REACTIVE;
    to->method = status.method;
    to->reachable = peer != NULL;
    snprintf(to->controller, sizeof to->controller, "%s", peer ? peer->dns_host_name : "");
    to->address = peer ? peer->address : (struct ip_address){0};
    measure_rate(domain, &status, now);
    to->full_pass_began = wall_of(status.pass_began);
    to->full_pass_ended = wall_of(status.pass_ended);
    to->last_increment = wall_of(status.last_increment);
    to->last_change = wall_of(status.last_change);
    to->last_reconciled = wall_of(status.last_reconciled);
    to->lag = status.last_increment ? now - status.last_increment : 0;
    to->lag_usn = status.directory_usn > status.applied_usn ? status.directory_usn - status.applied_usn : 0;
    to->applied = status.applied;
    to->removed = status.removed;
    to->refused = domain->refused;
    to->batches = domain->sequence;
    to->mismatches = status.last_mismatches;
    to->errors = status.errors;
    snprintf(to->last_error, sizeof to->last_error, "%s", status.error);
    if (reading(domain))
        entity_store_counts(domain->read, (struct bytes){(const uint8_t *)domain->name, strlen(domain->name)},
                            &to->counts);
    rest(domain);
}

static void tell_progress(struct domain *domain, int64_t now)
{
    if (now - domain->told_at < PROGRESS_PERIOD)
        return;
    domain->told_at = now;
    pthread_mutex_lock(&domain->lock);
    fill_progress(domain, now);
    struct directory_progress copy = domain->progress;
    pthread_mutex_unlock(&domain->lock);
    const struct directory_callbacks *callbacks = &domain->directory->callbacks;
    if (callbacks->progress)
        callbacks->progress(callbacks->context, &copy);
    if (!domain->core || !callbacks->resume_point || now - domain->pointed_at < POINT_PERIOD)
        return;
    uint8_t point[REPLICATION_POINT_MAX];
    size_t size = replication_point(domain->core, point);
    domain->pointed_at = now;
    if (size)
        callbacks->resume_point(callbacks->context, domain->name, (struct bytes){point, size});
}

/* -- the thread ------------------------------------------------------------------------------------ */

/* What other threads want. False: to end. */
static bool take_wishes(struct domain *domain)
{
    pthread_mutex_lock(&domain->lock);
    struct wishes wishes = domain->wishes;
    domain->wishes.changed = domain->wishes.reconcile = false;
    pthread_mutex_unlock(&domain->lock);
    if (wishes.changed && domain->core)
        stop_replicating(domain);
    if (wishes.changed && wishes.synchronize && !wishes.stop)
        start_replicating(domain, (struct bytes){wishes.resume, wishes.resume_size});
    if (wishes.reconcile && domain->core)
        replication_reconcile(domain->core, mono());
    return !wishes.stop;
}

static void sleep_until(struct domain *domain, int64_t until)
{
    struct pollfd descriptors[DESCRIPTORS_MAX] = {{.fd = domain->waker, .events = POLLIN}};
    unsigned count = 1;
    struct ldap_client *clients[] = {domain->looker, domain->replica};
    for (unsigned i = 0; i < 2; i++) {
        int64_t deadline = INT64_MAX;
        bool rests = clients[i] == domain->replica && mono() < domain->rests_until;
        if (clients[i] && !rests)
            count += ldap_client_poll(clients[i], descriptors + count, DESCRIPTORS_MAX - count, &deadline);
        until = deadline < until ? deadline : until;
    }
    int64_t now = mono();
    int64_t pause = until <= now ? 0 : until - now < IDLE_MOST ? until - now : IDLE_MOST;
    struct timespec time = {.tv_sec = pause / CLOCK_SECOND, .tv_nsec = pause % CLOCK_SECOND};
    if (ppoll(descriptors, count, &time, NULL) > 0 && descriptors[0].revents) {
        uint64_t drained;
        while (read(domain->waker, &drained, sizeof drained) < 0 && errno == EINTR)
            ;
    }
}

/* Replication, unless it is to rest; until when then. Its answers stay with the domain controller meanwhile.
 */
static int64_t replicate_in_turn(struct domain *domain)
{
    struct yielding *yielding = domain->directory->config.yielding;
    if (mono() < domain->rests_until)
        return domain->rests_until;
    ldap_client_run(domain->replica, mono(), RUN_BUDGET);
    int64_t until = replicate(domain), rest = yielding_due(yielding, &domain->turn);
    domain->rests_until = rest > 0 ? mono() + rest : 0;
    return rest > 0 ? domain->rests_until : until;
}

/* Look-ups are known at once; replication says itself when, but must not keep the writer from others. */
static void end_slice(struct domain *domain, int64_t now)
{
    int64_t most = domain->directory->domain_count > 1 ? WRITE_MOST : WRITE_MOST_ALONE;
    if (domain->write && (!domain->core || domain->looked_up || now - domain->write_began > most))
        commit(domain, false);
    domain->looked_up = false;
    rest(domain);
    if (domain->core && now - domain->expired_at > EXPIRE_PERIOD && !domain->write && writing(domain)) {
        domain->expired_at = now;
        entity_store_expire(domain->write, wall(), EXPIRE_LIMIT);
        commit(domain, false);
    }
}

static void *run(void *context)
{
    struct domain *domain = context;
    while (take_wishes(domain)) {
        int64_t until = INT64_MAX, again;
        ldap_client_run(domain->looker, mono(), RUN_BUDGET);
        if (domain->replica)
            until = replicate_in_turn(domain);
        again = look_up(domain);
        until = again < until ? again : until;
        end_slice(domain, mono());
        if (tell_some(domain))
            until = 0;
        tell_progress(domain, mono());
        sleep_until(domain, until);
    }
    stop_replicating(domain);
    commit(domain, true);
    return NULL;
}

/* -- life ------------------------------------------------------------------------------------------ */

static void close_domain(struct domain *domain)
{
    forget_write(domain);
    replication_destroy(&domain->core);
    ldap_client_destroy(&domain->replica);
    ldap_client_destroy(&domain->looker);
    lookup_destroy(&domain->lookup);
    arena_destroy(&domain->arena);
    if (domain->read)
        entity_store_read_close(&domain->read);
    entity_batch_writer_destroy(&domain->batch);
    free(domain->targets);
    free(domain->changed);
    free(domain->entity);
    free(domain->filter);
    free(domain->answered_keys);
    if (domain->waker >= 0)
        close(domain->waker);
    pthread_mutex_destroy(&domain->lock);
    pthread_mutex_destroy(&domain->gate);
}

static bool open_domain(struct directory *directory, unsigned i, struct fault *fault)
{
    struct domain *domain = &directory->domains[i];
    uint64_t seed = 0;
    domain->directory = directory;
    domain->config = &directory->config.domains[i];
    for (size_t at = 0; domain->config->domain[at] && at + 1 < sizeof domain->name; at++) {
        char c = domain->config->domain[at];
        domain->name[at] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    memcpy(domain->progress.domain, domain->name, sizeof domain->name);
    pthread_mutex_init(&domain->lock, NULL);
    pthread_mutex_init(&domain->gate, NULL);
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)mono();
    domain->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct ldap_callbacks callbacks = {
        .object = lookup_object, .result = lookup_result, .state = lookup_state, .context = domain};
    domain->lookup = lookup_new(&directory->config.lookup, seed);
    domain->arena = arena_new(OBJECT_ARENA);
    domain->entity = calloc(1, sizeof *domain->entity);
    domain->changed = calloc(1, sizeof *domain->changed);
    domain->batch = entity_batch_writer_new(1, take_batch, domain);
    domain->filter = malloc(FILTER_MAX);
    domain->answered_keys = calloc(LOOKUP_KEYS_MAX, sizeof *domain->answered_keys);
    translate_attribute_list(domain->attributes);
    if (domain->waker < 0 || !domain->lookup || !domain->arena || !domain->entity || !domain->filter ||
        !domain->answered_keys || !domain->changed || !domain->batch)
        return fault_say(fault, "%s: no memory for its directory", domain->name);
    domain->looker = ldap_client_new(domain->config, &callbacks, fault);
    return domain->looker != NULL;
}

struct directory *directory_new(const struct directory_config *config,
                                const struct directory_callbacks *callbacks, struct fault *fault)
{
    struct directory *directory = calloc(1, sizeof *directory);
    if (!directory) {
        fault_say(fault, "no memory for the directory");
        return NULL;
    }
    directory->config = *config;
    directory->callbacks = *callbacks;
    pthread_mutex_init(&directory->lock, NULL);
    directory->store = entity_store_open(&config->store, fault);
    bool good = directory->store != NULL;
    for (unsigned i = 0; i < config->domain_count && i < DIRECTORY_DOMAINS_MAX && good; i++) {
        directory->domain_count++;
        good = open_domain(directory, i, fault);
    }
    if (!good)
        directory_destroy(&directory);
    return directory;
}

bool directory_start(struct directory *directory, struct fault *fault)
{
    for (unsigned i = 0; i < directory->domain_count; i++) {
        struct domain *domain = &directory->domains[i];
        domain->wishes.stop = false;
        domain->running = thread_start(&domain->thread, "directory", run, domain);
        if (!domain->running) {
            fault_say(fault, "%s: no thread for its directory: %s", domain->name, strerror(errno));
            directory_stop(directory);
            return false;
        }
    }
    return true;
}

void directory_stop(struct directory *directory)
{
    for (unsigned i = 0; i < directory->domain_count; i++) {
        struct domain *domain = &directory->domains[i];
        pthread_mutex_lock(&domain->lock);
        domain->wishes.stop = true;
        pthread_mutex_unlock(&domain->lock);
        wake(domain);
    }
    for (unsigned i = 0; i < directory->domain_count; i++) {
        if (directory->domains[i].running)
            pthread_join(directory->domains[i].thread, NULL);
        directory->domains[i].running = false;
    }
}

void directory_destroy(struct directory **directory_p)
{
    struct directory *directory = *directory_p;
    if (!directory)
        return;
    directory_stop(directory);
    for (unsigned i = 0; i < directory->domain_count; i++)
        close_domain(&directory->domains[i]);
    entity_store_close(&directory->store);
    pthread_mutex_destroy(&directory->lock);
    free(directory);
    *directory_p = NULL;
}

/* -- any thread ------------------------------------------------------------------------------------ */

static struct domain *domain_by_name(struct directory *directory, const char *name)
{
    for (unsigned i = 0; i < directory->domain_count; i++) {
        if (strcasecmp(directory->domains[i].name, name) == 0)
            return &directory->domains[i];
    }
    return NULL;
}

void directory_synchronize(struct directory *directory, const struct sync_token *token, struct bytes resume)
{
    struct domain *domain = domain_by_name(directory, token->domain);
    if (!domain)
        return;
    pthread_mutex_lock(&domain->gate);
    domain->token = *token;
    domain->elected = true;
    pthread_mutex_unlock(&domain->gate);
    pthread_mutex_lock(&domain->lock);
    domain->wishes.changed = domain->wishes.synchronize = true;
    domain->wishes.resume_size = resume.size <= sizeof domain->wishes.resume ? resume.size : 0;
    if (domain->wishes.resume_size)
        memcpy(domain->wishes.resume, resume.data, resume.size);
    pthread_mutex_unlock(&domain->lock);
    wake(domain);
}

void directory_desist(struct directory *directory, const char *name)
{
    struct domain *domain = domain_by_name(directory, name);
    if (!domain)
        return;
    pthread_mutex_lock(&domain->gate); /* a batch that is being handed over ends first */
    domain->elected = false;
    pthread_mutex_unlock(&domain->gate);
    pthread_mutex_lock(&domain->lock);
    domain->wishes.changed = true;
    domain->wishes.synchronize = false;
    pthread_mutex_unlock(&domain->lock);
    wake(domain);
}

bool directory_reachable(struct directory *directory, const char *name)
{
    struct domain *domain = domain_by_name(directory, name);
    if (!domain)
        return false;
    pthread_mutex_lock(&domain->lock);
    bool reachable = domain->progress.reachable;
    pthread_mutex_unlock(&domain->lock);
    return reachable;
}

static bool is_label_of(const char *label, const char *name)
{
    size_t size = strlen(label);
    return size && strncasecmp(label, name, size) == 0 && (name[size] == '.' || name[size] == 0);
}

/* Whose the key may be: the domain that it names, or whose name its own ends in; otherwise the first. */
static struct domain *domain_of_key(struct directory *directory, const struct lookup_key *key)
{
    struct domain *best = &directory->domains[0];
    size_t longest = 0;
    for (unsigned i = 0; i < directory->domain_count; i++) {
        struct domain *domain = &directory->domains[i];
        size_t size = strlen(domain->name);
        if (key->domain[0] && is_label_of(key->domain, domain->name))
            return domain;
        bool text = key->kind == LOOKUP_UPN || key->kind == LOOKUP_DNS_NAME || key->kind == LOOKUP_SPN;
        if (text && key->size > size && size > longest &&
            memcmp(key->value + key->size - size, domain->name, size) == 0) {
            longest = size;
            best = domain;
        }
    }
    return best;
}

bool directory_look_up(struct directory *directory, const struct lookup_key *key,
                       enum lookup_priority priority)
{
    if (!directory->domain_count)
        return false;
    struct domain *domain = domain_of_key(directory, key);
    pthread_mutex_lock(&domain->lock);
    enum lookup_admitted admitted = lookup_ask(domain->lookup, key, priority, mono());
    pthread_mutex_unlock(&domain->lock);
    if (admitted == LOOKUP_QUEUED)
        wake(domain);
    return admitted == LOOKUP_QUEUED || admitted == LOOKUP_JOINED;
}

void directory_reconcile(struct directory *directory, const char *name)
{
    struct domain *domain = domain_by_name(directory, name);
    if (!domain)
        return;
    pthread_mutex_lock(&domain->lock);
    domain->wishes.reconcile = true;
    pthread_mutex_unlock(&domain->lock);
    wake(domain);
}

bool directory_progress(struct directory *directory, unsigned i, struct directory_progress *progress)
{
    if (i >= directory->domain_count)
        return false;
    struct domain *domain = &directory->domains[i];
    pthread_mutex_lock(&domain->lock);
    *progress = domain->progress;
    pthread_mutex_unlock(&domain->lock);
    return true;
}

struct entity_store *directory_store(struct directory *directory)
{
    return directory->store;
}
