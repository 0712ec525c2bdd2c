//! Every operation on whole vectors.

use core::fmt::Write as _;
use core::hint::black_box;
use core::ptr::NonNull;

use iov_iter::iov::{CallError, Error, IoVector, VectoredRead, VectoredWrite, View};
use iov_iter::{Dest, Direction, InlineVec, KVec, Piece, Source};

use crate::segments::{Text, cloned, default};
use crate::{any, any_bytes, any_list};

/// A transport, and a writer of text, whose answers the optimiser cannot guess.
pub struct Anything;

fn any_answer() -> Result<usize, CallError<usize>> {
    match any() {
        0 => Err(CallError::Interrupted),
        1 => Err(CallError::WouldBlock),
        2 => Err(CallError::Failed(any())),
        _ => Ok(any()),
    }
}

impl VectoredWrite for Anything {
    type Error = usize;

    fn max_segments(&self) -> usize {
        any()
    }

    fn keeps_messages(&self) -> bool {
        any() == 0
    }

    fn write_vectored(
        &mut self,
        segments: &[Piece<'_, Source>],
    ) -> Result<usize, CallError<usize>> {
        black_box(segments);
        any_answer()
    }
}

impl VectoredRead for Anything {
    type Error = usize;

    fn max_segments(&self) -> usize {
        any()
    }

    fn keeps_messages(&self) -> bool {
        any() == 0
    }

    fn read_vectored(&mut self, segments: &[Piece<'_, Dest>]) -> Result<usize, CallError<usize>> {
        black_box(segments);
        any_answer()
    }
}

fn any_view<'v, D: Direction>() -> View<'v, D> {
    black_box([View::new(any_list()), default()][usize::from(any() == 0)])
}

fn array<'v, D: Direction>() -> &'v [KVec<'v, D>; 2] {
    // SAFETY: the program is linked and never run.
    unsafe { black_box(NonNull::dangling()).as_ref() }
}

#[cfg(feature = "alloc")]
fn lists<'v, D: Direction>() -> &'v alloc::vec::Vec<KVec<'v, D>> {
    // SAFETY: as above.
    unsafe { black_box(NonNull::dangling()).as_ref() }
}

/// What both directions can do.
fn peel_and_build<D: Direction>() {
    let mut view = any_view::<D>();
    let tokens = [view.discard_front_undoable(any()), view.discard_back_undoable(any())];
    {
        let mut scope = view.scope();
        black_box((scope.discard_front(any()), scope.discard_back(any()), scope.len()));
        let _ = black_box(write!(Text, "{scope:?}{:?}", scope.discard_front_undoable(any())));
    }
    view.scope().keep();
    for token in tokens {
        black_box((token.discarded(), view.undo(token).is_err()));
    }
    black_box((view.slice(any(), any()).is_err(), view.clip(any(), any()).is_err()));
    black_box((view.is_empty(), view.cursor().remaining(), cloned(&view).len()));
    let mut pieces = cloned(&view.pieces());
    black_box((pieces.size_hint(), pieces.next()));
    let _ = black_box(write!(Text, "{pieces:?}"));
    black_box((view.segment_count(), view.as_piece().is_some(), view.footprint().is_err()));
    black_box(view.whole_blocks(any(), any()).is_empty());
    black_box(view.describe(&mut InlineVec::<_, 4>::new()).is_err());

    let segments = black_box(any_list::<KVec<D>>());
    let ([first, ..], Some(second)) = (segments, any_list::<KVec<D>>().first()) else { return };
    black_box(IoVector::<D, 4>::extended(first, view, second).is_err());
    black_box(IoVector::<D, 4>::try_with_capacity(any()).is_err());
    for mut vector in [IoVector::<D, 4>::new(), default(), IoVector::borrowed(view)] {
        black_box(vector.concat(view).is_err());
        black_box(vector.add_layout_of(any_view::<Source>(), first).is_err());
        black_box(vector.discard_back(any()).is_err());
        black_box(vector.discard_front(any()).is_err());
        black_box((vector.discard_front_segments(any()), vector.segments().is_some()));
        black_box((
            vector.view().len(),
            vector.len(),
            vector.is_empty(),
            vector.segment_count(),
            vector.capacity(),
        ));
        let _ = black_box(write!(Text, "{vector:?}"));
        black_box(vector.clear().is_err());
        black_box(vector.recycle().is_empty());
    }
    black_box((View::from(first), View::from(segments)));
    let vectors = [view.into(), segments.into(), IoVector::<D, 4>::from(array())];
    black_box((vectors, View::from(array::<D>())));
    #[cfg(feature = "alloc")]
    black_box((View::from(lists::<D>()), IoVector::<D, 4>::from(lists())));
}

pub fn every_operation() {
    peel_and_build::<Source>();
    peel_and_build::<Dest>();

    let source = any_view::<Source>();
    black_box(source.read_at(any(), any_bytes()).is_err());
    black_box((source.is_zero(), source.mismatch(&any_view())));
    black_box(source.compare(&any_view()).is_err());
    let mut bytes = [0; 4];
    black_box(source.read_exact_at(any(), any_bytes()).is_err());
    black_box(source.read_piece_at(any(), Piece::from(any_bytes())).is_err());
    let (slice, array) = (&*any_bytes(), &bytes);
    black_box((source == any_view(), source == *any_bytes(), source == slice));
    black_box((source == bytes, source == array));
    black_box(source.send_once(&mut Anything).is_err());
    black_box(IoVector::<Source, 4>::from(&bytes[..]).len());
    black_box(IoVector::<Dest, 4>::from(&mut bytes[..]).len());
    black_box(source.hexdump(&mut Text, "prefix", any()).is_err());
    black_box(source.send(&mut Anything).finished().is_err());
    let mut vector = IoVector::<Source, 4>::new();
    if let Some(segment) = any_list::<KVec<Source>>().first() {
        if let Err(refused) = vector.try_push(*segment) {
            let _ = black_box(write!(Text, "{refused:?} {refused}"));
            black_box(Error::from(refused));
        }
        black_box(IoVector::<Source, 4>::single(*segment).is_err());
        black_box(IoVector::<Source, 4>::from(*segment).len());
    }

    let dest = any_view::<Dest>();
    black_box(dest.write_at(any(), any_bytes()).is_err());
    black_box(dest.write_all_at(any(), any_bytes()).is_err());
    black_box(dest.write_piece_at(any(), Piece::from(&*any_bytes())).is_err());
    black_box(dest.fill_at(any(), any() as u8, any()).is_err());
    black_box(dest.receive(&mut Anything).finished().is_err());
    black_box(dest.receive_once(&mut Anything).is_err());
}
