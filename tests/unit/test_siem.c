/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows events in the forms of SIEMs and agents, with all that these get wrong: fields come out under the
 * manifest's names.
 */
#include "events/siem.h"
#include "events/translate.h"

#include "base/clock.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#define AUDITING "Microsoft-Windows-Security-Auditing"

static struct siem_reader *reader;
static struct event event;

static struct siem_result read_bytes(const void *data, size_t size)
{
    struct syslog_header header;
    int64_t now;
    const char *time = "2026-11-22T12:00:00Z";
    assert_true(clock_rfc3339_parse(time, strlen(time), &now));
    syslog_header_read((struct bytes){data, size}, &header);
    return siem_read(reader, &header, now, &event);
}

static struct siem_result read_message(const char *message)
{
    return read_bytes(message, strlen(message));
}

static bool equal(struct bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

static void expect_time(const char *rfc3339)
{
    char text[CLOCK_RFC3339_MAX];
    int64_t time;
    assert_true(clock_rfc3339_parse(rfc3339, strlen(rfc3339), &time));
    clock_rfc3339(event.time, text);
    if (event.time != time)
        fail_msg("%s, not %s", text, rfc3339);
}

/* "Name=value" each. */
static void expect_fields(const char *const *pairs)
{
    for (; *pairs; pairs++) {
        char name[64];
        const char *value = strchr(*pairs, '=') + 1;
        snprintf(name, sizeof(name), "%.*s", (int)(value - *pairs - 1), *pairs);
        struct bytes is = event_get(&event, name);
        while (is.size && is.data[is.size - 1] == ' ')
            is.size--;
        if (!equal(is, value))
            fail_msg("%s: %.*s, not %s", name, (int)is.size, (const char *)is.data, value);
    }
}

struct sample {
    const char *format, *message, *time, *channel, *computer;
    uint32_t id;
    const char *pairs[24];
};

static void check(const struct sample *sample)
{
    struct siem_result result = read_message(sample->message);
    if (result.verdict != SIEM_EVENT)
        fail_msg("%d %s %s: %s", (int)result.verdict, result.format, result.reason ? result.reason : "-",
                 sample->message);
    assert_string_equal(result.format, sample->format);
    assert_int_equal(event.id, sample->id);
    assert_int_equal(event.source, EVENT_SYSLOG);
    expect_time(sample->time);
    if (!equal(event.channel, sample->channel) || !equal(event.computer, sample->computer))
        fail_msg("%.*s, %.*s: %s", (int)event.channel.size, (const char *)event.channel.data,
                 (int)event.computer.size, (const char *)event.computer.data, sample->message);
    expect_fields(sample->pairs);
}

static void check_all(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&samples[i]);
}
#define CHECK_ALL(samples) check_all(samples, sizeof(samples) / sizeof(samples[0]))

/* --- the four formats --- */

#define RSA_FIELDS                                                                                           \
    {                                                                                                        \
        "TargetUserName=YYYYY$", "Workstation=MMMMM", "Status=0x0", NULL                                     \
    }

static const struct sample rsa[] = {
    {"rsa",
     "RsaSA\n2015-May-19 09:07:09\n4776\n" AUDITING "\nSecurity\ndc1.corp.example\nYYYYY$\nMMMMM \n0x0",
     "2015-05-19T09:07:09Z", "Security", "dc1.corp.example", 4776, RSA_FIELDS},
    /* as described: log and computer joined by a backslash */
    {"rsa",
     "<13>Feb 11 00:00:00 10.0.0.5 RsaSA\n2015-May-19 09:07:09.125\n4776\n" AUDITING
     "\nSecurity\\dc1.corp.example\nYYYYY$\nMMMMM \n0x0\n",
     "2015-05-19T09:07:09.125Z", "Security", "dc1.corp.example", 4776, RSA_FIELDS},
    /* as described, letter by letter */
    {"rsa",
     "RsaSA\\n2015-May-19 09:07:09\\n4776\\n" AUDITING
     "\\nSecurity\\XXXXX.subDomain.domain.org.il\\nYYYYY$\\nMMMMM \\n0x0",
     "2015-05-19T09:07:09Z", "Security", "XXXXX.subDomain.domain.org.il", 4776, RSA_FIELDS},
    /* through a relay that replaces control characters */
    {"rsa",
     "RsaSA#0122015-May-19 09:07:09#0124776#012" AUDITING "#012Security#012dc1#012YYYYY$#012MMMMM#0120x0",
     "2015-05-19T09:07:09Z", "Security", "dc1", 4776, RSA_FIELDS},
    /* CR LF, and no workstation */
    {"rsa",
     "RsaSA\r\n2015-May-19 09:07:09\r\n4776\r\n" AUDITING
     "\r\nSecurity\r\ndc1\r\nalice\r\n\r\n0xc000006a\r\n",
     "2015-05-19T09:07:09Z",
     "Security",
     "dc1",
     4776,
     {"TargetUserName=alice", "Workstation=", "Status=0xc000006a", NULL}},
};

