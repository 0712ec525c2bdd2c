/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Called by src/kernel.rs only, which says the same in Rust. */
#ifndef IOVITER_COMPARE_H
#define IOVITER_COMPARE_H

#include <linux/types.h>
#include <linux/uio.h>

struct folio_queue;
struct xarray;

void kernel_save_state(struct iov_iter *iter, struct iov_iter_state *state);
void kernel_truncate(struct iov_iter *iter, u64 count);
void kernel_reexpand(struct iov_iter *iter, size_t count);
bool kernel_copy_from_iter_full(void *to, size_t len, struct iov_iter *iter);
bool kernel_csum_and_copy_from_iter_full(void *to, size_t len, __wsum *sum,
					 struct iov_iter *iter);
bool kernel_has_partial_checksums(void);
bool kernel_has_exact_uncached(void);
bool kernel_has_extract_pages(void);
bool kernel_has_folio_queue(void);
struct folio_queue *kernel_new_folio_queue(struct page *const *folios, unsigned int nr,
					   unsigned int in_first);
void kernel_iter_folio_queue(struct iov_iter *iter, unsigned int direction,
			     const struct folio_queue *nodes, unsigned int in_first,
			     unsigned int index, size_t offset, size_t count);
void kernel_free_xarray(struct xarray *array);
struct xarray *kernel_new_xarray(struct page *const *folios, unsigned int nr, unsigned long index);
ssize_t kernel_extract_pages(struct iov_iter *iter, struct page **pages, size_t max_size,
			     unsigned int max_pages, size_t *offset);
size_t kernel_csum_and_copy_from_iter(void *to, size_t len, __wsum *sum, struct iov_iter *iter);
size_t kernel_csum_and_copy_to_iter(const void *from, size_t len, u16 *folded,
				    struct iov_iter *iter);
u16 kernel_csum_fold(__wsum sum);
gfp_t kernel_gfp_kernel(void);
unsigned long kernel_irq_save(void);
void kernel_irq_restore(unsigned long flags);

#endif
