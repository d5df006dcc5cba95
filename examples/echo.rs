//! Echoes text and binary messages: a thread per connection over blocking TCP.
//!
//!     cargo run --release --example echo [ADDR] [--deflate[=takeover]] [--verbose | --quiet]
//!
//! Open the printed address in a browser (http instead of ws) for a page that talks to it. Ctrl-C
//! closes all connections with 1001.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fullduplex::blocking::{self, Error, Incoming, WebSocket};
#[cfg(feature = "deflate")]
use fullduplex::deflate::{ContextTakeover, Deflate};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::{Acceptance, Options, Response};
use fullduplex::{CloseCode, Config, Event};

const USAGE: &str = "usage: echo [ADDR] [--deflate[=takeover]] [--verbose | --quiet]";

/// Each connection is a thread, so their number is bounded.
const MAX_CONNECTIONS: usize = 1000;

/// How often a waiting connection looks whether the server is to end.
const LOOK_UP: Duration = Duration::from_millis(200);

/// How long connections may take to say good-bye at the end.
const GOOD_BYE: Duration = Duration::from_secs(6);

/// The page for browsers. It needs nothing but itself, and says so.
const PAGE: &str = include_str!("echo.html");
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
                           script-src 'unsafe-inline'; connect-src 'self' ws: wss:";

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Log {
    Nothing,
    Connections,
    Messages,
}

struct Server {
    options: Options,
    log: Log,
    ending: AtomicBool,
    /// Connections, whatever they turn out to be, and those of them that are WebSockets.
    open: AtomicUsize,
    talking: AtomicUsize,
    sessions: AtomicU64,
}

fn main() -> ExitCode {
    let mut address = None;
    let mut log = Log::Connections;
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
            "--verbose" => log = Log::Messages,
            "--quiet" => log = Log::Nothing,
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
    // Browsers may connect from the page below only; other programs send no Origin.
    let options = Options::new(OriginPolicy::same_origin()).config(config);
    let server = Server {
        options,
        log,
        ending: AtomicBool::new(false),
        open: AtomicUsize::new(0),
        talking: AtomicUsize::new(0),
        sessions: AtomicU64::new(0),
    };
    match run(&address, &Arc::new(server)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str, server: &Arc<Server>) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let at_end = Arc::clone(server);
    ctrlc::set_handler(move || {
        // A thread of its own, so that a second Ctrl-C finds the handler free.
        let at_end = Arc::clone(&at_end);
        thread::spawn(move || at_end.end());
    })
    .map_err(io::Error::other)?;
    // Whoever started this may have closed the output.
    let _ = writeln!(io::stdout(), "listening on ws://{}", listener.local_addr()?);
    loop {
        match listener.accept() {
            Ok((stream, peer)) => server.admit(stream, peer),
            // Out of file descriptors, or gone before it was accepted: others may still come.
            Err(error) => {
                server.say(Log::Connections, format_args!("accept: {error}"));
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Server {
    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let slot = Slot(Arc::clone(self));
        if self.open.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            if let Ok(busy) = Response::new(503) {
                // Whoever cannot be told finds out when the connection is dropped.
                let _ = (&stream).write(&busy.to_bytes());
            }
            return;
        }
        let session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let spawned = thread::Builder::new().spawn(move || {
            if let Err(error) = slot.0.serve(session, stream, peer) {
                let text = format_args!("[{session}] {peer}: {error}");
                slot.0.say(Log::Connections, text);
            }
        });
        if let Err(error) = spawned {
            self.say(Log::Connections, format_args!("{peer}: {error}"));
        }
    }

    fn serve(&self, session: u64, stream: TcpStream, peer: SocketAddr) -> Result<(), Error> {
        let upgrade = match blocking::receive_tcp(stream, &self.options)? {
            Incoming::Upgrade(upgrade) => upgrade,
            Incoming::Http(http) => {
                let (method, path) = (http.request().method(), http.request().path());
                self.say(
                    Log::Messages,
                    format_args!("[{session}] {peer}: {method} {path}"),
                );
                let response = match (method, path) {
                    ("GET" | "HEAD", "/") => Response::new(200)?
                        .header("Content-Type", "text/html; charset=utf-8")?
                        .header("Content-Security-Policy", PAGE_POLICY)?
                        .body(PAGE),
                    ("GET" | "HEAD", _) => Response::not_found(),
                    _ => Response::new(405)?.header("Allow", "GET, HEAD")?,
                };
                return http.respond(&response);
            }
        };
        let path = upgrade.request().path();
        self.say(
            Log::Connections,
            format_args!("[{session}] {peer} opened {path}"),
        );
        let _talking = Count::new(&self.talking);
        let mut socket = upgrade.accept(Acceptance::new())?;
        let result = self.echo(session, &mut socket);
        match (socket.outcome(), &result) {
            (Some(outcome), _) => {
                self.say(Log::Connections, format_args!("[{session}] {outcome}"));
            }
            (None, Err(error)) => {
                self.say(Log::Connections, format_args!("[{session}] ended: {error}"));
            }
            (None, Ok(())) => {}
        }
        Ok(())
    }

    fn echo(&self, session: u64, socket: &mut WebSocket<TcpStream>) -> Result<(), Error> {
        socket.set_read_timeout(Some(LOOK_UP));
        while !self.ending.load(Ordering::Relaxed) {
            if socket.connection().is_full() {
                // The peer does not read its echoes: nothing more of it is read before it does.
                socket.flush()?;
            }
            // The answer goes out when nothing more is there to be read: one write for many.
            match socket.next_event() {
                Ok(Some((Event::Text(text), connection))) => {
                    let length = text.len();
                    self.say(
                        Log::Messages,
                        format_args!("[{session}] text, {length} bytes"),
                    );
                    connection.send_text(&text)?;
                }
                Ok(Some((Event::Binary(bytes), connection))) => {
                    let length = bytes.len();
                    self.say(
                        Log::Messages,
                        format_args!("[{session}] binary, {length} bytes"),
                    );
                    connection.send_binary(&bytes)?;
                }
                Ok(Some(_)) | Err(Error::WouldBlock) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        socket.close(CloseCode::GOING_AWAY, "the server ends")?;
        Ok(())
    }

    /// Lets every connection close, and ends the process.
    fn end(&self) {
        if self.ending.swap(true, Ordering::Relaxed) {
            std::process::exit(130); // asked twice: at once
        }
        let until = Instant::now() + GOOD_BYE;
        while self.talking.load(Ordering::Relaxed) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        std::process::exit(0);
    }

    fn say(&self, level: Log, text: std::fmt::Arguments<'_>) {
        if level <= self.log {
            // Nobody can be told that nobody can be told.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// Counts while it lives.
struct Count<'a>(&'a AtomicUsize);

impl<'a> Count<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of the connections that are admitted.
struct Slot(Arc<Server>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
