/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts in CEF, and syslog's headers and framing: what is published, what is hostile, and that our own
 * readers understand them.
 */
#include "base/clock.h"
#include "center/cef.h"
#include "center/notify_frame.h"
#include "events/siem.h"
#include "events/syslog.h"

#include "unit.h"

#include <stdlib.h>

static struct alert alert;
static char line[CEF_MAX];

static const struct cef_context context = {.version = "1.2.3",
                                           .title = "Reconnaissance using account enumeration",
                                           .mitre = "T1087.002",
                                           .trigger = "new",
                                           .url = "https://picket.corp.example"};

static struct alert_party *add_party(enum alert_role role, enum subject_kind kind, const char *name,
                                     const char *domain, const char *address)
{
    struct alert_party *party = &alert.parties[alert.party_count++];
    *party = (struct alert_party){.role = role, .kind = kind, .confidence = 100};
    strcpy(party->name, name);
    strcpy(party->domain, domain);
    if (address)
        assert_true(ip_address_parse(address, &party->address));
    return party;
}

static int begin(void **state)
{
    (void)state;
    alert = (struct alert){.external_id = 2003, .severity = SEVERITY_MEDIUM, .count = 72};
    for (unsigned i = 0; i < 16; i++)
        alert.id[i] = (uint8_t)i;
    strcpy(alert.name, "AccountEnumerationSecurityAlert");
    strcpy(alert.explanation, "72 names were tried from CLIENT1.\nTwo exist.");
    assert_true(clock_rfc3339_parse("2018-02-21T14:19:02.6045416Z", 28, &alert.start));
    alert.end = alert.start + CLOCK_SECOND;
    return 0;
}

static void as_published(void **state)
{
    (void)state;
    add_party(ALERT_SOURCE, SUBJECT_COMPUTER, "CLIENT1$", "contoso.com", "10.1.2.3");
    add_party(ALERT_ACCOUNT, SUBJECT_ACCOUNT, "LMaldonado", "contoso.com", NULL);
    add_party(ALERT_ACCOUNT, SUBJECT_ACCOUNT, "other", "contoso.com", NULL);
    add_party(ALERT_ACCOUNT, SUBJECT_ACCOUNT, "third", "contoso.com", NULL);
    add_party(ALERT_DESTINATION, SUBJECT_COMPUTER, "DC1", "contoso.com", "2001:db8::1");
    alert_put_string(&alert, "protocol", "Kerberos");
    size_t size = cef_of_alert(&alert, &context, line);
    assert_int_equal(size, strlen(line));
    assert_string_equal(
        line,
        "CEF:0|Picket|Picket|1.2.3|AccountEnumerationSecurityAlert|Reconnaissance using account "
        "enumeration|5|"
        "start=1519222742604 end=1519222743604 app=Kerberos suser=LMaldonado sntdom=contoso.com "
        "shost=CLIENT1$ "
        "src=10.1.2.3 dhost=DC1 c6a3=2001:db8::1 c6a3Label=Destination IPv6 Address cnt=72 externalId=2003 "
        "cat=T1087.002 cs1Label=url cs1=https://picket.corp.example/alerts/000102030405060708090a0b0c0d0e0f "
        "cs2Label=trigger cs2=new cs3Label=shostfqdn cs3=client1.contoso.com cs4Label=otherAccounts "
        "cs4=other,third msg=72 names were tried from CLIENT1.\\nTwo exist.");
}

static void nothing_from_the_wire_breaks_out(void **state)
{
    (void)state;
    add_party(ALERT_SOURCE, SUBJECT_COMPUTER, "a|b\\c=d\r\nCEF:0|x", "", NULL);
    add_party(ALERT_ACCOUNT, SUBJECT_ACCOUNT, "\xef\xbb\xbfx src=1.2.3.4\x1b[31m\xff", "  ", NULL);
    strcpy(alert.name, "Odd|Name\\");
    size_t size = cef_of_alert(&alert, &context, line);
    assert_int_equal(size, strlen(line));
    assert_non_null(strstr(line, "|Odd\\|Name\\\\|"));
    assert_non_null(strstr(line, " shost=a|b\\\\c\\=d\\nCEF:0|x "));
    assert_non_null(strstr(line, " suser=x src\\=1.2.3.4 [31m\xef\xbf\xbd "));
    assert_null(strstr(line, "sntdom"));
    assert_null(strchr(line, '\n'));
    assert_null(strstr(line, "\xef\xbb\xbf"));
}

/* The longest of everything, each byte of it to be escaped. */
static void the_longest_fits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALERT_PARTIES_MAX; i++) {
        struct alert_party *party =
            add_party((enum alert_role)(i % ALERT_ROLES), SUBJECT_COMPUTER, "", "", "2001:db8::1");
        memset(party->name, '=', sizeof(party->name) - 1);
        memset(party->domain, '\\', sizeof(party->domain) - 1);
    }
    memset(alert.explanation, '=', sizeof(alert.explanation) - 1);
    memset(alert.name, '|', sizeof(alert.name) - 1);
    char text[ALERT_TEXT_MAX];
    memset(text, '=', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    alert_put_string(&alert, "protocol", text);
    alert_put_string(&alert, "outcome", text);
    alert_put_string(&alert, "reason", text);
    size_t size = cef_of_alert(&alert, &context, line);
    assert_true(size < CEF_MAX);
    assert_int_equal(size, strlen(line));
    assert_non_null(strstr(line, " msg=\\="));
}

