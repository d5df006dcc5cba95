//! Deadlines as values: what is due when, computed from facts and a time that the caller tells.
//!
//! Time is a [`Duration`] since a moment of the caller's choice, so any monotonic clock serves, a
//! virtual one included. The timers learn of what happened when
//! [`Connection::handle_timeout`](crate::Connection::handle_timeout) is called, which a driver does
//! before it waits.

use core::mem;
use core::time::Duration;

use super::config::Timeouts;
use super::{Connection, ReceiveError};
use crate::frame::CloseCode;

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

/// How long each thing may take.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Periods {
    interval: Span,
    timeout: Span,
    idle: Span,
    close: Span,
}

/// When things happened, as far as the timers were told; `None` until the first call tells the
/// time.
#[derive(Debug, Default)]
pub(super) struct Timers(Option<Marks>);

#[derive(Clone, Copy, Debug)]
struct Marks {
    heard: Span,
    message: Span,
    written: u64,
    phase: Phase,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Whatever the peer may say.
    Open,
    /// That a Ping leaves: it has once the transport has taken `end` bytes. Output moved last at
    /// `progress`.
    Queued { end: u64, progress: Span },
    /// A sign of life, since the Ping left.
    Left(Span),
    /// The end, since closing began.
    Closing(Span),
}

/// A duration in half the memory: nanoseconds, which last for 584 years. The largest stands for
/// whatever is longer, and for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span(u64);

impl Span {
    const NEVER: Self = Self(u64::MAX);

    #[inline]
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

impl Connection {
    pub(super) fn periods(&self) -> &Periods {
        &self.receiver.settings.periods
    }

    /// As [`handle_timeout`](Self::handle_timeout), and tells whether anything was due.
    #[inline]
    pub(crate) fn do_what_is_due(&mut self, now: Duration) -> bool {
        let mut was_due = false;
        while !self.receiver.eof()
            && let Some(due) = self.observe(now)
        {
            was_due = true;
            match due {
                Due::Ping => {
                    let end = self.sender.keepalive_ping();
                    self.timers.ping_queued(now, end);
                }
                Due::Idle => {
                    let _ = self.sender.close(CloseCode::GOING_AWAY, "idle timeout");
                }
                Due::KeepaliveTimeout => {
                    self.fail(ReceiveError::KeepaliveTimeout);
                }
                Due::CloseTimeout => {
                    self.fail(ReceiveError::CloseTimeout);
                    self.received_eof(); // whatever the transport still does
                }
            }
        }
        was_due
    }

    #[inline]
    fn observe(&mut self, now: Duration) -> Option<Due> {
        let facts = Facts {
            heard: mem::take(&mut self.heard),
            message: mem::take(&mut self.message),
            written: self.sender.written(),
            closing: self.is_closing(),
        };
        self.timers
            .observe(now, facts, &self.receiver.settings.periods)
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
        self.timers = Timers::default();
    }

    /// Whether the connection fails at `now` because a Pong has not come. It may wait to be read.
    pub(crate) fn is_pong_overdue(&self, now: Duration) -> bool {
        let marks = self.timers.0.as_ref();
        let left = marks.is_some_and(|marks| matches!(marks.phase, Phase::Left(_)));
        let due = (self.timers.next(self.periods()))
            .is_some_and(|(due, at)| due == Due::KeepaliveTimeout && at <= Span::new(now));
        left && due
    }

    /// Whether the transport has taken bytes since the time was told last.
    pub(crate) fn has_progressed(&self) -> bool {
        let written = self.sender.written();
        (self.timers.0.as_ref()).is_some_and(|marks| marks.written != written)
    }
}

impl Periods {
    pub(super) fn new(config: Timeouts) -> Self {
        Self {
            interval: Span::optional(config.keepalive.map(|keepalive| keepalive.interval)),
            timeout: Span::optional(config.keepalive.map(|keepalive| keepalive.timeout)),
            idle: Span::optional(config.idle),
            close: Span::optional(config.close),
        }
    }
}

impl Timers {
    /// Takes note of `facts` and returns what is due at `now`.
    #[inline]
    pub(super) fn observe(
        &mut self,
        now: Duration,
        facts: Facts,
        periods: &Periods,
    ) -> Option<Due> {
        let time = Span::new(now);
        let marks = self.0.get_or_insert(Marks {
            heard: time,
            message: time,
            written: facts.written,
            phase: Phase::Open,
        });
        if facts.heard {
            marks.heard = time;
        }
        if facts.message {
            marks.message = time;
        }
        let moved = facts.written != marks.written;
        marks.written = facts.written;
        marks.phase = match marks.phase {
            Phase::Closing(since) => Phase::Closing(since),
            _ if facts.closing => Phase::Closing(time),
            _ if facts.heard => Phase::Open,
            Phase::Queued { end, .. } if facts.written >= end => Phase::Left(time),
            Phase::Queued { end, .. } if moved => Phase::Queued {
                end,
                progress: time,
            },
            waiting => waiting,
        };
        let (due, _) = self.next(periods).filter(|(_, at)| *at <= time)?;
        Some(due)
    }

    /// A Ping was queued; it has left when `end` bytes have been written.
    pub(super) fn ping_queued(&mut self, now: Duration, end: u64) {
        if let Some(marks) = &mut self.0 {
            let progress = Span::new(now);
            marks.phase = Phase::Queued { end, progress };
        }
    }

    /// The earliest deadline in nanoseconds, or `None` if there is none or the time was never told.
    #[inline]
    pub(super) fn deadline(&self, periods: &Periods) -> Option<u64> {
        let (_, deadline) = self.next(periods)?;
        Some(deadline.0)
    }

