/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "node/control_frame.h"
#include "node/view.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX  64
#define STREAM_MAX   (1u << 20)          /* bytes that may wait for a listener that reads slowly */
#define REQUEST_TIME (10 * CLOCK_SECOND) /* a request that began must be whole by then */
#define GROUPS_MAX   1024

enum client_state { CLIENT_FREE, CLIENT_IDLE, CLIENT_WAITING, CLIENT_STREAM };

struct client {
    enum client_state state;
    int descriptor;
    unsigned generation; /* of this place: an answer for who sat here before is dropped */
    struct control_peer peer;
    bool administrator;
    struct control_frame in;
    int64_t began; /* monotonic: when the request under way began; 0: none */
    uint8_t *out;
    size_t out_size, out_sent, out_capacity;
    char domain[DOMAIN_MAX_SIZE]; /* of a stream; "" for all */
    uint64_t lost;                /* events that it was too slow for */
};

struct control {
    struct control_config config;
    int listener;
    struct mailbox *mailbox;
    pthread_t thread;
    bool started;
    bool ending;
    atomic_uint listeners;
    struct client clients[CLIENTS_MAX];
};

/* A question on its way to where it is answered and back. */
struct job {
    struct mail mail;
    struct control *control;
    unsigned place, generation;
    struct control_peer peer;
    struct control_request request;
    struct json_writer answer;
};

struct event {
    struct mail mail;
    char domain[DOMAIN_MAX_SIZE];
    size_t size;
    uint8_t data[];
};

/* --- clients --- */

static void drop(struct control *control, struct client *client)
{
    if (client->state == CLIENT_STREAM)
        atomic_fetch_sub(&control->listeners, 1);
    close(client->descriptor);
    control_frame_free(&client->in);
    free(client->out);
    *client = (struct client){.generation = client->generation + 1};
}

/* Queues a frame. False when there is no memory, or no room in a stream. */
static bool enqueue(struct client *client, struct bytes body)
{
    size_t waiting = client->out_size - client->out_sent;
    size_t frame = CONTROL_FRAME_HEADER + body.size;
    if (client->state == CLIENT_STREAM && waiting + frame > STREAM_MAX)
        return false;
    if (client->out_sent > 0) {
        memmove(client->out, client->out + client->out_sent, waiting);
        client->out_size = waiting;
        client->out_sent = 0;
    }
    if (waiting + frame > client->out_capacity) {
        uint8_t *grown = realloc(client->out, waiting + frame);
        if (!grown)
            return false;
        client->out = grown;
        client->out_capacity = waiting + frame;
    }
    control_frame_header(client->out + waiting, body.size);
    memcpy(client->out + waiting + CONTROL_FRAME_HEADER, body.data, body.size);
    client->out_size = waiting + frame;
    return true;
}

