/* SPDX-License-Identifier: Apache-2.0 */
#include "center/notify_link.h"

#include "base/address.h"
#include "base/clock.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define SLICE      100 /* ms between looks at `ending` */

struct notify_link {
    enum link_kind kind;
    const atomic_bool *ending;
    int socket;
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t session;
};

static int64_t monotonic(void)
{
    return clock_monotonic(clock_system());
}

/* False: it did not become so in time. */
static bool wait_for(const struct notify_link *link, short events, int64_t deadline, struct fault *fault)
{
    for (;;) {
        struct pollfd item = {.fd = link->socket, .events = events};
        int64_t left = deadline - monotonic();
        if (link->ending && atomic_load(link->ending))
            return fault_say(fault, "the center ends");
        if (left <= 0)
            return fault_say(fault, "no answer in time");
        int ms = left / CLOCK_MILLISECOND < SLICE ? (int)(left / CLOCK_MILLISECOND) + 1 : SLICE;
        int ready = poll(&item, 1, ms);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return fault_say(fault, "poll: %s", strerror(errno));
    }
}

static bool connect_one(struct notify_link *link, const struct addrinfo *info, int64_t deadline,
                        struct fault *fault)
{
    int reason = 0;
    socklen_t size = sizeof(reason);
    link->socket =
        socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
    if (link->socket < 0)
        return fault_say(fault, "socket: %s", strerror(errno));
    bool done = connect(link->socket, info->ai_addr, info->ai_addrlen) == 0;
    if (!done && errno != EINPROGRESS)
        fault_say(fault, "%s", strerror(errno));
    else if (!done && wait_for(link, POLLOUT, deadline, fault)) {
        done = getsockopt(link->socket, SOL_SOCKET, SO_ERROR, &reason, &size) == 0 && reason == 0;
        if (!done)
            fault_say(fault, "%s", strerror(reason ? reason : errno));
    }
    if (!done) {
        close(link->socket);
        link->socket = -1;
    }
    return done;
}

static bool connect_any(struct notify_link *link, const struct notify_link_config *config, int64_t deadline,
                        struct fault *fault)
{
    struct addrinfo hints = {.ai_socktype = config->kind == LINK_UDP ? SOCK_DGRAM : SOCK_STREAM},
                    *found = NULL;
    int rc = getaddrinfo(config->host, config->port, &hints, &found);
    if (rc != 0)
        return fault_say(fault, "%s: %s", config->host, gai_strerror(rc));
    bool done = false;
    for (const struct addrinfo *at = found; at && !done; at = at->ai_next)
        done = connect_one(link, at, deadline, fault);
    freeaddrinfo(found);
    return done;
}

/* --- TLS --- */

static bool load_credentials(struct notify_link *link, const struct notify_link_config *config,
                             struct fault *fault)
{
    int rc = gnutls_certificate_allocate_credentials(&link->credentials);
    if (rc < 0)
        return fault_say(fault, "no memory for TLS");
    rc = config->ca
             ? gnutls_certificate_set_x509_trust_file(link->credentials, config->ca, GNUTLS_X509_FMT_PEM)
             : gnutls_certificate_set_x509_system_trust(link->credentials);
    if (rc <= 0)
        return fault_say(fault, "no certificate to trust in %s: %s",
                         config->ca ? config->ca : "the system's store",
                         rc < 0 ? gnutls_strerror(rc) : "it has none");
    if (!config->certificate)
        return true;
    rc = gnutls_certificate_set_x509_key_file(link->credentials, config->certificate, config->key,
                                              GNUTLS_X509_FMT_PEM);
    return rc >= 0 || fault_say(fault, "%s, %s: %s", config->certificate, config->key, gnutls_strerror(rc));
}

static bool refused(const struct notify_link *link, const char *host, struct fault *fault)
{
    gnutls_datum_t why = {0};
    unsigned status = gnutls_session_get_verify_cert_status(link->session);
    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0) < 0)
        return fault_say(fault, "the certificate of %s is refused", host);
    fault_say(fault, "the certificate of %s is refused: %s", host, (const char *)why.data);
    gnutls_free(why.data);
    return false;
}

