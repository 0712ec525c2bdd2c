//! The stream being read: element by element, each repeated into the output.

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Seek};
use std::rc::Rc;

use iov_iter::file::{
    BUFFER_SIZE, Channel, ChannelError, Error, Features, FileReader, ReadChannel, SeekFrom,
};
use iov_iter::{Dest, Piece};

use crate::description::Tail;
use crate::mapped::Mapped;
use crate::output::{Encoding, Output, Place};
use crate::ram::Block;
use crate::report::DeviceSection;
use crate::{Failure, Stopped};

/// The most bytes from the first device on that are kept in memory if the input has no end to look
/// at.
pub const REST_LIMIT: usize = 64 << 20;

/// For pages of so many bytes or more it is quicker to move in the file than to read them.
const FAR: u64 = 2048;
/// After such a move so many bytes are read first: records are short, and another move may follow.
const FEW: usize = 64;

/// A stream that is read, and repeated into an output.
pub struct Input<'a, O> {
    reader: FileReader<Source<'a>>,
    channel: Shared<'a>,
    /// What is added to the position of the reader to get that in the file, counted around.
    base: u64,
    tail: Option<Tail>,
    /// Where the file ends, if the channel can be read at other places.
    end: u64,
    /// What is being read, and where it began.
    element: (&'static str, u64),
    output: &'a mut O,
}

impl<'a, O: Output> Input<'a, O> {
    /// Reads a stream that begins at `start` of `channel`. If the channel can be read at other places
    /// its end is looked up first.
    pub fn new(
        mut channel: Box<dyn ReadChannel + 'a>,
        start: u64,
        output: &'a mut O,
    ) -> Result<Self, Failure> {
        let tail = if channel.features().contains(Features::SEEKABLE) {
            let tail = Tail::find(&mut At { channel: &mut channel, start }, start)?;
            channel.seek(SeekFrom::Start(start)).map_err(Failure::from_input)?;
            Some(tail)
        } else {
            None
        };
        let end = tail.as_ref().map_or(0, |tail| tail.length);
        let position = tail.is_some().then_some(start);
        let channel = Rc::new(RefCell::new(channel));
        let reader = Source::new(Vec::new(), &channel, position)?;
        Ok(Self { reader, channel, base: start, tail, end, element: ("header", start), output })
    }

    /// Bytes from the start of the file to the next one.
    pub fn position(&self) -> u64 {
        self.base.wrapping_add(self.reader.position())
    }

    /// Goes on reading at `to`; nothing that is repeated into the output tells so.
    pub fn jump(&mut self, to: u64) -> Result<(), Failure> {
        self.reader.seek(SeekFrom::Start(to)).map_err(Failure::from_file)?;
        self.base = to.wrapping_sub(self.reader.position());
        Ok(())
    }

    /// Fills `into` with the bytes at `offset`, which were found to be in the file.
    pub fn bytes_at(&mut self, into: &mut [u8], offset: u64) -> Result<(), Failure> {
        self.reader.get_buffer_at(into, offset).map_err(Failure::from_file)
    }

    /// Names the element that begins here, for messages; returns its offset.
    pub fn begin(&mut self, element: &'static str) -> u64 {
        self.begin_at(element, self.position())
    }

    /// Names the element that began at `offset`.
    pub fn begin_at(&mut self, element: &'static str, offset: u64) -> u64 {
        self.element = (element, offset);
        offset
    }

    /// What is known about the end of the stream.
    pub fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// Looks up the end of the stream, which is read up to it if necessary; `None` if it is too far.
    pub fn find_tail(&mut self) -> Result<Option<&Tail>, Failure> {
        if self.tail.is_none() {
            let base = self.position();
            let mut rest = Vec::new();
            let tail = match self.read_rest(&mut rest) {
                Ok(true) => Tail::find(&mut Cursor::new(&rest), base).map(Some),
                Ok(false) => Ok(None),
                Err(failure) => Err(failure),
            };
            // It is read again, also after a failure.
            if !rest.is_empty() {
                self.reader = Source::new(rest, &self.channel, None)?;
                self.base = base;
            }
            self.tail = tail?;
        }
        Ok(self.tail.as_ref())
    }

    /// Reads all that is left into `rest`, or as much as may be kept; whether that is all.
    fn read_rest(&mut self, rest: &mut Vec<u8>) -> Result<bool, Failure> {
        loop {
            // Room first: what is buffered then goes nowhere else.
            if rest.len() > REST_LIMIT || rest.try_reserve(BUFFER_SIZE).is_err() {
                return Ok(false);
            }
            let Some(chunk) = next_chunk(&mut self.reader)? else { return Ok(true) };
            let len = chunk.len();
            rest.extend_from_slice(chunk);
            self.reader.skip_buffered(len).map_err(Failure::from_file)?;
        }
    }

    /// The next byte, not consumed; `None` at the end of the stream.
    pub fn peek(&mut self) -> Result<Option<u8>, Failure> {
        self.reader.peek_byte(0).map_err(Failure::from_file)
    }

