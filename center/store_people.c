/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_people.h"

#include <string.h>

static const char *const role_names[] = {"none", "viewer", "user", "administrator"};

const char *user_role_name(enum user_role role)
{
    return role_names[role];
}

bool user_role_by_name(const char *name, enum user_role *role)
{
    for (unsigned i = 0; i < USER_ROLES; i++) {
        if (strcmp(name, role_names[i]) == 0) {
            *role = (enum user_role)i;
            return true;
        }
    }
    return false;
}

/* What a newer version may have put there gives no rights. */
static enum user_role role_of(int64_t value)
{
    return value > 0 && value < USER_ROLES ? (enum user_role)value : ROLE_NONE;
}

bool store_user_put(struct store *store, struct stored_user *user)
{
    if (user->id)
        return store_run(store,
                         "UPDATE OR IGNORE users SET workspace = ?2, name = ?3, password = ?4, role = ?5,"
                         " disabled = ?6 WHERE id = ?1",
                         store_int(user->id), store_uint(user->workspace), store_string(user->name),
                         store_string(user->password), store_int((int64_t)user->role),
                         store_int(user->disabled)) &&
               store_changed(store) > 0;
    bool added =
        store_run(store,
                  "INSERT INTO users (workspace, name, password, role, disabled, created)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                  store_uint(user->workspace), store_string(user->name), store_string(user->password),
                  store_int((int64_t)user->role), store_int(user->disabled), store_int(user->created)) &&
        store_changed(store) > 0;
    if (added)
        user->id = store_added(store);
    return added;
}

static void read_user(const struct store_rows *rows, struct stored_user *to)
{
    to->id = store_get_int(rows, 0);
    to->workspace = store_get_uint(rows, 1);
    store_get_text(rows, 2, to->name, sizeof(to->name));
    store_get_text(rows, 3, to->password, sizeof(to->password));
    to->role = role_of(store_get_int(rows, 4));
    to->disabled = store_get_int(rows, 5) != 0;
    to->created = store_get_int(rows, 6);
}

#define USER_COLUMNS "id, workspace, name, password, role, disabled, created"

bool store_user_find(struct store *store, const char *name, struct stored_user *to)
{
    struct store_rows rows =
        store_query(store, "SELECT " USER_COLUMNS " FROM users WHERE name = ?1", store_string(name));
    bool found = store_next(&rows);
    if (found)
        read_user(&rows, to);
    store_rows_end(&rows);
    return found;
}

bool store_user_get(struct store *store, int64_t id, struct stored_user *to)
{
    struct store_rows rows =
        store_query(store, "SELECT " USER_COLUMNS " FROM users WHERE id = ?1", store_int(id));
    bool found = store_next(&rows);
    if (found)
        read_user(&rows, to);
    store_rows_end(&rows);
    return found;
}

bool store_user_remove(struct store *store, int64_t id)
{
    return store_run(store, "DELETE FROM users WHERE id = ?1", store_int(id)) && store_changed(store) > 0;
}

size_t store_users_list(struct store *store, void (*visit)(void *context, const struct stored_user *user),
                        void *context)
{
    size_t count = 0;
    struct stored_user user;
    struct store_rows rows = store_query_all(store, "SELECT " USER_COLUMNS " FROM users ORDER BY name");
    for (; store_next(&rows); count++) {
        read_user(&rows, &user);
        visit(context, &user);
    }
    return count;
}

bool store_token_add(struct store *store, struct stored_token *token)
{
    bool added =
        store_run(store,
                  "INSERT INTO tokens (owner, workspace, name, hash, role, created, expires, used)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
                  token->user ? store_int(token->user) : store_null(), store_uint(token->workspace),
                  store_string(token->name), store_blob_of(token->hash, sizeof(token->hash)),
                  store_int((int64_t)token->role), store_int(token->created), store_int(token->expires));
    if (added)
        token->id = store_added(store);
    return added;
}

static void read_token(const struct store_rows *rows, struct stored_token *to)
{
    struct bytes hash = store_get_bytes(rows, 4);
    *to = (struct stored_token){.id = store_get_int(rows, 0),
                                .user = store_get_int(rows, 1),
                                .workspace = store_get_uint(rows, 2),
                                .role = role_of(store_get_int(rows, 5)),
                                .created = store_get_int(rows, 6),
                                .expires = store_get_int(rows, 7),
                                .used = store_get_int(rows, 8)};
    store_get_text(rows, 3, to->name, sizeof(to->name));
    if (hash.size == sizeof(to->hash))
        memcpy(to->hash, hash.data, hash.size);
}

#define TOKEN_COLUMNS "id, owner, workspace, name, hash, role, created, expires, used"

bool store_token_find(struct store *store, const uint8_t hash[TOKEN_HASH_SIZE], struct stored_token *to)
{
    struct store_rows rows = store_query(store, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE hash = ?1",
                                         store_blob_of(hash, TOKEN_HASH_SIZE));
    bool found = store_next(&rows);
    if (found)
        read_token(&rows, to);
    store_rows_end(&rows);
    return found;
}

bool store_token_used(struct store *store, int64_t id, int64_t at)
{
    return store_run(store, "UPDATE tokens SET used = ?2 WHERE id = ?1", store_int(id), store_int(at));
}

bool store_token_remove(struct store *store, int64_t id)
{
    return store_run(store, "DELETE FROM tokens WHERE id = ?1", store_int(id)) && store_changed(store) > 0;
}

size_t store_tokens_list(struct store *store, void (*visit)(void *context, const struct stored_token *token),
                         void *context)
{
    size_t count = 0;
    struct stored_token token;
    struct store_rows rows = store_query_all(store, "SELECT " TOKEN_COLUMNS " FROM tokens ORDER BY id");
    for (; store_next(&rows); count++) {
        read_token(&rows, &token);
        visit(context, &token);
    }
    return count;
}
