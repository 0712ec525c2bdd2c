//! Who may access memory while it is copied: nobody else ([`Exclusive`]), or anybody ([`Shared`]).

use super::defined::Word;
use crate::direction::{Direction, Source};

/// Nobody else accesses the memory: a copy is a plain one, by the compiler's own loads and stores.
#[derive(Clone, Copy, Debug)]
pub enum Exclusive {}

/// Anybody may access the memory at any time: another thread, a guest, a device, another mapping.
///
/// Copies are *defined* for such memory, and so is everything that looks at it:
///
/// 1. Every byte of the result is a value that the memory held at some moment of the call. Bytes of
///    one call may be of different moments.
/// 2. An integer of 1, 2, 4 or 8 bytes that lies aligned in one segment is read, or written, by one
///    access: a ring's index cannot be torn. This holds for a call that moves exactly these bytes,
///    up to the width of a pointer. Other integers may be torn.
/// 3. No byte is read twice such that the program sees two different values: what was copied is what
///    is used.
/// 4. There is no ordering beyond relaxed: those who share a ring order it by fences or atomics of
///    their own.
/// 5. The memory is not that of device registers: an access may be wider than asked, or come twice.
/// 6. Comparing, summing, looking for zeros and dumping speak of a copy that is made block by block,
///    so that the answer is true of some value of each byte.
///
/// On x86-64, AArch64 and RISC-V the accesses are single instructions of assembly, which the compiler
/// can neither tear nor repeat. Elsewhere, and under Miri, they are relaxed atomics.
#[derive(Clone, Copy, Debug)]
pub enum Shared {}

mod sealed {
    use super::super::defined::Word;

    pub trait Sealed: core::fmt::Debug + 'static {
        /// Whether accesses are the compiler's own.
        const PLAIN: bool;
        /// Whether a word is read at any address, by one instruction.
        const UNALIGNED: bool;

        /// Reads a word: at any address if `UNALIGNED`, or at an aligned one.
        ///
        /// # Safety
        ///
        /// `src` must be valid for reads of an initialised `T`.
        unsafe fn load<T: Word>(src: *const u8) -> T;

        /// Writes a word: at any address if `UNALIGNED`, or at an aligned one.
        ///
        /// # Safety
        ///
        /// `dst` must be valid for writes of a `T`.
        unsafe fn store<T: Word>(dst: *mut u8, value: T);
    }
}
pub(crate) use sealed::Sealed;

/// Who may access memory while it is copied: [`Exclusive`] or [`Shared`], and no other.
#[diagnostic::on_unimplemented(message = "memory is `Exclusive` or `Shared`")]
pub trait Access: Sealed {}

impl Access for Exclusive {}
impl Access for Shared {}

/// A direction in which many threads may use memory of access `A` at once: every direction of [`Shared`]
/// memory, and [`Source`] of [`Exclusive`] memory.
///
/// An exclusive destination is left out: it is written through shared references, by plain stores. So a
/// single [`KVec<Dest>`](crate::KVec) can go to another thread, but a view, a cursor or a list of such
/// segments, which borrows them, stays on its thread.
///
/// ```compile_fail,E0277
/// # use iov_iter::{KVec, iov::View};
/// let mut buffer = [0; 4];
/// let segments = [KVec::from(&mut buffer[..])];
/// let view = View::new(&segments);
/// std::thread::scope(|scope| {
///     scope.spawn(|| view.len());
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "an exclusive destination (`KVec<Dest>`) cannot be used by many threads at once",
    note = "it is written through shared references without synchronization, so views, cursors and \
            lists of such segments stay on their thread",
    note = "send the segments themselves, or describe the memory by `SharedVec`"
)]
pub trait ManyThreads<A: Access>: Direction {}

impl ManyThreads<Exclusive> for Source {}
impl<D: Direction> ManyThreads<Shared> for D {}

impl Sealed for Exclusive {
    const PLAIN: bool = true;
    const UNALIGNED: bool = super::copy::UNALIGNED;

    #[inline(always)]
    unsafe fn load<T: Word>(src: *const u8) -> T {
        // SAFETY: the caller's promise; words are integers and registers, which any bytes make.
        unsafe { src.cast::<T>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store<T: Word>(dst: *mut u8, value: T) {
        // SAFETY: the caller's promise.
        unsafe { dst.cast::<T>().write_unaligned(value) }
    }
}

impl Sealed for Shared {
    const PLAIN: bool = false;
    const UNALIGNED: bool = super::copy::UNALIGNED && super::defined::ASSEMBLY;

    #[inline(always)]
    unsafe fn load<T: Word>(src: *const u8) -> T {
        // SAFETY: the caller's promise.
        unsafe { T::load(src) }
    }

    #[inline(always)]
    unsafe fn store<T: Word>(dst: *mut u8, value: T) {
        // SAFETY: the caller's promise.
        unsafe { value.store(dst) }
    }
}
