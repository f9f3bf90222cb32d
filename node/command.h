/* SPDX-License-Identifier: Apache-2.0
 *
 * The subcommands of `picket`: one table that main, the help and the tests read.
 */
#pragma once

/* Exit statuses of every subcommand. */
enum exit_status {
    EXIT_FINE = 0,
    EXIT_FAILED = 1,   /* something could not be read or written, or picketd did not answer */
    EXIT_USAGE = 2,    /* wrong use of the command line */
    EXIT_DEGRADED = 3, /* `picket` and `picket status`: the fleet has a problem that somebody should see to */
};

struct command {
    const char *name;
    const char *arguments;             /* as in the synopsis */
    const char *sentence;              /* what it does, one line */
    const char *options;               /* a line for each; NULL: none */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

/* Ends with a row whose name is NULL. */
extern const struct command commands[];

const struct command *command_find(const char *name);

/* The help of one subcommand. */
void command_print_help(const struct command *command, void *stream);

/* All of them, a line each. */
void command_print_commands(void *stream);

/* "picket NAME: MESSAGE" and where the help is, on standard error. Returns EXIT_USAGE. */
int command_misused(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "picket: SUBJECT: REASON" on standard error. Returns EXIT_FAILED. */
int command_failed(const char *subject, const char *reason);

int command_read(int argc, char **argv);
extern const char command_read_options[];
int command_capture(int argc, char **argv);
extern const char command_capture_options[];
int command_status(int argc, char **argv);
extern const char command_status_options[];
int command_members(int argc, char **argv);
extern const char command_members_options[];
int command_synchronizer(int argc, char **argv);
extern const char command_synchronizer_options[];
int command_why(int argc, char **argv);
extern const char command_why_options[];
int command_peers(int argc, char **argv);
extern const char command_peers_options[];
int command_reach(int argc, char **argv);
extern const char command_reach_options[];
int command_history(int argc, char **argv);
extern const char command_history_options[];
int command_candidate(int argc, char **argv);
extern const char command_candidate_options[];
int command_directory(int argc, char **argv);
extern const char command_directory_options[];
int command_activities(int argc, char **argv);
extern const char command_activities_options[];
int command_inputs(int argc, char **argv);
extern const char command_inputs_options[];
int command_quota(int argc, char **argv);
extern const char command_quota_options[];
int command_reload(int argc, char **argv);
extern const char command_reload_options[];
int command_health(int argc, char **argv);
extern const char command_health_options[];
int command_sync(int argc, char **argv);
extern const char command_sync_options[];
int command_entity(int argc, char **argv);
extern const char command_entity_options[];
int command_search(int argc, char **argv);
extern const char command_search_options[];
int command_lookup(int argc, char **argv);
extern const char command_lookup_options[];
int command_watch(int argc, char **argv);
extern const char command_watch_options[];
int command_events(int argc, char **argv);
extern const char command_events_options[];
int command_alerts(int argc, char **argv);
extern const char command_alerts_options[];
int command_alert(int argc, char **argv);
extern const char command_alert_options[];
int command_entities(int argc, char **argv);
extern const char command_entities_options[];
int command_sensors(int argc, char **argv);
extern const char command_sensors_options[];
int command_users(int argc, char **argv);
extern const char command_users_options[];
int command_tokens(int argc, char **argv);
extern const char command_tokens_options[];
int command_workspaces(int argc, char **argv);
extern const char command_workspaces_options[];
int command_audit(int argc, char **argv);
extern const char command_audit_options[];
int command_detectors(int argc, char **argv);
extern const char command_detectors_options[];
int command_settings(int argc, char **argv);
extern const char command_settings_options[];
int command_exclusions(int argc, char **argv);
extern const char command_exclusions_options[];
int command_tags(int argc, char **argv);
extern const char command_tags_options[];
int command_center(int argc, char **argv);
extern const char command_center_options[];
int command_fleet(int argc, char **argv);
extern const char command_fleet_options[];
