/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands that ask the center share.
 */
#pragma once

#include "node/center_client.h"
#include "node/show.h"

#define CENTER_COMMON_OPTIONS                                                                                \
    "  --json              the answer as one JSON object (docs/api.md)\n"                                    \
    "  --config FILE       where the center is, and the token: center-client.conf\n"                         \
    "  --workspace NAME    of that workspace\n"                                                              \
    "  --timeout SECONDS   how long to wait for the answer (30)\n"                                           \
    "  --no-header         the rows alone\n"

/* The center's health issues, as `picket health --center`. An exit status. */
int center_health(int argc, char **argv);

/* The tables. */
void show_alerts(const struct show_style *style, const json_t *answer);
void show_alert(const struct show_style *style, const json_t *alert, const json_t *history);
void show_entities(const struct show_style *style, const json_t *answer);
void show_sensors(const struct show_style *style, const json_t *answer);
