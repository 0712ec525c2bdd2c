/* Scatter-gather vectors, iterators and buffered streams. SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef IOV_ITER_H
#define IOV_ITER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of all elements together; -EINVAL if they do not fit an ssize_t. */
ssize_t ioviter_vec_size(const struct iovec *iov, size_t count);

#ifdef __cplusplus
}
#endif
#endif
