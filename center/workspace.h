/* SPDX-License-Identifier: Apache-2.0
 *
 * What a workspace has set for its detectors: sensitivity, thresholds, exclusions. Plain data; the store
 * (center/store.h) keeps it, the API changes it.
 */
#pragma once

#include "base/fault.h"
#include "center/alert.h"
#include "center/detector.h"

enum sensitivity { SENSITIVITY_LOW, SENSITIVITY_MEDIUM, SENSITIVITY_HIGH };

#define WORKSPACE_EXCLUSIONS_MAX 4096u
#define WORKSPACE_OVERRIDES_MAX  1024u
#define WORKSPACE_LIVES_MAX      256u

/* Hours that may be set as the life of a domain's tickets. */
#define TICKET_LIFE_LEAST 0.25
#define TICKET_LIFE_MOST  8760.0

enum exclusion_kind {
    EXCLUDE_ACCOUNT,  /* name, DOMAIN\name or name@domain; * for any */
    EXCLUDE_COMPUTER, /* as a source */
    EXCLUDE_ADDRESS,  /* address or prefix of the source */
    EXCLUDE_DOMAIN,   /* of the account */
};

struct exclusion {
    char detector[64]; /* its word; "*": all */
    enum exclusion_kind kind;
    char value[ALERT_NAME_MAX];
};

struct override {
    char detector[64];
    char setting[48];
    double value;
};

/* How long a ticket-granting ticket of a domain lives: its policy, as somebody read it there. */
struct domain_life {
    char domain[128]; /* DNS name */
    double hours;
};

struct workspace_settings {
    uint64_t id; /* of the workspace */
    enum sensitivity sensitivity;
    bool learned; /* learning counts as over (replays: what was never seen is unusual) */
    uint32_t exclusion_count, override_count, life_count;
    struct exclusion exclusions[WORKSPACE_EXCLUSIONS_MAX];
    struct override overrides[WORKSPACE_OVERRIDES_MAX];
    struct domain_life lives[WORKSPACE_LIVES_MAX];
    /* Detectors that are switched off: words. */
    uint32_t off_count;
    char off[64][64];
};

/* Medium sensitivity, nothing else. */
void workspace_settings_init(struct workspace_settings *settings);
/* The value of a setting: the override, else the default of the sensitivity. */
double workspace_setting(const struct workspace_settings *settings, const struct detector *detector,
                         unsigned index);
/* The longest life of tickets that is set for a domain (however it is cased): ns; 0: none is. */
int64_t workspace_ticket_life(const struct workspace_settings *settings, struct bytes domain);
/* Sets it. False: no such domain or life, or too many. */
bool workspace_set_ticket_life(struct workspace_settings *settings, const char *domain, double hours);
/* Whether an exclusion covers the alert. */
bool workspace_excludes(const struct workspace_settings *settings, const struct detector *detector,
                        const struct alert *alert);
bool workspace_off(const struct workspace_settings *settings, const struct detector *detector);
/* From text, as people write it: "DETECTOR account:bob", "address:10.0.0.0/8", ...; false with the reason. */
bool exclusion_parse(const char *text, struct exclusion *to, struct fault *fault);
