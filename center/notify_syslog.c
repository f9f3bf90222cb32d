/* SPDX-License-Identifier: Apache-2.0
 *
 * CEF by syslog.
 */
#include "center/cef.h"
#include "center/notify_frame.h"
#include "center/notify_link.h"
#include "center/notify_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TIMEOUT (10 * CLOCK_SECOND)

struct notify_syslog {
    const struct notify_common *common;
    struct notify_link_config to;
    struct notify_link *link;
    enum syslog_form form;
    enum syslog_framing framing;
    char host[256], port[8];
};

/* --- the endpoint's URL --- */

static bool take_option(struct notify_syslog *self, const char *option, size_t size)
{
    static const struct {
        const char *text;
        int form, framing; /* -1: as it is */
    } options[] = {{"format=rfc5424", SYSLOG_RFC5424, -1},
                   {"format=rfc3164", SYSLOG_RFC3164, -1},
                   {"framing=octets", -1, SYSLOG_COUNTED},
                   {"framing=lines", -1, SYSLOG_LINES}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strlen(options[i].text) != size || memcmp(options[i].text, option, size) != 0)
            continue;
        if (options[i].form >= 0)
            self->form = (enum syslog_form)options[i].form;
        if (options[i].framing >= 0 && self->to.kind != LINK_TCP)
            return false;
        if (options[i].framing >= 0)
            self->framing = (enum syslog_framing)options[i].framing;
        return true;
    }
    return false;
}

static bool take_options(struct notify_syslog *self, const char *at)
{
    while (*at) {
        size_t size = strcspn(at, "&");
        if (!take_option(self, at, size))
            return false;
        at += size + (at[size] == '&');
    }
    return true;
}

static bool take_host(struct notify_syslog *self, const char *at, size_t size)
{
    const char *host = at, *colon = NULL;
    size_t host_size = size;
    if (size > 2 && at[0] == '[') {
        const char *end = memchr(at, ']', size);
        if (!end)
            return false;
        host = at + 1;
        host_size = (size_t)(end - host);
        colon = end + 1 < at + size ? end + 1 : NULL;
        if (colon && *colon != ':')
            return false;
    } else if ((colon = memchr(at, ':', size))) {
        host_size = (size_t)(colon - at);
    }
    if (host_size == 0 || host_size >= sizeof(self->host))
        return false;
    memcpy(self->host, host, host_size);
    if (!colon)
        return true;
    size_t digits = (size_t)(at + size - colon) - 1;
    if (digits == 0 || digits > 5 || strspn(colon + 1, "0123456789") < digits)
        return false;
    memcpy(self->port, colon + 1, digits);
    self->port[digits] = '\0';
    return true;
}

static bool take_url(struct notify_syslog *self, const char *url)
{
    static const struct {
        const char *scheme;
        enum link_kind kind;
        const char *port;
        enum syslog_framing framing;
    } schemes[] = {{"udp://", LINK_UDP, "514", SYSLOG_DATAGRAM},
                   {"tcp://", LINK_TCP, "601", SYSLOG_COUNTED},
                   {"tls://", LINK_TLS, "6514", SYSLOG_COUNTED}};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t n = strlen(schemes[i].scheme);
        if (strncmp(url, schemes[i].scheme, n) != 0)
            continue;
        self->to.kind = schemes[i].kind;
        self->framing = schemes[i].framing;
        snprintf(self->port, sizeof(self->port), "%s", schemes[i].port);
        size_t size = strcspn(url + n, "?/");
        const char *rest = url + n + size;
        rest += *rest == '/';
        return take_host(self, url + n, size) && (*rest == '\0' || *rest == '?') &&
               take_options(self, rest + (*rest == '?'));
    }
    return false;
}

/* --- sending --- */

static unsigned syslog_severity(enum severity severity)
{
    static const unsigned numbers[SEVERITIES] = {6, 5, 4, 3};
    return numbers[severity];
}

static bool put(struct notify_syslog *self, const void *data, size_t size, struct fault *fault)
{
    int64_t timeout = self->common->timeout ? self->common->timeout : TIMEOUT;
    int64_t deadline = clock_monotonic(clock_system()) + timeout;
    if (self->link && !notify_link_alive(self->link))
        notify_link_close(&self->link);
    if (!self->link)
        self->link = notify_link_open(&self->to, deadline, fault);
    if (!self->link)
        return false;
    if (!notify_link_send(self->link, data, size, deadline, fault)) {
        notify_link_close(&self->link);
        return false;
    }
    return true;
}

static enum notify_result send_notice(void *context, const struct notice *notice, struct fault *fault)
{
    struct notify_syslog *self = context;
    char cef[CEF_MAX], frame[CEF_MAX + SYSLOG_HEADER_MAX + 32];
    size_t size = notice_cef(notice, self->common->portal, cef);
    struct syslog_message message = {
        .severity = syslog_severity(notice->severity),
        .time = notice->at,
        .host = self->common->host,
        .app = "picket-center",
        .process = (unsigned)getpid(),
        .type = notice_type(notice),
        .content = {(const uint8_t *)cef, size},
    };
    size = syslog_frame_put(&message, self->form, self->framing, frame, sizeof(frame));
    return put(self, frame, size, fault) ? NOTIFY_SENT : NOTIFY_FAILED;
}

static void destroy(void *context)
{
    struct notify_syslog *self = context;
    notify_link_close(&self->link);
    free(self);
}

bool notify_syslog_new(const struct notify_common *common, const struct notify_syslog_config *config,
                       struct notify_output *to, struct fault *fault)
{
    struct notify_syslog *self = calloc(1, sizeof(*self));
    if (!self)
        return fault_say(fault, "no memory for a syslog endpoint");
    self->common = common;
    if (!take_url(self, config->url)) {
        free(self);
        return fault_say(fault,
                         "%s: udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT is wanted, behind a ? "
                         "format=rfc5424|rfc3164 and with tcp framing=octets|lines",
                         config->url);
    }
    self->to.host = self->host;
    self->to.port = self->port;
    self->to.ca = config->ca;
    self->to.certificate = config->certificate;
    self->to.key = config->key;
    self->to.ending = common->ending;
    *to = (struct notify_output){.issue = 1015, .send = send_notice, .destroy = destroy, .self = self};
    return true;
}
