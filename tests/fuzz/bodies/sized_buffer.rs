//! A growing buffer holds what a `Vec<u8>` holds, keeps to its limit, and moves no byte.

use arbitrary::{Arbitrary, Unstructured};
use iov_iter::KVec;
use iov_iter::file::{
    BufferChannel, Channel, ChannelError, ReadChannel, SeekFrom, SizedBuffer, WriteChannel,
};
use iov_iter::segment::as_pieces;

/// The size of a chunk of the buffer.
const CHUNK: usize = if cfg!(iov_iter_small_chunks) { 4 << 10 } else { 1 << 20 };
/// No buffer grows larger: a little into the third chunk.
const MOST: usize = if cfg!(miri) { 5000 } else { 2 * CHUNK + 1500 };
/// A buffer up to this length is compared as a whole after every operation.
const SHORT: usize = 10 << 10;

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Where, how many, and the first of the bytes.
    Write(Place, u16, u8),
    Append(u16, u8),
    Read(Place, u16),
    SetLen(Place),
    Reserve(Place),
    SetLimit(Place),
    Clone,
    Shrink,
    /// Through a channel, which has a place of its own.
    Seek(Place),
    SeekFromHere(i16),
    SeekFromEnd(i16),
    /// Two segments.
    ChannelWrite(u16, u16, u8),
    ChannelRead(u16),
}

/// A position or a length.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Near(u16),
    /// So far from the end, or from zero.
    End(i8),
    /// So far from where the second or the third chunk begins.
    Border(bool, i8),
    /// So far from the largest number.
    Last(u16),
}

fn bytes(len: u16, first: u8) -> Vec<u8> {
    let block: Vec<u8> = (0..=255).map(|at| first.wrapping_add(at) | 1).collect();
    let mut bytes = block.repeat(usize::from(len % 4096).div_ceil(block.len()));
    bytes.truncate(usize::from(len % 4096));
    bytes
}

struct Model {
    channel: BufferChannel,
    position: usize,
    bytes: Vec<u8>,
    limit: usize,
}

impl Model {
    fn place(&self, place: Place) -> usize {
        match place {
            Place::Near(at) => usize::from(at) % (20_000.min(MOST + 500)),
            Place::Border(third, more) => {
                let border = if third { 2 * CHUNK } else { CHUNK };
                border.saturating_add_signed(more.into())
            }
            Place::End(more) => self.bytes.len().saturating_add_signed(more.into()),
            Place::Last(less) => usize::MAX - usize::from(less),
        }
    }

