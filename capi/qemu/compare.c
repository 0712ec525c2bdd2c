/*
 * QEMU's own objects and this library in one process: the same random calls to both, whose results must be equal, and
 * the time per call of each.
 *
 * `run` renames the functions of QEMU's objects to c_..., and links this in the place of a test of QEMU's.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "io/channel-buffer.h"
#include "io/channel-null.h"
#include "../migration/qemu-file.h"

/* ---- The functions of both */

#define FUNCTIONS(X) \
    X(iov_size) X(iov_from_buf_full) X(iov_to_buf_full) X(iov_memset) X(iov_copy) X(iov_send_recv) X(iov_hexdump) \
    X(iov_discard_front) X(iov_discard_back) X(iov_discard_front_undoable) X(iov_discard_back_undoable) \
    X(iov_discard_undo) \
    X(qemu_iovec_init) X(qemu_iovec_init_external) X(qemu_iovec_init_slice) X(qemu_iovec_add) X(qemu_iovec_concat) \
    X(qemu_iovec_concat_iov) X(qemu_iovec_subvec_niov) X(qemu_iovec_is_zero) X(qemu_iovec_destroy) \
    X(qemu_iovec_reset) X(qemu_iovec_to_buf) X(qemu_iovec_from_buf) X(qemu_iovec_memset) X(qemu_iovec_compare) \
    X(qemu_iovec_clone) X(qemu_iovec_discard_back) \
    X(qemu_file_new_output) X(qemu_file_new_input) X(qemu_fclose) X(qemu_fflush) X(qemu_file_get_error) \
    X(qemu_file_set_error) X(qemu_put_byte) X(qemu_put_be16) X(qemu_put_be32) X(qemu_put_be64) X(qemu_put_buffer) \
    X(qemu_put_buffer_async) X(qemu_put_counted_string) X(qemu_get_byte) X(qemu_get_be16) X(qemu_get_be32) \
    X(qemu_get_be64) X(qemu_get_buffer) X(qemu_get_buffer_in_place) X(qemu_get_counted_string) X(qemu_peek_buffer) \
    X(qemu_peek_byte) X(qemu_file_skip)

#define FIELD(name) typeof(name) *name;
#define DECLARED(name) extern typeof(name) c_##name;
#define OURS(name) .name = name,
#define THEIRS(name) .name = c_##name,

typedef struct {
    FUNCTIONS(FIELD)
#if QEMU_VERSION_MAJOR < 8
    typeof(qemu_iovec_init_extended) *qemu_iovec_init_extended;
#endif
} Functions;
FUNCTIONS(DECLARED)
#if QEMU_VERSION_MAJOR < 8
DECLARED(qemu_iovec_init_extended)
static const Functions c = { FUNCTIONS(THEIRS) THEIRS(qemu_iovec_init_extended) };
static const Functions ours = { FUNCTIONS(OURS) OURS(qemu_iovec_init_extended) };
#else
static const Functions c = { FUNCTIONS(THEIRS) };
static const Functions ours = { FUNCTIONS(OURS) };
#endif

/* ---- Random numbers */

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* 0 to `most`. */
static size_t upto(size_t most)
{
    return next() % (most + 1);
}

static uint64_t results;

static void differ(const char *what, uint64_t seed)
{
    fprintf(stderr, "%s: the results differ; seed %" PRIu64 "\n", what, seed);
    exit(1);
}

/* ---- Vectors */

enum { MOST = 40, MEMORY = 4096 };

/* What one side of a comparison works on. */
typedef struct {
    uint8_t memory[MEMORY];
    struct iovec iov[MOST];
    unsigned count;
    /* What the calls have returned. */
    GByteArray *log;
} Side;

static void note(Side *side, uint64_t value)
{
    g_byte_array_append(side->log, (uint8_t *)&value, sizeof(value));
    results++;
}

/* An address as both sides have it. */
static uint64_t place(const Side *side, const void *base)
{
    uintptr_t at = (uintptr_t)base - (uintptr_t)side->memory;
    return base && at <= MEMORY ? at : (uintptr_t)base;
}

