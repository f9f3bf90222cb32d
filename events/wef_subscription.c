/* SPDX-License-Identifier: Apache-2.0 */
#include "events/wef_subscription.h"

#include "events/wef_xml.h"

#include <xxhash.h>

/* A new channel needs a new one: to a bookmark that lacks a channel Windows sends all that the channel holds.
 */
#define SUBSCRIPTION_ID   "7B0B6F0A-51E7-4C52-9D0C-0E3D3F4B1A01"
#define SUBSCRIPTION_PATH "/wsman/subscriptions/" SUBSCRIPTION_ID

/* What sources may send at once; Windows' own value. */
#define MAX_ENVELOPE "512000"

#define SELECT(channel_, condition_) "<Select Path=\"" channel_ "\">*[System[(" condition_ ")]]</Select>"
#define ID(id_)                      "EventID=" #id_
#define OR                           " or "
#define RANGE(first_, last_)         "(EventID &gt;= " #first_ " and EventID &lt;= " #last_ ")"

/* The events that event_translate() reads. Windows' query parser takes about twenty comparisons in one
 * selection: hence several of one channel. */
static const char query[] = "<QueryList><Query Id=\"0\">"
    /* Sign-ins, Kerberos, NTLM, services */
    SELECT("Security", RANGE(4624, 4625) OR ID(4697) OR RANGE(4768, 4771) OR ID(4776) OR ID(4794))
    /* Access to objects of the directory, and their changes */
    SELECT("Security", ID(4662) OR RANGE(5136, 5139) OR ID(5141))
    /* Accounts and groups */
    SELECT("Security", ID(4720) OR RANGE(4722, 4734) OR ID(4738) OR RANGE(4740, 4744) OR RANGE(4746, 4749))
        SELECT("Security",
               RANGE(4751, 4754) OR RANGE(4756, 4759) OR RANGE(4761, 4763) OR ID(4767) OR ID(4781))
    /* Certificate services */
    SELECT("Security", ID(4870) OR ID(4882) OR RANGE(4885, 4888) OR ID(4890) OR ID(4896))
    /* Services installed, NTLM audited, expensive LDAP searches */
    SELECT("System", ID(7045)) SELECT("Microsoft-Windows-NTLM/Operational", ID(8004))
        SELECT("Directory Service", ID(1644)) "</Query></QueryList>";

const char *wef_subscription_query(void)
{
    return query;
}

const char *wef_subscription_path(void)
{
    return SUBSCRIPTION_PATH;
}

void wef_subscription_version(const struct wef_terms *terms, uint8_t version[16])
{
    const uint64_t numbers[] = {terms->heartbeat, terms->latency, terms->existing};
    XXH128_hash_t hash = XXH3_128bits_withSeed(query, sizeof query - 1, XXH3_64bits(numbers, sizeof numbers));
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    memcpy(version, canonical.digest, 16);
}

static void put_bytes(struct text *t, struct bytes b)
{
    text_put(t, b.data, b.size);
}

static void put_address(struct text *t, const struct wef_offer *offer)
{
    text_string(t, "<a:Address>");
    text_string(t, offer->tls ? "https://" : "http://");
    wef_put_escaped(t, offer->authority);
    text_string(t, SUBSCRIPTION_PATH "</a:Address><a:ReferenceProperties><e:Identifier>");
    uint8_t version[16];
    char uuid[WEF_UUID_TEXT];
    wef_subscription_version(offer->terms, version);
    text_string(t, wef_uuid_text(version, uuid));
    text_string(t, "</e:Identifier></a:ReferenceProperties>");
}

/* How the source shall prove itself when it delivers: as it did now. [MS-WSMV] 2.2.4.1 */
static void put_policy(struct text *t, const struct wef_offer *offer)
{
    text_string(t, "<c:Policy xmlns:c=\"" WEF_NS_POLICY "\" xmlns:auth=\"" WEF_NS_AUTH
                   "\"><c:ExactlyOne><c:All><auth:Authentication Profile=\"" WEF_WSMAN "/secprofile/");
    if (offer->tls) {
        text_string(t, "https/mutual\"><auth:ClientCertificate><auth:Thumbprint Role=\"issuer\">");
        wef_put_escaped(t, offer->thumbprint);
        text_string(t, "</auth:Thumbprint></auth:ClientCertificate>");
    } else {
        text_string(t, "http/spnego-kerberos\">");
    }
    text_string(t, "</auth:Authentication></c:All></c:ExactlyOne></c:Policy>");
}

static void put_uuid(struct text *t, const char *open, const uint8_t id[16], const char *close)
{
    char uuid[WEF_UUID_TEXT];
    text_string(t, open);
    text_string(t, wef_uuid_text(id, uuid));
    text_string(t, close);
}

static void put_seconds(struct text *t, const char *open, uint32_t seconds, const char *close)
{
    text_string(t, open);
    text_uint(t, seconds);
    text_string(t, close);
}

#define LOCALES                                                                                              \
    "<w:Locale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/>"                                              \
    "<p:DataLocale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/>"

