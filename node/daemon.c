/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/version.h"
#include "cluster/identity.h"
#include "node/answers.h"
#include "node/capture_report.h"
#include "node/command.h"
#include "node/control.h"
#include "node/directory_service.h"
#include "node/event_service.h"
#include "node/fleet_report.h"
#include "node/metrics.h"
#include "node/naming_service.h"
#include "node/outbox.h"
#include "node/pushed.h"
#include "node/reload.h"
#include "node/sender.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define STATUS_PERIOD  (10 * CLOCK_SECOND)
#define SPOOL_SEGMENTS 32u

struct daemon {
    const struct node_config *config; /* as it was started */
    struct reloaded *reloaded;        /* what was read since, the newest first */
    struct answers answers;
    struct cluster_driver *driver;
    struct control *control;
    struct directory_probe *probe;
    struct directory_service *directory; /* NULL: no account to read any with */
    struct spool *spool;
    struct outbox *outbox;
    struct sender *sender;            /* NULL: nobody receives */
    struct capture_settings settings; /* the configuration's, with what it is allowed */
    struct capture_allowance allowance;
    struct yielding yielding; /* what the governor says to work that can wait */
    struct capture_group capture;
    struct capture_reports *reports; /* NULL: nothing is captured */
    struct governor_service *governor;
    struct health *health;
    struct metrics *metrics;       /* NULL: nobody may ask */
    struct resolution *resolution; /* NULL: nothing is captured and nothing heard */
    struct event_service *events;  /* NULL: likewise */
    struct naming_service *naming; /* NULL: computers are not asked for their names */
    struct key_client *keys;       /* NULL: nothing is unsealed */
    bool driver_started, directory_started, capturing;
    int signal_descriptor;
    int ended_descriptor; /* readable when the driver ended by itself */
    atomic_int end;       /* enum driver_end */

    int64_t status_at; /* monotonic ns: when the service manager is told next */
    int64_t watchdog;  /* ns between signs of life; 0: nobody waits for any */
    int64_t watchdog_at;
    atomic_bool answered; /* the driver ran the last ping */

    pthread_mutex_t report_lock;
    uint8_t *report; /* what the sender shall tell next of the fleet; NULL: nothing new */
    size_t report_size;
};

/* Mail to the driver. */
struct ping {
    struct mail mail;
    struct daemon *daemon;
    bool status; /* also tell the service manager how things are */
};

/* A configuration that was read while the node runs. Kept until the end: threads may have its texts. */
struct reloaded {
    struct reloaded *before;
    struct node_config *config;
};

/* --- what the driver tells --- */

static void log_notice_of(struct cluster *core, const struct cluster_notice *notice)
{
    char sentence[512];
    struct text t = text_to(sentence, sizeof(sentence));
    view_notice_sentence(&t, core, notice);
    text_end(&t);
    switch (notice->type) {
    case NOTICE_UNASSIGNED:
    case NOTICE_CLONE:
    case NOTICE_REVOKED:
    case NOTICE_HOSTILE:
        log_warning("%s", sentence);
        break;
    case NOTICE_MEMBER_CHANGED:
    case NOTICE_ELECTION:
        log_info("%s", sentence);
        break;
    default:
        log_notice("%s", sentence);
    }
}

static void hear_notice(void *context, struct cluster_driver *driver, const struct cluster_notice *notice)
{
    struct daemon *self = context;
    struct cluster *core = cluster_driver_core(driver);
    struct json_writer w;
    struct bytes text;
    log_notice_of(core, notice);
    if (self->directory && notice->domain)
        directory_service_observe(self->directory, core);
    if (!control_has_listeners(self->control))
        return;
    json_writer_init(&w, 4096);
    view_notice(&w, NULL, core, notice);
    if (json_writer_done(&w, &text))
        control_publish(self->control, text, notice->domain);
    json_writer_free(&w);
}

static void hear_end(void *context, enum driver_end end)
{
    struct daemon *self = context;
    uint64_t one = 1;
    atomic_store(&self->end, (int)end);
    ssize_t n = write(self->ended_descriptor, &one, sizeof(one));
    (void)n;
}

/* --- what the control socket asks --- */

static bool for_the_directory(const struct daemon *self, const struct control_request *request)
{
    return self->directory && control_verb_of_directory(request->verb);
}

