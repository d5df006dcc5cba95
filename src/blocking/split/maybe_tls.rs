//! The roles of a connection that a URL led to.

use core::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;

use super::sync::Arc;
#[cfg(feature = "rustls")]
use super::tls::{self, TlsRead, TlsWrite};
use super::{Reader, Sender, Writer, prepare, shared};
use crate::blocking::maybe_tls::MaybeTls;
use crate::blocking::websocket::WebSocket;
use crate::error::Error;

impl WebSocket<MaybeTls> {
    /// As [`WebSocket::split`] over TCP, whether there is TLS or not.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn split(self) -> Result<(Reader<MaybeTlsRead>, Sender, Writer<MaybeTlsWrite>), Error> {
        let read_timeout = self.read_timeout();
        let (stream, connection, inbox) = self.into_parts();
        stream.tcp().set_read_timeout(read_timeout)?;
        let shared = shared(connection, stream.tcp())?;
        let (read, write) = match stream {
            MaybeTls::Plain(stream) => {
                let write = prepare(&stream)?;
                (MaybeTlsRead::Plain(stream), MaybeTlsWrite::Plain(write))
            }
            #[cfg(feature = "rustls")]
            MaybeTls::Tls(stream) => {
                let session = rustls::Connection::Client(stream.conn);
                let (read, write) = tls::halves(session, stream.sock, &shared)?;
                (MaybeTlsRead::Tls(read), MaybeTlsWrite::Tls(write))
            }
        };
        let sender = Sender::new(Arc::clone(&shared));
        let writer = Writer::new(write, MaybeTlsWrite::farewell, Arc::clone(&shared));
        Ok((Reader::new(read, inbox, shared), sender, writer))
    }
}

/// The half of a [`MaybeTls`] stream that a [`Reader`] has.
///
/// ```no_run
/// use fullduplex::blocking::{Error, MaybeTlsRead, Reader};
///
/// fn print(mut reader: Reader<MaybeTlsRead>) -> Result<(), Error> {
///     while let Some(message) = reader.recv()? {
///         println!("{message:?}");
///     }
///     Ok(())
/// }
/// ```
#[non_exhaustive]
pub enum MaybeTlsRead {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    #[cfg(feature = "rustls")]
    Tls(TlsRead),
}

/// The half of a [`MaybeTls`] stream that a [`Writer`] has.
///
/// ```no_run
/// use fullduplex::blocking::{MaybeTlsWrite, Writer};
///
/// fn start(writer: Writer<MaybeTlsWrite>) {
///     std::thread::spawn(|| println!("{}", writer.run()));
/// }
/// ```
#[non_exhaustive]
pub enum MaybeTlsWrite {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    #[cfg(feature = "rustls")]
    Tls(TlsWrite),
}

impl MaybeTlsWrite {
    fn farewell(&mut self) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.farewell(),
        }
    }
}

impl Read for MaybeTlsRead {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(room),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.read(room),
        }
    }
}

impl Write for MaybeTlsWrite {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write_vectored(slices),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.flush(),
        }
    }
}

impl fmt::Debug for MaybeTlsRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeTlsRead").finish_non_exhaustive()
    }
}

impl fmt::Debug for MaybeTlsWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeTlsWrite").finish_non_exhaustive()
    }
}
