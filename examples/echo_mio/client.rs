//! One connection: how far it is, and what it does when it has its turn.

use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use bytes::Buf;
use fullduplex::connection::Parked;
use fullduplex::handshake::server::{Acceptance, Handshake, Incoming, Options, Response};
use fullduplex::handshake::{HandshakeError, Step};
use fullduplex::{CloseCode, Connection, Event, Inbox, State};
use mio::event::Event as Readiness;
use mio::net::TcpStream;

/// How many reads a connection may do before it is the others' turn.
const READS_PER_TURN: usize = 16;

/// The room for a read. There is one inbox for all connections, so that it may be large: fewer
/// messages are cut, and fewer system calls made.
const ROOM: usize = 128 * 1024;

/// How long a client that was refused is given to read why: closing over unread bytes could make
/// its system discard our answer.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) struct Client {
    /// Whose it is, if that is to be told. An idle client costs little, and this is a part of it.
    pub(crate) peer: Option<Box<SocketAddr>>,
    /// The one timer of it that counts.
    pub(crate) timer: Option<Duration>,
    /// It is on the list of those that get another turn soon.
    pub(crate) unfinished: bool,
    stream: TcpStream,
    /// The stream may have something to read, and nothing but its end behind that.
    readable: bool,
    read_closed: bool,
    stage: Stage,
    /// What it left in the inbox at the end of its last turn.
    parked: Parked,
}

#[allow(clippy::large_enum_variant, reason = "most of them are open")]
enum Stage {
    /// The request is not there yet, or not all of it.
    Opening(Box<Handshake>),
    Open(Connection),
    /// The request got another answer than a WebSocket, which can be read until then.
    Refused(Duration),
}

/// How a turn ended.
pub(crate) enum Turn {
    /// Wait for the stream, or for the deadline.
    Wait,
    /// There may be more to read, but others want a turn, too.
    Unfinished,
    /// The stream is to be dropped.
    Over(String),
}

impl Client {
    pub(crate) fn new(stream: TcpStream, peer: Option<Box<SocketAddr>>, options: &Options) -> Self {
        Self {
            peer,
            timer: None,
            unfinished: false,
            stream,
            readable: false,
            read_closed: false,
            stage: Stage::Opening(Box::new(Handshake::new(options.clone()))),
            parked: Parked::default(),
        }
    }

    /// Readiness is told once: it counts until a read or write finds nothing more to do.
    pub(crate) fn note(&mut self, readiness: &Readiness) {
        self.readable |= readiness.is_readable() || readiness.is_error();
        self.read_closed |= readiness.is_read_closed();
    }

    /// Looks whether something has come that it was not told of yet.
    pub(crate) fn look(&mut self) {
        self.readable = true;
    }

    /// Starts to say good-bye. Whoever has not opened a WebSocket is not waited for.
    pub(crate) fn close(&mut self) {
        match &mut self.stage {
            // It may be closing already.
            Stage::Open(connection) => {
                let _ = connection.close(CloseCode::GOING_AWAY, "the server ends");
            }
            other => *other = Stage::Refused(Duration::ZERO),
        }
    }

