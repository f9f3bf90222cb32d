/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_SMB_OPEN, ACTIVITY_DIRECTORY_CHANGE, ACTIVITY_LDAP_MODIFY,
                                           ACTIVITY_NONE};

enum { SETTING_DAYS };
static const struct detector_setting settings[] = {
    {"habit_days", "days", 1, 2, 4, 1, 28,
     "On how many different days of the last 90 an account must have changed group policies for it to be its "
     "habit; the first of them at least a week ago."},
    {0},
};

struct editor {
    int64_t first;
    uint32_t last_day, days;
};

static const struct state_form tables[] = {
    {.name = "editors",
     .version = 1,
     .value_size = sizeof(struct editor),
     .capacity = 10000,
     .lifetime = 90 * STATISTICS_DAY},
    {0},
};

static bool ends_so(struct bytes path, const char *const *ends)
{
    for (; *ends; ends++)
        if (text_ends(path, *ends))
            return true;
    return false;
}

static const char *by_file(const struct observation *o)
{
    static const char *const policy[] = {".pol", ".inf", ".xml", ".ini", ".adm", ".aas", NULL};
    static const char *const program[] = {".exe", ".dll", ".ps1", ".bat", ".cmd",
                                          ".vbs", ".js",  ".msi", ".scr", NULL};
    struct bytes share = observation_text(o, FIELD_SHARE_PATH), path = observation_text(o, FIELD_FILE_PATH);
    bool written = observation_uint(o, FIELD_WRITE_BYTES, 0) || observation_text(o, FIELD_RENAMED_TO).size;
    if (!written || !(text_ends(share, "\\SYSVOL") || text_ends(share, "\\NETLOGON")))
        return NULL;
    if (text_has(path, "\\Policies\\") && ends_so(path, policy))
        return "changed a file of a group policy";
    return ends_so(path, program)
               ? "put a program where all computers of the domain read their policies and scripts"
               : NULL;
}

static const char *by_object(const struct observation *o)
{
    if (!text_has(observation_text(o, FIELD_LDAP_DN), ",CN=Policies,CN=System,"))
        return NULL;
    return changes_touch(o, "gPCMachineExtensionNames") || changes_touch(o, "gPCUserExtensionNames") ||
                   changes_touch(o, "gPCFileSysPath")
               ? "changed what a group policy does"
               : NULL;
}

static const char *change_of(const struct observation *o)
{
    return o->kind == ACTIVITY_SMB_OPEN ? by_file(o) : by_object(o);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return change_of(o) && !by_controller(d, o) ? key_by_account(d, o) : (struct subject){0};
}

static bool is_habit(struct editor *editor, const struct detection *d, const struct observation *o)
{
    bool habit =
        editor->days >= detection_setting(d, SETTING_DAYS) && o->time - editor->first >= 7 * STATISTICS_DAY;
    uint32_t day = (uint32_t)(o->time / STATISTICS_DAY);
    if (editor->first == 0)
        editor->first = o->time;
    if (day > editor->last_day) {
        editor->last_day = day;
        editor->days++;
    }
    return habit;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct editor *editor = detection_use(d, 0, detection_key(d), NULL);
    uint32_t before = editor ? editor->days : 0;
    if (!editor || is_habit(editor, d, o))
        return;
    struct words what;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct bytes object = observation_text(o, o->kind == ACTIVITY_SMB_OPEN ? FIELD_FILE_PATH : FIELD_LDAP_DN);
    explain_who(alert, o, change_of(o));
    alert_explain(alert, "It is %s.", words_text(&what, object, 200));
    alert_put_text(alert, "object", object);
    alert_add_named(alert, ALERT_RESOURCE, SUBJECT_OBJECT, object, (struct bytes){0});
    alert_put_compared(alert, "days_before", before, settings[SETTING_DAYS].name,
                       detection_setting(d, SETTING_DAYS));
    alert_explain(alert, "This account is not known to edit policies: it did so on %u days before.", before);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_policy_tampering = {
    .external_id = 2440,
    .name = "GroupPolicyTamperingSecurityAlert",
    .title = "Group Policy tampering",
    .word = "policy_tampering",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1484.001",
    .doc = "A file that makes up a group policy ([MS-GPOL], [MS-GPREG]: .pol, .inf, .xml, .ini below "
           "Policies) is written to SYSVOL over SMB, or a program to SYSVOL or NETLOGON, or the extensions "
           "or the path of a policy's object are changed (LDAP, event 5136), by an account that is not known "
           "to edit policies: four weeks of learning, then its own days of the last 90, as in 2024. What a "
           "policy says cannot be read on the wire, so that it switches something off is not told as such. "
           "Inside encrypted SMB 3 it is not seen.",
    .advice = "Compare the policy with its backup (Get-GPOReport), put it back, and look which computers "
              "read it since.",
    .learning = 28 * STATISTICS_DAY,
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
