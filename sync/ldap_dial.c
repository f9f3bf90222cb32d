/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_dial.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "sync/ldap_kerberos.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX   (256u * 1024u) /* a ticket with a large PAC has some 60 KiB */
#define BIND_STEPS    12u
#define PORT_LDAP     389u
#define PORT_LDAPS    636u
#define PORT_KERBEROS 88u

/* --- a question and its answer --- */

static int64_t now(void)
{
    return clock_monotonic(clock_system());
}

static bool next_message(struct ldap_exchange *x, struct bytes *whole, struct fault *fault)
{
    for (;;) {
        int got = ldap_stream_message(x->stream, whole, fault);
        if (got != 0)
            return got > 0;
        if (!ldap_stream_flush(x->stream, fault))
            return false;
        got = ldap_stream_read(x->stream, fault);
        if (got < 0)
            return false;
        if (got == 0 &&
            !ldap_stream_wait(x->stream, ldap_stream_events(x->stream), x->deadline, x->cancelled))
            return fault_say(fault, "no answer in time");
    }
}

static bool next_reply(struct ldap_exchange *x, struct ldap_reply *reply, struct fault *fault)
{
    struct bytes whole;
    if (!next_message(x, &whole, fault))
        return false;
    if (!ldap_reply_read(whole, reply))
        return fault_say(fault, "the directory's answer cannot be read");
    if (reply->id == 0)
        return fault_say(fault, "the directory ended the connection");
    if (reply->id != x->last_id)
        return fault_say(fault, "the directory answers what was not asked");
    return true;
}

/* Sends the request that was written and waits for its answer of that kind. */
static bool ask(struct ldap_exchange *x, const uint8_t *request, size_t size, uint8_t operation,
                struct ldap_reply *reply, struct ldap_answer *answer, struct fault *fault)
{
    if (size == 0 || !ldap_stream_send(x->stream, (struct bytes){request, size}))
        return fault_say(fault, "a question that is too long");
    if (!next_reply(x, reply, fault))
        return false;
    if (reply->operation != operation || !ldap_answer_read(reply, answer))
        return fault_say(fault, "the directory's answer cannot be read");
    return true;
}

bool ldap_ask(struct ldap_exchange *x, const struct ldap_query *query,
              void (*object)(void *context, const struct directory_object *object), void *context,
              struct ldap_reply *reply, struct ldap_answer *answer, struct fault *fault)
{
    uint8_t request[8192];
    size_t size = ldap_write_search(request, sizeof request, ++x->last_id, query);
    if (size == 0 || !ldap_stream_send(x->stream, (struct bytes){request, size}))
        return fault_say(fault, "a question that is too long");
    struct ldap_entry_space *space = calloc(1, sizeof *space);
    if (!space)
        return fault_say(fault, "no memory");
    bool done = false;
    while (next_reply(x, reply, fault)) {
        struct directory_object is;
        if (reply->operation == LDAP_OP_REFERENCE)
            continue;
        if (reply->operation == LDAP_OP_ENTRY && ldap_entry_read(reply, space, &is) == LDAP_ENTRY_FINE) {
            if (object)
                object(context, &is);
            continue;
        }
        done = reply->operation == LDAP_OP_SEARCH_DONE && ldap_answer_read(reply, answer);
        if (!done)
            fault_say(fault, "the directory's answer cannot be read");
        break;
    }
    ldap_entry_space_free(space);
    free(space);
    return done;
}

/* --- socket --- */

static bool under_tls(const struct ldap_account *account)
{
    return account->security != LDAP_SECURITY_SASL;
}

