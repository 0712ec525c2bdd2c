//! Writing: when data is flushed, what is pending, and how failures show.

use crate::channels::{BLOCK, EIO, Recorder, Step, copied};
use crate::pattern::pattern;
use iov_iter::file::{
    BUFFER_SIZE, Channel, ChannelError, Error, FileWriter, Region, Release, Scratch, WriteChannel,
};
use iov_iter::{IovIter, IovIterSource, KVec, Piece, Source};

/// Runs `put` on a fresh writer and checks the bytes of each write, the bytes and entries pending
/// afterwards, and that nothing is lost. The same of a writer that another thread may fail.
fn check(
    put: impl for<'w> Fn(&mut FileWriter<'static, &'w mut Recorder>),
    writes: &[usize],
    pending: u64,
    entries: usize,
) -> Recorder {
    check_one(&put, true, writes, pending, entries);
    check_one(&put, false, writes, pending, entries)
}

fn check_one(
    put: &impl for<'w> Fn(&mut FileWriter<'static, &'w mut Recorder>),
    controlled: bool,
    writes: &[usize],
    pending: u64,
    entries: usize,
) -> Recorder {
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let _control = controlled.then(|| writer.control().unwrap());
    put(&mut writer);
    assert_eq!(writer.channel().offered(), writes, "writes");
    assert_eq!(writer.pending(), pending, "pending bytes");
    assert_eq!(writer.entries(), entries, "pending entries");
    let sent: usize = writes.iter().sum();
    assert_eq!(writer.flushed(), sent as u64);
    assert_eq!(writer.tell(), sent as u64 + pending);
    writer.close().unwrap();
    assert_eq!(recorder.bytes.len() as u64, sent as u64 + pending);
    assert_eq!(recorder.closed, 1);
    recorder
}

#[test]
fn bytes_are_sent_when_the_buffer_is_full() {
    for (n, writes, pending, entries) in [
        (0, &[][..], 0, 0),
        (32767, &[], 32767, 1),
        (32768, &[32768], 0, 0),
        (32769, &[32768], 1, 1),
        #[cfg(not(miri))] // Another time what the row above shows.
        (70000, &[32768, 32768], 4464, 1),
    ] {
        let put = |w: &mut FileWriter<'_, &mut Recorder>| {
            for byte in pattern(n) {
                w.put_byte(byte).unwrap();
            }
        };
        let recorder = check(put, writes, pending, entries);
        assert_eq!(recorder.bytes, pattern(n));
        assert!(recorder.calls.iter().all(|call| call.len() == 1), "one entry each");
    }
}

#[test]
fn an_integer_is_put_big_endian() {
    let recorder = check(|w| w.put_be64(0x0102_0304_0506_0708).unwrap(), &[], 8, 1);
    assert_eq!(recorder.bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn buffers_of_many_sizes_are_sent_as_far_as_they_fill_it() {
    for (len, writes, pending) in [
        (0, &[][..], 0),
        (32768, &[32768], 0),
        (32769, &[32768], 1),
        (65536, &[32768, 32768], 0),
        (70000, &[32768, 32768], 4464),
    ] {
        let entries = usize::from(pending > 0);
        let recorder = check(|w| w.put_buffer(&pattern(len)).unwrap(), writes, pending, entries);
        assert_eq!(recorder.bytes, pattern(len));
    }
}

#[test]
fn a_large_buffer_fills_up_what_a_small_one_left() {
    let put = |w: &mut FileWriter<'_, &mut Recorder>| {
        w.put_buffer(&pattern(10)).unwrap();
        w.put_buffer(&pattern(40000)).unwrap();
    };
    let recorder = check(put, &[32768], 7242, 1);
    assert_eq!(recorder.calls[0], [32768], "as one entry");
    assert_eq!(recorder.bytes, [pattern(10), pattern(40000)].concat());
}

static PAGES: [u8; 40000] = [0xa5; 40000];

/// One byte and 100 bytes that are never adjacent to others.
fn byte_and_async(w: &mut FileWriter<'_, &mut Recorder>, times: usize) {
    for i in 0..times {
        w.put_byte(1).unwrap();
        w.put_borrowed(&PAGES[i * 200..i * 200 + 100]).unwrap();
    }
}

#[test]
fn the_last_free_entry_makes_a_flush_due() {
    check(|w| byte_and_async(w, 31), &[], 3131, 62);
    let recorder = check(|w| byte_and_async(w, 32), &[3232], 0, 0);
    assert_eq!(recorder.calls[0].len(), 64);
    let recorder = check(|w| byte_and_async(w, 100), &[3232, 3232, 3232], 404, 8);
    assert!(recorder.calls[..3].iter().all(|call| call.len() == 64));
}

#[test]
fn borrowed_neighbours_become_one_entry() {
    let put = |w: &mut FileWriter<'static, &mut Recorder>| {
        let region = Region::new(&PAGES[..]);
        for i in 0..100 {
            w.put_region(&region, i * 100..(i + 1) * 100).unwrap();
        }
    };
    check(put, &[], 10000, 1);
}

