//! A block device as a hypervisor implements it: requests of a guest, served from a file.
//!
//! ```text
//!   out (the device reads)    [ header, 16 bytes ][ data of a write ... ]
//!   in  (the device writes)   [ data of a read ... ][ status, 1 byte ]
//! ```
//!
//! The guest cuts both into descriptors as it likes, and never stops writing its memory: a thread of it
//! scribbles over every other byte of the data, over descriptors that the device has read, and over
//! headers. So the device copies each descriptor and each header once and uses the copy. It peels header
//! and status byte off, moves the rest straight between the guest's memory and the file, on an I/O
//! thread, and puts both vectors back as they were, because their descriptors are unmapped afterwards.
//!
//! `cargo run --features std --example virtio_blk [FILE]` serves a few requests from a temporary
//! file, or from the file given, which is only read.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::thread;

use iov_iter::iov::{self, Stop, Transfer, View};
use iov_iter::os::io::FileAt;
use iov_iter::{Dest, Shared, SharedVec, Source};

const SECTOR: u64 = 512;
const HEADER: usize = 16;
const DESCRIPTOR: usize = 16;
/// The flag of a descriptor that the device writes.
const DEVICE_WRITES: u16 = 2;
const SERIAL: &[u8] = b"iov-iter-0001\0";

/// What the device answers in the last byte of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    OutsideMemory,
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
            Self::OutsideMemory => f.write_str("a descriptor lies outside the guest's memory"),
            Self::ShortHeader(len) => write!(f, "the header has {len} bytes instead of {HEADER}"),
            Self::NoStatus => f.write_str("there is no byte for the status"),
            Self::Vector(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Malformed {}

/// What a request consists of: what the device reads, and what it writes.
type Segments<'m> = (Vec<SharedVec<'m, Source>>, Vec<SharedVec<'m, Dest>>);

/// Reads `count` descriptors of a request, each once.
fn read_descriptors(ram: &[AtomicU8], at: usize, count: usize) -> Result<Segments<'_>, Malformed> {
    let ram_segment: [SharedVec<Source>; 1] = [SharedVec::from(ram)];
    let table = View::new(&ram_segment).slice(at, count * DESCRIPTOR)?;
    let (mut out, mut input) = (vec![], vec![]);
    for index in 0..count {
        let mut copy = [0; DESCRIPTOR];
        table.read_at(index * DESCRIPTOR, &mut copy)?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, flags @ .., _, _] = copy;
        let address = usize::try_from(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        let len = u32::from_le_bytes([i, j, k, l]) as usize;
        let rest = ram.get(address.unwrap_or(usize::MAX)..);
        let bytes = rest.and_then(|rest| rest.get(..len)).ok_or(Malformed::OutsideMemory)?;
        if u16::from_le_bytes(flags) & DEVICE_WRITES == 0 {
            out.push(bytes.into());
        } else {
            input.push(bytes.into());
        }
    }
    Ok((out, input))
}

/// Serves a request and returns the number of bytes that the device may have written, for the
/// guest, and the status. Both vectors end as they were, whatever happens.
///
/// Calls `header_read` once the device no longer needs the header in the guest's memory.
fn serve(
    disk: &File,
    out: &mut View<'_, Source, Shared>,
    input: &mut View<'_, Dest, Shared>,
    header_read: impl FnOnce(),
) -> Result<(usize, Status), Malformed> {
    let mut header = [0; HEADER];
    let len = out.read_at(0, &mut header)?;
    if len < HEADER {
        return Err(Malformed::ShortHeader(len));
    }
    header_read();
    let header = Header::parse(header);
    println!("  header: {:?}, sector {}", header.command, header.sector);

    // Both are undone when these go out of scope: on every way out.
    let mut data_out = out.scope();
    data_out.discard_front(HEADER);

    let written = input.len();
    let status_at = written.checked_sub(1).ok_or(Malformed::NoStatus)?;
    let status_byte = input.slice(status_at, 1)?;
    let mut data_in = input.scope();
    data_in.discard_back(1);

    let mut file = FileAt { file: disk, offset: header.sector.saturating_mul(SECTOR) };
    let status = match header.command {
        Command::Read => report("file to guest", data_in.len(), data_in.receive(&mut file)),
        Command::Write => report("guest to file", data_out.len(), data_out.send(&mut file)),
        Command::GetId => {
            println!("  serial number: {} bytes", data_in.write_at(0, SERIAL)?);
            Status::Ok
        }
        Command::Unknown(_) => Status::Unsupported,
    };
    println!("  status: {status:?}");
    status_byte.fill_at(0, status as u8, 1)?;
    Ok((written, status))
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
        _ => println!(", then it stopped"),
    }
    Status::IoError
}

/// What the guest scribbles. The data of its requests has no such byte.
const SCRIBBLES: [u8; 2] = [0xaa, 0x55];
/// What a buffer holds before the device writes it.
const UNTOUCHED: u8 = 0xee;

