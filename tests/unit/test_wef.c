/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows Event Forwarding without a network: envelopes, the subscription, sources and bookmarks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "events/sldc.h"
#include "events/wef_session.h"
#include "tests/unit/unit.h"

#define SECOND INT64_C(1000000000)
#define NOW    (1800000000 * SECOND)

struct text_file {
    uint8_t *data;
    size_t size;
};

static bool whole_file(const char *directory, const char *name, struct text_file *to)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    to->data = calloc(1, 1 << 20);
    assert_non_null(to->data);
    to->size = fread(to->data, 1, (1 << 20) - 1, file);
    fclose(file);
    return true;
}

static struct bytes own_file(const char *name)
{
    struct text_file file;
    assert_true(whole_file(PICKET_TEST_DATA "/wef", name, &file));
    return (struct bytes){.data = file.data, .size = file.size};
}

static void drop(struct bytes b)
{
    free((void *)(uintptr_t)b.data);
}

static bool same(struct bytes b, const char *text)
{
    return b.size == strlen(text) && (b.size == 0 || memcmp(b.data, text, b.size) == 0);
}

static bool contains(struct bytes b, const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i + size <= b.size; i++)
        if (memcmp(b.data + i, text, size) == 0)
            return true;
    return false;
}

static struct bytes of(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

/* --- messages --- */

static void test_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum wef_fault fault;
        enum wef_action action;
        const char *id, *identifier;
        uint32_t events;
        bool ack, utf16;
    } expected[] = {
        {"01-enumerate-request.xml", WEF_FINE, WEF_ENUMERATE, "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E", "",
         0, false, false},
        {"01-enumerate-request.utf16.bin", WEF_FINE, WEF_ENUMERATE,
         "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E", "", 0, false, true},
        {"03-end.xml", WEF_FINE, WEF_END, "uuid:5A622A71-B73A-426E-B1CB-048A6079EB23", "", 0, false, false},
        {"04-heartbeat.decompressed.xml", WEF_FINE, WEF_HEARTBEAT,
         "uuid:EEC04F74-A27D-4C3A-AEF5-BC5BF54359BA", "219C5353-5F3D-4CD7-A644-F6B69E57C1C1", 0, true, false},
        {"05-ack.xml", WEF_FAULT_ACTION, WEF_OTHER, "uuid:12AAFC00-5BB5-42B5-BE85-077D7C02B8E9", "", 0, false,
         false},
        {"06-events.xml", WEF_FINE, WEF_EVENTS, "uuid:31652DEB-C9E8-45D6-B3E8-90AC64D48422",
         "219C5353-5F3D-4CD7-A644-F6B69E57C1C1", 0, true, false},
    };
    struct wef_reader *reader = wef_reader_new();
    assert_non_null(reader);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct text_file file;
        struct wef_message m;
        if (!whole_file(PICKET_SHARED_DATA "/events/wef", expected[i].name, &file)) {
            print_message("skipped: no recorded exchange in ../shared/data\n");
            wef_reader_destroy(&reader);
            skip();
        }
        print_message("%s\n", expected[i].name);
        assert_int_equal(wef_read(reader, (struct bytes){.data = file.data, .size = file.size}, &m),
                         expected[i].fault);
        assert_int_equal(m.action, expected[i].action);
        assert_true(same(m.message_id, expected[i].id));
        assert_true(same(m.identifier, expected[i].identifier));
        assert_int_equal(m.ack_requested, expected[i].ack);
        assert_int_equal(m.utf16, expected[i].utf16);
        if (m.action == WEF_ENUMERATE) {
            assert_true(m.optimized);
            assert_int_equal(m.max_envelope, 512000);
            assert_true(same(m.machine_id, "win10.windomain.local"));
        }
        if (m.action == WEF_EVENTS) {
            assert_true(m.events_count > 5);
            for (uint32_t k = 0; k < m.events_count; k++) {
                assert_true(contains(m.events[k], "<Event"));
                assert_bytes_equal(m.events[k].data + m.events[k].size - 8, "</Event>", 8);
            }
            assert_true(contains(m.bookmark, "RecordId=\"149161\""));
            assert_bytes_equal(m.bookmark.data + m.bookmark.size - 15, "</BookmarkList>", 15);
        }
        free(file.data);
    }
    wef_reader_destroy(&reader);
}

