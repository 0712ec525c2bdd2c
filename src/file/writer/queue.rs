//! What a writing file holds back: its buffer, and the ranges that wait to be sent.
//!
//! ```text
//!   buffer   [ copied | copied |  open run  |        room       ]   32 KiB
//!              0..a     a..run   run..used
//!                 ▲        ▲
//!   entries  [ Buffered 0..a ][ Range of a region ][ Buffered a..run ][ Range ][ open run ]   at most 64
//!            ├─── sent ───┤  taken by the channel before it would block
//! ```
//!
//! Ranges of the buffer are kept as offsets, so nothing points into it between two flushes.
//! Copied bytes extend the *open run*. It becomes an entry when the next bytes are not copied: a range of
//! a region, or a buffer that was handed over.
//!
//! # Counters
//!
//! All bytes ever put, in order:
//!
//! ```text
//!   0 ──────────── gone ──────────── gone + sent ──────────── put
//!    not kept here  │  kept here, sent    │  kept here, pending │
//!                   └─────────────── total ─────────────────────┘
//! ```
//!
//! `put` is `put_elsewhere` + the used part of the buffer, so copying a byte changes one number only: the
//! front of the buffer's window. `sent` is 0 except after a flush that would block.
//!
//! # Which way a put goes
//!
//! | State | Small bytes | Ranges of a region |
//! |---|---|---|
//! | healthy | fast: copied into the window | fast while there are fewer than `fast_entry_limit` entries |
//! | `guarded`: an error, or another thread may cause one | looks at the error, then as if healthy | likewise |
//! | `slow_ranges`: a linear file | fast | slow: copied |
//! | buffer full, or no entry left for the open run | slow: sends first | slow: sends first |
//!
//! The fast ways look at one number each: the end of the buffer's window, which is 0 where bytes must go
//! another way, and `fast_entry_limit`, which is 0 where ranges must.
//! [`update_fast_paths`](Queue::update_fast_paths) derives both, whenever what they depend on changes.
//! The ways of a guarded file without an error, `take_small_room` and `queue_small`, look at what they are
//! derived from.

use alloc::vec::Vec;

use super::bytes::Bytes;
use super::region::RegionRange;
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
    Buffered { start: usize, end: usize },
    /// In the caller's memory.
    Range(RegionRange<'buf>),
    /// A buffer that was handed over.
    HandedOver { slot: usize, len: usize },
}

impl Entry<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Buffered { start, end } => end.saturating_sub(*start) as u64,
            Self::Range(range) => range.len as u64,
            Self::HandedOver { len, .. } => *len as u64,
        }
    }
}

/// The bytes that were put and not yet sent, in order.
#[derive(Debug)]
pub(in crate::file) struct Queue<'buf> {
    /// Its front is in use. Its window is the room for bytes that go the fast way.
    buffer: Buffer,
    /// Every put looks at the error first: there is one, or another thread may cause one.
    guarded: bool,
    /// Ranges of regions go the slow way.
    slow_ranges: bool,
    /// Start of the open run: `run..used` follows all entries.
    run: usize,
    entries: Vec<Entry<'buf>>,
    /// While there are fewer entries, a range goes the fast way.
    fast_entry_limit: usize,
    /// Some of the entries are to be released.
    releases: bool,
    /// Buffers that were handed over: the first `owned_used` wait, the others were sent.
    owned: Vec<Vec<u8>>,
    owned_used: usize,
    /// Bytes of the entries, from the first on, that were sent.
    sent: u64,
    /// Bytes ever put, without those in the used part of the buffer. This counter and the next one
    /// wrap: only differences are used.
    put_elsewhere: u64,
    /// Bytes ever put that are not kept here.
    gone: u64,
}

/// An end of the window that leaves no room.
const CLOSED: usize = 0;
/// A full buffer is sent at once, so its last byte goes the slow way.
const OPEN: usize = BUFFER_SIZE - 1;
/// A range that goes the fast way adds up to two entries: the open run that it closes, and itself. The
/// next byte may open another run, without a check. A flush is due at [`MAX_ENTRIES`], so all three must
/// stay below.
const FAST_ENTRIES: usize = MAX_ENTRIES - 3;