/* Waits for whatever TLS waits for. */
static bool wait_tls(const struct notify_link *link, int64_t deadline, struct fault *fault)
{
    return wait_for(link, gnutls_record_get_direction(link->session) ? POLLOUT : POLLIN, deadline, fault);
}

static bool shake_hands(struct notify_link *link, const char *host, int64_t deadline, struct fault *fault)
{
    for (;;) {
        int rc = gnutls_handshake(link->session);
        if (rc == 0)
            return true;
        if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
            return refused(link, host, fault);
        if (gnutls_error_is_fatal(rc))
            return fault_say(fault, "TLS: %s", gnutls_strerror(rc));
        if (rc == GNUTLS_E_AGAIN && !wait_tls(link, deadline, fault))
            return false;
    }
}

static bool start_tls(struct notify_link *link, const struct notify_link_config *config, int64_t deadline,
                      struct fault *fault)
{
    struct ip_address address;
    if (!load_credentials(link, config, fault))
        return false;
    if (gnutls_init(&link->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
        gnutls_priority_set_direct(link->session, PRIORITIES, NULL) < 0 ||
        gnutls_credentials_set(link->session, GNUTLS_CRD_CERTIFICATE, link->credentials) < 0)
        return fault_say(fault, "TLS cannot be set up");
    if (!ip_address_parse(config->host, &address))
        gnutls_server_name_set(link->session, GNUTLS_NAME_DNS, config->host, strlen(config->host));
    gnutls_session_set_verify_cert(link->session, config->host, 0);
    gnutls_transport_set_int(link->session, link->socket);
    gnutls_handshake_set_timeout(link->session, 0); /* ours counts */
    return shake_hands(link, config->host, deadline, fault);
}

struct notify_link *notify_link_open(const struct notify_link_config *config, int64_t deadline,
                                     struct fault *fault)
{
    struct notify_link *link = calloc(1, sizeof(*link));
    if (!link) {
        fault_say(fault, "no memory for a connection");
        return NULL;
    }
    *link = (struct notify_link){.kind = config->kind, .ending = config->ending, .socket = -1};
    if (!connect_any(link, config, deadline, fault) ||
        (config->kind == LINK_TLS && !start_tls(link, config, deadline, fault)))
        notify_link_close(&link);
    return link;
}

void notify_link_close(struct notify_link **link_p)
{
    struct notify_link *link = *link_p;
    if (!link)
        return;
    if (link->session) {
        gnutls_bye(link->session, GNUTLS_SHUT_WR);
        gnutls_deinit(link->session);
    }
    if (link->credentials)
        gnutls_certificate_free_credentials(link->credentials);
    if (link->socket >= 0)
        close(link->socket);
    free(link);
    *link_p = NULL;
}

/* --- sending --- */

static bool send_tls(struct notify_link *link, const char *data, size_t size, int64_t deadline,
                     struct fault *fault)
{
    size_t sent = 0;
    while (sent < size) {
        ssize_t n = gnutls_record_send(link->session, data + sent, size - sent);
        if (n > 0)
            sent += (size_t)n;
        else if (n < 0 && gnutls_error_is_fatal((int)n))
            return fault_say(fault, "TLS: %s", gnutls_strerror((int)n));
        else if (n == GNUTLS_E_AGAIN && !wait_tls(link, deadline, fault))
            return false;
    }
    return true;
}

bool notify_link_send(struct notify_link *link, const void *data, size_t size, int64_t deadline,
                      struct fault *fault)
{
    if (link->kind == LINK_TLS)
        return send_tls(link, data, size, deadline, fault);
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(link->socket, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return fault_say(fault, "%s", strerror(errno));
        else if (errno == EAGAIN && !wait_for(link, POLLOUT, deadline, fault))
            return false;
    }
    return true;
}

bool notify_link_alive(struct notify_link *link)
{
    char byte;
    if (link->kind == LINK_TLS) {
        ssize_t n = gnutls_record_recv(link->session, &byte, 1);
        return n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
    }
    ssize_t n = recv(link->socket, &byte, 1, MSG_DONTWAIT);
    if (link->kind == LINK_UDP) /* a port that is not there: ICMP says so behind the first message */
        return n >= 0 || errno != ECONNREFUSED;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}
