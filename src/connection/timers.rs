//! Deadlines as values: what is due when, computed from facts and a time that the caller tells.
//!
//! Time is a [`Duration`] since a moment of the caller's choice, so any monotonic clock serves, a
//! virtual one included. The timers learn of what happened when
//! [`Connection::handle_timeout`](crate::Connection::handle_timeout) is called, which a driver does
//! before it waits.

use core::time::Duration;

#[cfg(feature = "std")]
use super::Connection;
use super::config::Timeouts;

/// What has happened on the connection since it began, or since the timers were told last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Bytes have come since the last call.
    pub(super) heard: bool,
    /// A message has come or was queued since the last call.
    pub(super) message: bool,
    /// Bytes that the transport has taken so far.
    pub(super) written: u64,
    /// Our Close frame was sent, the peer's came, or the connection failed.
    pub(super) closing: bool,
}

/// What a deadline that has passed demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask for a sign of life.
    Ping,
    /// The peer is gone.
    KeepaliveTimeout,
    /// Nothing was exchanged for too long.
    Idle,
    /// The closing handshake takes too long.
    CloseTimeout,
}

#[derive(Debug)]
pub(super) struct Timers {
    interval: Span,
    timeout: Span,
    idle: Span,
    close: Span,
    /// `None` until the first call tells the time.
    marks: Option<Marks>,
}

/// When things happened, as far as the timers were told.
#[derive(Clone, Copy, Debug)]
struct Marks {
    heard: Span,
    message: Span,
    /// Output moved, or there was none that waited for a Ping to leave.
    progress: Span,
    written: u64,
    ping: Ping,
    /// When closing began; [`Span::NEVER`] as long as it has not.
    closing: Span,
}

#[derive(Clone, Copy, Debug)]
enum Ping {
    None,
    /// Queued, and gone once the transport has taken so many bytes.
    Queued(u64),
    Left(Span),
}

/// A duration in half the memory: nanoseconds, which last for 584 years. The largest stands for
/// whatever is longer, and for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span(u64);

impl Span {
    const NEVER: Self = Self(u64::MAX);

    fn new(duration: Duration) -> Self {
        u64::try_from(duration.as_nanos()).map_or(Self::NEVER, Self)
    }

    fn optional(duration: Option<Duration>) -> Self {
        duration.map_or(Self::NEVER, Self::new)
    }

    const fn plus(self, later: Self) -> Self {
        Self(self.0.saturating_add(later.0))
    }
}

/// What else a driver can tell about time.
#[cfg(feature = "std")]
impl Connection {
    /// Reports that something was read, before the inbox is looked at.
    pub(crate) fn note_life(&mut self) {
        self.heard = true;
    }

    /// Starts all deadlines anew, on the clock of whoever drives the connection from now on.
    pub(crate) fn restart_timers(&mut self) {
        self.timers.marks = None;
    }

    /// Whether the connection fails at `now` because a Pong has not come. It may wait to be read.
    pub(crate) fn is_pong_overdue(&self, now: Duration) -> bool {
        let left = self
            .timers
            .marks
            .is_some_and(|marks| matches!(marks.ping, Ping::Left(_)));
        let due = (self.timers.next())
            .is_some_and(|(due, at)| due == Due::KeepaliveTimeout && at <= Span::new(now));
        left && due
    }

    /// Whether the transport has taken bytes since the time was told last.
    pub(crate) fn has_progressed(&self) -> bool {
        let written = self.sender.written();
        self.timers
            .marks
            .is_some_and(|marks| marks.written != written)
    }
}

impl Timers {
    pub(super) fn new(config: Timeouts) -> Self {
        Self {
            interval: Span::optional(config.keepalive.map(|keepalive| keepalive.interval)),
            timeout: Span::optional(config.keepalive.map(|keepalive| keepalive.timeout)),
            idle: Span::optional(config.idle),
            close: Span::optional(config.close),
            marks: None,
        }
    }

    /// Takes note of `facts` and returns what is due at `now`.
    pub(super) fn observe(&mut self, now: Duration, facts: Facts) -> Option<Due> {
        let now = Span::new(now);
        let marks = self.marks.get_or_insert(Marks {
            heard: now,
            message: now,
            progress: now,
            written: facts.written,
            ping: Ping::None,
            closing: Span::NEVER,
        });
        if facts.heard {
            marks.heard = now;
            marks.ping = Ping::None;
        }
        if facts.message {
            marks.message = now;
        }
        if facts.written != marks.written {
            (marks.written, marks.progress) = (facts.written, now);
        }
        if let Ping::Queued(end) = marks.ping
            && marks.written >= end
        {
            marks.ping = Ping::Left(now);
        }
        if facts.closing {
            marks.closing = marks.closing.min(now);
        }
        let (due, _) = self.next().filter(|(_, deadline)| *deadline <= now)?;
        Some(due)
    }

    /// A Ping was queued; it has left when `end` bytes have been written.
    pub(super) fn ping_queued(&mut self, now: Duration, end: u64) {
        if let Some(marks) = &mut self.marks {
            marks.ping = Ping::Queued(end);
            marks.progress = Span::new(now);
        }
    }

    /// The earliest deadline, or `None` if there is none or the time was never told.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.next()
            .map(|(_, deadline)| Duration::from_nanos(deadline.0))
    }

    fn next(&self) -> Option<(Due, Span)> {
        let marks = self.marks?;
        let (due, deadline) = if marks.closing < Span::NEVER {
            // Keepalive and idleness no longer matter.
            (Due::CloseTimeout, marks.closing.plus(self.close))
        } else {
            let keepalive = match marks.ping {
                Ping::None => (Due::Ping, marks.heard.plus(self.interval)),
                // A Ping that cannot leave says the same as one without an answer, once the
                // transport has stopped taking bytes altogether.
                Ping::Queued(_) => (Due::KeepaliveTimeout, marks.progress.plus(self.timeout)),
                Ping::Left(at) => (Due::KeepaliveTimeout, at.plus(self.timeout)),
            };
            let idle = (Due::Idle, marks.message.plus(self.idle));
            if idle.1 < keepalive.1 {
                idle
            } else {
                keepalive
            }
        };
        (deadline < Span::NEVER).then_some((due, deadline))
    }
}
