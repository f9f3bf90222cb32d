/* SPDX-License-Identifier: Apache-2.0
 *
 * What picketd answers on its control socket: views, and changes that it makes. On the driver's thread.
 */
#pragma once

#include "cluster/driver.h"
#include "node/capture_group.h"
#include "node/control.h"
#include "node/directory_probe.h"
#include "node/directory_service.h"
#include "node/event_service.h"
#include "node/governor_service.h"
#include "node/key_client.h"
#include "node/naming_service.h"
#include "node/outbox.h"
#include "node/resolution.h"
#include "node/sender.h"
#include "node/view.h"

struct answers {
    const char *fleet_name;
    struct directory_probe *probe;
    struct directory_service *directory; /* NULL: this node reads no directory */
    struct outbox *outbox;
    struct spool *spool;
    struct sender *sender;         /* NULL: nobody receives */
    struct capture_group *capture; /* NULL: nothing is captured */
    unsigned interfaces;
    struct resolution *resolution; /* NULL: nothing is heard either; resolution_recent shows what passed */
    struct event_service *events;  /* NULL: no input of events is wanted */
    struct naming_service *naming; /* NULL: computers are not asked for their names */
    struct governor_service *governor; /* NULL: not started yet */
    struct key_client *keys;           /* NULL: nothing is unsealed */
    struct health *health;
    /* Reads the configuration again and says what came of it; false: it has faults and the one before stays.
     */
    bool (*reload)(void *context, char *said, size_t size);
    void *reload_context;
};

/* Asks all parts what is wrong with them. On the driver's thread, from time to time. */
void answers_look(const struct answers *self, struct cluster *core);

/* The counts as Prometheus reads them. On the driver's thread. */
void answers_metrics(const struct answers *self, struct cluster_driver *driver, struct text *t);

void answers_make(const struct answers *self, struct cluster_driver *driver,
                  const struct control_request *request, const struct control_peer *peer,
                  struct json_writer *w);
