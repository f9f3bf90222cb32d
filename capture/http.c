/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1 heads (RFC 9112), for what authenticates in them: NTLM, Kerberos and SPNEGO (RFC 4559, [MS-NTHT]),
 * WinRM and event forwarding ([MS-WSMV]), certificate enrolment. Bodies are stepped over.
 */
#include "capture/dissect.h"
#include "capture/gss.h"
#include "capture/protocols.h"

#include <strings.h>

#define HEAD_MAX     32768u
#define CHUNK_LINE   128u
#define SCHEMES_MAX  8
#define REQUESTS_MAX 16 /* on their way at one time; a power of two */

enum phase {
    PHASE_HEAD,
    PHASE_CHUNK,   /* a chunk's size comes next */
    PHASE_TRAILER, /* a trailer line, or the empty line that ends the body */
};

enum request_flag {
    REQUEST_HEAD = 1,    /* the response has no body, whatever it says */
    REQUEST_CONNECT = 2, /* a tunnel, when it succeeds */
    REQUEST_TLS = 4,     /* and it is for TLS */
    REQUEST_WAITS = 8,   /* an activity waits for the response */
};

struct http_state {
    uint8_t phase[2];
    uint8_t requests[REQUESTS_MAX]; /* flags, by sequence number */
    uint32_t asked;                 /* requests seen */
    uint32_t answered;              /* responses seen */
    struct gss_exchange *gss;
};

/* Views into a message's head; a run of size 0 was not there. */
struct http_head {
    bool response;
    uint32_t status;
    struct bytes method;
    struct bytes target;
    struct bytes host;
    struct bytes user_agent;
    struct bytes authorization; /* credentials, as the client sends them */
    bool proxy;                 /* they are, or the challenge is, a proxy's */
    struct bytes challenge;     /* of the server, the one with a token */
    uint32_t schemes;
    struct bytes scheme[SCHEMES_MAX];
    bool has_length;
    bool chunked;
    bool sealed;
    uint64_t length;
};

/* -- reading ---------------------------------------------------------------------------------------- */

/* The length of the literal is known to the compiler: most comparisons end there (a head is compared with ten
 * names a line). The empty literal in front lets nothing but literals compile. */
#define SAME_TEXT(run, literal)                                                                              \
    ((run).size == sizeof("" literal) - 1 &&                                                                 \
     strncasecmp((const char *)(run).data, "" literal, sizeof("" literal) - 1) == 0)
#define BEGINS_WITH(run, literal)                                                                            \
    ((run).size >= sizeof("" literal) - 1 &&                                                                 \
     strncasecmp((const char *)(run).data, "" literal, sizeof("" literal) - 1) == 0)

static struct bytes trimmed(struct bytes run)
{
    while (run.size && (*run.data == ' ' || *run.data == '\t')) {
        run.data++;
        run.size--;
    }
    while (run.size && (run.data[run.size - 1] == ' ' || run.data[run.size - 1] == '\t' ||
                        run.data[run.size - 1] == '\r'))
        run.size--;
    return run;
}

/* The next line without its end; bare LF is taken too (RFC 9112 2.2). False when there is no whole one. */
static bool next_line(struct cursor *c, struct bytes *line)
{
    const uint8_t *end = cursor_done(c) ? NULL : memchr(c->at, '\n', cursor_left(c));
    if (!end)
        return false;
    line->data = c->at;
    line->size = (size_t)(end - c->at);
    if (line->size && end[-1] == '\r')
        line->size--;
    c->at = end + 1;
    return true;
}

/* What stands before the next space; steps over both. */
static struct bytes next_word(struct bytes *line)
{
    if (line->size == 0)
        return *line;
    const uint8_t *space = memchr(line->data, ' ', line->size);
    struct bytes word = {.data = line->data, .size = space ? (size_t)(space - line->data) : line->size};
    size_t step = word.size + (space != NULL);
    line->data += step;
    line->size -= step;
    return word;
}

