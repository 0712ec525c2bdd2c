//! Extracting: each block of memory into a file of its own, and on request other parts.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use iov_iter::file::{FileReader, ReadChannel};

use crate::memory::{Memory, Pages, read_at, write_at};
use crate::output::{Encoding, Output, Place};
use crate::page_size::USUAL;
use crate::ram::Block;
use crate::report::DeviceSection;
use crate::{Failure, Stopped};

/// The payload of a device is moved in pieces of so many bytes.
const PIECE: u64 = 1 << 16;

/// What to extract besides the memory.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The payload of each device that has one of these names.
    pub devices: Vec<String>,
    /// The payloads of all devices.
    pub all_devices: bool,
    /// The text of the description.
    pub description: bool,
}

/// Writes the parts of a stream into files of one folder: a block of memory to `NAME.raw`, with holes
/// where it has zeros, a device to `NAME.INSTANCE.device`, the description to `description.json`. Of
/// devices with the same name and instance the second has `NAME.INSTANCE-2.device`.
#[derive(Debug)]
pub struct Extractor {
    wishes: Wishes,
    devices: DeviceNames,
    page_size: Option<u64>,
    pages: Pages<Folder>,
}

/// A folder with a file for each block.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// All files so far.
    files: Vec<(PathBuf, File)>,
    /// Which file each block has, and where the last of it ends that was written.
    blocks: Vec<Option<(usize, u64)>>,
    page: Vec<u8>,
}

impl Extractor {
    /// Writes into `folder`, which has nothing of the same name.
    pub fn new(folder: &Path, wishes: Wishes) -> Self {
        let (path, page) = (folder.to_path_buf(), Vec::new());
        let folder = Folder { path, files: Vec::new(), blocks: Vec::new(), page };
        let devices = DeviceNames::default();
        Self { wishes, devices, page_size: None, pages: Pages::new(folder) }
    }

    /// The size of the guest's pages, as it was known when the memory began.
    pub fn page_size(&self) -> u64 {
        self.page_size.unwrap_or(USUAL)
    }

    /// The files that were written, once they are on the disk.
    pub fn finish(self) -> Result<Vec<PathBuf>, Failure> {
        let files = self.pages.memory.files;
        files
            .into_iter()
            .map(|(path, file)| match file.sync_all() {
                Ok(()) => Ok(path),
                Err(error) => Err(failed(&path, &error)),
            })
            .collect()
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Output(format!("{}: {error}", path.display()))
}

impl Folder {
    /// A new file.
    fn create(&mut self, name: &str) -> Result<usize, Failure> {
        let path = self.path.join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::Output(format!("{}: two parts have this name", path.display()))
            }
            _ => failed(&path, &error),
        })?;
        self.files.push((path, file));
        Ok(self.files.len().saturating_sub(1))
    }

    /// Moves `len` bytes of `reader` into a new file.
    fn take<R: ReadChannel>(
        &mut self,
        name: &str,
        reader: &mut FileReader<R>,
        len: u64,
    ) -> Result<(), Stopped> {
        let index = self.create(name)?;
        let mut left = len;
        while left > 0 {
            self.page.resize(usize::try_from(left.min(PIECE)).unwrap_or_default(), 0);
            reader.get_exact(&mut self.page)?;
            let Some((path, file)) = self.files.get_mut(index) else { break };
            file.write_all(&self.page).map_err(|error| failed(path, &error))?;
            left = left.saturating_sub(PIECE);
        }
        Ok(())
    }

    fn block(&mut self, index: usize) -> Option<(&Path, &File, &mut u64)> {
        let (file, end) = self.blocks.get_mut(index)?.as_mut()?;
        let (path, file) = self.files.get(*file)?;
        Some((path, file, end))
    }
}

impl Memory for Folder {
    fn write(&mut self, block: usize, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        let Some((path, file, end)) = self.block(block) else { return Ok(()) };
        *end = (*end).max(offset.saturating_add(bytes.len() as u64));
        write_at(file, bytes, offset).map_err(|error| failed(path, &error))
    }

