//! The opening handshake over an async stream.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;

use alloc::string::String;
use bytes::Bytes;

use super::io::{Alarm, Io, Polled};
use super::memory::Memory;
use super::websocket::WebSocket;
use crate::connection::{Config, Inbox, MaskKeys};
use crate::driver::{Accepting, Answering, Connecting};
use crate::error::Error;
use crate::handshake::client::{self, Established, Request};
use crate::handshake::server::{self, Acceptance, HttpRequest, Options, Response, Upgrade};
use crate::handshake::{HandshakeError, Headers};

/// What a client asks for, with the stream to answer on.
#[cfg_attr(feature = "tokio", doc = "```no_run")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use fullduplex::handshake::OriginPolicy;
/// use fullduplex::handshake::server::{Acceptance, Options, Response};
/// use fullduplex::tokio::{self as ws, Incoming};
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
/// let options = Options::new(OriginPolicy::same_origin());
/// let (stream, _) = listener.accept().await?;
/// match ws::receive(stream, &options).await? {
///     Incoming::Upgrade(upgrade) if upgrade.request().path() == "/chat" => {
///         let mut socket = upgrade.accept(Acceptance::new()).await?;
///         socket.send("welcome").await?;
///     }
///     Incoming::Upgrade(upgrade) => upgrade.reject(&Response::not_found()).await?,
///     Incoming::Http(request) => request.respond(&Response::not_found()).await?,
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a request asks for a WebSocket or it does not"
)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Incoming<I: Io> {
    /// A WebSocket.
    Upgrade(Pending<I, Upgrade>),
    /// Something else.
    Http(Pending<I, HttpRequest>),
}

/// A request that awaits its answer. [`Incoming`] has an example.
pub struct Pending<I: Io, R> {
    line: Line<I>,
    request: R,
}

/// An open WebSocket, and what the server said when it agreed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connected<I: Io> {
    /// The WebSocket.
    pub socket: WebSocket<I>,
    /// The headers of the response.
    pub headers: Headers,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

/// Reads the request of a client, for the application to decide on.
pub(crate) async fn receive<I: Io>(io: I, options: &Options) -> Result<Incoming<I>, Error> {
    let mut accepting = Accepting::new(server::Handshake::new(options.clone()));
    let mut line = Line::new(io);
    let incoming = line
        .drive(|memory, transport| {
            let polled = accepting.poll(memory.inbox(), transport);
            (polled, accepting.poll_timeout())
        })
        .await?;
    Ok(match incoming {
        server::Incoming::Upgrade(request) => Incoming::Upgrade(Pending { line, request }),
        server::Incoming::Http(request) => Incoming::Http(Pending { line, request }),
    })
}

/// Accepts a WebSocket, whatever its path. Anything else gets its HTTP answer.
pub(crate) async fn accept<I: Io>(io: I, options: &Options) -> Result<WebSocket<I>, Error> {
    match receive(io, options).await? {
        Incoming::Upgrade(upgrade) => upgrade.accept(Acceptance::new()).await,
        Incoming::Http(mut http) => {
            let error = HandshakeError::UpgradeRequired;
            if let Some(response) = error.response() {
                // What went wrong first is what counts.
                let _ = http.line.answer(response.to_bytes()).await;
            }
            Err(error.into())
        }
    }
}

/// Opens a WebSocket over a stream that is connected already.
pub(crate) async fn connect_over<I: Io>(
    io: I,
    request: Request,
    config: &Config,
) -> Result<Connected<I>, Error> {
    let handshake = client::Handshake::new(request, config.clone(), MaskKeys::thread());
    let mut connecting = Connecting::new(handshake);
    let mut line = Line::new(io);
    let established = line
        .drive(|memory, transport| {
            let polled = connecting.poll(memory.inbox(), transport);
            (polled, connecting.poll_timeout())
        })
        .await?;
    let Established {
        connection,
        headers,
        subprotocol,
    } = established;
    Ok(Connected {
        socket: WebSocket::running(line.io, line.alarm, connection, line.memory),
        headers,
        subprotocol,
    })
}

impl<I: Io> Pending<I, Upgrade> {
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
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the stream.
    pub async fn accept(self, acceptance: Acceptance) -> Result<WebSocket<I>, Error> {
        let Self { mut line, request } = self;
        let connection = match request.accept(acceptance) {
            Ok(connection) => connection,
            Err(error) => {
                if let Ok(response) = Response::new(500) {
                    // What went wrong first is what counts.
                    let _ = line.answer(response.to_bytes()).await;
                }
                return Err(error.into());
            }
        };
        let Line { io, alarm, memory } = line;
        let mut socket = WebSocket::running(io, alarm, connection, memory);
        socket.flush().await?;
        Ok(socket)
    }

    /// Refuses, and closes the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the stream.
    pub async fn reject(mut self, response: &Response) -> Result<(), Error> {
        let bytes = self.request.reject(response);
        self.line.answer(bytes).await
    }
}

impl<I: Io> Pending<I, HttpRequest> {
    /// The request.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Answers, and closes the stream.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the stream.
    pub async fn respond(mut self, response: &Response) -> Result<(), Error> {
        let bytes = self.request.respond(response);
        self.line.answer(bytes).await
    }
}

impl<I: Io, R> Pending<I, R> {
    /// The stream.
    pub fn stream(&self) -> &I::Stream {
        self.line.io.stream()
    }

    /// The stream, what was read from it behind the request, and the request, to be answered by
    /// other means.
    pub fn into_parts(self) -> (I::Stream, Inbox, R) {
        let Line { io, memory, .. } = self.line;
        (io.into_stream(), memory.into_inbox(), self.request)
    }
}

impl<I: Io, R: fmt::Debug> fmt::Debug for Pending<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// A stream before there is a connection, polled by one task.
struct Line<I: Io> {
    io: I,
    alarm: Alarm<I::Clock>,
    memory: Memory,
}

impl<I: Io> Line<I> {
    fn new(io: I) -> Self {
        Self {
            io,
            alarm: Alarm::new(),
            memory: Memory::default(),
        }
    }

    /// Polls what `step` does until it is ready, at least whenever its deadline passes.
    async fn drive<T>(
        &mut self,
        mut step: impl FnMut(&mut Memory, &mut Polled<'_, '_, I>) -> (Poll<T>, Option<Duration>),
    ) -> T {
        let (mut read, mut blocked) = (0, false);
        poll_fn(|cx: &mut Context<'_>| {
            loop {
                let mut transport = Polled {
                    io: &mut self.io,
                    epoch: self.alarm.epoch(),
                    cx,
                    wakers: None,
                    read: &mut read,
                    blocked: &mut blocked,
                };
                let (polled, due) = step(&mut self.memory, &mut transport);
                if polled.is_ready() {
                    return polled;
                }
                if self.alarm.covers(due) || self.alarm.poll(due, cx).is_pending() {
                    self.memory.release();
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Writes an HTTP answer and ends the stream.
    async fn answer(&mut self, bytes: Bytes) -> Result<(), Error> {
        let mut answering = Answering::new(bytes);
        let answered = self
            .drive(|_, transport| (answering.poll(transport), answering.poll_timeout()))
            .await;
        Ok(answered?)
    }
}
