/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms of a written event, and what their readers share. Private to event_from_text().
 */
#pragma once

#include "events/event_text.h"

/* Both read `text`, well-formed UTF-8 without control characters, which stays as long as the event does; the
 * event comes zeroed but for its source. */
enum event_text_verdict event_from_xml(struct event_reader *reader, struct bytes text, struct arena *arena,
                                       struct event *to);
enum event_text_verdict event_from_json(struct bytes text, struct arena *arena, struct event *to);

/* RFC 3339; without a zone it is UTC, for Windows keeps its times so. 0 when it is no time. */
int64_t event_time(struct bytes text);

/* Decimal, also negative, or 0x... as the bits of 64; 0 when it is no number. */
uint64_t event_number(struct bytes text);

/* Keywords ([MS-EVEN6] 2.2.17 winmeta): the bit that says that an audited action failed. */
#define EVENT_KEYWORD_AUDIT_FAILURE UINT64_C(0x0010000000000000)