    fn clear(&mut self, place: Place) -> Result<(), Failure> {
        let mut page = std::mem::take(&mut self.page);
        let result = self.clear_with(place, &mut page);
        self.page = page;
        result
    }

    fn read(&mut self, block: usize, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        let Some((path, file, _)) = self.block(block) else { return Ok(()) };
        read_at(file, into, offset).map_err(|error| failed(path, &error))
    }
}

impl Folder {
    fn clear_with(&mut self, place: Place, page: &mut Vec<u8>) -> Result<(), Failure> {
        match self.block(place.block) {
            // What was not written is a hole.
            Some((_, _, end)) if place.offset < *end => {}
            _ => return Ok(()),
        }
        page.resize(place.len, 0);
        self.read(place.block, place.offset, page)?;
        if page.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        page.fill(0);
        self.write(place.block, place.offset, page)
    }
}

/// The file of the description.
pub const DESCRIPTION: &str = "description.json";

/// Gives names to the files of devices, in the order of their sections.
#[derive(Debug, Default)]
pub struct DeviceNames {
    /// How many devices there were for each name.
    counts: HashMap<String, u64>,
}

impl DeviceNames {
    /// The name of the file of the next device.
    pub fn next(&mut self, name: &[u8], instance: u64) -> String {
        let name = format!("{}.{instance}", file_name(name));
        let count = self.counts.entry(name.clone()).or_default();
        *count = count.saturating_add(1);
        if *count == 1 { format!("{name}.device") } else { format!("{name}-{count}.device") }
    }
}

/// A name of any bytes, as one of a file.
fn file_name(name: &[u8]) -> String {
    let mut text = String::new();
    for &byte in name {
        match byte {
            b'/' => text.push('_'),
            b'!'..=b'[' | b']'..=b'~' => text.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text
}

impl Output for Extractor {
    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
    ) -> Result<(), Stopped> {
        self.pages.page(reader, place)
    }

    fn encoded<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
        how: Encoding,
        len: usize,
    ) -> Result<(), Stopped> {
        self.pages.encoded(reader, place, how, len)
    }

    fn device<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        section: &DeviceSection,
        len: u64,
    ) -> Result<(), Stopped> {
        let wished = |name: &String| name.as_bytes() == section.name;
        if !self.wishes.all_devices && !self.wishes.devices.iter().any(wished) {
            return Ok(reader.skip(len)?);
        }
        let name = self.devices.next(&section.name, section.instance.into());
        self.pages.memory.take(&name, reader, len)
    }

    fn description<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        len: u64,
    ) -> Result<(), Stopped> {
        if !self.wishes.description {
            return Ok(reader.skip(len)?);
        }
        self.pages.memory.take(DESCRIPTION, reader, len)
    }

    fn blocks(&mut self, blocks: &[Block], page_size: Option<u64>) -> Result<(), Stopped> {
        self.page_size = page_size;
        let folder = &mut self.pages.memory;
        for block in blocks {
            if block.is_absent {
                folder.blocks.push(None);
                continue;
            }
            let index = folder.create(&format!("{}.raw", file_name(&block.name)))?;
            if let Some((path, file)) = folder.files.get(index) {
                file.set_len(block.length).map_err(|error| failed(path, &error))?;
            }
            folder.blocks.push(Some((index, 0)));
        }
        Ok(())
    }

    fn filled(&mut self, place: Place, fill: u8) -> Result<(), Stopped> {
        self.pages.filled(place, fill)
    }

    fn contents(&mut self, place: Place, bytes: &[u8]) -> Result<(), Stopped> {
        Ok(self.pages.memory.write(place.block, place.offset, bytes)?)
    }

    fn mapped<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        index: usize,
        block: &Block,
    ) -> Result<(), Stopped> {
        self.pages.mapped(reader, index, block)
    }
}
