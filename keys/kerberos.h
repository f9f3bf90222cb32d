/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Kerberos operations share: tickets opened, parts collected, keys taken out. Inside of keys/.
 */
#pragma once

#include "capture/kerberos_parts.h"
#include "keys/operations.h"

/* Key usages (RFC 4120 7.5.1, RFC 6113 5.4.6, RFC 4121 section 4.1.1). */
enum kerberos_usage {
    USAGE_TIMESTAMP = 1,
    USAGE_TICKET = 2,
    USAGE_AS_REPLY = 3,
    USAGE_AUTHORIZATION = 4,
    USAGE_AUTHORIZATION_SUBKEY = 5,
    USAGE_TGS_AUTHENTICATOR = 7,
    USAGE_TGS_REPLY = 8,
    USAGE_TGS_REPLY_SUBKEY = 9,
    USAGE_AP_AUTHENTICATOR = 11,
    USAGE_AP_REPLY = 12,
    USAGE_CREDENTIALS = 14,
    USAGE_PAC = 17,
    USAGE_FAST_REQUEST = 51,
    USAGE_FAST_REPLY = 52,
    USAGE_CHALLENGE_CLIENT = 54,
};

/* --- parts (their plain text stands in holder->plain) --- */

/* NULL when there are too many. */
struct unsealed_part *part_add(struct unsealed *parts, enum unsealed_kind kind,
                               const struct krb_encrypted *sealed);
/* The list, and what it means as a whole: [result, (context,) [part]]. */
void answer_parts(struct key_request *r, const struct unsealed *parts);
void answer_parts_in_context(struct key_request *r, const struct unsealed *parts,
                             const struct security_context *context);

/* --- keys in plain text --- */

/* Of a type that is read, and of its size; otherwise false, and `to` is empty. */
bool key_take(const struct krb_key *from, struct key_material *to);
/* Zeroes the octets of all keys that a part of that kind has. `plain` is the holder's own memory. */
void keys_blank(enum unsealed_kind kind, struct bytes plain);

/* The KRB-CRED in the checksum of an authenticator that delegates (RFC 4121 4.1.1); empty when there is
 * none. */
struct bytes delegated_credentials(const struct krb_authenticator *authenticator);
/* Walks the keys of an EncKrbCredPart, in the order of its KRB-CRED's tickets; begins with `list` from
 * credentials_begin. A key that is not of a type that is read comes out empty. False at the end. */
struct cursor credentials_begin(struct bytes plain);
bool credentials_next(struct cursor *list, struct key_material *key);

/* --- decryption --- */

/* A key that is mixed with each candidate before it is tried: KRB-FX-CF2(with, key). */
struct key_mix {
    const struct key_material *with;
    const char *with_pepper, *key_pepper;
};

/* Tries the keys that were found for a principal. `mix` may be NULL, `fitted` too. The plain text is the
 * part's; without one it says why, and complaints tell it unless `quiet`. */
enum unseal_result kerberos_decrypt_for(struct key_holder *holder, struct keyring_search *search,
                                        const struct key_mix *mix, int32_t usage, struct bytes cipher,
                                        struct unsealed_part *part, struct long_term_key **fitted);
void kerberos_complain(struct key_holder *holder, const struct keyring_search *search,
                       enum unseal_result result);
/* With a session key; WRONG_KEY when it is of another type. */
enum unseal_result kerberos_decrypt_session(struct key_holder *holder, const struct key_material *key,
                                            int32_t usage, const struct krb_encrypted *sealed,
                                            struct unsealed_part *part);

/* --- tickets --- */

/* A ticket that was opened before need not be opened again: the same TGT is shown time and again. Bounded. */
struct ticket_cache;
struct ticket_cache *ticket_cache_new(void);
void ticket_cache_destroy(struct ticket_cache **cache_p);
/* Keys have changed. */
void ticket_cache_clear(struct ticket_cache *cache);

/* Opens a ticket and adds its part. `others` are session keys it may be sealed with (user-to-user). False
 * when its session key is not known; it may be known although the ticket cannot be read. */
bool kerberos_open_ticket(struct key_holder *holder, enum unsealed_kind kind, const struct krb_ticket *ticket,
                          const struct key_material *others, size_t count, struct unsealed *parts,
                          struct key_material *session);

/* Opens an authenticator, adds its part (unless `parts` is NULL) and takes its subkey. */
bool kerberos_open_authenticator(struct key_holder *holder, const struct krb_encrypted *sealed, int32_t usage,
                                 const struct key_material *session, struct unsealed *parts,
                                 struct krb_authenticator *authenticator, struct key_material *subkey);

/* --- PAC --- */

/* The signatures of the PAC in a ticket that `key` opened; `plain` is the ticket as it was, nothing blanked
 * yet. */
void pac_verify(struct key_holder *holder, const struct krb_ticket *ticket, const struct key_material *key,
                struct bytes plain, struct bytes pac, uint8_t verdicts[PAC_SIGNATURES]);
