/* SPDX-License-Identifier: Apache-2.0
 *
 * E-mail: RFC 5322, plain text in UTF-8 as base64, so that nothing from the wire can become a header or a
 * line of SMTP.
 */
#include "base/secret.h"
#include "base/text.h"
#include "center/notify_curl.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BODY_MAX    8192u
#define MAIL_MAX    (3u * BODY_MAX)
#define SUBJECT_MAX 160u
#define LINE        57u /* bytes of a line of base64 with 76 characters: RFC 2045 6.8 */

struct notify_mail {
    const struct notify_common *common;
    struct notify_mail_config config;
};

struct payload {
    const char *at;
    size_t left;
};

static size_t give(char *to, size_t size, size_t count, void *context)
{
    struct payload *payload = context;
    size_t n = size * count < payload->left ? size * count : payload->left;
    memcpy(to, payload->at, n);
    payload->at += n;
    payload->left -= n;
    return n;
}

static void put_base64(struct text *t, const char *data, size_t size)
{
    char line[LINE * 2];
    for (size_t at = 0; at < size; at += LINE) {
        size_t n = size - at < LINE ? size - at : LINE;
        sodium_bin2base64(line, sizeof(line), (const unsigned char *)data + at, n,
                          sodium_base64_VARIANT_ORIGINAL);
        text_string(t, line);
        text_string(t, "\r\n");
    }
}

/* An encoded word (RFC 2047) for each 42 bytes, at the beginning of characters. */
static void put_encoded(struct text *t, const char *utf8)
{
    char word[80];
    for (size_t left = strlen(utf8); left > 0;) {
        size_t n = left < 42 ? left : 42;
        while (n < left && n > 0 && ((uint8_t)utf8[n] & 0xc0) == 0x80)
            n--;
        if (n == 0)
            n = left < 42 ? left : 42;
        sodium_bin2base64(word, sizeof(word), (const unsigned char *)utf8, n, sodium_base64_VARIANT_ORIGINAL);
        text_string(t, "=?utf-8?B?");
        text_string(t, word);
        text_string(t, "?=");
        utf8 += n;
        left -= n;
        if (left > 0)
            text_string(t, "\r\n ");
    }
}

static void put_date(struct text *t, int64_t at)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char date[64];
    struct tm tm;
    time_t seconds = (time_t)(at / CLOCK_SECOND);
    gmtime_r(&seconds, &tm);
    snprintf(date, sizeof(date), "%s, %02d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    text_string(t, date);
}

static void put_display(struct text *t, const char *text)
{
    text_display(t, (struct bytes){(const uint8_t *)text, strlen(text)});
}

static void put_lines(struct text *t, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        text_display(t, (struct bytes){(const uint8_t *)text, size});
        text += size;
        if (*text == '\n') {
            text_string(t, "\r\n");
            text++;
        }
    }
}

/* --- what stands in it --- */

static void body_parties(struct text *t, const struct alert *alert)
{
    for (uint32_t i = 0; i < alert->party_count; i++) {
        const struct alert_party *party = &alert->parties[i];
        text_string(t, "  ");
        text_string(t, alert_role_name(party->role));
        text_string(t, ": ");
        put_display(t, party->name);
        if (*party->domain) {
            text_string(t, " (");
            put_display(t, party->domain);
            text_char(t, ')');
        }
        text_string(t, "\r\n");
    }
}

static void body_alert(struct text *t, const struct notice *notice, const char *portal)
{
    const struct alert *alert = &notice->alert->alert;
    char stamp[CLOCK_RFC3339_MAX];
    put_lines(t, alert->explanation);
    text_string(t, "\r\n\r\nSeverity: ");
    text_string(t, severity_name(alert->severity));
    text_string(t, "\r\nId: ");
    text_uint(t, alert->external_id);
    text_string(t, "\r\nFirst: ");
    text_string(t, clock_rfc3339(alert->start, stamp));
    text_string(t, "\r\nLast: ");
    text_string(t, clock_rfc3339(alert->end, stamp));
    text_string(t, "\r\nCount: ");
    text_uint(t, alert->count);
    text_string(t, "\r\n\r\n");
    body_parties(t, alert);
    if (!portal)
        return;
    text_string(t, "\r\n");
    text_string(t, portal);
    text_string(t, "/alerts/");
    text_hex(t, (struct bytes){alert->id, sizeof(alert->id)});
    text_string(t, "\r\n");
}

static void body_issue(struct text *t, const struct health_issue *issue)
{
    put_display(t, issue->subject);
    text_string(t, ": ");
    put_display(t, issue->text);
    text_string(t, "\r\n\r\nWhat to do: ");
    text_string(t, issue->kind->action);
    text_string(t, "\r\n");
}

static void put_subject(struct text *t, const struct notice *notice)
{
    char subject[SUBJECT_MAX];
    struct text s = text_to(subject, sizeof(subject));
    text_string(&s, "[Picket] ");
    text_string(&s, severity_name(notice->severity));
    text_string(&s, ": ");
    put_display(&s, notice_title(notice));
    text_string(&s, " (");
    text_string(&s, notice->trigger);
    text_char(&s, ')');
    text_end(&s);
    put_encoded(t, subject);
}

