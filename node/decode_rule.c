/* SPDX-License-Identifier: Apache-2.0 */
#include "node/decode_rule.h"

#include <stdlib.h>

/* Reads a rule; NULL, or what is wrong with it. */
static const char *parse(const char *text, struct engine_decode_rule *rule)
{
    if (strncmp(text, "tcp/", 4) == 0)
        rule->transport = TRANSPORT_TCP;
    else if (strncmp(text, "udp/", 4) == 0)
        rule->transport = TRANSPORT_UDP;
    else
        return "it begins with tcp/ or udp/";
    char *end;
    unsigned long port = strtoul(text + 4, &end, 10);
    if (end == text + 4 || port == 0 || port > 65535)
        return "a port is a number from 1 to 65535";
    if (*end != '=')
        return "after the port comes =PROTOCOL";
    const struct protocol *protocol = protocol_by_name(end + 1);
    if (!protocol)
        return "no protocol of that name";
    rule->port = (uint16_t)port;
    rule->protocol = protocol->id;
    return NULL;
}

bool decode_rules_add(struct decode_rules *rules, const char *text)
{
    if (rules->count == DECODE_RULES_MAX || parse(text, &rules->rules[rules->count]))
        return false;
    rules->count++;
    return true;
}

const char *decode_rules_error(const char *text)
{
    struct engine_decode_rule rule;
    const char *error = parse(text, &rule);
    return error ? error : "too many rules";
}

void decode_rules_apply(const struct decode_rules *rules, struct engine *engine)
{
    for (size_t i = 0; i < rules->count; i++)
        engine_decode_as(engine, &rules->rules[i]);
}
