/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/zap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/hash_table.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "cluster/crypto_sodium.h"

#define ENDPOINT      "inproc://zeromq.zap.01" /* RFC 27 */
#define ADDRESSES_MAX 1024u                    /* whose share of enrolments is counted */

/* A token bucket; a token is one connection. Times in ns. */
struct bucket {
    int64_t at;
    uint32_t milli; /* thousandths of a token */
};

struct source {
    char address[48];
};

struct zap {
    pthread_mutex_t lock;       /* over all but the socket and the thread */
    struct hash_table *keys;    /* key -> struct node_id */
    struct hash_table *sources; /* struct source -> struct bucket */
    struct bucket everybody;
    uint32_t burst, per_minute;
    struct zap_counters counters;
    void *socket;
    pthread_t thread;
};

static bool frame_is(struct bytes frame, const char *text)
{
    return frame.size == strlen(text) && memcmp(frame.data, text, frame.size) == 0;
}

/* version, request id, domain, address, identity, mechanism, key */
bool zap_request_read(struct zap_request *request, const struct bytes *frames, unsigned count)
{
    *request = (struct zap_request){0};
    if (count >= 2 && frames[1].size <= 255)
        request->id = frames[1];
    if (count != ZAP_FRAMES || !frame_is(frames[0], "1.0") || request->id.size != frames[1].size)
        return false;
    request->enrolment = frame_is(frames[2], ZAP_DOMAIN_ENROLMENT);
    if (!request->enrolment && !frame_is(frames[2], ZAP_DOMAIN_FLEET))
        return false;
    if (frames[3].size >= sizeof request->address)
        return false;
    if (frames[3].size)
        memcpy(request->address, frames[3].data, frames[3].size);
    if (!frame_is(frames[5], "CURVE") || frames[6].size != ZAP_KEY_SIZE)
        return false;
    memcpy(request->key, frames[6].data, ZAP_KEY_SIZE);
    return true;
}

static bool bucket_take(struct bucket *bucket, int64_t now, uint32_t burst, uint32_t per_minute)
{
    uint64_t full = (uint64_t)burst * 1000;
    uint64_t gained = (uint64_t)((now - bucket->at) / CLOCK_MILLISECOND) * per_minute / 60;
    uint64_t milli = bucket->at ? bucket->milli + gained : full;
    if (!bucket->at || gained)
        bucket->at = now;
    bucket->milli = (uint32_t)(milli < full ? milli : full);
    if (bucket->milli < 1000)
        return false;
    bucket->milli -= 1000;
    return true;
}

static bool still_counts(void *context, const void *key, void *value)
{
    (void)key;
    const struct bucket *bucket = value;
    return *(int64_t *)context - bucket->at < 10 * CLOCK_MINUTE;
}

/* The share of one address is limited first, so that one flooder does not spend what is everybody's. Without
 * room for another address it is refused: thousands of them at a time are an attack. */
static bool may_enrol(struct zap *self, const char *address)
{
    int64_t now = clock_monotonic(clock_system());
    struct source source = {0};
    memcpy(source.address, address, strnlen(address, sizeof source.address - 1));
    if (hash_table_count(self->sources) == ADDRESSES_MAX)
        hash_table_retain(self->sources, still_counts, &now);
    struct bucket *own = hash_table_insert(self->sources, &source, NULL);
    return own && bucket_take(own, now, (self->burst + 3) / 4, (self->per_minute + 3) / 4) &&
           bucket_take(&self->everybody, now, self->burst, self->per_minute);
}

/* Whether the key comes in; `user` gets the node's id as text. */
static bool decide(struct zap *self, const struct zap_request *request, char user[NODE_ID_TEXT_SIZE])
{
    if (request->enrolment) {
        strcpy(user, "-");
        bool fine = may_enrol(self, request->address);
        ++*(fine ? &self->counters.enrolments : &self->counters.enrolments_limited);
        return fine;
    }
    const struct node_id *id = hash_table_find(self->keys, request->key);
    ++*(id ? &self->counters.admitted : &self->counters.refused);
    if (id)
        node_id_text(id, user);
    return id;
}

static bool send_part(void *socket, const void *data, size_t size, bool more)
{
    return zmq_send(socket, data, size, more ? ZMQ_SNDMORE : 0) >= 0;
}

/* One property, as ZMTP writes them: the name's length, the name, the value's length in four bytes, the
 * value. */
static size_t metadata_write(const uint8_t key[ZAP_KEY_SIZE], uint8_t to[128])
{
    char hex[2 * ZAP_KEY_SIZE + 1];
    struct text text = text_to(hex, sizeof hex);
    text_hex(&text, (struct bytes){key, ZAP_KEY_SIZE});
    text_end(&text);
    size_t name = sizeof ZAP_KEY - 1;
    size_t value = sizeof hex - 1;
    uint8_t length[4] = {0, 0, 0, (uint8_t)value};
    to[0] = (uint8_t)name;
    memcpy(to + 1, ZAP_KEY, name);
    memcpy(to + 1 + name, length, 4);
    memcpy(to + 5 + name, hex, value);
    return 5 + name + value;
}

static bool answer(struct zap *self, const struct zap_request *request, const char *user)
{
    uint8_t metadata[128];
    size_t metadata_size = user ? metadata_write(request->key, metadata) : 0;
    /* 400 for every refusal: after 300 libzmq leaves the peer hanging. */
    return send_part(self->socket, "1.0", 3, true) &&
           send_part(self->socket, request->id.data, request->id.size, true) &&
           send_part(self->socket, user ? "200" : "400", 3, true) &&
           send_part(self->socket, user ? "OK" : "no", 2, true) &&
           send_part(self->socket, user ? user : "", user ? strlen(user) : 0, true) &&
           send_part(self->socket, metadata, metadata_size, false);
}

