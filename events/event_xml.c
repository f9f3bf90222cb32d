/* SPDX-License-Identifier: Apache-2.0
 *
 * A Windows event as XML (schema http://schemas.microsoft.com/win/2004/08/events/event, [MS-EVEN6] 2.2.13):
 *
 *   <Event>
 *     <System>
 *       <Provider Name="..."/> <EventID>4624</EventID> <Keywords>0x...</Keywords>
 *       <TimeCreated SystemTime="..."/> <EventRecordID>7</EventRecordID>
 *       <Channel>Security</Channel> <Computer>dc1</Computer> <Security UserID="S-1-..."/>
 *     </System>
 *     <EventData> <Data Name="TargetUserName">bob</Data> <Data>by position</Data> </EventData>
 *     <UserData> <Whatever> <Name>value</Name> </Whatever> </UserData>
 *   </Event>
 *
 * Namespaces are not looked at: collectors write them in their own ways. A rendered event has RenderingInfo
 * besides, which is skipped: it is in the language of the computer.
 */
#include <expat.h>
#include <string.h>

#include "events/event_forms.h"

enum {
    DEPTH_MAX = 32,
    DEPTH_SECTION = 2, /* System, EventData, UserData */
    DEPTH_ITEM = 3,
};

enum section {
    SECTION_NONE,
    SECTION_SYSTEM,
    SECTION_EVENT_DATA,
    SECTION_USER_DATA,
};

struct reading {
    XML_Parser parser;
    struct event *event;
    uint8_t *text; /* what elements and attributes hold; never more than the XML itself */
    size_t used, capacity;
    size_t begin; /* of the text of the element that is open */
    unsigned depth;
    enum section section;
    const char *item;  /* of System: the element whose text is awaited */
    struct bytes name; /* of a Data, or of an element of UserData */
    bool is_leaf;      /* the element that is open has had no elements in it */
    bool is_bad;
};

static void give_up(struct reading *r)
{
    r->is_bad = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static struct bytes keep(struct reading *r, const char *text, size_t size)
{
    if (size > r->capacity - r->used) {
        give_up(r);
        return (struct bytes){0};
    }
    uint8_t *at = r->text + r->used;
    memcpy(at, text, size);
    r->used += size;
    return (struct bytes){at, size};
}

static const char *local(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon ? colon + 1 : name;
}

static const char *attribute(const char **attributes, const char *name)
{
    for (; *attributes; attributes += 2) {
        if (strcmp(local(attributes[0]), name) == 0)
            return attributes[1];
    }
    return NULL;
}

static struct bytes keep_attribute(struct reading *r, const char **attributes, const char *name)
{
    const char *value = attribute(attributes, name);
    return value ? keep(r, value, strlen(value)) : (struct bytes){0};
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size && (text.data[0] == ' ' || (text.data[0] >= '\t' && text.data[0] <= '\r'))) {
        text.data++;
        text.size--;
    }
    while (text.size && (text.data[text.size - 1] == ' ' ||
                         (text.data[text.size - 1] >= '\t' && text.data[text.size - 1] <= '\r')))
        text.size--;
    return text;
}

static void begin_system_item(struct reading *r, const char *name, const char **attributes)
{
    static const char *const texts[] = {"EventID", "Keywords", "EventRecordID", "Channel", "Computer"};
    struct event *event = r->event;
    if (strcmp(name, "Provider") == 0) {
        event->provider = keep_attribute(r, attributes, "Name");
        if (event->provider.size == 0)
            event->provider = keep_attribute(r, attributes, "EventSourceName");
    } else if (strcmp(name, "TimeCreated") == 0) {
        const char *time = attribute(attributes, "SystemTime");
        event->time = time ? event_time((struct bytes){(const uint8_t *)time, strlen(time)}) : 0;
    } else if (strcmp(name, "Security") == 0) {
        event->user = keep_attribute(r, attributes, "UserID");
    }
    r->item = NULL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i]) == 0)
            r->item = texts[i];
    }
}

