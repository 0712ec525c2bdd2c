/*
 * QEMU's files over ioviter: what takes the place of migration/qemu-file.c. It is compiled by QEMU's build, with the
 * command of that file.
 *
 * A QEMUFile is a writer or a reader, whose channel is a QIOChannel. Other threads stop it, set or ask for its error,
 * and set its rate limit. They do so here, by two numbers that the channel looks at: so a put need not.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "qemu/osdep.h"
#include <zlib.h>
#include "qemu/error-report.h"
#include "qemu/madvise.h"
#include "qemu/coroutine.h"
#include "qapi/error.h"
#include "io/channel.h"
#include "qemu-file.h"
#include "iov_iter.h"

#define BUFFER_SIZE 32768

struct QEMUFile {
    /* One of the two. */
    struct ioviter_writer *writer;
    struct ioviter_reader *reader;
    QIOChannel *ioc;
    /* The first error, 0 if there is none. Any thread may set it. */
    int error;
    /* What the channel or QEMU said about it. */
    Error *reason;
#if QEMU_VERSION_MAJOR < 8
    /* Bytes in a window, 0 if there is no limit. Any thread may set it. */
    int64_t rate_limit;
    const QEMUFileHooks *hooks;
#else
    /* Descriptors that have arrived, an int each, the oldest first. */
    GQueue descriptors;
#endif
};

/* Whether `error` is the first. */
static bool fail(QEMUFile *f, int error)
{
    return qatomic_cmpxchg(&f->error, 0, error) == 0;
}

int qemu_file_get_error(QEMUFile *f)
{
    return qatomic_read(&f->error);
}

/* ---- The channel. Once the file has an error, nothing is read or written. */

/* What the library is to make of what a function of the channel returned. */
static ssize_t moved(QEMUFile *f, ssize_t result, Error *err)
{
    if (result >= 0) {
        return result;
    }
    if (result == QIO_CHANNEL_ERR_BLOCK) {
        return -EAGAIN;
    }
    if (fail(f, -EIO) && !f->reason) {
        f->reason = err;
    } else {
        error_free(err);
    }
    return -EIO;
}

static ssize_t channel_readv(void *opaque, const struct iovec *iov, size_t count)
{
    QEMUFile *f = opaque;
    Error *err = NULL;
    ssize_t len;

    if (qemu_file_get_error(f)) {
        return -EIO;
    }
#if QEMU_VERSION_MAJOR < 8
    len = qio_channel_readv(f->ioc, iov, count, &err);
#else
    int **fds_out = NULL, *fds = NULL;
    size_t *count_out = NULL, nfds = 0;

    if (qio_channel_has_feature(f->ioc, QIO_CHANNEL_FEATURE_FD_PASS)) {
        fds_out = &fds;
        count_out = &nfds;
    }
    len = qio_channel_readv_full(f->ioc, iov, count, fds_out, count_out, 0, &err);
    for (size_t i = 0; i < nfds; i++) {
        g_queue_push_tail(&f->descriptors, GINT_TO_POINTER(fds[i]));
    }
    g_free(fds);
#endif
    if (len == 0) {
        /* Nobody asks for more than there should be. */
        fail(f, -EIO);
    }
    return moved(f, len, err);
}

static ssize_t channel_writev(void *opaque, const struct iovec *iov, size_t count)
{
    QEMUFile *f = opaque;
    Error *err = NULL;
    ssize_t len;

    if (qemu_file_get_error(f)) {
        return -EIO;
    }
    len = qio_channel_writev(f->ioc, iov, count, &err);
    return moved(f, len, err);
}

static int channel_wait(void *opaque, int ready)
{
    QEMUFile *f = opaque;
    GIOCondition condition = ready == IOVITER_READY_WRITE ? G_IO_OUT : G_IO_IN;
    if (qemu_in_coroutine()) {
        qio_channel_yield(f->ioc, condition);
    } else {
        qio_channel_wait(f->ioc, condition);
    }
    return 0;
}

static int channel_set_blocking(void *opaque, int blocking)
{
    QEMUFile *f = opaque;
    return qio_channel_set_blocking(f->ioc, blocking, NULL) < 0 ? -EIO : 0;
}

