//! The stream being read: element by element, each repeated into the output.

use std::cell::RefCell;
use std::io::Cursor;
use std::rc::Rc;

use iov_iter::file::{BUFFER_SIZE, Channel, ChannelError, Error, FileReader, ReadChannel};

use crate::{Failure, Output, Tail};

/// The most bytes from the first device on that are kept in memory if the input has no end to look
/// at.
pub const REST_LIMIT: usize = 64 << 20;

/// A stream that is read, and repeated into an output.
pub struct Input<'a, O> {
    reader: FileReader<Source<'a>>,
    channel: Shared<'a>,
    /// Where the reader began, in bytes from the start of the stream.
    base: u64,
    tail: Option<Tail>,
    /// What is being read, and where it began.
    element: (&'static str, u64),
    output: &'a mut O,
}

impl<'a, O: Output> Input<'a, O> {
    /// Reads a stream whose `tail` may be known.
    pub fn new(
        channel: Box<dyn ReadChannel + 'a>,
        tail: Option<Tail>,
        output: &'a mut O,
    ) -> Result<Self, Failure> {
        let channel = Rc::new(RefCell::new(channel));
        let reader = Source::new(Vec::new(), &channel)?;
        Ok(Self { reader, channel, base: 0, tail, element: ("header", 0), output })
    }

    /// Bytes from the start of the stream to the next one.
    pub fn position(&self) -> u64 {
        self.base.saturating_add(self.reader.position())
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
                self.reader = Source::new(rest, &self.channel)?;
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

    /// Gets a byte.
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
    pub fn page(&mut self, len: usize) -> Result<(), Failure> {
        self.output.page(&mut self.reader, len).map_err(|error| self.failure(error))
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
        let end = self.base.saturating_add(self.reader.fetched());
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
}

impl<'a> Source<'a> {
    /// A reader of `kept`, then of `channel`.
    fn new(kept: Vec<u8>, channel: &Shared<'a>) -> Result<FileReader<Self>, Failure> {
        let kept = Cursor::new(kept);
        FileReader::new(Self { kept, channel: channel.clone() }).map_err(Failure::from_file)
    }
}

impl Channel for Source<'_> {}

impl ReadChannel for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        let got = std::io::Read::read(&mut self.kept, into);
        match got.map_err(|error| ChannelError::from(&error))? {
            // An empty `into` is not asked for.
            0 => self.channel.borrow_mut().read(into),
            got => Ok(got),
        }
    }
}
