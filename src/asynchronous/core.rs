//! A connection over a stream, polled by one task or by two.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::cell::Cell;
use core::fmt;
use core::task::{Context, Poll, Waker, ready};
use core::time::Duration;

use super::io::{Alarm, Clock, Io, Polled};
use super::memory::{Memory, lend_buffer, take_buffer};
use super::shutdown::{Attachment, Shutdown};
use super::wakers::{Side, Waiting, Wakers};
use crate::connection::{
    Connection, Event, Outcome, ReceiveError, Received, SendError, State, Whole,
};
use crate::driver::{Driver, Transport as _};
use crate::error::Error;
use crate::frame::{CloseCode, CloseFrame};
use crate::message::Message;

/// Everything but the receive memory, which an event may be borrowing.
pub(super) struct Core<I: Io> {
    driver: Driver,
    io: I,
    /// Boxed, since a runtime aligns its tasks and leaves holes of some 100 bytes between them: this
    /// fits in there, and the rest is smaller for it.
    wake: Box<WakeUp<I::Clock>>,
    /// How much was read since the receiving task waited last.
    read: u32,
    /// Whether a task may be waiting for the stream to take bytes.
    blocked: bool,
}

/// Who is woken, and by what.
struct WakeUp<C: Clock> {
    alarm: Alarm<C>,
    waiting: Waiting,
    /// The shutdown that the connection takes part in, until it has ended.
    attachment: Option<Attachment>,
}

impl<I: Io> Core<I> {
    pub(super) fn new(io: I, mut alarm: Alarm<I::Clock>, connection: Connection) -> Self {
        alarm.change_hands(); // the task that did the handshake is not the one that will wait
        Self {
            driver: Driver::new(connection),
            io,
            wake: Box::new(WakeUp {
                alarm,
                waiting: Waiting::new(),
                attachment: None,
            }),
            read: 0,
            blocked: false,
        }
    }

    /// Takes part in `shutdown`, and in no other.
    pub(super) fn attach(&mut self, shutdown: &Shutdown) {
        let attachment = Attachment::new(shutdown, self.share());
        if let Some(CloseFrame { code, reason }) = attachment.farewell() {
            // It was checked when closing began.
            let _ = self.queue_close(*code, reason);
        }
        self.wake.attachment = Some(attachment);
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.driver.connection
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.driver.connection
    }

    /// A whole message that has been received already: the short way, without a look at the stream.
    #[inline]
    pub(super) fn take_whole(&mut self, memory: &mut Memory) -> Option<Whole> {
        self.driver.take_whole(memory.held()?)
    }

