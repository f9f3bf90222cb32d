/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenario files: what reads is written and read again, and is the same; what does not is told in one line.
 */
#include <stdlib.h>

#include "sim/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *written(const struct scenario *scenario, size_t *size)
{
    struct text measure = text_to(NULL, 0);
    scenario_write(scenario, &measure);
    char *form = malloc(measure.length + 1);
    struct text t = text_to(form, measure.length + 1);
    scenario_write(scenario, &t);
    *size = text_end(&t);
    return form;
}

static void check_error(const char *error)
{
    if (!*error || strlen(error) >= SCENARIO_ERROR_SIZE)
        abort();
    for (; *error; error++)
        if ((unsigned char)*error < 0x20)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[SCENARIO_ERROR_SIZE];
    uint8_t *input = malloc(size ? size : 1);
    memcpy(input, data, size);
    struct scenario *scenario = scenario_parse("f", input, size, error);
    free(input);
    if (!scenario) {
        check_error(error);
        return 0;
    }
    size_t first_size, second_size;
    char *first = written(scenario, &first_size);
    struct scenario *again = scenario_parse("again", first, first_size, error);
    if (!again)
        abort();
    char *second = written(again, &second_size);
    if (first_size != second_size || memcmp(first, second, first_size) != 0)
        abort();
    free(first);
    free(second);
    scenario_destroy(&again);
    scenario_destroy(&scenario);
    return 0;
}
