/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA Security Analytics: the word RsaSA, then eight fields, each on a line of its own: time, event id,
 * provider, log, computer, account, workstation, result. Microsoft's description joins log and computer with
 * a backslash, and some senders do as it says; others send the two characters \n for a line feed. Only event
 * 4776 is sent so.
 */
#include "events/siem_format.h"

enum { TIME, ID, PROVIDER, CHANNEL, COMPUTER, ACCOUNT, WORKSTATION, STATUS, FIELDS };

/* One more field than there is place for says that it is something else. */
static unsigned split(struct bytes text, struct bytes fields[FIELDS + 1])
{
    unsigned n = 0;
    for (text = siem_trim(text); text.size > 0 && n <= FIELDS;)
        fields[n++] = siem_trim(siem_take(&text, '\n'));
    return n;
}

/* "Security\dc1.corp.example" is two fields. */
static void part_computer(struct bytes fields[FIELDS + 1])
{
    struct bytes rest = fields[CHANNEL], channel = siem_take(&rest, '\\');
    for (unsigned i = FIELDS - 1; i > COMPUTER; i--)
        fields[i] = fields[i - 1];
    fields[CHANNEL] = channel;
    fields[COMPUTER] = rest;
}

enum siem_outcome siem_read_rsa(struct siem_job *job)
{
    struct bytes fields[FIELDS + 1] = {{0}}, text = siem_from(job->body, strlen("RsaSA"));
    struct event *event = job->event;
    if (siem_begins(text, "\\n"))
        text = siem_unescape(job, text, "nr", "\n\r");
    unsigned n = split(text, fields);
    if (n > CHANNEL && memchr(fields[CHANNEL].data, '\\', fields[CHANNEL].size) && n < FIELDS) {
        part_computer(fields);
        n++;
    }
    if (n != FIELDS)
        return siem_bad(job, "RSA: not nine lines");
    if (!siem_put_id(job, fields[ID]))
        return siem_bad(job, "RSA: no event id");
    if (!siem_put_time(job, fields[TIME]))
        return siem_bad(job, "RSA: no time of the event");
    event->provider = fields[PROVIDER];
    event->channel = fields[CHANNEL];
    event->computer = fields[COMPUTER];
    siem_put_named(job, "TargetUserName", fields[ACCOUNT]);
    siem_put_named(job, "Workstation", fields[WORKSTATION]);
    siem_put_named(job, "Status", fields[STATUS]);
    return SIEM_READ;
}
