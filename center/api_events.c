/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api_events.h"

#include "base/text.h"

#include <pthread.h>
#include <stdlib.h>

#define STREAMS_MAX 64u
#define BUFFER_SIZE 65536u
#define EVENT_MAX   1024u
#define ALIVE_EVERY (15 * CLOCK_SECOND)
#define LIFETIME    CLOCK_HOUR /* then the client comes again */

static const char resync[] = "event: resync\ndata: {}\n\n";

struct stream {
    struct api_events *events;
    struct MHD_Connection *connection;
    struct api_listening listening;
    uint64_t number; /* of those that ever were: a place is taken again */
    int64_t began, told;
    bool used, suspended, ending, missed;
    size_t begin, size; /* of what waits */
    char buffer[BUFFER_SIZE];
};

struct api_events {
    pthread_mutex_t lock;
    bool ending;
    uint64_t number; /* of the last stream */
    struct stream streams[STREAMS_MAX];
};

static int64_t monotonic(void)
{
    return clock_monotonic(clock_system());
}

struct api_events *api_events_new(void)
{
    struct api_events *events = calloc(1, sizeof(*events));
    if (events)
        pthread_mutex_init(&events->lock, NULL);
    return events;
}

void api_events_destroy(struct api_events **events)
{
    if (!*events)
        return;
    pthread_mutex_destroy(&(*events)->lock);
    free(*events);
    *events = NULL;
}

/* --- under the lock --- */

static void wake(struct stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->connection);
}

static void put(struct stream *stream, const char *text, size_t size)
{
    size_t reserve = sizeof(resync) - 1;
    if (stream->begin > 0) {
        memmove(stream->buffer, stream->buffer + stream->begin, stream->size);
        stream->begin = 0;
    }
    if (!stream->missed && stream->size + size + reserve > BUFFER_SIZE) {
        memcpy(stream->buffer + stream->size, resync, reserve);
        stream->size += reserve;
        stream->missed = true;
    } else if (!stream->missed) {
        memcpy(stream->buffer + stream->size, text, size);
        stream->size += size;
    }
    stream->told = monotonic();
    wake(stream);
}

/* --- a stream --- */

static ssize_t on_read(void *context, uint64_t position, char *to, size_t capacity)
{
    struct stream *stream = context;
    (void)position;
    pthread_mutex_lock(&stream->events->lock);
    size_t n = stream->size < capacity ? stream->size : capacity;
    ssize_t result = (ssize_t)n;
    if (n > 0) {
        memcpy(to, stream->buffer + stream->begin, n);
        stream->begin += n;
        stream->size -= n;
        stream->missed &= stream->size > 0;
    } else if (stream->ending || stream->events->ending) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&stream->events->lock);
    return result;
}

static void on_free(void *context)
{
    struct stream *stream = context;
    pthread_mutex_lock(&stream->events->lock);
    stream->used = stream->suspended = false;
    pthread_mutex_unlock(&stream->events->lock);
}

static struct stream *take_stream(struct api_events *events, struct MHD_Connection *connection,
                                  const struct api_listening *listening)
{
    struct stream *stream = NULL;
    pthread_mutex_lock(&events->lock);
    for (unsigned i = 0; i < STREAMS_MAX && !stream && !events->ending; i++)
        if (!events->streams[i].used)
            stream = &events->streams[i];
    if (stream) {
        stream->events = events;
        stream->connection = connection;
        stream->listening = *listening;
        stream->number = ++events->number;
        stream->began = stream->told = monotonic();
        stream->used = true;
        stream->suspended = stream->ending = stream->missed = false;
        stream->begin = 0;
        stream->size = strlen("retry: 5000\n\n");
        memcpy(stream->buffer, "retry: 5000\n\n", stream->size);
    }
    pthread_mutex_unlock(&events->lock);
    return stream;
}

bool api_events_answer(struct api_events *events, struct MHD_Connection *connection,
                       const struct api_listening *listening)
{
    struct stream *stream = take_stream(events, connection, listening);
    if (!stream)
        return false;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, stream, on_free);
    if (!response) {
        on_free(stream);
        return false;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued == MHD_YES;
}