static void end_system_item(struct reading *r, struct bytes text)
{
    struct event *event = r->event;
    if (!r->item)
        return;
    text = trimmed(text);
    if (strcmp(r->item, "EventID") == 0) {
        uint64_t id = event_number(text);
        event->id = id <= UINT32_MAX ? (uint32_t)id : 0;
    } else if (strcmp(r->item, "Keywords") == 0) {
        event->audit_failure = event_number(text) & EVENT_KEYWORD_AUDIT_FAILURE;
    } else if (strcmp(r->item, "EventRecordID") == 0) {
        event->record = event_number(text);
    } else if (strcmp(r->item, "Channel") == 0) {
        event->channel = text;
    } else {
        event->computer = text;
    }
    r->item = NULL;
}

static void begin_section(struct reading *r, const char *name)
{
    r->section = strcmp(name, "System") == 0      ? SECTION_SYSTEM
                 : strcmp(name, "EventData") == 0 ? SECTION_EVENT_DATA
                 : strcmp(name, "UserData") == 0  ? SECTION_USER_DATA
                                                  : SECTION_NONE;
}

/* A Data, in EventData: named or not. Arrays may come as elements in it, each an item of that name. */
static void begin_data(struct reading *r, const char *name, const char **attributes)
{
    if (r->depth == DEPTH_ITEM)
        r->name =
            strcmp(name, "Data") == 0 ? keep_attribute(r, attributes, "Name") : keep(r, name, strlen(name));
}

static void XMLCALL begin_element(void *context, const char *qualified, const char **attributes)
{
    struct reading *r = context;
    const char *name = local(qualified);
    if (++r->depth > DEPTH_MAX) {
        give_up(r);
        return;
    }
    if (r->depth == 1 && strcmp(name, "Event") != 0)
        give_up(r);
    else if (r->depth == DEPTH_SECTION)
        begin_section(r, name);
    else if (r->depth == DEPTH_ITEM && r->section == SECTION_SYSTEM)
        begin_system_item(r, name, attributes);
    else if (r->section == SECTION_EVENT_DATA)
        begin_data(r, name, attributes);
    else if (r->section == SECTION_USER_DATA)
        r->name = keep(r, name, strlen(name));
    r->is_leaf = true;
    r->begin = r->used;
}

static bool is_binary(struct bytes name)
{
    return name.size == 6 && memcmp(name.data, "Binary", 6) == 0;
}

static void XMLCALL end_element(void *context, const char *qualified)
{
    struct reading *r = context;
    (void)qualified;
    struct bytes text = {r->text + r->begin, r->used - r->begin};
    if (r->depth == DEPTH_ITEM && r->section == SECTION_SYSTEM)
        end_system_item(r, text);
    else if (r->is_leaf && r->depth >= DEPTH_ITEM && r->section == SECTION_EVENT_DATA && !is_binary(r->name))
        event_put(r->event, r->name, text);
    else if (r->is_leaf && r->depth > DEPTH_ITEM && r->section == SECTION_USER_DATA)
        event_put(r->event, r->name, text);
    r->is_leaf = false;
    r->begin = r->used;
    r->depth--;
    if (r->depth < DEPTH_SECTION)
        r->section = SECTION_NONE;
}

static void XMLCALL characters(void *context, const char *text, int size)
{
    struct reading *r = context;
    if (r->section != SECTION_NONE && r->depth >= DEPTH_ITEM)
        keep(r, text, (size_t)size);
}

/* With a document type would come entities. */
static void XMLCALL refuse_doctype(void *context, const char *name, const char *system_id,
                                   const char *public_id, int has_internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal;
    give_up(context);
}

enum event_text_verdict event_from_xml(struct bytes text, struct arena *arena, struct event *to)
{
    struct reading r = {.event = to, .capacity = text.size, .text = arena_alloc(arena, text.size)};
    if (!r.text)
        return EVENT_TEXT_BAD;
    /* What it declares of its encoding was true of what came; by now it is UTF-8. */
    r.parser = XML_ParserCreate("UTF-8");
    if (!r.parser)
        return EVENT_TEXT_BAD;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, begin_element, end_element);
    XML_SetCharacterDataHandler(r.parser, characters);
    XML_SetStartDoctypeDeclHandler(r.parser, refuse_doctype);
    bool is_whole =
        XML_Parse(r.parser, (const char *)text.data, (int)text.size, XML_TRUE) == XML_STATUS_OK && !r.is_bad;
    XML_ParserFree(r.parser);
    return is_whole && to->id != 0 ? EVENT_TEXT_READ : EVENT_TEXT_BAD;
}
