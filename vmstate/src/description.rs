//! The description at the end of a stream: JSON text that gives the lengths of device payloads.
//!
//! The text is read piece by piece; of each device only its name, its length and a few counts are
//! kept.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::Failure;
use crate::page_size::{LARGEST, SMALLEST, is_valid};
use crate::parser::EOF;
use crate::report::Form;

const TEXT_LIMIT: u64 = 16 << 20;
const NESTING_LIMIT: usize = 64;
const DEVICE_LIMIT: usize = 65536;
const NAME_LIMIT: usize = 255;

/// The bytes before the text: the end mark of the stream, 0x06, the length of the text.
const LEAD: u64 = 6;
/// The end of a stream is looked through in pieces of so many bytes.
const WINDOW: u64 = 1 << 16;
/// The byte that announces a description.
pub const DESCRIPTION: u8 = 0x06;

/// What is known about the end of a stream before it is read.
#[derive(Debug)]
pub struct Tail {
    /// The length of the stream in bytes.
    pub length: u64,
    /// The description, if there is one.
    pub description: Option<Description>,
}

/// What the description says.
#[derive(Debug)]
pub struct Description {
    /// Where the text begins, in bytes from the start of the stream.
    pub offset: u64,
    /// The size of a page.
    pub page_size: u64,
    /// In the order of the device sections.
    pub devices: Vec<Device>,
}

/// A device section as described.
#[derive(Debug)]
pub struct Device {
    pub name: String,
    pub instance: u64,
    /// Not told for unstructured devices.
    pub version: Option<u64>,
    /// The length of the payload.
    pub bytes: u64,
    /// The payload may be longer: QEMU before 10.0 describes an array of pointers as if all its
    /// elements were like the first, which has one byte if it points at nothing.
    pub may_be_longer: bool,
    /// Its fields and subsections, not those further down.
    pub form: Form,
}

impl Tail {
    /// Looks up the end of a stream of which `input` is everything from offset `base` on.
    pub fn find(input: &mut (impl Read + Seek), base: u64) -> Result<Self, Failure> {
        let found = find_text(input).map_err(|error| Failure::Input(error.to_string()))?;
        let (length, text) = found;
        let description = match text {
            Some(text) => Some(read_text(input, text, length, base)?),
            None => None,
        };
        Ok(Self { length: base.saturating_add(length), description })
    }
}

impl Description {
    /// Where the stream has its end mark.
    pub fn eof(&self) -> u64 {
        self.offset.saturating_sub(LEAD)
    }
}

/// The length of `input`, and where a description in it begins.
///
/// The text must lie where its own length field says. The last such place is the right one: JSON text
/// has no zero byte, so it cannot have another such place in it. A stream without description ends
/// with its end mark, a zero byte.
fn find_text(input: &mut (impl Read + Seek)) -> io::Result<(u64, Option<u64>)> {
    let length = input.seek(SeekFrom::End(0))?;
    let lowest = length.saturating_sub(TEXT_LIMIT.saturating_add(LEAD));
    let mut window = Vec::new();
    let mut start = length;
    while start > lowest {
        let end = start.saturating_add(LEAD);
        start = start.saturating_sub(WINDOW).max(lowest);
        input.seek(SeekFrom::Start(start))?;
        window.clear();
        input.by_ref().take(end.saturating_sub(start)).read_to_end(&mut window)?;
        if end > length && window.last() == Some(&EOF) {
            break;
        }
        for index in memchr::memmem::rfind_iter(&window, &[EOF, DESCRIPTION]) {
            let text = start.saturating_add(index as u64).saturating_add(LEAD);
            let before = window.get(index..).and_then(|bytes| bytes.first_chunk());
            if before == Some(&lead(length.saturating_sub(text))) {
                return Ok((length, Some(text)));
            }
        }
    }
    Ok((length, None))
}

/// What is before a text of `length` bytes: the end mark of the stream, then the announcement.
fn lead(length: u64) -> [u8; LEAD as usize] {
    // The text is shorter than the limit, which 32 bits can tell.
    let [_, _, _, _, a, b, c, d] = length.to_be_bytes();
    [EOF, DESCRIPTION, a, b, c, d]
}

