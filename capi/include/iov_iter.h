/*
 * Scatter-gather vectors, iterators and buffered streams.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * UNITS. Lengths, offsets and positions are in bytes. A `count` of elements says so.
 *
 * ERRORS. An error is a negative errno value, with Linux's number on every target. What returns a count of bytes
 * returns at most SSIZE_MAX. No function aborts, whatever it is given, and none keeps state of its own: not in
 * the thread, not in the process.
 *
 *   NULL with a length of 0 is nothing. NULL with a length is -EFAULT.
 *   A length over SSIZE_MAX, one that wraps around the address space, and a vector of more than SSIZE_MAX bytes
 *   are -EINVAL, as is a NULL handle. A function that cannot return an error returns 0 for a NULL handle.
 *
 * MEMORY. What a pointer and a length, or an element of a vector, describe must be mapped during the call. Other
 * threads, a guest or a device may write it meanwhile: each byte is read once, so that what was looked at is what
 * is used. Nothing of the caller's is kept after a call, but what put_async was given. Memory that is written need
 * not be initialised. Empty elements of a vector change no result, wherever they point.
 *
 * THREADS. Different objects may be used by different threads at the same time. One object is used by one thread at
 * a time, and may wander. What a file may have done to it by other threads goes through a `struct ioviter_control`.
 *
 * The library is thread-safe, async-signal-safe but for opening, closing and freeing, and needs no initialisation.
 */
#ifndef IOV_ITER_H
#define IOV_ITER_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__STDC_HOSTED__) || __STDC_HOSTED__
#include <sys/types.h>
#include <sys/uio.h>
#else
/* Without a C library; define these if your program has the types already. */
#ifndef IOVITER_HAVE_SSIZE_T
typedef ptrdiff_t ssize_t;
#endif
#ifndef IOVITER_HAVE_IOVEC
struct iovec {
    void *iov_base;
    size_t iov_len;
};
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * CHANNELS: what carries a stream
 */

/* What `wait` waits for. */
enum {
    IOVITER_READY_READ = 0,  /* there is something to read, or the data has ended */
    IOVITER_READY_WRITE = 1, /* there is room to write */
};

/* From where to seek: the values of SEEK_SET, SEEK_CUR and SEEK_END on Linux. */
enum {
    IOVITER_SEEK_SET = 0,
    IOVITER_SEEK_CUR = 1,
    IOVITER_SEEK_END = 2,
};

/*
 * The operations of a channel. `opaque` is what the file was opened with.
 *
 * `size` is sizeof(struct ioviter_channel_ops), and first: later versions append operations. An operation that is
 * NULL, or past `size`, is one that the channel does not have (-ENOSYS). The structure is copied when a file is
 * opened; it need not stay.
 *
 * An operation returns a negative errno if it fails. -EINTR makes the library call it again. It must not call the
 * file that it serves, or one of its controls. It runs in the thread that calls the file, but for `shutdown` and
 * `free`, which any thread that holds a control may call.
 */
struct ioviter_channel_ops {
    size_t size;

    /*
     * Reads at least one byte into the front of `iov`, 1 to 64 elements, none of them empty. Returns the bytes read;
     * 0 at the end of the data; -EAGAIN if there are none yet, and then `wait` is called.
     */
    ssize_t (*readv)(void *opaque, const struct iovec *iov, size_t count);

    /*
     * Writes the front of `iov`, 1 to 64 elements, none of them empty. Returns the bytes written, which may end inside
     * an element; 0 if the channel will never take anything again; -EAGAIN if it takes nothing yet, and then `wait`
     * is called.
     */
    ssize_t (*writev)(void *opaque, const struct iovec *iov, size_t count);

    /*
     * Waits until the channel may be ready. Returns 0 to try again; -EAGAIN to give -EAGAIN to the caller of the file;
     * any other error is an error of the file. It may switch to another coroutine: nothing is locked. NULL gives
     * -EAGAIN to the caller.
     */
    int (*wait)(void *opaque, int ready);

    /* Makes reads and writes wait (not 0), or return -EAGAIN instead (0). Returns 0. */
    int (*set_blocking)(void *opaque, int blocking);

