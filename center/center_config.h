/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center's configuration file as its parts want it, and its key.
 */
#pragma once

#include "base/config.h"
#include "cluster/crypto_sodium.h"
#include "cluster/disk.h"

/* Where it is unless the command line says otherwise. */
#define CENTER_CONFIG_FILE "/etc/picket/picket-center.conf"
#define CENTER_LISTEN      8u

extern const struct config_schema center_schema;

struct center_config {
    struct config *config; /* owns the strings */
    const char *path;      /* of the file, as it was given */
    const char *state;
    const char *places;             /* file; NULL: none */
    char log[PATH_SIZE];            /* state/log */
    char refused[PATH_SIZE];        /* state/refused */
    char sensors[PATH_SIZE];        /* state/sensors: center/sensor_settings.h */
    char store[PATH_SIZE];          /* state/center.db */
    char listen[CENTER_LISTEN][80]; /* "tcp://ADDRESS:PORT" */
    unsigned listen_count;
    uint8_t authority[PUBLIC_KEY_SIZE]; /* of the fleet */
    unsigned connections;
    size_t segment_bytes;
    uint64_t log_bytes;                                            /* 0: not bounded */
    unsigned shards;                                               /* of each workspace */
    unsigned tickets;                                              /* of each sort, in each shard */
    int64_t keep_activities, keep_alerts, keep_audit, keep_health; /* ns */
};

/* Reads a file, tells every fault of it to standard error, and sets the log as it says. NULL when there was
 * any. The caller frees it; `path` must live as long. */
struct center_config *center_config_load(const char *path);
void center_config_free(struct center_config **config);

/* Makes the directories; they belong to this user alone. */
bool center_prepare(const struct center_config *config, struct fault *fault);

/* The center's CURVE keys, made the first time, kept in state/key. `secret` should be secret_alloc()ed. */
bool center_keys_load(const char *state, uint8_t public_key[CURVE_KEY_SIZE], uint8_t secret[CURVE_KEY_SIZE],
                      struct fault *fault);
