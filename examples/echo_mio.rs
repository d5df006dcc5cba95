//! Echoes text and binary messages: any number of connections on one thread, over mio and the core.
//!
//!     cargo run --release --example echo_mio [ADDR] [--deflate[=takeover]] [--quiet]
//!
//! All connections share one inbox, so that an idle one holds no buffer. A wake-up costs one read
//! and one write, however many messages it brings. Ctrl-C closes all connections with 1001.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use fullduplex::connection::Parked;
#[cfg(feature = "deflate")]
use fullduplex::deflate::{ContextTakeover, Deflate};
use fullduplex::handshake::server::{Acceptance, Handshake, Incoming, Options, Response};
use fullduplex::handshake::{HandshakeError, OriginPolicy, Step};
use fullduplex::{CloseCode, Config, Connection, Event, Inbox};
use mio::event::Event as Readiness;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

const USAGE: &str = "usage: echo_mio [ADDR] [--deflate[=takeover]] [--quiet]";

/// A connection is small, but still their number is bounded.
const MAX_CONNECTIONS: usize = 100_000;

/// How many reads a connection may do before it is the others' turn.
const READS_PER_TURN: usize = 16;

/// How long a client that was refused is given to read why: closing over unread bytes could make
/// its system discard our answer.
const LINGER: Duration = Duration::from_secs(1);

/// When to try again after no connection could be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Connections have the tokens below.
const LISTENER: Token = Token(usize::MAX);
const END: Token = Token(usize::MAX - 1);

fn main() -> ExitCode {
    let mut address = None;
    let mut quiet = false;
    #[cfg_attr(
        not(feature = "deflate"),
        expect(unused_mut, reason = "nothing to choose")
    )]
    let mut config = Config::default();
    for argument in std::env::args_os().skip(1) {
        match &*argument.to_string_lossy() {
            #[cfg(feature = "deflate")]
            "--deflate" => config.deflate = Some(Deflate::new()),
            #[cfg(feature = "deflate")]
            "--deflate=takeover" => {
                let takeover = ContextTakeover::On;
                config.deflate = Some(Deflate::new().takeover(takeover).peer_takeover(takeover));
            }
            "--quiet" => quiet = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other if other.starts_with('-') || address.is_some() => {
                eprintln!("unknown argument {other}\n{USAGE}");
                return ExitCode::FAILURE;
            }
            other => address = Some(other.to_owned()),
        }
    }
    let address = address.unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let options = Options::new(OriginPolicy::same_origin()).config(config);
    match Server::bind(&address, options, quiet).and_then(Server::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    /// Whether clients may be waiting to be accepted.
    waiting: bool,
    /// Set by Ctrl-C.
    end: Arc<AtomicBool>,
    options: Options,
    quiet: bool,
    clock: Instant,
    /// Serves whichever client has its turn.
    inbox: Inbox,
    clients: Slab<Client>,
    /// When which client is to be looked at; some entries are out of date.
    timers: BinaryHeap<Reverse<(Duration, usize)>>,
    /// Clients that had not enough of a turn.
    unfinished: Vec<usize>,
}

struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    stage: Stage,
    /// What it left in the inbox at the end of its last turn.
    parked: Parked,
    /// The stream may have something to read, and nothing behind that.
    readable: bool,
    read_closed: bool,
    /// Its one timer that counts.
    timer: Option<Duration>,
}

enum Stage {
    /// The request is not there yet, or not all of it.
    Opening(Box<Handshake>),
    Open(Connection),
    /// The request was answered with something else than a WebSocket.
    Refused {
        answer: Bytes,
        until: Duration,
    },
}

/// How a turn ended.
enum Turn {
    /// Wait for the stream, or for a deadline.
    Wait,
    /// There may be more to read.
    Unfinished,
    Gone,
}

