/* SPDX-License-Identifier: Apache-2.0
 *
 * RPC calls: requests joined with their responses, and the activities that come of them. The first calls of
 * an operation are activities by themselves; when a client goes on calling it (a thousand look-ups), the
 * others of the association are told of together, so that a sensor's output does not grow with chatter.
 */
#include "capture/dcerpc_association.h"

#include <strings.h>

enum {
    EACH_PLAIN = 1,  /* rpc_call: later ones differ in nothing that could be read */
    EACH_SEALED = 4, /* likewise */
    EACH_DECODED = 32,
    FAULT_ACCESS_DENIED = 5,
    FAULT_SECURITY_PACKAGE = 0x721, /* RPC_S_SEC_PKG_ERROR */
    FAULT_PROTOCOL = 0x1c01000b,    /* nca_proto_error: what Samba answers whom it did not let in */
};

#define JOIN_FOR (60 * INT64_C(1000000000)) /* ns that a joint activity waits for more */

static uint64_t call_key(const struct dcerpc_association *a, uint32_t call_id)
{
    return (a->id * 0x9e3779b97f4a7c15u ^ (uint64_t)call_id * 0xc2b2ae3d27d4eb4fu) >> 1 << 1 | 1ull << 63;
}

/* -- whose call ----------------------------------------------------------------------------------------- */

/* Pipes that serve one interface only: what is called there when the bind was not captured. */
static enum rpc_interface interface_by_pipe(const char *pipe)
{
    static const struct {
        const char *pipe;
        enum rpc_interface interface;
    } pipes[] = {
        {"samr", RPC_SAMR},         {"netlogon", RPC_NETLOGON}, {"svcctl", RPC_SVCCTL},
        {"srvsvc", RPC_SRVSVC},     {"wkssvc", RPC_WKSSVC},     {"winreg", RPC_WINREG},
        {"spoolss", RPC_SPOOLSS},   {"netdfs", RPC_NETDFS},     {"efsrpc", RPC_EFSRPC},
        {"eventlog", RPC_EVENTLOG}, {"epmapper", RPC_EPMAPPER},
    };
    if (!pipe)
        return RPC_UNKNOWN;
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++)
        if (strcasecmp(pipe, pipes[i].pipe) == 0)
            return pipes[i].interface;
    return RPC_UNKNOWN;
}

static struct dcerpc_calls *calls_of(struct dissect *d, struct dcerpc_association *a)
{
    if (!a->calls)
        a->calls = dissect_alloc(d, sizeof *a->calls);
    return a->calls;
}

static struct pending_call *find_pending(struct dcerpc_association *a, uint32_t call_id)
{
    if (!a->calls)
        return NULL;
    for (int i = 0; i < PENDING_CALLS; i++)
        if (a->calls->pending[i].used && a->calls->pending[i].call_id == call_id)
            return &a->calls->pending[i];
    return NULL;
}

/* A place for a new call; the oldest gives way when all are taken. */
static struct pending_call *new_pending(struct dissect *d, struct dcerpc_association *a, uint32_t call_id)
{
    struct dcerpc_calls *calls = calls_of(d, a);
    if (!calls)
        return NULL;
    struct pending_call *p = find_pending(a, call_id);
    for (int i = 0; !p && i < PENDING_CALLS; i++)
        if (!calls->pending[i].used)
            p = &calls->pending[i];
    if (!p)
        p = &calls->pending[calls->pending_next++ % PENDING_CALLS];
    *p = (struct pending_call){.call_id = call_id, .used = true};
    return p;
}

/* -- joint activities ----------------------------------------------------------------------------------- */

static void put_operation(struct activity_writer *w, const uint8_t *uuid, enum rpc_interface interface,
                          uint16_t opnum)
{
    char text[RPC_UUID_TEXT_MAX];
    if (!uuid && interface != RPC_UNKNOWN)
        uuid = rpc_interface_uuid(interface);
    if (uuid) {
        const char *name = rpc_interface_name(uuid);
        activity_put_text(w, FIELD_RPC_INTERFACE, name ? name : rpc_uuid_text(uuid, text));
        activity_put_uuid(w, FIELD_RPC_UUID, uuid);
    }
    activity_put_uint(w, FIELD_RPC_OPNUM, opnum);
    const struct rpc_operation *operation = rpc_operation_get(interface, opnum);
    if (operation)
        activity_put_text(w, FIELD_RPC_OPERATION, operation->name);
}

