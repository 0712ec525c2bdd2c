//! Memory that is mapped or sent through channels: extracted as it was in the guest, converted, and
//! loaded again.

use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use serde_json::json;

use super::machine::{Program, Qemu, X86, programs};
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
        for uri in ["file:mapped.mig", "file:mapped.mig,offset=0x12345"] {
            let dir = directory();
            let dir = dir.path();
            let mut qemu = started(system, dir);
            enable(&mut qemu, "mapped-ram");
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
