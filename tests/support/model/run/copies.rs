//! Copies out of and into an iterator, compared with the model.

use std::mem::MaybeUninit;

use iov_iter::{Dest, Error, Kind, Piece, Source};

use super::super::flat::Nature;
use super::super::ops::{In, Out};
use super::super::scene::P;
use super::super::{Poison, TestPage};
use super::{Side, compare};

/// What an all-or-nothing operation returns.
fn full(wanted: usize, left: usize, moved: usize) -> Result<(), Error> {
    match () {
        () if wanted > left => Err(Error::Exhausted),
        () if moved < wanted => Err(Error::Fault),
        () => Ok(()),
    }
}

impl Side<'_, Source> {
    pub(super) fn copy_out(&mut self, how: Out, n: usize) {
        if let Out::Checksum | Out::FullChecksum = how {
            self.checksum_out(n, matches!(how, Out::FullChecksum));
            return self.check_sum();
        }
        let (iter, flat) = (&mut self.iter, &mut self.flat);
        let mut bytes = vec![0xdd; n];
        let all_or_nothing = match how {
            Out::Full => Some(iter.copy_from_iter_full(&mut bytes)),
            Out::FullNocache => Some(iter.copy_from_iter_full_nocache(&mut bytes)),
            _ => None,
        };
        if let Some(result) = all_or_nothing {
            let moved = if n <= flat.count { flat.movable(n, false) } else { 0 };
            assert_eq!(result, full(n, flat.count, moved));
            compare(&bytes[..moved], flat);
            assert!(bytes[moved..].iter().all(|byte| *byte == 0xdd));
            if result.is_ok() {
                flat.advance(n);
            }
            return;
        }
        let moved = match how {
            Out::Nocache => iter.copy_from_iter_nocache(&mut bytes),
            Out::Flushcache => iter.copy_from_iter_flushcache(&mut bytes),
            Out::Raw => {
                let mut raw = vec![MaybeUninit::uninit(); n];
                let filled = iter.copy_from_iter_raw(&mut raw);
                bytes[..filled.len()].copy_from_slice(filled);
                filled.len()
            }
            _ => iter.copy_from_iter(&mut bytes),
        };
        assert_eq!(moved, flat.movable(n, false));
        compare(&bytes[..moved], flat);
        assert!(bytes[moved..].iter().all(|byte| *byte == 0xdd));
        flat.advance(moved);
    }

    fn checksum_out(&mut self, n: usize, all: bool) {
        let (iter, flat) = (&mut self.iter, &mut self.flat);
        let mut bytes = vec![0xdd; n];
        if all && n > flat.count {
            let result = iter.csum_and_copy_from_iter_full(&mut bytes, &mut self.checksum);
            assert_eq!(result, Err(Error::Exhausted));
            return;
        }
        // Exact to the piece: one that faults counts nothing.
        let mut moved = 0;
        for (index, len) in flat.walked(n) {
            if flat.accessible(index, len, false) < len {
                break;
            }
            moved += len;
        }
        if all {
            let result = iter.csum_and_copy_from_iter_full(&mut bytes, &mut self.checksum);
            assert_eq!(result, full(n, flat.count, moved));
            if result.is_err() {
                return;
            }
        } else {
            let result = iter.csum_and_copy_from_iter(&mut bytes, &mut self.checksum);
            assert_eq!(result, moved);
        }
        compare(&bytes[..moved], flat);
        self.summed.extend(&bytes[..moved]);
        flat.advance(moved);
    }

    pub(super) fn page_out(&mut self, offset: usize, n: usize, atomic: bool) {
        let folio = TestPage::run(3);
        let result = match atomic {
            true => self.iter.copy_page_from_iter_atomic(&folio, offset, n),
            false => self.iter.copy_page_from_iter(&folio, offset, n),
        };
        if offset + n > 3 * P {
            assert_eq!(result, Err(Error::OutOfRange));
            return;
        }
        let moved = self.flat.movable(n, atomic);
        assert_eq!(result, Ok(moved));
        let mut bytes = folio.all_bytes();
        compare(&bytes[offset..offset + moved], &self.flat);
        bytes[offset..offset + moved].fill(0);
        assert_eq!(bytes, [0; 3 * P]);
        self.flat.advance(moved);
    }

    pub(super) fn read_integer(&mut self, width: usize, big: bool) {
        let iter = &mut self.iter;
        let result = match (width, big) {
            (1, true) => iter.read_be::<u8>().map(u128::from),
            (1, false) => iter.read_le::<u8>().map(u128::from),
            (2, true) => iter.read_be::<u16>().map(u128::from),
            (2, false) => iter.read_le::<u16>().map(u128::from),
            (4, true) => iter.read_be::<u32>().map(u128::from),
            (4, false) => iter.read_le::<u32>().map(u128::from),
            (8, true) => iter.read_be::<u64>().map(u128::from),
            (8, false) => iter.read_le::<u64>().map(u128::from),
            (_, true) => iter.read_be::<u128>(),
            (_, false) => iter.read_le::<u128>(),
        };
        let flat = &mut self.flat;
        let moved = if width <= flat.count { flat.movable(width, false) } else { 0 };
        match full(width, flat.count, moved) {
            Ok(()) => {
                assert_eq!(result, Ok(number(&flat.values(width), big)));
                flat.advance(width);
            }
            error => assert_eq!(result.map(|_| ()), error),
        }
    }

    pub(super) fn next_chunk(&mut self) {
        let chunk = self.iter.next_chunk();
        match (self.iter.kind(), self.flat.left().first_len) {
            // Memory that others write cannot be borrowed.
            (Kind::KVec | Kind::KVecChain, len) if len > 0 => {
                assert_eq!(chunk, Some(&self.flat.values(len)[..]));
                self.flat.advance(len);
            }
            _ => assert_eq!(chunk, None),
        }
    }
}

