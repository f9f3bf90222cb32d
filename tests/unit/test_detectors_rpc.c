/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of what is called on domain controllers: replication, sessions, execution, secrets, accounts,
 * coercion.
 */
#include "tests/unit/directory_world.h"

static const struct world_fact directory[] = {
    {"DC1", FACT_COMPUTER | FACT_CONTROLLER, 0},
    {"DC2", FACT_COMPUTER | FACT_CONTROLLER, 0},
    {"FS1", FACT_COMPUTER, 0},
    {"WS1", FACT_COMPUTER, 0},
    {"sync", FACT_USER | FACT_SYNCHRONIZER, 0},
    {0},
};

static void call(struct world *w, enum activity_kind kind, const char *interface, uint64_t opnum)
{
    begin(w, kind);
    put_ends(w, 66, 10);
    put_text(w, FIELD_RPC_INTERFACE, interface);
    put_uint(w, FIELD_RPC_OPNUM, opnum);
}

/* -- 2006 --------------------------------------------------------------------------------------------------
 */

static void replicate(struct world *w, const char *source, bool controller, const char *account)
{
    call(w, ACTIVITY_DRS_REPLICATE, "drsuapi", 3);
    if (source)
        put_source_computer(w, source, controller);
    put_bool(w, FIELD_SEALED, true);
    put_account(w, account);
    send(w);
}

static void replication_by_no_controller(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    replicate(w, "WS1", false, "bob");
    assert_raised(w, 2006, SEVERITY_HIGH);
    assert_string_equal(raised(w, 2006)->name, "DirectoryServicesReplicationSecurityAlert");
    assert_non_null(strstr(raised(w, 2006)->explanation, "sealed"));
    assert_non_null(strstr(raised(w, 2006)->explanation, "95 %"));
    replicate(w, "DC2", true, "DC2$");
    assert_quiet(w, 2006);
    replicate(w, "DC2", false, "DC2$"); /* the directory knows what the resolver did not say */
    assert_quiet(w, 2006);
    replicate(w, "FS1", false, "DC2$"); /* a controller's stolen account, from elsewhere */
    assert_raised(w, 2006, SEVERITY_HIGH);
    replicate(w, NULL, false, "sync");
    assert_quiet(w, 2006);
    replicate(w, NULL, false, "bob");
    assert_raised(w, 2006, SEVERITY_HIGH);
    world_destroy(w);
}

/* A key shows what is asked for. */
static void replication_of_one_account(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    for (uint64_t operation = 5; operation <= 8; operation++) {
        bool single = operation == 6 || operation == 7;
        call(w, ACTIVITY_DRS_REPLICATE, "drsuapi", 3);
        put_uint(w, FIELD_DRS_EXTENDED_OPERATION, operation);
        put_bool(w, FIELD_UNSEALED, true);
        put_account(w, "bob");
        if (operation != 7) {
            put_text(w, FIELD_TARGET_NAME, "krbtgt");
            put_text(w, FIELD_TARGET_KIND, "user");
        }
        send(w);
        assert_raised(w, 2006, SEVERITY_HIGH);
        const char *told = strstr(raised(w, 2006)->explanation, "a single object with its secrets: ");
        assert_true((told != NULL) == single);
        if (single)
            assert_non_null(strstr(told, operation == 6 ? ": krbtgt." : ": one that the directory"));
    }
    world_destroy(w);
}

static void replication_is_excluded_when_told_so(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    struct fault fault;
    assert_true(exclusion_parse("directory_services_replication address:10.0.0.64/26",
                                &w->settings.exclusions[w->settings.exclusion_count++], &fault));
    replicate(w, NULL, false, "bob");
    assert_quiet(w, 2006);
    world_destroy(w);
}

static void bind(struct world *w, uint8_t from, uint8_t to)
{
    begin(w, ACTIVITY_DRS_BIND);
    put_ends(w, from, to);
    send(w);
}

