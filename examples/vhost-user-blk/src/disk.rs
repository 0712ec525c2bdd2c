//! The disk: a file or a block device.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use rustix::fs::FallocateFlags;

/// The unit of positions and lengths in requests.
pub const SECTOR: u64 = 512;
/// The length of what identifies a disk to the guest.
pub const SERIAL_LEN: usize = 20;

/// A disk that is open.
pub struct Disk {
    pub file: File,
    pub path: PathBuf,
    pub sectors: u64,
    pub read_only: bool,
    /// What the guest sees as the serial number, filled up with zeros.
    pub serial: [u8; SERIAL_LEN],
}

impl Disk {
    pub fn open(path: &Path, read_only: bool, serial: Option<&str>) -> anyhow::Result<Self> {
        let file = File::options().read(true).write(!read_only).open(path);
        let file = file.map_err(|error| {
            let may_not_write =
                matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
            let hint = if may_not_write { "; --read-only does not write it" } else { "" };
            anyhow!("{}: {error}{hint}", path.display())
        })?;
        let bytes = size(&file).with_context(|| format!("{}: has no size", path.display()))?;
        ensure!(
            bytes > 0 && bytes.is_multiple_of(SECTOR),
            "{0}: has {bytes} bytes, a disk has whole sectors of {SECTOR}; \
             `truncate --size %{SECTOR} {0}` fills up the last",
            path.display(),
        );
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = serial.unwrap_or(&name).as_bytes();
        let mut serial = [0; SERIAL_LEN];
        serial.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        Ok(Self { file, path: path.to_owned(), sectors: bytes / SECTOR, read_only, serial })
    }

    /// An error if the disk no longer has the size that it was opened with.
    pub fn check_size(&self) -> anyhow::Result<()> {
        let (before, now) = (self.sectors * SECTOR, size(&self.file)?);
        ensure!(
            before == now,
            "{}: had {before} bytes and has {now}; a guest relies on the size, so shut it down and start \
             this program anew",
            self.path.display(),
        );
        Ok(())
    }

    /// The offset of a sector in bytes, if `len` bytes from there on are on the disk, in whole sectors.
    pub fn range(&self, sector: u64, len: u64) -> Option<u64> {
        let sectors = len / SECTOR;
        let fits = len.is_multiple_of(SECTOR) && sector.checked_add(sectors)? <= self.sectors;
        fits.then(|| sector * SECTOR)
    }

    /// Waits until everything that was written is on the medium.
    pub fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Frees a range. What the guest reads there afterwards is anything; a file system that cannot do it keeps
    /// the bytes.
    pub fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.allocate(FallocateFlags::PUNCH_HOLE, offset, len).map(drop)
    }

    /// Overwrites a range with zeros; frees it if `unmap`.
    pub fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        let how = if unmap { FallocateFlags::PUNCH_HOLE } else { FallocateFlags::ZERO_RANGE };
        if self.allocate(how, offset, len)? {
            return Ok(());
        }
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut done = 0;
        while done < len {
            let part = (len - done).min(ZEROS.len() as u64);
            self.file.write_all_at(&ZEROS[..part as usize], offset + done)?;
            done += part;
        }
        Ok(())
    }

    /// Whether the file system can do this.
    fn allocate(&self, how: FallocateFlags, offset: u64, len: u64) -> io::Result<bool> {
        if len == 0 {
            return Ok(true);
        }
        match rustix::fs::fallocate(&self.file, how | FallocateFlags::KEEP_SIZE, offset, len) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The size in bytes, also of a block device.
fn size(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}