/* --- what they hear --- */

static void put_pair(struct text *t, const char *key, const char *value)
{
    text_string(t, ",\"");
    text_string(t, key);
    text_string(t, "\":");
    text_json_string(t, (struct bytes){(const uint8_t *)value, strlen(value)});
}

static size_t put_event(char *to, const struct stored_alert *alert, enum alert_trigger trigger)
{
    struct text t = text_to(to, EVENT_MAX);
    text_string(&t, "id: ");
    text_int(&t, alert->changed);
    text_string(&t, "\nevent: alert\ndata: {\"trigger\":\"");
    text_string(&t, alert_trigger_name(trigger));
    text_string(&t, "\",\"id\":\"");
    text_hex(&t, (struct bytes){alert->alert.id, sizeof(alert->alert.id)});
    text_string(&t, "\",\"number\":");
    text_int(&t, alert->number);
    text_string(&t, ",\"workspace\":");
    text_uint(&t, alert->workspace);
    text_string(&t, ",\"external_id\":");
    text_uint(&t, alert->alert.external_id);
    text_string(&t, ",\"count\":");
    text_uint(&t, alert->alert.count);
    put_pair(&t, "severity", severity_name(alert->alert.severity));
    put_pair(&t, "status", alert_status_name(alert->alert.status));
    put_pair(&t, "classification", alert_classification_name(alert->classification));
    put_pair(&t, "title", alert->title);
    text_string(&t, "}\n\n");
    return text_end(&t);
}

static void on_changed(void *context, const struct stored_alert *alert, enum alert_trigger trigger)
{
    struct api_events *events = context;
    char text[EVENT_MAX];
    size_t size = put_event(text, alert, trigger);
    if (size >= sizeof(text))
        return;
    pthread_mutex_lock(&events->lock);
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        struct stream *stream = &events->streams[i];
        uint64_t workspace = stream->listening.workspace;
        if (stream->used && !stream->ending && (workspace == 0 || workspace == alert->workspace))
            put(stream, text, size);
    }
    pthread_mutex_unlock(&events->lock);
}

struct alert_listener api_events_listener(struct api_events *events)
{
    return (struct alert_listener){.changed = on_changed, .context = events};
}

void api_events_tick(struct api_events *events)
{
    int64_t now = monotonic();
    pthread_mutex_lock(&events->lock);
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        struct stream *stream = &events->streams[i];
        if (!stream->used || stream->ending)
            continue;
        if (now - stream->began > LIFETIME) {
            stream->ending = true;
            wake(stream);
        } else if (now - stream->told > ALIVE_EVERY) {
            put(stream, ":\n\n", 3);
        }
    }
    pthread_mutex_unlock(&events->lock);
}

static bool copy_listening(struct api_events *events, unsigned index, struct api_listening *to,
                           uint64_t *number)
{
    const struct stream *stream = &events->streams[index];
    pthread_mutex_lock(&events->lock);
    bool listens = stream->used && !stream->ending;
    *to = stream->listening;
    *number = stream->number;
    pthread_mutex_unlock(&events->lock);
    return listens;
}

static void end_stream(struct api_events *events, unsigned index, uint64_t number)
{
    struct stream *stream = &events->streams[index];
    pthread_mutex_lock(&events->lock);
    if (stream->used && stream->number == number) {
        stream->ending = true;
        stream->size = 0;
        wake(stream);
    }
    pthread_mutex_unlock(&events->lock);
}

void api_events_review(struct api_events *events,
                       bool (*may)(void *context, const struct api_listening *listening), void *context)
{
    struct api_listening listening;
    uint64_t number;
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        if (copy_listening(events, i, &listening, &number) && !may(context, &listening))
            end_stream(events, i, number);
}

void api_events_end(struct api_events *events)
{
    pthread_mutex_lock(&events->lock);
    events->ending = true;
    for (unsigned i = 0; i < STREAMS_MAX; i++)
        if (events->streams[i].used)
            wake(&events->streams[i]);
    pthread_mutex_unlock(&events->lock);
}
