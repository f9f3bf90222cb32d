/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of the control socket drawn into a string, for tests of the tables.
 */
#pragma once

#include "node/show.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

#define VIEW                                                                                                 \
    "\"schema\":1,\"fleet\":{\"name\":\"corp\",\"id\":\"00ff\",\"policy_version\":2},"                       \
    "\"view\":{\"name\":\"dc1-s02\",\"site\":\"hq\",\"id\":\"02\",\"time\":\"2026-11-22T07:00:00.000Z\","    \
    "\"observed_ms\":5000,\"converged_ago_ms\":2000,\"neighbours\":2,\"tilt\":false,"                        \
    "\"started\":\"2026-11-22T06:00:00.000Z\"},"

static inline json_t *read_json(const char *text)
{
    json_t *answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(answer);
    return answer;
}

static inline char *draw(void (*show)(const struct show_style *, const json_t *), const char *text,
                         const struct show_options *options, struct show_style style)
{
    char *out = NULL;
    size_t size;
    json_t *answer = read_json(text);
    style.to = open_memstream(&out, &size);
    show_arrange(answer, options);
    show(&style, answer);
    fclose(style.to);
    json_decref(answer);
    return out;
}

static const struct show_options no_options = {0};
static const struct show_style plain = {.header = true};

/* Columns are aligned, so runs of blanks say nothing. */
static inline void squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == ' ' && to > text && (to[-1] == ' ' || to[-1] == '\n'))
            continue;
        if (*from == '\n' && to > text && to[-1] == ' ')
            to--;
        *to++ = *from;
    }
    *to = '\0';
}
