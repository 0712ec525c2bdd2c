// SPDX-License-Identifier: MIT OR Apache-2.0
/* The module: its devices come and go together. */

#include <linux/module.h>

#include "host.h"
#include "shim.h"

/* Log lines of the Rust half. */
void ioviter_log(const char *text, size_t len);
void ioviter_log(const char *text, size_t len)
{
	pr_info("ioviter: %.*s\n", (int)len, text);
}

static int __init ioviter_init(void)
{
	int error;

	host_init();
	error = devices_register();
	if (error)
		return error;
	error = compare_register();
	if (error)
		devices_unregister();
	return error;
}

static void __exit ioviter_exit(void)
{
	compare_unregister();
	devices_unregister();
}

module_init(ioviter_init);
module_exit(ioviter_exit);
MODULE_DESCRIPTION("The Rust crate iov_iter, served by this kernel and compared with it");
MODULE_LICENSE("Dual MIT/GPL");
