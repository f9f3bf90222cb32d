/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The version of this build, as "1.2.3". */
const char *picket_version(void);
