//! Drives a vhost-user block device without a guest, checks it and measures it.
mod drive;
mod front;
mod request;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use drive::{Load, drive};
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

fn oddities(text: &str) -> Result<Vec<Oddity>, String> {
    if text == "all" {
        return Ok(Oddity::value_variants().to_vec());
    }
    Ok(vec![Oddity::from_str(text, true)?])
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
    }
    Ok(())
}