    /* Ends both directions at once: a read that waits, in any thread, returns 0. Returns 0. */
    int (*shutdown)(void *opaque);

    /* Finishes. Called once, by the closing of the file, in any case. Returns 0 or what went wrong with bytes taken. */
    int (*close)(void *opaque);

    /* Moves to another position (IOVITER_SEEK_...), and returns it, from the start. */
    int64_t (*seek)(void *opaque, int64_t distance, int whence);

    /*
     * As `readv` and `writev`, at a position from the start, which does not move the channel; 1 to 1024 elements.
     * -EAGAIN goes to the caller of the file, without a `wait`.
     */
    ssize_t (*preadv)(void *opaque, const struct iovec *iov, size_t count, uint64_t position);
    ssize_t (*pwritev)(void *opaque, const struct iovec *iov, size_t count, uint64_t position);

    /*
     * The bytes from `base` on were sent and need not be kept: some that ioviter_writer_put_async was given with
     * `may_release`, or several that follow each other in memory.
     */
    void (*release)(void *opaque, void *base, size_t len);

    /*
     * Called once, after everything else: the file and all of its controls are gone. Where a control outlives the file,
     * `opaque` is freed here and not in `close`.
     */
    void (*free)(void *opaque);
};

/* ------------------------------------------------------------------------------------------------------------------
 * FILES
 *
 * A file is a buffered stream of bytes in one direction over a channel. Its buffer has 32768 bytes.
 *
 * The first failure of the channel sticks: it is the error of the file, each later call that needs the channel returns
 * it, and so does the closing. -EAGAIN does not stick. Nor does an argument out of its range. What a function returns is
 * always negative; ioviter_writer_error and ioviter_reader_error return an error as it was set.
 *
 * For both directions of a connection open two files over the same functions and pointer.
 */

struct ioviter_writer;
struct ioviter_reader;
struct ioviter_control;

/* ---- A file and other threads */

/*
 * A handle of a file for other threads. Any number of threads may use it at the same time, and while another thread is
 * inside the file. Free each one; a handle may outlive the file. Returns 0, or -ENOMEM.
 *
 * A file that has one looks at it in each call, which makes small puts slower.
 */
int ioviter_writer_control(struct ioviter_control **out, struct ioviter_writer *writer);
int ioviter_reader_control(struct ioviter_control **out, struct ioviter_reader *reader);
void ioviter_control_free(struct ioviter_control *control);

/*
 * Makes the file fail with -EIO, unless it has an error, and shuts the channel down. Returns 0; -ENOSYS or the error of
 * the channel if that was not shut down: the file is stopped even then. After the file was closed this still calls
 * `shutdown`.
 */
int ioviter_control_stop(const struct ioviter_control *control);

/* The file's error, as it was set, or 0. */
int ioviter_control_error(const struct ioviter_control *control);

/*
 * Makes the file fail with `error`, any int, unless it has an error. 0 changes nothing. Returns the file's error, as it
 * was set. Wakes nobody. If more than four threads do so at the same instant the error may become -EIO.
 */
int ioviter_control_set_error(const struct ioviter_control *control, int error);

/* As ioviter_writer_set_rate_limit; the last limit set is the one that holds. A reader has no limit. */
void ioviter_control_set_rate_limit(const struct ioviter_control *control, uint64_t limit);

/* ---- Writing: opening and closing */

enum {
    /* The channel gets one element at a time, and everything is copied; nothing is released. */
    IOVITER_LINEAR = 1,
};

/*
 * Opens a channel for writing, with flags (IOVITER_LINEAR) or 0. Returns 0; -ENOMEM; -EINVAL for unknown flags or a
 * `size` without an operation. `out` is written only if it returns 0. `close` is not called otherwise; `free` is, if
 * memory ran out after the channel was taken.
 */
int ioviter_writer_open(struct ioviter_writer **out, const struct ioviter_channel_ops *ops, void *opaque,
                        unsigned flags);

