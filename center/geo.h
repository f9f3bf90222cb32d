/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in the world an address is, by a database of the user's in MaxMind's format (GeoLite2 City, DB-IP and
 * others have it). None comes with Picket, and nothing is asked of anybody else.
 *
 * One database for the process, set once as it starts, before any pipeline is made: it is data that detectors
 * compare with, as fingerprints are.
 */
#pragma once

#include "base/address.h"
#include "base/fault.h"

struct geo_place {
    char country[3]; /* ISO 3166-1, two letters; "": not known */
    char city[64];   /* its English name, or "" */
    bool has_position;
    double latitude, longitude; /* degrees */
};

/* Opens a database file, which is kept open; replaces one that is. False, and nothing has changed: it is
 * none. */
bool geo_open(const char *path, struct fault *fault);
void geo_close(void);
bool geo_is_open(void);

/* False: not known, of a private network, or there is no database. */
bool geo_locate(const struct ip_address *address, struct geo_place *to);

/* Along the earth's surface, in km (haversine formula, mean radius). */
double geo_distance(const struct geo_place *a, const struct geo_place *b);

/* Asks this instead of a database; NULL: as before. For tests. */
void geo_use(bool (*locate)(const struct ip_address *address, struct geo_place *to));