static void without_a_directory_partners_are_controllers(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    bind(w, 10, 66); /* 10 asks 66 */
    replicate(w, NULL, false, "DC2$");
    assert_quiet(w, 2006);
    world_destroy(w);

    w = world_new(false, NULL);
    bind(w, 66, 10); /* 66 asks 10: that says nothing of 66 */
    replicate(w, NULL, false, "bob");
    assert_raised(w, 2006, SEVERITY_HIGH);
    world_destroy(w);

    w = world_new(false, NULL);
    begin(w, ACTIVITY_KERBEROS_AP);
    put_ends(w, 66, 10);
    put_text(w, FIELD_TICKET_SERVICE, "E3514235-4B06-11D1-AB04-00C04FC2DCD2/x/corp.example");
    put_uint(w, FIELD_STATUS, 0);
    send(w);
    replicate(w, NULL, false, "DC2$");
    assert_quiet(w, 2006);
    world_destroy(w);

    /* With a directory it is no excuse. */
    w = world_new(false, directory);
    bind(w, 10, 66);
    replicate(w, "WS1", false, "bob");
    assert_raised(w, 2006, SEVERITY_HIGH);
    world_destroy(w);
}

static void dirsync(struct world *w, uint64_t flags)
{
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, 66, 10);
    put_account(w, "bob");
    put_uint(w, FIELD_DIRSYNC_FLAGS, flags);
    put_text(w, FIELD_SEARCH_BASE, "DC=corp,DC=example");
    put_text(w, FIELD_SEARCH_FILTER, "(objectClass=*)");
    put_uint(w, FIELD_ENTRIES, 190);
    send(w);
}

static void dirsync_needs_a_right_unless_object_security(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    dirsync(w, 0);
    assert_raised(w, 2006, SEVERITY_HIGH);
    dirsync(w, 0x80000000);
    assert_raised(w, 2006, SEVERITY_HIGH);
    dirsync(w, 1); /* LDAP_DIRSYNC_OBJECT_SECURITY: only what it may read */
    assert_quiet(w, 2006);
    world_destroy(w);
}

static void access_event(struct world *w, const char *account, const char *right, uint64_t mask)
{
    begin(w, ACTIVITY_DIRECTORY_ACCESS);
    put_event(w, 4662, "dc1.corp.example");
    put_account(w, account);
    put_uint(w, FIELD_ACCESS_MASK, mask);
    PUT_LIST(w, FIELD_PROPERTY_GUIDS, right, "19195a5b-6da0-11d0-afd3-00c04fd930c9");
    send(w);
}

#define CHANGES     "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"
#define CHANGES_ALL "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2"
#define TOPOLOGY    "1131f6ac-9c07-11d1-f79f-00c04fc2dcd2"

static void rights_of_replication_in_events(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    access_event(w, "bob", CHANGES_ALL, 0x100);
    assert_raised(w, 2006, SEVERITY_HIGH);
    access_event(w, "bob", "1131F6AD-9C07-11D1-F79F-00C04FC2DCD2", 0x100);
    assert_raised(w, 2006, SEVERITY_HIGH);
    access_event(w, "bob", CHANGES, 0x100); /* no secrets by that alone */
    assert_quiet(w, 2006);
    access_event(w, "bob", CHANGES_ALL, 0x10); /* not used as a right */
    assert_quiet(w, 2006);
    access_event(w, "DC2$", CHANGES_ALL, 0x100);
    assert_quiet(w, 2006);
    access_event(w, "WS1$", CHANGES_ALL, 0x100);
    assert_raised(w, 2006, SEVERITY_HIGH);
    access_event(w, "UNKNOWN$", CHANGES_ALL, 0x100); /* perhaps a controller */
    assert_quiet(w, 2006);
    world_destroy(w);
}

/* -- 2029 --------------------------------------------------------------------------------------------------
 */

static void replica_add(struct world *w, uint64_t opnum, const char *source, bool controller)
{
    call(w, ACTIVITY_DRS_REPLICA_ADD, "drsuapi", opnum);
    put_source_computer(w, source, controller);
    put_text(w, FIELD_DRS_PARTNER, "rogue.corp.example");
    send(w);
}

