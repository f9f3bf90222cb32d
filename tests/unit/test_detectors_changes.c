/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of what is changed: in the directory, its groups and policies, services, certification
 * authorities, decoys.
 */
#include "tests/unit/directory_world.h"

static const struct world_fact directory[] = {
    {"DC1", FACT_COMPUTER | FACT_CONTROLLER, 0},
    {"FS1", FACT_COMPUTER, 0},
    {"WS1", FACT_COMPUTER, 0},
    {"OLD", FACT_COMPUTER, WORLD_START - 25 * CLOCK_HOUR},
    {"YOUNG", FACT_COMPUTER, WORLD_START - 23 * CLOCK_HOUR},
    {"sync", FACT_USER | FACT_SYNCHRONIZER, 0},
    {"decoy", FACT_USER | FACT_HONEYTOKEN, 0},
    {"bob", FACT_USER, 0},
    {"Tier Zero", FACT_GROUP | FACT_SENSITIVE_GROUP, 0},
    {0},
};

#define BASE "DC=corp,DC=example"

static void modify(struct world *w, const char *account, const char *dn, const char *change,
                   const char *value)
{
    begin(w, ACTIVITY_LDAP_MODIFY);
    put_ends(w, 66, 10);
    put_account(w, account);
    put_text(w, FIELD_LDAP_DN, dn);
    PUT_LIST(w, FIELD_CHANGES, change);
    if (value)
        PUT_LIST(w, FIELD_ATTRIBUTE_VALUES, value);
    put_uint(w, FIELD_STATUS, 0);
    send(w);
}

static void changed(struct world *w, const char *account, const char *dn, const char *change,
                    const char *value)
{
    begin(w, ACTIVITY_DIRECTORY_CHANGE);
    put_event(w, 5136, "dc1.corp.example");
    put_text(w, FIELD_OPERATION, "modified");
    put_account(w, account);
    put_text(w, FIELD_LDAP_DN, dn);
    PUT_LIST(w, FIELD_CHANGES, change);
    if (value)
        PUT_LIST(w, FIELD_ATTRIBUTE_VALUES, value);
    send(w);
}

/* -- 2024 --------------------------------------------------------------------------------------------------
 */

static void add_member(struct world *w, const char *account, const char *group, const char *sid)
{
    begin(w, ACTIVITY_GROUP_CHANGE);
    put_event(w, 4728, "dc1.corp.example");
    put_text(w, FIELD_OPERATION, "member_added");
    put_account(w, account);
    put_text(w, FIELD_GROUP_ACCOUNT, group);
    if (sid)
        put_sid(w, FIELD_GROUP_ACCOUNT_SID, sid);
    put_text(w, FIELD_MEMBER_DN, "CN=eve," BASE);
    send(w);
}

#define ADMINS "S-1-5-21-1-2-3-512"

static void additions_to_sensitive_groups(void **state)
{
    (void)state;
    struct world *w = world_new(true, directory);
    add_member(w, "bob", "Domain Admins", ADMINS);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2024)->explanation, "eve was added to Domain Admins"));
    add_member(w, "bob", "Administradores", "S-1-5-32-544"); /* by its SID in any language */
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    add_member(w, "bob", "Domain Admins", "S-1-5-21-1-2-3-1105"); /* a namesake */
    assert_quiet(w, 2024);
    add_member(w, "bob", "Sales", "S-1-5-21-1-2-3-1106");
    assert_quiet(w, 2024);
    modify(w, "bob", "CN=Domain Admins,CN=Users," BASE, "add:member", "add:member=CN=eve," BASE);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    modify(w, "bob", "CN=Domain Admins,CN=Users," BASE, "delete:member", "delete:member=CN=eve," BASE);
    assert_quiet(w, 2024);
    begin(w, ACTIVITY_LDAP_MODIFY);
    put_ends(w, 66, 10);
    put_text(w, FIELD_LDAP_DN, "CN=Tier Zero," BASE);
    put_text(w, FIELD_GROUP_NAME, "Tier Zero"); /* tagged */
    PUT_LIST(w, FIELD_CHANGES, "add:member");
    send(w);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    world_destroy(w);
}

