//! Where the elements of a stream go after they were read.

use iov_iter::file::{Error, FileReader, FileWriter, ReadChannel, WriteChannel};

use crate::configuration::Configuration;
use crate::ram::Block;
use crate::report::DeviceSection;
use crate::{Failure, Stopped};

/// Where a page of the guest's memory is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which block of the list.
    pub block: usize,
    /// Bytes from the start of the block.
    pub offset: u64,
    /// The length of the page.
    pub len: usize,
}

/// How the contents of a page are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// What has changed since the page was sent the last time.
    Xbzrle,
    /// Compressed by zlib.
    Deflate,
}

/// Takes the elements of a stream, in order.
///
/// The first methods take elements that repeat the stream byte for byte; the others say what these bytes
/// mean, or hand over what is elsewhere. Each may be left out: the element is then read and forgotten.
pub trait Output {
    /// Whether it takes pages by [`page`](Self::page). If not, those that are in a file need not be read.
    const TAKES_PAGES: bool = true;

    /// Takes one byte.
    fn byte(&mut self, value: u8) -> Result<(), Error> {
        let _ = value;
        Ok(())
    }

    /// Takes 16 bits.
    fn be16(&mut self, value: u16) -> Result<(), Error> {
        let _ = value;
        Ok(())
    }

    /// Takes 32 bits.
    fn be32(&mut self, value: u32) -> Result<(), Error> {
        let _ = value;
        Ok(())
    }

    /// Takes 64 bits.
    fn be64(&mut self, value: u64) -> Result<(), Error> {
        let _ = value;
        Ok(())
    }

    /// Takes a counted string.
    fn string(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let _ = bytes;
        Ok(())
    }

    /// Takes bytes that were got.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let _ = bytes;
        Ok(())
    }

    /// Takes the next `len` bytes of `reader`.
    fn pass<R: ReadChannel>(&mut self, reader: &mut FileReader<R>, len: u64) -> Result<(), Error> {
        reader.skip(len)
    }

    /// Takes the contents of a page, which `reader` gives next.
    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
    ) -> Result<(), Stopped> {
        Ok(self.pass(reader, place.len as u64)?)
    }

    /// Takes the encoded contents of a page, the next `len` bytes of `reader`.
    fn encoded<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
        how: Encoding,
        len: usize,
    ) -> Result<(), Stopped> {
        let (_, _) = (place, how);
        Ok(self.pass(reader, len as u64)?)
    }

    /// Takes the payload of a device, the next `len` bytes of `reader`.
    fn device<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        section: &DeviceSection,
        len: u64,
    ) -> Result<(), Stopped> {
        let _ = section;
        Ok(self.pass(reader, len)?)
    }

    /// Takes the text of the description, the next `len` bytes of `reader`.
    fn description<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        len: u64,
    ) -> Result<(), Stopped> {
        Ok(self.pass(reader, len)?)
    }

    /// A configuration begins.
    fn begin_configuration(&mut self) -> Result<(), Stopped> {
        Ok(())
    }

    /// The configuration has ended. There is one in every stream; it may be empty.
    fn end_configuration(&mut self, configuration: Option<&Configuration>) -> Result<(), Stopped> {
        let _ = configuration;
        Ok(())
    }

    /// A list of blocks begins, or records of pages.
    fn begin_records(&mut self) -> Result<(), Stopped> {
        Ok(())
    }

    /// The list of blocks has ended.
    fn blocks(&mut self, blocks: &[Block], page_size: Option<u64>) -> Result<(), Stopped> {
        let (_, _) = (blocks, page_size);
        Ok(())
    }

    /// The records of this section have ended.
    fn end_records(&mut self) -> Result<(), Stopped> {
        Ok(())
    }

    /// All bytes of a page are `fill`.
    fn filled(&mut self, place: Place, fill: u8) -> Result<(), Stopped> {
        let (_, _) = (place, fill);
        Ok(())
    }

    /// Takes the contents of a page that are in no element of the stream.
    fn contents(&mut self, place: Place, bytes: &[u8]) -> Result<(), Stopped> {
        let (_, _) = (place, bytes);
        Ok(())
    }

    /// Takes all pages of block `index`, which are where it says in the file of `reader`.
    fn mapped<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        index: usize,
        block: &Block,
    ) -> Result<(), Stopped> {
        let (_, _, _) = (reader, index, block);
        Ok(())
    }
}

/// Forgets everything.
#[derive(Debug)]
pub struct Discard;

impl Output for Discard {
    const TAKES_PAGES: bool = false;
}

/// Writes the stream again, the pages without copying them.
#[derive(Debug)]
pub struct Copier<W: WriteChannel> {
    pub(crate) writer: FileWriter<'static, W>,
    /// The page being read. When it is full the writer takes it, and gives one back that it has
    /// sent.
    page: Vec<u8>,
}

impl<W: WriteChannel> Copier<W> {
    /// Writes to `channel`.
    pub fn new(channel: W) -> Result<Self, Error> {
        Ok(Self { writer: FileWriter::new(channel)?, page: Vec::new() })
    }

    /// Sends what is pending and closes the channel.
    pub fn close(self) -> Result<(), Error> {
        self.writer.close()
    }

    /// Closes the channel without sending what is pending.
    pub fn abandon(mut self) {
        self.writer.discard_unsent();
        // The copy has failed already; this failure adds nothing.
        let _ = self.writer.close();
    }
}

impl<W: WriteChannel> Output for Copier<W> {
    fn byte(&mut self, value: u8) -> Result<(), Error> {
        self.writer.put_byte(value)
    }

    fn be16(&mut self, value: u16) -> Result<(), Error> {
        self.writer.put_be16(value)
    }

    fn be32(&mut self, value: u32) -> Result<(), Error> {
        self.writer.put_be32(value)
    }

    fn be64(&mut self, value: u64) -> Result<(), Error> {
        self.writer.put_be64(value)
    }

    fn string(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.writer.put_counted_string(bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.writer.put_buffer(bytes)
    }

    fn pass<R: ReadChannel>(&mut self, reader: &mut FileReader<R>, len: u64) -> Result<(), Error> {
        self.writer.put_from(reader, len)
    }

    fn mapped<R: ReadChannel>(
        &mut self,
        _: &mut FileReader<R>,
        _: usize,
        _: &Block,
    ) -> Result<(), Stopped> {
        Err(Failure::Output("memory that is mapped cannot be copied element by element".into()))?
    }

    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
    ) -> Result<(), Stopped> {
        self.page.resize(place.len, 0);
        let before = reader.position();
        if let Err(error) = reader.get_exact(&mut self.page) {
            // A part of a long page may have been got. It must not be lost.
            let got = reader.position().saturating_sub(before);
            self.page.truncate(usize::try_from(got).unwrap_or_default());
            self.writer.put_owned(&mut self.page)?;
            return Err(error.into());
        }
        Ok(self.writer.put_owned(&mut self.page)?)
    }
}
