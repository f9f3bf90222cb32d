/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading what is sealed (docs/keytab.md). The keys are held by a process of its own; a dissector asks it
 * through these functions and never sees a key: a security context is a number, plain text comes back only
 * after its integrity check passed, and the keys inside of tickets are blanked.
 *
 * A question costs two turns of the scheduler, so few are asked at once. What only completes an activity is
 * posted: the activity waits, and many answers are collected by one question (dissect_emit_later). Contexts
 * that need no answer are told with the number that they are to have.
 *
 * Each function makes one request (a msgpack array: operation, arguments), hands it to the engine's unsealer
 * and reads the answer. Without an unsealer, or when it does not answer in time, nothing is unsealed: context
 * 0, false, UNSEAL_SILENT. What they give back stands in d->scratch, and so lives as long as the call of the
 * dissector.
 */
#pragma once

#include "capture/dissect.h"

/* How the engine reaches who holds the keys. One belongs to one engine, and so to one thread. */
struct unsealer {
    void *context;
    /* Asks, and waits for as long as the driver allows. `answer` is valid until the next call. False: there
     * was no answer. */
    bool (*ask)(void *context, struct bytes request, struct bytes *answer);
    /* Tells what needs no answer; kept in order with what is asked, sent with the next question at the
     * latest. */
    void (*tell)(void *context, struct bytes request);
};

#define UNSEAL_REQUEST_MAX ((size_t)288 * 1024) /* bytes of one request, and of one answer */
#define UNSEAL_MESSAGE_MAX ((size_t)256 * 1024) /* of a sealed message; what is larger stays sealed */

enum unseal_operation {
    UNSEAL_KDC_REQUEST = 1, /* exchange, AS-REQ or TGS-REQ -> (nothing) */
    UNSEAL_KDC_REPLY,       /* exchange, AS-REP, TGS-REP or KRB-ERROR -> result, [part] */
    UNSEAL_AP_REQUEST,      /* AP-REQ -> result, context, [part] */
    UNSEAL_AP_REPLY,        /* context, direction, AP-REP -> (nothing) */
    UNSEAL_NTLM,            /* server challenge, AUTHENTICATE message -> result, context */
    UNSEAL_WRAP,            /* context, direction, token -> result, plain text */
    UNSEAL_RPC,             /* context, direction, PDU, stub at, stub size, token at -> result, plain text */
    UNSEAL_PRIV,            /* context, direction, KRB-PRIV -> result, plain text */
    UNSEAL_MIC,             /* context, direction, message, token -> result */
    UNSEAL_SMB,             /* context, dialect, cipher, signing algorithm, preauth hash -> result, context */
    UNSEAL_SMB_MESSAGE,     /* context, direction, message from its transform header on -> result, plain */
    UNSEAL_SMB_SIGNATURE,   /* context, message from its header on -> result */
    UNSEAL_NETLOGON,        /* account, computer, client challenge, server challenge, flags, client credential
                             * -> result */
    UNSEAL_NETLOGON_CONTEXT, /* computer -> result, context */
    UNSEAL_FORGET,           /* context -> (nothing) */
    UNSEAL_STATUS,           /* -> result, counters: keys/holder.h */
    UNSEAL_NAMED,            /* number, request that makes a context -> (nothing): it gets that number */
    UNSEAL_POST, /* number, request -> (nothing): its answer is kept; a context that it makes gets that number
                  */
    UNSEAL_COLLECT, /* -> result, [number, answer, ...] of what was posted, in that order */
};

enum unseal_result {
    UNSEAL_FINE = 0,
    UNSEAL_SILENT,      /* no keys at all, or no answer in time */
    UNSEAL_NO_KEY,      /* the key is not among those held */
    UNSEAL_OTHER_KVNO,  /* there are keys of that principal, but not of that version */
    UNSEAL_WRONG_KEY,   /* the key that should fit does not: the integrity check failed */
    UNSEAL_ETYPE,       /* an encryption type that is refused (DES) or not known */
    UNSEAL_NO_CONTEXT,  /* that context is not (or no longer) known */
    UNSEAL_ORDER,       /* a message before it is missing: its stream cipher cannot go on */
    UNSEAL_MALFORMED,   /* not what it should be */
    UNSEAL_UNSUPPORTED, /* a mechanism that is not understood */
};

