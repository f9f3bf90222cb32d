/* SPDX-License-Identifier: Apache-2.0
 *
 * A request as its route gets it, and the answer that it writes; readers of arguments and bodies that answer
 * themselves when something is wrong. Knows nothing of HTTP's wire. Errors are RFC 9457's.
 */
#pragma once

#include "center/api.h"
#include "center/store_people.h"

#include <jansson.h>

#define API_BODY_MAX      65536u
#define API_ARGUMENTS_MAX 24u
#define API_ANSWER_MAX    (8u * 1024u * 1024u)
#define API_PART_MAX      160u

struct api_argument {
    const char *name, *value; /* decoded; value NULL: none */
};

/* Who asks. */
struct api_caller {
    bool known;
    enum user_role role;
    uint64_t workspace; /* 0: all of them */
    char name[96];      /* for the audit */
    uint8_t token[TOKEN_HASH_SIZE];
};

/* What all requests share. */
struct api_core {
    const struct api_config *config;
    const struct clock *clock;
    struct alert_listener events; /* those who listen to server-sent events */
};

struct api_work {
    const struct api_core *core;
    struct store *store;
    const char *method, *path;
    struct api_argument arguments[API_ARGUMENTS_MAX];
    unsigned argument_count;
    struct bytes body;
    struct api_caller caller;
    /* Set by api_dispatch: */
    char part[API_PART_MAX]; /* what stands for {id} in the path */
    uint64_t workspace;
    json_t *json; /* of a body; NULL: none */
    /* The answer: */
    unsigned status; /* 0: not answered yet */
    bool problem;
    bool stream; /* events follow, for as long as the connection lives */
    struct json_writer answer;
    struct bytes fixed; /* instead of `answer`: constant text */
    const char *allow;  /* with 405 */
};

/* Answers with a problem; whatever was written is gone. Always false. */
bool api_problem(struct api_work *work, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 503 with the store's reason; always false. */
bool api_store_failed(struct api_work *work);

/* NULL: not given. */
const char *api_argument(const struct api_work *work, const char *name);
/* Each leaves `to` alone when the argument is not given; false: it is no such thing, and that is answered. */
bool api_take_number(struct api_work *work, const char *name, int64_t least, int64_t most, int64_t *to);
bool api_take_time(struct api_work *work, const char *name, int64_t *to);
bool api_take_subject(struct api_work *work, const char *name, struct subject *to);
/* Words with commas between; `index` gives a word's bit, or -1. */
bool api_take_words(struct api_work *work, const char *name, int (*index)(const char *word), uint32_t *bits);

/* 2n hexadecimal digits, and nothing else. */
bool api_parse_hex(const char *text, uint8_t *to, size_t size);
/* The id in the path: 32 hexadecimal digits; a number. False: 404 was answered. */
bool api_part_id(struct api_work *work, uint8_t id[16]);
bool api_part_guid(struct api_work *work, uint8_t guid[16]); /* as people write objectGUIDs */
bool api_part_number(struct api_work *work, int64_t *number);

/* A text of the body, at most `capacity` - 1 bytes; NULL `to` only asks whether it is there. False: it is no
 * text or too long, and that is answered; absent it is left alone, or with `required` answered too. */
bool api_body_text(struct api_work *work, const char *key, bool required, char *to, size_t capacity);
/* Refuses members that nobody knows: a misspelt one would be ignored silently. `keys` ends with NULL. */
bool api_body_only(struct api_work *work, const char *const *keys);

/* Times in ns as RFC 3339; 0 is null. */
void api_write_time(struct json_writer *w, const char *key, int64_t time);
void api_write_double(struct json_writer *w, const char *key, double value);
void api_write_guid(struct json_writer *w, const char *key, const uint8_t *guid); /* NULL: null */
void api_write_hex(struct json_writer *w, const char *key, const void *data, size_t size);
