//! The halves of what [`WebSocket::split`](crate::blocking::WebSocket::split) takes apart.

use core::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::shared::Shared;
use super::sync::Arc;
#[cfg(feature = "rustls")]
use super::tls;
use super::{Reader, Sender, TURN, Writer};
use crate::connection::{Connection, Inbox};
use crate::error::Error;

/// The half of TCP, or of TLS over TCP, that a [`Reader`] has.
///
/// ```no_run
/// use fullduplex::blocking::{Error, ReadHalf, Reader};
///
/// fn print(mut reader: Reader<ReadHalf>) -> Result<(), Error> {
///     while let Some(message) = reader.recv()? {
///         println!("{message:?}");
///     }
///     Ok(())
/// }
/// ```
pub struct ReadHalf(ReadKind);

enum ReadKind {
    Tcp(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(tls::TlsRead<TcpStream>),
}

/// The half of TCP, or of TLS over TCP, that a [`Writer`] has.
///
/// ```no_run
/// use fullduplex::blocking::{WriteHalf, Writer};
///
/// fn start(writer: Writer<WriteHalf>) {
///     std::thread::spawn(|| println!("{}", writer.run()));
/// }
/// ```
pub struct WriteHalf(WriteKind);

enum WriteKind {
    Tcp(TcpStream),
    #[cfg(feature = "rustls")]
    Tls(tls::TlsWrite<TcpStream>),
}

/// What there is beside the transport.
pub(super) struct Rest {
    pub(super) connection: Connection,
    pub(super) inbox: Inbox,
}

/// Takes a socket apart, with a TLS session on it or without.
pub(super) fn split(
    socket: TcpStream,
    #[cfg(feature = "rustls")] session: Option<rustls::Connection>,
    rest: Rest,
) -> Result<(Reader, Sender, Writer), Error> {
    socket.set_nonblocking(false)?;
    socket.set_write_timeout(Some(TURN))?;
    let (writing, control) = (socket.try_clone()?, socket.try_clone()?);
    let shared = Shared::new(rest.connection, move |how| control.shutdown(how));
    let shared = Arc::new(shared);
    #[cfg(feature = "rustls")]
    let (read, write) = match session {
        None => (ReadKind::Tcp(socket), WriteKind::Tcp(writing)),
        Some(session) => {
            let (read, write) = tls::halves(session, socket, writing, &shared);
            (ReadKind::Tls(read), WriteKind::Tls(write))
        }
    };
    #[cfg(not(feature = "rustls"))]
    let (read, write) = (ReadKind::Tcp(socket), WriteKind::Tcp(writing));
    let sender = Sender::new(Arc::clone(&shared));
    let writer = Writer::new(WriteHalf(write), WriteHalf::farewell, Arc::clone(&shared));
    Ok((
        Reader::new(ReadHalf(read), rest.inbox, shared),
        sender,
        writer,
    ))
}

impl Read for ReadHalf {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            ReadKind::Tcp(tcp) => tcp.read(room),
            #[cfg(feature = "rustls")]
            ReadKind::Tls(tls) => tls.read(room),
        }
    }
}

impl Write for WriteHalf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            WriteKind::Tcp(tcp) => tcp.write(bytes),
            #[cfg(feature = "rustls")]
            WriteKind::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            WriteKind::Tcp(tcp) => tcp.flush(),
            #[cfg(feature = "rustls")]
            WriteKind::Tls(tls) => tls.flush(),
        }
    }
}

impl WriteHalf {
    /// Ends TLS.
    fn farewell(&mut self) {
        match &mut self.0 {
            WriteKind::Tcp(_) => {}
            #[cfg(feature = "rustls")]
            WriteKind::Tls(tls) => tls.farewell(),
        }
    }
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}
