/* SPDX-License-Identifier: Apache-2.0 */
#include "center/receiver.h"

#include "base/clock.h"
#include "base/hash_table.h"
#include "base/log.h"
#include "base/notify.h"
#include "center/admission.h"
#include "center/aside.h"
#include "center/batch_check.h"
#include "center/sensor_settings.h"
#include "center/sources.h"
#include "cluster/connections.h"
#include "cluster/identity.h"
#include "cluster/zap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <zmq.h>

#define ZAP_ENFORCE_DOMAIN 93 /* ZMQ_ZAP_ENFORCE_DOMAIN: works, but stable headers do not name it */
#define CURVE_OVERHEAD     33 /* what CURVE adds to a frame (RFC 26) */
#define ROUTE_SIZE         5u /* of a routing id that ZeroMQ made: a zero and four bytes */
#define MONITORED          (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED)
#define MONITOR_ENDPOINT   "inproc://monitor"
#define MONITOR_QUEUE      65536

/* A commit takes what came until then, at most so much. */
#define GROUP_MESSAGES 256u
#define GROUP_BYTES    (16u << 20)

/* What all nodes together may have on the way. */
#define WINDOWS_TOTAL ((uint64_t)256 << 20)
#define WINDOW_LEAST  ((uint64_t)256 << 10)
#define WINDOW_MOST   ((uint64_t)8 << 20)

#define SILENCE       (10 * CLOCK_SECOND)  /* of a connection on which no node has been welcomed */
#define FAREWELL      CLOCK_SECOND         /* between a DENIED and the end of its connection */
#define REPAIR        CLOCK_SECOND         /* between attempts to open the log anew */
#define ROOM_WANTED   ((uint64_t)16 << 20) /* on a disk that was full, before it is tried again */
#define LEAVING_MAX   256u
#define REPORTS_APART CLOCK_SECOND /* what a node tells of the fleet more often is not looked at */

struct route {
    uint8_t bytes[ROUTE_SIZE];
};

/* A node that was welcomed. */
struct session {
    bool up, touched; /* touched: owed an acknowledgement */
    struct route route;
    int fd;
    char address[TCP_ADDRESS_MAX];
    struct grant grant;
    char name[NAME_MAX_SIZE];
    uint64_t generation; /* of its spool, as it said */
    uint64_t settings;   /* version of those that it has or was told */
    int64_t reported;    /* monotonic: when it told its view of the fleet last */
};

struct leaving {
    int fd;
    char address[TCP_ADDRESS_MAX];
    int64_t at;
};

/* A REFUSED is said after the commit, for it acknowledges what came before. */
struct refusal {
    uint32_t number;
    uint64_t sequence;
    struct fault why;
};

struct receiver {
    const struct center_config *config;
    const struct disk *disk;
    void *context, *socket, *monitor;
    struct zap *zap;
    struct inbound_table inbound;
    char bound[CENTER_LISTEN][TCP_ADDRESS_MAX];
    unsigned bound_count;

    struct admission admission;
    struct sources *sources;
    struct received_log *log; /* NULL: it cannot be written now */
    int64_t repair_at;
    struct session **sessions; /* by number */
    uint32_t up;
    struct hash_table *routes; /* struct route -> number */
    struct batch_check *check;

    uint32_t touched[GROUP_MESSAGES];
    uint32_t touched_count;
    struct refusal refusals[GROUP_MESSAGES];
    uint32_t refusal_count;
    struct leaving leaving[LEAVING_MAX];
    uint32_t leaving_count;
    struct timespec settings_at; /* when the directory of the sensors' settings changed last */
    struct sensor_settings settings;
    struct receiver_counters counters;
    struct receiver_hooks hooks;
    int64_t forget_at;
};

static int64_t monotonic(void)
{
    return clock_monotonic(clock_system());
}

/* --- sessions --- */

static void commit(struct receiver *self);

static void session_end(struct receiver *self, struct session *session)
{
    if (!session || !session->up)
        return;
    hash_table_remove(self->routes, &session->route);
    session->up = false;
    self->up--;
}

static void end_all(struct receiver *self)
{
    for (uint32_t i = 0; i < SOURCES_MAX; i++)
        session_end(self, self->sessions[i]);
}

