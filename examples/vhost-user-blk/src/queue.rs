//! A queue: takes requests from the ring, has them served, and completes them in their order.
//!
//! In order, because nothing but the ring remembers what was completed: a program that is killed and
//! started again continues with the first request that is not in the used ring, and serves none twice that
//! the guest believes done.

use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering::Relaxed;

use iov_iter::guest::Descriptor;
use vhost_user_backend::{VringMutex, VringState, VringStateMutGuard, VringT};
use virtio_queue::{Error, QueueOwnedT, QueueT};
use vm_memory::GuestMemoryAtomic;

use crate::device::Device;
use crate::request::{self, Chain, Memory};

pub type Vring = VringMutex<GuestMemoryAtomic<Memory>>;

/// The most descriptors of one request. The guest is asked for much fewer.
const MAX_DESCRIPTORS: usize = 1024;
/// How many requests are completed between two looks whether the guest wants to be told.
const BATCH: usize = 8;

/// A queue, on the thread that serves it.
pub struct Queue {
    memory: Arc<Memory>,
    /// Which memory of the device that is.
    generation: u64,
    chain: Chain,
    /// Whether the guest was told at least once of what is completed: a program before this one may have been
    /// killed before it did.
    told: bool,
    /// Whether the ring made no sense. It is left alone until the guest sets it up again.
    broken: bool,
}

/// A request that was taken from the ring.
struct Taken {
    head: u16,
    /// Whether its descriptors make sense.
    well_formed: bool,
}

impl Queue {
    pub fn new(memory: Arc<Memory>) -> Self {
        let chain = Chain::new(Arc::clone(&memory));
        Self { memory, generation: 0, chain, told: false, broken: false }
    }

    /// Lets go of memory that was replaced.
    pub fn refresh(&mut self, device: &Device) {
        let (generation, memory) = device.memory_if_newer(self.generation);
        if let Some(memory) = memory {
            self.generation = generation;
            self.chain.replace_memory(Arc::clone(&memory));
            self.memory = memory;
        }
    }

    /// The queue has stopped, and may be set up anew.
    pub fn stop(&mut self) {
        (self.told, self.broken) = (false, false);
    }

    /// Serves all requests that there are.
    pub fn run(&mut self, index: usize, vring: &Vring, device: &Device) {
        if self.broken {
            return;
        }
        if let Err(error) = self.serve_all(vring, device) {
            self.broken = true;
            eprintln!("queue {index} is stopped, its ring makes no sense: {error}");
        }
    }

    fn serve_all(&mut self, vring: &Vring, device: &Device) -> Result<(), Error> {
        self.refresh(device);
        let Some(mut state) = active(vring) else { return Ok(()) };
        if !state.get_queue().is_valid(&*self.memory) {
            return Err(Error::QueueNotReady);
        }
        state.disable_notification()?;
        drop(state);
        let mut untold = 0;
        loop {
            while let Some(taken) = self.take(vring, device)? {
                let len = self.serve(taken.well_formed, device);
                vring.add_used(taken.head, len)?;
                untold += 1;
                if untold == BATCH {
                    untold = 0;
                    self.tell(vring)?;
                }
            }
            if untold > 0 || !self.told {
                untold = 0;
                self.tell(vring)?;
            }
            let Some(mut state) = active(vring) else { return Ok(()) };
            if !state.enable_notification()? {
                return Ok(());
            }
            state.disable_notification()?;
        }
    }

    /// Takes the next request from the ring, and its descriptors into the chain.
    fn take(&mut self, vring: &Vring, device: &Device) -> Result<Option<Taken>, Error> {
        self.refresh(device);
        self.chain.clear();
        let Some(mut state) = active(vring) else { return Ok(None) };
        let Some(descriptors) = state.get_queue_mut().iter(&*self.memory)?.next() else {
            return Ok(None);
        };
        drop(state);
        let head = descriptors.head_index();
        let (mut count, mut more) = (0, true);
        let descriptors = descriptors.take(MAX_DESCRIPTORS + 1).map(|descriptor| {
            count += 1;
            more = descriptor.has_next();
            Descriptor {
                address: descriptor.addr().0,
                len: descriptor.len(),
                writable: descriptor.is_write_only(),
            }
        });
        let all = self.chain.append(descriptors);
        // A chain that ends before its last descriptor goes on where there is none.
        Ok(Some(Taken { head, well_formed: all.is_ok() && !more && count <= MAX_DESCRIPTORS }))
    }

    /// Serves the request in the chain. Returns the bytes that the guest is told of.
    fn serve(&mut self, well_formed: bool, device: &Device) -> u32 {
        device.counters.requests.fetch_add(1, Relaxed);
        // Without a byte for the status nothing is done.
        if !well_formed || self.chain.writable().is_empty() {
            device.counters.malformed.fetch_add(1, Relaxed);
            return 0;
        }
        let status = match request::parse(&self.chain, &device.disk) {
            Ok(work) => device.settle(work, request::serve(&self.chain, work, &device.disk)),
            Err(status) => status,
        };
        request::finish(&self.chain, status)
    }

    /// Tells the guest of what was completed, if it wants to know.
    fn tell(&mut self, vring: &Vring) -> Result<(), Error> {
        let mut state = vring.get_mut();
        if state.needs_notification()? || !self.told {
            self.told = true;
            // The front-end may be gone.
            let _ = state.signal_used_queue();
        }
        Ok(())
    }
}

/// The ring, if the guest has started it.
fn active(
    vring: &Vring,
) -> Option<<Vring as VringStateMutGuard<'_, GuestMemoryAtomic<Memory>>>::G> {
    let state: MutexGuard<'_, VringState<_>> = vring.get_mut();
    (state.is_enabled() && state.get_queue().ready()).then_some(state)
}
