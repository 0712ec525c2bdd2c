//! What must agree, and where the crate departs from this kernel on purpose: how exactly, then.

use super::memory::Arena;
use super::operation::{Operation, Outcome};
use super::shape::{Kind, Shape};
use crate::kernel::{self, State};

/// The bytes that non-temporal copies move at a time.
const UNCACHED_BLOCK: usize = 64;

/// Whether both did the same with an iterator that stood at `before`.
pub fn agree(
    shape: &Shape<'_>,
    operation: Operation,
    before: State,
    kernel: &Outcome,
    ours: &Outcome,
) -> bool {
    let same_place = |theirs: State, own: State| match shape.kind {
        // There is but one segment; only the kernel tells the bytes used up when it is at its end.
        Kind::UserBuf | Kind::Discard => theirs.count == own.count,
        // The kernel does not tell the node, or the position; the bytes that follow show it.
        Kind::FolioQueue | Kind::XArray => theirs.count == own.count,
        _ => theirs == own,
    };
    // The kernel may stop at an empty segment; the crate never does.
    let state = same_place(shape.canonical(kernel.state), ours.state);
    let copy = match (kernel.copy, ours.copy) {
        // A duplicate of the crate has no empty segments.
        (Some(theirs), Some(own)) => same_place(shape.dense(theirs), own),
        (theirs, own) => theirs.is_none() && own.is_none(),
    };
    let (theirs, own) = (kernel.result as usize, ours.result as usize);
    let result = match operation {
        // Without bytes nothing has an alignment; the kernel still looks at the current segment.
        Operation::Alignment if before.count == 0 => own == 0,
        Operation::IsAligned(..) if before.count == 0 => own == 1,
        // Empty segments are invisible; the kernel sees the offset of empty ones in pages, ...
        Operation::Alignment if shape.kind == Kind::BVec => {
            let empties =
                shape.empties(before).fold(0, |bits, segment| bits | (segment.base % 4096));
            own & !theirs == 0 && theirs & !own & 4095 & !empties == 0
        }
        // ... the address of any, ...
        Operation::IsAligned(..) => {
            own == theirs || (own > theirs && shape.empties(before).next().is_some())
        }
        // ... counts a page for one that does not start at a page, ...
        Operation::Npages(_) if shape.kind == Kind::BVec => {
            let empties = shape.empties(before).filter(|segment| segment.base % 4096 != 0);
            own <= theirs && theirs - own <= empties.count()
        }
        // ... and stops at one when asked for the length of the current segment.
        Operation::SingleSegment if is_at_empty(shape, before) => {
            theirs == 0 && own == shape.next(before, before.count).len
        }
        // Of a folio the kernel also counts the bytes that are used up.
        Operation::SingleSegment if shape.kind == Kind::FolioQueue => {
            theirs == (own + before.offset).min(before.count)
        }
        // For the kernel an xarray is one segment; the crate tells the folio.
        Operation::SingleSegment if shape.kind == Kind::XArray => {
            theirs == before.count && (own > 0) == (theirs > 0) && own <= theirs
        }
        // A kind that has no pages refuses even where none is asked for.
        Operation::GetPages(..) if matches!(shape.kind, Kind::KVec | Kind::Discard) => {
            ours.result == -14 && matches!(kernel.result, -14 | 0)
        }
        Operation::ExtractPages(..) if shape.kind == Kind::Discard => {
            ours.result == -14 && matches!(kernel.result, -14 | 0)
        }
        _ => own == theirs,
    };
    state && copy && result && kernel.found == ours.found
}

/// Whether the kernel counted fewer zeros than it could write: it writes words, and does not count the
/// bytes of one that ends behind the fault.
pub fn counts_words(operation: Operation, kernel: &Outcome, ours: &Outcome) -> bool {
    matches!(operation, Operation::Zero(_))
        && ours.result > kernel.result
        && ours.result - kernel.result < 8
}

/// Whether a copy of user memory moved every byte before the first that is out of reach, or, by a kernel
/// whose non-temporal copies stop early, all but the last few.
pub fn is_exact(
    shape: &Shape<'_>,
    arena: &Arena,
    write: bool,
    operation: Operation,
    before: State,
    ours: &Outcome,
) -> bool {
    let Some(wanted) = operation.exact_len() else { return true };
    let wanted = wanted.min(before.count);
    let (segments, mut skip) = shape.rest(before);
    let mut reached = 0;
    for segment in segments {
        let len = (segment.len - skip).min(wanted - reached);
        let moved = arena.reach(segment.base + skip, len, write);
        reached += moved;
        skip = 0;
        if moved < len {
            break;
        }
    }
    let missed = reached.wrapping_sub(ours.result as usize);
    let uncached =
        matches!(operation, Operation::CopyFromNocache(_) | Operation::CopyFromFlushcache(_));
    missed == 0 || (uncached && missed < UNCACHED_BLOCK && !kernel::has_exact_uncached())
}

/// Whether the kernel can be asked to do this here: some requests it answers with a warning, or by
/// leaking a page.
pub fn can_ask(shape: &Shape<'_>, operation: Operation, before: State) -> bool {
    match operation {
        // For other kinds a warning; and it takes no notice of bytes that are used up.
        Operation::GapAlignment => {
            shape.kind == Kind::IoVec && before.offset == 0 && before.count > 0
        }
        Operation::CsumTo(_) | Operation::CsumFrom(_) if !kernel::has_partial_checksums() => false,
        // What the kernel does with a queue or an xarray as a whole: it shows offsets in folios, or the
        // position and the count, takes all for one segment, and duplicates none.
        Operation::Alignment
        | Operation::IsAligned(..)
        | Operation::GetPages(..)
        | Operation::Duplicate(_)
            if matches!(shape.kind, Kind::FolioQueue | Kind::XArray) =>
        {
            false
        }
        Operation::CsumTo(_) => shape.kind != Kind::Discard,
        // It takes a reference to the page of an empty segment, and returns that there is none.
        Operation::ExtractPages(..) if !kernel::has_extract_pages() => false,
        Operation::ExtractPages(len, max) => len > 0 && max > 0,
        Operation::GetPages(..) => shape.kind != Kind::BVec || !is_at_empty(shape, before),
        _ => true,
    }
}

fn is_at_empty(shape: &Shape<'_>, state: State) -> bool {
    matches!(shape.kind, Kind::IoVec | Kind::KVec | Kind::BVec)
        && state.count > 0
        && shape.rest(state).0.first().is_some_and(|segment| segment.len == 0)
}
