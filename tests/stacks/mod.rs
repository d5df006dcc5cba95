//! Servers and clients of hyper and h2, joined in memory, that hand their streams over.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::convert::Infallible;
use std::future::{Future, ready};
use std::time::Duration;

use bytes::Bytes;
use fullduplex::handshake::client::{Exchange, Request};
use fullduplex::handshake::server::{Acceptance, Incoming, Options, Response};
use fullduplex::handshake::{HandshakeError, OriginPolicy};
use fullduplex::tokio::WebSocket;
use fullduplex::{Config, Inbox, MaskKeys, http};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming as Body;
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::sync::mpsc;

pub type Socket = WebSocket<TokioIo<Upgraded>>;
pub type Exit = (HandshakeError, Bytes);

/// No test takes so long unless something hangs.
const LONG: Duration = Duration::from_secs(20);

/// The initial window of a stream (RFC 9113, 6.9.2).
pub const WINDOW: usize = 65_535;

pub async fn in_time<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(LONG, test).await.expect("it hangs")
}

/// What compresses when the crate can.
pub fn config() -> Config {
    #[cfg_attr(not(feature = "deflate"), expect(unused_mut, reason = "no choice"))]
    let mut config = Config::default();
    #[cfg(feature = "deflate")]
    {
        config.deflate = Some(fullduplex::deflate::Deflate::new());
    }
    config
}

pub fn options() -> Options {
    Options::new(OriginPolicy::same_origin()).config(config())
}

pub fn request() -> Request {
    Request::new("ws://example.com/chat")
        .unwrap()
        .subprotocol("chat")
        .unwrap()
}

/// Answers a request; a WebSocket that it opens is sent to the test.
fn answer(
    mut request: hyper::Request<Body>,
    sockets: mpsc::UnboundedSender<Socket>,
) -> hyper::Response<Full<Bytes>> {
    let protocol = request.extensions().get::<Protocol>().cloned();
    let protocol = protocol.as_ref().map(Protocol::as_str);
    let version = request.version();
    let upgrade = match http::negotiate(&request, protocol, options()) {
        Ok(Incoming::Upgrade(upgrade)) => upgrade,
        Ok(_) => return http::response(&Response::not_found(), version).map(Full::new),
        Err(refusal) => return refusal.response().map(Full::new),
    };
    let chosen = upgrade.select_subprotocol(&["chat"]);
    let (response, connection) =
        http::accept(upgrade, Acceptance::new().subprotocol(chosen)).unwrap();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgraded.await.unwrap());
        let _ = sockets.send(WebSocket::new(stream, connection, Inbox::new()));
    });
    response.map(|()| Full::default())
}

/// A server of hyper's that speaks HTTP/1.1, and where it sends the WebSockets.
pub fn serve_http1() -> (DuplexStream, mpsc::UnboundedReceiver<Socket>) {
    let (sockets, opened) = mpsc::unbounded_channel();
    let (near, far) = duplex(1 << 16);
    let service =
        service_fn(move |request| ready(Ok::<_, Infallible>(answer(request, sockets.clone()))));
    let server = hyper::server::conn::http1::Builder::new();
    let connection = server.serve_connection(TokioIo::new(far), service);
    tokio::spawn(connection.with_upgrades());
    (near, opened)
}

/// A server of hyper's that speaks HTTP/2.
pub fn serve_http2() -> (DuplexStream, mpsc::UnboundedReceiver<Socket>) {
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    server.enable_connect_protocol();
    serve_http2_by(&server)
}

pub fn serve_http2_by(
    server: &hyper::server::conn::http2::Builder<TokioExecutor>,
) -> (DuplexStream, mpsc::UnboundedReceiver<Socket>) {
    let (sockets, opened) = mpsc::unbounded_channel();
    let (near, far) = duplex(1 << 16);
    let service =
        service_fn(move |request| ready(Ok::<_, Infallible>(answer(request, sockets.clone()))));
    let mut server = server.clone();
    server.initial_stream_window_size(u32::try_from(WINDOW).unwrap());
    tokio::spawn(server.serve_connection(TokioIo::new(far), service));
    (near, opened)
}

/// Judges the response and takes the stream over, or reads why the server refuses.
async fn take_over(
    exchange: Exchange,
    response: hyper::Response<Body>,
) -> Result<(Socket, Option<String>), Exit> {
    match http::establish(exchange, &response) {
        Ok(established) => {
            let stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
            let socket = WebSocket::new(stream, established.connection, Inbox::new());
            Ok((socket, established.subprotocol))
        }
        Err(error) => {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            Err((error, body))
        }
    }
}

/// A client of hyper's that speaks HTTP/1.1.
pub async fn connect_http1<T>(stream: T, request: Request) -> Result<(Socket, Option<String>), Exit>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let exchange = Exchange::upgrade(request, config(), MaskKeys::thread());
    let request = http::request(&exchange).unwrap();
    let response = sender
        .send_request(request.map(|()| Empty::<Bytes>::new()))
        .await;
    take_over(exchange, response.unwrap()).await
}

pub type Sender = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

/// A client of hyper's that speaks HTTP/2, once the server's settings have come.
pub async fn http2_client<T>(stream: T) -> Sender
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(stream);
    let executor = TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    while !connection.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    tokio::spawn(connection);
    sender
}

pub async fn connect_http2(
    sender: &mut Sender,
    request: Request,
) -> Result<(Socket, Option<String>), Exit> {
    let exchange = Exchange::connect(request, config(), MaskKeys::thread());
    let mut request = http::request(&exchange).unwrap();
    request
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));
    let response = sender.send_request(request.map(|()| Empty::new())).await;
    take_over(exchange, response.unwrap()).await
}

/// A client of h2's, whose frames a test chooses.
pub struct Raw {
    pub sender: h2::client::SendRequest<Bytes>,
    ping: h2::PingPong,
}

impl Raw {
    pub async fn over<T>(stream: T) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, mut connection) = h2::client::handshake(stream).await.unwrap();
        let ping = connection.ping_pong().unwrap();
        tokio::spawn(connection);
        let mut raw = Self { sender, ping };
        raw.round_trip().await;
        raw
    }

    /// Waits until the server has seen all that was sent. Its settings have come by then.
    pub async fn round_trip(&mut self) {
        self.ping.ping(h2::Ping::opaque()).await.unwrap();
    }

    /// Asks for a WebSocket, whatever the server has announced.
    pub fn ask(&mut self) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        let exchange = Exchange::connect(request(), Config::default(), MaskKeys::thread());
        let mut request = http::request(&exchange).unwrap();
        let protocol = h2::ext::Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
        self.sender.send_request(request, false).unwrap()
    }

    /// Opens a WebSocket whose bytes the test writes itself.
    pub async fn open(&mut self) -> (h2::SendStream<Bytes>, h2::RecvStream) {
        let (response, send) = self.ask();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        (send, response.into_body())
    }
}