static bool post(void *context, const struct control_request *request, struct mail *job)
{
    struct daemon *self = context;
    return for_the_directory(self, request) ? directory_service_post(self->directory, job)
                                            : cluster_driver_post(self->driver, job);
}

static void answer(void *context, const struct control_request *request, const struct control_peer *peer,
                   struct json_writer *w)
{
    struct daemon *self = context;
    if (for_the_directory(self, request))
        directory_service_answer(self->directory, request, w);
    else
        answers_make(&self->answers, self->driver, request, peer, w);
}

/* --- the synchronizer --- */

static void start_synchronizer(void *context, const struct claim *claim)
{
    struct daemon *self = context;
    if (self->directory && directory_service_reads(self->directory, claim->domain))
        directory_service_hold(self->directory, claim, cluster_driver_core(self->driver));
    else
        log_warning("%s: this node is its synchronizer but has no account to read the directory with",
                    claim->domain);
}

static void stop_synchronizer(void *context, const char *domain)
{
    struct daemon *self = context;
    if (self->directory && directory_service_reads(self->directory, domain))
        directory_service_desist(self->directory, domain);
}

/* A domain that is read says itself whether it can be; of others it is tried. */
static bool reaches_directory(void *context, const char *domain)
{
    struct daemon *self = context;
    if (self->directory && directory_service_reads(self->directory, domain))
        return directory_service_reachable(self->directory, domain);
    return directory_probe_reachable(self->probe, domain);
}

/* --- the configuration, again; on the driver's thread --- */

static void use_filter(struct daemon *self, struct node_config *config)
{
    if (self->capturing && config->capture.filter)
        atomic_store(&self->allowance.filter, config->capture.filter);
}

static bool reload(void *context, char *said, size_t size)
{
    struct daemon *self = context;
    struct reloaded *reloaded = calloc(1, sizeof(*reloaded));
    struct node_config *config = reloaded ? node_config_load(self->config->path) : NULL;
    struct text t = text_to(said, size);
    if (!config) {
        free(reloaded);
        text_string(&t, "the configuration has faults, which the log tells: the one before stays");
        text_end(&t);
        return false;
    }
    node_config_use_pushed(&config);
    const struct node_config *newest = self->reloaded ? self->reloaded->config : self->config;
    reload_say(&t, self->config->config, newest->config, config->config);
    text_end(&t);
    governor_service_reserve(self->governor, config->reserve_cpu, config->reserve_memory);
    use_filter(self, config);
    if (self->events)
        event_service_renew(self->events);
    if (self->keys)
        key_client_renew(self->keys);
    *reloaded = (struct reloaded){.before = self->reloaded, .config = config};
    self->reloaded = reloaded;
    return true;
}

static void reload_by_signal(struct mail *mail, void *owner)
{
    struct ping *ping = (struct ping *)mail;
    char said[4096];
    if (owner) {
        bool fine = reload(ping->daemon, said, sizeof(said));
        log_at(fine ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR, "the configuration was read again: %s", said);
        notify_send("READY=1");
    }
    free(ping);
}

static void ask_to_reload(struct daemon *self)
{
    char state[64];
    struct ping *ping = calloc(1, sizeof(*ping));
    if (!ping)
        return;
    *ping = (struct ping){.mail.run = reload_by_signal, .daemon = self};
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)(clock_monotonic(clock_system()) / CLOCK_MICROSECOND));
    notify_send(state);
    if (!cluster_driver_post(self->driver, &ping->mail))
        free(ping);
}

static void forget_reloaded(struct daemon *self)
{
    while (self->reloaded) {
        struct reloaded *reloaded = self->reloaded;
        self->reloaded = reloaded->before;
        node_config_free(&reloaded->config);
        free(reloaded);
    }
}

/* --- start and end --- */

static bool prepare_descriptors(struct daemon *self)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    self->signal_descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    self->ended_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self->signal_descriptor >= 0 && self->ended_descriptor >= 0;
}

static bool look_up(void *context, const struct lookup_key *key, enum lookup_priority priority)
{
    return directory_look_up(context, key, priority);
}

static void take_activity(void *context, struct bytes record, uint64_t tag)
{
    struct daemon *self = context;
    if (self->reports)
        capture_reports_hear(self->reports);
    outbox_record(self->outbox, record, tag);
}

