//! Copies between a buffer and scattered segments: the bare loop, this crate, and its neighbours.
//!
//! `cargo bench --manifest-path benches/Cargo.toml`

use std::io::{IoSliceMut, Read};

use divan::{Bencher, black_box, counter::BytesCount};
use iov_iter::{Dest, IovIter, KVec, Source, copy_iter_to_iter};
use iov_iter_benches::{SHAPES, Shape};
use vm_memory::VolatileSlice;

fn main() {
    divan::main();
}

/// Out of the segments, into one buffer.
mod gather {
    use super::*;

    /// The limit: nothing but a memcpy per segment.
    #[divan::bench(args = SHAPES)]
    fn bare_loop(bencher: Bencher, shape: Shape) {
        let memory = shape.memory();
        let slices = shape.slices(&memory);
        let mut buffer = vec![0u8; shape.total()];
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            let mut at = 0;
            for slice in black_box(&slices) {
                buffer[at..at + slice.len()].copy_from_slice(slice);
                at += slice.len();
            }
            at
        });
    }

    #[divan::bench(args = SHAPES)]
    fn iov_iter(bencher: Bencher, shape: Shape) {
        let memory = shape.memory();
        let segments: Vec<KVec<Source>> =
            shape.slices(&memory).into_iter().map(KVec::from).collect();
        let mut buffer = vec![0u8; shape.total()];
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            IovIter::<Source>::kvec(black_box(&segments), shape.total())
                .unwrap()
                .copy_from_iter(&mut buffer)
        });
    }

    #[divan::bench(args = SHAPES)]
    fn vm_memory(bencher: Bencher, shape: Shape) {
        let mut memory = shape.memory();
        let slices: Vec<VolatileSlice> =
            shape.slices_mut(&mut memory).into_iter().map(VolatileSlice::from).collect();
        let mut buffer = vec![0u8; shape.total()];
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            let mut at = 0;
            for slice in black_box(&slices) {
                at += slice.copy_to(&mut buffer[at..]);
            }
            at
        });
    }
}

/// Out of one buffer, into the segments.
mod scatter {
    use super::*;

    /// The limit: nothing but a memcpy per segment.
    #[divan::bench(args = SHAPES)]
    fn bare_loop(bencher: Bencher, shape: Shape) {
        let mut memory = shape.memory();
        let mut slices = shape.slices_mut(&mut memory);
        let buffer = vec![1u8; shape.total()];
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            let mut at = 0;
            for slice in black_box(&mut slices) {
                let len = slice.len();
                slice.copy_from_slice(&buffer[at..at + len]);
                at += len;
            }
            at
        });
    }

    #[divan::bench(args = SHAPES)]
    fn iov_iter(bencher: Bencher, shape: Shape) {
        let mut memory = shape.memory();
        let segments: Vec<KVec<Dest>> =
            shape.slices_mut(&mut memory).into_iter().map(KVec::from).collect();
        let buffer = vec![1u8; shape.total()];
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            IovIter::<Dest>::kvec(black_box(&segments), shape.total())
                .unwrap()
                .copy_to_iter(&buffer)
        });
    }

    #[divan::bench(args = SHAPES)]
    fn std_read_vectored(bencher: Bencher, shape: Shape) {
        let mut memory = shape.memory();
        let mut slices: Vec<IoSliceMut> =
            shape.slices_mut(&mut memory).into_iter().map(IoSliceMut::new).collect();
        let buffer = vec![1u8; shape.total()];
        bencher
            .counter(BytesCount::new(shape.total()))
            .bench_local(|| (&buffer[..]).read_vectored(black_box(&mut slices)).unwrap());
    }

    #[divan::bench(args = SHAPES)]
    fn vm_memory(bencher: Bencher, shape: Shape) {
        let mut memory = shape.memory();
        let slices: Vec<VolatileSlice> =
            shape.slices_mut(&mut memory).into_iter().map(VolatileSlice::from).collect();
        let buffer = vec![1u8; shape.total()];
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            let mut at = 0;
            for slice in black_box(&slices) {
                slice.copy_from(&buffer[at..]);
                at += slice.len();
            }
            at
        });
    }
}

/// From segments to segments, without a buffer between them.
mod transfer {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn iov_iter(bencher: Bencher, shape: Shape) {
        let (memory, mut space) = (shape.memory(), vec![0; shape.total()]);
        let from: Vec<KVec<Source>> = shape.slices(&memory).into_iter().map(KVec::from).collect();
        let to: Vec<KVec<Dest>> = space.chunks_mut(4096).map(KVec::from).collect();
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            let mut src = IovIter::<Source>::from(black_box(&from[..]));
            let mut dst = IovIter::<Dest>::from(black_box(&to[..]));
            copy_iter_to_iter(&mut src, &mut dst, shape.total())
        });
    }
}

/// Moving without copying: to the end and back.
mod moving {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn advance_and_revert(bencher: Bencher, shape: Shape) {
        let memory = shape.memory();
        let segments: Vec<KVec<Source>> =
            shape.slices(&memory).into_iter().map(KVec::from).collect();
        bencher.bench_local(|| {
            let mut iter = IovIter::<Source>::from(black_box(&segments[..]));
            iter.advance(shape.total());
            iter.revert(shape.total())
        });
    }
}