static void note_array(Side *side, const struct iovec *iov, unsigned count)
{
    note(side, count);
    for (unsigned i = 0; i < count; i++) {
        /* An empty element has no place. */
        note(side, iov[i].iov_len ? place(side, iov[i].iov_base) : 0);
        note(side, iov[i].iov_len);
    }
}

static void note_vector(Side *side, const QEMUIOVector *qiov)
{
    note(side, qiov->nalloc);
    note(side, qiov->size);
    note(side, qiov->iov == &qiov->local_iov);
    note_array(side, qiov->iov, qiov->niov);
}

/* Elements that overlap, or not; some of them empty, some of those at no address. */
static void fill_in(Side *side)
{
    size_t longest = upto(3) ? upto(40) : 1;
    bool overlap = upto(1);
    size_t at = 0;

    side->count = upto(3) ? upto(7) : upto(MOST);
    for (unsigned i = 0; i < side->count; i++) {
        size_t len = upto(4) ? upto(longest) : 0;
        if (overlap) {
            at = upto(500);
        }
        side->iov[i].iov_base = len || upto(1) ? side->memory + at : NULL;
        side->iov[i].iov_len = len;
        at += len + upto(2);
    }
    for (size_t i = 0; i < MEMORY; i++) {
        side->memory[i] = upto(5) ? 0 : next();
    }
}