static void tell_kept(void *context, uint64_t tag)
{
    struct daemon *self = context;
    event_service_kept(self->events, tag);
}

static bool start_resolution(struct daemon *self)
{
    struct fault fault;
    struct resolution_config config = {.capture = &self->capture, .record = take_activity, .context = self};
    if (self->directory) {
        config.store = directory_store(directory_service_directory(self->directory));
        config.look_up = look_up;
        config.look_up_context = directory_service_directory(self->directory);
    }
    if (getrandom(&config.seed, sizeof(config.seed), 0) != (ssize_t)sizeof(config.seed)) {
        log_error("random numbers: %s", strerror(errno));
        return false;
    }
    if (naming_service_wanted(self->config->config)) {
        self->naming = self->answers.naming = naming_service_new(self->config->config, &fault);
        config.ask_name = self->naming ? naming_service_ask : NULL;
        config.ask_name_context = self->naming;
    }
    self->resolution = resolution_start(&config, &fault);
    self->answers.resolution = self->resolution;
    if (!self->resolution ||
        (self->naming && !naming_service_start(self->naming, self->resolution, &fault))) {
        log_error("%s", fault.text);
        return false;
    }
    if (self->directory)
        directory_service_tell(self->directory, self->resolution);
    return true;
}

/* All sensors of a fleet know a ticket by the same fingerprint, also after a restart: only so can the center
 * tell whoever presents it from whoever was given it. A node without a fleet keeps its random key. */
static void agree_on_fingerprints(struct daemon *self)
{
    struct identity *identity = NULL;
    struct fault fault;
    if (identity_load(&identity, disk_system(), self->config->state, &fault) != DISK_FOUND)
        return;
    if (identity->encoded_size)
        crypto_fleet_key(identity->salt, "picket: fingerprints of tickets",
                         self->settings.options.fingerprint_key,
                         sizeof(self->settings.options.fingerprint_key));
    identity_destroy(&identity);
}

/* Before the first packet. What is wrong with a keytab is told, and does not keep the rest from working. */
static void start_keys(struct daemon *self)
{
    struct fault fault;
    struct key_line_limits limits = key_line_live;
    unsigned lines = (unsigned)self->settings.interfaces_count * self->settings.threads;
    if (!self->keys)
        return;
    limits.timeout = self->config->keys_timeout;
    if (!key_client_start(self->keys, lines, &limits, &fault))
        log_error("what is sealed is not read, or not all of it: %s", fault.text);
    self->settings.keys = self->answers.keys = self->keys;
}

static bool start_capture(struct daemon *self)
{
    char fault[CAPTURE_FAULT_MAX];
    self->capture.wake_descriptor = -1;
    if (self->config->capture.interfaces_count == 0)
        return true;
    self->capturing = true;
    self->settings = self->config->capture;
    agree_on_fingerprints(self);
    self->settings.allowance = &self->allowance;
    start_keys(self);
    capture_allowance_init(&self->allowance);
    if (capture_group_start(&self->capture, &self->settings, fault)) {
        self->answers.capture = &self->capture;
        self->answers.interfaces = (unsigned)self->config->capture.interfaces_count;
        self->reports = capture_reports_new(&self->capture, self->outbox);
        if (!self->reports)
            log_error("out of memory");
        return self->reports != NULL;
    }
    log_error("%s", fault);
    return false;
}

static void count_keys(void *context, int64_t *cpu, uint64_t *memory)
{
    key_client_usage(context, cpu, memory);
}

static bool start_governor(struct daemon *self)
{
    struct fault fault;
    const struct governor_service_config config = {
        .reserve_cpu = self->config->reserve_cpu,
        .reserve_memory = self->config->reserve_memory,
        .capture = self->capturing ? &self->capture : NULL,
        .allowance = &self->allowance,
        .memory_limit = self->settings.options.memory_limit,
        .ring_bytes = (uint64_t)self->settings.ring_bytes,
        .health = self->health,
        .yielding = &self->yielding,
        .helpers = self->settings.keys ? count_keys : NULL,
        .helpers_context = self->keys,
    };
    self->governor = self->answers.governor = governor_service_start(&config, &fault);
    if (!self->governor)
        log_error("%s", fault.text);
    return self->governor != NULL;
}

