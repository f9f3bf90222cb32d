/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of what is asked of the directory by LDAP, and the families of filters that they know.
 */
#include "tests/unit/directory_world.h"

#include "center/detectors/ldap_filter.h"

static const struct world_fact directory[] = {
    {"DC1", FACT_COMPUTER | FACT_CONTROLLER, 0},
    {"admin", FACT_USER | FACT_SENSITIVE, 0},
    {"sync", FACT_USER | FACT_SYNCHRONIZER, 0},
    {"decoy", FACT_USER | FACT_HONEYTOKEN, 0},
    {0},
};

/* -- filters -----------------------------------------------------------------------------------------------
 */

static bool append(void *context, const struct ldap_item *item)
{
    char *text = context;
    size_t used = strlen(text);
    snprintf(text + used, 512 - used, "%s%.*s=%.*s;", item->negated ? "!" : "", (int)item->attribute.size,
             (const char *)item->attribute.data, (int)item->value.size, (const char *)item->value.data);
    return false;
}

static void assert_items(const char *filter, const char *expected)
{
    char text[512] = "";
    ldap_filter_each((struct bytes){(const uint8_t *)filter, strlen(filter)}, append, text);
    assert_string_equal(text, expected);
}

static void comparisons_of_filters(void **state)
{
    (void)state;
    assert_items("(cn=bob)", "cn=bob;");
    assert_items("(&(objectClass=user)(!(cn=a*))(|(x>=1)(y~=2)))", "objectClass=user;!cn=a*;x=1;y=2;");
    assert_items("(!(&(a=1)(b=2)))(c=3)", "!a=1;!b=2;c=3;");
    assert_items("(userAccountControl:1.2.840.113556.1.4.803:=2)",
                 "userAccountControl:1.2.840.113556.1.4.803=2;");
    assert_items("(cn=a\\28b\\29)", "cn=a\\28b\\29;");
    /* What no server would write. */
    assert_items("", "");
    assert_items("(", "");
    assert_items("()", "");
    assert_items(")))((", "");
    assert_items("(=x)", "");
    assert_items("(cn=", "");
    assert_items("cn=bob", "");
    char deep[400] = "";
    for (unsigned i = 0; i < 90; i++)
        strcat(deep, "(!");
    strcat(deep, "(cn=x)");
    for (unsigned i = 0; i < 90; i++)
        strcat(deep, ")");
    char text[512] = "";
    ldap_filter_each((struct bytes){(const uint8_t *)deep, strlen(deep)}, append, text);
    assert_string_equal(text, "!cn=x;");
}

static uint32_t families(const char *base, uint64_t scope, const char *filter, uint64_t entries)
{
    static struct activity_writer w;
    static struct activity a;
    activity_begin(&w, ACTIVITY_LDAP_SEARCH, WORLD_START);
    activity_put_text(&w, FIELD_ACCOUNT, "bob");
    activity_put_text(&w, FIELD_SEARCH_BASE, base);
    activity_put_uint(&w, FIELD_SEARCH_SCOPE, scope);
    activity_put_text(&w, FIELD_SEARCH_FILTER, filter);
    activity_put_uint(&w, FIELD_ENTRIES, entries);
    struct cursor c = cursor_of_bytes(activity_finish(&w));
    assert_true(activity_decode(&c, &a));
    struct observation o = {.activity = &a, .kind = a.kind, .account = {.kind = SUBJECT_ACCOUNT}};
    return ldap_families(&o);
}

#define BIT(family) (1u << (family))
#define BASE        "DC=corp,DC=example"