static void replication_sources_are_added_by_controllers(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    replica_add(w, 5, "WS1", false);
    assert_raised(w, 2029, SEVERITY_HIGH);
    assert_non_null(evidence_of(raised(w, 2029), "partner"));
    replica_add(w, 2, "WS1", false); /* a synchronisation: repadmin */
    assert_quiet(w, 2029);
    replica_add(w, 5, "DC2", true);
    assert_quiet(w, 2029);
    call(w, ACTIVITY_DRS_UPDATE_REFS, "drsuapi", 4);
    send(w);
    assert_raised(w, 2029, SEVERITY_HIGH);
    access_event(w, "bob", TOPOLOGY, 0x100);
    assert_raised(w, 2029, SEVERITY_HIGH);
    access_event(w, "DC1$", TOPOLOGY, 0x100);
    assert_quiet(w, 2029);
    access_event(w, "bob", CHANGES, 0x100);
    assert_quiet(w, 2029);
    world_destroy(w);
}

/* -- 2012 --------------------------------------------------------------------------------------------------
 */

static void sessions_are_listed_on_controllers(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    call(w, ACTIVITY_SESSION_ENUMERATE, "srvsvc", 12);
    put_destination_computer(w, "DC1", true);
    put_uint(w, FIELD_STATUS, 5);
    put_text(w, FIELD_SESSION_USER, "admin");
    send(w);
    assert_raised(w, 2012, SEVERITY_MEDIUM);
    assert_string_equal(evidence_of(raised(w, 2012), "outcome")->text, "failure");
    call(w, ACTIVITY_SESSION_ENUMERATE, "srvsvc", 12);
    put_destination_computer(w, "FS1", false); /* a file server, as the directory knows */
    send(w);
    assert_quiet(w, 2012);
    call(w, ACTIVITY_SESSION_ENUMERATE, "srvsvc", 12);
    put_source_computer(w, "DC2", true);
    send(w);
    assert_quiet(w, 2012);
    world_destroy(w);
}

/* -- 2019 --------------------------------------------------------------------------------------------------
 */

static void assert_execution(struct world *w, bool is)
{
    send(w);
    if (is)
        assert_raised(w, 2019, SEVERITY_MEDIUM);
    else
        assert_quiet(w, 2019);
}

static void what_runs_commands_is_execution(void **state)
{
    (void)state;
    static const struct {
        enum activity_kind kind;
        const char *interface;
        uint64_t opnum;
        bool is;
    } calls[] = {
        {ACTIVITY_SERVICE_CONTROL, "svcctl", 12, true},
        {ACTIVITY_SERVICE_CONTROL, "svcctl", 24, true},
        {ACTIVITY_SERVICE_CONTROL, "svcctl", 15, false},
        {ACTIVITY_SERVICE_CONTROL, "svcctl", 19, false},
        {ACTIVITY_TASK_CONTROL, "atsvc", 0, true},
        {ACTIVITY_TASK_CONTROL, "atsvc", 2, false},
        {ACTIVITY_TASK_CONTROL, "itaskschedulerservice", 1, true},
        {ACTIVITY_TASK_CONTROL, "itaskschedulerservice", 12, true},
        {ACTIVITY_TASK_CONTROL, "itaskschedulerservice", 0, false},
        {ACTIVITY_WMI_CALL, "iwbemservices", 24, true},
        {ACTIVITY_WMI_CALL, "iwbemservices", 20, false},
        {ACTIVITY_WMI_CALL, "iwbemlevel1login", 6, false},
    };
    struct world *w = world_new(false, NULL);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        call(w, calls[i].kind, calls[i].interface, calls[i].opnum);
        assert_execution(w, calls[i].is);
    }
    call(w, ACTIVITY_SERVICE_CONTROL, "svcctl", 11);
    put_text(w, FIELD_SERVICE_BINARY, "cmd.exe");
    assert_execution(w, true);
    call(w, ACTIVITY_SERVICE_CONTROL, "svcctl", 11); /* how it starts, not what */
    assert_execution(w, false);
    call(w, ACTIVITY_WMI_CALL, "iwbemservices", 24);
    put_text(w, FIELD_WMI_OBJECT, "StdRegProv");
    assert_execution(w, false);
    call(w, ACTIVITY_SERVICE_CONTROL, "svcctl", 12);
    put_source_computer(w, "DC2", true);
    assert_execution(w, false);
    world_destroy(w);
}

