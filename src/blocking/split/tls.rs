//! TLS for two threads: the session is locked while it encrypts or decrypts, and never while bytes
//! move through the socket.
//!
//! Reading can make TLS want to write: an alert, the answer to a key update. The Writer is told and
//! does it, so that the Reader never writes here either.

use alloc::sync::Arc as StdArc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::{ClientConnection, ServerConnection, StreamOwned};

use super::shared::{Shared, State};
use super::sync::Arc;
use super::{Reader, Sender, Writer, is_not_now, prepare, shared};
use crate::blocking::websocket::WebSocket;
use crate::error::Error;

/// Bytes that are read from the socket at once: one TLS record is at most so long.
const READ: usize = 16 * 1024 + 512;

impl WebSocket<StreamOwned<ClientConnection, TcpStream>> {
    /// As [`WebSocket::split`] over TCP. The TLS session is locked for computing only.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no more handles for the socket, of which this takes three, or
    /// if the TLS handshake was not done and fails.
    pub fn split(self) -> Result<(Reader<TlsRead>, Sender, Writer<TlsWrite>), Error> {
        split(self, rustls::Connection::Client)
    }
}

impl WebSocket<StreamOwned<ServerConnection, TcpStream>> {
    /// As [`WebSocket::split`] over TCP. The TLS session is locked for computing only.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no more handles for the socket, of which this takes three, or
    /// if the TLS handshake was not done and fails.
    pub fn split(self) -> Result<(Reader<TlsRead>, Sender, Writer<TlsWrite>), Error> {
        split(self, rustls::Connection::Server)
    }
}

fn split<C>(
    socket: WebSocket<StreamOwned<C, TcpStream>>,
    session: fn(C) -> rustls::Connection,
) -> Result<(Reader<TlsRead>, Sender, Writer<TlsWrite>), Error>
where
    StreamOwned<C, TcpStream>: Read + Write,
{
    let (stream, connection, inbox) = socket.into_parts();
    let shared = shared(connection, &stream.sock)?;
    let (read, write) = halves(session(stream.conn), stream.sock, &shared)?;
    let sender = Sender::new(Arc::clone(&shared));
    let writer = Writer::new(write, TlsWrite::farewell, Arc::clone(&shared));
    Ok((Reader::new(read, inbox, shared), sender, writer))
}

/// Splits a TLS stream.
pub(super) fn halves(
    mut session: rustls::Connection,
    mut stream: TcpStream,
    shared: &Arc<Shared>,
) -> io::Result<(TlsRead, TlsWrite)> {
    if session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    let session = Session(StdArc::new(Mutex::new(session)));
    let write = TlsWrite {
        session: session.clone(),
        socket: prepare(&stream)?,
        sealed: Vec::new(),
        written: 0,
    };
    let read = TlsRead {
        session,
        socket: stream,
        sealed: vec![0; READ],
        next: 0,
        end: 0,
        shared: Arc::clone(shared),
    };
    Ok((read, write))
}

/// The TLS session, which both halves use.
#[derive(Clone)]
struct Session(StdArc<Mutex<rustls::Connection>>);

impl Session {
    fn lock(&self) -> MutexGuard<'_, rustls::Connection> {
        #[cfg(test)]
        super::tests::delay();
        let session = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(test)]
        super::tests::delay();
        session
    }
}

/// The half of a TLS stream that a [`Reader`] has.
///
/// ```no_run
/// use fullduplex::blocking::{Error, Reader, TlsRead};
///
/// fn print(mut reader: Reader<TlsRead>) -> Result<(), Error> {
///     while let Some(message) = reader.recv()? {
///         println!("{message:?}");
///     }
///     Ok(())
/// }
/// ```
pub struct TlsRead {
    session: Session,
    socket: TcpStream,
    /// Records as they came; those before `next` are known to the session.
    sealed: Vec<u8>,
    next: usize,
    end: usize,
    shared: Arc<Shared>,
}

impl Read for TlsRead {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(result) = self.open(room) {
                return result;
            }
            self.end = self.socket.read(&mut self.sealed)?;
            self.next = 0;
            if self.end == 0 {
                self.session.lock().read_tls(&mut io::empty())?;
            }
        }
    }
}

impl TlsRead {
    /// Decrypts what has come; `None` if that is not enough.
    fn open(&mut self, room: &mut [u8]) -> Option<io::Result<usize>> {
        let mut session = self.session.lock();
        let result = loop {
            match session.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => break Some(result),
            }
            let mut sealed = self.sealed.get(self.next..self.end).unwrap_or_default();
            if sealed.is_empty() {
                break None;
            }
            let result = session.read_tls(&mut sealed);
            self.next = self.end - sealed.len();
            if let Err(error) = result {
                break Some(Err(error));
            }
            if let Err(error) = session.process_new_packets() {
                break Some(Err(io::Error::new(ErrorKind::InvalidData, error)));
            }
        };
        let wants_write = session.wants_write();
        drop(session);
        if wants_write {
            self.shared.with(State::want_flush);
        }
        result
    }
}

/// The half of a TLS stream that a [`Writer`] has.
///
/// ```no_run
/// use fullduplex::blocking::{TlsWrite, Writer};
///
/// fn start(writer: Writer<TlsWrite>) {
///     std::thread::spawn(|| println!("{}", writer.run()));
/// }
/// ```
pub struct TlsWrite {
    session: Session,
    socket: TcpStream,
    /// Records on their way to the socket, which has taken the first `written` bytes.
    sealed: Vec<u8>,
    written: usize,
}

impl Write for TlsWrite {
    /// Takes bytes when all that it took before has left.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push()?;
        let taken = self.seal(bytes);
        match self.push() {
            // It is taken, and leaves with the next call.
            Err(error) if is_not_now(&error) => taken,
            result => result.and(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()?;
        self.seal(&[])?;
        self.push()
    }
}

impl TlsWrite {
    pub(super) fn farewell(&mut self) {
        self.session.lock().send_close_notify();
    }

    /// Encrypts, and takes what else the session wants to say, such as why it no longer encrypts.
    fn seal(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut session = self.session.lock();
        let result = if bytes.is_empty() {
            Ok(0)
        } else {
            session.writer().write(bytes)
        };
        while session.wants_write() {
            session.write_tls(&mut self.sealed)?;
        }
        result
    }

    /// Writes all records to the socket.
    fn push(&mut self) -> io::Result<()> {
        while let Some(rest) = self.sealed.get(self.written..)
            && !rest.is_empty()
        {
            match self.socket.write(rest)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                count => self.written += count,
            }
        }
        self.sealed.clear();
        self.written = 0;
        Ok(())
    }
}

impl fmt::Debug for TlsRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsRead").finish_non_exhaustive()
    }
}

impl fmt::Debug for TlsWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsWrite").finish_non_exhaustive()
    }
}
