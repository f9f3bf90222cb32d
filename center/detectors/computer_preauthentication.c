/* SPDX-License-Identifier: Apache-2.0
 *
 * 2005: a computer has lost the trust of its domain.
 */
#include "center/detectors/authentication.h"

enum { SETTING_FAILURES };

#define FAILURES_MAX 64u

static const struct detector_setting settings[] = {
    [SETTING_FAILURES] = {"failures", "", 10, 5, 3, 1, FAILURES_MAX - 1,
                          "More than so many failures within 24 hours, without a success."},
    {0},
};

struct broken_trust {
    uint32_t count;
    int64_t times[FAILURES_MAX]; /* of the last failures since the last success */
};

static const struct state_form tables[] = {
    {"computers", 1, sizeof(struct broken_trust), 65536, 2 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_ERROR,
                                           ACTIVITY_WINDOWS_KERBEROS_AS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    enum outcome outcome = o->told ? OUTCOME_NONE : authentication_outcome(o);
    bool interesting = outcome == OUTCOME_WRONG || outcome == OUTCOME_SUCCESS;
    return interesting && o->account.kind == SUBJECT_COMPUTER ? o->account.subject : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    if (authentication_outcome(o) == OUTCOME_SUCCESS) {
        detection_forget(d, 0, detection_key(d));
        return;
    }
    struct broken_trust *b = detection_use(d, 0, detection_key(d), NULL);
    if (!b)
        return;
    b->times[b->count++ % FAILURES_MAX] = o->time;
    uint32_t kept = b->count < FAILURES_MAX ? b->count : FAILURES_MAX, recent = 0;
    for (uint32_t i = 0; i < kept; i++)
        recent += o->time - b->times[i] < STATISTICS_DAY;
    double limit = detection_setting(d, SETTING_FAILURES);
    if (recent <= limit)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_compared(alert, "failures", recent, "failures", limit);
    alert_explain(
        alert,
        "The computer %.*s failed %s%u pre-authentications within 24 hours, and none succeeded: its "
        "password is not the one that the domain has.",
        PRINTED(o->account.name), recent == FAILURES_MAX ? "at least " : "", recent);
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_computer_preauthentication = {
    .external_id = 2005,
    .name = "ComputerPreauthenticationFailedSecurityAlert",
    .title = "Broken trust between computers and domain",
    .word = "computer_preauthentication",
    .severity = SEVERITY_LOW,
    .mitre = "T1110",
    .doc =
        "Counts, for each computer account, pre-authentications that fail (KDC_ERR_PREAUTH_FAILED, RFC 4120 "
        "7.5.9; event 4771) within 24 hours. A success in between starts anew: the KDC refuses a computer "
        "now and then when it has just changed its password and asks a controller that has not heard of it.",
    .advice =
        "Reset the secure channel (Test-ComputerSecureChannel -Repair) or join the computer anew. If it "
        "works as it should, somebody else uses its name: look at the source.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