static void call_vector(const Functions *f, Side *side)
{
    struct iovec *iov = side->iov, copy[MOST], *first = iov;
    unsigned count = side->count, last;
    size_t size = f->iov_size(iov, count);
    size_t offset = upto(size), bytes = upto(7) ? upto(size + 3) : upto(1) ? 0 : SIZE_MAX;
    size_t within = MIN(bytes, size - offset);
    uint8_t buf[MOST * 40 + 16];
    QEMUIOVector a, b;
    IOVDiscardUndo front, back;
    size_t cut = upto(size + 2), cut_back = upto(size + 2);
    unsigned kind = upto(18);

    if (size > sizeof(buf) - 16) {
        return;
    }
    note(side, size);
    note(side, kind);
    memset(buf, 0x5a, sizeof(buf));
    f->qemu_iovec_init_external(&a, iov, count);
    switch (kind) {
    case 0:
        note(side, f->iov_to_buf_full(iov, count, offset, buf, bytes));
        break;
    case 1:
        for (size_t i = 0; i < sizeof(buf); i++) {
            buf[i] = i;
        }
        note(side, f->iov_from_buf_full(iov, count, offset, buf, bytes));
        break;
    case 2:
        note(side, f->iov_memset(iov, count, offset, next(), bytes));
        break;
    case 3:
        last = f->iov_copy(copy, upto(1) && offset == 0 ? upto(MOST) : MOST, iov, count, offset, bytes);
        note_array(side, copy, last);
        break;
    case 4:
        note(side, f->iov_discard_front_undoable(&first, &count, cut, &front));
        note(side, first - iov);
        note_array(side, first, count);
        note(side, f->iov_discard_back_undoable(first, &count, cut_back, &back));
        note_array(side, first, count);
        f->iov_discard_undo(&back);
        f->iov_discard_undo(&front);
        break;
    case 5:
        note(side, f->iov_discard_front(&first, &count, cut));
        note(side, f->iov_discard_back(first, &count, cut_back));
        note(side, first - iov);
        note_array(side, first, count);
        break;
    case 6:
        note(side, f->qemu_iovec_subvec_niov(&a, offset, within));
        break;
    case 7:
        note(side, f->qemu_iovec_is_zero(&a, offset, within));
        break;
    case 8:
        f->qemu_iovec_init_slice(&b, &a, offset, within);
#if QEMU_VERSION_MAJOR < 8
        note_vector(side, &b);
#endif
        memset(buf, 0, sizeof(buf));
        note(side, f->qemu_iovec_to_buf(&b, 0, buf, sizeof(buf)));
        f->qemu_iovec_destroy(&b);
        note_vector(side, &b);
        break;
    case 9:
        f->qemu_iovec_init(&b, upto(3));
        f->qemu_iovec_add(&b, side->memory + MEMORY - 9, 9);
        note(side, f->qemu_iovec_concat_iov(&b, iov, count, offset, bytes));
        note_vector(side, &b);
        f->qemu_iovec_concat(&b, &a, offset, within);
        note_vector(side, &b);
        f->qemu_iovec_reset(&b);
        note_vector(side, &b);
        for (unsigned i = 0; i < count; i++) {
            f->qemu_iovec_add(&b, iov[i].iov_base, iov[i].iov_len);
            note_vector(side, &b);
        }
        f->qemu_iovec_destroy(&b);
        break;
    case 10:
        f->qemu_iovec_init(&b, upto(1));
        f->qemu_iovec_clone(&b, &a, side->memory);
        note_vector(side, &b);
        for (int i = 0; i < b.niov; i++) {
            note(side, (uint8_t *)b.iov[i].iov_base - side->memory);
        }
        f->qemu_iovec_destroy(&b);
        break;
    case 11: {
        uint8_t *other = g_memdup2(side->memory, MEMORY);
        f->qemu_iovec_init(&b, count);
        for (unsigned i = 0; i < count; i++) {
            uint8_t *at = iov[i].iov_base;
            f->qemu_iovec_add(&b, at ? other + (at - side->memory) : NULL, iov[i].iov_len);
        }
        if (upto(2)) {
            other[upto(500)] ^= 1;
        }
        note(side, f->qemu_iovec_compare(&a, &b));
        f->qemu_iovec_destroy(&b);
        g_free(other);
        break;
    }
    case 12:
        f->qemu_iovec_discard_back(&a, offset);
        note_vector(side, &a);
        break;
    case 13: {
        g_autofree char *text = NULL;
        size_t len;
        FILE *stream = open_memstream(&text, &len);
        f->iov_hexdump(iov, count, stream, "pre\xff", bytes == SIZE_MAX ? size : bytes);
        fclose(stream);
        for (size_t i = 0; i < len; i++) {
            if (text[i] != ' ') {
                note(side, text[i]);
            }
        }
        break;
    }
    case 14:
        note(side, f->qemu_iovec_to_buf(&a, offset, buf, bytes));
        break;
    case 15:
        note(side, f->qemu_iovec_from_buf(&a, offset, buf, bytes));
        break;
    case 16:
        note(side, f->qemu_iovec_memset(&a, offset, next(), bytes));
        break;
    case 17: {
        int sockets[2];
        ssize_t sent;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets)) {
            abort();
        }
        sent = f->iov_send_recv(sockets[0], iov, count, offset, within, true);
        note(side, sent);
        note(side, f->iov_send_recv(sockets[1], iov, count, 0, sent, false));
        /* Nothing is there any more. */
        errno = 0;
        note(side, f->iov_send_recv(sockets[1], iov, count, offset, within, false));
        note(side, errno);
        close(sockets[0]);
        note(side, f->iov_send_recv(sockets[1], iov, count, offset, within, false));
        note(side, f->iov_send_recv(-1, iov, count, offset, within, true));
        close(sockets[1]);
        break;
    }
    case 18:
#if QEMU_VERSION_MAJOR < 8
        note(side, f->qemu_iovec_init_extended(&b, side->memory, upto(2) ? upto(3) : SIZE_MAX - upto(9), &a, offset,
                                               within, side->memory + 9, upto(2)));
        /* Without a vector. */
        if (side->log->data[side->log->len - 8] == 0) {
            note_vector(side, &b);
            f->qemu_iovec_destroy(&b);
        }
#endif
        break;
    }
    g_byte_array_append(side->log, buf, sizeof(buf));
    note_array(side, iov, side->count);
}

/* Where the logs of both sides first differ, and what they are: the kind of call is the second number. */
static void show(const Side *one, const Side *two)
{
    const uint64_t *a = (uint64_t *)one->log->data, *b = (uint64_t *)two->log->data;
    unsigned len = MIN(one->log->len, two->log->len) / 8, at = 0;

    while (at < len && a[at] == b[at]) {
        at++;
    }
    fprintf(stderr, "kind %" PRIu64 ", number %u: C %#" PRIx64 ", here %#" PRIx64 "\n", a[1], at, a[at], b[at]);
}

