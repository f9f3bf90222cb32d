/* SPDX-License-Identifier: Apache-2.0
 *
 * Samba's audit log: lines that Samba 4.17 wrote in the lab (tests/data/samba-audit.jsonl), and what it might
 * write.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "events/audit_log.h"

static struct activity_writer writer;
static struct activity activity;
static char json[1 << 19];

static enum event_verdict translate(const char *line, size_t size)
{
    /* A block of its own size: a byte too many that is read is seen. */
    uint8_t *exact = malloc(size + 1);
    memcpy(exact, line, size);
    enum event_verdict verdict = audit_log_translate((struct bytes){exact, size}, "DC1", &writer);
    free(exact);
    json[0] = '\0';
    if (verdict == EVENT_TOLD) {
        struct cursor c = cursor_of_bytes(activity_finish(&writer));
        assert_true(activity_decode(&c, &activity));
        assert_true(cursor_done(&c));
        assert_true(activity_to_json(&activity, json, sizeof json) < sizeof json);
    }
    return verdict;
}

static void says_(const char *part, int line)
{
    if (!strstr(json, part))
        fail_msg("line %d: %s\nis not in\n%s", line, part, json);
}
#define says(part) says_(part, __LINE__)

static void read_line(FILE *f, unsigned number)
{
    static char line[65536];
    static unsigned at;
    if (number == 1) {
        rewind(f);
        at = 0;
    }
    for (; at < number; at++)
        assert_non_null(fgets(line, sizeof line, f));
    assert_int_not_equal(translate(line, strlen(line)), EVENT_INVALID);
}

