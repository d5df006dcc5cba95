//! An open WebSocket over TLS: what becomes of a stream that TLS finds fault with, and deadlines.
#![cfg(all(
    feature = "rustls",
    any(feature = "platform-roots", feature = "bundled-roots")
))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;

use common::net::{SHORT, in_time};
use common::pair::timeless;
use common::tls::{TlsStream, agree, connect, echo, open, server, trusting, with_config};
use fullduplex::blocking;
use fullduplex::handshake::{OriginPolicy, server::Options};
use fullduplex::{CloseCode, Error, Keepalive, Message, ReceiveError};
use rustls::AlertDescription;

/// R6455-4.1-06 and R6455-4.2.2-01: TLS first, and everything inside of it.
#[test]
fn a_websocket_over_tls() {
    let (authority, address, serving) = server(echo);
    let url = format!("wss://localhost:{}/", address.port());
    let mut socket = connect(&url, &trusting(&authority)).unwrap().socket;
    let session = socket.stream().tls().expect("a session");
    assert!(session.peer_certificates().is_some());
    for message in [
        Message::text("hello"),
        Message::binary(vec![7; 300_000]),
        Message::binary(vec![8; 3_000_000]),
    ] {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.recv().unwrap(), Some(message));
    }
    assert!(socket.stream().tcp().nodelay().unwrap());
    let outcome = socket.close(CloseCode::NORMAL, "bye").unwrap();
    assert!(outcome.clean, "{outcome:?}");
    serving.join().unwrap();
}

/// T1: a stream that ends without the peer's word is an error: anybody may have cut it off.
#[test]
fn truncation_is_an_error() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.write_all(b"\x81\x02hi\x81\x05hal").unwrap();
        stream.sock.shutdown(Shutdown::Both).unwrap();
    });
    let mut socket = open(&trusting(&authority), address);
    assert_eq!(socket.recv().unwrap(), Some(Message::text("hi")));
    match socket.recv() {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    let outcome = socket.outcome().unwrap();
    assert!(!outcome.clean);
    assert_eq!(outcome.received, None, "1006 for who asks");
    serving.join().unwrap();
}

/// An end of TLS in good order is still no closing handshake.
#[test]
fn the_end_of_tls_does_not_close_a_websocket() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        stream
    });
    let mut socket = open(&trusting(&authority), address);
    let error = socket.recv().unwrap_err();
    assert!(
        matches!(error, Error::Receive(ReceiveError::UnexpectedEof)),
        "{error:?}"
    );
    assert!(!socket.outcome().unwrap().clean);
    drop(serving.join().unwrap());
}

/// T1: after the closing handshake nothing is left that could be cut off.
#[test]
fn truncation_after_the_closing_handshake_is_clean() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.write_all(b"\x88\x02\x03\xe8").unwrap();
        stream.flush().unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).unwrap();
        stream.sock.shutdown(Shutdown::Both).unwrap();
        answer
    });
    let mut socket = open(&trusting(&authority), address);
    assert_eq!(socket.recv().unwrap(), None);
    assert!(socket.outcome().unwrap().clean);
    assert_eq!(serving.join().unwrap()[..2], *b"\x88\x82");
}

/// R6455-7.1.1-01: the client says good-bye in TLS as well.
#[test]
fn the_client_ends_tls_in_good_order() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.write_all(b"\x88\x02\x03\xe8").unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        stream.sock.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map(|_| rest)
    });
    let mut socket = open(&trusting(&authority), address);
    assert_eq!(socket.recv().unwrap(), None);
    drop(socket);
    let rest = serving
        .join()
        .unwrap()
        .expect("close_notify before the end");
    assert_eq!(rest[..2], *b"\x88\x82");
}

