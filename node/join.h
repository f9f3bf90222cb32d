/* SPDX-License-Identifier: Apache-2.0
 *
 * picketd --join: makes a host a member of a fleet.
 */
#pragma once

/* Asks the enroller that the token names, for a minute at most, and keeps what it gives in `directory`.
 * `name` is taken unless the token tells one. EXIT_FINE also when this host is a member of that fleet
 * already: a unit file may leave --join in place. Says what it did on standard error. */
int join_run(const char *directory, const char *name, const char *token);
