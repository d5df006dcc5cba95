//! A TCP stream, with TLS on it or without.

use core::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;

#[cfg(feature = "rustls")]
use alloc::boxed::Box;
#[cfg(feature = "rustls")]
use rustls::{ClientConnection, StreamOwned};

/// What [`connect`](super::connect()) opens: TCP for `ws` URLs, TLS over TCP for `wss` ones.
///
/// ```no_run
/// let socket = fullduplex::blocking::connect("ws://127.0.0.1:9001/")?;
/// println!("connected to {}", socket.stream().tcp().peer_addr()?);
/// # Ok::<(), fullduplex::Error>(())
/// ```
#[non_exhaustive]
pub enum MaybeTls {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    #[cfg(feature = "rustls")]
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl MaybeTls {
    /// The socket, whatever is spoken over it.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => &tls.sock,
        }
    }

    /// The TLS session, if there is one: its certificates, its version.
    #[cfg(feature = "rustls")]
    pub fn tls(&self) -> Option<&ClientConnection> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(&tls.conn),
        }
    }
}

impl Read for MaybeTls {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(room),
            #[cfg(feature = "rustls")]
            Self::Tls(tls) => tls.read(room),
        }
    }
}

impl Write for MaybeTls {
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

impl fmt::Debug for MaybeTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Plain(_) => "Plain",
            #[cfg(feature = "rustls")]
            Self::Tls(_) => "Tls",
        };
        f.debug_tuple(name).field(self.tcp()).finish()
    }
}
