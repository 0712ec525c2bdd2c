//! Which way data flows: out of a [`Source`], into a [`Dest`].

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Source {}
    impl Sealed for super::Dest {}
}

/// Data flows out of the memory: it can be read, never written.
///
/// Linux calls it `ITER_SOURCE`, and `WRITE` from the view of the file that takes the data.
#[doc(alias = "ITER_SOURCE")]
#[derive(Clone, Copy, Debug)]
pub enum Source {}

/// Data flows into the memory: it can be written, never read.
///
/// Linux calls it `ITER_DEST`, and `READ` from the view of the file that gives the data.
#[doc(alias = "ITER_DEST")]
#[derive(Clone, Copy, Debug)]
pub enum Dest {}

/// The direction of data: [`Source`] or [`Dest`], and no other.
///
/// An operation that fits one direction only does not exist for the other:
///
/// ```compile_fail,E0599
/// use iov_iter::{IovIter, KVec, Source};
///
/// let segments = [KVec::from(&b"read me"[..])];
/// // A source cannot be written.
/// IovIter::<Source>::from(&segments[..]).copy_to_iter(b"x");
/// ```
///
/// ```compile_fail,E0599
/// use iov_iter::{IovIterDest, KVec};
///
/// let mut buffer = [0; 4];
/// let segments = [KVec::from(&mut buffer)];
/// // A destination cannot be read.
/// IovIterDest::from(&segments).copy_from_iter(&mut [0; 4]);
/// ```
///
/// ```compile_fail,E0277
/// # struct Sideways;
/// // A third direction cannot be invented.
/// impl iov_iter::Direction for Sideways {}
/// ```
#[diagnostic::on_unimplemented(message = "a direction is `Source` or `Dest`")]
pub trait Direction: sealed::Sealed + core::fmt::Debug + 'static {
    /// Evidence that data of this direction may vanish: only a destination can be discarded.
    #[doc(hidden)]
    type Discardable: Copy + core::fmt::Debug;
    /// Whether data flows into the memory.
    #[doc(alias = "iov_iter_rw")]
    const IS_DEST: bool;
    /// The name that `Debug` prints.
    #[doc(hidden)]
    const NAME: &'static str;
}

/// What a source gives for [`Direction::Discardable`]: there is no such value.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum NotDiscardable {}

impl Direction for Source {
    type Discardable = NotDiscardable;
    const IS_DEST: bool = false;
    const NAME: &'static str = "Source";
}

impl Direction for Dest {
    type Discardable = ();
    const IS_DEST: bool = true;
    const NAME: &'static str = "Dest";
}

/// Marks a type as holding a borrow of bytes in direction `D`, covariant in `'a`, without owning
/// a `D`.
pub(crate) type Borrow<'a, D> = core::marker::PhantomData<(&'a mut [u8], fn() -> D)>;