static bool read_number(struct bytes run, uint64_t *to)
{
    uint64_t n = 0;
    if (run.size == 0 || run.size > 18)
        return false;
    for (size_t i = 0; i < run.size; i++) {
        if (run.data[i] < '0' || run.data[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(run.data[i] - '0');
    }
    *to = n;
    return true;
}

/* method SP request-target SP HTTP-version, or HTTP-version SP status-code SP reason-phrase */
static bool read_start_line(struct bytes line, struct http_head *head)
{
    struct bytes first = next_word(&line);
    head->response = BEGINS_WITH(first, "HTTP/1.");
    if (head->response) {
        uint64_t status = 0;
        if (!read_number(next_word(&line), &status) || status < 100 || status > 999)
            return false;
        head->status = (uint32_t)status;
        return true;
    }
    head->method = first;
    head->target = next_word(&line);
    return head->method.size && head->target.size && BEGINS_WITH(line, "HTTP/1.");
}

/* Challenges of one field: scheme, then a token68 or parameters; NTLM, Negotiate and Kerberos come in fields
 * of their own (RFC 4559 4.1). */
static void read_challenge(struct http_head *head, struct bytes value, bool proxy)
{
    struct bytes rest = value;
    struct bytes scheme = next_word(&rest);
    if (scheme.size && scheme.data[scheme.size - 1] == ',')
        scheme.size--;
    if (head->schemes < SCHEMES_MAX)
        head->scheme[head->schemes++] = scheme;
    head->proxy |= proxy;
    if (trimmed(rest).size && !head->challenge.size)
        head->challenge = value;
}

/* chunked is the last of the transfer codings (RFC 9112 6.1). */
static bool ends_chunked(struct bytes codings)
{
    if (codings.size < 7)
        return false;
    struct bytes last = {.data = codings.data + codings.size - 7, .size = 7};
    return SAME_TEXT(last, "chunked");
}

static void read_field(struct http_head *head, struct bytes name, struct bytes value)
{
    if (SAME_TEXT(name, "Content-Length"))
        head->has_length = read_number(value, &head->length);
    else if (SAME_TEXT(name, "Transfer-Encoding"))
        head->chunked = ends_chunked(value);
    else if (SAME_TEXT(name, "Content-Type"))
        head->sealed = BEGINS_WITH(value, "multipart/encrypted") ||
                       BEGINS_WITH(value, "application/HTTP-SPNEGO-session-encrypted");
    else if (SAME_TEXT(name, "Host"))
        head->host = value;
    else if (SAME_TEXT(name, "User-Agent"))
        head->user_agent = value;
    else if (SAME_TEXT(name, "Authorization"))
        head->authorization = value;
    else if (SAME_TEXT(name, "Proxy-Authorization") && !head->authorization.size) {
        head->authorization = value;
        head->proxy = true;
    } else if (SAME_TEXT(name, "WWW-Authenticate"))
        read_challenge(head, value, false);
    else if (SAME_TEXT(name, "Proxy-Authenticate"))
        read_challenge(head, value, true);
}

enum head_verdict {
    HEAD_MORE,
    HEAD_OK,
    HEAD_BAD,
};

/* The head at the cursor, which then stands behind its empty line. */
static enum head_verdict read_head(struct cursor *c, struct http_head *head)
{
    struct bytes line;
    *head = (struct http_head){.response = false};
    if (!next_line(c, &line))
        return HEAD_MORE;
    if (!read_start_line(line, head))
        return HEAD_BAD;
    while (next_line(c, &line)) {
        if (line.size == 0)
            return HEAD_OK;
        const uint8_t *colon = memchr(line.data, ':', line.size);
        if (!colon)
            continue; /* a folded line (RFC 9112 5.2), or none of ours */
        size_t name = (size_t)(colon - line.data);
        read_field(head, (struct bytes){line.data, name},
                   trimmed((struct bytes){colon + 1, line.size - name - 1}));
    }
    return HEAD_MORE;
}

/* -- base64 (RFC 4648 4) ---------------------------------------------------------------------------- */

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes until the end, a byte that is no digit, or (when not negative) the byte `stop`. `to` has room for
 * three quarters of the text. */
static size_t base64_decode(struct bytes text, uint8_t *to, size_t capacity, int stop)
{
    size_t size = 0;
    uint32_t bits = 0, have = 0;
    for (size_t i = 0; i < text.size && size < capacity; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0)
            break;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        uint8_t byte = (uint8_t)(bits >> have);
        if (byte == stop)
            break;
        to[size++] = byte;
    }
    return size;
}

/* -- what the exchange says ------------------------------------------------------------------------- */

static bool is_gss_scheme(struct bytes scheme)
{
    return SAME_TEXT(scheme, "NTLM") || SAME_TEXT(scheme, "Negotiate") || SAME_TEXT(scheme, "Kerberos");
}

static void handle_token(struct dissect *d, struct http_state *state, struct bytes credentials)
{
    struct bytes scheme = next_word(&credentials);
    struct bytes text = trimmed(credentials);
    if (!text.size || !is_gss_scheme(scheme))
        return;
    if (!state->gss)
        state->gss = dissect_alloc(d, sizeof *state->gss);
    size_t capacity = text.size / 4 * 3 + 3;
    uint8_t *token = state->gss ? arena_alloc(d->scratch, capacity) : NULL;
    if (!token)
        return;
    size_t size = base64_decode(text, token, capacity, -1);
    if (size)
        gss_token(d, state->gss, cursor_of(token, size), "http", 0);
}

/* What AD serves over HTTP, by path; NULL for the rest. */
static const char *service_of(struct bytes path)
{
    static const struct {
        const char *prefix;
        const char *service;
    } services[] = {
        {"/wsman/SubscriptionManager", "wef"},
        {"/wsman/subscriptions", "wef"},
        {"/wsman", "winrm"},
        {"/certsrv", "certsrv"},
        {"/ADPolicyProvider", "cep"},
    };
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        size_t size = strlen(services[i].prefix);
        if (path.size >= size && strncasecmp((const char *)path.data, services[i].prefix, size) == 0)
            return services[i].service;
    }
    /* [MS-WSTEP]: /CANAME_CES_AUTH/service.svc */
    if (path.size && memmem(path.data, path.size, "_CES_", 5) && memmem(path.data, path.size, ".svc", 4))
        return "ces";
    return NULL;
}

