/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center token: who may ask the API. Works on the store's file, also while the center runs.
 */
#include "center/api_token.h"
#include "center/center_command.h"
#include "center/center_config.h"
#include "center/store_audit.h"
#include "center/store_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char center_token_options[] =
    "  create          makes one and writes it to a new file that only its owner can read\n"
    "  list            shows all, without their secrets\n"
    "  remove NUMBER   from now on it counts no more\n"
    "\noptions:\n"
    "  --config FILE        configuration (" CENTER_CONFIG_FILE ")\n"
    "  --name NAME          (create) what it is for\n"
    "  --user NAME          (create) of that user, with whose role and workspace; not with --role\n"
    "  --role ROLE          (create) viewer, user or administrator (viewer)\n"
    "  --workspace NAME     (create) of that workspace (default)\n"
    "  --all-workspaces     (create) of all\n"
    "  --days N             (create) until when; else for ever\n"
    "  --out FILE           (create) the new file; else standard output, which must be no terminal\n"
    "  --help               shows this help\n";

struct token_options {
    const char *config, *name, *user, *role, *workspace, *out;
    int all;
    long days;
};

static int failed(const char *reason)
{
    fprintf(stderr, "picket-center: %s\n", reason);
    return EXIT_FAILED;
}

static void audit(struct store *store, uint64_t workspace, const char *what, const char *name,
                  const char *after)
{
    struct audit_entry entry = {.workspace = workspace, .at = clock_wall(clock_system())};
    snprintf(entry.who, sizeof(entry.who), "picket-center token");
    snprintf(entry.what, sizeof(entry.what), "%s", what);
    snprintf(entry.object, sizeof(entry.object), "%s", name);
    snprintf(entry.after, sizeof(entry.after), "%s", after);
    store_audit_add(store, &entry);
}

/* --- create --- */

static bool write_secret(const char *path, const char *secret, struct fault *fault)
{
    char line[API_TOKEN_TEXT + 1];
    size_t size = (size_t)snprintf(line, sizeof(line), "%s\n", secret);
    int file = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : STDOUT_FILENO;
    bool done = file >= 0 && write(file, line, size) == (ssize_t)size && (!path || fsync(file) == 0);
    if (!done)
        fault_say(fault, "%s: %s", path ? path : "standard output", strerror(errno));
    if (path && file >= 0)
        close(file);
    sodium_memzero(line, sizeof(line));
    return done;
}

static bool fill_in(struct store *store, const struct token_options *options, struct stored_token *token,
                    struct fault *fault)
{
    struct stored_workspace workspace = {.id = WORKSPACE_DEFAULT};
    struct stored_user user = {.id = 0};
    int64_t now = clock_wall(clock_system());
    if (options->user && !store_user_find(store, options->user, &user))
        return fault_say(fault, "there is no user %s", options->user);
    if (!options->all && options->workspace && !store_workspace_find(store, options->workspace, &workspace))
        return fault_say(fault, "there is no workspace %s", options->workspace);
    token->workspace = options->user ? user.workspace : options->all ? 0 : workspace.id;
    token->role = options->user ? user.role : token->role;
    token->user = user.id;
    token->created = now;
    token->expires = options->days ? now + options->days * CLOCK_DAY : 0;
    snprintf(token->name, sizeof(token->name), "%s", options->name);
    return true;
}

static int create(struct store *store, const struct token_options *options)
{
    struct stored_token token = {.role = ROLE_NONE};
    struct fault fault;
    char secret[API_TOKEN_TEXT];
    if (!options->name || strlen(options->name) >= USER_NAME_MAX)
        return center_misused("token", "--name is wanted: what the token is for");
    if (options->user && (options->role || options->all || options->workspace))
        return center_misused("token", "--user: role and workspace are the user's");
    if (!user_role_by_name(options->role ? options->role : "viewer", &token.role) || token.role == ROLE_NONE)
        return center_misused("token", "--role: viewer, user or administrator is wanted");
    if (!options->out && isatty(STDOUT_FILENO))
        return center_misused("token", "--out FILE is wanted: a secret is not shown on a terminal");
    if (!fill_in(store, options, &token, &fault))
        return failed(fault.text);
    api_token_make(secret, token.hash);
    bool done = store_begin(store, &fault);
    if (done) {
        store_token_add(store, &token);
        audit(store, token.workspace, "token-added", token.name, user_role_name(token.role));
        done = write_secret(options->out, secret, &fault);
        if (done)
            done = store_commit(store, &fault);
        else
            store_abandon(store);
    }
    sodium_memzero(secret, sizeof(secret));
    return done ? EXIT_FINE : failed(fault.text);
}

