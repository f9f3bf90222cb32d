/* SPDX-License-Identifier: Apache-2.0 */
#include "events/wef_session.h"

#include "base/hash_table.h"
#include "base/msgpack.h"
#include "events/wef_xml.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <strings.h>
#include <xxhash.h>

#define MANAGER_PREFIX "/wsman/SubscriptionManager/"
#define AUTHORITY_MAX  300u
#define NETBIOS_MAX    15u
#define SAVED_VERSION  1u

struct source {
    char *name;
    char *bookmark;
    uint32_t bookmark_size;
    struct ip_address address;
    int64_t subscribed, heard, event;
    uint64_t events, foreign;
    bool ended;
};

struct wef_session {
    struct wef_settings settings;
    struct wef_reader *reader;
    struct hash_table *index; /* hash of the name -> place in sources */
    struct source *sources;
    uint32_t count, capacity;
    uint64_t revision;
    struct wef_counts counts;
    char answer[WEF_ANSWER_MAX];
};

struct name_key {
    uint8_t hash[16];
};

struct wef_session *wef_session_new(const struct wef_settings *settings)
{
    struct wef_session *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->settings = *settings;
    self->reader = wef_reader_new();
    self->index = hash_table_new(WEF_SOURCES_MAX, sizeof(struct name_key), sizeof(uint32_t), settings->seed);
    if (!self->reader || !self->index)
        wef_session_destroy(&self);
    return self;
}

void wef_session_destroy(struct wef_session **session_p)
{
    struct wef_session *self = *session_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->sources[i].name);
        free(self->sources[i].bookmark);
    }
    free(self->sources);
    hash_table_destroy(&self->index);
    wef_reader_destroy(&self->reader);
    free(self);
    *session_p = NULL;
}

/* --- sources --- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* False: empty, or too long to be a name. */
static bool lower_name(struct bytes name, char to[WEF_NAME_MAX])
{
    if (name.size == 0 || name.size >= WEF_NAME_MAX || memchr(name.data, 0, name.size))
        return false;
    for (size_t i = 0; i < name.size; i++)
        to[i] = lower((char)name.data[i]);
    to[name.size] = 0;
    return true;
}

static struct name_key key_of(const struct wef_session *self, const char *name)
{
    struct name_key key;
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(name, strlen(name), self->settings.seed));
    memcpy(key.hash, canonical.digest, sizeof key.hash);
    return key;
}

static struct source *find_source(const struct wef_session *self, const char *name)
{
    struct name_key key = key_of(self, name);
    const uint32_t *place = hash_table_find(self->index, &key);
    return place ? &self->sources[*place] : NULL;
}

static bool is_forgotten(const struct source *s, int64_t now)
{
    return now - s->heard > WEF_FORGOTTEN;
}

/* The last one takes the place of the removed. */
static void remove_source(struct wef_session *self, uint32_t place)
{
    struct name_key key = key_of(self, self->sources[place].name);
    hash_table_remove(self->index, &key);
    free(self->sources[place].name);
    free(self->sources[place].bookmark);
    self->count--;
    if (place == self->count)
        return;
    self->sources[place] = self->sources[self->count];
    key = key_of(self, self->sources[place].name);
    uint32_t *moved = hash_table_find(self->index, &key);
    *moved = place;
}

static void forget(struct wef_session *self, int64_t now)
{
    for (uint32_t i = self->count; i-- > 0;)
        if (is_forgotten(&self->sources[i], now))
            remove_source(self, i);
}

static bool make_room(struct wef_session *self)
{
    if (self->count < self->capacity)
        return true;
    uint32_t more = self->capacity ? 2 * self->capacity : 64;
    struct source *sources = realloc(self->sources, more * sizeof *sources);
    if (!sources)
        return false;
    self->sources = sources;
    self->capacity = more;
    return true;
}

/* Pointers to sources hold until the next one is added. NULL: there is no place. */
static struct source *add_source(struct wef_session *self, const char *name, int64_t now)
{
    struct source *known = find_source(self, name);
    if (known)
        return known;
    if (self->count == WEF_SOURCES_MAX)
        forget(self, now);
    char *copy = strdup(name);
    struct name_key key = key_of(self, name);
    uint32_t *place = copy && make_room(self) ? hash_table_insert(self->index, &key, NULL) : NULL;
    if (!place) {
        free(copy);
        return NULL;
    }
    *place = self->count;
    struct source *s = &self->sources[self->count++];
    *s = (struct source){.name = copy, .heard = now};
    self->revision++;
    return s;
}