/// The guest: its memory, which both sides access at any time, and where it scribbles.
struct Guest {
    ram: Vec<AtomicU8>,
    /// Ranges of the memory, and how far apart the bytes are that are overwritten.
    scribbled: Mutex<Vec<(Range<usize>, usize)>>,
    /// How often all of them were overwritten.
    rounds: AtomicUsize,
    off: AtomicBool,
}

impl Guest {
    fn new() -> Self {
        let ram = (0..64 << 10).map(|_| AtomicU8::new(0)).collect();
        Self {
            ram,
            scribbled: Mutex::default(),
            rounds: AtomicUsize::new(0),
            off: AtomicBool::new(false),
        }
    }

    /// Overwrites what is to be scribbled over, again and again, until the guest is off.
    fn run(&self) {
        while !self.off.load(Relaxed) {
            let round = self.rounds.load(Relaxed);
            for (range, step) in &*self.scribbled.lock().unwrap() {
                for byte in self.ram[range.clone()].iter().step_by(*step) {
                    byte.store(SCRIBBLES[round % 2], Relaxed);
                }
            }
            self.rounds.store(round + 1, Relaxed);
            thread::yield_now();
        }
    }

    /// From now on the guest scribbles over each `step`-th byte of `range`. Returns when it has.
    fn scribble(&self, range: Range<usize>, step: usize) {
        self.scribbled.lock().unwrap().push((range, step));
        // The round that is under way may have begun before.
        let enough = self.rounds.load(Relaxed) + 2;
        while self.rounds.load(Relaxed) < enough {
            thread::yield_now();
        }
    }

    /// Puts `bytes` into the memory.
    fn put(&self, at: usize, bytes: &[u8]) {
        for (byte, value) in self.ram[at..].iter().zip(bytes) {
            byte.store(*value, Relaxed);
        }
    }

    /// The bytes of the memory.
    fn get(&self, range: Range<usize>) -> Vec<u8> {
        self.ram[range].iter().map(|byte| byte.load(Relaxed)).collect()
    }

    /// Whether `found` is `expected`, but where the guest scribbled.
    fn left(found: &[u8], expected: &[u8]) -> bool {
        let scribbled = |at: usize, byte: &u8| at.is_multiple_of(2) && SCRIBBLES.contains(byte);
        found.len() == expected.len()
            && found.iter().zip(expected).enumerate().all(|(at, (f, e))| f == e || scribbled(at, f))
    }
}

/// Switches the guest off when it is dropped.
struct SwitchOff<'g>(&'g Guest);

impl Drop for SwitchOff<'_> {
    fn drop(&mut self) {
        self.0.off.store(true, Relaxed);
    }
}

/// A request as the guest's driver makes it.
struct Request {
    title: &'static str,
    /// What the device reads, and the lengths of its descriptors.
    out: (Vec<u8>, Vec<usize>),
    /// The lengths of the descriptors of what the device writes.
    input: Vec<usize>,
}