static void rsa_is_read(void **state)
{
    (void)state;
    CHECK_ALL(rsa);
    assert_int_equal(read_message("RsaSA\n2015-May-19 09:07:09\n4776").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("RsaSA\n2015-May-19 09:07:09\nx\na\nb\nc\nd\ne\nf").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("RsaSA\nyesterday\n4776\na\nb\nc\nd\ne\nf").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("RsaSA\n2015-May-19 09:07:09\n4776\na\nb\nc\nd\ne\nf\ng\nh").verdict,
                     SIEM_DAMAGED);
    assert_int_equal(read_message("RsaSA").verdict, SIEM_DAMAGED);
}

#define CEF_HEADER                                                                                           \
    "CEF:0|Microsoft|Microsoft Windows||" AUDITING                                                           \
    ":4776|The domain controller attempted to validate the credentials for an account.|Low|"

static const struct sample cef[] = {
    {"cef",
     CEF_HEADER " externalId=4776 cat=Security rt=1426218619000 shost=KKKKKK dhost=dc.corp.example "
                "duser=XXXXXX cs2=Security cs3=" AUDITING " cs4=0x0 cs3Label=EventSource cs4Label=Reason or "
                "Error Code",
     "2015-03-13T03:50:19Z",
     "Security",
     "dc.corp.example",
     4776,
     {"TargetUserName=XXXXXX", "Workstation=KKKKKK", "Status=0x0", NULL}},
    /* another order, other custom keys, escapes, a header, failure */
    {"cef",
     "<13>Oct 12 07:25:11 win-pan1 " CEF_HEADER
     "cs6Label=Reason or Error Code duser=a\\=b\\\\c d rt=Mar 13 2015 03:50:19.250 UTC cs6=0xC000006A "
     "dhost=dc1 cat=Security deviceSeverity=Audit_failure cs5=MICROSOFT_AUTHENTICATION_PACKAGE_V1_0 "
     "cs5Label=Authentication Package Name",
     "2015-03-13T03:50:19.25Z",
     "Security",
     "dc1",
     4776,
     {"TargetUserName=a=b\\c d", "Workstation=", "Status=0xC000006A",
      "PackageName=MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", NULL}},
    /* rawEvent says it exactly */
    {"cef",
     "CEF:0|Microsoft|Microsoft Windows||" AUDITING
     ":4728|x|Low|externalId=4728 rt=1426218619000 cat=Security "
     "dhost=DC1 rawEvent=EventlogType\\=Security&&EventID\\=4728&&Subject:Security ID\\=S-1-5-21-1-2-3-500&&"
     "Subject:Account Name\\=Administrator&&Subject:Account Domain\\=CORP&&Subject:Logon ID\\=0x373c2&&"
     "Member:Security ID\\=S-1-5-21-1-2-3-1104&&Member:Account Name\\=CN\\=eve,DC\\=corp&&"
     "Group:Security ID\\=S-1-5-21-1-2-3-512&&Group:Group Name\\=Domain Admins&&Group:Group Domain\\=CORP&&"
     "Additional Information:Privileges\\=- duser=eve",
     "2015-03-13T03:50:19Z",
     "Security",
     "DC1",
     4728,
     {"SubjectUserName=Administrator", "SubjectLogonId=0x373c2", "MemberSid=S-1-5-21-1-2-3-1104",
      "MemberName=CN=eve,DC=corp", "TargetUserName=Domain Admins", "TargetDomainName=CORP",
      "TargetSid=S-1-5-21-1-2-3-512", NULL}},
    /* the manifest's own names */
    {"cef",
     "CEF:0|Microsoft|Windows|10|4776|x|1|rt=1426218619000 dvchost=dc2 TargetUserName=bob "
     "ad.Workstation=WS Status=0x0",
     "2015-03-13T03:50:19Z",
     "",
     "dc2",
     4776,
     {"TargetUserName=bob", "Workstation=WS", NULL}},
};