#[test]
fn only_the_last_entry_can_be_extended() {
    let put = |w: &mut FileWriter<'static, &mut Recorder>| {
        let region = Region::new(&PAGES[..]);
        w.put_region(&region, 0..100).unwrap();
        w.put_byte(0).unwrap();
        w.put_region(&region, 100..200).unwrap();
        w.put_byte(1).unwrap();
    };
    let recorder = check(put, &[], 202, 4);
    assert_eq!(recorder.calls[0], [100, 1, 100, 1]);
}

#[test]
fn neighbours_in_memory_that_belong_to_no_common_region_stay_apart() {
    let put = |w: &mut FileWriter<'static, &mut Recorder>| {
        w.put_borrowed(&PAGES[..100]).unwrap();
        w.put_borrowed(&PAGES[100..200]).unwrap();
        // Offsets that continue each other, in different regions.
        w.put_region(&Region::new(&PAGES[..1000]), 0..10).unwrap();
        w.put_region(&Region::new(&PAGES[1..1001]), 10..20).unwrap();
        w.put_region(&Region::new(&PAGES[1..1000]), 20..30).unwrap();
    };
    check(put, &[], 230, 5);
}

/// 63 entries of 100 bytes.
fn asyncs_63(w: &mut FileWriter<'_, &mut Recorder>) {
    for i in 0..63 {
        w.put_borrowed(&PAGES[i * 200..i * 200 + 100]).unwrap();
    }
}

#[test]
fn a_byte_takes_the_last_free_entry_after_a_byte_between_ranges() {
    let put = |w: &mut FileWriter<'_, &mut Recorder>| {
        for i in 0..61 {
            w.put_borrowed(&PAGES[i * 200..i * 200 + 100]).unwrap();
        }
        byte_and_async(w, 1);
        w.put_byte(9).unwrap();
    };
    let recorder = check(put, &[6202], 0, 0);
    assert_eq!(recorder.calls[0].len(), 64);
}

#[test]
fn a_full_list_that_is_blocked_takes_only_bytes_that_continue_the_last_entry() {
    let bytes = pattern(3);
    for (last_is_copied, result) in [(false, Err(Error::WouldBlock)), (true, Ok(3))] {
        let mut recorder = Recorder::scripted([BLOCK; 3]);
        let mut writer = FileWriter::new(&mut recorder).unwrap();
        asyncs_63(&mut writer);
        if last_is_copied {
            writer.put_byte(9).unwrap();
        } else {
            writer.put_borrowed(&[9]).unwrap();
        }
        assert_eq!((writer.entries(), writer.pending()), (64, 6301));
        let mut iter = IovIterSource::from(&bytes);
        assert_eq!(writer.put_iter(&mut iter, 3), result);
        assert_eq!(writer.put_byte(8).is_ok(), last_is_copied);
        assert_eq!((writer.entries(), writer.channel().bytes.len()), (64, 0));
        let tell = writer.tell();
        while writer.flush() == Err(Error::WouldBlock) {}
        writer.close().unwrap();
        let copied: &[u8] =
            if last_is_copied { &[9, bytes[0], bytes[1], bytes[2], 8] } else { &[9] };
        assert_eq!(recorder.bytes[6300..], *copied);
        assert_eq!(recorder.bytes.len() as u64, tell);
    }
}

#[test]
fn a_byte_takes_the_last_free_entry() {
    let put = |w: &mut FileWriter<'_, &mut Recorder>| {
        asyncs_63(w);
        w.put_byte(9).unwrap();
    };
    let recorder = check(put, &[6301], 0, 0);
    assert_eq!(recorder.calls[0].len(), 64);
    assert_eq!(recorder.bytes.last(), Some(&9));
}

#[test]
fn a_buffer_takes_the_last_free_entry() {
    for (len, pending) in [(32768, 0), (40000, 7232)] {
        let put = |w: &mut FileWriter<'_, &mut Recorder>| {
            asyncs_63(w);
            w.put_buffer(&pattern(len)).unwrap();
        };
        let recorder = check(put, &[39068], pending, usize::from(pending > 0));
        assert_eq!(recorder.calls[0].len(), 64);
        assert_eq!(recorder.bytes[6300..], pattern(len));
    }
}

#[test]
fn the_buffer_is_used_from_its_start_after_a_flush_by_entries() {
    let put = |w: &mut FileWriter<'_, &mut Recorder>| {
        asyncs_63(w);
        w.put_byte(9).unwrap();
        w.put_buffer(&pattern(32768)).unwrap();
    };
    check(put, &[6301, 32768], 0, 0);
}

