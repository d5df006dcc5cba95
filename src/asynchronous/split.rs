//! The two halves of a WebSocket, for two tasks.

use alloc::sync::Arc;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::PoisonError;

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::core::Core;
use super::io::Io;
use super::memory::Memory;
use super::shutdown::Shutdown;
use super::sync::{Mutex, MutexGuard};
use super::websocket::WebSocket;
use crate::connection::{Event, Outcome};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::message::Message;

/// What both halves share. It is locked for the time of one poll, never across an await.
type Shared<I> = Arc<Mutex<Core<I>>>;

/// The half of a [`WebSocket`] that receives; see [`WebSocket::split`].
///
/// It answers Pings and Close frames and watches the deadlines, so it has to be polled for the
/// connection to live. Once it is dropped nothing is received any more.
///
/// All methods are cancel safe.
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use fullduplex::{CloseCode, Config, Connection, Inbox, MaskKeys, Message};
/// # use fullduplex::tokio::WebSocket;
/// # let (here, there) = tokio::io::duplex(1024);
/// # let client = Connection::client(&Config::default(), MaskKeys::thread());
/// # let mut client = WebSocket::new(here, client, Inbox::new());
/// # let server = Connection::server(&Config::default());
/// # let server = WebSocket::new(there, server, Inbox::new());
/// let (mut reader, mut writer) = server.split();
/// let sending = tokio::spawn(async move {
///     writer.send("tick").await?;
///     writer.close(CloseCode::NORMAL, "").await
/// });
/// # let other = tokio::spawn(async move { while client.recv().await?.is_some() {} Ok::<_, fullduplex::Error>(()) });
/// while let Some(message) = reader.recv().await? {
///     println!("{message:?}");
/// }
/// assert!(reader.outcome().is_some_and(|outcome| outcome.clean));
/// # sending.await.unwrap()?; other.await.unwrap()?;
/// # Ok::<(), fullduplex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader<I: Io> {
    shared: Shared<I>,
    memory: Memory,
    ended: bool,
}

/// The half of a [`WebSocket`] that sends; see [`WebSocket::split`].
///
/// Dropping it does not close the connection: the other half goes on receiving and answering.
/// When both are dropped, so is the stream. All methods are cancel safe; [`Reader`] has an example.
pub struct Writer<I: Io> {
    shared: Shared<I>,
}

/// Halves that do not belong together.
///
/// It is what [`Reader::reunite`] gives back.
#[derive(Debug, thiserror::Error)]
#[error("the halves are of different connections")]
#[non_exhaustive]
pub struct NotTogether<I: Io> {
    /// The half that receives.
    pub reader: Reader<I>,
    /// The half that sends.
    pub writer: Writer<I>,
}

impl<I: Io> Reader<I> {
    pub(super) fn new(shared: Shared<I>, memory: Memory, ended: bool) -> Self {
        Self {
            shared,
            memory,
            ended,
        }
    }

    /// Waits for the next message; `None` when the connection was closed with a closing handshake.
    ///
    /// # Errors
    ///
    /// [`Error::Receive`] and [`Error::Io`] are the end of the connection, for both halves.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        lock(&self.shared).poll_message(cx, &mut self.memory)
    }

    /// Waits for the next event and lends it. `None` when the connection was closed with a closing
    /// handshake.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no event is lost.
    pub async fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Self { shared, memory, .. } = self;
        match poll_fn(|cx| lock(shared).poll_received(cx, memory)).await? {
            None => return Ok(None),
            Some(received) => {
                if let Ok(event) = lock(shared).lend(memory, received) {
                    return Ok(Some(event));
                }
            }
        }
        // What cannot be lent ends the connection.
        Err(poll_fn(|cx| lock(shared).poll_failed(cx)).await)
    }

    /// How the connection ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        lock(&self.shared).connection().outcome()
    }

    /// Whether `writer` is the other half of the same connection.
    pub fn is_pair_of(&self, writer: &Writer<I>) -> bool {
        Arc::ptr_eq(&self.shared, &writer.shared)
    }

    /// Puts the halves together again.
    ///
    /// # Errors
    ///
    /// [`NotTogether`] with both of them if they are of different connections.
    pub fn reunite(self, writer: Writer<I>) -> Result<WebSocket<I>, NotTogether<I>> {
        if !self.is_pair_of(&writer) {
            return Err(NotTogether {
                reader: self,
                writer,
            });
        }
        let Self {
            shared,
            memory,
            ended,
        } = self;
        drop(shared);
        match Arc::try_unwrap(writer.shared) {
            Ok(core) => {
                let core = core.into_inner().unwrap_or_else(PoisonError::into_inner);
                Ok(WebSocket::from_core(core, memory, ended))
            }
            // There are never more than two.
            Err(shared) => Err(NotTogether {
                reader: Self::new(Arc::clone(&shared), memory, ended),
                writer: Writer::new(shared),
            }),
        }
    }
}