/* --- Kerberos --- */

/* What one part of a message held. */
enum unsealed_kind {
    UNSEALED_PRESENTED = 1, /* EncTicketPart of the ticket that the client presents (TGS-REQ, AP-REQ) */
    UNSEALED_ISSUED,        /* EncTicketPart of the ticket that the KDC issued */
    UNSEALED_ARMOR,         /* EncTicketPart of the ticket that armors a request */
    UNSEALED_ADDITIONAL,    /* EncTicketPart of an additional ticket, in their order */
    UNSEALED_AUTHENTICATOR, /* Authenticator */
    UNSEALED_REPLY,         /* EncASRepPart, EncTGSRepPart */
    UNSEALED_TIMESTAMP,     /* PA-ENC-TS-ENC, of PA-ENC-TIMESTAMP or of an encrypted challenge */
    UNSEALED_FAST_REQUEST,  /* KrbFastReq: what an armored request really says */
    UNSEALED_FAST_RESPONSE, /* KrbFastResponse */
    UNSEALED_AUTHORIZATION, /* AuthorizationData of enc-authorization-data */
};

/* What became of a signature of a PAC ([MS-PAC] 2.8). */
enum pac_verdict {
    PAC_SIGNATURE_ABSENT = 0,
    PAC_SIGNATURE_GOOD,
    PAC_SIGNATURE_BAD,
    PAC_SIGNATURE_UNKNOWN, /* its key is not held */
};

enum pac_signature { PAC_SERVER, PAC_KDC, PAC_TICKET, PAC_FULL, PAC_SIGNATURES };

struct unsealed_part {
    enum unsealed_kind kind;
    enum unseal_result result;
    int32_t etype;                      /* it was sealed with */
    uint32_t kvno;                      /* of the key; 0: a session key */
    struct bytes plain;                 /* DER, the keys in it zeroed; empty unless UNSEAL_FINE */
    bool pac;                           /* a ticket with a PAC */
    uint8_t signatures[PAC_SIGNATURES]; /* enum pac_verdict */
};

#define UNSEALED_PARTS_MAX 16

struct unsealed {
    enum unseal_result result; /* FINE when any part is */
    size_t count;
    struct unsealed_part parts[UNSEALED_PARTS_MAX];
};

/* A request to a KDC; `exchange` is told again with its reply (unique in the engine). */
void unseal_kdc_request(struct dissect *d, uint64_t exchange, struct bytes message);

/* Posts the reply (or the error): what both held. The number of what was posted, 0: nobody to ask. */
uint64_t unseal_kdc_reply(struct dissect *d, uint64_t exchange, struct bytes message);
/* The answer to it. */
void unseal_kdc_read(struct dissect *d, struct bytes answer, struct unsealed *to);

/* An AP-REQ that begins a security context; the context, or 0. */
uint64_t unseal_ap_request(struct dissect *d, struct bytes message, struct unsealed *to);

/* Posts it: the number of what was posted, and of the context (0: nobody to ask), which is found wanting when
 * it is used. The answer to it; false: there is no context. */
uint64_t unseal_ap_post(struct dissect *d, struct bytes message);
bool unseal_ap_read(struct dissect *d, struct bytes answer, struct unsealed *to);

/* An AP-REP of either side (the client's third leg with DCE style). */
void unseal_ap_reply(struct dissect *d, uint64_t context, struct bytes message);

/* KRB-PRIV in that context (kpasswd): its user-data, in which a new password is blanked. */
enum unseal_result unseal_priv(struct dissect *d, uint64_t context, struct bytes message,
                               struct bytes *plain);

