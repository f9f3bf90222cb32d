/* SPDX-License-Identifier: Apache-2.0
 *
 * picketd's configuration file as the parts want it.
 */
#pragma once

#include "cluster/driver.h"
#include "node/capture_group.h"
#include "node/directory_probe.h"
#include "node/key_client.h"
#include "node/sender.h"
#include "sync/directory.h"

/* Where it is unless the command line says otherwise. */
#define NODE_CONFIG_FILE "/etc/picket/picketd.conf"

struct node_config {
    struct config *config; /* owns the strings */
    uint64_t pushed;       /* version of the center's settings in it; 0: none */
    char path[PATH_SIZE];  /* of the file */
    const char *state;
    const char *user; /* what root becomes; NULL: it stays */
    const char *socket, *group, *administrators;
    const char *fleet;
    char name[NAME_MAX_SIZE];
    struct driver_config driver; /* without callbacks */
    struct directory_address directories[DIRECTORIES_MAX];
    unsigned directory_count;
    int64_t directory_period;
    struct directory_config directory; /* domain_count 0: no account, the directory is not read */
    char (*account_fields)[4][512];    /* of directory.accounts, taken apart; owned */
    char store[PATH_SIZE], spool[PATH_SIZE];
    size_t spool_bytes;
    int64_t spool_interval;               /* ns */
    struct sender_config sender;          /* server_count 0: nobody receives */
    unsigned reserve_cpu, reserve_memory; /* percent of the host that stays free, whoever uses the rest */
    struct capture_settings capture;
    struct key_client_config keys; /* keytab_count 0: nothing is unsealed */
    const char *keytabs[KEY_HOLDER_KEYTABS_MAX];
    int64_t keys_timeout; /* ns */
};

/* Reads a file, tells every fault of it to standard error, and sets the log as it says. NULL when there was
 * any. The caller frees it. */
struct node_config *node_config_load(const char *path);
/* Reads it again with what the center set (node/pushed.h) in place of what it says; what does not fit is left
 * out. Once the process has become the user whom the state belongs to. */
void node_config_use_pushed(struct node_config **config);
/* Reads a file with this part in place of what it says, without setting the log: whether it fits. Uses the
 * part up. */
struct node_config *node_config_try(const char *path, struct config **part);
void node_config_free(struct node_config **config);
