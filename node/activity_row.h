/* SPDX-License-Identifier: Apache-2.0
 *
 * One activity as the cells of a row for people.
 */
#pragma once

#include "base/activity.h"

enum row_column {
    ROW_TIME,
    ROW_KIND,
    ROW_SOURCE,
    ROW_DESTINATION,
    ROW_ACCOUNT,
    ROW_RESULT,
    ROW_WHAT, /* the telling facts of that kind */
    ROW_COLUMNS
};

#define ROW_TEXT_MAX 512

struct activity_row {
    bool failed;  /* the server refused */
    bool pending; /* no answer was seen */
    char text[ROW_COLUMNS][ROW_TEXT_MAX];
};

void activity_row_make(const struct activity *activity, struct activity_row *row);
