/* SPDX-License-Identifier: Apache-2.0
 *
 * PDUs of connection-oriented DCE/RPC: their header, binds, authentication. What calls mean is in
 * dcerpc_call.c and the rpc_*.c.
 */
#include "capture/dcerpc.h"

#include "capture/dcerpc_association.h"

/* Transfer syntax NDR64, 71710533-beba-4937-8319-b5dbef9ccc36 ([MS-RPCE] 2.2.4.12). */
static const uint8_t ndr64_syntax[16] = {0x33, 0x05, 0x71, 0x71, 0xba, 0xbe, 0x37, 0x49,
                                         0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36};

/* Bind time feature negotiation, 6cb71c2c-9812-4540-...: no transfer syntax but flags ([MS-RPCE] 3.3.1.5.3).
 */
static const uint8_t feature_negotiation[8] = {0x2c, 0x1c, 0xb7, 0x6c, 0x12, 0x98, 0x40, 0x45};

enum { ACCEPTANCE = 0, PROVIDER_REJECTION = 2 }; /* p_cont_def_result_t */

static bool big_endian(const uint8_t *header)
{
    return (header[4] & 0xf0) == 0;
}

uint16_t dcerpc_pdu_size(const uint8_t header[DCERPC_HEADER_SIZE])
{
    unsigned a = header[8], b = header[9];
    return (uint16_t)(big_endian(header) ? a << 8 | b : b << 8 | a);
}

/* rpc_vers 5, rpc_vers_minor 0 or 1, PTYPE, pfc_flags, packed_drep (4), frag_length (2), auth_length (2),
 * call_id (4): [C706] 12.6.3.1. */
bool dcerpc_is_pdu(struct bytes start)
{
    if (start.size < DCERPC_HEADER_SIZE)
        return false;
    const uint8_t *h = start.data;
    if (h[0] != 5 || h[1] > 1 || h[2] > PDU_ORPHANED)
        return false;
    /* Integers big or little, characters ASCII or EBCDIC, one of four floating-point forms. */
    if ((h[4] & 0xee) != 0 || h[5] > 3)
        return false;
    return dcerpc_pdu_size(h) >= DCERPC_HEADER_SIZE;
}

/* -- contexts ------------------------------------------------------------------------------------------- */

static struct rpc_context *own_context(const struct dcerpc_association *a, uint16_t id)
{
    for (uint16_t i = 0; i < a->contexts_count; i++)
        if (a->contexts[i].id == id)
            return &a->contexts[i];
    return NULL;
}

const struct rpc_context *dcerpc_context(const struct dcerpc_association *a, uint16_t id)
{
    const struct rpc_context *own = own_context(a, id);
    if (own || !a->shared || !*a->shared)
        return own;
    const struct dcerpc_shared *shared = *a->shared;
    for (uint8_t i = 0; i < shared->count; i++)
        if (shared->contexts[i].id == id)
            return &shared->contexts[i];
    return NULL;
}

static bool grow_contexts(struct dissect *d, struct dcerpc_association *a)
{
    uint16_t capacity = a->contexts_capacity ? (uint16_t)(2 * a->contexts_capacity) : 4;
    if (capacity > CONTEXTS_MAX)
        return false;
    struct rpc_context *more = dissect_alloc(d, capacity * sizeof *more);
    if (!more)
        return false;
    if (a->contexts) {
        memcpy(more, a->contexts, a->contexts_count * sizeof *more);
        dissect_free(d, a->contexts, a->contexts_capacity * sizeof *more);
    }
    a->contexts = more;
    a->contexts_capacity = capacity;
    return true;
}

static void share_context(struct dissect *d, struct dcerpc_association *a, const struct rpc_context *context)
{
    if (!a->shared)
        return;
    if (!*a->shared)
        *a->shared = dissect_alloc(d, sizeof **a->shared);
    struct dcerpc_shared *shared = *a->shared;
    if (!shared || shared->count == sizeof shared->contexts / sizeof *shared->contexts)
        return;
    for (uint8_t i = 0; i < shared->count; i++)
        if (shared->contexts[i].id == context->id)
            return;
    shared->contexts[shared->count++] = *context;
}

