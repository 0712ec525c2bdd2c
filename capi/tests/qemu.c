/*
 * The functions of QEMU's util/iov.c, on the vector A4 B0 C6 D2: its byte at each position is the position.
 *
 * Nothing of QEMU is needed: what is declared here is what the functions are called with.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    struct iovec *iov;
    int niov;
    struct {
        int nalloc;
        /* The element inside; its length is the size of any vector. */
        struct iovec inside;
    } storage;
} Vector;

typedef struct {
    struct iovec *modified, original;
} Undo;

size_t iov_size(const struct iovec *iov, unsigned count);
size_t iov_from_buf_full(const struct iovec *iov, unsigned count, size_t offset, const void *buf, size_t bytes);
size_t iov_to_buf_full(const struct iovec *iov, unsigned count, size_t offset, void *buf, size_t bytes);
size_t iov_memset(const struct iovec *iov, unsigned count, size_t offset, int value, size_t bytes);
unsigned iov_copy(struct iovec *to, unsigned room, const struct iovec *iov, unsigned count, size_t offset, size_t bytes);
ssize_t iov_send_recv(int socket, const struct iovec *iov, unsigned count, size_t offset, size_t bytes, bool send);
ssize_t iov_send_recv_with_flags(int socket, int flags, const struct iovec *iov, unsigned count, size_t offset,
                                 size_t bytes, bool send);
void iov_hexdump(const struct iovec *iov, unsigned count, FILE *stream, const char *prefix, size_t limit);
size_t iov_discard_front(struct iovec **iov, unsigned *count, size_t bytes);
size_t iov_discard_back(struct iovec *iov, unsigned *count, size_t bytes);
size_t iov_discard_front_undoable(struct iovec **iov, unsigned *count, size_t bytes, Undo *undo);
size_t iov_discard_back_undoable(struct iovec *iov, unsigned *count, size_t bytes, Undo *undo);
void iov_discard_undo(Undo *undo);
void qemu_iovec_init(Vector *vector, int room);
void qemu_iovec_init_external(Vector *vector, struct iovec *iov, int count);
int qemu_iovec_init_extended(Vector *vector, void *head, size_t head_len, Vector *middle, size_t offset, size_t len,
                             void *tail, size_t tail_len);
void qemu_iovec_init_slice(Vector *vector, Vector *source, size_t offset, size_t len);
struct iovec *qemu_iovec_slice(Vector *vector, size_t offset, size_t len, size_t *head, size_t *tail, int *count);
int qemu_iovec_subvec_niov(Vector *vector, size_t offset, size_t len);
void qemu_iovec_add(Vector *vector, void *base, size_t len);
void qemu_iovec_concat(Vector *vector, Vector *source, size_t offset, size_t bytes);
size_t qemu_iovec_concat_iov(Vector *vector, struct iovec *iov, unsigned count, size_t offset, size_t bytes);
bool qemu_iovec_is_zero(Vector *vector, size_t offset, size_t bytes);
void qemu_iovec_destroy(Vector *vector);
void qemu_iovec_reset(Vector *vector);
size_t qemu_iovec_to_buf(Vector *vector, size_t offset, void *buf, size_t bytes);
size_t qemu_iovec_from_buf(Vector *vector, size_t offset, const void *buf, size_t bytes);
size_t qemu_iovec_memset(Vector *vector, size_t offset, int value, size_t bytes);
ssize_t qemu_iovec_compare(Vector *one, Vector *other);
void qemu_iovec_clone(Vector *vector, const Vector *source, void *buf);
void qemu_iovec_discard_back(Vector *vector, size_t bytes);

#ifdef __cplusplus
}
#endif

enum { A, B, C, D, COUNT };
enum { SIZE = 12 };

static const size_t lengths[COUNT] = {4, 0, 6, 2};
static char bytes[SIZE];
static struct iovec iov[COUNT];
static Vector v;

static void set_up(void)
{
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (char)i;
    }
    for (size_t i = 0, at = 0; i < COUNT; at += lengths[i++]) {
        iov[i].iov_base = lengths[i] ? bytes + at : NULL;
        iov[i].iov_len = lengths[i];
    }
    qemu_iovec_init_external(&v, iov, COUNT);
}

