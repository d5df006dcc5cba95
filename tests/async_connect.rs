//! The way to a server under tokio, without TLS: addresses, proxies, redirects, deadlines. The
//! servers are blocking ones.
//!
//! Where time is paused it jumps ahead whenever nothing happens in the runtime, so that a peer has to
//! be one that never says anything.
#![cfg(feature = "tokio")]
#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use common::net::{
    SHORT, consent, echo, listen, raw, read_head, read_to_end, redirecting, respond, say,
};
use common::pair::timeless;
use common::proxy::{Kind, proxy};
use common::tokio::{connect, in_time, silent};
use fullduplex::handshake::HandshakeError;
use fullduplex::handshake::client::{ProxyError, RedirectError, Redirects, Request, SocksReply};
use fullduplex::tokio as ws;
use fullduplex::{CloseCode, ConnectOptions, Error, Message};
use tokio::time::Instant;

fn through(proxy: &str) -> ConnectOptions {
    ConnectOptions::new().proxy(proxy.parse().unwrap())
}

/// With a deadline for connecting, or for the opening handshake.
fn within(connect: Option<Duration>, handshake: Option<Duration>) -> ConnectOptions {
    let mut config = timeless();
    config.timeouts.connect = connect;
    config.timeouts.handshake = handshake;
    ConnectOptions::new().config(config)
}

#[tokio::test]
async fn a_websocket_by_url() {
    // In a task of its own: whatever is held on the way can be sent between threads.
    let (address, serving) = echo();
    let url = format!("ws://{address}/");
    let opening = tokio::spawn(async move { ws::connect(&url).await });
    let mut socket = in_time(opening).await.unwrap().unwrap();
    assert!(socket.stream().tcp().nodelay().unwrap());
    assert!(format!("{:?}", socket.stream()).starts_with("Plain "));
    socket.send("hello").await.unwrap();
    let received = in_time(socket.recv()).await.unwrap();
    assert_eq!(received, Some(Message::text("hello")));
    let outcome = in_time(socket.close(CloseCode::NORMAL, "")).await;
    assert!(outcome.unwrap().clean);
    serving.join().unwrap();
    let error = ws::connect("http://127.0.0.1/").await.unwrap_err();
    assert!(matches!(error, Error::Build(_)), "{error:?}");
}

/// A name is looked up, and an address in brackets goes without them.
#[tokio::test]
async fn hosts_are_names_and_addresses() {
    for (bind, host) in [("127.0.0.1:0", "localhost"), ("[::1]:0", "[::1]")] {
        let Ok(listener) = TcpListener::bind(bind) else {
            assert_eq!(bind, "[::1]:0", "some systems have no IPv6");
            continue;
        };
        let address = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let head = read_head(&mut stream);
            stream.write_all(consent(&head).as_bytes()).unwrap();
            head
        });
        let url = format!("ws://{host}:{}/", address.port());
        let connected = connect(&url, &ConnectOptions::new()).await.unwrap();
        let tcp = connected.socket.stream().tcp();
        assert_eq!(tcp.peer_addr().unwrap(), address);
        let head = serving.join().unwrap();
        let line = format!("\r\nHost: {host}:{}\r\n", address.port());
        assert!(head.contains(&line), "{head}");
    }
}

/// What the request asks for is sent, and what the server said is there.
#[tokio::test]
async fn headers_and_subprotocols() {
    let (address, serving) = respond(|head| {
        assert!(head.contains("\r\nAuthorization: Bearer x\r\n"), "{head}");
        let line = "\r\nSec-WebSocket-Protocol: chat, superchat\r\n";
        assert!(head.contains(line), "{head}");
        let consent = consent(head);
        let consent = consent.strip_suffix("\r\n").unwrap();
        let more = "Sec-WebSocket-Protocol: superchat\r\nServer: test\r\n\r\n";
        [consent, more].concat().into_bytes()
    });
    let request = Request::new(&format!("ws://{address}/"))
        .and_then(|request| request.header("Authorization", "Bearer x"))
        .and_then(|request| request.subprotocol("chat"))
        .and_then(|request| request.subprotocol("superchat"))
        .unwrap();
    let connected = in_time(ws::connect_to(request, &ConnectOptions::new())).await;
    let connected = connected.unwrap();
    assert_eq!(connected.subprotocol.as_deref(), Some("superchat"));
    assert_eq!(connected.headers.text("Server"), Some("test"));
    drop(serving.join().unwrap());
}

