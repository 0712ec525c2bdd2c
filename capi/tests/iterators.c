/* Iterators of each kind, and files that move through them. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "check.h"
#include "iov_iter.h"

#define SIZE ((size_t)3000)
#define HOLE ((size_t)2000)
#define HOLE_END ((size_t)2100)

/* Another address space: address 1000 is the first byte of this. A page of it is out of reach. */
static char guest[SIZE];
static int checks;

static int access_ok(void *opaque, uintptr_t address, size_t len)
{
    CHECK(opaque == guest);
    checks++;
    return address >= 1000 && address + len <= 1000 + SIZE;
}

static size_t reach(uintptr_t address, size_t len)
{
    size_t at = address - 1000;
    CHECK(address >= 1000 && address + len <= 1000 + SIZE);
    if (at >= HOLE_END || at + len <= HOLE) {
        return len;
    }
    return at >= HOLE ? 0 : HOLE - at;
}

static size_t read_guest(void *opaque, uintptr_t address, void *dst, size_t len)
{
    CHECK(opaque == guest);
    memcpy(dst, guest + (address - 1000), reach(address, len));
    return reach(address, len);
}

static size_t write_guest(void *opaque, uintptr_t address, const void *src, size_t len)
{
    CHECK(opaque == guest);
    memcpy(guest + (address - 1000), src, reach(address, len));
    return reach(address, len);
}

static size_t zero_guest(void *opaque, uintptr_t address, size_t len)
{
    CHECK(opaque == guest);
    memset(guest + (address - 1000), 0, reach(address, len));
    return reach(address, len);
}

static size_t fault_in(void *opaque, uintptr_t address, size_t len)
{
    CHECK(opaque == guest);
    return reach(address, len);
}

static const struct ioviter_user_ops all = {sizeof all, access_ok, read_guest, write_guest,
                                            zero_guest, fault_in, fault_in};

static void *user(size_t at)
{
    return (void *)(uintptr_t)(1000 + at);
}

static void an_iterator_moves_by_what_was_copied(void)
{
    char head[3], body[10], buf[20];
    struct iovec iov[3] = {{head, 3}, {NULL, 0}, {body, 10}}, segment;
    struct ioviter iter = IOVITER_INIT, saved, other;
    for (int kind = 0; kind < 2; kind++) {
        int (*init)(struct ioviter *, int, const struct iovec *, size_t) =
            kind == 0 ? ioviter_init_own : ioviter_init_shared;
        CHECK_EQ(init(&iter, IOVITER_DEST, iov, 3), 0);
        CHECK_EQ(ioviter_direction(&iter), IOVITER_DEST);
        CHECK_EQ(ioviter_remaining(&iter), 13);
        CHECK_EQ(ioviter_segment_count(&iter), 2);
        CHECK_EQ(ioviter_copy_to(&iter, "scattered", 9), 9);
        CHECK(memcmp(head, "sca", 3) == 0 && memcmp(body, "ttered", 6) == 0);
        saved = iter;
        CHECK_EQ(ioviter_zero(&iter, 100), 4);
        CHECK_EQ(body[9], 0);
        CHECK_EQ(ioviter_copy_to(&iter, "x", 1), 0);
        CHECK_EQ(ioviter_segment(&iter, &segment), 0);
        CHECK_EQ(ioviter_restore(&iter, &saved), 0);
        CHECK_EQ(ioviter_remaining(&iter), 4);
        CHECK_EQ(ioviter_segment(&iter, &segment), 1);
        CHECK(segment.iov_base == body + 6 && segment.iov_len == 4);
        CHECK_EQ(ioviter_revert(&iter, 10), -EINVAL);
        CHECK_EQ(ioviter_revert(&iter, 9), 0);
        CHECK_EQ(ioviter_truncate(&iter, 5), 0);
        CHECK_EQ(ioviter_remaining(&iter), 5);
        CHECK_EQ(ioviter_reexpand(&iter, 14), -EINVAL);
        CHECK_EQ(ioviter_reexpand(&iter, 13), 0);
        CHECK_EQ(ioviter_advance(&iter, 2), 2);
        CHECK_EQ(ioviter_advance(&iter, 100), 11);
        CHECK_EQ(ioviter_copy_from(&iter, buf, 1), -EINVAL);
        CHECK_EQ(ioviter_fault_in(&iter, 1), 0);

        CHECK_EQ(init(&other, IOVITER_SOURCE, iov, 3), 0);
        CHECK_EQ(ioviter_direction(&other), IOVITER_SOURCE);
        CHECK_EQ(ioviter_copy_from(&other, buf, 20), 13);
        CHECK(memcmp(buf, "scattered", 10) == 0);
        CHECK_EQ(ioviter_copy_to(&other, buf, 1), -EINVAL);
        CHECK_EQ(ioviter_zero(&other, 1), -EINVAL);
        CHECK_EQ(ioviter_restore(&other, &saved), -EINVAL);
        CHECK_EQ(ioviter_copy_from(&other, NULL, 1), -EFAULT);
        CHECK_EQ(ioviter_copy_from(&other, NULL, 0), 0);
        CHECK_EQ(ioviter_copy_from(&other, buf, SIZE_MAX), -EINVAL);
        CHECK_EQ(init(&other, 2, iov, 3), -EINVAL);
        CHECK_EQ(init(NULL, IOVITER_SOURCE, iov, 3), -EFAULT);
        CHECK_EQ(init(&other, IOVITER_SOURCE, NULL, 3), -EFAULT);
        CHECK_EQ(init(&other, IOVITER_SOURCE, NULL, 0), 0);
        CHECK_EQ(ioviter_remaining(&other), 0);
        /* Of another array. */
        CHECK_EQ(init(&other, IOVITER_DEST, iov, 1), 0);
        CHECK_EQ(ioviter_restore(&other, &saved), -EINVAL);
        CHECK_EQ(ioviter_remaining(&other), 3);
    }
}

