//! `wss` over TCP: whom a client trusts, and what becomes of a stream that TLS finds fault with.
//!
//! The certificates are made here. R6455-10.6-01: TLS is there for those who want it.
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
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use common::net::{LONG, SHORT, consent, in_time, listen, patient};
use common::pair::timeless;
use common::proxy::{Kind, proxy};
use common::tls::{Authority, TlsStream, client_config, serve_tls, tls_server};
use fullduplex::blocking::{self, Connected, MaybeTls};
use fullduplex::handshake::client::{ProxyError, RedirectError, Redirects, Request};
use fullduplex::handshake::{HandshakeError, OriginPolicy, Syntax, server};
use fullduplex::{
    CloseCode, Config, ConnectOptions, Error, Keepalive, Message, ReceiveError, Tls, TlsError,
};
use rustls::{AlertDescription, CertificateError, InvalidMessage};

type Socket = blocking::WebSocket<MaybeTls>;

fn connect(url: &str, options: &ConnectOptions) -> Result<Connected<MaybeTls>, Error> {
    let (request, options) = (Request::new(url).unwrap(), options.clone());
    in_time(move || blocking::connect_to(request, &options))
}

/// Options that trust `authority`, without deadlines but for the opening ones.
fn trusting(authority: &Authority) -> ConnectOptions {
    with_config(authority, timeless())
}

fn with_config(authority: &Authority, mut config: Config) -> ConnectOptions {
    config.timeouts.connect.get_or_insert(LONG);
    config.timeouts.handshake.get_or_insert(LONG);
    ConnectOptions::new()
        .config(config)
        .tls(client_config(authority))
}

/// A TLS server with a valid certificate for `localhost` and 127.0.0.1 that does `act` with its
/// first client.
fn server<T: Send + 'static>(
    act: impl FnOnce(TlsStream) -> T + Send + 'static,
) -> (Authority, SocketAddr, JoinHandle<T>) {
    let authority = Authority::new();
    let config = tls_server(&authority.issue(&["localhost", "127.0.0.1"]));
    let (address, serving) = serve_tls(config, act);
    (authority, address, serving)
}

fn echo(stream: TlsStream) -> TlsStream {
    let options = server::Options::new(OriginPolicy::any());
    let mut socket = blocking::accept(stream, &options).unwrap();
    while let Some(message) = socket.recv().unwrap() {
        socket.send(message).unwrap();
    }
    socket.into_parts().0
}

/// Agrees to a WebSocket and hands the stream back.
fn agree(stream: &mut TlsStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    stream.write_all(consent(&head).as_bytes()).unwrap();
    stream.flush().unwrap();
}

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

