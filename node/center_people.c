/* SPDX-License-Identifier: Apache-2.0
 *
 * picket users, tokens, workspaces, audit: who may ask the center, and what they did.
 */
#include "node/center_commands.h"
#include "node/command.h"
#include "node/option.h"
#include "node/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char command_users_options[] =
    "  add NAME            makes one; --role is wanted\n"
    "  set NAME            gives --role; what the user's tokens may follows at once\n"
    "  password NAME       asks for a password on the terminal, or reads --password-file\n"
    "  disable NAME        whose tokens count no more\n"
    "  enable NAME\n"
    "  remove NAME         with all tokens\n"
    "\noptions:\n" CENTER_COMMON_OPTIONS "  --role ROLE         (add, set) viewer, user or administrator\n"
    "  --all-workspaces    (add) of all workspaces, not of one\n"
    "  --password          (add) asks for a password on the terminal\n"
    "  --password-file FILE  (add, password) what stands in it; a file of yours alone, or a pipe\n";
const char command_tokens_options[] =
    "  add NAME            makes one and writes it to a new file that only its owner can read\n"
    "  remove NUMBER       from now on it counts no more\n"
    "\noptions:\n" CENTER_COMMON_OPTIONS
    "  --user NAME         (add) of that user, with whose role and workspace; not with --role\n"
    "  --role ROLE         (add) viewer, user or administrator\n"
    "  --all-workspaces    (add) of all workspaces, not of one\n"
    "  --days N            (add) until when; else for ever\n"
    "  --out FILE          (add) the new file\n";
const char command_workspaces_options[] = "  add NAME            makes one\n"
                                          "\noptions:\n" CENTER_COMMON_OPTIONS;
const char command_audit_options[] = CENTER_COMMON_OPTIONS "  --limit N           the newest N (50)\n"
                                                           "\nOBJECT: only what was done with that.\n";

/* --- users --- */

static int list_users(const struct center_arguments *arguments)
{
    return center_ask_and_show(arguments, "/users", NULL, show_users);
}

static void wipe(json_t *text)
{
    if (json_is_string(text))
        sodium_memzero((void *)(uintptr_t)json_string_value(text), json_string_length(text));
}

/* A password of the terminal or of a file, into the body. False: told. */
static bool take_password(const struct center_arguments *arguments, const char *name, json_t *body)
{
    struct disk_content password;
    struct fault fault = {.text = "there is no locked memory for it"};
    char prompt[160];
    snprintf(prompt, sizeof(prompt), "Password of %.100s", name);
    if (sodium_init() < 0 || !passphrase_read(&password, arguments->password_file, prompt, true, &fault)) {
        command_failed("the password", fault.text);
        return false;
    }
    json_t *text = json_stringn((const char *)password.data, password.size);
    disk_content_free(&password);
    if (!text)
        command_failed("the password", "UTF-8 is wanted");
    return text && json_object_set_new(body, "password", text) == 0;
}

static int change_user(const struct center_arguments *arguments, const char *name, json_t *body,
                       const char *what)
{
    char path[64];
    json_t *user;
    int status = center_find(arguments, "/users", "name", name, "user", &user);
    if (status != EXIT_FINE) {
        json_decref(body);
        return status;
    }
    snprintf(path, sizeof(path), "/users/%lld", (long long)show_number(user, "id", 0));
    json_decref(user);
    return center_change(arguments, body ? "PATCH" : "DELETE", path, body, "user %s %s", name, what);
}

static int add_user(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    if (!arguments->role)
        return command_misused("users", "--role viewer, user or administrator is wanted");
    json_t *body = json_pack("{ssss}", "name", words[0], "role", arguments->role);
    if (arguments->all_workspaces)
        json_object_set_new(body, "all_workspaces", json_true());
    if ((arguments->password || arguments->password_file) && !take_password(arguments, words[0], body)) {
        json_decref(body);
        return EXIT_FAILED;
    }
    json_t *password = json_incref(json_object_get(body, "password"));
    int status = center_change(arguments, "POST", "/users", body, "user %s is there", words[0]);
    wipe(password);
    json_decref(password);
    return status;
}

static int set_user(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    if (!arguments->role)
        return command_misused("users", "--role viewer, user or administrator is wanted");
    return change_user(arguments, words[0], json_pack("{ss}", "role", arguments->role), "is changed");
}

static int set_password(const struct center_arguments *arguments, char **words, int count)
{
    json_t *body = json_object();
    (void)count;
    if (!take_password(arguments, words[0], body)) {
        json_decref(body);
        return EXIT_FAILED;
    }
    json_t *password = json_incref(json_object_get(body, "password"));
    int status = change_user(arguments, words[0], body, "has a new password");
    wipe(password);
    json_decref(password);
    return status;
}

