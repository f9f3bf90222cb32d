/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include <string.h>

static const enum activity_kind kinds[] = {ACTIVITY_SMB_OPEN, ACTIVITY_REGISTRY_ACCESS, ACTIVITY_NONE};

/* Names of files that hives were saved to, by the hash of their last part. */
struct saved {
    uint64_t names[4];
    uint32_t next;
};

static const struct state_form tables[] = {
    {.name = "saved",
     .version = 1,
     .value_size = sizeof(struct saved),
     .capacity = 4096,
     .lifetime = STATISTICS_DAY},
    {0},
};

static struct bytes base_name(struct bytes path)
{
    for (size_t i = path.size; i > 0; i--)
        if (path.data[i - 1] == '\\' || path.data[i - 1] == '/')
            return (struct bytes){path.data + i, path.size - i};
    return path;
}

static uint64_t hash_of(const struct detection *d, struct bytes path)
{
    return subject_of_name(detection_seed(d), SUBJECT_OBJECT, base_name(path), (struct bytes){0}).low;
}

static bool saves_hive(const struct observation *o)
{
    struct bytes key = observation_text(o, FIELD_REGISTRY_KEY);
    return observation_text(o, FIELD_REGISTRY_FILE).size &&
           (text_ends(key, "\\SAM") || text_ends(key, "\\SYSTEM") || text_ends(key, "\\SECURITY"));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_REGISTRY_ACCESS)
        return saves_hive(o) ? key_by_origin(d, o) : (struct subject){0};
    return observation_uint(o, FIELD_READ_BYTES, 0) ? key_by_origin(d, o) : (struct subject){0};
}

static const char *secret_of(struct detection *d, const struct observation *o)
{
    struct bytes path = observation_text(o, FIELD_FILE_PATH);
    struct bytes name = base_name(path);
    if (text_is(name, "ntds.dit"))
        return "the directory's database";
    if (!on_controller(d, o))
        return NULL;
    if ((text_has(path, "\\config\\") || text_begins(path, "config\\")) &&
        (text_is(name, "SYSTEM") || text_is(name, "SAM") || text_is(name, "SECURITY")))
        return "a registry hive of a domain controller";
    if (text_is(name, "system.hive") || text_is(name, "system.hiv") || text_is(name, "system.sav") ||
        text_is(name, "system.save"))
        return "a registry hive of a domain controller";
    const struct saved *saved = detection_look(d, 0, detection_key(d));
    for (unsigned i = 0; saved && i < 4; i++)
        if (saved->names[i] && saved->names[i] == hash_of(d, path))
            return "a registry hive that it had saved to this file before";
    return NULL;
}

static void observe(struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_REGISTRY_ACCESS) {
        struct saved *saved = detection_use(d, 0, detection_key(d), NULL);
        if (saved)
            saved->names[saved->next++ % 4] = hash_of(d, observation_text(o, FIELD_REGISTRY_FILE));
        return;
    }
    const char *secret = by_controller(d, o) ? NULL : secret_of(d, o);
    if (!secret)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "copied a file that holds the domain's secrets");
    alert_put_text(alert, "file", observation_text(o, FIELD_FILE_PATH));
    alert_put_text(alert, "share", observation_text(o, FIELD_SHARE_PATH));
    alert_put_number(alert, "bytes", (double)observation_uint(o, FIELD_READ_BYTES, 0));
    alert_add_named(alert, ALERT_RESOURCE, SUBJECT_OBJECT, observation_text(o, FIELD_FILE_PATH),
                    (struct bytes){0});
    alert_explain(
        alert,
        "It is %s; %.0f bytes of it were read. With the database and the SYSTEM hive, the password hashes "
        "of all accounts can be had.",
        secret, (double)observation_uint(o, FIELD_READ_BYTES, 0));
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_smb_exfiltration = {
    .external_id = 2030,
    .name = "SmbDataExfiltrationSecurityAlert",
    .title = "Data exfiltration over SMB",
    .word = "smb_exfiltration",
    .severity = SEVERITY_HIGH,
    .mitre = "T1003.003",
    .doc = "A file of secrets is read over SMB by one that is no domain controller: ntds.dit from anywhere; "
           "from a domain "
           "controller the hives SYSTEM, SAM and SECURITY of System32\\config, files called like a saved "
           "SYSTEM hive, and "
           "any file that the same source had a hive saved to (RegSaveKey, [MS-RRP] 3.1.5.20) within a day. "
           "Rule, no "
           "learning. Inside encrypted SMB 3 names are not seen.",
    .advice = "Take the source off the network, reset krbtgt twice and all passwords. Exclude backup servers "
              "that fetch these files.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
