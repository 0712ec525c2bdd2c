//! Pages and scatter entries, taken in any portions, stand for the bytes that a copy gives.

use heapless::Vec as List;
use iov_iter::{Error, HeldPage, Kind, PageRange, PageSegment, ScatterEntry, Source};

use super::model::scene::{P, Scene, Shape};
use super::model::{Iter, TestPage, entry_bytes, held_bytes};

pub fn check(input: &[u8]) {
    let mut input = input.iter().copied();
    let scene = Scene::from_bytes(&mut input, Shape::SOURCES);
    let (memory, buffer, flat) = scene.build();
    let kvecs = memory.sources(&buffer, &flat, &scene);
    let mut iter: Iter<'_, Source, P> = memory.source(&kvecs);
    // A host may hand out fewer pages than it is asked for.
    memory.space.hand_out_at_most(1 + usize::from(input.next().unwrap_or(0)) % 8);
    let mut at = 0;
    while let (Some(what), Some(size), Some(most)) = (input.next(), input.next(), input.next()) {
        let (size, most) = (usize::from(size), usize::from(most) % 10);
        let mut pages = List::<HeldPage<'_, TestPage<P>>, 6>::new();
        let mut entries = List::<ScatterEntry<'_, TestPage<P>>, 6>::new();
        let mut segments = List::<PageSegment, 6>::new();
        let bytes = match what % 5 {
            0 => match iter.get_pages(size, most, &mut pages) {
                Ok(range) => held_bytes(&pages, range),
                Err(error) => {
                    assert_eq!(error, Error::NoPages);
                    assert!(matches!(
                        iter.kind(),
                        Kind::KVec | Kind::Shared | Kind::KVecChain | Kind::SharedChain
                    ));
                    continue;
                }
            },
            1 => {
                let range = iter.extract_pages(size, most, &mut pages).unwrap();
                held_bytes(&pages, range)
            }
            2 => {
                let len = iter.extract_to_scatter_list(size, most, &mut entries).unwrap();
                let bytes: Vec<_> = entries.iter().flat_map(entry_bytes).collect();
                assert_eq!(bytes.len(), len);
                bytes
            }
            3 => {
                let mask = [0, 1, 7][usize::from(what) / 5 % 3];
                match iter.extract_to_segments(size, most, mask, &mut pages, &mut segments) {
                    Ok(len) => {
                        assert_eq!(segments.iter().map(|segment| segment.len).sum::<usize>(), len);
                        let of = |segment: &PageSegment| {
                            let held = &pages[segment.first..][..segment.pages];
                            held_bytes(held, PageRange::new(segment.offset, segment.len))
                        };
                        segments.iter().flat_map(of).collect::<Vec<_>>()
                    }
                    Err(error) => {
                        assert_eq!((error, mask > 0), (Error::Misaligned, true));
                        continue;
                    }
                }
            }
            _ => {
                at -= size.min(at);
                iter.restore(&memory.source(&kvecs).save()).unwrap();
                iter.advance(at);
                continue;
            }
        };
        let possible = size.min(flat.count - at);
        assert!(bytes.len() <= possible);
        // Where there is something to take and room for it, something is taken.
        assert_eq!(bytes.is_empty(), possible == 0 || most == 0);
        let copied = flat.bytes[at..at + bytes.len()].iter().map(|byte| byte.value.unwrap());
        assert!(bytes.iter().copied().eq(copied));
        at += bytes.len();
        assert_eq!(iter.remaining(), flat.count - at);
        drop((pages, entries));
        assert_eq!(memory.held(), (0, 0));
    }
}