static void families_of_searches(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        uint64_t entries;
        uint32_t families;
    } cases[] = {
        {"(objectClass=user)", 100, BIT(LDAP_USERS)},
        {"(samAccountType=805306368)", 3, BIT(LDAP_USERS)},
        {"(&(objectCategory=person)(objectClass=user))", 100, BIT(LDAP_USERS)},
        {"(&(objectClass=user)(sAMAccountName=bob))", 1, 0},
        {"(&(objectClass=user)(sAMAccountName=b*))", 1, BIT(LDAP_USERS)},
        {"(|(objectClass=user)(sAMAccountName=bob))", 100, BIT(LDAP_USERS)},
        {"(&(samAccountType=805306368)(servicePrincipalName=*)(!(samAccountName=krbtgt)))", 1,
         BIT(LDAP_USERS) | BIT(LDAP_SERVICES)},
        {"(servicePrincipalName=http/web01)", 1, 0},
        {"(userAccountControl:1.2.840.113556.1.4.803:=4194304)", 1, BIT(LDAP_NO_PREAUTH)},
        {"(!(userAccountControl:1.2.840.113556.1.4.803:=4194304))", 1, 0},
        {"(userAccountControl:1.2.840.113556.1.4.803:=524288)", 1, BIT(LDAP_DELEGATION)},
        {"(adminCount=1)", 9, BIT(LDAP_ADMINS)},
        {"(samAccountName=Domain Admins)", 1, BIT(LDAP_SENSITIVE)},
        {"(memberOf:1.2.840.113556.1.4.1941:=CN=Domain Admins,CN=Users,DC=corp,DC=example)", 4,
         BIT(LDAP_SENSITIVE)},
        {"(samAccountName=Sales)", 1, 0},
        {"(objectClass=*)", 226, BIT(LDAP_EVERYTHING)},
        {"(objectClass=*)", 2, 0},
        {"(objectClass=trustedDomain)", 0, BIT(LDAP_TRUSTS)},
        {"(objectClass=dnsNode)", 19, BIT(LDAP_DNS)},
        {"(|(distinguishedName=CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System," BASE "))", 1,
         0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (families(BASE, 2, cases[i].filter, cases[i].entries) != cases[i].families)
            fail_msg("%s: %x", cases[i].filter, families(BASE, 2, cases[i].filter, cases[i].entries));
    assert_int_equal(families("", 0, "(objectClass=*)", 1), 0);      /* the root DSE */
    assert_int_equal(families(BASE, 0, "(objectClass=user)", 1), 0); /* one object */
    assert_int_equal(families("CN=Schema,CN=Configuration," BASE, 2, "(objectClass=*)", 2000), 0);
    assert_int_equal(
        families("CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration," BASE, 2,
                 "(objectCategory=pKICertificateTemplate)", 40),
        0); /* every Windows client at log-on */
    char text[400];
    ldap_families_text(BIT(LDAP_USERS) | BIT(LDAP_TRUSTS), text, sizeof(text));
    assert_string_equal(text, "all users, trusts");
    assert_int_equal(ldap_weight(BIT(LDAP_USERS) | BIT(LDAP_SERVICES)), 5);
    assert_null(ldap_family_words(LDAP_FAMILIES));
    assert_int_equal(ldap_family_weight(LDAP_FAMILIES), 0);
}

/* -- 2038 --------------------------------------------------------------------------------------------------
 */

static void search(struct world *w, uint8_t source, const char *filter, uint64_t entries)
{
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, source, 10);
    put_account(w, "bob");
    put_text(w, FIELD_SEARCH_BASE, BASE);
    put_uint(w, FIELD_SEARCH_SCOPE, 2);
    put_text(w, FIELD_SEARCH_FILTER, filter);
    put_uint(w, FIELD_ENTRIES, entries);
    send(w);
}

static void searches_are_learned_by_source(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    search(w, 66, "(objectClass=computer)", 100);
    assert_quiet(w, 2038);
    w->time = WORLD_START + 14 * CLOCK_DAY; /* the general learning is over, the source's is not */
    search(w, 66, "(objectClass=group)", 100);
    assert_quiet(w, 2038);
    w->time = WORLD_START + 16 * CLOCK_DAY;
    search(w, 66, "(objectClass=computer)", 100);
    assert_quiet(w, 2038);
    search(w, 66, "(objectClass=group)", 100);
    assert_quiet(w, 2038);
    search(w, 66, "(servicePrincipalName=*)", 4);
    assert_raised(w, 2038, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2038)->explanation, "service principals"));
    assert_non_null(strstr(raised(w, 2038)->explanation, "all computers"));
    search(w, 67, "(objectClass=user)", 100); /* a new source learns for itself */
    assert_quiet(w, 2038);
    w->time += 20 * CLOCK_DAY;
    search(w, 67, "(adminCount=1)", 10);
    assert_raised(w, 2038, SEVERITY_MEDIUM);
    search(w, 66, "(servicePrincipalName=*)", 4); /* what was raised is not learned */
    assert_raised(w, 2038, SEVERITY_MEDIUM);
    world_destroy(w);
}

