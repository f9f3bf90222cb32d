/* SPDX-License-Identifier: Apache-2.0
 *
 * A company that is simulated: five weeks of what sensors on its controllers would report, the same for the
 * same seed, hour by hour in the order of time. What people, computers and services do follows published
 * statistics (tests/company/README.md names each), not the thresholds of any detector.
 */
#pragma once

#include "base/activity.h"
#include "center/directory_view.h"

#define COMPANY_DOMAIN "corp.example"
#define COMPANY_REALM  "CORP.EXAMPLE"
#define COMPANY_NET    "CORP"

struct company_options {
    uint64_t seed;
    uint32_t users, controllers, servers;
    uint32_t days;
    int64_t start;  /* ns since 1970: a Monday, 00:00 UTC */
    double density; /* of what a computer does by itself (names looked up, policies): 1 as measured, less to
                       be quicker; what people and services do is never thinned */
};
/* 2,000 users, 20 controllers, 200 servers, 35 days. */
void company_options_init(struct company_options *options);

struct company;
struct company *company_new(const struct company_options *options);
void company_destroy(struct company **company);
const struct company_options *company_options_of(const struct company *company);

/* Gets each record in order, valid during the call. */
typedef void (*company_sink)(void *context, struct bytes record);
/* All that happens in that hour since the start; to be called for each hour in order. */
void company_hour(struct company *company, uint32_t hour, company_sink sink, void *context);

/* Its directory, as the center would have it. */
struct directory_view company_directory(struct company *company);
/* Everybody in it: sAMAccountName, objectGUID, facts (center/directory_view.h). */
void company_accounts(const struct company *company,
                      void (*visit)(void *context, const char *name, const uint8_t guid[16], uint32_t facts),
                      void *context);

/* -- attacks -------------------------------------------------------------------------------------- */

#define COMPANY_IDS_MAX 6u
struct company_attack {
    char name[48];
    uint32_t ids[COMPANY_IDS_MAX]; /* external ids of the detections that tell of it: any of them */
    int64_t start, end;
    struct ip_address source;
    char computer[24]; /* behind that address */
    char account[24];  /* whose identity is used; "": none */
    uint32_t activities;
};

/* Puts in what the company's own code knows: stolen passwords, stolen tickets, ... Returns how many. */
uint32_t company_attack_all(struct company *company);
/* Puts in a real one: the activities of a capture of the laboratory (whose domain is named as this one),
 * moved to a computer and a time of this company. `ids`: ended by 0. False: it could not be read. */
bool company_attack_capture(struct company *company, const char *path, const char *name, const uint32_t *ids);
const struct company_attack *company_attacks(const struct company *company, uint32_t *count);
