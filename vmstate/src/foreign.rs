//! Files that do not begin with a migration stream, but have to do with one: where the stream is in
//! them, or what they are and what to do.

use iov_iter::Piece;
use iov_iter::file::{ChannelError, ReadChannel};

use crate::Failure;

/// The bytes at the beginning of a file that are looked at: the header of libvirt's save image.
pub const BEGINNING: usize = 92;

/// Programs that compress, and how their files begin.
const COMPRESSED: [(&str, &[u8]); 5] = [
    ("gzip", b"\x1f\x8b"),
    ("xz", b"\xfd7zXZ\0"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("bzip2", b"BZh"),
    ("lzop", b"\x89LZO\0\r\n\x1a\n"),
];

const STREAM: &[u8] = b"QEVM";
/// A file may begin with so many zeros.
const ZEROS_LIMIT: u64 = 64 << 20;
const WINDOW: usize = 1 << 16;
const MULTIFD: &[u8] = &[0x11, 0x22, 0x33, 0x44];

/// Where the stream begins in a file that can be read at any place: at its start, after the header of
/// libvirt's save image, or after zeros, where QEMU wrote it with `file:FILE,offset=N`.
pub fn find_start(channel: &mut dyn ReadChannel) -> Result<u64, Failure> {
    let mut window = vec![0; WINDOW];
    let len = fill(channel, &mut window, 0)?;
    let bytes = window.get(..len.min(BEGINNING)).unwrap_or_default();
    if let Some((b"LibvirtQemudSave", header)) = bytes.split_first_chunk::<16>()
        && let Ok((start, "")) = save_image(header)
    {
        return Ok(start);
    }
    let mut at = 0_u64;
    while at < ZEROS_LIMIT {
        let len = fill(channel, &mut window, at)?;
        let bytes = window.get(..len).unwrap_or_default();
        if let Some(zeros) = bytes.iter().position(|byte| *byte != 0) {
            at = at.saturating_add(zeros as u64);
            let mut magic = [0; STREAM.len()];
            fill(channel, &mut magic, at)?;
            // Anything else is refused, or named, where the file begins.
            return Ok(if magic == STREAM { at } else { 0 });
        }
        if len < WINDOW {
            break;
        }
        at = at.saturating_add(len as u64);
    }
    Ok(0)
}

/// Fills `into` from `at` on; how many bytes there were.
fn fill(channel: &mut dyn ReadChannel, into: &mut [u8], at: u64) -> Result<usize, Failure> {
    let mut filled = 0_usize;
    while let room @ [_, ..] = into.get_mut(filled..).unwrap_or_default() {
        match channel.read_at(&[Piece::from(room)], at.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(got) => filled = filled.saturating_add(got),
            Err(ChannelError::WouldBlock) => {}
            Err(error) => return Err(Failure::from_input(error)),
        }
    }
    Ok(filled)
}

/// What a file is that begins with `bytes`, if it is known.
pub fn recognize(bytes: &[u8]) -> Option<String> {
    if let Some((program, _)) = COMPRESSED.iter().find(|(_, magic)| bytes.starts_with(magic)) {
        return Some(format!(
            "compressed with {program}: `{program} -dc FILE | vmstate inspect -` reads the stream"
        ));
    }
    if bytes.starts_with(MULTIFD) {
        return Some("a channel of multifd: name it after the file of the main stream".into());
    }
    if bytes.len() == BEGINNING && bytes.iter().all(|byte| *byte == 0) {
        let what = "a file that begins with zeros: find `QEVM`, where the stream begins, and give \
                    that as --offset";
        return Some(what.into());
    }
    let (magic, header) = bytes.split_first_chunk::<16>()?;
    match magic {
        b"LibvirtQemudSave" => Some(match save_image(header) {
            Ok((start, program)) => format!(
                "a save image of libvirt: QEMU's stream begins at {start:#x} ({start}); \
                 `tail -c +{} FILE{program} | vmstate inspect -` reads it",
                start.saturating_add(1)
            ),
            Err(what) => format!("a save image of libvirt{what}"),
        }),
        b"LibvirtQemudPart" => Some("an incomplete save image of libvirt".into()),
        _ => None,
    }
}

/// Where the stream is in a save image of libvirt, and what unpacks it, from the numbers that follow
/// its magic.
///
/// They are in the byte order of the host that wrote them. The version, 1 or 2, tells which.
fn save_image(header: &[u8]) -> Result<(u64, &'static str), String> {
    let number = |index: usize, read: fn([u8; 4]) -> u32| {
        let bytes = header.chunks_exact(4).nth(index)?.first_chunk()?;
        Some(read(*bytes))
    };
    let orders: [fn([u8; 4]) -> u32; 2] = [u32::from_le_bytes, u32::from_be_bytes];
    let known = |read: &fn([u8; 4]) -> u32| matches!(number(0, *read), Some(1 | 2));
    let Some(read) = orders.into_iter().find(known) else {
        return Err(" of an unknown version".into());
    };
    // Version, length of the text, whether the machine ran, format of the stream.
    let (Some(version), Some(length), Some(format)) =
        (number(0, read), number(1, read), number(3, read))
    else {
        return Err(", cut short".into());
    };
    let offset = u64::from(length).saturating_add(BEGINNING as u64);
    let program = match (version, format) {
        (1, _) | (_, 0 | 6) => "",
        (_, 1) => " | gzip -dc",
        (_, 2) => " | bzip2 -dc",
        (_, 3) => " | xz -dc",
        (_, 4) => " | lzop -dc",
        (_, 5) => " | zstd -dc",
        _ => return Err(format!(" in the unknown format {format}")),
    };
    Ok((offset, program))
}
