//! Return paths, and stopping a file from another thread.
#![cfg(feature = "std")]

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use iov_iter::file::{
    Channel, ChannelError, Control, Duplex, Error, FileReader, FileWriter, ReadChannel, Stopper,
    WriteChannel,
};
use iov_iter::os::{PairEnd, pair};
use iov_iter::{Piece, Source};

#[test]
fn both_directions_of_a_pair() {
    let (here, there) = pair(1000).unwrap();
    let worker = thread::spawn(move || {
        let mut reader = FileReader::new(there).unwrap();
        let mut answer = FileWriter::new(reader.return_channel().unwrap()).unwrap();
        let len = reader.get_be32().unwrap();
        let mut sum = 0_u64;
        for _ in 0..len {
            sum += u64::from(reader.get_byte().unwrap());
        }
        answer.put_be64(sum).unwrap();
        answer.close().unwrap();
        assert!(reader.is_at_end().unwrap());
        reader.close().unwrap();
    });
    let data: Vec<u8> = (0..5000_u32).map(|i| i as u8).collect();
    let mut writer = FileWriter::new(here).unwrap();
    let mut answer = FileReader::new(writer.return_channel().unwrap()).unwrap();
    writer.put_be32(5000).unwrap();
    writer.put_borrowed(&data).unwrap();
    writer.flush().unwrap();
    assert_eq!(answer.get_be64(), Ok(data.iter().map(|byte| u64::from(*byte)).sum()));
    answer.close().unwrap();
    writer.close().unwrap();
    worker.join().unwrap();
}

#[test]
fn a_return_path_has_its_own_errors_and_positions() {
    let (here, there) = pair(100).unwrap();
    let mut writer = FileWriter::new(here).unwrap();
    let mut answer = FileReader::new(writer.return_channel().unwrap()).unwrap();
    writer.put_be32(1).unwrap();
    answer.set_error(Error::Reported(5, "only here"));
    assert_eq!((writer.error(), answer.position()), (None, 0));
    writer.close().unwrap();
    answer.close().unwrap_err();
    let mut reader = FileReader::new(there).unwrap();
    assert_eq!(reader.get_be32(), Ok(1));
}

#[test]
fn a_pair_that_may_not_wait() {
    let (here, there) = pair(4).unwrap();
    let mut writer = FileWriter::new(here).unwrap();
    let mut reader = FileReader::new(there).unwrap();
    writer.set_blocking(false).unwrap();
    reader.set_blocking(false).unwrap();
    assert_eq!(reader.get_byte(), Err(Error::WouldBlock));
    writer.put_buffer(b"123456").unwrap();
    assert_eq!(writer.flush(), Err(Error::WouldBlock));
    assert_eq!(writer.flushed(), 4);
    assert_eq!(reader.get_be32(), Ok(0x3132_3334));
    writer.flush().unwrap();
    assert_eq!(reader.get_be16(), Ok(0x3536));
    writer.close().unwrap();
    assert!(reader.is_at_end().unwrap());
}

#[test]
fn writing_to_a_closed_pair_fails() {
    let (here, there) = pair(4).unwrap();
    drop(there);
    let mut writer = FileWriter::new(here).unwrap();
    writer.put_byte(1).unwrap();
    assert_eq!(writer.close(), Err(Error::Write(ChannelError::Os(32))));
}

#[test]
fn a_waiting_reader_is_stopped() {
    let (here, _there) = pair(100).unwrap();
    let mut reader = FileReader::new(here).unwrap();
    let stopper = reader.stopper().unwrap();
    let (started, start) = mpsc::channel();
    let worker = thread::spawn(move || {
        started.send(()).unwrap();
        let result = reader.get_byte();
        (result, reader.error(), reader.close())
    });
    start.recv().unwrap();
    thread::sleep(Duration::from_millis(20));
    stopper.stop().unwrap();
    let stopped = Error::Stopped;
    assert_eq!(worker.join().unwrap(), (Err(stopped), Some(stopped), Err(stopped)));
}

/// An end that tells when a write has succeeded.
struct Telling(PairEnd, mpsc::Sender<usize>);

impl Channel for Telling {
    fn shutdown(&self) -> Result<(), ChannelError> {
        self.0.shutdown()
    }
}

impl WriteChannel for Telling {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        let taken = self.0.write(from)?;
        self.1.send(taken).unwrap();
        Ok(taken)
    }
}

impl Duplex for Telling {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        Ok(Self(self.0.try_clone()?, self.1.clone()))
    }
}

