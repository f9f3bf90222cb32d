/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of an RPC association, shared by dcerpc.c (PDUs, binds), dcerpc_call.c (requests joined with
 * their responses) and dcerpc_flow.c.
 */
#pragma once

#include "capture/dcerpc.h"
#include "capture/gss.h"
#include "capture/rpc_calls.h"

enum dcerpc_pdu_type {
    PDU_REQUEST = 0,
    PDU_RESPONSE = 2,
    PDU_FAULT = 3,
    PDU_BIND = 11,
    PDU_BIND_ACK = 12,
    PDU_BIND_NAK = 13,
    PDU_ALTER_CONTEXT = 14,
    PDU_ALTER_CONTEXT_RESP = 15,
    PDU_AUTH3 = 16,
    PDU_SHUTDOWN = 17,
    PDU_CO_CANCEL = 18,
    PDU_ORPHANED = 19,
};

enum dcerpc_flags {
    PFC_FIRST_FRAG = 0x01,
    PFC_LAST_FRAG = 0x02,
    PFC_OBJECT_UUID = 0x80,
};

enum {
    DCERPC_HEADER_SIZE = 16,
    AUTH_TRAILER_SIZE = 8,
    AUTH_NTLM = 10,
    AUTH_NETLOGON = 68,
    AUTH_LEVEL_NONE = 1,
    AUTH_LEVEL_PRIVACY = 6,
    CONTEXTS_MAX = 256,
    RESULTS_MAX = 16,
    PENDING_CALLS = 16,
    TALLIES = 24,
    HANDLES = 16,
    STUB_MAX = 65536,
};

/* A presentation context: what the numbers in requests mean. */
struct rpc_context {
    uint8_t uuid[16];
    uint16_t id;
    uint8_t interface; /* enum rpc_interface */
    bool ndr64;
};

/* The contexts of all pipes of a flow, for calls on a pipe whose opening was not captured. */
struct dcerpc_shared {
    struct rpc_context contexts[8];
    uint8_t count;
};

/* A PDU that arrives in pieces (pipes only; over TCP the engine delimits). */
struct pdu_buffer {
    uint8_t head[DCERPC_HEADER_SIZE];
    uint8_t *bytes; /* whole PDU; allocated when its header is complete */
    uint32_t have;
    uint32_t size;
    bool lost; /* looking for the next PDU */
};

/* A fragmented stub that somebody wants to read. */
struct stub_buffer {
    uint8_t *bytes;
    uint32_t capacity;
    uint32_t size;
    uint32_t call_id;
};

/* A request that waits for its response. */
struct pending_call {
    uint32_t call_id;
    uint32_t reply_bytes; /* as its first fragment said */
    uint16_t context;     /* id on the wire */
    uint16_t opnum;
    uint8_t interface;
    uint8_t tally; /* index + 1; 0: none */
    bool used;
    bool deferred; /* its activity waits */
    bool ndr64;
};

/* Calls of one operation on one interface, so that a thousand of them are not a thousand activities. */
struct call_tally {
    uint8_t uuid[16];
    int64_t first;
    int64_t last;
    uint32_t emitted; /* by themselves */
    uint32_t joined;  /* since the last joint activity */
    uint32_t status;
    uint32_t request_bytes;
    uint32_t reply_bytes;
    uint16_t opnum;
    uint8_t interface;
    bool known;
    bool used;
    bool sealed;
    bool unsealed; /* some of them were read by means of a key */
    bool answered;
};

struct dcerpc_calls {
    struct pending_call pending[PENDING_CALLS];
    struct call_tally tallies[TALLIES];
    uint32_t pending_next;
    uint32_t tally_next;
};