impl Server {
    fn bind(address: &str, options: Options, quiet: bool) -> io::Result<Self> {
        // The standard library's understands names as well.
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Waker::new(registry, END)?;
        let end = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&end);
        ctrlc::set_handler(move || {
            if asked.swap(true, Ordering::Relaxed) || waker.wake().is_err() {
                std::process::exit(130); // asked twice: at once
            }
        })
        .map_err(io::Error::other)?;
        Ok(Self {
            poll,
            listener,
            waiting: true,
            end,
            options,
            quiet,
            clock: Instant::now(),
            inbox: Inbox::new(),
            clients: Slab::new(),
            timers: BinaryHeap::new(),
            unfinished: Vec::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        // Whoever started this may have closed the output.
        let address = self.listener.local_addr()?;
        let _ = writeln!(io::stdout(), "listening on ws://{address}");
        let mut events = Events::with_capacity(1024);
        let mut ending = false;
        while !(ending && self.clients.is_empty()) {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = self.clock.elapsed();
            for readiness in &events {
                match readiness.token() {
                    LISTENER => self.waiting = true,
                    END => {}
                    Token(key) => {
                        if let Some(client) = self.clients.get_mut(key) {
                            client.note(readiness);
                            self.serve(key, now);
                        }
                    }
                }
            }
            for key in mem::take(&mut self.unfinished) {
                self.serve(key, now);
            }
            self.fire_timers(now);
            if self.end.load(Ordering::Relaxed) && !ending {
                ending = true;
                self.close_all(now);
            }
            if self.waiting && !ending {
                self.accept(now);
            }
        }
        Ok(())
    }

    /// How long to wait for something to happen.
    fn timeout(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        let due = self.timers.peek().map(|Reverse((due, _))| *due);
        let timer = due.map(|due| due.saturating_sub(self.clock.elapsed()));
        let retry = self.waiting.then_some(ACCEPT_AGAIN);
        timer.into_iter().chain(retry).min()
    }

    fn accept(&mut self, now: Duration) {
        while self.clients.len() < MAX_CONNECTIONS {
            match self.listener.accept() {
                Ok((stream, peer)) => match self.admit(stream, peer) {
                    Ok(key) => self.serve(key, now),
                    Err(error) => self.say(peer, &error),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting = false;
                    return;
                }
                // Gone before it was accepted, or no file descriptors are left: try again later.
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, peer: SocketAddr) -> io::Result<usize> {
        stream.set_nodelay(true)?;
        let entry = self.clients.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(key), interest)?;
        entry.insert(Client {
            stream,
            peer,
            stage: Stage::Opening(Box::new(Handshake::new(self.options.clone()))),
            parked: Parked::default(),
            readable: false,
            read_closed: false,
            timer: None,
        });
        Ok(key)
    }

    /// Gives a client its turn, and a timer for what it waits for.
    fn serve(&mut self, key: usize, now: Duration) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        match client.turn(&mut self.inbox, now) {
            Ok(Turn::Wait) => {}
            Ok(Turn::Unfinished) => self.unfinished.push(key),
            Ok(Turn::Gone) => return self.part(key, None),
            Err(error) => return self.part(key, Some(&error)),
        }
        // A timer that is early is harmless, so most deadlines that move set none.
        if let Some(due) = client.deadline()
            && client.timer.is_none_or(|timer| due < timer)
        {
            client.timer = Some(due);
            self.timers.push(Reverse((due, key)));
        }
    }

    fn part(&mut self, key: usize, error: Option<&io::Error>) {
        let mut client = self.clients.remove(key);
        self.inbox = Inbox::new();
        if let Stage::Open(connection) = &mut client.stage {
            connection.received_eof(); // the transport ends here
            if let Some(outcome) = connection.outcome() {
                self.say(client.peer, &outcome);
            }
        } else if let Some(error) = error {
            self.say(client.peer, error);
        }
    }

    fn fire_timers(&mut self, now: Duration) {
        while let Some(Reverse((due, key))) = self.timers.peek().copied()
            && due <= now
        {
            self.timers.pop();
            if let Some(client) = self.clients.get_mut(key)
                && client.timer == Some(due)
            {
                client.timer = None;
                self.serve(key, now);
            }
        }
    }

    fn close_all(&mut self, now: Duration) {
        let keys: Vec<_> = self.clients.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            if let Stage::Open(connection) = &mut client.stage {
                // It may be closing already.
                let _ = connection.close(CloseCode::GOING_AWAY, "the server ends");
                self.serve(key, now);
            } else {
                self.part(key, None);
            }
        }
    }

    fn say(&self, peer: SocketAddr, what: &dyn std::fmt::Display) {
        if !self.quiet {
            // Nobody can be told that nobody can be told.
            let _ = writeln!(io::stderr(), "{peer}: {what}");
        }
    }
}

impl Client {
    /// Readiness is told once: it counts until a read or write finds nothing more to do.
    fn note(&mut self, readiness: &Readiness) {
        self.readable |= readiness.is_readable() || readiness.is_error();
        self.read_closed |= readiness.is_read_closed();
    }

    /// Does what can be done now. An error is one of the stream, and ends it.
    fn turn(&mut self, inbox: &mut Inbox, now: Duration) -> io::Result<Turn> {
        inbox.resume(mem::take(&mut self.parked));
        let turn = self.take_turn(inbox, now)?;
        self.parked = match &mut self.stage {
            Stage::Open(connection) => connection.park(inbox),
            Stage::Opening(_) | Stage::Refused { .. } => inbox.park(),
        };
        Ok(turn)
    }

