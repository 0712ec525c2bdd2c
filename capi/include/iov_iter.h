/*
 * Scatter-gather vectors, iterators and buffered streams.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * UNITS. Lengths, offsets and positions are in bytes. A `count` of elements says so.
 *
 * ERRORS. An error is a negative errno value, with Linux's number on every target. A count of bytes is at most
 * SSIZE_MAX. No function aborts, whatever it is given, and none keeps state of its own: not in the thread, not in the
 * process. Each function may return the errors of this paragraph; its own comment names the others.
 *
 *   NULL with a length of 0 is nothing. NULL with a length is -EFAULT.
 *   A length over SSIZE_MAX, one that wraps around the address space, and a vector of more than SSIZE_MAX bytes
 *   are -EINVAL. NULL for a structure, or for a place where a result goes, is -EFAULT unless the function allows it.
 *   NULL for a handle or an iterator is -EINVAL. A function that cannot return an error returns 0 for it.
 *
 * MEMORY. What a pointer and a length, or an element of a vector, describe must be mapped during the call. Other
 * threads, a guest or a device may write it meanwhile: each byte is read once, so that what was looked at is what
 * is used. Memory that is written need not be initialised. Where the source and the destination of a copy overlap,
 * which bytes arrive is unspecified. Empty elements of a vector change no result, wherever they point.
 *
 * OWNERSHIP. Nothing of the caller's is kept after a call, with three exceptions: the array that an iterator was made
 * of, the bytes that ioviter_writer_put_async was given, and the `opaque` of a channel. What a function makes (`out`)
 * is the caller's, to be closed or freed once by the function that its comment names; `out` is written only if the
 * function returns 0. What a function points at is the library's, and valid until the next call on the same handle.
 *
 * THREADS. Different objects may be used by different threads at the same time. One object is used by one thread at
 * a time, and may wander. What a file may have done to it by other threads goes through a `struct ioviter_control`.
 *
 * The library needs no initialisation.
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
 * VECTORS: whole arrays of struct iovec
 *
 * A range of a vector starts `offset` bytes after its first one. It is cut where the vector ends; an offset past the
 * end is -EINVAL, one at the end means no bytes. No function looks at an element after the range. An element up to its
 * end that cannot be memory is -EFAULT (NULL with a length) or -EINVAL (a length out of range). A copy or a fill that
 * has moved bytes before returns their number instead.
 */

/* The bytes of all elements together; -EINVAL if they are more than SSIZE_MAX. Only lengths are looked at. */
ssize_t ioviter_vec_size(const struct iovec *iov, size_t count);

/* Copies bytes of a vector to a buffer. Returns how many: `len`, or those up to the vector's end. */
ssize_t ioviter_vec_to_buf(const struct iovec *iov, size_t count, size_t offset, void *buf, size_t len);

/* Copies a buffer into a vector. Returns how many bytes. */
ssize_t ioviter_vec_from_buf(const struct iovec *iov, size_t count, size_t offset, const void *buf, size_t len);

/* Sets bytes of a vector to `value`, as memset takes it. Returns how many. */
ssize_t ioviter_vec_fill(const struct iovec *iov, size_t count, size_t offset, int value, size_t len);

/* 1 if all bytes of a range are 0, or it has none; else 0. */
int ioviter_vec_is_zero(const struct iovec *iov, size_t count, size_t offset, size_t len);

/*
 * 0 if two vectors hold the same bytes, however they are cut. 1 if not: `at`, unless NULL, is then the offset of the
 * first byte that differs, or the length of the shorter one.
 */
int ioviter_vec_compare(const struct iovec *iov, size_t count, const struct iovec *other, size_t other_count,
                        size_t *at);

/*
 * Describes a range of a vector by elements of `dst`, none of them empty; no data is copied. Returns how many elements
 * were written: at most `dst_count`, so the range may be longer than what they describe.
 */
ssize_t ioviter_vec_copy(struct iovec *dst, size_t dst_count, const struct iovec *iov, size_t count, size_t offset,
                         size_t len);

