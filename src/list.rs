//! Lists that an operation fills: fixed, growing, or fixed first and growing later.

use core::fmt;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};

use crate::error::Error;

/// A list that segments, pages or scatter entries can be appended to.
///
/// A list is a [`heapless::Vec`], whose capacity is fixed, an [`InlineVec`] or, with feature `alloc`,
/// a `Vec`. No other type can be one. The methods have the names of `Vec`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of `{T}`",
    note = "lists are `Vec` (with feature `alloc`), `heapless::Vec` and `InlineVec`"
)]
pub trait List<T>: Sealed<T> {
    /// Makes room for `wanted` more elements and returns the number of elements that there is room for,
    /// at most `wanted`.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] if the list grows on the heap and the heap is exhausted.
    fn try_reserve(&mut self, wanted: usize) -> Result<usize, Error>;

    /// Appends an element.
    ///
    /// # Errors
    ///
    /// Gives the element back if there is no room, and the heap has none either.
    fn try_push(&mut self, element: T) -> Result<(), T>;

    /// The number of elements.
    fn len(&self) -> usize;

    /// Whether there are no elements.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last element; `None` if there are no elements.
    fn last_mut(&mut self) -> Option<&mut T>;

    /// Drops all elements after the first `len`.
    fn truncate(&mut self, len: usize);
}

mod sealed {
    use core::mem::MaybeUninit;

    /// Who implements this is chosen by the crate.
    pub trait Sealed<T> {
        /// The places after the elements for which the list need not grow; none where a list makes
        /// something else of its elements as they are pushed.
        fn free(&mut self) -> &mut [MaybeUninit<T>] {
            &mut []
        }

        /// Makes the first `count` free places elements.
        ///
        /// # Safety
        ///
        /// There must be so many, and elements must have been written to them.
        unsafe fn filled(&mut self, _count: usize) {}
    }
}
pub(crate) use sealed::Sealed;

impl<T, const N: usize> Sealed<T> for heapless::Vec<T, N> {
    #[inline]
    fn free(&mut self) -> &mut [MaybeUninit<T>] {
        // Never: so that the optimiser sees that the places after the last element are in the list.
        if self.as_slice().len() > N {
            return &mut [];
        }
        self.spare_capacity_mut()
    }

    #[inline]
    unsafe fn filled(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.set_len(self.as_slice().len().wrapping_add(count)) };
    }
}

impl<T, const N: usize> Sealed<T> for InlineVec<T, N> {
    #[inline]
    fn free(&mut self) -> &mut [MaybeUninit<T>] {
        match &mut self.storage {
            Storage::Inline(elements) => elements.free(),
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => elements.free(),
        }
    }

    #[inline]
    unsafe fn filled(&mut self, count: usize) {
        // SAFETY: the caller's promise, for the storage whose places were filled.
        unsafe {
            match &mut self.storage {
                Storage::Inline(elements) => elements.filled(count),
                #[cfg(feature = "alloc")]
                Storage::Heap(elements) => elements.filled(count),
            }
        }
    }
}

#[cfg(feature = "alloc")]
impl<T> Sealed<T> for alloc::vec::Vec<T> {
    #[inline]
    fn free(&mut self) -> &mut [MaybeUninit<T>] {
        self.spare_capacity_mut()
    }

    #[inline]
    unsafe fn filled(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.set_len(self.as_slice().len().wrapping_add(count)) };
    }
}

impl<T, const N: usize> List<T> for heapless::Vec<T, N> {
    fn try_reserve(&mut self, wanted: usize) -> Result<usize, Error> {
        Ok(wanted.min(N.saturating_sub(self.len())))
    }

    fn try_push(&mut self, element: T) -> Result<(), T> {
        self.push(element)
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn last_mut(&mut self) -> Option<&mut T> {
        self.as_mut_slice().last_mut()
    }

    fn truncate(&mut self, len: usize) {
        Self::truncate(self, len);
    }
}

#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
impl<T> List<T> for alloc::vec::Vec<T> {
    fn try_reserve(&mut self, wanted: usize) -> Result<usize, Error> {
        self.try_reserve(wanted).map_err(|_| Error::NoMemory)?;
        Ok(wanted)
    }

    #[inline]
    fn try_push(&mut self, element: T) -> Result<(), T> {
        if self.len() == self.capacity() && self.try_reserve(1).is_err() {
            return Err(element);
        }
        self.push(element);
        Ok(())
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn last_mut(&mut self) -> Option<&mut T> {
        self.as_mut_slice().last_mut()
    }

    fn truncate(&mut self, len: usize) {
        Self::truncate(self, len);
    }
}

/// A list with room for `N` elements inside itself, which moves to the heap when that is used up.
///
/// Without feature `alloc` there is no heap, and a full list stays full. Growth never aborts: when
/// memory runs out the elements stay, and the operation that needed more fails.
///
/// ```
/// use iov_iter::{InlineVec, List};
///
/// let mut list = InlineVec::<u32, 2>::new();
/// assert_eq!(list.try_push(1), Ok(()));
/// assert_eq!(list.try_push(2), Ok(()));
/// assert!(list.is_inline());
/// assert_eq!(list.try_push(3).is_ok(), cfg!(feature = "alloc"));
/// assert_eq!(list[..2], [1, 2]);
/// ```
pub struct InlineVec<T, const N: usize> {
    storage: Storage<T, N>,
}

enum Storage<T, const N: usize> {
    Inline(heapless::Vec<T, N>),
    #[cfg(feature = "alloc")]
    Heap(alloc::vec::Vec<T>),
}

impl<T, const N: usize> InlineVec<T, N> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { storage: Storage::Inline(heapless::Vec::new()) }
    }

