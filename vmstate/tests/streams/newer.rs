//! Streams as newer QEMUs write them, with sections in other places, pages of other sizes, and what
//! is not supported.

use crate::data::{extract, to_mapped};
use crate::support::{
    Builder, SHIPPED, T2_TEXT, copy, copy_pipe, inspect, inspect_pipe, inspect_pipe_with,
    inspect_with, t1, t1_sections, t2, to_ordinary,
};
use vmstate::Options;

const ARM: &[u8] = include_bytes!("../data/qemu10-arm-none-64k.mig");
const MULTIFD: &[u8] = include_bytes!("../data/qemu10-multifd.mig");
const QEMU_10: [(&[u8], &str); 5] = [
    (include_bytes!("../data/qemu10-none-64k.mig"), "page_size=4096 total=65536"),
    (include_bytes!("../data/qemu10-none-uuid.mig"), "config   uuid=11223344-5566-7788-99aa-"),
    (include_bytes!("../data/qemu10-ignore-shared.mig"), "page_size=4096 total=1048576"),
    (include_bytes!("../data/qemu10-postcopy-advise.mig"), "name=POSTCOPY_ADVISE length=16"),
    (ARM, "page_size=1024 total=65536"),
];

fn message(stream: &[u8]) -> String {
    inspect(stream).unwrap_err().to_string()
}

fn page_size(size: u64) -> Options {
    Options { page_size: Some(size), ..Options::default() }
}

/// Checks that a stream is read alike from a file and from a pipe, and copied; returns the report.
fn accepted(stream: &[u8]) -> String {
    let report = inspect(stream).unwrap();
    for piece in [1, 1000, usize::MAX] {
        assert_eq!(inspect_pipe(stream, piece).unwrap(), report);
        assert_eq!(copy_pipe(stream, piece, Options::default()).unwrap(), stream);
    }
    assert_eq!(copy(stream, Options::default()).unwrap(), stream);
    report
}

#[test]
fn streams_of_qemu_10_are_read_from_files_and_pipes() {
    for (stream, part) in QEMU_10 {
        let report = accepted(stream);
        assert!(report.contains(part), "{report}");
        assert!(report.contains("command  number=11 name=SWITCHOVER_START length=0\n"), "{report}");
        assert!(report.contains("device   id=0 name=timer "), "{report}");
        assert!(report.ends_with("footers  yes\nok\n"), "{report}");
    }
}