/*
 * Sends what is pending, closes the channel and frees the file, in any case. Returns 0, or the first error of the file's
 * life, or that of the channel's closing. If the channel would block, what is pending is lost: flush before. NULL is
 * nothing.
 */
int ioviter_writer_close(struct ioviter_writer *writer);

/*
 * Sends what is pending. Returns 0; the file's error, after which nothing is sent; -EAGAIN, and what the channel did not
 * take is still pending.
 */
int ioviter_writer_flush(struct ioviter_writer *writer);

/* The file's error, as it was set, or 0. */
int ioviter_writer_error(const struct ioviter_writer *writer);

/* Makes the file fail with `error`, any int, unless it has an error. 0 changes nothing. Returns the file's error. */
int ioviter_writer_set_error(struct ioviter_writer *writer, int error);

/* As ioviter_control_stop, from the thread that uses the file. */
int ioviter_writer_shutdown(struct ioviter_writer *writer);

/* Calls `set_blocking`. Returns what that does; failures do not stick. */
int ioviter_writer_set_blocking(struct ioviter_writer *writer, int blocking);

/* 1 if the channel can seek, else 0. */
int ioviter_writer_is_seekable(const struct ioviter_writer *writer);

/* ---- Writing: putting
 *
 * Each returns 0, or the file's error; then nothing was put. -EAGAIN if the channel would block and the buffer is full:
 * of an integer or a string nothing was put then; of longer bytes a part may have been, by which ioviter_writer_tell has
 * grown.
 */

/* Integers, most significant byte first (be) or last (le). For a signed one cast the value. */
int ioviter_writer_put_byte(struct ioviter_writer *writer, uint8_t value);
int ioviter_writer_put_be16(struct ioviter_writer *writer, uint16_t value);
int ioviter_writer_put_be32(struct ioviter_writer *writer, uint32_t value);
int ioviter_writer_put_be64(struct ioviter_writer *writer, uint64_t value);
int ioviter_writer_put_le16(struct ioviter_writer *writer, uint16_t value);
int ioviter_writer_put_le32(struct ioviter_writer *writer, uint32_t value);
int ioviter_writer_put_le64(struct ioviter_writer *writer, uint64_t value);

/* Puts a copy of bytes. */
int ioviter_writer_put(struct ioviter_writer *writer, const void *buf, size_t len);
int ioviter_writer_put_iov(struct ioviter_writer *writer, const struct iovec *iov, size_t count);

/* Puts a length byte and a copy of at most 255 bytes; -EINVAL for more. */
int ioviter_writer_put_counted_string(struct ioviter_writer *writer, const char *string, size_t len);

/*
 * Puts bytes without copying them. They are read when they are sent, and must stay mapped until a flush has returned 0,
 * they were released, ioviter_writer_discard_unsent has returned, or the file is closed.
 *
 * Bytes that are put one after the other and follow each other in memory are sent as one element, if both have the same
 * `may_release`. With `may_release` (not 0) the channel's `release` is called once they were sent; after a failed flush
 * it is not.
 */
int ioviter_writer_put_async(struct ioviter_writer *writer, const void *buf, size_t len, int may_release);

/*
 * Sends what is pending, then writes all bytes at a position of the channel; the stream goes on where it was. They count
 * in ioviter_writer_transferred, not in ioviter_writer_tell. -ENOSYS without `pwritev`; -EOVERFLOW if they end past
 * UINT64_MAX; -EAGAIN if nothing was written.
 */
int ioviter_writer_put_at(struct ioviter_writer *writer, const void *buf, size_t len, uint64_t position);
int ioviter_writer_put_iov_at(struct ioviter_writer *writer, const struct iovec *iov, size_t count,
                              uint64_t position);

/*
 * Puts the next `len` bytes of a reader. Returns 0, or the error of either file; ioviter_writer_tell has grown by the
 * bytes that left the reader.
 */
int ioviter_writer_put_from(struct ioviter_writer *writer, struct ioviter_reader *reader, uint64_t len);

/* Moves what another writer has pending into this one. Returns the bytes moved, or this file's error. */
int64_t ioviter_writer_put_writer(struct ioviter_writer *writer, struct ioviter_writer *other);

