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
#define HAVE_EXTRACT_PAGES false
#define HAVE_FOLIO_QUEUE false

/* Never used. */
struct folio_queue {
	struct folio_queue *next, *prev;
};

static inline void folioq_init(struct folio_queue *node, unsigned int id)
{
}

static inline unsigned int folioq_append(struct folio_queue *node, struct folio *folio)
{
	return 0;
}

static inline unsigned int folioq_nr_slots(const struct folio_queue *node)
{
	return 1;
}

static inline void iov_iter_folio_queue(struct iov_iter *iter, unsigned int direction,
					const struct folio_queue *first, unsigned int slot,
					unsigned int offset, size_t count)
{
}

#define copy_from_user_inatomic_nontemporal __copy_from_user_inatomic_nocache

static inline const struct iovec *iter_iov(const struct iov_iter *iter)
{
	return iter->iov;
}

/* Never called. */
static inline ssize_t iov_iter_extract_pages(struct iov_iter *iter, struct page ***pages,
					     size_t max_size, unsigned int max_pages,
					     unsigned int flags, size_t *offset)
{
	return 0;
}

#else

/* Of the copies with a checksum only the one of all or nothing is exported; these are never called. */
#define HAVE_PARTIAL_CHECKSUMS false
/* Non-temporal copies from user memory may stop some bytes early, before the page that is missing. */
#define HAVE_EXACT_UNCACHED false
#define HAVE_EXTRACT_PAGES true
#define HAVE_FOLIO_QUEUE true

#include <linux/folio_queue.h>

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