/// What the guest gets.
#[derive(Debug, PartialEq)]
struct Answer {
    /// What the device answered; `None` if it rejected the request.
    status: Option<Status>,
    /// What the device wrote, or left as it was.
    input: Vec<u8>,
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
        assert_eq!(bytes.len(), out.iter().sum::<usize>(), "the descriptors hold all bytes");
        Self { title, out: (bytes, out.to_vec()), input: input.to_vec() }
    }

    /// The same, with only the first bytes of what the device reads, in one descriptor.
    fn truncated(mut self, len: usize) -> Self {
        self.out.0.truncate(len);
        self.out.1 = vec![len];
        self
    }

    /// Puts it into the guest's memory: the bytes, the space, and the descriptors of both.
    fn put(&self, guest: &Guest, out: usize, input: usize, table: usize) {
        guest.put(out, &self.out.0);
        guest.put(input, &vec![UNTOUCHED; self.input.iter().sum()]);
        let (mut place, mut descriptor) = (out, table);
        let parts = self.out.1.iter().map(|len| (*len, 0));
        let writable = self.input.iter().map(|len| (*len, DEVICE_WRITES));
        for (index, (len, flags)) in parts.chain(writable).enumerate() {
            if index == self.out.1.len() {
                place = input;
            }
            let [address, len_bytes] = [place as u64, len as u64].map(u64::to_le_bytes);
            let bytes = [&address[..], &len_bytes[..4], &flags.to_le_bytes(), &[0; 2]].concat();
            guest.put(descriptor, &bytes);
            (place, descriptor) = (place + len, descriptor + DESCRIPTOR);
        }
    }

    /// Lets the device serve it, on a thread of its own, and prints what it did.
    fn submit(&self, guest: &Guest, disk: &File) -> Result<Answer, Malformed> {
        guest.scribbled.lock().unwrap().clear();
        guest.put(0, &vec![0; guest.ram.len()]);
        let count = self.out.1.len() + self.input.len();
        let (table, out_at) = (0, count * DESCRIPTOR);
        let in_at = out_at + self.out.0.len();
        let end = in_at + self.input.iter().sum::<usize>();
        self.put(guest, out_at, in_at, table);
        // The driver waits for the status, so that it alone is left to the device.
        guest.scribble((out_at + HEADER).min(in_at)..in_at, 2);
        guest.scribble(in_at..end.saturating_sub(1).max(in_at), 2);

        println!("{}", self.title);
        let (out, input) = read_descriptors(&guest.ram, table, count)?;
        guest.scribble(table..out_at, 1);
        println!("  descriptors: out {:?}, in {:?}", self.out.1, self.input);
        let (mut out, mut input) = (View::new(&out), View::new(&input));
        let header_read = || guest.scribble(out_at..out_at + HEADER, 1);
        let served = thread::scope(|scope| {
            // Views of shared memory may go to another thread.
            scope.spawn(|| serve(disk, &mut out, &mut input, header_read)).join().unwrap()
        });
        match &served {
            Ok((written, _)) => println!("  completed, {written} bytes for the guest"),
            Err(error) => println!("  rejected: {error}"),
        }
        let out: Vec<_> = out.pieces().map(|piece| piece.len()).collect();
        let input: Vec<_> = input.pieces().map(|piece| piece.len()).collect();
        let restored = out == self.out.1 && input == self.input;
        println!("  both vectors as before: {}", if restored { "yes" } else { "no" });
        assert!(restored);
        assert!(guest.ram[end..].iter().all(|byte| byte.load(Relaxed) == 0), "a byte too many");
        Ok(Answer { status: served.ok().map(|(_, status)| status), input: guest.get(in_at..end) })
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

/// What a read of `len` bytes from `sector` on gives, and what it leaves as it was.
fn on_disk(disk: &File, sector: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![UNTOUCHED; len];
    let mut done = 0;
    while let Ok(read @ 1..) = disk.read_at(&mut bytes[done..], sector * SECTOR + done as u64) {
        done += read;
    }
    bytes
}

/// Submits requests and checks what became of them.
fn drive(guest: &Guest, disk: &File, writable: bool) -> Result<(), Box<dyn std::error::Error>> {
    let read = |sector| Header { command: Command::Read, sector };
    let write = |sector| Header { command: Command::Write, sector };
    let data: Vec<u8> = (0..1024).map(|at| (at % 80) as u8).collect();
    let written = Some(if writable { Status::Ok } else { Status::IoError });
    let status_byte = |status: Status| vec![status as u8];

    let answer =
        Request::new("A good write", write(4), &data, &[16, 512, 512], &[1]).submit(guest, disk)?;
    assert_eq!(answer.status, written);
    if writable {
        assert!(Guest::left(&on_disk(disk, 4, 1024), &data), "the disk holds the data");
    }

    let good = Request::new("A good read", read(4), &[], &[16], &[1000, 25]).submit(guest, disk)?;
    let (bytes, status) = good.input.split_at(1024);
    let as_written = Guest::left(bytes, &on_disk(disk, 4, 1024));
    println!("  as on the disk, where the guest did not scribble: {as_written}, status {status:?}");
    assert!(as_written);

    let split = [3, 5, 4, 2, 514];
    let answer =
        Request::new("A header over five descriptors", write(8), &data[..512], &split, &[1])
            .submit(guest, disk)?;
    assert_eq!(answer, Answer { status: written, input: written.map_or(vec![], status_byte) });
    if writable {
        assert!(Guest::left(&on_disk(disk, 8, 512), &data[..512]), "the disk holds the data");
    }

    let answer = Request::new("No byte for the status", write(0), &data[..512], &[528], &[])
        .submit(guest, disk)?;
    assert_eq!(answer, Answer { status: None, input: vec![] });
    let answer = Request::new("A short header", read(0), &[], &[16], &[513])
        .truncated(9)
        .submit(guest, disk)?;
    assert_eq!(answer.status, None);
    assert!(Guest::left(&answer.input, &[UNTOUCHED; 513]), "nothing is written");

    let end = (disk.metadata()?.len() / SECTOR).saturating_sub(2);
    let short = Request::new("A file that ends too soon", read(end), &[], &[16], &[4096, 1])
        .submit(guest, disk)?;
    let (bytes, status) = short.input.split_at(4096);
    println!("  status byte {status:?}");
    if writable {
        assert_eq!(status, status_byte(Status::IoError));
    }
    assert!(Guest::left(bytes, &on_disk(disk, end, 4096)));

    let serial = Header { command: Command::GetId, sector: 0 };
    let answer =
        Request::new("The serial number", serial, &[], &[16], &[20, 1]).submit(guest, disk)?;
    let expected = [SERIAL, &[UNTOUCHED; 6], &[0]].concat();
    assert!(Guest::left(&answer.input, &expected));
    let unknown = Header { command: Command::Unknown(77), sector: 0 };
    let answer =
        Request::new("An unknown command", unknown, &[], &[16], &[1]).submit(guest, disk)?;
    assert_eq!(answer.input, status_byte(Status::Unsupported));
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1);
    let disk = match &path {
        Some(path) => File::open(path)?,
        None => temporary_disk()?,
    };
    let guest = Guest::new();
    thread::scope(|scope| {
        // However the requests end, or the guest would run forever.
        let _off = SwitchOff(&guest);
        scope.spawn(|| guest.run());
        drive(&guest, &disk, path.is_none())
    })
}
