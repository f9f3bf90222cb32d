/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the API: method, path, arguments and body from the fuzzer, on a store in memory; and its
 * contents as a header with a token. Whatever comes, there is exactly one answer, and it is JSON.
 *
 *     METHOD PATH[?NAME=VALUE&...]\n BODY
 */
#include "center/api_routes.h"
#include "center/api_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *store;
static struct clock_manual now;
static const struct api_config config = {.state = "/nonexistent", .log = "/nonexistent"};

static void open_store(void)
{
    struct fault fault;
    char path[64];
    snprintf(path, sizeof(path), "/tmp/picket-fuzz-api-%d", (int)getpid());
    store = store_open(path, STORE_PIPELINE, &fault);
    if (!store)
        abort();
    clock_manual_init(&now, 1000 * CLOCK_DAY);
    remove(path); /* it lives on until the process ends */
}

static void take_arguments(struct api_work *work, char *query)
{
    char *rest = NULL;
    for (char *at = query ? strtok_r(query, "&", &rest) : NULL;
         at && work->argument_count < API_ARGUMENTS_MAX; at = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(at, '=');
        if (value)
            *value++ = '\0';
        work->arguments[work->argument_count++] = (struct api_argument){at, value};
    }
}

static void check(const struct api_work *work)
{
    struct bytes text;
    if (work->status < 200 || work->status > 503 || work->problem != (work->status >= 400))
        abort();
    if (work->stream || work->fixed.size || work->status == 204)
        return;
    if (!json_writer_done(&work->answer, &text))
        abort();
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        abort();
    json_decref(json);
}

static void ask(char *line, struct bytes body)
{
    const struct api_core core = {.config = &config, .clock = &now.clock};
    struct api_work work = {.core = &core, .store = store, .method = line, .path = "", .body = body};
    struct fault fault;
    work.caller = (struct api_caller){.known = true, .role = ROLE_ADMINISTRATOR};
    snprintf(work.caller.name, sizeof(work.caller.name), "fuzzer");
    char *path = strchr(line, ' ');
    if (path) {
        *path++ = '\0';
        char *query = strchr(path, '?');
        if (query)
            *query++ = '\0';
        work.path = path;
        take_arguments(&work, query);
    }
    api_dispatch(&work);
    check(&work);
    api_work_free(&work);
    store_abandon(store);
    if (work.status != 201 && strcmp(line, "PATCH") != 0)
        return;
    if (!store_begin(store, &fault))
        abort();
    store_do(store, "DELETE FROM workspaces WHERE id > 1"); /* so that nothing grows without end */
    store_do(store, "DELETE FROM exclusions");
    store_do(store, "DELETE FROM tags");
    store_do(store, "DELETE FROM users");
    store_do(store, "DELETE FROM tokens");
    store_do(store, "DELETE FROM audit");
    store_do(store, "DELETE FROM settings");
    if (!store_commit(store, &fault))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[2048];
    struct api_caller caller;
    struct stored_token token;
    if (!store)
        open_store();
    const uint8_t *end = memchr(data, '\n', size);
    size_t length = end ? (size_t)(end - data) : size;
    if (length >= sizeof(line))
        return 0;
    memcpy(line, data, length);
    line[length] = '\0';
    api_token_caller(store, line, now.wall, &caller, &token);
    if (caller.known)
        abort();
    ask(line, end ? (struct bytes){end + 1, size - length - 1} : (struct bytes){NULL, 0});
    return 0;
}
