/* SPDX-License-Identifier: Apache-2.0 */
#include "node/center_client.h"

#include "base/config.h"
#include "base/secret.h"
#include "base/text.h"
#include "node/command.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MAX (16u * 1024u * 1024u)
#define TIMEOUT    30000 /* ms */
#define URL_MAX    2048u

static const struct config_section sections[] = {{.key = "center", .doc = "The center that is asked."}};
static const struct config_rule rules[] = {
    {.key = "center/url",
     .type = CONFIG_STRING,
     .preset = "https://127.0.0.1:49211",
     .doc = "Where its API is. Without TLS (`http://`) only on this host."},
    {.key = "center/ca",
     .type = CONFIG_PATH,
     .doc = "PEM file of what its certificate may be from: a copy of the center's `api.crt`; not set: the "
            "system's authorities."},
    {.key = "center/token",
     .type = CONFIG_PATH,
     .required = true,
     .doc = "File with a token of `picket-center token create`, readable by its owner alone."},
};
const struct config_schema center_client_schema = {
    .title = "Configuration of the command line's questions to the center",
    .introduction = "The commands of `picket` that ask the center read it: docs/api.md.\n",
    .sections = sections,
    .section_count = sizeof(sections) / sizeof(sections[0]),
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
};

struct question {
    CURL *curl;
    struct config *config;
    struct curl_slist *headers;
    char *secret_header; /* in locked memory */
    char *answer;
    size_t size;
    char error[CURL_ERROR_SIZE];
};

static void report(void *context, const char *fault)
{
    (void)context;
    fprintf(stderr, "picket: %s\n", fault);
}

static const char *config_path(const struct center_options *options, char *path, size_t capacity)
{
    const char *environment = getenv("PICKET_CENTER_CONFIG"), *xdg = getenv("XDG_CONFIG_HOME"),
               *home = getenv("HOME");
    if (options->config)
        return options->config;
    if (environment && *environment)
        return environment;
    int n = xdg && *xdg ? snprintf(path, capacity, "%s/" CENTER_CLIENT_HOME, xdg)
                        : snprintf(path, capacity, "%s/.config/" CENTER_CLIENT_HOME, home ? home : "");
    return n > 0 && (size_t)n < capacity && access(path, F_OK) == 0 ? path : CENTER_CLIENT_CONFIG;
}

static struct config *load_config(const struct center_options *options)
{
    char file[4096];
    const char *path = config_path(options, file, sizeof(file));
    struct config *config = config_load(&center_client_schema, path, report, NULL);
    if (!config && access(path, F_OK) < 0)
        fputs("where the center is, and the token, stand in ~/.config/" CENTER_CLIENT_HOME
              " or " CENTER_CLIENT_CONFIG ": see docs/api.md\n",
              stderr);
    return config;
}

static bool is_safe(const char *url)
{
    static const char *const loopback[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};
    if (strncmp(url, "https://", 8) == 0)
        return true;
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
        size_t n = strlen(loopback[i]);
        if (strncmp(url, loopback[i], n) == 0 && (url[n] == ':' || url[n] == '/' || url[n] == '\0'))
            return true;
    }
    return false;
}

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct question *q = context;
    size_t n = size * count;
    if (n > ANSWER_MAX - q->size)
        return 0;
    char *longer = realloc(q->answer, q->size + n + 1);
    if (!longer)
        return 0;
    q->answer = longer;
    memcpy(longer + q->size, data, n);
    q->size += n;
    return n;
}

/* What libcurl would not say by its name. */
static bool check_ca(const struct question *q, struct fault *fault)
{
    const char *ca = config_string(q->config, "center/ca");
    return !ca || access(ca, R_OK) == 0 || fault_say(fault, "center/ca: %s: %s", ca, strerror(errno));
}

/* The token goes into a header, and nowhere else. */
static bool add_token(struct question *q, struct fault *fault)
{
    struct secret token;
    if (!secret_read(config_string(q->config, "center/token"), &token, fault))
        return false;
    size_t size = strlen("Authorization: Bearer ") + token.size + 1;
    q->secret_header = sodium_malloc(size);
    if (q->secret_header)
        snprintf(q->secret_header, size, "Authorization: Bearer %s", (const char *)token.bytes);
    secret_wipe(&token);
    struct curl_slist *list = q->secret_header ? curl_slist_append(NULL, q->secret_header) : NULL;
    q->headers = list;
    if (list)
        curl_slist_append(list, "Content-Type: application/json");
    return list || fault_say(fault, "no memory for the question");
}

