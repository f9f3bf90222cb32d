/* SPDX-License-Identifier: Apache-2.0
 *
 * One function per operation of capture/unseal.h. Each reads its arguments with the request_ functions and
 * writes its whole answer; holder.c calls it. Inside of keys/.
 */
#pragma once

#include "keys/context.h"
#include "keys/holder.h"
#include "keys/kerberos_crypto.h"

struct key_holder {
    struct keyring *keyring;
    struct contexts *contexts;
    struct exchanges *exchanges; /* kerberos_kdc.c: requests to KDCs that wait for their reply */
    struct channels *channels;   /* netlogon.c: session keys by computer */
    struct complaints *complaints;
    struct collections *collections; /* answers that wait to be collected */
    struct derived_keys *derived;    /* kerberos_crypto.c */
    struct ticket_cache *opened;     /* kerberos_tickets.c */
    struct smb_signers *signers;     /* smb.c */
    struct key_holder_status status;
    uint8_t *plain;    /* UNSEAL_REQUEST_MAX bytes: where messages are decrypted */
    size_t plain_used; /* what was taken of it; wiped after each request */
};

struct key_request {
    struct key_holder *holder;
    uint32_t line;
    struct cursor c;
    uint32_t left; /* arguments */
    struct msgpack_writer *answer;
};

/* The next argument; 0 or empty and a failed cursor when it is not there or not of that type. */
uint64_t request_uint(struct key_request *r);
struct bytes request_bytes(struct key_request *r);
/* A context and a direction, the first arguments of many. NULL: answered already. */
struct security_context *request_context(struct key_request *r, enum direction *direction);

void count_result(struct key_holder *holder, enum unseal_result result);
/* Answers, and counts the result. */
void answer_result(struct key_request *r, enum unseal_result result);
void answer_plain(struct key_request *r, enum unseal_result result, const void *plain, size_t size);
void answer_context(struct key_request *r, enum unseal_result result, const struct security_context *context);

/* Memory for plain text, until the answer is written; NULL when there is no more. */
uint8_t *plain_take(struct key_holder *holder, size_t size);
/* Gives back what was taken last; it is wiped. */
void plain_give_back(struct key_holder *holder, size_t size);

/* Notes that a key was wanted in vain. `principal` may be NULL. */
void complain(struct key_holder *holder, enum unseal_result result, struct bytes realm,
              const struct krb_principal *principal, int32_t etype, uint32_t kvno, uint32_t kvno_held);

typedef void (*key_operation)(struct key_request *r);

/* kerberos_kdc.c */
void operation_kdc_request(struct key_request *r);
void operation_kdc_reply(struct key_request *r);
/* kerberos_ap.c */
void operation_ap_request(struct key_request *r);
void operation_ap_reply(struct key_request *r);
/* ntlm.c */
void operation_ntlm(struct key_request *r);
/* messages.c: by the context's kind to gss_krb5.c, ntlm_seal.c or netlogon.c */
void operation_wrap(struct key_request *r);
void operation_rpc(struct key_request *r);
void operation_mic(struct key_request *r);
/* kerberos_priv.c */
void operation_priv(struct key_request *r);
/* smb.c */
void operation_smb(struct key_request *r);
void operation_smb_message(struct key_request *r);
void operation_smb_signature(struct key_request *r);
struct smb_signers *smb_signers_new(void);
void smb_signers_destroy(struct smb_signers **all_p);
/* netlogon.c */
void operation_netlogon(struct key_request *r);
void operation_netlogon_context(struct key_request *r);
struct channels *channels_new(void);
void channels_destroy(struct channels **channels_p);

/* --- mechanisms: plain text of a message; `to` has as many bytes as the token or PDU. Nothing of it may be
 * used unless they return UNSEAL_FINE; only then *size is written. --- */

struct rpc_sealed {
    struct bytes pdu;
    size_t stub_at, stub_size, token_at;
};

enum unseal_result gss_krb5_unwrap(struct key_holder *holder, struct context_kerberos *context,
                                   enum direction direction, struct bytes token, uint8_t *to, size_t *size);
enum unseal_result gss_krb5_rpc(struct key_holder *holder, struct context_kerberos *context,
                                enum direction direction, const struct rpc_sealed *sealed, uint8_t *to,
                                size_t *size);
enum unseal_result gss_krb5_mic(struct key_holder *holder, struct context_kerberos *context,
                                enum direction direction, struct bytes message, struct bytes token);
enum unseal_result ntlm_unwrap(struct context_ntlm *context, enum direction direction, struct bytes token,
                               uint8_t *to, size_t *size);
enum unseal_result ntlm_rpc(struct context_ntlm *context, enum direction direction,
                            const struct rpc_sealed *sealed, uint8_t *to, size_t *size);
enum unseal_result netlogon_rpc(struct context_netlogon *context, enum direction direction,
                                const struct rpc_sealed *sealed, uint8_t *to, size_t *size);

/* The session key that SMB derives its own from ([MS-SMB2] 3.2.5.3): of a Kerberos or NTLM context. Bytes
 * written, 0 when there is none. */
size_t context_session_key(const struct security_context *context, uint8_t to[KEY_BYTES_MAX]);
