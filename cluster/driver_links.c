/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver's sockets: opened with this node's keys, told who is admitted and whom to dial, and what comes
 * of them given to the core.
 */
#include "base/log.h"
#include "cluster/driver_internal.h"

#include <stdio.h>

/* "tcp://HOST:PORT" of what stands in records and configurations with or without its beginning. */
static const char *with_scheme(char to[ENDPOINT_MAX_SIZE + 8], const char *endpoint)
{
    bool there = strncmp(endpoint, "tcp://", 6) == 0;
    snprintf(to, ENDPOINT_MAX_SIZE + 8, "%s%s", there ? "" : "tcp://", endpoint);
    return to;
}

static size_t serve(void *context, const char *address, struct bytes request, uint8_t *reply, size_t capacity)
{
    return driver_enrol(context, address, request, reply, capacity);
}

bool driver_links_open(struct cluster_driver *driver, struct fault *fault)
{
    struct transport_options options;
    char binds[TRANSPORT_BINDS][ENDPOINT_MAX_SIZE + 8], enrolment[ENDPOINT_MAX_SIZE + 8];
    uint8_t public_key[CURVE_KEY_SIZE], *secret_key = secret_alloc(CURVE_KEY_SIZE);
    if (!secret_key)
        return fault_say(fault, "no memory for keys");
    crypto_sodium_curve(driver->keys, public_key, secret_key);
    transport_options_init(&options);
    options.self = driver->identity->id;
    options.public_key = public_key;
    options.secret_key = secret_key;
    for (unsigned i = 0; i < driver->config.listen_count && i < TRANSPORT_BINDS; i++)
        options.binds[options.bind_count++] = with_scheme(binds[i], driver->config.listen[i]);
    if (driver->ledger) {
        options.enrolment_bind = with_scheme(enrolment, driver->config.enrolment);
        options.enrolment_public_key = public_key;
        options.enrolment_secret_key = secret_key;
        options.enrolment = serve;
        options.enrolment_context = driver;
    }
    options.keys_max = driver->config.members_max * 2;
    driver->transport = transport_new(&options, fault);
    secret_free(secret_key);
    driver->reopen_at = 0;
    return driver->transport != NULL;
}

void driver_admit(struct cluster_driver *driver, const struct node_id *id, const uint8_t key[PUBLIC_KEY_SIZE])
{
    uint8_t curve[CURVE_KEY_SIZE];
    if (driver->transport &&
        (!crypto_curve_public(curve, key) || !transport_admit(driver->transport, id, curve)))
        log_warning("a member's key cannot be admitted");
}

void driver_expel_key(struct cluster_driver *driver, const uint8_t key[PUBLIC_KEY_SIZE])
{
    uint8_t curve[CURVE_KEY_SIZE];
    if (driver->transport && crypto_curve_public(curve, key))
        transport_expel_key(driver->transport, curve);
}

void driver_expel(struct cluster_driver *driver, const struct node_id *id)
{
    if (driver->transport)
        transport_expel(driver->transport, id);
}

/* Where a member can be dialled: as its record says, then as the configuration's seeds say. */
static bool dial(struct cluster_driver *driver, const struct node_id *peer, enum transport_want want)
{
    struct cluster_member_view member;
    char texts[TRANSPORT_ENDPOINTS][ENDPOINT_MAX_SIZE + 8];
    const char *endpoints[TRANSPORT_ENDPOINTS];
    uint8_t curve[CURVE_KEY_SIZE];
    unsigned count = 0;
    if (!cluster_member_find(driver->core, peer, &member))
        return false;
    const struct record *record = member.record;
    for (unsigned i = 0; i < record->endpoint_count && count < TRANSPORT_ENDPOINTS; i++, count++)
        endpoints[count] = with_scheme(texts[count], record->endpoints[i]);
    for (unsigned i = 0; i < driver->config.seed_count && count < TRANSPORT_ENDPOINTS; i++) {
        if (strcmp(driver->config.seeds[i].name, record->certificate.name) != 0)
            continue;
        endpoints[count] = with_scheme(texts[count], driver->config.seeds[i].endpoint);
        count++;
    }
    if (count == 0 || !crypto_curve_public(curve, record->certificate.public_key))
        return false;
    return transport_dial(driver->transport, peer, curve, endpoints, count, want);
}

/* A node that lost its file of known peers knows nobody, and so admits nobody and has no key to expect
 * anywhere. But the policy tells the enrollers' keys, and the configuration's seeds where one may be: whoever
 * answers there to an enroller's key is a member, and tells of the others. */
