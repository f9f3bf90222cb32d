/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to config*.c: one value, and how it is read from its text.
 */
#pragma once

#include "base/config.h"

struct config_value {
    int64_t number;           /* bool, int, size, duration; choice: its number */
    char *text;               /* as it stood in the file */
    struct endpoint endpoint; /* address, endpoint */
};

#define CONFIG_FAULT_MAX 256

/* Reads `text` (kept by nobody; `to->text` is not set) as the rule wants it. False: `fault` says why, and
 * what would be right. */
bool config_value_read(const struct config_rule *rule, const char *text, struct config_value *to,
                       char fault[CONFIG_FAULT_MAX]);

const char *config_type_name(enum config_type type);

/* A bound as one would write it in the file: 64M, 10min. */
const char *config_number_text(enum config_type type, int64_t number, char *to, size_t capacity);