static void remember_context(struct dissect *d, struct dcerpc_association *a, uint16_t id,
                             const uint8_t uuid[16])
{
    struct rpc_context *context = own_context(a, id);
    if (!context) {
        if (a->contexts_count == a->contexts_capacity && !grow_contexts(d, a))
            return;
        context = &a->contexts[a->contexts_count++];
    }
    memcpy(context->uuid, uuid, 16);
    context->id = id;
    context->interface = (uint8_t)rpc_interface_by_uuid(uuid);
    context->ndr64 = false;
    share_context(d, a, context);
}

/* -- activities' common part ---------------------------------------------------------------------------- */

void dcerpc_put_common(struct dissect *d, const struct dcerpc_association *a, struct activity_writer *w)
{
    if (a->carrier)
        activity_put_text(w, FIELD_CARRIER, a->carrier);
    if (a->text && a->text[0])
        activity_put_text(w, FIELD_RPC_PIPE, a->text);
    if (a->auth_level)
        activity_put_uint(w, FIELD_RPC_AUTH_LEVEL, a->auth_level);
    const char *account = a->text ? a->text + a->account_at : "";
    const char *domain = a->text ? a->text + a->domain_at : "";
    if (a->exchange && (a->exchange->account[0] || a->exchange->client)) {
        gss_put_account(d, w, a->exchange);
        return;
    }
    if (account[0])
        activity_put_text(w, FIELD_ACCOUNT, account);
    if (domain[0])
        activity_put_text(w, FIELD_ACCOUNT_DOMAIN, domain);
}

/* -- authentication ------------------------------------------------------------------------------------- */

/* NL_AUTH_MESSAGE ([MS-NRPC] 2.2.1.3.1): MessageType (4; 0 request), Flags (4), then the strings that the
 * flags announce: 1 NetBIOS domain, 2 NetBIOS computer, both OEM and zero-terminated; DNS names follow. */
bool dcerpc_netlogon_names(struct cursor token, struct bytes names[2])
{
    memset(names, 0, 2 * sizeof *names);
    if (cursor_le32(&token) != 0 || token.failed)
        return false;
    uint32_t flags = cursor_le32(&token);
    for (unsigned i = 0; i < 2; i++) {
        if (!(flags & 1u << i))
            continue;
        const uint8_t *end = memchr(token.at, 0, cursor_left(&token));
        if (!end)
            break;
        names[i] = (struct bytes){.data = token.at, .size = (size_t)(end - token.at)};
        token.at = end + 1;
    }
    return true;
}

static void put_netlogon_names(struct activity_writer *w, struct cursor token)
{
    static const enum activity_field fields[2] = {FIELD_ACCOUNT_DOMAIN, FIELD_WORKSTATION};
    struct bytes names[2];
    dcerpc_netlogon_names(token, names);
    for (int i = 0; i < 2; i++)
        if (names[i].data)
            activity_put_string(w, fields[i], names[i].data, names[i].size);
}

/* The levels at which the oracle reads tokens (its other ones have no reader): connect, integrity, privacy,
 * and for NTLM packet as well. The counts follow it; the activities do not. */
static bool counted_level(const struct dcerpc_pdu *pdu)
{
    enum { CONNECT = 2, PACKET = 4, INTEGRITY = 5, PRIVACY = 6 };
    return pdu->auth_level == CONNECT || pdu->auth_level == INTEGRITY || pdu->auth_level == PRIVACY ||
           (pdu->auth_level == PACKET && pdu->auth_type == AUTH_NTLM);
}

/* Hands the token of a bind, alter_context, their answers or an auth3 to whoever reads it. */
static void authentication(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    if (!pdu->has_auth)
        return;
    if (a->auth_level && a->auth_level != pdu->auth_level)
        a->levels_differ = true;
    a->auth_type = pdu->auth_type;
    a->auth_level = pdu->auth_level;
    if (pdu->auth_type == AUTH_NETLOGON)
        dcerpc_unseal_netlogon(d, a, pdu);
    if (pdu->auth_type == AUTH_NETLOGON || cursor_done(&pdu->auth_token))
        return;
    if (!a->exchange)
        a->exchange = dissect_alloc(d, sizeof *a->exchange);
    if (!a->exchange)
        return;
    if (a->auth_context != pdu->auth_context && pdu->type != PDU_BIND) { /* another security context */
        dcerpc_unseal_keep(d, a);
        gss_end(d, a->exchange);
    }
    a->auth_context = pdu->auth_context;
    a->exchange->uncounted = !counted_level(pdu);
    gss_token(d, a->exchange, pdu->auth_token, "dcerpc", a->id ^ pdu->auth_context);
}

