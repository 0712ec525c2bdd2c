//! What the traits of the core provide, called on a type that implements only what they ask for.

use core::error::Error as _;
use core::hint::black_box;
use core::ptr::NonNull;

use iov_iter::host::{Host, Page, UserMemory};
use iov_iter::iov::{CallError, Stop, VectoredRead, VectoredWrite, View};
use iov_iter::{
    CopyFlags, Dest, Error, IovIterSource, KVec, PageFlags, Piece, Segment, Segments, Source,
};

use crate::{any, any_bytes, any_list, any_position};

#[derive(Clone, Copy)]
pub struct Plain;

impl AsRef<Plain> for Plain {
    fn as_ref(&self) -> &Plain {
        self
    }
}

// SAFETY: the program is linked and never run.
unsafe impl Page for Plain {
    const SIZE: usize = 64;
    type Pin = Plain;

    fn run_length(&self) -> usize {
        any()
    }

    fn nth(&self, index: usize) -> Option<Self> {
        (index < any()).then_some(Plain)
    }

    unsafe fn map<R>(&self, index: usize, f: impl FnOnce(NonNull<u8>) -> R) -> Option<R> {
        (index < any()).then(|| f(black_box(NonNull::dangling())))
    }
}

// SAFETY: as above.
unsafe impl UserMemory for Plain {
    type Page = Plain;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        black_box((addr, len)).1 > 0
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _: CopyFlags) -> usize {
        black_box((addr, dst.fill(0))).0
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _: CopyFlags) -> usize {
        black_box((src.len(), addr)).1
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        black_box((addr, len)).1
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        black_box((addr, len)).1
    }
}

impl Host for Plain {
    type Page = Plain;
    type User = Plain;
}

impl Segment for Plain {
    fn len(&self) -> usize {
        any()
    }

    fn address(&self) -> usize {
        any()
    }
}

impl VectoredWrite for Plain {
    type Error = Error;

    fn write_vectored(&mut self, _: &[Piece<'_, Source>]) -> Result<usize, CallError<Error>> {
        Ok(any())
    }
}

impl VectoredRead for Plain {
    type Error = Error;

    fn read_vectored(&mut self, _: &[Piece<'_, Dest>]) -> Result<usize, CallError<Error>> {
        Ok(any())
    }
}

pub fn every_operation() {
    black_box(Plain.read_at(any(), any_bytes().into()).is_err());
    black_box(Plain.write_at(any(), Piece::from(&*any_bytes())).is_err());
    black_box(Plain.zero_at(any(), any()).is_err());
    black_box(Plain.map_range(any(), any(), |piece: Piece<'_, Dest>, _| piece.len()).is_err());
    black_box((Page::is_followed_by(&Plain, &Plain), Page::goes_with(&Plain, &Plain)));
    // SAFETY: the program is linked and never run.
    black_box(unsafe { Plain.zero(any(), any()) });
    // SAFETY: as above.
    black_box(unsafe { UserMemory::map::<Source>(&Plain, any(), any()) }.is_err());
    Plain.mark_written(any(), any());
    let flags = PageFlags::NOFAULT;
    black_box(Plain.get_pages(any(), any(), flags, |_| ()).is_err());
    black_box(Plain.pin_pages(any(), any(), flags, |_| ()).is_err());
    black_box(Plain::copy_machine_check(Piece::from(&*any_bytes()), any_bytes().into()));
    black_box(Segment::is_empty(&Plain));
    let list: &[Plain] = any_list();
    black_box((list.forward(any_position(), any()), list.back(any_position(), any())));
    black_box(list.total());
    black_box((VectoredWrite::max_segments(&Plain), VectoredRead::max_segments(&Plain)));
    let mut iter: IovIterSource<Plain> = IovIterSource::ubuf(Plain, any(), any());
    if let Err(short) = iter.send(&mut Plain).finished() {
        black_box(short.source().is_some());
        if let Stop::Failed(error) = short.stop {
            black_box(error.source().is_some());
        }
    }
    if let Err(error) = iter.send_once(&mut Plain) {
        black_box(error.source().is_some());
    }
    if let Err(error) = View::from(any_list::<KVec<Source>>()).send_once(&mut Plain) {
        black_box(error.source().is_some());
    }
    black_box((VectoredWrite::keeps_messages(&Plain), VectoredRead::keeps_messages(&Plain)));
}
