/* SPDX-License-Identifier: Apache-2.0
 *
 * Every route of the API on a real store, without HTTP; and that the OpenAPI document describes just these.
 */
#include "center/api_routes.h"
#include "center/api_token.h"
#include "center/sensor_settings.h"
#include "center/store_health.h"
#include "center/store_nodes.h"
#include "center/store_settings.h"
#include "cluster/crypto_sodium.h"

#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct {
    struct place place;
    struct store *store;
    struct clock_manual clock;
    struct api_config config;
    struct api_core core;
    struct api_caller caller;
    unsigned told;
    struct api_work work;
    json_t *answer;
} self;

static void on_changed(void *context, const struct stored_alert *alert, enum alert_trigger trigger)
{
    (void)context;
    (void)alert;
    (void)trigger;
    self.told++;
}

static void end_answer(void)
{
    json_decref(self.answer);
    self.answer = NULL;
    api_work_free(&self.work);
}

/* "NAME=VALUE&..." behind a ? become arguments. */
static void take_arguments(char *query)
{
    char *rest = NULL;
    for (char *at = query ? strtok_r(query, "&", &rest) : NULL; at; at = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(at, '=');
        if (value)
            *value++ = '\0';
        self.work.arguments[self.work.argument_count++] = (struct api_argument){at, value};
    }
}

static unsigned ask(const char *method, const char *url, const char *body)
{
    static char path[512];
    struct bytes text;
    end_answer();
    snprintf(path, sizeof(path), "/api/v1%s", url);
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    self.work = (struct api_work){
        .core = &self.core, .store = self.store, .method = method, .path = path, .caller = self.caller};
    self.work.body = (struct bytes){(const uint8_t *)body, body ? strlen(body) : 0};
    take_arguments(query);
    api_dispatch(&self.work);
    store_abandon(self.store);
    if (json_writer_done(&self.work.answer, &text))
        self.answer = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (self.work.status != 204 && !self.work.stream && !self.work.fixed.size)
        assert_non_null(self.answer);
    assert_int_equal(self.work.problem, self.work.status >= 400);
    return self.work.status;
}

static const char *text_at(const char *key)
{
    return json_string_value(json_object_get(self.answer, key));
}

static int64_t number_at(const char *key)
{
    return json_integer_value(json_object_get(self.answer, key));
}

static size_t items(void)
{
    return json_array_size(json_object_get(self.answer, "items"));
}

static json_t *item(size_t index)
{
    return json_array_get(json_object_get(self.answer, "items"), index);
}

static void be(enum user_role role, uint64_t workspace)
{
    self.caller = (struct api_caller){.known = role != ROLE_NONE, .role = role, .workspace = workspace};
    strcpy(self.caller.name, "token:test");
}