static void test_own_events(void **state)
{
    (void)state;
    struct wef_reader *reader = wef_reader_new();
    struct bytes soap = own_file("events.xml");
    struct wef_message m;
    assert_int_equal(wef_read(reader, soap, &m), WEF_FINE);
    assert_int_equal(m.events_count, 2);
    for (unsigned i = 0; i < 2; i++) { /* as CDATA and as elements: the same form */
        assert_bytes_equal(m.events[i].data, "<Event ", 7);
        assert_bytes_equal(m.events[i].data + m.events[i].size - 8, "</Event>", 8);
    }
    assert_true(contains(m.events[1], "<EventRecordID>1002<"));
    assert_true(same(m.bookmark,
                     "<BookmarkList><Bookmark Channel=\"Security\" RecordId=\"1002\" IsCurrent=\"true\"/>"
                     "</BookmarkList>"));
    assert_true(same(m.machine_id, "dc01.corp.example"));
    drop(soap);

    soap = own_file("end.xml");
    assert_int_equal(wef_read(reader, soap, &m), WEF_FINE);
    assert_int_equal(m.action, WEF_SUBSCRIPTION_END);
    assert_true(same(m.status, "http://schemas.xmlsoap.org/ws/2004/08/eventing/SourceCancelling"));
    assert_int_equal(m.events_count, 0);
    drop(soap);
    wef_reader_destroy(&reader);
}

/* Both orders of UTF-16, and the whole range of characters. */
static void test_encodings(void **state)
{
    (void)state;
    static const char text[] = "<a>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80</a>";
    static const uint8_t expected[] = {0xff, 0xfe, '<',  0,    'a', 0, '>', 0, 0xe4, 0, 0xac, 0x20,
                                       0x3d, 0xd8, 0x00, 0xde, '<', 0, '/', 0, 'a',  0, '>',  0};
    uint8_t to[64];
    assert_int_equal(wef_encode(of(text), true, to, sizeof to), sizeof expected);
    assert_bytes_equal(to, expected, sizeof expected);
    assert_int_equal(wef_encode(of(text), true, to, 5), 4);
    assert_int_equal(wef_encode(of(text), false, to, sizeof to), strlen(text));
    assert_int_equal(wef_encode(of(text), false, to, 3), 3);

    struct wef_reader *reader = wef_reader_new();
    struct bytes soap = own_file("heartbeat.xml");
    size_t capacity = 2 * soap.size + 2;
    uint8_t *wide = malloc(capacity), *swapped = malloc(capacity);
    size_t size = wef_encode(soap, true, wide, capacity);
    assert_int_equal(size, capacity);
    for (size_t i = 0; i < size; i += 2) {
        swapped[i] = wide[i + 1];
        swapped[i + 1] = wide[i];
    }
    const struct bytes forms[] = {soap, {wide, size}, {swapped, size}, {wide + 2, size - 2}};
    for (size_t i = 0; i < 4; i++) {
        struct wef_message m;
        assert_int_equal(wef_read(reader, forms[i], &m), WEF_FINE);
        assert_int_equal(m.action, WEF_HEARTBEAT);
        assert_int_equal(m.utf16, i > 0);
        assert_true(same(m.machine_id, "dc01.corp.example"));
    }
    free(wide);
    free(swapped);
    drop(soap);
    wef_reader_destroy(&reader);
}

#define ENVELOPE                                                                                             \
    "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" "                                       \
    "xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" "                                          \
    "xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\">"