/* What is captured or heard is resolved; a node that does neither resolves nothing. */
static bool start_events(struct daemon *self)
{
    struct fault fault;
    bool heard = event_service_wanted(self->config->config);
    if ((self->capturing || heard) && !start_resolution(self))
        return false;
    if (!heard)
        return true;
    self->events = event_service_new(self->config->config, self->resolution, &self->yielding, &fault);
    self->answers.events = self->events;
    if (!self->events)
        log_error("%s", fault.text);
    return self->events && event_service_start(self->events, &fault);
}

static bool make_driver(struct daemon *self)
{
    struct fault fault;
    struct driver_config config = self->config->driver;
    config.synchronizer = (struct synchronizer_ops){.context = self,
                                                    .start = start_synchronizer,
                                                    .stop = stop_synchronizer,
                                                    .directory_reachable = reaches_directory};
    config.notice = hear_notice;
    config.ended = hear_end;
    config.context = self;
    self->driver = cluster_driver_new(&config, &fault);
    if (!self->driver)
        log_error("%s", fault.text);
    return self->driver != NULL;
}

static bool start_control(struct daemon *self)
{
    char reason[256];
    struct control_config config = {
        .path = self->config->socket,
        .group = self->config->group,
        .administrators = self->config->administrators,
        .post = post,
        .answer = answer,
        .context = self,
    };
    self->control = control_start(&config, reason, sizeof(reason));
    if (!self->control)
        log_error("control socket: %s", reason);
    return self->control != NULL;
}

static bool post_metrics(void *context, struct mail *mail)
{
    struct daemon *self = context;
    return cluster_driver_post(self->driver, mail);
}

static void write_metrics(void *context, struct text *t)
{
    struct daemon *self = context;
    answers_metrics(&self->answers, self->driver, t);
}

static bool start_metrics(struct daemon *self)
{
    struct fault fault;
    struct metrics_config config = {.post = post_metrics, .write = write_metrics, .context = self};
    if (config_count(self->config->config, "metrics/listen") == 0)
        return true;
    config.listen = config_endpoint(self->config->config, "metrics/listen");
    self->metrics = metrics_start(&config, &fault);
    if (!self->metrics)
        log_error("%s", fault.text);
    return self->metrics != NULL;
}

static bool start_driver(struct daemon *self)
{
    struct fault fault;
    self->driver_started = cluster_driver_start(self->driver, &fault);
    if (!self->driver_started)
        log_error("%s", fault.text);
    return self->driver_started;
}

/* When nobody receives, what is newest is kept. */
static bool open_spool(struct daemon *self)
{
    struct fault fault;
    const struct node_config *config = self->config;
    const struct spool_config spool = {.disk = disk_system(),
                                       .directory = config->spool,
                                       .segments = SPOOL_SEGMENTS,
                                       .segment_bytes = config->spool_bytes / SPOOL_SEGMENTS,
                                       .drop_oldest = config->sender.server_count == 0};
    if (directory_prepare(config->state, &fault) && directory_prepare(config->spool, &fault))
        self->spool = self->answers.spool = spool_open(&spool, &fault);
    if (self->spool) {
        const struct outbox_config outbox = {
            .spool = self->spool,
            .interval = config->spool_interval,
            .drop_oldest = spool.drop_oldest,
            .kept = tell_kept,
            .context = self,
        };
        self->outbox = self->answers.outbox = outbox_start(&outbox, &fault);
    }
    if (!self->outbox)
        log_error("%s", fault.text);
    return self->outbox != NULL;
}

/* On the sender's thread. What fits is kept, and read as if an administrator had asked for it here. */
static enum delivery_settled take_settings(void *context, uint64_t version, struct bytes text,
                                           struct fault *fault)
{
    struct daemon *self = context;
    struct config *part = pushed_parse(text, fault);
    struct node_config *config = part ? node_config_try(self->config->path, &part) : NULL;
    if (!config) {
        if (fault->text[0] == '\0')
            fault_say(fault,
                      "with the host's configuration file they do not fit: the log of the node tells why");
        log_warning("settings %llu of the center are refused: %s", (unsigned long long)version, fault->text);
        return DELIVERY_UNFIT;
    }
    bool waits = reload_waits(self->config->config, config->config);
    node_config_free(&config);
    if (!pushed_save(version, text, disk_system(), self->config->state, fault)) {
        log_warning("settings %llu of the center: %s", (unsigned long long)version, fault->text);
        return DELIVERY_UNFIT;
    }
    log_notice("settings %llu of the center", (unsigned long long)version);
    ask_to_reload(self);
    return waits ? DELIVERY_NEXT_START : DELIVERY_IN_EFFECT;
}

