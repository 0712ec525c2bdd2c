//! A block device as a hypervisor implements it: requests of a guest, served from a file.
//!
//! ```text
//!   out (the device reads)    [ header, 16 bytes ][ data of a write ... ]
//!   in  (the device writes)   [ data of a read ... ][ status, 1 byte ]
//! ```
//!
//! The guest cuts both into descriptors as it likes. The device peels header and status byte off,
//! moves the rest straight between the guest's memory and the file, and puts both vectors back as
//! they were, because their descriptors are unmapped afterwards.
//!
//! `cargo run --features std --example virtio_blk [FILE]` serves a few requests from a temporary
//! file, or from the file given, which is only read.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};

use iov_iter::iov::{self, Stop, Transfer, View};
use iov_iter::os::io::FileAt;
use iov_iter::{Dest, KVec, Source};

const SECTOR: u64 = 512;
const HEADER: usize = 16;
const SERIAL: &[u8] = b"iov-iter-0001\0";

/// What the device answers in the last byte of a request.
#[derive(Clone, Copy, Debug)]
enum Status {
    Ok = 0,
    IoError = 1,
    Unsupported = 2,
}

/// What the guest asks for.
#[derive(Debug)]
enum Command {
    Read,
    Write,
    GetId,
    Unknown(u32),
}

/// The first 16 bytes of a request.
#[derive(Debug)]
struct Header {
    command: Command,
    sector: u64,
}

impl Header {
    fn parse(bytes: [u8; HEADER]) -> Self {
        let [a, b, c, d, _, _, _, _, sector @ ..] = bytes;
        let command = match u32::from_le_bytes([a, b, c, d]) {
            0 => Command::Read,
            1 => Command::Write,
            8 => Command::GetId,
            other => Command::Unknown(other),
        };
        Self { command, sector: u64::from_le_bytes(sector) }
    }

    fn bytes(&self) -> [u8; HEADER] {
        let command: u32 = match self.command {
            Command::Read => 0,
            Command::Write => 1,
            Command::GetId => 8,
            Command::Unknown(other) => other,
        };
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&command.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sector.to_le_bytes());
        bytes
    }
}

/// Why a request cannot be answered at all: the guest's driver is broken.
#[derive(Debug)]
enum Malformed {
    ShortHeader(usize),
    NoStatus,
    Vector(iov::Error),
}

impl From<iov::Error> for Malformed {
    fn from(error: iov::Error) -> Self {
        Self::Vector(error)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortHeader(len) => write!(f, "the header has {len} bytes instead of {HEADER}"),
            Self::NoStatus => f.write_str("there is no byte for the status"),
            Self::Vector(error) => error.fmt(f),
        }
    }
}

/// Serves a request and returns the number of bytes that the device may have written, for the
/// guest. Both vectors end as they were, whatever happens.
fn serve(
    disk: &File,
    out: &mut View<'_, Source>,
    input: &mut View<'_, Dest>,
) -> Result<usize, Malformed> {
    let mut header = [0; HEADER];
    let len = out.to_buf(0, &mut header)?;
    if len < HEADER {
        return Err(Malformed::ShortHeader(len));
    }
    let header = Header::parse(header);
    println!("  header: {:?}, sector {}", header.command, header.sector);

    // Both are undone when these go out of scope: on every way out.
    let mut data_out = out.scope();
    data_out.discard_front(HEADER);

    let written = input.size();
    let status_at = written.checked_sub(1).ok_or(Malformed::NoStatus)?;
    let status_byte = input.slice(status_at, 1)?;
    let mut data_in = input.scope();
    data_in.discard_back(1);

    let mut file = FileAt { file: disk, offset: header.sector.saturating_mul(SECTOR) };
    let status = match header.command {
        Command::Read => report("file to guest", data_in.size(), data_in.receive(&mut file)),
        Command::Write => report("guest to file", data_out.size(), data_out.send(&mut file)),
        Command::GetId => {
            println!("  serial number: {} bytes", data_in.from_buf(0, SERIAL)?);
            Status::Ok
        }
        Command::Unknown(_) => Status::Unsupported,
    };
    println!("  status: {status:?}");
    status_byte.fill(0, status as u8, 1)?;
    Ok(written)
}

/// Prints what became of a transfer; the status that it stands for.
fn report(way: &str, size: usize, transfer: Transfer<io::Error>) -> Status {
    print!("  {way}: {} of {size} bytes", transfer.moved);
    match transfer.stop {
        Stop::Finished => {
            println!();
            return Status::Ok;
        }
        Stop::Closed => println!(", then the file ended"),
        Stop::WouldBlock => println!(", then it would block"),
        Stop::Failed(error) => println!(", then: {error}"),
    }
    Status::IoError
}