#define HEARTBEAT "<a:Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/Heartbeat</a:Action>"
#define NEEDED    "<a:To>http://x/</a:To><a:MessageID>uuid:1</a:MessageID>" HEARTBEAT

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *soap;
        enum wef_fault fault;
    } cases[] = {
        {ENVELOPE "<s:Header>" NEEDED "</s:Header><s:Body/></s:Envelope>", WEF_FINE},
        {"", WEF_FAULT_SCHEMA},
        {"hello, world", WEF_FAULT_SCHEMA},
        {ENVELOPE "<s:Header>" NEEDED, WEF_FAULT_SCHEMA},
        {"<!DOCTYPE a [<!ENTITY b \"c\">]>" ENVELOPE "<s:Header>" NEEDED "</s:Header><s:Body/></s:Envelope>",
         WEF_FAULT_SCHEMA},
        {ENVELOPE "<s:Header>" NEEDED "</s:Header><s:Body>&b;</s:Body></s:Envelope>", WEF_FAULT_SCHEMA},
        {"<Envelope/>", WEF_FAULT_VERSION},
        {"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"/>", WEF_FAULT_VERSION},
        {ENVELOPE "<s:Header>" NEEDED "<x s:mustUnderstand=\"true\"/></s:Header><s:Body/></s:Envelope>",
         WEF_FAULT_MUST_UNDERSTAND},
        {ENVELOPE "<s:Header>" NEEDED "<x s:mustUnderstand=\"0\"/></s:Header><s:Body/></s:Envelope>",
         WEF_FINE},
        {ENVELOPE "<s:Header><a:To>http://x/</a:To>" HEARTBEAT "</s:Header><s:Body/></s:Envelope>",
         WEF_FAULT_HEADER_MISSING},
        {ENVELOPE "<s:Header>" NEEDED "<a:To>http://y/</a:To></s:Header><s:Body/></s:Envelope>",
         WEF_FAULT_HEADER},
        {ENVELOPE
         "<s:Header><a:To>http://x/</a:To><a:MessageID>uuid:1</a:MessageID><a:Action>http://y</a:Action>"
         "</s:Header><s:Body/></s:Envelope>",
         WEF_FAULT_ACTION},
        {ENVELOPE "<s:Header>" NEEDED "<w:Bookmark><s:x/></w:Bookmark></s:Header><s:Body/></s:Envelope>",
         WEF_FAULT_SCHEMA}, /* its prefix is not declared in itself */
        {ENVELOPE "<s:Header>" NEEDED "<w:Bookmark><x/></w:Bookmark></s:Header><s:Body/></s:Envelope>",
         WEF_FINE},
    };
    struct wef_reader *reader = wef_reader_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wef_message m;
        char to[4096];
        print_message("%zu\n", i);
        enum wef_fault fault = wef_read(reader, of(cases[i].soap), &m);
        assert_int_equal(fault, cases[i].fault);
        const struct wef_reply reply = {.request = &m};
        size_t size = wef_write_fault(to, sizeof to, &reply, fault);
        assert_true(size < sizeof to);
        assert_true(contains(of(to), wef_fault_name(fault)));
        assert_true(wef_fault_status(fault) == 200 || wef_fault_status(fault) == 400 ||
                    wef_fault_status(fault) == 500);
        struct wef_message answer;
        enum wef_fault parsed = wef_read(reader, of(to), &answer);
        assert_true(parsed == WEF_FAULT_ACTION || fault == WEF_FINE); /* well-formed, and no request */
    }
    wef_reader_destroy(&reader);
}

