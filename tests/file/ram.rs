//! RAM: release of what was sent, and hooks for pages.

use std::ops::Range;
use std::sync::Mutex;

use crate::channels::{BLOCK, EIO, Recorder, Step};
use iov_iter::file::{
    Error, FileReader, FileWriter, LoadHooks, Loaded, MAX_ENTRIES, NoHooks, PageSaved, RamControl,
    RamPage, ReadChannel, Region, Release, SaveHooks, Scratch, WriteChannel,
};

#[derive(Default)]
struct Log(Mutex<Vec<Range<usize>>>);

impl Release for Log {
    fn release(&self, range: Range<usize>) {
        self.0.lock().unwrap().push(range);
    }
}

impl Log {
    fn lengths(&self) -> Vec<(usize, usize)> {
        self.0.lock().unwrap().iter().map(|range| (range.start, range.len())).collect()
    }
}

/// The entries of the worked example: 6 entries, 24577 bytes.
fn put_example<'r, C: WriteChannel>(writer: &mut FileWriter<'r, C>, region: &Region<'r>) {
    writer.put_region_and_release(region, 0..4096).unwrap();
    writer.put_region_and_release(region, 4096..8192).unwrap();
    writer.put_region(region, 8192..12288).unwrap();
    writer.put_region_and_release(region, 12288..16384).unwrap();
    writer.put_region_and_release(region, 40960..45056).unwrap();
    writer.put_byte(1).unwrap();
    writer.put_region_and_release(region, 45056..49152).unwrap();
}

/// 48 KiB of memory whose release is written to `log`.
fn releasable(log: &Log) -> Region<'_> {
    static RAM: [u8; 49152] = [0x77; 49152];
    Region::with_release(&RAM[..], log)
}

#[test]
fn release_merges_what_is_adjacent_in_memory() {
    let log = Log::default();
    let region = releasable(&log);
    let mut recorder = Recorder::default();
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    put_example(&mut writer, &region);
    assert_eq!((writer.entries(), log.lengths()), (6, vec![]));
    writer.flush().unwrap();
    assert_eq!(log.lengths(), [(0, 8192), (12288, 4096), (40960, 8192)]);
    writer.flush().unwrap();
    assert_eq!(log.lengths().len(), 3, "once");
    writer.close().unwrap();
    assert_eq!(recorder.calls, [[8192, 4096, 4096, 4096, 1, 4096]]);
    assert_eq!(recorder.bytes.len(), 24577);
}

#[test]
fn nothing_is_released_after_a_failure() {
    for taken in [0, 8192, 24576] {
        let log = Log::default();
        let region = releasable(&log);
        let mut recorder = Recorder::scripted([Step::Move(taken), Step::Fail(EIO)]);
        if taken == 0 {
            recorder.steps.pop_front();
        }
        let mut writer = FileWriter::new(&mut recorder).unwrap();
        put_example(&mut writer, &region);
        assert_eq!(writer.flush(), Err(Error::Write(EIO)));
        assert_eq!(writer.close(), Err(Error::Write(EIO)));
        assert!(log.lengths().is_empty());
    }
}

#[test]
fn release_waits_while_the_channel_blocks() {
    let log = Log::default();
    let region = releasable(&log);
    let mut recorder = Recorder::scripted([Step::Move(20000), BLOCK, Step::Move(10), BLOCK]);
    let mut writer = FileWriter::new(&mut recorder).unwrap();
    put_example(&mut writer, &region);
    for _ in 0..2 {
        assert_eq!(writer.flush(), Err(Error::WouldBlock));
        assert!(log.lengths().is_empty(), "although whole entries were sent");
    }
    writer.flush().unwrap();
    assert_eq!(log.lengths(), [(0, 8192), (12288, 4096), (40960, 8192)]);
    writer.close().unwrap();
    assert_eq!(recorder.bytes.len(), 24577);
}

#[test]
fn a_flush_by_the_last_entry_releases_too() {
    let log = Log::default();
    let region = releasable(&log);
    let mut writer = FileWriter::new(Recorder::default()).unwrap();
    for i in 0..32 {
        writer.put_byte(0).unwrap();
        writer.put_region_and_release(&region, i * 200..i * 200 + 100).unwrap();
    }
    assert_eq!((writer.entries(), log.lengths().len()), (0, 32));
    writer.close().unwrap();
}

#[test]
fn what_is_not_flagged_or_has_no_owner_is_kept() {
    let log = Log::default();
    let region = releasable(&log);
    let ram = [1; 100];
    let kept = Region::new(&ram[..]);
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    writer.put_region(&region, 0..100).unwrap();
    writer.put_region_and_release(&kept, 0..100).unwrap();
    writer.close().unwrap();
    assert!(log.lengths().is_empty());
}

