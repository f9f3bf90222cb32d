/* SPDX-License-Identifier: Apache-2.0
 *
 * Workspaces, users, tokens. Who is of one workspace sees and makes those of that one only; nobody gives away
 * more than they have.
 */
#include "center/api_audit.h"
#include "center/api_routes.h"
#include "center/api_token.h"
#include "center/store_settings.h"

#include <sodium.h>
#include <stdio.h>

/* --- workspaces --- */

static void write_workspace(void *context, const struct stored_workspace *workspace)
{
    struct api_work *work = context;
    if (work->caller.workspace && work->caller.workspace != workspace->id)
        return;
    json_write_object(&work->answer, NULL);
    json_write_uint(&work->answer, "id", workspace->id);
    json_write_string(&work->answer, "name", workspace->name);
    api_write_time(&work->answer, "created", workspace->created);
    json_write_close(&work->answer);
}

bool api_workspaces_list(struct api_work *work)
{
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_workspaces_list(work->store, write_workspace, work);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

/* A word for people to type: letters, digits, and -._ within. */
static bool is_word(const char *text)
{
    size_t size = strlen(text);
    return size > 0 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._@\\") == size &&
           text[0] != '-';
}

static bool add_workspace(struct api_work *work)
{
    struct stored_workspace there, workspace = {.created = clock_wall(work->core->clock)};
    if (!api_body_text(work, "name", true, workspace.name, sizeof(workspace.name)))
        return false;
    if (!is_word(workspace.name))
        return api_problem(work, 422, "name: letters, digits and -._ are wanted");
    if (store_workspace_find(work->store, workspace.name, &there))
        return api_problem(work, 409, "there is a workspace of that name");
    if (!store_workspace_add(work->store, &workspace))
        return api_store_failed(work);
    api_audit_add(work, workspace.id, "workspace-added", workspace.name, NULL, workspace.name);
    write_workspace(work, &workspace);
    return true;
}

bool api_workspace_add(struct api_work *work)
{
    static const char *const keys[] = {"name", NULL};
    work->status = 201;
    return api_body_only(work, keys) && api_change(work, add_workspace);
}

/* --- what users and tokens share --- */

/* Whether the caller may see and change what is of that workspace (0: of all). */
static bool is_theirs(const struct api_work *work, uint64_t workspace)
{
    return !work->caller.workspace || work->caller.workspace == workspace;
}

/* "role"; left alone when it is not there and need not be. */
static bool take_role_word(struct api_work *work, bool required, enum user_role *role)
{
    char word[24] = "";
    if (!api_body_text(work, "role", required, word, sizeof(word)))
        return false;
    if (*word && (!user_role_by_name(word, role) || *role == ROLE_NONE))
        return api_problem(work, 422, "role: viewer, user or administrator is wanted");
    return *word || !required || api_problem(work, 422, "role: viewer, user or administrator is wanted");
}

/* "role" and, for those who see all workspaces, "all_workspaces". */
static bool take_role(struct api_work *work, enum user_role *role, uint64_t *workspace)
{
    if (!take_role_word(work, true, role))
        return false;
    bool all = json_is_true(json_object_get(work->json, "all_workspaces"));
    if (all && work->caller.workspace)
        return api_problem(work, 403, "only who sees all workspaces gives that to others");
    *workspace = all ? 0 : work->workspace;
    return true;
}

static void write_role(struct json_writer *w, enum user_role role, uint64_t workspace)
{
    json_write_string(w, "role", user_role_name(role));
    if (workspace)
        json_write_uint(w, "workspace", workspace);
    else
        json_write_null(w, "workspace");
}

/* --- users --- */

static void write_user(void *context, const struct stored_user *user)
{
    struct api_work *work = context;
    if (!is_theirs(work, user->workspace))
        return;
    json_write_object(&work->answer, NULL);
    json_write_int(&work->answer, "id", user->id);
    json_write_string(&work->answer, "name", user->name);
    write_role(&work->answer, user->role, user->workspace);
    json_write_bool(&work->answer, "disabled", user->disabled);
    api_write_time(&work->answer, "created", user->created);
    json_write_close(&work->answer);
}

bool api_users_list(struct api_work *work)
{
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_users_list(work->store, write_user, work);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

static bool hash_password(struct api_work *work, struct stored_user *user)
{
    char password[256] = "";
    if (!api_body_text(work, "password", false, password, sizeof(password)))
        return false;
    if (!*password)
        return true;
    bool long_enough = strlen(password) >= 12;
    bool done = long_enough && crypto_pwhash_str(user->password, password, strlen(password),
                                                 crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                                 crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
    sodium_memzero(password, sizeof(password));
    if (!long_enough)
        return api_problem(work, 422, "password: at least 12 characters are wanted");
    return done || api_problem(work, 503, "no memory to hash the password");
}

static bool add_user(struct api_work *work)
{
    struct stored_user there, user = {.created = clock_wall(work->core->clock)};
    if (!api_body_text(work, "name", true, user.name, sizeof(user.name)) ||
        !take_role(work, &user.role, &user.workspace) || !hash_password(work, &user))
        return false;
    if (!is_word(user.name))
        return api_problem(work, 422, "name: letters, digits and -._@\\ are wanted");
    if (store_user_find(work->store, user.name, &there))
        return api_problem(work, 409, "there is a user of that name");
    if (!store_user_put(work->store, &user))
        return api_store_failed(work);
    api_audit_add(work, user.workspace, "user-added", user.name, NULL, user_role_name(user.role));
    write_user(work, &user);
    return true;
}

bool api_user_add(struct api_work *work)
{
    static const char *const keys[] = {"name", "role", "password", "all_workspaces", NULL};
    work->status = 201;
    return api_body_only(work, keys) && api_change(work, add_user);
}

/* The user in the path. False: 404 was answered, also for one of another workspace. */
static bool find_user(struct api_work *work, struct stored_user *user)
{
    int64_t id;
    if (!api_part_number(work, &id))
        return false;
    return (store_user_get(work->store, id, user) && is_theirs(work, user->workspace)) ||
           api_problem(work, 404, "there is no such user");
}

static bool take_disabled(struct api_work *work, bool *disabled)
{
    const json_t *wish = json_object_get(work->json, "disabled");
    if (wish && !json_is_boolean(wish))
        return api_problem(work, 422, "disabled: true or false is wanted");
    *disabled = wish ? json_is_true(wish) : *disabled;
    return true;
}

/* "viewer" or "viewer, disabled": for the audit. */
static void describe_user(const struct stored_user *user, char to[64])
{
    snprintf(to, 64, "%s%s", user_role_name(user->role), user->disabled ? ", disabled" : "");
}

static bool change_user(struct api_work *work)
{
    struct stored_user user;
    char before[64], after[64];
    if (!find_user(work, &user))
        return false;
    describe_user(&user, before);
    if (!take_role_word(work, false, &user.role) || !take_disabled(work, &user.disabled) ||
        !hash_password(work, &user))
        return false;
    describe_user(&user, after);
    store_user_put(work->store, &user);
    api_audit_add(work, user.workspace, "user-changed", user.name, before, after);
    if (json_object_get(work->json, "password"))
        api_audit_add(work, user.workspace, "password-changed", user.name, NULL, NULL);
    write_user(work, &user);
    return true;
}

bool api_user_patch(struct api_work *work)
{
    static const char *const keys[] = {"role", "disabled", "password", NULL};
    return api_body_only(work, keys) && api_change(work, change_user);
}

static bool remove_user(struct api_work *work)
{
    struct stored_user user;
    if (!find_user(work, &user))
        return false;
    store_user_remove(work->store, user.id);
    api_audit_add(work, user.workspace, "user-removed", user.name, user.name, NULL);
    work->status = 204;
    return true;
}

bool api_user_remove(struct api_work *work)
{
    return api_change(work, remove_user);
}

/* --- tokens --- */

/* Of a user's the role and the workspace are the user's. */
static void write_owner(struct api_work *work, const struct stored_token *token)
{
    struct stored_user user;
    bool owned = token->user && store_user_get(work->store, token->user, &user);
    json_write_string(&work->answer, "user", owned ? user.name : NULL);
    if (owned)
        write_role(&work->answer, user.role, user.workspace);
    else
        write_role(&work->answer, token->role, token->workspace);
}

static void write_token(struct api_work *work, const struct stored_token *token, const char *secret)
{
    if (!is_theirs(work, token->workspace))
        return;
    json_write_object(&work->answer, NULL);
    json_write_int(&work->answer, "id", token->id);
    json_write_string(&work->answer, "name", token->name);
    write_owner(work, token);
    api_write_time(&work->answer, "created", token->created);
    api_write_time(&work->answer, "expires", token->expires);
    api_write_time(&work->answer, "used", token->used);
    if (secret)
        json_write_string(&work->answer, "token", secret);
    json_write_close(&work->answer);
}

static void list_token(void *context, const struct stored_token *token)
{
    write_token(context, token, NULL);
}

bool api_tokens_list(struct api_work *work)
{
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_tokens_list(work->store, list_token, work);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

/* "user", whose role and workspace it gets; else "role" and "all_workspaces". */
static bool take_owner(struct api_work *work, struct stored_token *token)
{
    struct stored_user user;
    char name[USER_NAME_MAX] = "";
    if (!api_body_text(work, "user", false, name, sizeof(name)))
        return false;
    if (!*name)
        return take_role(work, &token->role, &token->workspace);
    if (json_object_get(work->json, "role") || json_object_get(work->json, "all_workspaces"))
        return api_problem(work, 422, "a user's token has the user's role and workspace");
    if (!store_user_find(work->store, name, &user) || !is_theirs(work, user.workspace))
        return api_problem(work, 422, "user: there is none of that name");
    token->user = user.id;
    token->role = user.role;
    token->workspace = user.workspace;
    return true;
}

static bool add_token(struct api_work *work)
{
    int64_t now = clock_wall(work->core->clock);
    struct stored_token token = {.created = now};
    char secret[API_TOKEN_TEXT];
    const json_t *days = json_object_get(work->json, "days");
    if (!api_body_text(work, "name", true, token.name, sizeof(token.name)) || !take_owner(work, &token))
        return false;
    if (!is_word(token.name))
        return api_problem(work, 422, "name: letters, digits and -._@\\ are wanted");
    if (days && (!json_is_integer(days) || json_integer_value(days) < 1 || json_integer_value(days) > 3660))
        return api_problem(work, 422, "days: a number from 1 to 3660 is wanted");
    token.expires = days ? now + json_integer_value(days) * CLOCK_DAY : 0;
    api_token_make(secret, token.hash);
    if (store_token_add(work->store, &token)) {
        api_audit_add(work, token.workspace, "token-added", token.name, NULL, user_role_name(token.role));
        write_token(work, &token, secret);
    }
    sodium_memzero(secret, sizeof(secret));
    return true;
}

bool api_token_add(struct api_work *work)
{
    static const char *const keys[] = {"name", "user", "role", "days", "all_workspaces", NULL};
    work->status = 201;
    return api_body_only(work, keys) && api_change(work, add_token);
}

struct sought {
    const struct api_work *work;
    int64_t id;
    bool found;
    char name[USER_NAME_MAX];
    uint64_t workspace;
};

static void seek_token(void *context, const struct stored_token *token)
{
    struct sought *sought = context;
    if (token->id != sought->id || !is_theirs(sought->work, token->workspace))
        return;
    sought->found = true;
    sought->workspace = token->workspace;
    memcpy(sought->name, token->name, sizeof(sought->name));
}

static bool remove_token(struct api_work *work)
{
    struct sought sought = {.work = work};
    if (!api_part_number(work, &sought.id))
        return false;
    store_tokens_list(work->store, seek_token, &sought);
    if (!sought.found || !store_token_remove(work->store, sought.id))
        return api_problem(work, 404, "there is no such token");
    api_audit_add(work, sought.workspace, "token-removed", sought.name, sought.name, NULL);
    work->status = 204;
    return true;
}

bool api_token_remove(struct api_work *work)
{
    return api_change(work, remove_token);
}