/* --- NTLM --- */

/* AUTHENTICATE_MESSAGE in answer to that challenge: the context (0: nobody to ask). Whether there is a key
 * that made the response shows when the context is used: UNSEAL_NO_CONTEXT otherwise. */
uint64_t unseal_ntlm(struct dissect *d, const uint8_t challenge[8], struct bytes message);

/* --- what contexts protect; the direction is d->direction --- */

/* Posts a token of GSS_Wrap (RFC 4121 4.2.6.2, RFC 4757 7.3) or of NTLM's SEAL with its signature in front:
 * the number of what was posted, 0: nobody to ask. The answer to it. */
uint64_t unseal_wrap(struct dissect *d, uint64_t context, struct bytes token);
enum unseal_result unseal_plain_read(struct dissect *d, struct bytes answer, struct bytes *plain);

/* A PDU with privacy ([MS-RPCE] 2.2.2.11, 3.3.1.5.2): its stub (with the authentication's padding). `stub_at`
 * and `token_at` count from the PDU's first byte. */
enum unseal_result unseal_rpc(struct dissect *d, uint64_t context, struct bytes pdu, size_t stub_at,
                              size_t stub_size, size_t token_at, struct bytes *plain);

/* A MIC token over a message (GSS-TSIG). */
enum unseal_result unseal_mic(struct dissect *d, uint64_t context, struct bytes message, struct bytes token);

void unseal_forget(struct dissect *d, uint64_t context);

/* --- SMB --- */

struct unseal_smb_session {
    uint16_t dialect;
    uint16_t cipher;          /* [MS-SMB2] 2.2.3.1.2; 0: not negotiated (3.0: AES-128-CCM) */
    uint16_t signing;         /* 2.2.3.1.7; 0xffff: not negotiated */
    uint8_t preauth_hash[64]; /* 3.1.1: Session.PreauthIntegrityHashValue */
};

/* The session that a security context set up: its own context (0: nobody to ask), which is found wanting when
 * it is used, as NTLM's. */
uint64_t unseal_smb(struct dissect *d, uint64_t context, const struct unseal_smb_session *session);
enum unseal_result unseal_smb_message(struct dissect *d, uint64_t session, struct bytes message,
                                      struct bytes *plain);
/* Posts a signed message: the number of what was posted, 0: nobody to ask. */
uint64_t unseal_smb_signature(struct dissect *d, uint64_t session, struct bytes message);
/* The result that an answer begins with; UNSEAL_SILENT when there is none. */
enum unseal_result unseal_result_read(struct bytes answer);

/* --- NETLOGON's secure channel ([MS-NRPC] 3.1.4) --- */

struct unseal_netlogon_handshake {
    struct bytes account; /* UTF-16LE, of the request */
    struct bytes computer;
    uint8_t client_challenge[8];
    uint8_t server_challenge[8];
    uint8_t client_credential[8];
    uint32_t flags; /* as the server answered them */
};

/* After a NetrServerAuthenticate: from now on the channel of that computer can be read. */
enum unseal_result unseal_netlogon(struct dissect *d, const struct unseal_netlogon_handshake *handshake);

/* The context of an association that binds with NL_AUTH_MESSAGE; the name is UTF-8 or OEM. */
uint64_t unseal_netlogon_context(struct dissect *d, struct bytes computer);

/* --- what was posted (posted.c) --- */

/* The answers that there are by now, valid until the next question. False: there was no answer to that. */
struct unseal_collected {
    struct cursor c;
    uint32_t left;
};
bool unseal_collect(const struct unsealer *unsealer, struct unseal_collected *to);
/* In the order in which they were posted; some may be missing. False behind the last. */
bool unseal_collected_next(struct unseal_collected *collected, uint64_t *number, struct bytes *answer);

/* True when there is somebody to ask. */
bool unseal_possible(const struct dissect *d);
