/* Buffers that grow, and compressed blocks. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "iov_iter.h"

#define MIB ((size_t)1 << 20)

static void a_buffer_grows_and_is_cut(void)
{
    struct ioviter_buffer *buffer, *clone;
    struct iovec parts[3];
    char *block = (char *)malloc(MIB), copy[16];
    CHECK(block != NULL);
    memset(block, 'b', MIB);
    CHECK_EQ(ioviter_buffer_new(&buffer, 3 * MIB), 0);
    CHECK_EQ(ioviter_buffer_len(buffer), 0);
    CHECK_EQ(ioviter_buffer_append(buffer, "head", 4), 0);
    CHECK_EQ(ioviter_buffer_write_at(buffer, 6, "tail", 4), 0);
    memset(copy, 0x55, sizeof copy);
    CHECK_EQ(ioviter_buffer_read_at(buffer, 0, copy, sizeof copy), 10);
    CHECK(memcmp(copy, "head\0\0tail\x55", 11) == 0);
    CHECK_EQ(ioviter_buffer_read_at(buffer, 8, copy, 1), 1);
    CHECK_EQ(copy[0], 'i');
    CHECK_EQ(ioviter_buffer_read_at(buffer, 11, copy, 1), 0);
    CHECK_EQ(ioviter_buffer_append(buffer, NULL, 0), 0);

    CHECK_EQ(ioviter_buffer_append(buffer, block, MIB), 0);
    CHECK_EQ(ioviter_buffer_describe(buffer, 0, parts, 3), 2);
    CHECK_EQ(parts[0].iov_len, MIB);
    CHECK_EQ(parts[1].iov_len, 10);
    CHECK_EQ(ioviter_vec_to_buf(parts, 2, MIB + 8, copy, 9), 2);
    CHECK(memcmp(copy, "bb", 2) == 0);
    CHECK_EQ(ioviter_buffer_describe(buffer, MIB + 3, parts, 3), 1);
    CHECK_EQ(parts[0].iov_len, 7);
    CHECK_EQ(ioviter_buffer_describe(buffer, 0, NULL, 0), 2);
    CHECK_EQ(ioviter_buffer_describe(buffer, 0, NULL, 1), -EFAULT);

    CHECK_EQ(ioviter_buffer_clone(&clone, buffer), 0);
    CHECK_EQ(ioviter_buffer_set_len(buffer, 2), 0);
    CHECK_EQ(ioviter_buffer_set_len(buffer, 6), 0);
    CHECK_EQ(ioviter_buffer_read_at(buffer, 0, copy, sizeof copy), 6);
    CHECK(memcmp(copy, "he\0\0\0\0", 6) == 0);
    CHECK(ioviter_buffer_capacity(buffer) >= MIB);
    ioviter_buffer_shrink(buffer);
    CHECK(ioviter_buffer_capacity(buffer) < MIB);
    CHECK_EQ(ioviter_buffer_reserve(buffer, 5000), 0);
    CHECK(ioviter_buffer_capacity(buffer) >= 5000);
    CHECK_EQ(ioviter_buffer_len(buffer), 6);
    CHECK_EQ(ioviter_buffer_len(clone), MIB + 10);

    CHECK_EQ(ioviter_buffer_append(clone, block, MIB), 0);
    CHECK_EQ(ioviter_buffer_append(clone, block, MIB), -EFBIG);
    CHECK_EQ(ioviter_buffer_write_at(clone, SIZE_MAX, block, 2), -EFBIG);
    CHECK_EQ(ioviter_buffer_set_len(clone, 3 * MIB + 1), -EFBIG);
    CHECK_EQ(ioviter_buffer_reserve(clone, SIZE_MAX), -EFBIG);
    CHECK_EQ(ioviter_buffer_len(clone), 2 * MIB + 10);
    CHECK_EQ(ioviter_buffer_write_at(clone, 0, NULL, 2), -EFAULT);
    CHECK_EQ(ioviter_buffer_read_at(clone, 0, NULL, 2), -EFAULT);
    CHECK_EQ(ioviter_buffer_write_at(clone, 0, (void *)(UINTPTR_MAX - 9), 20), -EINVAL);
    CHECK_EQ(ioviter_buffer_append(clone, (void *)(UINTPTR_MAX - 9), 20), -EINVAL);
    CHECK_EQ(ioviter_buffer_read_at(clone, 0, (void *)(UINTPTR_MAX - 9), 20), -EINVAL);
    CHECK_EQ(ioviter_buffer_read_at(clone, 0, NULL, 0), 0);
    CHECK_EQ(ioviter_buffer_write_at(clone, 0, NULL, 0), 0);
    CHECK_EQ(ioviter_buffer_len(clone), 2 * MIB + 10);
    ioviter_buffer_free(buffer);
    ioviter_buffer_free(clone);

    /* No machine has as much. */
    CHECK_EQ(ioviter_buffer_new(&buffer, SIZE_MAX), 0);
    CHECK_EQ(ioviter_buffer_write_at(buffer, SIZE_MAX / 4, "x", 1), -ENOMEM);
    CHECK_EQ(ioviter_buffer_len(buffer), 0);
    ioviter_buffer_free(buffer);

    ioviter_buffer_free(NULL);
    ioviter_buffer_shrink(NULL);
    CHECK_EQ(ioviter_buffer_new(NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_buffer_clone(&clone, NULL), -EINVAL);
    CHECK_EQ(ioviter_buffer_len(NULL), 0);
    CHECK_EQ(ioviter_buffer_capacity(NULL), 0);
    CHECK_EQ(ioviter_buffer_read_at(NULL, 0, copy, 1), -EINVAL);
    CHECK_EQ(ioviter_buffer_write_at(NULL, 0, copy, 1), -EINVAL);
    CHECK_EQ(ioviter_buffer_append(NULL, copy, 1), -EINVAL);
    CHECK_EQ(ioviter_buffer_set_len(NULL, 0), -EINVAL);
    CHECK_EQ(ioviter_buffer_reserve(NULL, 0), -EINVAL);
    CHECK_EQ(ioviter_buffer_describe(NULL, 0, parts, 3), -EINVAL);
    free(block);
}