static int begin(void **state)
{
    (void)state;
    struct fault fault;
    memset(&self, 0, sizeof(self));
    place_open(&self.place);
    self.store = store_open(place_file(&self.place, "store"), STORE_PEOPLE, &fault);
    if (!self.store)
        fail_msg("%s", fault.text);
    clock_manual_init(&self.clock, 1000 * CLOCK_DAY);
    self.config.log = self.place.path;
    self.core = (struct api_core){
        .config = &self.config, .clock = &self.clock.clock, .events = {.changed = on_changed}};
    be(ROLE_ADMINISTRATOR, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    end_answer();
    store_close(&self.store);
    place_close(&self.place);
    return 0;
}

static void raise(uint64_t position, enum severity severity, const char *account)
{
    struct fault fault;
    struct alert *alert = calloc(1, sizeof(*alert));
    *alert = (struct alert){.external_id = 2006,
                            .severity = severity,
                            .key = {position, 1},
                            .start = (int64_t)position * CLOCK_DAY,
                            .end = (int64_t)position * CLOCK_DAY,
                            .count = 1,
                            .last = {position, 0}};
    alert->id[15] = (uint8_t)position;
    strcpy(alert->name, "TestSecurityAlert");
    strcpy(alert->explanation, "Something happened.");
    alert->party_count = 1;
    alert->parties[0] = (struct alert_party){
        .role = ALERT_ACCOUNT, .kind = SUBJECT_ACCOUNT, .subject = {5, position}, .confidence = 100};
    snprintf(alert->parties[0].name, sizeof(alert->parties[0].name), "%s", account);
    alert_add_activity(alert, alert->last, alert->start);
    struct alerts alerts = {.store = self.store, .clock = &self.clock.clock};
    if (!alerts_raise(&alerts, 1, alert, NULL, &fault))
        fail_msg("%s", fault.text);
    free(alert);
}

#define ID1   "00000000000000000000000000000001"
#define ID9   "00000000000000000000000000000009"
#define GUID1 "00000000-0000-0000-0000-000000000001"
#define GUID9 "00000000-0000-0000-0000-000000000009"

static void alerts_and_pages(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++)
        raise(i, i == 3 ? SEVERITY_HIGH : SEVERITY_LOW, i == 4 ? "mallory" : "alice");
    assert_int_equal(ask("GET", "/alerts", NULL), 200);
    assert_int_equal(items(), 5);
    assert_true(json_is_null(json_object_get(self.answer, "next")));
    assert_string_equal(json_string_value(json_object_get(item(0), "title")), "TestSecurityAlert");
    assert_int_equal(ask("GET", "/alerts?limit=2", NULL), 200);
    assert_int_equal(items(), 2);
    char next[64];
    snprintf(next, sizeof(next), "/alerts?limit=4&cursor=%s", text_at("next"));
    assert_int_equal(ask("GET", next, NULL), 200);
    assert_int_equal(items(), 3);
    assert_int_equal(ask("GET", "/alerts?severity=high", NULL), 200);
    assert_int_equal(items(), 1);
    assert_int_equal(ask("GET", "/alerts?q=mallory", NULL), 200);
    assert_int_equal(items(), 1);
    assert_int_equal(ask("GET", "/alerts?subject=00000000000000050000000000000002", NULL), 200);
    assert_int_equal(items(), 1);
    assert_int_equal(ask("GET", "/alerts?status=closed,suppressed", NULL), 200);
    assert_int_equal(items(), 0);
    assert_int_equal(ask("GET", "/alerts?from=1970-01-05T00:00:00Z", NULL), 200);
    assert_int_equal(items(), 2);
    assert_int_equal(ask("GET", "/alerts/counts", NULL), 200);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(self.answer, "open"), "low")), 4);
    static const char *const wrong[] = {
        "limit=0",         "limit=x",        "limit=1001", "cursor=-1",     "severity=odd",
        "status=open,odd", "from=yesterday", "subject=12", "external_id=0", "limit=99999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char url[96];
        snprintf(url, sizeof(url), "/alerts?%s", wrong[i]);
        assert_int_equal(ask("GET", url, NULL), 400);
        assert_string_equal(text_at("title"), "Bad Request");
    }
}

static void one_alert(void **state)
{
    (void)state;
    raise(1, SEVERITY_HIGH, "alice");
    assert_int_equal(ask("GET", "/alerts/" ID1, NULL), 200);
    assert_string_equal(text_at("status"), "open");
    assert_string_equal(text_at("id"), ID1);
    assert_string_equal(text_at("classification"), "none");
    assert_string_equal(text_at("explanation"), "Something happened.");
    assert_int_equal(ask("GET", "/alerts/" ID9, NULL), 404);
    assert_int_equal(ask("GET", "/alerts/xyz", NULL), 404);
    assert_int_equal(
        ask("PATCH", "/alerts/" ID1, "{\"status\":\"closed\",\"classification\":\"false-positive\"}"), 200);
    assert_string_equal(text_at("status"), "closed");
    assert_string_equal(text_at("classification"), "false-positive");
    assert_int_equal(self.told, 1);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{\"status\":\"closed\"}"), 200);
    assert_int_equal(self.told, 1);
    assert_int_equal(ask("GET", "/alerts/" ID1 "/history", NULL), 200);
    assert_int_equal(items(), 2);
    assert_string_equal(json_string_value(json_object_get(item(0), "who")), "token:test");
    assert_int_equal(ask("GET", "/alerts/" ID1 "/activities", NULL), 200);
    assert_int_equal(items(), 1);
    assert_true(json_is_true(json_object_get(item(0), "lost")));
    static const char *const wrong[] = {"{\"status\":\"odd\"}", "{\"classification\":\"odd\"}", "{}",
                                        "{\"state\":\"open\"}", "{\"status\":5}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(ask("PATCH", "/alerts/" ID1, wrong[i]), 422);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "[]"), 400);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{\"status\":\"open\",\"status\":\"open\"}"), 400);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{"), 400);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, NULL), 400);
    assert_int_equal(ask("PATCH", "/alerts/" ID9, "{\"status\":\"open\"}"), 404);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{\"status\":\"deleted\"}"), 200);
    assert_int_equal(ask("GET", "/alerts/" ID1, NULL), 404);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{\"status\":\"open\"}"), 409);
}

