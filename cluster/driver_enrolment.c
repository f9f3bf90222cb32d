/* SPDX-License-Identifier: Apache-2.0
 *
 * The enroller's desk: judged by cluster/enrolment.c, with what this node knows of the members. And this
 * node's own rotation, asked of its enroller.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "cluster/driver_internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t wall_seconds(void)
{
    return (uint64_t)(clock_wall(clock_system()) / CLOCK_SECOND);
}

/* --- may this node enrol? --- */

static bool in_office(const struct cluster_driver *driver)
{
    struct policy policy;
    const uint8_t *key = crypto_sodium_public_key(driver->keys);
    if (!policy_read(&policy, cluster_policy(driver->core), &driver->identity->trust, &driver->crypto))
        return false;
    for (unsigned i = 0; i < policy.enroller_count; i++)
        if (node_id_equal(&policy.enrollers[i].id, &driver->identity->id) &&
            memcmp(policy.enrollers[i].public_key, key, PUBLIC_KEY_SIZE) == 0 &&
            policy.enrollers[i].until > wall_seconds())
            return true;
    return false;
}

void driver_enrolment_update(struct cluster_driver *driver)
{
    struct fault fault;
    bool wanted = *driver->config.enrolment && in_office(driver);
    if (wanted == (driver->ledger != NULL))
        return;
    if (wanted) {
        driver->ledger = ledger_load(driver->config.disk, driver->config.directory, &fault);
        if (!driver->ledger) {
            log_error("nobody can be enrolled: %s", fault.text);
            return;
        }
    } else {
        ledger_destroy(&driver->ledger);
    }
    if (driver->transport)
        driver->reopen_at = driver_mono() + 1000; /* what is on its way goes out first */
}

/* --- what the desk wants to know --- */

static bool name_taken(void *context, const char *name, const struct node_id *by_other_than)
{
    struct cluster_driver *driver = context;
    struct cluster_member_view member;
    for (unsigned i = 0; i < cluster_member_count(driver->core); i++)
        if (cluster_member_at(driver->core, i, &member) && member.state != MEMBER_REVOKED &&
            strcmp(member.record->certificate.name, name) == 0 && !node_id_equal(&member.id, by_other_than))
            return true;
    return false;
}

static bool short_id_taken(void *context, const struct node_id *by_other_than)
{
    struct cluster_driver *driver = context;
    struct cluster_member_view member;
    for (unsigned i = 0; i < cluster_member_count(driver->core); i++)
        if (cluster_member_at(driver->core, i, &member) &&
            node_id_short(&member.id) == node_id_short(by_other_than) &&
            !node_id_equal(&member.id, by_other_than))
            return true;
    return false;
}

static bool generation(void *context, const struct node_id *id, uint32_t *of)
{
    struct cluster_driver *driver = context;
    struct cluster_member_view member;
    if (!cluster_member_find(driver->core, id, &member))
        return false;
    *of = member.record->certificate.generation;
    return true;
}

/* Its own record first, then neighbours and others whom a new node can dial. The encoded records live until
 * the next step. */
static unsigned pick_records(struct cluster_driver *driver, struct bytes records[ENROLMENT_RECORDS])
{
    struct cluster_member_view member;
    unsigned count = 0, all = cluster_member_count(driver->core);
    for (unsigned i = 0; i < all && count < ENROLMENT_RECORDS; i++)
        if (cluster_member_at(driver->core, i, &member) &&
            (member.self || ((member.state == MEMBER_ONLINE || member.state == MEMBER_LATE) &&
                             member.record->endpoint_count > 0)))
            records[count++] = member.encoded;
    return count;
}

size_t driver_enrol(struct cluster_driver *driver, const char *address, struct bytes request, uint8_t *reply,
                    size_t capacity)
{
    struct enrolment_outcome outcome;
    struct enrolment_desk *desk = calloc(1, sizeof(*desk));
    if (!desk || !driver->ledger) {
        free(desk);
        return 0;
    }
    *desk = (struct enrolment_desk){
        .trust = &driver->identity->trust,
        .self = driver->identity->id,
        .public_key = crypto_sodium_public_key(driver->keys),
        .crypto = &driver->crypto,
        .policy = cluster_policy(driver->core),
        .salt = driver->identity->salt,
        .context = driver,
        .name_taken = name_taken,
        .short_id_taken = short_id_taken,
        .generation = generation,
        .ledger = driver->ledger,
        .disk = driver->config.disk,
        .directory = driver->config.directory,
    };
    desk->record_count = pick_records(driver, desk->records);
    size_t size = enrolment_answer(desk, request, wall_seconds(), reply, capacity, &outcome);
    free(desk);
    if (outcome.refusal != ENROLMENT_GRANTED) {
        log_notice("enrolment: %s is refused: %s", address, enrolment_refusal_text(outcome.refusal));
        return size;
    }
    const struct certificate *certificate = &outcome.certificate;
    log_notice("enrolment: %s at %s: %s%s", certificate->name, address,
               outcome.rotation ? "a new key is certified" : "joined", outcome.again ? " (again)" : "");
    if (!node_id_equal(&certificate->grant.id, &driver->identity->id))
        driver_keys_admit(driver, &certificate->grant.id, certificate->public_key, certificate->generation);
    return size;
}

/* --- this node's own rotation --- */

#define ASK_TIME     5000  /* ms for each endpoint of the enroller */
#define REOPEN_REKEY 30000 /* ms until the enrolment socket has the new key: others must know it first */

