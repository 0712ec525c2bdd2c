//! The memory of a file, and a window in it whose front is taken byte for byte.
//!
//! ```text
//!        front                         back
//!   ├──────────────┼─────── window ───────┼─────────┤   BUFFER_SIZE
//!      taken          reader: waiting        reader: free
//!                     writer: room           writer: kept, so that what needs care fails
//! ```
//!
//! Both files do most of their work in [`take`](Buffer::take), which is one comparison: bytes that
//! are in the window can be taken, and nothing else has to be looked at.

use alloc::alloc::alloc_zeroed;
use alloc::boxed::Box;
use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;

use super::BUFFER_SIZE;
use super::error::Error;
use crate::direction::Dest;
use crate::memory::Piece;

/// [`BUFFER_SIZE`] bytes, of which those between the first `front` and the last `back` are the
/// window. It is empty if the two meet or overlap.
///
/// Both lengths are so narrow that their sum cannot overflow.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Memory,
    front: u32,
    back: u32,
}

impl Buffer {
    /// A buffer of zeros with an empty window at its start.
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self { memory: zeros()?, front: 0, back: narrow(BUFFER_SIZE) })
    }

    /// The number of bytes before the window.
    #[inline]
    pub(super) const fn front(&self) -> usize {
        self.front as usize
    }

    /// The number of bytes in the window.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        BUFFER_SIZE.saturating_sub(self.front()).saturating_sub(self.back as usize)
    }

    /// Makes the window begin behind the first `front` bytes.
    #[inline]
    pub(super) fn set_front(&mut self, front: usize) {
        self.front = narrow(front.min(BUFFER_SIZE));
    }

    /// Makes the window end before the last `back` bytes; more than there are make it empty
    /// wherever it begins.
    #[inline]
    pub(super) fn set_back(&mut self, back: usize) {
        self.back = narrow(back);
    }

    /// Takes `N` bytes off the front of the window; `None` if it has fewer.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        // The position is written last, so that the next access finds it soonest.
        let bytes = *self.at_least(N)?.first_chunk()?;
        self.front = narrow(self.front().saturating_add(N));
        Some(bytes)
    }

    /// Writes `bytes` to the front of the window and takes them off it; `false` if it has fewer.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) -> bool {
        let room = self.at_least(N).and_then(|window| window.first_chunk_mut());
        let Some(room) = room else { return false };
        *room = bytes;
        self.front = narrow(self.front().saturating_add(N));
        true
    }

    /// Takes `len` bytes off the front of the window; `None` if it has fewer.
    #[inline]
    pub(super) fn take_slice(&mut self, len: usize) -> Option<&mut [u8]> {
        let front = self.front();
        let end = front.saturating_add(len);
        let rest = self.memory.get_mut(front..end.saturating_add(self.back as usize))?;
        self.front = narrow(end);
        rest.get_mut(..len)
    }

    /// Memory from the front of the window on, if the window has `len` bytes: they and `back` more.
    #[inline]
    fn at_least(&mut self, len: usize) -> Option<&mut [u8]> {
        let front = self.front();
        // If all that must stay behind them is in the memory, too, they are in the window.
        let end = front.saturating_add(len).saturating_add(self.back as usize);
        self.memory.get_mut(front..end)
    }

    /// The bytes in the window.
    #[inline]
    pub(super) fn window(&self) -> &[u8] {
        self.get(self.front()..self.front().saturating_add(self.len()))
    }

    /// The bytes of `range`, wherever the window is.
    #[inline]
    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        self.memory.get(range).unwrap_or_default()
    }

    /// All bytes from the front of the window to the end of the memory.
    #[inline]
    pub(super) fn rest(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.front as usize..).unwrap_or_default()
    }

    /// The bytes behind the window.
    pub(super) fn behind(&mut self) -> &mut [u8] {
        let end = BUFFER_SIZE.saturating_sub(self.back as usize);
        self.memory.get_mut(end..).unwrap_or_default()
    }

    /// Moves the bytes of `range` to the start of the memory.
    pub(super) fn move_to_start(&mut self, range: Range<usize>) {
        if range.start <= range.end && range.end <= self.memory.len() {
            self.memory.copy_within(range, 0);
        }
    }

    /// Adds the first `len` bytes behind the window to it.
    pub(super) fn extend(&mut self, len: usize) {
        self.back = self.back.saturating_sub(narrow(len));
    }

    /// Makes the window an empty one at the start of the memory.
    pub(super) fn empty(&mut self) {
        (self.front, self.back) = (0, narrow(BUFFER_SIZE));
    }

    /// Puts `bytes` back in front of the window, as far as there is room in the memory.
    pub(super) fn give_back(&mut self, bytes: &[u8]) {
        let len = self.len();
        self.compact();
        let end = bytes.len().saturating_add(len);
        if end <= self.memory.len() {
            self.memory.copy_within(..len, bytes.len());
            Piece::<Dest>::from(&mut self.memory[..]).copy_from(Piece::from(bytes));
            self.back = narrow(BUFFER_SIZE.saturating_sub(end));
        }
    }

    /// Moves the window to the start of the memory.
    pub(super) fn compact(&mut self) {
        let (front, len) = (self.front(), self.len());
        if front > 0 {
            self.move_to_start(front..front.saturating_add(len));
            self.front = 0;
            self.back = narrow(BUFFER_SIZE.saturating_sub(len));
        }
    }
}

/// Its length is part of the type, so it is not looked up for each byte that is taken.
type Memory = Box<[u8; BUFFER_SIZE]>;

/// As `Box::new` of zeros, for which running out of memory is an error.
fn zeros() -> Result<Memory, Error> {
    // SAFETY: the layout is that of an array of some bytes, so its size is not 0.
    let memory = unsafe { alloc_zeroed(Layout::new::<[u8; BUFFER_SIZE]>()) };
    let memory = NonNull::new(memory.cast::<[u8; BUFFER_SIZE]>()).ok_or(Error::NoMemory)?;
    // SAFETY: the global allocator has just allocated this memory for such an array, nobody else
    // knows of it, and zeros are an array of bytes.
    Ok(unsafe { Box::from_raw(memory.as_ptr()) })
}

/// For lengths of a buffer, or little more.
#[inline]
const fn narrow(len: usize) -> u32 {
    len as u32
}
