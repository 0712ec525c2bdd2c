//! A value that several owners share: an `Arc` for which running out of memory is an error.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;

/// An owner of a shared `T`; the last one drops it.
pub(crate) struct Shared<T> {
    inner: NonNull<Inner<T>>,
    _owns: PhantomData<Inner<T>>,
}

struct Inner<T> {
    owners: AtomicUsize,
    value: T,
}

/// More owners than could ever be, and far from an overflow of the count.
const MAX_OWNERS: usize = usize::MAX / 2;

// SAFETY: owners on several threads share `&T`, and any of them may drop the value.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above; a `&Shared` gives no more than a `&T` and new owners.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Result<Self, Error> {
        // The count makes the size of the layout more than 0.
        // SAFETY: as just said.
        let memory = unsafe { alloc(Layout::new::<Inner<T>>()) };
        let inner = NonNull::new(memory.cast::<Inner<T>>()).ok_or(Error::NoMemory)?;
        // SAFETY: the memory was just allocated for an `Inner<T>`, and nobody else has it.
        unsafe { inner.write(Inner { owners: AtomicUsize::new(1), value }) };
        Ok(Self { inner, _owns: PhantomData })
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: `new` initialised the memory, and it lives until the last owner is dropped;
        // `self` is one. Nobody makes a mutable reference to it.
        unsafe { self.inner.as_ref() }
    }

    /// Another owner; an error if there are absurdly many.
    pub(crate) fn share(&self) -> Result<Self, Error> {
        // `self` keeps the value alive meanwhile, so no ordering is needed.
        let others = self.inner().owners.fetch_add(1, Ordering::Relaxed);
        let another = Self { inner: self.inner, _owns: PhantomData };
        // If refused, `another` is dropped, and its count with it.
        if others > MAX_OWNERS { Err(Error::NoMemory) } else { Ok(another) }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // All that this owner did with the value comes before the count goes down ...
        if self.inner().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // ... and before the last owner, who sees the count, drops it. A load does what a fence would, and
        // ThreadSanitizer understands it.
        self.inner().owners.load(Ordering::Acquire);
        // SAFETY: this was the last owner, so nobody refers to the value any more; it was
        // initialised by `new`, which allocated the memory with this layout.
        unsafe {
            self.inner.drop_in_place();
            dealloc(self.inner.as_ptr().cast(), Layout::new::<Inner<T>>());
        }
    }
}