/* Asking waits, so it has a thread of its own; the reply comes back as mail. */
struct rotation {
    struct mail mail;
    struct cluster_driver *driver;
    pthread_t thread;
    atomic_bool abandoned;
    struct joining joining;
    uint8_t enroller_key[CURVE_KEY_SIZE];
    char endpoints[RECORD_ENDPOINTS][ENDPOINT_MAX_SIZE + 8];
    unsigned endpoint_count;
    size_t reply_size;
    struct fault fault;
    uint8_t reply[ENROLMENT_REPLY_LIMIT];
};

/* The new key signs, and is what others must find here, from now on. */
static void take_new_key(struct cluster_driver *driver)
{
    struct cluster_event event = {.type = CLUSTER_CERTIFICATE,
                                  .bytes = identity_certificate(driver->identity)};
    crypto_sodium_rekey(driver->keys, driver->identity->seed);
    cluster_driver_step(driver, &event);
    if (!driver_rekey(driver))
        log_error("the new key is certified, but the sockets do not take it: restart this node");
    driver_enrolment_update(driver);
    if (driver->ledger)
        driver->reopen_at = driver_mono() + REOPEN_REKEY;
    log_notice("this node's key is of generation %u now", driver->identity->certificate.generation);
}

static void take_reply(struct rotation *rotation)
{
    struct cluster_driver *driver = rotation->driver;
    enum joining_result result = JOINING_AGAIN;
    if (rotation->reply_size > 0)
        result = joining_finish(&rotation->joining, (struct bytes){rotation->reply, rotation->reply_size},
                                &rotation->fault);
    if (result == JOINING_DONE)
        take_new_key(driver);
    else
        log_error("rotation: the key stays as it is: %s%s", rotation->fault.text,
                  result == JOINING_AGAIN ? "; try again later" : "");
}

static void end_rotation(struct mail *mail, void *owner)
{
    struct rotation *rotation = (struct rotation *)mail;
    if (owner) {
        pthread_join(rotation->thread, NULL);
        take_reply(rotation);
    }
    rotation->driver->rotation = NULL;
    free(rotation);
}

static void *ask(void *context)
{
    struct rotation *rotation = context;
    struct bytes request = {rotation->joining.request, rotation->joining.request_size};
    for (unsigned i = 0; i < rotation->endpoint_count && rotation->reply_size == 0; i++)
        if (!atomic_load(&rotation->abandoned))
            rotation->reply_size =
                enrolment_ask(rotation->endpoints[i], rotation->enroller_key, request, rotation->reply,
                              sizeof(rotation->reply), ASK_TIME, &rotation->fault);
    mailbox_post(rotation->driver->mailbox, &rotation->mail); /* not closed before this thread is joined */
    return NULL;
}

void driver_rotation_abandon(struct cluster_driver *driver)
{
    if (!driver->rotation)
        return;
    atomic_store(&driver->rotation->abandoned, true);
    pthread_join(driver->rotation->thread, NULL);
}

/* tcp://HOST:PORT of a member, with the port of its enrolment socket. */
static bool enrolment_endpoint(char to[ENDPOINT_MAX_SIZE + 8], const char *endpoint, uint16_t port)
{
    const char *host = strncmp(endpoint, "tcp://", 6) == 0 ? endpoint + 6 : endpoint;
    const char *colon = strrchr(host, ':');
    return colon && snprintf(to, ENDPOINT_MAX_SIZE + 8, "tcp://%.*s:%u", (int)(colon - host), host, port) <
                        (int)(ENDPOINT_MAX_SIZE + 8);
}

static bool find_enroller(struct rotation *rotation, struct fault *fault)
{
    struct cluster_driver *driver = rotation->driver;
    const struct node_id *enroller = &driver->identity->certificate.grant.enroller;
    struct cluster_member_view member;
    if (node_id_is_zero(enroller))
        return fault_say(fault, "the authority issued this node's certificate, and only it issues the next "
                                "one (picket fleet rotate --authority)");
    if (!cluster_member_find(driver->core, enroller, &member) || member.record->enrolment_port == 0)
        return fault_say(fault, "the node that enrolled this one is not known, or enrols nobody now");
    const struct record *record = member.record;
    for (unsigned i = 0; i < record->endpoint_count; i++)
        rotation->endpoint_count += enrolment_endpoint(rotation->endpoints[rotation->endpoint_count],
                                                       record->endpoints[i], record->enrolment_port);
    if (!crypto_curve_public(rotation->enroller_key, record->certificate.public_key) ||
        rotation->endpoint_count == 0)
        return fault_say(fault, "the node that enrolled this one cannot be dialled");
    return true;
}

bool cluster_driver_rotate(struct cluster_driver *driver, struct fault *fault)
{
    if (driver->rotation)
        return fault_say(fault, "a new key is asked for already");
    struct rotation *rotation = calloc(1, sizeof(*rotation));
    if (!rotation)
        return fault_say(fault, "no memory");
    rotation->mail.run = end_rotation;
    rotation->driver = driver;
    if (find_enroller(rotation, fault) && joining_rotate(&rotation->joining, driver->config.disk,
                                                         driver->config.directory, driver->identity, fault)) {
        driver->rotation = rotation;
        if (thread_start(&rotation->thread, "rotation", ask, rotation))
            return true;
        driver->rotation = NULL;
        fault_say(fault, "no thread could be started");
    }
    free(rotation);
    return false;
}