/* That an element is `len` bytes from `at` of those of the vector. An empty one has no place. */
static void check_element(struct iovec element, size_t at, size_t len)
{
    CHECK_EQ(element.iov_len, len);
    CHECK(len == 0 || element.iov_base == bytes + at);
}

static void check_vector(const Vector *vector, int niov, int nalloc, size_t size)
{
    CHECK_EQ(vector->niov, niov);
    CHECK_EQ(vector->storage.nalloc, nalloc);
    CHECK_EQ(vector->storage.inside.iov_len, size);
}

/* That the statement ends the process by abort, with a line on standard error. */
#define CHECK_ABORTS(statement)                                                           \
    do {                                                                                  \
        char line_[100] = "";                                                             \
        int ends_[2], status_;                                                            \
        CHECK_EQ(pipe(ends_), 0);                                                         \
        pid_t child_ = fork();                                                            \
        CHECK(child_ >= 0);                                                               \
        if (child_ == 0) {                                                                \
            dup2(ends_[1], 2);                                                            \
            statement;                                                                    \
            _exit(0);                                                                     \
        }                                                                                 \
        close(ends_[1]);                                                                  \
        for (size_t at_ = 0; at_ < sizeof line_ - 1;) {                                   \
            ssize_t got_ = read(ends_[0], line_ + at_, sizeof line_ - 1 - at_);           \
            if (got_ <= 0) {                                                              \
                break;                                                                    \
            }                                                                             \
            at_ += (size_t)got_;                                                          \
        }                                                                                 \
        close(ends_[0]);                                                                  \
        CHECK_EQ(waitpid(child_, &status_, 0), child_);                                   \
        CHECK(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGABRT);                      \
        CHECK(strncmp(line_, "iov: ", 5) == 0 && strchr(line_, '\n') != NULL);            \
    } while (0)

static void bytes_are_copied_at_every_offset_and_of_every_length(void)
{
    char buf[SIZE + 2], ones[SIZE + 1];

    memset(ones, 1, sizeof ones);
    CHECK_EQ(iov_size(iov, COUNT), SIZE);
    CHECK_EQ(iov_size(iov, 1), 4);
    CHECK_EQ(iov_size(NULL, 0), 0);
    for (size_t offset = 0; offset <= SIZE + 1; offset++) {
        for (size_t len = 0; len <= SIZE + 1; len++) {
            size_t left = offset < SIZE ? SIZE - offset : 0, there = len < left ? len : left;
            set_up();
            memset(buf, 0x55, sizeof buf);
            CHECK_EQ(iov_to_buf_full(iov, COUNT, offset, buf, len), there);
            CHECK(there == 0 || memcmp(buf, bytes + offset, there) == 0);
            CHECK_EQ(buf[there], 0x55);
            CHECK_EQ(qemu_iovec_to_buf(&v, offset, buf, len), there);
            CHECK_EQ(iov_from_buf_full(iov, COUNT, offset, ones, len), there);
            for (size_t i = 0; i < SIZE; i++) {
                CHECK_EQ(bytes[i], i >= offset && i < offset + there ? 1 : i);
            }
            CHECK_EQ(qemu_iovec_from_buf(&v, offset, ones, len), there);
            CHECK_EQ(iov_memset(iov, COUNT, offset, 0x102, len), there);
            for (size_t i = 0; i < SIZE; i++) {
                CHECK_EQ(bytes[i], i >= offset && i < offset + there ? 2 : i);
            }
            CHECK_EQ(qemu_iovec_memset(&v, offset, 0, len), there);
            CHECK(offset + there > SIZE || qemu_iovec_is_zero(&v, offset, there));
        }
        /* All there are. */
        CHECK_EQ(iov_to_buf_full(iov, COUNT, offset, buf, SIZE_MAX), offset < SIZE ? SIZE - offset : 0);
    }
    CHECK_EQ(iov_to_buf_full(NULL, 0, 0, buf, 5), 0);
    CHECK_EQ(iov_memset(NULL, 0, 1, 0, 0), 0);
}