static void test_bounds(void **state)
{
    (void)state;
    struct wef_reader *reader = wef_reader_new();
    struct wef_message m;
    char *soap = malloc(WEF_ENVELOPE_MAX + 16);
    assert_non_null(soap);

    /* Depth */
    size_t at = (size_t)sprintf(soap, "%s<s:Header>" NEEDED "</s:Header><s:Body>", ENVELOPE);
    for (unsigned i = 0; i < WEF_DEPTH_MAX; i++)
        at += (size_t)sprintf(soap + at, "<x>");
    assert_int_equal(wef_read(reader, (struct bytes){(uint8_t *)soap, at}, &m), WEF_FAULT_SCHEMA);

    /* A header's text */
    at = (size_t)sprintf(soap, "%s<s:Header>" NEEDED "<w:ResourceURI>", ENVELOPE);
    memset(soap + at, 'x', WEF_HEADER_MAX + 1);
    at += WEF_HEADER_MAX + 1;
    at += (size_t)sprintf(soap + at, "</w:ResourceURI></s:Header></s:Envelope>");
    assert_int_equal(wef_read(reader, (struct bytes){(uint8_t *)soap, at}, &m), WEF_FAULT_SCHEMA);

    /* Events */
    for (unsigned more = 0; more < 2; more++) {
        at = (size_t)sprintf(soap, "%s<s:Header>" NEEDED "</s:Header><s:Body><w:Events>", ENVELOPE);
        for (unsigned i = 0; i < WEF_EVENTS_MAX + more; i++)
            at += (size_t)sprintf(soap + at, "<w:Event>e</w:Event>");
        at += (size_t)sprintf(soap + at, "</w:Events></s:Body></s:Envelope>");
        assert_int_equal(wef_read(reader, (struct bytes){(uint8_t *)soap, at}, &m),
                         more ? WEF_FAULT_SCHEMA : WEF_FINE);
        assert_int_equal(m.events_count, WEF_EVENTS_MAX);
    }

    /* A bookmark, and the whole */
    at = (size_t)sprintf(soap, "%s<s:Header>" NEEDED "<w:Bookmark><b>", ENVELOPE);
    memset(soap + at, 'x', WEF_BOOKMARK_MAX);
    at += WEF_BOOKMARK_MAX;
    at += (size_t)sprintf(soap + at, "</b></w:Bookmark></s:Header></s:Envelope>");
    assert_int_equal(wef_read(reader, (struct bytes){(uint8_t *)soap, at}, &m), WEF_FAULT_SCHEMA);
    memset(soap, ' ', WEF_ENVELOPE_MAX + 1);
    assert_int_equal(wef_read(reader, (struct bytes){(uint8_t *)soap, WEF_ENVELOPE_MAX + 1}, &m),
                     WEF_FAULT_SCHEMA);
    free(soap);

    /* Windows puts characters into events that XML does not know. */
    static const char odd[] =
        ENVELOPE "<s:Header>" NEEDED "</s:Header><s:Body><w:Events><w:Event><![CDATA[a\x05"
                 "b\xff]]></w:Event></w:Events></s:Body></s:Envelope>";
    assert_int_equal(wef_read(reader, of(odd), &m), WEF_FINE);
    assert_true(same(m.events[0], "a\xef\xbf\xbd"
                                  "b\xef\xbf\xbd"));
    wef_reader_destroy(&reader);
}

/* Cut anywhere, an envelope is refused and nothing is read beyond it. */
static void test_truncated(void **state)
{
    (void)state;
    struct wef_reader *reader = wef_reader_new();
    struct bytes soap = own_file("events.xml");
    struct wef_message m;
    for (size_t size = 0; size < soap.size; size += 7) {
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, soap.data, size);
        assert_int_not_equal(wef_read(reader, (struct bytes){exact, size}, &m), WEF_FINE);
        free(exact);
    }
    drop(soap);
    wef_reader_destroy(&reader);
}

/* --- sessions --- */

struct taken {
    struct wef_session *session;
    unsigned count, room;
    const char *computer;
};

static enum wef_taken take(void *context, const struct wef_peer *peer, struct bytes xml)
{
    struct taken *t = context;
    assert_true(contains(xml, "<EventID>4776</EventID>"));
    if (!wef_session_may_speak(t->session, peer, of(t->computer)))
        return WEF_FOREIGN;
    if (t->count == t->room)
        return WEF_NO_ROOM;
    t->count++;
    return WEF_TAKEN;
}

static const char *const nobody[] = {NULL};

static struct wef_session *session_of(struct taken *t, const char *const *sources,
                                      const char *const *forwarders)
{
    const struct wef_settings settings = {
        .terms = {.heartbeat = 60, .latency = 5},
        .seed = 7,
        .sources = sources,
        .forwarders = forwarders,
        .take = take,
        .context = t,
    };
    t->session = wef_session_new(&settings);
    assert_non_null(t->session);
    return t->session;
}

