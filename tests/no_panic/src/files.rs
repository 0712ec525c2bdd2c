//! Every operation on buffered files, over an allocator that may refuse anything.

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::error::Error as _;
use core::fmt::Write as _;
use core::hint::black_box;
use core::ptr;

use iov_iter::file::{
    BufferChannel, Channel, ChannelError, Compress, Decompress, Duplex, Error, FileReader,
    FileWriter, NoHooks, RamControl, ReadChannel, Ready, Region, Release, Scratch, SeekFrom,
    SizedBuffer, WriteChannel,
};
use iov_iter::segment::as_pieces;
use iov_iter::{Dest, IovIter, KVec, Piece, Source};

use crate::segments::Text;
use crate::{any, any_bytes, any_list};

/// An allocator whose answers nobody can guess. Where running out of memory would panic or abort,
/// the program does not link.
struct Allocator;

// SAFETY: the program is linked and never run.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        black_box((ptr::null_mut(), layout)).0
    }

    unsafe fn dealloc(&self, pointer: *mut u8, _: Layout) {
        black_box(pointer);
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// A channel, and an owner of memory, whose answers nobody can guess.
pub struct Anything;

fn any_answer() -> Result<usize, ChannelError> {
    match any() {
        0 => Err(ChannelError::WouldBlock),
        1 => Err(ChannelError::Os(1)),
        moved => Ok(moved),
    }
}

impl Channel for Anything {
    fn wait(&mut self, _: Ready) -> Result<(), ChannelError> {
        any_answer().map(drop)
    }

    fn seek(&mut self, _: SeekFrom) -> Result<u64, ChannelError> {
        any_answer().map(|position| position as u64)
    }
}

impl ReadChannel for Anything {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        black_box(into);
        any_answer()
    }

    fn read_pieces(&mut self, into: &[Piece<'_, Dest>]) -> Result<usize, ChannelError> {
        black_box(into.len());
        match any() {
            0 => Err(ChannelError::Unsupported),
            _ => any_answer(),
        }
    }

    fn read_at(&mut self, into: &[Piece<'_, Dest>], _: u64) -> Result<usize, ChannelError> {
        self.read_pieces(into)
    }
}

impl WriteChannel for Anything {
    fn write(&mut self, from: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        black_box(from.len());
        any_answer()
    }

    fn write_at(&mut self, from: &[Piece<'_, Source>], _: u64) -> Result<usize, ChannelError> {
        self.write(from)
    }
}

impl Duplex for Anything {
    fn try_clone(&self) -> Result<Self, ChannelError> {
        any_answer().map(|_| Anything)
    }
}

impl Compress for Anything {
    fn bound(&self, len: usize) -> Option<usize> {
        black_box(Some(len))
    }

    fn compress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize> {
        black_box((from, into));
        black_box(Some(any()))
    }
}

impl Decompress for Anything {
    fn decompress(&mut self, from: &[u8], into: &mut [u8]) -> Option<usize> {
        black_box((from, into));
        black_box(Some(any()))
    }
}

impl Release for Anything {
    fn release(&self, range: core::ops::Range<usize>) {
        black_box(range);
    }
}

pub fn every_operation() {
    black_box(write().is_err());
    black_box(read().is_err());
    black_box(keep().is_err());
    black_box(grow().is_err());
}

fn write() -> Result<(), Error> {
    static RELEASE: Anything = Anything;
    let bytes = &*any_bytes();
    let region = Region::with_release(bytes, &RELEASE);
    let mut writer = FileWriter::new(Anything)?;
    let rate = writer.rate_mut();
    rate.set_limit(any() as u64);
    rate.account(any() as u64);
    rate.reset();
    black_box((rate.limit(), rate.used(), rate.is_exceeded(), writer.rate().used()));
    writer.put_byte(any() as u8)?;
    put_integers(&mut writer)?;
    writer.put_compressed(&mut Anything, bytes)?;
    writer.put_compressed_flushing(&mut Anything, bytes)?;
    writer.put_buffer(bytes)?;
    writer.put_piece(Piece::from(bytes))?;
    writer.put_borrowed(bytes)?;
    writer.put_region(&region, any()..any())?;
    writer.put_region_and_release(&region, any()..any())?;
    let shared = Region::shared_with_release(KVec::from(bytes), &RELEASE);
    writer.put_region_and_release(&shared, any()..any())?;
    // SAFETY: the program is linked and never run.
    unsafe { writer.put_raw(Piece::from(bytes), Some(&RELEASE))? };
    let segments = [KVec::from(bytes)];
    black_box(writer.put_iter(&mut IovIter::<Source>::from(&segments[..]), any())?);
    writer.put_counted_string(bytes)?;
    writer.put_owned(&mut Vec::new())?;
    writer.put_buffer_at(bytes, any() as u64)?;
    writer.put_segments_at(any_list::<KVec<'_, Source>>(), any() as u64)?;
    black_box(writer.write_str("text").is_err());
    writer.seek(SeekFrom::Start(any() as u64))?;
    let mut scratch = FileWriter::new(Scratch)?;
    scratch.put_buffer(bytes)?;
    writer.put_file(&mut scratch)?;
    writer.credit(any() as u64)?;
    writer.set_blocking(any() == 0)?;
    writer.shutdown()?;
    writer.stopper()?.stop()?;
    let control = writer.control()?.try_clone()?;
    control.stop();
    control.set_rate_limit(any() as u64);
    black_box((control.set_error(Error::Stopped), control.error(), control.is_failed()));
    let _ = black_box(write!(Text, "{control:?}"));
    black_box(writer.stopper()?.control().error());
    FileReader::new(writer.return_channel()?)?.close()?;
    black_box((writer.is_seekable(), writer.error(), writer.channel()));
    black_box(writer.offset()?);
    black_box((writer.is_flushed(), writer.flushed(), writer.transferred()));
    black_box(writer.channel_mut());
    black_box(writer.flushed_channel()?);
    black_box(writer.flush_and_tell()?);
    let mut linear = FileWriter::linear(Anything)?;
    linear.put_region(&shared, any()..any())?;
    linear.close()?;
    black_box((writer.tell(), writer.pending(), writer.entries(), writer.is_rate_exceeded()));
    black_box(writer.unsent().next());
    black_box(writer.set_error(Error::Compress));
    writer.flush()?;
    writer.discard_unsent();
    match writer.into_inner() {
        Ok(channel) => FileWriter::new(channel)?.close(),
        Err(failed) if any() == 0 => {
            let _ = black_box(write!(Text, "{failed}"));
            black_box(failed.source().is_some());
            Err(failed.error())
        }
        Err(failed) if any() == 0 => Err(Error::from(failed)),
        Err(failed) => failed.into_inner().close(),
    }
}

fn put_integers(writer: &mut FileWriter<'_, Anything>) -> Result<(), Error> {
    writer.put_be16(any() as u16)?;
    writer.put_be32(any() as u32)?;
    writer.put_be64(any() as u64)?;
    writer.put_sbe16(any() as i16)?;
    writer.put_sbe32(any() as i32)?;
    writer.put_sbe64(any() as i64)?;
    writer.put_le16(any() as u16)?;
    writer.put_le32(any() as u32)?;
    writer.put_le64(any() as u64)?;
    writer.put_sle16(any() as i16)?;
    writer.put_sle32(any() as i32)?;
    writer.put_sle64(any() as i64)?;
    writer.put_sbyte(any() as i8)?;
    Ok(())
}

fn get_integers(reader: &mut FileReader<Anything>) -> Result<(), Error> {
    black_box(reader.get_be16()?);
    black_box(reader.get_be32()?);
    black_box(reader.get_be64()?);
    black_box(reader.get_sbe16()?);
    black_box(reader.get_sbe32()?);
    black_box(reader.get_sbe64()?);
    black_box(reader.get_le16()?);
    black_box(reader.get_le32()?);
    black_box(reader.get_le64()?);
    black_box(reader.get_sle16()?);
    black_box(reader.get_sle32()?);
    black_box(reader.get_sle64()?);
    black_box(reader.get_sbyte()?);
    Ok(())
}

fn read() -> Result<(), Error> {
    let mut reader = FileReader::new(Anything)?;
    black_box((reader.get_byte()?, reader.get_array::<9>()?));
    get_integers(&mut reader)?;
    black_box(reader.get_compressed(&mut Anything, any_bytes())?);
    reader.set_blocking(any() == 0)?;
    reader.shutdown()?;
    reader.stopper()?.stop()?;
    black_box(reader.control()?.error());
    FileWriter::new(reader.return_channel()?)?.close()?;
    black_box((reader.is_seekable(), reader.error(), reader.channel()));
    black_box(reader.offset()?);
    black_box(reader.channel_mut());
    black_box(reader.set_error(Error::Decompress));
    black_box(reader.get_buffer(any_bytes())?);
    black_box(reader.get_segments(&[KVec::from(any_bytes())])?);
    black_box(reader.get_piece(Piece::from(any_bytes()))?);
    let segments = [KVec::from(any_bytes())];
    black_box(reader.get_iter(&mut IovIter::<Dest>::from(&segments[..]), any())?);
    reader.get_exact(any_bytes())?;
    black_box(reader.get_slice(any())?);
    black_box(reader.get_buffer_in_place(any_bytes())?);
    black_box(reader.get_counted_string()?);
    black_box(reader.peek(any(), any())?);
    black_box((reader.peek_byte(any())?, reader.is_at_end()?));
    reader.skip(any() as u64)?;
    reader.skip_buffered(any())?;
    reader.load_hook(&mut NoHooks, RamControl::Hook)?;
    reader.seek(SeekFrom::Current(any() as i64))?;
    reader.get_buffer_at(any_bytes(), any() as u64)?;
    reader.get_segments_at(any_list::<KVec<'_, Dest>>(), any() as u64)?;
    black_box(reader.get_exact_or_end(any_bytes())?);
    black_box(reader.get_segments_or_end(any_list::<KVec<'_, Dest>>())?);
    reader.copy_to(&mut Anything, any() as u64)?;
    let mut writer = FileWriter::new(Anything)?;
    writer.put_from(&mut reader, any() as u64)?;
    black_box((reader.position(), reader.fetched(), reader.buffered()));
    writer.close()?;
    match any() {
        0 => reader.close(),
        _ => FileReader::new(reader.into_inner())?.close(),
    }
}

fn keep() -> Result<(), ChannelError> {
    let mut buffer = SizedBuffer::with_limit(any());
    buffer.set_limit(any());
    black_box((buffer.limit(), buffer.is_empty(), buffer.capacity()));
    black_box((buffer.slices().next(), buffer.slices_from(any()).next()));
    black_box(SizedBuffer::from_slice(any_bytes())?.len());
    buffer.append(any_bytes())?;
    buffer.write_at(any(), any_bytes())?;
    buffer.write_piece_at(any(), Piece::from(&*any_bytes()))?;
    black_box(buffer.read_piece_at(any(), Piece::from(any_bytes())));
    buffer.set_len(any())?;
    buffer.try_reserve(any())?;
    black_box((buffer.read_at(any(), any_bytes()), buffer.try_clone()?.len()));
    buffer.shrink_to_fit();
    let mut channel = BufferChannel::new(buffer);
    let segments = [KVec::from(&*any_bytes())];
    channel.write_exclusive(&segments)?;
    channel.write(as_pieces(&segments))?;
    let mut bytes = Vec::new();
    bytes.write(as_pieces(&segments))?;
    channel.seek(SeekFrom::End(any() as i64))?;
    channel.read(any_bytes())?;
    Ok(())
}

/// Lists that grow on the heap.
fn grow() -> Result<(), iov_iter::Error> {
    let segments = [KVec::from(&*any_bytes())];
    let mut iter = IovIter::<Source>::from(&segments[..]);
    iter.copy_from_iter_vec(&mut Vec::new(), any())?;
    iter.extract_pages(any(), any(), &mut Vec::new())?;
    let segments = [KVec::from(any_bytes())];
    IovIter::<Dest>::from(&segments[..]).extract_to_scatter_list(any(), any(), &mut Vec::new())?;
    let mut sent = Vec::new();
    black_box(FileWriter::new(&mut sent).and_then(FileWriter::close).is_err());
    Ok(())
}
