//! The example `vmstate` as a program: exit codes, messages, pipes, and what is left of files.
#![cfg(all(feature = "std", unix, not(miri)))]

mod vmstate_support;

#[path = "vmstate_support/program.rs"]
mod program;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use program::program;
use vmstate_support::{SHIPPED, inspect, t1, t2};

/// Runs the program in `dir` with `input` coming through a pipe.
fn run(dir: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program())
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
    let wrong: [&[&str]; 12] = [
        &[],
        &["inspect"],
        &["inspect", "a", "b"],
        &["copy", "a"],
        &["copy", "a", "b", "c"],
        &["copy", "--guess", "a", "b"],
        &["inspect", "--raw-tail", "a"],
        &["inspect", "--unknown", "a"],
        &["other", "a"],
        &["inspect", "--page-size", "a"],
        &["inspect", "--page-size", "4000", "a"],
        &["inspect", "--page-size", "512", "a"],
    ];
    for arguments in wrong {
        let output = run(dir.path(), arguments, b"");
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains("Usage: vmstate inspect"), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    let help = run(dir.path(), &["--help"], b"");
    assert_eq!((code(&help), stderr(&help)), (0, ""));
    assert!(help.stdout.starts_with(b"Usage: vmstate inspect"));
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

#[test]
fn incomplete_copies_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mig");
    for (name, stream) in [("damaged.mig", damaged()), ("cut.mig", t2()[..4200].to_vec())] {
        fs::write(dir.path().join(name), &stream).unwrap();
        for (from, input) in [(name, vec![]), ("-", stream)] {
            fs::write(&out, b"old").unwrap();
            let output = run(dir.path(), &["copy", from, "out.mig"], &input);
            assert_eq!(code(&output), 1, "{}", stderr(&output));
            assert!(!out.exists(), "{from}");
        }
    }
    // Nothing that was wrong before the output was opened touches it.
    fs::write(&out, b"old").unwrap();
    assert_eq!(code(&run(dir.path(), &["copy", "absent.mig", "out.mig"], b"")), 2);
    assert_eq!(fs::read(&out).unwrap(), b"old");
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
            let mut command = Command::new(program());
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
        let mut command = Command::new(program());
        let output =
            command.current_dir(dir.path()).args(arguments).stdout(writer).output().unwrap();
        let message = "standard output: Broken pipe (os error 32)\n";
        assert_eq!((code(&output), stderr(&output)), (2, message));
    }
}
