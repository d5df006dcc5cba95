//! The client's opening handshake over a blocking stream.

use alloc::string::String;
use core::task::Poll;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use super::stream::Stream;
use super::websocket::WebSocket;
use crate::connection::{Config, Inbox, MaskKeys};
use crate::driver;
use crate::error::Error;
use crate::handshake::client::{self, Request};
use crate::handshake::{Headers, Step};

/// Connects to a `ws` URL over TCP, with the default configuration.
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
/// [`Error::Build`] for a URL that is not valid, [`Error::Tls`] for a `wss` URL, [`Error::Io`] when
/// there is no connection, [`Error::Handshake`] when the server refused.
pub fn connect(url: &str) -> Result<WebSocket<TcpStream>, Error> {
    Ok(connect_with(Request::new(url)?, &Config::default())?.socket)
}

/// Connects over TCP to where `request` points.
///
/// The addresses of the host are tried one after the other, each for at most
/// [`Timeouts::connect`](crate::Timeouts::connect). Redirects are not followed, and connecting
/// again after a failure is the caller's business: wait a random time before the first retry and
/// longer before each further one (RFC 6455, section 7.2.3), and have no two handshakes with the
/// same address under way at once (section 4.1).
///
/// # Errors
///
/// As [`connect`].
pub fn connect_with(request: Request, config: &Config) -> Result<Connected<TcpStream>, Error> {
    let url = request.url();
    if url.is_secure() {
        return Err(Error::Tls);
    }
    let stream = open_tcp(url.host(), url.port(), config)?;
    stream.set_nodelay(true)?;
    wait(Connecting::over(Stream::tcp(stream), request, config))
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
        Self::over(Stream::new(stream), request, config)
    }

    fn over(stream: Stream<S>, request: Request, config: &Config) -> Self {
        let handshake = client::Handshake::new(request, config.clone(), MaskKeys::thread());
        Self {
            stream,
            inbox: Inbox::new(),
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

/// Tries the host's addresses one after the other and keeps the last error.
fn open_tcp(host: &str, port: u16, config: &Config) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        let result = match config.timeouts.connect {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout),
            None => TcpStream::connect(address),
        };
        match result {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