static void cef_is_read(void **state)
{
    (void)state;
    CHECK_ALL(cef);
    assert_true(read_message(cef[1].message).verdict == SIEM_EVENT && event.audit_failure);
    assert_int_equal(read_message("CEF:0|Microsoft|ATA|1.9.0.0|X|y|5|start=2018 externalId=2024").verdict,
                     SIEM_OTHER);
    assert_int_equal(read_message("CEF:0|Microsoft|Microsoft Windows").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("CEF:x|Microsoft|Microsoft Windows||1|n|l|rt=1").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("CEF:0|Microsoft|Microsoft Windows||x|n|l|rt=1426218619000").verdict,
                     SIEM_DAMAGED);
    assert_int_equal(read_message("CEF:0|Microsoft|Microsoft Windows||4776|n|l|externalId=4776").verdict,
                     SIEM_DAMAGED);
    /* more pairs than are kept */
    char long_one[8192];
    size_t n = (size_t)snprintf(long_one, sizeof(long_one), CEF_HEADER "rt=1426218619000 ");
    for (unsigned i = 0; i < 400; i++)
        n += (size_t)snprintf(long_one + n, sizeof(long_one) - n, "k%u=v ", i);
    assert_int_equal(read_message(long_one).verdict, SIEM_EVENT);
    assert_true(event.truncated);
    assert_int_equal(event.count, EVENT_FIELDS_MAX);
}

#define TEXT_4776                                                                                            \
    "The computer attempted to validate the credentials for an account.\r\n\r\nAuthentication "              \
    "Package:              MICROSOFT_AUTHENTICATION_PACKAGE_V1_0\r\n\r\nLogon Account: "                     \
    "Administrator\r\n\r\nSource Workstation:       SIEM\r\n\r\nError Code:         0x0"
#define FIELDS_4776                                                                                          \
    {                                                                                                        \
        "PackageName=MICROSOFT_AUTHENTICATION_PACKAGE_V1_0", "TargetUserName=Administrator",                 \
            "Workstation=SIEM", "Status=0x0", NULL                                                           \
    }

static const struct sample splunk[] = {
    {"splunk",
     "EventCode=4776\r\nLogfile=Security\r\nSourceName=" AUDITING
     "\r\nTimeGenerated=20150310132717.784882-000\r\nComputerName=YYYYY\r\nMessage=\r\n" TEXT_4776,
     "2015-03-10T13:27:17.784882Z", "Security", "YYYYY", 4776, FIELDS_4776},
    /* another order, a header, an offset */
    {"splunk",
     "<13>Mar 10 13:27:17 splunk ComputerName=dc1\r\nTimeGenerated=20150310132717.784882+060\r\n"
     "SourceName=" AUDITING "\r\nLogfile=Security\r\nEventCode=4776\r\nMessage=" TEXT_4776 "\r\n",
     "2015-03-10T12:27:17.784882Z", "Security", "dc1", 4776, FIELDS_4776},
    /* as described, letter by letter, with its \r\ */
    {"splunk",
     "\\r\\nEventCode=4776\\r\\nLogfile=Security\\r\\nSourceName=" AUDITING
     "\\r\\nTimeGenerated=20150310132717.784882-000\\r\\ComputerName=YYYYY\\r\\nMessage=\n\nThe computer "
     "attempted to validate the credentials for an account.\n\nAuthentication Package:              "
     "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0\n\nLogon Account: Administrator\n\nSource Workstation:       "
     "SIEM\n\nError Code:         0x0\n",
     "2015-03-10T13:27:17.784882Z", "Security", "YYYYY", 4776, FIELDS_4776},
    /* newer forwarders */
    {"splunk",
     "01/23/2019 05:06:07 PM\nLogName=Security\nSourceName=Microsoft Windows security "
     "auditing.\nEventCode=4776\nEventType=0\nType=Information\nComputerName=dc1.corp.example\n"
     "TaskCategory=Credential Validation\nOpCode=Info\nRecordNumber=1234\nKeywords=Audit Failure\n"
     "Message=" TEXT_4776,
     "2019-01-23T17:06:07Z", "Security", "dc1.corp.example", 4776, FIELDS_4776},
    /* another language: by the values' places */
    {"splunk",
     "EventCode=4776\r\nLogfile=Security\r\nSourceName=" AUDITING
     "\r\nTimeGenerated=20150310132717.784882-000\r\nComputerName=YYYYY\r\nMessage=Der Computer hat "
     "versucht, "
     "die Anmeldeinformationen zu "
     "überprüfen:\r\n\r\nAuthentifizierungspaket:\tMICROSOFT_AUTHENTICATION_PACKAGE_"
     "V1_0\r\nAnmeldekonto:\tAdministrator\r\nArbeitsstation:\tSIEM\r\nFehlercode:\t0x0",
     "2015-03-10T13:27:17.784882Z", "Security", "YYYYY", 4776, FIELDS_4776},
};

static void splunk_is_read(void **state)
{
    (void)state;
    CHECK_ALL(splunk);
    assert_true(read_message(splunk[3].message).verdict == SIEM_EVENT && event.audit_failure);
    assert_int_equal(event.record, 1234);
    assert_int_equal(read_message("EventCode=x\r\nMessage=y").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("EventCode=4776\r\nTimeGenerated=20150310132717.7").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("EventCode=4776\r\nTimeGenerated=now\r\nMessage=x").verdict, SIEM_DAMAGED);
}

