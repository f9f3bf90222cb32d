/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "cluster/driver_internal.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define POOL_BYTES_PER_MEMBER 4096u
#define POOL_BYTES_LEAST      (16u << 20)
#define PEERS_PERIOD          (5 * 60 * 1000) /* ms between two saves of the known peers */

int64_t driver_mono(void)
{
    return clock_monotonic(clock_system()) / CLOCK_MILLISECOND;
}

static int64_t boot_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / CLOCK_MILLISECOND;
}

void driver_config_init(struct driver_config *config)
{
    struct cluster_config core;
    cluster_config_init(&core);
    *config = (struct driver_config){
        .disk = disk_system(),
        .timers = core.timers,
        .min_observers = core.min_observers,
        .members_max = core.members_max,
        .history_size = core.history_size,
        .candidate = true,
        .version = picket_version(),
    };
}

struct cluster *cluster_driver_core(struct cluster_driver *driver)
{
    return driver->core;
}

const uint8_t *cluster_driver_fleet(const struct cluster_driver *driver)
{
    return driver->identity->trust.fleet;
}

bool cluster_driver_post(struct cluster_driver *driver, struct mail *mail)
{
    return mailbox_post(driver->mailbox, mail);
}

/* --- what an update wants, in the order that cluster.h says --- */

static void run_synchronizer(struct cluster_driver *driver, const struct cluster_notice *notice)
{
    const struct synchronizer_ops *ops = &driver->config.synchronizer;
    struct claim claim;
    if (notice->type == NOTICE_SYNCHRONIZER_STOP && ops->stop)
        ops->stop(ops->context, notice->domain);
    else if (notice->type == NOTICE_SYNCHRONIZER_START && ops->start &&
             cluster_holds(driver->core, notice->domain, &claim))
        ops->start(ops->context, &claim);
}

#define TELL_REVOKED 2000 /* ms that a node has to hear that it is revoked */

static void save_policy(struct cluster_driver *driver)
{
    struct fault fault;
    if (!policy_save(cluster_policy(driver->core), driver->config.disk, driver->config.directory, &fault))
        log_error("the fleet's policy: %s", fault.text);
}

static void heed_notice(struct cluster_driver *driver, const struct cluster_notice *notice)
{
    switch (notice->type) {
    case NOTICE_SYNCHRONIZER_START:
    case NOTICE_SYNCHRONIZER_STOP:
        run_synchronizer(driver, notice);
        break;
    case NOTICE_MEMBER_JOINED:
    case NOTICE_MEMBER_CHANGED:
        driver->peers_changed++;
        driver_keys_member_changed(driver, &notice->node);
        break;
    case NOTICE_MEMBER_REVOKED:
        /* Nothing that it says counts with the core from now on. Its links end a moment later, so that it
         * hears why. */
        if (driver->expel_at == 0)
            driver->expel_at = driver_mono() + TELL_REVOKED;
        break;
    case NOTICE_POLICY:
        save_policy(driver);
        driver_enrolment_update(driver);
        break;
    case NOTICE_REVOKED:
        driver->end = DRIVER_REVOKED;
        break;
    default:
        break;
    }
    if (driver->config.notice)
        driver->config.notice(driver->config.context, driver, notice);
}

static void obey(struct cluster_driver *driver)
{
    const struct cluster_update *update = driver->update;
    for (unsigned i = 0; i < update->notice_count; i++)
        heed_notice(driver, &update->notices[i]);
    for (unsigned i = 0; i < update->dial_count; i++) {
        if (update->dials[i].hang_up)
            driver_hang_up(driver, &update->dials[i].peer);
        else
            driver_dial(driver, &update->dials[i].peer);
    }
    for (unsigned i = 0; i < update->message_count; i++)
        driver_send(driver, &update->messages[i]);
}

static bool persisted(struct cluster_driver *driver)
{
    struct fault fault;
    if (!driver->update->persist || state_file_save(driver->state, driver->update->state, &fault))
        return true;
    log_error("the state: %s", fault.text);
    return false;
}

static void step(struct cluster_driver *driver, struct cluster_event *event)
{
    event->mono = driver_mono();
    event->boot = boot_time();
    event->wall = clock_wall(clock_system()) / CLOCK_MILLISECOND;
    cluster_step(driver->core, event, driver->update);
}

