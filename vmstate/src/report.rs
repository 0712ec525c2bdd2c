//! The report: a line per element, each in a form that does not change.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::Failure;
use crate::configuration::Configuration;
use crate::iterable::Iterable;
use crate::multifd::Channels;
use crate::ram::Ram;

/// Prints what was read.
#[derive(Debug)]
pub struct Report<W> {
    out: W,
    json: bool,
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

/// What a field of a line says.
enum Value<'a> {
    Number(u64),
    /// An address.
    Hex(u64),
    Text(&'a dyn fmt::Display),
    Flag(bool),
    /// There is none.
    Missing,
}

/// A field of a line. Its name is left out of the text where it is `bare`; JSON has it always.
struct Field<'a> {
    name: &'static str,
    value: Value<'a>,
    bare: bool,
}

const fn number<'a>(name: &'static str, value: u64) -> Field<'a> {
    Field { name, value: Value::Number(value), bare: false }
}

const fn text<'a>(name: &'static str, value: &'a dyn fmt::Display) -> Field<'a> {
    Field { name, value: Value::Text(value), bare: false }
}

const fn bare<'a>(name: &'static str, value: Value<'a>) -> Field<'a> {
    Field { name, value, bare: true }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value}"),
            Self::Hex(value) => write!(f, "{value:#x}"),
            Self::Text(value) => value.fmt(f),
            Self::Flag(value) => f.write_str(if *value { "yes" } else { "no" }),
            Self::Missing => f.write_str("none"),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(value) | Self::Hex(value) => serializer.serialize_u64(*value),
            Self::Text(value) => serializer.collect_str(value),
            Self::Flag(value) => serializer.serialize_bool(*value),
            Self::Missing => serializer.serialize_none(),
        }
    }
}

/// A line as an object: `element`, then the fields in their order.
struct Line<'a>(&'static str, &'a [Field<'a>]);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("element", self.0)?;
        self.1.iter().try_for_each(|field| map.serialize_entry(field.name, &field.value))?;
        map.end()
    }
}