static void an_administrators_own_computer(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    begin(w, ACTIVITY_LDAP_MODIFY);
    put_ends(w, 66, 10);
    put_account(w, "admin");
    put_text(w, FIELD_LDAP_DN, "CN=eve,OU=Staff," BASE);
    put_uint(w, FIELD_STATUS, 0);
    send(w);
    for (unsigned source = 66; source <= 67; source++) {
        w->time = WORLD_START;
        search(w, (uint8_t)source, "(objectClass=computer)", 100);
        w->time = WORLD_START + 16 * CLOCK_DAY;
        begin(w, ACTIVITY_LDAP_SEARCH);
        put_ends(w, (uint8_t)source, 10);
        put_account(w, "admin");
        put_text(w, FIELD_SEARCH_BASE, BASE);
        put_uint(w, FIELD_SEARCH_SCOPE, 2);
        put_text(w, FIELD_SEARCH_FILTER, "(objectClass=user)");
        put_uint(w, FIELD_ENTRIES, 100);
        send(w);
        assert_raised(w, 2038, source == 66 ? SEVERITY_LOW : SEVERITY_MEDIUM);
    }
    search(w, 66, "(objectClass=user)", 100); /* bob, there */
    assert_raised(w, 2038, SEVERITY_MEDIUM);
    world_destroy(w);
}

static void a_new_source_that_asks_for_everything(void **state)
{
    (void)state;
    static const char *const filters[] = {"(objectClass=user)", "(objectClass=group)",
                                          "(objectClass=computer)", "(objectClass=trustedDomain)",
                                          "(objectClass=organizationalUnit)"};
    struct world *w = world_new(false, NULL);
    search(w, 1, "(objectClass=user)", 100);
    for (unsigned i = 0; i < 5; i++) {
        search(w, 66, filters[i], 100); /* the general learning */
        assert_quiet(w, 2038);
    }
    w->time = WORLD_START + 12 * CLOCK_DAY;
    for (unsigned i = 0; i < 4; i++) {
        search(w, 67, filters[i], 100); /* 7 of 8 */
        assert_quiet(w, 2038);
    }
    search(w, 67, filters[4], 100);
    assert_raised(w, 2038, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2038)->explanation, "still learned"));
    search(w, 66, filters[4], 100); /* its habit */
    assert_quiet(w, 2038);
    world_destroy(w);
}

static void weights_add_up_within_a_day(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    search(w, 66, "(objectClass=organizationalUnit)", 10);
    assert_quiet(w, 2038); /* 1: just below 2 */
    search(w, 66, "(objectClass=groupPolicyContainer)", 10);
    assert_raised(w, 2038, SEVERITY_MEDIUM);
    const struct alert_evidence *weight = evidence_of(raised(w, 2038), "weight");
    assert_true(weight->compared && weight->number == 2 && weight->limit == 2);
    search(w, 67, "(objectClass=organizationalUnit)", 10);
    w->time += 2 * CLOCK_DAY;
    search(w, 67, "(objectClass=groupPolicyContainer)", 10);
    assert_quiet(w, 2038);
    w->settings.sensitivity = SENSITIVITY_LOW;
    search(w, 68, "(objectClass=user)", 100); /* 2 of 4 */
    assert_quiet(w, 2038);
    search(w, 68, "(objectClass=group)", 100);
    assert_raised(w, 2038, SEVERITY_MEDIUM);
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, 10, 11);
    put_source_computer(w, "DC1", true);
    put_text(w, FIELD_SEARCH_BASE, BASE);
    put_text(w, FIELD_SEARCH_FILTER, "(adminCount=1)");
    send(w);
    assert_quiet(w, 2038);
    world_destroy(w);
}