static struct wef_request request_of(const char *name, const char *path, struct bytes soap)
{
    struct wef_request r = {
        .peer = {.name = of(name),
                 .kerberos = strchr(name, '@') != NULL,
                 .address = {.family = 4, .bytes = {192, 0, 2, 1}}},
        .path = path,
        .soap = soap,
        .now = NOW,
    };
    if (!r.peer.kerberos)
        r.peer.thumbprint = of("0123456789ABCDEF0123456789ABCDEF01234567");
    memset(r.random, 0x4d, sizeof r.random);
    return r;
}

static struct wef_answer ask(struct wef_session *s, const char *name, const char *path, const char *file)
{
    struct bytes soap = own_file(file);
    struct wef_request r = request_of(name, path, soap);
    struct wef_answer answer;
    wef_session_handle(s, &r, &answer);
    drop(soap);
    return answer;
}

#define MANAGER "/wsman/SubscriptionManager/WEC"
#define DC      "DC01$@CORP.EXAMPLE"

static void test_subscription(void **state)
{
    (void)state;
    struct taken t = {.room = 100, .computer = "dc01.corp.example"};
    struct wef_session *s = session_of(&t, nobody, NULL);
    struct wef_answer a = ask(s, DC, MANAGER, "enumerate.xml");
    assert_int_equal(a.status, 200);
    assert_int_equal(a.action, WEF_ENUMERATE);
    static const char *const said[] = {
        "<a:Action>http://schemas.xmlsoap.org/ws/2004/09/enumeration/EnumerateResponse</a:Action>",
        "<a:RelatesTo>uuid:00000000-0000-4000-8000-000000000001</a:RelatesTo>",
        "<p:OperationID s:mustUnderstand=\"false\">uuid:00000000-0000-4000-8000-0000000000F1</p:OperationID>",
        "<a:MessageID>uuid:4D4D4D4D-4D4D-4D4D-4D4D-4D4D4D4D4D4D</a:MessageID>",
        "<w:Heartbeats>PT60.000S</w:Heartbeats>",
        "<w:MaxTime>PT5.000S</w:MaxTime>",
        "secprofile/http/spnego-kerberos\"",
        "<a:Address>http://sensor.corp.example:5985/wsman/subscriptions/",
        "EventID=4776",
        "<w:EndOfSequence/>",
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        assert_true(contains(a.soap, said[i]));
    assert_false(contains(a.soap, "<w:Bookmark>"));

    a = ask(s, "dc02.corp.example", MANAGER, "enumerate.xml");
    assert_true(contains(a.soap, "secprofile/https/mutual\""));
    assert_true(contains(a.soap, "<auth:Thumbprint Role=\"issuer\">0123456789ABCDEF"));
    assert_true(contains(a.soap, "<a:Address>https://sensor.corp.example:5985/wsman/subscriptions/"));

    struct wef_source source;
    assert_true(wef_session_source(s, 0, NOW, &source));
    assert_string_equal(source.name, "dc01$@corp.example");
    assert_int_equal(source.subscribed, NOW);
    assert_true(wef_session_source(s, 1, NOW, &source));
    assert_false(wef_session_source(s, 2, NOW, &source));
    wef_session_destroy(&s);
    wef_session_destroy(&s);
}

static void test_terms_change_the_version(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    wef_subscription_version(&(struct wef_terms){60, 5, false}, a);
    wef_subscription_version(&(struct wef_terms){60, 5, false}, b);
    assert_bytes_equal(a, b, 16);
    wef_subscription_version(&(struct wef_terms){60, 6, false}, b);
    assert_int_not_equal(memcmp(a, b, 16), 0);
    wef_subscription_version(&(struct wef_terms){60, 5, true}, b);
    assert_int_not_equal(memcmp(a, b, 16), 0);
}

/* What Windows' query parser takes in one selection. */
static void test_query(void **state)
{
    (void)state;
    unsigned selections = 0;
    for (const char *at = strstr(wef_subscription_query(), "<Select"); at; at = strstr(at + 1, "<Select")) {
        const char *end = strstr(at, "</Select>");
        unsigned comparisons = 0;
        assert_non_null(end);
        for (const char *id = strstr(at, "EventID"); id && id < end; id = strstr(id + 1, "EventID"))
            comparisons++;
        assert_in_range(comparisons, 1, 20);
        selections++;
    }
    assert_int_equal(selections, 8);
}

static void test_events_and_bookmarks(void **state)
{
    (void)state;
    const char *path = wef_subscription_path();
    struct taken t = {.room = 100, .computer = "DC01"};
    struct wef_session *s = session_of(&t, nobody, NULL);
    struct wef_answer a = ask(s, DC, path, "heartbeat.xml");
    assert_int_equal(a.status, 200);
    assert_true(contains(a.soap, "wsman/1/wsman/Ack</a:Action>"));
    a = ask(s, DC, path, "events.xml");
    assert_int_equal(a.status, 200);
    assert_true(contains(a.soap, "wsman/1/wsman/Ack</a:Action>"));
    assert_true(contains(a.soap, "<a:RelatesTo>uuid:00000000-0000-4000-8000-000000000003</a:RelatesTo>"));
    assert_int_equal(t.count, 2);

    /* Given back when it subscribes again: also to the collector's next life. */
    for (unsigned life = 0; life < 2; life++) {
        a = ask(s, DC, MANAGER, "enumerate.xml");
        assert_true(contains(a.soap,
                             "<w:Bookmark><BookmarkList><Bookmark Channel=\"Security\" RecordId=\"1002\" "
                             "IsCurrent=\"true\"/></BookmarkList></w:Bookmark>"));
        a = ask(s, "DC02$@CORP.EXAMPLE", MANAGER, "enumerate.xml");
        assert_false(contains(a.soap, "<w:Bookmark>"));
        size_t size;
        uint8_t *saved = wef_session_save(s, &size);
        assert_non_null(saved);
        wef_session_destroy(&s);
        s = session_of(&t, nobody, NULL);
        assert_true(wef_session_load(s, (struct bytes){saved, size}));
        struct wef_source source;
        assert_true(wef_session_source(s, 0, NOW, &source));
        assert_int_equal(source.events, 2);
        assert_int_equal(source.event, NOW);
        for (size_t cut = 0; cut < size; cut++) { /* damaged: what is whole before it */
            struct taken other = {0};
            struct wef_session *damaged = session_of(&other, nobody, NULL);
            assert_false(wef_session_load(damaged, (struct bytes){saved, cut}));
            wef_session_destroy(&damaged);
        }
        free(saved);
    }
    a = ask(s, DC, path, "end.xml");
    assert_int_equal(a.status, 200);
    struct wef_source source;
    assert_true(wef_session_source(s, 0, NOW, &source));
    assert_true(source.ended);
    wef_session_destroy(&s);
}

/* Nothing is acknowledged that was not taken. */
static void test_no_room(void **state)
{
    (void)state;
    struct taken t = {.room = 1, .computer = "DC01"};
    struct wef_session *s = session_of(&t, nobody, NULL);
    uint64_t before = wef_session_revision(s);
    struct wef_answer a = ask(s, DC, wef_subscription_path(), "events.xml");
    assert_int_equal(a.status, 500);
    assert_int_equal(a.fault, WEF_FAULT_BUSY);
    struct wef_source source;
    assert_true(wef_session_source(s, 0, NOW, &source));
    assert_int_equal(source.bookmark.size, 0);
    assert_true(wef_session_revision(s) > before); /* the source is new */
    wef_session_destroy(&s);
}

static void test_who_may(void **state)
{
    (void)state;
    static const char *const sources[] = {"dc*$@corp.example", "*.branch.example", NULL};
    static const char *const forwarders[] = {"collector$@corp.example", NULL};
    static const struct {
        const char *name;
        bool any, listed;
    } cases[] = {
        {"DC01$@CORP.EXAMPLE", true, true},   {"WKS1$@CORP.EXAMPLE", true, false},
        {"alice@CORP.EXAMPLE", false, false}, {"srv.branch.example", true, true},
        {"srv.other.example", true, false},   {"COLLECTOR$@CORP.EXAMPLE", true, true},
        {"@CORP.EXAMPLE", false, false},
    };
    struct taken t = {.computer = "x"};
    struct wef_session *any = session_of(&t, nobody, forwarders),
                       *listed = session_of(&t, sources, forwarders);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wef_answer a = ask(any, cases[i].name, wef_subscription_path(), "heartbeat.xml");
        assert_int_equal(a.fault, cases[i].any ? WEF_FINE : WEF_FAULT_DENIED);
        a = ask(listed, cases[i].name, wef_subscription_path(), "heartbeat.xml");
        assert_int_equal(a.fault, cases[i].listed ? WEF_FINE : WEF_FAULT_DENIED);
    }

    static const struct {
        const char *name, *computer;
        bool may;
    } speak[] = {
        {"DC01$@CORP.EXAMPLE", "dc01.corp.example", true},
        {"DC01$@CORP.EXAMPLE", "DC01", true},
        {"DC01$@CORP.EXAMPLE", "dc02.corp.example", false},
        {"DC01$@CORP.EXAMPLE", "dc010.corp.example", false},
        {"DC01$@CORP.EXAMPLE", "", false},
        {"dc01.corp.example", "dc01.corp.example", true},
        {"VERYLONGCOMPUTE$@CORP.EXAMPLE", "verylongcomputername.corp.example", true},
        {"COLLECTOR$@CORP.EXAMPLE", "dc07.corp.example", true},
    };
    for (size_t i = 0; i < sizeof speak / sizeof *speak; i++) {
        struct wef_request r = request_of(speak[i].name, "", of(""));
        assert_int_equal(wef_session_may_speak(any, &r.peer, of(speak[i].computer)), speak[i].may);
    }
    wef_session_destroy(&any);

    t.computer = "dc02";
    t.session = listed;
    t.room = 10;
    struct wef_answer a = ask(listed, DC, wef_subscription_path(), "events.xml");
    assert_int_equal(a.status, 200); /* acknowledged, so that it does not come again */
    assert_int_equal(t.count, 0);
    struct wef_counts counts;
    wef_session_counts(listed, NOW, &counts);
    assert_int_equal(counts.foreign, 2);
    assert_int_equal(counts.refused, 4);
    wef_session_destroy(&listed);
}

