//! An open WebSocket over a stream of an async runtime.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::core::Core;
use super::io::{Alarm, Io};
use super::memory::Memory;
use super::shutdown::Shutdown;
use super::split::{Reader, Writer};
use super::sync::Mutex;
use crate::connection::{Connection, Event, Inbox, Outcome};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::message::Message;

/// A WebSocket over an async stream.
///
/// Receiving does all that the protocol asks for: it answers Pings, replies to Close frames, keeps
/// the connection alive, and writes what was [`feed`](Self::feed)ed before it waits. So an
/// application that wants deadlines kept has to be receiving. Only receiving reads. A peer that
/// never stops sending does not keep the task from yielding.
///
/// It is a [`Stream`] of messages and a [`Sink`] for them, too. The stream ends after the closing
/// handshake or after its first error; closing the sink sends a Close frame and does not wait for
/// the peer's, which is for the stream to receive.
///
/// While it waits for its peer, it holds no buffer. Dropping it drops the stream, which the peer
/// sees as an abnormal closure (1006); [`close`](Self::close) says good-bye.
///
/// # Cancel safety
///
/// All methods are cancel safe: what has been read is in the connection before a future returns, a
/// message is queued whole or not at all, and nothing is written twice.
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use fullduplex::{CloseCode, Config, Connection, Inbox, MaskKeys, Message};
/// use fullduplex::tokio::WebSocket;
///
/// let (here, there) = tokio::io::duplex(1024);
/// let config = Config::default();
/// let client = Connection::client(&config, MaskKeys::thread());
/// let mut client = WebSocket::new(here, client, Inbox::new());
/// let mut server = WebSocket::new(there, Connection::server(&config), Inbox::new());
///
/// client.send("hello").await?;
/// assert_eq!(server.recv().await?, Some(Message::text("hello")));
/// let (end, closed) = tokio::join!(server.recv(), client.close(CloseCode::NORMAL, "done"));
/// assert_eq!(end?, None);
/// assert!(closed?.clean);
/// # Ok::<(), fullduplex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WebSocket<I: Io>(Box<Parts<I>>);

/// What a WebSocket is made of. It is boxed, since futures tend to hold what they are given twice.
struct Parts<I: Io> {
    core: Core<I>,
    memory: Memory,
    /// Whether the stream of messages has ended.
    ended: bool,
}

impl<I: Io> WebSocket<I> {
    pub(crate) fn over(io: I, connection: Connection, inbox: Inbox) -> Self {
        Self::running(io, Alarm::new(), connection, Memory::from(inbox))
    }

    pub(super) fn running(
        io: I,
        alarm: Alarm<I::Clock>,
        connection: Connection,
        memory: Memory,
    ) -> Self {
        Self::from_core(Core::new(io, alarm, connection), memory, false)
    }

    pub(super) fn from_core(core: Core<I>, memory: Memory, ended: bool) -> Self {
        Self(Box::new(Parts {
            core,
            memory,
            ended,
        }))
    }

