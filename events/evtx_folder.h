/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of event log files (NAME.evtx) that are put there, or grow there: each is read as it comes, each
 * record is handed on once. How far every file was read stands in a small state file, so that a restart goes
 * on there; after a crash the records of the last seconds may come once more, none is left out.
 *
 * A file is known by its name. When a log begins anew under the same name (it was cleared, or another one was
 * put in its place), which its record numbers and times show, it is read from its beginning.
 */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "events/evtx.h"

#define EVTX_FOLDER_FILES 4096u /* that are known at a time; further ones wait until others are gone */

struct evtx_folder_config {
    const char *path;  /* of the folder */
    const char *state; /* of the state file; its folder must exist */
    int64_t period;    /* ns between two looks */
    const struct clock *clock;
    event_sink sink; /* on the folder's own thread */
    void *context;
};

struct evtx_folder_status {
    uint64_t files;  /* that are there and are event logs */
    uint64_t others; /* named like event logs, and none; or such as cannot be opened */
    bool missing;    /* the folder itself cannot be read */
    bool unsaved;    /* the state file cannot be written: a restart would read again */
    struct evtx_counters counters;
};

struct evtx_folder;

/* Without a thread: who made it calls evtx_folder_look() when it is time. NULL with the reason: no memory, or
 * a state file that is there and cannot be read. The strings of `config` are to stay. */
struct evtx_folder *evtx_folder_new(const struct evtx_folder_config *config, struct fault *fault);
void evtx_folder_look(struct evtx_folder *folder);
/* Writes the state and ends it. */
void evtx_folder_destroy(struct evtx_folder **folder);

/* The same with a thread that looks every `period`. */
struct evtx_folder *evtx_folder_start(const struct evtx_folder_config *config, struct fault *fault);
void evtx_folder_stop(struct evtx_folder **folder);

/* Any thread. */
void evtx_folder_status(struct evtx_folder *folder, struct evtx_folder_status *to);