/* What takes a discard back. Its contents are the library's. */
struct ioviter_undo {
    struct iovec *iov;
    size_t count;
    struct iovec *entry;
    struct iovec before;
};

/*
 * Takes bytes off the front, or the back, of the vector `*iov` of `*count` elements: `*iov` and `*count` change, and
 * the element that is cut is edited in place. Returns the bytes taken: `len`, or all there are. No memory of an element
 * is accessed. `undo` may be NULL; otherwise it is filled in, and the array must stay where it is until the undo.
 */
ssize_t ioviter_vec_discard_front(struct iovec **iov, size_t *count, size_t len, struct ioviter_undo *undo);
ssize_t ioviter_vec_discard_back(struct iovec **iov, size_t *count, size_t len, struct ioviter_undo *undo);

/*
 * Makes the array, `*iov` and `*count` what they were before a discard, each of which is undone at most once. Undo
 * several in the reverse order. Returns 0.
 */
int ioviter_vec_undo(struct iovec **iov, size_t *count, const struct ioviter_undo *undo);

/*
 * Prints the first `limit` bytes, 16 to a line, each line with `prefix` and the offset. `print` gets parts of lines,
 * which do not end with 0; what it returns, unless that is 0, ends it and is returned. -EINVAL if `prefix` is not
 * UTF-8.
 */
int ioviter_vec_hexdump(const struct iovec *iov, size_t count, const char *prefix, size_t limit,
                        int (*print)(void *opaque, const char *text, size_t len), void *opaque);

/*
 * Sends a range over a socket, or receives into it, until it is done, the socket would block, the peer has closed, or
 * an error. Returns the bytes moved, 0 if the peer had closed before the first one; the error if none moved, which is
 * -EAGAIN if the socket would block. `flags` are those of sendmsg and recvmsg (MSG_NOSIGNAL). Interrupted calls are
 * made again. Only in a library with an operating system.
 */
ssize_t ioviter_vec_send(int socket, const struct iovec *iov, size_t count, size_t offset, size_t len, int flags);
ssize_t ioviter_vec_receive(int socket, const struct iovec *iov, size_t count, size_t offset, size_t len, int flags);

/* ------------------------------------------------------------------------------------------------------------------
 * ITERATORS: a place in scattered memory, which copies move
 *
 * The structure is the caller's, on the stack or anywhere. All zeros (IOVITER_INIT) are an iterator without a kind,
 * which every function refuses. An iterator needs no freeing. It may be copied by assignment: that saves its state. The
 * array that it was made of must stay as it is, and where it is, for as long as the iterator or a copy is used.
 *
 * The functions that make an iterator (ioviter_init_..., ioviter_import) return 0, or an error, after which `iter` is
 * what it was: -EFAULT if it is NULL, -EINVAL for a direction that is neither IOVITER_SOURCE nor IOVITER_DEST.
 *
 * An iterator is a source, which is copied from, or a destination, which is copied to; the other direction is -EINVAL.
 * A copy returns the bytes that moved, and the iterator advances by that many. They are fewer than asked for if the
 * iterator ends or user memory faults; the byte that faulted comes next.
 */

struct ioviter {
    uint64_t opaque[14];
};

#define IOVITER_INIT {{0}}

enum {
    IOVITER_SOURCE = 0,
    IOVITER_DEST = 1,
};

/* An iterator over all bytes of a vector, of memory that nobody else writes (source) or accesses (destination). */
int ioviter_init_own(struct ioviter *iter, int direction, const struct iovec *iov, size_t count);

/* The same, of memory that other threads, a guest or a device may access at any time. */
int ioviter_init_shared(struct ioviter *iter, int direction, const struct iovec *iov, size_t count);

/* A destination of `len` bytes that forgets them. */
int ioviter_init_discard(struct ioviter *iter, size_t len);

/*
 * Memory of another address space: a user process, a guest. Addresses are numbers. The structure must live as long as
 * the iterators over it. `size` is sizeof(struct ioviter_user_ops); an operation that is NULL or past it is not there.
 */