static void test_silence(void **state)
{
    (void)state;
    struct taken t = {.room = 10, .computer = "DC01"};
    struct wef_session *s = session_of(&t, nobody, NULL);
    struct wef_source source;
    struct wef_counts counts;
    ask(s, DC, wef_subscription_path(), "heartbeat.xml");
    assert_true(wef_session_source(s, 0, NOW + 180 * SECOND, &source));
    assert_false(source.silent);
    assert_true(wef_session_source(s, 0, NOW + 181 * SECOND, &source));
    assert_true(source.silent);
    wef_session_counts(s, NOW + 181 * SECOND, &counts);
    assert_int_equal(counts.silent, 1);
    wef_session_counts(s, NOW + WEF_FORGOTTEN + SECOND, &counts);
    assert_int_equal(counts.silent, 0); /* gone for good */
    wef_session_destroy(&s);
}

/* Places are bounded, and those of the forgotten are given to others. */
static void test_many_sources(void **state)
{
    (void)state;
    struct taken t = {.room = 10, .computer = "DC01"};
    struct wef_session *s = session_of(&t, nobody, NULL);
    struct bytes soap = own_file("heartbeat.xml");
    struct wef_answer answer;
    for (unsigned i = 0; i <= WEF_SOURCES_MAX; i++) {
        char name[64];
        snprintf(name, sizeof name, "WKS%u$@CORP.EXAMPLE", i);
        struct wef_request r = request_of(name, wef_subscription_path(), soap);
        r.now = i < 10 ? NOW - WEF_FORGOTTEN / 2 : NOW;
        wef_session_handle(s, &r, &answer);
        assert_int_equal(answer.fault, i < WEF_SOURCES_MAX ? WEF_FINE : WEF_FAULT_BUSY);
    }
    struct wef_request r = request_of("LATE$@CORP.EXAMPLE", wef_subscription_path(), soap);
    r.now = NOW + WEF_FORGOTTEN / 2 + SECOND;
    wef_session_handle(s, &r, &answer);
    assert_int_equal(answer.fault, WEF_FINE);
    struct wef_counts counts;
    wef_session_counts(s, r.now, &counts);
    assert_int_equal(counts.sources, WEF_SOURCES_MAX - 10 + 1);
    for (unsigned i = 10; i < WEF_SOURCES_MAX; i += 100) { /* the others are still found, each its own */
        char name[64];
        snprintf(name, sizeof name, "WKS%u$@CORP.EXAMPLE", i);
        struct wef_request again = request_of(name, wef_subscription_path(), soap);
        again.now = r.now;
        wef_session_handle(s, &again, &answer);
        assert_int_equal(answer.fault, WEF_FINE);
    }
    wef_session_counts(s, r.now, &counts);
    assert_int_equal(counts.sources, WEF_SOURCES_MAX - 10 + 1);
    drop(soap);
    wef_session_destroy(&s);
}

