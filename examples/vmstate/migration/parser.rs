//! The stream as a whole: its header, its sections, its end.

use std::collections::HashSet;
use std::io::Write;

use super::configuration::{CONFIGURATION, Configuration};
use super::description::{DESCRIPTION, Description};
use super::ram::{DEFAULT_PAGE_SIZE, Ram};
use super::report::{DeviceSection, Escaped, Form};
use super::{Failure, Input, Output, Report, guess};

const MAGIC: u32 = 0x5145_564d;
const VERSION: u32 = 3;
const RAM_VERSION: u32 = 4;
const SECTION_LIMIT: usize = 65536;
const TEXT_LIMIT: u32 = 16 << 20;

pub const EOF: u8 = 0x00;
const START: u8 = 0x01;
const PART: u8 = 0x02;
const END: u8 = 0x03;
pub const FULL: u8 = 0x04;
const COMMAND: u8 = 0x08;
pub const FOOTER: u8 = 0x7e;

const POSTCOPY_ADVISE: u16 = 3;

/// What to do where the description is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Guess where the payload of a device ends.
    pub guess: bool,
    /// Pass everything behind the RAM part unread.
    pub raw_tail: bool,
}

/// Reads a whole stream.
pub fn parse<O: Output, W: Write>(
    input: Input<'_, O>,
    report: &mut Report<W>,
    options: Options,
) -> Result<(), Failure> {
    let parser = Parser {
        input,
        report,
        options,
        page_size: DEFAULT_PAGE_SIZE,
        has_addresses: false,
        footers: None,
        ids: HashSet::new(),
        ram: None,
        devices: 0,
    };
    parser.stream()
}

struct Parser<'a, 'r, O, W> {
    input: Input<'a, O>,
    report: &'r mut Report<W>,
    options: Options,
    page_size: u64,
    /// The block list tells guest addresses.
    has_addresses: bool,
    /// Whether sections have footers: the first section decides.
    footers: Option<bool>,
    ids: HashSet<u32>,
    ram: Option<Ram>,
    /// Device sections so far.
    devices: usize,
}

impl<O: Output, W: Write> Parser<'_, '_, O, W> {
    fn stream(mut self) -> Result<(), Failure> {
        self.header()?;
        self.configuration()?;
        loop {
            let at = self.input.position();
            // Device payloads cannot be read without knowing the end of the stream.
            match self.input.peek()? {
                None => return Err(Failure::at(at, "the file ends where a section is expected")),
                Some(FULL) if self.options.raw_tail => return self.raw_tail(at),
                Some(FULL | EOF) => self.look_up_description()?,
                _ => {}
            }
            match self.input.byte()? {
                EOF => return self.end(at),
                START => self.start(at)?,
                PART => self.part(at, false)?,
                END => self.part(at, true)?,
                FULL => self.device(at)?,
                COMMAND => self.command(at)?,
                other => {
                    return Err(Failure::at(at, format!("unknown section type {other:#04x}")));
                }
            }
        }
    }

    fn header(&mut self) -> Result<(), Failure> {
        let at = self.input.begin("header");
        let magic = self.input.be32()?;
        if magic != MAGIC {
            return Err(Failure::at(at, format!("not a migration stream: magic {magic:#010x}")));
        }
        let at = self.input.position();
        let version = self.input.be32()?;
        if version != VERSION {
            return Err(Failure::at(at, format!("unknown stream version {version}")));
        }
        self.report.header(version)
    }

    fn configuration(&mut self) -> Result<(), Failure> {
        if let Some(description) = self.description() {
            self.page_size = description.page_size;
        }
        if self.input.peek()? != Some(CONFIGURATION) {
            return self.report.configuration(None);
        }
        let configuration = Configuration::read(&mut self.input)?;
        if let Some((page_size, at)) = configuration.page_size {
            if self.description().is_some() && page_size != self.page_size {
                let what = format!("page size {page_size}, but {} described", self.page_size);
                return Err(Failure::at(at, what));
            }
            self.page_size = page_size;
        }
        self.has_addresses = configuration.ignores_shared();
        self.report.configuration(Some(&configuration))
    }

    fn description(&self) -> Option<&Description> {
        self.input.tail()?.description.as_ref()
    }

    /// Reads the description, if that was not possible at the start.
    fn look_up_description(&mut self) -> Result<(), Failure> {
        let page_size = self.page_size;
        let tail = self.input.find_tail()?;
        match &tail.description {
            Some(description) if description.page_size != page_size => {
                let what = format!(
                    "page size {} described; a pipe was read with {page_size}",
                    description.page_size
                );
                Err(Failure::at(description.offset, what))
            }
            _ => Ok(()),
        }
    }

