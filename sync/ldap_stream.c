/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_stream.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (64u * 1024u)
/* A sealed token: its length has three octets' worth (RFC 4752 section 3.1). */
#define TOKEN_MAX 0xffffffu
/* A buffer that one large message made is given back when it is empty. */
#define KEEP_MAX (4u * READ_SIZE)

/* Bytes that came and are not taken yet: [start, end). */
struct buffer {
    uint8_t *data;
    size_t capacity, start, end;
};

struct ldap_stream {
    int descriptor;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    gss_ctx_id_t context;
    uint32_t peer_max;   /* plain bytes in one token */
    struct buffer wire;  /* as read (after TLS) */
    struct buffer plain; /* unsealed; only with a context */
    struct buffer output;
    bool tls_wants_write;
    size_t tls_repeat; /* bytes of a TLS record that must be offered again as they were */
};

/* --- buffers --- */

static size_t waiting(const struct buffer *b)
{
    return b->end - b->start;
}

static void wipe(struct buffer *b)
{
    if (b->data)
        explicit_bzero(b->data, b->capacity);
    free(b->data);
    *b = (struct buffer){0};
}

/* Room for `more` bytes at the end. */
static bool reserve(struct buffer *b, size_t more)
{
    if (b->start == b->end) {
        b->start = b->end = 0;
        if (b->capacity > KEEP_MAX && more <= KEEP_MAX)
            wipe(b);
    }
    if (b->capacity - b->end >= more)
        return true;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, waiting(b));
        b->end -= b->start;
        b->start = 0;
    }
    if (b->capacity - b->end >= more)
        return true;
    size_t capacity = b->capacity ? 2 * b->capacity : READ_SIZE;
    while (capacity - b->end < more)
        capacity *= 2;
    uint8_t *data = malloc(capacity);
    if (!data)
        return false;
    if (b->end)
        memcpy(data, b->data, b->end);
    if (b->data)
        explicit_bzero(b->data, b->capacity); /* a bind's password may stand there */
    free(b->data);
    b->data = data;
    b->capacity = capacity;
    return true;
}

static bool append(struct buffer *b, const void *bytes, size_t size)
{
    if (size == 0)
        return true;
    if (!reserve(b, size))
        return false;
    memcpy(b->data + b->end, bytes, size);
    b->end += size;
    return true;
}

static struct bytes contents(const struct buffer *b)
{
    return (struct bytes){b->data ? b->data + b->start : NULL, waiting(b)};
}

/* --- life --- */

struct ldap_stream *ldap_stream_new(int descriptor)
{
    struct ldap_stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        close(descriptor);
        return NULL;
    }
    stream->descriptor = descriptor;
    return stream;
}

void ldap_stream_destroy(struct ldap_stream **stream_p)
{
    struct ldap_stream *stream = *stream_p;
    if (!stream)
        return;
    *stream_p = NULL;
    OM_uint32 minor;
    if (stream->context)
        (void)gss_delete_sec_context(&minor, &stream->context, GSS_C_NO_BUFFER);
    if (stream->session)
        gnutls_deinit(stream->session);
    if (stream->credentials)
        gnutls_certificate_free_credentials(stream->credentials);
    close(stream->descriptor);
    wipe(&stream->wire);
    wipe(&stream->plain);
    wipe(&stream->output);
    free(stream);
}

void ldap_stream_use_tls(struct ldap_stream *stream, gnutls_session_t session,
                         gnutls_certificate_credentials_t credentials)
{
    stream->session = session;
    stream->credentials = credentials;
}

void ldap_stream_seal(struct ldap_stream *stream, gss_ctx_id_t context, uint32_t peer_max)
{
    stream->context = context;
    stream->peer_max = peer_max;
}

int ldap_stream_descriptor(const struct ldap_stream *stream)
{
    return stream->descriptor;
}

gnutls_session_t ldap_stream_session(const struct ldap_stream *stream)
{
    return stream->session;
}

/* --- reading --- */

static ssize_t read_some(struct ldap_stream *stream, uint8_t *to, size_t size, struct fault *fault)
{
    ssize_t got =
        stream->session ? gnutls_record_recv(stream->session, to, size) : read(stream->descriptor, to, size);
    if (got > 0)
        return got;
    if (got == 0) {
        fault_say(fault, "the directory closed the connection");
        return -1;
    }
    if (stream->session) {
        if (!gnutls_error_is_fatal((int)got))
            return 0;
        if (got == GNUTLS_E_PULL_ERROR)
            fault_say(fault, "the connection broke: %s", strerror(errno));
        else if (got == GNUTLS_E_PREMATURE_TERMINATION)
            fault_say(fault, "the directory closed the connection without ending TLS");
        else
            fault_say(fault, "TLS: %s", gnutls_strerror((int)got));
        return -1;
    }
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    fault_say(fault, "the connection broke: %s", strerror(errno));
    return -1;
}

static bool unseal_token(struct ldap_stream *stream, struct bytes token, struct fault *fault)
{
    gss_buffer_desc in = {.value = (void *)(uintptr_t)token.data, .length = token.size};
    gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, ignored;
    int sealed = 0;
    OM_uint32 major = gss_unwrap(&minor, stream->context, &in, &out, &sealed, NULL);
    if (GSS_ERROR(major) || !sealed) {
        (void)gss_release_buffer(&ignored, &out);
        return fault_say(fault, "the directory's answer is not sealed as it must be: forged or damaged");
    }
    bool kept = append(&stream->plain, out.value, out.length);
    (void)gss_release_buffer(&ignored, &out);
    return kept || fault_say(fault, "no memory for the directory's answer");
}

