//! The server's opening handshake over a blocking stream.

use core::task::Poll;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use bytes::Bytes;

use super::stream::Stream;
use super::websocket::WebSocket;
use crate::connection::Inbox;
use crate::driver::{self, Answering};
use crate::error::Error;
use crate::handshake::server::{self, Acceptance, HttpRequest, Options, Response, Upgrade};
use crate::handshake::{HandshakeError, Step};

/// Accepts a WebSocket over `stream`, whatever its path. Anything else gets its HTTP answer.
///
/// To look at the request first, or to serve pages on the same port, use [`receive`].
///
/// # Errors
///
/// [`Error::Handshake`] when the request was refused, [`Error::Io`], and [`Error::WouldBlock`] for
/// a non-blocking stream, for which [`Accepting`] is there.
pub fn accept<S: Read + Write>(stream: S, options: &Options) -> Result<WebSocket<S>, Error> {
    accept_any(receive(stream, options)?)
}

/// As [`accept`], with the deadlines kept over TCP and small packets sent at once.
///
/// # Errors
///
/// As [`accept`].
pub fn accept_tcp(stream: TcpStream, options: &Options) -> Result<WebSocket<TcpStream>, Error> {
    accept_any(receive_tcp(stream, options)?)
}

/// Reads the request of a client, for the application to decide on.
///
/// # Errors
///
/// As [`accept`].
pub fn receive<S: Read + Write>(stream: S, options: &Options) -> Result<Incoming<S>, Error> {
    wait(Accepting::new(stream, options))
}

/// As [`receive`], with the deadlines kept over TCP and small packets sent at once.
///
/// # Errors
///
/// As [`accept`].
pub fn receive_tcp(stream: TcpStream, options: &Options) -> Result<Incoming<TcpStream>, Error> {
    wait(Accepting::tcp(stream, options)?)
}

/// What a client asks for, with the stream to answer on.
///
/// ```no_run
/// use fullduplex::blocking::{self, Incoming};
/// use fullduplex::handshake::server::{Acceptance, Options, Response};
/// use fullduplex::handshake::OriginPolicy;
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:9001")?;
/// let options = Options::new(OriginPolicy::same_origin());
/// let (stream, _) = listener.accept()?;
/// match blocking::receive_tcp(stream, &options)? {
///     Incoming::Upgrade(upgrade) if upgrade.request().path() == "/chat" => {
///         let mut socket = upgrade.accept(Acceptance::new())?;
///         socket.send("welcome")?;
///     }
///     Incoming::Upgrade(upgrade) => upgrade.reject(&Response::not_found())?,
///     Incoming::Http(request) => request.respond(&Response::not_found())?,
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a request asks for a WebSocket or it does not"
)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Incoming<S> {
    /// A WebSocket.
    Upgrade(Pending<S, Upgrade>),
    /// Something else.
    Http(Pending<S, HttpRequest>),
}

/// A request that awaits its answer.
#[derive(Debug)]
pub struct Pending<S, R> {
    stream: Stream<S>,
    inbox: Inbox,
    request: R,
}

impl<S: Read + Write> Pending<S, Upgrade> {
    /// The request.
    pub fn request(&self) -> &HttpRequest {
        self.request.request()
    }

    /// The first of `preference` that the client offers too: the order is the server's.
    pub fn select_subprotocol<'p>(&self, preference: &[&'p str]) -> Option<&'p str> {
        self.request.select_subprotocol(preference)
    }

    /// Opens the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Build`] if `acceptance` names a subprotocol that was not offered, which the client
    /// is told as an error of the server; [`Error::Io`].
    pub fn accept(mut self, acceptance: Acceptance) -> Result<WebSocket<S>, Error> {
        let connection = match self.request.accept(acceptance) {
            Ok(connection) => connection,
            Err(error) => {
                if let Ok(response) = Response::new(500) {
                    // What went wrong first is what counts.
                    let _ = answer(&mut self.stream, response.to_bytes());
                }
                return Err(error.into());
            }
        };
        let mut socket = WebSocket::over(self.stream, connection, self.inbox);
        match socket.flush() {
            Ok(()) | Err(Error::WouldBlock) => Ok(socket), // what is left goes out later
            Err(error) => Err(error),
        }
    }

    /// Refuses, and closes the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn reject(mut self, response: &Response) -> Result<(), Error> {
        answer(&mut self.stream, self.request.reject(response))
    }
}

