// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * What the kernel gives to Rust (src/host.rs): functions that are inline or macros in its headers.
 *
 * Every function on user memory returns the number of bytes it did NOT handle, and expects a range
 * that has passed access_ok().
 */

#include <linux/cache.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "differences.h"
#include "host.h"

/* Rust finds pages and maps them by itself: they lie in one array, and there is no high memory. */
static_assert(sizeof(struct page) == 64);
static_assert(IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) && !IS_ENABLED(CONFIG_HIGHMEM));

unsigned long ioviter_user_limit __ro_after_init;

void __init host_init(void)
{
	ioviter_user_limit = TASK_SIZE_MAX;
}

/*
 * The raw forms, as the kernel's own iterator uses them: the checked ones would zero what could not
 * be read, and look up the kernel buffer for every piece. Not traced: the kernel's stand in line,
 * where there is nothing to trace.
 */
__noendbr notrace size_t ioviter_read_user(void *to, unsigned long from, size_t len)
{
	return raw_copy_from_user(to, (const void __user *)from, len);
}

__noendbr notrace size_t ioviter_write_user(unsigned long to, const void *from, size_t len)
{
	return raw_copy_to_user((void __user *)to, from, len);
}

size_t ioviter_read_user_uncached(void *to, unsigned long from, size_t len)
{
	return copy_from_user_inatomic_nontemporal(to, (const void __user *)from, len);
}

size_t ioviter_zero_user(unsigned long to, size_t len)
{
	return __clear_user((void __user *)to, len);
}

void ioviter_pagefault_disable(void)
{
	pagefault_disable();
}

void ioviter_pagefault_enable(void)
{
	pagefault_enable();
}

void ioviter_get_page(struct page *page)
{
	get_page(page);
}

void ioviter_put_page(struct page *page)
{
	put_page(page);
}

void ioviter_unpin_page(struct page *page)
{
	unpin_user_page(page);
}

/* Pages from this one to the end of its compound page. */
unsigned long ioviter_page_run(struct page *page)
{
	struct page *head = compound_head(page);

	return compound_nr(head) - (page - head);
}

/* Bytes without meaning, but initialised. NULL if there is no memory. */
struct page *ioviter_alloc_pages(unsigned int order)
{
	return alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO, order);
}
