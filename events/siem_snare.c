/* SPDX-License-Identifier: Apache-2.0
 *
 * Snare (also NXLog's to_syslog_snare): fields with tabs between them, which relays turn into blanks or #011:
 *
 *   MSWinEventLog criticality log counter "Sun Nov 22 12:00:00 2026" id provider user sid-type
 *   outcome computer category data text [record]
 */
#include "events/siem_format.h"

enum {
    MARK,
    CRITICALITY,
    CHANNEL,
    COUNTER,
    TIME,
    ID,
    PROVIDER,
    USER,
    SID_TYPE,
    OUTCOME,
    COMPUTER,
    CATEGORY,
    DATA,
    TEXT,
    RECORD,
    FIELDS
};

enum siem_outcome siem_read_snare(struct siem_job *job)
{
    struct bytes fields[FIELDS] = {{0}}, text = job->body;
    struct event *event = job->event;
    unsigned n = 0;
    while (n < FIELDS && text.size > 0)
        fields[n++] = siem_take(&text, '\t');
    if (n <= TEXT)
        return siem_bad(job, "Snare: fields are missing, or not parted by tabs");
    if (!siem_put_id(job, fields[ID]))
        return siem_bad(job, "Snare: no event id");
    if (!siem_put_time(job, fields[TIME]))
        return siem_bad(job, "Snare: no time of the event");
    event->channel = fields[CHANNEL];
    event->provider = fields[PROVIDER];
    event->computer = fields[COMPUTER];
    siem_is_number(siem_trim(fields[RECORD]), &event->record);
    siem_put_outcome(job, fields[OUTCOME]);
    siem_put_rendered(job, fields[TEXT]);
    return SIEM_READ;
}
