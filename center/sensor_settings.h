/* SPDX-License-Identifier: Apache-2.0
 *
 * What an administrator sets for single sensors from the center, and what became of it: small files that the
 * receiver looks at, and whoever administers writes. docs/sensor-settings.md. DIRECTORY/ID.settings,
 * ID.settled, ID.name.
 */
#pragma once

#include "base/delivery.h"
#include "cluster/disk.h"
#include "cluster/record.h"

#define SENSORS_MAX 16384u

struct sensor_settings {
    uint64_t version; /* grows by one with each change; 0: there were never any */
    size_t size;
    uint8_t text[DELIVERY_SETTINGS_MAX]; /* as in picketd's configuration file */
};

struct sensor_settled {
    uint64_t version; /* of the settings that it answered; 0: none yet */
    enum delivery_settled how;
    int64_t at; /* ns since 1970 */
    char text[DELIVERY_TEXT_MAX + 1];
};

/* DISK_ABSENT: version 0. */
enum disk_found sensor_settings_load(struct sensor_settings *to, const struct disk *disk,
                                     const char *directory, const struct node_id *node, struct fault *fault);
/* A new version, which the sensor gets when it is there. The text's form is checked by the sensor. */
bool sensor_settings_save(struct bytes text, const struct disk *disk, const char *directory,
                          const struct node_id *node, struct fault *fault);

enum disk_found sensor_settled_load(struct sensor_settled *to, const struct disk *disk, const char *directory,
                                    const struct node_id *node, struct fault *fault);
bool sensor_settled_save(const struct sensor_settled *settled, const struct disk *disk, const char *directory,
                         const struct node_id *node, struct fault *fault);

/* A sensor's name, as its certificate has it. "" when it is not known. */
void sensor_name_load(char name[NAME_MAX_SIZE], const struct disk *disk, const char *directory,
                      const struct node_id *node);
bool sensor_name_save(const char *name, const struct disk *disk, const char *directory,
                      const struct node_id *node, struct fault *fault);

/* Each sensor that ever was here, in no order, at most SENSORS_MAX. False: the directory cannot be read. */
bool sensors_each(const char *directory, void (*visit)(void *context, const struct node_id *node),
                  void *context, struct fault *fault);