/// Reads the text at `text`.
fn read_text(
    input: &mut (impl Read + Seek),
    text: u64,
    length: u64,
    base: u64,
) -> Result<Description, Failure> {
    let offset = base.saturating_add(text);
    input.seek(SeekFrom::Start(text)).map_err(|error| Failure::Input(error.to_string()))?;
    let consumed = Cell::new(0);
    let rest = BufReader::new(input.take(length.saturating_sub(text)));
    let mut json = serde_json::Deserializer::from_reader(Counted { rest, consumed: &consumed });
    let top = Object { depth: 1 }.deserialize(&mut json);
    let top = top.and_then(|top| json.end().map(|()| top)).map_err(|error| {
        if error.is_io() {
            return Failure::Input(error.to_string());
        }
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        let last = offset.saturating_add(consumed.get()).saturating_sub(1);
        Failure::at(last, format!("the description is damaged: {what}"))
    })?;
    let missing = || Failure::at(offset, "the description tells no page size");
    let page_size = top.page_size.ok_or_else(missing)?;
    if !is_valid(page_size) {
        let what =
            format!("page size {page_size} is not a power of two within {SMALLEST} to {LARGEST}");
        return Err(Failure::at(offset, what));
    }
    let missing = || Failure::at(offset, "the description lists no devices");
    let devices = top.devices.ok_or_else(missing)?;
    Ok(Description { offset, page_size, devices })
}

/// Counts the bytes that were read.
struct Counted<'a, R> {
    rest: R,
    consumed: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.rest.read(into)?;
        self.consumed.set(self.consumed.get().saturating_add(got as u64));
        Ok(got)
    }
}

/// What is kept of an object, whichever it is: the description, a device, a field, a subsection.
#[derive(Debug, Default)]
struct Node {
    page_size: Option<u64>,
    devices: Option<Vec<Device>>,
    name: Option<String>,
    instance_id: Option<u64>,
    vmsd_name: Option<String>,
    version: Option<u64>,
    size: Option<u64>,
    array_len: Option<u64>,
    /// It is a pointer at nothing.
    is_null: bool,
    fields: Option<Sum>,
    subsections: Option<Sum>,
}

/// The length of several fields or subsections, and how many they are.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    bytes: u64,
    count: u64,
    may_be_longer: bool,
}

impl Sum {
    /// Adds one of so many bytes, unless the length has become too large for a number.
    fn add(&mut self, bytes: Option<u64>) -> Option<()> {
        self.bytes = self.bytes.checked_add(bytes?)?;
        self.count = self.count.checked_add(1)?;
        Some(())
    }
}

impl Node {
    /// The length of this as a field: it covers everything below.
    fn field_bytes(&self) -> Result<Option<u64>, &'static str> {
        let size = self.size.ok_or("a field without `size`")?;
        Ok(size.checked_mul(self.array_len.unwrap_or(1)))
    }

    /// The length of the fields and the subsections.
    fn payload_bytes(&self) -> Option<u64> {
        let fields = self.fields.unwrap_or_default();
        fields.bytes.checked_add(self.subsections.unwrap_or_default().bytes)
    }

    /// The length of this as a subsection: mark, counted name, version, payload.
    fn subsection_bytes(&self) -> Result<Option<u64>, &'static str> {
        let name = self.vmsd_name.as_ref().ok_or("a subsection without `vmsd_name`")?;
        let header = (name.len() as u64).checked_add(1 + 1 + 4);
        Ok(header.zip(self.payload_bytes()).and_then(|(header, rest)| header.checked_add(rest)))
    }

    /// This as a device.
    fn into_device(self) -> Result<Device, &'static str> {
        let parts = [self.fields, self.subsections];
        let may_be_longer = parts.iter().flatten().any(|sum| sum.may_be_longer);
        let (bytes, version, form) = if self.vmsd_name.is_some() {
            let version = self.version.ok_or("a device without `version`")?;
            let fields = self.fields.unwrap_or_default().count;
            let subsections = self.subsections.unwrap_or_default().count;
            let bytes = self.payload_bytes().ok_or(TOO_LONG)?;
            (bytes, Some(version), Form::Structured { fields, subsections })
        } else {
            let bytes = self.size.ok_or("a device without `vmsd_name` and `size`")?;
            (bytes, None, Form::Unstructured)
        };
        let name = self.name.ok_or("a device without `name`")?;
        let instance = self.instance_id.ok_or("a device without `instance_id`")?;
        Ok(Device { name, instance, version, bytes, may_be_longer, form })
    }
}

