/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the C and the Rust half of this module know of each other.
 *
 *   host.c      called by Rust: user memory and pages
 *   device.c    /dev/ioviter, served by Rust; /dev/ioviter-kernel, served by the kernel
 *   compare.c   /dev/ioviter-compare: the kernel's iov_iter beside the one in Rust
 */
#ifndef IOVITER_SHIM_H
#define IOVITER_SHIM_H

#include <linux/types.h>
#include <linux/uio.h>

#include "ioctl.h"

/* The module is written for one form of the kernel's iterator. */
static_assert(sizeof(struct iov_iter) == 40);

/* User memory as read_iter() and write_iter() get it, in a layout that Rust knows. */
struct user_segments {
	const struct iovec *segments;	/* NULL: one range of memory, at base */
	unsigned long nr_segs;
	unsigned long base;
	size_t offset;			/* bytes of the first segment that are used up */
	size_t count;
};

struct user_segments user_segments(const struct iov_iter *iter);

int devices_register(void);
void devices_unregister(void);
int compare_register(void);
void compare_unregister(void);

/* Functions of the Rust half. */
ssize_t ioviter_device_read(const struct user_segments *to, const u8 *contents,
			    size_t size, loff_t *pos);
ssize_t ioviter_device_write(const struct user_segments *from, u8 *contents,
			     size_t size, loff_t *pos);
long ioviter_selftest(void);
long ioviter_compare(u64 seed, u64 rounds);
void ioviter_compare_user(const struct iov_iter *kernel, const struct user_segments *rust,
			  bool dest, const struct ioviter_arena *arena, u64 seed,
			  struct ioviter_tally *tally);
long ioviter_compare_import(const struct ioviter_arena *arena, u64 seed, u64 rounds);
long ioviter_cost(const struct ioviter_arena *arena);

#endif
