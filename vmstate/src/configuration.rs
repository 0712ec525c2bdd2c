//! The configuration: which machine wrote the stream, and what changes its format.

use crate::page_size::{LARGEST, SMALLEST, is_valid};
use crate::report::Escaped;
use crate::{Failure, Input, Output, Stopped};

/// The byte that begins a configuration.
pub const CONFIGURATION: u8 = 0x07;
const SUBSECTION: u8 = 0x05;
const MACHINE_LIMIT: u32 = 255;
const CAPABILITY_LIMIT: u32 = 64;
const PAGE_BITS: &[u8] = b"configuration/target-page-bits";
const CAPABILITIES: &[u8] = b"configuration/capabilities";
const UUID: &[u8] = b"configuration/uuid";
const IGNORE_SHARED: &[u8] = b"x-ignore-shared";
const MAPPED_RAM: &[u8] = b"mapped-ram";

/// What the configuration says.
#[derive(Debug, Default)]
pub struct Configuration {
    pub machine: Vec<u8>,
    /// The size of a page and the offset where it stands.
    pub page_size: Option<(u64, u64)>,
    pub capabilities: Option<Vec<Vec<u8>>>,
    pub uuid: Option<Vec<u8>>,
}

impl Configuration {
    /// Reads a configuration, the next element of `input`.
    pub fn read<O: Output>(input: &mut Input<'_, O>) -> Result<Self, Failure> {
        input.begin("configuration");
        input.byte()?;
        let mut configuration = Self { machine: machine(input)?, ..Self::default() };
        while input.peek()? == Some(SUBSECTION) {
            configuration.subsection(input)?;
        }
        Ok(configuration)
    }

    /// Whether the block list tells guest addresses.
    pub fn ignores_shared(&self) -> bool {
        self.has(IGNORE_SHARED)
    }

    /// Whether the block list tells where in the file the pages are.
    pub fn maps_ram(&self) -> bool {
        self.has(MAPPED_RAM)
    }

    /// Writes a configuration like this one, with `mapped-ram` or without.
    pub fn write<O: Output>(&self, output: &mut O, maps_ram: bool) -> Result<(), Stopped> {
        output.byte(CONFIGURATION)?;
        output.be32(u32::try_from(self.machine.len()).unwrap_or_default())?;
        output.bytes(&self.machine)?;
        let subsection = |output: &mut O, name| {
            output.byte(SUBSECTION)?;
            output.string(name)?;
            output.be32(1)
        };
        if let Some((page_size, _)) = self.page_size {
            subsection(output, PAGE_BITS)?;
            output.be32(page_size.trailing_zeros())?;
        }
        let others = self.capabilities.iter().flatten().map(Vec::as_slice);
        let others = others.filter(|name| *name != MAPPED_RAM);
        let names: Vec<_> = others.chain(maps_ram.then_some(MAPPED_RAM)).collect();
        if !names.is_empty() {
            subsection(output, CAPABILITIES)?;
            output.be32(u32::try_from(names.len()).unwrap_or_default())?;
            names.iter().try_for_each(|name| output.string(name))?;
        }
        if let Some(uuid) = &self.uuid {
            subsection(output, UUID)?;
            output.bytes(uuid)?;
        }
        Ok(())
    }

    fn has(&self, capability: &[u8]) -> bool {
        self.capabilities.iter().flatten().any(|name| name == capability)
    }

    fn subsection<O: Output>(&mut self, input: &mut Input<'_, O>) -> Result<(), Failure> {
        input.begin("configuration subsection");
        input.byte()?;
        let name_at = input.position();
        let name = input.string()?;
        let version_at = input.position();
        let version = input.be32()?;
        if version != 1 {
            return Err(Failure::at(version_at, format!("unknown subsection version {version}")));
        }
        let repeated = match name.as_slice() {
            PAGE_BITS => self.page_size.replace(page_size(input)?).is_some(),
            CAPABILITIES => self.capabilities.replace(capabilities(input)?).is_some(),
            UUID => self.uuid.replace(input.bytes(16)?).is_some(),
            _ => {
                let what = format!("unknown configuration subsection `{}`", Escaped(&name));
                return Err(Failure::at(name_at, what));
            }
        };
        if repeated {
            let what = format!("second configuration subsection `{}`", Escaped(&name));
            return Err(Failure::at(name_at, what));
        }
        Ok(())
    }
}

fn machine<O: Output>(input: &mut Input<'_, O>) -> Result<Vec<u8>, Failure> {
    let at = input.position();
    let len = input.be32()?;
    if !(1..=MACHINE_LIMIT).contains(&len) {
        let what = format!("machine name of {len} bytes, not 1 to {MACHINE_LIMIT}");
        return Err(Failure::at(at, what));
    }
    let at = input.position();
    let name = input.bytes(usize::try_from(len).unwrap_or_default())?;
    if !name.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        let what = format!("machine name `{}` is not printable ASCII", Escaped(&name));
        return Err(Failure::at(at, what));
    }
    Ok(name)
}

fn page_size<O: Output>(input: &mut Input<'_, O>) -> Result<(u64, u64), Failure> {
    let at = input.position();
    let bits = input.be32()?;
    let size = 1_u64.checked_shl(bits).filter(|size| is_valid(*size));
    let wrong = || format!("page size 2^{bits} is not within {SMALLEST} to {LARGEST}");
    Ok((size.ok_or_else(|| Failure::at(at, wrong()))?, at))
}

fn capabilities<O: Output>(input: &mut Input<'_, O>) -> Result<Vec<Vec<u8>>, Failure> {
    let at = input.position();
    let count = input.be32()?;
    if count > CAPABILITY_LIMIT {
        let what = format!("{count} capabilities, more than {CAPABILITY_LIMIT}");
        return Err(Failure::at(at, what));
    }
    let mut names = Vec::new();
    for _ in 0..count {
        let at = input.position();
        let name = input.string()?;
        // A capability may change the format, so it must be known.
        if name != IGNORE_SHARED && name != MAPPED_RAM {
            let what = format!("capability `{}` is not supported", Escaped(&name));
            return Err(Failure::at(at, what));
        }
        names.push(name);
    }
    Ok(names)
}
