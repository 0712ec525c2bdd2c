//! Buffered files beside the standard library's buffered writers and readers.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench stream`

use std::io::{BufRead, BufReader, BufWriter, Read, Write};

use divan::{Bencher, black_box, counter::BytesCount};
use iov_iter::file::{Channel, ChannelError, FileReader, FileWriter, Region, WriteChannel};
use iov_iter::{KVec, Segments, Source};

fn main() {
    divan::main();
}

/// Takes everything and keeps nothing, so that only the buffering is measured.
struct Sink;

impl Channel for Sink {}

impl WriteChannel for Sink {
    fn write(&mut self, from: &[KVec<'_, Source>]) -> Result<usize, ChannelError> {
        Ok(black_box(from).total())
    }
}

const INTEGERS: usize = 1 << 16;
const PAGE: usize = 4096;
const PAGES: usize = 1024;

mod put_be64 {
    use super::*;

    #[divan::bench]
    fn file_writer(bencher: Bencher) {
        bencher.counter(BytesCount::new(8 * INTEGERS)).bench_local(|| {
            let mut writer = FileWriter::new(Sink).unwrap();
            for value in 0..INTEGERS as u64 {
                writer.put_be64(black_box(value)).unwrap();
            }
            writer.close().unwrap();
        });
    }

    #[divan::bench]
    fn buf_writer(bencher: Bencher) {
        bencher.counter(BytesCount::new(8 * INTEGERS)).bench_local(|| {
            let mut writer = BufWriter::with_capacity(32768, std::io::sink());
            for value in 0..INTEGERS as u64 {
                writer.write_all(&black_box(value).to_be_bytes()).unwrap();
            }
            writer.flush().unwrap();
        });
    }
}

mod get_be64 {
    use super::*;

    #[divan::bench]
    fn file_reader(bencher: Bencher) {
        let bytes = vec![7; 8 * INTEGERS];
        bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
            let mut reader = FileReader::new(&bytes[..]).unwrap();
            (0..INTEGERS).fold(0, |sum, _| sum ^ reader.get_be64().unwrap())
        });
    }

    #[divan::bench]
    fn buf_reader(bencher: Bencher) {
        let bytes = vec![7; 8 * INTEGERS];
        bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
            let mut reader = BufReader::with_capacity(32768, &bytes[..]);
            let mut value = [0; 8];
            let sum = (0..INTEGERS).fold(0, |sum, _| {
                reader.read_exact(&mut value).unwrap();
                sum ^ u64::from_be_bytes(value)
            });
            assert!(reader.fill_buf().unwrap().is_empty());
            sum
        });
    }
}

/// A header and a page, as live migration sends them.
mod put_page {
    use super::*;

    #[divan::bench]
    fn file_writer(bencher: Bencher) {
        let ram = vec![7; PAGE * PAGES];
        bencher.counter(BytesCount::new(ram.len())).bench_local(|| {
            let region = Region::new(&ram[..]);
            let mut writer = FileWriter::new(Sink).unwrap();
            for at in (0..ram.len()).step_by(PAGE) {
                writer.put_be64(at as u64).unwrap();
                writer.put_region(&region, at..at + PAGE).unwrap();
            }
            writer.close().unwrap();
        });
    }

    #[divan::bench]
    fn buf_writer(bencher: Bencher) {
        let ram = vec![7; PAGE * PAGES];
        bencher.counter(BytesCount::new(ram.len())).bench_local(|| {
            let mut writer = BufWriter::with_capacity(32768, std::io::sink());
            for (number, page) in ram.chunks(PAGE).enumerate() {
                writer.write_all(&((number * PAGE) as u64).to_be_bytes()).unwrap();
                writer.write_all(page).unwrap();
            }
            writer.flush().unwrap();
        });
    }
}
