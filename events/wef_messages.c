/* SPDX-License-Identifier: Apache-2.0 */
#include "events/wef_messages.h"

#include "base/utf8.h"
#include "events/wef_xml.h"

#include <expat.h>
#include <stdlib.h>

/* Element names as libexpat gives them: namespace, separator, local name. */
#define SEPARATOR         '|'
#define NAME(ns_, local_) ns_ "|" local_

enum field {
    FIELD_NONE, /* above the envelope */
    FIELD_OTHER,
    FIELD_ENVELOPE,
    FIELD_HEADER,
    FIELD_BODY,
    FIELD_TO,
    FIELD_REPLY,
    FIELD_REPLY_ADDRESS,
    FIELD_ACTION,
    FIELD_MESSAGE_ID,
    FIELD_OPERATION_ID,
    FIELD_MACHINE_ID,
    FIELD_RESOURCE,
    FIELD_IDENTIFIER,
    FIELD_MAX_ENVELOPE,
    FIELD_BOOKMARK,
    FIELD_ACK_REQUESTED,
    FIELD_KNOWN, /* understood, and not needed */
    FIELD_EVENTS,
    FIELD_EVENT,
    FIELD_ENUMERATE,
    FIELD_OPTIMIZE,
    FIELD_ENDED,
    FIELD_STATUS,
};

static const struct {
    enum field parent, field;
    const char *name;
} fields[] = {
    {FIELD_NONE, FIELD_ENVELOPE, NAME(WEF_NS_SOAP, "Envelope")},
    {FIELD_ENVELOPE, FIELD_HEADER, NAME(WEF_NS_SOAP, "Header")},
    {FIELD_ENVELOPE, FIELD_BODY, NAME(WEF_NS_SOAP, "Body")},
    {FIELD_HEADER, FIELD_TO, NAME(WEF_NS_ADDRESSING, "To")},
    {FIELD_HEADER, FIELD_REPLY, NAME(WEF_NS_ADDRESSING, "ReplyTo")},
    {FIELD_REPLY, FIELD_REPLY_ADDRESS, NAME(WEF_NS_ADDRESSING, "Address")},
    {FIELD_HEADER, FIELD_ACTION, NAME(WEF_NS_ADDRESSING, "Action")},
    {FIELD_HEADER, FIELD_MESSAGE_ID, NAME(WEF_NS_ADDRESSING, "MessageID")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_ADDRESSING, "From")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_ADDRESSING, "FaultTo")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_ADDRESSING, "RelatesTo")},
    {FIELD_HEADER, FIELD_RESOURCE, NAME(WEF_NS_WSMAN, "ResourceURI")},
    {FIELD_HEADER, FIELD_MAX_ENVELOPE, NAME(WEF_NS_WSMAN, "MaxEnvelopeSize")},
    {FIELD_HEADER, FIELD_BOOKMARK, NAME(WEF_NS_WSMAN, "Bookmark")},
    {FIELD_HEADER, FIELD_ACK_REQUESTED, NAME(WEF_NS_WSMAN, "AckRequested")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_WSMAN, "Locale")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_WSMAN, "OperationTimeout")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_WSMAN, "OptionSet")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_WSMAN, "SelectorSet")},
    {FIELD_HEADER, FIELD_OPERATION_ID, NAME(WEF_NS_WINDOWS, "OperationID")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_WINDOWS, "DataLocale")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_WINDOWS, "SessionId")},
    {FIELD_HEADER, FIELD_KNOWN, NAME(WEF_NS_WINDOWS, "SequenceId")},
    {FIELD_HEADER, FIELD_MACHINE_ID, NAME(WEF_NS_MACHINE, "MachineID")},
    {FIELD_HEADER, FIELD_IDENTIFIER, NAME(WEF_NS_EVENTING, "Identifier")},
    {FIELD_BODY, FIELD_EVENTS, NAME(WEF_NS_WSMAN, "Events")},
    {FIELD_EVENTS, FIELD_EVENT, NAME(WEF_NS_WSMAN, "Event")},
    {FIELD_BODY, FIELD_ENUMERATE, NAME(WEF_NS_ENUMERATION, "Enumerate")},
    {FIELD_ENUMERATE, FIELD_OPTIMIZE, NAME(WEF_NS_WSMAN, "OptimizeEnumeration")},
    {FIELD_BODY, FIELD_ENDED, NAME(WEF_NS_EVENTING, "SubscriptionEnd")},
    {FIELD_ENDED, FIELD_STATUS, NAME(WEF_NS_EVENTING, "Status")},
};

