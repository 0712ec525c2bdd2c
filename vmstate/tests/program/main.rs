//! The program: exit codes, messages, pipes, and what is left of files.
#![cfg(unix)]

#[path = "../support/data.rs"]
mod data;
#[path = "../support/mod.rs"]
mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{Builder, SHIPPED, inspect, t1, t2};

/// Runs the program in `dir` with `input` coming through a pipe.
fn run(dir: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vmstate"))
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may end without reading it.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn damaged() -> Vec<u8> {
    let mut stream = t1();
    stream[79] = 0x22;
    stream
}

#[test]
fn wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let wrong: [&[&str]; 11] = [
        &[],
        &["inspect"],
        &["convert", "a", "b"],
        &["copy", "a"],
        &["copy", "--guess", "a", "b"],
        &["inspect", "--raw-tail", "a"],
        &["inspect", "--unknown", "a"],
        &["other", "a"],
        &["inspect", "--page-size", "a"],
        &["inspect", "--page-size", "4000", "a"],
        &["inspect", "--page-size", "128", "a"],
    ];
    for arguments in wrong {
        let output = run(dir.path(), arguments, b"");
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains("--help"), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    let help = run(dir.path(), &["--help"], b"");
    assert_eq!((code(&help), stderr(&help)), (0, ""));
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(text.contains("Usage: vmstate <COMMAND>") && text.contains("Examples:"), "{text}");
}

#[test]
fn inspecting() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t2.mig"), t2()).unwrap();
    fs::write(dir.path().join("damaged.mig"), damaged()).unwrap();
    let report = inspect(&t2()).unwrap();

    for (arguments, input) in [(["inspect", "t2.mig"], vec![]), (["inspect", "-"], t2())] {
        let output = run(dir.path(), &arguments, &input);
        assert_eq!((code(&output), stderr(&output)), (0, ""));
        assert_eq!(output.stdout, report.as_bytes());
    }
    // Machine `none` of 7.2 with 16 KiB: three zero pages at the start, then one with contents.
    let options = ["inspect", "--page-size", "8192", "-"];
    let output = run(dir.path(), &options, SHIPPED);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).ends_with(": page 0x1000 is not at a whole page\n"));
    let message = "offset 0x48 (72): CONTINUE without a block\n";
    let output = run(dir.path(), &["inspect", "damaged.mig"], b"");
    assert_eq!((code(&output), stderr(&output)), (1, &*format!("damaged.mig: {message}")));
    assert_eq!(output.stdout, b"header   version=3\nconfig   machine=none\n");
    let output = run(dir.path(), &["inspect", "-"], &damaged());
    assert_eq!((code(&output), stderr(&output)), (1, &*format!("standard input: {message}")));

    let output = run(dir.path(), &["inspect", "absent.mig"], b"");
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output), "absent.mig: No such file or directory (os error 2)\n");
    let output = run(dir.path(), &["inspect", "."], b"");
    assert_eq!((code(&output), stderr(&output)), (2, ".: Is a directory (os error 21)\n"));
}

#[test]
fn copying() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    fs::write(dir.path().join("in.mig"), SHIPPED).unwrap();
    fs::write(dir.path().join("old.mig"), vec![1; 100_000]).unwrap();
    for to in ["new.mig", "old.mig"] {
        for (from, input) in [("in.mig", &[][..]), ("-", SHIPPED)] {
            let output = run(dir.path(), &["copy", from, to], input);
            assert_eq!((code(&output), stderr(&output), output.stdout.len()), (0, "", 0));
            assert_eq!(read(to), SHIPPED);
        }
    }
    for (from, input) in [("in.mig", &[][..]), ("-", SHIPPED)] {
        let output = run(dir.path(), &["copy", from, "-"], input);
        assert_eq!((code(&output), stderr(&output)), (0, ""));
        assert_eq!(output.stdout, SHIPPED);
    }
    assert_eq!(code(&run(dir.path(), &["copy", "in.mig", "/dev/null"], b"")), 0);
    assert!(Path::new("/dev/null").exists());
}

const NO_DEVICES: &str = r#"{"page_size": 4096, "devices": []}"#;

