/* SPDX-License-Identifier: Apache-2.0
 *
 * picket members, picket reach, picket peers.
 */
#include "base/text.h"
#include "node/show.h"

#include <inttypes.h>
#include <string.h>

#define COUNT(array) (unsigned)(sizeof(array) / sizeof(array[0]))

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void rtt_cell(struct show_table *table, unsigned column, const json_t *item)
{
    const json_t *rtt = json_object_get(item, "rtt_ms");
    if (json_is_number(rtt))
        show_table_cell(table, column, "%.1fms", json_number_value(rtt));
    else
        show_table_cell(table, column, "-");
}

/* Domains that it is a candidate of; a star where it is the synchronizer. */
static void candidate_cell(struct show_table *table, unsigned column, const json_t *member)
{
    const json_t *candidate = json_object_get(member, "candidate_for");
    const json_t *holds = json_object_get(member, "holds");
    char text[1024];
    struct text t = text_to(text, sizeof(text));
    for (size_t i = 0; i < json_array_size(candidate); i++) {
        const char *domain = json_string_value(json_array_get(candidate, i));
        if (i > 0)
            text_char(&t, ',');
        text_string(&t, domain ? domain : "?");
        for (size_t j = 0; domain && j < json_array_size(holds); j++)
            if (json_is_string(json_array_get(holds, j)) &&
                strcmp(json_string_value(json_array_get(holds, j)), domain) == 0)
                text_char(&t, '*');
    }
    if (t.length == 0)
        text_char(&t, '-');
    text_end(&t);
    show_table_cell(table, column, "%s", text);
}

static void state_cell(struct show_table *table, unsigned column, const json_t *member)
{
    const char *state = show_text(member, "state");
    show_table_cell(table, column, "%s", or_dash(state));
    show_table_colour(table, column, show_state_colour(state));
}

/* "12 members: 10 online, 2 offline" of those that are shown. */
static void count_states(const json_t *members, char *to, size_t capacity)
{
    static const char *const states[] = {"online", "late", "offline", "unheard", "left", "revoked"};
    size_t of[COUNT(states)] = {0}, size = json_array_size(members);
    for (size_t i = 0; i < size; i++)
        for (unsigned s = 0; s < COUNT(states); s++) {
            const char *state = show_text(json_array_get(members, i), "state");
            of[s] += state && strcmp(state, states[s]) == 0;
        }
    struct text t = text_to(to, capacity);
    text_uint(&t, size);
    text_string(&t, size == 1 ? " member" : " members");
    const char *separator = ": ";
    for (unsigned s = 0; s < COUNT(states); s++) {
        if (of[s] == 0)
            continue;
        text_string(&t, separator);
        text_uint(&t, of[s]);
        text_char(&t, ' ');
        text_string(&t, states[s]);
        separator = ", ";
    }
    text_end(&t);
}

enum member_column {
    MEMBER_NAME,
    MEMBER_MODE,
    MEMBER_SITE,
    MEMBER_STATE,
    MEMBER_SINCE,
    MEMBER_SILENT,
    MEMBER_INCARNATION,
    MEMBER_RTT,
    MEMBER_VERSION,
    MEMBER_CANDIDATE,
    MEMBER_CONTROLLERS,
    MEMBER_ADDRESS,
    MEMBER_KEY,
    MEMBER_ID,
};

