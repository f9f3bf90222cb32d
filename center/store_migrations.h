/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of center/schema, compiled in (CMakeLists.txt makes store_migrations.c of them).
 */
#pragma once

struct store_migration {
    int number;
    const char *name, *sql;
};

/* In the order of their numbers, ended by one without a name. */
extern const struct store_migration store_migrations[];