/* The path of a target in origin form, or absolute form (to a proxy), without its query. */
static struct bytes path_of(struct bytes target)
{
    const uint8_t *scheme = memmem(target.data, target.size, "://", 3);
    if (scheme && target.data[0] != '/') {
        size_t skip = (size_t)(scheme - target.data) + 3;
        target.data += skip;
        target.size -= skip;
        const uint8_t *slash = target.size ? memchr(target.data, '/', target.size) : NULL;
        skip = slash ? (size_t)(slash - target.data) : target.size;
        target.data += skip;
        target.size -= skip;
    }
    const uint8_t *query = target.size ? memchr(target.data, '?', target.size) : NULL;
    if (query)
        target.size = (size_t)(query - target.data);
    return target;
}

/* RFC 7617 2: user-id ":" password; only the first is decoded. */
static void put_basic_account(struct activity_writer *w, struct bytes credentials)
{
    uint8_t account[256];
    next_word(&credentials);
    size_t size = base64_decode(trimmed(credentials), account, sizeof account, ':');
    if (size)
        activity_put_string(w, FIELD_ACCOUNT, account, size);
}

static void put_run(struct activity_writer *w, enum activity_field field, struct bytes run)
{
    if (run.size)
        activity_put_string(w, field, run.data, run.size);
}