static const struct {
    enum wef_action action;
    const char *uri;
} actions[] = {
    {WEF_ENUMERATE, WEF_NS_ENUMERATION "/Enumerate"},
    {WEF_EVENTS, WEF_WSMAN "/Events"},
    {WEF_HEARTBEAT, WEF_WSMAN "/Heartbeat"},
    {WEF_SUBSCRIPTION_END, WEF_NS_EVENTING "/SubscriptionEnd"},
    {WEF_END, "http://schemas.microsoft.com/wbem/wsman/1/wsman/End"},
};

struct wef_reader {
    struct wef_message *message;
    XML_Parser parser;
    enum wef_fault fault;
    /* The envelope in UTF-8, and what libexpat makes of its text, which is never longer. */
    uint8_t *soap, *text;
    size_t soap_size, capacity, used;
    enum field stack[WEF_DEPTH_MAX];
    unsigned depth;
    size_t start;        /* in text: where that of the innermost field begins */
    unsigned raw_depth;  /* of the element whose XML is wanted as it stands; 0: none */
    size_t raw_start;    /* in soap */
    struct bytes raw;    /* the last such */
    struct bytes action; /* URI */
    struct bytes *events;
    uint32_t events_capacity;
};

struct wef_reader *wef_reader_new(void)
{
    return calloc(1, sizeof(struct wef_reader));
}

void wef_reader_destroy(struct wef_reader **reader_p)
{
    struct wef_reader *r = *reader_p;
    if (!r)
        return;
    free(r->soap);
    free(r->text);
    free(r->events);
    free(r);
    *reader_p = NULL;
}

/* --- text --- */

/* XML 1.0 section 2.2, less what UTF-8 cannot hold anyway. */
static bool is_xml_character(uint32_t code)
{
    return code >= 0x20 ? code != 0xfffe && code != 0xffff : code == '\t' || code == '\n' || code == '\r';
}

static size_t repair(uint8_t *to, const uint8_t *text, size_t size)
{
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        uint32_t code;
        bool valid;
        at += utf8_decode(text + at, size - at, &code, &valid);
        written += utf8_encode(is_xml_character(code) ? code : UTF8_REPLACEMENT, to + written);
    }
    return written;
}

/* Every unit is at most three bytes of UTF-8; so is every byte that is not well formed. */
static bool make_room(struct wef_reader *r, size_t size)
{
    size_t needed = 3 * size + 4;
    if (r->capacity >= needed)
        return true;
    free(r->soap);
    free(r->text);
    r->soap = malloc(needed);
    r->text = malloc(needed);
    r->capacity = r->soap && r->text ? needed : 0;
    return r->capacity > 0;
}

static void swap_units(uint8_t *to, const uint8_t *text, size_t size)
{
    for (size_t i = 0; i + 1 < size; i += 2) {
        to[i] = text[i + 1];
        to[i + 1] = text[i];
    }
}

static void from_utf16(struct wef_reader *r, const uint8_t *text, size_t size)
{
    bool cut = false;
    size_t length = utf8_from_utf16(r->text, r->capacity, text, size / 2, &cut);
    r->soap_size = repair(r->soap, r->text, length);
}

