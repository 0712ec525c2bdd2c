//! Looking at and filling whole vectors, beside what the standard library does with slices.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench vectors`

use divan::{Bencher, black_box, counter::BytesCount};
use iov_iter::iov::View;
use iov_iter::{Dest, KVec, Source};
use iov_iter_benches::{SHAPES, Shape};

fn main() {
    divan::main();
}

fn zeros(shape: Shape) -> Vec<u8> {
    vec![0; shape.segments * shape.stride]
}

mod is_zero {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn view(bencher: Bencher, shape: Shape) {
        let memory = zeros(shape);
        let segments: Vec<KVec<Source>> =
            shape.slices(&memory).into_iter().map(KVec::from).collect();
        let view = View::new(&segments).unwrap();
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| black_box(&view).is_zero());
    }

    #[divan::bench(args = SHAPES)]
    fn all_bytes(bencher: Bencher, shape: Shape) {
        let memory = zeros(shape);
        let slices = shape.slices(&memory);
        bencher.counter(BytesCount::new(shape.total())).bench_local(|| {
            black_box(&slices).iter().all(|slice| slice.iter().all(|byte| *byte == 0))
        });
    }
}

mod compare {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn view(bencher: Bencher, shape: Shape) {
        let (left, right) = (shape.memory(), shape.memory());
        let left: Vec<KVec<Source>> = shape.slices(&left).into_iter().map(KVec::from).collect();
        let right: Vec<KVec<Source>> = shape.slices(&right).into_iter().map(KVec::from).collect();
        let (left, right) = (View::new(&left).unwrap(), View::new(&right).unwrap());
        bencher
            .counter(BytesCount::new(shape.total()))
            .bench_local(|| black_box(&left).compare(black_box(&right)));
    }

    /// Tells whether, but not where, they differ.
    #[divan::bench(args = SHAPES)]
    fn slice_equality(bencher: Bencher, shape: Shape) {
        let (left, right) = (shape.memory(), shape.memory());
        let (left, right) = (shape.slices(&left), shape.slices(&right));
        bencher
            .counter(BytesCount::new(shape.total()))
            .bench_local(|| black_box(&left) == black_box(&right));
    }
}

mod fill {
    use super::*;

    #[divan::bench(args = SHAPES)]
    fn view(bencher: Bencher, shape: Shape) {
        let mut memory = zeros(shape);
        let segments: Vec<KVec<Dest>> =
            shape.slices_mut(&mut memory).into_iter().map(KVec::from).collect();
        let view = View::new(&segments).unwrap();
        bencher
            .counter(BytesCount::new(shape.total()))
            .bench_local(|| black_box(&view).fill(0, 7, usize::MAX));
    }

    #[divan::bench(args = SHAPES)]
    fn slices(bencher: Bencher, shape: Shape) {
        let mut memory = zeros(shape);
        let mut slices = shape.slices_mut(&mut memory);
        bencher
            .counter(BytesCount::new(shape.total()))
            .bench_local(|| black_box(&mut slices).iter_mut().for_each(|slice| slice.fill(7)));
    }
}
