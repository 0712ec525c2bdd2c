//! What the crate does under the traits of `embedded-io`, `bytes` and `zerocopy`.
//!
//! Provided functions of these traits are other crates' code and may panic; they are not called here.

use core::fmt::Write as _;
use core::hint::black_box;

use bytes::{Buf, BufMut};
use embedded_io::{BufRead, Error as _, ErrorKind, ErrorType, Read, ReadExactError, Seek, Write};
use iov_iter::file::{
    ChannelError, EmbeddedChannel, FileReader, FileWriter, ReadChannel, SeekFrom, WriteChannel,
};
use iov_iter::host::Host;
use iov_iter::{Dest, IovIter, KVec, Source, SpaceMut};

use crate::segments::Text;
use crate::{any, any_bytes, any_list, every_kind, files::Anything};

/// A reader and writer of `embedded-io` whose answers nobody can guess.
struct Device;

impl ErrorType for Device {
    type Error = ErrorKind;
}

impl Read for Device {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        black_box(into);
        black_box(Err(ErrorKind::Interrupted))
    }
}

impl Write for Device {
    fn write(&mut self, from: &[u8]) -> Result<usize, ErrorKind> {
        black_box(from);
        black_box(Ok(any()))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        black_box(Err(ErrorKind::Other))
    }
}

fn read<R: Read>(reader: &mut R) {
    if let Err(error) = reader.read(any_bytes()) {
        black_box(error.kind());
    }
    if let Err(ReadExactError::Other(error)) = reader.read_exact(any_bytes()) {
        black_box(error.kind());
    }
}

fn write<W: Write>(writer: &mut W) {
    if let Err(error) = writer.write(any_bytes()) {
        black_box(error.kind());
    }
    black_box(writer.write_all(any_bytes()).is_err());
    black_box(writer.flush().is_err());
}

fn any_seek() -> embedded_io::SeekFrom {
    match any() {
        0 => embedded_io::SeekFrom::Start(any() as u64),
        1 => embedded_io::SeekFrom::End(any() as i64),
        _ => embedded_io::SeekFrom::Current(any() as i64),
    }
}

fn objects<H: Host>(from: &mut IovIter<'_, Source, H>, to: &mut IovIter<'_, Dest, H>) {
    black_box(from.read_obj::<[u32; 9]>().is_err());
    black_box(to.write_obj(&black_box([1_u32, 2, 3])).is_err());
    black_box(to.write_obj(any_list::<u16>()).is_err());
}

fn reading_file<C: ReadChannel>(file: &mut FileReader<C>) {
    read(file);
    black_box(BufRead::fill_buf(file).is_err());
    BufRead::consume(file, any());
    black_box(Seek::seek(file, any_seek()).is_err());
}

fn writing_file<C: WriteChannel>(file: &mut FileWriter<'_, C>) {
    write(file);
    black_box(Seek::seek(file, any_seek()).is_err());
}

pub fn every_operation() {
    every_kind(|iter| read(iter));
    every_kind(|iter| write(iter));
    every_kind(|from| every_kind(|to| objects(from, to)));

    let mut iter = IovIter::<Source>::from(any_list::<KVec<Source>>());
    black_box((Buf::remaining(&iter), Buf::chunk(&iter)));
    Buf::advance(&mut iter, any());
    // SAFETY: the program is linked and never run.
    let mut segments = [unsafe { KVec::<Dest>::from_raw_parts(any_bytes().as_mut_ptr(), any()) }];
    let mut space = SpaceMut::new(&mut segments);
    black_box((space.remaining_mut(), space.chunk_mut().len()));
    // SAFETY: as above.
    unsafe { space.advance_mut(any()) };
    let _ = black_box(write!(Text, "{space:?}"));

    let mut channel = black_box(EmbeddedChannel::new(Device));
    black_box(channel.get_mut());
    black_box(channel.get_ref());
    black_box(channel.read(any_bytes()).is_err());
    black_box(channel.write(any_list()).is_err());
    black_box(channel.write_exclusive(any_list()).is_err());
    black_box(channel.into_inner());
    black_box((SeekFrom::from(any_seek()), ChannelError::from(black_box(ErrorKind::Other))));
    if let Ok(mut file) = FileReader::new(Anything) {
        reading_file(&mut file);
    }
    if let Ok(mut file) = FileWriter::new(Anything) {
        writing_file(&mut file);
    }
}
