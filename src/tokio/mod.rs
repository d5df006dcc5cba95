//! WebSockets over tokio's streams: anything that is [`AsyncRead`] + [`AsyncWrite`] + [`Unpin`].
//!
//! A server gets a [`WebSocket`] from [`accept`], or from [`receive`] if it wants to look at the
//! request first or to serve pages on the same port. A client gets one from [`connect()`].
//! [`Shutdown`] closes all connections of a server.
//!
//! ```
//! use fullduplex::handshake::{OriginPolicy, server::Options};
//! use fullduplex::{CloseCode, Message, tokio as ws};
//! use tokio::net::TcpListener;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/", listener.local_addr()?);
//! let server = tokio::spawn(async move {
//!     let (stream, _) = listener.accept().await?;
//!     let mut socket = ws::accept(stream, &Options::new(OriginPolicy::any())).await?;
//!     while let Some(message) = socket.recv().await? {
//!         socket.feed(message).await?; // written when nothing is left to be received
//!     }
//!     Ok::<(), fullduplex::Error>(())
//! });
//!
//! let mut socket = ws::connect(&url).await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?, Some(Message::text("hello")));
//! let outcome = socket.close(CloseCode::NORMAL, "done").await?;
//! assert!(outcome.clean);
//! server.await??;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deadlines, and refusing a request, need the runtime's timer (`enable_time`). Without one, tokio
//! panics where the first deadline is set; all [`Timeouts`](crate::Timeouts) can be switched off.

mod connect;
mod maybe_tls;

use alloc::boxed::Box;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{self, IoSlice};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

pub use self::connect::{connect, connect_to};
pub use self::maybe_tls::MaybeTls;
use crate::asynchronous::{self as shared, Clock, sealed::Sealed};
pub use crate::asynchronous::{NotTogether, Shutdown};
use crate::connection::{Config, Connection, Inbox};
pub use crate::error::Error;
use crate::handshake::client::Request;
use crate::handshake::server::Options;

/// A WebSocket over a stream of tokio's.
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
/// To look at the request first, or to serve pages on the same port, use [`receive`].
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

/// As [`accept`], with small packets sent at once.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// As [`accept`].
pub async fn accept_tcp(
    stream: TcpStream,
    options: &Options,
) -> Result<WebSocket<TcpStream>, Error> {
    stream.set_nodelay(true)?;
    accept(stream, options).await
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

/// As [`receive`], with small packets sent at once.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// As [`accept`].
pub async fn receive_tcp(
    stream: TcpStream,
    options: &Options,
) -> Result<Incoming<TcpStream>, Error> {
    stream.set_nodelay(true)?;
    receive(stream, options).await
}

/// Opens a WebSocket over a stream that is connected already: TLS, a proxy, a Unix socket.
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

/// A stream of tokio's, as the adapters see it.
///
/// ```
/// fn describe<I: fullduplex::asynchronous::Io>(socket: &fullduplex::asynchronous::WebSocket<I>) {
///     println!("{socket:?}");
/// }
///
/// fn both(socket: &fullduplex::tokio::WebSocket<tokio::net::TcpStream>) {
///     describe(socket); // an `asynchronous::WebSocket<tokio::Io<TcpStream>>`
/// }
/// ```
pub struct Io<T>(T);

impl<T> Sealed for Io<T> {}

impl<T: AsyncRead + AsyncWrite + Unpin> shared::Io for Io<T> {
    type Stream = T;
    type Clock = Tokio;

    fn stream(&self) -> &T {
        &self.0
    }

    fn into_stream(self) -> T {
        self.0
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
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
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<T> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

/// The clock of tokio.
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub struct Tokio;

impl Sealed for Tokio {}

impl Clock for Tokio {
    type Instant = Instant;
    type Timer = Pin<Box<Sleep>>;

    fn now() -> Instant {
        Instant::now()
    }

    fn elapsed(since: Instant) -> Duration {
        since.elapsed()
    }

    fn timer(epoch: Instant, after: Duration) -> Self::Timer {
        Box::pin(sleep_until(moment(epoch, after)))
    }

    fn reset(timer: &mut Self::Timer, epoch: Instant, after: Duration) {
        timer.as_mut().reset(moment(epoch, after));
    }

    fn poll_timer(timer: &mut Self::Timer, cx: &mut Context<'_>) -> Poll<()> {
        timer.as_mut().poll(cx)
    }
}

/// A deadline beyond what the clock can say is as good as one in a year: whoever is woken by it
/// sets it again.
fn moment(epoch: Instant, after: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    epoch
        .checked_add(after)
        .unwrap_or_else(|| Instant::now() + YEAR)
}
