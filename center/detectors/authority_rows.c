/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_CERTIFICATE_SERVICE, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return text_is(observation_text(o, FIELD_OPERATION), "rows_deleted") ? key_by_account(d, o)
                                                                         : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words before;
    double rows = (double)observation_uint(o, FIELD_DELETED_ROWS, 0);
    explain_who(alert, o, "deleted rows of the certification authority's database");
    alert_explain(
        alert,
        "%.0f rows of table 0x%x went%s%s: which certificates there were can no longer be told from it.",
        rows, (unsigned)observation_uint(o, FIELD_DELETED_TABLE, 0),
        observation_has(o, FIELD_DELETED_FILTER) ? ", those before " : "",
        words_text(&before, observation_text(o, FIELD_DELETED_FILTER), 60));
    alert_put_number(alert, "rows", rows);
    alert_put_number(alert, "table", (double)observation_uint(o, FIELD_DELETED_TABLE, 0));
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_authority_rows = {
    .external_id = 2433,
    .name = "CertificateDatabaseDeletionSecurityAlert",
    .title = "Suspicious deletion of the certificate database entries",
    .word = "authority_rows",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1070",
    .doc = "Event 4896 of a certification authority (AD CS): rows of its database were deleted. Rule, no "
           "learning.",
    .advice = "Ask whether the database was cleared up on purpose; else restore it from a backup and look "
              "for certificates that were issued before.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
