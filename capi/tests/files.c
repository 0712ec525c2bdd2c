/* Files over a channel in memory, whose every answer the test chooses. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "iov_iter.h"

#define SIZE ((size_t)200000)
#define BUFFER ((size_t)32768)

/* A channel, and what was done to it. */
struct memory {
    char bytes[SIZE];
    size_t len, at;    /* written so far; read so far */
    ssize_t answer;    /* if negative, and `answers` is not 0, what an operation returns */
    int answers;
    size_t most;       /* bytes that one operation moves at most, unless 0 */
    size_t largest;    /* elements that came in one call, at most */
    int calls, waits, wait_result, blocking, shut, closed, close_result, freed;
    struct iovec released[8];
    int releases;
};

static ssize_t answer(struct memory *memory)
{
    memory->calls++;
    if (memory->answers == 0) {
        return 0;
    }
    memory->answers--;
    return memory->answer;
}

static size_t room(const struct memory *memory, size_t len, size_t moved)
{
    return memory->most != 0 && len > memory->most - moved ? memory->most - moved : len;
}

static ssize_t readv_memory(void *opaque, const struct iovec *iov, size_t count)
{
    struct memory *memory = (struct memory *)opaque;
    ssize_t failed = answer(memory);
    size_t moved = 0;
    if (failed < 0) {
        return failed;
    }
    memory->largest = count > memory->largest ? count : memory->largest;
    for (size_t i = 0; i < count; i++) {
        size_t len = room(memory, iov[i].iov_len, moved);
        CHECK(iov[i].iov_len > 0);
        len = len > memory->len - memory->at ? memory->len - memory->at : len;
        memcpy(iov[i].iov_base, memory->bytes + memory->at, len);
        memory->at += len;
        moved += len;
    }
    return (ssize_t)moved;
}

static ssize_t writev_memory(void *opaque, const struct iovec *iov, size_t count)
{
    struct memory *memory = (struct memory *)opaque;
    ssize_t failed = answer(memory);
    size_t moved = 0;
    if (failed < 0) {
        return failed;
    }
    memory->largest = count > memory->largest ? count : memory->largest;
    for (size_t i = 0; i < count; i++) {
        size_t len = room(memory, iov[i].iov_len, moved);
        CHECK(iov[i].iov_len > 0);
        CHECK(memory->len + len <= SIZE);
        memcpy(memory->bytes + memory->len, iov[i].iov_base, len);
        memory->len += len;
        moved += len;
    }
    return (ssize_t)moved;
}

static int wait_memory(void *opaque, int ready)
{
    struct memory *memory = (struct memory *)opaque;
    CHECK(ready == IOVITER_READY_READ || ready == IOVITER_READY_WRITE);
    memory->waits++;
    return memory->wait_result;
}

static int set_blocking_memory(void *opaque, int blocking)
{
    ((struct memory *)opaque)->blocking = blocking;
    return 0;
}

static int shutdown_memory(void *opaque)
{
    ((struct memory *)opaque)->shut++;
    return 0;
}

static int close_memory(void *opaque)
{
    struct memory *memory = (struct memory *)opaque;
    CHECK(memory->freed <= memory->closed);
    memory->closed++;
    return memory->close_result;
}

static int64_t seek_memory(void *opaque, int64_t distance, int whence)
{
    struct memory *memory = (struct memory *)opaque;
    int64_t from = whence == IOVITER_SEEK_SET ? 0 : (int64_t)(whence == IOVITER_SEEK_CUR ? memory->at : memory->len);
    if (from + distance < 0) {
        return -EINVAL;
    }
    memory->at = (size_t)(from + distance);
    return from + distance;
}

static ssize_t preadv_memory(void *opaque, const struct iovec *iov, size_t count, uint64_t position)
{
    struct memory *memory = (struct memory *)opaque;
    size_t before = memory->at;
    ssize_t moved;
    memory->at = (size_t)position;
    moved = readv_memory(opaque, iov, count);
    memory->at = before;
    return moved;
}

static ssize_t pwritev_memory(void *opaque, const struct iovec *iov, size_t count, uint64_t position)
{
    struct memory *memory = (struct memory *)opaque;
    size_t before = memory->len;
    ssize_t moved;
    memory->len = (size_t)position;
    moved = writev_memory(opaque, iov, count);
    memory->len = memory->len > before ? memory->len : before;
    return moved;
}

static void release_memory(void *opaque, void *base, size_t len)
{
    struct memory *memory = (struct memory *)opaque;
    CHECK(memory->releases < 8);
    memory->released[memory->releases].iov_base = base;
    memory->released[memory->releases++].iov_len = len;
}

static void free_memory(void *opaque)
{
    ((struct memory *)opaque)->freed++;
}

static struct ioviter_channel_ops all(void)
{
    struct ioviter_channel_ops ops;
    memset(&ops, 0, sizeof ops);
    ops.size = sizeof ops;
    ops.readv = readv_memory;
    ops.writev = writev_memory;
    ops.wait = wait_memory;
    ops.set_blocking = set_blocking_memory;
    ops.shutdown = shutdown_memory;
    ops.close = close_memory;
    ops.seek = seek_memory;
    ops.preadv = preadv_memory;
    ops.pwritev = pwritev_memory;
    ops.release = release_memory;
    ops.free = free_memory;
    return ops;
}

static struct memory *memory;

static struct ioviter_writer *open_writer(unsigned flags)
{
    struct ioviter_channel_ops ops = all();
    struct ioviter_writer *writer = NULL;
    memset(memory, 0, sizeof *memory);
    CHECK_EQ(ioviter_writer_open(&writer, &ops, memory, flags), 0);
    /* The operations were copied. */
    memset(&ops, 0xff, sizeof ops);
    return writer;
}

static struct ioviter_reader *open_reader(size_t len)
{
    struct ioviter_channel_ops ops = all();
    struct ioviter_reader *reader = NULL;
    memset(memory, 0, sizeof *memory);
    for (size_t i = 0; i < len; i++) {
        memory->bytes[i] = (char)(i % 251);
    }
    memory->len = len;
    CHECK_EQ(ioviter_reader_open(&reader, &ops, memory, 0), 0);
    return reader;
}