static enum activity_kind kind_of(const struct rpc_operation *operation)
{
    return operation && operation->kind != ACTIVITY_NONE ? operation->kind : ACTIVITY_RPC_CALL;
}

/* One activity for the calls that were joined since the last; its time is that of the first of them. */
static void emit_joined(struct dissect *d, struct dcerpc_association *a, struct call_tally *t)
{
    if (!t->joined)
        return;
    int64_t now = d->time;
    d->time = t->first;
    struct activity_writer *w = dissect_begin(d, kind_of(rpc_operation_get(t->interface, t->opnum)));
    d->time = now;
    put_operation(w, t->known ? t->uuid : NULL, t->interface, t->opnum);
    dcerpc_put_common(d, a, w);
    activity_put_duration(w, FIELD_DURATION, t->last - t->first);
    if (t->joined > 1)
        activity_put_uint(w, FIELD_RPC_CALLS, t->joined);
    activity_put_uint(w, FIELD_RPC_REQUEST_BYTES, t->request_bytes);
    activity_put_uint(w, FIELD_RPC_REPLY_BYTES, t->reply_bytes);
    if (t->sealed)
        activity_put_bool(w, FIELD_SEALED, true);
    if (t->unsealed)
        activity_put_bool(w, FIELD_UNSEALED, true);
    if (t->answered && !t->sealed)
        activity_put_uint(w, FIELD_STATUS, t->status);
    dissect_emit(d);
    t->joined = t->request_bytes = t->reply_bytes = t->status = 0;
    t->answered = t->unsealed = false;
}

static struct call_tally *tally_of(struct dissect *d, struct dcerpc_association *a, const uint8_t *uuid,
                                   enum rpc_interface interface, uint16_t opnum)
{
    struct dcerpc_calls *calls = calls_of(d, a);
    if (!calls)
        return NULL;
    struct call_tally *place = NULL;
    for (int i = 0; i < TALLIES; i++) {
        struct call_tally *t = &calls->tallies[i];
        if (!t->used) {
            place = t;
            break;
        }
        if (t->opnum == opnum && t->known == (uuid != NULL) && t->interface == interface &&
            (!uuid || memcmp(t->uuid, uuid, 16) == 0))
            return t;
    }
    if (!place) {
        uint32_t index = calls->tally_next++ % TALLIES;
        place = &calls->tallies[index];
        emit_joined(d, a, place);
        for (int i = 0; i < PENDING_CALLS; i++)
            if (calls->pending[i].tally == index + 1)
                calls->pending[i].tally = 0;
    }
    *place = (struct call_tally){
        .used = true, .known = uuid != NULL, .interface = (uint8_t)interface, .opnum = opnum};
    if (uuid)
        memcpy(place->uuid, uuid, 16);
    return place;
}

/* Whether this call is told of by itself. */
static bool stands_alone(const struct call_tally *t, const struct rpc_operation *operation, bool sealed)
{
    if (!t)
        return true;
    if (!operation || operation->kind == ACTIVITY_NONE)
        return t->emitted < EACH_PLAIN;
    if (sealed)
        return t->emitted < EACH_SEALED;
    return (operation->flags & RPC_EACH) || t->emitted < EACH_DECODED;
}

static void join(struct dissect *d, struct dcerpc_association *a, struct call_tally *t, size_t bytes,
                 bool sealed)
{
    if (t->joined && d->time - t->first > JOIN_FOR)
        emit_joined(d, a, t);
    if (!t->joined)
        t->first = d->time;
    t->joined++;
    t->last = d->time;
    t->request_bytes += (uint32_t)bytes;
    t->sealed = sealed;
    t->unsealed |= d->unsealed;
}

