/* SPDX-License-Identifier: Apache-2.0
 *
 * Events written as XML and as JSON, by Windows and by agents.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "events/event_text.h"
#include "events/translate.h"
#include "tests/unit/unit.h"

static struct arena *arena;
static struct event_reader *reader;
static struct event event;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(EVENT_TEXT_ARENA);
    reader = event_reader_new();
    return arena && reader ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(&arena);
    event_reader_destroy(&reader);
    return 0;
}

static enum event_text_verdict read_bytes(const void *text, size_t size)
{
    arena_reset(arena);
    return event_from_text(reader, (struct bytes){text, size}, EVENT_SYSLOG, arena, &event);
}

static enum event_text_verdict read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void is(struct bytes value, const char *expected)
{
    if (value.size != strlen(expected) || (value.size && memcmp(value.data, expected, value.size) != 0))
        fail_msg("\"%.*s\" is not \"%s\"", (int)value.size, (const char *)value.data, expected);
}

static void item_is(uint32_t index, const char *name, const char *value)
{
    assert_true(index < event.count);
    is(event.fields[index].name, name);
    is(event.fields[index].value, value);
}

static int64_t at(const char *time)
{
    int64_t ns;
    assert_true(clock_rfc3339_parse(time, strlen(time), &ns));
    return ns;
}

#define XML_SYSTEM(id)                                                                                       \
    "<System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625}'/><EventID>" id           \
    "</EventID><Version>0</Version><Level>0</Level><Task>14336</Task><Opcode>0</Opcode>"                     \
    "<Keywords>0x8010000000000000</Keywords><TimeCreated SystemTime='2021-12-14T14:42:48.182047500Z'/>"      \
    "<EventRecordID>237294513</EventRecordID><Correlation/><Execution ProcessID='696' ThreadID='1'/>"        \
    "<Channel>Security</Channel><Computer>rootdc1.offsec.lan</Computer>"                                     \
    "<Security UserID='S-1-5-18'/></System>"
#define XML_EVENT "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>"
#define XML_4776                                                                                             \
    XML_EVENT XML_SYSTEM("4776") "<EventData><Data Name='TargetUserName'>h&amp;ck&#49;</Data>"               \
                                 "<Data Name='Workstation'></Data><Data Name='Status'>0x0</Data>"            \
                                 "</EventData></Event>"

static void is_4776(void)
{
    assert_int_equal(event.id, 4776);
    assert_int_equal(event.time, at("2021-12-14T14:42:48.1820475Z"));
    assert_int_equal(event.record, 237294513);
    is(event.provider, "Microsoft-Windows-Security-Auditing");
    is(event.channel, "Security");
    is(event.computer, "rootdc1.offsec.lan");
    is(event.user, "S-1-5-18");
    assert_true(event.audit_failure);
    assert_false(event.truncated);
    assert_int_equal(event.source, EVENT_SYSLOG);
    assert_int_equal(event.count, 3);
    item_is(0, "TargetUserName", "h&ck1");
    item_is(1, "Workstation", "");
    item_is(2, "Status", "0x0");
}

static void xml_as_windows_writes_it(void **state)
{
    (void)state;
    assert_int_equal(read_text(XML_4776), EVENT_TEXT_READ);
    is_4776();
    assert_int_equal(
        read_text("\xef\xbb\xbf \r\n<?xml version='1.0' encoding='utf-16'?><!-- x -->" XML_4776 "\n\n"),
        EVENT_TEXT_READ);
    is_4776();
}

static void xml_in_utf16(void **state)
{
    (void)state;
    static const char text[] = "<?xml version='1.0' encoding='utf-16'?>" XML_4776;
    uint8_t wide[2 * sizeof(text) + 2] = {0xff, 0xfe};
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        wide[2 + 2 * i] = (uint8_t)text[i];
    assert_int_equal(read_bytes(wide, 2 * sizeof(text)), EVENT_TEXT_READ);
    is_4776();
    assert_int_equal(read_bytes(wide, 2 * sizeof(text) + 1), EVENT_TEXT_READ);
    wide[2] = 'x';
    assert_int_equal(read_bytes(wide, 2 * sizeof(text)), EVENT_TEXT_OTHER);
    assert_int_equal(read_bytes(wide, 2), EVENT_TEXT_BAD);
}

static void xml_with_prefixes_and_rendering(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(
            "<e:Event xmlns:e='x'><e:System><e:EventID Qualifiers='16384'> 7045 </e:EventID><e:TimeCreated "
            "SystemTime='2021-12-14T14:42:48.18'/><e:Provider EventSourceName='Service Control "
            "Manager'/></e:System><e:EventData><e:Data>first</e:Data><e:Data>second</e:Data><e:Data/>"
            "<e:Binary>0102</e:Binary></e:EventData><e:RenderingInfo Culture='de-DE'><e:Message>Ein Dienst"
            "</e:Message><e:Data Name='x'>y</e:Data></e:RenderingInfo></e:Event>"),
        EVENT_TEXT_READ);
    assert_int_equal(event.id, 7045);
    assert_int_equal(event.time, at("2021-12-14T14:42:48.18Z"));
    is(event.provider, "Service Control Manager");
    assert_int_equal(event.count, 3);
    item_is(0, "", "first");
    item_is(1, "", "second");
    item_is(2, "", "");
}

static void xml_arrays_and_user_data(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(XML_EVENT XML_SYSTEM("1") "<EventData><Data><string>a</string>\n<string>b</string>"
                                            "</Data></EventData></Event>"),
        EVENT_TEXT_READ);
    assert_int_equal(event.count, 2);
    item_is(0, "", "a");
    item_is(1, "", "b");
    assert_int_equal(read_text(XML_EVENT XML_SYSTEM(
                         "1102") "<UserData><LogFileCleared xmlns='y'><SubjectUserSid>S-1-5-18"
                                 "</SubjectUserSid><More><Inner>7</Inner></More></LogFileCleared>"
                                 "</UserData></Event>"),
                     EVENT_TEXT_READ);
    assert_int_equal(event.count, 2);
    item_is(0, "SubjectUserSid", "S-1-5-18");
    item_is(1, "Inner", "7");
}

/* What attackers can have logged is no reason to lose the event. */
static void xml_with_bytes_that_xml_forbids(void **state)
{
    (void)state;
    assert_int_equal(read_text(XML_EVENT XML_SYSTEM("4776") "<EventData><Data Name='TargetUserName'>a\x01\xff"
                                                            "b"
                                                            "</Data></EventData></Event>"),
                     EVENT_TEXT_READ);
    item_is(0, "TargetUserName",
            "a \xef\xbf\xbd"
            "b");
}