/* False when the client is gone. */
static bool flush_out(struct client *client)
{
    while (client->out_sent < client->out_size) {
        ssize_t n = send(client->descriptor, client->out + client->out_sent,
                         client->out_size - client->out_sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        client->out_sent += (size_t)n;
    }
    /* An answer may have been large; what waits for the next question need not be. */
    free(client->out);
    client->out = NULL;
    client->out_size = client->out_sent = client->out_capacity = 0;
    return true;
}

static bool send_frame(struct client *client, struct bytes body)
{
    return enqueue(client, body) && flush_out(client);
}

static bool send_refusal(struct client *client, const char *code, const char *message)
{
    struct json_writer w;
    struct bytes text;
    json_writer_init(&w, 4096);
    view_refuse(&w, code, message);
    bool sent = json_writer_done(&w, &text) && send_frame(client, text);
    json_writer_free(&w);
    return sent;
}

/* --- requests --- */

static void free_job(struct job *job)
{
    control_request_free(&job->request);
    json_writer_free(&job->answer);
    free(job);
}

static bool send_answer(struct client *client, const struct job *job)
{
    struct bytes text;
    if (!json_writer_done(&job->answer, &text))
        return send_refusal(client, "failed", "the answer is too large, or memory is short");
    return send_frame(client, text);
}

/* Back on this thread, with the answer. */
static void deliver(struct mail *mail, void *owner)
{
    struct job *job = (struct job *)mail;
    struct control *control = owner;
    struct client *client = control ? &control->clients[job->place] : NULL;
    if (client && client->generation == job->generation && client->state == CLIENT_WAITING) {
        client->state = CLIENT_IDLE;
        if (job->request.stream) {
            client->state = CLIENT_STREAM;
            memcpy(client->domain, job->request.domain, sizeof(client->domain));
            atomic_fetch_add(&control->listeners, 1);
        }
        if (!send_answer(client, job))
            drop(control, client);
    }
    free_job(job);
}

/* Where answers are made. */
static void work(struct mail *mail, void *owner)
{
    struct job *job = (struct job *)mail;
    struct control *control = job->control;
    if (owner)
        control->config.answer(control->config.context, &job->request, &job->peer, &job->answer);
    else
        view_refuse(&job->answer, "stopping", "the node is stopping");
    job->mail.run = deliver;
    if (!mailbox_post(control->mailbox, &job->mail))
        free_job(job);
}

static bool ask(struct control *control, struct client *client, struct bytes body)
{
    struct job *job = calloc(1, sizeof(*job));
    const char *fault = NULL;
    if (!job)
        return false;
    *job = (struct job){.mail.run = work,
                        .control = control,
                        .place = (unsigned)(client - control->clients),
                        .generation = client->generation,
                        .peer = client->peer};
    json_writer_init(&job->answer, CONTROL_ANSWER_MAX);
    bool sent;
    if (!control_request_read(&job->request, body, &fault)) {
        sent = send_refusal(client, "bad_request", fault);
    } else if (job->request.changes && !client->administrator) {
        log_notice("control: user %u (process %d) may not %s", (unsigned)client->peer.uid,
                   (int)client->peer.pid, control_verb_name(job->request.verb));
        sent = send_refusal(client, "forbidden",
                            "only root, the node's own user and its administrators may do that");
    } else {
        client->state = CLIENT_WAITING;
        if (control->config.post(control->config.context, &job->request, &job->mail))
            return true;
        client->state = CLIENT_IDLE;
        sent = send_refusal(client, "stopping", "the node is stopping");
    }
    free_job(job);
    return sent;
}

/* False when the client is done with or damaged. */
static bool hear(struct control *control, struct client *client)
{
    struct bytes body;
    size_t wants = control_frame_wants(&client->in);
    if (wants == 0)
        return false;
    ssize_t n = recv(client->descriptor, control_frame_room(&client->in), wants, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0 || client->state != CLIENT_IDLE)
        return false; /* who waits or listens has nothing to say */
    if (client->began == 0)
        client->began = clock_monotonic(clock_system());
    control_frame_took(&client->in, (size_t)n);
    if (!control_frame_whole(&client->in, &body)) {
        control_frame_wants(&client->in);
        if (client->in.refused)
            send_refusal(client, "bad_request", "a request that is too large");
        return !client->in.refused;
    }
    client->began = 0;
    bool fine = ask(control, client, body);
    control_frame_next(&client->in);
    return fine;
}

/* --- who connects --- */

static bool in_group(int descriptor, const struct control_peer *peer, const char *name)
{
    struct group *group = name ? getgrnam(name) : NULL;
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof(groups);
    if (!group)
        return false;
    if (peer->gid == group->gr_gid)
        return true;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return false;
    for (size_t i = 0; i < size / sizeof(gid_t); i++)
        if (groups[i] == group->gr_gid)
            return true;
    return false;
}

static void welcome(struct control *control)
{
    int descriptor = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    struct client *client = NULL;
    if (descriptor < 0)
        return;
    for (size_t i = 0; i < CLIENTS_MAX && !client; i++)
        if (control->clients[i].state == CLIENT_FREE)
            client = &control->clients[i];
    if (!client || getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        log_warning("control: a connection is refused: %s", client ? strerror(errno) : "too many");
        close(descriptor);
        return;
    }
    client->state = CLIENT_IDLE;
    client->descriptor = descriptor;
    client->peer = (struct control_peer){credentials.pid, credentials.uid, credentials.gid};
    client->administrator = credentials.uid == 0 || credentials.uid == geteuid() ||
                            in_group(descriptor, &client->peer, control->config.administrators);
    client->in = (struct control_frame){.max = CONTROL_REQUEST_MAX};
}

/* --- events --- */

static bool concerns(const struct client *client, const char *domain)
{
    return client->state == CLIENT_STREAM && (!*client->domain || strcmp(client->domain, domain) == 0);
}

static void tell(struct control *control, struct client *client, struct bytes event)
{
    if (client->lost > 0) {
        char text[64];
        int size = snprintf(text, sizeof(text), "{\"event\":\"lost\",\"lost\":%llu}",
                            (unsigned long long)client->lost);
        if (enqueue(client, (struct bytes){(const uint8_t *)text, (size_t)size}))
            client->lost = 0;
    }
    if (client->lost > 0 || !enqueue(client, event))
        client->lost++;
    if (!flush_out(client))
        drop(control, client);
}

static void publish(struct mail *mail, void *owner)
{
    struct event *event = (struct event *)mail;
    struct control *control = owner;
    for (size_t i = 0; control && i < CLIENTS_MAX; i++)
        if (concerns(&control->clients[i], event->domain))
            tell(control, &control->clients[i], (struct bytes){event->data, event->size});
    free(event);
}

bool control_has_listeners(const struct control *control)
{
    return atomic_load(&control->listeners) > 0;
}

void control_publish(struct control *control, struct bytes event, const char *domain)
{
    struct event *mail = malloc(sizeof(*mail) + event.size);
    if (!mail)
        return;
    mail->mail.run = publish;
    mail->size = event.size;
    snprintf(mail->domain, sizeof(mail->domain), "%s", domain ? domain : "");
    memcpy(mail->data, event.data, event.size);
    if (!mailbox_post(control->mailbox, &mail->mail))
        free(mail);
}

/* --- the thread --- */

static void serve(struct control *control, struct client *client, short revents)
{
    bool fine = true;
    if (revents & (POLLIN | POLLHUP | POLLERR))
        fine = hear(control, client);
    if (fine && (revents & POLLOUT))
        fine = flush_out(client);
    if (!fine && client->state != CLIENT_FREE)
        drop(control, client);
}

static void expire(struct control *control)
{
    int64_t now = clock_monotonic(clock_system());
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->state != CLIENT_FREE && client->began > 0 && now - client->began > REQUEST_TIME)
            drop(control, client);
    }
}