#[test]
fn a_waiting_writer_is_stopped() {
    let (here, _there) = pair(10).unwrap();
    let (tell, told) = mpsc::channel();
    let mut writer = FileWriter::new(Telling(here, tell)).unwrap();
    let stopper = writer.stopper().unwrap();
    let worker = thread::spawn(move || {
        writer.put_buffer(&[7; 30]).unwrap();
        let result = writer.flush();
        (result, writer.flushed(), writer.close())
    });
    // Long enough for the next write to wait; if it is not, the result is the same.
    assert_eq!(told.recv(), Ok(10));
    thread::sleep(Duration::from_millis(20));
    stopper.stop().unwrap();
    let stopped = Err(Error::Stopped);
    assert_eq!(worker.join().unwrap(), (stopped, 10, stopped));
}

#[test]
fn a_stopped_file_refuses_at_once() {
    let (here, _there) = pair(100).unwrap();
    let mut writer = FileWriter::new(here).unwrap();
    let (one, other) = (writer.stopper().unwrap(), writer.stopper().unwrap());
    writer.put_byte(1).unwrap();
    one.stop().unwrap();
    drop(one);
    assert_eq!(writer.error(), Some(Error::Stopped));
    assert_eq!(writer.put_byte(1), Err(Error::Stopped));
    assert_eq!(writer.flush(), Err(Error::Stopped));
    assert!(writer.is_rate_exceeded());
    assert_eq!((writer.tell(), writer.flushed()), (1, 0));
    other.stop().unwrap();
    assert_eq!(writer.close(), Err(Error::Stopped));
}

/// Takes everything; the handles share the sizes of what was written.
#[derive(Clone, Default)]
struct Sizes(Arc<Mutex<Vec<Vec<usize>>>>);

impl Channel for Sizes {}

impl WriteChannel for Sizes {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        self.0.lock().unwrap().push(from.iter().map(Piece::len).collect());
        Ok(from.iter().map(Piece::len).sum())
    }
}

impl Duplex for Sizes {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        Ok(self.clone())
    }
}

/// Every put has to look at the flag then, which takes it another way to the same result.
#[test]
fn a_file_that_can_be_stopped_writes_the_same() {
    static PAGES: [u8; 40000] = [7; 40000];
    let write = |stoppable: bool| {
        let sizes = Sizes::default();
        let mut writer = FileWriter::new(sizes.clone()).unwrap();
        let stopper = stoppable.then(|| writer.stopper().unwrap());
        for i in 0..12_000_usize {
            writer.put_byte(i as u8).unwrap();
            writer.put_be64(i as u64).unwrap();
            if i % 150 == 0 {
                writer.put_borrowed(&PAGES[i % 100..i % 100 + 3]).unwrap();
                writer.put_buffer(&PAGES[..i % 700]).unwrap();
                writer.put_counted_string(&PAGES[..i % 250]).unwrap();
            }
        }
        assert_eq!(writer.rate().used(), writer.tell());
        let told = writer.tell();
        if let Some(stopper) = stopper {
            assert_eq!(stopper.stop(), Err(Error::Unsupported));
            let len = PAGES.len();
            assert_eq!(writer.put_be64(1), Err(Error::Stopped));
            assert_eq!(writer.put_buffer(&PAGES[..1]), Err(Error::Stopped));
            assert_eq!(writer.put_buffer(&PAGES[..len]), Err(Error::Stopped));
            assert_eq!(writer.put_borrowed(&PAGES[..1]), Err(Error::Stopped));
            assert_eq!(writer.put_counted_string(b""), Err(Error::Stopped));
            assert_eq!((writer.tell(), writer.rate().used()), (told, told));
        }
        let written = sizes.0.lock().unwrap().clone();
        assert_eq!(writer.close().is_err(), stoppable);
        (told, written)
    };
    let (told, sizes) = write(false);
    assert!(sizes.len() > 2 && told > 100_000);
    assert_eq!(write(true), (told, sizes));
}

#[test]
fn an_earlier_error_stays() {
    let (here, _there) = pair(100).unwrap();
    let mut writer = FileWriter::new(here).unwrap();
    let stopper = writer.stopper().unwrap();
    let error = Error::Reported(5, "earlier");
    writer.set_error(error);
    stopper.stop().unwrap();
    assert_eq!(writer.shutdown(), Ok(()));
    assert_eq!(writer.close(), Err(error));
}

/// A channel whose end, once shut down, looks like the end of the data.
struct Ending(PairEnd);

impl Channel for Ending {
    fn shutdown(&self) -> Result<(), ChannelError> {
        Err(ChannelError::Os(107))
    }
}