static bool say(struct receiver *self, const struct route *route, const struct delivery_message *message)
{
    uint8_t bytes[DELIVERY_REPLY_MAX];
    size_t size = delivery_write(bytes, sizeof(bytes), message);
    if (zmq_send(self->socket, route->bytes, ROUTE_SIZE, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    return zmq_send(self->socket, bytes, size, ZMQ_DONTWAIT) >= 0;
}

/* What cannot be said to a session ends it: the node will say HELLO again. */
static void say_to(struct receiver *self, struct session *session, const struct delivery_message *message)
{
    if (session->up && !say(self, &session->route, message))
        session_end(self, session);
}

static struct bytes words(const char *text)
{
    size_t size = strlen(text);
    return (struct bytes){(const uint8_t *)text, size < DELIVERY_TEXT_MAX ? size : DELIVERY_TEXT_MAX};
}

static void part_from(struct receiver *self, int fd, const char *address)
{
    if (self->leaving_count == LEAVING_MAX) {
        connection_cut(fd, address);
        return;
    }
    struct leaving *leaving = &self->leaving[self->leaving_count++];
    leaving->fd = fd;
    leaving->at = monotonic() + FAREWELL;
    memcpy(leaving->address, address, sizeof(leaving->address));
}

static void deny(struct receiver *self, const struct route *route, int fd, const char *name, const char *why)
{
    const struct delivery_message denied = {.type = DELIVERY_DENIED, .text = words(why)};
    char address[TCP_ADDRESS_MAX];
    connection_address(fd, address);
    log_warning("%s at %s is not let in: %s", *name ? name : "a node", address, why);
    self->counters.denied++;
    say(self, route, &denied);
    part_from(self, fd, address);
}

/* --- the log --- */

static struct bytes give_state(void *context)
{
    return sources_state(((struct receiver *)context)->sources);
}

static void hear_entry(void *context, const struct log_entry *entry)
{
    sources_recover(((struct receiver *)context)->sources, entry);
}

/* What is remembered is what the log says. */
static bool open_log(struct receiver *self, struct fault *fault)
{
    const struct received_log_config config = {.disk = self->disk,
                                               .directory = self->config->log,
                                               .segment_bytes = self->config->segment_bytes,
                                               .bytes_max = self->config->log_bytes,
                                               .state = give_state,
                                               .recover = hear_entry,
                                               .context = self};
    uint64_t seed;
    crypto_random(&seed, sizeof(seed));
    sources_destroy(&self->sources);
    self->sources = sources_new(seed);
    if (!self->sources)
        return fault_say(fault, "out of memory");
    self->log = received_log_open(&config, fault);
    return self->log != NULL;
}

/* Nothing of this group is acknowledged; all say HELLO again when the log is open anew. */
static void lose_log(struct receiver *self, const struct fault *fault)
{
    log_error("nothing can be received: %s", fault->text);
    self->counters.log_failures++;
    received_log_close(&self->log);
    self->repair_at = monotonic() + REPAIR;
    self->touched_count = self->refusal_count = 0;
    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        struct session *session = self->sessions[i];
        if (!session || !session->up)
            continue;
        const struct delivery_message denied = {.type = DELIVERY_DENIED,
                                                .text = words("the center cannot store anything now")};
        session->touched = false;
        say(self, &session->route, &denied);
        session_end(self, session);
    }
}

static bool has_room(const struct receiver *self)
{
    struct statvfs status;
    return statvfs(self->config->log, &status) != 0 ||
           (uint64_t)status.f_bavail * status.f_frsize >= ROOM_WANTED;
}

static void repair_log(struct receiver *self)
{
    struct fault fault;
    if (self->log || monotonic() < self->repair_at)
        return;
    self->repair_at = monotonic() + REPAIR;
    if (!has_room(self)) {
        log_warning("nothing can be received: the disk of %s is full", self->config->log);
        return;
    }
    if (open_log(self, &fault))
        log_notice("the log is open again");
    else
        log_error("%s", fault.text);
}

/* --- settings of sensors --- */

/* Those that it does not have yet. */
static void offer_settings(struct receiver *self, struct session *session)
{
    struct fault fault;
    struct sensor_settings *settings = &self->settings;
    enum disk_found found =
        sensor_settings_load(settings, self->disk, self->config->sensors, &session->grant.id, &fault);
    if (found == DISK_FAILED)
        log_warning("the settings of %s: %s", session->name, fault.text);
    if (found != DISK_FOUND || settings->version <= session->settings)
        return;
    const struct delivery_message message = {.type = DELIVERY_SETTINGS,
                                             .sequence = settings->version,
                                             .payload = {settings->text, settings->size}};
    session->settings = settings->version;
    say_to(self, session, &message);
}

/* Whoever administers replaces files: that changes the directory. */
static void look_for_settings(struct receiver *self)
{
    struct stat status;
    if (stat(self->config->sensors, &status) != 0 || (status.st_mtim.tv_sec == self->settings_at.tv_sec &&
                                                      status.st_mtim.tv_nsec == self->settings_at.tv_nsec))
        return;
    self->settings_at = status.st_mtim;
    for (uint32_t i = 0; i < SOURCES_MAX; i++)
        if (self->sessions[i] && self->sessions[i]->up)
            offer_settings(self, self->sessions[i]);
}

static void meet_sensor(struct receiver *self, struct session *session, uint64_t settings)
{
    struct fault fault;
    session->settings = settings;
    if (!sensor_name_save(session->name, self->disk, self->config->sensors, &session->grant.id, &fault))
        log_warning("%s: %s", session->name, fault.text);
    offer_settings(self, session);
}

static void hear_settled(struct receiver *self, const struct session *session,
                         const struct delivery_message *message)
{
    static const char *const words_of[] = {[DELIVERY_IN_EFFECT] = "in effect",
                                           [DELIVERY_NEXT_START] = "with its next start",
                                           [DELIVERY_UNFIT] = "refused"};
    struct fault fault;
    struct sensor_settled settled = {.version = message->sequence,
                                     .how = (enum delivery_settled)message->kind,
                                     .at = clock_wall(clock_system())};
    if (message->text.size)
        memcpy(settled.text, message->text.data, message->text.size);
    for (char *c = settled.text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    log_notice("%s: settings %llu: %s", session->name, (unsigned long long)settled.version,
               words_of[settled.how]);
    if (!sensor_settled_save(&settled, self->disk, self->config->sensors, &session->grant.id, &fault))
        log_warning("%s: %s", session->name, fault.text);
}

/* --- views of the fleet --- */

static bool hear_report(struct receiver *self, struct session *session,
                        const struct delivery_message *message)
{
    int64_t now = monotonic();
    if (!self->hooks.report || now - session->reported < REPORTS_APART)
        return true;
    session->reported = now;
    return self->hooks.report(self->hooks.context, &session->grant.id, session->name, message->payload);
}

/* --- HELLO --- */

static uint64_t window_of(const struct receiver *self)
{
    uint64_t window = WINDOWS_TOTAL / (self->up ? self->up : 1);
    return window < WINDOW_LEAST ? WINDOW_LEAST : window > WINDOW_MOST ? WINDOW_MOST : window;
}

static void expel_revoked(struct receiver *self)
{
    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        struct session *session = self->sessions[i];
        if (!session || !session->up || !policy_revokes(&self->admission.policy, &session->grant.id))
            continue;
        log_notice("%s is revoked", session->name);
        connection_cut(session->fd, session->address);
        session_end(self, session);
    }
}

static void learn_policy(struct receiver *self, struct bytes policy)
{
    struct fault fault;
    if (!admission_learn(&self->admission, policy))
        return;
    log_notice("policy %llu of the fleet", (unsigned long long)self->admission.policy.version);
    if (!policy_save(policy, self->disk, self->config->state, &fault))
        log_warning("%s", fault.text);
    expel_revoked(self);
}

static struct session *session_of(struct receiver *self, uint32_t number)
{
    if (!self->sessions[number])
        self->sessions[number] = calloc(1, sizeof(struct session));
    return self->sessions[number];
}

static void welcome(struct receiver *self, const struct route *route, int fd, uint32_t number,
                    const struct certificate *certificate, const struct delivery_message *hello)
{
    struct source *source = sources_at(self->sources, number);
    struct session *session = session_of(self, number);
    if (!session) {
        deny(self, route, fd, certificate->name, "no memory");
        return;
    }
    session_end(self, session);
    uint32_t *routed = hash_table_insert(self->routes, route, NULL);
    if (!routed) {
        deny(self, route, fd, certificate->name, "too many connections");
        return;
    }
    *routed = number;
    self->up++;
    source->key_generation = certificate->generation;
    delivery_source_greet(&source->delivery, hello);
    session->up = true;
    session->touched = false;
    session->route = *route;
    session->fd = fd;
    connection_address(fd, session->address);
    session->grant = certificate->grant;
    session->generation = hello->generation;
    memcpy(session->name, certificate->name, sizeof(session->name));
    inbound_spoke(&self->inbound, fd);
    self->counters.welcomed++;
    log_info("%s at %s has come; up to %llu is here", session->name, session->address,
             (unsigned long long)source->delivery.last);
    const struct delivery_message answer = {.type = DELIVERY_WELCOME,
                                            .version = DELIVERY_VERSION,
                                            .sequence = source->delivery.last,
                                            .window = window_of(self)};
    say_to(self, session, &answer);
    meet_sensor(self, session, hello->settings);
}

static void hear_hello(struct receiver *self, const struct route *route, int fd,
                       const uint8_t key[CURVE_KEY_SIZE], const struct delivery_message *hello)
{
    struct certificate certificate = {0};
    struct fault fault;
    learn_policy(self, hello->policy);
    commit(self); /* a WELCOME acknowledges what came on an earlier connection */
    if (!admission_check(&self->admission, hello, key, &certificate, &fault)) {
        deny(self, route, fd, certificate.name, fault.text);
        return;
    }
    uint32_t number = self->log ? sources_number(self->sources, &certificate.grant.id) : SOURCES_MAX;
    if (!self->log)
        deny(self, route, fd, certificate.name, "the center cannot store anything now");
    else if (number == SOURCES_MAX)
        deny(self, route, fd, certificate.name, "the center knows as many nodes as it can");
    else if (sources_at(self->sources, number)->key_generation > certificate.generation)
        deny(self, route, fd, certificate.name, "it has a newer key");
    else if (self->hooks.admit && !self->hooks.admit(self->hooks.context, &certificate, &fault))
        deny(self, route, fd, certificate.name, fault.text);
    else
        welcome(self, route, fd, number, &certificate, hello);
}

/* --- BATCH --- */

static void touch(struct receiver *self, uint32_t number)
{
    struct session *session = self->sessions[number];
    if (!session->touched)
        self->touched[self->touched_count++] = number;
    session->touched = true;
}

static bool store(struct receiver *self, uint32_t number, const struct delivery_message *batch,
                  enum log_kind kind, struct bytes content)
{
    struct source *source = sources_at(self->sources, number);
    const struct log_origin origin = {.node = source->id,
                                      .generation = source->delivery.generation,
                                      .sequence = batch->sequence,
                                      .closed = batch->wall};
    struct fault fault;
    if (!received_log_append(self->log, clock_wall(clock_system()), kind, &origin, content, &fault)) {
        lose_log(self, &fault);
        return false;
    }
    source->delivery.last = batch->sequence;
    return true;
}

/* That it was refused is as durable as what is stored: it is not asked for again. */
static void refuse(struct receiver *self, uint32_t number, const struct delivery_message *batch,
                   enum log_kind kind, const struct fault *why)
{
    struct session *session = self->sessions[number];
    log_warning("batch %llu of %s is refused: %s", (unsigned long long)batch->sequence, session->name,
                why->text);
    if (!store(self, number, batch, kind, words(why->text)))
        return;
    self->refusals[self->refusal_count++] =
        (struct refusal){.number = number, .sequence = batch->sequence, .why = *why};
}

static void refuse_malformed(struct receiver *self, uint32_t number, const struct delivery_message *batch,
                             const char *what)
{
    struct fault why;
    const struct source *source = sources_at(self->sources, number);
    const struct log_origin origin = {.node = source->id, .sequence = batch->sequence};
    self->counters.malformed++;
    fault_say(&why, "malformed: %s", what);
    aside_keep(self->disk, self->config->refused, &origin, batch->payload);
    refuse(self, number, batch, LOG_MALFORMED, &why);
}

/* A node speaks of the domains that it may synchronize, in its own name. */
static bool may_speak(const struct session *session, const struct batch_fence *fence)
{
    if (memcmp(fence->node, session->grant.id.bytes, NODE_ID_SIZE) != 0)
        return false;
    for (unsigned i = 0; i < session->grant.domain_count; i++)
        if (strcmp(session->grant.domains[i], fence->domain) == 0)
            return true;
    return false;
}

/* Whether its synchronizer still holds the domain. */
static bool pass_fence(struct receiver *self, uint32_t number, const struct batch_fence *fence,
                       struct fault *why)
{
    char id[NODE_ID_TEXT_SIZE];
    struct fence holder;
    if (!may_speak(self->sessions[number], fence))
        return fault_say(why, "this node may not speak of %s", fence->domain);
    if (!sources_accept(self->sources, fence, &holder))
        return fault_say(why, "%s: term %llu of %s, incarnation %llu, batch %llu came before", fence->domain,
                         (unsigned long long)holder.term, node_id_text(&holder.id, id),
                         (unsigned long long)holder.incarnation, (unsigned long long)holder.sequence);
    return sources_raise(self->sources, fence) || fault_say(why, "too many domains");
}

static void take_batch(struct receiver *self, uint32_t number, const struct delivery_message *batch)
{
    struct batch_found found;
    struct fault why;
    batch_check_payload(self->check, batch->kind, batch->payload, &found);
    if (found.fault) {
        refuse_malformed(self, number, batch, found.fault);
        return;
    }
    if (batch->kind == DELIVERY_ENTITIES && !pass_fence(self, number, &found.fence, &why)) {
        self->counters.fenced++;
        refuse(self, number, batch, LOG_REFUSED, &why);
        return;
    }
    if (!store(self, number, batch, (enum log_kind)batch->kind, batch->payload))
        return;
    self->counters.batches++;
    self->counters.bytes += batch->payload.size;
    touch(self, number);
}

static void hear_batch(struct receiver *self, uint32_t number, const struct delivery_message *batch)
{
    static const struct delivery_message again = {.type = DELIVERY_AGAIN};
    struct session *session = self->sessions[number];
    struct source *source = sources_at(self->sources, number);
    if (source->delivery.generation != session->generation) {
        say_to(self, session, &again);
        return;
    }
    switch (delivery_source_judge(&source->delivery, batch)) {
    case DELIVERY_TAKE:
        take_batch(self, number, batch);
        return;
    case DELIVERY_KNOWN:
        self->counters.known++;
        touch(self, number);
        return;
    case DELIVERY_MISSING:
        self->counters.missing++;
        say_to(self, session, &again);
        return;
    }
}

/* --- messages --- */

static bool key_of(zmq_msg_t *payload, uint8_t key[CURVE_KEY_SIZE])
{
    const char *hex = zmq_msg_gets(payload, ZAP_KEY);
    if (!hex || strlen(hex) != 2 * CURVE_KEY_SIZE)
        return false;
    for (unsigned i = 0; i < CURVE_KEY_SIZE; i++) {
        unsigned byte;
        if (sscanf(hex + (size_t)2 * i, "%2x", &byte) != 1)
            return false;
        key[i] = (uint8_t)byte;
    }
    return true;
}

static void hear(struct receiver *self, const struct route *route, zmq_msg_t *payload)
{
    static const struct delivery_message again = {.type = DELIVERY_AGAIN};
    struct delivery_message message;
    uint8_t key[CURVE_KEY_SIZE];
    const uint32_t *number = hash_table_find(self->routes, route);
    int fd = zmq_msg_get(payload, ZMQ_SRCFD);
    if (!key_of(payload, key) ||
        !delivery_read(&message, (struct bytes){zmq_msg_data(payload), zmq_msg_size(payload)})) {
        self->counters.garbage++;
        return;
    }
    if (message.type == DELIVERY_HELLO) {
        hear_hello(self, route, fd, key, &message);
    } else if (!number) {
        self->counters.strangers++;
        say(self, route, &again);
    } else if (message.type == DELIVERY_BATCH && self->log) {
        hear_batch(self, *number, &message);
    } else if (message.type == DELIVERY_SETTLED) {
        hear_settled(self, self->sessions[*number], &message);
    } else if (message.type == DELIVERY_REPORT && hear_report(self, self->sessions[*number], &message)) {
        self->counters.reports++;
    } else {
        self->counters.garbage++;
    }
}

/* A routing id that a peer chose is none of ours. */
static bool route_of(zmq_msg_t *part, struct route *route)
{
    const uint8_t *bytes = zmq_msg_data(part);
    if (zmq_msg_size(part) != ROUTE_SIZE || bytes[0] != 0)
        return false;
    memcpy(route->bytes, bytes, ROUTE_SIZE);
    return true;
}

/* One message: its routing id and one frame; with more frames it is garbage. False: none is there. */
static bool receive(struct receiver *self, size_t *size)
{
    zmq_msg_t parts[2], excess;
    struct route route;
    unsigned count = 0;
    zmq_msg_init(&parts[0]);
    zmq_msg_init(&parts[1]);
    for (bool more = true; more; count++) {
        zmq_msg_t *part = count < 2 ? &parts[count] : &excess;
        if (count >= 2)
            zmq_msg_init(&excess);
        if (zmq_msg_recv(part, self->socket, ZMQ_DONTWAIT) < 0)
            break;
        more = zmq_msg_more(part);
        if (count >= 2)
            zmq_msg_close(&excess);
    }
    *size = zmq_msg_size(&parts[1]);
    if (count == 2 && route_of(&parts[0], &route))
        hear(self, &route, &parts[1]);
    else
        self->counters.garbage += count > 0;
    zmq_msg_close(&parts[0]);
    zmq_msg_close(&parts[1]);
    return count > 0;
}

/* --- commits --- */

static void acknowledge(struct receiver *self)
{
    for (uint32_t i = 0; i < self->touched_count; i++) {
        uint32_t number = self->touched[i];
        struct session *session = self->sessions[number];
        const struct delivery_message ack = {.type = DELIVERY_ACK,
                                             .sequence = sources_at(self->sources, number)->delivery.last};
        if (session->touched)
            say_to(self, session, &ack);
        session->touched = false;
    }
    for (uint32_t i = 0; i < self->refusal_count; i++) {
        const struct refusal *refusal = &self->refusals[i];
        const struct delivery_message refused = {
            .type = DELIVERY_REFUSED, .sequence = refusal->sequence, .text = words(refusal->why.text)};
        say_to(self, self->sessions[refusal->number], &refused);
    }
    self->touched_count = self->refusal_count = 0;
}

static void commit(struct receiver *self)
{
    struct fault fault;
    if (!self->log || self->touched_count + self->refusal_count == 0)
        return;
    self->counters.syncs++;
    if (received_log_sync(self->log, &fault))
        acknowledge(self);
    else
        lose_log(self, &fault);
}

static void serve(struct receiver *self)
{
    size_t bytes = 0, size;
    for (unsigned i = 0; i < GROUP_MESSAGES && bytes < GROUP_BYTES && receive(self, &size); i++)
        bytes += size;
    commit(self);
}

/* --- connections --- */

static void watch_connections(struct receiver *self)
{
    struct socket_event event;
    while (socket_event_take(self->monitor, &event)) {
        if (event.type == ZMQ_EVENT_ACCEPTED)
            self->counters.crowded += !inbound_add(&self->inbound, event.fd, monotonic());
        else
            inbound_remove(&self->inbound, event.fd);
    }
}

static void forget(struct receiver *self)
{
    int64_t before;
    uint64_t position;
    unsigned gone = 0;
    if (!self->log || !self->hooks.forget || monotonic() < self->forget_at)
        return;
    self->forget_at = monotonic() + CLOCK_SECOND;
    if (self->hooks.forget(self->hooks.context, &before, &position))
        gone = received_log_expire(self->log, before, position);
    if (gone)
        log_notice("%u files of the log were too old, and are gone", gone);
}

static void tick(struct receiver *self)
{
    int64_t now = monotonic();
    uint32_t kept = 0;
    self->counters.silent += inbound_cut_silent(&self->inbound, now - SILENCE);
    for (uint32_t i = 0; i < self->leaving_count; i++) {
        struct leaving *leaving = &self->leaving[i];
        if (leaving->at <= now)
            connection_cut(leaving->fd, leaving->address);
        else
            self->leaving[kept++] = *leaving;
    }
    self->leaving_count = kept;
    repair_log(self);
    look_for_settings(self);
    forget(self);
}

void receiver_run(struct receiver *self, int stop)
{
    int64_t tick_at = 0, alive_at = 0, alive_every = notify_watchdog() * CLOCK_MILLISECOND;
    for (;;) {
        zmq_pollitem_t items[] = {{.socket = self->socket, .events = ZMQ_POLLIN},
                                  {.socket = self->monitor, .events = ZMQ_POLLIN},
                                  {.fd = stop, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 3, 250) < 0 && errno != EINTR)
            return;
        if (items[2].revents)
            return;
        watch_connections(self);
        serve(self);
        if (monotonic() >= tick_at) {
            tick(self);
            tick_at = monotonic() + 250 * CLOCK_MILLISECOND;
        }
        if (alive_every && monotonic() >= alive_at) {
            notify_send("WATCHDOG=1");
            alive_at = monotonic() + alive_every;
        }
    }
}

/* --- start and end --- */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_keys(struct receiver *self, struct fault *fault)
{
    uint8_t public_key[CURVE_KEY_SIZE], *secret = secret_alloc(CURVE_KEY_SIZE);
    bool fine = secret && center_keys_load(self->config->state, public_key, secret, fault);
    fine = fine && zmq_setsockopt(self->socket, ZMQ_CURVE_PUBLICKEY, public_key, CURVE_KEY_SIZE) == 0 &&
           zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, secret, CURVE_KEY_SIZE) == 0;
    secret_free(secret);
    return fine;
}

