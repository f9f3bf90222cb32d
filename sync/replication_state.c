/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/replication_state.h"

#include <strings.h>

enum { STATE_VERSION = 1, STATE_ITEMS = 13, POINT_VERSION = 1, POINT_ITEMS = 5 };

/* An array: version, phase, method, object security, pass, invocationId, usn, pass usn, slice at, slice
 * width, cookie, controllers [[name, invocationId, usn] ...], an end mark (nil). */
size_t replication_state_write(const struct replication_state *state, uint8_t *to, size_t capacity)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, capacity);
    msgpack_put_array(&w, STATE_ITEMS);
    msgpack_put_uint(&w, STATE_VERSION);
    msgpack_put_uint(&w, state->phase);
    msgpack_put_uint(&w, state->method);
    msgpack_put_bool(&w, state->object_security);
    msgpack_put_uint(&w, state->pass);
    msgpack_put_binary(&w, state->invocation_id, sizeof state->invocation_id);
    msgpack_put_uint(&w, state->usn);
    msgpack_put_uint(&w, state->pass_usn);
    msgpack_put_uint(&w, state->slice_at);
    msgpack_put_uint(&w, state->slice_width);
    msgpack_put_binary(&w, state->cookie, state->cookie_size);
    msgpack_put_array(&w, state->controller_count);
    for (uint32_t i = 0; i < state->controller_count; i++) {
        msgpack_put_array(&w, 3);
        msgpack_put_text(&w, state->controllers[i].name);
        msgpack_put_binary(&w, state->controllers[i].invocation_id, 16);
        msgpack_put_uint(&w, state->controllers[i].usn);
    }
    msgpack_put_nil(&w);
    return w.full ? 0 : w.size;
}

static void read_controller(struct cursor *c, struct replication_controller *to)
{
    if (msgpack_take_array(c, 0, 3) != 3)
        cursor_fail(c);
    struct bytes name = msgpack_take_bytes(c, MSGPACK_STRING, sizeof to->name - 1);
    if (name.size)
        memcpy(to->name, name.data, name.size);
    msgpack_take_binary(c, to->invocation_id, 16);
    to->usn = msgpack_take_uint(c, UINT64_MAX);
}

bool replication_state_read(struct bytes from, struct replication_state *state)
{
    memset(state, 0, sizeof *state);
    struct cursor c = cursor_of_bytes(from);
    if (msgpack_take_array(&c, 0, STATE_ITEMS) != STATE_ITEMS ||
        msgpack_take_uint(&c, STATE_VERSION) != STATE_VERSION)
        return false;
    state->phase = (enum replication_phase)msgpack_take_uint(&c, PHASE_FOLLOWING);
    state->method = (enum directory_method)msgpack_take_uint(&c, DIRECTORY_USN);
    state->object_security = msgpack_take_bool(&c);
    state->pass = (uint32_t)msgpack_take_uint(&c, UINT32_MAX);
    msgpack_take_binary(&c, state->invocation_id, 16);
    state->usn = msgpack_take_uint(&c, UINT64_MAX);
    state->pass_usn = msgpack_take_uint(&c, UINT64_MAX);
    state->slice_at = msgpack_take_uint(&c, UINT64_MAX);
    state->slice_width = msgpack_take_uint(&c, UINT64_MAX);
    struct bytes cookie = msgpack_take_bytes(&c, MSGPACK_BINARY, sizeof state->cookie);
    if (cookie.size)
        memcpy(state->cookie, cookie.data, cookie.size);
    state->cookie_size = (uint32_t)cookie.size;
    state->controller_count = msgpack_take_array(&c, 0, REPLICATION_CONTROLLERS_MAX);
    for (uint32_t i = 0; i < state->controller_count && !c.failed; i++)
        read_controller(&c, &state->controllers[i]);
    if (msgpack_next(&c).type != MSGPACK_NIL || !cursor_done(&c) || c.failed) {
        memset(state, 0, sizeof *state);
        return false;
    }
    return true;
}

struct replication_controller *replication_state_controller(struct replication_state *state, const char *name)
{
    for (uint32_t i = 0; i < state->controller_count; i++) {
        if (strcasecmp(state->controllers[i].name, name) == 0)
            return &state->controllers[i];
    }
    if (state->controller_count == REPLICATION_CONTROLLERS_MAX)
        memmove(&state->controllers[0], &state->controllers[1],
                --state->controller_count * sizeof state->controllers[0]);
    struct replication_controller *fresh = &state->controllers[state->controller_count++];
    memset(fresh, 0, sizeof *fresh);
    strncpy(fresh->name, name, sizeof fresh->name - 1);
    return fresh;
}

/* -- resume points -------------------------------------------------------------------------------- */

size_t replication_point_write(const struct replication_state *state, uint8_t *to, size_t capacity)
{
    for (uint32_t cookie = state->cookie_size;; cookie = 0) {
        struct msgpack_writer w;
        msgpack_writer_init(&w, to, capacity);
        msgpack_put_array(&w, POINT_ITEMS);
        msgpack_put_uint(&w, POINT_VERSION);
        msgpack_put_uint(&w, state->method);
        msgpack_put_binary(&w, state->invocation_id, sizeof state->invocation_id);
        msgpack_put_uint(&w, state->usn);
        msgpack_put_binary(&w, state->cookie, cookie);
        if (!w.full || !cookie)
            return w.full ? 0 : w.size;
    }
}

bool replication_point_read(struct bytes point, struct replication_point *to)
{
    memset(to, 0, sizeof *to);
    struct cursor c = cursor_of_bytes(point);
    if (msgpack_take_array(&c, 0, POINT_ITEMS) != POINT_ITEMS ||
        msgpack_take_uint(&c, POINT_VERSION) != POINT_VERSION)
        return false;
    to->method = (enum directory_method)msgpack_take_uint(&c, DIRECTORY_USN);
    msgpack_take_binary(&c, to->invocation_id, 16);
    to->usn = msgpack_take_uint(&c, UINT64_MAX);
    to->cookie = msgpack_take_bytes(&c, MSGPACK_BINARY, REPLICATION_POINT_MAX);
    return cursor_done(&c) && !c.failed;
}
