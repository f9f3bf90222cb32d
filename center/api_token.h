/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: "picket_" and 256 random bits in hexadecimal. The store knows the BLAKE2b-256 of those bits.
 */
#pragma once

#include "center/api_request.h"

#define API_TOKEN_PREFIX "picket_"
#define API_TOKEN_SIZE   32u
#define API_TOKEN_TEXT   (sizeof(API_TOKEN_PREFIX) + 2 * API_TOKEN_SIZE) /* with its end */

/* A new one; `text` is a secret. */
void api_token_make(char text[API_TOKEN_TEXT], uint8_t hash[TOKEN_HASH_SIZE]);
/* The hash of what somebody shows. False: it is no token. */
bool api_token_hash(const char *text, uint8_t hash[TOKEN_HASH_SIZE]);
/* Who shows it; unknown when it is none or has expired, or its user is disabled. `authorization`: of the
 * header, NULL: none. */
void api_token_caller(struct store *store, const char *authorization, int64_t now, struct api_caller *caller,
                      struct stored_token *token);
/* Likewise by the token's hash: what it is worth by now. */
void api_token_owner(struct store *store, const uint8_t hash[TOKEN_HASH_SIZE], int64_t now,
                     struct api_caller *caller, struct stored_token *token);