void cluster_driver_step(struct cluster_driver *driver, struct cluster_event *event)
{
    struct cluster_event failed = {.type = CLUSTER_PERSIST_FAILED};
    step(driver, event);
    if (!persisted(driver)) {
        step(driver, &failed);
        if (!persisted(driver))
            return; /* what cannot be kept is not told; the next tick tries again */
    }
    obey(driver);
}

/* --- the directory --- */

static bool tell_reachable(struct cluster_driver *driver, unsigned i)
{
    const struct synchronizer_ops *ops = &driver->config.synchronizer;
    const char *domain = driver->directories[i].domain;
    bool reachable = !ops->directory_reachable || ops->directory_reachable(ops->context, domain);
    if (driver->directories[i].told && driver->directories[i].reachable == reachable)
        return false;
    driver->directories[i].told = true;
    driver->directories[i].reachable = reachable;
    struct cluster_event event = {.type = CLUSTER_DIRECTORY,
                                  .directory = {.domain = domain, .reachable = reachable}};
    cluster_driver_step(driver, &event);
    return true;
}

/* Only domains that this node's grant names: the others are not its to replicate. */
static void find_directories(struct cluster_driver *driver)
{
    const struct grant *grant = &driver->identity->certificate.grant;
    driver->directory_count = 0;
    for (unsigned i = 0; i < grant->domain_count; i++)
        driver->directories[driver->directory_count++].domain = grant->domains[i];
}

static void look_at_directories(struct cluster_driver *driver)
{
    for (unsigned i = 0; i < driver->directory_count; i++)
        tell_reachable(driver, i);
}

/* --- known peers --- */

static void save_peers(struct cluster_driver *driver)
{
    struct fault fault = {.text = "out of memory"};
    struct peers_writer *writer = peers_writer_new();
    if (writer)
        cluster_each_record(driver->core, peers_writer_add, writer);
    if (!writer || !peers_writer_save(&writer, driver->config.disk, driver->config.directory, &fault))
        log_error("known peers: %s", fault.text);
    driver->peers_saved = cluster_member_count(driver->core);
    driver->peers_changed = 0;
    driver->peers_at = driver_mono() + PEERS_PERIOD;
}

/* Every five minutes when anything changed, at once when a tenth of the fleet did. */
static void consider_peers(struct cluster_driver *driver)
{
    unsigned tenth = driver->peers_saved / 10 + 1;
    if (driver->peers_changed >= tenth || (driver->peers_changed > 0 && driver_mono() >= driver->peers_at))
        save_peers(driver);
}

/* --- making it --- */

static void learn(void *context, struct bytes record)
{
    struct cluster_driver *driver = context;
    if (!cluster_learn(driver->core, record))
        log_info("known peers: a record that does not verify any more is passed over");
}

static bool open_identity(struct cluster_driver *driver, struct fault *fault)
{
    const char *directory = driver->config.directory;
    driver->lock = directory_lock(directory, fault);
    if (driver->lock < 0)
        return false;
    enum disk_found found = identity_load(&driver->identity, driver->config.disk, directory, fault);
    if (found == DISK_ABSENT || (found == DISK_FOUND && driver->identity->encoded_size == 0))
        return fault_say(fault, "%s: this node has not joined a fleet (picketd --join)", directory);
    if (found != DISK_FOUND)
        return false;
    driver->keys = identity_keys(driver->identity);
    if (!driver->keys)
        return fault_say(fault, "no memory for keys");
    driver->crypto = crypto_sodium_table(driver->keys);
    return true;
}

static bool open_state(struct cluster_driver *driver, struct fault *fault)
{
    enum state_verdict verdict;
    driver->state = state_file_open(driver->config.disk, driver->config.directory, &verdict, fault);
    if (!driver->state)
        return false;
    if (verdict == STATE_LOST)
        log_warning("%s; this node starts without a memory of what it did", fault->text);
    return true;
}