static void integers_and_strings_are_read_as_they_were_written(void)
{
    static const unsigned char stream[] = {0xfe, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8,
                                           2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 3, 'r', 'a', 'm', 0};
    struct ioviter_writer *writer = open_writer(0);
    struct ioviter_channel_ops ops = all();
    struct ioviter_reader *reader;
    char string[256], long_string[255];
    CHECK_EQ(ioviter_writer_put_byte(writer, 0xfe), 0);
    CHECK_EQ(ioviter_writer_put_be16(writer, 0x0102), 0);
    CHECK_EQ(ioviter_writer_put_be32(writer, 0x01020304), 0);
    CHECK_EQ(ioviter_writer_put_be64(writer, 0x0102030405060708), 0);
    CHECK_EQ(ioviter_writer_put_le16(writer, 0x0102), 0);
    CHECK_EQ(ioviter_writer_put_le32(writer, 0x01020304), 0);
    CHECK_EQ(ioviter_writer_put_le64(writer, 0x0102030405060708), 0);
    CHECK_EQ(ioviter_writer_put_counted_string(writer, "ram", 3), 0);
    CHECK_EQ(ioviter_writer_put_counted_string(writer, NULL, 0), 0);
    CHECK_EQ(ioviter_writer_put_counted_string(writer, NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_writer_put_counted_string(writer, string, 256), -EINVAL);
    CHECK_EQ(ioviter_writer_tell(writer), sizeof stream);
    memset(long_string, 'x', sizeof long_string);
    CHECK_EQ(ioviter_writer_put_counted_string(writer, long_string, 255), 0);
    CHECK_EQ(memory->calls, 0);
    CHECK_EQ(ioviter_writer_close(writer), 0);
    CHECK_EQ(memory->closed, 1);
    CHECK_EQ(memory->freed, 1);
    CHECK_EQ(memory->len, sizeof stream + 256);
    CHECK(memcmp(memory->bytes, stream, sizeof stream) == 0);

    CHECK_EQ(ioviter_reader_open(&reader, &ops, memory, 0), 0);
    CHECK_EQ(ioviter_reader_get_byte(reader), 0xfe);
    CHECK_EQ(ioviter_reader_get_be16(reader), 0x0102);
    CHECK_EQ(ioviter_reader_get_be32(reader), 0x01020304);
    CHECK_EQ(ioviter_reader_get_be64(reader), 0x0102030405060708);
    CHECK_EQ(ioviter_reader_get_le16(reader), 0x0102);
    CHECK_EQ(ioviter_reader_get_le32(reader), 0x01020304);
    CHECK_EQ(ioviter_reader_get_le64(reader), 0x0102030405060708);
    CHECK_EQ(ioviter_reader_get_counted_string(reader, string), 3);
    CHECK(strcmp(string, "ram") == 0);
    CHECK_EQ(ioviter_reader_get_counted_string(reader, string), 0);
    CHECK(strcmp(string, "") == 0);
    CHECK_EQ(ioviter_reader_get_counted_string(reader, string), 255);
    CHECK(strlen(string) == 255 && memcmp(string, long_string, 255) == 0);
    CHECK_EQ(ioviter_reader_at_end(reader), 1);
    CHECK_EQ(ioviter_reader_error(reader), 0);
    /* The end becomes an error of the file by asking for more. */
    CHECK_EQ(ioviter_reader_get_be32(reader), 0);
    CHECK_EQ(ioviter_reader_error(reader), -EIO);
    CHECK_EQ(ioviter_reader_get_counted_string(reader, string), -EIO);
    CHECK_EQ(ioviter_reader_close(reader), -EIO);
}

static void bytes_of_every_size_arrive(void)
{
    static char bytes[3 * BUFFER];
    size_t sizes[] = {0, 1, 7, 100, BUFFER - 108, 1, BUFFER, BUFFER + 1, 2};
    struct ioviter_writer *writer;
    struct ioviter_reader *reader;
    size_t total = 0;
    struct iovec iov[4] = {{bytes, 3}, {NULL, 0}, {bytes + 3, 5}, {bytes + 8, 2}};
    char copy[300];
    const void *where;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i % 251);
    }
    for (size_t most = 0; most < 20000; most += 9999) {
        writer = open_writer(0);
        memory->most = most;
        total = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            CHECK_EQ(ioviter_writer_put(writer, bytes, sizes[i]), 0);
            total += sizes[i];
            CHECK_EQ(ioviter_writer_tell(writer), total);
            CHECK_EQ(ioviter_writer_flushed(writer) + ioviter_writer_pending(writer), total);
        }
        CHECK_EQ(ioviter_writer_put_iov(writer, iov, 4), 0);
        CHECK_EQ(ioviter_writer_put_iov(writer, NULL, 0), 0);
        CHECK_EQ(ioviter_writer_put(writer, NULL, 0), 0);
        CHECK_EQ(ioviter_writer_flush_and_tell(writer), total + 10);
        CHECK_EQ(ioviter_writer_flush(writer), 0);
        CHECK_EQ(ioviter_writer_entries(writer), 0);
        CHECK_EQ(ioviter_writer_close(writer), 0);
        CHECK_EQ(memory->len, total + 10);
    }
    /* What was written is there once more, size by size. */
    total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(memcmp(memory->bytes + total, bytes, sizes[i]) == 0);
        total += sizes[i];
    }
    CHECK(memcmp(memory->bytes + total, bytes, 10) == 0);

    for (size_t most = 0; most < 20000; most += 9999) {
        static char got[2 * BUFFER];
        reader = open_reader(SIZE);
        memory->most = most;
        total = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            CHECK_EQ(ioviter_reader_get(reader, got, sizes[i]), sizes[i]);
            CHECK(memcmp(got, memory->bytes + total, sizes[i]) == 0);
            total += sizes[i];
            CHECK_EQ(ioviter_reader_position(reader), total);
            CHECK_EQ(ioviter_reader_fetched(reader), total + ioviter_reader_buffered(reader));
        }
        CHECK_EQ(ioviter_reader_get(reader, NULL, 0), 0);
        CHECK_EQ(ioviter_reader_skip(reader, SIZE - total - 200), 0);
        iov[0].iov_base = copy;
        iov[2].iov_base = copy + 3;
        iov[3].iov_base = copy + 8;
        CHECK_EQ(ioviter_reader_get_iov(reader, iov, 4), 10);
        CHECK(memcmp(copy, memory->bytes + SIZE - 200, 10) == 0);
        CHECK_EQ(ioviter_reader_get_iov_or_end(reader, iov, 4), 1);
        CHECK(memcmp(copy, memory->bytes + SIZE - 190, 10) == 0);
        CHECK_EQ(ioviter_reader_get_in_place(reader, &where, copy, 100), 100);
        CHECK(where != copy && memcmp(where, memory->bytes + SIZE - 180, 100) == 0);
        CHECK_EQ(ioviter_reader_get_in_place(reader, NULL, copy, 9), 9);
        CHECK_EQ(ioviter_reader_get_or_end(reader, copy, 1), 1);
        /* Fewer than asked for are in `buf`. */
        CHECK_EQ(ioviter_reader_get_in_place(reader, &where, copy, 200), 70);
        CHECK(where == copy && memcmp(where, memory->bytes + SIZE - 70, 70) == 0);
        CHECK_EQ(ioviter_reader_get(reader, copy, 1), -EIO);
        CHECK_EQ(ioviter_reader_close(reader), -EIO);
    }
    reader = open_reader(3);
    CHECK_EQ(ioviter_reader_get_or_end(reader, copy, 3), 1);
    CHECK_EQ(ioviter_reader_get_or_end(reader, copy, 3), 0);
    CHECK_EQ(ioviter_reader_get_iov_or_end(reader, iov, 1), 0);
    CHECK_EQ(ioviter_reader_close(reader), 0);
}

