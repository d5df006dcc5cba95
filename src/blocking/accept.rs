//! The server's opening handshake over a blocking stream.

use core::task::Poll;
use core::time::Duration;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::error::Error;
use super::stream::Stream;
use super::websocket::WebSocket;
use crate::connection::Inbox;
use crate::driver::Transport;
use crate::handshake::server::{self, Acceptance, HttpRequest, Options, Response, Upgrade};
use crate::handshake::{HandshakeError, Step};

/// How long writing an HTTP answer may take, which may be a page for a slow network.
const ANSWER: Duration = Duration::from_secs(10);

/// How long, and how many bytes, a client that was refused is listened to: closing over unread
/// bytes could make its system discard our answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

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
                    let _ = answer(&mut self.stream, &response.to_bytes());
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
        answer(&mut self.stream, &self.request.reject(response))
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
        answer(&mut self.stream, &self.request.respond(response))
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
    handshake: server::Handshake,
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

    fn over(stream: Stream<S>, options: &Options) -> Self {
        let handshake = server::Handshake::new(options.clone());
        Self {
            stream,
            inbox: Inbox::new(),
            handshake,
        }
    }

    /// Goes as far as the stream allows. A request that has to be refused gets its answer.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`] when the request was refused, or [`Error::Io`].
    pub fn advance(self) -> Result<Step<Self, Incoming<S>>, Error> {
        let Self {
            mut stream,
            mut inbox,
            mut handshake,
        } = self;
        loop {
            if let Err(error) = handshake.handle_timeout(stream.now()) {
                return Err(refuse(&mut stream, error));
            }
            handshake = match handshake.advance(&mut inbox) {
                Ok(Step::Continue(handshake)) => handshake,
                Ok(Step::Done(server::Incoming::Upgrade(request))) => {
                    return Ok(Step::Done(Incoming::Upgrade(Pending {
                        stream,
                        inbox,
                        request,
                    })));
                }
                Ok(Step::Done(server::Incoming::Http(request))) => {
                    return Ok(Step::Done(Incoming::Http(Pending {
                        stream,
                        inbox,
                        request,
                    })));
                }
                Err(error) => return Err(refuse(&mut stream, error)),
            };
            let due = handshake.poll_timeout();
            match stream.poll_read(inbox.spare(0), due) {
                Poll::Ready(Ok(0)) => handshake.received_eof(),
                Poll::Ready(Ok(count)) => inbox.received(count),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending if due.is_some_and(|due| due <= stream.now()) => {}
                Poll::Pending => {
                    return Ok(Step::Continue(Self {
                        stream,
                        inbox,
                        handshake,
                    }));
                }
            }
        }
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
        Incoming::Http(mut http) => Err(refuse(&mut http.stream, HandshakeError::UpgradeRequired)),
    }
}

/// Sends the answer that the error has ready.
fn refuse<S: Read + Write>(stream: &mut Stream<S>, error: HandshakeError) -> Error {
    if let Some(response) = error.response() {
        // What went wrong first is what counts.
        let _ = answer(stream, &response.to_bytes());
    }
    error.into()
}

/// Writes an HTTP answer and ends the stream.
fn answer<S: Read + Write>(stream: &mut Stream<S>, bytes: &[u8]) -> Result<(), Error> {
    let deadline = stream.now().saturating_add(ANSWER);
    stream.write_all(bytes, deadline)?;
    if let Poll::Ready(Ok(())) = stream.poll_shutdown() {
        let deadline = stream.now().saturating_add(LINGER);
        stream.drain(LINGER_BYTES, deadline);
    }
    Ok(())
}
