/* SPDX-License-Identifier: Apache-2.0 */
#include "node/key_client.h"

#include "base/file_stamp.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/thread.h"
#include "keys/line.h"
#include "keys/order.h"
#include "node/key_report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define INHERITED     3 /* the descriptor that picket-keys wants its socket on */
#define NICE          10
#define TURN          CLOCK_SECOND
#define LISTEN_PERIOD (10 * CLOCK_SECOND) /* between looks at the complaints */
#define PATIENCE      (30 * CLOCK_SECOND) /* then it hangs */
#define DELAY_FIRST   (250 * CLOCK_MILLISECOND)
#define DELAY_MAX     (30 * CLOCK_SECOND)
#define GRACE         5 /* s that others wait for a refresh */

struct keytab {
    char *path;
    struct file_stamp taken; /* as it was passed on */
    struct file_stamp seen;  /* at the last look: who writes it may not be done */
    char fault[FAULT_MAX];   /* under the lock; "": none */
};

struct key_client {
    bool guest;
    unsigned line_count;
    struct key_line **lines;
    size_t keytab_count;
    struct keytab keytabs[KEY_HOLDER_KEYTABS_MAX];
    int starter; /* socket; -1: it is gone */
    pid_t process;
    int wake;
    pthread_t thread;
    bool started;
    atomic_bool stop, renew, refresh;

    /* The thread's own. */
    int control; /* -1: there is no holder */
    uint64_t number;
    int64_t began, retry, delay;
    int64_t listened;   /* when complaints were asked for */
    uint64_t failures;  /* as of then: nothing new, nothing to ask */
    uint64_t ended_cpu; /* of holders that ended */
    struct order order;
    struct order_report report;

    /* Under the lock: */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct key_client_snapshot snapshot;
    int64_t cpu;
    uint64_t rounds; /* refreshes that are done */
    bool settled;    /* the first keytabs are read, or it failed */
    struct fault first;
    uint32_t complaint_count;
    struct key_holder_complaint complaints[KEY_CLIENT_COMPLAINTS_MAX];
};

static int64_t monotonic(void)
{
    return clock_monotonic(clock_system());
}

/* --- the program --- */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/* In a build tree beside the others, installed where no user calls it by hand. */
static void find_program(char to[KEY_CLIENT_PATH_MAX])
{
    char own[KEY_CLIENT_PATH_MAX - 64];
    ssize_t size = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[size > 0 ? size : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash) {
        *slash = '\0';
        snprintf(to, KEY_CLIENT_PATH_MAX, "%s/picket-keys", own);
        if (is_program(to))
            return;
        snprintf(to, KEY_CLIENT_PATH_MAX, "%s/../libexec/picket/picket-keys", own);
        if (is_program(to))
            return;
    }
    snprintf(to, KEY_CLIENT_PATH_MAX, "%s/picket/picket-keys", PICKET_LIBEXEC);
}