/* What is told of each kind of line, by its number in the lab's samples (and in their index). */
static const struct expectation {
    unsigned line;
    const char *parts[9]; /* none: the line is ignored */
} expectations[] = {
    {1,
     {"\"kind\":\"windows_logon\"", "\"time\":\"2026-11-22T02:29:48.463195000Z\"",
      "\"source\":\"10.77.0.66\"", "\"destination\":\"10.77.0.10\",\"destination_port\":49153",
      "\"event_id\":4624", "\"event_computer\":\"DC1\",\"event_source\":\"samba\"",
      "\"account\":\"Administrator\",\"account_domain\":\"CORP\"", "\"ntlm_variant\":\"ntlmv2\"",
      "\"duration\":4201000"}},
    {2,
     {"\"kind\":\"windows_kerberos_as\"", "\"account\":\"user06\"", "\"status\":0", "\"preauth_type\":138",
      "\"logon_id\":\"acf0664847e25a1\""}},
    {3, {"\"kind\":\"windows_kerberos_as\"", "\"preauth_type\":2", "\"preauth_etype\":18"}},
    {4,
     {"\"kind\":\"windows_kerberos_as\"", "\"preauth_etype\":23", "\"password_type\":\"arcfour-hmac-md5\""}},
    {6, {"\"kind\":\"windows_logon\"", "\"account\":\"ANONYMOUS LOGON\"", "\"logon_type\":8"}},
    {7,
     {"\"account\":\"syncro\"", "\"authentication_package\":\"simple bind/TLS\"",
      "\"password_type\":\"Plaintext\""}},
    {8,
     {"\"secure_channel\":\"WSNEW\"", "\"netlogon_channel_type\":2", "\"service_description\":\"NETLOGON\""}},
    {11, {"\"ntlm_variant\":\"ntlmv1\"", "\"acting_sid\":\"S-1-5-21-3907696748-2304419995-549639310-1103\""}},
    {14,
     {"\"event_failure\":true", "\"status\":3221225506,\"sub_status\":3221225506",
      "\"netlogon_channel_type\":6"}},
    {15, {"\"kind\":\"windows_kerberos_as\"", "\"status\":18", "\"sub_status\":3221226036"}},
    {19, {"\"kind\":\"windows_kerberos_as\"", "\"status\":6", "\"sub_status\":3221225572"}},
    {21, {"\"status\":37"}},
    {22, {"\"status\":24", "\"sub_status\":3221225578"}},
    {25, {"\"kind\":\"windows_logon\"", "\"event_id\":4625", "\"sub_status\":3221225578"}},
    {26,
     {"\"kind\":\"directory_session\"", "\"session_id\":\"b1b33619-732f-4b35-a4ab-14e013bf117e\"",
      "\"authentication_package\":\"NTLMSSP\"", "\"transport_protection\":\"SEAL\""}},
    {29, {NULL}}, /* SYSTEM to itself */
    {38,
     {"\"kind\":\"directory_change\"", "\"operation\":\"modified\"", "\"event_failure\":true",
      "\"status\":19", "\"dn\":\"CN=WS01,OU=Servers,DC=corp,DC=example\"",
      "\"changes\":[\"replace:msDS-AllowedToActOnBehalfOfOtherIdentity\"]", "\"performed_as_system\":false",
      "\"transaction_id\":\"8dda45d5-3a3f-4c6c-8d34-e5d895492f83\""}},
    {39, {"\"attribute_values\":[\"add:msDS-KeyCredentialLink=B:40:00020000"}},
    {40, {"\"operation\":\"deleted\"", "\"status\":32"}},
    {41,
     {"\"operation\":\"created\"", "\"object_class\":\"Computer\"", "\"SamAccountName=WSNEW$\"",
      "\"ServicePrincipalName=HOST/WSNEW.corp.example\"", "\"userAccountControl=4096\""}},
    {42, {"\"operation\":\"created\"", "\"performed_as_system\":true"}},
    {57, {"\"operation\":\"modified\"", "\"changes\":[\"", ":member\"]", "\"attribute_values\":[\""}},
    {60, {"\"changes\":[", ":unicodePwd\""}},
    {62, {"\"event_failure\":true", "\"status\":50"}},
    {63, {NULL}}, /* a group that is deleted */
    {64,
     {"\"kind\":\"group_change\"", "\"operation\":\"primary_group\"",
      "\"group_account\":\"Domain Controllers\""}},
    {65, {NULL}}, /* what is made new joins itself */
    {66,
     {"\"kind\":\"group_change\"", "\"event_id\":4728", "\"operation\":\"member_added\"",
      "\"group_account\":\"Domain Admins\"", "\"group_scope\":\"global\"", "\"group_security\":true",
      "\"member_dn\":\"CN=user33,OU=Staff,DC=corp,DC=example\"",
      "\"acting_sid\":\"S-1-5-21-3907696748-2304419995-549639310-1172\"", "\"source\":\"10.77.0.66\""}},
    {69, {"\"event_id\":4729", "\"operation\":\"member_removed\""}},
    {71, {"\"event_id\":4732", "\"group_scope\":\"domain_local\"", "\"group_security\":true"}},
    {73, {"\"event_id\":4746", "\"group_scope\":\"domain_local\"", "\"group_security\":false"}},
    {76, {"\"event_id\":4752", "\"operation\":\"member_removed\"", "\"group_scope\":\"global\""}},
    {78, {"\"event_id\":4757", "\"operation\":\"member_removed\"", "\"group_scope\":\"universal\""}},
    {81,
     {"\"kind\":\"account_change\"", "\"event_id\":4723", "\"operation\":\"password_change\"",
      "\"changed_account\":\"user06\"", "\"dn\":\"CN=user06,OU=Staff,DC=corp,DC=example\""}},
    {82, {"\"event_id\":4724", "\"operation\":\"password_reset\"", "\"changed_account\":\"DC2\""}},
    {83,
     {"\"kind\":\"directory_transaction\"", "\"operation\":\"rollback\"",
      "\"transaction_id\":\"b1c3edee-d710-404a-a76b-2594c1a0b83c\"", "\"duration\":636000"}},
};

static void test_samples(void **state)
{
    (void)state;
    FILE *f = fopen(PICKET_TEST_DATA "/samba-audit.jsonl", "r");
    assert_non_null(f);
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
        const struct expectation *e = &expectations[i];
        read_line(f, e->line);
        if (!e->parts[0] && json[0])
            fail_msg("line %u: %s", e->line, json);
        for (size_t k = 0; k < 9 && e->parts[k]; k++)
            says_(e->parts[k], (int)e->line);
    }
    read_line(f, 1);
    for (unsigned i = 2; i <= 83; i++)
        read_line(f, i); /* none is invalid */
    fclose(f);
}

#define STAMP "\"timestamp\": \"2026-11-22T02:29:48.463195+0000\""

static enum event_verdict of(const char *line)
{
    return translate(line, strlen(line));
}

