//! Writing to a peer that is gone, in a process that `SIGPIPE` would end.
#![cfg(all(target_os = "linux", feature = "std", not(miri)))]

use std::fs::File;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};

use crate::alone::is_alone;
use iov_iter::KVec;
use iov_iter::file::{ChannelError, Error, FileReader, FileWriter, WriteChannel};
use iov_iter::iov::{Stop, VectoredWrite, View};
use iov_iter::os::io::{Socket, Stream};
use iov_iter::os::{DescriptorChannel, WaitingChannel};

/// Undoes what the standard library does at the start: from now on the signal ends this process.
fn signals_are_not_ignored() {
    // SAFETY: the default action needs no handler.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    assert_ne!(before, libc::SIG_ERR);
}

/// A socket without a peer.
fn closed() -> UnixStream {
    UnixStream::pair().unwrap().0
}

/// A TCP connection whose peer has answered that it is gone.
fn closed_tcp() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    drop(listener.accept().unwrap());
    while std::io::Write::write(&mut &here, b"x").is_ok() {}
    here
}

#[test]
fn vectors_get_an_error() {
    if !is_alone("closed_peers::vectors_get_an_error") {
        return;
    }
    fn broken(transport: &mut impl VectoredWrite<Error = std::io::Error>) {
        let segments = [KVec::from(&b"nobody"[..]), KVec::from(&b"reads"[..])];
        let sent = View::new(&segments).send(transport);
        let Stop::Failed(error) = sent.stop else { panic!("{:?}", sent.stop) };
        assert_eq!((sent.moved, error.kind()), (0, ErrorKind::BrokenPipe));
    }
    let tcp = closed_tcp();
    signals_are_not_ignored();
    broken(&mut Stream(closed()));
    broken(&mut Socket { socket: closed(), flags: libc::MSG_DONTWAIT });
    broken(&mut Stream(&tcp));
    broken(&mut Socket { socket: &tcp, flags: 0 });
    broken(&mut Socket { socket: &tcp, flags: libc::MSG_NOSIGNAL });
}

#[test]
fn files_get_an_error() {
    if !is_alone("closed_peers::files_get_an_error") {
        return;
    }
    fn broken(channel: impl WriteChannel) {
        let error = Error::Write(ChannelError::Os(libc::EPIPE));
        let mut writer = FileWriter::new(channel).unwrap();
        writer.put_be32(1).unwrap();
        writer.put_borrowed(b"nobody reads").unwrap();
        assert_eq!(writer.flush(), Err(error));
        assert_eq!(writer.close(), Err(error));
    }
    let tcp = closed_tcp();
    signals_are_not_ignored();
    broken(closed());
    broken(&mut closed());
    broken(tcp);
    broken(DescriptorChannel::new(closed()));
    broken(WaitingChannel::new(closed()));
    broken(File::from(OwnedFd::from(closed())));
    // The other ways of writing to a file.
    let mut reader = FileReader::new(&b"nobody reads"[..]).unwrap();
    let refused = reader.copy_to(&mut closed(), 12);
    assert_eq!(refused, Err(Error::Write(ChannelError::Os(libc::EPIPE))));
    let mut writer = FileWriter::new(DescriptorChannel::new(closed())).unwrap();
    let refused = writer.put_descriptor(std::io::stdin());
    assert_eq!(refused, Err(Error::Write(ChannelError::Os(libc::EPIPE))));
    writer.close().unwrap_err();
}

#[test]
fn what_is_no_socket_is_still_written() {
    if !is_alone("closed_peers::what_is_no_socket_is_still_written") {
        return;
    }
    signals_are_not_ignored();
    let (mut from, to) = std::io::pipe().unwrap();
    let segments = [KVec::from(&b"pi"[..]), KVec::from(&b"pe"[..])];
    let sent = View::new(&segments).send(&mut Stream(&to));
    assert_eq!(sent.finished().unwrap(), 4);
    let mut writer = FileWriter::new(File::from(OwnedFd::from(to))).unwrap();
    writer.put_be16(7).unwrap();
    writer.close().unwrap();
    let mut bytes = vec![];
    std::io::Read::read_to_end(&mut from, &mut bytes).unwrap();
    assert_eq!(bytes, b"pipe\0\x07");
    // A datagram socket that nobody is connected to is an error of its own.
    let alone = UnixDatagram::unbound().unwrap();
    let sent = View::new(&segments).send(&mut Stream(&alone));
    assert!(matches!(sent.stop, Stop::Failed(error) if error.kind() == ErrorKind::NotConnected));
}
