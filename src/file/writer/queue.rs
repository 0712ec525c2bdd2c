//! What a writing file holds back: its buffer, and the ranges that wait to be sent.
//!
//! ```text
//!   buffer   [ copied | copied |  open run  |        room       ]   32 KiB
//!                ▲        ▲
//!   entries  [ copied ][ range of a region ][ copied ][ buffer handed over ] [ open run ]   at most 64
//! ```
//!
//! Entries are pointers and lengths, laid out as an array of `struct iovec`: a channel gets them as they are.
//! Copied bytes extend the *open run*. It becomes an entry when the next bytes are not copied (a range of
//! a region, or a buffer that was handed over), and when everything is sent.
//!
//! # Counters
//!
//! All bytes ever put, in order:
//!
//! ```text
//!   0 ──────────── gone ──────────── put
//!         sent      │  kept here, pending
//! ```
//!
//! `put` is `put_elsewhere` + the used part of the buffer, so copying a byte changes one number only: the
//! front of the buffer's window.
//!
//! # Which way a put goes
//!
//! | State | Small bytes | Ranges of a region |
//! |---|---|---|
//! | healthy | fast: copied into the window | fast while there are fewer than `fast_entry_limit` entries |
//! | `guarded`: an error, or another thread may cause one | looks at the error, then as if healthy | likewise |
//! | `slow_ranges`: a linear file | fast | slow: copied |
//! | buffer full, or no entry left for the open run | slow: sends first | slow: sends first |
//! | no room to note what is to be released | fast | slow: makes room, or sends first |
//!
//! The fast ways look at one number each: the end of the buffer's window, which is 0 where bytes must go
//! another way, and `fast_entry_limit`, which is 0 where ranges must.
//! [`update_fast_paths`](Queue::update_fast_paths) derives both, whenever what they depend on changes.
//! The ways of a guarded file without an error, `take_small_room` and `queue_small`, look at what they are
//! derived from.

use alloc::vec::Vec;
use core::slice;

use super::bytes::Bytes;
use super::region::{Kind, RegionRange, ToRelease};
use crate::direction::{Dest, Source};
use crate::file::buffer::Buffer;
use crate::file::channel::{ChannelError, WriteChannel};
use crate::file::error::Error;
use crate::file::{BUFFER_SIZE, MAX_ENTRIES};
use crate::list::List;
use crate::segment::{KVec, SharedVec, as_pieces};

