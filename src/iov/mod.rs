//! Whole vectors of memory, as device models use them: QEMU's `util/iov`.
//!
//! A request arrives as a list of [`KVec`](crate::KVec) segments, or of
//! [`SharedVec`](crate::SharedVec) segments where a guest may write the memory meanwhile. A [`View`] is
//! the part of it that is of interest; all operations are methods of a view, and none of them changes a
//! segment.
//!
//! ```text
//!   segments   [ header+da │ ta │ data │ data+status ]    borrowed, never edited
//!                       ▲                     ▲
//!   view          front ┘── len ──────────────┘ back      what a discard changes
//!                       │
//!        read_at, write_at, fill_at, pieces, slice, compare, is_zero, hexdump, send, receive
//! ```
//!
//! Offsets count from the first byte of the view. An offset equal to the length is legal and means
//! no bytes; a larger one is an [`Error`]. Lengths that reach past the end are cut where a count is
//! returned, and an error where a range is meant. Segments without bytes are invisible:
//! they are never counted, sent or copied.
//!
//! Segments that data flows out of may overlap, and so may shared ones. Destinations of borrowed
//! memory do not, as each of them owns an exclusive borrow; only
//! [a copied layout](IoVector::add_layout_of) repeats the overlaps of its model. Where destinations
//! overlap, the later segment wins.
//!
//! ```
//! use iov_iter::{KVec, iov::View};
//!
//! let segments = [KVec::from(b"HEA"), KVec::from(b"Dpayl"), KVec::from(b"oad")];
//! let mut request = View::new(&segments);
//!
//! let mut header = [0; 4];
//! assert_eq!(request.read_at(0, &mut header)?, 4);
//! let undo = request.discard_front_undoable(4);
//! assert_eq!((&header, undo.discarded(), request.len()), (b"HEAD", 4, 7));
//!
//! request.undo(undo)?;
//! assert_eq!(request.len(), 11);
//! # Ok::<(), iov_iter::iov::Error>(())
//! ```

mod compare;
mod copy;
mod discard;
mod error;
mod hexdump;
mod layout;
mod send_recv;
mod vector;
mod view;

pub use discard::{Scope, Undo};
pub use error::Error;
pub(crate) use send_recv::{BATCH, Limits, MAX_BYTES, call_pieces, one_call, transfer};
pub use send_recv::{CallError, Stop, Transfer, VectoredRead, VectoredWrite};
pub use vector::{IoVector, Refused};
pub use view::{Described, Pieces, View};