    /// Waits for the next message; `None` when the connection was closed with a closing handshake.
    /// [Pieces](crate::Delivery::Pieces) of messages are [`next_event`](Self::next_event)s.
    ///
    /// # Errors
    ///
    /// [`Error::Receive`] and [`Error::Io`] are the end of the connection.
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
        let Parts { core, memory, .. } = &mut *self.0;
        core.poll_message(cx, memory)
    }

    /// Waits for the next event and lends it, beside the connection to answer on: what is sent
    /// there is written together, once nothing more is to be read without waiting. `None` when the
    /// connection was closed with a closing handshake.
    ///
    /// A binary message of 32 KiB or more is sent on without a copy as
    /// [`into_bytes`](crate::connection::Binary::into_bytes). When it was written, the next large
    /// message is received into its memory.
    ///
    /// Sending on it is refused with [`SendError::Full`](crate::SendError::Full) when the peer does
    /// not read what it gets: check [`Connection::is_full`] before, and [`flush`](Self::flush) if
    /// it is.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no event is lost.
    pub async fn next_event(&mut self) -> Result<Option<(Event<'_>, &mut Connection)>, Error> {
        let Parts { core, memory, .. } = &mut *self.0;
        // In a block of its own, so that the future has no room for an event.
        {
            let event = loop {
                if let Some(whole) = core.take_whole(memory) {
                    break core.lend_whole(memory, whole);
                }
                if poll_fn(|cx| core.poll_news(cx, memory)).await {
                    continue;
                }
                match poll_fn(|cx| core.poll_received(cx, memory)).await? {
                    Some(received) => break core.lend(memory, received),
                    None => return Ok(None),
                }
            };
            if let Ok(event) = event {
                return Ok(Some((event, core.answering())));
            }
        }
        // What cannot be lent ends the connection.
        Err(poll_fn(|cx| core.poll_failed(cx)).await)
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
            self.make_room().await?;
            self.0.core.queue(message.into())?;
            self.flush().await
        }
    }

    /// Queues a message. It is written by the next [`flush`](Self::flush), or before the next
    /// [`recv`](Self::recv) waits. If the queue is full, it first waits for room.
    ///
    /// Two ends that both send and do not receive wait for each other. Who sends a lot to a peer
    /// that may do the same [`split`](Self::split)s, and receives in another task.
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
            self.make_room().await?;
            self.0.core.queue(message.into())
        }
    }

    /// Waits until a message can be queued.
    #[inline]
    async fn make_room(&mut self) -> Result<(), Error> {
        if self.0.core.connection().is_full() {
            poll_fn(|cx| self.0.core.poll_ready(cx)).await?;
        }
        Ok(())
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
        poll_fn(|cx| self.0.core.poll_flush(cx)).await
    }

    /// Sends a Ping with a payload of at most 125 bytes. Its Pong arrives as an
    /// [event](Self::next_event).
    ///
    /// # Errors
    ///
    /// [`Error::Send`], or as [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.0.core.poll_ready(cx)).await?;
        self.0.core.queue_ping(payload)?;
        self.flush().await
    }

    /// Closes the connection: sends a Close frame unless one was sent, waits for the peer's, ends
    /// the transport, and tells how it ended. Messages that arrive meanwhile are dropped; to
    /// receive them, call [`Connection::close`] on [`connection`](Self::connection) and go on
    /// receiving until `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code or reason that cannot be sent.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection goes on closing: call it again, or receive.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Outcome, Error> {
        let Parts { core, memory, .. } = &mut *self.0;
        core.queue_close(code, reason)?;
        Ok(poll_fn(|cx| core.poll_close(cx, memory)).await)
    }

    /// Takes part in `shutdown` until the connection ends or is dropped, before and after a
    /// [`split`](Self::split): when `shutdown` closes all, it is closed as by [`Writer::close`]. If
    /// that has begun already, the Close frame is queued at once. It leaves any other shutdown.
    pub fn close_on(&mut self, shutdown: &Shutdown) {
        self.0.core.attach(shutdown);
    }

    /// How the connection ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.core.connection().outcome()
    }

    /// The connection, to ask for its state or to queue what the adapter has no method for.
    pub fn connection(&mut self) -> &mut Connection {
        self.0.core.connection_mut()
    }

    /// The stream. Reading from it or writing to it breaks the connection.
    pub fn stream(&self) -> &I::Stream {
        self.0.core.io().stream()
    }

    /// The stream and what belongs to it.
    pub fn into_parts(self) -> (I::Stream, Connection, Inbox) {
        let Parts { core, memory, .. } = *self.0;
        let (io, connection) = core.into_parts();
        (io.into_stream(), connection, memory.into_inbox())
    }

    /// Two halves for two tasks, one that receives and one that sends.
    pub fn split(self) -> (Reader<I>, Writer<I>) {
        let Parts {
            mut core,
            memory,
            ended,
        } = *self.0;
        core.share();
        let core = Arc::new(Mutex::new(core));
        let reader = Reader::new(Arc::clone(&core), memory, ended);
        (reader, Writer::new(core))
    }
}

impl<I: Io> Stream for WebSocket<I> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.0.ended {
            return Poll::Ready(None);
        }
        let item = ready!(this.poll_recv(cx)).transpose();
        this.0.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl<I: Io> FusedStream for WebSocket<I> {
    fn is_terminated(&self) -> bool {
        self.0.ended
    }
}

impl<I: Io> Sink<Message> for WebSocket<I> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().0.core.poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().0.core.queue(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().0.core.poll_flush(cx)
    }

    /// Sends a Close frame with code 1000. The peer's is for the stream to receive.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let core = &mut self.get_mut().0.core;
        core.queue_close(CloseCode::NORMAL, "")?;
        core.poll_flush(cx)
    }
}

impl<I: Io> fmt::Debug for WebSocket<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("connection", &self.0.core)
            .finish_non_exhaustive()
    }
}
