/* SPDX-License-Identifier: Apache-2.0
 *
 * Samba's audit log in JSON (auth_json_audit, dsdb_json_audit and the others of smb.conf's `log level`): a
 * line to an activity, of the kinds that Windows events have where the same thing happened. Pure but for the
 * memory that reading one line takes.
 */
#pragma once

#include "events/translate.h"

#define AUDIT_LINE_MAX (256u * 1024u) /* bytes; a longer one is invalid */

/* `computer`: whose log it is, may be NULL. A line without JSON is ignored: audit lines may stand among
 * others. With EVENT_TOLD the record stands in the writer. */
enum event_verdict audit_log_translate(struct bytes line, const char *computer, struct activity_writer *w);
