/* SPDX-License-Identifier: Apache-2.0
 *
 * What a local user may send to the control socket: frames in pieces (the first byte says of what size), and
 * the requests in them.
 */
#include "node/control_frame.h"
#include "node/control_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_request(struct bytes body)
{
    struct control_request request;
    const char *fault = NULL;
    bool fine = control_request_read(&request, body, &fault);
    if (fine != (fault == NULL) || request.verb >= CONTROL_VERBS ||
        !memchr(request.domain, '\0', sizeof(request.domain)))
        abort();
    control_request_free(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t step = data[0] ? data[0] : 1;
    struct control_frame frame = {.max = 4096};
    for (size_t at = 1, wants; at < size && (wants = control_frame_wants(&frame)) > 0;) {
        size_t n = wants < step ? wants : step;
        n = n < size - at ? n : size - at;
        memcpy(control_frame_room(&frame), data + at, n);
        control_frame_took(&frame, n);
        at += n;
        struct bytes body;
        if (control_frame_whole(&frame, &body)) {
            uint8_t *copy = malloc(body.size ? body.size : 1);
            memcpy(copy, body.data, body.size);
            read_request((struct bytes){copy, body.size});
            free(copy);
            control_frame_next(&frame);
        }
    }
    control_frame_free(&frame);
    read_request((struct bytes){data + 1, size - 1});
    return 0;
}
