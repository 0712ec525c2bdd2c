//! A queue: takes requests from a ring, has them served, and completes them in their order.
//!
//! In order, because nothing but the ring remembers what was completed: a program that is killed and
//! started again continues with the first request that is not in the used ring, and serves none twice that
//! the guest believes done.

use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, MutexGuard};

use vhost_user_backend::{VringMutex, VringState, VringStateMutGuard, VringT};
use virtio_queue::{Error, QueueOwnedT, QueueT};
use vm_memory::GuestMemoryAtomic;

use crate::Io;
use crate::descriptors::Descriptors;
use crate::device::Device;
use crate::request::{self, Buffer, Chain, Memory};
use crate::uring::Uring;

pub type Vring = VringMutex<GuestMemoryAtomic<Memory>>;
type Ring<'v> = <Vring as VringStateMutGuard<'v, GuestMemoryAtomic<Memory>>>::G;

/// How often requests may be announced that are not there.
const MAX_STALLED: usize = 100;
/// How many requests are completed between two looks whether the guest wants to be told.
const BATCH: usize = 16;

/// A queue, on the thread that serves it.
pub struct Queue {
    memory: Arc<Memory>,
    /// Which memory of the device that is.
    generation: u64,
    engine: Engine,
    /// The ring, once it was started.
    vring: Option<Vring>,
    /// Whether the guest was told at least once of what is completed: a program before this one may have been
    /// killed before it did.
    told: bool,
    /// Requests that were completed since the guest was told.
    untold: usize,
    /// Whether the ring made no sense. It is left alone until the guest sets it up again.
    broken: bool,
}

/// Who moves the data.
#[expect(clippy::large_enum_variant, reason = "there is one for each queue")]
enum Engine {
    /// One request after the other.
    Sync(Chain, Buffer),
    /// Many at the same time.
    Uring(Uring),
}

/// A request that was taken from the ring.
pub struct Taken {
    /// Its number in the ring.
    pub head: u16,
    /// Whether its descriptors make sense, and have room for a status.
    pub well_formed: bool,
}

impl Queue {
    pub fn new(io: Io, memory: Arc<Memory>) -> io::Result<Self> {
        let engine = match io {
            Io::Sync => Engine::Sync(Chain::new(Arc::clone(&memory)), request::buffer()),
            Io::Uring => Engine::Uring(Uring::new(&memory)?),
        };
        Ok(Self {
            memory,
            generation: 0,
            engine,
            vring: None,
            told: false,
            untold: 0,
            broken: false,
        })
    }

    /// What becomes readable when requests are done that the queue did not wait for.
    pub fn completions(&self) -> Option<RawFd> {
        match &self.engine {
            Engine::Sync(..) => None,
            Engine::Uring(uring) => Some(uring.as_raw_fd()),
        }
    }

    /// Lets go of memory that was replaced. Requests under way keep it.
    pub fn refresh(&mut self, device: &Device) {
        let (generation, memory) = device.memory_if_newer(self.generation);
        if let Some(memory) = memory {
            self.generation = generation;
            match &mut self.engine {
                Engine::Sync(chain, _) => drop(chain.replace_memory(Arc::clone(&memory))),
                Engine::Uring(uring) => uring.replace_memory(&memory),
            }
            self.memory = memory;
        }
    }

    /// Completes the requests under way. The ring may then be set up anew.
    pub fn stop(&mut self, device: &Device) {
        if let Engine::Uring(uring) = &mut self.engine {
            uring.collect_all(device);
        }
        if let (false, Some(vring)) = (self.broken, self.vring.clone()) {
            // There is nobody to tell of an error any more.
            let _ = self.complete(&vring, device).and_then(|()| self.tell_of_untold(&vring));
        }
        if let Engine::Uring(uring) = &mut self.engine {
            uring.forget_completed(device);
        }
        (self.told, self.broken) = (false, false);
    }

    /// Serves all requests that there are, but for those that are still under way at the end.
    pub fn run(&mut self, index: usize, vring: &Vring, device: &Device) {
        if self.broken {
            if let Engine::Uring(uring) = &mut self.engine {
                uring.forget_completed(device);
            }
            return;
        }
        self.vring.get_or_insert_with(|| vring.clone());
        if let Err(error) = self.serve_all(vring, device) {
            self.broken = true;
            eprintln!("queue {index} is stopped, its ring makes no sense: {error}");
        }
    }

