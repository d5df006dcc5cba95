//! What an async runtime brings: streams and a timer.

use alloc::sync::Arc;
use core::cell::Cell;
use core::fmt::Debug;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};

use bytes::Bytes;

use super::memory::keep_payload;
use super::wakers::Wakers;
use crate::driver::Transport;

/// How much is read before the task lets others run: enough to make the change worth it, and short
/// enough (some 50 µs) that a peer that never stops sending delays nobody.
const BUDGET: u32 = 256 * 1024;

/// A stream of an async runtime, with that runtime's clock. It is implemented for
/// [`tokio::Io`](crate::tokio::Io) and [`futures::Io`](crate::futures::Io), and is not to be
/// implemented elsewhere.
pub trait Io: Unpin + sealed::Sealed {
    /// The stream itself.
    type Stream;
    #[doc(hidden)]
    type Clock: Clock;

    #[doc(hidden)]
    fn stream(&self) -> &Self::Stream;
    #[doc(hidden)]
    fn into_stream(self) -> Self::Stream;
    /// Never claims to have read more than there was room for.
    #[doc(hidden)]
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;
    #[doc(hidden)]
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;
    #[doc(hidden)]
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    #[doc(hidden)]
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The clock of a runtime.
#[doc(hidden)]
pub trait Clock: sealed::Sealed {
    type Instant: Copy + Debug + Send + Sync + Unpin;
    type Timer: Debug + Send + Unpin;

    fn now() -> Self::Instant;
    fn elapsed(since: Self::Instant) -> Duration;
    /// A timer that goes off at `after` since `epoch`.
    fn timer(epoch: Self::Instant, after: Duration) -> Self::Timer;
    fn reset(timer: &mut Self::Timer, epoch: Self::Instant, after: Duration);
    fn poll_timer(timer: &mut Self::Timer, cx: &mut Context<'_>) -> Poll<()>;
}

pub(crate) mod sealed {
    /// What only this crate can implement.
    #[expect(unnameable_types, reason = "which seals the traits above")]
    pub trait Sealed {}
}

/// Time since the adapter began, and what wakes it up when a deadline passes. The timer is made
/// when it is needed first, and moved only when it would go off too late: a deadline that is put
/// off by each message costs nothing until the timer goes off too early.
#[derive(Debug)]
pub(super) struct Alarm<C: Clock> {
    epoch: C::Instant,
    timer: Option<C::Timer>,
    /// Nanoseconds since the epoch, in half the memory of a `Duration`.
    armed: u64,
}

impl<C: Clock> Alarm<C> {
    pub(super) fn new() -> Self {
        Self {
            epoch: C::now(),
            timer: None,
            armed: u64::MAX,
        }
    }

    /// Has the next poll set the timer again, whichever task it was to wake so far.
    pub(super) fn change_hands(&mut self) {
        self.armed = u64::MAX;
    }

    pub(super) fn now(&self) -> Duration {
        C::elapsed(self.epoch)
    }

    /// Whether it goes off after `now` and by `due` as it is.
    #[inline]
    pub(super) fn covers(&self, due: Option<u64>, now: Duration) -> bool {
        due.is_none_or(|due| self.armed <= due && now.as_nanos() < u128::from(self.armed))
    }

    /// Sets it to `due`; `Ready` if that has passed.
    pub(super) fn poll(&mut self, due: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = due else {
            return Poll::Pending;
        };
        self.armed = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
        let timer = match &mut self.timer {
            Some(timer) => {
                C::reset(timer, self.epoch, due);
                timer
            }
            None => self.timer.insert(C::timer(self.epoch, due)),
        };
        let passed = C::poll_timer(timer, cx);
        if passed.is_ready() {
            self.armed = u64::MAX; // it wakes nobody any more
        }
        passed
    }
}

/// A stream while a task polls it: what the driver sees of it.
pub(super) struct Polled<'a, 'c, I: Io> {
    pub(super) io: &'a mut I,
    pub(super) alarm: &'a Alarm<I::Clock>,
    /// The time when it was asked for first: looking at the clock costs as much as a small message.
    pub(super) time: Cell<Option<Duration>>,
    pub(super) cx: &'a mut Context<'c>,
    /// Who is told when writing is possible, if that is more than the task that polls.
    pub(super) wakers: Option<&'a Arc<Wakers>>,
    /// How much was read since the task waited last.
    pub(super) read: &'a mut u32,
    /// Whether writing had to wait.
    pub(super) blocked: &'a mut bool,
    /// Whether the last read had to wait only to let others run.
    pub(super) yielded: bool,
}

impl<I: Io> Polled<'_, '_, I> {
    /// Makes a writing call. A stream remembers one waker, and two tasks may wait for the same.
    #[inline(always)]
    fn poll_writing<T>(
        &mut self,
        call: impl FnOnce(&mut I, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let result = match self.wakers {
            Some(wakers) => {
                let waker = Waker::from(Arc::clone(wakers));
                call(self.io, &mut Context::from_waker(&waker))
            }
            None => call(self.io, self.cx),
        };
        let result = self.retry_interrupted(result);
        *self.blocked |= result.is_pending();
        result
    }

    /// An interrupted call is made again when the task runs next.
    fn retry_interrupted<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if is_interrupted(&result) {
            self.cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        result
    }
}

fn is_interrupted<T>(result: &Poll<io::Result<T>>) -> bool {
    matches!(result, Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted)
}

impl<I: Io> Transport for Polled<'_, '_, I> {
    const WAITS: bool = false;

    #[inline(always)]
    fn now(&self) -> Duration {
        let now = self.time.get().unwrap_or_else(|| self.alarm.now());
        self.time.set(Some(now));
        now
    }

    fn turn(&self) -> Option<Duration> {
        None // nothing here waits inside a call
    }

    fn has_yielded(&self) -> bool {
        self.yielded
    }

    #[inline(always)]
    fn poll_read(&mut self, room: &mut [u8], _: Option<Duration>) -> Poll<io::Result<usize>> {
        self.yielded = *self.read >= BUDGET;
        if self.yielded {
            *self.read = 0;
            self.cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let result = self.io.poll_read(self.cx, room);
        match &result {
            Poll::Ready(Ok(count)) => {
                let count = u32::try_from(*count).unwrap_or(u32::MAX);
                *self.read = self.read.saturating_add(count);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => *self.read = 0,
        }
        self.yielded = is_interrupted(&result);
        self.retry_interrupted(result)
    }

    #[inline(always)]
    fn poll_write(
        &mut self,
        slices: &[IoSlice<'_>],
        _: Option<Duration>,
    ) -> Poll<io::Result<usize>> {
        self.poll_writing(|io, cx| io.poll_write(cx, slices))
    }

    fn keep(&mut self, payload: Bytes) {
        keep_payload(payload);
    }

    #[inline(always)]
    fn poll_flush(&mut self, _: Option<Duration>) -> Poll<io::Result<()>> {
        self.poll_writing(I::poll_flush)
    }

    fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        self.poll_writing(I::poll_shutdown)
    }
}