impl<S: Read + Write> Pending<S, HttpRequest> {
    /// The request.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Answers, and closes the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn respond(mut self, response: &Response) -> Result<(), Error> {
        answer(&mut self.stream, self.request.respond(response))
    }
}

/// An opening handshake under way, for streams that do not block.
///
/// ```no_run
/// use fullduplex::blocking::Accepting;
/// use fullduplex::handshake::server::Options;
/// use fullduplex::handshake::{OriginPolicy, Step};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:9001")?;
/// let (stream, _) = listener.accept()?;
/// stream.set_nonblocking(true)?;
/// let mut accepting = Accepting::new(stream, &Options::new(OriginPolicy::any()));
/// let incoming = loop {
///     match accepting.advance()? {
///         Step::Done(incoming) => break incoming,
///         Step::Continue(again) => accepting = again, // wait until the stream is readable
///     }
/// };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Accepting<S> {
    stream: Stream<S>,
    inbox: Inbox,
    handshake: driver::Accepting,
}

impl Accepting<TcpStream> {
    /// Awaits a request over TCP, where deadlines are kept and small packets are sent at once.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the socket refuses its options.
    pub fn tcp(stream: TcpStream, options: &Options) -> Result<Self, Error> {
        stream.set_nodelay(true)?;
        Ok(Self::over(Stream::tcp(stream), options))
    }
}

impl<S: Read + Write> Accepting<S> {
    /// Awaits a request.
    pub fn new(stream: S, options: &Options) -> Self {
        Self::over(Stream::new(stream), options)
    }

    pub(super) fn over(stream: Stream<S>, options: &Options) -> Self {
        let handshake = server::Handshake::new(options.clone());
        Self {
            stream,
            inbox: Inbox::new(),
            handshake: driver::Accepting::new(handshake),
        }
    }

    /// Goes as far as the stream allows. A request that has to be refused gets its answer.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] when the request was refused, or [`Error::Io`].
    pub fn advance(mut self) -> Result<Step<Self, Incoming<S>>, Error> {
        let incoming = match self.handshake.poll(&mut self.inbox, &mut self.stream) {
            Poll::Ready(incoming) => incoming?,
            Poll::Pending => return Ok(Step::Continue(self)),
        };
        let Self { stream, inbox, .. } = self;
        Ok(Step::Done(match incoming {
            server::Incoming::Upgrade(request) => Incoming::Upgrade(Pending {
                stream,
                inbox,
                request,
            }),
            server::Incoming::Http(request) => Incoming::Http(Pending {
                stream,
                inbox,
                request,
            }),
        }))
    }
}

fn wait<S: Read + Write>(accepting: Accepting<S>) -> Result<Incoming<S>, Error> {
    match accepting.advance()? {
        Step::Done(incoming) => Ok(incoming),
        Step::Continue(_) => Err(Error::WouldBlock),
    }
}

fn accept_any<S: Read + Write>(incoming: Incoming<S>) -> Result<WebSocket<S>, Error> {
    match incoming {
        Incoming::Upgrade(upgrade) => upgrade.accept(Acceptance::new()),
        Incoming::Http(mut http) => {
            let error = HandshakeError::UpgradeRequired;
            if let Some(response) = error.response() {
                // What went wrong first is what counts.
                let _ = answer(&mut http.stream, response.to_bytes());
            }
            Err(error.into())
        }
    }
}

/// Writes an HTTP answer and ends the stream.
fn answer<S: Read + Write>(stream: &mut Stream<S>, bytes: Bytes) -> Result<(), Error> {
    match Answering::new(bytes).poll(stream) {
        Poll::Ready(result) => Ok(result?),
        Poll::Pending => Err(io::Error::from(ErrorKind::TimedOut).into()),
    }
}
