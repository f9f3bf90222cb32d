/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of `picket fleet`: what they are given, and what they share.
 */
#pragma once

#include "cluster/authority.h"
#include "node/control_client.h"

#define FLEET_DIRECTORY "/var/lib/picket"
#define FLEET_EXPIRES   3600u        /* seconds that a token is good for */
#define FLEET_LONGEST   (7u * 86400) /* at most */

struct fleet_job {
    const char *verb;
    const char *directory; /* of the node's identity */
    char authority_path[PATH_SIZE];
    bool authority_given;
    const char *passphrase_file; /* NULL: the terminal */
    const char *new_passphrase_file;
    struct authority_cost cost;
    bool json;
    struct control_options control;

    /* of a node to be */
    const char *name;
    char site[NAME_MAX_SIZE];
    enum node_mode mode;
    char domains[GRANT_DOMAINS][DOMAIN_MAX_SIZE];
    unsigned domain_count;
    char workspace[NAME_MAX_SIZE]; /* of a center; empty: none is named */
    uint64_t expires;              /* seconds from now */
    const char *enroller;
    char endpoints[RECORD_ENDPOINTS][ENDPOINT_MAX_SIZE]; /* of the enrolment socket */
    unsigned endpoint_count;

    char **arguments;
    int argument_count;

    int lock; /* of the authority's file; -1 */
    struct authority *authority;
    struct authority_secret *secret; /* secret_alloc()ed */
    struct fault fault;
};

/* "picket: fleet VERB: FAULT". Returns EXIT_FAILED. */
int fleet_failed(const struct fleet_job *job);

/* Reads the authority's file, and holds it against other commands. */
bool fleet_load_authority(struct fleet_job *job);
/* The same, and opens it with the passphrase. */
bool fleet_open_authority(struct fleet_job *job);
/* The passphrase of the job, checked for its length where a new one is set. */
bool fleet_passphrase(struct fleet_job *job, struct disk_content *passphrase, const char *file,
                      const char *prompt, bool is_new);

/* The newest policy that the authority or the node knows; it points into `content` or the authority. */
bool fleet_policy(struct fleet_job *job, struct policy *policy, struct disk_content *content);
/* Signs the next version, keeps it in the authority's file. */
bool fleet_sign_policy(struct fleet_job *job, struct policy *policy);
/* Tells the local node, or leaves it where picketd finds it at its next start. An exit status. */
int fleet_publish_policy(struct fleet_job *job);

/* A node by its id in hexadecimal or by its name, as this host's node knows it; of several with a name the
 * one that `policy` does not revoke. `certificate` is filled when a record of it is there (else all zero). */
bool fleet_find_node(struct fleet_job *job, const struct policy *policy, const char *text, struct node_id *id,
                     struct certificate *certificate);

uint64_t fleet_now(void); /* seconds since 1970 */
/* An id for people: 32 digits. */
void fleet_say_time(char *to, uint64_t seconds); /* of CLOCK_RFC3339_MAX */

int fleet_create(struct fleet_job *job);
int fleet_invite(struct fleet_job *job);
int fleet_revoke(struct fleet_job *job);
int fleet_enroller(struct fleet_job *job);
int fleet_publish(struct fleet_job *job);
int fleet_rotate(struct fleet_job *job);
int fleet_change_passphrase(struct fleet_job *job);
int fleet_show(struct fleet_job *job);
