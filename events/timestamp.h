/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as event formats write them, by patterns (those of Java's SimpleDateFormat, which LEEF's
 * devTimeFormat is written in). Pure.
 */
#pragma once

#include "base/cursor.h"

/* Reads `text` as `pattern` says; ns since 1970.
 *   yyyy yy MM M dd d HH H hh h mm ss   numbers        MMM   Jan .. Dec, English      a   AM, PM
 *   S..   decimals of a second, any number             EEE   a day's name, passed over
 *   z, Z, X   UTC, GMT, Z, +hh:mm, +hhmm, a zone of North America   'text'   itself; '' a quote
 * A blank in the pattern stands for any number of blanks. What of the text is behind the pattern is not
 * looked at when that begins with a blank or is empty; else it does not match.
 *
 * Without a zone the time is UTC, or with `local` that of this host. Without a year it is that of `now` (ns),
 * or the one before when it would be more than two days in the future. */
bool timestamp_read(struct bytes text, const char *pattern, bool local, int64_t now, int64_t *time);

/* A number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its size; decimals allowed.
 */
bool timestamp_read_epoch(struct bytes text, int64_t *time);

/* A CIM datetime: yyyyMMddHHmmss.ffffff+mmm, the offset in minutes, which may be left out (then UTC or
 * `local`). */
bool timestamp_read_cim(struct bytes text, bool local, int64_t *time);

/* Whatever of these and of RFC 3339 (with a blank for its T, too) fits. */
bool timestamp_read_any(struct bytes text, bool local, int64_t now, int64_t *time);
