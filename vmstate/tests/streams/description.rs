//! Descriptions of migration streams: fitting, not fitting, damaged, absent.

use crate::support::{Builder, T2_TEXT, copy, inspect, inspect_with, t1, t1_sections, t2, t2_with};
use vmstate::{Failure, Options};

const RAW_TAIL: Options = Options { page_size: None, guess: false, raw_tail: true };
const GUESS: Options = Options { page_size: None, guess: true, raw_tail: false };

fn message(stream: &[u8]) -> String {
    inspect(stream).unwrap_err().to_string()
}

/// QEMU before 10.0 describes the others like the first, which points at nothing.
#[test]
fn an_array_of_pointers_may_be_longer_than_described() {
    for first in [r#""type": "struct", "struct": {}"#, r#""type": "nullptr""#] {
        let field = format!(r#"{{"name": "css", "array_len": 3, {first}, "size": 1}}"#);
        let described = |name| {
            format!(
                r#"{{"name": "{name}", "instance_id": 0, "vmsd_name": "a", "version": 1, "fields": [{field}]}}"#
            )
        };
        let text = format!(
            r#"{{"page_size": 4096, "devices": [{}, {}]}}"#,
            described("a"),
            described("b")
        );
        let devices = |payload: &[u8]| {
            let stream = t1_sections().full(7, b"a", 0, 1).bytes(payload).footer(7);
            stream.full(8, b"b", 0, 1).bytes(b"000").footer(8).byte(0).description(&text).0
        };
        let long = devices(b"0longer0");
        let report = inspect(&long).unwrap();
        assert!(
            report.contains(" name=a instance=0 version=1 offset=113 bytes=8 guessed\n"),
            "{report}"
        );
        assert!(
            report.contains(
                " name=b instance=0 version=1 offset=141 bytes=3 fields=1 subsections=0\n"
            ),
            "{report}"
        );
        assert!(report.ends_with("ok, but the lengths of devices are guessed\n"), "{report}");
        assert!(copy(&long, Options::default()).unwrap() == long);
        assert!(inspect(&devices(b"00")).is_err());
    }
}

#[test]
fn descriptions_that_do_not_fit_are_found() {
    let replaced = |from, to| {
        assert!(T2_TEXT.contains(from));
        message(&t2_with(true, true, Some(&T2_TEXT.replace(from, to))).0)
    };
    let mismatch = "the description does not match device `demo`";
    // One byte less: the last byte of the payload, 0x88, is where the footer should be.
    assert_eq!(
        replaced("\"uint32\", \"size\": 4", "\"uint32\", \"size\": 3"),
        format!("offset 0x10b1 (4273): {mismatch}")
    );
    assert_eq!(
        replaced("\"array_len\": 3", "\"array_len\": 2"),
        format!("offset 0x10b0 (4272): {mismatch}")
    );
    assert_eq!(
        replaced("\"instance_id\": 5, \"size\": 5", "\"instance_id\": 5, \"size\": 6"),
        "offset 0x10ce (4302): the description does not match device `old`"
    );
    assert_eq!(
        replaced("\"name\": \"demo\"", "\"name\": \"dem0\""),
        "offset 0x1081 (4225): device `demo` where `dem0` is described"
    );
    assert_eq!(
        replaced("\"instance_id\": 0", "\"instance_id\": 1"),
        "offset 0x1086 (4230): instance 0, but 1 described"
    );
    assert_eq!(
        replaced("\"version\": 2", "\"version\": 3"),
        "offset 0x108a (4234): version 2, but 3 described"
    );
    let missing = T2_TEXT.find(", {\"name\": \"old\"").unwrap();
    let one_device = format!("{}]}}", &T2_TEXT[..missing]);
    assert_eq!(
        message(&t2_with(true, true, Some(&one_device)).0),
        "offset 0x10b7 (4279): device `old` is not described"
    );
    let third = r#"{"name": "x", "instance_id": 0, "size": 0, "fields": []}"#;
    let three_devices = format!("{}, {third}]}}", T2_TEXT.strip_suffix("]}").unwrap());
    let three = t2_with(true, true, Some(&three_devices)).0;
    assert_eq!(message(&three), "offset 0x10d2 (4306): 2 devices, but 3 described");
}

#[test]
fn devices_are_described_in_their_order() {
    let (head, rest) = T2_TEXT.split_at(T2_TEXT.find("{\"name\": \"demo\"").unwrap());
    let (demo, old) = rest.strip_suffix("]}").unwrap().split_once(", {\"name\": \"old\"").unwrap();
    let exchanged = format!("{head}{{\"name\": \"old\"{old}, {demo}]}}");
    assert_eq!(exchanged.len(), T2_TEXT.len());
    let stream = t2_with(true, true, Some(&exchanged)).0;
    assert_eq!(message(&stream), "offset 0x1081 (4225): device `demo` where `old` is described");
}

#[test]
fn absurd_lengths_in_the_description_are_errors() {
    let absurd = ["9223372036854775807", "18446744073709551615", "99999999999999999999999", "-1"];
    let others = ["1.5", "1e3", "\"4\"", "null", "[]", "{}", "true"];
    for field in ["\"uint32\", \"size\": 4", "\"array_len\": 3", "5, \"size\": 5"] {
        for value in absurd.iter().chain(&others) {
            let (key, old) = field.rsplit_once(' ').unwrap();
            let text = T2_TEXT.replace(field, &format!("{key} {value}"));
            assert_ne!(text, T2_TEXT, "{old}");
            let stream = t2_with(true, true, Some(&text)).0;
            assert!(matches!(inspect(&stream), Err(Failure::Damaged { .. })), "{field} {value}");
        }
    }
    // Sums that do not fit into 64 bits.
    let large = r#"{"name": "a", "type": "uint32", "size": 9223372036854775807}, "#;
    let text = T2_TEXT.replace("{\"name\": \"b\"", &format!("{large}{large}{{\"name\": \"b\""));
    let stream = t2_with(true, true, Some(&text)).0;
    assert!(message(&stream).ends_with("the length of a device is too large"));
}

#[test]
fn damaged_descriptions_are_errors_in_the_text() {
    let begins = T2_TEXT.split_once(' ').unwrap().0;
    let deep = format!("{begins} 4096, \"x\": {}{}}}", "[".repeat(64), "]".repeat(64));
    let fits =
        format!("{begins} 4096, \"x\": {}{}, \"devices\": []}}", "[".repeat(63), "]".repeat(63));
    let endless = format!("{begins} 4096, \"x\": {}", "{\"fields\": [".repeat(100_000));
    let long_name = T2_TEXT.replace("\"old\"", &format!("\"{}\"", "x".repeat(256)));
    let table = [
        (format!("{begins} 4096}}"), "the description lists no devices"),
        (T2_TEXT.replace("4096", "4095"), "page size 4095 is not a power of two"),
        (T2_TEXT.replace("4096", "131072"), "page size 131072 is not a power of two"),
        (T2_TEXT.replace("\"name\": \"old\", ", ""), "a device without `name`"),
        (T2_TEXT.replace("\"vmsd_name\": \"demo/extra\", ", ""), "a subsection without"),
        (deep, "nested deeper than 64"),
        (endless, "nested deeper than 64"),
        (long_name, "a name of more than 255 bytes"),
        (format!("{T2_TEXT} x"), "trailing characters"),
        (T2_TEXT[..600].to_string(), "EOF while parsing"),
    ];
    for (text, what) in table {
        let stream = t2_with(true, true, Some(&text)).0;
        let failure = inspect(&stream).unwrap_err();
        assert!(failure.to_string().contains(what), "{what}: {failure}");
        let Failure::Damaged { offset, .. } = failure else { panic!("{failure}") };
        assert!((4312..4312 + text.len() as u64).contains(&offset), "{what}: {offset}");
    }
    let stream = [&t1(), &Builder::default().description(&fits).0[..]].concat();
    assert!(inspect(&stream).is_ok());
}

#[test]
fn a_description_inside_of_guest_memory_is_not_taken() {
    // The text of another stream, with its lead, as the contents of a page.
    let mut stream = t2();
    let forged = Builder::default().byte(0).description(T2_TEXT).0;
    stream[200..200 + forged.len()].copy_from_slice(&forged);
    assert!(inspect(&stream).is_ok());
    // Even with a length that reaches the end of the file.
    let length = u32::try_from(stream.len() - 206).unwrap();
    stream[202..206].copy_from_slice(&length.to_be_bytes());
    assert!(inspect(&stream).is_ok());
}

#[test]
fn without_description_devices_are_guessed_or_refused() {
    // The payload of the second device looks like its footer, but nothing plausible follows that.
    let stream = t2_with(true, true, None).0;
    let (text, result) = inspect_with(&stream, Options::default());
    let message = "offset 0x108e (4238): no description at the end tells where device `demo` ends; \
                   `inspect --guess` guesses, `copy --raw-tail` does not look";
    assert_eq!(result.unwrap_err().to_string(), message);
    assert!(text.ends_with("block    ram length=8192 zero=1 normal=1 xbzrle=0 compressed=0\n"));

    let text = inspect_with(&stream, GUESS).1.unwrap();
    assert!(text.contains("name=demo instance=0 version=2 offset=4238 bytes=36 guessed\n"));
    assert!(text.contains("name=old instance=5 version=1 offset=4296 bytes=5 guessed\n"));
    assert!(
        text.ends_with(
            "\ndesc     none\nfooters  yes\nok, but the lengths of devices are guessed\n"
        )
    );

    assert!(copy(&stream, Options::default()).is_err());
    assert_eq!(copy(&stream, RAW_TAIL).unwrap(), stream);

    // Nothing marks the end of a device if there are no footers.
    let bare = t2_with(true, false, None).0;
    assert!(inspect_with(&bare, GUESS).1.is_err());
}

#[test]
fn guesses_reach_across_the_buffer() {
    for len in [32_000, 32_480, 32_768, 100_000, 100_001] {
        let stream =
            t1_sections().full(7, b"big", 0, 1).bytes(&vec![0x7e; len]).footer(7).byte(0).0;
        let text = inspect_with(&stream, GUESS).1.unwrap();
        assert!(
            text.contains(&format!("name=big instance=0 version=1 offset=115 bytes={len} guessed"))
        );
    }
}

/// The end of a file is searched in pieces; the text may begin anywhere in them.
#[test]
fn long_descriptions_are_found() {
    for piece in [65536, 2 * 65536] {
        for len in piece - 20..piece + 20 {
            let text = format!("{T2_TEXT}{}", " ".repeat(len - T2_TEXT.len()));
            let stream = t2_with(true, true, Some(&text)).0;
            let line = format!("desc     offset=4307 bytes={len} devices=2\n");
            assert!(inspect(&stream).unwrap().contains(&line), "{len}");
        }
    }
}
