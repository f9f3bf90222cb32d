/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies: how everything that the fleet signs or stores is encoded. A body is one msgpack map whose keys are
 * small integers in ascending order; keys that a reader does not know are skipped, so that a newer fleet can
 * say more. A *signed* body is followed by the 64 bytes of the signature over it, nothing else.
 *
 * Keys are unique over all formats (docs/cluster.md has the table), and each format has keys that must be
 * there: so no signed body of one kind can be read as another. Key 0 is the version of the format, absent for
 * version 1; a version that the reader does not know is refused. Numbers that are 0, and what is empty, are
 * not written.
 */
#pragma once

#include "base/msgpack.h"
#include "cluster/crypto.h"
#include "cluster/node_id.h"

enum body_keys { /* the first key of each format, each has 16 */
                 BODY_VERSION = 0,
                 BODY_GRANT = 1,
                 BODY_CERTIFICATE = 16,
                 BODY_RECORD = 32,
                 BODY_POLICY = 48,
                 BODY_CLAIM = 64,
                 BODY_VOUCHER = 80,
                 BODY_ENROLMENT = 96,
                 BODY_FILE = 112,
                 BODY_REPORT = 128,
                 BODY_FLEET_VIEW = 144,
                 BODY_FLEET_DOMAIN = 160,
                 BODY_FLEET_MEMBER = 176,
};

/* -- reading: a sticky error, checked once by body_end() ------------------------------------------------ */

struct body {
    struct cursor cursor;
    uint32_t pairs; /* not read yet */
    uint32_t key;   /* of the pair that body_next() stands on */
    uint32_t base;  /* first key of the format */
    uint32_t seen;  /* bit i: key base + i was there */
    bool begun;
    bool failed;
};

struct body body_open(struct bytes encoded, enum body_keys format);

/* The next pair of the format: its key less the format's first one. Skips what is unknown: keys of no or
 * another format. -1 at the end and after damage (keys out of order or doubled, a newer version). The caller
 * reads or skips the value. */
int body_next(struct body *body);

/* Values. Each fails the body when the value is of another type or out of bounds. */
uint64_t body_uint(struct body *body, uint64_t max);
void body_binary(struct body *body, void *to, size_t size); /* exactly `size` bytes */
struct bytes body_bytes(struct body *body, size_t max);
/* A string of less than `capacity` bytes that `valid` accepts, with a NUL behind it. */
void body_text(struct body *body, char *to, size_t capacity, bool (*valid)(const char *text));
/* An array of such strings, each in a row of `capacity` bytes. Returns how many. */
unsigned body_texts(struct body *body, char *rows, size_t capacity, unsigned rows_max,
                    bool (*valid)(const char *text));
/* The announced number of items of an array, which the caller reads. */
unsigned body_array(struct body *body, unsigned max);
void body_skip(struct body *body);
/* The caller found what may not be. */
void body_fail(struct body *body);

/* True when all was read, nothing follows, nothing failed, and the keys of the bit mask `required` (bit i:
 * key base + i) were there. */
bool body_end(struct body *body, uint32_t required);

/* Splits a signed body. False when it is too short to be one. */
struct signed_body {
    struct bytes body;
    const uint8_t *signature; /* SIGNATURE_SIZE bytes */
};
bool signed_split(struct signed_body *parts, struct bytes encoded);
bool signed_verify(struct bytes encoded, const uint8_t public_key[PUBLIC_KEY_SIZE],
                   const struct cluster_crypto *crypto);

/* -- writing -------------------------------------------------------------------------------------------- */

#define BODY_PAIRS_MAX 15u

struct body_writer {
    struct msgpack_writer out;
    unsigned pairs;
    uint32_t base;
};

void body_begin(struct body_writer *writer, void *buffer, size_t capacity, enum body_keys format);
/* Keys are given less the format's first one and must ascend. Zero and empty values are left out. */
void body_put_uint(struct body_writer *writer, int key, uint64_t value);
void body_put_binary(struct body_writer *writer, int key, const void *data, size_t size);
void body_put_text(struct body_writer *writer, int key, const char *text);
void body_put_texts(struct body_writer *writer, int key, const char *rows, size_t capacity, unsigned count);
/* The key and the head of an array; the caller puts the items to writer->out. */
void body_put_array(struct body_writer *writer, int key, unsigned count);
/* The size; 0 when it did not fit. */
size_t body_finish(struct body_writer *writer);
/* The same, signed. */
size_t body_sign(struct body_writer *writer, const struct cluster_crypto *crypto);

/* -- texts that are told to people and to other programs: no control characters, no spaces ----------------
 */

bool name_valid(const char *text);     /* 1 to 63 of A-Z a-z 0-9 . _ - */
bool version_valid(const char *text);  /* 1 to 63 of A-Z a-z 0-9 . _ - + ~ */
bool domain_valid(const char *text);   /* a DNS name in lower case, without a dot at its end */
bool host_valid(const char *text);     /* a DNS name or an address, either case */
bool endpoint_valid(const char *text); /* [tcp://]HOST:PORT or [tcp://][IPv6]:PORT */
