//! Getting bytes out of a reading file: copied or in place, and looking ahead.

use super::FileReader;
use crate::direction::Dest;
use crate::file::BUFFER_SIZE;
use crate::file::channel::ReadChannel;
use crate::file::error::Error;
use crate::host::Host;
use crate::iov::View;
use crate::iter::IovIter;
use crate::memory::{Access, Piece};
use crate::segment::{KVec, MemVec, SharedVec};

/// Getting bytes.
impl<C: ReadChannel> FileReader<C> {
    /// Gets one byte.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting).
    #[doc(alias = "qemu_get_byte")]
    #[doc(alias = "qemu_get_ubyte")]
    #[doc(alias = "qemu_get_8s")]
    #[inline]
    pub fn get_byte(&mut self) -> Result<u8, Error> {
        self.get_array().map(|[byte]| byte)
    }

    /// Gets `N` bytes; `N` is at most the size of the buffer.
    ///
    /// # Errors
    ///
    /// [`Error::PeekOutOfRange`] if the buffer cannot hold `N` bytes; see also
    /// [errors of getting](Self#errors-of-getting).
    #[inline]
    pub fn get_array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        match self.buffer.take() {
            Some(bytes) => Ok(bytes),
            None => self.get_array_slow(),
        }
    }

    #[cold]
    #[inline(never)]
    fn get_array_slow<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.buffer_more(N)?;
        self.buffer.take().ok_or(Error::PeekOutOfRange)
    }

    /// Gets the next `into.len()` bytes, any number of them.
    ///
    /// Returns how many were got. They are fewer only if an error came after the first one; it is
    /// returned when the next bytes are asked for.
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    #[doc(alias = "qemu_get_buffer")]
    #[inline]
    pub fn get_buffer(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let Some(bytes) = self.buffer.take_slice(into.len()) else {
            return self.get_partly(into);
        };
        Ok(KVec::<Dest>::from(into).copy_from_slice(&*bytes))
    }

    #[inline(never)]
    fn get_partly(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let mut got = 0;
        if let Err(error) = self.get_pieces(into, &mut got) {
            // What has arrived is got, although it is not all.
            let rest = KVec::<Dest>::from(into).into_piece().slice(got, usize::MAX);
            got = got
                .saturating_add(rest.copy_from(KVec::from(self.consume(rest.len())).into_piece()));
            if got == 0 {
                return Err(error);
            }
        }
        Ok(got)
    }

    /// Gets `into.len()` bytes and counts them in `got`, which starts at 0, also on failure.
    ///
    /// ```text
    ///   into   [ BUFFER_SIZE | BUFFER_SIZE | ... | last block ]
    ///                             ▲ got: after an error, anywhere
    /// ```
    ///
    /// While a whole block is wanted and nothing is buffered, the channel reads straight into `into`, so an
    /// error may come inside a block. "All or nothing" holds for each block: [`get_blocks`](Self::get_blocks)
    /// gives the bytes got of the unfinished block back to the buffer. They fit, because an error comes either
    /// when nothing is buffered, or when fewer bytes are buffered than the block still lacks.
    fn get_pieces(&mut self, into: &mut [u8], got: &mut usize) -> Result<(), Error> {
        loop {
            let rest = into.get_mut(*got..).unwrap_or_default();
            let len = match rest.len() {
                0 => return Ok(()),
                BUFFER_SIZE.. if self.buffered() == 0 => {
                    self.read_through(rest).map_err(|error| self.status.fail(error))?
                }
                BUFFER_SIZE.. => {
                    KVec::<Dest>::from(rest).copy_from_slice(self.consume(BUFFER_SIZE))
                }
                len => {
                    let part = len.min(BUFFER_SIZE.saturating_sub(*got % BUFFER_SIZE));
                    self.buffer_at_least(part)?;
                    KVec::<Dest>::from(rest).copy_from_slice(self.consume(part))
                }
            };
            *got = got.saturating_add(len);
        }
    }

    /// Gets the next bytes into memory that others may access, and that need not be initialised.
    ///
    /// Returns how many were got, as [`get_segments`](Self::get_segments) does, with the same warning.
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use iov_iter::{Piece, file::FileReader};
    ///
    /// let mut reader = FileReader::new(&b"bytes"[..])?;
    /// let mut space = [MaybeUninit::uninit(); 4];
    /// assert_eq!(reader.get_piece(Piece::from(&mut space[..]))?, 4);
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    #[doc(alias = "qemu_get_buffer")]
    #[inline]
    pub fn get_piece(&mut self, into: Piece<'_, Dest>) -> Result<usize, Error> {
        if let Some(bytes) = self.buffer.take_slice(into.len()) {
            return Ok(into.copy_from(Piece::from(&*bytes)));
        }
        // SAFETY: the piece is valid for as long; it does not leave this call.
        let into = unsafe { SharedVec::from_raw_parts(into.as_mut_ptr(), into.len()) };
        self.get_segments(&[into])
    }

    /// Gets the next bytes into scattered memory, which need not be initialised.
    ///
    /// Returns how many were got, as [`get_buffer`](Self::get_buffer) does. Channels are safe to implement
    /// and may lie, so unsafe code must not conclude from the number that this memory is initialised, unless
    /// it knows the channel.
    ///
    /// While a whole buffer or more is wanted, a channel that [can](ReadChannel::read_pieces) reads straight
    /// into the memory.
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    pub fn get_segments<A: Access>(
        &mut self,
        into: &[MemVec<'_, Dest, A>],
    ) -> Result<usize, Error> {
        let mut left = View::new(into);
        let mut got = 0_usize;
        while !left.is_empty() {
            let (len, result) = self.get_front(&left);
            left.discard_front(len);
            got = got.saturating_add(len);
            match result {
                Err(error) if got == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => {}
            }
        }
        Ok(got)
    }

    /// Gets some of the next bytes into the front of `into`, which has some, and tells how many, also on
    /// failure.
    ///
    /// Where a whole buffer is wanted and none is buffered, the channel reads straight into `into`.
    fn get_front<A: Access>(&mut self, into: &View<'_, Dest, A>) -> (usize, Result<(), Error>) {
        let wanted = into.size_up_to(BUFFER_SIZE);
        let result = match self.buffered() {
            _ if wanted < BUFFER_SIZE => self.buffer_at_least(wanted),
            0 => match self.read_segments(into) {
                Ok(Some(len)) => return (len, Ok(())),
                Ok(None) => self.buffer_at_least(1),
                Err(error) => Err(self.status.fail(error)),
            },
            _ => Ok(()),
        };
        // Offset 0 is in every view.
        let len = into.write_at(0, self.buffer.window()).unwrap_or_default();
        self.consume(len);
        (len, result)
    }

    /// Gets the next `len` bytes into `iter`, and returns how many were got.
    ///
    /// They are fewer if the iterator ends, or its memory faults, or an error came after the first byte; it
    /// is returned when the next bytes are asked for. In every case `iter` was advanced by exactly the bytes
    /// by which [`position`](Self::position) has grown: what a fault kept from being written is still in the
    /// stream.
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    ///
    /// ```
    /// use iov_iter::file::FileReader;
    /// use iov_iter::{IovIterDest, KVec};
    ///
    /// let (mut head, mut tail) = ([0; 4], [0; 9]);
    /// let segments = [KVec::from(&mut head), KVec::from(&mut tail)];
    /// let mut iter = IovIterDest::from(&segments);
    /// let mut reader = FileReader::new(&b"scattered bytes"[..])?;
    /// assert_eq!(reader.get_iter(&mut iter, 9)?, 9);
    /// assert_eq!(iter.remaining(), 4);
    /// assert_eq!((&head, &tail[..5]), (b"scat", &b"tered"[..]));
    /// # Ok::<(), iov_iter::file::Error>(())
    /// ```
    pub fn get_iter<H: Host>(
        &mut self,
        iter: &mut IovIter<'_, Dest, H>,
        len: usize,
    ) -> Result<usize, Error> {
        let before = iter.remaining();
        let result = self.get_iter_blocks(iter, len);
        match before.saturating_sub(iter.remaining()) {
            0 => result.map(|()| 0),
            got => Ok(got),
        }
    }

    /// Gets the next `len` bytes, or those that fit before the end of `iter` or a fault. After an error what
    /// has arrived was got.
    fn get_iter_blocks<H: Host>(
        &mut self,
        iter: &mut IovIter<'_, Dest, H>,
        len: usize,
    ) -> Result<(), Error> {
        let mut rest = len.min(iter.remaining());
        while rest > 0 {
            let wanted = rest.min(BUFFER_SIZE);
            let complete = self.buffer_at_least(wanted);
            let waiting = self.buffer.window();
            let waiting = waiting.get(..wanted).unwrap_or(waiting);
            let offered = waiting.len();
            let copied = iter.copy_to_iter(waiting);
            self.consume(copied);
            if copied < offered {
                break;
            }
            complete?;
            rest = rest.saturating_sub(copied);
        }
        Ok(())
    }

    /// Gets exactly `into.len()` bytes and returns `true`, or `false` if the data ends before the first of them.
    ///
    /// So a stream of records ends where a record ends. That end is no error, and does not stick.
    ///
    /// # Errors
    ///
    /// As for [`get_exact`](Self::get_exact): [`Error::UnexpectedEof`] if the data ends after the first byte.
    ///
    /// ```
    /// use iov_iter::file::{Error, FileReader};
    ///
    /// let mut reader = FileReader::new(&b"record"[..])?;
    /// let mut record = [0; 3];
    /// assert_eq!(reader.get_exact_or_end(&mut record), Ok(true));
    /// assert_eq!(reader.get_exact_or_end(&mut record), Ok(true));
    /// assert_eq!(reader.get_exact_or_end(&mut record), Ok(false));
    ///
    /// let mut reader = FileReader::new(&b"cut"[..])?;
    /// assert_eq!(reader.get_exact_or_end(&mut [0; 4]), Err(Error::UnexpectedEof));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "qio_channel_read_all_eof")]
    pub fn get_exact_or_end(&mut self, into: &mut [u8]) -> Result<bool, Error> {
        if !into.is_empty() && self.is_at_end()? {
            return Ok(false);
        }
        self.get_exact(into).map(|()| true)
    }

    /// Fills all segments and returns `true`, or returns `false` if the data ends before the first byte.
    ///
    /// The memory need not be initialised.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting): [`Error::UnexpectedEof`] if the data ends after the
    /// first byte. A part of the bytes may have been consumed; [`position`](Self::position) tells how much.
    #[doc(alias = "qio_channel_readv_all_eof")]
    pub fn get_segments_or_end<A: Access>(
        &mut self,
        into: &[MemVec<'_, Dest, A>],
    ) -> Result<bool, Error> {
        let mut left = View::new(into);
        if !left.is_empty() && self.is_at_end()? {
            return Ok(false);
        }
        while !left.is_empty() {
            let (len, result) = self.get_front(&left);
            left.discard_front(len);
            result?;
        }
        Ok(true)
    }

    /// Gets exactly `into.len()` bytes.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting). If `into` is larger than the buffer, a
    /// part of it may have been consumed; [`position`](Self::position) tells how much.
    #[inline]
    pub fn get_exact(&mut self, into: &mut [u8]) -> Result<(), Error> {
        let Some(bytes) = self.buffer.take_slice(into.len()) else {
            return self.get_blocks(into);
        };
        KVec::<Dest>::from(into).copy_from_slice(&*bytes);
        Ok(())
    }

    #[inline(never)]
    fn get_blocks(&mut self, into: &mut [u8]) -> Result<(), Error> {
        let mut got = 0;
        let result = self.get_pieces(into, &mut got);
        if result.is_err() {
            // The bytes of the unfinished block come again.
            let whole = got.saturating_sub(got % BUFFER_SIZE);
            self.buffer.give_back(into.get(whole..got).unwrap_or_default());
        }
        result
    }

    /// Gets `len` bytes, at most [`BUFFER_SIZE`](crate::file::BUFFER_SIZE), where they lie in the
    /// buffer.
    ///
    /// # Errors
    ///
    /// [`Error::PeekOutOfRange`] if the buffer cannot hold them; see also
    /// [errors of getting](Self#errors-of-getting).
    pub fn get_slice(&mut self, len: usize) -> Result<&[u8], Error> {
        self.buffer_at_least(len)?;
        Ok(self.consume(len))
    }

    /// Gets `scratch.len()` bytes, where they lie in the buffer if they fit, else copied to
    /// `scratch`.
    ///
    /// The slice is shorter only if an error came after the first byte, as with
    /// [`get_buffer`](Self::get_buffer).
    ///
    /// # Errors
    ///
    /// The error, if not even one byte was got.
    #[doc(alias = "qemu_get_buffer_in_place")]
    pub fn get_buffer_in_place<'a>(&'a mut self, scratch: &'a mut [u8]) -> Result<&'a [u8], Error> {
        if scratch.len() < BUFFER_SIZE && self.buffer_at_least(scratch.len()).is_ok() {
            return Ok(self.consume(scratch.len()));
        }
        let got = self.get_buffer(scratch)?;
        Ok(scratch.get(..got).unwrap_or_default())
    }

    /// Gets a length byte and the bytes that it announces, 0 to 255, where they lie in the buffer.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting): a string that is cut short leaves its
    /// length byte in the stream.
    #[doc(alias = "qemu_get_counted_string")]
    pub fn get_counted_string(&mut self) -> Result<&[u8], Error> {
        self.buffer_at_least(1)?;
        let len = usize::from(self.buffer.window().first().copied().unwrap_or_default());
        self.buffer_at_least(len.saturating_add(1))?;
        self.consume(1);
        Ok(self.consume(len))
    }
}

/// Looking ahead, and skipping bytes.
impl<C: ReadChannel> FileReader<C> {
    /// Looks at `len` bytes that come `offset` bytes after the next one, and consumes nothing.
    ///
    /// The slice is shorter, or empty, only where the data ends or a failure keeps more from being
    /// read. The end of the data does not become an error of the file.
    ///
    /// # Errors
    ///
    /// [`Error::PeekOutOfRange`] if `offset` + `len` is more than
    /// [`BUFFER_SIZE`](crate::file::BUFFER_SIZE); [`Error::WouldBlock`] if the bytes have not arrived;
    /// the failure of the file if there is one and no byte to look at.
    #[doc(alias = "qemu_peek_buffer")]
    pub fn peek(&mut self, len: usize, offset: usize) -> Result<&[u8], Error> {
        let wanted = offset.checked_add(len).filter(|end| *end <= BUFFER_SIZE);
        let wanted = wanted.ok_or(Error::PeekOutOfRange)?;
        while self.buffered() < wanted {
            match self.fill() {
                Ok(()) => {}
                Err(Error::UnexpectedEof) => break,
                Err(Error::WouldBlock) => return Err(Error::WouldBlock),
                Err(error) if self.buffered() <= offset => return Err(error),
                Err(_) => break,
            }
        }
        let ahead = self.buffer.window().get(offset..).unwrap_or_default();
        Ok(ahead.get(..len).unwrap_or(ahead))
    }

    /// Looks at the byte that comes `offset` bytes after the next one; `None` if the data ends
    /// before it.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek).
    #[doc(alias = "qemu_peek_byte")]
    #[inline]
    pub fn peek_byte(&mut self, offset: usize) -> Result<Option<u8>, Error> {
        Ok(self.peek(1, offset)?.first().copied())
    }

    /// Whether all bytes were got and the data has ended; waits for more data to find out.
    ///
    /// # Errors
    ///
    /// As for [`peek`](Self::peek).
    pub fn is_at_end(&mut self) -> Result<bool, Error> {
        Ok(self.peek_byte(0)?.is_none())
    }

    /// Skips `len` bytes, reading them if they are not buffered.
    ///
    /// # Errors
    ///
    /// See [errors of getting](Self#errors-of-getting). If `len` is larger than the buffer, a
    /// part of the bytes may have been skipped; [`position`](Self::position) tells how many.
    pub fn skip(&mut self, len: u64) -> Result<(), Error> {
        let mut rest = len;
        while rest > 0 {
            let part = usize::try_from(rest).unwrap_or(BUFFER_SIZE).min(BUFFER_SIZE);
            self.buffer_at_least(part)?;
            self.consume(part);
            rest = rest.saturating_sub(part as u64);
        }
        Ok(())
    }

    /// Skips `len` bytes that are buffered, such as those just [peeked](Self::peek) at.
    ///
    /// # Errors
    ///
    /// [`Error::SkipOutOfRange`] if fewer are buffered; nothing is skipped then.
    #[doc(alias = "qemu_file_skip")]
    pub fn skip_buffered(&mut self, len: usize) -> Result<(), Error> {
        if len > self.buffered() {
            return Err(Error::SkipOutOfRange);
        }
        self.consume(len);
        Ok(())
    }
}