/* ---- Writing: positions and counters */

/* Sends what is pending and moves the channel. Returns the new position; -ENOSYS without `seek`; -EINVAL for a whence. */
int64_t ioviter_writer_seek(struct ioviter_writer *writer, int64_t distance, int whence);
/* Sends what is pending and returns the channel's position. */
int64_t ioviter_writer_offset(struct ioviter_writer *writer);

/* The bytes put so far: sent, pending and credited. */
uint64_t ioviter_writer_tell(const struct ioviter_writer *writer);
/* Sends what is pending, then the same. */
int64_t ioviter_writer_flush_and_tell(struct ioviter_writer *writer);
/* All bytes of this file: those put, and those put at positions. */
uint64_t ioviter_writer_transferred(const struct ioviter_writer *writer);
/* The bytes that the channel has taken, and those credited. */
uint64_t ioviter_writer_flushed(const struct ioviter_writer *writer);
/* The bytes put and not sent. After an error they never will be. */
uint64_t ioviter_writer_pending(const struct ioviter_writer *writer);
/* The elements that they make up, at most 64. */
size_t ioviter_writer_entries(const struct ioviter_writer *writer);

/*
 * Describes the bytes put and not sent by at most `count` elements, valid until the next call. Returns how many elements
 * there are, which may be more.
 */
ssize_t ioviter_writer_unsent(const struct ioviter_writer *writer, struct iovec *iov, size_t count);
/* Forgets them, without releasing them, and returns the bytes. For files that have failed. */
uint64_t ioviter_writer_discard_unsent(struct ioviter_writer *writer);

/* Counts bytes that reached the other side in another way. -EOVERFLOW if ioviter_writer_tell would exceed INT64_MAX. */
int ioviter_writer_credit(struct ioviter_writer *writer, uint64_t len);

/*
 * How fast a stream should be. Nothing waits for it: the caller asks whether the window's limit is exceeded, pauses, and
 * opens the next window. A limit of 0 is none.
 */
void ioviter_writer_set_rate_limit(struct ioviter_writer *writer, uint64_t limit);
uint64_t ioviter_writer_rate_limit(const struct ioviter_writer *writer);
/* The bytes put since the window was opened. */
uint64_t ioviter_writer_rate_used(const struct ioviter_writer *writer);
/* Counts bytes that went another way. */
void ioviter_writer_rate_account(struct ioviter_writer *writer, uint64_t len);
/* Opens the next window. */
void ioviter_writer_rate_reset(struct ioviter_writer *writer);
/* 1 if the limit is exceeded, or the file has an error; else 0. */
int ioviter_writer_rate_exceeded(const struct ioviter_writer *writer);

/* ---- Reading: opening and closing. As the functions of a writer. */

/* `flags` is 0. */
int ioviter_reader_open(struct ioviter_reader **out, const struct ioviter_channel_ops *ops, void *opaque,
                        unsigned flags);
/* To have read all bytes is no error; to have asked for more than there were is. */
int ioviter_reader_close(struct ioviter_reader *reader);
int ioviter_reader_error(const struct ioviter_reader *reader);
int ioviter_reader_set_error(struct ioviter_reader *reader, int error);
int ioviter_reader_shutdown(struct ioviter_reader *reader);
int ioviter_reader_set_blocking(struct ioviter_reader *reader, int blocking);
int ioviter_reader_is_seekable(const struct ioviter_reader *reader);

/* ---- Reading: getting
 *
 * The data ending too early is -EIO, and sticks. After an error, what is buffered can still be got.
 */

/*
 * Integers, most significant byte first (be) or last (le). After an error they return 0, and consume nothing;
 * ioviter_reader_error tells. The same for -EAGAIN, which is no error of the file: where a channel does not wait, look
 * with ioviter_reader_peek first.
 */
uint8_t ioviter_reader_get_byte(struct ioviter_reader *reader);
uint16_t ioviter_reader_get_be16(struct ioviter_reader *reader);
uint32_t ioviter_reader_get_be32(struct ioviter_reader *reader);
uint64_t ioviter_reader_get_be64(struct ioviter_reader *reader);
uint16_t ioviter_reader_get_le16(struct ioviter_reader *reader);
uint32_t ioviter_reader_get_le32(struct ioviter_reader *reader);
uint64_t ioviter_reader_get_le64(struct ioviter_reader *reader);

