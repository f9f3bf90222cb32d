/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

const char *picket_version(void)
{
    return PICKET_VERSION;
}
