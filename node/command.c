/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int command_help(int argc, char **argv);

const struct command commands[] = {
    {"read", "[OPTION]... FILE...",
     "Shows what happened in captures (pcap, pcapng) or batches of activities.", command_read_options,
     command_read},
    {"capture", "-i INTERFACE [OPTION]...", "Shows what happens on an interface, until interrupted.",
     command_capture_options, command_capture},
    {"status", "[OPTION]...",
     "Shows the state of the fleet on one screen, problems first (also: picket alone).",
     command_status_options, command_status},
    {"members", "[OPTION]...", "Shows all members of the fleet.", command_members_options, command_members},
    {"synchronizer", "[OPTION]... [yield DOMAIN | pin DOMAIN | unpin DOMAIN]",
     "Shows each domain's synchronizer and what happens next.", command_synchronizer_options,
     command_synchronizer},
    {"why", "[OPTION]... DOMAIN", "Shows this node's reasons in a domain's election.", command_why_options,
     command_why},
    {"peers", "[OPTION]...", "Shows this node's links.", command_peers_options, command_peers},
    {"reach", "[OPTION]...", "Shows which members this node hears, and by whom.", command_reach_options,
     command_reach},
    {"history", "[OPTION]...", "Shows every change of the fleet with its cause.", command_history_options,
     command_history},
    {"candidate", "on|off DOMAIN", "Switches this node's candidacy for a domain.", command_candidate_options,
     command_candidate},
    {"watch", "[OPTION]...", "Draws the state of the fleet again and again.", command_watch_options,
     command_watch},
    {"events", "[OPTION]...", "Shows changes of the fleet as they happen.", command_events_options,
     command_events},
    {"activities", "[OPTION]...", "Shows what a running node saw last, and who it was.",
     command_activities_options, command_activities},
    {"inputs", "[OPTION]...", "Shows the inputs of events, and what was not understood.",
     command_inputs_options, command_inputs},
    {"quota", "[OPTION]...", "Shows what this node may use of its host, and what it gave up for that.",
     command_quota_options, command_quota},
    {"health", "[OPTION]...", "Shows what is wrong with this node, since when, and what to do.",
     command_health_options, command_health},
    {"reload", "[OPTION]...", "Has the node read its configuration again.", command_reload_options,
     command_reload},
    {"sync", "[OPTION]... [reconcile DOMAIN | tail]", "Shows how each domain's replication stands.",
     command_sync_options, command_sync},
    {"entity", "[OPTION]... NAME", "Shows everything known of a user, computer or group.",
     command_entity_options, command_entity},
    {"search", "[OPTION]... TEXT", "Finds entities by a part of their names.", command_search_options,
     command_search},
    {"lookup", "[OPTION]... NAME", "Asks the directory for an entity now.", command_lookup_options,
     command_lookup},
    {"directory", "check [OPTION]... [DOMAIN]", "Tests whether the directory can be read, and what to grant.",
     command_directory_options, command_directory},
    {"alerts", "[OPTION]...", "Shows the alerts that the center raised.", command_alerts_options,
     command_alerts},
    {"alert", "[OPTION]... ID [VERB [WORD]]", "Shows an alert of the center, or changes it.",
     command_alert_options, command_alert},
    {"entities", "[OPTION]... TEXT", "Finds entities in the center by the beginning of a name.",
     command_entities_options, command_entities},
    {"sensors", "[OPTION]... [VERB SENSOR [WORD]]",
     "Shows the sensors that deliver to the center, or sets what they are to do.", command_sensors_options,
     command_sensors},
    {"detectors", "[OPTION]... [DETECTOR]", "Shows what the center looks for, by which numbers.",
     command_detectors_options, command_detectors},
    {"settings", "[OPTION]... [VERB WORD...]",
     "Shows the center's sensitivity and thresholds, or changes them.", command_settings_options,
     command_settings},
    {"exclusions", "[OPTION]... [VERB WORD]", "Shows what detectors leave alone, or changes that.",
     command_exclusions_options, command_exclusions},
    {"tags", "[OPTION]... [VERB WORD...]", "Shows who is sensitive or a honeytoken by hand, or changes that.",
     command_tags_options, command_tags},
    {"workspaces", "[OPTION]... [add NAME]", "Shows the center's workspaces, or makes one.",
     command_workspaces_options, command_workspaces},
    {"users", "[OPTION]... [VERB NAME]", "Shows who may use the center, or changes that.",
     command_users_options, command_users},
    {"tokens", "[OPTION]... [VERB WORD]", "Shows the tokens of the center's API, makes and removes them.",
     command_tokens_options, command_tokens},
    {"audit", "[OPTION]... [OBJECT]", "Shows who changed what in the center.", command_audit_options,
     command_audit},
    {"center", "[OPTION]...", "Shows the center's pipelines, and whom it tells of alerts.",
     command_center_options, command_center},
    {"fleet", "VERB [OPTION]... [NODE]...", "Makes the fleet and decides who belongs to it.",
     command_fleet_options, command_fleet},
    {"help", "[COMMAND]", "Shows this help, or that of a command.", NULL, command_help},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

void command_print_help(const struct command *command, void *stream)
{
    FILE *out = stream;
    fprintf(out, "usage: picket %s %s\n\n%s\n", command->name, command->arguments, command->sentence);
    if (command->options)
        fprintf(out, "\n%s", command->options);
}

int command_misused(const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "picket %s: ", name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nsee: picket help %s\n", name);
    va_end(arguments);
    return EXIT_USAGE;
}

int command_failed(const char *subject, const char *reason)
{
    fprintf(stderr, "picket: %s: %s\n", subject, reason);
    return EXIT_FAILED;
}

void command_print_commands(void *stream)
{
    FILE *out = stream;
    fprintf(out, "usage: picket [COMMAND [ARGUMENT]...]\n\nWatches Active Directory on the wire. Without a "
                 "command: picket status.\n"
                 "\ncommands:\n");
    for (const struct command *c = commands; c->name; c++)
        fprintf(out, "  %-12s %s\n", c->name, c->sentence);
    fprintf(
        out,
        "\npicket help COMMAND tells more; picket --version shows the version.\n"
        "Exit status: 0 fine, 1 failure, 2 wrong use, 3 (picket, picket status) the fleet has a problem.\n");
}

static int command_help(int argc, char **argv)
{
    if (argc < 2) {
        command_print_commands(stdout);
        return EXIT_FINE;
    }
    const struct command *command = command_find(argv[1]);
    if (!command)
        return command_misused("help", "there is no command \"%s\"", argv[1]);
    command_print_help(command, stdout);
    return EXIT_FINE;
}
