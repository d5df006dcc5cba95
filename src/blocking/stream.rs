//! A [`Read`] + [`Write`] stream as the driver's transport: it waits inside the calls.

use core::task::Poll;
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use crate::driver::{Transport, earlier};

/// So many calls in a row that are interrupted at once count as "not now".
const INTERRUPTED: usize = 2;

/// The shortest timeout that is given to a socket, since zero means none.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long a call waits in one direction while bytes may be moved in the other one: two peers that
/// both write would otherwise wait for each other to read.
const TURN: Duration = Duration::from_millis(10);

/// A stream, its clock, and how its timeouts are set, if they can be.
#[derive(Debug)]
pub(super) struct Stream<S> {
    pub(super) io: S,
    epoch: Instant,
    socket: Option<Socket<S>>,
    /// Calls in a row that were interrupted at once.
    interrupted: usize,
}

/// What a socket can do that `Read` and `Write` do not have.
#[derive(Debug)]
struct Socket<S> {
    read: Timeout<S>,
    write: Timeout<S>,
    shutdown: fn(&S) -> io::Result<()>,
}

/// One of the timeouts of a socket.
#[derive(Debug)]
struct Timeout<S> {
    set: fn(&S, Option<Duration>) -> io::Result<()>,
    /// What it was when the socket came to us.
    own: Option<Duration>,
    current: Option<Duration>,
}

impl Socket<TcpStream> {
    fn tcp(stream: &TcpStream) -> Self {
        // A socket that refuses to tell is broken, which its next use will tell.
        let read = stream.read_timeout().unwrap_or_default();
        let write = stream.write_timeout().unwrap_or_default();
        Self {
            read: Timeout {
                set: TcpStream::set_read_timeout,
                own: read,
                current: read,
            },
            write: Timeout {
                set: TcpStream::set_write_timeout,
                own: write,
                current: write,
            },
            shutdown: |stream| stream.shutdown(Shutdown::Write),
        }
    }
}

impl Stream<TcpStream> {
    pub(super) fn tcp(io: TcpStream) -> Self {
        let socket = Some(Socket::tcp(&io));
        Self {
            socket,
            ..Self::new(io)
        }
    }
}

impl<S: Read + Write> Stream<S> {
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            epoch: Instant::now(),
            socket: None,
            interrupted: 0,
        }
    }

    /// The read timeout that the socket came with.
    pub(super) fn read_timeout(&self) -> Option<Duration> {
        self.socket.as_ref()?.read.own
    }

    /// Gives the stream back with the timeouts that it came with.
    pub(super) fn into_io(mut self) -> S {
        if let Some(Socket { read, write, .. }) = &mut self.socket {
            // A socket that refuses this is broken, which its next use will tell.
            let _ = read.change(&self.io, read.own);
            let _ = write.change(&self.io, write.own);
        }
        self.io
    }

    /// Makes a call that returns by `deadline`, if the stream is a socket that waits.
    fn attempt<T>(
        &mut self,
        timeout: fn(&mut Socket<S>) -> &mut Timeout<S>,
        deadline: Option<Duration>,
        mut call: impl FnMut(&mut S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let started = self.now();
            let limit = match &mut self.socket {
                Some(socket) => {
                    let left = deadline.map(|deadline| deadline.saturating_sub(started));
                    timeout(socket).limit(&self.io, left)?
                }
                None => None,
            };
            let result = call(&mut self.io);
            let interrupted = match result.as_ref().err().map(io::Error::kind) {
                Some(ErrorKind::Interrupted) => true,
                Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
                _ => {
                    self.interrupted = 0;
                    return Poll::Ready(result);
                }
            };
            let now = self.now();
            let waited = now.saturating_sub(started);
            if interrupted && waited < SHORTEST {
                self.interrupted += 1;
                if self.interrupted >= INTERRUPTED {
                    return Poll::Pending;
                }
            } else {
                // Either a signal ended the wait, or a timeout of ours that is shorter than the
                // deadline. What does not block comes back sooner.
                self.interrupted = 0;
                if !interrupted && limit.is_none_or(|limit| waited < limit / 2) {
                    return Poll::Pending;
                }
            }
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Poll::Pending;
            }
        }
    }
}

impl<S> Timeout<S> {
    /// Makes calls return within `limit`, and tells what the timeout is now if it is one of ours.
    ///
    /// One that is shorter and of the same order is left as it is: deadlines move with each byte
    /// received, and a system call for each would cost more than to wake up once too early.
    fn limit(&mut self, io: &S, limit: Option<Duration>) -> io::Result<Option<Duration>> {
        let limit = limit.map(|limit| limit.max(SHORTEST));
        let keep = match (self.current, limit) {
            (None, None) => true,
            (Some(current), Some(limit)) => current <= limit && current >= limit / 4,
            _ => false,
        };
        if !keep {
            self.change(io, limit)?;
        }
        Ok(self.current)
    }

    fn change(&mut self, io: &S, timeout: Option<Duration>) -> io::Result<()> {
        if self.current != timeout {
            (self.set)(io, timeout)?;
            self.current = timeout;
        }
        Ok(())
    }
}

impl<S: Read + Write> Transport for Stream<S> {
    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn turn(&self) -> Option<Duration> {
        self.socket.as_ref().map(|_| TURN)
    }

    fn poll_read(
        &mut self,
        room: &mut [u8],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>> {
        let most = room.len();
        self.attempt(
            |socket| &mut socket.read,
            deadline,
            |io| io.read(room).and_then(|count| at_most(most, count)),
        )
    }

    fn poll_write(
        &mut self,
        slices: &[IoSlice<'_>],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>> {
        let most = slices.iter().map(|slice| slice.len()).sum();
        let own = self.socket.as_ref().and_then(|socket| socket.write.own);
        let deadline = earlier(deadline, own.map(|own| self.now().saturating_add(own)));
        self.attempt(
            |socket| &mut socket.write,
            deadline,
            |io| {
                io.write_vectored(slices)
                    .and_then(|count| at_most(most, count))
            },
        )
    }

    fn poll_flush(&mut self) -> Poll<io::Result<()>> {
        let result = self.io.flush();
        match result.as_ref().err().map(io::Error::kind) {
            Some(ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Poll::Pending
            }
            _ => Poll::Ready(result),
        }
    }

    fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        match &self.socket {
            Some(socket) => Poll::Ready((socket.shutdown)(&self.io)),
            None => Poll::Ready(Err(ErrorKind::Unsupported.into())),
        }
    }
}

/// A stream that claims to have moved more bytes than there were cannot be trusted with any.
fn at_most(most: usize, count: usize) -> io::Result<usize> {
    if count > most {
        let text = "the stream claims more bytes than it was given";
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    Ok(count)
}