static void put_header(struct text *t, const struct wef_offer *offer)
{
    text_string(t, "<s:Header><a:To>" WEF_ANONYMOUS "</a:To><w:ResourceURI s:mustUnderstand=\"true\">"
                   "http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog</w:ResourceURI><a:ReplyTo>"
                   "<a:Address s:mustUnderstand=\"true\">" WEF_ANONYMOUS "</a:Address></a:ReplyTo>"
                   "<a:Action s:mustUnderstand=\"true\">" WEF_NS_EVENTING "/Subscribe</a:Action>"
                   "<w:MaxEnvelopeSize s:mustUnderstand=\"true\">" MAX_ENVELOPE "</w:MaxEnvelopeSize>");
    put_uuid(t, "<a:MessageID>uuid:", offer->ids[0], "</a:MessageID>" LOCALES);
    put_uuid(t, "<p:OperationID s:mustUnderstand=\"false\">uuid:", offer->ids[1],
             "</p:OperationID><p:SequenceId s:mustUnderstand=\"false\">1</p:SequenceId>");
    /* Raw: the rendered text, which is in the language of its computer, is not read. A channel that a
     * computer does not have is no reason to send nothing of the others. */
    text_string(t, "<w:OptionSet xmlns:xsi=\"" WEF_NS_XSI
                   "\"><w:Option Name=\"SubscriptionName\">Picket</w:Option>"
                   "<w:Option Name=\"Compression\">SLDC</w:Option><w:Option Name=\"CDATA\" xsi:nil=\"true\"/>"
                   "<w:Option Name=\"ContentFormat\">Raw</w:Option>"
                   "<w:Option Name=\"IgnoreChannelError\" xsi:nil=\"true\"/>");
    if (offer->terms->existing)
        text_string(t, "<w:Option Name=\"ReadExistingEvents\" xsi:nil=\"true\"/>");
    text_string(t, "</w:OptionSet></s:Header>");
}

static void put_delivery(struct text *t, const struct wef_offer *offer)
{
    put_seconds(t, "<e:Delivery Mode=\"" WEF_WSMAN "/Events\"><w:Heartbeats>PT", offer->terms->heartbeat,
                ".000S</w:Heartbeats><e:NotifyTo>");
    put_address(t, offer);
    put_policy(t, offer);
    put_seconds(t, "</e:NotifyTo><w:ConnectionRetry Total=\"5\">PT60.0S</w:ConnectionRetry><w:MaxTime>PT",
                offer->terms->latency, ".000S</w:MaxTime>");
    text_string(t, "<w:MaxEnvelopeSize Policy=\"Notify\">" MAX_ENVELOPE "</w:MaxEnvelopeSize>" LOCALES
                   "<w:ContentEncoding>UTF-16</w:ContentEncoding></e:Delivery>");
}

static void put_bookmark(struct text *t, const struct wef_offer *offer)
{
    if (!offer->bookmark.size && !offer->terms->existing)
        return; /* DSP0226 10.2.6: none means "begin at the next available event" */
    text_string(t, "<w:Bookmark>");
    if (offer->bookmark.size)
        put_bytes(t, offer->bookmark);
    else
        text_string(t, WEF_WSMAN "/bookmark/earliest");
    text_string(t, "</w:Bookmark>");
}

size_t wef_write_subscription(char *to, size_t capacity, const struct wef_reply *reply,
                              const struct wef_offer *offer)
{
    struct text t = text_to(to, capacity);
    uint8_t version[16];
    wef_subscription_version(offer->terms, version);
    wef_open_reply(&t, reply, WEF_NS_ENUMERATION "/EnumerateResponse");
    text_string(&t, "<n:EnumerateResponse><n:EnumerationContext></n:EnumerationContext><w:Items>");
    put_uuid(&t, "<m:Subscription xmlns:m=\"" WEF_NS_SUBSCRIPTION "\"><m:Version>uuid:", version,
             "</m:Version>");
    text_string(&t, "<s:Envelope xmlns:s=\"" WEF_NS_SOAP "\" xmlns:a=\"" WEF_NS_ADDRESSING
                    "\" xmlns:e=\"" WEF_NS_EVENTING "\" xmlns:n=\"" WEF_NS_ENUMERATION
                    "\" xmlns:w=\"" WEF_NS_WSMAN "\" xmlns:p=\"" WEF_NS_WINDOWS "\">");
    put_header(&t, offer);
    text_string(&t, "<s:Body><e:Subscribe><e:EndTo>");
    put_address(&t, offer);
    text_string(&t, "</e:EndTo>");
    put_delivery(&t, offer);
    text_string(&t, "<w:Filter Dialect=\"http://schemas.microsoft.com/win/2004/08/events/eventquery\">");
    text_string(&t, query);
    text_string(&t, "</w:Filter>");
    put_bookmark(&t, offer);
    text_string(&t, "<w:SendBookmarks/></e:Subscribe></s:Body></s:Envelope></m:Subscription></w:Items>"
                    "<w:EndOfSequence/></n:EnumerateResponse>");
    wef_close_reply(&t);
    return text_end(&t);
}