/// The bytes that were put and not yet sent, in order.
#[derive(Debug)]
pub(in crate::file) struct Queue<'buf> {
    /// Its front is in use. Its window is the room for bytes that go the fast way.
    buffer: Buffer,
    /// Every put looks at the error first: there is one, or another thread may cause one.
    guarded: bool,
    /// Ranges of regions go the slow way.
    slow_ranges: bool,
    /// Others may write the bytes of an entry, or of one that was sent since the queue was empty.
    shared: bool,
    /// The address at which the last entry ends; 0 if it is no range of a region.
    last_end: usize,
    /// The address at which its region ends.
    last_region_end: usize,
    last_kind: Kind,
    /// Start of the open run: `run..used` follows all entries.
    run: usize,
    // None is empty. Those of copied bytes point into `buffer`, others into `owned`, and the rest is of regions
    // that live as long as 'buf. Neither `buffer` nor `owned` changes the bytes of an entry.
    entries: Vec<SharedVec<'buf, Source>>,
    /// While there are fewer entries, a range goes the fast way.
    fast_entry_limit: usize,
    /// What is released when all was sent.
    to_release: Vec<ToRelease<'buf>>,
    /// Buffers that were handed over: the first `owned_used` wait, the others were sent.
    owned: Vec<Vec<u8>>,
    owned_used: usize,
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
            shared: false,
            last_end: 0,
            last_region_end: 0,
            last_kind: Kind::Exclusive,
            run: 0,
            entries,
            fast_entry_limit: FAST_ENTRIES,
            to_release: Vec::new(),
            owned: Vec::new(),
            owned_used: 0,
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

    /// Whether one more entry can be queued.
    pub(in crate::file) fn can_queue(&self) -> bool {
        self.entries() < MAX_ENTRIES
    }

    /// Whether `range` can be queued, even if it does not continue the last one.
    pub(in crate::file) fn can_queue_range(&self, range: &RegionRange<'buf>) -> bool {
        self.can_queue() && self.can_release(range)
    }

    /// Whether there is room to note what is to be released of `range`.
    #[inline]
    fn can_release(&self, range: &RegionRange<'buf>) -> bool {
        range.to_release.is_none() || self.to_release.len() < self.to_release.capacity()
    }

    /// Makes room, once, for as many notes of what is to be released as there may be entries.
    #[inline]
    pub(in crate::file) fn reserve_releases(&mut self) -> Result<(), Error> {
        let missing = MAX_ENTRIES.saturating_sub(self.to_release.len());
        self.to_release.try_reserve_exact(missing).map_err(|_| Error::NoMemory)
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
        if len <= self.used().saturating_sub(self.run) {
            self.buffer.set_front(self.used().saturating_sub(len));
            self.update_fast_paths();
        }
    }

    /// Appends a range of a region; the caller has checked [`can_queue_range`](Self::can_queue_range).
    pub(in crate::file) fn queue(&mut self, range: RegionRange<'buf>) {
        self.append_range(range);
        self.update_fast_paths();
    }

    /// The fast way: appends a range if no flush is near; returns whether it did.
    // A call would hand the range over through memory.
    #[inline(always)]
    pub(in crate::file) fn queue_fast(&mut self, range: RegionRange<'buf>) -> bool {
        let fast = self.entries.len() < self.fast_entry_limit && self.can_release(&range);
        if fast {
            self.append_range(range);
        }
        fast
    }

    /// Appends a range, unless a flush is near; returns whether it did. The caller has looked at the error, and
    /// the file is not linear.
    #[inline]
    pub(in crate::file) fn queue_small(&mut self, range: RegionRange<'buf>) -> bool {
        let fast = self.used() < BUFFER_SIZE
            && self.entries.len() < FAST_ENTRIES
            && self.can_release(&range);
        if fast {
            self.append_range(range);
        }
        fast
    }

    /// Extends the last entry by a range that follows it, or makes the range an entry, unless it is empty;
    /// there is room.
    #[inline(always)]
    fn append_range(&mut self, range: RegionRange<'buf>) {
        let RegionRange { bytes, region_end, kind, to_release } = range;
        if bytes.is_empty() {
            return;
        }
        self.close_run();
        self.count(bytes.len());
        // Most ranges are of the same kind: a test costs less than changing a field that has just been written.
        if kind.is_shared() && !self.shared {
            self.shared = true;
        }
        if let Some(range) = to_release {
            self.release_later(range);
        }
        let start = bytes.as_ptr().addr();
        let follows = start == self.last_end;
        self.last_end = start.wrapping_add(bytes.len());
        if follows
            && (region_end, kind) == (self.last_region_end, self.last_kind)
            && let Some(last) = self.entries.last_mut()
        {
            let (base, len) = (last.as_ptr().cast_mut(), last.len().saturating_add(bytes.len()));
            // SAFETY: both are ranges of regions that live as long as 'buf and end at the same address. The
            // second follows the first, so it lies in the region of the first, for which the first's pointer is
            // valid. For ranges given by address, the caller of `RegionRange::raw` promised that.
            *last = unsafe { SharedVec::from_raw_parts(base, len) };
            return;
        }
        (self.last_region_end, self.last_kind) = (region_end, kind);
        self.push(bytes);
    }

    /// Notes a range that is released when all was sent; there is room.
    fn release_later(&mut self, range: ToRelease<'buf>) {
        if !self.to_release.last_mut().is_some_and(|last| last.absorb(&range)) {
            let _ = self.to_release.try_push(range);
        }
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
        let Some(owned) = self.owned.get(slot) else { return };
        // SAFETY: the buffer stays as it is, in `owned`, until its entry is gone.
        let bytes = unsafe { SharedVec::from_raw_parts(owned.as_ptr().cast_mut(), len) };
        self.owned_used = slot.saturating_add(1);
        self.count(len);
        self.last_end = 0;
        self.push(bytes);
        self.update_fast_paths();
    }

    /// The open run.
    #[inline]
    fn open_run(&self) -> Option<SharedVec<'buf, Source>> {
        let len = self.used().checked_sub(self.run).filter(|len| *len > 0)?;
        let base = self.buffer.as_ptr().wrapping_add(self.run).cast_mut();
        // SAFETY: these bytes of the buffer are not written while they are in use, and the buffer lives as long
        // as the queue, which gives entries away for no longer than it is borrowed.
        Some(unsafe { SharedVec::from_raw_parts(base, len) })
    }

    /// Makes the open run an entry.
    #[inline]
    fn close_run(&mut self) {
        if let Some(run) = self.open_run() {
            self.run = self.used();
            self.last_end = 0;
            self.push(run);
        }
    }

    #[inline]
    fn push(&mut self, entry: SharedVec<'buf, Source>) {
        // Room for all entries was reserved at the start; this lets the compiler see it as well.
        if self.entries.len() < self.entries.capacity() {
            self.entries.push(entry);
        }
    }

    /// The bytes not yet sent, as ranges of memory.
    pub(in crate::file) fn unsent(&self) -> impl Iterator<Item = Bytes<'_>> {
        self.entries.iter().copied().chain(self.open_run()).map(|entry| {
            // SAFETY: none is of a shared region unless `shared` says so.
            unsafe { Bytes::new(entry, self.shared) }
        })
    }

    /// Writes the bytes not yet sent to the channel, once.
    pub(in crate::file) fn write_to(
        &mut self,
        channel: &mut impl WriteChannel,
    ) -> Result<usize, ChannelError> {
        self.close_run();
        if self.shared {
            return channel.write(as_pieces(&self.entries));
        }
        let (entries, len) = (self.entries.as_ptr(), self.entries.len());
        // SAFETY: nothing writes the bytes of an entry: none is of a shared region. A segment is laid out in the
        // same way, whether others may write it or not.
        channel.write_exclusive(unsafe { slice::from_raw_parts(entries.cast(), len) })
    }

    /// Takes `len` bytes, or all that are pending if those are fewer, off the front: the channel took them.
    pub(in crate::file) fn advance(&mut self, len: u64) {
        self.close_run();
        let len = len.min(self.pending());
        self.gone = self.gone.wrapping_add(len);
        if self.pending() == 0 {
            return self.entries.clear();
        }
        let mut rest = usize::try_from(len).unwrap_or(usize::MAX);
        self.entries.retain_mut(|entry| {
            let of_entry = rest.min(entry.len());
            rest = rest.saturating_sub(of_entry);
            entry.advance(of_entry);
            !entry.is_empty()
        });
        self.reopen_run();
    }

    /// Forgets the first `len` unsent bytes, which went another way, and all wishes for release:
    /// it is not known when those bytes are sent.
    pub(in crate::file) fn forget_front(&mut self, len: u64) {
        self.to_release.clear();
        self.advance(len);
        if self.pending() == 0 {
            self.clear();
        } else {
            self.compact();
        }
    }

    /// Empties the queue after everything was sent, and releases what may be released.
    pub(in crate::file) fn finish(&mut self) {
        self.to_release.drain(..).for_each(ToRelease::release);
        self.clear();
    }

    /// Forgets everything, without release.
    pub(in crate::file) fn clear(&mut self) {
        self.entries.clear();
        self.to_release.clear();
        self.set_used(0);
        (self.run, self.gone) = (0, self.put());
        self.owned_used = 0;
        self.shared = false;
        self.last_end = 0;
        self.update_fast_paths();
    }

    /// Moves the bytes of the buffer that are not sent to its start, so that it has room again while the channel
    /// is blocked.
    ///
    /// ```text
    ///   buffer   [ sent | copied |  open run  |  room  ]      [ copied |  open run  |      room      ]
    ///                       ▲                             ->      ▲
    ///   entries  [ range ][ copied ][ range ]                 [ range ][ copied ][ range ]
    /// ```
    pub(in crate::file) fn compact(&mut self) {
        self.close_run();
        let (base, used) = (self.buffer.as_ptr(), self.used());
        let mut offsets = self.entries.iter().filter_map(|entry| offset_in(base, entry));
        let sent = offsets.next().unwrap_or(self.run);
        self.buffer.move_to_start(sent..used);
        for entry in &mut self.entries {
            if let Some(offset) = offset_in(base, entry) {
                let base = base.wrapping_add(offset.saturating_sub(sent)).cast_mut();
                // SAFETY: as for `open_run`; the bytes were moved there.
                *entry = unsafe { SharedVec::from_raw_parts(base, entry.len()) };
            }
        }
        self.set_used(used.saturating_sub(sent));
        self.run = self.used();
        self.reopen_run();
        self.update_fast_paths();
    }

    /// Makes the last entry the open run again if it is copied data.
    fn reopen_run(&mut self) {
        if let Some(last) = self.entries.last()
            && let Some(start) = offset_in(self.buffer.as_ptr(), last)
            && start.saturating_add(last.len()) == self.used()
        {
            self.run = start;
            self.entries.pop();
        }
    }
}

/// Where the bytes of `entry` start in the buffer at `base`; `None` if they are elsewhere.
fn offset_in(base: *const u8, entry: &SharedVec<'_, Source>) -> Option<usize> {
    let offset = entry.as_ptr().addr().wrapping_sub(base.addr());
    (offset < BUFFER_SIZE).then_some(offset)
}
