/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_SMB_COMPRESSED, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return observation_bool(o, FIELD_COMPRESSION_OVERFLOW) ? key_by_origin(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    bool by_client =
        !observation_has(o, FIELD_COMPRESSION_BY_CLIENT) || observation_bool(o, FIELD_COMPRESSION_BY_CLIENT);
    explain_who(alert, o,
                by_client
                    ? "sent a compressed SMB message whose sizes cannot be true (SMBGhost)"
                    : "was answered with a compressed SMB message whose sizes cannot be true (SMBGhost)");
    alert_put_number(alert, "original_size", (double)observation_uint(o, FIELD_COMPRESSION_ORIGINAL, 0));
    alert_put_number(alert, "offset", (double)observation_uint(o, FIELD_COMPRESSION_OFFSET, 0));
    alert_put_number(alert, "message_bytes", (double)observation_uint(o, FIELD_MESSAGE_BYTES, 0));
    alert_explain(
        alert,
        "Size %.0f and offset %.0f together run over, or the offset lies behind the message's end: an "
        "unpatched system runs what the sender wants.",
        (double)observation_uint(o, FIELD_COMPRESSION_ORIGINAL, 0),
        (double)observation_uint(o, FIELD_COMPRESSION_OFFSET, 0));
    detection_raise(d);
}

const struct detector detector_smb_ghost = {
    .external_id = 2406,
    .name = "SmbGhostSecurityAlert",
    .title = "Suspected SMB packet manipulation (CVE-2020-0796 exploitation)",
    .word = "smb_ghost",
    .severity = SEVERITY_HIGH,
    .mitre = "T1210",
    .doc = "The header of a compressed SMB message ([MS-SMB2] 2.2.42) states an original size and an offset "
           "whose sum does not fit 32 bits, or an offset behind the message's end: what CVE-2020-0796 is "
           "exploited with, and what no lawful sender can mean. Rule, no learning.",
    .advice = "Take the source off the network; install KB4551762 on the destination and look whether it was "
              "taken over.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
