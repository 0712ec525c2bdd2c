// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * /dev/ioviter-compare: runs the tests of the Rust half.
 *
 * readv() and writev() hand their segments to the kernel's iterator and to the one in Rust, which
 * do the same operations on them; the position is the seed of the random choice. ioctl() starts the
 * tests that need no segments of the caller.
 */

#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compare.h"
#include "differences.h"
#include "shim.h"

static DEFINE_MUTEX(lock);
/* Of the caller; guarded by the lock. */
static struct ioviter_arena arena;
static struct ioviter_tally tally;

static ssize_t compare_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct user_segments segments = user_segments(iter);
	u64 failed;

	if (!user_backed_iter(iter))
		return -EINVAL;
	mutex_lock(&lock);
	failed = tally.failed;
	ioviter_compare_user(iter, &segments, iov_iter_rw(iter) == READ, &arena, iocb->ki_pos,
			     &tally);
	failed = tally.failed - failed;
	mutex_unlock(&lock);
	return failed ? -EILSEQ : iov_iter_count(iter);
}

static long run_rounds(unsigned int command, void __user *argument)
{
	struct ioviter_rounds rounds;

	if (copy_from_user(&rounds, argument, sizeof(rounds)))
		return -EFAULT;
	if (command == IOVITER_COMPARE)
		return ioviter_compare(rounds.seed, rounds.rounds);
	return ioviter_compare_import(&arena, rounds.seed, rounds.rounds);
}

static long compare_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	long result = 0;

	mutex_lock(&lock);
	switch (command) {
	case IOVITER_ARENA:
		if (copy_from_user(&arena, (void __user *)argument, sizeof(arena)))
			result = -EFAULT;
		memset(&tally, 0, sizeof(tally));
		break;
	case IOVITER_TALLY:
		if (copy_to_user((void __user *)argument, &tally, sizeof(tally)))
			result = -EFAULT;
		break;
	case IOVITER_SELFTEST:
		result = ioviter_selftest();
		break;
	case IOVITER_COMPARE:
	case IOVITER_IMPORT:
		result = run_rounds(command, (void __user *)argument);
		break;
	case IOVITER_COST:
		result = ioviter_cost(&arena);
		break;
	default:
		result = -ENOTTY;
	}
	mutex_unlock(&lock);
	return result;
}

static const struct file_operations compare_operations = {
	.owner = THIS_MODULE,
	.read_iter = compare_iter,
	.write_iter = compare_iter,
	.unlocked_ioctl = compare_ioctl,
};

static struct miscdevice compare_device = {
	MISC_DYNAMIC_MINOR, "ioviter-compare", &compare_operations,
};

int compare_register(void)
{
	return misc_register(&compare_device);
}

void compare_unregister(void)
{
	misc_deregister(&compare_device);
}

/*
 * The kernel's functions that are inline in its headers; Rust calls the exported ones directly.
 */

void kernel_save_state(struct iov_iter *iter, struct iov_iter_state *state)
{
	iov_iter_save_state(iter, state);
}

void kernel_truncate(struct iov_iter *iter, u64 count)
{
	iov_iter_truncate(iter, count);
}

void kernel_reexpand(struct iov_iter *iter, size_t count)
{
	iov_iter_reexpand(iter, count);
}

bool kernel_copy_from_iter_full(void *to, size_t len, struct iov_iter *iter)
{
	return copy_from_iter_full(to, len, iter);
}

bool kernel_csum_and_copy_from_iter_full(void *to, size_t len, __wsum *sum,
					 struct iov_iter *iter)
{
	return csum_and_copy_from_iter_full(to, len, sum, iter);
}

bool kernel_has_partial_checksums(void)
{
	return HAVE_PARTIAL_CHECKSUMS;
}

bool kernel_has_exact_uncached(void)
{
	return HAVE_EXACT_UNCACHED;
}

bool kernel_has_extract_pages(void)
{
	return HAVE_EXTRACT_PAGES;
}

ssize_t kernel_extract_pages(struct iov_iter *iter, struct page **pages, size_t max_size,
			     unsigned int max_pages, size_t *offset)
{
	return iov_iter_extract_pages(iter, &pages, max_size, max_pages, 0, offset);
}

bool kernel_has_folio_queue(void)
{
	return HAVE_FOLIO_QUEUE;
}

/*
 * Two nodes of a queue in one array, to be freed as one; NULL without memory. The kernel knows no node that is
 * not full: the folios stand at the end of the first and the start of the second, and the first of them in
 * all slots where none of them stands.
 */
struct folio_queue *kernel_new_folio_queue(struct page *const *folios, unsigned int nr,
					   unsigned int in_first)
{
	struct folio_queue *nodes = kcalloc(2, sizeof(*nodes), GFP_KERNEL);
	unsigned int slots, slot, index;

	if (!nodes)
		return NULL;
	slots = folioq_nr_slots(nodes);
	folioq_init(&nodes[0], 0);
	folioq_init(&nodes[1], 0);
	nodes[0].next = &nodes[1];
	nodes[1].prev = &nodes[0];
	for (slot = 0; slot < 2 * slots; slot++) {
		index = slot - (slots - in_first);
		folioq_append(&nodes[slot / slots], page_folio(folios[index < nr ? index : 0]));
	}
	return nodes;
}

/* Starts with the folio of that index of those. */
void kernel_iter_folio_queue(struct iov_iter *iter, unsigned int direction,
			     const struct folio_queue *nodes, unsigned int in_first,
			     unsigned int index, size_t offset, size_t count)
{
	unsigned int slot = folioq_nr_slots(nodes) - in_first + index;

	iov_iter_folio_queue(iter, direction, nodes, slot, offset, count);
}

void kernel_free_xarray(struct xarray *array)
{
	xa_destroy(array);
	kfree(array);
}

/* The folios one after the other, from that index on, which the size of each divides; NULL without memory. */
struct xarray *kernel_new_xarray(struct page *const *folios, unsigned int nr, unsigned long index)
{
	struct xarray *array = kmalloc(sizeof(*array), GFP_KERNEL);
	unsigned int i;

	if (!array)
		return NULL;
	xa_init(array);
	for (i = 0; i < nr; i++) {
		struct folio *folio = page_folio(folios[i]);
		unsigned long next = index + folio_nr_pages(folio);

		if (xa_err(xa_store_range(array, index, next - 1, folio, GFP_KERNEL))) {
			kernel_free_xarray(array);
			return NULL;
		}
		index = next;
	}
	return array;
}

size_t kernel_csum_and_copy_from_iter(void *to, size_t len, __wsum *sum, struct iov_iter *iter)
{
	return csum_and_copy_from_iter(to, len, sum, iter);
}

/* The sum goes through a structure whose layout Rust need not know. */
size_t kernel_csum_and_copy_to_iter(const void *from, size_t len, u16 *folded,
				    struct iov_iter *iter)
{
	struct csum_state state = { };
	size_t done = csum_and_copy_to_iter(from, len, &state, iter);

	*folded = ~(__force u16)csum_fold(state.csum);
	return done;
}

u16 kernel_csum_fold(__wsum sum)
{
	return ~(__force u16)csum_fold(sum);
}

gfp_t kernel_gfp_kernel(void)
{
	return GFP_KERNEL;
}

unsigned long kernel_irq_save(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

void kernel_irq_restore(unsigned long flags)
{
	local_irq_restore(flags);
}