static void health_issues(void **state)
{
    (void)state;
    struct health_issue issue = {
        .kind = health_kind(1011), .severity = health_kind(1011)->severity, .since = alert.start};
    strcpy(issue.subject, "dc1");
    strcpy(issue.text, "Nothing came for five minutes.");
    cef_of_health(&issue, &context, line);
    assert_string_equal(
        line, "CEF:0|Picket|Picket|1.2.3|not_delivered_health|Sensor stopped communicating|5|"
              "start=1519222742604 externalId=1011 cs1Label=url cs1=https://picket.corp.example/health "
              "cs2Label=trigger cs2=new msg=dc1: Nothing came for five minutes.");
    for (unsigned i = 0; health_kind_at(i); i++) {
        issue.kind = health_kind_at(i);
        assert_true(cef_of_health(&issue, &context, line) < CEF_MAX);
    }
}

static void severities(void **state)
{
    (void)state;
    assert_int_equal(cef_severity(SEVERITY_HIGH), 10);
    assert_int_equal(cef_severity(SEVERITY_MEDIUM), 5);
    assert_int_equal(cef_severity(SEVERITY_LOW), 3);
    assert_int_equal(cef_severity(SEVERITY_INFORMATIONAL), 1);
}

static struct syslog_message message_of(const char *content)
{
    return (struct syslog_message){.severity = 4,
                                   .time = alert.start,
                                   .host = "center 1.corp.example",
                                   .app = "picket-center",
                                   .process = 77,
                                   .type = "RetrieveDataProtectionBackupKeySecurityAlert",
                                   .content = {(const uint8_t *)content, strlen(content)}};
}

static void headers(void **state)
{
    (void)state;
    char to[1024];
    struct syslog_message message = message_of("CEF:0|x");
    size_t size = syslog_frame_put(&message, SYSLOG_RFC5424, SYSLOG_DATAGRAM, to, sizeof(to));
    to[size] = '\0';
    assert_string_equal(to, "<36>1 2018-02-21T14:19:02.604541Z center_1.corp.example picket-center 77 "
                            "RetrieveDataProtectionBackupKeyS - CEF:0|x");
    size = syslog_frame_put(&message, SYSLOG_RFC3164, SYSLOG_LINES, to, sizeof(to));
    to[size] = '\0';
    assert_string_equal(to, "<36>Feb 21 14:19:02 center_1.corp.example picket-center[77]: CEF:0|x\n");
    message.time = 5 * CLOCK_DAY;
    message.host = "";
    size = syslog_frame_put(&message, SYSLOG_RFC3164, SYSLOG_COUNTED, to, sizeof(to));
    to[size] = '\0';
    assert_string_equal(to, "48 <36>Jan  6 00:00:00 - picket-center[77]: CEF:0|x");
    assert_int_equal(syslog_frame_put(&message, SYSLOG_RFC5424, SYSLOG_COUNTED, to, 20), 0);
}

/* What we send is what we would read. */
static void our_own_readers(void **state)
{
    (void)state;
    uint8_t to[2 * CEF_MAX];
    add_party(ALERT_ACCOUNT, SUBJECT_ACCOUNT, "M\xc3\xbcller=|\\", "corp.example", NULL);
    size_t cef = cef_of_alert(&alert, &context, line);
    struct syslog_message message = message_of(line);
    struct siem_reader *reader = siem_reader_new(false);
    for (int form = SYSLOG_RFC5424; form <= SYSLOG_RFC3164; form++)
        for (int framing = SYSLOG_COUNTED; framing <= SYSLOG_LINES; framing++) {
            struct syslog_stream stream = {0};
            struct syslog_header header;
            struct bytes whole;
            struct event event;
            size_t used, size = syslog_frame_put(&message, (enum syslog_form)form,
                                                 (enum syslog_framing)framing, to, sizeof(to));
            assert_int_equal(syslog_stream_next(&stream, (struct bytes){to, size}, false, &whole, &used),
                             SYSLOG_FRAME_WHOLE);
            assert_int_equal(used, size);
            syslog_header_read(whole, &header);
            assert_int_equal(header.priority, 36);
            assert_int_equal(header.modern, form == SYSLOG_RFC5424);
            assert_int_equal(header.body.size, cef);
            assert_memory_equal(header.body.data, line, cef);
            if (form == SYSLOG_RFC5424)
                assert_int_equal(syslog_header_time(&header, false, 0), alert.start / 1000 * 1000);
            struct siem_result result = siem_read(reader, &header, alert.start, &event);
            assert_int_equal(result.verdict, SIEM_OTHER); /* CEF, but no Windows event */
            assert_string_equal(result.format, "cef");
        }
    siem_reader_destroy(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(as_published, begin),
        cmocka_unit_test_setup(nothing_from_the_wire_breaks_out, begin),
        cmocka_unit_test_setup(the_longest_fits, begin),
        cmocka_unit_test_setup(health_issues, begin),
        cmocka_unit_test(severities),
        cmocka_unit_test_setup(headers, begin),
        cmocka_unit_test_setup(our_own_readers, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
