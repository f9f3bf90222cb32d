/* SPDX-License-Identifier: Apache-2.0
 *
 * `picket inputs`: the inputs of events, what came, and what was not understood.
 */
#include "node/view_inputs.h"

#include "base/clock.h"
#include "node/view.h"

#include <stdlib.h>

#define LIMIT_MAX QUARANTINE_ENTRIES

static void write_time(struct json_writer *w, const char *key, int64_t ns)
{
    json_write_time(w, key, ns / CLOCK_MILLISECOND);
}

static void write_address(struct json_writer *w, const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_MAX];
    json_write_string(w, "address", address->family ? ip_address_text(address, text) : NULL);
}

static void write_inputs(struct json_writer *w, struct event_service *service)
{
    struct event_input_state state;
    json_write_array(w, "inputs");
    for (unsigned i = 0; service && event_service_input(service, i, &state); i++) {
        json_write_object(w, NULL);
        json_write_string(w, "input", state.name);
        json_write_bool(w, "running", state.running);
        json_write_string(w, "where", state.running ? state.text : NULL);
        json_write_string(w, "reason", state.running ? NULL : state.text);
        json_write_uint(w, "received", state.counters.received);
        json_write_uint(w, "understood", state.counters.understood);
        json_write_uint(w, "ignored", state.counters.ignored);
        json_write_uint(w, "invalid", state.counters.invalid);
        json_write_uint(w, "dropped", state.counters.dropped);
        write_time(w, "last", state.counters.last);
        json_write_close(w);
    }
    json_write_close(w);
}

static void write_source(struct json_writer *w, const char *input, const struct input_source *source)
{
    json_write_object(w, NULL);
    json_write_string(w, "input", input);
    json_write_string(w, "name", source->name);
    write_address(w, &source->address);
    json_write_bool(w, "silent", source->silent);
    json_write_bool(w, "ended", source->ended);
    write_time(w, "subscribed", source->subscribed);
    write_time(w, "last", source->heard);
    write_time(w, "last_event", source->event);
    json_write_uint(w, "events", source->events);
    json_write_uint(w, "refused", source->refused);
    if (source->count_count > 0) {
        json_write_object(w, "counts");
        for (unsigned i = 0; i < source->count_count; i++)
            json_write_uint(w, source->counts[i].name, source->counts[i].count);
        json_write_close(w);
    }
    json_write_string(w, "position", *source->position ? source->position : NULL);
    json_write_close(w);
}

static void write_known_sources(struct json_writer *w, struct event_service *service)
{
    struct event_input_state state;
    struct input_source source;
    json_write_array(w, "sources");
    for (unsigned input = 0; event_service_input(service, input, &state); input++)
        for (uint32_t i = 0; event_service_source(service, input, i, &source); i++)
            write_source(w, state.name, &source);
    json_write_close(w);
}

static void write_sources(struct json_writer *w, struct quarantine *quarantine)
{
    struct quarantine_source *sources = calloc(QUARANTINE_SOURCES, sizeof(*sources));
    uint64_t others = 0;
    uint32_t n = sources ? quarantine_sources(quarantine, sources, QUARANTINE_SOURCES, &others) : 0;
    json_write_array(w, "not_understood");
    for (uint32_t i = 0; i < n; i++) {
        json_write_object(w, NULL);
        json_write_string(w, "input", sources[i].origin.input);
        json_write_string(w, "format", sources[i].origin.format);
        write_address(w, &sources[i].origin.address);
        json_write_uint(w, "count", sources[i].count);
        write_time(w, "last", sources[i].last);
        json_write_close(w);
    }
    json_write_close(w);
    json_write_uint(w, "not_understood_others", others);
    free(sources);
}

static void write_entry(struct json_writer *w, const struct quarantine_entry *entry)
{
    char text[6 * QUARANTINE_BYTES + 3];
    struct text t = text_to(text, sizeof(text));
    text_json_string(&t, (struct bytes){entry->bytes, entry->size});
    size_t size = text_end(&t);
    json_write_object(w, NULL);
    json_write_uint(w, "number", entry->number);
    write_time(w, "time", entry->time);
    json_write_string(w, "input", entry->origin.input);
    json_write_string(w, "format", entry->origin.format);
    write_address(w, &entry->origin.address);
    json_write_string(w, "reason", entry->reason);
    json_write_uint(w, "size", entry->whole);
    json_write_raw(w, "message", (struct bytes){(const uint8_t *)text, size});
    json_write_close(w);
}

static void write_quarantine(struct json_writer *w, struct quarantine *quarantine, unsigned limit)
{
    struct quarantine_entry entry;
    uint64_t before = UINT64_MAX;
    json_write_array(w, "quarantine");
    for (unsigned i = 0; i < limit && quarantine_before(quarantine, before, &entry); i++) {
        write_entry(w, &entry);
        before = entry.number;
    }
    json_write_close(w);
}

void view_inputs(struct json_writer *w, struct event_service *service, unsigned limit)
{
    json_write_object(w, NULL);
    json_write_int(w, "schema", VIEW_SCHEMA);
    write_time(w, "time", clock_wall(clock_system()));
    write_inputs(w, service);
    if (service) {
        write_known_sources(w, service);
        write_sources(w, event_service_quarantine(service));
        write_quarantine(w, event_service_quarantine(service), limit < LIMIT_MAX ? limit : LIMIT_MAX);
    }
    json_write_close(w);
}
