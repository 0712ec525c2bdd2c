/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests to /dev/ioviter-compare. Each returns the number of failed checks. */
#ifndef IOVITER_IOCTL_H
#define IOVITER_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* User memory for the tests, page by page; bit n of a mask is page n. */
struct ioviter_arena {
	__u64 base;
	__u64 pages;
	__u64 readable;
	__u64 writable;
};

/* Comparisons on segments of readv() and writev(). */
struct ioviter_tally {
	__u64 operations;
	__u64 partial;		/* of these: fell short of what was asked for */
	__u64 words;		/* rounds that ended where the kernel counted too few zeros */
	__u64 failed;		/* rounds that ended with a difference */
};

struct ioviter_rounds {
	__u64 seed;
	__u64 rounds;
};

#define IOVITER_ARENA		_IOW('v', 0, struct ioviter_arena)	/* for all that follows */
#define IOVITER_SELFTEST	_IO('v', 1)
#define IOVITER_COMPARE		_IOW('v', 2, struct ioviter_rounds)	/* kernel memory */
#define IOVITER_IMPORT		_IOW('v', 3, struct ioviter_rounds)	/* segments in user memory */
#define IOVITER_COST		_IO('v', 4)
#define IOVITER_TALLY		_IOR('v', 5, struct ioviter_tally)	/* since the arena was set */

#endif