struct dcerpc_association {
    uint64_t id;
    const char *carrier;
    struct dcerpc_shared **shared;
    struct rpc_context *contexts;
    struct gss_exchange *exchange;
    struct dcerpc_calls *calls;
    struct rpc_handle *handles;
    struct pdu_buffer *buffers;      /* two, by direction; pipes only */
    struct rpc_security *securities; /* contexts that can be read (dcerpc_unseal.c) */
    struct stub_buffer stubs[2];
    struct netlogon_handshake *netlogon; /* rpc_netlogon.c: a secure channel that is being set up */
    char *text;                          /* pipe, account and domain, each terminated */
    uint16_t contexts_count;
    uint16_t contexts_capacity;
    uint16_t text_size;
    uint16_t account_at;
    uint16_t domain_at;
    uint16_t offered[RESULTS_MAX]; /* context ids of the last bind, in its order */
    uint8_t offered_count;
    uint8_t auth_type;
    uint8_t auth_level; /* of the last bind or alter_context */
    bool levels_differ; /* security contexts of several levels: each PDU's trailer says which */
    uint8_t handle_next;
    uint8_t security_next;
    uint32_t auth_context;
};

/* One PDU, its common header read. */
struct dcerpc_pdu {
    struct bytes whole; /* as far as it was captured */
    struct cursor body; /* behind the header, up to the authentication trailer */
    uint32_t call_id;
    uint16_t size; /* as stated */
    uint8_t type;
    uint8_t flags;
    bool big_endian;
    bool cut;      /* its end is missing */
    bool unsealed; /* the body was sealed, and is not any more */
    bool has_auth;
    uint8_t auth_type;
    uint8_t auth_level;
    uint8_t auth_padding;
    uint32_t auth_context;
    struct cursor auth_token;
};

static inline uint16_t pdu_u16(const struct dcerpc_pdu *pdu, struct cursor *c)
{
    return pdu->big_endian ? cursor_be16(c) : cursor_le16(c);
}

static inline uint32_t pdu_u32(const struct dcerpc_pdu *pdu, struct cursor *c)
{
    return pdu->big_endian ? cursor_be32(c) : cursor_le32(c);
}

/* -- dcerpc.c ------------------------------------------------------------------------------------------- */

/* The stated size of the PDU that begins here (at least its 16 bytes of header are there). */
uint16_t dcerpc_pdu_size(const uint8_t header[DCERPC_HEADER_SIZE]);

/* One whole PDU, or as much of it as was captured or wanted. */
void dcerpc_message(struct dissect *d, struct dcerpc_association *a, struct bytes whole);

/* The context of that number: of this association, else of another pipe of the flow; NULL when unknown. */
const struct rpc_context *dcerpc_context(const struct dcerpc_association *a, uint16_t id);

/* What is common to all activities of an association: carrier, pipe, account, authentication. */
void dcerpc_put_common(struct dissect *d, const struct dcerpc_association *a, struct activity_writer *w);

/* The NetBIOS names of domain and computer in an NL_AUTH_MESSAGE, as far as it has them; false when it is
 * none.
 */
bool dcerpc_netlogon_names(struct cursor token, struct bytes names[2]);

/* -- dcerpc_unseal.c ------------------------------------------------------------------------------------ */

/* Puts the plain text in the place of a sealed stub, when there is a key for it. */
void dcerpc_unseal(struct dissect *d, struct dcerpc_association *a, struct dcerpc_pdu *pdu);
/* The exchange is about to begin another security context: the one it has is kept. */
void dcerpc_unseal_keep(struct dissect *d, struct dcerpc_association *a);
/* A bind to NETLOGON's secure channel. */
void dcerpc_unseal_netlogon(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu);
/* Whether some of what is sealed can be read; whether all of it must be to read any. */
bool dcerpc_unseal_possible(const struct dcerpc_association *a);
bool dcerpc_unseal_every(const struct dcerpc_association *a);
void dcerpc_unseal_end(struct dissect *d, struct dcerpc_association *a);

/* -- rpc_netlogon.c ------------------------------------------------------------------------------------- */

/* Gives back what is kept of a handshake. */
void rpc_netlogon_end(struct dissect *d, struct dcerpc_association *a);

/* -- dcerpc_call.c -------------------------------------------------------------------------------------- */

void dcerpc_request(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu);
void dcerpc_response(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu);
void dcerpc_fault(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu);
/* Writes the joint activities and gives the calls' memory back. */
void dcerpc_calls_end(struct dissect *d, struct dcerpc_association *a);
