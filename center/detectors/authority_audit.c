/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_CERTIFICATE_SERVICE, ACTIVITY_NONE};

/* [MS-CSRA] 3.1.1.10: start and stop, backup, requests, revocation, security, key archival, configuration. */
#define EVERYTHING 127u

static struct subject key(const struct detection *d, const struct observation *o)
{
    return text_is(observation_text(o, FIELD_OPERATION), "audit_filter_changed") ? key_by_account(d, o)
                                                                                 : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    uint64_t filter = observation_uint(o, FIELD_AUDIT_FILTER, 0) & EVERYTHING;
    if (filter == EVERYTHING)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "changed what the certification authority audits");
    alert_put_compared(alert, "audit_filter", (double)filter, "everything", EVERYTHING);
    alert_explain(
        alert,
        filter ? "From now on it audits less than all (%u of 127): what is left out, its log does not tell."
               : "From now on it audits nothing (%u of 127).",
        (unsigned)filter);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_authority_audit = {
    .external_id = 2434,
    .name = "CertificateAuditFilterSecurityAlert",
    .title = "Suspicious disable of audit filters of AD CS",
    .word = "authority_audit",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1562.002",
    .doc = "Event 4885 of a certification authority (AD CS): its audit filter was changed, and it audits "
           "less than everything (127). Rule, no learning.",
    .advice = "Set the filter to 127 (certutil -setreg CA\\AuditFilter 127) and ask who changed it.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