static void xml_that_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "<!DOCTYPE Event [<!ENTITY a 'b'>]>" XML_4776,
        "<?xml version='1.0'?><!DOCTYPE Event SYSTEM 'file:///etc/passwd'>" XML_4776,
        XML_EVENT XML_SYSTEM("4776") "<EventData><Data>&unknown;</Data></EventData></Event>",
        XML_EVENT XML_SYSTEM("4776"),
        XML_EVENT XML_SYSTEM("0") "</Event>",
        XML_EVENT XML_SYSTEM("99999999999999999999999") "</Event>",
        XML_EVENT XML_SYSTEM("4294967297") "</Event>",
        XML_EVENT XML_SYSTEM("x") "</Event>",
        XML_EVENT "</Event>",
        XML_4776 XML_4776,
        "<Event><",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_text(bad[i]), EVENT_TEXT_BAD);
        assert_int_equal(read_text(XML_4776), EVENT_TEXT_READ); /* nothing of it is left in the reader */
        assert_int_equal(event.id, 4776);
    }
    static const char *const other[] = {
        "",
        " ",
        "<",
        "<13>Nov 22 13:00:00 dc1 x",
        "<Events><Event/></Events>",
        "<Eventx/>",
        "<?xml ",
        "<!-- x",
        "plain text",
        "[1, 2]",
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        assert_int_equal(read_text(other[i]), EVENT_TEXT_OTHER);
}

