//! The example `broadcast`, run as a program.
#![cfg(all(feature = "tokio", unix))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::net::TcpStream;
use std::thread;

use common::net::patient;
use common::programs::Echo;
use fullduplex::blocking::{self, WebSocket};
use fullduplex::handshake::client::Request;
use fullduplex::{CloseCode, Config, Message};

/// A client that has joined: it hears what is said from now on.
fn join(server: &mut Echo, number: usize) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(&server.address).unwrap();
    join_over(patient(stream), server, number)
}

fn join_over(stream: TcpStream, server: &mut Echo, number: usize) -> WebSocket<TcpStream> {
    let request = Request::new(&server.url()).unwrap();
    let connected = blocking::connect_over(stream, request, &Config::default());
    assert_eq!(server.log_lines(1), [format!("[{number}] opened")]);
    connected.unwrap().socket
}

/// A socket that holds little: Linux would let it grow to tens of megabytes.
fn small_socket(address: &str) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let stream = socket.connect(address.parse().unwrap()).await.unwrap();
        stream.into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    patient(stream)
}

/// Everybody hears everybody else, in order and by kind, and not themselves.
#[test]
fn all_others_get_each_message() {
    let mut server = Echo::start("broadcast", &[]);
    let mut clients: Vec<_> = (1..=3).map(|number| join(&mut server, number)).collect();
    for round in 0..3 {
        let text = Message::text(format!("round {round}"));
        let bytes = Message::binary(vec![7; 300 * (round + 1)]);
        clients[round].send(text.clone()).unwrap();
        clients[round].send(bytes.clone()).unwrap();
        for (number, client) in clients.iter_mut().enumerate() {
            if number != round {
                assert_eq!(client.recv().unwrap(), Some(text.clone()));
                assert_eq!(client.recv().unwrap(), Some(bytes.clone()));
            }
        }
    }
    let mut leaver = clients.remove(0);
    assert!(leaver.close(CloseCode::NORMAL, "").unwrap().clean);
    assert!(server.log_lines(1)[0].starts_with("[1] closed by the peer"));
    clients[0].send("still there?").unwrap();
    let heard = clients[1].recv().unwrap();
    assert_eq!(heard, Some(Message::text("still there?")));
    let rest: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                assert_eq!(client.recv().unwrap(), None);
                client.outcome().unwrap()
            })
        })
        .collect();
    server.end();
    for client in rest {
        assert_eq!(client.join().unwrap().code(), CloseCode::GOING_AWAY);
    }
}

/// T3: a client that does not read holds up nobody, and is told that it was too slow when it reads
/// again, behind what it was sent before.
#[test]
fn slow_clients_are_closed() {
    let mut server = Echo::start("broadcast", &[]);
    let mut speaker = join(&mut server, 1);
    let mut listener = join(&mut server, 2);
    let small = small_socket(&server.address);
    let mut slow = join_over(small, &mut server, 3);
    // More than the sockets, the queue and the messages that are kept for all can hold: 15 MB.
    let message = Message::binary(vec![7; 60_000]);
    for _ in 0..250 / 10 {
        for _ in 0..10 {
            speaker.send(message.clone()).unwrap();
        }
        for _ in 0..10 {
            assert_eq!(listener.recv().unwrap(), Some(message.clone()));
        }
    }
    let mut heard = 0;
    while let Some(next) = slow.recv().unwrap() {
        assert_eq!(next, message);
        heard += 1;
    }
    assert!(heard < 250, "{heard} messages were kept for it");
    let outcome = slow.outcome().unwrap();
    assert!(outcome.clean);
    let close = outcome.received.unwrap();
    assert_eq!(
        (close.code, &*close.reason),
        (CloseCode::POLICY, "too slow")
    );
    assert!(server.log_lines(1)[0].starts_with("[3] too slow, "));
    listener.send("on we go").unwrap();
    assert_eq!(speaker.recv().unwrap(), Some(Message::text("on we go")));
}

/// A message that is too long for everybody is its sender's fault.
#[test]
fn long_messages_are_refused() {
    let mut server = Echo::start("broadcast", &[]);
    let mut good = join(&mut server, 1);
    let mut bad = join(&mut server, 2);
    bad.send(vec![7; 64 * 1024]).unwrap();
    assert_eq!(good.recv().unwrap().unwrap().len(), 64 * 1024);
    bad.send(vec![7; 64 * 1024 + 1]).unwrap();
    assert_eq!(bad.recv().unwrap(), None);
    assert_eq!(bad.outcome().unwrap().code(), CloseCode::TOO_BIG);
    good.close(CloseCode::NORMAL, "").unwrap();
}