static void other_ways_to_run_commands(void **state)
{
    (void)state;
    static const uint8_t mmc20[16] = {0x1a, 0x79, 0xb2, 0x49, 0xae, 0xb1, 0x90, 0x4c,
                                      0x9b, 0x8e, 0xe8, 0x60, 0xba, 0x07, 0xf8, 0x89};
    static const uint8_t other[16] = {1};
    struct world *w = world_new(false, directory);
    call(w, ACTIVITY_DCOM_ACTIVATE, "isystemactivator", 4);
    activity_put_uuid(&w->writer, FIELD_DCOM_CLASS, mmc20);
    assert_execution(w, true);
    call(w, ACTIVITY_DCOM_ACTIVATE, "isystemactivator", 4);
    activity_put_uuid(&w->writer, FIELD_DCOM_CLASS, other);
    assert_execution(w, false);
    for (unsigned i = 0; i < 2; i++) { /* a controller that has no DCOM, and one that has */
        begin(w, ACTIVITY_RPC_BIND);
        put_ends(w, 66, 10);
        PUT_LIST(w, FIELD_RPC_INTERFACES, "isystemactivator");
        if (i)
            PUT_LIST(w, FIELD_RPC_ACCEPTED, "isystemactivator");
        else
            put_uint(w, FIELD_RPC_REJECT_REASON, 1);
        assert_execution(w, i == 0);
    }
    begin(w, ACTIVITY_RPC_BIND);
    put_ends(w, 66, 10);
    PUT_LIST(w, FIELD_RPC_INTERFACES, "00020400-0000-0000-c000-000000000046");
    PUT_LIST(w, FIELD_RPC_ACCEPTED, "00020400-0000-0000-c000-000000000046");
    assert_execution(w, true);
    for (unsigned i = 0; i < 2; i++) {
        begin(w, ACTIVITY_HTTP_REQUEST);
        put_ends(w, 66, 10);
        put_destination_computer(w, i ? "FS1" : "DC1", i == 0);
        put_text(w, FIELD_HTTP_SERVICE, "winrm");
        put_uint(w, FIELD_STATUS, 200);
        assert_execution(w, i == 0);
    }
    begin(w, ACTIVITY_HTTP_REQUEST);
    put_ends(w, 66, 10);
    put_text(w, FIELD_HTTP_SERVICE, "winrm");
    put_uint(w, FIELD_STATUS, 401); /* the first leg of an authentication */
    assert_execution(w, false);
    begin(w, ACTIVITY_SMB_OPEN);
    put_ends(w, 66, 10);
    put_text(w, FIELD_FILE_PATH, "atsvc");
    put_uint(w, FIELD_STATUS, 0xc0000034);
    assert_execution(w, true);
    begin(w, ACTIVITY_SMB_OPEN);
    put_ends(w, 66, 10);
    put_text(w, FIELD_FILE_PATH, "svcctl");
    assert_execution(w, false);
    for (unsigned i = 0; i < 2; i++) {
        call(w, ACTIVITY_DNSSERVER_MANAGE, "dnsserver", 5);
        put_text(w, FIELD_DNSSERVER_OPERATION, "ServerLevelPluginDll");
        put_text(w, FIELD_DNSSERVER_VALUE, i ? "" : "\\\\evil\\x.dll"); /* then it is taken away */
        assert_execution(w, i == 0);
    }
    world_destroy(w);
}

/* -- 2020 --------------------------------------------------------------------------------------------------
 */

static void backup_key(struct world *w, uint64_t flow, uint64_t type, bool sealed)
{
    begin(w, ACTIVITY_RPC_BIND);
    put_ends(w, 66, 10);
    put_uint(w, FIELD_FLOW, flow);
    PUT_LIST(w, FIELD_RPC_INTERFACES, "backupkey");
    put_uint(w, FIELD_RPC_AUTH_TYPE, type);
    send(w);
    call(w, ACTIVITY_BACKUPKEY_RETRIEVE, "backupkey", 0);
    put_uint(w, FIELD_FLOW, flow);
    if (sealed)
        put_bool(w, FIELD_SEALED, true);
    else
        put_text(w, FIELD_BACKUPKEY_ACTION, "retrieve_backup_key");
    send(w);
}

