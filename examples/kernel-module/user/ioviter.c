// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The user's side of the tests.
 *
 *   ioviter selftest              worked examples, in the kernel
 *   ioviter compare SEED ROUNDS   the crate's iterators beside the kernel's, on all kinds of memory
 *   ioviter devices SEED ROUNDS   /dev/ioviter beside /dev/ioviter-kernel, by system calls
 *   ioviter cost                  the instructions that both need, as a table in the kernel's log
 *
 * Says what it did, and FAILED with a line for each check that did not hold; exits with 1 then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ioctl.h"

#define PAGE 4096ul
#define PAGES 8
#define SEGMENTS 12

static int failures;

static void __attribute__((format(printf, 1, 2))) failed(const char *format, ...)
{
	va_list arguments;

	failures++;
	printf("FAILED: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0) {
		printf("FAILED: %s: %m\n", path);
		exit(1);
	}
	return fd;
}

/* A request to the module, which answers with the number of its failed checks. */
static void request(int fd, unsigned long command, const void *argument)
{
	int result = ioctl(fd, command, argument);

	if (result < 0)
		failed("request %lx: %m", command);
	else if (result > 0)
		failures++;	/* it is in the log */
}

static uint64_t state;

static uint64_t next(void)
{
	uint64_t x = state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static size_t below(size_t limit)
{
	return next() % limit;
}

/* Maps pages of which some are missing and some can only be read; all are resident. */
static void map_arena(struct ioviter_arena *arena)
{
	uint8_t *base = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (base == MAP_FAILED) {
		printf("FAILED: mmap: %m\n");
		exit(1);
	}
	arena->base = (uintptr_t)base;
	arena->pages = PAGES;
	arena->readable = arena->writable = (1 << PAGES) - 1;
	for (int page = 0; page < PAGES; page++) {
		switch (below(5)) {
		case 0:
			munmap(base + page * PAGE, PAGE);
			arena->readable &= ~(1 << page);
			arena->writable &= ~(1 << page);
			break;
		case 1:
			memset(base + page * PAGE, page, PAGE);
			mprotect(base + page * PAGE, PAGE, PROT_READ);
			arena->writable &= ~(1 << page);
			break;
		}
	}
}

/* A range of the arena: empty, short or long, often with an end at or near the bound of a page. */
static struct iovec random_segment(const struct ioviter_arena *arena)
{
	size_t size = PAGES * PAGE, at = below(size), len;

	if (below(2))
		at = below(PAGES) * PAGE + below(5) - 2;
	if (at >= size)
		at = 0;
	switch (below(6)) {
	case 0:
		len = 0;
		break;
	case 1:
		len = 1 + below(3);
		break;
	case 2:
		len = below(100);
		break;
	case 3:
		len = PAGE - at % PAGE + below(3);
		break;
	default:
		len = below(6000);
	}
	if (len > size - at)
		len = size - at;
	return (struct iovec) { (void *)(arena->base + at), len };
}

/* Reads and writes that the module carries out twice. */
static void compare_user(int fd, uint64_t seed, uint64_t rounds)
{
	const uint64_t each = 20;	/* rounds on one arena */
	struct ioviter_tally tally, sum = { 0 };
	struct ioviter_arena arena;

	state = seed;
	for (uint64_t round = 0; round < rounds; round += each) {
		map_arena(&arena);
		request(fd, IOVITER_ARENA, &arena);
		for (uint64_t i = 0; i < each; i++) {
			struct iovec segments[SEGMENTS];
			int count = below(SEGMENTS + 1);
			off_t position = next() >> 1;
			ssize_t result;

			for (int s = 0; s < SEGMENTS; s++)
				segments[s] = random_segment(&arena);
			switch (below(4)) {
			case 0:
				result = pread(fd, segments[0].iov_base, segments[0].iov_len,
					       position);
				break;
			case 1:
				result = pwrite(fd, segments[0].iov_base, segments[0].iov_len,
						position);
				break;
			case 2:
				result = preadv(fd, segments, count, position);
				break;
			default:
				result = pwritev(fd, segments, count, position);
			}
			if (result < 0 && errno != EILSEQ)
				failed("a read or write that is compared: %m");
		}
		request(fd, IOVITER_TALLY, &tally);
		sum.operations += tally.operations;
		sum.partial += tally.partial;
		sum.words += tally.words;
		sum.failed += tally.failed;
		munmap((void *)arena.base, PAGES * PAGE);
	}
	failures += sum.failed > 0;
	printf("user memory: %lu rounds, %llu operations compared, %llu failed\n",
	       rounds, sum.operations, sum.failed);
	printf("  %llu of them fell short, at a fault; in %llu the kernel counted too few zeros there\n",
	       sum.partial, sum.words);
}

static void compare(uint64_t seed, uint64_t rounds)
{
	int fd = open_device("/dev/ioviter-compare");
	struct ioviter_rounds argument = { seed, rounds };
	struct ioviter_arena arena;

	request(fd, IOVITER_COMPARE, &argument);
	compare_user(fd, seed, rounds);
	for (argument.rounds = 0; argument.rounds < rounds; argument.rounds += 500) {
		struct ioviter_rounds part = { seed + argument.rounds, 500 };

		map_arena(&arena);
		request(fd, IOVITER_ARENA, &arena);
		request(fd, IOVITER_IMPORT, &part);
		munmap((void *)arena.base, PAGES * PAGE);
	}
	close(fd);
}

/* A system call on a device: which one, and with what. */
struct call {
	enum { READ, WRITE, READV, WRITEV } kind;
	struct iovec segments[SEGMENTS];
	int count;
	off_t position;
};

/* What came of it. */
struct answer {
	ssize_t result;
	int error;
	off_t position;
	uint8_t memory[PAGES * PAGE];
	uint8_t contents[64 * 1024];
};

static void perform(int fd, const struct ioviter_arena *arena, const struct call *call,
		    struct answer *answer)
{
	uint8_t *base = (uint8_t *)arena->base;

	memset(answer, 0, sizeof(*answer));
	for (size_t i = 0; i < sizeof(answer->contents); i++)
		answer->contents[i] = i % 251;
	if (pwrite(fd, answer->contents, sizeof(answer->contents), 0)
	    != (ssize_t)sizeof(answer->contents))
		failed("a device cannot be filled");
	for (int page = 0; page < PAGES; page++) {
		if (arena->writable >> page & 1)
			memset(base + page * PAGE, 'a' + page, PAGE);
	}

	lseek(fd, call->position, SEEK_SET);
	switch (call->kind) {
	case READ:
		answer->result = read(fd, call->segments[0].iov_base, call->segments[0].iov_len);
		break;
	case WRITE:
		answer->result = write(fd, call->segments[0].iov_base, call->segments[0].iov_len);
		break;
	case READV:
		answer->result = readv(fd, call->segments, call->count);
		break;
	case WRITEV:
		answer->result = writev(fd, call->segments, call->count);
	}
	answer->error = answer->result < 0 ? errno : 0;
	answer->position = lseek(fd, 0, SEEK_CUR);
	for (int page = 0; page < PAGES; page++) {
		if (arena->readable >> page & 1)
			memcpy(answer->memory + page * PAGE, base + page * PAGE, PAGE);
	}
	if (pread(fd, answer->contents, sizeof(answer->contents), 0)
	    != (ssize_t)sizeof(answer->contents))
		failed("a device cannot be read");
}

static int devices[2];
static struct answer answers[2];

/* Makes the same call on both devices; what the one that the crate serves answered. */
static const struct answer *on_both(const struct ioviter_arena *arena, const struct call *call)
{
	for (int i = 0; i < 2; i++)
		perform(devices[i], arena, call, &answers[i]);
	if (memcmp(&answers[0], &answers[1], sizeof(answers[0])))
		failed("call %d at %ld, %d segments: %zd (%s) by the crate, %zd (%s) by the kernel",
		       call->kind, call->position, call->count,
		       answers[0].result, strerror(answers[0].error),
		       answers[1].result, strerror(answers[1].error));
	return &answers[0];
}

/* Calls whose answer is known. */
static void known_calls(void)
{
	uint8_t *base = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ioviter_arena arena = { (uintptr_t)base, PAGES, 0xfb, 0xfb };	/* no page 2 */
	uint8_t *hole = base + 2 * PAGE;
	struct known {
		const char *what;
		struct call call;
		ssize_t result;	/* or the negative errno */
	} calls[] = {
		{ "scattered read", { READV, { { base + 5, 3 }, { base, 0 }, { base + PAGE - 1, 700 } }, 3, 9 }, 703 },
		{ "gathered write", { WRITEV, { { base + 5, 3 }, { base, 0 }, { base + PAGE - 1, 700 } }, 3, 9 }, 703 },
		{ "read into a bad pointer", { READ, { { hole, 10 } }, 1, 0 }, -EFAULT },
		{ "write from a bad pointer", { WRITE, { { hole, 10 } }, 1, 0 }, -EFAULT },
		{ "bad first segment", { READV, { { hole, 10 }, { base, 10 } }, 2, 0 }, -EFAULT },
		{ "bad second segment", { READV, { { base, 10 }, { hole, 10 }, { base, 1 } }, 3, 0 }, 10 },
		{ "fault at the first byte of a page", { READV, { { base, 1 }, { hole - 5, 9 } }, 2, 0 }, 6 },
		{ "fault at the last byte", { WRITEV, { { base, 1 }, { hole - 8, 9 } }, 2, 0 }, 9 },
		{ "nothing, into a bad pointer", { READV, { { hole, 0 } }, 1, 0 }, 0 },
		{ "no segments", { WRITEV, { { 0 } }, 0, 0 }, 0 },
		{ "read over the end", { READV, { { base, 60 }, { base + 60, 60 } }, 2, 65536 - 100 }, 100 },
		{ "read behind the end", { READV, { { base, 60 } }, 1, 65536 }, 0 },
		{ "write over the end", { WRITEV, { { base, 60 }, { base + 60, 60 } }, 2, 65536 - 100 }, 100 },
		{ "write behind the end", { WRITEV, { { base, 60 } }, 1, 65536 }, -ENOSPC },
		{ "the kernel's memory", { READV, { { (void *)~0xffful, 8 } }, 1, 0 }, -EFAULT },
		{ "negative length", { READV, { { base, 8 }, { base, -8 } }, 2, 0 }, -EINVAL },
	};

	munmap(hole, PAGE);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct known *known = &calls[i];
		const struct answer *answer = on_both(&arena, &known->call);
		ssize_t result = answer->error ? -answer->error : answer->result;

		if (answer->error)
			printf("  %-35s %s\n", known->what, strerror(answer->error));
		else
			printf("  %-35s %zd\n", known->what, answer->result);
		if (result != known->result)
			failed("%s: %zd, not %zd", known->what, result, known->result);
	}
	munmap(base, PAGES * PAGE);
}