/// R6455-4.1-07: the name of the host is announced, but for an address there is none. Also ALPN.
#[test]
fn the_host_is_announced() {
    for (host, announced) in [
        ("localhost", Some("localhost")),
        ("LOCALHOST", Some("localhost")),
        ("localhost.", Some("localhost")),
        ("127.0.0.1", None),
    ] {
        let (authority, address, serving) = server(echo);
        let url = format!("wss://{host}:{}/", address.port());
        let mut socket = connect(&url, &trusting(&authority)).unwrap().socket;
        assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
        let stream = serving.join().unwrap();
        assert_eq!(stream.conn.server_name(), announced, "{host}");
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

/// H14: each of these certificates ends the attempt, and no request is sent.
#[test]
fn certificates_that_are_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (what, certificate, host, expected) in [
        (
            "another host",
            authority.issue(&["other.test"]),
            "localhost",
            "wrong host",
        ),
        (
            "another address",
            authority.issue(&["127.0.0.2"]),
            "127.0.0.1",
            "wrong host",
        ),
        (
            "a name for an address",
            authority.issue(&["localhost"]),
            "127.0.0.1",
            "wrong host",
        ),
        (
            "a part of the name",
            authority.issue(&["ocalhost"]),
            "localhost",
            "wrong host",
        ),
        (
            "expired",
            authority.issue_between(&["localhost"], 1999, 2001),
            "localhost",
            "expired",
        ),
        (
            "not yet",
            authority.issue_between(&["localhost"], 4000, 4001),
            "localhost",
            "not yet",
        ),
        (
            "a stranger's",
            stranger.issue(&["localhost"]),
            "localhost",
            "unknown",
        ),
        (
            "its own",
            Authority::self_signed("localhost"),
            "localhost",
            "unknown",
        ),
    ] {
        let (address, serving) = serve_tls(tls_server(&certificate), |mut stream| {
            let mut bytes = Vec::new();
            let error = stream
                .read_to_end(&mut bytes)
                .expect_err("the client refuses");
            (bytes, error)
        });
        let url = format!("wss://{host}:{}/", address.port());
        let error = connect(&url, &trusting(&authority)).unwrap_err();
        let Error::Tls(TlsError::Handshake(rustls::Error::InvalidCertificate(error))) = error
        else {
            panic!("{what}: {error:?}");
        };
        let met = match error {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "wrong host"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "not yet"
            }
            CertificateError::UnknownIssuer => "unknown",
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(met, expected, "{what}");
        let (bytes, error) = serving.join().unwrap();
        assert!(bytes.is_empty(), "{what}");
        // It is told why.
        let error = error.get_ref().and_then(|error| error.downcast_ref());
        assert!(
            matches!(error, Some(rustls::Error::AlertReceived(_))),
            "{what}: {error:?}"
        );
    }
}

/// The default configurations trust nobody who was made up a moment ago.
#[test]
fn the_defaults_do_not_trust_everybody() {
    let mut all = Vec::new();
    #[cfg(feature = "bundled-roots")]
    all.push(Tls::bundled().unwrap());
    #[cfg(feature = "platform-roots")]
    all.extend(Tls::platform()); // there may be no roots here
    for tls in &all {
        assert_eq!(tls.config().alpn_protocols, [b"http/1.1"]);
        assert!(tls.config().enable_sni);
    }
    let explicit = all.into_iter().map(|tls| ConnectOptions::new().tls(tls));
    for options in [ConnectOptions::new()].into_iter().chain(explicit) {
        let (_, address, serving) = server(|mut stream| stream.read(&mut [0]).unwrap_err());
        let url = format!("wss://localhost:{}/", address.port());
        let error = connect(&url, &options).unwrap_err();
        assert!(
            matches!(error, Error::Tls(TlsError::Handshake(_))),
            "{error:?}"
        );
        serving.join().unwrap();
    }
}

/// No provider is installed for the whole process, and none is needed there.
#[test]
fn no_global_provider_is_touched() {
    #[cfg(feature = "bundled-roots")]
    drop(Tls::bundled().unwrap());
    #[cfg(feature = "platform-roots")]
    drop(Tls::platform());
    let _ = connect("wss://127.0.0.1:1/", &ConnectOptions::new());
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

fn open(options: &ConnectOptions, address: SocketAddr) -> Socket {
    let url = format!("wss://localhost:{}/", address.port());
    connect(&url, options).unwrap().socket
}

/// A stream that ends without the peer's word is an error: anybody may have cut it off.
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

/// After the closing handshake nothing is left that could be cut off.
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

/// TLS sent to a plain port: the server refuses at the first byte, and the client sees no TLS.
#[test]
fn tls_sent_to_a_plain_port() {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let stream = patient(listener.accept().unwrap().0);
        blocking::accept_tcp(stream, &server::Options::new(OriginPolicy::any())).unwrap_err()
    });
    let authority = Authority::new();
    let error = connect(&format!("wss://{address}/"), &trusting(&authority)).unwrap_err();
    let expected = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
    assert!(
        matches!(&error, Error::Tls(TlsError::Handshake(error)) if *error == expected),
        "{error:?}"
    );
    let error = serving.join().unwrap();
    let expected = HandshakeError::Malformed(Syntax::StartLine);
    assert!(
        matches!(&error, Error::Handshake(error) if *error == expected),
        "{error:?}"
    );
}

/// Plain HTTP sent to a TLS port: both ends say what they got.
#[test]
fn plain_sent_to_a_tls_port() {
    let (_, address, serving) = server(|stream| {
        blocking::accept(stream, &server::Options::new(OriginPolicy::any())).unwrap_err()
    });
    let error = connect(&format!("ws://{address}/"), &ConnectOptions::new()).unwrap_err();
    let expected = HandshakeError::Malformed(Syntax::StartLine);
    assert!(
        matches!(&error, Error::Handshake(error) if *error == expected),
        "{error:?}"
    );
    let Error::Io(error) = serving.join().unwrap() else {
        panic!("an error of the stream");
    };
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    assert!(
        matches!(error, Some(rustls::Error::InvalidMessage(_))),
        "{error:?}"
    );
}

fn raw<T: Send + 'static>(
    act: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let (listener, address) = listen();
    let serving = thread::spawn(move || act(patient(listener.accept().unwrap().0)));
    (address, serving)
}

/// A handshake record of 16 KiB is announced, and comes byte by byte.
fn dribble(mut tcp: TcpStream) {
    let start: &[u8] = &[22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc];
    let mut result = tcp.write_all(start);
    while result.is_ok() {
        thread::sleep(SHORT / 20);
        result = tcp.write_all(&[3]);
    }
}