#define QRADAR(t, time, text)                                                                                \
    "<13>Feb 11 00:00:00 10.0.0.5 AgentDevice=WindowsLog" t "AgentLogFile=Security" t "Source=" AUDITING t   \
    "Computer=dc1.corp.example" t "User=" t "Domain=" t "EventID=4776" t "EventIDCode=4776" t                \
    "EventType=8" t "EventCategory=14336" t "RecordNumber=1961417" t "TimeGenerated=" time t                 \
    "TimeWritten=1456144380009" t "Message=" text
#define FLAT_4776                                                                                            \
    "The computer attempted to validate the credentials for an account. Authentication Package: "            \
    "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0 Logon Account: Administrator Source Workstation: SIEM Error "     \
    "Code: 0x0"
#define FLAT_GERMAN                                                                                          \
    "Der Computer hat versucht, die Anmeldeinformationen zu prüfen. Authentifizierungspaket: "              \
    "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0 Anmeldekonto: Administrator Arbeitsstation: SIEM Fehlercode: 0x0"

static const struct sample qradar[] = {
    {"qradar", QRADAR("\t", "1456144380009", FLAT_4776), "2016-02-22T12:33:00.009Z", "Security",
     "dc1.corp.example", 4776, FIELDS_4776},
    {"qradar", QRADAR("\t", "20160222123300.009000", FLAT_4776), "2016-02-22T12:33:00.009Z", "Security",
     "dc1.corp.example", 4776, FIELDS_4776},
    {"qradar", QRADAR(" ", "1456144380009", FLAT_4776), "2016-02-22T12:33:00.009Z", "Security",
     "dc1.corp.example", 4776, FIELDS_4776}, /* the tabs were lost */
    {"qradar", QRADAR("#011", "1456144380009", FLAT_4776), "2016-02-22T12:33:00.009Z", "Security",
     "dc1.corp.example", 4776, FIELDS_4776},
    {"qradar", QRADAR("\\t", "1456144380009", FLAT_4776), "2016-02-22T12:33:00.009Z", "Security",
     "dc1.corp.example", 4776, FIELDS_4776},
    {"qradar", QRADAR("\t", "1456144380009", FLAT_GERMAN), "2016-02-22T12:33:00.009Z", "Security",
     "dc1.corp.example", 4776, FIELDS_4776},
};

static void qradar_is_read(void **state)
{
    (void)state;
    CHECK_ALL(qradar);
    assert_int_equal(event.record, 1961417);
    /* nobody at a workstation: the next label is no value */
    assert_int_equal(read_message(QRADAR("\t", "1456144380009",
                                         "x. Authentifizierungspaket: P Anmeldekonto: Arbeitsstation: SIEM "
                                         "Fehlercode: 0x0"))
                         .verdict,
                     SIEM_EVENT);
    expect_fields((const char *const[]){"TargetUserName=", "Workstation=SIEM", "Status=0x0", NULL});
    /* keys that nobody knows, and words that are none */
    assert_int_equal(read_message("AgentDevice=WindowsLog\tNew=x\tand more\tEventID=4776\t"
                                  "TimeGenerated=1456144380009\tMessage=" FLAT_4776)
                         .verdict,
                     SIEM_EVENT);
    assert_int_equal(event.id, 4776);
    assert_int_equal(read_message("AgentDevice=WindowsLog\tEventID=x\tMessage=y").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("AgentDevice=WindowsLog\tEventID=4776").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("AgentDevice=WindowsLog\tEventID=4776\tMessage=y").verdict, SIEM_DAMAGED);
}

/* --- the others --- */

#define FLAT_4732                                                                                            \
    "A member was added to a security-enabled local group.    Subject:   Security ID:  S-1-5-21-1-2-3-500  " \
    " Account Name:  Administrator   Account Domain:  CORP   Logon ID:  0x373c2    Member:   Security ID:  " \
    "S-1-5-21-1-2-3-1104   Account Name:  CN=eve,DC=corp    Group:   Security ID:  S-1-5-32-544   Group "    \
    "Name:  Administrators   Group Domain:  Builtin    Additional Information:   Privileges:  -"
#define FIELDS_4732                                                                                          \
    {                                                                                                        \
        "SubjectUserSid=S-1-5-21-1-2-3-500", "SubjectUserName=Administrator", "SubjectDomainName=CORP",      \
            "SubjectLogonId=0x373c2", "MemberSid=S-1-5-21-1-2-3-1104", "MemberName=CN=eve,DC=corp",          \
            "TargetSid=S-1-5-32-544", "TargetUserName=Administrators", "TargetDomainName=Builtin",           \
            "PrivilegeList=-", NULL                                                                          \
    }

