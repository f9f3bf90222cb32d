/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of --decode, as people write them: tcp/3890=ldap.
 */
#pragma once

#include "capture/engine.h"

#define DECODE_RULES_MAX 64

struct decode_rules {
    size_t count;
    struct engine_decode_rule rules[DECODE_RULES_MAX];
};

/* False when it is no rule, or there are too many. */
bool decode_rules_add(struct decode_rules *rules, const char *text);

/* What is wrong with a rule that was refused. */
const char *decode_rules_error(const char *text);

void decode_rules_apply(const struct decode_rules *rules, struct engine *engine);
