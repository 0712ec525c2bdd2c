//! Memory that is mapped or sent through channels: extracted as it was in the guest, converted, and
//! loaded again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use serde_json::json;
use vmstate::Options;

use super::machine::{Program, Qemu, X86, programs};
use super::support::copy_pipe;
use super::{directory, vmstate};

const PC: [&str; 4] = ["-M", "pc", "-m", "8M"];
/// Memory of a PC below its screen.
const LOW: usize = 0xa_0000;

/// Runs `vmstate`, which must have nothing to say.
fn run(dir: &Path, arguments: &[&str]) {
    let output = vmstate(dir, arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
}

/// The files of a folder: names and contents.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut files: Vec<_> =
        entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}

/// Extracts a stream, and checks its memory against what the machine itself has written.
fn extract(dir: &Path, stream: &[&str], to: &str) -> Vec<(String, Vec<u8>)> {
    run(dir, &[&["extract"], stream, &[to]].concat());
    let files = files(&dir.join(to));
    let witness = fs::read(dir.join("witness.bin")).unwrap();
    let (_, ram) = files.iter().find(|(name, _)| name == "pc.ram.raw").unwrap();
    assert!(ram[..LOW] == witness && witness.iter().any(|byte| *byte != 0));
    files
}

/// A PC that has run its firmware a while and is stopped; its low memory is in `witness.bin`.
fn started(system: &Program, dir: &Path) -> Qemu {
    let mut qemu = Qemu::start(system, dir, &PC);
    qemu.negotiate(&[]);
    thread::sleep(std::time::Duration::from_millis(500));
    qemu.execute("stop", json!({}));
    let path = dir.join("witness.bin");
    qemu.execute("pmemsave", json!({ "val": 0, "size": LOW, "filename": path }));
    qemu
}

fn enable(qemu: &mut Qemu, capability: &str) {
    let capability = json!({ "capability": capability, "state": true });
    qemu.execute("migrate-set-capabilities", json!({ "capabilities": [capability] }));
}

/// Loads a stream into another machine, which must come to where the first was.
fn load(system: &Program, dir: &Path, capabilities: &[&str], uri: &str) {
    let loaded = Qemu::load(system, dir, &PC, capabilities, uri);
    let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{uri}: {ended:?}"));
    assert_eq!(state, "paused");
    qemu.quit();
}

#[test]
fn mapped_memory() {
    for system in programs(X86).iter().filter(|system| system.version.0 >= 9) {
        let [at_start, at_offset] = ["file:mapped.mig", "file:mapped.mig,offset=0x12345"];
        for (uri, by_channels) in [(at_start, false), (at_offset, false), (at_start, true)] {
            let dir = directory();
            let dir = dir.path();
            let mut qemu = started(system, dir);
            enable(&mut qemu, "mapped-ram");
            if by_channels {
                enable(&mut qemu, "multifd");
            }
            qemu.migrate(uri).unwrap();
            qemu.quit();
            let memory = extract(dir, &["mapped.mig"], "first");
            run(dir, &["convert", "--to", "ordinary", "mapped.mig", "ordinary.mig"]);
            assert!(extract(dir, &["ordinary.mig"], "second") == memory);
            load(system, dir, &[], "exec:cat ordinary.mig");
            run(dir, &["convert", "--to", "mapped", "ordinary.mig", "again.mig"]);
            assert!(extract(dir, &["again.mig"], "third") == memory);
            load(system, dir, &["mapped-ram"], "file:again.mig");
            run(dir, &["copy", "mapped.mig", "copy.mig"]);
            let [one, other] = ["mapped.mig", "copy.mig"].map(|it| fs::read(dir.join(it)).unwrap());
            assert!(one == other);
        }
    }
}

#[test]
fn memory_through_channels() {
    for system in &programs(X86) {
        for compression in ["none", "zlib", "zstd"] {
            let dir = directory();
            let dir = dir.path();
            let mut qemu = started(system, dir);
            enable(&mut qemu, "multifd");
            let parameters = json!({ "multifd-channels": 2, "multifd-compression": compression });
            qemu.execute("migrate-set-parameters", parameters);
            let listener = UnixListener::bind(dir.join("socket")).unwrap();
            let names = ["main", "one", "two"];
            let copies = names.map(|name| {
                let (listener, path) = (listener.try_clone().unwrap(), dir.join(name));
                thread::spawn(move || {
                    let (mut socket, _) = listener.accept().unwrap();
                    io::copy(&mut socket, &mut File::create(path).unwrap()).unwrap()
                })
            });
            qemu.migrate("unix:socket").unwrap();
            qemu.quit();
            for copy in copies {
                assert!(copy.join().unwrap() > 0);
            }
            // They are in the order in which threads came to accept.
            let mut names = names;
            names.sort_by_key(|name| !fs::read(dir.join(name)).unwrap().starts_with(b"QEVM"));
            let memory = extract(dir, &names, "first");
            let convert = |form, to| {
                run(dir, &[&["convert", "--to", form], &names[..], &[to]].concat());
            };
            convert("ordinary", "ordinary.mig");
            assert!(extract(dir, &["ordinary.mig"], "second") == memory);
            load(system, dir, &[], "exec:cat ordinary.mig");
            convert("mapped", "mapped.mig");
            assert!(extract(dir, &["mapped.mig"], "third") == memory);
            if system.version.0 >= 9 {
                load(system, dir, &["mapped-ram"], "file:mapped.mig");
            }
        }
    }
}