static void the_backup_key_is_taken_by_tools(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    backup_key(w, 1, 10, true); /* NTLM alone */
    assert_raised(w, 2020, SEVERITY_HIGH);
    backup_key(w, 2, 9, true); /* as Windows does */
    assert_quiet(w, 2020);
    backup_key(w, 3, 9, false); /* open */
    assert_raised(w, 2020, SEVERITY_HIGH);
    call(w, ACTIVITY_LSA_SECRET, "lsarpc", 43);
    put_text(w, FIELD_RPC_NAME, "G$BCKUPKEY_PREFERRED");
    send(w);
    assert_raised(w, 2020, SEVERITY_HIGH);
    call(w, ACTIVITY_LSA_SECRET, "lsarpc", 43);
    put_text(w, FIELD_RPC_NAME, "$MACHINE.ACC");
    send(w);
    assert_quiet(w, 2020);
    world_destroy(w);
}

/* -- 2021 --------------------------------------------------------------------------------------------------
 */

static void samr(struct world *w, uint64_t opnum, uint64_t rid)
{
    call(w, ACTIVITY_SAMR_QUERY, "samr", opnum);
    put_account(w, "bob");
    if (rid)
        put_uint(w, FIELD_SAMR_RID, rid);
    send(w);
}

static void samr_is_learned(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    samr(w, 13, 0);
    assert_quiet(w, 2021);
    w->time = WORLD_START + 27 * CLOCK_DAY;
    samr(w, 25, 512);
    assert_quiet(w, 2021);
    w->time = WORLD_START + 29 * CLOCK_DAY;
    samr(w, 13, 0); /* was learned */
    assert_quiet(w, 2021);
    samr(w, 25, 512);
    assert_quiet(w, 2021);
    samr(w, 11, 0); /* was not */
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2021)->explanation, "all groups"));
    assert_null(strstr(raised(w, 2021)->explanation, "all users"));
    w->time += 40 * CLOCK_DAY;
    samr(w, 11, 0); /* what was raised is not learned */
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    samr(w, 25, 1105); /* members of an ordinary group */
    assert_quiet(w, 2021);
    samr(w, 17, 0); /* a name is looked up */
    assert_quiet(w, 2021);
    world_destroy(w);
}

static void change(struct world *w, const char *account, uint64_t opnum, uint64_t status)
{
    call(w, ACTIVITY_SAMR_CHANGE, "samr", opnum);
    put_account(w, account);
    put_uint(w, FIELD_STATUS, status);
    send(w);
}

static void administrators_are_told_with_low_severity(void **state)
{
    (void)state;
    static const struct world_fact facts[] = {
        {"admin", FACT_USER | FACT_SENSITIVE, 0}, {"bob", FACT_USER, 0}, {0}};
    struct world *w = world_new(false, facts);
    change(w, "admin", 50, 0); /* SamrCreateUser2InDomain */
    change(w, "bob", 50, 0);
    w->time = WORLD_START + 29 * CLOCK_DAY;
    call(w, ACTIVITY_SAMR_QUERY, "samr", 13);
    put_account(w, "admin");
    send(w);
    assert_raised(w, 2021, SEVERITY_LOW);
    assert_non_null(strstr(raised(w, 2021)->explanation, "may be its administration"));
    samr(w, 13, 0); /* bob is nobody special, says the directory */
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    world_destroy(w);

    w = world_new(false, NULL);
    change(w, "bob", 50, 0xc0000022); /* refused */
    change(w, "bob", 55, 0);          /* his own password */
    call(w, ACTIVITY_SAMR_CHANGE, "samr", 50);
    put_account(w, "bob");
    send(w); /* sealed: what came of it is not known */
    w->time = WORLD_START + 27 * CLOCK_DAY;
    change(w, "eve", 50, 0);
    w->time = WORLD_START + 29 * CLOCK_DAY;
    samr(w, 13, 0);
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    call(w, ACTIVITY_SAMR_QUERY, "samr", 11);
    put_account(w, "eve");
    send(w); /* since two days */
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    w->time += 6 * CLOCK_DAY;
    call(w, ACTIVITY_SAMR_QUERY, "samr", 11);
    put_text(w, FIELD_ACCOUNT, "eve");
    put_text(w, FIELD_ACCOUNT_DOMAIN, "OTHERWISE"); /* the same domain by its other name, may be */
    send(w);
    assert_raised(w, 2021, SEVERITY_LOW);
    world_destroy(w);
}

