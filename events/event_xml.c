/* SPDX-License-Identifier: Apache-2.0
 *
 * A Windows event as XML (schema http://schemas.microsoft.com/win/2004/08/events/event, [MS-EVEN6] 2.2.13).
 */
#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "events/event_elements.h"
#include "events/event_forms.h"

struct reading {
    XML_Parser parser;
    struct event_elements elements;
    bool is_bad;
};

static void give_up(struct reading *r)
{
    r->is_bad = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct bytes local(const char *name)
{
    const char *colon = strchr(name, ':');
    return bytes_of(colon ? colon + 1 : name);
}

static void XMLCALL begin_element(void *context, const char *name, const char **attributes)
{
    struct reading *r = context;
    if (!event_element_open(&r->elements, local(name))) {
        give_up(r);
        return;
    }
    for (; *attributes; attributes += 2)
        event_element_attribute(&r->elements, local(attributes[0]), bytes_of(attributes[1]));
}

static void XMLCALL end_element(void *context, const char *name)
{
    struct reading *r = context;
    (void)name;
    event_element_close(&r->elements);
}

static void XMLCALL characters(void *context, const char *text, int size)
{
    struct reading *r = context;
    event_element_text(&r->elements, text, (size_t)size);
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

/* --- the parser --- */

struct event_reader {
    XML_Parser parser;
    unsigned long salt; /* of its hash tables: nobody outside can make names that collide */
};

struct event_reader *event_reader_new(void)
{
    struct event_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return NULL;
    reader->parser = XML_ParserCreate("UTF-8");
    if (!reader->parser || getrandom(&reader->salt, sizeof(reader->salt), 0) != (ssize_t)sizeof(reader->salt))
        event_reader_destroy(&reader);
    return reader;
}

void event_reader_destroy(struct event_reader **reader_p)
{
    struct event_reader *reader = *reader_p;
    if (!reader)
        return;
    if (reader->parser)
        XML_ParserFree(reader->parser);
    free(reader);
    *reader_p = NULL;
}

/* As if it were new: what the last event left of its state is gone, its memory is used again. What a text
 * declares of its encoding was true of what came; by now it is UTF-8. */
static void begin(struct event_reader *reader, struct reading *r)
{
    r->parser = reader->parser;
    XML_ParserReset(reader->parser, "UTF-8");
    XML_SetHashSalt(reader->parser, reader->salt);
    XML_SetUserData(reader->parser, r);
    XML_SetElementHandler(reader->parser, begin_element, end_element);
    XML_SetCharacterDataHandler(reader->parser, characters);
    XML_SetStartDoctypeDeclHandler(reader->parser, refuse_doctype);
}

enum event_text_verdict event_from_xml(struct event_reader *reader, struct bytes text, struct arena *arena,
                                       struct event *to)
{
    struct reading r = {0};
    uint8_t *room = arena_alloc(arena, text.size); /* what is in it is never more than the XML itself */
    if (!room)
        return EVENT_TEXT_BAD;
    event_elements_begin(&r.elements, to, room, text.size);
    begin(reader, &r);
    bool is_whole =
        XML_Parse(r.parser, (const char *)text.data, (int)text.size, XML_TRUE) == XML_STATUS_OK && !r.is_bad;
    return is_whole && to->id != 0 ? EVENT_TEXT_READ : EVENT_TEXT_BAD;
}
