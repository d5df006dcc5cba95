//! Blocking sockets, read timeouts and non-blocking sockets: what waits, for how long, and what
//! happens when both ends have a lot to say.
#![cfg(feature = "std")]
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
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use common::net::{self, SHORT, in_time, listen, open};
use common::pair::{BINARY, PING, PONG, ROLES, TEXT, close_to, frame_to, parse_frames, timeless};
use fullduplex::blocking::{self, Accepting, Connecting, Error, Incoming, WebSocket};
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::{Acceptance, Options};
use fullduplex::handshake::{OriginPolicy, Step};
use fullduplex::{CloseCode, Event, Message, Role};

type Socket = WebSocket<TcpStream>;

/// A message that comes bit by bit, with read timeouts between the bits, comes whole.
#[test]
fn read_timeouts_lose_nothing() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &timeless());
        socket.set_read_timeout(Some(Duration::from_millis(5)));
        let mut frames = frame_to(role, TEXT, b"hello");
        frames.extend(frame_to(role, BINARY, &[7; 200]));
        let mut messages = Vec::new();
        for bits in frames.chunks(9) {
            peer.write_all(bits).unwrap();
            loop {
                match socket.recv() {
                    Ok(message) => messages.push(message.unwrap()),
                    Err(error) => {
                        assert!(error.is_would_block(), "{error:?}");
                        break;
                    }
                }
            }
        }
        assert_eq!(
            messages,
            [Message::text("hello"), Message::binary(vec![7; 200])]
        );
        // A timeout that is taken back is none.
        socket.set_read_timeout(None);
        let peer = thread::spawn(move || {
            thread::sleep(SHORT);
            peer.write_all(&frame_to(role, TEXT, b"late")).unwrap();
            peer
        });
        assert_eq!(socket.recv().unwrap(), Some(Message::text("late")));
        peer.join().unwrap();
    }
}

/// The read timeout bounds writing, too, and the wait for the peer to end the stream.
#[test]
fn read_timeouts_bound_all_that_reading_does() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &timeless());
        socket.feed(vec![1; 64 << 20]).unwrap(); // far more than a socket buffers
        peer.write_all(&frame_to(role, TEXT, b"hello")).unwrap();
        peer.write_all(&close_to(role, 1000, "")).unwrap();
        let socket = in_time(move || {
            socket.set_read_timeout(Some(SHORT));
            while socket.recv().is_err() {}
            for _ in 0..3 {
                assert!(socket.recv().unwrap_err().is_would_block());
            }
            socket
        });
        drop((socket, peer));
    }
}

/// The timeouts of a stream count as ours, and come back with it.
#[test]
fn timeouts_of_the_stream_are_kept() {
    let (listener, address) = listen();
    let client = thread::spawn(move || {
        let stream = TcpStream::connect(address).unwrap();
        let request = Request::new("ws://example.com/").unwrap();
        blocking::connect_over(stream, request, &timeless()).unwrap()
    });
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(SHORT)).unwrap();
    stream.set_write_timeout(Some(SHORT)).unwrap();
    let timeouts = |stream: &TcpStream| {
        let (read, write) = (stream.read_timeout(), stream.write_timeout());
        (read.unwrap(), write.unwrap())
    };
    let before = timeouts(&stream);
    let options = Options::new(OriginPolicy::any()); // with the default deadlines
    let mut socket = blocking::accept_tcp(stream, &options).unwrap();
    let client = client.join().unwrap();
    let socket = in_time(move || {
        assert!(socket.recv().unwrap_err().is_would_block());
        assert!(socket.send(vec![0; 64 << 20]).unwrap_err().is_would_block());
        socket
    });
    let (stream, _, _) = socket.into_parts();
    assert_eq!(timeouts(&stream), before);
    drop(client);
}

