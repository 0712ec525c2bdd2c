//! `vmstate` against a real QEMU: streams that QEMU writes are read, and the copies
//! are loaded by another QEMU. Skipped if none is installed.
#![cfg(unix)]

mod forms;
mod machine;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use machine::{ARM, Program, Qemu, X86, programs};
use serde_json::{Value, json};
use support::{SHIPPED, copy_pipe, inspect, inspect_with, t1, t1_sections};
use tempfile::TempDir;
use vmstate::{Failure, Options};

const SAVE: &str = "exec:cat > saved.mig";
/// Before the command that gets the stream. Another run may write other bytes: QEMU begins a new PART
/// whenever 50 ms have gone by.
const WATCHED: &str = "exec:tee written.mig |";

/// A stream, and what QEMU says about it.
struct Saved {
    dir: TempDir,
    bytes: Vec<u8>,
    /// The answer to `query-migrate`.
    info: Value,
    blocks: Vec<(String, u64)>,
}

/// A fresh directory with what the machines need.
fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let blob: Vec<u8> = (1..=5000_u32).map(|k| (k % 251).to_le_bytes()[0] + 1).collect();
    fs::write(dir.path().join("blob.bin"), blob).unwrap();
    dir
}

/// Lets a machine that has not run write a stream.
fn save(system: &Program, options: &[&str], capabilities: &[&str]) -> Saved {
    let dir = directory();
    let mut qemu = Qemu::stopped(system, dir.path(), options);
    qemu.negotiate(capabilities);
    let blocks = qemu.ram_blocks();
    let info = qemu.migrate(SAVE).unwrap();
    qemu.quit();
    let bytes = fs::read(dir.path().join("saved.mig")).unwrap();
    Saved { dir, bytes, info, blocks }
}

/// Runs `vmstate` in `dir`.
fn vmstate(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vmstate")).current_dir(dir).args(arguments).output().unwrap()
}

/// The values of `key=` in the lines of one kind, of which there may be none.
fn values<'a>(report: &'a str, kind: &str, key: &str) -> Vec<&'a str> {
    let lines = report.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_kind = lines.filter(|words| words[0] == kind && words[1..] != ["none"]);
    let value = |word: &&'a str| word.strip_prefix(key)?.strip_prefix('=');
    of_kind.map(|words| words.iter().find_map(value).unwrap()).collect()
}

fn sum(report: &str, kind: &str, key: &str) -> u64 {
    values(report, kind, key).iter().map(|value| value.parse::<u64>().unwrap()).sum()
}

/// Checks a report against what QEMU said when it wrote the stream.
fn check_report(report: &str, saved: &Saved, counts_pages: bool) {
    let ram = &saved.info["ram"];
    assert_eq!(json!(sum(report, "ram", "total")), ram["total"], "{report}");
    if counts_pages {
        assert_eq!(json!(sum(report, "block", "zero")), ram["duplicate"], "{report}");
        assert_eq!(json!(sum(report, "block", "normal")), ram["normal"], "{report}");
    }
    let block_lines = report.lines().filter_map(|line| line.strip_prefix("block    "));
    let mut blocks: Vec<(String, u64)> = block_lines
        .filter(|line| *line != "none")
        .map(|line| line.split_once(" length=").unwrap())
        .map(|(name, rest)| (name.to_string(), rest.split(' ').next().unwrap().parse().unwrap()))
        .collect();
    let mut expected = saved.blocks.clone();
    blocks.sort();
    expected.sort();
    assert_eq!(blocks, expected, "{report}");
}

/// The sections that a report lists, as QEMU traces them when it loads a stream, sorted.
fn sections(report: &str) -> Vec<String> {
    let all = |key| {
        ["ram", "section", "device"].map(|kind| match (kind, key) {
            ("ram", "name") => vec!["ram"],
            ("ram", "instance") => vec!["0"],
            _ => values(report, kind, key),
        })
    };
    let [ids, names, instances, versions] =
        ["id", "name", "instance", "version"].map(|key| all(key).concat());
    let rest = names.iter().zip(instances).zip(versions);
    let mut sections: Vec<_> = ids
        .iter()
        .zip(rest)
        .map(|(id, ((name, instance), version))| format!("{id}({name}) {instance} {version}"))
        .collect();
    sections.sort();
    sections
}