static void user_memory_faults_at_any_byte(void)
{
    char buf[300];
    struct iovec iov[2] = {{user(1900), 50}, {user(1960), 300}}, segment;
    struct ioviter iter, to;
    for (size_t i = 0; i < SIZE; i++) {
        guest[i] = (char)(i % 251);
    }
    CHECK_EQ(ioviter_init_user(&iter, IOVITER_SOURCE, &all, guest, iov, 2), 0);
    CHECK_EQ(ioviter_segment(&iter, &segment), 1);
    CHECK(segment.iov_base == user(1900) && segment.iov_len == 50);
    CHECK_EQ(ioviter_fault_in(&iter, 350), 260);
    CHECK_EQ(ioviter_copy_from(&iter, buf, 300), 90);
    CHECK(memcmp(buf, guest + 1900, 50) == 0 && memcmp(buf + 50, guest + 1960, 40) == 0);
    CHECK_EQ(ioviter_remaining(&iter), 260);
    CHECK_EQ(ioviter_copy_from(&iter, buf, 1), 0);
    CHECK_EQ(ioviter_advance(&iter, 100), 100);
    CHECK_EQ(ioviter_copy_from(&iter, buf, 300), 160);
    CHECK(memcmp(buf, guest + 2100, 160) == 0);

    CHECK_EQ(ioviter_init_user(&iter, IOVITER_DEST, &all, guest, iov, 2), 0);
    memset(buf, 9, sizeof buf);
    CHECK_EQ(ioviter_fault_in(&iter, 90), 0);
    CHECK_EQ(ioviter_copy_to(&iter, buf, 60), 60);
    CHECK(guest[1949] == 9 && guest[1969] == 9 && guest[1970] != 9);
    CHECK_EQ(ioviter_zero(&iter, 100), 30);
    CHECK(guest[1999] == 0 && guest[2000] != 0);
    {
        /* Without the optional operations, and without those after `read`. */
        struct ioviter_user_ops few = {sizeof few, NULL, read_guest, write_guest, NULL, NULL, NULL};
        CHECK_EQ(ioviter_init_user(&iter, IOVITER_DEST, &few, guest, iov, 2), 0);
        CHECK_EQ(ioviter_zero(&iter, 50), 50);
        CHECK(guest[1949] == 0 && guest[1950] != 0);
        CHECK_EQ(ioviter_fault_in(&iter, 10), 0);
        few.size = offsetof(struct ioviter_user_ops, write);
        CHECK_EQ(ioviter_copy_to(&iter, buf, 10), 0);
    }
    iov[0].iov_base = user(SIZE);
    CHECK_EQ(ioviter_init_user(&iter, IOVITER_SOURCE, &all, guest, iov, 1), 0);
    CHECK_EQ(ioviter_copy_from(&iter, buf, 10), 0);
    iov[0].iov_len = SIZE_MAX;
    CHECK_EQ(ioviter_init_user(&iter, IOVITER_SOURCE, &all, guest, iov, 2), -EINVAL);
    CHECK_EQ(ioviter_init_user(&iter, IOVITER_SOURCE, NULL, guest, iov, 1), -EFAULT);

    /* From one to the other, of each kind. */
    iov[0].iov_base = user(1990);
    iov[0].iov_len = 20;
    iov[1].iov_base = buf;
    iov[1].iov_len = 300;
    CHECK_EQ(ioviter_init_user(&iter, IOVITER_SOURCE, &all, guest, iov, 1), 0);
    CHECK_EQ(ioviter_init_shared(&to, IOVITER_DEST, iov + 1, 1), 0);
    CHECK_EQ(ioviter_copy(&to, &iter, 100), 10);
    CHECK_EQ(ioviter_remaining(&iter), 10);
    CHECK_EQ(ioviter_remaining(&to), 290);
    CHECK_EQ(ioviter_copy(&iter, &to, 100), -EINVAL);
}

