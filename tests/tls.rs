//! `wss`: whom a client trusts, and what else can go wrong before a connection is open.
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

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use common::net::{SHORT, listen, patient};
use common::pair::timeless;
use common::proxy::{Kind, proxy};
use common::tls::{
    Authority, TlsStream, connect, echo, serve_tls, server, tls_server, trusting, with_config,
};
use fullduplex::blocking;
use fullduplex::handshake::client::{ProxyError, RedirectError, Redirects};
use fullduplex::handshake::{HandshakeError, OriginPolicy, Syntax, server::Options};
use fullduplex::{CloseCode, ConnectOptions, Error, Message, Tls, TlsError};
use rustls::{CertificateError, InvalidMessage};

/// R6455-4.1-07: the name of the host is announced, but for an address there is none. Also ALPN.
#[test]
fn the_host_is_announced() {
    for (host, announced) in [
        ("localhost", Some("localhost")),
        ("LOCALHOST", Some("localhost")),
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
    match Tls::platform() {
        Ok(tls) => all.push(tls),
        Err(_) => return, // there are no roots on this machine, and so nobody is trusted
    }
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

/// TLS sent to a plain port: the server refuses at the first byte, and the client sees no TLS.
#[test]
fn tls_sent_to_a_plain_port() {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let stream = patient(listener.accept().unwrap().0);
        blocking::accept_tcp(stream, &Options::new(OriginPolicy::any())).unwrap_err()
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
    let (_, address, serving) =
        server(|stream| blocking::accept(stream, &Options::new(OriginPolicy::any())).unwrap_err());
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
            let mut hello = [0; 16 * 1024];
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

/// TLS goes through the tunnel to the server, whose name the certificate has to bear.
#[test]
fn tls_through_a_proxy() {
    for kind in [Kind::Http, Kind::Socks5] {
        let (authority, address, serving) = server(echo);
        let (url, asked) = proxy(kind, address);
        let options = trusting(&authority).proxy(url.parse().unwrap());
        // The dot says that the name is whole; it is not a part of it.
        let mut socket = connect("wss://localhost.:444/", &options).unwrap().socket;
        socket.send("hello").unwrap();
        assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
        assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
        assert_eq!(asked.join().unwrap(), "us:pw@localhost.:444");
        let stream = serving.join().unwrap();
        assert_eq!(stream.conn.server_name(), Some("localhost"));

        let (authority, address, serving) = server(|mut stream| stream.read(&mut [0]).is_err());
        let (url, asked) = proxy(kind, address);
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