#[test]
fn a_linear_file_copies_and_sends_one_range_at_a_time() {
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::linear(&mut recorder).unwrap();
    let mut expected = Vec::new();
    for byte in pattern(32768) {
        writer.put_byte(byte).unwrap();
    }
    assert_eq!((writer.channel().offered(), writer.pending()), (vec![32768], 0));
    writer.put_buffer(&pattern(32769)).unwrap();
    assert_eq!((writer.channel().calls.len(), writer.pending()), (2, 1));
    writer.put_borrowed(&PAGES[..40000]).unwrap();
    assert_eq!((writer.channel().calls.len(), writer.pending()), (3, 7233), "copied");
    assert_eq!(writer.entries(), 1);
    writer.close().unwrap();
    assert!(recorder.calls.iter().all(|call| call.len() == 1));
    expected.extend(pattern(32768));
    expected.extend(pattern(32769));
    expected.extend_from_slice(&PAGES);
    assert_eq!(recorder.bytes, expected);
}

#[test]
fn an_empty_async_leaves_no_entry() {
    let put = |w: &mut FileWriter<'_, &mut Recorder>| {
        w.put_borrowed(&[]).unwrap();
        w.flush().unwrap();
    };
    check(put, &[], 0, 0);
}

#[test]
fn flushing_nothing_does_not_call_the_channel() {
    check(|w| w.flush().unwrap(), &[], 0, 0);
}