static void an_array_of_user_space_is_checked_once(void)
{
    struct iovec array[3] = {{user(0), 10}, {NULL, 0}, {user(100), 20}}, storage[3], kept[3];
    struct ioviter iter;
    char buf[30];
    array[1].iov_base = user(0);
    memset(guest, 7, sizeof guest);
    memcpy(guest + 500, array, sizeof array);
    checks = 0;
    CHECK_EQ(ioviter_import(&iter, IOVITER_SOURCE, &all, guest, 1500, 3, storage, 3), 0);
    CHECK_EQ(checks, 4);
    memcpy(kept, storage, sizeof kept);
    CHECK(memcmp(kept, array, sizeof array) == 0);
    /* What happens to the array afterwards does not matter. */
    memset(guest + 500, 0xff, sizeof array);
    CHECK_EQ(ioviter_remaining(&iter), 30);
    CHECK_EQ(ioviter_copy_from(&iter, buf, 30), 30);
    memcpy(guest + 500, array, sizeof array);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 1500, 1, storage, 1), 0);
    CHECK_EQ(ioviter_remaining(&iter), 10);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 1500, 0, NULL, 0), 0);
    CHECK_EQ(ioviter_remaining(&iter), 0);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 1500, 3, storage, 2), -EINVAL);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 1500, 3, NULL, 3), -EFAULT);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 1000 + HOLE, 3, storage, 3), -EFAULT);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 10, 3, storage, 3), -EFAULT);
    array[2].iov_len = SIZE_MAX;
    memcpy(guest + 500, array, sizeof array);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 1500, 3, storage, 3), -EINVAL);
    array[2].iov_base = user(SIZE - 5);
    array[2].iov_len = 6;
    memcpy(guest + 500, array, sizeof array);
    CHECK_EQ(ioviter_import(&iter, IOVITER_DEST, &all, guest, 1500, 3, storage, 3), -EFAULT);
}