static bool handle(struct zap *self, const struct bytes *frames, unsigned count)
{
    struct zap_request request;
    char user[NODE_ID_TEXT_SIZE] = "";
    bool fine = zap_request_read(&request, frames, count);
    pthread_mutex_lock(&self->lock);
    if (fine)
        fine = decide(self, &request, user);
    else
        self->counters.malformed++;
    pthread_mutex_unlock(&self->lock);
    if (!fine)
        log_warning("a connection from %s %s is refused", request.address[0] ? request.address : "?",
                    request.enrolment ? "to enrol, one too many," : "with a key that is not admitted");
    return answer(self, &request, fine ? user : NULL);
}

/* Receives a whole question; frames beyond the last that one may have are counted, not kept. False when the
 * context ended. */
static bool receive(void *socket, zmq_msg_t parts[ZAP_FRAMES], unsigned *count)
{
    *count = 0;
    for (bool more = true; more; ++*count) {
        zmq_msg_t excess;
        zmq_msg_t *part = *count < ZAP_FRAMES ? &parts[*count] : &excess;
        if (part == &excess)
            zmq_msg_init(&excess);
        while (zmq_msg_recv(part, socket, 0) < 0)
            if (errno != EINTR)
                return false;
        more = zmq_msg_more(part);
        if (part == &excess)
            zmq_msg_close(&excess);
    }
    return true;
}

static bool serve(struct zap *self)
{
    zmq_msg_t parts[ZAP_FRAMES];
    struct bytes frames[ZAP_FRAMES];
    unsigned count;
    for (unsigned i = 0; i < ZAP_FRAMES; i++)
        zmq_msg_init(&parts[i]);
    bool fine = receive(self->socket, parts, &count);
    for (unsigned i = 0; i < ZAP_FRAMES; i++)
        frames[i] = (struct bytes){zmq_msg_data(&parts[i]), zmq_msg_size(&parts[i])};
    fine = fine && handle(self, frames, count);
    for (unsigned i = 0; i < ZAP_FRAMES; i++)
        zmq_msg_close(&parts[i]);
    return fine;
}

static void *run(void *context)
{
    struct zap *self = context;
    while (serve(self))
        ;
    zmq_close(self->socket);
    return NULL;
}

static bool start(struct zap *self, void *context)
{
    self->socket = zmq_socket(context, ZMQ_REP);
    if (!self->socket)
        return false;
    if (zmq_bind(self->socket, ENDPOINT) != 0) {
        zmq_close(self->socket);
        return false;
    }
    bool started = thread_start(&self->thread, "zap", run, self);
    if (!started)
        zmq_close(self->socket);
    return started;
}

static void release(struct zap *self)
{
    hash_table_destroy(&self->keys);
    hash_table_destroy(&self->sources);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

struct zap *zap_new(const struct zap_options *options)
{
    struct zap *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    uint64_t seed;
    crypto_random(&seed, sizeof seed);
    pthread_mutex_init(&self->lock, NULL);
    self->burst = options->enrolments_burst;
    self->per_minute = options->enrolments_per_min;
    self->keys = hash_table_new(options->keys_max, ZAP_KEY_SIZE, sizeof(struct node_id), seed);
    self->sources = hash_table_new(ADDRESSES_MAX, sizeof(struct source), sizeof(struct bucket), seed);
    if (self->keys && self->sources && start(self, options->context))
        return self;
    release(self);
    return NULL;
}

void zap_destroy(struct zap **self_p)
{
    struct zap *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_join(self->thread, NULL);
    release(self);
}

bool zap_admit(struct zap *self, const struct node_id *id, const uint8_t key[ZAP_KEY_SIZE])
{
    bool added;
    pthread_mutex_lock(&self->lock);
    struct node_id *owner = hash_table_insert(self->keys, key, &added);
    if (owner && added)
        *owner = *id;
    bool fine = owner && node_id_equal(owner, id);
    pthread_mutex_unlock(&self->lock);
    return fine;
}

uint32_t zap_expel_key(struct zap *self, const uint8_t key[ZAP_KEY_SIZE])
{
    pthread_mutex_lock(&self->lock);
    uint32_t removed = hash_table_remove(self->keys, key);
    pthread_mutex_unlock(&self->lock);
    return removed;
}

static bool of_another(void *context, const void *key, void *value)
{
    (void)key;
    return !node_id_equal(context, value);
}

uint32_t zap_expel_node(struct zap *self, const struct node_id *id)
{
    struct node_id expelled = *id;
    pthread_mutex_lock(&self->lock);
    uint32_t removed = hash_table_retain(self->keys, of_another, &expelled);
    pthread_mutex_unlock(&self->lock);
    return removed;
}

bool zap_find(struct zap *self, const uint8_t key[ZAP_KEY_SIZE], struct node_id *id)
{
    pthread_mutex_lock(&self->lock);
    const struct node_id *owner = hash_table_find(self->keys, key);
    if (owner)
        *id = *owner;
    pthread_mutex_unlock(&self->lock);
    return owner;
}

uint32_t zap_count(struct zap *self)
{
    pthread_mutex_lock(&self->lock);
    uint32_t count = hash_table_count(self->keys);
    pthread_mutex_unlock(&self->lock);
    return count;
}

void zap_counters(struct zap *self, struct zap_counters *counters)
{
    pthread_mutex_lock(&self->lock);
    *counters = self->counters;
    pthread_mutex_unlock(&self->lock);
}
