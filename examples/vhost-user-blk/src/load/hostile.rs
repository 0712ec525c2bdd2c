//! A front-end that nobody would want: rings, chains and addresses at random, changed while they are used.
//!
//! The daemon has to answer or to refuse. It must not end, hang, take memory without bound, or write where
//! no descriptor allows it.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, kill_process};
use tempfile::TempDir;
use virtio_bindings::virtio_ring::{VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use virtio_queue::desc::split::Descriptor;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

use crate::{
    daemon::Daemon,
    drive::{Load, drive},
    front::{DATA, Front, PATIENCE, Queue, Setup, UNSHARED, adjoining},
    request::{Oddity, Random},
};

/// Bytes of indirect tables, at [`DATA`].
const TABLES: u64 = 64 << 10;
/// Buffers are apart from tables: no table goes on in data.
const BUFFERS: u64 = DATA + (1 << 20);
const BUFFERS_LEN: u64 = 1 << 20;
/// A region that no descriptor points at.
const FAR: u64 = 0x7a5b_1234_5000;
const FAR_LEN: u64 = 64 << 10;
const DISK: usize = 4 << 20;
/// What the disk is full of.
const DISK_FILLING: u8 = 0x5a;
/// Memory that the daemon may have beyond what it has after the first requests: the guest's, and some more.
const MORE_MEMORY: u64 = 64 << 20;

/// What to do to a daemon.
pub struct Attack {
    pub daemon: PathBuf,
    /// Its way of reading and writing; its own choice without.
    pub io: Option<String>,
    pub time: Duration,
    pub seed: u64,
}

/// Ends this program, and the daemon, if nothing happens for a while.
fn watch(daemon: &Daemon) -> Arc<AtomicU64> {
    let rounds = Arc::new(AtomicU64::new(0));
    let (watched, process) = (Arc::clone(&rounds), daemon.process());
    thread::spawn(move || {
        let mut last = None;
        loop {
            let now = watched.load(Ordering::Relaxed);
            if last == Some(now) {
                eprintln!("Error: the daemon hangs: nothing happens in round {now}");
                let _ = kill_process(process, Signal::KILL);
                process::exit(1);
            }
            last = Some(now);
            thread::sleep(3 * PATIENCE);
        }
    });
    rounds
}

impl Attack {
    /// Attacks until the time is up, and returns the number of rounds.
    ///
    /// # Errors
    ///
    /// With what the daemon did wrong, and the seed of the round.
    pub fn run(&self) -> Result<u64> {
        let folder = TempDir::with_prefix_in("hostile-", "/dev/shm")?;
        let path = |name| folder.path().join(name);
        let (socket, image, log) = (path("socket"), path("image"), path("log"));
        File::create(&image)?.write_all(&vec![DISK_FILLING; DISK])?;
        let mut command = Command::new(&self.daemon);
        command.args(["--queues", "2"]);
        command.args(self.io.iter().flat_map(|io| ["--io", io]));
        command.arg(&socket).arg(&image).stderr(File::create(&log)?);
        let mut daemon = Daemon::start(command, &socket)?;
        let rounds = watch(&daemon);

        let start = Instant::now();
        let mut seed = self.seed;
        well_behaved(&socket, seed)?;
        let memory = daemon.peak_memory()? + MORE_MEMORY;
        let result = loop {
            if let Err(error) = self.round(seed, &socket, &mut daemon, memory) {
                break Err(error.context(format!("round of seed {seed}")));
            }
            seed += 1;
            rounds.store(seed, Ordering::Relaxed);
            if start.elapsed() > self.time {
                break Ok(seed - self.seed);
            }
        };
        let log = fs::read_to_string(log)?;
        let lines: Vec<_> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(5)..].join("\n");
        ensure!(!log.contains("panicked"), "the daemon panicked:\n{end}");
        ensure!(fs::metadata(&image)?.len() == DISK as u64, "the image has another size");
        result.with_context(|| format!("the daemon said:\n{end}"))
    }

    fn round(&self, seed: u64, socket: &Path, daemon: &mut Daemon, memory: u64) -> Result<()> {
        let random = &mut Random(seed);
        if random.one_in(2) {
            exact(socket, random)?
        } else {
            wild(socket, random)?
        }
        ensure!(daemon.runs()?, "the daemon has ended");
        let peak = daemon.peak_memory()?;
        ensure!(peak <= memory, "the daemon had {} MiB of memory", peak >> 20);
        if random.one_in(8) {
            well_behaved(socket, seed).context("requests as they should be")?;
        }
        Ok(())
    }
}