/* ---- what the center is told of the fleet ---- */

static uint8_t *swap_report(struct daemon *self, uint8_t *report, size_t *size)
{
    size_t new_size = *size;
    pthread_mutex_lock(&self->report_lock);
    uint8_t *before = self->report;
    *size = self->report_size;
    self->report = report;
    self->report_size = new_size;
    pthread_mutex_unlock(&self->report_lock);
    return before;
}

static uint8_t *take_report(void *context, size_t *size)
{
    *size = 0;
    return swap_report(context, NULL, size);
}

static bool start_sender(struct daemon *self)
{
    struct fault fault;
    struct sender_config config = self->config->sender;
    if (config.server_count == 0)
        return true;
    config.disk = disk_system();
    config.spool = self->spool;
    config.settings = take_settings;
    config.report = take_report;
    config.context = self;
    config.settings_version = self->config->pushed;
    self->sender = self->answers.sender = sender_start(&config, &fault);
    if (!self->sender)
        log_error("%s", fault.text);
    return self->sender != NULL;
}

static bool make_directory(struct daemon *self)
{
    struct fault fault;
    if (self->config->directory.domain_count == 0)
        return true;
    self->directory = self->answers.directory =
        directory_service_new(self->config, self->spool, &self->yielding, &fault);
    if (!self->directory)
        log_error("%s", fault.text);
    return self->directory != NULL;
}

static bool start_directory(struct daemon *self)
{
    struct fault fault;
    if (!self->directory)
        return true;
    self->directory_started = directory_service_start(self->directory, self->driver, &fault);
    if (!self->directory_started)
        log_error("%s", fault.text);
    return self->directory_started;
}

static bool start(struct daemon *self)
{
    self->probe = directory_probe_start(self->config->directories, self->config->directory_count,
                                        self->config->directory_period);
    if (!self->probe) {
        log_error("the domain controllers cannot be watched: out of memory or threads");
        return false;
    }
    self->answers.probe = self->probe;
    self->answers.fleet_name = self->config->fleet;
    self->answers.reload = reload;
    self->answers.reload_context = self;
    self->health = self->answers.health = health_new();
    if (!self->health) {
        log_error("out of memory");
        return false;
    }
    return open_spool(self) && make_directory(self) && make_driver(self) && start_directory(self) &&
           start_capture(self) && start_governor(self) && start_events(self) && start_control(self) &&
           start_driver(self) && start_sender(self) && start_metrics(self);
}

static void end(struct daemon *self)
{
    notify_send("STOPPING=1");
    metrics_stop(&self->metrics);
    if (self->driver_started)
        cluster_driver_stop(self->driver);
    if (self->directory_started)
        directory_service_stop(self->directory);
    control_stop(&self->control);
    event_service_stop(self->events);
    governor_service_stop(&self->governor);
    if (self->capturing)
        capture_group_stop(&self->capture);
    naming_service_stop(self->naming);
    resolution_stop(&self->resolution);
    if (self->reports)
        capture_reports_look(self->reports);
    capture_reports_destroy(&self->reports);
    naming_service_destroy(&self->naming);
    outbox_stop(&self->outbox);
    sender_stop(&self->sender);
    event_service_destroy(&self->events);
    if (self->capturing)
        capture_group_free(&self->capture);
    cluster_driver_destroy(&self->driver);
    directory_service_destroy(&self->directory);
    spool_close(&self->spool);
    directory_probe_stop(&self->probe);
    health_destroy(&self->health);
    forget_reloaded(self);
    close(self->signal_descriptor);
    close(self->ended_descriptor);
}

/* --- signs of life --- */