/* --- list, remove --- */

static void print_token(void *context, const struct stored_token *token)
{
    char created[CLOCK_RFC3339_MAX], expires[CLOCK_RFC3339_MAX] = "never", used[CLOCK_RFC3339_MAX] = "never";
    (void)context;
    clock_rfc3339(token->created, created);
    if (token->expires)
        clock_rfc3339(token->expires, expires);
    if (token->used)
        clock_rfc3339(token->used, used);
    printf("%lld\t%s\t%s\t", (long long)token->id, token->name, user_role_name(token->role));
    if (token->workspace)
        printf("%llu", (unsigned long long)token->workspace);
    else
        printf("all");
    printf("\t%.19s\t%.19s\t%.19s\n", created, expires, used);
}

static int list(struct store *store)
{
    printf("NUMBER\tNAME\tROLE\tWORKSPACE\tCREATED\tEXPIRES\tUSED\n");
    store_tokens_list(store, print_token, NULL);
    return store_failed(store) ? failed(store_fault(store)) : EXIT_FINE;
}

static int remove_token(struct store *store, const char *number)
{
    struct fault fault;
    char *end;
    long long id = strtoll(number, &end, 10);
    if (*number < '0' || *number > '9' || *end)
        return center_misused("token", "remove: a number is wanted");
    if (!store_begin(store, &fault))
        return failed(fault.text);
    if (!store_token_remove(store, id)) {
        store_abandon(store);
        return failed("there is no such token");
    }
    audit(store, 0, "token-removed", number, "");
    return store_commit(store, &fault) ? EXIT_FINE : failed(fault.text);
}

/* --- the command line --- */

static int take(struct token_options *to, int c)
{
    char *end;
    switch (c) {
    case 'c':
        to->config = optarg;
        break;
    case 'n':
        to->name = optarg;
        break;
    case 'u':
        to->user = optarg;
        break;
    case 'r':
        to->role = optarg;
        break;
    case 'w':
        to->workspace = optarg;
        break;
    case 'o':
        to->out = optarg;
        break;
    case 'd':
        to->days = strtol(optarg, &end, 10);
        if (*end || to->days < 1 || to->days > 3660)
            return center_misused("token", "--days: a number from 1 to 3660 is wanted");
        break;
    case '?':
        return center_misused("token", "an option that is not known, or without its value");
    }
    return EXIT_FINE;
}

static int run_verb(const struct token_options *options, int argc, char **argv)
{
    struct fault fault;
    struct center_config *config = center_config_load(options->config);
    if (!config)
        return EXIT_USAGE;
    struct store *store =
        center_prepare(config, &fault) ? store_open(config->store, STORE_PEOPLE, &fault) : NULL;
    int status;
    if (!store)
        status = failed(fault.text);
    else if (argc == 1 && strcmp(argv[0], "create") == 0)
        status = create(store, options);
    else if (argc == 1 && strcmp(argv[0], "list") == 0)
        status = list(store);
    else if (argc == 2 && strcmp(argv[0], "remove") == 0)
        status = remove_token(store, argv[1]);
    else
        status = center_misused("token", "create, list, or remove and a number is wanted");
    store_close(&store);
    center_config_free(&config);
    return status;
}

int center_token(int argc, char **argv)
{
    struct token_options options = {.config = CENTER_CONFIG_FILE};
    const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                   {"name", required_argument, NULL, 'n'},
                                   {"user", required_argument, NULL, 'u'},
                                   {"role", required_argument, NULL, 'r'},
                                   {"workspace", required_argument, NULL, 'w'},
                                   {"all-workspaces", no_argument, &options.all, 1},
                                   {"days", required_argument, NULL, 'd'},
                                   {"out", required_argument, NULL, 'o'},
                                   {"help", no_argument, NULL, 'h'},
                                   {0}};
    opterr = 0;
    for (int c, status; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'h')
            return center_help("token");
        if ((status = take(&options, c)) != EXIT_FINE)
            return status;
    }
    return run_verb(&options, argc - optind, argv + optind);
}