struct ioviter_user_ops {
    size_t size;
    /* Whether a range lies inside the address space; nothing is accessed. NULL: every range that does not wrap does. */
    int (*access_ok)(void *opaque, uintptr_t address, size_t len);
    /*
     * Copies from `address` to the start of `dst` and returns the bytes before the first one that could not be read. It
     * writes nothing else. NULL: nothing can be read.
     */
    size_t (*read)(void *opaque, uintptr_t address, void *dst, size_t len);
    /* Copies `src` to `address`, likewise. */
    size_t (*write)(void *opaque, uintptr_t address, const void *src, size_t len);
    /* Writes zeros, likewise. NULL: `write` does. */
    size_t (*zero)(void *opaque, uintptr_t address, size_t len);
    /*
     * Makes memory present, page by page, and returns the bytes before the first page out of reach. NULL: all are
     * there.
     */
    size_t (*fault_in_readable)(void *opaque, uintptr_t address, size_t len);
    size_t (*fault_in_writeable)(void *opaque, uintptr_t address, size_t len);
};

/* An iterator over ranges of user memory: the elements hold user addresses. */
int ioviter_init_user(struct ioviter *iter, int direction, const struct ioviter_user_ops *ops, void *opaque,
                      const struct iovec *iov, size_t count);

/*
 * The same over an array of `count` struct iovec that lies in user memory itself, as readv gets it. It is copied to
 * `storage`, which has room for `room` elements, each byte once, and only the copy is checked. The total is cut to
 * INT_MAX rounded down to a page. -EINVAL for more than 1024 elements, or than there is room for, or a negative length;
 * -EFAULT for an array or a range outside the address space; -ENOMEM.
 */
int ioviter_import(struct ioviter *iter, int direction, const struct ioviter_user_ops *ops, void *opaque,
                   uintptr_t address, size_t count, struct iovec *storage, size_t room);

/* IOVITER_SOURCE or IOVITER_DEST; -EINVAL without a kind. */
int ioviter_direction(const struct ioviter *iter);
/* The bytes left. */
size_t ioviter_remaining(const struct ioviter *iter);

/* Copies from a source to a buffer, or from a buffer to a destination. */
ssize_t ioviter_copy_from(struct ioviter *iter, void *buf, size_t len);
ssize_t ioviter_copy_to(struct ioviter *iter, const void *buf, size_t len);
/* Writes zeros to a destination. */
ssize_t ioviter_zero(struct ioviter *iter, size_t len);
/* Copies from a source to a destination and moves both. */
ssize_t ioviter_copy(struct ioviter *to, struct ioviter *from, size_t len);

/* The Internet checksum of bytes in any number of parts. All zeros (IOVITER_INIT) are the sum of no bytes. */
struct ioviter_checksum {
    uint64_t opaque[2];
};
/* As the copies above, and adds what moved to the sum. */
ssize_t ioviter_copy_from_checksum(struct ioviter *iter, void *buf, size_t len, struct ioviter_checksum *checksum);
ssize_t ioviter_copy_to_checksum(struct ioviter *iter, const void *buf, size_t len,
                                 struct ioviter_checksum *checksum);
/* Adds bytes. Returns 0. */
int ioviter_checksum_update(struct ioviter_checksum *checksum, const void *buf, size_t len);
/* The sum in 16 bits, in native byte order. Protocols store its complement. */
uint16_t ioviter_checksum_folded(const struct ioviter_checksum *checksum);

/* Moves forward, or to the end if fewer bytes are left. Returns the bytes passed. */
size_t ioviter_advance(struct ioviter *iter, size_t len);
/* Moves back. -EINVAL, and it has not moved, if that passes the first byte. */
int ioviter_revert(struct ioviter *iter, size_t len);
/* Hides all but the next `len` bytes. Returns 0. */
int ioviter_truncate(struct ioviter *iter, uint64_t len);
/* Makes `len` the bytes left, giving back what was hidden. -EINVAL if fewer were hidden. */
int ioviter_reexpand(struct ioviter *iter, size_t len);
/* Makes the iterator what a copy of it was. -EINVAL if that is of another vector. */
int ioviter_restore(struct ioviter *iter, const struct ioviter *saved);