static const struct sample others[] = {
    {"snare",
     "<14>Nov 22 12:00:00 dc1 MSWinEventLog\t1\tSecurity\t3290\tSun Nov 22 11:59:58 2026\t4776\t" AUDITING
     "\tAdministrator\tN/A\tFailure Audit\tdc1.corp.example\tCredential Validation\t\t" FLAT_4776 "\t991",
     "2026-11-22T11:59:58Z", "Security", "dc1.corp.example", 4776, FIELDS_4776},
    {"snare",
     "<14>Nov 22 12:00:00 dc1 MSWinEventLog\t1\tSecurity\t3290\tSun Nov 22 11:59:58 2026\t4732\t" AUDITING
     "\tCORP\\Administrator\tUser\tSuccess Audit\tdc1.corp.example\tSecurity Group Management\t\t" FLAT_4732
     "\t991",
     "2026-11-22T11:59:58Z", "Security", "dc1.corp.example", 4732, FIELDS_4732},
    {"structured-data",
     "<14>1 2026-11-22T11:59:59Z dc1 Microsoft-Windows-Security-Auditing 600 - [NXLOG@14506 "
     "Keywords=\"-9214364837600034816\" EventType=\"AUDIT_FAILURE\" EventID=\"4776\" "
     "SourceName=\"" AUDITING "\" Channel=\"Security\" RecordNumber=\"77\" "
     "EventTime=\"2026-11-22 11:59:58.5\" Hostname=\"dc1.corp.example\" "
     "PackageName=\"MICROSOFT_AUTHENTICATION_PACKAGE_V1_0\" TargetUserName=\"Administrator\" "
     "Workstation=\"SI\\\"EM\" Status=\"0x0\"] The computer attempted",
     "2026-11-22T11:59:58.5Z",
     "Security",
     "dc1.corp.example",
     4776,
     {"TargetUserName=Administrator", "Workstation=SI\"EM", "Status=0x0", NULL}},
    {"leef",
     "<13>Nov 22 12:00:00 dc1 LEEF:1.0|Microsoft|Windows|2019|4776|devTime=2026-11-22T11:59:58.5Z\t"
     "SourceName=" AUDITING "\tChannel=Security\tComputer=dc1.corp.example\tEventType=AUDIT_FAILURE\t"
     "RecordNumber=7\tMessage=" FLAT_4776,
     "2026-11-22T11:59:58.5Z", "Security", "dc1.corp.example", 4776, FIELDS_4776},
    {"leef",
     "LEEF:2.0|Microsoft|Windows|2019|4776|^|devTime=Nov 22 2026 11:59:58.500 EST^devTimeFormat=MMM dd yyyy "
     "HH:mm:ss.SSS z^usrName=Administrator^srcHostName=SIEM^Status=0x0^LogName=Security^Computer=dc1",
     "2026-11-22T16:59:58.5Z",
     "Security",
     "dc1",
     4776,
     {"TargetUserName=Administrator", "Workstation=SIEM", "Status=0x0", NULL}},
    {"leef",
     "<13>1 2026-11-22T11:59:58.5Z dc7 LEEF:2.0|NXLog|in|3|4776|x5E|SourceName=" AUDITING
     "^TargetUserName=Administrator^usrName=x",
     "2026-11-22T11:59:58.5Z",
     "",
     "dc7",
     4776,
     {"TargetUserName=Administrator", NULL}},
    {"leef",
     "LEEF:1.0|Microsoft|Windows|2019|Logon|EventID=4776|devTime=1795348798500|TargetUserName=bob",
     "2026-11-22T11:59:58.5Z",
     "",
     "",
     4776,
     {"TargetUserName=bob", NULL}},
    {"json",
     "{\"EventTime\":\"2026-11-22T11:59:58.5Z\",\"Hostname\":\"dc1.corp.example\",\"EventID\":4776,"
     "\"SourceName\":\"" AUDITING "\",\"Channel\":\"Security\",\"TargetUserName\":\"Administrator\","
     "\"Workstation\":\"SIEM\",\"Status\":\"0x0\"}",
     "2026-11-22T11:59:58.5Z",
     "Security",
     "dc1.corp.example",
     4776,
     {"TargetUserName=Administrator", "Workstation=SIEM", "Status=0x0", NULL}},
    {"xml",
     "<13>Nov 22 12:00:00 dc1 nxlog: <Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\">"
     "<System><Provider Name=\"" AUDITING "\"/><EventID>4776</EventID><TimeCreated "
     "SystemTime=\"2026-11-22T11:59:58.5Z\"/><Channel>Security</Channel><Computer>dc1.corp.example</Computer>"
     "</System><EventData><Data Name=\"TargetUserName\">Administrator</Data><Data Name=\"Status\">0x0</Data>"
     "</EventData></Event>",
     "2026-11-22T11:59:58.5Z",
     "Security",
     "dc1.corp.example",
     4776,
     {"TargetUserName=Administrator", "Status=0x0", NULL}},
};