static void who_may_what(void **state)
{
    (void)state;
    raise(1, SEVERITY_HIGH, "alice");
    be(ROLE_NONE, 0);
    for (const struct api_route *route = api_routes; route->method; route++)
        if (route->role != ROLE_NONE) {
            char path[128] = "";
            const char *part = strstr(route->path, "{id}");
            snprintf(path, sizeof(path), "%.*s%s%s", part ? (int)(part - route->path) : 100, route->path,
                     part ? ID1 : "", part ? part + 4 : "");
            assert_int_equal(ask(route->method, path + strlen("/api/v1"), NULL), 401);
        }
    assert_int_equal(ask("GET", "/openapi.json", NULL), 200);
    be(ROLE_VIEWER, 0);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{\"status\":\"closed\"}"), 403);
    assert_int_equal(ask("PATCH", "/settings", "{}"), 403);
    assert_int_equal(ask("GET", "/audit", NULL), 403);
    assert_int_equal(ask("GET", "/alerts", NULL), 200);
    be(ROLE_USER, 0);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{\"status\":\"closed\"}"), 200);
    assert_int_equal(ask("GET", "/tokens", NULL), 403);
    be(ROLE_ADMINISTRATOR, 1);
    assert_int_equal(ask("POST", "/workspaces", "{\"name\":\"x\"}"), 403);
    assert_int_equal(ask("POST", "/tokens", "{\"name\":\"x\",\"role\":\"viewer\",\"all_workspaces\":true}"),
                     403);
    assert_int_equal(ask("GET", "/nowhere", NULL), 404);
    assert_int_equal(ask("GET", "/alerts/", NULL), 404);
    assert_int_equal(ask("POST", "/alerts", "{}"), 405);
    assert_string_equal(self.work.allow, "GET");
    assert_int_equal(ask("PUT", "/settings", NULL), 405);
    assert_string_equal(self.work.allow, "GET, PATCH");
    assert_int_equal(ask("GET", "/alerts", "{}"), 400);
}

static void workspaces_are_apart(void **state)
{
    (void)state;
    raise(1, SEVERITY_HIGH, "alice");
    assert_int_equal(ask("POST", "/workspaces", "{\"name\":\"other\"}"), 201);
    uint64_t other = (uint64_t)number_at("id");
    assert_int_equal(ask("POST", "/workspaces", "{\"name\":\"other\"}"), 409);
    assert_int_equal(ask("POST", "/workspaces", "{\"name\":\"a b\"}"), 422);
    assert_int_equal(ask("GET", "/workspaces", NULL), 200);
    assert_int_equal(items(), 2);
    assert_int_equal(ask("GET", "/alerts?workspace=other", NULL), 200);
    assert_int_equal(items(), 0);
    assert_int_equal(ask("GET", "/alerts?workspace=none", NULL), 404);
    be(ROLE_ADMINISTRATOR, other);
    assert_int_equal(ask("GET", "/alerts", NULL), 200);
    assert_int_equal(items(), 0);
    assert_int_equal(ask("GET", "/alerts/" ID1, NULL), 404);
    assert_int_equal(ask("PATCH", "/alerts/" ID1, "{\"status\":\"closed\"}"), 404);
    assert_int_equal(ask("GET", "/alerts?workspace=default", NULL), 404);
    assert_int_equal(ask("GET", "/workspaces", NULL), 200);
    assert_int_equal(items(), 1);
}

static void settings(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/settings", NULL), 200);
    assert_string_equal(text_at("sensitivity"), "medium");
    assert_int_equal(ask("PATCH", "/settings", "{\"sensitivity\":\"high\"}"), 200);
    assert_string_equal(text_at("sensitivity"), "high");
    assert_int_equal(ask("PATCH", "/settings", "{\"sensitivity\":\"odd\"}"), 422);
    assert_int_equal(ask("PATCH", "/settings", "{\"sensitivity\":\"low\",\"settings\":{\"none/x\":1}}"), 422);
    assert_int_equal(ask("GET", "/settings", NULL), 200);
    assert_string_equal(text_at("sensitivity"), "high"); /* all or nothing */
    assert_int_equal(ask("PATCH", "/settings", "{\"settings\":5}"), 422);
    assert_int_equal(ask("PATCH", "/settings", "{\"off\":{\"none\":true}}"), 422);
    assert_int_equal(ask("PATCH", "/settings", "{\"off\":5}"), 422);
    assert_int_equal(ask("PATCH", "/settings", "{\"settings\":{\"ticket-life/corp.example\":24}}"), 200);
    assert_true(json_number_value(json_object_get(json_object_get(self.answer, "settings"),
                                                  "ticket-life/corp.example")) == 24);
    assert_int_equal(ask("PATCH", "/settings", "{\"settings\":{\"ticket-life/corp.example\":0}}"), 422);
    assert_int_equal(ask("PATCH", "/settings", "{\"settings\":{\"ticket-life/\":24}}"), 422);
    assert_int_equal(ask("PATCH", "/settings", "{\"settings\":{\"ticket-life/corp.example\":null}}"), 200);
    assert_int_equal(json_object_size(json_object_get(self.answer, "settings")), 0);
    assert_int_equal(ask("GET", "/audit?object=sensitivity", NULL), 200);
    assert_int_equal(items(), 1);
    assert_int_equal(ask("GET", "/detectors", NULL), 200);
    for (size_t i = 0; i < items(); i++) {
        json_t *setting = json_array_get(json_object_get(item(i), "settings"), 0);
        if (!setting)
            continue;
        char body[256], word[64], name[64];
        double most = json_number_value(json_object_get(setting, "most"));
        snprintf(word, sizeof(word), "%s", json_string_value(json_object_get(item(i), "word")));
        snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(setting, "name")));
        snprintf(body, sizeof(body), "{\"settings\":{\"%s/%s\":%.15g},\"off\":{\"%s\":true}}", word, name,
                 most + 1, word);
        assert_int_equal(ask("PATCH", "/settings", body), 422);
        snprintf(body, sizeof(body), "{\"settings\":{\"%s/%s\":%.15g},\"off\":{\"%s\":true}}", word, name,
                 most, word);
        assert_int_equal(ask("PATCH", "/settings", body), 200);
        assert_int_equal(json_object_size(json_object_get(self.answer, "settings")), 1);
        assert_int_equal(json_array_size(json_object_get(self.answer, "off")), 1);
        snprintf(body, sizeof(body), "{\"settings\":{\"%s/%s\":null},\"off\":{\"%s\":false}}", word, name,
                 word);
        assert_int_equal(ask("PATCH", "/settings", body), 200);
        assert_int_equal(json_object_size(json_object_get(self.answer, "settings")), 0);
        assert_int_equal(json_array_size(json_object_get(self.answer, "off")), 0);
        break;
    }
}