static void many_single_accounts_are_an_enumeration(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    for (uint64_t rid = 1000; rid < 1040; rid++) {
        samr(w, 34, rid);
        assert_quiet(w, 2021);
    }
    bool found = false;
    for (uint64_t rid = 1040; rid < 1080; rid++) { /* 50, give or take the sketch's error */
        samr(w, 34, rid);
        found |= raised(w, 2021) != NULL;
    }
    assert_true(found);
    world_destroy(w);
    w = world_new(true, NULL);
    call(w, ACTIVITY_SAMR_QUERY, "samr", 18); /* many at once */
    activity_list_begin(&w->writer, FIELD_SAMR_RIDS);
    for (uint64_t rid = 500; rid < 700; rid++)
        activity_list_uint(&w->writer, rid);
    activity_list_end(&w->writer);
    send(w);
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    world_destroy(w);
    w = world_new(true, NULL);
    for (unsigned i = 0; i < 200; i++) {
        samr(w, 34, 1105); /* one and the same */
        assert_quiet(w, 2021);
    }
    world_destroy(w);
}

static void joined(struct world *w, uint64_t opnum, uint64_t calls)
{
    call(w, ACTIVITY_SAMR_QUERY, "samr", opnum);
    put_uint(w, FIELD_RPC_CALLS, calls);
    send(w);
}

static void calls_that_are_told_together(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    for (uint64_t rid = 1000; rid < 1032; rid++)
        samr(w, 34, rid);
    assert_quiet(w, 2021);
    joined(w, 34, 40); /* all that came before were different */
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2021)->explanation, "many single accounts"));
    world_destroy(w);
    w = world_new(true, NULL);
    for (uint64_t i = 0; i < 32; i++)
        samr(w, 34, 1000 + i % 12);
    joined(w, 34, 4000); /* and so may these: 12 accounts again and again */
    assert_quiet(w, 2021);
    world_destroy(w);
    w = world_new(true, NULL);
    for (unsigned i = 0; i < 80; i++) { /* names are guessed */
        char name[16];
        snprintf(name, sizeof(name), "guess%02u", i);
        call(w, ACTIVITY_SAMR_QUERY, "samr", 17);
        put_list(w, FIELD_RPC_NAMES, (const char *const[]){name, NULL});
        send(w);
    }
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    world_destroy(w);
}

static void sids(struct world *w, uint64_t count, uint64_t status)
{
    call(w, ACTIVITY_LSA_QUERY, "lsarpc", 15);
    put_account(w, "bob");
    put_uint(w, FIELD_RPC_COUNT, count);
    put_uint(w, FIELD_STATUS, status);
    send(w);
}

static void sids_are_counted_up(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    sids(w, 1000, 0);   /* all have names: a server shows who may what */
    sids(w, 20, 0x107); /* STATUS_SOME_NOT_MAPPED: some are gone */
    assert_quiet(w, 2021);
    sids(w, 1000, 0x107);
    assert_raised(w, 2021, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2021)->explanation, "translated SIDs"));
    assert_null(strstr(raised(w, 2021)->explanation, "many single accounts"));
    world_destroy(w);
}

/* -- 2415, 2416, 2426 --------------------------------------------------------------------------------------
 */