/// A stream of `pages` pages. Every other one is zero.
fn long(pages: u64) -> Vec<u8> {
    let mut stream = Builder::machine(b"none").start(&[(b"ram", pages * 4096)]).footer(42);
    stream = stream.byte(0x03).be32(42).be64(0x02).name(b"ram").byte(0);
    for page in 1..pages {
        let offset = page * 4096;
        stream = match page % 2 {
            0 => stream.be64(offset | 0x22).byte(0),
            _ => stream.be64(offset | 0x28).bytes(&[page.to_le_bytes()[0]; 4096]),
        };
    }
    stream.be64(0x10).footer(42).byte(0).description(NO_DEVICES).0
}

/// The system copies what was checked, while more of it is checked.
#[test]
fn long_files_are_copied_while_they_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let stream = long(12_000);
    let offset = 70_000;
    for beginning in [0, offset] {
        let bytes = [&vec![7; beginning][..], &stream].concat();
        fs::write(path("in.mig"), &bytes).unwrap();
        let output = run(
            dir.path(),
            &["copy", "--offset", &beginning.to_string(), "in.mig", "out.mig"],
            b"",
        );
        assert_eq!((code(&output), stderr(&output)), (0, ""));
        assert!(fs::read(path("out.mig")).unwrap() == bytes);
    }
    fs::remove_file(path("out.mig")).unwrap();

    // The last record is no page, or cut short; nothing is left.
    let end = stream.len() - (8 + 5 + 1 + 5 + NO_DEVICES.len());
    let mut damaged = stream.clone();
    damaged[end - 4104..][..8].fill(0xff);
    for bytes in [&damaged[..], &stream[..end - 100]] {
        fs::write(path("in.mig"), bytes).unwrap();
        let output = run(dir.path(), &["copy", "in.mig", "out.mig"], b"");
        let inspected = run(dir.path(), &["inspect", "in.mig"], b"");
        assert_eq!((code(&output), stderr(&output)), (1, stderr(&inspected)));
        assert_eq!(stderr(&output).lines().count(), 1);
        assert_eq!(files(dir.path()).len(), 1);
    }

    // No file may have more than 8 MB.
    fs::write(path("in.mig"), &stream).unwrap();
    let program = env!("CARGO_BIN_EXE_vmstate");
    let script = format!("ulimit -f 16000; trap '' XFSZ; exec '{program}' copy in.mig out.mig");
    let output = Command::new("sh").current_dir(dir.path()).args(["-c", &script]).output().unwrap();
    assert_eq!(stderr(&output), "out.mig: File too large (os error 27)\n");
    assert_eq!((code(&output), files(dir.path()).len()), (2, 1));
}

/// The names and contents of the files in `dir`.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn nothing_is_left_of_the_copy_of_a_damaged_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("damaged.mig"), damaged()).unwrap();
    fs::write(dir.path().join("cut.mig"), &t2()[..4200]).unwrap();
    for old in [None, Some(b"old")] {
        if let Some(old) = old {
            fs::write(dir.path().join("out.mig"), old).unwrap();
        }
        let before = files(dir.path());
        for (from, expected) in [("damaged.mig", 1), ("cut.mig", 1), ("absent.mig", 2)] {
            let output = run(dir.path(), &["copy", from, "out.mig"], b"");
            assert_eq!(code(&output), expected, "{}", stderr(&output));
            assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
            assert_eq!(files(dir.path()), before);
        }
    }
    // A reader of a pipe gets the bytes before the damage at most.
    let output = run(dir.path(), &["copy", "damaged.mig", "-"], b"");
    assert_eq!((code(&output), output.stdout.len()), (1, 0));
}

