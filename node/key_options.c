/* SPDX-License-Identifier: Apache-2.0 */
#include "node/key_options.h"

#include "base/log.h"
#include "node/command.h"

bool key_options_add(struct key_options *options, const char *path)
{
    if (options->count == KEY_HOLDER_KEYTABS_MAX)
        return false;
    options->keytabs[options->count++] = path;
    return true;
}

bool key_options_use(struct key_options *options, const struct config *config)
{
    options->timeout = config_int(config, "keys/timeout");
    for (size_t i = 0; i < config_count(config, "keys/keytab"); i++)
        if (!key_options_add(options, config_string_at(config, "keys/keytab", i)))
            return false;
    return true;
}

bool key_options_start(const struct key_options *options, unsigned lines,
                       const struct key_line_limits *limits, struct key_client **client_p)
{
    struct fault fault;
    struct key_line_limits own = *limits;
    const struct key_client_config config = {.keytabs = options->keytabs, .keytab_count = options->count};
    if (options->count == 0)
        return true;
    if (options->timeout)
        own.timeout = options->timeout;
    log_set_form(LOG_FORM_PLAIN);
    *client_p = key_client_new(&config, &fault);
    if (*client_p && key_client_start(*client_p, lines, &own, &fault))
        return true;
    key_client_destroy(client_p);
    command_failed("--keytab", fault.text);
    return false;
}