static void exclusions_and_tags(void **state)
{
    (void)state;
    char url[64];
    assert_int_equal(ask("POST", "/exclusions", "{\"kind\":\"address\",\"value\":\"10.0.0.0/8\"}"), 201);
    assert_string_equal(text_at("detector"), "*");
    snprintf(url, sizeof(url), "/exclusions/%lld", (long long)number_at("id"));
    assert_int_equal(ask("POST", "/exclusions", "{\"kind\":\"address\",\"value\":\"nowhere\"}"), 422);
    assert_int_equal(ask("POST", "/exclusions", "{\"kind\":\"odd\",\"value\":\"x\"}"), 422);
    assert_int_equal(ask("POST", "/exclusions", "{\"value\":\"x\"}"), 422);
    assert_int_equal(ask("GET", "/exclusions", NULL), 200);
    assert_int_equal(items(), 1);
    assert_int_equal(ask("DELETE", url, NULL), 204);
    assert_int_equal(ask("DELETE", url, NULL), 404);
    assert_int_equal(ask("DELETE", "/exclusions/x", NULL), 404);
    assert_int_equal(
        ask("POST", "/tags", "{\"tag\":\"honeytoken\",\"name\":\"bait\",\"domain\":\"corp.example\"}"), 201);
    snprintf(url, sizeof(url), "/tags/%lld", (long long)number_at("id"));
    assert_int_equal(ask("POST", "/tags", "{\"tag\":\"sensitive\",\"guid\":\"" GUID1 "\"}"), 201);
    assert_string_equal(text_at("guid"), GUID1);
    assert_int_equal(ask("POST", "/tags", "{\"tag\":\"odd\",\"name\":\"bait\"}"), 422);
    assert_int_equal(ask("POST", "/tags", "{\"tag\":\"sensitive\"}"), 422);
    assert_int_equal(ask("POST", "/tags", "{\"tag\":\"sensitive\",\"guid\":\"1\"}"), 422);
    assert_int_equal(ask("POST", "/tags", "{\"tag\":\"sensitive\",\"name\":\"x\",\"kind\":\"odd\"}"), 422);
    assert_int_equal(ask("GET", "/tags", NULL), 200);
    assert_int_equal(items(), 2);
    assert_int_equal(ask("DELETE", url, NULL), 204);
    assert_int_equal(ask("DELETE", url, NULL), 404);
}