static void compare_vectors(unsigned rounds)
{
    static Side one, two;

    for (uint64_t seed = 1; seed <= rounds; seed++) {
        Side *sides[] = { &one, &two };
        for (int i = 0; i < 2; i++) {
            state = seed * 0x9e3779b97f4a7c15;
            sides[i]->log = g_byte_array_new();
            fill_in(sides[i]);
            call_vector(i ? &ours : &c, sides[i]);
            g_byte_array_append(sides[i]->log, sides[i]->memory, MEMORY);
        }
        if (one.log->len != two.log->len || memcmp(one.log->data, two.log->data, one.log->len)) {
            show(&one, &two);
            differ("vectors", seed);
        }
        g_byte_array_free(one.log, true);
        g_byte_array_free(two.log, true);
    }
}

/* ---- Files */

enum { LONGEST = 70000 };

static uint8_t data[LONGEST + 256];

static size_t some_length(void)
{
    return upto(3) ? upto(300) : upto(LONGEST);
}

/* What a writer has sent. */
static QIOChannelBuffer *write_file(const Functions *f)
{
    QIOChannelBuffer *channel = qio_channel_buffer_new(0);
    QEMUFile *file = f->qemu_file_new_output(QIO_CHANNEL(channel));

    for (unsigned calls = upto(200); calls > 0; calls--) {
        char string[256] = "";
        size_t len;
        switch (upto(7)) {
        case 0: f->qemu_put_byte(file, next()); break;
        case 1: f->qemu_put_be16(file, next()); break;
        case 2: f->qemu_put_be32(file, next()); break;
        case 3: f->qemu_put_be64(file, next()); break;
        case 4: len = some_length(); f->qemu_put_buffer(file, data + upto(255), len); break;
        case 5: len = some_length(); f->qemu_put_buffer_async(file, data + upto(255), len, false); break;
        case 6: memset(string, 'x', upto(255)); f->qemu_put_counted_string(file, string); break;
        case 7: f->qemu_fflush(file); break;
        }
    }
    object_ref(OBJECT(channel));
    if (f->qemu_fclose(file)) {
        differ("closing a file", 0);
    }
    return channel;
}

static GByteArray *read_file(const Functions *f, const uint8_t *bytes, size_t size)
{
    QIOChannelBuffer *channel = qio_channel_buffer_new(size);
    GByteArray *log = g_byte_array_new();
    static uint8_t buf[LONGEST + 256];
    QEMUFile *file;
    size_t left = size;

    memcpy(channel->data, bytes, size);
    channel->usage = size;
    file = f->qemu_file_new_input(QIO_CHANNEL(channel));
    for (unsigned calls = upto(200); calls > 0; calls--) {
        uint64_t value = 0;
        uint8_t *at = buf;
        size_t len = 0, kind = upto(8);
        /* At the end C completes integers by zeros; the rest is the same. */
        switch (left < 8 && kind < 4 ? 4 : kind) {
        case 0: value = f->qemu_get_byte(file); left -= 1; break;
        case 1: value = f->qemu_get_be16(file); left -= 2; break;
        case 2: value = f->qemu_get_be32(file); left -= 4; break;
        case 3: value = f->qemu_get_be64(file); left -= 8; break;
        case 4: len = f->qemu_get_buffer(file, buf, some_length()); left -= len; break;
        case 5: len = f->qemu_get_buffer_in_place(file, &at, MIN(some_length(), left)); left -= len; break;
        case 6: len = f->qemu_peek_buffer(file, &at, MIN(upto(32768), left), 0); break;
        case 7: value = left ? f->qemu_peek_byte(file, 0) : 0; break;
        case 8:
            len = MIN(left, upto(300));
            f->qemu_peek_buffer(file, &at, len, 0);
            f->qemu_file_skip(file, len);
            left -= len;
            break;
        }
        value += (uint64_t)f->qemu_file_get_error(file) << 32;
        g_byte_array_append(log, (uint8_t *)&value, sizeof(value));
        g_byte_array_append(log, at, len);
        results++;
    }
    f->qemu_fclose(file);
    object_unref(OBJECT(channel));
    return log;
}

