/* SPDX-License-Identifier: Apache-2.0
 *
 * Syslog events per second of CPU: from a message to the bytes of its activity (every format alone, and a
 * mix), and from a socket to there with the listener as it ships.
 *
 *     bench_syslog [SECONDS]
 */
#include "events/siem.h"
#include "events/syslog_listener.h"
#include "events/translate.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AUDITING "Microsoft-Windows-Security-Auditing"
#define FLAT                                                                                                 \
    "The computer attempted to validate the credentials for an account. Authentication Package: "            \
    "MICROSOFT_AUTHENTICATION_PACKAGE_V1_0 Logon Account: alice Source Workstation: WS0017 Error Code: "     \
    "0xc000006a"
#define MEMBER                                                                                               \
    "A member was added to a security-enabled global group.\r\n\r\nSubject:\r\n\tSecurity "                  \
    "ID:\t\tS-1-5-21-1-2-3-500\r\n\tAccount Name:\t\tAdministrator\r\n\tAccount Domain:\t\tCORP\r\n\tLogon " \
    "ID:\t\t0x373c2\r\n\r\nMember:\r\n\tSecurity ID:\t\tS-1-5-21-1-2-3-1104\r\n\tAccount "                   \
    "Name:\t\tCN=eve,DC=corp,DC=example\r\n\r\nGroup:\r\n\tSecurity ID:\t\tS-1-5-21-1-2-3-512\r\n\tGroup "   \
    "Name:\t\tDomain Admins\r\n\tGroup Domain:\t\tCORP\r\n\r\nAdditional Information:\r\n\tPrivileges:\t\t-"

static const struct {
    const char *name, *message;
} samples[] = {
    {"rsa", "<13>Feb 11 00:00:00 10.0.0.5 RsaSA\n2015-May-19 09:07:09.125\n4776\n" AUDITING
            "\nSecurity\ndc1.corp.example\nalice\nWS0017\n0xc000006a"},
    {"cef",
     "CEF:0|Microsoft|Microsoft Windows||" AUDITING
     ":4776|The domain controller attempted to validate the credentials for an account.|Low| "
     "externalId=4776 cat=Security rt=1426218619000 shost=WS0017 dhost=dc1.corp.example duser=alice "
     "cs2=Security cs3=" AUDITING " cs4=0xc000006a cs3Label=EventSource cs4Label=Reason or Error Code"},
    {"splunk",
     "EventCode=4776\r\nLogfile=Security\r\nSourceName=" AUDITING
     "\r\nTimeGenerated=20150310132717.784882-000\r\nComputerName=dc1.corp.example\r\nMessage=\r\nThe "
     "computer attempted to validate the credentials for an account.\r\n\r\nAuthentication "
     "Package:\tMICROSOFT_AUTHENTICATION_PACKAGE_V1_0\r\n\r\nLogon Account: alice\r\n\r\nSource "
     "Workstation: WS0017\r\n\r\nError Code: 0xc000006a"},
    {"qradar", "<13>Feb 11 00:00:00 10.0.0.5 AgentDevice=WindowsLog\tAgentLogFile=Security\tSource=" AUDITING
               "\tComputer=dc1.corp.example\tUser=\tDomain=\tEventID=4776\tEventIDCode=4776\tEventType=16\t"
               "EventCategory=14336\tRecordNumber=1961417\tTimeGenerated=1456144380009\t"
               "TimeWritten=1456144380009\tMessage=" FLAT},
    {"snare",
     "<14>Nov 22 12:00:00 dc1 MSWinEventLog\t1\tSecurity\t3290\tSun Nov 22 11:59:58 2026\t4776\t" AUDITING
     "\talice\tN/A\tFailure Audit\tdc1.corp.example\tCredential Validation\t\t" FLAT "\t991"},
    {"leef", "LEEF:2.0|Microsoft|Windows|2019|4776|^|devTime=1456144380009^TargetUserName=alice^"
             "Workstation=WS0017^Status=0xc000006a^LogName=Security^Computer=dc1.corp.example"},
    {"json", "{\"EventTime\":\"2026-11-22T11:59:58.5Z\",\"Hostname\":\"dc1.corp.example\",\"EventID\":4776,"
             "\"SourceName\":\"" AUDITING "\",\"Channel\":\"Security\",\"TargetUserName\":\"alice\","
             "\"Workstation\":\"WS0017\",\"Status\":\"0xc000006a\"}"},
    {"xml",
     "<13>Nov 22 12:00:00 dc1 x: <Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\">"
     "<System><Provider Name=\"" AUDITING "\"/><EventID>4776</EventID><TimeCreated "
     "SystemTime=\"2026-11-22T11:59:58.5Z\"/><Channel>Security</Channel><Computer>dc1.corp.example"
     "</Computer></System><EventData><Data Name=\"PackageName\">X</Data><Data Name=\"TargetUserName\">"
     "alice</Data><Data Name=\"Workstation\">WS0017</Data><Data Name=\"Status\">0xc000006a</Data>"
     "</EventData></Event>"},
    {"4728", "EventCode=4728\r\nLogfile=Security\r\nSourceName=" AUDITING
             "\r\nTimeGenerated=20150310132717.784882-000\r\nComputerName=dc1\r\nMessage=" MEMBER},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))