/*
 * Gets the next bytes. Returns how many: fewer than asked only if an error came after the first one. It is returned when
 * more is asked for, or when not even one byte was got.
 */
ssize_t ioviter_reader_get(struct ioviter_reader *reader, void *buf, size_t len);
ssize_t ioviter_reader_get_iov(struct ioviter_reader *reader, const struct iovec *iov, size_t count);

/* Gets all of the bytes, 1; none, as the data has ended, 0; or fails. The end before the first byte does not stick. */
int ioviter_reader_get_or_end(struct ioviter_reader *reader, void *buf, size_t len);
int ioviter_reader_get_iov_or_end(struct ioviter_reader *reader, const struct iovec *iov, size_t count);

/*
 * As ioviter_reader_get, without a copy where the bytes lie in the buffer together: `bytes` then points there, until the
 * next call. Otherwise they are in `buf`, and `bytes` points at that. `bytes` may be NULL.
 */
ssize_t ioviter_reader_get_in_place(struct ioviter_reader *reader, const void **bytes, void *buf, size_t len);

/* Gets a length byte, and that many bytes into `string`, which has room for 256, with a 0 after them. Returns the length. */
ssize_t ioviter_reader_get_counted_string(struct ioviter_reader *reader, char *string);

/* Fills the memory with the bytes at a position of the channel; the stream goes on where it was. Returns 0. */
int ioviter_reader_get_at(struct ioviter_reader *reader, void *buf, size_t len, uint64_t position);
int ioviter_reader_get_iov_at(struct ioviter_reader *reader, const struct iovec *iov, size_t count,
                              uint64_t position);

/*
 * Writes the next `len` bytes to another channel, by its `writev` and `wait` only. Returns 0, or the error of either; that
 * of the other channel does not stick, and what it did not take is still in this file.
 */
int ioviter_reader_copy_to(struct ioviter_reader *reader, const struct ioviter_channel_ops *ops, void *opaque,
                           uint64_t len);

/* ---- Reading: looking ahead, positions */

/*
 * Points `bytes` at `len` bytes that come `offset` after the next one, valid until the next call, and consumes nothing.
 * Returns how many they are: fewer only where the data ends, which does not stick. -EINVAL if offset + len is more than
 * 32768; -EAGAIN if they have not arrived.
 */
ssize_t ioviter_reader_peek(struct ioviter_reader *reader, const void **bytes, size_t len, size_t offset);
/* The byte that comes `offset` after the next one, 0 to 255; -ENODATA if the data ends before it. */
int ioviter_reader_peek_byte(struct ioviter_reader *reader, size_t offset);
/* 1 if the data has ended, else 0. Waits for more data to find out. */
int ioviter_reader_at_end(struct ioviter_reader *reader);

/* Skips bytes, reading them if they are not buffered. Returns 0. */
int ioviter_reader_skip(struct ioviter_reader *reader, uint64_t len);
/* Skips bytes that are buffered; -EINVAL, and nothing is skipped, if there are fewer. */
int ioviter_reader_skip_buffered(struct ioviter_reader *reader, size_t len);

/* Moves the channel and drops what is buffered. IOVITER_SEEK_CUR counts from the byte that would be got next. */
int64_t ioviter_reader_seek(struct ioviter_reader *reader, int64_t distance, int whence);
/* The channel's position of the byte that will be got next. */
int64_t ioviter_reader_offset(struct ioviter_reader *reader);
/* The bytes got or skipped so far. */
uint64_t ioviter_reader_position(const struct ioviter_reader *reader);
/* The bytes that the channel has given; ahead of the position by those buffered. */
uint64_t ioviter_reader_fetched(const struct ioviter_reader *reader);
size_t ioviter_reader_buffered(const struct ioviter_reader *reader);

#ifdef __cplusplus
}
#endif
#endif
