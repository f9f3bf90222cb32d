/* SPDX-License-Identifier: Apache-2.0
 *
 * DCE/RPC as a flow of its own: over TCP (the endpoint mapper's port, ports that it gave out, and any other
 * by the form of the first PDU) and its connectionless variant over UDP.
 */
#include "capture/dcerpc_association.h"
#include "capture/protocols.h"

#include <string.h>

struct dcerpc_flow {
    struct dcerpc_association *association;
};

enum { CONNECTIONLESS_HEADER_SIZE = 80, CONNECTIONLESS_VERSION = 4, PTYPE_MAX_CONNECTIONLESS = 10 };

/* The types that a connection-oriented stream has in that direction ([C706] 12.6.1): between two ports that
 * mean nothing they tell who the server is. */
static bool is_stream_type(uint8_t type, enum direction direction)
{
    switch (type) {
    case PDU_REQUEST:
    case PDU_BIND:
    case PDU_ALTER_CONTEXT:
    case PDU_AUTH3:
    case PDU_CO_CANCEL:
    case PDU_ORPHANED:
        return direction == TO_SERVER;
    case PDU_RESPONSE:
    case PDU_FAULT:
    case PDU_BIND_ACK:
    case PDU_BIND_NAK:
    case PDU_ALTER_CONTEXT_RESP:
    case PDU_SHUTDOWN:
        return direction == TO_CLIENT;
    default:
        return false;
    }
}

static enum detection detect_datagram(struct bytes start)
{
    bool yes = start.size >= CONNECTIONLESS_HEADER_SIZE && start.data[0] == CONNECTIONLESS_VERSION &&
               start.data[1] <= PTYPE_MAX_CONNECTIONLESS && (start.data[4] & 0xee) == 0 && start.data[5] <= 3;
    return yes ? DETECT_YES : DETECT_NO;
}

/* Both sides state the lengths in their own byte order; the label (drep) has two bytes that are always zero.
 */
static enum detection detect(struct bytes start, enum transport transport, enum direction direction,
                             bool on_port)
{
    if (transport == TRANSPORT_UDP)
        return on_port ? detect_datagram(start) : DETECT_NO;
    static const uint8_t versions[2] = {5, 1};
    for (size_t i = 0; i < 2 && i < start.size; i++)
        if (i == 0 ? start.data[0] != versions[0] : start.data[1] > versions[1])
            return DETECT_NO;
    if (start.size < DCERPC_HEADER_SIZE)
        return DETECT_MORE;
    const uint8_t *h = start.data;
    if (!dcerpc_is_pdu(start))
        return DETECT_NO;
    if (on_port)
        return DETECT_YES;
    return is_stream_type(h[2], direction) && h[6] == 0 && h[7] == 0 ? DETECT_YES : DETECT_NO;
}

/* Fragments follow each other without regard to segments: in a long answer few begin one. */
static size_t find(struct bytes data, enum direction direction)
{
    size_t at = 0;
    while (at + DCERPC_HEADER_SIZE <= data.size) {
        const uint8_t *version = memchr(data.data + at, 5, data.size - at - DCERPC_HEADER_SIZE + 1);
        if (!version)
            break;
        at = (size_t)(version - data.data);
        struct bytes rest = {.data = version, .size = data.size - at};
        if (detect(rest, TRANSPORT_TCP, direction, false) == DETECT_YES)
            return at;
        at++;
    }
    return data.size;
}

/* Of the fragments of a long answer only the first and the last say anything, and of a sealed one only the
 * header: replication of a whole directory costs its headers. */
static uint32_t wanted(const struct dcerpc_flow *flow, const uint8_t *header, uint32_t size)
{
    if (header[2] != PDU_RESPONSE || !flow->association)
        return size;
    const struct dcerpc_association *a = flow->association;
    bool last = header[3] & PFC_LAST_FRAG, first = header[3] & PFC_FIRST_FRAG;
    if (a->auth_level == AUTH_LEVEL_PRIVACY && !a->levels_differ && !dcerpc_unseal_possible(a))
        return 24;
    if (dcerpc_unseal_every(a))
        return size;
    if (!first && !last && !a->stubs[TO_CLIENT].bytes)
        return 24;
    return size;
}

static struct frame frame(struct dissect *d, struct bytes start)
{
    if (start.size < DCERPC_HEADER_SIZE)
        return frame_more(DCERPC_HEADER_SIZE);
    if (!dcerpc_is_pdu(start))
        return frame_bad();
    uint32_t size = dcerpc_pdu_size(start.data);
    return frame_ok(size, wanted(d->state, start.data, size));
}

/* The connectionless header ([C706] 12.5.1): rpc_vers (1), ptype (1), flags (2), drep (3), serial_hi (1),
 * object (16), if_id (16), act_id (16), server_boot (4), if_vers (4), seqnum (4), opnum (2), ... to 80 bytes.
 */
static void datagram(struct dissect *d, struct cursor c)
{
    struct bytes whole = {c.at, cursor_left(&c)};
    if (detect_datagram(whole) != DETECT_YES) {
        dissect_malformed(d, PROTOCOL_DCERPC);
        return;
    }
    dissect_counted(d, PROTOCOL_DCERPC);
    if (whole.data[1] != PDU_REQUEST)
        return;
    bool big = (whole.data[4] & 0xf0) == 0;
    struct ndr n = ndr_of((struct bytes){whole.data + 24, 16}, big, false);
    uint8_t uuid[16];
    ndr_uuid(&n, uuid);
    n = ndr_of((struct bytes){whole.data + 68, 2}, big, false);
    uint16_t opnum = ndr_u16(&n);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_RPC_CALL);
    char text[RPC_UUID_TEXT_MAX];
    const char *name = rpc_interface_name(uuid);
    activity_put_text(w, FIELD_RPC_INTERFACE, name ? name : rpc_uuid_text(uuid, text));
    activity_put_uuid(w, FIELD_RPC_UUID, uuid);
    activity_put_uint(w, FIELD_RPC_OPNUM, opnum);
    const struct rpc_operation *operation = rpc_operation_get(rpc_interface_by_uuid(uuid), opnum);
    if (operation)
        activity_put_text(w, FIELD_RPC_OPERATION, operation->name);
    dissect_emit(d);
}

static void message(struct dissect *d, struct cursor c)
{
    if (d->info->transport == TRANSPORT_UDP) {
        datagram(d, c);
        return;
    }
    struct dcerpc_flow *flow = d->state;
    if (!flow->association)
        flow->association = dcerpc_new(d, NULL, (struct bytes){0}, 0, NULL, NULL);
    if (flow->association)
        dcerpc_message(d, flow->association, (struct bytes){c.at, cursor_left(&c)});
}

static void gap(struct dissect *d)
{
    struct dcerpc_flow *flow = d->state;
    if (flow->association)
        dcerpc_gap(d, flow->association);
}

static void close_flow(struct dissect *d)
{
    struct dcerpc_flow *flow = d->state;
    dcerpc_end(d, &flow->association);
}

const struct protocol protocol_dcerpc = {
    .id = PROTOCOL_DCERPC,
    .name = "dcerpc",
    .tcp_ports = {135},
    .udp_ports = {135},
    .detect = detect,
    .find = find,
    .state_size = sizeof(struct dcerpc_flow),
    .frame = frame,
    .message = message,
    .gap = gap,
    .close = close_flow,
};
