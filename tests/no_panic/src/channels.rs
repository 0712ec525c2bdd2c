//! Every channel, what the traits of `file` provide, and errors of files.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::error::Error as _;
use core::fmt::Write as _;
use core::hint::black_box;
use core::str::FromStr as _;

use iov_iter::file::{
    BufferChannel, Channel, ChannelError, Error, FileReader, FileWriter, LoadHooks, Mode,
    RamControl, RamPage, ReadChannel, Ready, Region, SaveHooks, Scratch, SeekFrom, SizedBuffer,
    WriteChannel,
};
use iov_iter::{KVec, Piece, Source};

use crate::segments::{Text, default};
use crate::{any, any_bytes, any_list, files::Anything};

/// A channel, and hooks, that implement only what the traits ask for.
struct Plain;

impl Channel for Plain {}

impl ReadChannel for Plain {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ChannelError> {
        Ok(any())
    }
}

impl WriteChannel for Plain {
    fn write(&mut self, _: &[Piece<'_, Source>]) -> Result<usize, ChannelError> {
        Ok(any())
    }
}

impl<'buf, C: WriteChannel> SaveHooks<'buf, C> for Plain {}
impl<C: ReadChannel> LoadHooks<C> for Plain {}

fn any_seek() -> SeekFrom {
    match any() {
        0 => SeekFrom::Start(any() as u64),
        1 => SeekFrom::End(any() as i64),
        _ => SeekFrom::Current(any() as i64),
    }
}

fn channel<C: Channel>(mut channel: C) {
    black_box(channel.features());
    black_box(channel.wait(Ready::Read).is_err());
    black_box(channel.set_blocking(any() == 0).is_err());
    black_box(channel.shutdown().is_err());
    black_box(channel.seek(any_seek()).is_err());
    black_box(channel.close().is_err());
    channel.abandoned(any() as u64);
}

fn read<C: ReadChannel>(mut from: C) {
    black_box(from.read(any_bytes()).is_err());
    black_box(from.read_pieces(any_list()).is_err());
    black_box(from.read_at(any_list(), any() as u64).is_err());
    channel(from);
}

fn write<C: WriteChannel>(mut to: C) {
    black_box(to.write(any_list()).is_err());
    black_box(to.write_exclusive(any_list()).is_err());
    black_box(to.write_at(any_list(), any() as u64).is_err());
    channel(to);
}

fn hooks<'buf, C: ReadChannel + WriteChannel>(
    writer: &mut FileWriter<'buf, C>,
    reader: &mut FileReader<C>,
) {
    let page = RamPage { block: any() as u64, offset: any() as u64, len: any() as u64 };
    black_box(SaveHooks::before_iterate(&mut Plain, writer, RamControl::Setup).is_err());
    black_box(SaveHooks::after_iterate(&mut Plain, writer, RamControl::Round).is_err());
    black_box(SaveHooks::save_page(&mut Plain, writer, page).is_err());
    black_box(LoadHooks::load(&mut Plain, reader, RamControl::Finish).is_err());
    black_box(writer.before_iterate(&mut Plain, RamControl::Setup).is_err());
    black_box(writer.after_iterate(&mut Plain, RamControl::Round).is_err());
    black_box(writer.save_page(&mut Plain, page).is_err());
}

fn errors(error: Error, of_channel: ChannelError) {
    black_box((error.errno(), error.is_sticky(), of_channel.errno()));
    black_box(error.source().is_some());
    let _ = black_box(write!(Text, "{error}{of_channel}"));
}

pub fn every_operation() {
    read(Plain);
    write(Plain);
    read(&mut Anything);
    write(&mut Anything);
    if any() == 0 {
        // SAFETY: the program is linked and never run.
        let boxed = || unsafe { Box::from_raw(black_box(core::ptr::null_mut::<Anything>())) };
        read(boxed());
        write(boxed());
    }
    read(&*any_bytes());
    write(Vec::new());
    write(Scratch);
    read(BufferChannel::new(default::<SizedBuffer>()));
    let mut buffer = BufferChannel::new(SizedBuffer::new());
    black_box((buffer.buffer().len(), buffer.buffer_mut().capacity()));
    let _ = black_box(write!(Text, "{buffer:?}"));
    black_box(buffer.into_buffer().len());
    write(BufferChannel::new(SizedBuffer::new()));
    if let (Ok(mut writer), Ok(mut reader)) = (FileWriter::new(Anything), FileReader::new(Anything))
    {
        hooks(&mut writer, &mut reader);
    }
    let region = match any() {
        0 => Region::new(&*any_bytes()),
        _ => Region::shared(KVec::from(&*any_bytes())),
    };
    black_box((region.len(), region.is_empty()));
    let _ = black_box(write!(Text, "{region:?}"));
    if let Ok(name) = core::str::from_utf8(any_bytes()) {
        black_box(Mode::from_str(name).is_ok());
    }
    black_box(any_seek().resolve(any() as u64, any() as u64));
    for (error, of_channel) in any_list::<(Error, ChannelError)>() {
        errors(*error, *of_channel);
    }
}