    fn take_turn(&mut self, inbox: &mut Inbox, now: Duration) -> io::Result<Turn> {
        let mut reads = 0;
        loop {
            let stalled = self.advance(inbox, now);
            self.write()?;
            if self.is_over(now) {
                return Ok(Turn::Gone);
            }
            if stalled {
                if self.is_full() {
                    return Ok(Turn::Wait); // nothing is read before the peer reads
                }
            } else if !self.readable {
                return Ok(Turn::Wait);
            } else if reads == READS_PER_TURN {
                return Ok(Turn::Unfinished);
            } else {
                self.read(inbox)?;
                reads += 1;
            }
        }
    }

    /// Handles what has come, and the time. Tells whether it stopped because too much waits to be
    /// written.
    fn advance(&mut self, inbox: &mut Inbox, now: Duration) -> bool {
        if let Stage::Opening(_) = self.stage {
            self.open(inbox, now);
        }
        let Stage::Open(connection) = &mut self.stage else {
            return false;
        };
        let stalled = loop {
            if connection.is_full() {
                break true;
            }
            let sent = match connection.poll_event(inbox) {
                Ok(Some(Event::Text(text))) => connection.send_text(&text),
                Ok(Some(Event::Binary(bytes))) => connection.send_binary(&bytes),
                Ok(Some(_)) => Ok(()),
                Ok(None) => break false,
                Err(_) => {
                    // The peer is told; what it still sends is read and dropped.
                    inbox.consume(usize::MAX);
                    break false;
                }
            };
            if sent.is_err() {
                // Most likely because we are closing: then this does nothing.
                let _ = connection.close(CloseCode::INTERNAL_ERROR, "");
            }
        };
        connection.handle_timeout(now);
        stalled
    }

    fn open(&mut self, inbox: &mut Inbox, now: Duration) {
        let nothing = Stage::Refused {
            answer: Bytes::new(),
            until: now.saturating_add(LINGER),
        };
        let Stage::Opening(mut handshake) = mem::replace(&mut self.stage, nothing) else {
            return;
        };
        let step = handshake
            .handle_timeout(now)
            .and_then(|()| handshake.advance(inbox));
        let refusal = match step {
            Ok(Step::Continue(handshake)) => {
                self.stage = Stage::Opening(Box::new(handshake));
                return;
            }
            Ok(Step::Done(Incoming::Upgrade(upgrade))) => {
                if let Ok(connection) = upgrade.accept(Acceptance::new()) {
                    self.stage = Stage::Open(connection);
                    return;
                }
                Response::new(500).ok()
            }
            Ok(Step::Done(Incoming::Http(_))) => HandshakeError::UpgradeRequired.response(),
            Err(error) => error.response(),
        };
        if let (Stage::Refused { answer, .. }, Some(response)) = (&mut self.stage, refusal) {
            *answer = response.to_bytes();
        }
    }

    fn read(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        if let Stage::Refused { .. } = self.stage {
            inbox.consume(usize::MAX);
        }
        let room = inbox.spare(0);
        let space = room.len();
        match self.stream.read(room) {
            Ok(0) => {
                self.readable = false;
                match &mut self.stage {
                    Stage::Opening(handshake) => handshake.received_eof(),
                    Stage::Open(connection) => connection.received_eof(),
                    Stage::Refused { until, .. } => *until = Duration::ZERO,
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
        match &mut self.stage {
            Stage::Opening(_) => Ok(()),
            Stage::Open(connection) => {
                while connection.wants_write() {
                    if !write_some(&mut self.stream, connection.outgoing())? {
                        return Ok(());
                    }
                }
                if connection.wants_shutdown() {
                    self.stream.shutdown(Shutdown::Write)?;
                }
                Ok(())
            }
            Stage::Refused { answer, .. } => {
                while answer.has_remaining() {
                    if !write_some(&mut self.stream, answer)? {
                        return Ok(());
                    }
                }
                self.stream.shutdown(Shutdown::Write)
            }
        }
    }

    /// Whether the stream is to be dropped.
    fn is_over(&self, now: Duration) -> bool {
        match &self.stage {
            Stage::Opening(_) => false,
            Stage::Open(connection) => !connection.wants_read() && !connection.wants_write(),
            Stage::Refused { until, .. } => *until <= now,
        }
    }

    fn is_full(&self) -> bool {
        matches!(&self.stage, Stage::Open(connection) if connection.is_full())
    }

    /// When it wants its next turn, whatever the stream does.
    fn deadline(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Opening(handshake) => handshake.poll_timeout(),
            Stage::Open(connection) => connection.poll_timeout(),
            Stage::Refused { until, .. } => Some(*until),
        }
    }
}

/// Writes once. Tells whether the stream may take more.
fn write_some(stream: &mut TcpStream, bytes: &mut impl Buf) -> io::Result<bool> {
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = bytes.chunks_vectored(&mut slices);
    match stream.write_vectored(slices.get(..filled).unwrap_or_default()) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(count) => {
            bytes.advance(count);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}