/// A request in the guest's memory.
struct Request {
    title: &'static str,
    /// What the device reads, and the lengths of its descriptors.
    out: (Vec<u8>, Vec<usize>),
    /// What the device writes, and the lengths of its descriptors.
    input: (Vec<u8>, Vec<usize>),
}

impl Request {
    fn new(
        title: &'static str,
        header: Header,
        data: &[u8],
        out: &[usize],
        input: &[usize],
    ) -> Self {
        let bytes = [&header.bytes()[..], data].concat();
        assert_eq!(bytes.len(), out.iter().sum(), "the descriptors hold all bytes");
        let space = vec![0xee; input.iter().sum()];
        Self { title, out: (bytes, out.to_vec()), input: (space, input.to_vec()) }
    }

    /// The same, with only the first bytes of what the device reads, in one descriptor.
    fn truncated(mut self, len: usize) -> Self {
        self.out.0.truncate(len);
        self.out.1 = vec![len];
        self
    }

    /// Lets the device serve it, and prints what it did.
    fn submit(&mut self, disk: &File) -> Result<(), iov::Error> {
        let (mut bytes, mut space) = (&self.out.0[..], &mut self.input.0[..]);
        let take = |len: &usize| KVec::<Source>::from(bytes.split_off(..*len).unwrap_or_default());
        let out: Vec<_> = self.out.1.iter().map(take).collect();
        let take =
            |len: &usize| KVec::<Dest>::from(space.split_off_mut(..*len).unwrap_or_default());
        let input: Vec<_> = self.input.1.iter().map(take).collect();

        println!("{}", self.title);
        println!("  descriptors: out {:?}, in {:?}", self.out.1, self.input.1);
        let (mut out, mut input) = (View::new(&out)?, View::new(&input)?);
        match serve(disk, &mut out, &mut input) {
            Ok(written) => println!("  completed, {written} bytes for the guest"),
            Err(error) => println!("  rejected: {error}"),
        }
        let out: Vec<_> = out.pieces().map(|piece| piece.len()).collect();
        let input: Vec<_> = input.pieces().map(|piece| piece.len()).collect();
        let restored = out == self.out.1 && input == self.input.1;
        println!("  both vectors as before: {}", if restored { "yes" } else { "no" });
        Ok(())
    }
}

/// A disk of 16 sectors that has no name.
fn temporary_disk() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("virtio-blk-{}.img", std::process::id()));
    let mut disk = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    disk.write_all(&[0; 16 * SECTOR as usize])?;
    Ok(disk)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let disk = match std::env::args_os().nth(1) {
        Some(path) => File::open(path)?,
        None => temporary_disk()?,
    };
    let read = |sector| Header { command: Command::Read, sector };
    let write = |sector| Header { command: Command::Write, sector };
    let data: Vec<u8> = (0..1024).map(|at| (at % 251) as u8).collect();

    Request::new("A good write", write(4), &data, &[16, 512, 512], &[1]).submit(&disk)?;

    let mut good = Request::new("A good read", read(4), &[], &[16], &[1000, 25]);
    good.submit(&disk)?;
    let (bytes, status) = good.input.0.split_at(1024);
    println!("  as written: {}, status byte {status:?}", bytes == data);

    let split = [3, 5, 4, 2, 514];
    Request::new("A header over five descriptors", write(8), &data[..512], &split, &[1])
        .submit(&disk)?;
    Request::new("No byte for the status", write(0), &data[..512], &[528], &[]).submit(&disk)?;
    Request::new("A short header", read(0), &[], &[16], &[513]).truncated(9).submit(&disk)?;

    let end = disk.metadata()?.len() / SECTOR;
    let mut short = Request::new(
        "A file that ends too soon",
        read(end.saturating_sub(2)),
        &[],
        &[16],
        &[4096, 1],
    );
    short.submit(&disk)?;
    println!("  status byte {:?}", &short.input.0[4096..]);

    let serial = Header { command: Command::GetId, sector: 0 };
    Request::new("The serial number", serial, &[], &[16], &[20, 1]).submit(&disk)?;
    let unknown = Header { command: Command::Unknown(77), sector: 0 };
    Request::new("An unknown command", unknown, &[], &[16], &[1]).submit(&disk)?;
    Ok(())
}