static void put_headers(struct text *t, const struct notify_mail *self, const struct notice *notice)
{
    text_string(t, "Date: ");
    put_date(t, notice->at);
    text_string(t, "\r\nFrom: <");
    text_string(t, self->config.from);
    text_string(t, ">\r\nTo: ");
    for (unsigned i = 0; i < self->config.to_count; i++) {
        text_string(t, i ? ",\r\n <" : "<");
        text_string(t, self->config.to[i]);
        text_char(t, '>');
    }
    text_string(t, "\r\nSubject: ");
    put_subject(t, notice);
    text_string(t, "\r\nMessage-ID: <picket.");
    text_int(t, notice->number);
    text_char(t, '.');
    text_int(t, notice->at);
    text_char(t, '@');
    text_string(t, self->common->host);
    text_string(t, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
}

static size_t compose(const struct notify_mail *self, const struct notice *notice, char *to)
{
    char body[BODY_MAX];
    struct text b = text_to(body, sizeof(body)), t = text_to(to, MAIL_MAX);
    if (notice->alert)
        body_alert(&b, notice, self->common->portal);
    else
        body_issue(&b, notice->issue);
    text_end(&b);
    put_headers(&t, self, notice);
    put_base64(&t, body, strlen(body));
    size_t size = text_end(&t);
    return size < MAIL_MAX ? size : 0;
}

/* --- sending --- */

static bool sign_in(struct notify_curl *transfer, const struct notify_mail *self, struct fault *fault)
{
    struct secret password;
    if (!self->config.user)
        return true;
    if (!secret_read(self->config.password_file, &password, fault))
        return false;
    curl_easy_setopt(transfer->curl, CURLOPT_USERNAME, self->config.user);
    curl_easy_setopt(transfer->curl, CURLOPT_PASSWORD, (const char *)password.bytes);
    secret_wipe(&password);
    return true;
}

static struct curl_slist *recipients(const struct notify_mail *self)
{
    struct curl_slist *list = NULL;
    for (unsigned i = 0; i < self->config.to_count; i++) {
        struct curl_slist *longer = curl_slist_append(list, self->config.to[i]);
        if (!longer) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

static enum notify_result deliver(struct notify_curl *transfer, const struct notify_mail *self,
                                  struct payload *payload, struct fault *fault)
{
    struct curl_slist *to = recipients(self);
    if (!to) {
        fault_say(fault, "no memory for a mail");
        return NOTIFY_FAILED;
    }
    CURL *curl = transfer->curl;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_USE_SSL,
                     self->config.plain ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, self->config.from);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(curl, CURLOPT_READDATA, payload);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE, (long)payload->left);
    long code;
    bool done = notify_curl_perform(transfer, &code, fault);
    curl_slist_free_all(to);
    if (done)
        return NOTIFY_SENT;
    return code >= 550 ? NOTIFY_REFUSED : NOTIFY_FAILED;
}

static enum notify_result send_notice(void *context, const struct notice *notice, struct fault *fault)
{
    const struct notify_mail *self = context;
    enum notify_result result = NOTIFY_FAILED;
    struct notify_curl transfer = {0};
    char *mail = malloc(MAIL_MAX);
    struct payload payload = {mail, mail ? compose(self, notice, mail) : 0};
    if (payload.left == 0 || !notify_curl_begin(&transfer, self->common, self->config.url, self->config.ca))
        fault_say(fault, "no memory for a mail");
    else if (sign_in(&transfer, self, fault))
        result = deliver(&transfer, self, &payload, fault);
    notify_curl_end(&transfer);
    free(mail);
    return result;
}

/* An address that cannot be anything else in a header or a command. */
static bool is_address(const char *text)
{
    const char *at = text ? strchr(text, '@') : NULL;
    if (!at || at == text || !at[1] || strlen(text) > 254)
        return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("<>\",;:\\()", *c))
            return false;
    return true;
}

static bool check(const struct notify_mail_config *config, struct fault *fault)
{
    if (strncmp(config->url, "smtp://", 7) != 0 && strncmp(config->url, "smtps://", 8) != 0)
        return fault_say(fault, "%s: smtp://HOST:PORT or smtps://HOST:PORT is wanted", config->url);
    if (!is_address(config->from))
        return fault_say(fault, "mail-from: an address is wanted");
    if (config->to_count == 0)
        return fault_say(fault, "mail-to: nobody is named");
    for (unsigned i = 0; i < config->to_count; i++)
        if (!is_address(config->to[i]))
            return fault_say(fault, "%s is no mail address", config->to[i]);
    if (config->user && !config->password_file)
        return fault_say(fault, "mail-password is missing, which belongs to mail-user");
    if (config->user && config->plain && strncmp(config->url, "smtps://", 8) != 0)
        return fault_say(fault, "a password is not sent without TLS");
    return true;
}

bool notify_mail_new(const struct notify_common *common, const struct notify_mail_config *config,
                     struct notify_output *to, struct fault *fault)
{
    if (!check(config, fault))
        return false;
    struct notify_mail *self = calloc(1, sizeof(*self));
    if (!self)
        return fault_say(fault, "no memory for the mail server");
    *self = (struct notify_mail){.common = common, .config = *config};
    *to = (struct notify_output){.issue = 1014, .send = send_notice, .destroy = free, .self = self};
    return true;
}