static int connect_to(const struct addrinfo *to, int64_t deadline, const atomic_bool *cancelled)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int one = 1, idle = 60, interval = 15, probes = 4;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* A directory that went without a word is noticed while nothing is asked of it. */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return fd;
    int error = errno;
    while (error == EINPROGRESS) {
        int64_t left = deadline - now();
        if (left <= 0 || atomic_load(cancelled)) {
            error = ETIMEDOUT;
            break;
        }
        struct pollfd poll_for = {.fd = fd, .events = POLLOUT};
        if (poll(
                &poll_for, 1,
                (int)((left < 100 * CLOCK_MILLISECOND ? left : 100 * CLOCK_MILLISECOND) / CLOCK_MILLISECOND) +
                    1) <= 0)
            continue;
        socklen_t size = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
    }
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static void describe_address(const struct addrinfo *is, char *text, size_t capacity, char *kdc,
                             size_t kdc_capacity)
{
    char host[INET6_ADDRSTRLEN + 16], port[8];
    if (getnameinfo(is->ai_addr, is->ai_addrlen, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    const char *form = strchr(host, ':') ? "[%s]:%s" : "%s:%s";
    char kerberos[8];
    (void)snprintf(kerberos, sizeof kerberos, "%u", PORT_KERBEROS);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, capacity, form, host, port);
    (void)snprintf(kdc, kdc_capacity, form, host, kerberos);
#pragma GCC diagnostic pop
}

static struct ip_address address_of(const struct sockaddr *from)
{
    struct ip_address address = {0};
    if (from->sa_family == AF_INET) {
        address.family = 4;
        memcpy(address.bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        address.family = 6;
        memcpy(address.bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    }
    return address;
}

/* Each address in turn, each with its part of the time. */
static int dial_addresses(const struct ldap_dial_order *order, const struct addrinfo *list,
                          struct ldap_dial_outcome *outcome, char *kdc, size_t kdc_capacity)
{
    int64_t count = 0;
    for (const struct addrinfo *at = list; at; at = at->ai_next)
        count++;
    int64_t share = order->config->connect_timeout / (count ? count : 1);
    int error = EHOSTUNREACH;
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        describe_address(at, outcome->address, sizeof outcome->address, kdc, kdc_capacity);
        outcome->peer.address = address_of(at->ai_addr);
        int fd = connect_to(at, now() + share, order->cancelled);
        if (fd >= 0)
            return fd;
        error = errno;
    }
    fault_say(&outcome->fault, "%s: %s", outcome->address,
              error == ECONNREFUSED ? "nothing listens there" : strerror(error));
    return -1;
}

static bool open_stream(const struct ldap_dial_order *order, struct ldap_dial_outcome *outcome, char *kdc,
                        size_t kdc_capacity)
{
    unsigned port = order->controller.port;
    if (port == 0)
        port = order->account->security == LDAP_SECURITY_LDAPS ? PORT_LDAPS : PORT_LDAP;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    int rc = getaddrinfo(order->controller.host, service, &hints, &list);
    if (rc != 0)
        return fault_say(&outcome->fault, "%s has no address: %s", order->controller.host, gai_strerror(rc));
    outcome->stage = LDAP_DIAL_RESOLVED;
    int fd = dial_addresses(order, list, outcome, kdc, kdc_capacity);
    freeaddrinfo(list);
    if (fd < 0)
        return false;
    outcome->stage = LDAP_DIAL_CONNECTED;
    outcome->stream = ldap_stream_new(fd);
    return outcome->stream || fault_say(&outcome->fault, "no memory for a connection");
}

/* --- TLS --- */

static bool start_tls(struct ldap_exchange *x, struct fault *fault)
{
    uint8_t request[128];
    struct ldap_reply reply;
    struct ldap_answer answer;
    size_t size = ldap_write_extended(request, sizeof request, ++x->last_id, LDAP_OID_START_TLS);
    if (!ask(x, request, size, LDAP_OP_EXTENDED, &reply, &answer, fault))
        return false;
    if (answer.code != LDAP_CODE_SUCCESS)
        return fault_say(fault, "the directory refuses StartTLS with code %d: has it a certificate?",
                         answer.code);
    return true;
}

static bool secure(const struct ldap_dial_order *order, struct ldap_exchange *x,
                   struct ldap_dial_outcome *outcome)
{
    if (under_tls(order->account)) {
        if (order->account->security == LDAP_SECURITY_STARTTLS && !start_tls(x, &outcome->fault))
            return false;
        if (!ldap_tls_start(x->stream, order->controller.host, order->config->ca_file, x->deadline,
                            x->cancelled, &outcome->certificate, &outcome->fault))
            return false;
    }
    outcome->stage = LDAP_DIAL_SECURED;
    return true;
}

/* --- bind --- */

static bool bind_simple(const struct ldap_dial_order *order, struct ldap_exchange *x,
                        struct ldap_dial_outcome *outcome)
{
    struct secret secret;
    outcome->blame = LDAP_BLAME_ACCOUNT;
    if (!secret_read(order->account->password_file, &secret, &outcome->fault))
        return false;
    outcome->blame = LDAP_BLAME_CONTROLLER;
    uint8_t request[4 * SECRET_MAX];
    struct ldap_reply reply;
    struct ldap_answer answer;
    size_t size = ldap_write_bind_simple(request, sizeof request, ++x->last_id, order->account->principal,
                                         (struct bytes){secret.bytes, secret.size});
    secret_wipe(&secret);
    bool heard = ask(x, request, size, LDAP_OP_BOUND, &reply, &answer, &outcome->fault);
    explicit_bzero(request, sizeof request);
    if (!heard)
        return false;
    if (answer.code == LDAP_CODE_SUCCESS)
        return true;
    outcome->blame = ldap_bind_refusal(answer.code, answer.text, &outcome->fault);
    return false;
}

static bool sasl_refused(const struct ldap_answer *answer, struct fault *fault)
{
    /* Kerberos has proved the account good: it is the controller that will not have it. */
    (void)ldap_bind_refusal(answer->code, answer->text, fault);
    return false;
}

static bool sasl_rounds(struct ldap_kerberos *kerberos, struct ldap_exchange *x, uint8_t *request,
                        struct fault *fault)
{
    struct bytes from = {0}, to;
    struct ldap_reply reply;
    struct ldap_answer answer;
    for (unsigned i = 0; i < BIND_STEPS; i++) {
        if (!ldap_kerberos_step(kerberos, from, &to, fault))
            return false;
        size_t size =
            ldap_write_bind_sasl(request, REQUEST_MAX, ++x->last_id, ldap_kerberos_mechanism(kerberos), to);
        if (!ask(x, request, size, LDAP_OP_BOUND, &reply, &answer, fault))
            return false;
        from = answer.credentials;
        if (answer.code == LDAP_CODE_BIND_IN_PROGRESS)
            continue;
        if (answer.code != LDAP_CODE_SUCCESS)
            return sasl_refused(&answer, fault);
        gss_ctx_id_t context;
        uint32_t peer_max = 0;
        if (!ldap_kerberos_finish(kerberos, from, &context, &peer_max, fault))
            return false;
        if (context)
            ldap_stream_seal(x->stream, context, peer_max);
        return true;
    }
    return fault_say(fault, "the directory finds no end of the bind");
}

static bool bind_kerberos(const struct ldap_dial_order *order, struct ldap_exchange *x, const char *kdc,
                          struct ldap_dial_outcome *outcome)
{
    struct ip_address address;
    if (ip_address_parse(order->controller.host, &address))
        return fault_say(&outcome->fault, "Kerberos needs the domain controller's name, not its address");
    gnutls_datum_t end_point = {0};
    if (under_tls(order->account))
        (void)gnutls_session_channel_binding(ldap_stream_session(x->stream), GNUTLS_CB_TLS_SERVER_END_POINT,
                                             &end_point);
    struct ldap_kerberos_order tickets = {
        .account = order->account,
        .domain = order->config->domain,
        .host = order->controller.host,
        .kdc = kdc,
        .under_tls = under_tls(order->account),
        .end_point = {end_point.data, end_point.size},
    };
    struct ldap_kerberos *kerberos =
        ldap_kerberos_open(&tickets, &outcome->expires, &outcome->blame, &outcome->fault);
    gnutls_free(end_point.data);
    if (!kerberos)
        return false;
    outcome->blame = LDAP_BLAME_CONTROLLER;
    x->deadline = now() + order->config->bind_timeout; /* the KDC took its own */
    uint8_t *request = malloc(REQUEST_MAX);
    bool bound = request ? sasl_rounds(kerberos, x, request, &outcome->fault)
                         : fault_say(&outcome->fault, "no memory for a bind");
    free(request);
    ldap_kerberos_close(&kerberos);
    return bound;
}

/* --- who it is --- */

static void take_text(const struct directory_object *object, const char *name, char *to, size_t capacity)
{
    const struct directory_attribute *a = directory_object_find(object, name);
    to[0] = 0;
    if (!a || a->value_count == 0 || a->values[0].size >= capacity)
        return;
    struct text t = text_to(to, capacity);
    text_display(&t, a->values[0]);
    text_end(&t);
}

static uint64_t take_number(const struct directory_object *object, const char *name)
{
    char text[24];
    take_text(object, name, text, sizeof text);
    return strtoull(text, NULL, 10);
}

/* GeneralizedTime as directories give it: YYYYMMDDHHMMSS[.f]Z */
static bool take_time(const struct directory_object *object, const char *name, int64_t *time)
{
    char text[32], iso[32];
    take_text(object, name, text, sizeof text);
    if (strspn(text, "0123456789") != 14)
        return false;
    (void)snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", text, text + 4, text + 6, text + 8,
                   text + 10, text + 12);
    return clock_rfc3339_parse(iso, strlen(iso), time);
}

static bool supports(const struct directory_object *object, const char *oid)
{
    const struct directory_attribute *a = directory_object_find(object, "supportedControl");
    for (uint32_t i = 0; a && i < a->value_count; i++)
        if (a->values[i].size == strlen(oid) && memcmp(a->values[i].data, oid, a->values[i].size) == 0)
            return true;
    return false;
}

struct root {
    struct ldap_peer *peer;
    char settings_dn[1024]; /* dsServiceName: its nTDSDSA */
    bool seen;
};

static void read_root(void *context, const struct directory_object *object)
{
    struct root *root = context;
    struct ldap_peer *peer = root->peer;
    root->seen = true;
    take_text(object, "dnsHostName", peer->dns_host_name, sizeof peer->dns_host_name);
    take_text(object, "defaultNamingContext", peer->default_context, sizeof peer->default_context);
    take_text(object, "configurationNamingContext", peer->configuration_context,
              sizeof peer->configuration_context);
    take_text(object, "schemaNamingContext", peer->schema_context, sizeof peer->schema_context);
    take_text(object, "rootDomainNamingContext", peer->root_context, sizeof peer->root_context);
    take_text(object, "dsServiceName", root->settings_dn, sizeof root->settings_dn);
    peer->highest_usn = take_number(object, "highestCommittedUSN");
    peer->functional_level = (unsigned)take_number(object, "domainControllerFunctionality");
    peer->dirsync = supports(object, LDAP_OID_DIRSYNC);
    peer->paged = supports(object, LDAP_OID_PAGED);
    peer->notification = supports(object, LDAP_OID_NOTIFICATION);
    peer->extended_dn = supports(object, LDAP_OID_EXTENDED_DN);
    int64_t time;
    if (take_time(object, "currentTime", &time))
        peer->clock_difference = time - clock_wall(clock_system());
}

static void read_settings(void *context, const struct directory_object *object)
{
    struct ldap_peer *peer = context;
    const struct directory_attribute *a = directory_object_find(object, "invocationId");
    if (a && a->value_count == 1 && a->values[0].size == sizeof peer->invocation_id)
        memcpy(peer->invocation_id, a->values[0].data, sizeof peer->invocation_id);
}

/* DC=corp,DC=example is corp.example's. */
static bool is_context_of(const char *context, const char *domain)
{
    while (*domain) {
        size_t label = strcspn(domain, ".");
        if (strncasecmp(context, "DC=", 3) != 0 || strncasecmp(context + 3, domain, label) != 0)
            return false;
        context += 3 + label;
        domain += label;
        if (*domain == '.')
            domain++;
        if (*domain && *context++ != ',')
            return false;
    }
    return *context == 0;
}

static bool identify(const struct ldap_dial_order *order, struct ldap_exchange *x,
                     struct ldap_dial_outcome *outcome)
{
    static const char *const wanted[] = {"dnsHostName",
                                         "defaultNamingContext",
                                         "configurationNamingContext",
                                         "schemaNamingContext",
                                         "dsServiceName",
                                         "rootDomainNamingContext",
                                         "highestCommittedUSN",
                                         "supportedControl",
                                         "domainControllerFunctionality",
                                         "currentTime",
                                         NULL};
    struct ldap_peer *peer = &outcome->peer;
    struct root root = {.peer = peer};
    struct ldap_query query = {
        .base = "", .scope = LDAP_BASE, .filter = "(objectClass=*)", .attributes = wanted};
    struct ldap_reply reply;
    struct ldap_answer answer;
    if (!ldap_ask(x, &query, read_root, &root, &reply, &answer, &outcome->fault))
        return false;
    if (!root.seen || !peer->default_context[0])
        return fault_say(&outcome->fault, "it is no domain controller: its root names no domain");
    if (!is_context_of(peer->default_context, order->config->domain))
        return fault_say(&outcome->fault, "it is a domain controller of %s, not of %s", peer->default_context,
                         order->config->domain);
    static const char *const invocation[] = {"invocationId", NULL};
    query = (struct ldap_query){
        .base = root.settings_dn, .scope = LDAP_BASE, .filter = "(objectClass=*)", .attributes = invocation};
    if (root.settings_dn[0] && !ldap_ask(x, &query, read_settings, peer, &reply, &answer, &outcome->fault))
        return false;
    (void)snprintf(peer->host, sizeof peer->host, "%s", order->controller.host);
    (void)snprintf(peer->account, sizeof peer->account, "%s", order->account->principal);
    outcome->stage = LDAP_DIAL_IDENTIFIED;
    return true;
}

void ldap_dial(const struct ldap_dial_order *order, struct ldap_dial_outcome *outcome)
{
    *outcome = (struct ldap_dial_outcome){.blame = LDAP_BLAME_CONTROLLER};
    char kdc[64] = "";
    bool done = false;
    if (open_stream(order, outcome, kdc, sizeof kdc)) {
        struct ldap_exchange x = {.stream = outcome->stream,
                                  .deadline = now() + order->config->bind_timeout,
                                  .cancelled = order->cancelled};
        done = secure(order, &x, outcome);
        if (done) {
            x.deadline = now() + order->config->bind_timeout;
            done = order->account->method == LDAP_BIND_SIMPLE ? bind_simple(order, &x, outcome)
                                                              : bind_kerberos(order, &x, kdc, outcome);
        }
        if (done) {
            outcome->stage = LDAP_DIAL_BOUND;
            x.deadline = now() + order->config->operation_timeout;
            done = identify(order, &x, outcome);
        }
    }
    if (!done)
        ldap_stream_destroy(&outcome->stream);
}
