//! `wss` under tokio: whom a client trusts, and what else can go wrong before a connection is open.
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

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use common::net::{SHORT, raw, respond};
use common::pair::timeless;
use common::proxy::{Kind, proxy};
use common::tls::{
    Authority, assert_certificates_are_refused, client_config, dribble, echo, redirecting, server,
    tls_server, trusting, with_config,
};
use common::tokio::{connect, in_time, silent};
use fullduplex::handshake::client::{ProxyError, RedirectError, Redirects};
use fullduplex::handshake::{HandshakeError, OriginPolicy, Syntax, server::Options};
use fullduplex::tokio as ws;
use fullduplex::{CloseCode, ConnectOptions, Error, Message, Outcome, TlsError};
use rustls::{InvalidMessage, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Served = tokio_rustls::server::TlsStream<TcpStream>;

/// A TLS server of tokio's that does `act` with its first client, if there is TLS to it.
async fn serve<T, F>(
    config: ServerConfig,
    act: impl FnOnce(Served) -> F + Send + 'static,
) -> (SocketAddr, JoinHandle<io::Result<T>>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await?;
        let stream = acceptor.accept(tcp).await?;
        Ok(act(stream).await)
    });
    (address, serving)
}

fn localhost() -> (Authority, ServerConfig) {
    let authority = Authority::new();
    let config = tls_server(&authority.issue(&["localhost", "127.0.0.1"]));
    (authority, config)
}

async fn echo_async(stream: Served) -> Outcome {
    let options = Options::new(OriginPolicy::any()).config(timeless());
    let mut socket = ws::accept(stream, &options).await.unwrap();
    while let Some(message) = socket.recv().await.unwrap() {
        socket.feed(message).await.unwrap();
    }
    socket.outcome().unwrap()
}

/// R6455-4.1-06 and R6455-4.2.2-01: TLS first, and everything inside of it, at both ends.
#[tokio::test]
async fn a_websocket_over_tls() {
    let (authority, config) = localhost();
    let (address, serving) = serve(config, echo_async).await;
    let url = format!("wss://localhost:{}/", address.port());
    let mut socket = connect(&url, &trusting(&authority)).await.unwrap().socket;
    let session = socket.stream().tls().expect("a session");
    assert!(session.peer_certificates().is_some());
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(socket.stream().tcp().nodelay().unwrap());
    assert!(format!("{:?}", socket.stream()).starts_with("Tls "));
    for message in [
        Message::text("hello"),
        Message::binary(vec![7; 300_000]),
        Message::binary(vec![8; 3_000_000]),
    ] {
        in_time(socket.send(message.clone())).await.unwrap();
        assert_eq!(in_time(socket.recv()).await.unwrap(), Some(message));
    }
    let outcome = in_time(socket.close(CloseCode::NORMAL, "bye")).await;
    assert!(outcome.unwrap().clean);
    assert!(in_time(serving).await.unwrap().unwrap().clean);
}

/// Certificates of strangers, of others, and out of their time: the errors say so, and no request
/// is sent.
#[test]
fn certificates_that_are_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    assert_certificates_are_refused(|url, options| {
        runtime.block_on(connect(url, options)).unwrap_err()
    });
}

/// Unless there is a configuration, the certificate has to come from one of the usual issuers.
#[tokio::test]
#[cfg(any(feature = "platform-roots", feature = "bundled-roots"))]
async fn the_default_does_not_trust_everybody() {
    let (_, config) = localhost();
    let (address, serving) = serve(config, async |_| ()).await;
    let url = format!("wss://localhost:{}/", address.port());
    let error = in_time(ws::connect(&url)).await.unwrap_err();
    assert!(
        matches!(error, Error::Tls(TlsError::Handshake(_))),
        "{error:?}"
    );
    let error = in_time(serving).await.unwrap().unwrap_err();
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    assert!(
        matches!(error, Some(rustls::Error::AlertReceived(_))),
        "{error:?}"
    );
}

