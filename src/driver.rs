//! The one loop that every adapter shares: read, hand out events, flush, watch deadlines, end.
//!
//! It knows no opcode and no close code, and no runtime either: a [`Transport`] says what can be
//! done now, and what cannot is [`Poll::Pending`]. A blocking adapter waits inside the transport;
//! an async one registers its task there.

use alloc::string::ToString;
use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, IoSlice};

use bytes::Buf;

use crate::connection::{Connection, Event, Inbox, Outcome, ReceiveError, Received, State};

/// What is queued is written out when it has grown to this, even while more input waits: enough to
/// make a system call cheap, and no need to grow the queue further.
const FLUSH_AT: usize = 64 * 1024;

/// After a write that had to wait, so many reads come first while they find something. Each write
/// that waits costs a turn, and the peer may be waiting for us to read.
const READS_FIRST: u8 = 16;

/// The most slices that one vectored write gathers.
const SLICES: usize = 16;

/// Something that moves bytes. `Pending` means "not now": nothing was read or written.
pub(crate) trait Transport {
    /// The time on the transport's clock.
    fn now(&self) -> Duration;

    /// How long to wait in one direction while bytes may be moved in the other; `None` for a
    /// transport that does not wait inside its calls.
    fn turn(&self) -> Option<Duration>;

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
    /// How many reads come before the next write.
    reads_first: u8,
    /// The peer has ended its side, but is still owed our last frames.
    read_ended: bool,
    shut_down: bool,
    /// Why the transport takes or gives no more bytes.
    broken: Option<io::Error>,
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
                ready!(line.poll_finish(connection, transport, give_up));
                return Poll::Ready(Ok(None));
            }
            Err(error) => error,
        };
        ready!(line.poll_finish(connection, transport, give_up));
        Poll::Ready(Err(match (error, &line.broken) {
            (ReceiveError::UnexpectedEof, Some(error)) => Failure::Io(repeat(error)),
            (error, _) => Failure::Receive(error),
        }))
    }

    /// Writes everything queued.
    pub(crate) fn poll_flush(
        &mut self,
        transport: &mut impl Transport,
    ) -> Poll<Result<(), Failure>> {
        let connection = &mut self.connection;
        loop {
            match self.line.poll_flush(connection, transport, None) {
                Poll::Ready(Ok(())) => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Io(error))),
                Poll::Pending => {}
            }
            let now = transport.now();
            if connection.poll_timeout().is_none_or(|due| due > now) {
                return Poll::Pending;
            }
            connection.handle_timeout(now);
        }
        if connection.state() == State::Closed && connection.queued() > 0 {
            // What is left can never be written.
            return Poll::Ready(Err(match connection.outcome_so_far().cause {
                Some(cause) => Failure::Receive(cause),
                None => Failure::Io(io::ErrorKind::BrokenPipe.into()),
            }));
        }
        Poll::Ready(Ok(()))
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
            let turn = end_of_turn(transport);
            let _ = line.poll_flush_in_turn(connection, transport, turn, give_up);
        }
        if let Some(received) = connection.advance(inbox)? {
            return Poll::Ready(Ok(Some(received)));
        }
        if connection.has_received_close() {
            return Poll::Ready(Ok(None));
        }
        connection.handle_timeout(transport.now());
        if connection.has_failed() {
            continue; // a deadline passed: nothing that could still come counts
        }
        let turn = end_of_turn(transport);
        let flushed = line.poll_flush_in_turn(connection, transport, turn, give_up);
        let turn = end_of_turn(transport).filter(|_| flushed.is_pending());
        let due = connection.poll_timeout();
        match transport.poll_read(inbox.spare(0), earlier(turn, earlier(due, give_up))) {
            Poll::Ready(Ok(0)) => connection.received_eof(),
            Poll::Ready(Ok(count)) => inbox.received(count),
            Poll::Ready(Err(error)) => {
                line.broken.get_or_insert(error);
                connection.received_eof();
            }
            // What came before writing failed has been delivered, and more need not come.
            Poll::Pending if line.broken.is_some() => connection.received_eof(),
            Poll::Pending => {
                line.reads_first = 0;
                if !goes_on(transport.now(), due, turn, give_up) {
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Line {
    /// As [`poll_flush`](Self::poll_flush), but lets reading go first after it had to wait.
    fn poll_flush_in_turn(
        &mut self,
        connection: &mut Connection,
        transport: &mut impl Transport,
        turn: Option<Duration>,
        give_up: Option<Duration>,
    ) -> Poll<io::Result<()>> {
        if self.reads_first > 0 {
            self.reads_first -= 1;
            return Poll::Pending;
        }
        let flushed = self.poll_flush(connection, transport, earlier(turn, give_up));
        if flushed.is_pending() && turn.is_some() {
            self.reads_first = READS_FIRST;
        }
        flushed
    }

    /// Writes everything that `connection` has queued, unless writing failed before.
    fn poll_flush(
        &mut self,
        connection: &mut Connection,
        transport: &mut impl Transport,
        give_up: Option<Duration>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = &self.broken {
            return Poll::Ready(Err(repeat(error)));
        }
        let result = ready!(self.poll_write_all(connection, transport, give_up));
        if let Err(error) = &result {
            self.broken = Some(repeat(error));
        }
        Poll::Ready(result)
    }

    fn poll_write_all(
        &mut self,
        connection: &mut Connection,
        transport: &mut impl Transport,
        give_up: Option<Duration>,
    ) -> Poll<io::Result<()>> {
        while connection.wants_write() {
            let deadline = earlier(connection.poll_timeout(), give_up);
            let outgoing = connection.outgoing();
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = outgoing.chunks_vectored(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let count = ready!(transport.poll_write(slices, deadline))?;
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
        give_up: Option<Duration>,
    ) -> Poll<()> {
        loop {
            connection.handle_timeout(transport.now());
            let turn = end_of_turn(transport).filter(|_| !self.read_ended);
            // An error is noted in `broken`.
            let flushed = self.poll_flush_in_turn(connection, transport, turn, give_up);
            let ended = connection.state() == State::Closed;
            if flushed.is_ready() || ended {
                let due_to_end = connection.wants_shutdown() || self.broken.is_some();
                if due_to_end && !self.shut_down {
                    let result = ready!(transport.poll_shutdown());
                    self.shut_down = true;
                    if result.is_err() {
                        connection.received_eof();
                    }
                }
                if self.read_ended || !connection.wants_read() {
                    connection.received_eof();
                    return Poll::Ready(());
                }
            }
            let turn = end_of_turn(transport).filter(|_| flushed.is_pending());
            let due = connection.poll_timeout();
            let mut dropped = [0; 4096];
            let read = if self.read_ended {
                Poll::Pending
            } else {
                transport.poll_read(&mut dropped, earlier(turn, earlier(due, give_up)))
            };
            match read {
                // It may have ended its side only, and still read ours.
                Poll::Ready(Ok(0)) if flushed.is_pending() => {
                    (self.read_ended, self.reads_first) = (true, 0);
                }
                Poll::Ready(Ok(0) | Err(_)) => connection.received_eof(),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    self.reads_first = 0;
                    if !goes_on(transport.now(), due, turn, give_up) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// When to look at the other direction.
fn end_of_turn(transport: &impl Transport) -> Option<Duration> {
    let turn = transport.turn()?;
    Some(transport.now().saturating_add(turn))
}

/// Whether there is something to do at `now`, when a call has waited in vain: what is `due`, or the
/// other direction's `turn`. But at `give_up` the caller is told first.
fn goes_on(
    now: Duration,
    due: Option<Duration>,
    turn: Option<Duration>,
    give_up: Option<Duration>,
) -> bool {
    let passed = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now);
    (passed(due) || passed(turn)) && !passed(give_up)
}

/// An error that is told again: `io::Error` cannot be cloned.
fn repeat(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The earlier of two deadlines.
pub(crate) fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