    fn serve_all(&mut self, vring: &Vring, device: &Device) -> Result<(), Error> {
        if let Some(mut ring) = active(vring) {
            ring.disable_notification()?;
        }
        let mut stalled = 0;
        loop {
            let taken = self.take_all(vring, device)?;
            self.complete(vring, device)?;
            if !self.told {
                self.tell(vring)?;
            }
            self.tell_of_untold(vring)?;
            let full = matches!(&self.engine, Engine::Uring(uring) if uring.is_full());
            let Some(mut ring) = active(vring).filter(|_| !full) else { return Ok(()) };
            if !ring.enable_notification()? {
                return Ok(());
            }
            ring.disable_notification()?;
            // Requests that are announced again and again, and cannot be taken.
            stalled = if taken == 0 { stalled + 1 } else { 0 };
            if stalled > MAX_STALLED {
                return Err(Error::InvalidAvailRingIndex);
            }
        }
    }

    /// Takes requests as long as there are any, and serves them, or starts to.
    fn take_all(&mut self, vring: &Vring, device: &Device) -> Result<usize, Error> {
        let mut count = 0;
        loop {
            self.refresh(device);
            match &mut self.engine {
                Engine::Sync(chain, buffer) => {
                    let Some(taken) = take(vring, &self.memory, chain)? else { return Ok(count) };
                    let len = serve(&taken, chain, buffer, device);
                    vring.add_used(taken.head, len)?;
                    self.untold += 1;
                    if self.untold == BATCH {
                        self.tell(vring)?;
                    }
                }
                Engine::Uring(uring) => {
                    let memory = &self.memory;
                    if !uring.start(device, |chain| take(vring, memory, chain))? {
                        return Ok(count);
                    }
                }
            }
            count += 1;
        }
    }

    /// Completes requests that are done, in their order.
    fn complete(&mut self, vring: &Vring, device: &Device) -> Result<(), Error> {
        if let Engine::Uring(uring) = &mut self.engine {
            uring.collect(device, 0);
            while let Some((head, len)) = uring.next_completed() {
                vring.add_used(head, len)?;
                self.untold += 1;
            }
        }
        Ok(())
    }

    /// Tells the guest if anything was completed since it was told.
    fn tell_of_untold(&mut self, vring: &Vring) -> Result<(), Error> {
        if self.untold > 0 { self.tell(vring) } else { Ok(()) }
    }

    /// Tells the guest of what was completed, if it wants to know.
    fn tell(&mut self, vring: &Vring) -> Result<(), Error> {
        self.untold = 0;
        let mut ring = vring.get_mut();
        if ring.needs_notification()? || !self.told {
            self.told = true;
            // The front-end may be gone.
            let _ = ring.signal_used_queue();
        }
        Ok(())
    }
}

/// The ring, if the guest has started it.
fn active(vring: &Vring) -> Option<Ring<'_>> {
    let ring: MutexGuard<'_, VringState<_>> = vring.get_mut();
    (ring.is_enabled() && ring.get_queue().ready()).then_some(ring)
}

/// Takes the next request from the ring, and its descriptors into the chain.
fn take(vring: &Vring, memory: &Memory, chain: &mut Chain) -> Result<Option<Taken>, Error> {
    chain.clear();
    let Some(mut ring) = active(vring) else { return Ok(None) };
    let queue = ring.get_queue_mut();
    let Some(head) = queue.iter(memory)?.next().map(|chain| chain.head_index()) else {
        return Ok(None);
    };
    let mut descriptors = Descriptors::new(memory, queue.desc_table(), queue.size(), head);
    drop(ring);
    let all = chain.append(&mut descriptors);
    let well_formed = all.is_ok() && descriptors.are_complete() && !chain.writable().is_empty();
    Ok(Some(Taken { head, well_formed }))
}

/// Serves a request. Returns the bytes that the guest is told of.
fn serve(taken: &Taken, chain: &Chain, buffer: &mut Buffer, device: &Device) -> u32 {
    if !device.counters.count(taken) {
        return 0;
    }
    let status = match request::parse(chain, &device.disk) {
        Ok(work) => device.settle(work, request::serve(chain, buffer, work, &device.disk)),
        Err(status) => status,
    };
    request::finish(chain, status, || device.logs())
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