/// TLS sent to a plain port: the server refuses at the first byte, and says so in plain HTTP, which
/// is no TLS to the client.
#[tokio::test]
async fn tls_sent_to_a_plain_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let accepted = ws::accept_tcp(tcp, &Options::new(OriginPolicy::any())).await;
        accepted.unwrap_err()
    });
    let options = trusting(&Authority::new());
    let error = connect(&format!("wss://{address}/"), &options).await;
    let expected = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
    match error.unwrap_err() {
        Error::Tls(TlsError::Handshake(error)) => assert_eq!(error, expected),
        other => panic!("{other:?}"),
    }
    match in_time(serving).await.unwrap() {
        Error::Handshake(error) => {
            assert_eq!(error, HandshakeError::Malformed(Syntax::StartLine));
        }
        other => panic!("{other:?}"),
    }
}

/// What a client that greets with TLS is answered by a plain port.
#[tokio::test]
async fn the_answer_to_tls_on_a_plain_port() {
    let (client, stream) = tokio::io::duplex(16 * 1024);
    let (mut from_server, mut to_server) = tokio::io::split(client);
    let mut hello = vec![22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.resize(517, 0x5a);
    to_server.write_all(&hello).await.unwrap();
    let options = Options::new(OriginPolicy::any());
    let serving = tokio::spawn(async move { ws::accept(stream, &options).await.unwrap_err() });
    let mut answer = String::new();
    in_time(from_server.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let error = in_time(serving).await.unwrap();
    assert!(
        matches!(
            error,
            Error::Handshake(HandshakeError::Malformed(Syntax::StartLine))
        ),
        "{error:?}"
    );
}

/// Plain HTTP sent to a TLS port: both ends say what they got.
#[tokio::test]
async fn plain_sent_to_a_tls_port() {
    let (_, config) = localhost();
    let (address, serving) = serve(config, async |_| ()).await;
    let error = connect(&format!("ws://{address}/"), &ConnectOptions::new()).await;
    match error.unwrap_err() {
        Error::Handshake(error) => {
            assert_eq!(error, HandshakeError::Malformed(Syntax::StartLine));
        }
        other => panic!("{other:?}"),
    }
    let error = in_time(serving).await.unwrap().unwrap_err();
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    assert!(
        matches!(error, Some(rustls::Error::InvalidMessage(_))),
        "{error:?}"
    );
}

/// The default deadline for a peer that takes TCP connections and says nothing.
#[tokio::test(start_paused = true)]
async fn a_tls_handshake_that_stalls() {
    let (address, _serving) = silent();
    let options = ConnectOptions::new().tls(client_config(&Authority::new()));
    let start = Instant::now();
    let error = connect(&format!("wss://{address}/"), &options).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::TimedOut)), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 10);
}

/// One that sends a byte now and then gains nothing by it.
#[tokio::test]
async fn a_tls_handshake_that_dribbles() {
    let (address, serving) = raw(dribble);
    let mut config = timeless();
    config.timeouts.connect = Some(SHORT);
    let options = with_config(&Authority::new(), config);
    let error = connect(&format!("wss://{address}/"), &options).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Tls(TlsError::TimedOut)), "{error:?}");
    serving.join().unwrap();
}

#[tokio::test]
async fn a_tls_handshake_that_is_cut_off() {
    for answer in [&b""[..], &[22, 3, 3, 0x40]] {
        let (address, serving) = raw(move |mut tcp| {
            let mut hello = [0; 16 * 1024];
            let _ = tcp.read(&mut hello).unwrap();
            tcp.write_all(answer).unwrap();
        });
        let options = trusting(&Authority::new());
        let error = connect(&format!("wss://{address}/"), &options).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, Error::Tls(TlsError::ConnectionClosed)),
            "{error:?}"
        );
        serving.join().unwrap();
    }
}

