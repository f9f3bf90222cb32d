/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may deliver: a node whose certificate the fleet's authority stands for, over a connection with that
 * certificate's key. What the center knows of the fleet - its policy: who enrols, who is revoked - the nodes
 * bring along, signed; the greatest version counts. Pure.
 */
#pragma once

#include "base/delivery.h"
#include "base/fault.h"
#include "cluster/crypto_sodium.h"
#include "cluster/record.h"

struct admission {
    struct trust trust;
    uint8_t encoded[POLICY_MAX_SIZE];
    size_t encoded_size;  /* 0: no policy yet */
    struct policy policy; /* points into `encoded` */
};

/* `policy`: as it was kept, or empty. False: it is not the authority's. */
bool admission_init(struct admission *admission, const uint8_t authority[PUBLIC_KEY_SIZE],
                    struct bytes policy);

/* Takes a newer policy; true when it was one. */
bool admission_learn(struct admission *admission, struct bytes policy);

/* Whether the HELLO of a connection with this key may be answered. False with the reason. */
bool admission_check(const struct admission *admission, const struct delivery_message *hello,
                     const uint8_t curve_key[CURVE_KEY_SIZE], struct certificate *certificate,
                     struct fault *fault);