/// Requests of a driver that does everything right, in many layouts.
fn well_behaved(socket: &Path, seed: u64) -> Result<()> {
    let load = Load {
        size: 8192,
        pieces: 4,
        depth: 8,
        queues: 2,
        time: Duration::from_millis(2),
        oddities: vec![Oddity::JoinedHeader, Oddity::SplitHeader, Oddity::Indirect],
        vary: true,
        check: true,
        seed,
    };
    drive(socket, &load).map(|_| ())
}

/// What memory is full of, another byte than that of the disk and most often than that of the connection
/// before, so that data in a wrong place shows. As a descriptor it is one to read, past the end of memory: who
/// takes it for one writes nowhere.
fn filling(random: &mut Random) -> u8 {
    let byte = 0x60 + random.below(0xa0) as u8;
    byte & !(VRING_DESC_F_WRITE as u8)
}

/// A connection, and the byte that its memory is full of. The tables are in the first region of data.
fn connect(socket: &Path, random: &mut Random) -> Result<(Front, Vec<Queue>, u8)> {
    let mut borders = vec![];
    for _ in 0..random.below(4) {
        borders.push(BUFFERS + 4096 * (1 + random.below(BUFFERS_LEN / 4096 - 1)));
    }
    borders.sort_unstable();
    borders.dedup();
    let mut regions = vec![(DATA, DATA + TABLES)];
    regions.extend(adjoining(BUFFERS, BUFFERS + BUFFERS_LEN, &borders));
    regions.push((FAR, FAR + FAR_LEN));
    let setup = Setup {
        queues: 1 + random.below(2) as usize,
        queue_size: 1 << random.below(9),
        regions,
        event_idx: random.one_in(2),
    };
    let (front, queues) = setup.connect(socket)?;
    let filling = filling(random);
    for (start, len) in [(DATA, TABLES), (BUFFERS, BUFFERS_LEN), (FAR, FAR_LEN)] {
        front.memory.write_slice(&vec![filling; len as usize], GuestAddress(start))?;
    }
    Ok((front, queues, filling))
}

/// No descriptor points at the far region, and the pages after each region are nobody's.
fn check_far(memory: &GuestMemoryMmap, filling: u8) -> Result<()> {
    let mut bytes = vec![0; FAR_LEN as usize];
    memory.read_slice(&mut bytes, GuestAddress(FAR))?;
    ensure!(bytes.iter().all(|&byte| byte == filling), "it wrote to memory that nothing points at");
    for region in memory.iter() {
        let place = region.file_offset().context("a region without file")?;
        let bytes = &mut bytes[..UNSHARED as usize];
        place.file().read_exact_at(bytes, place.start() + region.len())?;
        ensure!(bytes.iter().all(|&byte| byte == 0), "it wrote past the end of a region");
    }
    Ok(())
}

/// An address and a length, most of them in the buffers, and often near a border or outside of memory.
fn range(random: &mut Random, memory: &GuestMemoryMmap, anywhere: bool) -> (u64, u32) {
    let address = match random.below(16) {
        0 => random.next(),
        1 => u64::MAX - random.below(70000),
        // Past the end of the data.
        2 => BUFFERS + BUFFERS_LEN - random.below(5000),
        3 | 4 => {
            let count = memory.num_regions() as u64;
            // The first is that of the rings, the second that of the tables, the last that far away.
            let chosen =
                if anywhere { random.below(count - 1) } else { 2 + random.below(count - 3) };
            let region = memory.iter().nth(chosen as usize).expect("below their number");
            let end = region.start_addr().0 + region.len();
            end - random.below(40)
        }
        5 if anywhere => random.below(4096),
        6 if anywhere => DATA + random.below(TABLES),
        _ => BUFFERS + random.below(BUFFERS_LEN),
    };
    let len = match random.below(16) {
        0 => 0,
        1 => random.next() as u32,
        2 => u32::MAX,
        3 => 1,
        4..8 => 512 * (1 + random.below(16)) as u32,
        8 | 9 => 16,
        _ => random.below(3000) as u32,
    };
    (address, len)
}