/* The number of elements that hold the bytes left. Empty elements do not count. */
size_t ioviter_segment_count(const struct ioviter *iter);
/*
 * Describes the next bytes that lie together, in memory or user memory, and does not move. Returns 1; 0 if there are
 * none, or nothing holds them (a discard).
 */
int ioviter_segment(const struct ioviter *iter, struct iovec *segment);
/* All addresses and lengths left, or-ed. 0 for a discard. */
size_t ioviter_alignment(const struct ioviter *iter);
/* The addresses where an element ends and the next one starts, or-ed. 0 for a discard. */
size_t ioviter_gap_alignment(const struct ioviter *iter);
/* 1 if no address has a bit of `address_mask` and no length one of `len_mask`; else 0. */
int ioviter_is_aligned(const struct ioviter *iter, size_t address_mask, size_t len_mask);
/*
 * The pages of 4096 bytes that the bytes left touch, at most `max_pages`; one that several elements touch counts for
 * each.
 */
size_t ioviter_npages(const struct ioviter *iter, size_t max_pages);
/* Makes the next `len` bytes of user memory present. Returns the bytes that could not be; 0 for other memory. */
size_t ioviter_fault_in(const struct ioviter *iter, size_t len);

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
 * it, and so does the closing. -EAGAIN does not stick. Nor does an argument out of its range. What a function returns
 * is always negative; ioviter_writer_error and ioviter_reader_error return an error as it was set.
 *
 * For both directions of a connection open two files over the same functions and pointer.
 */

struct ioviter_writer;
struct ioviter_reader;
struct ioviter_control;

/* ---- A file and other threads */

/*
 * Makes a handle of a file for other threads. Any number of threads may use it at the same time, and while another
 * thread is inside the file. Free each one with ioviter_control_free; it may outlive the file. Returns 0, or -ENOMEM.
 *
 * A file that has one looks at it in each put, which costs 25 to 50 instructions more. A get costs no more.
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
 * Opens a channel for writing, with flags (IOVITER_LINEAR) or 0. Close the file with ioviter_writer_close. Returns 0;
 * -EINVAL for unknown flags or a `size` that is less than its own; -EFAULT for NULL. These call no operation. -ENOMEM:
 * `free` was called, and nothing else.
 */
int ioviter_writer_open(struct ioviter_writer **out, const struct ioviter_channel_ops *ops, void *opaque,
                        unsigned flags);

/*
 * Sends what is pending, closes the channel and frees the file, in any case. Returns 0, or the first error of the
 * file's life, or that of the channel's closing. If the channel would block, what is pending is lost: flush before.
 * NULL is nothing.
 */
int ioviter_writer_close(struct ioviter_writer *writer);

/*
 * Sends what is pending. Returns 0; the file's error, after which nothing is sent; -EAGAIN, and what the channel did
 * not take is still pending.
 */
int ioviter_writer_flush(struct ioviter_writer *writer);

/* The file's error, as it was set, or 0. */
int ioviter_writer_error(const struct ioviter_writer *writer);

/* Makes the file fail with `error`, any int, unless it has an error. 0 changes nothing. Returns the file's error. */
int ioviter_writer_set_error(struct ioviter_writer *writer, int error);

/*
 * Makes the file fail with -EIO, unless it has an error, and shuts the channel down. Returns 0; -ENOSYS or the error of
 * the channel if that was not shut down: the file is stopped even then.
 */
int ioviter_writer_shutdown(struct ioviter_writer *writer);

/* Calls `set_blocking`. Returns 0; -ENOSYS without one; its error, which does not stick. */
int ioviter_writer_set_blocking(struct ioviter_writer *writer, int blocking);

/* 1 if the channel can seek, else 0. */
int ioviter_writer_is_seekable(const struct ioviter_writer *writer);