/// QEMU takes a machine for saved once it has written it, so nothing of it may be lost.
#[test]
fn a_pipe_that_is_not_understood_is_copied_whole() {
    let dir = tempfile::tempdir().unwrap();
    let later_version = [&b"QEVM\0\0\0\x04"[..], &[7; 300_000]].concat();
    let early = [&t1()[..17], &[9], &vec![1; 500_000][..]].concat();
    let in_the_middle = [&t2()[..4220], &[0x55; 200_000]].concat();
    let at_the_end = [&t2()[..], b"x"].concat();
    let compressed = [&b"\x1f\x8b"[..], &[9; 100_000]].concat();
    for stream in [damaged(), later_version, early, in_the_middle, at_the_end, compressed] {
        fs::write(dir.path().join("out.mig"), b"old").unwrap();
        let output = run(dir.path(), &["copy", "-", "out.mig"], &stream);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let lines: Vec<_> = stderr(&output).lines().collect();
        assert!(lines[0].starts_with("standard input: offset 0x"), "{lines:?}");
        let kept = "out.mig: has all bytes of the stream; from there on they were not checked";
        assert_eq!(lines[1..], [kept]);
        assert!(files(dir.path()) == [("out.mig".to_string(), stream.clone())]);

        let output = run(dir.path(), &["copy", "-", "-"], &stream);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        assert!(output.stdout == stream);
        assert!(stderr(&output).contains("\nstandard output: has all bytes of the stream; "));
    }
}

#[test]
fn a_pipe_that_ends_too_early_is_kept_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("out.mig"), b"old").unwrap();
    let kept = dir.path().join("out.mig.incomplete");
    for cut in [t2()[..4200].to_vec(), t1()[..98].to_vec(), SHIPPED[..20].to_vec()] {
        let output = run(dir.path(), &["copy", "-", "out.mig"], &cut);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let lines: Vec<_> = stderr(&output).lines().collect();
        assert!(lines[0].contains(": the file ends "), "{lines:?}");
        let (name, sentence) = lines[1].split_once(": ").unwrap();
        assert_eq!(Path::new(name).file_name(), kept.file_name());
        assert_eq!(
            sentence,
            format!("keeps the {} bytes that were written; out.mig is as it was before", cut.len())
        );
        let old = ("out.mig".to_string(), b"old".to_vec());
        assert_eq!(files(dir.path()), [old, ("out.mig.incomplete".to_string(), cut.clone())]);

        // It may be the only copy of a machine, so nothing overwrites it.
        let output = run(dir.path(), &["copy", "-", "out.mig"], SHIPPED);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("out.mig.incomplete, which may be all that there is of"));
        assert_eq!(fs::read(&kept).unwrap(), cut);
        fs::remove_file(&kept).unwrap();
    }
    // Of nothing there is nothing to keep.
    assert_eq!(code(&run(dir.path(), &["copy", "-", "out.mig"], b"")), 1);
    assert!(!kept.exists());
}

/// A small stream is in the pipe, and its writer content, before it is known that it can go nowhere.
#[cfg(target_os = "linux")]
#[test]
fn a_small_stream_that_has_no_output_is_kept_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let rescue = |stream: &[u8], close: bool| {
        let temporary = tempfile::tempdir().unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(stream).unwrap();
        let open = (!close).then_some(writer);
        let output = Command::new(env!("CARGO_BIN_EXE_vmstate"))
            .current_dir(dir.path())
            .env("TMPDIR", temporary.path())
            .args(["copy", "-", "absent/out.mig"])
            .stdin(reader)
            .output()
            .unwrap();
        drop(open);
        assert_eq!(code(&output), 2);
        let message = "absent/out.mig: No such file or directory (os error 2)\n";
        assert!(stderr(&output).starts_with(message), "{output:?}");
        (files(temporary.path()), stderr(&output)[message.len()..].to_string())
    };
    for stream in [SHIPPED.to_vec(), vec![1; 60_000]] {
        let (files, sentence) = rescue(&stream, true);
        assert_eq!(files.len(), 1);
        assert!(files[0].1 == stream);
        assert!(sentence.contains(&files[0].0), "{sentence}");
        let end = format!(".incomplete: keeps the {} bytes that have come\n", stream.len());
        assert!(sentence.ends_with(&end), "{sentence}");
        // A writer that has not finished sees a broken pipe.
        assert_eq!(rescue(&stream, false), (vec![], String::new()));
    }
}

