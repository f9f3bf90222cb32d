/* SPDX-License-Identifier: Apache-2.0
 *
 * Security contexts: what an authentication agreed on, and so what its messages are sealed with. A table of
 * fixed size; the one used longest ago goes first. Inside of keys/.
 */
#pragma once

#include "keys/keyring.h"

enum context_kind {
    CONTEXT_NONE,
    CONTEXT_KERBEROS,
    CONTEXT_NTLM,
    CONTEXT_NETLOGON,
    CONTEXT_SMB,
};

struct context_kerberos {
    struct key_material session;  /* of the ticket */
    struct key_material subkey;   /* the client's; size 0: none */
    struct key_material acceptor; /* the server's; size 0: none (yet) */
    bool mutual;                  /* an AP-REP is to come */
};

/* One direction of NTLM's sealing; without extended session security the first is that of both. */
struct ntlm_half {
    uint8_t signing_key[16];
    uint8_t sealing_key[16];
    uint8_t rc4[258];  /* state of the stream cipher: i, j, S */
    uint32_t sequence; /* the number that comes next */
};

struct context_ntlm {
    uint8_t session_key[16]; /* ExportedSessionKey */
    uint32_t flags;
    bool expanded;            /* what follows is there */
    struct ntlm_half half[2]; /* by enum direction */
};

/* A domain controller has channels to many others, all under its own name: the latest of a computer. */
#define NETLOGON_KEYS_MAX 4

struct netlogon_key {
    uint8_t session_key[16];
    bool aes; /* otherwise strong: MD5 and RC4 */
};

struct context_netlogon {
    uint8_t count;
    struct netlogon_key keys[NETLOGON_KEYS_MAX]; /* the latest first, until one fitted */
};

struct context_smb {
    uint16_t dialect;
    uint16_t cipher;
    uint16_t signing;
    uint8_t key_size;          /* of the encryption keys: 16 or 32 */
    uint8_t encryption[2][32]; /* by enum direction */
    uint8_t signing_key[16];
};

struct security_context {
    uint64_t id; /* never 0, unique among those of its line; 0: free */
    uint8_t kind;
    uint32_t line;
    uint32_t index; /* where it stands */
    uint32_t newer, older;
    uint64_t listed; /* when it was put in front, in contexts */
    union {
        struct context_kerberos kerberos;
        struct context_ntlm ntlm;
        struct context_netlogon netlogon;
        struct context_smb smb;
    };
};

struct contexts;

struct contexts *contexts_new(uint32_t max);
void contexts_destroy(struct contexts **contexts_p);
/* A new one, zeroed but for id, kind and line. */
struct security_context *context_new(struct contexts *contexts, enum context_kind kind, uint32_t line);
/* Gives it the number that its caller chose; the one that had it before is forgotten. */
void context_rename(struct contexts *contexts, struct security_context *context, uint64_t id);
/* NULL when it is not known, or is another's line. */
struct security_context *context_find(struct contexts *contexts, uint64_t id, uint32_t line);
/* Wipes it. */
void context_forget(struct contexts *contexts, struct security_context *context);
void contexts_line_ended(struct contexts *contexts, uint32_t line);
uint32_t contexts_count(const struct contexts *contexts);