/* ---- Writing: putting
 *
 * Each returns 0, or the file's error; then nothing was put. -EAGAIN if the channel would block and the buffer is full:
 * of an integer or a string nothing was put then; of longer bytes a part may have been, by which ioviter_writer_tell
 * has grown.
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
 * Sends what is pending, then writes all bytes at a position of the channel; the stream goes on where it was. They
 * count in ioviter_writer_transferred, not in ioviter_writer_tell. -ENOSYS without `pwritev`; -EOVERFLOW if they end
 * past UINT64_MAX; -EAGAIN if nothing was written.
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

/*
 * Sends what is pending and moves the channel, from `whence` (IOVITER_SEEK_...) by `distance` bytes. Returns the new
 * position, from the start; -ENOSYS without `seek`; -EINVAL for another whence or before the start.
 */
int64_t ioviter_writer_seek(struct ioviter_writer *writer, int64_t distance, int whence);
/* Sends what is pending and returns the channel's position, from the start; -ENOSYS without `seek`. */
int64_t ioviter_writer_offset(struct ioviter_writer *writer);

/* The bytes put so far: sent, pending and credited. */
uint64_t ioviter_writer_tell(const struct ioviter_writer *writer);
/* Sends what is pending, and returns the same, or an error of ioviter_writer_flush. */
int64_t ioviter_writer_flush_and_tell(struct ioviter_writer *writer);
/* All bytes of this file: those put, and those put at positions. */
uint64_t ioviter_writer_transferred(const struct ioviter_writer *writer);
/* The bytes that the channel has taken, and those credited. */
uint64_t ioviter_writer_flushed(const struct ioviter_writer *writer);
/* The bytes put and not sent yet. After an error they never will be. */
uint64_t ioviter_writer_pending(const struct ioviter_writer *writer);
/* The number of elements that these bytes make up, at most 64. */
size_t ioviter_writer_entries(const struct ioviter_writer *writer);

/*
 * Describes the bytes put and not sent by at most `count` elements, valid until the next call. Returns how many
 * elements there are, which may be more.
 */
ssize_t ioviter_writer_unsent(const struct ioviter_writer *writer, struct iovec *iov, size_t count);
/* Forgets the bytes put and not sent, without releasing them. Returns their number. For files that have failed. */
uint64_t ioviter_writer_discard_unsent(struct ioviter_writer *writer);

/* Counts bytes that reached the other side in another way. -EOVERFLOW if ioviter_writer_tell would exceed INT64_MAX. */
int ioviter_writer_credit(struct ioviter_writer *writer, uint64_t len);

/*
 * How fast a stream should be. Nothing waits for it: the caller asks whether the window's limit is exceeded, pauses,
 * and opens the next window. A limit of 0 is none.
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

/* ---- Reading: opening and closing. What is said of the functions of a writer holds here. */

/* Opens a channel for reading. `flags` is 0. Close the file with ioviter_reader_close. */
int ioviter_reader_open(struct ioviter_reader **out, const struct ioviter_channel_ops *ops, void *opaque,
                        unsigned flags);
/*
 * Closes the channel and frees the file, in any case. Returns 0, or the first error of the file's life, or that of the
 * channel's closing. The end of the data is an error only if more bytes were asked for than there were.
 */
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
int ioviter_reader_get_byte(struct ioviter_reader *reader); /* 0 to 255 */
uint16_t ioviter_reader_get_be16(struct ioviter_reader *reader);
uint32_t ioviter_reader_get_be32(struct ioviter_reader *reader);
uint64_t ioviter_reader_get_be64(struct ioviter_reader *reader);
uint16_t ioviter_reader_get_le16(struct ioviter_reader *reader);
uint32_t ioviter_reader_get_le32(struct ioviter_reader *reader);
uint64_t ioviter_reader_get_le64(struct ioviter_reader *reader);

/*
 * Gets the next bytes. Returns how many: fewer than asked only if an error came after the first one. It is returned
 * when more is asked for, or when not even one byte was got.
 */