const TOO_LONG: &str = "the length of a device is too large";

/// Reads an object.
#[derive(Clone, Copy)]
struct Object {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        check_nesting(self.depth)?;
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = Node::default();
        let depth = self.depth.saturating_add(1);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "page_size" => node.page_size = Some(map.next_value()?),
                "instance_id" => node.instance_id = Some(map.next_value()?),
                "version" => node.version = Some(map.next_value()?),
                "size" => node.size = Some(map.next_value()?),
                "array_len" => node.array_len = Some(map.next_value()?),
                "name" => node.name = Some(name(map.next_value()?)?),
                "vmsd_name" => node.vmsd_name = Some(name(map.next_value()?)?),
                "type" => node.is_null |= name(map.next_value()?)? == "nullptr",
                "struct" => {
                    let below = map.next_value_seed(Object { depth })?;
                    node.is_null |= below.vmsd_name.is_none() && below.fields.is_none();
                }
                "fields" => {
                    let mut sum = Sum::default();
                    let mut may_be_longer = false;
                    let mut add = |field: Node| {
                        may_be_longer |= field.is_null && field.array_len.is_some();
                        sum.add(field.field_bytes()?).ok_or(TOO_LONG)
                    };
                    map.next_value_seed(List { depth, each: &mut add })?;
                    sum.may_be_longer = may_be_longer;
                    node.fields = Some(sum);
                }
                "subsections" => {
                    let mut sum = Sum::default();
                    let mut may_be_longer = false;
                    let mut add = |node: Node| {
                        let parts = [node.fields, node.subsections];
                        may_be_longer |= parts.iter().flatten().any(|sum| sum.may_be_longer);
                        sum.add(node.subsection_bytes()?).ok_or(TOO_LONG)
                    };
                    map.next_value_seed(List { depth, each: &mut add })?;
                    sum.may_be_longer = may_be_longer;
                    node.subsections = Some(sum);
                }
                "devices" if self.depth == 1 => {
                    let mut devices = Vec::new();
                    let mut add = |node: Node| {
                        if devices.len() >= DEVICE_LIMIT {
                            return Err("too many devices");
                        }
                        devices.push(node.into_device()?);
                        Ok(())
                    };
                    map.next_value_seed(List { depth, each: &mut add })?;
                    node.devices = Some(devices);
                }
                _ => map.next_value_seed(Ignored { depth })?,
            }
        }
        Ok(node)
    }
}

/// Reads a list of objects and hands each over.
struct List<'a> {
    depth: usize,
    each: &'a mut dyn FnMut(Node) -> Result<(), &'static str>,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        check_nesting(self.depth)?;
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let object = Object { depth: self.depth.saturating_add(1) };
        while let Some(node) = list.next_element_seed(object)? {
            (self.each)(node).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Passes a plain value.
struct Ignored {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Ignored {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ignored {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        check_nesting(self.depth)?;
        let depth = self.depth.saturating_add(1);
        while map.next_key_seed(Self { depth })?.is_some() {
            map.next_value_seed(Self { depth })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        check_nesting(self.depth)?;
        let depth = self.depth.saturating_add(1);
        while list.next_element_seed(Self { depth })?.is_some() {}
        Ok(())
    }
}

fn check_nesting<E: serde::de::Error>(depth: usize) -> Result<(), E> {
    if depth > NESTING_LIMIT {
        return Err(E::custom(format_args!("nested deeper than {NESTING_LIMIT}")));
    }
    Ok(())
}

fn name<E: serde::de::Error>(name: String) -> Result<String, E> {
    if name.len() > NAME_LIMIT {
        return Err(E::custom(format_args!("a name of more than {NAME_LIMIT} bytes")));
    }
    Ok(name)
}