/// The number that bytes mean, most significant first if `big`.
fn number(bytes: &[u8], big: bool) -> u128 {
    let add = |number: u128, byte: &u8| number << 8 | u128::from(*byte);
    match big {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    }
}

impl Side<'_, Dest> {
    pub(super) fn copy_in(&mut self, how: In, data: &[u8]) {
        let n = data.len();
        let (iter, flat) = (&mut self.iter, &mut self.flat);
        let zeros;
        let mut fed = None;
        let mut reachable = data;
        let moved = match how {
            In::Checksum => {
                self.checksum_in(data);
                return self.check_sum();
            }
            In::Full => {
                let result = iter.copy_to_iter_full(data);
                let moved = if n <= flat.count { flat.movable(n, false) } else { 0 };
                assert_eq!(result, full(n, flat.count, moved));
                // The memory is not all or nothing.
                flat.store(&data[..moved]);
                if result.is_ok() {
                    flat.advance(n);
                }
                return;
            }
            In::Plain => iter.copy_to_iter(data),
            In::Hash => iter.hash_and_copy_to_iter(data, |bytes| fed = Some(bytes.to_vec())),
            In::Zero => {
                zeros = vec![0; n];
                reachable = &zeros;
                iter.zero(n)
            }
            In::MachineCheck(clean) => {
                reachable = &data[..clean.min(n)];
                let poison =
                    Poison::new(data.as_ptr().wrapping_add(reachable.len()), n - reachable.len());
                let moved = iter.copy_mc_to_iter(Piece::from(data));
                drop(poison);
                // Nothing is read for a discarding iterator.
                if flat.nature == Nature::Nothing {
                    reachable = data;
                }
                moved
            }
            In::FromBuffer(position) => {
                reachable = data.get(position..).unwrap_or_default();
                let mut at = position as i64;
                let moved = iter.simple_read_from_buffer(&mut at, data).unwrap();
                assert_eq!(at, (position + moved) as i64);
                moved
            }
        };
        assert_eq!(moved, flat.movable(reachable.len(), false));
        assert!(fed.is_none_or(|fed| fed == data[..moved]));
        flat.store(&reachable[..moved]);
        flat.advance(moved);
    }

    fn checksum_in(&mut self, data: &[u8]) {
        let flat = &mut self.flat;
        let moved = self.iter.csum_and_copy_to_iter(data, &mut self.checksum);
        let mut expected = 0;
        if flat.nature == Nature::Nothing {
            expected = data.len().min(flat.count);
        }
        for (index, len) in flat.walked(data.len()) {
            let written = flat.accessible(index, len, false);
            if written < len {
                flat.forget(index, written);
                break;
            }
            expected += len;
        }
        assert_eq!(moved, expected);
        self.summed.extend(&data[..moved]);
        flat.store(&data[..moved]);
        flat.advance(moved);
    }

    pub(super) fn page_in(&mut self, data: &[u8], offset: usize, n: usize, nofault: bool) {
        let folio = TestPage::with_bytes(data);
        let result = match nofault {
            true => self.iter.copy_page_to_iter_nofault(&folio, offset, n),
            false => self.iter.copy_page_to_iter(&folio, offset, n),
        };
        if offset + n > 3 * P {
            assert_eq!(result, Err(Error::OutOfRange));
            return;
        }
        let moved = self.flat.movable(n, nofault);
        assert_eq!(result, Ok(moved));
        self.flat.store(&data[offset..offset + moved]);
        self.flat.advance(moved);
    }

    pub(super) fn write_integer(&mut self, data: &[u8], big: bool) {
        let (iter, flat) = (&mut self.iter, &mut self.flat);
        let value = number(data, big);
        let result = match (data.len(), big) {
            (1, true) => iter.write_be(value as u8),
            (1, false) => iter.write_le(value as u8),
            (2, true) => iter.write_be(value as u16),
            (2, false) => iter.write_le(value as u16),
            (4, true) => iter.write_be(value as i32),
            (4, false) => iter.write_le(value as i32),
            (8, true) => iter.write_be(value as i64),
            (8, false) => iter.write_le(value as u64),
            (_, true) => iter.write_be(value),
            (_, false) => iter.write_le(value as i128),
        };
        let moved = if data.len() <= flat.count { flat.movable(data.len(), false) } else { 0 };
        assert_eq!(result, full(data.len(), flat.count, moved));
        flat.store(&data[..moved]);
        if result.is_ok() {
            flat.advance(moved);
        }
    }
}