static bool make_core(struct cluster_driver *driver, struct fault *fault)
{
    const struct driver_config *config = &driver->config;
    struct cluster_config core;
    struct policy policy;
    struct disk_content content = {0};
    cluster_config_init(&core);
    core.trust = driver->identity->trust;
    core.certificate = identity_certificate(driver->identity);
    core.version = config->version;
    for (unsigned i = 0; i < config->endpoint_count; i++)
        core.endpoints[core.endpoint_count++] = config->endpoints[i];
    for (unsigned i = 0; i < config->controller_count; i++)
        core.controllers[core.controller_count++] = config->controllers[i];
    core.timers = config->timers;
    core.min_observers = config->min_observers;
    core.members_max = config->members_max;
    core.history_size = config->history_size;
    core.enrolment_port = config->enrolment_port;
    if (policy_load(&policy, &content, &core.trust, config->disk, config->directory, fault) == DISK_FAILED)
        return false;
    size_t pool = (size_t)config->members_max * POOL_BYTES_PER_MEMBER;
    driver->pool = record_pool_new(pool > POOL_BYTES_LEAST ? pool : POOL_BYTES_LEAST);
    driver->core = driver->pool ? cluster_new(&core, &driver->crypto, driver->pool,
                                              (struct bytes){content.data, content.size})
                                : NULL;
    disk_content_free(&content);
    driver->update = cluster_update_new();
    return (driver->core && driver->update) ||
           fault_say(fault, "%s: the certificate does not verify, or memory is short", config->directory);
}

static bool load_peers(struct cluster_driver *driver, struct fault *fault)
{
    if (peers_load(driver->config.disk, driver->config.directory, learn, driver, fault) == DISK_FAILED)
        log_warning("%s; the fleet is found by seeds, or when others dial", fault->text);
    driver->peers_saved = cluster_member_count(driver->core);
    driver->peers_at = driver_mono() + PEERS_PERIOD;
    return true;
}

struct cluster_driver *cluster_driver_new(const struct driver_config *config, struct fault *fault)
{
    struct cluster_driver *driver = calloc(1, sizeof(*driver));
    if (!driver) {
        fault_say(fault, "no memory");
        return NULL;
    }
    driver->config = *config;
    driver->lock = -1;
    driver->mailbox = mailbox_new();
    if (driver->mailbox && crypto_sodium_start() && directory_prepare(config->directory, fault) &&
        open_identity(driver, fault) && open_state(driver, fault) && make_core(driver, fault) &&
        load_peers(driver, fault) && driver_keys_open(driver)) {
        find_directories(driver);
        return driver;
    }
    if (!driver->mailbox)
        fault_say(fault, "no memory");
    cluster_driver_destroy(&driver);
    return NULL;
}

void cluster_driver_destroy(struct cluster_driver **driver_p)
{
    struct cluster_driver *driver = *driver_p;
    if (!driver)
        return;
    mailbox_destroy(&driver->mailbox);
    driver_keys_close(driver);
    cluster_destroy(&driver->core);
    record_pool_destroy(&driver->pool);
    cluster_update_destroy(&driver->update);
    state_file_close(&driver->state);
    ledger_destroy(&driver->ledger);
    crypto_sodium_destroy(&driver->keys);
    identity_destroy(&driver->identity);
    if (driver->lock >= 0)
        close(driver->lock);
    free(driver);
    *driver_p = NULL;
}

/* --- running --- */

static void load_state(struct cluster_driver *driver, struct cluster_event *event)
{
    event->start.state = state_file_payload(driver->state);
    crypto_random(event->start.random, sizeof(event->start.random));
}

/* The configuration says that this node stands for nothing. */
static void stand_for_nothing(struct cluster_driver *driver)
{
    for (unsigned i = 0; i < driver->directory_count; i++) {
        struct cluster_event event = {.type = CLUSTER_CANDIDATE,
                                      .command = {.domain = driver->directories[i].domain, .on = false}};
        cluster_driver_step(driver, &event);
    }
}

static bool begin(struct cluster_driver *driver)
{
    struct cluster_event start = {.type = CLUSTER_START};
    driver_enrolment_update(driver);
    if (!driver_links_open(driver, &driver->fault))
        return false;
    driver_keys_admit_all(driver);
    load_state(driver, &start);
    cluster_driver_step(driver, &start);
    if (!driver->config.candidate)
        stand_for_nothing(driver);
    driver->tick_at = driver_mono();
    return true;
}

static void expel_revoked(struct cluster_driver *driver)
{
    struct cluster_member_view member;
    if (driver->expel_at == 0 || driver_mono() < driver->expel_at)
        return;
    driver->expel_at = 0;
    for (unsigned i = 0; i < cluster_member_count(driver->core); i++)
        if (cluster_member_at(driver->core, i, &member) && member.state == MEMBER_REVOKED && !member.self)
            driver_keys_member_revoked(driver, &member.id);
}

