/* SPDX-License-Identifier: Apache-2.0 */
#include "center/aside.h"

#include "base/log.h"

#include <dirent.h>
#include <stdio.h>

static unsigned files_in(const char *directory)
{
    unsigned count = 0;
    DIR *d = opendir(directory);
    if (!d)
        return ASIDE_FILES_MAX;
    for (struct dirent *one; (one = readdir(d));)
        count += one->d_name[0] != '.';
    closedir(d);
    return count;
}

bool aside_keep(const struct disk *disk, const char *directory, const struct log_origin *origin,
                struct bytes payload)
{
    char node[NODE_ID_TEXT_SIZE], name[64];
    struct fault fault;
    if (files_in(directory) >= ASIDE_FILES_MAX)
        return false;
    snprintf(name, sizeof(name), "%s-%llu", node_id_text(&origin->node, node),
             (unsigned long long)origin->sequence);
    if (disk_replace(disk, directory, name, payload, &fault))
        return true;
    log_warning("a refused batch cannot be kept: %s", fault.text);
    return false;
}