static int channel_close(void *opaque)
{
    QEMUFile *f = opaque;
    int ret = qio_channel_close(f->ioc, NULL);
    return ret < 0 ? ret : 0;
}

static void channel_release(void *opaque, void *base, size_t len)
{
    if (qemu_madvise(base, len, QEMU_MADV_DONTNEED) < 0) {
        error_report("%zu bytes of memory that were sent cannot be released: %s", len, strerror(errno));
    }
}

#if QEMU_VERSION_MAJOR >= 8
static int64_t channel_seek(void *opaque, int64_t distance, int whence)
{
    QEMUFile *f = opaque;
    Error *err = NULL;
    off_t position = qio_channel_io_seek(f->ioc, distance, whence, &err);
    return position < 0 ? moved(f, -1, err) : position;
}

static ssize_t channel_preadv(void *opaque, const struct iovec *iov, size_t count, uint64_t position)
{
    QEMUFile *f = opaque;
    Error *err = NULL;
    ssize_t len;

    if (qemu_file_get_error(f)) {
        return -EIO;
    }
    len = qio_channel_preadv(f->ioc, iov, count, position, &err);
    return moved(f, len, err);
}

static ssize_t channel_pwritev(void *opaque, const struct iovec *iov, size_t count, uint64_t position)
{
    QEMUFile *f = opaque;
    Error *err = NULL;
    ssize_t len;

    if (qemu_file_get_error(f)) {
        return -EIO;
    }
    len = qio_channel_pwritev(f->ioc, iov, count, position, &err);
    return moved(f, len, err);
}
#endif

/* ---- Opening, closing, control */

static QEMUFile *open_file(QIOChannel *ioc, bool writable)
{
    QEMUFile *f = g_new0(QEMUFile, 1);
    struct ioviter_channel_ops ops = {
        .size = sizeof(ops),
        .readv = channel_readv,
        .writev = channel_writev,
        .wait = channel_wait,
        .set_blocking = channel_set_blocking,
        .close = channel_close,
        .release = channel_release,
    };
    int ret;

    f->ioc = ioc;
    object_ref(OBJECT(ioc));
#if QEMU_VERSION_MAJOR >= 8
    g_queue_init(&f->descriptors);
    if (qio_channel_has_feature(ioc, QIO_CHANNEL_FEATURE_SEEKABLE)) {
        ops.seek = channel_seek;
        ops.preadv = channel_preadv;
        ops.pwritev = channel_pwritev;
    }
#endif
    if (writable) {
        ret = ioviter_writer_open(&f->writer, &ops, f, 0);
    } else {
        ret = ioviter_reader_open(&f->reader, &ops, f, 0);
    }
    if (ret) {
        error_report("no file: %s", strerror(-ret));
        abort();
    }
    return f;
}

QEMUFile *qemu_file_new_output(QIOChannel *ioc)
{
    return open_file(ioc, true);
}

QEMUFile *qemu_file_new_input(QIOChannel *ioc)
{
    return open_file(ioc, false);
}

QEMUFile *qemu_file_get_return_path(QEMUFile *f)
{
    return open_file(f->ioc, !f->writer);
}

QIOChannel *qemu_file_get_ioc(QEMUFile *f)
{
    return f->ioc;
}

int qemu_fclose(QEMUFile *f)
{
    int error, ret;

    if (f->writer) {
        ioviter_writer_flush(f->writer);
    }
    error = qemu_file_get_error(f);
    ret = f->writer ? ioviter_writer_close(f->writer) : ioviter_reader_close(f->reader);
#if QEMU_VERSION_MAJOR >= 8
    while (!g_queue_is_empty(&f->descriptors)) {
        int fd = GPOINTER_TO_INT(g_queue_pop_head(&f->descriptors));
        warn_report("closing descriptor %d, which nobody asked for", fd);
        close(fd);
    }
#endif
    object_unref(OBJECT(f->ioc));
    error_free(f->reason);
    g_free(f);
    return error ? error : ret;
}

void qemu_file_set_blocking(QEMUFile *f, bool block)
{
    channel_set_blocking(f, block);
}