static void users_and_tokens(void **state)
{
    (void)state;
    char url[64], secret[128];
    uint8_t hash[TOKEN_HASH_SIZE];
    struct stored_token token;
    struct api_caller caller;
    assert_int_equal(
        ask("POST", "/users", "{\"name\":\"alice\",\"role\":\"user\",\"password\":\"a long enough one\"}"),
        201);
    snprintf(url, sizeof(url), "/users/%lld", (long long)number_at("id"));
    assert_null(text_at("password"));
    assert_int_equal(ask("POST", "/users", "{\"name\":\"alice\",\"role\":\"user\"}"), 409);
    assert_int_equal(ask("POST", "/users", "{\"name\":\"bob\",\"role\":\"user\",\"password\":\"short\"}"),
                     422);
    assert_int_equal(ask("POST", "/users", "{\"name\":\"bob\",\"role\":\"none\"}"), 422);
    assert_int_equal(ask("POST", "/users", "{\"name\":\"-x\",\"role\":\"user\"}"), 422);
    assert_int_equal(ask("GET", "/users", NULL), 200);
    assert_int_equal(items(), 1);
    assert_int_equal(ask("PATCH", url, "{\"role\":\"none\"}"), 422);
    assert_int_equal(ask("PATCH", url, "{\"disabled\":1}"), 422);
    assert_int_equal(ask("PATCH", url, "{\"name\":\"eve\"}"), 422);
    assert_int_equal(ask("PATCH", "/users/999", "{\"role\":\"viewer\"}"), 404);
    assert_int_equal(ask("PATCH", url, "{\"password\":\"short\"}"), 422);
    assert_int_equal(ask("PATCH", url, "{\"role\":\"administrator\",\"password\":\"another long one\"}"),
                     200);
    assert_string_equal(text_at("role"), "administrator");
    assert_true(json_is_false(json_object_get(self.answer, "disabled")));
    be(ROLE_ADMINISTRATOR, 77);
    assert_int_equal(ask("PATCH", url, "{\"role\":\"viewer\"}"), 404);
    be(ROLE_ADMINISTRATOR, 0);
    assert_int_equal(ask("DELETE", url, NULL), 204);
    assert_int_equal(ask("DELETE", url, NULL), 404);
    assert_int_equal(ask("POST", "/tokens", "{\"name\":\"siem\",\"role\":\"viewer\",\"days\":30}"), 201);
    snprintf(secret, sizeof(secret), "Bearer %s", text_at("token"));
    snprintf(url, sizeof(url), "/tokens/%lld", (long long)number_at("id"));
    assert_int_equal(ask("POST", "/tokens", "{\"name\":\"siem2\",\"role\":\"viewer\",\"days\":0}"), 422);
    assert_int_equal(ask("GET", "/tokens", NULL), 200);
    assert_int_equal(items(), 1);
    assert_null(json_object_get(item(0), "token"));
    int64_t now = self.clock.wall;
    api_token_caller(self.store, secret, now, &caller, &token);
    assert_true(caller.known);
    assert_int_equal(caller.role, ROLE_VIEWER);
    assert_int_equal(caller.workspace, 1);
    assert_string_equal(caller.name, "token:siem");
    api_token_caller(self.store, secret, now + 31 * CLOCK_DAY, &caller, &token);
    assert_false(caller.known);
    secret[20] = secret[20] == '0' ? '1' : '0';
    api_token_caller(self.store, secret, now, &caller, &token);
    assert_false(caller.known);
    api_token_caller(self.store, NULL, now, &caller, &token);
    assert_false(caller.known);
    assert_false(api_token_hash("picket_12", hash));
    assert_false(api_token_hash("other", hash));
    be(ROLE_ADMINISTRATOR, 77);
    assert_int_equal(ask("DELETE", url, NULL), 404); /* another workspace's */
    be(ROLE_ADMINISTRATOR, 0);
    assert_int_equal(ask("DELETE", url, NULL), 204);
}

/* A user's token may what the user may, now. */
static void tokens_of_users(void **state)
{
    (void)state;
    char url[64], secret[128];
    struct stored_token token;
    struct api_caller caller;
    int64_t now = self.clock.wall;
    assert_int_equal(ask("POST", "/users", "{\"name\":\"alice\",\"role\":\"viewer\"}"), 201);
    snprintf(url, sizeof(url), "/users/%lld", (long long)number_at("id"));
    assert_int_equal(ask("POST", "/tokens", "{\"name\":\"hers\",\"user\":\"bob\"}"), 422);
    assert_int_equal(ask("POST", "/tokens", "{\"name\":\"hers\"}"), 422);
    assert_int_equal(ask("POST", "/tokens", "{\"name\":\"hers\",\"user\":\"alice\",\"role\":\"user\"}"), 422);
    assert_int_equal(ask("POST", "/tokens", "{\"name\":\"hers\",\"user\":\"alice\"}"), 201);
    assert_string_equal(text_at("user"), "alice");
    assert_string_equal(text_at("role"), "viewer");
    snprintf(secret, sizeof(secret), "Bearer %s", text_at("token"));
    api_token_caller(self.store, secret, now, &caller, &token);
    assert_true(caller.known);
    assert_int_equal(caller.role, ROLE_VIEWER);
    assert_string_equal(caller.name, "alice");
    assert_int_equal(ask("PATCH", url, "{\"role\":\"user\"}"), 200);
    api_token_caller(self.store, secret, now, &caller, &token);
    assert_int_equal(caller.role, ROLE_USER);
    assert_int_equal(ask("GET", "/tokens", NULL), 200);
    assert_string_equal(json_string_value(json_object_get(item(0), "role")), "user");
    assert_int_equal(ask("PATCH", url, "{\"disabled\":true}"), 200);
    api_token_caller(self.store, secret, now, &caller, &token);
    assert_false(caller.known);
    assert_int_equal(ask("PATCH", url, "{\"disabled\":false}"), 200);
    api_token_caller(self.store, secret, now, &caller, &token);
    assert_true(caller.known);
    assert_int_equal(ask("GET", "/audit", NULL), 200);
    assert_string_equal(json_string_value(json_object_get(item(0), "what")), "user-changed");
    assert_string_equal(json_string_value(json_object_get(item(0), "before")), "user, disabled");
    assert_int_equal(ask("DELETE", url, NULL), 204); /* and what was the user's */
    api_token_caller(self.store, secret, now, &caller, &token);
    assert_false(caller.known);
    assert_int_equal(ask("GET", "/tokens", NULL), 200);
    assert_int_equal(items(), 0);
}