    /// A list of one element, for which there is room inside: `N` is not 0.
    pub(crate) fn one(element: T) -> Self {
        const { assert!(N > 0, "a list of one element needs room for it inside") }
        let mut elements = heapless::Vec::new();
        let _ = elements.push(element);
        Self { storage: Storage::Inline(elements) }
    }

    /// Whether the elements are still inside the list itself.
    #[must_use]
    pub const fn is_inline(&self) -> bool {
        matches!(self.storage, Storage::Inline(_))
    }

    /// The number of elements there is room for without growing.
    #[must_use]
    pub fn capacity(&self) -> usize {
        match &self.storage {
            Storage::Inline(_) => N,
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => elements.capacity(),
        }
    }

    /// Drops all elements; the storage stays as large as it is.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// An empty list of other elements, with the storage of this one.
    pub(crate) fn recycle<U>(mut self) -> InlineVec<U, N> {
        const { assert!(size_of::<T>() == size_of::<U>() && align_of::<T>() == align_of::<U>()) }
        self.clear();
        match self.storage {
            Storage::Inline(_) => InlineVec::new(),
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => {
                let mut elements = core::mem::ManuallyDrop::new(elements);
                let (start, capacity) = (elements.as_mut_ptr().cast(), elements.capacity());
                // SAFETY: the allocation is that of a `Vec` of this capacity, which does not free it. A `U`
                // is as large as a `T` and aligned alike (asserted above), and no element is claimed.
                let heap = unsafe { alloc::vec::Vec::from_raw_parts(start, 0, capacity) };
                InlineVec { storage: Storage::Heap(heap) }
            }
        }
    }

    #[cfg(feature = "alloc")]
    fn move_to_heap(&mut self, more: usize) -> Result<(), Error> {
        if let Storage::Inline(elements) = &mut self.storage {
            let mut heap = alloc::vec::Vec::new();
            let wanted = elements.len().checked_add(more).ok_or(Error::NoMemory)?;
            heap.try_reserve(wanted).map_err(|_| Error::NoMemory)?;
            let len = elements.len();
            // SAFETY: the `len` elements are moved once, into room that was just reserved for them
            // in another allocation, and the inline list forgets them before anything can drop
            // them.
            unsafe {
                core::ptr::copy_nonoverlapping(elements.as_ptr(), heap.as_mut_ptr(), len);
                elements.set_len(0);
                heap.set_len(len);
            }
            self.storage = Storage::Heap(heap);
        }
        Ok(())
    }

    /// Appends an element for which there is no room inside.
    #[cfg(feature = "alloc")]
    #[cold]
    fn push_to_heap(&mut self, element: T) -> Result<(), T> {
        match (self.move_to_heap(1), &mut self.storage) {
            (Ok(()), Storage::Heap(elements)) => elements.try_push(element),
            _ => Err(element),
        }
    }
}

impl<T, const N: usize> List<T> for InlineVec<T, N> {
    fn try_reserve(&mut self, wanted: usize) -> Result<usize, Error> {
        match &mut self.storage {
            Storage::Inline(elements) => {
                let room = elements.try_reserve(wanted)?;
                #[cfg(feature = "alloc")]
                if room < wanted {
                    self.move_to_heap(wanted)?;
                    return Ok(wanted);
                }
                Ok(room)
            }
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => List::try_reserve(elements, wanted),
        }
    }

    #[inline]
    fn try_push(&mut self, element: T) -> Result<(), T> {
        match &mut self.storage {
            #[cfg(feature = "alloc")]
            Storage::Inline(elements) if elements.is_full() => self.push_to_heap(element),
            Storage::Inline(elements) => elements.push(element),
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => elements.try_push(element),
        }
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn last_mut(&mut self) -> Option<&mut T> {
        (**self).last_mut()
    }

    fn truncate(&mut self, len: usize) {
        match &mut self.storage {
            Storage::Inline(elements) => elements.truncate(len),
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => elements.truncate(len),
        }
    }
}

impl<T, const N: usize> Default for InlineVec<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for InlineVec<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.storage {
            Storage::Inline(elements) => elements,
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => elements,
        }
    }
}

impl<T, const N: usize> DerefMut for InlineVec<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.storage {
            Storage::Inline(elements) => elements,
            #[cfg(feature = "alloc")]
            Storage::Heap(elements) => elements,
        }
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for InlineVec<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
