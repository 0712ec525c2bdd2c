//! Drives a daemon: every queue by a thread, with requests in flight all the time.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_RO, VIRTIO_BLK_F_WRITE_ZEROES,
};
use vm_memory::GuestMemoryMmap;

use crate::{
    front::{DATA, PATIENCE, Queue, Setup, adjoining},
    request::{
        Area, Arena, Kind, Oddity, Random, Request, SECTOR, data_len, is_ok, longest_chain,
        range_element,
    },
};

/// What to send.
#[derive(Clone)]
pub struct Load {
    /// Bytes of a read or a write, whole sectors; the largest size where sizes vary.
    pub size: usize,
    /// Descriptors of the data.
    pub pieces: usize,
    /// Requests in flight, a queue.
    pub depth: usize,
    pub queues: usize,
    pub time: Duration,
    pub oddities: Vec<Oddity>,
    /// Each request has a size, a number of descriptors and oddities of its own, up to those above, and
    /// kinds other than reads and writes are sent.
    pub vary: bool,
    /// Whether bytes are written anew and compared.
    pub check: bool,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Default)]
pub struct Score {
    pub requests: u64,
    pub bytes: u64,
    pub seconds: f64,
}

/// Regions that a daemon takes at the least are eight: one for rings, and these borders make seven more.
const BORDERS: usize = 6;
const LARGEST_QUEUE: usize = 1024;

/// Sends requests until the time is up.
///
/// # Errors
///
/// If an answer is missing or wrong.
pub fn drive(socket: &Path, load: &Load) -> Result<Score> {
    ensure!(
        load.size >= SECTOR && load.size.is_multiple_of(SECTOR),
        "sizes are multiples of {SECTOR}"
    );
    let longest = longest_chain(load.pieces, &load.oddities);
    // Chains with tables of their own take one entry.
    let only_indirect = !load.vary && load.oddities.contains(&Oddity::Indirect);
    let longest = if only_indirect { 1 } else { longest };
    let queue_size = (load.depth * longest).next_power_of_two();
    ensure!(
        queue_size <= LARGEST_QUEUE,
        "{} requests of {longest} descriptors are more than a queue of {LARGEST_QUEUE} holds",
        load.depth
    );
    let arena_len = Arena::len(load.size, load.pieces);
    let slots = load.queues * load.depth;
    let mut arenas: Vec<_> = (0..slots as u64)
        .map(|slot| Arena::new(DATA + slot * arena_len, load.size, load.pieces))
        .collect();
    let mut borders = vec![];
    if load.oddities.contains(&Oddity::Border) {
        for arena in arenas.iter_mut().take(BORDERS) {
            arena.has_border();
            borders.push(arena.border_place());
        }
    }
    let setup = Setup {
        queues: load.queues,
        queue_size: queue_size as u16,
        regions: adjoining(DATA, DATA + arena_len * slots as u64, &borders),
        event_idx: true,
    };
    let (front, queues) = setup.connect(socket)?;
    let mut kinds = vec![Kind::Read];
    if !front.has(VIRTIO_BLK_F_RO) {
        kinds.push(Kind::Write);
    }
    if load.vary {
        kinds = kinds.repeat(10);
        kinds.push(Kind::Id);
        for (feature, kind) in [
            (VIRTIO_BLK_F_FLUSH, Kind::Flush),
            (VIRTIO_BLK_F_DISCARD, Kind::Discard),
            (VIRTIO_BLK_F_WRITE_ZEROES, Kind::Zero),
        ] {
            if front.has(feature) {
                kinds.push(kind);
            }
        }
    }
    let area = (front.capacity / SECTOR as u64 / slots as u64) as usize;
    ensure!(
        area >= load.size / SECTOR,
        "a disk of {} bytes is too small for {slots} requests of {}",
        front.capacity,
        load.size
    );

    let start = Instant::now();
    let (scores, queues): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let drivers: Vec<_> = queues
            .into_iter()
            .zip(arenas.chunks(load.depth))
            .map(|(queue, arenas)| {
                let (memory, kinds) = (&front.memory, &kinds);
                scope.spawn(move || {
                    let index = queue.index;
                    let first = index * load.depth;
                    let slots = arenas.iter().enumerate().map(|(slot, &arena)| Slot {
                        arena,
                        area: Area::new(((first + slot) * area) as u64, area),
                        request: Request::default(),
                        sent: None,
                    });
                    let mut driver = Driver {
                        load,
                        kinds,
                        memory,
                        queue,
                        longest: longest as u16,
                        slots: slots.collect(),
                        random: Random(load.seed ^ (index as u64) << 32),
                        score: Score::default(),
                    };
                    driver.run(start).with_context(|| format!("queue {index}"))?;
                    anyhow::Ok((driver.score, driver.queue))
                })
            })
            .collect();
        let results: Result<Vec<_>> = drivers
            .into_iter()
            .map(|driver| driver.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect();
        results
    })?
    .into_iter()
    .unzip();
    let seconds = start.elapsed().as_secs_f64();
    front.stop(&queues).context("stopping the queues")?;
    Ok(scores.iter().fold(Score { seconds, ..Score::default() }, |sum, score| Score {
        requests: sum.requests + score.requests,
        bytes: sum.bytes + score.bytes,
        ..sum
    }))
}

