//! What differs between two streams that were extracted.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Failure;
use crate::extract::{DESCRIPTION, DeviceNames};
use crate::fields::{Field, fields};

/// Files are compared in pieces of so many bytes.
const PIECE: usize = 1 << 16;

/// A difference between two folders that an extractor has written.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// A part that only the first has, or only the other.
    Only {
        /// Whether it is the first one.
        first: bool,
        /// The name of its file.
        name: String,
    },
    /// A field that only the first has of a device, or only the other.
    OnlyField {
        /// Whether it is the first one.
        first: bool,
        /// The name of the file of the device.
        name: String,
        /// The name of the field, after those of the fields and subsections that it is in.
        field: String,
    },
    /// A field of a device.
    Field {
        /// The name of the file of the device.
        name: String,
        /// The name of the field, after those of the fields and subsections that it is in.
        field: String,
        /// Where its first byte is that differs, from the start of the part of the first.
        offset: u64,
        /// The length of what differs, whole elements of an array.
        len: u64,
    },
    /// Bytes of a part, whole pages of a block of memory.
    Bytes {
        /// The name of its file.
        name: String,
        /// The first that differs, from the start of the part.
        offset: u64,
        /// The length of what differs; a part that ends too early differs up to the end of the other.
        len: u64,
    },
}

/// Compares two folders and calls `each` with every difference, in the order of the names; whether there
/// are none. Blocks of memory are compared by pages of `page_size` bytes, devices by the fields that
/// both descriptions list.
pub fn diff(
    one: &Path,
    other: &Path,
    page_size: u64,
    mut each: impl FnMut(Difference) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let (names, other_names) = (names(one)?, names(other)?);
    let (devices, other_devices) = (Devices::read(one)?, Devices::read(other)?);
    let mut equal = true;
    let mut tell = |difference| {
        equal = false;
        each(difference)
    };
    for name in names.union(&other_names) {
        if !names.contains(name) || !other_names.contains(name) {
            tell(Difference::Only { first: names.contains(name), name: name.clone() })?;
            continue;
        }
        let mut pair = Pair::open(&one.join(name), &other.join(name))?;
        let (fields, other_fields) = (devices.fields(name), other_devices.fields(name));
        if fields.is_empty() || other_fields.is_empty() {
            let unit = if name.ends_with(".raw") { page_size } else { 1 };
            pair.compare((0, u64::MAX), (0, u64::MAX), unit, |offset, len| {
                tell(Difference::Bytes { name: name.clone(), offset, len })
            })?;
        } else {
            by_fields(name, &mut pair, &fields, other_fields, &mut tell)?;
        }
    }
    Ok(equal)
}

/// Compares a device by its fields, in the order of the first stream.
fn by_fields(
    name: &str,
    pair: &mut Pair,
    fields: &[Field],
    other_fields: Vec<Field>,
    tell: &mut impl FnMut(Difference) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let only = |first, field: &Field| {
        let (name, field) = (name.to_string(), field.path.clone());
        Difference::OnlyField { first, name, field }
    };
    // Fields of the same name have the same order in both.
    let mut others = HashMap::<_, Vec<Field>>::new();
    for field in other_fields.into_iter().rev() {
        others.entry(field.path.clone()).or_default().push(field);
    }
    for field in fields {
        let Some(other) = others.get_mut(&field.path).and_then(Vec::pop) else {
            tell(only(true, field))?;
            continue;
        };
        let part = |field: &Field| (field.offset, field.len());
        pair.compare(part(field), part(&other), field.size, |offset, len| {
            let name = name.to_string();
            let offset_in_device = field.offset.saturating_add(offset);
            let field = field.elements(offset, len);
            tell(Difference::Field { name, field, offset: offset_in_device, len })
        })?;
    }
    let mut rest: Vec<_> = others.into_values().flatten().collect();
    rest.sort_by_key(|field| field.offset);
    rest.iter().try_for_each(|field| tell(only(false, field)))
}

/// The devices that a stream describes, by the names of their files.
struct Devices(HashMap<String, Value>);