static void put_request(struct activity_writer *w, const struct http_head *head, struct bytes path,
                        const char *service)
{
    put_run(w, FIELD_HTTP_METHOD, head->method);
    put_run(w, FIELD_HTTP_HOST, head->host);
    put_run(w, FIELD_HTTP_PATH, path);
    put_run(w, FIELD_HTTP_USER_AGENT, head->user_agent);
    if (service)
        activity_put_text(w, FIELD_HTTP_SERVICE, service);
    if (head->has_length)
        activity_put_uint(w, FIELD_HTTP_REQUEST_LENGTH, head->length);
    if (head->sealed)
        activity_put_bool(w, FIELD_SEALED, true);
    struct bytes credentials = head->authorization;
    struct bytes scheme = next_word(&credentials);
    put_run(w, FIELD_HTTP_AUTHENTICATION, scheme);
    if (scheme.size && head->proxy)
        activity_put_bool(w, FIELD_HTTP_PROXY, true);
    if (SAME_TEXT(scheme, "Basic"))
        put_basic_account(w, head->authorization);
}

/* The sequence number keeps the activities of pipelined requests apart. */
static uint64_t request_key(uint32_t sequence)
{
    return (uint64_t)sequence + 1;
}

static bool is_tls_target(struct bytes target)
{
    return target.size > 4 && memcmp(target.data + target.size - 4, ":443", 4) == 0;
}

static void handle_request(struct dissect *d, struct http_state *state, const struct http_head *head)
{
    if (state->asked - state->answered >= REQUESTS_MAX)
        state->answered = state->asked; /* the responses are not captured */
    uint8_t *flags = &state->requests[state->asked % REQUESTS_MAX];
    *flags = 0;
    if (SAME_TEXT(head->method, "HEAD"))
        *flags |= REQUEST_HEAD;
    if (SAME_TEXT(head->method, "CONNECT"))
        *flags |= is_tls_target(head->target) ? REQUEST_CONNECT | REQUEST_TLS : REQUEST_CONNECT;
    struct bytes path = path_of(head->target);
    const char *service = service_of(path);
    if (service || head->authorization.size) {
        put_request(dissect_begin(d, ACTIVITY_HTTP_REQUEST), head, path, service);
        dissect_defer(d, request_key(state->asked));
        *flags |= REQUEST_WAITS;
    }
    state->asked++;
    if (head->authorization.size)
        handle_token(d, state, head->authorization);
}

/* A refusal that carries a token goes on with the exchange; one without ends it (RFC 4559 4.1). */
static void handle_outcome(struct dissect *d, struct http_state *state, const struct http_head *head)
{
    bool refused = head->status == 401 || head->status == 407;
    if (head->challenge.size)
        handle_token(d, state, head->challenge);
    if (!state->gss)
        return;
    if (!refused)
        gss_outcome(d, state->gss, 0);
    else if (!head->challenge.size)
        gss_outcome(d, state->gss, head->status);
}

static void finish_request(struct dissect *d, uint32_t sequence, const struct http_head *head)
{
    struct activity_writer *w = dissect_resume(d, request_key(sequence));
    if (!w)
        return;
    activity_put_uint(w, FIELD_STATUS, head->status);
    if (head->has_length)
        activity_put_uint(w, FIELD_HTTP_RESPONSE_LENGTH, head->length);
    if (head->schemes && activity_list_begin(w, FIELD_HTTP_OFFERED)) {
        for (uint32_t i = 0; i < head->schemes; i++)
            activity_list_string(w, head->scheme[i].data, head->scheme[i].size);
        activity_list_end(w);
    }
    if (head->sealed)
        activity_put_bool(w, FIELD_SEALED, true);
    dissect_emit(d);
}

/* The flags of the request that the next response answers. */
static uint8_t awaited(const struct http_state *state)
{
    return state->asked != state->answered ? state->requests[state->answered % REQUESTS_MAX] : 0;
}

