/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api_token.h"

#include "base/text.h"
#include "cluster/crypto_sodium.h"

#include <sodium.h>
#include <stdio.h>

void api_token_make(char text[API_TOKEN_TEXT], uint8_t hash[TOKEN_HASH_SIZE])
{
    uint8_t secret[API_TOKEN_SIZE];
    crypto_random(secret, sizeof(secret));
    struct text t = text_to(text, API_TOKEN_TEXT);
    text_string(&t, API_TOKEN_PREFIX);
    text_hex(&t, (struct bytes){secret, sizeof(secret)});
    text_end(&t);
    crypto_digest(hash, secret, sizeof(secret));
    sodium_memzero(secret, sizeof(secret));
}

bool api_token_hash(const char *text, uint8_t hash[TOKEN_HASH_SIZE])
{
    uint8_t secret[API_TOKEN_SIZE];
    size_t prefix = strlen(API_TOKEN_PREFIX);
    bool fine =
        strncmp(text, API_TOKEN_PREFIX, prefix) == 0 && api_parse_hex(text + prefix, secret, sizeof(secret));
    if (fine)
        crypto_digest(hash, secret, sizeof(secret));
    sodium_memzero(secret, sizeof(secret));
    return fine;
}

/* What a user may is what their tokens may, at once. */
static void take_user(struct store *store, int64_t id, struct api_caller *caller)
{
    struct stored_user user;
    if (!store_user_get(store, id, &user) || user.disabled)
        return;
    *caller = (struct api_caller){.known = true, .role = user.role, .workspace = user.workspace};
    snprintf(caller->name, sizeof(caller->name), "%s", user.name);
}

void api_token_owner(struct store *store, const uint8_t hash[TOKEN_HASH_SIZE], int64_t now,
                     struct api_caller *caller, struct stored_token *token)
{
    *caller = (struct api_caller){.known = false};
    if (!store_token_find(store, hash, token) || (token->expires && token->expires <= now))
        return;
    if (token->user) {
        take_user(store, token->user, caller);
    } else {
        *caller = (struct api_caller){.known = true, .role = token->role, .workspace = token->workspace};
        snprintf(caller->name, sizeof(caller->name), "token:%.80s", token->name);
    }
    memcpy(caller->token, hash, TOKEN_HASH_SIZE);
}

void api_token_caller(struct store *store, const char *authorization, int64_t now, struct api_caller *caller,
                      struct stored_token *token)
{
    uint8_t hash[TOKEN_HASH_SIZE];
    *caller = (struct api_caller){.known = false};
    if (authorization && strncasecmp(authorization, "Bearer ", 7) == 0 &&
        api_token_hash(authorization + 7, hash))
        api_token_owner(store, hash, now, caller, token);
}
