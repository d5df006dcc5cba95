//! An open WebSocket over TLS under tokio: what becomes of a stream that TLS finds fault with, and
//! deadlines.
#![cfg(feature = "tokio-rustls")]
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

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;

use common::net::{SHORT, consent};
use common::pair::timeless;
use common::tls::{TlsStream, agree, server, trusting, with_config};
use common::tokio::{connect, in_time};
use fullduplex::tokio::{MaybeTls, WebSocket};
use fullduplex::{CloseCode, ConnectOptions, Error, Keepalive, Message, ReceiveError};
use rustls::AlertDescription;

async fn open(options: &ConnectOptions, address: SocketAddr) -> WebSocket<MaybeTls> {
    let url = format!("wss://localhost:{}/", address.port());
    connect(&url, options).await.unwrap().socket
}

/// What comes in one record with the server's consent is not lost, and what follows is not either.
#[tokio::test]
async fn frames_right_behind_the_consent() {
    let (authority, address, serving) = server(|mut stream| {
        let mut request = [0; 2048];
        let count = stream.read(&mut request).unwrap();
        let head = std::str::from_utf8(&request[..count]).unwrap();
        let early = [consent(head).as_bytes(), b"\x81\x02hi\x81\x05hal"].concat();
        stream.write_all(&early).unwrap();
        stream.write_all(b"lo\x88\x02\x03\xe8").unwrap();
        stream.flush().unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).unwrap();
        stream.sock.shutdown(Shutdown::Both).unwrap();
    });
    let mut socket = open(&trusting(&authority), address).await;
    for expected in ["hi", "hallo"] {
        let received = in_time(socket.recv()).await.unwrap();
        assert_eq!(received, Some(Message::text(expected)));
    }
    assert_eq!(in_time(socket.recv()).await.unwrap(), None);
    // After the closing handshake nothing is left that could be cut off.
    assert!(socket.outcome().unwrap().clean);
    serving.join().unwrap();
}

/// T1: a stream that ends without the peer's word is an error: anybody may have cut it off.
#[tokio::test]
async fn truncation_is_an_error() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.write_all(b"\x81\x02hi\x81\x05hal").unwrap();
        stream.sock.shutdown(Shutdown::Both).unwrap();
    });
    let mut socket = open(&trusting(&authority), address).await;
    let received = in_time(socket.recv()).await.unwrap();
    assert_eq!(received, Some(Message::text("hi")));
    match in_time(socket.recv()).await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
    let outcome = socket.outcome().unwrap();
    assert!(!outcome.clean);
    assert_eq!(outcome.received, None, "1006 for who asks");
    serving.join().unwrap();
}

/// An end of TLS in good order is still no closing handshake.
#[tokio::test]
async fn the_end_of_tls_does_not_close_a_websocket() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        stream
    });
    let mut socket = open(&trusting(&authority), address).await;
    let error = in_time(socket.recv()).await.unwrap_err();
    assert!(
        matches!(error, Error::Receive(ReceiveError::UnexpectedEof)),
        "{error:?}"
    );
    assert!(!socket.outcome().unwrap().clean);
    drop(serving.join().unwrap());
}

/// R6455-7.1.1-01: the client says good-bye in TLS as well.
#[tokio::test]
async fn the_client_ends_tls_in_good_order() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.write_all(b"\x88\x02\x03\xe8").unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        stream.sock.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map(|_| rest)
    });
    let mut socket = open(&trusting(&authority), address).await;
    assert_eq!(in_time(socket.recv()).await.unwrap(), None);
    drop(socket);
    let rest = serving
        .join()
        .unwrap()
        .expect("close_notify before the end");
    assert_eq!(rest[..2], *b"\x88\x82");
}

/// A record that was changed on the way fails the connection.
#[tokio::test]
async fn a_forged_record_is_an_error() {
    let (authority, address, serving) = server(|mut stream| {
        agree(&mut stream);
        stream.read_exact(&mut [0; 8]).unwrap(); // it is open
        let forged = [&[23, 3, 3, 0, 32][..], &[0x55; 32]].concat();
        stream.sock.write_all(&forged).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_err()
    });
    let mut socket = open(&trusting(&authority), address).await;
    socket.send("go").await.unwrap();
    match in_time(socket.recv()).await {
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
#[tokio::test]
async fn deadlines_hold_over_tls() {
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
        let mut socket = open(&with_config(&authority, config.clone()), address).await;
        let outcome = in_time(socket.close(CloseCode::NORMAL, "")).await.unwrap();
        assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));
        drop(socket);
        serving.join().unwrap();

        let (authority, address, serving) = server(answering);
        config.timeouts.keepalive = Some(Keepalive {
            interval: SHORT,
            timeout: SHORT,
        });
        let mut socket = open(&with_config(&authority, config), address).await;
        let error = in_time(socket.recv()).await.unwrap_err();
        assert!(
            matches!(error, Error::Receive(ReceiveError::KeepaliveTimeout)),
            "{error:?}"
        );
        drop(socket);
        serving.join().unwrap();
    }
}
