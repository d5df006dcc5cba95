//! The way to a server over real TCP: proxies, redirects, deadlines.
#![cfg(feature = "std")]
#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use common::net::{LONG, SHORT, consent, in_time, listen, patient, read_head, respond};
use common::pair::timeless;
use common::proxy::{Kind, proxy};
use fullduplex::blocking::{self, Connected, MaybeTls};
use fullduplex::handshake::client::{ProxyError, RedirectError, Redirects, Request, SocksReply};
use fullduplex::handshake::{HandshakeError, OriginPolicy, server};
use fullduplex::{CloseCode, ConnectOptions, Error, Message};

fn connect(url: &str, options: &ConnectOptions) -> Result<Connected<MaybeTls>, Error> {
    let (request, options) = (Request::new(url).unwrap(), options.clone());
    in_time(move || blocking::connect_to(request, &options))
}

fn within(limit: std::time::Duration) -> ConnectOptions {
    let mut config = timeless();
    config.timeouts.connect = Some(limit);
    ConnectOptions::new().config(config)
}

/// An echo server for one connection.
fn echo() -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let options = server::Options::new(OriginPolicy::any());
        let stream = patient(listener.accept().unwrap().0);
        let mut socket = blocking::accept_tcp(stream, &options).unwrap();
        while let Some(message) = socket.recv().unwrap() {
            socket.send(message).unwrap();
        }
    });
    (address, serving)
}

/// A server that says something to whoever connects, and then waits for its client to go.
fn say(bytes: &'static [u8]) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let mut stream = patient(listener.accept().unwrap().0);
        stream.write_all(bytes).unwrap();
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got);
        got
    });
    (address, serving)
}

/// R6455-4.1-04: the proxy is asked for host and port. R6455-4.1-03: it is the one that resolves
/// names, so that a name that does not resolve here is none of our business.
#[test]
fn a_websocket_through_a_proxy() {
    for kind in [Kind::Http, Kind::Socks5] {
        let (server, serving) = echo();
        let (url, asked) = proxy(kind, server);
        let options = ConnectOptions::new().proxy(url.parse().unwrap());
        let mut socket = connect("ws://name.invalid:9001/", &options).unwrap().socket;
        socket.send("hello").unwrap();
        assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
        assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
        assert_eq!(asked.join().unwrap(), "us:pw@name.invalid:9001", "{kind:?}");
        serving.join().unwrap();
    }
}

/// R6455-4.1-05: a proxy that refuses ends the attempt, and nothing meant for the server is sent.
#[test]
fn a_proxy_that_refuses() {
    let answer = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno";
    let (address, serving) = say(answer);
    let options = within(LONG).proxy(format!("http://{address}").parse().unwrap());
    let Err(Error::Proxy(ProxyError::Refused(rejection))) = connect("ws://a.test/", &options)
    else {
        panic!("not refused");
    };
    assert_eq!((rejection.status, &rejection.body[..]), (407, &b"no"[..]));
    let got = String::from_utf8(serving.join().unwrap()).unwrap();
    assert_eq!(got, "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n");
}

#[test]
fn a_socks_proxy_that_refuses() {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let mut stream = patient(listener.accept().unwrap().0);
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        let mut request = [0; 13];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(&[5, 4]).unwrap(); // and it is gone
    });
    let options = within(LONG).proxy(format!("socks5://{address}").parse().unwrap());
    let error = connect("ws://a.test/", &options).unwrap_err();
    let unreachable = ProxyError::Socks(SocksReply::HostUnreachable);
    assert!(
        matches!(&error, Error::Proxy(error) if *error == unreachable),
        "{error:?}"
    );
    serving.join().unwrap();
}

/// A proxy that says nothing, or stops in the middle, is given up at the deadline.
#[test]
fn a_proxy_that_stalls() {
    for (scheme, start) in [
        ("http", &b"HTTP/1.1 200 Con"[..]),
        ("http", b""),
        ("socks5", b""),
    ] {
        let (address, serving) = say(start);
        let options = within(SHORT).proxy(format!("{scheme}://{address}").parse().unwrap());
        let error = connect("ws://a.test/", &options).unwrap_err();
        assert!(
            matches!(error, Error::Proxy(ProxyError::TimedOut)),
            "{error:?}"
        );
        serving.join().unwrap();
    }
}

/// One that sends a byte now and then gains nothing by it.
#[test]
fn a_proxy_that_dribbles() {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let mut stream = patient(listener.accept().unwrap().0);
        stream.write_all(b"HTTP/1.1 200 ").unwrap();
        while stream.write_all(b"a").is_ok() {
            thread::sleep(SHORT / 20);
        }
    });
    let options = within(SHORT).proxy(format!("http://{address}").parse().unwrap());
    let error = connect("ws://a.test/", &options).unwrap_err();
    assert!(
        matches!(error, Error::Proxy(ProxyError::TimedOut)),
        "{error:?}"
    );
    serving.join().unwrap();
}