fn descriptor(
    random: &mut Random,
    memory: &GuestMemoryMmap,
    number: u64,
    size: u64,
    anywhere: bool,
) -> Descriptor {
    let (mut address, mut len) = range(random, memory, anywhere);
    let mut flags = 0;
    let mut next = number + 1;
    if !random.one_in(6) {
        flags |= VRING_DESC_F_NEXT;
    }
    if random.one_in(2) {
        flags |= VRING_DESC_F_WRITE;
    }
    if random.one_in(10) {
        flags |= VRING_DESC_F_INDIRECT;
        // In the exact part, tables are what was written as tables.
        if !anywhere || random.one_in(2) {
            address = DATA + 16 * random.below(TABLES / 16);
            len = match random.below(6) {
                0 => random.next() as u32,
                1 => 1 << 20,
                2 => random.below(100) as u32,
                _ => 16 * (1 + random.below(64)) as u32,
            };
        }
    }
    match random.below(16) {
        0 => next = random.below(size),
        1 => next = random.next() & 0xffff,
        _ => {}
    }
    if random.one_in(50) {
        flags |= (random.next() & 0xfff8) as u32;
    }
    Descriptor::new(address, len, flags as u16, next as u16)
}

/// A request's header, most of the time one that the device knows, at a sector that the disk has.
fn header(random: &mut Random) -> [u8; 16] {
    let kind = match random.below(8) {
        0 => random.next() as u32,
        1 => [4, 8, 11, 13, 5, 6][random.below(6) as usize],
        number => number as u32 & 1,
    };
    let sector = match random.below(6) {
        0 => random.next(),
        1 => (DISK / 512) as u64 - random.below(4),
        _ => random.below((DISK / 512) as u64),
    };
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[8..].copy_from_slice(&sector.to_le_bytes());
    bytes
}

/// What descriptors allow to write, as ranges that may overlap.
#[derive(Default)]
struct Allowed(Vec<(u64, u64)>);

impl Allowed {
    fn add(&mut self, descriptor: &Descriptor) {
        // A descriptor that leaves the memory allows nothing.
        let start = descriptor.addr().0;
        let end = start.saturating_add(u64::from(descriptor.len()));
        if descriptor.is_write_only() && end <= BUFFERS + BUFFERS_LEN {
            self.0.push((start, end));
        }
    }

    /// The ranges of `start..end` that are in none of these.
    fn rest(&mut self, start: u64, end: u64) -> Vec<(u64, u64)> {
        self.0.sort_unstable();
        let mut rest = vec![];
        let mut from = start;
        for &(first, last) in &self.0 {
            if first > from {
                rest.push((from, first.min(end)));
            }
            from = from.max(last);
            if from >= end {
                break;
            }
        }
        if from < end {
            rest.push((from, end));
        }
        rest.retain(|(first, last)| first < last);
        rest
    }
}

