/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations for people.
 */
#pragma once

#include "base/text.h"

/* For tables: "3s", "12m04s", "5h07m", "2d04h"; "-" when negative. */
void duration_short(struct text *t, int64_t ms);

/* For sentences: "3 s", "22 min", "5 h 7 min", "2 d 4 h"; rounded down to what people count in. */
void duration_words(struct text *t, int64_t ms);
