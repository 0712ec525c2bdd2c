//! The same device as programs write it with `virtio-queue`'s Reader and Writer, to be compared with.
//!
//! Both copy between the guest's descriptors and a buffer; that buffer is made once and used again. It does
//! reads, writes, flushes and the name, and no dirty log.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result, anyhow};
use vhost::vhost_user::{Listener, VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackend, VhostUserDaemon, VringMutex, VringT};
use virtio_bindings::{
    virtio_blk::{
        VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_MQ, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK,
        VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN,
        VIRTIO_BLK_T_OUT,
    },
    virtio_config::VIRTIO_F_VERSION_1,
    virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC},
};
use virtio_queue::{DescriptorChain, QueueT, Reader, Writer};
use vm_memory::{
    GuestAddressSpace, GuestMemoryAtomic, GuestMemoryLoadGuard, GuestMemoryMmap, Le32, Le64,
};
use vmm_sys_util::{
    epoll::EventSet,
    event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier},
};

type Memory = GuestMemoryAtomic<GuestMemoryMmap>;
type Chain = DescriptorChain<GuestMemoryLoadGuard<GuestMemoryMmap>>;

struct Device {
    image: File,
    capacity: u64,
    memory: Memory,
    buffer: Mutex<Vec<u8>>,
}

/// Serves front-ends, one after the other, until the process is ended.
pub fn serve(socket: &Path, image: &Path) -> Result<()> {
    let image = OpenOptions::new()
        .read(true)
        .write(true)
        .open(image)
        .with_context(|| image.display().to_string())?;
    let capacity = image.metadata()?.len() / 512 * 512;
    let mut listener = Listener::new(socket, true)?;
    let image = Arc::new(image);
    loop {
        let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
        let device = Device {
            image: image.try_clone()?,
            capacity,
            memory: memory.clone(),
            buffer: Mutex::default(),
        };
        let mut daemon = VhostUserDaemon::new("blk".into(), Arc::new(device), memory)
            .map_err(|error| anyhow!("{error}"))?;
        daemon.start(&mut listener).map_err(|error| anyhow!("{error}"))?;
        // However the front-end has gone.
        let _ = daemon.wait();
    }
}

impl Device {
    /// Handles a request, and returns the bytes that were written.
    fn request(&self, memory: &GuestMemoryMmap, chain: &Chain) -> Result<u32> {
        let mut reader = Reader::new(memory, chain.clone())?;
        let mut writer = Writer::new(memory, chain.clone())?;
        let kind: u32 = reader.read_obj::<Le32>()?.into();
        reader.read_obj::<Le32>()?;
        let sector: u64 = reader.read_obj::<Le64>()?.into();
        let data = writer.available_bytes().checked_sub(1).context("no room for a status")?;
        let mut status = writer.split_at(data)?;
        let buffer = &mut *self.buffer.lock().expect("no panic holds it");
        let result = match kind {
            VIRTIO_BLK_T_IN => self.place(sector, data).and_then(|place| {
                buffer.resize(data, 0);
                self.image.read_exact_at(buffer, place)?;
                writer.write_all(buffer)
            }),
            VIRTIO_BLK_T_OUT => {
                let len = reader.available_bytes();
                self.place(sector, len).and_then(|place| {
                    buffer.resize(len, 0);
                    reader.read_exact(buffer)?;
                    self.image.write_all_at(buffer, place)
                })
            }
            VIRTIO_BLK_T_FLUSH => self.image.sync_data(),
            VIRTIO_BLK_T_GET_ID => writer.write_all(&[0; 20]),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        let code = match result {
            Ok(()) => VIRTIO_BLK_S_OK,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => VIRTIO_BLK_S_UNSUPP,
            Err(_) => VIRTIO_BLK_S_IOERR,
        };
        status.write_all(&[code as u8])?;
        Ok((writer.bytes_written() + 1) as u32)
    }

    /// Where `len` bytes at this sector are in the image.
    fn place(&self, sector: u64, len: usize) -> io::Result<u64> {
        let place = sector.checked_mul(512);
        let end = place.and_then(|place| place.checked_add(len as u64));
        match end {
            Some(end) if end <= self.capacity && len.is_multiple_of(512) => Ok(end - len as u64),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn process(&self, vring: &VringMutex) -> Result<()> {
        let memory = self.memory.memory();
        let mut used = false;
        loop {
            let chain = vring.get_mut().get_queue_mut().pop_descriptor_chain(memory.clone());
            let Some(chain) = chain else { break };
            let len = self.request(&memory, &chain).unwrap_or(0);
            vring.add_used(chain.head_index(), len)?;
            used = true;
        }
        if used && vring.needs_notification()? {
            vring.signal_used_queue()?;
        }
        Ok(())
    }
}

impl VhostUserBackend for Device {
    type Bitmap = ();
    type Vring = VringMutex;

    fn num_queues(&self) -> usize {
        2
    }

    fn max_queue_size(&self) -> usize {
        1024
    }

    fn features(&self) -> u64 {
        1 << VIRTIO_F_VERSION_1
            | 1 << VIRTIO_RING_F_EVENT_IDX
            | 1 << VIRTIO_RING_F_INDIRECT_DESC
            | 1 << VIRTIO_BLK_F_FLUSH
            | 1 << VIRTIO_BLK_F_MQ
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::CONFIG
    }

    fn set_event_idx(&self, _enabled: bool) {}

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let mut config = (self.capacity / 512).to_le_bytes().to_vec();
        config.resize(60, 0);
        let start = (offset as usize).min(config.len());
        let end = start.saturating_add(size as usize).min(config.len());
        config[start..end].to_vec()
    }

    fn update_memory(&self, _memory: Memory) -> io::Result<()> {
        Ok(())
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        new_event_consumer_and_notifier(EventFlag::NONBLOCK).ok()
    }

    fn handle_event(
        &self,
        event: u16,
        _set: EventSet,
        vrings: &[VringMutex],
        _thread: usize,
    ) -> io::Result<()> {
        let vring = &vrings[usize::from(event)];
        // Until nothing came while notifications were off.
        loop {
            vring.disable_notification().map_err(io::Error::other)?;
            self.process(vring).map_err(io::Error::other)?;
            if !vring.enable_notification().map_err(io::Error::other)? {
                return Ok(());
            }
        }
    }
}