    #[inline]
    fn next(&self, periods: &Periods) -> Option<(Due, Span)> {
        let marks = self.0.as_ref()?;
        let (due, deadline) = match marks.phase {
            Phase::Open => (Due::Ping, marks.heard.plus(periods.interval)),
            // A Ping that cannot leave says the same as one without an answer, once the transport
            // has stopped taking bytes altogether.
            Phase::Queued { progress, .. } => {
                (Due::KeepaliveTimeout, progress.plus(periods.timeout))
            }
            Phase::Left(since) => (Due::KeepaliveTimeout, since.plus(periods.timeout)),
            Phase::Closing(since) => (Due::CloseTimeout, since.plus(periods.close)),
        };
        let idle = marks.message.plus(periods.idle);
        let (due, deadline) = match marks.phase {
            // Nothing else matters any more.
            Phase::Closing(_) => (due, deadline),
            _ if idle < deadline => (Due::Idle, idle),
            _ => (due, deadline),
        };
        (deadline < Span::NEVER).then_some((due, deadline))
    }
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use bytes::Buf;

    use super::*;
    use crate::{Config, Inbox, Keepalive};

    const INTERVAL: Duration = Duration::from_secs(20);
    const TIMEOUT: Duration = Duration::from_secs(7);
    /// When a Pong is missed, if the Ping leaves at once.
    const DEADLINE: Duration = Duration::from_secs(27);

    fn connection() -> Connection {
        let mut config = Config::default();
        config.timeouts.keepalive = Some(Keepalive {
            interval: INTERVAL,
            timeout: TIMEOUT,
        });
        let mut connection = Connection::server(&config);
        connection.handle_timeout(Duration::ZERO);
        connection
    }

    fn flush(connection: &mut Connection) {
        let count = connection.outgoing().len();
        connection.outgoing().advance(count);
    }

    /// A Ping has left at 20 s.
    fn waiting() -> Connection {
        let mut connection = connection();
        connection.handle_timeout(INTERVAL);
        flush(&mut connection);
        connection.handle_timeout(INTERVAL);
        connection
    }

    fn before(time: Duration) -> Duration {
        time.saturating_sub(Duration::from_nanos(1))
    }

    #[test]
    fn a_pong_is_overdue_when_its_time_is_up() {
        let mut connection = waiting();
        assert!(!connection.is_pong_overdue(INTERVAL));
        assert!(!connection.is_pong_overdue(before(DEADLINE)));
        assert!(connection.is_pong_overdue(DEADLINE));
        // It waits to be read.
        let mut inbox = Inbox::from(&[0x8a, 0x80, 0, 0, 0, 0][..]);
        assert!(matches!(connection.poll_event(&mut inbox), Ok(Some(_))));
        connection.handle_timeout(DEADLINE);
        assert!(!connection.is_pong_overdue(DEADLINE));
        assert!(!connection.has_failed());
    }

    /// The Ping cannot leave, or nothing at all is due: no Pong can wait to be read.
    #[test]
    fn a_pong_is_not_overdue_before_its_ping_has_left() {
        let mut connection = connection();
        assert!(!connection.is_pong_overdue(DEADLINE));
        connection.handle_timeout(INTERVAL);
        assert!(!connection.is_pong_overdue(DEADLINE));
        connection.handle_timeout(DEADLINE);
        assert!(connection.has_failed());
        let untold = Connection::server(&Config::default());
        assert!(!untold.is_pong_overdue(Duration::MAX));
    }

    /// What was read is a sign of life before anybody looks at it.
    #[test]
    fn whatever_was_read_is_life() {
        let mut connection = waiting();
        connection.note_life();
        connection.handle_timeout(DEADLINE);
        assert!(!connection.has_failed());
        assert_eq!(connection.poll_timeout(), Some(DEADLINE + INTERVAL));
    }

    /// The deadline of closing, or an idle one, is not a Pong's.
    #[test]
    fn another_deadline_makes_no_pong_overdue() {
        let mut closing = waiting();
        assert_eq!(closing.close(CloseCode::NORMAL, ""), Ok(()));
        closing.handle_timeout(INTERVAL);
        assert!(!closing.is_pong_overdue(Duration::MAX));

        let mut config = Config::default();
        config.timeouts.idle = Some(INTERVAL + TIMEOUT / 2);
        config.timeouts.keepalive = Some(Keepalive {
            interval: INTERVAL,
            timeout: TIMEOUT,
        });
        let mut idle = Connection::server(&config);
        idle.handle_timeout(Duration::ZERO);
        idle.handle_timeout(INTERVAL);
        flush(&mut idle);
        idle.handle_timeout(INTERVAL);
        assert!(!idle.is_pong_overdue(DEADLINE));
    }

    #[test]
    fn timers_that_start_anew_know_no_time() {
        let mut connection = waiting();
        connection.restart_timers();
        assert_eq!(connection.poll_timeout(), None);
        let start = Duration::from_secs(3);
        connection.handle_timeout(start);
        assert_eq!(connection.poll_timeout(), Some(start + INTERVAL));
    }

    #[test]
    fn a_byte_that_was_written_is_progress_until_the_time_is_told() {
        let mut connection = connection();
        assert!(!connection.has_progressed());
        assert!(connection.send_text("hello").is_ok());
        assert!(!connection.has_progressed());
        connection.outgoing().advance(1);
        assert!(connection.has_progressed());
        connection.handle_timeout(Duration::ZERO);
        assert!(!connection.has_progressed());
        assert!(!Connection::server(&Config::default()).has_progressed());
    }
}