static void driver(struct world *w, const char *path, const char *server, bool controller)
{
    call(w, ACTIVITY_PRINTER_DRIVER_ADD, "spoolss", 89);
    put_destination_computer(w, server, controller);
    if (path)
        PUT_LIST(w, FIELD_PRINTER_DRIVER_PATHS, "C:\\Windows\\System32\\UNIDRV.DLL", path);
    else
        put_bool(w, FIELD_SEALED, true);
    send(w);
}

static void printer_drivers(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    driver(w, "\\\\evil\\share\\x.dll", "FS1", false);
    assert_raised(w, 2415, SEVERITY_HIGH);
    assert_string_equal(evidence_of(raised(w, 2415), "path")->text, "evil\\share\\x.dll");
    driver(w, "C:\\x.dll", "FS1", false); /* a print server gets a driver */
    assert_quiet(w, 2415);
    driver(w, "\\\\?\\C:\\x.dll", "FS1", false);
    assert_quiet(w, 2415);
    driver(w, "C:\\x.dll", "DC1", true);
    assert_raised(w, 2415, SEVERITY_MEDIUM);
    driver(w, NULL, "DC1", true);
    assert_raised(w, 2415, SEVERITY_MEDIUM);
    world_destroy(w);
}

static void notify(struct world *w, uint8_t source)
{
    begin(w, ACTIVITY_COERCION);
    put_ends(w, source, 10);
    put_text(w, FIELD_RPC_INTERFACE, "spoolss");
    put_uint(w, FIELD_RPC_OPNUM, 65);
    put_text(w, FIELD_COERCION_TARGET, "\\\\10.0.0.66");
    send(w);
}

static void the_printer_bug_and_print_servers(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    for (uint8_t source = 60; source < 64; source++) {
        notify(w, source); /* four: below five */
        assert_raised(w, 2415, SEVERITY_MEDIUM);
        assert_quiet(w, 2416);
    }
    notify(w, 64); /* the fifth: a print server */
    assert_quiet(w, 2415);
    notify(w, 60);
    assert_quiet(w, 2415);
    world_destroy(w);
}

static void the_encrypting_file_system(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    call(w, ACTIVITY_COERCION, "efsrpc(lsarpc)", 0);
    put_text(w, FIELD_COERCION_TARGET, "\\\\10.0.0.66\\x");
    send(w);
    assert_raised(w, 2416, SEVERITY_HIGH);
    call(w, ACTIVITY_RPC_CALL, "efsrpc", 4);
    put_bool(w, FIELD_SEALED, true);
    send(w);
    assert_raised(w, 2416, SEVERITY_HIGH);
    begin(w, ACTIVITY_RPC_BIND);
    put_ends(w, 66, 10);
    PUT_LIST(w, FIELD_RPC_INTERFACES, "lsarpc", "efsrpc");
    put_uint(w, FIELD_RPC_REJECT_REASON, 1);
    send(w);
    assert_raised(w, 2416, SEVERITY_MEDIUM);
    begin(w, ACTIVITY_RPC_BIND);
    put_ends(w, 66, 10);
    PUT_LIST(w, FIELD_RPC_INTERFACES, "lsarpc");
    send(w);
    assert_quiet(w, 2416);
    call(w, ACTIVITY_COERCION, "efsrpc", 0);
    put_destination_computer(w, "FS1", false); /* keeps encrypted files */
    send(w);
    assert_quiet(w, 2416);
    world_destroy(w);
}

static void dfs(struct world *w, const char *target)
{
    call(w, ACTIVITY_COERCION, "netdfs", 13);
    put_destination_computer(w, "DC1", true);
    if (target)
        put_text(w, FIELD_COERCION_TARGET, target);
    else
        put_bool(w, FIELD_SEALED, true);
    send(w);
}

static void the_distributed_file_system(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    dfs(w, "10.0.0.66");
    assert_raised(w, 2426, SEVERITY_HIGH);
    dfs(w, NULL);
    assert_raised(w, 2426, SEVERITY_HIGH);
    dfs(w, "DC1"); /* administered */
    assert_quiet(w, 2426);
    dfs(w, "dc1.corp.example");
    assert_quiet(w, 2426);
    dfs(w, "\\\\10.0.0.10");
    assert_quiet(w, 2426);
    dfs(w, "DC12"); /* another one */
    assert_raised(w, 2426, SEVERITY_HIGH);
    world_destroy(w);
}

