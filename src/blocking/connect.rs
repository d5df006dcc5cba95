//! The client's opening handshake over a blocking stream.

#[cfg(feature = "rustls")]
use alloc::boxed::Box;
use alloc::string::String;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;

use super::maybe_tls::MaybeTls;
use super::stream::Stream;
use super::websocket::WebSocket;
use crate::connect::ConnectOptions;
use crate::connection::{Config, Inbox, MaskKeys};
use crate::driver;
use crate::error::{Error, TlsError};
use crate::handshake::client::{self, Request, Tunnel, attempt_order};
use crate::handshake::{Headers, Step};
#[cfg(feature = "rustls")]
use crate::tls::Tls;

/// Connects to a `ws` or `wss` URL, with the default [`ConnectOptions`].
///
/// ```no_run
/// let mut socket = fullduplex::blocking::connect("ws://127.0.0.1:9001/")?;
/// socket.send("hello")?;
/// let answer = socket.recv()?;
/// # Ok::<(), fullduplex::blocking::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Build`] for a URL that is not valid, and as [`connect_to`].
pub fn connect(url: &str) -> Result<WebSocket<MaybeTls>, Error> {
    Ok(connect_to(Request::new(url)?, &ConnectOptions::new())?.socket)
}

/// Connects to where `request` points: through a proxy, with TLS, following redirects, as `options`
/// say. Small packets are sent at once.
///
/// The addresses of the host are tried one after the other, the families by turns (RFC 8305), and
/// each for its share of the time that is left. [`Timeouts::connect`](crate::Timeouts::connect)
/// bounds the whole way to the server, and [`Timeouts::handshake`](crate::Timeouts::handshake) the
/// opening handshake after it.
///
/// Connecting again after a failure is the caller's business: wait a random time before the first
/// retry and longer before each further one (RFC 6455, section 7.2.3), and have no two handshakes
/// with the same address under way at once (section 4.1).
///
/// # Errors
///
/// [`Error::Io`] when there is no connection, [`Error::Proxy`] and [`Error::Tls`] when there is no
/// way on from there, [`Error::Handshake`] when the server refused, and [`Error::Redirect`] when it
/// named a place where the client does not go.
pub fn connect_to(
    request: Request,
    options: &ConnectOptions,
) -> Result<Connected<MaybeTls>, Error> {
    let mut hops = options.hops(request);
    loop {
        match open_once(hops.request.clone(), options) {
            Ok(connected) => return Ok(connected),
            Err(error) => hops.follow(error)?,
        }
    }
}

/// Connects over plain TCP to where `request` points, which has to be a `ws` URL: no proxy, no TLS,
/// no redirects. Else it is as [`connect_to`].
///
/// # Errors
///
/// As [`connect_to`].
pub fn connect_with(request: Request, config: &Config) -> Result<Connected<TcpStream>, Error> {
    let url = request.url();
    if url.is_secure() {
        return Err(TlsError::NotConfigured.into());
    }
    let stream = open_tcp(url.host(), url.port(), after(config.timeouts.connect))?;
    wait(Connecting::over(
        Stream::tcp(stream),
        Inbox::new(),
        request,
        config,
    ))
}

/// Opens a WebSocket over a stream that is connected already: TLS, a proxy, a Unix socket.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Handshake`] when the server refused, and [`Error::WouldBlock`] for a
/// non-blocking stream, for which [`Connecting`] is there.
pub fn connect_over<S: Read + Write>(
    stream: S,
    request: Request,
    config: &Config,
) -> Result<Connected<S>, Error> {
    wait(Connecting::new(stream, request, config))
}

/// An open WebSocket, and what the server said when it agreed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connected<S> {
    /// The WebSocket.
    pub socket: WebSocket<S>,
    /// The headers of the response.
    pub headers: Headers,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

/// An opening handshake under way, for streams that do not block.
///
/// ```no_run
/// use fullduplex::Config;
/// use fullduplex::blocking::Connecting;
/// use fullduplex::handshake::{Step, client::Request};
///
/// let stream = std::net::TcpStream::connect("127.0.0.1:9001")?;
/// stream.set_nonblocking(true)?;
/// let request = Request::new("ws://127.0.0.1:9001/")?;
/// let mut connecting = Connecting::new(stream, request, &Config::default());
/// let connected = loop {
///     match connecting.advance()? {
///         Step::Done(connected) => break connected,
///         Step::Continue(again) => connecting = again, // wait until the stream is ready
///     }
/// };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connecting<S> {
    stream: Stream<S>,
    inbox: Inbox,
    handshake: driver::Connecting,
}

