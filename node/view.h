/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core knows as the JSON that the control socket answers with: docs/control.md. Runs on the core's
 * own thread, changes nothing.
 */
#pragma once

#include "base/json_writer.h"
#include "base/text.h"
#include "cluster/cluster.h"
#include "naming/prober.h"
#include "node/control_request.h"
#include "node/governor_service.h"
#include "sync/directory.h"

#define VIEW_SCHEMA 1

struct view_counter {
    const char *name;
    uint64_t value;
};

/* A domain controller that this node tries to reach. */
struct view_directory {
    const char *domain;
    const char *address;
    bool reachable;
    int64_t tried;      /* wall ms; 0: not yet */
    const char *reason; /* of the last failure; NULL */
};

struct key_client;

struct view_capture {
    unsigned interfaces, absent;
    uint64_t packets, activities, dropped, activities_dropped;
};

/* An input of events. */
struct view_input {
    const char *name;
    bool running;
    uint64_t received, understood, invalid, dropped;
};

struct view_source {
    struct cluster *core;
    int64_t wall;                         /* ms since 1970, now */
    const char *fleet_name;               /* may be "" */
    const uint8_t *fleet;                 /* FLEET_ID_SIZE */
    const struct view_counter *transport; /* of the sockets */
    unsigned transport_count;
    const struct view_directory *directories;
    unsigned directory_count;
    const struct directory_progress *progress; /* of the domains that this node reads */
    unsigned progress_count;
    const struct health_issue *health;
    unsigned health_count;
    const struct view_input *inputs;
    unsigned input_count;
    const struct prober_counters *naming;  /* NULL: computers are not asked for their names */
    const struct view_capture *capture;    /* NULL: this node does not capture */
    const struct view_delivery *delivery;  /* node/view_delivery.h; NULL: not known */
    const struct governor_snapshot *quota; /* NULL: nobody governs */
    struct key_client *keys;               /* NULL: nothing is unsealed */
};

/* Answers a request that does not change anything and is no stream. */
void view_answer(struct json_writer *w, const struct control_request *request,
                 const struct view_source *source);

/* A refusal: {"schema": 1, "error": {"code", "message"}}. */
void view_refuse(struct json_writer *w, const char *code, const char *message);

/* {"schema": 1, "done": "what"}: the answer to a change. */
void view_done(struct json_writer *w, const char *what);

/* One notice as an object: an item of `history`, a frame of `events`. */
void view_notice(struct json_writer *w, const char *key, struct cluster *core,
                 const struct cluster_notice *notice);

/* The sentence of a notice alone, for the log. */
void view_notice_sentence(struct text *t, struct cluster *core, const struct cluster_notice *notice);
