//! The naive model of an iterator: all segments flattened to one string of bytes, and a position.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;

use iov_iter::Error;

use super::scene::{BASE, USER_RUN};

/// One byte of one segment.
#[derive(Clone, Debug)]
pub struct Byte {
    /// What it holds; `None` if that is not specified.
    pub value: Option<u8>,
    /// Where it lies: the address, or for pages the offset in the run.
    pub address: usize,
    /// The segment it belongs to.
    pub segment: usize,
    /// Whether every access faults.
    pub bad: bool,
}

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    User,
    Kernel,
    Pages,
    Nothing,
}

/// Consecutive bytes in one segment: index of the first, and their number.
pub type Piece = (usize, usize);

/// The model.
#[derive(Clone, Debug)]
pub struct Flat {
    pub bytes: Vec<Byte>,
    /// The bytes of each segment that has some.
    pub segments: Vec<Range<usize>>,
    pub nature: Nature,
    /// The page size.
    pub page: usize,
    /// User pages that are mappable, but not resident.
    pub absent: BTreeSet<usize>,
    pub at: usize,
    pub count: usize,
    pub cut: usize,
}

impl Flat {
    pub fn advance(&mut self, n: usize) -> usize {
        let n = n.min(self.count);
        self.at += n;
        self.count -= n;
        n
    }

    pub fn revert(&mut self, n: usize) -> Result<(), Error> {
        if n > self.at {
            return Err(Error::RevertPastStart);
        }
        self.at -= n;
        self.count += n;
        Ok(())
    }

    pub fn truncate(&mut self, limit: usize) {
        let kept = self.count.min(limit);
        self.cut += self.count - kept;
        self.count = kept;
    }

    pub fn reexpand(&mut self, count: usize) -> Result<(), Error> {
        if count > self.count + self.cut {
            return Err(Error::ExpandPastEnd);
        }
        self.cut = self.count + self.cut - count;
        self.count = count;
        Ok(())
    }

    /// How many of `n` bytes from the index `from` on can be accessed before a fault. Pages on
    /// the way become resident, unless faults are disabled.
    pub fn accessible(&mut self, from: usize, n: usize, nofault: bool) -> usize {
        let end = from + n.min(self.at + self.count - from);
        for index in from..end {
            let byte = &self.bytes[index];
            if byte.bad {
                return index - from;
            }
            let enters = index == from
                || byte.address.is_multiple_of(self.page)
                || byte.segment != self.bytes[index - 1].segment;
            let page = byte.address / self.page;
            if enters && self.nature == Nature::User && self.absent.contains(&page) {
                if nofault {
                    return index - from;
                }
                self.absent.remove(&page);
            }
        }
        end - from
    }

    /// As `accessible`, from the position on.
    pub fn movable(&mut self, n: usize, nofault: bool) -> usize {
        self.accessible(self.at, n, nofault)
    }

    /// The values of `n` bytes from the position on, all of which are specified.
    pub fn values(&self, n: usize) -> Vec<u8> {
        let bytes = &self.bytes[self.at..self.at + n];
        bytes.iter().map(|byte| byte.value.expect("a source is never unspecified")).collect()
    }

    /// Stores `values` from the position on.
    pub fn store(&mut self, values: &[u8]) {
        for (byte, value) in self.bytes[self.at..].iter_mut().zip(values) {
            byte.value = Some(*value);
        }
    }

    /// The values of some bytes are no longer specified.
    pub fn forget(&mut self, from: usize, n: usize) {
        self.bytes[from..from + n].iter_mut().for_each(|byte| byte.value = None);
    }

    /// The pieces of the next `n` bytes; cut at page borders, too, if `paged`.
    pub fn pieces(&self, n: usize, paged: bool) -> impl Iterator<Item = Piece> {
        let end = self.at + n.min(self.count);
        self.segments.iter().flat_map(move |segment| {
            let (mut from, to) = (segment.start.max(self.at), segment.end.min(end));
            iter::from_fn(move || {
                let rest = to.checked_sub(from).filter(|rest| *rest > 0)?;
                let len = if paged { rest.min(self.in_page(from)) } else { rest };
                from += len;
                Some((from - len, len))
            })
        })
    }

    /// Bytes of the page of a byte, from that byte on.
    fn in_page(&self, index: usize) -> usize {
        self.page - self.bytes[index].address % self.page
    }

    /// The pieces as a walk hands them out.
    pub fn walked(&self, n: usize) -> Vec<Piece> {
        match self.nature {
            Nature::Nothing => Vec::new(),
            nature => {
                let mut pieces = Vec::with_capacity(16);
                pieces.extend(self.pieces(n, nature == Nature::Pages));
                pieces
            }
        }
    }

    /// What is left, for queries that look at all of it.
    pub fn left(&self) -> Left {
        let pieces = || self.pieces(self.count, false);
        let mut left =
            Left { first_len: pieces().next().map_or(0, |(_, len)| len), ..Left::default() };
        if self.nature == Nature::Nothing {
            return left;
        }
        let mut end = None;
        for (index, len) in pieces() {
            let address = self.bytes[index].address;
            left.first_range.get_or_insert((address, len));
            left.address_bits |= address;
            left.len_bits |= len;
            left.gap_bits |= end.map_or(0, |end| end | address);
            end = Some(address + len);
        }
        left
    }

    /// Bytes of the current segment before the position; 0 at the end and between segments.
    pub fn offset(&self) -> usize {
        let current = self.segments.iter().find(|segment| segment.contains(&self.at));
        current.map_or(0, |segment| self.at - segment.start)
    }