/* As the fleet's sockets: docs/cluster-transport.md tells what each option guards against. */
static bool set_options(struct receiver *self)
{
    int64_t message_max = DELIVERY_MESSAGE_MAX + CURVE_OVERHEAD;
    void *s = self->socket;
    return set_int(s, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(s, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN_ENROLMENT, strlen(ZAP_DOMAIN_ENROLMENT)) == 0 &&
           set_int(s, ZAP_ENFORCE_DOMAIN, 1) && set_int(s, ZMQ_LINGER, 0) && set_int(s, ZMQ_IPV6, 1) &&
           set_int(s, ZMQ_ROUTER_MANDATORY, 1) && set_int(s, ZMQ_ROUTER_HANDOVER, 0) &&
           set_int(s, ZMQ_SNDHWM, 512) && set_int(s, ZMQ_RCVHWM, 8) &&
           zmq_setsockopt(s, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max)) == 0 &&
           set_int(s, ZMQ_HANDSHAKE_IVL, 3000) && set_int(s, ZMQ_HEARTBEAT_IVL, 5000) &&
           set_int(s, ZMQ_HEARTBEAT_TIMEOUT, 15000) && set_int(s, ZMQ_HEARTBEAT_TTL, 20000) &&
           set_int(s, ZMQ_TCP_KEEPALIVE, 0);
}