static void random_calls(uint64_t seed, uint64_t rounds)
{
	struct ioviter_arena arena;
	struct call call;

	state = seed;
	for (uint64_t round = 0; round < rounds; round++) {
		if (round % 20 == 0)
			map_arena(&arena);
		call.kind = below(4);
		call.count = below(SEGMENTS + 1);
		call.position = below(4) ? below(60000) : 65536 - below(500);
		for (int i = 0; i < SEGMENTS; i++)
			call.segments[i] = random_segment(&arena);
		on_both(&arena, &call);
		if (round % 20 == 19)
			munmap((void *)arena.base, PAGES * PAGE);
	}
	printf("devices: %lu random system calls, made on both\n", rounds);
}

static void compare_devices(uint64_t seed, uint64_t rounds)
{
	devices[0] = open_device("/dev/ioviter");
	devices[1] = open_device("/dev/ioviter-kernel");
	printf("devices: calls that end in a known way, with /dev/ioviter:\n");
	known_calls();
	random_calls(seed, rounds);
}

static void cost(void)
{
	struct ioviter_arena arena = { .pages = 64, .readable = ~0, .writable = ~0 };
	void *base = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int fd = open_device("/dev/ioviter-compare");

	arena.base = (uintptr_t)base;
	request(fd, IOVITER_ARENA, &arena);
	request(fd, IOVITER_COST, NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "selftest") && argc == 2)
		request(open_device("/dev/ioviter-compare"), IOVITER_SELFTEST, NULL);
	else if (!strcmp(what, "compare") && argc == 4)
		compare(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	else if (!strcmp(what, "devices") && argc == 4)
		compare_devices(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	else if (!strcmp(what, "cost") && argc == 2)
		cost();
	else
		failed("usage: ioviter selftest | compare SEED ROUNDS | devices SEED ROUNDS | cost");
	return failures > 0;
}