static void test_wrong_places(void **state)
{
    (void)state;
    struct taken t = {.room = 10, .computer = "DC01"};
    struct wef_session *s = session_of(&t, nobody, NULL);
    assert_int_equal(ask(s, DC, "/wsman/subscriptions/0", "events.xml").fault, WEF_FAULT_REFUSED);
    assert_int_equal(ask(s, DC, "/", "enumerate.xml").fault, WEF_FAULT_RESOURCE);
    assert_int_equal(t.count, 0);
    static const char *const bad[] = {"<a:To>sensor</a:To>", "<a:To>http://</a:To>",
                                      "<a:To>http://a b/</a:To>", "<a:To>http://a&lt;/</a:To>"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char soap[2048];
        snprintf(soap, sizeof soap,
                 "%s<s:Header>%s<a:MessageID>1</a:MessageID><a:Action>http://schemas.xmlsoap.org/ws/2004/09/"
                 "enumeration/Enumerate</a:Action><w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/"
                 "SubscriptionManager/Subscription</w:ResourceURI>%s</s:Header><s:Body><n:Enumerate "
                 "xmlns:n=\"http://schemas.xmlsoap.org/ws/2004/09/enumeration\">%s</n:Enumerate></s:Body></"
                 "s:Envelope>",
                 ENVELOPE, bad[i], i == 3 ? "<w:MaxEnvelopeSize>9999999999</w:MaxEnvelopeSize>" : "",
                 i == 2 ? "" : "<w:OptimizeEnumeration/>");
        struct wef_request r = request_of(DC, MANAGER, of(soap));
        struct wef_answer answer;
        wef_session_handle(s, &r, &answer);
        assert_int_equal(answer.fault, i == 2 ? WEF_FAULT_UNSUPPORTED : WEF_FAULT_HEADER);
    }
    struct bytes soap = own_file("enumerate.xml");
    char *small = (char *)(uintptr_t)soap.data;
    memcpy(strstr(small, "512000"), "001024", 6);
    struct wef_request r = request_of(DC, MANAGER, soap);
    struct wef_answer answer;
    wef_session_handle(s, &r, &answer);
    assert_int_equal(answer.fault, WEF_FAULT_ENCODING_LIMIT);
    drop(soap);
    wef_session_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),     cmocka_unit_test(test_own_events),
        cmocka_unit_test(test_encodings),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),       cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_subscription), cmocka_unit_test(test_terms_change_the_version),
        cmocka_unit_test(test_query),        cmocka_unit_test(test_events_and_bookmarks),
        cmocka_unit_test(test_no_room),      cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_silence),      cmocka_unit_test(test_many_sources),
        cmocka_unit_test(test_wrong_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
