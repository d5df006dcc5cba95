//! A [`Read`] + [`Write`] stream as the driver's transport: it waits inside the calls.

use core::task::Poll;
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::maybe_tls::MaybeTls;
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
    /// The last calls ended before one of them had nothing to do.
    has_yielded: bool,
}

/// What a socket can do that `Read` and `Write` do not have.
#[derive(Debug)]
struct Socket<S> {
    tcp: fn(&S) -> &TcpStream,
    read: Timeout,
    write: Timeout,
    session: Option<Session<S>>,
}

/// What stands between the socket and the bytes to be moved: TLS. Each call moves something or says
/// why it cannot; `None` if there is more to do.
#[derive(Debug)]
pub(super) struct Session<S> {
    pub(super) read: fn(&mut S, &mut [u8]) -> io::Result<Option<usize>>,
    pub(super) write: fn(&mut S, &[IoSlice<'_>]) -> io::Result<Option<usize>>,
    pub(super) flush: fn(&mut S) -> io::Result<Option<()>>,
    /// Makes a good-bye to be flushed.
    pub(super) close: fn(&mut S),
}

/// One of the timeouts of a socket.
#[derive(Debug)]
struct Timeout {
    set: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
    /// What it was when the socket came to us.
    own: Option<Duration>,
    current: Option<Duration>,
}

impl<S> Socket<S> {
    fn new(io: &S, tcp: fn(&S) -> &TcpStream, session: Option<Session<S>>) -> Self {
        // A socket that refuses to tell is broken, which its next use will tell.
        let read = tcp(io).read_timeout().unwrap_or_default();
        let write = tcp(io).write_timeout().unwrap_or_default();
        Self {
            tcp,
            read: Timeout::new(TcpStream::set_read_timeout, read),
            write: Timeout::new(TcpStream::set_write_timeout, write),
            session,
        }
    }
}

impl Stream<TcpStream> {
    pub(super) fn tcp(io: TcpStream) -> Self {
        Self::socket(io, |tcp| tcp, None)
    }
}

impl Stream<MaybeTls> {
    pub(super) fn maybe_tls(io: MaybeTls) -> Self {
        let session = match &io {
            MaybeTls::Plain(_) => None,
            #[cfg(feature = "rustls")]
            MaybeTls::Tls(_) => Some(MaybeTls::SESSION),
        };
        Self::socket(io, MaybeTls::tcp, session)
    }
}

impl<S: Read + Write> Stream<S> {
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            epoch: Instant::now(),
            socket: None,
            interrupted: 0,
            has_yielded: false,
        }
    }

    /// One that is a socket, or has one.
    pub(super) fn socket(io: S, tcp: fn(&S) -> &TcpStream, session: Option<Session<S>>) -> Self {
        let socket = Some(Socket::new(&io, tcp, session));
        Self {
            socket,
            ..Self::new(io)
        }
    }

    fn session(&self) -> Option<&Session<S>> {
        self.socket.as_ref()?.session.as_ref()
    }

    /// The deadline for a writing call, if the socket came with a timeout of its own.
    fn writing_by(&self, deadline: Option<Duration>) -> Option<Duration> {
        let own = self.socket.as_ref().and_then(|socket| socket.write.own);
        earlier(deadline, own.map(|own| self.now().saturating_add(own)))
    }

    /// The read timeout that the socket came with.
    pub(super) fn read_timeout(&self) -> Option<Duration> {
        self.socket.as_ref()?.read.own
    }

    /// Gives the stream back with the timeouts that it came with.
    pub(super) fn into_io(mut self) -> S {
        if let Some(socket) = &mut self.socket {
            let tcp = (socket.tcp)(&self.io);
            for timeout in [&mut socket.read, &mut socket.write] {
                // A socket that refuses this is broken, which its next use will tell.
                let _ = timeout.change(tcp, timeout.own);
            }
        }
        self.io
    }

    /// Makes calls until one has a result; it returns by `deadline`, if the stream is a socket that
    /// waits.
    fn attempt<T>(
        &mut self,
        timeout: fn(&mut Socket<S>) -> &mut Timeout,
        deadline: Option<Duration>,
        mut call: impl FnMut(&mut S) -> io::Result<Option<T>>,
    ) -> Poll<io::Result<T>> {
        loop {
            let started = self.now();
            let limit = match &mut self.socket {
                Some(socket) => {
                    let left = deadline.map(|deadline| deadline.saturating_sub(started));
                    let tcp = (socket.tcp)(&self.io);
                    timeout(socket).limit(tcp, left)?
                }
                None => None,
            };
            let interrupted = match call(&mut self.io) {
                Ok(Some(result)) => {
                    self.interrupted = 0;
                    return Poll::Ready(Ok(result));
                }
                Ok(None) => None,
                Err(error) if error.kind() == ErrorKind::Interrupted => Some(true),
                Err(error) if is_not_now(&error) => Some(false),
                Err(error) => {
                    self.interrupted = 0;
                    return Poll::Ready(Err(error));
                }
            };
            self.has_yielded = interrupted != Some(false);
            let now = self.now();
            let waited = now.saturating_sub(started);
            if interrupted == Some(true) && waited < SHORTEST {
                self.interrupted += 1;
                if self.interrupted >= INTERRUPTED {
                    return Poll::Pending;
                }
            } else {
                // Either a signal ended the wait, or a timeout of ours that is shorter than the
                // deadline. What does not block comes back sooner.
                self.interrupted = 0;
                if interrupted == Some(false) && limit.is_none_or(|limit| waited < limit / 2) {
                    return Poll::Pending;
                }
            }
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Poll::Pending;
            }
        }
    }
}