static void elements_are_copied_but_not_empty_ones(void)
{
    struct iovec copy[COUNT];

    CHECK_EQ(iov_copy(copy, COUNT, iov, COUNT, 0, SIZE), 3);
    check_element(copy[1], 4, 6);
    CHECK_EQ(iov_copy(copy, COUNT, iov, COUNT, 3, 5), 2);
    check_element(copy[0], 3, 1);
    check_element(copy[1], 4, 4);
    CHECK_EQ(iov_copy(copy, COUNT, iov, COUNT, 10, 100), 1);
    check_element(copy[0], 10, 2);
    CHECK_EQ(iov_copy(copy, 2, iov, COUNT, 0, SIZE), 2);
    CHECK_EQ(iov_copy(copy, 0, iov, COUNT, 0, SIZE), 0);
    CHECK_EQ(iov_copy(copy, COUNT, iov, COUNT, 13, 1), 0);
    /* No bytes, within an element and between two. */
    CHECK_EQ(iov_copy(copy, COUNT, iov, COUNT, 5, 0), 1);
    CHECK_EQ(copy[0].iov_len, 0);
    CHECK_EQ(iov_copy(copy, COUNT, iov, COUNT, 4, 0), 0);
}

static void discards_change_one_element_and_are_undone(void)
{
    static const struct {
        size_t bytes, done, index, at, len;
    } front[] = {{0, 0, A, 0, 4}, {3, 3, A, 3, 1}, {4, 4, C, 4, 6}, {7, 7, C, 7, 3}, {10, 10, D, 10, 2},
                 {12, 12, COUNT, 0, 0}, {13, 12, COUNT, 0, 0}},
      back[] = {{0, 0, D, 10, 2}, {1, 1, D, 10, 1}, {2, 2, C, 4, 6}, {5, 5, C, 4, 3}, {8, 8, A, 0, 4}, {9, 9, A, 0, 3},
                {12, 12, COUNT, 0, 0}, {13, 12, COUNT, 0, 0}};
    struct iovec before[COUNT];

    memcpy(before, iov, sizeof before);
    for (size_t i = 0; i < sizeof front / sizeof *front; i++) {
        struct iovec *first = iov;
        unsigned count = COUNT;
        Undo undo;
        CHECK_EQ(iov_discard_front_undoable(&first, &count, front[i].bytes, &undo), front[i].done);
        CHECK(first == iov + front[i].index);
        CHECK_EQ(count, COUNT - front[i].index);
        if (count > 0) {
            check_element(*first, front[i].at, front[i].len);
        }
        CHECK(undo.modified == (count > 0 ? first : NULL));
        iov_discard_undo(&undo);
        CHECK(memcmp(before, iov, sizeof before) == 0);
        first = iov;
        count = COUNT;
        CHECK_EQ(iov_discard_front(&first, &count, front[i].bytes), front[i].done);
        set_up();
    }
    for (size_t i = 0; i < sizeof back / sizeof *back; i++) {
        unsigned count = COUNT, left = back[i].index < COUNT ? (unsigned)back[i].index + 1 : 0;
        Undo undo;
        CHECK_EQ(iov_discard_back_undoable(iov, &count, back[i].bytes, &undo), back[i].done);
        CHECK_EQ(count, left);
        if (count > 0) {
            check_element(iov[count - 1], back[i].at, back[i].len);
        }
        CHECK(undo.modified == (count > 0 ? iov + count - 1 : NULL));
        iov_discard_undo(&undo);
        CHECK(memcmp(before, iov, sizeof before) == 0);
        count = COUNT;
        CHECK_EQ(iov_discard_back(iov, &count, back[i].bytes), back[i].done);
        set_up();
    }
}

static void discards_of_one_element_are_undone_in_reverse_order(void)
{
    struct iovec *first = iov;
    unsigned count = 1;
    Undo front, back;

    CHECK_EQ(iov_discard_front_undoable(&first, &count, 1, &front), 1);
    CHECK_EQ(iov_discard_back_undoable(first, &count, 2, &back), 2);
    check_element(iov[A], 1, 1);
    iov_discard_undo(&back);
    check_element(iov[A], 1, 3);
    iov_discard_undo(&front);
    check_element(iov[A], 0, 4);
}

