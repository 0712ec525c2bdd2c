/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What differs between the kernels that the module is built for. */
#ifndef IOVITER_DIFFERENCES_H
#define IOVITER_DIFFERENCES_H

#include <linux/skbuff.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <net/checksum.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)

#define HAVE_PARTIAL_CHECKSUMS true
#define HAVE_EXACT_UNCACHED true
#define copy_from_user_inatomic_nontemporal __copy_from_user_inatomic_nocache

static inline const struct iovec *iter_iov(const struct iov_iter *iter)
{
	return iter->iov;
}

#else

/* Of the copies with a checksum only the one of all or nothing is exported; these are never called. */
#define HAVE_PARTIAL_CHECKSUMS false
/* Non-temporal copies from user memory may stop some bytes early, before the page that is missing. */
#define HAVE_EXACT_UNCACHED false

struct csum_state {
	__wsum csum;
};

static inline size_t csum_and_copy_to_iter(const void *from, size_t len, void *state,
					   struct iov_iter *iter)
{
	return 0;
}

static inline size_t csum_and_copy_from_iter(void *to, size_t len, __wsum *sum,
					     struct iov_iter *iter)
{
	return 0;
}

#endif

#endif
