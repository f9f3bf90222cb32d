/* SPDX-License-Identifier: Apache-2.0 */
#include "center/geo.h"

#include <arpa/inet.h>
#include <math.h>
#include <maxminddb.h>
#include <stdio.h>
#include <string.h>

#define EARTH_RADIUS 6371.0088 /* km, mean */

static MMDB_s database;
static bool open_now;
static bool (*other)(const struct ip_address *address, struct geo_place *to);

bool geo_open(const char *path, struct fault *fault)
{
    MMDB_s opened;
    int status = MMDB_open(path, MMDB_MODE_MMAP, &opened);
    if (status != MMDB_SUCCESS)
        return fault_say(fault, "%s: %s", path, MMDB_strerror(status));
    geo_close();
    database = opened;
    open_now = true;
    return true;
}

void geo_close(void)
{
    if (open_now)
        MMDB_close(&database);
    open_now = false;
}

bool geo_is_open(void)
{
    return open_now || other;
}

void geo_use(bool (*locate)(const struct ip_address *address, struct geo_place *to))
{
    other = locate;
}

static void take_text(MMDB_entry_s *entry, const char *const *path, char *to, size_t capacity)
{
    MMDB_entry_data_s data;
    to[0] = '\0';
    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING)
        return;
    size_t size = data.data_size < capacity ? data.data_size : capacity - 1;
    memcpy(to, data.utf8_string, size);
    to[size] = '\0';
}

static bool take_number(MMDB_entry_s *entry, const char *const *path, double *to)
{
    MMDB_entry_data_s data;
    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_DOUBLE)
        return false;
    *to = data.double_value;
    return true;
}

bool geo_locate(const struct ip_address *address, struct geo_place *to)
{
    static const char *const country[] = {"country", "iso_code", NULL};
    static const char *const city[] = {"city", "names", "en", NULL};
    static const char *const latitude[] = {"location", "latitude", NULL};
    static const char *const longitude[] = {"location", "longitude", NULL};
    memset(to, 0, sizeof(*to));
    if (other)
        return other(address, to);
    if (!open_now || address->family == 0)
        return false;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    memcpy(&v4.sin_addr, address->bytes, 4);
    memcpy(&v6.sin6_addr, address->bytes, 16);
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(
        &database, address->family == 4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
        &error);
    if (error != MMDB_SUCCESS || !found.found_entry)
        return false;
    take_text(&found.entry, country, to->country, sizeof(to->country));
    take_text(&found.entry, city, to->city, sizeof(to->city));
    to->has_position = take_number(&found.entry, latitude, &to->latitude) &&
                       take_number(&found.entry, longitude, &to->longitude);
    return to->country[0] || to->has_position;
}

double geo_distance(const struct geo_place *a, const struct geo_place *b)
{
    const double radian = M_PI / 180;
    double across = sin((b->latitude - a->latitude) * radian / 2);
    double along = sin((b->longitude - a->longitude) * radian / 2);
    double h = across * across + cos(a->latitude * radian) * cos(b->latitude * radian) * along * along;
    return 2 * EARTH_RADIUS * asin(fmin(1, sqrt(h)));
}
