/* SPDX-License-Identifier: Apache-2.0
 *
 * What mail and webhooks share of libcurl: bounded in time, quiet, without whatever the environment says.
 */
#pragma once

#include "center/notify_output.h"

#include <curl/curl.h>

struct notify_curl {
    CURL *curl;
    const struct notify_common *common;
    char error[CURL_ERROR_SIZE];
};

/* A transfer to be set up further. False without memory. */
bool notify_curl_begin(struct notify_curl *to, const struct notify_common *common, const char *url,
                       const char *ca);
/* Does it. `*code`: what was answered last, 0: nothing. False with the reason: it did not come to its end. */
bool notify_curl_perform(struct notify_curl *transfer, long *code, struct fault *fault);
void notify_curl_end(struct notify_curl *transfer);