/* In the child. What the program is to inherit is its socket; `report` closes when it runs. */
static void run_program(const char *program, int socket, int report, bool guest)
{
    char name[] = "picket-keys", *const arguments[] = {name, NULL}, *const environment[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid(); /* an interrupt at the terminal is the parent's business: the last answers are still wanted */
    if (guest)
        setpriority(PRIO_PROCESS, 0, NICE);
    int nowhere = open("/dev/null", O_RDWR);
    /* The report first: it may stand where the socket is to be. */
    report = fcntl(report, F_DUPFD_CLOEXEC, INHERITED + 1);
    socket = fcntl(socket, F_DUPFD_CLOEXEC, INHERITED + 1);
    if (nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
        dup2(socket, INHERITED) >= 0)
        execve(program, arguments, environment);
    int error = errno;
    ssize_t sent = write(report, &error, sizeof(error));
    (void)sent;
    _exit(127);
}

static bool start_program(struct key_client *client, const char *program, struct fault *fault)
{
    int ends[2] = {-1, -1}, report[2] = {-1, -1}, error = 0;
    if (!line_pair(ends) || pipe2(report, O_CLOEXEC) != 0) {
        error = errno;
    } else {
        client->process = fork();
        if (client->process == 0)
            run_program(program, ends[1], report[1], client->guest);
        if (client->process < 0)
            error = errno;
        close(report[1]);
        report[1] = -1;
        if (client->process > 0 && read(report[0], &error, sizeof(error)) == 0)
            error = 0;
    }
    if (ends[1] >= 0)
        close(ends[1]);
    if (report[0] >= 0)
        close(report[0]);
    client->starter = ends[0];
    return error == 0 || fault_say(fault, "%s: %s", program, strerror(error));
}

/* --- reports --- */

/* False when it is to stop, or nothing came in time. */
static bool wait_readable(struct key_client *client, int64_t deadline)
{
    while (!atomic_load(&client->stop)) {
        int64_t left = deadline - monotonic();
        struct pollfd fds[] = {{.fd = client->control, .events = POLLIN},
                               {.fd = client->wake, .events = POLLIN}};
        if (left <= 0)
            return false;
        poll(fds, 2, (int)(left / CLOCK_MILLISECOND) + 1);
        if (fds[0].revents)
            return true;
        uint64_t wakes; /* whoever waits for something is seen to when this is done */
        if (fds[1].revents && read(client->wake, &wakes, sizeof(wakes)) < 0)
            return false;
    }
    return false;
}

/* The order's report in client->report. False: it is gone, or hangs. */
static bool obtain(struct key_client *client, int descriptor)
{
    uint8_t buffer[ORDER_REPORT_MAX], text[ORDER_MAX];
    client->order.number = ++client->number;
    struct bytes order = order_write(&client->order, text);
    if (client->control < 0 || order.size == 0 || !line_send(client->control, order, descriptor))
        return false;
    int64_t deadline = monotonic() + PATIENCE;
    while (wait_readable(client, deadline)) {
        int unwanted;
        long got = line_receive(client->control, buffer, sizeof(buffer), &unwanted);
        if (unwanted >= 0)
            close(unwanted);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (got > 0 && order_report_read(&client->report, (struct bytes){buffer, (size_t)got}) &&
            client->report.number == client->number && client->report.kind == client->order.kind)
            return true;
    }
    return false;
}

/* --- the holder's life --- */

static void disconnect_lines(struct key_client *client)
{
    for (unsigned i = 0; i < client->line_count; i++)
        key_line_connect(client->lines[i], -1);
}

static void lose_holder(struct key_client *client)
{
    int64_t now = monotonic();
    if (client->control >= 0)
        close(client->control);
    client->control = -1;
    disconnect_lines(client);
    if (atomic_load(&client->stop))
        return;
    if (now - client->began > DELAY_MAX)
        client->delay = DELAY_FIRST;
    client->retry = now + client->delay;
    log_warning("keys: the process that holds them ended: what is sealed stays so; it is started again in "
                "%" PRId64 " ms",
                client->delay / CLOCK_MILLISECOND);
    client->delay = client->delay * 2 < DELAY_MAX ? client->delay * 2 : DELAY_MAX;
    pthread_mutex_lock(&client->lock);
    client->snapshot.running = false;
    client->snapshot.restarts++;
    client->ended_cpu = (uint64_t)client->cpu;
    client->snapshot.memory = 0;
    client->failures = 0;
    pthread_mutex_unlock(&client->lock);
}

static void note_keytab(struct key_client *client, struct keytab *keytab, const char *fault)
{
    pthread_mutex_lock(&client->lock);
    snprintf(keytab->fault, sizeof(keytab->fault), "%s", fault);
    if (*fault && !client->first.text[0])
        fault_say(&client->first, "%s", fault);
    pthread_mutex_unlock(&client->lock);
    if (*fault)
        log_error("keys: %s", fault);
    else
        log_info("keys: %s is read", keytab->path);
}

/* False when the holder is gone. A file that is gone takes its keys with it; one that is not as it should be
 * leaves those that it gave before. */
static bool pass_keytab(struct key_client *client, struct keytab *keytab)
{
    struct fault fault = {0};
    keytab->taken = keytab->seen = file_stamp(keytab->path);
    int descriptor = secret_file_open(keytab->path, &fault);
    if (descriptor < 0 && keytab->taken.there) {
        note_keytab(client, keytab, fault.text);
        return true;
    }
    client->order = (struct order){.kind = ORDER_KEYTAB};
    snprintf(client->order.name, sizeof(client->order.name), "%s", keytab->path);
    bool here = obtain(client, descriptor);
    if (descriptor >= 0)
        close(descriptor);
    if (!here)
        return false;
    if (!client->report.fine)
        note_keytab(client, keytab, client->report.text);
    else
        note_keytab(client, keytab, descriptor < 0 ? fault.text : "");
    return true;
}

static bool pass_keytabs(struct key_client *client)
{
    for (size_t i = 0; i < client->keytab_count; i++)
        if (!pass_keytab(client, &client->keytabs[i]))
            return false;
    return true;
}

static bool pass_line(struct key_client *client, unsigned index)
{
    uint8_t text[ORDER_MAX];
    int ends[2];
    if (!line_pair(ends))
        return false;
    client->order = (struct order){.kind = ORDER_LINE, .number = ++client->number, .index = index};
    bool sent = line_send(client->control, order_write(&client->order, text), ends[1]);
    close(ends[1]);
    if (sent)
        key_line_connect(client->lines[index], ends[0]);
    else
        close(ends[0]);
    return sent;
}

/* What is wrong with the holder itself is told once. */
static void tell_sandbox(unsigned got, bool first)
{
    if (!first)
        return;
    if (!(got & SANDBOX_LOCKED))
        log_warning(
            "keys: not all of their holder's memory is locked (RLIMIT_MEMLOCK): with swap that is not "
            "encrypted they may be written to disk");
    if (!(got & SANDBOX_NO_NET))
        log_info("keys: their holder has no network namespace of its own; it may open no socket either way");
}

static bool ask_status(struct key_client *client)
{
    client->order = (struct order){.kind = ORDER_STATUS};
    if (!obtain(client, -1))
        return false;
    const struct order_report *report = &client->report;
    bool first = client->snapshot.sandbox == 0 && client->snapshot.memory == 0;
    pthread_mutex_lock(&client->lock);
    client->snapshot.running = true;
    client->snapshot.sandbox = report->sandbox;
    client->snapshot.memory = report->memory;
    client->snapshot.holder = report->status;
    client->cpu = (int64_t)client->ended_cpu + report->cpu;
    pthread_mutex_unlock(&client->lock);
    tell_sandbox(report->sandbox, first);
    return true;
}

static bool start_holder(struct key_client *client)
{
    int ends[2];
    client->began = monotonic();
    if (!line_pair(ends))
        return false;
    bool sent = line_send(client->starter, (struct bytes){(const uint8_t *)"", 1}, ends[1]);
    int error = errno;
    close(ends[1]);
    client->control = ends[0];
    if (!sent && error != EAGAIN) {
        log_error("keys: picket-keys is gone: what is sealed stays so until this program is started again");
        close(client->starter);
        client->starter = -1;
    }
    if (!sent || !pass_keytabs(client))
        return false;
    for (unsigned i = 0; i < client->line_count; i++)
        if (!pass_line(client, i))
            return false;
    return ask_status(client);
}

/* --- complaints --- */

static bool is_known(const struct key_client *client, const struct key_holder_complaint *c)
{
    for (uint32_t i = 0; i < client->complaint_count; i++) {
        const struct key_holder_complaint *k = &client->complaints[i];
        if (k->result == c->result && k->etype == c->etype && k->kvno == c->kvno &&
            strcmp(k->principal, c->principal) == 0)
            return true;
    }
    return false;
}

/* Keys that are not there are usual: whoever holds some has chosen so. Old and wrong ones are a fault. */
static void log_complaint(const struct key_holder_complaint *complaint)
{
    char words[KEY_REPORT_MAX];
    key_report_words(complaint, words);
    log_at(complaint->result == UNSEAL_NO_KEY ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "keys: %s", words);
}

static bool ask_complaints(struct key_client *client)
{
    static const size_t size = sizeof(struct key_holder_complaint);
    struct key_holder_complaint *all = calloc(KEY_CLIENT_COMPLAINTS_MAX, size);
    uint32_t count = 0, got = ORDER_COMPLAINTS_MAX;
    bool fine = all != NULL;
    while (fine && got == ORDER_COMPLAINTS_MAX && count + got <= KEY_CLIENT_COMPLAINTS_MAX) {
        client->order = (struct order){.kind = ORDER_COMPLAINTS, .index = count};
        fine = obtain(client, -1);
        got = fine ? client->report.complaint_count : 0;
        memcpy(all + count, client->report.complaints, got * size);
        count += got;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!is_known(client, &all[i]))
            log_complaint(&all[i]);
    if (fine) {
        pthread_mutex_lock(&client->lock);
        memcpy(client->complaints, all, count * size);
        client->snapshot.complaints = client->complaint_count = count;
        pthread_mutex_unlock(&client->lock);
    }
    free(all);
    return fine;
}

static uint64_t failures_of(const struct key_holder_status *s)
{
    return s->missing + s->other_kvno + s->wrong + s->refused_etype;
}

static bool listen_to_complaints(struct key_client *client, bool now)
{
    uint64_t failures = failures_of(&client->snapshot.holder);
    if (failures == client->failures || (!now && monotonic() - client->listened < LISTEN_PERIOD))
        return true;
    client->failures = failures;
    client->listened = monotonic();
    return ask_complaints(client);
}

/* --- turns --- */

/* A keytab that is another than was read, and has not changed since the last look. */
static bool look_at_keytabs(struct key_client *client, bool all)
{
    for (size_t i = 0; i < client->keytab_count; i++) {
        struct keytab *keytab = &client->keytabs[i];
        struct file_stamp now = file_stamp(keytab->path);
        bool rests = file_stamp_same(&now, &keytab->seen);
        keytab->seen = now;
        if ((all || (rests && !file_stamp_same(&now, &keytab->taken))) && !pass_keytab(client, keytab))
            return false;
    }
    return true;
}

static bool turn(struct key_client *client, bool refresh)
{
    return look_at_keytabs(client, atomic_exchange(&client->renew, false)) && ask_status(client) &&
           listen_to_complaints(client, refresh);
}

static void settle(struct key_client *client, bool refreshed)
{
    pthread_mutex_lock(&client->lock);
    if (client->control < 0 && !client->first.text[0])
        fault_say(&client->first, "the process that holds the keys ended at once");
    client->settled = true;
    if (refreshed)
        client->rounds++;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

static void wait_for_turn(struct key_client *client)
{
    int64_t left = TURN;
    if (client->control < 0 && client->starter >= 0 && client->retry - monotonic() < left)
        left = client->retry - monotonic();
    struct pollfd fds[] = {
        {.fd = client->wake, .events = POLLIN},
        {.fd = client->control, .events = POLLIN}}; /* reports are awaited: this is its end */
    if (left > 0)
        poll(fds, 2, (int)(left / CLOCK_MILLISECOND) + 1);
    uint64_t wakes;
    ssize_t taken = fds[0].revents ? read(client->wake, &wakes, sizeof(wakes)) : 0;
    (void)taken;
}

static void *run(void *context)
{
    struct key_client *client = context;
    while (!atomic_load(&client->stop)) {
        bool refresh = atomic_exchange(&client->refresh, false), fine = true;
        if (client->control >= 0)
            fine = turn(client, refresh);
        else if (client->starter >= 0 && monotonic() >= client->retry)
            fine = start_holder(client);
        if (!fine)
            lose_holder(client);
        settle(client, refresh);
        if (!atomic_load(&client->refresh) && !atomic_load(&client->renew))
            wait_for_turn(client);
    }
    return NULL;
}

/* --- start and end --- */

static bool copy_keytabs(struct key_client *client, const struct key_client_config *config,
                         struct fault *fault)
{
    if (config->keytab_count > KEY_HOLDER_KEYTABS_MAX)
        return fault_say(fault, "%d keytabs at most", KEY_HOLDER_KEYTABS_MAX);
    for (size_t i = 0; i < config->keytab_count; i++) {
        if (strlen(config->keytabs[i]) >= KEY_CLIENT_PATH_MAX ||
            !secret_file_check(config->keytabs[i], fault))
            return false;
        client->keytabs[i].path = strdup(config->keytabs[i]);
        if (!client->keytabs[i].path)
            return fault_say(fault, "out of memory");
        client->keytab_count++;
    }
    return true;
}

static bool make_lines(struct key_client *client, unsigned count, const struct key_line_limits *limits)
{
    client->lines = calloc(count ? count : 1, sizeof(struct key_line *));
    for (; client->lines && client->line_count < count; client->line_count++)
        if (!(client->lines[client->line_count] = key_line_new(limits, clock_system())))
            return false;
    return client->lines != NULL;
}

struct key_client *key_client_new(const struct key_client_config *config, struct fault *fault)
{
    char program[KEY_CLIENT_PATH_MAX];
    struct key_client *client = calloc(1, sizeof(*client));
    if (!client) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    client->guest = config->guest;
    client->starter = client->control = -1;
    client->delay = DELAY_FIRST;
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->changed, NULL);
    client->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (config->program)
        snprintf(program, sizeof(program), "%s", config->program);
    else
        find_program(program);
    bool made = copy_keytabs(client, config, fault);
    if (made && client->wake < 0)
        made = fault_say(fault, "keys: %s", strerror(errno));
    if (!made || !start_program(client, program, fault))
        key_client_destroy(&client);
    return client;
}

static void wake(struct key_client *client)
{
    uint64_t one = 1;
    ssize_t sent = write(client->wake, &one, sizeof(one));
    (void)sent;
}

bool key_client_start(struct key_client *client, unsigned lines, const struct key_line_limits *limits,
                      struct fault *fault)
{
    if (!make_lines(client, lines, limits))
        return fault_say(fault, "keys: out of memory");
    client->started = thread_start(&client->thread, "keys", run, client);
    if (!client->started)
        return fault_say(fault, "keys: no thread could be started: %s", strerror(errno));
    pthread_mutex_lock(&client->lock);
    while (!client->settled)
        pthread_cond_wait(&client->changed, &client->lock);
    *fault = client->first;
    pthread_mutex_unlock(&client->lock);
    return fault->text[0] == '\0';
}

void key_client_destroy(struct key_client **client_p)
{
    struct key_client *client = *client_p;
    if (!client)
        return;
    *client_p = NULL;
    atomic_store(&client->stop, true);
    if (client->started) {
        wake(client);
        pthread_join(client->thread, NULL);
    }
    for (unsigned i = 0; i < client->line_count; i++)
        key_line_destroy(&client->lines[i]);
    free(client->lines);
    for (size_t i = 0; i < client->keytab_count; i++)
        free(client->keytabs[i].path);
    const int descriptors[] = {client->control, client->starter, client->wake};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(*descriptors); i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    if (client->process > 0)
        waitpid(client->process, NULL, 0); /* it ends with its socket */
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

const struct unsealer *key_client_unsealer(const struct key_client *client, unsigned line)
{
    return line < client->line_count ? key_line_unsealer(client->lines[line]) : NULL;
}

/* --- from others --- */

void key_client_renew(struct key_client *client)
{
    atomic_store(&client->renew, true);
    wake(client);
}

void key_client_refresh(struct key_client *client)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GRACE;
    pthread_mutex_lock(&client->lock);
    uint64_t round = client->rounds;
    atomic_store(&client->refresh, true);
    wake(client);
    while (client->started && client->rounds == round &&
           pthread_cond_timedwait(&client->changed, &client->lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&client->lock);
}

static void add_line(struct key_line_counters *to, struct key_line *line)
{
    struct key_line_counters one;
    key_line_counters(line, &one);
    to->asked += one.asked;
    to->answered += one.answered;
    to->timed_out += one.timed_out;
    to->skipped += one.skipped;
    to->lost += one.lost;
    to->strays += one.strays;
    to->untold += one.untold;
}

void key_client_snapshot(struct key_client *client, struct key_client_snapshot *to)
{
    pthread_mutex_lock(&client->lock);
    *to = client->snapshot;
    to->keytabs = (unsigned)client->keytab_count;
    to->faulty = 0;
    for (size_t i = 0; i < client->keytab_count; i++)
        to->faulty += client->keytabs[i].fault[0] != '\0';
    pthread_mutex_unlock(&client->lock);
    to->lines = (struct key_line_counters){0};
    for (unsigned i = 0; i < client->line_count; i++)
        add_line(&to->lines, client->lines[i]);
}

bool key_client_keytab(struct key_client *client, size_t index, char path[KEY_CLIENT_PATH_MAX],
                       char fault[FAULT_MAX])
{
    if (index >= client->keytab_count)
        return false;
    pthread_mutex_lock(&client->lock);
    snprintf(path, KEY_CLIENT_PATH_MAX, "%s", client->keytabs[index].path);
    snprintf(fault, FAULT_MAX, "%s", client->keytabs[index].fault);
    pthread_mutex_unlock(&client->lock);
    return true;
}

bool key_client_complaint(struct key_client *client, size_t index, struct key_holder_complaint *to)
{
    pthread_mutex_lock(&client->lock);
    bool there = index < client->complaint_count;
    if (there)
        *to = client->complaints[index];
    pthread_mutex_unlock(&client->lock);
    return there;
}

void key_client_usage(struct key_client *client, int64_t *cpu, uint64_t *memory)
{
    pthread_mutex_lock(&client->lock);
    *cpu = client->cpu;
    *memory = client->snapshot.memory;
    pthread_mutex_unlock(&client->lock);
}

int key_client_process(const struct key_client *client)
{
    return (int)client->process;
}
