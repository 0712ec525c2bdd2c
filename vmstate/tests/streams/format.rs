//! The format of migration streams: hand-made streams, damaged in every way.

use crate::support::{
    Builder, SHIPPED, T2_TEXT, copy, copy_pipe, damage, inspect, inspect_pipe, inspect_with, t1,
    t1_sections, t2, t2_with,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use vmstate::{Failure, Options};

const RAW_TAIL: Options = Options { page_size: None, guess: false, raw_tail: true };
const GUESS: Options = Options { page_size: None, guess: true, raw_tail: false };

/// `stream` with other bytes at some offsets.
fn edited(mut stream: Vec<u8>, edits: &[(usize, u8)]) -> Vec<u8> {
    for &(offset, value) in edits {
        stream[offset] = value;
    }
    stream
}

fn message(stream: &[u8]) -> String {
    inspect(stream).unwrap_err().to_string()
}

#[test]
fn hand_made_streams_are_as_specified() {
    assert_eq!((t1().len(), crc32fast::hash(&t1())), (99, 0xccca_8d46));
    assert_eq!(T2_TEXT.len(), 630);
    assert_eq!((t2().len(), crc32fast::hash(&t2())), (4942, 0xd796_a5a7));
}

#[test]
fn report_of_t1() {
    let expected = "\
header   version=3
config   machine=none
ram      id=42 version=4 page_size=4096 total=8192 start=1 part=0 end=1
block    ram length=8192 zero=1 normal=0 xbzrle=0 compressed=0
device   none
eof      offset=98
desc     none
footers  yes
ok
";
    assert_eq!(inspect(&t1()).unwrap(), expected);
    assert_eq!(inspect_pipe(&t1(), 1).unwrap(), expected);
}

#[test]
fn report_of_t2() {
    let expected = "\
header   version=3
config   machine=none
ram      id=42 version=4 page_size=4096 total=8192 start=1 part=1 end=1
block    ram length=8192 zero=1 normal=1 xbzrle=0 compressed=0
device   id=1 name=demo instance=0 version=2 offset=4238 bytes=36 fields=3 subsections=1
device   id=3 name=old instance=5 version=1 offset=4296 bytes=5 unstructured
eof      offset=4306
desc     offset=4307 bytes=630 devices=2
footers  yes
ok
";
    assert_eq!(inspect(&t2()).unwrap(), expected);
    for piece in [1, 7, 4096, usize::MAX] {
        assert_eq!(inspect_pipe(&t2(), piece).unwrap(), expected);
    }
}

#[test]
fn report_of_the_shipped_stream() {
    let expected = "\
header   version=3
config   machine=none
ram      id=2 version=4 page_size=4096 total=16384 start=1 part=1 end=1
block    ram length=16384 zero=3 normal=1 xbzrle=0 compressed=0
device   id=0 name=timer instance=0 version=2 offset=4257 bytes=24 fields=3 subsections=0
device   id=4 name=globalstate instance=0 version=1 offset=4311 bytes=104 fields=2 subsections=0
eof      offset=4420
desc     offset=4421 bytes=486 devices=2
footers  yes
ok
";
    assert_eq!(inspect(SHIPPED).unwrap(), expected);
}

#[test]
fn copies_are_identical() {
    for stream in [t1(), t2(), SHIPPED.to_vec()] {
        assert_eq!(copy(&stream, Options::default()).unwrap(), stream);
        assert_eq!(copy(&stream, RAW_TAIL).unwrap(), stream);
        for piece in [1, 13, usize::MAX] {
            assert_eq!(copy_pipe(&stream, piece, Options::default()).unwrap(), stream);
            assert_eq!(copy_pipe(&stream, piece, RAW_TAIL).unwrap(), stream);
        }
    }
}

#[test]
fn single_edits_of_t1_are_reported_where_they_are() {
    let table: &[((usize, u8), u64, &str)] = &[
        ((0, 0x50), 0, "not a migration stream: magic 0x5045564d"),
        ((7, 2), 4, "unknown stream version 2"),
        ((9, 0x7f), 9, "machine name of 2130706436 bytes, not 1 to 255"),
        ((17, 9), 17, "unknown section type 0x09"),
        ((29, 1), 26, "instance 1 of section `ram`"),
        ((33, 5), 30, "unknown version 5 of section `ram`"),
        ((40, 0x10), 46, "length 0x2000 of RAM block `ram`, but only 0x1000 of the total left"),
        ((53, 1), 46, "length 0x2001 of RAM block `ram` is not whole pages"),
        ((40, 0x30), 54, "empty name of a RAM block"),
        ((62, 0x7f), 62, "unknown section type 0x7f"),
        ((66, 0x2b), 63, "footer of section 43 ends section 42"),
        ((71, 0x2b), 68, "no section 43 has begun"),
        ((79, 0x22), 72, "CONTINUE without a block"),
        ((79, 0x0a), 72, "unknown combination of RAM flags 0xa"),
        ((78, 0x11), 72, "unknown combination of RAM flags 0x102"),
        ((78, 0x20), 72, "page 0x2000 is beyond block `ram`"),
        ((82, 0x62), 80, "unknown RAM block `rbm`"),
        ((98, 6), 98, "unknown section type 0x06"),
    ];
    for (edit, offset, what) in table {
        let expected = format!("offset {offset:#x} ({offset}): {what}");
        assert_eq!(message(&edited(t1(), &[*edit])), expected, "{edit:?}");
    }
}

#[test]
fn additions_to_t1_are_reported_where_they_are() {
    let mut repeated = t1();
    repeated.splice(67..67, t1()[17..67].to_vec());
    assert_eq!(message(&repeated), "offset 0x43 (67): second START of section `ram`");
    let table: &[(&[u8], &str)] = &[
        (b"X", "offset 0x63 (99): something follows the end of the stream"),
        (b"\x06", "offset 0x64 (100): the file ends in the description that begins at 0x63"),
        (
            b"\x06\xff\xff\xff\xff",
            "offset 0x64 (100): description of 4294967295 bytes, but 0 follow",
        ),
        (b"\x06\0\0\0\x03{}", "offset 0x64 (100): description of 3 bytes, but 2 follow"),
        (b"\x06\0\0\0\x02{}", "offset 0x68 (104): the description tells no page size"),
        (b"\x06\0\0\0\x02{\0", "offset 0x68 (104): the description ends with a zero byte"),
    ];
    for (addition, expected) in table {
        let stream = [&t1(), *addition].concat();
        assert_eq!(message(&stream), *expected);
        assert_eq!(inspect_pipe(&stream, 5).unwrap_err().to_string(), *expected);
    }
    let described = [&t1(), &b"\x06\0\0\0\x22{\"page_size\": 4096, \"devices\": []}"[..]].concat();
    assert!(inspect(&described).unwrap().contains("desc     offset=99 bytes=34 devices=0\n"));
}

/// Every byte of T1, changed to every other value.
#[test]
fn every_change_of_a_byte_of_t1_is_found() {
    for offset in 0..99 {
        for value in (0..=255).filter(|value| *value != t1()[offset]) {
            let stream = edited(t1(), &[(offset, value)]);
            let result = inspect(&stream);
            let accepted = match offset {
                13..=16 => (0x20..0x7f).contains(&value),
                // A page of 1024 or 2048 bytes.
                78 => value < 0x20 && value % 4 == 0,
                // PART instead of END, as in a background snapshot.
                67 => value == 2,
                84 => true,
                _ => false,
            };
            assert_eq!(result.is_ok(), accepted, "offset {offset} value {value}: {result:?}");
            if offset == 84 {
                assert!(
                    result.unwrap().contains(" zero=1 normal=0 xbzrle=0 compressed=0 filled=1")
                );
            }
            let copied = copy(&stream, Options::default());
            assert_eq!(copied.ok(), accepted.then_some(stream), "offset {offset} {value}");
        }
    }
}

/// A cut is reported at the end of the file, or where a device is that is no longer described.
#[test]
fn every_cut_is_found() {
    for (stream, first_payload) in [(t1(), usize::MAX), (t2(), 4238), (SHIPPED.to_vec(), 4257)] {
        for len in 0..stream.len() {
            let cut = &stream[..len];
            let Err(Failure::Damaged { offset, what, .. }) = inspect(cut) else {
                panic!("cut after {len} bytes accepted");
            };
            assert_eq!(offset, len.min(first_payload) as u64, "{what}");
            assert!(copy(cut, Options::default()).is_err());
            assert!(inspect_pipe(cut, 100).is_err());
        }
    }
}

#[test]
fn cuts_name_the_element_and_its_beginning() {
    let table = [
        (0, "the file ends in the header that begins at 0x0"),
        (11, "the file ends in the configuration that begins at 0x8"),
        (17, "the file ends where a section is expected"),
        (24, "the file ends in the START section that begins at 0x11"),
        (50, "the file ends in the list of RAM blocks that begins at 0x22"),
        (60, "the file ends in the RAM record that begins at 0x36"),
        (64, "the file ends in the section footer that begins at 0x3e"),
        (70, "the file ends in the END section that begins at 0x43"),
        (84, "the file ends in the RAM record that begins at 0x48"),
    ];
    for (len, what) in table {
        assert_eq!(message(&t1()[..len]), format!("offset {len:#x} ({len}): {what}"));
    }
}

/// Every byte of a stream with devices changed: no panic, and what is accepted is copied unchanged.
///
/// In the contents of a page, which begin at `page`, one change of a byte is as good as another.
fn flip_every_byte(stream: &[u8], page: usize) {
    let all: Vec<u8> = (0..8).map(|bit| 1 << bit).chain([0xff]).collect();
    for offset in 0..stream.len() {
        for flip in if (page..page + 4096).contains(&offset) { &all[..1] } else { &all } {
            let stream = edited(stream.to_vec(), &[(offset, stream[offset] ^ flip)]);
            let accepted = inspect(&stream).is_ok();
            if offset % 16 == 0 {
                let copied = copy(&stream, Options::default());
                assert_eq!(copied.ok(), accepted.then_some(stream.clone()), "{offset} {flip}");
                let _ = inspect_with(&stream, GUESS);
                assert_eq!(inspect_pipe(&stream, 1000).is_ok(), accepted, "{offset} {flip}");
            }
        }
    }
}

#[test]
fn flips_of_t2_do_no_harm() {
    flip_every_byte(&t2(), 93);
}

#[test]
fn flips_of_the_shipped_stream_do_no_harm() {
    let page = memchr::memmem::find(SHIPPED, b"Guest memory").unwrap();
    flip_every_byte(SHIPPED, page);
}

proptest! {
    /// Any damage: no panic, an offset within the file, and what is accepted is copied unchanged.
    #[test]
    fn random_damage_does_no_harm(
        which in 0..3_usize,
        damage in vec((any::<Index>(), 0..20_usize, vec(any::<u8>(), 0..20)), 1..4),
        piece in 1..5000_usize,
    ) {
        let mut stream = [t1(), t2(), SHIPPED.to_vec()][which].clone();
        for (at, removed, inserted) in damage {
            let start = at.index(stream.len() + 1);
            let end = (start + removed).min(stream.len());
            stream.splice(start..end, inserted);
        }
        let result = inspect(&stream);
        if let Err(failure) = &result {
            let Failure::Damaged { offset, .. } = failure else { panic!("{failure}") };
            prop_assert!(*offset <= stream.len() as u64);
        }
        prop_assert_eq!(inspect_pipe(&stream, piece).ok(), result.as_ref().ok().cloned());
        let copied = copy(&stream, Options::default()).ok();
        prop_assert_eq!(copied, result.is_ok().then(|| stream.clone()));
        let piped = copy_pipe(&stream, piece, Options::default()).ok();
        prop_assert_eq!(piped, result.is_ok().then(|| stream.clone()));
        let _ = inspect_with(&stream, GUESS);
        let _ = copy(&stream, RAW_TAIL);
    }
}

#[test]
fn footers_and_configuration_may_be_absent() {
    for (configuration, footers) in [(false, false), (false, true), (true, false), (true, true)] {
        let stream = t2_with(configuration, footers, Some(T2_TEXT)).0;
        let text = inspect(&stream).unwrap();
        assert_eq!(text.contains("config   none\n"), !configuration);
        assert_eq!(text.contains("footers  no\n"), !footers);
        assert_eq!(copy(&stream, Options::default()).unwrap(), stream);
    }
}

#[test]
fn page_records_of_all_kinds() {
    let encoded = Builder::machine(b"none")
        .start(&[(b"ram", 0x4000), (b"a b\n", 0x1000)])
        .footer(42)
        .byte(0x02)
        .be32(42)
        .be64(0x3040)
        .name(b"ram")
        .byte(1)
        .be16(4096)
        .bytes(&[5; 4096])
        .be64(0x0120)
        .be32(8192)
        .bytes(&[6; 8192])
        .be64(0x10)
        .footer(42)
        .byte(0x03)
        .be32(42)
        .be64(0x1022) // the block survives the border of the section
        .byte(0)
        .be64(0x02)
        .name(b"a b\n")
        .byte(0)
        .be64(0x10)
        .footer(42)
        .byte(0)
        .0;
    let text = inspect(&encoded).unwrap();
    assert!(text.contains("block    ram length=16384 zero=1 normal=0 xbzrle=1 compressed=1\n"));
    assert!(
        text.contains("block    a\\x20b\\x0a length=4096 zero=1 normal=0 xbzrle=0 compressed=0\n")
    );
    assert_eq!(copy(&encoded, Options::default()).unwrap(), encoded);

    let xbzrle_length = 98;
    assert_eq!(encoded[xbzrle_length..xbzrle_length + 2], [0x10, 0]);
    assert_eq!(damage(&edited(encoded.clone(), &[(xbzrle_length + 1, 1)])), 98);
    assert_eq!(damage(&edited(encoded.clone(), &[(xbzrle_length - 1, 2)])), 97);
    let compress_length = xbzrle_length + 2 + 4096 + 8;
    assert_eq!(encoded[compress_length..compress_length + 4], [0, 0, 0x20, 0]);
    let longer = edited(encoded.clone(), &[(compress_length + 3, 1)]);
    assert_eq!(damage(&longer), compress_length as u64);
    let huge = edited(encoded, &[(compress_length, 0xff)]);
    assert_eq!(damage(&huge), compress_length as u64);
}

#[test]
fn configuration_subsections() {
    let uuid: Vec<u8> = (0x10..0x20).collect();
    let sub = |name: &[u8]| Builder::machine(b"none").byte(5).name(name).be32(1);
    let rest = t1()[17..].to_vec();

    let stream = sub(b"configuration/uuid").bytes(&uuid).bytes(&rest).0;
    let text = inspect(&stream).unwrap();
    assert!(text.contains("config   uuid=10111213-1415-1617-1819-1a1b1c1d1e1f\n"), "{text}");
    assert_eq!(copy(&stream, Options::default()).unwrap(), stream);

    let bits = |bits| sub(b"configuration/target-page-bits").be32(bits).bytes(&rest).0;
    assert!(inspect(&bits(12)).unwrap().contains("config   page_size=4096\n"));
    assert!(inspect(&bits(11)).unwrap().contains("page_size=2048 total=8192"));
    for wrong in [0, 7, 17, 64, u32::MAX] {
        assert_eq!(damage(&bits(wrong)), 53);
    }

    // Every block has a guest address then.
    let capability = sub(b"configuration/capabilities").be32(1).name(b"x-ignore-shared");
    let mut blocks = rest.clone();
    blocks.splice(37..37, 0x1234_5000_u64.to_be_bytes());
    let stream = capability.clone().bytes(&blocks).0;
    let text = inspect(&stream).unwrap();
    assert!(text.contains("config   capability=x-ignore-shared\n"));
    assert!(text.contains(" compressed=0 address=0x12345000\n"), "{text}");
    assert_eq!(copy(&stream, Options::default()).unwrap(), stream);

    assert_eq!(damage(&sub(b"configuration/capabilities").be32(65).bytes(&rest).0), 49);
    let unknown = sub(b"configuration/capabilities").be32(1).name(b"multifd").bytes(&rest).0;
    assert_eq!(message(&unknown), "offset 0x35 (53): capability `multifd` is not supported");
    assert_eq!(damage(&sub(b"configuration/other").bytes(&rest).0), 18);
    let twice = sub(b"configuration/uuid").bytes(&uuid).byte(5).name(b"configuration/uuid");
    assert_eq!(damage(&twice.be32(1).bytes(&uuid).bytes(&rest).0), 58);
    let version = Builder::machine(b"none").byte(5).name(b"configuration/uuid").be32(2);
    assert_eq!(damage(&version.bytes(&uuid).bytes(&rest).0), 37);
}

#[test]
fn commands() {
    let with = |command: Builder| [&t1()[..17], &command.0, &t1()[17..]].concat();
    let command = |number: u16, payload: &[u8]| {
        let len = u16::try_from(payload.len()).unwrap();
        Builder::default().byte(8).be16(number).be16(len).bytes(payload)
    };
    let advise = Builder::default().be64(4096).be64(4096).0;
    let all = command(1, b"").bytes(&command(2, &[0, 0, 0, 1]).0).bytes(&command(3, &advise).0);
    let all = all.bytes(&command(3, b"").0).bytes(&command(10, &[7; 65535]).0);
    let text = inspect(&with(all.clone())).unwrap();
    assert!(text.contains("command  number=1 name=OPEN_RETURN_PATH length=0\n"), "{text}");
    assert!(text.contains("command  number=2 name=PING length=4\n"), "{text}");
    assert!(text.contains("command  number=3 name=POSTCOPY_ADVISE length=16\n"), "{text}");
    assert!(text.contains("command  number=10 name=RECV_BITMAP length=65535\n"), "{text}");
    assert_eq!(copy(&with(all.clone()), Options::default()).unwrap(), with(all));

    for number in [0, 12, 0xffff] {
        assert_eq!(damage(&with(command(number, b""))), 18);
    }
    for number in [1, 2, 4, 5, 7, 8, 9, 11] {
        assert_eq!(damage(&with(command(number, &[0; 3]))), 20);
    }
    let huge_pages = Builder::default().be64(0x20_1000).be64(4096).0;
    assert_eq!(damage(&with(command(3, &huge_pages))), 22);
}

#[test]
fn sections_have_their_order_and_their_own_ids() {
    let sections = t1_sections();
    let end_first = [&t1()[..17], &t1()[67..]].concat();
    assert_eq!(message(&end_first), "offset 0x12 (18): no section 42 has begun");
    let same_id = sections.clone().full(42, b"timer", 0, 2).0;
    assert_eq!(message(&same_id), "offset 0x63 (99): second section with id 42");
    let nameless = sections.full(1, b"", 0, 2).0;
    assert_eq!(message(&nameless), "offset 0x67 (103): empty name of a section");
    let second_list = [&t1()[..54], &t1()[34..]].concat();
    assert_eq!(message(&second_list), "offset 0x36 (54): second list of RAM blocks");
    let late_list = [&t1()[..34], &t1()[54..]].concat();
    assert_eq!(damage(&late_list), 34);
    let twins = Builder::machine(b"none").start(&[(b"ram", 0x1000), (b"ram", 0x1000)]).0;
    assert_eq!(message(&twins), "offset 0x36 (54): second RAM block `ram`");
    let names: Vec<[u8; 2]> = (0..4097_u16).map(u16::to_be_bytes).collect();
    let blocks: Vec<(&[u8], u64)> = names.iter().map(|name| (&name[..], 0x1000)).collect();
    let stream = Builder::machine(b"none").start(&blocks).0;
    assert_eq!(damage(&stream), 42 + 4096 * 11);
}

#[test]
fn memory_of_other_page_sizes() {
    let text = r#"{"page_size": 65536, "devices": []}"#;
    let page = vec![0xab; 65536];
    let ram = Builder::machine(b"none").start(&[(b"ram", 0x2_0000)]).byte(0x03).be32(42);
    let pages = ram.be64(0x1_0008).name(b"ram").bytes(&page).be64(0x28).bytes(&page).be64(0x10);
    let stream = pages.byte(0).description(text).0;
    let report = inspect(&stream).unwrap();
    assert!(report.contains("page_size=65536 total=131072"), "{report}");
    assert_eq!(copy(&stream, Options::default()).unwrap(), stream);
    // A pipe is read before the size is known, which is then found to be another one.
    assert!(inspect_pipe(&stream, 4096).is_err());
}