impl ReadChannel for Ending {
    fn read(&mut self, _into: &mut [u8]) -> Result<usize, ChannelError> {
        Ok(0)
    }
}

impl WriteChannel for Ending {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        self.0.write(from)
    }
}

impl Duplex for Ending {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        self.0.try_clone().map(Self)
    }
}

#[test]
fn a_channel_that_cannot_be_shut_down_leaves_the_file_stopped() {
    let mut reader = FileReader::new(Ending(pair(1).unwrap().0)).unwrap();
    let stopper = reader.stopper().unwrap();
    let failure = Err(Error::Shutdown(ChannelError::Os(107)));
    assert_eq!(stopper.stop(), failure);
    assert_eq!(reader.get_byte(), Err(Error::Stopped));

    let mut writer = FileWriter::new(Ending(pair(1).unwrap().0)).unwrap();
    assert_eq!(writer.shutdown(), failure);
    assert_eq!(writer.close(), Err(Error::Stopped));

    let mut plain = FileWriter::new(Vec::new()).unwrap();
    assert_eq!(plain.shutdown(), Err(Error::Unsupported));
    assert_eq!(plain.put_byte(0), Err(Error::Stopped));
    plain.close().unwrap_err();
}

/// Has its own file stopped in the middle of a read, as another thread may do at any time.
#[derive(Clone, Default)]
struct StoppedMeanwhile(Arc<Mutex<Option<Stopper<StoppedMeanwhile>>>>);

impl Channel for StoppedMeanwhile {
    fn shutdown(&self) -> Result<(), ChannelError> {
        Ok(())
    }
}

impl ReadChannel for StoppedMeanwhile {
    fn read(&mut self, _into: &mut [u8]) -> Result<usize, ChannelError> {
        if let Some(stopper) = self.0.lock().unwrap().take() {
            stopper.stop().unwrap();
        }
        Ok(0)
    }
}

impl Duplex for StoppedMeanwhile {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        Ok(self.clone())
    }
}

#[test]
fn the_stop_shows_and_not_the_end_that_it_causes() {
    for attempt in 0..3 {
        let channel = StoppedMeanwhile::default();
        let mut reader = FileReader::new(channel.clone()).unwrap();
        let stopper = reader.stopper().unwrap();
        *channel.0.lock().unwrap() = Some(stopper);
        let error = match attempt {
            0 => reader.get_byte().err(),
            1 => reader.is_at_end().err(),
            _ => reader.peek(5, 5).err(),
        };
        assert_eq!(error, Some(Error::Stopped));
        assert_eq!(reader.close(), Err(Error::Stopped));
    }
}

/// Looks at its file when it is shut down.
#[derive(Clone, Default)]
struct Observer {
    file: Arc<Mutex<Option<FileReader<Observer>>>>,
    seen: Arc<Mutex<Option<Error>>>,
}

impl Channel for Observer {
    fn shutdown(&self) -> Result<(), ChannelError> {
        *self.seen.lock().unwrap() = self.file.lock().unwrap().as_ref().unwrap().error();
        Ok(())
    }
}

impl ReadChannel for Observer {
    fn read(&mut self, _into: &mut [u8]) -> Result<usize, ChannelError> {
        Ok(0)
    }
}

impl Duplex for Observer {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        Ok(self.clone())
    }
}

#[test]
fn the_file_is_stopped_before_its_channel() {
    let channel = Observer::default();
    let mut reader = FileReader::new(channel.clone()).unwrap();
    let stopper = reader.stopper().unwrap();
    *channel.file.lock().unwrap() = Some(reader);
    stopper.stop().unwrap();
    assert_eq!(*channel.seen.lock().unwrap(), Some(Error::Stopped));
    // The file holds a handle to itself.
    drop(channel.file.lock().unwrap().take());
}

#[test]
fn a_file_fails_with_the_error_of_another_thread() {
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    let control = writer.control().unwrap();
    assert_eq!((control.error(), control.is_failed()), (None, false));
    assert_eq!(control.set_error(Error::WouldBlock), None, "does not stick");
    writer.put_buffer(b"before").unwrap();
    let cancelled = Error::Reported(125, "cancelled");
    let other = control.try_clone().unwrap();
    assert_eq!(thread::spawn(move || other.set_error(cancelled)).join().unwrap(), Some(cancelled));
    assert_eq!(control.set_error(Error::Stopped), Some(cancelled), "the first one stays");
    control.stop();
    assert_eq!((control.error(), writer.error()), (Some(cancelled), Some(cancelled)));
    assert_eq!(writer.put_byte(1), Err(cancelled));
    assert_eq!(writer.put_borrowed(b"after"), Err(cancelled));
    assert_eq!(writer.put_counted_string(b"after"), Err(cancelled));
    assert_eq!(writer.flush(), Err(cancelled));
    assert_eq!((writer.tell(), writer.flushed()), (6, 0));
    assert_eq!(writer.into_inner().unwrap_err().error(), cancelled);
    assert_eq!(control.error(), Some(cancelled), "the file is gone");
}

