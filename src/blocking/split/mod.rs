//! One connection on several threads: who reads never writes, who sends never waits for the
//! transport, and who writes does nothing else.
//!
//! Two roles are not enough. A blocking reader that wrote the answers to Pings itself would stop
//! reading while the peer does not read; with a peer that does the same, both would wait for ever.

mod halves;
mod reader;
mod sender;
mod shared;
mod sync;
#[cfg(test)]
pub(super) mod tests;
#[cfg(feature = "rustls")]
mod tls;
mod writer;

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

#[cfg(feature = "rustls")]
use rustls::{ClientConnection, ServerConnection, StreamOwned};

pub use halves::{ReadHalf, WriteHalf};
pub use reader::Reader;
pub use sender::Sender;
pub use writer::Writer;

use super::maybe_tls::MaybeTls;
use super::websocket::WebSocket;
use crate::connection::{Connection, Inbox};
use crate::error::Error;
use halves::Rest;
use shared::Shared;
use sync::Arc;

/// A write to a socket returns after so long at the latest, so that deadlines are kept while the
/// peer does not read, those included that have come up meanwhile.
const TURN: Duration = Duration::from_millis(100);

impl WebSocket<TcpStream> {
    /// Splits the connection into three roles for threads of their own: the [`Reader`] receives and
    /// never writes, [`Sender`]s queue messages, and the [`Writer`] writes and watches deadlines,
    /// which start anew. A [read timeout](Self::set_read_timeout) stays; a write timeout of the
    /// socket is overruled.
    ///
    /// ```
    /// # use fullduplex::{CloseCode, blocking, handshake::{OriginPolicy, server::Options}};
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # let server = std::thread::spawn(move || -> Result<(), blocking::Error> {
    /// #     let (stream, _) = listener.accept()?;
    /// #     let mut socket = blocking::accept_tcp(stream, &Options::new(OriginPolicy::any()))?;
    /// #     while let Some(message) = socket.recv()? {
    /// #         socket.send(message)?;
    /// #     }
    /// #     Ok(())
    /// # });
    /// let (mut reader, sender, writer) = blocking::connect(&url)?.split()?;
    /// let writing = std::thread::spawn(|| writer.run());
    /// sender.send("hello")?;
    /// assert_eq!(reader.recv()?.unwrap().as_text(), Some("hello"));
    ///
    /// sender.close(CloseCode::NORMAL, "")?;
    /// assert_eq!(reader.recv()?, None);
    /// assert!(writing.join().unwrap().clean);
    /// # server.join().unwrap()?;
    /// # Ok::<(), blocking::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no more handles for the socket, of which this takes three.
    pub fn split(self) -> Result<(Reader, Sender, Writer), Error> {
        let (socket, rest) = take_apart(self, |tcp| tcp)?;
        halves::split(
            socket,
            #[cfg(feature = "rustls")]
            None,
            rest,
        )
    }
}

impl WebSocket<MaybeTls> {
    /// As [over TCP](WebSocket#method.split). A TLS session is locked for computing only, and never
    /// while bytes move through the socket.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no more handles for the socket, of which this takes three.
    pub fn split(self) -> Result<(Reader, Sender, Writer), Error> {
        let (stream, rest) = take_apart(self, MaybeTls::tcp)?;
        #[cfg(feature = "rustls")]
        let (socket, session) = match stream {
            MaybeTls::Plain(socket) => (socket, None),
            MaybeTls::Tls(tls) => (tls.sock, Some(rustls::Connection::Client(tls.conn))),
        };
        #[cfg(not(feature = "rustls"))]
        let MaybeTls::Plain(socket) = stream;
        halves::split(
            socket,
            #[cfg(feature = "rustls")]
            session,
            rest,
        )
    }
}