/* Whole tokens of what was read become plain bytes. */
static bool unseal(struct ldap_stream *stream, struct fault *fault)
{
    for (;;) {
        struct cursor c = cursor_of_bytes(contents(&stream->wire));
        uint32_t size = cursor_be32(&c);
        if (c.failed)
            return true;
        if (size == 0 || size > TOKEN_MAX)
            return fault_say(fault, "the directory's answer is not sealed: a token of %u bytes", size);
        struct bytes token = cursor_take(&c, size);
        if (c.failed)
            return true;
        if (waiting(&stream->plain) + size > LDAP_MESSAGE_MAX + TOKEN_MAX)
            return fault_say(fault, "the directory's answer has no end");
        if (!unseal_token(stream, token, fault))
            return false;
        stream->wire.start += 4 + size;
    }
}

int ldap_stream_read(struct ldap_stream *stream, struct fault *fault)
{
    if (!reserve(&stream->wire, READ_SIZE)) {
        fault_say(fault, "no memory for the directory's answer");
        return -1;
    }
    ssize_t got = read_some(stream, stream->wire.data + stream->wire.end,
                            stream->wire.capacity - stream->wire.end, fault);
    if (got <= 0)
        return (int)got;
    stream->wire.end += (size_t)got;
    if (stream->context && !unseal(stream, fault))
        return -1;
    return 1;
}

int ldap_stream_message(struct ldap_stream *stream, struct bytes *whole, struct fault *fault)
{
    struct buffer *from = stream->context ? &stream->plain : &stream->wire;
    struct bytes have = contents(from);
    size_t size = ldap_reply_size(have, LDAP_MESSAGE_MAX);
    if (size == SIZE_MAX) {
        fault_say(fault, "the directory sent what is no LDAP message, or one of more than %u MiB",
                  LDAP_MESSAGE_MAX >> 20);
        return -1;
    }
    if (size == 0 || size > have.size)
        return 0;
    *whole = (struct bytes){have.data, size};
    from->start += size;
    return 1;
}

bool ldap_stream_ready(const struct ldap_stream *stream)
{
    return stream->session && gnutls_record_check_pending(stream->session) > 0;
}

/* --- writing --- */

static bool seal_part(struct ldap_stream *stream, struct bytes part)
{
    gss_buffer_desc in = {.value = (void *)(uintptr_t)part.data, .length = part.size};
    gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, ignored;
    int sealed = 0;
    OM_uint32 major = gss_wrap(&minor, stream->context, 1, GSS_C_QOP_DEFAULT, &in, &sealed, &out);
    bool kept = !GSS_ERROR(major) && sealed && out.length <= TOKEN_MAX;
    if (kept) {
        uint8_t head[4] = {0, (uint8_t)(out.length >> 16), (uint8_t)(out.length >> 8), (uint8_t)out.length};
        kept = append(&stream->output, head, sizeof head) && append(&stream->output, out.value, out.length);
    }
    (void)gss_release_buffer(&ignored, &out);
    return kept;
}

bool ldap_stream_send(struct ldap_stream *stream, struct bytes whole)
{
    if (waiting(&stream->output) + whole.size > LDAP_OUTPUT_MAX)
        return false;
    if (!stream->context)
        return append(&stream->output, whole.data, whole.size);
    while (whole.size > 0) {
        size_t size = whole.size < stream->peer_max ? whole.size : stream->peer_max;
        if (!seal_part(stream, (struct bytes){whole.data, size}))
            return false;
        whole = (struct bytes){whole.data + size, whole.size - size};
    }
    return true;
}

bool ldap_stream_flush(struct ldap_stream *stream, struct fault *fault)
{
    struct buffer *out = &stream->output;
    stream->tls_wants_write = false;
    while (waiting(out) > 0) {
        /* After GNUTLS_E_AGAIN the same bytes are to be offered again, not more. */
        size_t size = stream->tls_repeat ? stream->tls_repeat : waiting(out);
        ssize_t sent = stream->session ? gnutls_record_send(stream->session, out->data + out->start, size)
                                       : send(stream->descriptor, out->data + out->start, size, MSG_NOSIGNAL);
        if (stream->session && sent < 0) {
            if (sent == GNUTLS_E_PUSH_ERROR)
                return fault_say(fault, "the connection broke: %s", strerror(errno));
            if (gnutls_error_is_fatal((int)sent))
                return fault_say(fault, "TLS: %s", gnutls_strerror((int)sent));
            stream->tls_repeat = size;
            stream->tls_wants_write = gnutls_record_get_direction(stream->session) == 1;
            return true;
        }
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ||
                   fault_say(fault, "the connection broke: %s", strerror(errno));
        stream->tls_repeat = 0;
        explicit_bzero(out->data + out->start, (size_t)sent); /* a bind's password may have stood there */
        out->start += (size_t)sent;
    }
    return true;
}

short ldap_stream_events(const struct ldap_stream *stream)
{
    bool write = stream->session ? stream->tls_wants_write : waiting(&stream->output) > 0;
    return (short)(POLLIN | (write ? POLLOUT : 0));
}

bool ldap_stream_wait(const struct ldap_stream *stream, short events, int64_t deadline,
                      const atomic_bool *cancelled)
{
    for (;;) {
        int64_t left = deadline - clock_monotonic(clock_system());
        if (left <= 0 || atomic_load(cancelled))
            return false;
        int64_t slice = left < 100 * CLOCK_MILLISECOND ? left : 100 * CLOCK_MILLISECOND;
        struct pollfd poll_for = {.fd = stream->descriptor, .events = events};
        int n = poll(&poll_for, 1, (int)(slice / CLOCK_MILLISECOND) + 1);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}