static void handle_response(struct dissect *d, struct http_state *state, const struct http_head *head)
{
    if (head->status == 101) {
        dissect_switch(d, PROTOCOL_NONE);
        return;
    }
    if (head->status < 200)
        return; /* 100 Continue: the response is still to come */
    uint8_t flags = awaited(state);
    if (flags & REQUEST_WAITS)
        finish_request(d, state->answered, head);
    if (state->asked != state->answered)
        state->answered++;
    handle_outcome(d, state, head);
    if (flags & REQUEST_CONNECT && head->status < 300)
        dissect_switch(d, flags & REQUEST_TLS ? PROTOCOL_TLS : PROTOCOL_NONE);
}

/* -- the stream ------------------------------------------------------------------------------------- */

/* Whether a message with this head has a body at all (RFC 9112 6.3). */
static bool has_body(const struct http_state *state, const struct http_head *head)
{
    if (!head->response)
        return true;
    uint8_t flags = awaited(state);
    if (flags & REQUEST_HEAD || (flags & REQUEST_CONNECT && head->status < 300))
        return false;
    return head->status >= 200 && head->status != 204 && head->status != 304;
}

/* Bytes of the body that follow the head; of a chunked one none: its chunks are messages of their own. */
static uint64_t body_length(const struct http_state *state, const struct http_head *head)
{
    if (!has_body(state, head) || head->chunked)
        return 0;
    if (head->has_length)
        return head->length;
    return head->response ? UINT64_MAX / 4 : 0; /* until the connection ends */
}

static struct frame head_frame(const struct http_state *state, struct bytes start)
{
    if (start.size == 0)
        return frame_more(1);
    if (start.data[0] == '\r' || start.data[0] == '\n')
        return frame_ok(1, 1); /* empty lines before a request (RFC 9112 2.2) */
    struct http_head head;
    struct cursor c = cursor_of_bytes(start);
    enum head_verdict verdict = read_head(&c, &head);
    if (verdict == HEAD_OK) {
        uint64_t size = (uint64_t)(c.at - start.data);
        return frame_ok(size + body_length(state, &head), size);
    }
    return verdict == HEAD_BAD || start.size >= HEAD_MAX ? frame_bad() : frame_search(start.size);
}

static unsigned hex_digit(uint8_t b)
{
    if (b >= '0' && b <= '9')
        return b - (unsigned)'0';
    b |= 0x20;
    return b >= 'a' && b <= 'f' ? b - (unsigned)'a' + 10 : 16;
}

/* chunk-size [;extension] CR LF, chunk-data, CR LF (RFC 9112 7.1) */
static struct frame chunk_frame(struct bytes start)
{
    uint64_t size = 0;
    size_t digits = 0;
    struct cursor c = cursor_of_bytes(start);
    struct bytes line;
    if (!next_line(&c, &line))
        return start.size < CHUNK_LINE ? frame_search(start.size) : frame_bad();
    for (; digits < line.size && digits < 12; digits++) {
        uint8_t b = line.data[digits];
        unsigned digit = hex_digit(b);
        if (digit > 15)
            break;
        size = size << 4 | digit;
    }
    if (digits == 0)
        return frame_bad();
    uint64_t head = (uint64_t)(c.at - start.data);
    return frame_ok(size ? head + size + 2 : head, head);
}

static struct frame http_frame(struct dissect *d, struct bytes start)
{
    const struct http_state *state = d->state;
    struct cursor c = cursor_of_bytes(start);
    struct bytes line;
    switch (state->phase[d->direction]) {
    case PHASE_CHUNK:
        return chunk_frame(start);
    case PHASE_TRAILER:
        if (next_line(&c, &line))
            return frame_ok((uint64_t)(c.at - start.data), (uint64_t)(c.at - start.data));
        return start.size < HEAD_MAX ? frame_search(start.size) : frame_bad();
    default:
        return head_frame(state, start);
    }
}

