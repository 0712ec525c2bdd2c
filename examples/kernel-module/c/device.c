// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Two devices over memory of their own, alike but for who moves the bytes: /dev/ioviter is served
 * by Rust, /dev/ioviter-kernel by the kernel's own iterator.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "differences.h"
#include "shim.h"

#define DEVICE_SIZE (64 * 1024)

struct memory_device {
	struct miscdevice misc;
	struct mutex lock;	/* guards the contents */
	u8 *contents;
};

static struct memory_device *memory_device(struct kiocb *iocb)
{
	/* misc_open() has put it there. */
	return container_of(iocb->ki_filp->private_data, struct memory_device, misc);
}

static loff_t device_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, DEVICE_SIZE);
}

struct user_segments user_segments(const struct iov_iter *iter)
{
	struct user_segments segments = {
		.offset = iter->iov_offset,
		.count = iov_iter_count(iter),
	};

	if (iter_is_ubuf(iter)) {
		segments.base = (unsigned long)iter->ubuf;
	} else {
		segments.segments = iter_iov(iter);
		segments.nr_segs = iter->nr_segs;
	}
	return segments;
}

static ssize_t rust_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct memory_device *device = memory_device(iocb);
	struct user_segments segments = user_segments(to);
	ssize_t done;

	if (!user_backed_iter(to))
		return -EINVAL;
	mutex_lock(&device->lock);
	done = ioviter_device_read(&segments, device->contents, DEVICE_SIZE, &iocb->ki_pos);
	mutex_unlock(&device->lock);
	if (done > 0)
		iov_iter_advance(to, done);
	return done;
}

static ssize_t rust_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct memory_device *device = memory_device(iocb);
	struct user_segments segments = user_segments(from);
	ssize_t done;

	if (!user_backed_iter(from))
		return -EINVAL;
	mutex_lock(&device->lock);
	done = ioviter_device_write(&segments, device->contents, DEVICE_SIZE, &iocb->ki_pos);
	mutex_unlock(&device->lock);
	if (done > 0)
		iov_iter_advance(from, done);
	return done;
}

static ssize_t kernel_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct memory_device *device = memory_device(iocb);
	size_t wanted, done;

	if (iocb->ki_pos >= DEVICE_SIZE)
		return 0;
	wanted = min_t(size_t, iov_iter_count(to), DEVICE_SIZE - iocb->ki_pos);
	mutex_lock(&device->lock);
	done = copy_to_iter(device->contents + iocb->ki_pos, wanted, to);
	mutex_unlock(&device->lock);
	if (wanted && !done)
		return -EFAULT;
	iocb->ki_pos += done;
	return done;
}

static ssize_t kernel_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct memory_device *device = memory_device(iocb);
	size_t wanted, done;

	if (!iov_iter_count(from))
		return 0;
	if (iocb->ki_pos >= DEVICE_SIZE)
		return -ENOSPC;
	wanted = min_t(size_t, iov_iter_count(from), DEVICE_SIZE - iocb->ki_pos);
	mutex_lock(&device->lock);
	done = copy_from_iter(device->contents + iocb->ki_pos, wanted, from);
	mutex_unlock(&device->lock);
	if (!done)
		return -EFAULT;
	iocb->ki_pos += done;
	return done;
}

static const struct file_operations rust_operations = {
	.owner = THIS_MODULE,
	.llseek = device_llseek,
	.read_iter = rust_read_iter,
	.write_iter = rust_write_iter,
};

static const struct file_operations kernel_operations = {
	.owner = THIS_MODULE,
	.llseek = device_llseek,
	.read_iter = kernel_read_iter,
	.write_iter = kernel_write_iter,
};

static struct memory_device rust_device = {
	.misc = { MISC_DYNAMIC_MINOR, "ioviter", &rust_operations },
};

static struct memory_device kernel_device = {
	.misc = { MISC_DYNAMIC_MINOR, "ioviter-kernel", &kernel_operations },
};

static int memory_device_register(struct memory_device *device)
{
	int error;

	mutex_init(&device->lock);
	device->contents = vzalloc(DEVICE_SIZE);
	if (!device->contents)
		return -ENOMEM;
	error = misc_register(&device->misc);
	if (error)
		vfree(device->contents);
	return error;
}

static void memory_device_unregister(struct memory_device *device)
{
	misc_deregister(&device->misc);
	vfree(device->contents);
}

int devices_register(void)
{
	int error = memory_device_register(&rust_device);

	if (error)
		return error;
	error = memory_device_register(&kernel_device);
	if (error)
		memory_device_unregister(&rust_device);
	return error;
}

void devices_unregister(void)
{
	memory_device_unregister(&kernel_device);
	memory_device_unregister(&rust_device);
}
