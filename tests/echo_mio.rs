//! The example `echo_mio`, run as a program.
#![cfg(all(feature = "std", unix))]
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
use std::time::Duration;

use common::net::{in_time, patient, read_head, read_to_end};
use common::pair::{BINARY, frame_to};
use common::programs::{Echo, example, run, stderr, stdout};
use fullduplex::blocking::{self, WebSocket};
use fullduplex::handshake::client::Request;
use fullduplex::{CloseCode, Config, Message, Role};

fn open(echo: &Echo) -> WebSocket<TcpStream> {
    let request = Request::new(&echo.url()).unwrap();
    blocking::connect_with(request, &Config::default())
        .unwrap()
        .socket
}

/// Connections take turns, in the middle of messages as well: small ones, one that takes many reads
/// and writes, and a frame that comes byte by byte.
#[test]
fn everybody_gets_their_own_messages() {
    let echo = Echo::start("echo_mio", &["--quiet"]);
    let mut slow = open(&echo).into_parts().0;
    let dribble = frame_to(Role::Server, BINARY, b"byte by byte");
    let mut sockets: Vec<_> = (0..5).map(|_| open(&echo)).collect();
    for (round, byte) in dribble.iter().enumerate() {
        slow.write_all(&[*byte]).unwrap();
        for (number, socket) in sockets.iter_mut().enumerate() {
            let length = if round % 8 == number {
                1_000_000
            } else {
                round
            };
            let text = Message::text(format!("{number} says {}", "x".repeat(length)));
            socket.send(text.clone()).unwrap();
            assert_eq!(socket.recv().unwrap(), Some(text));
        }
    }
    let mut answer = [0; 14];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\x82\x0cbyte by byte");
    for mut socket in sockets {
        assert!(socket.close(CloseCode::NORMAL, "done").unwrap().clean);
    }
    assert_eq!(echo.end(), "");
}

/// T3: of a peer that does not read no more is read at some point, others are served all the same,
/// and when it reads it gets everything.
#[test]
fn who_does_not_read_is_not_read_from() {
    let echo = Echo::start("echo_mio", &["--quiet"]);
    let mut other = open(&echo);
    let (mut stream, ..) = open(&echo).into_parts();
    stream
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let message = frame_to(Role::Server, BINARY, &vec![7; 60_000]);
    let (mut sent, mut part) = (0, 0);
    while sent < 4000 {
        match stream.write(&message[part..]) {
            Ok(count) => part += count,
            Err(error) => {
                let full = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                assert!(full.contains(&error.kind()), "{error}");
                break;
            }
        }
        if part == message.len() {
            (sent, part) = (sent + 1, 0);
        }
    }
    assert!(
        sent < 4000,
        "240 MB are not held for a peer that does not read"
    );
    other.send("and me?").unwrap();
    assert_eq!(other.recv().unwrap(), Some(Message::text("and me?")));

    let mut reader = patient(stream.try_clone().unwrap());
    let read = thread::spawn(move || {
        let mut frame = vec![0; 4 + 60_000];
        for _ in 0..=sent {
            reader.read_exact(&mut frame).unwrap();
            assert!(frame.starts_with(b"\x82\x7e\xea\x60\x07") && frame.ends_with(b"\x07"));
        }
    });
    patient(stream.try_clone().unwrap())
        .write_all(&message[part..])
        .unwrap();
    in_time(move || read.join().unwrap());
}

/// Whoever does not ask for a WebSocket, or not properly, is answered and let go of.
#[test]
fn other_requests_are_answered() {
    let mut echo = Echo::start("echo_mio", &[]);
    let page = echo.http("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 426 "), "{page}");
    assert!(page.contains("\r\nUpgrade: websocket\r\n"), "{page}");
    let nonsense = echo.http("nonsense\r\n\r\n");
    assert!(nonsense.starts_with("HTTP/1.1 400 "), "{nonsense}");
    let mut undecided = patient(TcpStream::connect(&echo.address).unwrap());
    undecided.write_all(b"GET / HT").unwrap();
    undecided.shutdown(std::net::Shutdown::Write).unwrap();
    read_to_end(&mut undecided);
    let log = echo.log_lines(2);
    assert!(
        log.iter().all(|line| line.ends_with(": refused")),
        "{log:?}"
    );
}

