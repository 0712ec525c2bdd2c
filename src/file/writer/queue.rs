//! What a writing file holds back: its buffer, and the ranges that wait to be sent.
//!
//! ```text
//!   buffer   [ copied | copied |  open run  |        room       ]   32 KiB
//!              0..a     a..run   run..used
//!                 ▲        ▲
//!   entries  [ Own 0..a ][ Part of a region ][ Own a..run ][ Part ][ open run ]   at most 64
//!            ├─── sent ───┤  taken by the channel before it would block
//! ```
//!
//! Ranges of the buffer are kept as offsets, so nothing points into it between two flushes.
//! Copied bytes extend the *open run*; it becomes an entry when a part of a region, or a buffer
//! that was handed over, follows it.

use alloc::vec::Vec;

use super::bytes::Bytes;
use super::region::Part;
use crate::direction::{Dest, Source};
use crate::file::buffer::Buffer;
use crate::file::channel::{ChannelError, WriteChannel};
use crate::file::error::Error;
use crate::file::{BUFFER_SIZE, MAX_ENTRIES};
use crate::list::List;
use crate::segment::KVec;

/// A range of bytes that waits to be sent.
#[derive(Clone, Copy, Debug)]
enum Entry<'buf> {
    /// In the file's own buffer.
    Own { start: usize, end: usize },
    /// In the caller's memory.
    Part(Part<'buf>),
    /// A buffer that was handed over.
    Owned { slot: usize, len: usize },
}

impl Entry<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Own { start, end } => end.saturating_sub(*start) as u64,
            Self::Part(part) => part.len as u64,
            Self::Owned { len, .. } => *len as u64,
        }
    }
}

/// The bytes that were put and not yet sent, in order.
#[derive(Debug)]
pub(in crate::file) struct Queue<'buf> {
    /// Its front is in use. Its window is the room for bytes that can just be copied: it is closed
    /// while a put has to look at more than that.
    buffer: Buffer,
    /// Every put has to look at more: there is an error, or there may be.
    guarded: bool,
    /// Parts are not queued without a closer look.
    parts_guarded: bool,
    /// Start of the open run: `run..used` follows all entries.
    run: usize,
    entries: Vec<Entry<'buf>>,
    /// While there are fewer entries, a part can be queued without further care.
    easy_entries: usize,
    /// Some of the entries are to be released.
    releases: bool,
    /// Buffers that were handed over: the first `owned_used` wait, the others were sent.
    owned: Vec<Vec<u8>>,
    owned_used: usize,
    /// Bytes at the front that were sent already; 0 except after a flush that would block.
    sent: u64,
    /// Bytes ever put, without those in the used front of the buffer. This count and the next one
    /// wrap: only their differences are used.
    put_before: u64,
    /// Bytes ever put that are not here any more.
    gone: u64,
}

/// An end of the window that leaves no room.
const CLOSED: usize = 0;
/// A buffer that becomes full is sent at once, so the last byte is not just copied.
const OPEN: usize = BUFFER_SIZE - 1;
/// With fewer entries, two more leave room for an open run that makes no flush due.
const EASY_ENTRIES: usize = MAX_ENTRIES - 3;

