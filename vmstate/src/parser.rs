//! The stream as a whole: its header, its sections, its end.

use std::collections::HashSet;
use std::io::Write;

use iov_iter::file::ReadChannel;

use crate::configuration::{CONFIGURATION, Configuration};
use crate::description::{DESCRIPTION, Description};
use crate::input::REST_LIMIT;
use crate::iterable::Iterable;
use crate::multifd::Channels;
use crate::page_size::{PageSize, Source, USUAL, is_valid};
use crate::ram::Ram;
use crate::report::{DeviceSection, Escaped, Form};
use crate::{Discard, Failure, Input, Output, Report, foreign, guess};

const MAGIC: u32 = 0x5145_564d;
const VERSION: u32 = 3;
const RAM_VERSION: u32 = 4;
const SECTION_LIMIT: usize = 65536;
const TEXT_LIMIT: u32 = 16 << 20;

pub const EOF: u8 = 0x00;
pub const START: u8 = 0x01;
pub const PART: u8 = 0x02;
pub const END: u8 = 0x03;
pub const FULL: u8 = 0x04;
pub const COMMAND: u8 = 0x08;
pub const FOOTER: u8 = 0x7e;

const POSTCOPY_ADVISE: u16 = 3;
const PACKAGED: u16 = 7;
pub const LAST_COMMAND: u16 = 11;

/// What to do where the stream does not tell enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The size of the guest's pages.
    pub page_size: Option<u64>,
    /// Guess where the payload of a device ends.
    pub guess: bool,
    /// Pass everything from the first device on unread.
    pub raw_tail: bool,
}

/// Reads a whole stream, and the channels of multifd that came with it.
pub fn parse<O: Output, W: Write>(
    input: &mut Input<'_, O>,
    report: &mut Report<W>,
    channels: Channels<'_>,
    options: Options,
) -> Result<(), Failure> {
    let parser = Parser {
        input,
        report,
        channels,
        options,
        page_size: PageSize::new(options.page_size),
        configuration: None,
        footers: None,
        ids: HashSet::new(),
        ram: None,
        unreported: false,
        others: Vec::new(),
        packaged: false,
        devices: 0,
        guessed: false,
        unconfirmed: Vec::new(),
    };
    parser.stream()
}

struct Parser<'a, 'r, 'c, O, W> {
    input: &'r mut Input<'a, O>,
    report: &'r mut Report<W>,
    channels: Channels<'c>,
    options: Options,
    /// What is known about the size of pages before the section `ram` begins.
    page_size: PageSize,
    configuration: Option<Configuration>,
    /// Whether sections have footers: the first section decides.
    footers: Option<bool>,
    /// The ids of the device sections.
    ids: HashSet<u32>,
    ram: Option<Ram>,
    /// The section `ram` has gone on since it was reported.
    unreported: bool,
    /// The devices were in a package, as they are after a switch to postcopy.
    packaged: bool,
    /// Sections in several parts besides `ram`.
    others: Vec<Iterable>,
    /// Device sections so far.
    devices: usize,
    /// The description does not tell where one of them ends.
    guessed: bool,
    /// The first of them, with their guessed lengths, if they came before the description.
    unconfirmed: Vec<(DeviceSection, u64)>,
}