static bool watch(struct receiver *self)
{
    if (zmq_socket_monitor(self->socket, MONITOR_ENDPOINT, MONITORED) != 0)
        return false;
    self->monitor = zmq_socket(self->context, ZMQ_PAIR);
    return self->monitor && set_int(self->monitor, ZMQ_LINGER, 0) &&
           set_int(self->monitor, ZMQ_RCVHWM, MONITOR_QUEUE) &&
           zmq_connect(self->monitor, MONITOR_ENDPOINT) == 0;
}

static bool listen_on(struct receiver *self, struct fault *fault)
{
    for (unsigned i = 0; i < self->config->listen_count; i++) {
        size_t size = sizeof(self->bound[i]);
        if (zmq_bind(self->socket, self->config->listen[i]) != 0 ||
            zmq_getsockopt(self->socket, ZMQ_LAST_ENDPOINT, self->bound[i], &size) != 0)
            return fault_say(fault, "%s: %s", self->config->listen[i], zmq_strerror(errno));
        self->bound_count++;
        log_notice("receives at %s", self->bound[i]);
    }
    return true;
}

static bool open_sockets(struct receiver *self, struct fault *fault)
{
    self->context = zmq_ctx_new();
    if (!self->context || !zmq_has("curve"))
        return fault_say(fault, "ZeroMQ: no context, or no CURVE");
    zmq_ctx_set(self->context, ZMQ_BLOCKY, 0);
    zmq_ctx_set(self->context, ZMQ_IPV6, 1);
    const struct zap_options zap = {.context = self->context,
                                    .keys_max = 1,
                                    .enrolments_burst = self->config->connections * 4,
                                    .enrolments_per_min = self->config->connections * 4};
    self->zap = zap_new(&zap);
    if (!self->zap)
        return fault_say(fault, "the thread that admits nodes cannot start");
    self->socket = zmq_socket(self->context, ZMQ_ROUTER);
    if (!self->socket)
        return fault_say(fault, "ZeroMQ: %s", zmq_strerror(errno));
    if (!set_keys(self, fault))
        return false;
    if (!set_options(self) || !watch(self))
        return fault_say(fault, "ZeroMQ: %s", zmq_strerror(errno));
    return listen_on(self, fault);
}