static void tell_status(struct cluster *core)
{
    struct cluster_status status;
    char text[160];
    cluster_status(core, &status);
    snprintf(text, sizeof(text), "STATUS=%u members, %u online, %u offline; %u neighbours", status.members,
             status.online, status.offline, status.neighbours);
    notify_send(text);
}

/* One that nobody took is of no use any more. */
static void leave_report(struct daemon *self, struct cluster *core)
{
    size_t size;
    uint8_t *report = self->config->sender.server_count ? fleet_report_make(core, &size) : NULL;
    if (report)
        free(swap_report(self, report, &size));
}

static void pinged(struct mail *mail, void *owner)
{
    struct ping *ping = (struct ping *)mail;
    struct cluster_driver *driver = owner;
    if (driver) {
        atomic_store(&ping->daemon->answered, true);
        answers_look(&ping->daemon->answers, cluster_driver_core(driver));
        if (ping->daemon->directory)
            directory_service_observe(ping->daemon->directory, cluster_driver_core(driver));
        if (ping->status) {
            tell_status(cluster_driver_core(driver));
            leave_report(ping->daemon, cluster_driver_core(driver));
        }
    }
    free(ping);
}

static void send_ping(struct daemon *self, bool status)
{
    struct ping *ping = calloc(1, sizeof(*ping));
    if (!ping)
        return;
    *ping = (struct ping){{.run = pinged}, self, status};
    atomic_store(&self->answered, false);
    if (!cluster_driver_post(self->driver, &ping->mail))
        free(ping);
}

/* The service manager hears of life only while the driver's thread answers: one that hangs (a disk that does
 * not return) is killed and started anew. */
static void show_life(struct daemon *self)
{
    int64_t now = clock_monotonic(clock_system());
    bool status = now >= self->status_at, watchdog = self->watchdog && now >= self->watchdog_at;
    if (watchdog && atomic_load(&self->answered))
        notify_send("WATCHDOG=1");
    if (status)
        self->status_at = now + STATUS_PERIOD;
    if (watchdog)
        self->watchdog_at = now + self->watchdog;
    if (status && self->reports)
        capture_reports_look(self->reports);
    if (status || watchdog)
        send_ping(self, status);
}

static int next_turn(const struct daemon *self)
{
    int64_t until = self->status_at, now = clock_monotonic(clock_system());
    if (self->watchdog && self->watchdog_at < until)
        until = self->watchdog_at;
    return until <= now ? 0 : (int)((until - now) / CLOCK_MILLISECOND) + 1;
}

/* False when it is to end. */
static bool hear_signal(struct daemon *self)
{
    struct signalfd_siginfo signal;
    while (read(self->signal_descriptor, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        if (signal.ssi_signo == SIGHUP) {
            ask_to_reload(self);
            continue;
        }
        log_notice("signal %u: stopping", signal.ssi_signo);
        return false;
    }
    return true;
}

static void watch(struct daemon *self)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = self->signal_descriptor, .events = POLLIN},
            {.fd = self->ended_descriptor, .events = POLLIN},
        };
        poll(fds, 2, next_turn(self));
        if ((fds[0].revents && !hear_signal(self)) || fds[1].revents)
            return;
        show_life(self);
    }
}

static int verdict(const struct daemon *self, bool started)
{
    int how = atomic_load(&self->end);
    if (how == DRIVER_REVOKED) {
        log_error("this node is revoked: it stops, and joins again only with a new token");
        return DAEMON_REVOKED;
    }
    return started && how != DRIVER_FAILED ? EXIT_FINE : EXIT_FAILED;
}

int daemon_run(const struct node_config *config, struct key_client *keys)
{
    struct daemon *self = calloc(1, sizeof(*self));
    if (!self) {
        log_error("out of memory");
        return EXIT_FAILED;
    }
    self->config = config;
    self->keys = keys;
    atomic_init(&self->answered, true);
    yielding_init(&self->yielding);
    pthread_mutex_init(&self->report_lock, NULL);
    bool started = prepare_descriptors(self) && start(self);
    if (started) {
        self->watchdog = notify_watchdog() * CLOCK_MILLISECOND;
        notify_send("READY=1");
        log_notice("picketd %s runs", picket_version());
        watch(self);
    }
    end(self);
    int status = verdict(self, started);
    free(self->report);
    pthread_mutex_destroy(&self->report_lock);
    free(self);
    return status;
}