/// Chains that stay as they are. Every byte that no descriptor allows to write has to stay too, and every
/// chain comes back, unless the ring itself is wrong.
fn exact(socket: &Path, random: &mut Random) -> Result<()> {
    let (front, mut queues, filling) = connect(socket, random)?;
    let memory = &front.memory;
    let mut allowed = Allowed::default();
    // Few, so that much of the buffers is not to be written.
    for number in 0..TABLES / 16 {
        if random.one_in(32) {
            let descriptor = descriptor(random, memory, number % 64, 64, false);
            allowed.add(&descriptor);
            memory.write_obj(descriptor, GuestAddress(DATA + 16 * number))?;
        }
    }
    for _ in 0..200 {
        let place = BUFFERS + random.below(BUFFERS_LEN - 16);
        memory.write_slice(&header(random), GuestAddress(place))?;
    }
    let mut broken = vec![];
    for queue in &mut queues {
        let size = u64::from(queue.size);
        for number in 0..size {
            let mut descriptor = descriptor(random, memory, number, size, false);
            if !descriptor.is_write_only() && random.one_in(2) {
                // Something that has a header, so that more than the first look is needed.
                let place = BUFFERS + random.below(BUFFERS_LEN - 16);
                memory.write_slice(&header(random), GuestAddress(place))?;
                let flags = descriptor.flags() & VRING_DESC_F_NEXT as u16;
                descriptor = Descriptor::new(place, 16, flags, descriptor.next());
            }
            allowed.add(&descriptor);
            queue.write_descriptor(number as u16, descriptor)?;
        }
    }
    let mut before = vec![];
    for region in memory.iter() {
        let mut bytes = vec![0; region.len() as usize];
        memory.read_slice(&mut bytes, region.start_addr())?;
        before.push(bytes);
    }
    let mut available = Allowed(allowed.0);
    for queue in &mut queues {
        let mut wrong = false;
        let mut offered = vec![];
        for _ in 0..=random.below(u64::from(queue.size)) {
            let mut head = random.below(u64::from(queue.size)) as u16;
            if random.one_in(200) {
                (head, wrong) = (random.next() as u16, true);
            }
            queue.offer(head)?;
            offered.push(u32::from(head));
        }
        queue.tell()?;
        if random.one_in(20) {
            queue.claim(queue.size.wrapping_add(random.below(1000) as u16 + 1))?;
            wrong = true;
        }
        queue.wake()?;
        available.0.push(queue.used_range());
        available.0.push(queue.available_range());
        broken.push((wrong, offered));
    }
    for (queue, (wrong, mut offered)) in queues.iter_mut().zip(broken) {
        while !offered.is_empty() {
            let patience = if wrong { Duration::from_millis(5) } else { PATIENCE };
            if !queue.wait(patience)? {
                ensure!(wrong, "{} chains have not come back", offered.len());
                break;
            }
            while let Some((head, _)) = queue.take()? {
                let place = offered.iter().position(|&other| other == head);
                let Some(place) = place else {
                    ensure!(wrong, "chain {head} came back, which was not available");
                    break;
                };
                offered.remove(place);
            }
        }
    }
    let memory = front.memory.clone();
    front.stop(&queues)?;
    for (region, before) in memory.iter().zip(before) {
        let start = region.start_addr().0;
        let mut after = vec![0; before.len()];
        memory.read_slice(&mut after, region.start_addr())?;
        for (first, last) in available.rest(start, start + region.len()) {
            let bytes = (first - start) as usize..(last - start) as usize;
            if before[bytes.clone()] != after[bytes.clone()] {
                let changed = bytes.into_iter().find(|&byte| before[byte] != after[byte]);
                let address = start + changed.unwrap_or(0) as u64;
                bail!("it wrote to {address:#x}, which no descriptor allows");
            }
        }
    }
    check_far(&memory, filling)
}

/// Chains that point anywhere, tables and rings included, and change all the time.
fn wild(socket: &Path, random: &mut Random) -> Result<()> {
    let (front, mut queues, filling) = connect(socket, random)?;
    let memory = &front.memory;
    let stop = AtomicBool::new(false);
    let seed = random.next();
    let sizes: Vec<_> = queues.iter().map(|queue| (queue.table.0, u64::from(queue.size))).collect();
    let time = Duration::from_micros(500 + random.below(10000));
    let result = thread::scope(|scope| {
        let changes = scope.spawn(|| -> Result<()> {
            let random = &mut Random(seed);
            while !stop.load(Ordering::Relaxed) {
                let (table, size) = sizes[random.below(sizes.len() as u64) as usize];
                let number = random.below(size);
                let in_table = descriptor(random, memory, number, size, true);
                memory.write_obj(in_table, GuestAddress(table + 16 * number))?;
                let number = random.below(TABLES / 16);
                let indirect = descriptor(random, memory, number % 64, 64, true);
                memory.write_obj(indirect, GuestAddress(DATA + 16 * number))?;
                let place = BUFFERS + random.below(BUFFERS_LEN - 16);
                memory.write_slice(&header(random), GuestAddress(place))?;
            }
            Ok(())
        });
        let result = disturb(&mut queues, random, time);
        stop.store(true, Ordering::Relaxed);
        changes.join().expect("it returns errors")?;
        result
    });
    result?;
    let memory = front.memory.clone();
    // Some drivers stop their queues, others are gone.
    if random.one_in(2) {
        front.stop(&queues)?;
    }
    check_far(&memory, filling)
}

/// Makes chains available, and more than there are.
fn disturb(queues: &mut [Queue], random: &mut Random, time: Duration) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        let queue = &mut queues[random.below(queues.len() as u64) as usize];
        for _ in 0..random.below(8) {
            queue.offer(random.below(u64::from(queue.size)) as u16)?;
        }
        queue.tell()?;
        if random.one_in(4) {
            queue.wake()?;
        }
        if random.one_in(500) {
            queue.claim(random.next() as u16)?;
            queue.wake()?;
        }
        while queue.take()?.is_some() {
            if start.elapsed() > time {
                break;
            }
        }
    }
    Ok(())
}