#[test]
fn two_owners_of_one_memory_get_their_own_ranges() {
    let (first, second) = (Log::default(), Log::default());
    let (one, other) = (releasable(&first), releasable(&second));
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    writer.put_region_and_release(&one, 0..4096).unwrap();
    writer.put_region_and_release(&other, 4096..8192).unwrap();
    writer.close().unwrap();
    assert_eq!((first.lengths(), second.lengths()), (vec![(0, 4096)], vec![(4096, 4096)]));
}

#[test]
fn there_is_room_to_note_as_many_ranges_as_entries_may_wait() {
    let memory = [7; MAX_ENTRIES + 2];
    let logs = [Log::default(), Log::default()];
    let regions = logs.each_ref().map(|log| Region::with_release(&memory[..], log));
    for controlled in [false, true] {
        let mut recorder = Recorder::scripted([BLOCK]);
        let mut writer = FileWriter::new(&mut recorder).unwrap();
        let _control = controlled.then(|| writer.control().unwrap());
        // One entry, and a note for each range, because the owners take turns.
        let mut put = |at: usize| writer.put_region_and_release(&regions[at % 2], at..at + 1);
        (0..MAX_ENTRIES).for_each(|at| put(at).unwrap());
        assert_eq!(put(MAX_ENTRIES), Err(Error::WouldBlock), "the notes have to be sent first");
        assert_eq!(put(MAX_ENTRIES), Ok(()));
        assert_eq!((writer.flushed(), writer.entries()), (MAX_ENTRIES as u64, 1));
        writer.close().unwrap();
        assert_eq!(recorder.calls, [[MAX_ENTRIES], [MAX_ENTRIES], [1]]);
    }
    for (log, first) in logs.into_iter().zip(0..) {
        let once = (first..=MAX_ENTRIES).step_by(2).map(|at| (at, 1));
        assert!(log.lengths().into_iter().eq(once.clone().chain(once)));
    }
}

#[test]
#[allow(clippy::reversed_empty_ranges, reason = "that is the point")]
fn ranges_stay_in_the_region() {
    let log = Log::default();
    let region = releasable(&log);
    assert_eq!((region.len(), region.is_empty()), (49152, false));
    assert!(Region::new(&[][..]).is_empty());
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    for range in [0..49153, 49152..49153, 5..4, usize::MAX..usize::MAX] {
        assert_eq!(writer.put_region(&region, range.clone()), Err(Error::OutOfRegion));
        assert_eq!(writer.put_region_and_release(&region, range), Err(Error::OutOfRegion));
    }
    writer.put_region(&region, 49152..49152).unwrap();
    assert_eq!((writer.tell(), writer.entries(), writer.error()), (0, 0, None));
    writer.close().unwrap();
}

/// Answers as told, and writes down what it was asked.
struct Told {
    control: Result<(), i32>,
    page: Result<PageSaved, i32>,
    load: Result<Loaded, i32>,
    asked: Vec<&'static str>,
}

impl Told {
    fn new(page: Result<PageSaved, i32>) -> Self {
        Self { control: Ok(()), page, load: Ok(Loaded::Handled), asked: Vec::new() }
    }
}

impl<'buf, C: WriteChannel> SaveHooks<'buf, C> for Told {
    fn before_iterate(
        &mut self,
        file: &mut FileWriter<'buf, C>,
        when: RamControl,
    ) -> Result<(), i32> {
        self.asked.push("before");
        file.put_be64(when as u64).unwrap();
        self.control
    }

    fn after_iterate(
        &mut self,
        _file: &mut FileWriter<'buf, C>,
        _when: RamControl,
    ) -> Result<(), i32> {
        self.asked.push("after");
        self.control
    }

    fn save_page(
        &mut self,
        _file: &mut FileWriter<'buf, C>,
        page: RamPage,
    ) -> Result<PageSaved, i32> {
        assert_eq!(page, PAGE);
        self.asked.push("page");
        self.page
    }
}

impl<C: ReadChannel> LoadHooks<C> for Told {
    fn load(&mut self, file: &mut FileReader<C>, _when: RamControl) -> Result<Loaded, i32> {
        self.asked.push("load");
        file.get_byte().map_err(Error::errno)?;
        self.load
    }
}

const PAGE: RamPage = RamPage { block: 0x1000, offset: 0x2000, len: 4096 };