static void *run(void *context)
{
    enum { LISTENER = CLIENTS_MAX, MAILBOX, FDS };
    struct control *control = context;
    while (!control->ending) {
        struct pollfd fds[FDS];
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            struct client *client = &control->clients[i];
            bool writes = client->out_sent < client->out_size;
            fds[i] = (struct pollfd){.fd = client->state == CLIENT_FREE ? -1 : client->descriptor,
                                     .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
        }
        fds[LISTENER] = (struct pollfd){.fd = control->listener, .events = POLLIN};
        fds[MAILBOX] = (struct pollfd){.fd = mailbox_descriptor(control->mailbox), .events = POLLIN};
        poll(fds, FDS, (int)(REQUEST_TIME / CLOCK_MILLISECOND));
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            if (fds[i].fd >= 0 && fds[i].revents && control->clients[i].state != CLIENT_FREE)
                serve(control, &control->clients[i], fds[i].revents);
        if (fds[LISTENER].revents)
            welcome(control);
        mailbox_run(control->mailbox, control);
        expire(control);
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->clients[i].state != CLIENT_FREE)
            drop(control, &control->clients[i]);
    return NULL;
}

/* --- start and stop --- */

/* A socket that nobody listens on any more is in the way; one that somebody does is not ours to take. */
static bool clear_path(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT;
    if (!S_ISSOCK(status.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken = probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (probe >= 0)
        close(probe);
    if (taken) {
        errno = EADDRINUSE;
        return false;
    }
    return unlink(address->sun_path) == 0;
}

static void own_socket(const struct control_config *config)
{
    struct group *group = config->group ? getgrnam(config->group) : NULL;
    if (group && chown(config->path, (uid_t)-1, group->gr_gid) != 0)
        log_warning("control: %s cannot be given to the group %s: %s", config->path, config->group,
                    strerror(errno));
}

static int listen_at(const struct control_config *config)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(config->path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, config->path, strlen(config->path) + 1);
    int descriptor =
        clear_path(&address) ? socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    if (descriptor < 0)
        return -1;
    /* Nobody connects before listen(), so the mode is right before anybody can. */
    if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(config->path, 0660) != 0) {
        close(descriptor);
        return -1;
    }
    own_socket(config);
    if (listen(descriptor, 16) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

struct control *control_start(const struct control_config *config, char *reason, size_t capacity)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control) {
        snprintf(reason, capacity, "%s", strerror(ENOMEM));
        return NULL;
    }
    control->config = *config;
    control->mailbox = mailbox_new();
    control->listener = control->mailbox ? listen_at(config) : -1;
    if (control->listener >= 0)
        control->started = thread_start(&control->thread, "control", run, control);
    if (!control->started) {
        snprintf(reason, capacity, "%s: %s", config->path, strerror(errno));
        control_stop(&control);
    }
    return control;
}

static void end(struct mail *mail, void *owner)
{
    struct control *control = owner;
    if (control)
        control->ending = true;
    free(mail);
}

void control_stop(struct control **control_p)
{
    struct control *control = *control_p;
    if (!control)
        return;
    if (control->started) {
        struct mail *mail = calloc(1, sizeof(*mail));
        if (!mail)
            return; /* nothing can be done in order then */
        mail->run = end;
        mailbox_post(control->mailbox, mail);
        pthread_join(control->thread, NULL);
    }
    if (control->listener >= 0) {
        close(control->listener);
        unlink(control->config.path);
    }
    mailbox_destroy(&control->mailbox);
    free(control);
    *control_p = NULL;
}