void dcerpc_calls_end(struct dissect *d, struct dcerpc_association *a)
{
    if (a->calls) {
        for (int i = 0; i < TALLIES; i++)
            if (a->calls->tallies[i].used)
                emit_joined(d, a, &a->calls->tallies[i]);
        dissect_free(d, a->calls, sizeof *a->calls);
        a->calls = NULL;
    }
    for (int i = 0; i < 2; i++)
        if (a->stubs[i].bytes)
            dissect_free(d, a->stubs[i].bytes, a->stubs[i].capacity);
    if (a->handles)
        dissect_free(d, a->handles, HANDLES * sizeof *a->handles);
}

/* -- stubs ---------------------------------------------------------------------------------------------- */

static bool is_sealed(const struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    if (pdu->unsealed)
        return false;
    return pdu->has_auth ? pdu->auth_level == AUTH_LEVEL_PRIVACY
                         : pdu->cut && a->auth_level == AUTH_LEVEL_PRIVACY;
}

/* What is left of the body, without the padding in front of the authentication trailer. */
static struct bytes stub_of(const struct dcerpc_pdu *pdu, struct cursor *c)
{
    struct bytes stub = cursor_take(c, cursor_left(c));
    if (pdu->has_auth)
        stub.size -= pdu->auth_padding < stub.size ? pdu->auth_padding : stub.size;
    return stub;
}

/* Begins to collect a fragmented stub. */
static void collect_begin(struct dissect *d, struct stub_buffer *s, uint32_t call_id, uint32_t hint,
                          struct bytes part)
{
    uint32_t capacity = hint < 4096 ? 4096 : hint > STUB_MAX ? STUB_MAX : hint;
    if (s->bytes && s->capacity < capacity) {
        dissect_free(d, s->bytes, s->capacity);
        s->bytes = NULL;
    }
    if (!s->bytes) {
        s->bytes = dissect_alloc(d, capacity);
        s->capacity = s->bytes ? capacity : 0;
    }
    s->call_id = call_id;
    s->size = 0;
    if (!s->bytes)
        return;
    s->size = (uint32_t)(part.size < s->capacity ? part.size : s->capacity);
    memcpy(s->bytes, part.data, s->size);
}

static void collect_more(struct stub_buffer *s, struct bytes part)
{
    uint32_t room = s->capacity - s->size;
    uint32_t size = (uint32_t)(part.size < room ? part.size : room);
    if (size)
        memcpy(s->bytes + s->size, part.data, size);
    s->size += size;
}

static void collect_end(struct dissect *d, struct stub_buffer *s)
{
    if (s->bytes)
        dissect_free(d, s->bytes, s->capacity);
    *s = (struct stub_buffer){0};
}

static struct rpc_call call_of(struct dissect *d, struct dcerpc_association *a, const struct pending_call *p,
                               struct activity_writer *w, struct bytes stub, bool big_endian)
{
    return (struct rpc_call){
        .d = d,
        .association = a,
        .activity = w,
        .interface = p->interface,
        .opnum = p->opnum,
        .call_id = p->call_id,
        .stub = ndr_of(stub, big_endian, p->ndr64),
    };
}

static void read_request(struct dissect *d, struct dcerpc_association *a, const struct pending_call *p,
                         struct activity_writer *w, struct bytes stub, bool big_endian)
{
    const struct rpc_operation *operation = rpc_operation_get(p->interface, p->opnum);
    if (!operation || !operation->request)
        return;
    struct rpc_call call = call_of(d, a, p, w, stub, big_endian);
    operation->request(&call);
}

/* -- requests ------------------------------------------------------------------------------------------- */

static void later_request_fragment(struct dissect *d, struct dcerpc_association *a,
                                   const struct dcerpc_pdu *pdu, struct bytes part)
{
    struct stub_buffer *s = &a->stubs[TO_SERVER];
    struct pending_call *p = find_pending(a, pdu->call_id);
    if (!p || !s->bytes || s->call_id != pdu->call_id)
        return;
    collect_more(s, part);
    if (!(pdu->flags & PFC_LAST_FRAG))
        return;
    struct activity_writer *w = p->deferred ? dissect_revisit(d, call_key(a, pdu->call_id)) : NULL;
    if (w) {
        read_request(d, a, p, w, (struct bytes){s->bytes, s->size}, pdu->big_endian);
        activity_put_uint(w, FIELD_RPC_REQUEST_BYTES, s->size);
        dissect_defer(d, call_key(a, pdu->call_id));
    }
    collect_end(d, s);
}