/// A server that does not want a WebSocket is heard to the end.
#[tokio::test]
async fn a_refusal_has_status_headers_and_body() {
    let answer = b"HTTP/1.1 401 Who?\r\nWWW-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nhey!";
    let (address, serving) = respond(|_| answer.to_vec());
    let error = connect(&format!("ws://{address}/"), &ConnectOptions::new()).await;
    match error.unwrap_err() {
        Error::Handshake(HandshakeError::Rejected(rejection)) => {
            assert_eq!(rejection.status, 401);
            assert_eq!(rejection.headers.text("WWW-Authenticate"), Some("Basic"));
            assert_eq!(&rejection.body[..], b"hey!");
            assert!(!rejection.truncated);
        }
        other => panic!("{other:?}"),
    }
    drop(serving.join().unwrap());
}

#[tokio::test]
async fn a_server_that_is_not_there_or_goes_away() {
    let (listener, address) = listen();
    drop(listener);
    match connect(&format!("ws://{address}/"), &ConnectOptions::new()).await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
    let (address, serving) = raw(|mut tcp| drop(read_head(&mut tcp)));
    let error = connect(&format!("ws://{address}/"), &ConnectOptions::new()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::ConnectionClosed)),
        "{error:?}"
    );
    serving.join().unwrap();
}

/// TCP that nobody takes: Linux drops what exceeds the queue of a listener.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_at_all() {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let queued = std::net::TcpStream::connect(address).unwrap();
    for through_proxy in [false, true] {
        let (url, options) = if through_proxy {
            let proxy = format!("http://{address}");
            ("ws://a.test/".to_owned(), through(&proxy))
        } else {
            (format!("ws://{address}/"), ConnectOptions::new())
        };
        let start = Instant::now();
        match connect(&url, &options).await {
            Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
            other => panic!("{other:?}"),
        }
        assert_eq!(start.elapsed().as_secs(), 10);
    }
    drop(queued);
}