    /// What writing must return; the model as it is then.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), ChannelError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = at.checked_add(bytes.len()).filter(|end| *end <= self.limit);
        let end = end.ok_or(ChannelError::LimitExceeded)?;
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[at..end].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&self, at: usize, len: u16) -> &[u8] {
        let rest = self.bytes.get(at..).unwrap_or_default();
        &rest[..rest.len().min(len.into())]
    }

    fn seek(&mut self, to: SeekFrom, from: usize, offset: i128) {
        let position = u64::try_from(from as i128 + offset).map_err(|_| ChannelError::Os(22));
        let expected = position.and_then(|position| {
            self.position = usize::try_from(position).map_err(|_| ChannelError::LimitExceeded)?;
            Ok(position)
        });
        assert_eq!(self.channel.seek(to), expected);
    }

    /// Where the first bytes lie, if there are any.
    fn first(&self) -> Option<*const u8> {
        self.channel.buffer().slices().next().map(<[u8]>::as_ptr)
    }

    fn apply(&mut self, op: Op) {
        let len = self.bytes.len();
        match op {
            Op::Write(place, count, first) => {
                let (at, bytes) = (self.place(place), bytes(count, first));
                let expected = self.write(at, &bytes);
                assert_eq!(self.channel.buffer_mut().write_at(at, &bytes), expected);
            }
            Op::Append(count, first) => {
                let bytes = bytes(count, first);
                let expected = self.write(len, &bytes);
                assert_eq!(self.channel.buffer_mut().append(&bytes), expected);
            }
            Op::Read(place, count) => {
                let count = count % 4096;
                let (at, mut into) = (self.place(place), vec![0; count.into()]);
                let got = self.channel.buffer().read_at(at, &mut into);
                assert!(into[..got] == *self.read(at, count));
                assert!(into[got..].iter().all(|byte| *byte == 0));
                let slices = self.channel.buffer().slices_from(at).take(3);
                let slices = slices.collect::<Vec<_>>().concat();
                assert!(self.bytes.get(at..).unwrap_or_default().starts_with(&slices));
            }
            Op::SetLen(place) => {
                let new = self.place(place);
                let result = self.channel.buffer_mut().set_len(new);
                if new > len && new > self.limit {
                    assert_eq!(result, Err(ChannelError::LimitExceeded));
                } else {
                    assert_eq!(result, Ok(()));
                    self.bytes.resize(new, 0);
                }
            }
            Op::Reserve(place) => {
                let most = self.place(place);
                let result = self.channel.buffer_mut().try_reserve(most);
                if most > self.limit {
                    assert_eq!(result, Err(ChannelError::LimitExceeded));
                } else {
                    assert_eq!(result, Ok(()));
                    assert!(self.channel.buffer().capacity() >= most);
                }
            }
            Op::SetLimit(place) => {
                self.limit = self.place(place).min(MOST);
                self.channel.buffer_mut().set_limit(self.limit);
            }
            Op::Clone => {
                let copy = self.channel.buffer().try_clone().unwrap();
                *self.channel.buffer_mut() = copy;
            }
            Op::Shrink => {
                self.channel.buffer_mut().shrink_to_fit();
                // The first chunk doubles.
                let most = (2 * len + 1024).min(len + CHUNK);
                let most = if len == 0 { 0 } else { most };
                assert!(self.channel.buffer().capacity() <= most);
            }
            Op::Seek(place) => {
                let to = self.place(place);
                self.seek(SeekFrom::Start(to as u64), to, 0);
            }
            Op::SeekFromHere(by) => {
                self.seek(SeekFrom::Current(by.into()), self.position, by.into());
            }
            Op::SeekFromEnd(by) => self.seek(SeekFrom::End(by.into()), len, by.into()),
            Op::ChannelWrite(one, other, first) => {
                let parts = [bytes(one, first), bytes(other, !first)];
                let all = parts.concat();
                if all.is_empty() {
                    return;
                }
                let expected = self.write(self.position, &all).map(|()| all.len());
                let segments = [&parts[0][..], &parts[1]].map(KVec::from);
                let written = match first % 2 {
                    0 => self.channel.write_exclusive(&segments),
                    _ => self.channel.write(as_pieces(&segments)),
                };
                assert_eq!(written, expected);
                self.position += expected.unwrap_or(0);
            }
            Op::ChannelRead(count) => {
                let count = count % 4096;
                let mut into = vec![0; count.into()];
                let got = ReadChannel::read(&mut self.channel, &mut into).unwrap();
                assert!(into[..got] == *self.read(self.position, count));
                self.position += got;
            }
        }
    }

    fn compare(&self) {
        let buffer = self.channel.buffer();
        let mut bytes = vec![0xee; self.bytes.len() + 1];
        assert_eq!(buffer.read_at(0, &mut bytes), self.bytes.len());
        assert_eq!(bytes.pop(), Some(0xee));
        assert!(bytes == self.bytes);
    }
}

/// The operations that an input means.
pub fn decode(input: &[u8]) -> Vec<Op> {
    Vec::arbitrary_take_rest(Unstructured::new(input)).unwrap_or_default()
}

pub fn check(input: &[u8]) {
    let channel = BufferChannel::new(SizedBuffer::with_limit(MOST));
    let mut model = Model { channel, position: 0, bytes: Vec::new(), limit: MOST };
    for op in decode(input).into_iter().take(30) {
        let (before, first) = (model.bytes.len(), model.first());
        // Below that the buffer grows as a vector does.
        let settled = model.channel.buffer().capacity() >= CHUNK;
        model.apply(op);
        let buffer = model.channel.buffer();
        assert_eq!(buffer.len(), model.bytes.len());
        assert_eq!(buffer.limit(), model.limit);
        assert!(buffer.capacity() >= buffer.len());
        let grown = settled && !matches!(op, Op::Clone | Op::Shrink);
        if grown && before > 0 && !model.bytes.is_empty() {
            assert_eq!(model.first(), first, "a byte was moved");
        }
        if model.bytes.len() <= SHORT {
            model.compare();
        }
    }
    model.compare();
}