    /// When it wants its next turn, whatever the stream does.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Opening(handshake) => handshake.poll_timeout(),
            Stage::Open(connection) => connection.poll_timeout(),
            Stage::Refused(until) => Some(*until),
        }
    }

    /// Does what can be done now.
    pub(crate) fn turn(&mut self, inbox: &mut Inbox, now: Duration) -> Turn {
        let parked = mem::take(&mut self.parked);
        match &mut self.stage {
            Stage::Open(connection) => connection.resume(inbox, parked),
            _ => inbox.resume(parked),
        }
        let turn = match self.take_turn(inbox, now) {
            Ok(turn) => turn,
            Err(error) => Turn::Over(self.outcome().unwrap_or_else(|| error.to_string())),
        };
        self.parked = match &mut self.stage {
            Stage::Open(connection) => connection.park(inbox),
            _ => inbox.park(),
        };
        turn
    }

    /// An error is one of the stream.
    fn take_turn(&mut self, inbox: &mut Inbox, now: Duration) -> io::Result<Turn> {
        let mut reads = 0;
        if self.is_idle(inbox) {
            self.read(inbox)?; // the short way for the most common turn
            reads = 1;
        }
        let turn = loop {
            let stalled = self.advance(inbox, now);
            self.write()?;
            if self.is_over(now) {
                return Ok(self.over());
            }
            if stalled && self.is_full() {
                break Turn::Wait; // nothing is read before the peer reads
            } else if stalled {
                continue;
            } else if !self.readable {
                break Turn::Wait;
            } else if reads == READS_PER_TURN {
                break Turn::Unfinished;
            }
            self.read(inbox)?;
            reads += 1;
        };
        // Only now, since whoever was stopped for a while has to read before it judges a peer.
        if let Stage::Open(connection) = &mut self.stage {
            connection.handle_timeout(now);
            if connection.state() != State::Open || connection.wants_write() {
                self.write()?;
                if self.is_over(now) {
                    return Ok(self.over());
                }
            }
        }
        Ok(turn)
    }

    /// Whether there is nothing to be done before something is read.
    fn is_idle(&self, inbox: &Inbox) -> bool {
        let Stage::Open(connection) = &self.stage else {
            return false;
        };
        self.readable
            && inbox.unread().is_empty()
            && connection.state() == State::Open
            && !connection.wants_write()
    }

    fn over(&mut self) -> Turn {
        let outcome = self.outcome();
        Turn::Over(outcome.unwrap_or_else(|| "refused".to_owned()))
    }

    /// Handles what has come. Tells whether it stopped because too much waits to be
    /// written.
    fn advance(&mut self, inbox: &mut Inbox, now: Duration) -> bool {
        if let Stage::Opening(_) = self.stage {
            self.open(inbox, now);
        }
        let Stage::Open(connection) = &mut self.stage else {
            if let Stage::Refused(_) = self.stage {
                inbox.consume(usize::MAX);
            }
            return false;
        };
        loop {
            if connection.is_full() {
                return true;
            }
            let sent = match connection.poll_event(inbox) {
                Ok(Some(Event::Text(text))) => connection.send_text(&text),
                Ok(Some(Event::Binary(bytes))) => connection.send_binary(&bytes),
                Ok(Some(_)) => Ok(()),
                Ok(None) => return false,
                Err(_) => {
                    // The peer is told; what it still sends is read and dropped.
                    inbox.consume(usize::MAX);
                    return false;
                }
            };
            if sent.is_err() {
                // Most likely because we are closing: then this does nothing.
                let _ = connection.close(CloseCode::INTERNAL_ERROR, "");
            }
        }
    }

    fn open(&mut self, inbox: &mut Inbox, now: Duration) {
        let refused = Stage::Refused(now.saturating_add(LINGER));
        let Stage::Opening(mut handshake) = mem::replace(&mut self.stage, refused) else {
            return;
        };
        let step = handshake.handle_timeout(now);
        let refusal = match step.and_then(|()| handshake.advance(inbox)) {
            Ok(Step::Continue(handshake)) => {
                self.stage = Stage::Opening(Box::new(handshake));
                return;
            }
            Ok(Step::Done(Incoming::Upgrade(upgrade))) => match upgrade.accept(Acceptance::new()) {
                Ok(connection) => {
                    self.stage = Stage::Open(connection);
                    return;
                }
                Err(_) => Response::new(500).ok(),
            },
            Ok(Step::Done(Incoming::Http(_))) => HandshakeError::UpgradeRequired.response(),
            Err(error) => error.response(),
        };
        if let Some(response) = refusal {
            // It is short and the first thing written: it fits, or the stream is broken.
            let _ = self.stream.write(&response.to_bytes());
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn read(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let room = inbox.spare(ROOM);
        let space = room.len();
        match self.stream.read(room) {
            Ok(0) => {
                self.readable = false;
                match &mut self.stage {
                    Stage::Opening(handshake) => handshake.received_eof(),
                    Stage::Open(connection) => connection.received_eof(),
                    Stage::Refused(until) => *until = Duration::ZERO,
                }
            }
            Ok(count) => {
                inbox.received(count);
                // Less than there was room for is all there is, except for the end of the stream.
                self.readable = count == space || self.read_closed || cfg!(windows);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes what waits, as far as the stream takes it, and ends it when that is due.
    fn write(&mut self) -> io::Result<()> {
        let Stage::Open(connection) = &mut self.stage else {
            return Ok(());
        };
        while connection.wants_write() {
            let outgoing = connection.outgoing();
            let chunk = outgoing.chunk();
            let written = if chunk.len() == outgoing.remaining() {
                self.stream.write(chunk) // the cheaper system call
            } else {
                let mut slices = [IoSlice::new(&[]); 16];
                let count = outgoing.chunks_vectored(&mut slices);
                let slices = slices.get(..count).unwrap_or_default();
                self.stream.write_vectored(slices)
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => outgoing.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if connection.wants_shutdown() {
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    /// Whether the stream is to be dropped.
    fn is_over(&self, now: Duration) -> bool {
        match &self.stage {
            Stage::Opening(_) => false,
            Stage::Open(connection) => !connection.wants_read() && !connection.wants_write(),
            Stage::Refused(until) => *until <= now,
        }
    }

    fn is_full(&self) -> bool {
        matches!(&self.stage, Stage::Open(connection) if connection.is_full())
    }

    /// How the connection ended, now that the stream ends.
    fn outcome(&mut self) -> Option<String> {
        let Stage::Open(connection) = &mut self.stage else {
            return None;
        };
        connection.received_eof();
        connection.outcome().map(|outcome| outcome.to_string())
    }
}
