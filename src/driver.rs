//! The one loop that every adapter shares: read, hand out events, flush, watch deadlines, end.
//!
//! It knows no opcode and no close code, and no runtime either: a [`Transport`] says what can be
//! done now, and what cannot is [`Poll::Pending`]. A blocking adapter waits inside the transport;
//! an async one registers its task there.

use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, IoSlice};

use bytes::Buf;

use crate::connection::{Connection, Event, Inbox, Outcome, ReceiveError, Received};

/// What is queued is written out when it has grown to this, even while more input waits: enough to
/// make a system call cheap, and no need to grow the queue further.
const FLUSH_AT: usize = 64 * 1024;

/// The most slices that one vectored write gathers.
const SLICES: usize = 16;

/// Something that moves bytes. `Pending` means "not now": nothing was read or written.
pub(crate) trait Transport {
    /// The time on the transport's clock.
    fn now(&self) -> Duration;

    /// Reads into `room`; 0 is the end of the stream. Returns by `deadline` on its own clock.
    fn poll_read(&mut self, room: &mut [u8], deadline: Option<Duration>)
    -> Poll<io::Result<usize>>;

    /// Writes a prefix of `slices`. Returns by `deadline` on its own clock.
    fn poll_write(
        &mut self,
        slices: &[IoSlice<'_>],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>>;

    /// Passes on what the transport itself has buffered.
    fn poll_flush(&mut self) -> Poll<io::Result<()>>;

    /// Ends the writing side. An error says that the stream can only be dropped.
    fn poll_shutdown(&mut self) -> Poll<io::Result<()>>;
}

/// What ended a connection, as far as the driver can tell.
#[derive(Debug)]
pub(crate) enum Failure {
    Receive(ReceiveError),
    Io(io::Error),
}

/// A connection with its memory, and how far its transport has been ended.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) connection: Connection,
    inbox: Inbox,
    line: Line,
}

/// The state of the transport, apart from the inbox, which an event may be borrowing.
#[derive(Debug, Default)]
struct Line {
    /// Bytes were written that the transport may still buffer.
    unflushed: bool,
    shut_down: bool,
    /// Why the transport takes or gives no more bytes.
    broken: Option<io::ErrorKind>,
}

impl Driver {
    pub(crate) fn new(connection: Connection, inbox: Inbox) -> Self {
        Self {
            connection,
            inbox,
            line: Line::default(),
        }
    }

    /// The next thing received, lent, beside the connection to answer on; `None` after the closing
    /// handshake, once the transport has ended.
    ///
    /// Before it waits, everything queued is written. After a failure it first sends what tells the
    /// peer, and ends the transport. Nothing is lost when it returns `Pending`, which it does at
    /// `give_up` at the latest if the transport keeps deadlines.
    pub(crate) fn poll_event(
        &mut self,
        transport: &mut impl Transport,
        give_up: Option<Duration>,
    ) -> Poll<Result<Option<(Event<'_>, &mut Connection)>, Failure>> {
        let Self {
            connection,
            inbox,
            line,
        } = self;
        let error = match ready!(poll_received(connection, inbox, line, transport, give_up)) {
            Ok(Some(received)) => match connection.view(inbox, received) {
                Ok(event) => return Poll::Ready(Ok(Some((event, connection)))),
                Err(error) => error,
            },
            Ok(None) => {
                ready!(line.poll_finish(connection, transport));
                return Poll::Ready(Ok(None));
            }
            Err(error) => error,
        };
        ready!(line.poll_finish(connection, transport));
        Poll::Ready(Err(match (error, line.broken) {
            (ReceiveError::UnexpectedEof, Some(kind)) => Failure::Io(kind.into()),
            (error, _) => Failure::Receive(error),
        }))
    }

