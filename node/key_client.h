/* SPDX-License-Identifier: Apache-2.0
 *
 * The holder of keys, from the side of picket and picketd (docs/keytab.md): starts picket-keys, opens keytabs
 * and passes them on without reading a byte of them, gives each capture thread its line, starts the holder
 * anew when it died or hangs (after 250 ms, then twice as long each time, up to 30 s), reads keytabs again
 * that changed, and asks what is to be told of them. By a thread of its own.
 */
#pragma once

#include "base/fault.h"
#include "keys/holder.h"
#include "keys/sandbox.h"
#include "node/key_line.h"

#define KEY_CLIENT_PATH_MAX       ((size_t)4096)
#define KEY_CLIENT_COMPLAINTS_MAX 256u

struct key_client_config {
    const char *program;        /* NULL: beside the running program, or where it is installed */
    const char *const *keytabs; /* paths; KEY_HOLDER_KEYTABS_MAX at most; copied */
    size_t keytab_count;
    bool guest; /* it stands back behind others on this host */
};

struct key_client;

/* Starts the program, and checks that the keytabs are there and private. NULL with the reason. Before the
 * first thread, and before the process gives up to run others. */
struct key_client *key_client_new(const struct key_client_config *config, struct fault *fault);

/* With so many lines (64 at most). Waits until the keytabs are read. False with the first fault: it goes on
 * nevertheless, with those keytabs that are right, until it is destroyed. */
bool key_client_start(struct key_client *client, unsigned lines, const struct key_line_limits *limits,
                      struct fault *fault);
/* Once the engines are gone. Clears the pointer. */
void key_client_destroy(struct key_client **client_p);

/* What the engine of a capture thread asks; NULL past the last line. */
const struct unsealer *key_client_unsealer(const struct key_client *client, unsigned line);

/* --- any thread --- */

/* Reads the keytabs again, whether they changed or not. */
void key_client_renew(struct key_client *client);

/* Asks the holder how it is now, and waits for that, some seconds at most: before a last snapshot. */
void key_client_refresh(struct key_client *client);

struct key_client_snapshot {
    bool running;
    unsigned restarts;
    unsigned sandbox; /* keys/sandbox.h */
    uint64_t memory;  /* bytes */
    unsigned keytabs, faulty;
    struct key_holder_status holder; /* as of the last second; since it was started */
    struct key_line_counters lines;  /* summed */
    uint32_t complaints;
};
void key_client_snapshot(struct key_client *client, struct key_client_snapshot *to);

/* False behind the last. */
bool key_client_keytab(struct key_client *client, size_t index, char path[KEY_CLIENT_PATH_MAX],
                       char fault[FAULT_MAX]);
bool key_client_complaint(struct key_client *client, size_t index, struct key_holder_complaint *to);

/* What the holders used since the start, in ns, and the memory of the one there is. */
void key_client_usage(struct key_client *client, int64_t *cpu, uint64_t *memory);

/* The process that was started; the holder is its child. */
int key_client_process(const struct key_client *client);