/* -- binds ---------------------------------------------------------------------------------------------- */

static uint64_t bind_key(const struct dcerpc_association *a, uint32_t call_id)
{
    return (a->id * 0x9e3779b97f4a7c15u ^ (uint64_t)call_id * 0xc2b2ae3d27d4eb4fu) | 1ull << 63 | 1;
}

static bool known_before(const struct dcerpc_association *a, const uint16_t *ids, uint8_t count,
                         const uint8_t *uuid)
{
    for (uint8_t i = 0; i < count; i++) {
        const struct rpc_context *context = own_context(a, ids[i]);
        if (context && memcmp(context->uuid, uuid, 16) == 0)
            return true;
    }
    return false;
}

static void list_interface(struct activity_writer *w, const uint8_t uuid[16])
{
    char text[RPC_UUID_TEXT_MAX];
    const char *name = rpc_interface_name(uuid);
    if (!name)
        name = rpc_uuid_text(uuid, text);
    activity_list_string(w, name, strlen(name));
}

/* bind and alter_context ([C706] 12.6.4.3, 12.6.4.1): max_xmit_frag (2), max_recv_frag (2), assoc_group_id
 * (4), p_context_elem: n_context_elem (1), reserved (3), then for each p_cont_id (2), n_transfer_syn (1),
 * reserved (1), abstract_syntax (UUID, version 4), transfer_syntaxes (20 each). */
static void bind_request(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    struct activity_writer *w = dissect_begin(d, ACTIVITY_RPC_BIND);
    struct cursor c = pdu->body;
    cursor_skip(&c, 8);
    uint8_t count = cursor_u8(&c);
    cursor_skip(&c, 3);
    a->offered_count = 0;
    activity_put_bool(w, FIELD_RPC_ALTER, pdu->type == PDU_ALTER_CONTEXT);
    bool listing = activity_list_begin(w, FIELD_RPC_INTERFACES);
    for (uint8_t i = 0; i < count && !c.failed; i++) {
        uint16_t id = pdu_u16(pdu, &c);
        uint8_t syntaxes = cursor_u8(&c);
        cursor_skip(&c, 1);
        struct bytes raw = cursor_take(&c, 20);
        if (c.failed)
            break;
        struct ndr n = ndr_of(raw, pdu->big_endian, false);
        uint8_t uuid[16];
        ndr_uuid(&n, uuid);
        if (listing && !known_before(a, a->offered, a->offered_count, uuid))
            list_interface(w, uuid);
        remember_context(d, a, id, uuid);
        if (a->offered_count < RESULTS_MAX)
            a->offered[a->offered_count++] = id;
        cursor_skip(&c, 20u * syntaxes);
    }
    if (listing)
        activity_list_end(w);
    if (c.failed && !pdu->cut)
        dissect_malformed(d, PROTOCOL_DCERPC);
    if (pdu->has_auth) {
        activity_put_uint(w, FIELD_RPC_AUTH_TYPE, pdu->auth_type);
        activity_put_uint(w, FIELD_RPC_AUTH_LEVEL, pdu->auth_level);
        if (pdu->auth_type == AUTH_NETLOGON)
            put_netlogon_names(w, pdu->auth_token);
    }
    dcerpc_put_common(d, a, w);
    dissect_defer(d, bind_key(a, pdu->call_id));
    authentication(d, a, pdu);
}

/* bind_ack and alter_context_resp ([C706] 12.6.4.4): max_xmit_frag (2), max_recv_frag (2), assoc_group_id
 * (4), sec_addr: length (2) and text with its zero, padding to 4 from the PDU's start, p_result_list:
 * n_results (1), reserved (3), then for each result (2), reason (2), transfer_syntax (UUID, version 4). */
static struct cursor bind_results(const struct dcerpc_pdu *pdu, uint8_t *count)
{
    struct cursor c = pdu->body;
    cursor_skip(&c, 8);
    uint16_t address = pdu_u16(pdu, &c);
    cursor_skip(&c, address);
    size_t at = (size_t)(c.at - pdu->whole.data);
    cursor_skip(&c, (4 - at % 4) % 4);
    *count = cursor_u8(&c);
    cursor_skip(&c, 3);
    return c;
}