static void keep_bookmark(struct wef_session *self, struct source *s, struct bytes bookmark)
{
    if (!bookmark.size)
        return;
    if (bookmark.size == s->bookmark_size && memcmp(bookmark.data, s->bookmark, bookmark.size) == 0)
        return;
    char *copy = malloc(bookmark.size);
    if (!copy)
        return; /* the old one: some events twice, none lost */
    memcpy(copy, bookmark.data, bookmark.size);
    free(s->bookmark);
    s->bookmark = copy;
    s->bookmark_size = (uint32_t)bookmark.size;
    self->revision++;
}

/* --- who may --- */

static bool matches(const char *const *patterns, const char *name)
{
    for (; patterns && *patterns; patterns++)
        if (fnmatch(*patterns, name, 0) == 0)
            return true;
    return false;
}

/* The domain's principals of computers end in a dollar sign. */
static bool is_computer(const struct wef_peer *peer)
{
    if (!peer->kerberos)
        return true; /* the authority's certificates are for nothing else here */
    const uint8_t *at = memchr(peer->name.data, '@', peer->name.size);
    return at && at > peer->name.data && at[-1] == '$';
}

static bool may_forward(const struct wef_session *self, const struct wef_peer *peer, const char *name)
{
    const char *const *sources = self->settings.sources;
    if (matches(self->settings.forwarders, name))
        return true;
    return sources && sources[0] ? matches(sources, name) : is_computer(peer);
}

static struct bytes first_label(struct bytes name)
{
    size_t size = 0;
    while (size < name.size && size < NETBIOS_MAX && !memchr(".$@", name.data[size], 3))
        size++;
    return (struct bytes){.data = name.data, .size = size};
}

bool wef_session_may_speak(const struct wef_session *self, const struct wef_peer *peer, struct bytes computer)
{
    char name[WEF_NAME_MAX];
    if (!lower_name(peer->name, name))
        return false;
    if (matches(self->settings.forwarders, name))
        return true;
    struct bytes own = first_label(peer->name), other = first_label(computer);
    if (own.size == 0 || own.size != other.size)
        return false;
    for (size_t i = 0; i < own.size; i++)
        if (lower((char)own.data[i]) != lower((char)other.data[i]))
            return false;
    return true;
}

/* --- messages --- */

struct exchange {
    struct wef_session *self;
    const struct wef_request *request;
    struct wef_message message;
    struct wef_reply reply;
    struct wef_answer *answer;
    struct source *source;
};

static void answer_text(struct exchange *x, unsigned status, size_t length)
{
    x->answer->status = status;
    x->answer->soap = (struct bytes){.data = (const uint8_t *)x->self->answer, .size = length};
}

static void answer_fault(struct exchange *x, enum wef_fault fault)
{
    x->self->counts.faults++;
    x->answer->fault = fault;
    size_t length = wef_write_fault(x->self->answer, sizeof x->self->answer, &x->reply, fault);
    if (length < sizeof x->self->answer)
        answer_text(x, wef_fault_status(fault), length);
    else
        x->answer->status = 500;
}

static void answer_ack(struct exchange *x)
{
    if (!x->message.ack_requested) {
        x->answer->status = 204;
        return;
    }
    size_t length = wef_write_ack(x->self->answer, sizeof x->self->answer, &x->reply);
    if (length < sizeof x->self->answer)
        answer_text(x, 200, length);
    else
        answer_fault(x, WEF_FAULT_HEADER);
}

/* The host and port of "http://host:port/...", as the source named this one. */
static struct bytes authority_of(struct bytes url)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
    struct bytes none = {0};
    size_t at = 0;
    while (at < url.size && url.data[at] != ':')
        at++;
    if (url.size - at < 4 || memcmp(url.data + at, "://", 3) != 0)
        return none;
    struct bytes host = {.data = url.data + at + 3, .size = 0};
    for (at += 3; at < url.size && url.data[at] != '/'; at++, host.size++)
        if (!memchr(allowed, url.data[at], sizeof allowed - 1) || host.size == AUTHORITY_MAX)
            return none;
    return host;
}

