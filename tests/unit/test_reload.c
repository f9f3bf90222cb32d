/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration read again: what takes effect at once and what waits is named.
 */
#include "node/reload.h"
#include "node/schema.h"

#include "unit.h"

#include <stdio.h>

static void fail_on_fault(void *context, const char *fault)
{
    (void)context;
    fail_msg("%s", fault);
}

static struct config *read_text(const char *text)
{
    struct config *config = config_parse(&node_schema, "test", text, strlen(text), fail_on_fault, NULL);
    assert_non_null(config);
    return config;
}

static const char *said(const struct config *running, const struct config *newest, const struct config *now)
{
    static char text[4096];
    struct text t = text_to(text, sizeof(text));
    reload_say(&t, running, newest, now);
    text_end(&t);
    return text;
}

static void what_changed_is_named(void **state)
{
    (void)state;
    struct config *first = read_text("node\n    log-level = notice\ncapture\n    controllers = 192.0.2.1\n");
    struct config *same = read_text("capture\n    controllers = 192.0.2.1\n"); /* notice is the default */
    struct config *second =
        read_text("node\n    log-level = debug\ncapture\n    controllers = 192.0.2.1, 192.0.2.2\n");
    struct config *third =
        read_text("node\n    log-level = debug\n    name = x\ncapture\n    controllers = 192.0.2.2, "
                  "192.0.2.1\n    threads = 2\n");
    assert_string_equal(said(first, first, same), "nothing changed that takes effect now");
    assert_string_equal(said(first, first, second), "changed: node/log-level, capture/controllers");
    assert_string_equal(said(first, second, second), "nothing changed that takes effect now");
    /* What waits is told again until the node was started with it. */
    assert_string_equal(
        said(first, second, third),
        "changed: capture/controllers; takes effect at the next start: node/name, capture/threads");
    assert_string_equal(said(first, third, third),
                        "nothing changed that takes effect now; takes effect at the next "
                        "start: node/name, capture/threads");
    config_destroy(&first);
    config_destroy(&same);
    config_destroy(&second);
    config_destroy(&third);
}

static void what_is_live_exists(void **state)
{
    (void)state;
    unsigned live = 0;
    for (size_t i = 0; i < node_schema.rule_count; i++)
        live += reload_is_live(node_schema.rules[i].key);
    assert_int_equal(live, 7);
    assert_false(reload_is_live("node/state"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changed_is_named),
        cmocka_unit_test(what_is_live_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
