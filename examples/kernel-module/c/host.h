/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Called by src/host.rs only, which says the same in Rust. */
#ifndef IOVITER_HOST_H
#define IOVITER_HOST_H

#include <asm/ibt.h>
#include <linux/types.h>

struct page;

void host_init(void);

extern unsigned long ioviter_user_limit;
__noendbr size_t ioviter_read_user(void *to, unsigned long from, size_t len);
__noendbr size_t ioviter_write_user(unsigned long to, const void *from, size_t len);
size_t ioviter_read_user_uncached(void *to, unsigned long from, size_t len);
size_t ioviter_zero_user(unsigned long to, size_t len);
void ioviter_pagefault_disable(void);
void ioviter_pagefault_enable(void);
void ioviter_get_page(struct page *page);
void ioviter_put_page(struct page *page);
void ioviter_unpin_page(struct page *page);
unsigned long ioviter_page_run(struct page *page);
struct page *ioviter_alloc_pages(unsigned int order);

#endif