static void handle_head(struct dissect *d, struct http_state *state, struct cursor message)
{
    struct http_head head;
    if (*message.at == '\r' || *message.at == '\n' || read_head(&message, &head) != HEAD_OK)
        return;
    if (head.response != (d->direction == TO_CLIENT)) {
        dissect_malformed(d, PROTOCOL_HTTP);
        return;
    }
    dissect_counted(d, PROTOCOL_HTTP);
    if (head.sealed)
        dissect_sealed(d, PROTOCOL_HTTP);
    if (head.chunked && has_body(state, &head))
        state->phase[d->direction] = PHASE_CHUNK;
    if (head.response)
        handle_response(d, state, &head);
    else
        handle_request(d, state, &head);
}

static void http_message(struct dissect *d, struct cursor message)
{
    struct http_state *state = d->state;
    uint8_t *phase = &state->phase[d->direction];
    if (cursor_done(&message))
        return;
    if (*phase == PHASE_HEAD)
        handle_head(d, state, message);
    else if (*phase == PHASE_CHUNK && *message.at == '0' &&
             chunk_frame((struct bytes){message.at, cursor_left(&message)}).total == cursor_left(&message))
        *phase = PHASE_TRAILER; /* the last chunk has no data */
    else if (*phase == PHASE_TRAILER && (*message.at == '\r' || *message.at == '\n'))
        *phase = PHASE_HEAD;
}

static void http_gap(struct dissect *d)
{
    struct http_state *state = d->state;
    state->phase[d->direction] = PHASE_HEAD;
    state->answered = state->asked; /* which response answers which request is no longer known */
    if (state->gss)
        gss_outcome_unknown(d, state->gss);
}

static void http_close(struct dissect *d)
{
    struct http_state *state = d->state;
    if (state->gss)
        gss_outcome_unknown(d, state->gss);
}

static bool is_method(struct bytes word)
{
    static const char *const methods[] = {
        "GET",        "POST",     "PUT",         "HEAD",        "OPTIONS",      "CONNECT",  "DELETE",
        "PATCH",      "PROPFIND", "PROPPATCH",   "MKCOL",       "COPY",         "MOVE",     "LOCK",
        "UNLOCK",     "SEARCH",   "TRACE",       "SUBSCRIBE",   "BITS_POST",    "CCM_POST", "POLL",
        "BPROPPATCH", "REPORT",   "RPC_CONNECT", "RPC_IN_DATA", "RPC_OUT_DATA",
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (word.size == strlen(methods[i]) && memcmp(word.data, methods[i], word.size) == 0)
            return true;
    return false;
}

#define METHOD_MAX 12 /* RPC_OUT_DATA */

/* A request begins with a method, a space and its target; a response with the version. */
static enum detection http_detect(struct bytes start, enum transport transport, enum direction direction,
                                  bool on_port)
{
    (void)on_port;
    if (transport != TRANSPORT_TCP)
        return DETECT_NO;
    if (direction == TO_CLIENT) {
        size_t size = start.size < 7 ? start.size : 7;
        if (size && memcmp(start.data, "HTTP/1.", size) != 0)
            return DETECT_NO;
        return size < 7 ? DETECT_MORE : DETECT_YES;
    }
    if (start.size && (start.data[0] < 'A' || start.data[0] > 'Z'))
        return DETECT_NO;
    struct bytes rest = {.data = start.data,
                         .size = start.size < METHOD_MAX + 1 ? start.size : METHOD_MAX + 1};
    struct bytes word = next_word(&rest);
    if (word.size == start.size && word.size <= METHOD_MAX)
        return DETECT_MORE;
    return is_method(word) ? DETECT_YES : DETECT_NO;
}

const struct protocol protocol_http = {
    .id = PROTOCOL_HTTP,
    .name = "http",
    .tcp_ports = {80, 5985, 8080, 3128, 47001, 8530, 8000},
    .detect = http_detect,
    .state_size = sizeof(struct http_state),
    .frame = http_frame,
    .message = http_message,
    .gap = http_gap,
    .close = http_close,
};