/* --- what only the running center knows --- */

static bool write_source(void *context, uint64_t workspace, struct json_writer *w)
{
    (void)context;
    json_write_uint(w, "workspace", workspace);
    return true;
}

static bool write_status(void *context, uint64_t workspace, struct json_writer *w)
{
    (void)context;
    (void)workspace;
    json_write_string(w, "status", "fine");
    return true;
}

static void the_running_center(void **state)
{
    (void)state;
    static const char *const urls[] = {"/fleet", "/status"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_int_equal(ask("GET", urls[i], NULL), 503);
    self.config.sources = (struct api_sources){write_source, write_status, NULL, NULL};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_int_equal(ask("GET", urls[i], NULL), 200);
    assert_int_equal(ask("GET", "/entities/" GUID9, NULL), 404);
    assert_int_equal(ask("GET", "/entities/x", NULL), 404);
    assert_int_equal(ask("GET", "/search?q=x", NULL), 200);
    assert_int_equal(items(), 0);
    assert_int_equal(ask("GET", "/search?q=x&kind=odd", NULL), 400);
    assert_int_equal(ask("GET", "/search?q=x&kind=user", NULL), 200);
    assert_int_equal(ask("GET", "/search", NULL), 400);
    assert_int_equal(ask("GET", "/search?q=x&limit=500", NULL), 400);
    assert_int_equal(ask("GET", "/events", NULL), 200);
    assert_true(self.work.stream);
    assert_int_equal(ask("GET", "/subjects/" ID1 "/activities?name=alice", NULL), 200);
    assert_int_equal(items(), 0);
    assert_int_equal(ask("GET", "/subjects/" ID1 "/activities", NULL), 400);
}

static void sensors(void **state)
{
    (void)state;
    struct stored_node node = {
        .id = {{1}}, .workspace = 1, .name = "dc1", .domains = "a.example\nb.example", .first = 5, .last = 7};
    self.config.state = self.place.path;
    assert_true(store_node_put(self.store, &node));
    assert_int_equal(ask("GET", "/sensors", NULL), 200);
    assert_int_equal(items(), 1);
    assert_string_equal(json_string_value(json_object_get(item(0), "name")), "dc1");
    assert_int_equal(json_array_size(json_object_get(item(0), "domains")), 2);
    assert_string_equal(json_string_value(json_object_get(json_object_get(item(0), "settings"), "state")),
                        "none");
    be(ROLE_VIEWER, 77);
    assert_int_equal(ask("GET", "/sensors", NULL), 200);
    assert_int_equal(items(), 0);
}

static void what_is_set_for_sensors(void **state)
{
    (void)state;
    struct stored_node node = {.id = {{1}}, .workspace = 1, .name = "dc1", .first = 5, .last = 7};
    struct sensor_settled settled = {.version = 2, .how = DELIVERY_UNFIT, .at = 9, .text = "no such key"};
    struct fault fault;
    char directory[PATH_SIZE], body[9000];
    static const char path[] = "/sensors/01000000000000000000000000000000/settings";
    self.config.state = self.place.path;
    assert_true(path_join(directory, self.place.path, "sensors", &fault));
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_true(store_node_put(self.store, &node));
    be(ROLE_VIEWER, 1);
    assert_int_equal(ask("GET", path, NULL), 200);
    assert_string_equal(text_at("configuration"), "");
    assert_int_equal(ask("PATCH", path, "{\"configuration\":\"\"}"), 403);
    assert_int_equal(ask("GET", "/sensors/02000000000000000000000000000000/settings", NULL), 404);
    assert_int_equal(ask("GET", "/sensors/dc1/settings", NULL), 404);
    be(ROLE_ADMINISTRATOR, 1);
    assert_int_equal(ask("PATCH", path, "{\"configuration\":\"node\\n    site = x\"}"), 200);
    assert_string_equal(text_at("configuration"), "node\n    site = x");
    assert_string_equal(text_at("state"), "not answered yet");
    assert_int_equal(number_at("version"), 1);
    assert_int_equal(ask("PATCH", path, "{\"configuration\":\"node\\n    other = x\"}"), 200);
    assert_int_equal(number_at("version"), 2);
    assert_true(sensor_settled_save(&settled, disk_system(), directory, &node.id, &fault));
    assert_int_equal(ask("GET", path, NULL), 200);
    assert_string_equal(text_at("state"), "refused");
    assert_string_equal(text_at("text"), "no such key");
    assert_int_equal(ask("PATCH", path, "{}"), 422);
    assert_int_equal(ask("PATCH", path, "{\"configuration\":7}"), 422);
    assert_int_equal(ask("PATCH", path, "{\"workspace\":\"x\"}"), 422);
    int size = snprintf(body, sizeof(body), "{\"configuration\":\"%0*d\"}", (int)DELIVERY_SETTINGS_MAX, 0);
    assert_true(size > 0 && size < (int)sizeof(body));
    assert_int_equal(ask("PATCH", path, body), 200);
    snprintf(body, sizeof(body), "{\"configuration\":\"%0*d\"}", (int)DELIVERY_SETTINGS_MAX + 1, 0);
    assert_int_equal(ask("PATCH", path, body), 422);
    assert_int_equal(ask("GET", "/audit?object=dc1", NULL), 200);
    assert_int_equal(items(), 3);
    be(ROLE_ADMINISTRATOR, 77);
    assert_int_equal(ask("PATCH", path, "{\"configuration\":\"\"}"), 404);
    assert_int_equal(ask("GET", path, NULL), 404);
    remove(place_file(&self.place, "sensors/01000000000000000000000000000000.settings"));
    remove(place_file(&self.place, "sensors/01000000000000000000000000000000.settled"));
}

static void sensors_are_put_into_workspaces(void **state)
{
    (void)state;
    struct stored_node node = {.id = {{1}}, .workspace = 1, .name = "dc1", .first = 5, .last = 7};
    static const char known[] = "/sensors/01000000000000000000000000000000",
                      unknown[] = "/sensors/02000000000000000000000000000000";
    self.config.state = self.place.path;
    assert_true(store_node_put(self.store, &node));
    be(ROLE_ADMINISTRATOR, 0);
    assert_int_equal(ask("POST", "/workspaces", "{\"name\":\"other\"}"), 201);
    int64_t other = number_at("id");
    assert_int_equal(ask("PATCH", known, "{\"workspace\":\"none\"}"), 422);
    assert_int_equal(ask("PATCH", known, "{\"workspace\":7}"), 422);
    assert_int_equal(ask("PATCH", known, "{}"), 422);
    assert_int_equal(ask("PATCH", "/sensors/1", "{\"workspace\":\"other\"}"), 404);
    assert_int_equal(ask("PATCH", known, "{\"workspace\":\"other\"}"), 200);
    assert_int_equal(number_at("workspace"), other);
    assert_string_equal(text_at("placed_by"), "administrator");
    assert_string_equal(text_at("name"), "dc1");
    assert_int_equal(ask("PATCH", unknown, "{\"workspace\":\"other\"}"), 200);
    assert_string_equal(text_at("placed_by"), "administrator");
    assert_true(json_is_null(json_object_get(self.answer, "first")));
    assert_int_equal(ask("GET", "/audit?workspace=other", NULL), 200);
    assert_string_equal(json_string_value(json_object_get(item(0), "what")), "sensor-placed");
    assert_int_equal(ask("PATCH", unknown, "{\"workspace\":null}"), 200);
    assert_string_equal(text_at("placed_by"), "default");
    be(ROLE_ADMINISTRATOR, 1);
    assert_int_equal(ask("PATCH", known, "{\"workspace\":\"other\"}"), 403);
    be(ROLE_USER, 0);
    assert_int_equal(ask("PATCH", known, "{\"workspace\":\"other\"}"), 403);
}

static void health(void **state)
{
    (void)state;
    struct stored_health issue = {.number = 1015, .severity = SEVERITY_LOW, .opened = self.clock.wall};
    strcpy(issue.object, "tls://siem");
    strcpy(issue.title, "Failure connecting to the SIEM server using syslog");
    assert_true(store_health_open(self.store, &issue, NULL));
    assert_int_equal(ask("GET", "/health", NULL), 200);
    json_t *issues = json_object_get(self.answer, "issues");
    assert_int_equal(json_array_size(issues), 1);
    assert_non_null(json_string_value(json_object_get(json_array_get(issues, 0), "action")));
    assert_true(store_health_close(self.store, 0, 1015, "tls://siem", self.clock.wall));
    assert_int_equal(ask("GET", "/health", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(self.answer, "issues")), 0);
    assert_int_equal(ask("GET", "/health?all", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(self.answer, "issues")), 1);
    /* Of a running center what it knows itself, which the store may not have been told. */
    self.config.sources.health = health_new();
    health_raise(self.config.sources.health, 1005, "database", "the disk is full");
    be(ROLE_VIEWER, 0);
    assert_int_equal(ask("GET", "/health", NULL), 200);
    issues = json_object_get(self.answer, "issues");
    assert_int_equal(json_array_size(issues), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(issues, 0), "text")),
                        "the disk is full");
    assert_string_equal(json_string_value(json_object_get(json_array_get(issues, 0), "severity")), "high");
    be(ROLE_VIEWER, 1);
    assert_int_equal(ask("GET", "/health", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(self.answer, "issues")), 0);
    health_destroy(&self.config.sources.health);
}

