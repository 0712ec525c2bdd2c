//! What holds for any sequence of operations over any channel: against plain byte vectors.
#![cfg(feature = "alloc")]

use std::ops::Range;

use crate::file_model::reading::{self, Get};
use crate::file_model::writing::{self, Put};
use iov_iter::file::{BUFFER_SIZE, FileWriter};
use proptest::prelude::*;

const CASES: u32 = if cfg!(miri) { 1 } else { 64 };
/// The caller's memory: 200 KiB of bytes without a short period.
const MEMORY: usize = if cfg!(miri) { 2_000 } else { 200_000 };

fn memory() -> Vec<u8> {
    (0..MEMORY).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 11) as u8).collect()
}

fn range(longest: usize) -> impl Strategy<Value = Range<usize>> {
    let len = prop_oneof![4 => 0..300_usize.min(longest), 1 => 0..longest];
    (0..MEMORY, len).prop_map(|(start, len)| start..(start + len).min(MEMORY))
}

fn put() -> impl Strategy<Value = Put> {
    let longest = MEMORY.min(80_000);
    prop_oneof![
        4 => any::<u8>().prop_map(Put::Byte),
        1 => any::<u16>().prop_map(Put::Be16),
        1 => any::<u32>().prop_map(Put::Be32),
        2 => any::<u64>().prop_map(Put::Be64),
        1 => any::<u32>().prop_map(Put::Le32),
        3 => range(longest).prop_map(Put::Buffer),
        4 => range(longest).prop_map(Put::Borrowed),
        2 => range(longest).prop_map(Put::Owned),
        3 => (range(8192), any::<bool>()).prop_map(|(range, release)| Put::Region(range, release)),
        2 => (range(8192), any::<bool>()).prop_map(|(range, release)| Put::Shared(range, release)),
        3 => (0..8192_usize, any::<bool>()).prop_map(|(len, release)| Put::Next(len, release)),
        2 => (range(8192), any::<bool>()).prop_map(|(range, release)| Put::Raw(range, release)),
        2 => (range(longest), 1..9000_usize, prop::option::of(0..longest))
            .prop_map(|(range, piece, fault)| Put::Iter(range, piece, fault)),
        1 => any::<u8>().prop_map(Put::Counted),
        1 => Just(Put::Flush),
    ]
}

fn puts() -> impl Strategy<Value = Vec<Put>> {
    // Many small operations, so that the list of entries fills up, too.
    prop::collection::vec(put(), 1..if cfg!(miri) { 20 } else { 150 })
}

/// Portions of a channel, at least one of which moves data.
fn portions() -> impl Strategy<Value = Vec<Option<usize>>> {
    let portion = prop_oneof![
        2 => Just(None),
        2 => (1..20_usize).prop_map(Some),
        2 => (1..5000_usize).prop_map(Some),
        3 => (1..200_000_usize).prop_map(Some),
    ];
    // No cycle is so short of data that a test takes long.
    prop::collection::vec(portion, 1..8).prop_map(|mut portions| {
        portions.push(Some(3000));
        portions
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Properties 1, 5 and 9: what arrives is what was put, whatever the channel does.
    #[test]
    fn everything_arrives_in_order(operations in puts(), portions in portions()) {
        writing::check(&operations, &portions, None, &memory());
    }

    /// Property 4: a failure at any byte is counted exactly and stays.
    #[test]
    fn a_failure_is_exact_and_final(
        operations in puts(),
        portions in portions(),
        fails_at in 0..100_000_usize,
    ) {
        writing::check(&operations, &portions, Some(fails_at), &memory());
    }

    /// Property 2: copied data is flushed once per full buffer.
    #[test]
    fn copied_data_is_flushed_per_full_buffer(
        lens in prop::collection::vec(prop_oneof![0..100_usize, 0..70_000_usize], 1..12),
    ) {
        let data = vec![1; 70_000];
        let mut channel = crate::channels::Recorder::default();
        let mut writer = FileWriter::new(&mut channel).unwrap();
        for len in &lens {
            writer.put_buffer(&data[..*len]).unwrap();
        }
        let total: usize = lens.iter().sum();
        prop_assert_eq!(writer.channel().calls.len(), total / BUFFER_SIZE);
        prop_assert_eq!(writer.pending(), (total % BUFFER_SIZE) as u64);
        writer.close().unwrap();
    }

    /// Property 6.
    #[test]
    fn the_rate_is_exceeded_above_the_limit(limit in 0..200_u64, lens in prop::collection::vec(0..50_u64, 0..10)) {
        let mut writer = FileWriter::new(Vec::new()).unwrap();
        writer.rate_mut().set_limit(limit);
        let mut used = 0;
        for len in lens {
            writer.put_buffer(&vec![0; len as usize]).unwrap();
            used += len;
            prop_assert_eq!(writer.is_rate_exceeded(), used > limit && limit > 0);
        }
        writer.close().unwrap();
    }
}

fn get() -> impl Strategy<Value = Get> {
    let len = || prop_oneof![0..100_usize, 0..BUFFER_SIZE + 1, Just(32767), Just(BUFFER_SIZE)];
    prop_oneof![
        2 => Just(Get::Byte),
        1 => Just(Get::Be32),
        2 => Just(Get::Be64),
        2 => (0..50_000_usize).prop_map(Get::Buffer),
        2 => (0..50_000_usize).prop_map(Get::Exact),
        1 => len().prop_map(Get::Slice),
        1 => len().prop_map(Get::InPlace),
        4 => (len(), len()).prop_map(|(len, offset)| Get::Peek(len, offset)),
        1 => (0..50_000_usize).prop_map(Get::Skip),
        1 => Just(Get::Counted),
        1 => Just(Get::AtEnd),
        1 => any::<u8>().prop_map(Get::Integer),
        1 => prop::collection::vec(0..20_000_usize, 0..5).prop_map(Get::Segments),
        2 => (0..50_000_usize, 1..9000_usize, prop::option::of(0..50_000_usize))
            .prop_map(|(len, piece, fault)| Get::Iter(len, piece, fault)),
        1 => len().prop_map(Get::PeekByte),
        1 => len().prop_map(Get::SkipBuffered),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Properties 3, 5 and 7: any way of reading gives the same bytes, and looking ahead changes
    /// nothing.
    #[test]
    fn reading_gives_the_bytes(
        operations in prop::collection::vec(get(), 1..40),
        sizes in prop::collection::vec(1..40_000_usize, 1..6),
        len in 0..MEMORY,
    ) {
        let portions: Vec<_> = sizes.into_iter().map(Some).collect();
        reading::check(&operations, &portions, &memory()[..len]);
    }

    /// Blocking at any place consumes nothing that is not delivered.
    #[test]
    fn blocking_loses_nothing(
        operations in prop::collection::vec(get(), 1..30),
        portions in portions(),
        len in 0..MEMORY,
    ) {
        reading::check(&operations, &portions, &memory()[..len]);
    }

    /// A failure at any byte: everything before it is delivered, and nothing else.
    #[test]
    fn a_failed_read_delivers_what_came(
        sizes in prop::collection::vec(1..9000_usize, 1..6),
        fails_at in 0..MEMORY,
        step in 1..5000_usize,
    ) {
        let portions: Vec<_> = sizes.into_iter().map(Some).collect();
        reading::check_failure(step, &portions, fails_at, &memory());
    }
}
