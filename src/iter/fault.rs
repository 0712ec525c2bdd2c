//! Making user memory present before it is copied without sleeping.

use super::IovIter;
use crate::direction::{Dest, Direction, Source};
use crate::host::{Host, UserMemory};

impl<H: Host> IovIter<'_, Source, H> {
    /// Makes the next `size` bytes present for reading and returns how many of them are **not**.
    ///
    /// 0 is full success; `size` means that not even the next byte is within reach. Bytes past
    /// the end of the iterator count as out of reach. Memory that is not the user's needs nothing:
    /// always 0. The iterator stays.
    #[must_use = "some bytes may be out of reach"]
    #[doc(alias = "fault_in_iov_iter_readable")]
    #[doc(alias = "iov_iter_fault_in_readable")]
    #[doc(alias = "iov_iter_fault_in_multipages_readable")]
    pub fn fault_in_readable(&self, size: usize) -> usize {
        self.fault_in(size, H::User::fault_in_readable)
    }
}

impl<H: Host> IovIter<'_, Dest, H> {
    /// Makes the next `size` bytes present for writing, without changing them, and returns how many
    /// of them are **not**; otherwise as for a source.
    #[must_use = "some bytes may be out of reach"]
    #[doc(alias = "fault_in_iov_iter_writeable")]
    pub fn fault_in_writeable(&self, size: usize) -> usize {
        self.fault_in(size, H::User::fault_in_writeable)
    }
}

impl<D: Direction, H: Host> IovIter<'_, D, H> {
    fn fault_in(&self, size: usize, probe: fn(&H::User, usize, usize) -> usize) -> usize {
        if !self.is_user_backed() {
            return 0;
        }
        let present = self.iterate(
            size,
            &mut (),
            |(), user, _| probe(user.memory(), user.address(), user.len()),
            |(), piece, _| piece.len(),
        );
        size.saturating_sub(present)
    }
}