static void compare_files(unsigned rounds)
{
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = next();
    }
    for (uint64_t seed = 1; seed <= rounds; seed++) {
        QIOChannelBuffer *sent[2];
        GByteArray *got[2];
        for (int i = 0; i < 2; i++) {
            state = seed * 0x9e3779b97f4a7c15;
            sent[i] = write_file(i ? &ours : &c);
        }
        if (sent[0]->usage != sent[1]->usage || memcmp(sent[0]->data, sent[1]->data, sent[0]->usage)) {
            differ("written files", seed);
        }
        results += sent[0]->usage;
        for (int i = 0; i < 2; i++) {
            state = seed * 0x9e3779b97f4a7c15;
            got[i] = read_file(i ? &ours : &c, sent[0]->data, sent[0]->usage);
        }
        if (got[0]->len != got[1]->len || memcmp(got[0]->data, got[1]->data, got[0]->len)) {
            differ("read files", seed);
        }
        for (int i = 0; i < 2; i++) {
            object_unref(OBJECT(sent[i]));
            g_byte_array_free(got[i], true);
        }
    }
}

/* ---- Time per call */

typedef struct {
    struct iovec iov[256], other[256], copy[256];
    unsigned count;
    size_t size;
    uint8_t *buf;
    QEMUIOVector qiov, same, grown;
    QEMUFile *file;
    QIOChannelBuffer *channel;
    size_t len;
} Work;

typedef void Case(const Functions *f, Work *w);

static void t_size(const Functions *f, Work *w) { f->iov_size(w->iov, w->count); }
static void t_to_buf(const Functions *f, Work *w) { f->iov_to_buf_full(w->iov, w->count, 0, w->buf, w->size); }
static void t_from_buf(const Functions *f, Work *w) { f->iov_from_buf_full(w->iov, w->count, 0, w->buf, w->size); }
static void t_header(const Functions *f, Work *w) { f->iov_to_buf_full(w->iov, w->count, 0, w->buf, 12); }
static void t_memset(const Functions *f, Work *w) { f->iov_memset(w->iov, w->count, 0, 0, w->size); }
static void t_copy(const Functions *f, Work *w) { f->iov_copy(w->copy, 256, w->iov, w->count, 5, w->size); }
static void t_front(const Functions *f, Work *w)
{
    struct iovec *iov = w->iov;
    unsigned count = w->count;
    IOVDiscardUndo undo;
    f->iov_discard_front_undoable(&iov, &count, 12, &undo);
    f->iov_discard_undo(&undo);
}
static void t_back(const Functions *f, Work *w)
{
    unsigned count = w->count;
    IOVDiscardUndo undo;
    f->iov_discard_back_undoable(w->iov, &count, 1, &undo);
    f->iov_discard_undo(&undo);
}
static void t_front_all(const Functions *f, Work *w)
{
    struct iovec *iov = w->iov;
    unsigned count = w->count;
    f->iov_discard_front(&iov, &count, w->size);
}
static void t_back_all(const Functions *f, Work *w)
{
    unsigned count = w->count;
    f->iov_discard_back(w->iov, &count, w->size);
}
static void t_external(const Functions *f, Work *w) { f->qemu_iovec_init_external(&w->qiov, w->iov, w->count); }
static void t_niov(const Functions *f, Work *w) { f->qemu_iovec_subvec_niov(&w->qiov, 3, w->size - 4); }
static void t_slice(const Functions *f, Work *w)
{
    QEMUIOVector slice;
    f->qemu_iovec_init_slice(&slice, &w->qiov, 3, w->size - 4);
    f->qemu_iovec_destroy(&slice);
}
static void t_add(const Functions *f, Work *w)
{
    QEMUIOVector made;
    f->qemu_iovec_init(&made, 4);
    for (unsigned i = 0; i < w->count; i++) {
        f->qemu_iovec_add(&made, w->iov[i].iov_base, w->iov[i].iov_len);
    }
    f->qemu_iovec_destroy(&made);
}
static void t_concat(const Functions *f, Work *w)
{
    f->qemu_iovec_reset(&w->grown);
    f->qemu_iovec_concat(&w->grown, &w->qiov, 3, w->size - 4);
}
static void t_zero(const Functions *f, Work *w) { f->qemu_iovec_is_zero(&w->qiov, 0, w->size); }
static void t_compare(const Functions *f, Work *w) { f->qemu_iovec_compare(&w->qiov, &w->same); }
static void t_clone(const Functions *f, Work *w)
{
    f->qemu_iovec_reset(&w->grown);
    f->qemu_iovec_clone(&w->grown, &w->qiov, w->buf);
}