impl<O: Output, W: Write> Parser<'_, '_, '_, O, W> {
    fn stream(mut self) -> Result<(), Failure> {
        self.header()?;
        self.configuration()?;
        loop {
            let at = self.input.position();
            // Device payloads cannot be read without knowing the end of the stream.
            match self.input.peek()? {
                None => return Err(Failure::at(at, "the file ends where a section is expected")),
                Some(FULL) if self.options.raw_tail => return self.raw_tail(),
                Some(FULL | EOF) => self.need_description(at)?,
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
        if self.input.look_ahead(4)? != MAGIC.to_be_bytes()
            && let Some(what) = foreign::recognize(self.input.look_ahead(foreign::BEGINNING)?)
        {
            return Err(Failure::at(at, format!("not a migration stream, but {what}")));
        }
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
        self.take_described_page_size()?;
        let input = &mut *self.input;
        input.output().begin_configuration().map_err(|why| input.stopped(why))?;
        if input.peek()? == Some(CONFIGURATION) {
            let configuration = Configuration::read(input)?;
            if let Some((page_size, at)) = configuration.page_size {
                self.page_size.tell(page_size, Source::Configuration, at)?;
            }
            self.configuration = Some(configuration);
        }
        let configuration = self.configuration.as_ref();
        input.output().end_configuration(configuration).map_err(|why| input.stopped(why))?;
        self.report.configuration(configuration)
    }

    fn description(&self) -> Option<&Description> {
        self.input.tail()?.description.as_ref()
    }

    /// Reads the description, if that was not possible at the start. It must be within reach, but for
    /// a device before the end of the memory.
    fn need_description(&mut self, at: u64) -> Result<(), Failure> {
        let memory_follows = self.ram.as_ref().is_none_or(|ram| ram.ends == 0);
        if self.look_up_description()? || memory_follows {
            return Ok(());
        }
        let what = format!(
            "a pipe with more than {REST_LIMIT} bytes from here on: the lengths of devices are at \
             its end"
        );
        Err(Failure::at(at, what))
    }

    /// Reads the description, if that was not possible at the start; whether that is possible now.
    fn look_up_description(&mut self) -> Result<bool, Failure> {
        if self.input.find_tail()?.is_none() {
            return Ok(false);
        }
        self.take_described_page_size()?;
        self.confirm_devices()?;
        Ok(true)
    }

    /// Compares the page size that the description tells, if there is one, with what is known.
    fn take_described_page_size(&mut self) -> Result<(), Failure> {
        let Some(Description { offset, page_size, .. }) = self.description() else {
            return Ok(());
        };
        let (page_size, offset) = (*page_size, *offset);
        let known = self.ram.as_mut().map_or(&mut self.page_size, |ram| &mut ram.page_size);
        known.tell(page_size, Source::Description, offset)
    }

    fn start(&mut self, at: u64) -> Result<(), Failure> {
        self.input.begin_at("START section", at);
        let id = self.input.be32()?;
        let name_at = self.input.position();
        let name = self.input.name("section")?;
        if name != b"ram" {
            return self.start_other(id, name, name_at);
        }
        if self.ram.is_some() {
            return Err(Failure::at(at, "second START of section `ram`"));
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
        let mut ram = Ram::new(id, self.page_size, self.configuration.as_ref());
        ram.start(self.input, &mut self.channels)?;
        self.ram = Some(ram);
        self.unreported = true;
        self.footer(id, "missing footer of section `ram`")
    }

    fn start_other(&mut self, id: u32, name: Vec<u8>, name_at: u64) -> Result<(), Failure> {
        let escaped = Escaped(&name).to_string();
        if self.others.len() >= SECTION_LIMIT {
            return Err(Failure::at(name_at, format!("more than {SECTION_LIMIT} sections")));
        }
        let is_of_ram = self.ram.as_ref().is_some_and(|ram| ram.id == id);
        if is_of_ram || self.others.iter().any(|other| other.id == id) {
            return Err(Failure::at(name_at, format!("second section with id {id}")));
        }
        let Some(mut section) = Iterable::begin(self.input, id, name)? else {
            let what = format!("iterable section `{escaped}` is not supported");
            return Err(Failure::at(name_at, what));
        };
        section.pass(self.input)?;
        self.others.push(section);
        self.footer(id, &format!("missing footer of section `{escaped}`"))
    }

    /// Passes PART or END of another section than `ram`; whether `id` is one.
    fn part_of_other(&mut self, id: u32, ends: bool) -> Result<bool, Failure> {
        let Some(section) = self.others.iter_mut().find(|other| other.id == id) else {
            return Ok(false);
        };
        section.pass(self.input)?;
        let count = if ends { &mut section.ends } else { &mut section.parts };
        *count = count.saturating_add(1);
        let missing = format!("missing footer of section `{}`", Escaped(&section.name));
        self.footer(id, &missing)?;
        Ok(true)
    }

    fn part(&mut self, at: u64, ends: bool) -> Result<(), Failure> {
        self.input.begin_at(if ends { "END section" } else { "PART section" }, at);
        let at = self.input.position();
        let id = self.input.be32()?;
        if self.part_of_other(id, ends)? {
            return Ok(());
        }
        let begun = self.ram.as_mut().filter(|ram| ram.id == id);
        let ram = begun.ok_or_else(|| Failure::at(at, format!("no section {id} has begun")))?;
        ram.records(self.input, &mut self.channels)?;
        self.unreported = true;
        if ends {
            ram.ends = ram.ends.saturating_add(1);
            self.report_ram()?;
        } else {
            ram.parts = ram.parts.saturating_add(1);
        }
        self.footer(id, "missing footer of section `ram`")
    }

    /// Reports the section `ram` as far as it was read, if that is new.
    fn report_ram(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.unreported) {
            return Ok(());
        }
        if self.ram.as_ref().is_some_and(|ram| ram.page_size.get().is_none()) {
            // Nothing has depended on it so far.
            self.look_up_description()?;
        }
        let Some(ram) = &mut self.ram else { return Ok(()) };
        let page_size = ram.page_size.get().unwrap_or_else(|| ram.page_size.guess(USUAL));
        self.report.ram(ram, page_size, RAM_VERSION)
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
        let id_at = self.input.position();
        let id = self.input.be32()?;
        if self.ids.len() >= SECTION_LIMIT {
            return Err(Failure::at(id_at, format!("more than {SECTION_LIMIT} sections")));
        }
        let is_of_ram = self.ram.as_ref().is_some_and(|ram| ram.id == id);
        if is_of_ram || !self.ids.insert(id) {
            return Err(Failure::at(id_at, format!("second section with id {id}")));
        }
        let name = self.input.name("section")?;
        let instance = self.input.be32()?;
        let version = self.input.be32()?;
        let offset = self.input.begin("device payload");
        let section = DeviceSection { id, name, instance, version, offset };
        if self.description().is_none() {
            return self.undescribed_device(section);
        }
        let (mut bytes, mut form) = self.described(&section, self.devices)?;
        let described = self.description().and_then(|it| it.devices.get(self.devices));
        if described.is_some_and(|device| device.may_be_longer) {
            let ram = self.ram.as_ref().map(|ram| ram.id);
            let end = guess::find_end(self.input, section.id, ram, bytes)?;
            if let Some(end) = end.filter(|end| *end > bytes) {
                (bytes, form) = (end, Form::Guessed);
                self.guessed = true;
            }
        }
        self.input.device(&section, bytes)?;
        let name = Escaped(&section.name);
        self.footer(id, &format!("the description does not match device `{name}`"))?;
        self.devices = self.devices.saturating_add(1);
        self.report.device(&section, bytes, form)
    }

    /// What the description says about device section `index`, if it is this one.
    fn described(&self, section: &DeviceSection, index: usize) -> Result<(u64, Form), Failure> {
        let DeviceSection { name, instance, version, offset, .. } = section;
        let escaped = Escaped(name);
        // The header: type, id, counted name, instance, version.
        let [version_at, instance_at] = [4, 8].map(|len| offset.saturating_sub(len));
        let name_at = instance_at.saturating_sub(name.len() as u64).saturating_sub(1);
        let at = name_at.saturating_sub(5);
        let undescribed = || Failure::at(at, format!("device `{escaped}` is not described"));
        let description = self.description().ok_or_else(|| no_description(section))?;
        let device = description.devices.get(index).ok_or_else(undescribed)?;
        if device.name.as_bytes() != name {
            let described = Escaped(device.name.as_bytes());
            let what = format!("device `{escaped}` where `{described}` is described");
            return Err(Failure::at(name_at, what));
        }
        if device.instance != u64::from(*instance) {
            let what = format!("instance {instance}, but {} described", device.instance);
            return Err(Failure::at(instance_at, what));
        }
        if let Some(described) = device.version.filter(|it| *it != u64::from(*version)) {
            let what = format!("version {version}, but {described} described");
            return Err(Failure::at(version_at, what));
        }
        let (bytes, form) = (device.bytes, device.form);
        if offset.checked_add(bytes).is_none_or(|end| end > description.eof()) {
            let what = format!("payload of device `{escaped}` has {bytes} bytes, too many");
            return Err(Failure::at(*offset, what));
        }
        Ok((bytes, form))
    }

    /// Guesses where a device ends, if that is wanted, or if the description will tell later.
    fn undescribed_device(&mut self, section: DeviceSection) -> Result<(), Failure> {
        let later = self.input.tail().is_none();
        if !(later || self.options.guess) || self.footers == Some(false) {
            return Err(no_description(&section));
        }
        let ram = self.ram.as_ref().map(|ram| ram.id);
        let bytes = guess::pass_payload(self.input, section.id, ram)?;
        self.footer(section.id, "missing footer")?;
        self.devices = self.devices.saturating_add(1);
        self.report.device(&section, bytes, Form::Guessed)?;
        if later {
            self.unconfirmed.push((section, bytes));
        }
        Ok(())
    }

    /// Compares the devices whose ends were guessed, which are the first ones, with the description.
    fn confirm_devices(&mut self) -> Result<(), Failure> {
        if self.description().is_none() && self.options.guess {
            return Ok(());
        }
        for (index, (section, guessed)) in std::mem::take(&mut self.unconfirmed).iter().enumerate()
        {
            let (bytes, _) = self.described(section, index)?;
            let described = self.description().and_then(|it| it.devices.get(index));
            let longer = described.is_some_and(|it| it.may_be_longer) && *guessed > bytes;
            if bytes != *guessed && !longer {
                let name = Escaped(&section.name);
                let what = format!(
                    "payload of device `{name}` was guessed to have {guessed} bytes, \
                     but has {bytes}"
                );
                return Err(Failure::at(section.offset, what));
            }
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
            PACKAGED => ("PACKAGED", &[4]),
            8 => ("ENABLE_COLO", &[0]),
            9 => ("POSTCOPY_RESUME", &[0]),
            10 => ("RECV_BITMAP", &[]),
            LAST_COMMAND => ("SWITCHOVER_START", &[0]),
            _ => return Err(Failure::at(at, format!("unknown command {number}"))),
        };
        if !lengths.is_empty() && !lengths.contains(&length) {
            return Err(Failure::at(length_at, format!("command {name} of {length} bytes")));
        }
        self.report.command(number, name, length)?;
        if number == PACKAGED {
            return self.package();
        }
        if number != POSTCOPY_ADVISE || length == 0 {
            return self.input.pass(u64::from(length));
        }
        let sizes_at = self.input.position();
        let sizes = self.input.be64()?;
        let target_at = self.input.position();
        let target = self.input.be64()?;
        if !is_valid(target) {
            return Err(Failure::at(target_at, format!("page size {target} of the target")));
        }
        // The pages of blocks are those of the host. If these are larger than usual, or differ, the
        // block list may have one more field.
        if sizes > target.max(USUAL) {
            let what = format!("postcopy with huge pages is not supported: page sizes {sizes:#x}");
            return Err(Failure::at(sizes_at, what));
        }
        let known = self.ram.as_mut().map_or(&mut self.page_size, |ram| &mut ram.page_size);
        known.tell(target, Source::Advice, target_at)
    }

    /// Passes the state of the devices in one piece. Nothing describes what is in it.
    fn package(&mut self) -> Result<(), Failure> {
        self.input.begin("package");
        let length = u64::from(self.input.be32()?);
        let offset = self.input.position();
        self.input.pass(length)?;
        self.packaged = true;
        self.report.package(offset, length)
    }

    /// Reads what follows the end mark at `at`.
    fn end(&mut self, at: u64) -> Result<(), Failure> {
        let page_size = self.ram.as_ref().and_then(|ram| ram.page_size.get()).unwrap_or(USUAL);
        let blocks = self.ram.as_mut().map(|ram| ram.blocks.as_mut_slice()).unwrap_or_default();
        self.channels.end(self.input, blocks, page_size)?;
        self.report_ram()?;
        self.report.channels(&self.channels)?;
        self.others.iter().try_for_each(|section| self.report.section(section))?;
        if self.ram.is_none() {
            if self.devices == 0 && !self.packaged && self.others.is_empty() {
                return Err(Failure::at(at, "the stream ends without memory and devices"));
            }
            self.report.no_ram()?;
        }
        if self.devices == 0 {
            self.report.no_device()?;
        }
        self.report.eof(at)?;
        let described = self.description_text(at)?;
        self.report.description(described)?;
        self.report.footers(self.footers == Some(true))?;
        match &self.ram {
            Some(ram) if ram.blocks.iter().any(|block| block.mapped.is_some()) => {
                self.report.kind("mapped-ram")?;
            }
            _ if self.packaged => self.report.kind("postcopy that has switched over")?,
            None => self.report.kind("devices without memory")?,
            Some(_) if !self.channels.is_empty() => self.report.kind("multifd")?,
            Some(ram) if ram.ends == 0 => {
                self.report.kind("background snapshot: no END of `ram`")?
            }
            Some(_) => {}
        }
        self.report.ok(self.guessed || (self.devices > 0 && described.is_none()))
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
        let length_of_all = self.input.tail().map_or(0, |tail| tail.length);
        let left = length_of_all.saturating_sub(text);
        if length > TEXT_LIMIT || u64::from(length) != left {
            let what = format!("description of {length} bytes, but {left} follow");
            return Err(Failure::at(at, what));
        }
        let described = self.description().filter(|description| description.offset == text);
        let Some(devices) = described.map(|description| description.devices.len()) else {
            return Err(Failure::at(text, "the description ends with a zero byte"));
        };
        if devices != self.devices {
            let what = format!("{} devices, but {devices} described", self.devices);
            return Err(Failure::at(eof, what));
        }
        self.input.description(left)?;
        Ok(Some((start, left, devices)))
    }

    /// Passes the device sections and everything after them.
    fn raw_tail(&mut self) -> Result<(), Failure> {
        self.report_ram()?;
        self.input.pass_rest()
    }
}

fn no_description(section: &DeviceSection) -> Failure {
    let name = Escaped(&section.name);
    let what = format!(
        "no description at the end tells where device `{name}` ends; `inspect --guess` guesses, \
         `copy --raw-tail` does not look"
    );
    Failure::at(section.offset, what)
}

/// Whether the memory of a stream is mapped into the file, as its beginning says.
pub fn maps_ram(channel: Box<dyn ReadChannel + '_>, start: u64) -> Result<bool, Failure> {
    let mut nothing = Discard;
    let mut input = Input::new(channel, start, &mut nothing)?;
    input.pass(8)?;
    let configured = input.peek()? == Some(CONFIGURATION);
    Ok(configured && Configuration::read(&mut input)?.maps_ram())
}
