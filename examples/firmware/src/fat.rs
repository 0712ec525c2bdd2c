//! The file system of the boot partition: FAT with entries of 16 bits.
//!
//! ```text
//!   [ boot sector ][ table ][ its copies ][ root directory ][ cluster 2 ][ 3 ][ 4 ] ...
//!
//!   directory entry: name, size, first cluster ─► 3
//!   table:           next[3] = 4, next[4] = 9, next[9] = end
//!   runs:            clusters 3 to 4, cluster 9
//! ```

use core::ops::Range;

use iov_iter::{IovIter, Source};

use crate::disk::{self, SECTOR};
use crate::reader::Reader;

/// The entries of the largest table: two that stand for no cluster, and those of the clusters.
pub const MAX_ENTRIES: usize = 2 + 65524;
/// With fewer clusters the entries would have 12 bits.
const MIN_CLUSTERS: u64 = 4085;
/// From here on an entry ends a chain.
const END: u16 = 0xfff8;
const DIRECTORY_ENTRY: usize = 32;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Disk(#[from] disk::Error),
    #[error("the boot sector is not one of FAT: {0}")]
    BootSector(&'static str),
    #[error("there is no such file")]
    NotFound,
    #[error("the file is empty")]
    Empty,
    #[error("after cluster {cluster} the chain goes on with {next:#06x}, which is no cluster")]
    NoCluster { cluster: u16, next: u16 },
    #[error("the chain of clusters runs in a circle")]
    Circle,
    #[error("{size} bytes take {wanted} clusters, and the chain has {found}")]
    ChainLength { size: u32, wanted: u64, found: u64 },
    #[error("the end of the sector came too early")]
    Short(#[from] iov_iter::Error),
}

/// A file system, with its table in memory.
pub struct Volume<'m> {
    layout: Layout,
    /// For each cluster the one that follows it.
    next: &'m [u16],
}

/// A file whose chain of clusters is sound.
pub struct File {
    /// The length in bytes.
    pub size: u32,
    first: u16,
}

/// Where everything lies, in sectors of the disk.
struct Layout {
    table: Range<u64>,
    root: Range<u64>,
    data: u64,
    cluster: u64,
    clusters: u64,
}

impl Layout {
    fn parse(mut boot_sector: IovIter<'_, Source>, partition: &Range<u64>) -> Result<Self, Error> {
        let require = |holds, what| if holds { Ok(()) } else { Err(Error::BootSector(what)) };

        let mut end = boot_sector.clone();
        end.advance(510);
        require(end.read_le::<u16>()? == 0xaa55, "its signature is missing")?;

        boot_sector.advance(11); // a jump and a name
        require(boot_sector.read_le::<u16>()? == SECTOR as u16, "sectors have another size")?;
        let cluster: u8 = boot_sector.read_le()?;
        let reserved: u16 = boot_sector.read_le()?;
        let tables: u8 = boot_sector.read_le()?;
        let root_entries: u16 = boot_sector.read_le()?;
        let few_sectors: u16 = boot_sector.read_le()?;
        boot_sector.advance(1); // the medium
        let table_size: u16 = boot_sector.read_le()?;
        boot_sector.advance(8); // geometry and place
        let many_sectors: u32 = boot_sector.read_le()?;
        require(cluster.is_power_of_two(), "clusters have no size")?;
        require(reserved > 0 && tables > 0 && table_size > 0, "it has no table")?;

        let sectors = if few_sectors > 0 { few_sectors.into() } else { u64::from(many_sectors) };
        require(sectors <= partition.end - partition.start, "it is larger than its partition")?;
        let table_at = partition.start + u64::from(reserved);
        let root_at = table_at + u64::from(tables) * u64::from(table_size);
        let root_size = (usize::from(root_entries) * DIRECTORY_ENTRY).div_ceil(SECTOR);
        let data = root_at + root_size as u64;
        let data_size = (partition.start + sectors).saturating_sub(data);
        let clusters = data_size / u64::from(cluster);
        let entries = clusters + 2;
        require((MIN_CLUSTERS + 2..=MAX_ENTRIES as u64).contains(&entries), "it is not FAT16")?;
        let table = table_at..table_at + (entries * 2).div_ceil(SECTOR as u64);
        require(table.end - table.start <= table_size.into(), "its table is too small")?;
        Ok(Self { table, root: root_at..data, data, cluster: cluster.into(), clusters })
    }
}

impl<'m> Volume<'m> {
    /// Reads what the boot sector tells, and the table into `memory`.
    pub fn mount(
        reader: &mut Reader,
        partition: &Range<u64>,
        memory: &'m mut [u16; MAX_ENTRIES],
    ) -> Result<Self, Error> {
        let mut layout = Err(Error::BootSector("there is none"));
        reader.read(partition.start..partition.start + 1, |bytes| {
            layout = Layout::parse(bytes, partition);
            Ok::<_, Error>(())
        })?;
        let layout = layout?;
        let mut entries = memory.iter_mut().take(layout.clusters as usize + 2);
        reader.read(layout.table.clone(), |mut bytes| {
            while !bytes.is_empty()
                && let Some(entry) = entries.next()
            {
                *entry = bytes.read_le()?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(Self { next: &memory[..layout.clusters as usize + 2], layout })
    }

    /// The number of clusters, and of the sectors in each.
    pub const fn clusters(&self) -> (u64, u64) {
        (self.layout.clusters, self.layout.cluster)
    }

    /// Finds a file in the root directory, by its name as directories store it, and follows its
    /// chain of clusters once.
    pub fn find(&self, reader: &mut Reader, name: &[u8; 11]) -> Result<File, Error> {
        let mut file = None;
        let mut last_seen = false;
        reader.read(self.layout.root.clone(), |mut bytes| {
            while !last_seen && file.is_none() && !bytes.is_empty() {
                let mut entry = bytes.clone();
                let mut stored = [0; 11];
                entry.copy_from_iter_full(&mut stored)?;
                let attributes: u8 = entry.read_le()?;
                // Neither a directory nor a volume label, of which long names are a kind. A name
                // in use never begins as that of a deleted file does.
                if stored == *name && attributes & 0x18 == 0 {
                    entry.advance(14); // times
                    file = Some(File { first: entry.read_le()?, size: entry.read_le()? });
                }
                last_seen = stored[0] == 0;
                bytes.advance(DIRECTORY_ENTRY);
            }
            Ok::<_, Error>(())
        })?;
        let file = file.ok_or(Error::NotFound)?;
        self.check_chain(&file)?;
        Ok(file)
    }

    /// The runs of a file: sectors of the disk that lie one after the other.
    pub fn runs(&self, file: &File) -> impl Iterator<Item = Range<u64>> {
        let mut rest = Some(file.first);
        core::iter::from_fn(move || {
            let first = rest?;
            let mut last = first;
            loop {
                rest = self.follow(last);
                match rest {
                    Some(next) if next == last.wrapping_add(1) => last = next,
                    _ => return Some(self.sectors(first).start..self.sectors(last).end),
                }
            }
        })
    }

    /// The chain has as many clusters as the file needs, all of them clusters.
    fn check_chain(&self, file: &File) -> Result<(), Error> {
        let &File { size, first } = file;
        if size == 0 {
            return Err(Error::Empty);
        }
        let mut found = 0;
        let mut next = Some((0, first));
        while let Some((cluster, after)) = next {
            if !self.is_cluster(after) {
                return Err(Error::NoCluster { cluster, next: after });
            }
            if found == self.layout.clusters {
                return Err(Error::Circle);
            }
            found += 1;
            next = self.follow(after).map(|next| (after, next));
        }
        let wanted = u64::from(size).div_ceil(self.layout.cluster * SECTOR as u64);
        if found != wanted {
            return Err(Error::ChainLength { size, wanted, found });
        }
        Ok(())
    }

    fn is_cluster(&self, number: u16) -> bool {
        number >= 2 && usize::from(number) < self.next.len()
    }

    /// What the table has after a cluster, unless the chain ends there.
    fn follow(&self, cluster: u16) -> Option<u16> {
        self.next.get(usize::from(cluster)).copied().filter(|&next| next < END)
    }

    fn sectors(&self, cluster: u16) -> Range<u64> {
        let first = self.layout.data + (u64::from(cluster) - 2) * self.layout.cluster;
        first..first + self.layout.cluster
    }
}
