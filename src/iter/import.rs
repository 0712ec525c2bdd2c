//! Iterators from segments that user space names: checked, limited, and read only once.

use core::mem::MaybeUninit;

use super::{IovIter, UserCursor};
use crate::cursor::Cursor;
use crate::direction::{Dest, Direction, Source};
use crate::error::Error;
use crate::host::{CopyFlags, Host, Page, UserMemory};
use crate::list::{InlineVec, List};
use crate::memory::Piece;
use crate::segment::{IoVec, MAX_SEGMENTS};

/// How the process that named the segments lays out `struct iovec`, in native byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Abi {
    /// Address and length as wide as this crate's `usize`.
    #[default]
    Native,
    /// A 32-bit process on a 64-bit kernel: address and length 4 bytes each.
    #[doc(alias = "compat_iovec")]
    Compat,
}

impl Abi {
    /// Bytes of an address, and of a length.
    const fn field(self) -> usize {
        match self {
            Self::Native => size_of::<usize>(),
            Self::Compat => size_of::<u32>(),
        }
    }

    /// Decodes an address or a length.
    fn decode(self, field: &[u8]) -> Option<usize> {
        match self {
            Self::Native => field.first_chunk().map(|bytes| usize::from_ne_bytes(*bytes)),
            Self::Compat => field
                .first_chunk()
                .and_then(|bytes| usize::try_from(u32::from_ne_bytes(*bytes)).ok()),
        }
    }

    /// Refuses a length that is negative when read as a signed number of this width.
    fn check_length(self, len: usize) -> Result<usize, Error> {
        let max = match self {
            Self::Native => isize::MAX as usize,
            Self::Compat => i32::MAX as usize,
        };
        if len <= max { Ok(len) } else { Err(Error::NegativeLength) }
    }
}

impl<'a, D: Direction, H: Host> IovIter<'a, D, H> {
    /// The most bytes one operation moves: the largest `i32`, rounded down to a page.
    #[doc(alias = "MAX_RW_COUNT")]
    pub const MAX_COUNT: usize = i32::MAX as usize & !(H::Page::SIZE - 1);

    /// Imports one range of user memory; a longer one than [`MAX_COUNT`](Self::MAX_COUNT) is cut.
    ///
    /// # Errors
    ///
    /// [`Error::Fault`] if the range, once cut, leaves the user's part of the address space.
    #[doc(alias = "import_single_range")]
    pub fn import_ubuf(memory: H::User, base: usize, len: usize) -> Result<Self, Error> {
        let len = len.min(Self::MAX_COUNT);
        if !memory.access_ok(base, len) {
            return Err(Error::Fault);
        }
        Ok(Self::ubuf(memory, base, len))
    }

    /// Imports the array of `count` segments at `address` of user memory, as `readv` gets it.
    ///
    /// The array is copied into `storage`, each byte of it once, and only the copy is checked.
    /// Nothing is allocated for up to `N` segments, nor ever without feature `alloc`. The total is
    /// limited to [`MAX_COUNT`](Self::MAX_COUNT): the segment that exceeds it is cut, and the segments
    /// after it are left empty. A single segment becomes a [`UserBuf`](Self::UserBuf).
    /// [`remaining`](Self::remaining) is the total.
    ///
    /// # Errors
    ///
    /// In this order, and with `storage` left empty:
    /// - [`Error::TooManySegments`] for more than [`MAX_SEGMENTS`];
    /// - [`Error::NoMemory`] if `storage` has not enough room;
    /// - for the first segment that has it, [`Error::Fault`] if its address or its length cannot be
    ///   read, or [`Error::NegativeLength`];
    /// - [`Error::Fault`] if any segment leaves the user's part of the address space. Each of
    ///   several segments is checked uncut. A single segment is cut to
    ///   [`MAX_COUNT`](Self::MAX_COUNT) bytes first, as in Linux 6.18; Linux 6.1 checks it uncut.
    ///
    /// ```
    /// # #[cfg(all(feature = "std", target_os = "linux"))] {
    /// use iov_iter::os::{Process, ProcessMemory};
    /// use iov_iter::{Abi, InlineVec, IoVec, IovIter, Source};
    ///
    /// // What a process, here this one, passes to `writev`.
    /// let (head, body) = (*b"GET ", *b"/index");
    /// let [first, second] = [&head[..], &body].map(|bytes| {
    ///     IoVec::new(bytes.as_ptr().expose_provenance(), bytes.len())
    /// });
    /// let array = [first, second];
    /// let (address, count) = (array.as_ptr().expose_provenance(), array.len());
    ///
    /// // SAFETY: nothing is written.
    /// let memory = unsafe { ProcessMemory::own() }.unwrap();
    /// let mut storage = InlineVec::<IoVec, 8>::new();
    /// let imported = IovIter::import_iovec(memory, address, count, Abi::Native, &mut storage);
    /// let mut iter: IovIter<Source, Process> = imported.unwrap();
    /// let mut bytes = [0; 10];
    /// assert_eq!((iter.copy_from_iter(&mut bytes), &bytes), (10, b"GET /index"));
    /// # }
    /// ```
    #[doc(alias = "__import_iovec")]
    #[doc(alias = "compat_import_iovec")]
    #[doc(alias = "iovec_from_user")]
    #[doc(alias = "copy_iovec_from_user")]
    #[doc(alias = "copy_compat_iovec_from_user")]
    pub fn import_iovec<const N: usize>(
        memory: H::User,
        address: usize,
        count: usize,
        abi: Abi,
        storage: &'a mut InlineVec<IoVec, N>,
    ) -> Result<Self, Error> {
        storage.clear();
        if count > MAX_SEGMENTS {
            return Err(Error::TooManySegments);
        }
        if count == 1 {
            let mut only = heapless::Vec::<IoVec, 1>::new();
            fetch(&memory, address, 1, abi, &mut only)?;
            let IoVec { base, len } = only.first().copied().unwrap_or_default();
            return Self::import_ubuf(memory, base, len);
        }
        if storage.try_reserve(count)? < count {
            return Err(Error::NoMemory);
        }
        let total = fetch(&memory, address, count, abi, storage)
            .and_then(|()| limit(&memory, storage, Self::MAX_COUNT));
        match total {
            Ok(total) => {
                let cursor = Cursor::with_count(&**storage, total)?;
                Ok(Self::IoVec(UserCursor::new(memory, cursor)))
            }
            Err(error) => {
                storage.clear();
                Err(error)
            }
        }
    }
}