/* -- 2210 --------------------------------------------------------------------------------------------------
 */

static void attributes(struct world *w, const char *attribute, uint64_t scope, uint64_t entries)
{
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, 66, 10);
    put_text(w, FIELD_SEARCH_BASE, BASE);
    put_uint(w, FIELD_SEARCH_SCOPE, scope);
    put_text(w, FIELD_SEARCH_FILTER, "(objectClass=x)");
    PUT_LIST(w, FIELD_LDAP_ATTRIBUTES, "cn", attribute);
    put_uint(w, FIELD_ENTRIES, entries);
    send(w);
}

static void sensitive_attributes(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    attributes(w, "ms-mcs-admpwd", 0, 1); /* a help desk reads one */
    assert_quiet(w, 2210);
    attributes(w, "ms-mcs-admpwd", 2, 1);
    assert_quiet(w, 2210);
    attributes(w, "mail", 2, 100);
    assert_quiet(w, 2210);
    attributes(w, "sIDHistory", 2, 100); /* 1 of 2 */
    assert_quiet(w, 2210);
    attributes(w, "ms-mcs-admpwd", 2, 100);
    assert_raised(w, 2210, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2210)->explanation, "ms-Mcs-AdmPwd, sIDHistory"));
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, 67, 10);
    put_text(w, FIELD_SEARCH_FILTER, "(msLAPS-EncryptedPassword=*)");
    put_uint(w, FIELD_ENTRIES, 0);
    send(w);
    assert_raised(w, 2210, SEVERITY_MEDIUM);
    world_destroy(w);

    w = world_new(false, NULL);
    attributes(w, "unicodePwd", 2, 100);
    w->time += 20 * CLOCK_DAY;
    attributes(w, "unicodePwd", 2, 100);
    assert_quiet(w, 2210); /* learned */
    attributes(w, "msDS-ManagedPassword", 2, 100);
    assert_raised(w, 2210, SEVERITY_MEDIUM);
    world_destroy(w);
}

/* -- 2437 --------------------------------------------------------------------------------------------------
 */

static void ping(struct world *w, unsigned number, bool tcp)
{
    char name[64];
    begin(w, tcp ? ACTIVITY_LDAP_SEARCH : ACTIVITY_CLDAP_PING);
    put_ends(w, 66, 10);
    snprintf(name, sizeof(name), tcp ? "(&(NtVer=\\06\\00\\00\\00)(User=user%u))" : "user%u", number);
    put_text(w, tcp ? FIELD_SEARCH_FILTER : FIELD_PING_USER, name);
    if (tcp) {
        put_text(w, FIELD_SEARCH_BASE, "");
        put_uint(w, FIELD_SEARCH_SCOPE, 0);
        PUT_LIST(w, FIELD_LDAP_ATTRIBUTES, "NetLogon");
    } else {
        put_uint(w, FIELD_PING_OPCODE, number % 2 ? 23 : 25);
    }
    send(w);
}

static void names_are_guessed_by_pings(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    w->settings.sensitivity = SENSITIVITY_HIGH; /* 10: counted exactly */
    for (unsigned i = 0; i < 9; i++) {
        ping(w, i, i % 2);
        ping(w, i, i % 2); /* again counts once */
        assert_quiet(w, 2437);
    }
    ping(w, 9, false);
    assert_raised(w, 2437, SEVERITY_MEDIUM);
    const struct alert_evidence *names = evidence_of(raised(w, 2437), "names");
    assert_true(names->number == 10 && names->limit == 10);
    ping(w, 10, false); /* not each time */
    assert_quiet(w, 2437);
    world_destroy(w);
    w = world_new(false, NULL);
    for (unsigned i = 0; i < 60; i++) { /* slower than an hour allows */
        ping(w, i, false);
        assert_quiet(w, 2437);
        w->time += 10 * CLOCK_MINUTE;
    }
    world_destroy(w);
}

/* -- 2015 --------------------------------------------------------------------------------------------------
 */

