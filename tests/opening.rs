//! The opening handshake through the blocking adapter, for both roles.
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
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use common::hostile::{After, Fault, Hostile, On, Steps};
use common::net::{REQUEST, SHORT, consent, listen, patient, read_head, read_to_end, respond};
use common::pair::{TEXT, frame_to, timeless};
use fullduplex::blocking::{self, Accepting, Connected, Connecting, Error, Incoming, WebSocket};
use fullduplex::handshake::client::{Rejection, Request};
use fullduplex::handshake::server::{Acceptance, EarlyData, Options, Response};
use fullduplex::handshake::{HandshakeError, OriginPolicy, Step};
use fullduplex::{Config, Message, Role, TlsError};

fn options() -> Options {
    Options::new(OriginPolicy::any()).config(timeless())
}

fn request() -> Request {
    Request::new("ws://example.com/chat").unwrap()
}

/// Goes on with a handshake however often the stream blocks.
fn insist<A, D>(
    mut handshake: A,
    script: &Hostile,
    advance: impl Fn(A) -> Result<Step<A, D>, Error>,
) -> Result<D, Error> {
    for round in 0..10_000 {
        script.state().start();
        let step = advance(handshake);
        assert!(!script.state().is_busy, "a busy loop");
        match step? {
            Step::Done(done) => return Ok(done),
            Step::Continue(again) => handshake = again,
        }
        if round % 5 == 4 && matches!(script.state().steps, Steps::From(_)) {
            script.state().steps = Steps::None;
        }
    }
    panic!("it blocks for ever");
}

fn accept(script: &Hostile, options: &Options) -> Result<WebSocket<Hostile>, Error> {
    let accepting = Accepting::new(script.clone(), options);
    match insist(accepting, script, Accepting::advance)? {
        Incoming::Upgrade(upgrade) => upgrade.accept(Acceptance::new()),
        Incoming::Http(_) => panic!("it asks for a WebSocket"),
    }
}

fn connect(script: &Hostile) -> Result<Connected<Hostile>, Error> {
    let connecting = Connecting::new(script.clone(), request(), &timeless());
    insist(connecting, script, Connecting::advance)
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

/// R6455-4.1-17: until the response is there, the client writes its request and nothing else.
#[test]
fn a_client_waits_for_the_response() {
    let script = Hostile::new(b"", After::Silence);
    let mut connecting = Connecting::new(script.clone(), request(), &timeless());
    for _ in 0..5 {
        let Ok(Step::Continue(again)) = connecting.advance() else {
            panic!("nothing has come");
        };
        connecting = again;
    }
    let output = script.output();
    assert_eq!(head_end(&output), Some(output.len()));
    script.push_input(consent(std::str::from_utf8(&output).unwrap()).as_bytes());
    let Ok(Step::Done(connected)) = connecting.advance() else {
        panic!("the response is there");
    };
    drop(connected);
    assert_eq!(script.output(), output);
}

/// H7, R6455-4.2.2-07: what comes with the request is refused, or if that was chosen it is the
/// client's first frames.
#[test]
fn early_bytes_are_refused_or_frames() {
    let frame = frame_to(Role::Server, TEXT, b"early");
    let early = [REQUEST.as_bytes(), &frame].concat();
    let script = Hostile::new(&early, After::Silence);
    let error = accept(&script, &options()).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::EarlyData)));
    assert!(script.output().starts_with(b"HTTP/1.1 400 "));

    let script = Hostile::new(&early, After::Silence);
    let mut socket = accept(&script, &options().early_data(EarlyData::Accept)).unwrap();
    assert_eq!(socket.recv().unwrap(), Some(Message::text("early")));

    // What comes behind the 101 are frames, whatever was chosen.
    let script = Hostile::new(REQUEST.as_bytes(), After::Silence);
    let mut socket = accept(&script, &options()).unwrap();
    script.push_input(&frame);
    assert_eq!(socket.recv().unwrap(), Some(Message::text("early")));
}

/// What a client gets that sends `bytes` to a server over TCP, and what the server makes of it.
fn refused(bytes: &[u8], config: &Config) -> (String, Error) {
    let (listener, address) = listen();
    let bytes = bytes.to_vec();
    let client = thread::spawn(move || {
        let mut stream = patient(TcpStream::connect(address).unwrap());
        stream.write_all(&bytes).unwrap();
        String::from_utf8(read_to_end(&mut stream)).unwrap()
    });
    let (stream, _) = listener.accept().unwrap();
    let options = options().config(config.clone());
    let error = blocking::accept_tcp(stream, &options).unwrap_err();
    (client.join().unwrap(), error)
}