static void the_others_are_read(void **state)
{
    (void)state;
    CHECK_ALL(others);
    assert_int_equal(read_message("MSWinEventLog 1 Security 3290 Sun Nov 22 4776").verdict, SIEM_DAMAGED);
    assert_int_equal(
        read_message("MSWinEventLog\t1\tS\t3\tSun Nov 22 11:59:58 2026\tx\ta\tb\tc\td\te\tf\tg\th").verdict,
        SIEM_DAMAGED);
    assert_int_equal(read_message("MSWinEventLog\t1\tS\t3\tnow\t4776\ta\tb\tc\td\te\tf\tg\th").verdict,
                     SIEM_DAMAGED);
    assert_int_equal(read_message("LEEF:1.0|Vendor|Product").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("LEEF:1.0|Vendor|Product|1|x|src=1.2.3.4").verdict, SIEM_OTHER);
    assert_int_equal(read_message("LEEF:1.0|Vendor|Product|1|4776|src=1.2.3.4").verdict, SIEM_OTHER);
    assert_int_equal(read_message("<14>1 - - - - - [x@1 EventID=\"0\" a] b").verdict, SIEM_DAMAGED);
    assert_int_equal(read_message("<34>Oct 11 22:14:15 mymachine su: 'su root' failed").verdict,
                     SIEM_UNKNOWN);
    assert_int_equal(read_message("").verdict, SIEM_UNKNOWN);
    assert_int_equal(read_message("{\"EventID\":").verdict, SIEM_DAMAGED);
}

/* --- rendered messages --- */

#define SPLUNK(id, text)                                                                                     \
    "EventCode=" id "\r\nLogfile=Security\r\nSourceName=" AUDITING                                           \
    "\r\nTimeGenerated=20150310132717.784882-000\r\nComputerName=dc1\r\nMessage=" text
#define AT_DC1 "2015-03-10T13:27:17.784882Z", "Security", "dc1"

