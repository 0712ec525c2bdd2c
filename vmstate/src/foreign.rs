//! Files that are no migration stream, but have to do with one: what they are, and what to do.

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

const MULTIFD: &[u8] = &[0x11, 0x22, 0x33, 0x44];

/// What a file is that begins with `bytes`, if it is known.
pub fn recognize(bytes: &[u8]) -> Option<String> {
    if let Some((program, _)) = COMPRESSED.iter().find(|(_, magic)| bytes.starts_with(magic)) {
        return Some(format!(
            "compressed with {program}: `{program} -dc FILE | vmstate inspect -` reads the stream"
        ));
    }
    if bytes.starts_with(MULTIFD) {
        return Some("a channel of multifd, which is not supported: migrate without it".into());
    }
    if bytes.len() == BEGINNING && bytes.iter().all(|byte| *byte == 0) {
        let what = "a file that begins with zeros: find `QEVM`, where the stream begins; \
                    `file:FILE,offset=N` writes such a file";
        return Some(what.into());
    }
    let (magic, header) = bytes.split_first_chunk::<16>()?;
    match magic {
        b"LibvirtQemudSave" => Some(save_image(header)),
        b"LibvirtQemudPart" => Some("an incomplete save image of libvirt".into()),
        _ => None,
    }
}

/// Where the stream is in a save image of libvirt, from the numbers that follow its magic.
///
/// They are in the byte order of the host that wrote them. The version, 1 or 2, tells which.
fn save_image(header: &[u8]) -> String {
    const WHAT: &str = "a save image of libvirt";
    let number = |index: usize, read: fn([u8; 4]) -> u32| {
        let bytes = header.chunks_exact(4).nth(index)?.first_chunk()?;
        Some(read(*bytes))
    };
    let orders: [fn([u8; 4]) -> u32; 2] = [u32::from_le_bytes, u32::from_be_bytes];
    let known = |read: &fn([u8; 4]) -> u32| matches!(number(0, *read), Some(1 | 2));
    let Some(read) = orders.into_iter().find(known) else {
        return format!("{WHAT} of an unknown version");
    };
    // Version, length of the text, whether the machine ran, format of the stream.
    let (Some(version), Some(length), Some(format)) =
        (number(0, read), number(1, read), number(3, read))
    else {
        return format!("{WHAT}, cut short");
    };
    let offset = u64::from(length).saturating_add(BEGINNING as u64);
    let from = offset.saturating_add(1);
    let program = match (version, format) {
        (1, _) | (_, 0) => "",
        (_, 1) => " | gzip -dc",
        (_, 2) => " | bzip2 -dc",
        (_, 3) => " | xz -dc",
        (_, 4) => " | lzop -dc",
        (_, 5) => " | zstd -dc",
        (_, 6) => return format!("{WHAT} in the format `sparse` (mapped-ram): not supported"),
        _ => return format!("{WHAT} in the unknown format {format}"),
    };
    format!(
        "{WHAT}: QEMU's stream begins at {offset:#x} ({offset}); \
         `tail -c +{from} FILE{program} | vmstate inspect -` reads it"
    )
}