/// H5, R6455-7.2.2-01: whoever is refused gets one HTTP answer that says so, and then the end of
/// the stream; nothing that follows is read as another request.
#[test]
fn refusals_are_answered_and_closed() {
    let version = REQUEST.replace("Version: 13", "Version: 1337");
    let key = REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", "AAAA");
    let page = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let post = REQUEST.replace("GET", "POST");
    let long = REQUEST.replace(
        "\r\n\r\n",
        &format!("\r\nX: {}\r\n\r\n", "x".repeat(20_000)),
    );
    let smuggled = [&version[..], page].concat();
    let table = [
        (&version[..], 426),
        (&key, 400),
        (page, 426),
        (&post, 405),
        (&long, 431),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400),
        (&smuggled, 426),
    ];
    for (bytes, status) in table {
        let (answer, error) = refused(bytes.as_bytes(), &timeless());
        assert!(matches!(error, Error::Handshake(_)), "{error:?}");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(answer.contains("Connection: close"), "{answer}");
        if status == 426 {
            assert!(answer.contains("Sec-WebSocket-Version: 13\r\n"), "{answer}");
        }
    }
}

/// H12: the deadline is for the whole request, and it is the configuration's.
#[test]
fn a_dribbling_client_is_dropped_at_the_deadline() {
    let (listener, address) = listen();
    let client = thread::spawn(move || {
        let mut stream = patient(TcpStream::connect(address).unwrap());
        let mut reader = stream.try_clone().unwrap();
        let reading = thread::spawn(move || read_to_end(&mut reader));
        for byte in REQUEST.bytes().cycle() {
            if byte != b'\n' && stream.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        reading.join().unwrap()
    });
    let mut config = timeless();
    config.timeouts.handshake = Some(SHORT);
    let (stream, _) = listener.accept().unwrap();
    let error = blocking::accept_tcp(stream, &options().config(config)).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::TimedOut)));
    let answer = client.join().unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        answer.escape_ascii()
    );
}

/// The application decides, and a decision that cannot be carried out is told the client, too.
#[test]
fn the_application_accepts_rejects_and_serves() {
    let ask = |request: &'static str| {
        let (listener, address) = listen();
        let client = thread::spawn(move || {
            let mut stream = patient(TcpStream::connect(address).unwrap());
            stream.write_all(request.as_bytes()).unwrap();
            String::from_utf8(read_to_end(&mut stream)).unwrap()
        });
        let (stream, _) = listener.accept().unwrap();
        (blocking::receive_tcp(stream, &options()).unwrap(), client)
    };
    let (Incoming::Upgrade(upgrade), client) = ask(REQUEST) else {
        panic!("a WebSocket");
    };
    assert_eq!(upgrade.request().path(), "/chat");
    upgrade
        .reject(&Response::forbidden().body("not you"))
        .unwrap();
    let answer = client.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("\r\n\r\nnot you"));

    let (Incoming::Upgrade(upgrade), client) = ask(REQUEST) else {
        panic!("a WebSocket");
    };
    assert_eq!(upgrade.select_subprotocol(&["chat"]), None);
    let error = upgrade.accept(Acceptance::new().subprotocol("chat"));
    assert!(matches!(error, Err(Error::Build(_))));
    assert!(client.join().unwrap().starts_with("HTTP/1.1 500 "));

    let page = "x".repeat(1_000_000);
    let (Incoming::Http(http), client) = ask("GET /page HTTP/1.1\r\nHost: a\r\n\r\n") else {
        panic!("no WebSocket");
    };
    assert_eq!(http.request().path(), "/page");
    http.respond(&Response::new(200).unwrap().body(page.clone()))
        .unwrap();
    assert!(client.join().unwrap().ends_with(&page));
}

/// R6455-4.1-05: a client that cannot connect says why.
#[test]
fn failures_to_connect_are_told() {
    let (listener, address) = listen();
    drop(listener);
    let error = blocking::connect(&format!("ws://{address}/")).unwrap_err();
    assert!(
        matches!(&error, Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused),
        "{error:?}"
    );
    assert!(matches!(
        blocking::connect_with(
            Request::new("wss://127.0.0.1/").unwrap(),
            &Config::default()
        ),
        Err(Error::Tls(TlsError::NotConfigured))
    ));
    assert!(matches!(
        blocking::connect("http://127.0.0.1/"),
        Err(Error::Build(_))
    ));
    assert!(matches!(
        blocking::connect("ws://name.invalid/"),
        Err(Error::Io(_))
    ));
}