#[cfg(feature = "rustls")]
impl WebSocket<StreamOwned<ClientConnection, TcpStream>> {
    /// As [over TCP](WebSocket#method.split). The TLS session is locked for computing only, and never
    /// while bytes move through the socket.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no more handles for the socket, of which this takes three, or
    /// if the TLS handshake was not done and fails.
    pub fn split(self) -> Result<(Reader, Sender, Writer), Error> {
        let (stream, rest) = take_apart(self, |tls| &tls.sock)?;
        split_tls(stream.conn.into(), stream.sock, rest)
    }
}

#[cfg(feature = "rustls")]
impl WebSocket<StreamOwned<ServerConnection, TcpStream>> {
    /// As [over TCP](WebSocket#method.split). The TLS session is locked for computing only, and never
    /// while bytes move through the socket.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no more handles for the socket, of which this takes three, or
    /// if the TLS handshake was not done and fails.
    pub fn split(self) -> Result<(Reader, Sender, Writer), Error> {
        let (stream, rest) = take_apart(self, |tls| &tls.sock)?;
        split_tls(stream.conn.into(), stream.sock, rest)
    }
}

#[cfg(feature = "rustls")]
fn split_tls(
    mut session: rustls::Connection,
    mut socket: TcpStream,
    rest: Rest,
) -> Result<(Reader, Sender, Writer), Error> {
    if session.is_handshaking() {
        session.complete_io(&mut socket)?;
    }
    halves::split(socket, Some(session), rest)
}

/// The stream, with the read timeout that the WebSocket had, and what else there is.
fn take_apart<S: Read + Write>(
    socket: WebSocket<S>,
    tcp: fn(&S) -> &TcpStream,
) -> Result<(S, Rest), Error> {
    let read_timeout = socket.read_timeout();
    let (stream, connection, inbox) = socket.into_parts();
    // Zero means none to a socket.
    let read_timeout = read_timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
    tcp(&stream).set_read_timeout(read_timeout)?;
    Ok((stream, Rest { connection, inbox }))
}

/// Splits a connection over two halves of a transport: what [`WebSocket::split`] does over TCP,
/// with whatever [`into_parts`](WebSocket::into_parts) gave or an opening handshake led to.
///
/// `shutdown` ends the writing side of the transport, as [`TcpStream::shutdown`] does, or both sides,
/// so that a read or write that waits in another thread returns. It must not block itself. If it
/// does nothing, the Reader does not notice the end of the connection before the peer ends the
/// stream.
///
/// The halves block. If a write can wait for long, it needs a timeout for the deadlines to be kept:
/// it is tried again after [`WouldBlock`](ErrorKind::WouldBlock) and
/// [`TimedOut`](ErrorKind::TimedOut), and the deadlines are looked at in between.
///
/// ```no_run
/// # #[cfg(unix)]
/// # fn split() -> std::io::Result<()> {
/// use fullduplex::{Config, Connection, Inbox, blocking};
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
///
/// let read = UnixStream::connect("/run/feed.sock")?;
/// read.set_write_timeout(Some(Duration::from_millis(100)))?;
/// let (write, control) = (read.try_clone()?, read.try_clone()?);
/// let (reader, sender, writer) = blocking::split_over(
///     read,
///     write,
///     move |how| control.shutdown(how),
///     Connection::server(&Config::default()),
///     Inbox::new(),
/// );
/// # Ok(())
/// # }
/// ```
pub fn split_over<R: Read, W: Write>(
    read: R,
    write: W,
    shutdown: impl Fn(Shutdown) -> io::Result<()> + Send + Sync + 'static,
    connection: Connection,
    inbox: Inbox,
) -> (Reader<R>, Sender, Writer<W>) {
    let shared = Arc::new(Shared::new(connection, shutdown));
    let sender = Sender::new(Arc::clone(&shared));
    let writer = Writer::new(write, |_| {}, Arc::clone(&shared));
    (Reader::new(read, inbox, shared), sender, writer)
}

/// Whether an error says that a call can be made again.
fn is_not_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