static bool load_policy(struct receiver *self, struct fault *fault)
{
    struct disk_content content = {0};
    struct policy policy;
    struct trust trust = {0};
    memcpy(trust.authority, self->config->authority, PUBLIC_KEY_SIZE);
    enum disk_found found = policy_load(&policy, &content, &trust, self->disk, self->config->state, fault);
    if (found == DISK_FAILED) /* the nodes bring it */
        log_warning("%s", fault->text);
    struct bytes kept = {content.data, found == DISK_FOUND ? content.size : 0};
    bool fine = admission_init(&self->admission, self->config->authority, kept);
    if (found == DISK_FOUND)
        disk_content_free(&content);
    return fine || fault_say(fault, "the fleet's policy cannot be read");
}

static bool make_tables(struct receiver *self, struct fault *fault)
{
    uint64_t seed;
    crypto_random(&seed, sizeof(seed));
    self->sessions = calloc(SOURCES_MAX, sizeof(struct session *));
    self->routes = hash_table_new(SOURCES_MAX, ROUTE_SIZE, sizeof(uint32_t), seed);
    self->check = batch_check_new();
    if (self->sessions && self->routes && self->check &&
        inbound_init(&self->inbound, self->config->connections))
        return true;
    return fault_say(fault, "out of memory");
}

