/* SPDX-License-Identifier: Apache-2.0
 *
 * 2033: a tool guesses passwords by SMB.
 */
#include "center/detectors/client_stack.h"

enum { SETTING_ATTEMPTS, SETTING_WINDOW };

static const struct detector_setting settings[] = {
    [SETTING_ATTEMPTS] =
        {"attempts", "", 10, 5, 3, 1, 100000,
         "How many sessions of a program that is known for attacks, but not made for guessing, "
         "fail."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    {0},
};

static const struct state_form tables[] = {
    {"sources", 1, sizeof(struct stack_seen), 16384, STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_SMB_NEGOTIATE, ACTIVITY_SMB_SESSION, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct client_stack stack;
    bool known = client_stack_of(o, &stack);
    return known || detection_look(d, 0, o->origin) ? o->origin : (struct subject){0};
}

/* [MS-ERREF] 2.3.1: what a wrong password, an unknown or a locked account is told. */
static bool session_failed(const struct observation *o)
{
    switch (observation_uint(o, FIELD_STATUS, 0)) {
    case 0xc0000064:
    case 0xc000006a:
    case 0xc000006d:
    case 0xc0000072:
    case 0xc0000234:
        return o->kind == ACTIVITY_SMB_SESSION;
    default:
        return false;
    }
}

static void observe(struct detection *d, const struct observation *o)
{
    int64_t window = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    struct stack_seen *seen = detection_use(d, 0, detection_key(d), NULL);
    if (!seen)
        return;
    struct client_stack stack;
    if (client_stack_of(o, &stack))
        stack_seen_keep(seen, &stack, o->time);
    if (seen->word[0] == '\0' || o->time - seen->time > window)
        return;
    bool failed = session_failed(o);
    uint32_t failures = count_window_add(&seen->failures, failed, o->time, window);
    bool guesser = seen->purpose == STACK_GUESSER;
    if (!guesser && !(failed && failures >= detection_setting(d, SETTING_ATTEMPTS)))
        return;
    struct client_stack tool = stack_seen_get(seen);
    struct alert *alert = client_stack_alert(d, o, &tool);
    alert_put_compared(alert, "attempts", failures, "attempts",
                       guesser ? 0 : detection_setting(d, SETTING_ATTEMPTS));
    alert_explain(alert, "%u sessions failed within %.0f s.%s", failures,
                  detection_setting(d, SETTING_WINDOW),
                  guesser ? " The program has no other use than to guess passwords." : "");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_protocol_brute_force = {
    .external_id = 2033,
    .name = "AbnormalProtocolSecurityAlert",
    .title = "Suspected brute force attack (SMB)",
    .word = "protocol_brute_force",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1110",
    .doc =
        "Compares how a client implements SMB with the fingerprints of tools (center/fingerprints/smb.def). "
        "Those made to guess passwords are raised at once; toolkits and scanners, which are used for other "
        "things too, when several of their sessions fail for a wrong password in a sliding time.",
    .advice =
        "Take the source off the network; reset the passwords of accounts that were logged on to from there.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