/* -- 2406, 2030 --------------------------------------------------------------------------------------------
 */

static void smb_sizes_that_cannot_be(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    for (unsigned i = 0; i < 2; i++) {
        begin(w, ACTIVITY_SMB_COMPRESSED);
        put_ends(w, 66, 10);
        put_bool(w, FIELD_COMPRESSION_OVERFLOW, i == 0);
        put_uint(w, FIELD_COMPRESSION_ORIGINAL, 0xffffffff);
        put_uint(w, FIELD_COMPRESSION_OFFSET, 16);
        send(w);
        if (i == 0)
            assert_raised(w, 2406, SEVERITY_HIGH);
        else
            assert_quiet(w, 2406);
    }
    world_destroy(w);
}

static void read_file(struct world *w, const char *path, uint64_t bytes, const char *server, bool controller)
{
    begin(w, ACTIVITY_SMB_OPEN);
    put_ends(w, 66, 10);
    put_destination_computer(w, server, controller);
    put_text(w, FIELD_SHARE_PATH, "\\\\server\\C$");
    put_text(w, FIELD_FILE_PATH, path);
    put_uint(w, FIELD_READ_BYTES, bytes);
    send(w);
}

static void files_of_secrets(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    read_file(w, "Windows\\NTDS\\ntds.dit", 65536, "DC1", true);
    assert_raised(w, 2030, SEVERITY_HIGH);
    read_file(w, "copy\\NTDS.DIT", 1, "FS1", false);
    assert_raised(w, 2030, SEVERITY_HIGH);
    read_file(w, "Windows\\NTDS\\ntds.dit", 0, "DC1", true); /* looked at, not read */
    assert_quiet(w, 2030);
    read_file(w, "Windows\\System32\\config\\SYSTEM", 4096, "DC1", true);
    assert_raised(w, 2030, SEVERITY_HIGH);
    read_file(w, "Windows\\System32\\config\\SYSTEM", 4096, "FS1", false);
    assert_quiet(w, 2030);
    read_file(w, "Windows\\system", 4096, "DC1", true);
    assert_quiet(w, 2030);
    read_file(w, "Temp\\qwerty.tmp", 4096, "DC1", true);
    assert_quiet(w, 2030);
    call(w, ACTIVITY_REGISTRY_ACCESS, "winreg", 20);
    put_text(w, FIELD_REGISTRY_KEY, "HKLM\\SAM");
    put_text(w, FIELD_REGISTRY_FILE, "..\\Temp\\qwerty.tmp");
    send(w);
    read_file(w, "Temp\\QWERTY.tmp", 4096, "DC1", true);
    assert_raised(w, 2030, SEVERITY_HIGH);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replication_by_no_controller),
        cmocka_unit_test(replication_of_one_account),
        cmocka_unit_test(replication_is_excluded_when_told_so),
        cmocka_unit_test(without_a_directory_partners_are_controllers),
        cmocka_unit_test(dirsync_needs_a_right_unless_object_security),
        cmocka_unit_test(rights_of_replication_in_events),
        cmocka_unit_test(replication_sources_are_added_by_controllers),
        cmocka_unit_test(sessions_are_listed_on_controllers),
        cmocka_unit_test(what_runs_commands_is_execution),
        cmocka_unit_test(other_ways_to_run_commands),
        cmocka_unit_test(the_backup_key_is_taken_by_tools),
        cmocka_unit_test(samr_is_learned),
        cmocka_unit_test(administrators_are_told_with_low_severity),
        cmocka_unit_test(many_single_accounts_are_an_enumeration),
        cmocka_unit_test(calls_that_are_told_together),
        cmocka_unit_test(sids_are_counted_up),
        cmocka_unit_test(printer_drivers),
        cmocka_unit_test(the_printer_bug_and_print_servers),
        cmocka_unit_test(the_encrypting_file_system),
        cmocka_unit_test(the_distributed_file_system),
        cmocka_unit_test(smb_sizes_that_cannot_be),
        cmocka_unit_test(files_of_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