    /// Remembers the id of a section, which nothing else has.
    fn new_section_id(&mut self) -> Result<u32, Failure> {
        let at = self.input.position();
        let id = self.input.be32()?;
        if self.ids.len() >= SECTION_LIMIT {
            return Err(Failure::at(at, format!("more than {SECTION_LIMIT} sections")));
        }
        if !self.ids.insert(id) {
            return Err(Failure::at(at, format!("second section with id {id}")));
        }
        Ok(id)
    }

    fn start(&mut self, at: u64) -> Result<(), Failure> {
        self.input.begin_at("START section", at);
        if self.ram.is_some() {
            return Err(Failure::at(at, "second START section"));
        }
        let id = self.new_section_id()?;
        let at = self.input.position();
        let name = self.input.name("section")?;
        if name != b"ram" {
            let what = format!("unsupported iterable section `{}`", Escaped(&name));
            return Err(Failure::at(at, what));
        }
        let at = self.input.position();
        let instance = self.input.be32()?;
        if instance != 0 {
            return Err(Failure::at(at, format!("instance {instance} of section `ram`")));
        }
        let at = self.input.position();
        let version = self.input.be32()?;
        if version != RAM_VERSION {
            return Err(Failure::at(at, format!("unknown version {version} of section `ram`")));
        }
        let mut ram = Ram::new(id, self.page_size, self.has_addresses);
        ram.start(&mut self.input)?;
        self.ram = Some(ram);
        self.footer(id, "missing footer of section `ram`")
    }

    fn part(&mut self, at: u64, ends: bool) -> Result<(), Failure> {
        self.input.begin_at(if ends { "END section" } else { "PART section" }, at);
        let at = self.input.position();
        let id = self.input.be32()?;
        let open = self.ram.as_mut().filter(|ram| ram.id == id && !ram.ended);
        let ram = open.ok_or_else(|| Failure::at(at, format!("no section {id} is open")))?;
        ram.records(&mut self.input)?;
        if ends {
            ram.ended = true;
            self.report.ram(ram, RAM_VERSION)?;
        } else {
            ram.parts = ram.parts.saturating_add(1);
        }
        self.footer(id, "missing footer of section `ram`")
    }

    /// Reads the footer of section `id`, if sections have one.
    fn footer(&mut self, id: u32, missing: &str) -> Result<(), Failure> {
        let at = self.input.begin("section footer");
        let next = self.input.peek()?;
        if !*self.footers.get_or_insert(next == Some(FOOTER)) {
            return Ok(());
        }
        if self.input.byte()? != FOOTER {
            return Err(Failure::at(at, missing));
        }
        let at = self.input.position();
        let footer = self.input.be32()?;
        if footer != id {
            return Err(Failure::at(at, format!("footer of section {footer} ends section {id}")));
        }
        Ok(())
    }

    fn device(&mut self, at: u64) -> Result<(), Failure> {
        self.input.begin_at("device section", at);
        self.check_ram_ended(at)?;
        let id = self.new_section_id()?;
        let name_at = self.input.position();
        let name = self.input.name("section")?;
        let instance_at = self.input.position();
        let instance = self.input.be32()?;
        let version_at = self.input.position();
        let version = self.input.be32()?;
        let offset = self.input.begin("device payload");
        let section = DeviceSection { id, name, instance, version, offset };
        let escaped = Escaped(&section.name);

        let Some(description) = self.description() else {
            return self.undescribed_device(&section);
        };
        let Some(device) = description.devices.get(self.devices) else {
            return Err(Failure::at(at, format!("device `{escaped}` is not described")));
        };
        if device.name.as_bytes() != section.name {
            let described = Escaped(device.name.as_bytes());
            let what = format!("device `{escaped}` where `{described}` is described");
            return Err(Failure::at(name_at, what));
        }
        if device.instance != u64::from(instance) {
            let what = format!("instance {instance}, but {} described", device.instance);
            return Err(Failure::at(instance_at, what));
        }
        if let Some(described) = device.version.filter(|it| *it != u64::from(version)) {
            let what = format!("version {version}, but {described} described");
            return Err(Failure::at(version_at, what));
        }
        let (bytes, form) = (device.bytes, device.form);
        if offset.checked_add(bytes).is_none_or(|end| end > description.eof()) {
            let what = format!("payload of device `{escaped}` has {bytes} bytes, too many");
            return Err(Failure::at(offset, what));
        }
        self.input.pass(bytes)?;
        self.footer(id, &format!("the description does not match device `{escaped}`"))?;
        self.devices = self.devices.saturating_add(1);
        self.report.device(&section, bytes, form)
    }