/// A peer that says nothing, or a byte now and then, is given up at the deadline.
#[test]
fn a_tls_handshake_that_stalls() {
    let silent: fn(TcpStream) = |mut tcp| {
        let _ = tcp.read_to_end(&mut Vec::new());
    };
    for act in [silent, dribble] {
        let (address, serving) = raw(act);
        let mut config = timeless();
        config.timeouts.connect = Some(SHORT);
        let options = with_config(&Authority::new(), config);
        let error = connect(&format!("wss://{address}/"), &options).unwrap_err();
        assert!(matches!(error, Error::Tls(TlsError::TimedOut)), "{error:?}");
        serving.join().unwrap();
    }
}

#[test]
fn a_tls_handshake_that_is_cut_off() {
    for answer in [&b""[..], &[22, 3, 3, 0x40]] {
        let (address, serving) = raw(move |mut tcp| {
            let mut hello = [0; 64 * 1024];
            let _ = tcp.read(&mut hello).unwrap();
            tcp.write_all(answer).unwrap();
        });
        let options = trusting(&Authority::new());
        let error = connect(&format!("wss://{address}/"), &options).unwrap_err();
        assert!(
            matches!(error, Error::Tls(TlsError::ConnectionClosed)),
            "{error:?}"
        );
        serving.join().unwrap();
    }
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

/// The opening handshake has its own deadline behind TLS.
#[test]
fn an_opening_handshake_that_stalls_over_tls() {
    let (authority, address, serving) = server(|mut stream| {
        let mut request = Vec::new();
        let _ = stream.read_to_end(&mut request);
        request
    });
    let mut config = timeless();
    config.timeouts.handshake = Some(SHORT);
    let options = with_config(&authority, config);
    let url = format!("wss://localhost:{}/", address.port());
    let error = connect(&url, &options).unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    assert!(serving.join().unwrap().starts_with(b"GET / HTTP/1.1\r\n"));
}

/// Two ends that both write much before they read get it all across.
#[test]
fn both_ends_may_write_much() {
    const COUNT: usize = 40;
    let (authority, address, serving) = server(|stream| {
        let options = server::Options::new(OriginPolicy::any());
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

/// TLS goes through the tunnel to the server, whose name the certificate has to bear.
#[test]
fn tls_through_a_proxy() {
    for kind in [Kind::Http, Kind::Socks5] {
        let (authority, server, serving) = server(echo);
        let (url, asked) = proxy(kind, server);
        let options = trusting(&authority).proxy(url.parse().unwrap());
        let mut socket = connect("wss://localhost:444/", &options).unwrap().socket;
        socket.send("hello").unwrap();
        assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
        assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
        assert_eq!(asked.join().unwrap(), "us:pw@localhost:444");
        serving.join().unwrap();

        let (authority, server, serving) =
            self::server(|mut stream| stream.read(&mut [0]).is_err());
        let (url, asked) = proxy(kind, server);
        let options = trusting(&authority).proxy(url.parse().unwrap());
        let error = connect("wss://other.test/", &options).unwrap_err();
        assert!(
            matches!(error, Error::Tls(TlsError::Handshake(_))),
            "{error:?}"
        );
        asked.join().unwrap();
        assert!(serving.join().unwrap());
    }
}

/// Bytes before TLS are nobody's.
#[test]
fn a_proxy_that_sends_more_than_its_answer_before_tls() {
    let (address, serving) = raw(|mut tcp| {
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03")
            .unwrap();
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let options = trusting(&Authority::new()).proxy(format!("http://{address}").parse().unwrap());
    let error = connect("wss://localhost/", &options).unwrap_err();
    assert!(
        matches!(error, Error::Proxy(ProxyError::EarlyData)),
        "{error:?}"
    );
    serving.join().unwrap();
}

/// Encryption is not given up on the way, and may be taken up.
#[test]
fn redirects_and_tls() {
    let redirecting = |location: String| {
        move |mut stream: TlsStream| {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            let answer = format!("HTTP/1.1 308 X\r\nLocation: {location}\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
    };
    let (authority, address, serving) = server(redirecting("http://localhost:1/".to_owned()));
    let options = trusting(&authority).redirects(Redirects::up_to(1));
    let url = format!("wss://localhost:{}/", address.port());
    let error = connect(&url, &options).unwrap_err();
    assert!(
        matches!(error, Error::Redirect(RedirectError::Downgrade)),
        "{error:?}"
    );
    serving.join().unwrap();

    let (authority, secure, serving) = server(echo);
    let location = format!("https://localhost:{}/", secure.port());
    let answer = format!("HTTP/1.1 308 X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let (plain, redirecting) = common::net::respond(move |_| answer.into_bytes());
    let options = trusting(&authority).redirects(Redirects::up_to(1));
    let mut socket = connect(&format!("ws://{plain}/"), &options).unwrap().socket;
    assert!(socket.stream().tls().is_some());
    assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
    drop(redirecting.join().unwrap());
    serving.join().unwrap();
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
