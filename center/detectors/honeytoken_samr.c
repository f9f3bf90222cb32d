/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_SAMR_QUERY, ACTIVITY_NONE};

struct search {
    const struct detection *d;
    const struct observation *o;
    struct party found;
};

static bool by_name(void *context, struct bytes name)
{
    struct search *search = context;
    search->found = party_named(search->d, search->o, SUBJECT_ACCOUNT, name);
    return detection_is(search->d, &search->found, FACT_HONEYTOKEN);
}

static bool find_honeytoken(struct search *search)
{
    search->found = search->o->target;
    if (detection_is(search->d, &search->found, FACT_HONEYTOKEN))
        return true;
    return list_each(search->o, FIELD_RPC_NAMES, by_name, search) ||
           by_name(search, observation_text(search->o, FIELD_RPC_NAME));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct search search = {.d = d, .o = o};
    return !by_controller(d, o) && find_honeytoken(&search) ? search.found.subject : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct search search = {.d = d, .o = o};
    if (!find_honeytoken(&search))
        return;
    struct words name;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_TARGET, &search.found);
    explain_who(alert, o, "asked for a decoy through the SAM protocol (honeytoken)");
    alert_explain(alert, "The decoy is %s.", words_party(&name, &search.found, "unknown"));
    alert_put_text(alert, "operation", observation_text(o, FIELD_RPC_OPERATION));
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_honeytoken_samr = {
    .external_id = 2439,
    .name = "HoneytokenSamrQuerySecurityAlert",
    .title = "Honeytoken was queried via SAM-R",
    .word = "honeytoken_samr",
    .severity = SEVERITY_LOW,
    .mitre = "T1087.002",
    .doc = "An account that is tagged as a honeytoken is opened or looked up through SAMR ([MS-SAMR] 3.1.5), "
           "by its name or, where the directory tells whose it is, its RID. Sealed calls tell no name. "
           "Controllers are left out. Rule, no learning.",
    .advice = "Ask what ran on the source: someone looked for this name, or for all.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
