/* SPDX-License-Identifier: Apache-2.0
 *
 * ZeroMQ's sockets as the transport needs them; what each option guards against is told in
 * docs/cluster-transport.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cluster/transport_internal.h"

#define ZAP_ENFORCE_DOMAIN 93 /* ZMQ_ZAP_ENFORCE_DOMAIN: works, but stable headers do not name it */
#define SOCKETS_MAX        1023
#define MONITOR_QUEUE      65536
/* What CURVE adds to a frame (RFC 26): "\x07MESSAGE", the short nonce, the authenticator, the flags. */
#define CURVE_OVERHEAD 33

/* What matters of a socket's life. Not ACCEPT_FAILED: without descriptors a listener says it a million times
 * a second. */
#define MONITORED                                                                                            \
    (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                            \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_keys(void *socket, const uint8_t *public_key, const uint8_t *secret_key)
{
    return zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, TRANSPORT_KEY_SIZE) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, TRANSPORT_KEY_SIZE) == 0;
}

static bool set_server(void *socket, const char *domain)
{
    return set_int(socket, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) == 0 &&
           set_int(socket, ZAP_ENFORCE_DOMAIN, 1);
}

static bool set_common(void *socket, const struct transport_options *options, size_t message_max)
{
    int64_t frame_max = (int64_t)message_max + 1 + CURVE_OVERHEAD;
    int high_water = (int)options->high_water;
    return set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_IPV6, 1) &&
           set_int(socket, ZMQ_IMMEDIATE, 0) && set_int(socket, ZMQ_ROUTER_MANDATORY, 1) &&
           set_int(socket, ZMQ_ROUTER_HANDOVER, 0) && set_int(socket, ZMQ_SNDHWM, high_water) &&
           set_int(socket, ZMQ_RCVHWM, high_water) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0 &&
           set_int(socket, ZMQ_HANDSHAKE_IVL, options->handshake) &&
           set_int(socket, ZMQ_CONNECT_TIMEOUT, options->connect) &&
           set_int(socket, ZMQ_RECONNECT_IVL, options->reconnect_min) &&
           set_int(socket, ZMQ_RECONNECT_IVL_MAX, options->reconnect_max) &&
           set_int(socket, ZMQ_HEARTBEAT_IVL, options->heartbeat) &&
           set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, options->heartbeat_timeout) &&
           set_int(socket, ZMQ_HEARTBEAT_TTL, options->heartbeat_ttl) &&
           set_int(socket, ZMQ_TCP_MAXRT, 30000) && set_int(socket, ZMQ_TCP_KEEPALIVE, 0);
}

/* The monitor's queue is deep, for the I/O thread waits when it is full, and empty ones cost nothing. */
static bool watch(struct transport *self, struct watched *watched, const char *name)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://monitor.%s", name);
    if (zmq_socket_monitor(watched->socket, endpoint, MONITORED) != 0)
        return false;
    watched->monitor = zmq_socket(self->context, ZMQ_PAIR);
    return watched->monitor && set_int(watched->monitor, ZMQ_LINGER, 0) &&
           set_int(watched->monitor, ZMQ_RCVHWM, MONITOR_QUEUE) &&
           zmq_connect(watched->monitor, endpoint) == 0;
}

static void unwatch(struct watched *watched)
{
    struct socket_event event;
    if (watched->monitor) {
        while (socket_event_take(watched->monitor, &event))
            ;
        zmq_socket_monitor(watched->socket, NULL, 0);
        zmq_close(watched->monitor);
    }
    if (watched->socket) {
        /* ZeroMQ does not wipe its copy of the secret key: overwrite it. */
        static const uint8_t nothing[TRANSPORT_KEY_SIZE];
        set_keys(watched->socket, nothing, nothing);
        zmq_close(watched->socket);
    }
    *watched = (struct watched){0};
}

/* The listening socket is ours, ZeroMQ gets duplicates: bound anew it loses no port and refuses nobody, and
 * who comes in between waits in the kernel's queue. */
static bool listener_open(struct listener *listener, const char *text, struct fault *fault)
{
    struct tcp_address address;
    listener->fd = NO_FD;
    if (!tcp_address_parse(&address, text) || (!address.any && !address.at.address.family))
        return fault_say(fault, "%s is no address to listen on (tcp://ADDRESS:PORT)", text);
    if (address.any)
        address.at.address.family = 6;
    struct sockaddr_storage at;
    socklen_t size = tcp_address_to(&address.at, &at);
    int on = 1, own_family = !address.any;
    listener->fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return fault_say(fault, "%s: %s", text, strerror(errno));
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at.ss_family == AF_INET6)
        setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &own_family, sizeof own_family);
    if (bind(listener->fd, (struct sockaddr *)&at, size) != 0 || listen(listener->fd, 128) != 0)
        return fault_say(fault, "%s: %s", text, strerror(errno));
    size = sizeof at;
    getsockname(listener->fd, (struct sockaddr *)&at, &size);
    struct endpoint bound = tcp_address_from(&at);
    char full[TCP_ADDRESS_MAX];
    snprintf(listener->text, sizeof listener->text, "%s", tcp_address_text(&bound, full));
    return true;
}