#[test]
fn a_description_is_found_whatever_its_first_key() {
    let head = t2().len() - T2_TEXT.len();
    let (_, devices) = T2_TEXT.strip_suffix('}').unwrap().split_once(", ").unwrap();
    let configuration =
        r#""configuration": {"vmsd_name": "configuration", "version": 1, "fields": []}"#;
    let texts = [
        format!(r#"{{"devices":[],"page_size":4096,{devices}}}"#),
        format!(r#"{{{configuration}, "page_size": 4096, {devices}}}"#),
        format!(r#"{{{devices}, "page_size": 4096}}"#),
        format!("{{ \n\t\"page_size\" : 4096, {devices} }}\n"),
        format!(" \n{{\"page_size\": 4096, {devices}}}"),
        format!(r#"{{"\u0070age_size": 4096, {devices}}}"#),
    ];
    for text in texts {
        let stream = Builder(t2()[..head - 5].to_vec()).description(&text).0;
        let report = accepted(&stream);
        let line = format!("desc     offset=4307 bytes={} devices=2\n", text.len());
        assert!(report.contains(&line), "{report}");
    }
}

/// What looks like the announcement of a description is none where zero bytes follow.
#[test]
fn a_stream_without_description_has_none_whatever_its_bytes_look_like() {
    // The payload of the device ends with an end mark, and the length of what follows.
    let stream = t1_sections().full(7, b"odd", 0, 1).bytes(&[0, 6]).be32(6);
    let stream = stream.footer(7).byte(0).0;
    let text = message(&stream);
    assert!(text.contains("no description at the end tells where device `odd` ends"), "{text}");
}

/// A stream with pages of `size` bytes, all of them sent, the last with contents.
fn with_pages(size: u64, contents: &[u8]) -> Builder {
    let stream = Builder::machine(b"virt").start(&[(b"ram", 3 * size)]).footer(42);
    let stream = stream.byte(2).be32(42).be64(0x02).name(b"ram").byte(0);
    let stream = stream.be64(size | 0x08).name(b"ram").bytes(contents);
    let stream = stream.be64((2 * size) | 0x28).bytes(contents).be64(0x10).footer(42);
    stream.byte(3).be32(42).be64(0x10).footer(42).byte(0)
}

#[test]
fn the_page_size_is_guessed_from_the_first_records_of_a_pipe() {
    for size in [1024, 2048, 4096, 8192, 16384] {
        for fill in [0, 0x20, 0xff] {
            let page = vec![fill; usize::try_from(size).unwrap()];
            let text = format!(r#"{{"page_size": {size}, "devices": []}}"#);
            let report = accepted(&with_pages(size, &page).description(&text).0);
            assert!(report.contains(&format!(" page_size={size} total={}", 3 * size)), "{report}");
            // Without a description there is nothing else to tell it.
            let report = accepted(&with_pages(size, &page).0);
            assert!(report.contains(&format!(" page_size={size} total={}", 3 * size)), "{report}");
        }
    }
}

#[test]
fn page_sizes_that_are_not_guessed_can_be_given() {
    for size in [32768, 65536] {
        let page = vec![0x5a; usize::try_from(size).unwrap()];
        let stream = with_pages(size, &page).0;
        let text = inspect_pipe(&stream, 4096).unwrap_err().to_string();
        assert!(
            text.ends_with("(pages of 4096 bytes were guessed; --page-size gives another size)"),
            "{text}"
        );
        let report = inspect_pipe_with(&stream, 4096, page_size(size)).unwrap();
        assert!(report.contains(&format!(" page_size={size} ")), "{report}");
        assert_eq!(copy_pipe(&stream, 4096, page_size(size)).unwrap(), stream);
        // A page that is longer than the reader's buffer may be cut anywhere.
        for cut in [100, 40_000, stream.len() - 40_000] {
            assert!(copy_pipe(&stream[..cut], 4096, page_size(size)).is_err());
        }
    }
}

#[test]
fn pages_of_256_bytes_have_offsets_where_larger_ones_have_flags() {
    let page: Vec<u8> = (0..=255).collect();
    let stream = with_pages(256, &page);
    let described = stream.clone().description(r#"{"page_size": 256, "devices": []}"#).0;
    let line = " page_size=256 total=768 start=1 part=1 end=1\n\
                block    ram length=768 zero=1 normal=2 xbzrle=0 compressed=0\n";
    assert!(inspect(&described).unwrap().contains(line));
    assert!(copy(&described, Options::default()).unwrap() == described);
    let piped = inspect_pipe_with(&described, 100, page_size(256)).unwrap();
    assert!(piped.contains(line), "{piped}");
    // Nothing in a pipe tells so small a size before it is needed.
    assert!(inspect_pipe(&described, 100).is_err() && inspect(&stream.0).is_err());
    let memory = [&[0; 256][..], &page, &page].concat();
    let mapped = to_mapped(&described, &[]).unwrap();
    for form in [&to_ordinary(&described, &[]).unwrap(), &mapped, &described] {
        assert!(extract(form, &[]).unwrap()["ram.raw"] == memory);
    }
}

/// A guest can write pages whose contents look like the records of smaller pages.
#[test]
fn a_wrong_guess_of_the_page_size_is_found_by_the_description() {
    let zero_pages = |count: usize, name: &[u8], header: u64| {
        let one = Builder::default().be64(header).bytes(name).byte(0).0;
        one.repeat(count)
    };
    let mut page = vec![1; 4096];
    page.extend(zero_pages(7, b"\x03ram", 0x02));
    page.extend(zero_pages(445, b"", 0x22));
    assert_eq!(page.len(), 8192);
    let text = r#"{"page_size": 8192, "devices": []}"#;
    let stream = with_pages(8192, &page).description(text).0;
    let failure = inspect_pipe(&stream, 4096).unwrap_err().to_string();
    assert!(
        failure.ends_with(
            ": page size 8192 described, but 4096 guessed from the records: \
             --page-size 8192 reads the stream"
        ),
        "{failure}"
    );
    assert!(inspect(&stream).unwrap().contains(" page_size=8192 "));
    assert_eq!(
        inspect_pipe_with(&stream, 4096, page_size(8192)).unwrap(),
        inspect(&stream).unwrap()
    );
}

#[test]
fn page_sizes_that_contradict_each_other_are_errors() {
    let wrong = inspect_with(ARM, page_size(4096)).1.unwrap_err().to_string();
    assert!(wrong.ends_with("page size 1024 described, but 4096 given by --page-size"), "{wrong}");
    assert!(inspect_with(ARM, page_size(1024)).1.is_ok());
    let wrong = inspect_pipe_with(ARM, 100, page_size(4096)).unwrap_err().to_string();
    assert!(wrong.ends_with("page 0x400 is not at a whole page"), "{wrong}");

    let bits = |bits| {
        let sub = Builder::machine(b"virt").byte(5).name(b"configuration/target-page-bits");
        sub.be32(1).be32(bits).bytes(&t2()[17..]).0
    };
    assert!(accepted(&bits(12)).contains("config   page_size=4096\n"));
    let wrong = message(&bits(11));
    assert_eq!(wrong, "offset 0x35 (53): page size 2048 configured, but 4096 described");
    let wrong = inspect_pipe(&bits(11), 100).unwrap_err().to_string();
    assert!(wrong.starts_with("offset 0x"), "{wrong}");

    // All pages are zero: nothing of the memory tells a size, but its parts are too small.
    let small = r#"{"page_size": 8192, "devices": []}"#;
    let stream = Builder(t1()).description(small).0;
    assert!(message(&stream).ends_with("page 0x1000 is not at a whole page"));
    let failure = inspect_pipe(&stream, 100).unwrap_err().to_string();
    assert!(
        failure.ends_with("page size 8192 described, but some pages have 4096 bytes"),
        "{failure}"
    );
    // Nothing was read that depends on it.
    let empty = Builder::machine(b"none").start(&[(b"ram", 0x1_0000)]).footer(42);
    let empty = empty.byte(3).be32(42).be64(0x10).footer(42).byte(0).description(small).0;
    assert!(accepted(&empty).contains(" page_size=8192 total=65536 "));
}

#[test]
fn the_advice_of_postcopy_tells_the_page_size() {
    let advised = |sizes: u64, target: u64| {
        let stream = Builder::machine(b"none").byte(8).be16(3).be16(16).be64(sizes).be64(target);
        stream.bytes(&with_pages(1024, &[0; 1024]).0[17..]).0
    };
    assert!(accepted(&advised(4096, 1024)).contains(" page_size=1024 "));
    let failure = message(&advised(4096, 2048));
    assert!(failure.ends_with("length 0xc00 of RAM block `ram` is not whole pages"), "{failure}");
    assert_eq!(message(&advised(4096, 1000)), "offset 0x1e (30): page size 1000 of the target");
    let huge = "postcopy with huge pages is not supported: page sizes 0x201000";
    assert_eq!(message(&advised(0x20_1000, 1024)), format!("offset 0x16 (22): {huge}"));
}

#[test]
fn unknown_iterable_sections_are_named_wherever_they_stand() {
    // Before `ram`, after its START, after its END, after a device.
    for at in [17, 67, 98, t2().len() - 5 - T2_TEXT.len() - 1] {
        let before = if at < 99 { t1()[..at].to_vec() } else { t2()[..at].to_vec() };
        let start = Builder(before.clone()).byte(1).be32(7).name(b"new").be32(0).be32(1);
        let stream = start.byte(0).description(T2_TEXT).0;
        let offset = at + 5;
        assert_eq!(
            message(&stream),
            format!("offset {offset:#x} ({offset}): iterable section `new` is not supported")
        );
    }
}

/// The device sections of `t2` at other places: (bytes of the devices, bytes before, bytes after).
fn devices_of_t2() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let stream = t2();
    let end = stream.len() - 5 - T2_TEXT.len() - 1;
    (stream[4220..end].to_vec(), stream[..4220].to_vec(), stream[end..].to_vec())
}

#[test]
fn devices_may_come_before_the_memory_or_before_its_end() {
    let (devices, before, after) = devices_of_t2();
    // Before START, between START and PART, before END.
    for at in [17, 67, 4202] {
        let mut stream = [&before[..], &after].concat();
        stream.splice(at..at, devices.clone());
        let report = accepted(&stream);
        assert!(report.contains("device   id=1 name=demo instance=0 version=2 "), "{report}");
        assert!(report.contains(" start=1 part=1 end=1\n"), "{report}");
        assert!(report.ends_with("footers  yes\nok\n"), "{report}");
        // Their end can be guessed, too.
        let bare = &stream[..stream.len() - 5 - T2_TEXT.len()];
        let guess = Options { guess: true, ..Options::default() };
        let guessed = inspect_with(bare, guess).1.unwrap();
        assert!(guessed.contains(" bytes=36 guessed\n"), "{guessed}");
    }
}

#[test]
fn a_background_snapshot_has_no_end_of_the_memory() {
    let (devices, before, after) = devices_of_t2();
    let stream = [&before[..4202], &devices, &after].concat();
    let report = accepted(&stream);
    assert!(report.contains(" start=1 part=1 end=0\n"), "{report}");
    assert!(report.contains("block    ram length=8192 zero=1 normal=1 "), "{report}");
    assert!(report.ends_with("kind     background snapshot: no END of `ram`\nok\n"), "{report}");
}

#[test]
fn devices_may_come_without_memory() {
    let (devices, before, after) = devices_of_t2();
    let stream = [&before[..17], &devices, &after].concat();
    let report = accepted(&stream);
    assert!(report.contains("\nram      none\n"), "{report}");
    assert!(report.ends_with("kind     devices without memory\nok\n"), "{report}");
    let nothing = Builder::machine(b"none").byte(0).0;
    assert_eq!(message(&nothing), "offset 0x11 (17): the stream ends without memory and devices");
}

#[test]
fn the_memory_may_end_more_than_once() {
    let sections = t1_sections();
    let part = |kind| Builder::default().byte(kind).be32(42).be64(0x10).footer(42).0;
    let stream = sections.bytes(&part(2)).bytes(&part(3)).byte(0).0;
    let report = accepted(&stream);
    assert!(report.contains(" start=1 part=1 end=2\n"), "{report}");
}

#[test]
fn features_that_are_not_supported_are_named() {
    let record = |header: u64| Builder(t1()[..72].to_vec()).be64(header).bytes(&t1()[80..]).0;
    let table = [
        (0x1001, "RAM flag 0x1 (pages of QEMU before 0.11) is not supported"),
        (0x80, "RAM flag 0x80 (hook of RDMA) is not supported: migrate without RDMA"),
        (
            0x200,
            "RAM flag 0x200 (multifd): the pages are in other channels, whose files are to be \
             named after this one",
        ),
        (0, "record 0x0 has no flags: a hole in the file?"),
        (0x300, "unknown combination of RAM flags 0x300"),
    ];
    for (header, what) in table {
        assert_eq!(message(&record(header)), format!("offset 0x48 (72): {what}"));
    }
    let multifd = message(MULTIFD);
    assert!(multifd.starts_with("offset 0x36 (54): RAM flag 0x200 (multifd): "), "{multifd}");
    let packaged = Builder(t1()[..67].to_vec()).byte(8).be16(7).be16(4).be32(100).0;
    assert!(message(&packaged).contains("the file ends in the package"), "{}", message(&packaged));
}

#[test]
fn other_files_are_named_with_what_to_do() {
    let programs: [(&str, &[u8]); 5] = [
        ("gzip", b"\x1f\x8b\x08"),
        ("xz", b"\xfd7zXZ\0"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("bzip2", b"BZh9"),
        ("lzop", b"\x89LZO\0\r\n\x1a\n"),
    ];
    for (program, magic) in programs {
        let expected = format!(
            "offset 0x0 (0): not a migration stream, but compressed with {program}: \
             `{program} -dc FILE | vmstate inspect -` reads the stream"
        );
        assert_eq!(message(magic), expected);
        assert_eq!(inspect_pipe(magic, 1).unwrap_err().to_string(), expected);
    }
    let channel = message(b"\x11\x22\x33\x44\0\0\0\x01");
    assert!(channel.ends_with("a channel of multifd: name it after the file of the main stream"));
    let zeros = [&[0; 5000], SHIPPED].concat();
    let piped = inspect_pipe(&zeros, 1000).unwrap_err().to_string();
    assert!(piped.contains("begins with zeros: find `QEVM`"), "{piped}");
    // In a file the stream is found.
    assert!(inspect(&zeros).unwrap().contains("eof      offset=9420\n"));
    let nothing = message(&[0; 200_000]);
    assert!(nothing.contains("begins with zeros: find `QEVM`"), "{nothing}");
}

#[test]
fn a_file_is_copied_with_what_is_before_its_stream() {
    let header = [&b"LibvirtQemudSave"[..], &2_u32.to_le_bytes(), &300_u32.to_le_bytes()].concat();
    for before in [vec![0], vec![0; 5000], [&header[..], &[0; 368]].concat()] {
        let file = [&before, SHIPPED].concat();
        assert!(inspect(&file).unwrap().ends_with("ok\n"));
        assert!(copy(&file, Options::default()).unwrap() == file, "{} bytes", before.len());
        let cut = &file[..file.len() - 1];
        assert!(inspect(cut).is_err() && copy(cut, Options::default()).is_err());
    }
}

#[test]
fn a_save_image_of_libvirt_tells_where_the_stream_begins() {
    let image = |magic: &[u8], orders: fn(u32) -> [u8; 4], numbers: [u32; 4]| {
        let header = Builder::default().bytes(magic);
        let header = numbers.iter().fold(header, |it, number| it.bytes(&orders(*number)));
        header.bytes(&[0; 60]).bytes(&[b'x'; 300]).bytes(SHIPPED).0
    };
    let save = b"LibvirtQemudSave";
    let begins = "offset 0x0 (0): not a migration stream, but a save image of libvirt";
    let at = "QEMU's stream begins at 0x188 (392)";
    for orders in [u32::to_le_bytes, u32::to_be_bytes] {
        let stream = image(save, orders, [2, 300, 1, 0]);
        assert_eq!(
            inspect_pipe(&stream, 1000).unwrap_err().to_string(),
            format!("{begins}: {at}; `tail -c +393 FILE | vmstate inspect -` reads it")
        );
        // In a file it is read there: not packed, of version 1, or with mapped memory.
        for numbers in [[2, 300, 1, 0], [1, 300, 1, 5], [2, 300, 1, 6]] {
            let report = inspect(&image(save, orders, numbers)).unwrap();
            assert!(report.contains("eof      offset=4812\n"), "{report}");
        }
        for (format, program) in [(1, "gzip"), (2, "bzip2"), (3, "xz"), (4, "lzop"), (5, "zstd")] {
            let stream = image(save, orders, [2, 300, 0, format]);
            let tail = format!("`tail -c +393 FILE | {program} -dc | vmstate inspect -` reads it");
            assert_eq!(message(&stream), format!("{begins}: {at}; {tail}"));
        }
        let format = message(&image(save, orders, [2, 300, 1, 7]));
        assert!(format.ends_with("in the unknown format 7"), "{format}");
        let version = message(&image(save, orders, [3, 300, 1, 0]));
        assert!(version.ends_with("of an unknown version"), "{version}");
        let far = message(&image(save, orders, [2, u32::MAX, 1, 0]));
        assert!(far.contains("the file ends"), "{far}");
    }
    let part = message(&image(b"LibvirtQemudPart", u32::to_le_bytes, [2, 300, 1, 0]));
    assert!(part.ends_with("an incomplete save image of libvirt"), "{part}");
    let cut = message(&image(save, u32::to_le_bytes, [2, 300, 1, 0])[..24]);
    assert!(cut.ends_with("a save image of libvirt, cut short"), "{cut}");
}