/// Appends the `count` segments at `address` to `list`, which has room, in the order in which they
/// stand there.
fn fetch(
    memory: &impl UserMemory,
    address: usize,
    count: usize,
    abi: Abi,
    list: &mut impl List<IoVec>,
) -> Result<(), Error> {
    let field = abi.field();
    let element = field.saturating_mul(2);
    let size = count.saturating_mul(element);
    // An array of no segments may lie anywhere.
    if size > 0 && !memory.access_ok(address, size) {
        return Err(Error::Fault);
    }
    // Several elements at a time; a multiple of either element size.
    let mut buffer = [MaybeUninit::uninit(); 256];
    let mut at = 0;
    while at < size {
        let left = size.saturating_sub(at);
        let start = address.checked_add(at).ok_or(Error::Fault)?;
        // SAFETY: a part of the array, which was accepted.
        let bytes = unsafe { read_into(memory, start, &mut buffer, left) };
        let wanted = left.min(256);
        for bytes in bytes.chunks_exact(element) {
            let (base, len) = bytes.split_at_checked(field).ok_or(Error::Fault)?;
            let len = abi.decode(len).ok_or(Error::Fault)?;
            let base = abi.decode(base).ok_or(Error::Fault)?;
            let segment = IoVec::new(base, abi.check_length(len)?);
            list.try_push(segment).map_err(|_| Error::NoMemory)?;
        }
        if bytes.len() < wanted {
            return Err(Error::Fault);
        }
        at = at.saturating_add(wanted);
    }
    Ok(())
}

/// Reads up to `len` bytes at `address` into the buffer and returns those that came before a fault.
///
/// # Safety
///
/// [`UserMemory::access_ok`] must have accepted the bytes, or a range that holds them.
unsafe fn read_into<'b>(
    memory: &impl UserMemory,
    address: usize,
    buffer: &'b mut [MaybeUninit<u8>],
    len: usize,
) -> &'b [u8] {
    let space = Piece::<Dest>::from(&mut *buffer).slice(0, len);
    // SAFETY: as many bytes as the caller's range has, at most.
    let read = unsafe { memory.read(address, space, CopyFlags::empty()) }.min(space.len());
    // SAFETY: `UserMemory::read` has initialised the first `read` bytes of the buffer, which is
    // borrowed for as long as the result.
    unsafe { Piece::<Source>::from_raw_parts(buffer.as_mut_ptr().cast(), read).as_slice() }
}

/// Checks every range, then cuts the lengths so that they sum up to `max` at most; the sum.
fn limit(memory: &impl UserMemory, list: &mut [IoVec], max: usize) -> Result<usize, Error> {
    let mut total = 0;
    for segment in list {
        if !memory.access_ok(segment.base, segment.len) {
            return Err(Error::Fault);
        }
        segment.len = segment.len.min(max.saturating_sub(total));
        total = total.saturating_add(segment.len);
    }
    Ok(total)
}
