/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_MODIFY, ACTIVITY_DIRECTORY_CHANGE, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return changes_set(o, "msDS-KeyCredentialLink") && !by_system(o) ? key_by_account(d, o)
                                                                     : (struct subject){0};
}

/* A computer registers its own key for device authentication; but a controller's key that comes from
 * elsewhere than the controller was relayed. */
static bool is_own_key(const struct detection *d, const struct observation *o)
{
    bool relayed =
        o->source_address.family && detection_is(d, &o->account, FACT_CONTROLLER) && !by_controller(d, o);
    return acts_on_itself(o) && by_computer_account(o) && !relayed;
}

static void observe(struct detection *d, const struct observation *o)
{
    if (is_own_key(d, o) || detection_is(d, &o->account, FACT_SYNCHRONIZER))
        return;
    struct words dn;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_TARGET, &o->target);
    explain_who(alert, o, "wrote a key that can log on as another account (shadow credentials)");
    alert_explain(alert,
                  "The account is %s. Who has the key gets its tickets and its password's hash, whatever the "
                  "password is changed to.",
                  words_text(&dn, observation_text(o, FIELD_LDAP_DN), 200));
    alert_put_text(alert, "object", observation_text(o, FIELD_LDAP_DN));
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_shadow_credentials = {
    .external_id = 2431,
    .name = "ShadowCredentialsSecurityAlert",
    .title = "Suspected account takeover using shadow credentials",
    .word = "shadow_credentials",
    .severity = SEVERITY_HIGH,
    .mitre = "T1556",
    .doc = "A value of msDS-KeyCredentialLink ([MS-ADTS] 2.2.20) is written by LDAP or told by event 5136. "
           "Left out: a computer that writes its own key (unless it is a domain controller's account and "
           "comes from elsewhere), and accounts tagged as synchronizers, which write users' keys for Windows "
           "Hello. Taking away is not told. Rule, no learning. Method: Shamir, \"Shadow Credentials\", 2021.",
    .advice = "Take the value away, look at certificate log-ons (PKINIT) of the account since, and reset its "
              "password.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
