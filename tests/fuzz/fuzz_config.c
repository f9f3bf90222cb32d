/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration files against a schema with one key of each type.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const choices[] = {"red", "green", NULL};

static const struct config_section sections[] = {{.key = "a", .doc = "."}, {.key = "a/b", .doc = "."}};

static const struct config_rule rules[] = {
    {.key = "s", .type = CONFIG_STRING, .doc = "."},
    {.key = "a/f", .type = CONFIG_BOOL, .doc = "."},
    {.key = "a/i", .type = CONFIG_INT, .doc = "."},
    {.key = "a/z", .type = CONFIG_SIZE, .min = 1, .max = 1 << 20, .doc = "."},
    {.key = "a/d", .type = CONFIG_DURATION, .min = 1, .max = CLOCK_DAY, .doc = "."},
    {.key = "a/c", .type = CONFIG_CHOICE, .choices = choices, .doc = "."},
    {.key = "a/p", .type = CONFIG_PATH, .doc = "."},
    {.key = "a/h", .type = CONFIG_ADDRESS, .doc = "."},
    {.key = "a/b/e", .type = CONFIG_ENDPOINT, .list = true, .doc = "."},
    {.key = "a/b/w", .type = CONFIG_STRING, .list = true, .doc = "."},
};

static const struct config_schema schema = {
    .title = "fuzz",
    .sections = sections,
    .section_count = sizeof sections / sizeof sections[0],
    .rules = rules,
    .rule_count = sizeof rules / sizeof rules[0],
};

/* A fault is one line that steers no terminal. */
static void note(void *context, const char *fault)
{
    ++*(unsigned *)context;
    for (; *fault; fault++) {
        if ((unsigned char)*fault < 0x20)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned faults = 0;
    uint8_t *input = malloc(size ? size : 1);
    memcpy(input, data, size);
    struct config *config = config_parse(&schema, "f", input, size, note, &faults);
    if ((config == NULL) != (faults != 0) || faults > CONFIG_REPORT_MAX + 1)
        abort();
    if (config && config_count(config, "a/z") &&
        (config_int(config, "a/z") < 1 || config_int(config, "a/z") > 1 << 20))
        abort();
    config_destroy(&config);
    free(input);
    return 0;
}