static void a_slice_counts_empty_elements_within_it(void)
{
    static const struct {
        size_t offset, len;
        int niov;
        size_t first, head, tail;
    } slices[] = {{3, 5, 3, A, 3, 2}, {4, 6, 2, B, 0, 0}, {0, 12, 4, A, 0, 0}, {0, 4, 1, A, 0, 0}, {4, 1, 2, B, 0, 5},
                  {9, 1, 1, C, 5, 0}, {9, 2, 2, C, 5, 1}, {10, 2, 1, D, 0, 0}, {0, 0, 0, A, 0, 0}, {4, 0, 0, B, 0, 0},
                  {5, 0, 1, C, 1, 5}, {12, 0, 0, COUNT, 0, 0}};

    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        size_t head, tail;
        int niov;
        struct iovec *first = qemu_iovec_slice(&v, slices[i].offset, slices[i].len, &head, &tail, &niov);
        CHECK_EQ(niov, slices[i].niov);
        CHECK(first == iov + slices[i].first);
        CHECK_EQ(head, slices[i].head);
        CHECK_EQ(tail, slices[i].tail);
        CHECK_EQ(qemu_iovec_subvec_niov(&v, slices[i].offset, slices[i].len), slices[i].niov);
    }
    CHECK_ABORTS(qemu_iovec_subvec_niov(&v, 12, 1));
    CHECK_ABORTS(qemu_iovec_subvec_niov(&v, 13, 0));
    /* The sum wraps. */
    CHECK_ABORTS(qemu_iovec_subvec_niov(&v, 4, SIZE_MAX - 3));
}

static void a_vector_is_made_of_a_part_of_another_with_a_head_and_a_tail(void)
{
    char head[3], tail[2];
    Vector made;

    CHECK_EQ(qemu_iovec_init_extended(&made, head, 3, &v, 3, 5, tail, 2), 0);
    check_vector(&made, 5, 5, 10);
    CHECK(made.iov[0].iov_base == head && made.iov[4].iov_base == tail);
    check_element(made.iov[1], 3, 1);
    check_element(made.iov[2], 0, 0);
    check_element(made.iov[3], 4, 4);
    qemu_iovec_destroy(&made);
    check_vector(&made, 0, 0, 0);
    qemu_iovec_destroy(&made);

    /* One element is inside the vector, and both cuts apply to it. */
    CHECK_EQ(qemu_iovec_init_extended(&made, NULL, 0, &v, 5, 2, NULL, 0), 0);
    check_vector(&made, 1, -1, 2);
    CHECK(made.iov == &made.storage.inside);
    check_element(made.iov[0], 5, 2);
    CHECK_ABORTS(qemu_iovec_add(&made, head, 3));
    qemu_iovec_destroy(&made);

    /* Without bytes of the other the offset does not matter. */
    CHECK_EQ(qemu_iovec_init_extended(&made, head, 3, &v, 999, 0, NULL, 0), 0);
    check_vector(&made, 1, -1, 3);
    CHECK_EQ(qemu_iovec_init_extended(&made, NULL, 0, &v, 0, 0, NULL, 0), 0);
    check_vector(&made, 0, 0, 0);
    qemu_iovec_add(&made, head, 3);
    check_vector(&made, 1, 1, 3);
    qemu_iovec_destroy(&made);

    CHECK_EQ(qemu_iovec_init_extended(&made, head, SIZE_MAX, &v, 0, 1, NULL, 0), -EINVAL);
    CHECK_ABORTS(qemu_iovec_init_extended(&made, NULL, 0, &v, 8, 5, NULL, 0));

    qemu_iovec_init_slice(&made, &v, 3, 5);
    check_vector(&made, 3, 3, 5);
    qemu_iovec_destroy(&made);
    qemu_iovec_init_slice(&made, &v, 12, 0);
    check_vector(&made, 0, 0, 0);
    qemu_iovec_destroy(&made);
    CHECK_ABORTS(qemu_iovec_init_slice(&made, &v, 13, 0));
}