/// A record that was changed on the way fails the connection.
#[test]
fn a_forged_record_is_an_error() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        let forged = [&[23, 3, 3, 0, 32][..], &[0x55; 32]].concat();
        stream.sock.write_all(&forged).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_err()
    });
    let mut socket = open(&trusting(&authority), address);
    match socket.recv() {
        Err(Error::Io(error)) => {
            let error = error.get_ref().and_then(|error| error.downcast_ref());
            assert_eq!(error, Some(&rustls::Error::DecryptError));
        }
        other => panic!("{other:?}"),
    }
    let error = serving.join().unwrap();
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    let alert = rustls::Error::AlertReceived(AlertDescription::BadRecordMac);
    assert_eq!(error, Some(&alert));
}

/// The deadlines of a connection hold over TLS, also towards a peer that dribbles a record which
/// never gets whole.
#[test]
fn deadlines_hold_over_tls() {
    let silent: fn(TlsStream) = |mut stream| {
        let _ = stream.sock.read_to_end(&mut Vec::new());
    };
    let dribbling: fn(TlsStream) = |mut stream| {
        let mut result = stream.sock.write_all(&[23, 3, 3, 0x40, 0]);
        while result.is_ok() {
            thread::sleep(SHORT / 20);
            result = stream.sock.write_all(&[0]);
        }
    };
    for act in [silent, dribbling] {
        let answering = move |mut stream: TlsStream| {
            agree(&mut stream);
            act(stream);
        };
        let (authority, address, serving) = server(answering);
        let mut config = timeless();
        config.timeouts.close = Some(SHORT);
        let mut socket = open(&with_config(&authority, config), address);
        let outcome = in_time(move || socket.close(CloseCode::NORMAL, "").unwrap());
        assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));
        serving.join().unwrap();

        let (authority, address, serving) = server(answering);
        let mut config = timeless();
        config.timeouts.keepalive = Some(Keepalive {
            interval: SHORT,
            timeout: SHORT,
        });
        config.timeouts.close = Some(SHORT);
        let mut socket = open(&with_config(&authority, config), address);
        let error = in_time(move || socket.recv().unwrap_err());
        assert!(
            matches!(error, Error::Receive(ReceiveError::KeepaliveTimeout)),
            "{error:?}"
        );
        serving.join().unwrap();

        let (authority, address, serving) = server(answering);
        let mut socket = open(&trusting(&authority), address);
        socket.set_read_timeout(Some(SHORT));
        let (error, socket) = in_time(move || (socket.recv().unwrap_err(), socket));
        assert!(error.is_would_block(), "{error:?}");
        drop(socket);
        serving.join().unwrap();
    }
}

/// Two ends that both write much before they read get it all across.
#[test]
fn both_ends_may_write_much() {
    const COUNT: usize = 40;
    let (authority, address, serving) = server(|stream| {
        let options = Options::new(OriginPolicy::any());
        let mut socket = blocking::accept(stream, &options).unwrap();
        let mut received = 0;
        while let Some(message) = socket.recv().unwrap() {
            received += 1;
            socket.send(message).unwrap();
        }
        received
    });
    let mut socket = open(&trusting(&authority), address);
    let received = in_time(move || {
        let mut received = 0;
        for _ in 0..COUNT {
            socket.feed(vec![5; 100_000]).unwrap();
            while socket.connection().is_full() {
                assert_eq!(socket.recv().unwrap().unwrap().len(), 100_000);
                received += 1;
            }
        }
        while received < COUNT {
            assert_eq!(socket.recv().unwrap().unwrap().len(), 100_000);
            received += 1;
        }
        assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
        received
    });
    assert_eq!((received, serving.join().unwrap()), (COUNT, COUNT));
}

/// What is handed back can be used as any other stream.
#[test]
fn the_stream_can_be_taken_out() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
        stream.flush().unwrap();
    });
    let (mut stream, ..) = open(&trusting(&authority), address).into_parts();
    assert_eq!(stream.tcp().read_timeout().unwrap(), None);
    stream.write_all(b"ping").unwrap();
    stream.flush().unwrap();
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"ping");
    assert!(format!("{stream:?}").starts_with("Tls("));
    serving.join().unwrap();
    let end: io::Result<usize> = stream.read(&mut bytes);
    assert_eq!(end.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}