#define FOUR    4u /* the first of them: the formats that every SIEM sends */

static double cpu(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- the pure path --- */

static void read_one(struct siem_reader *reader, const char *message, int64_t now)
{
    static struct event event;
    static struct activity_writer w;
    struct syslog_header header;
    syslog_header_read((struct bytes){(const uint8_t *)message, strlen(message)}, &header);
    struct siem_result result = siem_read(reader, &header, now, &event);
    if (result.verdict != SIEM_EVENT || event_translate(&event, &w) != EVENT_TOLD ||
        activity_finish(&w).size == 0) {
        fprintf(stderr, "%s: %s\n", result.format, message);
        exit(1);
    }
}

static void measure(struct siem_reader *reader, const char *name, size_t first, size_t count, double seconds)
{
    int64_t now = clock_wall(clock_system());
    double began = cpu(RUSAGE_THREAD), took;
    uint64_t n = 0;
    do {
        for (unsigned i = 0; i < 10000; i++, n++)
            read_one(reader, samples[first + n % count].message, now);
        took = cpu(RUSAGE_THREAD) - began;
    } while (took < seconds);
    printf("%-8s %10.0f events per CPU-second, %5.0f ns each\n", name, (double)n / took,
           took / (double)n * 1e9);
}

/* --- through the socket --- */

static bool keep(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    (void)tag;
    return record.size > 0;
}

static int dial(const struct syslog_listener *listener, unsigned place, int type)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(syslog_listener_port(listener, place))};
    int s = socket(AF_INET, type, 0);
    if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("connect");
        exit(1);
    }
    return s;
}

static void send_datagrams(int s, struct intake *intake, uint64_t messages)
{
    struct mmsghdr headers[32];
    struct iovec vectors[32];
    struct intake_counters c;
    for (uint64_t sent = 0; sent < messages;) {
        for (unsigned i = 0; i < 32; i++) {
            const char *message = samples[(sent + i) % FOUR].message;
            vectors[i] = (struct iovec){(void *)(uintptr_t)message, strlen(message)};
            headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
        }
        int n = sendmmsg(s, headers, 32, 0);
        sent += n > 0 ? (uint64_t)n : 0;
        do /* no more than its socket holds */
            intake_counters(intake, &c);
        while (sent > c.received + 4000 && usleep(200) == 0);
    }
}

static void send_stream(int s, uint64_t messages)
{
    static char all[64 * 1024];
    size_t size = 0, many = 0;
    for (; size + 1024 < sizeof(all); many += FOUR)
        for (unsigned i = 0; i < FOUR; i++)
            size += (size_t)snprintf(all + size, sizeof(all) - size, "%zu %s", strlen(samples[i].message),
                                     samples[i].message);
    /* A counted message wants a priority or the beginning of a format: all of these have one. */
    for (uint64_t sent = 0; sent < messages; sent += many)
        for (size_t at = 0; at < size;) {
            ssize_t n = send(s, all + at, size - at, 0);
            at += n > 0 ? (size_t)n : 0;
        }
}

static void measure_socket(const char *name, const char *address, int type, uint64_t messages)
{
    struct fault fault;
    struct quarantine *quarantine = quarantine_new(1);
    struct intake_config config = {
        .input = "syslog", .translate = event_translate, .record = keep, .quarantine = quarantine};
    struct intake *intake = intake_new(&config);
    struct syslog_listener_config listen = {.intake = intake, .address_count = 1};
    struct intake_counters c;
    syslog_address_parse(address, &listen.addresses[0]);
    struct syslog_listener *listener = syslog_listener_start(&listen, &fault);
    int s = dial(listener, 0, type);
    double all = cpu(RUSAGE_SELF), own = cpu(RUSAGE_THREAD);
    if (type == SOCK_DGRAM)
        send_datagrams(s, intake, messages);
    else
        send_stream(s, messages);
    uint64_t before;
    do {
        intake_counters(intake, &c);
        before = c.received;
        usleep(200000);
        intake_counters(intake, &c);
    } while (c.received != before);
    double took = cpu(RUSAGE_SELF) - all - (cpu(RUSAGE_THREAD) - own);
    printf("%-8s %10.0f events per CPU-second of the listener; %" PRIu64 " received, %" PRIu64
           " understood, %" PRIu64 " dropped\n",
           name, (double)c.understood / took, c.received, c.understood, c.dropped);
    close(s);
    syslog_listener_stop(&listener);
    intake_destroy(&intake);
    quarantine_destroy(&quarantine);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    struct siem_reader *reader = siem_reader_new(false);
    for (size_t i = 0; i < SAMPLES; i++)
        measure(reader, samples[i].name, i, 1, seconds / 2);
    measure(reader, "four", 0, FOUR, seconds);
    measure(reader, "all", 0, SAMPLES, seconds);
    siem_reader_destroy(&reader);
    measure_socket("udp", "udp:127.0.0.1:0", SOCK_DGRAM, (uint64_t)(seconds * 200000));
    measure_socket("tcp", "tcp:127.0.0.1:0", SOCK_STREAM, (uint64_t)(seconds * 200000));
    return 0;
}