    /// The next `len` bytes, at most a buffer of the reader, not consumed; fewer at the end of the stream.
    pub fn look_ahead(&mut self, len: usize) -> Result<&[u8], Failure> {
        self.reader.peek(len, 0).map_err(Failure::from_file)
    }

    /// The bytes that are buffered, not consumed; and where they go.
    pub fn buffered(&mut self) -> Result<(&[u8], &mut O), Failure> {
        let len = self.reader.buffered();
        Ok((self.reader.peek(len, 0).map_err(Failure::from_file)?, self.output))
    }

    /// Passes `len` bytes that are buffered.
    pub fn pass_buffered(&mut self, len: usize) -> Result<(), Failure> {
        let bytes = self.reader.peek(len, 0).map_err(Failure::from_file)?;
        self.output.bytes(bytes).map_err(Failure::from_file)?;
        self.reader.skip_buffered(len).map_err(Failure::from_file)
    }

    /// Gets a byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Failure> {
        let value = self.reader.get_byte().map_err(|error| self.failure(error))?;
        self.output.byte(value).map_err(Failure::from_file)?;
        Ok(value)
    }

    /// Gets 16 bits.
    pub fn be16(&mut self) -> Result<u16, Failure> {
        let value = self.reader.get_be16().map_err(|error| self.failure(error))?;
        self.output.be16(value).map_err(Failure::from_file)?;
        Ok(value)
    }

    /// Gets 32 bits.
    pub fn be32(&mut self) -> Result<u32, Failure> {
        let value = self.reader.get_be32().map_err(|error| self.failure(error))?;
        self.output.be32(value).map_err(Failure::from_file)?;
        Ok(value)
    }

    /// Gets 64 bits.
    #[inline]
    pub fn be64(&mut self) -> Result<u64, Failure> {
        let value = self.reader.get_be64().map_err(|error| self.failure(error))?;
        self.output.be64(value).map_err(Failure::from_file)?;
        Ok(value)
    }

    /// Gets a counted string.
    pub fn string(&mut self) -> Result<Vec<u8>, Failure> {
        let text = self.reader.get_counted_string().map(<[u8]>::to_vec);
        let text = text.map_err(|error| self.failure(error))?;
        self.output.string(&text).map_err(Failure::from_file)?;
        Ok(text)
    }

    /// Gets a counted string that must not be empty.
    pub fn name(&mut self, whose: &str) -> Result<Vec<u8>, Failure> {
        let at = self.position();
        let name = self.string()?;
        if name.is_empty() {
            return Err(Failure::at(at, format!("empty name of a {whose}")));
        }
        Ok(name)
    }

    /// Gets `len` bytes, a few.
    pub fn bytes(&mut self, len: usize) -> Result<Vec<u8>, Failure> {
        let bytes = self.reader.get_slice(len).map(<[u8]>::to_vec);
        let bytes = bytes.map_err(|error| self.failure(error))?;
        self.output.bytes(&bytes).map_err(Failure::from_file)?;
        Ok(bytes)
    }

    /// Passes `len` bytes.
    pub fn pass(&mut self, len: u64) -> Result<(), Failure> {
        self.output.pass(&mut self.reader, len).map_err(|error| self.failure(error))
    }

    /// Passes the contents of a page.
    pub fn page(&mut self, place: Place) -> Result<(), Failure> {
        let len = place.len as u64;
        let to = self.position().saturating_add(len);
        // What is cut short is read up to its end.
        if !O::TAKES_PAGES && len >= FAR && len > self.reader.buffered() as u64 && to <= self.end {
            return self.jump(to);
        }
        self.output.page(&mut self.reader, place).map_err(|why| self.stopped(why))
    }

    /// Passes `len` bytes that encode a page.
    pub fn encoded(&mut self, place: Place, how: Encoding, len: usize) -> Result<(), Failure> {
        self.output.encoded(&mut self.reader, place, how, len).map_err(|why| self.stopped(why))
    }

    /// Passes the `len` bytes that are the payload of a device.
    pub fn device(&mut self, section: &DeviceSection, len: u64) -> Result<(), Failure> {
        self.output.device(&mut self.reader, section, len).map_err(|why| self.stopped(why))
    }

    /// Passes the `len` bytes that are the text of the description.
    pub fn description(&mut self, len: u64) -> Result<(), Failure> {
        self.output.description(&mut self.reader, len).map_err(|why| self.stopped(why))
    }

    /// How many pages the file has of a block.
    pub fn present(&mut self, mapped: &Mapped) -> Result<u64, Failure> {
        let mut bytes = 0_u64;
        let counted = mapped.for_each_run(&mut self.reader, |_, _, len| {
            bytes = bytes.saturating_add(len);
            Ok(())
        });
        counted.map_err(|why| self.stopped(why))?;
        Ok(bytes.checked_div(mapped.page_size).unwrap_or_default())
    }

    /// Passes a block whose pages are elsewhere in the file.
    pub fn mapped(&mut self, index: usize, block: &Block) -> Result<(), Failure> {
        self.output.mapped(&mut self.reader, index, block).map_err(|why| self.stopped(why))
    }

    /// Where everything goes.
    pub fn output(&mut self) -> &mut O {
        self.output
    }

    /// What it means that the output stopped.
    pub fn stopped(&self, why: Stopped) -> Failure {
        match why {
            Stopped::File(error) => self.failure(error),
            Stopped::Damaged(what) => Failure::at(self.element.1, what),
            Stopped::Failed(failure) => failure,
        }
    }

    /// Passes all that is left.
    pub fn pass_rest(&mut self) -> Result<(), Failure> {
        while let Some(chunk) = next_chunk(&mut self.reader)? {
            let len = chunk.len();
            self.output.bytes(chunk).map_err(Failure::from_file)?;
            self.reader.skip_buffered(len).map_err(Failure::from_file)?;
        }
        Ok(())
    }

    /// What it means that getting an element failed.
    fn failure(&self, error: Error) -> Failure {
        if error != Error::UnexpectedEof {
            return Failure::from_file(error);
        }
        let (element, start) = self.element;
        let end = self.base.wrapping_add(self.reader.fetched());
        Failure::at(end, format!("the file ends in the {element} that begins at {start:#x}"))
    }
}