#[test]
fn after_a_failed_flush_the_rest_was_never_stored() {
    let mut recorder = Recorder::scripted([Step::Move(32768), Step::Fail(EIO)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let error = Error::Write(EIO);
    assert_eq!(writer.put_buffer(&pattern(100_000)), Err(error));
    assert_eq!(writer.error(), Some(error));
    assert_eq!(writer.flushed(), 32768);
    assert_eq!(writer.rate().used(), 65536, "the remaining 34464 were never stored");
    assert_eq!(writer.pending(), 32768);
    let unsent: Vec<u8> = writer.unsent().flat_map(copied).collect();
    assert_eq!(unsent, pattern(100_000)[32768..65536]);

    assert_eq!(writer.put_byte(1), Err(error));
    assert_eq!(writer.put_buffer(&[1, 2]), Err(error));
    assert_eq!(writer.put_borrowed(&PAGES), Err(error));
    assert_eq!(writer.put_counted_string(b"x"), Err(error));
    assert_eq!(writer.flush(), Err(error));
    assert_eq!((writer.flushed(), writer.pending()), (32768, 32768));
    assert_eq!(writer.discard_unsent(), 32768);
    assert_eq!((writer.tell(), writer.entries()), (32768, 0));
    assert_eq!(writer.close(), Err(error));
    assert_eq!(recorder.offered(), [32768, 32768], "no further call");
    assert_eq!((recorder.closed, recorder.abandoned), (1, None));
    assert_eq!(recorder.bytes, pattern(100_000)[..32768]);
}

#[test]
fn a_channel_that_takes_nothing_is_an_error() {
    let mut recorder = Recorder::scripted([Step::Move(32768), Step::Move(1000), Step::Move(0)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    assert_eq!(writer.put_buffer(&pattern(100_000)), Err(Error::WriteZero));
    assert_eq!(writer.flushed(), 33768);
    assert_eq!(writer.unsent().map(|piece| piece.len()).sum::<usize>(), 65536 - 33768);
    assert_eq!(writer.close(), Err(Error::WriteZero));
    assert_eq!(recorder.bytes, pattern(100_000)[..33768]);
}

#[test]
fn short_writes_are_continued() {
    let steps = [1, 99, 100, 150, 1].map(Step::Move);
    let mut recorder = Recorder::scripted(steps);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    for i in 0..4 {
        writer.put_byte(i).unwrap();
        writer.put_borrowed(&PAGES[..100]).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(writer.flushed(), 404);
    writer.close().unwrap();
    assert_eq!(recorder.offered(), [404, 403, 304, 204, 54, 53]);
    let expected: Vec<u8> = (0..4).flat_map(|i| [&[i][..], &PAGES[..100]].concat()).collect();
    assert_eq!(recorder.bytes, expected);
}

#[test]
fn a_sticky_error_wins_over_the_close_result() {
    let mut recorder = Recorder::scripted([Step::Fail(EIO)]);
    recorder.close_result = Some(ChannelError::Os(9));
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_byte(0).unwrap();
    assert_eq!(writer.flush(), Err(Error::Write(EIO)));
    assert_eq!(writer.close(), Err(Error::Write(EIO)));

    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_byte(0).unwrap();
    assert_eq!(writer.close(), Err(Error::Close(ChannelError::Os(9))));
    assert_eq!(recorder.closed, 2);
}

#[test]
fn a_drop_sends_what_is_pending_and_does_not_close() {
    let mut recorder = Recorder::scripted([1, 1, 1].map(Step::Move));
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_be32(1).unwrap();
    writer.put_borrowed(&PAGES[..9]).unwrap();
    drop(writer);
    assert_eq!(recorder.bytes, [&[0, 0, 0, 1][..], &PAGES[..9]].concat());
    assert_eq!((recorder.offered(), recorder.abandoned), (vec![13, 12, 11, 10], None));
    assert_eq!(recorder.closed, 0);
}

#[test]
fn a_drop_tells_the_channel_what_it_did_not_take_and_waits_for_nothing() {
    let failing = [BLOCK, Step::Fail(EIO), Step::Move(0)];
    for stop in failing {
        let mut recorder = Recorder::scripted([Step::Move(3), stop]);
        recorder.waits.extend([Ok(()); 3]);
        let mut writer = FileWriter::new(&mut recorder).unwrap();
        writer.put_be64(1).unwrap();
        drop(writer);
        assert_eq!((recorder.bytes.len(), recorder.abandoned, recorder.waited), (3, Some(5), 0));
        assert_eq!(recorder.calls.len(), 2);
    }
}

#[test]
fn a_drop_after_a_failure_sends_nothing() {
    let mut recorder = Recorder::scripted([Step::Fail(EIO)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_be32(1).unwrap();
    assert_eq!(writer.flush(), Err(Error::Write(EIO)));
    drop(writer);
    assert_eq!((recorder.calls.len(), recorder.abandoned), (1, Some(4)));
}

#[test]
fn a_drop_offers_no_bytes_again_that_a_panicking_channel_may_have_taken() {
    struct Panics<'c>(&'c mut usize);

    impl Channel for Panics<'_> {}

    impl WriteChannel for Panics<'_> {
        fn write(&mut self, _: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
            *self.0 += 1;
            panic!("a channel of a test");
        }
    }

    for large in [false, true] {
        let mut calls = 0;
        let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut writer = FileWriter::new(Panics(&mut calls)).unwrap();
            // As much as the buffer holds goes to the channel from where it lies.
            writer.put_buffer(&pattern(if large { BUFFER_SIZE } else { 7 })).unwrap();
            writer.flush()
        }));
        assert!(put.is_err());
        assert_eq!(calls, 1);
    }
}

#[test]
fn a_channel_comes_back_with_all_that_was_put() {
    let mut writer = FileWriter::new(Recorder::scripted([BLOCK])).unwrap();
    writer.put_be16(0x0102).unwrap();
    let mut handed_over = vec![3];
    writer.put_owned(&mut handed_over).unwrap();
    let failed = writer.into_inner().unwrap_err();
    assert_eq!(
        (failed.error(), failed.to_string()),
        (Error::WouldBlock, "the channel would block".into())
    );
    let writer = failed.into_inner();
    assert_eq!(writer.pending(), 3);
    let recorder = writer.into_inner().unwrap();
    assert_eq!(
        (&recorder.bytes[..], recorder.closed, recorder.abandoned),
        (&[1, 2, 3][..], 0, None)
    );

    let mut writer = FileWriter::new(Recorder::default()).unwrap();
    writer.set_error(Error::Stopped);
    let failed = writer.into_inner().unwrap_err();
    assert_eq!(std::error::Error::source(&failed).unwrap().to_string(), Error::Stopped.to_string());
    assert_eq!(Error::from(failed), Error::Stopped);
}

#[test]
fn an_iterator_is_put_in_order_and_stands_after_what_was_put() {
    let bytes = pattern(100_000);
    for piece in [1000, 32_768, 50_000, 100_000] {
        let segments: Vec<_> = bytes.chunks(piece).map(KVec::from).collect();
        let mut iter = IovIter::<Source>::from(&segments[..]);
        let mut recorder = Recorder::scripted([10, 20_000].map(Step::Move));
        let mut writer = FileWriter::new(&mut recorder).unwrap();
        writer.put_byte(0xee).unwrap();
        assert_eq!(writer.put_iter(&mut iter, 70_001), Ok(70_001));
        assert_eq!((iter.remaining(), writer.tell()), (29_999, 70_002));
        assert_eq!(writer.put_iter(&mut iter, usize::MAX), Ok(29_999));
        assert_eq!(writer.put_iter(&mut iter, usize::MAX), Ok(0));
        writer.close().unwrap();
        assert_eq!(recorder.bytes[0], 0xee);
        assert!(recorder.bytes[1..] == bytes);
    }
}

#[test]
fn an_iterator_stands_where_a_blocked_or_failed_channel_stopped_it() {
    let bytes = pattern(100_000);
    let segments = [KVec::from(&bytes[..])];
    for (stop, error) in [(ChannelError::WouldBlock, Error::WouldBlock), (EIO, Error::Write(EIO))] {
        let mut iter = IovIter::<Source>::from(&segments[..]);
        let steps = [Step::Move(5)].into_iter().chain([Step::Fail(stop); 9]);
        let mut writer = FileWriter::new(Recorder::scripted(steps)).unwrap();
        let put = writer.put_iter(&mut iter, 100_000).unwrap();
        assert_eq!(iter.remaining(), 100_000 - put);
        assert_eq!((writer.tell(), writer.flushed()), (put as u64, 5));
        assert_eq!(writer.put_iter(&mut iter, 1), Err(error));
        assert_eq!(iter.remaining(), 100_000 - put);
        assert_eq!(writer.put_iter(&mut iter, 0).is_err(), error != Error::WouldBlock);
        writer.discard_unsent();
    }
}

#[test]
fn an_error_after_the_last_byte_of_an_iterator_is_told_by_the_next_call() {
    // The last byte fills the buffer, which is sent.
    let bytes = pattern(BUFFER_SIZE);
    let mut iter = IovIterSource::from(&bytes);
    let mut writer = FileWriter::new(Recorder::scripted([Step::Fail(EIO)])).unwrap();
    assert_eq!(writer.put_iter(&mut iter, BUFFER_SIZE), Ok(BUFFER_SIZE));
    assert_eq!((iter.remaining(), writer.tell()), (0, BUFFER_SIZE as u64));
    assert_eq!(writer.error(), Some(Error::Write(EIO)));
    assert_eq!(writer.put_iter(&mut iter, 1), Err(Error::Write(EIO)));
    writer.discard_unsent();
}

/// Remembers what it was told to release.
#[derive(Default)]
struct Addresses(std::sync::Mutex<Vec<std::ops::Range<usize>>>);

impl Release for Addresses {
    fn release(&self, range: std::ops::Range<usize>) {
        self.0.lock().unwrap().push(range);
    }
}

#[test]
fn bytes_by_address_are_sent_from_where_they_lie_and_released_by_address() {
    let (page, other) = ([5_u8; 4096], [6_u8; 100]);
    let released = Addresses::default();
    let owner: &(dyn Release + Sync) = &released;
    let mut recorder = Recorder::scripted([BLOCK, Step::Move(3000)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let at = page.as_ptr().addr();
    let whole = Piece::from(&page[..]);
    // SAFETY: the arrays outlive the writer.
    unsafe {
        writer.put_raw(whole.slice(0, 1000), Some(owner)).unwrap();
        writer.put_raw(whole.slice(1000, 1000), Some(owner)).unwrap();
        assert_eq!(writer.entries(), 1, "the addresses follow each other");
        writer.put_raw(whole.slice(2000, 1), None).unwrap();
        assert_eq!(writer.entries(), 2, "not to be released");
        writer.put_raw(Piece::from(&other[..]), Some(owner)).unwrap();
        writer.put_raw(whole.slice(3000, 0), Some(owner)).unwrap();
        writer.put_raw(whole.slice(3000, usize::MAX), Some(owner)).unwrap();
    }
    assert_eq!(writer.flush(), Err(Error::WouldBlock));
    assert!(released.0.lock().unwrap().is_empty());
    assert_eq!(writer.unsent().map(|piece| piece.len()).collect::<Vec<_>>(), [2000, 1, 100, 1096]);
    writer.close().unwrap();
    assert_eq!(recorder.bytes, [&page[..2001], &other, &page[3000..]].concat());
    let other = other.as_ptr().addr();
    assert_eq!(
        released.0.into_inner().unwrap(),
        [at..at + 2000, other..other + 100, at + 3000..at + 4096]
    );
}

#[test]
fn bytes_by_address_are_copied_by_a_linear_file_and_kept_after_a_failure() {
    let page = [5_u8; 64];
    let released = Addresses::default();
    let mut linear = FileWriter::linear(Vec::new()).unwrap();
    {
        let copy = page;
        // SAFETY: a linear file copies at once.
        unsafe { linear.put_raw(Piece::from(&copy[..]), Some(&released)).unwrap() };
    }
    assert_eq!(linear.into_inner().unwrap(), page);
    let mut writer =
        FileWriter::new(Recorder::scripted([Step::Move(63), Step::Fail(EIO)])).unwrap();
    // SAFETY: the array outlives the writer.
    unsafe { writer.put_raw(Piece::from(&page[..]), Some(&released)).unwrap() };
    assert_eq!(writer.flush(), Err(Error::Write(EIO)));
    // SAFETY: as above.
    let put = unsafe { writer.put_raw(Piece::from(&page[..]), Some(&released)) };
    assert_eq!(put, Err(Error::Write(EIO)));
    drop(writer);
    assert!(released.0.into_inner().unwrap().is_empty());
}

#[test]
fn a_piece_is_put_as_a_slice_is() {
    let bytes: Vec<u8> = (0..3 * BUFFER_SIZE).map(|at| (at % 251) as u8).collect();
    for lens in [[0, 1, 7], [100, BUFFER_SIZE, 3], [BUFFER_SIZE - 1, 1, 2 * BUFFER_SIZE + 5]] {
        let script = [Step::Move(3), BLOCK, Step::Move(10_000)];
        let (mut one, mut other) = (Recorder::scripted(script), Recorder::scripted(script));
        let mut slices = FileWriter::new(&mut one).unwrap();
        let mut pieces = FileWriter::new(&mut other).unwrap();
        for len in lens {
            let result = slices.put_buffer(&bytes[..len]);
            assert_eq!(pieces.put_piece(Piece::from(&bytes[..len])), result);
            assert_eq!(pieces.tell(), slices.tell());
            assert_eq!(pieces.entries(), slices.entries());
        }
        assert_eq!(pieces.close(), slices.close());
        assert_eq!(one.bytes, other.bytes);
    }
}

#[test]
fn the_first_error_wins() {
    let mut writer = FileWriter::new(Scratch).unwrap();
    assert_eq!(writer.set_error(Error::WouldBlock), None, "does not stick");
    let first = Error::Reported(22, "first");
    assert_eq!(writer.set_error(first), Some(first));
    assert_eq!(writer.set_error(Error::Reported(5, "second")), Some(first));
    assert_eq!(writer.put_byte(0), Err(first));
    assert_eq!(writer.tell(), 0);
    assert_eq!(writer.close(), Err(first));
}

#[test]
fn after_an_error_not_even_no_bytes_are_put() {
    let error = Error::Stopped;
    let mut writer = FileWriter::new(Scratch).unwrap();
    let mut linear = FileWriter::linear(Scratch).unwrap();
    for writer in [&mut writer, &mut linear] {
        assert_eq!((writer.put_buffer(&[]), writer.put_borrowed(&[])), (Ok(()), Ok(())));
        writer.put_byte(1).unwrap();
        writer.set_error(error);
        for _ in 0..2 {
            assert_eq!(writer.put_buffer(&[]), Err(error));
            assert_eq!(writer.put_borrowed(&[]), Err(error));
            assert_eq!(writer.put_counted_string(&[]), Err(error));
            writer.discard_unsent();
        }
    }
}

#[test]
fn would_block_loses_nothing() {
    let mut recorder = Recorder::scripted([Step::Move(10), BLOCK, BLOCK, Step::Move(20)]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_buffer(&pattern(100)).unwrap();
    assert_eq!(writer.flush(), Err(Error::WouldBlock));
    assert_eq!((writer.flushed(), writer.pending(), writer.tell()), (10, 90, 100));
    assert_eq!(writer.error(), None);
    writer.put_buffer(&pattern(50)).unwrap();
    assert_eq!(writer.flush(), Err(Error::WouldBlock));
    writer.close().unwrap();
    assert_eq!(recorder.bytes, [pattern(100), pattern(50)].concat());
}

#[test]
fn a_put_that_fits_succeeds_while_the_channel_blocks() {
    let mut recorder = Recorder::scripted([BLOCK; 3]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    // Filling the buffer exactly makes a flush due, which waits.
    writer.put_buffer(&pattern(32768)).unwrap();
    assert_eq!(writer.put_byte(1), Err(Error::WouldBlock), "no room");
    assert_eq!((writer.tell(), writer.rate().used()), (32768, 32768));
    writer.put_borrowed(&PAGES[..7]).unwrap();
    writer.close().unwrap();
    assert_eq!(recorder.bytes, [&pattern(32768)[..], &PAGES[..7]].concat());
}

#[test]
fn a_string_of_which_a_part_was_sent_is_put_entirely() {
    // The first flush moves nothing. The second, for the rest of the string, moves some of its
    // front before the channel blocks again: there is room then.
    let mut recorder = Recorder::scripted([BLOCK, Step::Move(32768 - 15), BLOCK]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_buffer(&pattern(32768 - 67)).unwrap();
    let text = pattern(70);
    assert_eq!(writer.put_counted_string(&text), Ok(()));
    assert_eq!((writer.tell(), writer.pending()), (32768 - 67 + 71, 15 + 4));
    writer.close().unwrap();
    assert_eq!(recorder.bytes, [&pattern(32768 - 67)[..], &[70], &text].concat());
}

#[test]
fn a_part_has_room_when_one_before_it_was_sent() {
    // The flush of the full list moves nothing; the one for the next part moves one entry.
    let memory = pattern(660);
    let mut recorder = Recorder::scripted([BLOCK, Step::Move(3), BLOCK, BLOCK, BLOCK]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    let parts: Vec<&[u8]> = (0..66).map(|i| &memory[10 * i..10 * i + 3]).collect();
    for part in &parts[..64] {
        writer.put_borrowed(part).unwrap();
    }
    assert_eq!((writer.put_borrowed(parts[64]), writer.pending()), (Ok(()), 64 * 3));
    assert_eq!(writer.put_borrowed(parts[65]), Err(Error::WouldBlock), "nothing was sent for it");
    writer.close().unwrap();
    assert_eq!(recorder.bytes, parts[..65].concat());
}

#[test]
fn an_integer_is_put_entirely_or_not_at_all() {
    let whole = pattern(32768);
    for room in 0..8 {
        for sent in [0, 1, 32760, 32761, 32764, 32767] {
            let steps = [Step::Move(sent), BLOCK, BLOCK, BLOCK].into_iter();
            let mut recorder = Recorder::scripted(steps.skip(usize::from(sent == 0)));
            let mut writer = FileWriter::new(&mut recorder).unwrap();
            let front = &whole[room..];
            writer.put_buffer(front).unwrap();
            let result = writer.put_be64(0x0102_0304_0506_0708);
            let number: &[u8] = match result {
                Ok(()) => &[1, 2, 3, 4, 5, 6, 7, 8],
                Err(error) => {
                    assert_eq!(error, Error::WouldBlock);
                    &[]
                }
            };
            let expected = [front, number].concat();
            assert_eq!(writer.tell(), expected.len() as u64);
            assert_eq!(writer.rate().used(), expected.len() as u64);
            while writer.flush().is_err() {}
            writer.close().unwrap();
            assert_eq!(recorder.bytes, expected, "room {room}, sent {sent}");
        }
    }
}

#[test]
fn a_channel_may_wait() {
    let mut recorder = Recorder::scripted([BLOCK, BLOCK]);
    recorder.waits = [Ok(()), Ok(())].into();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_byte(7).unwrap();
    writer.close().unwrap();
    assert_eq!((recorder.waited, &recorder.bytes[..]), (2, &[7][..]));

    let mut recorder = Recorder::scripted([BLOCK]);
    recorder.waits = [Err(EIO)].into();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_byte(7).unwrap();
    assert_eq!(writer.flush(), Err(Error::Write(EIO)));
    assert_eq!(writer.close(), Err(Error::Write(EIO)));
}

#[test]
fn integers_in_both_orders() {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.put_be16(0x12345_u32 as u16).unwrap();
    writer.put_be32(0x8000_0001).unwrap();
    writer.put_sbe16(-2).unwrap();
    writer.put_sbe32(-2).unwrap();
    writer.put_sbe64(-2).unwrap();
    writer.put_sbyte(-2).unwrap();
    writer.put_le16(0x0102).unwrap();
    writer.put_le32(0x0102_0304).unwrap();
    writer.put_le64(1).unwrap();
    writer.put_sle16(-2).unwrap();
    writer.put_sle32(-2).unwrap();
    writer.put_sle64(-2).unwrap();
    writer.close().unwrap();
    let expected: [&[u8]; 12] = [
        &[0x23, 0x45],
        &[0x80, 0, 0, 1],
        &[0xff, 0xfe],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
        &[0xfe],
        &[2, 1],
        &[4, 3, 2, 1],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[0xfe, 0xff],
        &[0xfe, 0xff, 0xff, 0xff],
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    assert_eq!(sent, expected.concat());
}

#[test]
fn a_counted_string_is_one_entry_with_its_length() {
    let put = |bytes: &'static [u8]| {
        move |w: &mut FileWriter<'static, &mut Recorder>| w.put_counted_string(bytes).unwrap()
    };
    assert_eq!(check(put(b""), &[], 1, 1).bytes, [0]);
    assert_eq!(check(put(b"abc"), &[], 4, 1).bytes, [3, 0x61, 0x62, 0x63]);
    let long = check(put(&PAGES[..255]), &[], 256, 1);
    assert_eq!(long.calls[0], [256], "one entry");
    assert_eq!((long.bytes[0], &long.bytes[1..]), (255, &PAGES[..255]));
    let refuse = |w: &mut FileWriter<'static, &mut Recorder>| {
        assert_eq!(w.put_counted_string(&PAGES[..256]), Err(Error::StringTooLong));
        assert_eq!(w.error(), None);
    };
    check(refuse, &[], 0, 0);
}

#[test]
fn text_is_put_as_it_is_formatted_and_fails_with_the_file() {
    use std::fmt::Write;

    let mut writer = FileWriter::new(Vec::new()).unwrap();
    let (name, number) = ("page", 7);
    write!(writer, "{name}-{number:02x}").unwrap();
    assert_eq!(writer.tell(), 7);
    writer.set_error(Error::Stopped);
    assert_eq!(write!(writer, "{number}"), Err(std::fmt::Error));
    assert_eq!(writer.unsent().flat_map(copied).collect::<Vec<_>>(), b"page-07");
}

#[test]
fn tell_does_not_flush() {
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    writer.put_buffer(&pattern(40000)).unwrap();
    writer.put_borrowed(&PAGES[..5000]).unwrap();
    assert_eq!((writer.tell(), writer.flushed(), writer.entries()), (45000, 32768, 2));
    assert_eq!(writer.flush_and_tell(), Ok(45000));
    assert_eq!((writer.tell(), writer.flushed(), writer.entries()), (45000, 45000, 0));
    assert_eq!(writer.channel().offered(), [32768, 12232], "in one write");
    writer.credit(4096).unwrap();
    assert_eq!(writer.tell(), 49096);
    writer.close().unwrap();
}

#[test]
fn a_credit_beyond_what_can_be_counted_is_refused() {
    const MOST: u64 = i64::MAX as u64;
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    writer.put_buffer(&pattern(40000)).unwrap();
    for more in [u64::MAX, u64::MAX - 39999, MOST, MOST - 39999] {
        assert_eq!(writer.credit(more), Err(Error::PositionOverflow));
        assert_eq!((writer.tell(), writer.flushed(), writer.error()), (40000, 32768, None));
    }
    writer.credit(MOST - 40000).unwrap();
    assert_eq!((writer.tell(), writer.credit(1)), (MOST, Err(Error::PositionOverflow)));
    // What is really put goes on, and is counted.
    writer.put_be32(1).unwrap();
    assert_eq!((writer.tell(), writer.pending()), (MOST + 4, 40004 - 32768));
    writer.credit(0).unwrap_err();
    writer.close().unwrap();
}

#[test]
fn positions_belong_to_one_file() {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let mut first = FileWriter::new(&mut one).unwrap();
    let mut second = FileWriter::new(&mut other).unwrap();
    first.put_buffer(&pattern(40000)).unwrap();
    second.put_byte(0).unwrap();
    assert_eq!((first.tell(), first.flushed()), (40000, 32768));
    assert_eq!((second.tell(), second.flushed()), (1, 0));
    assert!(!second.is_flushed());
    first.close().unwrap();
    second.flush().unwrap();
    assert!(second.is_flushed());
    assert!(!second.is_seekable(), "they are no positions of the channel");
    second.close().unwrap();
}

#[test]
fn the_rate_is_exceeded_by_the_byte_after_the_limit() {
    let mut writer = FileWriter::new(Scratch).unwrap();
    writer.rate_mut().set_limit(10);
    writer.put_buffer(&pattern(10)).unwrap();
    assert!(!writer.is_rate_exceeded());
    writer.put_byte(0).unwrap();
    assert!(writer.is_rate_exceeded());
    writer.rate_mut().set_limit(0);
    assert!(!writer.is_rate_exceeded(), "0 never limits");
    writer.rate_mut().set_limit(10);
    writer.rate_mut().reset();
    assert!(!writer.is_rate_exceeded());
    writer.set_error(Error::Reported(5, "an error always limits"));
    assert!(writer.is_rate_exceeded());
    assert!(writer.close().is_err());
}

/// The window is not counted put by put, so it must not lose what it has not looked at.
#[test]
fn the_rate_window_counts_every_kind_of_put_once() {
    let region = Region::new(&PAGES[..]);
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    writer.put_buffer(&pattern(10)).unwrap();
    writer.rate_mut().account(3);
    assert_eq!(writer.rate().used(), 13);
    writer.rate_mut().reset();
    assert_eq!(writer.rate().used(), 0);
    writer.put_be32(1).unwrap();
    writer.put_region(&region, 0..7).unwrap();
    writer.put_owned(&mut vec![1; 20]).unwrap();
    assert_eq!(writer.rate().used(), 31);
    writer.flush().unwrap();
    writer.put_byte(1).unwrap();
    assert_eq!(writer.rate().used(), 32);
    writer.discard_unsent();
    writer.put_buffer(&pattern(40_000)).unwrap();
    assert_eq!(writer.rate().used(), 40_032);
    writer.rate_mut().set_limit(40_032);
    assert!(!writer.is_rate_exceeded());
    writer.put_byte(1).unwrap();
    assert!(writer.is_rate_exceeded());
    writer.close().unwrap();
}