#[test]
fn another_thread_reads_the_error_of_a_file() {
    let (here, there) = pair(4).unwrap();
    drop(there);
    let mut writer = FileWriter::new(here).unwrap();
    let control = writer.control().unwrap();
    writer.put_byte(1).unwrap();
    let error = Error::Write(ChannelError::Os(32));
    assert_eq!(writer.flush(), Err(error));
    assert_eq!(thread::spawn(move || control.error()).join().unwrap(), Some(error));
    assert_eq!(writer.control().unwrap().error(), Some(error), "a later handle");

    let mut reader = FileReader::new(&b"01"[..]).unwrap();
    assert_eq!(reader.set_error(Error::Hook(-7)), Some(Error::Hook(-7)));
    let control = reader.control().unwrap();
    assert_eq!(control.error(), Some(Error::Hook(-7)), "of before there was a handle");
    assert_eq!(control.set_error(Error::Stopped), Some(Error::Hook(-7)));
}

#[test]
fn what_is_buffered_is_got_after_another_thread_failed_the_reader() {
    let mut reader = FileReader::new(&b"0123"[..]).unwrap();
    let control = reader.control().unwrap();
    assert_eq!(reader.get_byte(), Ok(b'0'));
    assert_eq!(control.set_error(Error::Reported(5, "given up")), reader.error());
    assert_eq!(reader.get_slice(3).unwrap(), b"123");
    assert_eq!(reader.get_byte(), Err(Error::Reported(5, "given up")));
}

#[test]
fn of_threads_that_fail_a_file_at_once_one_is_the_first_for_all() {
    const ROUNDS: usize = if cfg!(miri) { 5 } else { 300 };
    const THREADS: i32 = 6;
    for _ in 0..ROUNDS {
        let mut writer = FileWriter::new(Vec::new()).unwrap();
        let control = writer.control().unwrap();
        let start = std::sync::Barrier::new(THREADS as usize + 1);
        let mine = Error::Reported(THREADS, "of a thread");
        let (answers, own) = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|errno| {
                    let (control, start) = (&control, &start);
                    scope.spawn(move || {
                        start.wait();
                        control.set_error(Error::Reported(errno, "of a thread")).unwrap()
                    })
                })
                .collect();
            start.wait();
            let own = writer.set_error(mine).unwrap();
            let answers: Vec<_> =
                threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            (answers, own)
        });
        let first = control.error().unwrap();
        assert!(answers.iter().all(|answer| *answer == first), "{answers:?}");
        assert_eq!((own, writer.error(), writer.put_byte(1)), (first, Some(first), Err(first)));
        let known = |errno| (0..=THREADS).contains(&errno);
        assert!(
            matches!(first, Error::Reported(errno, "of a thread") if known(errno))
                || first == Error::Stopped
        );
    }
}

#[test]
fn another_thread_limits_the_rate_of_a_writer() {
    let mut writer = FileWriter::new(Vec::new()).unwrap();
    let control = writer.control().unwrap();
    writer.put_buffer(&[0; 10]).unwrap();
    assert!(!writer.is_rate_exceeded());
    thread::scope(|scope| scope.spawn(|| control.set_rate_limit(9)).join().unwrap());
    assert_eq!((writer.rate().limit(), writer.rate().used()), (9, 10));
    assert!(writer.is_rate_exceeded());
    writer.rate_mut().reset();
    assert_eq!((writer.rate().limit(), writer.rate().used()), (9, 0), "the limit stays");
    writer.rate_mut().set_limit(3);
    assert_eq!(writer.rate().limit(), 3, "the last one holds");
    control.set_rate_limit(u64::MAX);
    assert!(writer.rate().limit() >= usize::MAX as u64 - 1);
    control.set_rate_limit(0);
    writer.put_buffer(&[0; 100]).unwrap();
    assert!(!writer.is_rate_exceeded());
}

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

#[test]
fn what_can_go_to_another_thread() {
    is_send::<FileWriter<'static, PairEnd>>();
    is_send::<FileReader<PairEnd>>();
    is_send::<Control>();
    is_sync::<Control>();
    is_send::<Stopper<PairEnd>>();
    is_sync::<Stopper<PairEnd>>();
}