    fn undescribed_device(&mut self, section: &DeviceSection) -> Result<(), Failure> {
        if !self.options.guess || self.footers != Some(true) {
            let name = Escaped(&section.name);
            let what = format!("no description at the end tells where device `{name}` ends");
            return Err(Failure::at(section.offset, what));
        }
        let bytes = guess::pass_payload(&mut self.input, section.id)?;
        self.footer(section.id, "missing footer")?;
        self.devices = self.devices.saturating_add(1);
        self.report.device(section, bytes, Form::Guessed)
    }

    /// Checks that what is at `at` comes after the end of the memory.
    fn check_ram_ended(&self, at: u64) -> Result<(), Failure> {
        if self.ram.as_ref().is_none_or(|ram| !ram.ended) {
            return Err(Failure::at(at, "section `ram` has not ended before"));
        }
        Ok(())
    }

    fn command(&mut self, at: u64) -> Result<(), Failure> {
        self.input.begin_at("command", at);
        let at = self.input.position();
        let number = self.input.be16()?;
        let length_at = self.input.position();
        let length = self.input.be16()?;
        let (name, lengths): (_, &[u16]) = match number {
            1 => ("OPEN_RETURN_PATH", &[0]),
            2 => ("PING", &[4]),
            POSTCOPY_ADVISE => ("POSTCOPY_ADVISE", &[0, 16]),
            4 => ("POSTCOPY_LISTEN", &[0]),
            5 => ("POSTCOPY_RUN", &[0]),
            6 => ("POSTCOPY_RAM_DISCARD", &[]),
            7 => return Err(Failure::at(at, "unsupported command PACKAGED")),
            8 => ("ENABLE_COLO", &[0]),
            9 => ("POSTCOPY_RESUME", &[0]),
            10 => ("RECV_BITMAP", &[]),
            _ => return Err(Failure::at(at, format!("unknown command {number}"))),
        };
        if !lengths.is_empty() && !lengths.contains(&length) {
            return Err(Failure::at(length_at, format!("command {name} of {length} bytes")));
        }
        self.report.command(number, name, length)?;
        if number != POSTCOPY_ADVISE || length == 0 {
            return self.input.pass(u64::from(length));
        }
        // With pages of another size the block list would have one more field.
        for whose in ["RAM blocks", "the target"] {
            let at = self.input.position();
            let size = self.input.be64()?;
            if size != self.page_size {
                let what = format!("unsupported: pages of {size:#x} bytes of {whose}");
                return Err(Failure::at(at, what));
            }
        }
        Ok(())
    }

    /// Reads what follows the end mark at `at`.
    fn end(&mut self, at: u64) -> Result<(), Failure> {
        self.check_ram_ended(at)?;
        if self.devices == 0 {
            self.report.no_device()?;
        }
        self.report.eof(at)?;
        let described = self.description_text(at)?;
        self.report.description(described)?;
        self.report.footers(self.footers == Some(true))?;
        self.report.ok(self.devices > 0 && described.is_none())
    }

    /// Passes the description, if there is one, and returns where it begins, the length of its
    /// text and the number of devices.
    fn description_text(&mut self, eof: u64) -> Result<Option<(u64, u64, usize)>, Failure> {
        let start = self.input.begin("description");
        let mark = self.input.peek()?;
        if mark.is_none() {
            return Ok(None);
        }
        if self.input.byte()? != DESCRIPTION {
            return Err(Failure::at(start, "something follows the end of the stream"));
        }
        let at = self.input.position();
        let length = self.input.be32()?;
        let text = self.input.position();
        let left = self.input.find_tail()?.length.saturating_sub(text);
        if length > TEXT_LIMIT || u64::from(length) != left {
            let what = format!("description of {length} bytes, but {left} follow");
            return Err(Failure::at(at, what));
        }
        let described = self.description().filter(|description| description.offset == text);
        let Some(devices) = described.map(|description| description.devices.len()) else {
            return Err(Failure::at(text, "the description does not begin with `page_size`"));
        };
        if devices != self.devices {
            let what = format!("{} devices, but {devices} described", self.devices);
            return Err(Failure::at(eof, what));
        }
        self.input.pass(left)?;
        Ok(Some((start, left, devices)))
    }

    /// Passes the device sections and everything behind them.
    fn raw_tail(&mut self, at: u64) -> Result<(), Failure> {
        self.check_ram_ended(at)?;
        self.input.pass_rest()
    }
}
