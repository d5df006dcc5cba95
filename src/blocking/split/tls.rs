//! TLS for two threads: the session is locked while it encrypts or decrypts, and never while bytes
//! move through the socket.
//!
//! Reading can make TLS want to write: an alert, the answer to a key update. The Writer is told and
//! does it, so that the Reader never writes here either.

use alloc::vec;
use alloc::vec::Vec;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::is_not_now;
use super::shared::{Shared, State};
use super::sync::Arc;

/// Bytes that are read from the socket at once: one TLS record is at most so long.
const READ: usize = 16 * 1024 + 512;

/// Takes a session apart whose handshake is done.
pub(super) fn halves<R, W>(
    session: rustls::Connection,
    reading: R,
    writing: W,
    shared: &Arc<Shared>,
) -> (TlsRead<R>, TlsWrite<W>) {
    let session = Session(Arc::new(Mutex::new(session)));
    let read = TlsRead {
        session: session.clone(),
        socket: reading,
        sealed: vec![0; READ],
        next: 0,
        end: 0,
        shared: Arc::clone(shared),
    };
    let write = TlsWrite {
        session,
        socket: writing,
        sealed: Vec::new(),
        written: 0,
    };
    (read, write)
}

/// The TLS session, which both halves use.
#[derive(Clone)]
struct Session(Arc<Mutex<rustls::Connection>>);

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

/// The half that reads.
pub(super) struct TlsRead<R> {
    session: Session,
    socket: R,
    /// Records as they came; those before `next` are known to the session.
    sealed: Vec<u8>,
    next: usize,
    end: usize,
    shared: Arc<Shared>,
}

impl<R: Read> Read for TlsRead<R> {
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

impl<R> TlsRead<R> {
    /// Decrypts what has come; `None` if that is not enough. What came before an error is handed out
    /// before it.
    fn open(&mut self, room: &mut [u8]) -> Option<io::Result<usize>> {
        let mut session = self.session.lock();
        let result = loop {
            match session.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => break Some(result),
            }
            let mut sealed = self.sealed.get(self.next..self.end).unwrap_or_default();
            if !sealed.is_empty() {
                if let Err(error) = session.read_tls(&mut sealed) {
                    break Some(Err(error));
                }
                self.next = self.end - sealed.len();
            }
            let is_last = sealed.is_empty();
            match session.process_new_packets() {
                Ok(state) if is_last && state.plaintext_bytes_to_read() == 0 => break None,
                Ok(_) => {}
                Err(error) => {
                    let error = io::Error::new(ErrorKind::InvalidData, error);
                    // The session tells the error again when it is asked again.
                    self.next = self.end;
                    break Some(match session.reader().read(room) {
                        Ok(count) if count > 0 => Ok(count),
                        _ => Err(error),
                    });
                }
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

/// The half that writes.
pub(super) struct TlsWrite<W> {
    session: Session,
    socket: W,
    /// Records on their way to the socket, which has taken the first `written` bytes.
    sealed: Vec<u8>,
    written: usize,
}

impl<W: Write> Write for TlsWrite<W> {
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

impl<W: Write> TlsWrite<W> {
    pub(super) fn farewell(&self) {
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