static const struct show_column member_columns[] = {
    [MEMBER_NAME] = {"NAME", 0, SHOW_LEFT, false},
    [MEMBER_MODE] = {"MODE", 0, SHOW_LEFT, false},
    [MEMBER_SITE] = {"SITE", 0, SHOW_LEFT, false},
    [MEMBER_STATE] = {"STATE", 0, SHOW_LEFT, false},
    [MEMBER_SINCE] = {"SINCE", 0, SHOW_RIGHT, false},
    [MEMBER_SILENT] = {"LAST HEARD", 0, SHOW_RIGHT, false},
    [MEMBER_INCARNATION] = {"INC", 0, SHOW_RIGHT, false},
    [MEMBER_RTT] = {"RTT", 0, SHOW_RIGHT, false},
    [MEMBER_VERSION] = {"VERSION", 0, SHOW_LEFT, false},
    [MEMBER_CANDIDATE] = {"CANDIDATE FOR", 0.2, SHOW_CUT, false},
    [MEMBER_CONTROLLERS] = {"DOMAIN CONTROLLERS", 0.2, SHOW_CUT, false},
    [MEMBER_ADDRESS] = {"ADDRESS", 0, SHOW_LEFT, true},
    [MEMBER_KEY] = {"KEY", 0, SHOW_RIGHT, true},
    [MEMBER_ID] = {"ID", 0, SHOW_LEFT, true},
};

static void member_row(struct show_table *table, const json_t *answer, const json_t *member)
{
    bool self = json_is_true(json_object_get(member, "self"));
    show_table_row(table);
    show_table_cell(table, MEMBER_NAME, "%s%s", or_dash(show_text(member, "name")), self ? " (here)" : "");
    show_table_cell(table, MEMBER_MODE, "%s", or_dash(show_text(member, "mode")));
    show_table_cell(table, MEMBER_SITE, "%s", or_dash(show_text(member, "site")));
    state_cell(table, MEMBER_STATE, member);
    show_table_duration(table, MEMBER_SINCE, show_since(answer, member, "since"));
    show_table_duration(table, MEMBER_SILENT, show_number(member, "silent_ms", -1));
    show_table_cell(table, MEMBER_INCARNATION, "%" PRId64, show_number(member, "incarnation", 0));
    rtt_cell(table, MEMBER_RTT, member);
    show_table_cell(table, MEMBER_VERSION, "%s", or_dash(show_text(member, "version")));
    candidate_cell(table, MEMBER_CANDIDATE, member);
    show_table_list(table, MEMBER_CONTROLLERS, json_object_get(member, "domain_controllers"));
    show_table_list(table, MEMBER_ADDRESS, json_object_get(member, "endpoints"));
    show_table_cell(table, MEMBER_KEY, "%" PRId64, show_number(member, "key_generation", 0));
    show_table_cell(table, MEMBER_ID, "%s", or_dash(show_text(member, "id")));
}

void show_members(const struct show_style *style, const json_t *answer)
{
    const json_t *members = json_object_get(answer, "members");
    struct show_table *table = show_table_new(style, member_columns, COUNT(member_columns));
    for (size_t i = 0; i < json_array_size(members); i++)
        member_row(table, answer, json_array_get(members, i));
    show_table_print(&table);
    char counts[160];
    count_states(members, counts, sizeof(counts));
    if (style->header)
        show_footer(style, answer, counts);
}

/* --- reach --- */

enum reach_column { REACH_NAME, REACH_SITE, REACH_STATE, REACH_BY, REACH_SILENT, REACH_RTT, REACH_DIAL };

static const struct show_column reach_columns[] = {
    [REACH_NAME] = {"NAME", 0, SHOW_LEFT, false},        [REACH_SITE] = {"SITE", 0, SHOW_LEFT, false},
    [REACH_STATE] = {"STATE", 0, SHOW_LEFT, false},      [REACH_BY] = {"HEARD BY", 0, SHOW_LEFT, false},
    [REACH_SILENT] = {"AGO", 0, SHOW_RIGHT, false},      [REACH_RTT] = {"RTT", 0, SHOW_RIGHT, false},
    [REACH_DIAL] = {"DIALLED AT", 0.4, SHOW_CUT, false},
};

enum directory_column { DIRECTORY_DOMAIN, DIRECTORY_ADDRESS, DIRECTORY_STATE, DIRECTORY_TRIED };

