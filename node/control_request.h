/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be asked of a node by its control socket. docs/control.md.
 */
#pragma once

#include "cluster/record.h"

enum control_verb {
    CONTROL_STATUS,
    CONTROL_MEMBERS,
    CONTROL_SYNCHRONIZER,
    CONTROL_WHY,
    CONTROL_PEERS,
    CONTROL_REACH,
    CONTROL_HISTORY,
    CONTROL_EVENTS,
    CONTROL_SYNC,
    CONTROL_ENTITY,
    CONTROL_SEARCH,
    CONTROL_LOOKUP,
    CONTROL_SPOOL,
    CONTROL_RELOAD,
    CONTROL_RECONCILE,
    CONTROL_ACTIVITIES,
    CONTROL_INPUTS,
    CONTROL_QUOTA,
    CONTROL_HEALTH,
    CONTROL_CANDIDATE,
    CONTROL_YIELD,
    CONTROL_PIN,
    CONTROL_POLICY,
    CONTROL_ROTATE,
    CONTROL_VERBS,
};

#define CONTROL_NAME_SIZE 1024u

struct control_request {
    enum control_verb verb;
    bool changes; /* only for those who may administer the node */
    bool stream;  /* answered by more than one frame */
    char domain[DOMAIN_MAX_SIZE];
    char name[CONTROL_NAME_SIZE]; /* of an entity, or what is searched for */
    bool on;
    uint64_t after; /* sequence in the spool, number of an activity */
    unsigned limit; /* of history: the last so many; of search and spool: so many; 0: all;
                       of inputs: messages of the quarantine */
    uint8_t *data;  /* of policy: what the authority signed; owned */
    size_t data_size;
};

/* Reads a request: one JSON object with known keys and nothing else. False with a sentence of what is wrong.
 * control_request_free() after either. */
bool control_request_read(struct control_request *request, struct bytes body, const char **fault);
void control_request_free(struct control_request *request);

/* Answered by the directory service, on its own thread (node/directory_service.h). */
bool control_verb_of_directory(enum control_verb verb);

const char *control_verb_name(enum control_verb verb);
