//! The daemon under load, without a guest: every layout of requests, and rings that no driver makes.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::Duration,
};

use tempfile::TempDir;

const DAEMON: &str = env!("CARGO_BIN_EXE_vhost-user-blk");

/// A daemon with an empty disk. It ends with this.
struct Daemon {
    process: Child,
    socket: PathBuf,
    _folder: TempDir,
}

impl Daemon {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let (socket, image) = (folder.path().join("socket"), folder.path().join("image"));
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let process =
            Command::new(DAEMON).args(arguments).arg(&socket).arg(&image).spawn().unwrap();
        let daemon = Self { process, socket, _folder: folder };
        for _ in 0..1000 {
            if daemon.socket.exists() {
                return daemon;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the daemon does not listen");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the load generator, which fails if a byte or an answer is wrong.
fn load(task: &str, path: &Path, arguments: &str) {
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    let status = load.arg(task).arg(path).args(arguments.split_whitespace()).status().unwrap();
    assert!(status.success(), "{task} {arguments}");
}

fn every_layout_and_size_is_served(daemon: &Daemon) {
    for layout in [
        "split-header",
        "joined-header",
        "joined-status",
        "bytes",
        "empty",
        "indirect",
        "border",
        "all",
    ] {
        let usual = "--queues 2 --depth 4 --size 65536 --descriptors 16 --seconds 0.2";
        load("run", &daemon.socket, &format!("{usual} --layout {layout}"));
        load("run", &daemon.socket, &format!("{usual} --layout {layout} --vary"));
    }
}

fn hostile_rings_are_answered_or_refused(io: &str) {
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    let status = load.args(["hostile", "--seconds", "5", "--io", io]).status().unwrap();
    assert!(status.success());
}

#[test]
fn every_layout_and_size_is_served_by_system_calls() {
    every_layout_and_size_is_served(&Daemon::start(&["--queues", "2", "--io", "sync"]));
}

#[test]
fn hostile_rings_are_answered_or_refused_by_system_calls() {
    hostile_rings_are_answered_or_refused("sync");
}

#[test]
fn every_layout_and_size_is_served_by_io_uring() {
    if has_io_uring() {
        every_layout_and_size_is_served(&Daemon::start(&["--queues", "2", "--io", "uring"]));
    }
}

#[test]
fn hostile_rings_are_answered_or_refused_by_io_uring() {
    if has_io_uring() {
        hostile_rings_are_answered_or_refused("uring");
    }
}

/// Containers and kernels may lack it.
fn has_io_uring() -> bool {
    let there = io_uring::IoUring::new(1).is_ok();
    if !there {
        eprintln!("skipped: no io_uring here");
    }
    there
}