static const struct show_column directory_columns[] = {
    [DIRECTORY_DOMAIN] = {"DOMAIN", 0, SHOW_LEFT, false},
    [DIRECTORY_ADDRESS] = {"DOMAIN CONTROLLER", 0, SHOW_LEFT, false},
    [DIRECTORY_STATE] = {"DIRECTORY", 0, SHOW_LEFT, false},
    [DIRECTORY_TRIED] = {"TRIED", 0, SHOW_RIGHT, false},
};

/* Its endpoints; each with what a dial gave when there was one (--probe). */
static void dial_cell(struct show_table *table, const json_t *member)
{
    const json_t *endpoints = json_object_get(member, "endpoints");
    const json_t *dialled = json_object_get(member, "dialled");
    char text[1024];
    struct text t = text_to(text, sizeof(text));
    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const char *endpoint = json_string_value(json_array_get(endpoints, i));
        const char *result = json_string_value(json_array_get(dialled, i));
        if (i > 0)
            text_string(&t, ", ");
        text_string(&t, endpoint ? endpoint : "?");
        if (result) {
            text_char(&t, ' ');
            text_string(&t, result);
        }
    }
    if (t.length == 0)
        text_string(&t, "- (it dials)");
    text_end(&t);
    show_table_cell(table, REACH_DIAL, "%s", text);
}

static void show_directories(const struct show_style *style, const json_t *answer)
{
    const json_t *directories = json_object_get(answer, "directories");
    if (json_array_size(directories) == 0)
        return;
    fputc('\n', style->to);
    struct show_table *table = show_table_new(style, directory_columns, COUNT(directory_columns));
    for (size_t i = 0; i < json_array_size(directories); i++) {
        const json_t *directory = json_array_get(directories, i);
        bool reachable = json_is_true(json_object_get(directory, "reachable"));
        const char *reason = show_text(directory, "reason");
        show_table_row(table);
        show_table_cell(table, DIRECTORY_DOMAIN, "%s", or_dash(show_text(directory, "domain")));
        show_table_cell(table, DIRECTORY_ADDRESS, "%s", or_dash(show_text(directory, "address")));
        show_table_cell(table, DIRECTORY_STATE, "%s",
                        reachable ? "reachable"
                        : reason  ? reason
                                  : "not tried yet");
        show_table_colour(table, DIRECTORY_STATE, reachable ? "green" : "red");
        show_table_duration(table, DIRECTORY_TRIED, show_since(answer, directory, "tried"));
    }
    show_table_print(&table);
}

void show_reach(const struct show_style *style, const json_t *answer)
{
    const json_t *members = json_object_get(answer, "members");
    struct show_table *table = show_table_new(style, reach_columns, COUNT(reach_columns));
    unsigned reached = 0, expected = 0;
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        const char *by = show_text(member, "by");
        if (!by)
            continue;
        expected += strcmp(by, "gone") != 0;
        reached += strcmp(by, "gone") != 0 && strcmp(by, "none") != 0;
        show_table_row(table);
        show_table_cell(table, REACH_NAME, "%s", or_dash(show_text(member, "name")));
        show_table_cell(table, REACH_SITE, "%s", or_dash(show_text(member, "site")));
        state_cell(table, REACH_STATE, member);
        show_table_cell(table, REACH_BY, "%s", by);
        show_table_duration(table, REACH_SILENT, show_number(member, "silent_ms", -1));
        rtt_cell(table, REACH_RTT, member);
        dial_cell(table, member);
    }
    show_table_print(&table);
    show_directories(style, answer);
    char counts[96];
    snprintf(counts, sizeof(counts), "%u of %u members heard", reached, expected);
    if (style->header)
        show_footer(style, answer, counts);
}

/* --- peers --- */

enum peer_column {
    PEER_NAME,
    PEER_DIRECTION,
    PEER_ROLE,
    PEER_SITE,
    PEER_SINCE,
    PEER_HEARD,
    PEER_RTT,
    PEER_MESSAGES_IN,
    PEER_MESSAGES_OUT,
    PEER_BYTES_IN,
    PEER_BYTES_OUT,
    PEER_MALFORMED,
};

