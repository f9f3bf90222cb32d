/* SPDX-License-Identifier: Apache-2.0
 *
 * What an activity is worth when not all can be kept: when the spool fills, the least go first.
 */
#pragma once

#include "base/activity.h"

enum record_value {
    VALUE_LOW,    /* noise of the network: says where a computer is, at most */
    VALUE_NORMAL, /* what a profile is made of */
    VALUE_HIGH,   /* who authenticated, what changed, what attacks look like */
};

enum record_value record_value_of(enum activity_kind kind);