int qemu_file_shutdown(QEMUFile *f)
{
    /* First, so that whoever sees the channel end sees why. */
    fail(f, -EIO);
    if (!qio_channel_has_feature(f->ioc, QIO_CHANNEL_FEATURE_SHUTDOWN)) {
        return -ENOSYS;
    }
    return qio_channel_shutdown(f->ioc, QIO_CHANNEL_SHUTDOWN_BOTH, NULL) < 0 ? -EIO : 0;
}

/* ---- Errors */

void qemu_file_set_error(QEMUFile *f, int ret)
{
    fail(f, ret);
}

void qemu_file_set_error_obj(QEMUFile *f, int ret, Error *err)
{
    if (ret && fail(f, ret) && !f->reason) {
        f->reason = err;
    } else if (err) {
        error_report_err(err);
    }
}

int qemu_file_get_error_obj(QEMUFile *f, Error **errp)
{
    int error = qemu_file_get_error(f);

    if (error && errp) {
        if (f->reason) {
            *errp = error_copy(f->reason);
        } else {
            error_setg_errno(errp, -error, "Channel error");
        }
    }
    return error;
}

int qemu_file_get_error_obj_any(QEMUFile *f1, QEMUFile *f2, Error **errp)
{
    int error = f1 ? qemu_file_get_error_obj(f1, errp) : 0;

    return error || !f2 ? error : qemu_file_get_error_obj(f2, errp);
}

/* ---- Writing */

#if QEMU_VERSION_MAJOR < 8
void qemu_fflush(QEMUFile *f)
{
    if (f->writer) {
        ioviter_writer_flush(f->writer);
    }
}
#else
int qemu_fflush(QEMUFile *f)
{
    if (f->writer) {
        ioviter_writer_flush(f->writer);
    }
    return qemu_file_get_error(f);
}
#endif

void qemu_put_buffer(QEMUFile *f, const uint8_t *buf, size_t size)
{
    ioviter_writer_put(f->writer, buf, size);
}

void qemu_put_buffer_async(QEMUFile *f, const uint8_t *buf, size_t size, bool may_free)
{
    ioviter_writer_put_async(f->writer, buf, size, may_free);
}

void qemu_put_byte(QEMUFile *f, int v)
{
    ioviter_writer_put_byte(f->writer, v);
}

void qemu_put_be16(QEMUFile *f, unsigned int v)
{
    ioviter_writer_put_be16(f->writer, v);
}

void qemu_put_be32(QEMUFile *f, unsigned int v)
{
    ioviter_writer_put_be32(f->writer, v);
}

void qemu_put_be64(QEMUFile *f, uint64_t v)
{
    ioviter_writer_put_be64(f->writer, v);
}

void qemu_put_counted_string(QEMUFile *f, const char *str)
{
    size_t len = strlen(str);

    assert(len < 256);
    ioviter_writer_put_counted_string(f->writer, str, len);
}

/* ---- Reading */

size_t qemu_get_buffer(QEMUFile *f, uint8_t *buf, size_t size)
{
    ssize_t len = ioviter_reader_get(f->reader, buf, size);

    return len < 0 ? 0 : len;
}

size_t qemu_get_buffer_in_place(QEMUFile *f, uint8_t **buf, size_t size)
{
    const void *bytes = *buf;
    ssize_t len = ioviter_reader_get_in_place(f->reader, &bytes, *buf, size);

    *buf = (uint8_t *)bytes;
    return len < 0 ? 0 : len;
}

size_t qemu_peek_buffer(QEMUFile *f, uint8_t **buf, size_t size, size_t offset)
{
    const void *bytes = *buf;
    ssize_t len;

    assert(f->reader && offset < BUFFER_SIZE && size <= BUFFER_SIZE - offset);
    len = ioviter_reader_peek(f->reader, &bytes, size, offset);
    *buf = (uint8_t *)bytes;
    return len < 0 ? 0 : len;
}

int qemu_peek_byte(QEMUFile *f, int offset)
{
    int byte = ioviter_reader_peek_byte(f->reader, offset);

    return byte < 0 ? 0 : byte;
}

void qemu_file_skip(QEMUFile *f, int size)
{
    ioviter_reader_skip_buffered(f->reader, size);
}

int qemu_get_byte(QEMUFile *f)
{
    return ioviter_reader_get_byte(f->reader);
}

