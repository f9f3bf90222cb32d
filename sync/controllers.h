/* SPDX-License-Identifier: Apache-2.0
 *
 * Which domain controller to dial: the configured ones in their order, or those that DNS names, of the site
 * before those of the domain, by priority and weight (RFC 2782); one that failed waits, the longer the more
 * often. Pure: times and a seed in.
 */
#pragma once

#include "base/cursor.h"

#define CONTROLLERS_MAX     64u
#define CONTROLLER_NAME_MAX 256u

/* Never dialled again sooner; doubled with each failure, give or take a quarter. */
#define CONTROLLER_BACK_OFF_MIN (INT64_C(1000000000))
#define CONTROLLER_BACK_OFF_MAX (INT64_C(300000000000))
/* One that failed comes after those that did not, for so long. */
#define CONTROLLER_SUSPECT_PERIOD (INT64_C(600000000000))

struct controller {
    char host[CONTROLLER_NAME_MAX]; /* name or address, lower case, without a final dot */
    uint16_t port;                  /* 0: the protocol's own */
    uint16_t priority, weight;
    uint8_t tier; /* lower ones first: 0 configured or of the site, 1 of the domain */
};

/* Reads HOST, HOST:PORT or [ADDRESS]:PORT; false when it is none. */
bool controller_parse(const char *text, struct controller *to);

/* The SRV records of a DNS answer (a whole message), added to `list` behind `*count` unless they stand there
 * already; damaged ones are left out. */
void controllers_read_answer(struct bytes answer, uint8_t tier, struct controller *list, unsigned *count);

struct controllers;

struct controllers *controllers_new(uint64_t seed);
void controllers_destroy(struct controllers **controllers);

/* These from now on; what is known of those that were there before is kept. */
void controllers_set(struct controllers *controllers, const struct controller *list, unsigned count);
unsigned controllers_count(const struct controllers *controllers);

/* The one to dial now, which counts as dialled; NULL when none may be before `*again` (INT64_MAX: there is
 * none). Valid until the next controllers_set. */
const struct controller *controllers_pick(struct controllers *controllers, int64_t now, int64_t *again);

/* How it went. A failed one waits. */
void controllers_failed(struct controllers *controllers, const struct controller *controller, int64_t now);
void controllers_succeeded(struct controllers *controllers, const struct controller *controller);
