/*
 * A program without a C library: vectors, iterators and a file, in memory that it has set aside itself. It ends by the
 * system call of Linux, so that it can be run where it was built; that is all that it asks of a system.
 *
 * Its status is 0, or the number of the check that failed. Compiled with WITHOUT_FILES it has no memory to give out.
 */
#include "iov_iter.h"

#ifndef WITHOUT_FILES
static _Alignas(16) unsigned char heap[200000];
static size_t used;

/* What the library asks of its program: memory, 16-byte aligned. Nothing is given back here. */
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *memory);

void *malloc(size_t size)
{
    void *memory = heap + used;
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof heap - used) {
        return NULL;
    }
    used += size;
    return memory;
}

/* All of the memory is zeros, and given out once. */
void *calloc(size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? NULL : malloc(count * size);
}

void free(void *memory)
{
    (void)memory;
}
#endif

static _Noreturn void leave(int status)
{
    __asm__ volatile("syscall" : : "a"(60), "D"(status) : "rcx", "r11", "memory");
    __builtin_unreachable();
}

#define CHECK(number, condition)  \
    do {                          \
        if (!(condition)) {       \
            leave(number);        \
        }                         \
    } while (0)

#ifndef WITHOUT_FILES
static char line[64];
static size_t line_len;

static ssize_t print(void *opaque, const struct iovec *iov, size_t count)
{
    ssize_t len = ioviter_vec_to_buf(iov, count, 0, line + line_len, sizeof line - line_len);
    (void)opaque;
    line_len += (size_t)len;
    return len;
}
#endif

static size_t read_nothing(void *opaque, uintptr_t address, void *dst, size_t len)
{
    (void)opaque, (void)address, (void)dst, (void)len;
    return 0;
}

static _Noreturn __attribute__((used)) void run(void)
{
    static char head[4], body[12];
    struct iovec iov[2] = {{head, sizeof head}, {body, sizeof body}}, *at = iov;
    struct ioviter_user_ops user = {0};
    struct ioviter iter = IOVITER_INIT;
#ifndef WITHOUT_FILES
    struct ioviter_channel_ops ops = {0};
    struct ioviter_writer *writer = NULL;
#endif
    struct ioviter_undo undo;
    size_t count = 2;
    char byte;

    CHECK(1, ioviter_vec_from_buf(iov, 2, 1, "scattered", 9) == 9);
    CHECK(2, head[1] == 's' && body[0] == 't' && body[5] == 'd');
    CHECK(3, ioviter_vec_discard_front(&at, &count, 5, &undo) == 5 && count == 1);
    CHECK(4, ioviter_vec_to_buf(at, count, 0, &byte, 1) == 1 && byte == 't');
    CHECK(5, ioviter_vec_undo(&at, &count, &undo) == 0 && at == iov && iov[1].iov_len == 12);
    CHECK(6, ioviter_vec_is_zero(iov, 2, 10, 6) == 1);
    CHECK(7, ioviter_vec_fill(NULL, 1, 0, 0, 1) == -14);

    CHECK(10, ioviter_init_shared(&iter, IOVITER_DEST, iov, 2) == 0);
    CHECK(11, ioviter_copy_to(&iter, "0123456789", 10) == 10 && body[5] == '9');
    CHECK(12, ioviter_zero(&iter, 100) == 6 && body[6] == 0);
    CHECK(13, ioviter_revert(&iter, 17) == -22);
    user.size = sizeof user;
    user.read = read_nothing;
    CHECK(14, ioviter_init_user(&iter, IOVITER_SOURCE, &user, NULL, iov, 2) == 0);
    CHECK(15, ioviter_copy_from(&iter, &byte, 1) == 0 && ioviter_remaining(&iter) == 16);

#ifndef WITHOUT_FILES
    ops.size = sizeof ops;
    ops.writev = print;
    CHECK(20, ioviter_writer_open(&writer, &ops, NULL, 0) == 0);
    CHECK(21, ioviter_writer_put_be32(writer, 0x51454d55) == 0);
    CHECK(22, ioviter_writer_put_iov(writer, iov, 2) == 0);
    CHECK(23, ioviter_writer_close(writer) == 0);
    CHECK(24, line_len == 20 && line[0] == 'Q' && line[3] == 'U' && line[4] == '0' && line[13] == '9');
    /* Memory runs out: an error, not an end. */
    used = sizeof heap - 1000;
    CHECK(25, ioviter_writer_open(&writer, &ops, NULL, 0) == -12);
#endif
    leave(0);
}

__attribute__((naked, used)) void _start(void);
__attribute__((naked, used)) void _start(void)
{
    /* The stack is aligned here, as a call would leave it. */
    __asm__ volatile("xor %ebp, %ebp\n\tand $-16, %rsp\n\tcall run");
}