static void answer_enumerate(struct exchange *x)
{
    struct wef_session *self = x->self;
    const struct wef_request *request = x->request;
    if (!x->message.optimized) {
        answer_fault(x, WEF_FAULT_UNSUPPORTED);
        return;
    }
    struct wef_offer offer = {
        .terms = &self->settings.terms,
        .tls = !request->peer.kerberos,
        .authority = authority_of(x->message.to),
        .thumbprint = request->peer.thumbprint,
        .bookmark = {.data = (const uint8_t *)x->source->bookmark, .size = x->source->bookmark_size},
    };
    memcpy(offer.ids, request->random[1], sizeof offer.ids);
    if (!offer.authority.size) {
        answer_fault(x, WEF_FAULT_HEADER);
        return;
    }
    size_t length = wef_write_subscription(self->answer, sizeof self->answer, &x->reply, &offer);
    size_t encoded = x->message.utf16 ? 2 * length + 2 : length;
    if (length >= sizeof self->answer || (x->message.max_envelope && encoded > x->message.max_envelope)) {
        answer_fault(x, WEF_FAULT_ENCODING_LIMIT);
        return;
    }
    x->source->subscribed = request->now;
    x->source->ended = false;
    self->revision++;
    answer_text(x, 200, length);
}

static void take_events(struct exchange *x)
{
    struct wef_session *self = x->self;
    for (uint32_t i = 0; i < x->message.events_count; i++) {
        switch (self->settings.take(self->settings.context, &x->request->peer, x->message.events[i])) {
        case WEF_TAKEN:
            self->counts.events++;
            x->source->events++;
            x->source->event = x->request->now;
            break;
        case WEF_FOREIGN:
            self->counts.foreign++;
            x->source->foreign++;
            break;
        case WEF_NO_ROOM:
            answer_fault(x, WEF_FAULT_BUSY);
            return;
        }
    }
    keep_bookmark(self, x->source, x->message.bookmark);
    answer_ack(x);
}

static bool is_at(const struct exchange *x, enum wef_action action)
{
    if (action == WEF_ENUMERATE)
        return strncasecmp(x->request->path, MANAGER_PREFIX, strlen(MANAGER_PREFIX)) == 0;
    return strcasecmp(x->request->path, wef_subscription_path()) == 0;
}

static void serve(struct exchange *x)
{
    enum wef_action action = x->message.action;
    if (action == WEF_END) {
        x->answer->status = 204;
        return;
    }
    if (!is_at(x, action)) {
        answer_fault(x, action == WEF_ENUMERATE ? WEF_FAULT_RESOURCE : WEF_FAULT_REFUSED);
        return;
    }
    switch (action) {
    case WEF_ENUMERATE:
        answer_enumerate(x);
        break;
    case WEF_EVENTS:
        take_events(x);
        break;
    case WEF_HEARTBEAT:
        x->self->counts.heartbeats++;
        keep_bookmark(x->self, x->source, x->message.bookmark);
        answer_ack(x);
        break;
    default: /* WEF_SUBSCRIPTION_END */
        x->source->ended = true;
        answer_ack(x);
    }
}

static bool is_resource(struct bytes uri)
{
    return uri.size == sizeof WEF_RESOURCE - 1 && memcmp(uri.data, WEF_RESOURCE, uri.size) == 0;
}

void wef_session_handle(struct wef_session *self, const struct wef_request *request,
                        struct wef_answer *answer)
{
    char name[WEF_NAME_MAX];
    struct exchange x = {.self = self, .request = request, .answer = answer};
    *answer = (struct wef_answer){.status = 500};
    self->counts.requests++;
    enum wef_fault fault = wef_read(self->reader, request->soap, &x.message);
    x.reply.request = &x.message;
    memcpy(x.reply.id, request->random[0], sizeof x.reply.id);
    answer->utf16 = x.message.utf16;
    answer->action = x.message.action;
    if (fault == WEF_FINE &&
        (!lower_name(request->peer.name, name) || !may_forward(self, &request->peer, name))) {
        self->counts.refused++;
        fault = WEF_FAULT_DENIED;
    }
    if (fault == WEF_FINE && x.message.action == WEF_ENUMERATE && !is_resource(x.message.resource))
        fault = WEF_FAULT_RESOURCE;
    if (fault == WEF_FINE && !(x.source = add_source(self, name, request->now)))
        fault = WEF_FAULT_BUSY;
    if (fault != WEF_FINE) {
        answer_fault(&x, fault);
        return;
    }
    x.source->heard = request->now;
    x.source->address = request->peer.address;
    serve(&x);
}

/* --- its sources, for others --- */