static void xml_is_bounded(void **state)
{
    (void)state;
    static char text[EVENT_BYTES_MAX * 2];
    size_t size = (size_t)snprintf(text, sizeof(text), "%s", XML_EVENT XML_SYSTEM("1") "<UserData>");
    for (unsigned i = 0; i < 40; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "<a>");
    assert_int_equal(read_text(text), EVENT_TEXT_BAD);
    size = (size_t)snprintf(text, sizeof(text), "%s", XML_EVENT XML_SYSTEM("1") "<EventData>");
    for (unsigned i = 0; i < EVENT_FIELDS_MAX + 1; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "<Data Name='n%u'>%u</Data>", i, i);
    snprintf(text + size, sizeof(text) - size, "</EventData></Event>");
    assert_int_equal(read_text(text), EVENT_TEXT_READ);
    assert_int_equal(event.count, EVENT_FIELDS_MAX);
    assert_true(event.truncated);
    /* Too large. */
    size = (size_t)snprintf(text, sizeof(text), "%s", XML_EVENT XML_SYSTEM("1") "<EventData><Data>");
    memset(text + size, 'x', EVENT_BYTES_MAX);
    snprintf(text + size + EVENT_BYTES_MAX, 64, "</Data></EventData></Event>");
    assert_int_equal(read_text(text), EVENT_TEXT_BAD);
}

static void nxlog(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(
            "{\"EventTime\":\"2020-09-21 18:58:47\",\"EventReceivedTime\":\"2020-09-21 "
            "18:58:49\",\"EventID\":4625,"
            "\"Hostname\":\"dc.local\",\"Keywords\":-9214364837600034816,\"EventType\":\"AUDIT_FAILURE\","
            "\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\"Channel\":\"Security\","
            "\"RecordNumber\":1894120,\"Message\":\"long\",\"LogonType\":\"3\",\"nothing\":null,\"tags\":[1],"
            "\"flag\":true,\"real\":0.5}"),
        EVENT_TEXT_READ);
    assert_int_equal(event.id, 4625);
    assert_int_equal(event.time, at("2020-09-21T18:58:47Z"));
    assert_int_equal(event.record, 1894120);
    is(event.computer, "dc.local");
    is(event.channel, "Security");
    is(event.provider, "Microsoft-Windows-Security-Auditing");
    assert_true(event.audit_failure);
    is(event_get(&event, "logontype"), "3");
    is(event_get(&event, "flag"), "true");
    is(event_get(&event, "real"), "0.5");
    is(event_get(&event, "Message"), "");
    assert_null(event_get(&event, "tags").data);
}

/* Its times are in the zone of the computer; which that is can be told where a collector added its own. */
static void nxlog_zones(void **state)
{
    (void)state;
    static const struct {
        const char *time, *received, *stamp, *expected;
    } cases[] = {
        {"2020-09-21 18:58:47", "2020-09-21 18:58:49", "2020-09-21T22:58:49.788Z", "2020-09-21T22:58:47Z"},
        {"2020-09-21 18:58:47", "2020-09-21 18:58:49", "2020-09-21T13:28:50Z", "2020-09-21T13:28:47Z"},
        {"2020-09-21 18:58:47", "2020-09-21 18:58:49", "2020-09-21T13:20:50Z", "2020-09-21T18:58:47Z"},
        {"2020-09-21 18:58:47", "2020-09-21 18:58:49", "2020-09-25T13:20:50Z", "2020-09-21T18:58:47Z"},
        {"2020-09-21T18:58:47.5+02:00", "2020-09-21 18:58:49", "2020-09-21T22:58:49Z",
         "2020-09-21T16:58:47.5Z"},
        {"2020-09-21 18:58:47", "", "", "2020-09-21T18:58:47Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(
            text, sizeof(text),
            "{\"EventID\":\"1\",\"EventTime\":\"%s\",\"EventReceivedTime\":\"%s\",\"@timestamp\":\"%s\"}",
            cases[i].time, cases[i].received, cases[i].stamp);
        assert_int_equal(read_text(text), EVENT_TEXT_READ);
        assert_int_equal(event.time, at(cases[i].expected));
    }
    static const struct {
        const char *number;
        int64_t time;
    } numbers[] = {{"1600714727", INT64_C(1600714727) * CLOCK_SECOND},
                   {"1600714727123", INT64_C(1600714727123) * CLOCK_MILLISECOND},
                   {"1600714727123456", INT64_C(1600714727123456) * CLOCK_MICROSECOND},
                   {"99999999999", 0},
                   {"9223372036854775807", 0},
                   {"-1", 0},
                   {"\"yesterday\"", 0}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char text[128];
        snprintf(text, sizeof(text), "{\"EventID\":1,\"EventTime\":%s}", numbers[i].number);
        assert_int_equal(read_text(text), EVENT_TEXT_READ);
        assert_int_equal(event.time, numbers[i].time);
    }
}