static uint16_t plain_sum(const unsigned char *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static uint16_t in_network_order(uint16_t sum)
{
    unsigned char bytes[2];
    memcpy(bytes, &sum, 2);
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void sums_are_those_of_the_internet(void)
{
    static unsigned char bytes[SIZE], buf[SIZE];
    struct iovec iov[3] = {{bytes, 333}, {bytes + 333, 1000}, {bytes + 1333, SIZE - 1333}};
    struct iovec into[2] = {{buf, 77}, {buf + 77, SIZE - 77}};
    struct ioviter iter;
    struct ioviter_checksum sum = IOVITER_INIT, other = IOVITER_INIT;
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    }
    CHECK_EQ(ioviter_init_shared(&iter, IOVITER_SOURCE, iov, 3), 0);
    CHECK_EQ(ioviter_copy_from_checksum(&iter, buf, 601, &sum), 601);
    CHECK_EQ(in_network_order(ioviter_checksum_folded(&sum)), plain_sum(bytes, 601));
    CHECK_EQ(ioviter_copy_from_checksum(&iter, buf + 601, SIZE, &sum), SIZE - 601);
    CHECK(memcmp(buf, bytes, SIZE) == 0);
    CHECK_EQ(in_network_order(ioviter_checksum_folded(&sum)), plain_sum(bytes, SIZE));
    memset(buf, 0, sizeof buf);
    CHECK_EQ(ioviter_init_shared(&iter, IOVITER_DEST, into, 2), 0);
    CHECK_EQ(ioviter_copy_to_checksum(&iter, bytes, 513, &other), 513);
    CHECK_EQ(ioviter_copy_to_checksum(&iter, bytes + 513, SIZE - 513, &other), SIZE - 513);
    CHECK(memcmp(buf, bytes, SIZE) == 0);
    CHECK_EQ(ioviter_checksum_folded(&sum), ioviter_checksum_folded(&other));
    memset(&other, 0, sizeof other);
    CHECK_EQ(ioviter_checksum_update(&other, bytes, 1111), 0);
    CHECK_EQ(ioviter_checksum_update(&other, bytes + 1111, SIZE - 1111), 0);
    CHECK_EQ(ioviter_checksum_folded(&sum), ioviter_checksum_folded(&other));
    CHECK_EQ(ioviter_checksum_update(NULL, bytes, 1), -EFAULT);
    CHECK_EQ(ioviter_checksum_update(&other, NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_copy_from_checksum(&iter, buf, 1, &sum), -EINVAL);
    CHECK_EQ(ioviter_copy_to_checksum(&iter, buf, 1, NULL), -EFAULT);
    CHECK_EQ(ioviter_checksum_folded(NULL), 0);
}

static void questions_move_nothing(void)
{
    static char pages[3 * 4096] __attribute__((aligned(4096)));
    struct iovec iov[2] = {{pages + 4090, 16}, {pages + 8192, 512}};
    struct ioviter iter;
    CHECK_EQ(ioviter_init_own(&iter, IOVITER_SOURCE, iov, 2), 0);
    CHECK_EQ(ioviter_npages(&iter, 100), 3);
    CHECK_EQ(ioviter_npages(&iter, 2), 2);
    CHECK_EQ(ioviter_alignment(&iter) & 1023, (4090 & 1023) | 16 | 512);
    CHECK_EQ(ioviter_gap_alignment(&iter) & 4095, (4090 + 16) & 4095);
    CHECK_EQ(ioviter_is_aligned(&iter, 1, 15), 1);
    CHECK_EQ(ioviter_is_aligned(&iter, 2, 15), 0);
    CHECK_EQ(ioviter_is_aligned(&iter, 1, 16), 0);
    CHECK_EQ(ioviter_remaining(&iter), 528);

    CHECK_EQ(ioviter_init_discard(&iter, 100), 0);
    CHECK_EQ(ioviter_npages(&iter, 5), 0);
    CHECK_EQ(ioviter_alignment(&iter), 0);
    CHECK_EQ(ioviter_gap_alignment(&iter), 0);
    CHECK_EQ(ioviter_copy_to(&iter, pages, 60), 60);
    CHECK_EQ(ioviter_zero(&iter, 60), 40);
    CHECK_EQ(ioviter_init_discard(&iter, SIZE_MAX), -EINVAL);
    CHECK_EQ(ioviter_init_discard(NULL, 1), -EFAULT);
}

/* A length without an address, one that no memory has, and one that wraps around the address space. */
static void impossible_memory_is_refused(void)
{
    char byte = 1;
    struct iovec one = {&byte, 1}, half[2] = {{&byte, SIZE_MAX / 2}, {&byte, 1}}, storage;
    const struct {
        struct iovec iov;
        int error;
    } cases[] = {
        {{NULL, 1}, -EFAULT},
        {{&byte, SIZE_MAX}, -EINVAL},
        {{(void *)(UINTPTR_MAX - 9), 20}, -EINVAL},
    };
    struct ioviter from, to, refused = IOVITER_INIT;
    struct ioviter_checksum sum = IOVITER_INIT;
    CHECK_EQ(ioviter_init_own(&from, IOVITER_SOURCE, &one, 1), 0);
    CHECK_EQ(ioviter_init_shared(&to, IOVITER_DEST, &one, 1), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *base = cases[i].iov.iov_base;
        size_t len = cases[i].iov.iov_len;
        int error = cases[i].error;
        CHECK_EQ(ioviter_init_own(&refused, IOVITER_SOURCE, &cases[i].iov, 1), error);
        CHECK_EQ(ioviter_init_shared(&refused, IOVITER_DEST, &cases[i].iov, 1), error);
        CHECK_EQ(ioviter_copy_from(&from, base, len), error);
        CHECK_EQ(ioviter_copy_from_checksum(&from, base, len, &sum), error);
        CHECK_EQ(ioviter_copy_to(&to, base, len), error);
        CHECK_EQ(ioviter_copy_to_checksum(&to, base, len, &sum), error);
        CHECK_EQ(ioviter_checksum_update(&sum, base, len), error);
    }
    CHECK_EQ(ioviter_init_own(&refused, IOVITER_SOURCE, half, 2), -EINVAL);
    CHECK_EQ(ioviter_init_shared(&refused, IOVITER_DEST, half, 2), -EINVAL);
    CHECK_EQ(ioviter_init_user(&refused, IOVITER_DEST, &all, guest, half, 2), -EINVAL);
    CHECK_EQ(ioviter_init_own(&refused, IOVITER_SOURCE, half, SIZE_MAX / 8), -EINVAL);
    CHECK_EQ(ioviter_import(&refused, IOVITER_DEST, &all, guest, 1500, 1025, &storage, 1025), -EINVAL);
    CHECK_EQ(ioviter_import(&refused, IOVITER_DEST, &all, guest, UINTPTR_MAX - 9, 1, &storage, 1), -EFAULT);
    CHECK_EQ(ioviter_import(&refused, IOVITER_DEST, NULL, guest, 1500, 1, &storage, 1), -EFAULT);
    CHECK_EQ(ioviter_import(&refused, 7, &all, guest, 1500, 1, &storage, 1), -EINVAL);
    /* What is refused makes no iterator. */
    CHECK_EQ(ioviter_direction(&refused), -EINVAL);
    CHECK_EQ(ioviter_segment(&from, NULL), -EFAULT);
    CHECK_EQ(ioviter_copy(&to, NULL, 1), -EINVAL);
    CHECK_EQ(ioviter_restore(&to, NULL), -EINVAL);
    CHECK_EQ(ioviter_remaining(&from), 1);
    CHECK_EQ(ioviter_remaining(&to), 1);
    CHECK_EQ(ioviter_checksum_folded(&sum), 0);
    CHECK_EQ(ioviter_checksum_folded(NULL), 0);

    CHECK_EQ(ioviter_copy_from(&from, NULL, 0), 0);
    CHECK_EQ(ioviter_copy_to(&to, NULL, 0), 0);
    CHECK_EQ(ioviter_copy_from_checksum(&from, NULL, 0, &sum), 0);
    CHECK_EQ(ioviter_copy_to_checksum(&to, NULL, 0, &sum), 0);
    CHECK_EQ(ioviter_checksum_update(&sum, NULL, 0), 0);
    CHECK_EQ(ioviter_init_own(&to, IOVITER_DEST, NULL, 0), 0);
    CHECK_EQ(ioviter_init_user(&to, IOVITER_DEST, &all, guest, NULL, 0), 0);
    CHECK_EQ(ioviter_remaining(&to), 0);
}

static void an_iterator_without_a_kind_is_refused(void)
{
    struct ioviter none = IOVITER_INIT, *iters[2];
    struct ioviter_checksum sum = IOVITER_INIT;
    struct iovec segment;
    char buf[4];
    iters[0] = &none;
    iters[1] = NULL;
    for (int i = 0; i < 2; i++) {
        struct ioviter *iter = iters[i];
        CHECK_EQ(ioviter_direction(iter), -EINVAL);
        CHECK_EQ(ioviter_remaining(iter), 0);
        CHECK_EQ(ioviter_copy_from(iter, buf, 4), -EINVAL);
        CHECK_EQ(ioviter_copy_to(iter, buf, 4), -EINVAL);
        CHECK_EQ(ioviter_zero(iter, 4), -EINVAL);
        CHECK_EQ(ioviter_copy(iter, iter == NULL ? NULL : &none, 4), -EINVAL);
        CHECK_EQ(ioviter_copy_from_checksum(iter, buf, 4, &sum), -EINVAL);
        CHECK_EQ(ioviter_copy_to_checksum(iter, buf, 4, &sum), -EINVAL);
        CHECK_EQ(ioviter_advance(iter, 4), 0);
        CHECK_EQ(ioviter_revert(iter, 0), -EINVAL);
        CHECK_EQ(ioviter_truncate(iter, 0), -EINVAL);
        CHECK_EQ(ioviter_reexpand(iter, 0), -EINVAL);
        CHECK_EQ(ioviter_restore(iter, &none), -EINVAL);
        CHECK_EQ(ioviter_segment_count(iter), 0);
        CHECK_EQ(ioviter_segment(iter, &segment), -EINVAL);
        CHECK_EQ(ioviter_alignment(iter), 0);
        CHECK_EQ(ioviter_gap_alignment(iter), 0);
        CHECK_EQ(ioviter_is_aligned(iter, 1, 1), -EINVAL);
        CHECK_EQ(ioviter_npages(iter, 9), 0);
        CHECK_EQ(ioviter_fault_in(iter, 9), 9);
    }
}

/* A channel that gives back what it was given. */
struct echo {
    char bytes[SIZE];
    size_t len, at;
};

static ssize_t keep(void *opaque, const struct iovec *iov, size_t count)
{
    struct echo *echo = (struct echo *)opaque;
    ssize_t len = ioviter_vec_to_buf(iov, count, 0, echo->bytes + echo->len, SIZE - echo->len);
    echo->len += (size_t)len;
    return len;
}

static ssize_t give(void *opaque, const struct iovec *iov, size_t count)
{
    struct echo *echo = (struct echo *)opaque;
    ssize_t len = ioviter_vec_from_buf(iov, count, 0, echo->bytes + echo->at, echo->len - echo->at);
    echo->at += (size_t)len;
    return len;
}

static void files_move_through_iterators(void)
{
    static struct echo echo;
    struct ioviter_channel_ops ops;
    struct ioviter_writer *writer;
    struct ioviter_reader *reader;
    struct iovec iov[2] = {{user(1950), 100}, {user(0), 100}};
    struct ioviter iter;
    memset(&ops, 0, sizeof ops);
    ops.size = sizeof ops;
    ops.writev = keep;
    ops.readv = give;
    memset(guest, 5, sizeof guest);
    CHECK_EQ(ioviter_init_user(&iter, IOVITER_SOURCE, &all, guest, iov, 2), 0);
    CHECK_EQ(ioviter_writer_open(&writer, &ops, &echo, 0), 0);
    CHECK_EQ(ioviter_writer_put_iter(writer, &iter, 20), 20);
    CHECK_EQ(ioviter_writer_put_iter(writer, &iter, 100), 30);
    CHECK_EQ(ioviter_writer_tell(writer), 50);
    CHECK_EQ(ioviter_remaining(&iter), 150);
    ioviter_advance(&iter, 50);
    CHECK_EQ(ioviter_writer_put_iter(writer, &iter, 1000), 100);
    CHECK_EQ(ioviter_writer_put_iter(NULL, &iter, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_put_iter(writer, NULL, 1), -EINVAL);
    CHECK_EQ(ioviter_writer_close(writer), 0);

    memset(guest, 0, sizeof guest);
    CHECK_EQ(ioviter_init_user(&iter, IOVITER_DEST, &all, guest, iov, 2), 0);
    CHECK_EQ(ioviter_reader_open(&reader, &ops, &echo, 0), 0);
    CHECK_EQ(ioviter_reader_get_iter(reader, &iter, 100), 50);
    CHECK_EQ(ioviter_reader_position(reader), 50);
    ioviter_advance(&iter, 50);
    CHECK_EQ(ioviter_reader_get_iter(reader, &iter, 100), 100);
    CHECK(guest[0] == 5 && guest[99] == 5 && guest[100] == 0 && guest[1999] == 5 && guest[1949] == 0);
    CHECK_EQ(ioviter_reader_get_iter(NULL, &iter, 1), -EINVAL);
    CHECK_EQ(ioviter_reader_get_iter(reader, NULL, 1), -EINVAL);
    CHECK_EQ(ioviter_reader_close(reader), 0);
}

int main(void)
{
    an_iterator_moves_by_what_was_copied();
    user_memory_faults_at_any_byte();
    an_array_of_user_space_is_checked_once();
    sums_are_those_of_the_internet();
    questions_move_nothing();
    impossible_memory_is_refused();
    an_iterator_without_a_kind_is_refused();
    files_move_through_iterators();
    return 0;
}