struct receiver *receiver_new(const struct center_config *config, struct fault *fault)
{
    struct receiver *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    self->config = config;
    self->disk = disk_system();
    if (make_tables(self, fault) && load_policy(self, fault) && open_log(self, fault) &&
        open_sockets(self, fault))
        return self;
    receiver_destroy(&self);
    return NULL;
}

static void close_sockets(struct receiver *self)
{
    static const uint8_t nothing[CURVE_KEY_SIZE];
    if (self->monitor) {
        zmq_socket_monitor(self->socket, NULL, 0);
        zmq_close(self->monitor);
    }
    if (self->socket) {
        /* ZeroMQ does not wipe its copy of the secret key: overwrite it. */
        zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, nothing, sizeof(nothing));
        zmq_close(self->socket);
    }
    if (!self->context)
        return;
    zmq_ctx_shutdown(self->context);
    zap_destroy(&self->zap);
    zmq_ctx_term(self->context);
}

void receiver_destroy(struct receiver **receiver)
{
    struct receiver *self = *receiver;
    if (!self)
        return;
    if (self->sessions && self->routes)
        end_all(self);
    close_sockets(self);
    received_log_close(&self->log);
    for (uint32_t i = 0; self->sessions && i < SOURCES_MAX; i++)
        free(self->sessions[i]);
    free(self->sessions);
    sources_destroy(&self->sources);
    hash_table_destroy(&self->routes);
    batch_check_destroy(&self->check);
    inbound_free(&self->inbound);
    free(self);
    *receiver = NULL;
}

void receiver_hook(struct receiver *self, const struct receiver_hooks *hooks)
{
    self->hooks = *hooks;
}

uint64_t receiver_position(const struct receiver *self)
{
    struct received_log_status status = {0};
    if (self->log)
        received_log_status(self->log, &status);
    return status.last;
}

void receiver_counters(const struct receiver *self, struct receiver_counters *counters)
{
    *counters = self->counters;
}

const char *receiver_endpoint(const struct receiver *self, unsigned index)
{
    return index < self->bound_count ? self->bound[index] : NULL;
}