/* NXLog names the account of the log entry as 7045 names the service's. */
static void nxlog_account_of_a_service(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(
            "{\"EventID\":7045,\"EventTime\":\"2020-09-20 12:16:56\",\"Channel\":\"System\",\"AccountType\":"
            "\"User\",\"UserID\":\"S-1-5-21-1-2-3-1104\",\"AccountName\":\"pgustavo\",\"Domain\":"
            "\"THESHIRE\","
            "\"ServiceName\":\"Updater\",\"ImagePath\":\"x\",\"StartType\":\"auto start\"}"),
        EVENT_TEXT_READ);
    is(event.user, "S-1-5-21-1-2-3-1104");
    is(event_get(&event, "SubjectUserName"), "pgustavo");
    is(event_get(&event, "SubjectDomainName"), "THESHIRE");
    assert_null(event_get(&event, "AccountName").data);
}

static void winlogbeat(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"@timestamp\":\"2021-12-14T14:42:48.182Z\",\"event\":{\"code\":\"4776\",\"outcome\":"
                  "\"failure\"},"
                  "\"message\":\"x\",\"winlog\":{\"event_id\":\"4776\",\"computer_name\":\"dc1\",\"channel\":"
                  "\"Security\","
                  "\"provider_name\":\"P\",\"record_id\":77,\"user\":{\"identifier\":\"S-1-5-18\"},"
                  "\"event_data\":{\"TargetUserName\":\"bob\",\"Status\":\"0x0\"}}}"),
        EVENT_TEXT_READ);
    assert_int_equal(event.id, 4776);
    assert_int_equal(event.time, at("2021-12-14T14:42:48.182Z"));
    assert_int_equal(event.record, 77);
    is(event.computer, "dc1");
    is(event.provider, "P");
    is(event.user, "S-1-5-18");
    assert_true(event.audit_failure);
    is(event_get(&event, "TargetUserName"), "bob");
    assert_int_equal(event.count, 2);
    /* Up to version 6. */
    assert_int_equal(
        read_text("{\"@timestamp\":\"2021-12-14T14:42:48.182Z\",\"event_id\":1644,\"computer_name\":\"dc1\","
                  "\"log_name\":"
                  "\"Directory "
                  "Service\",\"source_name\":\"P\",\"record_number\":\"78\",\"event_data\":{\"param1\":\"a\","
                  "\"param10\":\"j\",\"param2\":\"b\",\"param999\":\"-\",\"parameter\":\"x\"}}"),
        EVENT_TEXT_READ);
    assert_int_equal(event.id, 1644);
    assert_int_equal(event.record, 78);
    is(event.channel, "Directory Service");
    assert_int_equal(event.count, 12);
    item_is(0, "param999", "-");
    item_is(1, "parameter", "x");
    item_is(2, "", "a");
    item_is(3, "", "b");
    item_is(4, "", "");
    item_is(11, "", "j");
}