/// Room for one request in flight. It owns a part of the guest memory and a part of the disk.
struct Slot {
    arena: Arena,
    area: Area,
    request: Request,
    sent: Option<Sent>,
}

#[derive(Clone, Copy)]
struct Sent {
    kind: Kind,
    sector: u64,
    sectors: usize,
}

struct Driver<'a> {
    load: &'a Load,
    kinds: &'a [Kind],
    memory: &'a GuestMemoryMmap,
    queue: Queue,
    longest: u16,
    slots: Vec<Slot>,
    random: Random,
    score: Score,
}

impl Driver<'_> {
    fn run(&mut self, start: Instant) -> Result<()> {
        for slot in 0..self.slots.len() {
            self.send(slot)?;
        }
        self.queue.tell()?;
        let mut in_flight = self.slots.len();
        while in_flight > 0 {
            ensure!(self.queue.wait(PATIENCE)?, "{in_flight} requests have no answer");
            let more = start.elapsed() < self.load.time;
            while let Some((head, len)) = self.queue.take()? {
                let slot = head as usize / usize::from(self.longest);
                ensure!(
                    slot < self.slots.len() && slot * usize::from(self.longest) == head as usize,
                    "chain {head} was never sent"
                );
                self.receive(slot, len)?;
                if more {
                    self.send(slot)?;
                } else {
                    in_flight -= 1;
                }
            }
            self.queue.tell()?;
        }
        Ok(())
    }

    fn send(&mut self, number: usize) -> Result<()> {
        let Self { load, random, memory, .. } = self;
        let slot = &mut self.slots[number];
        let kind = self.kinds[random.below(self.kinds.len() as u64) as usize];
        let (mut sectors, mut pieces) = (load.size / SECTOR, load.pieces);
        let mut chosen = [None; 8];
        let mut oddities = &load.oddities[..];
        let some: Vec<_>;
        if load.vary {
            sectors = 1 + random.below(sectors as u64) as usize;
            pieces = 1 + random.below(pieces as u64) as usize;
            for (place, &oddity) in chosen.iter_mut().zip(oddities) {
                *place = Some(oddity).filter(|_| random.one_in(2));
            }
            some = chosen.into_iter().flatten().collect();
            oddities = &some;
        }
        let data = data_len(kind, sectors * SECTOR);
        let sector = match kind {
            Kind::Read | Kind::Write | Kind::Discard | Kind::Zero => {
                slot.area.choose(sectors, random)
            }
            Kind::Flush | Kind::Id => 0,
        };
        slot.request.lay_out(kind, data, pieces.min(data.max(1)), oddities, &slot.arena, random);
        let place = match kind {
            Kind::Discard | Kind::Zero => 0,
            _ => sector,
        };
        slot.request.write_out(memory, kind, place, |into| match kind {
            Kind::Write if load.check => slot.area.renew(sector, sectors, into),
            Kind::Discard | Kind::Zero => range_element(sector, sectors, into),
            _ => {}
        })?;
        match kind {
            Kind::Zero => slot.area.zero(sector, sectors),
            Kind::Discard => slot.area.discard(sector, sectors),
            _ => {}
        }
        slot.sent = Some(Sent { kind, sector, sectors });
        let indirect = oddities.contains(&Oddity::Indirect).then(|| slot.arena.table());
        let head = number as u16 * self.longest;
        self.queue.write_chain(head, &slot.request.chain, indirect)?;
        self.queue.offer(head)
    }

    fn receive(&mut self, number: usize, len: u32) -> Result<()> {
        let slot = &mut self.slots[number];
        let Sent { kind, sector, sectors } =
            slot.sent.take().with_context(|| format!("request {number} was answered twice"))?;
        self.score.requests += 1;
        let status = slot.request.status(self.memory)?;
        ensure!(is_ok(status), "{kind:?} of {sectors} sectors at {sector}: status {status}");
        let room = slot.request.writable_len();
        ensure!(len as usize == room, "{kind:?}: {len} bytes of {room} were written, it says");
        if let Kind::Read | Kind::Write = kind {
            self.score.bytes += (sectors * SECTOR) as u64;
        }
        if kind == Kind::Read && self.load.check {
            let bytes = slot.request.read_in(self.memory)?;
            slot.area.compare(sector, bytes)?;
        }
        Ok(())
    }
}
