//! WebSockets for any async runtime: over everything that is `futures-io`'s [`AsyncRead`] +
//! [`AsyncWrite`] + [`Unpin`], as the streams of smol and async-std are.
//!
//! Deadlines are kept by `futures-timer`, which brings a thread of its own for all of them.
//!
//! ```
//! use fullduplex::handshake::{OriginPolicy, client::Request, server::Options};
//! use fullduplex::{CloseCode, Config, Message, futures as ws};
//! use smol::net::{TcpListener, TcpStream};
//!
//! # smol::block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let server = smol::spawn(async move {
//!     let (stream, _) = listener.accept().await?;
//!     let mut socket = ws::accept(stream, &Options::new(OriginPolicy::any())).await?;
//!     while let Some(message) = socket.recv().await? {
//!         socket.feed(message).await?; // written when nothing is left to be received
//!     }
//!     Ok::<(), fullduplex::Error>(())
//! });
//!
//! let stream = TcpStream::connect(address).await?;
//! stream.set_nodelay(true)?;
//! let request = Request::new(&format!("ws://{address}/"))?;
//! let mut socket = ws::connect_over(stream, request, &Config::default()).await?.socket;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?, Some(Message::text("hello")));
//! let outcome = socket.close(CloseCode::NORMAL, "done").await?;
//! assert!(outcome.clean);
//! server.await?;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::boxed::Box;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use futures_timer::Delay;

use crate::asynchronous::{self as shared, Clock, sealed::Sealed};
pub use crate::asynchronous::{NotTogether, Shutdown};
use crate::connection::{Config, Connection, Inbox};
pub use crate::error::Error;
use crate::handshake::client::Request;
use crate::handshake::server::Options;

/// A WebSocket over a stream of `futures-io`.
pub type WebSocket<T> = shared::WebSocket<Io<T>>;

/// The half of a [`WebSocket`] that receives.
pub type Reader<T> = shared::Reader<Io<T>>;

/// The half of a [`WebSocket`] that sends.
pub type Writer<T> = shared::Writer<Io<T>>;

/// What a client asks for, with the stream to answer on.
pub type Incoming<T> = shared::Incoming<Io<T>>;

/// A request that awaits its answer.
pub type Pending<T, R> = shared::Pending<Io<T>, R>;

/// An open WebSocket, and what the server said when it agreed.
pub type Connected<T> = shared::Connected<Io<T>>;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// A WebSocket over `stream`, whose opening handshake is done. `inbox` holds what was read
    /// behind it.
    pub fn new(stream: T, connection: Connection, inbox: Inbox) -> Self {
        Self::over(Io(stream), connection, inbox)
    }
}

/// Accepts a WebSocket over `stream`, whatever its path. Anything else gets its HTTP answer.
///
/// To look at the request first, or to serve pages on the same port, use [`receive`]. Streams over
/// TCP should not delay small packets: set their `nodelay`.
///
/// # Errors
///
/// [`Error::Handshake`] when the request was refused, and [`Error::Io`].
///
/// # Cancel safety
///
/// If the future is dropped, so is the stream.
pub async fn accept<T>(stream: T, options: &Options) -> Result<WebSocket<T>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    Box::pin(shared::accept(Io(stream), options)).await
}

/// Reads the request of a client, for the application to decide on.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// As [`accept`].
pub async fn receive<T>(stream: T, options: &Options) -> Result<Incoming<T>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    Box::pin(shared::receive(Io(stream), options)).await
}

/// Opens a WebSocket over a stream that is connected already, with TLS or without: which sockets a
/// runtime has is known to the application only.
///
/// # Errors
///
/// [`Error::Io`], and [`Error::Handshake`] when the server refused.
///
/// # Cancel safety
///
/// If the future is dropped, so is the stream.
pub async fn connect_over<T>(
    stream: T,
    request: Request,
    config: &Config,
) -> Result<Connected<T>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    Box::pin(shared::connect_over(
        Io(stream),
        Inbox::new(),
        request,
        config,
    ))
    .await
}

/// A stream of `futures-io`, as the adapters see it.
///
/// ```
/// fn describe<I: fullduplex::asynchronous::Io>(socket: &fullduplex::asynchronous::WebSocket<I>) {
///     println!("{socket:?}");
/// }
///
/// fn both(socket: &fullduplex::futures::WebSocket<smol::net::TcpStream>) {
///     describe(socket); // an `asynchronous::WebSocket<futures::Io<TcpStream>>`
/// }
/// ```
pub struct Io<T>(T);

impl<T> Sealed for Io<T> {}

impl<T: AsyncRead + AsyncWrite + Unpin> shared::Io for Io<T> {
    type Stream = T;
    type Clock = System;

    fn stream(&self) -> &T {
        &self.0
    }

    fn into_stream(self) -> T {
        self.0
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let most = room.len();
        Pin::new(&mut self.0)
            .poll_read(cx, room)
            .map(|result| match result {
                Ok(count) if count > most => Err(io::Error::new(
                    ErrorKind::InvalidData,
                    "the stream claims more bytes than it was given room for",
                )),
                result => result,
            })
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.0);
        match slices {
            [slice] => stream.poll_write(cx, slice),
            slices => stream.poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl<T> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

/// The system's clock.
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub struct System;

impl Sealed for System {}

impl Clock for System {
    type Instant = Instant;
    type Timer = Delay;

    fn now() -> Instant {
        Instant::now()
    }

    fn elapsed(since: Instant) -> Duration {
        since.elapsed()
    }

    fn timer(epoch: Instant, after: Duration) -> Delay {
        Delay::new(after.saturating_sub(epoch.elapsed()))
    }

    fn reset(timer: &mut Delay, epoch: Instant, after: Duration) {
        timer.reset(after.saturating_sub(epoch.elapsed()));
    }

    fn poll_timer(timer: &mut Delay, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(timer).poll(cx)
    }
}