static void a_vector_has_at_most_1024_elements_when_it_is_made_of_another(void)
{
    enum { MOST = 1024 };
    static struct iovec many[MOST];
    char head = 0;
    Vector all, made;

    for (size_t i = 0; i < MOST; i++) {
        many[i].iov_base = bytes;
        many[i].iov_len = 1;
    }
    qemu_iovec_init_external(&all, many, MOST);
    CHECK_EQ(qemu_iovec_init_extended(&made, NULL, 0, &all, 0, MOST, NULL, 0), 0);
    check_vector(&made, MOST, MOST, MOST);
    qemu_iovec_destroy(&made);
    CHECK_EQ(qemu_iovec_init_extended(&made, &head, 1, &all, 0, MOST, NULL, 0), -EINVAL);
    CHECK_EQ(qemu_iovec_init_extended(&made, &head, 1, &all, 0, MOST - 1, NULL, 0), 0);
    check_vector(&made, MOST, MOST, MOST);
    qemu_iovec_destroy(&made);
}

static void a_vector_grows(void)
{
    static const int room[] = {1, 3, 3, 7, 7, 7, 7, 15};
    Vector grown;

    qemu_iovec_init(&grown, 0);
    check_vector(&grown, 0, 0, 0);
    for (int i = 0; i < 8; i++) {
        qemu_iovec_add(&grown, bytes + i, (size_t)i);
        CHECK_EQ(grown.storage.nalloc, room[i]);
        CHECK_EQ(grown.niov, i + 1);
    }
    CHECK_EQ(grown.storage.inside.iov_len, 28);
    qemu_iovec_reset(&grown);
    check_vector(&grown, 0, 15, 0);

    qemu_iovec_add(&grown, bytes, 2);
    CHECK_EQ(qemu_iovec_concat_iov(&grown, iov, COUNT, 3, 5), 5);
    check_vector(&grown, 3, 15, 7);
    check_element(grown.iov[2], 4, 4);
    CHECK_EQ(qemu_iovec_concat_iov(&grown, iov, COUNT, 10, SIZE_MAX), 2);
    CHECK_EQ(qemu_iovec_concat_iov(&grown, iov, COUNT, 12, SIZE_MAX), 0);
    CHECK_EQ(qemu_iovec_concat_iov(&grown, iov, COUNT, 99, 0), 0);
    check_vector(&grown, 4, 15, 9);
    qemu_iovec_concat(&grown, &v, 0, SIZE);
    check_vector(&grown, 7, 15, 21);
    qemu_iovec_destroy(&grown);

    CHECK_ABORTS(qemu_iovec_reset(&v));
    CHECK_ABORTS(qemu_iovec_concat(&v, &v, 0, 1));
}

static void zeros_are_found_and_vectors_compared(void)
{
    char other[SIZE];
    struct iovec there[COUNT];
    Vector same;

    memset(bytes, 0, sizeof bytes);
    bytes[6] = 1;
    CHECK(qemu_iovec_is_zero(&v, 0, 6));
    CHECK(qemu_iovec_is_zero(&v, 7, 5));
    CHECK(qemu_iovec_is_zero(&v, 12, 0));
    CHECK(!qemu_iovec_is_zero(&v, 0, 12));
    CHECK(!qemu_iovec_is_zero(&v, 6, 1));
    CHECK_ABORTS(qemu_iovec_is_zero(&v, 12, 1));

    memcpy(other, bytes, sizeof other);
    memcpy(there, iov, sizeof there);
    there[A].iov_base = other;
    there[C].iov_base = other + 4;
    there[D].iov_base = other + 10;
    qemu_iovec_init_external(&same, there, COUNT);
    CHECK_EQ(qemu_iovec_compare(&v, &same), -1);
    other[6] = 2;
    CHECK_EQ(qemu_iovec_compare(&v, &same), 6);
    other[0] = 2;
    CHECK_EQ(qemu_iovec_compare(&v, &same), 0);
    qemu_iovec_init_external(&same, there, COUNT - 1);
    CHECK_ABORTS(qemu_iovec_compare(&v, &same));
}

static void a_clone_overlaps_where_its_source_does(void)
{
    static const size_t at[] = {100, 105, 200, 100, 150, 112}, len[] = {10, 10, 4, 3, 0, 2}, to[] = {0, 5, 15, 0, 15, 12};
    static char memory[256], buf[19];
    struct iovec source[6];
    Vector from, clone;

    for (int i = 0; i < 6; i++) {
        source[i].iov_base = memory + at[i];
        source[i].iov_len = len[i];
    }
    qemu_iovec_init_external(&from, source, 6);
    qemu_iovec_init(&clone, 6);
    qemu_iovec_clone(&clone, &from, buf);
    check_vector(&clone, 6, 6, 29);
    for (int i = 0; i < 6; i++) {
        CHECK(clone.iov[i].iov_base == buf + to[i]);
        CHECK_EQ(clone.iov[i].iov_len, len[i]);
    }
    qemu_iovec_destroy(&clone);
}