/// A host with several addresses is reached at whichever listens.
#[test]
fn all_addresses_of_a_host_are_tried() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else {
            assert!(address.starts_with('['), "a system without IPv6");
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let host = if address.starts_with('[') {
            "[::1]"
        } else {
            "localhost"
        };
        let server = thread::spawn(move || {
            let mut stream = patient(listener.accept().unwrap().0);
            let head = read_head(&mut stream);
            assert!(head.contains(&format!("Host: {host}:{port}\r\n")), "{head}");
            stream.write_all(consent(&head).as_bytes()).unwrap();
            stream
        });
        blocking::connect(&format!("ws://{host}:{port}/")).unwrap();
        server.join().unwrap();
    }
}

fn rejection<S>(result: Result<WebSocket<S>, Error>) -> Rejection {
    match result {
        Err(Error::Handshake(HandshakeError::Rejected(rejection))) => *rejection,
        other => panic!("{other:?}"),
    }
}

/// A refused handshake comes back with status, headers and body, also when the body is cut off by
/// the end of the stream, a reset or the deadline.
#[test]
fn rejections_are_kept() {
    let whole = "HTTP/1.1 403 Forbidden\r\nX-Why: tired\r\nContent-Length: 7\r\n\r\nnot you";
    let (address, server) = respond(|_| whole.into());
    let rejected = rejection(blocking::connect(&format!("ws://{address}/")));
    assert_eq!(
        (rejected.status, &rejected.body[..]),
        (403, &b"not you"[..])
    );
    assert_eq!(rejected.headers.text("X-Why"), Some("tired"));
    assert!(!rejected.truncated);
    drop(server);

    let part = "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nnot now";
    let (address, server) = respond(|_| part.into());
    thread::spawn(move || drop(server.join()));
    let rejected = rejection(blocking::connect(&format!("ws://{address}/")));
    assert_eq!(
        (rejected.status, &rejected.body[..]),
        (503, &b"not now"[..])
    );
    assert!(rejected.truncated);

    let (address, server) = respond(|_| part.into());
    let request = Request::new(&format!("ws://{address}/")).unwrap();
    let mut config = timeless();
    config.timeouts.handshake = Some(SHORT);
    let result = blocking::connect_with(request, &config);
    let rejected = rejection(result.map(|connected| connected.socket));
    assert_eq!((rejected.status, rejected.truncated), (503, true));
    server.join().unwrap();
}

/// A server that refuses before it has read the request breaks our writing; what it said counts.
#[test]
fn what_a_server_said_before_writing_failed_counts() {
    let refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    for kind in [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset] {
        for step in [0, 3] {
            let failing = |input: &[u8], after, on| {
                let script = Hostile::new(input, after).with_sizes(9, 9).with_fault(
                    Fault::Error(kind),
                    on,
                    Steps::From(step),
                );
                connect(&script).unwrap_err()
            };
            for after in [After::End, After::Silence] {
                let error = failing(refusal, after, On::Writes);
                assert!(
                    matches!(&error, Error::Handshake(HandshakeError::Rejected(rejection))
                        if rejection.status == 503),
                    "{error:?}"
                );
                for on in [On::Writes, On::Both] {
                    let error = failing(b"", after, on);
                    assert!(
                        matches!(&error, Error::Io(error) if error.kind() == kind),
                        "{error:?}"
                    );
                }
            }
        }
    }
    let script =
        Hostile::new(b"", After::Silence).with_fault(Fault::Nothing, On::Both, Steps::From(0));
    let error = connect(&script).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::WriteZero));
    let script = Hostile::new(b"", After::End);
    let error = connect(&script).unwrap_err();
    assert!(matches!(
        error,
        Error::Handshake(HandshakeError::ConnectionClosed)
    ));
}

/// A server that says nothing is given up at the deadline.
#[test]
fn a_silent_server_is_given_up() {
    let (listener, address) = listen();
    let request = Request::new(&format!("ws://{address}/")).unwrap();
    let mut config = timeless();
    config.timeouts.handshake = Some(SHORT);
    let error = blocking::connect_with(request, &config).unwrap_err();
    assert!(matches!(error, Error::Handshake(HandshakeError::TimedOut)));
    let mut stream = patient(listener.accept().unwrap().0);
    assert!(read_head(&mut stream).starts_with("GET / HTTP/1.1\r\n"));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

/// A stream that does not block is told apart from one that failed.
#[test]
fn non_blocking_streams_need_the_step_by_step_handshake() {
    let script = Hostile::new(b"GET", After::Silence);
    let error = blocking::accept(script, &options()).unwrap_err();
    assert!(error.is_would_block());
    let script = Hostile::new(b"HTTP", After::Silence);
    let error = blocking::connect_over(script, request(), &timeless()).unwrap_err();
    assert!(error.is_would_block());
}