/* --- the document --- */

static json_t *lower(json_t *paths, const char *path, const char *method)
{
    char key[16] = "";
    for (size_t i = 0; method[i] && i < sizeof(key) - 1; i++)
        key[i] = (char)(method[i] | 0x20);
    return json_object_get(json_object_get(paths, path), key);
}

static void resolve(const json_t *document, const char *reference)
{
    char part[64];
    const json_t *at = document;
    assert_int_equal(strncmp(reference, "#/", 2), 0);
    for (const char *rest = reference + 1; *rest == '/';) {
        size_t size = strcspn(++rest, "/");
        assert_true(size < sizeof(part));
        memcpy(part, rest, size);
        part[size] = '\0';
        at = json_object_get(at, part);
        rest += size;
    }
    if (!at)
        fail_msg("%s is not in openapi.json", reference);
}

/* Every $ref is of something that is there; no schema is empty. */
static void walk(const json_t *document, json_t *at)
{
    const char *key;
    json_t *value;
    if (json_is_array(at))
        for (size_t i = 0; i < json_array_size(at); i++)
            walk(document, json_array_get(at, i));
    json_object_foreach(at, key, value)
    {
        if (strcmp(key, "$ref") == 0)
            resolve(document, json_string_value(value));
        else if (strcmp(key, "schema") == 0 || strcmp(key, "items") == 0)
            assert_true(json_object_size(value) > 0);
        walk(document, value);
    }
}