ssize_t ioviter_reader_get(struct ioviter_reader *reader, void *buf, size_t len);
ssize_t ioviter_reader_get_iov(struct ioviter_reader *reader, const struct iovec *iov, size_t count);

/*
 * Gets all of the bytes and returns 1, or returns 0 if the data ends before the first one, which does not stick. Or it
 * fails: -EIO if the data ends later.
 */
int ioviter_reader_get_or_end(struct ioviter_reader *reader, void *buf, size_t len);
int ioviter_reader_get_iov_or_end(struct ioviter_reader *reader, const struct iovec *iov, size_t count);

/*
 * As ioviter_reader_get, without a copy where the bytes lie in the buffer together: `bytes` then points there, until
 * the next call. Otherwise they are in `buf`, and `bytes` points at that. `bytes` may be NULL.
 */
ssize_t ioviter_reader_get_in_place(struct ioviter_reader *reader, const void **bytes, void *buf, size_t len);

/*
 * Gets a length byte, and that many bytes into `string`, which has room for 256, with a 0 after them. Returns the
 * length.
 */
ssize_t ioviter_reader_get_counted_string(struct ioviter_reader *reader, char *string);

/*
 * Fills the memory with the bytes at a position of the channel, from its start; the stream goes on where it was.
 * Returns 0; -ENOSYS without `preadv`; -EOVERFLOW if they end past UINT64_MAX; -EAGAIN. -EIO if the channel has fewer,
 * and other failures stick.
 */
int ioviter_reader_get_at(struct ioviter_reader *reader, void *buf, size_t len, uint64_t position);
int ioviter_reader_get_iov_at(struct ioviter_reader *reader, const struct iovec *iov, size_t count,
                              uint64_t position);

/*
 * Writes the next `len` bytes to another channel, by its `writev` and `wait` only. Returns 0, or the error of either;
 * that of the other channel does not stick, and what it did not take is still in this file.
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
/* 1 if all bytes were got and the data has ended, else 0; -EAGAIN. Waits for more data to find out. */
int ioviter_reader_at_end(struct ioviter_reader *reader);

/*
 * Skips bytes, reading them if they are not buffered. Returns 0, or an error, before which a part of more than 32768
 * bytes may have been skipped; ioviter_reader_position tells.
 */
int ioviter_reader_skip(struct ioviter_reader *reader, uint64_t len);
/* Skips bytes that are buffered; -EINVAL, and nothing is skipped, if there are fewer. */
int ioviter_reader_skip_buffered(struct ioviter_reader *reader, size_t len);

/*
 * Moves the channel and drops what is buffered. IOVITER_SEEK_CUR counts from the byte that would be got next. Returns
 * as ioviter_writer_seek; after an error what is buffered is still there.
 */
int64_t ioviter_reader_seek(struct ioviter_reader *reader, int64_t distance, int whence);
/* The channel's position, from the start, of the byte that will be got next; -ENOSYS without `seek`. */
int64_t ioviter_reader_offset(struct ioviter_reader *reader);
/* The bytes got or skipped so far. */
uint64_t ioviter_reader_position(const struct ioviter_reader *reader);
/* The bytes that the channel has given; ahead of the position by those buffered. */
uint64_t ioviter_reader_fetched(const struct ioviter_reader *reader);
/* The bytes that the channel has given and nobody has got or skipped yet, at most 32768. */
size_t ioviter_reader_buffered(const struct ioviter_reader *reader);

/* ---- Files and iterators */

/*
 * Puts, or gets, the next bytes of an iterator, and moves it by exactly what moved in the stream. Returns that: fewer
 * than `len` if the iterator ends, its memory faults, or an error came after the first byte; the error if nothing
 * moved.
 */
ssize_t ioviter_writer_put_iter(struct ioviter_writer *writer, struct ioviter *iter, size_t len);
ssize_t ioviter_reader_get_iter(struct ioviter_reader *reader, struct ioviter *iter, size_t len);

