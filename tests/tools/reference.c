/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-reference activities|config|center|entities|detections: prints the pages of docs/ that are made of
 * tables in the code.
 */
#include <stdio.h>
#include <string.h>

#include "base/activity.h"
#include "center/center_config.h"
#include "center/detector.h"
#include "node/schema.h"
#include "sync/entity.h"

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "activities") == 0) {
        activity_print_reference(stdout);
    } else if (argc == 2 && strcmp(argv[1], "config") == 0) {
        config_print_reference(&node_schema, stdout);
    } else if (argc == 2 && strcmp(argv[1], "center") == 0) {
        config_print_reference(&center_schema, stdout);
    } else if (argc == 2 && strcmp(argv[1], "entities") == 0) {
        entity_print_reference(stdout);
    } else if (argc == 2 && strcmp(argv[1], "detections") == 0) {
        detectors_print_reference(stdout);
    } else {
        fprintf(stderr, "usage: picket-reference activities|config|center|entities|detections\n");
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