/* A member server's question, and Samba 4.19's KDC. */
static void test_other_versions(void **state)
{
    (void)state;
    assert_int_equal(
        of("  {" STAMP
           ", \"type\": \"Authentication\", \"Authentication\": {\"eventId\": 4625, \"logonType\": 3, "
           "\"status\": \"NT_STATUS_WRONG_PASSWORD\", \"remoteAddress\": \"ipv6:2001:db8::7:49153\", "
           "\"serviceDescription\": \"SamLogon\", \"authDescription\": \"network\", \"clientDomain\": "
           "\"CORP\", "
           "\"clientAccount\": \"user01\", \"workstation\": \"WS07\", \"mappedAccount\": \"user01\", "
           "\"mappedDomain\": \"CORP\", \"netlogonComputer\": \"FS1\", \"netlogonSecureChannelType\": 2, "
           "\"passwordType\": \"NTLMv2\"}}\n"),
        EVENT_TOLD);
    says("\"kind\":\"ntlm_validation\"");
    says("\"source\":\"2001:db8::7\",\"source_port\":49153");
    says("\"workstation\":\"WS07\"");
    says("\"secure_channel\":\"FS1\"");
    says("\"status\":3221225578");
    assert_int_equal(
        of("{" STAMP ", \"type\": \"KDC Authorization\", \"KDC Authorization\": {\"status\": "
           "\"NT_STATUS_AUTHENTICATION_FIREWALL_FAILED\", \"remoteAddress\": "
           "\"ipv6:::ffff:10.0.0.7:1000\", \"serviceDescription\": \"cifs/fs1\", \"authType\": "
           "\"TGS-REQ with Ticket-Granting Ticket\", \"domain\": \"CORP\", \"account\": \"user01\", "
           "\"sid\": \"S-1-5-21-1-2-3-1000\"}}"),
        EVENT_TOLD);
    says("\"kind\":\"windows_kerberos_tgs\"");
    says("\"source\":\"10.0.0.7\"");
    says("\"service\":\"cifs/fs1\"");
    says("\"status\":12,\"sub_status\":3221226515");
    assert_int_equal(of("{" STAMP ", \"type\": \"KDC Authorization\", \"KDC Authorization\": {\"status\": "
                        "\"NT_STATUS_OK\", \"authType\": \"AS-REQ\", \"account\": \"user01\"}}"),
                     EVENT_TOLD);
    says("\"kind\":\"windows_kerberos_as\"");
    assert_int_equal(
        of("{" STAMP ", \"type\": \"dsdbChange\", \"dsdbChange\": {\"operation\": \"Modify\", \"dn\": "
           "\"CN=WS1\", \"attributes\": {\"ms-Mcs-AdmPwd\": {\"actions\": [{\"action\": \"replace\", "
           "\"values\": [{\"value\": \"hunter2\"}]}]}, \"info\": {\"actions\": [{\"action\": \"add\", "
           "\"values\": [{\"value\": \"a\"}, {\"base64\": true, \"value\": \"AA==\"}, 7]}, 8, "
           "{\"action\": 9}]}}}}"),
        EVENT_TOLD);
    says("\"changes\":[\"replace:ms-Mcs-AdmPwd\",\"add:info\"],\"attribute_values\":[\"add:info=a\"]");
    assert_null(strstr(json, "hunter2"));
    /* Among other lines of one log. */
    assert_int_equal(
        of("  JSON passwordChange: {" STAMP ", \"type\": \"passwordChange\", \"passwordChange\": "
           "{\"action\": \"Change\", \"statusCode\": 53, \"dn\": \"CN=Doe\\\\, J\\\\c3\\\\a4,DC=x\"}}"),
        EVENT_TOLD);
    says("\"changed_account\":\"Doe, J\\\\c3\\\\a4\"");
    says("\"event_failure\":true");
    assert_int_equal(of("[2026/11/22 02:29:48, 3] ../../source4/smbd.c:1(x)"), EVENT_IGNORED);
    assert_int_equal(of(""), EVENT_IGNORED);
    assert_int_equal(of("{" STAMP ", \"type\": \"replicatedUpdate\", \"replicatedUpdate\": {}}"),
                     EVENT_IGNORED);
    assert_int_equal(
        of("{" STAMP ", \"type\": \"dsdbTransaction\", \"dsdbTransaction\": {\"action\": \"commit\"}}"),
        EVENT_IGNORED);
    assert_int_equal(of("{" STAMP
                        ", \"type\": \"dsdbTransaction\", \"dsdbTransaction\": {\"action\": \"commit\", "
                        "\"statusCode\": 1}}"),
                     EVENT_TOLD);
    says("\"operation\":\"commit\"");
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *remote, *says; /* NULL: no source */
    } cases[] = {
        {"ipv4:10.0.0.1:7", "\"source\":\"10.0.0.1\",\"source_port\":7"},
        {"ipv4:127.0.0.1:7", NULL},
        {"ipv6:::1:7", NULL},
        {"ipv6::::0", NULL},
        {"ipv4:0.0.0.0:0", NULL},
        {"unix:/run/samba/x", NULL},
        {"ipv4:10.0.0.1", NULL},
        {"ipv4:10.0.0.1:65536", NULL},
        {"ipv4:10.0.0.1:7x", NULL},
        {"ipv4:10.0.0:7", NULL},
        {"ipv4:10.0.0.100000000000000000000000000000000000000000000000:7", NULL},
        {"ipv", NULL},
        {"ipv6:fe80::1:0", "\"source\":\"fe80::1\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "{" STAMP
                 ", \"type\": \"passwordChange\", \"passwordChange\": {\"action\": \"Reset\", \"dn\": "
                 "\"CN=a\", \"remoteAddress\": \"%s\"}}",
                 cases[i].remote);
        assert_int_equal(of(line), EVENT_TOLD);
        if (cases[i].says)
            says_(cases[i].says, (int)i);
        else
            assert_null(strstr(json, "\"source\":"));
    }
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{",
        "{}",
        "{\"type\": 7}",
        "{\"type\": \"Authentication\"}",
        "{\"type\": \"Authentication\", \"Authentication\": {}}",
        "{\"timestamp\": \"yesterday\", \"type\": \"Authentication\", \"Authentication\": {}}",
        "{\"timestamp\": \"\", \"type\": \"Authentication\", \"Authentication\": {}}",
        "{" STAMP ", \"type\": \"Authentication\", \"Authentication\": {}}",
        "{" STAMP ", \"type\": \"Authentication\", \"Authentication\": [7]}",
        "{" STAMP
        ", \"type\": \"Authentication\", \"Authentication\": {\"status\": 7, \"serviceDescription\": \"x\"}}",
        "{" STAMP ", \"type\": \"Authorization\", \"Authorization\": {}}",
        "{" STAMP ", \"type\": \"KDC Authorization\", \"KDC Authorization\": {\"status\": \"NT_STATUS_OK\"}}",
        "{" STAMP ", \"type\": \"dsdbChange\", \"dsdbChange\": {\"operation\": \"Modify\"}}",
        "{" STAMP ", \"type\": \"dsdbChange\", \"dsdbChange\": {\"operation\": \"Paint\", \"dn\": \"x\"}}",
        "{" STAMP ", \"type\": \"groupChange\", \"groupChange\": {\"action\": \"Added\"}}",
        "{" STAMP
        ", \"type\": \"passwordChange\", \"passwordChange\": {\"action\": \"Guess\", \"dn\": \"x\"}}",
        "{" STAMP ", \"type\": \"dsdbTransaction\", \"dsdbTransaction\": {}}",
        "{" STAMP ", " STAMP
        ", \"type\": \"dsdbTransaction\", \"dsdbTransaction\": {\"action\": \"rollback\"}}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (of(lines[i]) != EVENT_INVALID)
            fail_msg("%s", lines[i]);
    char *deep = malloc(AUDIT_LINE_MAX + 10);
    memset(deep, '{', AUDIT_LINE_MAX + 10);
    assert_int_equal(translate(deep, AUDIT_LINE_MAX + 10), EVENT_INVALID);
    assert_int_equal(translate(deep, AUDIT_LINE_MAX), EVENT_INVALID);
    for (size_t i = 0; i + 5 <= AUDIT_LINE_MAX; i += 5)
        memcpy(deep + i, "{\"a\":", 5);
    assert_int_equal(translate(deep, AUDIT_LINE_MAX), EVENT_INVALID);
    free(deep);
}

/* A change of thousands of values stays a record. */
static void test_large(void **state)
{
    (void)state;
    size_t size = 0, room = AUDIT_LINE_MAX;
    char *line = malloc(room);
    size += (size_t)sprintf(
        line, "{" STAMP ", \"type\": \"dsdbChange\", \"dsdbChange\": {\"operation\": \"Modify\", "
              "\"dn\": \"CN=g\", \"attributes\": {\"member\": {\"actions\": [{\"action\": "
              "\"add\", \"values\": [{\"value\": \"");
    memset(line + size, 'x', 6000);
    size += 6000;
    size += (size_t)sprintf(line + size, "\"}");
    while (size + 100 < room)
        size += (size_t)sprintf(line + size, ", {\"value\": \"CN=user,OU=Staff,DC=corp,DC=example\"}");
    size += (size_t)sprintf(line + size, "]}]}}}}");
    assert_int_equal(translate(line, size), EVENT_TOLD);
    says("\"truncated\":true");
    says("add:member=CN=user,OU=Staff");
    for (size_t cut = 1; cut < size; cut += 997)
        assert_int_equal(translate(line, size - cut), EVENT_INVALID);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),   cmocka_unit_test(test_other_versions),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