/* Puts which interfaces were accepted, or why none was, and notes whose calls are in NDR64. */
static void read_results(struct dcerpc_association *a, const struct dcerpc_pdu *pdu,
                         struct activity_writer *w, struct cursor c, uint8_t count)
{
    uint16_t accepted[RESULTS_MAX];
    uint8_t accepted_count = 0;
    uint16_t reason = 0;
    bool listing = w && activity_list_begin(w, FIELD_RPC_ACCEPTED);
    for (uint8_t i = 0; i < count && i < a->offered_count; i++) {
        uint16_t result = pdu_u16(pdu, &c);
        uint16_t why = pdu_u16(pdu, &c);
        struct bytes raw = cursor_take(&c, 20);
        if (c.failed)
            break;
        struct rpc_context *context = own_context(a, a->offered[i]);
        if (result == PROVIDER_REJECTION && !reason)
            reason = why;
        if (result != ACCEPTANCE || !context)
            continue;
        struct ndr n = ndr_of(raw, pdu->big_endian, false);
        uint8_t uuid[16];
        ndr_uuid(&n, uuid);
        context->ndr64 = memcmp(uuid, ndr64_syntax, 16) == 0;
        if (listing && memcmp(uuid, feature_negotiation, 8) != 0 &&
            !known_before(a, accepted, accepted_count, context->uuid)) {
            list_interface(w, context->uuid);
            accepted[accepted_count++] = context->id;
        }
    }
    if (!listing)
        return;
    activity_list_end(w);
    if (accepted_count)
        activity_put_uint(w, FIELD_STATUS, 0);
    else if (reason)
        activity_put_uint(w, FIELD_RPC_REJECT_REASON, reason);
}

static void bind_ack(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    uint8_t count;
    struct cursor c = bind_results(pdu, &count);
    if (c.failed && !pdu->cut)
        dissect_malformed(d, PROTOCOL_DCERPC);
    struct activity_writer *w = dissect_resume(d, bind_key(a, pdu->call_id));
    read_results(a, pdu, w, c, count);
    if (w)
        dissect_emit(d);
    authentication(d, a, pdu);
}

/* bind_nak ([C706] 12.6.4.5): provider_reject_reason (2), versions. */
static void bind_nak(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    struct cursor c = pdu->body;
    uint16_t reason = pdu_u16(pdu, &c);
    struct activity_writer *w = dissect_resume(d, bind_key(a, pdu->call_id));
    if (w) {
        activity_put_uint(w, FIELD_RPC_REJECT_REASON, reason);
        dissect_emit(d);
    }
    if (a->exchange)
        gss_outcome(d, a->exchange, reason);
}

/* -- PDUs ----------------------------------------------------------------------------------------------- */

/* The authentication trailer ends the PDU ([MS-RPCE] 2.2.2.11): auth_type (1), auth_level (1),
 * auth_pad_length (1), reserved (1), auth_context_id (4), then auth_length bytes. */
static void read_trailer(struct dcerpc_pdu *pdu, uint16_t auth_length)
{
    size_t size = AUTH_TRAILER_SIZE + (size_t)auth_length;
    if (!auth_length || pdu->size < DCERPC_HEADER_SIZE + size)
        return;
    size_t at = pdu->size - size;
    if (pdu->whole.size < at + AUTH_TRAILER_SIZE)
        return;
    struct cursor c = cursor_of(pdu->whole.data + at, pdu->whole.size - at);
    pdu->auth_type = cursor_u8(&c);
    pdu->auth_level = cursor_u8(&c);
    pdu->auth_padding = cursor_u8(&c);
    cursor_skip(&c, 1);
    pdu->auth_context = pdu_u32(pdu, &c);
    pdu->auth_token = cursor_rest(&c);
    pdu->auth_token.failed = cursor_left(&pdu->auth_token) < auth_length;
    pdu->has_auth = true;
    pdu->body.end = pdu->whole.data + at;
}

static bool read_pdu(struct dcerpc_pdu *pdu, struct bytes whole, bool truncated)
{
    if (!dcerpc_is_pdu(whole))
        return false;
    const uint8_t *h = whole.data;
    *pdu = (struct dcerpc_pdu){
        .whole = whole,
        .type = h[2],
        .flags = h[3],
        .big_endian = big_endian(h),
        .size = dcerpc_pdu_size(h),
        .body = cursor_of(h + DCERPC_HEADER_SIZE, whole.size - DCERPC_HEADER_SIZE),
    };
    pdu->cut = truncated || whole.size < pdu->size;
    struct cursor c = cursor_of(h + 10, 6);
    uint16_t auth_length = pdu_u16(pdu, &c);
    pdu->call_id = pdu_u32(pdu, &c);
    read_trailer(pdu, auth_length);
    return true;
}