/// The bytes that `reader` has buffered, at least one; `None` at the end. Works after an end that
/// came too early, too.
fn next_chunk<'r>(reader: &'r mut FileReader<Source<'_>>) -> Result<Option<&'r [u8]>, Failure> {
    if reader.is_at_end().map_err(Failure::from_file)? {
        return Ok(None);
    }
    reader.peek(reader.buffered(), 0).map(Some).map_err(Failure::from_file)
}

type Shared<'a> = Rc<RefCell<Box<dyn ReadChannel + 'a>>>;

/// Where the bytes come from: from memory those that a channel gave before, then from the channel.
struct Source<'a> {
    kept: Cursor<Vec<u8>>,
    channel: Shared<'a>,
    /// Where the next byte is in the channel, if that can be read at other places. Its own position then
    /// does not matter, and others may move it.
    position: Option<u64>,
    /// The most bytes that are read next.
    most: usize,
}

impl<'a> Source<'a> {
    /// A reader of `kept`, then of `channel`.
    fn new(
        kept: Vec<u8>,
        channel: &Shared<'a>,
        position: Option<u64>,
    ) -> Result<FileReader<Self>, Failure> {
        let kept = Cursor::new(kept);
        // A file with little in it is read as a long one.
        let most = if position.is_some() { FEW } else { BUFFER_SIZE };
        let source = Self { kept, channel: channel.clone(), position, most };
        FileReader::new(source).map_err(Failure::from_file)
    }
}

impl Channel for Source<'_> {
    fn features(&self) -> Features {
        self.channel.borrow().features()
    }

    fn seek(&mut self, to: SeekFrom) -> Result<u64, ChannelError> {
        self.kept = Cursor::default();
        self.most = FEW;
        if let (SeekFrom::Start(to), Some(position)) = (to, &mut self.position) {
            *position = to;
            return Ok(to);
        }
        self.channel.borrow_mut().seek(to)
    }
}

impl ReadChannel for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let got = std::io::Read::read(&mut self.kept, into);
        match got.map_err(|error| ChannelError::from(&error))? {
            // An empty `into` is not asked for.
            0 => {
                let len = into.len().min(self.most);
                self.most = self.most.saturating_mul(2).min(BUFFER_SIZE);
                let into = into.get_mut(..len).unwrap_or_default();
                let mut channel = self.channel.borrow_mut();
                let Some(position) = &mut self.position else { return channel.read(into) };
                let got = match channel.read_at(&[Piece::from(&mut *into)], *position) {
                    // As of the files of some systems.
                    Err(ChannelError::Unsupported) => {
                        channel.seek(SeekFrom::Start(*position))?;
                        channel.read(into)?
                    }
                    answer => answer?,
                };
                *position = position.saturating_add(got as u64);
                Ok(got)
            }
            got => Ok(got),
        }
    }
    fn read_at(&mut self, into: &[Piece<'_, Dest>], position: u64) -> Result<usize, ChannelError> {
        self.channel.borrow_mut().read_at(into, position)
    }
}

/// A channel from `start` on, for the traits of the standard library.
struct At<'c, 'a> {
    channel: &'c mut Box<dyn ReadChannel + 'a>,
    start: u64,
}

impl Read for At<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.channel.read(into).map_err(|error| io::Error::from_raw_os_error(error.errno()))
    }
}

impl Seek for At<'_, '_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let to = match to {
            io::SeekFrom::Start(to) => SeekFrom::Start(self.start.saturating_add(to)),
            io::SeekFrom::Current(by) => SeekFrom::Current(by),
            io::SeekFrom::End(by) => SeekFrom::End(by),
        };
        let position = self.channel.seek(to);
        let position = position.map_err(|error| io::Error::from_raw_os_error(error.errno()))?;
        // What begins after the end has no bytes.
        Ok(position.saturating_sub(self.start))
    }
}
