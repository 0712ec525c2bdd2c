//! Daemons beside each other, in turns, under the same load.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    drive::{Load, drive},
};

const DISK: u64 = 256 << 20;
const SIZES: [usize; 3] = [512, 4096, 65536];
const PIECES: [usize; 2] = [1, 16];
const DEPTHS: [usize; 2] = [1, 32];

/// What to compare.
pub struct Comparison {
    /// The daemon of this package.
    pub daemon: PathBuf,
    /// Time of each daemon in each case, in all rounds.
    pub time: Duration,
    /// How often each daemon has its turn in a case.
    pub rounds: u32,
    pub seed: u64,
}

struct Entry {
    name: &'static str,
    command: fn(&Comparison, &Path, &Path) -> Command,
}

const ENTRIES: [Entry; 5] = [
    Entry { name: "sync", command: |this, socket, image| this.own("sync", socket, image) },
    Entry { name: "uring", command: |this, socket, image| this.own("uring", socket, image) },
    Entry {
        name: "storage daemon, threads",
        command: |_, socket, image| storage_daemon("threads", socket, image),
    },
    Entry {
        name: "storage daemon, io_uring",
        command: |_, socket, image| storage_daemon("io_uring", socket, image),
    },
    Entry {
        name: "Reader and Writer",
        command: |_, socket, image| {
            let mut command = Command::new("/proc/self/exe");
            command.arg("reader-writer").arg(socket).arg(image);
            command
        },
    },
];

fn storage_daemon(io: &str, socket: &Path, image: &Path) -> Command {
    let (socket, image) = (socket.display(), image.display());
    let mut command = Command::new("qemu-storage-daemon");
    command.args([
        "--blockdev",
        &format!("driver=file,node-name=disk,filename={image},aio={io}"),
        "--export",
        &format!(
            "vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path={socket},writable=on"
        ),
    ]);
    command
}

/// The best turn of a daemon: the one that others on this machine disturbed least.
#[derive(Clone)]
struct Best {
    /// Microseconds of processor time per request.
    cost: f64,
    /// Requests per second.
    rate: f64,
}

impl Comparison {
    fn own(&self, io: &str, socket: &Path, image: &Path) -> Command {
        let mut command = Command::new(&self.daemon);
        command.args(["--io", io]).arg(socket).arg(image);
        command
    }

    /// Prints the table, in Markdown.
    pub fn run(&self) -> Result<()> {
        let folder = TempDir::with_prefix_in("load-", "/dev/shm")?;
        let mut daemons = vec![];
        for (number, entry) in ENTRIES.iter().enumerate() {
            let socket = folder.path().join(format!("{number}"));
            let image = folder.path().join(format!("{number}.image"));
            File::create(&image)?.set_len(DISK)?;
            let command = (entry.command)(self, &socket, &image);
            match Daemon::start(command, &socket) {
                Ok(daemon) => daemons.push((entry.name, socket, daemon)),
                Err(error) => println!("{}: left out: {error:#}\n", entry.name),
            }
        }
        let heads: String = daemons.iter().map(|(name, ..)| format!(" {name} |")).collect();
        println!("| bytes | descriptors | depth |{heads}");
        println!("|--:|--:|--:|{}", "--:|".repeat(daemons.len()));
        for size in SIZES {
            for pieces in PIECES {
                for depth in DEPTHS {
                    let mut all = vec![Best { cost: f64::INFINITY, rate: 0.0 }; daemons.len()];
                    let mut load = Load {
                        size,
                        pieces,
                        depth,
                        queues: 1,
                        time: Duration::from_millis(50),
                        oddities: vec![],
                        vary: false,
                        check: true,
                        seed: self.seed,
                    };
                    for round in 0..=self.rounds {
                        for ((name, socket, daemon), best) in daemons.iter().zip(&mut all) {
                            // The first round checks every byte, and its time is not counted.
                            let before = daemon.cpu_time()?;
                            let score = drive(socket, &load).with_context(|| name.to_string())?;
                            if round > 0 {
                                let cpu = (daemon.cpu_time()? - before).as_secs_f64();
                                best.cost = best.cost.min(cpu * 1e6 / score.requests as f64);
                                best.rate = best.rate.max(score.requests as f64 / score.seconds);
                            }
                        }
                        (load.check, load.time) = (false, self.time / self.rounds);
                        load.seed += 1;
                    }
                    let cells: String = all
                        .iter()
                        .map(|best| format!(" {:.1} µs, {:.0}k/s |", best.cost, best.rate / 1000.0))
                        .collect();
                    println!("| {size} | {pieces} | {depth} |{cells}");
                }
            }
        }
        Ok(())
    }
}