static void simple_bind(struct world *w, const char *account, bool password)
{
    begin(w, ACTIVITY_LDAP_BIND);
    put_ends(w, 66, 10);
    put_account(w, account);
    put_bool(w, FIELD_PASSWORD_SENT, password);
    put_uint(w, FIELD_STATUS, 0);
    send(w);
}

static void passwords_in_clear(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    simple_bind(w, "bob", true);
    assert_raised(w, 2015, SEVERITY_INFORMATIONAL);
    simple_bind(w, "bob", true); /* told today */
    assert_quiet(w, 2015);
    simple_bind(w, "admin", true);
    assert_raised(w, 2015, SEVERITY_LOW);
    assert_true(evidence_of(raised(w, 2015), "accounts")->number == 2);
    assert_true(evidence_of(raised(w, 2015), "binds")->number == 3);
    simple_bind(w, "anybody", false);
    assert_quiet(w, 2015);
    w->time += 25 * CLOCK_HOUR;
    simple_bind(w, "bob", true);
    assert_raised(w, 2015, SEVERITY_INFORMATIONAL);
    world_destroy(w);
}

/* -- 2429, 2439 --------------------------------------------------------------------------------------------
 */

static void decoys_are_asked_for(void **state)
{
    (void)state;
    static const char *const asking[] = {"(sAMAccountName=decoy)", "(&(objectClass=user)(cn=DECOY))",
                                         "(distinguishedName=CN=decoy,OU=x," BASE ")",
                                         "(userPrincipalName=decoy@corp.example)"};
    struct world *w = world_new(true, directory);
    for (unsigned i = 0; i < sizeof(asking) / sizeof(*asking); i++) {
        search(w, 66, asking[i], 1);
        assert_raised(w, 2429, SEVERITY_LOW);
    }
    search(w, 66, "(sAMAccountName=bob)", 1);
    assert_quiet(w, 2429);
    search(w, 66, "(&(objectClass=user)(!(sAMAccountName=decoy)))", 100);
    assert_quiet(w, 2429);
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, 66, 10);
    put_text(w, FIELD_SEARCH_BASE, "CN=decoy,OU=x," BASE);
    put_uint(w, FIELD_SEARCH_SCOPE, 0);
    send(w);
    assert_raised(w, 2429, SEVERITY_LOW);
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, 66, 10);
    put_uint(w, FIELD_ENTRIES, 2);
    PUT_LIST(w, FIELD_RETURNED_NAMES, "CN=bob," BASE, "CN=decoy,OU=x," BASE);
    send(w);
    assert_raised(w, 2429, SEVERITY_LOW);
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_ends(w, 66, 10);
    put_uint(w, FIELD_ENTRIES, 200); /* all of them */
    PUT_LIST(w, FIELD_RETURNED_NAMES, "CN=decoy,OU=x," BASE);
    send(w);
    assert_quiet(w, 2429);
    begin(w, ACTIVITY_CLDAP_PING);
    put_ends(w, 66, 10);
    put_text(w, FIELD_PING_USER, "decoy");
    send(w);
    assert_raised(w, 2429, SEVERITY_LOW);
    begin(w, ACTIVITY_SAMR_QUERY);
    put_ends(w, 66, 10);
    put_uint(w, FIELD_RPC_OPNUM, 17);
    PUT_LIST(w, FIELD_RPC_NAMES, "bob", "decoy");
    send(w);
    assert_raised(w, 2439, SEVERITY_LOW);
    begin(w, ACTIVITY_SAMR_QUERY);
    put_ends(w, 66, 10);
    PUT_LIST(w, FIELD_RPC_NAMES, "bob");
    send(w);
    assert_quiet(w, 2439);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_of_filters),
        cmocka_unit_test(families_of_searches),
        cmocka_unit_test(searches_are_learned_by_source),
        cmocka_unit_test(an_administrators_own_computer),
        cmocka_unit_test(a_new_source_that_asks_for_everything),
        cmocka_unit_test(weights_add_up_within_a_day),
        cmocka_unit_test(sensitive_attributes),
        cmocka_unit_test(names_are_guessed_by_pings),
        cmocka_unit_test(passwords_in_clear),
        cmocka_unit_test(decoys_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
