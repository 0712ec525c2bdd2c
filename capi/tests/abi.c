/*
 * The interface as programs were compiled with it: sizes, offsets, values and types. `run` compiles this for 64 and
 * for 32 bits; nothing of it runs.
 *
 * What fails here breaks programs that exist. What the header gains is added here. To change or remove a line needs
 * another version in Cargo.toml, which the shared library has in its name.
 */
#include "iov_iter.h"

/* Sizes and offsets in words, which are pointers and lengths. */
#define SIZE(type, words) \
    _Static_assert(sizeof(type) == (words) * sizeof(size_t), "the size of " #type)
#define FIELD(type, field, words, ...)                                                                    \
    _Static_assert(offsetof(type, field) == (words) * sizeof(size_t), "the place of " #type "." #field); \
    _Static_assert(_Generic(&((type *)0)->field, __VA_ARGS__: 1, default: 0), "the type of " #type "." #field)
#define VALUE(constant, value) _Static_assert((constant) == (value), #constant)

VALUE(IOVITER_SOURCE, 0);
VALUE(IOVITER_DEST, 1);
VALUE(IOVITER_READY_READ, 0);
VALUE(IOVITER_READY_WRITE, 1);
VALUE(IOVITER_SEEK_SET, 0);
VALUE(IOVITER_SEEK_CUR, 1);
VALUE(IOVITER_SEEK_END, 2);
VALUE(IOVITER_LINEAR, 1);

SIZE(struct iovec, 2);
FIELD(struct iovec, iov_base, 0, void **);
FIELD(struct iovec, iov_len, 1, size_t *);

SIZE(struct ioviter_undo, 5);
FIELD(struct ioviter_undo, iov, 0, struct iovec **);
FIELD(struct ioviter_undo, count, 1, size_t *);
FIELD(struct ioviter_undo, entry, 2, struct iovec **);
FIELD(struct ioviter_undo, before, 3, struct iovec *);

/* The same number of bytes everywhere. */
_Static_assert(sizeof(struct ioviter) == 112, "the size of struct ioviter");
FIELD(struct ioviter, opaque, 0, uint64_t (*)[14]);
_Static_assert(sizeof(struct ioviter_checksum) == 16, "the size of struct ioviter_checksum");
FIELD(struct ioviter_checksum, opaque, 0, uint64_t (*)[2]);

/* Of these two, later versions may append fields. */
SIZE(struct ioviter_user_ops, 7);
FIELD(struct ioviter_user_ops, size, 0, size_t *);
FIELD(struct ioviter_user_ops, access_ok, 1, int (**)(void *, uintptr_t, size_t));
FIELD(struct ioviter_user_ops, read, 2, size_t (**)(void *, uintptr_t, void *, size_t));
FIELD(struct ioviter_user_ops, write, 3, size_t (**)(void *, uintptr_t, const void *, size_t));
FIELD(struct ioviter_user_ops, zero, 4, size_t (**)(void *, uintptr_t, size_t));
FIELD(struct ioviter_user_ops, fault_in_readable, 5, size_t (**)(void *, uintptr_t, size_t));
FIELD(struct ioviter_user_ops, fault_in_writeable, 6, size_t (**)(void *, uintptr_t, size_t));

SIZE(struct ioviter_channel_ops, 12);
FIELD(struct ioviter_channel_ops, size, 0, size_t *);
FIELD(struct ioviter_channel_ops, readv, 1, ssize_t (**)(void *, const struct iovec *, size_t));
FIELD(struct ioviter_channel_ops, writev, 2, ssize_t (**)(void *, const struct iovec *, size_t));
FIELD(struct ioviter_channel_ops, wait, 3, int (**)(void *, int));
FIELD(struct ioviter_channel_ops, set_blocking, 4, int (**)(void *, int));
FIELD(struct ioviter_channel_ops, shutdown, 5, int (**)(void *));
FIELD(struct ioviter_channel_ops, close, 6, int (**)(void *));
FIELD(struct ioviter_channel_ops, seek, 7, int64_t (**)(void *, int64_t, int));
FIELD(struct ioviter_channel_ops, preadv, 8, ssize_t (**)(void *, const struct iovec *, size_t, uint64_t));
FIELD(struct ioviter_channel_ops, pwritev, 9, ssize_t (**)(void *, const struct iovec *, size_t, uint64_t));
FIELD(struct ioviter_channel_ops, release, 10, void (**)(void *, void *, size_t));
FIELD(struct ioviter_channel_ops, free, 11, void (**)(void *));

/* Functions: a declaration of another type than the header's is an error. */
ssize_t ioviter_vec_size(const struct iovec *iov, size_t count);
ssize_t ioviter_vec_to_buf(const struct iovec *iov, size_t count, size_t offset, void *buf, size_t len);
ssize_t ioviter_vec_from_buf(const struct iovec *iov, size_t count, size_t offset, const void *buf,
                             size_t len);
ssize_t ioviter_vec_fill(const struct iovec *iov, size_t count, size_t offset, int value, size_t len);
int ioviter_vec_is_zero(const struct iovec *iov, size_t count, size_t offset, size_t len);
int ioviter_vec_compare(const struct iovec *iov, size_t count, const struct iovec *other, size_t other_count,
                        size_t *at);
ssize_t ioviter_vec_copy(struct iovec *dst, size_t dst_count, const struct iovec *iov, size_t count,
                         size_t offset, size_t len);
ssize_t ioviter_vec_discard_front(struct iovec **iov, size_t *count, size_t len, struct ioviter_undo *undo);
ssize_t ioviter_vec_discard_back(struct iovec **iov, size_t *count, size_t len, struct ioviter_undo *undo);
int ioviter_vec_undo(struct iovec **iov, size_t *count, const struct ioviter_undo *undo);
int ioviter_vec_hexdump(const struct iovec *iov, size_t count, const char *prefix, size_t limit,
                        int (*print)(void *opaque, const char *text, size_t len), void *opaque);
ssize_t ioviter_vec_send(int socket, const struct iovec *iov, size_t count, size_t offset, size_t len,
                         int flags);
ssize_t ioviter_vec_receive(int socket, const struct iovec *iov, size_t count, size_t offset, size_t len,
                            int flags);
int ioviter_init_own(struct ioviter *iter, int direction, const struct iovec *iov, size_t count);
int ioviter_init_shared(struct ioviter *iter, int direction, const struct iovec *iov, size_t count);
int ioviter_init_discard(struct ioviter *iter, size_t len);
int ioviter_init_user(struct ioviter *iter, int direction, const struct ioviter_user_ops *ops, void *opaque,
                      const struct iovec *iov, size_t count);
int ioviter_import(struct ioviter *iter, int direction, const struct ioviter_user_ops *ops, void *opaque,
                   uintptr_t address, size_t count, struct iovec *storage, size_t room);
int ioviter_direction(const struct ioviter *iter);
size_t ioviter_remaining(const struct ioviter *iter);
ssize_t ioviter_copy_from(struct ioviter *iter, void *buf, size_t len);
ssize_t ioviter_copy_to(struct ioviter *iter, const void *buf, size_t len);
ssize_t ioviter_zero(struct ioviter *iter, size_t len);
ssize_t ioviter_copy(struct ioviter *to, struct ioviter *from, size_t len);
ssize_t ioviter_copy_from_checksum(struct ioviter *iter, void *buf, size_t len,
                                   struct ioviter_checksum *checksum);
ssize_t ioviter_copy_to_checksum(struct ioviter *iter, const void *buf, size_t len,
                                 struct ioviter_checksum *checksum);
int ioviter_checksum_update(struct ioviter_checksum *checksum, const void *buf, size_t len);
uint16_t ioviter_checksum_folded(const struct ioviter_checksum *checksum);
size_t ioviter_advance(struct ioviter *iter, size_t len);
int ioviter_revert(struct ioviter *iter, size_t len);
int ioviter_truncate(struct ioviter *iter, uint64_t len);
int ioviter_reexpand(struct ioviter *iter, size_t len);
int ioviter_restore(struct ioviter *iter, const struct ioviter *saved);
size_t ioviter_segment_count(const struct ioviter *iter);
int ioviter_segment(const struct ioviter *iter, struct iovec *segment);
size_t ioviter_alignment(const struct ioviter *iter);
size_t ioviter_gap_alignment(const struct ioviter *iter);
int ioviter_is_aligned(const struct ioviter *iter, size_t address_mask, size_t len_mask);
size_t ioviter_npages(const struct ioviter *iter, size_t max_pages);
size_t ioviter_fault_in(const struct ioviter *iter, size_t len);
int ioviter_writer_control(struct ioviter_control **out, struct ioviter_writer *writer);
int ioviter_reader_control(struct ioviter_control **out, struct ioviter_reader *reader);
void ioviter_control_free(struct ioviter_control *control);
int ioviter_control_stop(const struct ioviter_control *control);
int ioviter_control_error(const struct ioviter_control *control);
int ioviter_control_set_error(const struct ioviter_control *control, int error);
void ioviter_control_set_rate_limit(const struct ioviter_control *control, uint64_t limit);
int ioviter_writer_open(struct ioviter_writer **out, const struct ioviter_channel_ops *ops, void *opaque,
                        unsigned flags);
int ioviter_writer_close(struct ioviter_writer *writer);
int ioviter_writer_flush(struct ioviter_writer *writer);
int ioviter_writer_error(const struct ioviter_writer *writer);
int ioviter_writer_set_error(struct ioviter_writer *writer, int error);
int ioviter_writer_shutdown(struct ioviter_writer *writer);
int ioviter_writer_set_blocking(struct ioviter_writer *writer, int blocking);
int ioviter_writer_is_seekable(const struct ioviter_writer *writer);
int ioviter_writer_put_byte(struct ioviter_writer *writer, uint8_t value);
int ioviter_writer_put_be16(struct ioviter_writer *writer, uint16_t value);
int ioviter_writer_put_be32(struct ioviter_writer *writer, uint32_t value);
int ioviter_writer_put_be64(struct ioviter_writer *writer, uint64_t value);
int ioviter_writer_put_le16(struct ioviter_writer *writer, uint16_t value);
int ioviter_writer_put_le32(struct ioviter_writer *writer, uint32_t value);
int ioviter_writer_put_le64(struct ioviter_writer *writer, uint64_t value);
int ioviter_writer_put(struct ioviter_writer *writer, const void *buf, size_t len);
int ioviter_writer_put_iov(struct ioviter_writer *writer, const struct iovec *iov, size_t count);
int ioviter_writer_put_counted_string(struct ioviter_writer *writer, const char *string, size_t len);
int ioviter_writer_put_async(struct ioviter_writer *writer, const void *buf, size_t len, int may_release);
int ioviter_writer_put_at(struct ioviter_writer *writer, const void *buf, size_t len, uint64_t position);
int ioviter_writer_put_iov_at(struct ioviter_writer *writer, const struct iovec *iov, size_t count,
                              uint64_t position);
int ioviter_writer_put_from(struct ioviter_writer *writer, struct ioviter_reader *reader, uint64_t len);
int64_t ioviter_writer_put_writer(struct ioviter_writer *writer, struct ioviter_writer *other);
int64_t ioviter_writer_seek(struct ioviter_writer *writer, int64_t distance, int whence);
int64_t ioviter_writer_offset(struct ioviter_writer *writer);
uint64_t ioviter_writer_tell(const struct ioviter_writer *writer);
int64_t ioviter_writer_flush_and_tell(struct ioviter_writer *writer);
uint64_t ioviter_writer_transferred(const struct ioviter_writer *writer);
uint64_t ioviter_writer_flushed(const struct ioviter_writer *writer);
uint64_t ioviter_writer_pending(const struct ioviter_writer *writer);
size_t ioviter_writer_entries(const struct ioviter_writer *writer);
ssize_t ioviter_writer_unsent(const struct ioviter_writer *writer, struct iovec *iov, size_t count);
uint64_t ioviter_writer_discard_unsent(struct ioviter_writer *writer);
int ioviter_writer_credit(struct ioviter_writer *writer, uint64_t len);
void ioviter_writer_set_rate_limit(struct ioviter_writer *writer, uint64_t limit);
uint64_t ioviter_writer_rate_limit(const struct ioviter_writer *writer);
uint64_t ioviter_writer_rate_used(const struct ioviter_writer *writer);
void ioviter_writer_rate_account(struct ioviter_writer *writer, uint64_t len);
void ioviter_writer_rate_reset(struct ioviter_writer *writer);
int ioviter_writer_rate_exceeded(const struct ioviter_writer *writer);
int ioviter_reader_open(struct ioviter_reader **out, const struct ioviter_channel_ops *ops, void *opaque,
                        unsigned flags);
int ioviter_reader_close(struct ioviter_reader *reader);
int ioviter_reader_error(const struct ioviter_reader *reader);
int ioviter_reader_set_error(struct ioviter_reader *reader, int error);
int ioviter_reader_shutdown(struct ioviter_reader *reader);
int ioviter_reader_set_blocking(struct ioviter_reader *reader, int blocking);
int ioviter_reader_is_seekable(const struct ioviter_reader *reader);
int ioviter_reader_get_byte(struct ioviter_reader *reader);
uint16_t ioviter_reader_get_be16(struct ioviter_reader *reader);
uint32_t ioviter_reader_get_be32(struct ioviter_reader *reader);
uint64_t ioviter_reader_get_be64(struct ioviter_reader *reader);
uint16_t ioviter_reader_get_le16(struct ioviter_reader *reader);
uint32_t ioviter_reader_get_le32(struct ioviter_reader *reader);
uint64_t ioviter_reader_get_le64(struct ioviter_reader *reader);
ssize_t ioviter_reader_get(struct ioviter_reader *reader, void *buf, size_t len);
ssize_t ioviter_reader_get_iov(struct ioviter_reader *reader, const struct iovec *iov, size_t count);
int ioviter_reader_get_or_end(struct ioviter_reader *reader, void *buf, size_t len);
int ioviter_reader_get_iov_or_end(struct ioviter_reader *reader, const struct iovec *iov, size_t count);
ssize_t ioviter_reader_get_in_place(struct ioviter_reader *reader, const void **bytes, void *buf, size_t len);
ssize_t ioviter_reader_get_counted_string(struct ioviter_reader *reader, char *string);
int ioviter_reader_get_at(struct ioviter_reader *reader, void *buf, size_t len, uint64_t position);
int ioviter_reader_get_iov_at(struct ioviter_reader *reader, const struct iovec *iov, size_t count,
                              uint64_t position);
int ioviter_reader_copy_to(struct ioviter_reader *reader, const struct ioviter_channel_ops *ops, void *opaque,
                           uint64_t len);
ssize_t ioviter_reader_peek(struct ioviter_reader *reader, const void **bytes, size_t len, size_t offset);
int ioviter_reader_peek_byte(struct ioviter_reader *reader, size_t offset);
int ioviter_reader_at_end(struct ioviter_reader *reader);
int ioviter_reader_skip(struct ioviter_reader *reader, uint64_t len);
int ioviter_reader_skip_buffered(struct ioviter_reader *reader, size_t len);
int64_t ioviter_reader_seek(struct ioviter_reader *reader, int64_t distance, int whence);
int64_t ioviter_reader_offset(struct ioviter_reader *reader);
uint64_t ioviter_reader_position(const struct ioviter_reader *reader);
uint64_t ioviter_reader_fetched(const struct ioviter_reader *reader);
size_t ioviter_reader_buffered(const struct ioviter_reader *reader);
ssize_t ioviter_writer_put_iter(struct ioviter_writer *writer, struct ioviter *iter, size_t len);
ssize_t ioviter_reader_get_iter(struct ioviter_reader *reader, struct ioviter *iter, size_t len);
int ioviter_deflater_new(struct ioviter_deflater **out, unsigned level);
void ioviter_deflater_free(struct ioviter_deflater *deflater);
int ioviter_inflater_new(struct ioviter_inflater **out);
void ioviter_inflater_free(struct ioviter_inflater *inflater);
ssize_t ioviter_writer_put_compressed(struct ioviter_writer *writer, struct ioviter_deflater *deflater,
                                      const void *buf, size_t len, int may_flush);
ssize_t ioviter_reader_get_compressed(struct ioviter_reader *reader, struct ioviter_inflater *inflater,
                                      void *buf, size_t len);
int ioviter_buffer_new(struct ioviter_buffer **out, size_t limit);
int ioviter_buffer_clone(struct ioviter_buffer **out, const struct ioviter_buffer *buffer);
void ioviter_buffer_free(struct ioviter_buffer *buffer);
size_t ioviter_buffer_len(const struct ioviter_buffer *buffer);
size_t ioviter_buffer_capacity(const struct ioviter_buffer *buffer);
ssize_t ioviter_buffer_read_at(const struct ioviter_buffer *buffer, size_t position, void *buf, size_t len);
int ioviter_buffer_write_at(struct ioviter_buffer *buffer, size_t position, const void *buf, size_t len);
int ioviter_buffer_append(struct ioviter_buffer *buffer, const void *buf, size_t len);
int ioviter_buffer_set_len(struct ioviter_buffer *buffer, size_t len);
int ioviter_buffer_reserve(struct ioviter_buffer *buffer, size_t len);
void ioviter_buffer_shrink(struct ioviter_buffer *buffer);
ssize_t ioviter_buffer_describe(const struct ioviter_buffer *buffer, size_t position, struct iovec *iov,
                                size_t count);
size_t ioviter_abi(int which);
