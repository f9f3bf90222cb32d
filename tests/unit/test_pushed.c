/* SPDX-License-Identifier: Apache-2.0
 *
 * What the center may set, and what not; that it survives.
 */
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#include "cluster/crypto_sodium.h"
#include "node/node_config.h"
#include "node/pushed.h"
#include "node/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct place place;

static int make(void **state)
{
    (void)state;
    place_open(&place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(&place);
    return 0;
}

static struct bytes text(const char *t)
{
    return (struct bytes){(const uint8_t *)t, strlen(t)};
}

static bool is_taken(const char *settings, const char *why)
{
    struct fault fault;
    struct config *part = pushed_parse(text(settings), &fault);
    bool taken = part != NULL;
    if (part)
        config_destroy(&part);
    else if (!strstr(fault.text, why))
        fail_msg("%s", fault.text);
    return taken;
}

static void only_some_keys_are_taken(void **state)
{
    (void)state;
    assert_true(is_taken("", ""));
    assert_true(is_taken("node\n    description = the one in the cellar\n", ""));
    assert_true(is_taken("naming\n    methods = dns\n", ""));
    assert_false(is_taken("node\n    state = /tmp\n", "node/state"));
    assert_false(is_taken("node\n    user = root\n", "node/user"));
    assert_false(is_taken("center\n    servers = evil:1 0000\n", "center/servers"));
    assert_false(is_taken("syslog\n    key = /etc/shadow\n", "syslog/key"));
    assert_false(is_taken("nothing\n    here = 1\n", "nothing"));
    assert_false(is_taken("node\n    log-level = loud\n", "log-level"));
    assert_false(is_taken("\x01\x02", ""));
    /* No path, no secret, nothing of the fleet, of the control socket, of the reserve. */
    for (size_t i = 0; i < node_schema.rule_count; i++) {
        const struct config_rule *rule = &node_schema.rules[i];
        if (pushed_allows(rule->key)) {
            assert_int_not_equal(rule->type, CONFIG_PATH);
            assert_null(strstr(rule->key, "cluster/"));
            assert_null(strstr(rule->key, "control/"));
            assert_null(strstr(rule->key, "governor/"));
        }
    }
}

static struct node_config *load(const char *rest)
{
    char path[sizeof(place.path) + 16];
    snprintf(path, sizeof(path), "%s/conf", place.path);
    FILE *file = fopen(path, "w");
    fprintf(file, "node\n    state = %s\n%s", place.path, rest);
    fclose(file);
    struct node_config *config = node_config_load(path);
    assert_non_null(config);
    node_config_use_pushed(&config);
    unlink(path);
    return config;
}

static void it_takes_the_place_of_the_file(void **state)
{
    (void)state;
    struct fault fault;
    struct node_config *config = load("center\n    window = 1M\n");
    assert_int_equal(config->pushed, 0);
    assert_int_equal(config->sender.window, 1 << 20);
    node_config_free(&config);
    assert_true(pushed_save(7, text("center\n    window = 2M\n"), disk_system(), place.path, &fault));
    config = load("center\n    window = 1M\n");
    assert_int_equal(config->pushed, 7);
    assert_int_equal(config->sender.window, 2 << 20);
    node_config_free(&config);
    /* What does not fit (any more) is left out: the node starts. */
    assert_true(
        pushed_save(8, text("syslog\n    listen = tls:[::]:6514\n"), disk_system(), place.path, &fault));
    config = load("center\n    window = 1M\n");
    assert_int_equal(config->pushed, 0);
    assert_int_equal(config->sender.window, 1 << 20);
    node_config_free(&config);
}

static void damage_is_left_out(void **state)
{
    (void)state;
    struct fault fault;
    uint64_t version = 1;
    char path[sizeof(place.path) + 32];
    assert_true(pushed_save(7, text("center\n    window = 2M\n"), disk_system(), place.path, &fault));
    snprintf(path, sizeof(path), "%s/center-settings", place.path);
    FILE *file = fopen(path, "r+");
    fseek(file, 20, SEEK_SET);
    fputc('?', file);
    fclose(file);
    assert_null(pushed_load(disk_system(), place.path, &version));
    assert_int_equal(version, 0);
    static uint8_t much[DELIVERY_SETTINGS_MAX + 1];
    assert_false(pushed_save(8, (struct bytes){much, sizeof(much)}, disk_system(), place.path, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_some_keys_are_taken),
        cmocka_unit_test_setup_teardown(it_takes_the_place_of_the_file, make, end),
        cmocka_unit_test_setup_teardown(damage_is_left_out, make, end),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
