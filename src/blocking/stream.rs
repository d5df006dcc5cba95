//! A [`Read`] + [`Write`] stream as the driver's transport: it waits inside the calls.

use core::task::Poll;
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use crate::driver::Transport;

/// A call that a signal interrupted is repeated so often before it counts as "not now".
const INTERRUPTED: usize = 3;

/// The shortest timeout that is given to a socket, since zero means none.
const SHORTEST: Duration = Duration::from_millis(1);

/// A stream, its clock, and how its timeouts are set, if they can be.
#[derive(Debug)]
pub(super) struct Stream<S> {
    pub(super) io: S,
    epoch: Instant,
    socket: Option<Socket<S>>,
}

/// What a socket can do that `Read` and `Write` do not have.
#[derive(Debug)]
pub(super) struct Socket<S> {
    set_read_timeout: SetTimeout<S>,
    set_write_timeout: SetTimeout<S>,
    shutdown: fn(&S) -> io::Result<()>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

type SetTimeout<S> = fn(&S, Option<Duration>) -> io::Result<()>;

impl Socket<TcpStream> {
    pub(super) fn tcp() -> Self {
        Self {
            set_read_timeout: TcpStream::set_read_timeout,
            set_write_timeout: TcpStream::set_write_timeout,
            shutdown: |stream| stream.shutdown(Shutdown::Write),
            read_timeout: None,
            write_timeout: None,
        }
    }
}

impl<S: Read + Write> Stream<S> {
    pub(super) fn new(io: S, socket: Option<Socket<S>>) -> Self {
        Self {
            io,
            epoch: Instant::now(),
            socket,
        }
    }

    /// Writes all of `bytes` by `deadline`, as far as the stream keeps one.
    pub(super) fn write_all(&mut self, mut bytes: &[u8], deadline: Duration) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.poll_write(&[IoSlice::new(bytes)], Some(deadline)) {
                Poll::Ready(Ok(0)) => return Err(ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => bytes = bytes.get(count..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Err(ErrorKind::TimedOut.into()),
            }
        }
        match self.poll_flush() {
            Poll::Ready(result) => result,
            Poll::Pending => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// Drops what still comes, up to the end of the stream, `limit` bytes or `deadline`.
    pub(super) fn drain(&mut self, mut limit: usize, deadline: Duration) {
        let mut dropped = [0; 4096];
        while limit > 0 && self.now() < deadline {
            match self.poll_read(&mut dropped, Some(deadline)) {
                Poll::Ready(Ok(count @ 1..)) => limit = limit.saturating_sub(count),
                _ => return,
            }
        }
    }

    /// Gives the stream back as it came: without timeouts of ours.
    pub(super) fn into_io(mut self) -> S {
        if let Some(socket) = &mut self.socket {
            // A socket that refuses this is broken, which its next use will tell.
            let _ = socket.limit_read(&self.io, None);
            let _ = socket.limit_write(&self.io, None);
        }
        self.io
    }

    /// How long a call may wait to return by `deadline`.
    fn limit(&self, deadline: Option<Duration>) -> Option<Duration> {
        deadline.map(|deadline| deadline.saturating_sub(self.now()).max(SHORTEST))
    }
}

impl<S> Socket<S> {
    fn limit_read(&mut self, io: &S, limit: Option<Duration>) -> io::Result<Option<Duration>> {
        set_limit(io, self.set_read_timeout, &mut self.read_timeout, limit)
    }

    fn limit_write(&mut self, io: &S, limit: Option<Duration>) -> io::Result<Option<Duration>> {
        set_limit(io, self.set_write_timeout, &mut self.write_timeout, limit)
    }
}

/// Makes calls return within `limit`, and tells what the timeout is now. One that is shorter and of
/// the same order is left as it is: deadlines move with each byte received, and a system call for
/// each would cost more than to wake up once too early.
fn set_limit<S>(
    io: &S,
    set: SetTimeout<S>,
    current: &mut Option<Duration>,
    limit: Option<Duration>,
) -> io::Result<Option<Duration>> {
    let keep = match (*current, limit) {
        (None, None) => true,
        (Some(current), Some(limit)) => current <= limit && current >= limit / 4,
        _ => false,
    };
    if !keep {
        set(io, limit)?;
        *current = limit;
    }
    Ok(*current)
}

impl<S: Read + Write> Transport for Stream<S> {
    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn poll_read(
        &mut self,
        room: &mut [u8],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let limit = self.limit(deadline);
            let limit = match &mut self.socket {
                Some(socket) => socket.limit_read(&self.io, limit)?,
                None => None,
            };
            let started = self.now();
            let result = attempt(|| self.io.read(room));
            if result.is_pending() && self.waited_in_vain(started, limit, deadline) {
                continue;
            }
            return result;
        }
    }

    fn poll_write(
        &mut self,
        slices: &[IoSlice<'_>],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let limit = self.limit(deadline);
            let limit = match &mut self.socket {
                Some(socket) => socket.limit_write(&self.io, limit)?,
                None => None,
            };
            let started = self.now();
            let result = attempt(|| self.io.write_vectored(slices));
            if result.is_pending() && self.waited_in_vain(started, limit, deadline) {
                continue;
            }
            return result;
        }
    }

    fn poll_flush(&mut self) -> Poll<io::Result<()>> {
        attempt(|| self.io.flush())
    }

    fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        match &self.socket {
            Some(socket) => Poll::Ready((socket.shutdown)(&self.io)),
            None => Poll::Ready(Err(ErrorKind::Unsupported.into())),
        }
    }
}

impl<S: Read + Write> Stream<S> {
    /// Whether a call that came back empty-handed did so because its timeout, shorter than the
    /// deadline, passed: then it is to be made again. A stream that is non-blocking comes back
    /// sooner.
    fn waited_in_vain(
        &self,
        started: Duration,
        limit: Option<Duration>,
        deadline: Option<Duration>,
    ) -> bool {
        let now = self.now();
        limit.is_some_and(|limit| now.saturating_sub(started) >= limit)
            && deadline.is_none_or(|deadline| now < deadline)
    }
}

fn attempt<T>(mut call: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
    for _ in 0..INTERRUPTED {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Poll::Pending;
            }
            result => return Poll::Ready(result),
        }
    }
    Poll::Pending
}