unsigned int qemu_get_be16(QEMUFile *f)
{
    return ioviter_reader_get_be16(f->reader);
}

unsigned int qemu_get_be32(QEMUFile *f)
{
    return ioviter_reader_get_be32(f->reader);
}

uint64_t qemu_get_be64(QEMUFile *f)
{
    return ioviter_reader_get_be64(f->reader);
}

size_t qemu_get_counted_string(QEMUFile *f, char buf[256])
{
    ssize_t len = ioviter_reader_get_counted_string(f->reader, buf);

    if (len < 0) {
        buf[0] = 0;
        return 0;
    }
    return len;
}

#if QEMU_VERSION_MAJOR < 8

/* ---- QEMU 7.2: counters and limits, hooks, compression */

bool qemu_file_is_writable(QEMUFile *f)
{
    return f->writer;
}

int64_t qemu_file_total_transferred(QEMUFile *f)
{
    qemu_fflush(f);
    return qemu_file_total_transferred_fast(f);
}

int64_t qemu_file_total_transferred_fast(QEMUFile *f)
{
    return f->writer ? ioviter_writer_tell(f->writer) : ioviter_reader_fetched(f->reader);
}

void qemu_file_credit_transfer(QEMUFile *f, size_t size)
{
    ioviter_writer_credit(f->writer, size);
}

int qemu_file_rate_limit(QEMUFile *f)
{
    int64_t limit = qatomic_read(&f->rate_limit);

    return qemu_file_get_error(f) || (limit > 0 && ioviter_writer_rate_used(f->writer) > limit);
}

int64_t qemu_file_get_rate_limit(QEMUFile *f)
{
    return qatomic_read(&f->rate_limit);
}

void qemu_file_set_rate_limit(QEMUFile *f, int64_t new_rate)
{
    qatomic_set(&f->rate_limit, new_rate);
}

void qemu_file_reset_rate_limit(QEMUFile *f)
{
    ioviter_writer_rate_reset(f->writer);
}

void qemu_file_acct_rate_limit(QEMUFile *f, int64_t len)
{
    ioviter_writer_rate_account(f->writer, len);
}

void qemu_file_set_hooks(QEMUFile *f, const QEMUFileHooks *hooks)
{
    f->hooks = hooks;
}

static void run_hook(QEMUFile *f, QEMURamHookFunc *hook, uint64_t flags, void *data)
{
    int ret = hook(f, flags, data);

    if (ret < 0) {
        qemu_file_set_error(f, ret);
    }
}

void ram_control_before_iterate(QEMUFile *f, uint64_t flags)
{
    if (f->hooks && f->hooks->before_ram_iterate) {
        run_hook(f, f->hooks->before_ram_iterate, flags, NULL);
    }
}

void ram_control_after_iterate(QEMUFile *f, uint64_t flags)
{
    if (f->hooks && f->hooks->after_ram_iterate) {
        run_hook(f, f->hooks->after_ram_iterate, flags, NULL);
    }
}

void ram_control_load_hook(QEMUFile *f, uint64_t flags, void *data)
{
    if (f->hooks && f->hooks->hook_ram_load) {
        run_hook(f, f->hooks->hook_ram_load, flags, data);
    } else if (flags == RAM_CONTROL_HOOK) {
        /* The stream has what only a hook can read. */
        qemu_file_set_error(f, -EINVAL);
    }
}

size_t ram_control_save_page(QEMUFile *f, ram_addr_t block_offset, ram_addr_t offset, size_t size,
                             uint64_t *bytes_sent)
{
    int ret = RAM_SAVE_CONTROL_NOT_SUPP;

    if (f->hooks && f->hooks->save_page) {
        ret = f->hooks->save_page(f, block_offset, offset, size, bytes_sent);
        if (ret != RAM_SAVE_CONTROL_NOT_SUPP) {
            ioviter_writer_rate_account(f->writer, size);
            if (ret != RAM_SAVE_CONTROL_DELAYED) {
                if (bytes_sent && *bytes_sent > 0) {
                    qemu_file_credit_transfer(f, *bytes_sent);
                } else if (ret < 0) {
                    qemu_file_set_error(f, ret);
                }
            }
        }
    }
    return ret;
}

