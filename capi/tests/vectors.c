/* Whole vectors. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "iov_iter.h"

#define COUNT 6
#define SIZE ((size_t)40)

/* The lengths of the elements; the empty ones point nowhere. */
static const size_t lengths[COUNT] = {0, 7, 1, 0, 20, 12};

static void cut(struct iovec *iov, char *bytes)
{
    for (size_t i = 0, at = 0; i < COUNT; at += lengths[i++]) {
        iov[i].iov_base = lengths[i] == 0 ? NULL : bytes + at;
        iov[i].iov_len = lengths[i];
    }
}

static void count_up(char *bytes)
{
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (char)(i + 1);
    }
}

static void bytes_are_copied_at_every_offset_and_of_every_length(void)
{
    char bytes[SIZE], buf[SIZE + 2];
    struct iovec iov[COUNT];
    cut(iov, bytes);
    CHECK_EQ(ioviter_vec_size(iov, COUNT), SIZE);
    for (size_t offset = 0; offset <= SIZE; offset++) {
        for (size_t len = 0; len <= SIZE + 1; len++) {
            size_t there = len < SIZE - offset ? len : SIZE - offset;
            count_up(bytes);
            memset(buf, 0x55, sizeof buf);
            CHECK_EQ(ioviter_vec_to_buf(iov, COUNT, offset, buf, len), there);
            CHECK(memcmp(buf, bytes + offset, there) == 0);
            CHECK_EQ(buf[there], 0x55);
            memset(buf, 0x66, sizeof buf);
            CHECK_EQ(ioviter_vec_from_buf(iov, COUNT, offset, buf, len), there);
            for (size_t i = 0; i < SIZE; i++) {
                CHECK_EQ(bytes[i], i >= offset && i < offset + there ? 0x66 : (int)i + 1);
            }
            CHECK_EQ(ioviter_vec_fill(iov, COUNT, offset, 0x100, len), there);
            for (size_t i = 0; i < SIZE; i++) {
                CHECK_EQ(bytes[i], i >= offset && i < offset + there ? 0 : (int)i + 1);
            }
            CHECK_EQ(ioviter_vec_is_zero(iov, COUNT, offset, len), 1);
            if (offset > 0) {
                CHECK_EQ(ioviter_vec_is_zero(iov, COUNT, offset - 1, len + 1), 0);
            }
        }
        CHECK_EQ(ioviter_vec_fill(iov, COUNT, offset, 1, SIZE_MAX), SIZE - offset);
    }
    CHECK_EQ(ioviter_vec_to_buf(iov, COUNT, SIZE + 1, buf, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_from_buf(iov, COUNT, SIZE + 1, buf, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_fill(iov, COUNT, SIZE_MAX, 1, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_is_zero(iov, COUNT, SIZE + 1, 0), -EINVAL);
}

static void vectors_are_equal_however_they_are_cut(void)
{
    char bytes[SIZE], others[SIZE];
    struct iovec iov[COUNT], whole = {others, SIZE};
    size_t at = 77;
    cut(iov, bytes);
    count_up(bytes);
    count_up(others);
    CHECK_EQ(ioviter_vec_compare(iov, COUNT, &whole, 1, &at), 0);
    CHECK_EQ(at, 77);
    for (size_t i = 0; i < SIZE; i++) {
        others[i]++;
        CHECK_EQ(ioviter_vec_compare(iov, COUNT, &whole, 1, &at), 1);
        CHECK_EQ(at, i);
        CHECK_EQ(ioviter_vec_compare(&whole, 1, iov, COUNT, NULL), 1);
        others[i]--;
    }
    whole.iov_len = 30;
    CHECK_EQ(ioviter_vec_compare(iov, COUNT, &whole, 1, &at), 1);
    CHECK_EQ(at, 30);
    CHECK_EQ(ioviter_vec_compare(NULL, 0, iov, 1, NULL), 0);
}

static void a_range_is_described_without_a_copy(void)
{
    char bytes[SIZE];
    struct iovec iov[COUNT], part[COUNT];
    cut(iov, bytes);
    CHECK_EQ(ioviter_vec_copy(part, COUNT, iov, COUNT, 3, 10), 3);
    CHECK(part[0].iov_base == bytes + 3 && part[0].iov_len == 4);
    CHECK(part[1].iov_base == bytes + 7 && part[1].iov_len == 1);
    CHECK(part[2].iov_base == bytes + 8 && part[2].iov_len == 5);
    CHECK_EQ(ioviter_vec_copy(part, 2, iov, COUNT, 3, 10), 2);
    CHECK_EQ(ioviter_vec_copy(NULL, 0, iov, COUNT, 3, 10), 0);
    CHECK_EQ(ioviter_vec_copy(part, COUNT, iov, COUNT, 0, SIZE_MAX), 4);
    CHECK_EQ(ioviter_vec_copy(part, COUNT, iov, COUNT, SIZE, 1), 0);
    CHECK_EQ(ioviter_vec_copy(part, COUNT, iov, COUNT, SIZE + 1, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_copy(NULL, 1, iov, COUNT, 0, 1), -EFAULT);
}

static void what_was_discarded_comes_back(void)
{
    char bytes[SIZE];
    struct iovec iov[COUNT], before[COUNT], *at;
    struct ioviter_undo front, back;
    size_t count;
    for (size_t first = 0; first <= SIZE + 1; first++) {
        for (size_t last = 0; last <= SIZE + 1; last++) {
            size_t taken = first < SIZE ? first : SIZE;
            size_t left = SIZE - taken;
            char byte;
            cut(iov, bytes);
            count_up(bytes);
            memcpy(before, iov, sizeof iov);
            at = iov;
            count = COUNT;
            CHECK_EQ(ioviter_vec_discard_front(&at, &count, first, &front), taken);
            CHECK_EQ(ioviter_vec_size(at, count), left);
            if (left > 0) {
                CHECK_EQ(ioviter_vec_to_buf(at, count, 0, &byte, 1), 1);
                CHECK_EQ(byte, (int)taken + 1);
            }
            taken = last < left ? last : left;
            CHECK_EQ(ioviter_vec_discard_back(&at, &count, last, &back), taken);
            CHECK_EQ(ioviter_vec_size(at, count), left - taken);
            CHECK_EQ(ioviter_vec_undo(&at, &count, &back), 0);
            CHECK_EQ(ioviter_vec_size(at, count), left);
            CHECK_EQ(ioviter_vec_undo(&at, &count, &front), 0);
            CHECK(at == iov && count == COUNT && memcmp(before, iov, sizeof iov) == 0);
        }
    }
    CHECK_EQ(ioviter_vec_discard_front(&at, &count, 9, NULL), 9);
    CHECK_EQ(ioviter_vec_discard_back(&at, &count, SIZE_MAX, NULL), SIZE - 9);
    CHECK_EQ(count, 0);
    CHECK_EQ(ioviter_vec_discard_front(NULL, &count, 1, NULL), -EFAULT);
    CHECK_EQ(ioviter_vec_discard_back(&at, NULL, 1, NULL), -EFAULT);
    CHECK_EQ(ioviter_vec_undo(&at, &count, NULL), -EFAULT);
    at = NULL;
    CHECK_EQ(ioviter_vec_discard_front(&at, &count, 1, NULL), 0);
    count = 1;
    CHECK_EQ(ioviter_vec_discard_back(&at, &count, 1, NULL), -EFAULT);
}

static char printed[400];

static int print(void *opaque, const char *text, size_t len)
{
    size_t *at = (size_t *)opaque;
    CHECK(*at + len < sizeof printed);
    memcpy(printed + *at, text, len);
    *at += len;
    return 0;
}

static int refuse(void *opaque, const char *text, size_t len)
{
    (void)text;
    (void)len;
    return *(int *)opaque;
}

static void a_vector_is_printed(void)
{
    char bytes[SIZE];
    struct iovec iov[COUNT];
    size_t at = 0;
    int refusal = 42;
    cut(iov, bytes);
    memset(bytes, 'a', sizeof bytes);
    CHECK_EQ(ioviter_vec_hexdump(iov, COUNT, "image", 18, print, &at), 0);
    CHECK(strcmp(printed,
                 "image: 0000:  61 61 61 61  61 61 61 61  61 61 61 61  61 61 61 61 aaaaaaaaaaaaaaaa\n"
                 "image: 0010:  61 61                                              aa\n") == 0);
    CHECK_EQ(ioviter_vec_hexdump(iov, COUNT, "image", 18, refuse, &refusal), 42);
    CHECK_EQ(ioviter_vec_hexdump(iov, COUNT, "image", 18, NULL, NULL), -EFAULT);
    CHECK_EQ(ioviter_vec_hexdump(iov, COUNT, NULL, 18, print, &at), -EFAULT);
    CHECK_EQ(ioviter_vec_hexdump(iov, COUNT, "\xff", 18, print, &at), -EINVAL);
    CHECK_EQ(ioviter_vec_hexdump(NULL, 1, "x", 18, print, &at), -EFAULT);
}

static void vectors_are_sent_and_received(void)
{
    char bytes[SIZE], others[SIZE];
    struct iovec iov[COUNT], into[COUNT];
    int sockets[2];
    cut(iov, bytes);
    cut(into, others);
    count_up(bytes);
    memset(others, 0, sizeof others);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    CHECK_EQ(fcntl(sockets[1], F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(ioviter_vec_send(sockets[0], iov, COUNT, 5, 30, MSG_NOSIGNAL), 30);
    CHECK_EQ(ioviter_vec_receive(sockets[1], into, COUNT, 5, 10, 0), 10);
    /* The rest, and then it would block. */
    CHECK_EQ(ioviter_vec_receive(sockets[1], into, COUNT, 15, 25, 0), 20);
    CHECK(memcmp(others + 5, bytes + 5, 30) == 0 && others[4] == 0 && others[35] == 0);
    CHECK_EQ(ioviter_vec_receive(sockets[1], into, COUNT, 0, 1, 0), -EAGAIN);
    CHECK_EQ(ioviter_vec_receive(sockets[1], into, COUNT, 0, 0, 0), 0);
    CHECK_EQ(ioviter_vec_receive(sockets[1], into, COUNT, SIZE + 1, 0, 0), -EINVAL);
    close(sockets[1]);
    CHECK_EQ(ioviter_vec_send(sockets[0], iov, COUNT, 0, 1, MSG_NOSIGNAL), -EPIPE);
    CHECK_EQ(ioviter_vec_receive(sockets[0], into, COUNT, 0, 1, 0), 0);
    close(sockets[0]);
    CHECK_EQ(ioviter_vec_send(-1, iov, COUNT, 0, 1, 0), -EBADF);
}

static void impossible_memory_is_refused(void)
{
    char byte = 1;
    struct iovec null = {NULL, 1}, negative = {&byte, SIZE_MAX}, wraps = {(void *)(UINTPTR_MAX - 9), 20};
    struct iovec second[2] = {{&byte, 1}, {NULL, 1}};
    CHECK_EQ(ioviter_vec_size(NULL, 0), 0);
    CHECK_EQ(ioviter_vec_size(NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_vec_size(&null, SIZE_MAX), -EINVAL);
    CHECK_EQ(ioviter_vec_size(&negative, 1), -EINVAL);
    {
        struct iovec wrapping[2] = {{&byte, SIZE_MAX}, {&byte, 2}};
        CHECK_EQ(ioviter_vec_size(wrapping, 2), -EINVAL);
    }
    CHECK_EQ(ioviter_vec_to_buf(NULL, 0, 0, NULL, 0), 0);
    CHECK_EQ(ioviter_vec_to_buf(NULL, 1, 0, &byte, 1), -EFAULT);
    CHECK_EQ(ioviter_vec_to_buf(&null, 1, 0, &byte, 1), -EFAULT);
    CHECK_EQ(ioviter_vec_to_buf(&negative, 1, 0, &byte, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_to_buf(&wraps, 1, 0, &byte, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_to_buf(second, 2, 0, NULL, 1), -EFAULT);
    CHECK_EQ(ioviter_vec_from_buf(second, 2, 0, &byte, SIZE_MAX), -EINVAL);
    /* An element after the range is not looked at. */
    CHECK_EQ(ioviter_vec_to_buf(second, 2, 0, &byte, 1), 1);
    /* Nor is what was moved before it forgotten. */
    {
        char two[2] = {5, 6};
        CHECK_EQ(ioviter_vec_to_buf(second, 2, 0, two, 2), 1);
        CHECK_EQ(two[1], 6);
        CHECK_EQ(ioviter_vec_from_buf(second, 2, 0, two, 2), 1);
        CHECK_EQ(ioviter_vec_fill(second, 2, 0, 9, 2), 1);
        CHECK_EQ(ioviter_vec_fill(second, 2, 1, 9, 2), -EFAULT);
    }
    CHECK_EQ(ioviter_vec_is_zero(second, 2, 0, 1), 0);
    CHECK_EQ(ioviter_vec_is_zero(second, 2, 0, 2), -EFAULT);
    CHECK_EQ(ioviter_vec_fill(&null, 1, 0, 1, 1), -EFAULT);
    CHECK_EQ(ioviter_vec_compare(second, 2, second, 2, NULL), -EFAULT);
    /* Only lengths are looked at. */
    CHECK_EQ(ioviter_vec_size(&wraps, 1), 20);
    CHECK_EQ(ioviter_vec_size(&null, 1), 1);
    CHECK_EQ(ioviter_vec_from_buf(&wraps, 1, 0, &byte, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_fill(&wraps, 1, 0, 1, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_is_zero(&negative, 1, 0, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_compare(&negative, 1, &wraps, 1, NULL), -EINVAL);
    CHECK_EQ(ioviter_vec_copy(second, 2, &wraps, 1, 0, 1), -EINVAL);
    CHECK_EQ(ioviter_vec_hexdump(&wraps, 1, "", 1, print, NULL), -EINVAL);
    /* A buffer that wraps, and a vector that is longer than memory. */
    CHECK_EQ(ioviter_vec_to_buf(second, 1, 0, wraps.iov_base, 20), -EINVAL);
    CHECK_EQ(ioviter_vec_from_buf(second, 1, 0, wraps.iov_base, 20), -EINVAL);
    CHECK_EQ(ioviter_vec_to_buf(&null, SIZE_MAX / 8, 0, &byte, 1), -EINVAL);
    CHECK_EQ(byte, 9);
}

static void no_bytes_at_null_are_nothing(void)
{
    struct iovec *at = NULL;
    struct ioviter_undo undo;
    size_t count = 0;
    CHECK_EQ(ioviter_vec_from_buf(NULL, 0, 0, NULL, 0), 0);
    CHECK_EQ(ioviter_vec_fill(NULL, 0, 0, 1, SIZE_MAX), 0);
    CHECK_EQ(ioviter_vec_is_zero(NULL, 0, 0, 5), 1);
    CHECK_EQ(ioviter_vec_compare(NULL, 0, NULL, 0, NULL), 0);
    CHECK_EQ(ioviter_vec_copy(NULL, 0, NULL, 0, 0, 5), 0);
    CHECK_EQ(ioviter_vec_hexdump(NULL, 0, "", 5, print, NULL), 0);
    CHECK_EQ(ioviter_vec_discard_front(&at, &count, 5, &undo), 0);
    CHECK_EQ(ioviter_vec_undo(&at, &count, &undo), 0);
    CHECK_EQ(ioviter_vec_discard_back(&at, &count, 5, &undo), 0);
    CHECK_EQ(ioviter_vec_undo(&at, &count, &undo), 0);
    CHECK(at == NULL && count == 0);
    CHECK_EQ(ioviter_vec_to_buf(NULL, 0, 1, NULL, 0), -EINVAL);
}

int main(void)
{
    bytes_are_copied_at_every_offset_and_of_every_length();
    vectors_are_equal_however_they_are_cut();
    a_range_is_described_without_a_copy();
    what_was_discarded_comes_back();
    a_vector_is_printed();
    vectors_are_sent_and_received();
    impossible_memory_is_refused();
    no_bytes_at_null_are_nothing();
    return 0;
}
