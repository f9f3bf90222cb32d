/* SPDX-License-Identifier: Apache-2.0
 *
 * A fleet made of fixed seeds with real signatures: authority, one enroller, nodes. For tests.
 */
#pragma once

#include <stdio.h>

#include "cluster/crypto_sodium.h"
#include "cluster/record.h"
#include "tests/unit/unit.h"

#define FLEET_TIME UINT64_C(1795000000) /* in November 2026 */

struct fleet_node {
    struct crypto_sodium *keys;
    struct cluster_crypto crypto;
    struct certificate certificate;
    uint8_t encoded[CERTIFICATE_MAX_SIZE];
    size_t encoded_size;
};

struct fleet {
    struct crypto_sodium *authority_keys;
    struct cluster_crypto authority;
    struct trust trust;
    struct fleet_node enroller; /* bound by the authority */
    struct policy policy;
    uint8_t policy_encoded[POLICY_MAX_SIZE];
    size_t policy_size;
};

static inline void fleet_seed(uint8_t seed[32], unsigned number)
{
    memset(seed, 0x5a, 32);
    seed[0] = (uint8_t)number;
    seed[1] = (uint8_t)(number >> 8);
}

static inline struct bytes fleet_bytes(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

static inline struct crypto_sodium *fleet_keys(unsigned number)
{
    uint8_t seed[32], salt[32];
    fleet_seed(seed, number);
    memset(salt, 7, sizeof salt);
    assert_true(crypto_sodium_start());
    struct crypto_sodium *keys = crypto_sodium_new(seed, salt);
    assert_non_null(keys);
    return keys;
}

/* Node number N has the id N, N, N...; domains "corp.example" when it is a candidate. */
static inline struct grant fleet_grant(const struct fleet *fleet, unsigned number, bool candidate)
{
    struct grant grant = {.mode = MODE_SENSOR, .expires = FLEET_TIME + 3600};
    memset(grant.id.bytes, (int)number, NODE_ID_SIZE);
    strcpy(grant.site, "hq");
    if (candidate)
        strcpy(grant.domains[grant.domain_count++], "corp.example");
    if (number != 1)
        grant.enroller = fleet->enroller.certificate.grant.id;
    return grant;
}

static inline void fleet_bind(struct fleet *fleet, struct fleet_node *node, const struct grant *grant,
                              unsigned number)
{
    uint8_t buffer[4096];
    bool first = node == &fleet->enroller;
    node->keys = fleet_keys(number);
    node->crypto = crypto_sodium_table(node->keys);
    node->certificate = (struct certificate){.grant = *grant, .issued = FLEET_TIME, .by_authority = first};
    memcpy(node->certificate.public_key, crypto_sodium_public_key(node->keys), PUBLIC_KEY_SIZE);
    snprintf(node->certificate.name, NAME_MAX_SIZE, "dc1-s%02u", number);
    size_t size = grant_write(buffer, sizeof buffer, grant, &fleet->authority);
    assert_true(size > 0);
    node->encoded_size =
        certificate_write(node->encoded, sizeof node->encoded, &node->certificate, fleet_bytes(buffer, size),
                          first ? &fleet->authority : &fleet->enroller.crypto);
    assert_true(node->encoded_size > 0);
}

static inline void fleet_node_open(struct fleet *fleet, struct fleet_node *node, unsigned number,
                                   bool candidate)
{
    struct grant grant = fleet_grant(fleet, number, candidate);
    fleet_bind(fleet, node, &grant, number);
}

static inline void fleet_node_close(struct fleet_node *node)
{
    crypto_sodium_destroy(&node->keys);
}

/* Writes the policy anew, and reads it, so that fleet->policy points into fleet->policy_encoded. */
static inline void fleet_write_policy(struct fleet *fleet, const struct policy *policy)
{
    static uint8_t buffer[POLICY_MAX_SIZE];
    size_t size = policy_write(buffer, sizeof buffer, policy, &fleet->authority);
    assert_true(size > 0);
    memcpy(fleet->policy_encoded, buffer, size);
    fleet->policy_size = size;
    assert_true(policy_read(&fleet->policy, fleet_bytes(fleet->policy_encoded, size), &fleet->trust,
                            &fleet->authority));
}

static inline void fleet_open(struct fleet *fleet)
{
    memset(fleet, 0, sizeof *fleet);
    fleet->authority_keys = fleet_keys(1000);
    fleet->authority = crypto_sodium_table(fleet->authority_keys);
    memset(fleet->trust.fleet, 0xf1, FLEET_ID_SIZE);
    memcpy(fleet->trust.authority, crypto_sodium_public_key(fleet->authority_keys), PUBLIC_KEY_SIZE);
    fleet_node_open(fleet, &fleet->enroller, 1, true);

    struct policy policy = {.version = 1, .enroller_count = 1};
    policy.enrollers[0].id = fleet->enroller.certificate.grant.id;
    memcpy(policy.enrollers[0].public_key, fleet->enroller.certificate.public_key, PUBLIC_KEY_SIZE);
    policy.enrollers[0].until = UINT64_MAX;
    fleet_write_policy(fleet, &policy);
}

static inline void fleet_close(struct fleet *fleet)
{
    fleet_node_close(&fleet->enroller);
    crypto_sodium_destroy(&fleet->authority_keys);
}

/* The record of a typical node: one endpoint, one domain controller. */
static inline struct record fleet_record(const struct fleet_node *node)
{
    struct record record = {.certificate = node->certificate, .incarnation = 3, .revision = 1};
    strcpy(record.endpoints[record.endpoint_count++], "10.20.30.40:49200");
    strcpy(record.controllers[record.controller_count++], "dc1.corp.example");
    record.boot_nonce = 0xdeadbeef;
    memset(record.anchor, 0xaa, LINK_SIZE);
    strcpy(record.version, "0.1.0");
    record.started = FLEET_TIME + 10;
    return record;
}
