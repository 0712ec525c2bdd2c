//! Vectors over real sockets and files: small buffers, slow readers, peers that close.
//!
//! Miri knows neither buffer sizes of sockets nor `preadv`; what it knows is in `segments.rs`.
#![cfg(all(unix, feature = "std", not(miri)))]

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread;
use std::time::Duration;

use crate::flat::{cut, cut_mut};
use crate::pattern::pattern;
use iov_iter::iov::{CallError, Stop, View};
use iov_iter::os::io::{FileAt, Socket, Stream};
use iov_iter::segment::as_pieces;
use iov_iter::{IovIterSource, KVec};

/// 300 elements, empty ones among them.
const LENGTHS: [usize; 300] = {
    let mut lengths = [0; 300];
    let mut at = 0;
    while at < lengths.len() {
        lengths[at] = at * 37 % 1000;
        at += 1;
    }
    lengths
};
/// Their sum.
const TOTAL: usize = {
    let (mut total, mut at) = (0, 0);
    while at < LENGTHS.len() {
        total += LENGTHS[at];
        at += 1;
    }
    total
};

/// Makes the kernel's buffer of a socket as small as it can be.
fn shrink(socket: &impl AsRawFd, option: libc::c_int) {
    let size: libc::c_int = 1;
    // SAFETY: the option's value is an int.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const size).cast(),
            size_of_val(&size) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

/// A pair whose sender has little room.
fn small_pair() -> (UnixStream, UnixStream) {
    let (sender, receiver) = UnixStream::pair().unwrap();
    shrink(&sender, libc::SO_SNDBUF);
    (sender, receiver)
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let (sender, mut receiver) = small_pair();
    let data = pattern(TOTAL);
    let segments = cut(&data, &LENGTHS);
    let reader = thread::spawn(move || {
        let (mut all, mut part) = (Vec::new(), [0; 700]);
        loop {
            match receiver.read(&mut part).unwrap() {
                0 => break all,
                len => all.extend_from_slice(&part[..len]),
            }
            if all.len() % 7 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let sent = View::new(&segments).send(&mut Stream(&sender));
    assert_eq!(sent.finished().unwrap(), data.len());
    drop(sender);
    assert!(reader.join().unwrap() == data);
}

#[test]
fn a_sender_that_would_block_goes_on_where_it_stopped() {
    let (sender, mut receiver) = small_pair();
    sender.set_nonblocking(true).unwrap();
    let data = pattern(TOTAL);
    let segments = cut(&data, &LENGTHS);
    let mut rest = View::new(&segments);
    let (mut received, mut part, mut stops) = (vec![], [0; 5000], 0);
    while !rest.is_empty() {
        let sent = rest.send(&mut Stream(&sender));
        rest.discard_front(sent.moved);
        match sent.stop {
            Stop::Finished => assert!(rest.is_empty()),
            Stop::WouldBlock => {
                stops += 1;
                let len = receiver.read(&mut part).unwrap();
                received.extend(&part[..len]);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(stops > 3, "the buffer was not small");
    drop(sender);
    receiver.read_to_end(&mut received).unwrap();
    assert!(received == data);
}

#[test]
fn a_peer_that_closes_leaves_the_progress() {
    let (sender, mut receiver) = small_pair();
    let data = pattern(TOTAL);
    let segments = cut(&data, &LENGTHS);
    let reader = thread::spawn(move || {
        let mut some = [0; 6000];
        receiver.read_exact(&mut some).unwrap();
        some
    });
    let sent = View::new(&segments).send(&mut Stream(&sender));
    let Stop::Failed(error) = sent.stop else { panic!("{:?}", sent.stop) };
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
    assert!(sent.moved >= 6000 && sent.moved < data.len(), "{} bytes", sent.moved);
    assert!(reader.join().unwrap() == data[..6000]);
}

#[test]
fn receiving_ends_with_the_stream() {
    let (mut sender, receiver) = UnixStream::pair().unwrap();
    let data = pattern(TOTAL);
    let half = data.len() / 2;
    let first = data[..half].to_vec();
    let writer = thread::spawn(move || {
        for part in first.chunks(999) {
            sender.write_all(part).unwrap();
        }
    });
    let mut memory = vec![0xff; data.len()];
    let segments = cut_mut(&mut memory, &LENGTHS);
    let received = View::new(&segments).receive(&mut Stream(&receiver));
    assert!(matches!(received.stop, Stop::Closed));
    assert_eq!(received.moved, half);
    writer.join().unwrap();
    assert!(memory[..half] == data[..half]);
    assert!(memory[half..].iter().all(|byte| *byte == 0xff));
}

#[test]
fn flags_reach_the_socket() {
    let (sender, receiver) = small_pair();
    let mut memory = [0; 8];
    let segments = [KVec::from(&mut memory[..])];
    let into = View::new(&segments);
    // The sockets block; the calls do not.
    let mut waiting = Socket { socket: &receiver, flags: libc::MSG_DONTWAIT };
    let received = into.receive(&mut waiting);
    assert!(matches!(received.stop, Stop::WouldBlock));
    let data = pattern(TOTAL);
    let from = cut(&data, &LENGTHS);
    let mut waiting = Socket { socket: &sender, flags: libc::MSG_DONTWAIT };
    let sent = View::new(&from).send(&mut waiting);
    assert!(matches!(sent.stop, Stop::WouldBlock));
    // What is peeked at comes again.
    let peeking = Socket { socket: &receiver, flags: libc::MSG_DONTWAIT };
    assert_eq!(peeking.peek(as_pieces(&segments)).unwrap(), 8);
    assert_eq!(into.receive(&mut Stream(&receiver)).finished().unwrap(), 8);
    drop(receiver);
    // Without this flag or an ignored signal the process would end.
    let mut closed = Socket { socket: &sender, flags: libc::MSG_NOSIGNAL };
    let refused = View::new(&from).send(&mut closed);
    assert!(matches!(refused.stop, Stop::Failed(error) if error.kind() != ErrorKind::WouldBlock));
    assert_eq!(memory, data[..8]);
}

/// Two sockets of 127.0.0.1, both connected.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (here, listener.accept().unwrap().0)
}

#[cfg(target_os = "linux")]
#[test]
fn flags_with_which_a_count_misleads_are_refused() {
    let (mut sender, receiver) = tcp_pair();
    let datagrams = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    datagrams[0].connect(datagrams[1].local_addr().unwrap()).unwrap();
    datagrams[1].set_nonblocking(true).unwrap();
    sender.write_all(&[7; 4]).unwrap();
    let mut memory = [0; 8];
    let segments = [KVec::from(&mut memory[..])];
    let into = View::new(&segments);
    let from = [KVec::from(&b"lost"[..])];
    // Linux's number: libc does not name it.
    const MSG_PROBE: i32 = 0x10;
    let flags = [
        libc::MSG_TRUNC,
        libc::MSG_PEEK,
        libc::MSG_ERRQUEUE,
        MSG_PROBE,
        libc::MSG_ZEROCOPY,
        1 << 30,
    ];
    for flags in flags.map(|flag| flag | libc::MSG_DONTWAIT) {
        let received = into.receive(&mut Socket { socket: &receiver, flags });
        let sent = View::new(&from).send(&mut Socket { socket: &datagrams[0], flags });
        for transfer in [received, sent] {
            assert_eq!(transfer.moved, 0, "{flags:#x}");
            let Stop::Failed(error) = transfer.stop else { panic!("{:?}", transfer.stop) };
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
    // Neither was a byte sent, nor are those lost that had come.
    assert_eq!(datagrams[1].recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(Socket { socket: &receiver, flags: 0 }.peek(as_pieces(&segments)).unwrap(), 4);
    drop(sender);
    assert_eq!(into.receive(&mut Stream(&receiver)).moved, 4);
    assert_eq!(memory, [7, 7, 7, 7, 0, 0, 0, 0]);
}

#[test]
fn vectors_go_both_ways_over_tcp() {
    let (here, there) = tcp_pair();
    shrink(&here, libc::SO_SNDBUF);
    shrink(&there, libc::SO_RCVBUF);
    let echo = thread::spawn(move || {
        let mut memory = vec![0; 5000];
        let segments = cut_mut(&mut memory, &[1; 5000]);
        // As many as a call takes, again and again.
        let received = View::new(&segments).receive(&mut Stream(&there));
        drop(segments);
        let segments = cut(&memory, &[250; 20]);
        let sent = View::new(&segments).send(&mut Stream(&there));
        (received.finished().unwrap(), sent.finished().unwrap())
    });
    let data = &pattern(TOTAL)[..5000];
    let segments = cut(data, &[100; 50]);
    assert_eq!(View::new(&segments).send(&mut Stream(&here)).finished().unwrap(), 5000);
    let mut back = vec![0; 4998];
    let segments = cut_mut(&mut back, &[3; 1666]);
    let received = View::new(&segments).receive(&mut Stream(&here));
    assert_eq!(received.finished().unwrap(), 4998);
    assert_eq!(echo.join().unwrap(), (5000, 5000));
    assert!(back == data[..4998]);
}

#[test]
fn a_datagram_of_many_pieces_is_one() {
    let data = pattern(TOTAL);
    let [hundred, with_empty, most] =
        [vec![3; 100], [vec![3; 60], vec![0], vec![3; 40]].concat(), vec![3; 1024]];
    for (lengths, skip) in
        [(&hundred, 1), (&hundred, 0), (&with_empty, 0), (&with_empty, 2), (&most, 0), (&most, 1)]
    {
        let segments = cut(&data, lengths);
        let view = View::new(&segments);
        let view = view.slice(skip, view.len() - skip).unwrap();
        let expected = &data[skip..skip + view.len()];
        let (here, there) = UnixDatagram::pair().unwrap();
        assert_eq!(view.send(&mut Stream(&here)).finished().unwrap(), expected.len());
        assert_eq!(
            view.send(&mut Socket { socket: &here, flags: 0 }).finished().unwrap(),
            expected.len()
        );
        for _ in 0..2 {
            let mut received = vec![0; 4000];
            let len = there.recv(&mut received).unwrap();
            assert!(received[..len] == *expected, "{len} bytes of {}", expected.len());
        }
    }
    // A call takes no more.
    let segments = cut(&data, &[3; 1025]);
    let (here, there) = UnixDatagram::pair().unwrap();
    assert_eq!(View::new(&segments).send(&mut Stream(&here)).finished().unwrap(), 3075);
    assert_eq!([(); 2].map(|()| there.recv(&mut [0; 4000]).unwrap()), [3072, 3]);
}

#[test]
fn one_datagram_at_a_time_is_received() {
    let data = pattern(TOTAL);
    let (here, there) = UnixDatagram::pair().unwrap();
    there.set_nonblocking(true).unwrap();
    let mut memory = [0xff; 400];
    let segments = cut_mut(&mut memory, &[[3; 60].as_slice(), &[0], &[3; 70]].concat());
    let into = View::new(&segments).slice(1, 389).unwrap();
    let (mut stream, mut socket) = (Stream(&there), Socket { socket: &there, flags: 0 });
    assert!(matches!(into.receive_once(&mut stream), Err(CallError::WouldBlock)));
    for len in [380, 10, 370, 0, 5, 7] {
        here.send(&data[..len]).unwrap();
    }
    assert_eq!(into.receive_once(&mut stream).unwrap(), 380);
    assert_eq!(into.receive_once(&mut socket).unwrap(), 10);
    assert_eq!(into.receive_once(&mut socket).unwrap(), 370);
    assert_eq!(into.receive_once(&mut stream).unwrap(), 0);
    assert_eq!(View::new(&segments[..0]).receive_once(&mut stream).unwrap(), 0);
    // Without a border between them.
    let both = into.receive(&mut stream);
    assert!(matches!((both.moved, both.stop), (12, Stop::WouldBlock)));
    drop(segments);
    let expected = [&data[..5], &data[..7], &data[12..380]].concat();
    assert!(memory[1..381] == expected && memory[381..] == [0xff; 19] && memory[0] == 0xff);
}

#[test]
fn what_ends_a_transfer_is_an_error_of_std() {
    let (here, there) = UnixStream::pair().unwrap();
    there.set_nonblocking(true).unwrap();
    let mut space = [0; 4];
    let segments = [KVec::from(&mut space[..])];
    let into = View::new(&segments);
    let received =
        || std::io::Error::from(into.receive(&mut Stream(&there)).finished().unwrap_err());
    assert_eq!(received().kind(), ErrorKind::WouldBlock);
    let once = std::io::Error::from(into.receive_once(&mut Stream(&there)).unwrap_err());
    assert_eq!(once.kind(), ErrorKind::WouldBlock);
    drop(here);
    assert_eq!(received().kind(), ErrorKind::UnexpectedEof);
    let from = [KVec::from(&b"lost"[..])];
    let sent = View::new(&from).send(&mut Stream(&there)).finished().unwrap_err();
    assert_eq!(std::io::Error::from(sent).raw_os_error(), Some(libc::EPIPE));
    let mut iter = IovIterSource::from(&from);
    let sent = iter.send(&mut Stream(&there)).finished().unwrap_err();
    assert_eq!(std::io::Error::from(sent).raw_os_error(), Some(libc::EPIPE));
}

#[test]
fn packets_that_are_sent_once_are_not_merged() {
    let data = pattern(TOTAL);
    let (here, there) = UnixDatagram::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    let segments = cut(&data[..190], &[[1; 70].as_slice(), &[0], &[2; 60]].concat());
    let view = View::new(&segments);
    let (mut stream, mut socket) = (Stream(&here), Socket { socket: &here, flags: 0 });
    let mut buffer = [0; 200];
    for (offset, len) in [(0, 190), (1, 5), (60, 130), (189, 1)] {
        let packet = view.slice(offset, len).unwrap();
        assert_eq!(packet.send_once(&mut stream).unwrap(), len);
        assert_eq!(packet.send_once(&mut socket).unwrap(), len);
        for _ in 0..2 {
            assert_eq!(there.recv(&mut buffer).unwrap(), len);
            assert_eq!(buffer[..len], data[offset..offset + len]);
        }
    }
    assert_eq!(View::<iov_iter::Source>::default().send_once(&mut stream).unwrap(), 0);
    let full = (0..10_000).find_map(|_| view.send_once(&mut stream).err());
    assert!(matches!(full, Some(CallError::WouldBlock)));
}

/// A file without a name.
fn temporary(name: &str) -> File {
    let path = std::env::temp_dir().join(format!("iov-iter-{name}-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

#[test]
fn a_file_is_written_at_an_offset() {
    let mut file = temporary("offsets");
    let data = pattern(TOTAL);
    let segments = cut(&data, &LENGTHS);
    let mut at = FileAt { file: &file, offset: 1000 };
    let written = View::new(&segments).send(&mut at);
    assert_eq!(written.finished().unwrap(), data.len());
    assert_eq!(at.offset, 1000 + data.len() as u64);
    assert_eq!(file.stream_position().unwrap(), 0);

    let mut memory = vec![0xff; 3000];
    let segments = cut_mut(&mut memory, &[1000, 0, 1, 1999]);
    let mut at = FileAt { file: &file, offset: 500 };
    let read = View::new(&segments).receive(&mut at);
    assert_eq!((read.finished().unwrap(), at.offset), (3000, 3500));
    assert!(memory[..500].iter().all(|byte| *byte == 0));
    assert!(memory[500..] == data[..2500]);
}

#[test]
fn a_short_file_ends_a_read() {
    let mut file = temporary("short");
    file.write_all(b"only this").unwrap();
    let mut memory = [0xff; 12];
    let segments = cut_mut(&mut memory, &[2, 10]);
    let read = View::new(&segments).receive(&mut FileAt { file: &file, offset: 5 });
    assert!(matches!(read.stop, Stop::Closed));
    assert_eq!((read.moved, &memory), (4, b"this\xff\xff\xff\xff\xff\xff\xff\xff"));
    // The position of the file itself is at its end.
    let segments = cut_mut(&mut memory, &[2, 10]);
    let read = View::new(&segments).receive(&mut Stream(&file));
    assert!(matches!((read.moved, read.stop), (0, Stop::Closed)));
}

#[test]
fn an_offset_that_no_file_has() {
    let file = temporary("beyond");
    let segments = [KVec::from(&b"x"[..])];
    let mut at = FileAt { file: &file, offset: u64::MAX };
    let written = View::new(&segments).send(&mut at);
    let Stop::Failed(error) = written.stop else { panic!("{:?}", written.stop) };
    assert_eq!((written.moved, error.kind()), (0, ErrorKind::InvalidInput));
    assert_eq!(at.offset, u64::MAX);
}

#[test]
fn a_file_that_cannot_be_written() {
    let file = File::open("/dev/null").unwrap();
    let segments = [KVec::from(&b"x"[..])];
    let written = View::new(&segments).send(&mut Stream(&file));
    let Stop::Failed(error) = written.stop else { panic!("{:?}", written.stop) };
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
}