/// Passes everything on, until the end, and returns it.
fn pass(mut from: UnixStream, mut to: UnixStream) -> Vec<u8> {
    let mut passed = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        // Whoever has ended does not read the last of it.
        match from.read(&mut buffer).unwrap_or_default() {
            0 => break,
            len => {
                passed.extend_from_slice(&buffer[..len]);
                let _ = to.write_all(&buffer[..len]);
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    passed
}

/// Waits for a stream on the socket `target`, with postcopy; `None` where the host does not let QEMU fetch
/// pages when they are missing (userfaultfd).
fn postcopy_target(system: &Program, dir: &Path) -> Option<Qemu> {
    let mut target = Qemu::stopped(system, dir, &[&PC[..], &["-incoming", "defer"]].concat());
    target.negotiate(&[]);
    let capability = json!({ "capability": "postcopy-ram", "state": true });
    let capabilities = json!({ "capabilities": [capability] });
    if let Err(error) = target.ask("migrate-set-capabilities", capabilities) {
        eprintln!("not possible here: postcopy of memory: {error}");
        return None;
    }
    target.execute("migrate-incoming", json!({ "uri": "unix:target" }));
    Some(target)
}

/// All is loaded into `target`, which has come to where the first machine was.
fn has_arrived(mut target: Qemu) {
    target.wait_for_migration().unwrap();
    assert_eq!(target.execute("query-status", json!({}))["status"], "paused");
    target.quit();
}

#[test]
fn memory_that_is_sent_after_the_machine_has_gone_over() {
    for system in &programs(X86) {
        let dir = directory();
        let dir = dir.path();
        let mut qemu = started(system, dir);
        let Some(target) = postcopy_target(system, dir) else { continue };
        enable(&mut qemu, "postcopy-ram");
        let listener = UnixListener::bind(dir.join("source")).unwrap();
        let to = UnixStream::connect(dir.join("target")).unwrap();
        let recorder = thread::spawn(move || {
            let (from, _) = listener.accept().unwrap();
            let (back_from, back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
            let answers = thread::spawn(|| pass(back_from, back_to));
            let stream = pass(from, to);
            answers.join().unwrap();
            stream
        });
        // So slowly that most of the memory is left.
        let slowly = json!({ "max-bandwidth": 100 << 10, "downtime-limit": 1 });
        qemu.execute("migrate-set-parameters", slowly);
        qemu.execute("migrate", json!({ "uri": "unix:source" }));
        while qemu.execute("query-migrate", json!({}))["status"] != "active" {
            thread::sleep(std::time::Duration::from_millis(5));
        }
        qemu.execute("migrate-start-postcopy", json!({}));
        qemu.wait_for_migration().unwrap();
        has_arrived(target);
        qemu.quit();
        let stream = recorder.join().unwrap();
        fs::write(dir.join("postcopy.mig"), &stream).unwrap();

        let output = vmstate(dir, &["inspect", "postcopy.mig"]);
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(report.ends_with("kind     postcopy that has switched over\nok\n"), "{report}");
        let at = |what: &str| report.find(what).unwrap_or_else(|| panic!("no {what}: {report}"));
        assert!(at(" name=POSTCOPY_ADVISE ") < at(" name=POSTCOPY_RAM_DISCARD "));
        assert!(at(" name=POSTCOPY_RAM_DISCARD ") < at(" name=PACKAGED "));
        // Pages follow the package.
        let after = at("\npackage  ");
        let offset = report[after..].split("offset=").nth(1).unwrap().split(' ').next().unwrap();
        let left = stream.len() - offset.parse::<usize>().unwrap();
        assert!(left > 20 * 4096, "{left} of {}: {report}", stream.len());
        run(dir, &["copy", "postcopy.mig", "copy.mig"]);
        assert!(fs::read(dir.join("copy.mig")).unwrap() == stream);
        let piped = copy_pipe(&stream, 4096, Options::default()).unwrap();
        assert!(piped == stream);
        extract(dir, &["copy.mig"], "memory");

        // Another machine loads the copy, and answers.
        let target = postcopy_target(system, dir).unwrap();
        let mut to = UnixStream::connect(dir.join("target")).unwrap();
        let mut from = to.try_clone().unwrap();
        let answers = thread::spawn(move || io::copy(&mut from, &mut io::sink()));
        to.write_all(&piped).unwrap();
        to.shutdown(Shutdown::Write).unwrap();
        has_arrived(target);
        assert!(answers.join().unwrap().unwrap() > 0);
    }
}