/* request ([C706] 12.6.4.9): alloc_hint (4), p_cont_id (2), opnum (2), object (16, if PFC_OBJECT_UUID), stub.
 */
void dcerpc_request(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    struct cursor c = pdu->body;
    uint32_t hint = pdu_u32(pdu, &c);
    uint16_t context_id = pdu_u16(pdu, &c);
    uint16_t opnum = pdu_u16(pdu, &c);
    if (c.failed) {
        if (!pdu->cut)
            dissect_malformed(d, PROTOCOL_DCERPC);
        return;
    }
    uint8_t object[16];
    bool has_object = pdu->flags & PFC_OBJECT_UUID && cursor_left(&c) >= sizeof object;
    if (has_object) {
        struct ndr n = ndr_of(cursor_take(&c, sizeof object), pdu->big_endian, false);
        ndr_uuid(&n, object);
    }
    struct bytes stub = stub_of(pdu, &c);
    if (!(pdu->flags & PFC_FIRST_FRAG)) {
        later_request_fragment(d, a, pdu, stub);
        return;
    }

    const struct rpc_context *context = dcerpc_context(a, context_id);
    const uint8_t *uuid = context ? context->uuid : NULL;
    if (!a->carrier || !pdu->cut)
        counts_rpc_request(d->counts, uuid, opnum);
    enum rpc_interface interface = context ? context->interface : interface_by_pipe(a->text);
    bool sealed = is_sealed(a, pdu);
    if (sealed)
        dissect_sealed(d, PROTOCOL_DCERPC);
    if (pdu->has_auth && !a->auth_level) { /* the bind was not captured */
        a->auth_level = pdu->auth_level;
        a->auth_type = pdu->auth_type;
    }

    const struct rpc_operation *operation = rpc_operation_get(interface, opnum);
    struct call_tally *t = tally_of(d, a, uuid, interface, opnum);
    struct pending_call *p = new_pending(d, a, pdu->call_id);
    if (!p)
        return;
    p->context = context_id;
    p->opnum = opnum;
    p->interface = (uint8_t)interface;
    p->ndr64 = context && context->ndr64;
    p->tally = t ? (uint8_t)(t - a->calls->tallies + 1) : 0;
    if (!stands_alone(t, operation, sealed)) {
        join(d, a, t, stub.size, sealed);
        return;
    }
    if (t)
        t->emitted++;
    p->deferred = true;
    struct activity_writer *w = dissect_begin(d, kind_of(operation));
    put_operation(w, uuid, interface, opnum);
    if (pdu->has_auth)
        activity_put_uint(w, FIELD_RPC_AUTH_LEVEL, pdu->auth_level);
    else if (a->auth_level && !pdu->cut)
        activity_put_uint(w, FIELD_RPC_AUTH_LEVEL, AUTH_LEVEL_NONE);
    dcerpc_put_common(d, a, w);
    if (has_object)
        activity_put_uuid(w, FIELD_RPC_OBJECT, object);
    if (sealed)
        activity_put_bool(w, FIELD_SEALED, true);
    bool whole = pdu->flags & PFC_LAST_FRAG || pdu->cut;
    bool wanted = !sealed && operation && operation->request;
    if (wanted && whole)
        read_request(d, a, p, w, stub, pdu->big_endian);
    if (whole || !wanted)
        activity_put_uint(w, FIELD_RPC_REQUEST_BYTES, whole ? stub.size : hint);
    else
        collect_begin(d, &a->stubs[TO_SERVER], pdu->call_id, hint, stub);
    dissect_defer(d, call_key(a, pdu->call_id));
}

/* -- responses ------------------------------------------------------------------------------------------ */