/// The opening handshake has its own deadline behind TLS, at either end.
#[tokio::test]
async fn an_opening_handshake_that_stalls_over_tls() {
    let mut config = timeless();
    config.timeouts.handshake = Some(SHORT);

    let (authority, address, serving) = server(|mut stream| {
        let mut request = Vec::new();
        let _ = stream.read_to_end(&mut request);
        request
    });
    let url = format!("wss://localhost:{}/", address.port());
    let error = connect(&url, &with_config(&authority, config.clone())).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    assert!(serving.join().unwrap().starts_with(b"GET / HTTP/1.1\r\n"));

    let (authority, tls) = localhost();
    let (address, serving) = serve(tls, |stream| async move {
        let options = Options::new(OriginPolicy::any()).config(config);
        ws::accept(stream, &options).await.unwrap_err()
    })
    .await;
    let tcp = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client_config(&authority)));
    let name = "localhost".try_into().unwrap();
    let mut client = connector.connect(name, tcp).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut answer = String::new();
    in_time(client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let error = in_time(serving).await.unwrap().unwrap();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
}

/// TLS goes through the tunnel to the server, whose name the certificate has to bear.
#[tokio::test]
async fn tls_through_a_proxy() {
    for kind in [Kind::Http, Kind::Socks5] {
        let (authority, address, serving) = server(echo);
        let (url, asked) = proxy(kind, address);
        let options = trusting(&authority).proxy(url.parse().unwrap());
        let mut socket = connect("wss://localhost.:444/", &options)
            .await
            .unwrap()
            .socket;
        socket.send("hello").await.unwrap();
        let answer = in_time(socket.recv()).await.unwrap();
        assert_eq!(answer, Some(Message::text("hello")));
        let outcome = in_time(socket.close(CloseCode::NORMAL, "")).await;
        assert!(outcome.unwrap().clean);
        assert_eq!(asked.join().unwrap(), "us:pw@localhost.:444");
        let stream = serving.join().unwrap();
        assert_eq!(stream.conn.server_name(), Some("localhost"));

        let (authority, address, serving) = server(|mut stream| stream.read(&mut [0]).is_err());
        let (url, asked) = proxy(kind, address);
        let options = trusting(&authority).proxy(url.parse().unwrap());
        let error = connect("wss://other.test/", &options).await.unwrap_err();
        assert!(
            matches!(error, Error::Tls(TlsError::Handshake(_))),
            "{error:?}"
        );
        asked.join().unwrap();
        assert!(serving.join().unwrap());
    }
}

/// Bytes before TLS are nobody's.
#[tokio::test]
async fn a_proxy_that_sends_more_than_its_answer_before_tls() {
    let (address, serving) = raw(|mut tcp| {
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03")
            .unwrap();
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let options = trusting(&Authority::new()).proxy(format!("http://{address}").parse().unwrap());
    let error = connect("wss://localhost/", &options).await.unwrap_err();
    assert!(
        matches!(error, Error::Proxy(ProxyError::EarlyData)),
        "{error:?}"
    );
    serving.join().unwrap();
}

/// H15: encryption is not given up on the way, and may be taken up.
#[tokio::test]
async fn redirects_and_tls() {
    let (authority, address, serving) = server(redirecting("http://localhost:1/".to_owned()));
    let options = trusting(&authority).redirects(Redirects::up_to(1));
    let url = format!("wss://localhost:{}/", address.port());
    let error = connect(&url, &options).await.unwrap_err();
    assert!(
        matches!(error, Error::Redirect(RedirectError::Downgrade)),
        "{error:?}"
    );
    serving.join().unwrap();

    let (authority, secure, serving) = server(echo);
    let location = format!("https://localhost:{}/", secure.port());
    let answer = format!("HTTP/1.1 308 X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let (plain, redirecting) = respond(move |_| answer.into_bytes());
    let options = trusting(&authority).redirects(Redirects::up_to(1));
    let url = format!("ws://{plain}/");
    let mut socket = connect(&url, &options).await.unwrap().socket;
    assert!(socket.stream().tls().is_some());
    let outcome = in_time(socket.close(CloseCode::NORMAL, "")).await;
    assert!(outcome.unwrap().clean);
    drop(redirecting.join().unwrap());
    serving.join().unwrap();
}