impl<'buf> Queue<'buf> {
    pub(in crate::file) fn new() -> Result<Self, Error> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(MAX_ENTRIES).map_err(|_| Error::NoMemory)?;
        let mut buffer = Buffer::new()?;
        buffer.set_end(OPEN);
        Ok(Self {
            buffer,
            guarded: false,
            slow_ranges: false,
            run: 0,
            entries,
            fast_entry_limit: FAST_ENTRIES,
            releases: false,
            owned: Vec::new(),
            owned_used: 0,
            sent: 0,
            put_elsewhere: 0,
            gone: 0,
        })
    }

    /// The fast way: copies `bytes` if the window has room; returns whether it did.
    #[inline]
    pub(in crate::file) fn copy_array<const N: usize>(&mut self, bytes: [u8; N]) -> bool {
        self.buffer.put(bytes).is_some()
    }

    /// The fast way: room for `len` bytes, or `None` if they must go the slow way.
    #[inline]
    pub(in crate::file) fn take_room(&mut self, len: usize) -> Option<&mut [u8]> {
        // Even a closed window has room for no bytes, but they must see the error.
        if len > 0 { self.buffer.take_slice(len) } else { None }
    }

    /// Closes the fast ways for good, so that every later put looks at the error first.
    pub(in crate::file) fn guard(&mut self) {
        self.guarded = true;
        self.update_fast_paths();
    }

    /// Makes every later range of a region go the slow way.
    pub(in crate::file) fn force_slow_ranges(&mut self) {
        self.slow_ranges = true;
        self.update_fast_paths();
    }

    /// Derives the limits of the fast ways; see the [table](self).
    #[inline]
    fn update_fast_paths(&mut self) {
        let bytes_fast = !self.guarded && self.can_open_run();
        self.buffer.set_end(if bytes_fast { OPEN } else { CLOSED });
        let ranges_fast = !self.guarded && !self.slow_ranges && self.used() < BUFFER_SIZE;
        self.fast_entry_limit = if ranges_fast { FAST_ENTRIES } else { 0 };
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
        self.put_elsewhere.wrapping_add(self.used() as u64)
    }

    /// Counts bytes that were put and sent without being kept here.
    pub(in crate::file) fn count_bypassed(&mut self, len: usize) {
        self.count(len);
        self.gone = self.gone.wrapping_add(len as u64);
    }

    /// Counts bytes that were put and are not in the used front of the buffer.
    #[inline]
    fn count(&mut self, len: usize) {
        self.put_elsewhere = self.put_elsewhere.wrapping_add(len as u64);
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

    /// Whether one more range can be queued, even if it does not continue the last one.
    pub(in crate::file) fn can_queue(&self) -> bool {
        self.entries() < MAX_ENTRIES
    }

    /// Copies the front of `bytes` into the buffer, as far as there is room; returns how many.
    pub(in crate::file) fn copy(&mut self, bytes: Bytes<'_>) -> usize {
        let len = bytes.copy_to(self.free());
        self.commit(len);
        len
    }

    /// Room for `len` bytes, or `None` if they would make a flush due. The caller has looked at the error.
    #[inline]
    pub(in crate::file) fn take_small_room(&mut self, len: usize) -> Option<&mut [u8]> {
        if self.can_open_run() { self.buffer.take_before(len, OPEN) } else { None }
    }

    /// Copies all of `bytes`, unless that would make a flush due; returns whether it did. The caller has looked
    /// at the error.
    #[inline]
    pub(in crate::file) fn copy_small(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self.take_small_room(bytes.len()) else { return false };
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
        self.update_fast_paths();
    }

    /// Takes the last `len` bytes back, if they were copied, and none of them was sent.
    pub(in crate::file) fn take_back(&mut self, len: usize) {
        if len <= self.used().saturating_sub(self.run) && len as u64 <= self.pending() {
            self.buffer.set_front(self.used().saturating_sub(len));
            self.update_fast_paths();
        }
    }

    /// Appends a range of a region; the caller has checked [`can_queue`](Self::can_queue).
    pub(in crate::file) fn queue(&mut self, range: RegionRange<'buf>) {
        if range.len == 0 {
            return;
        }
        self.close_run();
        self.append_range(range);
        self.update_fast_paths();
    }

    /// The fast way: appends a range if no flush is near; returns whether it did.
    // A call would hand the range over through memory.
    #[inline(always)]
    pub(in crate::file) fn queue_fast(&mut self, range: RegionRange<'buf>) -> bool {
        let fast = self.entries.len() < self.fast_entry_limit;
        if fast && range.len > 0 {
            self.close_run();
            self.append_range(range);
        }
        fast
    }

    /// Appends a range, unless a flush is near; returns whether it did. The caller has looked at the error, and
    /// the file is not linear.
    #[inline]
    pub(in crate::file) fn queue_small(&mut self, range: RegionRange<'buf>) -> bool {
        if self.used() >= BUFFER_SIZE || self.entries.len() >= FAST_ENTRIES {
            return false;
        }
        if range.len > 0 {
            self.close_run();
            self.append_range(range);
        }
        true
    }

    #[inline(always)]
    fn append_range(&mut self, range: RegionRange<'buf>) {
        self.count(range.len);
        self.releases |= range.releases();
        if let Some(Entry::Range(last)) = self.entries.last_mut()
            && last.absorb(&range)
        {
            return;
        }
        self.push(Entry::Range(range));
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
        self.push(Entry::HandedOver { slot, len });
        self.update_fast_paths();
    }

    /// The open run as an entry.
    #[inline]
    fn open_run(&self) -> Option<Entry<'buf>> {
        (self.run < self.used()).then(|| Entry::Buffered { start: self.run, end: self.used() })
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
        // Room for all entries was reserved at the start; this lets the compiler see it as well.
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
            Some(bytes.suffix(passed)).filter(|rest| !rest.is_empty())
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
            Entry::Buffered { start, end } => self.buffer.get(start..end).into(),
            Entry::Range(range) => range.bytes(),
            Entry::HandedOver { slot, len } => {
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
        let _ = self.each_unsent(|bytes| {
            // There is room, as in `segments`.
            let _ = pieces.push(bytes.into_piece());
            Some(())
        });
        channel.write(&pieces)
    }

    /// The bytes not yet sent, as segments for the channel; `None` if others may write some of them.
    fn segments(&self) -> Option<heapless::Vec<KVec<'_, Source>, MAX_ENTRIES>> {
        let mut segments = heapless::Vec::new();
        // There is room: the queue never has more entries.
        self.each_unsent(|bytes| match bytes {
            Bytes::Exclusive(bytes) => {
                let _ = segments.push(bytes);
                Some(())
            }
            Bytes::Shared(_) => None,
        })?;
        Some(segments)
    }

    /// Calls `push` with the bytes of each entry not yet sent, until it returns `None`.
    ///
    /// Nearly always none of them is sent, and nothing has to be counted.
    #[inline]
    fn each_unsent<'q>(&'q self, mut push: impl FnMut(Bytes<'q>) -> Option<()>) -> Option<()> {
        if self.sent > 0 {
            return self.unsent().try_for_each(push);
        }
        self.entries.iter().try_for_each(|entry| push(self.bytes(entry)))?;
        self.open_run().iter().try_for_each(|run| push(self.bytes(run)))
    }

    /// Counts `len` more bytes, or all that are pending if those are fewer, as taken by the channel.
    pub(in crate::file) fn advance(&mut self, len: usize) {
        self.sent = self.sent.saturating_add(len as u64).min(self.total());
    }

    /// Forgets the first `len` unsent bytes, which went another way, and all wishes for release:
    /// it is not known when those bytes are sent.
    pub(in crate::file) fn forget_front(&mut self, len: u64) {
        for entry in &mut self.entries {
            if let Entry::Range(range) = entry {
                range.keep();
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
        let mut merged: Option<RegionRange<'buf>> = None;
        for entry in &self.entries {
            let Entry::Range(range) = entry else { continue };
            if !range.releases() {
                continue;
            }
            let absorbed = merged.as_mut().is_some_and(|last| last.absorb(range));
            if !absorbed && let Some(last) = merged.replace(*range) {
                last.give_back();
            }
        }
        if let Some(last) = merged {
            last.give_back();
        }
    }

    /// Forgets everything, without release.
    pub(in crate::file) fn clear(&mut self) {
        self.entries.clear();
        self.set_used(0);
        (self.run, self.sent, self.gone) = (0, 0, self.put());
        self.owned_used = 0;
        self.releases = false;
        self.update_fast_paths();
    }

    /// Gives up what was sent, so that the buffer has room again while the channel is blocked.
    ///
    /// ```text
    ///   before   [ Buffered ][ Range ][ Range, releases ][ Buffered ][ open run ]
    ///            ├─────────────── sent ──────────────────────┤
    ///   after                         [ Range, releases ][ed ][ open run ]
    ///                                 ├────── sent ─────┤
    /// ```
    ///
    /// A sent range with a release stays until the flush has succeeded. Sent buffered bytes are dropped, and
    /// the rest of the buffer moves to its start.
    pub(in crate::file) fn compact(&mut self) {
        self.close_run();
        let mut sent = self.sent;
        self.entries.retain_mut(|entry| {
            let of_entry = sent.min(entry.len());
            sent = sent.saturating_sub(of_entry);
            let (gone, keep) = match entry {
                Entry::Buffered { start, end } => {
                    *start = start.saturating_add(usize::try_from(of_entry).unwrap_or(usize::MAX));
                    (of_entry, start < end)
                }
                Entry::Range(range) if !range.releases() && of_entry == range.len as u64 => {
                    (of_entry, false)
                }
                Entry::HandedOver { len, .. } if of_entry == *len as u64 => (of_entry, false),
                Entry::Range(_) | Entry::HandedOver { .. } => (0, true),
            };
            self.sent = self.sent.saturating_sub(gone);
            self.gone = self.gone.wrapping_add(gone);
            keep
        });
        self.move_to_front();
        self.reopen_run();
        self.update_fast_paths();
    }

    /// Moves the used part of the buffer to its start.
    fn move_to_front(&mut self) {
        let first = self.entries.iter().find_map(|entry| match entry {
            Entry::Buffered { start, .. } => Some(*start),
            Entry::Range(_) | Entry::HandedOver { .. } => None,
        });
        let used = self.used();
        let first = first.unwrap_or(used);
        self.buffer.move_to_start(first..used);
        for entry in &mut self.entries {
            if let Entry::Buffered { start, end } = entry {
                (*start, *end) = (start.saturating_sub(first), end.saturating_sub(first));
            }
        }
        self.set_used(used.saturating_sub(first));
        self.run = self.used();
    }

    /// Makes the last entry the open run again if it is copied data.
    fn reopen_run(&mut self) {
        if let Some(Entry::Buffered { start, end }) = self.entries.last().copied()
            && end == self.used()
        {
            self.entries.pop();
            self.run = start;
        }
    }
}