void driver_find_fleet(struct cluster_driver *driver)
{
    struct policy policy;
    char texts[TRANSPORT_ENDPOINTS][ENDPOINT_MAX_SIZE + 8];
    const char *endpoints[TRANSPORT_ENDPOINTS];
    unsigned count = 0;
    if (driver_mono() < driver->find_at || cluster_member_count(driver->core) > 1)
        return;
    driver->find_at = driver_mono() + driver->config.timers.anti_entropy;
    for (; count < driver->config.seed_count && count < TRANSPORT_ENDPOINTS; count++)
        endpoints[count] = with_scheme(texts[count], driver->config.seeds[count].endpoint);
    if (!policy_read(&policy, cluster_policy(driver->core), &driver->identity->trust, &driver->crypto))
        return;
    for (unsigned i = 0; i < policy.enroller_count; i++) {
        const struct enroller *enroller = &policy.enrollers[i];
        uint8_t curve[CURVE_KEY_SIZE];
        if (node_id_equal(&enroller->id, &driver->identity->id) || enroller->until != UINT64_MAX ||
            policy_revokes(&policy, &enroller->id))
            continue;
        driver_keys_admit(driver, &enroller->id, enroller->public_key, 0);
        if (count > 0 && crypto_curve_public(curve, enroller->public_key))
            transport_dial(driver->transport, &enroller->id, curve, endpoints, count, TRANSPORT_TEMPORARY);
    }
}

void driver_dial(struct cluster_driver *driver, const struct node_id *peer)
{
    char id[NODE_ID_TEXT_SIZE];
    if (!dial(driver, peer, TRANSPORT_KEEP))
        log_info("%s cannot be dialled: no address, or no admitted key", node_id_text(peer, id));
}

void driver_hang_up(struct cluster_driver *driver, const struct node_id *peer)
{
    transport_hang_up(driver->transport, peer);
}

/* What cannot be sent is dropped: the protocol repeats whatever matters. */
void driver_send(struct cluster_driver *driver, const struct cluster_message *message)
{
    enum transport_result result =
        transport_send(driver->transport, &message->to, message->data, message->size);
    if (result == TRANSPORT_NO_LINK && message->open_link && dial(driver, &message->to, TRANSPORT_TEMPORARY))
        transport_send(driver->transport, &message->to, message->data, message->size);
}

bool driver_rekey(struct cluster_driver *driver)
{
    uint8_t public_key[CURVE_KEY_SIZE], *secret_key = secret_alloc(CURVE_KEY_SIZE);
    if (!secret_key)
        return false;
    crypto_sodium_curve(driver->keys, public_key, secret_key);
    bool fine = transport_rekey(driver->transport, public_key, secret_key);
    secret_free(secret_key);
    return fine;
}

/* --- what comes of them --- */

static void give_to_core(struct cluster_driver *driver, const struct transport_event *event)
{
    struct cluster_event to = {.type = CLUSTER_RECEIVED};
    char id[NODE_ID_TEXT_SIZE];
    switch (event->type) {
    case TRANSPORT_MESSAGE:
        to.received.from = event->peer;
        to.received.message = event->message;
        break;
    case TRANSPORT_LINK_UP:
        to.type = CLUSTER_LINK_UP;
        to.link.peer = event->peer;
        to.link.dialled = event->dialled;
        break;
    case TRANSPORT_LINK_DOWN:
        to.type = CLUSTER_LINK_DOWN;
        to.link.peer = event->peer;
        to.link.dialled = event->dialled;
        break;
    case TRANSPORT_HANDSHAKE_FAILED:
        log_info("%s: %s", node_id_text(&event->peer, id), event->text ? event->text : "handshake failed");
        return;
    }
    cluster_driver_step(driver, &to);
}

/* Bounded, so that a flood does not keep the clock from ticking. */
#define EVENTS_AT_A_TIME 512

void driver_links_receive(struct cluster_driver *driver)
{
    struct transport_event event;
    for (unsigned i = 0; i < EVENTS_AT_A_TIME && transport_receive(driver->transport, &event); i++)
        give_to_core(driver, &event);
}

struct collected {
    unsigned count;
    struct node_id peers[512];
};

static void collect(void *context, const struct transport_link *link)
{
    struct collected *collected = context;
    if (link->up && collected->count < sizeof(collected->peers) / sizeof(collected->peers[0]))
        collected->peers[collected->count++] = link->peer;
}

/* The enrolment socket appears, disappears or gets another key: all sockets are made anew, and the core dials
 * again. It happens when the fleet's policy changes, so hardly ever. */
bool driver_links_reopen(struct cluster_driver *driver, struct fault *fault)
{
    struct collected collected = {0};
    transport_links(driver->transport, collect, &collected);
    transport_destroy(&driver->transport);
    if (!driver_links_open(driver, fault))
        return false;
    driver_keys_admit_all(driver);
    for (unsigned i = 0; i < collected.count; i++) {
        struct cluster_event event = {.type = CLUSTER_LINK_DOWN, .link = {.peer = collected.peers[i]}};
        cluster_driver_step(driver, &event);
    }
    return true;
}

void cluster_driver_counters(const struct cluster_driver *driver,
                             void (*visit)(void *context, const char *name, uint64_t value), void *context)
{
    struct transport_counters counters = {0};
    if (driver->transport)
        transport_counters(driver->transport, &counters);
#define VISIT(name, doc) visit(context, #name, counters.name);
    TRANSPORT_COUNTERS(VISIT)
#undef VISIT
}