    /// Waits for something to come where nothing has: the short way. `false` if there is no need
    /// to wait, and [`poll_received`](Self::poll_received) has to find out why.
    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>, memory: &mut Memory) -> Poll<bool> {
        let inbox = memory.inbox_for(&mut self.driver.connection);
        if !self.driver.connection.is_waiting(inbox) {
            return Poll::Ready(false);
        }
        let polled = self.poll(cx, Side::Receiving, |driver, transport| {
            driver.poll_news(inbox, transport)
        });
        if polled.is_pending() {
            memory.release_for(&mut self.driver.connection);
        }
        polled.map(|()| true)
    }

    /// Lends what [`take_whole`](Self::take_whole) took.
    #[inline]
    pub(super) fn lend_whole<'m>(
        &mut self,
        memory: &'m mut Memory,
        whole: Whole,
    ) -> Result<Event<'m>, ReceiveError> {
        self.driver.connection.lend_whole(memory.inbox(), whole)
    }

    /// Lends what was received.
    pub(super) fn lend<'m>(
        &mut self,
        memory: &'m mut Memory,
        received: Received,
    ) -> Result<Event<'m>, ReceiveError> {
        self.driver.view(memory.inbox(), received)
    }

    /// More than one task is going to be woken.
    pub(super) fn share(&mut self) -> Arc<Wakers> {
        self.wake.alarm.change_hands();
        self.wake.waiting.share()
    }

    /// The connection, with memory to answer into.
    #[inline]
    pub(super) fn answering(&mut self) -> &mut Connection {
        lend_buffer(&mut self.driver.connection);
        &mut self.driver.connection
    }

    pub(super) fn io(&self) -> &I {
        &self.io
    }

    pub(super) fn into_parts(self) -> (I, Connection) {
        (self.io, self.driver.connection)
    }

    /// The next thing received; `None` after the closing handshake.
    pub(super) fn poll_received(
        &mut self,
        cx: &mut Context<'_>,
        memory: &mut Memory,
    ) -> Poll<Result<Option<Received>, Error>> {
        let inbox = memory.inbox_for(&mut self.driver.connection);
        let polled = self.poll(cx, Side::Receiving, |driver, transport| {
            driver.poll_received(inbox, transport, None)
        });
        match &polled {
            Poll::Ready(Ok(Some(_))) => {}
            // Nothing will come of what the other task waits for.
            Poll::Ready(_) => self.wake.waiting.wake_other(Side::Sending),
            Poll::Pending => {
                memory.release_for(&mut self.driver.connection);
            }
        }
        polled.map_err(Error::from)
    }

    /// The next message; `None` after the closing handshake.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        memory: &mut Memory,
    ) -> Poll<Result<Option<Message>, Error>> {
        loop {
            let event = if let Some(whole) = self.take_whole(memory) {
                self.lend_whole(memory, whole)
            } else if ready!(self.poll_news(cx, memory)) {
                continue;
            } else if let Some(received) = ready!(self.poll_received(cx, memory))? {
                self.lend(memory, received)
            } else {
                return Poll::Ready(Ok(None));
            };
            // What cannot be lent ends the connection, which comes next.
            if let Some(message) = event.ok().and_then(Event::into_message) {
                memory.release_vacant();
                return Poll::Ready(Ok(Some(message)));
            }
        }
    }

    /// Ends a connection whose event could not be lent.
    pub(super) fn poll_failed(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let cause = self.driver.connection.outcome_so_far().cause;
        let error = cause.unwrap_or(ReceiveError::UnexpectedEof);
        let polled = self.poll(cx, Side::Receiving, |driver, transport| {
            driver.poll_fail(error, transport, None)
        });
        let failure = ready!(polled);
        self.wake.waiting.wake_other(Side::Sending);
        Poll::Ready(failure.into())
    }

    /// Waits for the end of the closing handshake and of the stream.
    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        memory: &mut Memory,
    ) -> Poll<Outcome> {
        let polled = self.poll(cx, Side::Receiving, |driver, transport| {
            driver.poll_close(memory.inbox(), transport)
        });
        memory.release_for(&mut self.driver.connection);
        polled
    }

    /// Writes everything queued.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let polled = self.poll(cx, Side::Sending, |driver, transport| {
            driver.poll_flush(transport)
        });
        match &polled {
            Poll::Ready(Ok(())) => take_buffer(&mut self.driver.connection),
            Poll::Ready(Err(_)) => self.wake.waiting.wake_other(Side::Receiving), // it ends for both
            Poll::Pending => {}
        }
        polled.map_err(Error::from)
    }

    /// Waits until a message can be queued, or never can.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.driver.connection.is_full() {
            let flushed = self.poll_flush(cx)?;
            if flushed.is_pending() && self.driver.connection.is_full() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Queues a message.
    pub(super) fn queue(&mut self, message: Message) -> Result<(), Error> {
        Ok(self.answering().send(message)?)
    }

    /// Queues a Ping.
    pub(super) fn queue_ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        Ok(self.answering().ping(payload)?)
    }

    /// Queues the Close frame, unless one was, and starts its deadline.
    pub(super) fn queue_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        match self.driver.connection.close(code, reason) {
            Ok(()) => {
                self.driver.connection.handle_timeout(self.wake.alarm.now());
                self.wake.waiting.wake_receiver(); // which watches the deadline
                Ok(())
            }
            Err(SendError::Closed) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Drives the connection for the task of `side`. When there is nothing to do but wait, that
    /// task is woken by the stream, by a deadline, or by the other task.
    #[inline(always)]
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        mut drive: impl FnMut(&mut Driver, &mut Polled<'_, '_, I>) -> Poll<T>,
    ) -> Poll<T> {
        if self.wake.waiting.arrive(side, cx.waker()) {
            self.wake.alarm.change_hands();
        }
        self.say_farewell(); // whoever closes all wakes who is registered
        let polled = loop {
            let mut transport = Polled {
                io: &mut self.io,
                alarm: &self.wake.alarm,
                time: Cell::new(None),
                cx,
                wakers: self.wake.waiting.shared(),
                read: &mut self.read,
                blocked: &mut self.blocked,
                yielded: false,
            };
            let polled = drive(&mut self.driver, &mut transport);
            if polled.is_ready() {
                break polled;
            }
            let now = transport.now();
            if self.wake.waiting.wait(side, cx.waker()) {
                self.wake.alarm.change_hands();
            }
            if self.poll_alarm(now, cx).is_pending() {
                break polled;
            }
        };
        if self.blocked && !self.driver.waits_to_write() {
            // What the other task may have been waiting for was done here.
            self.blocked = false;
            self.wake.waiting.wake_other(side.other());
        }
        if polled.is_ready() && self.driver.connection.state() == State::Closed {
            self.wake.attachment = None;
        }
        polled
    }

    /// Queues the Close frame of the shutdown, once that has begun.
    #[inline]
    fn say_farewell(&mut self) {
        let connection = &mut self.driver.connection;
        if let Some(attachment) = &self.wake.attachment
            && let Some(CloseFrame { code, reason }) = attachment.farewell()
            && connection.close(*code, reason).is_ok()
        {
            connection.handle_timeout(self.wake.alarm.now()); // its deadline starts
        }
    }

    /// `Ready` if a deadline has passed. Whoever waits is woken by the next one.
    #[inline]
    fn poll_alarm(&mut self, now: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if (self.wake.alarm).covers(self.driver.connection.deadline_nanos(), now) {
            return Poll::Pending;
        }
        self.set_alarm(cx)
    }

    #[inline(never)]
    fn set_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.driver.connection.poll_timeout();
        let Some(wakers) = self.wake.waiting.shared() else {
            return self.wake.alarm.poll(due, cx);
        };
        let waker = Waker::from(Arc::clone(wakers));
        self.wake.alarm.poll(due, &mut Context::from_waker(&waker))
    }
}

impl<I: Io> fmt::Debug for Core<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.driver.connection.fmt(f)
    }
}