/* One on a pipe whose end was not captured is read, and left out of the counts, as the oracle does. */
static bool is_counted(const struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    return !a->carrier || !pdu->cut;
}

void dcerpc_message(struct dissect *d, struct dcerpc_association *a, struct bytes whole)
{
    struct dcerpc_pdu pdu;
    if (!read_pdu(&pdu, whole, d->truncated)) {
        dissect_malformed(d, PROTOCOL_DCERPC);
        return;
    }
    dissect_counted(d, PROTOCOL_DCERPC);
    if (is_counted(a, &pdu) && pdu.flags & PFC_FIRST_FRAG)
        d->counts->dcerpc_pdus[pdu.type]++;
    else if (is_counted(a, &pdu))
        d->counts->dcerpc_later_fragments++;
    if (pdu.type == PDU_REQUEST || pdu.type == PDU_RESPONSE)
        dcerpc_unseal(d, a, &pdu);
    bool unsealed = d->unsealed; /* of what carries it */
    d->unsealed |= pdu.unsealed;
    switch (pdu.type) {
    case PDU_REQUEST:
        dcerpc_request(d, a, &pdu);
        break;
    case PDU_RESPONSE:
        dcerpc_response(d, a, &pdu);
        break;
    case PDU_FAULT:
        dcerpc_fault(d, a, &pdu);
        break;
    case PDU_BIND:
    case PDU_ALTER_CONTEXT:
        bind_request(d, a, &pdu);
        break;
    case PDU_BIND_ACK:
    case PDU_ALTER_CONTEXT_RESP:
        bind_ack(d, a, &pdu);
        break;
    case PDU_BIND_NAK:
        bind_nak(d, a, &pdu);
        break;
    case PDU_AUTH3:
        authentication(d, a, &pdu);
        break;
    default: /* shutdown, co_cancel, orphaned: counted */
        break;
    }
    d->unsealed = unsealed;
}

/* -- associations --------------------------------------------------------------------------------------- */

static uint16_t append_text(char *to, uint16_t at, const void *text, size_t size)
{
    memcpy(to + at, text, size);
    to[at + size] = 0;
    return (uint16_t)(at + size + 1);
}

static size_t cut_length(const char *text)
{
    return text ? strnlen(text, 64) : 0;
}

static void keep_text(struct dissect *d, struct dcerpc_association *a, struct bytes pipe, const char *account,
                      const char *domain)
{
    size_t pipe_size = pipe.size < 64 ? pipe.size : 64;
    size_t account_size = cut_length(account), domain_size = cut_length(domain);
    if (pipe_size + account_size + domain_size == 0)
        return;
    a->text_size = (uint16_t)(pipe_size + account_size + domain_size + 3);
    a->text = dissect_alloc(d, a->text_size);
    if (!a->text)
        return;
    a->account_at = append_text(a->text, 0, pipe.size ? (const void *)pipe.data : "", pipe_size);
    a->domain_at = append_text(a->text, a->account_at, account ? account : "", account_size);
    append_text(a->text, a->domain_at, domain ? domain : "", domain_size);
}

struct dcerpc_association *dcerpc_new(struct dissect *d, const char *carrier, struct bytes pipe, uint64_t id,
                                      const char *account, const char *domain)
{
    struct dcerpc_association *a = dissect_alloc(d, sizeof *a);
    if (!a)
        return NULL;
    a->carrier = carrier;
    a->id = id;
    keep_text(d, a, pipe, account, domain);
    return a;
}

void dcerpc_share(struct dcerpc_association *a, struct dcerpc_shared **shared)
{
    a->shared = shared;
}

static void free_buffer(struct dissect *d, struct pdu_buffer *b)
{
    if (b->bytes)
        dissect_free(d, b->bytes, b->size);
    b->bytes = NULL;
    b->have = b->size = 0;
}

