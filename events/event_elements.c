/* SPDX-License-Identifier: Apache-2.0 */
#include "events/event_elements.h"

#include <string.h>

#include "base/text.h"
#include "events/event_forms.h"

enum {
    DEPTH_SECTION = 2, /* System, EventData, UserData */
    DEPTH_ITEM = 3,
};

/* Of System, what is read. */
enum {
    ITEM_NONE,
    ITEM_EVENT_ID,
    ITEM_KEYWORDS,
    ITEM_RECORD,
    ITEM_CHANNEL,
    ITEM_COMPUTER,
    ITEM_PROVIDER,
    ITEM_TIME,
    ITEM_SECURITY,
};

static bool is(struct bytes name, const char *text)
{
    return name.size == strlen(text) && memcmp(name.data, text, name.size) == 0;
}

static struct bytes keep(struct event_elements *e, const void *text, size_t size)
{
    uint8_t *at = e->text + e->used;
    if (size > e->capacity - e->used) {
        size = e->capacity - e->used;
        e->event->truncated = true;
    }
    if (size)
        memcpy(at, text, size);
    e->used += size;
    return (struct bytes){at, size};
}

void event_elements_begin(struct event_elements *e, struct event *event, uint8_t *room, size_t capacity)
{
    *e = (struct event_elements){.event = event, .text = room, .capacity = capacity};
}

static unsigned system_item(struct bytes name)
{
    static const struct {
        const char *name;
        unsigned item;
    } items[] = {{"EventID", ITEM_EVENT_ID}, {"Keywords", ITEM_KEYWORDS}, {"EventRecordID", ITEM_RECORD},
                 {"Channel", ITEM_CHANNEL},  {"Computer", ITEM_COMPUTER}, {"Provider", ITEM_PROVIDER},
                 {"TimeCreated", ITEM_TIME}, {"Security", ITEM_SECURITY}};
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        if (is(name, items[i].name))
            return items[i].item;
    }
    return ITEM_NONE;
}

static enum event_section section_of(struct bytes name)
{
    return is(name, "System")      ? EVENT_SECTION_SYSTEM
           : is(name, "EventData") ? EVENT_SECTION_DATA
           : is(name, "UserData")  ? EVENT_SECTION_USER_DATA
                                   : EVENT_SECTION_NONE;
}

/* In EventData a Data is named by its attribute, if at all; arrays may come as elements in it, each an item
 * of that name. */
static void open_data(struct event_elements *e, struct bytes name)
{
    if (e->depth == DEPTH_ITEM)
        e->name = is(name, "Data") ? (struct bytes){0} : keep(e, name.data, name.size);
}

bool event_element_open(struct event_elements *e, struct bytes name)
{
    if (++e->depth > EVENT_DEPTH_MAX || (e->depth == 1 && !is(name, "Event")))
        return false;
    if (e->depth == DEPTH_SECTION)
        e->section = section_of(name);
    else if (e->depth == DEPTH_ITEM && e->section == EVENT_SECTION_SYSTEM)
        e->item = system_item(name);
    else if (e->section == EVENT_SECTION_DATA)
        open_data(e, name);
    else if (e->section == EVENT_SECTION_USER_DATA)
        e->name = keep(e, name.data, name.size);
    e->is_leaf = true;
    e->begin = e->used;
    return true;
}

static void system_attribute(struct event_elements *e, struct bytes name, struct bytes value)
{
    struct event *event = e->event;
    if (e->item == ITEM_PROVIDER &&
        (is(name, "Name") || (is(name, "EventSourceName") && event->provider.size == 0)))
        event->provider = keep(e, value.data, value.size);
    else if (e->item == ITEM_TIME && is(name, "SystemTime"))
        event->time = event_time(value);
    else if (e->item == ITEM_SECURITY && is(name, "UserID"))
        event->user = keep(e, value.data, value.size);
}

void event_element_attribute(struct event_elements *e, struct bytes name, struct bytes value)
{
    if (e->depth != DEPTH_ITEM)
        return;
    if (e->section == EVENT_SECTION_SYSTEM)
        system_attribute(e, name, value);
    else if (e->section == EVENT_SECTION_DATA && is(name, "Name"))
        e->name = keep(e, value.data, value.size);
    e->begin = e->used;
}

static bool takes_text(const struct event_elements *e)
{
    return e->section != EVENT_SECTION_NONE && e->depth >= DEPTH_ITEM;
}

void event_element_text(struct event_elements *e, const void *text, size_t size)
{
    if (takes_text(e))
        keep(e, text, size);
}

uint8_t *event_element_room(struct event_elements *e, size_t *room)
{
    *room = e->capacity - e->used;
    return takes_text(e) ? e->text + e->used : NULL;
}

void event_element_wrote(struct event_elements *e, size_t size, bool is_cut)
{
    e->used += size;
    e->event->truncated |= is_cut;
}

static void take_system(struct event_elements *e, struct bytes text)
{
    struct event *event = e->event;
    uint64_t id;
    text = text_trimmed(text);
    switch (e->item) {
    case ITEM_EVENT_ID:
        id = event_number(text);
        event->id = id <= UINT32_MAX ? (uint32_t)id : 0;
        break;
    case ITEM_KEYWORDS:
        event->audit_failure = event_number(text) & EVENT_KEYWORD_AUDIT_FAILURE;
        break;
    case ITEM_RECORD:
        event->record = event_number(text);
        break;
    case ITEM_CHANNEL:
        event->channel = text;
        break;
    case ITEM_COMPUTER:
        event->computer = text;
        break;
    default:
        break;
    }
}

/* What the open element has held so far is an item of the event. */
static void take_item(struct event_elements *e)
{
    struct bytes text = {e->text + e->begin, e->used - e->begin};
    if (e->section == EVENT_SECTION_SYSTEM && e->depth == DEPTH_ITEM)
        take_system(e, text);
    else if (e->section == EVENT_SECTION_DATA && e->is_leaf && e->depth >= DEPTH_ITEM &&
             !is(e->name, "Binary"))
        event_put(e->event, e->name, text);
    else if (e->section == EVENT_SECTION_USER_DATA && e->is_leaf && e->depth > DEPTH_ITEM)
        event_put(e->event, e->name, text);
    e->begin = e->used;
}

void event_element_again(struct event_elements *e)
{
    take_item(e);
}

void event_element_close(struct event_elements *e)
{
    take_item(e);
    e->is_leaf = false;
    if (e->depth == DEPTH_ITEM)
        e->item = ITEM_NONE;
    e->depth--;
    if (e->depth < DEPTH_SECTION)
        e->section = EVENT_SECTION_NONE;
}