/// Takes a stream through everything: QEMU writes it, we report and copy it, another QEMU loads
/// the copy and writes it again.
///
/// With `compress` QEMU writes pages in an order that varies, and counts them otherwise.
fn round_trip(system: &Program, options: &[&str], capabilities: &[&str], exact: bool) -> String {
    let saved = save(system, options, capabilities);
    let dir = saved.dir.path();
    let inspected = vmstate(dir, &["inspect", "saved.mig"]);
    let report = String::from_utf8(inspected.stdout).unwrap();
    assert!(inspected.status.success(), "{report}\n{}", String::from_utf8_lossy(&inspected.stderr));
    assert!(inspected.stderr.is_empty());
    assert!(report.lines().last().is_some_and(|line| line.starts_with("ok")), "{report}");
    check_report(&report, &saved, exact);

    let copied = vmstate(dir, &["copy", "saved.mig", "copy.mig"]);
    assert!(copied.status.success() && copied.stderr.is_empty(), "{copied:?}");
    assert!(
        fs::read(dir.join("copy.mig")).unwrap() == saved.bytes,
        "the copy differs: {options:?}"
    );

    // So small pages are not guessed.
    let page_size = report.contains(" page_size=256 ").then_some(256);
    let piped = copy_pipe(&saved.bytes, 4096, Options { page_size, ..Options::default() }).unwrap();
    assert!(piped == saved.bytes, "the copy through pipes differs: {options:?}");

    convert_and_load(system, dir, options, capabilities, &report);

    // Without the original at hand.
    fs::remove_file(dir.join("saved.mig")).unwrap();
    let loaded = Qemu::load(system, dir, options, capabilities, "exec:cat copy.mig");
    let (mut qemu, state) = loaded.unwrap_or_else(|ended| panic!("{options:?}: {ended:?}"));
    assert_eq!(state, "prelaunch");
    qemu.migrate(SAVE).unwrap();
    let mut ended = qemu.quit();
    ended.sections.sort();
    assert_eq!(ended.sections, sections(&report));
    if exact {
        let differences = vmstate(dir, &["diff", "copy.mig", "saved.mig"]);
        assert!(differences.status.success(), "{options:?}: {differences:?}");
    }
    report
}

/// Converts `saved.mig` there and back: memory and devices stay the same, and QEMU loads both.
fn convert_and_load(
    system: &Program,
    dir: &Path,
    options: &[&str],
    capabilities: &[&str],
    report: &str,
) {
    let convert = |form, from, to| {
        let output = vmstate(dir, &["convert", "--to", form, from, to]);
        assert!(output.status.success() && output.stderr.is_empty(), "{options:?}: {output:?}");
        // The descriptions tell of the other form, so only the rest is the same.
        let differences = vmstate(dir, &["diff", "saved.mig", to]);
        assert!(differences.status.success(), "{options:?}: {differences:?}");
    };
    let load = |capabilities: &[&str], uri: &str| {
        let loaded = Qemu::load(system, dir, options, capabilities, uri);
        let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{options:?}: {ended:?}"));
        assert_eq!(state, "prelaunch");
        qemu.quit();
    };
    // Only a configuration can say that memory is mapped, and there must be some.
    let mut from = "saved.mig";
    if !report.contains("config   none\n") && !report.contains("\nram      none\n") {
        convert("mapped", from, "mapped.mig");
        from = "mapped.mig";
        if system.version.0 >= 9 {
            load(&[capabilities, &["mapped-ram"]].concat(), "file:mapped.mig");
        }
    }
    convert("ordinary", from, "ordinary.mig");
    load(capabilities, "exec:cat ordinary.mig");
}

#[test]
fn machines_without_processor() {
    for system in &programs(X86) {
        let report = round_trip(system, &["-M", "none"], &[], true);
        assert!(report.contains("block    none\n"), "{report}");
        round_trip(system, &["-M", "none", "-m", "8K"], &[], true);
        round_trip(system, &["-M", "none", "-m", "1M"], &[], true);
        let blob = "loader,file=blob.bin,addr=0x3000,force-raw=on";
        let report = round_trip(system, &["-M", "none", "-m", "64K", "-device", blob], &[], true);
        assert!(report.contains("block    ram length=65536 zero=14 normal=2 "), "{report}");
    }
}

#[test]
fn optional_elements() {
    for system in &programs(X86) {
        let small = ["-M", "none", "-m", "64K"];
        // QEMU 10 itself aborts.
        if system.version.0 < 8 {
            let no_configuration = ["-global", "migration.send-configuration=off"];
            let report = round_trip(system, &[&small[..], &no_configuration].concat(), &[], true);
            assert!(report.contains("config   none\n"), "{report}");
        }
        let no_footers = ["-global", "migration.send-section-footer=off"];
        let report = round_trip(system, &[&small[..], &no_footers].concat(), &[], true);
        assert!(report.contains("footers  no\n"), "{report}");
        let uuid = ["-uuid", "11223344-5566-7788-99aa-bbccddeeff00"];
        let report = round_trip(system, &[&small[..], &uuid].concat(), &["validate-uuid"], true);
        assert!(
            report.contains("config   uuid=11223344-5566-7788-99aa-bbccddeeff00\n"),
            "{report}"
        );
    }
}