static int disable_user(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return change_user(arguments, words[0], json_pack("{sb}", "disabled", 1), "is disabled");
}

static int enable_user(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return change_user(arguments, words[0], json_pack("{sb}", "disabled", 0), "is enabled");
}

static int remove_user(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return change_user(arguments, words[0], NULL, "is removed");
}

int command_users(int argc, char **argv)
{
    static const struct center_verb verbs[] = {{"add", 1, 1, add_user},
                                               {"set", 1, 1, set_user},
                                               {"password", 1, 1, set_password},
                                               {"disable", 1, 1, disable_user},
                                               {"enable", 1, 1, enable_user},
                                               {"remove", 1, 1, remove_user},
                                               {NULL, 0, 0, NULL}};
    return center_run(verbs, list_users, CENTER_ROLE | CENTER_PASSWORD, argc, argv);
}

/* --- tokens --- */

static int list_tokens(const struct center_arguments *arguments)
{
    return center_ask_and_show(arguments, "/tokens", NULL, show_tokens);
}

/* Writes the token, and takes it out of the answer. */
static int write_token(int file, const char *path, json_t *answer)
{
    json_t *token = json_object_get(answer, "token");
    const char *text = json_string_value(token);
    bool done = text && dprintf(file, "%s\n", text) == (int)strlen(text) + 1 && fsync(file) == 0;
    int reason = errno;
    wipe(token);
    json_object_del(answer, "token");
    return done ? EXIT_FINE : command_failed(path, text ? strerror(reason) : "the center gave no token");
}

static int ask_token(const struct center_arguments *arguments, json_t *body, int file)
{
    json_t *answer;
    struct show_style style = show_style_of(&arguments->show);
    int status = center_ask(&arguments->center, "POST", "/tokens", NULL, body, &answer);
    if (status != EXIT_FINE)
        return status;
    status = write_token(file, arguments->out, answer);
    if (status == EXIT_FINE && arguments->show.json)
        show_json(stdout, answer, false);
    else if (status == EXIT_FINE)
        show_line(&style, NULL, "token %lld is in %s", (long long)show_number(answer, "id", 0),
                  arguments->out);
    json_decref(answer);
    return show_finish(status);
}

static int add_token(const struct center_arguments *arguments, char **words, int count)
{
    int64_t days;
    (void)count;
    if (!arguments->out)
        return command_misused("tokens", "--out FILE is wanted: a secret is not shown on a terminal");
    if (!arguments->user == !arguments->role || (arguments->user && arguments->all_workspaces))
        return command_misused("tokens", "--user NAME, or --role viewer, user or administrator is wanted");
    int file = open(arguments->out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return command_failed(arguments->out, strerror(errno));
    json_t *body =
        json_pack("{ssss*ss*}", "name", words[0], "user", arguments->user, "role", arguments->role);
    if (arguments->days && option_number(arguments->days, 1, 3660, &days))
        json_object_set_new(body, "days", json_integer(days));
    if (arguments->all_workspaces)
        json_object_set_new(body, "all_workspaces", json_true());
    int status = ask_token(arguments, body, file);
    close(file);
    if (status != EXIT_FINE)
        unlink(arguments->out);
    return status;
}

static int remove_token(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return center_remove(arguments, "tokens", "/tokens", words[0], "token");
}

int command_tokens(int argc, char **argv)
{
    static const struct center_verb verbs[] = {
        {"add", 1, 1, add_token}, {"remove", 1, 1, remove_token}, {NULL, 0, 0, NULL}};
    return center_run(verbs, list_tokens, CENTER_ROLE | CENTER_TOKEN, argc, argv);
}

/* --- workspaces, audit --- */

static int list_workspaces(const struct center_arguments *arguments)
{
    return center_ask_and_show(arguments, "/workspaces", NULL, show_workspaces);
}

static int add_workspace(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return center_change(arguments, "POST", "/workspaces", json_pack("{ss}", "name", words[0]),
                         "workspace %s is there", words[0]);
}

int command_workspaces(int argc, char **argv)
{
    static const struct center_verb verbs[] = {{"add", 1, 1, add_workspace}, {NULL, 0, 0, NULL}};
    return center_run(verbs, list_workspaces, 0, argc, argv);
}

int command_audit(int argc, char **argv)
{
    struct center_arguments arguments;
    int status = center_parse(&arguments, CENTER_LIMIT, 0, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    const struct center_argument query[] = {{"object", arguments.left_count ? arguments.left[0] : NULL},
                                            {"limit", arguments.limit ? arguments.limit : "50"},
                                            {NULL, NULL}};
    return center_ask_and_show(&arguments, "/audit", query, show_audit);
}