#[test]
fn pages_that_a_hook_sent_are_credited() {
    for (answer, position, used) in [
        (PageSaved::Sent(4096), 4096, 4096),
        (PageSaved::Sent(0), 0, 4096),
        (PageSaved::Delayed, 0, 4096),
        (PageSaved::NotSupported, 0, 0),
    ] {
        let mut writer = FileWriter::new(Scratch).unwrap();
        assert_eq!(writer.save_page(&mut Told::new(Ok(answer)), PAGE), Ok(answer));
        assert_eq!((writer.tell(), writer.rate().used(), writer.error()), (position, used, None));
        writer.close().unwrap();
    }
}

#[test]
fn a_hook_that_claims_more_than_can_be_counted_is_not_credited() {
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.put_be32(7).unwrap();
    for claimed in [u64::MAX, i64::MAX as u64 - 3] {
        let mut hooks = Told::new(Ok(PageSaved::Sent(claimed)));
        assert_eq!(writer.save_page(&mut hooks, PAGE), Err(Error::PositionOverflow));
        assert_eq!((writer.tell(), writer.rate().used(), writer.error()), (4, 4, None));
    }
    // The stream is intact.
    let mut reader = FileReader::new(&b"0123456789"[..]).unwrap();
    writer.put_from(&mut reader, 10).unwrap();
    assert_eq!((writer.tell(), reader.position()), (14, 10));
    writer.close().unwrap();
    assert_eq!(sent, b"\0\0\0\x070123456789");
}

#[test]
fn failures_of_hooks_stick() {
    let error = Error::Hook(-5);
    let mut hooks = Told::new(Err(-5));
    let mut writer = FileWriter::new(Scratch).unwrap();
    assert_eq!(writer.save_page(&mut hooks, PAGE), Err(error));
    assert_eq!(writer.error(), Some(error));
    assert_eq!(writer.save_page(&mut hooks, PAGE), Err(error));
    assert_eq!(writer.before_iterate(&mut hooks, RamControl::Round), Err(error));
    assert_eq!(hooks.asked, ["page"], "not called after an error");
    assert_eq!(writer.close(), Err(error));

    hooks.control = Err(-7);
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    assert_eq!(writer.after_iterate(&mut hooks, RamControl::Finish), Err(Error::Hook(-7)));
    assert_eq!(writer.close(), Err(Error::Hook(-7)));
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    assert_eq!(writer.before_iterate(&mut hooks, RamControl::Setup), Err(Error::Hook(-7)));
    assert_eq!(writer.close(), Err(Error::Hook(-7)));
}

#[test]
fn hooks_can_use_the_file() {
    let mut hooks = Told::new(Ok(PageSaved::Delayed));
    let mut sent = Vec::new();
    let mut writer = FileWriter::new(&mut sent).unwrap();
    writer.before_iterate(&mut hooks, RamControl::Finish).unwrap();
    writer.after_iterate(&mut hooks, RamControl::Finish).unwrap();
    writer.close().unwrap();
    assert_eq!(sent, [0, 0, 0, 0, 0, 0, 0, 3]);
    assert_eq!(hooks.asked, ["before", "after"]);
}

#[test]
fn without_hooks_only_the_stream_may_not_ask() {
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    writer.before_iterate(&mut NoHooks, RamControl::Setup).unwrap();
    writer.after_iterate(&mut NoHooks, RamControl::Setup).unwrap();
    assert_eq!(writer.save_page(&mut NoHooks, PAGE), Ok(PageSaved::NotSupported));
    writer.close().unwrap();

    let mut reader = FileReader::new(&b"x"[..]).unwrap();
    for when in
        [RamControl::Setup, RamControl::Round, RamControl::Finish, RamControl::BlockRegister]
    {
        assert_eq!(reader.load_hook(&mut NoHooks, when), Ok(Loaded::NotSupported));
    }
    assert_eq!(reader.error(), None);
    assert_eq!(reader.load_hook(&mut NoHooks, RamControl::Hook), Err(Error::NoLoadHook));
    assert_eq!(reader.close(), Err(Error::NoLoadHook));
}

#[test]
fn load_hooks_are_told_and_their_failures_stick() {
    let mut hooks = Told::new(Ok(PageSaved::Delayed));
    let mut reader = FileReader::new(&b"xyz"[..]).unwrap();
    let hooks_object: &mut dyn LoadHooks<&[u8]> = &mut hooks;
    assert_eq!(reader.load_hook(hooks_object, RamControl::Hook), Ok(Loaded::Handled));
    assert_eq!(reader.position(), 1);
    hooks.load = Err(-22);
    assert_eq!(reader.load_hook(&mut hooks, RamControl::Round), Err(Error::Hook(-22)));
    assert_eq!(reader.close(), Err(Error::Hook(-22)));
}
