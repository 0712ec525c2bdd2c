//! The stream being read: element by element, each repeated into the output.

use std::io::Cursor;

use iov_iter::file::{Channel, ChannelError, Error, FileReader, ReadChannel};

use super::{Failure, Output, Tail};

/// The most bytes behind the RAM part that are kept in memory if the input has no end to look at.
const REST_LIMIT: usize = 64 << 20;

/// A stream that is read, and repeated into an output.
#[derive(Debug)]
pub struct Input<'a, O> {
    reader: FileReader<Source<'a>>,
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
        let reader = FileReader::new(Source::Channel(channel)).map_err(Failure::from_file)?;
        Ok(Self { reader, base: 0, tail, element: ("header", 0), output })
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

    /// Sees to it that the end of the stream is known: reads up to it if necessary.
    pub fn find_tail(&mut self) -> Result<&Tail, Failure> {
        if self.tail.is_none() {
            let base = self.position();
            let rest = self.read_rest()?;
            self.tail = Some(Tail::find(&mut Cursor::new(&rest), base)?);
            let kept = Source::Kept(Cursor::new(rest));
            self.reader = FileReader::new(kept).map_err(Failure::from_file)?;
            self.base = base;
        }
        self.tail.as_ref().ok_or_else(|| Failure::Input("the end was not found".into()))
    }

    fn read_rest(&mut self) -> Result<Vec<u8>, Failure> {
        let mut rest = Vec::new();
        loop {
            // Fills the buffer as far as the channel gives something at once.
            let end = self.reader.is_at_end().map_err(Failure::from_file)?;
            if end {
                return Ok(rest);
            }
            let chunk = self.reader.get_slice(self.reader.buffered());
            let chunk = chunk.map_err(Failure::from_file)?;
            if rest.len().saturating_add(chunk.len()) > REST_LIMIT {
                return Err(Failure::Input(format!(
                    "more than {REST_LIMIT} bytes behind the RAM part of a pipe"
                )));
            }
            rest.try_reserve(chunk.len()).map_err(|error| Failure::Input(error.to_string()))?;
            rest.extend_from_slice(chunk);
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
        while self.peek()?.is_some() {
            self.pass(self.reader.buffered() as u64)?;
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

/// Where the bytes come from.
enum Source<'a> {
    /// From outside.
    Channel(Box<dyn ReadChannel + 'a>),
    /// From memory: what a channel gave, up to its end.
    Kept(Cursor<Vec<u8>>),
}

impl Channel for Source<'_> {}

impl ReadChannel for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ChannelError> {
        match self {
            Self::Channel(channel) => channel.read(into),
            Self::Kept(bytes) => {
                std::io::Read::read(bytes, into).map_err(|error| ChannelError::from(&error))
            }
        }
    }
}