static void samr_member(struct world *w, uint64_t rid, bool sealed)
{
    begin(w, ACTIVITY_SAMR_CHANGE);
    put_ends(w, 66, 10);
    put_account(w, "bob");
    put_uint(w, FIELD_RPC_OPNUM, 22);
    if (sealed)
        put_bool(w, FIELD_SEALED, true);
    else
        put_uint(w, FIELD_SAMR_RID, rid);
    send(w);
}

static void additions_by_samr(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    samr_member(w, 512, false);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    samr_member(w, 1105, false);
    assert_quiet(w, 2024);
    samr_member(w, 0, true);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2024)->explanation, "cannot be seen"));
    world_destroy(w);
}

static void additions_become_habit(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    add_member(w, "bob", "Domain Admins", ADMINS); /* learning */
    assert_quiet(w, 2024);
    for (unsigned i = 0; i < 5; i++)
        add_member(w, "dave", "Domain Admins", ADMINS); /* often, but on one day */
    w->time = WORLD_START + 3 * CLOCK_DAY;
    add_member(w, "bob", "Domain Admins", ADMINS);
    w->time = WORLD_START + 29 * CLOCK_DAY;
    add_member(w, "bob", "Domain Admins", ADMINS); /* two days, the first long ago: medium asks for two */
    assert_quiet(w, 2024);
    add_member(w, "bob", "Schema Admins", "S-1-5-21-1-2-3-518"); /* another group */
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    add_member(w, "dave", "Domain Admins", ADMINS);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    add_member(w, "carol", "Domain Admins", ADMINS);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    w->settings.sensitivity = SENSITIVITY_HIGH; /* four days */
    add_member(w, "bob", "Domain Admins", ADMINS);
    assert_raised(w, 2024, SEVERITY_MEDIUM);
    world_destroy(w);
}

static void groups_of_other_computers(void **state)
{
    (void)state;
    struct world *w = world_new(true, directory);
    begin(w, ACTIVITY_GROUP_CHANGE);
    put_event(w, 4732, "fs1.corp.example"); /* no controller, as the directory knows */
    put_text(w, FIELD_OPERATION, "member_added");
    put_account(w, "bob");
    put_sid(w, FIELD_GROUP_ACCOUNT_SID, "S-1-5-32-544");
    send(w);
    assert_quiet(w, 2024);
    begin(w, ACTIVITY_GROUP_CHANGE);
    put_event(w, 4732, "HOME-PC");
    put_text(w, FIELD_OPERATION, "member_added");
    put_text(w, FIELD_ACCOUNT, "me");
    put_text(w, FIELD_ACCOUNT_DOMAIN, "HOME-PC");
    put_sid(w, FIELD_GROUP_ACCOUNT_SID, "S-1-5-32-544");
    send(w);
    assert_quiet(w, 2024);
    begin(w, ACTIVITY_GROUP_CHANGE);
    put_event(w, 4728, "dc1.corp.example");
    put_text(w, FIELD_OPERATION, "member_added");
    put_account(w, "DC1$");
    put_sid(w, FIELD_ACTING_SID, "S-1-5-18");
    put_sid(w, FIELD_GROUP_ACCOUNT_SID, ADMINS);
    send(w);
    assert_quiet(w, 2024);
    world_destroy(w);
}

/* -- 2026 --------------------------------------------------------------------------------------------------
 */

