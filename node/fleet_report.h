/* SPDX-License-Identifier: Apache-2.0
 *
 * What this node tells its center of the fleet, now and then (cluster/fleet_view.h, docs/center.md).
 */
#pragma once

#include "cluster/cluster.h"

/* Encoded and malloc()ed; NULL without memory. The members are told by those who synchronize a domain, and
 * while no domain has a synchronizer by the online member with the least id: so that there are few tellers,
 * in each part of a fleet that is cut in two at least one. On the core's thread. */
uint8_t *fleet_report_make(struct cluster *core, size_t *size);
