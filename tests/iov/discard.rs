//! Discards and their undoing: the worked examples over V = [A4, B0, C6, D2], and the ways in
//! which C can go wrong.

use iov_iter::iov::{Error, Undo, View};
use iov_iter::{KVec, Source};

static BYTES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

fn v() -> [KVec<'static, Source>; 4] {
    [&BYTES[..4], &[], &BYTES[4..10], &BYTES[10..]].map(KVec::from)
}

/// The pieces in view: position in V of the first byte, and length.
fn pieces(view: &View<'_, Source>) -> Vec<(usize, usize)> {
    let start = BYTES.as_ptr().addr();
    view.pieces().map(|piece| (piece.as_ptr().addr() - start, piece.len())).collect()
}

/// The first position and the length of A, C and D, as the rows name them.
const A: (usize, usize) = (0, 4);
const C: (usize, usize) = (4, 6);
const D: (usize, usize) = (10, 2);

/// Checks a row: what is discarded, what remains, and that undoing restores everything.
fn row(
    discard: impl for<'v> Fn(&mut View<'v, Source>) -> Undo<'v, Source>,
    discarded: usize,
    remaining: &[(usize, usize)],
) {
    let segments = v();
    let mut view = View::new(&segments);
    let undo = discard(&mut view);
    assert_eq!(undo.discarded(), discarded);
    assert_eq!(pieces(&view), remaining);
    assert_eq!(view.len(), 12 - discarded);
    view.undo(undo).unwrap();
    assert_eq!(pieces(&view), [A, C, D]);
}

#[test]
fn discarding_at_the_front_can_be_undone() {
    row(|view| view.discard_front_undoable(0), 0, &[A, C, D]);
    row(|view| view.discard_front_undoable(3), 3, &[(3, 1), C, D]);
    row(|view| view.discard_front_undoable(4), 4, &[C, D]);
    row(|view| view.discard_front_undoable(7), 7, &[(7, 3), D]);
    row(|view| view.discard_front_undoable(10), 10, &[D]);
    row(|view| view.discard_front_undoable(12), 12, &[]);
    row(|view| view.discard_front_undoable(13), 12, &[]);
    row(|view| view.discard_front_undoable(usize::MAX), 12, &[]);
}

#[test]
fn discarding_at_the_back_can_be_undone() {
    row(|view| view.discard_back_undoable(0), 0, &[A, C, D]);
    row(|view| view.discard_back_undoable(1), 1, &[A, C, (10, 1)]);
    row(|view| view.discard_back_undoable(2), 2, &[A, C]);
    row(|view| view.discard_back_undoable(5), 5, &[A, (4, 3)]);
    row(|view| view.discard_back_undoable(8), 8, &[A]);
    row(|view| view.discard_back_undoable(9), 9, &[(0, 3)]);
    row(|view| view.discard_back_undoable(12), 12, &[]);
    row(|view| view.discard_back_undoable(13), 12, &[]);
    row(|view| view.discard_back_undoable(usize::MAX), 12, &[]);
}

#[test]
fn discarding_without_undo_stops_at_the_other_end() {
    let segments = v();
    let mut view = View::new(&segments);
    assert_eq!((view.discard_front(3), view.discard_back(3)), (3, 3));
    assert_eq!(pieces(&view), [(3, 1), (4, 5)]);
    assert_eq!((view.discard_front(3), view.discard_back(9)), (3, 3));
    assert!(view.is_empty());
    assert_eq!((view.discard_front(1), view.discard_back(1)), (0, 0));
}

#[test]
fn empty_elements_at_the_ends_vanish() {
    let bytes = [1, 2, 3];
    let segments = [&[][..], &[], &bytes, &[]].map(KVec::from);
    let mut view = View::new(&segments);
    assert_eq!((view.discard_front(0), view.discard_back(0)), (0, 0));
    assert_eq!(view.segment_count(), 1);
    let nothing = [KVec::from(&[][..]); 2];
    let mut view = View::new(&nothing);
    let undo = view.discard_front_undoable(1);
    assert_eq!((undo.discarded(), view.segment_count()), (0, 0));
    view.undo(undo).unwrap();
    assert_eq!(view.len(), 0);
}

/// Two discards, undone in the order given; the size after each undo.
fn two(
    lengths: &[usize],
    front: usize,
    back: usize,
    front_first: bool,
    undo_first_first: bool,
) -> (usize, usize) {
    let bytes = vec![0; lengths.iter().sum()];
    let segments = crate::flat::cut(&bytes, lengths);
    let mut view = View::new(&segments);
    let (first, second) = if front_first {
        (view.discard_front_undoable(front), view.discard_back_undoable(back))
    } else {
        (view.discard_back_undoable(back), view.discard_front_undoable(front))
    };
    let order = if undo_first_first { [first, second] } else { [second, first] };
    let [one, two] = order.map(|undo| {
        view.undo(undo).unwrap();
        view.len()
    });
    assert_eq!(view.pieces().map(|piece| piece.len()).collect::<Vec<_>>(), lengths);
    (one, two)
}

#[test]
fn the_reverse_order_restores_step_by_step() {
    // One element of 10 bytes: front 4, back 3.
    assert_eq!(two(&[10], 4, 3, true, false), (6, 10));
}

#[test]
fn the_order_that_loses_four_bytes_in_c_restores_all() {
    assert_eq!(two(&[10], 4, 3, true, true), (10, 10));
}

#[test]
fn a_cut_on_a_boundary_restores_all_where_c_leaves_nine_bytes() {
    // [4, 10]: back 1, then front 4; undo back first.
    assert_eq!(two(&[4, 10], 4, 1, false, true), (14, 14));
    assert_eq!(two(&[4, 10], 4, 1, false, false), (13, 14));
}