static void t_put_byte(const Functions *f, Work *w) { f->qemu_put_byte(w->file, 1); }
static void t_put_be16(const Functions *f, Work *w) { f->qemu_put_be16(w->file, 1); }
static void t_put_be32(const Functions *f, Work *w) { f->qemu_put_be32(w->file, 1); }
static void t_put_be64(const Functions *f, Work *w) { f->qemu_put_be64(w->file, 1); }
static void t_put(const Functions *f, Work *w) { f->qemu_put_buffer(w->file, data, w->len); }
static void t_put_async(const Functions *f, Work *w) { f->qemu_put_buffer_async(w->file, data, w->len, false); }
static void t_get_byte(const Functions *f, Work *w) { f->qemu_get_byte(w->file); }
static void t_get_be16(const Functions *f, Work *w) { f->qemu_get_be16(w->file); }
static void t_get_be32(const Functions *f, Work *w) { f->qemu_get_be32(w->file); }
static void t_get_be64(const Functions *f, Work *w) { f->qemu_get_be64(w->file); }
static void t_get(const Functions *f, Work *w) { f->qemu_get_buffer(w->file, w->buf, w->len); }
static void t_in_place(const Functions *f, Work *w)
{
    uint8_t *at = w->buf;
    f->qemu_get_buffer_in_place(w->file, &at, w->len);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* The shortest time of a call, in nanoseconds, of both sides in turns. */
static void measure(const char *name, Case *call, Work *for_c, Work *for_ours, double *slowest)
{
    double best[2] = { 1e18, 1e18 };
    unsigned calls = 1;
    double ratio;

    for (int64_t took = 0; took < 20000; calls *= 2) {
        int64_t start = now();
        for (unsigned i = 0; i < calls; i++) {
            call(&c, for_c);
        }
        took = now() - start;
    }
    for (unsigned round = 0; round < 120; round++) {
        for (int i = 0; i < 2; i++) {
            const Functions *f = i ? &ours : &c;
            Work *w = i ? for_ours : for_c;
            int64_t start;
            if (w->channel) {
                w->channel->offset = 0;
            }
            start = now();
            for (unsigned j = 0; j < calls; j++) {
                call(f, w);
            }
            best[i] = MIN(best[i], (double)(now() - start) / calls);
        }
    }
    ratio = best[1] / best[0];
    *slowest = MAX(*slowest, ratio);
    printf("%-28s C %9.1f ns   here %9.1f ns   ratio %5.2f\n", name, best[0], best[1], ratio);
}

static const struct { const char *name; Case *call; } vector_cases[] = {
    { "iov_size", t_size }, { "iov_to_buf", t_to_buf }, { "iov_from_buf", t_from_buf },
    { "iov_to_buf of 12", t_header }, { "iov_memset", t_memset }, { "iov_copy", t_copy },
    { "discard_front 12, undo", t_front }, { "discard_back 1, undo", t_back },
    { "discard_front all", t_front_all }, { "discard_back all", t_back_all },
    { "init_external", t_external }, { "subvec_niov", t_niov }, { "init_slice", t_slice },
    { "init, add each", t_add }, { "concat", t_concat }, { "is_zero", t_zero }, { "compare", t_compare },
    { "clone", t_clone },
};

static const struct { unsigned count; size_t len; } shapes[] = {
    { 1, 512 }, { 3, 16 }, { 16, 64 }, { 128, 512 }, { 256, 16 },
};

static void time_vectors(double *slowest)
{
    /* One for both sides: where memory lies makes a difference. */
    static Work work, *w = &work;

    for (int shape = 0; shape < ARRAY_SIZE(shapes); shape++) {
        size_t len = shapes[shape].len;
        *w = (Work) { .count = shapes[shape].count };
        w->size = w->count * len;
        w->buf = g_malloc0(w->size);
        for (unsigned i = 0; i < w->count; i++) {
            w->iov[i] = (struct iovec) { g_malloc0(len), len };
            w->other[i] = (struct iovec) { g_malloc0(len), len };
        }
        qemu_iovec_init_external(&w->qiov, w->iov, w->count);
        qemu_iovec_init_external(&w->same, w->other, w->count);
        qemu_iovec_init(&w->grown, 256);
        printf("--- %u elements of %zu bytes\n", shapes[shape].count, shapes[shape].len);
        for (int i = 0; i < ARRAY_SIZE(vector_cases); i++) {
            measure(vector_cases[i].name, vector_cases[i].call, w, w, slowest);
        }
    }
}

static const struct { const char *name; Case *call; size_t len; bool reads; } file_cases[] = {
    { "put_byte", t_put_byte, 1 }, { "put_be16", t_put_be16, 2 }, { "put_be32", t_put_be32, 4 },
    { "put_be64", t_put_be64, 8 }, { "put_buffer 16", t_put, 16 }, { "put_buffer 256", t_put, 256 },
    { "put_buffer 4096", t_put, 4096 }, { "put_buffer 65536", t_put, 65536 },
    { "put_buffer_async 4096", t_put_async, 4096 },
    { "get_byte", t_get_byte, 1, true }, { "get_be16", t_get_be16, 2, true }, { "get_be32", t_get_be32, 4, true },
    { "get_be64", t_get_be64, 8, true }, { "get_buffer 16", t_get, 16, true }, { "get_buffer 256", t_get, 256, true },
    { "get_buffer 4096", t_get, 4096, true }, { "get_buffer 65536", t_get, 65536, true },
    { "get_buffer_in_place 4096", t_in_place, 4096, true },
};

static void time_files(double *slowest)
{
    enum { SOURCE = 64 << 20 };
    static uint8_t into[LONGEST];

    printf("--- files\n");
    for (int n = 0; n < ARRAY_SIZE(file_cases); n++) {
        Work *works = g_new0(Work, 2);
        for (int i = 0; i < 2; i++) {
            const Functions *f = i ? &ours : &c;
            Work *w = &works[i];
            w->len = file_cases[n].len;
            w->buf = into;
            if (file_cases[n].reads) {
                w->channel = qio_channel_buffer_new(SOURCE);
                w->channel->usage = SOURCE;
                w->file = f->qemu_file_new_input(QIO_CHANNEL(w->channel));
            } else {
                w->file = f->qemu_file_new_output(QIO_CHANNEL(qio_channel_null_new()));
            }
        }
        measure(file_cases[n].name, file_cases[n].call, &works[0], &works[1], slowest);
        for (int i = 0; i < 2; i++) {
            const Functions *f = i ? &ours : &c;
            if (f->qemu_file_get_error(works[i].file)) {
                differ(file_cases[n].name, 0);
            }
            f->qemu_fclose(works[i].file);
            if (works[i].channel) {
                object_unref(OBJECT(works[i].channel));
            }
        }
        g_free(works);
    }
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? atoi(argv[1]) : 1000;
    double slowest = 0;

    module_call_init(MODULE_INIT_QOM);
    compare_vectors(rounds * 100);
    compare_files(rounds);
    printf("%" PRIu64 " results of C and of this library are equal\n", results);
    time_vectors(&slowest);
    time_files(&slowest);
    printf("the slowest: %.2f times C\n", slowest);
    return 0;
}
