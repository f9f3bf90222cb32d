/* SPDX-License-Identifier: Apache-2.0
 *
 * Every route of the API: who may take it, and what it does. center/openapi.json says the same to others, and
 * a test compares the two.
 */
#pragma once

#include "center/api_request.h"

struct api_route {
    const char *method, *path; /* {id} stands for one part of the path */
    enum user_role role;       /* the least; ROLE_NONE: anybody */
    bool everywhere;           /* of the installation: only callers of all workspaces */
    bool (*run)(struct api_work *work);
};
extern const struct api_route api_routes[]; /* ended by one without a method */

/* Answers a request: finds the route, looks at who asks, reads the body, runs it. Always answers. */
void api_dispatch(struct api_work *work);
/* Gives back what an answer took. */
void api_work_free(struct api_work *work);

/* The OpenAPI document. */
extern const char api_openapi[];

bool api_alerts_list(struct api_work *work);
bool api_alerts_count(struct api_work *work);
bool api_alert_show(struct api_work *work);
bool api_alert_patch(struct api_work *work);
bool api_alert_activities(struct api_work *work);
bool api_alert_history(struct api_work *work);
bool api_events_begin(struct api_work *work);
bool api_subject_activities(struct api_work *work);
bool api_search(struct api_work *work);
bool api_entity(struct api_work *work);
bool api_sensors(struct api_work *work);
bool api_sensor_patch(struct api_work *work);
bool api_sensor_settings(struct api_work *work);
bool api_sensor_settings_patch(struct api_work *work);
bool api_fleet(struct api_work *work);
bool api_health(struct api_work *work);
bool api_status(struct api_work *work);
bool api_detectors(struct api_work *work);
bool api_settings_show(struct api_work *work);
bool api_settings_patch(struct api_work *work);
bool api_exclusions_list(struct api_work *work);
bool api_exclusion_add(struct api_work *work);
bool api_exclusion_remove(struct api_work *work);
bool api_tags_list(struct api_work *work);
bool api_tag_add(struct api_work *work);
bool api_tag_remove(struct api_work *work);
bool api_workspaces_list(struct api_work *work);
bool api_workspace_add(struct api_work *work);
bool api_users_list(struct api_work *work);
bool api_user_add(struct api_work *work);
bool api_user_patch(struct api_work *work);
bool api_user_remove(struct api_work *work);
bool api_tokens_list(struct api_work *work);
bool api_token_add(struct api_work *work);
bool api_token_remove(struct api_work *work);
bool api_audit(struct api_work *work);
bool api_document(struct api_work *work);