static bool decode(struct wef_reader *r, struct bytes in, bool *utf16)
{
    if (in.size < 4 || !make_room(r, in.size))
        return false;
    *utf16 = true;
    if (memcmp(in.data, "\xff\xfe", 2) == 0) {
        from_utf16(r, in.data + 2, in.size - 2);
    } else if (memcmp(in.data, "\xfe\xff", 2) == 0) {
        uint8_t *swapped = r->soap + r->capacity - in.size;
        swap_units(swapped, in.data + 2, in.size - 2);
        from_utf16(r, swapped, in.size - 2);
    } else if (in.data[1] == 0) {
        from_utf16(r, in.data, in.size);
    } else {
        size_t mark = memcmp(in.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        r->soap_size = repair(r->soap, in.data + mark, in.size - mark);
        *utf16 = false;
    }
    return true;
}

static struct bytes trimmed(struct bytes b)
{
    while (b.size > 0 && strchr(" \t\r\n", b.data[0]) && b.data[0]) {
        b.data++;
        b.size--;
    }
    while (b.size > 0 && strchr(" \t\r\n", b.data[b.size - 1]) && b.data[b.size - 1])
        b.size--;
    return b;
}

static bool is_text(struct bytes b, const char *text)
{
    return b.size == strlen(text) && memcmp(b.data, text, b.size) == 0;
}

/* --- elements --- */

static void refuse(struct wef_reader *r, enum wef_fault fault)
{
    if (r->fault != WEF_FINE)
        return;
    r->fault = fault;
    XML_StopParser(r->parser, XML_FALSE);
}

static enum field innermost(const struct wef_reader *r)
{
    return r->depth ? r->stack[r->depth - 1] : FIELD_NONE;
}

static enum field find_field(enum field parent, const char *name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].parent == parent && strcmp(fields[i].name, name) == 0)
            return fields[i].field;
    return FIELD_OTHER;
}

static bool must_be_understood(const XML_Char **attributes)
{
    for (; attributes[0]; attributes += 2)
        if (strcmp(attributes[0], NAME(WEF_NS_SOAP, "mustUnderstand")) == 0)
            return strcmp(attributes[1], "true") == 0 || strcmp(attributes[1], "1") == 0;
    return false;
}

static bool has_text(enum field field)
{
    switch (field) {
    case FIELD_TO:
    case FIELD_REPLY_ADDRESS:
    case FIELD_ACTION:
    case FIELD_MESSAGE_ID:
    case FIELD_OPERATION_ID:
    case FIELD_MACHINE_ID:
    case FIELD_RESOURCE:
    case FIELD_IDENTIFIER:
    case FIELD_MAX_ENVELOPE:
    case FIELD_EVENT:
    case FIELD_STATUS:
        return true;
    default:
        return false;
    }
}

static size_t place(const struct wef_reader *r)
{
    XML_Index at = XML_GetCurrentByteIndex(r->parser);
    return at < 0 ? 0 : (size_t)at;
}

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct wef_reader *r = context;
    if (r->fault != WEF_FINE)
        return;
    if (r->depth == WEF_DEPTH_MAX) {
        refuse(r, WEF_FAULT_SCHEMA);
        return;
    }
    enum field parent = innermost(r);
    enum field field = find_field(parent, name);
    if (r->depth == 0 && field != FIELD_ENVELOPE) {
        refuse(r, WEF_FAULT_VERSION);
        return;
    }
    if ((parent == FIELD_BOOKMARK || parent == FIELD_EVENT) && r->raw_depth == 0) {
        r->raw_depth = r->depth;
        r->raw_start = place(r);
    }
    if (parent == FIELD_HEADER && field == FIELD_OTHER && must_be_understood(attributes))
        r->message->not_understood = true;
    if (field == FIELD_ACK_REQUESTED)
        r->message->ack_requested = true;
    if (field == FIELD_OPTIMIZE)
        r->message->optimized = true;
    if (has_text(field)) {
        r->start = r->used;
        r->raw = (struct bytes){0};
    }
    r->stack[r->depth++] = field;
}

static void add_event(struct wef_reader *r, struct bytes event)
{
    struct wef_message *m = r->message;
    if (m->events_count == WEF_EVENTS_MAX) {
        refuse(r, WEF_FAULT_SCHEMA);
        return;
    }
    if (m->events_count == r->events_capacity) {
        uint32_t more = r->events_capacity ? 2 * r->events_capacity : 64;
        struct bytes *events = realloc(r->events, more * sizeof *events);
        if (!events) {
            refuse(r, WEF_FAULT_BUSY);
            return;
        }
        r->events = events;
        r->events_capacity = more;
    }
    r->events[m->events_count++] = event;
}

