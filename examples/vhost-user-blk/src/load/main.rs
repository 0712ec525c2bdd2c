//! Drives a vhost-user block device without a guest, checks it and measures it.
mod compare;
mod daemon;
mod disk;
mod drive;
mod front;
mod hostile;
mod reader_writer;
mod request;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use compare::Comparison;
use disk::Work;
use drive::{Load, drive};
use hostile::Attack;
use request::Oddity;

/// A virtio driver without a guest: sends requests to a vhost-user block device, compares every byte with
/// what was written, and measures.
///
/// What the disk holds is lost.
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Drive the daemon that listens at a socket
    Run(Run),
    /// Compare the daemon with others: processor time per request, and requests per second
    Compare(Compare),
    /// Attack the daemon with rings, chains and addresses at random
    Hostile(Hostile),
    /// Be the device that is compared with, on virtio-queue's Reader and Writer
    ReaderWriter { socket: PathBuf, image: PathBuf },
    /// Read and write a range of a disk or a file, in a guest, and compare with a copy in memory
    Disk(Disk),
}

#[derive(Args)]
struct Run {
    /// The daemon's socket
    socket: PathBuf,
    /// Bytes of a request, a multiple of 512
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Descriptors of a request's data
    #[arg(long, default_value_t = 1)]
    descriptors: usize,
    /// Requests in flight, a queue
    #[arg(long, default_value_t = 8)]
    depth: usize,
    /// Queues, each with a thread of its own
    #[arg(long, default_value_t = 1)]
    queues: usize,
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How requests differ from the usual layout: commas between, or `all`
    #[arg(long, value_delimiter = ',', value_parser = oddities)]
    layout: Vec<Vec<Oddity>>,
    /// Let sizes, descriptors and layouts vary, up to the given ones, and send all kinds of requests
    #[arg(long)]
    vary: bool,
    /// Neither write nor compare data, just the requests' headers and status
    #[arg(long)]
    no_check: bool,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct Compare {
    /// The daemon [default: beside this program]
    #[arg(long)]
    daemon: Option<PathBuf>,
    /// Time of each daemon in each case
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Turns of each daemon in each case
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct Hostile {
    /// The daemon [default: beside this program]
    #[arg(long)]
    daemon: Option<PathBuf>,
    /// Its way of reading and writing [default: the daemon's choice]
    #[arg(long)]
    io: Option<String>,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The first round's seed; each that follows has the next number
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct Disk {
    /// The disk or file, at least as large as the range
    path: PathBuf,
    /// Stop when this file is there
    #[arg(long)]
    until: PathBuf,
    /// Where the range begins, in bytes
    #[arg(long, default_value_t = 0)]
    offset: u64,
    /// Bytes of the range
    #[arg(long)]
    len: usize,
    /// Use sizes that are multiples of this, with --direct at least of a sector
    #[arg(long, default_value_t = 512)]
    unit: usize,
    /// Leave out the page cache
    #[arg(long)]
    direct: bool,
    /// Bytes of the largest request
    #[arg(long, default_value_t = 1 << 17)]
    largest: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn oddities(text: &str) -> Result<Vec<Oddity>, String> {
    if text == "all" {
        return Ok(Oddity::value_variants().to_vec());
    }
    Ok(vec![Oddity::from_str(text, true)?])
}

/// The daemon that was built with this program.
fn own_daemon() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("vhost-user-blk"))
}

fn main() -> Result<()> {
    match Command::parse().task {
        Task::Run(run) => {
            let load = Load {
                size: run.size,
                pieces: run.descriptors,
                depth: run.depth,
                queues: run.queues,
                time: Duration::from_secs_f64(run.seconds),
                oddities: run.layout.concat(),
                vary: run.vary,
                check: !run.no_check,
                seed: run.seed,
            };
            let score = drive(&run.socket, &load)?;
            println!(
                "{} requests, {:.0} a second, {:.0} MiB a second",
                score.requests,
                score.requests as f64 / score.seconds,
                score.bytes as f64 / score.seconds / f64::from(1 << 20)
            );
        }
        Task::Compare(compare) => {
            let daemon = compare.daemon.map_or_else(own_daemon, Ok)?;
            let Compare { seconds, rounds, seed, .. } = compare;
            Comparison { daemon, time: Duration::from_secs_f64(seconds), rounds, seed }.run()?;
        }
        Task::Hostile(hostile) => {
            let daemon = hostile.daemon.map_or_else(own_daemon, Ok)?;
            let Hostile { io, seconds, seed, .. } = hostile;
            let time = Duration::from_secs_f64(seconds);
            println!("{} rounds", Attack { daemon, io, time, seed }.run()?);
        }
        Task::ReaderWriter { socket, image } => reader_writer::serve(&socket, &image)?,
        Task::Disk(disk) => {
            let Disk { path, until, offset, len, unit, direct, largest, seed } = disk;
            let work = Work { path, offset, len, unit, direct, largest, seed };
            println!("{} requests", work.run(&until)?);
        }
    }
    Ok(())
}