static size_t sent, taken;

static ssize_t keep(void *opaque, const struct iovec *iov, size_t count)
{
    struct ioviter_buffer *buffer = (struct ioviter_buffer *)opaque;
    size_t before = sent;
    for (size_t i = 0; i < count; sent += iov[i++].iov_len) {
        CHECK_EQ(ioviter_buffer_append(buffer, iov[i].iov_base, iov[i].iov_len), 0);
    }
    return (ssize_t)(sent - before);
}

static ssize_t give(void *opaque, const struct iovec *iov, size_t count)
{
    ssize_t len = ioviter_buffer_read_at((struct ioviter_buffer *)opaque, taken, iov[0].iov_base, iov[0].iov_len);
    (void)count;
    taken += (size_t)len;
    return len;
}

static void blocks_are_compressed_and_come_back(void)
{
    static char text[20000], noise[20000], big[40000], back[40000];
    struct ioviter_channel_ops ops;
    struct ioviter_buffer *buffer;
    struct ioviter_writer *writer;
    struct ioviter_reader *reader;
    struct ioviter_deflater *deflater;
    struct ioviter_inflater *inflater;
    ssize_t first, second;
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof text; i++) {
        seed = seed * 1664525 + 1013904223;
        noise[i] = (char)(seed >> 24);
        text[i] = (char)(i % 10);
    }
    memset(&ops, 0, sizeof ops);
    ops.size = sizeof ops;
    ops.writev = keep;
    ops.readv = give;
    CHECK_EQ(ioviter_buffer_new(&buffer, SIZE_MAX), 0);
    CHECK_EQ(ioviter_writer_open(&writer, &ops, buffer, 0), 0);
    CHECK_EQ(ioviter_deflater_new(&deflater, 10), -EINVAL);
    CHECK_EQ(ioviter_deflater_new(&deflater, 256 + 6), -EINVAL);
    CHECK_EQ(ioviter_deflater_new(NULL, 6), -EFAULT);
    CHECK_EQ(ioviter_deflater_new(&deflater, 6), 0);
    first = ioviter_writer_put_compressed(writer, deflater, text, sizeof text, 0);
    CHECK(first > 4 && first < 1000);
    second = ioviter_writer_put_compressed(writer, deflater, noise, sizeof noise, 0);
    CHECK(second > (ssize_t)sizeof noise);
    CHECK_EQ(sent, 0);
    /* Not without a flush. */
    CHECK_EQ(ioviter_writer_put_compressed(writer, deflater, noise, sizeof noise, 0), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_compressed(writer, deflater, noise, sizeof noise, 1), second);
    CHECK_EQ(sent, first + second);
    CHECK_EQ(ioviter_writer_put_compressed(writer, deflater, big, sizeof big, 1), -ENOSPC);
    CHECK_EQ(ioviter_writer_put_compressed(writer, deflater, NULL, 1, 1), -EFAULT);
    CHECK_EQ(ioviter_writer_put_compressed(writer, NULL, text, 1, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_put_compressed(NULL, deflater, text, 1, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_put_be32(writer, 3), 0);
    CHECK_EQ(ioviter_writer_put(writer, "bad", 3), 0);
    CHECK_EQ(ioviter_writer_close(writer), 0);

    CHECK_EQ(ioviter_reader_open(&reader, &ops, buffer, 0), 0);
    CHECK_EQ(ioviter_inflater_new(NULL), -EFAULT);
    CHECK_EQ(ioviter_inflater_new(&inflater), 0);
    CHECK_EQ(ioviter_reader_get_compressed(reader, inflater, back, sizeof text - 1), -EIO);
    CHECK_EQ(ioviter_reader_get_compressed(reader, inflater, back, sizeof back), sizeof text);
    CHECK(memcmp(back, text, sizeof text) == 0);
    CHECK_EQ(ioviter_reader_position(reader), first);
    CHECK_EQ(ioviter_reader_get_compressed(reader, inflater, back, sizeof noise), sizeof noise);
    CHECK(memcmp(back, noise, sizeof noise) == 0);
    CHECK_EQ(ioviter_reader_get_compressed(reader, inflater, back, sizeof back), sizeof noise);
    CHECK_EQ(ioviter_reader_get_compressed(reader, inflater, back, sizeof back), -EIO);
    CHECK_EQ(ioviter_reader_error(reader), 0);
    CHECK_EQ(ioviter_reader_get_compressed(reader, inflater, NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_reader_get_compressed(reader, NULL, back, 1), -EINVAL);
    CHECK_EQ(ioviter_reader_get_compressed(NULL, inflater, back, 1), -EINVAL);
    CHECK_EQ(ioviter_reader_get_be32(reader), 3);
    CHECK_EQ(ioviter_reader_close(reader), 0);
    ioviter_deflater_free(deflater);
    ioviter_inflater_free(inflater);
    ioviter_deflater_free(NULL);
    ioviter_inflater_free(NULL);
    ioviter_buffer_free(buffer);
}

int main(void)
{
    a_buffer_grows_and_is_cut();
    blocks_are_compressed_and_come_back();
    return 0;
}
