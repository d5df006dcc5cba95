//! An open WebSocket over a blocking stream.

use core::fmt;
use core::task::Poll;
use core::time::Duration;
use std::io::{Read, Write};

use super::stream::Stream;
use crate::connection::{Connection, Event, Inbox, Outcome, SendError};
use crate::driver::{Driver, Transport};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::message::Message;

/// A WebSocket over a blocking stream, for one thread.
///
/// [`recv`](Self::recv) waits for messages and does all that the protocol asks for meanwhile: it
/// answers Pings, replies to Close frames, keeps the connection alive, and writes what was
/// [`feed`](Self::feed)ed before it waits. So an application that wants deadlines kept has to be
/// reading.
///
/// Dropping it drops the stream, which the peer sees as an abnormal closure (1006);
/// [`close`](Self::close) says good-bye.
pub struct WebSocket<S> {
    driver: Driver,
    inbox: Inbox,
    stream: Stream<S>,
    read_timeout: Option<Duration>,
}

impl<S: Read + Write> WebSocket<S> {
    /// A WebSocket over `stream`, whose opening handshake is done. `inbox` holds what was read
    /// behind it.
    ///
    /// The deadlines of such a stream are only looked at when its calls return; give it read and
    /// write timeouts of its own if they are to be kept.
    pub fn new(stream: S, connection: Connection, inbox: Inbox) -> Self {
        Self::over(Stream::new(stream), connection, inbox)
    }

    pub(super) fn over(stream: Stream<S>, connection: Connection, inbox: Inbox) -> Self {
        Self {
            driver: Driver::new(connection),
            inbox,
            read_timeout: stream.read_timeout(),
            stream,
        }
    }

    /// Waits for the next message; `None` when the connection was closed with a closing handshake.
    /// [Pieces](crate::Delivery::Pieces) of messages are [`next_event`](Self::next_event)s.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`], after which nothing is lost; [`Error::Receive`] and [`Error::Io`] are
    /// the end of the connection.
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.next_event()? {
                Some((event, _)) => {
                    if let Some(message) = event.into_message() {
                        return Ok(Some(message));
                    }
                }
                None => return Ok(None),
            }
        }
    }

    /// Waits for the next event and lends it, beside the connection to answer on: what is sent
    /// there is written together, once nothing more is to be read without waiting. `None` when the
    /// connection was closed with a closing handshake.
    ///
    /// Sending on it is refused with [`SendError::Full`] when the peer does not read what it gets:
    /// check [`Connection::is_full`] before, and [`flush`](Self::flush) if it is.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn next_event(&mut self) -> Result<Option<(Event<'_>, &mut Connection)>, Error> {
        let give_up = self
            .read_timeout
            .map(|timeout| self.stream.now().saturating_add(timeout));
        let Self {
            driver,
            inbox,
            stream,
            ..
        } = self;
        let event = match driver.take_whole(inbox) {
            Some(whole) => driver.connection.lend_whole(inbox, whole),
            None => match driver.poll_received(inbox, stream, give_up) {
                Poll::Ready(Ok(Some(received))) => driver.view(inbox, received),
                Poll::Ready(Ok(None)) => return Ok(None),
                Poll::Ready(Err(failure)) => return Err(failure.into()),
                Poll::Pending => return Err(Error::WouldBlock),
            },
        };
        let error = match event {
            Ok(event) => return Ok(Some((event, &mut driver.connection))),
            Err(error) => error,
        };
        match driver.poll_fail(error, stream, give_up) {
            Poll::Ready(failure) => Err(failure.into()),
            Poll::Pending => Err(Error::WouldBlock),
        }
    }

    /// Sends a message: [`feed`](Self::feed) and [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As both. After [`Error::WouldBlock`] the message is queued: [`flush`](Self::flush) later.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message)?;
        self.flush()
    }

    /// Queues a message. It is written by the next [`flush`](Self::flush), or before the next
    /// [`recv`](Self::recv) waits. If the queue is full, it waits until that is written.
    ///
    /// Two ends that both write and do not read wait for each other. Who sends a lot to a peer that
    /// may do the same reads while [`Connection::is_full`], since reading never waits for writing.
    ///
    /// # Errors
    ///
    /// [`Error::Unsent`] with the message if the connection is closing, or if the queue is full and
    /// the stream does not block; as [`flush`](Self::flush) if the queue is full and the connection
    /// failed.
    pub fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.make_room()?;
        Ok(self.driver.connection.send(message)?)
    }

    /// Writes everything queued.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`], after which the rest is still queued; [`Error::Io`], or
    /// [`Error::Receive`] if the connection ended before everything was written.
    pub fn flush(&mut self) -> Result<(), Error> {
        match self.driver.poll_flush(&mut self.stream) {
            Poll::Ready(result) => Ok(result?),
            Poll::Pending => Err(Error::WouldBlock),
        }
    }

    /// Sends a Ping. Its Pong arrives as an [`next_event`](Self::next_event).
    ///
    /// # Errors
    ///
    /// [`Error::Send`], or as [`flush`](Self::flush).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.make_room()?;
        self.driver.connection.ping(payload)?;
        self.flush()
    }

    /// Closes the connection: sends a Close frame unless one was sent, waits for the peer's, ends
    /// the transport, and tells how it ended. Messages that arrive meanwhile are dropped; to
    /// receive them, call [`Connection::close`] on [`connection`](Self::connection) and go on
    /// reading until `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code or reason that cannot be sent, [`Error::WouldBlock`] as long as
    /// the peer has not answered over a stream that does not block: call again.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<Outcome, Error> {
        match self.driver.connection.close(code, reason) {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        match self.driver.poll_close(&mut self.inbox, &mut self.stream) {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => Err(Error::WouldBlock),
        }
    }

    /// How the connection ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.driver.connection.outcome()
    }

    /// Lets [`recv`](Self::recv) and [`next_event`](Self::next_event) return [`Error::WouldBlock`] when
    /// nothing has come for `timeout`. Kept over TCP, where it starts as the read timeout that the
    /// stream came with; other streams decide themselves how long they block.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    pub(super) fn read_timeout(&self) -> Option<Duration> {
        self.read_timeout
    }

    /// The connection, to ask for its state or to queue what the adapter has no method for.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.driver.connection
    }

    /// The stream. Reading from it or writing to it breaks the connection, and timeouts that are
    /// set on it are overruled.
    pub fn stream(&self) -> &S {
        &self.stream.io
    }

    fn make_room(&mut self) -> Result<(), Error> {
        if !self.driver.connection.is_full() {
            return Ok(());
        }
        match self.flush() {
            Err(Error::WouldBlock) => Ok(()), // the connection says what it still takes
            result => result,
        }
    }

    /// The stream and what belongs to it.
    pub fn into_parts(self) -> (S, Connection, Inbox) {
        (self.stream.into_io(), self.driver.connection, self.inbox)
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("connection", &self.driver.connection)
            .finish_non_exhaustive()
    }
}