#[test]
fn a_proxy_that_is_not_there_or_goes_away() {
    let (listener, address) = listen();
    drop(listener);
    let options = within(LONG).proxy(format!("http://{address}").parse().unwrap());
    match connect("ws://a.test/", &options) {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
    for scheme in ["http", "socks5"] {
        let (listener, address) = listen();
        let serving = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let _ = stream.read(&mut [0; 1024]); // closing over unread bytes would reset
        });
        let options = within(LONG).proxy(format!("{scheme}://{address}").parse().unwrap());
        let error = connect("ws://a.test/", &options).unwrap_err();
        assert!(
            matches!(error, Error::Proxy(ProxyError::ConnectionClosed)),
            "{error:?}"
        );
        serving.join().unwrap();
    }
}

/// The deadline of the opening handshake holds behind a proxy as well.
#[test]
fn a_server_that_stalls_behind_a_proxy() {
    let (server, serving) = say(b"");
    let (url, asked) = proxy(Kind::Http, server);
    let mut config = timeless();
    config.timeouts.handshake = Some(SHORT);
    let options = ConnectOptions::new()
        .config(config)
        .proxy(url.parse().unwrap());
    let error = connect("ws://a.test/", &options).unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    asked.join().unwrap();
    let got = String::from_utf8(serving.join().unwrap()).unwrap();
    assert!(
        got.starts_with("GET / HTTP/1.1\r\nHost: a.test\r\n"),
        "{got}"
    );
}

/// What the server sent together with its consent is not lost on the way.
#[test]
fn frames_right_behind_the_consent_come_through_a_proxy() {
    let (server, serving) = respond(|head| [consent(head).as_bytes(), b"\x81\x02hi"].concat());
    let (url, asked) = proxy(Kind::Socks5, server);
    let options = within(LONG).proxy(url.parse().unwrap());
    let mut socket = connect("ws://a.test/", &options).unwrap().socket;
    assert_eq!(socket.recv().unwrap(), Some(Message::text("hi")));
    assert_eq!(asked.join().unwrap(), "us:pw@a.test:80");
    drop(serving.join().unwrap());
}

fn redirecting(location: &str) -> (SocketAddr, JoinHandle<TcpStream>) {
    let answer = format!("HTTP/1.1 302 X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    respond(move |_| answer.into_bytes())
}

/// R6455-4.1-18: a redirect leads to the next server, if that is asked for.
#[test]
fn redirects_are_followed() {
    let (server, serving) = echo();
    let (second, second_serving) = redirecting(&format!("http://{server}/last"));
    let (first, first_serving) = redirecting(&format!("//{second}"));
    let options = within(LONG).redirects(Redirects::up_to(2));
    let mut socket = connect(&format!("ws://{first}/"), &options).unwrap().socket;
    socket.send("hello").unwrap();
    assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
    assert_eq!(socket.stream().tcp().peer_addr().unwrap(), server);
    assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
    for serving in [first_serving, second_serving] {
        drop(serving.join().unwrap());
    }
    serving.join().unwrap();
}

#[test]
fn redirects_that_are_not_followed() {
    let follow = |redirects, location| {
        let (address, serving) = redirecting(location);
        let options = within(LONG).redirects(redirects);
        let error = connect(&format!("ws://{address}/"), &options).unwrap_err();
        drop(serving.join().unwrap());
        error
    };
    match follow(Redirects::none(), "/x") {
        Error::Handshake(HandshakeError::Rejected(rejection)) => {
            assert_eq!(rejection.status, 302);
            assert_eq!(rejection.headers.text("Location"), Some("/x"));
        }
        other => panic!("{other:?}"),
    }
    for (limit, location, error) in [
        (0, "/x", RedirectError::TooMany),
        (
            1,
            "ftp://a/",
            RedirectError::Location(fullduplex::handshake::UrlError::Scheme),
        ),
    ] {
        match follow(Redirects::up_to(limit), location) {
            Error::Redirect(met) => assert_eq!(met, error),
            other => panic!("{other:?}"),
        }
    }
}

/// Without a TLS configuration, `wss` is refused before anything is sent.
#[test]
#[cfg(not(any(feature = "platform-roots", feature = "bundled-roots")))]
fn wss_needs_a_configuration() {
    let (listener, address) = listen();
    listener.set_nonblocking(true).unwrap();
    let error = connect(&format!("wss://{address}/"), &within(LONG)).unwrap_err();
    assert!(
        matches!(error, Error::Tls(fullduplex::TlsError::NotConfigured)),
        "{error:?}"
    );
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn small_packets_are_sent_at_once() {
    let (server, serving) = echo();
    let mut socket = connect(&format!("ws://{server}/"), &within(LONG))
        .unwrap()
        .socket;
    assert!(socket.stream().tcp().nodelay().unwrap());
    assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
    serving.join().unwrap();
}

/// R6455-4.1-04: else it connects directly.
#[test]
fn a_plain_request_goes_to_the_server_itself_without_a_proxy() {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let mut stream = patient(listener.accept().unwrap().0);
        read_head(&mut stream)
    });
    let error = connect(&format!("ws://{address}/x"), &within(LONG)).unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::ConnectionClosed)),
        "{error:?}"
    );
    let head = serving.join().unwrap();
    assert!(
        head.starts_with(&format!("GET /x HTTP/1.1\r\nHost: {address}\r\n")),
        "{head}"
    );
}
