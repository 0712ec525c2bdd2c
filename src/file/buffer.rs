//! The memory of a file, and a window in it whose front is taken byte for byte.
//!
//! ```text
//!                front                   end
//!   ├──────────────┼─────── window ───────┼─────────┤   BUFFER_SIZE
//!      taken          reader: waiting        reader: free
//!                     writer: room           writer: kept, so that what needs care fails
//! ```
//!
//! Both files do most of their work in [`take`](Buffer::take) and [`put`](Buffer::put), which are one
//! comparison: bytes that are in the window can be taken, and nothing else has to be looked at.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::hint::assert_unchecked;
use core::ops::{Deref, DerefMut, Range};
use core::ptr::NonNull;

use super::BUFFER_SIZE;
use super::error::Error;
use crate::direction::Dest;
use crate::segment::KVec;

/// [`BUFFER_SIZE`] bytes. Those from `front` to `end` are the window; it is empty if the end is not after the
/// front.
///
/// Neither is past the end of the memory.
// Whole words, although fewer bits would do: each access needs the front that the last one stored. Some
// processors forward a stored word of 64 bits at once, and one of 32 bits after five cycles.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Memory,
    front: usize,
    end: usize,
}

impl Buffer {
    /// A buffer of zeros with an empty window at its start.
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { memory: Memory::new()?, front: 0, end: 0 })
    }

    /// The memory, as a pointer that stays valid as long as the buffer lives.
    #[inline]
    pub(super) const fn as_ptr(&self) -> *const u8 {
        self.memory.0.as_ptr().cast()
    }

    /// The number of bytes before the window.
    #[inline]
    pub(super) const fn front(&self) -> usize {
        // SAFETY: the front is 0, what `set_front` made of it, or the end of a range in the memory.
        unsafe { assert_unchecked(self.front <= BUFFER_SIZE) };
        self.front
    }

    /// The number of bytes before the end of the window.
    #[inline]
    const fn end(&self) -> usize {
        // SAFETY: the end is 0, or what `set_end` made of it, which is at most that.
        unsafe { assert_unchecked(self.end <= BUFFER_SIZE) };
        self.end
    }

    /// The number of bytes in the window.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.end().saturating_sub(self.front())
    }

    /// Makes the window begin after the first `front` bytes.
    #[inline]
    pub(super) fn set_front(&mut self, front: usize) {
        self.front = front.min(BUFFER_SIZE);
    }

    /// Makes the window end after the first `end` bytes, which may be before its front.
    #[inline]
    pub(super) fn set_end(&mut self, end: usize) {
        self.end = end.min(BUFFER_SIZE);
    }

    /// Takes `N` bytes off the front of the window; `None` if it has fewer.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let range = self.first(N, self.end())?;
        // The position is written last, so that the next access finds it soonest.
        let bytes = *self.memory.get(range.clone())?.first_chunk()?;
        self.front = range.end;
        Some(bytes)
    }

    /// Writes `bytes` to the front of the window and takes them off it; `None` if it has fewer.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        let range = self.first(N, self.end())?;
        *self.memory.get_mut(range.clone())?.first_chunk_mut()? = bytes;
        self.front = range.end;
        Some(())
    }

    /// Takes `len` bytes off the front of the window; `None` if it has fewer.
    #[inline]
    pub(super) fn take_slice(&mut self, len: usize) -> Option<&mut [u8]> {
        self.take_before(len, self.end())
    }

    /// As [`take_slice`](Self::take_slice), with another end of the window, in the memory.
    #[inline]
    pub(super) fn take_before(&mut self, len: usize, end: usize) -> Option<&mut [u8]> {
        let range = self.first(len, end)?;
        let bytes = self.memory.get_mut(range.clone())?;
        self.front = range.end;
        Some(bytes)
    }

    /// Where the first `len` bytes of the window are, if it has `len` bytes before `end`.
    #[inline]
    fn first(&self, len: usize, end: usize) -> Option<Range<usize>> {
        let front = self.front();
        let after = front.saturating_add(len);
        (after <= end).then_some(front..after)
    }

    /// The bytes in the window.
    #[inline]
    pub(super) fn window(&self) -> &[u8] {
        self.get(self.front()..self.end())
    }

    /// The bytes of `range`, wherever the window is.
    #[inline]
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        self.memory.get(range).unwrap_or_default()
    }

    /// All bytes from the front of the window to the end of the memory.
    #[inline]
    pub(super) fn rest(&mut self) -> &mut [u8] {
        let front = self.front();
        self.memory.get_mut(front..).unwrap_or_default()
    }

    /// The bytes after the window.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let end = self.end();
        self.memory.get_mut(end..).unwrap_or_default()
    }

    /// Moves the bytes of `range` to the start of the memory.
    pub(super) fn move_to_start(&mut self, range: Range<usize>) {
        if range.start <= range.end && range.end <= self.memory.len() {
            self.memory.copy_within(range, 0);
        }
    }

    /// Adds the first `len` bytes after the window to it.
    pub(super) fn extend(&mut self, len: usize) {
        self.set_end(self.end().saturating_add(len));
    }

    /// Makes the window an empty one at the start of the memory.
    pub(super) fn empty(&mut self) {
        (self.front, self.end) = (0, 0);
    }

    /// Puts `bytes` back before the window, so that they are taken first, if the memory has room for all of
    /// them.
    pub(super) fn give_back(&mut self, bytes: &[u8]) {
        let len = self.len();
        self.compact();
        let end = bytes.len().saturating_add(len);
        if end <= self.memory.len() {
            self.memory.copy_within(..len, bytes.len());
            KVec::<Dest>::from(&mut self.memory[..]).copy_from_slice(bytes);
            self.set_end(end);
        }
    }

    /// Moves the window to the start of the memory.
    pub(super) fn compact(&mut self) {
        let (front, len) = (self.front(), self.len());
        if front > 0 {
            self.move_to_start(front..front.saturating_add(len));
            self.front = 0;
            self.set_end(len);
        }
    }
}

/// Its length is part of the type, so it is not looked up for each byte that is taken.
///
/// Unlike a `Box`, it leaves pointers into it valid when it is moved or borrowed.
#[derive(Debug)]
struct Memory(NonNull<[u8; BUFFER_SIZE]>);

// SAFETY: it owns its bytes, as a `Box` does.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeros. Running out of memory is an error.
    fn new() -> Result<Self, Error> {
        // SAFETY: the layout is that of an array of some bytes, so its size is not 0.
        let memory = unsafe { alloc_zeroed(Layout::new::<[u8; BUFFER_SIZE]>()) };
        NonNull::new(memory.cast()).map(Self).ok_or(Error::NoMemory)
    }
}

impl Deref for Memory {
    type Target = [u8; BUFFER_SIZE];

    #[inline]
    fn deref(&self) -> &Self::Target {
        // SAFETY: the bytes are initialised, and this alone owns them.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Memory {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: as in `deref`.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it, with this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), Layout::new::<[u8; BUFFER_SIZE]>()) };
    }
}