fn accept_step_by_step(stream: TcpStream) -> Socket {
    stream.set_nonblocking(true).unwrap();
    let options = Options::new(OriginPolicy::any());
    let mut accepting = Accepting::tcp(stream, &options).unwrap();
    loop {
        match accepting.advance().unwrap() {
            Step::Done(Incoming::Upgrade(upgrade)) => {
                return upgrade.accept(Acceptance::new()).unwrap();
            }
            Step::Done(Incoming::Http(_)) => panic!("no WebSocket"),
            Step::Continue(again) => accepting = again,
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sockets that do not block do all the same things; who drives them waits elsewhere.
#[test]
fn non_blocking_sockets_work() {
    let (listener, address) = listen();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut socket = accept_step_by_step(stream);
        let mut waits = 0;
        loop {
            match socket.recv() {
                Ok(Some(message)) => socket.feed(message).unwrap(),
                Ok(None) => return (socket.outcome().unwrap(), waits),
                Err(error) => {
                    assert!(error.is_would_block(), "{error:?}");
                    waits += 1;
                    thread::sleep(Duration::from_micros(200));
                }
            }
        }
    });
    let (outcome, theirs, waits) = in_time(move || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        let request = Request::new(&format!("ws://{address}/")).unwrap();
        let mut connecting = Connecting::new(stream, request, &timeless());
        let mut socket = loop {
            match connecting.advance().unwrap() {
                Step::Done(connected) => break connected.socket,
                Step::Continue(again) => connecting = again,
            }
            thread::sleep(Duration::from_millis(1));
        };
        let large = Message::binary((0..=250).cycle().take(16 << 20).collect::<Vec<u8>>());
        socket.feed(large.clone()).unwrap();
        loop {
            match socket.recv() {
                Ok(message) => break assert!(message.unwrap() == large),
                Err(error) => assert!(error.is_would_block(), "{error:?}"),
            }
            thread::sleep(Duration::from_micros(200));
        }
        let outcome = loop {
            match socket.close(CloseCode::NORMAL, "") {
                Ok(outcome) => break outcome,
                Err(error) => assert!(error.is_would_block(), "{error:?}"),
            }
            thread::sleep(Duration::from_millis(1));
        };
        let (theirs, waits) = server.join().unwrap();
        (outcome, theirs, waits)
    });
    assert!(outcome.clean && theirs.clean);
    assert!(waits > 0, "it never had to wait");
}

/// What each of two ends sends that say a lot at once.
const FLOOD: usize = 600;
const SIZE: usize = 50_000;

fn flood(mut socket: Socket) -> Socket {
    let (mut fed, mut received) = (0, 0);
    while fed < FLOOD || received < FLOOD {
        while fed < FLOOD && !socket.connection().is_full() {
            socket
                .feed(vec![u8::try_from(fed % 256).unwrap(); SIZE])
                .unwrap();
            fed += 1;
        }
        if received == FLOOD {
            socket.flush().unwrap();
            continue;
        }
        let message = socket.recv().unwrap().unwrap();
        assert_eq!(message.len(), SIZE);
        assert_eq!(
            message.as_bytes()[SIZE / 2],
            u8::try_from(received % 256).unwrap()
        );
        received += 1;
    }
    socket.flush().unwrap();
    socket
}

/// Two ends that both have far more to write than fits the sockets do not wait for each other for
/// ever: who waits to write also reads.
#[test]
fn two_floods_do_not_deadlock() {
    let (client, server) = net::pair(&timeless(), &timeless());
    let (mut client, mut server) = in_time(move || {
        let other = thread::spawn(move || flood(server));
        (flood(client), other.join().unwrap())
    });
    let other = thread::spawn(move || server.recv().unwrap());
    assert!(client.close(CloseCode::NORMAL, "").unwrap().clean);
    assert_eq!(other.join().unwrap(), None);
}

/// The same with Pings and their answers.
#[test]
fn two_floods_of_pings_do_not_deadlock() {
    let (client, server) = net::pair(&timeless(), &timeless());
    let ping = |mut socket: Socket| {
        for number in 0..15_000_u32 {
            let payload = [&number.to_be_bytes()[..], &[0; 100]].concat();
            while socket.connection().is_full() {
                socket.set_read_timeout(Some(Duration::from_millis(1)));
                match socket.next_event() {
                    Ok(event) => assert!(event.is_some()),
                    Err(error) => assert!(error.is_would_block()),
                }
            }
            socket.connection().ping(&payload).unwrap();
        }
        socket.set_read_timeout(None);
        socket.connection().close(CloseCode::NORMAL, "").unwrap();
        while socket.next_event().unwrap().is_some() {}
        socket.outcome().unwrap()
    };
    let outcomes = in_time(move || {
        let other = thread::spawn(move || ping(server));
        [ping(client), other.join().unwrap()]
    });
    assert!(outcomes.iter().all(|outcome| outcome.clean), "{outcomes:?}");
}

