//! A TLS session over a blocking socket, in steps: each makes one call of the socket, so that a
//! peer that dribbles bytes cannot hold off a deadline. `None` says that there is more to be done.

use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ConnectionCommon, SideData, StreamOwned};

use super::maybe_tls::MaybeTls;
use super::stream::{Session, is_not_now};
use crate::error::{Error, TlsError};
use crate::tls::Tls;

impl MaybeTls {
    /// How a [`Stream`](super::stream::Stream) goes about TLS.
    pub(super) const SESSION: Session<Self> = Session {
        read: |io, room| match io {
            Self::Plain(tcp) => tcp.read(room).map(Some),
            Self::Tls(tls) => read(&mut tls.conn, &mut tls.sock, room),
        },
        write: |io, slices| match io {
            Self::Plain(tcp) => tcp.write_vectored(slices).map(Some),
            Self::Tls(tls) => write(&mut tls.conn, &mut tls.sock, slices),
        },
        flush: |io| match io {
            Self::Plain(tcp) => tcp.flush().map(Some),
            Self::Tls(tls) => flush(&mut tls.conn, &mut tls.sock),
        },
        close: |io| match io {
            Self::Plain(_) => {}
            Self::Tls(tls) => tls.conn.send_close_notify(),
        },
    };
}

/// Shakes hands by `deadline`.
pub(super) fn handshake(
    mut tcp: TcpStream,
    tls: &Tls,
    name: ServerName<'static>,
    deadline: Option<Instant>,
) -> Result<StreamOwned<ClientConnection, TcpStream>, Error> {
    let config = tls.config().clone();
    let mut session = ClientConnection::new(config, name).map_err(TlsError::from)?;
    let own = (tcp.read_timeout()?, tcp.write_timeout()?);
    shake_hands(&mut session, &mut tcp, deadline, |tcp, left| {
        tcp.set_read_timeout(left)?;
        tcp.set_write_timeout(left)
    })?;
    tcp.set_read_timeout(own.0)?;
    tcp.set_write_timeout(own.1)?;
    Ok(StreamOwned::new(session, tcp))
}

/// As [`handshake`], over a socket whose calls return when the time has passed that `limit` sets.
pub(super) fn shake_hands<S: Read + Write, D: SideData>(
    session: &mut ConnectionCommon<D>,
    socket: &mut S,
    deadline: Option<Instant>,
    limit: fn(&S, Option<Duration>) -> io::Result<()>,
) -> Result<(), Error> {
    while session.is_handshaking() || session.wants_write() {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(TlsError::TimedOut.into());
        }
        limit(socket, left)?;
        if let Err(error) = step(session, socket) {
            match error {
                Error::Io(error) if error.kind() == ErrorKind::Interrupted => {}
                Error::Io(error) if is_not_now(&error) && deadline.is_some() => {}
                error => return Err(error),
            }
        }
    }
    Ok(())
}

/// One call of the socket for the handshake.
fn step<D: SideData>(
    session: &mut ConnectionCommon<D>,
    socket: &mut (impl Read + Write),
) -> Result<(), Error> {
    if session.wants_write() {
        return Ok(pass_on(session, socket)?);
    }
    if session.read_tls(socket)? == 0 {
        return Err(TlsError::ConnectionClosed.into());
    }
    if let Err(error) = session.process_new_packets() {
        let _ = session.write_tls(socket); // the alert; what went wrong first is what counts
        return Err(TlsError::Handshake(error).into());
    }
    Ok(())
}

/// Reads what the peer has sent. What came before an error is handed out before it. The end of the
/// stream without the peer's word is an error ([`ErrorKind::UnexpectedEof`]), since anybody on the
/// way can cut a stream off.
///
/// It never writes: two ends that wait for each other to read would be stuck. An alert leaves with
/// what is written next, or at the end.
pub(super) fn read<D: SideData>(
    session: &mut ConnectionCommon<D>,
    socket: &mut impl Read,
    room: &mut [u8],
) -> io::Result<Option<usize>> {
    if let Some(count) = take(session, room)? {
        return Ok(Some(count));
    }
    process(session)?; // an error that was met before is told again
    session.read_tls(socket)?;
    let processed = process(session);
    match (take(session, room), processed) {
        (Ok(None) | Err(_), Err(error)) => Err(error),
        (taken, _) => taken,
    }
}

fn process<D: SideData>(session: &mut ConnectionCommon<D>) -> io::Result<()> {
    match session.process_new_packets() {
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::new(ErrorKind::InvalidData, error)),
    }
}

/// What has been decrypted.
fn take<D: SideData>(
    session: &mut ConnectionCommon<D>,
    room: &mut [u8],
) -> io::Result<Option<usize>> {
    match session.reader().read(room) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}

/// Takes over bytes to be sent, once those that were taken before are gone. They leave with the next
/// call.
pub(super) fn write<D: SideData>(
    session: &mut ConnectionCommon<D>,
    socket: &mut impl Write,
    slices: &[IoSlice<'_>],
) -> io::Result<Option<usize>> {
    if session.wants_write() {
        return pass_on(session, socket).map(|()| None);
    }
    session.writer().write_vectored(slices).map(Some)
}

pub(super) fn flush<D: SideData>(
    session: &mut ConnectionCommon<D>,
    socket: &mut impl Write,
) -> io::Result<Option<()>> {
    if session.wants_write() {
        return pass_on(session, socket).map(|()| None);
    }
    socket.flush().map(Some)
}

fn pass_on<D: SideData>(
    session: &mut ConnectionCommon<D>,
    socket: &mut impl Write,
) -> io::Result<()> {
    match session.write_tls(socket)? {
        0 => Err(ErrorKind::WriteZero.into()),
        _ => Ok(()),
    }
}