static void json_that_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_text("{]"), EVENT_TEXT_BAD);
    assert_int_equal(read_text("{\"EventID\":1} x"), EVENT_TEXT_BAD);
    assert_int_equal(read_text("{\"EventID\":1"), EVENT_TEXT_BAD);
    assert_int_equal(read_text("{\"winlog\":{}}"), EVENT_TEXT_BAD);
    assert_int_equal(read_text("{\"type\":\"Authentication\"}"), EVENT_TEXT_OTHER);
    assert_int_equal(read_text("{\"EventID\":99999999999}"), EVENT_TEXT_OTHER);
    assert_int_equal(read_text("{\"EventID\":\"0x1z\"}"), EVENT_TEXT_OTHER);
    static char deep[20000] = "{\"EventID\":1,\"x\":";
    memset(deep + strlen(deep), '[', 10000);
    assert_int_equal(read_text(deep), EVENT_TEXT_BAD);
}

static void json_is_bounded(void **state)
{
    (void)state;
    static char text[EVENT_BYTES_MAX * 2];
    size_t size = (size_t)snprintf(text, sizeof(text), "{\"EventID\":1");
    for (unsigned i = 0; size < EVENT_BYTES_MAX - 64; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, ",\"%u\":1", i);
    snprintf(text + size, sizeof(text) - size, "}");
    assert_int_equal(read_text(text), EVENT_TEXT_READ);
    assert_true(event.truncated);
    assert_int_equal(event.count, EVENT_FIELDS_MAX);
    memset(text + size, ' ', EVENT_BYTES_MAX - size);
    snprintf(text + EVENT_BYTES_MAX, 8, "}");
    assert_int_equal(read_text(text), EVENT_TEXT_BAD);
}

/* Logs of real attacks, as NXLog and a collector wrote them. */
static void recorded_logs_are_read(void **state)
{
    (void)state;
    static struct activity_writer writer;
    static char line[EVENT_BYTES_MAX * 2];
    unsigned read = 0, told[3] = {0}, kinds[ACTIVITY_KINDS] = {0};
    glob_t files;
    if (glob(PICKET_SHARED_DATA "/events/host/*.jsonl", 0, NULL, &files) != 0)
        skip();
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *file = fopen(files.gl_pathv[i], "r");
        assert_non_null(file);
        while (fgets(line, sizeof(line), file)) {
            assert_int_equal(read_text(line), EVENT_TEXT_READ);
            assert_true(event.id && event.time && event.computer.size && event.channel.size);
            enum event_verdict verdict = event_translate(&event, &writer);
            told[verdict]++;
            if (verdict == EVENT_TOLD)
                kinds[writer.kind]++;
            read++;
        }
        fclose(file);
    }
    globfree(&files);
    assert_int_equal(read, 289);
    assert_int_equal(told[EVENT_INVALID], 0);
    assert_int_equal(kinds[ACTIVITY_WINDOWS_LOGON], 73);
    assert_int_equal(kinds[ACTIVITY_WINDOWS_KERBEROS_TGS], 13);
    assert_int_equal(kinds[ACTIVITY_DIRECTORY_ACCESS], 8);
    assert_int_equal(kinds[ACTIVITY_SERVICE_INSTALL], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xml_as_windows_writes_it),
        cmocka_unit_test(xml_in_utf16),
        cmocka_unit_test(xml_with_prefixes_and_rendering),
        cmocka_unit_test(xml_arrays_and_user_data),
        cmocka_unit_test(xml_with_bytes_that_xml_forbids),
        cmocka_unit_test(xml_that_is_refused),
        cmocka_unit_test(xml_is_bounded),
        cmocka_unit_test(nxlog),
        cmocka_unit_test(nxlog_zones),
        cmocka_unit_test(nxlog_account_of_a_service),
        cmocka_unit_test(winlogbeat),
        cmocka_unit_test(json_that_is_refused),
        cmocka_unit_test(json_is_bounded),
        cmocka_unit_test(recorded_logs_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