static struct bytes *slot(struct wef_reader *r, enum field field)
{
    switch (field) {
    case FIELD_TO:
        return &r->message->to;
    case FIELD_REPLY_ADDRESS:
        return &r->message->reply_to;
    case FIELD_ACTION:
        return &r->action;
    case FIELD_MESSAGE_ID:
        return &r->message->message_id;
    case FIELD_OPERATION_ID:
        return &r->message->operation_id;
    case FIELD_MACHINE_ID:
        return &r->message->machine_id;
    case FIELD_RESOURCE:
        return &r->message->resource;
    case FIELD_IDENTIFIER:
        return &r->message->identifier;
    case FIELD_STATUS:
        return &r->message->status;
    default:
        return NULL;
    }
}

static uint32_t decimal(struct bytes text)
{
    uint32_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        uint32_t digit = text.data[i] - (uint32_t)'0';
        value = value > (UINT32_MAX - digit) / 10 ? UINT32_MAX : value * 10 + digit;
    }
    return value;
}

static void take_text(struct wef_reader *r, enum field field)
{
    struct bytes text = trimmed((struct bytes){.data = r->text + r->start, .size = r->used - r->start});
    if (field == FIELD_EVENT) {
        add_event(r, r->raw.size ? r->raw : text);
        return;
    }
    if (text.size > WEF_HEADER_MAX) {
        refuse(r, WEF_FAULT_SCHEMA);
        return;
    }
    if (field == FIELD_MAX_ENVELOPE) {
        r->message->max_envelope = decimal(text);
        return;
    }
    struct bytes *to = slot(r, field);
    if (to->data && field != FIELD_REPLY_ADDRESS)
        refuse(r, WEF_FAULT_HEADER); /* twice */
    else
        *to = text;
}

static void on_end(void *context, const XML_Char *name)
{
    (void)name;
    struct wef_reader *r = context;
    if (r->fault != WEF_FINE)
        return;
    enum field field = r->stack[--r->depth];
    if (r->raw_depth && r->raw_depth == r->depth) {
        size_t end = place(r) + (size_t)XML_GetCurrentByteCount(r->parser);
        r->raw = (struct bytes){.data = r->soap + r->raw_start, .size = end - r->raw_start};
        r->raw_depth = 0;
        if (innermost(r) == FIELD_BOOKMARK)
            r->message->bookmark = r->raw;
    }
    if (has_text(field))
        take_text(r, field);
}

static void on_text(void *context, const XML_Char *text, int length)
{
    struct wef_reader *r = context;
    size_t size = (size_t)length;
    if (r->fault != WEF_FINE || !has_text(innermost(r)) || size > r->capacity - r->used)
        return;
    memcpy(r->text + r->used, text, size);
    r->used += size;
}

static void on_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public_id,
                       int internal)
{
    (void)name;
    (void)system;
    (void)public_id;
    (void)internal;
    refuse(context, WEF_FAULT_SCHEMA);
}

/* --- the whole --- */

static bool parse(struct wef_reader *r)
{
    r->parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
    if (!r->parser) {
        r->fault = WEF_FAULT_BUSY;
        return false;
    }
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    bool fine = XML_Parse(r->parser, (const char *)r->soap, (int)r->soap_size, XML_TRUE) == XML_STATUS_OK;
    XML_ParserFree(r->parser);
    r->parser = NULL;
    if (!fine && r->fault == WEF_FINE)
        r->fault = WEF_FAULT_SCHEMA;
    return r->fault == WEF_FINE;
}

/* It goes back as it came, within another document: there it must be well-formed without its surroundings. */
static bool stands_alone(struct bytes xml)
{
    XML_Parser parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
    if (!parser)
        return false;
    bool fine = XML_Parse(parser, (const char *)xml.data, (int)xml.size, XML_TRUE) == XML_STATUS_OK;
    XML_ParserFree(parser);
    return fine;
}

static enum wef_fault check(struct wef_reader *r)
{
    struct wef_message *m = r->message;
    if (m->not_understood)
        return WEF_FAULT_MUST_UNDERSTAND;
    if (!r->action.size || !m->message_id.size || !m->to.size)
        return WEF_FAULT_HEADER_MISSING;
    if (m->bookmark.size && (m->bookmark.size > WEF_BOOKMARK_MAX || !stands_alone(m->bookmark)))
        return WEF_FAULT_SCHEMA;
    return m->action == WEF_OTHER ? WEF_FAULT_ACTION : WEF_FINE;
}