#[test]
fn shared_memory_is_left_out() {
    for system in &programs(X86) {
        let object = "memory-backend-file,id=mem0,size=1M,mem-path=shared.ram,share=on";
        let options = ["-M", "none,memory-backend=mem0", "-m", "1M", "-object", object];
        let saved = save(system, &options, &["x-ignore-shared"]);
        let report = inspect(&saved.bytes).unwrap();
        assert!(report.contains("config   capability=x-ignore-shared\n"), "{report}");
        assert!(report.contains("block    mem0 length=1048576 zero=0 normal=0 "), "{report}");
        assert!(report.contains(" address=0x0\n"), "{report}");
        let dir = saved.dir.path();
        assert!(vmstate(dir, &["copy", "saved.mig", "copy.mig"]).status.success());
        assert!(fs::read(dir.join("copy.mig")).unwrap() == saved.bytes);
        assert!(
            vmstate(dir, &["convert", "--to", "ordinary", "copy.mig", "again.mig"])
                .status
                .success()
        );
        for name in ["copy.mig", "again.mig"] {
            let uri = format!("exec:cat {name}");
            let loaded = Qemu::load(system, dir, &options, &["x-ignore-shared"], &uri);
            let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
            assert_eq!(state, "prelaunch");
            qemu.quit();
        }
    }
}

#[test]
fn machines_with_processor_and_firmware() {
    for system in &programs(X86) {
        round_trip(system, &["-M", "microvm", "-m", "1M"], &[], true);
        let report = round_trip(system, &["-M", "isapc", "-m", "1M"], &[], true);
        let twins = values(&report, "device", "name").into_iter().filter(|name| *name == "isa-ide");
        assert_eq!(twins.count(), 2, "{report}");
        // Without configuration and footers.
        if system.has_machine("pc-i440fx-2.3") {
            let report = round_trip(system, &["-M", "pc-i440fx-2.3", "-m", "1M"], &[], true);
            assert!(report.contains("config   none\n"), "{report}");
            assert!(report.contains("footers  no\n"), "{report}");
        }
    }
}

#[test]
fn machines_with_buses() {
    for system in &programs(X86) {
        round_trip(system, &["-M", "pc", "-m", "8M"], &[], true);
        round_trip(system, &["-M", "q35", "-m", "8M"], &[], true);
        if system.version < (9, 1) {
            let report = round_trip(system, &["-M", "q35", "-m", "1M"], &["compress"], false);
            assert!(sum(&report, "block", "compressed") > 0, "{report}");
        }
    }
}

#[test]
fn memory_in_many_sections() {
    for system in &programs(X86) {
        let dir = directory();
        let mut qemu = Qemu::stopped(system, dir.path(), &["-M", "pc", "-m", "8M"]);
        qemu.negotiate(&[]);
        qemu.execute("migrate-set-parameters", json!({ "max-bandwidth": 300 << 10 }));
        let blocks = qemu.ram_blocks();
        let info = qemu.migrate(SAVE).unwrap();
        qemu.quit();
        let bytes = fs::read(dir.path().join("saved.mig")).unwrap();
        let saved = Saved { dir, bytes, info, blocks };
        let report = inspect(&saved.bytes).unwrap();
        check_report(&report, &saved, true);
        // QEMU 10 does not wait if the machine stands still.
        assert!(sum(&report, "ram", "part") > 1 || system.version.0 >= 8, "{report}");
        assert!(vmstate(saved.dir.path(), &["copy", "saved.mig", "copy.mig"]).status.success());
        assert!(fs::read(saved.dir.path().join("copy.mig")).unwrap() == saved.bytes);
    }
}

