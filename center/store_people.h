/* SPDX-License-Identifier: Apache-2.0
 *
 * Users and their tokens. Of passwords and tokens only hashes are kept: a password's as the caller made it
 * (crypto_pwhash_str), a token's as the BLAKE2b-256 of its bytes, for it is random.
 */
#pragma once

#include "center/store.h"

#define USER_NAME_MAX     96u
#define USER_PASSWORD_MAX 160u
#define TOKEN_HASH_SIZE   32u

enum user_role { ROLE_NONE, ROLE_VIEWER, ROLE_USER, ROLE_ADMINISTRATOR, USER_ROLES };
const char *user_role_name(enum user_role role);
bool user_role_by_name(const char *name, enum user_role *role);

struct stored_user {
    int64_t id;
    uint64_t workspace; /* 0: of all */
    char name[USER_NAME_MAX];
    char password[USER_PASSWORD_MAX]; /* its hash; empty: signs in by other means */
    enum user_role role;
    bool disabled;
    int64_t created;
};
/* With id 0 adds one, else changes it. False: the name is taken, or the store failed. */
bool store_user_put(struct store *store, struct stored_user *user);
bool store_user_find(struct store *store, const char *name, struct stored_user *to);
bool store_user_get(struct store *store, int64_t id, struct stored_user *to);
bool store_user_remove(struct store *store, int64_t id);
size_t store_users_list(struct store *store, void (*visit)(void *context, const struct stored_user *user),
                        void *context);

struct stored_token {
    int64_t id;
    int64_t user;       /* whose role and workspace it has, as they are when it is shown; 0: of a program */
    uint64_t workspace; /* 0: of all */
    char name[USER_NAME_MAX];
    uint8_t hash[TOKEN_HASH_SIZE];
    enum user_role role;
    int64_t created, expires; /* wall clock, ns; expires 0: never */
    int64_t used;             /* last; about */
};
bool store_token_add(struct store *store, struct stored_token *token);
/* By its hash, also when it has expired: the caller looks. False: there is none. */
bool store_token_find(struct store *store, const uint8_t hash[TOKEN_HASH_SIZE], struct stored_token *to);
bool store_token_used(struct store *store, int64_t id, int64_t at);
bool store_token_remove(struct store *store, int64_t id);
size_t store_tokens_list(struct store *store, void (*visit)(void *context, const struct stored_token *token),
                         void *context);
