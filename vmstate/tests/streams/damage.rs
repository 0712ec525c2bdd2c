//! Every cut and every changed byte of small files: a line with the place, or another machine that is
//! read to its end; never a panic, and never without end.

use vmstate::{Discard, Failure};

use crate::data::{multifd, unpacked};
use crate::support::{SHIPPED, read_into};

/// Reads a stream and its channels, and checks that a failure is in one of the files.
fn read(files: &[&[u8]]) -> Result<(), Failure> {
    let [main, channels @ ..] = files else { panic!() };
    let result = read_into(main, channels, &mut Discard);
    match &result {
        Ok(()) => {}
        Err(Failure::Damaged { file, offset, what }) => {
            assert!(*offset <= files[*file].len() as u64, "{what}");
            assert!(!what.contains('\n'), "{what}");
        }
        Err(failure) => panic!("{failure}"),
    }
    result
}

/// Cuts file `which` everywhere in `places`, and changes each byte there.
fn damage(files: &[&[u8]], which: usize, places: impl Iterator<Item = usize>) {
    read(files).unwrap();
    let whole = files[which];
    let mut changed = whole.to_vec();
    for at in places {
        let with = |bytes: &[u8]| {
            let mut files = files.to_vec();
            files[which] = bytes;
            read(&files)
        };
        assert!(with(&whole[..at]).is_err(), "cut at {at} of file {which}");
        changed[at] ^= [0x01, 0x80, 0xff, 0x10][at % 4];
        // What is another machine is read to its end.
        let _ = with(&changed);
        changed[at] = whole[at];
    }
}

#[test]
fn of_a_stream() {
    damage(&[SHIPPED], 0, 0..SHIPPED.len());
    let file = include_bytes!("../data/qemu10-none-uuid.mig");
    damage(&[file], 0, 0..file.len());
}

#[test]
fn of_mapped_memory() {
    let file = unpacked("qemu10-mr.mig");
    // The beginning up to the bitmap, and the end from the last page on.
    let ends = (0..0x90).chain(0x11_9ff0..file.len());
    damage(&[&file], 0, ends);
}

#[test]
fn of_channels() {
    let files = multifd("mfd");
    let [main, one, other] = &files;
    let files: [&[u8]; 3] = [main, one, other];
    damage(&files, 0, 0..main.len());
    // Contents of pages that are not compressed are not looked at.
    damage(&files, 1, 0..3000);
    damage(&files, 2, 0..other.len());
}

#[test]
fn of_compressed_channels() {
    for name in ["mfd-zlib", "mfd-zstd"] {
        let files = multifd(name);
        let [main, one, other] = &files;
        // From the packet with pages on.
        damage(&[main, one, other], 1, 1408..one.len());
    }
}

#[test]
fn of_bitmaps_and_a_package() {
    let stream = unpacked("qemu72-postcopy-bitmaps.mig");
    damage(&[&stream], 0, (0..200).chain(10_700..stream.len()));
}
