//! An open connection: read, hand out what came, flush, watch deadlines, end.

use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, IoSlice};

use bytes::Buf;

use super::{Failure, Transport, earlier, end_of_turn, goes_on, repeat};
use crate::connection::{Connection, Event, Inbox, Outcome, ReceiveError, Received, State, Whole};

/// What is queued is written out when it has grown to this, even while more input waits: enough to
/// make a system call cheap, and no need to grow the queue further.
const FLUSH_AT: usize = 128 * 1024;

/// After a write that had to wait, so many reads come first while they find something. Each write
/// that waits costs a turn, and the peer may be waiting for us to read.
const READS_FIRST: u8 = 16;

/// Receive memory that has grown is given back when nothing has come for so long: long enough that
/// a stream of large messages need not take it again and again.
const GIVE_BACK_AFTER: Duration = Duration::from_secs(1);

/// The most slices that one vectored write gathers.
const SLICES: usize = 16;

/// A connection, and how far its transport has been ended.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) connection: Connection,
    line: Line,
}

/// The state of the transport.
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
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            line: Line::default(),
        }
    }

    /// A whole message that has been received already, if nothing else is more urgent: the short way
    /// for messages that came together.
    #[inline]
    pub(crate) fn take_whole(&mut self, inbox: &mut Inbox) -> Option<Whole> {
        if self.connection.has_queued(FLUSH_AT) {
            return None;
        }
        self.connection.take_whole(inbox)
    }

    /// Waits for news where [`Connection::is_waiting`] says that there are none: does what
    /// [`poll_received`](Self::poll_received) would, at less cost.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    #[inline(always)]
    pub(crate) fn poll_news(
        &mut self,
        inbox: &mut Inbox,
        transport: &mut impl Transport,
    ) -> Poll<()> {
        let Self { connection, line } = self;
        let turn = end_of_turn(transport);
        let flushed = line.poll_flush_in_turn(connection, transport, turn, None);
        line.poll_read(connection, inbox, transport, flushed.is_pending(), None)
    }

    /// Whether something is left to be written or passed on, and can be.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn waits_to_write(&self) -> bool {
        self.line.broken.is_none() && (self.connection.wants_write() || self.line.unflushed)
    }

    /// The next thing received, to be lent by [`view`](Self::view); `None` after the closing
    /// handshake, once the transport has ended.
    ///
    /// Before it waits, everything queued is written. After a failure it first sends what tells the
    /// peer, and ends the transport. Nothing is lost when it returns `Pending`, which it does at
    /// `give_up` at the latest if the transport keeps deadlines.
    pub(crate) fn poll_received(
        &mut self,
        inbox: &mut Inbox,
        transport: &mut impl Transport,
        give_up: Option<Duration>,
    ) -> Poll<Result<Option<Received>, Failure>> {
        let Self { connection, line } = self;
        match ready!(poll_received(connection, inbox, line, transport, give_up)) {
            Ok(Some(received)) => Poll::Ready(Ok(Some(received))),
            Ok(None) => line
                .poll_finish(connection, transport, give_up)
                .map(|()| Ok(None)),
            Err(error) => self.poll_fail(error, transport, give_up).map(Err),
        }
    }

    /// Lends what was received.
    ///
    /// # Errors
    ///
    /// The end of the connection, which [`poll_fail`](Self::poll_fail) has to be told.
    #[inline]
    pub(crate) fn view<'i>(
        &mut self,
        inbox: &'i mut Inbox,
        received: Received,
    ) -> Result<Event<'i>, ReceiveError> {
        self.connection.view(inbox, received)
    }

    /// Sends what tells the peer, and ends the transport. If the error is not seen through to its
    /// end here, [`poll_received`](Self::poll_received) returns it again.
    pub(crate) fn poll_fail(
        &mut self,
        error: ReceiveError,
        transport: &mut impl Transport,
        give_up: Option<Duration>,
    ) -> Poll<Failure> {
        let Self { connection, line } = self;
        ready!(line.poll_finish(connection, transport, give_up));
        Poll::Ready(match (error, &line.broken) {
            (ReceiveError::UnexpectedEof, Some(error)) => Failure::Io(repeat(error)),
            (error, _) => Failure::Receive(error),
        })
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
            if connection.has_progressed() {
                connection.note_life(); // the only sign to be seen, since nobody reads
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

    /// Drops whatever still comes until the closing handshake is done or failed, and ends the
    /// transport. A Close frame has been queued before.
    pub(crate) fn poll_close(
        &mut self,
        inbox: &mut Inbox,
        transport: &mut impl Transport,
    ) -> Poll<Outcome> {
        loop {
            match ready!(self.poll_received(inbox, transport, None)) {
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
        let mut is_blocked = false;
        if connection.has_queued(FLUSH_AT) {
            // Whatever comes of it, go on: the queue has a bound of its own.
            let turn = end_of_turn(transport);
            let flushed = line.poll_flush_in_turn(connection, transport, turn, give_up);
            is_blocked = flushed.is_pending();
        }
        if let Some(received) = connection.advance(inbox)? {
            return Poll::Ready(Ok(Some(received)));
        }
        if connection.has_received_close() {
            return Poll::Ready(Ok(None));
        }
        if !is_blocked {
            let turn = end_of_turn(transport);
            let flushed = line.poll_flush_in_turn(connection, transport, turn, give_up);
            is_blocked = flushed.is_pending();
        }
        ready!(line.poll_read(connection, inbox, transport, is_blocked, give_up));
    }
}

impl Line {
    /// Reads, after everything queued was written or writing `is_blocked`, and does what is due.
    /// `Ready` when the connection may have something new to tell.
    #[inline(always)]
    fn poll_read<T: Transport>(
        &mut self,
        connection: &mut Connection,
        inbox: &mut Inbox,
        transport: &mut T,
        is_blocked: bool,
        give_up: Option<Duration>,
    ) -> Poll<()> {
        // After the flush, which is when a Ping leaves. What is overdue waits for one more read: the
        // sign of life may have come while nobody looked. What need not wait reads first anyway.
        let (mut due, mut is_overdue, mut give_back) = (None, false, None);
        if T::WAITS {
            let now = transport.now();
            is_overdue = connection.poll_timeout().is_some_and(|due| due <= now);
            if !is_overdue {
                connection.handle_timeout(now);
            }
            due = connection.poll_timeout();
            if inbox.has_grown() && inbox.is_vacant() {
                give_back = Some(now.saturating_add(GIVE_BACK_AFTER));
            }
        }
        let due = earlier(due, give_back);
        let turn = end_of_turn(transport).filter(|_| is_blocked);
        let room = if T::WAITS {
            inbox.spare(0)
        } else {
            inbox.long_spare()
        };
        let read = transport.poll_read(room, earlier(turn, earlier(due, give_up)));
        if is_overdue {
            if matches!(read, Poll::Ready(Ok(1..))) {
                connection.note_life();
            }
            connection.handle_timeout(transport.now());
        }
        match read {
            Poll::Ready(Ok(0)) => connection.received_eof(),
            Poll::Ready(Ok(count)) => inbox.received(count),
            Poll::Ready(Err(error)) => {
                self.broken.get_or_insert(error);
                connection.received_eof();
            }
            // What came before writing failed has been delivered, and more need not come.
            Poll::Pending if self.broken.is_some() && !transport.has_yielded() => {
                connection.received_eof();
            }
            Poll::Pending => {
                self.reads_first = 0;
                let now = transport.now();
                if give_back.is_some_and(|at| at <= now) {
                    inbox.release();
                    drop(connection.take_buffer());
                }
                // What was due may have queued something.
                let goes_on = if T::WAITS {
                    is_overdue || goes_on(now, due, turn, give_up)
                } else {
                    connection.do_what_is_due(now)
                };
                if !goes_on {
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(())
    }

    /// As [`poll_flush`](Self::poll_flush), but lets reading go first after it had to wait.
    #[inline(always)]
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
    #[inline(always)]
    fn poll_flush(
        &mut self,
        connection: &mut Connection,
        transport: &mut impl Transport,
        give_up: Option<Duration>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = &self.broken {
            return Poll::Ready(Err(repeat(error)));
        }
        if !connection.wants_write() && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(self.poll_write_all(connection, transport, give_up));
        if let Err(error) = &result {
            self.broken = Some(repeat(error));
        }
        Poll::Ready(result)
    }

    fn poll_write_all<T: Transport>(
        &mut self,
        connection: &mut Connection,
        transport: &mut T,
        give_up: Option<Duration>,
    ) -> Poll<io::Result<()>> {
        let deadline = |connection: &Connection| {
            let due = T::WAITS.then(|| earlier(connection.poll_timeout(), give_up));
            due.flatten()
        };
        while connection.wants_write() {
            let deadline = deadline(connection);
            let outgoing = connection.outgoing();
            // A transport that claims more than it was given would break the queue.
            let count = if outgoing.is_one_buffer() {
                let chunk = outgoing.chunk();
                let most = chunk.len();
                let written = transport.poll_write(&[IoSlice::new(chunk)], deadline);
                let count = ready!(written)?.min(most);
                outgoing.advance_buffer(count);
                count
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let filled = outgoing.chunks_vectored(&mut slices);
                let slices = slices.get(..filled).unwrap_or_default();
                let written = transport.poll_write(slices, deadline);
                let count = ready!(written)?.min(outgoing.remaining());
                if let Some(payload) = outgoing.take_written(count) {
                    transport.keep(payload);
                }
                count
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(transport.poll_flush(deadline(connection)))?;
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
                let due_to_end =
                    connection.wants_shutdown() || self.read_ended || self.broken.is_some();
                if due_to_end && !self.shut_down {
                    let result = ready!(transport.poll_shutdown());
                    self.shut_down = true;
                    if result.is_err() {
                        connection.received_eof();
                    }
                }
                // Of a peer that cannot be told anything, the end is not awaited.
                if self.read_ended || self.broken.is_some() || !connection.wants_read() {
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