static const struct sample rendered[] = {
    {"splunk",
     SPLUNK("4732",
            "A member was added to a security-enabled local group.\r\n\r\nSubject:\r\n\tSecurity "
            "ID:\t\tS-1-5-21-1-2-3-500\r\n\tAccount Name:\t\tAdministrator\r\n\tAccount "
            "Domain:\t\tCORP\r\n\tLogon ID:\t\t0x373c2\r\n\r\nMember:\r\n\tSecurity "
            "ID:\t\tS-1-5-21-1-2-3-1104\r\n\tAccount Name:\t\tCN=eve,DC=corp\r\n\r\nGroup:\r\n\tSecurity "
            "ID:\t\tS-1-5-32-544\r\n\tGroup Name:\t\tAdministrators\r\n\tGroup "
            "Domain:\t\tBuiltin\r\n\r\nAdditional Information:\r\n\tPrivileges:\t\t-"),
     AT_DC1, 4732, FIELDS_4732},
    {"splunk",
     SPLUNK("4732",
            "Ein Mitglied wurde hinzugefügt.\r\n\r\nAntragsteller:\r\n\tSicherheits-ID:\t\tS-1-5-21-1-2-3-500"
            "\r\n\tKontoname:\t\tAdministrator\r\n\tKontodomäne:\t\tCORP\r\n\tAnmelde-ID:\t\t0x373c2\r\n\r\n"
            "Mitglied:\r\n\tSicherheits-ID:\t\tS-1-5-21-1-2-3-1104\r\n\tKontoname:\t\tCN=eve,DC=corp\r\n\r\n"
            "Gruppe:\r\n\tSicherheits-ID:\t\tS-1-5-32-544\r\n\tGruppenname:\t\tAdministrators\r\n\t"
            "Gruppendomäne:\t\tBuiltin\r\n\r\nWeitere Informationen:\r\n\tBerechtigungen:\t\t-"),
     AT_DC1, 4732, FIELDS_4732},
    {"splunk",
     SPLUNK("4625",
            "An account failed to log on.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-0-0\r\n\tAccount "
            "Name:\t\t-\r\n\tAccount Domain:\t\t-\r\n\tLogon ID:\t\t0x0\r\n\r\nLogon "
            "Type:\t\t\t3\r\n\r\nAccount For Which Logon Failed:\r\n\tSecurity ID:\t\tS-1-0-0\r\n\tAccount "
            "Name:\t\tbob\r\n\tAccount Domain:\t\tCORP\r\n\r\nFailure Information:\r\n\tFailure "
            "Reason:\t\tUnknown user name or bad password.\r\n\tStatus:\t\t\t0xC000006D\r\n\tSub "
            "Status:\t\t0xC000006A\r\n\r\nProcess Information:\r\n\tCaller Process ID:\t0x0\r\n\tCaller "
            "Process Name:\t-\r\n\r\nNetwork Information:\r\n\tWorkstation Name:\tWS1\r\n\tSource Network "
            "Address:\t10.0.0.9\r\n\tSource Port:\t\t4242\r\n\r\nDetailed Authentication "
            "Information:\r\n\tLogon Process:\t\tNtLmSsp \r\n\tAuthentication Package:\tNTLM\r\n\tTransited "
            "Services:\t-\r\n\tPackage Name (NTLM only):\t-\r\n\tKey Length:\t\t0\r\n\r\nThis event is "
            "generated when a logon request fails."),
     AT_DC1,
     4625,
     {"LogonType=3", "TargetUserName=bob", "TargetDomainName=CORP", "Status=0xC000006D",
      "SubStatus=0xC000006A", "WorkstationName=WS1", "IpAddress=10.0.0.9", "IpPort=4242",
      "LogonProcessName=NtLmSsp", "AuthenticationPackageName=NTLM", "KeyLength=0", "FailureReason=", NULL}},
    {"splunk",
     SPLUNK("5136", "x.\r\n\r\nAttribute:\r\n\tLDAP Display Name:\tmember\r\n\tValue:\tCN=a,DC=b\r\n\r\n"
                    "Operation:\r\n\tType:\tValue Added\r\n\tCorrelation ID:\t{1}"),
     AT_DC1,
     5136,
     {"AttributeLDAPDisplayName=member", "AttributeValue=CN=a,DC=b", "OperationType=%%14674",
      "OpCorrelationID={1}", NULL}},
    {"splunk",
     SPLUNK("4769",
            "x. Account Information: Account Name: bob@CORP Account Domain: CORP Logon GUID: {7} "
            "Service Information: Service Name: dc1$ Service ID: S-1-5-21-1 Network Information: Client "
            "Address: ::ffff:10.0.0.9 Client Port: 4242 Additional Information: Ticket Options: "
            "0x40810000 Ticket Encryption Type: 0x12 Failure Code: 0x0 Transited Services: -"),
     AT_DC1,
     4769,
     {"TargetUserName=bob@CORP", "TargetDomainName=CORP", "LogonGuid={7}", "ServiceName=dc1$",
      "ServiceSid=S-1-5-21-1", "IpAddress=::ffff:10.0.0.9", "IpPort=4242", "TicketOptions=0x40810000",
      "TicketEncryptionType=0x12", "Status=0x0", "TransmittedServices=-", NULL}},
    {"splunk",
     SPLUNK("1644",
            "Internal event: A client issued a search operation with the following options. \r\n\r\nClient:"
            "\r\n10.0.0.9:4242 \r\nStarting node:\r\nDC=corp,DC=example \r\nFilter:\r\n (a=*) \r\nSearch "
            "scope:\r\nsubtree \r\nAttribute selection:\r\n[all] \r\nServer controls:\r\n \r\nVisited "
            "entries:\r\n1000 \r\nReturned entries:\r\n10"),
     AT_DC1,
     1644,
     {"Client=10.0.0.9:4242", "StartingNode=DC=corp,DC=example", "Filter=(a=*)", "SearchScope=subtree",
      "ServerControls=", "VisitedEntries=1000", "ReturnedEntries=10", NULL}},
    {"splunk", SPLUNK("7036", "The X service entered the running state."), AT_DC1, 7036, {NULL}},
};

static void rendered_messages_are_read(void **state)
{
    (void)state;
    CHECK_ALL(rendered);
}

/* --- what was recorded --- */

static size_t load(const char *name, char *to, size_t capacity)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", PICKET_SHARED_DATA, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    size_t size = fread(to, 1, capacity - 1, file);
    fclose(file);
    to[size] = '\0';
    return size;
}

