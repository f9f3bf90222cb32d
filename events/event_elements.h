/* SPDX-License-Identifier: Apache-2.0
 *
 * The elements of a Windows event, as any reader of its XML meets them (text or binary), become the event:
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
 * Names come without their prefix: namespaces are not looked at, for collectors write them in their own ways.
 * A rendered event has RenderingInfo besides, which is skipped: it is in the language of the computer.
 */
#pragma once

#include "events/event.h"

#define EVENT_DEPTH_MAX 32 /* of elements in one another */

enum event_section {
    EVENT_SECTION_NONE,
    EVENT_SECTION_SYSTEM,
    EVENT_SECTION_DATA,
    EVENT_SECTION_USER_DATA,
};

struct event_elements {
    struct event *event;
    uint8_t *text; /* what elements and attributes hold: the event points into it */
    size_t used, capacity;
    size_t begin; /* of the text of the element that is open */
    unsigned depth;
    enum event_section section;
    unsigned item;     /* of System: which element is open */
    struct bytes name; /* of a Data, or of an element of UserData */
    bool is_leaf;      /* the element that is open has had no elements in it */
};

/* The event is to be zeroed but for its source. What does not fit in the room for text is left out, and the
 * event says that it is truncated. */
void event_elements_begin(struct event_elements *e, struct event *event, uint8_t *room, size_t capacity);

/* An element opens; false when it is the outermost and no Event, or too deep: nothing more is to be said. */
bool event_element_open(struct event_elements *e, struct bytes name);

/* An attribute of the element that opened last, before its text. */
void event_element_attribute(struct event_elements *e, struct bytes name, struct bytes value);

/* Text of the element that is open; several runs are one text. */
void event_element_text(struct event_elements *e, const void *text, size_t size);

/* Where text may be written in place: `*room` bytes at the result, of which event_element_wrote() says how
 * many were. NULL where text says nothing. */
uint8_t *event_element_room(struct event_elements *e, size_t *room);
void event_element_wrote(struct event_elements *e, size_t size, bool is_cut);

/* The item ends and another one of the same name begins: an array. */
void event_element_again(struct event_elements *e);

void event_element_close(struct event_elements *e);