#[test]
fn a_copy_that_is_killed_leaves_what_it_has_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("out.mig"), b"old").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vmstate"))
        .current_dir(dir.path())
        .args(["copy", "-", "out.mig"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let page = [&0x08_u64.to_be_bytes()[..], b"\x03ram", &[5; 4096]].concat();
    let pages = [&t1()[..72], &page.repeat(500)].concat();
    child.stdin.as_mut().unwrap().write_all(&pages).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let files = files(dir.path());
    let [(_, old), (name, kept)] = &files[..] else { panic!("{} files", files.len()) };
    assert_eq!((&old[..], &name[..]), (&b"old"[..], "out.mig.incomplete"));
    // All but what was still on the way.
    assert!(pages.starts_with(kept) && kept.len() > pages.len() - (1 << 20), "{}", kept.len());
}

/// The name is given to the complete copy, whatever stood there.
#[test]
fn a_copy_replaces_what_a_link_points_at_and_keeps_its_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target.mig");
    fs::write(&target, b"old").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("target.mig", dir.path().join("out.mig")).unwrap();
    let output = run(dir.path(), &["copy", "-", "out.mig"], SHIPPED);
    assert_eq!((code(&output), stderr(&output)), (0, ""));
    assert!(dir.path().join("out.mig").is_symlink());
    assert_eq!(fs::read(&target).unwrap(), SHIPPED);
    assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// Runs a copy of a pipe whose output may have `kilobytes`; how many bytes the writer got rid of
/// before it saw that the pipe was broken, if it did.
#[cfg(target_os = "linux")]
fn copy_limited(dir: &Path, kilobytes: usize, stream: &[u8]) -> (Output, Result<(), usize>) {
    let script = format!("ulimit -f {}; trap '' XFSZ; exec \"$0\" copy - out.mig", 2 * kilobytes);
    let mut child = Command::new("dash")
        .current_dir(dir)
        .args(["-c", &script])
        .arg(env!("CARGO_BIN_EXE_vmstate"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut written = 0;
    let result = loop {
        match stdin.write(&stream[written..]) {
            Ok(0) => break Ok(()),
            Ok(len) => written += len,
            Err(_) => break Err(written),
        }
    };
    drop(stdin);
    (child.wait_with_output().unwrap(), result)
}

/// Either the writer sees a broken pipe, or all that it wrote is there: at every length around the
/// limit.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_breaks_the_pipe_while_the_writer_waits() {
    let page = [&0x08_u64.to_be_bytes()[..], b"\x03ram", &[5; 4096]].concat();
    let (begin, end) = (&t1()[..72], &t1()[85..]);
    let limit = 512 << 10;
    let mut broken = 0;
    for pages in [100, 110, 112, 118, 126, 127, 128, 140, 1000] {
        let dir = tempfile::tempdir().unwrap();
        let stream = [begin, &page.repeat(pages), end].concat();
        let (output, written) = copy_limited(dir.path(), 512, &stream);
        let files = files(dir.path());
        let [(name, kept)] = &files[..] else { panic!("{} files", files.len()) };
        match written {
            Ok(()) => {
                assert_eq!((code(&output), stderr(&output)), (0, ""), "{pages}");
                assert_eq!(name, "out.mig", "{pages}");
                assert!(*kept == stream, "{pages}");
            }
            Err(_) => {
                broken += 1;
                assert_eq!(code(&output), 2, "{pages}");
                assert!(stderr(&output).starts_with("out.mig: File too large"), "{output:?}");
                assert!(stderr(&output).contains("out.mig is as it was before\n"), "{output:?}");
                assert_eq!(name, "out.mig.incomplete", "{pages}");
                assert!(stream.starts_with(kept), "{pages}");
            }
        }
        assert!(written.is_ok() || stream.len() > limit - (128 << 10), "{pages} pages do fit");
    }
    assert!(broken > 2);
}

#[test]
fn a_stream_is_not_copied_onto_itself() {
    let dir = tempfile::tempdir().unwrap();
    let stream = dir.path().join("in.mig");
    fs::write(&stream, SHIPPED).unwrap();
    fs::hard_link(&stream, dir.path().join("link.mig")).unwrap();
    for to in ["in.mig", "./in.mig", "link.mig"] {
        let output = run(dir.path(), &["copy", "in.mig", to], b"");
        assert_eq!((code(&output), stderr(&output)), (2, &*format!("{to}: this is the input\n")));
        assert_eq!(fs::read(&stream).unwrap(), SHIPPED);
    }
}

#[test]
fn failures_of_the_output() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("in.mig"), SHIPPED).unwrap();
    let output = run(dir.path(), &["copy", "in.mig", "absent/out.mig"], b"");
    let message = "absent/out.mig: No such file or directory (os error 2)\n";
    assert_eq!((code(&output), stderr(&output)), (2, message));

    if Path::new("/dev/full").exists() {
        let output = run(dir.path(), &["copy", "in.mig", "/dev/full"], b"");
        let message = "/dev/full: No space left on device (os error 28)\n";
        assert_eq!((code(&output), stderr(&output)), (2, message));
        assert!(Path::new("/dev/full").exists());
        for arguments in [&["copy", "in.mig", "-"][..], &["inspect", "in.mig"]] {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_vmstate"));
            let command = command.current_dir(dir.path()).args(arguments).stdout(full);
            let output = command.output().unwrap();
            let message = "standard output: No space left on device (os error 28)\n";
            assert_eq!((code(&output), stderr(&output)), (2, message));
        }
    }

    // Nobody reads.
    for arguments in [&["copy", "in.mig", "-"][..], &["inspect", "in.mig"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmstate"));
        let output =
            command.current_dir(dir.path()).args(arguments).stdout(writer).output().unwrap();
        let message = "standard output: Broken pipe (os error 32)\n";
        assert_eq!((code(&output), stderr(&output)), (2, message));
    }
}

#[test]
fn differences_are_pages_and_bytes_of_devices() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let stream = t2();
    write("one.mig", &stream);
    let same = run(dir.path(), &["diff", "one.mig", "one.mig"], b"");
    assert_eq!((code(&same), stderr(&same), &*same.stdout), (0, "", &b""[..]));
    let mut changed = stream.clone();
    changed[200] ^= 1;
    let payload = stream.windows(4).position(|bytes| bytes == [1, 2, 3, 4]).unwrap();
    changed[payload + 1] ^= 1;
    write("other.mig", &changed);
    let differs = run(dir.path(), &["diff", "one.mig", "other.mig"], b"");
    let text = "demo.0.device field=a offset=0x0 bytes=4\nram.raw offset=0x1000 bytes=4096\n";
    assert_eq!((code(&differs), stderr(&differs)), (1, ""));
    assert_eq!(String::from_utf8(differs.stdout).unwrap(), text);
    // Elements of an array, a field of a structure, one of a subsection.
    let mut changed = stream.clone();
    let behind = [(6, 1), (8, 1), (10, 1), (12 + 16 + 4, 1)];
    behind.iter().for_each(|(at, bit)| changed[payload + at] ^= bit);
    write("more.mig", &changed);
    let differs = run(dir.path(), &["diff", "one.mig", "more.mig"], b"");
    let text = "demo.0.device field=b[1..3] offset=0x6 bytes=4\n\
                demo.0.device field=c.x offset=0xa bytes=1\n\
                demo.0.device field=demo/extra.z offset=0x1c bytes=8\n";
    assert_eq!((code(&differs), &*String::from_utf8(differs.stdout).unwrap()), (1, text));
    // A subsection that is not sent.
    let extra = payload + 12..payload + 36;
    let mut less = [&stream[..extra.start], &stream[extra.end..]].concat();
    let begins = less.windows(12).position(|bytes| bytes == b"{\"page_size\"").unwrap();
    let text = String::from_utf8(less.split_off(begins)).unwrap();
    let subsection =
        text.find(", \"subsections\"").unwrap()..text.find("}, {\"name\": \"old\"").unwrap();
    let text = [&text[..subsection.start], &text[subsection.end..]].concat();
    less.truncate(begins - 5);
    write("less.mig", &support::Builder(less).description(&text).0);
    let differs = run(dir.path(), &["diff", "one.mig", "less.mig"], b"");
    let text = "demo.0.device field=demo/extra only in one.mig\n\
                demo.0.device field=demo/extra.z only in one.mig\n";
    assert_eq!((code(&differs), &*String::from_utf8(differs.stdout).unwrap()), (1, text));
    let differs = run(dir.path(), &["diff", "less.mig", "one.mig"], b"");
    assert_eq!((code(&differs), &*String::from_utf8(differs.stdout).unwrap()), (1, text));
    write("small.mig", &t1());
    let less = run(dir.path(), &["diff", "one.mig", "small.mig"], b"");
    let text = String::from_utf8(less.stdout).unwrap();
    assert!(text.contains("demo.0.device only in one.mig\n"), "{text}");
    write("cut.mig", &stream[..100]);
    let cut = run(dir.path(), &["diff", "one.mig", "cut.mig"], b"");
    assert_eq!((code(&cut), stderr(&cut).lines().count()), (1, 1));
}

