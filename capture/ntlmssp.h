/* SPDX-License-Identifier: Apache-2.0
 *
 * NTLMSSP messages ([MS-NLMP] 2.2): bytes in, a view into them out. What a short or cut message does not have
 * is empty; nothing here is a secret that could be used, except what it takes to guess the password, and the
 * caller keeps a fingerprint of that only.
 */
#pragma once

#include "base/cursor.h"

enum ntlm_type {
    NTLM_NEGOTIATE = 1,
    NTLM_CHALLENGE = 2,
    NTLM_AUTHENTICATE = 3,
};

/* NegotiateFlags that matter here ([MS-NLMP] 2.2.2.5). */
#define NTLM_FLAG_UNICODE   0x00000001u
#define NTLM_FLAG_ANONYMOUS 0x00000800u
#define NTLM_FLAG_ESS       0x00080000u /* extended session security */
#define NTLM_FLAG_VERSION   0x02000000u

/* AV_PAIRs ([MS-NLMP] 2.2.2.1); the names are UTF-16LE. */
struct ntlm_target_info {
    struct bytes nb_computer;
    struct bytes nb_domain;
    struct bytes dns_computer;
    struct bytes dns_domain;
    struct bytes dns_forest;
    struct bytes target_spn;
    struct bytes channel_bindings; /* 16 bytes; all zero: none */
    struct bytes machine;          /* MachineID of MsvAvSingleHost, 32 bytes */
    bool has_flags;
    uint32_t flags; /* 1: constrained; 2: a MIC is in the message; 4: target name is not trusted */
    int64_t time;   /* ns since 1970; 0: none */
};

/* How the client proved itself. */
enum ntlm_variant {
    NTLM_VARIANT_ANONYMOUS,
    NTLM_VARIANT_LM, /* an LM response and no NT response */
    NTLM_VARIANT_NTLMV1,
    NTLM_VARIANT_NTLMV1_ESS, /* NTLMv1 with client challenge ("NTLM2 session response") */
    NTLM_VARIANT_NTLMV2,
};

struct ntlm_message {
    uint8_t type;
    bool cut; /* a payload field lies beyond what is there */
    bool has_flags;
    uint32_t flags;
    struct bytes version; /* VERSION, 8 bytes ([MS-NLMP] 2.2.2.10); empty: none */

    /* NEGOTIATE: OEM; CHALLENGE: target; AUTHENTICATE: by flags. */
    bool unicode;
    struct bytes domain;
    struct bytes workstation;
    struct bytes user;
    struct bytes target; /* CHALLENGE: TargetName */

    struct bytes server_challenge; /* CHALLENGE: 8 bytes */
    struct bytes target_info;      /* CHALLENGE, and the client's copy in an NTLMv2 response */

    struct bytes lm_response;
    struct bytes nt_response;
    struct bytes session_key; /* AUTHENTICATE: EncryptedRandomSessionKey */
    uint16_t lm_length;       /* as announced */
    uint16_t nt_length;
    bool mic; /* there is room for one, and it is not zero */
    enum ntlm_variant variant;
    struct bytes client_challenge; /* NTLMv2, NTLMv1 with extended session security: 8 bytes */
    int64_t client_time;           /* NTLMv2; ns since 1970; 0: none */
};

/* False when it is not one: the signature and a known type are needed, the rest may be missing. `flags` are
 * those of the exchange so far, for an AUTHENTICATE that has none of its own. */
bool ntlm_parse(struct cursor c, uint32_t flags, struct ntlm_message *to);

void ntlm_read_target_info(struct bytes info, struct ntlm_target_info *to);

const char *ntlm_variant_name(enum ntlm_variant variant);