#[test]
fn an_exhausted_vector_is_restored() {
    // [4, 10]: front 6, then back 8.
    assert_eq!(two(&[4, 10], 6, 8, true, false), (8, 14));
    assert_eq!(two(&[4, 10], 6, 8, true, true), (14, 14));
}

#[test]
fn an_undone_token_has_no_say_in_later_discards() {
    let segments = v();
    let mut view = View::new(&segments);
    let first = view.discard_front_undoable(4);
    let second = view.discard_front_undoable(4);
    view.undo(first).unwrap();
    let third = view.discard_front_undoable(2);
    view.undo(second).unwrap();
    assert_eq!(pieces(&view), [(2, 2), C, D]);
    view.undo(third).unwrap();
    assert_eq!(pieces(&view), [A, C, D]);
}

#[test]
fn a_token_of_another_vector_is_refused() {
    let (mine, other) = (v(), v());
    let mut view = View::new(&mine);
    let mut stranger = View::new(&other);
    let undo = stranger.discard_front_undoable(5);
    view.discard_front(3);
    assert_eq!(view.undo(undo), Err(Error::ForeignUndo));
    assert_eq!((view.len(), stranger.len()), (9, 7));
}

#[test]
fn a_scope_undoes_everything() {
    let segments = v();
    let mut view = View::new(&segments);
    view.discard_front(1);
    {
        let mut scope = view.scope();
        scope.discard_front(3);
        scope.discard_back(1);
        {
            let mut inner = scope.scope();
            inner.discard_front(100);
            assert!(inner.is_empty());
        }
        assert_eq!(pieces(&scope), [C, (10, 1)]);
    }
    assert_eq!(pieces(&view), [(1, 3), C, D]);
}

#[test]
fn a_scope_can_be_kept() {
    let segments = v();
    let mut view = View::new(&segments);
    let mut scope = view.scope();
    scope.discard_front(4);
    scope.keep();
    assert_eq!(pieces(&view), [C, D]);
}

#[test]
fn a_scope_restores_what_was_replaced() {
    let (segments, others) = (v(), v());
    let mut view = View::new(&segments);
    {
        let mut scope = view.scope();
        *scope = scope.slice(5, 2).unwrap();
    }
    assert_eq!(pieces(&view), [A, C, D]);
    {
        let mut scope = view.scope();
        *scope = View::new(&others).slice(5, 2).unwrap();
    }
    assert_eq!(pieces(&view), [A, C, D]);
    let all = view;
    let mut front = all.slice(0, 2).unwrap();
    *front.scope() = all.slice(2, 8).unwrap();
    assert_eq!(pieces(&front), [(0, 2)]);
}

#[test]
fn a_scope_undoes_on_every_way_out() {
    fn reject(view: &mut View<'_, Source>) -> Result<(), Error> {
        let mut scope = view.scope();
        scope.discard_front(6);
        scope.slice(0, 100)?;
        Ok(())
    }
    let segments = v();
    let mut view = View::new(&segments);
    assert!(reject(&mut view).is_err());
    assert_eq!(view.len(), 12);
}

#[test]
fn an_older_token_undone_within_a_scope_is_taken_back_with_it() {
    let segments = v();
    let mut view = View::new(&segments).slice(0, 10).unwrap();
    let undo = view.discard_front_undoable(4);
    {
        let mut scope = view.scope();
        scope.discard_back(2);
        scope.undo(undo).unwrap();
        assert_eq!(pieces(&scope), [A, C]);
    }
    assert_eq!(pieces(&view), [C]);
}

#[test]
fn a_slice_is_peeled_on_its_own() {
    let segments = v();
    let view = View::new(&segments);
    let mut slice = view.slice(3, 6).unwrap();
    let undo = slice.discard_front_undoable(2);
    assert_eq!(pieces(&slice), [(5, 4)]);
    slice.undo(undo).unwrap();
    assert_eq!(pieces(&slice), [(3, 1), (4, 5)]);
    assert_eq!(view.len(), 12);

    // A token of the whole vector knows nothing of the slice.
    let mut whole = view;
    let undo = whole.discard_back_undoable(1);
    slice.undo(undo).unwrap();
    assert_eq!(pieces(&slice), pieces(&view));
}

/// The layouts of a block device request: header of 16 bytes off the front of `out`, status byte
/// off the back of `input`; what is left of both.
fn block_request(out: &[usize], input: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let bytes = vec![0; 8192];
    let vector = |lengths: &[usize]| -> Vec<KVec<'_, Source>> {
        lengths.iter().map(|len| KVec::from(&bytes[..*len])).collect()
    };
    let (out_segments, in_segments) = (vector(out), vector(input));
    let mut out_view = View::new(&out_segments);
    let mut in_view = View::new(&in_segments);
    let header = out_view.discard_front_undoable(16);
    let status = in_view.discard_back_undoable(1);
    let lengths = |view: &View<'_, Source>| view.pieces().map(|piece| piece.len()).collect();
    let left = (lengths(&out_view), lengths(&in_view));
    in_view.undo(status).unwrap();
    out_view.undo(header).unwrap();
    assert_eq!((lengths(&out_view), lengths(&in_view)), (out.to_vec(), input.to_vec()));
    left
}

#[test]
fn a_block_request_has_its_header_and_status_cut_off() {
    assert_eq!(block_request(&[16, 4096], &[1]), (vec![4096], vec![]));
    assert_eq!(block_request(&[16], &[4096, 1]), (vec![], vec![4096]));
    assert_eq!(block_request(&[4112], &[1]), (vec![4096], vec![]));
    assert_eq!(block_request(&[10, 4102], &[1]), (vec![4096], vec![]));
    assert_eq!(block_request(&[16], &[513]), (vec![], vec![512]));
}