enum wef_fault wef_read(struct wef_reader *r, struct bytes soap, struct wef_message *message)
{
    *message = (struct wef_message){0};
    r->message = message;
    r->fault = WEF_FINE;
    r->depth = r->raw_depth = 0;
    r->used = 0;
    r->raw = r->action = (struct bytes){0};
    if (soap.size > WEF_ENVELOPE_MAX || !decode(r, soap, &message->utf16))
        return WEF_FAULT_SCHEMA;
    bool fine = parse(r);
    message->events = r->events;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (is_text(r->action, actions[i].uri))
            message->action = actions[i].action;
    return fine ? check(r) : r->fault;
}

/* --- answers --- */

void wef_put_escaped(struct text *t, struct bytes utf8)
{
    for (size_t i = 0; i < utf8.size; i++) {
        switch (utf8.data[i]) {
        case '&':
            text_string(t, "&amp;");
            break;
        case '<':
            text_string(t, "&lt;");
            break;
        case '>':
            text_string(t, "&gt;");
            break;
        case '"':
            text_string(t, "&quot;");
            break;
        default:
            text_char(t, (char)utf8.data[i]);
        }
    }
}

const char *wef_uuid_text(const uint8_t uuid[16], char to[WEF_UUID_TEXT])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            to[at++] = '-';
        to[at++] = digits[uuid[i] >> 4];
        to[at++] = digits[uuid[i] & 15];
    }
    to[at] = 0;
    return to;
}

static void put_element(struct text *t, const char *open, struct bytes value, const char *close)
{
    text_string(t, open);
    wef_put_escaped(t, value);
    text_string(t, close);
}

void wef_open_reply(struct text *t, const struct wef_reply *reply, const char *action)
{
    const struct wef_message *request = reply->request;
    char uuid[WEF_UUID_TEXT];
    text_string(t, "<s:Envelope xml:lang=\"en-US\" xmlns:s=\"" WEF_NS_SOAP "\" xmlns:a=\"" WEF_NS_ADDRESSING
                   "\" xmlns:n=\"" WEF_NS_ENUMERATION "\" xmlns:w=\"" WEF_NS_WSMAN
                   "\" xmlns:p=\"" WEF_NS_WINDOWS "\"><s:Header><a:Action>");
    text_string(t, action);
    text_string(t, "</a:Action><a:MessageID>uuid:");
    text_string(t, wef_uuid_text(reply->id, uuid));
    text_string(t, "</a:MessageID>");
    /* DSP0226 5.4.2: the whole address, whatever it is. */
    struct bytes anonymous = {.data = (const uint8_t *)WEF_ANONYMOUS, .size = sizeof WEF_ANONYMOUS - 1};
    put_element(t, "<a:To>", request->reply_to.size ? request->reply_to : anonymous, "</a:To>");
    if (request->operation_id.size) {
        put_element(t, "<p:OperationID s:mustUnderstand=\"false\">", request->operation_id,
                    "</p:OperationID>");
        text_string(t, "<p:SequenceId>1</p:SequenceId>");
    }
    if (request->message_id.size)
        put_element(t, "<a:RelatesTo>", request->message_id, "</a:RelatesTo>");
    text_string(t, "</s:Header><s:Body>");
}

void wef_close_reply(struct text *t)
{
    text_string(t, "</s:Body></s:Envelope>");
}

size_t wef_write_ack(char *to, size_t capacity, const struct wef_reply *reply)
{
    struct text t = text_to(to, capacity);
    wef_open_reply(&t, reply, WEF_WSMAN "/Ack");
    wef_close_reply(&t);
    return text_end(&t);
}

#define WSMAN_FAULT      WEF_WSMAN "/fault"
#define ADDRESSING_FAULT WEF_NS_ADDRESSING "/fault"

