/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka, with what it needs to be included before it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* assert_memory_equal with a size_t. */
#define assert_bytes_equal(a, b, size)                                                                       \
    do {                                                                                                     \
        size_t size_ = (size);                                                                               \
        if (size_)                                                                                           \
            assert_int_equal(memcmp((a), (b), size_), 0);                                                    \
    } while (0)