/// A hundred thousand small messages, pipelined.
#[test]
fn many_small_messages_come_back_in_order() {
    let (mut client, mut server) = net::pair(&timeless(), &timeless());
    let echo = thread::spawn(move || {
        while let Some((event, connection)) = server.next_event().unwrap() {
            if let Event::Text(text) = event {
                connection.send_text(&text).unwrap();
            }
            if server.connection().is_full() {
                server.flush().unwrap();
            }
        }
    });
    in_time(move || {
        let (mut sent, mut received) = (0, 0);
        while received < 100_000 {
            while sent < 100_000 && client.connection().queued() < 64 * 1024 {
                client.feed(sent.to_string()).unwrap();
                sent += 1;
            }
            let message = client.recv().unwrap().unwrap();
            assert_eq!(message.as_text(), Some(&*received.to_string()));
            received += 1;
        }
        assert!(client.close(CloseCode::NORMAL, "").unwrap().clean);
        echo.join().unwrap();
    });
}

/// W9: when the application does not read, the adapter does not either, and the peer has to wait.
#[test]
fn who_does_not_read_lets_the_peer_wait() {
    let (mut socket, mut peer) = net::server(&timeless());
    peer.set_nonblocking(true).unwrap();
    let frame = frame_to(Role::Server, BINARY, &[0; 10_000]);
    let mut written = 0;
    let mut blocked = Instant::now();
    while blocked.elapsed() < SHORT {
        match peer.write(&frame[written % frame.len()..]) {
            Ok(count) => (written, blocked) = (written + count, Instant::now()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(written < 64 << 20, "somebody reads");
        socket.send("").unwrap(); // using the connection otherwise does not read
        let _ = peer.read(&mut [0; 1000]).unwrap_or(0);
    }
    assert_eq!(socket.recv().unwrap().unwrap().len(), 10_000);
}

/// What a burst of large messages took is given back once nothing has come for a second.
#[test]
fn a_burst_leaves_no_memory_behind() {
    const MIB: usize = 1 << 20;
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &timeless());
        let peer = thread::spawn(move || {
            peer.write_all(&frame_to(role, BINARY, &vec![0; MIB]))
                .unwrap();
            peer.read_exact(&mut vec![0; MIB]).unwrap();
            peer
        });
        socket.set_read_timeout(Some(Duration::from_millis(1500)));
        let memory = measure(|| {
            let (event, connection) = socket.next_event().unwrap().unwrap();
            let Event::Binary(bytes) = event else {
                panic!("{event:?}")
            };
            connection.send_binary(&bytes).unwrap();
            assert!(socket.recv().unwrap_err().is_would_block());
        });
        assert!(memory.bytes_max > MIB as u64);
        assert!(memory.bytes_current < 8 * 1024, "{role:?}: {memory:?}");
        drop(peer.join().unwrap());
    }
}

/// A Ping of our own is sent at once, and its Pong is an event.
#[test]
fn pings_go_out_and_pongs_are_events() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &timeless());
        socket.ping(b"there?").unwrap();
        let mut bytes = vec![0; if role == Role::Client { 12 } else { 8 }];
        peer.read_exact(&mut bytes).unwrap();
        let (frames, _) = parse_frames(&bytes);
        assert_eq!(
            (frames[0].first, &frames[0].payload[..]),
            (PING, &b"there?"[..])
        );
        peer.write_all(&frame_to(role, PONG, b"there?")).unwrap();
        let (event, _) = socket.next_event().unwrap().unwrap();
        assert!(matches!(event, Event::Pong(b"there?")));
        assert!(matches!(socket.ping(&[0; 126]), Err(Error::Send(_))));
    }
}