impl<W: Write> Report<W> {
    /// Prints text to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, json: false }
    }

    /// Prints to `out` an object of JSON in each line: `element` is the first word of the text, and
    /// the fields have the names that they have in the text.
    pub const fn json(out: W) -> Self {
        Self { out, json: true }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }

    pub fn header(&mut self, version: u32) -> Result<(), Failure> {
        self.line("header", &[number("version", version.into())])
    }

    pub fn configuration(&mut self, configuration: Option<&Configuration>) -> Result<(), Failure> {
        let Some(configuration) = configuration else {
            return self.line("config", &[bare("machine", Value::Missing)]);
        };
        self.line("config", &[text("machine", &Escaped(&configuration.machine))])?;
        if let Some((page_size, _)) = configuration.page_size {
            self.line("config", &[number("page_size", page_size)])?;
        }
        for capability in configuration.capabilities.iter().flatten() {
            self.line("config", &[text("capability", &Escaped(capability))])?;
        }
        if let Some(uuid) = &configuration.uuid {
            self.line("config", &[text("uuid", &Uuid(uuid))])?;
        }
        Ok(())
    }

    pub fn command(&mut self, which: u16, name: &str, length: u16) -> Result<(), Failure> {
        let fields =
            [number("number", which.into()), text("name", &name), number("length", length.into())];
        self.line("command", &fields)
    }

    pub fn ram(&mut self, ram: &Ram, page_size: u64, version: u32) -> Result<(), Failure> {
        let fields = [
            number("id", ram.id.into()),
            number("version", version.into()),
            number("page_size", page_size),
            number("total", ram.total),
            number("start", 1),
            number("part", ram.parts),
            number("end", ram.ends),
        ];
        self.line("ram", &fields)?;
        for block in &ram.blocks {
            let name = Escaped(&block.name);
            let mut fields = vec![
                bare("name", Value::Text(&name)),
                number("length", block.length),
                number("zero", block.zero),
                number("normal", block.normal),
                number("xbzrle", block.xbzrle),
                number("compressed", block.compressed),
            ];
            if block.filled > 0 {
                fields.push(number("filled", block.filled));
            }
            if let Some(address) = block.address {
                let value = Value::Hex(address);
                fields.push(Field { name: "address", value, bare: false });
            }
            if block.mapped.is_some() {
                fields.push(number("present", block.present));
            }
            if block.is_absent {
                fields.push(Field { name: "absent", value: Value::Flag(true), bare: false });
            }
            self.line("block", &fields)?;
        }
        if ram.blocks.is_empty() {
            self.line("block", &[bare("name", Value::Missing)])?;
        }
        Ok(())
    }

    pub fn channels(&mut self, channels: &Channels<'_>) -> Result<(), Failure> {
        for (id, compression, counts) in channels.counts() {
            let fields = [
                number("id", id.into()),
                text("compression", &compression),
                number("packets", counts.packets),
                number("syncs", counts.syncs),
                number("normal", counts.normal),
                number("zero", counts.zero),
                number("devices", counts.devices),
            ];
            self.line("channel", &fields)?;
        }
        Ok(())
    }

    /// A section in several parts besides `ram`.
    pub fn section(&mut self, section: &Iterable) -> Result<(), Failure> {
        let name = Escaped(&section.name);
        let fields = [
            number("id", section.id.into()),
            text("name", &name),
            number("instance", section.instance.into()),
            number("version", section.version.into()),
            number("part", section.parts),
            number("end", section.ends),
            number("bytes", section.bytes),
        ];
        self.line("section", &fields)
    }

    /// The package with the devices.
    pub fn package(&mut self, offset: u64, bytes: u64) -> Result<(), Failure> {
        self.line("package", &[number("offset", offset), number("bytes", bytes)])
    }

    pub fn no_ram(&mut self) -> Result<(), Failure> {
        self.line("ram", &[bare("id", Value::Missing)])
    }

    pub fn device(
        &mut self,
        section: &DeviceSection,
        bytes: u64,
        form: Form,
    ) -> Result<(), Failure> {
        let name = Escaped(&section.name);
        let mut fields = vec![
            number("id", section.id.into()),
            text("name", &name),
            number("instance", section.instance.into()),
            number("version", section.version.into()),
            number("offset", section.offset),
            number("bytes", bytes),
        ];
        match form {
            Form::Structured { fields: count, subsections } => {
                fields.push(number("fields", count));
                fields.push(number("subsections", subsections));
            }
            Form::Unstructured => fields.push(bare("form", Value::Text(&"unstructured"))),
            Form::Guessed => fields.push(bare("form", Value::Text(&"guessed"))),
        }
        self.line("device", &fields)
    }

    pub fn no_device(&mut self) -> Result<(), Failure> {
        self.line("device", &[bare("id", Value::Missing)])
    }

    pub fn eof(&mut self, offset: u64) -> Result<(), Failure> {
        self.line("eof", &[number("offset", offset)])
    }

    pub fn description(&mut self, described: Option<(u64, u64, usize)>) -> Result<(), Failure> {
        let Some((offset, bytes, devices)) = described else {
            return self.line("desc", &[bare("offset", Value::Missing)]);
        };
        let fields =
            [number("offset", offset), number("bytes", bytes), number("devices", devices as u64)];
        self.line("desc", &fields)
    }

    pub fn footers(&mut self, present: bool) -> Result<(), Failure> {
        self.line("footers", &[bare("present", Value::Flag(present))])
    }

    /// Tells that the stream is not an ordinary one.
    pub fn kind(&mut self, kind: &str) -> Result<(), Failure> {
        self.line("kind", &[bare("kind", Value::Text(&kind))])
    }

    /// The last line: the whole stream was read.
    pub fn ok(&mut self, guessed: bool) -> Result<(), Failure> {
        if self.json {
            let guessed = Field { name: "guessed", value: Value::Flag(guessed), bare: false };
            return self.line("ok", &[guessed]);
        }
        let text = if guessed { "ok, but the lengths of devices are guessed" } else { "ok" };
        writeln!(self.out, "{text}").map_err(|error| Failure::Output(error.to_string()))
    }

    fn line(&mut self, element: &'static str, fields: &[Field<'_>]) -> Result<(), Failure> {
        self.try_line(element, fields).map_err(|error| Failure::Output(error.to_string()))
    }

    fn try_line(&mut self, element: &'static str, fields: &[Field<'_>]) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut self.out, &Line(element, fields))?;
            return writeln!(self.out);
        }
        write!(self.out, "{element:<8}")?;
        for Field { name, value, bare } in fields {
            match bare {
                true => write!(self.out, " {value}")?,
                false => write!(self.out, " {name}={value}")?,
            }
        }
        writeln!(self.out)
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