static const struct {
    const char *code, *subcode, *reason, *action;
    unsigned status;
} faults[] = {
    [WEF_FINE] = {"", "", "", "", 200},
    [WEF_FAULT_SCHEMA] = {"s:Sender", "w:SchemaValidationError", "The message is not well formed.",
                          WSMAN_FAULT, 400},
    [WEF_FAULT_VERSION] = {"s:VersionMismatch", NULL, "The message is not a SOAP 1.2 envelope.", WSMAN_FAULT,
                           500},
    [WEF_FAULT_MUST_UNDERSTAND] = {"s:MustUnderstand", NULL, "A header that must be understood is not known.",
                                   WSMAN_FAULT, 500},
    [WEF_FAULT_HEADER_MISSING] = {"s:Sender", "a:MessageInformationHeaderRequired",
                                  "A required header is missing: To, MessageID or Action.", ADDRESSING_FAULT,
                                  400},
    [WEF_FAULT_HEADER] = {"s:Sender", "a:InvalidMessageInformationHeader", "A header is not valid.",
                          ADDRESSING_FAULT, 400},
    [WEF_FAULT_ACTION] = {"s:Sender", "a:ActionNotSupported", "This service does not know the action.",
                          ADDRESSING_FAULT, 400},
    [WEF_FAULT_RESOURCE] = {"s:Sender", "a:DestinationUnreachable", "There is no such resource here.",
                            ADDRESSING_FAULT, 400},
    [WEF_FAULT_UNSUPPORTED] = {"s:Sender", "w:UnsupportedFeature",
                               "Only an optimized enumeration is supported.", WSMAN_FAULT, 400},
    [WEF_FAULT_ENCODING_LIMIT] = {"s:Sender", "w:EncodingLimit", "The answer exceeds MaxEnvelopeSize.",
                                  WSMAN_FAULT, 400},
    [WEF_FAULT_DENIED] = {"s:Sender", "w:AccessDenied", "This computer may not forward events here.",
                          WSMAN_FAULT, 400},
    [WEF_FAULT_REFUSED] = {"s:Receiver", "w:DeliveryRefused", "There is no such subscription.", WSMAN_FAULT,
                           500},
    [WEF_FAULT_BUSY] = {"s:Receiver", "a:EndpointUnavailable",
                        "There is no room at the moment; try again later.", ADDRESSING_FAULT, 500},
};

size_t wef_write_fault(char *to, size_t capacity, const struct wef_reply *reply, enum wef_fault fault)
{
    struct text t = text_to(to, capacity);
    wef_open_reply(&t, reply, faults[fault].action);
    text_string(&t, "<s:Fault><s:Code><s:Value>");
    text_string(&t, faults[fault].code);
    text_string(&t, "</s:Value>");
    if (faults[fault].subcode) {
        text_string(&t, "<s:Subcode><s:Value>");
        text_string(&t, faults[fault].subcode);
        text_string(&t, "</s:Value></s:Subcode>");
    }
    text_string(&t, "</s:Code><s:Reason><s:Text xml:lang=\"en-US\">");
    text_string(&t, faults[fault].reason);
    text_string(&t, "</s:Text></s:Reason></s:Fault>");
    wef_close_reply(&t);
    return text_end(&t);
}

unsigned wef_fault_status(enum wef_fault fault)
{
    return faults[fault].status;
}

const char *wef_fault_name(enum wef_fault fault)
{
    const char *name = faults[fault].subcode ? faults[fault].subcode : faults[fault].code;
    return name[0] ? name + 2 : name;
}

static size_t put_unit(uint8_t *to, size_t capacity, size_t at, uint32_t unit)
{
    if (capacity - at < 2)
        return at;
    to[at] = (uint8_t)unit;
    to[at + 1] = (uint8_t)(unit >> 8);
    return at + 2;
}

size_t wef_encode(struct bytes text, bool utf16, uint8_t *to, size_t capacity)
{
    if (!utf16) {
        size_t size = text.size < capacity ? text.size : capacity;
        if (size)
            memcpy(to, text.data, size);
        return size;
    }
    size_t written = put_unit(to, capacity, 0, 0xfeff);
    for (size_t at = 0; at < text.size;) {
        uint32_t code;
        bool valid;
        at += utf8_decode(text.data + at, text.size - at, &code, &valid);
        if (code < 0x10000) {
            written = put_unit(to, capacity, written, code);
            continue;
        }
        written = put_unit(to, capacity, written, 0xd800 + ((code - 0x10000) >> 10));
        written = put_unit(to, capacity, written, 0xdc00 + ((code - 0x10000) & 0x3ff));
    }
    return written;
}