static void put_argument(struct question *q, struct text *url, char *mark, const char *name,
                         const char *value)
{
    char *escaped = curl_easy_escape(q->curl, value, 0);
    text_char(url, *mark);
    text_string(url, name);
    text_char(url, '=');
    text_string(url, escaped ? escaped : "");
    curl_free(escaped);
    *mark = '&';
}

static bool set_url(struct question *q, const struct center_options *options, const char *path,
                    const struct center_argument *arguments, struct fault *fault)
{
    char url[URL_MAX], mark = '?';
    const char *base = config_string(q->config, "center/url");
    if (!is_safe(base))
        return fault_say(fault, "%s: https://... is wanted", base);
    struct text t = text_to(url, sizeof(url));
    size_t size = strlen(base);
    text_put(&t, base, size && base[size - 1] == '/' ? size - 1 : size);
    text_string(&t, "/api/v1");
    text_string(&t, path);
    for (; arguments && arguments->name; arguments++)
        if (arguments->value)
            put_argument(q, &t, &mark, arguments->name, arguments->value);
    if (options->workspace)
        put_argument(q, &t, &mark, "workspace", options->workspace);
    if (text_end(&t) >= sizeof(url))
        return fault_say(fault, "the question is too long");
    return curl_easy_setopt(q->curl, CURLOPT_URL, url) == CURLE_OK ||
           fault_say(fault, "no memory for the question");
}

static void set_options(struct question *q, const struct center_options *options, const char *method,
                        const char *body)
{
    const char *ca = config_string(q->config, "center/ca");
    curl_easy_setopt(q->curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(q->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(q->curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(q->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(q->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(q->curl, CURLOPT_TIMEOUT_MS, (long)(options->timeout ? options->timeout : TIMEOUT));
    curl_easy_setopt(q->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(q->curl, CURLOPT_HTTPHEADER, q->headers);
    curl_easy_setopt(q->curl, CURLOPT_ERRORBUFFER, q->error);
    curl_easy_setopt(q->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(q->curl, CURLOPT_WRITEDATA, q);
    if (ca)
        curl_easy_setopt(q->curl, CURLOPT_CAINFO, ca);
    if (body) {
        curl_easy_setopt(q->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(q->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    }
}

static int perform(struct question *q, json_t **answer)
{
    long code = 0;
    const char *center = config_string(q->config, "center/url");
    CURLcode rc = curl_easy_perform(q->curl);
    if (rc == CURLE_PEER_FAILED_VERIFICATION)
        return command_failed(center,
                              config_string(q->config, "center/ca")
                                  ? "its certificate is not from what center/ca names, or of another "
                                    "name or address"
                                  : "nobody known made its certificate: center/ca is wanted, a copy of "
                                    "the center's api.crt");
    if (rc != CURLE_OK)
        return command_failed(center, q->error[0] ? q->error : curl_easy_strerror(rc));
    curl_easy_getinfo(q->curl, CURLINFO_RESPONSE_CODE, &code);
    *answer = q->size ? json_loadb(q->answer, q->size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (code >= 200 && code < 300 && (*answer || code == 204))
        return EXIT_FINE;
    char shown[600] = "it answers with something else";
    const char *detail = json_string_value(json_object_get(*answer, "detail"));
    if (code == 401) {
        snprintf(shown, sizeof(shown),
                 "the token in %.400s does not count: none, removed, expired, or its user is disabled",
                 config_string(q->config, "center/token"));
    } else if (detail) {
        struct text t = text_to(shown, sizeof(shown));
        text_display(&t, (struct bytes){(const uint8_t *)detail, strlen(detail)});
        text_end(&t);
    }
    json_decref(*answer);
    *answer = NULL;
    return command_failed(center, shown);
}

int center_ask(const struct center_options *options, const char *method, const char *path,
               const struct center_argument *arguments, json_t *body, json_t **answer)
{
    struct fault fault = {.text = "no memory for the question"};
    struct question q = {.curl = NULL};
    int status = EXIT_FAILED;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    *answer = NULL;
    q.config = load_config(options);
    if (q.config && sodium_init() >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        q.curl = curl_easy_init();
    if (q.curl && check_ca(&q, &fault) && add_token(&q, &fault) &&
        set_url(&q, options, path, arguments, &fault)) {
        set_options(&q, options, method, text);
        status = perform(&q, answer);
    } else if (q.config) {
        status = command_failed("the center", fault.text);
    }
    curl_slist_free_all(q.headers);
    if (q.secret_header)
        sodium_free(q.secret_header);
    if (q.curl)
        curl_easy_cleanup(q.curl);
    if (q.config)
        config_destroy(&q.config);
    if (q.answer)
        sodium_memzero(q.answer, q.size);
    if (text)
        sodium_memzero(text, strlen(text));
    free(q.answer);
    free(text);
    json_decref(body);
    return status;
}