#[test]
fn devices_of_the_same_name_have_files_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let twin =
        r#"{"name": "ide", "instance_id": 0, "size": 1, "fields": [{"name": "data", "size": 1}]}"#;
    let text = format!(r#"{{"page_size": 4096, "devices": [{twin}, {twin}]}}"#);
    let stream = |bytes: [u8; 2]| {
        let stream = support::t1_sections();
        let stream = stream.full(7, b"ide", 0, 1).byte(bytes[0]).footer(7);
        stream.full(8, b"ide", 0, 1).byte(bytes[1]).footer(8).byte(0).description(&text).0
    };
    fs::write(dir.path().join("one.mig"), stream([1, 2])).unwrap();
    fs::write(dir.path().join("other.mig"), stream([1, 3])).unwrap();
    let extracted = run(dir.path(), &["extract", "--device", "ide", "one.mig", "parts"], b"");
    assert_eq!((code(&extracted), stderr(&extracted)), (0, ""));
    let parts = files(&dir.path().join("parts"));
    let devices = [("ide.0-2.device".to_string(), vec![2]), ("ide.0.device".to_string(), vec![1])];
    assert_eq!(parts[..2], devices);
    let differs = run(dir.path(), &["diff", "one.mig", "other.mig"], b"");
    let text = "ide.0-2.device field=data offset=0x0 bytes=1\n";
    assert_eq!((code(&differs), &*String::from_utf8(differs.stdout).unwrap()), (1, text));
}