/// A fault is told with a Close frame, and how each connection ended is logged.
#[test]
fn faults_are_told() {
    let mut echo = Echo::start("echo_mio", &[]);
    let mut bad = open(&echo).into_parts().0;
    bad.write_all(b"\x83\x80\0\0\0\0").unwrap();
    assert!(read_to_end(&mut bad).starts_with(b"\x88"));
    drop(bad);
    assert!(echo.log_lines(1)[0].contains(": failed: "));
    drop(open(&echo));
    assert!(echo.log_lines(1)[0].starts_with("127.0.0.1:"));
    let mut good = open(&echo);
    assert!(good.close(CloseCode::NORMAL, "").unwrap().clean);
    assert!(echo.log_lines(1)[0].contains(": closed by the peer"));
}

/// A client whose request never ends is told so by the deadline of the handshake; nothing but that
/// deadline would wake the server.
#[test]
fn the_handshake_has_a_deadline() {
    let echo = Echo::start("echo_mio", &["--quiet"]);
    let mut stream = patient(TcpStream::connect(&echo.address).unwrap());
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 408 "));
}

/// Ctrl-C says good-bye to everyone, waits for nobody who does not talk, and is a success.
#[test]
fn it_ends_in_good_order() {
    let echo = Echo::start("echo_mio", &["--quiet"]);
    let undecided = TcpStream::connect(&echo.address).unwrap();
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let mut socket = open(&echo);
            thread::spawn(move || {
                assert_eq!(socket.recv().unwrap(), None);
                socket.outcome().unwrap()
            })
        })
        .collect();
    assert_eq!(echo.end(), "");
    for client in clients {
        let outcome = client.join().unwrap();
        assert!(outcome.clean);
        assert_eq!(outcome.code(), CloseCode::GOING_AWAY);
    }
    drop(undecided);
}

#[test]
fn it_explains_what_is_wrong() {
    let echo = Echo::start("echo_mio", &["--quiet"]);
    let try_with = |argument: &str| {
        let mut command = example("echo_mio");
        command.arg(argument);
        run(command, Vec::new())
    };
    for argument in [&*echo.address, "--nonsense", "nowhere"] {
        let output = try_with(argument);
        assert!(!output.status.success() && stderr(&output).contains(argument));
    }
    assert!(stdout(&try_with("--help")).contains("usage: echo_mio [ADDR]"));
}

#[cfg(feature = "deflate")]
#[test]
fn messages_are_compressed() {
    use fullduplex::Config;
    use fullduplex::deflate::{ContextTakeover, Deflate};
    use fullduplex::handshake::client::Request;

    let texts: Vec<String> = (0..20)
        .map(|n| format!("{n} {}", "text ".repeat(n * n)))
        .collect();
    for (argument, takeover) in [
        ("--deflate", ContextTakeover::Off),
        ("--deflate=takeover", ContextTakeover::On),
    ] {
        let echo = Echo::start("echo_mio", &["--quiet", argument]);
        let mut config = Config::default();
        config.deflate = Some(Deflate::new().takeover(takeover));
        let mut sockets: Vec<_> = (0..3)
            .map(|_| {
                let request = Request::new(&echo.url()).unwrap();
                let established = blocking::connect_with(request, &config).unwrap();
                let agreed = established.headers.text("Sec-WebSocket-Extensions");
                assert!(agreed.is_some_and(|agreed| agreed.starts_with("permessage-deflate")));
                established.socket
            })
            .collect();
        for text in &texts {
            for socket in &mut sockets {
                socket.send(Message::text(text.clone())).unwrap();
                assert_eq!(socket.recv().unwrap(), Some(Message::text(text.clone())));
            }
        }
    }
}