ssize_t qemu_put_compression_data(QEMUFile *f, z_stream *stream, const uint8_t *p, size_t size)
{
    size_t bound = compressBound(size), len;
    g_autofree uint8_t *block = NULL;

    /* Where the bytes are not sent, the buffer is all the room there is. */
    if (ioviter_writer_pending(f->writer) + sizeof(uint32_t) + bound > BUFFER_SIZE) {
        return -1;
    }
    block = g_malloc(bound);
    if (deflateReset(stream) != Z_OK) {
        return -1;
    }
    stream->next_in = (uint8_t *)p;
    stream->avail_in = size;
    stream->next_out = block;
    stream->avail_out = bound;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END) {
        return -1;
    }
    len = stream->next_out - block;
    qemu_put_be32(f, len);
    qemu_put_buffer(f, block, len);
    return len + sizeof(uint32_t);
}

int qemu_put_qemu_file(QEMUFile *f_des, QEMUFile *f_src)
{
    return ioviter_writer_put_writer(f_des->writer, f_src->writer);
}

#else

/* ---- QEMU 10.0: counters, positions, descriptors */

uint64_t qemu_file_transferred(QEMUFile *f)
{
    return ioviter_writer_transferred(f->writer);
}

static ssize_t descriptor_writev(void *opaque, const struct iovec *iov, size_t count)
{
    int *fd = opaque;
    struct iovec first = iov[0];
    ssize_t len;

    do {
        len = write(*fd, first.iov_base, first.iov_len);
    } while (len < 0 && errno == EINTR);
    return len < 0 ? -errno : len;
}

int qemu_file_get_to_fd(QEMUFile *f, int fd, size_t size)
{
    struct ioviter_channel_ops ops = { .size = sizeof(ops), .writev = descriptor_writev };

    return ioviter_reader_copy_to(f->reader, &ops, &fd, size);
}

void qemu_set_offset(QEMUFile *f, off_t off, int whence)
{
    int64_t position;

    if (f->writer) {
        position = ioviter_writer_seek(f->writer, off, whence);
    } else {
        position = ioviter_reader_seek(f->reader, off, whence);
    }
    if (position < 0) {
        qemu_file_set_error(f, -EIO);
    }
}

off_t qemu_get_offset(QEMUFile *f)
{
    int64_t position = f->writer ? ioviter_writer_offset(f->writer) : ioviter_reader_offset(f->reader);

    if (position < 0) {
        qemu_file_set_error(f, -EIO);
        return -1;
    }
    return position;
}

void qemu_put_buffer_at(QEMUFile *f, const uint8_t *buf, size_t buflen, off_t pos)
{
    int ret = ioviter_writer_put_at(f->writer, buf, buflen, pos);

    if (ret < 0) {
        qemu_file_set_error(f, ret);
    }
}

size_t qemu_get_buffer_at(QEMUFile *f, const uint8_t *buf, size_t buflen, off_t pos)
{
    int ret = ioviter_reader_get_at(f->reader, (void *)buf, buflen, pos);

    if (ret < 0) {
        qemu_file_set_error(f, ret);
        return 0;
    }
    return buflen;
}

int qemu_file_put_fd(QEMUFile *f, int fd)
{
    /* What the descriptor rides on. */
    char carrier = ' ';
    struct iovec iov = { &carrier, sizeof(carrier) };
    Error *err = NULL;

    if (qemu_fflush(f)) {
        return -1;
    }
    if (qio_channel_writev_full_all(f->ioc, &iov, 1, &fd, 1, 0, &err) < 0) {
        qemu_file_set_error_obj(f, -EIO, err);
        return -1;
    }
    ioviter_writer_credit(f->writer, sizeof(carrier));
    return 0;
}

int qemu_file_get_fd(QEMUFile *f)
{
    if (!qio_channel_has_feature(f->ioc, QIO_CHANNEL_FEATURE_FD_PASS)) {
        qemu_file_set_error(f, -EIO);
        return -1;
    }
    /* The descriptor arrives with the byte at the latest. */
    qemu_peek_byte(f, 0);
    if (g_queue_is_empty(&f->descriptors)) {
        return -1;
    }
    qemu_file_skip(f, 1);
    return GPOINTER_TO_INT(g_queue_pop_head(&f->descriptors));
}

#endif