impl<S: Read + Write> Connecting<S> {
    /// Prepares the request.
    pub fn new(stream: S, request: Request, config: &Config) -> Self {
        Self::over(Stream::new(stream), Inbox::new(), request, config)
    }

    pub(super) fn over(stream: Stream<S>, inbox: Inbox, request: Request, config: &Config) -> Self {
        let handshake = client::Handshake::new(request, config.clone(), MaskKeys::thread());
        Self {
            stream,
            inbox,
            handshake: driver::Connecting::new(handshake),
        }
    }

    /// Goes as far as the stream allows.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] when the server refused, or [`Error::Io`].
    pub fn advance(mut self) -> Result<Step<Self, Connected<S>>, Error> {
        match self.handshake.poll(&mut self.inbox, &mut self.stream) {
            Poll::Ready(established) => Ok(Step::Done(open(self.stream, self.inbox, established?))),
            Poll::Pending => Ok(Step::Continue(self)),
        }
    }
}

fn open<S: Read + Write>(
    stream: Stream<S>,
    inbox: Inbox,
    established: client::Established,
) -> Connected<S> {
    let client::Established {
        connection,
        headers,
        subprotocol,
    } = established;
    Connected {
        socket: WebSocket::over(stream, connection, inbox),
        headers,
        subprotocol,
    }
}

fn wait<S: Read + Write>(connecting: Connecting<S>) -> Result<Connected<S>, Error> {
    match connecting.advance()? {
        Step::Done(connected) => Ok(connected),
        Step::Continue(_) => Err(Error::WouldBlock),
    }
}

/// Goes the whole way once.
fn open_once(request: Request, options: &ConnectOptions) -> Result<Connected<MaybeTls>, Error> {
    let config = &options.config;
    let url = request.url();
    // What cannot end well is not begun.
    #[cfg(feature = "rustls")]
    let tls = match options.tls_for(url)? {
        Some(tls) => Some((tls, Tls::server_name(url)?)),
        None => None,
    };
    #[cfg(not(feature = "rustls"))]
    options.tls_for(url)?;

    let deadline = after(config.timeouts.connect);
    let (host, port) = options.endpoint(url);
    let mut stream = open_tcp(host, port, deadline)?;
    let mut inbox = Inbox::new();
    if let Some(proxy) = &options.proxy {
        let tunnel = Tunnel::new(proxy, url, config.limits, left(deadline));
        stream = open_tunnel(stream, &mut inbox, tunnel)?;
    }
    #[cfg(feature = "rustls")]
    let stream = match tls {
        Some((tls, name)) => {
            let tls = super::tls::handshake(stream, &tls, name, deadline)?;
            MaybeTls::Tls(Box::new(tls))
        }
        None => MaybeTls::Plain(stream),
    };
    #[cfg(not(feature = "rustls"))]
    let stream = MaybeTls::Plain(stream);
    let stream = Stream::maybe_tls(stream);
    wait(Connecting::over(stream, inbox, request, config))
}

fn open_tunnel(stream: TcpStream, inbox: &mut Inbox, tunnel: Tunnel) -> Result<TcpStream, Error> {
    let mut stream = Stream::tcp(stream);
    match driver::Connecting::new(tunnel).poll(inbox, &mut stream) {
        Poll::Ready(opened) => opened?,
        Poll::Pending => return Err(Error::WouldBlock),
    }
    Ok(stream.into_io())
}

/// Tries the host's addresses one after the other and keeps the last error. None may take more than
/// its share of the time that is left, so that one that is dead does not cost the others theirs.
fn open_tcp(host: &str, port: u16, deadline: Option<Instant>) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    let addresses = attempt_order((host, port).to_socket_addrs()?);
    for (address, still) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let result = match left(deadline) {
            Some(Duration::ZERO) => return Err(ErrorKind::TimedOut.into()),
            Some(left) => {
                let share = left / u32::try_from(still).unwrap_or(u32::MAX);
                TcpStream::connect_timeout(address, share.max(Duration::from_millis(1)))
            }
            None => TcpStream::connect(address),
        };
        match result {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A moment that the clock cannot say never comes.
fn after(timeout: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(timeout?)
}

fn left(deadline: Option<Instant>) -> Option<Duration> {
    Some(deadline?.saturating_duration_since(Instant::now()))
}
