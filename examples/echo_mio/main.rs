//! Echoes text and binary messages: any number of connections on one thread, over mio and the core.
//!
//!     cargo run --release --example echo_mio [ADDR] [--deflate[=takeover]] [--quiet]
//!
//! All connections share one inbox, so that an idle one holds no buffer. A wake-up costs one read
//! and one write, however many messages it brings. The system's limit on open files bounds their
//! number. Ctrl-C closes all connections with 1001.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

mod client;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::mem;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::{Client, Turn};
#[cfg(feature = "deflate")]
use fullduplex::deflate::{ContextTakeover, Deflate};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, Inbox};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

const USAGE: &str = "usage: echo_mio [ADDR] [--deflate[=takeover]] [--quiet]";

/// When to try again after no connection could be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Connections have the tokens below.
const LISTENER: Token = Token(usize::MAX);
const END: Token = Token(usize::MAX - 1);

fn main() -> ExitCode {
    let mut address = None;
    let mut quiet = false;
    #[cfg_attr(not(feature = "deflate"), expect(unused_mut))]
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
                if let Some(client) = self.clients.get_mut(key) {
                    client.unfinished = false;
                    self.serve(key, now);
                }
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
        loop {
            let (mut stream, peer) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Gone before it was accepted, or no file descriptors are left: try again later.
                    self.waiting = error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            };
            let entry = self.clients.vacant_entry();
            let key = entry.key();
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            let registered = registry.register(&mut stream, Token(key), interest);
            if stream.set_nodelay(true).and(registered).is_ok() {
                let peer = (!self.quiet).then(|| Box::new(peer));
                entry.insert(Client::new(stream, peer, &self.options));
                self.serve(key, now);
            }
        }
    }

    /// Gives a client its turn, and a timer for what it waits for.
    fn serve(&mut self, key: usize, now: Duration) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        if client.unfinished {
            return; // it has had a turn, and gets another in the next round
        }
        match client.turn(&mut self.inbox, now) {
            Turn::Wait => {}
            Turn::Unfinished => {
                client.unfinished = true;
                self.unfinished.push(key);
            }
            Turn::Over(how) => {
                let client = self.clients.remove(key);
                if let Some(peer) = client.peer {
                    // Nobody can be told that nobody can be told.
                    let _ = writeln!(io::stderr(), "{peer}: {how}");
                }
                return;
            }
        }
        // A timer that is early is harmless, so most deadlines that move set none.
        if let Some(due) = client.deadline()
            && client.timer.is_none_or(|timer| due < timer)
        {
            client.timer = Some(due);
            self.timers.push(Reverse((due, key)));
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
                client.look();
                self.serve(key, now);
            }
        }
    }

    fn close_all(&mut self, now: Duration) {
        let keys: Vec<_> = self.clients.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(client) = self.clients.get_mut(key) {
                client.close();
                self.serve(key, now);
            }
        }
    }
}