static const struct {
    const char *file, *format, *time, *computer;
    uint32_t id;
    enum event_verdict verdict;
    const char *pairs[8];
} recorded[] = {
    {"events/siem/4776-rsa.txt",
     "rsa",
     "2015-05-19T09:07:09Z",
     "XXXXX.subDomain.domain.org.il",
     4776,
     EVENT_TOLD,
     {"TargetUserName=YYYYY$", "Workstation=MMMMM", "Status=0x0", NULL}},
    {"events/siem/4776-arcsight-cef.txt",
     "cef",
     "2015-03-13T03:50:19Z",
     "YYYYYY.subDomain.domain.com",
     4776,
     EVENT_TOLD,
     {"TargetUserName=XXXXXX", "Workstation=KKKKKK", "Status=0x0", NULL}},
    {"events/siem/4776-splunk.txt",
     "splunk",
     "2015-03-10T13:27:17.784882Z",
     "YYYYY",
     4776,
     EVENT_TOLD,
     {"TargetUserName=Administrator", "Workstation=SIEM", "Status=0x0", NULL}},
    {"events/siem/4776-qradar.txt",
     "qradar",
     "2016-02-22T12:33:00.009Z",
     "dc1.contoso.com",
     4776,
     EVENT_TOLD,
     {"TargetUserName=Administrator", "Workstation=HOSTNAME", "Status=0x0", NULL}},
    {"events/siem/4634-arcsight-smartconnector-cef.txt",
     "cef",
     "2018-10-12T05:10:47.37Z",
     "WIN-PAN1",
     4634,
     EVENT_IGNORED,
     {"duser=Administrator", "duid=0x373c2", NULL}},
};

static void recorded_events_are_read(void **state)
{
    (void)state;
    static char text[65536];
    static struct activity_writer w;
    for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
        size_t size = load(recorded[i].file, text, sizeof(text));
        if (size == 0) {
            print_message("no ../shared/data: the recorded events are not read\n");
            skip();
        }
        struct siem_result result = read_bytes(text, size);
        assert_int_equal(result.verdict, SIEM_EVENT);
        assert_string_equal(result.format, recorded[i].format);
        assert_int_equal(event.id, recorded[i].id);
        expect_time(recorded[i].time);
        assert_true(equal(event.computer, recorded[i].computer));
        expect_fields(recorded[i].pairs);
        assert_int_equal(event_translate(&event, &w), recorded[i].verdict);
    }
}

/* Messages that are no Windows events are known as such: one a line. */
static void recorded_others_are_known(void **state)
{
    (void)state;
    static char text[65536];
    const char *const files[] = {"events/siem/leef-samples.txt", "events/siem/ata-alert-cef-samples.txt"};
    for (size_t i = 0; i < 2; i++) {
        size_t size = load(files[i], text, sizeof(text)), lines = 0;
        if (size == 0)
            skip();
        for (char *line = text; *line;) {
            char *end = strchr(line, '\n');
            size_t length = end ? (size_t)(end - line) : strlen(line);
            struct siem_result result = read_bytes(line, length);
            if (length > 1) {
                lines++;
                assert_int_equal(result.verdict, SIEM_OTHER);
                assert_string_equal(result.format, i == 0 ? "leef" : "cef");
            }
            line += end ? length + 1 : length;
        }
        assert_true(lines >= 19);
    }
}

/* The four of the documents, as these have them. */
static void documents_are_read(void **state)
{
    (void)state;
    static char text[65536];
    static const char *const starts[] = {"<Syslog Header>RsaSA", "CEF:0", "<Syslog Header>\\r\\nEventCode",
                                         "<13>Feb 11"};
    if (load("siem/siem-input-2023-08.txt", text, sizeof(text)) == 0)
        skip();
    for (size_t i = 0; i < 4; i++) {
        char *begin = strstr(text, starts[i]), *end;
        assert_non_null(begin);
        if (i == 2) { /* its text stands under a heading of its own */
            char message[2048];
            char *more = strstr(begin, "### Splunk\nThe computer"), *stop = strstr(begin, "### QRadar");
            assert_non_null(more);
            assert_non_null(stop);
            snprintf(message, sizeof(message), "%.*s%.*s", (int)strcspn(begin, "\n"), begin,
                     (int)(stop - more) - 11, more + 11);
            assert_int_equal(read_message(message).verdict, SIEM_EVENT);
            expect_fields((const char *const[]){"TargetUserName=Administrator", "Workstation=SIEM", NULL});
        } else {
            end = strchr(begin, '\n');
            size_t size = end ? (size_t)(end - begin) : strlen(begin);
            struct siem_result result = read_bytes(begin, size);
            if (result.verdict != SIEM_EVENT)
                fail_msg("%s: %s", result.format, result.reason);
        }
        assert_int_equal(event.id, 4776);
    }
}

static int setup(void **state)
{
    (void)state;
    reader = siem_reader_new(false);
    return reader ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    siem_reader_destroy(&reader);
    siem_reader_destroy(&reader);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_is_read),
        cmocka_unit_test(cef_is_read),
        cmocka_unit_test(splunk_is_read),
        cmocka_unit_test(qradar_is_read),
        cmocka_unit_test(the_others_are_read),
        cmocka_unit_test(rendered_messages_are_read),
        cmocka_unit_test(recorded_events_are_read),
        cmocka_unit_test(recorded_others_are_known),
        cmocka_unit_test(documents_are_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
