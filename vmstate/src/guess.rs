//! Where the payload of a device ends in a stream without description: a guess.
//!
//! A footer ends it, and what follows a footer has a known form. The payload may contain bytes
//! that look the same, so this can be wrong.

use iov_iter::file::BUFFER_SIZE;

use crate::description::DESCRIPTION;
use crate::parser::{COMMAND, END, EOF, FOOTER, FULL, LAST_COMMAND, PART, START};
use crate::{Failure, Input, Output};

/// A footer, the header of a device section with the longest name.
const LONGEST: usize = 5 + 1 + 4 + 1 + 255 + 4 + 4;
const VERSION_LIMIT: u32 = 65536;

/// Passes the payload of section `id` and returns its length in bytes.
///
/// `ram` is the id of the section with the memory, if that has begun.
pub fn pass_payload<O: Output>(
    input: &mut Input<'_, O>,
    id: u32,
    ram: Option<u32>,
) -> Result<u64, Failure> {
    let ram = ram.map(u32::to_be_bytes);
    let start = input.begin("device payload");
    // Too far means that the end of the stream does not follow.
    let length = input.tail().map_or(u64::MAX, |tail| tail.length);
    loop {
        let at = input.position();
        let bytes = input.look_ahead(BUFFER_SIZE)?;
        let last = bytes.len() < BUFFER_SIZE;
        let candidates = if last { bytes.len() } else { bytes.len().saturating_sub(LONGEST) };
        let left = length.saturating_sub(at);
        let found = (0..candidates).find(|&index| {
            let rest = bytes.get(index..).unwrap_or_default();
            ends_section(rest, id, ram, left.saturating_sub(index as u64))
        });
        input.pass(found.unwrap_or(candidates) as u64)?;
        if found.is_some() {
            return Ok(input.position().saturating_sub(start));
        }
        if last {
            return Err(Failure::at(start, "no footer found after the device payload"));
        }
    }
}

/// The length of the payload of section `id`, which comes next, if it has at least `least` bytes and ends
/// within the reader's buffer.
pub fn find_end<O: Output>(
    input: &mut Input<'_, O>,
    id: u32,
    ram: Option<u32>,
    least: u64,
) -> Result<Option<u64>, Failure> {
    let ram = ram.map(u32::to_be_bytes);
    let length = input.tail().map_or(u64::MAX, |tail| tail.length);
    let left = length.saturating_sub(input.position());
    let bytes = input.look_ahead(BUFFER_SIZE)?;
    let mut ends = least..bytes.len() as u64;
    Ok(ends.find(|&end| {
        let rest = usize::try_from(end).ok().and_then(|end| bytes.get(end..));
        rest.is_some_and(|rest| ends_section(rest, id, ram, left.saturating_sub(end)))
    }))
}

/// Whether a footer of section `id` begins here, `left` bytes before the end of the stream, and
/// something plausible follows it.
fn ends_section(bytes: &[u8], id: u32, ram: Option<[u8; 4]>, left: u64) -> bool {
    let Some((&[FOOTER, a, b, c, d], next)) = bytes.split_first_chunk() else { return false };
    let left = left.saturating_sub(5);
    u32::from_be_bytes([a, b, c, d]) == id
        && match next {
            [EOF] => left == 1,
            [EOF, DESCRIPTION, length @ ..] => length.first_chunk().is_some_and(|length| {
                u64::from(u32::from_be_bytes(*length)) == left.saturating_sub(6)
            }),
            [START | FULL, _, _, _, _, name_len, rest @ ..] => is_header(*name_len, rest),
            // The memory goes on, if the device stands before its end.
            [PART | END, id @ ..] => ram.is_some() && id.first_chunk() == ram.as_ref(),
            [COMMAND, number @ ..] => number
                .first_chunk()
                .is_some_and(|it| (1..=LAST_COMMAND).contains(&u16::from_be_bytes(*it))),
            _ => false,
        }
}

/// Whether a name, an instance id and a version follow.
fn is_header(name_len: u8, bytes: &[u8]) -> bool {
    let Some((name, rest)) = bytes.split_at_checked(usize::from(name_len)) else { return false };
    let printable = name.iter().all(|byte| (0x20..0x7f).contains(byte));
    let version = rest.get(4..).and_then(|rest| rest.first_chunk());
    !name.is_empty()
        && printable
        && version.is_some_and(|version| u32::from_be_bytes(*version) < VERSION_LIMIT)
}
