/* SPDX-License-Identifier: Apache-2.0
 *
 * picket watch: the state of the fleet, drawn again and again: status, members that matter, the last changes.
 * Plain ANSI; the terminal is given back as it was, however this ends.
 */
#include "base/clock.h"
#include "node/command.h"
#include "node/show.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

const char command_watch_options[] =
    "  --every SECONDS     how often to look (1)\n"
    "  --json              no screen: one JSON object a line, the answer to `status`, each time\n"
    "  --socket PATH       the node's control socket ($PICKET_SOCKET, /run/picket/control)\n"
    "  --timeout SECONDS   how long to wait for an answer (5)\n"
    "\nq ends it. When the node does not answer the last picture stays, with the time since.\n";

/* Other screen, no cursor, lines are cut instead of wrapped; and back. */
#define SCREEN_BEGIN "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_END   "\033[?7h\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
#define LINE_END     "\033[K\r\n"
#define REST_CLEAR   "\033[J"

struct watch {
    struct show_options options;
    struct control_client *client; /* NULL: to be opened again */
    json_t *status, *members, *history;
    int64_t answered; /* monotonic ns of the last whole picture; 0: none yet */
    const char *reason;
    struct termios before;
    bool raw;
    int signals;
};

static bool ask(struct watch *watch, const char *verb, json_t **answer)
{
    json_t *request = json_pack("{ss}", "verb", verb);
    if (strcmp(verb, "history") == 0)
        json_object_set_new(request, "limit", json_integer(100));
    if (!control_client_send(watch->client, request, &watch->reason))
        return false;
    int timeout = watch->options.control.timeout ? watch->options.control.timeout : 5000;
    json_t *fresh = control_client_receive(watch->client, timeout, &watch->reason);
    if (!fresh || control_refusal(fresh)) {
        if (fresh)
            watch->reason = "the node refuses";
        json_decref(fresh);
        return false;
    }
    json_decref(*answer);
    *answer = fresh;
    show_arrange(fresh, &watch->options);
    return true;
}

static bool look(struct watch *watch)
{
    if (!watch->client)
        watch->client = control_client_open(&watch->options.control, &watch->reason);
    if (!watch->client)
        return false;
    bool fine = ask(watch, "status", &watch->status);
    if (!watch->options.json)
        fine = fine && ask(watch, "members", &watch->members) && ask(watch, "history", &watch->history);
    if (fine)
        watch->answered = clock_monotonic(clock_system());
    else
        control_client_close(&watch->client);
    return fine;
}

/* --- the picture --- */

/* Writes at most `rows` lines of the text, each ended so that nothing old remains behind it. */
static unsigned put_lines(const char *text, unsigned rows)
{
    unsigned used = 0;
    while (*text && used < rows) {
        size_t length = strcspn(text, "\n");
        fwrite(text, 1, length, stdout);
        fputs(LINE_END, stdout);
        used++;
        text += length + (text[length] == '\n');
    }
    return used;
}

/* What a table says, as text. The caller frees it. */
static char *drawn(void (*show)(const struct show_style *, const json_t *), const json_t *answer,
                   struct show_style style)
{
    char *text = NULL;
    size_t size = 0;
    style.to = open_memstream(&text, &size);
    if (!style.to)
        return NULL;
    show(&style, answer);
    fclose(style.to);
    return text;
}

static unsigned put_section(void (*show)(const struct show_style *, const json_t *), const json_t *answer,
                            const struct show_style *style, unsigned rows)
{
    char *text = rows > 0 && answer ? drawn(show, answer, *style) : NULL;
    unsigned used = text ? put_lines(text, rows) : 0;
    free(text);
    return used;
}

/* The newest changes that fit. */
static unsigned put_history(struct watch *watch, const struct show_style *style, unsigned rows)
{
    json_t *history = json_object_get(watch->history, "history");
    while (rows > 1 && json_array_size(history) > rows - 1)
        json_array_remove(history, 0);
    return put_section(show_history, watch->history, style, rows);
}

static void put_age(const struct watch *watch, bool fine)
{
    int64_t age = (clock_monotonic(clock_system()) - watch->answered) / CLOCK_SECOND;
    if (fine)
        printf("every %d s; q ends", watch->options.every / 1000);
    else if (watch->answered)
        printf("\033[7mno answer for %lld s: %s\033[0m", (long long)age, watch->reason);
    else
        printf("\033[7m%s\033[0m", watch->reason);
}

static void draw(struct watch *watch, bool fine)
{
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    unsigned rows = size.ws_row > 3 ? size.ws_row : 24, left = rows - 1;
    struct show_style style = show_style_of(&watch->options);
    style.terminal = true;
    style.width = size.ws_col ? size.ws_col : 80;
    fputs(SCREEN_HOME, stdout);
    left -= put_section(show_status, watch->status, &style, left);
    left -= put_lines("\n", left);
    /* A third of what remains is the changes'; all of it when the members need less. */
    unsigned for_members = left - left / 3;
    left -= put_section(show_members, watch->members, &style, for_members);
    left -= put_lines("\n", left);
    if (left > 1)
        put_history(watch, &style, left);
    fputs(REST_CLEAR, stdout);
    printf("\033[%u;1H", rows);
    put_age(watch, fine);
    fputs("\033[K", stdout);
    fflush(stdout);
}

/* --- the terminal --- */

static bool prepare(struct watch *watch)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || (watch->signals = signalfd(-1, &set, SFD_CLOEXEC)) < 0)
        return false;
    if (watch->options.json)
        return true;
    if (tcgetattr(STDIN_FILENO, &watch->before) == 0) {
        struct termios raw = watch->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        watch->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    fputs(SCREEN_BEGIN, stdout);
    return true;
}

static void give_back(struct watch *watch)
{
    if (!watch->options.json) {
        fputs(SCREEN_END, stdout);
        fflush(stdout);
    }
    if (watch->raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &watch->before);
    close(watch->signals);
    control_client_close(&watch->client);
    json_decref(watch->status);
    json_decref(watch->members);
    json_decref(watch->history);
}

/* Waits for the next time to look. False when it is to end. */
static bool pause_between(struct watch *watch, bool *resized)
{
    struct pollfd fds[2] = {{.fd = watch->signals, .events = POLLIN},
                            {.fd = watch->raw ? STDIN_FILENO : -1, .events = POLLIN}};
    *resized = false;
    if (poll(fds, 2, watch->options.every) <= 0)
        return true;
    struct signalfd_siginfo signal;
    char key;
    if (fds[0].revents && read(watch->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        *resized = signal.ssi_signo == SIGWINCH;
        return *resized;
    }
    return !fds[1].revents || (read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q');
}

static int run(struct watch *watch)
{
    bool fine = false, resized = false;
    do {
        if (!resized)
            fine = look(watch);
        if (!watch->options.json)
            draw(watch, fine);
        else if (fine)
            show_json(stdout, watch->status, true);
        else
            return command_failed(control_socket(&watch->options.control), watch->reason);
        if (fflush(stdout) != 0)
            return command_failed("standard output", strerror(errno));
    } while (pause_between(watch, &resized));
    return EXIT_FINE;
}

int command_watch(int argc, char **argv)
{
    struct watch watch = {0};
    int status = show_parse(&watch.options, SHOW_EVERY, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return status < 0 ? EXIT_FINE : status;
    if (!watch.options.json && !isatty(STDOUT_FILENO))
        return command_misused(argv[0], "a terminal is wanted; --json does without");
    if (!prepare(&watch))
        return command_failed("watch", strerror(errno));
    status = run(&watch);
    give_back(&watch);
    return status;
}