static const struct show_column peer_columns[] = {
    [PEER_NAME] = {"PEER", 0, SHOW_LEFT, false},
    [PEER_DIRECTION] = {"LINK", 0, SHOW_LEFT, false},
    [PEER_ROLE] = {"ROLE", 0, SHOW_LEFT, false},
    [PEER_SITE] = {"SITE", 0, SHOW_LEFT, false},
    [PEER_SINCE] = {"SINCE", 0, SHOW_RIGHT, false},
    [PEER_HEARD] = {"HEARD", 0, SHOW_RIGHT, false},
    [PEER_RTT] = {"RTT", 0, SHOW_RIGHT, false},
    [PEER_MESSAGES_IN] = {"MSGS IN", 0, SHOW_RIGHT, false},
    [PEER_MESSAGES_OUT] = {"MSGS OUT", 0, SHOW_RIGHT, false},
    [PEER_BYTES_IN] = {"BYTES IN", 0, SHOW_RIGHT, false},
    [PEER_BYTES_OUT] = {"BYTES OUT", 0, SHOW_RIGHT, false},
    [PEER_MALFORMED] = {"MALFORMED", 0, SHOW_RIGHT, false},
};

static void peer_row(struct show_table *table, const json_t *answer, const json_t *peer)
{
    static const struct {
        enum peer_column column;
        const char *key;
    } numbers[] = {
        {PEER_MESSAGES_IN, "messages_in"}, {PEER_MESSAGES_OUT, "messages_out"}, {PEER_BYTES_IN, "bytes_in"},
        {PEER_BYTES_OUT, "bytes_out"},     {PEER_MALFORMED, "malformed"},
    };
    bool neighbour = json_is_true(json_object_get(peer, "neighbour"));
    bool elsewhere = json_is_true(json_object_get(peer, "other_site"));
    show_table_row(table);
    show_table_cell(table, PEER_NAME, "%s", or_dash(show_text(peer, "name")));
    show_table_cell(table, PEER_DIRECTION, "%s", or_dash(show_text(peer, "direction")));
    show_table_cell(table, PEER_ROLE, "%s", neighbour ? "neighbour" : "link");
    show_table_cell(table, PEER_SITE, "%s", elsewhere ? "other" : "same");
    show_table_duration(table, PEER_SINCE, show_since(answer, peer, "since"));
    show_table_duration(table, PEER_HEARD, show_number(peer, "heard_ms", -1));
    rtt_cell(table, PEER_RTT, peer);
    for (unsigned i = 0; i < COUNT(numbers); i++)
        show_table_cell(table, numbers[i].column, "%" PRId64, show_number(peer, numbers[i].key, 0));
}

void show_peers(const struct show_style *style, const json_t *answer)
{
    const json_t *peers = json_object_get(answer, "peers");
    const json_t *counters = json_object_get(answer, "counters");
    const json_t *transport = json_object_get(answer, "transport");
    struct show_table *table = show_table_new(style, peer_columns, COUNT(peer_columns));
    for (size_t i = 0; i < json_array_size(peers); i++)
        peer_row(table, answer, json_array_get(peers, i));
    show_table_print(&table);
    if (!style->header)
        return;
    show_line(style, NULL,
              "not sent to slow peers: %" PRId64 "; handshakes failed: %" PRId64 ", keys refused: %" PRId64
              "; refused: %" PRId64 " records, %" PRId64 " claims, %" PRId64 " heartbeats",
              show_number(transport, "full", 0), show_number(transport, "handshakes_failed", 0),
              show_number(transport, "zap_refused", 0), show_number(counters, "records_refused", 0),
              show_number(counters, "claims_refused", 0), show_number(counters, "heartbeats_forged", 0));
    show_footer(style, answer, "");
}
