//! The report: a line per element, each in a form that does not change.

use std::fmt::{self, Write as _};
use std::io::Write;

use crate::Failure;
use crate::configuration::Configuration;
use crate::ram::Ram;

/// Prints what was read.
#[derive(Debug)]
pub struct Report<W> {
    out: W,
}

/// The header of a device section, and where its payload begins.
#[derive(Debug)]
pub struct DeviceSection {
    pub id: u32,
    pub name: Vec<u8>,
    pub instance: u32,
    pub version: u32,
    pub offset: u64,
}

/// What is known about the payload of a device.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// It has so many fields, and so many subsections.
    Structured { fields: u64, subsections: u64 },
    /// It is a sequence of bytes.
    Unstructured,
    /// Where it ends is a guess.
    Guessed,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structured { fields, subsections } => {
                write!(f, "fields={fields} subsections={subsections}")
            }
            Self::Unstructured => f.write_str("unstructured"),
            Self::Guessed => f.write_str("guessed"),
        }
    }
}

impl<W: Write> Report<W> {
    /// Prints to `out`.
    pub const fn new(out: W) -> Self {
        Self { out }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }

    pub fn header(&mut self, version: u32) -> Result<(), Failure> {
        self.line("header", format_args!("version={version}"))
    }

    pub fn configuration(&mut self, configuration: Option<&Configuration>) -> Result<(), Failure> {
        let Some(configuration) = configuration else {
            return self.line("config", format_args!("none"));
        };
        self.line("config", format_args!("machine={}", Escaped(&configuration.machine)))?;
        if let Some((page_size, _)) = configuration.page_size {
            self.line("config", format_args!("page_size={page_size}"))?;
        }
        for capability in configuration.capabilities.iter().flatten() {
            self.line("config", format_args!("capability={}", Escaped(capability)))?;
        }
        if let Some(uuid) = &configuration.uuid {
            self.line("config", format_args!("uuid={}", Uuid(uuid)))?;
        }
        Ok(())
    }

    pub fn command(&mut self, number: u16, name: &str, length: u16) -> Result<(), Failure> {
        self.line("command", format_args!("number={number} name={name} length={length}"))
    }

    pub fn ram(&mut self, ram: &Ram, page_size: u64, version: u32) -> Result<(), Failure> {
        let Ram { id, total, parts, ends, .. } = ram;
        self.line(
            "ram",
            format_args!(
                "id={id} version={version} page_size={page_size} total={total} \
                 start=1 part={parts} end={ends}"
            ),
        )?;
        for block in &ram.blocks {
            let mut counts = format!(
                "{} length={} zero={} normal={} xbzrle={} compressed={}",
                Escaped(&block.name),
                block.length,
                block.zero,
                block.normal,
                block.xbzrle,
                block.compressed
            );
            // Writing to a string does not fail.
            if block.filled > 0 {
                let _ = write!(counts, " filled={}", block.filled);
            }
            if let Some(address) = block.address {
                let _ = write!(counts, " address={address:#x}");
            }
            self.line("block", format_args!("{counts}"))?;
        }
        if ram.blocks.is_empty() {
            self.line("block", format_args!("none"))?;
        }
        Ok(())
    }

    pub fn no_ram(&mut self) -> Result<(), Failure> {
        self.line("ram", format_args!("none"))
    }

    pub fn device(
        &mut self,
        section: &DeviceSection,
        bytes: u64,
        form: Form,
    ) -> Result<(), Failure> {
        let DeviceSection { id, name, instance, version, offset } = section;
        let name = Escaped(name);
        self.line(
            "device",
            format_args!(
                "id={id} name={name} instance={instance} version={version} \
                 offset={offset} bytes={bytes} {form}"
            ),
        )
    }

    pub fn no_device(&mut self) -> Result<(), Failure> {
        self.line("device", format_args!("none"))
    }

    pub fn eof(&mut self, offset: u64) -> Result<(), Failure> {
        self.line("eof", format_args!("offset={offset}"))
    }

    pub fn description(&mut self, described: Option<(u64, u64, usize)>) -> Result<(), Failure> {
        match described {
            Some((offset, bytes, devices)) => {
                self.line("desc", format_args!("offset={offset} bytes={bytes} devices={devices}"))
            }
            None => self.line("desc", format_args!("none")),
        }
    }

    pub fn footers(&mut self, present: bool) -> Result<(), Failure> {
        self.line("footers", format_args!("{}", if present { "yes" } else { "no" }))
    }

    /// Tells that the stream is not an ordinary one.
    pub fn kind(&mut self, kind: &str) -> Result<(), Failure> {
        self.line("kind", format_args!("{kind}"))
    }

    pub fn ok(&mut self, guessed: bool) -> Result<(), Failure> {
        let text = if guessed { "ok, but the lengths of devices are guessed" } else { "ok" };
        writeln!(self.out, "{text}").map_err(|error| Failure::Output(error.to_string()))
    }

    fn line(&mut self, element: &str, text: fmt::Arguments<'_>) -> Result<(), Failure> {
        writeln!(self.out, "{element:<8} {text}")
            .map_err(|error| Failure::Output(error.to_string()))
    }
}

/// A name of any bytes, so that it is one word of printable ASCII.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'!'..=b'[' | b']'..=b'~' => f.write_char(char::from(byte)),
            _ => write!(f, "\\x{byte:02x}"),
        })
    }
}

/// 16 bytes in the usual form.
struct Uuid<'a>(&'a [u8]);

impl fmt::Display for Uuid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, byte)| {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")
        })
    }
}
