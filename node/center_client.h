/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks a center over its HTTP interface (docs/api.md): where it is, whom to trust and the token stand in a
 * configuration file.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* $PICKET_CENTER_CONFIG, else this below $XDG_CONFIG_HOME or ~/.config, else CENTER_CLIENT_CONFIG. */
#define CENTER_CLIENT_HOME   "picket/center.conf"
#define CENTER_CLIENT_CONFIG "/etc/picket/center-client.conf"

extern const struct config_schema center_client_schema;

struct center_options {
    const char *config;    /* NULL: as above */
    const char *workspace; /* NULL: the token's */
    int timeout;           /* ms; 0: 30 s */
};

/* A pair of the query; `value` NULL: left out. */
struct center_argument {
    const char *name, *value;
};

/* Asks; `path` behind /api/v1, already escaped; `arguments` end with a name of NULL, or NULL; `body` (may be
 * NULL) is taken over. EXIT_FINE and the answer, which the caller owns (NULL when there is none); else an
 * exit status, told. */
int center_ask(const struct center_options *options, const char *method, const char *path,
               const struct center_argument *arguments, json_t *body, json_t **answer);