impl<I: Io> Writer<I> {
    pub(super) fn new(shared: Shared<I>) -> Self {
        Self { shared }
    }

    /// Sends a message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As both.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message has been queued whole or not at all. If it was,
    /// whatever writes next writes it.
    #[expect(clippy::manual_async_fn, reason = "one would hold the message twice")]
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        async move {
            poll_fn(|cx| lock(&self.shared).poll_ready(cx)).await?;
            lock(&self.shared).queue(message.into())?;
            self.flush().await
        }
    }

    /// Queues a message, to be written by the next [`flush`](Self::flush). If the queue is full,
    /// it first waits for room.
    ///
    /// # Errors
    ///
    /// [`Error::Unsent`] with the message if the connection is closing; as
    /// [`flush`](Self::flush) if there was no room and the connection failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message has not been queued, and is dropped with it.
    #[expect(clippy::manual_async_fn, reason = "one would hold the message twice")]
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        async move {
            poll_fn(|cx| lock(&self.shared).poll_ready(cx)).await?;
            lock(&self.shared).queue(message.into())
        }
    }

    /// Writes everything queued.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Receive`] if the connection ended before everything was written.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the rest is still queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| lock(&self.shared).poll_flush(cx)).await
    }

    /// Sends a Ping with a payload of at most 125 bytes. Its Pong arrives as an
    /// [event](Reader::next_event) at the other half.
    ///
    /// # Errors
    ///
    /// [`Error::Send`], or as [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| lock(&self.shared).poll_ready(cx)).await?;
        lock(&self.shared).queue_ping(payload)?;
        self.flush().await
    }

    /// Starts the closing handshake: sends a Close frame, unless one was sent. The other half
    /// receives what still comes, and then its end.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code or reason that cannot be sent, or as [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the Close frame is queued if it was polled at all.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        lock(&self.shared).queue_close(code, reason)?;
        self.flush().await
    }

    /// As [`WebSocket::close_on`], for both halves.
    pub fn close_on(&mut self, shutdown: &Shutdown) {
        lock(&self.shared).attach(shutdown);
    }

    /// Bytes that are queued and not written yet, automatic answers aside.
    pub fn queued(&self) -> usize {
        lock(&self.shared).connection().queued()
    }

    /// How the connection ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        lock(&self.shared).connection().outcome()
    }
}

impl<I: Io> Stream for Reader<I> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let item = ready!(this.poll_recv(cx)).transpose();
        this.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl<I: Io> FusedStream for Reader<I> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<I: Io> Sink<Message> for Writer<I> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        lock(&self.shared).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        lock(&self.shared).queue(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        lock(&self.shared).poll_flush(cx)
    }

    /// Sends a Close frame with code 1000. The peer's is for the other half to receive.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut core = lock(&self.shared);
        core.queue_close(CloseCode::NORMAL, "")?;
        core.poll_flush(cx)
    }
}

impl<I: Io> fmt::Debug for Reader<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl<I: Io> fmt::Debug for Writer<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// A stream that panics while it is polled leaves the connection as it was before the call.
fn lock<I: Io>(shared: &Shared<I>) -> MutexGuard<'_, Core<I>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
