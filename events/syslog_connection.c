/* SPDX-License-Identifier: Apache-2.0 */
#include "events/syslog_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BYTES_MAX   (SYSLOG_MESSAGE_MAX + SYSLOG_COUNT_MAX)
#define BYTES_FIRST 4096u
#define READS_MAX   16u /* in one turn: others wait */

static bool begin_tls(struct syslog_connection *self, gnutls_certificate_credentials_t credentials, bool ask)
{
    if (gnutls_init(&self->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
        gnutls_set_default_priority_append(self->session, "-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL, 0) <
            0 ||
        gnutls_credentials_set(self->session, GNUTLS_CRD_CERTIFICATE, credentials) < 0)
        return false;
    if (ask) {
        gnutls_certificate_server_set_request(self->session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(self->session, NULL, 0);
    }
    gnutls_transport_set_int(self->session, self->descriptor);
    gnutls_handshake_set_timeout(self->session, 0); /* the listener's idle limit counts */
    return true;
}

struct syslog_connection *syslog_connection_new(int descriptor, const struct ip_address *from, int64_t now,
                                                gnutls_certificate_credentials_t credentials, bool ask)
{
    struct syslog_connection *self = calloc(1, sizeof(*self));
    if (!self) {
        close(descriptor);
        return NULL;
    }
    self->descriptor = descriptor;
    self->from = *from;
    self->heard = now;
    self->shaken = !credentials;
    if (credentials && !begin_tls(self, credentials, ask))
        syslog_connection_destroy(&self);
    return self;
}

void syslog_connection_destroy(struct syslog_connection **connection)
{
    struct syslog_connection *self = *connection;
    if (self->session) {
        if (self->shaken)
            gnutls_bye(self->session, GNUTLS_SHUT_WR);
        gnutls_deinit(self->session);
    }
    close(self->descriptor);
    free(self->bytes);
    free(self);
    *connection = NULL;
}

/* --- reading --- */

static bool make_room(struct syslog_connection *self)
{
    if (self->size < self->capacity)
        return true;
    size_t capacity = self->capacity ? 4 * self->capacity : BYTES_FIRST;
    capacity = capacity < BYTES_MAX ? capacity : BYTES_MAX;
    uint8_t *bytes = realloc(self->bytes, capacity);
    if (!bytes)
        return false;
    self->bytes = bytes;
    self->capacity = capacity;
    return true;
}

/* How many bytes came: 0 for now none. `*outcome` when there will be no more. */
static size_t receive(struct syslog_connection *self, enum syslog_outcome *outcome)
{
    void *to = self->bytes + self->size;
    size_t room = self->capacity - self->size;
    ssize_t n;
    if (self->session) {
        do
            n = gnutls_record_recv(self->session, to, room);
        while (n == GNUTLS_E_INTERRUPTED);
        if (n < 0 && n != GNUTLS_E_AGAIN)
            *outcome = n == GNUTLS_E_PREMATURE_TERMINATION || gnutls_error_is_fatal((int)n) ? SYSLOG_BROKEN
                                                                                            : SYSLOG_GOES_ON;
    } else {
        n = recv(self->descriptor, to, room, 0);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            *outcome = SYSLOG_BROKEN;
    }
    if (n == 0)
        *outcome = SYSLOG_ENDED;
    return n > 0 ? (size_t)n : 0;
}

/* --- messages --- */

static void take_messages(struct syslog_connection *self, bool idle, syslog_message message, void *context)
{
    size_t done = 0, used = 0;
    struct bytes one;
    for (;;) {
        struct bytes rest = {self->bytes + done, self->size - done};
        enum syslog_frame frame = self->size > done
                                      ? syslog_stream_next(&self->stream, rest, idle, &one, &used)
                                      : SYSLOG_FRAME_MORE;
        if (frame == SYSLOG_FRAME_MORE)
            break;
        if (frame == SYSLOG_FRAME_WHOLE)
            message(context, &self->from, one);
        done += used;
    }
    if (done > 0) {
        memmove(self->bytes, self->bytes + done, self->size - done);
        self->size -= done;
    }
    /* A connection that is silent keeps no room. */
    if (self->size == 0 && idle) {
        free(self->bytes);
        self->bytes = NULL;
        self->capacity = 0;
    }
}

void syslog_connection_flush(struct syslog_connection *self, syslog_message message, void *context)
{
    if (self->bytes)
        take_messages(self, true, message, context);
}

bool syslog_connection_waits(const struct syslog_connection *self)
{
    return self->size > 0;
}

bool syslog_connection_writes(const struct syslog_connection *self)
{
    return !self->shaken && gnutls_record_get_direction(self->session);
}

static enum syslog_outcome shake(struct syslog_connection *self)
{
    int rc = gnutls_handshake(self->session);
    self->shaken = rc == 0;
    return rc < 0 && gnutls_error_is_fatal(rc) ? SYSLOG_UNSHAKEN : SYSLOG_GOES_ON;
}

enum syslog_outcome syslog_connection_turn(struct syslog_connection *self, int64_t now,
                                           syslog_message message, void *context)
{
    enum syslog_outcome outcome = SYSLOG_GOES_ON;
    if (!self->shaken) {
        outcome = shake(self);
        if (!self->shaken || outcome != SYSLOG_GOES_ON)
            return outcome;
    }
    for (unsigned i = 0; i < READS_MAX || (self->session && gnutls_record_check_pending(self->session));
         i++) {
        if (!make_room(self))
            return SYSLOG_BROKEN;
        size_t n = receive(self, &outcome);
        if (n == 0)
            break;
        self->size += n;
        self->heard = now;
        take_messages(self, false, message, context);
    }
    if (outcome != SYSLOG_GOES_ON)
        syslog_connection_flush(self, message, context);
    if (outcome == SYSLOG_ENDED && self->size > 0)
        outcome = SYSLOG_BROKEN;
    return outcome;
}
