/* SPDX-License-Identifier: Apache-2.0
 *
 * An input of events, as the event service runs it: one such table each (node/input_NAME.c), which wires a
 * driver of events/ to its section of the configuration. event_service.c lists them.
 */
#pragma once

#include "base/address.h"
#include "base/config.h"
#include "base/fault.h"
#include "base/text.h"
#include "events/intake.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_FILES_MAX 64u

/* A health issue of an input that runs. */
struct input_trouble {
    unsigned number;   /* as published; 0: it has none */
    const char *issue; /* its name for programs, a constant */
    char text[256];
};

#define INPUT_COUNTS_MAX 8u

/* One of those that an input hears, where it knows them one by one: a computer that forwards. */
struct input_source {
    char name[256];
    struct ip_address address;
    int64_t subscribed, heard, event; /* wall ns of the last; 0: not yet */
    uint64_t events, refused;
    bool silent, ended;
    struct {
        const char *name; /* a constant, for programs */
        uint64_t count;
    } counts[INPUT_COUNTS_MAX]; /* of what it sent, where an input tells them apart */
    unsigned count_count;
    char position[1024]; /* where it is to go on, in the words of its protocol; empty: not known */
};

struct event_input {
    const char *name; /* "syslog" */
    /* The health issue when it cannot be started: number, name for programs, sentence. */
    unsigned issue;
    const char *issue_name, *issue_text;

    /* Whether the configuration wants it at all. */
    bool (*wanted)(const struct config *config);
    /* Whether its section is right beyond what the schema says; with what is wrong. May be NULL. */
    bool (*check)(const struct config *config, struct fault *fault);

    /* Starts a thread of its own that puts what it hears into the intake, which outlives it. NULL with the
     * reason: it is tried again later. Called by one thread at a time. */
    void *(*start)(const struct config *config, struct intake *intake, struct fault *fault);
    /* The files that it reads when it starts, at most EVENT_FILES_MAX paths of the configuration's; how many.
     * NULL: none. When one has changed, or the configuration is read again, it is renewed. */
    unsigned (*files)(const struct config *config, const char **paths);
    /* Uses them as they are now, without an interruption. False with the reason: all stays as it was. NULL:
     * it is stopped and started, when `usable` says that they can be used. */
    bool (*renew)(void *input, const struct config *config, struct fault *fault);
    bool (*usable)(const struct config *config, struct fault *fault);
    /* Ends and joins it. */
    void (*stop)(void *input);

    /* Where it listens, or what it reads, for people: "udp:0.0.0.0:514, tcp:[::]:514". May be NULL. */
    void (*describe)(void *input, struct text *to);
    /* What is wrong with it, if anything. May be NULL. */
    bool (*trouble)(void *input, struct input_trouble *trouble);
    /* Its sources; false past the last. May be NULL. */
    bool (*source)(void *input, uint32_t i, struct input_source *to);
    /* A record that was put in with that tag is safe: on the thread that made it so, which it must not hold
     * up, and never after stop() was called. May be NULL. */
    void (*kept)(void *input, uint64_t tag);
};