    /// Segments of the bytes from the position on, hidden ones included.
    pub fn segment_count(&self) -> usize {
        self.segments.iter().filter(|segment| segment.end > self.at).count()
    }

    /// Pages touched, with one count per segment and page.
    pub fn npages(&self, max_bytes: usize) -> usize {
        match self.nature {
            Nature::Nothing => 0,
            _ => self.pieces(max_bytes, true).count(),
        }
    }

    /// How many of `size` bytes are out of reach of faulting in, which makes pages resident.
    pub fn fault_in(&mut self, size: usize) -> usize {
        if self.nature != Nature::User {
            return 0;
        }
        let mut present = 0;
        let pieces: Vec<_> = self.pieces(size, false).collect();
        'pieces: for (first, len) in pieces {
            for index in first..first + len {
                let byte = &self.bytes[index];
                let probed = index == first || byte.address.is_multiple_of(self.page);
                if probed && byte.bad {
                    break 'pieces;
                }
                if probed {
                    self.absent.remove(&(byte.address / self.page));
                }
                if byte.address % self.page == self.page - 1 || index == first + len - 1 {
                    present = index + 1 - self.at;
                }
            }
        }
        size - present
    }

    /// How many bytes of the first piece so many pages cover.
    pub fn covered(&self, max_size: usize, pages: usize) -> usize {
        let Some((index, len)) = self.pieces(self.count, false).next() else { return 0 };
        let mut seen = BTreeSet::new();
        let inside = |byte: &&Byte| {
            seen.insert(byte.address / self.page);
            seen.len() <= pages
        };
        self.bytes[index..index + len.min(max_size)].iter().take_while(inside).count()
    }

    /// How many bytes so many pages cover, if segments may be joined where page follows page.
    pub fn covered_joined(&self, max_size: usize, pages: usize) -> usize {
        let mut seen = 0;
        let mut covered = 0;
        for index in self.at..self.at + max_size.min(self.count) {
            let byte = &self.bytes[index];
            let begins = byte.address.is_multiple_of(self.page);
            if index == self.at || begins {
                seen += 1;
            }
            if index > self.at && self.bytes[index - 1].segment != byte.segment {
                let ended = (self.bytes[index - 1].address + 1).is_multiple_of(self.page);
                if !begins || !ended {
                    break;
                }
            }
            if seen > pages {
                break;
            }
            covered += 1;
        }
        covered
    }

    /// How many bytes from `start` bytes ahead on lie in so many segments.
    pub fn span(&self, start: usize, max_bytes: usize, most: usize) -> usize {
        let left = self.count.saturating_sub(start).min(max_bytes);
        let (from, to) = (self.at + start, self.at + start + left);
        let segments = self.segments.iter().filter(|segment| segment.end > from);
        let last = segments.take(most).last().map_or(from, |segment| segment.end);
        last.min(to).saturating_sub(from)
    }

    /// Whether a page ends with `before`, and the page that begins with `next` follows it physically.
    fn page_follows(&self, before: &Byte, next: &Byte) -> bool {
        let (page, following) = (before.address / self.page, next.address / self.page);
        let run = |page: usize| (page - BASE / self.page) / USER_RUN;
        next.address.is_multiple_of(self.page)
            && before.address + 1 == next.address
            && match self.nature {
                Nature::User => run(page) == run(following),
                Nature::Pages => before.segment == next.segment,
                Nature::Kernel | Nature::Nothing => false,
            }
    }

    /// What is contiguous physically: index of the first page, offset in it, and length; and whether a piece
    /// that is not aligned ended the list.
    pub fn contiguous(
        &self,
        max_bytes: usize,
        most: usize,
        max_pages: usize,
        mask: usize,
    ) -> (Vec<(usize, usize, usize)>, bool) {
        let mut found: Vec<(usize, usize, usize)> = Vec::new();
        let (mut pages, mut done) = (0, 0);
        for (first, len) in self.pieces(self.count, false) {
            if done == max_bytes || pages == max_pages || most == 0 {
                break;
            }
            if (self.bytes[first].address | len) & mask != 0 {
                return (found, true);
            }
            for index in first..first + len {
                if done == max_bytes {
                    return (found, false);
                }
                let byte = &self.bytes[index];
                if index == first || byte.address.is_multiple_of(self.page) {
                    let joins = done > 0 && self.page_follows(&self.bytes[index - 1], byte);
                    if pages == max_pages || !joins && found.len() == most {
                        return (found, false);
                    }
                    if !joins {
                        found.push((pages, byte.address % self.page, 0));
                    }
                    pages += 1;
                }
                found.last_mut().unwrap().2 += 1;
                done += 1;
            }
        }
        (found, false)
    }
}

/// The pieces left in the model.
#[derive(Default)]
pub struct Left {
    /// Bytes of the first one.
    pub first_len: usize,
    /// Address and length of the first one, if there is memory.
    pub first_range: Option<(usize, usize)>,
    /// The bits that are set in any of the addresses, of the lengths, and of the borders of gaps.
    address_bits: usize,
    len_bits: usize,
    gap_bits: usize,
}

impl Left {
    pub fn alignment(&self) -> usize {
        self.address_bits | self.len_bits
    }

    pub fn is_aligned(&self, address_mask: usize, len_mask: usize) -> bool {
        self.address_bits & address_mask == 0 && self.len_bits & len_mask == 0
    }

    pub fn gap_alignment(&self) -> usize {
        self.gap_bits
    }
}