static void bytes_are_queued_where_they_lie_and_released_by_address(void)
{
    static char page[4096], other[100];
    struct iovec unsent[2];
    struct ioviter_writer *writer = open_writer(0);
    memset(page, 5, sizeof page);
    CHECK_EQ(ioviter_writer_put_async(writer, page, 1000, 1), 0);
    CHECK_EQ(ioviter_writer_put_async(writer, page + 1000, 1000, 1), 0);
    CHECK_EQ(ioviter_writer_entries(writer), 1);
    CHECK_EQ(ioviter_writer_put_async(writer, page + 2000, 1, 0), 0);
    CHECK_EQ(ioviter_writer_put_async(writer, other, 100, 1), 0);
    CHECK_EQ(ioviter_writer_put_async(writer, NULL, 0, 1), 0);
    CHECK_EQ(ioviter_writer_put_async(writer, NULL, 1, 1), -EFAULT);
    CHECK_EQ(ioviter_writer_put_async(writer, page, (size_t)-1, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_unsent(writer, unsent, 2), 3);
    CHECK(unsent[0].iov_base == page && unsent[0].iov_len == 2000);
    CHECK(unsent[1].iov_base == page + 2000 && unsent[1].iov_len == 1);
    CHECK_EQ(ioviter_writer_unsent(writer, NULL, 0), 3);
    /* The bytes are those of the moment when they are sent. */
    memset(page, 6, sizeof page);
    CHECK_EQ(memory->releases, 0);
    CHECK_EQ(ioviter_writer_flush(writer), 0);
    CHECK_EQ(memory->bytes[0], 6);
    CHECK_EQ(memory->len, 2101);
    CHECK_EQ(memory->largest, 3);
    CHECK_EQ(memory->releases, 2);
    CHECK(memory->released[0].iov_base == page && memory->released[0].iov_len == 2000);
    CHECK(memory->released[1].iov_base == other && memory->released[1].iov_len == 100);

    CHECK_EQ(ioviter_writer_put_async(writer, page, 10, 1), 0);
    memory->answer = -EPIPE;
    memory->answers = 1;
    CHECK_EQ(ioviter_writer_flush(writer), -EPIPE);
    CHECK_EQ(ioviter_writer_put_async(writer, page, 10, 1), -EPIPE);
    CHECK_EQ(ioviter_writer_pending(writer), 10);
    CHECK_EQ(ioviter_writer_discard_unsent(writer), 10);
    CHECK_EQ(ioviter_writer_pending(writer), 0);
    CHECK_EQ(ioviter_writer_close(writer), -EPIPE);
    CHECK_EQ(memory->releases, 2);

    writer = open_writer(IOVITER_LINEAR);
    CHECK_EQ(ioviter_writer_put_async(writer, page, 10, 1), 0);
    memset(page, 7, sizeof page);
    CHECK_EQ(ioviter_writer_put_async(writer, page, 10, 1), 0);
    CHECK_EQ(ioviter_writer_close(writer), 0);
    CHECK_EQ(memory->bytes[9], 6);
    CHECK_EQ(memory->bytes[10], 7);
    CHECK_EQ(memory->largest, 1);
    CHECK_EQ(memory->releases, 0);
}

static void a_channel_that_blocks_is_waited_for_or_not(void)
{
    struct ioviter_writer *writer = open_writer(0);
    struct ioviter_reader *reader;
    char copy[4];
    memory->answer = -EAGAIN;
    memory->answers = 3;
    CHECK_EQ(ioviter_writer_put_be32(writer, 1), 0);
    CHECK_EQ(ioviter_writer_flush(writer), 0);
    CHECK_EQ(memory->waits, 3);
    memory->answers = 1;
    memory->wait_result = -EAGAIN;
    CHECK_EQ(ioviter_writer_put_be32(writer, 2), 0);
    CHECK_EQ(ioviter_writer_flush(writer), -EAGAIN);
    CHECK_EQ(ioviter_writer_error(writer), 0);
    CHECK_EQ(ioviter_writer_pending(writer), 4);
    CHECK_EQ(ioviter_writer_flush(writer), 0);
    memory->answers = 1;
    memory->wait_result = -ECONNRESET;
    CHECK_EQ(ioviter_writer_put_be32(writer, 3), 0);
    CHECK_EQ(ioviter_writer_flush(writer), -ECONNRESET);
    CHECK_EQ(ioviter_writer_close(writer), -ECONNRESET);
    CHECK_EQ(memory->closed, 1);

    /* An interrupted call is made again, by nobody's leave. */
    reader = open_reader(4);
    memory->answer = -EINTR;
    memory->answers = 5;
    CHECK_EQ(ioviter_reader_get(reader, copy, 4), 4);
    CHECK_EQ(memory->calls, 6);
    memory->answer = -EAGAIN;
    memory->answers = 1;
    memory->wait_result = -EAGAIN;
    CHECK_EQ(ioviter_reader_at_end(reader), -EAGAIN);
    CHECK_EQ(ioviter_reader_get_byte(reader), 0);
    CHECK_EQ(ioviter_reader_error(reader), -EIO);
    CHECK_EQ(ioviter_reader_set_blocking(reader, 1), 0);
    CHECK_EQ(memory->blocking, 1);
    ioviter_reader_close(reader);

    writer = open_writer(0);
    CHECK_EQ(ioviter_writer_set_blocking(writer, 1), 0);
    CHECK_EQ(memory->blocking, 1);
    memory->close_result = -ENOSPC;
    CHECK_EQ(ioviter_writer_close(writer), -ENOSPC);
}

static void looking_ahead_consumes_nothing(void)
{
    struct ioviter_reader *reader = open_reader(1000);
    const void *bytes;
    memory->most = 10;
    CHECK_EQ(ioviter_reader_peek(reader, &bytes, 5, 8), 5);
    CHECK(memcmp(bytes, memory->bytes + 8, 5) == 0);
    CHECK_EQ(ioviter_reader_peek(reader, NULL, 5, 996), 4);
    CHECK_EQ(ioviter_reader_peek(reader, &bytes, 5, 1000), 0);
    CHECK_EQ(ioviter_reader_peek(reader, &bytes, 1, BUFFER), -EINVAL);
    CHECK_EQ(ioviter_reader_peek(reader, &bytes, (size_t)-1, 1), -EINVAL);
    CHECK_EQ(ioviter_reader_peek_byte(reader, 250), 250);
    CHECK_EQ(ioviter_reader_peek_byte(reader, 1000), -ENODATA);
    CHECK_EQ(ioviter_reader_position(reader), 0);
    CHECK_EQ(ioviter_reader_buffered(reader), 1000);
    CHECK_EQ(ioviter_reader_skip_buffered(reader, 1001), -EINVAL);
    CHECK_EQ(ioviter_reader_skip_buffered(reader, 252), 0);
    CHECK_EQ(ioviter_reader_get_byte(reader), 1);
    CHECK_EQ(ioviter_reader_skip(reader, 748), -EIO);
    CHECK_EQ(ioviter_reader_position(reader), 253);
    CHECK_EQ(ioviter_reader_close(reader), -EIO);
}

static void positions_of_the_channel(void)
{
    char head[3], tail[2], copy[5];
    struct iovec iov[2] = {{head, 3}, {tail, 2}};
    struct ioviter_reader *reader = open_reader(500);
    struct ioviter_writer *writer;
    CHECK_EQ(ioviter_reader_is_seekable(reader), 1);
    CHECK_EQ(ioviter_reader_get_byte(reader), 0);
    CHECK_EQ(ioviter_reader_offset(reader), 1);
    CHECK_EQ(ioviter_reader_get_at(reader, copy, 5, 100), 0);
    CHECK(memcmp(copy, memory->bytes + 100, 5) == 0);
    CHECK_EQ(ioviter_reader_get_iov_at(reader, iov, 2, 200), 0);
    CHECK(memcmp(head, memory->bytes + 200, 3) == 0 && memcmp(tail, memory->bytes + 203, 2) == 0);
    CHECK_EQ(ioviter_reader_get_byte(reader), 1);
    CHECK_EQ(ioviter_reader_seek(reader, 7, IOVITER_SEEK_CUR), 9);
    CHECK_EQ(ioviter_reader_get_byte(reader), 9);
    CHECK_EQ(ioviter_reader_seek(reader, -10, IOVITER_SEEK_END), 490);
    CHECK_EQ(ioviter_reader_get_byte(reader), 490 - 251);
    CHECK_EQ(ioviter_reader_seek(reader, 20, IOVITER_SEEK_SET), 20);
    CHECK_EQ(ioviter_reader_seek(reader, -20, IOVITER_SEEK_SET), -EINVAL);
    CHECK_EQ(ioviter_reader_seek(reader, 20, 3), -EINVAL);
    CHECK_EQ(ioviter_reader_error(reader), 0);
    CHECK_EQ(ioviter_reader_get_at(reader, copy, 5, UINT64_MAX - 1), -EOVERFLOW);
    CHECK_EQ(ioviter_reader_get_at(reader, copy, 5, 498), -EIO);
    CHECK_EQ(ioviter_reader_close(reader), -EIO);

    writer = open_writer(0);
    CHECK_EQ(ioviter_writer_is_seekable(writer), 1);
    CHECK_EQ(ioviter_writer_put_be32(writer, 0), 0);
    CHECK_EQ(ioviter_writer_put_at(writer, "at", 2, 10), 0);
    CHECK_EQ(ioviter_writer_put_iov_at(writer, iov, 2, 12), 0);
    CHECK_EQ(ioviter_writer_put_at(writer, "at", 2, UINT64_MAX), -EOVERFLOW);
    CHECK_EQ(ioviter_writer_put_at(writer, NULL, 2, 10), -EFAULT);
    CHECK_EQ(ioviter_writer_tell(writer), 4);
    CHECK_EQ(ioviter_writer_transferred(writer), 11);
    CHECK(memcmp(memory->bytes + 10, "at", 2) == 0 && memcmp(memory->bytes + 15, tail, 2) == 0);
    CHECK_EQ(ioviter_writer_seek(writer, 3, IOVITER_SEEK_SET), 3);
    CHECK_EQ(ioviter_writer_offset(writer), 3);
    CHECK_EQ(ioviter_writer_seek(writer, 3, -1), -EINVAL);
    CHECK_EQ(ioviter_writer_close(writer), 0);
}

static void any_integer_is_an_error_and_the_first_one_stays(void)
{
    static const int errors[] = {-EPIPE, 5, -1, 12345678, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct ioviter_writer *writer = open_writer(0);
        struct ioviter_reader *reader;
        int negative = errors[i] == INT32_MIN ? -INT32_MAX : errors[i] > 0 ? -errors[i] : errors[i];
        CHECK_EQ(ioviter_writer_set_error(writer, 0), 0);
        CHECK_EQ(ioviter_writer_set_error(writer, errors[i]), errors[i]);
        CHECK_EQ(ioviter_writer_set_error(writer, -EBADF), errors[i]);
        CHECK_EQ(ioviter_writer_error(writer), errors[i]);
        CHECK_EQ(ioviter_writer_put_byte(writer, 1), negative);
        CHECK_EQ(ioviter_writer_put(writer, "x", 1), negative);
        CHECK_EQ(ioviter_writer_offset(writer), negative);
        CHECK_EQ(ioviter_writer_rate_exceeded(writer), 1);
        CHECK_EQ(ioviter_writer_close(writer), negative);
        CHECK_EQ(memory->closed, 1);
        CHECK_EQ(memory->calls, 0);
        reader = open_reader(10);
        CHECK_EQ(ioviter_reader_set_error(reader, 0), 0);
        CHECK_EQ(ioviter_reader_set_error(reader, errors[i]), errors[i]);
        CHECK_EQ(ioviter_reader_error(reader), errors[i]);
        CHECK_EQ(ioviter_reader_get_byte(reader), 0);
        CHECK_EQ(ioviter_reader_close(reader), negative);
    }
}

static void a_stream_may_be_too_fast(void)
{
    struct ioviter_writer *writer = open_writer(0);
    ioviter_writer_set_rate_limit(writer, 10);
    CHECK_EQ(ioviter_writer_put_be64(writer, 1), 0);
    CHECK_EQ(ioviter_writer_rate_exceeded(writer), 0);
    ioviter_writer_rate_account(writer, 3);
    CHECK_EQ(ioviter_writer_rate_used(writer), 11);
    CHECK_EQ(ioviter_writer_rate_exceeded(writer), 1);
    ioviter_writer_rate_reset(writer);
    CHECK_EQ(ioviter_writer_rate_limit(writer), 10);
    CHECK_EQ(ioviter_writer_rate_exceeded(writer), 0);
    CHECK_EQ(ioviter_writer_credit(writer, 100), 0);
    CHECK_EQ(ioviter_writer_tell(writer), 108);
    CHECK_EQ(ioviter_writer_credit(writer, UINT64_MAX), -EOVERFLOW);
    CHECK_EQ(ioviter_writer_close(writer), 0);
}

static void bytes_go_from_file_to_file(void)
{
    static struct memory sink;
    struct ioviter_channel_ops ops = all();
    struct ioviter_writer *writer, *other;
    struct ioviter_reader *reader = open_reader(1000);
    memset(&sink, 0, sizeof sink);
    CHECK_EQ(ioviter_writer_open(&writer, &ops, &sink, 0), 0);
    CHECK_EQ(ioviter_writer_open(&other, &ops, &sink, 0), 0);
    CHECK_EQ(ioviter_writer_put_from(writer, reader, 300), 0);
    CHECK_EQ(ioviter_writer_put_from(writer, NULL, 300), -EINVAL);
    CHECK_EQ(ioviter_writer_put_be32(other, 0), 0);
    CHECK_EQ(ioviter_writer_put_writer(writer, other), 4);
    CHECK_EQ(ioviter_writer_put_writer(writer, NULL), -EINVAL);
    CHECK_EQ(ioviter_writer_pending(other), 0);
    CHECK_EQ(ioviter_writer_flush(writer), 0);
    CHECK(memcmp(sink.bytes, memory->bytes, 300) == 0);
    CHECK_EQ(sink.len, 304);
    CHECK_EQ(ioviter_reader_copy_to(reader, &ops, &sink, 600), 0);
    CHECK(memcmp(sink.bytes + 304, memory->bytes + 300, 600) == 0);
    /* The other channel stays open, whatever happens. */
    sink.answer = -EPIPE;
    sink.answers = 1;
    CHECK_EQ(ioviter_reader_copy_to(reader, &ops, &sink, 50), -EPIPE);
    CHECK_EQ(ioviter_reader_error(reader), 0);
    CHECK_EQ(ioviter_reader_copy_to(reader, &ops, &sink, 101), -EIO);
    CHECK_EQ(sink.len, 1004);
    CHECK_EQ(sink.closed, 0);
    CHECK_EQ(sink.freed, 0);
    ioviter_reader_close(reader);
    CHECK_EQ(ioviter_writer_close(other), 0);
    CHECK_EQ(ioviter_writer_close(writer), 0);
    CHECK_EQ(sink.freed, 2);
}

static void *stop(void *control)
{
    CHECK_EQ(ioviter_control_stop((const struct ioviter_control *)control), 0);
    ioviter_control_free((struct ioviter_control *)control);
    return NULL;
}

static void *fail(void *control)
{
    CHECK_EQ(ioviter_control_set_error((const struct ioviter_control *)control, -ECANCELED), -ECANCELED);
    ioviter_control_free((struct ioviter_control *)control);
    return NULL;
}

static void other_threads_stop_a_file_and_read_its_error(void)
{
    struct ioviter_writer *writer = open_writer(0);
    struct ioviter_reader *reader;
    struct ioviter_control *control, *another;
    pthread_t thread;
    CHECK_EQ(ioviter_writer_control(&control, writer), 0);
    CHECK_EQ(ioviter_writer_control(&another, writer), 0);
    CHECK_EQ(ioviter_control_error(another), 0);
    CHECK_EQ(ioviter_control_set_error(another, 0), 0);
    ioviter_control_set_rate_limit(another, 77);
    CHECK_EQ(ioviter_writer_rate_limit(writer), 77);
    CHECK_EQ(ioviter_writer_put_be32(writer, 1), 0);
    CHECK_EQ(pthread_create(&thread, NULL, stop, control), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(memory->shut, 1);
    CHECK_EQ(ioviter_writer_put_be32(writer, 1), -EIO);
    CHECK_EQ(ioviter_writer_flush(writer), -EIO);
    CHECK_EQ(ioviter_control_error(another), -EIO);
    CHECK_EQ(ioviter_control_set_error(another, 7), -EIO);
    CHECK_EQ(ioviter_writer_close(writer), -EIO);
    /* A handle outlives its file. */
    CHECK_EQ(memory->closed, 1);
    CHECK_EQ(memory->freed, 0);
    CHECK_EQ(ioviter_control_error(another), -EIO);
    ioviter_control_free(another);
    CHECK_EQ(memory->freed, 1);

    reader = open_reader(10);
    CHECK_EQ(ioviter_reader_control(&control, reader), 0);
    CHECK_EQ(pthread_create(&thread, NULL, fail, control), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(ioviter_reader_error(reader), -ECANCELED);
    CHECK_EQ(ioviter_reader_get_byte(reader), 0);
    CHECK_EQ(ioviter_reader_shutdown(reader), 0);
    CHECK_EQ(ioviter_reader_close(reader), -ECANCELED);
    writer = open_writer(0);
    CHECK_EQ(ioviter_writer_shutdown(writer), 0);
    CHECK_EQ(memory->shut, 1);
    CHECK_EQ(ioviter_writer_error(writer), -EIO);
    CHECK_EQ(ioviter_writer_close(writer), -EIO);
}

static ssize_t readv_socket(void *opaque, const struct iovec *iov, size_t count)
{
    ssize_t len = readv(*(int *)opaque, iov, (int)count);
    return len < 0 ? -errno : len;
}

static ssize_t writev_socket(void *opaque, const struct iovec *iov, size_t count)
{
    ssize_t len = writev(*(int *)opaque, iov, (int)count);
    return len < 0 ? -errno : len;
}

static int shutdown_socket(void *opaque)
{
    return shutdown(*(int *)opaque, SHUT_RDWR) == 0 ? 0 : -errno;
}

static void *disturb(void *control)
{
    for (uint64_t i = 1; i <= 1000; i++) {
        ioviter_control_set_rate_limit((const struct ioviter_control *)control, i);
        CHECK_EQ(ioviter_control_error((const struct ioviter_control *)control), 0);
    }
    usleep(20000);
    return stop(control);
}

/* One thread waits in the file's channel, or is busy in the file, while another one stops it. */
static void a_file_is_stopped_while_it_is_in_use(void)
{
    struct ioviter_channel_ops ops;
    struct ioviter_reader *reader;
    struct ioviter_writer *writer;
    struct ioviter_control *control;
    pthread_t thread;
    int sockets[2];
    char copy[100];
    memset(&ops, 0, sizeof ops);
    ops.size = sizeof ops;
    ops.readv = readv_socket;
    ops.writev = writev_socket;
    ops.shutdown = shutdown_socket;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    CHECK_EQ(write(sockets[1], "waits", 5), 5);
    CHECK_EQ(ioviter_reader_open(&reader, &ops, &sockets[0], 0), 0);
    CHECK_EQ(ioviter_reader_control(&control, reader), 0);
    CHECK_EQ(pthread_create(&thread, NULL, disturb, control), 0);
    CHECK_EQ(ioviter_reader_get(reader, copy, sizeof copy), 5);
    pthread_join(thread, NULL);
    CHECK_EQ(ioviter_reader_error(reader), -EIO);
    CHECK_EQ(ioviter_reader_close(reader), -EIO);
    close(sockets[0]);
    close(sockets[1]);

    memset(memory, 0, sizeof *memory);
    ops = all();
    CHECK_EQ(ioviter_writer_open(&writer, &ops, memory, 0), 0);
    CHECK_EQ(ioviter_writer_control(&control, writer), 0);
    CHECK_EQ(pthread_create(&thread, NULL, disturb, control), 0);
    while (ioviter_writer_put_be64(writer, 1) == 0) {
        CHECK_EQ(ioviter_writer_discard_unsent(writer), 8);
        ioviter_writer_rate_exceeded(writer);
    }
    CHECK_EQ(ioviter_writer_error(writer), -EIO);
    pthread_join(thread, NULL);
    CHECK_EQ(ioviter_writer_rate_limit(writer), 1000);
    CHECK_EQ(ioviter_writer_close(writer), -EIO);
}

static void what_a_channel_lacks_is_refused(void)
{
    struct ioviter_channel_ops ops = all();
    struct ioviter_writer *writer = NULL;
    struct ioviter_reader *reader = NULL;
    struct ioviter_control *control;
    char copy[4];
    memset(memory, 0, sizeof *memory);
    /* The calls after `wait` are not there. */
    ops.size = offsetof(struct ioviter_channel_ops, set_blocking);
    CHECK_EQ(ioviter_writer_open(&writer, &ops, memory, 0), 0);
    CHECK_EQ(ioviter_writer_control(&control, writer), 0);
    CHECK_EQ(ioviter_writer_set_blocking(writer, 0), -ENOSYS);
    CHECK_EQ(ioviter_writer_is_seekable(writer), 0);
    CHECK_EQ(ioviter_writer_seek(writer, 0, IOVITER_SEEK_SET), -ENOSYS);
    CHECK_EQ(ioviter_writer_offset(writer), -ENOSYS);
    CHECK_EQ(ioviter_writer_put_at(writer, "x", 1, 0), -ENOSYS);
    CHECK_EQ(ioviter_writer_error(writer), 0);
    CHECK_EQ(ioviter_writer_put_be32(writer, 7), 0);
    CHECK_EQ(ioviter_writer_flush(writer), 0);
    CHECK_EQ(ioviter_control_stop(control), -ENOSYS);
    ioviter_control_free(control);
    CHECK_EQ(ioviter_writer_close(writer), -EIO);
    CHECK_EQ(memory->closed, 0);
    CHECK_EQ(memory->freed, 0);

    ops.size = sizeof(size_t) - 1;
    CHECK_EQ(ioviter_reader_open(&reader, &ops, memory, 0), -EINVAL);
    ops.size = sizeof(size_t) + 1;
    CHECK_EQ(ioviter_reader_open(&reader, &ops, memory, 0), 0);
    CHECK_EQ(ioviter_reader_seek(reader, 0, IOVITER_SEEK_CUR), -ENOSYS);
    CHECK_EQ(ioviter_reader_offset(reader), -ENOSYS);
    CHECK_EQ(ioviter_reader_get_at(reader, copy, 4, 0), -ENOSYS);
    CHECK_EQ(ioviter_reader_set_blocking(reader, 1), -ENOSYS);
    CHECK_EQ(ioviter_reader_shutdown(reader), -ENOSYS);
    ioviter_reader_close(reader);
    CHECK_EQ(ioviter_reader_open(&reader, &ops, memory, 0), 0);
    CHECK_EQ(ioviter_reader_get(reader, copy, 4), -ENOSYS);
    CHECK_EQ(ioviter_reader_close(reader), -ENOSYS);
    ops.size = sizeof ops + 100 * sizeof(void *);
    {
        struct {
            struct ioviter_channel_ops ops;
            void *later[100];
        } longer;
        memset(&longer, 0xff, sizeof longer);
        longer.ops = ops;
        CHECK_EQ(ioviter_reader_open(&reader, &longer.ops, memory, 0), 0);
        CHECK_EQ(ioviter_reader_close(reader), 0);
        CHECK_EQ(memory->closed, 1);
    }
    CHECK_EQ(ioviter_writer_open(&writer, &ops, memory, 2), -EINVAL);
    CHECK_EQ(ioviter_reader_open(&reader, &ops, memory, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_open(&writer, NULL, memory, 0), -EFAULT);
    CHECK_EQ(ioviter_writer_open(NULL, &ops, memory, 0), -EFAULT);
}

static void nothing_is_no_handle(void)
{
    const void *bytes;
    char copy[256];
    struct ioviter_control *control;
    struct ioviter_channel_ops ops = all();
    struct iovec iov = {copy, 1};
    CHECK_EQ(ioviter_writer_close(NULL), 0);
    CHECK_EQ(ioviter_reader_close(NULL), 0);
    ioviter_control_free(NULL);
    ioviter_control_set_rate_limit(NULL, 1);
    CHECK_EQ(ioviter_control_stop(NULL), -EINVAL);
    CHECK_EQ(ioviter_control_error(NULL), -EINVAL);
    CHECK_EQ(ioviter_control_set_error(NULL, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_control(&control, NULL), -EINVAL);
    CHECK_EQ(ioviter_reader_control(&control, NULL), -EINVAL);
    CHECK_EQ(ioviter_writer_flush(NULL), -EINVAL);
    CHECK_EQ(ioviter_writer_error(NULL), -EINVAL);
    CHECK_EQ(ioviter_writer_set_error(NULL, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_shutdown(NULL), -EINVAL);
    CHECK_EQ(ioviter_writer_put_be64(NULL, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_put(NULL, copy, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_put_async(NULL, copy, 1, 0), -EINVAL);
    CHECK_EQ(ioviter_writer_put_iov(NULL, &iov, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_seek(NULL, 0, 0), -EINVAL);
    CHECK_EQ(ioviter_writer_unsent(NULL, &iov, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_tell(NULL), 0);
    CHECK_EQ(ioviter_writer_entries(NULL), 0);
    CHECK_EQ(ioviter_writer_discard_unsent(NULL), 0);
    ioviter_writer_set_rate_limit(NULL, 1);
    ioviter_writer_rate_reset(NULL);
    CHECK_EQ(ioviter_reader_error(NULL), -EINVAL);
    CHECK_EQ(ioviter_reader_get_be64(NULL), 0);
    CHECK_EQ(ioviter_reader_get(NULL, copy, 1), -EINVAL);
    CHECK_EQ(ioviter_reader_peek(NULL, &bytes, 1, 0), -EINVAL);
    CHECK_EQ(ioviter_reader_peek_byte(NULL, 0), -EINVAL);
    CHECK_EQ(ioviter_reader_at_end(NULL), -EINVAL);
    CHECK_EQ(ioviter_reader_copy_to(NULL, &ops, NULL, 1), -EINVAL);
    CHECK_EQ(ioviter_reader_get_counted_string(NULL, copy), -EINVAL);
    CHECK_EQ(ioviter_reader_position(NULL), 0);
    CHECK_EQ(ioviter_reader_buffered(NULL), 0);
}

/* A length without an address, one that no memory has, and one that wraps around the address space. */
static void impossible_memory_is_refused(void)
{
    struct ioviter_writer *writer = open_writer(0);
    struct ioviter_reader *reader;
    char byte;
    struct iovec half[2] = {{&byte, SIZE_MAX / 2}, {&byte, 1}};
    const struct {
        struct iovec iov;
        int error;
    } cases[] = {
        {{NULL, 1}, -EFAULT},
        {{&byte, SIZE_MAX}, -EINVAL},
        {{(void *)(UINTPTR_MAX - 9), 20}, -EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct iovec *iov = &cases[i].iov;
        const char *string = (const char *)iov->iov_base;
        int error = cases[i].error;
        CHECK_EQ(ioviter_writer_put(writer, iov->iov_base, iov->iov_len), error);
        CHECK_EQ(ioviter_writer_put_async(writer, iov->iov_base, iov->iov_len, 0), error);
        CHECK_EQ(ioviter_writer_put_async(writer, iov->iov_base, iov->iov_len, 1), error);
        CHECK_EQ(ioviter_writer_put_at(writer, iov->iov_base, iov->iov_len, 0), error);
        CHECK_EQ(ioviter_writer_put_counted_string(writer, string, iov->iov_len), error);
        CHECK_EQ(ioviter_writer_put_iov(writer, iov, 1), error);
        CHECK_EQ(ioviter_writer_put_iov_at(writer, iov, 1, 0), error);
    }
    CHECK_EQ(ioviter_writer_put_iov(writer, NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_writer_put_iov_at(writer, NULL, 1, 0), -EFAULT);
    CHECK_EQ(ioviter_writer_put_iov(writer, half, 2), -EINVAL);
    CHECK_EQ(ioviter_writer_put_iov(writer, half, SIZE_MAX / 8), -EINVAL);
    CHECK_EQ(ioviter_writer_unsent(writer, NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_writer_error(writer), 0);
    CHECK_EQ(ioviter_writer_tell(writer), 0);
    CHECK_EQ(ioviter_writer_close(writer), 0);
    CHECK_EQ(memory->calls, 0);

    reader = open_reader(4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct iovec *iov = &cases[i].iov;
        int error = cases[i].error;
        CHECK_EQ(ioviter_reader_get(reader, iov->iov_base, iov->iov_len), error);
        CHECK_EQ(ioviter_reader_get_or_end(reader, iov->iov_base, iov->iov_len), error);
        CHECK_EQ(ioviter_reader_get_in_place(reader, NULL, iov->iov_base, iov->iov_len), error);
        CHECK_EQ(ioviter_reader_get_at(reader, iov->iov_base, iov->iov_len, 0), error);
        CHECK_EQ(ioviter_reader_get_iov(reader, iov, 1), error);
        CHECK_EQ(ioviter_reader_get_iov_or_end(reader, iov, 1), error);
        CHECK_EQ(ioviter_reader_get_iov_at(reader, iov, 1, 0), error);
    }
    CHECK_EQ(ioviter_reader_get_iov(reader, NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_reader_get_iov(reader, half, 2), -EINVAL);
    CHECK_EQ(ioviter_reader_get_counted_string(reader, NULL), -EFAULT);
    CHECK_EQ(ioviter_reader_error(reader), 0);
    CHECK_EQ(ioviter_reader_position(reader), 0);
    CHECK_EQ(ioviter_reader_close(reader), 0);
}

static void no_bytes_at_null_are_nothing(void)
{
    struct ioviter_writer *writer = open_writer(0);
    struct ioviter_reader *reader;
    struct iovec none = {NULL, 0};
    const void *bytes;
    CHECK_EQ(ioviter_writer_put(writer, NULL, 0), 0);
    CHECK_EQ(ioviter_writer_put_async(writer, NULL, 0, 1), 0);
    CHECK_EQ(ioviter_writer_put_at(writer, NULL, 0, 5), 0);
    CHECK_EQ(ioviter_writer_put_iov(writer, NULL, 0), 0);
    CHECK_EQ(ioviter_writer_put_iov(writer, &none, 1), 0);
    CHECK_EQ(ioviter_writer_put_iov_at(writer, NULL, 0, 5), 0);
    CHECK_EQ(ioviter_writer_unsent(writer, NULL, 0), 0);
    CHECK_EQ(ioviter_writer_tell(writer), 0);
    CHECK_EQ(ioviter_writer_put_counted_string(writer, NULL, 0), 0);
    CHECK_EQ(ioviter_writer_tell(writer), 1);
    CHECK_EQ(ioviter_writer_close(writer), 0);
    CHECK_EQ(memory->len, 1);
    reader = open_reader(4);
    CHECK_EQ(ioviter_reader_get(reader, NULL, 0), 0);
    CHECK_EQ(ioviter_reader_get_iov(reader, NULL, 0), 0);
    CHECK_EQ(ioviter_reader_get_iov(reader, &none, 1), 0);
    CHECK_EQ(ioviter_reader_get_at(reader, NULL, 0, 5), 0);
    CHECK_EQ(ioviter_reader_get_iov_at(reader, NULL, 0, 5), 0);
    CHECK_EQ(ioviter_reader_get_in_place(reader, &bytes, NULL, 0), 0);
    CHECK_EQ(ioviter_reader_position(reader), 0);
    CHECK_EQ(ioviter_reader_get_byte(reader), 0);
    CHECK_EQ(ioviter_reader_get_byte(reader), 1);
    CHECK_EQ(ioviter_reader_close(reader), 0);
}

/* The handle of a file that has failed stays good: each call says so, and none calls the channel. */
static void a_failed_file_refuses_everything(void)
{
    struct ioviter_writer *writer = open_writer(0), *other = NULL;
    struct ioviter_reader *reader;
    struct ioviter_channel_ops ops = all();
    const void *bytes;
    char byte = 1;
    struct iovec iov = {&byte, 1};
    memory->answer = -ENOSPC;
    memory->answers = 1;
    CHECK_EQ(ioviter_writer_put_byte(writer, 1), 0);
    CHECK_EQ(ioviter_writer_flush(writer), -ENOSPC);
    CHECK_EQ(memory->calls, 1);
    CHECK_EQ(ioviter_writer_put_byte(writer, 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_be16(writer, 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_le64(writer, 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put(writer, &byte, 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put(writer, NULL, 0), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_iov(writer, &iov, 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_counted_string(writer, "x", 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_async(writer, &byte, 1, 0), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_async(writer, &byte, 1, 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_at(writer, &byte, 1, 0), -ENOSPC);
    CHECK_EQ(ioviter_writer_seek(writer, 0, IOVITER_SEEK_SET), -ENOSPC);
    CHECK_EQ(ioviter_writer_offset(writer), -ENOSPC);
    CHECK_EQ(ioviter_writer_flush_and_tell(writer), -ENOSPC);
    CHECK_EQ(ioviter_writer_flush(writer), -ENOSPC);
    CHECK_EQ(ioviter_writer_tell(writer), 1);
    CHECK_EQ(ioviter_writer_pending(writer), 1);
    CHECK_EQ(ioviter_writer_error(writer), -ENOSPC);
    CHECK_EQ(memory->calls, 1);
    CHECK_EQ(ioviter_writer_close(writer), -ENOSPC);
    CHECK_EQ(memory->calls, 1);
    CHECK_EQ(memory->closed, 1);

    reader = open_reader(100);
    memory->answer = -EPIPE;
    memory->answers = 1;
    CHECK_EQ(ioviter_reader_get_be32(reader), 0);
    CHECK_EQ(ioviter_reader_error(reader), -EPIPE);
    CHECK_EQ(memory->calls, 1);
    CHECK_EQ(ioviter_reader_get_byte(reader), 0);
    CHECK_EQ(ioviter_reader_get(reader, &byte, 1), -EPIPE);
    CHECK_EQ(ioviter_reader_get_iov(reader, &iov, 1), -EPIPE);
    CHECK_EQ(ioviter_reader_get_or_end(reader, &byte, 1), -EPIPE);
    CHECK_EQ(ioviter_reader_get_in_place(reader, &bytes, &byte, 1), -EPIPE);
    CHECK_EQ(ioviter_reader_get_at(reader, &byte, 1, 0), -EPIPE);
    CHECK_EQ(ioviter_reader_peek(reader, &bytes, 1, 0), -EPIPE);
    CHECK_EQ(ioviter_reader_peek_byte(reader, 0), -EPIPE);
    CHECK_EQ(ioviter_reader_at_end(reader), -EPIPE);
    CHECK_EQ(ioviter_reader_skip(reader, 1), -EPIPE);
    CHECK_EQ(ioviter_reader_seek(reader, 0, IOVITER_SEEK_SET), -EPIPE);
    CHECK_EQ(ioviter_reader_offset(reader), -EPIPE);
    CHECK_EQ(ioviter_reader_copy_to(reader, &ops, memory, 1), -EPIPE);
    CHECK_EQ(memory->calls, 1);
    CHECK_EQ(ioviter_writer_open(&other, &ops, memory, 0), 0);
    CHECK_EQ(ioviter_writer_put_from(other, reader, 1), -EPIPE);
    CHECK_EQ(ioviter_writer_error(other), 0);
    CHECK_EQ(ioviter_writer_close(other), 0);
    CHECK_EQ(ioviter_reader_close(reader), -EPIPE);
}

/* What differs from 0, 1 and 2 says nowhere from where to move. */
static void an_unknown_whence_moves_nothing(void)
{
    static const int unknown[] = {3, -1, INT32_MAX, INT32_MIN, 256};
    struct ioviter_writer *writer = open_writer(0);
    struct ioviter_reader *reader;
    CHECK_EQ(ioviter_writer_put_byte(writer, 1), 0);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_EQ(ioviter_writer_seek(writer, 0, unknown[i]), -EINVAL);
    }
    CHECK_EQ(ioviter_writer_seek(writer, -1, IOVITER_SEEK_SET), -EINVAL);
    CHECK_EQ(ioviter_writer_error(writer), 0);
    CHECK_EQ(memory->calls, 0);
    CHECK_EQ(ioviter_writer_close(writer), 0);
    reader = open_reader(10);
    CHECK_EQ(ioviter_reader_get_be16(reader), 1);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_EQ(ioviter_reader_seek(reader, 0, unknown[i]), -EINVAL);
    }
    CHECK_EQ(ioviter_reader_error(reader), 0);
    CHECK_EQ(ioviter_reader_get_be16(reader), 0x0203);
    CHECK_EQ(ioviter_reader_close(reader), 0);
}

int main(void)
{
    memory = (struct memory *)malloc(sizeof *memory);
    CHECK(memory != NULL);
    integers_and_strings_are_read_as_they_were_written();
    bytes_of_every_size_arrive();
    bytes_are_queued_where_they_lie_and_released_by_address();
    a_channel_that_blocks_is_waited_for_or_not();
    looking_ahead_consumes_nothing();
    positions_of_the_channel();
    any_integer_is_an_error_and_the_first_one_stays();
    a_stream_may_be_too_fast();
    bytes_go_from_file_to_file();
    other_threads_stop_a_file_and_read_its_error();
    a_file_is_stopped_while_it_is_in_use();
    what_a_channel_lacks_is_refused();
    nothing_is_no_handle();
    impossible_memory_is_refused();
    no_bytes_at_null_are_nothing();
    a_failed_file_refuses_everything();
    an_unknown_whence_moves_nothing();
    free(memory);
    return 0;
}