/// The default deadline for a server that takes the connection and says nothing.
#[tokio::test(start_paused = true)]
async fn an_opening_handshake_that_stalls() {
    let (address, _serving) = silent();
    let start = Instant::now();
    let error = connect(&format!("ws://{address}/"), &ConnectOptions::new()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    assert_eq!(start.elapsed().as_secs(), 10);
}

/// What comes in small pieces does not move the deadline.
#[tokio::test]
async fn an_opening_handshake_that_dribbles() {
    let (address, serving) = raw(|mut tcp| {
        let mut result = tcp.write_all(b"HTTP/1.1 101 ");
        while result.is_ok() {
            std::thread::sleep(SHORT / 20);
            result = tcp.write_all(b"a");
        }
    });
    let options = within(None, Some(SHORT));
    let error = connect(&format!("ws://{address}/"), &options).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    serving.join().unwrap();
}

/// All deadlines can be switched off, and a runtime without timers will do then.
#[test]
fn without_deadlines_no_timer_is_needed() {
    let (address, serving) = respond(|head| consent(head).into_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let request = Request::new(&format!("ws://{address}/")).unwrap();
    let options = within(None, None);
    let connected = runtime.block_on(ws::connect_to(request, &options)).unwrap();
    let tcp = connected.socket.stream().tcp();
    assert_eq!(tcp.peer_addr().unwrap(), address);
    drop(serving.join().unwrap());
}

/// Who gives up takes the connection along.
#[tokio::test]
async fn a_dropped_attempt_ends_the_connection() {
    let (address, serving) = raw(|mut tcp| {
        let head = read_head(&mut tcp);
        (head, read_to_end(&mut tcp))
    });
    let url = format!("ws://{address}/");
    let attempt = tokio::time::timeout(SHORT, connect(&url, &ConnectOptions::new())).await;
    assert!(attempt.is_err());
    let (head, rest) = serving.join().unwrap();
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert!(rest.is_empty());
}

/// R6455-4.1-04: the proxy is asked for host and port. R6455-4.1-03: it is the one that resolves
/// names, so that a name that does not resolve here is none of our business.
#[tokio::test]
async fn a_websocket_through_a_proxy() {
    for kind in [Kind::Http, Kind::Socks5] {
        let (server, serving) = echo();
        let (url, asked) = proxy(kind, server);
        let connected = connect("ws://name.invalid:9001/", &through(&url)).await;
        let mut socket = connected.unwrap().socket;
        socket.send("hello").await.unwrap();
        let received = in_time(socket.recv()).await.unwrap();
        assert_eq!(received, Some(Message::text("hello")));
        let outcome = in_time(socket.close(CloseCode::NORMAL, "")).await;
        assert!(outcome.unwrap().clean);
        assert_eq!(asked.join().unwrap(), "us:pw@name.invalid:9001", "{kind:?}");
        serving.join().unwrap();
    }
}

/// What the server sent together with its consent is not lost on the way.
#[tokio::test]
async fn frames_right_behind_the_consent_come_through_a_proxy() {
    for kind in [Kind::Http, Kind::Socks5] {
        let (server, serving) = respond(|head| [consent(head).as_bytes(), b"\x81\x02hi"].concat());
        let (url, asked) = proxy(kind, server);
        let connected = connect("ws://a.test/", &through(&url)).await;
        let mut socket = connected.unwrap().socket;
        let received = in_time(socket.recv()).await.unwrap();
        assert_eq!(received, Some(Message::text("hi")));
        assert_eq!(asked.join().unwrap(), "us:pw@a.test:80");
        drop(serving.join().unwrap());
    }
}

/// A server that speaks first is heard, although its words come with the proxy's.
#[tokio::test]
async fn what_comes_behind_the_answer_of_a_proxy() {
    let (address, serving) =
        say(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n");
    let error = connect("ws://a.test/", &through(&format!("http://{address}"))).await;
    match error.unwrap_err() {
        Error::Handshake(HandshakeError::Rejected(rejection)) => assert_eq!(rejection.status, 503),
        other => panic!("{other:?}"),
    }
    serving.join().unwrap();
}

/// R6455-4.1-05: a proxy that refuses ends the attempt, and nothing meant for the server is sent.
#[tokio::test]
async fn a_proxy_that_refuses() {
    let answer = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno";
    let (address, serving) = say(answer);
    let error = connect("ws://a.test/", &through(&format!("http://{address}"))).await;
    match error.unwrap_err() {
        Error::Proxy(ProxyError::Refused(rejection)) => {
            assert_eq!((rejection.status, &rejection.body[..]), (407, &b"no"[..]));
        }
        other => panic!("{other:?}"),
    }
    let got = String::from_utf8(serving.join().unwrap()).unwrap();
    assert_eq!(got, "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n");

    let (address, serving) = raw(|mut tcp| {
        tcp.read_exact(&mut [0; 3]).unwrap();
        tcp.write_all(&[5, 0]).unwrap();
        tcp.read_exact(&mut [0; 13]).unwrap();
        tcp.write_all(&[5, 4]).unwrap(); // and it is gone
    });
    let error = connect("ws://a.test/", &through(&format!("socks5://{address}"))).await;
    match error.unwrap_err() {
        Error::Proxy(error) => {
            assert_eq!(error, ProxyError::Socks(SocksReply::HostUnreachable));
        }
        other => panic!("{other:?}"),
    }
    serving.join().unwrap();
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_goes_away() {
    for scheme in ["http", "socks5"] {
        let (listener, address) = listen();
        drop(listener);
        let options = through(&format!("{scheme}://{address}"));
        match connect("ws://a.test/", &options).await {
            Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
            other => panic!("{other:?}"),
        }
        // Closing over unread bytes would reset.
        let (address, serving) = raw(|mut tcp| tcp.read(&mut [0; 1024]).unwrap());
        let options = through(&format!("{scheme}://{address}"));
        let error = connect("ws://a.test/", &options).await.unwrap_err();
        assert!(
            matches!(error, Error::Proxy(ProxyError::ConnectionClosed)),
            "{error:?}"
        );
        serving.join().unwrap();
    }
}

/// A proxy that takes the connection and says nothing is given up at the default deadline.
#[tokio::test(start_paused = true)]
async fn a_proxy_that_stalls() {
    for scheme in ["http", "socks5"] {
        let (address, _serving) = silent();
        let options = through(&format!("{scheme}://{address}"));
        let start = Instant::now();
        let error = connect("ws://a.test/", &options).await.unwrap_err();
        assert!(
            matches!(error, Error::Proxy(ProxyError::TimedOut)),
            "{error:?}"
        );
        assert_eq!(start.elapsed().as_secs(), 10, "{scheme}");
    }
}

/// One that begins its answer, or sends a byte now and then, gains nothing by it.
#[tokio::test]
async fn a_proxy_that_dribbles() {
    let (address, serving) = raw(|mut tcp| {
        let mut result = tcp.write_all(b"HTTP/1.1 200 ");
        while result.is_ok() {
            std::thread::sleep(SHORT / 20);
            result = tcp.write_all(b"a");
        }
    });
    let proxy = format!("http://{address}").parse().unwrap();
    let options = within(Some(SHORT), None).proxy(proxy);
    let error = connect("ws://a.test/", &options).await.unwrap_err();
    assert!(
        matches!(error, Error::Proxy(ProxyError::TimedOut)),
        "{error:?}"
    );
    serving.join().unwrap();
}

/// The deadline of the opening handshake holds behind a proxy as well.
#[tokio::test]
async fn a_server_that_stalls_behind_a_proxy() {
    let (server, serving) = say(b"");
    let (url, asked) = proxy(Kind::Socks5, server);
    let options = within(None, Some(SHORT)).proxy(url.parse().unwrap());
    let error = connect("ws://a.test/", &options).await.unwrap_err();
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

/// R6455-4.1-18: a redirect leads to the next server, if that is asked for.
#[tokio::test]
async fn redirects_are_followed() {
    let (server, serving) = echo();
    let (second, second_serving) = redirecting(&format!("http://{server}/last"));
    let (first, first_serving) = redirecting(&format!("//{second}"));
    let options = ConnectOptions::new().redirects(Redirects::up_to(2));
    let connected = connect(&format!("ws://{first}/"), &options).await;
    let mut socket = connected.unwrap().socket;
    assert_eq!(socket.stream().tcp().peer_addr().unwrap(), server);
    let outcome = in_time(socket.close(CloseCode::NORMAL, "")).await;
    assert!(outcome.unwrap().clean);
    for serving in [first_serving, second_serving] {
        drop(serving.join().unwrap());
    }
    serving.join().unwrap();
}

#[tokio::test]
async fn redirects_that_are_not_followed() {
    async fn follow(redirects: Redirects, location: &str) -> Error {
        let (address, serving) = redirecting(location);
        let options = ConnectOptions::new().redirects(redirects);
        let error = connect(&format!("ws://{address}/"), &options).await;
        drop(serving.join().unwrap());
        error.unwrap_err()
    }
    match follow(Redirects::none(), "/x").await {
        Error::Handshake(HandshakeError::Rejected(rejection)) => {
            assert_eq!(rejection.status, 302);
            assert_eq!(rejection.headers.text("Location"), Some("/x"));
        }
        other => panic!("{other:?}"),
    }
    let scheme = fullduplex::handshake::UrlError::Scheme;
    for (limit, location, error) in [
        (0, "/x", RedirectError::TooMany),
        (1, "ftp://a/", RedirectError::Location(scheme)),
    ] {
        match follow(Redirects::up_to(limit), location).await {
            Error::Redirect(met) => assert_eq!(met, error),
            other => panic!("{other:?}"),
        }
    }
}

/// A circle ends at the limit, and each hop is a connection of its own.
#[tokio::test]
async fn redirects_in_a_circle() {
    let (listener, address) = listen();
    let serving = std::thread::spawn(move || {
        for _ in 0..3 {
            let mut stream = common::net::patient(listener.accept().unwrap().0);
            read_head(&mut stream);
            let answer = b"HTTP/1.1 307 X\r\nLocation: ?\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
        }
    });
    let options = ConnectOptions::new().redirects(Redirects::up_to(2));
    let error = connect(&format!("ws://{address}/"), &options).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Redirect(RedirectError::TooMany)),
        "{error:?}"
    );
    serving.join().unwrap();
}

/// Without a TLS configuration, `wss` is refused before anything is sent.
#[tokio::test]
#[cfg(not(any(feature = "platform-roots", feature = "bundled-roots")))]
async fn wss_needs_a_configuration() {
    let (listener, address) = listen();
    listener.set_nonblocking(true).unwrap();
    let error = connect(&format!("wss://{address}/"), &ConnectOptions::new()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Tls(fullduplex::TlsError::NotConfigured)),
        "{error:?}"
    );
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
