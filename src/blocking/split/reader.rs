//! The role that receives.

use core::fmt;
use core::time::Duration;
use std::io::{self, ErrorKind, Read};

use super::halves::ReadHalf;
use super::is_not_now;
use super::shared::{Shared, State};
use super::sync::Arc;
use crate::connection::{Event, Inbox, Outcome, ReceiveError, Received};
use crate::error::Error;
use crate::message::Message;

/// The half that receives, and never writes: what has to be answered is left to the
/// [`Writer`](super::Writer).
///
/// It has to be used all the time, since Pings, the peer's Close frame and its end are noticed here.
/// While nobody waits for the next event, a Pong that is missing is not held against the peer.
///
/// Dropping it closes the connection: what was sent before goes out, then a Close frame with
/// [1001](crate::CloseCode::GOING_AWAY). What the peer says after that is not read, so the end is
/// not clean; call [`Sender::close`](super::Sender::close) and go on until `None` if it has to be.
///
/// ```
/// # use fullduplex::{CloseCode, Config, Connection, Inbox, blocking};
/// let input: &[u8] = b"\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0"; // a text and a Close frame
/// let connection = Connection::server(&Config::default());
/// let (mut reader, _sender, writer) =
///     blocking::split_over(input, std::io::sink(), |_| Ok(()), connection, Inbox::new());
///
/// let writing = std::thread::spawn(|| writer.run());
/// assert_eq!(reader.recv()?.unwrap().as_text(), Some("hi"));
/// assert_eq!(reader.recv()?, None);
/// assert!(writing.join().unwrap().clean);
/// # Ok::<(), blocking::Error>(())
/// ```
pub struct Reader<R = ReadHalf> {
    read: R,
    inbox: Inbox,
    shared: Arc<Shared>,
}

impl<R: Read> Reader<R> {
    /// Waits for the next message; `None` when the connection was closed with a closing handshake.
    /// [Pieces](crate::Delivery::Pieces) of messages are [`next_event`](Self::next_event)s.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn recv(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match self.next_event()? {
                Some(event) => {
                    if let Some(message) = event.into_message() {
                        return Ok(Some(message));
                    }
                }
                None => return Ok(None),
            }
        }
    }

    /// Waits for the next event and lends it; `None` when the connection was closed with a closing
    /// handshake. The answers to Pings and to the peer's Close frame are queued already.
    ///
    /// The end of the connection is told when the transport has ended, for which the
    /// [`Writer`](super::Writer) has to be running.
    ///
    /// # Errors
    ///
    /// [`Error::Receive`] and [`Error::Io`] are the end of the connection. [`Error::WouldBlock`] if
    /// the stream does not block or has a read timeout that has passed; nothing is lost, call again.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Self {
            read,
            inbox,
            shared,
        } = self;
        let error = match receive(read, inbox, shared)? {
            Ok(Some(received)) => match shared.with(|state| state.connection.view(inbox, received))
            {
                Ok(event) => return Ok(Some(event)),
                Err(error) => Some(error),
            },
            Ok(None) => None,
            Err(error) => Some(error),
        };
        finish(read, shared)?;
        match error {
            None => Ok(None),
            Some(error) => Err(shared.with(|state| state.explain(error))),
        }
    }
}

impl<R> Reader<R> {
    pub(super) fn new(read: R, inbox: Inbox, shared: Arc<Shared>) -> Self {
        Self {
            read,
            inbox,
            shared,
        }
    }

    /// How the connection ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.outcome()
    }
}

/// The next thing received; `None` after the peer's Close frame.
fn receive(
    read: &mut impl Read,
    inbox: &mut Inbox,
    shared: &Shared,
) -> Result<Result<Option<Received>, ReceiveError>, Error> {
    loop {
        let found = shared.with(|state| {
            state.stop_reading();
            loop {
                match state.connection.advance(inbox) {
                    Ok(None) if state.connection.has_received_close() => return Some(Ok(None)),
                    Ok(None) => {}
                    found => return Some(found),
                }
                state.start_reading(shared.now());
                if !state.connection.has_failed() {
                    return None;
                }
                state.stop_reading();
            }
        });
        if let Some(found) = found {
            return Ok(found);
        }
        match read.read(inbox.spare(0)) {
            Ok(count) if count > 0 => inbox.received(count),
            result => {
                shared.with(|state| note(state, result, shared.now()))?;
                shared.wait_for(|state| state.is_settled().then_some(()));
            }
        }
    }
}

/// Takes note of a read that brought nothing to keep.
fn note(state: &mut State, result: io::Result<usize>, now: Duration) -> Result<(), Error> {
    state.stop_reading();
    match result {
        Ok(0) => state.read_ended(),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        Err(error) if is_not_now(&error) => {
            state.connection.handle_timeout(now); // nothing has come in time
            return Err(Error::WouldBlock);
        }
        Err(error) => state.read_failed(error),
    }
    Ok(())
}

/// Waits for the end of the transport, and drops what still comes.
fn finish(read: &mut impl Read, shared: &Shared) -> Result<(), Error> {
    let mut dropped = [0; 4096];
    loop {
        shared.wait_for(|state| state.is_settled().then_some(()));
        if shared.with(|state| state.is_over()) {
            return Ok(());
        }
        let result = read.read(&mut dropped);
        shared.with(|state| note(state, result, shared.now()))?;
    }
}

impl<R> Drop for Reader<R> {
    fn drop(&mut self) {
        self.shared.with(State::reader_gone);
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
