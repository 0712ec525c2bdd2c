//! The descriptors of a request, read from the table of its ring.
//!
//! The chains of `virtio-queue` search the guest's memory for each descriptor. Here a table is found once,
//! and its descriptors are read from a view.

use iov_iter::guest::{self, Descriptor};
use virtio_queue::desc::split;
use vm_memory::ByteValued;

use crate::request::Memory;

/// The length of a descriptor in a table.
const LEN: u32 = 16;

/// The descriptors of a request, up to the last or to one that makes no sense.
pub struct Descriptors<'m> {
    /// The table as one readable range. It is empty if the table is not in the guest's memory.
    table: guest::Chain<&'m Memory, 2>,
    next: u16,
    /// How many descriptors the table has that were not yet read. A chain that needs more is a loop.
    left: u16,
    /// Whether the table is one that a descriptor refers to. It must not refer to another.
    indirect: bool,
    /// The bytes of the descriptors so far.
    bytes: u32,
    complete: bool,
}

impl<'m> Descriptors<'m> {
    /// The chain that begins with the descriptor `head` of the `size` ones at the address `table`.
    pub fn new(memory: &'m Memory, table: u64, size: u16, head: u16) -> Self {
        let mut this = Self {
            table: guest::Chain::new(memory),
            next: head,
            left: 0,
            indirect: false,
            bytes: 0,
            complete: false,
        };
        this.use_table(table, size);
        this
    }

    /// Whether the last descriptor was read.
    pub fn are_complete(&self) -> bool {
        self.complete
    }

    fn use_table(&mut self, address: u64, size: u16) {
        self.table.clear();
        self.left = size;
        let _ =
            self.table.push(Descriptor { address, len: u32::from(size) * LEN, writable: false });
    }
}

impl Iterator for Descriptors<'_> {
    type Item = Descriptor;

    fn next(&mut self) -> Option<Descriptor> {
        if self.complete {
            return None;
        }
        loop {
            self.left = self.left.checked_sub(1)?;
            let mut descriptor = split::Descriptor::default();
            let at = usize::from(self.next) * LEN as usize;
            self.table.readable().read_exact_at(at, descriptor.as_mut_slice()).ok()?;
            if descriptor.refers_to_indirect_table() {
                let size = descriptor.len() / LEN;
                if self.indirect || !descriptor.len().is_multiple_of(LEN) {
                    return None;
                }
                self.use_table(descriptor.addr().0, size.try_into().ok()?);
                (self.indirect, self.next) = (true, 0);
                continue;
            }
            // Longer requests are forbidden.
            self.bytes = self.bytes.checked_add(descriptor.len())?;
            (self.complete, self.next) = (!descriptor.has_next(), descriptor.next());
            return Some(Descriptor {
                address: descriptor.addr().0,
                len: descriptor.len(),
                writable: descriptor.is_write_only(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress};

    use super::*;

    const TABLE: u64 = 0x100;
    const OTHER: u64 = 0xff0;
    const SIZE: u16 = 4;
    const NEXT: u16 = 1;
    const WRITE: u16 = 2;
    const INDIRECT: u16 = 4;

    /// A descriptor as address, length, flags, next; and an address with such ones.
    type Fields = (u64, u32, u16, u16);
    type Table<'a> = (u64, &'a [Fields]);

    /// Two regions that touch, with `tables` in them.
    fn memory(tables: &[Table<'_>]) -> Memory {
        let regions = [0, 0x1000].map(|start| (GuestAddress(start), 0x1000));
        let memory = Memory::from_ranges(&regions).unwrap();
        for (table, descriptors) in tables {
            for (at, &(address, len, flags, next)) in descriptors.iter().enumerate() {
                let descriptor = split::Descriptor::new(address, len, flags, next);
                let at = table + at as u64 * u64::from(LEN);
                memory.write_obj(descriptor, GuestAddress(at)).unwrap();
            }
        }
        memory
    }

    /// The lengths of the descriptors from number `head` on, and whether they are complete.
    fn lengths(memory: &Memory, table: u64, head: u16) -> (Vec<u32>, bool) {
        let mut descriptors = Descriptors::new(memory, table, SIZE, head);
        let lengths = descriptors.by_ref().map(|descriptor| descriptor.len).collect();
        (lengths, descriptors.are_complete())
    }

    #[test]
    fn a_chain_is_read_up_to_the_descriptor_without_a_next_one() {
        let memory = memory(&[(TABLE, &[(7, 2, WRITE, 0), (8, 9, 0, 0), (9, 1, NEXT, 0)])]);
        let chain: Vec<_> = Descriptors::new(&memory, TABLE, SIZE, 2).collect();
        let first = Descriptor { address: 9, len: 1, writable: false };
        assert_eq!(chain, [first, Descriptor { address: 7, len: 2, writable: true }]);
        assert_eq!(lengths(&memory, TABLE, 2), (vec![1, 2], true));
    }

    #[test]
    fn a_loop_ends_after_as_many_descriptors_as_the_table_has() {
        let memory = memory(&[(TABLE, &[(0, 1, NEXT, 1), (0, 2, NEXT, 0)])]);
        assert_eq!(lengths(&memory, TABLE, 0), (vec![1, 2, 1, 2], false));
    }

    #[test]
    fn descriptors_past_the_table_do_not_exist() {
        let memory = memory(&[(TABLE, &[(0, 1, NEXT, SIZE)])]);
        assert_eq!(lengths(&memory, TABLE, 0), (vec![1], false));
        assert_eq!(lengths(&memory, TABLE, SIZE), (vec![], false));
        assert_eq!(lengths(&memory, TABLE, u16::MAX), (vec![], false));
    }

    #[test]
    fn a_table_that_is_not_in_memory_has_no_descriptors() {
        let memory = memory(&[]);
        for table in [0x2000 - u64::from(LEN), 0x2000, u64::MAX - 8] {
            assert_eq!(lengths(&memory, table, 0), (vec![], false), "{table:#x}");
        }
    }

    #[test]
    fn an_indirect_table_over_the_border_of_two_regions_follows_direct_descriptors() {
        let memory = memory(&[
            (TABLE, &[(0, 1, NEXT, 1), (OTHER, 2 * LEN, INDIRECT, 0)]),
            (OTHER, &[(0, 2, NEXT, 1), (0, 3, 0, 0)]),
        ]);
        assert_eq!(lengths(&memory, TABLE, 0), (vec![1, 2, 3], true));
    }

    #[test]
    fn an_indirect_table_that_makes_no_sense_is_refused() {
        // Within another; of no whole number of descriptors; of none; of more than can be counted.
        for (len, inner) in [(LEN, INDIRECT), (LEN + 1, 0), (0, 0), (LEN << 16, 0)] {
            let memory = memory(&[
                (TABLE, &[(OTHER, len, INDIRECT, 0)]),
                (OTHER, &[(OTHER, LEN, inner, 0)]),
            ]);
            assert_eq!(lengths(&memory, TABLE, 0), (vec![], false), "{len}");
        }
    }

    #[test]
    fn a_request_is_shorter_than_four_gibibytes() {
        let memory = memory(&[(TABLE, &[(0, u32::MAX, NEXT, 1), (0, 1, 0, 0)])]);
        assert_eq!(lengths(&memory, TABLE, 0), (vec![u32::MAX], false));
    }
}