/* The return value stands last in the stub. */
static bool return_value(const struct dcerpc_pdu *pdu, struct bytes stub, uint32_t *status)
{
    if (pdu->cut || stub.size < 4)
        return false;
    struct cursor c = cursor_of(stub.data + stub.size - 4, 4);
    *status = pdu_u32(pdu, &c);
    return true;
}

/* Completes the handle that this call opened, or forgets it when the call failed. */
static void learn_handle(struct dcerpc_association *a, const struct pending_call *p, unsigned flags,
                         struct bytes stub, bool big_endian, bool opened)
{
    if (!a->handles)
        return;
    for (int i = 0; i < HANDLES; i++) {
        struct rpc_handle *h = &a->handles[i];
        if (h->state != 1 || h->call_id != p->call_id)
            continue;
        h->state = 0;
        if (!opened || stub.size < 24)
            return;
        const uint8_t *at = flags & RPC_HANDLE_FIRST ? stub.data : stub.data + stub.size - 24;
        struct ndr n = ndr_of((struct bytes){at, 20}, big_endian, false);
        ndr_handle(&n, h->uuid);
        h->state = 2;
        return;
    }
}

/* The call is over: its activity is completed and emitted, or its tally told. */
static void finish(struct dissect *d, struct dcerpc_association *a, struct pending_call *p,
                   const struct dcerpc_pdu *pdu, struct bytes stub, struct bytes last, bool sealed,
                   size_t bytes)
{
    const struct rpc_operation *operation = rpc_operation_get(p->interface, p->opnum);
    unsigned flags = operation ? operation->flags : 0;
    uint32_t status = 0;
    bool has_status = !sealed && p->interface != RPC_UNKNOWN && !(flags & RPC_NO_STATUS) &&
                      return_value(pdu, last, &status);
    if (flags & (RPC_HANDLE_FIRST | RPC_HANDLE_LAST))
        learn_handle(a, p, flags, stub, pdu->big_endian, has_status && status == 0);
    struct call_tally *t = p->tally ? &a->calls->tallies[p->tally - 1] : NULL;
    if (!p->deferred && t) {
        t->reply_bytes += (uint32_t)bytes;
        t->answered |= has_status;
        t->last = d->time;
        if (status)
            t->status = status;
    }
    struct activity_writer *w = p->deferred ? dissect_resume(d, call_key(a, p->call_id)) : NULL;
    if (w) {
        if (has_status)
            activity_put_uint(w, FIELD_STATUS, status);
        activity_put_uint(w, FIELD_RPC_REPLY_BYTES, bytes);
        if (operation && operation->response && !sealed) {
            struct rpc_call call = call_of(d, a, p, w, stub, pdu->big_endian);
            call.status = status;
            operation->response(&call);
        }
        dissect_emit(d);
    }
    p->used = false;
}

/* response ([C706] 12.6.4.10): alloc_hint (4), p_cont_id (2), cancel_count (1), reserved (1), stub. */
void dcerpc_response(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    if (a->exchange && a->exchange->pending)
        gss_outcome(d, a->exchange, 0);
    struct pending_call *p = find_pending(a, pdu->call_id);
    bool first = pdu->flags & PFC_FIRST_FRAG;
    bool last = pdu->flags & PFC_LAST_FRAG;
    bool sealed = is_sealed(a, pdu);
    if (sealed && first)
        dissect_sealed(d, PROTOCOL_DCERPC);
    if (!p)
        return;
    struct cursor c = pdu->body;
    uint32_t hint = pdu_u32(pdu, &c);
    cursor_skip(&c, 4);
    struct bytes stub = stub_of(pdu, &c);
    size_t stated = pdu->size > 24 ? pdu->size - 24u : 0;
    if (first && last) {
        finish(d, a, p, pdu, stub, stub, sealed, sealed ? stated : stub.size);
        return;
    }
    struct stub_buffer *s = &a->stubs[TO_CLIENT];
    const struct rpc_operation *operation = rpc_operation_get(p->interface, p->opnum);
    bool wanted = !sealed && p->deferred && operation && operation->response;
    if (first) {
        p->reply_bytes = hint;
        if (wanted)
            collect_begin(d, s, pdu->call_id, hint, stub);
        return;
    }
    bool collected = s->bytes && s->call_id == pdu->call_id;
    if (collected)
        collect_more(s, stub);
    if (!last)
        return;
    struct bytes all = collected ? (struct bytes){s->bytes, s->size} : stub;
    if (!collected)
        all.size = 0;
    finish(d, a, p, pdu, all, stub, sealed, p->reply_bytes);
    if (collected)
        collect_end(d, s);
}