#[test]
fn a_stream_is_copied_with_its_channels_into_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["main", "one", "other"];
    let streams = data::multifd("mfd-zstd");
    for (name, bytes) in names.iter().zip(&streams) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let copied = run(dir.path(), &["copy", "main", "one", "other", "copy/"], b"");
    assert_eq!((code(&copied), stderr(&copied)), (0, ""));
    let expected = names.map(String::from).into_iter().zip(streams);
    assert!(files(&dir.path().join("copy")) == expected.collect::<Vec<_>>());
    // Of what is damaged, or has two files of one name, nothing is left.
    fs::write(dir.path().join("one"), b"damaged").unwrap();
    let damaged = run(dir.path(), &["copy", "main", "one", "other", "new"], b"");
    assert_eq!((code(&damaged), stderr(&damaged).lines().count()), (1, 1));
    let same = run(dir.path(), &["copy", "copy/main", "copy/one", "copy/other", "copy"], b"");
    assert_eq!((code(&same), stderr(&same)), (2, "copy: this folder exists and is not empty\n"));
    assert!(!dir.path().join("new").exists() && !dir.path().join("new.incomplete").exists());
    let piped = run(dir.path(), &["copy", "-", "copy/one", "copy/other", "new"], b"");
    assert_eq!(code(&piped), 2);
    assert!(stderr(&piped).starts_with("standard input: what comes through a pipe"));
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let written = run(dir.path(), &["man", "share/man1"], b"");
    assert_eq!((code(&written), stderr(&written)), (0, ""));
    let pages = files(&dir.path().join("share/man1"));
    for (page, words) in
        [("vmstate.1", "vmstate\\-inspect(1)"), ("vmstate-diff.1", "other\\-channel")]
    {
        let (_, text) = pages.iter().find(|(name, _)| name == page).unwrap();
        assert!(String::from_utf8_lossy(text).contains(words), "{page}");
    }
    let failed = run(dir.path(), &["man", "share/man1/vmstate.1"], b"");
    assert_eq!((code(&failed), stderr(&failed).lines().count()), (2, 1));
}