static void a_vector_is_cut_at_its_end(void)
{
    Vector one;

    qemu_iovec_discard_back(&v, 3);
    check_vector(&v, 3, -1, 9);
    check_element(iov[C], 4, 5);
    qemu_iovec_discard_back(&v, 0);
    check_vector(&v, 3, -1, 9);
    qemu_iovec_discard_back(&v, 9);
    check_vector(&v, 0, -1, 0);
    CHECK_ABORTS(qemu_iovec_discard_back(&v, 1));
    set_up();
    qemu_iovec_discard_back(&v, 8);
    check_vector(&v, 1, -1, 4);
    set_up();
    /* An element inside, whose length is the size. */
    qemu_iovec_init_slice(&one, &v, 4, 6);
    qemu_iovec_destroy(&one);
    qemu_iovec_init_slice(&one, &v, 5, 5);
    qemu_iovec_discard_back(&one, 2);
    check_vector(&one, 1, -1, 3);
    check_element(one.iov[0], 5, 3);
}

static void bytes_pass_a_socket(void)
{
    int sockets[2];
    char got[SIZE] = "";

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    CHECK_EQ(iov_send_recv(sockets[0], iov, COUNT, 3, 9, true), 9);
    CHECK_EQ(read(sockets[1], got, sizeof got), 9);
    CHECK(memcmp(got, bytes + 3, 9) == 0);
    CHECK_EQ(iov_send_recv_with_flags(sockets[1], MSG_NOSIGNAL, iov, COUNT, 0, 5, true), 5);
    memset(bytes, 0, sizeof bytes);
    CHECK_EQ(iov_send_recv(sockets[0], iov, COUNT, 2, 10, false), 5);
    CHECK(memcmp(bytes, "\0\0\0\1\2\3\4\0\0\0\0", 12) == 0);
    errno = 0;
    CHECK_EQ(iov_send_recv(sockets[0], iov, COUNT, 0, 1, false), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(iov_send_recv(-1, iov, COUNT, 0, 1, true), -1);
    CHECK_EQ(errno, EBADF);
    CHECK_EQ(iov_send_recv(-1, iov, COUNT, 13, 0, true), 0);
    CHECK_ABORTS(iov_send_recv(sockets[0], iov, COUNT, 11, 2, true));
    close(sockets[1]);
    CHECK_EQ(iov_send_recv(sockets[0], iov, COUNT, 0, 1, false), 0);
    close(sockets[0]);
}

static void bytes_are_printed(void)
{
    char text[200] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");

    CHECK(stream != NULL);
    bytes[4] = 'x';
    iov_hexdump(iov, COUNT, stream, "p", 7);
    fclose(stream);
    CHECK(strncmp(text, "p: 0000:", 8) == 0);
    CHECK(strstr(text, "00 01 02 03  78 05 06") != NULL);
    CHECK(strstr(text, " ....x..\n") != NULL);
}

int main(void)
{
    static void (*const tests[])(void) = {
        bytes_are_copied_at_every_offset_and_of_every_length,
        elements_are_copied_but_not_empty_ones,
        discards_change_one_element_and_are_undone,
        discards_of_one_element_are_undone_in_reverse_order,
        a_slice_counts_empty_elements_within_it,
        a_vector_is_made_of_a_part_of_another_with_a_head_and_a_tail,
        a_vector_has_at_most_1024_elements_when_it_is_made_of_another,
        a_vector_grows,
        zeros_are_found_and_vectors_compared,
        a_clone_overlaps_where_its_source_does,
        a_vector_is_cut_at_its_end,
        bytes_pass_a_socket,
        bytes_are_printed,
    };

    CHECK_EQ(sizeof(Vector), 5 * sizeof(void *));
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        set_up();
        tests[i]();
    }
    return 0;
}