static bool is_silent(const struct wef_session *self, const struct source *s, int64_t now)
{
    int64_t patience = (int64_t)self->settings.terms.heartbeat * WEF_SILENT_BEATS * INT64_C(1000000000);
    return now - s->heard > patience && !is_forgotten(s, now);
}

bool wef_session_source(const struct wef_session *self, uint32_t i, int64_t now, struct wef_source *to)
{
    if (i >= self->count)
        return false;
    const struct source *s = &self->sources[i];
    *to = (struct wef_source){
        .address = s->address,
        .subscribed = s->subscribed,
        .heard = s->heard,
        .event = s->event,
        .events = s->events,
        .foreign = s->foreign,
        .ended = s->ended,
        .silent = is_silent(self, s, now),
        .bookmark = {.data = (const uint8_t *)s->bookmark, .size = s->bookmark_size},
    };
    memcpy(to->name, s->name, strlen(s->name) + 1);
    return true;
}

void wef_session_counts(const struct wef_session *self, int64_t now, struct wef_counts *counts)
{
    *counts = self->counts;
    counts->sources = self->count;
    counts->silent = 0;
    for (uint32_t i = 0; i < self->count; i++)
        counts->silent += is_silent(self, &self->sources[i], now);
}

/* --- what outlives it --- */

uint64_t wef_session_revision(const struct wef_session *self)
{
    return self->revision;
}

/* [version, source...]; a source is [name, bookmark, subscribed, heard, event, events, foreign, ended]. */
#define SAVED_FIELDS 8u

uint8_t *wef_session_save(const struct wef_session *self, size_t *size)
{
    size_t capacity = 64;
    for (uint32_t i = 0; i < self->count; i++)
        capacity += strlen(self->sources[i].name) + self->sources[i].bookmark_size + 80;
    uint8_t *to = malloc(capacity);
    if (!to)
        return NULL;
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, capacity);
    msgpack_put_array(&w, self->count + 1);
    msgpack_put_uint(&w, SAVED_VERSION);
    for (uint32_t i = 0; i < self->count; i++) {
        const struct source *s = &self->sources[i];
        msgpack_put_array(&w, SAVED_FIELDS);
        msgpack_put_text(&w, s->name);
        msgpack_put_binary(&w, s->bookmark, s->bookmark_size);
        msgpack_put_int(&w, s->subscribed);
        msgpack_put_int(&w, s->heard);
        msgpack_put_int(&w, s->event);
        msgpack_put_uint(&w, s->events);
        msgpack_put_uint(&w, s->foreign);
        msgpack_put_bool(&w, s->ended);
    }
    *size = w.size;
    return to;
}

static bool read_whole(struct cursor *c, int64_t *value)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_UINT || item.uint > INT64_MAX)
        return false;
    *value = (int64_t)item.uint;
    return true;
}

static bool load_source(struct wef_session *self, struct cursor *c)
{
    char text[WEF_NAME_MAX];
    int64_t subscribed, heard, event, events, foreign;
    struct msgpack_item head = msgpack_next(c), name = msgpack_next(c), bookmark = msgpack_next(c);
    if (head.type != MSGPACK_ARRAY || head.count != SAVED_FIELDS || name.type != MSGPACK_STRING ||
        bookmark.type != MSGPACK_BINARY || bookmark.bytes.size > WEF_BOOKMARK_MAX ||
        !lower_name(name.bytes, text))
        return false;
    if (!read_whole(c, &subscribed) || !read_whole(c, &heard) || !read_whole(c, &event) ||
        !read_whole(c, &events) || !read_whole(c, &foreign))
        return false;
    struct msgpack_item ended = msgpack_next(c);
    struct source *s = ended.type == MSGPACK_BOOL ? add_source(self, text, heard) : NULL;
    if (!s)
        return false;
    keep_bookmark(self, s, bookmark.bytes);
    s->subscribed = subscribed;
    s->heard = heard;
    s->event = event;
    s->events = (uint64_t)events;
    s->foreign = (uint64_t)foreign;
    s->ended = ended.boolean;
    return true;
}

bool wef_session_load(struct wef_session *self, struct bytes saved)
{
    struct cursor c = cursor_of_bytes(saved);
    struct msgpack_item head = msgpack_next(&c), version = msgpack_next(&c);
    if (head.type != MSGPACK_ARRAY || version.type != MSGPACK_UINT || version.uint != SAVED_VERSION)
        return false;
    for (uint32_t i = 1; i < head.count; i++)
        if (!load_source(self, &c))
            return false;
    return cursor_done(&c);
}
