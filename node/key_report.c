/* SPDX-License-Identifier: Apache-2.0 */
#include "node/key_report.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *etype_name(int32_t etype)
{
    switch (etype) { /* RFC 3961 8, RFC 4757, RFC 8009 */
    case 1:
        return "des-cbc-crc";
    case 3:
        return "des-cbc-md5";
    case 17:
        return "aes128-cts-hmac-sha1-96";
    case 18:
        return "aes256-cts-hmac-sha1-96";
    case 19:
        return "aes128-cts-hmac-sha256-128";
    case 20:
        return "aes256-cts-hmac-sha384-192";
    case 23:
        return "arcfour-hmac";
    default:
        return NULL;
    }
}

static void put_etype(struct text *t, int32_t etype)
{
    const char *name = etype_name(etype);
    if (name) {
        text_string(t, name);
        return;
    }
    text_string(t, "etype ");
    text_int(t, etype);
}

static void put_version(struct text *t, const char *before, uint32_t kvno)
{
    if (kvno == 0)
        return;
    text_string(t, before);
    text_uint(t, kvno);
}

static const char *result_words(enum unseal_result result)
{
    switch (result) {
    case UNSEAL_OTHER_KVNO:
        return "an old or newer key of ";
    case UNSEAL_WRONG_KEY:
        return "a wrong key of ";
    case UNSEAL_ETYPE:
        return "a refused type of key of ";
    default:
        return "no key of ";
    }
}

void key_report_words(const struct key_holder_complaint *c, char to[KEY_REPORT_MAX])
{
    struct text t = text_to(to, KEY_REPORT_MAX);
    text_string(&t, result_words(c->result));
    text_display(&t, (struct bytes){(const uint8_t *)c->principal, strlen(c->principal)});
    put_version(&t, ", version ", c->kvno);
    text_string(&t, " (");
    put_etype(&t, c->etype);
    text_char(&t, ')');
    if (c->result != UNSEAL_NO_KEY)
        put_version(&t, ", the keytab has version ", c->kvno_held);
    text_string(&t, ", ");
    text_uint(&t, c->times);
    text_string(&t, c->times == 1 ? " time" : " times");
    text_end(&t);
}

static uint64_t unanswered(const struct key_line_counters *lines)
{
    return lines->timed_out + lines->skipped + lines->lost;
}

static void print_some(FILE *out, const char *what, uint64_t count)
{
    if (count)
        fprintf(out, ", %" PRIu64 " %s", count, what);
}

static void print_summary(const struct key_client_snapshot *s, FILE *out)
{
    fprintf(out, "  keys: %" PRIu32 "; unsealed: %" PRIu64 ", sealed for want of a key: %" PRIu64,
            s->holder.keys, s->holder.unsealed, s->holder.missing);
    print_some(out, "of another version", s->holder.other_kvno);
    print_some(out, "with a wrong key", s->holder.wrong);
    print_some(out, "of refused types", s->holder.refused_etype);
    print_some(out, "questions without an answer", unanswered(&s->lines));
    fputc('\n', out);
}

void key_report_print(struct key_client *client, void *summary, void *complaints)
{
    struct key_client_snapshot s;
    struct key_holder_complaint complaint;
    char words[KEY_REPORT_MAX];
    key_client_snapshot(client, &s);
    if (summary)
        print_summary(&s, summary);
    for (size_t i = 0; i < KEY_REPORT_LINES && key_client_complaint(client, i, &complaint); i++) {
        key_report_words(&complaint, words);
        fprintf(complaints, "picket: keys: %s\n", words);
    }
    if (s.complaints > KEY_REPORT_LINES)
        fprintf(complaints, "picket: keys: and %" PRIu32 " more\n", s.complaints - KEY_REPORT_LINES);
}

static void write_keytabs(struct json_writer *w, struct key_client *client)
{
    char path[KEY_CLIENT_PATH_MAX], fault[FAULT_MAX];
    json_write_array(w, "keytabs");
    for (size_t i = 0; key_client_keytab(client, i, path, fault); i++) {
        json_write_object(w, NULL);
        json_write_string(w, "path", path);
        json_write_string(w, "fault", fault[0] ? fault : NULL);
        json_write_close(w);
    }
    json_write_close(w);
}

static void write_complaints(struct json_writer *w, struct key_client *client)
{
    struct key_holder_complaint complaint;
    char words[KEY_REPORT_MAX];
    json_write_array(w, "complaints");
    for (size_t i = 0; i < KEY_REPORT_LINES && key_client_complaint(client, i, &complaint); i++) {
        key_report_words(&complaint, words);
        json_write_string(w, NULL, words);
    }
    json_write_close(w);
}

void key_report_json(struct json_writer *w, const char *key, struct key_client *client)
{
    struct key_client_snapshot s;
    key_client_snapshot(client, &s);
    json_write_object(w, key);
    json_write_bool(w, "running", s.running);
    json_write_uint(w, "restarts", s.restarts);
    json_write_bool(w, "locked", s.sandbox & SANDBOX_LOCKED);
    json_write_uint(w, "memory_bytes", s.memory);
    json_write_uint(w, "keys", s.holder.keys);
    json_write_uint(w, "refused", s.holder.refused);
    json_write_uint(w, "session_keys", s.holder.tickets);
    json_write_uint(w, "contexts", s.holder.contexts);
    json_write_uint(w, "unsealed", s.holder.unsealed);
    json_write_uint(w, "missing", s.holder.missing);
    json_write_uint(w, "other_version", s.holder.other_kvno);
    json_write_uint(w, "wrong", s.holder.wrong);
    json_write_uint(w, "refused_type", s.holder.refused_etype);
    json_write_uint(w, "asked", s.lines.asked);
    json_write_uint(w, "unanswered", unanswered(&s.lines));
    json_write_uint(w, "complaint_count", s.complaints);
    write_keytabs(w, client);
    write_complaints(w, client);
    json_write_close(w);
}