static void tick(struct cluster_driver *driver)
{
    struct cluster_event event = {.type = CLUSTER_TICK};
    int64_t now = driver_mono();
    if (now < driver->tick_at)
        return;
    /* After a pause one tick is enough: the core sees by the clocks how long it was. */
    driver->tick_at = now - driver->tick_at > driver->config.timers.tick
                          ? now + driver->config.timers.tick
                          : driver->tick_at + driver->config.timers.tick;
    look_at_directories(driver);
    cluster_driver_step(driver, &event);
    expel_revoked(driver);
    transport_tick(driver->transport, now);
    driver_find_fleet(driver);
    consider_peers(driver);
}

/* The sockets are wanted otherwise than they are. Without them there is nothing left to do here. */
static void reopen(struct cluster_driver *driver)
{
    struct fault fault;
    if (driver->reopen_at == 0 || driver_mono() < driver->reopen_at || driver_links_reopen(driver, &fault))
        return;
    log_error("the sockets cannot be opened again: %s", fault.text);
    driver->end = DRIVER_FAILED;
}

static long time_left(const struct cluster_driver *driver)
{
    int64_t left = driver->tick_at - driver_mono();
    return left > 0 ? (long)left : 0;
}

static void wait_for_something(struct cluster_driver *driver, zsock_t *pipe)
{
    zmq_pollitem_t items[TRANSPORT_POLL_ITEMS + 2] = {
        {.socket = zsock_resolve(pipe), .events = ZMQ_POLLIN},
        {.fd = mailbox_descriptor(driver->mailbox), .events = ZMQ_POLLIN},
    };
    unsigned count = 2 + transport_poll_items(driver->transport, items + 2);
    zmq_poll(items, (int)count, time_left(driver));
    if (items[0].revents & ZMQ_POLLIN) {
        char *command = zstr_recv(pipe);
        driver->stopping |= !command || strcmp(command, "$TERM") == 0;
        zstr_free(&command);
    }
    if (items[1].revents)
        mailbox_run(driver->mailbox, driver);
}

#define LEAVE_TIME 500 /* ms that the last messages have before the sockets' own drain */

/* Says good-bye, lets it go out. */
static void leave(struct cluster_driver *driver)
{
    struct cluster_event event = {.type = CLUSTER_LEAVE};
    int64_t until = driver_mono() + LEAVE_TIME;
    cluster_driver_step(driver, &event);
    for (int64_t left; (left = until - driver_mono()) > 0;) {
        zmq_pollitem_t items[TRANSPORT_POLL_ITEMS];
        unsigned count = transport_poll_items(driver->transport, items);
        zmq_poll(items, (int)count, (long)left);
        driver_links_receive(driver);
        transport_tick(driver->transport, driver_mono());
    }
    save_peers(driver);
}

static void run(zsock_t *pipe, void *context)
{
    struct cluster_driver *driver = context;
    bool running = begin(driver);
    atomic_store(&driver->running, running);
    zsock_signal(pipe, 0);
    while (running && !driver->stopping && driver->end == DRIVER_RUNS) {
        wait_for_something(driver, pipe);
        driver_links_receive(driver);
        tick(driver);
        reopen(driver);
    }
    if (running && driver->end != DRIVER_FAILED)
        leave(driver);
    driver_rotation_abandon(driver);
    mailbox_close(driver->mailbox);
    transport_destroy(&driver->transport);
    if (driver->end == DRIVER_RUNS)
        driver->end = DRIVER_STOPPED;
    else if (driver->config.ended)
        driver->config.ended(driver->config.context, driver->end);
    /* Ended by itself: the actor's owner will still say $TERM. */
    while (!driver->stopping) {
        char *command = zstr_recv(pipe);
        driver->stopping = !command || strcmp(command, "$TERM") == 0;
        zstr_free(&command);
    }
}

bool cluster_driver_start(struct cluster_driver *driver, struct fault *fault)
{
    zsys_handler_set(NULL); /* signals are the program's */
    driver->actor = zactor_new(run, driver);
    if (!driver->actor)
        return fault_say(fault, "no thread could be started");
    if (atomic_load(&driver->running))
        return true;
    *fault = driver->fault;
    zactor_destroy(&driver->actor);
    return false;
}

void cluster_driver_stop(struct cluster_driver *driver)
{
    zactor_destroy(&driver->actor);
}
