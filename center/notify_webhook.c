/* SPDX-License-Identifier: Apache-2.0
 *
 * Webhook: POST of the notice as JSON. With a secret it is signed, together with the time, so that nobody can
 * make one up or send an old one again: X-Picket-Signature: t=SECONDS,v1=HMAC-SHA256(secret, "SECONDS."
 * body).
 */
#include "base/secret.h"
#include "base/text.h"
#include "center/notify_curl.h"

#include <sodium.h>
#include <stdlib.h>

struct notify_webhook {
    const struct notify_common *common;
    struct notify_webhook_config config;
};

static void sign(const struct secret *secret, const char *seconds, struct bytes body,
                 uint8_t mac[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, secret->bytes, secret->size);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)seconds, strlen(seconds));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
    crypto_auth_hmacsha256_update(&state, body.data, body.size);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof(state));
}

static bool put_signature(const struct notify_webhook *self, struct bytes body, char *header, size_t capacity,
                          struct fault *fault)
{
    char seconds[24];
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    struct secret secret;
    struct text t = text_to(seconds, sizeof(seconds));
    if (!secret_read(self->config.secret_file, &secret, fault))
        return false;
    text_int(&t, clock_wall(clock_system()) / CLOCK_SECOND);
    text_end(&t);
    sign(&secret, seconds, body, mac);
    secret_wipe(&secret);
    t = text_to(header, capacity);
    text_string(&t, "X-Picket-Signature: t=");
    text_string(&t, seconds);
    text_string(&t, ",v1=");
    text_hex(&t, (struct bytes){mac, sizeof(mac)});
    text_end(&t);
    return true;
}

static struct curl_slist *headers_of(const struct notify_webhook *self, const struct notice *notice,
                                     struct bytes body, struct fault *fault)
{
    char line[160];
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    struct text t = text_to(line, sizeof(line));
    text_string(&t, "X-Picket-Delivery: ");
    text_int(&t, notice->number);
    text_end(&t);
    if (list)
        curl_slist_append(list, line);
    if (list)
        curl_slist_append(list, "Expect:");
    if (self->config.secret_file) {
        if (!put_signature(self, body, line, sizeof(line), fault)) {
            curl_slist_free_all(list);
            return NULL;
        }
        if (list)
            curl_slist_append(list, line);
    }
    if (!list)
        fault_say(fault, "no memory for a webhook");
    return list;
}

/* A client error is this notice's, but those that say "not now". */
static enum notify_result judge(long code, struct fault *fault)
{
    if (code >= 200 && code < 300)
        return NOTIFY_SENT;
    if (code)
        fault_say(fault, "the webhook answers %ld", code);
    bool later = code == 401 || code == 403 || code == 404 || code == 408 || code == 425 || code == 429;
    return code >= 400 && code < 500 && !later ? NOTIFY_REFUSED : NOTIFY_FAILED;
}

static enum notify_result post(const struct notify_webhook *self, const struct notice *notice,
                               struct bytes body, struct fault *fault)
{
    struct notify_curl transfer;
    struct curl_slist *headers = headers_of(self, notice, body, fault);
    if (!headers)
        return NOTIFY_FAILED;
    enum notify_result result = NOTIFY_FAILED;
    if (notify_curl_begin(&transfer, self->common, self->config.url, self->config.ca)) {
        curl_easy_setopt(transfer.curl, CURLOPT_PROTOCOLS_STR, "https,http");
        curl_easy_setopt(transfer.curl, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(transfer.curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(transfer.curl, CURLOPT_POSTFIELDS, (const char *)body.data);
        curl_easy_setopt(transfer.curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
        long code;
        notify_curl_perform(&transfer, &code, fault); /* the status is the answer, however the rest ends */
        result = judge(code, fault);
        notify_curl_end(&transfer);
    } else {
        fault_say(fault, "no memory for a webhook");
    }
    curl_slist_free_all(headers);
    return result;
}

static enum notify_result send_notice(void *context, const struct notice *notice, struct fault *fault)
{
    const struct notify_webhook *self = context;
    char *json = malloc(NOTICE_JSON_MAX);
    size_t size = json ? notice_json(notice, json, NOTICE_JSON_MAX) : NOTICE_JSON_MAX;
    enum notify_result result = NOTIFY_FAILED;
    if (size >= NOTICE_JSON_MAX)
        fault_say(fault, "no memory for a webhook");
    else
        result = post(self, notice, (struct bytes){(const uint8_t *)json, size}, fault);
    free(json);
    return result;
}

static bool is_loopback(const char *url)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t n = strlen(hosts[i]);
        if (strncmp(url, hosts[i], n) == 0 && (url[n] == ':' || url[n] == '/' || url[n] == '\0'))
            return true;
    }
    return false;
}

bool notify_webhook_new(const struct notify_common *common, const struct notify_webhook_config *config,
                        struct notify_output *to, struct fault *fault)
{
    if (strncmp(config->url, "https://", 8) != 0 && !is_loopback(config->url))
        return fault_say(fault, "%s: https://... is wanted", config->url);
    struct notify_webhook *self = calloc(1, sizeof(*self));
    if (!self)
        return fault_say(fault, "no memory for a webhook");
    *self = (struct notify_webhook){.common = common, .config = *config};
    *to = (struct notify_output){.issue = 1111, .send = send_notice, .destroy = free, .self = self};
    return true;
}
