//! Where the elements of a stream go after they were read.

use iov_iter::file::{Error, FileReader, FileWriter, ReadChannel, WriteChannel};

/// Takes the elements of a stream, in order.
pub trait Output {
    /// Takes one byte.
    fn byte(&mut self, value: u8) -> Result<(), Error>;
    /// Takes 16 bits.
    fn be16(&mut self, value: u16) -> Result<(), Error>;
    /// Takes 32 bits.
    fn be32(&mut self, value: u32) -> Result<(), Error>;
    /// Takes 64 bits.
    fn be64(&mut self, value: u64) -> Result<(), Error>;
    /// Takes a counted string.
    fn string(&mut self, bytes: &[u8]) -> Result<(), Error>;
    /// Takes bytes that were got.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error>;
    /// Takes the next `len` bytes of `reader`.
    fn pass<R: ReadChannel>(&mut self, reader: &mut FileReader<R>, len: u64) -> Result<(), Error>;
    /// Takes the next `len` bytes of `reader`, the contents of a page.
    fn page<R: ReadChannel>(&mut self, reader: &mut FileReader<R>, len: usize)
    -> Result<(), Error>;
}

/// Forgets everything.
#[derive(Debug)]
pub struct Discard;

impl Output for Discard {
    fn byte(&mut self, _: u8) -> Result<(), Error> {
        Ok(())
    }

    fn be16(&mut self, _: u16) -> Result<(), Error> {
        Ok(())
    }

    fn be32(&mut self, _: u32) -> Result<(), Error> {
        Ok(())
    }

    fn be64(&mut self, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn string(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn pass<R: ReadChannel>(&mut self, reader: &mut FileReader<R>, len: u64) -> Result<(), Error> {
        reader.skip(len)
    }

    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        len: usize,
    ) -> Result<(), Error> {
        reader.skip(len as u64)
    }
}

/// Writes the stream again, the pages without copying them.
#[derive(Debug)]
pub struct Copier<W: WriteChannel> {
    writer: FileWriter<'static, W>,
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

    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        len: usize,
    ) -> Result<(), Error> {
        self.page.resize(len, 0);
        let before = reader.position();
        if let Err(error) = reader.get_exact(&mut self.page) {
            // A part of a long page may have been got. It must not be lost.
            let got = reader.position().saturating_sub(before);
            self.page.truncate(usize::try_from(got).unwrap_or_default());
            self.writer.put_owned(&mut self.page)?;
            return Err(error);
        }
        self.writer.put_owned(&mut self.page)
    }
}
