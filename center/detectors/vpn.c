/* SPDX-License-Identifier: Apache-2.0
 *
 * 2025: somebody connects to the VPN from where its owner never is.
 */
#include "center/detectors/authentication.h"
#include "center/geo.h"

enum { SETTING_CONNECTIONS, SETTING_SPEED, SETTING_DISTANCE };

#define COUNTRIES_MAX 12u

static const struct detector_setting settings[] = {
    [SETTING_CONNECTIONS] = {"connections", "", 10, 5, 5, 1, 10000,
                             "How many connections of the account must have been seen before."},
    [SETTING_SPEED] = {"speed", "km/h", 2000, 1000, 800, 100, 100000,
                       "How fast somebody would have to travel from one connection to the next."},
    [SETTING_DISTANCE] = {"distance", "km", 2000, 1000, 500, 50, 20000,
                          "From which distance on that counts: databases err, and so does who roams."},
    {0},
};

struct vpn_habit {
    uint32_t connections, count;
    char countries[COUNTRIES_MAX][3];
    uint8_t has_last;
    int64_t first, last_time;
    double latitude, longitude; /* of the last one that is known */
    char country[3], city[64];
};

static const struct state_form tables[] = {
    {"accounts", 1, sizeof(struct vpn_habit), 262144, 180 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_RADIUS_ACCOUNTING, ACTIVITY_NONE};

static bool read_address(struct bytes text, struct ip_address *to)
{
    char copy[IP_ADDRESS_TEXT_MAX];
    if (text.size == 0 || text.size >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return ip_address_parse(copy, to);
}

/* The outer address of the user. */
static bool from_where(const struct observation *o, struct ip_address *to)
{
    return read_address(observation_text(o, FIELD_TUNNEL_CLIENT), to) ||
           read_address(observation_text(o, FIELD_CALLING_STATION), to);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    struct ip_address address;
    return text_is(observation_text(o, FIELD_RADIUS_STATUS), "start") && from_where(o, &address)
               ? o->account.subject
               : (struct subject){0};
}

static bool is_new_country(const struct vpn_habit *h, const struct geo_place *place)
{
    if (place->country[0] == '\0')
        return false;
    for (uint32_t i = 0; i < h->count && i < COUNTRIES_MAX; i++)
        if (strcmp(h->countries[i], place->country) == 0)
            return false;
    return true;
}

static void learn(struct vpn_habit *h, const struct observation *o, const struct geo_place *place,
                  bool new_country)
{
    if (h->connections++ == 0)
        h->first = o->time;
    if (new_country)
        memcpy(h->countries[h->count++ % COUNTRIES_MAX], place->country, sizeof(place->country));
    h->has_last = place->has_position;
    h->latitude = place->latitude;
    h->longitude = place->longitude;
    h->last_time = o->time;
    memcpy(h->country, place->country, sizeof(h->country));
    memcpy(h->city, place->city, sizeof(h->city));
}

static void observe(struct detection *d, const struct observation *o)
{
    struct ip_address address;
    struct geo_place place;
    if (!from_where(o, &address) || !geo_locate(&address, &place))
        return;
    struct vpn_habit *h = detection_use(d, 0, detection_key(d), NULL);
    if (!h)
        return;
    bool new_country = is_new_country(h, &place);
    double distance = 0, speed = 0, hours = 0;
    if (h->has_last && place.has_position) {
        struct geo_place before = {.latitude = h->latitude, .longitude = h->longitude};
        distance = geo_distance(&before, &place);
        hours = (double)(o->time - h->last_time) / (double)STATISTICS_HOUR;
        speed = distance / (hours > 1.0 / 60 ? hours : 1.0 / 60);
    }
    bool too_fast = distance >= detection_setting(d, SETTING_DISTANCE) && hours >= 0 &&
                    speed >= detection_setting(d, SETTING_SPEED);
    bool enough = h->connections >= detection_setting(d, SETTING_CONNECTIONS);
    const struct vpn_habit before = *h;
    learn(h, o, &place, new_country);
    if (!enough || (!new_country && !too_fast))
        return;
    struct alert *alert = detection_bare_alert(d, o, detection_key(d));
    char text[IP_ADDRESS_TEXT_MAX];
    ip_address_text(&address, text);
    const struct party source = {.kind = SUBJECT_ADDRESS,
                                 .subject = subject_of_address(detection_seed(d), &address),
                                 .name = {(const uint8_t *)text, strlen(text)},
                                 .address = address,
                                 .confidence = 100};
    alert_add_party(alert, ALERT_SOURCE, &source);
    alert_add_party(alert, ALERT_ACCOUNT, &o->account);
    alert_add_party(alert, ALERT_DESTINATION, &o->source);
    uint32_t countries = before.count < COUNTRIES_MAX ? before.count : COUNTRIES_MAX;
    alert_put_string(alert, "country", place.country);
    alert_put_string(alert, "city", place.city);
    alert_put_compared(alert, "connections_before", before.connections, "connections",
                       detection_setting(d, SETTING_CONNECTIONS));
    alert_put_number(alert, "countries_before", countries);
    alert_explain(alert, "%.*s connected to the VPN from %s%s%s (%s).", PRINTED(o->account.name), text,
                  place.city[0] ? ", " : "", place.city, place.country[0] ? place.country : "?");
    if (new_country)
        alert_explain(alert,
                      "In %u connections since it was first seen it came from %u countr%s, never from there.",
                      before.connections, countries, countries == 1 ? "y" : "ies");
    if (too_fast) {
        alert_put_compared(alert, "speed", speed, "speed", detection_setting(d, SETTING_SPEED));
        alert_put_compared(alert, "distance", distance, "distance", detection_setting(d, SETTING_DISTANCE));
        alert_explain(
            alert, "%.1f hours before it connected from %s%s%s, %.0f km away: nobody travels with %.0f km/h.",
            hours, before.city, before.city[0] ? ", " : "", before.country, distance, speed);
    }
    alert_explain(alert, "Where an address is, the database says, and may err.");
    detection_raise(d);
}

const struct detector detector_vpn = {
    .external_id = 2025,
    .name = "AbnormalVpnSecurityAlert",
    .title = "Suspicious VPN connection",
    .word = "vpn",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1133",
    .learning = 30 * STATISTICS_DAY,
    .doc =
        "Looks at where VPN sessions begin (RADIUS accounting start, RFC 2866; Tunnel-Client-Endpoint, else "
        "Calling-Station-Id) by a database of addresses and places that the user provides (docs/center.md); "
        "without one it is silent. Learns from which countries each account connects, at least five "
        "connections within a workspace that has learned for 30 days, and compares each new one with them, "
        "and with the place of the one before: the speed of a journey between the two (great circle "
        "distance by time) that no aircraft reaches tells two people.",
    .advice =
        "Ask the account's owner where they are; if it was not they, end the session and reset the password.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
