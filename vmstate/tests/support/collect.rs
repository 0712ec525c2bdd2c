//! The memory of a stream, page by page.

use std::collections::BTreeMap;

use iov_iter::file::{FileReader, ReadChannel};
use vmstate::{Block, Encoding, Mapped, Output, Place, Stopped};

/// The pages that are not zero: the name of the block, the offset in it, the contents.
pub type Memory = BTreeMap<(Vec<u8>, u64), Vec<u8>>;

/// Takes the pages of a stream whose pages are not encoded one by one.
#[derive(Debug, Default)]
pub struct Collector {
    pub memory: Memory,
    /// Name and length of each block.
    pub blocks: Vec<(Vec<u8>, u64)>,
    /// Where the blocks are whose memory is mapped.
    pub mapped: Vec<(Vec<u8>, Mapped)>,
}

impl Collector {
    fn take(&mut self, place: Place, bytes: &[u8]) {
        let (name, length) = self.blocks[place.block].clone();
        assert_eq!(bytes.len(), place.len);
        assert!(place.offset.is_multiple_of(place.len as u64), "{place:?}");
        assert!(place.offset + place.len as u64 <= length, "{place:?} of {length}");
        if bytes.iter().all(|byte| *byte == 0) {
            self.memory.remove(&(name, place.offset));
        } else {
            self.memory.insert((name, place.offset), bytes.to_vec());
        }
    }
}

impl Output for Collector {
    fn blocks(&mut self, blocks: &[Block], _: Option<u64>) -> Result<(), Stopped> {
        self.blocks = blocks.iter().map(|block| (block.name.clone(), block.length)).collect();
        Ok(())
    }

    fn page<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
    ) -> Result<(), Stopped> {
        let mut page = vec![0; place.len];
        reader.get_exact(&mut page)?;
        self.take(place, &page);
        Ok(())
    }

    fn encoded<R: ReadChannel>(
        &mut self,
        reader: &mut FileReader<R>,
        place: Place,
        _: Encoding,
        len: usize,
    ) -> Result<(), Stopped> {
        // It is another page than before, whatever is in it.
        let mut data = vec![0; len];
        reader.get_exact(&mut data)?;
        let name = self.blocks[place.block].0.clone();
        self.memory.insert((name, place.offset), data);
        Ok(())
    }

    fn filled(&mut self, place: Place, fill: u8) -> Result<(), Stopped> {
        self.take(place, &vec![fill; place.len]);
        Ok(())
    }

    fn contents(&mut self, place: Place, bytes: &[u8]) -> Result<(), Stopped> {
        self.take(place, bytes);
        Ok(())
    }

    fn mapped<R: ReadChannel>(
        &mut self,
        _: &mut FileReader<R>,
        _: usize,
        block: &Block,
    ) -> Result<(), Stopped> {
        self.mapped.extend(block.mapped.map(|mapped| (block.name.clone(), mapped)));
        Ok(())
    }
}
