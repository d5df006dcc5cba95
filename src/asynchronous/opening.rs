//! The opening handshake over an async stream.
//!
//! These futures are large, and a task is as large as the largest of its futures for as long as it
//! lives: the adapters box them.

use alloc::boxed::Box;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;

use super::io::{Alarm, Io, Polled};
use super::memory::{Memory, take_buffer};
use super::websocket::WebSocket;
use crate::connection::{Config, Inbox, MaskKeys};
use crate::driver::{Accepting, Answering, Connecting, Driver, Transport};
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
pub enum Incoming<I: Io> {
    /// A WebSocket.
    Upgrade(Pending<I, Upgrade>),
    /// Something else.
    Http(Pending<I, HttpRequest>),
}

/// A request that awaits its answer. [`Incoming`] has an example.
pub struct Pending<I: Io, R>(Box<Asked<I, R>>);

struct Asked<I: Io, R> {
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
    let mut line = Line::new(io, Memory::default());
    let incoming = line
        .drive(|memory, transport| {
            let polled = accepting.poll(memory.inbox(), transport);
            (polled, accepting.poll_timeout())
        })
        .await?;
    Ok(match incoming {
        server::Incoming::Upgrade(request) => {
            Incoming::Upgrade(Pending(Box::new(Asked { line, request })))
        }
        server::Incoming::Http(request) => {
            Incoming::Http(Pending(Box::new(Asked { line, request })))
        }
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
                let _ = http.0.line.answer(response.to_bytes()).await;
            }
            Err(error.into())
        }
    }
}

/// Has a proxy open a tunnel, and gives the stream back with what was read behind its answer.
#[cfg(feature = "tokio")]
pub(crate) async fn open_tunnel<I: Io>(
    io: I,
    tunnel: client::Tunnel,
) -> Result<(I::Stream, Inbox), Error> {
    let mut connecting = Connecting::new(tunnel);
    let mut line = Line::new(io, Memory::default());
    line.drive(|memory, transport| {
        let polled = connecting.poll(memory.inbox(), transport);
        (polled, connecting.poll_timeout())
    })
    .await?;
    Ok((line.io.into_stream(), line.memory.into_inbox()))
}

/// Opens a WebSocket over a stream that is connected already. `inbox` holds what was read from it.
pub(crate) async fn connect_over<I: Io>(
    io: I,
    inbox: Inbox,
    request: Request,
    config: &Config,
) -> Result<Connected<I>, Error> {
    let handshake = client::Handshake::new(request, config.clone(), MaskKeys::thread());
    let mut connecting = Connecting::new(handshake);
    let mut line = Line::new(io, Memory::from(inbox));
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
        self.0.request.request()
    }

    /// The first of `preference` that the client offers too: the order is the server's.
    pub fn select_subprotocol<'p>(&self, preference: &[&'p str]) -> Option<&'p str> {
        self.0.request.select_subprotocol(preference)
    }

    /// Opens the connection. The client has the [deadline](crate::Timeouts::handshake) of a
    /// handshake once more to take the response.
    ///
    /// # Errors
    ///
    /// [`Error::Build`] if `acceptance` names a subprotocol that was not offered, which the client
    /// is told as an error of the server; [`HandshakeError::TimedOut`]; [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, so is the stream.
    pub async fn accept(self, acceptance: Acceptance) -> Result<WebSocket<I>, Error> {
        Box::pin(self.open(acceptance)).await
    }

    /// The request is answered before the future begins, which would hold it otherwise.
    fn open(self, acceptance: Acceptance) -> impl Future<Output = Result<WebSocket<I>, Error>> {
        let Asked { mut line, request } = *self.0;
        let patience = request.patience();
        let accepted = request.accept(acceptance).map(Driver::new);
        async move {
            match accepted {
                Ok(mut driver) => {
                    line.write(&mut driver, patience).await?;
                    let Line { io, alarm, memory } = line;
                    Ok(WebSocket::running(io, alarm, driver.connection, memory))
                }
                Err(error) => {
                    if let Ok(response) = Response::new(500) {
                        // What went wrong first is what counts.
                        let _ = line.answer(response.to_bytes()).await;
                    }
                    Err(error.into())
                }
            }
        }
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
    pub async fn reject(self, response: &Response) -> Result<(), Error> {
        let Asked { line, request } = *self.0;
        Box::pin(line.end(request.reject(response))).await
    }
}

impl<I: Io> Pending<I, HttpRequest> {
    /// The request.
    pub fn request(&self) -> &HttpRequest {
        &self.0.request
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
    pub async fn respond(self, response: &Response) -> Result<(), Error> {
        let Asked { line, request } = *self.0;
        Box::pin(line.end(request.respond(response))).await
    }
}

impl<I: Io, R> Pending<I, R> {
    /// The stream.
    pub fn stream(&self) -> &I::Stream {
        self.0.line.io.stream()
    }

    /// The stream, what was read from it behind the request, and the request, to be answered by
    /// other means.
    pub fn into_parts(self) -> (I::Stream, Inbox, R) {
        let Asked { line, request } = *self.0;
        (line.io.into_stream(), line.memory.into_inbox(), request)
    }
}

impl<I: Io, R: fmt::Debug> fmt::Debug for Pending<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("request", &self.0.request)
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
    fn new(io: I, memory: Memory) -> Self {
        Self {
            io,
            alarm: Alarm::new(),
            memory,
        }
    }

    /// Writes the response that the connection begins with.
    async fn write(
        &mut self,
        driver: &mut Driver,
        patience: Option<Duration>,
    ) -> Result<(), Error> {
        let deadline = patience.map(|patience| self.alarm.now().saturating_add(patience));
        self.drive(|_, transport| {
            let flushed = driver.poll_flush(transport).map_err(Error::from);
            let late = deadline.is_some_and(|deadline| deadline <= transport.now());
            if flushed.is_pending() && late {
                return (Poll::Ready(Err(HandshakeError::TimedOut.into())), None);
            }
            (flushed, deadline)
        })
        .await?;
        take_buffer(&mut driver.connection);
        Ok(())
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
                    alarm: &self.alarm,
                    time: Cell::new(None),
                    cx,
                    wakers: None,
                    read: &mut read,
                    blocked: &mut blocked,
                    yielded: false,
                };
                let (polled, due) = step(&mut self.memory, &mut transport);
                if polled.is_ready() {
                    return polled;
                }
                // Always, since another task may be polling than the last time.
                if self.alarm.poll(due, cx).is_pending() {
                    self.memory.release();
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Writes an HTTP answer, ends the stream and drops it.
    async fn end(mut self, bytes: Bytes) -> Result<(), Error> {
        self.answer(bytes).await
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
