/* SPDX-License-Identifier: Apache-2.0
 *
 * Syslog (RFC 5424, RFC 3164): messages are counted here; what they say is the event listener's work.
 */
#include "capture/dissect.h"
#include "capture/protocols.h"

#define MESSAGE_MAX 65536 /* octets; RFC 6587 sets no bound */

/* Octet counting (RFC 6587 3.4.1): MSG-LEN SP SYSLOG-MSG. MSG-LEN does not begin with a zero. */
static struct frame counted_frame(struct bytes start)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < start.size && i < 7; i++) {
        uint8_t b = start.data[i];
        if (b == ' ' && i > 0)
            return length <= MESSAGE_MAX ? frame_ok((uint64_t)i + 1 + length, i + 1) : frame_bad();
        if (b < '0' || b > '9' || (b == '0' && i == 0))
            return frame_bad();
        length = length * 10 + (uint32_t)(b - '0');
    }
    return start.size < 7 ? frame_more((uint32_t)start.size + 1) : frame_bad();
}

/* Non-transparent framing (RFC 6587 3.4.2): "<PRI>..." up to a line feed, which some senders leave away at
 * the end of a segment: the next message's '<' is not waited for. */
static struct frame syslog_frame(struct dissect *d, struct bytes start)
{
    (void)d;
    if (start.size == 0)
        return frame_more(1);
    if (start.data[0] >= '1' && start.data[0] <= '9') {
        struct frame counted = counted_frame(start);
        if (counted.verdict != FRAME_BAD)
            return counted;
    }
    const uint8_t *end = memchr(start.data, '\n', start.size);
    if (end)
        return frame_ok((uint64_t)(end - start.data) + 1, 1);
    if (start.size > MESSAGE_MAX)
        return frame_bad();
    return frame_search(start.size);
}

static void syslog_message(struct dissect *d, struct cursor message)
{
    if (cursor_done(&message))
        return;
    dissect_counted(d, PROTOCOL_SYSLOG);
    d->counts->syslog++;
}

const struct protocol protocol_syslog = {
    .id = PROTOCOL_SYSLOG,
    .name = "syslog",
    .udp_ports = {514}, /* over TCP by --decode: port 514 is also that of rsh */
    .frame = syslog_frame,
    .message = syslog_message,
};
