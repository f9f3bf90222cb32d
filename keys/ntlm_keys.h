/* SPDX-License-Identifier: Apache-2.0
 *
 * What an NTLM authentication agrees on ([MS-NLMP] 3.3, 3.4.5): from an NT hash, the server's challenge and
 * the client's AUTHENTICATE_MESSAGE to session, signing and sealing keys. Pure. Inside of keys/.
 */
#pragma once

#include "capture/ntlmssp.h"
#include "keys/context.h"

/* NegotiateFlags of keys and signatures ([MS-NLMP] 2.2.2.5). */
#define NTLM_FLAG_SIGN         0x00000010u
#define NTLM_FLAG_SEAL         0x00000020u
#define NTLM_FLAG_DATAGRAM     0x00000040u
#define NTLM_FLAG_LM_KEY       0x00000080u
#define NTLM_FLAG_NON_NT_KEY   0x00400000u
#define NTLM_FLAG_128          0x20000000u
#define NTLM_FLAG_KEY_EXCHANGE 0x40000000u
#define NTLM_FLAG_56           0x80000000u

/* Whether the account whose NT hash this is made the response to that challenge, and then all keys. FINE;
 * WRONG_KEY: another hash made it; UNSUPPORTED: its session key comes from an LM hash, or there is no NT
 * response. MALFORMED: the key that was
 * exchanged is not there. `to` is zeroed unless FINE. What seals and signs comes later (ntlm_keys_expand):
 * most sessions only have SMB's keys made of theirs. */
enum unseal_result ntlm_keys_derive(const uint8_t nt_hash[16], const uint8_t challenge[8],
                                    const struct ntlm_message *authenticate, struct context_ntlm *to);

/* The keys of both directions, from session_key and flags of `to`; sequences begin at 0. For the first
 * message. */
void ntlm_keys_expand(struct context_ntlm *to);

/* One block of DES with a key of 56 bits ([MS-NLMP] 6: DES); NETLOGON's credentials are made with it too. */
void ntlm_des(const uint8_t key[7], const uint8_t from[8], uint8_t to[8]);