static void services(void **state)
{
    (void)state;
    static const struct {
        const char *name, *command;
        bool is;
    } cases[] = {
        {"BTOBTO", "%COMSPEC% /Q /c echo cd ^> \\\\127.0.0.1\\C$\\__output 2^>^&1 > %TEMP%\\execute.bat",
         true},
        {"iOWamcEn", "%COMSPEC% /b /c start /b /min powershell.exe -nop -w hidden", true},
        {"PSEXESVC", "%SystemRoot%\\PSEXESVC.exe", true},
        {"xKqWzRtB", "%systemroot%\\aBcDeFgH.exe", true},
        {"spoolfool", "cmd.exe", true},
        {"mimikatz driver (mimidrv)", "C:\\TOOLS\\mimidrv.sys", true},
        {"Microsoft Office Click-to-Run Service",
         "\"C:\\Program Files\\Common Files\\Microsoft Shared\\ClickToRun\\OfficeClickToRun.exe\" /service",
         false},
        {"Npcap Packet Driver (NPCAP)", "\\SystemRoot\\system32\\DRIVERS\\npcap.sys", false},
        {"WinDefend", "\"C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\MsMpEng.exe\"", false},
        {"gupdate", "\"C:\\Program Files (x86)\\Google\\Update\\GoogleUpdate.exe\" /svc", false},
        {"MSSQLSERVER", "\"C:\\Program Files\\Microsoft SQL Server\\sqlservr.exe\" -sMSSQLSERVER", false},
        {"", "", false},
    };
    struct world *w = world_new(false, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (unsigned wire = 0; wire < 2; wire++) {
            begin(w, wire ? ACTIVITY_SERVICE_CONTROL : ACTIVITY_SERVICE_INSTALL);
            if (wire) {
                put_ends(w, 66, 20);
                put_uint(w, FIELD_RPC_OPNUM, 12);
            } else {
                put_event(w, 7045, "fs1.corp.example");
            }
            put_text(w, FIELD_SERVICE_NAME, cases[i].name);
            put_text(w, FIELD_SERVICE_BINARY, cases[i].command);
            send(w);
            if ((raised(w, 2026) != NULL) != cases[i].is)
                fail_msg("%s", cases[i].name);
        }
    world_destroy(w);
}

/* -- 2028 --------------------------------------------------------------------------------------------------
 */

static void register_server(struct world *w, const char *source, bool controller)
{
    begin(w, ACTIVITY_LDAP_ADD);
    put_ends(w, 66, 10);
    put_source_computer(w, source, controller);
    put_text(w, FIELD_LDAP_DN, "CN=ROGUE,CN=Servers,CN=Site,CN=Sites,CN=Configuration," BASE);
    PUT_LIST(w, FIELD_ATTRIBUTE_VALUES, "objectClass=top", "objectClass=server");
    send(w);
}

static void promotions(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    register_server(w, "WS1", false);
    assert_raised(w, 2028, SEVERITY_HIGH);
    register_server(w, "DC1", true);
    assert_quiet(w, 2028);
    begin(w, ACTIVITY_LDAP_ADD);
    put_ends(w, 66, 10);
    put_text(w, FIELD_LDAP_DN, "CN=WS9,CN=Computers," BASE);
    PUT_LIST(w, FIELD_ATTRIBUTE_VALUES, "objectClass=computer");
    send(w);
    assert_quiet(w, 2028);
    modify(w, "bob", "CN=WS2,CN=Computers," BASE, "add:servicePrincipalName",
           "add:servicePrincipalName=GC/ws2.corp.example/corp.example");
    assert_raised(w, 2028, SEVERITY_HIGH);
    modify(w, "bob", "CN=WS2,CN=Computers," BASE, "delete:servicePrincipalName",
           "delete:servicePrincipalName=GC/ws2.corp.example/corp.example");
    assert_quiet(w, 2028);
    modify(w, "bob", "CN=WS2,CN=Computers," BASE, "add:servicePrincipalName",
           "add:servicePrincipalName=HOST/ws2.corp.example");
    assert_quiet(w, 2028);
    begin(w, ACTIVITY_DRS_WRITE_SPN);
    put_ends(w, 66, 10);
    PUT_LIST(w, FIELD_RPC_NAMES, "e3514235-4b06-11d1-ab04-00c04fc2dcd2/x/corp.example");
    send(w);
    assert_raised(w, 2028, SEVERITY_HIGH);
    begin(w, ACTIVITY_DRS_ADD_ENTRY);
    put_ends(w, 66, 10);
    send(w);
    assert_raised(w, 2028, SEVERITY_HIGH);
    begin(w, ACTIVITY_DIRECTORY_CHANGE);
    put_event(w, 5137, "dc1.corp.example");
    put_text(w, FIELD_OPERATION, "created");
    put_account(w, "bob");
    put_text(w, FIELD_OBJECT_CLASS, "nTDSDSA");
    put_text(w, FIELD_LDAP_DN, "CN=NTDS Settings,CN=ROGUE,CN=Servers,CN=S,CN=Sites,CN=Configuration," BASE);
    send(w);
    assert_raised(w, 2028, SEVERITY_HIGH);
    world_destroy(w);
}

/* -- 2016 --------------------------------------------------------------------------------------------------
 */

static bool delete_objects(struct world *w, unsigned count, uint64_t status)
{
    bool told = false;
    for (unsigned i = 0; i < count; i++) {
        begin(w, ACTIVITY_LDAP_DELETE);
        put_ends(w, 66, 10);
        put_account(w, "bob");
        put_uint(w, FIELD_STATUS, status);
        send(w);
        told |= raised(w, 2016) != NULL;
    }
    return told;
}

static void many_objects_are_deleted(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    assert_false(delete_objects(w, 99, 0));
    assert_true(delete_objects(w, 1, 0));
    const struct alert_evidence *objects = evidence_of(raised(w, 2016), "objects");
    assert_true(objects->number == 100 && objects->limit == 100);
    assert_false(delete_objects(w, 99, 0)); /* then when it has doubled */
    assert_true(delete_objects(w, 1, 0));
    world_destroy(w);

    w = world_new(false, NULL);
    assert_false(delete_objects(w, 500, 50)); /* refused */
    world_destroy(w);

    w = world_new(false, NULL);
    for (unsigned day = 0; day < 10; day++) { /* clears up each day */
        bool told = delete_objects(w, 150, 0);
        assert_true(day == 0 || day == 1 || !told);
        w->time = WORLD_START + (day + 1) * CLOCK_DAY;
    }
    assert_true(delete_objects(w, 3000, 0)); /* but never so */
    world_destroy(w);
}

/* -- 2423, 2431, 1106, 2430 --------------------------------------------------------------------------------
 */

#define DELEGATION "msDS-AllowedToActOnBehalfOfOtherIdentity"
#define KEY        "msDS-KeyCredentialLink"

static void delegation_is_written(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    modify(w, "WS1$", "CN=FS1,CN=Computers," BASE, "replace:" DELEGATION, NULL);
    assert_raised(w, 2423, SEVERITY_HIGH);
    modify(w, "FS1$", "CN=FS1,CN=Computers," BASE, "replace:" DELEGATION, NULL); /* relayed */
    assert_raised(w, 2423, SEVERITY_HIGH);
    modify(w, "bob", "CN=FS1,CN=Computers," BASE, "add:" DELEGATION, NULL);
    assert_raised(w, 2423, SEVERITY_MEDIUM);
    modify(w, "bob", "CN=FS1,CN=Computers," BASE, "delete:" DELEGATION, NULL);
    assert_quiet(w, 2423);
    changed(w, "bob", "CN=FS1,CN=Computers," BASE, "add:" DELEGATION, NULL);
    assert_raised(w, 2423, SEVERITY_MEDIUM);
    changed(w, "bob", "CN=FS1,CN=Computers," BASE, "add:description", NULL);
    assert_quiet(w, 2423);
    world_destroy(w);
}

static void keys_are_written(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    modify(w, "bob", "CN=carol," BASE, "add:" KEY, NULL);
    assert_raised(w, 2431, SEVERITY_HIGH);
    modify(w, "bob", "CN=carol," BASE, "delete:" KEY, NULL);
    assert_quiet(w, 2431);
    modify(w, "WS1$", "CN=WS1,CN=Computers," BASE, "replace:" KEY, NULL); /* its own */
    assert_quiet(w, 2431);
    modify(w, "WS1$", "CN=WS10,CN=Computers," BASE, "replace:" KEY, NULL);
    assert_raised(w, 2431, SEVERITY_HIGH);
    modify(w, "DC1$", "CN=DC1,OU=Domain Controllers," BASE, "replace:" KEY,
           NULL); /* from 10.0.0.66: relayed */
    assert_raised(w, 2431, SEVERITY_HIGH);
    modify(w, "sync", "CN=carol," BASE, "add:" KEY, NULL);
    assert_quiet(w, 2431);
    world_destroy(w);
}

static void histories_of_sids(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    modify(w, "bob", "CN=carol," BASE, "add:sIDHistory", NULL);
    assert_raised(w, 1106, SEVERITY_HIGH);
    modify(w, "bob", "CN=carol," BASE, "delete:sIDHistory", NULL);
    assert_quiet(w, 1106);
    changed(w, "bob", "CN=carol," BASE, "add:sIDHistory", "add:sIDHistory=S-1-5-21-1-2-3-519");
    assert_raised(w, 1106, SEVERITY_HIGH);
    assert_string_equal(evidence_of(raised(w, 1106), "sid")->text, "S-1-5-21-1-2-3-519");
    begin(w, ACTIVITY_DRS_SID_HISTORY);
    put_ends(w, 66, 10);
    send(w);
    assert_raised(w, 1106, SEVERITY_MEDIUM);
    begin(w, ACTIVITY_ACCOUNT_CHANGE);
    put_event(w, 4738, "dc1.corp.example");
    put_account(w, "bob");
    put_text(w, FIELD_CHANGED_ACCOUNT, "carol");
    PUT_LIST(w, FIELD_LDAP_ATTRIBUTES, "displayName", "sIDHistory");
    send(w);
    assert_raised(w, 1106, SEVERITY_HIGH);
    world_destroy(w);
}

static void the_holder_of_permissions(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    modify(w, "bob", "CN=AdminSDHolder,CN=System," BASE, "replace:nTSecurityDescriptor", NULL);
    assert_raised(w, 2430, SEVERITY_HIGH);
    changed(w, "bob", "CN=AdminSDHolder,CN=System," BASE, "add:nTSecurityDescriptor",
            "add:nTSecurityDescriptor=O:DAG:DA");
    assert_raised(w, 2430, SEVERITY_HIGH);
    modify(w, "bob", "CN=AdminSDHolder,CN=System," BASE, "replace:description", NULL);
    assert_quiet(w, 2430);
    modify(w, "bob", "CN=Other,CN=System," BASE, "replace:nTSecurityDescriptor", NULL);
    assert_quiet(w, 2430);
    for (unsigned i = 0; i < 2; i++) {
        begin(w, ACTIVITY_DIRECTORY_ACCESS);
        put_event(w, 4662, "dc1.corp.example");
        put_account(w, "bob");
        put_text(w, FIELD_LDAP_DN, "CN=AdminSDHolder,CN=System," BASE);
        put_uint(w, FIELD_ACCESS_MASK, i ? 0x10 : 0x40000);
        send(w);
        assert_int_equal(raised(w, 2430) != NULL, i == 0);
    }
    world_destroy(w);
}

/* -- 2422 --------------------------------------------------------------------------------------------------
 */

static void on_behalf(struct world *w, const char *account, bool proxy)
{
    begin(w, ACTIVITY_KERBEROS_TGS);
    put_ends(w, 66, 10);
    put_text(w, FIELD_ACCOUNT, account);
    put_text(w, FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    put_text(w, FIELD_SERVICE, "cifs/fs1");
    if (proxy)
        put_bool(w, FIELD_S4U2PROXY, true);
    send(w);
}

static void young_computers_act_for_others(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    on_behalf(w, "YOUNG$", true);
    assert_raised(w, 2422, SEVERITY_HIGH);
    on_behalf(w, "YOUNG$", false);
    assert_quiet(w, 2422);
    on_behalf(w, "OLD$", true);
    assert_quiet(w, 2422);
    begin(w, ACTIVITY_SAMR_CHANGE); /* its making is seen */
    put_ends(w, 66, 10);
    put_uint(w, FIELD_RPC_OPNUM, 50);
    put_text(w, FIELD_RPC_NAME, "EVIL$");
    put_uint(w, FIELD_STATUS, 0);
    send(w);
    on_behalf(w, "evil$", true);
    assert_raised(w, 2422, SEVERITY_HIGH);
    w->time += 25 * CLOCK_HOUR;
    on_behalf(w, "evil$", true);
    assert_quiet(w, 2422);
    begin(w, ACTIVITY_LDAP_ADD);
    put_ends(w, 66, 10);
    put_text(w, FIELD_LDAP_DN, "CN=EVIL2,CN=Computers," BASE);
    PUT_LIST(w, FIELD_ATTRIBUTE_VALUES, "objectClass=computer", "sAMAccountName=EVIL2$");
    put_uint(w, FIELD_STATUS, 50); /* refused */
    send(w);
    on_behalf(w, "EVIL2$", true);
    assert_quiet(w, 2422);
    world_destroy(w);
}

/* -- 2432 to 2435 ------------------------------------------------------------------------------------------
 */

static void certificate(struct world *w, const char *operation, const char *account, const char *attributes,
                        const char *template)
{
    begin(w, ACTIVITY_CERTIFICATE_SERVICE);
    put_event(w, 4887, "ca.corp.example");
    put_text(w, FIELD_OPERATION, operation);
    put_account(w, account);
    put_text(w, FIELD_REQUEST_ATTRIBUTES, attributes);
    put_text(w, FIELD_CERTIFICATE_TEMPLATE, template);
    send(w);
}

static void certificates_of_controllers(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    certificate(w, "issued", "DC1$", "CertificateTemplate:DomainController\r\nccm:kali.corp.example",
                "DomainController");
    assert_raised(w, 2432, SEVERITY_HIGH);
    certificate(w, "issued", "DC1$", "CertificateTemplate:Machine\nccm:DC1.corp.example", "DomainController");
    assert_quiet(w, 2432);
    certificate(w, "requested", "DC1$", "", "DomainController");
    assert_quiet(w, 2432);
    certificate(w, "issued", "WS1$", "", "DomainController"); /* no controller */
    assert_raised(w, 2432, SEVERITY_HIGH);
    certificate(w, "issued", "WS1$", "ccm:other.corp.example", "Machine");
    assert_quiet(w, 2432);
    certificate(w, "denied", "WS1$", "", "DomainController");
    assert_quiet(w, 2432);
    world_destroy(w);
}

static void certification_authorities(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    begin(w, ACTIVITY_CERTIFICATE_SERVICE);
    put_event(w, 4896, "ca.corp.example");
    put_text(w, FIELD_OPERATION, "rows_deleted");
    put_account(w, "bob");
    put_uint(w, FIELD_DELETED_ROWS, 12);
    send(w);
    assert_raised(w, 2433, SEVERITY_MEDIUM);
    static const uint64_t filters[] = {0, 63, 127};
    for (unsigned i = 0; i < 3; i++) {
        begin(w, ACTIVITY_CERTIFICATE_SERVICE);
        put_event(w, 4885, "ca.corp.example");
        put_text(w, FIELD_OPERATION, "audit_filter_changed");
        put_account(w, "bob");
        put_uint(w, FIELD_AUDIT_FILTER, filters[i]);
        send(w);
        assert_int_equal(raised(w, 2434) != NULL, i < 2);
        assert_quiet(w, 2435);
    }
    for (unsigned i = 0; i < 2; i++) {
        begin(w, ACTIVITY_CERTIFICATE_SERVICE);
        put_event(w, 4882, "ca.corp.example");
        put_text(w, FIELD_OPERATION, i ? "managers_changed" : "permissions_changed");
        put_account(w, "bob");
        put_text(w, FIELD_SECURITY_SETTINGS, "Allow(0x1) Everyone");
        send(w);
        assert_raised(w, 2435, SEVERITY_MEDIUM);
        assert_quiet(w, 2434);
    }
    world_destroy(w);
}

/* -- 2440 --------------------------------------------------------------------------------------------------
 */

static void write_file(struct world *w, const char *share, const char *path, uint64_t bytes)
{
    begin(w, ACTIVITY_SMB_OPEN);
    put_ends(w, 66, 10);
    put_account(w, "bob");
    put_text(w, FIELD_SHARE_PATH, share);
    put_text(w, FIELD_FILE_PATH, path);
    put_uint(w, FIELD_WRITE_BYTES, bytes);
    send(w);
}

#define SYSVOL "\\\\dc1\\SysVol"
#define POLICY "corp.example\\Policies\\{31B2F340-016D-11D2-945F-00C04FB984F9}\\MACHINE\\Registry.pol"

static void policies_are_written(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    write_file(w, SYSVOL, POLICY, 100);
    assert_raised(w, 2440, SEVERITY_MEDIUM);
    write_file(w, SYSVOL, POLICY, 0); /* read */
    assert_quiet(w, 2440);
    write_file(w, SYSVOL, "x.exe", 100);
    assert_raised(w, 2440, SEVERITY_MEDIUM);
    write_file(w, SYSVOL, "notes.txt", 100);
    assert_quiet(w, 2440);
    write_file(w, "\\\\fs1\\data", "Policies\\x.xml", 100);
    assert_quiet(w, 2440);
    changed(w, "bob", "CN={31B2F340},CN=Policies,CN=System," BASE, "add:gPCMachineExtensionNames", NULL);
    assert_raised(w, 2440, SEVERITY_MEDIUM);
    changed(w, "bob", "CN={31B2F340},CN=Policies,CN=System," BASE, "add:displayName", NULL);
    assert_quiet(w, 2440);
    world_destroy(w);

    w = world_new(false, NULL);
    write_file(w, SYSVOL, POLICY, 100);
    w->time = WORLD_START + 10 * CLOCK_DAY;
    write_file(w, SYSVOL, POLICY, 100);
    w->time = WORLD_START + 30 * CLOCK_DAY;
    write_file(w, SYSVOL, POLICY, 100); /* who does so */
    assert_quiet(w, 2440);
    world_destroy(w);
}

/* -- 2427, 2428 --------------------------------------------------------------------------------------------
 */

static void decoys_are_changed(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    modify(w, "bob", "CN=decoy,OU=x," BASE, "replace:telephoneNumber", NULL);
    assert_raised(w, 2427, SEVERITY_HIGH);
    modify(w, "bob", "CN=carol,OU=x," BASE, "replace:telephoneNumber", NULL);
    assert_quiet(w, 2427);
    begin(w, ACTIVITY_ACCOUNT_CHANGE);
    put_event(w, 4724, "dc1.corp.example");
    put_text(w, FIELD_OPERATION, "password_reset");
    put_account(w, "bob");
    put_text(w, FIELD_CHANGED_ACCOUNT, "decoy");
    send(w);
    assert_raised(w, 2427, SEVERITY_HIGH);
    begin(w, ACTIVITY_ACCOUNT_CHANGE);
    put_event(w, 4740, "dc1.corp.example");
    put_text(w, FIELD_OPERATION, "locked_out"); /* by failures to log on */
    put_account(w, "DC1$");
    put_text(w, FIELD_CHANGED_ACCOUNT, "decoy");
    send(w);
    assert_quiet(w, 2427);
    world_destroy(w);
}

static void decoys_change_groups(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    modify(w, "bob", "CN=Sales," BASE, "add:member", "add:member=CN=decoy,OU=x," BASE);
    assert_raised(w, 2428, SEVERITY_HIGH);
    modify(w, "bob", "CN=Sales," BASE, "delete:member", "delete:member=CN=decoy,OU=x," BASE);
    assert_raised(w, 2428, SEVERITY_HIGH);
    modify(w, "bob", "CN=Sales," BASE, "add:member", "add:member=CN=carol,OU=x," BASE);
    assert_quiet(w, 2428);
    begin(w, ACTIVITY_GROUP_CHANGE);
    put_event(w, 4728, "dc1.corp.example");
    put_text(w, FIELD_OPERATION, "member_added");
    put_account(w, "bob");
    put_text(w, FIELD_GROUP_ACCOUNT, "Sales");
    put_text(w, FIELD_MEMBER_DN, "CN=decoy,OU=x," BASE);
    send(w);
    assert_raised(w, 2428, SEVERITY_HIGH);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additions_to_sensitive_groups),
        cmocka_unit_test(additions_by_samr),
        cmocka_unit_test(additions_become_habit),
        cmocka_unit_test(groups_of_other_computers),
        cmocka_unit_test(services),
        cmocka_unit_test(promotions),
        cmocka_unit_test(many_objects_are_deleted),
        cmocka_unit_test(delegation_is_written),
        cmocka_unit_test(keys_are_written),
        cmocka_unit_test(histories_of_sids),
        cmocka_unit_test(the_holder_of_permissions),
        cmocka_unit_test(young_computers_act_for_others),
        cmocka_unit_test(certificates_of_controllers),
        cmocka_unit_test(certification_authorities),
        cmocka_unit_test(policies_are_written),
        cmocka_unit_test(decoys_are_changed),
        cmocka_unit_test(decoys_change_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