static bool listener_bind(struct listener *listener, void *socket)
{
    int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (!set_int(socket, ZMQ_USE_FD, fd) || zmq_bind(socket, listener->text) != 0) {
        close(fd);
        return false;
    }
    size_t size = sizeof listener->bound;
    return zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, listener->bound, &size) == 0;
}

static void listener_close(struct listener *listener)
{
    if (listener->fd > 0)
        close(listener->fd);
    listener->fd = NO_FD;
}

static bool inbox_open(struct transport *self, const struct transport_options *options, struct fault *fault)
{
    void *inbox = self->inbox.socket = zmq_socket(self->context, ZMQ_ROUTER);
    if (!inbox || !set_common(inbox, options, options->message_max) ||
        !set_keys(inbox, options->public_key, options->secret_key) || !set_server(inbox, ZAP_DOMAIN_FLEET) ||
        !watch(self, &self->inbox, "inbox"))
        return fault_say(fault, "the inbox: %s", zmq_strerror(errno));
    for (unsigned i = 0; i < options->bind_count; i++) {
        self->listener_count = i + 1;
        if (!listener_open(&self->listeners[i], options->binds[i], fault))
            return false;
        if (!listener_bind(&self->listeners[i], inbox))
            return fault_say(fault, "%s: %s", options->binds[i], zmq_strerror(errno));
    }
    return true;
}

static bool outbox_open(struct transport *self, const struct transport_options *options, struct fault *fault)
{
    void *outbox = self->outbox.socket = zmq_socket(self->context, ZMQ_ROUTER);
    if (!outbox || !set_common(outbox, options, options->message_max) ||
        !set_keys(outbox, options->public_key, options->secret_key) || !watch(self, &self->outbox, "outbox"))
        return fault_say(fault, "the outbox: %s", zmq_strerror(errno));
    return true;
}

static bool enrolment_open(struct transport *self, const struct transport_options *options,
                           struct fault *fault)
{
    if (!options->enrolment_bind)
        return true;
    void *socket = self->enrolment.socket = zmq_socket(self->context, ZMQ_ROUTER);
    if (!socket || !set_common(socket, options, ENROLMENT_REQUEST_LIMIT) ||
        !set_keys(socket, options->enrolment_public_key, options->enrolment_secret_key) ||
        !set_server(socket, ZAP_DOMAIN_ENROLMENT) || !watch(self, &self->enrolment, "enrolment"))
        return fault_say(fault, "the enrolment socket: %s", zmq_strerror(errno));
    if (!listener_open(&self->enrolment_listener, options->enrolment_bind, fault))
        return false;
    if (!listener_bind(&self->enrolment_listener, socket))
        return fault_say(fault, "%s: %s", options->enrolment_bind, zmq_strerror(errno));
    return true;
}

bool sockets_open(struct transport *self, const struct transport_options *keys, struct fault *fault)
{
    /* First thing: later these are ignored, or abort. */
    self->context = zmq_ctx_new();
    if (!self->context)
        return fault_say(fault, "ZeroMQ: %s", zmq_strerror(errno));
    zmq_ctx_set(self->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    zmq_ctx_set(self->context, ZMQ_BLOCKY, 0);
    zmq_ctx_set(self->context, ZMQ_IPV6, 1);
    if (!zmq_has("curve"))
        return fault_say(fault, "this ZeroMQ has no CURVE: nothing would be encrypted");
    /* Before anything is bound: without it ZeroMQ would have nobody to ask. */
    struct zap_options zap = {
        .context = self->context,
        .keys_max = keys->keys_max,
        .enrolments_burst = keys->enrolments_burst,
        .enrolments_per_min = keys->enrolments_per_min,
    };
    self->zap = zap_new(&zap);
    if (!self->zap)
        return fault_say(fault, "the thread that admits nodes cannot start");
    return inbox_open(self, keys, fault) && outbox_open(self, keys, fault) &&
           enrolment_open(self, keys, fault);
}

void sockets_close(struct transport *self)
{
    if (!self->context)
        return;
    unwatch(&self->enrolment);
    unwatch(&self->inbox);
    unwatch(&self->outbox);
    zmq_ctx_shutdown(self->context);
    zap_destroy(&self->zap);
    zmq_ctx_term(self->context);
    self->context = NULL;
    for (unsigned i = 0; i < self->listener_count; i++)
        listener_close(&self->listeners[i]);
    listener_close(&self->enrolment_listener);
}

bool sockets_rekey(struct transport *self, const uint8_t *public_key, const uint8_t *secret_key)
{
    return set_keys(self->inbox.socket, public_key, secret_key) &&
           set_keys(self->outbox.socket, public_key, secret_key);
}

bool sockets_rebind(struct transport *self)
{
    bool fine = true;
    for (unsigned i = 0; i < self->listener_count; i++) {
        zmq_unbind(self->inbox.socket, self->listeners[i].bound);
        fine = listener_bind(&self->listeners[i], self->inbox.socket) && fine;
    }
    return fine;
}