#[test]
fn commands_of_the_return_path() {
    for system in &programs(X86) {
        let dir = directory();
        let mut qemu = Qemu::stopped(system, dir.path(), &["-M", "none", "-m", "64K"]);
        qemu.negotiate(&["return-path"]);
        qemu.execute("migrate", json!({ "uri": SAVE }));
        // QEMU then waits for an answer for ever, but the stream becomes complete.
        let started = Instant::now();
        let report = loop {
            let bytes = fs::read(dir.path().join("saved.mig")).unwrap_or_default();
            match inspect(&bytes) {
                Ok(report) => break report,
                Err(failure) => assert!(started.elapsed().as_secs() < 20, "{failure}"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        assert!(report.contains("command  number=1 name=OPEN_RETURN_PATH length=0\n"), "{report}");
        assert!(report.contains("command  number=2 name=PING length=4\n"), "{report}");
    }
}

#[test]
fn streams_without_description() {
    for system in &programs(X86) {
        let options = ["-M", "none,suppress-vmdesc=on", "-m", "64K"];
        let saved = save(system, &options, &[]);
        let refused = inspect(&saved.bytes).unwrap_err().to_string();
        assert!(
            refused.contains("no description at the end tells where device `timer` ends"),
            "{refused}"
        );
        let guess = Options { page_size: None, guess: true, raw_tail: false };
        let report = inspect_with(&saved.bytes, guess).1.unwrap();
        assert_eq!(values(&report, "device", "name"), ["timer", "globalstate"]);
        let dir = saved.dir.path();
        assert_eq!(vmstate(dir, &["copy", "saved.mig", "copy.mig"]).status.code(), Some(1));
        assert!(!dir.join("copy.mig").exists());
        assert!(vmstate(dir, &["copy", "--raw-tail", "saved.mig", "copy.mig"]).status.success());
        assert!(fs::read(dir.join("copy.mig")).unwrap() == saved.bytes);
        let loaded = Qemu::load(system, dir, &options, &[], "exec:cat copy.mig");
        assert_eq!(loaded.unwrap_or_else(|ended| panic!("{ended:?}")).1, "prelaunch");
    }
}

/// QEMU writes into our copy and reads from another one, with nothing but pipes between.
#[test]
fn copies_through_pipes() {
    for system in &programs(X86) {
        let program = env!("CARGO_BIN_EXE_vmstate");
        let options = ["-M", "q35", "-m", "8M"];
        let folder = directory();
        let dir = folder.path();
        let mut qemu = Qemu::stopped(system, dir, &options);
        qemu.negotiate(&[]);
        qemu.migrate(&format!("{WATCHED} '{program}' copy - piped.mig")).unwrap();
        qemu.quit();
        assert!(
            fs::read(dir.join("piped.mig")).unwrap() == fs::read(dir.join("written.mig")).unwrap()
        );

        let uri = format!("exec:cat piped.mig | '{program}' copy - - | '{program}' copy - -");
        let (qemu, state) =
            Qemu::load(system, dir, &options, &[], &uri).unwrap_or_else(|it| panic!("{it:?}"));
        assert_eq!(state, "prelaunch");
        qemu.quit();
        let uri = format!("exec:'{program}' copy piped.mig -");
        let (qemu, state) =
            Qemu::load(system, dir, &options, &[], &uri).unwrap_or_else(|it| panic!("{it:?}"));
        assert_eq!(state, "prelaunch");
        qemu.quit();
    }
}

/// Firmware has run and written memory; the loaded machine goes on running.
#[test]
fn a_running_guest_goes_on() {
    for system in &programs(X86) {
        let dir = directory();
        let options = ["-M", "pc", "-m", "8M"];
        let mut qemu = Qemu::start(system, dir.path(), &options);
        qemu.negotiate(&[]);
        thread::sleep(Duration::from_millis(700));
        let blocks = qemu.ram_blocks();
        let info = qemu.migrate(SAVE).unwrap();
        qemu.quit();
        let bytes = fs::read(dir.path().join("saved.mig")).unwrap();
        let saved = Saved { dir, bytes, info, blocks };
        let report = inspect(&saved.bytes).unwrap();
        check_report(&report, &saved, true);
        let memory = report.lines().find(|line| line.starts_with("block    pc.ram ")).unwrap();
        assert!(!memory.contains(" normal=0 "), "nothing was written: {report}");
        let dir = saved.dir.path();
        assert!(vmstate(dir, &["copy", "saved.mig", "copy.mig"]).status.success());
        assert!(fs::read(dir.join("copy.mig")).unwrap() == saved.bytes);

        // Its state was part of the stream.
        let loaded = Qemu::load(system, dir, &options, &[], "exec:cat copy.mig");
        let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
        assert_eq!(state, "running");
        qemu.quit();
    }
}

/// Streams that no QEMU wrote.
#[test]
fn qemu_loads_hand_made_streams() {
    for system in &programs(X86) {
        let dir = directory();
        let options = ["-M", "none,suppress-vmdesc=on", "-m", "8K"];
        fs::write(dir.path().join("t1.mig"), t1()).unwrap();
        assert!(vmstate(dir.path(), &["copy", "t1.mig", "copy.mig"]).status.success());
        let loaded = Qemu::load(system, dir.path(), &options, &[], "exec:cat copy.mig");
        let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
        assert_ne!(state, "inmigrate");
        qemu.quit();

        let state_name = [&b"prelaunch\0"[..], &[0; 90]].concat();
        let devices = t1_sections()
            .full(1, b"timer", 0, 2)
            .be64(0)
            .be64(0)
            .be64(0)
            .footer(1)
            .full(3, b"globalstate", 0, 1)
            .be32(10)
            .bytes(&state_name)
            .footer(3)
            .byte(0)
            .0;
        fs::write(dir.path().join("devices.mig"), devices).unwrap();
        let copied = vmstate(dir.path(), &["copy", "--raw-tail", "devices.mig", "copy.mig"]);
        assert!(copied.status.success());
        let loaded = Qemu::load(system, dir.path(), &options, &[], "exec:cat copy.mig");
        let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
        assert_eq!(state, "prelaunch");
        let ended = qemu.quit();
        assert_eq!(ended.sections, ["42(ram) 0 4", "1(timer) 0 2", "3(globalstate) 0 1"]);
    }
}

/// Damaged copies are refused by QEMU and by us; through our pipe QEMU gets nothing that it could
/// take for a stream.
#[test]
fn damage_is_found_before_qemu_sees_it() {
    for system in &programs(X86) {
        let dir = directory();
        let load = dir.path().join("damaged.mig");
        let machine = ["-M", "none", "-m", "16K"];
        // SHIPPED came from a machine of this kind.
        fs::write(&load, SHIPPED).unwrap();
        let loaded = Qemu::load(system, dir.path(), &machine, &[], "exec:cat damaged.mig");
        assert_eq!(loaded.unwrap_or_else(|ended| panic!("{ended:?}")).1, "prelaunch");

        let changed = |offset: usize, value: u8| {
            let mut bytes = SHIPPED.to_vec();
            bytes[offset] = value;
            bytes
        };
        let damaged: [(Vec<u8>, &str); 8] = [
            (changed(0, 0x50), "Not a migration stream"),
            (changed(7, 4), "Unsupported migration stream version"),
            (changed(17, 9), "Unknown savevm section type 9"),
            (changed(62, 0x7f), "Missing section footer for ram"),
            (changed(66, 3), "Mismatched section id in footer for ram"),
            (SHIPPED[..40].to_vec(), ""),
            (SHIPPED[..3000].to_vec(), ""),
            (SHIPPED[..4300].to_vec(), ""),
        ];
        for (bytes, message) in damaged {
            fs::write(&load, &bytes).unwrap();
            let Err(ended) = Qemu::load(system, dir.path(), &machine, &[], "exec:cat damaged.mig")
            else {
                panic!("QEMU accepts it: {message}");
            };
            assert_eq!(ended.status.code(), Some(1));
            assert!(ended.messages.iter().any(|line| line.contains(message)), "{ended:?}");

            assert!(matches!(inspect(&bytes), Err(Failure::Damaged { .. })));
            let inspected = vmstate(dir.path(), &["inspect", "damaged.mig"]);
            assert_eq!(inspected.status.code(), Some(1));
            let line = String::from_utf8(inspected.stderr).unwrap();
            assert!(
                line.starts_with("damaged.mig: offset 0x") && line.lines().count() == 1,
                "{line}"
            );
            assert_eq!(
                vmstate(dir.path(), &["copy", "damaged.mig", "copy"]).status.code(),
                Some(1)
            );
            assert!(!dir.path().join("copy").exists());
        }

        // The end mark is at 4420.
        for cut in (1..4420).step_by(221) {
            let bytes = &SHIPPED[..cut];
            fs::write(&load, bytes).unwrap();
            let loaded = Qemu::load(system, dir.path(), &machine, &[], "exec:cat damaged.mig");
            assert_eq!(loaded.err().unwrap().status.code(), Some(1), "{cut}");
            assert!(inspect(bytes).is_err());
        }

        // QEMU accepts what is cut after the end mark; we do not, and then it gets nothing.
        fs::write(&load, &SHIPPED[..4500]).unwrap();
        assert_eq!(vmstate(dir.path(), &["copy", "damaged.mig", "copy"]).status.code(), Some(1));
        let piped = vmstate(dir.path(), &["copy", "damaged.mig", "-"]);
        assert_eq!((piped.status.code(), piped.stdout.len()), (Some(1), 0));
    }
}

/// Where in a block the known pages are: far from what the machine itself has in it.
const KNOWN: u64 = 0x80_0000;

/// Extracts the memory of a machine that has a processor and, at `address`, a block with some known pages:
/// it is what the machine itself says.
fn extract_known(system: &Program, options: &[&str], block: &str, address: u64) {
    let folder = directory();
    let dir = folder.path();
    let blob = format!("loader,file=blob.bin,addr={:#x},force-raw=on", address + KNOWN);
    let options = [options, &["-device", &blob]].concat();
    let mut qemu = Qemu::stopped(system, dir, &options);
    qemu.negotiate(&[]);
    let blocks = qemu.ram_blocks();
    let (_, length) = blocks.iter().find(|(name, _)| name == block).unwrap();
    let path = dir.join("witness.bin");
    qemu.execute("pmemsave", json!({ "val": address, "size": length, "filename": path }));
    qemu.migrate(SAVE).unwrap();
    qemu.quit();
    let extracted = vmstate(dir, &["extract", "saved.mig", "memory"]);
    assert!(extracted.status.success(), "{options:?}: {extracted:?}");
    let memory = fs::read(dir.join("memory").join(format!("{block}.raw"))).unwrap();
    assert!(memory == fs::read(path).unwrap(), "{options:?}");
    let blob = fs::read(dir.join("blob.bin")).unwrap();
    assert!(memory[KNOWN as usize..].starts_with(&blob), "{options:?}");
}

/// Pages of 4 KiB and of 1 KiB, which a pipe does not tell.
#[test]
fn arm_machines() {
    for system in &programs(ARM) {
        extract_known(system, &["-M", "virt", "-m", "16M"], "mach-virt.ram", 0x4000_0000);
        // Its timers go on while the stream is loaded.
        let report = round_trip(system, &["-M", "virt", "-m", "16M"], &[], false);
        assert!(report.contains("config   page_size=4096\n"), "{report}");
        let report = round_trip(system, &["-M", "microbit"], &[], true);
        assert!(report.contains(" page_size=1024 "), "{report}");
        let report = round_trip(system, &["-M", "none", "-m", "64K"], &[], true);
        assert!(report.contains(" page_size=1024 "), "{report}");
    }
}

/// Its memory has a device section of its own before the end of `ram`, since QEMU 8.
#[test]
fn memory_that_is_plugged_in() {
    for system in &programs(X86) {
        let memory = ["-M", "q35", "-m", "16M,maxmem=1G", "-object"];
        let backend = ["memory-backend-ram,id=mem1,size=64M", "-device"];
        let device = ["virtio-mem-pci,id=vm0,memdev=mem1,requested-size=0"];
        let report = round_trip(system, &[&memory[..], &backend, &device].concat(), &[], true);
        let early = report.lines().position(|line| line.contains("virtio-mem-device-early"));
        let ram = report.lines().position(|line| line.starts_with("ram ")).unwrap();
        assert_eq!(early.is_some(), system.version.0 >= 8, "{report}");
        assert!(early.is_none_or(|early| early < ram), "{report}");
    }
}

/// What was written to disks since some time, which is a section of its own.
#[test]
fn bitmaps_of_disks() {
    for system in &programs(X86) {
        let folder = directory();
        let dir = folder.path();
        let options = ["-M", "pc", "-m", "8M", "-blockdev", "null-co,node-name=disk,size=16777216"];
        let capabilities = ["dirty-bitmaps"];
        let count = |qemu: &mut Qemu| {
            let nodes = qemu.execute("query-named-block-nodes", json!({}));
            nodes[0]["dirty-bitmaps"][0]["count"].clone()
        };
        let mut qemu = Qemu::stopped(system, dir, &options);
        qemu.negotiate(&capabilities);
        qemu.execute("block-dirty-bitmap-add", json!({ "node": "disk", "name": "since" }));
        let write = json!({ "command-line": "qemu-io disk \"write 1M 300k\"" });
        qemu.execute("human-monitor-command", write);
        let dirty = count(&mut qemu);
        assert!(dirty.as_u64().is_some_and(|bytes| bytes >= 300 << 10), "{dirty}");
        qemu.migrate(SAVE).unwrap();
        qemu.quit();
        let bytes = fs::read(dir.join("saved.mig")).unwrap();
        let report = inspect(&bytes).unwrap();
        assert!(report.contains(" name=dirty-bitmap "), "{report}");
        assert!(vmstate(dir, &["copy", "saved.mig", "copy.mig"]).status.success());
        assert!(fs::read(dir.join("copy.mig")).unwrap() == bytes);
        assert_eq!(copy_pipe(&bytes, 4096, Options::default()).unwrap(), bytes);
        let converted = vmstate(dir, &["convert", "--to", "mapped", "copy.mig", "mapped.mig"]);
        assert!(converted.status.success(), "{converted:?}");
        let converted = vmstate(dir, &["convert", "--to", "ordinary", "mapped.mig", "again.mig"]);
        assert!(converted.status.success(), "{converted:?}");
        for name in ["copy.mig", "again.mig"] {
            let uri = format!("exec:cat {name}");
            let loaded = Qemu::load(system, dir, &options, &capabilities, &uri);
            let (mut qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
            assert_eq!(state, "prelaunch");
            assert_eq!(count(&mut qemu), dirty);
            qemu.quit();
        }
    }
}

/// Writes 16 pages again and again. It changes CR0.WP, so that an emulator forgets where it may write
/// without telling.
const WRITER: [u8; 30] = [
    0xfa, // cli
    0xb8, 0x00, 0x10, // mov ax, 0x1000
    0x8e, 0xd8, // mov ds, ax
    0x31, 0xdb, // xor bx, bx
    0xff, 0x07, // inc word [bx]
    0x81, 0xc3, 0x00, 0x10, // add bx, 0x1000
    0x73, 0xf8, // jnc: the page after it
    0x0f, 0x20, 0xc0, // mov eax, cr0
    0x66, 0x35, 0x00, 0x00, 0x01, 0x00, // xor eax, 0x10000
    0x0f, 0x22, 0xc0, // mov cr0, eax
    0xeb, 0xe8, // jmp: the first page
];

#[test]
fn pages_that_change_while_they_are_sent() {
    for system in &programs(X86) {
        let dir = directory();
        let mut firmware = vec![0; 0x10000];
        firmware[..WRITER.len()].copy_from_slice(&WRITER);
        // Where the processor begins: jmp 0xf000:0
        firmware[0xfff0..0xfff5].copy_from_slice(&[0xea, 0, 0, 0, 0xf0]);
        fs::write(dir.path().join("writer.bin"), firmware).unwrap();
        let options = ["-M", "pc", "-m", "8M", "-bios", "writer.bin"];
        let mut qemu = Qemu::start(system, dir.path(), &options);
        qemu.negotiate(&["xbzrle"]);
        let slowly = json!({ "max-bandwidth": 256 << 10, "downtime-limit": 1 });
        qemu.execute("migrate-set-parameters", slowly);
        qemu.execute("migrate", json!({ "uri": SAVE }));
        // It ends when there is little left, or when it is told to.
        let started = Instant::now();
        loop {
            let info = qemu.execute("query-migrate", json!({}));
            let changed = info["xbzrle-cache"]["pages"].as_u64().unwrap_or_default();
            if changed >= 100 || info["status"] == "completed" {
                break;
            }
            assert!(started.elapsed().as_secs() < 20, "{info}");
            thread::sleep(Duration::from_millis(20));
        }
        let quickly = json!({ "max-bandwidth": 64 << 20, "downtime-limit": 2000 });
        qemu.execute("migrate-set-parameters", quickly);
        qemu.wait_for_migration().unwrap();
        // The pages are within these.
        let witness = dir.path().join("witness.bin");
        qemu.execute("pmemsave", json!({ "val": 0, "size": 0xa_0000, "filename": witness }));
        qemu.quit();
        let bytes = fs::read(dir.path().join("saved.mig")).unwrap();
        let report = inspect(&bytes).unwrap();
        assert!(sum(&report, "block", "xbzrle") > 0, "{report}");
        assert!(vmstate(dir.path(), &["extract", "saved.mig", "memory"]).status.success());
        let memory = fs::read(dir.path().join("memory/pc.ram.raw")).unwrap();
        let witness = fs::read(witness).unwrap();
        assert!(memory.starts_with(&witness) && witness[0x1_0000..].iter().any(|byte| *byte != 0));
        assert_eq!(copy_pipe(&bytes, 4096, Options::default()).unwrap(), bytes);
        assert!(vmstate(dir.path(), &["copy", "saved.mig", "copy.mig"]).status.success());
        let form = ["convert", "--to", "mapped", "copy.mig", "mapped.mig"];
        assert!(vmstate(dir.path(), &form).status.success());
        let form = ["convert", "--to", "ordinary", "mapped.mig", "ordinary.mig"];
        assert!(vmstate(dir.path(), &form).status.success());
        assert!(vmstate(dir.path(), &["diff", "copy.mig", "ordinary.mig"]).status.success());
        for name in ["copy.mig", "ordinary.mig"] {
            let uri = format!("exec:cat {name}");
            let loaded = Qemu::load(system, dir.path(), &options, &["xbzrle"], &uri);
            let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
            assert_eq!(state, "running");
            qemu.quit();
        }
    }
}

/// A stream without END of `ram`. The host must let QEMU notice writes (userfaultfd).
#[test]
fn background_snapshots() {
    for system in &programs(X86) {
        let dir = directory();
        let options = ["-M", "pc", "-m", "8M"];
        let mut qemu = Qemu::start(system, dir.path(), &options);
        qemu.negotiate(&[]);
        let capability = json!([{ "capability": "background-snapshot", "state": true }]);
        let capabilities = json!({ "capabilities": capability });
        if let Err(error) = qemu.ask("migrate-set-capabilities", capabilities) {
            eprintln!("not possible here: background snapshots: {error}");
            continue;
        }
        let saved = qemu.ask("migrate", json!({ "uri": SAVE })).map(|_| qemu.wait_for_migration());
        if !matches!(saved, Ok(Ok(_))) {
            eprintln!("not possible here: background snapshots: {saved:?}");
            continue;
        }
        drop(qemu);
        let bytes = fs::read(dir.path().join("saved.mig")).unwrap();
        let report = inspect(&bytes).unwrap();
        assert!(report.contains(" end=0\n"), "{report}");
        assert!(report.contains("\nkind     background snapshot: "), "{report}");
        assert_eq!(copy_pipe(&bytes, 4096, Options::default()).unwrap(), bytes);
        assert!(vmstate(dir.path(), &["copy", "saved.mig", "copy.mig"]).status.success());
        let loaded = Qemu::load(system, dir.path(), &options, &[], "exec:cat copy.mig");
        let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
        assert_eq!(state, "running");
        qemu.quit();
    }
}

/// QEMU says that the machine is saved, so it is, although the stream is not understood.
#[test]
fn what_is_not_understood_is_saved_all_the_same() {
    let tool = env!("CARGO_BIN_EXE_vmstate");
    for system in &programs(X86) {
        let options = ["-M", "q35", "-m", "8M"];
        let straight = save(system, &options, &[]);
        let dir = straight.dir.path();
        // With pages that are larger than a block it cannot be understood.
        let wrong = Options { page_size: Some(65536), ..Options::default() };
        let failure = inspect_with(&straight.bytes, wrong).1.unwrap_err().to_string();
        assert!(failure.contains("page size 4096 described, but 65536"), "{failure}");
        let mut qemu = Qemu::stopped(system, dir, &options);
        qemu.negotiate(&[]);
        qemu.migrate(&format!("{WATCHED} '{tool}' copy --page-size 65536 - piped.mig")).unwrap();
        let messages = qemu.end().messages;
        assert!(
            messages.iter().any(|line| line.contains("piped.mig: has all bytes")),
            "{messages:?}"
        );
        assert!(
            fs::read(dir.join("piped.mig")).unwrap() == fs::read(dir.join("written.mig")).unwrap()
        );
        let loaded = Qemu::load(system, dir, &options, &[], "exec:cat piped.mig");
        let (qemu, state) = loaded.unwrap_or_else(|ended| panic!("{ended:?}"));
        assert_eq!(state, "prelaunch");
        qemu.quit();
    }
}

/// A small machine is in the pipe before it is known that it cannot be written where it should.
#[test]
fn a_small_machine_is_kept_by_qemu_or_in_another_place() {
    let tool = env!("CARGO_BIN_EXE_vmstate");
    for system in &programs(X86) {
        let blob = "loader,file=blob.bin,addr=0x3000,force-raw=on";
        let options = ["-M", "none", "-m", "64K", "-device", blob];
        let straight = save(system, &options, &[]);
        let dir = straight.dir.path();
        assert!(straight.bytes.len() < 1 << 16, "it does not fit into a pipe");
        let mut qemu = Qemu::stopped(system, dir, &options);
        qemu.negotiate(&[]);
        let migrated = qemu.migrate(&format!("exec:TMPDIR=. exec '{tool}' copy - absent/out.mig"));
        qemu.end();
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut kept = names
            .filter(|path| path.extension().is_some_and(|extension| extension == "incomplete"));
        match migrated {
            Ok(_) => assert!(fs::read(kept.next().unwrap()).unwrap() == straight.bytes),
            Err(_) => assert_eq!(kept.next(), None),
        }
    }
}

/// What cannot be written breaks the pipe, and QEMU keeps the machine.
#[test]
fn qemu_keeps_the_machine_if_the_copy_fails() {
    let tool = env!("CARGO_BIN_EXE_vmstate");
    for system in &programs(X86) {
        let cases = [
            (format!("exec '{tool}' copy - absent/out.mig"), "absent/out.mig: No such file"),
            (
                format!("ulimit -f 200; trap '' XFSZ; exec '{tool}' copy - out.mig"),
                "out.mig.incomplete: keeps the ",
            ),
            (format!("'{tool}' copy - - | false"), "standard output: Broken pipe"),
        ];
        for (command, message) in cases {
            let dir = directory();
            let mut qemu = Qemu::stopped(system, dir.path(), &["-M", "q35", "-m", "8M"]);
            qemu.negotiate(&[]);
            let info = qemu.migrate(&format!("exec:{command}")).unwrap_err();
            assert_eq!(info["status"], "failed", "{command}");
            assert!(!dir.path().join("out.mig").exists());
            // It can still be saved, if it has not got far enough to be taken for saved.
            let saved = qemu.execute("query-status", json!({}))["status"] == "prelaunch";
            if saved {
                qemu.migrate(&format!("exec:'{tool}' copy - saved.mig")).unwrap();
            }
            // Then the copy has ended, too.
            let messages = qemu.end().messages.join("\n");
            if saved {
                assert!(inspect(&fs::read(dir.path().join("saved.mig")).unwrap()).is_ok());
            }
            assert!(messages.contains(message), "{messages}");
        }
    }
}

/// Machines of other processors, with sections of their own, big-endian guests, and pages of 256 bytes.
#[test]
#[ignore = "needs QEMUs of other machines: `.ci/unpack-qemu FOLDER all`"]
fn other_machines() {
    let pseries = "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off";
    let machines: [(&str, &[&str], &str); 5] = [
        ("qemu-system-riscv64", &["-M", "virt", "-m", "16M", "-bios", "none"], " page_size=4096 "),
        ("qemu-system-riscv64", &["-M", "none", "-m", "64K"], " page_size=4096 "),
        ("qemu-system-s390x", &["-m", "16M"], " name=s390-storage_attributes "),
        ("qemu-system-ppc64", &["-M", pseries, "-m", "256M"], " name=spapr/htab "),
        ("qemu-system-avr", &["-M", "uno"], " page_size=256 "),
    ];
    let known: [(&str, &[&str], &str, u64); 3] = [
        (
            "qemu-system-riscv64",
            &["-M", "virt", "-m", "16M", "-bios", "none"],
            "riscv_virt_board.ram",
            0x8000_0000,
        ),
        ("qemu-system-s390x", &["-m", "16M"], "s390.ram", 0),
        ("qemu-system-ppc64", &["-M", pseries, "-m", "256M"], "ppc_spapr.ram", 0),
    ];
    for (name, options, block, address) in known {
        for system in &programs(name) {
            extract_known(system, options, block, address);
        }
    }
    for (name, options, expected) in machines {
        let systems = programs(name);
        assert!(!systems.is_empty());
        for system in &systems {
            let report = round_trip(system, options, &[], false);
            assert!(report.contains(expected), "{name}: {report}");
            // Only in 7.2 the description of `s390_css` leaves something out.
            let guessed = name.ends_with("s390x") && system.version < (10, 0);
            assert_eq!(report.ends_with("\nok\n"), !guessed, "{name}: {report}");
        }
    }
}
