/* SPDX-License-Identifier: Apache-2.0 */
#include "center/notify_curl.h"

#include <pthread.h>

#define TIMEOUT    (30 * CLOCK_SECOND)
#define ANSWER_MAX 65536u

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool started;

static void start(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* Answers are not looked at; a long one is cut off, which ends the transfer. */
static size_t swallow(char *data, size_t size, size_t count, void *context)
{
    size_t *taken = context;
    (void)data;
    *taken += size * count;
    return *taken <= ANSWER_MAX ? size * count : 0;
}

static int look_around(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct notify_common *common = context;
    (void)a, (void)b, (void)c, (void)d;
    return common->ending && atomic_load(common->ending);
}

bool notify_curl_begin(struct notify_curl *to, const struct notify_common *common, const char *url,
                       const char *ca)
{
    int64_t timeout = common->timeout ? common->timeout : TIMEOUT;
    pthread_once(&once, start);
    *to = (struct notify_curl){.curl = started ? curl_easy_init() : NULL, .common = common};
    CURL *curl = to->curl;
    if (!curl)
        return false;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout / CLOCK_MILLISECOND));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout / CLOCK_MILLISECOND));
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, to->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_around);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, common);
    if (ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    return true;
}

bool notify_curl_perform(struct notify_curl *transfer, long *code, struct fault *fault)
{
    size_t taken = 0;
    *code = 0;
    transfer->error[0] = '\0';
    curl_easy_setopt(transfer->curl, CURLOPT_WRITEDATA, &taken);
    curl_easy_setopt(transfer->curl, CURLOPT_ERRORBUFFER, transfer->error);
    CURLcode rc = curl_easy_perform(transfer->curl);
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, code);
    return rc == CURLE_OK ||
           fault_say(fault, "%s", transfer->error[0] ? transfer->error : curl_easy_strerror(rc));
}

void notify_curl_end(struct notify_curl *transfer)
{
    if (transfer->curl)
        curl_easy_cleanup(transfer->curl);
    transfer->curl = NULL;
}
