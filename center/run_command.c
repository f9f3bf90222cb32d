/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center run: the whole center in one process.
 */
#include "base/log.h"
#include "base/notify.h"
#include "base/version.h"
#include "center/center_command.h"
#include "center/geo.h"
#include "center/service.h"

#include <poll.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_WANTED     ((uint64_t)16 << 20)
#define ROOM_PATIENCE_S 60

const char center_run_options[] = "options:\n"
                                  "  --config FILE  configuration (" CENTER_CONFIG_FILE ")\n"
                                  "  --check        only says whether the configuration is right\n"
                                  "  --help         shows this help\n";

static bool is_full(const struct center_config *config)
{
    struct statvfs status;
    return statvfs(config->state, &status) == 0 && (uint64_t)status.f_bavail * status.f_frsize < ROOM_WANTED;
}

/* The database cannot be opened on a full disk. Rather than to end and be begun anew in vain until the
 * service manager has enough of it, wait for somebody to make room. */
static void wait_for_room(const struct center_config *config, int stop)
{
    struct pollfd item = {.fd = stop, .events = POLLIN};
    for (int i = 0; i < ROOM_PATIENCE_S && is_full(config); i++) {
        if (i == 0)
            log_error("the disk of %s is full: waiting for room", config->state);
        if (poll(&item, 1, 1000) > 0)
            return;
    }
}

static int run(const struct center_config *config)
{
    struct fault fault;
    struct service *service = NULL;
    int stop = center_stop_signals(), hangup = center_reload_signals(), lock = -1, status = EXIT_FAILED;
    bool places = !config->places || geo_open(config->places, &fault);
    if (places && center_prepare(config, &fault) && (lock = directory_lock(config->state, &fault)) >= 0) {
        wait_for_room(config, stop);
        service = service_new(config, &fault);
    }
    if (service) {
        log_notice("picket-center %s runs", picket_version());
        notify_send("READY=1");
        service_reload_on(service, hangup);
        status = service_run(service, stop) ? EXIT_FINE : EXIT_FAILED;
    } else {
        fprintf(stderr, "picket-center: %s\n", fault.text);
    }
    service_destroy(&service);
    geo_close();
    if (lock >= 0)
        close(lock);
    if (stop >= 0)
        close(stop);
    if (hangup >= 0)
        close(hangup);
    return status;
}

int center_run(int argc, char **argv)
{
    return center_configured("run", argc, argv, service_check, run);
}