/* What the first answer after an authentication without one of its own (auth3) says of it. */
static uint32_t outcome_of_fault(uint32_t status)
{
    return status == FAULT_ACCESS_DENIED || status == FAULT_SECURITY_PACKAGE || status == FAULT_PROTOCOL
               ? status
               : 0;
}

/* fault ([C706] 12.6.4.7): alloc_hint (4), p_cont_id (2), cancel_count (1), reserved (1), status (4). */
void dcerpc_fault(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    struct cursor c = pdu->body;
    cursor_skip(&c, 8);
    uint32_t status = pdu_u32(pdu, &c);
    if (a->exchange && a->exchange->pending)
        gss_outcome(d, a->exchange, outcome_of_fault(status));
    struct pending_call *p = find_pending(a, pdu->call_id);
    if (!p)
        return;
    struct call_tally *t = p->tally ? &a->calls->tallies[p->tally - 1] : NULL;
    if (!p->deferred && t) {
        t->status = status;
        t->answered = true;
    }
    struct activity_writer *w = p->deferred ? dissect_resume(d, call_key(a, p->call_id)) : NULL;
    if (w) {
        activity_put_bool(w, FIELD_RPC_FAULT, true);
        if (!c.failed)
            activity_put_uint(w, FIELD_STATUS, status);
        dissect_emit(d);
    }
    p->used = false;
}

/* -- what decoders use ---------------------------------------------------------------------------------- */

static struct bytes in_little_endian(struct rpc_call *call, struct bytes text)
{
    if (!call->stub.big_endian || !text.size)
        return text;
    uint8_t *swapped = arena_alloc(call->d->scratch, text.size);
    if (!swapped)
        return (struct bytes){.data = text.data, .size = 0};
    for (size_t i = 0; i + 1 < text.size; i += 2) {
        swapped[i] = text.data[i + 1];
        swapped[i + 1] = text.data[i];
    }
    return (struct bytes){.data = swapped, .size = text.size & ~(size_t)1};
}

void rpc_put_u32(struct rpc_call *call, enum activity_field field)
{
    uint32_t value = ndr_u32(&call->stub);
    if (!ndr_failed(&call->stub))
        activity_put_uint(call->activity, field, value);
}

void rpc_skip_handle(struct rpc_call *call)
{
    uint8_t handle[16];
    ndr_handle(&call->stub, handle);
}

void rpc_put_utf16(struct rpc_call *call, enum activity_field field, struct bytes text)
{
    text = in_little_endian(call, text);
    if (text.size)
        activity_put_utf16(call->activity, field, text.data, text.size);
}

void rpc_list_utf16(struct rpc_call *call, struct bytes text)
{
    text = in_little_endian(call, text);
    activity_list_utf16(call->activity, text.data, text.size);
}

void rpc_put_string16(struct rpc_call *call, enum activity_field field)
{
    rpc_put_utf16(call, field, ndr_string16(&call->stub));
}

void rpc_put_string16_pointer(struct rpc_call *call, enum activity_field field)
{
    rpc_put_utf16(call, field, ndr_string16_pointer(&call->stub));
}

void rpc_put_unicode_string(struct rpc_call *call, enum activity_field field)
{
    if (ndr_unicode_string(&call->stub))
        rpc_put_string16(call, field);
}

