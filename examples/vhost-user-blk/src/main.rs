//! A virtio block device in a process of its own, which hypervisors reach by vhost-user.
//!
//! ```text
//!   main          command line; one front-end after the other
//!   device        features, configuration, a queue per thread     vhost-user-backend
//!   queue         takes requests from a ring and completes them   virtio-queue
//!   descriptors   what a request consists of                      iov-iter
//!   request       what a request asks for, and what it gets       iov-iter
//!   uring         many requests at the same time                  io-uring
//!   disk          the file
//! ```

mod descriptors;
mod device;
mod disk;
mod queue;
mod request;
mod uring;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, anyhow};
use clap::Parser;
use vhost::vhost_user::Error::{Disconnected, PartialMessage};
use vhost::vhost_user::Listener;
use vhost_user_backend::{Error, VhostUserDaemon};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use device::Device;
use disk::Disk;

/// A virtio block device for virtual machines, served from a file or block device by vhost-user.
///
/// For QEMU, whose guest's memory must be shared:
///
/// qemu-system-x86_64 -m 1G -object memory-backend-memfd,id=ram,size=1G,share=on
/// -machine q35,memory-backend=ram -chardev socket,id=disk,path=SOCKET,reconnect-ms=100
/// -device vhost-user-blk-pci,chardev=disk
#[derive(Parser)]
#[command(version, verbatim_doc_comment)]
struct Options {
    /// Where to wait for front-ends; a socket that is there is replaced
    socket: PathBuf,
    /// The disk: a file or a block device
    image: PathBuf,
    /// How the data is moved: a call per request, or many requests at the same time; the faster one by default
    #[arg(long, value_enum, default_value_t = Io::Sync)]
    io: Io,
    /// Do not write the disk
    #[arg(long)]
    read_only: bool,
    /// Queues, each with a thread; at least as many as the front-end asks for
    #[arg(long, default_value_t = default_queues(), value_parser = clap::value_parser!(u16).range(1..=64))]
    queues: u16,
    /// What the guest sees as the serial number, up to 20 bytes; the name of the image by default
    #[arg(long)]
    serial: Option<String>,
    /// Exit when the first front-end is gone
    #[arg(long)]
    once: bool,
}

/// How the data is moved.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Io {
    /// preadv and pwritev
    Sync,
    /// io_uring
    Uring,
}

/// One for each processor.
fn default_queues() -> u16 {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(64) as u16)
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vhost-user-blk: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves one front-end after the other.
fn run(options: &Options) -> anyhow::Result<()> {
    let disk = Disk::open(&options.image, options.read_only, options.serial.as_deref())?;
    let disk = Arc::new(disk);
    let socket = options.socket.display();
    let mut listener = Listener::new(&options.socket, true)
        .map_err(|error| anyhow!("{socket}: no socket can be made there: {error}"))?;
    eprintln!("{}: {} sectors, waiting at {socket}", options.image.display(), disk.sectors);
    loop {
        serve(options, &disk, &mut listener)?;
        if options.once {
            return Ok(());
        }
    }
}

/// Waits for a front-end, and serves it until it is gone.
fn serve(options: &Options, disk: &Arc<Disk>, listener: &mut Listener) -> anyhow::Result<()> {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let queues = options.queues.into();
    let device = Device::new(disk.clone(), options.io, queues, memory.clone())
        .context("the kernel does not set up io_uring here; `--io sync` does without")?;
    let device = Arc::new(device);
    let mut daemon = VhostUserDaemon::new("vhost-user-blk".into(), device.clone(), memory)
        .map_err(|error| anyhow!("the threads of the queues do not start: {error}"))?;
    // The numbers up to that of the queues are theirs.
    let event = queues as u64 + 1;
    for (thread, completions) in daemon.get_epoll_handlers().iter().zip(device.completions()) {
        if let Some(completions) = completions {
            thread.register_listener(completions, EventSet::IN, event)?;
        }
    }
    daemon.start(listener).map_err(|error| anyhow!("no front-end can be accepted: {error}"))?;
    disk.check_size().context("the front-end is refused")?;
    match daemon.wait() {
        // The ways in which a front-end goes.
        Ok(()) | Err(Error::HandleRequest(Disconnected | PartialMessage)) => {}
        Err(error) => eprintln!("the front-end is given up: {error}"),
    }
    // Ends the threads.
    drop(daemon);
    let counters = &device.counters;
    eprintln!(
        "the front-end is gone: {} requests, {} of them malformed",
        counters.requests.load(Relaxed),
        counters.malformed.load(Relaxed)
    );
    Ok(())
}
