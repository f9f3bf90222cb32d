/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands that ask the center share.
 */
#pragma once

#include "node/center_options.h"

/* The center's health issues, as `picket health --center`. An exit status. */
int center_health(int argc, char **argv);

/* The tables. */
void show_alerts(const struct show_style *style, const json_t *answer);
void show_alert(const struct show_style *style, const json_t *alert, const json_t *history);
void show_entities(const struct show_style *style, const json_t *answer);
void show_sensors(const struct show_style *style, const json_t *answer);
void show_users(const struct show_style *style, const json_t *answer);
void show_tokens(const struct show_style *style, const json_t *answer);
void show_workspaces(const struct show_style *style, const json_t *answer);
void show_tags(const struct show_style *style, const json_t *answer);
void show_exclusions(const struct show_style *style, const json_t *answer);
void show_audit(const struct show_style *style, const json_t *answer);
void show_detectors(const struct show_style *style, const json_t *answer);
void show_detector(const struct show_style *style, const json_t *detector);
void show_settings(const struct show_style *style, const json_t *answer);
void show_center(const struct show_style *style, const json_t *answer);