/*
 * ---- Compressed blocks: a length in 4 bytes, most significant first, and as many bytes of zlib. Only in a library that
 * was built with zlib.
 */

struct ioviter_deflater;
struct ioviter_inflater;

/*
 * Makes a compressor, with a level from 0 (none) to 9, or a decompressor, each of which any files may use. Returns 0;
 * -EINVAL for another level; -ENOMEM. Free each one; NULL is nothing.
 */
int ioviter_deflater_new(struct ioviter_deflater **out, unsigned level);
void ioviter_deflater_free(struct ioviter_deflater *deflater);
int ioviter_inflater_new(struct ioviter_inflater **out);
void ioviter_inflater_free(struct ioviter_inflater *inflater);

/*
 * Puts a block with all of the bytes into the buffer. Returns the bytes put, length included; -ENOSPC if the buffer's
 * free part might be too small, which with `may_flush` (not 0) means that not even the empty buffer is large enough.
 * Nothing was put then, and it does not stick.
 */
ssize_t ioviter_writer_put_compressed(struct ioviter_writer *writer, struct ioviter_deflater *deflater, const void *buf,
                                      size_t len, int may_flush);

/*
 * Gets a block and decompresses it into the front of the memory. Returns the bytes that it gave. -EIO if it is damaged
 * or gives more than `len` bytes: it was not consumed then, and that does not stick.
 */
ssize_t ioviter_reader_get_compressed(struct ioviter_reader *reader, struct ioviter_inflater *inflater, void *buf,
                                      size_t len);

/* ------------------------------------------------------------------------------------------------------------------
 * BUFFERS that grow, and beyond the first mebibyte never move what they hold
 */

struct ioviter_buffer;

/*
 * Makes a buffer without bytes, which never holds more than `limit` (SIZE_MAX: any number). Where somebody else
 * chooses positions or lengths, set one. Returns 0 or -ENOMEM. A clone has the same bytes and limit. Free each with
 * ioviter_buffer_free; NULL is nothing.
 */
int ioviter_buffer_new(struct ioviter_buffer **out, size_t limit);
int ioviter_buffer_clone(struct ioviter_buffer **out, const struct ioviter_buffer *buffer);
void ioviter_buffer_free(struct ioviter_buffer *buffer);

/* The bytes that it holds, and those that are allocated. */
size_t ioviter_buffer_len(const struct ioviter_buffer *buffer);
size_t ioviter_buffer_capacity(const struct ioviter_buffer *buffer);

/* Copies bytes from a position on. Returns how many: `len`, or those up to the end. */
ssize_t ioviter_buffer_read_at(const struct ioviter_buffer *buffer, size_t position, void *buf, size_t len);

/*
 * Writes bytes at a position, or at the end; a gap is zeros. Returns 0; -EFBIG past the limit; -ENOMEM. Nothing has
 * changed then.
 */
int ioviter_buffer_write_at(struct ioviter_buffer *buffer, size_t position, const void *buf, size_t len);
int ioviter_buffer_append(struct ioviter_buffer *buffer, const void *buf, size_t len);

/* Makes `len` the bytes that the buffer holds: cuts it, or adds zeros. Returns as ioviter_buffer_write_at. */
int ioviter_buffer_set_len(struct ioviter_buffer *buffer, size_t len);
/* Allocates what the buffer needs to become `len` bytes long, and returns likewise. */
int ioviter_buffer_reserve(struct ioviter_buffer *buffer, size_t len);
/* Frees what holds no bytes. */
void ioviter_buffer_shrink(struct ioviter_buffer *buffer);

/*
 * Describes the bytes from a position on by at most `count` elements, valid until the buffer changes. Returns how many
 * elements there are, which may be more.
 */
ssize_t ioviter_buffer_describe(const struct ioviter_buffer *buffer, size_t position, struct iovec *iov, size_t count);

/* Sizes and offsets as the library was built with them, for its tests. */
size_t ioviter_abi(int which);

#ifdef __cplusplus
}
#endif
#endif