impl Timeout {
    const fn new(
        set: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        own: Option<Duration>,
    ) -> Self {
        Self {
            set,
            own,
            current: own,
        }
    }

    /// Makes calls return within `limit`, and tells what the timeout is now if it is one of ours.
    ///
    /// One that is shorter and of the same order is left as it is: deadlines move with each byte
    /// received, and a system call for each would cost more than to wake up once too early.
    fn limit(&mut self, tcp: &TcpStream, limit: Option<Duration>) -> io::Result<Option<Duration>> {
        let limit = limit.map(|limit| limit.max(SHORTEST));
        let keep = match (self.current, limit) {
            (None, None) => true,
            (Some(current), Some(limit)) => current <= limit && current >= limit / 4,
            _ => false,
        };
        if !keep {
            self.change(tcp, limit)?;
        }
        Ok(self.current)
    }

    fn change(&mut self, tcp: &TcpStream, timeout: Option<Duration>) -> io::Result<()> {
        if self.current != timeout {
            (self.set)(tcp, timeout)?;
            self.current = timeout;
        }
        Ok(())
    }
}

impl<S: Read + Write> Transport for Stream<S> {
    const WAITS: bool = true;

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn turn(&self) -> Option<Duration> {
        self.socket.as_ref().map(|_| TURN)
    }

    fn has_yielded(&self) -> bool {
        self.has_yielded
    }

    fn poll_read(
        &mut self,
        room: &mut [u8],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>> {
        let most = room.len();
        let read = self.session().map(|session| session.read);
        self.attempt(
            |socket| &mut socket.read,
            deadline,
            |io| match read {
                Some(read) => read(io, room),
                None => at_most(most, io.read(room)?).map(Some),
            },
        )
    }

    fn poll_write(
        &mut self,
        slices: &[IoSlice<'_>],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>> {
        let most = slices.iter().map(|slice| slice.len()).sum();
        let deadline = self.writing_by(deadline);
        let write = self.session().map(|session| session.write);
        self.attempt(
            |socket| &mut socket.write,
            deadline,
            |io| match write {
                Some(write) => write(io, slices),
                None => write_some(io, slices, most).map(Some),
            },
        )
    }

    fn poll_flush(&mut self, deadline: Option<Duration>) -> Poll<io::Result<()>> {
        if let Some(flush) = self.session().map(|session| session.flush) {
            let deadline = self.writing_by(deadline);
            return self.attempt(|socket| &mut socket.write, deadline, flush);
        }
        match self.io.flush() {
            Err(error) if error.kind() == ErrorKind::Interrupted || is_not_now(&error) => {
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        if let Some(Session { close, flush, .. }) = self.session() {
            let (close, flush) = (*close, *flush);
            close(&mut self.io);
            // The good-bye is worth a short wait and no more: it is a courtesy after the closing
            // handshake, and who did not get that far learns nothing from it.
            let deadline = self.now().saturating_add(TURN);
            let _ = self.attempt(|socket| &mut socket.write, Some(deadline), flush);
        }
        match &self.socket {
            Some(socket) => Poll::Ready((socket.tcp)(&self.io).shutdown(Shutdown::Write)),
            None => Poll::Ready(Err(ErrorKind::Unsupported.into())),
        }
    }
}

pub(super) fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Writes a prefix of `slices`, which have `most` bytes. Some streams with a buffer of their own, as
/// that of rustls, take nothing when it is full: flushing tells them from those that never will.
fn write_some(io: &mut impl Write, slices: &[IoSlice<'_>], most: usize) -> io::Result<usize> {
    let mut count = io.write_vectored(slices)?;
    if count == 0 {
        io.flush()?;
        count = io.write_vectored(slices)?;
    }
    at_most(most, count)
}

/// A stream that claims to have moved more bytes than there were cannot be trusted with any.
fn at_most(most: usize, count: usize) -> io::Result<usize> {
    if count > most {
        let text = "the stream claims more bytes than it was given";
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    Ok(count)
}
