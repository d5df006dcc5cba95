//! A TLS connection on several threads: what TLS itself has to say while others read and write.
#![cfg(any(feature = "platform-roots", feature = "bundled-roots"))] // which bring a crypto provider
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;

use common::net::{in_time, listen, patient, read_to_end};
use common::pair::{PING, PONG, TEXT, close_to, frame_to, parse_frames, timeless};
use fullduplex::blocking::{Error, Reader, Sender, WebSocket, Writer};
use fullduplex::{CloseCode, Connection, Inbox, MaskKeys, Message, Role};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls::{StreamOwned, SupportedProtocolVersion};

type Parts = (Reader, Sender, Writer);
type Peer = StreamOwned<ClientConnection, TcpStream>;

static VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

/// Both ends of a TLS connection over TCP, with the handshake still to come.
fn streams(
    version: &'static SupportedProtocolVersion,
) -> (Peer, StreamOwned<ServerConnection, TcpStream>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let serving = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(trusting), name).unwrap();
    let server = ServerConnection::new(Arc::new(serving)).unwrap();
    let (listener, address) = listen();
    let socket = TcpStream::connect(address).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    (
        StreamOwned::new(client, patient(socket)),
        StreamOwned::new(server, accepted),
    )
}

/// Our server, split, and a TLS client that says what a test tells it.
fn server(version: &'static SupportedProtocolVersion) -> (Parts, Peer) {
    let (mut client, server) = streams(version);
    let connection = Connection::server(&timeless());
    let splitting = thread::spawn(|| {
        WebSocket::new(server, connection, Inbox::new())
            .split()
            .unwrap()
    });
    client.flush().unwrap(); // shakes hands
    (splitting.join().unwrap(), client)
}

fn read_frame(peer: &mut Peer) -> (u8, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
        if let Some(frame) = parse_frames(&bytes).0.pop() {
            return (frame.first, frame.payload);
        }
    }
}

/// Both roles over both versions of TLS: messages, Pings and the end, with a `close_notify`.
#[test]
fn tls_connections_are_split() {
    for version in VERSIONS {
        let (client, server) = streams(version);
        let keys = MaskKeys::seeded([3; 32]);
        let connection = Connection::client(&timeless(), keys);
        let client = thread::spawn(|| {
            let (mut reader, sender, writer) = WebSocket::new(client, connection, Inbox::new())
                .split()
                .unwrap();
            let writing = thread::spawn(|| writer.run());
            sender.send(vec![7; 300_000]).unwrap();
            assert_eq!(
                reader.recv().unwrap(),
                Some(Message::binary(vec![8; 300_000]))
            );
            sender.close(CloseCode::NORMAL, "done").unwrap();
            assert_eq!(reader.recv().unwrap(), None);
            writing.join().unwrap()
        });
        let connection = Connection::server(&timeless());
        let (mut reader, sender, writer) = WebSocket::new(server, connection, Inbox::new())
            .split()
            .unwrap();
        let writing = thread::spawn(|| writer.run());
        let server = in_time(move || {
            assert_eq!(
                reader.recv().unwrap(),
                Some(Message::binary(vec![7; 300_000]))
            );
            sender.send(vec![8; 300_000]).unwrap();
            assert_eq!(reader.recv().unwrap(), None);
            writing.join().unwrap()
        });
        let client = in_time(|| client.join().unwrap());
        assert!(server.clean && client.clean, "{server}, {client}");
        assert_eq!(server.reason(), "done");
    }
}

/// A server that ends says so in TLS, too: the client can tell that nothing was cut off.
#[test]
fn the_writer_ends_tls() {
    for version in VERSIONS {
        let ((mut reader, _sender, writer), mut peer) = server(version);
        let writing = thread::spawn(|| writer.run());
        peer.write_all(&close_to(Role::Server, 1000, "")).unwrap();
        assert_eq!(reader.recv().unwrap(), None);
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).unwrap(); // an error without close_notify
        assert_eq!(bytes, [0x88, 2, 3, 0xe8]);
        assert!(writing.join().unwrap().clean);
    }
}

/// T1: TCP that ends without TLS having ended may have been cut by an attacker.
#[test]
fn truncation_is_an_error() {
    for version in VERSIONS {
        let ((mut reader, _sender, writer), mut peer) = server(version);
        let writing = thread::spawn(|| writer.run());
        peer.write_all(&frame_to(Role::Server, TEXT, b"all?"))
            .unwrap();
        peer.sock.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.recv().unwrap(), Some(Message::text("all?")));
        let Err(Error::Io(error)) = reader.recv() else {
            panic!("it was not noticed");
        };
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(!writing.join().unwrap().clean);
    }
}

/// Bytes that are no TLS end the connection, and the alert that says why is written by the Writer.
#[test]
fn what_is_not_tls_gets_its_alert() {
    for version in VERSIONS {
        let ((mut reader, _sender, writer), mut peer) = server(version);
        let writing = thread::spawn(|| writer.run());
        peer.write_all(&frame_to(Role::Server, PING, b"")).unwrap();
        let reading = thread::spawn(move || reader.recv());
        assert_eq!(read_frame(&mut peer).0, PONG);
        peer.sock.write_all(&[0x17, 3, 3, 0, 40]).unwrap();
        peer.sock.write_all(&[0; 40]).unwrap(); // nobody has the keys for this
        let Err(Error::Io(error)) = in_time(|| reading.join().unwrap()) else {
            panic!("it was not noticed");
        };
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(!in_time(|| writing.join().unwrap()).clean);
        let alert = peer.read(&mut [0; 10]).unwrap_err();
        assert!(alert.to_string().contains("BadRecordMac"), "{alert}");
        assert_eq!(read_to_end(&mut peer.sock), b"");
    }
}

/// The peer may change its keys, and ask for ours to be changed, at any time.
#[test]
fn keys_are_updated_meanwhile() {
    let ((mut reader, sender, writer), mut peer) = server(&rustls::version::TLS13);
    let writing = thread::spawn(|| writer.run());
    let reading = thread::spawn(move || while reader.recv().unwrap().is_some() {});
    for number in 0..10 {
        peer.conn.refresh_traffic_keys().unwrap();
        peer.write_all(&frame_to(Role::Server, PING, &[number]))
            .unwrap();
        assert_eq!(read_frame(&mut peer), (PONG, vec![number]));
        sender.send(format!("{number}")).unwrap();
        assert_eq!(read_frame(&mut peer).1, number.to_string().as_bytes());
    }
    peer.write_all(&close_to(Role::Server, 1000, "")).unwrap();
    reading.join().unwrap();
    assert!(writing.join().unwrap().clean);
}