void dcerpc_end(struct dissect *d, struct dcerpc_association **association_p)
{
    struct dcerpc_association *a = *association_p;
    *association_p = NULL;
    if (!a)
        return;
    dcerpc_calls_end(d, a);
    if (a->exchange) {
        gss_end(d, a->exchange);
        dissect_free(d, a->exchange, sizeof *a->exchange);
    }
    dcerpc_unseal_end(d, a);
    for (int i = 0; a->buffers && i < 2; i++)
        free_buffer(d, &a->buffers[i]);
    if (a->buffers)
        dissect_free(d, a->buffers, 2 * sizeof *a->buffers);
    if (a->contexts)
        dissect_free(d, a->contexts, a->contexts_capacity * sizeof *a->contexts);
    if (a->text)
        dissect_free(d, a->text, a->text_size);
    rpc_netlogon_end(d, a);
    dissect_free(d, a, sizeof *a);
}

/* -- the byte stream of a pipe -------------------------------------------------------------------------- */

/* Takes from `data` what completes the header; true when it is complete. */
static bool fill_head(struct pdu_buffer *b, struct cursor *data)
{
    size_t missing = DCERPC_HEADER_SIZE - b->have;
    struct bytes part = cursor_take(data, cursor_left(data) < missing ? cursor_left(data) : missing);
    memcpy(b->head + b->have, part.data, part.size);
    b->have += (uint32_t)part.size;
    return b->have == DCERPC_HEADER_SIZE;
}

static void lose(struct dissect *d, struct pdu_buffer *b)
{
    free_buffer(d, b);
    b->lost = true;
}

/* Continues the PDU that a former feed began. */
static void feed_rest(struct dissect *d, struct dcerpc_association *a, struct pdu_buffer *b,
                      struct cursor *data)
{
    if (!b->bytes) {
        if (!fill_head(b, data))
            return;
        if (!dcerpc_is_pdu((struct bytes){b->head, sizeof b->head})) {
            dissect_malformed(d, PROTOCOL_DCERPC);
            lose(d, b);
            return;
        }
        b->size = dcerpc_pdu_size(b->head);
        b->bytes = dissect_alloc(d, b->size);
        if (!b->bytes) {
            b->have = 0;
            lose(d, b);
            return;
        }
        memcpy(b->bytes, b->head, sizeof b->head);
    }
    size_t missing = b->size - b->have;
    struct bytes part = cursor_take(data, cursor_left(data) < missing ? cursor_left(data) : missing);
    memcpy(b->bytes + b->have, part.data, part.size);
    b->have += (uint32_t)part.size;
    if (b->have < b->size && !d->truncated)
        return;
    dcerpc_message(d, a, (struct bytes){b->bytes, b->have});
    free_buffer(d, b);
}

/* What stands at `data` when nothing is pending: whole PDUs straight from the message, no copy. */
static void feed_whole(struct dissect *d, struct dcerpc_association *a, struct pdu_buffer *b,
                       struct cursor *data)
{
    while (cursor_left(data) >= DCERPC_HEADER_SIZE) {
        if (!dcerpc_is_pdu((struct bytes){data->at, cursor_left(data)})) {
            if (!b->lost)
                dissect_malformed(d, PROTOCOL_DCERPC);
            b->lost = true;
            cursor_rest(data);
            return;
        }
        b->lost = false;
        size_t size = dcerpc_pdu_size(data->at);
        if (size > cursor_left(data)) {
            if (!d->truncated)
                return;
            size = cursor_left(data);
        }
        dcerpc_message(d, a, cursor_take(data, size));
    }
}

void dcerpc_feed(struct dissect *d, struct dcerpc_association *a, struct cursor data)
{
    if (!a->buffers)
        a->buffers = dissect_alloc(d, 2 * sizeof *a->buffers);
    if (!a->buffers)
        return;
    struct pdu_buffer *b = &a->buffers[d->direction];
    while (!cursor_done(&data)) {
        if (b->have) {
            feed_rest(d, a, b, &data);
            continue;
        }
        feed_whole(d, a, b, &data);
        if (cursor_done(&data) || b->lost || d->truncated)
            return;
        feed_rest(d, a, b, &data);
    }
}

void dcerpc_gap(struct dissect *d, struct dcerpc_association *a)
{
    if (a->buffers)
        lose(d, &a->buffers[d->direction]);
    a->stubs[d->direction].size = 0;
    a->stubs[d->direction].call_id = 0;
}