void rpc_put_unicode_strings(struct rpc_call *call, enum activity_field field)
{
    struct ndr *n = &call->stub;
    uint64_t count = ndr_size(n);
    uint64_t texts = 0; /* that follow the heads of all */
    for (uint64_t i = 0; i < count && !ndr_failed(n); i++)
        texts += ndr_unicode_string(n);
    if (ndr_failed(n) || !activity_list_begin(call->activity, field))
        return;
    for (uint64_t i = 0; i < texts && i < RPC_LISTED_MAX && !ndr_failed(n); i++) {
        struct bytes text = ndr_string16(n);
        if (text.size)
            rpc_list_utf16(call, text);
    }
    activity_list_end(call->activity);
}

/* Appends UTF-16LE as UTF-8 to a handle's text, as far as it fits. */
static void append_utf8(struct rpc_handle *h, struct bytes utf16)
{
    for (size_t i = 0; i + 1 < utf16.size && h->size + 3u <= RPC_HANDLE_TEXT_MAX; i += 2) {
        unsigned c = utf16.data[i] | (unsigned)utf16.data[i + 1] << 8;
        if (c >= 0xd800 && c < 0xe000)
            c = '?'; /* a name of service, key or account has none of these in practice */
        if (c < 0x80) {
            h->text[h->size++] = (char)c;
        } else if (c < 0x800) {
            h->text[h->size++] = (char)(0xc0 | c >> 6);
            h->text[h->size++] = (char)(0x80 | (c & 0x3f));
        } else {
            h->text[h->size++] = (char)(0xe0 | c >> 12);
            h->text[h->size++] = (char)(0x80 | (c >> 6 & 0x3f));
            h->text[h->size++] = (char)(0x80 | (c & 0x3f));
        }
    }
}

static struct rpc_handle *new_handle(struct rpc_call *call)
{
    struct dcerpc_association *a = call->association;
    if (!a->handles)
        a->handles = dissect_alloc(call->d, HANDLES * sizeof *a->handles);
    if (!a->handles)
        return NULL;
    struct rpc_handle *h = &a->handles[a->handle_next++ % HANDLES];
    *h = (struct rpc_handle){.call_id = call->call_id, .state = 1};
    return h;
}

void rpc_open_handle(struct rpc_call *call, struct bytes utf16, uint32_t value)
{
    struct rpc_handle *h = new_handle(call);
    if (!h)
        return;
    h->value = value;
    append_utf8(h, in_little_endian(call, utf16));
}

void rpc_open_handle8(struct rpc_call *call, struct bytes text)
{
    struct rpc_handle *h = new_handle(call);
    if (!h)
        return;
    h->size = (uint8_t)(text.size < RPC_HANDLE_TEXT_MAX ? text.size : RPC_HANDLE_TEXT_MAX);
    memcpy(h->text, text.data, h->size);
}

const struct rpc_handle *rpc_open_handle_below(struct rpc_call *call, const uint8_t parent[16],
                                               struct bytes utf16)
{
    const struct rpc_handle *above = rpc_find_handle(call, parent);
    struct rpc_handle from = above ? *above : (struct rpc_handle){0};
    struct rpc_handle *h = new_handle(call);
    if (!h)
        return NULL;
    memcpy(h->text, from.text, from.size);
    h->size = from.size;
    if (h->size && h->size < RPC_HANDLE_TEXT_MAX)
        h->text[h->size++] = '\\';
    append_utf8(h, in_little_endian(call, utf16));
    return h;
}

const struct rpc_handle *rpc_find_handle(const struct rpc_call *call, const uint8_t uuid[16])
{
    const struct dcerpc_association *a = call->association;
    for (int i = 0; a->handles && i < HANDLES; i++)
        if (a->handles[i].state == 2 && memcmp(a->handles[i].uuid, uuid, 16) == 0)
            return &a->handles[i];
    return NULL;
}

const struct rpc_handle *rpc_put_handle(struct rpc_call *call, enum activity_field field)
{
    uint8_t uuid[16];
    ndr_handle(&call->stub, uuid);
    const struct rpc_handle *h = ndr_failed(&call->stub) ? NULL : rpc_find_handle(call, uuid);
    if (h && h->size)
        activity_put_string(call->activity, field, h->text, h->size);
    return h;
}