    /// Writes everything queued.
    pub(crate) fn poll_flush(
        &mut self,
        transport: &mut impl Transport,
    ) -> Poll<Result<(), Failure>> {
        loop {
            let due = self.connection.poll_timeout();
            match self.line.poll_flush(&mut self.connection, transport) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Io(error))),
                Poll::Pending => {}
            }
            if due.is_none_or(|due| due > transport.now()) {
                return Poll::Pending;
            }
            self.connection.handle_timeout(transport.now());
        }
    }

    pub(crate) fn into_parts(self) -> (Connection, Inbox) {
        (self.connection, self.inbox)
    }

    /// Drops whatever still comes until the closing handshake is done or failed, and ends the
    /// transport. A Close frame has been queued before.
    pub(crate) fn poll_close(&mut self, transport: &mut impl Transport) -> Poll<Outcome> {
        loop {
            match ready!(self.poll_event(transport, None)) {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Poll::Ready(self.connection.outcome_so_far()),
            }
        }
    }
}

/// What the connection received, or `None` once the peer has closed.
fn poll_received(
    connection: &mut Connection,
    inbox: &mut Inbox,
    line: &mut Line,
    transport: &mut impl Transport,
    give_up: Option<Duration>,
) -> Poll<Result<Option<Received>, ReceiveError>> {
    loop {
        if connection.queued() >= FLUSH_AT {
            // Whatever comes of it, go on: the queue has a bound of its own.
            let _ = line.poll_flush(connection, transport);
        }
        if let Some(received) = connection.advance(inbox)? {
            return Poll::Ready(Ok(Some(received)));
        }
        if connection.has_received_close() {
            return Poll::Ready(Ok(None));
        }
        connection.handle_timeout(transport.now());
        let _ = line.poll_flush(connection, transport);
        let due = connection.poll_timeout();
        match transport.poll_read(inbox.spare(0), earlier(due, give_up)) {
            Poll::Ready(Ok(0)) => connection.received_eof(),
            Poll::Ready(Ok(count)) => inbox.received(count),
            Poll::Ready(Err(error)) => {
                line.broken.get_or_insert_with(|| error.kind());
                connection.received_eof();
            }
            Poll::Pending => {
                if due.is_none_or(|due| due > transport.now()) {
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Line {
    /// Writes everything that `connection` has queued, unless writing failed before.
    fn poll_flush(
        &mut self,
        connection: &mut Connection,
        transport: &mut impl Transport,
    ) -> Poll<io::Result<()>> {
        if let Some(kind) = self.broken {
            return Poll::Ready(Err(kind.into()));
        }
        let result = ready!(self.poll_write_all(connection, transport));
        if let Err(error) = &result {
            self.broken = Some(error.kind());
        }
        Poll::Ready(result)
    }

    fn poll_write_all(
        &mut self,
        connection: &mut Connection,
        transport: &mut impl Transport,
    ) -> Poll<io::Result<()>> {
        while connection.wants_write() {
            let due = connection.poll_timeout();
            let outgoing = connection.outgoing();
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = outgoing.chunks_vectored(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let count = ready!(transport.poll_write(slices, due))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // A transport that claims more than it was given would break the queue.
            let count = count.min(outgoing.remaining());
            outgoing.advance(count);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(transport.poll_flush())?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the last frames and ends the transport: the writing side first, then the reading side
    /// when the peer has ended, too, or took too long. Bytes that still come are dropped.
    fn poll_finish(
        &mut self,
        connection: &mut Connection,
        transport: &mut impl Transport,
    ) -> Poll<()> {
        loop {
            connection.handle_timeout(transport.now());
            let _ = self.poll_flush(connection, transport); // a broken line is noted
            let due_to_end = connection.wants_shutdown() || self.broken.is_some();
            if due_to_end && !self.shut_down {
                self.shut_down = true;
                if ready!(transport.poll_shutdown()).is_err() {
                    connection.received_eof();
                }
            }
            if !connection.wants_read() {
                connection.received_eof();
                return Poll::Ready(());
            }
            let due = connection.poll_timeout();
            let mut dropped = [0; 4096];
            match transport.poll_read(&mut dropped, due) {
                Poll::Ready(Ok(0) | Err(_)) => connection.received_eof(),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    if due.is_none_or(|due| due > transport.now()) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// The earlier of two deadlines.
fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
