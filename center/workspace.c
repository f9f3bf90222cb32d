/* SPDX-License-Identifier: Apache-2.0 */
#include "center/workspace.h"

#include "center/statistics.h"
#include "sync/entity.h"

#include <string.h>

void workspace_settings_init(struct workspace_settings *settings)
{
    memset(settings, 0, sizeof(*settings));
    settings->sensitivity = SENSITIVITY_MEDIUM;
}

double workspace_setting(const struct workspace_settings *settings, const struct detector *detector,
                         unsigned index)
{
    const struct detector_setting *s = &detector->settings[index];
    for (uint32_t i = 0; i < settings->override_count; i++)
        if (strcmp(settings->overrides[i].detector, detector->word) == 0 &&
            strcmp(settings->overrides[i].setting, s->name) == 0)
            return settings->overrides[i].value;
    return settings->sensitivity == SENSITIVITY_LOW    ? s->low
           : settings->sensitivity == SENSITIVITY_HIGH ? s->high
                                                       : s->medium;
}

bool workspace_off(const struct workspace_settings *settings, const struct detector *detector)
{
    for (uint32_t i = 0; i < settings->off_count; i++)
        if (strcmp(settings->off[i], detector->word) == 0)
            return true;
    return false;
}

/* -- exclusions ----------------------------------------------------------------------------------------- */

static bool same_name(const char *a, size_t a_size, const char *b)
{
    uint8_t x[ALERT_NAME_MAX], y[ALERT_NAME_MAX];
    size_t b_size = strlen(b);
    if (a_size != b_size || a_size >= sizeof(x))
        return false;
    entity_fold(x, (struct bytes){(const uint8_t *)a, a_size});
    entity_fold(y, (struct bytes){(const uint8_t *)b, b_size});
    return memcmp(x, y, a_size) == 0;
}

/* "bob", "EXAMPLE\bob", "bob@example.com", "*". A domain that is given must be that of the party. */
static bool names_account(const char *value, const struct alert_party *party)
{
    const char *backslash = strchr(value, '\\'), *at = strrchr(value, '@');
    if (strcmp(value, "*") == 0)
        return true;
    if (backslash)
        return same_name(value, (size_t)(backslash - value), party->domain) &&
               same_name(backslash + 1, strlen(backslash + 1), party->name);
    if (at && at != value)
        return same_name(value, (size_t)(at - value), party->name) &&
               same_name(at + 1, strlen(at + 1), party->domain);
    return same_name(value, strlen(value), party->name);
}

/* A computer with or without its $. */
static bool names_computer(const char *value, const struct alert_party *party)
{
    size_t size = strlen(value), kept = strlen(party->name);
    char name[ALERT_NAME_MAX];
    memcpy(name, party->name, kept + 1);
    if (kept > 1 && name[kept - 1] == '$')
        name[kept - 1] = '\0';
    if (size > 1 && value[size - 1] == '$')
        size--;
    return same_name(value, size, name);
}

static bool covers(const struct exclusion *exclusion, const struct alert_party *party)
{
    struct ip_address network;
    uint8_t bits;
    switch (exclusion->kind) {
    case EXCLUDE_ACCOUNT:
        return party->role == ALERT_ACCOUNT && names_account(exclusion->value, party);
    case EXCLUDE_COMPUTER:
        return party->role == ALERT_SOURCE && party->kind == SUBJECT_COMPUTER &&
               names_computer(exclusion->value, party);
    case EXCLUDE_ADDRESS:
        return party->role == ALERT_SOURCE && ip_prefix_parse(exclusion->value, &network, &bits) &&
               ip_address_within(&party->address, &network, bits);
    case EXCLUDE_DOMAIN:
        return party->role == ALERT_ACCOUNT &&
               same_name(exclusion->value, strlen(exclusion->value), party->domain);
    }
    return false;
}

/* Whether all parties of its role are covered: an alert about three accounts is not silent because of one. */
static bool covers_all(const struct exclusion *exclusion, const struct alert *alert)
{
    enum alert_role role = exclusion->kind == EXCLUDE_ACCOUNT || exclusion->kind == EXCLUDE_DOMAIN
                               ? ALERT_ACCOUNT
                               : ALERT_SOURCE;
    bool any = false;
    for (uint32_t i = 0; i < alert->party_count; i++) {
        if (alert->parties[i].role != role)
            continue;
        if (!covers(exclusion, &alert->parties[i]))
            return false;
        any = true;
    }
    return any;
}

bool workspace_excludes(const struct workspace_settings *settings, const struct detector *detector,
                        const struct alert *alert)
{
    for (uint32_t i = 0; i < settings->exclusion_count; i++) {
        const struct exclusion *exclusion = &settings->exclusions[i];
        if ((strcmp(exclusion->detector, "*") == 0 || strcmp(exclusion->detector, detector->word) == 0) &&
            covers_all(exclusion, alert))
            return true;
    }
    return false;
}

bool exclusion_parse(const char *text, struct exclusion *to, struct fault *fault)
{
    static const char *const kinds[] = {
        [EXCLUDE_ACCOUNT] = "account:",
        [EXCLUDE_COMPUTER] = "computer:",
        [EXCLUDE_ADDRESS] = "address:",
        [EXCLUDE_DOMAIN] = "domain:",
    };
    struct ip_address network;
    uint8_t bits;
    const char *space = strchr(text, ' ');
    size_t word = space ? (size_t)(space - text) : 0;
    *to = (struct exclusion){0};
    if (word == 0 || word >= sizeof(to->detector))
        return fault_say(fault, "\"%s\": a detector (or *) and what it leaves alone are wanted", text);
    memcpy(to->detector, text, word);
    if (strcmp(to->detector, "*") != 0 && !detector_by_word(to->detector))
        return fault_say(fault, "there is no detector \"%s\"", to->detector);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const char *value = space + 1 + strlen(kinds[i]);
        if (strncmp(space + 1, kinds[i], strlen(kinds[i])) != 0)
            continue;
        if (*value == '\0' || strlen(value) >= sizeof(to->value))
            return fault_say(fault, "\"%s\": nothing, or too much, behind the colon", text);
        to->kind = (enum exclusion_kind)i;
        memcpy(to->value, value, strlen(value) + 1);
        if (to->kind == EXCLUDE_ADDRESS && !ip_prefix_parse(value, &network, &bits))
            return fault_say(fault, "\"%s\" is no address or prefix", value);
        return true;
    }
    return fault_say(fault, "\"%s\": account:, computer:, address: or domain: is wanted", text);
}

/* -- tickets -------------------------------------------------------------------------------------------- */

int64_t workspace_ticket_life(const struct workspace_settings *settings, struct bytes domain)
{
    for (uint32_t i = 0; i < settings->life_count; i++)
        if (same_name((const char *)domain.data, domain.size, settings->lives[i].domain))
            return (int64_t)(settings->lives[i].hours * (double)STATISTICS_HOUR);
    return 0;
}

bool workspace_set_ticket_life(struct workspace_settings *settings, const char *domain, double hours)
{
    struct domain_life *to = &settings->lives[settings->life_count];
    size_t size = strlen(domain);
    if (settings->life_count == WORKSPACE_LIVES_MAX || size == 0 || size >= sizeof(to->domain) ||
        !(hours >= TICKET_LIFE_LEAST && hours <= TICKET_LIFE_MOST))
        return false;
    memcpy(to->domain, domain, size + 1);
    to->hours = hours;
    settings->life_count++;
    return true;
}
