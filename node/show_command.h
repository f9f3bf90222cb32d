/* SPDX-License-Identifier: Apache-2.0
 *
 * What commands that ask a running node share: one question, one table or JSON object.
 */
#pragma once

#include "node/show.h"

#define SHOW_COMMON_OPTIONS                                                                                  \
    "  --json              the answer as one JSON object (docs/control.md)\n"                                \
    "  --socket PATH       the node's control socket ($PICKET_SOCKET, /run/picket/control)\n"                \
    "  --timeout SECONDS   how long to wait for the answer (5)\n"
#define SHOW_HEADER_OPTION "  --no-header         the rows alone\n"
#define SHOW_DOMAIN_OPTION "  --domain NAME       only that domain\n"

/* After show_parse() that gave no EXIT_FINE: the exit status. */
int show_after_help(int parsed);

/* Flushes standard output: `status`, or EXIT_FAILED when that fails. */
int show_finish(int status);

/* As JSON or as a table, filtered and in order. */
void show_answer(const struct show_options *options, json_t *answer,
                 void (*table)(const struct show_style *, const json_t *));

/* Asks (the request is taken over) and shows the answer. An exit status. */
int show_ask(const struct show_options *options, json_t *request,
             void (*table)(const struct show_style *, const json_t *));

/* Asks for a change of a domain (NULL: of the node); `on` < 0: the verb has no such field. */
int show_change(const struct show_options *options, const char *verb, const char *domain, int on);