impl<'buf> Queue<'buf> {
    pub(in crate::file) fn new() -> Result<Self, Error> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(MAX_ENTRIES).map_err(|_| Error::NoMemory)?;
        let mut buffer = Buffer::new()?;
        buffer.set_end(OPEN);
        Ok(Self {
            buffer,
            guarded: false,
            parts_guarded: false,
            run: 0,
            entries,
            easy_entries: EASY_ENTRIES,
            releases: false,
            owned: Vec::new(),
            owned_used: 0,
            sent: 0,
            put_before: 0,
            gone: 0,
        })
    }

    /// Copies `bytes` if they need no further care; returns whether it did.
    #[inline]
    pub(in crate::file) fn copy_array<const N: usize>(&mut self, bytes: [u8; N]) -> bool {
        self.buffer.put(bytes).is_some()
    }

    /// Room for `len` bytes that need no further care; `None` if they do.
    #[inline]
    pub(in crate::file) fn take_room(&mut self, len: usize) -> Option<&mut [u8]> {
        // A closed window, too, has room for none.
        if len > 0 { self.buffer.take_slice(len) } else { None }
    }

    /// From now on every put needs further care.
    pub(in crate::file) fn guard(&mut self) {
        self.guarded = true;
        self.review();
    }

    /// From now on every part needs further care.
    pub(in crate::file) fn guard_parts(&mut self) {
        self.parts_guarded = true;
        self.review();
    }

    /// Decides anew which puts need no further care.
    #[inline]
    fn review(&mut self) {
        let bytes_easy = !self.guarded && self.can_open_run();
        self.buffer.set_end(if bytes_easy { OPEN } else { CLOSED });
        let parts_easy = !self.guarded && !self.parts_guarded && self.used() < BUFFER_SIZE;
        self.easy_entries = if parts_easy { EASY_ENTRIES } else { 0 };
    }

    /// Whether the next byte can be copied without making a flush due by its entry.
    #[inline]
    fn can_open_run(&self) -> bool {
        self.run < self.used() || self.entries.len().saturating_add(1) < MAX_ENTRIES
    }

    /// Bytes of the buffer in use.
    #[inline]
    fn used(&self) -> usize {
        self.buffer.front()
    }

    /// The bytes ever put, a count that wraps.
    pub(in crate::file) fn put(&self) -> u64 {
        self.put_before.wrapping_add(self.used() as u64)
    }

    /// Counts bytes that were put and never came here.
    pub(in crate::file) fn passed_by(&mut self, len: usize) {
        self.count(len);
        self.gone = self.gone.wrapping_add(len as u64);
    }

    /// Counts bytes that were put and are not in the used front of the buffer.
    #[inline]
    fn count(&mut self, len: usize) {
        self.put_before = self.put_before.wrapping_add(len as u64);
    }

    /// Makes the first `used` bytes of the buffer those in use; the others went elsewhere.
    fn set_used(&mut self, used: usize) {
        self.count(self.used().saturating_sub(used));
        self.buffer.set_front(used);
    }

    /// Whether nothing is kept here.
    pub(in crate::file) fn is_empty(&self) -> bool {
        self.used() == 0 && self.entries.is_empty()
    }

    /// Entries, the open run included.
    pub(in crate::file) fn entries(&self) -> usize {
        self.entries.len().saturating_add(usize::from(self.run < self.used()))
    }

    /// Bytes not yet sent.
    pub(in crate::file) fn pending(&self) -> u64 {
        self.total().saturating_sub(self.sent)
    }

    /// Bytes of the entries and of the open run, the sent ones included.
    fn total(&self) -> u64 {
        self.put().wrapping_sub(self.gone)
    }

    /// Whether the queue has to be flushed before more can be put.
    pub(in crate::file) fn is_due(&self) -> bool {
        self.used() >= BUFFER_SIZE || self.entries() >= MAX_ENTRIES
    }

    /// Whether at least one more byte can be copied.
    pub(in crate::file) fn can_copy(&self) -> bool {
        self.used() < BUFFER_SIZE && (self.run < self.used() || self.entries() < MAX_ENTRIES)
    }

    /// Whether one more part can be queued, even if it does not continue the last one.
    pub(in crate::file) fn can_queue(&self) -> bool {
        self.entries() < MAX_ENTRIES
    }

    /// Copies the front of `bytes` into the buffer, as far as there is room; returns how many.
    pub(in crate::file) fn copy(&mut self, bytes: Bytes<'_>) -> usize {
        let len = bytes.copy_to(self.free());
        self.commit(len);
        len
    }

    /// Copies all of `bytes`, unless that would make a flush due; returns whether it did.
    #[inline]
    pub(in crate::file) fn copy_small(&mut self, bytes: &[u8]) -> bool {
        if !self.can_open_run() {
            return false;
        }
        let Some(room) = self.buffer.take_before(bytes.len(), OPEN) else { return false };
        KVec::<Dest>::from(room).copy_from_slice(bytes);
        true
    }

    /// The free part of the buffer. What is written there counts after [`commit`](Self::commit).
    #[inline]
    pub(in crate::file) fn free(&mut self) -> &mut [u8] {
        self.buffer.rest()
    }

    /// Appends the first `len` bytes of the free part.
    #[inline]
    pub(in crate::file) fn commit(&mut self, len: usize) {
        self.buffer.set_front(self.used().saturating_add(len));
        self.review();
    }

    /// Takes the last `len` bytes back, if they were copied, and none of them was sent.
    pub(in crate::file) fn take_back(&mut self, len: usize) {
        if len <= self.used().saturating_sub(self.run) && len as u64 <= self.pending() {
            self.buffer.set_front(self.used().saturating_sub(len));
            self.review();
        }
    }

    /// Appends a part of a region; the caller has checked [`can_queue`](Self::can_queue).
    pub(in crate::file) fn queue(&mut self, part: Part<'buf>) {
        if part.len == 0 {
            return;
        }
        self.close_run();
        self.append_part(part);
        self.review();
    }

    /// As [`queue`](Self::queue), if no flush is near and no further care is needed; returns
    /// whether that is so.
    #[inline]
    pub(in crate::file) fn queue_easily(&mut self, part: Part<'buf>) -> bool {
        let easy = self.entries.len() < self.easy_entries;
        if easy && part.len > 0 {
            self.close_run();
            self.append_part(part);
        }
        easy
    }

    #[inline]
    fn append_part(&mut self, part: Part<'buf>) {
        self.count(part.len);
        self.releases |= part.releases();
        if let Some(Entry::Part(last)) = self.entries.last_mut()
            && last.absorb(&part)
        {
            return;
        }
        self.push(Entry::Part(part));
    }

    /// Whether one more buffer can be taken over.
    pub(in crate::file) fn can_own(&self) -> bool {
        self.can_queue() && self.owned_used < MAX_ENTRIES
    }

    /// Sees to it that taking a buffer over does not allocate.
    pub(in crate::file) fn reserve_owned(&mut self) -> Result<(), Error> {
        let missing = MAX_ENTRIES.saturating_sub(self.owned.len());
        self.owned.try_reserve_exact(missing).map_err(|_| Error::NoMemory)
    }

    /// Appends a buffer, and leaves one that was sent, or an empty one, in its place; the caller
    /// has checked [`can_own`](Self::can_own) and [reserved](Self::reserve_owned).
    pub(in crate::file) fn own(&mut self, buffer: &mut Vec<u8>) {
        if buffer.is_empty() {
            return;
        }
        self.close_run();
        let (slot, len) = (self.owned_used, buffer.len());
        match self.owned.get_mut(slot) {
            Some(sent) => core::mem::swap(sent, buffer),
            // Room was reserved, so this does not fail.
            None => drop(self.owned.try_push(core::mem::take(buffer))),
        }
        self.owned_used = slot.saturating_add(1);
        self.count(len);
        self.push(Entry::Owned { slot, len });
        self.review();
    }

    /// The open run as an entry.
    #[inline]
    fn open_run(&self) -> Option<Entry<'buf>> {
        (self.run < self.used()).then(|| Entry::Own { start: self.run, end: self.used() })
    }

    /// Makes the open run an entry.
    #[inline]
    fn close_run(&mut self) {
        if let Some(run) = self.open_run() {
            self.run = self.used();
            self.push(run);
        }
    }

    #[inline]
    fn push(&mut self, entry: Entry<'buf>) {
        // Room for all entries was reserved at the start; this lets the compiler see it, too.
        if self.entries.len() < self.entries.capacity() {
            self.entries.push(entry);
        }
    }

    /// The bytes not yet sent, as ranges of memory.
    pub(in crate::file) fn unsent(&self) -> impl Iterator<Item = Bytes<'_>> {
        let mut skip = self.sent;
        self.entries.iter().copied().chain(self.open_run()).filter_map(move |entry| {
            let bytes = self.bytes(&entry);
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
            skip = skip.saturating_sub(passed as u64);
            Some(bytes.behind(passed)).filter(|rest| !rest.is_empty())
        })
    }

    /// The bytes not yet sent, if they are one range of the buffer.
    pub(in crate::file) fn only_copied(&self) -> Option<&[u8]> {
        let single = self.entries.is_empty() && self.sent == 0;
        single.then(|| self.buffer.get(self.run..self.used()))
    }

    #[inline]
    fn bytes(&self, entry: &Entry<'buf>) -> Bytes<'_> {
        match *entry {
            Entry::Own { start, end } => self.buffer.get(start..end).into(),
            Entry::Part(part) => part.bytes(),
            Entry::Owned { slot, len } => {
                let buffer = self.owned.get(slot).map(Vec::as_slice);
                buffer.and_then(|buffer| buffer.get(..len)).unwrap_or_default().into()
            }
        }
    }

    /// Writes the bytes not yet sent to the channel, once.
    pub(in crate::file) fn write_to(
        &self,
        channel: &mut impl WriteChannel,
    ) -> Result<usize, ChannelError> {
        if let Some(segments) = self.segments() {
            return channel.write_exclusive(&segments);
        }
        let mut pieces = heapless::Vec::<_, MAX_ENTRIES>::new();
        self.unsent().for_each(|bytes| {
            // There is room, as in `segments`.
            let _ = pieces.push(bytes.into_piece());
        });
        channel.write(&pieces)
    }

    /// The bytes not yet sent, as segments for the channel; `None` if others may write some of them.
    fn segments(&self) -> Option<heapless::Vec<KVec<'_, Source>, MAX_ENTRIES>> {
        let mut segments = heapless::Vec::new();
        // There is room: the queue never has more entries.
        let mut push = |bytes| match bytes {
            Bytes::Exclusive(bytes) => {
                let _ = segments.push(bytes);
                Some(())
            }
            Bytes::Shared(_) => None,
        };
        if self.sent > 0 {
            self.unsent().try_for_each(push)?;
        } else {
            self.entries.iter().try_for_each(|entry| push(self.bytes(entry)))?;
            self.open_run().iter().try_for_each(|run| push(self.bytes(run)))?;
        }
        Some(segments)
    }

    /// Remembers that the channel took `len` more bytes, at most as many as are pending.
    pub(in crate::file) fn advance(&mut self, len: usize) {
        self.sent = self.sent.saturating_add(len as u64).min(self.total());
    }

    /// Forgets the first `len` unsent bytes, which went another way, and all wishes for release:
    /// it is not known when those bytes are sent.
    pub(in crate::file) fn pass(&mut self, len: u64) {
        for entry in &mut self.entries {
            if let Entry::Part(part) = entry {
                part.keep();
            }
        }
        self.sent = self.sent.saturating_add(len).min(self.total());
        if self.pending() == 0 {
            self.clear();
        } else {
            self.compact();
        }
    }

    /// Empties the queue after everything was sent, and releases what may be released.
    pub(in crate::file) fn finish(&mut self) {
        if self.releases {
            self.release();
        }
        self.clear();
    }

    /// Releases what may be released, what is adjacent as one.
    fn release(&self) {
        let mut merged: Option<Part<'buf>> = None;
        for entry in &self.entries {
            let Entry::Part(part) = entry else { continue };
            if !part.releases() {
                continue;
            }
            let absorbed = merged.as_mut().is_some_and(|range| range.absorb(part));
            if !absorbed && let Some(range) = merged.replace(*part) {
                range.give_back();
            }
        }
        if let Some(range) = merged {
            range.give_back();
        }
    }

    /// Forgets everything, without release.
    pub(in crate::file) fn clear(&mut self) {
        self.entries.clear();
        self.set_used(0);
        (self.run, self.sent, self.gone) = (0, 0, self.put());
        self.owned_used = 0;
        self.releases = false;
        self.review();
    }

    /// Gives up what was sent, so that the buffer has room again while the channel is blocked.
    ///
    /// Sent parts that are to be released stay at the front until the flush has succeeded.
    pub(in crate::file) fn compact(&mut self) {
        self.close_run();
        let mut skip = self.sent;
        self.entries.retain_mut(|entry| {
            let passed = skip.min(entry.len());
            skip = skip.saturating_sub(passed);
            let (gone, keep) = match entry {
                Entry::Own { start, end } => {
                    *start = start.saturating_add(usize::try_from(passed).unwrap_or(usize::MAX));
                    (passed, start < end)
                }
                Entry::Part(part) if !part.releases() && passed == part.len as u64 => {
                    (passed, false)
                }
                Entry::Owned { len, .. } if passed == *len as u64 => (passed, false),
                Entry::Part(_) | Entry::Owned { .. } => (0, true),
            };
            self.sent = self.sent.saturating_sub(gone);
            self.gone = self.gone.wrapping_add(gone);
            keep
        });
        self.move_to_front();
        self.reopen_run();
        self.review();
    }

    /// Moves the used part of the buffer to its start.
    fn move_to_front(&mut self) {
        let first = self.entries.iter().find_map(|entry| match entry {
            Entry::Own { start, .. } => Some(*start),
            Entry::Part(_) | Entry::Owned { .. } => None,
        });
        let used = self.used();
        let first = first.unwrap_or(used);
        self.buffer.move_to_start(first..used);
        for entry in &mut self.entries {
            if let Entry::Own { start, end } = entry {
                (*start, *end) = (start.saturating_sub(first), end.saturating_sub(first));
            }
        }
        self.set_used(used.saturating_sub(first));
        self.run = self.used();
    }

    /// Makes the last entry the open run again if it is copied data.
    fn reopen_run(&mut self) {
        if let Some(Entry::Own { start, end }) = self.entries.last().copied()
            && end == self.used()
        {
            self.entries.pop();
            self.run = start;
        }
    }
}