static void the_document_tells_every_route(void **state)
{
    (void)state;
    json_error_t error;
    json_t *document = json_loads(api_openapi, JSON_REJECT_DUPLICATES, &error), *methods, *operation;
    const char *path, *method;
    size_t operations = 0, routes = 0;
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
    walk(document, document);
    json_t *paths = json_object_get(document, "paths");
    for (const struct api_route *route = api_routes; route->method; route++, routes++) {
        operation = lower(paths, route->path, route->method);
        if (!operation)
            fail_msg("%s %s is not in openapi.json", route->method, route->path);
        assert_string_equal(json_string_value(json_object_get(operation, "x-role")),
                            user_role_name(route->role));
        assert_true(*json_string_value(json_object_get(operation, "summary")));
    }
    json_object_foreach(paths, path, methods) json_object_foreach(methods, method, operation) operations++;
    assert_int_equal(operations, routes); /* the other way round */
    json_decref(document);
}

int main(void)
{
    if (!crypto_sodium_start())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alerts_and_pages, begin, end),
        cmocka_unit_test_setup_teardown(one_alert, begin, end),
        cmocka_unit_test_setup_teardown(who_may_what, begin, end),
        cmocka_unit_test_setup_teardown(workspaces_are_apart, begin, end),
        cmocka_unit_test_setup_teardown(settings, begin, end),
        cmocka_unit_test_setup_teardown(exclusions_and_tags, begin, end),
        cmocka_unit_test_setup_teardown(users_and_tokens, begin, end),
        cmocka_unit_test_setup_teardown(tokens_of_users, begin, end),
        cmocka_unit_test_setup_teardown(the_running_center, begin, end),
        cmocka_unit_test_setup_teardown(sensors, begin, end),
        cmocka_unit_test_setup_teardown(what_is_set_for_sensors, begin, end),
        cmocka_unit_test_setup_teardown(sensors_are_put_into_workspaces, begin, end),
        cmocka_unit_test_setup_teardown(health, begin, end),
        cmocka_unit_test(the_document_tells_every_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