impl Devices {
    /// Reads the description in a folder, if there is one.
    fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(DESCRIPTION);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self(HashMap::new()));
            }
            Err(error) => return Err(failed(&path, &error)),
        };
        let text: Result<Value, _> = serde_json::from_reader(BufReader::new(file));
        let mut text = text.map_err(|error| failed(&path, &error.into()))?;
        // They are there: the stream was read by them.
        let devices = text.get_mut("devices").and_then(Value::as_array_mut).map(std::mem::take);
        let mut names = DeviceNames::default();
        let named = devices.into_iter().flatten().map(|device| {
            let name = device.get("name").and_then(Value::as_str).unwrap_or_default();
            let instance = device.get("instance_id").and_then(Value::as_u64).unwrap_or_default();
            (names.next(name.as_bytes(), instance), device)
        });
        Ok(Self(named.collect()))
    }

    fn fields(&self, name: &str) -> Vec<Field> {
        self.0.get(name).map(fields).unwrap_or_default()
    }
}

impl Field {
    fn len(&self) -> u64 {
        self.size.saturating_mul(self.count.unwrap_or(1))
    }

    /// The name of the elements that have these bytes.
    fn elements(&self, offset: u64, len: u64) -> String {
        let size = self.size.max(1);
        let first = offset.checked_div(size).unwrap_or_default();
        let end = offset.saturating_add(len).div_ceil(size);
        let path = &self.path;
        match self.count {
            None => path.clone(),
            Some(_) if end.saturating_sub(first) <= 1 => format!("{path}[{first}]"),
            Some(_) => format!("{path}[{first}..{end}]"),
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Input(format!("{}: {error}", path.display()))
}

/// The names of the files in a folder, without the description.
fn names(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    entries
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.as_ref().is_ok_and(|name| name == DESCRIPTION))
        .collect::<Result<_, _>>()
        .map_err(|error| failed(folder, &error))
}

/// Two files that are compared.
struct Pair {
    files: [(PathBuf, File); 2],
}

impl Pair {
    fn open(one: &Path, other: &Path) -> Result<Self, Failure> {
        let open = |path: &Path| match File::open(path) {
            Ok(file) => Ok((path.to_path_buf(), file)),
            Err(error) => Err(failed(path, &error)),
        };
        Ok(Self { files: [open(one)?, open(other)?] })
    }

    /// Compares a part of each, given by where it begins and its length, and calls `each` with every
    /// run of units that differ: where it begins in the part, and its length.
    fn compare(
        &mut self,
        part: (u64, u64),
        other_part: (u64, u64),
        unit: u64,
        each: impl FnMut(u64, u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let [(one, file), (other, other_file)] = &mut self.files;
        let mut file = at(file, part).map_err(|error| failed(one, &error))?;
        let mut other_file = at(other_file, other_part).map_err(|error| failed(other, &error))?;
        let read_one = |into: &mut Vec<u8>| read(&mut file, into).map_err(|it| failed(one, &it));
        let read_other =
            |into: &mut Vec<u8>| read(&mut other_file, into).map_err(|it| failed(other, &it));
        compare(read_one, read_other, unit, each)
    }
}

/// A part of a file, given by where it begins and its length.
fn at(file: &mut File, (start, len): (u64, u64)) -> io::Result<io::Take<&mut File>> {
    file.seek(SeekFrom::Start(start))?;
    Ok(file.take(len))
}

/// Calls `each` with every run of units that differ: where it begins, and its length.
fn compare(
    mut read: impl FnMut(&mut Vec<u8>) -> Result<(), Failure>,
    mut read_other: impl FnMut(&mut Vec<u8>) -> Result<(), Failure>,
    unit: u64,
    mut each: impl FnMut(u64, u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (mut bytes, mut others) = (Vec::new(), Vec::new());
    let mut at = 0_u64;
    // Where the run began that differs.
    let mut begun = None;
    loop {
        read(&mut bytes)?;
        read_other(&mut others)?;
        let equal = bytes == others;
        let longest = bytes.len().max(others.len());
        let step = usize::try_from(unit).unwrap_or(PIECE).clamp(1, PIECE);
        for start in (0..longest).step_by(step) {
            let end = start.saturating_add(step);
            let unit = |all: &Vec<u8>| start.min(all.len())..end.min(all.len());
            let offset = at.saturating_add(start as u64);
            let differs = !equal && bytes.get(unit(&bytes)) != others.get(unit(&others));
            match (differs, begun) {
                (true, None) => begun = Some(offset),
                (false, Some(first)) => {
                    begun = None;
                    each(first, offset.saturating_sub(first))?;
                }
                _ => {}
            }
        }
        at = at.saturating_add(longest as u64);
        if longest == 0 {
            break;
        }
    }
    begun.map_or(Ok(()), |first| each(first, at.saturating_sub(first)))
}

/// Reads a whole piece, or what is left.
fn read(file: &mut impl Read, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    file.take(PIECE as u64).read_to_end(into).map(drop)
}
