//! Things on the heap that C holds by pointer. Running out of memory is an error.

use alloc::alloc::{alloc, dealloc};
use alloc::boxed::Box;
use core::alloc::Layout;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::errno::Errno;

/// A `Box` that can fail. `T` must have a size.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>, Errno> {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the size is not 0.
    let memory = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if memory.is_null() {
        return Err(Errno::NOMEM);
    }
    // SAFETY: memory for a `T`, from the allocator that a box gives it back to.
    unsafe {
        memory.write(value);
        Ok(Box::from_raw(memory))
    }
}

/// Puts a new handle where C wants it.
///
/// # Safety
///
/// `out` is null or valid for writes of a pointer.
pub(crate) unsafe fn hand_out<T>(
    out: *mut *mut T,
    make: impl FnOnce() -> Result<T, Errno>,
) -> Result<(), Errno> {
    if out.is_null() {
        return Err(Errno::FAULT);
    }
    let handle = try_box(make()?)?;
    // SAFETY: the caller's promise.
    unsafe { out.write(Box::into_raw(handle)) };
    Ok(())
}

/// A value with several owners, on any threads; the last one drops it.
pub(crate) struct Shared<T> {
    inner: NonNull<Inner<T>>,
}

struct Inner<T> {
    owners: AtomicUsize,
    value: T,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Result<Self, Errno> {
        let inner = try_box(Inner { owners: AtomicUsize::new(1), value })?;
        Ok(Self { inner: NonNull::from(Box::leak(inner)) })
    }

    /// Another owner. There are far fewer than a `usize` counts, as each is on the heap.
    pub(crate) fn share(&self) -> Self {
        // SAFETY: `self` keeps the memory alive.
        unsafe { self.inner.as_ref() }.owners.fetch_add(1, Ordering::Relaxed);
        Self { inner: self.inner }
    }

    /// The value, for as long as there is an owner.
    ///
    /// # Safety
    ///
    /// An owner must outlive the use of the reference.
    pub(crate) unsafe fn value<'a>(&self) -> &'a T {
        // SAFETY: the caller keeps an owner, which keeps the memory.
        unsafe { &self.inner.as_ref().value }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `self` outlives the reference.
        unsafe { self.value() }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: `self` keeps the memory alive until here.
        let owners = unsafe { &self.inner.as_ref().owners };
        // What each owner did comes before the last one drops the value.
        if owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        owners.load(Ordering::Acquire);
        // SAFETY: this was the last owner. `new` made the memory with this layout.
        unsafe {
            self.inner.drop_in_place();
            dealloc(self.inner.as_ptr().cast(), Layout::new::<Inner<T>>());
        }
    }
}
